//! A rate limiter: keeps requests below a limit for every second.
//!
//! It only makes a thread wait; what is sent is not its business.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The window that the limit is for, with a little room for a network that
/// delivers two requests closer together than they were sent.
const WINDOW: Duration = Duration::from_millis(1020);

/// Lets at most so many requests go in any one second, the first of them at once.
#[derive(Debug)]
pub struct RateLimiter {
    /// When each of the last `limit` requests went, or will go; oldest first.
    slots: Mutex<VecDeque<Instant>>,
    limit: usize,
}

impl RateLimiter {
    /// Allows at most `limit` requests a second.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        let limit = limit.max(1) as usize;
        Self {
            slots: Mutex::new(VecDeque::with_capacity(limit)),
            limit,
        }
    }

    /// Waits until the limit allows another request.
    pub fn wait(&self) {
        let slot = self.reserve_slot(Instant::now());
        std::thread::sleep(slot.saturating_duration_since(Instant::now()));
    }

    fn reserve_slot(&self, now: Instant) -> Instant {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let mut slot = now;
        if slots.len() == self.limit
            && let Some(oldest) = slots.pop_front()
        {
            slot = now.max(oldest + WINDOW);
        }
        slots.push_back(slot);
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_holds_more_than_the_limit() {
        let rate_limiter = RateLimiter::new(25);
        let start = Instant::now();
        // Callers that come in bursts, faster than the limit, and with gaps.
        let slots: Vec<_> = (0..400_u64)
            .map(|n| {
                rate_limiter.reserve_slot(start + Duration::from_millis(n * 7 + (n / 90) * 900))
            })
            .collect();
        for (n, slot) in slots.iter().enumerate() {
            let second = slots[n..]
                .iter()
                .take_while(|t| **t < *slot + Duration::from_secs(1));
            assert!(second.count() <= 25);
        }
    }

    #[test]
    fn the_limit_is_used_in_full_as_long_as_there_is_work() {
        let rate_limiter = RateLimiter::new(25);
        let start = Instant::now();
        let slots: Vec<_> = (0..200).map(|_| rate_limiter.reserve_slot(start)).collect();
        for (n, slot) in (0_u32..).zip(&slots) {
            assert_eq!(*slot, start + WINDOW * (n / 25));
        }
    }

    #[test]
    fn the_first_requests_do_not_wait() {
        let rate_limiter = RateLimiter::new(3);
        let now = Instant::now();
        assert_eq!([now; 3], [0; 3].map(|_| rate_limiter.reserve_slot(now)));
        assert!(rate_limiter.reserve_slot(now) > now);
    }
}
