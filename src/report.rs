//! What to report to a person after a pass: refusals once in 24 hours, an outage when it goes on
//! and when it is over. One line for each cause.
//!
//! [`crate::cache`] keeps what was reported before; [`crate::command`] prints the lines.

mod outages;
mod refusals;

pub use outages::{Effect, Incident, OutageReport, outage_lines, track_outages};
pub use refusals::refusal_lines;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::config::Location;
use crate::fetch::Fetched;
use crate::model::{Appt, LocationId, OngoingOutage, Outage, State, Summary};
use crate::pass::{Deferred, PassOutcome};
use crate::plan::{Decision, Plan, PlannedVisit};

/// The effects of the outages of a pass over so many locations.
#[must_use]
pub fn incidents(
    fetched: &Fetched,
    locations: usize,
    plan: &Plan,
    outcome: &PassOutcome,
) -> Vec<Incident> {
    let mut incidents = unread_lists(fetched, locations);
    for Deferred { outage, appt, .. } in &outcome.waiting {
        let id = &appt.key.booking_id;
        incidents.push(Incident::new(outage.clone(), Effect::Waits, id));
    }
    for Deferred { outage, appt, .. } in &outcome.in_doubt {
        incidents.push(doubt_incident(outage.clone(), appt));
    }
    incidents.extend(plan.visits.iter().filter_map(postponed_incident));
    for (outage, users) in &outcome.served_from_cache {
        let incident = |user| Incident::new(outage.clone(), Effect::NotChecked, user);
        incidents.extend(users.iter().map(incident));
    }
    for outage in &outcome.others {
        // Another incident may report it already.
        if incidents.iter().all(|one| one.outage != *outage) {
            incidents.push(Incident::new(outage.clone(), Effect::Nothing, &""));
        }
    }
    incidents
}

/// The lists that were not read to their ends. If no location can be read, LibCal itself is out.
fn unread_lists(fetched: &Fetched, locations: usize) -> Vec<Incident> {
    let is_all = fetched.failures.len() == locations;
    let failures = fetched.failures.iter();
    let incident = |(location, cause): &(Location, String)| {
        let service = if is_all {
            "LibCal".to_owned()
        } else {
            list_service(location)
        };
        let cause = cause.clone();
        Incident::new(Outage { service, cause }, Effect::NotRead, location)
    };
    failures.map(incident).collect()
}

/// The name under which an outage of a location's list is kept.
fn list_service(location: &Location) -> String {
    format!("LibCal, {location}")
}

/// The locations whose lists could not be read, and since when, by the outages that go on.
#[must_use]
pub fn unread_since(
    outages: &[OngoingOutage],
    locations: &[Location],
) -> BTreeMap<LocationId, DateTime<Utc>> {
    let since = |location: &Location| {
        let services = ["LibCal".to_owned(), list_service(location)];
        let outages = outages.iter();
        let of_list = outages.filter(|lasting| services.contains(&lasting.outage.service));
        let since = of_list.map(|lasting| lasting.since).min()?;
        Some((location.id, since))
    };
    locations.iter().filter_map(since).collect()
}

/// An outage left a visit in doubt.
fn doubt_incident(outage: Outage, appt: &Appt) -> Incident {
    let effect = if appt.is_tried_hourly() {
        Effect::TriedHourly
    } else {
        Effect::InDoubt
    };
    Incident::new(outage, effect, &appt.key.booking_id)
}

/// Until a postponed visit is tried again, it is not known whether its outage is over.
fn postponed_incident(visit: &PlannedVisit) -> Option<Incident> {
    if visit.decision != Decision::Postponed {
        return None;
    }
    let cause = visit.after.reason.as_ref()?.cause_of_doubt()?;
    let outage = Outage::of("PassagePoint", cause);
    Some(doubt_incident(outage, &visit.after))
}

/// The pass in numbers, except for its duration.
#[must_use]
pub fn summarize(fetched: &Fetched, plan: &Plan, outcome: &PassOutcome) -> Summary {
    // A visit deferred by an outage keeps its state.
    let postponed_in = |state| {
        let deferred = outcome.waiting.iter();
        deferred.filter(|visit| visit.appt.state == state).count()
    };
    let (in_doubt, still_refused) = (postponed_in(State::InDoubt), postponed_in(State::Refused));
    let given_up = outcome
        .refused
        .iter()
        .filter(|refusal| refusal.is_given_up());
    let given_up = given_up.count();
    let refused = plan.count(|decision| matches!(decision, Decision::Refused { .. }));
    let given_up_before = plan.count(|decision| decision == Decision::GivenUp);
    let already = plan.count(|decision| decision == Decision::AlreadyRegistered);
    let postponed = plan.count(|decision| decision == Decision::Postponed);
    let is_not_counted =
        |decision| matches!(decision, Decision::NotExpected | Decision::ServesAnother);
    Summary {
        rows: fetched.rows.len() + fetched.unreadable.len(),
        visits: plan.count(|decision| !is_not_counted(decision)),
        already_registered: already + outcome.covered.len(),
        registered: outcome.registered.len(),
        refused: refused + still_refused + outcome.refused.len() - given_up,
        in_doubt: outcome.in_doubt.len() + in_doubt + given_up + given_up_before + postponed,
        failed: outcome.waiting.len() - in_doubt - still_refused + outcome.postponed,
        ended: plan.count(|decision| decision == Decision::Ended),
        seconds: 0.0,
    }
}
