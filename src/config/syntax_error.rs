//! Syntax errors: what is wrong with a file that is not YAML. The YAML package says where; its
//! messages may contain a secret, and few people understand them. So we look at the line itself.

use super::keys::section_of;
use super::mistake::Problem;

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
    let Some(location) = error.location() else {
        return match lines.iter().rposition(|line| line.starts_with("---")) {
            Some(at) => format!(
                ", line {}: `---` starts a second document: keep only one",
                at + 1
            ),
            None => ": has too many references (`*`): start from config.yml.example".into(),
        };
    };
    let (line, column) = (location.line(), location.column());
    let (line, hint) = position(line.saturating_sub(1), column.saturating_sub(1)).hint();
    format!(", line {}: {hint}", (line + 1).min(lines.len()))
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
        if let Some(without) = self.line_without_colon() {
            let hint = "no colon and space between the key and its value: write `key: value`";
            return (without, self.with_key(without, hint));
        }
        if let Some((opened, mark)) = self.unclosed_mark() {
            let hint = match mark {
                '\'' | '"' => format!("the quote `{mark}` is not closed in this line"),
                _ if self.bracket_of_secret(opened).is_some() => must_be_in_quotes(mark),
                _ => format!("the bracket `{mark}` is not closed, or a comma is missing"),
            };
            return (opened, self.with_key(opened, &hint));
        }
        let value = value(line);
        let is_quoted = value.starts_with(['\'', '"']);
        if !is_quoted && !is_delimited(value) && (value.contains(": ") || value.ends_with(':')) {
            return here("a value with a colon in it must be in quotes");
        }
        if is_quoted && !is_delimited(value) {
            return here("unexpected text after the closing quote: check the quotes");
        }
        if let Some((at, problem)) = self.misplaced_key() {
            return (at, problem.to_string());
        }
        here(
            "check the indentation here and above: all keys of a section must start in the same column",
        )
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
        let is_element = |line: &str| line.starts_with(|c: char| c == '-' || c.is_ascii_digit());
        let until = self.lines.len().min(at + 1);
        let mut lines = self.lines[..until].iter().rev();
        lines.next().and_then(|line| match key_of(line) {
            None if is_element(line.trim_start()) => lines.find_map(|line| key_of(line)),
            key => key,
        })
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

    /// The line of a known key, or of a location, that lacks its colon: the place of the error
    /// or the line before it, because YAML notices only at the next key.
    fn line_without_colon(&self) -> Option<usize> {
        let is_content = |at: &usize| {
            let line = self.lines[*at].trim_start();
            !line.is_empty() && !line.starts_with('#')
        };
        let last = self.lines.len().checked_sub(1)?;
        let before = (0..self.line.min(last + 1)).rfind(is_content);
        [Some(self.line.min(last)), before]
            .into_iter()
            .flatten()
            .find(|at| lacks_colon(self.lines[*at]))
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

fn indentation(line: &str) -> &str {
    &line[..line.len() - line.trim_start().len()]
}

/// The text after the key's colon, or else after the dash of a list.
fn value(line: &str) -> &str {
    let line = line.trim();
    let element = line.strip_prefix("- ");
    match element.unwrap_or(line).split_once(": ") {
        Some((_, value)) => value.trim(),
        None => element.unwrap_or_default().trim(),
    }
}

/// Whether a value ends with what closes the quote or bracket that it begins with.
fn is_delimited(value: &str) -> bool {
    let (first, last) = (value.chars().next(), value.chars().last());
    let is_even = |mark: char| value.matches(mark).count().is_multiple_of(2);
    match (first, last) {
        (Some(mark @ ('\'' | '"')), Some(end)) => end == mark && is_even(mark),
        (Some('['), Some(']')) | (Some('{'), Some('}')) => true,
        _ => false,
    }
}

/// The word that a line begins with, behind the dash of a list.
fn first_word(line: &str) -> &str {
    let line = line.trim().trim_start_matches("- ");
    let end = line.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    &line[..end.unwrap_or(line.len())]
}

/// The known key that a line begins with, and its section.
fn key_of(line: &str) -> Option<(&'static str, &'static str)> {
    section_of(first_word(line))
}

fn has_colon(line: &str, key: &str) -> bool {
    line.split_once(key)
        .is_some_and(|(_, rest)| rest.starts_with(':'))
}

fn lacks_colon(line: &str) -> bool {
    let line = line.trim().trim_start_matches("- ");
    let key = first_word(line);
    let is_location = !key.is_empty() && key.chars().all(|c| c.is_ascii_digit());
    let has_colon = line.contains(": ") || line.ends_with(':');
    !has_colon && (section_of(key).is_some() || is_location)
}

/// The last quote or bracket of a line that is still open at its end.
fn open_at_end(line: &str) -> Option<char> {
    let mut open = Vec::new();
    let mut before = ' ';
    for c in line.chars() {
        let quote = open
            .last()
            .copied()
            .filter(|mark| matches!(mark, '\'' | '"'));
        let may_open = before == ' ' || "[{,".contains(before);
        match (quote, c) {
            (Some('"'), '"') if before == '\\' => {}
            (Some(quote), c) if c == quote => {
                open.pop();
            }
            (None, '#') if before == ' ' => break,
            (None, '\'' | '"' | '[' | '{') if may_open => open.push(c),
            (None, ']' | '}') => {
                open.pop();
            }
            _ => {}
        }
        before = c;
    }
    open.last().copied()
}
