//! From a visitor to their pre-registrations: the intent, the request, the outcome.

use std::sync::PoisonError;

use anyhow::Result;

use super::person::Visitor;
use super::{Checked, HeldUp, Pass};
use crate::alma;
use crate::http::{Failure, Fate};
use crate::messages::booking_of;
use crate::model::{Appt, MAX_ATTEMPTS, Outage, PreregId, Reason, State, VisitorId, now};
use crate::output::span;
use crate::passagepoint::{Answer, NewPrereg};
use crate::plan::{Person, Refusal, Visit};

/// A visitor's id, and whether PassagePoint gave it in this pass or the cache has it from another.
struct Registrant {
    id: VisitorId,
    is_fresh: bool,
}

impl Pass<'_> {
    /// Registers all visits of a person, with their visitor created first if need be.
    pub(super) fn register_person(&self, person: &Person, checked: Checked) -> Result<()> {
        let mut visitor = match checked {
            Checked::Visitor(id) => Registrant {
                id,
                is_fresh: false,
            },
            Checked::InAlma(found) => match self.make_visitor(person, &found)? {
                Visitor::Is(id) => Registrant { id, is_fresh: true },
                Visitor::Refused(reason) => return self.refuse_person(person, &reason),
                Visitor::Outage(outage) => {
                    self.hold_up_person(person, &outage);
                    return Ok(());
                }
            },
        };
        for visit in &person.visits {
            self.register(person, visit, &mut visitor)?;
        }
        Ok(())
    }

    /// Registers one visit: the intent, the request, the outcome.
    fn register(&self, person: &Person, visit: &Visit, visitor: &mut Registrant) -> Result<()> {
        loop {
            if let Err(failure) = self.passagepoint.ensure_token() {
                self.hold_up(visit, &Outage::of("PassagePoint", failure.cause));
                return Ok(());
            }
            let appt = visit.appt.clone();
            let intent = appt.with_intent(visit.ends_at, &visitor.id, &visit.destination, now());
            if !self.cache().record_intent(&visit.appt, &intent)? {
                log::info!(
                    "booking {} was changed or pruned by another process; the next pass comes back to it",
                    visit.appt.key.booking_id
                );
                self.done().overtaken += 1;
                return Ok(());
            }
            match self.create_prereg(visit, &visitor.id) {
                Ok(Answer::Id(id)) => return self.registered(visit, intent.registered(id, now())),
                Ok(Answer::Refused(status)) => {
                    self.retract_intent(visit)?;
                    let reason = self.why_refused(status, &visit.destination);
                    // A visitor that the cache remembers may be gone from PassagePoint.
                    let may_be_gone =
                        matches!(reason, Reason::PreregRefused(_)) && !visitor.is_fresh;
                    if !may_be_gone || !self.find_visitor_anew(person, visitor)? {
                        return self.refuse_visit(visit, reason);
                    }
                }
                Err(failure) => return self.not_registered(visit, intent, failure),
            }
        }
    }

    /// Asks for the pre-registration. A dry run takes it that there will be one.
    fn create_prereg(
        &self,
        visit: &Visit,
        visitor: &VisitorId,
    ) -> Result<Answer<PreregId>, Failure> {
        if self.is_dry_run {
            return Ok(Answer::Id(PreregId(String::new())));
        }
        self.passagepoint.create_prereg(&NewPrereg {
            visitor_id: visitor,
            destination: &visit.destination,
            starts_at: visit.starts_at,
            ends_at: visit.ends_at,
        })
    }

    fn registered(&self, visit: &Visit, appt: Appt) -> Result<()> {
        let kept = self.cache().save_appts([&appt], &[]);
        if kept.is_err() {
            // The cache still has the intent: the next pass takes the visit for one in doubt.
            log::error!(
                "booking {} was registered, which the cache could not keep: the next pass may register it a second time",
                booking_of(&appt.key)
            );
            return kept;
        }
        if !self.is_dry_run {
            log::info!(
                "registered booking {}: {}, {}",
                booking_of(&appt.key),
                visit.destination,
                span(visit.starts_at, visit.ends_at)
            );
        }
        self.done().registered.push((visit.clone(), appt));
        Ok(())
    }

    fn not_registered(&self, visit: &Visit, intent: Appt, failure: Failure) -> Result<()> {
        let Failure { cause, fate } = failure;
        let reason = Reason::OutcomeUnknown(Some(cause.clone()));
        let outage = Outage::of("PassagePoint", cause);
        if fate == Fate::NotProcessed {
            self.retract_intent(visit)?;
            self.hold_up(visit, &outage);
            return Ok(());
        }
        if fate == Fate::Unknown && intent.attempts >= MAX_ATTEMPTS {
            return self.give_up(intent, outage);
        }
        let attempts = match fate {
            // The service said so itself, which tells nothing about this visit.
            Fate::Trouble => visit.appt.attempts,
            _ => intent.attempts,
        };
        let appt = Appt { attempts, ..intent }.with_state(State::InDoubt, Some(reason), now());
        self.cache().save_appts([&appt], &[])?;
        let before = visit.appt.clone();
        self.done().in_doubt.push(HeldUp {
            outage,
            before,
            appt,
        });
        Ok(())
    }

    fn give_up(&self, intent: Appt, outage: Outage) -> Result<()> {
        log::debug!(
            "{}: booking {} is given up",
            outage.cause,
            intent.key.booking_id
        );
        let appt = intent.with_state(State::InDoubt, Some(Reason::GivenUp), now());
        self.cache().save_appts([&appt], &[])?;
        let mut done = self.done();
        done.refused.push(Refusal {
            appt,
            is_users: false,
            reported_at: None,
        });
        done.others.push(outage);
        Ok(())
    }

    /// Takes an intent back: the service surely did not act on it.
    fn retract_intent(&self, visit: &Visit) -> Result<()> {
        self.cache().save_appts([&visit.appt], &[])
    }

    /// Looks for the person's visitor as if they were new; tells whether it is another one.
    fn find_visitor_anew(&self, person: &Person, visitor: &mut Registrant) -> Result<bool> {
        visitor.is_fresh = true;
        let Ok(alma::Answer::Found(found)) = self.alma.find(&person.primary_id) else {
            return Ok(false);
        };
        match self.make_visitor(person, &found)? {
            Visitor::Is(other) if other != visitor.id => {
                visitor.id = other;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Whether a pre-registration was refused for its destination or for something else.
    fn why_refused(&self, status: u16, destination: &str) -> Reason {
        let mut destinations = self
            .destinations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_there = match destinations.get(destination) {
            Some(is_there) => *is_there,
            // Where the list cannot be had, the name is given the benefit of the doubt.
            None => self
                .passagepoint
                .destinations()
                .map_or(true, |names| names.iter().any(|name| name == destination)),
        };
        destinations.insert(destination.to_owned(), is_there);
        if is_there {
            return Reason::PreregRefused(status);
        }
        Reason::UnknownDestination(destination.to_owned())
    }

    fn refuse_visit(&self, visit: &Visit, reason: Reason) -> Result<()> {
        let appt = visit.appt.clone().refused(reason, now());
        self.cache().save_appts([&appt], &[])?;
        self.done().refused.push(Refusal {
            reported_at: appt.reported_at,
            is_users: false,
            appt,
        });
        Ok(())
    }

    /// Leaves a visit to the next pass; what the cache has to know of it is written at the end.
    pub(super) fn hold_up(&self, visit: &Visit, outage: &Outage) {
        let held_up = HeldUp {
            outage: outage.clone(),
            before: visit.appt.clone(),
            appt: visit.appt.clone().held_up(&outage.cause, now()),
        };
        self.done().waiting.push(held_up);
    }
}
