//! The rules beside ours: whose they are, and what they do to what is under our prefix.

use super::super::xml::Element;
use super::document::Document;

/// The rules of a lifecycle that are not the one of our prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Others {
    /// Rules of somebody else.
    pub(crate) foreign: usize,
    /// Rules of this tool for other prefixes.
    pub(crate) siblings: usize,
    /// Those that delete objects of ours by age.
    pub(crate) expirations: Vec<Expiration>,
}

/// A rule of theirs that deletes objects of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expiration {
    /// Of the rule; empty where it has none.
    pub(crate) id: String,
    /// What the keys of the objects begin with.
    pub(crate) scope: String,
    pub(crate) when: When,
    /// Only objects of certain sizes.
    pub(crate) by_size: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// So many days after they were written.
    After(u32),
    /// From this time on, as the server writes it.
    From(String),
}

impl Others {
    /// What there is in `document` beside the rule with this id, which is of `prefix`.
    pub(super) fn of(document: &Document, id: &str, prefix: &str) -> Self {
        let mut others = Others::default();
        for rule in document.rules.iter().filter(|rule| rule.id != id) {
            match super::rule::is_of_this_tool(&rule.id) {
                true => others.siblings += 1,
                false => others.foreign += 1,
            }
            others.expirations.extend(expiration(&rule.element, &rule.id, prefix));
        }
        others
    }
}

/// What the rule deletes under `prefix`, if anything. What is put here has no tags, so a rule for tagged objects is none.
fn expiration(rule: &Element, id: &str, prefix: &str) -> Option<Expiration> {
    if rule.text_of("Status").map(str::trim) != Some("Enabled") {
        return None;
    }
    let expiration = rule.child("Expiration")?;
    let text = |name: &str| expiration.text_of(name).map(str::trim);
    let when = match (text("Days"), text("Date")) {
        (Some(days), _) => When::After(days.parse().ok()?),
        (None, Some(date)) => When::From(date.to_owned()),
        (None, None) => return None,
    };
    let filter = rule.child("Filter");
    let conditions = filter.map(|filter| filter.child("And").unwrap_or(filter));
    let has = |name: &str| conditions.is_some_and(|conditions| conditions.child(name).is_some());
    let theirs = conditions.and_then(|conditions| conditions.text_of("Prefix")).or(rule.text_of("Prefix"));
    let theirs = theirs.unwrap_or_default();
    // The longer of the two is where both apply.
    let scope = match (prefix.starts_with(theirs), theirs.starts_with(prefix)) {
        (true, _) => prefix,
        (false, true) => theirs,
        (false, false) => return None,
    };
    let by_size = has("ObjectSizeGreaterThan") || has("ObjectSizeLessThan");
    (!has("Tag")).then(|| Expiration { id: id.to_owned(), scope: scope.to_owned(), when, by_size })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn others(rules: &str) -> Others {
        let text = format!("<LifecycleConfiguration>{rules}</LifecycleConfiguration>");
        Others::of(&Document::parse(text.as_bytes()).unwrap(), "strata-ckpt:runs/a/", "runs/a/")
    }

    #[test]
    fn whose_they_are() {
        let ids =
            ["strata-ckpt:runs/a/", "strata-ckpt", "strata-ckpt:runs/", "strata-ckpt:sha256-00", "strata-ckptx", ""];
        let rules: String = ids.iter().map(|id| format!("<Rule><ID>{id}</ID></Rule>")).collect();
        let Others { foreign, siblings, expirations } = others(&rules);
        assert_eq!((foreign, siblings, expirations.len()), (2, 3, 0));
    }

    #[test]
    fn what_they_delete_of_ours() {
        let days = "<Expiration><Days>9</Days></Expiration>";
        let size = "<ObjectSizeLessThan>9</ObjectSizeLessThan>";
        for (filter, does, expected) in [
            ("<Filter/>", days, Some(("runs/a/", When::After(9), false))),
            ("<Prefix></Prefix>", days, Some(("runs/a/", When::After(9), false))),
            ("<Filter><Prefix>run</Prefix></Filter>", days, Some(("runs/a/", When::After(9), false))),
            ("<Filter><Prefix>runs/a/x</Prefix></Filter>", days, Some(("runs/a/x", When::After(9), false))),
            ("<Filter><Prefix>runs/b</Prefix></Filter>", days, None),
            ("<Filter><Tag><Key>k</Key><Value/></Tag></Filter>", days, None),
            (
                &format!("<Filter><And><Prefix>runs/</Prefix>{size}</And></Filter>"),
                days,
                Some(("runs/a/", When::After(9), true)),
            ),
            (
                "<Filter/>",
                "<Expiration><Date>2027-01-01</Date></Expiration>",
                Some(("runs/a/", When::From("2027-01-01".to_owned()), false)),
            ),
            ("<Filter/>", "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>", None),
            ("<Filter/>", "<Transition><Days>1</Days></Transition>", None),
        ] {
            let rule = format!("<Rule><ID>x</ID>{filter}<Status>Enabled</Status>{does}</Rule>");
            let found = others(&rule).expirations.pop().map(|one| (one.scope, one.when, one.by_size));
            let expected = expected.map(|(scope, when, by_size)| (scope.to_owned(), when, by_size));
            assert_eq!(found, expected, "{rule}");
            assert_eq!(others(&rule.replace("Enabled", "Disabled")).expirations, []);
        }
    }
}
