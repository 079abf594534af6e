//! Who has no identity, or no way to the server, is told of that alone: no right is missing where nobody was asked.

use super::support::bed::{self, Bed, Said};
use super::support::faulty::{Action, BUCKET, Faulty, Operation, Response, Rule};
use super::support::minio::authority::Authority;
use super::support::proxy::{Manner, Proxy};
use super::support::tls::{VALID, in_front_of};

/// A host that nobody can resolve, so that it is reached through a proxy or not at all.
const HOST: &str = "s3.test.internal";
const KEYS: [(&str, &str); 2] =
    [("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")];

fn client(endpoint: &str, more: &[(&str, &str)]) -> Bed {
    let store = [
        ("STORAGE_BACKEND", "s3"),
        ("CHECKPOINT_BUCKET", BUCKET),
        ("AWS_REGION", "us-east-1"),
        ("S3_ENDPOINT", endpoint),
    ];
    let all = store.iter().chain(more);
    bed::with(all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

/// What is behind the name of the action, the bucket and the endpoint, and the exit code.
fn cause(said: &Said) -> (Option<i32>, String) {
    let errors: Vec<&str> = said.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!((errors.len(), said.stdout.len()), (1, 0), "{said:?}");
    assert!(said.stderr.contains("\nhint: ") && !said.stderr.contains("administrator"), "{said:?}");
    let text = errors[0].strip_prefix("error: ").unwrap();
    let place = text.strip_prefix("cannot ").and_then(|rest| rest.split_once(" at http")?.1.split_once(": "));
    (said.code, place.map_or(text, |(_, cause)| cause).to_owned())
}

/// `setup` says `text` and nothing else, as `ls` does, and under `--json` the same.
fn assert_told_once(bed: &Bed, flags: &[&str], text: &str) {
    let said = bed.run([&["setup"], flags].concat());
    let (code, told) = cause(&said);
    assert!(matches!(code, Some(1 | 7)) && told.contains(text), "{text}: {said:?}");
    assert_eq!((code, told), cause(&bed.run([&["ls"], flags].concat())));
    let json = bed.run([&["setup", "--json"], flags].concat());
    let last: serde_json::Value = serde_json::from_str(json.stderr.lines().last().unwrap()).unwrap();
    assert_eq!((json.code, json.stdout.len(), last["code"].as_i64()), (code, 0, code.map(i64::from)), "{json:?}");
    assert!(last["message"].as_str().unwrap().contains(text) && last["hint"].is_string(), "{json:?}");
}

#[test]
fn no_identity() {
    let server = Faulty::start([]);
    let endpoint = server.endpoint();
    let none = [("AWS_EC2_METADATA_DISABLED", "true")];
    assert_told_once(&client(&endpoint, &none), &[], "no AWS credentials were found");
    // A machine that gives none.
    let closed = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1")];
    assert_told_once(&client(&endpoint, &closed), &[], "no AWS credentials");
    assert_told_once(&client(&endpoint, &KEYS), &["--profile", "nope"], "the AWS profile 'nope' is not in");
    let half = [none[0], KEYS[0]];
    assert_told_once(&client(&endpoint, &half), &[], "AWS_SECRET_ACCESS_KEY");
    assert!(server.requests(Operation::Any).is_empty());
}

#[test]
fn a_certificate_that_nobody_vouches_for() {
    let (server, authority) = (Faulty::start([]), Authority::new());
    let address = in_front_of(server.address(), authority.certificate(&["localhost"], VALID));
    let bed = client(&format!("https://localhost:{}", address.port()), &KEYS);
    assert_told_once(&bed, &[], "the server's certificate is not trusted");
    assert!(server.requests(Operation::Any).is_empty());
}

#[test]
fn a_proxy_that_lets_nobody_through() {
    let server = Faulty::start([]);
    for scheme in ["http", "https"] {
        for (manner, text) in [(Manner::Asks("Basic bWU6cw=="), "407"), (Manner::Refuses("403 Forbidden"), "403")] {
            let proxy = Proxy::start(server.address(), manner);
            let proxy = format!("http://{}", proxy.address());
            let variables = [KEYS[0], KEYS[1], ("HTTP_PROXY", &proxy), ("HTTPS_PROXY", &proxy)];
            assert_told_once(&client(&format!("{scheme}://{HOST}"), &variables), &[], text);
        }
    }
    assert!(server.requests(Operation::Any).is_empty());
}

/// S3 gives a code with every refusal but that of a HEAD.
#[test]
fn a_refusal_that_is_not_one_of_s3() {
    let server = Faulty::start([Rule::always(Operation::Any, Action::Answer(Response::new(403).body("no")))]);
    assert_told_once(&client(&server.endpoint(), &KEYS), &[], "is denied (403)");
}
