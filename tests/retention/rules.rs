//! Which checkpoints go.

use std::fs::File;
use std::time::{Duration, SystemTime};

use crate::support::bed::{Bed, local};
use crate::{both, complete, prune, put};

/// Makes a checkpoint of the local store so many days old.
fn age(bed: &Bed, name: &str, days: u64) {
    let manifest = bed.path(&format!("checkpoints/{name}/.strata/manifest.json"));
    let at = SystemTime::now() - Duration::from_secs(days * 86_400);
    File::options().write(true).open(manifest).unwrap().set_modified(at).unwrap();
}

#[test]
fn the_last_by_number_stay_in_each_run() {
    both(|bed| {
        put(
            bed,
            &["a/epoch_9", "a/epoch_10", "a/epoch_2", "b/epoch_1", "b/epoch_3", "epoch_4", "epoch_5", "a/epoch_11"],
        );
        bed.write("note.txt", b"somebody's");
        bed.ok(["put", "note.txt", "a/epoch_1/note.txt"]);
        let removed = prune(bed, &["--keep-last", "2", "a/", "b/"]);
        assert_eq!(removed, ["a/epoch_2", "a/epoch_9"]);
        assert_eq!(prune(bed, &["--keep-last", "2", "a/", "b/"]), Vec::<String>::new(), "the second time");
        assert_eq!(prune(bed, &["--keep-last", "1"]), ["epoch_4", "a/epoch_10", "b/epoch_1"]);
        bed.ok(["rm", "a/epoch_1/note.txt"]);
        assert_eq!(complete(bed), ["a/epoch_11", "b/epoch_3", "epoch_5"]);
    });
}

#[test]
fn rules_are_joined() {
    both(|bed| {
        put(bed, &["e_10", "e_11", "e_19", "e_20", "e_20_step_7", "e_21", "e_22"]);
        // All of them are young.
        assert_eq!(prune(bed, &["--keep-last", "1", "--older-than", "1d"]), Vec::<String>::new());
        assert_eq!(prune(bed, &["--keep-last", "2", "--keep-every", "10"]), ["e_11", "e_19"]);
        assert_eq!(complete(bed), ["e_10", "e_20", "e_20_step_7", "e_21", "e_22"]);
        assert_eq!(prune(bed, &["--keep-every", "10"]), ["e_21"], "the newest stays");
        // A millisecond is over for all but the newest.
        assert_eq!(prune(bed, &["--older-than", "1ms"]), ["e_10", "e_20", "e_20_step_7"]);
    });
}

#[test]
fn the_newest_by_time_stays_as_well() {
    both(|bed| {
        put(bed, &["epoch_8", "epoch_7", "epoch_9", "epoch_3"]);
        assert_eq!(prune(bed, &["--keep-last", "1"]), ["epoch_7", "epoch_8"]);
        assert_eq!(prune(bed, &["--older-than", "1ms"]), Vec::<String>::new());
        assert_eq!(complete(bed), ["epoch_3", "epoch_9"]);
    });
}

#[test]
fn only_age_decides_over_names_without_a_number() {
    let bed = local();
    put(&bed, &["best", "final", "epoch_1", "epoch_2", "epoch_3"]);
    for (name, days) in [("best", 40), ("final", 30), ("epoch_1", 20), ("epoch_2", 10), ("epoch_3", 5)] {
        age(&bed, name, days);
    }
    assert_eq!(prune(&bed, &["--keep-last", "2", "--keep-every", "7"]), ["epoch_1"]);
    assert_eq!(prune(&bed, &["--older-than", "50d"]), Vec::<String>::new());
    assert_eq!(prune(&bed, &["--older-than", "1w"]), ["best", "final", "epoch_2"]);
    assert_eq!(prune(&bed, &["--older-than", "1h"]), Vec::<String>::new(), "the newest stays however old it is");
    assert_eq!(complete(&bed), ["epoch_3"]);
}

#[test]
fn what_is_partial_or_damaged_neither_counts_nor_goes() {
    both(|bed| {
        put(bed, &["epoch_1", "epoch_2", "epoch_3", "epoch_4", "epoch_5", "epoch_6"]);
        let spoil = |key: &str, content: Option<&[u8]>| match (bed.bucket_or_none(), content) {
            (Some(bucket), Some(content)) => bucket.write(key, content),
            (Some(bucket), None) => bucket.delete(key),
            (None, Some(content)) => bed.write(&format!("checkpoints/{key}"), content),
            (None, None) => std::fs::remove_file(bed.path(&format!("checkpoints/{key}"))).unwrap(),
        };
        let claim = br#"{"version":1,"state":"putting","writer":{"host":"h","pid":1,"tool":"t","token":"x"},"since":"2026-01-01T00:00:00Z","files":["m"]}"#;
        spoil("epoch_9/.strata/put.json", Some(claim));
        spoil("epoch_6/name.bin", None);
        spoil("epoch_5/.strata/manifest.json", Some(b"{"));
        spoil("epoch_1/name.bin", Some(b"of another size"));
        let before = bed.stored_keys();
        assert_eq!(prune(bed, &["--keep-last", "2"]), ["epoch_2"]);
        assert_eq!(prune(bed, &["--older-than", "1ms"]), ["epoch_3"]);
        let after = bed.stored_keys();
        let gone: Vec<&String> = before.iter().filter(|key| !after.contains(key)).collect();
        assert!(gone.iter().all(|key| key.starts_with("epoch_2/") || key.starts_with("epoch_3/")), "{gone:?}");
        assert_eq!(gone.len(), 8, "two files, the manifest and the claim of each: {gone:?}");
    });
}

/// What a prefix lists is what counts; a run is one, however many prefixes list it.
#[test]
fn prefixes_select_and_join() {
    both(|bed| {
        put(bed, &["r/epoch_1", "r/epoch_2", "r/epoch_10", "r/best_3", "r/best_4", "ra/epoch_1", "ra/epoch_2"]);
        assert_eq!(prune(bed, &["--keep-last", "1", "r/best_"]), ["r/best_3"]);
        assert_eq!(prune(bed, &["--keep-last", "1", "r/epoch_10/name"]), Vec::<String>::new());
        assert_eq!(prune(bed, &["--keep-last", "1", "r/epoch_10/.strata/"]), Vec::<String>::new());
        assert_eq!(prune(bed, &["--keep-last", "2", "r/epoch_1", "r/"]), ["r/epoch_1", "r/epoch_2"]);
        // One store under two names.
        let said = bed.ok(["rm", "--yes", "--keep-last", "1", &bed.uri("ra/"), "ra/"]);
        assert_eq!(said.stdout_line(), bed.uri("ra/epoch_1"));
        assert_eq!(complete(bed), ["r/best_4", "r/epoch_10", "ra/epoch_2"]);
    });
}
