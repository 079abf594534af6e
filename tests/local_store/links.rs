//! Links to directories are not followed, links to files are objects, and what is neither file nor directory is not.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use storage::backend::{Part, UploadId, WriteOptions};
use storage::body::PartBody;
use storage::{Error, ErrorKind, LocalStorage, StorageBackend};

use crate::bed::{Bed, zeros};

#[tokio::test]
async fn nothing_leaves_the_store_through_a_planted_link() {
    let bed = Bed::new();
    bed.put("d/k", b"inside").await;
    let outside = bed.outside("outside");
    fs::create_dir_all(outside.join("empty")).unwrap();
    fs::write(outside.join("secret"), "secret").unwrap();
    symlink(&outside, bed.path("link")).unwrap();
    symlink(bed.path("d"), bed.path("within")).unwrap();

    let body = PartBody::from_bytes(zeros(3));
    let options = WriteOptions::replace();
    for key in ["link/secret", "link/new", "link/empty/new", "within/k"] {
        let upload = UploadId(format!("{}/.x.strata-partial", key.rsplit_once('/').unwrap().0));
        let part = Part { number: 1, offset: 0 };
        let errors: Vec<Error> = vec![
            bed.read(key).await.unwrap_err(),
            bed.head(key).await.unwrap_err(),
            bed.exists(key).await.unwrap_err(),
            bed.open(key, None, None).await.unwrap_err(),
            bed.delete(key).await.unwrap_err(),
            bed.store.put(key, &body, &options).await.unwrap_err(),
            bed.begin(key, &options).await.unwrap_err(),
            bed.put_part(key, &upload, part, &body).await.unwrap_err(),
            bed.complete(key, &upload, &[], &options).await.unwrap_err(),
            bed.abort(key, &upload).await.unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::LocalIo, "{error}");
            assert!(error.to_string().contains("is a symbolic link, and the store follows none"), "{error}");
            assert!(error.hint().is_some());
        }
    }
    assert_eq!(fs::read(outside.join("secret")).unwrap(), b"secret");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 2, "also the empty directory is still there");
    assert_eq!(bed.read("d/k").await.unwrap(), "inside");
}

#[tokio::test]
async fn listings_skip_links_to_directories_and_say_so() {
    let bed = Bed::new();
    bed.put("d/k", b"x").await;
    fs::create_dir(bed.outside("outside")).unwrap();
    fs::write(bed.outside("outside/k"), "x").unwrap();
    symlink(bed.outside("outside"), bed.path("link")).unwrap();
    symlink(bed.path(""), bed.path("d/loop")).unwrap();
    assert_eq!(bed.keys().await, ["d/k"]);
    let warnings = bed.warnings.take();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    for prefix in ["link/", "link/k", "d/loop/d/"] {
        assert!(bed.list(prefix).await.unwrap().is_empty());
        let warnings = bed.warnings.take();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].ends_with("the store follows no symbolic links to directories"), "{warnings:?}");
    }
}

#[tokio::test]
async fn links_to_files_are_objects() {
    let bed = Bed::new();
    bed.put("d/k", b"inside").await;
    let outside = bed.outside("blob");
    fs::write(&outside, "outside").unwrap();
    for name in ["d/link", "d/replaced", "d/created"] {
        symlink(&outside, bed.path(name)).unwrap();
    }
    symlink(bed.outside("nothing"), bed.path("d/dangling")).unwrap();
    symlink(bed.path("d/self"), bed.path("d/self")).unwrap();

    assert_eq!(bed.keys().await, ["d/created", "d/k", "d/link", "d/replaced"]);
    assert_eq!(bed.list("d/link").await.unwrap()[0].size, 7);
    assert_eq!(bed.read("d/link").await.unwrap(), "outside");
    for missing in ["d/dangling", "d/self"] {
        assert_eq!(bed.head(missing).await.unwrap_err().kind(), ErrorKind::NotFound);
    }
    bed.put("d/replaced", b"new").await;
    let error = bed.store.put("d/created", &PartBody::from_bytes(zeros(1)), &WriteOptions::create()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exists);
    bed.delete("d/link").await.unwrap();
    assert_eq!(bed.read("d/replaced").await.unwrap(), "new");
    assert_eq!(fs::read(&outside).unwrap(), b"outside");
    assert_eq!(bed.keys().await, ["d/created", "d/k", "d/replaced"]);
    assert!(bed.warnings.take().is_empty());
}

#[tokio::test]
async fn the_stores_own_directory_may_be_a_link() {
    let bed = Bed::new();
    fs::create_dir(bed.outside("real")).unwrap();
    symlink(bed.outside("real"), bed.outside("link")).unwrap();
    let store = LocalStorage::new(bed.outside("link"));
    store.write("a/k", zeros(3)).await.unwrap();
    assert_eq!(store.list("a").await.unwrap()[0].key, "a/k");
    assert_eq!(store.list("a/").await.unwrap().len(), 1);
    store.delete("a/k").await.unwrap();
    assert_eq!(fs::read_dir(bed.outside("real")).unwrap().count(), 0);
}

#[tokio::test]
async fn fifos_and_sockets_are_no_objects() {
    let bed = Bed::new();
    bed.put("k", b"x").await;
    let status = std::process::Command::new("mkfifo").arg(bed.path("fifo")).status().unwrap();
    assert!(status.success());
    // A socket's path is short, unlike that of the store.
    let short = tempfile::tempdir().unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(short.path().join("s")).unwrap();
    symlink(short.path().join("s"), bed.path("socket")).unwrap();
    for key in ["fifo", "socket"] {
        assert_eq!(bed.read(key).await.unwrap_err().kind(), ErrorKind::NotFound);
    }
    assert_eq!(bed.keys().await, ["k"]);
    let text = bed.store.read("k").await.unwrap();
    assert_eq!(text, "x");
}

#[tokio::test]
async fn names_that_are_no_text_are_skipped_with_a_warning() {
    let bed = Bed::new();
    bed.put("k", b"x").await;
    let strange = std::ffi::OsStr::from_bytes(b"caf\xe9");
    fs::write(bed.path("").join(strange), "x").unwrap();
    fs::create_dir_all(bed.path("d").join(strange)).unwrap();
    fs::write(bed.path("d").join(strange).join("k"), "x").unwrap();
    let deep = format!("{0}/{0}/{0}/{0}", "x".repeat(255));
    fs::create_dir_all(bed.path(&deep)).unwrap();
    fs::write(bed.path(&deep).join("k"), "x").unwrap();
    assert_eq!(bed.keys().await, ["k"]);
    let warnings = bed.warnings.take();
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    assert!(warnings.iter().filter(|warning| warning.ends_with("its name is not UTF-8")).count() == 2, "{warnings:?}");
    assert!(warnings.iter().any(|warning| warning.contains("S3 allows 1024")), "{warnings:?}");
}
