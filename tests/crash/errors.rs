//! A full disk and a broken one, at every call that changes a file or a directory.

use crate::job::{Job, leftovers};
use crate::strace::Call;
use crate::support::bed::{self, Bed};
use crate::{sample, strace};

/// Calls in a sample.
const MOST: usize = 12;

/// Calls on files of the command's own. A wait for a lock or a time that cannot be set stops nobody. Plain writes are
/// those of journals, which `tests/faults` tries on a disk that is full, and those by which threads wake each other.
fn can_fail(call: &Call, bed: &Bed) -> bool {
    let on_files = call.text.contains(&*bed.path("").to_string_lossy());
    on_files && !call.only_opens() && !["flock", "utimensat", "write"].contains(&call.name.as_str())
}

/// Calls whose failure the command survives: a directory that stays although it is empty, and the journal, without which
/// only a resume is poorer.
fn is_harmless(call: &Call) -> bool {
    call.name == "rmdir" || call.text.contains("/strata-ckpt/journals")
}

fn sweep(bed: &Bed, job: Job) {
    job.prepare(bed);
    let whole = strace::run(bed, job.arguments(), None);
    assert_eq!(whole.said.code, Some(0), "{job:?}: {}", whole.said.stderr);
    let calls: Vec<Call> = whole.calls.into_iter().filter(|call| can_fail(call, bed)).collect();
    let (count, mut failed) = (calls.len(), 0);
    for (i, call) in sample(calls, MOST).into_iter().enumerate() {
        let errors: &[&str] = if crate::is_full() { &["ENOSPC", "EIO"] } else { [&["ENOSPC"], &["EIO"]][i % 2] };
        for error in errors {
            let Call { name, nth, .. } = &call;
            let when = format!("{job:?} on {}, {error} at {name} {nth}", bed.name());
            job.prepare(bed);
            let run = strace::run(bed, job.arguments(), Some(&format!("{name}:error={error}:when={nth}")));
            let met: Vec<&Call> = run.calls.iter().filter(|call| call.injected).collect();
            let texts: Vec<&str> = met.iter().map(|call| &*call.text).collect();
            let said = format!("{when} {texts:?}: {:?} {}", run.said.code, run.said.stderr);
            job.assert_whole(bed, &said);
            // Another thread may count as far as well, before or after.
            if met.iter().all(|met| can_fail(met, bed)) {
                let harmless = met.iter().all(|met| is_harmless(met));
                // A disk that takes nothing does not keep a removal from freeing it.
                let frees = matches!(job, Job::Remove | Job::Prune) && run.said.code == Some(0);
                let harmless = harmless || frees;
                assert_eq!(run.said.code, Some(if harmless { 0 } else { 9 }), "{said}");
                assert!(harmless || run.said.stderr.contains("error: "), "{said}");
                // What could not be removed is found and removed next time, and so is a journal that could not be opened.
                let is_removal = met.iter().any(|met| ["unlink", "unlinkat", "rmdir"].contains(&met.name.as_str()));
                // A file that was given up because of another is kept for the next run, and its journal says so.
                let is_kept = matches!(job, Job::Put | Job::PutOver) && !bed.journals().is_empty();
                let may_stay = harmless || is_removal || is_kept;
                assert!(may_stay || leftovers(bed).is_empty(), "{said}: {:?}", leftovers(bed));
                failed += usize::from(!harmless);
            }
            let again = bed.run(job.arguments());
            job.assert_done(bed, &again, 0, &said);
        }
    }
    eprintln!("{job:?} on {}: {count} calls on files, failed at {failed}", bed.name());
    assert!(failed > 0);
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
    [Job::Remove, Job::Prune].iter().for_each(|job| sweep(&bed::local(), *job));
}
