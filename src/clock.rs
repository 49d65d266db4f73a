//! The clock of the whole program.
//!
//! A debug build adds the seconds of [`OFFSET_VARIABLE`], so that a test can run the program at any
//! time; a release build does not read it.

use chrono::{DateTime, Local, SubsecRound, TimeDelta, Utc};

/// The environment variable by whose number of seconds a debug build's clock is ahead, or behind
/// if it is negative.
pub const OFFSET_VARIABLE: &str = "LIBCAL_PP_CLOCK_OFFSET";

/// The current time, to the second, as the cache keeps times.
#[must_use]
pub fn now() -> DateTime<Utc> {
    (Utc::now() + offset()).trunc_subsecs(0)
}

/// The current time in this machine's time zone.
#[must_use]
pub fn local_now() -> DateTime<Local> {
    now().with_timezone(&Local)
}

#[cfg(debug_assertions)]
fn offset() -> TimeDelta {
    let seconds = std::env::var(OFFSET_VARIABLE).ok();
    let seconds = seconds.and_then(|text| text.parse().ok());
    seconds.and_then(TimeDelta::try_seconds).unwrap_or_default()
}

#[cfg(not(debug_assertions))]
fn offset() -> TimeDelta {
    TimeDelta::zero()
}
