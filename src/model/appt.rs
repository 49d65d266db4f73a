//! Appointments: visits as the cache knows them, and how one goes from a state to the next.

use std::fmt;

use chrono::{DateTime, Utc};

use super::{BookingId, LastReport, LocationId, PreregId, PrimaryId, Reason, VisitorId};

/// What makes two rows the same visit.
///
/// The person is missing where the form has no valid ID, the start where the row cannot be
/// read, and the place too of what was taken over from the Python program.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VisitKey {
    /// The booking.
    pub booking_id: BookingId,
    /// The person.
    pub primary_id: Option<PrimaryId>,
    /// The place.
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
    /// Not to be registered, for a reason that trying again at once will not change.
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

    /// The word for it, in the cache as in print.
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
    /// Booking, person, place and start.
    pub key: VisitKey,
    /// The end, as LibCal lists it, or that of the pre-registration if it is later.
    pub ends_at: Option<DateTime<Utc>>,
    /// The end of the pre-registration, if there is one.
    pub registered_ends_at: Option<DateTime<Utc>>,
    /// LibCal's own word; nothing if it was taken over, or cannot be read.
    pub status: Option<String>,
    /// Its state.
    pub state: State,
    /// The reason for the state, where there is more to say.
    pub reason: Option<Reason>,
    /// The visitor for whom PassagePoint was last asked to expect it.
    pub visitor_id: Option<VisitorId>,
    /// The destination that PassagePoint was last asked for.
    pub destination: Option<String>,
    /// The pre-registration, if there is one; also while a longer one is still to be had.
    pub prereg_id: Option<PreregId>,
    /// How often the outcome was lost since the last one that is known.
    pub attempts: u32,
    /// In how many passes something failed that was asked about it or its person, since the last
    /// one in which nothing did.
    pub failures: u32,
    /// The end that PassagePoint was last asked for, as long as the outcome is not known: an intent.
    pub asked_ends_at: Option<DateTime<Utc>>,
    /// Since when it is in this state; if a service refused it, when it last answered so.
    pub changed_at: DateTime<Utc>,
    /// The reason of its own that was last reported, be it the present one or one before; that of
    /// a user's refusal stands with the user.
    pub last_report: Option<LastReport>,
}

impl Appt {
    /// A visit that LibCal lists and no pass has come to yet.
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

    /// Whether it was taken over from the Python program, and stands for any visit of its booking.
    #[must_use]
    pub fn is_imported(&self) -> bool {
        self.key.lid.is_none()
    }

    /// When it is known to end: the later of its end and the end last asked for.
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

    /// Whether PassagePoint expects the person, or may do so.
    #[must_use]
    pub fn may_be_registered(&self) -> bool {
        self.prereg_id.is_some() || self.has_intent() || self.reason == Some(Reason::Imported)
    }

    /// Whether it is registered until that end or later.
    #[must_use]
    pub fn covers(&self, ends_at: DateTime<Utc>) -> bool {
        self.prereg_id.is_some() && self.registered_ends_at >= Some(ends_at)
    }

    /// Whether PassagePoint can be relied upon to expect the person for its pre-registration: of
    /// one that LibCal lists as cancelled, somebody may have taken it out by hand.
    #[must_use]
    pub fn is_expected(&self) -> bool {
        self.prereg_id.is_some()
            && (self.state != State::Cancelled
                || matches!(self.reason, Some(Reason::Moved | Reason::Gone)))
    }

    /// When its reason was last reported, if it was.
    #[must_use]
    pub fn reported_at(&self) -> Option<DateTime<Utc>> {
        LastReport::reported_at(self.last_report.as_ref(), self.reason.as_ref())
    }

    /// The same in that state, for that reason.
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

    /// Refused by an answer that was given now, be it a new one or that of before.
    #[must_use]
    pub fn refused(self, reason: Reason, now: DateTime<Utc>) -> Self {
        Self {
            changed_at: now,
            failures: 0,
            ..self.with_state(State::Refused, Some(reason), now)
        }
    }

    /// Left to the next pass by an outage. That says nothing about it: a visit in doubt stays
    /// so, and so does one that was refused. `is_own_failure` says whether something failed that was
    /// asked about it.
    #[must_use]
    pub fn deferred(self, cause: &str, is_own_failure: bool, now: DateTime<Utc>) -> Self {
        if self.state == State::InDoubt {
            return self;
        }
        let failures = self.failures + u32::from(is_own_failure);
        let appt = Self { failures, ..self };
        if appt.state == State::Refused {
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
        // A pre-registration of another visitor's, of an old card say, is no longer good for anything.
        let is_same = self.visitor_id.as_ref() == Some(visitor_id);
        Self {
            registered_ends_at: self.registered_ends_at.filter(|_| is_same),
            visitor_id: Some(visitor_id.clone()),
            destination: Some(destination.to_owned()),
            attempts: self.attempts + 1,
            asked_ends_at: Some(ends_at),
            ..self.with_state(State::InDoubt, Some(Reason::OutcomeUnknown(None)), now)
        }
    }

    /// Registered until the end that was asked for.
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

    /// Registered, with nothing in doubt.
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
