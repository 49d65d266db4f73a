//! `check`: is everything set up? One line for each item, with what to do where it is not.
//!
//! Nothing is written to any service or to the cache.

mod access;
mod libcal;

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use super::{Exit, view};
use crate::alma::Alma;
use crate::cache::{Cache, Counts, Inspection};
use crate::cli::Cli;
use crate::clock;
use crate::config::{Config, ConfigError, Network, names_key};
use crate::http::{self, Agents, Client, Failure, Proxy};
use crate::lock;
use crate::messages::pluralize;
use crate::model::Outage;
use crate::output::{Level, print_check, print_json};
use crate::passagepoint::{DEFAULT_CATEGORY, PassagePoint};

/// One line of the list.
#[derive(Serialize)]
struct CheckJson<'a> {
    what: &'a str,
    ok: bool,
    detail: &'a str,
}

/// What was found out about one item: details, or what to do.
enum Finding {
    Ok(String),
    Warning(String),
    Failure(String),
}

impl From<Result<String, String>> for Finding {
    fn from(found: Result<String, String>) -> Self {
        found.map_or_else(Self::Failure, Self::Ok)
    }
}

/// The list, printed line by line.
struct Checklist {
    json: bool,
    failures_only: bool,
    exit: Exit,
}

impl Checklist {
    /// Reports what was found out about an item. A failure that names no key of the configuration is
    /// reported with `key`, the one that the line is about.
    fn report(&mut self, what: &str, key: &str, finding: impl Into<Finding>) -> Result<()> {
        let (level, detail) = match finding.into() {
            Finding::Ok(detail) => (Level::Ok, detail),
            Finding::Warning(detail) => (Level::Warning, detail),
            Finding::Failure(detail) if names_key(&detail) => (Level::Failure, detail),
            Finding::Failure(detail) => (Level::Failure, format!("{detail} ({key})")),
        };
        self.print(level, what, &detail)
    }

    fn print(&mut self, level: Level, what: &str, detail: &str) -> Result<()> {
        match level {
            Level::Failure => self.exit = Exit::AttentionNeeded,
            Level::Ok | Level::Warning if self.failures_only => return Ok(()),
            Level::Ok | Level::Warning => {}
        }
        if !self.json {
            return print_check(level, &format!("{what}: {detail}"));
        }
        let detail = match level {
            Level::Warning => &format!("warning: {detail}"),
            Level::Ok | Level::Failure => detail,
        };
        let ok = level != Level::Failure;
        print_json([CheckJson { what, ok, detail }])
    }

    /// Reports each mistake, and ends the list; each mistake names its key, or its variable.
    fn report_mistakes(&mut self, what: &str, ConfigError(mistakes): ConfigError) -> Result<Exit> {
        for mistake in mistakes {
            self.print(Level::Failure, what, &mistake)?;
        }
        Ok(self.exit)
    }
}

pub(super) fn run(cli: &Cli) -> Result<Exit> {
    let mut checklist = Checklist {
        json: cli.json,
        failures_only: cli.quiet,
        exit: Exit::Done,
    };
    let config = match load(&cli.config) {
        Ok(config) => config,
        Err(wrong) => return checklist.report_mistakes("configuration", wrong),
    };
    let detail = config_detail(&cli.config, &config);
    checklist.print(Level::Ok, "configuration", &detail)?;
    for (file, warning) in access::warnings(&cli.config, &config.secret_files(&cli.config)) {
        checklist.print(Level::Warning, &file, &warning)?;
    }
    let (path, key) = match &cli.db {
        Some(path) => (path, "--db"),
        None => (&config.cache.path, "Cache.path"),
    };
    checklist.report("cache", key, cache_finding(path))?;

    // The person who waits for the list wants to see a failure at once, without retries.
    let network = Network {
        tries: 1,
        ..config.network.clone()
    };
    let agents = match http::agents(&network) {
        Ok(agents) => agents,
        Err(wrong) => return checklist.report_mistakes("proxy", wrong),
    };
    if let Some(proxy) = agents.proxy() {
        let detail = proxy_detail(proxy, &agents, &config);
        checklist.print(Level::Ok, "proxy", &detail)?;
    }
    libcal::check(&mut checklist, &config, &network, &agents)?;
    check_alma(&mut checklist, &config, &network, &agents)?;
    check_passagepoint(&mut checklist, &config, &network, &agents)?;
    Ok(checklist.exit)
}

fn load(file: &Path) -> Result<Config, ConfigError> {
    let mut config = Config::load(file)?;
    config.resolve_secrets(file)?;
    Ok(config)
}

fn config_detail(file: &Path, config: &Config) -> String {
    let mut parts = vec![format!("{} is valid", file.display())];
    let unused = config.unused_sections();
    if !unused.is_empty() {
        let (is, jobs) = match unused {
            [_] => ("is", "its job"),
            _ => ("are", "their jobs"),
        };
        parts.push(format!(
            "{} {is} ignored: cron does {jobs}",
            unused.join(" and ")
        ));
    }
    parts.join("; ")
}

fn cache_finding(path: &Path) -> Finding {
    match (cache_detail(path), access::warning(path)) {
        (Ok(detail), Some(warning)) => Finding::Warning(format!("{detail}; {warning}")),
        (detail, _) => detail.into(),
    }
}

fn cache_detail(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let counted_in = |counts: Counts| {
        format!(
            "{shown} has {} and {}",
            pluralize(counts.users, "user"),
            pluralize(counts.appts, "visit")
        )
    };
    let inspection = Cache::inspect(path).and_then(|found| lock::check(path).map(|()| found));
    let parts = match inspection.map_err(|error| format!("{error:#}"))? {
        Inspection::Missing => vec![format!(
            "{shown} does not exist yet: the first sync creates it"
        )],
        Inspection::Older(counts) => vec![
            counted_in(counts),
            "it was written by the Python program or an older version: the next command that opens it converts it"
                .into(),
        ],
        Inspection::Current(counts, last_pass) => {
            let last_pass = view::last_pass_lines(last_pass.as_ref(), clock::now());
            [vec![counted_in(counts)], last_pass].concat()
        }
    };
    Ok(parts.join("; "))
}

/// Which services are reached through the proxy.
fn proxy_detail(proxy: &Proxy, agents: &Agents, config: &Config) -> String {
    let addresses = [
        ("LibCal", &config.libcal.credentials_endpt),
        ("LibCal", &config.libcal.bookings_endpt),
        ("Alma", &config.alma.users_endpt),
        ("PassagePoint", &config.passagepoint.pp_api_root),
    ];
    let through = addresses
        .into_iter()
        .filter(|(_, address)| agents.proxy_for(address.as_str()).is_some());
    let mut services: Vec<_> = through.map(|(service, _)| service).collect();
    services.dedup();
    match services.as_slice() {
        [] => {
            format!("{proxy} is not used: every service is on this machine or named in NO_PROXY")
        }
        _ => format!("{proxy} is used for {}", services.join(", ")),
    }
}

fn check_alma(
    checklist: &mut Checklist,
    config: &Config,
    network: &Network,
    agents: &Agents,
) -> Result<()> {
    let alma = Alma::new(agents, network, &config.alma);
    for position in 0..config.alma.apikeys.len() {
        let (key, found) = match alma.try_key(position) {
            Ok(Some(left)) => ("", Ok(format!("accepted, {left} requests left today"))),
            Ok(None) => ("", Ok("accepted".into())),
            Err(Outage { service, cause }) if service == "Alma" => ("Alma.users_endpt", Err(cause)),
            Err(Outage { cause, .. }) => ("Alma.apikeys", Err(cause)),
        };
        checklist.report(&format!("Alma, API key {}", position + 1), key, found)?;
    }
    Ok(())
}

fn check_passagepoint(
    checklist: &mut Checklist,
    config: &Config,
    network: &Network,
    agents: &Agents,
) -> Result<()> {
    let client = Client::new("PassagePoint", agents.clone(), network);
    let passagepoint = PassagePoint::new(client, &config.passagepoint);
    let login = passagepoint.ensure_token();
    let login = login.map_err(cause);
    // A failed login is not the fault of a destination.
    let (names, key) = match &login {
        Ok(()) => (
            passagepoint.destinations().map_err(cause),
            "PassagePoint.location_mapping",
        ),
        Err(cause) => (
            Err(format!("not checked: {cause}")),
            "PassagePoint.pp_api_root",
        ),
    };
    checklist.report(
        "PassagePoint",
        "PassagePoint.pp_api_root",
        login.map(|()| "accepted the login".into()),
    )?;
    for (id, destination) in &config.passagepoint.location_mapping {
        let found = match &names {
            Err(cause) => Err(cause.clone()),
            Ok(names) if names.contains(destination) => Ok("found".into()),
            Ok(names) if names.is_empty() => {
                Err("not found: PassagePoint has no destinations".into())
            }
            Ok(names) => Err(format!(
                "not found: correct PassagePoint.location_mapping; PassagePoint has: {}",
                names.join(", ")
            )),
        };
        checklist.report(
            &format!("PassagePoint, \"{destination}\" of location {id}"),
            key,
            found,
        )?;
    }
    let detail = categories_detail(config);
    checklist.print(Level::Ok, "PassagePoint.user_mapping", &detail)
}

/// The visitors' categories, which PassagePoint does not list.
fn categories_detail(config: &Config) -> String {
    let mapped = config.passagepoint.user_mapping.values();
    let mut categories: BTreeSet<_> = mapped.map(String::as_str).collect();
    categories.insert(DEFAULT_CATEGORY);
    let categories: Vec<_> = categories.into_iter().collect();
    format!(
        "{}; PassagePoint has no way to verify them: compare them with its visitor categories",
        categories.join(", ")
    )
}

fn cause(failure: Failure) -> String {
    failure.cause
}
