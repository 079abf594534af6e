//! Styles of addresses: IPv6, paths before the bucket, the bucket in the host's name.

use std::net::{Ipv6Addr, TcpListener};

use crate::support::faulty::{Faulty, Operation};
use crate::support::proxy::{Manner, Proxy};
use crate::{BUCKET, HOST, client, round_trip, run};

#[test]
fn a_server_on_ipv6() {
    // A machine may have none.
    let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else { return };
    let server = Faulty::on(listener, []);
    let port = server.address().port();
    for endpoint in
        [format!("http://[::1]:{port}"), format!("[::1]:{port}/"), format!("HTTP://[0:0:0:0:0:0:0:1]:{port}")]
    {
        round_trip(&client(), &[("S3_ENDPOINT", &endpoint)]);
        let put = server.requests(Operation::Put).pop().unwrap();
        assert_eq!(put.header("host").map(str::to_owned), Some(format!("[::1]:{port}")));
    }
}

#[test]
fn a_path_before_the_bucket() {
    let server = Faulty::start([]);
    server.below("/gateway/s3");
    for end in ["/gateway/s3", "/gateway/s3/"] {
        round_trip(&client(), &[("S3_ENDPOINT", &format!("{}{end}", server.endpoint()))]);
        let put = server.requests(Operation::Put).pop().unwrap();
        assert_eq!(put.target, "/gateway/s3/checkpoints/model.bin");
    }
    assert_eq!(run(&client(), &[("S3_ENDPOINT", &server.endpoint())], &["ls"]).code, Some(4));
}

/// Through a proxy, so that no name has to be resolved here.
#[test]
fn the_bucket_in_the_name_of_another_servers_host() {
    let server = Faulty::start([]);
    let endpoint = format!("http://{HOST}:9000");
    for (style, host, target) in [
        ("virtual", format!("{BUCKET}.{HOST}:9000"), "/model.bin"),
        ("path", format!("{HOST}:9000"), "/checkpoints/model.bin"),
        ("auto", format!("{HOST}:9000"), "/checkpoints/model.bin"),
    ] {
        let proxy = Proxy::start(server.address(), Manner::Open);
        let through = format!("http://{}", proxy.address());
        let style = ("STRATA_ADDRESSING_STYLE", style);
        round_trip(&client(), &[("S3_ENDPOINT", &endpoint), ("HTTP_PROXY", &through), style]);
        let put = server.requests(Operation::Put).pop().unwrap();
        assert_eq!((put.target.as_str(), put.header("host")), (target, Some(host.as_str())));
        assert!(proxy.asked().iter().all(|asked| asked.target.starts_with(&format!("http://{host}/"))));
    }
}
