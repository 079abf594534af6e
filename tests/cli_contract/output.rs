//! stdout is data, stderr is for people, or for programs under `--json`.

use std::io::Read;
use std::process::Stdio;

use crate::support::bed::local;
use serde_json::Value;

fn objects(stderr: &str) -> Vec<Value> {
    stderr.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))).collect()
}

#[test]
fn put_tells_what_it_did() {
    let bed = local();
    bed.write("d/x", &[1; 5000]);
    let said = bed.ok(["put", "d"]);
    assert_eq!(said.stdout_line(), bed.uri("d"));
    let lines: Vec<&str> = said.stderr.lines().collect();
    let [summary, restore] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(summary.starts_with("put 1 file, 4.9 KiB in "), "{summary}");
    assert_eq!(*restore, "restore with: strata-ckpt get d");
    assert_eq!(bed.ok(["-q", "put", "d"]).stderr, "");
}

#[test]
fn json_on_both_streams() {
    let bed = local();
    bed.write("d/x", &[1; 5000]);
    let said = bed.ok(["--json", "put", "d"]);
    let put = &said.json_lines()[0];
    assert_eq!((&put["type"], &put["kind"], &put["key"]), (&"put".into(), &"checkpoint".into(), &"d".into()));
    assert_eq!((&put["files"], &put["bytes"], &put["changed"]), (&1.into(), &5000.into(), &true.into()));
    let types: Vec<String> =
        objects(&said.stderr).iter().map(|object| object["type"].as_str().unwrap().to_owned()).collect();
    assert!(types.contains(&"file_done".to_owned()) && types.contains(&"committed".to_owned()), "{types:?}");
    assert_eq!(types.last().unwrap(), "progress", "the last word is how far it came");
    let get = bed.ok(["--json", "get", "d/x", "-"]);
    assert_eq!(get.stdout, [1; 5000]);
    let done = objects(&get.stderr).into_iter().find(|object| object["type"] == "get").unwrap();
    assert_eq!((&done["path"], &done["verified"]), (&"-".into(), &true.into()));
}

#[test]
fn the_last_line_of_a_failure_is_its_object() {
    let bed = local();
    let cases: [(&[&str], i64, &str); 5] = [
        (&["--json", "put", "nothing"], 4, "not_found"),
        (&["get", "nothing", "--json"], 4, "not_found"),
        (&["--json", "put"], 2, "invalid"),
        (&["put", "--json", "x", "--part-size", "tiny"], 2, "invalid"),
        (&["--json"], 2, "invalid"),
    ];
    for (arguments, code, kind) in cases {
        let said = bed.run(arguments);
        assert_eq!(said.code.map(i64::from), Some(code), "{}", said.stderr);
        let error = objects(&said.stderr).pop().unwrap();
        assert_eq!((&error["type"], &error["code"], &error["kind"]), (&"error".into(), &code.into(), &kind.into()));
        assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()) && error["hint"].is_string(), "{error}");
    }
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let bed = local();
    for number in 0..200 {
        bed.write(&format!("checkpoints/file_{number}"), b"x");
    }
    for arguments in [&["-q", "ls"][..], &["-q", "ls", "--json"], &["completions", "bash"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = bed.command(arguments).stdout(writer).output().unwrap();
        assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
    }
}

#[test]
fn a_stream_that_is_not_read_to_its_end_is_no_success() {
    let bed = local();
    bed.write("f", &[1; 1 << 20]);
    bed.ok(["put", "f"]);
    let mut child = bed.command(["get", "f", "-", "-q"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    let told = "error: cannot write 'f' to the output: broken pipe\n";
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(9), told));
}

#[test]
fn a_stdout_that_is_full_is_told_of() {
    let bed = local();
    bed.write("checkpoints/f", b"x");
    for arguments in [&["ls"][..], &["get", "f", "-"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = bed.command(arguments).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(9), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stderr).contains("error: cannot write"));
    }
}

#[test]
fn colour_only_where_it_is_wanted() {
    let bed = local();
    let coloured = |arguments: &[&str], variable: &str| {
        let output = bed.command(arguments).env(variable, "1").output().unwrap();
        String::from_utf8_lossy(&output.stderr).contains('\u{1b}')
    };
    assert!(!coloured(&["put", "none"], "UNSET"));
    assert!(coloured(&["--color", "always", "put", "none"], "UNSET"));
    assert!(!coloured(&["--color", "never", "put", "none"], "CLICOLOR_FORCE"));
    assert!(!coloured(&["put", "none"], "NO_COLOR"));
}

/// Wherever `--json` stands in a line that does not parse.
#[test]
fn a_usage_error_is_an_object_too() {
    let bed = local();
    for line in [&["ls", "--sample", "bad", "--json"][..], &["ls", "--bogus", "--json"], &["-j", "0", "--json", "ls"]] {
        let said = bed.run(line);
        let last: serde_json::Value = serde_json::from_str(said.stderr.lines().last().unwrap()).unwrap();
        assert_eq!((said.code, &last["code"]), (Some(2), &2.into()), "{line:?}");
    }
}
