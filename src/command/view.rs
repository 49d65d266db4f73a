//! How visits are shown, by the look-ups and by `status`, and how up to date that is.

use std::collections::BTreeMap;

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use textwrap::{Options, WordSplitter};

use super::{cache_path, parse_id};
use crate::cache::Cache;
use crate::cli::Cli;
use crate::clock;
use crate::config::{Config, IdPattern};
use crate::messages::{ago, summary_line, visit_name};
use crate::model::{
    Appt, BookingId, LastPass, LocationId, PreregId, PrimaryId, Reason, State, has_elapsed,
};
use crate::output::{format_time, format_time_range, print, rfc3339};

/// The width of a terminal that a line should fit.
const WIDTH: usize = 80;
/// How long after a full pass the cache counts as up to date.
const MAX_FRESH_AGE: TimeDelta = TimeDelta::hours(1);

/// The names of the locations, as far as they are known.
#[derive(Default)]
pub(super) struct LocationNames(BTreeMap<LocationId, String>);

impl LocationNames {
    /// The names in the configuration. Without a configuration, locations are shown by number.
    pub(super) fn of(config: Option<&Config>) -> Self {
        let locations = config.iter().flat_map(|config| &config.libcal.locations);
        let named = locations.map(|location| (location.id, location.to_string()));
        Self(named.collect())
    }

    fn name(&self, lid: LocationId) -> String {
        let name = self.0.get(&lid).cloned();
        name.unwrap_or_else(|| format!("location {lid}"))
    }
}

/// What a look-up works with.
pub(super) struct Lookup {
    /// The cache.
    pub(super) cache: Cache,
    /// The current time.
    pub(super) now: DateTime<Utc>,
    /// When the last full pass ended, in words.
    pub(super) last_pass: Option<String>,
    /// The names of the locations.
    pub(super) location_names: LocationNames,
    /// What a primary ID looks like, if that is known.
    pattern: Option<IdPattern>,
}

impl Lookup {
    /// Opens the cache, and warns if what it knows may be out of date.
    ///
    /// # Errors
    /// Where the cache cannot be read.
    pub(super) fn open(cli: &Cli) -> Result<Self> {
        let cache = Cache::open_existing(&cache_path(cli)?)?;
        let now = clock::now();
        let config = Config::load(&cli.config).ok();
        Ok(Self {
            last_pass: describe_last_pass(&cache, now)?,
            location_names: LocationNames::of(config.as_ref()),
            pattern: config.and_then(|config| config.libcal.primary_id_pattern),
            cache,
            now,
        })
    }

    /// The primary ID in what was typed at the desk.
    ///
    /// # Errors
    /// Where it contains none.
    pub(super) fn parse_id(&self, typed: &str) -> Result<PrimaryId> {
        parse_id(typed, self.pattern.as_ref())
    }

    /// Logs that nothing is known of a user or a booking.
    pub(super) fn not_found(&self, whom: &str) {
        let until = match &self.last_pass {
            Some(ended) => format!(" up to {ended}, when the last pass ended"),
            None => " yet".to_owned(),
        };
        log::error!("nothing is known of {whom}: no booking with this ID was listed{until}");
    }

    /// Prints what was found, if anything was, and when the last full pass ended.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(super) fn print(&self, mut found: Vec<String>) -> Result<()> {
        if !found.is_empty() {
            let last_pass = self.last_pass.iter();
            found.extend(last_pass.map(|ended| format!("last full pass: {ended}")));
        }
        print(found)
    }
}

/// An appointment for a program: ids are texts, times RFC 3339.
#[derive(Serialize)]
pub(super) struct ApptJson<'a> {
    appt_id: &'a BookingId,
    primary_id: Option<&'a PrimaryId>,
    lid: Option<String>,
    starts_at: Option<String>,
    ends_at: Option<String>,
    prereg_id: Option<&'a PreregId>,
    state: &'static str,
    reason: Option<String>,
    status: Option<&'a str>,
}

/// An appointment for a program.
pub(super) fn to_json(appt: &Appt) -> ApptJson<'_> {
    ApptJson {
        appt_id: &appt.key.booking_id,
        primary_id: appt.key.primary_id.as_ref(),
        lid: appt.key.lid.map(|lid| lid.to_string()),
        starts_at: appt.key.starts_at.map(rfc3339),
        ends_at: appt.ends_at.map(rfc3339),
        prereg_id: appt.prereg_id.as_ref(),
        state: appt.state.as_str(),
        reason: appt.reason.as_ref().map(ToString::to_string),
        status: appt.status.as_deref(),
    }
}

/// An appointment for a person: its state, where and when, and the reason.
pub(super) fn to_lines(
    appt: &Appt,
    location_names: &LocationNames,
    now: DateTime<Utc>,
) -> Vec<String> {
    let over = if appt.is_over(now) { ", over" } else { "" };
    let mut lines = vec![format!("{}: {}{over}", visit_name(&appt.key), appt.state)];
    lines.extend(wrap_indented(&where_and_when(appt, location_names)));
    lines.extend(
        reason_text(appt, now)
            .iter()
            .flat_map(|line| wrap_indented(line)),
    );
    lines.extend(
        prereg_line(appt)
            .iter()
            .flat_map(|line| wrap_indented(line)),
    );
    lines.extend(since_line(appt).iter().flat_map(|line| wrap_indented(line)));
    lines
}

/// Since when the visit has been in its state; of one that a service refused, when that was last said.
fn since_line(appt: &Appt) -> Option<String> {
    let is_from_service = appt.reason.as_ref().is_some_and(Reason::is_from_service);
    let since = match appt.state {
        State::Registered => return None,
        State::Refused if is_from_service => "as of",
        _ => "since",
    };
    let time = format_time(appt.changed_at);
    Some(format!("{} {since} {time}", appt.state))
}

/// An appointment for a person, in one line.
pub(super) fn to_line(appt: &Appt, location_names: &LocationNames, now: DateTime<Utc>) -> String {
    let (booking, place) = (visit_name(&appt.key), where_and_when(appt, location_names));
    let prereg = prereg_line(appt).filter(|_| appt.state != State::Registered);
    let details: Vec<_> = reason_text(appt, now).into_iter().chain(prereg).collect();
    let details = match details.as_slice() {
        [] => String::new(),
        details => format!(": {}", details.join("; ")),
    };
    format!("{booking}: {}, {place}{details}", appt.state)
}

/// The reason for the state, and what the next pass does about it.
fn reason_text(appt: &Appt, now: DateTime<Utc>) -> Option<String> {
    let reason = appt.reason.as_ref()?;
    let is_tried = match appt.state {
        State::Waiting => true,
        State::InDoubt => *reason != Reason::GivenUp,
        _ => false,
    };
    let then = match reason {
        _ if !is_tried || appt.is_over(now) => "",
        Reason::NotReached => "; the next pass registers it",
        _ if appt.is_tried_hourly() => "; tried again once an hour",
        _ => "; the next pass tries again",
    };
    Some(format!("{reason}{then}"))
}

fn where_and_when(appt: &Appt, location_names: &LocationNames) -> String {
    let Some(lid) = appt.key.lid else {
        return "any person, place or time".to_owned();
    };
    let place = location_names.name(lid);
    match (appt.key.starts_at, appt.ends_at) {
        (Some(start), Some(end)) => format!("{place}, {}", format_time_range(start, end)),
        _ => format!("{place}, time unreadable"),
    }
}

/// The pre-registration of a visit, as far as its state does not tell it.
fn prereg_line(appt: &Appt) -> Option<String> {
    let Some(PreregId(id)) = &appt.prereg_id else {
        let state_says_so = matches!(appt.state, State::InDoubt | State::Registered);
        let may_be = appt.may_be_registered() && !state_says_so;
        return may_be.then(|| "PassagePoint may still expect the person".to_owned());
    };
    match (appt.state, appt.registered_ends_at) {
        (State::Registered, _) | (_, None) => Some(format!("pre-registration {id}")),
        (_, Some(end)) => Some(format!(
            "PassagePoint expects the person until {} (pre-registration {id})",
            format_time(end)
        )),
    }
}

/// Wraps a text to lines that fit a terminal, between words only.
pub(super) fn wrap_indented(text: &str) -> Vec<String> {
    let options = Options::new(WIDTH)
        .initial_indent("  ")
        .subsequent_indent("  ")
        .break_words(false)
        .word_splitter(WordSplitter::NoHyphenation);
    let lines = textwrap::wrap(text, options).into_iter();
    lines.map(std::borrow::Cow::into_owned).collect()
}

/// How the last full pass went, and whether one began since then.
pub(super) fn last_pass_lines(last_pass: Option<&LastPass>, now: DateTime<Utc>) -> Vec<String> {
    let mut lines = Vec::new();
    let ended = last_pass.and_then(|pass| pass.ended.as_ref());
    match ended {
        None => lines.push("no full pass has ended yet".to_owned()),
        Some((ended_at, summary)) => {
            let ago = ago(*ended_at, now);
            lines.push(format!("last full pass: {}, {ago}", format_time(*ended_at)));
            lines.push(summary_line(summary));
        }
    }
    let begun = last_pass.and_then(|pass| pass.started_at);
    if let Some(begun) = begun.filter(|at| ended.is_none_or(|(ended_at, _)| at > ended_at)) {
        lines.push(format!(
            "a pass started {} and has not ended",
            format_time(begun)
        ));
    }
    lines
}

/// When the last full pass ended, in words; warns if what the cache knows may be out of date.
///
/// # Errors
/// Where the cache cannot be read.
fn describe_last_pass(cache: &Cache, now: DateTime<Utc>) -> Result<Option<String>> {
    let ended = cache.last_pass()?.and_then(|pass| pass.ended);
    let Some((ended_at, _)) = ended else {
        log::warn!("no full pass has ended yet: LibCal's bookings are not known here");
        return Ok(None);
    };
    if has_elapsed(ended_at, now, MAX_FRESH_AGE) {
        log::warn!(
            "the last full pass ended {}, {}: bookings made or changed since then are not known here",
            format_time(ended_at),
            ago(ended_at, now)
        );
    }
    let outages = cache.outages()?;
    if let Some(lasting) = outages.iter().find(|lasting| lasting.outage.is_of_libcal()) {
        log::warn!(
            "the last pass could not read all of LibCal's lists: some bookings may be missing here ({})",
            lasting.outage.cause
        );
    }
    Ok(Some(format_time(ended_at)))
}
