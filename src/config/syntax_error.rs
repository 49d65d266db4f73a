//! Syntax errors: what is wrong with a file that is not YAML. The YAML package says where; its
//! messages may contain a secret, and few people understand them. So we look at the line itself.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::mistake::Problem;
use super::source_line::{
    has_alias, has_colon, header_of, indentation, is_content, is_delimited, is_element, key_of,
    lacks_colon, lacks_colon_after_key, open_at_end, separates, unusual_space, value,
};

const COLUMNS: &str = "check the indentation: all keys of a section must start in the same column";

/// The mistake in one line, without the file's name. `text` is what the error is about.
pub(super) fn line(text: &str, error: &serde_yaml::Error) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let position = |line, column| ErrorPosition {
        lines: &lines,
        line,
        column,
    };
    if let Some(at) = lines.iter().position(|line| line.contains(is_control)) {
        let hint = "contains a control character: retype the line";
        return format!(", line {}: {}", at + 1, position(at, 0).with_key(at, hint));
    }
    let (at, hint) = match error.location() {
        Some(location) => {
            let (line, column) = (location.line(), location.column());
            position(line.saturating_sub(1), column.saturating_sub(1)).hint()
        }
        None => match position(0, 0).hint_about_file() {
            Some(hint) => hint,
            None => return ": has too many references (`*`): start from config.yml.example".into(),
        },
    };
    format!(", line {}: {hint}", (at + 1).min(lines.len()))
}

/// The first line whose indentation has something that looks like a space and is none, in one line as above.
/// YAML takes it for the beginning of a key or of a value.
pub(super) fn unusual_indentation(text: &str) -> Option<String> {
    let mut lines = text.lines().enumerate();
    lines.find_map(|(at, line)| Some(format!(", line {}: {}", at + 1, unusual_space(line)?)))
}

fn is_control(c: char) -> bool {
    c.is_control() && c != '\t'
}

/// Where the error is, counted from 0; beyond the last line if something is not closed.
struct ErrorPosition<'a> {
    lines: &'a [&'a str],
    line: usize,
    column: usize,
}

impl ErrorPosition<'_> {
    /// The line to look at, and what is wrong there, with the name of its key.
    fn hint(&self) -> (usize, String) {
        let line = self.lines.get(self.line).copied().unwrap_or_default();
        let here = |hint: &str| (self.line, self.with_key(self.line, hint));
        if indentation(line).contains('\t') {
            return here("a tab in the indentation: use spaces");
        }
        if let Some(mark) = self
            .mark(line)
            .or_else(|| self.bracket_of_secret(self.line))
        {
            return here(&must_be_in_quotes(mark));
        }
        if line.chars().nth(self.column) == Some('\\') {
            return here("`\\` has a special meaning within double quotes: use single quotes");
        }
        if let Some(without) = self.line_without_colon(lacks_colon_after_key) {
            return self.no_colon(without);
        }
        if let Some((opened, mark)) = self.unclosed_mark() {
            let hint = match mark {
                '\'' | '"' => format!("the quote `{mark}` is not closed in this line"),
                _ if self.bracket_of_secret(opened).is_some() => must_be_in_quotes(mark),
                _ => format!("the bracket `{mark}` is not closed, or a comma is missing"),
            };
            return (opened, self.with_key(opened, &hint));
        }
        if let Some(without) = self.line_without_colon(lacks_colon) {
            return self.no_colon(without);
        }
        if self.is_misaligned_element() {
            return here("check the indentation: all hyphens of a list must be in the same column");
        }
        let value = value(line);
        let is_quoted = value.starts_with(['\'', '"']);
        if !is_quoted && !is_delimited(value) && separates(value) {
            return here("a value with a colon in it must be in quotes");
        }
        if is_quoted && !is_delimited(value) {
            return here("unexpected text after the closing quote: check the quotes");
        }
        self.hint_about_columns()
    }

    /// What is wrong with a file of which YAML says no place: with its first line, or what is taken for
    /// a second document. Nothing if there are too many references in it.
    fn hint_about_file(&self) -> Option<(usize, String)> {
        let is_start = |line: &&str| line.starts_with("---");
        let lines = || self.lines.iter();
        let first = lines().position(|line| is_content(line) && !is_start(line))?;
        let line = self.lines[first];
        if lacks_colon_after_key(line) {
            return Some(self.no_colon(first));
        }
        if let Some(("", key)) = key_of(line)
            && !line.starts_with(key)
        {
            let section = "";
            return Some((first, Problem::Misplaced { key, section }.to_string()));
        }
        let second = lines().rposition(is_start);
        if let Some(second) = second.filter(|second| *second > first) {
            let hint = "`---` starts a second document: keep only one";
            return Some((second, hint.into()));
        }
        let has_alias = lines().any(|line| has_alias(line));
        (!has_alias).then(|| (first, self.with_key(first, COLUMNS)))
    }

    fn no_colon(&self, at: usize) -> (usize, String) {
        (at, self.with_key(at, &Problem::NoColon.to_string()))
    }

    /// What is wrong where nothing in the line itself is: the column of a key.
    fn hint_about_columns(&self) -> (usize, String) {
        if let Some((at, problem)) = self.misplaced_key() {
            return (at, problem.to_string());
        }
        let (at, hint) = match self.misaligned_key() {
            Some(at) => (at, COLUMNS),
            None => (
                self.line,
                "check the indentation here and above: all keys of a section must start in the same column",
            ),
        };
        (at, self.with_key(at, hint))
    }

    /// A hint about that line, after the name of the key that is there, or of the list or map whose
    /// element is there.
    fn with_key(&self, at: usize, hint: &str) -> String {
        match self.key_at(at) {
            Some(("", key)) => format!("{key}: {hint}"),
            Some((section, key)) => format!("{section}.{key}: {hint}"),
            None => hint.to_owned(),
        }
    }

    /// The key that is in that line, or that of the list or map whose element is there.
    fn key_at(&self, at: usize) -> Option<(&'static str, &'static str)> {
        let line = self.lines.get(at)?;
        if let Some(named) = key_of(line) {
            return Some(named);
        }
        let mut above = self.lines[..at].iter().rev();
        if is_element(line) {
            return above.find_map(|line| header_of(line));
        }
        let is_outside =
            |other: &&&str| is_content(other) && indentation(other).len() < indentation(line).len();
        above.find(is_outside).and_then(|line| header_of(line))
    }

    /// The bracket that the secret in that line begins with. Only a list of API keys may begin with one.
    fn bracket_of_secret(&self, at: usize) -> Option<char> {
        let line = self.lines.get(at)?;
        let mark = value(line).chars().next();
        let mark = mark.filter(|mark| matches!(mark, '[' | '{'))?;
        let is_secret = match self.key_at(at)?.1 {
            "client_id" | "client_secret" | "username" | "password" => true,
            "apikeys" => mark == '{' || key_of(line).is_none(),
            _ => false,
        };
        is_secret.then_some(mark)
    }

    /// The key nearest above the error that is not in its section's column, and its line: a section
    /// that is indented, or a key that is not.
    fn misplaced_key(&self) -> Option<(usize, Problem)> {
        let until = self.lines.len().min(self.line + 1);
        for (at, line) in self.lines[..until].iter().enumerate().rev() {
            let Some((section, key)) = key_of(line).filter(|(_, key)| has_colon(line, key)) else {
                continue;
            };
            let is_in_first_column = line.starts_with(key);
            if section.is_empty() && is_in_first_column {
                return None;
            }
            if section.is_empty() || is_in_first_column {
                return Some((at, Problem::Misplaced { key, section }));
            }
        }
        None
    }

    /// The first character of a value, if no value can begin with it.
    fn mark(&self, line: &str) -> Option<char> {
        let is_mark = |c: &char| "%@`*&!|>]},".contains(*c);
        let here = line.chars().nth(self.column);
        let dash = value(line).starts_with("- ").then_some('-');
        let first = value(line).chars().next();
        here.filter(is_mark).or(first.filter(is_mark)).or(dash)
    }

    /// The key of the section at the error that is in another column than most of its keys.
    fn misaligned_key(&self) -> Option<usize> {
        let is_start = |line: &&str| is_content(line) && indentation(line).is_empty();
        let until = self.lines.len().min(self.line);
        let start = self.lines[..until].iter().rposition(is_start)?;
        let ("", section) = key_of(self.lines[start])? else {
            return None;
        };
        let below = self.lines.iter().enumerate().skip(start + 1);
        let inside = below.take_while(|(_, line)| !is_start(line));
        let is_own_key = |line: &str| {
            key_of(line).is_some_and(|(of, key)| of == section && has_colon(line, key))
        };
        let keys: Vec<_> = inside
            .filter(|(_, line)| is_own_key(line))
            .map(|(at, line)| (at, indentation(line).len()))
            .collect();
        let mut columns = BTreeMap::new();
        for (_, column) in &keys {
            *columns.entry(*column).or_insert(0) += 1;
        }
        let (usual, _) = columns
            .into_iter()
            .max_by_key(|(column, count)| (*count, Reverse(*column)))?;
        keys.into_iter()
            .find(|(_, column)| *column != usual)
            .map(|(at, _)| at)
    }

    /// Whether the line is an element of a list whose element above it is in another column.
    fn is_misaligned_element(&self) -> bool {
        let Some(line) = self.lines.get(self.line).filter(|line| is_element(line)) else {
            return false;
        };
        let above = self.lines[..self.line].iter().rev();
        let mut elements = above
            .take_while(|line| header_of(line).is_none())
            .filter(|line| is_element(line));
        elements
            .next()
            .is_some_and(|other| indentation(other) != indentation(line))
    }

    /// The line that lacks its colon: the place of the error or a line above it, because YAML notices
    /// only at the next key, and takes a list below a key without a colon for more of its text.
    fn line_without_colon(&self, lacks: fn(&str) -> bool) -> Option<usize> {
        let last = self.lines.len().checked_sub(1)?;
        let at = self.line.min(last);
        if lacks(self.lines[at]) {
            return Some(at);
        }
        let mut above = (0..at).rev().filter(|at| is_content(self.lines[*at]));
        let is_other = |line: &str| !is_element(line) || separates(line);
        let at = above.find(|at| lacks(self.lines[*at]) || is_other(self.lines[*at]))?;
        lacks(self.lines[at]).then_some(at)
    }

    /// The line, up to the place of the error, in which a quote or bracket is opened that is not
    /// closed in it, or for a bracket before that place, and what that is.
    fn unclosed_mark(&self) -> Option<(usize, char)> {
        let until = self.lines.len().min(self.line + 1);
        let mut below = String::new();
        for (at, line) in self.lines[..until].iter().enumerate().rev() {
            match open_at_end(line) {
                Some('[') if below.contains(']') => {}
                Some('{') if below.contains('}') => {}
                Some(mark) => return Some((at, mark)),
                None => {}
            }
            below.push_str(line);
        }
        None
    }
}

fn must_be_in_quotes(mark: char) -> String {
    format!("a value that begins with {mark} must be in quotes")
}
