//! `sync`: one full pass, from LibCal's rows to the report.
//!
//! With `--dry-run` it is the same pass, on a copy of the cache in memory, and nothing is
//! written to PassagePoint.

mod dry_run;
mod warnings;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use ureq::Agent;

use super::Exit;
use crate::alma::Alma;
use crate::cache::Cache;
use crate::cli::{Cli, Sync};
use crate::config::Config;
use crate::fetch::{Fetched, fetch};
use crate::http::{self, Client};
use crate::libcal::LibCal;
use crate::lock::{self, Lock, Taken};
use crate::messages::{booking_of, duration, pluralize, summary_line};
use crate::model::{self, LastingOutage, State, Summary};
use crate::output::print_json;
use crate::pass::{Done, Pass};
use crate::passagepoint::PassagePoint;
use crate::plan::{self, Decision, Plan, Rules};
use crate::report::summary_of;

/// How long another sync may run before a person is told.
const LONG: Duration = Duration::from_secs(3600);

pub(super) fn run(cli: &Cli, args: &Sync) -> Result<Exit> {
    let mut config = Config::load(&cli.config)?;
    config.resolve_secrets(&cli.config)?;
    let path = cli.db.as_ref().unwrap_or(&config.cache.path);
    Cache::check_path(path)?;
    let taken = if args.dry_run {
        lock::take_if_there(path)?
    } else {
        Some(lock::take(path)?)
    };
    let lock = match taken {
        Some(Taken::Busy(age)) => return Ok(busy(age)),
        Some(Taken::Ours(lock)) => Some(lock),
        None => None,
    };
    let cache = if args.dry_run {
        Cache::open_copy(path)?
    } else {
        Cache::open_or_create(path)?
    };
    pass(cli, args, &config, cache, lock)
}

fn busy(age: Duration) -> Exit {
    if age > LONG {
        log::error!(
            "another sync has been running for {}: end it if it hangs, for nobody is registered meanwhile",
            duration(TimeDelta::from_std(age).unwrap_or(TimeDelta::MAX))
        );
    } else {
        log::info!("another sync is running: this one does nothing");
    }
    Exit::Busy
}

fn pass(
    cli: &Cli,
    args: &Sync,
    config: &Config,
    mut cache: Cache,
    lock: Option<Lock>,
) -> Result<Exit> {
    let started = Instant::now();
    let now = model::now();
    let path = cli.db.as_ref().unwrap_or(&config.cache.path);
    // Held to the end of a pass; a dry run stands in nobody's way.
    let (_lock, is_lost) = begin(&mut cache, lock, path, args.dry_run, now)?;
    let agent = http::agent(&config.network);
    let fetched = read_rows(config, &agent, args);
    let plan = make_plan(config, &fetched, &mut cache, now)?;
    let mut needs_attention = is_lost | warnings::possibly_doubled(&plan);

    let outages = cache.outages()?;
    let (done, finished) = carry_out(config, agent, &mut cache, &plan, &outages, args.dry_run);
    needs_attention |= warnings::outages(&fetched, config, &done, &mut cache, args.dry_run)?;
    let mut refusals = plan.refusals();
    refusals.extend(done.refused.iter().cloned());
    needs_attention |= warnings::refusals(&refusals, &mut cache, now, args.dry_run)?;
    let summary = Summary {
        seconds: started.elapsed().as_secs_f64(),
        ..summary_of(&fetched, &plan, &done)
    };
    if args.dry_run {
        dry_run::print_actions(cli.json, &plan, &done, &refusals)?;
        log::info!("dry run, nothing was done: {}", summary_line(&summary));
    } else {
        log::info!("{}", summary_line(&summary));
    }
    if cli.json {
        print_json([&summary])?;
    }
    finished?;
    // Of another day, a pass says nothing of who is expected today.
    if args.date.is_none() {
        cache.end_pass(&summary, model::now())?;
    }
    Ok(if needs_attention {
        Exit::AttentionNeeded
    } else {
        Exit::Done
    })
}

/// Notes that a pass begins. Says whether the cache is not the one that the last pass left.
fn begin(
    cache: &mut Cache,
    lock: Option<Lock>,
    path: &Path,
    is_dry_run: bool,
    now: DateTime<Utc>,
) -> Result<(Option<Lock>, bool)> {
    let cache_pass = cache.last_pass()?.map(|pass| pass.number);
    let Some(mut lock) = lock else {
        return Ok((None, false));
    };
    let is_lost = lock.is_ahead_of(cache_pass);
    if is_lost {
        log::error!(
            "the cache {} is not the one that the last pass left: visits may be registered a second time; if there is a newer copy, put it back",
            path.display()
        );
    }
    if is_dry_run {
        return Ok((None, is_lost));
    }
    let number = lock.next_pass(cache_pass);
    cache.begin_pass(number, now)?;
    lock.record(number)?;
    Ok((Some(lock), is_lost))
}

fn read_rows(config: &Config, agent: &Agent, args: &Sync) -> Fetched {
    let client = Client::new("LibCal", agent.clone(), &config.network);
    let libcal = LibCal::new(client, &config.libcal);
    fetch(&libcal, &config.libcal.locations, args.date)
}

/// Makes the plan, and keeps what it finds before anything is asked.
fn make_plan(
    config: &Config,
    fetched: &Fetched,
    cache: &mut Cache,
    now: DateTime<Utc>,
) -> Result<Plan> {
    let Fetched {
        rows, unreadable, ..
    } = fetched;
    let (bookings, people) = plan::referenced_ids(rows, unreadable);
    let known = cache.known(&bookings, &people)?;
    let rules = Rules {
        statuses: &config.libcal.statuses,
        destinations: &config.passagepoint.location_mapping,
        lists_are_complete: fetched.failures.is_empty(),
        now,
    };
    let plan = plan::plan(rows, unreadable, &known, &rules);
    log::debug!(
        "planned: {} to register for {}, {} registered already, {} ended",
        pluralize(plan.people.len(), "person"),
        pluralize(
            plan.count(|decision| matches!(decision, Decision::Register(_))),
            "visit"
        ),
        plan.count(|decision| decision == Decision::AlreadyRegistered),
        plan.count(|decision| decision == Decision::Ended),
    );
    cache.note_seen(known.users.keys(), now)?;
    cache.save_appts(plan.changed().map(|visit| &visit.after), &plan.forgotten)?;
    for visit in plan.changed() {
        let is_cancelled = visit.after.state == State::Cancelled;
        if is_cancelled && visit.after.may_be_registered() {
            log::info!(
                "booking {} was cancelled or moved in LibCal; PassagePoint still expects the person",
                booking_of(&visit.after.key)
            );
        }
    }
    Ok(plan)
}

/// Carries the plan out; gives what was done even where the cache put an end to it.
fn carry_out(
    config: &Config,
    agent: Agent,
    cache: &mut Cache,
    plan: &Plan,
    outages: &[LastingOutage],
    is_dry_run: bool,
) -> (Done, Result<()>) {
    let alma = Client::new("Alma", agent.clone(), &config.network);
    let passagepoint = Client::new("PassagePoint", agent, &config.network);
    let pass = Pass {
        config,
        alma: Alma::new(alma, &config.alma),
        passagepoint: PassagePoint::new(passagepoint, &config.passagepoint),
        cache: Mutex::new(cache),
        done: Mutex::default(),
        destinations: Mutex::new(HashMap::new()),
        is_dry_run,
    };
    let carried_out = pass.carry_out(&plan.people);
    let (done, saved) = pass.finish(outages);
    (done, carried_out.and(saved))
}
