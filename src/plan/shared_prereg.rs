//! Pre-registrations that serve more than one visit.

use std::collections::{BTreeMap, BTreeSet};

use super::planner::Planner;
use super::{Decision, PlannedVisit};
use crate::model::{Reason, State};

impl Planner<'_> {
    /// Marks each cancelled visit whose pre-registration serves another visit: nobody must delete
    /// that pre-registration in PassagePoint.
    pub(super) fn mark_shared_preregs(&self, visits: &mut [PlannedVisit]) {
        let now = self.rules.now;
        let planned: BTreeSet<_> = visits.iter().map(|visit| &visit.after.key).collect();
        let known = self.snapshot.appts.values().flatten();
        // A visit that is not listed now, say because a list could not be read, stays as it was.
        let others = known.filter(|appt| !planned.contains(&appt.key));
        let all = visits.iter().map(|visit| &visit.after).chain(others);
        let mut served: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for appt in all.filter(|appt| appt.state != State::Cancelled && !appt.is_over(now)) {
            if let Some(prereg) = &appt.prereg_id {
                let bookings = served.entry(prereg.0.clone()).or_default();
                bookings.insert(appt.key.booking_id.clone());
            }
        }
        for visit in visits {
            let after = &visit.after;
            let was_shared = after.reason.as_ref().is_some_and(Reason::serves_another);
            let is_gone = matches!(
                after.reason,
                Some(Reason::Gone | Reason::GoneServesAnother(_))
            );
            let may_be_taken_out = was_shared || is_gone || after.reason.is_none();
            if after.state != State::Cancelled || !may_be_taken_out || after.is_over(now) {
                continue;
            }
            let prereg = after.prereg_id.as_ref();
            let bookings = prereg.and_then(|prereg| served.get(&prereg.0));
            // Of several bookings always the same one, whichever lists could be read.
            let booking = bookings.and_then(BTreeSet::first);
            if booking.is_none() && !was_shared {
                continue;
            }
            if booking.is_some() {
                visit.decision = Decision::ServesAnother;
            }
            let reason = match (booking.cloned(), is_gone) {
                (Some(booking), true) => Some(Reason::GoneServesAnother(booking)),
                (Some(booking), false) => Some(Reason::ServesAnother(booking)),
                (None, true) => Some(Reason::Gone),
                (None, false) => None,
            };
            visit.after = after.clone().with_state(State::Cancelled, reason, now);
        }
    }
}
