//! What a check notes of each upload in parts that it begins, so that somebody finds it when the check is killed: the five
//! permissions list no uploads. A small object beside the check's own, with `path` and `upload` as JSON.

use serde::{Deserialize, Serialize};

/// The largest note that is read, in bytes: a path and an id, with room.
pub(crate) const LARGEST: u64 = 16 * 1024;

/// An upload that was begun.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct UploadNote {
    /// Where, below the name of the check: nothing else can be meant.
    pub(crate) path: String,
    /// By which it is aborted.
    pub(crate) upload: String,
}

/// The name of a note, by its number within a check.
#[cfg_attr(not(feature = "s3"), allow(dead_code))]
pub(crate) fn name(number: usize) -> String {
    format!("upload-{number}.json")
}

/// Whether a file of a check is a note.
pub(crate) fn is_name(file: &str) -> bool {
    let number = file.strip_prefix("upload-").and_then(|rest| rest.strip_suffix(".json"));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

impl UploadNote {
    #[cfg_attr(not(feature = "s3"), allow(dead_code))]
    pub(crate) fn to_json(&self) -> Vec<u8> {
        // Two texts can always be written.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// `None` for what no check has written, or not to its end.
    pub(crate) fn from_json(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok().filter(|note: &UploadNote| !note.path.is_empty() && !note.upload.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_note_is_known_by_its_name() {
        assert!(is_name(&name(1)) && is_name(&name(12)));
        for other in ["upload-.json", "upload-1", "upload-1a.json", "x/upload-1.json", "parts", ""] {
            assert!(!is_name(other), "{other}");
        }
    }

    proptest! {
        #[test]
        fn what_was_noted_comes_back(path in ".+", upload in ".+") {
            let note = UploadNote { path, upload };
            prop_assert_eq!(UploadNote::from_json(&note.to_json()), Some(note));
        }

        #[test]
        fn what_is_cut_is_no_note(path in "[a-z]{1,9}", end in 0..20usize) {
            let json = UploadNote { path, upload: "id".to_owned() }.to_json();
            prop_assert_eq!(UploadNote::from_json(&json[..end.min(json.len() - 1)]), None);
        }
    }
}
