//! Ways through a proxy, and what is said where there is none.

use std::net::SocketAddr;

use crate::support::bed::files_below;
use crate::support::faulty::{Faulty, Operation};
use crate::support::nobody::{NO_HOST, Nobody};
use crate::support::proxy::{Manner, Proxy};
use crate::{HOST, Secure, client, ok, round_trip, run, told};

/// `me:s@cr/t`, which both a URL and base64 change.
const CREDENTIALS: &str = "me:s%40cr%2Ft";
const AUTHORIZATION: &str = "Basic bWU6c0Bjci90";
const CANARY: &str = "canary-password";

fn url(credentials: &str, proxy: SocketAddr) -> String {
    let at = if credentials.is_empty() { "" } else { "@" };
    format!("http://{credentials}{at}{proxy}")
}

#[test]
fn https_goes_through_a_tunnel() {
    let secure = Secure::for_names(&[HOST]);
    let (bed, endpoint) = (client(), format!("https://{HOST}"));
    for (name, credentials, manner) in [
        ("HTTPS_PROXY", "", Manner::Open),
        ("https_proxy", "", Manner::Open),
        ("ALL_PROXY", "", Manner::Open),
        ("HTTPS_PROXY", CREDENTIALS, Manner::Asks(AUTHORIZATION)),
    ] {
        let proxy = Proxy::start(secure.address, manner);
        let through = url(credentials, proxy.address());
        round_trip(&bed, &[("S3_ENDPOINT", &endpoint), ("AWS_CA_BUNDLE", secure.ca()), (name, &through)]);
        assert_eq!(proxy.tunnels(), [format!("{HOST}:443")], "{name}");
        let expected = (!credentials.is_empty()).then_some(AUTHORIZATION);
        assert!(proxy.asked().iter().all(|asked| asked.authorization.as_deref() == expected), "{:?}", proxy.asked());
    }
    for request in secure.server.requests(Operation::Any) {
        assert!(request.header("proxy-authorization").is_none() && request.target.starts_with('/'), "{request:?}");
    }
}

#[test]
fn requests_of_plain_http_are_passed_on() {
    let server = Faulty::start([]);
    let (bed, endpoint) = (client(), format!("http://{HOST}:9000"));
    for (name, credentials, manner) in [
        ("HTTP_PROXY", "", Manner::Open),
        ("http_proxy", "", Manner::Open),
        ("all_proxy", "", Manner::Open),
        ("HTTP_PROXY", CREDENTIALS, Manner::Asks(AUTHORIZATION)),
    ] {
        let proxy = Proxy::start(server.address(), manner);
        round_trip(&bed, &[("S3_ENDPOINT", &endpoint), (name, &url(credentials, proxy.address()))]);
        let asked = proxy.asked();
        assert!(asked.len() >= 4 && proxy.tunnels().is_empty(), "{name}: {asked:?}");
        for one in asked {
            assert!(one.target.starts_with(&format!("{endpoint}/checkpoints")), "{one:?}");
            assert_eq!(one.authorization.as_deref(), (!credentials.is_empty()).then_some(AUTHORIZATION), "{one:?}");
        }
    }
}

#[test]
fn dotenv_names_proxies_as_well() {
    let secure = Secure::for_names(&[HOST]);
    let proxy = Proxy::start(secure.address, Manner::Asks(AUTHORIZATION));
    let bed = client();
    let lines = [
        format!("S3_ENDPOINT=https://{HOST}"),
        format!("AWS_CA_BUNDLE={}", secure.ca()),
        format!("HTTPS_PROXY={}", url(CREDENTIALS, proxy.address())),
    ];
    bed.write(".env", lines.join("\n").as_bytes());
    round_trip(&bed, &[]);
    assert_eq!(proxy.tunnels(), [format!("{HOST}:443")]);
}

/// A host in `NO_PROXY` and one on this machine are reached without the proxy; the other scheme's counts for nothing.
#[test]
fn what_is_excepted_is_reached_directly() {
    let server = Faulty::start([]);
    let proxy = Proxy::start(server.address(), Manner::Refuses("503 Service Unavailable"));
    let (bed, through) = (client(), url("", proxy.address()));
    let local = server.endpoint();
    let other = format!("http://{NO_HOST}:9000");
    for (endpoint, name, except, reached) in [
        (&local, "HTTP_PROXY", "", true),
        (&local, "ALL_PROXY", "", true),
        (&other, "HTTP_PROXY", "invalid", false),
        (&other, "HTTP_PROXY", "*", false),
        (&other, "HTTP_PROXY", ".invalid:9000", false),
        (&other, "HTTPS_PROXY", "", false),
    ] {
        let variables =
            [("S3_ENDPOINT", endpoint.as_str()), (name, &through), ("NO_PROXY", except), ("STRATA_RETRIES", "0")];
        let said = run(&bed, &variables, &["ls"]);
        assert_eq!(said.code, Some(if reached { 0 } else { 5 }), "{name} {except}: {said:?}");
        assert!(reached || said.stderr.contains("the host name cannot be resolved"), "{name} {except}: {said:?}");
        assert_eq!(proxy.asked().len(), 0, "{name} {except}");
    }
    let variables = [("S3_ENDPOINT", other.as_str()), ("HTTP_PROXY", &through), ("NO_PROXY", ".invalid:9001")];
    assert_eq!(run(&bed, &[&variables[..], &[("STRATA_RETRIES", "0")]].concat(), &["ls"]).code, Some(5));
    assert_eq!(proxy.asked().len(), 1, "another port is not excepted");
}

/// The error of `ls` through a proxy of that manner, and how often it was asked.
fn refused(endpoint: &str, manner: Manner, credentials: &str) -> (String, usize) {
    let server = Faulty::start([]);
    let proxy = Proxy::start(server.address(), manner);
    let through = url(credentials, proxy.address());
    let variables = [("S3_ENDPOINT", endpoint), ("HTTPS_PROXY", &through), ("HTTP_PROXY", &through)];
    let said = run(&client(), &variables, &["ls"]);
    assert!(!said.stderr.contains(CANARY), "{said:?}");
    (told(&said, &[proxy.address()]), proxy.asked().len())
}

#[test]
fn what_a_proxy_refuses_is_told() {
    let (secure, plain) = (format!("https://{HOST}"), format!("http://{HOST}"));
    let wrong = format!("me:{CANARY}");
    for (name, endpoint, manner, credentials, times) in [
        ("no_password", &secure, Manner::Asks(AUTHORIZATION), "", 1),
        ("wrong_password", &secure, Manner::Asks(AUTHORIZATION), wrong.as_str(), 1),
        ("wrong_password_plain", &plain, Manner::Asks(AUTHORIZATION), wrong.as_str(), 1),
        ("forbidden", &secure, Manner::Refuses("403 Forbidden"), "", 1),
        ("bad_gateway", &secure, Manner::Refuses("502 Bad Gateway"), "", 3),
        ("hangs_up", &secure, Manner::HangsUp, "", 3),
        ("chatters", &secure, Manner::Chatters, "", 3),
        ("not_found", &secure, Manner::Refuses("404 Not Found"), "", 1),
    ] {
        let (text, asked) = refused(endpoint, manner, credentials);
        assert_eq!(asked, times, "{name}: {text}");
        insta::assert_snapshot!(format!("proxy_{name}"), text);
    }
}

#[test]
fn a_proxy_that_is_not_there_is_told() {
    let listens = Nobody::bind();
    let nobody = listens.address();
    let bed = client();
    let mut all = String::new();
    for through in [format!("http://me:{CANARY}@{nobody}"), format!("http://me:{CANARY}@{NO_HOST}:3128")] {
        let variables = [("S3_ENDPOINT", "https://s3.test.internal"), ("HTTPS_PROXY", &through)];
        let said = run(&bed, &variables, &["ls"]);
        assert!(!said.stderr.contains(CANARY), "{said:?}");
        all += &format!("{}\n\n", told(&said, &[nobody]));
    }
    insta::assert_snapshot!(all.replace(NO_HOST, "proxy.invalid"));
}

/// The time for a connection is that for all of it. The library has a setting for it, the command none.
#[test]
fn a_silent_proxy_is_given_up() {
    use storage::{Environment, RuntimeConfig, S3Config, S3Storage, StorageBackend};
    let server = Faulty::start([]);
    let proxy = Proxy::start(server.address(), Manner::Silent);
    let through = url("", proxy.address());
    let pairs = [("S3_ENDPOINT", "https://s3.test.internal"), ("AWS_REGION", "r"), ("HTTPS_PROXY", &through)];
    let keys = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    let pairs = pairs.into_iter().chain(keys).map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = S3Config::from_environment(crate::BUCKET, &Environment::from_pairs(pairs)).unwrap();
    let runtime =
        RuntimeConfig { retries: 0, connect_timeout: std::time::Duration::from_secs(1), ..RuntimeConfig::default() };
    let asking = async { S3Storage::with_config(config, runtime).await.unwrap().head("k").await };
    let error = tokio::runtime::Runtime::new().unwrap().block_on(asking).unwrap_err();
    let expected = format!("no connection through the proxy at {} within 1s", proxy.address());
    assert!(error.to_string().contains(&expected), "{error}");
}

#[test]
fn urls_that_are_none_of_a_proxy_are_usage_errors() {
    let bed = client();
    let mut all = String::new();
    for through in ["socks5://me:canary-password@proxy:1080", "https://proxy:3129", "http://proxy:port", "://"] {
        let said = run(&bed, &[("S3_ENDPOINT", "https://s3.test.internal"), ("HTTPS_PROXY", through)], &["ls"]);
        assert!(!said.stderr.contains(CANARY), "{said:?}");
        all += &format!("{}\n\n", told(&said, &[]));
        // Where it is not used, it does not matter.
        let unused = [("S3_ENDPOINT", "https://localhost:9"), ("HTTPS_PROXY", through), ("STRATA_RETRIES", "0")];
        assert_eq!(run(&bed, &unused, &["ls"]).code, Some(5));
    }
    insta::assert_snapshot!(all);
}

/// Neither the password nor the header made of it, whatever happens and however much is asked to be told.
#[test]
fn the_password_is_never_shown() {
    let secure = Secure::for_names(&[HOST]);
    let header = "Y2FuYXJ5LXBhc3N3b3Jk";
    let trusted = secure.ca();
    for (scheme, manner) in [
        ("https", Manner::Open),
        ("https", Manner::Refuses("407 Proxy Authentication Required")),
        ("https", Manner::HangsUp),
        ("http", Manner::Refuses("407 Proxy Authentication Required")),
        ("http", Manner::Refuses("502 Bad Gateway")),
    ] {
        let bed = client();
        let proxy = Proxy::start(secure.address, manner);
        let (endpoint, through) = (format!("{scheme}://{HOST}"), url(&format!("{CANARY}:{CANARY}"), proxy.address()));
        let variables = [
            ("S3_ENDPOINT", endpoint.as_str()),
            ("AWS_CA_BUNDLE", trusted),
            ("HTTPS_PROXY", &through),
            ("HTTP_PROXY", &through),
            ("RUST_LOG", "trace"),
            ("RUST_BACKTRACE", "full"),
            ("STRATA_RETRIES", "1"),
        ];
        for arguments in [&["put", "-v", "model.bin"][..], &["ls", "-v", "--json"], &["setup", "--check", "-v"]] {
            let said = run(&bed, &variables, arguments);
            let mut written = format!("{said:?}");
            for content in files_below(&bed.path(".")).into_values() {
                written += &String::from_utf8_lossy(&content);
            }
            assert!(!written.contains(CANARY) && !written.contains(header), "{arguments:?}: {written}");
        }
        assert!(!proxy.asked().is_empty());
    }
}

/// Many parts at once, each on its own tunnel.
#[test]
fn a_large_file_goes_through_tunnels() {
    let secure = Secure::for_names(&[HOST]);
    let proxy = Proxy::start(secure.address, Manner::Open);
    let (bed, endpoint) = (client(), format!("https://{HOST}:8443"));
    let content: Vec<u8> = (0..12u32 << 20).map(|i| (i % 251) as u8).collect();
    bed.write("large.bin", &content);
    let through = url("", proxy.address());
    let variables = [
        ("S3_ENDPOINT", endpoint.as_str()),
        ("AWS_CA_BUNDLE", secure.ca()),
        ("HTTPS_PROXY", &through),
        ("STRATA_PART_SIZE", "5MiB"),
    ];
    ok(&bed, &variables, &["put", "large.bin"]);
    assert_eq!(secure.server.requests(Operation::Part).len(), 3);
    ok(&bed, &variables, &["get", "large.bin", "back.bin"]);
    assert!(bed.read("back.bin") == content);
    assert_eq!(proxy.tunnels(), [format!("{HOST}:8443")]);
}
