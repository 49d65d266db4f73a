//! What to report to a person after a pass: refusals once in 24 hours, an outage when it goes on
//! and when it is over. One line for each cause.
//!
//! [`crate::cache`] keeps what was reported before; [`crate::command`] prints the lines.

mod outages;
mod refusals;

pub use outages::{Effect, Incident, OutageReport, outage_lines, track_outages};
pub use refusals::refusal_lines;

use crate::fetch::Fetched;
use crate::model::{Outage, Reason, State, Summary};
use crate::pass::{Deferred, PassOutcome};
use crate::plan::{Decision, Plan};

/// The effects of the outages of a pass over so many locations.
#[must_use]
pub fn incidents(
    fetched: &Fetched,
    locations: usize,
    plan: &Plan,
    outcome: &PassOutcome,
) -> Vec<Incident> {
    let mut incidents = Vec::new();
    let mut add = |outage: &Outage, effect, id: String| {
        let outage = outage.clone();
        incidents.push(Incident { outage, effect, id });
    };
    for (location, cause) in &fetched.failures {
        let name = location.to_string();
        // If no location can be read, LibCal itself is out.
        let service = if fetched.failures.len() == locations {
            "LibCal".to_owned()
        } else {
            format!("LibCal, {name}")
        };
        let cause = cause.clone();
        add(&Outage { service, cause }, Effect::NotRead, name);
    }
    for Deferred { outage, appt, .. } in &outcome.waiting {
        add(outage, Effect::Waits, appt.key.booking_id.to_string());
    }
    for Deferred { outage, appt, .. } in &outcome.in_doubt {
        add(outage, Effect::InDoubt, appt.key.booking_id.to_string());
    }
    // Until one of them is tried again, it is not known whether the outage is over.
    let postponed = plan.visits.iter();
    for visit in postponed.filter(|visit| visit.decision == Decision::Postponed) {
        if let Some(Reason::OutcomeUnknown(Some(cause))) = &visit.after.reason {
            let outage = Outage::of("PassagePoint", cause.clone());
            add(
                &outage,
                Effect::Waits,
                visit.after.key.booking_id.to_string(),
            );
        }
    }
    for (outage, users) in &outcome.served_from_cache {
        for user in users {
            add(outage, Effect::NotChecked, user.to_string());
        }
    }
    for outage in &outcome.others {
        // Another incident may report it already.
        if incidents.iter().all(|one| one.outage != *outage) {
            incidents.push(Incident {
                outage: outage.clone(),
                effect: Effect::Nothing,
                id: String::new(),
            });
        }
    }
    incidents
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
