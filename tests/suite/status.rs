//! `status`: how the last pass went, which outages last, and what is waiting and why.

use chrono::DateTime;
use serde_json::{Value, json};

use crate::sandbox::{Booking, Fault, Run, Sandbox, Service, User};
use crate::support::{
    assert_says, good_sync, of_ada, one_person, sandbox_in_doubt, single_json, sql,
    sync_during_outage, sync_needing_attention, with_ada,
};

fn status(sandbox: &Sandbox, args: &[&str], code: i32) -> Run {
    let run = sandbox.run(&[&["status"], args].concat());
    assert_eq!(run.code, code, "{run:#?}");
    run
}

/// A day with a visit in every state but one in doubt, and one that is over.
fn mixed_day() -> Sandbox {
    let sandbox = with_ada()
        .booking(of_ada("cs_1"))
        .booking(of_ada("cs_over").minutes(-90, -30))
        .booking(of_ada("cs_cancelled").cancelled())
        .booking(
            of_ada("cs_tentative")
                .status("Mediated Tentative")
                .minutes(100, 160),
        )
        .booking(Booking::new("cs_404").by("G404").minutes(200, 260));
    sync_needing_attention(&sandbox);
    sandbox.stop(Service::Alma);
    sandbox.add_booking(Booking::new("cs_wait").by("G10000002").minutes(300, 360));
    sync_during_outage(&sandbox);
    sandbox
}

#[test]
fn a_day_on_which_all_is_well_is_two_lines_and_status_0() {
    let sandbox = one_person().booking(of_ada("cs_2").cancelled());
    good_sync(&sandbox);
    let run = status(&sandbox, &[], 0);
    assert_eq!(run.stderr, "");
    let lines: Vec<_> = run.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{run:#?}");
    let pass = single_json(&status(&sandbox, &["--json"], 0))["last_pass"].take();
    let ended_at = DateTime::parse_from_rfc3339(pass["ended_at"].as_str().expect("a text"));
    let ended_at = ended_at.expect("RFC 3339").format("%a %-d %b %Y %H:%M UTC");
    assert_eq!(
        lines[0],
        format!("last full pass: {ended_at}, less than 1 min ago")
    );
    assert_says(
        lines[1],
        &["2 rows, 1 visit: 1 registered, 0 already registered ("],
    );
    assert_eq!(lines[2], "visits not over yet: 1 registered, 1 cancelled");
}

#[test]
fn what_is_waiting_refused_or_not_approved_has_its_lines_and_what_is_over_has_none() {
    let sandbox = mixed_day();
    let run = status(&sandbox, &[], 1);
    assert_eq!(run.stderr, "");
    let says = [
        "\n6 rows, 4 visits: 0 registered, 1 already registered, 1 refused, 1 waiting, 1 ended (",
        "outage: Alma since ",
        "  Alma is not responding: connection refused",
        "visits not over yet: 1 registered, 1 waiting, 1 refused, 1 not approved, 1 cancelled",
    ];
    assert_says(&run.stdout, &says);
    let line = |id: &str| {
        let mut lines = run.stdout.lines().filter(|line| line.starts_with(id));
        (lines.next().unwrap_or_default(), lines.count())
    };
    for (id, begins, ends) in [
        (
            "cs_tentative ",
            "cs_tentative of G10000001: not approved, Main Library (8827), ",
            ": its status in LibCal is \"Mediated Tentative\"",
        ),
        (
            "cs_404 ",
            "cs_404 of G404: refused, Main Library (8827), ",
            ": not in Alma: correct the ID on the booking form in LibCal, or add the user to Alma",
        ),
        (
            "cs_wait ",
            "cs_wait of G10000002: waiting, Main Library (8827), ",
            ": Alma is not responding: connection refused; the next pass tries again",
        ),
    ] {
        let (line, more) = line(id);
        assert!(line.starts_with(begins) && line.ends_with(ends), "{line}");
        assert_eq!(more, 0, "one line for each");
    }
    for no in ["cs_1", "cs_over", "cs_cancelled"] {
        assert!(!run.stdout.contains(no), "{no}: {run:#?}");
    }
    // By their start.
    let at = |id: &str| run.stdout.find(id);
    assert!(at("cs_tentative") < at("cs_404") && at("cs_404") < at("cs_wait"));
}

#[test]
fn the_status_for_a_program_has_these_fields_and_no_other() {
    let sandbox = mixed_day();
    let mut found = single_json(&status(&sandbox, &["--json"], 1));
    let mut pass = found["last_pass"].take();
    for time in ["started_at", "ended_at"] {
        let time = pass[time].take();
        let at = DateTime::parse_from_rfc3339(time.as_str().expect("a text")).expect("RFC 3339");
        assert!((0..60).contains(&(at.timestamp() - sandbox.now())), "{at}");
    }
    assert!(pass["seconds"].take().is_f64());
    let expected = json!({
        "started_at": null, "ended_at": null, "rows": 6, "visits": 4, "already_registered": 1,
        "registered": 0, "refused": 1, "in_doubt": 0, "failed": 1, "ended": 1, "seconds": null,
    });
    assert_eq!(pass, expected);
    let since = found["outages"][0]["since"].take();
    assert!(DateTime::parse_from_rfc3339(since.as_str().expect("a text")).is_ok());
    let appts: Vec<Value> = ["cs_tentative", "cs_404", "cs_wait"]
        .iter()
        .map(|id| single_json(&sandbox.run(&["--json", "lookup-appt", id])))
        .collect();
    let expected = json!({
        "last_pass": null,
        "outages": [{
            "service": "Alma", "since": null, "cause": "Alma is not responding: connection refused",
        }],
        "states": {
            "registered": 1, "in doubt": 0, "waiting": 1, "refused": 1, "not approved": 1, "cancelled": 1,
        },
        "imported": {"bookings": 0, "to_come": []},
        "appts": appts,
    });
    assert_eq!(found, expected);
}

#[test]
fn a_visit_that_waits_or_is_not_approved_needs_nobody_and_one_that_is_refused_does() {
    let sandbox = with_ada().booking(of_ada("cs_1").status("Mediated Tentative"));
    good_sync(&sandbox);
    status(&sandbox, &[], 0);
    sandbox.add_booking(Booking::new("cs_2").by("G404"));
    sync_needing_attention(&sandbox);
    // Though it was reported, and the passes are quiet about it.
    good_sync(&sandbox);
    status(&sandbox, &[], 1);
    sql(
        &sandbox,
        "UPDATE appts SET starts_at = starts_at - 7200, ends_at = ends_at - 7200 WHERE appt_id = 'cs_2'",
    );
    status(&sandbox, &[], 0);
}

#[test]
fn a_visit_in_doubt_needs_attention() {
    let sandbox = one_person();
    sandbox.fault(
        crate::sandbox::Fault::on(Service::PassagePoint)
            .path("createPreReg")
            .cut_after(),
    );
    sync_during_outage(&sandbox);
    sql(&sandbox, "DELETE FROM outages");
    let run = status(&sandbox, &[], 1);
    assert_says(&run.stdout, &["cs_1 of G10000001: in doubt"]);
}

#[test]
fn a_last_full_pass_that_is_older_than_max_age_needs_attention() {
    let sandbox = one_person();
    good_sync(&sandbox);
    let ended = |minutes: i64| {
        let set = format!("UPDATE last_pass SET ended_at = clock() - {minutes} * 60");
        sql(&sandbox, &set);
    };
    ended(14);
    status(&sandbox, &["--max-age", "15"], 0);
    ended(16);
    status(&sandbox, &[], 0);
    let run = status(&sandbox, &["--max-age", "15", "-q"], 1);
    assert_says(
        &run.stderr,
        &["the last full pass ended 16 min ago", "cron"],
    );
    assert_eq!(run.stderr.lines().count(), 1);
}

#[test]
fn a_pass_that_began_and_has_not_ended_is_reported() {
    let sandbox = one_person();
    good_sync(&sandbox);
    sql(&sandbox, "UPDATE last_pass SET started_at = ended_at + 60");
    let run = status(&sandbox, &[], 0);
    assert_says(
        &run.stdout,
        &["last full pass: ", "a pass started ", " and has not ended"],
    );
}

#[test]
fn where_no_full_pass_was_made_the_status_is_1() {
    let sandbox = with_ada().user(User::new("G2"));
    crate::support::create_python_cache(&sandbox, "INSERT INTO appts VALUES ('cs_1', '138');");
    let run = status(&sandbox, &[], 1);
    assert_says(&run.stderr, &["no full pass has ended yet"]);
    assert_says(
        &run.stdout,
        &[
            "visits not over yet: none",
            "imported from the Python program: 1 booking; ",
        ],
    );
    let found = single_json(&status(&sandbox, &["--json"], 1));
    assert_eq!(found["last_pass"], Value::Null);
}

#[test]
fn a_pass_over_another_day_is_not_a_full_pass() {
    let sandbox = one_person();
    let run = sandbox.run(&["sync", "--date", &crate::support::day(30)]);
    assert_eq!(run.code, 0, "{run:#?}");
    let run = status(&sandbox, &[], 1);
    assert_says(&run.stderr, &["no full pass has ended yet"]);
    good_sync(&sandbox);
    assert_eq!(
        sandbox
            .run(&["sync", "--date", &crate::support::day(30)])
            .code,
        0
    );
    let run = status(&sandbox, &[], 0);
    assert!(!run.stdout.contains("has not ended"), "{run:#?}");
}

#[test]
fn a_last_pass_in_the_future_is_too_old_and_says_why() {
    let sandbox = one_person();
    good_sync(&sandbox);
    sql(&sandbox, "UPDATE last_pass SET ended_at = ended_at + 86400");
    let run = status(&sandbox, &["--max-age", "30"], 1);
    assert_says(&run.stdout, &["in the future (check this machine's clock)"]);
}

#[test]
fn a_refused_visit_that_may_be_registered_all_the_same_says_so() {
    let sandbox = sandbox_in_doubt();
    let prereg = Fault::on(Service::PassagePoint).path("createPreReg");
    sandbox.fault(prereg.answer(422, "application/json", "{}"));
    assert_eq!(sandbox.sync().code, 1);
    let status = sandbox.run(&["status"]).stdout;
    let says = [
        "cs_1 of G10000001: refused",
        "register the visit there by hand; PassagePoint may still expect the person",
    ];
    assert_says(&status, &says);
}
