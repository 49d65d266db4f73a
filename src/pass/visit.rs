//! Registers the visits of a visitor: the intent, the request, the outcome.

use anyhow::Result;

use super::person::EnsuredVisitor;
use super::{BarcodeSource, Deferred, Pass};
use crate::alma;
use crate::clock::now;
use crate::http::{Delivery, Failure};
use crate::messages::visit_name;
use crate::model::{Appt, Barcode, MAX_ATTEMPTS, Outage, PreregId, Reason, State, VisitorId};
use crate::output::format_time_range;
use crate::passagepoint::{Answer, NewPrereg};
use crate::plan::{Person, Refusal, RegisterReason, Visit};

/// So many visits of one person may fail at a destination at one turn: fewer than open the circuit
/// breaker of the destination.
const MAX_DESTINATION_FAILURES: usize = 2;

/// Who is to be registered.
struct Registrant {
    id: VisitorId,
    barcode: Barcode,
    /// Whether PassagePoint gave the id in this pass, or the cache has it from another.
    is_fresh: bool,
    /// Where visits of theirs could not be registered in this pass, and why.
    failed_at: Vec<(String, Outage)>,
}

impl Registrant {
    /// Why no more of their visits are tried at that destination in this pass, if none are: what
    /// fails for one person must not count against the destination, where others wait.
    fn blocked_at(&self, destination: &str) -> Option<&Outage> {
        let mut failed = self
            .failed_at
            .iter()
            .filter(|(place, _)| place == destination);
        failed
            .nth(MAX_DESTINATION_FAILURES - 1)
            .map(|(_, outage)| outage)
    }
}

/// The result of looking for a visitor again.
enum RefreshedVisitor {
    /// A different visitor.
    Different,
    /// The same one, or none.
    Unchanged,
    /// It is not known, with whether the request was about this person.
    Outage(Outage, bool),
}

impl Pass<'_> {
    /// Registers all visits of a person, after creating their visitor if need be.
    pub(super) fn register_person(&self, person: &Person, source: BarcodeSource) -> Result<()> {
        let barcode = source.barcode().clone();
        let (id, is_fresh) = match source {
            BarcodeSource::Cached(card) => (card.visitor_id, false),
            BarcodeSource::Alma(found) => match self.ensure_visitor(person, &found)? {
                EnsuredVisitor::Found(id) => (id, true),
                EnsuredVisitor::Refused(reason) => return self.refuse_person(person, &reason),
                EnsuredVisitor::Outage(outage, was_tried) => {
                    self.defer_person(person, &outage, was_tried);
                    return Ok(());
                }
            },
        };
        let mut visitor = Registrant {
            id,
            barcode,
            is_fresh,
            failed_at: Vec::new(),
        };
        for visit in &person.visits {
            self.register_visit(person, visit, &mut visitor)?;
        }
        Ok(())
    }

    /// Records the intent to register the visit, if it is to be requested now: PassagePoint can be
    /// asked, and no other pre-registration covers the visit.
    fn record_intent(&self, visit: &Visit, visitor: &Registrant) -> Result<Option<Appt>> {
        let others = self.cache().appts_of_visitor(&visitor.id)?;
        if self.reuse_covering_prereg(visit, &others, &visitor.barcode)? {
            return Ok(None);
        }
        if let Some(outage) = visitor.blocked_at(&visit.destination) {
            self.defer(visit, outage, true);
            return Ok(None);
        }
        if !self.may_be_tried(visit, &others) {
            return Ok(None);
        }
        let passagepoint = &self.passagepoint;
        let ready = passagepoint.ensure_token();
        let ready = ready.and_then(|()| passagepoint.check_destination(&visit.destination));
        if let Err(failure) = ready {
            self.defer(visit, &Outage::of("PassagePoint", failure.cause), false);
            return Ok(None);
        }
        let appt = visit.appt.clone();
        let intent = appt.with_intent(visit.ends_at, &visitor.id, &visit.destination, now());
        if !self.cache().replace_appt(&visit.appt, &intent)? {
            self.postpone(visit, "was changed or pruned by another process");
            return Ok(None);
        }
        Ok(Some(intent))
    }

    /// Registers one visit: the intent, the request, the outcome. A second time if PassagePoint
    /// refused it for a visitor from the cache, and the person now has another.
    fn register_visit(
        &self,
        person: &Person,
        visit: &Visit,
        visitor: &mut Registrant,
    ) -> Result<()> {
        while let Some(intent) = self.record_intent(visit, visitor)? {
            match self.create_prereg(visit, &visitor.id) {
                Ok(Answer::Id(id)) => {
                    return self.record_registered(visit, intent.registered(id, now()));
                }
                Ok(Answer::Refused(status)) => {
                    self.retract_intent(visit)?;
                    let reason = self.refusal_reason(status, &visit.destination);
                    // A visitor from the cache may have been deleted in PassagePoint.
                    let may_be_gone =
                        matches!(reason, Reason::PreregRefused(_)) && !visitor.is_fresh;
                    if !may_be_gone {
                        return self.refuse_visit(visit, reason);
                    }
                    match self.refresh_visitor(person, visitor)? {
                        RefreshedVisitor::Different => {}
                        RefreshedVisitor::Unchanged => return self.refuse_visit(visit, reason),
                        RefreshedVisitor::Outage(outage, was_tried) => {
                            self.defer(visit, &outage, was_tried);
                            return Ok(());
                        }
                    }
                }
                Err(failure) => {
                    let outage = Outage::of("PassagePoint", failure.cause.clone());
                    let failed = (visit.destination.clone(), outage);
                    visitor.failed_at.push(failed);
                    return self.record_failure(visit, intent, failure);
                }
            }
        }
        Ok(())
    }

    /// Leaves a visit to the next pass, as it is.
    pub(super) fn postpone(&self, visit: &Visit, why: &str) {
        log::info!("booking {} {why}", visit_name(&visit.appt.key));
        self.outcome().postponed += 1;
    }

    /// Requests the pre-registration. A dry run assumes that it would be created.
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

    fn record_registered(&self, visit: &Visit, appt: Appt) -> Result<()> {
        let kept = self.cache().save_appts([&appt], &[]);
        if kept.is_err() {
            // The cache still has the intent, so the next pass finds the visit in doubt.
            log::error!(
                "booking {} was registered but could not be saved in the cache: the next pass may register it a second time",
                visit_name(&appt.key)
            );
            return kept;
        }
        if visit.why == RegisterReason::InDoubt && !visit.is_reported && !self.is_dry_run {
            log::error!(
                "possibly registered twice: booking {}, registered after an attempt whose outcome is unknown; check in PassagePoint",
                visit_name(&appt.key)
            );
        }
        if !self.is_dry_run {
            log::info!(
                "registered booking {}: {}, {}",
                visit_name(&appt.key),
                visit.destination,
                format_time_range(visit.starts_at, visit.ends_at)
            );
        }
        self.outcome().registered.push((visit.clone(), appt));
        Ok(())
    }

    fn record_failure(&self, visit: &Visit, intent: Appt, failure: Failure) -> Result<()> {
        let Failure {
            cause,
            delivery,
            was_tried,
        } = failure;
        let outage = Outage::of("PassagePoint", cause.clone());
        if delivery == Delivery::NotProcessed {
            self.retract_intent(visit)?;
            self.defer(visit, &outage, was_tried);
            return Ok(());
        }
        if delivery == Delivery::Unknown && intent.attempts >= MAX_ATTEMPTS {
            return self.give_up(intent, outage);
        }
        let (attempts, reason) = match delivery {
            // The service reported its own failure, which says nothing about this visit.
            Delivery::ErrorResponse => {
                let in_a_row = visit.appt.server_errors() + 1;
                (visit.appt.attempts, Reason::ServerError { cause, in_a_row })
            }
            _ => (intent.attempts, Reason::OutcomeUnknown(Some(cause))),
        };
        let appt = intent.with_state(State::InDoubt, Some(reason), now());
        let appt = Appt {
            attempts,
            failures: visit.appt.failures + 1,
            ..appt
        };
        self.cache().save_appts([&appt], &[])?;
        let before = visit.appt.clone();
        self.outcome().in_doubt.push(Deferred {
            outage,
            before,
            appt,
        });
        Ok(())
    }

    fn give_up(&self, intent: Appt, outage: Outage) -> Result<()> {
        log::debug!(
            "{}; giving up on booking {}",
            outage.cause,
            intent.key.booking_id
        );
        let appt = intent.with_state(State::InDoubt, Some(Reason::GivenUp), now());
        self.cache().save_appts([&appt], &[])?;
        let mut outcome = self.outcome();
        outcome.refused.push(Refusal {
            appt,
            reported_at: None,
        });
        outcome.others.push(outage);
        Ok(())
    }

    /// Retracts an intent: the service certainly did not act on it.
    fn retract_intent(&self, visit: &Visit) -> Result<()> {
        self.cache().save_appts([&visit.appt], &[])
    }

    /// Looks for the person's visitor as if they were new.
    fn refresh_visitor(
        &self,
        person: &Person,
        visitor: &mut Registrant,
    ) -> Result<RefreshedVisitor> {
        visitor.is_fresh = true;
        let found = match self.alma.find(&person.primary_id, &person.spellings) {
            Ok(alma::Answer::Found(found)) => found,
            Ok(_) => return Ok(RefreshedVisitor::Unchanged),
            Err(alma::NoAnswer { outage, was_tried }) => {
                return Ok(RefreshedVisitor::Outage(outage, was_tried));
            }
        };
        match self.ensure_visitor(person, &found)? {
            EnsuredVisitor::Found(other) if other != visitor.id => {
                visitor.id = other;
                Ok(RefreshedVisitor::Different)
            }
            EnsuredVisitor::Outage(outage, was_tried) => {
                Ok(RefreshedVisitor::Outage(outage, was_tried))
            }
            EnsuredVisitor::Found(_) | EnsuredVisitor::Refused(_) => {
                Ok(RefreshedVisitor::Unchanged)
            }
        }
    }

    /// Whether a pre-registration was refused for its destination or for something else.
    fn refusal_reason(&self, status: u16, destination: &str) -> Reason {
        let destinations = self
            .destinations
            .get_or_init(|| self.passagepoint.destinations().ok());
        // Where the list cannot be read, the name gets the benefit of the doubt.
        let is_there = destinations
            .as_ref()
            .is_none_or(|names| names.iter().any(|name| name == destination));
        if is_there {
            return Reason::PreregRefused(status);
        }
        Reason::UnknownDestination(destination.to_owned())
    }

    fn refuse_visit(&self, visit: &Visit, reason: Reason) -> Result<()> {
        let appt = visit.appt.clone().refused(reason, now());
        self.cache().save_appts([&appt], &[])?;
        self.outcome().refused.push(Refusal {
            reported_at: appt.reported_at(),
            appt,
        });
        Ok(())
    }

    /// Leaves a visit to the next pass because of an outage; the cache is updated at the end of the
    /// pass. `is_own_failure` says whether a request about this visit or its person failed.
    pub(super) fn defer(&self, visit: &Visit, outage: &Outage, is_own_failure: bool) {
        let deferred = Deferred {
            outage: outage.clone(),
            before: visit.appt.clone(),
            appt: visit
                .appt
                .clone()
                .deferred(&outage.cause, is_own_failure, now()),
        };
        self.outcome().waiting.push(deferred);
    }
}
