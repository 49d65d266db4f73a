//! The plan: from LibCal's rows and what the cache knows to the state of every visit, and to what
//! is to be done. A pure function.
//!
//! It asks no service and writes nothing; [`crate::pass`] carries the plan out.

mod listed_visit;
mod people;
mod planner;
mod shared_prereg;
mod unlisted;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, FixedOffset, Utc};

use crate::config::Location;
use crate::libcal::{Row, UnreadableRow};
use crate::model::{
    Appt, BookingId, CacheSnapshot, LocationId, PrimaryId, Reason, State, User, VisitKey,
};
use listed_visit::listed_visits;
use people::prioritize;
use planner::Planner;

/// What the plan depends on, besides the rows and the cache.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The statuses of an approved booking.
    pub statuses: &'a [String],
    /// The destination of each location.
    pub destinations: &'a BTreeMap<LocationId, String>,
    /// Whether every list was read to its end.
    pub lists_are_complete: bool,
    /// The locations whose lists were not read to the end.
    pub incomplete_locations: &'a BTreeSet<LocationId>,
    /// The locations whose lists were read.
    pub locations: &'a [Location],
    /// How many days after today the lists go on.
    pub days: u32,
    /// The UTC offset of the library's clock, in case no row tells it.
    pub offset: FixedOffset,
    /// When the last full pass ended.
    pub last_pass: Option<DateTime<Utc>>,
    /// The locations whose lists the last pass could not read, and since when that was so.
    pub unread_since: &'a BTreeMap<LocationId, DateTime<Utc>>,
    /// The current time.
    pub now: DateTime<Utc>,
}

/// What one pass is to do about LibCal's rows.
#[derive(Debug, Default)]
pub struct Plan {
    /// Every visit that LibCal lists, and those that were moved away.
    pub visits: Vec<PlannedVisit>,
    /// What is to be deleted from the cache.
    pub forgotten: Vec<VisitKey>,
    /// Who is to be registered for what, sorted by turn, then by the soonest start. Somebody whose
    /// visits have different turns is there once for each.
    pub people: Vec<Person>,
}

/// A visit, as the cache has it and as it now is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedVisit {
    /// As the cache has it, if it does.
    pub before: Option<Appt>,
    /// As it is now.
    pub after: Appt,
    /// What that means for this pass.
    pub decision: Decision,
}

/// What is to be done about a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Nothing: PassagePoint expects the person.
    AlreadyRegistered,
    /// Nothing: LibCal does not want them to be expected.
    NotExpected,
    /// Nothing: it has ended.
    Ended,
    /// To be registered, for that reason.
    Register(RegisterReason),
    /// Nothing for now: the visit is refused, or all of the user's are.
    Refused {
        /// When the refusal was last reported.
        reported_at: Option<DateTime<Utc>>,
    },
    /// Nothing until a person has checked: it was given up in doubt.
    GivenUp,
    /// Nothing for now: it is in doubt, and PassagePoint answered with a 5xx too often, or the
    /// warning that it may be registered twice can reach nobody.
    Postponed,
    /// Nothing but to tell a person that its pre-registration serves another booking.
    ServesAnother,
}

/// A visit that is refused, was given up in doubt, or was cancelled while its pre-registration
/// serves another booking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The visit, with the reason.
    pub appt: Appt,
    /// When that was last reported.
    pub reported_at: Option<DateTime<Utc>>,
}

impl Refusal {
    /// Whether the user is refused, with all their visits.
    #[must_use]
    pub fn is_about_user(&self) -> bool {
        let reason = self.appt.reason.as_ref();
        reason.is_some_and(Reason::is_about_user)
    }

    /// Whether the visit waits for a person to check whether it is registered.
    #[must_use]
    pub fn is_given_up(&self) -> bool {
        self.appt.state == State::InDoubt
    }
}

/// Why a visit is to be registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegisterReason {
    /// It never was.
    New,
    /// Its end is later than the one that is registered.
    Longer,
    /// The outcome of an earlier attempt is not known.
    InDoubt,
}

/// One person and the visits to register for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Their primary ID.
    pub primary_id: PrimaryId,
    /// The spellings in which it was typed.
    pub spellings: BTreeSet<String>,
    /// The user, if the cache knows them.
    pub user: Option<User>,
    /// The first name as booked; may be blank.
    pub first_name: String,
    /// The last name as booked; may be blank.
    pub last_name: String,
    /// The e-mail address as booked; may be blank.
    pub email: String,
    /// The visits, all of one turn, the soonest start first; at least one.
    pub visits: Vec<Visit>,
}

/// A visit to register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// The appointment, as the cache has it once the plan is saved.
    pub appt: Appt,
    /// The start.
    pub starts_at: DateTime<Utc>,
    /// The end to register.
    pub ends_at: DateTime<Utc>,
    /// The destination.
    pub destination: String,
    /// Why it is to be registered.
    pub why: RegisterReason,
    /// When it is its turn.
    pub turn: Turn,
    /// Whether this pass has reported that it may be registered twice.
    pub is_reported: bool,
}

/// When it is a visit's turn, the lowest first. What comes later waits until all before it is done,
/// because it may hang.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn {
    /// How many passes failed for this visit, or for one that it has to wait for.
    pub failures: u32,
    /// Whether a visit in doubt that failed as often comes before, because it may cover this one.
    pub is_after_doubts: bool,
}

impl Person {
    /// When it is the turn of their visits.
    #[must_use]
    pub fn turn(&self) -> Turn {
        let turns = self.visits.iter().map(|visit| visit.turn);
        turns.min().unwrap_or_default()
    }
}

impl Plan {
    /// How many visits have such a decision.
    #[must_use]
    pub fn count(&self, is_counted: impl Fn(Decision) -> bool) -> usize {
        let visits = self.visits.iter();
        visits.filter(|visit| is_counted(visit.decision)).count()
    }

    /// Whether there is a visit in doubt that is to be tried again, now or later.
    #[must_use]
    pub fn has_visits_in_doubt(&self) -> bool {
        let is_doubt = |decision| {
            matches!(
                decision,
                Decision::Register(RegisterReason::InDoubt) | Decision::Postponed
            )
        };
        self.count(is_doubt) > 0
    }

    /// Leaves every visit in doubt as it is.
    pub fn postpone_visits_in_doubt(&mut self) {
        for visit in &mut self.visits {
            if visit.decision == Decision::Register(RegisterReason::InDoubt) {
                visit.decision = Decision::Postponed;
            }
        }
        for person in &mut self.people {
            person
                .visits
                .retain(|visit| visit.why != RegisterReason::InDoubt);
        }
        self.people.retain(|person| !person.visits.is_empty());
    }

    /// The visits to report: refused ones, those that were given up, and those whose
    /// pre-registration serves another booking.
    #[must_use]
    pub fn refusals(&self) -> Vec<Refusal> {
        let refusal = |visit: &PlannedVisit| {
            let reported_at = match visit.decision {
                Decision::Refused { reported_at } => reported_at,
                Decision::GivenUp | Decision::ServesAnother => visit.after.reported_at(),
                _ => return None,
            };
            Some(Refusal {
                appt: visit.after.clone(),
                reported_at,
            })
        };
        self.visits.iter().filter_map(refusal).collect()
    }

    /// The visits that are not as the cache has them.
    pub fn changed(&self) -> impl Iterator<Item = &PlannedVisit> {
        let visits = self.visits.iter();
        visits.filter(|visit| visit.before.as_ref() != Some(&visit.after))
    }

    /// Whether anything differs from what the cache has.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        self.changed().next().is_some() || !self.forgotten.is_empty()
    }
}

/// The bookings and primary IDs that the rows refer to: what the plan needs to know from the cache.
#[must_use]
pub fn referenced_ids(
    rows: &[Row],
    unreadable: &[UnreadableRow],
) -> (BTreeSet<BookingId>, BTreeSet<PrimaryId>) {
    let bookings = rows.iter().map(|row| &row.booking_id);
    let people = rows.iter().filter_map(|row| row.primary_id.as_ref().ok());
    let others = unreadable.iter();
    let other_people = others.clone().filter_map(|row| row.primary_id.as_ref());
    let other_bookings = others.map(|row| &row.booking_id);
    (
        bookings.chain(other_bookings).cloned().collect(),
        people.chain(other_people).cloned().collect(),
    )
}

/// Makes the plan.
#[must_use]
pub fn plan(
    rows: &[Row],
    unreadable: &[UnreadableRow],
    snapshot: &CacheSnapshot,
    rules: &Rules<'_>,
) -> Plan {
    let planner = Planner { snapshot, rules };
    let listed = listed_visits(rows, unreadable, rules.statuses);
    let mut plan = Plan::default();
    let mut people = BTreeMap::new();
    for (key, listed) in &listed {
        let visit = planner.plan_visit(key, listed);
        if let Some((primary_id, visit)) = planner.visit_to_register(&visit, listed) {
            planner.add_visit(&mut people, primary_id, visit, listed);
        }
        plan.visits.push(visit);
    }
    if rules.lists_are_complete {
        planner.plan_unlisted(rows, &listed, &mut plan);
    }
    planner.mark_shared_preregs(&mut plan.visits);
    plan.people = prioritize(people);
    plan
}
