//! Pre-registrations that serve more than one visit.

use std::collections::BTreeMap;

use super::decide::Planner;
use super::{Decision, Planned};
use crate::model::{Reason, State};

impl Planner<'_> {
    /// Notes of each visit that was cancelled whether its pre-registration serves another one:
    /// then nobody must take it out of PassagePoint.
    pub(super) fn note_shared(&self, visits: &mut [Planned]) {
        let now = self.rules.now;
        let mut served = BTreeMap::new();
        for Planned { after, .. } in visits.iter() {
            if let Some(prereg) = &after.prereg_id
                && after.state == State::Registered
                && !after.is_over(now)
            {
                served.insert(prereg.0.clone(), after.key.booking_id.clone());
            }
        }
        for visit in visits {
            let after = &visit.after;
            let was_shared = matches!(after.reason, Some(Reason::ServesAnother(_)));
            let is_cancelled =
                after.state == State::Cancelled && (after.reason.is_none() || was_shared);
            if !is_cancelled || after.is_over(now) {
                continue;
            }
            let booking = after
                .prereg_id
                .as_ref()
                .and_then(|prereg| served.get(&prereg.0));
            if booking.is_none() && was_shared && !self.rules.lists_are_complete {
                continue;
            }
            if booking.is_some() {
                visit.decision = Decision::ServesAnother;
            }
            let reason = booking.cloned().map(Reason::ServesAnother);
            visit.after = after.clone().with_state(State::Cancelled, reason, now);
        }
    }
}
