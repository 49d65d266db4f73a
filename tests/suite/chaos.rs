//! Chaos: many requests fail at random over several passes; then all is well, and the state is that of a clean pass.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::day::{end_well, set_up_small_day};
use crate::sandbox::{Fault, ReceivedRequest, Sandbox};
use crate::support::{age_by_an_hour, in_parallel};

/// How many requests in a hundred go wrong.
const PERCENT: u64 = 30;
const PASSES: usize = 4;

/// What happens to a request that goes wrong.
pub const FAULT_KINDS: [fn(Fault) -> Fault; 12] = [
    Fault::cut_before,
    Fault::cut_after,
    Fault::half_answer,
    |fault| fault.hang_after(Duration::from_secs(60)),
    |fault| fault.answer(500, "text/plain", "oh no"),
    |fault| fault.answer_after(500, "text/plain", "oh no"),
    |fault| fault.answer(503, "", "").header("Retry-After", "0"),
    |fault| fault.answer(429, "text/plain", "slowly"),
    |fault| fault.answer(401, "text/plain", "who?"),
    |fault| fault.answer(400, "text/plain", "no"),
    |fault| fault.answer(200, "text/html", "<p>"),
    |fault| fault.answer(200, "application/json", "null"),
];

/// Which way a request goes wrong, if it does: by the seed, and by what is asked for the how-manieth time, so that a
/// seed brings the same storm again.
fn add_random_faults(seed: u64, request: &ReceivedRequest, times: u64) -> Option<usize> {
    let mut hasher = DefaultHasher::new();
    (seed, &request.method, &request.raw_target, times).hash(&mut hasher);
    let number = hasher.finish();
    let way = usize::try_from(number / 100 % FAULT_KINDS.len() as u64).expect("a small number");
    (number % 100 < PERCENT).then_some(way)
}

fn begin(sandbox: &Sandbox, seed: u64) {
    for (nth, break_it) in FAULT_KINDS.iter().enumerate() {
        let requests: RefCell<HashMap<String, u64>> = RefCell::default();
        let fault = Fault::any().when(move |request| {
            let mut requests = requests.borrow_mut();
            let times = requests
                .entry(format!("{} {}", request.method, request.raw_target))
                .or_default();
            *times += 1;
            add_random_faults(seed, request, *times) == Some(nth)
        });
        sandbox.fault(break_it(fault));
    }
}

fn random_faults(seed: u64) {
    let sandbox = set_up_small_day();
    // Every other storm hits several people at once.
    let people = if seed.is_multiple_of(2) { "1" } else { "4" };
    sandbox.set_config("Network.concurrency", people);
    begin(&sandbox, seed);
    let mut runs = Vec::new();
    for _ in 0..PASSES {
        runs.push(sandbox.sync());
        age_by_an_hour(&sandbox);
    }
    // What was given up in the storm is freed by a person, as the program asks them to.
    for book_id in ["cs_1", "cs_2", "cs_3", "cs_4", "cs_5", "cs_6", "cs_7"] {
        let given_up = runs.iter().any(|run| {
            let mut lines = run.stderr.lines();
            lines.any(|line| line.contains("given up after") && line.contains(book_id))
        });
        if given_up {
            runs.push(sandbox.run(&["prune", "--appt", book_id]));
        }
    }
    end_well(&sandbox, runs, &format!("seed {seed}"));
}

#[test]
fn after_a_storm_every_visit_stands_and_each_that_may_be_doubled_was_named() {
    let seeds: Vec<_> = (0..24).collect();
    in_parallel(8, &seeds, |seed| random_faults(*seed));
}
