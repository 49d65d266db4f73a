//! LibCal's rows: the ID as people type it, times, and rows that cannot be read.

use serde_json::{Value, json};

use crate::sandbox::{Booking, Expected, Fault, Sandbox, Service, User};
use crate::support::{
    assert_no_complaints, assert_refusal, assert_says, good_sync, of_ada, one_person, state_of,
    sync_needing_attention,
};

/// A good booking after whatever the test puts before it.
fn and_a_good_one(sandbox: Sandbox) -> Sandbox {
    sandbox
        .user(User::new("G10000001").barcode("21000001"))
        .booking(Booking::new("cs_good").by("G10000001"))
}

/// One pass tells of what is wrong and registers the good booking; the next is quiet.
fn assert_told_once_beside_a_good_one(sandbox: Sandbox, says: &[&str]) {
    let sandbox = and_a_good_one(sandbox);
    assert_refusal(&sandbox, says);
    let good = sandbox.visit("21000001", "LibCal Main", 30, 90);
    assert_eq!(sandbox.expected(), [good]);
}

#[test]
fn an_id_is_found_however_it_was_typed() {
    let typed = [
        json!("G10000001"),
        json!("g10000001"),
        json!("  G10000001 "),
        json!("\tg10000001\n"),
        json!("\u{a0}G10000001"),
    ];
    for answer in typed {
        let sandbox = Sandbox::new()
            .user(User::new("G10000001").barcode("21000001"))
            .booking(Booking::new("cs_1").answer(answer.clone()));
        good_sync(&sandbox);
        assert_eq!(sandbox.expected().len(), 1, "{answer}");
        let asked = sandbox.requests();
        let asked = asked.iter().filter(|seen| seen.service == Service::Alma);
        let asked: Vec<_> = asked.map(|seen| seen.path.to_uppercase()).collect();
        assert_eq!(asked, ["/ALMAWS/V1/USERS/G10000001"], "{answer}");
    }
}

#[test]
fn an_id_that_is_a_number_is_found() {
    let sandbox = Sandbox::new()
        .user(User::new("20000001").barcode("21000001"))
        .booking(Booking::new("cs_1").answer(json!(20_000_001)));
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 1);
}

#[test]
fn a_form_without_an_id_is_reported_once_and_stops_nobody_else() {
    let answers = [
        json!(null),
        json!(""),
        json!("   "),
        json!(["G10000001"]),
        json!([]),
        json!({"value": "G10000001"}),
        json!(true),
    ];
    let forms = answers.map(|answer| Booking::new("cs_blank").answer(answer));
    for form in forms
        .into_iter()
        .chain([Booking::new("cs_blank").no_answer()])
    {
        let says = ["no primary ID on the booking form", "cs_blank"];
        assert_told_once_beside_a_good_one(Sandbox::new().booking(form), &says);
    }
}

#[test]
fn a_row_without_a_location_is_of_the_location_that_was_asked_for() {
    for row in [
        Booking::new("cs_1").at(10332).without("lid"),
        Booking::new("cs_1").at(10332).with("lid", json!(null)),
        Booking::new("cs_1").at(10332).with("lid", json!("10332")),
    ] {
        let sandbox = Sandbox::new()
            .user(User::new("G10000001").barcode("21000001"))
            .booking(row.by("G10000001"));
        good_sync(&sandbox);
        let visit = sandbox.visit("21000001", "LibCal Science", 30, 90);
        assert_eq!(sandbox.expected(), [visit]);
    }
}

#[test]
fn times_count_with_the_offset_they_are_given_in() {
    const START: i64 = 4_090_834_800; // 2099-08-19 15:00 UTC
    let spellings = [
        ("2099-08-19T11:00:00-04:00", "2099-08-19T12:00:00-04:00"),
        ("2099-08-19T10:00:00-05:00", "2099-08-19T11:00:00-05:00"),
        ("2099-08-19T15:00:00Z", "2099-08-19T16:00:00Z"),
        ("2099-08-19T15:00:00+00:00", "2099-08-19T16:00:00+00:00"),
        ("2099-08-19T15:00:00+0000", "2099-08-19T16:00:00+0000"),
        // The clocks go back while the visit lasts.
        ("2099-08-19T11:00:00-04:00", "2099-08-19T11:00:00-05:00"),
    ];
    for (from, to) in spellings {
        let sandbox = Sandbox::new()
            .user(User::new("G10000001").barcode("21000001"))
            .booking(
                Booking::new("cs_1")
                    .by("G10000001")
                    .with("fromDate", from.into())
                    .with("toDate", to.into()),
            );
        good_sync(&sandbox);
        let visit = Expected::new("21000001", "LibCal Main", START, START + 3600);
        assert_eq!(sandbox.expected(), [visit], "{from} to {to}");
    }
}

#[test]
fn rows_of_one_visit_in_two_spellings_of_a_time_are_one_visit() {
    let utc = |minutes: i64, sandbox: &Sandbox| {
        let time = chrono::DateTime::from_timestamp(sandbox.now() + minutes * 60, 0);
        let time = time.expect("a time").format("%Y-%m-%dT%H:%M:%SZ");
        Value::from(time.to_string())
    };
    let sandbox = one_person();
    let (from, to) = (utc(30, &sandbox), utc(90, &sandbox));
    sandbox.add_booking(
        Booking::new("cs_1")
            .by("G10000001")
            .with("fromDate", from)
            .with("toDate", to),
    );
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 1);
}

#[test]
fn what_is_not_a_row_at_all_is_reported_once_and_spoils_nothing() {
    for row in [
        json!(null),
        json!(7),
        json!("row"),
        json!(true),
        json!([]),
        json!({}),
        json!([{"bookId": "cs_bad"}]),
    ] {
        let says = ["unreadable row", "location 8827"];
        assert_told_once_beside_a_good_one(Sandbox::new().raw_row(8827, row), &says);
    }
}

#[test]
fn a_row_that_lacks_what_a_visit_needs_is_reported_once_and_spoils_nothing() {
    let bad = || Booking::new("cs_bad").by("G10000002");
    let cases = [
        (bad().without("fromDate"), "fromDate"),
        (bad().with("fromDate", json!(null)), "fromDate"),
        (bad().with("fromDate", json!("today")), "fromDate"),
        (bad().with("fromDate", json!(1_790_000_000)), "fromDate"),
        (
            bad().with("fromDate", json!("2099-02-30T11:00:00-05:00")),
            "fromDate",
        ),
        // Without an offset it could be any of several times.
        (
            bad().with("fromDate", json!("2099-08-19T11:00:00")),
            "fromDate",
        ),
        (bad().without("toDate"), "toDate"),
        (bad().with("toDate", json!("2099-08-19")), "toDate"),
        (bad().minutes(90, 30), "toDate is not after"),
        (bad().minutes(60, 60), "toDate is not after"),
        (bad().without("status"), "status"),
        (bad().with("status", json!(["Confirmed"])), "status"),
    ];
    for (row, what) in cases {
        let says = ["unreadable row", "cs_bad", what];
        assert_told_once_beside_a_good_one(Sandbox::new().booking(row), &says);
    }
}

#[test]
fn a_row_without_a_booking_is_reported_by_its_number() {
    for row in [
        Booking::new("").without("bookId"),
        Booking::new("").with("bookId", json!(null)),
        Booking::new("   "),
    ] {
        let row = row.by("G10000002").with("id", json!(424_242));
        let says = ["unreadable row", "no bookId", "row 424242"];
        assert_told_once_beside_a_good_one(Sandbox::new().booking(row), &says);
    }
}

#[test]
fn a_row_nested_without_end_spoils_nothing() {
    let depth = 100_000;
    let array = "[".repeat(depth) + &"]".repeat(depth);
    let rows = [
        (array.clone(), "location 8827"),
        (
            format!(r#"{{"bookId":"cs_bad","status":"Confirmed","event":{array}}}"#),
            "cs_bad",
        ),
    ];
    for (row, name) in rows {
        let sandbox = Sandbox::new();
        sandbox.fault(
            Fault::on(Service::LibCal)
                .when(|seen| seen.parameter("lid") == Some("8827"))
                .rewrite(move |list| list.replacen('[', &format!("[{row},"), 1)),
        );
        assert_told_once_beside_a_good_one(sandbox, &["unreadable row", name]);
    }
}

#[test]
fn many_unreadable_rows_are_few_lines() {
    let sandbox = Sandbox::new();
    for n in 0..20 {
        sandbox.add_booking(Booking::new(&format!("cs_{n}")).without("toDate"));
        sandbox.world().add_row(8827, json!(n));
    }
    let sandbox = and_a_good_one(sandbox);
    let said = sync_needing_attention(&sandbox);
    assert_eq!(said.lines().count(), 2, "one for each cause: {said}");
    assert_says(&said, &["20 bookings", "and 15 more"]);
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 1);
}

#[test]
fn an_unreadable_row_that_would_make_no_visit_needs_no_attention() {
    for status in [
        "Cancelled",
        "Cancelled by User",
        "Cancelled by System",
        "Mediated Tentative",
        "Mediated Pending",
        "Confirmed (Payment Pending)",
        "Booked in Outlook/Exchange",
    ] {
        let row = Booking::new("cs_bad").with("fromDate", json!("soon"));
        let sandbox = and_a_good_one(Sandbox::new().booking(row.status(status)));
        good_sync(&sandbox);
        assert_eq!(sandbox.expected().len(), 1, "{status}");
    }
}

#[test]
fn an_unreadable_row_with_the_time_of_its_cancellation_needs_no_attention() {
    let row = Booking::new("cs_bad")
        .with("fromDate", json!("soon"))
        .with("cancelled", json!("2026-08-01 12:00:00"));
    let sandbox = and_a_good_one(Sandbox::new().booking(row));
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 1);
}

#[test]
fn a_row_that_is_mended_is_registered_at_the_next_pass() {
    let sandbox = one_person();
    sandbox.edit_rows("cs_1", |row| row["fromDate"] = json!("soon"));
    assert_says(&sync_needing_attention(&sandbox), &["cs_1", "fromDate"]);
    sandbox.edit_rows("cs_1", |row| {
        row["fromDate"] = json!("2099-08-19T11:00:00-04:00");
        row["toDate"] = json!("2099-08-19T12:00:00-04:00");
    });
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 1);
    assert_no_complaints(&sandbox);
}

#[test]
fn a_cancelled_row_makes_no_visit_whatever_its_status() {
    let row = Booking::new("cs_gone")
        .by("G10000001")
        .minutes(100, 160)
        .with("cancelled", json!("2026-08-01 12:00:00"));
    let sandbox = one_person().booking(row);
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 1);
}

#[test]
fn a_row_is_cancelled_only_if_it_says_when() {
    for (cancelled, state) in [
        (json!(null), "registered"),
        (json!(false), "registered"),
        (json!(""), "registered"),
        (json!("  "), "registered"),
        (json!(0), "registered"),
        (json!("0"), "registered"),
        (json!([]), "registered"),
        (json!({}), "registered"),
        (json!("2026-08-01 12:00:00"), "cancelled"),
        (json!(1_790_000_000), "cancelled"),
        (json!(true), "cancelled"),
    ] {
        let sandbox = one_person();
        sandbox.edit_rows("cs_1", |row| row["cancelled"] = cancelled.clone());
        // One that cannot be read is told, unless it is cancelled.
        let unreadable = Booking::new("cs_2").with("fromDate", json!("soon"));
        sandbox.add_booking(unreadable.with("cancelled", cancelled.clone()));
        match state {
            "registered" => assert_says(&sync_needing_attention(&sandbox), &["cs_2"]),
            _ => good_sync(&sandbox),
        }
        assert_eq!(state_of(&sandbox, "cs_1"), state, "{cancelled}");
    }
}

/// Every status that LibCal is known to give, and the state of a visit that has it.
const STATUSES: [(&str, &str); 13] = [
    ("Confirmed", "registered"),
    ("Mediated Approved", "registered"),
    (" mediated APPROVED ", "registered"),
    ("Mediated Tentative", "not approved"),
    ("Mediated Pending", "not approved"),
    ("Confirmed (Payment Pending)", "not approved"),
    ("Booked in Outlook/Exchange", "not approved"),
    ("Mediated Denied", "cancelled"),
    ("Cancelled", "cancelled"),
    ("Cancelled by User", "cancelled"),
    ("Cancelled by Admin", "cancelled"),
    ("Cancelled by System", "cancelled"),
    ("Cancelled by API", "cancelled"),
];

#[test]
fn each_status_that_libcal_gives_makes_the_state_of_a_new_visit_and_of_one_that_was_registered() {
    for (status, state) in STATUSES {
        let sandbox = one_person();
        good_sync(&sandbox);
        sandbox.add_booking(of_ada("cs_2").minutes(100, 160));
        for book_id in ["cs_1", "cs_2"] {
            sandbox.edit_rows(book_id, |row| row["status"] = "STATUS".into());
        }
        // The sandbox lists no more than LibCal does, which is nothing that was denied.
        let list = Fault::on(Service::LibCal).path("space/bookings");
        sandbox.fault(list.rewrite(move |list| list.replace("STATUS", status)));
        good_sync(&sandbox);
        for book_id in ["cs_1", "cs_2"] {
            assert_eq!(state_of(&sandbox, book_id), state, "{status}");
        }
        let number = if state == "registered" { 2 } else { 1 };
        assert_eq!(sandbox.expected().len(), number, "{status}");
    }
}

#[test]
fn an_unreadable_row_that_was_denied_needs_no_attention() {
    let row = Booking::new("cs_bad").with("fromDate", json!("soon"));
    let sandbox = and_a_good_one(Sandbox::new().booking(row.status("STATUS")));
    let list = Fault::on(Service::LibCal).path("space/bookings");
    sandbox.fault(list.rewrite(|list| list.replace("STATUS", "Mediated Denied")));
    good_sync(&sandbox);
    assert_eq!(state_of(&sandbox, "cs_bad"), "cancelled");
}
