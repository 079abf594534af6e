//! The beginning of a put: what is at the name, who is at it, and the claim.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::backend::{ObjectMeta, StorageBackend};
use crate::error::{ErrorKind, Result};
use crate::transfer::Transfer;

use super::claim::{Claim, ClaimState, Commit, KeptUpload, SeenClaim};
use super::commit::{UPLOAD_GONE, finish, undo};
use super::fence::{held_by, overtaken};
use super::find::ManifestSeen;
use super::lease::Lease;
use super::manifest::Manifest;
use super::put::{end_after_commit, under_lease};
use super::rank::{is_rank_claim, refuse_live_ranks};
use super::surroundings::look_around;
use super::walk::Member;

const ACTION: &str = "put the checkpoint";

/// What a put begins with.
pub(super) enum Start {
    /// A checkpoint is committed there; the claim of its writer, where that says that it is not done.
    Committed(Box<Manifest>, Option<SeenClaim>),
    /// The name is this process's.
    Claimed(Claimed),
}

/// A name that was claimed.
pub(super) struct Claimed {
    pub(super) lease: Lease,
    /// What was under the name before, by the paths below it.
    pub(super) existing: HashMap<String, ObjectMeta>,
    /// The ETag of what lies in the manifest's place, if anything.
    pub(super) replaces: Option<String>,
    /// The checkpoint that is replaced.
    pub(super) old: Option<Box<Manifest>>,
}

/// Looks at the name and claims it. A commit that another decided and did not finish is finished first.
///
/// # Errors
/// [`ErrorKind::Exists`] where another process is at it, or something around the name clashes with it.
pub(super) async fn start(transfer: &Transfer, name: &str, members: &[Member], force: bool) -> Result<Start> {
    let store = transfer.store();
    // Asked together, since each answer takes its time. Where they do not agree, something happened in between, or has to.
    let claim_key = Claim::key(name);
    let (claim, manifest) = futures::join!(Claim::see(&**store, &claim_key), ManifestSeen::at(&**store, name));
    let seen = claim?;
    let claim = seen.as_ref().map(|seen| seen.claim.as_ref().map(|claim| claim.state));
    let (seen, manifest) = match (claim, manifest) {
        (None, Ok(ManifestSeen::Absent)) => (seen, ManifestSeen::Absent),
        (Some(Some(ClaimState::Committed)), Ok(manifest @ ManifestSeen::Committed(..))) => (seen, manifest),
        _ => (look_at_claim(transfer, name).await?, ManifestSeen::at(&**store, name).await?),
    };
    let (replaces, old) = match manifest {
        ManifestSeen::Committed(manifest, etag) if force => (etag, Some(manifest)),
        ManifestSeen::Committed(manifest, _) => return Ok(Start::Committed(manifest, seen)),
        ManifestSeen::Replacing { etag, .. } => (etag, None),
        ManifestSeen::Absent => (None, None),
    };
    let existing = look_around(transfer, name, members).await?;
    refuse_live_ranks(&**store, name, &existing).await?;
    let earlier = seen.as_ref().and_then(|seen| seen.claim.clone());
    let names = names_of(members, &existing, old.as_deref(), earlier.as_ref());
    let mut claim = Claim::new(ClaimState::Putting, names, store.now());
    claim.uploads = uploads_of_ranks(&**store, name, &existing).await?;
    claim.uploads.extend(earlier.map(|earlier| earlier.all_uploads()).unwrap_or_default());
    let lease = take(transfer, name, claim, seen).await?;
    Ok(Start::Claimed(Claimed { lease, existing, replaces, old }))
}

/// Writes a claim in place of the one that was seen.
pub(super) async fn take(transfer: &Transfer, name: &str, claim: Claim, seen: Option<SeenClaim>) -> Result<Lease> {
    Lease::take(transfer.store(), name, Claim::key(name), claim, seen.map(|seen| seen.etag)).await
}

/// The claim of the name, where nobody is at it any more; a commit that it decided is carried out.
pub(super) async fn look_at_claim(transfer: &Transfer, name: &str) -> Result<Option<SeenClaim>> {
    let store = &**transfer.store();
    let Some(seen) = Claim::see(store, &Claim::key(name)).await? else { return Ok(None) };
    let Some(claim) = &seen.claim else { return Ok(Some(seen)) };
    if claim.is_live(store.now()) {
        return Err(held_by(name, ACTION, claim));
    }
    if claim.state != ClaimState::Committing {
        return Ok(Some(seen));
    }
    let Some(commit) = claim.commit.clone() else { return Ok(Some(seen)) };
    // Taken over as it is, so that it is finished by one process at a time.
    let mut ours = Claim::new(ClaimState::Committing, claim.files.clone(), store.now());
    (ours.commit, ours.world_size, ours.uploads) = (Some(commit.clone()), claim.world_size, claim.uploads.clone());
    let lease = take(transfer, name, ours, Some(seen)).await?;
    let group = transfer.group();
    let work = async {
        match carry_out_or_take_back(&group, &lease, &commit).await {
            Ok(()) => end_after_commit(&group, &lease, &commit.manifest).await,
            // What it wrote is as good as any interrupted put's.
            Err(error) if error.kind() == ErrorKind::Exists => {
                lease.release().await;
                Ok(())
            }
            Err(error) => Err(error),
        }
    };
    under_lease(&group, &lease, work).await?;
    match Claim::see(store, &Claim::key(name)).await? {
        Some(again) if again.claim.as_ref().is_some_and(|claim| claim.is_live(transfer.store().now())) => {
            Err(overtaken(name, "another put of it began at the same time".to_owned()))
        }
        again => Ok(again),
    }
}

/// Does what was decided; where that can never be done, takes the decision back and says why.
pub(super) async fn carry_out_or_take_back(transfer: &Transfer, lease: &Lease, commit: &Commit) -> Result<()> {
    match finish(transfer, lease.name(), commit).await {
        Ok(true) => {
            lease.held_are_completed();
            Ok(())
        }
        Ok(false) => Ok(()),
        Err(error) if error.kind() == ErrorKind::Exists => {
            undo(transfer, lease.name(), commit).await?;
            lease.take_back().await?;
            if let Some(path) = error.key().filter(|_| error.code() == Some(UPLOAD_GONE)) {
                lease.forget(path).await;
            }
            Err(error)
        }
        Err(error) => Err(error),
    }
}

/// Uploads that ranks began and that no rank will go on with.
async fn uploads_of_ranks(
    store: &dyn StorageBackend,
    name: &str,
    existing: &HashMap<String, ObjectMeta>,
) -> Result<BTreeMap<String, KeptUpload>> {
    let mut uploads = BTreeMap::new();
    for path in existing.keys().filter(|path| is_rank_claim(path)) {
        let seen = Claim::see(store, &format!("{name}/{path}")).await?;
        uploads.extend(seen.and_then(|seen| seen.claim).map(|claim| claim.uploads).unwrap_or_default());
    }
    Ok(uploads)
}

/// What will be under the name when all goes well and is not there yet, and what earlier puts may have left there. A file
/// that is there and that no put of ours names is somebody's until it is replaced.
fn names_of(
    members: &[Member],
    existing: &HashMap<String, ObjectMeta>,
    old: Option<&Manifest>,
    earlier: Option<&Claim>,
) -> Vec<String> {
    let new = members.iter().map(|member| member.path.clone()).filter(|path| !existing.contains_key(path));
    let old = old.into_iter().flat_map(|manifest| manifest.files.iter().map(|file| file.path.clone()));
    let earlier = earlier.into_iter().flat_map(|claim| claim.files.iter().cloned());
    let names: BTreeSet<String> = new.chain(old).chain(earlier).collect();
    names.into_iter().collect()
}
