//! The domain model: users, visits, their states with the reasons, and the IDs of all of them.
//!
//! [`crate::cache`] keeps them, [`crate::plan`] decides on them. Nothing here reads or writes.

mod appt;
mod ids;
mod last_report;
mod reason;

pub use appt::{Appt, State, VisitKey};
pub use ids::{
    Barcode, BookingId, InvalidId, LocationId, PreregId, PrimaryId, VisitorId, is_invisible,
};
pub use last_report::LastReport;
pub use reason::Reason;

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};

/// How many attempts are made to register a visit in doubt before it waits for a person.
pub const MAX_ATTEMPTS: u32 = 3;
/// How long a refusal stands before the service is asked again.
pub const REFUSAL_RETRY_INTERVAL: TimeDelta = TimeDelta::hours(1);
/// How long it takes until something that still stands is reported again.
pub const REPORT_INTERVAL: TimeDelta = TimeDelta::hours(24);

/// Whether so much time has passed since then. A time in the future counts as long past:
/// it comes from a clock that ran ahead, and must not block anything until then.
#[must_use]
pub fn has_elapsed(since: DateTime<Utc>, now: DateTime<Utc>, how_long: TimeDelta) -> bool {
    since > now || now - since >= how_long
}

/// Whether something that was last reported then, or never, is due to be reported.
#[must_use]
pub fn is_report_due(reported_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    reported_at.is_none_or(|at| has_elapsed(at, now, REPORT_INTERVAL))
}

/// A user: what Alma and PassagePoint last said about a primary ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The ID that was typed, which need not be the primary ID in Alma.
    pub primary_id: PrimaryId,
    /// Whether they can be registered, and why not.
    pub eligibility: Eligibility,
    /// When Alma was last asked; `None` for a user imported from the Python program.
    pub checked_at: Option<DateTime<Utc>>,
    /// Their refusals that were last reported, the current one or earlier ones.
    pub last_report: Option<LastReport>,
}

/// Whether a user can be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Eligibility {
    /// They can, as this visitor.
    Card(Card),
    /// They cannot.
    Refused(Reason),
}

/// What lets a user in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// The barcode that was active when Alma was last asked.
    pub barcode: Barcode,
    /// The visitor of that barcode in PassagePoint.
    pub visitor_id: VisitorId,
}

impl User {
    /// What lets them in, unless they were refused.
    #[must_use]
    pub fn card(&self) -> Option<&Card> {
        match &self.eligibility {
            Eligibility::Card(card) => Some(card),
            Eligibility::Refused(_) => None,
        }
    }

    /// Why they were refused, if they were.
    #[must_use]
    pub fn refusal(&self) -> Option<&Reason> {
        match &self.eligibility {
            Eligibility::Card(_) => None,
            Eligibility::Refused(reason) => Some(reason),
        }
    }

    /// When their refusal was last reported, if it was.
    #[must_use]
    pub fn reported_at(&self) -> Option<DateTime<Utc>> {
        LastReport::reported_at(self.last_report.as_ref(), self.refusal())
    }
}

/// What the cache knows of the users and bookings of one pass, read at one moment.
#[derive(Debug, Clone, Default)]
pub struct CacheSnapshot {
    /// Users by primary ID.
    pub users: HashMap<PrimaryId, User>,
    /// Appointments by booking.
    pub appts: BTreeMap<BookingId, Vec<Appt>>,
}

/// A service is not responding, or rejects our credentials. That says nothing about a booking.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Outage {
    /// What is out: `LibCal`, `LibCal, Main Library (8827)`, `Alma`, `Alma, API key 2` or `PassagePoint`.
    pub service: String,
    /// What happened, and what to do if a person can fix it.
    pub cause: String,
}

impl Outage {
    /// An outage of that service.
    #[must_use]
    pub fn of(service: &str, cause: impl Into<String>) -> Self {
        Self {
            service: service.to_owned(),
            cause: cause.into(),
        }
    }

    /// Whether it is of LibCal, or of one location's list there.
    #[must_use]
    pub fn is_of_libcal(&self) -> bool {
        self.service.starts_with("LibCal")
    }
}

/// An outage that goes on, as the cache has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OngoingOutage {
    /// What is out, and the cause that the last pass met.
    pub outage: Outage,
    /// When a pass first met it.
    pub since: DateTime<Utc>,
    /// When it was last reported.
    pub reported_at: Option<DateTime<Utc>>,
}

/// A pass in numbers; every visit that LibCal lists as approved, or that is refused, is
/// counted in one of the fields after `visits`.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct Summary {
    /// Rows of all lists.
    pub rows: usize,
    /// Visits among these that are approved or refused.
    pub visits: usize,
    /// Visits that were registered before.
    pub already_registered: usize,
    /// Visits registered by this pass.
    pub registered: usize,
    /// Visits refused, now or before.
    pub refused: usize,
    /// Visits that may or may not be registered.
    pub in_doubt: usize,
    /// Visits that wait because of an outage.
    pub failed: usize,
    /// Visits that have ended.
    pub ended: usize,
    /// How long the pass took, in seconds.
    pub seconds: f64,
}

/// The last pass that began, and the last full one that ended.
#[derive(Debug, Clone, PartialEq)]
pub struct LastPass {
    /// Its number, one more than that of the pass before it.
    pub number: u64,
    /// When the last one over today began.
    pub started_at: Option<DateTime<Utc>>,
    /// When the last full pass ended, and how it went.
    pub ended: Option<(DateTime<Utc>, Summary)>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::now;

    #[test]
    fn a_time_in_the_future_counts_as_long_past() {
        let hour = TimeDelta::hours(1);
        for (minutes_ago, elapsed) in [(59, false), (60, true), (0, false), (-1, true)] {
            let since = now() - TimeDelta::minutes(minutes_ago);
            assert_eq!(has_elapsed(since, now(), hour), elapsed, "{minutes_ago}");
        }
    }
}
