//! Whole passes: who is expected at the door when they end.

use std::time::Duration;

use serde_json::json;

use crate::sandbox::{Booking, Fault, Sandbox, Service, User};
use crate::support::{assert_right, good_sync, needy_sync, one_json, sql};

/// A sandbox with one user, who can be let in.
fn with_ada() -> Sandbox {
    Sandbox::new().user(User::new("G10000001").barcode("21000001"))
}

fn of_ada(book_id: &str) -> Booking {
    Booking::new(book_id).by("G10000001")
}

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
    let appt = one_json(&sandbox.run(&["--json", "lookup-appt", "cs_1"]));
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
fn an_ended_booking_without_an_id_bothers_nobody() {
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
    let state = || one_json(&sandbox.run(&["--json", "lookup-appt", "cs_1"]))["state"].clone();
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
fn a_cancelled_booking_that_never_was_registered_leaves_nothing() {
    let sandbox = with_ada().booking(of_ada("cs_1").cancelled());
    good_sync(&sandbox);
    assert_eq!(sandbox.expected(), []);
    assert_eq!(sandbox.run(&["lookup-appt", "cs_1"]).code, 1);
}

#[test]
fn a_refusal_is_reported_once_in_a_day_and_asked_again_after_an_hour() {
    let sandbox = Sandbox::new().booking(Booking::new("cs_1").by("G404"));
    let said = needy_sync(&sandbox);
    assert!(
        said.contains("not in Alma") && said.contains("G404") && said.contains("cs_1"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1);

    sandbox.forget_requests();
    good_sync(&sandbox);
    assert_eq!(sandbox.count(Service::Alma), 0);

    sql(
        &sandbox,
        "UPDATE refusals SET refused_at = refused_at - 3700",
    );
    good_sync(&sandbox);
    assert_eq!(
        sandbox.count(Service::Alma),
        2,
        "one for each institution zone"
    );

    sql(
        &sandbox,
        "UPDATE refusals SET reported_at = reported_at - 90000",
    );
    assert!(needy_sync(&sandbox).contains("G404"));
}

#[test]
fn a_user_who_was_refused_is_let_in_once_the_cause_is_mended() {
    let sandbox = Sandbox::new()
        .user(User::new("G10000001").inactive_barcode("20999999"))
        .booking(of_ada("cs_1"));
    assert!(needy_sync(&sandbox).contains("no active barcode"));
    sandbox.edit_user("G10000001", |user| {
        *user = User::new("G10000001").barcode("21000001");
    });
    sql(
        &sandbox,
        "UPDATE refusals SET refused_at = refused_at - 3700",
    );
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 1);
    let user = one_json(&sandbox.run(&["--json", "lookup-user", "G10000001"]));
    assert_eq!(
        (&user["refusal"], &user["barcode"]),
        (&json!(null), &json!("21000001"))
    );
}

#[test]
fn a_blank_id_is_let_in_as_soon_as_it_is_filled_in() {
    let sandbox = with_ada().booking(Booking::new("cs_1").by("  "));
    assert!(needy_sync(&sandbox).contains("no primary ID on the booking form"));
    good_sync(&sandbox);
    sandbox.edit_rows("cs_1", |row| row["q12505"] = json!("G10000001"));
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 1);
}

#[test]
fn refusals_with_one_reason_are_one_line() {
    let sandbox = Sandbox::new();
    for n in 1..=7 {
        sandbox.add_booking(Booking::new(&format!("cs_{n}")).by(&format!("G40{n}")));
    }
    let said = needy_sync(&sandbox);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        said.contains("7 users refused") && said.contains("and 2 more"),
        "{said}"
    );
}

#[test]
fn a_new_barcode_gets_a_new_visitor_once_what_is_known_is_old() {
    let sandbox = with_ada().booking(of_ada("cs_1"));
    good_sync(&sandbox);
    sandbox.edit_user("G10000001", |user| {
        *user = User::new("G10000001")
            .inactive_barcode("21000001")
            .barcode("21999999");
    });
    sandbox.add_booking(of_ada("cs_2").minutes(100, 160));
    good_sync(&sandbox);
    assert_eq!(
        sandbox.expected()[1].barcode,
        "21000001",
        "what is known is good for a week"
    );

    sql(
        &sandbox,
        "UPDATE users SET checked_at = checked_at - 8 * 86400",
    );
    sandbox.add_booking(of_ada("cs_3").minutes(200, 260));
    good_sync(&sandbox);
    let third = sandbox.visit("21999999", "LibCal Main", 200, 260);
    assert!(
        sandbox.expected().contains(&third),
        "{:?}",
        sandbox.expected()
    );
}

#[test]
fn a_user_whose_barcode_did_not_change_keeps_the_visitor() {
    let sandbox = with_ada().booking(of_ada("cs_1"));
    good_sync(&sandbox);
    sql(
        &sandbox,
        "UPDATE users SET checked_at = checked_at - 8 * 86400",
    );
    sandbox.forget_requests();
    sandbox.add_booking(of_ada("cs_2").minutes(100, 160));
    good_sync(&sandbox);
    assert_eq!(sandbox.count(Service::Alma), 1);
    assert_eq!(sandbox.count_of(Service::PassagePoint, "createVisitor"), 0);
    sandbox.forget_requests();
    sandbox.add_booking(of_ada("cs_3").minutes(200, 260));
    good_sync(&sandbox);
    assert_eq!(sandbox.count(Service::Alma), 0, "the check was noted");
}

#[test]
fn known_users_get_in_while_alma_is_down() {
    let sandbox = with_ada().booking(of_ada("cs_1"));
    good_sync(&sandbox);
    sql(
        &sandbox,
        "UPDATE users SET checked_at = checked_at - 8 * 86400",
    );
    sandbox.stop(Service::Alma);
    sandbox.add_booking(of_ada("cs_2").minutes(100, 160));
    sandbox.add_booking(Booking::new("cs_new").by("G10000002"));
    let said = needy_sync(&sandbox);
    assert!(
        said.contains("Alma does not answer") && said.contains("cs_new"),
        "{said}"
    );
    assert_eq!(sandbox.expected().len(), 2);

    // Nothing is remembered of an outage.
    sandbox.start(Service::Alma);
    sandbox.add_user(User::new("G10000002").barcode("21000002"));
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 3);
}

#[test]
fn a_known_user_whom_alma_refused_since_does_not_get_in_while_alma_is_down() {
    let sandbox = with_ada().booking(of_ada("cs_1"));
    good_sync(&sandbox);
    sandbox.edit_user("G10000001", |user| {
        *user = User::new("G10000001").inactive_barcode("21000001");
    });
    sql(
        &sandbox,
        "UPDATE users SET checked_at = checked_at - 8 * 86400",
    );
    sandbox.add_booking(of_ada("cs_2").minutes(100, 160));
    assert!(needy_sync(&sandbox).contains("no active barcode"));
    sql(
        &sandbox,
        "UPDATE refusals SET refused_at = refused_at - 3700",
    );
    sandbox.stop(Service::Alma);
    needy_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 1);
}

#[test]
fn one_location_that_cannot_be_read_leaves_the_other_working() {
    let sandbox = with_ada()
        .booking(of_ada("cs_1"))
        .booking(of_ada("cs_2").at(10332));
    sandbox.fault(
        Fault::on(Service::LibCal)
            .when(|seen| seen.parameter("lid") == Some("10332"))
            .answer(500, "text/plain", "oh no"),
    );
    let said = needy_sync(&sandbox);
    assert!(
        said.contains("Science Library (10332)") && !said.contains("Main Library"),
        "{said}"
    );
    assert_eq!(
        sandbox.expected(),
        [sandbox.visit("21000001", "LibCal Main", 30, 90)]
    );
}

#[test]
fn an_intent_is_on_the_disk_before_its_request_leaves() {
    let sandbox = with_ada().booking(of_ada("cs_1"));
    let path = sandbox.path("cache.db");
    let (sender, receiver) = std::sync::mpsc::channel();
    // The sixth request is createPreReg: token, two lists, Alma, login, createVisitor come before it.
    sandbox.on_request(7, true, move || {
        let cache = rusqlite::Connection::open(path).unwrap();
        let sql = "SELECT appt_id, prereg_id, attempts FROM appts";
        let row = cache.query_row(sql, [], |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, Option<String>>(1)?,
                row.get::<_, i64>(2)?,
            ))
        });
        sender.send(row).unwrap();
    });
    good_sync(&sandbox);
    assert_eq!(sandbox.requests()[6].path, "/pp/api/v2/visit/createPreReg");
    assert_eq!(receiver.recv().unwrap(), Ok(("cs_1".to_owned(), None, 1)));
}

#[test]
fn a_pass_killed_after_passagepoint_acted_says_so_when_it_tries_again() {
    let sandbox = with_ada().booking(of_ada("cs_1"));
    sandbox.fault(
        Fault::on(Service::PassagePoint)
            .path("createPreReg")
            .hang_after(Duration::from_secs(60)),
    );
    let mut child = sandbox.spawn(&["sync"]);
    while sandbox.count_of(Service::PassagePoint, "createPreReg") == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(
        one_json(&sandbox.run(&["--json", "lookup-appt", "cs_1"]))["state"],
        "in doubt"
    );

    sandbox.clear_faults();
    let said = needy_sync(&sandbox);
    assert!(
        said.contains("possibly registered twice") && said.contains("cs_1"),
        "{said}"
    );
    assert_eq!(
        one_json(&sandbox.run(&["--json", "lookup-appt", "cs_1"]))["state"],
        "registered"
    );
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 2);
}

#[test]
fn an_in_doubt_visit_is_tried_three_times_and_then_waits_for_a_person() {
    let sandbox = with_ada().booking(of_ada("cs_1"));
    sandbox.fault(
        Fault::on(Service::PassagePoint)
            .path("createPreReg")
            .cut_after(),
    );
    for _ in 0..3 {
        needy_sync(&sandbox);
    }
    assert_eq!(sandbox.expected().len(), 3);
    let said = needy_sync(&sandbox);
    assert!(
        said.contains("in doubt after 3 attempts") && said.contains("cs_1"),
        "{said}"
    );
    assert_eq!(sandbox.expected().len(), 3);
    // It still waits, which the exit status says; the mail was sent.
    let run = sandbox.sync();
    assert_eq!((run.code, run.stderr.as_str()), (1, ""));

    sandbox.clear_faults();
    let run = sandbox.run(&["prune", "--appt", "cs_1"]);
    assert_eq!(run.code, 0, "{run:#?}");
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 4);
    assert_right(&sandbox);
}

#[test]
fn a_service_that_keeps_failing_is_left_alone() {
    let sandbox = Sandbox::new()
        .config("Network.tries", "1")
        .config("Network.concurrency", "1");
    for n in 0..50 {
        let id = format!("G{n:08}");
        sandbox.add_user(User::new(&id).barcode(&format!("2{n:07}")));
        sandbox.add_booking(Booking::new(&format!("cs_{n}")).by(&id));
    }
    sandbox.fault(
        Fault::on(Service::PassagePoint)
            .path("createVisitor")
            .answer(500, "text/html", "<p>"),
    );
    let said = needy_sync(&sandbox);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        said.contains("500") && said.contains("50 visits wait"),
        "{said}"
    );
    assert_eq!(sandbox.count_of(Service::PassagePoint, "createVisitor"), 3);
}

#[test]
fn several_people_are_seen_to_at_once() {
    let sandbox = Sandbox::new().config("Network.concurrency", "8");
    for n in 0..8 {
        let id = format!("G{n:08}");
        sandbox.add_user(User::new(&id).barcode(&format!("2{n:07}")));
        sandbox.add_booking(Booking::new(&format!("cs_{n}")).by(&id));
    }
    sandbox.latency(Duration::from_millis(100));
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 8);
    let asked = sandbox
        .requests()
        .into_iter()
        .filter(|seen| seen.service == Service::Alma);
    let asked: Vec<_> = asked.map(|seen| seen.at).collect();
    assert!(
        *asked.last().unwrap() - asked[0] < Duration::from_millis(100),
        "none waited for another's answer"
    );
}
