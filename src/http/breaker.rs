//! Circuit breakers: what keeps failing is left alone for the rest of the pass, so that a pass
//! ends soon and nobody waits for somebody else's trouble.

use std::collections::{HashMap, HashSet};

/// After so many failures in a row about one location, destination, person or address, that one is left alone.
const OF_ONE: u32 = 3;
/// After so many failures in a row that say that the service is gone, all of it is.
const GONE: u32 = 3;
/// After so many 5xx in a row about different locations, destinations or people, all of it is too.
const IN_TROUBLE: usize = 12;

/// The breakers of one service, all closed at first.
#[derive(Default)]
pub(super) struct Breakers {
    /// Why the whole service is left alone, if it is.
    open: Option<String>,
    /// The failures in a row about one thing, and the cause of the last.
    subjects: HashMap<String, (u32, String)>,
    gone: u32,
    in_trouble: HashSet<String>,
}

impl Breakers {
    /// Why nothing is to be sent about this, if that is so.
    pub(super) fn open_for(&self, subject: &str) -> Option<&str> {
        let of_subject = self.subjects.get(subject);
        let of_subject = of_subject.filter(|(failures, _)| *failures >= OF_ONE);
        let of_subject = of_subject.map(|(_, cause)| cause.as_str());
        self.open.as_deref().or(of_subject)
    }

    /// Notes an answer, after which nothing counts that came before of what it was about, the
    /// address that was asked among it.
    pub(super) fn note_answer(&mut self, subjects: [&str; 2]) {
        for subject in subjects {
            self.subjects.remove(subject);
        }
        self.gone = 0;
        self.in_trouble.clear();
    }

    /// Notes a failure: `is_gone` if there was no connection, no answer in time, or no access,
    /// and not just a 5xx.
    pub(super) fn note_failure(&mut self, subject: &str, cause: &str, is_gone: bool) {
        if !subject.is_empty() {
            let of_subject = self.subjects.entry(subject.to_owned()).or_default();
            *of_subject = (of_subject.0 + 1, cause.to_owned());
        }
        if is_gone {
            self.gone += 1;
        } else {
            self.gone = 0;
            self.in_trouble.insert(subject.to_owned());
        }
        if self.gone >= GONE || self.in_trouble.len() >= IN_TROUBLE {
            self.open.get_or_insert_with(|| cause.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_keeps_failing_is_left_alone_and_the_others_are_not() {
        let mut breakers = Breakers::default();
        for _ in 0..3 {
            assert_eq!(breakers.open_for("Main"), None);
            breakers.note_failure("Main", "500", false);
        }
        assert_eq!(breakers.open_for("Main"), Some("500"));
        assert_eq!(breakers.open_for("Science"), None);
    }

    #[test]
    fn a_service_that_is_gone_is_left_alone_after_three_and_one_in_trouble_after_twelve() {
        let mut breakers = Breakers::default();
        for n in 0..3 {
            assert_eq!(breakers.open_for("x"), None);
            breakers.note_failure(&n.to_string(), "no connection", true);
        }
        assert_eq!(breakers.open_for("x"), Some("no connection"));
        let mut breakers = Breakers::default();
        for n in 0..12 {
            assert_eq!(breakers.open_for("x"), None);
            breakers.note_failure(&n.to_string(), "500", false);
        }
        assert_eq!(breakers.open_for("x"), Some("500"));
    }

    #[test]
    fn an_answer_between_begins_the_count_anew() {
        let mut breakers = Breakers::default();
        for n in 0..40 {
            breakers.note_failure(&n.to_string(), "no connection", true);
            breakers.note_failure(&n.to_string(), "500", false);
            breakers.note_answer(["somebody", "address"]);
            assert_eq!(breakers.open_for("x"), None);
        }
    }
}
