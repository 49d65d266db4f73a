//! The one door to the network: what is sent, how often and how long it is
//! tried, and what a failure means.
//!
//! It knows no service. What an answer says is for the service modules to read.

mod breaker;
mod request;

pub use request::{Failure, Fate, Repeat, Reply, Request, Verdict, encode, usual_verdict};

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::ErrorKind;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ureq::http::{self, StatusCode, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Timeout};

use crate::clock::now;
use crate::config::Network;
use breaker::Breakers;

/// How long a service may make us wait with `Retry-After`.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// The wait before the second try; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(250);

const HOST_NOT_FOUND: &str =
    "its host name is not known: check its address in the configuration, and the DNS";

/// The agents that all services share: their time-outs and certificates, and the connections
/// that one of them keeps.
#[derive(Debug, Clone)]
pub struct Agents {
    /// Uses a connection as long as it lasts.
    keeping: Agent,
    /// Makes a connection of its own for each request.
    fresh: Agent,
}

/// Makes the agents.
///
/// Certificates are checked against the operating system's store, and redirects are not followed.
#[must_use]
pub fn agents(network: &Network) -> Agents {
    let connections = network.concurrency as usize;
    Agents {
        keeping: agent(network, connections),
        fresh: agent(network, 0),
    }
}

fn agent(network: &Network, kept_connections: usize) -> Agent {
    // One limit for each step instead of one for the whole: only so does a
    // time-out tell whether the request had gone out.
    let limit = Some(Duration::from_secs(network.timeout_seconds.into()));
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("libcal-pp/", env!("CARGO_PKG_VERSION")))
        .timeout_resolve(limit)
        .timeout_connect(limit)
        .timeout_send_request(limit)
        .timeout_send_body(limit)
        .timeout_recv_response(limit)
        .timeout_recv_body(limit)
        // Each connection has its own; the default of 128 KiB adds up.
        .input_buffer_size(32 << 10)
        .max_idle_connections(3 * kept_connections)
        .max_idle_connections_per_host(kept_connections)
        .tls_config(
            TlsConfig::builder()
                .root_certs(RootCerts::PlatformVerifier)
                .build(),
        )
        .build()
        .into()
}

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
                        (self.in_trouble(&reply), reply.retry_after, false)
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
        let agent = match request.repeat {
            Repeat::Safe => &self.agents.keeping,
            // On a connection that was used before, nobody can tell whether a server that has just
            // closed it acted, nor whether an answer is a late one to another request.
            Repeat::OnlyIfNotProcessed => &self.agents.fresh,
        };
        let answer = match &request.body {
            None => run(agent, builder.body(())),
            Some(body) => run(agent, builder.body(body.as_slice())),
        };
        let answer = answer.and_then(|mut answer| {
            let body = answer
                .body_mut()
                .with_config()
                .limit(u64::from(request.largest_answer) << 20)
                .read_to_vec()?;
            Ok((answer, body))
        });
        let (answer, body) = answer.map_err(|error| self.explain(&error, request))?;
        let reply = Reply {
            status: answer.status().as_u16(),
            body,
            retry_after: answer
                .headers()
                .get(header::RETRY_AFTER)
                .and_then(|value| retry_after(value.to_str().ok()?)),
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

    /// Puts a transport error into words, and tells whether the request can have reached the service.
    fn explain(&self, error: &ureq::Error, request: &Request<'_>) -> Failure {
        let limit = self.network.timeout_seconds;
        let (fate, what) = match error {
            ureq::Error::HostNotFound => (Fate::NotProcessed, HOST_NOT_FOUND.into()),
            ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => (
                Fate::NotProcessed,
                format!("no connection within {limit} s"),
            ),
            ureq::Error::Timeout(_) => (Fate::Unknown, format!("no answer within {limit} s")),
            ureq::Error::ConnectionFailed => (Fate::NotProcessed, "no connection".into()),
            ureq::Error::ConnectProxyFailed(_) | ureq::Error::InvalidProxyUrl => (
                Fate::NotProcessed,
                "the proxy of HTTPS_PROXY cannot be used".into(),
            ),
            ureq::Error::Http(_) | ureq::Error::BadUri(_) => (
                Fate::NotProcessed,
                "the request cannot be put into HTTP".into(),
            ),
            ureq::Error::BodyExceedsLimit(_) => (
                Fate::Unknown,
                format!("its answer is larger than {} MiB", request.largest_answer),
            ),
            ureq::Error::Io(error) => explain_io(error),
            // rustls tells of certificates here, never of what was sent.
            ureq::Error::Rustls(error) => (
                Fate::Unknown,
                format!("no trust in its certificate or connection: {error}"),
            ),
            _ => (Fate::Unknown, "its answer is no readable HTTP".into()),
        };
        Failure {
            fate,
            ..Failure::not_processed(format!("{} does not answer: {what}", self.service))
        }
    }
}

fn run(
    agent: &Agent,
    request: http::Result<http::Request<impl ureq::AsSendBody>>,
) -> Result<http::Response<ureq::Body>, ureq::Error> {
    agent.run(request?)
}

fn explain_io(error: &std::io::Error) -> (Fate, String) {
    // The standard library has no kind for it, only this text.
    if error.to_string().starts_with("failed to lookup address") {
        return (Fate::NotProcessed, HOST_NOT_FOUND.into());
    }
    match error.kind() {
        ErrorKind::ConnectionRefused => (Fate::NotProcessed, "connection refused".into()),
        ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::NetworkDown
        | ErrorKind::AddrNotAvailable => (Fate::NotProcessed, "its host cannot be reached".into()),
        // The TLS handshake reports a bad certificate as invalid data.
        ErrorKind::InvalidData => (
            Fate::Unknown,
            format!("no trust in its certificate or connection: {error}"),
        ),
        _ => (Fate::Unknown, "the connection broke".into()),
    }
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
