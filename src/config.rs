//! The configuration file, parsed and validated.
//!
//! All mistakes in the file are reported at once, each with its key and line. Whether the services
//! accept the values is not checked here.

mod address;
mod keys;
mod mistake;
mod pattern;
mod plain_text;
mod reader;
mod secret;
mod sections;
mod source_line;
mod syntax_error;
mod yaml;

pub use address::{Address, Endpoint, is_loopback};
pub use keys::names_key;
pub use pattern::IdPattern;
pub use secret::{Secret, Source};

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::messages::io_reason;
use crate::model::LocationId;

/// The whole of `config.yml`.
#[derive(Debug)]
pub struct Config {
    /// Where bookings come from.
    pub libcal: LibCal,
    /// Where barcodes come from.
    pub alma: Alma,
    /// Where people are expected.
    pub passagepoint: PassagePoint,
    /// Where the program keeps what it did.
    pub cache: Cache,
    /// How long and how often services are asked.
    pub network: Network,
    /// The sections that only the Python program used: accepted so that its file works.
    unused_sections: Vec<&'static str>,
}

/// The `LibCal` section.
#[derive(Debug)]
pub struct LibCal {
    /// The API client's id.
    pub client_id: Secret,
    /// The API client's secret.
    pub client_secret: Secret,
    /// Where tokens are issued.
    pub credentials_endpt: Address,
    /// Where bookings are listed.
    pub bookings_endpt: Address,
    /// The question of the booking form that asks for the primary ID, such as `q12505`.
    pub primary_id_field: String,
    /// What a primary ID looks like; it is found within what was typed.
    pub primary_id_pattern: Option<IdPattern>,
    /// The locations whose bookings are read.
    pub locations: Vec<Location>,
    /// The statuses of an approved booking.
    pub statuses: Vec<String>,
    /// How many days after today are read too, 0 to 365.
    pub days: u32,
}

/// One location of LibCal; messages name it like `Main Library (8827)`.
#[derive(Debug, Clone)]
pub struct Location {
    /// What people call it.
    pub name: String,
    /// Its number in LibCal (`lid`).
    pub id: LocationId,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.id)
    }
}

/// The `Alma` section.
#[derive(Debug)]
pub struct Alma {
    /// One key for each institution zone, asked in this order.
    pub apikeys: Vec<Secret>,
    /// Where users are found; a user's ID is added as one more path segment.
    pub users_endpt: Address,
    /// The identifier types that hold a barcode, in order of preference; `PRIMARY_ID` stands for
    /// the primary ID itself.
    pub barcode_types: Vec<String>,
    /// Which users are refused though they have a barcode.
    pub refuse: Vec<Refuse>,
    /// The most requests in one second, for each key.
    pub requests_per_second: u32,
    /// After how many days a user is looked up in Alma again.
    pub refresh_days: u32,
}

/// A kind of user who is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refuse {
    /// The user's status is not `ACTIVE`.
    Inactive,
    /// The user's expiry date is past.
    Expired,
    /// The user has an active block.
    Blocked,
}

/// The `PassagePoint` section.
#[derive(Debug)]
pub struct PassagePoint {
    /// The account that registers visits.
    pub username: Secret,
    /// Its password.
    pub password: Secret,
    /// The server, with its port.
    pub pp_api_root: Address,
    /// Path of the login.
    pub login_endpt: Endpoint,
    /// Path that creates a visitor.
    pub create_visitor_endpt: Endpoint,
    /// Path that finds a visitor by barcode.
    pub unique_id_endpt: Endpoint,
    /// Path that creates a pre-registration.
    pub create_prereg_endpt: Endpoint,
    /// Path that lists the destinations.
    pub get_destinations_endpt: Endpoint,
    /// The destination of each location.
    pub location_mapping: BTreeMap<LocationId, String>,
    /// The visitor's category by the Alma user group's description; `Visitor` for all others.
    pub user_mapping: BTreeMap<String, String>,
}

/// The `Cache` section.
#[derive(Debug)]
pub struct Cache {
    /// The cache's file; a relative path starts at the configuration file's folder.
    pub path: PathBuf,
}

/// The `Network` section.
#[derive(Debug, Clone)]
pub struct Network {
    /// The timeout in seconds for each step of a request.
    pub timeout_seconds: u32,
    /// The most attempts of a request.
    pub tries: u32,
    /// How many pages LibCal is asked for at once, how many people Alma is asked about, and how
    /// many are registered in PassagePoint.
    pub concurrency: u32,
}

/// The configuration cannot be used: one line for each mistake, that says what is wrong, where,
/// and what would be right.
#[derive(Debug)]
pub struct ConfigError(pub Vec<String>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads and validates the file; secrets stay as they are written there until
    /// [`Config::resolve_secrets`].
    ///
    /// # Errors
    /// [`ConfigError`] where the file cannot be read or breaks a rule.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let shown = file.display();
        let text = read_text(file).map_err(|what| ConfigError(vec![what]))?;
        let mut config = read(&text).map_err(|lines| {
            ConfigError(lines.iter().map(|line| format!("{shown}{line}")).collect())
        })?;
        config.cache.path = folder_of(file).join(&config.cache.path);
        Ok(config)
    }

    /// Replaces `env:NAME` and `file:/path` by the secret itself, for every secret.
    ///
    /// # Errors
    /// [`ConfigError`] with a line for each secret that is missing, empty, or cannot be sent in a request.
    pub fn resolve_secrets(&mut self, file: &Path) -> Result<(), ConfigError> {
        let folder = folder_of(file);
        let (libcal, passagepoint) = (&mut self.libcal, &mut self.passagepoint);
        let mut all = vec![&mut libcal.client_id, &mut libcal.client_secret];
        all.extend(&mut self.alma.apikeys);
        all.extend([&mut passagepoint.username, &mut passagepoint.password]);
        let mut wrong = Vec::new();
        for secret in all {
            if let Err(what) = secret.resolve(folder) {
                wrong.push(format!("{}{}: {what}", file.display(), secret.place()));
            }
        }
        if wrong.is_empty() {
            return Ok(());
        }
        Err(ConfigError(wrong))
    }

    /// The files that hold secrets, each once: those that `file:` names, and the configuration's own
    /// `file` if a client secret, an API key or a password is written there. Call this after
    /// [`Config::resolve_secrets`].
    #[must_use]
    pub fn secret_files<'a>(&'a self, file: &'a Path) -> BTreeSet<&'a Path> {
        let (libcal, passagepoint) = (&self.libcal, &self.passagepoint);
        let mut confidential: Vec<_> = self.alma.apikeys.iter().collect();
        confidential.extend([&libcal.client_secret, &passagepoint.password]);
        let is_in_configuration = confidential
            .iter()
            .any(|secret| *secret.source() == Source::Configuration);
        // A client id and a user name are not secrets, but somebody who keeps them in a file wants them to be.
        let all = confidential
            .into_iter()
            .chain([&libcal.client_id, &passagepoint.username]);
        let files = all.filter_map(|secret| match secret.source() {
            Source::File(path) => Some(path.as_path()),
            Source::Configuration | Source::Environment => None,
        });
        files.chain(is_in_configuration.then_some(file)).collect()
    }

    /// The sections that only the Python program used: its scheduler and its mailer.
    #[must_use]
    pub fn unused_sections(&self) -> &[&'static str] {
        &self.unused_sections
    }
}

fn read_text(file: &Path) -> Result<String, String> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| match error.kind() {
        ErrorKind::NotFound => format!(
            "no configuration file {shown}: name it with --config, or copy config.yml.example"
        ),
        ErrorKind::InvalidData => {
            format!(
                "cannot read the configuration file {shown}: it is not UTF-8 text: save it as UTF-8"
            )
        }
        ErrorKind::PermissionDenied => format!(
            "cannot read the configuration file {shown}: {}: run the command as the account that runs the sync, name another file with --config, or give this account the file with chown",
            io_reason(&error)
        ),
        _ => format!(
            "cannot read the configuration file {shown}: {}",
            io_reason(&error)
        ),
    })?;
    // Editors on Windows may write a byte order mark.
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

/// Parses the text of a file; the mistakes do not name the file.
fn read(text: &str) -> Result<Config, Vec<String>> {
    parse(text).map_err(|mistakes| match syntax_error::unusual_indentation(text) {
        // All others may follow from it.
        Some(mistake) => vec![mistake],
        None => mistakes,
    })
}

fn parse(text: &str) -> Result<Config, Vec<String>> {
    let root =
        serde_yaml::from_str(text).map_err(|error| vec![syntax_error::line(text, &error)])?;
    sections::read(text, &root).map_err(|mistakes| mistake::lines(text, &mistakes))
}

/// The folder that relative paths in the configuration start from.
fn folder_of(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../config.yml.example");

    #[test]
    fn each_key_that_may_be_there_is_read() {
        let sections = keys::KEYS.iter().filter(|(name, _)| !name.is_empty());
        for (section, keys) in sections.filter(|(name, _)| *name != "LibCal.locations") {
            let lines: Vec<_> = keys.iter().map(|key| format!("  {key}: !tag x")).collect();
            let text = lines.join("\n");
            let message = read(&format!("{section}:\n{text}")).unwrap_err().join("\n");
            for key in *keys {
                assert!(
                    message.contains(&format!(": {section}.{key}: ")),
                    "{key}: {message}"
                );
            }
        }
    }

    #[test]
    fn what_yaml_takes_for_a_number_is_kept_as_it_is_written() {
        let text = EXAMPLE
            .replace("LibCal Main", "2.10")
            .replace("gw staff: Staff", "0x1F: true")
            .replace("username: libcal-pp", "username: 0o17")
            .replace("q12505", "+12505");
        let config = read(&text).unwrap();
        let passagepoint = &config.passagepoint;
        assert_eq!(passagepoint.location_mapping[&LocationId(8827)], "2.10");
        assert_eq!(passagepoint.user_mapping["0x1F"], "true");
        assert_eq!(passagepoint.username.expose_secret(), "0o17");
        assert_eq!(config.libcal.primary_id_field, "+12505");
    }

    #[test]
    fn another_programs_file_is_reported_in_fifty_lines_at_most() {
        let lines: Vec<_> = (0..2000).map(|n| format!("x{n}: 1")).collect();
        assert_eq!(read(&lines.join("\n")).unwrap_err().len(), 50);
    }

    proptest::proptest! {
        #[test]
        fn no_text_in_the_file_makes_reading_it_panic(
            line in 0..90_usize,
            text in "[ -~\\n]{0,40}|[{\\[]?[\"']",
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200),
        ) {
            let mut lines: Vec<&str> = EXAMPLE.lines().collect();
            let at = line % lines.len();
            lines[at] = &text;
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("config.yml");
            for content in [lines.join("\n").into_bytes(), bytes] {
                std::fs::write(&file, content).unwrap();
                if let Err(ConfigError(lines)) = Config::load(&file) {
                    proptest::prop_assert!(!lines.is_empty());
                    proptest::prop_assert!(lines.iter().all(|line| line.len() < 1000));
                }
            }
        }
    }
}
