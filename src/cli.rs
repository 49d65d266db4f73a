//! Every definition of the command line, and nothing else.

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::{Args, Parser, Subcommand};

use crate::clock::local_now;
use crate::model::{InvalidId, PrimaryId};

/// The heading of the options that every command has.
const GLOBAL: &str = "Global options";

/// Pre-registers in PassagePoint the people who booked seats and rooms in LibCal.
#[derive(Debug, Parser)]
#[command(
    name = "libcal-pp",
    version,
    about = "Pre-registers in PassagePoint the people who booked seats and rooms in LibCal",
    after_help = "\
Example:
  libcal-pp --config /etc/libcal-pp/config.yml sync

Exit status:
  0   done, and nothing for a person to do
  1   finished, but something needs a person
  2   wrong usage
  75  another sync is running
  78  the configuration is wrong"
)]
pub struct Cli {
    /// The configuration file
    #[arg(
        long,
        global = true,
        help_heading = GLOBAL,
        value_name = "FILE",
        env = "LIBCAL_PP_CONFIG",
        default_value = "config.yml"
    )]
    pub config: PathBuf,

    /// The cache [default: Cache.path in the configuration]; with it, the look-ups, `status` and `prune` need no configuration
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "FILE")]
    pub db: Option<PathBuf>,

    /// Print one JSON object per line to standard output
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub json: bool,

    /// Show each step [default: on a terminal, what was done; otherwise only what needs attention]
    #[arg(short, long, global = true, help_heading = GLOBAL, conflicts_with = "quiet")]
    pub verbose: bool,

    /// Show errors only
    #[arg(short, long, global = true, help_heading = GLOBAL)]
    pub quiet: bool,

    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// One full pass: read the bookings and register everyone who is not registered yet
    #[command(after_help = "\
Examples:
  libcal-pp sync
  libcal-pp sync --dry-run --date 2026-12-01")]
    Sync(Sync),
    /// What the cache knows about users: barcode, visitor, and every visit with its state and reason
    #[command(after_help = "\
Example:
  libcal-pp lookup-user G10000001")]
    LookupUser(LookupUser),
    /// What the cache knows about bookings: who, where, when, and their state and reason
    #[command(after_help = "\
Example:
  libcal-pp lookup-appt cs_AbC123")]
    LookupAppt(LookupAppt),
    /// How the last pass went, which outages are ongoing, and what is waiting and why
    ///
    /// Exits with status 1 if something needs a person: no full pass has ended yet, the last one is older than --max-age, an
    /// outage is ongoing, or a visit that is not over is refused or in doubt.
    #[command(after_help = "\
Examples:
  libcal-pp status
  libcal-pp status --max-age 15 -q")]
    Status(Status),
    /// Delete what is past from the cache, or forget a user or a booking
    #[command(after_help = "\
Examples:
  libcal-pp prune --keep-days 30 --users-unseen-for 365
  libcal-pp prune --user G10000001")]
    Prune(Prune),
    /// Is everything set up? Configuration, cache, each service, each destination
    ///
    /// Prints one line for each item: `ok`, or `warn` or `FAIL` with what to do; with -q, only failures.
    /// Writes nothing to any service.
    #[command(after_help = "\
Examples:
  libcal-pp --config /etc/libcal-pp/config.yml check
  libcal-pp check -q")]
    Check,
    /// Write man pages and the completions of bash, zsh and fish
    #[command(hide = true)]
    Generate(Generate),
}

/// `libcal-pp sync`
#[derive(Debug, Args)]
pub struct Sync {
    /// Print what a pass would do: Alma is asked, but nothing is written to PassagePoint or to the cache
    #[arg(long)]
    pub dry_run: bool,

    /// The first day to read, today or later [default: today in the library's own time zone]
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day)]
    pub date: Option<NaiveDate>,
}

/// `libcal-pp lookup-user`
#[derive(Debug, Args)]
pub struct LookupUser {
    /// Primary IDs as people type them; case and surrounding spaces do not matter
    #[arg(required = true, value_name = "PRIMARY_ID", value_parser = parse_id)]
    pub primary_ids: Vec<String>,
}

/// `libcal-pp lookup-appt`
#[derive(Debug, Args)]
pub struct LookupAppt {
    /// Booking IDs (LibCal's bookId), such as cs_AbC123
    #[arg(required = true, value_name = "BOOK_ID", value_parser = parse_id)]
    pub book_ids: Vec<String>,
}

/// `libcal-pp status`
#[derive(Debug, Args)]
pub struct Status {
    /// Exit with status 1 if the last full pass ended more than this long ago [default: never]
    #[arg(long, value_name = "MINUTES", value_parser = parse_minutes)]
    pub max_age: Option<u32>,
}

/// `libcal-pp prune`
#[derive(Debug, Args)]
pub struct Prune {
    /// Keep visits for this many days after they end [default: 0]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(..=36_500))]
    pub keep_days: Option<u32>,

    /// Forget this user, with all their visits
    #[arg(long, value_name = "PRIMARY_ID", value_parser = parse_id, conflicts_with_all = ["keep_days", "users_unseen_for"])]
    pub user: Option<String>,

    /// Forget this booking, so that the next sync treats it as new
    #[arg(long, value_name = "BOOK_ID", value_parser = parse_id, conflicts_with_all = ["keep_days", "users_unseen_for"])]
    pub appt: Option<String>,

    /// Also forget users who have had no booking for this many days [default: none]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub users_unseen_for: Option<u32>,

    /// Print how much would be deleted, and delete nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `libcal-pp generate`
#[derive(Debug, Args)]
pub struct Generate {
    /// The folder to write them to; it is created if it does not exist
    pub folder: PathBuf,
}

/// A day, written in full (chrono alone would take `2026-8-1` and `+2026-08-01`), that LibCal may
/// list: by the library's clock, this machine's yesterday may be today.
fn parse_day(typed: &str) -> Result<NaiveDate, &'static str> {
    let year = typed.trim_start_matches('+').split('-').next();
    if year.is_some_and(|year| year.len() > 4 && year.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err("the year must have four digits, as in 2026-12-01");
    }
    let day = NaiveDate::parse_from_str(typed, "%Y-%m-%d").ok();
    let day = day.filter(|day| day.to_string() == typed);
    let day = day.ok_or("it is not a date such as 2026-12-01")?;
    let today = local_now().date_naive();
    if today.pred_opt().is_some_and(|yesterday| day < yesterday) {
        return Err("it is in the past, and LibCal lists only bookings of today and later");
    }
    Ok(day)
}

/// A number of minutes.
fn parse_minutes(typed: &str) -> Result<u32, &'static str> {
    let minutes = typed.parse().ok().filter(|minutes| *minutes > 0);
    minutes.ok_or("it must be a whole number of minutes, 1 or more")
}

/// An ID without the space around it, which must leave something to see. What it looks like is
/// for the command to judge: clap would repeat it unescaped, with its control characters.
fn parse_id(typed: &str) -> Result<String, &'static str> {
    match PrimaryId::parse(typed) {
        Err(InvalidId::Blank) => Err("it is blank"),
        _ => Ok(typed.trim().to_owned()),
    }
}
