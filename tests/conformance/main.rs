//! What every store must do, once for each store. A behaviour is a function over the trait; `behaviours!` makes tests
//! of all of them for one kind of store.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod conditions;
mod keys;
mod listing;
mod multipart;
mod reading;
mod stores;
#[cfg(all(feature = "s3", feature = "cli"))]
#[path = "../support/mod.rs"]
mod support;
mod writing;

macro_rules! behaviours {
    ($store:path) => {
        behaviours! { $store;
            writing: sizes_around_a_part_come_back, a_whole_object_is_confirmed, a_changed_source_writes_nothing,
                replaces_whole_while_it_is_read, one_of_many_writers_wins_whole, deletes_as_often_as_asked;
            conditions: absent_refuses_what_is_there, one_of_many_creators_wins, complete_keeps_its_condition,
                match_replaces_only_what_was_seen, complete_replaces_only_what_was_seen;
            keys: odd_names_are_names, no_key_is_refused_by_every_call;
            listing: prefixes_are_strings, order_is_of_bytes, an_empty_store_lists_nothing;
            reading: ranges_are_exact, ranges_outside_are_refused, a_pin_holds_one_content, what_is_missing_is_not_found;
            multipart: parts_come_in_any_order, a_part_sent_again_counts_once, aborted_leaves_nothing,
                abort_works_after_cancel, nothing_shows_before_complete, complete_twice_is_one_write;
        }
    };
    ($store:path; $($module:ident: $($name:ident),+;)+) => {
        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let bed = $store().await;
                $crate::$module::$name(bed.store.clone()).await;
            }
        )+)+
    };
}

mod local {
    behaviours!(crate::stores::local);
}

#[cfg(all(feature = "s3", feature = "cli"))]
mod minio {
    behaviours!(crate::stores::minio);
}
