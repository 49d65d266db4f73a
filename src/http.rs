//! The HTTP client, and the one door to the network: what is sent, how often and how long it is
//! retried, and what a failure means.
//!
//! It knows no service. What a response says is for the service modules to read.

mod agents;
mod circuit_breaker;
mod proxy;
mod request;
mod resolver;
mod transport_error;

pub use agents::{Agents, agents};
pub use circuit_breaker::MAX_UNREACHABLE;
pub use proxy::Proxy;
pub use request::{
    Delivery, Disposition, Failure, Request, Response, RetryPolicy, classify_by_status, encode,
};

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Read;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ureq::http::{self, StatusCode, header};
use ureq::{Agent, SendBody};

use crate::clock::now;
use crate::config::Network;
use circuit_breaker::{CircuitBreaker, FailureKind};
use transport_error::describe;

/// The longest wait before a retry, whatever `Retry-After` says.
const MAX_WAIT: Duration = Duration::from_secs(30);
/// The wait before the first retry; each further one is twice as long.
const INITIAL_BACKOFF: Duration = Duration::from_millis(250);

/// The client of one service: sends requests, retries them, and stops asking what keeps failing.
pub struct Client {
    service: &'static str,
    agents: Agents,
    network: Network,
    breaker: Mutex<CircuitBreaker>,
    /// How long it may still wait because of `Retry-After`, in sum over all threads: at first as long as
    /// a request takes that is never answered. After that, what would have to wait fails at once, so
    /// that an outage does not last longer the more people it concerns.
    wait_budget: Mutex<Duration>,
}

/// An attempt that brought no answer.
struct FailedAttempt<'r> {
    failure: Failure,
    /// What it counts against.
    subject: &'r str,
    kind: FailureKind,
    /// How long to wait before a retry, if the service says so.
    wait: Option<Duration>,
    /// Whether a retry would end in the same way.
    is_final: bool,
}

impl Client {
    /// The client of the service with that name, over shared agents.
    #[must_use]
    pub fn new(service: &'static str, agents: Agents, network: &Network) -> Self {
        Self {
            service,
            agents,
            network: network.clone(),
            breaker: Mutex::default(),
            wait_budget: Mutex::new(Duration::from_secs(
                u64::from(network.timeout_seconds) * u64::from(network.tries),
            )),
        }
    }

    /// Sends a request, and retries it as often as needed and allowed.
    ///
    /// # Errors
    /// [`Failure`] where no attempt brought an answer. Every status that the
    /// request's disposition takes for an answer is a [`Response`], 4xx among them.
    pub fn send(&self, request: &Request<'_>) -> Result<Response, Failure> {
        let mut attempts = 0;
        loop {
            self.check_breaker(&request.subject)?;
            self.check_breaker(request.keys)?;
            if let Some(rate_limiter) = request.rate_limiter {
                rate_limiter.wait();
            }
            attempts += 1;
            let failed = match self.attempt(request) {
                Ok(response) => return Ok(response),
                Err(failed) => failed,
            };
            let cause = &failed.failure.cause;
            if !self.may_retry(request, &failed, attempts) {
                self.breaker()
                    .record_failure(failed.subject, cause, failed.kind);
                return Err(failed.failure);
            }
            let wait = failed
                .wait
                .unwrap_or_else(|| backoff(attempts, RandomState::new().build_hasher().finish()));
            log::debug!("{cause}; retrying in {:.1} s", wait.as_secs_f64());
            std::thread::sleep(wait);
        }
    }

    /// Sends a request once, and classifies the response.
    fn attempt<'r>(&self, request: &'r Request<'_>) -> Result<Response, FailedAttempt<'r>> {
        let subject = request.subject.as_str();
        let failed = |failure, kind, is_final| FailedAttempt {
            failure,
            subject,
            kind,
            wait: None,
            is_final,
        };
        let response = self.send_once(request);
        let response =
            response.map_err(|failure| failed(failure, FailureKind::Unreachable, false))?;
        match (request.classify)(&response) {
            Disposition::Answer => {
                // A token that is rejected says nothing good of anything.
                if response.status != 401 {
                    self.breaker().record_success([subject, request.keys]);
                }
                Ok(response)
            }
            Disposition::Unavailable => Err(FailedAttempt {
                wait: response.header("Retry-After").and_then(retry_after),
                ..failed(self.unavailable(&response), FailureKind::ServerError, false)
            }),
            Disposition::Rejected(to_check) => {
                let failure = self.rejected(&response, to_check);
                Err(failed(failure, FailureKind::Unreachable, true))
            }
            // The address is the same for every subject.
            Disposition::WrongAddress => {
                let failure = self.wrong_address(&response, request.keys);
                Err(FailedAttempt {
                    subject: request.keys,
                    ..failed(failure, FailureKind::SubjectOnly, true)
                })
            }
        }
    }

    /// Whether a request may be sent again after that many attempts.
    fn may_retry(&self, request: &Request<'_>, failed: &FailedAttempt<'_>, attempts: u32) -> bool {
        let is_safe = request.retry_policy == RetryPolicy::Idempotent
            || failed.failure.delivery == Delivery::NotProcessed;
        !failed.is_final
            && is_safe
            && attempts < self.network.tries
            && self.spend_wait(failed.wait.unwrap_or_default())
    }

    /// Checks that the circuit breaker is closed for a location, destination or person, or for the
    /// address of those keys; if `subject` is empty, for the service as a whole.
    ///
    /// # Errors
    /// The failure that opened it.
    pub fn check_breaker(&self, subject: &str) -> Result<(), Failure> {
        match self.breaker().open_cause(subject) {
            Some(cause) => Err(Failure::not_tried(cause)),
            None => Ok(()),
        }
    }

    /// Records that the service rejects even a new token for this request: three such failures in a
    /// row about one subject, or at one address, open the circuit breaker for it.
    pub fn record_rejection(&self, request: &Request<'_>, cause: &str) {
        let mut breaker = self.breaker();
        for subject in [&request.subject, request.keys] {
            breaker.record_failure(subject, cause, FailureKind::SubjectOnly);
        }
    }

    /// Takes a wait from the budget; says whether as much was left.
    fn spend_wait(&self, wait: Duration) -> bool {
        let budget = self.wait_budget.lock();
        let mut budget = budget.unwrap_or_else(PoisonError::into_inner);
        let left = budget.checked_sub(wait);
        *budget = left.unwrap_or(*budget);
        left.is_some()
    }

    // A thread that panicked leaves the counters consistent.
    fn breaker(&self) -> MutexGuard<'_, CircuitBreaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send_once(&self, request: &Request<'_>) -> Result<Response, Failure> {
        let mut builder = http::Request::builder()
            .method(request.method.clone())
            .uri(&request.address);
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        let proxy = self.agents.proxy_for(&request.address);
        let agent = self.agents.agent(request.retry_policy, proxy);
        let mut body = request.body.as_deref().map(Body::new);
        let received = match &mut body {
            None => execute(agent, builder.body(())),
            Some(body) => {
                let builder = builder.header(header::CONTENT_LENGTH, body.rest.len());
                execute(agent, builder.body(SendBody::from_reader(body)))
            }
        };
        let received = received.and_then(|mut received| {
            let content = received
                .body_mut()
                .with_config()
                .limit(u64::from(request.max_body_mib) << 20)
                .read_to_vec()?;
            Ok((received, without_byte_order_mark(content)))
        });
        let (received, content) = received.map_err(|error| {
            let (seconds, mib) = (self.network.timeout_seconds, request.max_body_mib);
            let why = describe(&error, proxy, seconds, mib);
            Failure {
                delivery: delivery_of(body.as_ref()),
                ..Failure::not_processed(format!("{} {why}", self.service))
            }
        })?;
        let (head, _) = received.into_parts();
        let response = Response {
            status: head.status.as_u16(),
            body: content,
            headers: head.headers,
        };
        log::debug!(
            "{}: {} returned {} ({} bytes)",
            self.service,
            request.method,
            response.status,
            response.body.len()
        );
        Ok(response)
    }

    fn unavailable(&self, response: &Response) -> Failure {
        let cause = match response.status {
            429 => format!(
                "{}'s rate limit is exceeded (429 Too Many Requests)",
                self.service
            ),
            status => format!(
                "{} returned a server error ({})",
                self.service,
                status_text(status)
            ),
        };
        let delivery = match response.status {
            429 => Delivery::NotProcessed,
            _ => Delivery::ErrorResponse,
        };
        Failure {
            delivery,
            ..Failure::not_processed(cause)
        }
    }

    fn rejected(&self, response: &Response, to_check: &str) -> Failure {
        Failure::not_processed(format!(
            "{} denied access ({}): check {to_check}",
            self.service,
            status_text(response.status)
        ))
    }

    fn wrong_address(&self, response: &Response, keys: &str) -> Failure {
        match response.status {
            300..=399 => Failure {
                // Some servers redirect after they have carried out the request.
                delivery: Delivery::ErrorResponse,
                ..Failure::not_processed(format!(
                    "{} returned a redirect ({}), which is not followed: check {keys}",
                    self.service,
                    status_text(response.status)
                ))
            },
            status => Failure::not_processed(format!(
                "{} has nothing at this address ({}): check {keys}",
                self.service,
                status_text(status)
            )),
        }
    }
}

/// A request's body that knows whether any of it was read to be sent.
struct Body<'a> {
    rest: &'a [u8],
    was_read: bool,
}

impl<'a> Body<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            was_read: false,
        }
    }
}

impl Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.was_read = true;
        self.rest.read(buffer)
    }
}

/// How far a request came that got no response: as long as nothing of its body was sent,
/// no service can have acted on it, whichever way the connection failed.
fn delivery_of(body: Option<&Body<'_>>) -> Delivery {
    match body {
        Some(body) if !body.was_read => Delivery::NotProcessed,
        _ => Delivery::Unknown,
    }
}

fn execute(
    agent: &Agent,
    request: http::Result<http::Request<impl ureq::AsSendBody>>,
) -> Result<http::Response<ureq::Body>, ureq::Error> {
    agent.run(request?)
}

/// A body without the byte order mark that some servers put before JSON, which forbids it.
fn without_byte_order_mark(mut body: Vec<u8>) -> Vec<u8> {
    const MARK: &[u8] = "\u{feff}".as_bytes();
    if body.starts_with(MARK) {
        body.drain(..MARK.len());
    }
    body
}

/// A status with its reason phrase, such as `503 Service Unavailable`.
#[must_use]
pub fn status_text(status: u16) -> String {
    let reason = StatusCode::from_u16(status)
        .ok()
        .and_then(|code| code.canonical_reason());
    reason.map_or_else(|| status.to_string(), |reason| format!("{status} {reason}"))
}

/// How long to wait after the given number of attempts: exponential backoff with jitter, between half
/// and all of it, so that many clients do not come back at once.
fn backoff(attempts: u32, random: u64) -> Duration {
    let whole = INITIAL_BACKOFF * 2_u32.saturating_pow(attempts.saturating_sub(1).min(10));
    let whole = whole.min(MAX_WAIT);
    let permille = u32::try_from(random % 501).unwrap_or(0);
    whole / 2 + whole * permille / 1000
}

/// Reads a `Retry-After` header, in seconds or as a date; never more than [`MAX_WAIT`].
fn retry_after(value: &str) -> Option<Duration> {
    let seconds = if let Ok(seconds) = value.trim().parse() {
        seconds
    } else {
        let until = chrono::DateTime::parse_from_rfc2822(value.trim()).ok()?;
        u64::try_from((until.to_utc() - now()).num_seconds()).unwrap_or(0)
    };
    Some(Duration::from_secs(seconds).min(MAX_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_with_jitter_and_has_a_ceiling() {
        for random in [0, 250, 500, u64::MAX] {
            for (attempts, whole) in [(1, 250), (2, 500), (3, 1000), (30, 30_000)] {
                let wait = backoff(attempts, random).as_millis();
                assert!(wait >= whole / 2 && wait <= whole, "{attempts}: {wait}");
            }
        }
        assert_ne!(backoff(1, 0), backoff(1, 500));
    }

    #[test]
    fn retry_after_is_read_in_both_forms_and_capped() {
        assert_eq!(retry_after("2"), Some(Duration::from_secs(2)));
        assert_eq!(retry_after(" 3600 "), Some(MAX_WAIT));
        assert_eq!(
            retry_after("Wed, 21 Oct 2015 07:28:00 GMT"),
            Some(Duration::ZERO)
        );
        assert_eq!(retry_after("Wed, 21 Oct 2099 07:28:00 GMT"), Some(MAX_WAIT));
        assert_eq!(retry_after("soon"), None);
    }
}
