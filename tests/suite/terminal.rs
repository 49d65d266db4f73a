//! What only a person at a terminal sees: colours, and each step as it is done.

use std::process::{Command, Stdio};

use crate::sandbox::{Booking, Run, Sandbox, User};
use crate::support::{assert_says, good_sync, one_person, sync_needing_attention};

/// Runs the program on a pseudo-terminal, whose output comes as standard output, with these variables.
pub fn on_terminal(sandbox: &Sandbox, args: &[&str], variables: &[(&str, &str)]) -> Run {
    let program = sandbox.command(args);
    let words = std::iter::once(program.get_program()).chain(program.get_args());
    let words: Vec<_> = words.map(|word| format!("'{}'", word.display())).collect();
    let mut script = Command::new("script");
    script
        .arg("-qec")
        .arg(words.join(" "))
        .arg("/dev/null")
        .current_dir(sandbox.path(""))
        .stdin(Stdio::null())
        .env_clear()
        .envs(
            program
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .env("TERM", "xterm")
        .envs(variables.iter().copied());
    Run::of(script)
}

/// Somebody to register and somebody who is refused.
fn day() -> Sandbox {
    one_person().booking(Booking::new("cs_404").by("G404"))
}

#[test]
fn a_pass_tells_each_registration_as_it_happens_and_ends_with_a_summary() {
    let sandbox = one_person()
        .user(User::new("G10000002").barcode("21000002"))
        .booking(Booking::new("cs_2").by("G10000002").minutes(100, 160));
    let run = on_terminal(&sandbox, &["sync"], &[]);
    assert_eq!(run.code, 0, "{run:#?}");
    let lines: Vec<_> = run.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{run:#?}");
    let mut told = lines[..2].to_vec();
    told.sort_unstable();
    assert_says(
        told[0],
        &["registered booking cs_1 of G10000001: LibCal Main, "],
    );
    assert_says(
        told[1],
        &["registered booking cs_2 of G10000002: LibCal Main, "],
    );
    let summary = "2 rows, 2 visits: 2 registered, 0 already registered (";
    assert!(lines[2].starts_with(summary), "{run:#?}");
}

#[test]
fn colours_are_for_a_terminal_that_wants_them() {
    let fault_kinds: [(&[(&str, &str)], bool); 3] = [
        (&[], true),
        (&[("NO_COLOR", "1")], false),
        (&[("TERM", "dumb")], false),
    ];
    for (variables, coloured) in fault_kinds {
        let sandbox = day();
        let run = on_terminal(&sandbox, &["sync"], variables);
        assert_says(&run.stdout, &["warning:", "G404 with cs_404"]);
        assert_eq!(run.stdout.contains('\u{1b}'), coloured, "{run:#?}");
        let run = on_terminal(&sandbox, &["check"], variables);
        assert_eq!(run.stdout.contains("\u{1b}["), coloured, "{run:#?}");
        assert_says(&run.stdout, &["ok", "configuration: "]);
    }
    let sandbox = day();
    for command in ["sync", "check"] {
        let run = sandbox.run(&[command]);
        let said = run.stdout + &run.stderr;
        assert!(!said.is_empty() && !said.contains('\u{1b}'), "{said}");
    }
}

#[test]
fn prune_tells_a_terminal_what_it_deleted() {
    let sandbox = one_person();
    sandbox.sync();
    let run = on_terminal(&sandbox, &["prune"], &[]);
    assert_eq!(run.code, 0, "{run:#?}");
    assert_says(&run.stdout, &["deleted 0 visits and 0 users\r\n"]);
    let run = on_terminal(&sandbox, &["prune", "--user", "G10000001"], &[]);
    assert_says(&run.stdout, &["deleted 1 visit and 1 user\r\n"]);
}

#[test]
fn a_program_that_reads_json_gets_it_on_a_terminal_too() {
    let sandbox = one_person();
    sandbox.sync();
    let run = on_terminal(&sandbox, &["--json", "check"], &[]);
    assert!(run.json().len() > 5, "{run:#?}");
}

#[test]
fn each_visit_of_a_person_is_a_block_that_fits_the_terminal() {
    let sandbox = one_person();
    let longer = Booking::new("cs_a_longer_id").by("G10000001").at(10332);
    sandbox.add_booking(longer.minutes(100, 160));
    good_sync(&sandbox);
    sandbox.add_booking(
        Booking::new("cs_odd")
            .by("G10000001")
            .minutes(200, 260)
            .status("Blessed by the Dean"),
    );
    sync_needing_attention(&sandbox);
    let run = on_terminal(&sandbox, &["lookup-user", "G10000001"], &[]);
    assert_eq!(run.code, 0, "{run:#?}");
    let told = run.stdout.replace("\r\n", "\n");
    assert!(
        told.lines().all(|line| line.chars().count() <= 80),
        "{told}"
    );
    let blocks: Vec<Vec<_>> = told
        .trim_end()
        .split("\n\n")
        .map(|block| block.lines().collect())
        .collect();
    let firsts: Vec<_> = blocks.iter().map(|block| block[0]).collect();
    let heads = [
        "G10000001",
        "cs_1 of G10000001: registered",
        "cs_a_longer_id of G10000001: registered",
        "cs_odd of G10000001: refused",
    ];
    assert_eq!(firsts[..4], heads, "{told}");
    assert!(firsts[4].starts_with("last full pass: "), "{told}");
    assert_eq!(blocks.len(), 5, "{told}");
    for block in &blocks {
        let is_indented = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
        assert!(block[1..].iter().all(is_indented), "{told}");
    }
    for (block, words) in blocks[1..].iter().zip([
        ["Main Library (8827), ", "pre-registration "],
        ["Science Library (10332), ", "pre-registration "],
        ["Main Library (8827), ", "status \"Blessed by the Dean\""],
    ]) {
        assert_says(block[1], &words[..1]);
        assert_says(block[2], &words[1..]);
    }
}
