//! PassagePoint's pre-registrations, of which each must be made once.

use serde_json::{Value, json};

use crate::in_doubt::{IN_DOUBT, attempts, on_prereg};
use crate::sandbox::{Booking, Fault, Service};
use crate::support::{
    age_by_an_hour, assert_outage, assert_refusal, assert_says, count_refusals, count_rows,
    good_sync, one_person, sandbox_with_people, state_of, sync_after_outage, sync_during_outage,
    sync_needing_attention,
};

/// The appointments that are registered.
const REGISTERED: &str = "appts WHERE prereg_id IS NOT NULL";

#[test]
fn a_prereg_is_four_strings_with_the_times_in_unix_seconds() {
    let sandbox = one_person();
    good_sync(&sandbox);
    let requests = sandbox.requests_to(Service::PassagePoint, "createPreReg");
    assert_eq!(requests.len(), 1);
    let request = &requests[0];
    assert_eq!(request.method, "POST");
    assert_eq!(request.query, []);
    assert!(request.is_of_type("application/json"));
    let body: Value = serde_json::from_str(&request.body).expect("JSON");
    let wanted = json!({
        "startTime": (sandbox.now() + 1800).to_string(),
        "endTime": (sandbox.now() + 5400).to_string(),
        "visitorId": sandbox.world().visitors[0].id.to_string(),
        "destination": "LibCal Main",
    });
    assert_eq!(body, wanted);
}

#[test]
fn a_prereg_that_passagepoint_refuses_is_refused_for_an_hour() {
    for status in [400, 409, 422] {
        let sandbox = sandbox_with_people(2);
        // The second booking is of another time, by which the first is known.
        sandbox.remove_rows("cs_2");
        sandbox.add_booking(Booking::new("cs_2").by("G10000002").minutes(100, 160));
        let start = (sandbox.now() + 1800).to_string();
        let fault = on_prereg().when(move |seen| seen.body.contains(&start));
        sandbox.fault(fault.answer(status, "application/json", r#"{"error":"NO"}"#));
        assert_refusal(&sandbox, &[&status.to_string(), "G10000001", "cs_1"]);
        let other = sandbox.visit("21000002", "LibCal Main", 100, 160);
        assert_eq!(sandbox.expected(), [other], "{status}");
        assert_eq!(
            count_rows(&sandbox, IN_DOUBT),
            0,
            "{status}: no intent is left"
        );
        assert_eq!(count_rows(&sandbox, REGISTERED), 1, "{status}");
        assert_eq!(state_of(&sandbox, "cs_1"), "refused", "{status}");

        sandbox.clear_faults();
        age_by_an_hour(&sandbox);
        good_sync(&sandbox);
        assert_eq!(sandbox.expected().len(), 2, "{status}: asked again");
        assert_eq!(count_refusals(&sandbox), 0, "{status}");
        assert_eq!(state_of(&sandbox, "cs_1"), "registered", "{status}");
    }
}

#[test]
fn a_prereg_refused_again_after_an_hour_is_not_reported_again() {
    let sandbox = one_person();
    sandbox.fault(on_prereg().answer(400, "application/json", r#"{"error":"NO"}"#));
    assert_refusal(&sandbox, &["400", "cs_1"]);
    age_by_an_hour(&sandbox);
    sandbox.forget_requests();
    good_sync(&sandbox);
    assert_eq!(
        sandbox
            .requests_to(Service::PassagePoint, "createPreReg")
            .len(),
        1
    );
    sandbox.forget_requests();
    good_sync(&sandbox);
    assert_eq!(
        sandbox.requests_to(Service::PassagePoint, "").len(),
        0,
        "the hour begins anew"
    );
}

#[test]
fn an_unknown_destination_is_named_with_its_key_and_the_other_place_works() {
    let sandbox = one_person()
        .booking(Booking::new("cs_2").by("G10000001").at(10332))
        .config("PassagePoint.location_mapping.8827", "LibCal Attic");
    let says = ["LibCal Attic", "PassagePoint.location_mapping", "cs_1"];
    assert_refusal(&sandbox, &says);
    let science = sandbox.visit("21000001", "LibCal Science", 30, 90);
    assert_eq!(sandbox.expected(), [science]);
}

#[test]
fn a_row_of_a_location_without_a_destination_is_refused_and_named_with_the_key() {
    // LibCal lists in a location's list what is another location's: a row says itself whose it is.
    let sandbox = one_person().booking(
        Booking::new("cs_2")
            .by("G10000001")
            .minutes(100, 160)
            .with("lid", json!(999)),
    );
    let says = [
        "cs_2",
        "location 999, which has no destination",
        "add it to PassagePoint.location_mapping",
    ];
    assert_refusal(&sandbox, &says);
    assert_eq!(state_of(&sandbox, "cs_2"), "refused");
    let first = sandbox.visit("21000001", "LibCal Main", 30, 90);
    assert_eq!(sandbox.expected(), [first]);
    let told = sandbox.run(&["lookup-appt", "cs_2"]).stdout;
    assert_says(&told, &["refused", "has no destination"]);
}

#[test]
fn passagepoint_rejecting_us_is_an_outage() {
    for path in ["createVisitor", "createPreReg"] {
        let sandbox = one_person();
        let fault = Fault::on(Service::PassagePoint).path(path);
        sandbox.fault(fault.answer(403, "application/json", r#"{"error":"no right"}"#));
        assert_outage(&sandbox, &["PassagePoint", "403", "cs_1"]);
        assert_eq!(
            sandbox.requests_to(Service::PassagePoint, path).len(),
            1,
            "{path}"
        );
        assert_eq!(
            count_rows(&sandbox, IN_DOUBT),
            0,
            "{path}: nothing is in doubt"
        );
        assert_eq!(state_of(&sandbox, "cs_1"), "waiting", "{path}");

        sandbox.clear_faults();
        sync_after_outage(&sandbox);
        assert_eq!(sandbox.expected().len(), 1, "{path}");
    }
}

#[test]
fn a_5xx_for_a_prereg_is_not_retried_and_not_counted_and_after_three_in_a_row_tried_once_an_hour() {
    for status in [500, 502, 503] {
        let sandbox = one_person().config("Network.tries", "3");
        // As a server may that registers, and says otherwise.
        sandbox.fault(on_prereg().answer_after(status, "text/html", "<h1>Oh no</h1>"));
        assert_outage(&sandbox, &[&status.to_string(), "cs_1"]);
        for pass in 2..=3 {
            assert_eq!(attempts(&sandbox), 0, "{status}");
            assert_eq!(state_of(&sandbox, "cs_1"), "in doubt", "{status}");
            assert_outage(
                &sandbox,
                &["possibly registered twice", "cs_1", &status.to_string()],
            );
            assert_eq!(
                sandbox
                    .requests_to(Service::PassagePoint, "createPreReg")
                    .len(),
                pass
            );
        }
        let shown = sandbox.run(&["status"]).stdout;
        assert_says(&shown, &["; tried again once an hour"]);
        for hour in 1..=2 {
            for _ in 0..2 {
                let said = sync_during_outage(&sandbox);
                assert!(!said.contains("possibly registered twice"), "{said}");
                let hourly = "1 visit may or may not be registered; tried again once an hour";
                assert_says(&said, &[hourly, "cs_1", &status.to_string()]);
                assert!(!said.contains("next pass"), "{said}");
            }
            assert_eq!(
                sandbox
                    .requests_to(Service::PassagePoint, "createPreReg")
                    .len(),
                2 + hour
            );
            age_by_an_hour(&sandbox);
            assert_outage(&sandbox, &["possibly registered twice", "cs_1"]);
        }
        sandbox.forget_requests();
        sandbox.clear_faults();
        age_by_an_hour(&sandbox);
        let said = sync_needing_attention(&sandbox);
        assert_says(&said, &["possibly registered twice", "cs_1", "again after"]);
        assert_eq!(state_of(&sandbox, "cs_1"), "registered", "{status}");
        good_sync(&sandbox);
        assert_eq!(
            sandbox
                .requests_to(Service::PassagePoint, "createPreReg")
                .len(),
            1
        );
    }
}

#[test]
fn a_5xx_does_not_undo_the_attempts_before_it() {
    let sandbox = one_person();
    for (broken, counted) in [
        (on_prereg().cut_after(), 1),
        (on_prereg().answer(500, "text/html", ""), 1),
        (on_prereg().cut_after(), 2),
    ] {
        sandbox.clear_faults();
        sandbox.fault(broken);
        sync_during_outage(&sandbox);
        assert_eq!(attempts(&sandbox), counted);
    }
}

#[test]
fn a_prereg_that_came_too_soon_or_with_an_old_token_is_asked_again() {
    for status in [429, 401] {
        let sandbox = one_person();
        sandbox.fault(on_prereg().times(1).answer(status, "text/plain", ""));
        good_sync(&sandbox);
        assert_eq!(
            sandbox
                .requests_to(Service::PassagePoint, "createPreReg")
                .len(),
            2,
            "{status}"
        );
        assert_eq!(sandbox.expected().len(), 1, "{status}");
    }
}

#[test]
fn a_server_that_is_not_there_leaves_nothing_in_doubt() {
    let sandbox = one_person();
    good_sync(&sandbox);
    sandbox.add_booking(Booking::new("cs_2").by("G10000001").minutes(100, 160));
    sandbox.stop(Service::PassagePoint);
    assert_outage(&sandbox, &["PassagePoint is not responding", "cs_2"]);
    assert_eq!(count_rows(&sandbox, IN_DOUBT), 0);
    assert_eq!(count_rows(&sandbox, REGISTERED), 1);
    assert_eq!(state_of(&sandbox, "cs_2"), "waiting");
    sandbox.start(Service::PassagePoint);
    sync_after_outage(&sandbox);
    assert_eq!(sandbox.expected().len(), 2);
}

#[test]
fn a_stored_visitor_that_is_gone_is_found_again_in_the_same_pass() {
    let sandbox = one_person();
    good_sync(&sandbox);
    sandbox.world().visitors.clear();
    sandbox.world().preregs.clear();
    sandbox.add_booking(Booking::new("cs_2").by("G10000001").minutes(100, 160));
    sandbox.add_booking(Booking::new("cs_3").by("G10000001").minutes(200, 260));
    sandbox.forget_requests();
    good_sync(&sandbox);
    let expected = [
        sandbox.visit("21000001", "LibCal Main", 100, 160),
        sandbox.visit("21000001", "LibCal Main", 200, 260),
    ];
    assert_eq!(sandbox.expected(), expected);
    assert_eq!(
        sandbox
            .requests_to(Service::PassagePoint, "createVisitor")
            .len(),
        1
    );
    assert_eq!(
        sandbox
            .requests_to(Service::PassagePoint, "createPreReg")
            .len(),
        3
    );
    assert_eq!(count_refusals(&sandbox), 0);
    let stored: String = sandbox
        .cache()
        .query_row("SELECT visitor_id FROM users", [], |row| row.get(0))
        .expect("one user");
    assert_eq!(stored, sandbox.world().visitors[0].id.to_string());
}

#[test]
fn a_stored_visitor_that_was_recreated_by_hand_is_found() {
    let sandbox = one_person();
    good_sync(&sandbox);
    sandbox.world().visitors.clear();
    let id = sandbox.add_visitor("21000001");
    sandbox.add_booking(Booking::new("cs_2").by("G10000001").minutes(100, 160));
    good_sync(&sandbox);
    let last = sandbox.world().preregs.last().cloned();
    assert_eq!(last.map(|prereg| prereg.visitor_id), Some(id));
}

#[test]
fn a_refused_visit_is_reported_though_another_of_its_booking_is_registered() {
    let sandbox = one_person().booking(Booking::new("cs_1").by("G10000001").minutes(200, 260));
    let start = (sandbox.now() + 1800).to_string();
    let fault = on_prereg().when(move |seen| seen.body.contains(&start));
    sandbox.fault(fault.answer(422, "application/json", r#"{"error":"NO"}"#));
    assert_refusal(&sandbox, &["422", "cs_1"]);
    assert_eq!(sandbox.expected().len(), 1);
    assert_eq!(count_rows(&sandbox, "appts WHERE state = 'refused'"), 1);
    assert_eq!(count_rows(&sandbox, REGISTERED), 1);
}
