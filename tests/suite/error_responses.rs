//! Error responses: which key of the configuration they name, and when somebody is refused.

use crate::sandbox::{Booking, Fault, ReceivedRequest, Run, Sandbox, Service, User};
use crate::support::{
    age_by_an_hour, assert_outage, assert_refusal, assert_says, count_refusals, count_rows,
    good_sync, of_ada, one_person, sandbox_with_people, state_of, sync_after_outage,
    sync_during_outage,
};

const IN_DOUBT: &str = "appts WHERE asked_ends_at IS NOT NULL";

fn on(path: &str) -> Fault {
    Fault::on(Service::PassagePoint).path(path)
}

/// So many people with a booking each, at either destination in turn.
fn crowd(number: usize, concurrency: &str) -> Sandbox {
    let sandbox = Sandbox::new().config("Network.concurrency", concurrency);
    for n in 0..number {
        let id = format!("G{n:08}");
        sandbox.add_user(User::new(&id).barcode(&format!("2{n:07}")));
        let lid = if n % 2 == 0 { 8827 } else { 10332 };
        sandbox.add_booking(Booking::new(&format!("cs_{n}")).by(&id).at(lid));
    }
    sandbox
}

#[test]
fn an_address_of_passagepoint_that_is_wrong_is_an_outage_that_names_its_keys() {
    for status in [302, 404, 405] {
        for (path, key) in [
            ("auth/login", "login_endpt"),
            ("createVisitor", "create_visitor_endpt"),
            ("byUniqueId", "uniqueId_endpt"),
            ("createPreReg", "create_prereg_endpt"),
        ] {
            let sandbox = one_person();
            if path == "byUniqueId" {
                sandbox.add_visitor("21000001");
            }
            // As some servers answer: there is an error in the body.
            let body = format!(r#"{{"status":{status},"error":"Not Found"}}"#);
            sandbox.fault(on(path).answer(status, "application/json", body));
            let key = format!("PassagePoint.pp_api_root and PassagePoint.{key}");
            assert_outage(&sandbox, &[&status.to_string(), &key, "cs_1"]);
            assert_eq!(sandbox.count_of(Service::PassagePoint, path), 1, "{path}");
            // What was to be sent on may have been done.
            if (path, status) == ("createPreReg", 302) {
                assert_eq!(state_of(&sandbox, "cs_1"), "in doubt");
            } else {
                assert_eq!(count_rows(&sandbox, IN_DOUBT), 0, "{status} {path}");
                assert_eq!(state_of(&sandbox, "cs_1"), "waiting", "{status} {path}");
                sandbox.clear_faults();
                sync_after_outage(&sandbox);
            }
        }
    }
}

#[test]
fn a_wrong_address_of_passagepoint_is_asked_a_few_times_only() {
    for concurrency in ["1", "8"] {
        for path in ["createVisitor", "createPreReg"] {
            let sandbox = crowd(60, concurrency);
            sandbox.fault(on(path).answer(404, "text/html", "<h1>Not Found</h1>"));
            assert_outage(&sandbox, &["404 Not Found", "60 visits wait"]);
            let asked = sandbox.count_of(Service::PassagePoint, path);
            // Those under way when the third had failed are answered too.
            let most = 2 + concurrency.parse::<usize>().expect("a number");
            assert!((3..=most).contains(&asked), "{path}: {asked}");
            assert_eq!(count_rows(&sandbox, IN_DOUBT), 0, "{path}");
        }
    }
}

#[test]
fn a_wrong_address_for_visitors_does_not_keep_known_users_out() {
    let sandbox = Sandbox::new().config("Network.concurrency", "1");
    let add = |prefix: &str, number: usize, from: i64| {
        for n in 0..number {
            let id = format!("{prefix}{n:03}");
            sandbox.add_user(User::new(&id).barcode(&format!("BC{id}")));
            let booking = Booking::new(&format!("cs_{id}{from}")).by(&id);
            sandbox.add_booking(booking.minutes(from, from + 5));
        }
    };
    add("K", 20, 30);
    good_sync(&sandbox);
    add("N", 20, 10);
    add("K", 20, 200);
    sandbox.forget_requests();
    sandbox.fault(on("createVisitor").answer(405, "text/html", "<p>"));
    sync_during_outage(&sandbox);
    sync_during_outage(&sandbox);
    assert_eq!(
        sandbox.expected().len(),
        40,
        "the known users' other visits"
    );
    assert_eq!(count_rows(&sandbox, "appts WHERE state = 'waiting'"), 20);
    let asked = sandbox.count_of(Service::PassagePoint, "createVisitor");
    assert!(asked <= 6, "{asked} in two passes");
}

#[test]
fn an_error_in_a_success_without_an_id_is_a_refusal() {
    for (path, says) in [
        ("createVisitor", "refused to create the visitor"),
        ("byUniqueId", "refused to create the visitor"),
        ("createPreReg", "refused the pre-registration"),
    ] {
        for body in [
            r#"{"error":"INVALID_PERSON"}"#,
            r#"{"data":[],"error":{"code":"INVALID_PERSON"}}"#,
            r#"{"data":null,"error":"INVALID_PERSON"}"#,
        ] {
            let sandbox = sandbox_with_people(2);
            let mut fault = on(path);
            if path == "createPreReg" {
                sandbox.remove_rows("cs_2");
                sandbox.add_booking(Booking::new("cs_2").by("G10000002").minutes(100, 160));
                let start = (sandbox.now() + 1800).to_string();
                fault = fault.when(move |seen| seen.body.contains(&start));
            } else {
                fault = fault.when(|seen| seen.parameter("uniqueId") == Some("21000001"));
            }
            if path == "byUniqueId" {
                sandbox.add_visitor("21000001");
            }
            sandbox.fault(fault.answer(200, "application/json", body));
            assert_refusal(&sandbox, &[says, "(200 with an error)", "cs_1"]);
            assert_eq!(count_rows(&sandbox, IN_DOUBT), 0, "{path} {body}");
            assert_eq!(sandbox.expected().len(), 1, "{path} {body}: the other");

            sandbox.clear_faults();
            age_by_an_hour(&sandbox);
            good_sync(&sandbox);
            assert_eq!(sandbox.expected().len(), 2, "{path} {body}: asked again");
            assert_eq!(count_refusals(&sandbox), 0, "{path} {body}");
        }
    }
}

#[test]
fn an_error_beside_an_id_does_not_hide_it() {
    for error in ["null", "\"\"", "\"only a warning\""] {
        let sandbox = one_person();
        let with_error = format!(r#"{{"error":{error},"data":"#);
        let rewritten = on("create").rewrite(move |body| body.replace(r#"{"data":"#, &with_error));
        sandbox.fault(rewritten);
        good_sync(&sandbox);
        assert_eq!(sandbox.expected().len(), 1, "{error}");
        assert_eq!(state_of(&sandbox, "cs_1"), "registered", "{error}");
    }
}

/// What `check` says of what fails, in one text.
fn failures_of_check(sandbox: &Sandbox) -> String {
    let run: Run = sandbox.run(&["check"]);
    assert_eq!(run.code, 1, "{run:#?}");
    let failed = run.stdout.lines().filter(|line| line.starts_with("FAIL  "));
    failed.collect::<Vec<_>>().join("\n")
}

#[test]
fn what_libcal_answers_in_place_of_a_list_names_what_is_most_likely_wrong() {
    let scope = "check that the API client LibCal.client_id may read space bookings";
    let ids = "check the IDs in LibCal.locations";
    let address = "check LibCal.bookings_endpt";
    let json = "application/json";
    for (status, content_type, body, says) in [
        (403, "text/plain", "Forbidden", scope),
        (403, json, r#"{"error":"insufficient_scope"}"#, scope),
        (400, "text/plain", "Location not found", ids),
        (400, json, r#"{"error":"bad lid"}"#, ids),
        (200, json, r#"{"error":"bad lid"}"#, ids),
        (404, "text/html", "<h1>Not Found</h1>", address),
        (404, json, r#"{"error":"not found"}"#, address),
        (405, "text/html", "", address),
        (301, "text/html", "", address),
        (410, "text/plain", "", address),
        (200, "text/html", "<h1>Welcome</h1>", address),
        (200, json, r#"{"bookings":[]}"#, address),
        (200, json, "", address),
        (204, "", "", address),
        (
            401,
            "text/plain",
            "",
            "LibCal.credentials_endpt and LibCal.bookings_endpt",
        ),
    ] {
        let sandbox = one_person().config("Network.tries", "1");
        let list = |seen: &ReceivedRequest| seen.parameter("lid") == Some("8827");
        let fault = Fault::on(Service::LibCal).when(list);
        sandbox.fault(fault.answer(status, content_type, body));
        let said = sync_during_outage(&sandbox);
        assert_says(&said, &[says, "Main Library (8827)"]);
        for other in [scope, ids, address] {
            assert_eq!(
                said.contains(other),
                other == says,
                "{status} {body}: {said}"
            );
        }
        assert_says(&failures_of_check(&sandbox), &["Main Library (8827)", says]);
    }
}

#[test]
fn what_libcal_answered_is_reported_by_its_status_and_a_code_but_no_text() {
    let json = "application/json";
    let sentence = r#"{"error":"No booking of Pat"}"#;
    let capital = r#"{"error":"Pat"}"#;
    let long = format!(r#"{{"error":"{}"}}"#, "a".repeat(41));
    for (path, status, content_type, body, says) in [
        ("token", 404, "text/html", "", "404 Not Found): check"),
        (
            "token",
            400,
            json,
            r#"{"error":"invalid_client"}"#,
            "400 Bad Request with the error invalid_client): check",
        ),
        (
            "token",
            401,
            json,
            sentence,
            "401 Unauthorized with an error): check",
        ),
        ("token", 200, json, capital, "200 OK with an error): check"),
        ("token", 200, json, &long, "200 OK with an error): check"),
        (
            "token",
            200,
            json,
            r#"{"error":""}"#,
            "200 OK with an error): check",
        ),
        (
            "token",
            200,
            json,
            "{}",
            "200 OK with unexpected content): check",
        ),
        ("bookings", 404, "text/html", "", "404 Not Found): check"),
        (
            "bookings",
            400,
            json,
            r#"{"error":"bad_lid"}"#,
            "400 Bad Request with the error bad_lid): check",
        ),
        (
            "bookings",
            400,
            json,
            sentence,
            "400 Bad Request with an error): check",
        ),
        (
            "bookings",
            200,
            "text/html",
            "<p>",
            "200 OK with unexpected content): check",
        ),
    ] {
        let sandbox = one_person();
        let fault = Fault::on(Service::LibCal).path(path);
        sandbox.fault(fault.answer(status, content_type, body));
        let said = sync_during_outage(&sandbox);
        assert_says(&said, &[&format!(" ({says}")]);
        assert!(!said.contains("Pat"), "{said}");
    }
}

#[test]
fn a_redirect_is_reported_as_one() {
    for (service, path, key) in [
        (Service::LibCal, "token", "LibCal.credentials_endpt"),
        (Service::LibCal, "bookings", "LibCal.bookings_endpt"),
        (Service::Alma, "", "Alma.users_endpt"),
    ] {
        let sandbox = one_person();
        sandbox.fault(Fault::on(service).path(path).answer(302, "text/html", ""));
        let says = format!(
            "{service:?} returned a redirect (302 Found), which is not followed: check {key}"
        );
        assert_outage(&sandbox, &[&says]);
    }
}

#[test]
fn a_wrong_address_of_libcals_tokens_is_named_and_not_its_credentials() {
    for (status, body) in [
        (404, r#"{"error":"not found"}"#),
        (405, ""),
        (302, ""),
        (200, "<h1>Welcome</h1>"),
    ] {
        let sandbox = one_person();
        let token = Fault::on(Service::LibCal).path("token");
        sandbox.fault(token.answer(status, "application/json", body));
        for said in [sync_during_outage(&sandbox), failures_of_check(&sandbox)] {
            assert_says(&said, &["check LibCal.credentials_endpt"]);
            assert!(!said.contains("client_secret"), "{status}: {said}");
        }
    }
}

#[test]
fn an_answer_that_is_not_almas_names_the_address_of_its_users() {
    let address = "check Alma.users_endpt";
    for (status, body, says) in [
        (404, "<h1>Not Found</h1>", address),
        (404, "", address),
        (405, "", address),
        (301, "", address),
        (200, "<h1>Maintenance</h1>", address),
        (200, "{}", address),
        (400, "Bad Request", "(400 Bad Request)"),
    ] {
        let sandbox = one_person().config("Network.tries", "1");
        sandbox.fault(Fault::on(Service::Alma).answer(status, "text/html", body));
        for said in [sync_during_outage(&sandbox), failures_of_check(&sandbox)] {
            assert_says(&said, &["Alma", says]);
            assert_eq!(said.contains(address), says == address, "{status}: {said}");
        }
    }
}

#[test]
fn a_wrong_address_of_passagepoint_is_reported_by_check_in_the_same_words() {
    for (path, key) in [
        ("auth/login", "PassagePoint.login_endpt"),
        ("getDestinations", "PassagePoint.get_destinations_endpt"),
    ] {
        for (status, body) in [(404, "<p>"), (405, ""), (302, ""), (200, "<p>")] {
            let sandbox = one_person();
            sandbox.fault(on(path).answer(status, "text/html", body));
            let said = failures_of_check(&sandbox);
            assert_says(&said, &["PassagePoint", &status.to_string()]);
            assert_says(&said, &["check PassagePoint.pp_api_root and ", key]);
        }
    }
}

#[test]
fn a_right_that_the_passagepoint_user_does_not_have_is_reported_with_its_key() {
    let sandbox = one_person().booking(of_ada("cs_2").minutes(100, 160));
    sandbox.fault(on("createPreReg").answer(403, "application/json", r#"{"error":"no"}"#));
    assert_outage(
        &sandbox,
        &[
            "403 Forbidden",
            "check the permissions of PassagePoint.username",
        ],
    );
}
