//! `setup --check` where a proxy is on the way.

use crate::support::faulty::Faulty;
use crate::support::proxy::{Manner, Proxy};
use crate::{HOST, Secure, client, run};

/// Detail and outcome of a check.
fn check(stdout: &[u8], name: &str) -> String {
    let lines = String::from_utf8_lossy(stdout);
    let line = lines.lines().find(|line| line.split_whitespace().next() == Some(name));
    line.unwrap_or_else(|| panic!("no {name} in {lines}")).split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
}

#[test]
fn it_goes_through_the_proxy_and_says_so() {
    let secure = Secure::for_names(&[HOST]);
    let proxy = Proxy::start(secure.address, Manner::Open);
    let (endpoint, through) = (format!("https://{HOST}"), format!("http://{}", proxy.address()));
    let variables = [("S3_ENDPOINT", endpoint.as_str()), ("HTTPS_PROXY", &through), ("AWS_CA_BUNDLE", secure.ca())];
    let said = run(&client(), &variables, &["setup", "--check"]);
    let told = |name: &str| check(&said.stdout, name);
    assert_eq!(told("dns"), format!("good left to the proxy at {}", proxy.address()));
    assert!(told("connection").starts_with(&format!("good through the proxy at {} in ", proxy.address())));
    assert!(told("tls").starts_with("good TLS 1.3"), "{said:?}");
    assert!(told("s3:PutObject").starts_with("good"), "{said:?}");
}

#[test]
fn plain_http_through_a_proxy() {
    let server = Faulty::start([]);
    let proxy = Proxy::start(server.address(), Manner::Open);
    let through = format!("http://{}", proxy.address());
    for (endpoint, outcome) in [("http://s3.test.internal", "good"), ("http://s3.example.com", "note")] {
        let said = run(&client(), &[("S3_ENDPOINT", endpoint), ("HTTP_PROXY", &through)], &["setup", "--check"]);
        assert!(check(&said.stdout, "tls").starts_with(outcome), "{said:?}");
        assert!(check(&said.stdout, "s3:PutObject").starts_with("good"), "{said:?}");
    }
}

#[test]
fn a_proxy_that_refuses_is_what_is_bad() {
    let server = Faulty::start([]);
    let proxy = Proxy::start(server.address(), Manner::Asks("Basic eDp5"));
    let through = format!("http://{}", proxy.address());
    let said = run(
        &client(),
        &[("S3_ENDPOINT", "https://s3.test.internal"), ("HTTPS_PROXY", &through)],
        &["setup", "--check"],
    );
    assert_eq!(said.code, Some(7), "{said:?}");
    let expected = format!("bad the proxy at {} refused: 407 Proxy Authentication Required", proxy.address());
    assert_eq!(check(&said.stdout, "connection"), expected);
}
