//! The one door to the network: what is sent, how often and how long it is
//! tried, and what a failure means.
//!
//! It knows no service. What an answer says is for the service modules to read.

mod agents;
mod breaker;
mod explain;
mod proxy;
mod request;
mod resolve;

pub use agents::{Agents, agents};
pub use proxy::Proxy;
pub use request::{Failure, Fate, Repeat, Reply, Request, Verdict, encode, usual_verdict};

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Read;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ureq::http::{self, StatusCode, header};
use ureq::{Agent, SendBody};

use crate::clock::now;
use crate::config::Network;
use breaker::Breakers;
use explain::explain;

/// How long a service may make us wait with `Retry-After`.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// The wait before the second try; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// The way to one service: sends, tries again, and leaves alone what keeps failing.
pub struct Client {
    service: &'static str,
    agents: Agents,
    network: Network,
    breakers: Mutex<Breakers>,
}

impl Client {
    /// A way to the service of that name, over shared agents.
    #[must_use]
    pub fn new(service: &'static str, agents: Agents, network: &Network) -> Self {
        Self {
            service,
            agents,
            network: network.clone(),
            breakers: Mutex::default(),
        }
    }

    /// Sends a request, as often as needed and allowed.
    ///
    /// # Errors
    /// [`Failure`] where no try brought an answer. Every status that the
    /// request's verdict takes for an answer is a [`Reply`], 4xx among them.
    pub fn send(&self, request: &Request<'_>) -> Result<Reply, Failure> {
        let mut tried = 0;
        loop {
            self.check_breakers(&request.subject)?;
            self.check_breakers(request.keys)?;
            if let Some(pace) = request.pace {
                pace.wait();
            }
            tried += 1;
            let mut is_gone = true;
            let mut subject = request.subject.as_str();
            let (failure, wait, final_word) = match self.exchange(request) {
                Err(failure) => (failure, None, false),
                Ok(reply) => match (request.verdict)(&reply) {
                    Verdict::Answer => {
                        self.breakers().note_answer([subject, request.keys]);
                        return Ok(reply);
                    }
                    Verdict::Trouble => {
                        is_gone = false;
                        let wait = reply.header("Retry-After").and_then(retry_after);
                        (self.in_trouble(&reply), wait, false)
                    }
                    Verdict::TurnedAway(check) => (self.turned_away(&reply, check), None, true),
                    Verdict::WrongAddress => {
                        // Whoever is asked about next, the address is the same.
                        subject = request.keys;
                        (self.wrong_address(&reply, request.keys), None, true)
                    }
                },
            };
            let may_repeat = request.repeat == Repeat::Safe || failure.fate == Fate::NotProcessed;
            if final_word || !may_repeat || tried >= self.network.tries {
                self.breakers()
                    .note_failure(subject, &failure.cause, is_gone);
                return Err(failure);
            }
            let wait =
                wait.unwrap_or_else(|| back_off(tried, RandomState::new().build_hasher().finish()));
            log::debug!("{}: trying again in {wait:.1?}", failure.cause);
            std::thread::sleep(wait);
        }
    }

    /// Whether requests about that location, destination or person, or to the address of those
    /// keys, may be sent, or any if it is empty: not once it, or the whole service, has failed
    /// too often in this run.
    ///
    /// # Errors
    /// The failure that made it so.
    pub fn check_breakers(&self, subject: &str) -> Result<(), Failure> {
        match self.breakers().open_for(subject) {
            Some(cause) => Err(Failure::not_tried(cause)),
            None => Ok(()),
        }
    }

    // A thread that panicked leaves the counters as good as they were.
    fn breakers(&self) -> MutexGuard<'_, Breakers> {
        self.breakers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn exchange(&self, request: &Request<'_>) -> Result<Reply, Failure> {
        let mut builder = http::Request::builder()
            .method(request.method.clone())
            .uri(&request.address);
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        let proxy = self.agents.proxy_for(&request.address);
        let agent = self.agents.agent(request.repeat, proxy);
        let mut body = request.body.as_deref().map(Body::new);
        let answer = match &mut body {
            None => run(agent, builder.body(())),
            Some(body) => {
                let builder = builder.header(header::CONTENT_LENGTH, body.rest.len());
                run(agent, builder.body(SendBody::from_reader(body)))
            }
        };
        let answer = answer.and_then(|mut answer| {
            let content = answer
                .body_mut()
                .with_config()
                .limit(u64::from(request.largest_answer) << 20)
                .read_to_vec()?;
            Ok((answer, content))
        });
        let (answer, content) = answer.map_err(|error| {
            let (seconds, mib) = (self.network.timeout_seconds, request.largest_answer);
            let why = explain(&error, proxy, seconds, mib);
            Failure {
                fate: fate_of(body.as_ref()),
                ..Failure::not_processed(format!("{} does not answer: {why}", self.service))
            }
        })?;
        let (head, _) = answer.into_parts();
        let reply = Reply {
            status: head.status.as_u16(),
            body: content,
            headers: head.headers,
        };
        log::debug!(
            "{}: {} answered {} with {} bytes",
            self.service,
            request.method,
            reply.status,
            reply.body.len()
        );
        Ok(reply)
    }

    fn in_trouble(&self, reply: &Reply) -> Failure {
        let cause = match reply.status {
            429 => format!("{} says that it is asked too often (429)", self.service),
            status => format!(
                "{} is in trouble: it answered {}",
                self.service,
                named(status)
            ),
        };
        let fate = match reply.status {
            429 => Fate::NotProcessed,
            _ => Fate::Trouble,
        };
        Failure {
            fate,
            ..Failure::not_processed(cause)
        }
    }

    fn turned_away(&self, reply: &Reply, check: &str) -> Failure {
        Failure::not_processed(format!(
            "{} turned us away: it answered {}; check {check}",
            self.service,
            named(reply.status)
        ))
    }

    fn wrong_address(&self, reply: &Reply, keys: &str) -> Failure {
        match reply.status {
            300..=399 => Failure {
                // Some send a browser on when they have done what was asked.
                fate: Fate::Trouble,
                ..Failure::not_processed(format!(
                    "{} answered with a redirect ({}), which is not followed: check {keys}",
                    self.service, reply.status
                ))
            },
            status => Failure::not_processed(format!(
                "{} answered {}, as if nothing were at that address: check {keys}",
                self.service,
                named(status)
            )),
        }
    }
}

/// A request's body that knows whether any of it was taken to be sent.
struct Body<'a> {
    rest: &'a [u8],
    is_taken: bool,
}

impl<'a> Body<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            is_taken: false,
        }
    }
}

impl Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.is_taken = true;
        self.rest.read(buffer)
    }
}

/// What became of a request to which no answer came: as long as nothing of its body was sent,
/// no service can have acted on it, whichever way the connection failed.
fn fate_of(body: Option<&Body<'_>>) -> Fate {
    match body {
        Some(body) if !body.is_taken => Fate::NotProcessed,
        _ => Fate::Unknown,
    }
}

fn run(
    agent: &Agent,
    request: http::Result<http::Request<impl ureq::AsSendBody>>,
) -> Result<http::Response<ureq::Body>, ureq::Error> {
    agent.run(request?)
}

/// A status with its name, such as `503 Service Unavailable`.
#[must_use]
pub fn named(status: u16) -> String {
    let reason = StatusCode::from_u16(status)
        .ok()
        .and_then(|code| code.canonical_reason());
    reason.map_or_else(|| status.to_string(), |reason| format!("{status} {reason}"))
}

/// How long to wait after the given number of tries: doubling, and between half
/// and all of that by chance, so that many clients do not come back at once.
fn back_off(tried: u32, chance: u64) -> Duration {
    let whole = FIRST_WAIT * 2_u32.saturating_pow(tried.saturating_sub(1).min(10));
    let whole = whole.min(LONGEST_WAIT);
    let permille = u32::try_from(chance % 501).unwrap_or(0);
    whole / 2 + whole * permille / 1000
}

/// Reads a `Retry-After` header, in seconds or as a date; never longer than we are willing to wait.
fn retry_after(value: &str) -> Option<Duration> {
    let seconds = if let Ok(seconds) = value.trim().parse() {
        seconds
    } else {
        let until = chrono::DateTime::parse_from_rfc2822(value.trim()).ok()?;
        u64::try_from((until.to_utc() - now()).num_seconds()).unwrap_or(0)
    };
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_doubles_with_jitter_and_has_a_ceiling() {
        for chance in [0, 250, 500, u64::MAX] {
            for (tried, whole) in [(1, 250), (2, 500), (3, 1000), (30, 30_000)] {
                let wait = back_off(tried, chance).as_millis();
                assert!(wait >= whole / 2 && wait <= whole, "{tried}: {wait}");
            }
        }
        assert_ne!(back_off(1, 0), back_off(1, 500));
    }

    #[test]
    fn retry_after_is_read_in_both_forms_and_capped() {
        assert_eq!(retry_after("2"), Some(Duration::from_secs(2)));
        assert_eq!(retry_after(" 3600 "), Some(LONGEST_WAIT));
        assert_eq!(
            retry_after("Wed, 21 Oct 2015 07:28:00 GMT"),
            Some(Duration::ZERO)
        );
        assert_eq!(
            retry_after("Wed, 21 Oct 2099 07:28:00 GMT"),
            Some(LONGEST_WAIT)
        );
        assert_eq!(retry_after("soon"), None);
    }
}
