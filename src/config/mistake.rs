//! Mistakes in the file, and the line that reports each: where it is, what would be right, and no
//! value, because that may be a secret in the wrong place.

use std::fmt;

use super::yaml::{Part, locate};

/// The path of a value in the tree, and its name.
#[derive(Debug, Clone, Default)]
pub(super) struct ValuePath {
    /// The position in its map or list, at each level.
    pub(super) steps: Vec<usize>,
    /// `LibCal.locations[0]`; empty for the whole file.
    pub(super) name: String,
}

impl ValuePath {
    /// The place of a map's entry. A key that may be any text is not in its name.
    pub(super) fn entry(&self, position: usize, key: Option<&str>) -> Self {
        let name = match key {
            Some(key) if self.name.is_empty() => key.to_owned(),
            Some(key) => format!("{}.{key}", self.name),
            None => self.name.clone(),
        };
        Self {
            steps: [&self.steps[..], &[position]].concat(),
            name,
        }
    }

    /// The place of a list's element.
    pub(super) fn element(&self, position: usize) -> Self {
        Self {
            steps: [&self.steps[..], &[position]].concat(),
            name: format!("{}[{position}]", self.name),
        }
    }
}

/// What is wrong at a place.
#[derive(Debug)]
pub(super) enum Problem {
    /// A section lacks a key that it must have.
    Missing(&'static str),
    /// An unknown key that is nearly a known one which is not there.
    Misspelled { key: String, meant: &'static str },
    /// A key that belongs to another section, which is "" for the file's own sections.
    Misplaced {
        key: &'static str,
        section: &'static str,
    },
    /// An unknown key; its name is given only if it is safe to print.
    Unknown(Option<String>),
    /// A key that appears for the second time, with the line of the first.
    Repeated { key: &'static str, first: usize },
    /// A section with nothing in it.
    NoKeys,
    /// A section of one line in which no colon follows the key.
    NoColon,
    /// A value that breaks its rule.
    Value(String),
}

impl Problem {
    /// The part of the value that is wrong.
    fn part(&self) -> Part {
        match self {
            Self::NoColon => Part::Value,
            _ => Part::Key,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(key) => write!(f, "missing key `{key}`"),
            Self::Misspelled { key, meant } => {
                write!(f, "unknown key `{key}`: did you mean `{meant}`?")
            }
            Self::Misplaced { key, section: "" } => {
                write!(f, "the section `{key}` must start in the first column: check its indentation")
            }
            Self::Misplaced { key, section } => {
                write!(f, "`{key}` belongs to {section}: check its indentation")
            }
            Self::Unknown(Some(key)) => write!(f, "unknown key `{key}`"),
            Self::Unknown(None) => f.write_str(
                "unknown key (not shown: it may be indented wrongly, or have a value on the wrong side of its colon, or follow an unclosed quote or bracket)",
            ),
            Self::Repeated { key, first } => {
                write!(f, "`{key}` appears twice, first in line {first}: remove one")
            }
            Self::NoColon => f.write_str(
                "no colon and space between the key and its value: write `key: value`",
            ),
            Self::NoKeys => f.write_str("is empty: its keys must be indented below it"),
            Self::Value(what) => f.write_str(what),
        }
    }
}

/// A mistake in the file.
#[derive(Debug)]
pub(super) struct Mistake {
    pub(super) path: ValuePath,
    pub(super) problem: Problem,
}

impl Mistake {
    /// Whether the other mistake is a consequence of this one, and need not be reported.
    fn explains(&self, other: &Self) -> bool {
        match (&self.problem, &other.problem) {
            (Problem::Misspelled { meant, .. }, Problem::Missing(key)) => {
                let section = self.path.steps.split_last().map(|(_, section)| section);
                meant == key && section == Some(&other.path.steps)
            }
            (Problem::Misplaced { key, .. }, Problem::Missing(missing)) => key == missing,
            (Problem::Misplaced { key, section: "" }, Problem::Misplaced { section, .. }) => {
                key == section
            }
            (Problem::NoKeys, Problem::Misplaced { section, .. }) => self.path.name == *section,
            _ => false,
        }
    }
}

/// Nobody reads more lines than this: it is another program's file.
const MAX_LINES: usize = 50;

/// The mistakes, one line each without the file's name, in the order of the file.
pub(super) fn lines(text: &str, mistakes: &[Mistake]) -> Vec<String> {
    let is_explained = |one: &&Mistake| mistakes.iter().any(|other| other.explains(one));
    let mut lines: Vec<_> = mistakes
        .iter()
        .filter(|one| !is_explained(one))
        .take(MAX_LINES)
        .map(|Mistake { path, problem }| {
            let position = locate(text, &path.steps, problem.part());
            let line = line(
                path,
                position.as_ref().map(|position| position.line),
                problem,
            );
            (position.map(|position| position.index), line)
        })
        .collect();
    lines.sort_by_key(|(index, _)| *index);
    lines.into_iter().map(|(_, line)| line).collect()
}

fn line(path: &ValuePath, line: Option<usize>, problem: &Problem) -> String {
    let line = line.filter(|_| !path.steps.is_empty());
    let line = line.map_or_else(String::new, |line| format!(", line {line}"));
    match path.name.as_str() {
        "" => format!("{line}: {problem}"),
        name => format!("{line}: {name}: {problem}"),
    }
}
