//! Looks up a person's barcode in Alma, and finds or creates their visitor in PassagePoint.

use anyhow::Result;
use chrono::TimeDelta;

use super::{BarcodeSource, Pass};
use crate::alma;
use crate::clock::now;
use crate::http::Failure;
use crate::model::{Appt, Card, Eligibility, Outage, Reason, State, User, VisitorId, has_elapsed};
use crate::passagepoint::{Answer, DEFAULT_CATEGORY, NewVisitor};
use crate::plan::{Person, Refusal, Visit};

/// The result of finding or creating a person's visitor in PassagePoint.
pub(super) enum EnsuredVisitor {
    Found(VisitorId),
    Refused(Reason),
    /// With whether the request was about this person; if not, earlier ones had failed too often.
    Outage(Outage, bool),
}

impl Pass<'_> {
    /// The cached visitor of a person, if Alma was asked about them recently. If something about a
    /// visit of theirs failed before, the visitor may be gone, and it is time to ask again.
    pub(super) fn cached_visitor(&self, person: &Person) -> Option<BarcodeSource> {
        let has_failed = |Visit { appt, .. }: &Visit| {
            appt.has_intent() || appt.failures > 0 || appt.state == State::Refused
        };
        if person.visits.iter().any(has_failed) {
            return None;
        }
        let good_for = TimeDelta::days(self.config.alma.refresh_days.into());
        let user = person.user.as_ref()?;
        user.checked_at
            .filter(|at| !has_elapsed(*at, now(), good_for))?;
        let card = user.card()?;
        log::debug!(
            "user {} is known: visitor {}",
            person.primary_id,
            card.visitor_id.0
        );
        Some(BarcodeSource::Cached(card.clone()))
    }

    /// Looks a person up in Alma. Returns `None` if their visits cannot be registered now.
    pub(super) fn look_up_barcode(&self, person: &Person) -> Result<Option<BarcodeSource>> {
        if let Some(cause) = self.passagepoint.unavailable_cause() {
            self.defer_person(person, &Outage::of("PassagePoint", cause), false);
            return Ok(None);
        }
        log::debug!("looking up user {} in Alma", person.primary_id);
        let stored = person.user.as_ref().and_then(User::card);
        let reason = match self.alma.find(&person.primary_id, &person.spellings) {
            Ok(alma::Answer::Found(found)) => return Ok(Some(BarcodeSource::Alma(found))),
            Err(alma::NoAnswer { outage, was_tried }) => {
                let Some(card) = stored else {
                    self.defer_person(person, &outage, was_tried);
                    return Ok(None);
                };
                let mut outcome = self.outcome();
                let served = outcome.served_from_cache.entry(outage).or_default();
                served.insert(person.primary_id.clone());
                return Ok(Some(BarcodeSource::Cached(card.clone())));
            }
            Ok(alma::Answer::NotFound) => Reason::NotInAlma,
            Ok(alma::Answer::Refused(reason)) => reason,
        };
        self.refuse_person(person, &reason)?;
        Ok(None)
    }

    /// Finds or creates the visitor. One whom the cache knows with this barcode is looked up first:
    /// after a restore PassagePoint may no longer have them, or under another id. A dry run assumes
    /// that the visitor would be created.
    pub(super) fn ensure_visitor(
        &self,
        person: &Person,
        found: &alma::User,
    ) -> Result<EnsuredVisitor> {
        let stored = person.user.as_ref().and_then(User::card);
        let is_known = stored.is_some_and(|card| card.barcode == found.barcode);
        let known = if is_known || self.is_dry_run {
            self.passagepoint.visitor_by_barcode(&found.barcode)
        } else {
            Ok(None)
        };
        let answer = match known {
            Ok(None) if self.is_dry_run => Ok(Some(Answer::Id(VisitorId(found.barcode.0.clone())))),
            Ok(None) => self.create_visitor(person, found),
            answer => answer,
        };
        match answer {
            Ok(Some(Answer::Id(visitor_id))) => {
                log::debug!("user {} is visitor {}", person.primary_id, visitor_id.0);
                let barcode = found.barcode.clone();
                let id = visitor_id.clone();
                self.save_card(
                    person,
                    Card {
                        barcode,
                        visitor_id,
                    },
                )?;
                Ok(EnsuredVisitor::Found(id))
            }
            Ok(Some(Answer::Refused(status))) => {
                Ok(EnsuredVisitor::Refused(Reason::VisitorRefused(status)))
            }
            Ok(None) => Ok(EnsuredVisitor::Refused(Reason::VisitorNotFound)),
            Err(failure) => {
                let outage = Outage::of("PassagePoint", failure.cause);
                Ok(EnsuredVisitor::Outage(outage, failure.was_tried))
            }
        }
    }

    /// Creates the visitor, or finds the one who has the barcode already.
    fn create_visitor(
        &self,
        person: &Person,
        found: &alma::User,
    ) -> Result<Option<Answer<VisitorId>>, Failure> {
        let or = |mine: &'_ str, alma: &'_ str| {
            if mine.is_empty() {
                alma.to_owned()
            } else {
                mine.to_owned()
            }
        };
        let category = self.config.passagepoint.user_mapping.get(&found.group);
        let (first_name, last_name) = (
            or(&person.first_name, &found.first_name),
            or(&person.last_name, &found.last_name),
        );
        let created = self.passagepoint.create_visitor(&NewVisitor {
            category: category.map_or(DEFAULT_CATEGORY, String::as_str),
            // PassagePoint requires both names, and a person may have only one.
            first_name: &or(&first_name, &last_name),
            last_name: &or(&last_name, &first_name),
            email: Some(person.email.as_str()).filter(|email| !email.is_empty()),
            primary_id: &person.primary_id,
            barcode: &found.barcode,
        })?;
        match created {
            Some(answer) => Ok(Some(answer)),
            None => self.passagepoint.visitor_by_barcode(&found.barcode),
        }
    }

    fn save_card(&self, person: &Person, card: Card) -> Result<()> {
        let user = checked_user(person, Eligibility::Card(card));
        self.cache().save_user(&user, now())
    }

    /// Refuses all visits of a person; there is nothing more to be done for them.
    pub(super) fn refuse_person(&self, person: &Person, reason: &Reason) -> Result<()> {
        let user = checked_user(person, Eligibility::Refused(reason.clone()));
        let visits = person.visits.iter();
        let visits: Vec<Appt> = visits
            .map(|visit| visit.appt.clone().refused(reason.clone(), now()))
            .collect();
        self.cache().save_refusal(&user, &visits, now())?;
        let refusals = visits.into_iter().map(|appt| Refusal {
            appt,
            reported_at: user.reported_at(),
        });
        self.outcome().refused.extend(refusals);
        Ok(())
    }

    /// Leaves all visits of a person to the next pass.
    pub(super) fn defer_person(&self, person: &Person, outage: &Outage, is_own_failure: bool) {
        for visit in &person.visits {
            self.defer(visit, outage, is_own_failure);
        }
    }
}

/// The user that a person is from now on: Alma was asked about them just now.
fn checked_user(person: &Person, eligibility: Eligibility) -> User {
    let known = person.user.as_ref();
    User {
        primary_id: person.primary_id.clone(),
        eligibility,
        checked_at: Some(now()),
        last_report: known.and_then(|user| user.last_report.clone()),
    }
}
