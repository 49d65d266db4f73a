//! `sync`: one full pass, from LibCal's rows to the report.
//!
//! With `--dry-run` it is the same pass, on a copy of the cache in memory, and nothing is
//! written to PassagePoint.

mod dry_run;
mod warnings;

use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};

use super::Exit;
use crate::alma::Alma;
use crate::cache::Cache;
use crate::cli::{Cli, Sync};
use crate::clock::{self, local_now};
use crate::config::Config;
use crate::fetch::{Fetched, ListFetcher};
use crate::http::{self, Agents, Client};
use crate::libcal::LibCal;
use crate::lock::{self, Acquired};
use crate::logging::try_log;
use crate::messages::{duration, pluralize, summary_line, visit_name};
use crate::model::{Appt, OngoingOutage, State, Summary};
use crate::output::{format_time_range, print_json};
use crate::pass::{Pass, PassOutcome};
use crate::passagepoint::PassagePoint;
use crate::plan::{self, Decision, Plan, Refusal, Rules};
use crate::report::{summarize, unread_since};

/// How long another sync may run before that is reported.
const LONG_RUN: Duration = Duration::from_secs(3600);

pub(super) fn run(cli: &Cli, args: &Sync) -> Result<Exit> {
    let mut config = Config::load(&cli.config)?;
    config.resolve_secrets(&cli.config)?;
    let path = cli.db.as_ref().unwrap_or(&config.cache.path);
    Cache::check_path(path)?;
    if args.dry_run {
        let last_pass = match lock::acquire_existing(path)? {
            Some(Acquired::Busy(age)) => return Ok(report_busy(age)),
            Some(Acquired::Locked(lock)) => lock.last_pass(),
            None => None,
        };
        let cache = Cache::open_copy(path)?;
        let (is_lost, _) = report_loss(&cache, path, last_pass)?;
        return run_pass(cli, args, &config, cache, is_lost);
    }
    let mut lock = match lock::acquire(path)? {
        Acquired::Busy(age) => return Ok(report_busy(age)),
        Acquired::Locked(lock) => lock,
    };
    let mut cache = Cache::open_or_create(path)?;
    let (is_lost, was_logged) = report_loss(&cache, path, lock.last_pass())?;
    // If the report reached nobody, the next pass makes it.
    let was_logged = was_logged || !is_lost;
    let number = 1 + lock
        .last_pass()
        .filter(|_| was_logged)
        .max(last_pass_number(&cache)?)
        .unwrap_or(0);
    // A pass of another day says nothing about who is expected today.
    cache.begin_pass(number, args.date.is_none().then(clock::now))?;
    if was_logged {
        lock.record(number)?;
    }
    run_pass(cli, args, &config, cache, is_lost)
}

/// The number of the last pass, as the cache has it.
fn last_pass_number(cache: &Cache) -> Result<Option<u64>> {
    Ok(cache.last_pass()?.map(|pass| pass.number))
}

/// Reports if the cache is not the one that the last pass left, whose number the lock has; returns
/// whether that is so, and whether the report could reach a person.
fn report_loss(cache: &Cache, path: &Path, last_pass: Option<u64>) -> Result<(bool, bool)> {
    let is_lost = last_pass > last_pass_number(cache)?;
    let was_logged = is_lost
        && try_log(|| {
            log::error!(
                "the cache {} was lost or replaced by an older copy: visits may be registered a second time; if you have a newer copy, restore it",
                path.display()
            );
        });
    Ok((is_lost, was_logged))
}

fn report_busy(age: Duration) -> Exit {
    if age > LONG_RUN {
        log::error!(
            "another sync has been running for {}: nobody is being registered; end it if it hangs",
            duration(TimeDelta::from_std(age).unwrap_or(TimeDelta::MAX))
        );
    } else {
        log::info!("another sync is running: this one does nothing");
    }
    Exit::Busy
}

fn run_pass(
    cli: &Cli,
    args: &Sync,
    config: &Config,
    mut cache: Cache,
    is_lost: bool,
) -> Result<Exit> {
    let started = Instant::now();
    let now = clock::now();
    let agents = http::agents(&config.network)?;
    let (fetched, mut plan) = fetch_and_plan(config, agents.clone(), &mut cache, args, now)?;
    save_plan(&plan, &mut cache)?;
    let outages = cache.outages()?;
    let (outcome, carried_out) = carry_out(config, agents, &mut cache, &mut plan, &outages, args);
    // What was done is reported and printed, even if something failed on the way.
    let mut refusals = plan.refusals();
    refusals.extend(outcome.refused.iter().cloned());
    let reported = warnings::report_outages((&fetched, &plan, &outcome), config, &mut cache, args);
    let reported = reported.and_then(|attention| {
        Ok(attention | warnings::report_refusals(&refusals, &mut cache, now, args.dry_run)?)
    });
    let summary = Summary {
        seconds: started.elapsed().as_secs_f64(),
        ..summarize(&fetched, &plan, &outcome)
    };
    let ended = carried_out.and(reported).and_then(|has_reports| {
        if args.date.is_none() {
            cache.end_pass(&summary, clock::now())?;
        }
        Ok(has_reports)
    });
    let printed = print_outcome(cli, args, (&plan, &outcome, &refusals), &summary);
    let has_reports = ended?;
    printed?;
    let needs_attention =
        has_reports || is_lost || outcome.has_possible_duplicates || plan.has_visits_in_doubt();
    Ok(if needs_attention {
        Exit::AttentionNeeded
    } else {
        Exit::Done
    })
}

/// Prints what the pass did, or would do, and its numbers.
fn print_outcome(
    cli: &Cli,
    args: &Sync,
    (plan, outcome, refusals): (&Plan, &PassOutcome, &[Refusal]),
    summary: &Summary,
) -> Result<()> {
    let line = summary_line(summary);
    if args.dry_run {
        dry_run::print_actions(cli.json, plan, outcome, refusals)?;
        log::info!("dry run, nothing was changed: {line}");
    } else {
        log::info!("{line}");
    }
    if cli.json {
        print_json([summary])?;
    }
    Ok(())
}

/// Fetches the lists and makes the plan; if it has anything new, only once the lists are confirmed.
fn fetch_and_plan(
    config: &Config,
    agents: Agents,
    cache: &mut Cache,
    args: &Sync,
    now: DateTime<Utc>,
) -> Result<(Fetched, Plan)> {
    let client = Client::new("LibCal", agents, &config.network);
    let lists = ListFetcher {
        libcal: &LibCal::new(client, &config.libcal),
        date: args.date,
        connections: config.network.concurrency as usize,
        pass: last_pass_number(cache)?.unwrap_or_default(),
    };
    let mut fetched = lists.fetch(&config.libcal.locations);
    let mut plan = make_plan(config, &fetched, cache, args, now)?;
    if plan.has_changes() && fetched.has_unconfirmed() {
        lists.confirm(&mut fetched);
        plan = make_plan(config, &fetched, cache, args, now)?;
    }
    Ok((fetched, plan))
}

/// Makes the plan from the rows and from what the cache knows of them.
fn make_plan(
    config: &Config,
    fetched: &Fetched,
    cache: &mut Cache,
    args: &Sync,
    now: DateTime<Utc>,
) -> Result<Plan> {
    let Fetched {
        rows, unreadable, ..
    } = fetched;
    let (bookings, people) = plan::referenced_ids(rows, unreadable);
    let snapshot = cache.snapshot(&bookings, &people, now)?;
    let last_pass = cache.last_pass()?.and_then(|pass| pass.ended);
    let incomplete_locations = fetched.failures.iter().map(|(location, _)| location.id);
    let rules = Rules {
        statuses: &config.libcal.statuses,
        destinations: &config.passagepoint.location_mapping,
        // What is missing from another day's lists may be on today's.
        lists_are_complete: fetched.failures.is_empty() && args.date.is_none(),
        incomplete_locations: &incomplete_locations.collect(),
        locations: &config.libcal.locations,
        days: config.libcal.days,
        offset: *local_now().offset(),
        last_pass: last_pass.map(|(ended_at, _)| ended_at),
        unread_since: &unread_since(&cache.outages()?, &config.libcal.locations),
        now,
    };
    let plan = plan::plan(rows, unreadable, &snapshot, &rules);
    log::debug!(
        "planned: {} to register for {}, {} already registered, {} ended",
        pluralize(plan.people.len(), "user"),
        pluralize(
            plan.count(|decision| matches!(decision, Decision::Register(_))),
            "visit"
        ),
        plan.count(|decision| decision == Decision::AlreadyRegistered),
        plan.count(|decision| decision == Decision::Ended),
    );
    cache.mark_seen(snapshot.users.keys(), now)?;
    Ok(plan)
}

/// Saves the plan, before any service is asked.
fn save_plan(plan: &Plan, cache: &mut Cache) -> Result<()> {
    cache.save_appts(plan.changed().map(|visit| &visit.after), &plan.forgotten)?;
    for visit in plan.changed() {
        let is_cancelled = visit.after.state == State::Cancelled;
        if is_cancelled && visit.after.may_be_registered() {
            log::info!(
                "booking {} was cancelled or moved in LibCal; PassagePoint still expects the person{}",
                visit_name(&visit.after.key),
                time_after(" on ", &visit.after)
            );
        }
    }
    Ok(())
}

/// The time of a visit behind some text, if it has one: it tells the visits of one booking apart.
fn time_after(text: &str, appt: &Appt) -> String {
    let times = appt.key.starts_at.zip(appt.ends_at);
    times.map_or_else(String::new, |(start, end)| {
        format!("{text}{}", format_time_range(start, end))
    })
}

/// Carries the plan out; returns the outcome even if the cache failed on the way.
fn carry_out(
    config: &Config,
    agents: Agents,
    cache: &mut Cache,
    plan: &mut Plan,
    outages: &[OngoingOutage],
    args: &Sync,
) -> (PassOutcome, Result<()>) {
    let alma = Alma::new(&agents, &config.network, &config.alma);
    let passagepoint = Client::new("PassagePoint", agents, &config.network);
    let pass = Pass {
        config,
        alma,
        passagepoint: PassagePoint::new(passagepoint, &config.passagepoint),
        cache: Mutex::new(cache),
        outcome: Mutex::default(),
        destinations: OnceLock::new(),
        barcodes: Mutex::default(),
        is_dry_run: args.dry_run,
    };
    // If PassagePoint cannot be asked, nothing is tried again.
    let mut warned = Ok(());
    if plan.has_visits_in_doubt() && pass.passagepoint.ensure_token().is_ok() && !args.dry_run {
        let mut cache = pass.cache.lock().unwrap_or_else(PoisonError::into_inner);
        warned = warnings::warn_of_possible_duplicates(plan, &mut cache);
    }
    let carried_out = warned.and_then(|()| pass.carry_out(&plan.people));
    let (outcome, saved) = pass.finish(outages);
    (outcome, carried_out.and(saved))
}
