//! Appointments: visits as the cache knows them, and how one goes from a state to the next.

use std::fmt;

use chrono::{DateTime, Utc};

use super::{
    BookingId, LastReport, LocationId, MAX_ATTEMPTS, PreregId, PrimaryId, Reason, VisitorId,
};

/// What makes two rows the same visit.
///
/// The person is missing if the form has no valid ID, the start if the row cannot be read, and of
/// what was imported from the Python program the location too.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VisitKey {
    /// The booking.
    pub booking_id: BookingId,
    /// The person.
    pub primary_id: Option<PrimaryId>,
    /// The location.
    pub lid: Option<LocationId>,
    /// The start.
    pub starts_at: Option<DateTime<Utc>>,
}

/// The state of a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// PassagePoint expects the person.
    Registered,
    /// It may expect them: the outcome of an attempt is not known.
    InDoubt,
    /// To be registered by the next pass.
    Waiting,
    /// Not to be registered, for a reason that retrying at once will not change.
    Refused,
    /// LibCal lists it with a status that is not an accepted one.
    NotApproved,
    /// Cancelled or denied in LibCal, or moved there to another person, place or start.
    Cancelled,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Registered,
        Self::InDoubt,
        Self::Waiting,
        Self::Refused,
        Self::NotApproved,
        Self::Cancelled,
    ];

    /// The word for it, in the cache and in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::InDoubt => "in doubt",
            Self::Waiting => "waiting",
            Self::Refused => "refused",
            Self::NotApproved => "not approved",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An appointment: a visit as the cache knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appt {
    /// Booking, person, location and start.
    pub key: VisitKey,
    /// The end, as LibCal lists it, or that of the pre-registration if that is later.
    pub ends_at: Option<DateTime<Utc>>,
    /// The end of the pre-registration, if there is one.
    pub registered_ends_at: Option<DateTime<Utc>>,
    /// LibCal's status; `None` if the visit was imported, or its row cannot be read.
    pub status: Option<String>,
    /// Its state.
    pub state: State,
    /// The reason for the state, if there is one.
    pub reason: Option<Reason>,
    /// The visitor of the last request to PassagePoint.
    pub visitor_id: Option<VisitorId>,
    /// The destination of the last request to PassagePoint.
    pub destination: Option<String>,
    /// The pre-registration, if there is one, even while a longer one is still to be made.
    pub prereg_id: Option<PreregId>,
    /// How many attempts in a row had an unknown outcome.
    pub attempts: u32,
    /// In how many passes in a row a request about it or its person failed.
    pub failures: u32,
    /// The intent: the end of the last request to PassagePoint, as long as its outcome is not known.
    pub asked_ends_at: Option<DateTime<Utc>>,
    /// Since when it has been in this state; if a service refused it, when it last did so.
    pub changed_at: DateTime<Utc>,
    /// The reasons that were last reported, the current one or earlier ones; a refusal of the user is
    /// kept with the user.
    pub last_report: Option<LastReport>,
}

impl Appt {
    /// A visit that LibCal lists and no pass has processed yet.
    #[must_use]
    pub fn new(key: VisitKey, ends_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Self {
        Self {
            key,
            ends_at,
            registered_ends_at: None,
            status: None,
            state: State::Waiting,
            reason: Some(Reason::NotReached),
            visitor_id: None,
            destination: None,
            prereg_id: None,
            attempts: 0,
            failures: 0,
            asked_ends_at: None,
            changed_at: now,
            last_report: None,
        }
    }

    /// Whether it was imported from the Python program, and stands for any visit of its booking.
    #[must_use]
    pub fn is_imported(&self) -> bool {
        self.key.lid.is_none()
    }

    /// The later of its end and the end last requested.
    #[must_use]
    pub fn latest_end(&self) -> Option<DateTime<Utc>> {
        self.ends_at.max(self.asked_ends_at)
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_over(&self, now: DateTime<Utc>) -> bool {
        self.latest_end().is_some_and(|end| end <= now)
    }

    /// Whether there is an attempt whose outcome is not known.
    #[must_use]
    pub fn has_intent(&self) -> bool {
        self.asked_ends_at.is_some()
    }

    /// How many attempts in a row PassagePoint answered with an error of its own.
    #[must_use]
    pub fn server_errors(&self) -> u32 {
        match self.reason {
            Some(Reason::ServerError { in_a_row, .. }) if self.has_intent() => in_a_row,
            _ => 0,
        }
    }

    /// Whether PassagePoint answered with an error so often that each further attempt waits for an
    /// hour: it may have registered the visit with each one.
    #[must_use]
    pub fn is_tried_hourly(&self) -> bool {
        self.server_errors() >= MAX_ATTEMPTS
    }

    /// Whether PassagePoint expects the person, or may expect them.
    #[must_use]
    pub fn may_be_registered(&self) -> bool {
        self.prereg_id.is_some() || self.has_intent() || self.reason == Some(Reason::Imported)
    }

    /// Whether it is registered until that end or later.
    #[must_use]
    pub fn covers(&self, ends_at: DateTime<Utc>) -> bool {
        self.prereg_id.is_some() && self.registered_ends_at >= Some(ends_at)
    }

    /// Whether its pre-registration can be relied upon: if LibCal lists the visit as cancelled,
    /// somebody may have deleted the pre-registration by hand.
    #[must_use]
    pub fn has_reliable_prereg(&self) -> bool {
        self.prereg_id.is_some()
            && (self.state != State::Cancelled
                || matches!(
                    self.reason,
                    Some(Reason::Moved | Reason::Gone | Reason::GoneServesAnother(_))
                ))
    }

    /// When it was last reported that the visit may be registered twice, unless an attempt was made
    /// since then.
    #[must_use]
    pub fn doubt_reported_at(&self) -> Option<DateTime<Utc>> {
        let doubt = Reason::OutcomeUnknown(None);
        LastReport::reported_at(self.last_report.as_ref(), Some(&doubt))
    }

    /// When its reason was last reported, if it was.
    #[must_use]
    pub fn reported_at(&self) -> Option<DateTime<Utc>> {
        LastReport::reported_at(self.last_report.as_ref(), self.reason.as_ref())
    }

    /// The same visit in that state, for that reason.
    #[must_use]
    pub fn with_state(self, state: State, reason: Option<Reason>, now: DateTime<Utc>) -> Self {
        if self.state == state && self.reason == reason {
            return self;
        }
        Self {
            state,
            reason,
            changed_at: now,
            ..self
        }
    }

    /// Refused by a service just now, for a new reason or for the same one as before.
    #[must_use]
    pub fn refused(self, reason: Reason, now: DateTime<Utc>) -> Self {
        Self {
            changed_at: now,
            failures: 0,
            ..self.with_state(State::Refused, Some(reason), now)
        }
    }

    /// Left to the next pass because of an outage, which says nothing about the visit: one in doubt
    /// stays in doubt, and a refused one stays refused. `is_own_failure` says whether a request about
    /// this visit failed.
    #[must_use]
    pub fn deferred(self, cause: &str, is_own_failure: bool, now: DateTime<Utc>) -> Self {
        let failures = self.failures + u32::from(is_own_failure);
        let appt = Self { failures, ..self };
        if matches!(appt.state, State::InDoubt | State::Refused) {
            return appt;
        }
        let reason = Reason::Outage(cause.to_owned());
        appt.with_state(State::Waiting, Some(reason), now)
    }

    /// With the intent to register it until `ends_at`, and the attempt counted.
    #[must_use]
    pub fn with_intent(
        self,
        ends_at: DateTime<Utc>,
        visitor_id: &VisitorId,
        destination: &str,
        now: DateTime<Utc>,
    ) -> Self {
        // The pre-registration of another visitor, of an old card say, no longer counts.
        let is_same = self.visitor_id.as_ref() == Some(visitor_id);
        // From now on the visit may be registered once more, which was not reported yet.
        let last_report = self.last_report.clone();
        let last_report = last_report.and_then(LastReport::without_unknown_outcomes);
        Self {
            last_report,
            registered_ends_at: self.registered_ends_at.filter(|_| is_same),
            visitor_id: Some(visitor_id.clone()),
            destination: Some(destination.to_owned()),
            attempts: self.attempts + 1,
            asked_ends_at: Some(ends_at),
            ..self.with_state(State::InDoubt, Some(Reason::OutcomeUnknown(None)), now)
        }
    }

    /// Registered until the end that was requested.
    #[must_use]
    pub fn registered(self, prereg_id: PreregId, now: DateTime<Utc>) -> Self {
        Self {
            registered_ends_at: self.asked_ends_at,
            prereg_id: Some(prereg_id),
            ..self.confirmed(now)
        }
    }

    /// Registered by the pre-registration of another visit.
    #[must_use]
    pub fn covered_by(self, other: &Self, now: DateTime<Utc>) -> Self {
        Self {
            ends_at: self.ends_at.max(other.registered_ends_at),
            registered_ends_at: other.registered_ends_at,
            visitor_id: other.visitor_id.clone(),
            destination: other.destination.clone(),
            prereg_id: other.prereg_id.clone(),
            ..self.confirmed(now)
        }
    }

    /// Certainly registered: nothing is in doubt any more.
    #[must_use]
    pub fn confirmed(self, now: DateTime<Utc>) -> Self {
        Self {
            attempts: 0,
            failures: 0,
            asked_ends_at: None,
            ..self.with_state(State::Registered, None, now)
        }
    }
}
