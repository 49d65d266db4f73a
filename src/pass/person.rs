//! From a person to their visitor in PassagePoint.

use anyhow::Result;
use chrono::TimeDelta;

use super::{Checked, Pass};
use crate::alma;
use crate::model::{Appt, Card, Outage, Reason, Standing, User, VisitorId, has_elapsed, now};
use crate::passagepoint::{Answer, NewVisitor};
use crate::plan::{Person, Refusal};

/// Whether a person has a visitor in PassagePoint.
pub(super) enum Visitor {
    Is(VisitorId),
    Refused(Reason),
    Outage(Outage),
}

impl Pass<'_> {
    /// The visitor that the cache has of a person, if Alma was asked about them lately.
    pub(super) fn recent_visitor(&self, person: &Person) -> Option<Checked> {
        let good_for = TimeDelta::days(self.config.alma.refresh_days.into());
        let user = person.user.as_ref()?;
        user.checked_at
            .filter(|at| !has_elapsed(*at, now(), good_for))?;
        let visitor_id = &user.card()?.visitor_id;
        log::debug!("{} is known: visitor {}", person.primary_id, visitor_id.0);
        Some(Checked::Visitor(visitor_id.clone()))
    }

    /// Asks Alma about a person. Nothing comes back if their visits cannot be registered now.
    pub(super) fn check(&self, person: &Person) -> Result<Option<Checked>> {
        if let Some(cause) = self.passagepoint.is_down() {
            self.hold_up_person(person, &Outage::of("PassagePoint", cause));
            return Ok(None);
        }
        log::debug!("asking Alma about {}", person.primary_id);
        let stored = person.user.as_ref().and_then(User::card);
        let known = |card: &Card| Some(Checked::Visitor(card.visitor_id.clone()));
        let reason = match self.alma.find(&person.primary_id) {
            Ok(alma::Answer::Found(found)) => {
                let Some(card) = stored.filter(|card| card.barcode == found.barcode) else {
                    return Ok(Some(Checked::InAlma(found)));
                };
                self.keep(person, card.clone())?;
                return Ok(known(card));
            }
            Err(outage) => {
                let Some(card) = stored else {
                    self.hold_up_person(person, &outage);
                    return Ok(None);
                };
                let mut done = self.done();
                let served = done.served_from_cache.entry(outage).or_default();
                served.push(person.primary_id.clone());
                return Ok(known(card));
            }
            Ok(alma::Answer::NotFound) => Reason::NotInAlma,
            Ok(alma::Answer::NoActiveBarcode) => Reason::NoActiveBarcode,
        };
        self.refuse_person(person, &reason)?;
        Ok(None)
    }

    /// Has PassagePoint create the visitor, or finds the one that is there. A dry run takes it
    /// that there will be one.
    pub(super) fn make_visitor(&self, person: &Person, found: &alma::User) -> Result<Visitor> {
        if self.is_dry_run {
            return Ok(Visitor::Is(VisitorId(String::new())));
        }
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
            Ok(Some(Answer::Id(visitor_id))) => {
                log::debug!("{} is the visitor {}", person.primary_id, visitor_id.0);
                let barcode = found.barcode.clone();
                let id = visitor_id.clone();
                self.keep(
                    person,
                    Card {
                        barcode,
                        visitor_id,
                    },
                )?;
                Ok(Visitor::Is(id))
            }
            Ok(Some(Answer::Refused(status))) => {
                Ok(Visitor::Refused(Reason::VisitorRefused(status)))
            }
            Ok(None) => Ok(Visitor::Refused(Reason::VisitorNotFound)),
            Err(failure) => Ok(Visitor::Outage(Outage::of("PassagePoint", failure.cause))),
        }
    }

    fn keep(&self, person: &Person, card: Card) -> Result<()> {
        let user = User {
            primary_id: person.primary_id.clone(),
            standing: Standing::Card(card),
            checked_at: Some(now()),
            reported_at: None,
        };
        self.cache().save_user(&user, now())
    }

    /// Refuses all visits of a person; there is nothing more to be done for them.
    pub(super) fn refuse_person(&self, person: &Person, reason: &Reason) -> Result<()> {
        let old = person.user.as_ref();
        let is_told = old.filter(|user| user.refusal() == Some(reason));
        let user = User {
            primary_id: person.primary_id.clone(),
            standing: Standing::Refused(reason.clone()),
            checked_at: Some(now()),
            reported_at: is_told.and_then(|user| user.reported_at),
        };
        let visits = person.visits.iter();
        let visits: Vec<Appt> = visits
            .map(|visit| visit.appt.clone().refused(reason.clone(), now()))
            .collect();
        self.cache().save_refusal(&user, &visits, now())?;
        let refusals = visits.into_iter().map(|appt| Refusal {
            appt,
            is_users: true,
            reported_at: user.reported_at,
        });
        self.done().refused.extend(refusals);
        Ok(())
    }

    /// Leaves all visits of a person to the next pass.
    pub(super) fn hold_up_person(&self, person: &Person, outage: &Outage) {
        for visit in &person.visits {
            self.hold_up(visit, outage);
        }
    }
}
