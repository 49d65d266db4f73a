//! Alma (Ex Libris): from the ID that a person typed to their barcode.
//!
//! What follows from the answer is for [`crate::pass`] to say.

mod response;

pub use response::User;

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::clock::local_now;
use crate::config::{self, Network, Secret};
use crate::http::{
    Agents, Client, Disposition, Request, Response, classify_by_status, encode, status_text,
};
use crate::model::{Outage, PrimaryId, Reason};
use crate::rate_limit::RateLimiter;

use response::{ErrorKind, ParsedUser, error_kind, parse_user};

/// The header with the number of requests that are left for the day.
const REQUESTS_LEFT: &str = "X-Exl-Api-Remaining";
/// After so many responses in a row that deny access, perhaps because of the ID alone, it is the key;
/// the circuit breaker waits for as many 5xx.
const MAX_REJECTIONS: u32 = 12;
/// The key of the configuration that is the address.
const USERS_KEY: &str = "Alma.users_endpt";

/// Alma as one run talks to it.
pub struct Alma<'a> {
    config: &'a config::Alma,
    zones: Vec<Zone<'a>>,
}

/// One institution zone: a key, with its own rate limit, and its own circuit breaker.
struct Zone<'a> {
    client: Client,
    key: &'a Secret,
    rate_limiter: RateLimiter,
    /// Why the key was rejected, if it was.
    rejected: OnceLock<Outage>,
    /// How many rejections there were in a row; from [`MAX_REJECTIONS`] on, the key is not used for
    /// the rest of the run.
    rejections: AtomicU32,
}

impl Zone<'_> {
    /// Counts what denies access; where Alma itself rejects the key, that is enough.
    fn count_rejections(&self, kind: Option<ErrorKind>) {
        let count = |so_far: u32| match kind {
            _ if so_far >= MAX_REJECTIONS => so_far,
            Some(ErrorKind::KeyRejected | ErrorKind::DailyThreshold) => MAX_REJECTIONS,
            Some(ErrorKind::AccessDenied) => so_far + 1,
            _ => 0,
        };
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        let _ = self
            .rejections
            .fetch_update(set, fetch, |so_far| Some(count(so_far)));
    }
}

/// What Alma says of an ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The user, with an active barcode.
    Found(User),
    /// No institution zone knows the ID.
    NotFound,
    /// The user exists and cannot be let in.
    Refused(Reason),
}

/// Alma did not answer, so nothing is known about an ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoAnswer {
    /// The outage.
    pub outage: Outage,
    /// Whether Alma was asked for this very ID; if not, earlier requests had failed too often.
    pub was_tried: bool,
}

/// What one institution zone says of an ID.
enum ZoneAnswer {
    Found(User),
    NotFound,
    Refused(Reason),
    NoAnswer(NoAnswer),
}

impl<'a> Alma<'a> {
    /// Alma over these agents.
    #[must_use]
    pub fn new(agents: &Agents, network: &Network, config: &'a config::Alma) -> Self {
        let zone = |key| Zone {
            client: Client::new("Alma", agents.clone(), network),
            key,
            rate_limiter: RateLimiter::new(config.requests_per_second),
            rejected: OnceLock::new(),
            rejections: AtomicU32::new(0),
        };
        Self {
            config,
            zones: config.apikeys.iter().map(zone).collect(),
        }
    }

    /// Finds a user by any identifier: `GET {users_endpt}/{id}`. Each spelling that was typed is
    /// tried, because some identifiers are case-sensitive, and if nobody has any of these, the
    /// normalized form.
    ///
    /// # Errors
    /// The outage, where a zone did not answer and no other has the user: nothing can then
    /// be said of them.
    pub fn find(&self, id: &PrimaryId, spellings: &BTreeSet<String>) -> Result<Answer, NoAnswer> {
        let normalized = Some(id.as_str()).filter(|id| !spellings.contains(*id));
        // Lower case first: the normalized form finds most of those whom another spelling does not find.
        for one in spellings.iter().rev().map(String::as_str).chain(normalized) {
            let answer = self.find_by(one);
            if answer != Ok(Answer::NotFound) {
                return answer;
            }
        }
        Ok(Answer::NotFound)
    }

    /// Asks one institution zone after the other, until one has the user with an active barcode.
    fn find_by(&self, id: &str) -> Result<Answer, NoAnswer> {
        let mut answer = Answer::NotFound;
        let mut no_answer = None;
        for position in 0..self.zones.len() {
            match self.ask_zone(position, id) {
                ZoneAnswer::Found(user) => return Ok(Answer::Found(user)),
                ZoneAnswer::NotFound => {}
                ZoneAnswer::Refused(_) if answer != Answer::NotFound => {}
                ZoneAnswer::Refused(reason) => answer = Answer::Refused(reason),
                ZoneAnswer::NoAnswer(one) => no_answer = no_answer.or(Some(one)),
            }
        }
        no_answer.map_or(Ok(answer), Err)
    }

    /// Finds out whether the key at that place of the list, from 0, is of use: a user whom nobody
    /// has is asked for. Gives how many calls are left for the day, if Alma tells.
    ///
    /// # Errors
    /// Why the key cannot be used.
    pub fn try_key(&self, position: usize) -> Result<Option<u64>, Outage> {
        let response = match self.request(position, "LIBCAL-PP-CHECK") {
            Ok(response) => response,
            Err(no_answer) => return Err(no_answer.outage),
        };
        match self.read(position, &response) {
            ZoneAnswer::NoAnswer(no_answer) => Err(no_answer.outage),
            ZoneAnswer::Found(_) | ZoneAnswer::NotFound | ZoneAnswer::Refused(_) => Ok(response
                .header(REQUESTS_LEFT)
                .and_then(|left| left.trim().parse().ok())),
        }
    }

    /// Tries every key, and returns the outages, each once.
    #[must_use]
    pub fn check(&self) -> BTreeSet<Outage> {
        let keys = 0..self.zones.len();
        keys.filter_map(|position| self.try_key(position).err())
            .collect()
    }

    /// The keys that Alma rejected in this run.
    pub fn rejected_keys(&self) -> impl Iterator<Item = &Outage> {
        self.zones.iter().filter_map(|zone| zone.rejected.get())
    }

    fn ask_zone(&self, position: usize, id: &str) -> ZoneAnswer {
        match self.request(position, id) {
            Ok(response) => self.read(position, &response),
            Err(no_answer) => ZoneAnswer::NoAnswer(no_answer),
        }
    }

    /// Asks one institution zone for a user, unless its key was rejected.
    fn request(&self, position: usize, id: &str) -> Result<Response, NoAnswer> {
        let zone = &self.zones[position];
        let is_closed = zone.rejections.load(Ordering::Relaxed) >= MAX_REJECTIONS;
        if let Some(outage) = zone.rejected.get().filter(|_| is_closed) {
            return Err(NoAnswer {
                outage: outage.clone(),
                was_tried: false,
            });
        }
        let request = Request::get(
            format!("{}/{}", self.config.users_endpt.as_str(), encode(id)),
            USERS_KEY,
        )
        .header(
            "Authorization",
            format!("apikey {}", zone.key.expose_secret()),
        )
        .header("Accept", "application/json")
        .classify(classify)
        .about(id)
        .rate_limiter(&zone.rate_limiter);
        zone.client.send(&request).map_err(|failure| NoAnswer {
            outage: Outage::of("Alma", failure.cause),
            was_tried: failure.was_tried,
        })
    }

    /// What an answer of that zone says.
    fn read(&self, position: usize, response: &Response) -> ZoneAnswer {
        let unexpected = || {
            ZoneAnswer::NoAnswer(NoAnswer {
                outage: Outage::of("Alma", unexpected(response)),
                was_tried: true,
            })
        };
        let kind = error_kind(response);
        self.zones[position].count_rejections(kind);
        match kind {
            Some(ErrorKind::NotFound) => ZoneAnswer::NotFound,
            Some(ErrorKind::DailyThreshold) => self.reject(
                position,
                format!(
                    "Alma's daily request limit for {} is used up",
                    key_name(position)
                ),
            ),
            Some(ErrorKind::KeyRejected | ErrorKind::AccessDenied) => self.reject(
                position,
                format!(
                    "Alma rejected {} ({}): check Alma.apikeys",
                    key_name(position),
                    status_text(response.status)
                ),
            ),
            Some(ErrorKind::Other) => unexpected(),
            None => match parse_user(response, self.config, local_now().date_naive()) {
                ParsedUser::NotAUser => unexpected(),
                ParsedUser::NoActiveBarcode => ZoneAnswer::Refused(Reason::NoActiveBarcode),
                ParsedUser::Refused(reason) => ZoneAnswer::Refused(reason),
                ParsedUser::Found(user) => ZoneAnswer::Found(user),
            },
        }
    }

    fn reject(&self, position: usize, cause: String) -> ZoneAnswer {
        let service = format!("Alma, {}", key_name(position));
        let outage = Outage { service, cause };
        let rejected = &self.zones[position].rejected;
        let outage = rejected.get_or_init(|| outage).clone();
        // It may be this ID alone that makes Alma say so: it must not come first in every pass.
        ZoneAnswer::NoAnswer(NoAnswer {
            outage,
            was_tried: true,
        })
    }
}

/// An error code of Alma's is an answer, whatever the status; only the limit for one second is
/// worth a retry.
fn classify(response: &Response) -> Disposition {
    match error_kind(response) {
        Some(ErrorKind::Other) | None => classify_by_status(response),
        Some(_) => Disposition::Answer,
    }
}

fn unexpected(response: &Response) -> String {
    match response.status {
        200..=299 => {
            format!("Alma sent an unexpected response (not a user record): check {USERS_KEY}")
        }
        // It took exception to what was asked, so that the address is right.
        400 => format!(
            "Alma could not look up the user ({})",
            status_text(response.status)
        ),
        status => format!(
            "Alma could not look up the user ({}): check {USERS_KEY}",
            status_text(status)
        ),
    }
}

/// Keys are named by their place in the list, never shown.
fn key_name(position: usize) -> String {
    format!("API key {}", position + 1)
}
