//! Alma (Ex Libris): from the ID that a person typed to their barcode.
//!
//! What follows from the answer is for [`crate::pass`] to say.

mod reply;

pub use reply::User;

use std::collections::BTreeSet;
use std::sync::OnceLock;

use chrono::Local;

use crate::config::{self, Secret};
use crate::http::{Client, Reply, Request, Verdict, encode, named, usual_verdict};
use crate::model::{Outage, PrimaryId, Reason};
use crate::pace::Pace;

use reply::{Code, Read, code_of, user_of};

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
    rejected: OnceLock<Outage>,
}

/// What Alma says of an ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The user, with an active barcode.
    Found(User),
    /// No institution zone knows the ID.
    NotFound,
    /// The user is there and cannot be let in.
    Refused(Reason),
}

/// What one institution zone says of an ID.
enum ZoneAnswer {
    Found(User),
    NotFound,
    Refused(Reason),
    Outage(Outage),
}

impl<'a> Alma<'a> {
    /// Alma behind that client.
    #[must_use]
    pub fn new(client: Client, config: &'a config::Alma) -> Self {
        let zone = |key| Zone {
            key,
            pace: Pace::new(config.requests_per_second),
            rejected: OnceLock::new(),
        };
        Self {
            client,
            config,
            zones: config.apikeys.iter().map(zone).collect(),
        }
    }

    /// Finds a user by any identifier: `GET {users_endpt}/{id}`. They are asked for as it was
    /// typed, for some identifiers are case-sensitive, and if nobody has that, for the
    /// normalized form.
    ///
    /// # Errors
    /// The outage, where a zone did not answer and no other has the user: nothing can then
    /// be said of them.
    pub fn find(&self, id: &PrimaryId) -> Result<Answer, Outage> {
        let as_typed = self.find_by(id.typed());
        if id.typed() == id.as_str() || as_typed != Ok(Answer::NotFound) {
            return as_typed;
        }
        self.find_by(id.as_str())
    }

    /// Asks one institution zone after the other, until one has the user and lets them in.
    fn find_by(&self, id: &str) -> Result<Answer, Outage> {
        let mut answer = Answer::NotFound;
        let mut outage = None;
        for position in 0..self.zones.len() {
            match self.ask_zone(position, id) {
                ZoneAnswer::Found(user) => return Ok(Answer::Found(user)),
                ZoneAnswer::NotFound => {}
                ZoneAnswer::Refused(_) if answer != Answer::NotFound => {}
                ZoneAnswer::Refused(reason) => answer = Answer::Refused(reason),
                ZoneAnswer::Outage(one) => outage = outage.or(Some(one)),
            }
        }
        outage.map_or(Ok(answer), Err)
    }

    /// Whether the key at that place of the list, from 0, is of use: it is asked for a
    /// user whom nobody has.
    ///
    /// # Errors
    /// Why it is not.
    pub fn try_key(&self, position: usize) -> Result<(), Outage> {
        match self.ask_zone(position, "LIBCAL-PP-CHECK") {
            ZoneAnswer::Outage(outage) => Err(outage),
            ZoneAnswer::Found(_) | ZoneAnswer::NotFound | ZoneAnswer::Refused(_) => Ok(()),
        }
    }

    /// The outages that asking for nobody meets, each once.
    #[must_use]
    pub fn check(&self) -> BTreeSet<Outage> {
        let keys = 0..self.zones.len();
        keys.filter_map(|position| self.try_key(position).err())
            .collect()
    }

    /// The keys that were found to be of no use in this run.
    pub fn rejected_keys(&self) -> impl Iterator<Item = &Outage> {
        self.zones.iter().filter_map(|zone| zone.rejected.get())
    }

    fn ask_zone(&self, position: usize, id: &str) -> ZoneAnswer {
        let zone = &self.zones[position];
        if let Some(outage) = zone.rejected.get() {
            return ZoneAnswer::Outage(outage.clone());
        }
        let alma = |cause: String| ZoneAnswer::Outage(Outage::of("Alma", cause));
        let request = Request::get(format!(
            "{}/{}",
            self.config.users_endpt.as_str(),
            encode(id)
        ))
        .header(
            "Authorization",
            format!("apikey {}", zone.key.expose_secret()),
        )
        .header("Accept", "application/json")
        .verdict(verdict)
        .pace(&zone.pace);
        let reply = match self.client.send(&request) {
            Ok(reply) => reply,
            Err(failure) => return alma(failure.cause),
        };
        match code_of(&reply) {
            Some(Code::NotFound) => ZoneAnswer::NotFound,
            Some(Code::DailyThreshold) => self.reject(
                position,
                format!(
                    "Alma's daily request limit for {} is used up",
                    key_name(position)
                ),
            ),
            Some(Code::KeyRejected) => self.reject(
                position,
                format!(
                    "Alma rejected {} ({}): check Alma.apikeys",
                    key_name(position),
                    named(reply.status)
                ),
            ),
            Some(Code::Other) => alma(not_understood(&reply)),
            None => match user_of(&reply, self.config, Local::now().date_naive()) {
                Read::Nothing => alma(not_understood(&reply)),
                Read::NoActiveBarcode => ZoneAnswer::Refused(Reason::NoActiveBarcode),
                Read::Refused(reason) => ZoneAnswer::Refused(reason),
                Read::Found(user) => ZoneAnswer::Found(user),
            },
        }
    }

    fn reject(&self, position: usize, cause: String) -> ZoneAnswer {
        let service = format!("Alma, {}", key_name(position));
        let outage = Outage { service, cause };
        let rejected = &self.zones[position].rejected;
        ZoneAnswer::Outage(rejected.get_or_init(|| outage).clone())
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
