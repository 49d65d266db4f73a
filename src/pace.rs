//! Keeps requests below a limit for every second.
//!
//! It only makes a thread wait for its turn; what is sent is not its business.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The window that the limit is for, with a little room for a network that
/// delivers two requests closer together than they were sent.
const WINDOW: Duration = Duration::from_millis(1020);

/// Lets at most so many requests go in any one second, the first of them at once.
#[derive(Debug)]
pub struct Pace {
    /// When each of the last `limit` requests went, or will go; oldest first.
    turns: Mutex<VecDeque<Instant>>,
    limit: usize,
}

impl Pace {
    /// A pace of at most `limit` requests a second.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        let limit = limit.max(1) as usize;
        Self {
            turns: Mutex::new(VecDeque::with_capacity(limit)),
            limit,
        }
    }

    /// Returns when it is this request's turn.
    pub fn wait(&self) {
        let turn = self.next_turn(Instant::now());
        std::thread::sleep(turn.saturating_duration_since(Instant::now()));
    }

    fn next_turn(&self, now: Instant) -> Instant {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let mut turn = now;
        if turns.len() == self.limit
            && let Some(oldest) = turns.pop_front()
        {
            turn = now.max(oldest + WINDOW);
        }
        turns.push_back(turn);
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_holds_more_than_the_limit() {
        let pace = Pace::new(25);
        let start = Instant::now();
        // Callers that come in bursts, faster than the pace, and with gaps.
        let turns: Vec<_> = (0..400_u64)
            .map(|n| pace.next_turn(start + Duration::from_millis(n * 7 + (n / 90) * 900)))
            .collect();
        for (n, turn) in turns.iter().enumerate() {
            let second = turns[n..]
                .iter()
                .take_while(|t| **t < *turn + Duration::from_secs(1));
            assert!(second.count() <= 25);
        }
    }

    #[test]
    fn the_whole_allowance_is_used_as_long_as_there_is_work() {
        let pace = Pace::new(25);
        let start = Instant::now();
        let turns: Vec<_> = (0..200).map(|_| pace.next_turn(start)).collect();
        for (n, turn) in (0_u32..).zip(&turns) {
            assert_eq!(*turn, start + WINDOW * (n / 25));
        }
    }

    #[test]
    fn the_first_go_at_once() {
        let pace = Pace::new(3);
        let now = Instant::now();
        assert_eq!([now; 3], [0; 3].map(|_| pace.next_turn(now)));
        assert!(pace.next_turn(now) > now);
    }
}
