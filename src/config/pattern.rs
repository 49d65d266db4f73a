//! The pattern of a primary ID, which finds the ID in whatever else was typed with it.

use std::fmt;

use regex_lite::{Regex, RegexBuilder};

use crate::model::is_invisible;

/// A regular expression that primary IDs match, whatever their case.
#[derive(Clone)]
pub struct IdPattern {
    as_typed: Regex,
    condensed: Regex,
}

impl IdPattern {
    /// Reads a regular expression.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(pattern: &str) -> Result<Self, String> {
        let build = |pattern: &str| {
            let built = RegexBuilder::new(pattern).case_insensitive(true).build();
            built.map_err(|error| format!("is not a valid regular expression: {error}"))
        };
        // By itself first: within the group, a stray bracket would mean something else.
        let alone = build(pattern)?;
        let matches_nothing = |text| alone.find_iter(text).any(|found| found.is_empty());
        if ["", "a", "0", " "].into_iter().any(matches_nothing) {
            return Err("also matches empty text: describe what an ID looks like".into());
        }
        Ok(Self {
            as_typed: build(&format!(r"\b(?P<whole_id>{pattern})\b"))?,
            // A number that is too long is a mistake, and its beginning may be somebody else's ID.
            condensed: build(&format!(r"(?:^|[^0-9])(?P<whole_id>{pattern})(?:$|[^0-9])"))?,
        })
    }

    /// The ID within what was typed: at word boundaries as it stands, or else with spaces,
    /// hyphens, full stops and quotes dropped.
    #[must_use]
    pub fn find(&self, typed: &str) -> Option<String> {
        let visible: String = typed.chars().filter(|c| !is_invisible(*c)).collect();
        let condensed: String = visible.chars().filter(|c| !is_separator(*c)).collect();
        let found = self.as_typed.captures(&visible);
        let found = found.or_else(|| self.condensed.captures(&condensed))?;
        Some(found.name("whole_id")?.as_str().to_owned())
    }
}

/// Whether people put this character between the parts of an ID, or around it.
fn is_separator(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '-' | '\u{2010}'..='\u{2015}' | '.' | '\'' | '"' | '\u{2018}'..='\u{201f}' | '`' | '\u{b4}'
        )
}

impl fmt::Debug for IdPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.condensed.as_str().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_found_in_whatever_was_typed_with_it() {
        let pattern = IdPattern::read(r"G\d{8}").unwrap();
        for (typed, found) in [
            ("G12345678", Some("G12345678")),
            ("g12345678", Some("g12345678")),
            ("my ID is g12345678.", Some("g12345678")),
            ("GWID: g1234 5678", Some("g12345678")),
            ("GWID g1234-5678", Some("g12345678")),
            ("\"G.1234.5678\"", Some("G12345678")),
            ("G\u{200b}1234\u{ad}5678", Some("G12345678")),
            ("G123456789", None),
            ("G1234 56789", None),
            ("G1234567", None),
            ("12345678", None),
            ("ada@example.edu", None),
        ] {
            assert_eq!(pattern.find(typed).as_deref(), found, "{typed}");
        }
        let number = IdPattern::read(r"\d{8}").unwrap();
        assert_eq!(number.find("1234 56789"), None);
        assert_eq!(number.find("ID 1234 5678 x").as_deref(), Some("12345678"));
    }

    #[test]
    fn alternatives_are_searched_for_as_a_whole() {
        let pattern = IdPattern::read(r"G\d{2}|H\d{3}").unwrap();
        assert_eq!(pattern.find("H123").as_deref(), Some("H123"));
        assert_eq!(pattern.find("xG12").as_deref(), Some("G12"));
        assert_eq!(pattern.find("G123"), None);
        let pattern = IdPattern::read(r"G\d{7}|G\d{8}").unwrap();
        assert_eq!(pattern.find("ID: g1234 5678").as_deref(), Some("g12345678"));
    }

    #[test]
    fn what_cannot_be_read_or_matches_nothing_is_an_error() {
        for bad in ["G(", "[", "a)(b", "*", "", "G*", r"\b|G\d", r"G\d|\b", "^"] {
            assert!(IdPattern::read(bad).is_err(), "{bad}");
        }
    }
}
