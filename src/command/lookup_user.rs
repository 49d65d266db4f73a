//! `lookup-user`: what the cache knows of users.

use anyhow::Result;
use serde::Serialize;

use super::Exit;
use super::view::{self, ApptJson, Lookup};
use crate::cli::{Cli, LookupUser};
use crate::model::{Appt, Barcode, Card, PrimaryId, User, VisitorId};
use crate::output::{format_time, print_json, rfc3339};

/// All that the cache has under one primary ID.
struct UserData {
    primary_id: PrimaryId,
    user: Option<User>,
    appts: Vec<Appt>,
}

pub(super) fn run(cli: &Cli, args: &LookupUser) -> Result<Exit> {
    let lookup = Lookup::open(cli)?;
    let mut exit = Exit::Done;
    let mut lines = Vec::new();
    for typed in &args.primary_ids {
        let primary_id = match lookup.parse_id(typed) {
            Ok(primary_id) => primary_id,
            Err(error) => {
                log::error!("{error}");
                exit = Exit::AttentionNeeded;
                continue;
            }
        };
        let found = UserData {
            user: lookup.cache.user(&primary_id)?,
            appts: lookup.cache.appts_of_user(&primary_id)?,
            primary_id,
        };
        if found.user.is_none() && found.appts.is_empty() {
            lookup.not_found(&format!("the user {}", found.primary_id));
            exit = Exit::AttentionNeeded;
        } else if cli.json {
            print_json([to_json(&found)])?;
        } else {
            lines.extend(to_lines(&found, &lookup));
        }
    }
    lookup.print(lines)?;
    Ok(exit)
}

/// A user for a program.
#[derive(Serialize)]
struct UserJson<'a> {
    primary_id: &'a PrimaryId,
    barcode: Option<&'a Barcode>,
    visitor_id: Option<&'a VisitorId>,
    checked_at: Option<String>,
    refusal: Option<String>,
    appts: Vec<ApptJson<'a>>,
}

fn to_json(found: &UserData) -> UserJson<'_> {
    let user = found.user.as_ref();
    let card = user.and_then(User::card);
    UserJson {
        primary_id: &found.primary_id,
        barcode: card.map(|card| &card.barcode),
        visitor_id: card.map(|card| &card.visitor_id),
        checked_at: user.and_then(|user| user.checked_at).map(rfc3339),
        refusal: user.and_then(User::refusal).map(ToString::to_string),
        appts: found.appts.iter().map(view::to_json).collect(),
    }
}

fn to_lines(found: &UserData, lookup: &Lookup) -> Vec<String> {
    let mut lines = vec![found.primary_id.to_string()];
    if let Some(user) = &found.user {
        if let Some(Card {
            barcode,
            visitor_id,
        }) = user.card()
        {
            lines.push(format!("  barcode  {}", barcode.0));
            lines.push(format!("  visitor  {}", visitor_id.0));
        }
        let is_shown = |reason| {
            found
                .appts
                .iter()
                .any(|appt| appt.reason.as_ref() == reason)
        };
        if let Some(reason) = user.refusal().filter(|reason| !is_shown(Some(*reason))) {
            lines.extend(view::wrap_indented(&format!("refused: {reason}")));
        }
        let checked = user.checked_at;
        let checked = checked.map_or("never by this program".into(), format_time);
        lines.push(format!("  checked  {checked}"));
    }
    if found.appts.is_empty() {
        lines.push("  no booking with this ID is known".into());
    }
    for appt in &found.appts {
        lines.push(String::new());
        lines.extend(view::to_lines(appt, &lookup.location_names, lookup.now));
    }
    lines.push(String::new());
    lines
}
