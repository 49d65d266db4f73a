//! The real program, run over real HTTP against the sandbox and into a real SQLite file.
#![allow(missing_docs, reason = "a test's name says what it shows")]

#[path = "../sandbox/mod.rs"]
mod sandbox;
mod support;

mod alma;
mod cache;
mod commands;
mod config;
mod libcal;
mod lookups;
mod pass;
mod passagepoint;
mod plan;
mod prune;
mod shipped;
mod trouble;
mod users;
