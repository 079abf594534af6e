//! What was abandoned is found and removed; nothing that is somebody's data is.

use std::fs::File;
use std::time::{Duration, SystemTime};

use crate::support::bed::{Bed, faulty, local, minio};
use crate::support::faulty::{Action, Faulty, Operation, Rule};
use crate::{bytes, claim, fails, killed, of_another_machine, start, wait_until};

const MIB: usize = 1 << 20;

fn partial(bed: &Bed) -> Vec<serde_json::Value> {
    bed.ok(["--json", "ls", "--partial"]).json_lines()
}

#[test]
fn an_interrupted_put_of_a_directory_goes_with_its_uploads() {
    let server = Faulty::start([Rule::nth(1, Operation::Part, Action::Ignore).part(2)]);
    let bed = faulty(&server);
    bed.write("run/model.bin", &bytes(6 * MIB, 1));
    bed.write("run/a.bin", b"a");
    server.put_object("run/somebodys.txt", b"not ours");
    server.put_object("plain/somebodys.txt", b"not ours");
    let child = start(bed.command(["put", "run", "--part-size", "5MiB"]));
    wait_until("the second part", || server.count(Operation::Part) >= 2 && server.object("run/a.bin").is_some());

    // Somebody is at it.
    let listed = partial(&bed);
    assert_eq!((&listed[0]["name"], &listed[0]["live"]), (&"run".into(), &true.into()), "{listed:?}");
    let said = bed.ok(["rm", "--partial", "--yes"]);
    assert!(said.stderr.contains("'run' is left alone: being put by"), "{}", said.stderr);
    assert_eq!(server.uploads(), ["run/model.bin"]);

    killed(child);
    let listed = partial(&bed);
    assert_eq!(listed.len(), 1, "the journal's upload is the claim's: {listed:?}");
    assert_eq!((&listed[0]["live"], &listed[0]["uploads"], &listed[0]["files"]), (&false.into(), &1.into(), &1.into()));
    let said = fails(&bed, &["rm", "--partial"], 2);
    assert!(said.stderr.contains("--yes"), "{}", said.stderr);
    let dry = bed.ok(["rm", "--partial", "--dry-run"]);
    assert_eq!(server.uploads(), ["run/model.bin"]);
    let wet = bed.ok(["rm", "--partial", "--yes"]);
    assert_eq!(dry.stdout, wet.stdout, "the same lines");
    assert_eq!(server.uploads(), Vec::<String>::new());
    assert_eq!(server.keys(), ["plain/somebodys.txt", "run/somebodys.txt"]);
    assert_eq!(partial(&bed), Vec::<serde_json::Value>::new());
}

#[test]
fn an_interrupted_put_of_a_file_is_found_by_its_journal() {
    let server = Faulty::start([Rule::nth(1, Operation::Part, Action::Ignore).part(2)]);
    let bed = faulty(&server);
    bed.write("model.bin", &bytes(11 * MIB, 1));
    let child = start(bed.command(["put", "model.bin", "--part-size", "5MiB", "-j", "1"]));
    wait_until("the second part", || server.count(Operation::Part) >= 2);
    killed(child);
    let listed = partial(&bed);
    let told = (&listed[0]["kind"], &listed[0]["name"], &listed[0]["bytes"]);
    assert_eq!(told, (&"upload".into(), &"model.bin".into(), &(5 * MIB).into()), "{listed:?}");
    bed.ok(["rm", "--partial", "--yes", "another/"]);
    assert_eq!(server.uploads(), ["model.bin"], "of other names");
    bed.ok(["rm", "--partial", "--yes"]);
    assert_eq!(server.uploads(), Vec::<String>::new());
    assert_eq!(bed.journals(), Vec::<String>::new());
}

#[test]
fn an_interrupted_get_is_found_by_its_journal() {
    for directory in [false, true] {
        let server = Faulty::start([]);
        let bed = faulty(&server);
        bed.write("run/model.bin", &bytes(11 * MIB, 1));
        bed.ok(["put", "run", "--part-size", "5MiB"]);
        let stuck = Faulty::start([Rule::always(Operation::Get, Action::Ignore).key("model.bin")]);
        for key in server.keys() {
            stuck.put_object(&key, &server.object(&key).unwrap());
        }
        let bed = faulty(&stuck);
        let child = start(bed.command(["get", if directory { "run" } else { "run/model.bin" }, "back"]));
        wait_until("a range", || {
            !stuck.requests(Operation::Get).iter().all(|get| get.key().unwrap() != "run/model.bin")
        });
        killed(child);
        let listed = partial(&bed);
        assert!(!listed.is_empty() && listed.iter().all(|left| left["kind"] == "download"), "{listed:?}");
        bed.ok(["rm", "--partial", "--yes"]);
        bed.assert_nothing_left();
        assert_eq!(bed.journals(), Vec::<String>::new());
    }
}

/// The files of ranks that are there may belong to a job that is still at it.
#[test]
fn ranks_that_wrote_lately_are_left_alone() {
    for bed in [local(), minio()] {
        bed.write("shard/a.bin", b"a");
        bed.ok(["put", "shard", "run", "--rank", "0", "--world-size", "2"]);
        let listed = partial(&bed);
        assert_eq!((&listed[0]["live"], &listed[0]["why"]), (&true.into(), &"rank 1 of 2 is missing".into()));
        bed.ok(["rm", "--partial", "--yes"]);
        assert_eq!(partial(&bed).len(), 1);
        bed.ok(["rm", "run"]);
        assert_eq!(bed.stored_keys(), Vec::<String>::new());
    }
}

/// A replacement that was given up half way: the checkpoint stays, its unfinished uploads go.
#[test]
fn what_was_to_replace_a_checkpoint_goes_and_the_checkpoint_stays() {
    let server = Faulty::start([Rule::nth(1, Operation::Part, Action::Ignore).part(2)]);
    let bed = faulty(&server);
    bed.write("old/a.bin", b"old");
    bed.ok(["put", "old", "run"]);
    bed.write("new/a.bin", &bytes(6 * MIB, 2));
    let child = start(bed.command(["put", "new", "run", "--force", "--part-size", "5MiB"]));
    wait_until("the second part", || server.count(Operation::Part) >= 2);
    killed(child);
    of_another_machine(&server, "2026-01-01T00:00:00Z");
    bed.ok(["rm", "--partial", "--yes"]);
    assert_eq!((claim(&server)["state"].as_str(), server.uploads().len()), (Some("committed"), 0));
    bed.ok(["get", "run", "back"]);
    bed.assert_same_tree("old", "back");
}

#[test]
fn partial_files_in_a_local_store_are_nobodys_after_a_while() {
    let bed = local();
    bed.write("checkpoints/run/.a.bin.whole.strata-partial", b"cut short");
    bed.write("checkpoints/run/.hidden", b"somebody's");
    let path = bed.path("checkpoints/run/.a.bin.whole.strata-partial");
    assert_eq!(partial(&bed).len(), 0, "it may be written to at this moment");
    let long_ago = SystemTime::now() - Duration::from_secs(86_400);
    File::options().write(true).open(&path).unwrap().set_modified(long_ago).unwrap();
    let locked = File::open(&path).unwrap();
    locked.lock().unwrap();
    assert_eq!(partial(&bed).len(), 0, "somebody writes to it");
    drop(locked);
    // Another test may start a process, which has all locks of this one until its first instruction.
    wait_until("the end of the lock", || partial(&bed).len() == 1);
    assert_eq!(partial(&bed)[0]["kind"], "partial_file");
    bed.ok(["rm", "--partial", "--yes"]);
    assert_eq!(bed.stored_keys(), ["run/.hidden"]);
}

/// A file that was there before, and that an interrupted put would have replaced, is somebody's data.
#[test]
fn what_was_there_before_stays() {
    let server = Faulty::start([Rule::nth(1, Operation::Put, Action::Ignore).key("run/b.bin")]);
    let bed = faulty(&server);
    server.put_object("run/a.bin", b"somebody's");
    bed.write("run/a.bin", b"another");
    bed.write("run/b.bin", b"b");
    let child = start(bed.command(["put", "run"]));
    wait_until("the second file, and the upload of the first", || {
        server.requests(Operation::Put).iter().any(|put| put.key().unwrap() == "run/b.bin")
            && !claim(&server)["uploads"]["a.bin"].is_null()
    });
    killed(child);
    bed.ok(["rm", "--partial", "--yes"]);
    assert_eq!(server.keys(), ["run/a.bin"]);
    assert_eq!(server.object("run/a.bin").unwrap(), b"somebody's");
    assert_eq!(server.uploads(), Vec::<String>::new());
}

/// A rank whose clock, or whose store's, is ahead of ours has not gone away long ago.
#[test]
fn ranks_of_the_future_are_at_work() {
    let bed = local();
    bed.write("r0/shard", b"0");
    bed.ok(["put", "r0", "job/epoch_1", "--rank", "0", "--world-size", "2"]);
    for entry in std::fs::read_dir(bed.path("checkpoints/job/epoch_1/.strata")).unwrap() {
        let file = File::options().write(true).open(entry.unwrap().path()).unwrap();
        file.set_modified(SystemTime::now() + Duration::from_secs(1200)).unwrap();
    }
    let said = bed.ok(["rm", "--partial", "--yes"]);
    assert!(said.stderr.contains("'job/epoch_1' is left alone"), "{said:?}");
    bed.write("r1/shard1", b"1");
    bed.ok(["put", "r1", "job/epoch_1", "--rank", "1", "--world-size", "2"]);
    bed.ok(["get", "job/epoch_1", "back"]);
}

/// By its full path too: its directory is no store of its own.
#[test]
fn an_unfinished_checkpoint_is_found_by_its_path() {
    let bed = local();
    bed.write("in/w.bin", b"weights");
    bed.ok(["put", "in", "runs/p"]);
    let claim = String::from_utf8(bed.read("checkpoints/runs/p/.strata/put.json")).unwrap();
    bed.write("checkpoints/runs/p/.strata/put.json", claim.replace("\"committed\"", "\"putting\"").as_bytes());
    std::fs::remove_file(bed.path("checkpoints/runs/p/.strata/manifest.json")).unwrap();
    let uri = bed.uri("runs/p");
    let by = |arguments: &[&str]| bed.ok([&["--json", "ls", &uri], arguments].concat()).json_lines();
    assert_eq!((&by(&[])[0]["name"], &by(&[])[0]["state"]), (&"p".into(), &"partial".into()));
    assert_eq!(by(&["--partial"])[0]["name"], "p");
    assert_eq!(bed.ok(["ls", "--partial", &bed.uri("runs")]).stdout, bed.ok(["ls", "--partial", &uri]).stdout);
    bed.ok(["rm", "--partial", "--yes", &uri]);
    assert_eq!(bed.stored_keys(), Vec::<String>::new());
}
