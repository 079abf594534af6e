//! A put that is cancelled in the middle of writing its claim.

use std::sync::Arc;

use storage::checkpoint::{self, PutCheckpoint};
use storage::{ErrorKind, PartSize, RuntimeConfig, S3Config, S3Storage, StaticCredentials, Transfer};

use crate::support::faulty::{Action, BUCKET, Faulty, Operation, Place, Rule};

/// Nobody else has to wait until it expires.
#[tokio::test]
async fn its_claim_is_given_up() {
    // The first write takes the claim, the second names the upload: it is done, and its answer waits.
    let server = Faulty::start([Rule::nth(2, Operation::Put, Action::Stall(Place::Head(0)))]);
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("model.bin"), vec![7; 12 << 20]).unwrap();
    let runtime = RuntimeConfig { part_size: PartSize::Fixed(5 << 20), ..RuntimeConfig::default() };
    let cancel = runtime.cancel.clone();
    let config = S3Config {
        endpoint: Some(server.endpoint()),
        region: Some("us-east-1".to_owned()),
        credentials: Some(StaticCredentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG", None)),
        ..S3Config::new(BUCKET)
    };
    let transfer = Transfer::new(Arc::new(S3Storage::with_config(config, runtime).await.unwrap()));

    let options = PutCheckpoint::default();
    let putting = checkpoint::put(&transfer, directory.path(), "run", &options);
    let interrupting = async {
        while server.requests(Operation::Put).len() < 2 {
            tokio::task::yield_now().await;
        }
        cancel.cancel();
        // The put is polled in between, and sees it.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        server.release();
    };
    let (outcome, ()) = tokio::join!(putting, interrupting);
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Cancelled);

    let claim = String::from_utf8(server.object("run/.strata/put.json").unwrap()).unwrap();
    let claim: serde_json::Value = serde_json::from_str(&claim).unwrap();
    assert_eq!(claim["state"], "putting", "{claim}");
    assert!(claim["expires"].is_null(), "{claim}");
    // Without a directory for its journal nothing could go on with it.
    assert!(claim["uploads"].is_null(), "{claim}");
    assert!(server.uploads().is_empty());
}
