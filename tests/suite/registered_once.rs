//! Registered once: a pre-registration that covers a visit is used for it, whatever booking and ID it was made for.

use std::sync::mpsc;
use std::time::Duration;

use serde_json::json;

use crate::sandbox::{Booking, Fault, ReceivedRequest, Run, Sandbox, Service, User};
use crate::support::{
    assert_says, count_rows, good_sync, of_ada, one_person, single_json, sql, state_of,
    sync_during_outage, sync_needing_attention, with_ada,
};

fn preregs(sandbox: &Sandbox) -> usize {
    sandbox.count_of(Service::PassagePoint, "createPreReg")
}

fn on_prereg() -> Fault {
    Fault::on(Service::PassagePoint).path("createPreReg")
}

fn prereg_of(sandbox: &Sandbox, book_id: &str) -> serde_json::Value {
    single_json(&sandbox.run(&["--json", "lookup-appt", book_id]))["prereg_id"].take()
}

#[test]
fn two_bookings_of_the_same_hours_and_one_within_another_are_registered_once() {
    for (from, to) in [(30, 90), (30, 60), (45, 90), (40, 80)] {
        let sandbox = one_person().booking(of_ada("cs_2").minutes(from, to));
        good_sync(&sandbox);
        let whole = sandbox.visit("21000001", "LibCal Main", 30, 90);
        assert_eq!(sandbox.expected(), [whole], "{from} to {to}");
        for book_id in ["cs_1", "cs_2"] {
            assert_eq!(state_of(&sandbox, book_id), "registered");
        }
        assert_eq!(prereg_of(&sandbox, "cs_1"), prereg_of(&sandbox, "cs_2"));
        sandbox.forget_requests();
        good_sync(&sandbox);
        assert_eq!(sandbox.count(Service::PassagePoint), 0);
    }
}

#[test]
fn a_later_pass_takes_over_what_an_earlier_one_registered() {
    let sandbox = one_person();
    good_sync(&sandbox);
    sandbox.add_booking(of_ada("cs_2").minutes(40, 80));
    let run = sandbox.run(&["--json", "sync"]);
    assert_eq!(run.code, 0, "{run:#?}");
    let summary = single_json(&run);
    assert_eq!(
        (&summary["registered"], &summary["already_registered"]),
        (&json!(0), &json!(2))
    );
    assert_eq!(preregs(&sandbox), 1);
}

#[test]
fn what_is_not_covered_is_registered() {
    for booking in [
        of_ada("cs_2").minutes(29, 89),
        of_ada("cs_2").minutes(31, 91),
        of_ada("cs_2").at(10332),
        Booking::new("cs_2").by("G10000002"),
    ] {
        let sandbox = one_person()
            .user(User::new("G10000002").barcode("21000002"))
            .booking(booking);
        good_sync(&sandbox);
        assert_eq!(preregs(&sandbox), 2);
    }
}

#[test]
fn two_locations_with_one_destination_are_one_place() {
    let sandbox = one_person()
        .booking(of_ada("cs_2").at(10332))
        .config("PassagePoint.location_mapping.10332", "LibCal Main");
    good_sync(&sandbox);
    assert_eq!(preregs(&sandbox), 1);
}

#[test]
fn one_person_under_several_ids_is_registered_once_however_many_threads_there_are() {
    for concurrency in ["1", "8"] {
        let sandbox = with_ada().config("Network.concurrency", concurrency);
        sandbox.edit_user("G10000001", |user| {
            *user = user.clone().identifier("ada", "NETID", None);
        });
        // The longest begins first, so that it is seen to first; the others may come at once.
        for (n, id) in ["G10000001", "ada", "21000001", "g10000001"]
            .iter()
            .enumerate()
        {
            let from = i64::try_from(n).expect("a small number");
            let booking = Booking::new(&format!("cs_{n}")).by(id);
            sandbox.add_booking(booking.minutes(30, 90 - from));
        }
        sandbox.latency(Duration::from_millis(20));
        good_sync(&sandbox);
        // Two at a time would have made more than these.
        let made = sandbox.world().in_order();
        for (n, later) in made.iter().enumerate() {
            let is_new = |earlier: &crate::sandbox::Expected| !crate::day::covers(earlier, later);
            assert!(made[..n].iter().all(is_new), "{made:#?}");
        }
        assert_eq!(count_rows(&sandbox, "appts WHERE state = 'registered'"), 4);
    }
}

#[test]
fn no_two_requests_for_one_barcode_are_under_way_at_once() {
    let sandbox = with_ada().config("Network.concurrency", "8");
    for n in 0..6 {
        // The same barcode under another ID each.
        let id = format!("NET{n}");
        sandbox.edit_user("G10000001", |user| {
            *user = user.clone().identifier(&id, "NETID", None);
        });
        sandbox.add_booking(Booking::new(&format!("cs_{n}")).by(&id));
    }
    sandbox.fault(on_prereg().delay(Duration::from_millis(100)));
    good_sync(&sandbox);
    assert_eq!(preregs(&sandbox), 1);
}

#[test]
fn a_cancelled_bookings_prereg_serves_nobody_for_somebody_may_have_taken_it_out() {
    let sandbox = one_person();
    good_sync(&sandbox);
    sandbox.edit_rows("cs_1", |row| row["status"] = "Cancelled by User".into());
    sandbox.add_booking(of_ada("cs_2").minutes(40, 80));
    good_sync(&sandbox);
    assert_eq!(preregs(&sandbox), 2);
    assert_ne!(prereg_of(&sandbox, "cs_1"), prereg_of(&sandbox, "cs_2"));
}

#[test]
fn a_moved_booking_and_a_corrected_id_take_over() {
    // Moved to a time within the one that is registered.
    let sandbox = one_person();
    good_sync(&sandbox);
    sandbox.remove_rows("cs_1");
    sandbox.add_booking(of_ada("cs_1").minutes(40, 80));
    good_sync(&sandbox);
    assert_eq!(preregs(&sandbox), 1);
    // The barcode was typed, and is corrected to the primary ID.
    let sandbox = with_ada().booking(Booking::new("cs_1").by("21000001"));
    good_sync(&sandbox);
    sandbox.edit_rows("cs_1", |row| row["q12505"] = "G10000001".into());
    good_sync(&sandbox);
    assert_eq!(preregs(&sandbox), 1);
    let told = sandbox.run(&["lookup-user", "G10000001"]).stdout;
    assert_says(&told, &["cs_1 of G10000001: registered"]);
}

#[test]
fn a_cancelled_booking_whose_prereg_serves_another_is_reported_once_so_that_it_is_left_in_passagepoint()
 {
    let sandbox = one_person().booking(of_ada("cs_2").minutes(40, 80));
    good_sync(&sandbox);
    sandbox.edit_rows("cs_1", |row| row["status"] = "Cancelled by User".into());
    let said = sync_needing_attention(&sandbox);
    let says = "1 booking cancelled, its pre-registration also covers booking cs_2: leave it in PassagePoint (cs_1 of G10000001)";
    assert_eq!(said, format!("warning: {says}\n"));
    good_sync(&sandbox);
    let told = sandbox.run(&["lookup-appt", "cs_1"]).stdout;
    assert_says(
        &told,
        &["cs_1 of G10000001: cancelled", "also covers booking cs_2"],
    );
    assert_eq!(state_of(&sandbox, "cs_2"), "registered");
    assert_eq!(preregs(&sandbox), 1);
    // Where the other is cancelled too, nobody needs it any more.
    sandbox.edit_rows("cs_2", |row| row["status"] = "Cancelled by User".into());
    good_sync(&sandbox);
    let told = sandbox.run(&["lookup-appt", "cs_1"]).stdout;
    assert_says(&told, &["cs_1 of G10000001: cancelled"]);
    assert!(!told.contains("also covers"), "{told}");
}

#[test]
fn a_covered_booking_that_becomes_longer_is_registered_by_itself() {
    let sandbox = one_person().booking(of_ada("cs_2").minutes(40, 80));
    good_sync(&sandbox);
    let end = chrono::DateTime::from_timestamp(sandbox.now() + 120 * 60, 0).expect("a time");
    sandbox.edit_rows("cs_2", |row| row["toDate"] = end.to_rfc3339().into());
    good_sync(&sandbox);
    let longer = sandbox.visit("21000001", "LibCal Main", 40, 120);
    assert!(sandbox.expected().contains(&longer));
    assert_eq!(preregs(&sandbox), 2);
}

#[test]
fn what_lies_within_a_visit_in_doubt_waits_for_it_and_is_covered_then() {
    let sandbox = one_person().booking(of_ada("cs_2").minutes(40, 80));
    sandbox.fault(on_prereg().cut_after().times(1));
    sync_during_outage(&sandbox);
    assert_eq!(state_of(&sandbox, "cs_1"), "in doubt");
    assert_eq!(state_of(&sandbox, "cs_2"), "waiting");
    assert_eq!(preregs(&sandbox), 1);
    let said = sync_needing_attention(&sandbox);
    assert_says(&said, &["possibly registered twice: 1 visit", "cs_1"]);
    assert_eq!(preregs(&sandbox), 2);
    assert_eq!(state_of(&sandbox, "cs_2"), "registered");
    good_sync(&sandbox);
}

#[test]
fn what_lies_within_a_visit_that_was_given_up_is_registered_and_named_first() {
    let sandbox = one_person();
    sandbox.fault(on_prereg().cut_after());
    for _ in 0..3 {
        sync_during_outage(&sandbox);
    }
    sandbox.clear_faults();
    sandbox.add_booking(of_ada("cs_2").minutes(40, 80));
    let run = sandbox.sync();
    assert_eq!(run.code, 1, "{run:#?}");
    let says = [
        "possibly registered twice: booking cs_2 of G10000001 falls within booking cs_1",
        "check in PassagePoint",
    ];
    assert_says(&run.stderr, &says);
    assert_eq!(state_of(&sandbox, "cs_2"), "registered");
}

#[test]
fn a_dry_run_says_what_would_be_taken_over() {
    let sandbox = one_person()
        .booking(of_ada("cs_2").minutes(40, 80))
        .booking(Booking::new("cs_3").by("21000001").minutes(50, 70))
        .config("Network.concurrency", "1");
    let run = sandbox.run(&["sync", "--dry-run"]);
    assert_eq!(run.code, 0, "{run:#?}");
    let covers = "the pre-registration of booking cs_1 covers it";
    let says = [
        "register cs_1 of G10000001: LibCal Main, ",
        &format!("take over cs_2 of G10000001: {covers}\n"),
        &format!("take over cs_3 of 21000001: {covers}\n"),
    ];
    assert_says(&run.stdout, &says);
    good_sync(&sandbox);
    assert_eq!(preregs(&sandbox), 1);
    // And of one whom another ID has made known before.
    sandbox.add_user(User::new("G7").barcode("21000001"));
    sandbox.add_booking(Booking::new("cs_4").by("G7").minutes(60, 65));
    let run = sandbox.run(&["sync", "--dry-run"]);
    assert_says(&run.stdout, &["take over cs_4 of G7: "]);
}

#[test]
fn an_appointment_of_version_1_covers_too() {
    let sandbox = one_person();
    good_sync(&sandbox);
    // Version 1 kept no destination.
    sql(&sandbox, "UPDATE appts SET destination = NULL");
    sandbox.add_booking(of_ada("cs_2").minutes(40, 80));
    good_sync(&sandbox);
    assert_eq!(preregs(&sandbox), 1);
}

#[test]
fn two_passes_at_once_do_not_both_register_though_the_lock_was_removed() {
    let sandbox = one_person();
    let (arrived, wait) = mpsc::channel();
    let (go_on, resume) = mpsc::channel::<()>();
    // Between its plan and its intent.
    sandbox.on_request(Fault::on(Service::Alma), true, move || {
        arrived.send(()).expect("the test waits");
        let _ = resume.recv_timeout(Duration::from_secs(20));
    });
    let first = sandbox.spawn(&["sync"]);
    wait.recv_timeout(Duration::from_secs(20))
        .expect("Alma is asked");
    std::fs::remove_file(sandbox.path("cache.db.lock")).expect("it is there");
    let second = sandbox.sync();
    assert_eq!((second.code, second.stderr.as_str()), (0, ""));
    go_on.send(()).expect("the first pass waits");
    let first = Run::finish(first);
    assert_eq!((first.code, first.stderr.as_str()), (0, ""));
    assert_eq!(preregs(&sandbox), 1);
    assert_eq!(state_of(&sandbox, "cs_1"), "registered");
}

#[test]
fn each_prereg_goes_over_a_connection_of_its_own() {
    let sandbox = one_person()
        .booking(of_ada("cs_2").minutes(100, 160))
        .booking(of_ada("cs_3").minutes(200, 260))
        .config("Network.concurrency", "1");
    good_sync(&sandbox);
    let requests = sandbox.requests();
    let is_prereg = |seen: &&ReceivedRequest| seen.path.contains("createPreReg");
    let ports: Vec<_> = requests
        .iter()
        .filter(is_prereg)
        .map(|seen| seen.port)
        .collect();
    assert_eq!(ports.len(), 3);
    for port in ports {
        // A client's port may serve for connections to several servers.
        let on_it = requests
            .iter()
            .filter(|seen| (seen.service, seen.port) == (Service::PassagePoint, port));
        assert_eq!(on_it.count(), 1, "nothing else goes over it");
    }
    // What is safe to repeat shares one.
    let others = requests
        .iter()
        .filter(|seen| seen.service == Service::LibCal);
    let ports: std::collections::BTreeSet<_> = others.map(|seen| seen.port).collect();
    assert!(ports.len() < 3, "{ports:?}");
}

#[test]
fn what_may_be_covered_by_a_visit_of_a_pass_that_was_killed_comes_after_it_under_whatever_id() {
    let sandbox = with_ada()
        .config("Network.concurrency", "1")
        .booking(Booking::new("cs_0").by("21000001").minutes(200, 260));
    good_sync(&sandbox);
    sandbox.add_booking(of_ada("cs_1"));
    sandbox.fault(on_prereg().cut_before().times(1));
    sync_during_outage(&sandbox);
    // As a pass leaves it that was killed before there was an answer.
    sql(&sandbox, "UPDATE appts SET failures = 0");
    sandbox.add_booking(Booking::new("cs_2").by("21000001").minutes(30, 80));
    let said = sync_needing_attention(&sandbox);
    assert_says(&said, &["possibly registered twice: 1 visit", "cs_1"]);
    assert!(!said.contains("cs_2"), "{said}");
    assert_eq!(state_of(&sandbox, "cs_2"), "registered");
    assert_eq!(sandbox.expected().len(), 2, "it is covered");
}

#[test]
fn a_visit_that_a_longer_one_covers_ends_from_then_on_when_that_one_does() {
    let sandbox = one_person().booking(of_ada("cs_2").minutes(40, 80));
    let look_up = || single_json(&sandbox.run(&["--json", "lookup-appt", "cs_2"]));
    good_sync(&sandbox);
    let before = look_up();
    good_sync(&sandbox);
    assert_eq!(before, look_up(), "nothing is new");
}
