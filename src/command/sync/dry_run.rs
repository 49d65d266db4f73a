//! `sync --dry-run`: the very plan that a pass would carry out, printed.

use anyhow::Result;
use chrono::Utc;
use serde_json::{Value, json};

use super::{make_plan, read_rows, summary_of, told};
use crate::cache::Cache;
use crate::cli::{Cli, Sync};
use crate::command::Exit;
use crate::config::Config;
use crate::http;
use crate::known::VisitKey;
use crate::output::{print, print_json, rfc3339, span};
use crate::pass::Done;
use crate::plan::{Plan, Refused, Visit, Why};
use crate::report::refusal_lines;

pub(super) fn run(cli: &Cli, args: &Sync, config: &Config, cache: &Cache) -> Result<Exit> {
    let started = std::time::Instant::now();
    let fetched = read_rows(config, &http::agent(&config.network), args);
    let (plan, _) = make_plan(config, &fetched, cache, Utc::now().timestamp())?;
    let needs_person = told::before(&fetched, &plan);
    let mut summary = summary_of(&fetched, &plan, &Done::default());
    summary.seconds = started.elapsed().as_secs_f64();
    if cli.json {
        print_json(plan_to_json(&plan))?;
        print_json([&summary])?;
    } else {
        print(plan_to_lines(&plan, config))?;
        let to_register: usize = plan.people.iter().map(|person| person.visits.len()).sum();
        log::info!(
            "dry run, nothing was done: {to_register} to register; {}",
            summary.line()
        );
    }
    Ok(if needs_person {
        Exit::NeedsPerson
    } else {
        Exit::Done
    })
}

fn plan_to_lines(plan: &Plan, config: &Config) -> Vec<String> {
    let destination = |key: &VisitKey| match config.passagepoint.location_mapping.get(&key.lid) {
        Some(name) => name.clone(),
        None => format!("location {}", key.lid),
    };
    let register = |visit: &Visit| {
        format!(
            "register {} of {}: {}, {}{}",
            visit.key.book_id,
            visit.key.primary_id,
            destination(&visit.key),
            span(visit.key.starts_at, visit.ends_at),
            why(visit)
        )
    };
    let mark = |key: &VisitKey, as_what: &str| {
        format!("mark {} of {} as {as_what}", key.book_id, key.primary_id)
    };
    let refused: Vec<&Refused> = plan.refused.iter().collect();
    let visits = plan.people.iter().flat_map(|person| &person.visits);
    visits
        .map(register)
        .chain(plan.cancelled.iter().map(|key| mark(key, "cancelled")))
        .chain(
            plan.stand_again
                .iter()
                .map(|key| mark(key, "standing again")),
        )
        .chain(refusal_lines(&refused))
        .collect()
}

fn why(visit: &Visit) -> &'static str {
    match visit.why {
        Why::New => "",
        Why::Longer => " (again: it became longer)",
        Why::InDoubt => " (again: in doubt, possibly registered twice)",
    }
}

fn plan_to_json(plan: &Plan) -> Vec<Value> {
    let of = |action: &str, key: &VisitKey, ends_at: Option<i64>| {
        json!({
            "action": action,
            "appt_id": key.book_id,
            "primary_id": key.primary_id,
            "lid": key.lid.to_string(),
            "starts_at": rfc3339(key.starts_at),
            "ends_at": ends_at.map(rfc3339),
        })
    };
    let refuse = |refused: &Refused| {
        json!({
            "action": "refuse",
            "primary_id": refused.primary_id,
            "appt_ids": refused.bookings,
            "reason": refused.reason,
        })
    };
    let visits = plan.people.iter().flat_map(|person| &person.visits);
    visits
        .map(|visit| of("register", &visit.key, Some(visit.ends_at)))
        .chain(
            plan.cancelled
                .iter()
                .map(|key| of("mark cancelled", key, None)),
        )
        .chain(
            plan.stand_again
                .iter()
                .map(|key| of("mark standing again", key, None)),
        )
        .chain(plan.refused.iter().map(refuse))
        .collect()
}
