//! A small day, and the end that it must reach whatever happened on the way.

use std::collections::{BTreeMap, BTreeSet};

use crate::sandbox::{Booking, Expected, Fault, Run, Sandbox, Seen, Service, User};
use crate::support::{an_hour_later, refusals, rows_of};

/// Names and addresses that no output may show.
const PATRONS: [&str; 4] = ["Wilhelmina", "Featherstone", "wilma@", "@example.edu"];

/// A day on which each person is seen to after the other, so that every pass makes the same requests: somebody with two bookings, one of them for two seats, somebody of another institution zone, and somebody whom
/// PassagePoint knows already.
pub fn small_day() -> Sandbox {
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
        .booking(of("G10000003", "cs_4").minutes(400, 460).at(10332));
    sandbox.add_visitor("21000003");
    sandbox
}

fn of(primary_id: &str, book_id: &str) -> Booking {
    Booking::new(book_id)
        .by(primary_id)
        .person("Wilhelmina", "Featherstone", "wilma@example.edu")
}

/// The visits of the small day, each with its booking.
fn visits(sandbox: &Sandbox) -> [(&'static str, Expected); 4] {
    [
        ("cs_1", sandbox.visit("21000001", "LibCal Main", 100, 160)),
        (
            "cs_2",
            sandbox.visit("21000001", "LibCal Science", 200, 260),
        ),
        ("cs_3", sandbox.visit("21000002", "LibCal Main", 300, 360)),
        (
            "cs_4",
            sandbox.visit("21000003", "LibCal Science", 400, 460),
        ),
    ]
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
    let sandbox = small_day();
    let run = sandbox.sync();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_eq!(reached_end(&sandbox, &[]), BTreeSet::new());
    let mut steps: Vec<Step> = Vec::new();
    for Seen { service, path, .. } in sandbox.requests() {
        let before = steps.iter().filter(|step| step.path == path);
        let nth = before.count() + 1;
        steps.push(Step { service, path, nth });
    }
    assert!(steps.len() >= 15, "the day has all kinds of request");
    steps
}

/// All is well again, and an hour has gone by: passes until one finds nothing to do. Their outputs come after those
/// of `runs`, and then the end is checked. Gives the bookings that are registered twice.
pub fn end_well(sandbox: &Sandbox, mut runs: Vec<Run>, case: &str) -> BTreeSet<&'static str> {
    sandbox.clear_faults();
    an_hour_later(sandbox);
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

/// Checks that every visit is registered, twice only if an output has named it so, that the cache says the same, and
/// that no output says what it must not. Gives the bookings that are registered twice.
fn reached_end(sandbox: &Sandbox, runs: &[Run]) -> BTreeSet<&'static str> {
    let mut counts: BTreeMap<Expected, usize> = BTreeMap::new();
    for expected in sandbox.expected() {
        *counts.entry(expected).or_default() += 1;
    }
    let mut twice = BTreeSet::new();
    for (book_id, visit) in visits(sandbox) {
        let count = counts.remove(&visit).unwrap_or_default();
        let named = runs
            .iter()
            .flat_map(|run| run.stderr.lines())
            .filter(|line| {
                line.contains(book_id)
                    && (line.contains("possibly registered twice")
                        || line.contains("given up after"))
            })
            .count();
        assert!(count >= 1, "{book_id} is lost");
        assert!(count <= 1 + named, "{book_id} is doubled, and not named");
        if count > 1 {
            twice.insert(book_id);
        }
    }
    assert_eq!(counts, BTreeMap::new(), "nobody else is expected");
    let registered =
        "appts WHERE state = 'registered' AND prereg_id IS NOT NULL AND asked_ends_at IS NULL
        AND attempts = 0 AND reason IS NULL";
    assert_eq!(rows_of(sandbox, registered), 4);
    assert_eq!(rows_of(sandbox, "appts"), 4);
    assert_eq!(refusals(sandbox), 0);
    assert_eq!(rows_of(sandbox, "outages"), 0);
    for run in runs {
        assert_tells_no_secret(sandbox, run);
    }
    twice
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
