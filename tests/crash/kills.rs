//! SIGKILL at every call that changes something, just before it happens.

use std::collections::BTreeMap;

use crate::job::{Job, leftovers, nameless_uploads};
use crate::support::bed::{self, Bed};
use crate::{is_full, sample, strace};

/// Of each kind of call, in a sample.
const EACH: usize = 3;

fn sweep(bed: &Bed, job: Job) {
    job.prepare(bed);
    let whole = strace::run(bed, job.arguments(), None);
    assert_eq!(whole.said.code, Some(0), "{job:?}: {}", whole.said.stderr);
    job.assert_done(bed, &whole.said, 0, "without a fault");
    assert_eq!(leftovers(bed), Vec::<String>::new(), "{job:?}: left behind without a fault");

    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for call in whole.calls.iter().filter(|call| !call.only_opens() && !call.opens_to_write()) {
        let most = kinds.entry(&call.name).or_default();
        *most = (*most).max(call.nth);
    }
    let (mut tried, mut killed, mut with_nameless) = (0, 0, 0);
    for (kind, count) in &kinds {
        for nth in sample((1..=*count).collect(), EACH) {
            let when = format!("{job:?} on {}, killed at {kind} {nth} of {count}", bed.name());
            job.prepare(bed);
            let run = strace::run(bed, job.arguments(), Some(&format!("{kind}:signal=KILL:when={nth}")));
            tried += 1;
            killed += usize::from(run.killed);
            job.assert_whole(bed, &when);
            let nameless = nameless_uploads(bed);
            assert!(nameless <= 1, "{when}: {nameless} uploads that no journal names");
            let again = bed.run(job.arguments());
            job.assert_done(bed, &again, nameless, &when);
            with_nameless += nameless;
            bed.bucket_or_none().into_iter().for_each(|bucket| bucket.abort_uploads());
            if job.is_get() {
                assert_eq!(leftovers(bed), Vec::<String>::new(), "{when}: left behind by both runs");
            }
        }
    }
    let calls: usize = kinds.values().sum();
    eprintln!("{job:?} on {}: {calls} calls of {} kinds, killed at {killed} of {tried}", bed.name(), kinds.len());
    // Only around the one call that begins an upload.
    assert!(with_nameless * 5 <= tried, "{job:?}: {with_nameless} uploads that no journal names");
    // On files the calls are nearly always the same ones; threads wake each other, and connections carry data, as it
    // comes.
    let is_local = bed.bucket_or_none().is_none();
    assert!(killed * 10 >= tried * if is_local { 8 } else { 3 }, "{job:?}: killed at {killed} of {tried}");
    assert!(!is_full() || tried == calls);
}

#[test]
fn put_on_the_local_store() {
    [Job::Put, Job::PutOver, Job::PutFile].iter().for_each(|job| sweep(&bed::local(), *job));
}

#[test]
fn get_from_the_local_store() {
    [Job::Get, Job::GetOver, Job::GetFile].iter().for_each(|job| sweep(&bed::local(), *job));
}

#[test]
fn remove_on_the_local_store() {
    sweep(&bed::local(), Job::Remove);
}

#[test]
fn prune_on_the_local_store() {
    [Job::Prune, Job::PutAndPrune].iter().for_each(|job| sweep(&bed::local(), *job));
}

#[test]
fn put_on_minio() {
    [Job::Put, Job::PutFile].iter().for_each(|job| sweep(&bed::minio(), *job));
}

#[test]
fn get_from_minio() {
    [Job::Get, Job::GetFile].iter().for_each(|job| sweep(&bed::minio(), *job));
}

#[test]
fn remove_on_minio() {
    sweep(&bed::minio(), Job::Remove);
}

#[test]
fn prune_on_minio() {
    [Job::Prune, Job::PutAndPrune].iter().for_each(|job| sweep(&bed::minio(), *job));
}
