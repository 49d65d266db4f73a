//! The program: parses the command line, runs the command, and exits with its status.
//! Everything else is in the library.

use std::process::ExitCode;

use clap::Parser;
use libcal_pp::cli::Cli;
use libcal_pp::command::{self, Exit};
use libcal_pp::logging;

fn main() -> ExitCode {
    let cli = Cli::parse();
    logging::init(&cli);
    match command::run(&cli) {
        Ok(exit) => exit.into(),
        Err(error) => {
            for line in command::error_lines(&error) {
                log::error!(target: "libcal_pp", "{line}");
            }
            Exit::from(&error).into()
        }
    }
}
