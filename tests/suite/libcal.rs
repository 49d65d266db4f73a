//! LibCal: its token, the question for a location's list, and lists that fail as a whole.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::sandbox::{Booking, Denial, Fault, FormSpelling, ReceivedRequest, Sandbox, Service};
use crate::support::{
    assert_no_complaints, assert_outage, assert_says, good_sync, of_ada, one_person,
    sync_after_outage, sync_during_outage, sync_needing_attention, warnings, with_ada,
};

/// A booking of the same person in each location.
fn two_places() -> Sandbox {
    one_person().booking(Booking::new("cs_2").by("G10000001").at(10332))
}

/// One location only, so that the requests come in a known order.
fn one_place() -> Sandbox {
    one_person().config(
        "LibCal.locations",
        r#"[{"name": "Main Library", "id": 8827}]"#,
    )
}

/// Only requests for this location's list.
fn list_of(lid: &'static str) -> Fault {
    let asks = move |seen: &ReceivedRequest| seen.parameter("lid") == Some(lid);
    Fault::on(Service::LibCal).when(asks)
}

fn assert_only_libcal_was_asked(sandbox: &Sandbox) {
    let others = sandbox.count(Service::Alma) + sandbox.count(Service::PassagePoint);
    assert_eq!(others, 0);
}

#[test]
fn the_token_is_asked_for_with_a_form_of_three_fields() {
    let sandbox = one_person();
    good_sync(&sandbox);
    let requests = sandbox.requests_to(Service::LibCal, "token");
    assert_eq!(requests.len(), 1, "one for both locations");
    let request = &requests[0];
    assert_eq!(request.method, "POST");
    assert!(request.is_of_type("application/x-www-form-urlencoded"));
    // The secret's `+`, `/` and `=` would be read as something else if they stood there plain.
    assert_eq!(
        request.body,
        "client_id=4242&client_secret=LibCalSecretW9Kd%2BZq%2F4T%3D%3D&grant_type=client_credentials"
    );
}

#[test]
fn credentials_that_libcal_rejects_are_named_and_nobody_else_is_asked() {
    for denial in [Denial::ByStatus, Denial::ErrorIn200] {
        let sandbox = one_person().config("LibCal.client_secret", "not-the-secret");
        sandbox.world().denial = denial;
        let first = sandbox.sync();
        assert_eq!((first.code, first.stderr.as_str()), (1, ""));
        // The second pass in a row that is rejected says so.
        let said = sync_needing_attention(&sandbox);
        let keys = ["LibCal.client_id", "LibCal.client_secret"];
        assert_says(&said, &keys);
        assert!(!said.contains("not-the-secret"), "{said}");
        assert_eq!(said.lines().count(), 1, "one cause is one line: {said}");
        assert_outage(&sandbox, &keys);
        assert_eq!(sandbox.count_of(Service::LibCal, "token"), 3, "one a pass");
        assert_eq!(sandbox.count_of(Service::LibCal, "bookings"), 0);
        assert_only_libcal_was_asked(&sandbox);
    }
}

#[test]
fn an_error_in_the_token_response_counts_in_its_short_shape_too() {
    for status in [200, 400] {
        let sandbox = one_person();
        let body = r#"{"error":"The client credentials are invalid"}"#;
        sandbox.fault(Fault::on(Service::LibCal).path("token").answer(
            status,
            "application/json",
            body,
        ));
        assert_outage(&sandbox, &["LibCal.client_id", "LibCal.client_secret"]);
        assert_only_libcal_was_asked(&sandbox);
    }
}

#[test]
fn a_response_without_a_token_is_an_outage() {
    let replies = [
        ("application/json", "{}"),
        ("application/json", r#"{"access_token":""}"#),
        ("application/json", r#"{"access_token":null}"#),
        ("application/json", "null"),
        ("application/json", ""),
        ("text/html", "<html>Welcome</html>"),
    ];
    for (content_type, body) in replies {
        let sandbox = one_person();
        sandbox.fault(
            Fault::on(Service::LibCal)
                .path("token")
                .answer(200, content_type, body),
        );
        assert_outage(&sandbox, &["LibCal did not issue a token (200 OK"]);
        assert_eq!(sandbox.count_of(Service::LibCal, "bookings"), 0, "{body}");
        assert_only_libcal_was_asked(&sandbox);
        sandbox.clear_faults();
        sync_after_outage(&sandbox);
        assert_eq!(sandbox.expected().len(), 1, "{body}");
    }
}

/// The query of each list request, by location.
fn questions(sandbox: &Sandbox) -> BTreeMap<String, Vec<(String, String)>> {
    let requests = sandbox.requests_to(Service::LibCal, "bookings").into_iter();
    let question = |seen: ReceivedRequest| {
        assert_eq!(seen.method, "GET");
        let mut query = seen.query;
        query.sort();
        let lid = query.iter().find(|(name, _)| name == "lid");
        (lid.expect("a lid").1.clone(), query)
    };
    requests.map(question).collect()
}

fn question(lid: &str, days: &str, date: Option<&str>) -> Vec<(String, String)> {
    let mut query = vec![("days", days)];
    query.extend(date.map(|date| ("date", date)));
    query.extend([
        ("formAnswers", "1"),
        ("form_answers", "1"),
        ("lid", lid),
        ("limit", "100"),
        ("page", "1"),
    ]);
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let mut query: Vec<_> = query.into_iter().map(owned).collect();
    query.sort();
    query
}

#[test]
fn every_location_is_asked_for_a_hundred_rows_with_answers_and_no_date() {
    let sandbox = one_person();
    good_sync(&sandbox);
    let asked = ["10332", "8827"].map(|lid| (lid.to_owned(), question(lid, "0", None)));
    assert_eq!(questions(&sandbox), BTreeMap::from(asked));
}

#[test]
fn the_days_of_the_configuration_and_the_date_of_the_command_line_are_asked_for() {
    let sandbox = one_person().config("LibCal.days", "3");
    let day = crate::support::day(9);
    let run = sandbox.run(&["sync", "--date", &day]);
    assert_eq!(run.code, 0, "{run:#?}");
    let date = Some(day.as_str());
    let asked = ["10332", "8827"].map(|lid| (lid.to_owned(), question(lid, "3", date)));
    assert_eq!(questions(&sandbox), BTreeMap::from(asked));
    assert_no_complaints(&sandbox);
}

#[test]
fn the_forms_answers_come_from_systems_of_either_spelling() {
    for spelling in [FormSpelling::Old, FormSpelling::New, FormSpelling::Both] {
        let sandbox = one_person();
        sandbox.world().form_spelling = spelling;
        good_sync(&sandbox);
        assert_eq!(sandbox.expected().len(), 1, "{spelling:?}");
    }
}

#[test]
fn the_token_stands_in_a_bearer_header_and_in_no_address() {
    let sandbox = one_person();
    good_sync(&sandbox);
    for seen in sandbox.requests_to(Service::LibCal, "bookings") {
        let header = seen.header("authorization").unwrap_or_default();
        let token = header.strip_prefix("Bearer ").expect("a bearer token");
        assert!(!seen.raw_target.contains(token));
    }
}

#[test]
fn a_token_that_expires_between_two_pages_is_renewed_once() {
    for denial in [Denial::ByStatus, Denial::ErrorIn200] {
        let sandbox = Arc::new(one_place());
        for n in 0..250 {
            sandbox.add_booking(Booking::new(&format!("cs_no_{n}")).status("Mediated Tentative"));
        }
        sandbox.add_booking(Booking::new("cs_last").by("G10000001").minutes(100, 160));
        sandbox.world().denial = denial;
        // The token and the first page come before.
        let world = Arc::clone(&sandbox);
        sandbox.on_request(Fault::at(3), true, move || world.world().expire_tokens());
        good_sync(&sandbox);
        assert_eq!(
            sandbox.count_of(Service::LibCal, "token"),
            2,
            "{denial:?}: one, and a second in its place"
        );
        let second = sandbox
            .requests_to(Service::LibCal, "bookings")
            .iter()
            .take(3)
            .filter(|seen| seen.parameter("page") == Some("2"))
            .count();
        assert_eq!(
            second, 2,
            "{denial:?}: with the old token, then with the new"
        );
        assert_eq!(sandbox.expected().len(), 2, "{denial:?}");
    }
}

#[test]
fn all_locations_share_one_new_token() {
    let sandbox = two_places();
    for lid in ["8827", "10332"] {
        sandbox.fault(list_of(lid).times(1).answer(401, "text/plain", "expired"));
    }
    // Neither list is answered before both were asked for with the first token.
    sandbox.latency(Duration::from_millis(100));
    good_sync(&sandbox);
    assert_eq!(sandbox.count_of(Service::LibCal, "token"), 2);
    assert_eq!(sandbox.expected().len(), 2);
}

#[test]
fn a_fresh_token_that_is_rejected_is_a_failure_and_not_a_loop() {
    let answers = [
        (401, "text/plain", "Unauthorized"),
        (200, "application/json", r#"{"error":"expired_token"}"#),
    ];
    for (status, content_type, body) in answers {
        let sandbox = one_place();
        sandbox.fault(list_of("8827").answer(status, content_type, body));
        assert_outage(&sandbox, &["LibCal", "Main Library (8827)"]);
        assert_eq!(sandbox.count_of(Service::LibCal, "token"), 2, "{status}");
        assert_eq!(sandbox.count_of(Service::LibCal, "bookings"), 2, "{status}");
        assert_only_libcal_was_asked(&sandbox);
    }
}

#[test]
fn a_location_that_rejects_every_token_leaves_the_other_working() {
    let sandbox = Sandbox::new().user(crate::sandbox::User::new("G10000001").barcode("21000001"));
    for n in 0..100 {
        sandbox.add_booking(Booking::new(&format!("cs_no_{n}")).status("Mediated Tentative"));
    }
    sandbox.add_booking(Booking::new("cs_1").by("G10000001"));
    sandbox.fault(list_of("10332").answer(401, "text/plain", "not yours"));
    // The other location has had its last word before the second page is asked for.
    sandbox.fault(list_of("8827").times(1).delay(Duration::from_millis(300)));
    let said = sync_during_outage(&sandbox);
    assert_says(&said, &["Science Library (10332)"]);
    assert!(!said.contains("Main Library"), "{said}");
    assert_eq!(sandbox.expected().len(), 1);
}

#[test]
fn a_list_that_cannot_be_read_fails_its_location_and_no_other() {
    let answers = [
        (400, "text/plain", "Location not found"),
        (400, "application/json", r#"{"error":"bad lid"}"#),
        (200, "application/json", r#"{"error":"bad lid"}"#),
        (403, "text/plain", "Forbidden"),
        (404, "text/html", "<h1>Not Found</h1>"),
        (500, "text/html", "<h1>Oh no</h1>"),
        (200, "text/html", "<h1>Maintenance</h1>"),
        (200, "application/json", ""),
        (200, "application/json", "null"),
        (200, "application/json", "{}"),
        (200, "application/json", r#"{"bookings":[]}"#),
        (200, "application/json", r#"[{"id":1},"#),
        (204, "", ""),
        (302, "text/html", "elsewhere"),
    ];
    for (status, content_type, body) in answers {
        let sandbox = two_places().config("Network.tries", "1");
        sandbox.fault(list_of("10332").answer(status, content_type, body));
        let case = format!("{status} {body:?}");
        assert_outage(&sandbox, &["LibCal", "Science Library (10332)"]);
        let main = [sandbox.visit("21000001", "LibCal Main", 30, 90)];
        assert_eq!(sandbox.expected(), main, "{case}");
        let said = sync_during_outage(&sandbox);
        assert!(!said.contains("Main Library"), "{case}: {said}");
        assert_eq!(said.lines().count(), 1, "{case}: {said}");

        sandbox.clear_faults();
        sync_after_outage(&sandbox);
        let science = sandbox.visit("21000001", "LibCal Science", 30, 90);
        let [main] = main;
        assert_eq!(sandbox.expected(), [main, science], "{case}");
    }
}

#[test]
fn a_list_that_breaks_off_or_never_comes_fails_its_location_and_no_other() {
    let broken: [fn(Fault) -> Fault; 4] = [
        Fault::cut_before,
        Fault::cut_after,
        Fault::half_answer,
        |fault| fault.hang(Duration::from_secs(30)),
    ];
    for break_off in broken {
        let sandbox = two_places()
            .config("Network.tries", "1")
            .config("Network.timeout_seconds", "1");
        sandbox.fault(break_off(list_of("10332")));
        assert_outage(&sandbox, &["LibCal", "Science Library (10332)"]);
        assert_eq!(
            sandbox.expected(),
            [sandbox.visit("21000001", "LibCal Main", 30, 90)]
        );
    }
}

#[test]
fn a_list_is_asked_for_again_after_a_temporary_failure() {
    for status in [429, 500, 503] {
        let sandbox = two_places();
        sandbox.fault(list_of("10332").times(1).answer(status, "text/plain", ""));
        good_sync(&sandbox);
        assert_eq!(sandbox.expected().len(), 2, "{status}");
        assert_eq!(sandbox.count_of(Service::LibCal, "bookings"), 3, "{status}");
    }
}

#[test]
fn what_libcal_says_of_an_error_is_not_repeated() {
    let sandbox = one_person().config("Network.tries", "1");
    let body = json!({"error": "No booking of Pat Example <pat@example.edu>"}).to_string();
    sandbox.fault(list_of("8827").answer(400, "application/json", body));
    let run = sandbox.run(&["-v", "sync"]);
    assert_eq!(run.code, 1, "{run:#?}");
    assert_says(&warnings(&run), &["LibCal", "Main Library (8827)"]);
    for word in ["Pat Example", "pat@example.edu"] {
        assert!(!run.stderr.contains(word), "{run:#?}");
    }
}

#[test]
fn the_same_row_without_an_id_in_the_lists_of_two_locations_is_a_visit_to_each() {
    let sandbox = with_ada();
    for lid in [8827, 10332] {
        let row = of_ada("cs_1").at(lid).with("cid", 1.into());
        let row = row.with("eid", 1.into()).without("id").without("lid");
        sandbox.add_booking(row);
    }
    // One list has a second page, and is read twice.
    for n in 0..100 {
        sandbox.add_booking(Booking::new(&format!("cs_no_{n}")).cancelled());
    }
    good_sync(&sandbox);
    let visit = |destination| sandbox.visit("21000001", destination, 30, 90);
    let expected = ["LibCal Main", "LibCal Science"].map(visit);
    assert_eq!(sandbox.expected(), expected);
}
