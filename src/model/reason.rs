//! Why a visit is in the state that it is in: a code and its detail in the cache, words for people.

use std::fmt;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{BookingId, LocationId, MAX_ATTEMPTS};

/// The reason for a state. Its text is what staff read: what is the matter, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It waits: no pass has processed it yet.
    NotReached,
    /// It was over before a pass processed it.
    TooLate,
    /// It waits: something is not responding, as this says.
    Outage(String),
    /// The outcome of an attempt is not known, with the cause if there is one.
    OutcomeUnknown(Option<String>),
    /// The outcome of an attempt is not known: PassagePoint answered with a 5xx or a redirect.
    ServerError {
        /// What happened.
        cause: String,
        /// How many attempts in a row ended like that.
        in_a_row: u32,
    },
    /// The outcomes of three attempts are unknown.
    GivenUp,
    /// LibCal's status is not an accepted one.
    Status(String),
    /// LibCal's status is an unknown one.
    UnknownStatus(String),
    /// LibCal lists the booking with another person, place or start.
    Moved,
    /// LibCal no longer lists it.
    Gone,
    /// It was cancelled, and its pre-registration serves that other booking.
    ServesAnother(BookingId),
    /// LibCal no longer lists it, and its pre-registration serves that other booking.
    GoneServesAnother(BookingId),
    /// The Python program registered it.
    #[serde(rename = "taken_over")]
    Imported,
    /// The form's answer is absent or blank.
    NoPrimaryId,
    /// The form's answer cannot be an ID.
    InvalidPrimaryId,
    /// Nothing in the form's answer looks like an ID.
    NoIdInAnswer,
    /// A row that cannot be read, with what is wrong in it.
    Unreadable(String),
    /// Alma does not know the ID.
    NotInAlma,
    /// Alma has no barcode that is active.
    NoActiveBarcode,
    /// The user's status in Alma is not `ACTIVE`.
    UserInactive,
    /// The user has expired in Alma, on that day.
    UserExpired(NaiveDate),
    /// The user has an active block in Alma.
    UserBlocked,
    /// PassagePoint will not create the visitor, with its status.
    VisitorRefused(u16),
    /// PassagePoint has the barcode already, but does not find a visitor by it.
    VisitorNotFound,
    /// The location has no destination.
    NoDestination(LocationId),
    /// PassagePoint does not have the destination.
    UnknownDestination(String),
    /// PassagePoint will not pre-register the visit, with its status.
    PreregRefused(u16),
    /// Words that version 1 of the cache has kept of a user.
    Other(String),
}

impl Reason {
    /// Whether it is about the user, and so about all their visits.
    #[must_use]
    pub fn is_about_user(&self) -> bool {
        matches!(
            self,
            Self::NotInAlma
                | Self::NoActiveBarcode
                | Self::UserInactive
                | Self::UserExpired(_)
                | Self::UserBlocked
                | Self::VisitorRefused(_)
                | Self::VisitorNotFound
                | Self::Other(_)
        )
    }

    /// Whether it is a service's answer, so that the service is asked again after a while.
    #[must_use]
    pub fn is_from_service(&self) -> bool {
        self.is_about_user() || matches!(self, Self::UnknownDestination(_) | Self::PreregRefused(_))
    }

    /// Why the outcome of an attempt is not known, if that is the reason, and if it is known why.
    #[must_use]
    pub fn cause_of_doubt(&self) -> Option<&str> {
        match self {
            Self::OutcomeUnknown(cause) => cause.as_deref(),
            Self::ServerError { cause, .. } => Some(cause),
            _ => None,
        }
    }

    /// Whether it says that the outcome of an attempt is unknown.
    #[must_use]
    pub fn is_doubt(&self) -> bool {
        matches!(self, Self::OutcomeUnknown(_) | Self::ServerError { .. })
    }

    /// Whether it says that the pre-registration of a cancelled visit serves another booking.
    #[must_use]
    pub fn serves_another(&self) -> bool {
        matches!(self, Self::ServesAnother(_) | Self::GoneServesAnother(_))
    }

    /// The form that the cache keeps: JSON, a code with its detail if it has one, such as
    /// `"not_in_alma"` or `{"prereg_refused":422}`.
    #[must_use]
    pub fn to_code(&self) -> String {
        // Texts and numbers can always be written as JSON.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads the form that the cache keeps. A text that is no known code is kept as it is.
    #[must_use]
    pub fn from_code(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_else(|_| Self::Other(text.to_owned()))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotReached => f.write_str("no pass has reached it yet"),
            Self::TooLate => f.write_str("it ended before a pass could register it"),
            Self::Outage(cause)
            | Self::OutcomeUnknown(Some(cause))
            | Self::ServerError { cause, .. } => f.write_str(cause),
            Self::OutcomeUnknown(None) => f.write_str("the last attempt was interrupted"),
            Self::GivenUp => write!(
                f,
                "given up after {MAX_ATTEMPTS} attempts: check in PassagePoint whether the visit is registered; `prune --appt` lets the next pass try again"
            ),
            Self::Status(status) => write!(f, "its status in LibCal is \"{status}\""),
            Self::UnknownStatus(status) => write!(
                f,
                "status \"{status}\" is not known: add it to LibCal.statuses if it means approved"
            ),
            Self::Moved => f.write_str("moved in LibCal to another person, place or time"),
            Self::Gone => {
                f.write_str("LibCal no longer lists it: denied, deleted or moved to another day")
            }
            Self::ServesAnother(booking) => write!(
                f,
                "its pre-registration also covers booking {booking}: leave it in PassagePoint"
            ),
            Self::GoneServesAnother(booking) => write!(
                f,
                "LibCal no longer lists it; its pre-registration also covers booking {booking}: leave it in PassagePoint"
            ),
            Self::Imported => f.write_str("registered by the Python program"),
            Self::NoPrimaryId => f.write_str(
                "no primary ID on the booking form: ask the person for it and add it in LibCal",
            ),
            Self::InvalidPrimaryId => {
                f.write_str("the primary ID on the booking form is not valid: correct it in LibCal")
            }
            Self::NoIdInAnswer => f.write_str(
                "nothing on the booking form looks like a primary ID (LibCal.primary_id_pattern): correct it in LibCal",
            ),
            Self::Unreadable(what) => write!(
                f,
                "unreadable row in LibCal's list ({what}): check the booking in LibCal"
            ),
            Self::NotInAlma => f.write_str(
                "not in Alma: correct the ID on the booking form in LibCal, or add the user to Alma",
            ),
            Self::NoActiveBarcode => f.write_str(
                "no active barcode in Alma: give the user's card a barcode with the status ACTIVE",
            ),
            Self::UserInactive => f.write_str("inactive in Alma: reactivate the user there"),
            Self::UserExpired(day) => write!(
                f,
                "expired in Alma on {}: renew the user there",
                day.format("%-d %b %Y")
            ),
            Self::UserBlocked => f.write_str("blocked in Alma: check the user's blocks there"),
            Self::VisitorRefused(status) => write!(
                f,
                "PassagePoint refused to create the visitor ({}): add the visitor there by hand, with the barcode",
                refusal_status(*status)
            ),
            Self::VisitorNotFound => f.write_str(
                "PassagePoint has the barcode but does not return exactly one visitor for it: search for the barcode there and correct the visitors who have it",
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
                "PassagePoint refused the pre-registration ({}): register the visit there by hand",
                refusal_status(*status)
            ),
            Self::Other(words) => f.write_str(words),
        }
    }
}

/// The HTTP status of PassagePoint's refusal; with a 2xx the body had an error.
fn refusal_status(status: u16) -> String {
    match status {
        200..=299 => format!("{status} with an error"),
        _ => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_a_code_with_its_detail_and_read_back_from_it() {
        let text = || "Alma is not responding: no response within 30 s".to_owned();
        for reason in [
            Reason::NotReached,
            Reason::TooLate,
            Reason::Outage(text()),
            Reason::OutcomeUnknown(None),
            Reason::OutcomeUnknown(Some(text())),
            Reason::GivenUp,
            Reason::Status("Mediated Tentative".into()),
            Reason::UnknownStatus("Blessed by the Dean".into()),
            Reason::Moved,
            Reason::Gone,
            Reason::Imported,
            Reason::NoPrimaryId,
            Reason::InvalidPrimaryId,
            Reason::Unreadable("no bookId".into()),
            Reason::NotInAlma,
            Reason::NoActiveBarcode,
            Reason::NoIdInAnswer,
            Reason::UserInactive,
            Reason::UserExpired(NaiveDate::from_ymd_opt(2026, 2, 28).unwrap()),
            Reason::UserBlocked,
            Reason::ServesAnother(BookingId("cs_1".into())),
            Reason::GoneServesAnother(BookingId("cs_1".into())),
            Reason::ServerError {
                cause: text(),
                in_a_row: 2,
            },
            Reason::VisitorRefused(422),
            Reason::VisitorNotFound,
            Reason::NoDestination(LocationId(-7)),
            Reason::UnknownDestination("LibCal  Attic ".into()),
            Reason::PreregRefused(400),
            Reason::Other("words of version 1".into()),
        ] {
            assert_eq!(Reason::from_code(&reason.to_code()), reason);
        }
        assert_eq!(Reason::NotInAlma.to_code(), "\"not_in_alma\"");
        let refused = Reason::PreregRefused(422).to_code();
        assert_eq!(refused, "{\"prereg_refused\":422}");
    }

    #[test]
    fn a_code_whose_detail_makes_no_sense_is_kept_as_words() {
        for text in [
            "\"prereg_refused\"",
            "{\"prereg_refused\":\"x\"}",
            "{\"brand_new\":7}",
            "not in Alma: correct the ID",
            "",
        ] {
            assert_eq!(Reason::from_code(text), Reason::Other(text.into()));
        }
    }
}
