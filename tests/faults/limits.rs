//! A disk that is really full, and few descriptors.

use std::process::{Command, Stdio};

use crate::support::bed::{self, BINARY, Bed, Said, files_below, said};

/// In a namespace with a file system of `size` at `full`: `before`, the command, then what is there, `name size` a line.
const ON_A_SMALL_DISK: &str = r#"
mkdir full && mount -t tmpfs -o "size=$1" none full && eval "$2" || exit 99
shift 2
"$@"
code=$?
cd full && find . -type f -printf '%P %s\n' | sort
exit $code
"#;

fn on_a_small_disk(bed: &Bed, size: &str, before: &str, arguments: &[&str]) -> Said {
    let path = std::env::var_os("PATH").unwrap();
    let may = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
        output.is_ok_and(|output| output.status.success())
    };
    let (program, namespace): (&str, &[&str]) = if may("unshare", &["-rm", "mount", "-t", "tmpfs", "none", "/mnt"]) {
        ("unshare", &["-rm"])
    } else if may("sudo", &["-n", "unshare", "-m", "true"]) {
        ("sudo", &["-n", "-E", "unshare", "-m"])
    } else {
        panic!("this test mounts a file system of its own: it needs user namespaces (unshare -rm), or sudo");
    };
    let mut command = bed.dressed(Command::new(program));
    command.env("PATH", path).args(namespace).args(["sh", "-c", ON_A_SMALL_DISK, "sh", size, before, BINARY]);
    let said = said(command.args(arguments).output().unwrap());
    assert_ne!(said.code, Some(99), "{}", said.stderr);
    said
}

#[test]
fn a_full_disk_where_a_file_goes() {
    let bed = bed::local();
    bed.write("model.bin", &vec![7; 11 << 20]);
    bed.ok(["put", "model.bin"]);
    let said = on_a_small_disk(&bed, "8m", "printf old >full/got.bin", &["get", "model.bin", "full/got.bin"]);
    assert_eq!(said.code, Some(9), "{}", said.stderr);
    assert!(said.stderr.contains("hint: free some space"), "{}", said.stderr);
    assert_eq!(said.stdout_line(), "got.bin 3", "the old file and nothing else");
    assert_eq!(bed.journals(), Vec::<String>::new());
}

#[test]
fn a_full_disk_where_a_checkpoint_goes() {
    let bed = bed::local();
    (0..4).for_each(|i| bed.write(&format!("epoch_1/{i}.bin"), &vec![7; 3 << 20]));
    bed.ok(["put", "epoch_1"]);
    let said = on_a_small_disk(&bed, "8m", "true", &["get", "epoch_1", "full/epoch_1"]);
    assert_eq!(said.code, Some(9), "{}", said.stderr);
    assert_eq!(said.stdout_line(), "", "nothing is left");
    assert_eq!(bed.journals(), Vec::<String>::new());
}

#[test]
fn a_full_disk_where_the_store_is() {
    let bed = bed::local();
    (0..4).for_each(|i| bed.write(&format!("epoch_1/{i}.bin"), &vec![7; 3 << 20]));
    bed.write("model.bin", &vec![7; 11 << 20]);
    for arguments in [&["put", "model.bin", "file:///full/model.bin"][..], &["put", "epoch_1", "file:///full/epoch_1"]]
    {
        let uri =
            format!("file://{}", bed.path("full").join(arguments[2].trim_start_matches("file:///full/")).display());
        let said = on_a_small_disk(&bed, "8m", "printf old >full/model.bin", &["put", arguments[1], &uri]);
        assert_eq!(said.code, Some(9), "{}", said.stderr);
        let stdout = said.stdout_line();
        let left: Vec<&str> = stdout.lines().collect();
        assert!(left.contains(&"model.bin 3"), "the old object is there: {left:?}");
        assert!(!left.iter().any(|line| line.contains(".strata-partial") || line.contains("manifest")), "{left:?}");
        std::fs::remove_dir(bed.path("full")).unwrap();
    }
}

/// Removing is what makes room.
#[test]
fn a_full_disk_where_a_checkpoint_is_removed() {
    let bed = bed::local();
    bed.write("epoch_1/a.bin", &vec![7; 3 << 20]);
    let uri = format!("file://{}", bed.path("full").join("epoch_1").display());
    let fill =
        "\"$3\" -q put epoch_1 \"file://$PWD/full/epoch_1\" && dd if=/dev/zero of=full/filling bs=4k 2>/dev/null; true";
    let said = on_a_small_disk(&bed, "8m", fill, &["-q", "rm", &uri]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let stdout = said.stdout_line();
    let left: Vec<&str> = stdout.lines().filter(|line| !line.starts_with("file://")).collect();
    assert!(left.len() == 1 && left[0].starts_with("filling "), "{left:?}");
}

/// Where progress is kept is no part of what was asked for.
#[test]
fn a_full_disk_where_journals_go() {
    let bed = bed::local();
    bed.write("model.bin", &vec![7; 11 << 20]);
    let full = "dd if=/dev/zero of=full/filling bs=4k 2>/dev/null; export XDG_STATE_HOME=\"$PWD/full/state\"";
    for arguments in
        [&["put", "model.bin", "--part-size", "5MiB"][..], &["get", "model.bin", "got.bin", "--part-size", "5MiB"]]
    {
        let said = on_a_small_disk(&bed, "1m", full, arguments);
        assert_eq!(said.code, Some(0), "{arguments:?}: {}", said.stderr);
        assert!(said.stderr.contains("warning: progress cannot be"), "{arguments:?}: {}", said.stderr);
        std::fs::remove_dir(bed.path("full")).unwrap();
    }
    assert!(bed.read("got.bin") == bed.read("model.bin"));
    bed.assert_nothing_left();
}

/// As many as a shell may allow: each command keeps within them, however many files there are.
#[test]
fn thousands_of_files_with_64_descriptors() {
    for (bed, files) in [(bed::local(), 2000), (bed::minio(), 1100)] {
        for i in 0..files {
            bed.write(&format!("epoch_1/{}/{i}.bin", i % 7), format!("file {i}").as_bytes());
        }
        for arguments in [&["put", "epoch_1"][..], &["get", "epoch_1", "got"], &["ls", "--files"], &["rm", "epoch_1"]] {
            let mut command = bed.dressed(Command::new("sh"));
            command.args(["-c", "ulimit -n 64; exec \"$@\"", "sh", BINARY]).args(arguments);
            let said = said(command.output().unwrap());
            assert_eq!(said.code, Some(0), "{arguments:?} on {}: {}", bed.name(), said.stderr);
        }
        bed.assert_same_tree("epoch_1", "got");
        assert_eq!(files_below(&bed.path("got")).len(), files);
        bed.assert_nothing_left();
    }
}
