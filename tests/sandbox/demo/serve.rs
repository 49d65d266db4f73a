//! The day's services, kept running for somebody who tries the program by hand.

use std::process::ExitCode;

use anyhow::Result;

use crate::day::{ADA, Day, EVE, FIN};
use crate::program;
use crate::sandbox::Sandbox;
use crate::stage::say;

/// Starts the services, says how to try the program on them, and stays until it is ended.
///
/// # Errors
/// If the program cannot be built, or nothing can be printed.
pub fn serve() -> Result<ExitCode> {
    let program = program::build()?;
    let sandbox = Sandbox::new();
    Day::begin(&sandbox);
    let program = program.display();
    say(&format!(
        "\
Stand-ins of LibCal, Alma and PassagePoint are running, with a small library day, until you press Ctrl-C.
The configuration and the cache are in {folder}, which you may delete then.

In another terminal:

    export LIBCAL_PP_CONFIG={config}
    {program} check
    {program} sync --dry-run
    {program} sync
    {program} lookup-user {ada}         # has a visit of three seats
    {program} lookup-user {eve}         # has lost the card: no active barcode
    {program} lookup-user {fin}         # is not in Alma
    {program} lookup-appt cs_Twice          # one booking, two times
    {program} prune --dry-run --appt cs_Seats",
        folder = sandbox.path("").display(),
        config = sandbox.path("config.yml").display(),
        ada = ADA.id,
        eve = EVE.id,
        fin = FIN.id,
    ))?;
    loop {
        std::thread::park();
    }
}
