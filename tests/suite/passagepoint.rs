//! PassagePoint: the login, and visitors.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::sandbox::{Booking, Denial, Fault, Sandbox, Service, User, VisitorList};
use crate::support::{
    age_by_an_hour, assert_outage, assert_refusal, assert_says, count_refusals, count_rows,
    good_sync, one_person, query_texts, sandbox_with_people, state_of, sync_after_outage,
    sync_during_outage, sync_needing_attention,
};

const ALREADY: &str = r#"{"error":{"code":"ALREADY_EXIST_UNIQUE_ID"}}"#;

/// How many visits were asked for, or were about to be, without an outcome.
fn intents(sandbox: &Sandbox) -> i64 {
    count_rows(sandbox, "appts WHERE asked_ends_at IS NOT NULL")
}

fn on(path: &str) -> Fault {
    Fault::on(Service::PassagePoint).path(path)
}

/// The creation of the first person's visitor.
fn on_first_visitor() -> Fault {
    on("createVisitor").when(|seen| seen.parameter("uniqueId") == Some("21000001"))
}

#[test]
fn the_login_is_json_and_its_token_a_header_of_all_that_follows() {
    let sandbox = one_person();
    good_sync(&sandbox);
    let logins = sandbox.requests_to(Service::PassagePoint, "auth/login");
    assert_eq!(logins.len(), 1);
    assert_eq!(logins[0].method, "POST");
    assert!(logins[0].is_of_type("application/json"));
    let body: Value = serde_json::from_str(&logins[0].body).expect("JSON");
    let world = sandbox.world();
    let wanted = json!({"username": world.username, "password": world.password});
    drop(world);
    assert_eq!(body, wanted);
    for path in ["person/createVisitor", "visit/createPreReg"] {
        let requests = sandbox.requests_to(Service::PassagePoint, path);
        assert_eq!(requests.len(), 1, "{path}");
        let token = requests[0].header("token").expect("a token");
        assert!(!requests[0].raw_target.contains(token));
    }
}

#[test]
fn a_login_that_is_rejected_names_its_keys_and_leaves_no_intent() {
    for (denial, answered) in [
        (Denial::ByStatus, "rejected the login (401 Unauthorized"),
        (
            Denial::ErrorIn200,
            "rejected the login (200 OK with an error)",
        ),
    ] {
        let sandbox = sandbox_with_people(4).config("PassagePoint.password", "not-the-password");
        sandbox.world().denial = denial;
        let keys = "check PassagePoint.username and PassagePoint.password";
        let says = [answered, keys, "cs_1"];
        assert_outage(&sandbox, &says);
        assert_eq!(
            sandbox.requests_to(Service::PassagePoint, "").len(),
            1,
            "one login for all"
        );
        assert_eq!(intents(&sandbox), 0, "{denial:?}");
        let waiting = count_rows(&sandbox, "appts WHERE state = 'waiting'");
        assert_eq!(waiting, 4, "{denial:?}");
        assert_eq!(sandbox.expected(), [], "{denial:?}");
        let said = sync_during_outage(&sandbox);
        assert_says(&said, &says);
        assert!(!said.contains("not-the-password"), "{said}");
        assert!(!said.contains("door-clerk"), "{said}");
        assert_eq!(said.lines().count(), 1, "one cause is one line: {said}");

        let password = sandbox.world().password.clone();
        sandbox.set_config("PassagePoint.password", &json!(password).to_string());
        sync_after_outage(&sandbox);
        assert_eq!(sandbox.expected().len(), 4, "{denial:?}");
    }
}

#[test]
fn a_login_that_is_rejected_leaves_no_intent_of_a_known_user_either() {
    for denial in [Denial::ByStatus, Denial::ErrorIn200] {
        let sandbox = one_person();
        good_sync(&sandbox);
        sandbox.add_booking(Booking::new("cs_2").by("G10000001").minutes(100, 160));
        sandbox.world().denial = denial;
        sandbox.world().password = "changed".to_owned();
        let says = ["PassagePoint.username", "PassagePoint.password", "cs_2"];
        let first = sandbox.sync();
        assert_eq!((first.code, first.stderr.as_str()), (1, ""), "{denial:?}");
        // The second pass in a row that is rejected says so.
        assert_says(&sync_needing_attention(&sandbox), &says);
        assert_outage(&sandbox, &says);
        assert_eq!(intents(&sandbox), 0, "{denial:?}");
        assert_eq!(state_of(&sandbox, "cs_1"), "registered", "{denial:?}");
        assert_eq!(state_of(&sandbox, "cs_2"), "waiting", "{denial:?}");
    }
}

#[test]
fn a_login_without_a_token_is_an_outage() {
    let answers = [
        (200, "application/json", "{}"),
        (200, "application/json", "null"),
        (200, "application/json", ""),
        (200, "application/json", r#"{"token":""}"#),
        (200, "application/json", r#"{"token":null}"#),
        (200, "text/html", "<h1>Welcome</h1>"),
        (404, "text/html", "<h1>Not Found</h1>"),
        (403, "text/plain", "Forbidden"),
        (500, "text/html", "<h1>Oh no</h1>"),
    ];
    for (status, content_type, body) in answers {
        let sandbox = one_person().config("Network.tries", "1");
        sandbox.fault(on("auth/login").answer(status, content_type, body));
        assert_outage(&sandbox, &["PassagePoint", "cs_1"]);
        assert_eq!(
            sandbox.requests_to(Service::PassagePoint, "").len(),
            1,
            "{status} {body:?}"
        );
        assert_eq!(intents(&sandbox), 0, "{status} {body:?}");
        assert_eq!(state_of(&sandbox, "cs_1"), "waiting", "{status} {body:?}");
    }
}

#[test]
fn a_token_that_expires_in_the_middle_is_renewed_once_for_all() {
    for at in [14, 18, 22] {
        let sandbox = Arc::new(sandbox_with_people(8));
        let world = Arc::clone(&sandbox);
        sandbox.on_request(Fault::at(at), true, move || world.world().expire_tokens());
        good_sync(&sandbox);
        assert_eq!(
            sandbox
                .requests_to(Service::PassagePoint, "auth/login")
                .len(),
            2,
            "at request {at}: one, and a second in its place"
        );
        assert_eq!(sandbox.expected().len(), 8, "at request {at}");
        assert_eq!(sandbox.world().visitors.len(), 8, "at request {at}");
    }
}

#[test]
fn a_fresh_token_that_is_rejected_is_an_outage_and_not_a_loop() {
    for path in ["createVisitor", "createPreReg"] {
        let sandbox = one_person();
        sandbox.fault(on(path).answer(401, "application/json", r#"{"error":"no"}"#));
        assert_outage(&sandbox, &["PassagePoint", "401", "cs_1"]);
        assert_eq!(
            sandbox
                .requests_to(Service::PassagePoint, "auth/login")
                .len(),
            2,
            "{path}"
        );
        assert_eq!(
            sandbox.requests_to(Service::PassagePoint, path).len(),
            2,
            "{path}"
        );
        assert_eq!(intents(&sandbox), 0, "{path}: nothing is in doubt");
        assert_eq!(state_of(&sandbox, "cs_1"), "waiting", "{path}");

        sandbox.clear_faults();
        sync_after_outage(&sandbox);
        assert_eq!(sandbox.expected().len(), 1, "{path}");
    }
}

#[test]
fn a_visitor_is_made_with_six_parameters_and_no_body() {
    let sandbox = Sandbox::new()
        .user(User::new("G10000001").barcode("21000001").group("gw staff"))
        .booking(Booking::new("cs_1").by(" g10000001").person(
            "Zo\u{eb} & Co",
            "O'Example + S\u{f8}n",
            "zoe+door@example.edu",
        ));
    good_sync(&sandbox);
    let requests = sandbox.requests_to(Service::PassagePoint, "createVisitor");
    assert_eq!(requests.len(), 1);
    let request = &requests[0];
    assert_eq!((&*request.method, &*request.body), ("POST", ""));
    assert!(request.is_of_type("application/json"));
    assert!(!request.raw_target.contains('+'), "a space is %20");
    let mut query: Vec<_> = request
        .query
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    query.sort_unstable();
    let wanted = [
        ("category", "Staff"),
        ("email", "zoe+door@example.edu"),
        ("firstName", "Zo\u{eb} & Co"),
        ("lastName", "O'Example + S\u{f8}n"),
        ("mobilePhoneNo", "G10000001"),
        ("uniqueId", "21000001"),
    ];
    assert_eq!(query, wanted);
}

#[test]
fn a_missing_email_address_is_left_out() {
    let row = || Booking::new("cs_1").by("G10000001");
    for row in [
        row().without("email"),
        row().with("email", json!(null)),
        row().with("email", json!("")),
        row().with("email", json!("  ")),
    ] {
        let user = User::new("G10000001").barcode("21000001");
        let sandbox = Sandbox::new().user(user).booking(row);
        good_sync(&sandbox);
        let requests = sandbox.requests_to(Service::PassagePoint, "createVisitor");
        assert_eq!(requests[0].parameter("email"), None);
        assert_eq!(sandbox.world().visitors[0].email, None);
    }
}

#[test]
fn a_visitor_who_is_there_already_is_looked_up() {
    for status in [200, 400, 409, 500] {
        for list in [VisitorList::UnderData, VisitorList::Bare] {
            let sandbox = one_person();
            let id = sandbox.add_visitor("21000001");
            sandbox.world().already_exists_status = status;
            sandbox.world().visitor_list = list;
            good_sync(&sandbox);
            let case = format!("{status} {list:?}");
            assert_eq!(sandbox.world().visitors.len(), 1, "{case}");
            assert_eq!(sandbox.world().preregs[0].visitor_id, id, "{case}");
            assert_eq!(
                sandbox
                    .requests_to(Service::PassagePoint, "createVisitor")
                    .len(),
                1,
                "{case}"
            );
            let lookups = sandbox.requests_to(Service::PassagePoint, "byUniqueId");
            assert_eq!(lookups.len(), 1, "{case}");
            assert_eq!(lookups[0].parameter("uniqueId"), Some("21000001"));
        }
    }
}

#[test]
fn a_visitor_who_is_there_and_is_not_found_is_refused() {
    for list in [VisitorList::UnderData, VisitorList::Bare] {
        let sandbox = sandbox_with_people(2);
        sandbox.world().visitor_list = list;
        sandbox.fault(on_first_visitor().answer(400, "application/json", ALREADY));
        assert_refusal(
            &sandbox,
            &["does not return exactly one visitor", "G10000001", "cs_1"],
        );
        assert_eq!(sandbox.expected().len(), 1, "{list:?}: the other got in");
    }
}

#[test]
fn an_unreadable_list_of_visitors_is_an_outage() {
    let answers = [
        (200, "text/html", "<h1>Hello</h1>"),
        (200, "application/json", ""),
        (200, "application/json", "null"),
        (200, "application/json", r#"{"data":[{"name":"Pat"}]}"#),
        (200, "application/json", r#"{"data":[{"id":1.5}]}"#),
        (500, "text/html", "<h1>Oh no</h1>"),
        (403, "text/plain", ""),
    ];
    for (status, content_type, body) in answers {
        let sandbox = one_person().config("Network.tries", "1");
        sandbox.add_visitor("21000001");
        sandbox.fault(on("byUniqueId").answer(status, content_type, body));
        assert_outage(&sandbox, &["PassagePoint", "cs_1"]);
        assert_eq!(intents(&sandbox), 0, "{status} {body:?}");
        assert_eq!(state_of(&sandbox, "cs_1"), "waiting", "{status} {body:?}");
        sandbox.clear_faults();
        sync_after_outage(&sandbox);
        assert_eq!(sandbox.expected().len(), 1, "{status} {body:?}");
    }
}

#[test]
fn an_unreadable_answer_about_a_visitor_is_an_outage() {
    let answers = [
        (200, "text/html", "<h1>Hello</h1>"),
        (200, "application/json", ""),
        (200, "application/json", "null"),
        (200, "application/json", r#"{"data":[]}"#),
        (200, "application/json", r#"{"data":[],"error":null}"#),
        (200, "application/json", r#"{"data":[{"id":1.5}]}"#),
        (200, "application/json", r#"{"data":[{"id":-7}]}"#),
        (200, "application/json", r#"{"data":[{"id":" "}]}"#),
        (500, "text/html", "<h1>Oh no</h1>"),
        (403, "text/plain", "Forbidden"),
    ];
    for (status, content_type, body) in answers {
        let sandbox = one_person().config("Network.tries", "1");
        sandbox.fault(on("createVisitor").answer_after(status, content_type, body));
        assert_outage(&sandbox, &["PassagePoint", "cs_1"]);
        assert_eq!(intents(&sandbox), 0, "{status} {body:?}");
        assert_eq!(state_of(&sandbox, "cs_1"), "waiting", "{status} {body:?}");

        // The visitor was made all the same, and is found.
        sandbox.clear_faults();
        sync_after_outage(&sandbox);
        assert_eq!(sandbox.expected().len(), 1, "{status} {body:?}");
        assert_eq!(sandbox.world().visitors.len(), 1, "{status} {body:?}");
    }
}

#[test]
fn ids_are_kept_to_the_last_digit() {
    let sandbox = one_person();
    // One more than what a float of 64 bits can hold.
    let id = 9_007_199_254_740_993;
    sandbox.add_visitor("21000001");
    sandbox.world().visitors[0].id = id;
    good_sync(&sandbox);
    assert_eq!(sandbox.world().preregs[0].visitor_id, id);
    let sql = "SELECT users.visitor_id, appts.visitor_id, prereg_id FROM users JOIN appts USING (primary_id)";
    let texts = |row: &rusqlite::Row<'_>| Ok([row.get(0)?, row.get(1)?, row.get(2)?]);
    let stored: [String; 3] = sandbox.cache().query_row(sql, [], texts).unwrap();
    let prereg_id = sandbox.world().preregs[0].id;
    assert!(prereg_id > 100_000_000_000_000, "it has 15 digits");
    assert_eq!(
        stored,
        [id.to_string(), id.to_string(), prereg_id.to_string()]
    );
}

#[test]
fn an_id_that_is_a_text_is_taken_without_the_space_around_it() {
    let sandbox = one_person();
    for (path, id) in [("createVisitor", " V-137 "), ("createPreReg", " P-138 ")] {
        let body = json!({"data": [{"id": id}]}).to_string();
        sandbox.fault(on(path).answer(200, "application/json", body));
    }
    let run = sandbox.sync();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let asked = sandbox.requests_to(Service::PassagePoint, "createPreReg");
    let body: Value = serde_json::from_str(&asked[0].body).expect("JSON");
    assert_eq!(body["visitorId"], "V-137");
    let ids = query_texts(&sandbox, "SELECT visitor_id || ' ' || prereg_id FROM appts");
    assert_eq!(ids, ["V-137 P-138"]);
}

#[test]
fn a_visitor_that_passagepoint_refuses_is_refused_for_an_hour() {
    for status in [400, 409, 422] {
        let sandbox = sandbox_with_people(2);
        sandbox.fault(on_first_visitor().answer(
            status,
            "application/json",
            r#"{"error":"BAD_NAME"}"#,
        ));
        assert_refusal(&sandbox, &[&status.to_string(), "G10000001", "cs_1"]);
        let other = sandbox.visit("21000002", "LibCal Main", 30, 90);
        assert_eq!(sandbox.expected(), [other], "{status}");

        sandbox.clear_faults();
        age_by_an_hour(&sandbox);
        good_sync(&sandbox);
        assert_eq!(sandbox.expected().len(), 2, "{status}: asked again");
        assert_eq!(count_refusals(&sandbox), 0, "{status}");
    }
}
