//! A request as it is built, its response, and the failure if there is none.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use ureq::http::{HeaderMap, Method};

use crate::json;
use crate::rate_limit::RateLimiter;

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

/// Whether a request may be retried when it is not known what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RetryPolicy {
    /// It is idempotent: sending it twice does no more than sending it once.
    Idempotent,
    /// Only when the service surely did not act on it; it goes over a connection of its own.
    OnlyIfNotProcessed,
}

/// How a service module classifies a response, before it reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// It answers the request, be it with an error about this one.
    Answer,
    /// The service is unavailable or overloaded: retry, if the request may be repeated.
    Unavailable,
    /// The service rejects our credentials, whatever we ask; says what to check.
    Rejected(&'static str),
    /// The service has nothing at that address, so it did nothing.
    WrongAddress,
}

/// The disposition where a service has no rules of its own: after 408, 429 and 5xx it is
/// unavailable, and a redirect means a wrong address, because none is followed.
#[must_use]
pub fn classify_by_status(response: &Response) -> Disposition {
    match response.status {
        408 | 429 | 500.. => Disposition::Unavailable,
        300..=399 => Disposition::WrongAddress,
        _ => Disposition::Answer,
    }
}

/// How far a request that failed came: whether the service may have acted on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// The service certainly did not act on it.
    NotProcessed,
    /// The service answered with an error or a redirect; it may have acted all the same.
    ErrorResponse,
    /// It was sent, and no readable response came back.
    Unknown,
}

/// A service could not be reached, or gave no usable response: an outage.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What happened, beginning with the service's name; without anything from the response's body.
    pub cause: String,
    /// How far the request came.
    pub delivery: Delivery,
    /// Whether this very request was sent; if not, earlier ones have failed too often.
    pub was_tried: bool,
}

impl Failure {
    /// The failure of a request that the service certainly did not act on.
    #[must_use]
    pub fn not_processed(cause: impl Into<String>) -> Self {
        Self {
            cause: cause.into(),
            delivery: Delivery::NotProcessed,
            was_tried: true,
        }
    }

    /// The failure of a request that was not even sent.
    #[must_use]
    pub fn not_tried(cause: impl Into<String>) -> Self {
        Self {
            was_tried: false,
            ..Self::not_processed(cause)
        }
    }
}

/// An HTTP response: its status and its whole body.
#[derive(Debug)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The body, no larger than the request allows.
    pub body: Vec<u8>,
    pub(super) headers: HeaderMap,
}

impl Response {
    /// A response as it might come, for the tests of its readers.
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

    /// The body as JSON, or `None` where it is not JSON.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        serde_json::from_str(&json::cleaned(&self.body)).ok()
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
    /// The keys of the configuration that make up the address, as messages name them.
    pub(super) keys: &'static str,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Option<Vec<u8>>,
    pub(super) retry_policy: RetryPolicy,
    /// The location, destination or person that it is about.
    pub(super) subject: String,
    pub(super) classify: fn(&Response) -> Disposition,
    pub(super) rate_limiter: Option<&'a RateLimiter>,
    /// In MiB.
    pub(super) max_body_mib: u32,
}

impl<'a> Request<'a> {
    /// A GET, which may always be repeated. `keys` are those of the configuration that make up
    /// the address, such as `LibCal.bookings_endpt`: messages name them where it turns out wrong.
    #[must_use]
    pub fn get(address: String, keys: &'static str) -> Self {
        Self::new(Method::GET, address, keys, None)
    }

    /// A POST with an empty body; it may be retried unless [`Request::retry_policy`] says otherwise.
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
            retry_policy: RetryPolicy::Idempotent,
            subject: String::new(),
            classify: classify_by_status,
            rate_limiter: None,
            max_body_mib: 1,
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

    /// Sets whether the request may be retried.
    #[must_use]
    pub fn retry_policy(mut self, retry_policy: RetryPolicy) -> Self {
        self.retry_policy = retry_policy;
        self
    }

    /// Says which location, destination or person the request is about: what fails for one of
    /// them says nothing of the others.
    #[must_use]
    pub fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = subject.into();
        self
    }

    /// Sets the service's own rules for classifying a response.
    #[must_use]
    pub fn classify(mut self, classify: fn(&Response) -> Disposition) -> Self {
        self.classify = classify;
        self
    }

    /// Sets how large the response's body may be, in MiB; 1 by default. Several are held at once.
    #[must_use]
    pub fn max_body_mib(mut self, mib: u32) -> Self {
        self.max_body_mib = mib;
        self
    }

    /// Makes every attempt wait for the rate limiter.
    #[must_use]
    pub fn rate_limiter(mut self, rate_limiter: &'a RateLimiter) -> Self {
        self.rate_limiter = Some(rate_limiter);
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
