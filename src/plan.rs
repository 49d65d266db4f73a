//! From rows and what the cache knows to what is to be done: a pure function.
//!
//! It asks no service and writes nothing; [`crate::pass`] carries the plan out.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::LocationId;
use crate::known::{
    Appt, Known, MOST_ATTEMPTS, Reason, Refusal, Subject, User, VisitKey, is_possible, primary_id,
};
use crate::libcal::{Row, Unreadable};

/// What is to be done about one day's rows.
#[derive(Debug, Default)]
pub struct Plan {
    /// Who is to be registered for what, the soonest start first.
    pub people: Vec<Person>,
    /// How many visits are registered already.
    pub already_registered: usize,
    /// How many visits have ended and are left alone.
    pub ended: usize,
    /// Appointments that were cancelled in LibCal and are to be marked so.
    pub cancelled: Vec<VisitKey>,
    /// Appointments marked as cancelled that stand again.
    pub stand_again: Vec<VisitKey>,
    /// What is refused without asking any service.
    pub refused: Vec<Refused>,
}

/// One person and the visits to register for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Their primary ID.
    pub primary_id: String,
    /// The user, if the cache knows them and they were not refused since.
    pub user: Option<User>,
    /// The first name as booked; may be blank.
    pub first_name: String,
    /// The last name as booked; may be blank.
    pub last_name: String,
    /// The e-mail address as booked; may be blank.
    pub email: String,
    /// The visits, the soonest start first; at least one.
    pub visits: Vec<Visit>,
}

/// A visit to register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// The booking, person, place and start.
    pub key: VisitKey,
    /// The end, in Unix seconds.
    pub ends_at: i64,
    /// Why it is to be registered.
    pub why: Why,
    /// The appointment, if the cache knows one.
    pub appt: Option<Appt>,
}

/// Why a visit is to be registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It never was.
    New,
    /// Its end is later than the one that is registered.
    Longer,
    /// The outcome of an earlier attempt is not known.
    InDoubt,
}

/// A refusal, fresh from the plan or remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Whom or what it is about.
    pub subject: Subject,
    /// The person, where one is known.
    pub primary_id: Option<String>,
    /// Why.
    pub reason: String,
    /// The booking of each visit that it keeps from being registered.
    pub bookings: Vec<String>,
}

impl Plan {
    /// How many visits are refused.
    #[must_use]
    pub fn refused_visits(&self) -> usize {
        self.refused
            .iter()
            .map(|refused| refused.bookings.len())
            .sum()
    }
}

/// The bookings and primary IDs that the rows speak of: what the plan wants to know from the cache.
#[must_use]
pub fn spoken_of(rows: &[Row], unreadable: &[Unreadable]) -> (BTreeSet<String>, BTreeSet<String>) {
    let bookings = rows.iter().map(|row| row.book_id.clone());
    let unreadable = unreadable.iter().map(|row| row.subject.clone());
    let people = rows
        .iter()
        .filter_map(|row| row.answer.as_deref().map(primary_id));
    (bookings.chain(unreadable).collect(), people.collect())
}

/// Makes the plan. `statuses` are those of an approved booking; `now` is in Unix seconds.
#[must_use]
pub fn plan(
    rows: &[Row],
    unreadable: &[Unreadable],
    known: &Known,
    statuses: &[String],
    now: i64,
) -> Plan {
    let mut draft = Draft {
        known,
        now,
        plan: Plan::default(),
        people: BTreeMap::new(),
        refused: BTreeMap::new(),
    };
    for (slot, group) in groups(rows, statuses) {
        draft.take_in(&slot, &group);
    }
    for row in unreadable {
        // Of what was cancelled or never approved, nothing need be read.
        let may_stand = |status: &String| is_accepted(status, statuses);
        if !row.cancelled && row.status.as_ref().is_none_or(may_stand) {
            let reason = Reason::Unreadable(row.what.clone()).to_string();
            draft.refuse(
                Subject::Form(row.subject.clone()),
                None,
                &row.subject,
                reason,
            );
        }
    }
    draft.finish()
}

/// A plan that is being made.
struct Draft<'a> {
    known: &'a Known,
    now: i64,
    plan: Plan,
    /// By primary ID.
    people: BTreeMap<String, Person>,
    /// Each subject once.
    refused: BTreeMap<Subject, Refused>,
}

impl Draft<'_> {
    /// Decides on one would-be visit.
    fn take_in(&mut self, slot: &RowsSlot, group: &Group<'_>) {
        let Some(ends_at) = group.ends_at else {
            self.note_cancellation(slot, group);
            return;
        };
        if ends_at <= self.now {
            self.plan.ended += 1;
            return;
        }
        let Some(key) = slot.key() else {
            let reason = match slot.typed {
                None => Reason::NoPrimaryId,
                Some(_) => Reason::ImpossiblePrimaryId,
            };
            let subject = Subject::Form(slot.book_id.clone());
            self.refuse(subject, None, &slot.book_id, reason.to_string());
            return;
        };
        match decide(&key, ends_at, self.known, self.now) {
            Decision::Registered { stands_again } => {
                self.plan.already_registered += 1;
                self.plan.stand_again.extend(stands_again.then_some(key));
            }
            Decision::Refused(subject, reason) => {
                self.refuse(subject, Some(key.primary_id), &key.book_id, reason);
            }
            Decision::Register(why, appt) => {
                let visit = Visit {
                    key,
                    ends_at,
                    why,
                    appt,
                };
                self.add_visit(visit, group);
            }
        }
    }

    fn note_cancellation(&mut self, slot: &RowsSlot, group: &Group<'_>) {
        let Some(key) = slot.key().filter(|_| group.withdrawn) else {
            return;
        };
        let mut appts = appts_of(&key.book_id, self.known).iter();
        if appts.any(|appt| is_of(appt, &key) && appt.cancelled_at.is_none()) {
            self.plan.cancelled.push(key);
        }
    }

    fn refuse(
        &mut self,
        subject: Subject,
        primary_id: Option<String>,
        book_id: &str,
        reason: String,
    ) {
        let refused = self.refused.entry(subject.clone()).or_insert(Refused {
            subject,
            primary_id,
            reason,
            bookings: Vec::new(),
        });
        refused.bookings.push(book_id.to_owned());
    }

    fn add_visit(&mut self, visit: Visit, group: &Group<'_>) {
        let id = visit.key.primary_id.clone();
        let person = self.people.entry(id.clone()).or_insert_with(|| Person {
            // Of a user who was refused since, what is stored is not good for anything.
            user: match self.known.refusals.get(&Subject::User(id.clone())) {
                Some(_) => None,
                None => self.known.users.get(&id).cloned(),
            },
            primary_id: id,
            first_name: String::new(),
            last_name: String::new(),
            email: String::new(),
            visits: Vec::new(),
        });
        for row in &group.rows {
            take_if_blank(&mut person.first_name, &row.first_name);
            take_if_blank(&mut person.last_name, &row.last_name);
            take_if_blank(&mut person.email, &row.email);
        }
        person.visits.push(visit);
    }

    /// The plan, the soonest start first.
    fn finish(self) -> Plan {
        let mut people: Vec<_> = self.people.into_values().collect();
        for person in &mut people {
            person.visits.sort_by_key(|visit| visit.key.starts_at);
        }
        people.sort_by_key(|person| person.visits.first().map(|visit| visit.key.starts_at));
        Plan {
            people,
            refused: self.refused.into_values().collect(),
            ..self.plan
        }
    }
}

/// The rows of one would-be visit: as [`VisitKey`], but the ID as it was typed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct RowsSlot {
    book_id: String,
    /// In the form it is known by; nothing if the form has no answer.
    typed: Option<String>,
    lid: LocationId,
    starts_at: i64,
}

impl RowsSlot {
    fn key(&self) -> Option<VisitKey> {
        let primary_id = self.typed.clone().filter(|typed| is_possible(typed))?;
        Some(VisitKey {
            book_id: self.book_id.clone(),
            primary_id,
            lid: self.lid,
            starts_at: self.starts_at,
        })
    }
}

/// What the rows of one slot say together.
struct Group<'a> {
    /// The latest end of the rows that are approved; nothing if none is.
    ends_at: Option<i64>,
    /// Whether every row is cancelled or denied.
    withdrawn: bool,
    rows: Vec<&'a Row>,
}

fn groups<'a>(rows: &'a [Row], statuses: &[String]) -> BTreeMap<RowsSlot, Group<'a>> {
    let mut groups: BTreeMap<RowsSlot, Group<'_>> = BTreeMap::new();
    for row in rows {
        let slot = RowsSlot {
            book_id: row.book_id.clone(),
            typed: row.answer.as_deref().map(primary_id),
            lid: row.lid,
            starts_at: row.starts_at,
        };
        let group = groups.entry(slot).or_insert(Group {
            ends_at: None,
            withdrawn: true,
            rows: Vec::new(),
        });
        if !row.cancelled && is_accepted(&row.status, statuses) {
            // A seat that was cancelled does not make the visit longer.
            group.ends_at = group.ends_at.max(Some(row.ends_at));
        }
        group.withdrawn &= is_withdrawn(row);
        group.rows.push(row);
    }
    groups
}

fn is_accepted(status: &str, statuses: &[String]) -> bool {
    statuses
        .iter()
        .any(|accepted| accepted.trim().eq_ignore_ascii_case(status))
}

/// Whether the row was cancelled or denied, and not just not approved yet.
fn is_withdrawn(row: &Row) -> bool {
    let status = row.status.to_ascii_lowercase();
    row.cancelled || status.starts_with("cancelled") || status == "mediated denied"
}

enum Decision {
    Registered { stands_again: bool },
    Refused(Subject, String),
    Register(Why, Option<Appt>),
}

fn decide(key: &VisitKey, ends_at: i64, known: &Known, now: i64) -> Decision {
    let appts = appts_of(&key.book_id, known);
    if appts.iter().any(|appt| appt.slot.is_none()) {
        return Decision::Registered {
            stands_again: false,
        };
    }
    let appt = appts.iter().find(|appt| is_of(appt, key));
    let why = match appt {
        None => Why::New,
        Some(appt) if covers(appt, ends_at) => {
            return Decision::Registered {
                stands_again: appt.cancelled_at.is_some(),
            };
        }
        Some(appt) if appt.asked_ends_at.is_none() => Why::Longer,
        Some(appt) if appt.attempts >= MOST_ATTEMPTS => {
            return Decision::Refused(
                Subject::Doubt(key.book_id.clone()),
                Reason::GivenUp.to_string(),
            );
        }
        Some(_) => Why::InDoubt,
    };
    let subjects = [
        Subject::User(key.primary_id.clone()),
        Subject::Booking(key.book_id.clone()),
    ];
    for subject in subjects {
        if let Some(refusal) = standing(known, &subject, now) {
            return Decision::Refused(subject, refusal.reason.clone());
        }
    }
    Decision::Register(why, appt.cloned())
}

fn appts_of<'a>(book_id: &str, known: &'a Known) -> &'a [Appt] {
    known.appts.get(book_id).map_or(&[], Vec::as_slice)
}

fn is_of(appt: &Appt, key: &VisitKey) -> bool {
    appt.appt_id == key.book_id
        && appt.slot.as_ref().is_some_and(|slot| {
            slot.primary_id == key.primary_id
                && slot.lid == key.lid
                && slot.starts_at == key.starts_at
        })
}

/// Whether the appointment is registered until that end or later.
fn covers(appt: &Appt, ends_at: i64) -> bool {
    appt.prereg_id.is_some()
        && appt
            .slot
            .as_ref()
            .is_some_and(|slot| slot.ends_at >= ends_at)
}

fn standing<'a>(known: &'a Known, subject: &Subject, now: i64) -> Option<&'a Refusal> {
    known
        .refusals
        .get(subject)
        .filter(|refusal| refusal.stands(now))
}

fn take_if_blank(mine: &mut String, other: &str) {
    if mine.is_empty() {
        other.clone_into(mine);
    }
}
