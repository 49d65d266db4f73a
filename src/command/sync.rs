//! `sync`: one full pass, from LibCal's rows to the report.

mod dry_run;
mod told;

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

use anyhow::Result;
use chrono::Utc;
use ureq::Agent;

use super::Exit;
use crate::alma::Alma;
use crate::cache::Cache;
use crate::cli::{Cli, Sync};
use crate::config::Config;
use crate::fetch::{Fetched, fetch};
use crate::http::{self, Client};
use crate::known::{Known, Subject, VisitKey};
use crate::libcal::LibCal;
use crate::lock;
use crate::output::print_json;
use crate::pass::{Done, Pass};
use crate::passagepoint::PassagePoint;
use crate::plan::{self, Plan, Refused};
use crate::report::{Summary, counted};

pub(super) fn run(cli: &Cli, args: &Sync) -> Result<Exit> {
    let mut config = Config::load(&cli.config)?;
    config.reveal_secrets(&cli.config)?;
    let path = cli.db.as_ref().unwrap_or(&config.cache.path);
    if args.dry_run {
        return dry_run::run(cli, args, &config, &Cache::open_copy(path)?);
    }
    Cache::check_path(path)?;
    let Some(_lock) = lock::take(path)? else {
        log::info!("another sync is running: this one does nothing");
        return Ok(Exit::Busy);
    };
    let mut cache = Cache::open_or_create(path)?;
    let started = Instant::now();
    let now = Utc::now().timestamp();
    cache.begin_pass(now)?;

    let agent = http::agent(&config.network);
    let fetched = read_rows(&config, &agent, args);
    let (plan, known) = make_plan(&config, &fetched, &cache, now)?;
    note(&plan, &known, &mut cache, now)?;
    let mut needs_person = told::before(&fetched, &plan);

    let (done, finished) = carry_out(&config, agent, &mut cache, &plan);
    needs_person |= told::outages(&done);
    needs_person |= told::refusals(plan.refused.iter().chain(&done.refused), &mut cache, now)?;
    let summary = Summary {
        seconds: started.elapsed().as_secs_f64(),
        ..summary_of(&fetched, &plan, &done)
    };
    log::info!("{}", summary.line());
    if cli.json {
        print_json([&summary])?;
    }
    finished?;
    cache.end_pass(&summary, Utc::now().timestamp())?;
    Ok(if needs_person {
        Exit::NeedsPerson
    } else {
        Exit::Done
    })
}

fn read_rows(config: &Config, agent: &Agent, args: &Sync) -> Fetched {
    let client = Client::new("LibCal", agent.clone(), &config.network);
    let libcal = LibCal::new(client, &config.libcal);
    fetch(&libcal, &config.libcal.locations, args.date)
}

fn make_plan(config: &Config, fetched: &Fetched, cache: &Cache, now: i64) -> Result<(Plan, Known)> {
    let Fetched {
        rows, unreadable, ..
    } = fetched;
    let (bookings, people) = plan::spoken_of(rows, unreadable);
    let known = cache.known(&bookings, &people)?;
    let plan = plan::plan(rows, unreadable, &known, &config.libcal.statuses, now);
    log::debug!(
        "planned: {} to register, {} registered already, {} ended, {} refused, {} cancelled",
        counted(plan.people.len(), "person"),
        counted(plan.already_registered, "visit"),
        plan.ended,
        plan.refused_visits(),
        plan.cancelled.len()
    );
    Ok((plan, known))
}

/// Keeps what the plan itself brings to light.
fn note(plan: &Plan, known: &Known, cache: &mut Cache, now: i64) -> Result<()> {
    cache.note_seen(known.users.keys(), now)?;
    cache.mark(&plan.cancelled, Some(now))?;
    for VisitKey {
        book_id,
        primary_id,
        ..
    } in &plan.cancelled
    {
        log::info!(
            "booking {book_id} ({primary_id}) was cancelled in LibCal; PassagePoint still expects the person"
        );
    }
    cache.mark(&plan.stand_again, None)?;
    for subject in known.refusals.keys() {
        let is_mended = plan
            .refused
            .iter()
            .all(|refused| refused.subject != *subject);
        if is_mended && matches!(subject, Subject::Form(_) | Subject::Doubt(_)) {
            cache.accept(subject)?;
        }
    }
    note_bookings_of_refused_users(plan, known, cache, now)?;
    for refused in &plan.refused {
        // A user or booking is in the plan's refusals because the cache has it already.
        let is_found_by_plan = matches!(refused.subject, Subject::Form(_) | Subject::Doubt(_));
        let is_old = known
            .refusals
            .get(&refused.subject)
            .is_some_and(|old| old.reason == refused.reason && old.stands(now));
        if is_found_by_plan && !is_old {
            cache.refuse(
                &refused.subject,
                refused.primary_id.as_deref(),
                &refused.reason,
                now,
            )?;
        }
    }
    Ok(())
}

/// A user who was refused before may have booked again since.
fn note_bookings_of_refused_users(
    plan: &Plan,
    known: &Known,
    cache: &mut Cache,
    now: i64,
) -> Result<()> {
    let of_users = |refused: &&Refused| matches!(refused.subject, Subject::User(_));
    for refused in plan.refused.iter().filter(of_users) {
        for booking in &refused.bookings {
            let subject = Subject::UsersBooking(booking.clone());
            if !known.refusals.contains_key(&subject) {
                cache.refuse(
                    &subject,
                    refused.primary_id.as_deref(),
                    &refused.reason,
                    now,
                )?;
            }
        }
    }
    Ok(())
}

/// Carries the plan out; gives what was done even where the cache put an end to it.
fn carry_out(config: &Config, agent: Agent, cache: &mut Cache, plan: &Plan) -> (Done, Result<()>) {
    let alma = Client::new("Alma", agent.clone(), &config.network);
    let passagepoint = Client::new("PassagePoint", agent, &config.network);
    let pass = Pass {
        config,
        alma: Alma::new(alma, &config.alma),
        passagepoint: PassagePoint::new(passagepoint, &config.passagepoint),
        cache: Mutex::new(cache),
        done: Mutex::default(),
        destinations: Mutex::new(HashMap::new()),
    };
    let finished = pass.carry_out(&plan.people);
    (pass.finish(), finished)
}

fn summary_of(fetched: &Fetched, plan: &Plan, done: &Done) -> Summary {
    let bookings = |groups: &crate::report::Groups| groups.values().map(Vec::len).sum();
    let to_register: usize = plan.people.iter().map(|person| person.visits.len()).sum();
    let refused_now: usize = done
        .refused
        .iter()
        .map(|refused| refused.bookings.len())
        .sum();
    Summary {
        rows: fetched.rows.len() + fetched.unreadable.len(),
        visits: to_register + plan.already_registered + plan.refused_visits() + plan.ended,
        already_registered: plan.already_registered,
        registered: done.registered,
        refused: plan.refused_visits() + refused_now,
        in_doubt: bookings(&done.in_doubt),
        failed: bookings(&done.failed),
        ended: plan.ended,
        seconds: 0.0,
    }
}
