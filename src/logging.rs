//! What goes to standard error: this program's own records, one line each.

use std::cell::Cell;
use std::fs::File;
use std::io::{IsTerminal, Write, stderr};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, Ordering};

use anstream::AutoStream;
use env_logger::Target;
use env_logger::fmt::Formatter;
use log::{Level, LevelFilter, Record};

use crate::cli::Cli;
use crate::clock::local_now;
use crate::output::escaped;

/// Sets up logging as the command line asks: verbose on a terminal, quiet elsewhere;
/// `-v`, `-q` and `RUST_LOG` override.
pub fn init(cli: &Cli) {
    let level = match (cli.quiet, cli.verbose) {
        (true, _) => LevelFilter::Error,
        (_, true) => LevelFilter::Debug,
        _ if stderr().is_terminal() => LevelFilter::Info,
        _ => LevelFilter::Warn,
    };
    env_logger::Builder::new()
        .filter_level(level)
        .target(Target::Pipe(Box::new(MonitoredStderr)))
        .write_style(AutoStream::choice(&stderr()).into())
        .parse_default_env()
        .format(write_record)
        .init();
}

/// Whether writing a record has failed, say because the disk is full.
static WRITE_FAILED: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// How many records of this thread were written.
    static RECORDS_WRITTEN: Cell<u64> = const { Cell::new(0) };
}

/// Logs something, and says whether it could reach a person: it was written, and not to the null
/// device. (Where standard error is closed, Rust opens the null device in its place.)
pub fn try_log(log: impl FnOnce()) -> bool {
    let before = RECORDS_WRITTEN.get();
    log();
    RECORDS_WRITTEN.get() > before && !WRITE_FAILED.load(Ordering::Relaxed) && !is_stderr_null()
}

/// Whether an error could reach a person, as far as that can be told without writing one.
#[must_use]
pub fn can_log_errors() -> bool {
    log::log_enabled!(target: "libcal_pp", Level::Error) && !is_stderr_null()
}

fn is_stderr_null() -> bool {
    let device = |file: File| file.metadata().ok().map(|found| found.rdev());
    let standard_error = stderr().as_fd().try_clone_to_owned().map(File::from);
    let standard_error = standard_error.ok().and_then(device);
    let nowhere = File::open("/dev/null").ok().and_then(device);
    nowhere.is_some() && standard_error == nowhere
}

/// Standard error that remembers failures, because the logger ignores them.
struct MonitoredStderr;

impl Write for MonitoredStderr {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = stderr().write(bytes);
        match written {
            Ok(_) => RECORDS_WRITTEN.set(RECORDS_WRITTEN.get() + 1),
            Err(_) => WRITE_FAILED.store(true, Ordering::Relaxed),
        }
        written
    }

    fn flush(&mut self) -> std::io::Result<()> {
        stderr().flush()
    }
}

fn write_record(out: &mut Formatter, record: &Record<'_>) -> std::io::Result<()> {
    // Other packages' records contain what was sent: tokens, names, e-mail addresses.
    let target = record.target();
    if target != "libcal_pp" && !target.starts_with("libcal_pp::") {
        return Ok(());
    }
    let level = record.level();
    if log::max_level() >= LevelFilter::Debug {
        write!(out, "{} ", local_now().format("%F %T"))?;
    }
    let style = out.default_level_style(level);
    match level {
        Level::Error => write!(out, "{style}error:{style:#} ")?,
        Level::Warn => write!(out, "{style}warning:{style:#} ")?,
        Level::Info | Level::Debug | Level::Trace => {}
    }
    writeln!(out, "{}", escaped(&record.args().to_string()))
}
