//! A bucket's lifecycle as the text that it is. The rules of others stay byte for byte: a parser that does not know an
//! element, such as the bounds of sizes that came later, would drop it, and the rule would delete more than it was made
//! for.

use std::ops::Range;

use quick_xml::Reader;
use quick_xml::events::Event;

use super::super::aside::XMLNS;
use super::super::xml::Element;

/// A lifecycle that the server answered with.
#[derive(Debug)]
pub(super) struct Document {
    text: String,
    pub(super) rules: Vec<Rule>,
    /// Where the root element ends.
    end: usize,
}

/// One rule of it.
#[derive(Debug)]
pub(super) struct Rule {
    range: Range<usize>,
    pub(super) id: String,
    pub(super) element: Element,
}

impl Document {
    /// A lifecycle without rules.
    pub(super) fn empty() -> Self {
        let start = format!("<LifecycleConfiguration xmlns=\"{XMLNS}\">");
        Document { end: start.len(), text: start + "</LifecycleConfiguration>", rules: Vec::new() }
    }

    /// `None` for what is no complete lifecycle, and for one whose elements have prefixes: ours would not fit in.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?.trim_start_matches('\u{feff}').trim_start();
        // Complete, of one root, and not deeper than anything of S3's.
        Element::parse(text.as_bytes())?;
        let mut reader = Reader::from_str(text);
        let (mut depth, mut begun, mut rules) = (0_usize, 0, Vec::new());
        loop {
            let at = usize::try_from(reader.buffer_position()).ok()?;
            match reader.read_event().ok()? {
                Event::Start(tag) => {
                    match depth {
                        0 if tag.name().as_ref() != "LifecycleConfiguration" => return None,
                        1 if tag.name().as_ref() == "Rule" => begun = at,
                        1 => return None,
                        _ => {}
                    }
                    depth += 1;
                }
                Event::Empty(tag) => match depth {
                    0 if tag.name().as_ref() == "LifecycleConfiguration" => return Some(Document::empty()),
                    0 | 1 => return None,
                    _ => {}
                },
                Event::End(_) => {
                    depth = depth.checked_sub(1)?;
                    match depth {
                        0 => return Some(Document { text: text.to_owned(), rules, end: at }),
                        1 => {
                            let range = begun..usize::try_from(reader.buffer_position()).ok()?;
                            let element = Element::parse(text.get(range.clone())?.as_bytes())?;
                            let id = element.text_of("ID").unwrap_or_default().to_owned();
                            rules.push(Rule { range, id, element });
                        }
                        _ => {}
                    }
                }
                Event::Eof => return None,
                _ => {}
            }
        }
    }

    /// The rules with this id. A server that takes an id twice has all of them replaced.
    pub(super) fn ours(&self, id: &str) -> Vec<&Rule> {
        self.rules.iter().filter(|rule| rule.id == id).collect()
    }

    /// What the rules of others say, in an order of its own: servers write the same rule differently.
    pub(super) fn others(&self, id: &str) -> Vec<String> {
        let mut others: Vec<String> =
            self.rules.iter().filter(|rule| rule.id != id).map(|rule| canonical(&rule.element)).collect();
        others.sort();
        others
    }

    /// The rules with this id, byte for byte.
    pub(super) fn text_of(&self, id: &str) -> String {
        self.ours(id).into_iter().map(|rule| &self.text[rule.range.clone()]).collect()
    }

    /// Whether the rules with this id say the same in both.
    pub(super) fn is_same_for(&self, id: &str, other: &Document) -> bool {
        let said = |document: &Document| -> Vec<String> {
            document.ours(id).into_iter().map(|rule| canonical(&rule.element)).collect()
        };
        said(self) == said(other)
    }

    /// Whether the rules of others are of the older form, without a filter. S3 takes no lifecycle of both forms.
    pub(super) fn is_plain(&self, id: &str) -> bool {
        let mut others = self.rules.iter().filter(|rule| rule.id != id);
        others.any(|rule| rule.element.child("Filter").is_none() && rule.element.child("Prefix").is_some())
    }

    /// The lifecycle with `rule` as the only one of this id, or without any; `None` where no rule is left. Everything
    /// else is as it was.
    pub(super) fn with(&self, id: &str, rule: Option<&str>) -> Option<String> {
        let ours = self.ours(id);
        if rule.is_none() && ours.len() == self.rules.len() {
            return None;
        }
        let place = ours.first().map_or(self.end, |rule| rule.range.start);
        let mut text = String::with_capacity(self.text.len() + rule.map_or(0, str::len));
        let mut done = 0;
        let end = std::iter::once(self.end..self.end);
        for range in ours.iter().map(|rule| rule.range.clone()).chain(end) {
            text.push_str(&self.text[done..range.start]);
            if let Some(rule) = rule.filter(|_| range.start == place) {
                text.push_str(rule);
            }
            done = range.end;
        }
        text.push_str(&self.text[done..]);
        Some(text)
    }
}

/// An element with its children in order.
fn canonical(element: &Element) -> String {
    let mut children: Vec<String> = element.children.iter().map(canonical).collect();
    children.sort();
    // Between elements there is only layout.
    let text = if children.is_empty() { element.text.as_str() } else { "" };
    format!("{}{text:?}[{}]", element.name, children.concat())
}

#[cfg(test)]
mod tests {
    use super::super::rule::Lifecycle;
    use super::super::rule::tests::any_lifecycle;
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "strata-ckpt:runs/";
    const FOREIGN: &str = "<Rule>\n  <ID>keep &amp; care</ID><Filter><And><Prefix>x/</Prefix>\
        <ObjectSizeGreaterThan>500</ObjectSizeGreaterThan></And></Filter><Status>Enabled</Status>\
        <!-- new --><Expiration><Days>1</Days></Expiration><NoncurrentVersionExpiration><NoncurrentDays>3</NoncurrentDays>\
        <NewerNoncurrentVersions>2</NewerNoncurrentVersions></NoncurrentVersionExpiration><Future a='1'/></Rule>";

    fn lifecycle(rules: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?>\n<LifecycleConfiguration xmlns=\"{XMLNS}\">\n {rules}\n</LifecycleConfiguration>\n"
        )
    }

    #[test]
    fn a_rule_is_put_in_replaced_and_taken_out_again() {
        let before = lifecycle(FOREIGN);
        let document = Document::parse(before.as_bytes()).unwrap();
        let ours = format!("<Rule><ID>{ID}</ID></Rule>");
        let after = document.with(ID, Some(&ours)).unwrap();
        assert_eq!(after, before.replace("</LifecycleConfiguration>", &format!("{ours}</LifecycleConfiguration>")));
        let again = Document::parse(after.as_bytes()).unwrap();
        assert_eq!(again.with(ID, Some(&ours)).unwrap(), after);
        assert_eq!(
            again.with(ID, Some("<Rule><ID>new</ID></Rule>")).unwrap(),
            after.replace(&ours, "<Rule><ID>new</ID></Rule>")
        );
        assert_eq!(again.with(ID, None).unwrap(), before);
        assert_eq!(Document::empty().with(ID, None), None);
    }

    #[test]
    fn what_is_no_lifecycle_of_ours_to_change() {
        for text in [
            "",
            "<Error/>",
            "<html></html>",
            "<LifecycleConfiguration><Rule>",
            "<a:LifecycleConfiguration xmlns:a=\"x\"><a:Rule/></a:LifecycleConfiguration>",
            "<LifecycleConfiguration><Odd>1</Odd></LifecycleConfiguration>",
        ] {
            assert!(Document::parse(text.as_bytes()).is_none(), "{text}");
        }
        for text in ["<LifecycleConfiguration/>", "\u{feff} <LifecycleConfiguration></LifecycleConfiguration>"] {
            assert!(Document::parse(text.as_bytes()).unwrap().rules.is_empty(), "{text}");
        }
    }

    #[test]
    fn the_older_form_is_followed() {
        let plain = "<Rule><ID>old</ID><Prefix>x</Prefix><Status>Enabled</Status></Rule>";
        let of = |rules: &str| Document::parse(lifecycle(rules).as_bytes()).unwrap().is_plain(ID);
        assert_eq!((of(plain), of(FOREIGN), of("")), (true, false, false));
        assert!(!of(&plain.replace("old", ID)), "our own does not count");
    }

    #[test]
    fn the_same_rules_in_another_order_and_layout_are_the_same() {
        let a = "<Rule><ID>a</ID><Status>Enabled</Status></Rule>";
        let b = "<Rule><ID>b</ID><Expiration><Days>1</Days></Expiration></Rule>";
        let turned = "<Rule> <Expiration>\n<Days>1</Days></Expiration><ID>b</ID></Rule> <Rule><Status>Enabled</Status><ID>a</ID></Rule>";
        let others = |rules: &str| Document::parse(lifecycle(rules).as_bytes()).unwrap().others(ID);
        assert_eq!(others(&format!("{a}{b}")), others(turned));
        assert_ne!(others(a), others(&a.replace("Enabled", "Disabled")));
    }

    fn any_foreign() -> impl Strategy<Value = String> {
        let id = prop_oneof![Just("strata-ckpt".to_owned()), "[a-z]{1,6}", Just(String::new())];
        let inside = prop_oneof![
            Just("<Filter><Prefix>a</Prefix></Filter>"),
            Just(
                "<Filter><And><Tag><Key>k</Key><Value/></Tag><ObjectSizeLessThan>9</ObjectSizeLessThan></And></Filter>"
            ),
            Just("<Prefix> </Prefix>\n<!-- </Rule> -->"),
            Just("<Unknown><Rule>nested</Rule></Unknown>"),
        ];
        (id, inside, "[ \n]{0,3}").prop_map(|(id, inside, space)| {
            let id = if id.is_empty() { id } else { format!("<ID>{id}</ID>") };
            format!("<Rule>{space}{id}{inside}<Status>Enabled</Status></Rule>")
        })
    }

    proptest! {
        #[test]
        fn others_are_kept_byte_for_byte_and_ours_is_there_once(
            foreign in proptest::collection::vec(any_foreign(), 0..5),
            ours in proptest::collection::vec((any_lifecycle(), 0..5_usize), 0..3),
            wish in any_lifecycle(),
            space in "[ \n]{0,2}",
        ) {
            let mut rules = foreign.clone();
            for (old, place) in &ours {
                rules.insert((*place).min(rules.len()), old.to_xml(ID, "runs/", false));
            }
            let before = Document::parse(lifecycle(&rules.join(&space)).as_bytes()).unwrap();
            prop_assert_eq!(before.rules.len(), rules.len());
            let rule = wish.to_xml(ID, "runs/", before.is_plain(ID));
            let text = before.with(ID, Some(&rule)).unwrap();
            let after = Document::parse(text.as_bytes()).unwrap();

            let raw: Vec<&str> =
                after.rules.iter().filter(|rule| rule.id != ID).map(|rule| &after.text[rule.range.clone()]).collect();
            prop_assert_eq!(&raw, &foreign);
            prop_assert_eq!(after.others(ID), before.others(ID));
            let found: Vec<_> = after.ours(ID).into_iter().map(|rule| Lifecycle::of(&rule.element, "runs/")).collect();
            prop_assert_eq!(found, vec![Some(wish)]);
            prop_assert_eq!(after.with(ID, Some(&rule)).unwrap(), text);
            match after.with(ID, None) {
                None => prop_assert!(foreign.is_empty()),
                Some(text) => prop_assert_eq!(Document::parse(text.as_bytes()).unwrap().rules.len(), foreign.len()),
            }
        }
    }
}
