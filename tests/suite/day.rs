//! A small day with every kind of booking, and the state that it must reach whatever fails on the way.

use std::collections::BTreeMap;

use crate::sandbox::{Booking, Expected, Fault, ReceivedRequest, Run, Sandbox, Service, User};
use crate::support::{age_by_an_hour, count_refusals, count_rows};

/// Names and addresses that no output may show.
const PATRONS: [&str; 4] = ["Wilhelmina", "Featherstone", "wilma@", "@example.edu"];

/// A day on which each person is seen to after the other, so that every pass makes the same requests: somebody with
/// two bookings, one of them for two seats, and a third within another; somebody of another institution zone with two
/// bookings of the same hours; and somebody whom PassagePoint knows already, and who types another ID for a booking
/// within the first.
pub fn set_up_small_day() -> Sandbox {
    let sandbox = Sandbox::new()
        .config("Network.concurrency", "1")
        .config("Network.timeout_seconds", "1")
        .user(User::new("G10000001").barcode("21000001"))
        .user(User::new("G10000002").barcode("21000002").zone(1))
        .user(User::new("G10000003").barcode("21000003"))
        .booking(of("G10000001", "cs_1").minutes(100, 160).seat(1))
        .booking(of("G10000001", "cs_1").minutes(100, 160).seat(2))
        .booking(of("G10000001", "cs_2").minutes(200, 260).at(10332))
        .booking(of("G10000002", "cs_3").minutes(300, 360))
        .booking(of("G10000003", "cs_4").minutes(400, 460).at(10332))
        .booking(of("G10000002", "cs_5").minutes(300, 360))
        .booking(of("G10000001", "cs_6").minutes(210, 240).at(10332))
        .booking(of("21000003", "cs_7").minutes(410, 450).at(10332));
    sandbox.add_visitor("21000003");
    sandbox
}

fn of(primary_id: &str, book_id: &str) -> Booking {
    Booking::new(book_id)
        .by(primary_id)
        .person("Wilhelmina", "Featherstone", "wilma@example.edu")
}

/// The visits of the small day, each with its booking.
fn visits(sandbox: &Sandbox) -> [(&'static str, Expected); 7] {
    let visit = |barcode, place, from, to| sandbox.visit(barcode, place, from, to);
    [
        ("cs_1", visit("21000001", "LibCal Main", 100, 160)),
        ("cs_2", visit("21000001", "LibCal Science", 200, 260)),
        ("cs_3", visit("21000002", "LibCal Main", 300, 360)),
        ("cs_4", visit("21000003", "LibCal Science", 400, 460)),
        ("cs_5", visit("21000002", "LibCal Main", 300, 360)),
        ("cs_6", visit("21000001", "LibCal Science", 210, 240)),
        ("cs_7", visit("21000003", "LibCal Science", 410, 450)),
    ]
}

/// Whether who is expected so is expected for that visit too.
pub fn covers(expected: &Expected, visit: &Expected) -> bool {
    expected.barcode == visit.barcode
        && expected.destination == visit.destination
        && expected.starts_at <= visit.starts_at
        && expected.ends_at >= visit.ends_at
}

/// One request of a pass: the n-th to that path. Which comes first, that or another's, is left open.
pub struct Step {
    service: Service,
    path: String,
    nth: usize,
}

impl Step {
    /// A fault, to be given an action, for this request alone.
    pub fn request(&self) -> Fault {
        Fault::on(self.service).path(&self.path).nth(self.nth)
    }
}

/// The requests that the pass makes when all goes well.
pub fn steps_of_a_clean_pass() -> Vec<Step> {
    let sandbox = set_up_small_day();
    let run = sandbox.sync();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_eq!(reached_end(&sandbox, &[]), 0);
    assert_eq!(sandbox.expected().len(), 4, "the other three are covered");
    let mut steps: Vec<Step> = Vec::new();
    for ReceivedRequest { service, path, .. } in sandbox.requests() {
        let before = steps.iter().filter(|step| step.path == path);
        let nth = before.count() + 1;
        steps.push(Step { service, path, nth });
    }
    assert!(steps.len() >= 15, "the day has all kinds of request");
    steps
}

/// All is well again, and an hour has gone by: passes until one finds nothing to do. Their outputs come after those
/// of `runs`, and then the end is checked. Gives how many pre-registrations need not be.
pub fn end_well(sandbox: &Sandbox, mut runs: Vec<Run>, case: &str) -> usize {
    sandbox.clear_faults();
    age_by_an_hour(sandbox);
    // One may have to tell of visits in doubt, and one that an outage is over.
    for _ in 0..3 {
        let run = sandbox.sync();
        let is_quiet = (run.code, run.stderr.as_str()) == (0, "");
        runs.push(run);
        if is_quiet {
            return std::panic::catch_unwind(|| reached_end(sandbox, &runs))
                .unwrap_or_else(|_| panic!("{case}: {runs:#?}"));
        }
    }
    panic!("{case}: three passes, and still something to say: {runs:#?}");
}

/// Checks that every visit is covered, that what was covered when it was made was named so by an output, that the
/// cache says the same, and that no output says what it must not. Gives how many pre-registrations need not be.
fn reached_end(sandbox: &Sandbox, runs: &[Run]) -> usize {
    let made = sandbox.world().in_order();
    for (book_id, visit) in visits(sandbox) {
        let is_covered = made.iter().any(|expected| covers(expected, &visit));
        assert!(is_covered, "{book_id} is lost");
    }
    let mut spare: BTreeMap<&Expected, usize> = BTreeMap::new();
    for (n, expected) in made.iter().enumerate() {
        let visits = visits(sandbox);
        assert!(
            visits.iter().any(|(_, visit)| visit == expected),
            "nobody else is expected"
        );
        if made[..n].iter().any(|earlier| covers(earlier, expected)) {
            *spare.entry(expected).or_default() += 1;
        }
    }
    for (expected, count) in &spare {
        let named = runs
            .iter()
            .flat_map(|run| run.stderr.lines())
            .filter(|line| {
                let visits = visits(sandbox);
                let mut of_it = visits.iter().filter(|(_, visit)| visit == *expected);
                of_it.any(|(book_id, _)| line.contains(book_id))
                    && (line.contains("possibly registered twice")
                        || line.contains("given up after"))
            });
        assert!(
            *count <= named.count(),
            "{expected:?} is doubled, and not named"
        );
    }
    let registered =
        "appts WHERE state = 'registered' AND prereg_id IS NOT NULL AND asked_ends_at IS NULL
        AND attempts = 0 AND reason IS NULL";
    assert_eq!(count_rows(sandbox, registered), 7);
    assert_eq!(count_rows(sandbox, "appts"), 7);
    assert_eq!(count_refusals(sandbox), 0);
    assert_eq!(count_rows(sandbox, "outages"), 0);
    for run in runs {
        assert_tells_no_secret(sandbox, run);
    }
    spare.values().sum()
}

/// Neither a secret nor a patron's name or address is in the output, and no panic.
pub fn assert_tells_no_secret(sandbox: &Sandbox, run: &Run) {
    let said = run.stdout.clone() + &run.stderr;
    let secrets = sandbox.secrets();
    for hidden in secrets.iter().map(String::as_str).chain(PATRONS) {
        assert!(!said.contains(hidden), "{hidden:?} is told");
    }
    assert!(!said.contains("panicked"), "no panic");
}
