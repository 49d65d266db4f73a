//! What is wrong with a file that is no YAML. The YAML package says where; its words may hold a
//! secret, and few people understand them. So our own come from the line itself.

use super::keys::section_of;

/// The mistake in one line, without the file's name. `text` is what the error is about.
pub(super) fn line(text: &str, error: &serde_yaml::Error) -> String {
    let lines: Vec<&str> = text.lines().collect();
    if let Some(at) = lines.iter().position(|line| line.contains(is_control)) {
        return format!(
            ", line {}: contains a control character: retype the line",
            at + 1
        );
    }
    let Some(location) = error.location() else {
        return match lines.iter().rposition(|line| line.starts_with("---")) {
            Some(at) => format!(
                ", line {}: `---` starts a second document: keep only one",
                at + 1
            ),
            None => ": is nested too deeply: start from config.yml.example".into(),
        };
    };
    let position = ErrorPosition {
        lines: &lines,
        line: location.line().saturating_sub(1),
        column: location.column().saturating_sub(1),
    };
    let (line, hint) = position.hint();
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
    /// The line to look at, and what is wrong there.
    fn hint(&self) -> (usize, String) {
        let line = self.lines.get(self.line).copied().unwrap_or_default();
        let here = |hint: &str| (self.line, hint.to_owned());
        if indentation(line).contains('\t') {
            return here("a tab in the indentation: use spaces");
        }
        if let Some(mark) = self.mark(line) {
            return (
                self.line,
                format!("a value that begins with {mark} must be in quotes"),
            );
        }
        if line.chars().nth(self.column) == Some('\\') {
            return here("`\\` has a special meaning within double quotes: use single quotes");
        }
        if let Some(without) = self.line_without_colon() {
            let hint = "no colon and space between the key and its value: write `key: value`";
            return (without, hint.to_owned());
        }
        if let Some((opened, mark)) = self.unclosed_mark() {
            let hint = match mark {
                '\'' | '"' => format!("the quote `{mark}` is not closed in this line"),
                _ => format!("the bracket `{mark}` is not closed, or a comma is missing"),
            };
            return (opened, hint);
        }
        if value(line).contains(": ") || value(line).ends_with(':') {
            return here("a value with a colon in it must be in quotes");
        }
        if value(line).starts_with(['\'', '"']) {
            return here("unexpected text after the closing quote: check the quotes");
        }
        here(
            "check the indentation here and above: all keys of a section must start in the same column",
        )
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
    /// or the line before it, for YAML notices only at the next key.
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

fn indentation(line: &str) -> &str {
    &line[..line.len() - line.trim_start().len()]
}

/// What is behind the key's colon, or else behind the dash of a list.
fn value(line: &str) -> &str {
    let line = line.trim();
    let element = line.strip_prefix("- ");
    match element.unwrap_or(line).split_once(": ") {
        Some((_, value)) => value.trim(),
        None => element.unwrap_or_default().trim(),
    }
}

fn lacks_colon(line: &str) -> bool {
    let line = line.trim().trim_start_matches("- ");
    let end = line.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let key = &line[..end.unwrap_or(line.len())];
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
