//! The words for refusals, and for visits that were given up.

use std::collections::BTreeMap;

use crate::messages::{abbreviate, pluralize};
use crate::model::Reason;
use crate::plan::Refusal;

/// A line a reason for these refusals: how many, why, and whom it concerns. A user or a
/// booking is named once, however many visits there are.
#[must_use]
pub fn refusal_lines(refusals: &[&Refusal]) -> Vec<String> {
    let mut groups: BTreeMap<(&str, &Reason), BTreeMap<String, String>> = BTreeMap::new();
    for refusal in refusals {
        let key = &refusal.appt.key;
        let Some(reason) = &refusal.appt.reason else {
            continue;
        };
        let primary_id = key.primary_id.as_ref().map(ToString::to_string);
        let booking = key.booking_id.to_string();
        let (noun, id, with) = match primary_id {
            Some(user) if refusal.is_users() => ("user", user, Some(booking)),
            user => ("booking", booking, user),
        };
        let named = with.map_or_else(|| id.clone(), |with| format!("{id} with {with}"));
        let group = groups.entry((noun, reason)).or_default();
        group.entry(id).or_insert(named);
    }
    let line = |((noun, reason), ids): (&(&str, &Reason), &BTreeMap<String, String>)| {
        let ids: Vec<_> = ids.values().cloned().collect();
        let what = match reason {
            Reason::GivenUp => "",
            Reason::ServesAnother(_) => "cancelled, ",
            _ => "refused, ",
        };
        format!(
            "{} {what}{reason} ({})",
            pluralize(ids.len(), noun),
            abbreviate(&ids)
        )
    };
    groups.iter().map(line).collect()
}
