//! Alma's errors: a user who does not exist, and errors that say nothing about a user.

use serde_json::json;

use crate::sandbox::{Booking, Fault, NotFoundShape, ReceivedRequest, Sandbox, Service, User};
use crate::support::{
    age_by_an_hour, assert_outage, assert_refusal, assert_says, count_rows, good_sync, one_person,
    sandbox_with_people, state_of, sync_after_outage, sync_during_outage, sync_needing_attention,
};

const SHAPES: [NotFoundShape; 6] = [
    NotFoundShape::Json400,
    NotFoundShape::Json404,
    NotFoundShape::ErrorObject,
    NotFoundShape::Wrapped,
    NotFoundShape::Xml400,
    NotFoundShape::TypedIdentifier,
];

/// The documented shape of an error.
fn error(code: &str) -> String {
    let error = json!({"errorCode": code, "errorMessage": "made up", "trackingId": "E01-1"});
    json!({"errorsExist": true, "errorList": {"error": [error]}, "result": null}).to_string()
}

/// Only requests with the key of this zone.
fn with_key(sandbox: &Sandbox, zone: usize) -> Fault {
    let key = sandbox.world().alma_keys[zone].clone();
    let has_key = move |seen: &ReceivedRequest| {
        let header = seen.header("authorization");
        header.is_some_and(|header| header.contains(&key))
    };
    Fault::on(Service::Alma).when(has_key)
}

/// How many requests came with the key of this zone.
fn count_with_key(sandbox: &Sandbox, zone: usize) -> usize {
    let header = format!("apikey {}", sandbox.world().alma_keys[zone]);
    let mut requests = sandbox.requests();
    requests.retain(|seen| seen.header("authorization") == Some(&header));
    requests.len()
}

/// Runs a pass after an outage that was reported: it says that this is over, and refuses somebody. The next pass says
/// nothing and asks LibCal only.
fn refusal_after_outage(sandbox: &Sandbox, over: &str, says: &[&str]) {
    let said = sync_needing_attention(sandbox);
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said:?}");
    assert_eq!(
        lines[0],
        format!("warning: {over} again after less than 1 min")
    );
    assert_says(lines[1], says);
    sandbox.forget_requests();
    good_sync(sandbox);
    let asked = sandbox.count(Service::Alma) + sandbox.count(Service::PassagePoint);
    assert_eq!(asked, 0, "a refusal is remembered: {said:?}");
}

/// The ways in which a key is rejected.
const REJECTIONS: [(u16, &str); 5] = [
    (400, "UNAUTHORIZED"),
    (403, "UNAUTHORIZED"),
    (403, "FORBIDDEN"),
    (403, "INVALID_REQUEST"),
    (401, "UNAUTHORIZED"),
];

#[test]
fn a_user_who_is_not_there_is_refused_in_every_shape_of_the_answer() {
    for shape in SHAPES {
        let sandbox = one_person().booking(Booking::new("cs_404").by("G404"));
        sandbox.world().not_found_shape = shape;
        assert_refusal(&sandbox, &["not in Alma", "G404", "cs_404"]);
        assert_eq!(sandbox.expected().len(), 1, "{shape:?}");

        age_by_an_hour(&sandbox);
        sandbox.add_user(User::new("G404").barcode("21000404"));
        good_sync(&sandbox);
        assert_eq!(sandbox.expected().len(), 2, "{shape:?}: asked again");
    }
}

#[test]
fn a_user_of_the_second_zone_is_found_in_every_shape_of_the_firsts_answer() {
    for shape in SHAPES {
        let sandbox = Sandbox::new()
            .user(User::new("G10000001").barcode("21000001").zone(1))
            .booking(Booking::new("cs_1").by("G10000001"));
        sandbox.world().not_found_shape = shape;
        good_sync(&sandbox);
        assert_eq!(sandbox.expected().len(), 1, "{shape:?}");
    }
}

#[test]
fn an_answer_that_says_nothing_about_the_user_is_an_outage() {
    let xml = "<?xml version=\"1.0\"?><web_service_result><errorsExist>true</errorsExist><errorList>\
               <error><errorCode>402119</errorCode></error></errorList></web_service_result>";
    let other = error("402119");
    let answers = [
        (400, "text/plain", "Bad Request"),
        (400, "application/xml", xml),
        (400, "application/json", &other),
        (400, "application/json", "{}"),
        (400, "", ""),
        (404, "text/html", "<html><h1>Not Found</h1></html>"),
        (404, "", ""),
        (500, "application/json", &other),
        (200, "text/html", "<html><h1>Maintenance</h1></html>"),
        (200, "application/json", "{}"),
        (200, "application/json", "null"),
        (200, "application/json", "[]"),
        (200, "application/json", ""),
        (200, "application/json", &other),
    ];
    for (status, content_type, body) in answers {
        let sandbox = one_person()
            .user(User::new("G10000002").barcode("21000002"))
            .booking(Booking::new("cs_2").by("G10000002"))
            .config("Network.tries", "1");
        sandbox.fault(Fault::on(Service::Alma).path("G10000001").answer(
            status,
            content_type,
            body,
        ));
        let case = format!("{status} {body:?}");
        assert_outage(&sandbox, &["Alma", "cs_1"]);
        let other = sandbox.visit("21000002", "LibCal Main", 30, 90);
        assert_eq!(sandbox.expected(), [other], "{case}");
        assert_eq!(state_of(&sandbox, "cs_1"), "waiting", "{case}");
        assert_eq!(state_of(&sandbox, "cs_2"), "registered", "{case}");

        sandbox.clear_faults();
        sync_after_outage(&sandbox);
        assert_eq!(sandbox.expected().len(), 2, "{case}: tried again");
    }
}

#[test]
fn an_outage_of_the_first_zone_does_not_make_a_user_unknown() {
    let sandbox = Sandbox::new().booking(Booking::new("cs_1").by("G404"));
    sandbox.set_config("Network.tries", "1");
    sandbox.fault(with_key(&sandbox, 0).answer(503, "text/plain", ""));
    assert_outage(&sandbox, &["Alma", "503", "cs_1"]);
    assert_eq!(count_with_key(&sandbox, 1), 1, "the second zone is asked");
    sandbox.clear_faults();
    refusal_after_outage(&sandbox, "Alma is responding", &["not in Alma", "G404"]);
}

#[test]
fn a_key_that_is_rejected_is_named_by_its_place_and_asked_with_once() {
    for (status, code) in REJECTIONS {
        let sandbox = sandbox_with_people(3).config("Network.concurrency", "1");
        let fault = with_key(&sandbox, 0);
        sandbox.fault(fault.answer(status, "application/json", error(code)));
        let says = ["Alma rejected API key 1 (", "Alma.apikeys", "cs_1", "cs_3"];
        assert_outage(&sandbox, &says);
        assert_eq!(sandbox.expected(), [], "{status} {code}");
        assert_eq!(count_with_key(&sandbox, 0), 1, "{status} {code}");
        assert_eq!(count_with_key(&sandbox, 1), 3, "{status} {code}");

        sandbox.clear_faults();
        sync_after_outage(&sandbox);
        assert_eq!(sandbox.expected().len(), 3, "{status} {code}");
    }
}

#[test]
fn a_key_rejected_without_an_error_code_counts_as_rejected_too() {
    for status in [401, 403] {
        for body in ["", "{}"] {
            let sandbox = one_person();
            let fault = with_key(&sandbox, 0);
            sandbox.fault(fault.answer(status, "application/json", body));
            assert_outage(
                &sandbox,
                &["Alma rejected API key 1 (", "check Alma.apikeys"],
            );
        }
    }
}

#[test]
fn an_error_in_a_success_is_the_error_that_it_names() {
    let sandbox = one_person();
    sandbox.fault(Fault::on(Service::Alma).answer(200, "application/json", error("401861")));
    assert_refusal(&sandbox, &["not in Alma", "G10000001", "cs_1"]);
}

#[test]
fn a_wrong_second_key_is_named_by_its_place() {
    let sandbox = one_person().booking(Booking::new("cs_2").by("G404"));
    let first = sandbox.world().alma_keys[0].clone();
    let keys = json!([first, "not-a-key"]).to_string();
    sandbox.set_config("Alma.apikeys", &keys);
    assert_outage(&sandbox, &["Alma rejected API key 2 (", "cs_2"]);
    let said = sync_during_outage(&sandbox);
    assert_says(&said, &["API key 2", "cs_2"]);
    assert!(!said.contains("not-a-key"), "{said}");
    assert_eq!(sandbox.expected().len(), 1, "key 1 finds its users");
}

#[test]
fn a_user_of_the_second_zone_gets_in_while_the_first_key_is_rejected() {
    for (status, code) in REJECTIONS {
        let sandbox = one_person()
            .user(User::new("G10000002").barcode("21000002").zone(1))
            .booking(Booking::new("cs_2").by("G10000002"))
            .booking(Booking::new("cs_404").by("G404"));
        let fault = with_key(&sandbox, 0);
        sandbox.fault(fault.answer(status, "application/json", error(code)));
        assert_outage(&sandbox, &["Alma rejected API key 1 (", "cs_1", "cs_404"]);
        let second = sandbox.visit("21000002", "LibCal Main", 30, 90);
        assert_eq!(sandbox.expected(), [second], "{status} {code}");

        sandbox.clear_faults();
        refusal_after_outage(&sandbox, "Alma accepts API key 1", &["not in Alma", "G404"]);
        assert_eq!(sandbox.expected().len(), 2, "{status} {code}");
    }
}

#[test]
fn a_key_that_is_rejected_is_reported_by_the_second_pass_even_if_everybody_was_found() {
    let sandbox = Sandbox::new()
        .user(User::new("G10000002").barcode("21000002").zone(1))
        .booking(Booking::new("cs_2").by("G10000002"));
    let fault = with_key(&sandbox, 0);
    sandbox.fault(fault.answer(403, "application/json", error("FORBIDDEN")));
    let first = sandbox.sync();
    assert_eq!((first.code, first.stderr.as_str()), (1, ""));
    assert_eq!(sandbox.expected().len(), 1);
    let cause = "Alma rejected API key 1 (403 Forbidden): check Alma.apikeys";
    assert_eq!(
        sync_needing_attention(&sandbox),
        format!("error: {cause}\n")
    );
    let third = sandbox.sync();
    assert_eq!((third.code, third.stderr.as_str()), (1, ""), "once a day");

    sandbox.clear_faults();
    sync_after_outage(&sandbox);
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 1);
}

#[test]
fn too_many_requests_in_a_second_are_retried() {
    let answers = [
        ("application/json", error("PER_SECOND_THRESHOLD")),
        ("text/plain", "PER_SECOND_THRESHOLD".to_owned()),
        ("", String::new()),
    ];
    for (content_type, body) in answers {
        let sandbox = one_person();
        let fault = Fault::on(Service::Alma).times(1);
        sandbox.fault(fault.answer(429, content_type, &*body));
        good_sync(&sandbox);
        assert_eq!(sandbox.count(Service::Alma), 2, "{body:?}");
        assert_eq!(sandbox.expected().len(), 1, "{body:?}");
    }
}

#[test]
fn a_day_with_too_many_requests_ends_the_asking_with_that_key_in_every_shape_of_the_answer() {
    let xml = "<web_service_result xmlns=\"http://com/exlibris/urm/general/xmlbeans\"><errorsExist>true</errorsExist>\
               <errorList><error><errorCode>DAILY_THRESHOLD</errorCode><errorMessage>made up</errorMessage>\
               </error></errorList></web_service_result>";
    for (content_type, body) in [
        ("application/json", error("DAILY_THRESHOLD")),
        ("application/xml", xml.to_owned()),
        (
            "application/xml",
            xml.replace("errorCode>", "ns:errorCode>"),
        ),
        ("text/plain", "DAILY_THRESHOLD".to_owned()),
        ("text/plain", "Error: DAILY_THRESHOLD reached.".to_owned()),
    ] {
        let sandbox = sandbox_with_people(4)
            .user(User::new("G20000001").barcode("22000001").zone(1))
            .booking(Booking::new("cs_other").by("G20000001"))
            .config("Network.concurrency", "1");
        let fault = with_key(&sandbox, 0);
        sandbox.fault(fault.answer(429, content_type, body.as_str()));
        let cause = "Alma's daily request limit for API key 1 is used up; 4 visits wait";
        assert_outage(&sandbox, &[cause, "cs_1", "cs_4"]);
        assert_eq!(count_with_key(&sandbox, 0), 1, "once in this pass: {body}");
        assert_eq!(
            sandbox.expected(),
            [sandbox.visit("22000001", "LibCal Main", 30, 90)]
        );

        sandbox.clear_faults();
        sync_after_outage(&sandbox);
        assert_eq!(sandbox.expected().len(), 5, "the next pass asks again");
    }
}

#[test]
fn a_question_without_an_answer_is_retried_and_then_an_outage() {
    let broken: [fn(Fault) -> Fault; 3] = [Fault::cut_before, Fault::cut_after, Fault::half_answer];
    for break_off in broken {
        let sandbox = one_person();
        sandbox.fault(break_off(Fault::on(Service::Alma).times(1)));
        good_sync(&sandbox);
        assert_eq!(sandbox.count(Service::Alma), 2);

        let sandbox = one_person().config("Network.tries", "1");
        sandbox.fault(break_off(Fault::on(Service::Alma)));
        assert_outage(&sandbox, &["Alma is not responding", "cs_1"]);
        assert_eq!(state_of(&sandbox, "cs_1"), "waiting");
        assert_eq!(
            count_rows(&sandbox, "appts WHERE asked_ends_at IS NOT NULL"),
            0
        );
    }
}

#[test]
fn a_key_that_is_denied_access_twelve_times_in_a_row_is_not_asked_with_again() {
    let sandbox = sandbox_with_people(15).config("Network.concurrency", "1");
    let fault = with_key(&sandbox, 0);
    sandbox.fault(fault.answer(403, "text/html", "<html>Forbidden</html>"));
    sync_during_outage(&sandbox);
    assert_eq!(count_with_key(&sandbox, 0), 12);
    assert_eq!(count_with_key(&sandbox, 1), 15);
}

#[test]
fn a_late_answer_does_not_reopen_a_rejected_key() {
    let sandbox = Sandbox::new().config("Network.concurrency", "2");
    sandbox.add_booking(Booking::new("cs_1").by("abc1").minutes(30, 60));
    sandbox.add_booking(Booking::new("cs_2").by("G2").minutes(100, 160));
    let first = with_key(&sandbox, 0).path("abc1").times(1);
    sandbox.fault(first.delay(std::time::Duration::from_millis(500)));
    let second = with_key(&sandbox, 0).path("G2");
    sandbox.fault(second.answer(401, "application/json", error("UNAUTHORIZED")));
    sync_during_outage(&sandbox);
    // Not for the upper case of the first ID.
    assert_eq!(count_with_key(&sandbox, 0), 2);
}
