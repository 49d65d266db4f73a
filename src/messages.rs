//! Formatting for messages: plurals, abbreviated lists of ids, durations.

use std::io;

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::{Summary, VisitKey};

/// How many ids a line names before it says how many more there are.
const MAX_NAMED: usize = 5;

/// A number with its noun.
#[must_use]
pub fn pluralize(number: usize, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}

/// The first ids, and how many more there are.
#[must_use]
pub fn abbreviate(ids: &[String]) -> String {
    let named = ids
        .iter()
        .take(MAX_NAMED)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    match ids.len().saturating_sub(MAX_NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// What the system says of a file or the like, without the number that it goes by there.
#[must_use]
pub fn io_reason(error: &io::Error) -> String {
    let text = error.to_string();
    let number = error
        .raw_os_error()
        .map(|code| format!(" (os error {code})"));
    let words = number.and_then(|number| text.strip_suffix(&number).map(str::to_owned));
    words.unwrap_or(text)
}

/// How messages name a visit: its booking and its person, such as `cs_1 of G10000001`.
#[must_use]
pub fn visit_name(visit: &VisitKey) -> String {
    match &visit.primary_id {
        Some(id) => format!("{} of {id}", visit.booking_id),
        None => visit.booking_id.to_string(),
    }
}

/// How long something took, in its two largest units, such as `2 h 10 min`.
#[must_use]
pub fn duration(time: TimeDelta) -> String {
    // A clock that was set back makes it negative.
    let time = time.max(TimeDelta::zero());
    let (days, hours, minutes) = (
        time.num_days(),
        time.num_hours() % 24,
        time.num_minutes() % 60,
    );
    match (days, hours, minutes) {
        (0, 0, 0) => "less than 1 min".to_owned(),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// How long ago something was, such as `3 min ago`.
#[must_use]
pub fn ago(time: DateTime<Utc>, now: DateTime<Utc>) -> String {
    if time > now {
        return "in the future (check this machine's clock)".to_owned();
    }
    format!("{} ago", duration(now - time))
}

/// A pass in one line.
#[must_use]
pub fn summary_line(summary: &Summary) -> String {
    let mut parts = vec![
        format!("{} registered", summary.registered),
        format!("{} already registered", summary.already_registered),
    ];
    let others = [
        (summary.refused, "refused"),
        (summary.in_doubt, "in doubt"),
        (summary.failed, "waiting"),
        (summary.ended, "ended"),
    ];
    parts.extend(
        others
            .iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, what)| format!("{n} {what}")),
    );
    format!(
        "{}, {}: {} ({:.1} s)",
        pluralize(summary.rows, "row"),
        pluralize(summary.visits, "visit"),
        parts.join(", "),
        summary.seconds
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_a_few_ids_and_counts_the_rest() {
        let ids: Vec<String> = (1..=7).map(|n| format!("cs_{n}")).collect();
        assert_eq!(abbreviate(&ids[..2]), "cs_1, cs_2");
        assert_eq!(abbreviate(&ids), "cs_1, cs_2, cs_3, cs_4, cs_5 and 2 more");
    }

    #[test]
    fn a_system_error_is_words_alone() {
        let denied = io::Error::from_raw_os_error(13);
        assert_eq!(io_reason(&denied), "Permission denied");
        assert_eq!(io_reason(&io::Error::other("no")), "no");
    }

    #[test]
    fn a_duration_has_the_two_largest_units() {
        for (minutes, words) in [
            (0, "less than 1 min"),
            (59, "59 min"),
            (130, "2 h 10 min"),
            (25 * 60 + 59, "1 d 1 h"),
        ] {
            assert_eq!(duration(TimeDelta::minutes(minutes)), words);
        }
    }
}
