//! Endpoints and regions as people write them: parsed by `Site`, since rusoto makes `//bucket`, https and us-east-1.

use std::net::{Ipv4Addr, SocketAddr};

use storage::{Environment, ErrorKind, RuntimeConfig, S3Config, StorageBackend};

use crate::support::faulty::{BUCKET, Faulty, Operation};
use crate::{ID, SECRET, bounded, config, runtime, storage_with};

#[test]
fn slashes_and_upper_case_change_nothing() {
    bounded(async {
        let server = Faulty::start([]);
        let plain = server.endpoint();
        let address = plain.strip_prefix("http://").unwrap();
        for endpoint in
            [plain.clone(), format!("{plain}/"), format!("{plain}//"), format!("HTTP://{address}/"), address.to_owned()]
        {
            let settings = S3Config { endpoint: Some(endpoint.clone()), ..config(&server) };
            let store = storage_with(settings, runtime()).await;
            store.write("epoch_1/a b", "content".into()).await.unwrap_or_else(|error| panic!("{endpoint}: {error}"));
            let put = server.requests(Operation::Put).pop().unwrap();
            assert_eq!(put.target, "/checkpoints/epoch_1/a%20b", "{endpoint}");
            assert_eq!(put.header("host"), Some(address), "{endpoint}");
            store.delete("epoch_1/a b").await.unwrap();
            let delete = server.requests(Operation::Delete).pop().unwrap();
            assert_eq!(delete.path(), "/checkpoints/epoch_1/a%20b", "{endpoint}");
        }
    });
}

/// The region in the scope of a signature.
fn signed_region(server: &Faulty) -> String {
    let request = server.requests(Operation::Any).pop().unwrap();
    let authorization = request.header("authorization").unwrap();
    let scope = authorization.split("Credential=").nth(1).unwrap().split(',').next().unwrap();
    scope.split('/').nth(2).unwrap().to_owned()
}

#[test]
fn a_region_that_nobody_knows_is_kept() {
    bounded(async {
        for region in ["mars-north-1", "eu-central-2", "garage", "US-EAST-1"] {
            let server = Faulty::start([]);
            let settings = S3Config { region: Some(region.to_owned()), ..config(&server) };
            let store = storage_with(settings, runtime()).await;
            store.write("k", "content".into()).await.unwrap();
            assert_eq!(signed_region(&server), region, "a call that we build");
            store.head("k").await.unwrap();
            assert_eq!(signed_region(&server), region, "a call that rusoto builds");
        }
    });
}

#[test]
fn aws_region_beats_aws_default_region() {
    bounded(async {
        let server = Faulty::start([]);
        let endpoint = server.endpoint();
        let keys = [("AWS_ACCESS_KEY_ID", ID), ("AWS_SECRET_ACCESS_KEY", SECRET), ("S3_ENDPOINT", &endpoint)];
        let both = [("AWS_DEFAULT_REGION", "from-default-1"), ("AWS_REGION", "from-region-1")];
        for (regions, expected) in [(&both[..], "from-region-1"), (&both[..1], "from-default-1")] {
            let variables = keys.iter().chain(regions).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let environment = Environment::from_pairs(variables);
            let settings = S3Config::from_environment(BUCKET, &environment).unwrap();
            let _ = storage_with(settings, runtime()).await.head("k").await;
            assert_eq!(signed_region(&server), expected);
        }
    });
}

/// Each try of a reading is a request of its own, which must not begin to count anew.
#[test]
fn an_endpoint_that_never_answered_is_given_up_soon() {
    bounded(async {
        // Bound and not listening: refused, and nobody else's.
        let closed = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        closed.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        let port = closed.local_addr().unwrap().as_socket().unwrap().port();
        let server = Faulty::start([]);
        let config = S3Config { endpoint: Some(format!("http://127.0.0.1:{port}")), ..config(&server) };
        let store = storage_with(config, RuntimeConfig { retries: 50, ..runtime() }).await;
        for error in [store.read("k").await.map(drop).unwrap_err(), store.head("k").await.map(drop).unwrap_err()] {
            assert_eq!((error.kind(), error.tries()), (ErrorKind::Unavailable, 3), "{error}");
        }
    });
}

/// Its address is right, so that there is nothing to check in the settings.
#[test]
fn a_server_that_went_away_is_no_wrong_endpoint() {
    bounded(async {
        let server = Faulty::start([]);
        let store = storage_with(config(&server), runtime()).await;
        assert_eq!(store.list("").await.unwrap().len(), 0);
        drop(server);
        // The first try may still take a connection that was open.
        let error = store.list("").await.unwrap_err();
        assert_eq!(error.hint(), Some("the server answered before: run the same command again once it is back"));
    });
}
