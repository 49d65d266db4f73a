//! What is found and what is not: the look-ups and `status` say the same to people and to programs, and end alike.

use serde_json::Value;

use crate::sandbox::{Booking, Fault, Run, Sandbox, Service};
use crate::support::{
    create_python_cache, of_ada, one_person, sandbox_in_doubt, single_json, sql, with_ada,
};

/// A visit in some state.
struct Case {
    sandbox: Sandbox,
    /// Whose it is, if that is known.
    user: Option<&'static str>,
    state: &'static str,
    is_over: bool,
    /// How `status` ends.
    status: i32,
    /// Whether it is one of the visits that `status` counts: what was taken over has no times.
    is_counted: bool,
}

/// After one pass, whatever it found.
fn after_pass(sandbox: Sandbox) -> Sandbox {
    let run = sandbox.run(&["-v", "sync"]);
    assert!(run.code < 2, "{run:#?}");
    sandbox
}

fn case(sandbox: Sandbox, user: Option<&'static str>, state: &'static str, status: i32) -> Case {
    let is_over = false;
    Case {
        sandbox,
        user,
        state,
        is_over,
        status,
        is_counted: true,
    }
}

/// The visit of `cs_1` in each state, by each way into it.
fn cases() -> Vec<Case> {
    let ada = Some("G10000001");
    let with = |booking: Booking| after_pass(with_ada().booking(booking));
    let with_fault = |fault: Fault| {
        let sandbox = one_person();
        sandbox.fault(fault);
        after_pass(sandbox)
    };
    let on_prereg = || Fault::on(Service::PassagePoint).path("createPreReg");
    let waiting = one_person();
    waiting.stop(Service::Alma);
    let given_up = sandbox_in_doubt();
    given_up.fault(on_prereg().cut_after());
    let given_up = after_pass(after_pass(after_pass(given_up)));
    let cancelled_later = after_pass(one_person());
    cancelled_later.edit_rows("cs_1", |row| row["status"] = "Cancelled by User".into());
    // Tomorrow's too, for it may be so late that the visit is tomorrow.
    let gone = after_pass(one_person().config("LibCal.days", "1"));
    gone.remove_rows("cs_1");
    let taken_over = Sandbox::new();
    create_python_cache(&taken_over, "INSERT INTO appts VALUES ('cs_1', '138');");
    let over = |booking: Booking, state| Case {
        is_over: true,
        is_counted: false,
        ..case(with(booking), ada, state, 0)
    };
    vec![
        case(after_pass(one_person()), ada, "registered", 0),
        Case {
            is_counted: false,
            ..case(after_pass(taken_over), None, "registered", 0)
        },
        case(sandbox_in_doubt(), ada, "in doubt", 1),
        case(given_up, ada, "in doubt", 1),
        case(after_pass(waiting), ada, "waiting", 1),
        case(
            with(Booking::new("cs_1").by("G404")),
            Some("G404"),
            "refused",
            1,
        ),
        case(with(Booking::new("cs_1")), None, "refused", 1),
        case(
            with(of_ada("cs_1").with("fromDate", Value::Null)),
            None,
            "refused",
            1,
        ),
        case(with(of_ada("cs_1").status("Blessed")), ada, "refused", 1),
        case(
            with_fault(on_prereg().answer(422, "text/plain", "no")),
            ada,
            "refused",
            1,
        ),
        case(
            with(of_ada("cs_1").status("Mediated Tentative")),
            ada,
            "not approved",
            0,
        ),
        case(with(of_ada("cs_1").cancelled()), ada, "cancelled", 0),
        case(after_pass(cancelled_later), ada, "cancelled", 0),
        case(after_pass(gone), ada, "cancelled", 0),
        over(of_ada("cs_1").minutes(-120, -60), "waiting"),
        over(of_ada("cs_1").minutes(-120, -60).cancelled(), "cancelled"),
    ]
}

/// Runs a command for people and for programs, which must end alike, and say the same to standard error.
fn both(sandbox: &Sandbox, args: &[&str], code: i32) -> (Run, Run) {
    let text = sandbox.run(args);
    let json = sandbox.run(&[&["--json"], args].concat());
    assert_eq!((text.code, json.code), (code, code), "{text:#?} {json:#?}");
    assert_eq!(text.stderr, json.stderr, "{args:?}");
    (text, json)
}

#[test]
fn a_visit_is_found_in_every_state_by_people_and_by_programs() {
    for case in cases() {
        let Case { sandbox, state, .. } = &case;
        let over = if case.is_over { ", over" } else { "" };
        let head = format!(": {state}{over}\n");
        let (text, json) = both(sandbox, &["lookup-appt", "cs_1"], 0);
        assert_eq!(text.stdout.matches(&head).count(), 1, "{head}: {text:#?}");
        let appt = single_json(&json);
        assert_eq!(appt["state"], *state, "{json:#?}");
        if let Some(user) = case.user {
            let (text, json) = both(sandbox, &["lookup-user", user], 0);
            assert_eq!(text.stdout.matches(&head).count(), 1, "{head}: {text:#?}");
            assert_eq!(single_json(&json)["appts"], Value::Array(vec![appt]));
        }
        let (text, json) = both(sandbox, &["status"], case.status);
        let states = single_json(&json)["states"].take();
        let counts = states.as_object().unwrap().iter();
        for (one, count) in counts {
            let expected = u64::from(one == state && case.is_counted);
            assert_eq!(count.as_u64(), Some(expected), "{state}: {json:#?}");
        }
        let told = if case.is_counted {
            format!("visits not over yet: 1 {state}\n")
        } else {
            "visits not over yet: none\n".to_owned()
        };
        assert!(text.stdout.contains(&told), "{told}: {text:#?}");
    }
}

#[test]
fn what_is_not_known_is_not_found_by_people_nor_by_programs() {
    let sandbox = after_pass(one_person());
    for args in [
        ["lookup-user", "G404"],
        ["lookup-appt", "cs_404"],
        ["lookup-user", "?"],
    ] {
        let (text, json) = both(&sandbox, &args, 1);
        assert_eq!((text.stdout.as_str(), json.stdout.as_str()), ("", ""));
        assert_eq!(text.stderr.lines().count(), 1, "{text:#?}");
    }
    let nowhere = with_ada();
    for args in [
        &["lookup-user", "G404"][..],
        &["lookup-appt", "cs_1"],
        &["status"],
    ] {
        let (text, json) = both(&nowhere, args, 1);
        assert_eq!((text.stdout.as_str(), json.stdout.as_str()), ("", ""));
        assert!(text.stderr.contains("there is no cache"), "{text:#?}");
    }
}

#[test]
fn whoever_is_to_be_forgotten_and_is_not_known_needs_attention() {
    let sandbox = after_pass(one_person());
    for (args, unknown) in [
        (&["--user", "G404"][..], &["the user G404"][..]),
        (&["--appt", "cs_404"], &["the booking cs_404"]),
        (
            &["--user", "g404", "--appt", "cs_404"],
            &["the user G404", "the booking cs_404"],
        ),
        (
            &["--user", "G10000001", "--appt", "cs_404"],
            &["the booking cs_404"],
        ),
    ] {
        let args = [&["prune", "--dry-run"], args].concat();
        let (text, json) = both(&sandbox, &args, 1);
        assert_eq!(
            text.stderr.matches("nothing is known of").count(),
            unknown.len()
        );
        for one in unknown {
            let line = format!("error: nothing is known of {one}: nothing to delete\n");
            assert!(text.stderr.contains(&line), "{line}: {text:#?}");
        }
        // How much would be deleted is said all the same.
        assert!(text.stdout.starts_with("would delete "), "{text:#?}");
        assert!(single_json(&json)["appts"].is_number(), "{json:#?}");
    }
    let both_known = [
        "prune",
        "--dry-run",
        "--user",
        "G10000001",
        "--appt",
        "cs_1",
    ];
    both(&sandbox, &both_known, 0);
    // What is named is known before any of it is deleted.
    let run = sandbox.run(&["prune", "--user", "G10000001", "--appt", "cs_1", "-q"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
    for args in [["--user", "G10000001"], ["--appt", "cs_1"]] {
        let (text, json) = both(&sandbox, &[&["prune"], &args[..]].concat(), 1);
        assert_eq!(text.stdout, "", "{text:#?}");
        let nothing = serde_json::json!({"appts": 0, "users": 0});
        assert_eq!(single_json(&json), nothing);
    }
}

#[test]
fn whoever_a_look_up_finds_can_be_forgotten_by_the_same_words() {
    let sandbox = after_pass(one_person().config("LibCal.primary_id_pattern", r"G\d{8}"));
    for (typed, code) in [("GWID: g1000 0001", 0), ("g10000001", 0), ("G1000000", 1)] {
        both(&sandbox, &["lookup-user", typed], code);
        both(&sandbox, &["prune", "--dry-run", "--user", typed], code);
    }
}

#[test]
fn who_has_visits_only_or_is_known_without_any_can_be_forgotten() {
    // Of a booking that is not approved there is no user yet; a user is kept when their visits are over.
    let tentative = one_person();
    tentative.edit_rows("cs_1", |row| row["status"] = "Mediated Tentative".into());
    let alone = one_person();
    for sandbox in [&tentative, &alone] {
        assert_eq!(sandbox.sync().code, 0);
    }
    sql(&alone, "DELETE FROM appts");
    for sandbox in [tentative, alone] {
        let run = sandbox.run(&["prune", "--user", "G10000001", "-q"]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
        assert_eq!(sandbox.run(&["lookup-user", "G10000001"]).code, 1);
    }
}
