//! The configuration file: what it may hold, read and checked.
//!
//! Every mistake is an error that names the key and, where YAML gives one, the
//! line. Whether the services accept what stands here is not found out here.

mod location;
mod pattern;
mod secret;
mod values;

pub use pattern::IdPattern;
pub use secret::Secret;
pub use values::{Address, Endpoint, is_loopback};

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::model::LocationId;
use values::{at_least_one, name, or_default, plain_words, within};

/// The whole of `config.yml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where bookings come from.
    #[serde(rename = "LibCal")]
    pub libcal: LibCal,
    /// Where barcodes come from.
    #[serde(rename = "Alma")]
    pub alma: Alma,
    /// Where people are expected.
    #[serde(rename = "PassagePoint")]
    pub passagepoint: PassagePoint,
    /// What the program remembers.
    #[serde(rename = "Cache", default, deserialize_with = "or_default")]
    pub cache: Cache,
    /// How long and how often services are asked.
    #[serde(rename = "Network", default, deserialize_with = "or_default")]
    pub network: Network,
    /// The Python program's scheduler: accepted so that its file works, unused.
    #[serde(rename = "LCPP", default)]
    lcpp: Option<IgnoredAny>,
    /// The Python program's mailer: accepted so that its file works, unused.
    #[serde(rename = "Emails", default)]
    emails: Option<IgnoredAny>,
}

/// The LibCal section.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LibCal {
    /// The API client's number.
    pub client_id: Secret,
    /// The API client's secret.
    pub client_secret: Secret,
    /// Where tokens are given out.
    pub credentials_endpt: Address,
    /// Where bookings are listed.
    pub bookings_endpt: Address,
    /// The question of the booking form that asks for the primary ID, such as `q12505`.
    #[serde(deserialize_with = "name")]
    pub primary_id_field: String,
    /// What a primary ID looks like; it is found within what was typed.
    #[serde(default)]
    pub primary_id_pattern: Option<IdPattern>,
    /// The locations whose bookings are read.
    #[serde(deserialize_with = "at_least_one")]
    pub locations: Vec<Location>,
    /// The statuses that make a booking an approved one.
    #[serde(default = "default_statuses", deserialize_with = "at_least_one")]
    pub statuses: Vec<String>,
    /// How many days after today are read too, 0 to 365.
    #[serde(default, deserialize_with = "within::<_, 0, 365>")]
    pub days: u32,
}

/// One location of LibCal.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Location {
    /// What people call it.
    #[serde(deserialize_with = "name")]
    pub name: String,
    /// Its number in LibCal (`lid`).
    pub id: LocationId,
}

/// The `Alma` section.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alma {
    /// One key for each institution zone, asked in this order.
    #[serde(deserialize_with = "secret::one_or_more")]
    pub apikeys: Vec<Secret>,
    /// Where users are found; a user's ID is added as one more path segment.
    pub users_endpt: Address,
    /// The identifier types that hold a barcode, in order of preference; `PRIMARY_ID` stands for
    /// the primary ID itself.
    #[serde(default = "default_barcode_types", deserialize_with = "values::texts")]
    pub barcode_types: Vec<String>,
    /// Which users are refused though they have a barcode.
    #[serde(default, deserialize_with = "or_default")]
    pub refuse: Vec<Refuse>,
    /// The most requests in one second, for each key.
    #[serde(default = "default_rate", deserialize_with = "within::<_, 1, 10_000>")]
    pub requests_per_second: u32,
    /// For how many days what Alma said of a user is good enough.
    #[serde(default = "default_refresh", deserialize_with = "within::<_, 0, 3650>")]
    pub refresh_days: u32,
}

/// A kind of user who is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Refuse {
    /// The user's status is not `ACTIVE`.
    Inactive,
    /// The user's expiry date is past.
    Expired,
    /// The user has an active block.
    Blocked,
}

/// The PassagePoint section.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassagePoint {
    /// The account that registers visits.
    pub username: Secret,
    /// Its password.
    pub password: Secret,
    /// The server, with its port.
    pub pp_api_root: Address,
    /// Path of the login.
    #[serde(default = "default_login")]
    pub login_endpt: Endpoint,
    /// Path that makes a visitor.
    #[serde(default = "default_create_visitor")]
    pub create_visitor_endpt: Endpoint,
    /// Path that finds a visitor by barcode.
    #[serde(rename = "uniqueId_endpt", default = "default_unique_id")]
    pub unique_id_endpt: Endpoint,
    /// Path that makes a pre-registration.
    #[serde(default = "default_create_prereg")]
    pub create_prereg_endpt: Endpoint,
    /// Path that lists the destinations.
    #[serde(default = "default_get_destinations")]
    pub get_destinations_endpt: Endpoint,
    /// The destination of each location.
    #[serde(deserialize_with = "location::mapping")]
    pub location_mapping: BTreeMap<LocationId, String>,
    /// The visitor's category by the Alma user group's description; `Visitor` for all others.
    #[serde(default, deserialize_with = "or_default")]
    pub user_mapping: BTreeMap<String, String>,
}

/// The `Cache` section.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cache {
    /// The cache's file; a relative path starts at the configuration file's folder.
    pub path: PathBuf,
}

/// The `Network` section.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// For how many seconds a service may take over each step of an answer.
    #[serde(deserialize_with = "within::<_, 1, 600>")]
    pub timeout_seconds: u32,
    /// How often a request is sent at the most.
    #[serde(deserialize_with = "within::<_, 1, 10>")]
    pub tries: u32,
    /// How many pages LibCal is asked for at once, how many people Alma is asked about, and how
    /// many are registered in PassagePoint.
    #[serde(deserialize_with = "within::<_, 1, 64>")]
    pub concurrency: u32,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            path: PathBuf::from("cache.db"),
        }
    }
}

impl Default for Network {
    fn default() -> Self {
        Self {
            timeout_seconds: 30,
            tries: 3,
            concurrency: 8,
        }
    }
}

fn default_statuses() -> Vec<String> {
    vec!["Mediated Approved".into(), "Confirmed".into()]
}

fn default_barcode_types() -> Vec<String> {
    vec!["BARCODE".into(), "01".into()]
}

fn default_rate() -> u32 {
    25
}

fn default_refresh() -> u32 {
    1
}

fn default_login() -> Endpoint {
    Endpoint::new("/pp/api/v2/auth/login")
}

fn default_create_visitor() -> Endpoint {
    Endpoint::new("/pp/api/v2/person/createVisitor")
}

fn default_unique_id() -> Endpoint {
    Endpoint::new("/pp/api/v2/person/byUniqueId")
}

fn default_create_prereg() -> Endpoint {
    Endpoint::new("/pp/api/v2/visit/createPreReg")
}

fn default_get_destinations() -> Endpoint {
    Endpoint::new("/pp/api/v2/visit/getDestinations")
}

/// The configuration cannot be used; says what is wrong, where, and what would be right.
#[derive(Debug)]
pub struct Wrong(pub String);

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Wrong {}

impl Config {
    /// Reads and checks the file; secrets stay as they are written there until
    /// [`Config::resolve_secrets`].
    ///
    /// # Errors
    /// [`Wrong`] where the file cannot be read or breaks a rule.
    pub fn load(file: &Path) -> Result<Self, Wrong> {
        let shown = file.display();
        let text = std::fs::read_to_string(file).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Wrong(format!(
                "no configuration file {shown}: name it with --config, or write it from config.yml.example"
            )),
            std::io::ErrorKind::InvalidData => {
                Wrong(format!("cannot read the configuration file {shown}: it is not text in UTF-8"))
            }
            _ => Wrong(format!("cannot read the configuration file {shown}: {error}")),
        })?;
        // Windows' editors put a mark before the first word.
        let text = text.trim_start_matches('\u{feff}');
        let mut config: Self = serde_yaml::from_str(text)
            .map_err(|error| Wrong(format!("{shown}: {}", plain_words(&error.to_string()))))?;
        if config.cache.path.as_os_str().is_empty() {
            return Err(Wrong(format!("{shown}: Cache.path: is empty")));
        }
        config
            .check_locations()
            .map_err(|what| Wrong(format!("{shown}: {what}")))?;
        config.cache.path = folder_of(file).join(&config.cache.path);
        Ok(config)
    }

    /// Replaces `env:NAME` and `file:/path` by what stands there, for every secret.
    ///
    /// # Errors
    /// [`Wrong`] where one of them is not there, empty, or no text a request can carry.
    pub fn resolve_secrets(&mut self, file: &Path) -> Result<(), Wrong> {
        let folder = folder_of(file);
        let mut all = vec![
            ("LibCal.client_id".to_owned(), &mut self.libcal.client_id),
            (
                "LibCal.client_secret".to_owned(),
                &mut self.libcal.client_secret,
            ),
            (
                "PassagePoint.username".to_owned(),
                &mut self.passagepoint.username,
            ),
            (
                "PassagePoint.password".to_owned(),
                &mut self.passagepoint.password,
            ),
        ];
        for (index, key) in self.alma.apikeys.iter_mut().enumerate() {
            all.push((format!("Alma.apikeys[{index}]"), key));
        }
        for (key, secret) in all {
            secret
                .resolve(folder)
                .map_err(|what| Wrong(format!("{}: {key}: {what}", file.display())))?;
        }
        Ok(())
    }

    /// The sections that only the Python program used.
    #[must_use]
    pub fn unused_sections(&self) -> Vec<&'static str> {
        let mut unused = Vec::new();
        if self.lcpp.is_some() {
            unused.push("LCPP");
        }
        if self.emails.is_some() {
            unused.push("Emails");
        }
        unused
    }

    fn check_locations(&self) -> Result<(), String> {
        let mut seen = BTreeSet::new();
        for Location { name, id } in &self.libcal.locations {
            if !seen.insert(*id) {
                return Err(format!("LibCal.locations: the id {id} stands there twice"));
            }
            match self.passagepoint.location_mapping.get(id) {
                None => {
                    return Err(format!(
                        "PassagePoint.location_mapping: no destination for location {id} ({name}): add a line `{id}: name of its destination`"
                    ));
                }
                Some(destination) if destination.trim().is_empty() => {
                    return Err(format!(
                        "PassagePoint.location_mapping: the destination of location {id} ({name}) is empty"
                    ));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

/// The folder that relative paths in the configuration start from.
fn folder_of(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn no_text_in_the_file_makes_reading_it_panic(
            line in 0..90_usize,
            text in "[ -~\\n]{0,40}|[{\\[]?[\"']",
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200),
        ) {
            let example = include_str!("../config.yml.example");
            let mut lines: Vec<&str> = example.lines().collect();
            let at = line % lines.len();
            lines[at] = &text;
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("config.yml");
            for content in [lines.join("\n").into_bytes(), bytes] {
                std::fs::write(&file, content).unwrap();
                if let Err(Wrong(what)) = Config::load(&file) {
                    proptest::prop_assert!(what.len() < 1000);
                }
            }
        }
    }
}
