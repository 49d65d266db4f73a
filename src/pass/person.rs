//! From a person to their visitor in PassagePoint.

use anyhow::Result;
use chrono::Utc;

use super::{Checked, Pass};
use crate::alma;
use crate::known::{Reason, Subject, User};
use crate::passagepoint::{Answer, NewVisitor};
use crate::plan::Person;
use crate::report::add;

const DAY: i64 = 24 * 3600;

/// Whether a person has a visitor in PassagePoint.
pub(super) enum Visitor {
    Is(String),
    Refused(Reason),
    Outage(String),
}

impl Pass<'_> {
    /// The visitor that the cache has of a person, if Alma was asked about them lately.
    pub(super) fn recent_visitor(&self, person: &Person) -> Option<Checked> {
        let good_for = i64::from(self.config.alma.refresh_days) * DAY;
        let now = Utc::now().timestamp();
        let user = person.user.as_ref()?;
        user.checked_at.filter(|at| now - at < good_for)?;
        log::debug!(
            "{} is known: visitor {}",
            person.primary_id,
            user.visitor_id
        );
        Some(Checked::Visitor(user.visitor_id.clone()))
    }

    /// Asks Alma about a person. Nothing comes back if their visits cannot be registered now.
    pub(super) fn check(&self, person: &Person) -> Result<Option<Checked>> {
        if let Some(cause) = self.passagepoint.is_down() {
            self.wait_for_next_pass(person, &cause);
            return Ok(None);
        }
        log::debug!("asking Alma about {}", person.primary_id);
        let user = person.user.as_ref();
        let stored = |user: &User| Some(Checked::Visitor(user.visitor_id.clone()));
        let reason = match self.alma.find(&person.primary_id) {
            Ok(alma::Answer::Found(found)) => {
                let Some(user) = user.filter(|user| user.barcode == found.barcode) else {
                    return Ok(Some(Checked::InAlma(found)));
                };
                self.keep(person, &found.barcode, &user.visitor_id)?;
                return Ok(stored(user));
            }
            Err(cause) => {
                let Some(user) = user else {
                    self.wait_for_next_pass(person, &cause);
                    return Ok(None);
                };
                let id = person.primary_id.clone();
                add(&mut self.done().served_from_cache, &cause, [id]);
                return Ok(stored(user));
            }
            Ok(alma::Answer::NotFound) => Reason::NotInAlma,
            Ok(alma::Answer::NoActiveBarcode) => Reason::NoActiveBarcode,
        };
        self.refuse_person(person, &reason)?;
        Ok(None)
    }

    /// Has PassagePoint make the visitor, or finds the one that is there.
    pub(super) fn make_visitor(&self, person: &Person, found: &alma::User) -> Result<Visitor> {
        let or = |mine: &'_ str, alma: &'_ str| {
            if mine.is_empty() {
                alma.to_owned()
            } else {
                mine.to_owned()
            }
        };
        let category = self.config.passagepoint.user_mapping.get(&found.group);
        let visitor = NewVisitor {
            category: category.map_or("Visitor", String::as_str),
            first_name: &or(&person.first_name, &found.first_name),
            last_name: &or(&person.last_name, &found.last_name),
            email: Some(person.email.as_str()).filter(|email| !email.is_empty()),
            primary_id: &person.primary_id,
            barcode: &found.barcode,
        };
        let answer = self
            .passagepoint
            .create_visitor(&visitor)
            .and_then(|made| match made {
                Some(answer) => Ok(Some(answer)),
                None => self.passagepoint.visitor_by_barcode(&found.barcode),
            });
        match answer {
            Ok(Some(Answer::Id(id))) => {
                log::debug!("{} is the visitor {id}", person.primary_id);
                self.keep(person, &found.barcode, &id)?;
                Ok(Visitor::Is(id))
            }
            Ok(Some(Answer::Refused(status))) => {
                Ok(Visitor::Refused(Reason::VisitorRefused(status)))
            }
            Ok(None) => Ok(Visitor::Refused(Reason::VisitorNotFound)),
            Err(failure) => Ok(Visitor::Outage(failure.cause)),
        }
    }

    fn keep(&self, person: &Person, barcode: &str, visitor_id: &str) -> Result<()> {
        let now = Utc::now().timestamp();
        let user = User {
            primary_id: person.primary_id.clone(),
            barcode: barcode.to_owned(),
            visitor_id: visitor_id.to_owned(),
            checked_at: Some(now),
        };
        self.cache().store_user(&user, now)
    }

    /// Refuses all visits of a person; there is nothing more to be done for them.
    pub(super) fn refuse_person(&self, person: &Person, reason: &Reason) -> Result<()> {
        let subject = Subject::User(person.primary_id.clone());
        self.refuse(&subject, person, bookings_of(person), reason)?;
        let (reason, now) = (reason.to_string(), Utc::now().timestamp());
        for booking in bookings_of(person) {
            let subject = Subject::UsersBooking(booking);
            self.cache()
                .refuse(&subject, Some(&person.primary_id), &reason, now)?;
        }
        Ok(())
    }

    /// Leaves all visits of a person to the next pass.
    pub(super) fn wait_for_next_pass(&self, person: &Person, cause: &str) {
        add(&mut self.done().failed, cause, bookings_of(person));
    }
}

fn bookings_of(person: &Person) -> Vec<String> {
    let visits = person.visits.iter();
    visits.map(|visit| visit.key.book_id.clone()).collect()
}
