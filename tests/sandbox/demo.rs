//! A small library day, shown: `cargo run --example demo`.
//!
//! It starts the three services on loopback, runs the real program over the day's bookings, and prints each command
//! with what it said. It needs no configuration and leaves nothing behind; if anything is not as it should be, it
//! says so and ends with status 1.
//!
//! `cargo run --example demo -- --serve` starts the services with that day's bookings and leaves the rest to you.

#[path = "demo/controls.rs"]
mod controls;
#[path = "demo/day.rs"]
mod day;
#[path = "demo/program.rs"]
mod program;
#[path = "mod.rs"]
mod sandbox;
#[path = "demo/serve.rs"]
mod serve;
#[path = "demo/stage.rs"]
mod stage;

use std::process::ExitCode;

use anyhow::Result;

use crate::day::{ADA, DAN, Day, EVE, FIN, HAL};
use crate::sandbox::Sandbox;
use crate::stage::{Stage, say};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => show(),
        ["--serve"] => serve::serve(),
        _ => {
            eprintln!("error: the demo takes no arguments other than --serve");
            return ExitCode::from(2);
        }
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn show() -> Result<ExitCode> {
    let program = program::build("--bin", "libcal-pp")?;
    let sandbox = Sandbox::new();
    let day = Day::begin(&sandbox);
    let mut stage = Stage::new(&sandbox, program);
    first_passes(&mut stage, &day)?;
    desk(&mut stage)?;
    changes(&mut stage, &day)?;
    look_ups(&mut stage)?;
    dry_runs(&mut stage, &day)?;
    stage.end()
}

fn first_passes(stage: &mut Stage<'_>, day: &Day<'_>) -> Result<()> {
    say(
        "\
A day at the library, with stand-ins for LibCal, Alma and PassagePoint. The program is the real one, and so is all that
it prints below a $. RUST_LOG=info is set, so that it says what it would on a terminal, and not only what cron would mail.",
    )?;
    say("\
Whoever installs the program first checks that everything is set up:")?;
    stage.run("check", 0)?;
    say(
        "\
Ada booked three seats at once; Ben, of another institution zone, a room for two times; Cleo a seat for today and for
a week from now, and she typed her primary ID in lower case. Eve lost her card, Fin is not in Alma, and somebody left
the ID blank. Dan has cancelled, Gil's time is over, and Hal's booking is not approved yet. The first pass:",
    )?;
    stage.run("sync", 1)?;
    stage.show_passagepoint(&day.first())?;
    say("The next pass finds nothing new, and does not report the same refusals again:")?;
    stage.run("sync", 0)
}

fn desk(stage: &mut Stage<'_>) -> Result<()> {
    say(
        "\
Five people come to the desk because they were not let in. One look-up each says why: Hal's booking is not approved, Dan
has cancelled, Fin is not in Alma, the next one's booking form had no ID, and the last one never booked.",
    )?;
    stage.run(&format!("lookup-user {}", HAL.id), 0)?;
    stage.run(&format!("lookup-user {}", DAN.id), 0)?;
    stage.run(&format!("lookup-user {}", FIN.id), 0)?;
    stage.run("lookup-appt cs_Blank", 0)?;
    stage.run("lookup-user G10000099", 1)?;
    say("Everything that is waiting, refused or not approved:")?;
    stage.run("status", 1)
}

fn changes(stage: &mut Stage<'_>, day: &Day<'_>) -> Result<()> {
    day.change();
    say(
        "\
Ada stays an hour longer, Ben cancels his second time, Hal's booking is approved, and Eve gets a new card. Eve would
be looked up in Alma again an hour after the last time; she is at the desk now, so her refusal is forgotten at once:",
    )?;
    stage.run(&format!("prune --user {}", EVE.id), 0)?;
    stage.run("sync", 0)?;
    say("\
A pre-registration can be neither changed nor cancelled: Ada now has a second, longer one, and Ben's second time stays.")?;
    stage.show_passagepoint(&day.changed())
}

fn look_ups(stage: &mut Stage<'_>) -> Result<()> {
    say("\
Ada, who gets in; Ben's booking, one time of which was cancelled; and Eve, as another program looks her up.")?;
    stage.run(&format!("lookup-user {}", ADA.id), 0)?;
    stage.run("lookup-appt cs_Twice", 0)?;
    stage.run(&format!("--json lookup-user {}", EVE.id), 0)
}

fn dry_runs(stage: &mut Stage<'_>, day: &Day<'_>) -> Result<()> {
    day.change_again();
    say(
        "Ada books a room too, and Hal stays longer. What would a sync do, and what would prune delete?",
    )?;
    stage.run("sync --dry-run", 0)?;
    stage.run("prune --dry-run", 0)?;
    stage.run("prune --dry-run --appt cs_Seats", 0)?;
    stage.check_passagepoint(&day.changed());
    Ok(())
}
