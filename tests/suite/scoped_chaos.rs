//! Chaos that hits one destination, one location, one institution zone or one person alone, and those first in the
//! queue: everybody else is registered after two passes, while the faults go on, and so are people who book later.

use std::cell::Cell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::sandbox::{Booking, Expected, Fault, ReceivedRequest, Run, Sandbox, Service, User};
use crate::support::{age_by_an_hour, assert_no_complaints, in_parallel};

/// What is struck.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Scope {
    Destination,
    Location,
    Zone(usize),
    /// Somebody of many bookings, whatever is asked about them.
    Person,
    /// The same, but only when their visits are registered.
    Visits,
}

const SCOPES: [Scope; 6] = [
    Scope::Destination,
    Scope::Location,
    Scope::Zone(0),
    Scope::Zone(1),
    Scope::Person,
    Scope::Visits,
];

/// What happens to a request that is struck.
type FaultKind = fn(Fault) -> Fault;

/// The last takes a second each time.
const FAULT_KINDS: [FaultKind; 9] = [
    |fault| fault.answer(500, "text/plain", "oh no"),
    |fault| fault.answer_after(500, "text/plain", "oh no"),
    |fault| fault.answer(401, "text/plain", "who?"),
    |fault| fault.answer(403, "text/plain", "not you"),
    |fault| fault.answer(200, "text/html", "<p>"),
    |fault| fault.answer(200, "application/json", "null"),
    Fault::cut_before,
    Fault::cut_after,
    |fault| fault.hang(Duration::from_secs(60)),
];

/// So many who are struck, with the earliest visits, and so many who are not.
const STRUCK: usize = 9;
const OTHERS: usize = 6;

struct Storm {
    sandbox: Sandbox,
    scope: Scope,
    struck: Vec<Expected>,
    others: Vec<Expected>,
}

impl Storm {
    fn new(scope: Scope, concurrency: &str) -> Self {
        let sandbox = Sandbox::new()
            .config("Network.concurrency", concurrency)
            .config("Network.timeout_seconds", "1")
            .config("Network.tries", "1");
        let mut storm = Self {
            sandbox,
            scope,
            struck: Vec::new(),
            others: Vec::new(),
        };
        for n in 0..STRUCK {
            storm.add_struck(n);
        }
        storm.add_others(0, 200);
        storm
    }

    fn add_struck(&mut self, n: usize) {
        let id = match self.scope {
            Scope::Person | Scope::Visits => "STRUCK".to_owned(),
            _ => format!("STRUCK{n}"),
        };
        let from = 30 + 10 * i64::try_from(n).expect("a small number");
        let zone = match self.scope {
            Scope::Zone(zone) => zone,
            _ => 0,
        };
        let visit = self.book(&id, &format!("cs_struck{n}"), zone, 8827, from);
        self.struck.push(visit);
    }

    /// Some who have nothing to do with the storm, numbered from there on, with visits from that minute on.
    fn add_others(&mut self, first: usize, from: i64) {
        let (zone, lid) = match self.scope {
            Scope::Zone(zone) => (1 - zone, 8827),
            Scope::Destination | Scope::Location => (0, 10332),
            Scope::Person | Scope::Visits => (0, 8827),
        };
        for n in first..first + OTHERS {
            let visit = self.book(&format!("WELL{n}"), &format!("cs_well{n}"), zone, lid, from);
            self.others.push(visit);
        }
    }

    fn book(&self, id: &str, book_id: &str, zone: usize, lid: i64, from: i64) -> Expected {
        let barcode = format!("BC{id}");
        let is_known = self
            .sandbox
            .world()
            .users
            .iter()
            .any(|it| it.primary_id == id);
        if !is_known {
            let user = User::new(id).barcode(&barcode).zone(zone);
            self.sandbox.add_user(user);
        }
        let booking = Booking::new(book_id).by(id).at(lid);
        self.sandbox.add_booking(booking.minutes(from, from + 5));
        let place = if lid == 8827 {
            "LibCal Main"
        } else {
            "LibCal Science"
        };
        self.sandbox.visit(&barcode, place, from, from + 5)
    }

    /// Begins the storm: of the requests that it strikes so many in a hundred go wrong, each in one of these ways.
    fn begin(&self, seed: u64, percent: u64, fault_kinds: &'static [FaultKind]) {
        let key = match self.scope {
            Scope::Zone(zone) => self.sandbox.world().alma_keys[zone].clone(),
            _ => String::new(),
        };
        // The visitor is known by its number alone when visits are registered.
        let visitor = match self.scope {
            Scope::Person | Scope::Visits => self.sandbox.add_visitor("BCSTRUCK").to_string(),
            _ => String::new(),
        };
        for (nth, break_it) in fault_kinds.iter().enumerate() {
            let (scope, key, visitor) = (self.scope, key.clone(), visitor.clone());
            let requests = Cell::new(0_u64);
            let fault = Fault::any().when(move |seen| {
                if !is_struck(scope, seen, &key, &visitor) {
                    return false;
                }
                requests.set(requests.get() + 1);
                let mut hasher = DefaultHasher::new();
                (seed, requests.get()).hash(&mut hasher);
                let number = hasher.finish();
                number % 100 < percent && number / 100 % fault_kinds.len() as u64 == nth as u64
            });
            self.sandbox.fault(break_it(fault));
        }
    }

    /// Everybody else stands now, whoever they are.
    fn assert_others_stand(&self, case: &str, runs: &[Run]) {
        let made = self.sandbox.expected();
        for visit in &self.others {
            assert!(made.contains(visit), "{case}: {visit:?} waits: {runs:#?}");
        }
        assert_no_complaints(&self.sandbox);
    }
}

fn is_struck(scope: Scope, seen: &ReceivedRequest, key: &str, visitor: &str) -> bool {
    match scope {
        Scope::Destination => seen.body.contains("LibCal Main"),
        Scope::Location => seen.parameter("lid") == Some("8827"),
        Scope::Zone(_) => seen
            .header("authorization")
            .is_some_and(|value| value.ends_with(key)),
        Scope::Person => {
            let is_theirs = seen.raw_target.contains("STRUCK") || seen.body.contains(visitor);
            seen.service != Service::LibCal && is_theirs
        }
        Scope::Visits => seen.body.contains(visitor),
    }
}

/// A storm of four passes, and what comes after it.
fn random_faults(seed: u64, scope: Scope, percent: u64, fault_kinds: &'static [FaultKind]) {
    let concurrency = if seed.is_multiple_of(2) { "1" } else { "3" };
    let case = format!("seed {seed}, {scope:?}, {percent}%, concurrency {concurrency}");
    let mut storm = Storm::new(scope, concurrency);
    storm.begin(seed, percent, fault_kinds);
    let mut runs: Vec<_> = (0..2).map(|_| storm.sandbox.run(&["-v", "sync"])).collect();
    storm.assert_others_stand(&case, &runs);
    storm.add_others(OTHERS, 150);
    runs.extend((0..2).map(|_| storm.sandbox.run(&["-v", "sync"])));
    storm.assert_others_stand(&case, &runs);
    storm.sandbox.clear_faults();
    age_by_an_hour(&storm.sandbox);
    runs.push(storm.sandbox.sync());
    for n in 0..STRUCK {
        let book_id = format!("cs_struck{n}");
        let mut lines = runs.iter().flat_map(|run| run.stderr.lines());
        // A line names a few, and how many more there are.
        let is_named = |line: &str| line.contains(&book_id) || line.contains(" more)");
        if lines.any(|line| line.contains("given up after") && is_named(line)) {
            storm.sandbox.run(&["prune", "--appt", &book_id]);
        }
    }
    runs.push(storm.sandbox.sync());
    let made = storm.sandbox.expected();
    for visit in &storm.struck {
        assert!(made.contains(visit), "{case}: {visit:?} is lost: {runs:#?}");
    }
    storm.assert_others_stand(&case, &runs);
}

/// Each scope in each of these storms, several at once.
fn run_chaos(percent: u64, each: &'static [&'static [FaultKind]]) {
    let all: Vec<_> = SCOPES
        .into_iter()
        .flat_map(|scope| each.iter().map(move |fault_kinds| (scope, *fault_kinds)))
        .collect();
    let all: Vec<_> = all.into_iter().enumerate().collect();
    in_parallel(6, &all, |(n, (scope, fault_kinds))| {
        random_faults(*n as u64, *scope, percent, fault_kinds);
    });
}

#[test]
fn a_storm_of_one_kind_that_hits_one_subject_keeps_nobody_else_out() {
    let each: &[&[FaultKind]] = const {
        &[
            &[FAULT_KINDS[0]],
            &[FAULT_KINDS[1]],
            &[FAULT_KINDS[2]],
            &[FAULT_KINDS[3]],
            &[FAULT_KINDS[4]],
            &[FAULT_KINDS[6]],
            &[FAULT_KINDS[7]],
        ]
    };
    run_chaos(100, each);
}

#[test]
fn a_storm_of_hanging_requests_that_hits_one_subject_keeps_nobody_else_out() {
    run_chaos(100, const { &[&[FAULT_KINDS[8]]] });
}

#[test]
fn a_storm_of_all_kinds_that_hits_one_subject_keeps_nobody_else_out() {
    run_chaos(60, const { &[&FAULT_KINDS, &FAULT_KINDS, &FAULT_KINDS] });
}
