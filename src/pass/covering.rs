//! Once means once: whether another booking's pre-registration covers a visit, or an attempt may.

use anyhow::Result;

use super::{Deferred, Pass};
use crate::clock::now;
use crate::logging::try_log;
use crate::messages::visit_name;
use crate::model::{Appt, Barcode, User};
use crate::plan::Visit;

impl Pass<'_> {
    /// The appointment whose pre-registration covers the visit: of the same visitor, for the same
    /// destination, whatever booking it was made for.
    fn find_covering<'a>(
        &self,
        visit: &Visit,
        others: &'a [Appt],
        barcode: &Barcode,
    ) -> Result<Option<&'a Appt>> {
        // Somebody may have deleted a cancelled booking's pre-registration, whatever else it serves.
        let cancelled: Vec<_> = others
            .iter()
            .filter(|appt| !appt.has_reliable_prereg())
            .filter_map(|appt| appt.prereg_id.as_ref())
            .collect();
        for appt in others {
            let is_standing = appt
                .prereg_id
                .as_ref()
                .is_some_and(|id| !cancelled.contains(&id));
            let covers = is_standing && appt.covers(visit.ends_at) && self.could_cover(appt, visit);
            if covers && self.has_barcode(appt, barcode)? {
                return Ok(Some(appt));
            }
        }
        Ok(None)
    }

    /// Uses the pre-registration that covers the visit, if there is one. Returns whether there is
    /// nothing more to do.
    pub(super) fn reuse_covering_prereg(
        &self,
        visit: &Visit,
        others: &[Appt],
        barcode: &Barcode,
    ) -> Result<bool> {
        let Some(covering) = self.find_covering(visit, others, barcode)? else {
            return Ok(false);
        };
        let (booking, appt) = (covering.key.booking_id.clone(), visit.appt.clone());
        let appt = appt.covered_by(covering, now());
        if !self.cache().replace_appt(&visit.appt, &appt)? {
            self.postpone(visit, "was changed or pruned by another process");
            return Ok(true);
        }
        if !self.is_dry_run {
            log::info!(
                "booking {} is covered by the pre-registration of booking {booking}",
                visit_name(&appt.key)
            );
        }
        self.outcome().covered.push((visit.clone(), booking));
        Ok(true)
    }

    /// Whether the person of an appointment still has that barcode, as far as the cache knows: after
    /// a restore, PassagePoint may have given the visitor's id to somebody else.
    fn has_barcode(&self, appt: &Appt, barcode: &Barcode) -> Result<bool> {
        let Some(primary_id) = &appt.key.primary_id else {
            return Ok(false);
        };
        let user = self.cache().user(primary_id)?;
        let card = user.as_ref().and_then(User::card);
        Ok(card.is_none_or(|card| card.barcode == *barcode))
    }

    /// Whether the visit may be registered now. An attempt for another booking of the visitor, with
    /// an unknown outcome, may cover it. If that attempt failed in this very pass, and for the first
    /// time, the next pass retries it first, and this visit waits; otherwise a person must be warned
    /// before this visit is tried.
    pub(super) fn may_be_tried(&self, visit: &Visit, others: &[Appt]) -> bool {
        let may_cover = |appt: &&Appt| {
            appt.asked_ends_at >= Some(visit.ends_at) && self.could_cover(appt, visit)
        };
        let Some(doubtful) = others.iter().find(may_cover) else {
            return true;
        };
        let other = &doubtful.key.booking_id;
        let is_first_attempt = |deferred: &Deferred| {
            deferred.appt.key == doubtful.key && !deferred.before.has_intent()
        };
        let is_fresh = self.outcome().in_doubt.iter().any(is_first_attempt);
        if is_fresh {
            self.postpone(
                visit,
                &format!("waits until it is clear whether booking {other} is registered"),
            );
            return false;
        }
        let was_logged = try_log(|| {
            log::error!(
                "possibly registered twice: booking {} falls within booking {other}, which may or may not be registered; check in PassagePoint",
                visit_name(&visit.appt.key)
            );
        });
        self.outcome().has_possible_duplicates = true;
        if !was_logged {
            self.postpone(
                visit,
                "waits until the warning that it may be registered twice can be printed",
            );
            return false;
        }
        true
    }

    /// Whether the appointment is of another visit that begins no later, at the same destination,
    /// so that its pre-registration may cover this one.
    fn could_cover(&self, appt: &Appt, visit: &Visit) -> bool {
        let destination = appt.destination.as_ref().or_else(|| {
            let mapping = &self.config.passagepoint.location_mapping;
            mapping.get(&appt.key.lid?)
        });
        appt.key != visit.appt.key
            && destination == Some(&visit.destination)
            && appt
                .key
                .starts_at
                .is_some_and(|start| start <= visit.starts_at)
    }
}
