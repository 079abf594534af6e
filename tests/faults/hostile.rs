//! Manifests and listings from somebody who means harm: nothing outside the destination, a typed error, no panic.

use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::promises::{NAME, SMALL, environment, run, small};
use crate::support::bed::{self, Bed, files_below};
use crate::support::faulty::{Action, Faulty, Operation, Rule};

/// A checkpoint in the local store, with this manifest.
fn with_manifest(manifest: &[u8]) -> Bed {
    let bed = bed::local();
    SMALL.iter().for_each(|path| bed.write(&format!("{NAME}/{path}"), &small(path)));
    bed.ok(["put", NAME]);
    std::fs::rename(bed.path(NAME), bed.path("source")).unwrap();
    bed.write(&format!("checkpoints/{NAME}/.strata/manifest.json"), manifest);
    bed
}

fn manifest() -> Value {
    let bed = bed::local();
    SMALL.iter().for_each(|path| bed.write(&format!("{NAME}/{path}"), &small(path)));
    bed.ok(["put", NAME]);
    serde_json::from_slice(&bed.read(&format!("checkpoints/{NAME}/.strata/manifest.json"))).unwrap()
}

/// Everything in the directory but the store, the source and what the command keeps.
fn written(bed: &Bed) -> Vec<String> {
    let own = ["checkpoints/", "source/", "home/"];
    files_below(&bed.path("")).into_keys().filter(|path| !own.iter().any(|own| path.starts_with(own))).collect()
}

fn with_files(change: impl FnOnce(&mut Vec<Value>)) -> Vec<u8> {
    let mut manifest = manifest();
    change(manifest["files"].as_array_mut().unwrap());
    serde_json::to_vec(&manifest).unwrap()
}

fn hostile() -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<(String, Vec<u8>)> = Vec::new();
    for path in
        ["../evil", "/tmp/evil", "sub/../../evil", "a\0b", "", ".", "sub//b", "sub/", ".strata/x", "./a", "a/./b"]
    {
        all.push((format!("the path {path:?}"), with_files(|files| files[0]["path"] = json!(path))));
    }
    all.push(("a path twice".into(), with_files(|files| files[1]["path"] = files[0]["path"].clone())));
    all.push(("a file that is a directory".into(), with_files(|files| files[0]["path"] = json!("sub"))));
    for size in [u64::MAX, u64::MAX - 1, i64::MAX as u64 + 1] {
        all.push((format!("the size {size}"), with_files(|files| files[0]["size"] = json!(size))));
    }
    all.push((
        "sizes that overflow together".into(),
        with_files(|files| files.iter_mut().for_each(|file| file["size"] = json!(i64::MAX))),
    ));
    all.push(("parts of no size".into(), with_files(|files| files[0]["part_size"] = json!(0))));
    all.push(("a gap: more bytes than parts".into(), with_files(|files| files[0]["part_size"] = json!(1))));
    all.push((
        "an overlap: more parts than bytes".into(),
        with_files(|files| files[0]["parts_crc64nvme"] = json!("AAAAAAAAAAAAAAAAAAAAAA==")),
    ));
    all.push(("another checksum".into(), with_files(|files| files[0]["crc64nvme"] = json!("AAAAAAAAAAA="))));
    all.push(("another size".into(), with_files(|files| files[0]["size"] = json!(1))));
    all.push(("a file that is not there".into(), with_files(|files| files[0]["path"] = json!("absent"))));
    let deep = "[".repeat(100_000);
    all.push(("deep JSON".into(), deep.clone().into_bytes()));
    let known = String::from_utf8(with_files(|_| ())).unwrap();
    all.push((
        "deep JSON in a field that is ignored".into(),
        known.replacen('{', &format!("{{\"x\":{deep},"), 1).into_bytes(),
    ));
    all.push(("another version".into(), known.replace("\"version\":1", "\"version\":2").into_bytes()));
    all.push(("a negative version".into(), known.replace("\"version\":1", "\"version\":-1").into_bytes()));
    all.push(("another format".into(), known.replace("strata-checkpoint", "x").into_bytes()));
    all.push(("half of it".into(), known.as_bytes()[..known.len() / 2].to_vec()));
    all.push(("nothing".into(), Vec::new()));
    all.push(("no UTF-8".into(), b"\xff\xfe".to_vec()));
    all
}

#[test]
fn manifests() {
    for (what, manifest) in hostile() {
        let bed = with_manifest(&manifest);
        for arguments in
            [&["get", NAME, "got"][..], &["get", NAME, "got", "--unverified"], &["get", "--latest", "", "got"]]
        {
            let said = run(&bed, arguments);
            assert_eq!(said.code, Some(6), "{what}, {arguments:?}: {}", said.stderr);
            assert!(said.stderr.contains("error: "), "{what}: {}", said.stderr);
            assert_eq!(written(&bed), Vec::<String>::new(), "{what}, {arguments:?}");
        }
        let listed = run(&bed, &["ls", "--json"]);
        assert_eq!(listed.code, Some(0), "{what}: {}", listed.stderr);
        // What only its content shows is not seen by a listing.
        let unseen = what == "another checksum" || what.starts_with("an overlap") || what.starts_with("a gap");
        assert!(unseen || String::from_utf8_lossy(&listed.stdout).contains("damaged"), "{what}: {listed:?}");
        let removed = run(&bed, &["rm", NAME]);
        assert!(removed.code.is_some_and(|code| [0, 6].contains(&code)), "{what}: {}", removed.stderr);
        assert!(!removed.stderr.contains("panicked"), "{what}: {}", removed.stderr);
        assert_eq!(files_below(&bed.path("source")).len(), SMALL.len(), "{what}: rm stays in the store");
    }
}

/// What lies at a checkpoint's claim, and may come from anybody.
fn claims() -> Vec<(String, Vec<u8>)> {
    let writer = json!({ "host": "h", "pid": 1, "tool": "t", "token": "t" });
    let since = "2020-01-01T00:00:00Z";
    let claim = |more: Value| {
        let mut claim = json!({ "version": 1, "state": "putting", "writer": writer, "since": since, "expires": since });
        claim.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::to_vec(&claim).unwrap()
    };
    let upload = |change: Value| {
        let mut upload =
            json!({ "upload": ".model.bin.x.strata-partial", "token": "t", "size": 6 << 20, "part_size": 5 << 20 });
        upload.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        claim(json!({ "files": ["model.bin"], "uploads": { "model.bin": upload } }))
    };
    let part = |number: u64, size: u64| {
        upload(json!({ "parts": [{ "number": number, "size": size, "crc64nvme": "AAAAAAAAAAA=", "etag": "e" }] }))
    };
    let mut all = vec![
        ("files outside".to_owned(), claim(json!({ "files": ["../../source/model.bin", "/etc/passwd", "a\0b", ""] }))),
        (
            "removal of files outside".to_owned(),
            claim(json!({ "state": "removing", "files": ["../../source/model.bin"] })),
        ),
        ("an upload outside".to_owned(), upload(json!({ "upload": "../../source/model.bin" }))),
        ("an upload that is a file".to_owned(), upload(json!({ "upload": "epoch_1/model.bin" }))),
        (
            "an upload of a path outside".to_owned(),
            claim(json!({ "uploads": { "../../evil": { "upload": "x", "token": "t", "size": 1, "part_size": 1 } } })),
        ),
        ("parts of no size".to_owned(), upload(json!({ "part_size": 0 }))),
        ("parts without bound".to_owned(), upload(json!({ "part_size": u64::MAX }))),
        ("a size without bound".to_owned(), upload(json!({ "size": u64::MAX }))),
        ("part 0".to_owned(), part(0, 5 << 20)),
        ("a part beyond all".to_owned(), part(4_294_967_295, 5 << 20)),
        ("a part without bound".to_owned(), part(1, u64::MAX)),
        ("a part of other content".to_owned(), part(1, 5 << 20)),
        ("times that are none".to_owned(), claim(json!({ "since": "yesterday", "expires": "never" }))),
        ("no ranks".to_owned(), claim(json!({ "world_size": 0 }))),
        ("ranks without bound".to_owned(), claim(json!({ "world_size": u32::MAX }))),
        ("a commit of nothing".to_owned(), claim(json!({ "state": "committing" }))),
        ("deep JSON".to_owned(), "[".repeat(100_000).into_bytes()),
        ("nothing".to_owned(), Vec::new()),
        ("no UTF-8".to_owned(), b"\xff\xfe".to_vec()),
    ];
    let mut manifest = manifest();
    manifest["files"][0]["path"] = json!("../../evil");
    all.push((
        "a commit of a path outside".to_owned(),
        claim(json!({ "state": "committing", "commit": { "manifest": manifest } })),
    ));
    all
}

#[test]
fn claims_of_checkpoints() {
    for (what, hostile) in claims() {
        for arguments in
            [&["put", "source", NAME, "--part-size", "5MiB"][..], &["rm", NAME], &["rm", "--partial", "--yes"]]
        {
            let bed = bed::local();
            bed.write("source/model.bin", &vec![7; 6 << 20]);
            bed.write(&format!("checkpoints/{NAME}/.strata/put.json"), &hostile);
            for arguments in [&["ls"][..], &["ls", "--partial"], &["get", NAME, "got"], arguments] {
                let said = run(&bed, arguments);
                assert!(said.code.is_some_and(|code| code != 101), "{what}, {arguments:?}: {said:?}");
                assert!(!said.stderr.contains("panicked"), "{what}, {arguments:?}: {}", said.stderr);
                assert!(said.code == Some(0) || said.stderr.contains("error: "), "{what}, {arguments:?}: {said:?}");
                assert!(arguments[0] != "get" || said.code != Some(0), "{what}: there is no checkpoint to get");
            }
            assert!(bed.read("source/model.bin") == vec![7; 6 << 20], "{what}, {arguments:?}");
            assert_eq!(written(&bed), Vec::<String>::new(), "{what}, {arguments:?}");
            if arguments[0] == "put" && bed.path(&format!("checkpoints/{NAME}/.strata/manifest.json")).exists() {
                bed.ok(["get", NAME, "got"]);
                bed.assert_same_tree("source", "got");
            }
        }
    }
}

/// A link that somebody planted where a file or a directory of the checkpoint goes.
#[test]
fn planted_links() {
    for planted in ["sub", "a.bin", "sub/b.bin"] {
        let bed = bed::local();
        SMALL.iter().for_each(|path| bed.write(&format!("{NAME}/{path}"), &small(path)));
        bed.ok(["put", NAME]);
        bed.write("outside/a.bin", b"untouched");
        bed.write("outside/b.bin", b"untouched");
        let link = bed.path("got").join(planted);
        std::fs::create_dir_all(link.parent().unwrap()).unwrap();
        let target =
            if planted == "sub" { "outside".to_owned() } else { format!("outside/{}", &planted[planted.len() - 5..]) };
        symlink(bed.path(&target), &link).unwrap();
        let said = run(&bed, &["get", NAME, "got"]);
        // A link in place of a file is replaced as a file would be; through one in place of a directory nothing goes.
        let expected = if planted == "sub" { 8 } else { 0 };
        assert_eq!(said.code, Some(expected), "{planted}: {}", said.stderr);
        let outside = files_below(&bed.path("outside"));
        assert!(
            outside.values().all(|content| content == b"untouched") && outside.len() == 2,
            "{planted}: {outside:?}"
        );
    }
}

/// Keys that a server lists, and that are no paths below a destination.
#[test]
fn listings() {
    for key in ["../evil", "/evil", "sub/../../evil", "a\0b", "//evil", "sub/./x", "sub/"] {
        let server = Faulty::start([]);
        let bed = bed::with(environment(&server.endpoint()));
        server.put_object(&format!("{NAME}/a.bin"), &small("a.bin"));
        server.put_object(&format!("{NAME}/{key}"), b"evil");
        let said = run(&bed, &["get", NAME, "inner/got", "--unverified"]);
        assert!(said.code.is_some_and(|code| code != 0), "{key:?}: {}", said.stderr);
        assert!(said.stderr.contains("error: ") && !said.stderr.contains("panicked"), "{key:?}: {}", said.stderr);
        assert_eq!(written(&bed), Vec::<String>::new(), "{key:?}");
        let listed = run(&bed, &["ls"]);
        assert!(!listed.stderr.contains("panicked") && !listed.stdout.contains(&0), "{key:?}: {listed:?}");
    }
}

/// The same page for ever.
#[test]
fn a_listing_without_an_end() {
    let again = || {
        Action::change(|response| {
            let page = String::from_utf8(response.body.clone()).unwrap();
            let page = page.replace(
                "<IsTruncated>false</IsTruncated>",
                "<IsTruncated>true</IsTruncated><NextContinuationToken>same</NextContinuationToken>",
            );
            response.body = page.into_bytes();
        })
    };
    let server = Faulty::start([Rule::always(Operation::List, again())]);
    let bed = bed::with(environment(&server.endpoint()));
    server.put_object(&format!("{NAME}/a.bin"), &small("a.bin"));
    bed.write("small/a.bin", b"content");
    for arguments in [&["ls"][..], &["put", "small"], &["get", NAME, "got", "--unverified"], &["rm", NAME]] {
        let said = run(&bed, arguments);
        assert!(said.code.is_some_and(|code| [1, 5].contains(&code)), "{arguments:?}: {said:?}");
        assert!(!bed.path("got").exists(), "{arguments:?}");
    }
}

/// Another tool's copy under a name that no checkpoint of ours can have: its files are shown and counted.
#[test]
fn files_of_a_checkpoint_whose_name_cannot_be_are_listed() {
    let server = Faulty::start([]);
    for key in ["runs//e1/.strata/manifest.json", "runs//e1/model.bin", "/.strata/put.json", "/lost.bin", "plain.bin"] {
        server.put_object(key, b"content");
    }
    let bed = bed::faulty(&server);
    let listed = bed.ok(["ls", "--json"]).json_lines();
    let keys: Vec<&str> = listed.iter().map(|line| line["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["/lost.bin", "plain.bin", "runs//e1/model.bin"]);
    assert!(bed.ok(["ls"]).stderr.contains("plain files 21 B (3)"));
}
