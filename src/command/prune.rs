//! `prune`: deletes what is past, or forgets a user or a booking.

use anyhow::Result;
use chrono::Utc;

use super::{Exit, cache_path};
use crate::cache::{Cache, Pruned, What};
use crate::cli::{Cli, Prune};
use crate::known::{REPORTED_FOR, primary_id};
use crate::output::{print, print_json};
use crate::report::counted;

const DAY: i64 = 24 * 3600;

pub(super) fn run(cli: &Cli, args: &Prune) -> Result<Exit> {
    let mut cache = Cache::open_existing(&cache_path(cli)?)?;
    let now = Utc::now().timestamp();
    let what = what_to_delete(args, now);
    warn_of_doubles(&cache, &what, now)?;
    let pruned = cache.prune(&what, args.dry_run)?;
    let named: Vec<_> = args.user.iter().chain(&args.appt).cloned().collect();
    if !named.is_empty() && pruned == Pruned::default() {
        log::warn!(
            "nothing is known of {}: nothing to delete",
            named.join(" and ")
        );
    }
    tell(cli, args, &pruned)?;
    Ok(Exit::Done)
}

fn what_to_delete(args: &Prune, now: i64) -> Vec<What> {
    let mut what = Vec::new();
    what.extend(
        args.user
            .as_deref()
            .map(|typed| What::Person(primary_id(typed))),
    );
    what.extend(args.appt.clone().map(What::Booking));
    if what.is_empty() {
        let cut = now - i64::from(args.keep_days.unwrap_or(0)) * DAY;
        what.push(What::EndedBefore(cut));
        // A refusal that still stands is given anew every hour; one that was
        // reported must be remembered, or it would be reported again.
        what.push(What::RefusedBefore(cut.min(now - REPORTED_FOR)));
        what.extend(
            args.users_unseen_for
                .map(|days| What::UnseenSince(now - i64::from(days) * DAY)),
        );
    }
    what
}

/// Says what would be registered a second time, before it is forgotten.
fn warn_of_doubles(cache: &Cache, what: &[What], now: i64) -> Result<()> {
    for one in what {
        let expected = cache.still_expected(one, now)?;
        if expected == 0 {
            continue;
        }
        let visits = counted(expected, "visit");
        match one {
            What::EndedBefore(_) => log::warn!(
                "forgetting {visits} registered by the Python program, which kept no times: the next sync registers those that LibCal still lists a second time"
            ),
            _ => log::warn!(
                "forgetting {visits} registered, or in doubt, and not over yet: the next sync registers those that LibCal still lists a second time"
            ),
        }
    }
    Ok(())
}

fn tell(cli: &Cli, args: &Prune, pruned: &Pruned) -> Result<()> {
    if cli.json {
        return print_json([pruned]);
    }
    let line = format!(
        "{} {}, {} and {}",
        if args.dry_run {
            "would delete"
        } else {
            "deleted"
        },
        counted(pruned.appts, "appointment"),
        counted(pruned.users, "user"),
        counted(pruned.refusals, "refusal")
    );
    if args.dry_run {
        return print([line]);
    }
    log::info!("{line}");
    Ok(())
}
