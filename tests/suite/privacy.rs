//! What no output contains, and that strangers' texts cannot forge output.

use serde_json::Value;

use crate::sandbox::{Booking, Fault, Run, Sandbox, Service, User};
use crate::support::one_person;

const NAMES: [&str; 4] = ["Wilhelmina", "Featherstone", "wilma@", "example.edu"];

#[test]
fn no_command_prints_a_secret_or_a_patrons_name_or_address() {
    let [first, last, wilma, _] = NAMES;
    let email = format!("{wilma}example.edu");
    let by = |id: &str, booking: &str| Booking::new(booking).by(id).person(first, last, &email);
    let sandbox = Sandbox::new()
        .user(User::new("G10000001").barcode("21000001").name(first, last))
        .booking(by("G10000001", "cs_1"))
        .booking(by("G404", "cs_2"))
        .booking(by("", "cs_3"))
        .booking(by("G10000001", "cs_4").with("toDate", "soon".into()))
        .booking(by("G10000001", "cs_5").minutes(100, 160));
    let told = format!(
        "{{\"error\": \"{first} {last} <{email}> {}\"}}",
        sandbox.secrets().join(" ")
    );
    for (service, path) in [
        (Service::PassagePoint, "createPreReg"),
        (Service::PassagePoint, "login"),
        (Service::PassagePoint, "getDestinations"),
        (Service::Alma, ""),
        (Service::LibCal, ""),
    ] {
        for status in [200, 401, 422, 503] {
            sandbox.fault(Fault::on(service).path(path).times(1).answer(
                status,
                "application/json",
                told.clone(),
            ));
        }
    }
    let commands = [
        "check",
        "sync --dry-run",
        "sync",
        "sync --json",
        "sync",
        "sync",
        "sync",
        "lookup-user G10000001 G404",
        "lookup-appt cs_1 cs_2 cs_3 cs_4",
        "status",
        "status --json",
        "prune",
        "check --json",
    ];
    for level in ["trace", "debug,ureq=trace,rustls=trace", "off"] {
        for words in commands {
            let args: Vec<_> = words.split(' ').collect();
            let mut command = sandbox.command(&args);
            command.arg("-v").env("RUST_LOG", level);
            let run = Run::of(command);
            let said = run.stdout + &run.stderr;
            for hidden in sandbox.secrets().iter().map(String::as_str).chain(NAMES) {
                assert!(!said.contains(hidden), "{hidden} by {words}: {said}");
            }
        }
        sandbox.clear_faults();
    }
    assert_eq!(sandbox.expected().len(), 2, "all was well in the end");
}

#[test]
fn whatever_the_log_level_only_this_programs_records_are_printed() {
    let sandbox = one_person();
    let mut command = sandbox.command(&["sync"]);
    command.env("RUST_LOG", "trace");
    let run = Run::of(command);
    assert_eq!(run.code, 0);
    for line in run.stderr.lines() {
        for other in [
            "ureq", "rustls", "DEBUG", "TRACE", "http/1", "pool", "Bearer",
        ] {
            assert!(!line.contains(other), "{line}");
        }
    }
}

/// What a stranger might type to be mistaken for this program.
const FORGED: &str = "X\r\nerror: all is lost \u{1b}[2J\u{202e}\u{2028}error: again";

fn assert_forges_nothing(run: &Run) {
    let said = run.stdout.clone() + &run.stderr;
    let is_bad = |c: char| (c.is_control() && c != '\n') || ['\u{202e}', '\u{2028}'].contains(&c);
    assert!(!said.contains(is_bad), "{run:#?}");
    let is_forged = |line: &str| line.starts_with("error: a");
    assert!(!said.lines().any(is_forged), "{run:#?}");
}

#[test]
fn an_id_with_control_characters_in_it_is_nobodys_and_is_not_printed_as_it_is() {
    let sandbox = one_person();
    sandbox.sync();
    for (args, code, says) in [
        (&["lookup-user", FORGED][..], 1, "is not a primary ID"),
        (
            &["lookup-user", "G10000001", FORGED],
            1,
            "is not a primary ID",
        ),
        (&["prune", "--user", FORGED], 1, "is not a primary ID"),
    ] {
        let run = sandbox.run(args);
        assert_eq!(run.code, code, "{run:#?}");
        assert_eq!(run.stdout.contains("cs_1"), args.contains(&"G10000001"));
        assert_eq!(run.stderr.lines().count(), 1, "{run:#?}");
        assert!(run.stderr.contains(says), "{run:#?}");
        assert_forges_nothing(&run);
    }
    let run = sandbox.run(&["lookup-user", "\u{feff}g1000\u{200b}0001\n"]);
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (0, ""),
        "only unseen: {run:#?}"
    );
}

#[test]
fn what_strangers_type_cannot_forge_a_line_or_steer_a_terminal() {
    let forged = FORGED;
    let sandbox = one_person()
        .booking(
            Booking::new(&format!("cs_2{forged}"))
                .by("G10000001")
                .minutes(100, 160),
        )
        .booking(Booking::new("cs_3").by(&format!("G3{forged}")))
        .booking(Booking::new(&format!("cs_4{forged}")).by("G404"))
        .booking(
            Booking::new(&format!("cs_5{forged}"))
                .by("")
                .with("status", format!("Confirmed{forged}").into()),
        )
        .booking(
            Booking::new("cs_6")
                .by("G10000001")
                .with("fromDate", forged.into()),
        );
    let booking = format!("cs_2{forged}");
    let refused = format!("cs_4{forged}");
    let commands: [&[&str]; 11] = [
        &["-v", "sync", "--dry-run"],
        &["-v", "sync", "--dry-run", "--json"],
        &["-v", "sync"],
        &["lookup-user", "G10000001", "G404"],
        &["--json", "lookup-user", "G10000001", "G404"],
        &["lookup-appt", &booking, &refused, "cs_3", "cs_6", forged],
        &["--json", "lookup-appt", &booking, &refused, "cs_3", "cs_6"],
        &["status"],
        &["--json", "status"],
        &["prune", "--appt", forged],
        &["-v", "prune", "--appt", &refused],
    ];
    for args in commands {
        let run = sandbox.run(args);
        assert_forges_nothing(&run);
        assert_ne!(run.stdout + &run.stderr, "", "{args:?}");
    }
    let found: Vec<Value> = sandbox.run(&["--json", "lookup-appt", &booking]).json();
    assert_eq!(found[0]["appt_id"], booking.as_str());
}
