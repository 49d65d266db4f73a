//! The texts that stand in the sources: every string with words in it, but for SQL and comments.

use std::fs;
use std::path::{Path, PathBuf};

/// The source files, by their paths within `src`.
pub fn files() -> Vec<String> {
    let root = root();
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.strip_prefix(&root) {
                _ if path.is_dir() => folders.push(path),
                Ok(file) => files.push(file.display().to_string()),
                Err(_) => unreachable!("it is below the root"),
            }
        }
    }
    files
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The messages of a source file, as they stand there, without its own tests.
pub fn messages(file: &str) -> Vec<String> {
    let source = fs::read_to_string(root().join(file)).expect(file);
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let strings = strings(source);
    let texts = strings.iter().filter(|text| !is_sql(text));
    let lines = texts.flat_map(|text| text.lines());
    lines
        .filter(|line| has_words(line))
        .map(str::to_owned)
        .collect()
}

/// What a message always says: the text around what is put into it.
pub fn fixed_parts(message: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut is_placeholder = false;
    for c in message.chars() {
        match c {
            '{' => is_placeholder = true,
            '}' => {
                is_placeholder = false;
                parts.push(String::new());
            }
            _ if is_placeholder => {}
            c => parts.last_mut().expect("there is one").push(c),
        }
    }
    let parts = parts
        .iter()
        .map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
    parts.filter(|part| !part.is_empty()).collect()
}

/// Whether at least two words stand there, with a space between them.
fn has_words(text: &str) -> bool {
    let fixed = fixed_parts(text).join(" ");
    let words = fixed.split(|c: char| c.is_whitespace() || c == '/');
    let is_word = |word: &&str| {
        let letters = word.trim_matches(|c: char| !c.is_alphanumeric());
        letters.len() > 1
            && letters
                .chars()
                .all(|c| c.is_alphabetic() || "-'_.".contains(c))
    };
    words.filter(is_word).count() >= 2 && text.contains(' ') && !text.contains('%')
}

fn is_sql(text: &str) -> bool {
    let words = [
        "SELECT ",
        "INSERT ",
        "UPDATE ",
        "DELETE ",
        "CREATE ",
        "PRAGMA ",
        "ALTER ",
        "DROP ",
        "BEGIN ",
        "ORDER BY",
        " = ?",
        "IS NULL",
        "ifnull",
        "appt_id, ",
    ];
    words.iter().any(|word| text.contains(word))
}

/// The string literals of a source, without comments; what a backslash stands for is in its place.
fn strings(source: &str) -> Vec<String> {
    let mut strings = Vec::new();
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        rest = if rest.starts_with("//") {
            rest.split_once('\n').map_or("", |(_, below)| below)
        } else if let Some(raw) = rest.strip_prefix("r\"") {
            let (text, behind) = raw.split_once('"').expect("its end");
            strings.push(text.to_owned());
            behind
        } else if c == '"' {
            let (text, behind) = string(after);
            strings.push(text);
            behind
        } else if c == '\'' {
            behind_character(after)
        } else {
            after
        };
    }
    strings
}

/// A string after its opening quote, and what stands behind it.
fn string(mut rest: &str) -> (String, &str) {
    let mut text = String::new();
    loop {
        let c = rest.chars().next().expect("its end");
        rest = &rest[c.len_utf8()..];
        match c {
            '"' => return (text, rest),
            '\\' => {
                let escaped = rest.chars().next().expect("what is escaped");
                rest = &rest[escaped.len_utf8()..];
                match escaped {
                    'n' => text.push('\n'),
                    '\n' => rest = rest.trim_start(),
                    other => text.push(other),
                }
            }
            c => text.push(c),
        }
    }
}

/// What stands behind a character such as `'"'`, or behind the quote of a lifetime.
fn behind_character(rest: &str) -> &str {
    let length = if rest.starts_with('\\') { 2 } else { 1 };
    let end = rest
        .char_indices()
        .nth(length)
        .map_or(rest.len(), |(at, _)| at);
    rest[end..].strip_prefix('\'').unwrap_or(rest)
}
