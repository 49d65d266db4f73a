//! LibCal's part of `check`: the credentials, the list of each location, and the statuses in them.

use std::collections::BTreeMap;

use anyhow::Result;

use super::{Checklist, cause};
use crate::config::{Config, Network};
use crate::http::{Agents, Client};
use crate::libcal::{LibCal, Listing, Row, status};
use crate::messages::pluralize;
use crate::model::InvalidId;

/// Checks the credentials, each location's list and the accepted statuses.
pub(super) fn check(
    checklist: &mut Checklist,
    config: &Config,
    network: &Network,
    agents: &Agents,
) -> Result<()> {
    let client = Client::new("LibCal", agents.clone(), network);
    let libcal = LibCal::new(client, &config.libcal);
    let token = libcal.ensure_token().map_err(cause);
    let accepted = token.clone().map(|()| "accepted the credentials".into());
    checklist.report("LibCal", "LibCal.credentials_endpt", accepted)?;
    let mut seen = BTreeMap::new();
    for location in &config.libcal.locations {
        let (key, found) = match &token {
            Ok(()) => {
                let listing = libcal.list(location.id, None);
                let by_status = count_by_status(&listing);
                let found = rows_detail(&listing, &by_status, config);
                seen.extend(by_status);
                ("LibCal.bookings_endpt", found)
            }
            // That is not the fault of a location.
            Err(cause) => (
                "LibCal.credentials_endpt",
                Err(format!("not checked: {cause}")),
            ),
        };
        checklist.report(&format!("LibCal, {location}"), key, found)?;
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

/// Whether LibCal is known to use each accepted status.
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
