//! Reports outages and refusals, and says whether something needs attention.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal, stderr};

use anyhow::Result;
use chrono::{DateTime, Utc};
use log::Level;

use crate::cache::Cache;
use crate::cli::Sync;
use crate::clock;
use crate::config::Config;
use crate::fetch::Fetched;
use crate::logging::{can_log_errors, try_log};
use crate::messages::{pluralize, visit_name};
use crate::model::{LastReport, Reason, is_report_due};
use crate::pass::PassOutcome;
use crate::plan::{Plan, Refusal, RegisterReason};
use crate::report::{incidents, outage_lines, refusal_lines, track_outages};

/// Warns of visits that may be registered twice. The warning comes before the request, because
/// this run may be killed; where it can reach nobody, the visits stay as they are. As long as nothing
/// comes of an attempt, it is repeated only after a day.
pub(super) fn warn_of_possible_duplicates(plan: &mut Plan, cache: &mut Cache) -> Result<()> {
    let now = clock::now();
    let visits = plan.people.iter_mut().flat_map(|person| &mut person.visits);
    let mut due: Vec<_> = visits
        .filter(|visit| visit.why == RegisterReason::InDoubt)
        .filter(|visit| is_report_due(visit.appt.doubt_reported_at(), now))
        .collect();
    if due.is_empty() {
        if !can_log_errors() {
            plan.postpone_visits_in_doubt();
        }
        return Ok(());
    }
    let visits = pluralize(due.len(), "visit");
    let bookings: BTreeSet<_> = due
        .iter()
        .map(|visit| visit_name(&visit.appt.key))
        .collect();
    let bookings: Vec<_> = bookings.into_iter().collect();
    // An error even if it goes well, because nothing else will ever report it.
    let was_logged = try_log(|| {
        log::error!(
            "possibly registered twice: {}, tried again because the outcome of the last attempt is unknown; check in PassagePoint ({})",
            visits,
            bookings.join(", ")
        );
    });
    if !was_logged {
        plan.postpone_visits_in_doubt();
        return Ok(());
    }
    for visit in &mut due {
        visit.is_reported = true;
        let previous = visit.appt.last_report.take();
        let doubt = Reason::OutcomeUnknown(None);
        visit.appt.last_report = Some(LastReport::after(previous, doubt, now));
    }
    cache.save_appts(due.iter().map(|visit| &visit.appt), &[])
}

/// Reports outages, what they kept from being done, and those that are over.
pub(super) fn report_outages(
    (fetched, plan, outcome): (&Fetched, &Plan, &PassOutcome),
    config: &Config,
    cache: &mut Cache,
    args: &Sync,
) -> Result<bool> {
    let now = clock::now();
    let incidents = incidents(fetched, config.libcal.locations.len(), plan, outcome);
    let met: BTreeMap<_, _> = incidents
        .iter()
        .map(|incident| (incident.outage.service.as_str(), &incident.outage))
        .collect();
    // No pass knows whether the one before met the outage of another day.
    let always = args.dry_run
        || args.date.is_some()
        || stderr().is_terminal()
        || log::log_enabled!(Level::Debug);
    let mut report = track_outages(cache.outages()?, &met, always, now);
    if args.date.is_some() {
        report.leave_libcal();
    }
    let due = incidents
        .iter()
        .filter(|incident| report.due.contains(&incident.outage.service));
    let lines = outage_lines(due);
    if try_log(|| lines.iter().for_each(|line| log::error!("{line}"))) {
        report.mark_reported(now);
    }
    let was_logged = try_log(|| report.over.values().for_each(|line| log::warn!("{line}")));
    if !was_logged && !report.over.is_empty() && log::log_enabled!(Level::Warn) {
        // The next pass reports that they are over.
        report.ended.clear();
    }
    cache.save_outages(&report.changed, &report.ended)?;
    Ok(!incidents.is_empty())
}

/// Reports refusals that were not reported in the last 24 hours, visits that were given up, and
/// pre-registrations that must stay in PassagePoint.
pub(super) fn report_refusals(
    refusals: &[Refusal],
    cache: &mut Cache,
    now: DateTime<Utc>,
    is_dry_run: bool,
) -> Result<bool> {
    let (due, reported): (Vec<_>, Vec<_>) = refusals
        .iter()
        .partition(|refusal| is_report_due(refusal.reported_at, now));
    // A visit that was given up needs attention until somebody has dealt with it.
    let needs_attention = !due.is_empty() || refusals.iter().any(Refusal::is_given_up);
    if is_dry_run {
        return Ok(needs_attention);
    }
    let waiting: Vec<_> = reported
        .into_iter()
        .filter(|one| one.is_given_up())
        .collect();
    for line in refusal_lines(&waiting) {
        log::info!("still needs attention: {line}");
    }
    // With -q or on a full disk the report reaches nobody.
    let lines = refusal_lines(&due);
    if try_log(|| lines.iter().for_each(|line| log::warn!("{line}"))) {
        let (mut users, mut visits) = (Vec::new(), Vec::new());
        for refusal in due {
            let key = &refusal.appt.key;
            match key.primary_id.clone() {
                Some(user) if refusal.is_about_user() => users.push(user),
                _ => visits.push(key.clone()),
            }
        }
        cache.mark_reported(&users, &visits, now)?;
    }
    Ok(needs_attention)
}
