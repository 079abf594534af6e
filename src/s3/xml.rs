//! Answers of S3 as a small tree, checked to be well-formed and complete. rusoto's own parser spins for ever on XML that
//! is cut after its first start tag.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;

/// Elements inside elements; S3's answers have four levels.
const DEEPEST: usize = 16;

/// An element with its text and its child elements; attributes are dropped.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: String,
    /// The text directly inside, entities resolved, nothing trimmed.
    pub(super) text: String,
    pub(super) children: Vec<Element>,
}

impl Element {
    /// The one element that `bytes` are; `None` unless they are a complete document.
    pub(super) fn parse(bytes: &[u8]) -> Option<Element> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}').trim_start());
        reader.config_mut().expand_empty_elements = true;
        let mut open: Vec<Element> = Vec::new();
        let mut root = None;
        loop {
            match reader.read_event().ok()? {
                Event::Start(tag) => {
                    if root.is_some() || open.len() == DEEPEST {
                        return None;
                    }
                    let name = tag.local_name().as_ref().to_owned();
                    open.push(Element { name, ..Element::default() });
                }
                Event::End(_) => {
                    let done = open.pop()?;
                    match open.last_mut() {
                        Some(parent) => parent.children.push(done),
                        None => root = Some(done),
                    }
                }
                Event::Text(text) => append(&mut open, &text.xml10_content())?,
                Event::CData(text) => append(&mut open, &text.xml10_content())?,
                Event::GeneralRef(entity) => match entity.resolve_char_ref().ok()? {
                    Some(c) => append(&mut open, c.encode_utf8(&mut [0; 4]))?,
                    None => append(&mut open, resolve_predefined_entity(&entity.xml10_content())?)?,
                },
                Event::Eof => return if open.is_empty() { root } else { None },
                // Nothing of S3's has one, and entities could be declared in it.
                Event::DocType(_) => return None,
                Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            }
        }
    }

    /// The first child of this name.
    pub(super) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the first child of this name.
    pub(super) fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }
}

/// Text belongs to the innermost open element; outside of all there may be only space.
fn append(open: &mut [Element], text: &str) -> Option<()> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIST: &str = "<?xml version=\"1.0\"?>\n<A xmlns=\"x\"><K> </K><K>a&amp;b&#10;c<![CDATA[<d>]]></K><E/></A>\n";

    #[test]
    fn text_is_kept_as_it_is() {
        let root = Element::parse(LIST.as_bytes()).unwrap();
        let texts: Vec<&str> = root.children.iter().map(|child| child.text.as_str()).collect();
        assert_eq!((root.name.as_str(), texts), ("A", vec![" ", "a&b\nc<d>", ""]));
        let spaces = format!("   \n\n{}", "<A><B>1</B></A>");
        assert_eq!(Element::parse(spaces.as_bytes()).unwrap().text_of("B"), Some("1"));
    }

    #[test]
    fn every_cut_is_noticed() {
        let whole = LIST.trim_end();
        for end in 0..whole.len() {
            assert_eq!(Element::parse(&whole.as_bytes()[..end]), None, "{}", &whole[..end]);
        }
    }

    #[test]
    fn what_is_no_answer_of_s3_is_refused() {
        let deep = format!("{}{}", "<a>".repeat(40), "</a>".repeat(40));
        for text in [
            "",
            " ",
            "text",
            "<a></b>",
            "<a/><b/>",
            "<a/>text",
            "<a>&unknown;</a>",
            "<a><b></a></b>",
            &deep,
            "<!DOCTYPE html><html></html>",
            "<html><br></html>",
            "<a",
        ] {
            assert_eq!(Element::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Element::parse(b"<a>\xff</a>"), None);
    }

    proptest! {
        #[test]
        fn it_never_panics(bytes in proptest::collection::vec(prop_oneof![Just(b'<'), Just(b'>'), Just(b'/'), Just(b'a'), Just(b'&'), any::<u8>()], 0..60)) {
            let _ = Element::parse(&bytes);
        }
    }
}
