//! What a pass did, in numbers and in lines for the person who has to know.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::known::Subject;
use crate::plan::Refused;

/// How many ids a line names before it says how many more there are.
const NAMED: usize = 5;

/// A pass in numbers; every visit is counted in one of the fields after `visits`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Rows of all lists.
    pub rows: usize,
    /// Visits that these make.
    pub visits: usize,
    /// Visits that were registered before.
    pub already_registered: usize,
    /// Visits registered by this pass.
    pub registered: usize,
    /// Visits refused, now or before.
    pub refused: usize,
    /// Visits of which it is not known whether this pass registered them.
    pub in_doubt: usize,
    /// Visits that wait because a service did not answer.
    pub failed: usize,
    /// Visits that have ended.
    pub ended: usize,
    /// How long the pass took, in seconds.
    pub seconds: f64,
}

impl Summary {
    /// The numbers in one line.
    #[must_use]
    pub fn line(&self) -> String {
        let mut parts = vec![
            format!("{} registered", self.registered),
            format!("{} already registered", self.already_registered),
        ];
        let others = [
            (self.refused, "refused"),
            (self.in_doubt, "in doubt"),
            (self.failed, "waiting"),
            (self.ended, "ended"),
        ];
        parts.extend(
            others
                .iter()
                .filter(|(n, _)| *n > 0)
                .map(|(n, what)| format!("{n} {what}")),
        );
        format!(
            "{}, {}: {} ({:.1} s)",
            counted(self.rows, "row"),
            counted(self.visits, "visit"),
            parts.join(", "),
            self.seconds
        )
    }
}

/// Ids that share a cause, so that one cause is one line.
pub type Groups = BTreeMap<String, Vec<String>>;

/// Adds ids to a cause.
pub fn add(groups: &mut Groups, cause: &str, ids: impl IntoIterator<Item = String>) {
    groups.entry(cause.to_owned()).or_default().extend(ids);
}

/// A line a reason for these refusals: how many, why, and whom it concerns.
#[must_use]
pub fn refusal_lines(refused: &[&Refused]) -> Vec<String> {
    let mut groups: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for one in refused {
        let (noun, with) = match one.subject {
            Subject::User(_) => ("user", one.bookings.first()),
            _ => ("booking", one.primary_id.as_ref()),
        };
        let id = match with {
            Some(with) => format!("{} with {with}", one.subject.id()),
            None => one.subject.id().to_owned(),
        };
        groups.entry((noun, &one.reason)).or_default().push(id);
    }
    let line = |((noun, reason), ids): (&(&str, &str), &Vec<String>)| {
        format!(
            "{} refused, {reason} ({})",
            counted(ids.len(), noun),
            a_few(ids)
        )
    };
    groups.iter().map(line).collect()
}

/// A number with its noun.
#[must_use]
pub fn counted(number: usize, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}

/// The first ids, and how many more there are.
#[must_use]
pub fn a_few(ids: &[String]) -> String {
    let named = ids
        .iter()
        .take(NAMED)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    match ids.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_a_few_ids_and_counts_the_rest() {
        let ids: Vec<String> = (1..=7).map(|n| format!("cs_{n}")).collect();
        assert_eq!(a_few(&ids[..2]), "cs_1, cs_2");
        assert_eq!(a_few(&ids), "cs_1, cs_2, cs_3, cs_4, cs_5 and 2 more");
    }

    #[test]
    fn refusals_with_one_reason_are_one_line() {
        let refused = |id: &str, booking: &str| Refused {
            subject: Subject::User(id.into()),
            primary_id: Some(id.into()),
            reason: "not in Alma".into(),
            bookings: vec![booking.into()],
        };
        let (one, two) = (refused("G1", "cs_1"), refused("G2", "cs_2"));
        assert_eq!(
            refusal_lines(&[&one, &two]),
            ["2 users refused, not in Alma (G1 with cs_1, G2 with cs_2)"]
        );
    }
}
