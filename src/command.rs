//! The subcommands, one file each: what they print and how they end.

mod check;
mod generate;
mod lookup_appt;
mod lookup_user;
mod prune;
mod status;
mod sync;
mod view;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Error, Result, anyhow};

use crate::cli::{Cli, Command};
use crate::config::{Config, ConfigError, IdPattern};
use crate::messages::io_reason;
use crate::model::PrimaryId;

/// How a run ends, for cron and for scripts. Wrong usage, 2, is clap's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, and nothing for a person to do.
    Done = 0,
    /// Finished, but something needs a person.
    AttentionNeeded = 1,
    /// Another sync is running.
    Busy = 75,
    /// The configuration is wrong.
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<&Error> for Exit {
    fn from(error: &Error) -> Self {
        if error.is::<ConfigError>() {
            Self::Config
        } else {
            Self::AttentionNeeded
        }
    }
}

/// The lines to print for an error: one, or one for each mistake in the configuration.
#[must_use]
pub fn error_lines(error: &Error) -> Vec<String> {
    if let Some(ConfigError(mistakes)) = error.downcast_ref() {
        return mistakes.clone();
    }
    let causes = error.chain().map(|cause| match cause.downcast_ref() {
        Some(error) => io_reason(error),
        None => cause.to_string(),
    });
    vec![causes.collect::<Vec<_>>().join(": ")]
}

/// Runs the command.
///
/// # Errors
/// What kept it from finishing; [`Exit`] has the exit status for it.
pub fn run(cli: &Cli) -> Result<Exit> {
    match &cli.command {
        Command::Sync(args) => sync::run(cli, args),
        Command::LookupUser(args) => lookup_user::run(cli, args),
        Command::LookupAppt(args) => lookup_appt::run(cli, args),
        Command::Status(args) => status::run(cli, args),
        Command::Prune(args) => prune::run(cli, args),
        Command::Check => check::run(cli),
        Command::Generate(args) => generate::run(args),
    }
}

/// The cache's path, for a command that needs nothing else: with `--db` no configuration is read.
fn cache_path(cli: &Cli) -> Result<PathBuf> {
    match &cli.db {
        Some(path) => Ok(path.clone()),
        None => Ok(Config::load(&cli.config)?.cache.path),
    }
}

/// The primary ID in what was typed, parsed like an answer on a booking form: what looks like an ID,
/// if it is configured what that is.
fn parse_id(typed: &str, pattern: Option<&IdPattern>) -> Result<PrimaryId> {
    let found = pattern.and_then(|pattern| pattern.find(typed));
    let id = found.as_deref().unwrap_or(typed);
    PrimaryId::parse(id).map_err(|_| anyhow!("{id} is not a primary ID"))
}
