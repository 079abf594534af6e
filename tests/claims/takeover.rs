//! A name that another process claimed: left alone while it is at work, taken over when it is gone, with what it did.

use std::collections::BTreeSet;

use crate::support::bed::{Bed, faulty, local, minio};
use crate::support::faulty::{Action, Faulty, Operation, Rule};
use crate::{bytes, claim, count, ended, fails, killed, of_another_machine, start, state_of, wait_until};

const MIB: usize = 1 << 20;

/// A directory of which the first file is there and the second is awaited by the server.
fn stuck_put(server: &Faulty, bed: &Bed) -> std::process::Child {
    bed.write("run/a.bin", b"content a");
    bed.write("run/b.bin", b"content b");
    let child = start(bed.command(["put", "-j", "1", "run"]));
    wait_until("the second file", || {
        server.requests(Operation::Put).iter().any(|put| put.key().unwrap() == "run/b.bin")
    });
    child
}

#[test]
fn what_a_process_of_this_machine_is_at_is_left_alone_until_it_is_gone() {
    let server = Faulty::start([Rule::nth(1, Operation::Put, Action::Ignore).key("run/b.bin")]);
    let bed = faulty(&server);
    let child = stuck_put(&server, &bed);
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    for command in ["put", "rm"] {
        let said = fails(&bed, &[command, "run"], 8);
        let holder = format!("process {} on {host} is putting it since 2", child.id());
        assert!(said.stderr.contains(&holder), "{}", said.stderr);
    }
    let (state, why) = state_of(&bed, "run");
    assert_eq!(state, "partial");
    assert!(why.starts_with(&format!("being put by {host} since")), "{why}");

    // Long before the claim expires: the process is known to be gone.
    killed(child);
    assert!(state_of(&bed, "run").1.ends_with("was interrupted"));
    let said = bed.ok(["--json", "put", "run"]);
    assert_eq!(said.json_lines()[0]["moved_files"], 1, "the first file was there");
    bed.ok(["get", "run", "back"]);
    bed.assert_same_tree("run", "back");
}

#[test]
fn another_machines_claim_holds_until_it_expires() {
    let server = Faulty::start([Rule::nth(1, Operation::Put, Action::Ignore).key("run/b.bin")]);
    let bed = faulty(&server);
    killed(stuck_put(&server, &bed));
    of_another_machine(&server, "2099-01-01T00:00:00Z");
    for command in ["put", "rm"] {
        let said = fails(&bed, &[command, "run"], 8);
        assert!(said.stderr.contains("on node-17 is putting it since"), "{}", said.stderr);
        assert!(said.stderr.contains("with a claim until 2099-01-01T00:00:00Z"), "{}", said.stderr);
    }
    of_another_machine(&server, "2026-01-01T00:00:00Z");
    bed.ok(["put", "run"]);
    assert_eq!(claim(&server)["state"], "committed");
    bed.ok(["get", "run", "back"]);
    bed.assert_same_tree("run", "back");
}

/// Whoever was terminated says so, and nobody waits for an expiry.
#[test]
fn a_terminated_put_gives_its_claim_up_at_once() {
    let server = Faulty::start([Rule::nth(1, Operation::Put, Action::Ignore).key("run/b.bin")]);
    let bed = faulty(&server);
    let child = stuck_put(&server, &bed);
    crate::signal(&child, rustix::process::Signal::TERM);
    assert_eq!(ended(child).code, Some(143));
    assert!(claim(&server)["expires"].is_null(), "{}", claim(&server));
    bed.ok(["put", "run"]);
    bed.ok(["get", "run", "back"]);
    bed.assert_same_tree("run", "back");
}

/// A job that is started anew elsewhere has no journal of its own: what the claim keeps of the uploads is enough.
#[test]
fn another_machine_goes_on_with_the_uploads_of_an_expired_claim() {
    let server = Faulty::start([Rule::nth(1, Operation::Part, Action::Ignore).part(4)]);
    let bed = faulty(&server);
    bed.write("run/model.bin", &bytes(22 * MIB, 1));
    bed.write("run/small.bin", b"small");
    let put = ["put", "run", "-j", "2", "--part-size", "5MiB", "--claim-expiry", "1s"];
    let child = start(bed.command(put));
    let parts = |claim: &serde_json::Value| {
        let parts = claim["uploads"]["model.bin"]["parts"].as_array().cloned().unwrap_or_default();
        parts.iter().map(|part| part["number"].as_u64().unwrap()).collect::<BTreeSet<u64>>()
    };
    wait_until("four parts in the claim", || {
        server.object("run/.strata/put.json").is_some() && parts(&claim(&server)) == BTreeSet::from([1, 2, 3, 5])
    });
    killed(child);
    let upload = claim(&server)["uploads"]["model.bin"]["upload"].clone();
    of_another_machine(&server, "2026-01-01T00:00:00Z");

    let elsewhere = faulty(&server);
    elsewhere.write("run/model.bin", &bytes(22 * MIB, 1));
    elsewhere.write("run/small.bin", b"small");
    let before = count(&server, Operation::Part);
    elsewhere.ok(put);
    let again = server.requests(Operation::Part);
    let again: Vec<_> = again[before..].iter().map(|part| part.param("partNumber").unwrap().to_owned()).collect();
    assert_eq!(again, ["4"], "only the part that was missing");
    assert_eq!(count(&server, Operation::Create), 1, "in the same upload: {upload}");
    assert_eq!(server.uploads(), Vec::<String>::new());
    elsewhere.ok(["get", "run", "back"]);
    elsewhere.assert_same_tree("run", "back");
}

/// Another content under the name: the uploads of the put before are given up, not forgotten.
#[test]
fn uploads_that_nobody_takes_up_are_given_up() {
    for command in ["put", "rm"] {
        let server = Faulty::start([Rule::nth(1, Operation::Part, Action::Ignore).part(2)]);
        let bed = faulty(&server);
        bed.write("run/model.bin", &bytes(12 * MIB, 1));
        bed.write("run/a.bin", b"a");
        let child = start(bed.command(["put", "run", "--part-size", "5MiB"]));
        wait_until("the second part", || count(&server, Operation::Part) >= 2);
        killed(child);
        assert_eq!(server.uploads(), ["run/model.bin"]);
        std::fs::remove_file(bed.path("run/model.bin")).unwrap();
        bed.ok([command, "run"]);
        assert_eq!(server.uploads(), Vec::<String>::new(), "after {command}");
    }
}

#[test]
fn a_spoilt_claim_is_in_nobodys_way() {
    for bed in [local(), minio()] {
        bed.write("run/a.bin", b"content a");
        for spoilt in ["", "{", "[]", r#"{"version":0}"#, "\u{0}"] {
            match bed.bucket_or_none() {
                Some(bucket) => bucket.write("run/.strata/put.json", spoilt.as_bytes()),
                None => bed.write("checkpoints/run/.strata/put.json", spoilt.as_bytes()),
            }
            bed.ok(["put", "run"]);
            assert_eq!(state_of(&bed, "run").0, "complete");
            bed.ok(["rm", "run"]);
            assert_eq!(bed.stored_keys(), Vec::<String>::new());
        }
    }
}

/// Whoever wrote a claim of a newer version may be at work.
#[test]
fn a_newer_claim_is_not_taken_over() {
    let bed = local();
    bed.write("run/a.bin", b"content a");
    bed.write("checkpoints/run/.strata/put.json", br#"{"version":2}"#);
    for command in ["put", "rm"] {
        let said = fails(&bed, &[command, "run"], 6);
        assert!(said.stderr.contains("use a newer strata-ckpt"), "{}", said.stderr);
    }
}
