//! Transfers that last longer than their credentials.

use std::fs;
use std::thread;
use std::time::{Duration, SystemTime};

use crate::support::bed::Bed;
use crate::support::faulty::{Action, Faulty, Operation, Response, Rule};
use crate::{CANARY, assert_silent, bed_with};

const MIB: usize = 1 << 20;
/// Eight parts, one after the other.
const PUT: [&str; 7] = ["put", "model.bin", "--part-size", "5MiB", "-j", "1", "-v"];

fn content() -> Vec<u8> {
    (0..40 * MIB).map(|i| (i * 31 % 251) as u8).collect()
}

/// Credentials of a process: other ones each time, as often as `given/left` says.
fn renewing(server: &Faulty, left: &str) -> Bed {
    let bed = bed_with(server, &[("AWS_PROFILE", "renewed")]);
    bed.write(
        "given/process.sh",
        format!(
            "echo x >>given/asked\nn=$(wc -l <given/asked | tr -d ' ')\n[ $n -le \"$(cat given/left)\" ] || exit 1\n\
             printf '{{\"Version\":1,\"AccessKeyId\":\"ASIA%s\",\"SecretAccessKey\":\"{CANARY}\",\"SessionToken\":\"t%s\"}}' $n $n\n"
        )
        .as_bytes(),
    );
    bed.write("given/left", left.as_bytes());
    bed.write("home/.aws/config", b"[profile renewed]\ncredential_process = /bin/sh given/process.sh\n");
    bed.write("model.bin", &content());
    bed
}

fn expired() -> Action {
    Action::refuse(400, "ExpiredToken")
}

/// Who signed the parts, in order.
fn signers(server: &Faulty) -> Vec<String> {
    let parts = server.requests(Operation::Part).into_iter();
    let id = |text: &str| text.split("Credential=").nth(1).unwrap().split('/').next().unwrap().to_owned();
    parts.map(|request| id(request.header("authorization").unwrap())).collect()
}

#[test]
fn a_transfer_outlives_its_credentials_several_times() {
    let server = Faulty::start([3, 6, 9].map(|nth| Rule::nth(nth, Operation::Part, expired())));
    let bed = renewing(&server, "9");
    let said = bed.ok(PUT);
    assert!(server.object("model.bin").unwrap() == content() && server.uploads().is_empty());
    let expected = [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4].map(|n| format!("ASIA{n}"));
    assert_eq!(signers(&server), expected);
    assert_silent(&bed, &said, &[CANARY]);
}

/// Nobody has to refuse them first: they say when they end, and others are asked for before. The second part is answered when
/// the first ones have ended, by the clock; the server refuses nobody.
#[test]
fn credentials_that_say_when_they_end_are_renewed_before() {
    let server = Faulty::start([]);
    let bed = renewing(&server, "9");
    let script = String::from_utf8(bed.read("given/process.sh")).unwrap();
    let script = script
        .replace("printf '", "at=$(($(date +%s) + 2)); echo $at >>given/ends; printf '")
        .replace("\"SessionToken\":\"t%s\"}", "\"SessionToken\":\"t%s\",\"Expiration\":\"%s\"}")
        .replace("$n $n", "$n $n $(date -u -d @$at +%Y-%m-%dT%H:%M:%SZ)");
    bed.write("given/process.sh", script.as_bytes());
    let ends = bed.path("given/ends");
    server.add(Rule::nth(
        2,
        Operation::Part,
        Action::change(move |_| {
            let first = fs::read_to_string(&ends).unwrap().lines().next().unwrap().parse().unwrap();
            while SystemTime::now() < SystemTime::UNIX_EPOCH + Duration::from_secs(first) {
                thread::park_timeout(Duration::from_millis(50));
            }
        }),
    ));
    bed.ok(PUT);
    assert!(server.object("model.bin").unwrap() == content());
    let signers = signers(&server);
    assert_eq!((signers.len(), signers[0].as_str()), (8, "ASIA1"), "{signers:?}");
    assert!(signers[2..].iter().all(|signer| signer != "ASIA1"), "{signers:?}");
}

/// With none to be had it stops, keeps what it did, and the next run goes on there.
#[test]
fn a_transfer_without_further_credentials_stops_and_is_gone_on_with() {
    let server = Faulty::start([Rule::from_nth(4, Operation::Part, expired())]);
    let bed = renewing(&server, "1");
    let said = bed.run(PUT);
    assert_eq!(said.code, Some(7), "{}", said.stderr);
    assert!(
        said.stderr.contains("credential_process of the AWS profile 'renewed' gave no credentials: it failed"),
        "{}",
        said.stderr
    );
    assert_eq!((bed.journals().len(), server.uploads().len()), (1, 1));
    server.heal();
    bed.write("given/left", b"99");
    bed.ok(PUT);
    assert!(server.object("model.bin").unwrap() == content());
    assert_eq!(server.requests(Operation::Part).len(), 4 + 5, "three of eight parts were there");
    assert!(bed.journals().is_empty());
}

fn keys(id: &str) -> String {
    format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = s=\naws_session_token = t{id}\n")
}

/// Another tool writes new keys into the file while a transfer runs.
#[test]
fn keys_that_change_in_their_file_are_read_again() {
    for (status, code) in [(400, "ExpiredToken"), (403, "InvalidAccessKeyId")] {
        let server = Faulty::start([]);
        let bed = bed_with(&server, &[]);
        bed.write("home/.aws/credentials", keys("ASIAOLD").as_bytes());
        bed.write("model.bin", &content());
        let path = bed.path("home/.aws/credentials");
        server.add(Rule::nth(
            3,
            Operation::Part,
            Action::change(move |response| {
                fs::write(&path, keys("ASIANEW")).unwrap();
                *response = Response::error(status, code);
            }),
        ));
        bed.ok(PUT);
        let signers = signers(&server);
        assert_eq!((signers[2].as_str(), signers[3].as_str(), signers.len()), ("ASIAOLD", "ASIANEW", 9), "{code}");
    }
}

/// The same keys again are no new ones: no try is wasted on them, and the hint says whose they are.
#[test]
fn keys_that_do_not_change_are_not_tried_again() {
    let server = Faulty::start([Rule::from_nth(3, Operation::Part, expired())]);
    let keys = keys("ASIAOLD");
    for (variables, hint) in [
        (&[("AWS_PROFILE", "default")][..], "aws sso login --profile default"),
        (&[], "aws sso login"),
        (
            &[("AWS_ACCESS_KEY_ID", "ASIAENV"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_SESSION_TOKEN", "t")],
            "AWS_SESSION_TOKEN together",
        ),
    ] {
        server.set_rules([Rule::from_nth(3, Operation::Part, expired())]);
        let before = server.requests(Operation::Part).len();
        let bed = bed_with(&server, variables);
        bed.write("home/.aws/credentials", keys.as_bytes());
        bed.write("model.bin", &content());
        let said = bed.run(PUT);
        assert_eq!(said.code, Some(7), "{}", said.stderr);
        assert!(said.stderr.contains(hint), "{}", said.stderr);
        assert_eq!(server.requests(Operation::Part).len() - before, 3, "{}", said.stderr);
        assert_eq!(bed.journals().len(), 1);
    }
}
