//! What a pass tells the person who has to know of it, one line a cause. Each
//! function says whether it told anything.

use anyhow::Result;

use crate::cache::Cache;
use crate::fetch::Fetched;
use crate::known::Subject;
use crate::logging::is_all_told;
use crate::pass::Done;
use crate::plan::{Plan, Refused, Why};
use crate::report::{a_few, counted, refusal_lines};

/// What is known before anything is registered: lists that could not be read, and
/// visits that may come to be registered twice. The latter must be said before it
/// is done, for this run may be killed.
pub(super) fn before(fetched: &Fetched, plan: &Plan) -> bool {
    for (cause, locations) in &fetched.failures {
        log::error!(
            "{cause}: not all bookings were read of {}; the next pass tries again",
            locations.join(", ")
        );
    }
    let visits = plan.people.iter().flat_map(|person| &person.visits);
    let doubtful: Vec<_> = visits
        .filter(|visit| visit.why == Why::InDoubt)
        .map(|visit| format!("{} of {}", visit.key.book_id, visit.key.primary_id))
        .collect();
    if !doubtful.is_empty() {
        // An error even if it goes well: nobody else will ever say so.
        log::error!(
            "possibly registered twice: {}, tried again because the outcome of the last attempt is not known; look in PassagePoint ({})",
            counted(doubtful.len(), "visit"),
            doubtful.join(", ")
        );
    }
    !fetched.failures.is_empty() || !doubtful.is_empty()
}

/// Outages, and what they kept from being done.
pub(super) fn outages(done: &Done) -> bool {
    for (cause, bookings) in &done.failed {
        log::error!(
            "{cause}: {} for the next pass (bookings {})",
            counted(bookings.len(), "visit") + waits(bookings.len()),
            a_few(bookings)
        );
    }
    for (cause, bookings) in &done.in_doubt {
        log::error!(
            "{cause}: it is not known whether {} registered; tried again at the next pass (bookings {})",
            counted(bookings.len(), "visit") + was(bookings.len()),
            a_few(bookings)
        );
    }
    for (cause, users) in &done.served_from_cache {
        log::error!(
            "{cause}: {} not checked, and let in with the barcode that is stored ({})",
            counted(users.len(), "known user") + was(users.len()),
            a_few(users)
        );
    }
    for cause in &done.idle_keys {
        log::error!("{cause}");
    }
    !(done.failed.is_empty()
        && done.in_doubt.is_empty()
        && done.served_from_cache.is_empty()
        && done.idle_keys.is_empty())
}

/// Refusals that were not reported in the last 24 hours.
pub(super) fn refusals<'r>(
    refused: impl Iterator<Item = &'r Refused>,
    cache: &mut Cache,
    now: i64,
) -> Result<bool> {
    let mut due = Vec::new();
    // A visit that was given up waits for a person as long as it stands there.
    let mut given_up = false;
    for one in refused {
        given_up |= matches!(one.subject, Subject::Doubt(_));
        let known = cache.refusals_of(one.subject.id())?;
        let is_due = known
            .iter()
            .any(|(subject, refusal)| *subject == one.subject && refusal.is_due(now));
        if is_due {
            due.push(one);
        } else if matches!(one.subject, Subject::Doubt(_)) {
            log::info!(
                "still waiting for a person: booking {}, {}",
                one.subject.id(),
                one.reason
            );
        }
    }
    for line in refusal_lines(&due) {
        log::warn!("{line}");
    }
    // Under -q nobody was told, nor on a full disk.
    if log::log_enabled!(log::Level::Warn) && is_all_told() && !due.is_empty() {
        let subjects: Vec<_> = due.iter().map(|one| one.subject.clone()).collect();
        cache.reported(&subjects, now)?;
    }
    Ok(given_up || !due.is_empty())
}

fn waits(number: usize) -> &'static str {
    if number == 1 { " waits" } else { " wait" }
}

fn was(number: usize) -> &'static str {
    if number == 1 { " was" } else { " were" }
}
