//! What was put comes back byte for byte, from both stores, under exactly the five permissions, and nothing else stays.
#![cfg(all(feature = "s3", feature = "cli"))]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::process::Stdio;
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use support::bed::{Bed, faulty, local, minio, said};
use support::faulty::{Faulty, Operation};

const PART: usize = 8 << 20;

/// The same length gives other bytes for another seed, and no period of a part's size.
fn content(len: usize, seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut bytes = vec![0; len];
    random.fill(&mut bytes);
    bytes
}

fn both(test: impl Fn(&Bed)) {
    for bed in [local(), minio()] {
        test(&bed);
        bed.assert_nothing_left();
    }
}

#[test]
fn files_of_every_critical_size() {
    both(|bed| {
        for (seed, len) in [0, 1, PART - 1, PART, PART + 1, 2 * PART + 12345].into_iter().enumerate() {
            let bytes = content(len, seed as u64);
            let name = format!("epoch_{seed}/model.bin");
            bed.write(&name, &bytes);
            assert_eq!(bed.ok(["put", &name]).stdout_line(), bed.uri(&name));
            fs::remove_file(bed.path(&name)).unwrap();
            assert_eq!(bed.ok(["get", &name]).stdout_line(), name, "{len}");
            assert!(bed.read(&name) == bytes, "{} returns other bytes for {len}", bed.name());
        }
    });
}

/// A gibibyte, a mebibyte at a time, the same ones each time.
fn blocks() -> impl Iterator<Item = Vec<u8>> {
    (0..1024).map(|number| content(1 << 20, number))
}

/// The room on the disk is that of two of it.
#[test]
fn a_gibibyte() {
    both(|bed| {
        let mut file = File::create(bed.path("model.bin")).unwrap();
        blocks().for_each(|block| file.write_all(&block).unwrap());
        bed.ok(["put", "model.bin"]);
        fs::remove_file(bed.path("model.bin")).unwrap();
        bed.ok(["get", "model.bin", "again.bin"]);
        let (mut file, mut read) = (File::open(bed.path("again.bin")).unwrap(), vec![0; 1 << 20]);
        for block in blocks() {
            file.read_exact(&mut read).unwrap();
            assert!(read == block);
        }
        assert_eq!(file.read(&mut read).unwrap(), 0);
        fs::remove_file(bed.path("again.bin")).unwrap();
        bed.ok(["rm", "model.bin"]);
    });
}

/// Holes are no data: they take no room in a local store, nor in what is got.
#[test]
fn a_file_with_holes_keeps_them() {
    use std::os::unix::fs::{FileExt, MetadataExt};
    const SIZE: u64 = 200 << 20;
    both(|bed| {
        let file = File::create(bed.path("model.bin")).unwrap();
        file.set_len(SIZE).unwrap();
        file.write_all_at(&content(PART, 3), 77 << 20).unwrap();
        file.write_all_at(b"data", 150 << 20).unwrap();
        file.sync_all().unwrap();
        bed.ok(["put", "model.bin"]);
        bed.ok(["get", "model.bin", "again.bin"]);
        assert!(same(&bed.path("model.bin"), &bed.path("again.bin")));
        let room = |path: &Path| path.metadata().unwrap().blocks() * 512;
        // Some file systems have no holes.
        if room(&bed.path("model.bin")) < SIZE / 4 {
            assert!(room(&bed.path("again.bin")) < SIZE / 4, "{}", room(&bed.path("again.bin")));
            let stored = bed.path("checkpoints/model.bin");
            assert!(!stored.exists() || room(&stored) < SIZE / 4, "{}", room(&stored));
        }
    });
}

fn same(a: &Path, b: &Path) -> bool {
    let (mut a, mut b) = (File::open(a).unwrap(), File::open(b).unwrap());
    let (mut left, mut right) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    loop {
        let n = a.read(&mut left).unwrap();
        if n == 0 {
            return b.read(&mut right).unwrap() == 0;
        }
        if b.read_exact(&mut right[..n]).is_err() || left[..n] != right[..n] {
            return false;
        }
    }
}

#[test]
fn a_directory_of_a_thousand_small_files() {
    both(|bed| {
        for number in 0..1000 {
            let len = number * 7 % 5000;
            bed.write(&format!("epoch_3/shard_{}/part_{number}.bin", number % 10), &content(len, number as u64));
        }
        bed.ok(["put", "epoch_3"]);
        bed.ok(["get", "epoch_3", "restored"]);
        bed.assert_same_tree("epoch_3", "restored");
        let listed = bed.ok(["--json", "ls"]).json_lines();
        assert_eq!(listed.len(), 1);
        assert_eq!((&listed[0]["type"], &listed[0]["files"]), (&"checkpoint".into(), &1000.into()));
        assert_eq!(listed[0]["state"], "complete");

        bed.ok(["rm", "epoch_3"]);
        assert_eq!(bed.stored_keys(), Vec::<String>::new(), "{} keeps something", bed.name());
    });
}

#[test]
fn names_that_other_tools_trip_over() {
    let names = [
        "with space.bin",
        "plus+sign.bin",
        "percent%2Fslash%20.bin",
        "quote'\"s.bin",
        "caf\u{e9}.bin",
        "cafe\u{301}.bin",
        "\u{1F600}/\u{4e2d}\u{6587}.bin",
        "back\\slash.bin",
        "new\nline.bin",
        " leading and trailing ",
        ".hidden",
        "trailing.",
        "-dash.bin",
        "a=b&c?d#e;f:g@h,i~j*k(l)[m]{n}|o^p<q>r$s!",
    ];
    both(|bed| {
        for (seed, name) in names.into_iter().enumerate() {
            let path = format!("run/{name}");
            bed.write(&path, &content(100 + seed, seed as u64));
            bed.ok(["put", &path, &format!("single/{name}")]);
            bed.ok(["get", &format!("single/{name}"), &format!("back/{name}")]);
        }
        bed.assert_same_tree("run", "back");
        bed.ok(["put", "run"]);
        bed.ok(["get", "run", "restored"]);
        bed.assert_same_tree("run", "restored");
        let mut expected: Vec<String> = names.iter().map(|name| format!("run/{name}")).collect();
        expected.sort();
        let stored = bed.stored_keys();
        let stored: Vec<&String> =
            stored.iter().filter(|key| key.starts_with("run/") && !key.contains("/.strata/")).collect();
        assert_eq!(stored, expected.iter().collect::<Vec<_>>(), "the trainer's names are kept on {}", bed.name());
    });
}

#[test]
fn a_key_of_1024_bytes() {
    // The local store's filesystem takes 255 bytes between two slashes.
    let key = format!("{}/{}", ["x".repeat(200).as_str(); 5].join("/"), "y".repeat(19));
    assert_eq!(key.len(), 1024);
    both(|bed| {
        bed.write("short.bin", b"content");
        bed.ok(["put", "short.bin", &key]);
        bed.ok(["get", &key, "back.bin"]);
        assert_eq!(bed.read("back.bin"), b"content");
    });
}

#[test]
fn streams_in_both_directions() {
    both(|bed| {
        for len in [0, 5, PART, 3 * PART + 99] {
            let bytes = content(len, len as u64);
            let key = format!("streams/{len}");
            bed.ok_with_input(["put", "-", &key], &bytes);
            let out = bed.ok(["get", &key, "-"]);
            assert!(out.stdout == bytes, "{len} bytes on {}", bed.name());
        }
    });
}

#[test]
fn streams_keep_to_their_memory() {
    both(|bed| {
        let bytes = content(5 * PART + 3, 5);
        bed.ok_with_input(["--max-memory", "16MiB", "put", "-", "s"], &bytes);
        let out = bed.ok(["--max-memory", "1MiB", "get", "s", "-"]);
        assert!(out.stdout == bytes);
    });
}

#[test]
fn the_same_content_again_sends_nothing() {
    both(|bed| {
        bed.write("run/a.bin", &content(PART + 5, 1));
        bed.write("run/b/c.bin", &content(10, 2));
        bed.ok(["put", "run/a.bin", "single.bin"]);
        let again = bed.ok(["--json", "put", "run/a.bin", "single.bin"]).json_lines();
        assert_eq!(again[0]["moved_bytes"], 0, "{again:?}");
        bed.ok(["put", "run"]);
        let again = bed.ok(["--json", "put", "run"]).json_lines();
        assert_eq!((&again[0]["moved_bytes"], &again[0]["changed"]), (&0.into(), &false.into()), "{again:?}");
        bed.ok(["get", "run", "back"]);
        let again = bed.ok(["--json", "get", "run", "back"]).json_lines();
        assert_eq!(again[0]["moved_bytes"], 0, "{again:?}");
    });
}

#[test]
fn an_interrupted_directory_sends_only_what_is_missing() {
    both(|bed| {
        bed.write("run/a.bin", &content(1000, 1));
        bed.write("run/b.bin", &content(1000, 2));
        // As after a kill: files there, no manifest.
        bed.ok(["put", "run/a.bin", "run/a.bin"]);
        let put = bed.ok(["--json", "put", "run"]).json_lines();
        assert_eq!((&put[0]["moved_files"], &put[0]["moved_bytes"]), (&1.into(), &1000.into()), "{put:?}");
    });
}

/// On a server that answers at once: a command that is told to stop has two seconds. `s3_basic` has the same for MinIO.
#[test]
fn an_interrupted_upload_leaves_nothing() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let server = Faulty::start([]);
        let bed = faulty(&server);
        let mut command = bed.command(["put", "-", "stream"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        // More than one part, and the input stays open: the upload has begun and cannot end.
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&content(2 * PART + 5, 1)).unwrap();
        while server.count(Operation::Part) == 0 {
            assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
            thread::yield_now();
        }
        kill_process(Pid::from_child(&child), signal).unwrap();
        let said = said(child.wait_with_output().unwrap());
        drop(stdin);
        assert_eq!(said.code, Some(code), "{said:?}");
        assert!(said.stderr.contains("hint: run the same command again"), "{said:?}");
        assert_eq!((server.uploads(), server.keys()), (Vec::new(), Vec::new()), "{said:?}");
        bed.assert_nothing_left();
    }
}
