//! `bench`: what it measures and says, that it leaves nothing, and its comparison with a baseline. Nothing here depends on
//! how fast anything is.
#![cfg(all(feature = "s3", feature = "cli"))]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use support::bed::{self, Bed, Said, faulty, local, minio};
use support::faulty::{Action, BUCKET, Faulty, Operation, Place, Rule};
use support::minio::shared;
use support::terminal::{shown, terminal};

const SMALL: [&str; 8] = ["--json", "bench", "--size", "6MiB", "--runs", "2", "-j", "1,2"];

fn bench(bed: &Bed, more: &[&str]) -> Said {
    bed.run([&SMALL[..], more].concat())
}

/// Nothing of a measurement is in the store, beside the command, or in progress.
fn assert_gone(bed: &Bed) {
    assert_eq!(bed.stored_keys(), Vec::<String>::new(), "on {}", bed.name());
    bed.assert_nothing_left();
    let names = std::fs::read_dir(bed.path("")).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<_> = names.filter(|name| name != "home").collect();
    assert!(names.is_empty(), "{names:?} on {}", bed.name());
}

fn positive(value: &Value) -> f64 {
    value.as_f64().filter(|number| *number > 0.0).unwrap_or_else(|| panic!("{value} is no figure"))
}

#[test]
fn every_cell_is_measured_and_nothing_is_left() {
    for bed in [local(), minio()] {
        let said = bench(&bed, &["--part-size", "5MiB,8MiB"]);
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        let lines = said.json_lines();
        let (whole, cells) = lines.split_last().unwrap();
        let named: Vec<String> = cells
            .iter()
            .map(|cell| [&cell["type"], &cell["op"], &cell["part_size"], &cell["concurrency"]])
            .map(|words| words.map(|word| word.as_str().unwrap()).join(" "))
            .collect();
        let expected = ["put 5MiB 1", "put 5MiB 2", "put 8MiB 1", "put 8MiB 2"];
        let expected = expected.iter().flat_map(|cell| [(*cell).to_owned(), cell.replace("put", "get")]);
        let mut expected: Vec<String> = expected.map(|cell| format!("bench_cell {cell}")).collect();
        expected.sort_by_key(|cell| cell.contains("get"));
        assert_eq!(named, expected);
        for cell in cells {
            let small = cell["part_size"] == "5MiB";
            assert_eq!((&cell["runs"], &cell["bytes"], &cell["retries"]), (&2.into(), &(6 << 20).into(), &0.into()));
            assert_eq!(cell["parts"], if small { 4 } else { 2 }, "each part and range of both runs: {cell}");
            positive(&cell["bytes_per_second"]["median"]);
            positive(&cell["part_seconds"]["p50"]);
            positive(&cell["cpu_seconds_per_gib"]);
            positive(&cell["start_seconds"]);
            assert!(cell["part_seconds"]["p99"].as_f64() <= cell["part_seconds"]["max"].as_f64());
            assert!(cell["first_byte_seconds"]["max"].as_f64() <= cell["part_seconds"]["max"].as_f64(), "{cell}");
            assert!(positive(&cell["peak_memory_bytes"]) >= positive(&cell["memory_before_bytes"]), "{cell}");
            assert_eq!(cell["is_filled"], cell["concurrency"] == "1", "{cell}");
        }
        assert_eq!((&whole["type"], &whole["uri"]), (&"bench".into(), &bed.uri("").trim_end_matches('/').into()));
        positive(&whole["stages"]["checksum_bytes_per_second"]);
        positive(&whole["page"]["put_times"]);
        assert_eq!(whole["bottlenecks"].as_array().unwrap().len(), 2);
        assert!(!whole["recommended"]["why"].as_str().unwrap().is_empty());
        let runs = said.stderr.lines().filter(|line| line.contains("\"bench_run\"")).count();
        assert_eq!(runs, 16, "{}", said.stderr);
        assert_gone(&bed);
    }
}

#[test]
fn files_of_a_directory_and_the_disk() {
    for bed in [local(), minio()] {
        let said = bench(&bed, &["--files", "3", "--source", "file", "--op", "get"]);
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        let lines = said.json_lines();
        assert_eq!(lines.len(), 3, "two cells of gets");
        assert_eq!(
            (&lines[0]["op"], &lines[0]["files"], &lines[0]["source"]),
            (&"get".into(), &3.into(), &"file".into())
        );
        assert_eq!(lines[0]["parts"], 6);
        positive(&lines[2]["stages"]["disk_read_bytes_per_second"]);
        positive(&lines[2]["stages"]["disk_write_bytes_per_second"]);
        assert_gone(&bed);
    }
}

#[test]
fn what_is_in_the_store_stays() {
    let bed = minio();
    bed.write("mine.bin", b"mine");
    bed.ok(["put", "mine.bin"]);
    let said = bed.ok(["bench", "--size", "1MiB", "--runs", "1", "-j", "2", "--op", "put"]);
    let text = String::from_utf8(said.stdout).unwrap();
    for expected in [
        "THROUGHPUT",
        "bottleneck: put is bounded by ",
        "200 MB/s",
        "\nnothing is recommended: only one setting was tried\n",
        "would tell more of put auto -j 2 (1 part)\n",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(!text.contains('±'), "one run has no spread: {text}");
    assert!(said.stderr.starts_with("1 run of 1 MiB: about 1s\n"), "{}", said.stderr);
    assert_eq!(bed.stored_keys(), ["mine.bin"]);
}

/// What is removed from such a bucket stays in it.
#[test]
fn old_versions_are_announced_and_counted() {
    let bed = bed::on(shared().versioned_bucket());
    let said = bed.ok(["bench", "--size", "1MiB", "--runs", "2", "-j", "2", "--op", "put"]);
    let lines: Vec<&str> = said.stderr.lines().collect();
    let at = |what: &str| lines.iter().position(|line| line.contains(what));
    let announced = at("each run stays there, hidden and paid for").expect(&said.stderr);
    assert!(Some(announced) < at("2 runs of 1 MiB"), "before the runs begin: {}", said.stderr);
    // The warm-up is one more.
    assert!(at("warning: 3 MiB that were put for this stay in the bucket").is_some(), "{}", said.stderr);
    let said = minio().ok(["bench", "--size", "1MiB", "--runs", "1", "-j", "2", "--op", "put"]);
    assert!(!said.stderr.contains("warning"), "{}", said.stderr);
}

/// Nothing was written, so nothing can be left.
#[test]
fn a_store_that_cannot_be_used_is_no_alarm() {
    let (bed, server) = (minio(), Faulty::start([]));
    let dead = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    for (bed, name, value, code) in [
        (&faulty(&server), "CHECKPOINT_BUCKET", "there-is-no-such-bucket", 4),
        (&bed, "AWS_SECRET_ACCESS_KEY", "wrong", 7),
        (&bed, "S3_ENDPOINT", &*dead, 5),
    ] {
        let mut command = bed.command(["bench", "--size", "1MiB", "--retries", "1"]);
        let said = support::bed::said(command.env(name, value).output().unwrap());
        assert_eq!(said.code, Some(code), "{name}: {}", said.stderr);
        assert!(!said.stderr.contains("may still be there"), "{name}: {}", said.stderr);
    }
    assert_gone(&bed);
}

#[test]
fn a_terminal_that_knows_nothing_but_lines() {
    let bed = local();
    for term in [None, Some("dumb")] {
        let (ours, theirs) = terminal();
        let mut command = bed.command(["bench", "--size", "1KiB", "--runs", "1", "-j", "1"]);
        match term {
            None => command.env_remove("TERM"),
            Some(term) => command.env("TERM", term),
        };
        assert!(command.stdout(Stdio::null()).stderr(theirs).status().unwrap().success());
        drop(command);
        let told = shown(ours);
        assert!(told.contains("\nrun 1 of 2: put, parts auto, -j 1: ") && told.contains("\nrun 2 of 2: get"), "{told}");
        assert!(!told.contains('\u{1b}'), "{told:?}");
    }
}

#[test]
fn a_variable_is_measured_beside_the_default() {
    let bed = local();
    let mut command = bed.command(["--json", "bench", "--size", "1KiB", "--runs", "1", "--op", "put"]);
    let said = support::bed::said(
        command.envs([("STRATA_CONCURRENCY", "3"), ("STRATA_PART_SIZE", "8MiB,9MiB")]).output().unwrap(),
    );
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let cells: Vec<_> = said.json_lines();
    let cells = cells.iter().filter(|line| line["type"] == "bench_cell");
    let cells: Vec<_> =
        cells.map(|cell| format!("{} {}", cell["part_size"], cell["concurrency"]).replace('"', "")).collect();
    assert_eq!(cells, ["8MiB auto", "8MiB 3", "9MiB auto", "9MiB 3"]);
}

// --- interruptions

fn start(bed: &Bed, more: &[&str]) -> Child {
    let always = ["--json", "bench", "--size", "24MiB", "--part-size", "5MiB", "-j", "2", "--runs", "100"];
    // Whoever runs the tests may ignore it, as nohup does, and what is ignored is inherited.
    let mut command = bed.dressed(Command::new("env"));
    command.args(["--default-signal=HUP", bed::BINARY]).args(always).args(more);
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Ends it by a signal once `is_time` says so of a line of stderr; all that was told after it.
fn interrupt(mut child: Child, signal: Signal, mut is_time: impl FnMut(&str) -> bool) -> (Option<i32>, String) {
    let mut told = BufReader::new(child.stderr.take().unwrap());
    loop {
        let mut line = String::new();
        assert!(told.read_line(&mut line).unwrap() > 0, "it ended by itself");
        if is_time(&line) {
            break;
        }
    }
    kill_process(Pid::from_child(&child), signal).unwrap();
    let mut rest = String::new();
    told.read_to_string(&mut rest).unwrap();
    (child.wait().unwrap().code(), rest)
}

#[test]
fn an_interruption_leaves_nothing() {
    for bed in [local(), minio()] {
        for (signal, code, more) in [
            (Signal::INT, 130, &[][..]),
            (Signal::TERM, 143, &["--files", "2"]),
            (Signal::HUP, 129, &["--op", "put"]),
            (Signal::INT, 130, &["--op", "get", "--source", "file"]),
            (Signal::INT, 130, &["--op", "put", "--files", "2", "--source", "file"]),
        ] {
            let (ended, told) = interrupt(start(&bed, more), signal, |line| line.contains("\"bench_run\""));
            assert_eq!(ended, Some(code), "{told}");
            let last: Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
            assert_eq!(last["kind"], "cancelled", "{last}");
            assert!(last["hint"].as_str().unwrap().contains("removed from the store"), "{last}");
            assert_gone(&bed);
        }
    }
}

/// As nohup starts it.
#[test]
fn who_ignores_a_closed_terminal_is_not_disturbed() {
    let bed = local();
    let bench = bed.command(["--json", "bench", "--size", "1MiB", "--runs", "2", "-j", "2"]);
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]).arg(bench.get_program()).args(bench.get_args());
    command.current_dir(bed.path("")).env_clear();
    command.envs(bench.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let (ended, told) = interrupt(child, Signal::HUP, |line| line.contains("\"bench_run\""));
    assert_eq!(ended, Some(0), "{told}");
    assert_gone(&bed);
}

/// What a kill leaves is found and removed by this tool, its uploads as well.
#[test]
fn what_a_kill_leaves_is_a_leftover() {
    let server = Faulty::start([Rule::always(Operation::Part, Action::Ignore)]);
    let bed = faulty(&server);
    let arguments = ["bench", "--files", "2", "--size", "24MiB", "--runs", "1", "-j", "2", "--op", "put"];
    let mut child = bed.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // The claim names an upload before its parts are on their way.
    while server.requests(Operation::Part).is_empty() {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    server.heal();
    let left = server.keys();
    let name = left[0].split('/').next().unwrap().to_owned();
    assert!(name.starts_with(".strata-bench-") && !server.uploads().is_empty(), "{left:?}");
    server.put_object(&format!("{name}/7"), b"as of a run of a single file");
    server.put_object(".strata-bench-mine/x", b"mine");

    let listed = bed.ok(["ls", "--json"]).json_lines();
    let keys: Vec<&str> = listed.iter().filter_map(|line| line["key"].as_str()).collect();
    assert_eq!(keys, [".strata-bench-mine/x"], "{listed:?}");
    // The server's objects are of January.
    let partial = bed.ok(["ls", "--partial", "--json"]).json_lines();
    assert_eq!(partial.len(), 1, "{partial:?}");
    let told = (&partial[0]["kind"], &partial[0]["name"], &partial[0]["live"]);
    assert_eq!(told, (&"bench".into(), &name.as_str().into(), &false.into()));
    bed.ok(["rm", "--partial", "--yes", &format!("s3://{BUCKET}/{name}")]);
    assert_eq!((server.keys(), server.uploads()), (vec![".strata-bench-mine/x".to_owned()], vec![]));
}

/// While the parts of an upload are on their way.
#[test]
fn an_interrupted_upload_is_aborted() {
    let bed = minio();
    for more in [&["--op", "put"][..], &["--op", "put", "--files", "2"]] {
        let (ended, told) = interrupt(start(&bed, more), Signal::INT, |line| {
            assert!(!line.contains("\"error\""), "{line}");
            !bed.bucket().uploads().is_empty()
        });
        assert_eq!(ended, Some(130), "{told}");
        assert_gone(&bed);
    }
}

/// A server that is slow to say which upload it began is waited for, longer than other commands wait.
#[test]
fn an_upload_whose_id_comes_late_is_aborted() {
    let server = Faulty::start([Rule::nth(1, Operation::Create, Action::Stall(Place::Head(0)))]);
    let bed = faulty(&server);
    let mut command = bed.command(["bench", "--op", "put", "--size", "24MiB", "--runs", "1", "-j", "2"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    server.await_requests(Operation::Create, 1, &mut child);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(told.any(|line| line.contains("Ctrl-C once more leaves it there")));
    assert_eq!(server.uploads().len(), 1);
    server.release();
    assert!(told.any(|line| line.contains("removed from the store")));
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!((server.keys(), server.uploads()), (vec![], vec![]));
}

// --- the baseline

/// The lines of an earlier run with every throughput replaced.
fn with_throughput(lines: &[Value], rate: f64) -> String {
    let mut lines = lines.to_vec();
    for line in lines.iter_mut().filter(|line| line["type"] == "bench_cell") {
        line["bytes_per_second"]["median"] = rate.into();
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

#[test]
fn slower_than_the_baseline_is_exit_10() {
    let bed = local();
    let lines = bench(&bed, &["--op", "put"]).json_lines();
    bed.write("slow.json", with_throughput(&lines, 1.0).as_bytes());
    bed.write("fast.json", with_throughput(&lines, 1e18).as_bytes());

    let faster = bed.ok(["bench", "--baseline", "slow.json", "--runs", "1"]);
    assert!(String::from_utf8_lossy(&faster.stdout).contains("BASELINE"));

    let slower = bed.run(["bench", "--baseline", "fast.json", "--runs", "1", "--tolerance", "99%"]);
    assert_eq!(slower.code, Some(10), "{}", slower.stderr);
    assert!(slower.stderr.contains("error: 2 of 2 cells are slower than the baseline by more than 99%\nhint: "));
    let text = String::from_utf8(slower.stdout).unwrap();
    assert_eq!(text.matches("-100% slower").count(), 2, "{text}");

    // What was not said is as it was: two cells of puts, one and two connections.
    let json = bed.run(["--json", "bench", "--baseline", "fast.json"]);
    assert_eq!(json.code, Some(10));
    let lines = json.json_lines();
    let whole = lines.last().unwrap();
    assert_eq!((&whole["tolerance_percent"], &whole["bytes"]), (&20.0.into(), &(6 << 20).into()));
    let slower = whole["baseline"].as_array().unwrap().iter().map(|change| &change["slower"]);
    assert_eq!(slower.collect::<Vec<_>>(), [&Value::from(true); 2]);
    let error: Value = serde_json::from_str(json.stderr.lines().last().unwrap()).unwrap();
    assert_eq!((&error["code"], &error["kind"]), (&10.into(), &"slower".into()));
}

#[test]
fn a_baseline_of_something_else_is_refused_before_anything_is_measured() {
    let bed = local();
    let lines = bench(&bed, &["--op", "put"]).json_lines();
    bed.write("puts.json", with_throughput(&lines, 1.0).as_bytes());
    for other in [&["--op", "get"][..], &["--size", "7MiB"], &["-j", "5"], &["--files", "2"], &["--source", "file"]] {
        let said = bed.run([&["bench", "--baseline", "puts.json"], other].concat());
        assert_eq!(said.code, Some(2), "{other:?}: {}", said.stderr);
        assert!(
            said.stderr.starts_with("error: the baseline 'puts.json' has no cell") && said.stderr.contains("\nhint: ")
        );
    }
}

// --- the page

#[test]
fn the_page_needs_nothing_else_and_escapes_what_it_shows() {
    let bed = local();
    let mut command = bed.command([&SMALL[..], &["--part-size", "5MiB,6MiB", "--html", "bench.html"]].concat());
    let said = support::bed::said(command.env("CHECKPOINT_DIR", "a<script>&\"b").output().unwrap());
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let page = String::from_utf8(bed.read("bench.html")).unwrap();
    for outside in ["src=", "href=", "url(", "@import", "<script", "<link", "<iframe"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("a&#60;script&#62;&#38;&#34;b"), "the store's name is there, escaped");
    assert_eq!(page.matches("<figure").count(), 4, "a chart for each operation and part size");
    assert_eq!(page.matches("<polyline").count() - axes(&page), 8, "a curve for each cell");
    assert_eq!(page.matches("class=\"spot\"").count(), 8);
    assert_eq!(page.matches("class=\"scale\"").count(), 2, "what the colours of each map mean");
    assert_eq!(page.matches("stroke-dasharray=\"9 4\"").count(), 8, "every other curve, and its key");
    for expected in ["prefers-color-scheme: dark", "200 MB/s", "ecommended", "Bottleneck"] {
        assert!(page.contains(expected), "{expected}");
    }
}

/// Lines of the axes, which are drawn in grey.
fn axes(page: &str) -> usize {
    page.lines().filter(|line| line.contains("<polyline") && line.contains("#808080")).count()
}

#[test]
fn the_page_replaces_an_older_one() {
    let bed = local();
    bed.write("bench.html", b"old");
    bed.ok(["bench", "--size", "1KiB", "--runs", "1", "-j", "1", "--html", "bench.html"]);
    assert!(bed.read("bench.html").starts_with(b"<!doctype html>"));
    let page = String::from_utf8(bed.read("bench.html")).unwrap();
    assert_eq!(page.matches("--heat: 100\"").count(), 2, "a cell by itself is the fastest");
    let names = std::fs::read_dir(bed.path("")).unwrap().count();
    assert!(names <= 2, "the page and the home directory");
}
