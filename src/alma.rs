//! Alma (Ex Libris): from the ID that a person typed to their barcode.
//!
//! What follows from the answer is for [`crate::pass`] to say.

mod reply;

pub use reply::User;

use std::sync::OnceLock;

use crate::config::{self, Secret};
use crate::http::{Client, Reply, Request, Verdict, encode, named, usual_verdict};
use crate::pace::Pace;

use reply::{Code, code_of, user_of};

/// Alma as one run talks to it.
pub struct Alma<'a> {
    client: Client,
    config: &'a config::Alma,
    zones: Vec<Zone<'a>>,
}

/// One institution zone: a key, with its own pace.
struct Zone<'a> {
    key: &'a Secret,
    pace: Pace,
    /// Why the key is of no use for the rest of the run, once that is known.
    given_up: OnceLock<String>,
}

/// What Alma says of an ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The user, with an active barcode.
    Found(User),
    /// No institution zone knows the ID.
    NotFound,
    /// The user is there, but no barcode of theirs is active.
    NoActiveBarcode,
}

/// What one institution zone says of an ID.
enum ZoneAnswer {
    Found(User),
    NotFound,
    NoActiveBarcode,
    Outage(String),
}

impl<'a> Alma<'a> {
    /// Alma behind that client.
    #[must_use]
    pub fn new(client: Client, config: &'a config::Alma) -> Self {
        let zone = |key| Zone {
            key,
            pace: Pace::new(config.requests_per_second),
            given_up: OnceLock::new(),
        };
        Self {
            client,
            config,
            zones: config.apikeys.iter().map(zone).collect(),
        }
    }

    /// Finds a user by any identifier: `GET {users_endpt}/{id}`, one institution
    /// zone after the other until one knows an active barcode.
    ///
    /// # Errors
    /// The cause of an outage, where a zone did not answer and no other has the user:
    /// nothing can then be said of them.
    pub fn find(&self, id: &str) -> Result<Answer, String> {
        let mut answer = Answer::NotFound;
        let mut outage = None;
        for position in 0..self.zones.len() {
            match self.ask_zone(position, id) {
                ZoneAnswer::Found(user) => return Ok(Answer::Found(user)),
                ZoneAnswer::NotFound => {}
                ZoneAnswer::NoActiveBarcode => answer = Answer::NoActiveBarcode,
                ZoneAnswer::Outage(cause) => outage = outage.or(Some(cause)),
            }
        }
        outage.map_or(Ok(answer), Err)
    }

    /// Whether the key at that place of the list, from 0, is of use: it is asked for a
    /// user whom nobody has.
    ///
    /// # Errors
    /// Why it is not.
    pub fn try_key(&self, position: usize) -> Result<(), String> {
        match self.ask_zone(position, "LIBCAL-PP-CHECK") {
            ZoneAnswer::Outage(cause) => Err(cause),
            ZoneAnswer::Found(_) | ZoneAnswer::NotFound | ZoneAnswer::NoActiveBarcode => Ok(()),
        }
    }

    /// The keys that were found to be of no use in this run, each with the cause.
    pub fn given_up(&self) -> impl Iterator<Item = &String> {
        self.zones.iter().filter_map(|zone| zone.given_up.get())
    }

    fn ask_zone(&self, position: usize, id: &str) -> ZoneAnswer {
        let zone = &self.zones[position];
        if let Some(cause) = zone.given_up.get() {
            return ZoneAnswer::Outage(cause.clone());
        }
        let request = Request::get(format!(
            "{}/{}",
            self.config.users_endpt.as_str(),
            encode(id)
        ))
        .header("Authorization", format!("apikey {}", zone.key.expose()))
        .header("Accept", "application/json")
        .verdict(verdict)
        .pace(&zone.pace);
        let reply = match self.client.send(&request) {
            Ok(reply) => reply,
            Err(failure) => return ZoneAnswer::Outage(failure.cause),
        };
        match code_of(&reply) {
            Some(Code::NotFound) => ZoneAnswer::NotFound,
            Some(Code::DailyThreshold) => Self::give_up(
                zone,
                format!(
                    "Alma has answered as many requests as it does in a day for {}",
                    key_name(position)
                ),
            ),
            Some(Code::KeyRejected) => Self::give_up(
                zone,
                format!(
                    "Alma turned {} away (it answered {}): check Alma.apikeys",
                    key_name(position),
                    named(reply.status)
                ),
            ),
            Some(Code::Other) => ZoneAnswer::Outage(not_understood(&reply)),
            None => match user_of(&reply, &self.config.barcode_types) {
                None => ZoneAnswer::Outage(not_understood(&reply)),
                Some(None) => ZoneAnswer::NoActiveBarcode,
                Some(Some(user)) => ZoneAnswer::Found(user),
            },
        }
    }

    fn give_up(zone: &Zone<'_>, cause: String) -> ZoneAnswer {
        ZoneAnswer::Outage(zone.given_up.get_or_init(|| cause).clone())
    }
}

/// A code that Alma gives is its answer, whatever the status; only being asked
/// too often for one second is worth asking again.
fn verdict(reply: &Reply) -> Verdict {
    match code_of(reply) {
        Some(Code::NotFound | Code::DailyThreshold | Code::KeyRejected) => Verdict::Answer,
        Some(Code::Other) | None => usual_verdict(reply),
    }
}

fn not_understood(reply: &Reply) -> String {
    if reply.is_success() {
        return "Alma sent a user that cannot be read".into();
    }
    format!(
        "Alma did not say whether it has the user: it answered {}",
        named(reply.status)
    )
}

/// Keys are named by their place in the list, never shown.
fn key_name(position: usize) -> String {
    format!("API key {}", position + 1)
}
