//! Bookings that were moved to another time, place or person, or can be read at last: nothing stale is left of them.

use serde_json::Value;

use crate::sandbox::{Booking, FORM_FIELD, Fault, Sandbox, Service, User};
use crate::states::{assert_state, visits};
use crate::support::{
    assert_says, count_rows, good_sync, of_ada, one_person, query_texts, sql, sync_after_outage,
    sync_during_outage, sync_needing_attention, with_ada,
};

/// Moves the only row of `cs_1` to another time of the day.
fn move_to(sandbox: &Sandbox, from: i64, to: i64) {
    sandbox.remove_rows("cs_1");
    sandbox.add_booking(of_ada("cs_1").minutes(from, to));
}

/// The states of all visits of `cs_1`, by their start, each with its reason.
fn states(sandbox: &Sandbox) -> Vec<(String, String)> {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let visits = visits(sandbox, "cs_1");
    visits
        .iter()
        .map(|visit| (word(&visit[0]), word(&visit[1])))
        .collect()
}

const MOVED: &str = "moved in LibCal to another person, place or time";

#[test]
fn registered_then_moved_then_moved_back() {
    let sandbox = one_person();
    good_sync(&sandbox);
    move_to(&sandbox, 31, 91);
    good_sync(&sandbox);
    let moved = ("cancelled".to_owned(), MOVED.to_owned());
    let registered = ("registered".to_owned(), String::new());
    assert_eq!(states(&sandbox), [moved.clone(), registered.clone()]);
    move_to(&sandbox, 30, 90);
    good_sync(&sandbox);
    assert_eq!(states(&sandbox), [registered, moved]);
    assert_eq!(sandbox.expected().len(), 2, "the first one was still there");
}

#[test]
fn of_two_places_the_one_that_is_given_up_unregistered_is_forgotten_though_nothing_else_changes() {
    // At the same time, for at another the second may be of another day.
    let sandbox = one_person().booking(of_ada("cs_1").at(10332).status("Mediated Tentative"));
    good_sync(&sandbox);
    let mut words: Vec<_> = states(&sandbox)
        .into_iter()
        .map(|(state, _)| state)
        .collect();
    words.sort();
    assert_eq!(words, ["not approved", "registered"]);
    move_to(&sandbox, 30, 90);
    good_sync(&sandbox);
    assert_state(&sandbox, "registered", "", "Confirmed");
    assert_eq!(sandbox.expected().len(), 1);
}

#[test]
fn a_moved_booking_that_never_was_registered_leaves_only_its_new_place_and_person() {
    let sandbox = Sandbox::new().booking(of_ada("cs_1"));
    sync_needing_attention(&sandbox);
    sandbox.add_user(User::new("G10000002").barcode("21000002"));
    sandbox.remove_rows("cs_1");
    sandbox.add_booking(
        Booking::new("cs_1")
            .by("G10000002")
            .at(10332)
            .minutes(31, 91),
    );
    good_sync(&sandbox);
    assert_state(&sandbox, "registered", "", "Confirmed");
    let told = sandbox.run(&["lookup-user", "G10000001"]).stdout;
    assert!(!told.contains("cs_1"), "{told}");
}

#[test]
fn a_corrected_id_leaves_nothing_of_the_wrong_one() {
    let sandbox = with_ada().booking(Booking::new("cs_1").by(" "));
    sync_needing_attention(&sandbox);
    assert_state(
        &sandbox,
        "refused",
        "no primary ID on the booking form",
        "Confirmed",
    );
    sandbox.edit_rows("cs_1", |row| row["q12505"] = "..".into());
    sync_needing_attention(&sandbox);
    let reason = "the primary ID on the booking form is not valid";
    assert_state(&sandbox, "refused", reason, "Confirmed");
    sandbox.edit_rows("cs_1", |row| row["q12505"] = "G10000001".into());
    good_sync(&sandbox);
    assert_state(&sandbox, "registered", "", "Confirmed");
}

#[test]
fn what_seems_to_be_moved_stays_as_it_was_while_a_list_cannot_be_read() {
    let sandbox = one_person();
    good_sync(&sandbox);
    move_to(&sandbox, 31, 91);
    sandbox.fault(
        Fault::on(Service::LibCal)
            .when(|seen| seen.parameter("lid") == Some("10332"))
            .answer(500, "text/plain", "oh no"),
    );
    sync_during_outage(&sandbox);
    let registered = ("registered".to_owned(), String::new());
    assert_eq!(states(&sandbox), [registered.clone(), registered]);
    sandbox.clear_faults();
    sync_after_outage(&sandbox);
    assert_eq!(states(&sandbox)[0].1, MOVED);
}

#[test]
fn another_day_of_a_booking_is_not_taken_for_a_move() {
    let day = 24 * 60;
    let sandbox = one_person().booking(of_ada("cs_1").minutes(30 + day, 90 + day));
    sandbox.set_config("LibCal.days", "1");
    good_sync(&sandbox);
    // Only today's are asked for now, and of tomorrow nothing is known.
    sandbox.set_config("LibCal.days", "0");
    sandbox.remove_rows("cs_1");
    sandbox.add_booking(of_ada("cs_1"));
    good_sync(&sandbox);
    let registered = ("registered".to_owned(), String::new());
    assert_eq!(states(&sandbox), [registered.clone(), registered]);
}

#[test]
fn a_visit_that_libcal_no_longer_lists_is_cancelled_until_it_is_listed_again() {
    let sandbox = one_person().booking(of_ada("cs_2").at(10332).minutes(-10, 60));
    good_sync(&sandbox);
    sandbox.remove_rows("cs_2");
    good_sync(&sandbox);
    let told = sandbox.run(&["lookup-appt", "cs_2"]).stdout;
    let says = [
        "cs_2 of G10000001: cancelled",
        "LibCal no longer lists it: denied, deleted or moved to another day",
        "PassagePoint expects the person until",
    ];
    assert_says(&told, &says);
    sandbox.add_booking(of_ada("cs_2").at(10332).minutes(-10, 60));
    good_sync(&sandbox);
    assert_eq!(crate::states::visits(&sandbox, "cs_2")[0][0], "registered");
    assert_eq!(sandbox.expected().len(), 2, "it was there");
}

#[test]
fn while_a_list_cannot_be_read_or_another_day_is_asked_for_nothing_is_gone() {
    let sandbox = one_person().booking(
        of_ada("cs_2")
            .minutes(-10, 60)
            .with("toDate", "soon".into()),
    );
    sync_needing_attention(&sandbox);
    sandbox.remove_rows("cs_1");
    sandbox.remove_rows("cs_2");
    sandbox.fault(
        Fault::on(Service::LibCal)
            .when(|seen| seen.parameter("lid") == Some("10332"))
            .answer(500, "text/plain", "oh no"),
    );
    sync_during_outage(&sandbox);
    sandbox.clear_faults();
    sync_of_another_day_after_outage(&sandbox);
    for (book_id, state) in [("cs_1", "registered"), ("cs_2", "refused")] {
        assert_eq!(crate::states::visits(&sandbox, book_id)[0][0], state);
    }
}

fn sync_of_another_day_after_outage(sandbox: &Sandbox) {
    let run = sandbox.run(&["sync", "--date", &crate::support::day(30)]);
    assert_eq!(run.code, 0, "{run:#?}");
}

#[test]
fn an_unreadable_row_is_refused_and_forgotten_once_it_can_be_read() {
    let sandbox = with_ada().booking(of_ada("cs_1").with("toDate", "soon".into()));
    assert_says(
        &sync_needing_attention(&sandbox),
        &["toDate is not a time", "cs_1"],
    );
    good_sync(&sandbox);
    let reason = "unreadable row in LibCal's list (toDate is not a time)";
    assert_state(&sandbox, "refused", reason, "Confirmed");
    sandbox.remove_rows("cs_1");
    sandbox.add_booking(of_ada("cs_1"));
    good_sync(&sandbox);
    assert_state(&sandbox, "registered", "", "Confirmed");
    assert_eq!(count_rows(&sandbox, "appts"), 1);
}

#[test]
fn an_unreadable_row_is_found_by_its_primary_id_and_no_other() {
    let sandbox = with_ada().booking(of_ada("cs_1").minutes(60, 60));
    let says = ["toDate is not after fromDate", "(cs_1 of G10000001)"];
    assert_says(&sync_needing_attention(&sandbox), &says);
    good_sync(&sandbox);
    let found = sandbox.run(&["lookup-user", "g10000001"]);
    assert_eq!((found.code, found.stderr.as_str()), (0, ""), "{found:#?}");
    let says = [
        "cs_1 of G10000001: refused",
        "(toDate is not after fromDate)",
    ];
    assert_says(&found.stdout, &says);
    // As it was kept while the row's ID was not read.
    sql(&sandbox, "UPDATE appts SET primary_id = NULL");
    sync_needing_attention(&sandbox);
    good_sync(&sandbox);
    let users = "SELECT primary_id FROM appts";
    assert_eq!(query_texts(&sandbox, users), ["G10000001"]);
    // The ID is corrected, and the time is not.
    sandbox.edit_rows("cs_1", |row| row[FORM_FIELD] = "G10000002".into());
    let says = ["(cs_1 of G10000002)"];
    assert_says(&sync_needing_attention(&sandbox), &says);
    assert_eq!(query_texts(&sandbox, users), ["G10000002"]);
}

#[test]
fn a_booking_of_another_day_that_was_asked_for_and_is_no_longer_listed_is_cancelled() {
    let tomorrow = 24 * 60;
    let sandbox = one_person()
        .booking(of_ada("cs_2").minutes(30 + tomorrow, 90 + tomorrow))
        .config("LibCal.days", "2");
    good_sync(&sandbox);
    sandbox.remove_rows("cs_2");
    good_sync(&sandbox);
    let [visit] = visits(&sandbox, "cs_2").try_into().expect("one visit");
    assert_eq!(visit[0], "cancelled");
}

#[test]
fn what_is_over_or_may_be_a_row_that_cannot_be_read_is_not_taken_for_moved_or_gone() {
    // Another row of the booking cannot be read.
    let sandbox = with_ada().booking(of_ada("cs_1").minutes(-10, 60));
    good_sync(&sandbox);
    sandbox.remove_rows("cs_1");
    sandbox.add_booking(of_ada("cs_1").at(10332).without("toDate"));
    sync_needing_attention(&sandbox);
    let registered = ("registered".to_owned(), String::new());
    assert!(states(&sandbox).contains(&registered));
    // It is over, and the booking goes on.
    let sandbox = with_ada().booking(of_ada("cs_1").minutes(-10, 5));
    good_sync(&sandbox);
    sandbox.pass_time(10);
    move_to(&sandbox, 100, 160);
    good_sync(&sandbox);
    assert_eq!(states(&sandbox), [registered.clone(), registered]);
}
