//! What one pass leaves for the next: users, appointments and refusals, and the
//! form of the IDs they are known by.
//!
//! [`crate::cache`] keeps them and [`crate::plan`] goes by them.

use std::collections::HashMap;
use std::fmt;

use crate::config::LocationId;

/// How often an in-doubt visit is tried before it waits for a person.
pub const MOST_ATTEMPTS: u32 = 3;
/// For how many seconds a refusal stands before the same is asked again.
pub const REFUSAL_STANDS: i64 = 3600;
/// After how many seconds a refusal that still stands is reported again.
pub const REPORTED_FOR: i64 = 24 * 3600;

/// A primary ID in the form it is known by, however it was typed: no space around it, upper case.
#[must_use]
pub fn primary_id(typed: &str) -> String {
    typed.trim().to_uppercase()
}

/// Whether a text can be a primary ID at all. A stranger types it on a web form, so
/// it must neither hold control characters nor lead to another path of Alma's.
#[must_use]
pub fn is_possible(primary_id: &str) -> bool {
    let no_path = |part: &str| !matches!(part, "." | "..");
    (1..=255).contains(&primary_id.len())
        && !primary_id.chars().any(char::is_control)
        && primary_id.split(['/', '\\']).all(no_path)
}

/// What makes two rows the same visit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VisitKey {
    /// The booking (`bookId`).
    pub book_id: String,
    /// The person.
    pub primary_id: String,
    /// The place.
    pub lid: LocationId,
    /// The start, in Unix seconds.
    pub starts_at: i64,
}

/// A user as the cache knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The ID that was typed, in the form it is known by.
    pub primary_id: String,
    /// The barcode that was active when Alma was last asked.
    pub barcode: String,
    /// The visitor of that barcode in PassagePoint.
    pub visitor_id: String,
    /// When Alma was last asked, in Unix seconds; nothing for a user taken over from the Python program.
    pub checked_at: Option<i64>,
}

/// An appointment: a visit as the cache knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appt {
    /// The booking (`bookId`).
    pub appt_id: String,
    /// Who, where and when; nothing for one taken over from the Python program,
    /// which stands for any visit of its booking.
    pub slot: Option<Slot>,
    /// The pre-registration in PassagePoint.
    pub prereg_id: Option<String>,
    /// The end that a pre-registration was asked for, in Unix seconds, as long as
    /// nothing is known of the outcome: then the appointment is an intent.
    pub asked_ends_at: Option<i64>,
    /// How often the outcome was lost since the last one that is known.
    pub attempts: u32,
    /// When it was seen to be cancelled in LibCal, in Unix seconds.
    pub cancelled_at: Option<i64>,
}

/// Who is expected where and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The person.
    pub primary_id: String,
    /// The place.
    pub lid: LocationId,
    /// The start, in Unix seconds.
    pub starts_at: i64,
    /// The end as registered, or as asked for the first time, in Unix seconds.
    pub ends_at: i64,
}

/// What can be said of an appointment in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// PassagePoint expects the person.
    Registered,
    /// It may expect them: the outcome of the last attempt is not known.
    InDoubt,
    /// It was cancelled in LibCal, after it was registered.
    Cancelled,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Registered => "registered",
            Self::InDoubt => "in doubt",
            Self::Cancelled => "cancelled",
        })
    }
}

impl Appt {
    /// Its state.
    #[must_use]
    pub fn state(&self) -> State {
        if self.cancelled_at.is_some() {
            return State::Cancelled;
        }
        match self.asked_ends_at {
            Some(_) => State::InDoubt,
            None => State::Registered,
        }
    }
}

/// Whom or what a refusal is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// A user, by primary ID: all their visits are refused.
    User(String),
    /// A booking of such a user, so that it can be looked up by.
    UsersBooking(String),
    /// A booking that PassagePoint refused.
    Booking(String),
    /// A booking whose row in LibCal cannot be used as it is.
    Form(String),
    /// A booking with a visit that was given up in doubt.
    Doubt(String),
}

impl Subject {
    /// The primary ID or booking id.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::User(id)
            | Self::UsersBooking(id)
            | Self::Booking(id)
            | Self::Form(id)
            | Self::Doubt(id) => id,
        }
    }
}

/// A refusal as the cache knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The reason, with what to do about it.
    pub reason: String,
    /// When it was last given, in Unix seconds.
    pub refused_at: i64,
    /// When a person was last told, in Unix seconds.
    pub reported_at: Option<i64>,
}

impl Refusal {
    /// Whether it is too early to ask the same again.
    #[must_use]
    pub fn stands(&self, now: i64) -> bool {
        now - self.refused_at < REFUSAL_STANDS
    }

    /// Whether a person is to be told.
    #[must_use]
    pub fn is_due(&self, now: i64) -> bool {
        self.reported_at
            .is_none_or(|reported_at| now - reported_at >= REPORTED_FOR)
    }
}

/// What the cache knows of the users and bookings of one pass.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Users by primary ID.
    pub users: HashMap<String, User>,
    /// Appointments by booking.
    pub appts: HashMap<String, Vec<Appt>>,
    /// Refusals.
    pub refusals: HashMap<Subject, Refusal>,
}

/// Why a user or booking is refused. Its text is what staff read: the reason, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The form's answer is absent or blank.
    NoPrimaryId,
    /// The form's answer cannot be an ID.
    ImpossiblePrimaryId,
    /// A row that cannot be read, with what is wrong in it.
    Unreadable(String),
    /// Alma does not know the ID.
    NotInAlma,
    /// Alma has no barcode that is active.
    NoActiveBarcode,
    /// PassagePoint will not make the visitor, with its status.
    VisitorRefused(u16),
    /// PassagePoint has the barcode already, but does not find a visitor by it.
    VisitorNotFound,
    /// The location has no destination.
    NoDestination(LocationId),
    /// PassagePoint does not have the destination.
    UnknownDestination(String),
    /// PassagePoint will not pre-register the visit, with its status.
    PreregRefused(u16),
    /// Three attempts ended in doubt.
    GivenUp,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPrimaryId => {
                f.write_str("no primary ID on the booking form: ask the person for it and add it in LibCal")
            }
            Self::ImpossiblePrimaryId => f.write_str(
                "what stands on the booking form as primary ID cannot be one: correct it in LibCal",
            ),
            Self::Unreadable(what) => {
                write!(f, "LibCal's row cannot be read ({what}): look at the booking in LibCal")
            }
            Self::NotInAlma => {
                f.write_str("not in Alma: correct the ID on the booking form in LibCal, or add the user to Alma")
            }
            Self::NoActiveBarcode => {
                f.write_str("no active barcode in Alma: give the user's card a barcode with the status ACTIVE")
            }
            Self::VisitorRefused(status) => write!(
                f,
                "PassagePoint refused to make the visitor ({status}): add the visitor there by hand, with the barcode"
            ),
            Self::VisitorNotFound => f.write_str(
                "PassagePoint has the barcode but finds no visitor by it: look for the barcode there",
            ),
            Self::NoDestination(lid) => write!(
                f,
                "the booking is for location {lid}, which has no destination: add it to PassagePoint.location_mapping"
            ),
            Self::UnknownDestination(name) => write!(
                f,
                "PassagePoint has no destination \"{name}\": correct PassagePoint.location_mapping"
            ),
            Self::PreregRefused(status) => write!(
                f,
                "PassagePoint refused the pre-registration ({status}): register the visit there by hand"
            ),
            Self::GivenUp => write!(
                f,
                "in doubt after {MOST_ATTEMPTS} attempts: look in PassagePoint whether the visit is registered; `prune --appt` has it tried afresh"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_known_by_one_form_however_it_is_typed() {
        for typed in ["g123", " G123 ", "G123\n", "\u{a0}g123\t"] {
            assert_eq!(primary_id(typed), "G123");
        }
    }

    #[test]
    fn an_id_that_leads_elsewhere_is_not_possible() {
        for bad in [
            "",
            ".",
            "..",
            "A/../B",
            "..\\B",
            "A/.",
            "G1\nERROR",
            "\u{7}",
        ] {
            assert!(!is_possible(bad), "{bad:?}");
        }
        assert!(!is_possible(&"G".repeat(256)));
        for good in ["G1", "A B", "A/B?C", "A..B", "GÜ1"] {
            assert!(is_possible(good), "{good}");
        }
    }
}
