//! A small random world: bookings are made, moved, cancelled and corrected, cards replaced, services fail, passes are
//! killed, the cache is pruned, lost and put back, and the clock runs ahead and is set back. Whatever happens, what the
//! program promises must hold by the word of an oracle that shares no code with it.
//!
//! `MODEL_STEPS=20000` has so many things happen instead of a few hundred, and `MODEL_SEED=7` begins with world 7, or
//! tries just that one. A failure names its world.

mod faults;
mod final_state;
mod oracle;
mod rows;
mod runs;
mod step;
mod world;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::support::in_parallel;
use step::{Scenario, any_scenario};
use world::World;

/// The most steps of one world, and how many it has on average, bookings among them.
const MAX_STEPS: usize = 32;
const AVERAGE_STEPS: u64 = 27;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().expect("a number"))
}

fn run_scenario(scenario: &Scenario) -> Result<(), TestCaseError> {
    let mut world = World::new(scenario);
    for step in &scenario.steps {
        let result = world.apply(step);
        result.map_err(|error| TestCaseError::fail(format!("{error}\n{}", world.log)))?;
    }
    Ok(())
}

fn try_world(seed: u64) {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases: 1,
        failure_persistence: None,
        max_shrink_iters: 100,
        max_shrink_time: 60_000,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let result = runner.run(&any_scenario(MAX_STEPS), |scenario| run_scenario(&scenario));
    if let Err(error) = result {
        panic!("world {seed} (MODEL_SEED={seed}): {error}");
    }
}

#[test]
fn whatever_happens_who_booked_is_expected_once_and_the_desk_gets_an_answer() {
    let (first, steps) = (number("MODEL_SEED"), number("MODEL_STEPS"));
    let steps = match (first, steps) {
        (Some(_), None) => 1,
        (_, steps) => steps.unwrap_or(900),
    };
    let first = first.unwrap_or(0);
    let seeds: Vec<_> = (first..first + steps.div_ceil(AVERAGE_STEPS)).collect();
    in_parallel(4, &seeds, |seed| try_world(*seed));
}
