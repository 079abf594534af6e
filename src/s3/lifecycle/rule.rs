//! Our own rule: one for a bucket and prefix, with all that it does.

use std::fmt::Write;

use quick_xml::escape::escape;
use sha2::{Digest, Sha256};

use super::super::xml::Element;
use crate::error::{Error, Result};

/// S3's bound for the id of a rule in characters:
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_LifecycleRule.html>.
const LONGEST_ID: usize = 255;
/// How the ids of our rules begin.
const OWN_ID: &str = "strata-ckpt";
/// Classes that are cheaper to keep and as quick to read, the days that an object has to be old before it may go there,
/// and those that it is paid for there at the least:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-transition-general-considerations.html>,
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html>.
const CLASSES: [(&str, u32, u32); 4] =
    [("STANDARD_IA", 30, 30), ("ONEZONE_IA", 30, 30), ("INTELLIGENT_TIERING", 1, 0), ("GLACIER_IR", 1, 90)];
/// Classes from which an object has to be restored, for hours, before anybody can read it.
const UNREADABLE: [&str; 2] = ["GLACIER", "DEEP_ARCHIVE"];

/// What happens by itself to what is under the prefix. Days are those since the object was written, at least 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lifecycle {
    /// Uploads that are still in progress so many days after they were begun are aborted.
    pub abort_days: Option<u32>,
    /// Objects move to a cheaper storage class.
    pub transition: Option<Transition>,
    /// Objects are deleted; with versioning they are hidden.
    pub expire_days: Option<u32>,
    /// With versioning: old versions are deleted so many days after they were replaced or removed, and the marks of
    /// removed objects with the last of them.
    pub noncurrent_days: Option<u32>,
}

/// A move to another storage class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// At least 30 for the two classes for infrequent access.
    pub days: u32,
    /// `STANDARD_IA`, `ONEZONE_IA`, `INTELLIGENT_TIERING` or `GLACIER_IR`; at an endpoint of its own also the name of
    /// one of the server's tiers.
    pub class: String,
}

impl Lifecycle {
    /// Whether S3 would take it. `amazon` is false at an endpoint of its own, whose tiers have names of their own.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) naming the bound that is not kept.
    pub fn check(&self, amazon: bool) -> Result<()> {
        let Some(Transition { days, class }) = &self.transition else { return Ok(()) };
        if UNREADABLE.contains(&class.as_str()) {
            return Err(Error::invalid(format!("what is in {class} cannot be read without restoring it first"))
                .hint_is("use STANDARD_IA or GLACIER_IR: a checkpoint there is read at once"));
        }
        match CLASSES.iter().find(|(name, ..)| name == class) {
            Some((_, least, _)) if days < least => {
                return Err(Error::invalid(format!(
                    "S3 moves objects to {class} after {least} days at the earliest, not after {days}"
                )));
            }
            None if amazon || class.is_empty() || class.len() > 64 || !class.bytes().all(fits_class) => {
                return Err(Error::invalid(format!("'{}' is not a storage class to move to", class.escape_default()))
                    .hint_is("use STANDARD_IA, ONEZONE_IA, INTELLIGENT_TIERING or GLACIER_IR"));
            }
            _ => {}
        }
        match self.expire_days {
            Some(expire) if expire <= *days => Err(Error::invalid(format!(
                "S3 deletes after a move, not before: {expire} days for deletion are not more than {days} for the move"
            ))
            .hint_is("delete later, or leave the move out")),
            _ => Ok(()),
        }
    }

    /// Nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Lifecycle::default()
    }

    /// The days that are paid for after a move, where objects are deleted before they are over.
    pub(in super::super) fn days_paid_in_vain(&self) -> Option<u32> {
        let (transition, expire) = (self.transition.as_ref()?, self.expire_days?);
        let (.., paid) = CLASSES.iter().find(|(name, ..)| *name == transition.class)?;
        (expire - transition.days.min(expire) < *paid).then_some(*paid)
    }

    /// Without anything that MinIO is known not to hold: a rule that aborts, and classes that only Amazon has.
    pub(in super::super) fn as_minio_holds_it(&self) -> Lifecycle {
        let is_own = |transition: &Transition| CLASSES.iter().all(|(name, ..)| *name != transition.class);
        Lifecycle { abort_days: None, transition: self.transition.clone().filter(is_own), ..self.clone() }
    }

    /// All that can be left of it, the most first; the last is nothing. What deletes on request is given up last.
    pub(super) fn remainders(&self) -> Vec<Lifecycle> {
        let mut masks: Vec<u32> = (0..16).collect();
        masks.sort_by_key(|mask| (mask.count_ones(), *mask));
        let mut left: Vec<Lifecycle> = Vec::new();
        for mask in masks {
            let keeps = |bit: u32| mask & (1 << bit) == 0;
            let one = Lifecycle {
                transition: self.transition.clone().filter(|_| keeps(0)),
                abort_days: self.abort_days.filter(|_| keeps(1)),
                noncurrent_days: self.noncurrent_days.filter(|_| keeps(2)),
                expire_days: self.expire_days.filter(|_| keeps(3)),
            };
            if !left.contains(&one) {
                left.push(one);
            }
        }
        left
    }

    /// The marks of removed objects go with their last version. Where objects expire after days, S3 sees to it itself.
    fn clears_marks(&self) -> bool {
        self.noncurrent_days.is_some() && self.expire_days.is_none()
    }

    /// The rule as S3 wants it. `plain` is the older form without a filter: a lifecycle has rules of one form only.
    pub(super) fn to_xml(&self, id: &str, prefix: &str, plain: bool) -> String {
        let (id, prefix) = (escape(id), escape(prefix));
        let scope = match plain {
            true => format!("<Prefix>{prefix}</Prefix>"),
            false => format!("<Filter><Prefix>{prefix}</Prefix></Filter>"),
        };
        let mut xml = format!("<Rule><ID>{id}</ID>{scope}<Status>Enabled</Status>");
        // Writing to a String cannot fail.
        if let Some(Transition { days, class }) = &self.transition {
            let class = escape(class.as_str());
            let _ = write!(xml, "<Transition><Days>{days}</Days><StorageClass>{class}</StorageClass></Transition>");
        }
        if let Some(days) = self.expire_days {
            let _ = write!(xml, "<Expiration><Days>{days}</Days></Expiration>");
        }
        if self.clears_marks() {
            xml.push_str("<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>");
        }
        if let Some(days) = self.noncurrent_days {
            let _ = write!(
                xml,
                "<NoncurrentVersionExpiration><NoncurrentDays>{days}</NoncurrentDays></NoncurrentVersionExpiration>"
            );
        }
        if let Some(days) = self.abort_days {
            let _ = write!(
                xml,
                "<AbortIncompleteMultipartUpload><DaysAfterInitiation>{days}</DaysAfterInitiation></AbortIncompleteMultipartUpload>"
            );
        }
        xml + "</Rule>"
    }

    /// What a rule does; `None` where it is not enabled, is of another prefix, or does anything that ours never do.
    pub(super) fn of(rule: &Element, prefix: &str) -> Option<Lifecycle> {
        let text = |element: &Element| element.text.trim().to_owned();
        let number = |element: &Element, name: &str| element.text_of(name)?.trim().parse::<u32>().ok();
        let (mut found, mut marks, mut enabled, mut scope) = (Lifecycle::default(), false, false, String::new());
        for child in &rule.children {
            let names: Vec<&str> = child.children.iter().map(|child| child.name.as_str()).collect();
            match (child.name.as_str(), names.as_slice()) {
                ("ID", _) => {}
                ("Status", _) => enabled = text(child) == "Enabled",
                ("Prefix", _) => scope.clone_from(&child.text),
                ("Filter", []) => {}
                ("Filter", ["Prefix"]) => scope = child.text_of("Prefix")?.to_owned(),
                ("Transition", [_, _]) if found.transition.is_none() => {
                    let class = child.child("StorageClass").map(text)?;
                    found.transition = Some(Transition { days: number(child, "Days")?, class });
                }
                ("Expiration", ["Days"]) => found.expire_days = number(child, "Days"),
                ("Expiration", ["ExpiredObjectDeleteMarker"]) => {
                    marks = child.text_of("ExpiredObjectDeleteMarker")?.trim() == "true";
                }
                ("NoncurrentVersionExpiration", ["NoncurrentDays"]) => {
                    found.noncurrent_days = number(child, "NoncurrentDays");
                }
                ("AbortIncompleteMultipartUpload", ["DaysAfterInitiation"]) => {
                    found.abort_days = number(child, "DaysAfterInitiation");
                }
                _ => return None,
            }
        }
        (enabled && scope == prefix && marks == found.clears_marks()).then_some(found)
    }
}

fn fits_class(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// Whether a rule with this id is one of this tool's, of whatever prefix.
pub(super) fn is_of_this_tool(id: &str) -> bool {
    id.strip_prefix(OWN_ID).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

/// The id of our rule for a prefix, which ends in `/` or is empty.
pub(crate) fn rule_id(prefix: &str) -> String {
    let id = match prefix {
        "" => OWN_ID.to_owned(),
        _ => format!("{OWN_ID}:{prefix}"),
    };
    // What counts as a character in S3 is not said: bytes are never fewer.
    if id.len() <= LONGEST_ID && !id.chars().any(char::is_control) {
        return id;
    }
    let digest = Sha256::digest(prefix.as_bytes());
    digest.iter().fold("strata-ckpt:sha256-".to_owned(), |id, byte| id + &format!("{byte:02x}"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(in super::super) fn any_lifecycle() -> impl Strategy<Value = Lifecycle> {
        let days = || proptest::option::of(1..10_000_u32);
        let class = prop_oneof![Just("STANDARD_IA"), Just("GLACIER_IR"), Just("TIER-1")];
        let transition = proptest::option::of((1..10_000_u32, class))
            .prop_map(|some| some.map(|(days, class)| Transition { days, class: class.to_owned() }));
        (days(), transition, days(), days()).prop_map(|(abort_days, transition, expire_days, noncurrent_days)| {
            Lifecycle { abort_days, transition, expire_days, noncurrent_days }
        })
    }

    fn moving(days: u32, class: &str, expire_days: Option<u32>) -> Lifecycle {
        let transition = Some(Transition { days, class: class.to_owned() });
        Lifecycle { transition, expire_days, ..Lifecycle::default() }
    }

    #[test]
    fn the_bounds_of_s3() {
        for (days, class, expire, amazon, fits) in [
            (30, "STANDARD_IA", None, true, true),
            (29, "STANDARD_IA", None, true, false),
            (29, "ONEZONE_IA", None, true, false),
            (1, "GLACIER_IR", None, true, true),
            (30, "GLACIER", None, true, false),
            (30, "DEEP_ARCHIVE", None, false, false),
            (30, "STANDARD_IA", Some(30), true, false),
            (30, "STANDARD_IA", Some(31), true, true),
            (30, "WARM", None, true, false),
            (30, "WARM", None, false, true),
            (30, "W<A>RM", None, false, false),
            (30, "", None, false, false),
        ] {
            assert_eq!(moving(days, class, expire).check(amazon).is_ok(), fits, "{days} {class} {expire:?} {amazon}");
        }
        assert!(Lifecycle { expire_days: Some(1), ..Lifecycle::default() }.check(true).is_ok());
    }

    #[test]
    fn ids_tell_prefixes_apart_and_are_short_enough() {
        assert_eq!((rule_id("").as_str(), rule_id("runs/a/").as_str()), ("strata-ckpt", "strata-ckpt:runs/a/"));
        let long = [format!("{}/", "x".repeat(300)), format!("{}/", "x".repeat(301)), "a\u{1}/".to_owned()]
            .map(|p| rule_id(&p));
        assert!(long.iter().all(|id| id.len() < 100 && id.is_ascii()), "{long:?}");
        assert!(long[0] != long[1] && long[1] != long[2]);
    }

    #[test]
    fn what_is_given_up_first() {
        let all = Lifecycle { abort_days: Some(7), noncurrent_days: Some(5), ..moving(30, "STANDARD_IA", Some(60)) };
        let left = all.remainders();
        assert_eq!((left.len(), &left[0], left[15].is_empty()), (16, &all, true));
        assert_eq!(left[1], Lifecycle { transition: None, ..all.clone() });
        assert_eq!(left[2], Lifecycle { abort_days: None, ..all.clone() });
        let one = Lifecycle { abort_days: Some(7), ..Lifecycle::default() };
        assert_eq!(one.remainders(), [one.clone(), Lifecycle::default()]);
    }

    proptest! {
        #[test]
        fn a_rule_says_what_it_was_made_of(wish in any_lifecycle(), prefix in "([a-z<&>\" ]{0,8}/)?", plain: bool) {
            let xml = wish.to_xml(&rule_id(&prefix), &prefix, plain);
            let rule = Element::parse(xml.as_bytes()).unwrap();
            let id = rule_id(&prefix);
            prop_assert_eq!(rule.text_of("ID"), Some(id.as_str()));
            prop_assert_eq!(Lifecycle::of(&rule, &prefix), Some(wish));
            prop_assert_eq!(Lifecycle::of(&rule, "another/"), None);
        }
    }

    #[test]
    fn a_rule_that_does_more_or_less_than_it_seems_is_not_ours() {
        let body = "<Filter><Prefix>a/</Prefix></Filter><Expiration><Days>9</Days></Expiration>";
        let of = |xml: &str| Lifecycle::of(&Element::parse(xml.as_bytes()).unwrap(), "a/");
        assert!(of(&format!("<Rule><Status>Enabled</Status>{body}</Rule>")).is_some());
        for xml in [
            format!("<Rule><Status>Disabled</Status>{body}</Rule>"),
            format!("<Rule>{body}</Rule>"),
            format!("<Rule><Status>Enabled</Status>{body}<NoncurrentVersionTransition/></Rule>"),
            "<Rule><Status>Enabled</Status><Filter/><Expiration><Days>9</Days></Expiration></Rule>".to_owned(),
            "<Rule><Status>Enabled</Status><Prefix>a/</Prefix><Expiration><Date>2026-01-01</Date></Expiration></Rule>"
                .to_owned(),
        ] {
            assert_eq!(of(&xml), None, "{xml}");
        }
    }
}
