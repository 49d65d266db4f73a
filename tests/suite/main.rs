//! The real program, run over real HTTP against the sandbox and into a real SQLite file.

#[path = "../sandbox/mod.rs"]
mod sandbox;

mod pass;
