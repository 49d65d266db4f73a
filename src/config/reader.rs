//! Reads and validates the values of the file, and collects all mistakes.
//!
//! A reader that returns `None` has recorded a mistake.

use std::cell::RefCell;
use std::ops::RangeInclusive;

use super::keys::{KEYS, is_safe_to_print, most_similar, section_of};
use super::mistake::{Mistake, Problem, ValuePath};
use super::plain_text;
use super::yaml::{Node, Part, locate};

/// The file as it is read.
pub(super) struct ConfigFile<'a> {
    text: &'a str,
    mistakes: RefCell<Vec<Mistake>>,
}

impl<'a> ConfigFile<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            mistakes: RefCell::default(),
        }
    }

    /// The value that is the whole file.
    pub(super) fn value<'f>(&'f self, root: &'f Node) -> Value<'f> {
        Value {
            file: self,
            node: root,
            path: ValuePath::default(),
        }
    }

    fn record(&self, path: ValuePath, problem: Problem) {
        self.mistakes.borrow_mut().push(Mistake { path, problem });
    }

    pub(super) fn into_mistakes(self) -> Vec<Mistake> {
        self.mistakes.into_inner()
    }
}

/// A value of the file.
pub(super) struct Value<'a> {
    file: &'a ConfigFile<'a>,
    node: &'a Node,
    path: ValuePath,
}

impl<'a> Value<'a> {
    /// Records that this value breaks its rule.
    pub(super) fn reject<T>(&self, what: impl Into<String>) -> Option<T> {
        self.record_problem(Problem::Value(what.into()))
    }

    fn record_problem<T>(&self, problem: Problem) -> Option<T> {
        self.file.record(self.path.clone(), problem);
        None
    }

    fn reject_kind<T>(&self, expected: &str) -> Option<T> {
        match self.node {
            Node::Null => self.reject("is empty"),
            node => self.reject(format!("must be {expected}, not {}", node.kind())),
        }
    }

    /// The same for a value that must be a section. Of a line below its key that has no colon, YAML
    /// makes a text.
    fn reject_as_section<T>(&self, expected: &str) -> Option<T> {
        let line = |part| Some(locate(self.file.text, &self.path.steps, part)?.line);
        match self.node {
            Node::Text(_) if line(Part::Key) < line(Part::Value) => {
                self.record_problem(Problem::NoColon)
            }
            _ => self.reject_kind(expected),
        }
    }

    /// Its line and its key, as they are put after the file's name.
    pub(super) fn place(&self) -> String {
        let position = locate(self.file.text, &self.path.steps, Part::Key);
        let line = position.map_or(0, |position| position.line);
        format!(", line {line}: {}", self.path.name)
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self.node, Node::Null)
    }

    /// A value that may be left empty.
    pub(super) fn unless_empty<T: Default>(
        &self,
        read: impl FnOnce(&Value<'a>) -> Option<T>,
    ) -> Option<T> {
        match self.node {
            Node::Null => Some(T::default()),
            _ => read(self),
        }
    }

    /// The value as it is written: YAML reads `2.10` and `0x1F` as numbers, without their spelling.
    fn source_text(&self, part: Part) -> Option<String> {
        locate(self.file.text, &self.path.steps, part)?.written
    }

    /// Any text; what YAML reads as a number or a boolean is text too.
    pub(super) fn text(&self) -> Option<String> {
        match self.node {
            Node::Text(text) => Some(text.clone()),
            Node::Whole(_) | Node::Decimal | Node::Bool => self.source_text(Part::Value),
            _ => self.reject_kind("text"),
        }
    }

    /// Text that a rule accepts.
    pub(super) fn checked<T>(&self, rule: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        match rule(&self.text()?) {
            Ok(value) => Some(value),
            Err(what) => self.reject(what),
        }
    }

    /// Text that a rule accepts, and that YAML reads as nothing but what is written there: `&x y`
    /// would be `y`.
    pub(super) fn plain_text<T>(&self, rule: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let source = self.source();
        let mistake =
            source.and_then(|(line, written)| plain_text::mistake(line, written.as_deref()));
        if let Some(mistake) = mistake {
            return self.reject(mistake);
        }
        match self.node {
            Node::Bool | Node::Decimal => self.reject(format!(
                "must be text, not {}: put it in quotes",
                self.node.kind()
            )),
            _ => self.checked(rule),
        }
    }

    /// The first character of the value as it is written, which is a quote if it is in quotes.
    fn first_char(&self) -> Option<char> {
        self.source()?.0.chars().next()
    }

    /// What is written in the line where the value begins, from there on, and the value's text.
    fn source(&self) -> Option<(&'a str, Option<String>)> {
        let source = locate(self.file.text, &self.path.steps, Part::Value)?;
        let line = self.file.text.get(source.index..)?.lines().next()?;
        Some((line.trim(), source.written))
    }

    /// A whole number within a range.
    pub(super) fn number(&self, range: RangeInclusive<u32>) -> Option<u32> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let Node::Whole(number) = self.node else {
            return self.reject_kind(&expected);
        };
        let number = u32::try_from(*number).ok().filter(|n| range.contains(n));
        number.or_else(|| self.reject(format!("must be {expected}")))
    }

    /// A location's number.
    pub(super) fn location(&self) -> Option<i64> {
        let id = self.node.location();
        id.or_else(|| self.reject_kind("a location ID"))
    }

    /// A list, with each of its elements.
    pub(super) fn list<T>(&self, read: impl Fn(&Value<'a>) -> Option<T>) -> Option<Vec<T>> {
        let Node::List(nodes) = self.node else {
            return self.reject_kind("a list");
        };
        let elements = nodes.iter().enumerate().map(|(position, node)| Value {
            file: self.file,
            node,
            path: self.path.element(position),
        });
        // Read all of them, because each may have a mistake.
        let read: Vec<_> = elements.map(|element| read(&element)).collect();
        read.into_iter().collect()
    }

    /// A list that must not be empty; a single element may be there without a list around it.
    pub(super) fn one_or_non_empty_list<T>(
        &self,
        read: impl Fn(&Value<'a>) -> Option<T>,
    ) -> Option<Vec<T>> {
        match self.node {
            Node::List(_) => self.non_empty_list(read),
            // Without that space, all lines together are one text.
            Node::Text(text) if text.starts_with('-') && self.first_char() == Some('-') => self
                .reject("must be a list: write a space after each hyphen, or put a key in quotes"),
            _ => read(self).map(|one| vec![one]),
        }
    }

    /// A list that must not be empty.
    pub(super) fn non_empty_list<T>(
        &self,
        read: impl Fn(&Value<'a>) -> Option<T>,
    ) -> Option<Vec<T>> {
        match self.node {
            Node::List(nodes) if nodes.is_empty() => self.reject("is an empty list"),
            _ => self.list(read),
        }
    }

    /// The keys and values of a map with any keys.
    pub(super) fn entries(&self) -> Option<Vec<(Value<'a>, Value<'a>)>> {
        let Node::Map(entries) = self.node else {
            return self.reject_as_section("a section");
        };
        let value = |node, path| Value {
            file: self.file,
            node,
            path,
        };
        let pair = |(position, (key, node)): (usize, &'a (Node, Node))| {
            let path = self.path.entry(position, None);
            (value(key, path.clone()), value(node, path))
        };
        Some(entries.iter().enumerate().map(pair).collect())
    }

    /// The text of a value that is a key.
    pub(super) fn key(&self) -> Option<String> {
        match self.node {
            Node::Text(text) => Some(text.clone()),
            Node::List(_) | Node::Map(_) | Node::Tagged => self.reject_kind("text"),
            _ => self.source_text(Part::Key),
        }
    }

    /// A location's number that is a key.
    pub(super) fn location_key(&self) -> Option<i64> {
        if let Node::Text(text) = self.node
            && let Some((section, key)) = section_of(text)
        {
            return self.record_problem(Problem::Misplaced { key, section });
        }
        let id = self.node.location();
        id.or_else(|| self.reject("every key must be a location ID"))
    }

    /// A section with known keys.
    pub(super) fn section(&self) -> Option<Section<'a>> {
        match self.node {
            Node::Map(entries) => Some(Section::new(self.file, self.path.clone(), entries)),
            Node::Null => self.record_problem(Problem::NoKeys),
            _ => self.reject_as_section("a section of indented lines `key: value`"),
        }
    }
}

/// A section of the file: its keys are known, and each is there once.
pub(super) struct Section<'a> {
    file: &'a ConfigFile<'a>,
    path: ValuePath,
    entries: &'a [(Node, Node)],
}

impl<'a> Section<'a> {
    /// Records the keys that do not belong here.
    fn new(file: &'a ConfigFile<'a>, path: ValuePath, entries: &'a [(Node, Node)]) -> Self {
        let section = Self {
            file,
            path,
            entries,
        };
        for (position, (key, _)) in entries.iter().enumerate() {
            section.check_key(position, key);
        }
        section
    }

    fn check_key(&self, position: usize, key: &Node) {
        let path = self.path.entry(position, None);
        let unknown = match key {
            Node::Text(key) => key.as_str(),
            _ => return self.file.record(path, Problem::Unknown(None)),
        };
        let Some(known) = self.keys().iter().copied().find(|key| *key == unknown) else {
            return self.file.record(path, self.unknown(unknown));
        };
        let first = self.position(known).unwrap_or(position);
        if first != position {
            let first = self.path.entry(first, None);
            let first = locate(self.file.text, &first.steps, Part::Key);
            let first = first.map_or(0, |source| source.line);
            let problem = Problem::Repeated { key: known, first };
            self.file.record(path, problem);
        }
    }

    fn unknown(&self, key: &str) -> Problem {
        if let Some((section, key)) = section_of(key) {
            return Problem::Misplaced { key, section };
        }
        if !is_safe_to_print(key) {
            return Problem::Unknown(None);
        }
        let absent = self.keys().iter().copied();
        let absent = absent.filter(|key| self.position(key).is_none());
        match most_similar(key, absent) {
            Some(meant) => Problem::Misspelled {
                key: key.to_owned(),
                meant,
            },
            None => Problem::Unknown(Some(key.to_owned())),
        }
    }

    fn keys(&self) -> &'static [&'static str] {
        let name = self.path.name.split('[').next().unwrap_or_default();
        let known = KEYS.iter().find(|(section, _)| *section == name);
        known.map_or(&[], |(_, keys)| keys)
    }

    fn position(&self, key: &str) -> Option<usize> {
        let is_key = |(node, _): &(Node, Node)| matches!(node, Node::Text(text) if text == key);
        self.entries.iter().position(is_key)
    }

    /// The value of a key, if it is there.
    pub(super) fn get(&self, key: &'static str) -> Option<Value<'a>> {
        debug_assert!(self.keys().contains(&key), "{key} in {}", self.path.name);
        let position = self.position(key)?;
        Some(Value {
            file: self.file,
            node: &self.entries[position].1,
            path: self.path.entry(position, Some(key)),
        })
    }

    /// The value of a key that must be there.
    pub(super) fn required<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(&Value<'a>) -> Option<T>,
    ) -> Option<T> {
        let Some(value) = self.get(key) else {
            self.file.record(self.path.clone(), Problem::Missing(key));
            return None;
        };
        read(&value)
    }

    /// The value of a key that may be left out. If the value is wrong, the default is returned, because
    /// the file is rejected anyway.
    pub(super) fn optional<T>(
        &self,
        key: &'static str,
        default: T,
        read: impl FnOnce(&Value<'a>) -> Option<T>,
    ) -> T {
        self.get(key)
            .and_then(|value| read(&value))
            .unwrap_or(default)
    }

    /// A section that may be left out, or empty, as when each of its lines is commented out.
    pub(super) fn optional_section(&self, key: &'static str) -> Section<'a> {
        let value = self.get(key).filter(|value| !value.is_empty());
        let nothing = || Section {
            file: self.file,
            path: self.path.entry(0, Some(key)),
            entries: &[],
        };
        value
            .and_then(|value| value.section())
            .unwrap_or_else(nothing)
    }
}
