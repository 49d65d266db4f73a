//! `check`: is everything set up? One line a thing, and what to do where it is not.
//!
//! Nothing is written to any service or to the cache.

mod access;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use super::{Exit, view};
use crate::alma::Alma;
use crate::cache::{Cache, Counts, Inspection};
use crate::cli::Cli;
use crate::clock;
use crate::config::{Config, ConfigError, Location, Network, names_key};
use crate::http::{self, Agents, Client, Failure, Proxy};
use crate::libcal::{LibCal, Listing, Row, status};
use crate::lock;
use crate::messages::pluralize;
use crate::model::{InvalidId, Outage};
use crate::output::{Level, print_check, print_json};
use crate::passagepoint::{DEFAULT_CATEGORY, PassagePoint};

/// One line of the list.
#[derive(Serialize)]
struct CheckJson<'a> {
    what: &'a str,
    ok: bool,
    detail: &'a str,
}

/// How one thing was found to be: what there is to say of it, or what to do.
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

/// The list as it is told, line by line.
struct Checklist {
    json: bool,
    failures_only: bool,
    exit: Exit,
}

impl Checklist {
    /// Tells how a thing was found to be. A failure that names no key of the configuration is told
    /// with `key`, the one that the line is about.
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

    /// Tells each mistake, with which the list ends; each names its key, or its variable.
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
    for (file, warning) in access::warnings(&config.secret_files(&cli.config)) {
        checklist.print(Level::Warning, &file, &warning)?;
    }
    let (path, key) = match &cli.db {
        Some(path) => (path, "--db"),
        None => (&config.cache.path, "Cache.path"),
    };
    checklist.report("cache", key, cache_finding(path))?;

    // Whoever waits for the list would rather see a failure at once than three of them later.
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
    check_libcal(&mut checklist, &config, &network, &agents)?;
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
        parts.push(format!(
            "{} of the Python program: ignored, as cron does that",
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
            pluralize(counts.appts, "appointment")
        )
    };
    let inspection = Cache::inspect(path).and_then(|found| lock::check(path).map(|()| found));
    let parts = match inspection.map_err(|error| format!("{error:#}"))? {
        Inspection::Missing => vec![format!(
            "{shown} does not exist yet: the first sync creates it"
        )],
        Inspection::Older(counts) => vec![
            counted_in(counts),
            "it was written by the Python program or an older version: the next sync converts it"
                .into(),
        ],
        Inspection::Current(counts, last_pass) => {
            let last_pass = view::last_pass_lines(last_pass.as_ref(), clock::now());
            [vec![counted_in(counts)], last_pass].concat()
        }
    };
    Ok(parts.join("; "))
}

/// Which services are asked through the proxy.
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

fn check_libcal(
    checklist: &mut Checklist,
    config: &Config,
    network: &Network,
    agents: &Agents,
) -> Result<()> {
    let client = Client::new("LibCal", agents.clone(), network);
    let libcal = LibCal::new(client, &config.libcal);
    let token = libcal.ensure_token();
    let has_token = token.is_ok();
    checklist.report(
        "LibCal",
        "LibCal.credentials_endpt",
        token
            .map(|()| "accepted the credentials".into())
            .map_err(cause),
    )?;
    let mut seen = BTreeMap::new();
    for Location { name, id } in &config.libcal.locations {
        let (key, found) = if has_token {
            let listing = libcal.list(*id, None);
            let by_status = count_by_status(&listing);
            let found = rows_detail(&listing, &by_status, config);
            seen.extend(by_status);
            ("LibCal.bookings_endpt", found)
        } else {
            let not_checked = "not checked: LibCal did not issue a token".into();
            ("LibCal.locations", Err(not_checked))
        };
        checklist.report(&format!("LibCal, {name} ({id})"), key, found)?;
    }
    let statuses = statuses_detail(config, &seen);
    checklist.report("LibCal.statuses", "LibCal.statuses", statuses)
}

fn count_by_status(listing: &Listing) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for row in &listing.rows {
        *counts.entry(row.status.clone()).or_default() += 1;
    }
    counts
}

/// Whether LibCal is known to give each status that is accepted.
fn statuses_detail(config: &Config, seen: &BTreeMap<String, usize>) -> Result<String, String> {
    let accepted = &config.libcal.statuses;
    let is_given = |one: &String| {
        status::is_known(one) || seen.keys().any(|status| status::is_same(status, one))
    };
    let unknown: Vec<_> = accepted
        .iter()
        .filter(|one| !is_given(one))
        .cloned()
        .collect();
    if unknown.is_empty() {
        return Ok(format!("accepted: {}", accepted.join(", ")));
    }
    Err(format!(
        "LibCal is not known to use {}: correct LibCal.statuses",
        unknown.join(", ")
    ))
}

fn rows_detail(
    listing: &Listing,
    by_status: &BTreeMap<String, usize>,
    config: &Config,
) -> Result<String, String> {
    if let Some(cause) = &listing.failure {
        return Err(cause.clone());
    }
    let question = &config.libcal.primary_id_field;
    let days = match config.libcal.days {
        0 => "today".into(),
        days => format!("today and in the next {}", pluralize(days as usize, "day")),
    };
    let rows = listing.rows.len() + listing.unreadable.len();
    if rows == 0 {
        return Ok(format!(
            "no rows {days}, so {question} could not be checked"
        ));
    }
    let mut counts: Vec<_> = by_status
        .iter()
        .map(|(status, number)| format!("{number} {status}"))
        .collect();
    if !listing.unreadable.is_empty() {
        counts.push(format!("{} unreadable", listing.unreadable.len()));
    }
    let is_answered = |row: &&Row| row.primary_id != Err(InvalidId::Blank);
    let answered = listing.rows.iter().filter(is_answered).count();
    let found = format!(
        "{} {days} ({}), {answered} with an answer to {question}",
        pluralize(rows, "row"),
        counts.join(", ")
    );
    if listing.rows.is_empty() {
        return Err(format!("{found}: check the bookings in LibCal"));
    }
    let is_accepted = |status| status::is_accepted(status, &config.libcal.statuses);
    if answered == 0 {
        return Err(format!(
            "{found}: check LibCal.primary_id_field, and that the booking form asks for the ID"
        ));
    }
    if !by_status.keys().any(|status| is_accepted(status)) {
        return Err(format!(
            "{found}, and none with an accepted status: check LibCal.statuses"
        ));
    }
    Ok(found)
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
    let names = match &login {
        Ok(()) => passagepoint.destinations().map_err(cause),
        Err(_) => Err("not checked: the login failed".into()),
    };
    checklist.report(
        "PassagePoint",
        "PassagePoint.pp_api_root",
        login.map(|()| "accepted the login".into()).map_err(cause),
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
            "PassagePoint.location_mapping",
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
