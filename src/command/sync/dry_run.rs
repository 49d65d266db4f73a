//! `sync --dry-run`: what the pass did on the copy of the cache, printed as what would be done.

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::messages::booking_of;
use crate::model::{Appt, State};
use crate::output::{print, print_json, rfc3339, span};
use crate::pass::Done;
use crate::plan::{Plan, Planned, Refusal, Visit, Why};
use crate::report::refusal_lines;

pub(super) fn print_actions(
    as_json: bool,
    plan: &Plan,
    done: &Done,
    refusals: &[Refusal],
) -> Result<()> {
    let mut visits: Vec<_> = done.registered.iter().map(|(visit, _)| visit).collect();
    visits.sort_by_key(|visit| (visit.starts_at, &visit.appt.key));
    let marks: Vec<_> = plan.changed().filter_map(mark_of).collect();
    if as_json {
        let registered = visits
            .iter()
            .map(|visit| to_json("register", &visit.appt, Some(visit.ends_at)));
        let marks = marks
            .iter()
            .map(|(action, appt)| to_json(action, appt, None));
        let refused = refusals.iter().map(refusal_to_json);
        return print_json(registered.chain(marks).chain(refused));
    }
    let marks = marks
        .iter()
        .map(|(action, appt)| format!("{action} {}", booking_of(&appt.key)));
    let refused = refusal_lines(&refusals.iter().collect::<Vec<_>>());
    print(
        visits
            .into_iter()
            .map(register_line)
            .chain(marks)
            .chain(refused),
    )
}

/// What is done about a visit that PassagePoint expects, if LibCal takes it back or has it again.
fn mark_of(visit: &Planned) -> Option<(&'static str, &Appt)> {
    let (before, after) = (visit.before.as_ref()?, &visit.after);
    match (before.state, after.state) {
        (State::Cancelled, State::Cancelled) => None,
        (_, State::Cancelled) => Some(("mark cancelled", after)),
        (State::Cancelled, State::Registered) => Some(("mark reinstated", after)),
        _ => None,
    }
}

fn register_line(visit: &Visit) -> String {
    format!(
        "register {}: {}, {}{}",
        booking_of(&visit.appt.key),
        visit.destination,
        span(visit.starts_at, visit.ends_at),
        match visit.why {
            Why::New => "",
            Why::Longer => " (again: it became longer)",
            Why::InDoubt => " (again: in doubt, possibly registered twice)",
        }
    )
}

fn to_json(action: &str, appt: &Appt, ends_at: Option<DateTime<Utc>>) -> Value {
    json!({
        "action": action,
        "appt_id": appt.key.booking_id,
        "primary_id": appt.key.primary_id,
        "lid": appt.key.lid.map(|lid| lid.to_string()),
        "starts_at": appt.key.starts_at.map(rfc3339),
        "ends_at": ends_at.or(appt.ends_at).map(rfc3339),
    })
}

fn refusal_to_json(refusal: &Refusal) -> Value {
    let mut object = to_json("refuse", &refusal.appt, None);
    object["reason"] = refusal.appt.reason.as_ref().map(ToString::to_string).into();
    object
}
