//! `prune`: deletes what is past, or forgets a user or a booking.

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};

use super::{Exit, cache_path, parse_id};
use crate::cache::{Cache, PruneCounts, PruneTarget};
use crate::cli::{Cli, Prune};
use crate::clock::now;
use crate::config::{Config, IdPattern};
use crate::messages::pluralize;
use crate::model::{BookingId, REPORT_INTERVAL};
use crate::output::{print, print_json};

pub(super) fn run(cli: &Cli, args: &Prune) -> Result<Exit> {
    let mut cache = Cache::open_existing(&cache_path(cli)?)?;
    let now = prune_time(&cache)?;
    let config = Config::load(&cli.config).ok();
    let pattern = config.and_then(|config| config.libcal.primary_id_pattern);
    let what = prune_targets(args, pattern.as_ref(), now)?;
    warn_of_duplicates(&cache, &what, now)?;
    let mut exit = Exit::Done;
    for unknown in unknown(&cache, &what)? {
        log::error!("nothing is known of {unknown}: nothing to delete");
        exit = Exit::AttentionNeeded;
    }
    let pruned = cache.prune(&what, args.dry_run)?;
    report(cli, args, &pruned)?;
    if !args.dry_run {
        cache.truncate_wal()?;
    }
    Ok(exit)
}

/// The user and the booking to forget, as far as the cache knows nothing of them.
fn unknown(cache: &Cache, what: &[PruneTarget]) -> Result<Vec<String>> {
    let mut unknown = Vec::new();
    for one in what {
        match one {
            PruneTarget::Person(id)
                if cache.user(id)?.is_none() && cache.appts_of_user(id)?.is_empty() =>
            {
                unknown.push(format!("the user {id}"));
            }
            PruneTarget::Booking(id) if cache.appts_of_booking(id)?.is_empty() => {
                unknown.push(format!("the booking {id}"));
            }
            _ => {}
        }
    }
    Ok(unknown)
}

/// The time to prune by: the earlier of the clock and the end of the last full pass, so that a clock
/// that runs ahead deletes nothing that was listed then. If there was never a full pass, the
/// start of the one that was killed counts.
fn prune_time(cache: &Cache) -> Result<DateTime<Utc>> {
    let last_pass = cache.last_pass()?;
    let at = last_pass.and_then(|pass| pass.ended.map(|(at, _)| at).or(pass.started_at));
    Ok(at.map_or_else(now, |at| at.min(now())))
}

fn prune_targets(
    args: &Prune,
    pattern: Option<&IdPattern>,
    now: DateTime<Utc>,
) -> Result<Vec<PruneTarget>> {
    let mut what = Vec::new();
    let user = args.user.as_deref();
    let user = user.map(|typed| parse_id(typed, pattern)).transpose()?;
    what.extend(user.map(PruneTarget::Person));
    what.extend(args.appt.clone().map(BookingId).map(PruneTarget::Booking));
    if what.is_empty() {
        let days = |days: u32| TimeDelta::days(days.into());
        let cut = now - days(args.keep_days.unwrap_or(0));
        what.push(PruneTarget::EndedBefore(cut));
        // A refusal that still stands is renewed every hour; one that was
        // reported must be kept, or it would be reported again.
        what.push(PruneTarget::RefusedBefore(cut.min(now - REPORT_INTERVAL)));
        let unseen = args.users_unseen_for;
        what.extend(unseen.map(|unseen| PruneTarget::UnseenSince(now - days(unseen))));
    }
    Ok(what)
}

/// Warns of what would be registered a second time, before it is deleted.
fn warn_of_duplicates(cache: &Cache, what: &[PruneTarget], now: DateTime<Utc>) -> Result<()> {
    for one in what {
        let expected = cache.count_reregistered(one, now)?;
        if expected == 0 {
            continue;
        }
        let visits = pluralize(expected, "visit");
        match one {
            PruneTarget::EndedBefore(_) => log::warn!(
                "forgetting {visits} registered by the Python program, which kept no times: the next sync registers again whatever LibCal still lists"
            ),
            _ => log::warn!(
                "forgetting {visits} registered or in doubt and not over yet: the next sync registers again whatever LibCal still lists"
            ),
        }
    }
    Ok(())
}

fn report(cli: &Cli, args: &Prune, pruned: &PruneCounts) -> Result<()> {
    if cli.json {
        return print_json([pruned]);
    }
    let line = format!(
        "{} {} and {}",
        if args.dry_run {
            "would delete"
        } else {
            "deleted"
        },
        pluralize(pruned.appts, "visit"),
        pluralize(pruned.users, "user"),
    );
    if args.dry_run {
        return print([line]);
    }
    log::info!("{line}");
    Ok(())
}
