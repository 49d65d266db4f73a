//! What every command has in common: exit statuses, what is printed where, and what is never printed.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::sandbox::{Booking, Fault, Run, Sandbox, Service, User};
use crate::support::{
    assert_says, day, good_sync, one_person, query_texts, single_json, sync_needing_attention,
};

const COMMANDS: [&str; 6] = [
    "sync",
    "lookup-user",
    "lookup-appt",
    "status",
    "prune",
    "check",
];

/// The program in a directory, with no argument or variable but these.
fn program(folder: &Path, args: &[&str], variables: &[(&str, &str)]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_libcal-pp"));
    command.args(args).current_dir(folder).stdin(Stdio::null());
    command.env_clear().envs(variables.iter().copied());
    Run::of(command)
}

#[test]
fn each_outcome_has_its_exit_status() {
    let sandbox = one_person().booking(Booking::new("cs_2").by("G404"));
    for (args, code, why) in [
        ("sync", 1, "a refusal that nobody was told of"),
        ("sync", 0, "a refusal that somebody was told of"),
        ("lookup-user g10000001", 0, "found"),
        ("lookup-user g405", 1, "not found"),
        ("lookup-appt cs_405", 1, "not found"),
        ("lookup-appt cs_2", 0, "found, though it is refused"),
        ("status", 1, "a refused visit that is not over"),
        ("status --max-age 60", 1, "the same"),
        ("prune", 0, "done"),
        ("", 2, "no command"),
        ("snyc", 2, "no such command"),
        ("sync --days 3", 2, "no such option"),
        ("lookup-user", 2, "no ID"),
        ("lookup-user ..", 1, "nobody has such an ID"),
        ("status --max-age 0", 2, "no age"),
        ("sync --date 2026-02-30", 2, "no such day"),
        ("sync --date tomorrow", 2, "not a date"),
        ("-v -q sync", 2, "both more and less"),
    ] {
        let args: Vec<_> = args.split_whitespace().collect();
        let run = sandbox.run(&args);
        assert_eq!(run.code, code, "{why}: {run:#?}");
    }
    for args in [
        ["lookup-user", " "],
        ["lookup-appt", ""],
        ["lookup-user", "\u{200b}"],
        ["prune", "--user="],
        ["prune", "--appt= "],
    ] {
        let run = sandbox.run(&args);
        assert_eq!(run.code, 2, "a blank ID: {run:#?}");
    }
    sandbox.stop(Service::LibCal);
    assert_eq!(sandbox.sync().code, 1, "an outage");
    fs::remove_file(sandbox.path("config.yml")).unwrap();
    assert_eq!(sandbox.sync().code, 78, "no configuration");
}

#[test]
fn help_and_version_name_the_program_and_all_that_it_does() {
    let folder = tempfile::tempdir().unwrap();
    let help = program(folder.path(), &["--help"], &[]);
    assert_eq!((help.code, help.stderr.as_str()), (0, ""));
    for word in COMMANDS
        .iter()
        .chain(&["--config", "--db", "--json", "78", "75"])
    {
        assert!(help.stdout.contains(word), "{word}: {}", help.stdout);
    }
    for command in COMMANDS {
        let run = program(folder.path(), &[command, "--help"], &[]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{command}");
    }
    let version = program(folder.path(), &["--version"], &[]);
    let expected = concat!("libcal-pp ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!((version.code, version.stdout.as_str()), (0, expected));
}

#[test]
fn the_file_is_found_here_or_by_variable_or_by_option_the_last_before_all() {
    let elsewhere = tempfile::tempdir().unwrap();
    let sandbox = one_person();
    let (folder, file) = (sandbox.path(""), sandbox.path("config.yml"));
    let (good, missing) = (file.to_str().unwrap(), "/not/there/config.yml");
    for (folder, args, variable) in [
        (folder.as_path(), &["sync"][..], None),
        (elsewhere.path(), &["sync"], Some(good)),
        (elsewhere.path(), &["--config", good, "sync"], Some(missing)),
    ] {
        let variables: Vec<_> = variable
            .map(|path| ("LIBCAL_PP_CONFIG", path))
            .into_iter()
            .collect();
        let run = program(folder, args, &variables);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{args:?}");
    }
    assert_eq!(sandbox.expected().len(), 1);
    let run = program(
        elsewhere.path(),
        &["sync"],
        &[("LIBCAL_PP_CONFIG", missing)],
    );
    assert_eq!(run.code, 78);
    assert!(run.stderr.contains(missing), "{run:#?}");
}

#[test]
fn if_nobody_is_watching_a_pass_and_a_prune_print_nothing() {
    let sandbox = one_person();
    for command in ["sync", "sync", "prune"] {
        let run = sandbox.run(&[command]);
        assert_eq!(
            (run.code, run.stdout.as_str(), run.stderr.as_str()),
            (0, "", "")
        );
    }
    assert_eq!(sandbox.expected().len(), 1);
}

#[test]
fn v_shows_each_step() {
    let sandbox = one_person().booking(Booking::new("cs_2").by("G10000001").minutes(100, 160));
    let run = sandbox.run(&["-v", "sync"]);
    assert_eq!((run.code, run.stdout.as_str()), (0, ""));
    for booking in ["cs_1", "cs_2"] {
        let line = run.stderr.lines().find(|line| line.contains(booking));
        let line = line.unwrap_or_default();
        assert!(
            line.contains("G10000001") && line.contains("LibCal Main"),
            "{run:#?}"
        );
    }
    assert!(run.stderr.contains("2 registered"), "{run:#?}");
}

#[test]
fn under_q_a_refusal_is_kept_for_the_next_pass_without_it() {
    let sandbox = Sandbox::new().booking(Booking::new("cs_1").by("G404"));
    for _ in 0..2 {
        let run = sandbox.run(&["-q", "sync"]);
        assert_eq!(
            (run.code, run.stdout.as_str(), run.stderr.as_str()),
            (1, "", "")
        );
    }
    assert!(sync_needing_attention(&sandbox).contains("not in Alma"));
    good_sync(&sandbox);
}

#[test]
fn under_q_an_outage_is_reported_as_it_is_without() {
    let sandbox = one_person();
    sandbox.stop(Service::LibCal);
    let quiet_pass = || sandbox.run(&["-q", "sync"]);
    let first = quiet_pass();
    assert_eq!((first.code, first.stderr.as_str()), (1, ""), "{first:#?}");
    // The second pass in a row that meets it tells of it, and then none for a day.
    let second = quiet_pass();
    assert_eq!(second.code, 1, "{second:#?}");
    assert_says(&second.stderr, &["error: LibCal is not responding"]);
    assert_eq!(second.stderr.lines().count(), 1, "{second:#?}");
    let third = quiet_pass();
    assert_eq!((third.code, third.stderr.as_str()), (1, ""), "{third:#?}");
    // That it is over is no error.
    sandbox.start(Service::LibCal);
    let last = quiet_pass();
    assert_eq!((last.code, last.stderr.as_str()), (0, ""), "{last:#?}");
}

#[test]
fn a_sync_for_a_program_counts_each_visit_once() {
    let sandbox = Sandbox::new();
    for n in 1..=6 {
        sandbox.add_user(User::new(&format!("G1000000{n}")).barcode(&format!("2100000{n}")));
    }
    sandbox.add_booking(Booking::new("cs_old").by("G10000001"));
    good_sync(&sandbox);
    for booking in [
        Booking::new("cs_seats").by("G10000002").seat(1),
        Booking::new("cs_seats").by("G10000002").seat(2),
        Booking::new("cs_two").by("G10000003").minutes(100, 160),
        Booking::new("cs_refused").by("G404"),
        Booking::new("cs_blank").by(" "),
        Booking::new("cs_doubt").by("G10000004").at(10332),
        Booking::new("cs_failed").by("G10000005"),
        Booking::new("cs_ended").by("G10000006").minutes(-90, -30),
        Booking::new("cs_gone").by("G10000006").cancelled(),
    ] {
        sandbox.add_booking(booking);
    }
    let is_doubtful = |seen: &crate::sandbox::ReceivedRequest| seen.body.contains("LibCal Science");
    sandbox.fault(
        Fault::on(Service::PassagePoint)
            .when(is_doubtful)
            .cut_after(),
    );
    sandbox.fault(
        Fault::on(Service::Alma)
            .path("G10000005")
            .answer(503, "text/plain", ""),
    );
    sandbox.latency(std::time::Duration::from_millis(50));
    let run = sandbox.run(&["--json", "sync"]);
    assert_eq!(run.code, 1);
    let mut summary = single_json(&run);
    let seconds = summary["seconds"].take();
    assert!(
        seconds
            .as_f64()
            .is_some_and(|seconds| (0.05..600.0).contains(&seconds)),
        "{seconds}"
    );
    let expected = json!({
        "rows": 10,
        "visits": 8,
        "already_registered": 1,
        "registered": 2,
        "refused": 2,
        "in_doubt": 1,
        "failed": 1,
        "ended": 1,
        "seconds": null,
    });
    assert_eq!(summary, expected);
    sandbox.clear_faults();
    let again = single_json(&sandbox.run(&["--json", "sync"]));
    assert_eq!(
        (
            &again["refused"],
            &again["registered"],
            &again["already_registered"]
        ),
        (&json!(2), &json!(2), &json!(3))
    );
}

#[test]
fn a_visit_that_was_given_up_counts_as_in_doubt_and_not_as_refused() {
    let sandbox = one_person().booking(Booking::new("cs_2").by("G404"));
    let prereg = Fault::on(Service::PassagePoint).path("createPreReg");
    sandbox.fault(prereg.cut_before());
    // The third pass gives it up; to the fourth it is one that was given up before.
    for pass in 1..=4 {
        let run = sandbox.run(&["--json", "sync"]);
        assert_eq!(run.code, 1, "{run:#?}");
        let summary = single_json(&run);
        let counts = ["visits", "in_doubt", "refused", "failed", "registered"];
        let counted = counts.map(|count| summary[count].as_u64());
        assert_eq!(counted, [2, 1, 1, 0, 0].map(Some), "{pass}: {summary}");
    }
}

#[test]
fn a_pass_of_another_day_is_not_taken_for_a_full_one() {
    let sandbox = one_person();
    let ended = "SELECT ifnull(ended_at, 'never') || '' FROM last_pass";
    let tomorrow = sandbox.clock() + 86_400;
    let tomorrow = chrono::DateTime::from_timestamp(tomorrow, 0).expect("a time");
    let of_tomorrow = format!("--date={}", tomorrow.format("%F"));
    assert_eq!(sandbox.run(&["sync", &of_tomorrow]).code, 0);
    assert_eq!(query_texts(&sandbox, ended), ["never"]);
    let run = sandbox.run(&["lookup-user", "G9"]);
    assert_eq!(run.code, 1, "{run:#?}");
    let says = [
        "no full pass has ended yet",
        "no booking with this ID was listed yet",
    ];
    assert_says(&run.stderr, &says);
    good_sync(&sandbox);
    let full = query_texts(&sandbox, ended);
    assert_ne!(full, ["never"]);
    crate::support::sql(&sandbox, "UPDATE last_pass SET ended_at = ended_at - 7200");
    let before = query_texts(&sandbox, ended);
    assert_eq!(sandbox.run(&["sync", &of_tomorrow]).code, 0);
    assert_eq!(query_texts(&sandbox, ended), before);
}

#[test]
fn a_date_is_passed_on_to_libcal_and_none_otherwise() {
    let sandbox = one_person();
    let day = day(7);
    for (args, date) in [
        (&["sync"][..], None),
        (&["sync", "--date", &day], Some(day.as_str())),
    ] {
        sandbox.forget_requests();
        assert_eq!(sandbox.run(args).code, 0);
        let lists = sandbox.requests();
        let mut lists: Vec<_> = lists
            .iter()
            .filter(|seen| seen.path.ends_with("/bookings"))
            .collect();
        assert_eq!(lists.len(), 2);
        lists.retain(|seen| seen.parameter("date") == date);
        assert_eq!(lists.len(), 2, "{date:?}");
    }
}

#[test]
fn what_nobody_reads_to_its_end_changes_nothing_else() {
    let sandbox = one_person();
    good_sync(&sandbox);
    sandbox.add_booking(Booking::new("cs_404").by("G404"));
    sync_needing_attention(&sandbox);
    for (args, code) in [
        (&["sync", "--json"][..], 0),
        (&["sync", "--dry-run"], 0),
        (&["lookup-user", "G10000001"], 0),
        (&["lookup-user", "G10000001", "G999"], 1),
        (&["--json", "lookup-appt", "cs_1"], 0),
        (&["status"], 1),
        (&["--json", "status"], 1),
        (&["prune", "--dry-run"], 0),
        (&["check"], 0),
        (&["--json", "check"], 0),
        (&["--help"], 0),
    ] {
        let whole = sandbox.run(args);
        assert_ne!(whole.stdout, "", "{args:?}");
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = sandbox.command(args);
        command.stdout(writer).stderr(Stdio::piped());
        let run = Run::finish(command.spawn().expect("the program can be started"));
        assert_eq!((run.code, whole.code), (code, code), "{args:?}: {run:#?}");
        assert_eq!(run.stderr, whole.stderr, "{args:?}");
    }
}

#[test]
fn what_cannot_be_printed_is_an_error() {
    let sandbox = one_person();
    good_sync(&sandbox);
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    for args in [&["lookup-appt", "cs_1"][..], &["check"]] {
        let mut command = sandbox.command(args);
        command
            .stdout(full.try_clone().unwrap())
            .stderr(Stdio::piped());
        let run = Run::finish(command.spawn().expect("the program can be started"));
        assert_eq!(run.code, 1, "{run:#?}");
        assert_says(&run.stderr, &["error: cannot write to standard output"]);
    }
}

#[test]
fn a_date_that_libcal_lists_nothing_of_is_wrong_usage_and_says_why() {
    let sandbox = one_person();
    let (before, long_past) = (day(-3), "2020-02-29");
    let no_day = "it is not a date such as 2026-12-01";
    let past = "it is in the past, and LibCal lists only bookings of today and later";
    let four_digits = "the year must have four digits";
    for (date, says) in [
        (before.as_str(), past),
        (long_past, past),
        ("0001-01-01", past),
        ("99999-01-01", four_digits),
        ("+99999-01-01", four_digits),
        ("+2030-11-24", no_day),
        ("-2030-11-24", past),
        ("2030-1-2", no_day),
        ("2030-11-31", no_day),
        ("today", no_day),
        ("", no_day),
    ] {
        let run = sandbox.run(&["sync", &format!("--date={date}")]);
        assert_eq!(run.code, 2, "{date}: {run:#?}");
        assert_says(&run.stderr, &[says, "--date"]);
    }
    assert_eq!(sandbox.arrived(), 0);
    let run = sandbox.run(&["sync", "--date", "9999-12-31"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    // By the library's clock it may still be yesterday. At midnight the test looks again.
    let run = loop {
        let yesterday = day(-1);
        let run = sandbox.run(&["sync", "--date", &yesterday]);
        if day(-1) == yesterday {
            break run;
        }
    };
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
}
