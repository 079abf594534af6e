//! Other tools read what we write, and we read what they write.
#![cfg(all(feature = "s3", feature = "cli"))]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::PathBuf;
use std::process::Command;

use support::bed::{Bed, minio};

fn s5cmd() -> PathBuf {
    let given = std::env::var_os("STRATA_TEST_S5CMD").filter(|path| !path.is_empty()).map(PathBuf::from);
    let on_path = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .map(|directory| directory.join("s5cmd"))
        .find(|path| path.is_file());
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))
        .map(|cache| cache.join("strata-ckpt/python/bin/s5cmd"))
        .filter(|path| path.is_file());
    given.or(on_path).or(cache).expect("these tests need s5cmd, which is not here: run ./scripts/test.sh, it brings it")
}

/// Runs s5cmd as the identity with the five permissions.
fn s5cmd_does(bed: &Bed, arguments: &[&str]) {
    let ran = Command::new(s5cmd())
        .args(["--endpoint-url", bed.bucket().server().endpoint()])
        .args(arguments)
        .env_clear()
        .envs(bed.bucket().environment())
        .current_dir(bed.path("."))
        .output()
        .unwrap();
    assert!(ran.status.success(), "s5cmd {arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
}

fn content(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index * 31 % 251) as u8).collect()
}

const PART: usize = 8 << 20;

#[test]
fn s5cmd_reads_what_we_write() {
    let bed = minio();
    bed.write("run/small.bin", &content(100));
    bed.write("run/deep/large.bin", &content(2 * PART + 1));
    bed.write("run/with space+plus.bin", &content(10));
    bed.ok(["put", "run"]);
    std::fs::create_dir(bed.path("theirs")).unwrap();
    s5cmd_does(&bed, &["cp", &format!("{}/*", bed.uri("run")), "theirs/"]);
    std::fs::remove_dir_all(bed.path("theirs/.strata")).unwrap();
    bed.assert_same_tree("run", "theirs");
}

#[test]
fn we_read_what_s5cmd_writes() {
    let bed = minio();
    for (name, len) in [("empty.bin", 0), ("small.bin", 100), ("large.bin", 3 * PART + 1)] {
        bed.write(&format!("run/{name}"), &content(len));
    }
    s5cmd_does(&bed, &["cp", "--part-size", "6", "run/", &bed.uri("run/")]);
    for name in ["empty.bin", "small.bin", "large.bin"] {
        bed.ok(["get", &format!("run/{name}"), &format!("ours/{name}")]);
    }
    bed.assert_same_tree("run", "ours");
    assert_eq!(bed.run(["get", "run", "whole"]).code, Some(4), "no manifest, no checkpoint");
    bed.ok(["get", "--unverified", "run", "whole"]);
    bed.assert_same_tree("run", "whole");
    bed.assert_nothing_left();
}

#[test]
fn a_file_that_another_tool_replaced_is_noticed() {
    let bed = minio();
    bed.write("run/a.bin", &content(100));
    bed.write("run/b.bin", &content(200));
    bed.ok(["put", "run"]);
    bed.write("other.bin", &vec![7; 100]);
    s5cmd_does(&bed, &["cp", "other.bin", &bed.uri("run/a.bin")]);
    let said = bed.run(["get", "run", "back"]);
    assert_eq!(said.code, Some(6), "{}", said.stderr);
    assert!(!bed.path("back").exists(), "a checkpoint that does not verify never appears");

    s5cmd_does(&bed, &["rm", &bed.uri("run/a.bin")]);
    let listed = bed.ok(["--json", "ls"]).json_lines();
    assert_eq!(
        (&listed[0]["state"], &listed[0]["why"]),
        (&"damaged".into(), &"'a.bin' is missing or has another size".into())
    );
    assert_eq!(bed.run(["get", "run", "back"]).code, Some(6));
    bed.assert_nothing_left();
}
