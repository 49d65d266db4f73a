//! From a visitor to their pre-registrations: the intent, the request, the outcome.

use std::sync::PoisonError;

use anyhow::Result;

use super::person::Visitor;
use super::{Checked, Pass};
use crate::alma;
use crate::http::{Failure, Fate};
use crate::known::{MOST_ATTEMPTS, Reason, Subject};
use crate::passagepoint::{Answer, NewPrereg};
use crate::plan::{Person, Visit};
use crate::report::add;

/// A visitor's id, and whether PassagePoint gave it in this pass or the cache has it from another.
struct VisitorId {
    id: String,
    is_fresh: bool,
}

impl Pass<'_> {
    /// Registers all visits of a person, with their visitor made first if need be.
    pub(super) fn see_to(&self, person: &Person, checked: Checked) -> Result<()> {
        let mut visitor = match checked {
            Checked::Visitor(id) => VisitorId {
                id,
                is_fresh: false,
            },
            Checked::InAlma(found) => match self.make_visitor(person, &found)? {
                Visitor::Is(id) => VisitorId { id, is_fresh: true },
                Visitor::Refused(reason) => return self.refuse_person(person, &reason),
                Visitor::Outage(cause) => {
                    self.wait_for_next_pass(person, &cause);
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
    fn register(&self, person: &Person, visit: &Visit, visitor: &mut VisitorId) -> Result<()> {
        let key = &visit.key;
        let Some(destination) = self.config.passagepoint.location_mapping.get(&key.lid) else {
            return self.refuse_visit(person, visit, &Reason::NoDestination(key.lid));
        };
        loop {
            if let Err(failure) = self.passagepoint.be_ready() {
                add(
                    &mut self.done().failed,
                    &failure.cause,
                    [key.book_id.clone()],
                );
                return Ok(());
            }
            self.cache().intend(key, visit.ends_at)?;
            let answer = self.passagepoint.create_prereg(&NewPrereg {
                visitor_id: &visitor.id,
                destination,
                starts_at: key.starts_at,
                ends_at: visit.ends_at,
            });
            match answer {
                Ok(Answer::Id(id)) => return self.registered(visit, destination, &id),
                Ok(Answer::Refused(status)) => {
                    self.cache().take_back(key, visit.appt.as_ref())?;
                    let reason = self.why_refused(status, destination);
                    // A visitor that the cache remembers may be gone from PassagePoint.
                    let may_be_gone =
                        matches!(reason, Reason::PreregRefused(_)) && !visitor.is_fresh;
                    if !may_be_gone || !self.find_visitor_anew(person, visitor)? {
                        return self.refuse_visit(person, visit, &reason);
                    }
                }
                Err(failure) => return self.not_registered(person, visit, failure),
            }
        }
    }

    fn registered(&self, visit: &Visit, destination: &str, prereg_id: &str) -> Result<()> {
        let key = &visit.key;
        let mut cache = self.cache();
        let mut done = self.done();
        // Another visit of the booking may have been refused just now, and that stands.
        let subject = Subject::Booking(key.book_id.clone());
        let mut refused = done.refused.iter();
        let is_mended = refused.all(|refused| refused.subject != subject);
        let kept = cache.registered(key, visit.ends_at, prereg_id, is_mended);
        if kept.is_err() {
            // The cache still has the intent: the next pass takes the visit for one in doubt.
            let cause = "the cache could not keep what PassagePoint answered";
            add(&mut done.in_doubt, cause, [key.book_id.clone()]);
            return kept;
        }
        done.registered += 1;
        drop((cache, done));
        log::info!(
            "registered booking {} ({}): {destination}, {}",
            key.book_id,
            key.primary_id,
            crate::output::span(key.starts_at, visit.ends_at)
        );
        Ok(())
    }

    fn not_registered(&self, person: &Person, visit: &Visit, failure: Failure) -> Result<()> {
        let Failure { cause, fate } = failure;
        let book_id = visit.key.book_id.clone();
        let attempts = 1 + visit.appt.as_ref().map_or(0, |appt| appt.attempts);
        match fate {
            Fate::NotProcessed => {
                self.cache().take_back(&visit.key, visit.appt.as_ref())?;
                add(&mut self.done().failed, &cause, [book_id]);
            }
            Fate::Trouble => {
                self.cache().not_counted(&visit.key)?;
                add(&mut self.done().in_doubt, &cause, [book_id]);
            }
            Fate::Unknown if attempts < MOST_ATTEMPTS => {
                add(&mut self.done().in_doubt, &cause, [book_id]);
            }
            Fate::Unknown => {
                log::debug!("{cause}: booking {book_id} is given up");
                let subject = Subject::Doubt(book_id.clone());
                return self.refuse(&subject, person, vec![book_id], &Reason::GivenUp);
            }
        }
        Ok(())
    }

    /// Looks for the person's visitor as if they were new; tells whether it is another one.
    fn find_visitor_anew(&self, person: &Person, visitor: &mut VisitorId) -> Result<bool> {
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

    fn refuse_visit(&self, person: &Person, visit: &Visit, reason: &Reason) -> Result<()> {
        let book_id = visit.key.book_id.clone();
        self.refuse(
            &Subject::Booking(book_id.clone()),
            person,
            vec![book_id],
            reason,
        )
    }
}
