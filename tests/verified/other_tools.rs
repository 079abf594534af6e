//! Objects that another tool wrote are verified with whatever MinIO holds of them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use crc_fast::CrcAlgorithm;
use storage::checksum::Algorithm;

use crate::bytes;
use crate::support::bed::{self, Bed};
use crate::support::faulty::{Action, Faulty, Operation, Rule};
use crate::support::minio::Bucket;

const MIB: usize = 1 << 20;

/// The checksum as S3 writes it, made apart from the project's own code.
fn sum(algorithm: Algorithm, bytes: &[u8]) -> Vec<u8> {
    let crc = |kind, len: usize| crc_fast::checksum(kind, bytes).to_be_bytes()[8 - len..].to_vec();
    match algorithm {
        Algorithm::Crc64Nvme => crc(CrcAlgorithm::Crc64Nvme, 8),
        Algorithm::Crc32c => crc(CrcAlgorithm::Crc32Iscsi, 4),
        Algorithm::Crc32 => crc(CrcAlgorithm::Crc32IsoHdlc, 4),
        Algorithm::Sha256 => <sha2::Sha256 as sha2::Digest>::digest(bytes).to_vec(),
        Algorithm::Sha1 => <sha1::Sha1 as sha1::Digest>::digest(bytes).to_vec(),
    }
}

fn header_of(algorithm: Algorithm) -> String {
    format!("x-amz-checksum-{}", algorithm.name().to_ascii_lowercase())
}

/// As a tool does that lets MinIO keep a checksum of a small object.
fn write(bucket: &Bucket, key: &str, algorithm: Algorithm, content: &[u8]) {
    let value = BASE64.encode(sum(algorithm, content));
    let answer = bucket.as_root_with("PUT", &format!("/{key}"), &[(&header_of(algorithm), &value)], content);
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// As a tool does that sends parts of these sizes; the checksum that MinIO then shows.
fn write_parts(bucket: &Bucket, key: &str, algorithm: Algorithm, kind: &str, parts: &[&[u8]]) -> String {
    let chosen = [("x-amz-checksum-algorithm", algorithm.name()), ("x-amz-checksum-type", kind)];
    let begun = bucket.as_root_with("POST", &format!("/{key}?uploads="), &chosen, b"");
    assert_eq!(begun.status, 200, "{algorithm} {kind}: {begun:?}");
    let upload = begun.texts("UploadId").pop().unwrap();
    let mut list = String::new();
    for (part, number) in parts.iter().zip(1..) {
        let value = BASE64.encode(sum(algorithm, part));
        let target = format!("/{key}?partNumber={number}&uploadId={upload}");
        let sent = bucket.as_root_with("PUT", &target, &[(&header_of(algorithm), &value)], part);
        assert_eq!(sent.status, 200, "{sent:?}");
        let (name, etag) = (algorithm.name(), sent.headers["etag"].to_str().unwrap());
        list += &format!(
            "<Part><Checksum{name}>{value}</Checksum{name}><ETag>{etag}</ETag><PartNumber>{number}</PartNumber></Part>"
        );
    }
    let list = format!("<CompleteMultipartUpload>{list}</CompleteMultipartUpload>");
    let completed = bucket.as_root_with(
        "POST",
        &format!("/{key}?uploadId={upload}"),
        &[("x-amz-checksum-type", kind)],
        list.as_bytes(),
    );
    assert_eq!(completed.status, 200, "{completed:?}");
    let mode = [("x-amz-checksum-mode", "ENABLED")];
    let head = bucket.as_root_with("HEAD", &format!("/{key}"), &mode, b"");
    head.headers[header_of(algorithm).as_str()].to_str().unwrap().to_owned()
}

fn get_ways(bed: &Bed, key: &str, content: &[u8]) {
    let said = bed.ok(["get", key, "file", "--json", "--require-checksum", "--part-size", "5MiB"]);
    assert_eq!(said.json_lines()[0]["verified"], true, "{key}");
    assert!(bed.read("file") == content, "{key}");
    let said = bed.ok(["get", key, "-", "--require-checksum", "--part-size", "5MiB"]);
    assert!(said.stdout == content, "{key}");
    let again = bed.ok(["get", key, "file", "--json", "--require-checksum"]);
    assert_eq!(again.json_lines()[0]["moved_files"], 0, "{key} is there already");
    std::fs::remove_file(bed.path("file")).unwrap();
}

#[test]
fn one_request_of_each_algorithm() {
    let bed = bed::minio();
    for content in [bytes(0), bytes(100_000)] {
        for algorithm in Algorithm::ALL {
            let key = format!("{algorithm}/{}", content.len());
            write(bed.bucket(), &key, algorithm, &content);
            get_ways(&bed, &key, &content);
        }
    }
}

#[test]
fn parts_of_each_algorithm_and_type() {
    let bed = bed::minio();
    let content = bytes(20 * MIB + 12_345);
    let (even, odd) = ([0, 5, 10, 15], [0, 6, 12, 17]);
    for (algorithm, kind) in [
        (Algorithm::Crc64Nvme, "FULL_OBJECT"),
        (Algorithm::Crc32c, "FULL_OBJECT"),
        (Algorithm::Crc32, "FULL_OBJECT"),
        (Algorithm::Crc32c, "COMPOSITE"),
        (Algorithm::Crc32, "COMPOSITE"),
        (Algorithm::Sha256, "COMPOSITE"),
        (Algorithm::Sha1, "COMPOSITE"),
    ] {
        for cuts in [even, odd] {
            let ends = cuts[1..].iter().map(|cut| cut * MIB).chain([content.len()]);
            let parts: Vec<&[u8]> = cuts.iter().zip(ends).map(|(from, to)| &content[from * MIB..to]).collect();
            let key = format!("{algorithm}-{kind}-{}", cuts[1]);
            let shown = write_parts(bed.bucket(), &key, algorithm, kind, &parts);
            assert_eq!(shown.ends_with("-4"), kind == "COMPOSITE", "{shown}");
            get_ways(&bed, &key, &content);
        }
    }
}

/// Parts whose sizes fit the usual guess, all but the last as large as the first, without being cut so.
#[test]
fn sizes_that_mislead_are_looked_at_again() {
    let bed = bed::minio();
    let content = bytes(22 * MIB);
    let parts = [&content[..6 * MIB], &content[6 * MIB..11 * MIB], &content[11 * MIB..18 * MIB], &content[18 * MIB..]];
    write_parts(bed.bucket(), "k", Algorithm::Crc32c, "COMPOSITE", &parts);
    bed.ok(["get", "k", "file", "--require-checksum"]);
    assert!(bed.read("file") == content);
    let said = bed.ok(["get", "k", "-"]);
    assert!(said.stdout == content);
    assert!(said.stderr.contains("could not be compared"), "{}", said.stderr);
}

#[test]
fn what_another_tool_has_put_is_not_sent_again() {
    let bed = bed::minio();
    let content = bytes(3 * MIB);
    bed.write("file", &content);
    for algorithm in Algorithm::ALL {
        let key = algorithm.name();
        write(bed.bucket(), key, algorithm, &content);
        let said = bed.ok(["put", "file", key, "--json"]);
        assert_eq!(said.json_lines()[0]["changed"], false, "{algorithm}");
        let mut other = content.clone();
        other[MIB] ^= 1;
        write(bed.bucket(), key, algorithm, &other);
        let said = bed.ok(["put", "file", key, "--json"]);
        assert_eq!(said.json_lines()[0]["changed"], true, "{algorithm}");
    }
}

/// What the server holds is not what it sends: nothing gets the final name, and what had it stays.
#[test]
fn what_differs_never_gets_its_name() {
    let content = bytes(100_000);
    let (right, wrong) = (sum(Algorithm::Crc32c, &content), sum(Algorithm::Crc32c, b"other"));
    for (value, code) in [(right, 0), (wrong, 6)] {
        let held = Action::change(move |response| {
            response.remove("x-amz-checksum-crc64nvme");
            response.set("x-amz-checksum-crc32c", BASE64.encode(&value));
        });
        let server = Faulty::start([Rule::always(Operation::Head, held)]);
        server.put_object("k", &content);
        let bed = bed::faulty(&server);
        bed.write("file", b"before");
        let said = bed.run(["get", "k", "file", "--retries", "1"]);
        assert_eq!(said.code, Some(code), "{}", said.stderr);
        let expected: &[u8] = if code == 0 { &content } else { b"before" };
        assert!(bed.read("file") == expected);
        assert_eq!(bed.run(["get", "k", "-", "--retries", "1"]).code, Some(code));
        bed.assert_nothing_left();
    }
}
