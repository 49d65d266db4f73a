//! Outages: what they kept from being done, and when that is to be reported.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use crate::messages::{abbreviate, duration, pluralize};
use crate::model::{OngoingOutage, Outage, is_report_due};

/// What an outage led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// A location's list was not read to its end.
    NotRead,
    /// A visit waits.
    Waits,
    /// It is not known whether a visit was registered.
    InDoubt,
    /// That is not known of a visit that failed so often that it is tried once an hour.
    TriedHourly,
    /// A known user could not be checked.
    NotChecked,
    /// Nobody waits for it.
    Nothing,
}

/// One thing that an outage led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// The outage.
    pub outage: Outage,
    /// What it led to.
    pub effect: Effect,
    /// The location, booking or user that it concerns.
    pub id: String,
}

impl Incident {
    /// What an outage led to for that location, booking or user.
    pub(super) fn new(outage: Outage, effect: Effect, id: &impl ToString) -> Self {
        let id = id.to_string();
        Self { outage, effect, id }
    }
}

/// What to report about outages, and what to save.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct OutageReport {
    /// The services whose outage is to be reported now.
    pub due: BTreeSet<String>,
    /// A line for each outage that is over and was reported before, by service.
    pub over: BTreeMap<String, String>,
    /// The outages that go on and have changed.
    pub changed: Vec<OngoingOutage>,
    /// The outages that are over.
    pub ended: Vec<OngoingOutage>,
}

/// Compares the outages that this pass met with those of the last one. An outage is due when two
/// passes in a row have met it, and then once in 24 hours; if somebody is watching (`always`), in
/// every pass.
///
/// One that grew, say from a location to all of LibCal, is reported at once; one that
/// shrank is the same outage. Neither is over.
#[must_use]
pub fn track_outages(
    remembered: Vec<OngoingOutage>,
    met: &BTreeMap<&str, &Outage>,
    always: bool,
    now: DateTime<Utc>,
) -> OutageReport {
    let mut report = OutageReport::default();
    for (service, outage) in met {
        let related = remembered
            .iter()
            .filter(|lasting| is_related(service, &lasting.outage.service));
        let since = related.clone().map(|lasting| lasting.since).min();
        let known = related.filter(|lasting| is_part_of(service, &lasting.outage.service));
        let lasting = OngoingOutage {
            outage: (*outage).clone(),
            // It may have been recorded while the clock ran ahead.
            since: since.map_or(now, |since| since.min(now)),
            reported_at: known.filter_map(|lasting| lasting.reported_at).max(),
        };
        if always || (since.is_some() && is_report_due(lasting.reported_at, now)) {
            report.due.insert((*service).to_owned());
        }
        if report.due.contains(*service) || !remembered.contains(&lasting) {
            report.changed.push(lasting);
        }
    }
    for lasting in remembered {
        let service = &lasting.outage.service;
        if met.contains_key(service.as_str()) {
            continue;
        }
        let is_over = !met.keys().any(|one| is_related(one, service));
        if is_over && lasting.reported_at.is_some() {
            let line = recovery_line(service, now - lasting.since);
            report.over.insert(service.clone(), line);
        }
        report.ended.push(lasting);
    }
    report
}

/// Whether the two are the same, or one is a location's list and the other all of LibCal. (A rejected
/// API key is not a part of an outage of Alma: a person has to replace it.)
fn is_part_of(part: &str, whole: &str) -> bool {
    part == whole || (whole == "LibCal" && part.starts_with("LibCal, "))
}

fn is_related(one: &str, other: &str) -> bool {
    is_part_of(one, other) || is_part_of(other, one)
}

fn recovery_line(service: &str, lasted: TimeDelta) -> String {
    let lasted = duration(lasted);
    match service.strip_prefix("Alma, ") {
        Some(key) => format!("Alma accepts {key} again after {lasted}"),
        None => format!("{service} is responding again after {lasted}"),
    }
}

impl OutageReport {
    /// Leaves the outages of LibCal as they were, in a pass of another day: whether that day's lists can
    /// be read says nothing about today's.
    pub fn leave_libcal(&mut self) {
        let is_of_libcal = |lasting: &OngoingOutage| lasting.outage.is_of_libcal();
        for lasting in self.ended.extract_if(.., |lasting| is_of_libcal(lasting)) {
            self.over.remove(&lasting.outage.service);
        }
        self.changed.retain(|lasting| !is_of_libcal(lasting));
    }

    /// Records that everything due was reported.
    pub fn mark_reported(&mut self, now: DateTime<Utc>) {
        for lasting in &mut self.changed {
            if self.due.contains(&lasting.outage.service) {
                lasting.reported_at = Some(now);
            }
        }
    }
}

/// The incidents with one cause and effect.
#[derive(Default)]
struct Group {
    number: usize,
    ids: BTreeSet<String>,
}

/// A line for each cause and effect among these incidents; each id is named once.
#[must_use]
pub fn outage_lines<'i>(incidents: impl IntoIterator<Item = &'i Incident>) -> Vec<String> {
    let mut groups: BTreeMap<(Effect, &str), Group> = BTreeMap::new();
    for Incident { outage, effect, id } in incidents {
        let group = groups.entry((*effect, &outage.cause)).or_default();
        group.number += 1;
        group.ids.insert(id.clone());
    }
    let groups = groups.into_iter();
    groups
        .map(|((effect, cause), group)| outage_line(effect, cause, &group))
        .collect()
}

fn outage_line(effect: Effect, cause: &str, group: &Group) -> String {
    let ids: Vec<_> = group.ids.iter().cloned().collect();
    let named = abbreviate(&ids);
    let bookings = if ids.len() == 1 {
        "booking"
    } else {
        "bookings"
    };
    let visits = pluralize(group.number, "visit");
    let is_one = group.number == 1;
    match effect {
        Effect::NotRead => format!(
            "{cause}; not all bookings of {} could be read; the next pass tries again",
            ids.join(", ")
        ),
        Effect::Waits => {
            let wait = if is_one { "waits" } else { "wait" };
            format!("{cause}; {visits} {wait} for the next pass ({bookings} {named})")
        }
        Effect::InDoubt => {
            format!(
                "{cause}; {visits} may or may not be registered; the next pass tries again ({bookings} {named})"
            )
        }
        Effect::TriedHourly => {
            format!(
                "{cause}; {visits} may or may not be registered; tried again once an hour ({bookings} {named})"
            )
        }
        Effect::NotChecked => format!(
            "{cause}; {} could not be checked; the stored {} used ({named})",
            pluralize(group.number, "known user"),
            if is_one {
                "barcode was"
            } else {
                "barcodes were"
            }
        ),
        Effect::Nothing => cause.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::now;

    /// What passes so many minutes apart say of an outage, if `met` says whether each meets it.
    fn reports(met: &[(i64, bool)]) -> Vec<&'static str> {
        let outage = Outage::of("Alma", "Alma is not responding: connection refused");
        let start = now();
        let mut remembered = Vec::new();
        let mut reports = Vec::new();
        for (minutes, is_met) in met {
            let now = start + TimeDelta::minutes(*minutes);
            let met = is_met.then_some(("Alma", &outage)).into_iter().collect();
            let mut report = track_outages(remembered.clone(), &met, false, now);
            report.mark_reported(now);
            reports.push(match (report.due.is_empty(), report.over.is_empty()) {
                (false, true) => "out",
                (true, false) => "over",
                (true, true) => "",
                (false, false) => "both",
            });
            remembered.retain(|_| report.changed.is_empty() && report.ended.is_empty());
            remembered.extend(report.changed);
        }
        reports
    }

    #[test]
    fn an_outage_is_reported_by_the_second_pass_in_a_row_then_daily_and_when_it_is_over() {
        let day = 24 * 60;
        let passes = [
            (0, true),
            (5, true),
            (10, true),
            (day, true),
            (day + 5, true),
            (day + 10, false),
            (day + 15, false),
        ];
        assert_eq!(reports(&passes), ["", "out", "", "", "out", "over", ""]);
    }

    #[test]
    fn an_outage_that_no_two_passes_in_a_row_meet_is_not_reported() {
        let passes = [(0, true), (5, false), (10, true), (15, false)];
        assert_eq!(reports(&passes), [""; 4]);
    }

    #[test]
    fn an_outage_that_grows_is_reported_at_once_and_one_that_shrinks_is_not_and_neither_is_over() {
        let lasting = |service, reported| OngoingOutage {
            outage: Outage::of(service, "no"),
            since: now() - TimeDelta::hours(2),
            reported_at: Some(now()).filter(|_| reported),
        };
        let (part, whole) = ("LibCal, Main Library (8827)", "LibCal");
        for (before, after, is_reported, is_due) in [
            (part, whole, true, true),
            (part, whole, false, true),
            (whole, part, true, false),
            (whole, part, false, true),
        ] {
            let outage = Outage::of(after, "no");
            let met = BTreeMap::from([(after, &outage)]);
            let report = track_outages(vec![lasting(before, is_reported)], &met, false, now());
            assert_eq!(!report.due.is_empty(), is_due, "{before} to {after}");
            assert!(report.over.is_empty());
            assert_eq!(report.ended, [lasting(before, is_reported)]);
            assert_eq!(report.changed[0].since, lasting(before, true).since);
        }
        let other = Outage::of("LibCal, Science Library (10332)", "no");
        let met = BTreeMap::from([(other.service.as_str(), &other)]);
        let report = track_outages(vec![lasting(part, true)], &met, false, now());
        assert!(
            report.due.is_empty() && report.over.len() == 1,
            "another place"
        );
    }

    #[test]
    fn if_somebody_is_watching_it_is_reported_at_once() {
        let outage = Outage::of("Alma", "Alma is not responding");
        let met = BTreeMap::from([("Alma", &outage)]);
        let report = track_outages(Vec::new(), &met, true, now());
        assert_eq!(report.due, BTreeSet::from(["Alma".to_owned()]));
        assert_eq!(report.changed.len(), 1);
    }
}
