//! Listings of more than a page.

use futures::TryStreamExt;
use storage::{ErrorKind, StorageBackend};

use crate::bed::Bed;

/// Directories and files whose names sort otherwise than their keys: `-` and `.` are before `/`.
fn fill(bed: &Bed) -> Vec<String> {
    let mut keys = Vec::new();
    for directory in ["a", "a-b", "a.b", "a0", "b"] {
        for number in 0..500 {
            keys.push(format!("{directory}/{number}"));
        }
    }
    keys.extend(["a!", "b-", "a1"].map(str::to_owned));
    for key in &keys {
        let path = bed.path(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, key).unwrap();
    }
    keys.sort();
    keys
}

#[tokio::test]
async fn pages_go_on_where_the_one_before_ended() {
    let bed = Bed::new();
    let keys = fill(&bed);
    let pages: Vec<Vec<_>> = bed.store.pages("").try_collect().await.unwrap();
    assert!(pages.len() >= 3, "{}", pages.len());
    assert!(pages.iter().all(|page| page.len() <= 1000));
    let listed: Vec<String> = pages.into_iter().flatten().map(|object| object.key).collect();
    assert_eq!(listed, keys);
    let of_a: Vec<String> = bed.store.list("a").await.unwrap().into_iter().map(|object| object.key).collect();
    assert!(of_a.iter().eq(keys.iter().filter(|key| key.starts_with('a'))));
}

#[tokio::test]
async fn a_listing_that_is_cancelled_ends() {
    let bed = Bed::new();
    fill(&bed);
    let mut pages = bed.store.pages("");
    assert!(pages.try_next().await.unwrap().is_some());
    bed.store.runtime().cancel.cancel();
    assert_eq!(pages.try_next().await.unwrap_err().kind(), ErrorKind::Cancelled);
}
