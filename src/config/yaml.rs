//! The file as a tree of YAML values, before any of them has a meaning, and the position of each.
//! A file that is not YAML is for `syntax_error` to explain.

use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};

/// A value of any kind. Unlike the package's own, a map keeps keys that occur twice.
#[derive(Debug)]
pub(super) enum Node {
    Null,
    Bool,
    Whole(i128),
    Decimal,
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    /// Anything behind a tag: `!name value`.
    Tagged,
}

impl Node {
    /// The kind of value, in words that fit behind "not".
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "empty",
            Self::Bool => "true or false",
            Self::Whole(_) => "a number",
            Self::Decimal => "a decimal number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a section",
            Self::Tagged => "a tag (`!`)",
        }
    }

    /// A location's number, in quotes or not.
    pub(super) fn location(&self) -> Option<i64> {
        match self {
            Self::Whole(number) => i64::try_from(*number).ok(),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyNode)
    }
}

struct AnyNode;

impl<'de> Visitor<'de> for AnyNode {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_none<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Bool)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Node, E> {
        Ok(Node::Whole(number.into()))
    }

    fn visit_i128<E: Error>(self, number: i128) -> Result<Node, E> {
        Ok(Node::Whole(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Node, E> {
        Ok(Node::Whole(number.into()))
    }

    fn visit_u128<E: Error>(self, number: u128) -> Result<Node, E> {
        Ok(Node::Whole(number.try_into().unwrap_or(i128::MAX)))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Decimal)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element()? {
            list.push(element);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Node::Map(map))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<Node, A::Error> {
        let (IgnoredAny, value) = tagged.variant()?;
        value.newtype_variant::<IgnoredAny>()?;
        Ok(Node::Tagged)
    }
}

/// The part of an entry to locate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Key,
    Value,
}

/// The position of something in the file, with its text unless it is a list or map.
#[derive(Debug)]
pub(super) struct SourcePosition {
    /// Counted from 1.
    pub(super) line: usize,
    /// How many bytes of the file are before it.
    pub(super) index: usize,
    pub(super) written: Option<String>,
}

/// Locates something in the file: `steps` leads there, with the position of an entry in its map or
/// of an element in its list at each level. [`Part::Key`] of an element is the element.
///
/// The YAML package gives a position only with an error: so the file is parsed once more, and an
/// error of ours ends the parsing there.
pub(super) fn locate(text: &str, steps: &[usize], part: Part) -> Option<SourcePosition> {
    let mut written = None;
    let walk = Locator {
        steps,
        part,
        written: &mut written,
    };
    let ended = walk.deserialize(serde_yaml::Deserializer::from_str(text));
    let location = ended.err()?.location()?;
    Some(SourcePosition {
        line: location.line(),
        index: location.index(),
        written,
    })
}

struct Locator<'a> {
    steps: &'a [usize],
    part: Part,
    written: &'a mut Option<String>,
}

impl<'de> DeserializeSeed<'de> for Locator<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.steps.is_empty() {
            deserializer.deserialize_str(self)
        } else {
            deserializer.deserialize_any(self)
        }
    }
}

impl<'de> Visitor<'de> for Locator<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("to end here")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        *self.written = Some(text.to_owned());
        Err(E::custom("it is here"))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        for _ in 0..self.step() {
            elements.next_element::<IgnoredAny>()?;
        }
        elements.next_element_seed(self).map(|_| ())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<(), A::Error> {
        for _ in 0..self.step() {
            entries.next_entry::<IgnoredAny, IgnoredAny>()?;
        }
        if self.steps.is_empty() && self.part == Part::Key {
            return entries.next_key_seed(self).map(|_| ());
        }
        entries.next_key::<IgnoredAny>()?;
        entries.next_value_seed(self)
    }
}

impl Locator<'_> {
    /// Takes the next step, and says how far it is.
    fn step(&mut self) -> usize {
        let Some((step, rest)) = self.steps.split_first() else {
            return 0;
        };
        self.steps = rest;
        *step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_and_its_value_are_found_where_they_are_written() {
        let text = "a: 1 # \u{e9}\r\nb:\n  - x\n  - {c: 0x10, c: 'y'}\nd: &e [1]\n";
        let position = |steps: &[usize], part| {
            let found = locate(text, steps, part).unwrap();
            let rest: String = text[found.index..].chars().take(4).collect();
            (found.line, rest, found.written)
        };
        for (steps, part, line, rest, written) in [
            (&[0][..], Part::Key, 1, "a: 1", Some("a")),
            (&[0], Part::Value, 1, "1 # ", Some("1")),
            (&[1, 0], Part::Key, 3, "x\n  ", Some("x")),
            (&[1, 1, 0], Part::Value, 4, "0x10", Some("0x10")),
            (&[1, 1, 1], Part::Key, 4, "c: '", Some("c")),
            (&[2], Part::Value, 5, "&e [", None),
        ] {
            let expected = (line, rest.to_owned(), written.map(str::to_owned));
            assert_eq!(position(steps, part), expected);
        }
    }
}
