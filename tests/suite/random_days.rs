//! Any bookings of a few people over a day: passes until nothing is new leave every approved visit covered by a
//! pre-registration, and none that was covered by another one when it was made.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};

use crate::day::covers;
use crate::sandbox::{Booking, Expected, Sandbox, User};

/// One booking: how its person types the ID, where, from when and for how long in steps of ten minutes, and its status.
#[derive(Debug, Clone)]
struct Booked {
    typed: &'static str,
    lid: i64,
    from: i64,
    steps: i64,
    status: &'static str,
}

/// Two people, of whom one has three IDs, and two locations.
const PEOPLE: [(&str, &str); 4] = [
    ("G10000001", "21000001"),
    ("ada", "21000001"),
    ("21000001", "21000001"),
    ("G10000002", "21000002"),
];

fn any_booking() -> impl Strategy<Value = Booked> {
    let typed = select(PEOPLE.map(|(typed, _)| typed).to_vec());
    let status = select(vec![
        "Confirmed",
        "Confirmed",
        "Confirmed",
        "Mediated Tentative",
        "Cancelled by User",
    ]);
    (
        typed,
        select(vec![8827_i64, 10332]),
        1_i64..12,
        1_i64..8,
        status,
    )
        .prop_map(|(typed, lid, from, steps, status)| Booked {
            typed,
            lid,
            from,
            steps,
            status,
        })
}

/// A change before the next pass: a booking is cancelled, approved, made longer or corrected to another ID.
#[derive(Debug, Clone)]
enum Change {
    Cancel(usize),
    Approve(usize),
    Lengthen(usize),
    Correct(usize),
}

fn any_change() -> impl Strategy<Value = Change> {
    (0..4_usize, 0..8_usize).prop_map(|(kind, n)| match kind {
        0 => Change::Cancel(n),
        1 => Change::Approve(n),
        2 => Change::Lengthen(n),
        _ => Change::Correct(n),
    })
}

fn apply(change: &Change, day: &mut [Booked]) {
    let (Change::Cancel(n) | Change::Approve(n) | Change::Lengthen(n) | Change::Correct(n)) =
        change;
    let count = day.len();
    let booked = &mut day[n % count];
    match change {
        Change::Cancel(_) => booked.status = "Cancelled by User",
        Change::Approve(_) => booked.status = "Mediated Approved",
        Change::Lengthen(_) => booked.steps += 2,
        Change::Correct(_) => booked.typed = "G10000001",
    }
}

fn is_approved(booked: &Booked) -> bool {
    ["Confirmed", "Mediated Approved"].contains(&booked.status)
}

fn list(sandbox: &Sandbox, day: &[Booked]) {
    sandbox.world().rows.clear();
    for (n, booked) in day.iter().enumerate() {
        let booking = Booking::new(&format!("cs_{n}"))
            .by(booked.typed)
            .at(booked.lid);
        let times = booking.minutes(booked.from * 10, (booked.from + booked.steps) * 10);
        sandbox.add_booking(times.status(booked.status));
    }
}

fn expected(sandbox: &Sandbox, booked: &Booked) -> Expected {
    let barcode = PEOPLE
        .iter()
        .find(|(typed, _)| *typed == booked.typed)
        .expect("one of them")
        .1;
    let place = if booked.lid == 8827 {
        "LibCal Main"
    } else {
        "LibCal Science"
    };
    sandbox.visit(
        barcode,
        place,
        booked.from * 10,
        (booked.from + booked.steps) * 10,
    )
}

fn check(bookings: &[Booked], changes: &[Vec<Change>]) -> Result<(), TestCaseError> {
    let ada = User::new("G10000001").barcode("21000001");
    let sandbox = Sandbox::new()
        .user(ada.identifier("ada", "NETID", None))
        .user(User::new("G10000002").barcode("21000002"));
    let mut day = bookings.to_vec();
    // The visits that each booking has had, and the pre-registrations that covered one of them when
    // a pass first saw the booking cancelled: somebody may have taken those out by hand.
    let mut visits = vec![Vec::new(); day.len()];
    let mut gone = BTreeSet::new();
    for changes in std::iter::once(&Vec::new()).chain(changes) {
        for change in changes {
            apply(change, &mut day);
        }
        list(&sandbox, &day);
        let before = sandbox.world().preregs.len();
        for (booked, had) in day.iter().zip(&mut visits) {
            if is_approved(booked) {
                had.push(expected(&sandbox, booked));
            } else if booked.status.starts_with("Cancelled") {
                let made = sandbox.world().in_order();
                gone.extend((0..before).filter(|n| had.iter().any(|it| covers(&made[*n], it))));
                had.clear();
            }
        }
        for pass in 0.. {
            let run = sandbox.sync();
            prop_assert!(run.code <= 1 && pass < 4, "{:?}", run);
            let made = sandbox.world().in_order();
            for (n, later) in made.iter().enumerate().skip(before) {
                let standing = (0..n).filter(|earlier| !gone.contains(earlier));
                let covering = standing.map(|earlier| &made[earlier]);
                let covered: Vec<_> = covering.filter(|it| covers(it, later)).collect();
                prop_assert!(
                    covered.is_empty(),
                    "{:?} is covered by {:?}",
                    later,
                    covered
                );
            }
            if run.code == 0 && run.stderr.is_empty() {
                break;
            }
        }
        for booked in day.iter().filter(|it| is_approved(it)) {
            let visit = expected(&sandbox, booked);
            let made = sandbox.world().in_order();
            prop_assert!(
                made.iter().any(|one| covers(one, &visit)),
                "{:?} is not expected",
                booked
            );
        }
        prop_assert_eq!(sandbox.complaints(), Vec::<String>::new());
    }
    Ok(())
}

#[test]
fn every_approved_visit_is_covered_and_no_prereg_is_made_that_was_covered_already() {
    let cases = std::env::var("RANDOM_DAYS")
        .ok()
        .and_then(|cases| cases.parse().ok());
    let config = Config {
        failure_persistence: None,
        cases: cases.unwrap_or(40),
        max_shrink_iters: 200,
        ..Config::default()
    };
    let changes = proptest::collection::vec(proptest::collection::vec(any_change(), 1..4), 0..4);
    let bookings = proptest::collection::vec(any_booking(), 1..8);
    TestRunner::new(config)
        .run(&(bookings, changes), |(bookings, changes)| {
            check(&bookings, &changes)
        })
        .expect("whatever is booked");
}
