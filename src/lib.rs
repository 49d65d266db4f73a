//! `libcal-pp` makes PassagePoint, the visitor management system at a library's
//! doors, expect the people who booked seats and rooms in LibCal.
//!
//! Each run is one pass and then it ends. Data flows one way:
//! [`command`] → [`fetch`](mod@fetch) → [`plan`](mod@plan) → [`pass`] → [`report`].
//!
//! Each service has a module, [`libcal`], [`alma`] and [`passagepoint`], which builds requests
//! and reads responses, and decides nothing. [`http`] is the one door to the network, with
//! retries and a circuit breaker; [`cache`] is the one door to SQLite.
//!
//! The promise, above all else: a person with an approved booking is expected at the
//! door, once. So an *intent* is on the disk before a visit is registered, and its
//! outcome after; a visit whose outcome was lost is *in doubt* and never registered
//! again without a warning.

pub mod alma;
pub mod cache;
pub mod cli;
pub mod clock;
pub mod command;
pub mod config;
pub mod fetch;
pub mod files;
pub mod http;
pub mod json;
pub mod libcal;
pub mod lock;
pub mod logging;
pub mod messages;
pub mod model;
pub mod output;
pub mod pass;
pub mod passagepoint;
pub mod plan;
pub mod rate_limit;
pub mod report;
pub mod token_cache;
