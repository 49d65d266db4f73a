//! A line of the configuration as text: what can be said of it where YAML cannot read the file.

use super::keys::section_of;
use crate::model::is_invisible;

/// The white space that the line begins with.
pub(super) fn indentation(line: &str) -> &str {
    &line[..line.len() - line.trim_start().len()]
}

/// The text after the key's colon, or else after the dash of a list.
pub(super) fn value(line: &str) -> &str {
    let line = line.trim();
    let element = line.strip_prefix("- ");
    match element.unwrap_or(line).split_once(": ") {
        Some((_, value)) => value.trim(),
        None => element.unwrap_or_default().trim(),
    }
}

/// Whether a value ends with what closes the quote or bracket that it begins with.
pub(super) fn is_delimited(value: &str) -> bool {
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
pub(super) fn key_of(line: &str) -> Option<(&'static str, &'static str)> {
    section_of(first_word(line))
}

/// Whether that known key has its colon.
pub(super) fn has_colon(line: &str, key: &str) -> bool {
    line.split_once(key)
        .is_some_and(|(_, rest)| rest.starts_with(':'))
}

/// Whether a line begins with a known key, or a location, that lacks its colon.
pub(super) fn lacks_colon_after_key(line: &str) -> bool {
    let key = first_word(line);
    let is_location = !key.is_empty() && key.chars().all(|c| c.is_ascii_digit());
    !separates(line) && (section_of(key).is_some() || is_location)
}

/// Whether a line, which may begin with a key of any name, lacks its colon.
pub(super) fn lacks_colon(line: &str) -> bool {
    let is_part_of_more = is_element(line) || line.contains(['[', ']', '{', '}', '\'', '"', ',']);
    is_content(line) && !separates(line) && !is_part_of_more
}

/// Whether a colon is there that separates a key from its value.
pub(super) fn separates(line: &str) -> bool {
    line.contains(": ") || line.trim_end().ends_with(':')
}

/// Whether more is there than white space or a comment.
pub(super) fn is_content(line: &str) -> bool {
    let line = line.trim_start();
    !line.is_empty() && !line.starts_with('#')
}

/// Whether the line is an element of a list.
pub(super) fn is_element(line: &str) -> bool {
    line.trim_start().starts_with("- ")
}

/// The known key that a line begins with, if its value is in the lines below.
pub(super) fn header_of(line: &str) -> Option<(&'static str, &'static str)> {
    let named = key_of(line)?;
    let (_, rest) = line.split_once(named.1)?;
    let value = rest.strip_prefix(':')?.trim_start();
    (value.is_empty() || value.starts_with('#')).then_some(named)
}

/// Whether an alias (`*name`) of YAML is there.
pub(super) fn has_alias(line: &str) -> bool {
    let mut words = line.split([' ', '[', '{', ',']);
    is_content(line) && words.any(|word| word.len() > 1 && word.starts_with('*'))
}

/// What is in the indentation that looks like a space and is none.
pub(super) fn unusual_space(line: &str) -> Option<String> {
    let mut indentation = line
        .chars()
        .take_while(|c| c.is_whitespace() || is_invisible(*c));
    let unusual = indentation.find(|c| !c.is_ascii() && !c.is_control())?;
    let name = match unusual {
        '\u{a0}' => "a no-break space",
        _ if unusual.is_whitespace() => "an unusual space",
        _ => "an invisible character",
    };
    let code = u32::from(unusual);
    Some(format!(
        "{name} (U+{code:04X}) in the indentation: use spaces"
    ))
}

/// The last quote or bracket of a line that is still open at its end.
pub(super) fn open_at_end(line: &str) -> Option<char> {
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
