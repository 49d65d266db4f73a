//! Who is to be registered for what.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::listed_visit::ListedVisit;
use super::planner::Planner;
use super::{Decision, Person, PlannedVisit, RegisterReason, Visit};
use crate::model::{PrimaryId, User};

impl Planner<'_> {
    pub(super) fn visit_to_register(
        &self,
        planned: &PlannedVisit,
        listed: &ListedVisit<'_>,
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
            failures: planned.after.failures,
        };
        Some((key.primary_id.clone()?, visit))
    }

    pub(super) fn add_visit(
        &self,
        people: &mut BTreeMap<PrimaryId, Person>,
        id: PrimaryId,
        visit: Visit,
        listed: &ListedVisit<'_>,
    ) {
        let person = people.entry(id.clone()).or_insert_with(|| Person {
            user: self.snapshot.users.get(&id).cloned(),
            primary_id: id,
            spellings: BTreeSet::new(),
            first_name: String::new(),
            last_name: String::new(),
            email: String::new(),
            visits: Vec::new(),
        });
        for row in &listed.rows {
            if let Ok(id) = &row.primary_id {
                person.spellings.insert(id.typed().to_owned());
            }
            take_if_blank(&mut person.first_name, &row.first_name);
            take_if_blank(&mut person.last_name, &row.last_name);
            take_if_blank(&mut person.email, &row.email);
        }
        person.visits.push(visit);
    }
}

/// Sorts the people and their visits: those who failed in fewer passes first, so that what keeps
/// failing keeps nobody else out, then the soonest start. Of one person, visits in doubt come first
/// and longer ones before shorter ones, because they may cover those after them.
pub(super) fn prioritize(people: BTreeMap<PrimaryId, Person>) -> Vec<Person> {
    let mut people: Vec<_> = people.into_values().collect();
    let visits = || people.iter().flat_map(|person| &person.visits);
    // At a destination where a visit ended in doubt, the next one may hang too; and if a visit of
    // somebody with a visitor failed, the cause was neither Alma nor the visitor.
    let failed = people.iter().flat_map(|person| {
        let has_visitor = person.user.as_ref().and_then(User::card).is_some();
        let visits = person.visits.iter();
        visits.filter(move |visit| visit.failures > 0 && (has_visitor || visit.appt.has_intent()))
    });
    let failing: BTreeSet<_> = failed.map(|visit| visit.destination.clone()).collect();
    // A visit in doubt may turn out to cover other bookings of the same person.
    let doubtful = visits().filter(|visit| visit.appt.has_intent());
    let doubtful: Vec<_> = doubtful
        .filter_map(|visit| visit.appt.visitor_id.clone())
        .collect();
    for person in &mut people {
        let card = person.user.as_ref().and_then(User::card);
        let has_doubt = person
            .visits
            .iter()
            .any(|visit| visit.why == RegisterReason::InDoubt);
        let is_doubtful =
            !has_doubt && card.is_some_and(|card| doubtful.contains(&card.visitor_id));
        for visit in &mut person.visits {
            let goes_later = is_doubtful || failing.contains(&visit.destination);
            visit.failures = visit.failures.max(goes_later.into());
        }
        person.visits.sort_by_key(|visit| {
            (
                visit.why != RegisterReason::InDoubt,
                visit.starts_at,
                Reverse(visit.ends_at),
            )
        });
    }
    people.sort_by_key(|person| {
        let starts = person.visits.iter().map(|visit| visit.starts_at);
        // Those who failed themselves come after those who may only fail too.
        let own_failures = person.visits.iter().map(|visit| visit.appt.failures);
        (
            person.priority(),
            person.failures(),
            own_failures.min(),
            starts.min(),
        )
    });
    people
}

fn take_if_blank(mine: &mut String, other: &str) {
    if mine.is_empty() {
        other.clone_into(mine);
    }
}
