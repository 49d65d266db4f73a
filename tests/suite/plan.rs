//! Properties of the plan: for any rows in any order.

use std::collections::{BTreeMap, BTreeSet};

use libcal_pp::config::LocationId;
use libcal_pp::known::{Appt, Known, Slot, VisitKey};
use libcal_pp::libcal::Row;
use libcal_pp::plan::{Plan, Why, plan};
use proptest::prelude::*;
use proptest::sample::select;

const NOW: i64 = 1_790_000_000;
const HOUR: i64 = 3600;
const ACCEPTED: [&str; 2] = ["Mediated Approved", "Confirmed"];

fn statuses() -> Vec<String> {
    ACCEPTED.map(str::to_owned).to_vec()
}

fn planned(rows: &[Row], known: &Known) -> Plan {
    plan(rows, &[], known, &statuses(), NOW)
}

/// A row from few bookings, people, places and times, so that many share a visit.
fn any_row() -> impl Strategy<Value = Row> {
    let typed = select(vec![
        None,
        Some(""),
        Some("G1"),
        Some("g1 "),
        Some("G2"),
        Some(".."),
    ]);
    let status = select(vec![
        "Confirmed",
        "Mediated Approved",
        "Mediated Tentative",
        "Cancelled by User",
    ]);
    let booking = select(vec!["cs_1", "cs_2", "cs_3"]);
    let place = select(vec![1_i64, 2]);
    // Some have ended, some go on, some are to come.
    let times = (-3_i64..4, 1_i64..4);
    let cancelled = proptest::bool::weighted(0.1);
    (booking, typed, place, times, status, cancelled).prop_map(
        |(booking, typed, place, (start, hours), status, cancelled)| Row {
            book_id: booking.into(),
            lid: LocationId(place),
            starts_at: NOW + start * HOUR,
            ends_at: NOW + (start + hours) * HOUR,
            status: status.into(),
            cancelled,
            first_name: "Ada".into(),
            last_name: "Example".into(),
            email: String::new(),
            answer: typed.filter(|typed| !typed.is_empty()).map(str::to_owned),
        },
    )
}

fn any_rows() -> impl Strategy<Value = Vec<Row>> {
    proptest::collection::vec(any_row(), 0..30)
}

fn rows_in_two_orders() -> impl Strategy<Value = (Vec<Row>, Vec<Row>)> {
    any_rows().prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle()))
}

/// The visits that stand, found the slow way: each approved row of a person, and the latest end beside it.
fn standing(rows: &[Row]) -> BTreeMap<VisitKey, i64> {
    let approved = rows
        .iter()
        .filter(|row| !row.cancelled && ACCEPTED.contains(&row.status.as_str()));
    let mut visits = BTreeMap::new();
    for row in approved {
        let Some(id) = row.answer.as_ref().map(|typed| typed.trim().to_uppercase()) else {
            continue;
        };
        if id == ".." {
            continue;
        }
        let key = VisitKey {
            book_id: row.book_id.clone(),
            primary_id: id,
            lid: row.lid,
            starts_at: row.starts_at,
        };
        let end = visits.entry(key).or_insert(row.ends_at);
        *end = row.ends_at.max(*end);
    }
    visits.retain(|_, end| *end > NOW);
    visits
}

/// The visits that the plan registers, each as often as it does.
fn to_register(plan: &Plan) -> Vec<(VisitKey, i64)> {
    let visits = plan.people.iter().flat_map(|person| &person.visits);
    visits
        .map(|visit| (visit.key.clone(), visit.ends_at))
        .collect()
}

/// What the cache knows once these visits are registered.
fn registered(visits: impl IntoIterator<Item = (VisitKey, i64)>) -> Known {
    let mut known = Known::default();
    for (key, ends_at) in visits {
        known
            .appts
            .entry(key.book_id.clone())
            .or_default()
            .push(Appt {
                appt_id: key.book_id,
                slot: Some(Slot {
                    primary_id: key.primary_id,
                    lid: key.lid,
                    starts_at: key.starts_at,
                    ends_at,
                }),
                prereg_id: Some("1".into()),
                asked_ends_at: None,
                attempts: 0,
                cancelled_at: None,
            });
    }
    known
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn no_visit_is_planned_twice_and_none_that_stands_is_left_out(rows in any_rows()) {
        let visits = to_register(&planned(&rows, &Known::default()));
        let unique: BTreeMap<_, _> = visits.iter().cloned().collect();
        prop_assert_eq!(unique.len(), visits.len());
        prop_assert_eq!(unique, standing(&rows));
    }

    #[test]
    fn the_order_of_the_rows_does_not_matter((rows, shuffled) in rows_in_two_orders()) {
        let set = |rows| to_register(&planned(rows, &Known::default())).into_iter().collect::<BTreeSet<_>>();
        prop_assert_eq!(set(&rows), set(&shuffled));
    }

    #[test]
    fn planning_again_after_everything_was_registered_plans_nothing((rows, shuffled) in rows_in_two_orders()) {
        let first = to_register(&planned(&rows, &Known::default()));
        let again = planned(&shuffled, &registered(first.clone()));
        prop_assert_eq!(to_register(&again), []);
        prop_assert_eq!(again.already_registered, first.len());
    }

    #[test]
    fn what_is_registered_in_part_is_planned_for_the_rest(rows in any_rows(), part in any::<u32>()) {
        let all = to_register(&planned(&rows, &Known::default()));
        let (done, rest): (Vec<_>, Vec<_>) =
            all.into_iter().enumerate().partition(|(n, _)| part >> (n % 32) & 1 == 1);
        let done = registered(done.into_iter().map(|(_, visit)| visit));
        let rest: BTreeSet<_> = rest.into_iter().map(|(_, visit)| visit).collect();
        prop_assert_eq!(to_register(&planned(&rows, &done)).into_iter().collect::<BTreeSet<_>>(), rest);
    }

    #[test]
    fn a_visit_that_became_longer_is_planned_again_and_a_shorter_one_is_not(rows in any_rows()) {
        let visits = to_register(&planned(&rows, &Known::default()));
        let shorter = registered(visits.iter().cloned().map(|(key, end)| (key, end - 60)));
        let again = planned(&rows, &shorter);
        prop_assert_eq!(to_register(&again).len(), visits.len());
        prop_assert!(again.people.iter().flat_map(|person| &person.visits).all(|visit| visit.why == Why::Longer));
        let longer = registered(visits.into_iter().map(|(key, end)| (key, end + 60)));
        prop_assert_eq!(to_register(&planned(&rows, &longer)), []);
    }

    #[test]
    fn people_and_their_visits_come_by_start(rows in any_rows()) {
        let plan = planned(&rows, &Known::default());
        for person in &plan.people {
            prop_assert!(person.visits.is_sorted_by_key(|visit| visit.key.starts_at));
            prop_assert!(person.visits.iter().all(|visit| visit.key.primary_id == person.primary_id));
        }
        prop_assert!(plan.people.is_sorted_by_key(|person| person.visits[0].key.starts_at));
        let people: BTreeSet<_> = plan.people.iter().map(|person| &person.primary_id).collect();
        prop_assert_eq!(people.len(), plan.people.len());
    }

    #[test]
    fn every_visit_is_counted_once(rows in any_rows()) {
        let plan = planned(&rows, &Known::default());
        let approved = rows.iter().filter(|row| !row.cancelled && ACCEPTED.contains(&row.status.as_str()));
        let slot = |row: &Row| {
            let typed = row.answer.as_ref().map(|typed| typed.trim().to_uppercase());
            (row.book_id.clone(), typed, row.lid, row.starts_at)
        };
        let visits: BTreeSet<_> = approved.map(slot).collect();
        prop_assert_eq!(visits.len(), to_register(&plan).len() + plan.ended + plan.refused_visits());
    }
}
