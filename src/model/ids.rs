//! The IDs of users, bookings, locations, visitors and pre-registrations.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

/// The ID that a person typed on the booking form: normalized by construction, so that it is equal
/// however it was typed. It remembers the spelling.
#[derive(Debug, Clone)]
pub struct PrimaryId {
    normalized: String,
    typed: String,
}

/// Why what was typed is not a primary ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidId {
    /// It has no visible characters.
    Blank,
    /// It is longer than 255 bytes, has control characters, or would change the path of Alma's API.
    Invalid,
    /// Nothing in it matches `LibCal.primary_id_pattern`.
    NoMatch,
}

impl PrimaryId {
    /// Parses and normalizes what a person typed: drops invisible characters and surrounding space,
    /// and converts it to upper case.
    ///
    /// # Errors
    /// [`InvalidId`] where that cannot be an ID. A stranger types it on a web form, so it
    /// must neither contain control characters nor lead to another path.
    pub fn parse(typed: &str) -> Result<Self, InvalidId> {
        let visible: String = typed.chars().filter(|c| !is_invisible(*c)).collect();
        let typed = visible.trim();
        let is_path = |part: &str| matches!(part, "." | "..");
        match typed {
            "" => Err(InvalidId::Blank),
            _ if typed.len() > 255
                || typed.chars().any(char::is_control)
                || typed.split(['/', '\\']).any(is_path) =>
            {
                Err(InvalidId::Invalid)
            }
            _ => Ok(Self {
                normalized: typed.to_uppercase(),
                typed: typed.to_owned(),
            }),
        }
    }

    /// An ID from the cache, which is normalized already.
    #[must_use]
    pub fn from_cache(normalized: String) -> Self {
        Self {
            typed: normalized.clone(),
            normalized,
        }
    }

    /// The normalized form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.normalized
    }

    /// As it was typed, without surrounding space and invisible characters.
    #[must_use]
    pub fn typed(&self) -> &str {
        &self.typed
    }
}

impl fmt::Display for PrimaryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.normalized)
    }
}

impl PartialEq for PrimaryId {
    fn eq(&self, other: &Self) -> bool {
        self.normalized == other.normalized
    }
}

impl Eq for PrimaryId {}

impl PartialOrd for PrimaryId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PrimaryId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.normalized.cmp(&other.normalized)
    }
}

impl Hash for PrimaryId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.normalized.hash(state);
    }
}

impl Serialize for PrimaryId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.normalized)
    }
}

/// Whether a character is invisible: zero-width characters, soft hyphens, byte order and direction
/// marks. People paste them with an ID without seeing them.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
    )
}

/// A booking in LibCal (`bookId`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BookingId(pub String);

impl fmt::Display for BookingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A location in LibCal (`lid`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LocationId(pub i64);

impl fmt::Display for LocationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The barcode of a card, by which PassagePoint knows a visitor (`uniqueId`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Barcode(pub String);

/// A visitor in PassagePoint.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct VisitorId(pub String);

/// A pre-registration in PassagePoint.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct PreregId(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_normalized_however_it_is_typed() {
        for typed in [
            "g123",
            " G123 ",
            "G123\n",
            "\u{a0}g123\t",
            "\u{feff}g1\u{200b}23\u{ad}",
            "\u{202a}G123\u{202c}",
        ] {
            assert_eq!(PrimaryId::parse(typed).unwrap().as_str(), "G123");
        }
        assert_eq!(PrimaryId::parse(" g\u{200d}1 ").unwrap().typed(), "g1");
    }

    #[test]
    fn an_id_that_leads_elsewhere_is_not_valid() {
        for bad in [".", "..", "A/../B", "..\\B", "A/.", "G1\nERROR", "G\u{7}1"] {
            assert_eq!(PrimaryId::parse(bad), Err(InvalidId::Invalid), "{bad:?}");
        }
        assert_eq!(PrimaryId::parse(&"G".repeat(256)), Err(InvalidId::Invalid));
        for blank in ["", " \t", "\u{200b}\u{feff}"] {
            assert_eq!(PrimaryId::parse(blank), Err(InvalidId::Blank));
        }
        assert!(PrimaryId::parse(&"G".repeat(255)).is_ok());
        for good in ["G1", "A B", "A/B?C", "A..B", "GÜ1"] {
            assert!(PrimaryId::parse(good).is_ok(), "{good}");
        }
    }
}
