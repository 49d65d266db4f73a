//! Who is to be registered for what.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::listed_visit::ListedVisit;
use super::planner::Planner;
use super::{Decision, Person, PlannedVisit, Turn, Visit};
use crate::model::{PrimaryId, User, VisitorId};

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
            turn: Turn::default(),
            is_reported: false,
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

/// Sorts the people and their visits: what failed in fewer passes first, so that what keeps failing
/// keeps nobody else out, then the soonest start. Of one person, longer visits come before shorter
/// ones, because they may cover those after them.
pub(super) fn prioritize(people: BTreeMap<PrimaryId, Person>) -> Vec<Person> {
    let mut people: Vec<_> = people.into_values().collect();
    let delays = Delays::of(&people);
    for person in &mut people {
        let turns: Vec<_> = person
            .visits
            .iter()
            .map(|visit| delays.turn(person, visit))
            .collect();
        for (visit, turn) in person.visits.iter_mut().zip(turns) {
            visit.turn = turn;
        }
        person
            .visits
            .sort_by_key(|visit| (visit.turn, visit.starts_at, Reverse(visit.ends_at)));
    }
    let mut people: Vec<_> = people.into_iter().flat_map(split_by_turn).collect();
    people.sort_by_key(|person| {
        let starts = person.visits.iter().map(|visit| visit.starts_at);
        // Those who failed themselves come after those who may only fail too.
        let own_failures = person.visits.iter().map(|visit| visit.appt.failures);
        (person.turn(), own_failures.min(), starts.min())
    });
    people
}

/// The same person, once for each turn of their visits, which are sorted by it.
fn split_by_turn(mut person: Person) -> Vec<Person> {
    let visits = std::mem::take(&mut person.visits);
    let turns = visits.chunk_by(|one, next| one.turn == next.turn);
    let with = |visits: &[Visit]| Person {
        visits: visits.to_vec(),
        ..person.clone()
    };
    turns.map(with).collect()
}

/// Why a visit comes later than one about which nothing failed, besides its own failures and those of
/// a longer one that it lies within.
struct Delays {
    /// Where a visit ended in doubt, or failed though neither Alma nor the visitor was the cause: the
    /// next visit there may hang too.
    failing_destinations: BTreeSet<String>,
    doubts: Vec<Doubt>,
}

/// A visit in doubt, which may turn out to cover others of the same person, under whatever ID, at the
/// same destination.
struct Doubt {
    primary_id: PrimaryId,
    visitor_id: Option<VisitorId>,
    destination: String,
    failures: u32,
}

impl Doubt {
    fn may_cover(&self, person: &Person, visit: &Visit) -> bool {
        let card = person.user.as_ref().and_then(User::card);
        let is_same_visitor =
            card.is_some_and(|card| self.visitor_id.as_ref() == Some(&card.visitor_id));
        self.destination == visit.destination
            && (is_same_visitor || self.primary_id == person.primary_id)
    }
}

/// Whether a visit of the same person would be covered by the pre-registration of the other one.
fn contains(other: &Visit, visit: &Visit) -> bool {
    other.destination == visit.destination
        && other.starts_at <= visit.starts_at
        && other.ends_at >= visit.ends_at
}

impl Delays {
    fn of(people: &[Person]) -> Self {
        let mut delays = Self {
            failing_destinations: BTreeSet::new(),
            doubts: Vec::new(),
        };
        for person in people {
            let has_visitor = person.user.as_ref().and_then(User::card).is_some();
            for Visit {
                appt, destination, ..
            } in &person.visits
            {
                if appt.failures > 0 && (has_visitor || appt.has_intent()) {
                    delays.failing_destinations.insert(destination.clone());
                }
                if appt.has_intent() {
                    delays.doubts.push(Doubt {
                        primary_id: person.primary_id.clone(),
                        visitor_id: appt.visitor_id.clone(),
                        destination: destination.clone(),
                        failures: appt.failures,
                    });
                }
            }
        }
        delays
    }

    fn turn(&self, person: &Person, visit: &Visit) -> Turn {
        let mut failures = visit.appt.failures;
        if self.failing_destinations.contains(&visit.destination) {
            failures = failures.max(1);
        }
        let is_doubt = visit.appt.has_intent();
        if !is_doubt {
            let longer = person.visits.iter().filter(|other| contains(other, visit));
            let doubts = self
                .doubts
                .iter()
                .filter(|doubt| doubt.may_cover(person, visit));
            let longer = longer.map(|other| other.appt.failures);
            let all = longer.chain(doubts.map(|doubt| doubt.failures.max(1)));
            failures = all.fold(failures, u32::max);
        }
        Turn {
            failures,
            is_after_doubts: failures > 0 && !is_doubt,
        }
    }
}

fn take_if_blank(mine: &mut String, other: &str) {
    if mine.is_empty() {
        other.clone_into(mine);
    }
}
