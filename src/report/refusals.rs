//! The lines that report refusals, and visits that were given up.

use std::collections::{BTreeMap, BTreeSet};

use crate::messages::{abbreviate, pluralize};
use crate::model::Reason;
use crate::plan::Refusal;

/// One line for each reason: how many refusals, why, and whom they concern. A user or a
/// booking is named once, however many visits there are.
#[must_use]
pub fn refusal_lines(refusals: &[&Refusal]) -> Vec<String> {
    let mut groups: BTreeMap<(&str, &Reason), BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for refusal in refusals {
        let key = &refusal.appt.key;
        let Some(reason) = &refusal.appt.reason else {
            continue;
        };
        let primary_id = key.primary_id.as_ref().map(ToString::to_string);
        let booking = key.booking_id.to_string();
        let (noun, id, with) = match primary_id {
            Some(user) if refusal.is_about_user() => ("user", user, Some(booking)),
            user => ("booking", booking, user),
        };
        let group = groups.entry((noun, reason)).or_default();
        group.entry(id).or_default().extend(with);
    }
    let line = |((noun, reason), ids): (&(&str, &Reason), &BTreeMap<String, BTreeSet<String>>)| {
        // Of several bookings or users, naming one is enough.
        let named = |(id, with): (&String, &BTreeSet<String>)| match with.first() {
            Some(with) if *noun == "user" => format!("{id} with {with}"),
            Some(with) => format!("{id} of {with}"),
            None => id.clone(),
        };
        let ids: Vec<_> = ids.iter().map(named).collect();
        let what = match reason {
            Reason::GivenUp => "",
            Reason::ServesAnother(_) | Reason::GoneServesAnother(_) => "cancelled, ",
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
