//! Properties of the plan: for any rows in any order.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use libcal_pp::config::Location;
use libcal_pp::libcal::{Row, UnreadableRow};
use libcal_pp::model::{
    Appt, BookingId, CacheSnapshot, LocationId, PreregId, PrimaryId, Reason, State, VisitKey,
    VisitorId,
};
use libcal_pp::plan::{Decision, Plan, RegisterReason, Rules, plan};
use proptest::prelude::*;
use proptest::sample::select;

const ACCEPTED: [&str; 2] = ["Mediated Approved", "Confirmed"];

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).expect("a time")
}

fn hours(hours: i64) -> TimeDelta {
    TimeDelta::hours(hours)
}

fn planned_with(rows: &[Row], unreadable: &[UnreadableRow], known: &CacheSnapshot) -> Plan {
    let statuses = ACCEPTED.map(str::to_owned);
    let destinations = [1, 2].map(|lid| (LocationId(lid), "LibCal Main".to_owned()));
    let rules = Rules {
        statuses: &statuses,
        destinations: &destinations.into(),
        lists_are_complete: true,
        incomplete_locations: &BTreeSet::new(),
        locations: &[Location {
            name: "Main Library".to_owned(),
            id: LocationId(1),
        }],
        days: 0,
        offset: FixedOffset::west_opt(4 * 3600).expect("an offset"),
        last_pass: None,
        unread_since: &BTreeMap::new(),
        now: now(),
    };
    plan(rows, unreadable, known, &rules)
}

fn planned(rows: &[Row], known: &CacheSnapshot) -> Plan {
    planned_with(rows, &[], known)
}

/// A row from few bookings, people, places and times, so that many share a visit.
fn any_row() -> impl Strategy<Value = Row> {
    let typed = select(vec!["", "G1", "g1 ", "G2", ".."]);
    let status = select(vec![
        "Confirmed",
        "Mediated Approved",
        "Mediated Tentative",
        "Mediated Denied",
        "Cancelled by User",
        "Blessed by the Dean",
    ]);
    let booking = select(vec!["cs_1", "cs_2", "cs_3"]);
    let place = select(vec![1_i64, 2]);
    // Some have ended, some go on, some are to come.
    let times = (-3_i64..4, 1_i64..4);
    let cancelled = proptest::bool::weighted(0.1);
    let name = select(vec!["", "Ada", "Zoe"]);
    (booking, typed, place, times, status, cancelled, name).prop_map(
        |(booking, typed, place, (start, length), status, cancelled, name)| Row {
            booking_id: BookingId(booking.into()),
            lid: LocationId(place),
            starts_at: now() + hours(start),
            ends_at: now() + hours(start + length),
            offset: FixedOffset::west_opt(4 * 3600).expect("an offset"),
            status: status.into(),
            cancelled,
            first_name: name.into(),
            last_name: name.to_lowercase(),
            email: String::new(),
            primary_id: PrimaryId::parse(typed),
        },
    )
}

fn any_unreadable() -> impl Strategy<Value = UnreadableRow> {
    let status = select(vec![None, Some("Confirmed"), Some("Cancelled by User")]);
    let booking = select(vec!["cs_1", "cs_9", "row 7"]);
    let typed = select(vec!["", "G1"]);
    (booking, typed, status).prop_map(|(booking, typed, status)| UnreadableRow {
        booking_id: BookingId(booking.into()),
        primary_id: PrimaryId::parse(typed).ok(),
        lid: LocationId(1),
        what: "toDate is not a time".into(),
        status: status.map(str::to_owned),
        cancelled: false,
    })
}

fn any_rows() -> impl Strategy<Value = Vec<Row>> {
    proptest::collection::vec(any_row(), 0..30)
}

fn any_unreadables() -> impl Strategy<Value = Vec<UnreadableRow>> {
    proptest::collection::vec(any_unreadable(), 0..4)
}

fn rows_in_two_orders() -> impl Strategy<Value = (Vec<Row>, Vec<Row>)> {
    any_rows().prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle()))
}

fn key_of(row: &Row) -> VisitKey {
    VisitKey {
        booking_id: row.booking_id.clone(),
        primary_id: row.primary_id.as_ref().ok().cloned(),
        lid: Some(row.lid),
        starts_at: Some(row.starts_at),
    }
}

fn is_approved(row: &Row) -> bool {
    !row.cancelled && ACCEPTED.contains(&row.status.as_str())
}

/// The visits that stand, found the slow way: each approved row of a person, and the latest end beside it.
fn standing(rows: &[Row]) -> BTreeMap<VisitKey, DateTime<Utc>> {
    let mut visits = BTreeMap::new();
    for row in rows.iter().filter(|row| is_approved(row)) {
        if row.primary_id.is_err() {
            continue;
        }
        let end = visits.entry(key_of(row)).or_insert(row.ends_at);
        *end = row.ends_at.max(*end);
    }
    visits.retain(|_, end| *end > now());
    visits
}

/// The visits that the plan registers, each as often as it does.
fn to_register(plan: &Plan) -> Vec<(VisitKey, DateTime<Utc>)> {
    let visits = plan.people.iter().flat_map(|person| &person.visits);
    visits
        .map(|visit| (visit.appt.key.clone(), visit.ends_at))
        .collect()
}

/// What the cache knows once these visits are registered.
fn registered(visits: impl IntoIterator<Item = (VisitKey, DateTime<Utc>)>) -> CacheSnapshot {
    let mut known = CacheSnapshot::default();
    for (key, ends_at) in visits {
        let booking = key.booking_id.clone();
        let visitor = VisitorId("7".into());
        let appt = Appt::new(key, Some(ends_at), now());
        let appt = appt.with_intent(ends_at, &visitor, "LibCal Main", now());
        let appt = appt.registered(PreregId("1".into()), now());
        known.appts.entry(booking).or_default().push(appt);
    }
    known
}

/// What the cache knows once the plan is recorded, and nothing is done of it.
fn recorded(plan: &Plan, mut known: CacheSnapshot) -> CacheSnapshot {
    for visit in plan.changed() {
        let appts = known.appts.entry(visit.after.key.booking_id.clone());
        let appts = appts.or_default();
        appts.retain(|appt| appt.key != visit.after.key);
        appts.push(visit.after.clone());
    }
    for appts in known.appts.values_mut() {
        appts.retain(|appt| !plan.forgotten.contains(&appt.key));
    }
    known
}

/// A cache after a day of other rows, of which some are registered, some in doubt, and some as they were planned.
fn any_known() -> impl Strategy<Value = CacheSnapshot> {
    (any_rows(), any_unreadables(), any::<u64>()).prop_map(|(rows, unreadable, fates)| {
        let plan = planned_with(&rows, &unreadable, &CacheSnapshot::default());
        let mut known = recorded(&plan, CacheSnapshot::default());
        let visitor = VisitorId("7".into());
        let appts = known.appts.values_mut().flatten();
        for (n, appt) in appts
            .filter(|appt| appt.state == State::Waiting)
            .enumerate()
        {
            let asked = appt.clone().with_intent(
                appt.ends_at.expect("an end"),
                &visitor,
                "LibCal Main",
                now(),
            );
            *appt = match fates >> (2 * n % 64) & 3 {
                0 => asked.registered(PreregId("1".into()), now()),
                1 => asked,
                2 => appt.clone().refused(Reason::PreregRefused(422), now()),
                _ => appt.clone().deferred("Alma is not responding", true, now()),
            };
        }
        known
    })
}

#[test]
fn what_is_of_today_is_said_by_the_soonest_row_though_the_clocks_change_before_the_last() {
    let row = |booking: &str, start: TimeDelta, offset: i32| Row {
        booking_id: BookingId(booking.into()),
        lid: LocationId(1),
        starts_at: now() + start,
        ends_at: now() + start + hours(1),
        offset: FixedOffset::west_opt(offset * 3600).expect("an offset"),
        status: "Confirmed".into(),
        cancelled: false,
        first_name: "Ada".into(),
        last_name: "Example".into(),
        email: String::new(),
        primary_id: PrimaryId::parse("G1"),
    };
    let today = row("cs_today", hours(1), 4);
    let later = row("cs_later", hours(48), 5);
    // Half past midnight by today's clock, and half past eleven by the other.
    let midnight = DateTime::from_timestamp(1_790_049_600, 0).expect("a time");
    let unlisted = row("cs_unlisted", midnight + TimeDelta::minutes(30) - now(), 4);
    let known = registered([(key_of(&unlisted), unlisted.ends_at)]);
    for rows in [
        [today.clone(), later.clone()],
        [later.clone(), today.clone()],
    ] {
        let plan = planned(&rows, &known);
        let is_listed = |key: &VisitKey| rows.iter().any(|row| key_of(row) == *key);
        let mut visits = plan.visits.iter();
        assert!(
            visits.all(|visit| is_listed(&visit.after.key)),
            "tomorrow's lists may have it"
        );
    }
    // By the other clock it is of today, and gone.
    let plan = planned(&[later], &known);
    assert_eq!(plan.visits.len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn no_visit_is_planned_twice_and_none_that_stands_is_left_out(rows in any_rows()) {
        let visits = to_register(&planned(&rows, &CacheSnapshot::default()));
        let unique: BTreeMap<_, _> = visits.iter().cloned().collect();
        prop_assert_eq!(unique.len(), visits.len());
        prop_assert_eq!(unique, standing(&rows));
    }

    #[test]
    fn the_order_of_the_rows_does_not_matter((rows, shuffled) in rows_in_two_orders(), known in any_known()) {
        let (one, other) = (planned(&rows, &known), planned(&shuffled, &known));
        prop_assert_eq!(one.visits, other.visits);
        prop_assert_eq!(one.forgotten, other.forgotten);
        prop_assert_eq!(one.people, other.people);
    }

    #[test]
    fn planning_again_after_everything_was_registered_plans_nothing((rows, shuffled) in rows_in_two_orders()) {
        let first = to_register(&planned(&rows, &CacheSnapshot::default()));
        let again = planned(&shuffled, &registered(first.clone()));
        prop_assert_eq!(to_register(&again), []);
        prop_assert_eq!(again.count(|decision| decision == Decision::AlreadyRegistered), first.len());
    }

    #[test]
    fn what_is_registered_in_part_is_planned_for_the_rest(rows in any_rows(), part in any::<u32>()) {
        let all = to_register(&planned(&rows, &CacheSnapshot::default()));
        let (done, rest): (Vec<_>, Vec<_>) =
            all.into_iter().enumerate().partition(|(n, _)| part >> (n % 32) & 1 == 1);
        let done = registered(done.into_iter().map(|(_, visit)| visit));
        let rest: BTreeSet<_> = rest.into_iter().map(|(_, visit)| visit).collect();
        prop_assert_eq!(to_register(&planned(&rows, &done)).into_iter().collect::<BTreeSet<_>>(), rest);
    }

    #[test]
    fn a_visit_that_became_longer_is_planned_again_and_a_shorter_one_is_not(rows in any_rows()) {
        let visits = to_register(&planned(&rows, &CacheSnapshot::default()));
        let minute = TimeDelta::minutes(1);
        let shorter = registered(visits.iter().cloned().map(|(key, end)| (key, end - minute)));
        let again = planned(&rows, &shorter);
        prop_assert_eq!(to_register(&again).len(), visits.len());
        prop_assert!(again.people.iter().flat_map(|person| &person.visits).all(|visit| visit.why == RegisterReason::Longer));
        let longer = registered(visits.into_iter().map(|(key, end)| (key, end + minute)));
        prop_assert_eq!(to_register(&planned(&rows, &longer)), []);
    }

    #[test]
    fn people_and_their_visits_come_by_start(rows in any_rows()) {
        let plan = planned(&rows, &CacheSnapshot::default());
        for person in &plan.people {
            prop_assert!(person.visits.is_sorted_by_key(|visit| visit.starts_at));
            prop_assert!(person.visits.iter().all(|visit| visit.appt.key.primary_id.as_ref() == Some(&person.primary_id)));
        }
        prop_assert!(plan.people.is_sorted_by_key(|person| person.visits[0].starts_at));
        let people: BTreeSet<_> = plan.people.iter().map(|person| &person.primary_id).collect();
        prop_assert_eq!(people.len(), plan.people.len());
    }

    #[test]
    fn every_row_ends_up_in_the_state_of_just_one_visit(rows in any_rows(), unreadable in any_unreadables(), known in any_known()) {
        let plan = planned_with(&rows, &unreadable, &known);
        let states = recorded(&plan, known);
        let count = |key: &VisitKey| {
            let appts = states.appts.get(&key.booking_id).into_iter().flatten();
            appts.filter(|appt| appt.key == *key).count()
        };
        for row in &rows {
            prop_assert_eq!(count(&key_of(row)), 1);
        }
        for row in &unreadable {
            let key = VisitKey { booking_id: row.booking_id.clone(), primary_id: row.primary_id.clone(), lid: Some(row.lid), starts_at: None };
            prop_assert_eq!(count(&key), 1);
        }
        let decided: BTreeSet<_> = plan.visits.iter().map(|visit| &visit.after.key).collect();
        prop_assert_eq!(decided.len(), plan.visits.len(), "each visit is decided of once");
    }

    #[test]
    fn planning_the_state_that_planning_left_changes_nothing(rows in any_rows(), unreadable in any_unreadables(), known in any_known()) {
        let first = planned_with(&rows, &unreadable, &known);
        let again = planned_with(&rows, &unreadable, &recorded(&first, known));
        prop_assert_eq!(again.changed().collect::<Vec<_>>(), Vec::<&libcal_pp::plan::PlannedVisit>::new());
        prop_assert_eq!(&again.forgotten, &[]);
        prop_assert_eq!(to_register(&again), to_register(&first));
    }

    #[test]
    fn a_plan_forgets_nothing_that_is_or_may_be_registered(rows in any_rows(), known in any_known()) {
        let plan = planned(&rows, &known);
        for appt in known.appts.values().flatten().filter(|appt| appt.may_be_registered()) {
            prop_assert!(!plan.forgotten.contains(&appt.key));
            let after = plan.visits.iter().find(|visit| visit.after.key == appt.key);
            let after = after.map_or(appt, |visit| &visit.after);
            prop_assert!(after.may_be_registered(), "{:?} became {:?}", appt, after);
        }
    }

    #[test]
    fn every_visit_is_counted_once(rows in any_rows()) {
        let plan = planned(&rows, &CacheSnapshot::default());
        let counted = plan.count(|decision| decision != Decision::NotExpected);
        let keys: BTreeSet<_> = rows.iter().filter(|row| is_approved(row)).map(key_of).collect();
        let unknown = |row: &&Row| !row.cancelled && row.status.starts_with("Blessed") && row.ends_at > now();
        let all: BTreeSet<_> = rows.iter().filter(unknown).map(key_of).chain(keys.iter().cloned()).collect();
        // Beside an approved seat, one with a status that nobody knows does not count.
        prop_assert!(counted >= keys.len() && counted <= all.len(), "{} of {}", counted, all.len());
        let ended = plan.count(|decision| decision == Decision::Ended);
        prop_assert_eq!(counted, to_register(&plan).len() + ended + plan.refusals().len());
    }
}
