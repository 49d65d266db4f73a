//! `status`: how the last pass went, which outages are ongoing, and what is waiting and why. From the
//! cache alone.

mod imported;

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::view::{self, ApptJson, LocationNames};
use super::{Exit, cache_path};
use crate::cache::Cache;
use crate::cli::{self, Cli};
use crate::clock;
use crate::config::Config;
use crate::messages::{ago, duration};
use crate::model::{Appt, LastPass, OngoingOutage, State, Summary, has_elapsed};
use crate::output::{format_time, print, print_json, rfc3339};
use imported::{Comparison, Imported, ImportedJson};

/// The states in which each visit is listed.
const LISTED_STATES: [State; 4] = [
    State::Waiting,
    State::Refused,
    State::InDoubt,
    State::NotApproved,
];

/// Everything that is shown.
struct StatusData {
    last_pass: Option<LastPass>,
    outages: Vec<OngoingOutage>,
    /// The visits that are not over.
    appts: Vec<Appt>,
    imported: Imported,
}

pub(super) fn run(cli: &Cli, args: &cli::Status) -> Result<Exit> {
    let cache = Cache::open_existing(&cache_path(cli)?)?;
    let now = clock::now();
    let mut appts = cache.current_appts(now)?;
    let found = StatusData {
        last_pass: cache.last_pass()?,
        outages: cache.outages()?,
        imported: Imported::split_off(&mut appts),
        appts,
    };
    if cli.json {
        print_json([to_json(&found)])?;
    } else {
        let config = Config::load(&cli.config).ok();
        print(to_lines(&found, &LocationNames::of(config.as_ref()), now))?;
    }
    let is_old = is_too_old(&found, args.max_age, now);
    let is_in_trouble = |appt: &Appt| matches!(appt.state, State::Refused | State::InDoubt);
    if is_old || !found.outages.is_empty() || found.appts.iter().any(is_in_trouble) {
        return Ok(Exit::AttentionNeeded);
    }
    Ok(Exit::Done)
}

/// Whether there was no full pass, or none in the last so many minutes; if so, logs it.
fn is_too_old(found: &StatusData, max_age: Option<u32>, now: DateTime<Utc>) -> bool {
    let ended = found
        .last_pass
        .as_ref()
        .and_then(|pass| pass.ended.as_ref());
    let Some((ended_at, _)) = ended else {
        log::error!("no full pass has ended yet: run `libcal-pp sync`");
        return true;
    };
    let max_age = max_age.map(|minutes| TimeDelta::minutes(minutes.into()));
    let is_old = max_age.is_some_and(|max_age| has_elapsed(*ended_at, now, max_age));
    if is_old {
        log::error!(
            "the last full pass ended {}: check that cron or systemd runs `libcal-pp sync`, and what it prints",
            ago(*ended_at, now)
        );
    }
    is_old
}

fn listed_appts(found: &StatusData) -> impl Iterator<Item = &Appt> {
    let appts = found.appts.iter();
    appts.filter(|appt| LISTED_STATES.contains(&appt.state))
}

fn count_in_state(found: &StatusData, state: State) -> usize {
    let appts = found.appts.iter();
    appts.filter(|appt| appt.state == state).count()
}

/// Whether the last pass could compare the imported bookings with LibCal's lists.
fn comparison(found: &StatusData) -> Comparison {
    let is_libcal = |ongoing: &OngoingOutage| ongoing.outage.is_of_libcal();
    let last_pass = found.last_pass.as_ref();
    if last_pass.is_none_or(|pass| pass.ended.is_none()) {
        Comparison::None
    } else if found.outages.iter().any(is_libcal) {
        Comparison::Partial
    } else {
        Comparison::Full
    }
}

/// The status for a program.
#[derive(Serialize)]
struct StatusJson<'a> {
    last_pass: Option<LastPassJson<'a>>,
    outages: Vec<OutageJson<'a>>,
    states: serde_json::Map<String, serde_json::Value>,
    imported: ImportedJson<'a>,
    appts: Vec<ApptJson<'a>>,
}

#[derive(Serialize)]
struct LastPassJson<'a> {
    started_at: Option<String>,
    ended_at: Option<String>,
    #[serde(flatten)]
    summary: Option<&'a Summary>,
}

#[derive(Serialize)]
struct OutageJson<'a> {
    service: &'a str,
    since: String,
    cause: &'a str,
}

fn to_json(found: &StatusData) -> StatusJson<'_> {
    let last_pass = found.last_pass.as_ref().map(|pass| LastPassJson {
        started_at: pass.started_at.map(rfc3339),
        ended_at: pass.ended.as_ref().map(|(at, _)| rfc3339(*at)),
        summary: pass.ended.as_ref().map(|(_, summary)| summary),
    });
    let outages = found.outages.iter().map(|lasting| OutageJson {
        service: &lasting.outage.service,
        since: rfc3339(lasting.since),
        cause: &lasting.outage.cause,
    });
    let states = State::ALL.map(|state| (state.to_string(), count_in_state(found, state).into()));
    StatusJson {
        last_pass,
        outages: outages.collect(),
        states: states.into_iter().collect(),
        imported: found.imported.to_json(),
        appts: listed_appts(found).map(view::to_json).collect(),
    }
}

fn to_lines(found: &StatusData, location_names: &LocationNames, now: DateTime<Utc>) -> Vec<String> {
    let mut lines = view::last_pass_lines(found.last_pass.as_ref(), now);
    for OngoingOutage { outage, since, .. } in &found.outages {
        let lasts = duration(now - *since);
        lines.push(format!(
            "outage: {} since {} ({lasts})",
            outage.service,
            format_time(*since)
        ));
        lines.extend(view::wrap_indented(&outage.cause));
    }
    let counts = State::ALL.map(|state| (count_in_state(found, state), state));
    let counts: Vec<_> = counts
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, state)| format!("{number} {state}"))
        .collect();
    let counts = if counts.is_empty() {
        "none".to_owned()
    } else {
        counts.join(", ")
    };
    lines.push(format!("visits not over yet: {counts}"));
    lines.extend(found.imported.to_line(&comparison(found)));
    lines.extend(listed_appts(found).map(|appt| view::to_line(appt, location_names, now)));
    lines
}
