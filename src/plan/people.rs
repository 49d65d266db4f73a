//! Who is to be registered for what.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::decide::Planner;
use super::listing::Listed;
use super::{Decision, Person, Planned, Visit, Why};
use crate::model::PrimaryId;

impl Planner<'_> {
    pub(super) fn visit_to_register(
        &self,
        planned: &Planned,
        listed: &Listed<'_>,
    ) -> Option<(PrimaryId, Visit)> {
        let Decision::Register(why) = planned.decision else {
            return None;
        };
        let key = &planned.after.key;
        let visit = Visit {
            appt: planned.after.clone(),
            starts_at: key.starts_at?,
            ends_at: listed.ends_at?,
            destination: self.rules.destinations.get(&key.lid?)?.clone(),
            why,
        };
        Some((key.primary_id.clone()?, visit))
    }

    pub(super) fn add_visit(
        &self,
        people: &mut BTreeMap<PrimaryId, Person>,
        id: PrimaryId,
        visit: Visit,
        listed: &Listed<'_>,
    ) {
        let person = people.entry(id.clone()).or_insert_with(|| Person {
            user: self.known.users.get(&id).cloned(),
            primary_id: id,
            first_name: String::new(),
            last_name: String::new(),
            email: String::new(),
            visits: Vec::new(),
        });
        for row in &listed.rows {
            // Of several ways to type it, Alma is asked for one, and then for the normalized form.
            if let Ok(id) = &row.primary_id
                && id.typed() > person.primary_id.typed()
            {
                person.primary_id = id.clone();
            }
            take_if_blank(&mut person.first_name, &row.first_name);
            take_if_blank(&mut person.last_name, &row.last_name);
            take_if_blank(&mut person.email, &row.email);
        }
        person.visits.push(visit);
    }
}

/// The people and their visits, the soonest start first. Of a person, what is in doubt comes
/// before all else and the longer before the shorter, for it may cover what comes after it.
pub(super) fn by_start(people: BTreeMap<PrimaryId, Person>) -> Vec<Person> {
    let mut people: Vec<_> = people.into_values().collect();
    for person in &mut people {
        person.visits.sort_by_key(|visit| {
            (
                visit.why != Why::InDoubt,
                visit.starts_at,
                Reverse(visit.ends_at),
            )
        });
    }
    people.sort_by_key(|person| person.visits.iter().map(|visit| visit.starts_at).min());
    people
}

fn take_if_blank(mine: &mut String, other: &str) {
    if mine.is_empty() {
        other.clone_into(mine);
    }
}
