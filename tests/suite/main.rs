//! The real program, run over real HTTP against the sandbox and into a real SQLite file.
#![allow(missing_docs, reason = "a test's name says what it shows")]

#[path = "../sandbox/mod.rs"]
mod sandbox;
mod support;

mod alma;
mod alma_errors;
mod bad_replies;
mod cache;
mod cache_troubles;
mod check;
mod commands;
mod config;
mod config_errors;
mod coverage;
mod day;
mod desk;
mod dry_run;
mod faults;
mod full_disk;
mod generated;
mod libcal;
mod libcal_pages;
mod libcal_rows;
mod lookup_access;
mod lookups;
mod lost_cache;
mod moved;
mod oddities;
mod once;
mod outage_reports;
mod outages;
mod pass;
mod passagepoint;
mod plan;
mod preregs;
mod privacy;
mod prune;
mod random_days;
mod right_person;
mod serve;
mod shipped;
mod speed;
mod starvation;
mod states;
mod status;
mod storms;
mod takeover;
mod terminal;
mod tls;
mod trouble;
mod typed_ids;
mod untold;
mod users;
mod version_1;
