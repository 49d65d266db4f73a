//! `lookup-user` and `lookup-appt`: what they find, and how they show it to people and to programs.

use chrono::{DateTime, FixedOffset};
use serde_json::{Value, json};

use crate::sandbox::{Booking, Fault, Run, Sandbox, Service, User};
use crate::support::{
    age_by_an_hour, assert_says, count_refusals, good_sync, of_ada, single_json,
    sync_during_outage, sync_needing_attention, with_ada,
};

/// A time zone without a daylight saving time, seven hours behind UTC.
const ZONE: &str = "MST7";

/// One person and their booking, registered.
fn registered() -> Sandbox {
    let sandbox = Sandbox::new()
        .user(User::new("G10000001").barcode("21000001"))
        .booking(Booking::new("cs_1").by("G10000001"));
    good_sync(&sandbox);
    sandbox
}

/// Runs the program on a machine that stands in `ZONE`.
fn run(sandbox: &Sandbox, args: &[&str]) -> Run {
    let mut command = sandbox.command(args);
    command.env("TZ", ZONE);
    Run::of(command)
}

/// So many minutes after the sandbox's now, in `ZONE`.
fn local(sandbox: &Sandbox, minutes: i64) -> DateTime<FixedOffset> {
    let zone = FixedOffset::west_opt(7 * 3600).expect("an offset");
    let time = DateTime::from_timestamp(sandbox.now() + minutes * 60, 0);
    time.expect("a time").with_timezone(&zone)
}

fn rfc3339(sandbox: &Sandbox, minutes: i64) -> String {
    local(sandbox, minutes).to_rfc3339()
}

/// Looks bookings up as a program does; each must be found, and nothing be said.
fn appts(sandbox: &Sandbox, book_ids: &[&str]) -> Vec<Value> {
    let run = run(sandbox, &[&["--json", "lookup-appt"], book_ids].concat());
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
    run.json()
}

fn user(sandbox: &Sandbox, primary_id: &str) -> Value {
    let run = run(sandbox, &["--json", "lookup-user", primary_id]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
    single_json(&run)
}

#[test]
fn a_user_is_found_however_the_id_is_typed() {
    let sandbox = registered();
    for typed in ["G10000001", "g10000001", " g10000001 ", "G10000001\n"] {
        assert_eq!(
            user(&sandbox, typed)["primary_id"],
            "G10000001",
            "{typed:?}"
        );
    }
}

#[test]
fn a_booking_is_found_with_space_around_its_id() {
    let sandbox = registered();
    assert_eq!(appts(&sandbox, &[" cs_1 "])[0]["appt_id"], "cs_1");
}

#[test]
fn a_user_for_a_program_has_these_fields_and_no_other() {
    let sandbox = registered();
    let mut found = user(&sandbox, "G10000001");
    let (visitor, prereg) = {
        let world = sandbox.world();
        (
            world.visitors[0].id.to_string(),
            world.preregs[0].id.to_string(),
        )
    };
    let checked_at = found["checked_at"].take();
    let checked_at = checked_at.as_str().expect("a text");
    assert!(checked_at.ends_with("-07:00"), "{checked_at}");
    let checked_at = DateTime::parse_from_rfc3339(checked_at).expect("RFC 3339");
    let age = checked_at.timestamp() - sandbox.now();
    assert!((0..60).contains(&age), "{age} s");
    let appts_of_ada = json!([{
        "appt_id": "cs_1",
        "primary_id": "G10000001",
        "lid": "8827",
        "starts_at": rfc3339(&sandbox, 30),
        "ends_at": rfc3339(&sandbox, 90),
        "prereg_id": prereg,
        "state": "registered",
        "reason": null,
        "status": "Confirmed",
    }]);
    assert_eq!(json!(appts(&sandbox, &["cs_1"])), appts_of_ada);
    let expected = json!({
        "primary_id": "G10000001",
        "barcode": "21000001",
        "visitor_id": visitor,
        "checked_at": null,
        "refusal": null,
        "appts": appts_of_ada,
    });
    assert_eq!(found, expected);
}

#[test]
fn an_appointment_is_registered_or_in_doubt_or_cancelled() {
    let sandbox = registered();
    sandbox.add_booking(Booking::new("cs_2").by("G10000001").minutes(100, 160));
    sandbox.add_booking(Booking::new("cs_3").by("G10000001").minutes(200, 260));
    good_sync(&sandbox);
    sandbox.edit_rows("cs_2", |row| row["status"] = "Cancelled by User".into());
    sandbox.add_booking(Booking::new("cs_4").by("G10000001").minutes(300, 360));
    sandbox.fault(
        Fault::on(Service::PassagePoint)
            .path("createPreReg")
            .cut_after(),
    );
    sync_during_outage(&sandbox);
    let found = appts(&sandbox, &["cs_1", "cs_2", "cs_3", "cs_4"]);
    let states: Vec<_> = found.iter().map(|appt| &appt["state"]).collect();
    assert_eq!(
        states,
        ["registered", "cancelled", "registered", "in doubt"]
    );
    assert_eq!(found[3]["prereg_id"], Value::Null);
    assert_ne!(found[1]["prereg_id"], Value::Null);
    assert_eq!(user(&sandbox, "G10000001")["appts"], json!(found));
}

#[test]
fn an_appointment_taken_over_has_neither_person_nor_times() {
    let sandbox = Sandbox::new();
    crate::support::create_python_cache(
        &sandbox,
        "INSERT INTO users VALUES ('g10000001', '21000001', '137'); INSERT INTO appts VALUES ('cs_1', '138');",
    );
    let appt = json!({
        "appt_id": "cs_1",
        "primary_id": null,
        "lid": null,
        "starts_at": null,
        "ends_at": null,
        "prereg_id": "138",
        "state": "registered",
        "reason": "registered by the Python program",
        "status": null,
    });
    let found = run(&sandbox, &["--json", "lookup-appt", "cs_1"]);
    assert_eq!((found.code, single_json(&found)), (0, appt));
    // Nobody can say yet what LibCal lists.
    let warning = "no full pass has ended yet";
    assert_eq!(found.stderr.matches(warning).count(), 1, "{found:#?}");
    let user = run(&sandbox, &["--json", "lookup-user", "G10000001"]);
    assert_eq!(single_json(&user)["barcode"], "21000001");
    assert_eq!(single_json(&user)["checked_at"], Value::Null);
}

#[test]
fn of_several_ids_one_that_is_missing_does_not_keep_the_others_back() {
    let sandbox = registered();
    sandbox.add_user(User::new("G10000002").barcode("21000002"));
    sandbox.add_booking(Booking::new("cs_2").by("G10000002"));
    good_sync(&sandbox);
    for (command, ids, field) in [
        (
            "lookup-user",
            ["G10000001", "G404", "G10000002"],
            "primary_id",
        ),
        ("lookup-appt", ["cs_1", "cs_404", "cs_2"], "appt_id"),
    ] {
        let args = [&["--json", command][..], &ids].concat();
        let run = run(&sandbox, &args);
        assert_eq!(run.code, 1, "{run:#?}");
        let found: Vec<_> = run.json().iter().map(|one| one[field].clone()).collect();
        assert_eq!(found, [ids[0], ids[2]]);
        assert_eq!(run.stderr.lines().count(), 1, "{run:#?}");
        assert!(run.stderr.contains(ids[1]), "{run:#?}");
    }
}

#[test]
fn what_is_not_known_is_one_line_to_stderr_and_none_to_stdout() {
    let sandbox = registered();
    for args in [["lookup-user", "G404"], ["lookup-appt", "cs_404"]] {
        let run = run(&sandbox, &args);
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{run:#?}");
        assert_eq!(run.stderr.lines().count(), 1, "{run:#?}");
        assert!(run.stderr.contains(args[1]), "{run:#?}");
    }
}

#[test]
fn a_user_known_only_by_a_refusal_is_found_with_its_reason() {
    let sandbox = Sandbox::new().booking(Booking::new("cs_1").by("g404"));
    sync_needing_attention(&sandbox);
    let mut found = user(&sandbox, "G404");
    let reason = found["refusal"].take();
    let reason = reason.as_str().expect("a text");
    assert!(reason.starts_with("not in Alma"), "{reason}");
    let appt = found["appts"][0].take();
    let expected = json!({
        "primary_id": "G404",
        "barcode": null,
        "visitor_id": null,
        "checked_at": found["checked_at"],
        "refusal": null,
        "appts": [null],
    });
    assert_eq!(found, expected);
    assert_eq!(
        (&appt["state"], &appt["reason"]),
        (&json!("refused"), &json!(reason))
    );
    let human = run(&sandbox, &["lookup-user", "G404"]);
    assert_eq!((human.code, human.stderr.as_str()), (0, ""));
    assert!(human.stdout.contains("not in Alma"), "{human:#?}");
    assert_eq!(human.stdout.matches("not in Alma").count(), 1, "said once");
}

/// A user with one booking that is registered and one that PassagePoint refused.
fn refused_booking() -> Sandbox {
    let sandbox = registered();
    sandbox.add_booking(Booking::new("cs_2").by("G10000001").minutes(100, 160));
    sandbox.fault(
        Fault::on(Service::PassagePoint)
            .path("createPreReg")
            .answer(422, "text/plain", "no"),
    );
    sync_needing_attention(&sandbox);
    sandbox
}

#[test]
fn a_visit_that_was_refused_says_so_and_the_other_one_of_the_user_does_not() {
    let sandbox = refused_booking();
    let found = user(&sandbox, "G10000001");
    assert_eq!(
        (&found["barcode"], &found["refusal"]),
        (&json!("21000001"), &json!(null))
    );
    let states = |n: usize| (&found["appts"][n]["state"], &found["appts"][n]["reason"]);
    assert_eq!(states(0), (&json!("registered"), &json!(null)));
    let (state, reason) = states(1);
    assert_eq!(state, "refused");
    let reason = reason.as_str().expect("a text");
    assert!(
        reason.starts_with("PassagePoint refused the pre-registration (422)"),
        "{reason}"
    );
    for args in [["lookup-user", "G10000001"], ["lookup-appt", "cs_2"]] {
        let run = run(&sandbox, &args);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
        let says = "cs_2 of G10000001: refused\n";
        assert!(run.stdout.contains(says), "{run:#?}");
        assert!(
            run.stdout
                .contains("PassagePoint refused the pre-registration (422)"),
            "{run:#?}"
        );
    }
}

#[test]
fn the_bookings_of_a_refused_user_say_why_until_that_is_mended() {
    let sandbox = Sandbox::new().booking(Booking::new("cs_1").by("G404"));
    sync_needing_attention(&sandbox);
    // Booked while the refusal stands, so that nobody is asked.
    sandbox.add_booking(Booking::new("cs_2").by("g404").minutes(100, 160));
    good_sync(&sandbox);
    for appt in appts(&sandbox, &["cs_1", "cs_2"]) {
        assert_eq!(appt["state"], "refused");
        let reason = appt["reason"].as_str().expect("a text");
        assert!(reason.starts_with("not in Alma"), "{reason}");
    }
    sandbox.add_user(User::new("G404").barcode("24040404"));
    age_by_an_hour(&sandbox);
    good_sync(&sandbox);
    assert_eq!(count_refusals(&sandbox), 0);
    for appt in appts(&sandbox, &["cs_1", "cs_2"]) {
        assert_eq!(
            (&appt["state"], &appt["reason"]),
            (&json!("registered"), &json!(null))
        );
    }
    let mended = run(&sandbox, &["lookup-user", "G404"]);
    assert!(!mended.stdout.contains("not in Alma"), "{mended:#?}");
}

#[test]
fn a_visit_that_was_given_up_is_in_doubt_and_says_what_to_do() {
    let sandbox = registered();
    sandbox.add_booking(Booking::new("cs_2").by("G10000001").minutes(100, 160));
    sandbox.fault(
        Fault::on(Service::PassagePoint)
            .path("createPreReg")
            .cut_after(),
    );
    for _ in 0..3 {
        sync_during_outage(&sandbox);
    }
    let given_up = appts(&sandbox, &["cs_2"]).remove(0);
    assert_eq!(given_up["state"], "in doubt");
    let human = run(&sandbox, &["lookup-appt", "cs_2"]);
    assert!(human.stdout.contains("prune --appt"), "{human:#?}");
    assert!(
        !human.stdout.contains("next pass tries again"),
        "{human:#?}"
    );
}

#[test]
fn a_booking_with_several_visits_prints_a_line_for_each_by_their_start() {
    let sandbox = Sandbox::new()
        .user(User::new("G10000001").barcode("21000001"))
        .user(User::new("G10000002").barcode("21000002"))
        .booking(Booking::new("cs_1").by("G10000001").minutes(300, 330))
        .booking(
            Booking::new("cs_1")
                .by("G10000001")
                .at(10332)
                .minutes(60, 90),
        )
        .booking(Booking::new("cs_1").by("G10000002").minutes(180, 210));
    good_sync(&sandbox);
    let starts: Vec<_> = appts(&sandbox, &["cs_1"])
        .iter()
        .map(|appt| appt["starts_at"].clone())
        .collect();
    assert_eq!(
        starts,
        [60, 180, 300].map(|minutes| rfc3339(&sandbox, minutes))
    );
    let human = run(&sandbox, &["lookup-appt", "cs_1"]);
    let is_place = |line: &&str| line.contains("Library (");
    let lines: Vec<_> = human.stdout.lines().filter(is_place).collect();
    assert_eq!(lines.len(), 3, "{human:#?}");
    for (line, minutes) in lines.iter().zip([60, 180, 300]) {
        let start = local(&sandbox, minutes).format("%H:%M").to_string();
        assert!(line.contains(&start), "{start}: {line}");
    }
}

#[test]
fn people_read_local_times_and_no_json() {
    let sandbox = registered();
    let [from, to] = [30, 90].map(|minutes| local(&sandbox, minutes));
    let moment = |time: DateTime<FixedOffset>| time.format("%a %-d %b %Y %H:%M").to_string();
    let span = if from.date_naive() == to.date_naive() {
        format!("{}-{} UTC-07:00", moment(from), to.format("%H:%M"))
    } else {
        format!("{} UTC-07:00 - {} UTC-07:00", moment(from), moment(to))
    };
    for args in [["lookup-user", "G10000001"], ["lookup-appt", "cs_1"]] {
        let run = run(&sandbox, &args);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
        assert!(!run.stdout.contains(['{', '[', '"']), "{run:#?}");
        assert!(!run.stdout.contains("since "), "{run:#?}");
        for word in [
            "cs_1 of G10000001: registered",
            "Main Library (8827)",
            &span,
            "last full pass: ",
        ] {
            assert!(run.stdout.contains(word), "{word}: {run:#?}");
        }
    }
    let shown = run(&sandbox, &["lookup-user", "G10000001"]).stdout;
    assert!(shown.contains("21000001"), "{shown}");
}

#[test]
fn a_look_up_names_the_booking_that_was_refused() {
    let sandbox = with_ada().booking(of_ada("cs_1"));
    let prereg = Fault::on(Service::PassagePoint).path("createPreReg");
    sandbox.fault(prereg.answer(422, "text/plain", "no"));
    sync_needing_attention(&sandbox);
    for args in [["lookup-user", "G10000001"], ["lookup-appt", "cs_1"]] {
        let run = sandbox.run(&args);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
        let says = [
            "cs_1 of G10000001: refused\n",
            "  PassagePoint refused the pre-registration (422): ",
            "\n  refused as of ",
        ];
        assert_says(&run.stdout, &says);
        assert!(!run.stdout.contains("may expect"), "{run:#?}");
    }
}
