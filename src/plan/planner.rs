//! The state of one visit, from what LibCal lists and what the cache knows.

use chrono::{DateTime, Utc};

use super::listed_visit::{Approval, ListedVisit};
use super::{Decision, PlannedVisit, RegisterReason, Rules};
use crate::model::{
    Appt, BookingId, CacheSnapshot, MAX_ATTEMPTS, REFUSAL_RETRY_INTERVAL, Reason, State, VisitKey,
    has_elapsed,
};

/// Decides about each visit, by the rules and by what the cache knows.
pub(super) struct Planner<'a> {
    pub(super) snapshot: &'a CacheSnapshot,
    pub(super) rules: &'a Rules<'a>,
}

impl Planner<'_> {
    pub(super) fn plan_visit(&self, key: &VisitKey, listed: &ListedVisit<'_>) -> PlannedVisit {
        let now = self.rules.now;
        let mut of_booking = self.appts_of(&key.booking_id).iter();
        let before = of_booking.find(|appt| appt.key == *key);
        if let Some(known) = before.filter(|_| self.may_have_unread_rows(key, listed)) {
            return PlannedVisit {
                before: Some(known.clone()),
                after: known.clone(),
                decision: Decision::NotExpected,
            };
        }
        let appt = match before {
            Some(appt) => appt.clone(),
            None => Appt::new(key.clone(), listed.ends_at, now),
        };
        let has_ended = listed.ends_at.is_some_and(|end| end <= now);
        let (after, decision) = if has_ended {
            self.plan_ended(before.is_some(), appt, listed)
        } else {
            self.plan_listed(with_listed(appt, listed), listed)
        };
        // A visit that had ended when its list was last read and is not in the cache was pruned.
        let is_pruned = before.is_none() && has_ended && listed.ends_at <= self.last_read(key);
        PlannedVisit {
            before: before.cloned().or_else(|| is_pruned.then(|| after.clone())),
            after,
            decision,
        }
    }

    /// When this visit's list was last read.
    fn last_read(&self, key: &VisitKey) -> Option<DateTime<Utc>> {
        let last_pass = self.rules.last_pass.filter(|at| *at <= self.rules.now)?;
        let unread_since = key.lid.and_then(|lid| self.rules.unread_since.get(&lid));
        Some(unread_since.map_or(last_pass, |since| last_pass.min(*since)))
    }

    /// Whether a row that could not be read may change the picture: another seat may be approved, or
    /// the reason for a refusal may be a different one.
    fn may_have_unread_rows(&self, key: &VisitKey, listed: &ListedVisit<'_>) -> bool {
        let is_good = listed.approval == Approval::Approved && listed.problem.is_none();
        let is_incomplete = |lid| self.rules.incomplete_locations.contains(&lid);
        !is_good && key.lid.is_some_and(is_incomplete)
    }

    /// Leaves a visit that has ended alone; of one that is new, records the state.
    fn plan_ended(&self, is_known: bool, appt: Appt, listed: &ListedVisit<'_>) -> (Appt, Decision) {
        let decision = match listed.approval {
            Approval::Approved => Decision::Ended,
            _ => Decision::NotExpected,
        };
        if is_known {
            // It may be over because LibCal shortened it.
            let ends_at = listed.ends_at.max(appt.registered_ends_at);
            return (Appt { ends_at, ..appt }, decision);
        }
        let (appt, found) = self.plan_listed(with_listed(appt, listed), listed);
        let appt = match found {
            Decision::Register(_) => {
                appt.with_state(State::Waiting, Some(Reason::TooLate), self.rules.now)
            }
            _ => appt,
        };
        (appt, decision)
    }

    fn plan_listed(&self, appt: Appt, listed: &ListedVisit<'_>) -> (Appt, Decision) {
        let now = self.rules.now;
        let status = listed.status.clone().unwrap_or_default();
        match listed.approval {
            Approval::Approved => self.plan_approved(appt, listed),
            Approval::Cancelled => {
                // Whether its pre-registration serves another visit is known when all are planned.
                let is_shared = matches!(appt.reason, Some(Reason::ServesAnother(_)));
                let mut reason = appt.reason.clone().filter(|_| is_shared);
                if self.is_imported(&appt) {
                    reason = Some(Reason::Imported);
                }
                let appt = appt.with_state(State::Cancelled, reason, now);
                (appt, Decision::NotExpected)
            }
            Approval::NotApproved => (
                appt.with_state(State::NotApproved, Some(Reason::Status(status)), now),
                Decision::NotExpected,
            ),
            Approval::UnknownStatus => self.refused(appt, Reason::UnknownStatus(status)),
        }
    }

    fn plan_approved(&self, appt: Appt, listed: &ListedVisit<'_>) -> (Appt, Decision) {
        let now = self.rules.now;
        if self.is_imported(&appt) {
            let appt = appt.with_state(State::Registered, Some(Reason::Imported), now);
            return (appt, Decision::AlreadyRegistered);
        }
        if let Some(problem) = &listed.problem {
            return self.refused(appt, problem.clone());
        }
        if listed.ends_at.is_some_and(|end| appt.covers(end)) {
            return (appt.confirmed(now), Decision::AlreadyRegistered);
        }
        if appt.has_intent() && appt.attempts >= MAX_ATTEMPTS {
            let appt = appt.with_state(State::InDoubt, Some(Reason::GivenUp), now);
            return (appt, Decision::GivenUp);
        }
        if appt.is_tried_hourly() && !has_elapsed(appt.changed_at, now, REFUSAL_RETRY_INTERVAL) {
            return (appt, Decision::Postponed);
        }
        if let Some(lid) = appt.key.lid
            && !self.rules.destinations.contains_key(&lid)
        {
            return self.refused(appt, Reason::NoDestination(lid));
        }
        if let Some((reason, reported_at)) = self.user_refusal(&appt) {
            let appt = appt.with_state(State::Refused, Some(reason.clone()), now);
            return (appt, Decision::Refused { reported_at });
        }
        let is_answered = appt.state == State::Refused
            && appt.reason.as_ref().is_some_and(Reason::is_from_service);
        let is_about_user = appt.reason.as_ref().is_some_and(Reason::is_about_user);
        if is_answered
            && !is_about_user
            && !has_elapsed(appt.changed_at, now, REFUSAL_RETRY_INTERVAL)
        {
            let reported_at = appt.reported_at();
            return (appt, Decision::Refused { reported_at });
        }
        self.to_register(appt, is_answered)
    }

    /// Plans a registration. Until there is an outcome, the visit keeps its state if that says more
    /// than that it waits.
    fn to_register(&self, appt: Appt, is_answered: bool) -> (Appt, Decision) {
        let now = self.rules.now;
        let why = if appt.has_intent() {
            RegisterReason::InDoubt
        } else if appt.prereg_id.is_some() {
            RegisterReason::Longer
        } else {
            RegisterReason::New
        };
        let appt = match appt.state {
            State::Refused if is_answered => appt,
            State::InDoubt => appt,
            _ if appt.has_intent() => {
                appt.with_state(State::InDoubt, Some(Reason::OutcomeUnknown(None)), now)
            }
            State::Waiting if matches!(appt.reason, Some(Reason::Outage(_))) => appt,
            _ => appt.with_state(State::Waiting, Some(Reason::NotReached), now),
        };
        (appt, Decision::Register(why))
    }

    fn refused(&self, appt: Appt, reason: Reason) -> (Appt, Decision) {
        let appt = appt.with_state(State::Refused, Some(reason), self.rules.now);
        let decision = Decision::Refused {
            reported_at: appt.reported_at(),
        };
        (appt, decision)
    }

    /// Why the user of this visit is refused, if it is too early to ask again, and when that
    /// was last reported.
    fn user_refusal(&self, appt: &Appt) -> Option<(&Reason, Option<DateTime<Utc>>)> {
        let user = self.snapshot.users.get(appt.key.primary_id.as_ref()?)?;
        let reason = user.refusal()?;
        let is_old = |at| has_elapsed(at, self.rules.now, REFUSAL_RETRY_INTERVAL);
        if user.checked_at.is_none_or(is_old) {
            return None;
        }
        Some((reason, user.reported_at()))
    }

    /// Whether the Python program registered a visit of this booking, and so perhaps this one.
    fn is_imported(&self, appt: &Appt) -> bool {
        let of_booking = self.appts_of(&appt.key.booking_id);
        of_booking.iter().any(Appt::is_imported)
    }

    pub(super) fn appts_of(&self, booking: &BookingId) -> &[Appt] {
        self.snapshot.appts.get(booking).map_or(&[], Vec::as_slice)
    }
}

/// The appointment, updated with what LibCal lists now.
fn with_listed(appt: Appt, listed: &ListedVisit<'_>) -> Appt {
    let status = listed.status.clone();
    Appt {
        ends_at: listed.ends_at.max(appt.registered_ends_at),
        status,
        ..appt
    }
}
