//! What goes wrong reads well, and has the right kind.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use storage::backend::WriteOptions;
use storage::body::PartBody;
use storage::{Error, ErrorKind, LocalStorage, StorageBackend};

use crate::bed::{Bed, in_another_process, zeros};

#[tokio::test]
async fn one_name_is_not_both_object_and_directory() {
    let bed = Bed::new();
    bed.put("d/k", b"x").await;
    bed.put("f", b"x").await;
    let body = PartBody::from_bytes(zeros(3));
    for options in [WriteOptions::replace(), WriteOptions::create()] {
        for key in ["d", "d/k/below", "f/below", "f/far/below"] {
            let errors: Vec<Error> = vec![
                bed.store.put(key, &body, &options).await.unwrap_err(),
                bed.begin(key, &options).await.unwrap_err(),
                bed.write(key, zeros(100_000)).await.unwrap_err(),
            ];
            for error in errors {
                assert_eq!(error.kind(), ErrorKind::Exists, "{error}");
                assert!(error.hint().unwrap().starts_with("one name cannot be an object and a directory"));
            }
        }
    }
    let error = bed.store.put("f/below", &body, &WriteOptions::replace()).await.unwrap_err();
    let at = bed.endpoint();
    assert_eq!(error.to_string(), format!("cannot write 'f/below' at {at}: 'f' is a file, so nothing can be below it"));
    let error = bed.store.put("d", &body, &WriteOptions::replace()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot write 'd' at {at}: a directory with this name is there"));
    assert_eq!(bed.everything(), ["d", "d/k", "f"]);
}

/// The clash arises only after the upload began.
#[tokio::test]
async fn a_directory_that_came_first_is_not_replaced() {
    let bed = Bed::new();
    for options in [WriteOptions::replace(), WriteOptions::create()] {
        let upload = bed.begin("k", &options).await.unwrap();
        bed.put("k/below", b"x").await;
        let error = bed.complete("k", &upload, &[], &options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Exists, "{error}");
        bed.abort("k", &upload).await.unwrap();
        assert_eq!(bed.everything(), ["k", "k/below"]);
        bed.delete("k/below").await.unwrap();
    }
}

#[tokio::test]
async fn what_is_missing_or_there_is_said_plainly() {
    let bed = Bed::new();
    let at = bed.endpoint();
    assert_eq!(bed.read("no/k").await.unwrap_err().to_string(), format!("cannot read 'no/k' at {at}: no such object"));
    bed.put("k", b"x").await;
    let body = PartBody::from_bytes(zeros(3));
    let error = bed.store.put("k", &body, &WriteOptions::create()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot write 'k' at {at}: it is there already"));
    let error = bed.read_range("k", 0..2).await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot read 'k' at {at}: bytes 0 to 2 do not lie in an object of 1 bytes"));
}

#[tokio::test]
async fn a_store_that_is_a_file_is_refused() {
    let bed = Bed::new();
    fs::write(bed.outside("file"), "x").unwrap();
    let store = LocalStorage::new(bed.outside("file"));
    for error in [
        store.write("k", zeros(1)).await.unwrap_err(),
        store.read("k").await.unwrap_err(),
        store.delete("k").await.unwrap_err(),
        store.list("").await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(error.to_string().ends_with("the store's directory is a file"), "{error}");
        assert_eq!(error.hint(), Some("name a directory as the store"));
    }
    assert_eq!(fs::read(bed.outside("file")).unwrap(), b"x");
}

#[tokio::test]
async fn a_name_too_long_for_the_file_system_is_invalid() {
    let bed = Bed::new();
    let long = "x".repeat(256);
    for key in [long.clone(), format!("d/{long}"), format!("d/{long}/k")] {
        let error = bed.write(&key, zeros(1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(error.hint().unwrap().contains("255 bytes"));
        assert_eq!(bed.read(&key).await.unwrap_err().kind(), ErrorKind::NotFound);
        bed.delete(&key).await.unwrap();
        assert!(bed.list(&format!("{key}/")).await.unwrap().is_empty());
    }
    assert!(bed.everything().is_empty(), "{:?}", bed.everything());
}

/// As a user who is not root, since nothing is forbidden to root.
#[tokio::test]
async fn a_missing_permission_is_an_error_and_never_absence() {
    const NOBODY: u32 = 65534;
    if rustix::process::geteuid().is_root() {
        let name = "errors::a_missing_permission_is_an_error_and_never_absence";
        in_another_process(name, "/proc/self/exe", &[], Some(NOBODY));
        return;
    }
    let directory = tempfile::tempdir_in("/tmp").unwrap();
    let closed = |key: &str, mode: u32| {
        fs::set_permissions(directory.path().join(key), Permissions::from_mode(mode)).unwrap();
    };
    let store = LocalStorage::new(directory.path());
    store.write("closed/k", zeros(3)).await.unwrap();
    store.write("open/k", zeros(3)).await.unwrap();

    closed("closed", 0o000);
    for error in [
        store.read("closed/k").await.unwrap_err(),
        store.exists("closed/k").await.unwrap_err(),
        store.delete("closed/k").await.unwrap_err(),
        store.write("closed/k", zeros(3)).await.unwrap_err(),
        store.write("closed/new/k", zeros(3)).await.unwrap_err(),
        store.list("").await.unwrap_err(),
        store.list("closed/").await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::LocalIo, "{error}");
        assert!(error.to_string().ends_with(": permission denied"), "{error}");
        assert_eq!(error.hint(), Some("check the owner and the mode of the file and its directories"));
    }
    let error = store.list("").await.unwrap_err();
    let closed_path = directory.path().join("closed").display().to_string();
    assert!(error.to_string().contains(&format!("'{closed_path}'")), "it says which directory: {error}");
    assert_eq!(store.list("open").await.unwrap().len(), 1, "what is not asked for does not matter");

    closed("closed", 0o500);
    for error in [
        store.delete("closed/k").await.unwrap_err(),
        store.write("closed/k", zeros(5)).await.unwrap_err(),
        store.write("closed/new/k", zeros(5)).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::LocalIo, "{error}");
    }
    assert_eq!(store.read("closed/k").await.unwrap(), zeros(3));
    assert_eq!(store.list("").await.unwrap().len(), 2);
    closed("closed", 0o700);
}
