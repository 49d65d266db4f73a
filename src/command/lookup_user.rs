//! `lookup-user`: what the cache knows of users.

use anyhow::Result;
use serde::Serialize;

use super::shown::{self, ApptJson};
use super::{Exit, cache_path};
use crate::cache::Cache;
use crate::cli::{Cli, LookupUser};
use crate::known::{Appt, Refusal, Subject, User, primary_id};
use crate::output::{moment, print, print_json, rfc3339};

/// All that the cache has under one primary ID.
struct Found {
    primary_id: String,
    user: Option<User>,
    refusals: Vec<(Subject, Refusal)>,
    appts: Vec<Appt>,
}

pub(super) fn run(cli: &Cli, args: &LookupUser) -> Result<Exit> {
    let cache = Cache::open_existing(&cache_path(cli)?)?;
    let mut exit = Exit::Done;
    for typed in &args.primary_ids {
        let found = find(&cache, primary_id(typed))?;
        if found.user.is_none() && found.refusals.is_empty() && found.appts.is_empty() {
            log::error!(
                "nothing is known of the user {}: no booking with this ID was seen",
                found.primary_id
            );
            exit = Exit::NeedsPerson;
            continue;
        }
        if cli.json {
            print_json([to_json(&found)])?;
        } else {
            print(to_lines(&found))?;
        }
    }
    Ok(exit)
}

fn find(cache: &Cache, primary_id: String) -> Result<Found> {
    let refusals = cache.refusals_of_person(&primary_id)?;
    Ok(Found {
        user: cache.user(&primary_id)?,
        // Those of a user's bookings only repeat that of the user.
        refusals: refusals
            .into_iter()
            .filter(|(subject, _)| !matches!(subject, Subject::UsersBooking(_)))
            .collect(),
        appts: cache.appts_of_user(&primary_id)?,
        primary_id,
    })
}

/// A user for a program.
#[derive(Serialize)]
struct UserJson<'a> {
    primary_id: &'a str,
    barcode: Option<&'a str>,
    visitor_id: Option<&'a str>,
    checked_at: Option<String>,
    refusal: Option<&'a str>,
    appts: Vec<ApptJson<'a>>,
}

fn to_json(found: &Found) -> UserJson<'_> {
    let user = found.user.as_ref();
    UserJson {
        primary_id: &found.primary_id,
        barcode: user.map(|user| user.barcode.as_str()),
        visitor_id: user.map(|user| user.visitor_id.as_str()),
        checked_at: user.and_then(|user| user.checked_at).map(rfc3339),
        refusal: found
            .refusals
            .first()
            .map(|(_, refusal)| refusal.reason.as_str()),
        appts: found.appts.iter().map(shown::to_json).collect(),
    }
}

fn to_lines(found: &Found) -> Vec<String> {
    let mut lines = vec![found.primary_id.clone()];
    if let Some(user) = &found.user {
        let checked = user
            .checked_at
            .map_or("never by this program".into(), moment);
        lines.push(format!("  barcode  {}", user.barcode));
        lines.push(format!("  visitor  {}", user.visitor_id));
        lines.push(format!("  checked  {checked}"));
    }
    for (subject, refusal) in &found.refusals {
        let of_what = match subject {
            Subject::User(_) => String::new(),
            of_booking => format!("{}: ", of_booking.id()),
        };
        let (reason, at) = (&refusal.reason, moment(refusal.refused_at));
        lines.push(format!("  refused  {of_what}{reason} ({at})"));
    }
    let appts = shown::to_lines(&found.appts);
    lines.extend(appts.iter().map(|line| format!("  {line}")));
    lines
}
