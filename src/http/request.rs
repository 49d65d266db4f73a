//! A request as it is built, its answer, and what became of it if there is none.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use ureq::http::{HeaderMap, Method};

use crate::pace::Pace;

/// All but letters, digits and `-._~`: right for a path segment and for a query.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Percent-encodes a text for one path segment or one part of a query (a space is `%20`).
#[must_use]
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// Whether a request may be sent again when it is not known what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Repeat {
    /// Sending it twice does no more than sending it once.
    Safe,
    /// Only when the service surely did not act on it; it goes over a connection of its own.
    OnlyIfNotProcessed,
}

/// What a service module makes of an answer, before it reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// An answer to the question.
    Answer,
    /// The service is in trouble: ask again, if the request may be repeated.
    Trouble,
    /// The service turns us away, whatever we ask; says what to check.
    TurnedAway(&'static str),
    /// The service has nothing at that address, so that it did nothing.
    WrongAddress,
}

/// The verdict where a service has no rules of its own: 408, 429 and 5xx are
/// trouble, and a redirect speaks of the address, for none is followed.
#[must_use]
pub fn usual_verdict(reply: &Reply) -> Verdict {
    match reply.status {
        408 | 429 | 500.. => Verdict::Trouble,
        300..=399 => Verdict::WrongAddress,
        _ => Verdict::Answer,
    }
}

/// What became of a request that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The service surely did not act on it.
    NotProcessed,
    /// The service said that it is in trouble; it may have acted all the same.
    Trouble,
    /// It went out and no readable answer came back.
    Unknown,
}

/// A service could not be asked, or gave no usable answer: an outage.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What happened, beginning with the service's name; without anything from the answer's body.
    pub cause: String,
    /// What became of the request.
    pub fate: Fate,
    /// Whether this very request was tried; if not, what came before it has failed too often.
    pub was_tried: bool,
}

impl Failure {
    /// The failure of a request that the service surely did not act on.
    #[must_use]
    pub fn not_processed(cause: impl Into<String>) -> Self {
        Self {
            cause: cause.into(),
            fate: Fate::NotProcessed,
            was_tried: true,
        }
    }

    /// The failure of a request that was not even tried.
    #[must_use]
    pub fn not_tried(cause: impl Into<String>) -> Self {
        Self {
            was_tried: false,
            ..Self::not_processed(cause)
        }
    }
}

/// An answer: its status and its whole body.
#[derive(Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body, no larger than the request allows.
    pub body: Vec<u8>,
    pub(super) headers: HeaderMap,
}

impl Reply {
    /// An answer as it might come, for the tests of its readers.
    #[cfg(test)]
    pub(crate) fn of(status: u16, body: Vec<u8>) -> Self {
        Self {
            status,
            body,
            headers: HeaderMap::new(),
        }
    }

    /// A header that is text, if there is one of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether the status is 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as JSON, or nothing where it is none.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }
}

/// A request, built step by step and then sent with [`Client::send`](super::Client::send).
pub struct Request<'a> {
    pub(super) method: Method,
    pub(super) address: String,
    /// The keys of the configuration that make up the address, as they are told.
    pub(super) keys: &'static str,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Option<Vec<u8>>,
    pub(super) repeat: Repeat,
    /// The location, destination or person that it is about.
    pub(super) subject: String,
    pub(super) verdict: fn(&Reply) -> Verdict,
    pub(super) pace: Option<&'a Pace>,
    /// In MiB.
    pub(super) largest_answer: u32,
}

impl<'a> Request<'a> {
    /// A GET, which may always be repeated. `keys` are those of the configuration that make up
    /// the address, such as `LibCal.bookings_endpt`: they are named where it turns out wrong.
    #[must_use]
    pub fn get(address: String, keys: &'static str) -> Self {
        Self::new(Method::GET, address, keys, None)
    }

    /// A POST with an empty body; it may be repeated unless [`Request::repeat`] says otherwise.
    #[must_use]
    pub fn post(address: String, keys: &'static str) -> Self {
        Self::new(Method::POST, address, keys, Some(Vec::new()))
    }

    fn new(method: Method, address: String, keys: &'static str, body: Option<Vec<u8>>) -> Self {
        Self {
            method,
            address,
            keys,
            headers: Vec::new(),
            body,
            repeat: Repeat::Safe,
            subject: String::new(),
            verdict: usual_verdict,
            pace: None,
            largest_answer: 1,
        }
    }

    /// Adds query parameters.
    #[must_use]
    pub fn query(mut self, pairs: &[(&str, &str)]) -> Self {
        let joint = if self.address.contains('?') { '&' } else { '?' };
        self.address.push(joint);
        self.address.push_str(&form(pairs));
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Sets a JSON body.
    #[must_use]
    pub fn json(mut self, value: &Value) -> Self {
        self.body = Some(value.to_string().into_bytes());
        self.header("Content-Type", "application/json")
    }

    /// Sets a form-encoded body.
    #[must_use]
    pub fn form(mut self, pairs: &[(&str, &str)]) -> Self {
        self.body = Some(form(pairs).into_bytes());
        self.header("Content-Type", "application/x-www-form-urlencoded")
    }

    /// Says whether the request may be repeated.
    #[must_use]
    pub fn repeat(mut self, repeat: Repeat) -> Self {
        self.repeat = repeat;
        self
    }

    /// Says which location, destination or person the request is about: what fails for one of
    /// them says nothing of the others.
    #[must_use]
    pub fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = subject.into();
        self
    }

    /// Gives the service's own rules for telling an answer from trouble.
    #[must_use]
    pub fn verdict(mut self, verdict: fn(&Reply) -> Verdict) -> Self {
        self.verdict = verdict;
        self
    }

    /// Sets how large an answer may be, in MiB; one alone if this is not said. Several are held at once.
    #[must_use]
    pub fn largest_answer(mut self, mib: u32) -> Self {
        self.largest_answer = mib;
        self
    }

    /// Makes every try wait for its turn.
    #[must_use]
    pub fn pace(mut self, pace: &'a Pace) -> Self {
        self.pace = Some(pace);
        self
    }
}

fn form(pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(key, value)| format!("{}={}", encode(key), encode(value)))
        .collect();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_space_is_encoded_as_a_path_wants_it() {
        assert_eq!(encode("a b+c/d?é.~"), "a%20b%2Bc%2Fd%3F%C3%A9.~");
    }
}
