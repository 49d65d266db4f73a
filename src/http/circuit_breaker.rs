//! A circuit breaker: no more requests go to what keeps failing for the rest of the pass, so that
//! a pass ends soon and nobody waits because of what fails for somebody else.

use std::collections::{HashMap, HashSet};

/// It opens for one location, destination, person or address after so many failures in a row about that one.
const MAX_SUBJECT_FAILURES: u32 = 3;
/// It opens for the whole service after so many failures in a row that say that it cannot be reached.
pub const MAX_UNREACHABLE: u32 = 3;
/// And after so many 5xx in a row about different locations, destinations or people.
const MAX_UNAVAILABLE: usize = 12;

/// What a failure says about the service as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FailureKind {
    /// It cannot be reached: no connection, no response in time, or no access.
    Unreachable,
    /// It answered with an error of its own, a 5xx say.
    ServerError,
    /// Nothing: it has nothing at this address, or rejects a token for this subject.
    SubjectOnly,
}

/// The circuit breaker of one service, closed at first: for the service as a whole, and for each
/// subject of its requests.
#[derive(Default)]
pub(super) struct CircuitBreaker {
    /// Why it is open for the whole service, if it is.
    open: Option<String>,
    /// The failures in a row about one subject, and the cause of the last.
    subjects: HashMap<String, (u32, String)>,
    /// How many failures in a row said that the service cannot be reached.
    unreachable: u32,
    /// The subjects of the 5xx in a row.
    unavailable: HashSet<String>,
}

impl CircuitBreaker {
    /// Why nothing is to be sent about this subject, if the breaker is open for it.
    pub(super) fn open_cause(&self, subject: &str) -> Option<&str> {
        let of_subject = self.subjects.get(subject);
        let of_subject = of_subject.filter(|(failures, _)| *failures >= MAX_SUBJECT_FAILURES);
        let of_subject = of_subject.map(|(_, cause)| cause.as_str());
        self.open.as_deref().or(of_subject)
    }

    /// Records a response: earlier failures of its subjects, the address among them, and of the
    /// service no longer count.
    pub(super) fn record_success(&mut self, subjects: [&str; 2]) {
        for subject in subjects {
            self.subjects.remove(subject);
        }
        self.unreachable = 0;
        self.unavailable.clear();
    }

    /// Records a failure about a subject; an empty one is the service itself.
    pub(super) fn record_failure(&mut self, subject: &str, cause: &str, kind: FailureKind) {
        if !subject.is_empty() {
            let of_subject = self.subjects.entry(subject.to_owned()).or_default();
            *of_subject = (of_subject.0 + 1, cause.to_owned());
        }
        match kind {
            FailureKind::Unreachable => self.unreachable += 1,
            FailureKind::ServerError => {
                self.unreachable = 0;
                self.unavailable.insert(subject.to_owned());
            }
            FailureKind::SubjectOnly => {}
        }
        if self.unreachable >= MAX_UNREACHABLE || self.unavailable.len() >= MAX_UNAVAILABLE {
            self.open.get_or_insert_with(|| cause.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_for_a_subject_that_keeps_failing_and_for_no_other() {
        let mut breaker = CircuitBreaker::default();
        for _ in 0..3 {
            assert_eq!(breaker.open_cause("Main"), None);
            breaker.record_failure("Main", "500", FailureKind::ServerError);
        }
        assert_eq!(breaker.open_cause("Main"), Some("500"));
        assert_eq!(breaker.open_cause("Science"), None);
    }

    #[test]
    fn it_opens_after_three_failures_to_reach_the_service_or_twelve_5xx() {
        let mut breaker = CircuitBreaker::default();
        for n in 0..3 {
            assert_eq!(breaker.open_cause("x"), None);
            breaker.record_failure(&n.to_string(), "no connection", FailureKind::Unreachable);
        }
        assert_eq!(breaker.open_cause("x"), Some("no connection"));
        let mut breaker = CircuitBreaker::default();
        for n in 0..12 {
            assert_eq!(breaker.open_cause("x"), None);
            breaker.record_failure(&n.to_string(), "500", FailureKind::ServerError);
        }
        assert_eq!(breaker.open_cause("x"), Some("500"));
    }

    #[test]
    fn what_is_about_a_subject_alone_opens_it_for_no_other() {
        let mut breaker = CircuitBreaker::default();
        for n in 0..40 {
            breaker.record_failure("address", "404", FailureKind::SubjectOnly);
            breaker.record_failure(&n.to_string(), "404", FailureKind::SubjectOnly);
            assert_eq!(breaker.open_cause("x"), None);
        }
        assert_eq!(breaker.open_cause("address"), Some("404"));
    }

    #[test]
    fn a_response_in_between_restarts_the_count() {
        let mut breaker = CircuitBreaker::default();
        for n in 0..40 {
            breaker.record_failure(&n.to_string(), "no connection", FailureKind::Unreachable);
            breaker.record_failure(&n.to_string(), "500", FailureKind::ServerError);
            breaker.record_success(["somebody", "address"]);
            assert_eq!(breaker.open_cause("x"), None);
        }
    }
}
