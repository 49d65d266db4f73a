//! The day's services, kept running for somebody who tries the program by hand.

use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::controls::Controls;
use crate::day::{ADA, BEN, CLEO, DAN, Day, EVE, FIN, GIL, HAL};
use crate::program;
use crate::sandbox::Sandbox;
use crate::stage::say;

/// Starts the services, says how to try the program on them, and stays until it is ended.
///
/// # Errors
/// If the program cannot be built, or nothing can be printed.
pub fn serve() -> Result<ExitCode> {
    let program = program::build("--bin", "libcal-pp")?;
    let sandbox = Sandbox::new();
    Day::begin(&sandbox);
    let config = sandbox.path("config.yml");
    // Each line is whole, so that any of them can be pasted into any shell.
    let program = format!("{} --config {}", quoted(&program), quoted(&config));
    say(&format!(
        "\
Stand-ins for LibCal, Alma and PassagePoint are running, with the bookings of a small library day.
The configuration is {config}. The cache will be in the same folder, which remains
when you stop this: you can delete it then.

In another terminal:

    {program} check
    {program} sync --dry-run
    {program} sync
    {program} lookup-user {ada}
    {program} lookup-appt cs_Twice
    {program} status
    {program} prune --dry-run --appt cs_Seats",
        config = config.display(),
        ada = ADA.id,
    ))?;
    say(&worth_looking_up())?;
    let controls = Controls::open(&sandbox)?;
    say(&what_to_change(&controls))?;
    say("Press Ctrl-C to stop.")?;
    thread::scope(|scope| {
        scope.spawn(|| keep_time(&sandbox));
        controls.serve()
    })
}

/// Has the stand-ins' clock go on, so that tomorrow they list the bookings of tomorrow.
fn keep_time(sandbox: &Sandbox) {
    loop {
        let now = sandbox.clock();
        sandbox.world().now = now;
        thread::sleep(Duration::from_secs(1));
    }
}

fn what_to_change(controls: &Controls<'_>) -> String {
    let commands = controls.commands();
    let width = commands.iter().map(|(command, _)| command.len()).max();
    let width = width.unwrap_or_default();
    let lines = commands
        .iter()
        .map(|(command, what)| format!("\n    {command:width$}  # {what}"));
    let head = "Change the day by hand, then sync and look again:\n";
    format!("{head}{}", lines.collect::<String>())
}

/// A path as any shell takes it for one word.
fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if path.chars().all(is_plain) {
        return path;
    }
    format!("'{}'", path.replace('\'', r"'\''"))
}

fn worth_looking_up() -> String {
    let known_by = [
        (ADA.id, "booked three seats at once: one visit"),
        (BEN.id, "is in Alma's second institution zone"),
        (CLEO.id, "typed the ID in lower case"),
        (EVE.id, "has lost the card: refused, no active barcode"),
        (FIN.id, "is not in Alma: refused"),
        (DAN.id, "cancelled before the first sync: cancelled"),
        (
            GIL.id,
            "had a booking that ended before the first sync: over",
        ),
        (
            HAL.id,
            "has a booking that nobody has approved: not approved",
        ),
        ("cs_Twice", "is one booking for two times: two visits"),
        (
            "cs_Weekly",
            "is for today and for a week from now: two visits",
        ),
        ("cs_Blank", "has no ID on its form: refused"),
        ("cs_Dropped", "was booked and taken back: cancelled"),
    ];
    let lines = known_by.map(|(id, why)| format!("\n    {id:10}  {why}"));
    let head = "After a sync, try these with lookup-user (people) and lookup-appt (bookings):\n";
    format!("{head}{}", lines.concat())
}
