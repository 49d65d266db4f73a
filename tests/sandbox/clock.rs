//! At what time the whole suite runs: now, or at the time of day in `SUITE_CLOCK`, such as 23:58 (UTC).

use chrono::{NaiveTime, TimeDelta, Utc};

/// By how many seconds the suite's clock is ahead of this machine's, less than a day.
pub fn offset_of_suite() -> i64 {
    let Ok(wanted) = std::env::var("SUITE_CLOCK") else {
        return 0;
    };
    let wanted =
        NaiveTime::parse_from_str(&wanted, "%H:%M").expect("SUITE_CLOCK is a time such as 23:58");
    let ahead = wanted - Utc::now().time();
    if ahead < TimeDelta::zero() {
        return (ahead + TimeDelta::days(1)).num_seconds();
    }
    ahead.num_seconds()
}
