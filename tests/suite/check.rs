//! `check`: each thing that must be set up, and each way in which it may not be.

use std::fs;

use serde_json::Value;

use crate::sandbox::{Booking, Fault, Run, Sandbox, Service};
use crate::support::{
    assert_no_complaints, assert_says, create_python_cache, good_sync, of_ada, one_person, sql,
    sync_needing_attention,
};

/// The line about a thing, whose name begins so.
pub fn line<'r>(run: &'r Run, what: &str) -> &'r str {
    let of_it = |line: &&str| line.get(6..).is_some_and(|rest| rest.starts_with(what));
    let line = run.stdout.lines().find(of_it);
    line.unwrap_or_else(|| panic!("{what}: {run:#?}"))
}

fn check(sandbox: &Sandbox) -> Run {
    let run = sandbox.run(&["check"]);
    assert_eq!(run.stderr, "", "the list is all that it says");
    for secret in sandbox.secrets() {
        assert!(!run.stdout.contains(&secret), "{secret} in {run:#?}");
    }
    let wrote =
        ["createVisitor", "createPreReg"].map(|path| sandbox.count_of(Service::PassagePoint, path));
    assert_eq!(wrote, [0, 0], "nothing is written to a service");
    run
}

/// Checks, finds just these lines wrong, and what each says.
fn fails(sandbox: &Sandbox, wrong: &[(&str, &[&str])]) -> Run {
    let run = check(sandbox);
    assert_eq!(run.code, 1, "{run:#?}");
    let failed = run.stdout.lines().filter(|line| line.starts_with("FAIL  "));
    assert_eq!(failed.count(), wrong.len(), "{run:#?}");
    for (what, says) in wrong {
        let line = line(&run, what);
        assert!(line.starts_with("FAIL  "), "{line}");
        assert_says(line, says);
    }
    run
}

#[test]
fn if_everything_is_set_up_each_item_is_ok() {
    let sandbox = one_person().booking(of_ada("cs_2").no_answer());
    let run = check(&sandbox);
    assert_eq!(run.code, 0, "{run:#?}");
    assert_no_complaints(&sandbox);
    for (what, says) in [
        ("configuration: ", "config.yml is valid"),
        ("cache: ", "does not exist yet: the first sync creates it"),
        ("LibCal: ", "accepted the credentials"),
        (
            "LibCal, Main Library (8827): ",
            "2 rows today (2 Confirmed), 1 with an answer to q12505",
        ),
        ("LibCal, Science Library (10332): ", "no rows today"),
        (
            "LibCal.statuses: ",
            "accepted: Mediated Approved, Confirmed",
        ),
        ("Alma, API key 1: ", "accepted"),
        ("Alma, API key 2: ", "accepted"),
        ("PassagePoint: ", "accepted the login"),
        ("PassagePoint, \"LibCal Main\" of location 8827: ", "found"),
        (
            "PassagePoint, \"LibCal Science\" of location 10332: ",
            "found",
        ),
        ("PassagePoint.user_mapping: ", "Staff, Student, Visitor"),
    ] {
        let line = line(&run, what);
        assert!(line.starts_with("ok    ") && line.contains(says), "{line}");
    }
    assert_eq!(run.stdout.lines().count(), 12, "{run:#?}");
    assert!(!sandbox.path("cache.db").exists(), "no cache is made");
}

#[test]
fn a_configuration_that_is_wrong_is_the_only_line() {
    let sandbox = one_person().config("LibCal.days", "366");
    fails(&sandbox, &[("configuration: ", &["LibCal.days", "line "])]);
    let sandbox = one_person().config("PassagePoint.password", "env:NOT_SET");
    fails(
        &sandbox,
        &[("configuration: ", &["PassagePoint.password", "NOT_SET"])],
    );
    assert_eq!(sandbox.arrived(), 0);
    fs::remove_file(sandbox.path("config.yml")).unwrap();
    let run = fails(
        &sandbox,
        &[("configuration: ", &["no configuration file", "--config"])],
    );
    assert_eq!(run.stdout.lines().count(), 1, "{run:#?}");
}

#[test]
fn what_only_the_python_program_used_is_mentioned() {
    let sandbox = one_person()
        .config("LCPP", "{\"interval\": 5}")
        .config("Emails", "{\"to\": \"desk@example.edu\"}");
    let run = check(&sandbox);
    assert_eq!(run.code, 0, "{run:#?}");
    assert_says(
        line(&run, "configuration"),
        &["LCPP and Emails are ignored: cron does their jobs"],
    );
}

#[test]
fn the_cache_tells_what_is_in_it_and_how_the_last_pass_went() {
    let sandbox = one_person();
    good_sync(&sandbox);
    sandbox.forget_requests();
    let run = check(&sandbox);
    assert_says(
        line(&run, "cache"),
        &[
            "cache.db has 1 user and 1 visit",
            "; last full pass: ",
            ", less than 1 min ago; 1 row, 1 visit: 1 registered, 0 already registered (",
        ],
    );
    sql(&sandbox, "UPDATE last_pass SET started_at = ended_at + 60");
    let run = check(&sandbox);
    assert_says(
        line(&run, "cache"),
        &["last full pass: ", "a pass started ", " and has not ended"],
    );
    sql(&sandbox, "UPDATE last_pass SET ended_at = NULL");
    let run = check(&sandbox);
    assert_says(
        line(&run, "cache"),
        &["a pass started ", "and has not ended"],
    );
}

#[test]
fn a_cache_of_the_python_program_is_left_as_it_is() {
    let sandbox = one_person();
    create_python_cache(
        &sandbox,
        "INSERT INTO users VALUES ('G10000001', '21000001', '7'); INSERT INTO appts VALUES ('cs_1', '8');",
    );
    let before = fs::read(sandbox.path("cache.db")).unwrap();
    let run = check(&sandbox);
    assert_eq!(run.code, 0, "{run:#?}");
    let says = [
        "has 1 user and 1 visit",
        "the Python program",
        "converts it",
    ];
    assert_says(line(&run, "cache"), &says);
    assert_eq!(fs::read(sandbox.path("cache.db")).unwrap(), before);
}

#[test]
fn a_cache_that_cannot_be_used_fails_and_the_rest_is_checked() {
    let sandbox = one_person();
    fs::write(
        sandbox.path("cache.db"),
        "no cache, and long enough to be seen as none",
    )
    .unwrap();
    let run = fails(&sandbox, &[("cache: ", &["cache.db is not a cache"])]);
    assert_says(line(&run, "PassagePoint: "), &["accepted the login"]);

    let sandbox = one_person().config("Cache.path", "not/there/cache.db");
    fails(
        &sandbox,
        &[("cache: ", &["not/there does not exist: create it"])],
    );
    fs::create_dir_all(sandbox.path("not/there/cache.db")).unwrap();
    fails(&sandbox, &[("cache: ", &["is a folder"])]);

    let sandbox = one_person();
    good_sync(&sandbox);
    sandbox.forget_requests();
    sql(&sandbox, "PRAGMA user_version = 9");
    fails(
        &sandbox,
        &[("cache: ", &["a later version", "update the program"])],
    );
    sql(&sandbox, "PRAGMA user_version = 0; DROP TABLE appts");
    fails(&sandbox, &[("cache: ", &["another program's"])]);
}

#[test]
fn libcal_without_a_token_fails_with_all_its_locations() {
    let sandbox = one_person().config("LibCal.client_secret", "wrong");
    let not_checked: &[&str] = &[
        "not checked: LibCal rejected the credentials",
        "check LibCal.client_id and LibCal.client_secret",
    ];
    fails(
        &sandbox,
        &[
            (
                "LibCal: ",
                &["check LibCal.client_id and LibCal.client_secret"],
            ),
            ("LibCal, Main Library", not_checked),
            ("LibCal, Science Library", not_checked),
        ],
    );
}

#[test]
fn a_location_that_libcal_does_not_list_fails_alone() {
    let sandbox = one_person();
    sandbox.world().locations.retain(|id| *id != 10332);
    let says: &[&str] = &["LibCal did not return the bookings", "LibCal.locations"];
    fails(&sandbox, &[("LibCal, Science Library (10332)", says)]);
}

#[test]
fn a_wrong_number_of_the_form_question_is_found_out() {
    let sandbox = one_person().config("LibCal.primary_id_field", "q99");
    let says: &[&str] = &[
        "1 row today (1 Confirmed), 0 with an answer to q99",
        "check LibCal.primary_id_field",
    ];
    fails(&sandbox, &[("LibCal, Main Library (8827)", says)]);
}

#[test]
fn rows_that_cannot_be_read_are_counted() {
    let sandbox = one_person().booking(Booking::new("cs_2").by("G1").with("fromDate", Value::Null));
    let run = check(&sandbox);
    let says = ["2 rows today (1 Confirmed, 1 unreadable), 1 with an answer to q12505"];
    assert_says(line(&run, "LibCal, Main Library"), &says);
}

#[test]
fn rows_are_counted_by_status_and_one_that_is_accepted_is_enough() {
    let sandbox = one_person()
        .booking(of_ada("cs_2").status("Mediated Tentative"))
        .booking(of_ada("cs_3").cancelled());
    let run = check(&sandbox);
    assert_eq!(run.code, 0, "{run:#?}");
    let says = ["3 rows today (1 Cancelled by User, 1 Confirmed, 1 Mediated Tentative)"];
    assert_says(line(&run, "LibCal, Main Library"), &says);
}

#[test]
fn a_location_of_which_no_row_is_accepted_fails() {
    let sandbox = one_person().config("LibCal.statuses", r#"["Mediated Approved"]"#);
    let says: &[&str] = &[
        "1 row today (1 Confirmed)",
        "none with an accepted status: check LibCal.statuses",
    ];
    fails(&sandbox, &[("LibCal, Main Library (8827)", says)]);
}

#[test]
fn a_configured_status_that_libcal_does_not_give_fails_unless_a_row_has_it() {
    let sandbox = one_person().config("LibCal.statuses", r#"["Confirmed", "Confirmd", "Blessed"]"#);
    let says: &[&str] = &["not known to use Confirmd, Blessed: correct LibCal.statuses"];
    fails(&sandbox, &[("LibCal.statuses", says)]);
    sandbox.add_booking(of_ada("cs_2").status("Blessed"));
    sandbox.add_booking(of_ada("cs_3").status("confirmd"));
    assert_eq!(check(&sandbox).code, 0);
}

#[test]
fn an_alma_key_that_is_rejected_is_reported_by_its_place() {
    let sandbox = one_person();
    sandbox.world().alma_keys[1] = "another".to_owned();
    fails(&sandbox, &[("Alma, API key 2", &["check Alma.apikeys"])]);
}

#[test]
fn a_login_that_passagepoint_refuses_fails_with_all_destinations() {
    let sandbox = one_person().config("PassagePoint.password", "wrong");
    let not_checked: &[&str] = &[
        "not checked: PassagePoint rejected the login",
        "check PassagePoint.username and PassagePoint.password",
    ];
    fails(
        &sandbox,
        &[
            (
                "PassagePoint: ",
                &["check PassagePoint.username and PassagePoint.password"],
            ),
            ("PassagePoint, \"LibCal Main\"", not_checked),
            ("PassagePoint, \"LibCal Science\"", not_checked),
        ],
    );
}

#[test]
fn a_destination_that_is_not_there_is_reported_with_those_that_are() {
    let sandbox = one_person().config("PassagePoint.location_mapping.10332", "Science");
    let says: &[&str] = &[
        "PassagePoint.location_mapping",
        "LibCal Main",
        "LibCal Science",
    ];
    fails(
        &sandbox,
        &[("PassagePoint, \"Science\" of location 10332", says)],
    );
    sandbox.world().destinations.clear();
    let says: &[&str] = &["not found: PassagePoint has no destinations"];
    let wrong = ["\"LibCal Main\"", "\"Science\""].map(|name| format!("PassagePoint, {name}"));
    fails(&sandbox, &[(&wrong[0], says), (&wrong[1], says)]);
}

#[test]
fn a_list_of_destinations_that_is_an_error_is_reported_without_its_words() {
    let unreadable = "PassagePoint sent an unexpected response";
    for (status, body, says) in [
        (200, r#"{"error": "Wilhelmina"}"#, unreadable),
        (400, r#"["Wilhelmina"]"#, unreadable),
        (200, "null", unreadable),
        (
            404,
            r#"["Wilhelmina"]"#,
            "PassagePoint has nothing at this address (404 Not Found)",
        ),
    ] {
        let sandbox = one_person();
        let list = Fault::on(Service::PassagePoint).path("getDestinations");
        sandbox.fault(list.answer(status, "application/json", body));
        let says = &[says, "PassagePoint.get_destinations_endpt"][..];
        let wrong =
            ["\"LibCal Main\"", "\"LibCal Science\""].map(|name| format!("PassagePoint, {name}"));
        let run = fails(&sandbox, &[(&wrong[0], says), (&wrong[1], says)]);
        assert!(!run.stdout.contains("Wilhelmina"), "{run:#?}");
    }
}

#[test]
fn services_that_are_down_fail_soon_and_each_is_reported() {
    let sandbox = one_person().config("Network.tries", "3");
    for service in Service::ALL {
        sandbox.stop(service);
    }
    let run = check(&sandbox);
    assert_eq!(run.code, 1, "{run:#?}");
    for what in ["LibCal: ", "Alma, API key 1", "PassagePoint: "] {
        assert_says(
            line(&run, what),
            &["FAIL", "is not responding: connection refused"],
        );
    }
    let sandbox = one_person().config("Network.tries", "10");
    sandbox.fault(Fault::on(Service::Alma).answer(500, "text/html", "<p>"));
    check(&sandbox);
    assert_eq!(sandbox.count(Service::Alma), 2, "one try a key");
}

#[test]
fn the_list_for_a_program_has_these_fields() {
    let sandbox = one_person().booking(Booking::new("cs_404").by("G404"));
    sync_needing_attention(&sandbox);
    sandbox.forget_requests();
    let sandbox = sandbox.config("LibCal.primary_id_field", "q99");
    let run = sandbox.run(&["--json", "check"]);
    assert_eq!((run.code, run.stderr.as_str()), (1, ""), "{run:#?}");
    let list = run.json();
    assert_eq!(list.len(), 12, "{run:#?}");
    for one in &list {
        let fields: Vec<_> = one.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["detail", "ok", "what"], "{one}");
        assert!(
            one["what"].is_string() && one["detail"].is_string(),
            "{one}"
        );
        let fails = one["what"] == "LibCal, Main Library (8827)";
        assert_eq!(one["ok"], !fails, "{one}");
    }
}
