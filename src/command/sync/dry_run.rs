//! `sync --dry-run`: what the pass did on the copy of the cache, printed as what would be done.

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::time_after;
use crate::messages::visit_name;
use crate::model::{Appt, BookingId, State};
use crate::output::{format_time_range, print, print_json, rfc3339};
use crate::pass::PassOutcome;
use crate::plan::{Plan, PlannedVisit, Refusal, RegisterReason, Visit};
use crate::report::refusal_lines;

/// Prints them, as lines for a person or as JSON.
pub(super) fn print_actions(
    as_json: bool,
    plan: &Plan,
    outcome: &PassOutcome,
    refusals: &[Refusal],
) -> Result<()> {
    let actions = Actions::new(plan, outcome, refusals);
    if as_json {
        return print_json(actions.to_json());
    }
    print(actions.to_lines())
}

/// All that a pass would do, each in the order in which it is printed.
struct Actions<'a> {
    registered: Vec<&'a Visit>,
    /// With the booking whose pre-registration covers the visit.
    covered: Vec<&'a (Visit, BookingId)>,
    marks: Vec<(&'static str, &'a Appt)>,
    refusals: &'a [Refusal],
}

impl<'a> Actions<'a> {
    fn new(plan: &'a Plan, outcome: &'a PassOutcome, refusals: &'a [Refusal]) -> Self {
        let registered = outcome.registered.iter().map(|(visit, _)| visit);
        let mut registered: Vec<_> = registered.collect();
        registered.sort_by_key(|visit| (visit.starts_at, &visit.appt.key));
        let mut covered: Vec<_> = outcome.covered.iter().collect();
        covered.sort_by_key(|(visit, _)| (visit.starts_at, &visit.appt.key));
        Self {
            registered,
            covered,
            marks: plan.changed().filter_map(mark_of).collect(),
            refusals,
        }
    }

    // Both name every field, so that none is forgotten in one of them.
    fn to_lines(&self) -> Vec<String> {
        let Self {
            registered,
            covered,
            marks,
            refusals,
        } = self;
        let covered = covered.iter().map(|(visit, booking)| {
            let visit = visit_name(&visit.appt.key);
            format!("take over {visit}: the pre-registration of booking {booking} covers it")
        });
        let mut lines: Vec<_> = registered.iter().copied().map(register_line).collect();
        lines.extend(covered);
        lines.extend(marks.iter().map(mark_line));
        lines.extend(refusal_lines(&refusals.iter().collect::<Vec<_>>()));
        lines
    }

    fn to_json(&self) -> Vec<Value> {
        let Self {
            registered,
            covered,
            marks,
            refusals,
        } = self;
        let of_visit = |action, visit: &Visit| to_json(action, &visit.appt, Some(visit.ends_at));
        let registered = registered.iter();
        registered
            .map(|visit| of_visit("register", visit))
            .chain(
                covered
                    .iter()
                    .map(|(visit, _)| of_visit("take over", visit)),
            )
            .chain(
                marks
                    .iter()
                    .map(|(action, appt)| to_json(action, appt, None)),
            )
            .chain(refusals.iter().map(refusal_to_json))
            .collect()
    }
}

/// What is done about a visit that PassagePoint expects, if LibCal withdraws it or lists it again.
fn mark_of(visit: &PlannedVisit) -> Option<(&'static str, &Appt)> {
    let (before, after) = (visit.before.as_ref()?.state, &visit.after);
    match after.state {
        state if state == before || !after.may_be_registered() => None,
        State::Cancelled => Some(("mark cancelled", after)),
        State::NotApproved => Some(("mark not approved", after)),
        State::Registered => Some(("mark registered", after)),
        _ => None,
    }
}

fn mark_line((action, appt): &(&str, &Appt)) -> String {
    let when = time_after(", ", appt);
    format!("{action} {}{when}", visit_name(&appt.key))
}

fn register_line(visit: &Visit) -> String {
    format!(
        "register {}: {}, {}{}",
        visit_name(&visit.appt.key),
        visit.destination,
        format_time_range(visit.starts_at, visit.ends_at),
        match visit.why {
            RegisterReason::New => "",
            RegisterReason::Longer => " (again: now longer)",
            RegisterReason::InDoubt => " (again: in doubt, possibly registered twice)",
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
