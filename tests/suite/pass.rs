//! Whole passes: who is expected at the door when they end.

use serde_json::json;

use crate::sandbox::{Booking, Sandbox, Service, User};
use crate::support::{good_sync, of_ada, single_json, state_of, with_ada};

#[test]
fn a_person_with_a_booking_is_expected_at_the_door() {
    let sandbox = with_ada().booking(of_ada("cs_1"));
    good_sync(&sandbox);
    assert_eq!(
        sandbox.expected(),
        [sandbox.visit("21000001", "LibCal Main", 30, 90)]
    );
}

#[test]
fn a_second_pass_over_an_unchanged_day_asks_libcal_and_nobody_else() {
    let sandbox = with_ada().booking(of_ada("cs_1"));
    good_sync(&sandbox);
    sandbox.forget_requests();
    good_sync(&sandbox);
    assert_eq!(sandbox.count_of(Service::LibCal, "token"), 1);
    assert_eq!(
        sandbox.count_of(Service::LibCal, "bookings"),
        2,
        "one for each location"
    );
    assert_eq!(sandbox.count(Service::LibCal), 3);
    assert_eq!(
        sandbox.count(Service::Alma) + sandbox.count(Service::PassagePoint),
        0
    );
    assert_eq!(sandbox.expected().len(), 1);
}

#[test]
fn a_multi_seat_booking_is_one_visit_until_the_latest_end() {
    let sandbox = with_ada()
        .booking(of_ada("cs_1").seat(1))
        .booking(of_ada("cs_1").seat(2).minutes(30, 120))
        .booking(of_ada("cs_1").seat(3));
    good_sync(&sandbox);
    assert_eq!(
        sandbox.expected(),
        [sandbox.visit("21000001", "LibCal Main", 30, 120)]
    );
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 1);
}

#[test]
fn a_seat_that_was_cancelled_does_not_make_the_visit_longer() {
    let sandbox = with_ada()
        .booking(of_ada("cs_1").seat(1))
        .booking(of_ada("cs_1").seat(2).minutes(30, 240).cancelled());
    good_sync(&sandbox);
    assert_eq!(
        sandbox.expected(),
        [sandbox.visit("21000001", "LibCal Main", 30, 90)]
    );
}

#[test]
fn two_times_of_one_booking_are_two_visits() {
    let sandbox = with_ada()
        .booking(of_ada("cs_1").minutes(30, 60))
        .booking(of_ada("cs_1").minutes(90, 120));
    good_sync(&sandbox);
    let expected = [
        sandbox.visit("21000001", "LibCal Main", 30, 60),
        sandbox.visit("21000001", "LibCal Main", 90, 120),
    ];
    assert_eq!(sandbox.expected(), expected);
}

#[test]
fn a_recurring_booking_is_registered_on_each_of_its_days() {
    let day = 24 * 60;
    let sandbox = with_ada().config("LibCal.days", "2");
    for n in 0..3 {
        sandbox.add_booking(of_ada("cs_1").minutes(30 + n * day, 90 + n * day));
    }
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 3);
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 3);
}

#[test]
fn two_people_of_one_booking_are_two_visits() {
    let sandbox = with_ada()
        .user(User::new("G10000002").barcode("21000002"))
        .booking(of_ada("cs_1"))
        .booking(Booking::new("cs_1").by("G10000002"));
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 2);
}

#[test]
fn one_person_with_bookings_in_two_places_is_looked_up_once() {
    let sandbox = with_ada()
        .booking(of_ada("cs_1"))
        .booking(of_ada("cs_2").at(10332).minutes(100, 160));
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 2);
    assert_eq!(sandbox.count(Service::Alma), 1);
    assert_eq!(sandbox.count_of(Service::PassagePoint, "createVisitor"), 1);
}

#[test]
fn an_id_typed_in_several_ways_is_one_person() {
    let sandbox = with_ada()
        .booking(Booking::new("cs_1").by(" g10000001 "))
        .booking(Booking::new("cs_1").by("G10000001").seat(2));
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 1);
}

#[test]
fn a_booking_made_longer_is_registered_again_and_a_shortened_one_is_not() {
    let sandbox = with_ada().booking(of_ada("cs_1"));
    good_sync(&sandbox);
    let end = |minutes: i64| {
        let time = chrono::DateTime::from_timestamp(sandbox.now() + minutes * 60, 0).unwrap();
        json!(time.to_rfc3339())
    };
    sandbox.edit_rows("cs_1", |row| row["toDate"] = end(60));
    good_sync(&sandbox);
    assert_eq!(
        sandbox.expected(),
        [sandbox.visit("21000001", "LibCal Main", 30, 90)]
    );

    sandbox.edit_rows("cs_1", |row| row["toDate"] = end(150));
    good_sync(&sandbox);
    let both = [
        sandbox.visit("21000001", "LibCal Main", 30, 90),
        sandbox.visit("21000001", "LibCal Main", 30, 150),
    ];
    assert_eq!(sandbox.expected(), both);
    let appt = single_json(&sandbox.run(&["--json", "lookup-appt", "cs_1"]));
    assert_eq!(appt["state"], "registered");
    let ends_at = chrono::DateTime::parse_from_rfc3339(appt["ends_at"].as_str().unwrap()).unwrap();
    assert_eq!(ends_at.timestamp(), sandbox.now() + 150 * 60);
}

#[test]
fn a_moved_booking_is_registered_at_its_new_place_and_time() {
    let sandbox = with_ada().booking(of_ada("cs_1"));
    good_sync(&sandbox);
    sandbox.remove_rows("cs_1");
    sandbox.add_booking(of_ada("cs_1").at(10332).minutes(60, 120));
    good_sync(&sandbox);
    let expected = [
        sandbox.visit("21000001", "LibCal Main", 30, 90),
        sandbox.visit("21000001", "LibCal Science", 60, 120),
    ];
    assert_eq!(sandbox.expected(), expected);
}

#[test]
fn a_booking_that_has_ended_is_left_alone_and_one_that_goes_on_is_not() {
    let sandbox = with_ada()
        .booking(of_ada("cs_over").minutes(-120, -60))
        .booking(of_ada("cs_begun").minutes(-60, 30));
    good_sync(&sandbox);
    assert_eq!(
        sandbox.expected(),
        [sandbox.visit("21000001", "LibCal Main", -60, 30)]
    );
}

#[test]
fn an_ended_booking_without_an_id_needs_no_attention() {
    let sandbox = Sandbox::new().booking(Booking::new("cs_1").no_answer().minutes(-120, -60));
    good_sync(&sandbox);
}

#[test]
fn only_bookings_with_an_accepted_status_count() {
    let statuses = [
        ("Confirmed", true),
        ("Mediated Approved", true),
        ("Mediated Tentative", false),
        ("Mediated Pending", false),
        ("Confirmed (Payment Pending)", false),
        ("Cancelled", false),
        ("Cancelled by Admin", false),
        ("Booked in Outlook/Exchange", false),
    ];
    for (status, counts) in statuses {
        let sandbox = with_ada().booking(of_ada("cs_1").status(status));
        good_sync(&sandbox);
        assert_eq!(sandbox.expected().len(), usize::from(counts), "{status}");
        let state = state_of(&sandbox, "cs_1");
        let is_gone = status.starts_with("Cancelled");
        match (counts, is_gone) {
            (true, _) => assert_eq!(state, "registered", "{status}"),
            (false, true) => assert_eq!(state, "cancelled", "{status}"),
            (false, false) => assert_eq!(state, "not approved", "{status}"),
        }
    }
    let sandbox = with_ada()
        .config("LibCal.statuses", r#"["Mediated Tentative"]"#)
        .booking(of_ada("cs_1").status("Mediated Tentative"))
        .booking(of_ada("cs_2"));
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 1);
}

#[test]
fn a_booking_cancelled_after_it_was_registered_is_marked_so() {
    let sandbox = with_ada()
        .booking(of_ada("cs_1").seat(1))
        .booking(of_ada("cs_1").seat(2));
    good_sync(&sandbox);
    let state = || state_of(&sandbox, "cs_1");
    assert_eq!(state(), "registered");

    // One of the seats is given back: the visit stands.
    sandbox.edit_rows("cs_1", |row| {
        if row["seat_id"] == 1 {
            row["status"] = json!("Cancelled by User");
        }
    });
    good_sync(&sandbox);
    assert_eq!(state(), "registered");

    sandbox.edit_rows("cs_1", |row| row["status"] = json!("Cancelled by Admin"));
    good_sync(&sandbox);
    assert_eq!(state(), "cancelled");

    // And if it is booked back, the pre-registration is still there.
    sandbox.edit_rows("cs_1", |row| row["status"] = json!("Confirmed"));
    good_sync(&sandbox);
    assert_eq!(state(), "registered");
    assert_eq!(sandbox.expected().len(), 1);
}

#[test]
fn a_cancelled_booking_that_never_was_registered_is_known_as_such_and_nobody_is_asked() {
    let sandbox = with_ada().booking(of_ada("cs_1").cancelled());
    good_sync(&sandbox);
    assert_eq!(sandbox.expected(), []);
    let asked = sandbox.count(Service::Alma) + sandbox.count(Service::PassagePoint);
    assert_eq!(asked, 0);
    let run = sandbox.run(&["--json", "lookup-appt", "cs_1"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
    let appt = single_json(&run);
    assert_eq!(
        [&appt["state"], &appt["status"], &appt["prereg_id"]],
        [
            &json!("cancelled"),
            &json!("Cancelled by User"),
            &json!(null)
        ]
    );
}
