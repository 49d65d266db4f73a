//! What goes to standard error: this program's own records, one line each.

use std::io::{IsTerminal, Write};

use env_logger::fmt::Formatter;
use log::{Level, LevelFilter, Record};

use crate::cli::Cli;
use crate::output::printable;

/// Sets up logging as the command line asks: quiet where no one looks, telling on a
/// terminal; `-v`, `-q` and `RUST_LOG` override.
pub fn start(cli: &Cli) {
    let level = match (cli.quiet, cli.verbose) {
        (true, _) => LevelFilter::Error,
        (_, true) => LevelFilter::Debug,
        _ if std::io::stderr().is_terminal() => LevelFilter::Info,
        _ => LevelFilter::Warn,
    };
    env_logger::Builder::new()
        .filter_level(level)
        .parse_default_env()
        .format(write_record)
        .init();
}

fn write_record(out: &mut Formatter, record: &Record<'_>) -> std::io::Result<()> {
    // Other packages' records carry what was sent: tokens, names, e-mail addresses.
    let target = record.target();
    if target != "libcal_pp" && !target.starts_with("libcal_pp::") {
        return Ok(());
    }
    let level = record.level();
    if log::max_level() >= LevelFilter::Debug {
        write!(out, "{} ", chrono::Local::now().format("%F %T"))?;
    }
    let style = out.default_level_style(level);
    match level {
        Level::Error => write!(out, "{style}error:{style:#} ")?,
        Level::Warn => write!(out, "{style}warning:{style:#} ")?,
        Level::Info | Level::Debug | Level::Trace => {}
    }
    writeln!(out, "{}", printable(&record.args().to_string()))
}
