//! Plain http over a public network is warned of, once a command.

use crate::support::faulty::Faulty;
use crate::support::proxy::{Manner, Proxy};
use crate::{client, ok};

const WARNING: &str = "is not encrypted";

#[test]
fn a_public_host_without_tls_is_warned_of_once() {
    let server = Faulty::start([]);
    let proxy = Proxy::start(server.address(), Manner::Open);
    let through = format!("http://{}", proxy.address());
    let bed = client();
    for (endpoint, times) in [
        ("http://s3.example.com", 1),
        ("http://8.8.8.8:9000", 1),
        ("http://[2001:db8::1]:9000", 1),
        ("http://minio:9000", 0),
        ("http://nas.local", 0),
        ("http://s3.test.internal", 0),
        ("http://10.1.2.3:9000", 0),
        ("http://[fd00::1]:9000", 0),
    ] {
        let variables = [("S3_ENDPOINT", endpoint), ("HTTP_PROXY", &through)];
        // The second one opens the store of a full name as well.
        for arguments in [&["put", "model.bin"][..], &["rm", "model.bin", "s3://checkpoints/other.bin"]] {
            server.put_object("other.bin", b"x");
            let said = ok(&bed, &variables, arguments);
            assert_eq!(said.stderr.matches(WARNING).count(), times, "{endpoint} {arguments:?}: {said:?}");
        }
    }
    let said = ok(&bed, &[("S3_ENDPOINT", "http://s3.example.com"), ("HTTP_PROXY", &through)], &["ls"]);
    insta::assert_snapshot!(said.stderr);
    let said = ok(&bed, &[("S3_ENDPOINT", &server.endpoint())], &["ls"]);
    assert!(!said.stderr.contains(WARNING), "{said:?}");
}
