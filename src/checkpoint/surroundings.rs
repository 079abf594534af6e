//! What is around a name before a checkpoint is put there: nothing of it may be two things at once.

use std::collections::{HashMap, HashSet};

use crate::backend::ObjectMeta;
use crate::error::{Error, ErrorKind, Result};
use crate::key;
use crate::transfer::{Transfer, object_at, refuse_clash};

use super::claim::Claim;
use super::walk::Member;

/// The objects under the name already, by their paths below it, ours included.
///
/// # Errors
/// [`ErrorKind::Exists`] when the name or one of the members is a file on one side and a directory on the other, or lies
/// in or around another checkpoint, committed or unfinished.
pub(super) async fn look_around(
    transfer: &Transfer,
    name: &str,
    members: &[Member],
) -> Result<HashMap<String, ObjectMeta>> {
    let store = &**transfer.store();
    let below = format!("{name}/");
    let (clash, enclosed) = (refuse_clash(store, name), transfer.refuse_enclosed(name));
    let (objects, object, (), ()) = futures::try_join!(store.list(&below), object_at(store, name), clash, enclosed)?;
    let existing: HashMap<String, ObjectMeta> =
        objects.into_iter().filter_map(|object| Some((object.key.strip_prefix(&below)?.to_owned(), object))).collect();
    if object.is_some() {
        return Err(refused(name, "it is a file in the store, not a directory"));
    }
    if let Some(inner) = existing.keys().find_map(|path| path.strip_suffix(&key::manifest_of(""))) {
        return Err(refused(name, format!("the checkpoint '{below}{inner}' lies inside it")));
    }
    let inner = existing.keys().filter_map(|path| path.strip_suffix(&Claim::key("")));
    for unfinished in inner.map(|inner| format!("{below}{inner}")).chain(key::ancestors(name).map(str::to_owned)) {
        if Claim::read(store, &unfinished).await?.is_some_and(|claim| claim.is_unfinished()) {
            return Err(refused(name, format!("an unfinished put or removal of '{unfinished}' is in the way"))
                .hint_is(format!("run it again to finish it, or remove what is there: strata-ckpt rm {unfinished}")));
        }
    }
    let directories: HashSet<&str> = existing.keys().flat_map(|path| key::ancestors(path)).collect();
    for member in members {
        let clash = directories.get(member.path.as_str()).copied();
        let clash = clash.or_else(|| key::ancestors(&member.path).find(|ancestor| existing.contains_key(*ancestor)));
        if let Some(clash) = clash {
            return Err(refused(name, format!("'{below}{clash}' is a file on one side and a directory on the other")));
        }
    }
    Ok(existing)
}

fn refused(name: &str, what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Exists, what)
        .action("put")
        .on(name)
        .hint_is("choose another key, or remove what is there first: strata-ckpt ls shows it")
}
