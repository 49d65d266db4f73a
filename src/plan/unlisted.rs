//! What the cache has and LibCal no longer lists.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::decide::Planner;
use super::listing::Listed;
use super::{Decision, Plan, Planned};
use crate::libcal::Row;
use crate::model::{BookingId, Reason, State, VisitKey};

impl Planner<'_> {
    /// What the cache has and LibCal no longer lists: visits of a booking that was moved on its
    /// day, and rows that could not be read and now can, or are gone.
    pub(super) fn plan_unlisted(
        &self,
        rows: &[Row],
        listed: &BTreeMap<VisitKey, Listed<'_>>,
        plan: &mut Plan,
    ) {
        let now = self.rules.now;
        let mut rows_of: BTreeMap<&BookingId, Vec<&Row>> = BTreeMap::new();
        for row in rows {
            rows_of.entry(&row.booking_id).or_default().push(row);
        }
        // What cannot be read may be the visit that seems to be gone.
        let unreadable: BTreeSet<_> = listed
            .keys()
            .filter(|key| key.starts_at.is_none())
            .map(|key| &key.booking_id)
            .collect();
        let unlisted = self.known.appts.values().flatten();
        for appt in unlisted.filter(|appt| !listed.contains_key(&appt.key)) {
            let booking = &appt.key.booking_id;
            let is_gone = match appt.key.starts_at {
                None => !appt.is_taken_over(),
                Some(start) => {
                    let rows = rows_of.get(booking).map_or(&[][..], Vec::as_slice);
                    is_moved(start, rows) && !unreadable.contains(booking) && !appt.is_over(now)
                }
            };
            if !is_gone {
                continue;
            }
            if !appt.may_be_registered() {
                plan.forgotten.push(appt.key.clone());
                continue;
            }
            let after = appt
                .clone()
                .with_state(State::Cancelled, Some(Reason::Moved), now);
            plan.visits.push(Planned {
                before: Some(appt.clone()),
                after,
                decision: Decision::NotExpected,
            });
        }
    }
}

/// Whether a booking that had a visit with this start has others on that day, by the library's clock.
fn is_moved(start: DateTime<Utc>, rows: &[&Row]) -> bool {
    rows.iter().any(|row| {
        let day = |time: DateTime<Utc>| time.with_timezone(&row.offset).date_naive();
        day(start) == day(row.starts_at)
    })
}
