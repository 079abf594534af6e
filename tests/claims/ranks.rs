//! N ranks put one checkpoint together, with no coordinator but the store.

use std::process::Child;

use crate::support::bed::{Bed, faulty, local, minio};
use crate::support::faulty::{Action, Faulty, Operation, Rule};
use crate::{bytes, ended, fails, killed, signal, start, state_of, wait_until};

fn shards(bed: &Bed, world_size: usize) {
    for rank in 0..world_size {
        let content = bytes(10_000 + rank, rank);
        bed.write(&format!("rank_{rank}/shard_{rank}.bin"), &content);
        bed.write(&format!("rank_{rank}/config.json"), b"the same for all");
        bed.write(&format!("whole/shard_{rank}.bin"), &content);
    }
    bed.write("whole/config.json", b"the same for all");
}

fn rank(bed: &Bed, rank: usize, world_size: usize) -> Child {
    let (directory, rank, world_size) = (format!("rank_{rank}"), rank.to_string(), world_size.to_string());
    start(bed.command(["--json", "put", &directory, "run", "--rank", &rank, "--world-size", &world_size]))
}

#[test]
fn sixty_four_processes_at_once() {
    const WORLD: usize = 64;
    let bed = minio();
    shards(&bed, WORLD);
    let ranks: Vec<Child> = (0..WORLD).map(|number| rank(&bed, number, WORLD)).collect();
    for child in ranks {
        let said = ended(child);
        assert_eq!(said.code, Some(0), "{}", said.stderr);
    }
    assert_eq!(state_of(&bed, "run").0, "complete");
    bed.ok(["get", "run", "back"]);
    bed.assert_same_tree("whole", "back");
    bed.assert_nothing_left();
    bed.ok(["rm", "run"]);
    assert_eq!(bed.stored_keys(), Vec::<String>::new());
}

#[test]
fn it_appears_with_the_last_and_the_missing_are_named() {
    for bed in [local(), minio()] {
        shards(&bed, 4);
        for (number, missing) in [(2, "ranks 0, 1, 3 of 4 are missing"), (0, "ranks 1, 3 of 4 are missing")] {
            let said = ended(rank(&bed, number, 4));
            assert_eq!(said.code, Some(0), "{}", said.stderr);
            assert_eq!(state_of(&bed, "run"), ("partial".to_owned(), missing.to_owned()));
            fails(&bed, &["get", "run"], 4);
        }
        // One that comes twice changes nothing.
        let twice = ended(rank(&bed, 0, 4)).json_lines();
        assert_eq!((&twice[0]["moved_files"], twice[0]["missing_ranks"].to_string()), (&0.into(), "[1,3]".to_owned()));
        ended(rank(&bed, 3, 4));
        assert_eq!(state_of(&bed, "run").1, "rank 1 of 4 is missing");
        // One that is cut short is run again alone.
        killed(rank(&bed, 1, 4));
        let last = ended(rank(&bed, 1, 4));
        assert_eq!(last.code, Some(0), "{}", last.stderr);
        assert_eq!(last.json_lines()[0]["missing_ranks"].to_string(), "[]");
        assert_eq!(state_of(&bed, "run").0, "complete");
        for number in 0..4 {
            let again = ended(rank(&bed, number, 4));
            assert_eq!(again.code, Some(0), "{}", again.stderr);
            assert_eq!(again.json_lines()[0]["changed"], false);
        }
        bed.ok(["get", "run", "back"]);
        bed.assert_same_tree("whole", "back");
        bed.assert_nothing_left();
    }
}

/// A rank that was started anew with other files puts those, as long as nothing was committed.
#[test]
fn a_rank_may_put_other_files_until_the_commit() {
    for bed in [local(), minio()] {
        shards(&bed, 2);
        assert_eq!(ended(rank(&bed, 0, 2)).code, Some(0));
        bed.write("rank_0/shard_0.bin", b"another");
        bed.write("whole/shard_0.bin", b"another");
        assert_eq!(ended(rank(&bed, 0, 2)).code, Some(0));
        assert_eq!(ended(rank(&bed, 1, 2)).code, Some(0));
        bed.ok(["get", "run", "back"]);
        bed.assert_same_tree("whole", "back");
        bed.write("rank_0/shard_0.bin", b"too late");
        assert_eq!(ended(rank(&bed, 0, 2)).code, Some(8));
    }
}

#[test]
fn ranks_that_do_not_fit_together_are_refused() {
    let bed = local();
    shards(&bed, 2);
    for arguments in [
        &["--rank", "2", "--world-size", "2"][..],
        &["--rank", "0", "--world-size", "0"],
        &["--rank", "0"],
        &["--world-size", "2"],
        &["--rank", "0", "--world-size", "2", "--force"],
    ] {
        fails(&bed, &[&["put", "rank_0", "run"], arguments].concat(), 2);
    }
    fails(&bed, &["put", "rank_0/config.json", "k", "--rank", "0", "--world-size", "2"], 2);
    // The same path with other content.
    bed.write("rank_1/config.json", b"not the same");
    assert_eq!(ended(rank(&bed, 0, 2)).code, Some(0));
    let said = ended(rank(&bed, 1, 2));
    assert_eq!(said.code, Some(8), "{}", said.stderr);
    assert!(said.stderr.contains("ranks 0 and 1 put different files as 'config.json'"), "{}", said.stderr);
    assert_eq!(state_of(&bed, "run").0, "partial");
}

#[test]
fn a_put_of_the_whole_takes_over_what_ranks_left() {
    for bed in [local(), minio()] {
        shards(&bed, 3);
        assert_eq!(ended(rank(&bed, 0, 3)).code, Some(0));
        let said = bed.ok(["--json", "put", "whole", "run"]);
        assert_eq!(said.json_lines()[0]["moved_files"], 2);
        assert_eq!(ended(rank(&bed, 1, 3)).code, Some(8), "committed by one, not by three");
        bed.ok(["get", "run", "back"]);
        bed.assert_same_tree("whole", "back");
        bed.ok(["rm", "run"]);
        assert_eq!(bed.stored_keys(), Vec::<String>::new());
    }
}

/// A rank that was paused past its claim's expiry wakes up after the whole was put by one process.
#[test]
fn a_paused_rank_damages_nothing() {
    let server = Faulty::start([Rule::nth(1, Operation::Put, Action::Late).key("run/config.json")]);
    let bed = faulty(&server);
    shards(&bed, 2);
    let paused =
        start(bed.command(["put", "rank_1", "run", "--rank", "1", "--world-size", "2", "--claim-expiry", "1s"]));
    wait_until("its file", || {
        server.requests(Operation::Put).iter().any(|put| put.key().unwrap() == "run/config.json")
    });
    signal(&paused, rustix::process::Signal::STOP);
    bed.write("whole/config.json", b"another");
    wait_until("the claim's expiry", || bed.run(["put", "whole", "run"]).code == Some(0));
    signal(&paused, rustix::process::Signal::CONT);
    server.release();
    let said = ended(paused);
    assert_eq!(said.code, Some(8), "{}", said.stderr);
    bed.ok(["get", "run", "back"]);
    bed.assert_same_tree("whole", "back");
}
