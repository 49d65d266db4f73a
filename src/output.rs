//! Standard output, and how ids and times are formatted everywhere.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{ErrorKind, Write};

use anyhow::{Context, Result};
use chrono::{DateTime, Local, Utc};
use env_logger::fmt::style::AnsiColor;
use serde::Serialize;

use crate::model::is_invisible;

/// Writes lines to standard output. A reader that stops reading (`| head`) is not an error.
///
/// # Errors
/// Where they cannot be written, say because the disk is full.
pub fn print<S: AsRef<str>>(lines: impl IntoIterator<Item = S>) -> Result<()> {
    let mut text = String::new();
    for line in lines {
        text.push_str(&escaped(line.as_ref()));
        text.push('\n');
    }
    write(&mut std::io::stdout().lock(), &text)
}

/// How a thing was found to be, as a line of `check` begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Ok,
    /// Usable, but somebody should fix it.
    Warning,
    /// Not usable.
    Failure,
}

/// Writes a line that begins with `ok`, `warn` or `FAIL`, in colour on a terminal that wants it.
///
/// # Errors
/// As [`print()`].
pub fn print_check(level: Level, text: &str) -> Result<()> {
    let (colour, word) = match level {
        Level::Ok => (AnsiColor::Green, "ok"),
        Level::Warning => (AnsiColor::Yellow, "warn"),
        Level::Failure => (AnsiColor::Red, "FAIL"),
    };
    let style = colour.on_default().bold();
    let line = format!("{style}{word:4}{style:#}  {}\n", escaped(text));
    write(&mut anstream::stdout().lock(), &line)
}

fn write(out: &mut impl Write, text: &str) -> Result<()> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to standard output"),
    }
}

/// Writes objects to standard output, one line of JSON each.
///
/// # Errors
/// As [`print()`].
pub fn print_json<T: Serialize>(objects: impl IntoIterator<Item = T>) -> Result<()> {
    let lines: Result<Vec<_>, _> = objects
        .into_iter()
        .map(|object| serde_json::to_string(&object))
        .collect();
    print(lines?)
}

/// Escapes a text, so that it stays on one line and cannot control a terminal or forge a second
/// line: it may contain what strangers type on a form. Control characters are escaped as
/// in JSON, so that a line of JSON stays valid.
#[must_use]
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unprintable) {
        return Cow::Borrowed(text);
    }
    let mut escaped_text = String::new();
    for c in text.chars() {
        match c {
            '\n' => escaped_text.push_str("\\n"),
            '\r' => escaped_text.push_str("\\r"),
            '\t' => escaped_text.push_str("\\t"),
            c if is_unprintable(c) => {
                // Writing to a string cannot fail.
                let _ = write!(escaped_text, "\\u{:04x}", u32::from(c));
            }
            c => escaped_text.push(c),
        }
    }
    Cow::Owned(escaped_text)
}

/// Control characters, line breaks, direction marks and invisible characters.
fn is_unprintable(c: char) -> bool {
    c.is_control() || is_invisible(c) || matches!(c, '\u{2028}' | '\u{2029}')
}

/// A time for a program: RFC 3339 with this machine's offset.
#[must_use]
pub fn rfc3339(time: DateTime<Utc>) -> String {
    time.with_timezone(&Local).to_rfc3339()
}

/// A time for a person, by this machine's clock, such as `Tue 24 Nov 2026 10:30 UTC-05:00`.
#[must_use]
pub fn format_time(time: DateTime<Utc>) -> String {
    let local = time.with_timezone(&Local);
    format!(
        "{} {}",
        local.format("%a %-d %b %Y %H:%M"),
        utc_offset(&local)
    )
}

/// A start and an end for a person, such as `Tue 24 Nov 2026 10:30-12:00 UTC-05:00`.
#[must_use]
pub fn format_time_range(from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    let (start, end) = (from.with_timezone(&Local), to.with_timezone(&Local));
    if start.date_naive() == end.date_naive() && start.offset() == end.offset() {
        let day = start.format("%a %-d %b %Y %H:%M");
        return format!("{day}-{} {}", end.format("%H:%M"), utc_offset(&start));
    }
    format!("{} - {}", format_time(from), format_time(to))
}

/// The UTC offset of a local time, in a form that nobody mistakes for the end of a time range.
fn utc_offset(local: &DateTime<Local>) -> String {
    match local.offset().local_minus_utc() {
        0 => "UTC".to_owned(),
        _ => format!("UTC{}", local.offset()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_visit_on_another_day_has_its_own_date() {
        let start = crate::clock::now();
        let hours = |hours| start + chrono::TimeDelta::hours(hours);
        let range = format_time_range(start, hours(24));
        assert_eq!(
            range,
            format!("{} - {}", format_time(start), format_time(hours(24)))
        );
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(escaped("G1\nerror: all lost"), "G1\\nerror: all lost");
        assert_eq!(escaped("\u{1b}[2J\u{202e}x"), "\\u001b[2J\\u202ex");
        assert!(matches!(escaped("Zoë 123"), Cow::Borrowed(_)));
    }
}
