//! Visits that the cache has and LibCal no longer lists.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Days, Utc};

use super::listed_visit::ListedVisit;
use super::planner::Planner;
use super::{Decision, Plan, PlannedVisit, Rules};
use crate::libcal::Row;
use crate::model::{Appt, BookingId, Reason, State, VisitKey};

impl Planner<'_> {
    /// Plans what the cache has and LibCal no longer lists: visits of a booking that was moved on its
    /// day, visits that were denied or deleted, and rows that used to be unreadable and now can be
    /// read, or are gone. Without a complete list of the day nothing can be decided.
    pub(super) fn plan_unlisted(
        &self,
        rows: &[Row],
        listed: &BTreeMap<VisitKey, ListedVisit<'_>>,
        plan: &mut Plan,
    ) {
        let now = self.rules.now;
        let mut rows_of: BTreeMap<&BookingId, Vec<&Row>> = BTreeMap::new();
        for row in rows {
            rows_of.entry(&row.booking_id).or_default().push(row);
        }
        // An unreadable row may be the visit that seems to be gone.
        let unreadable: BTreeSet<_> = listed
            .keys()
            .filter(|key| key.starts_at.is_none())
            .map(|key| &key.booking_id)
            .collect();
        let unlisted = self.snapshot.appts.values().flatten();
        for appt in unlisted.filter(|appt| !listed.contains_key(&appt.key)) {
            let booking = &appt.key.booking_id;
            if appt.is_imported() || appt.is_over(now) {
                continue;
            }
            let others = rows_of.get(booking).map_or(&[][..], Vec::as_slice);
            let reason = match appt.key.starts_at {
                None => {
                    plan.forgotten.push(appt.key.clone());
                    continue;
                }
                Some(_) if unreadable.contains(booking) => continue,
                Some(start) if is_moved(start, others) => Reason::Moved,
                Some(start) if self.must_be_listed(appt, start, rows, listed) => Reason::Gone,
                Some(_) => continue,
            };
            if reason == Reason::Moved && !appt.may_be_registered() {
                plan.forgotten.push(appt.key.clone());
                continue;
            }
            // The reason why it was cancelled says more.
            let after = match appt.state {
                State::Cancelled => appt.clone(),
                _ => appt.clone().with_state(State::Cancelled, Some(reason), now),
            };
            plan.visits.push(PlannedVisit {
                before: Some(appt.clone()),
                after,
                decision: Decision::NotExpected,
            });
        }
    }

    /// Whether complete lists must contain a visit that is not over and starts then: if its location
    /// was requested and has no unreadable row, and if it has begun, or will begin on one of the
    /// requested days, by the library's clock.
    fn must_be_listed(
        &self,
        appt: &Appt,
        start: DateTime<Utc>,
        rows: &[Row],
        listed: &BTreeMap<VisitKey, ListedVisit<'_>>,
    ) -> bool {
        let Rules {
            now,
            days,
            locations,
            offset,
            ..
        } = self.rules;
        let mut keys = listed.keys();
        let is_unclear = keys.any(|key| key.starts_at.is_none() && key.lid == appt.key.lid);
        let is_asked_for = locations
            .iter()
            .any(|location| Some(location.id) == appt.key.lid);
        if is_unclear || !is_asked_for {
            return false;
        }
        // The first row of the day, because the clocks may change before the last one.
        let first = rows
            .iter()
            .min_by_key(|row| (row.starts_at, row.offset.local_minus_utc()));
        let offset = first.map_or(offset, |row| &row.offset);
        let day = |time: DateTime<Utc>| time.with_timezone(offset).date_naive();
        start <= *now || day(start) <= day(*now) + Days::new((*days).into())
    }
}

/// Whether a booking that had a visit with this start has others on that day, by the library's clock.
fn is_moved(start: DateTime<Utc>, rows: &[&Row]) -> bool {
    rows.iter().any(|row| {
        let day = |time: DateTime<Utc>| time.with_timezone(&row.offset).date_naive();
        day(start) == day(row.starts_at)
    })
}
