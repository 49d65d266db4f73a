//! Which pre-registrations count as covering another visit, and which do not.

use crate::sandbox::{Booking, Fault, Sandbox, Service, User};
use crate::support::{
    assert_says, good_sync, of_ada, one_person, single_json, sql, state_of, sync_after_outage,
    sync_during_outage, sync_needing_attention, with_ada,
};

fn on_prereg() -> Fault {
    Fault::on(Service::PassagePoint).path("createPreReg")
}

fn preregs(sandbox: &Sandbox) -> usize {
    sandbox.count_of(Service::PassagePoint, "createPreReg")
}

fn set_end(sandbox: &Sandbox, book_id: &str, minutes: i64) {
    let end = chrono::DateTime::from_timestamp(sandbox.now() + minutes * 60, 0).expect("a time");
    sandbox.edit_rows(book_id, |row| row["toDate"] = end.to_rfc3339().into());
}

fn cancel(sandbox: &Sandbox, book_id: &str) {
    sandbox.edit_rows(book_id, |row| row["status"] = "Cancelled by User".into());
}

#[test]
fn what_lies_within_a_doubt_that_is_not_tried_again_waits_for_one_pass_at_most() {
    // In doubt, and then over in LibCal.
    let sandbox = with_ada().booking(of_ada("cs_1").minutes(-20, 60));
    sandbox.fault(on_prereg().cut_before().times(1));
    sync_during_outage(&sandbox);
    set_end(&sandbox, "cs_1", -1);
    sandbox.add_booking(of_ada("cs_2").minutes(5, 50));
    let run = sandbox.sync();
    assert_eq!(run.code, 1, "{run:#?}");
    assert_says(
        &run.stderr,
        &[
            "possibly registered twice: booking cs_2",
            "within booking cs_1",
        ],
    );
    assert_eq!(state_of(&sandbox, "cs_2"), "registered");
    // In doubt at a location whose list then fails.
    let sandbox = with_ada()
        .booking(of_ada("cs_1").at(10332))
        .config("PassagePoint.location_mapping.10332", "LibCal Main");
    sandbox.fault(on_prereg().cut_before().times(1));
    sync_during_outage(&sandbox);
    let list = Fault::on(Service::LibCal).when(|seen| seen.parameter("lid") == Some("10332"));
    sandbox.fault(list.answer(500, "text/plain", "oh no"));
    sandbox.add_booking(of_ada("cs_2").minutes(40, 80));
    sync_during_outage(&sandbox);
    assert_eq!(state_of(&sandbox, "cs_2"), "registered");
    // In doubt by an error that does not end.
    let sandbox = one_person().booking(of_ada("cs_2").minutes(40, 80));
    let start = (sandbox.now() + 30 * 60).to_string();
    let about_one = on_prereg().when(move |seen| seen.body.contains(&start));
    sandbox.fault(about_one.answer(500, "text/plain", "oh no"));
    sync_during_outage(&sandbox);
    assert_eq!(state_of(&sandbox, "cs_2"), "waiting");
    sync_during_outage(&sandbox);
    assert_eq!(state_of(&sandbox, "cs_2"), "registered");
}

#[test]
fn a_visit_that_is_being_made_longer_in_doubt_covers_until_its_first_end() {
    let sandbox = one_person();
    good_sync(&sandbox);
    set_end(&sandbox, "cs_1", 120);
    sandbox.fault(on_prereg().cut_before().times(1));
    sync_during_outage(&sandbox);
    sandbox.add_booking(of_ada("cs_2").minutes(40, 80));
    sandbox.fault(on_prereg().cut_before().times(1));
    sync_during_outage(&sandbox);
    assert_eq!(state_of(&sandbox, "cs_1"), "in doubt");
    assert_eq!(state_of(&sandbox, "cs_2"), "registered");
    assert_eq!(preregs(&sandbox), 3, "none of them for cs_2");
}

#[test]
fn what_was_moved_and_then_cancelled_or_cancelled_and_then_moved_covers_nothing() {
    for is_moved_first in [true, false] {
        let sandbox = one_person();
        good_sync(&sandbox);
        if !is_moved_first {
            cancel(&sandbox, "cs_1");
            good_sync(&sandbox);
        }
        sandbox.remove_rows("cs_1");
        sandbox.add_booking(of_ada("cs_1").minutes(40, 80));
        if !is_moved_first {
            cancel(&sandbox, "cs_1");
        }
        good_sync(&sandbox);
        // That it still serves its own booking needs no word.
        good_sync(&sandbox);
        cancel(&sandbox, "cs_1");
        good_sync(&sandbox);
        // Somebody takes it out, and the person books again.
        sandbox.world().preregs.clear();
        sandbox.add_booking(of_ada("cs_2").minutes(35, 75));
        good_sync(&sandbox);
        let own = sandbox.visit("21000001", "LibCal Main", 35, 75);
        assert_eq!(sandbox.expected(), [own], "{is_moved_first}");
    }
}

#[test]
fn after_a_restore_nobody_is_covered_by_the_prereg_of_somebody_else() {
    let sandbox = one_person();
    good_sync(&sandbox);
    // The id of Ada's visitor is now that of another barcode.
    sandbox.world().visitors[0].unique_id = "21000002".to_owned();
    sandbox.world().preregs.clear();
    sandbox.add_user(User::new("G10000002").barcode("21000002"));
    sandbox.add_booking(Booking::new("cs_2").by("G10000002").minutes(40, 80));
    good_sync(&sandbox);
    let own = sandbox.visit("21000002", "LibCal Main", 40, 80);
    assert_eq!(sandbox.expected(), [own]);
}

#[test]
fn the_prereg_of_an_old_card_does_not_cover_for_the_new_one() {
    let sandbox = one_person();
    good_sync(&sandbox);
    sandbox.edit_user("G10000001", |user| {
        *user = User::new("G10000001")
            .inactive_barcode("21000001")
            .barcode("21999999");
    });
    sql(&sandbox, "UPDATE users SET checked_at = checked_at - 90000");
    set_end(&sandbox, "cs_1", 120);
    sandbox.fault(on_prereg().cut_before().times(1));
    sync_during_outage(&sandbox);
    set_end(&sandbox, "cs_1", 90);
    sandbox.add_booking(of_ada("cs_2").minutes(40, 80));
    let said = sync_needing_attention(&sandbox);
    assert_says(&said, &["possibly registered twice", "cs_1"]);
    let new_card = sandbox.visit("21999999", "LibCal Main", 30, 90);
    assert!(
        sandbox.expected().contains(&new_card),
        "{:?}",
        sandbox.expected()
    );
    assert_eq!(state_of(&sandbox, "cs_2"), "registered");
}

#[test]
fn that_a_shared_prereg_is_to_be_left_is_said_of_what_is_gone_and_while_a_list_fails_too() {
    // Denied, and so no longer listed.
    let sandbox = one_person().booking(of_ada("cs_2").minutes(40, 80));
    good_sync(&sandbox);
    sandbox.remove_rows("cs_1");
    let said = sync_needing_attention(&sandbox);
    assert_says(
        &said,
        &["also covers booking cs_2: leave it in PassagePoint", "cs_1"],
    );
    good_sync(&sandbox);
    // The list of the other one cannot be read when this one is cancelled.
    let sandbox = one_person()
        .booking(of_ada("cs_2").at(10332).minutes(40, 80))
        .config("PassagePoint.location_mapping.10332", "LibCal Main");
    good_sync(&sandbox);
    cancel(&sandbox, "cs_1");
    let list = Fault::on(Service::LibCal).when(|seen| seen.parameter("lid") == Some("10332"));
    sandbox.fault(list.answer(500, "text/plain", "oh no"));
    let said = sync_during_outage(&sandbox);
    assert_says(
        &said,
        &["also covers booking cs_2: leave it in PassagePoint"],
    );
    sandbox.clear_faults();
    sync_after_outage(&sandbox);
}

#[test]
fn a_row_that_was_missing_from_one_list_still_covers() {
    let sandbox = one_person().booking(of_ada("cs_3").minutes(200, 260));
    good_sync(&sandbox);
    let row = sandbox.world().rows.remove(0);
    sandbox.add_booking(of_ada("cs_2").minutes(40, 80));
    good_sync(&sandbox);
    assert_eq!(state_of(&sandbox, "cs_1"), "cancelled");
    sandbox.world().rows.push(row);
    good_sync(&sandbox);
    assert_eq!(state_of(&sandbox, "cs_1"), "registered");
    assert_eq!(preregs(&sandbox), 2, "none of them for cs_2");
}

#[test]
fn a_location_that_is_no_longer_configured_does_not_cancel_its_visits() {
    let sandbox = one_person().booking(of_ada("cs_2").at(10332));
    good_sync(&sandbox);
    sandbox.set_config(
        "LibCal.locations",
        r#"[{"name": "Main Library", "id": 8827}]"#,
    );
    good_sync(&sandbox);
    assert_eq!(state_of(&sandbox, "cs_2"), "registered");
}

#[test]
fn a_row_without_its_booking_id_may_be_the_one_that_seems_to_be_gone() {
    let sandbox = one_person();
    good_sync(&sandbox);
    sandbox.edit_rows("cs_1", |row| row["bookId"] = serde_json::Value::Null);
    sync_needing_attention(&sandbox);
    assert_eq!(state_of(&sandbox, "cs_1"), "registered");
}

#[test]
fn the_only_booking_of_the_day_is_gone_too() {
    let sandbox = one_person();
    good_sync(&sandbox);
    sandbox.remove_rows("cs_1");
    good_sync(&sandbox);
    let day = |time| chrono::DateTime::from_timestamp(time, 0).map(|time| time.date_naive());
    let is_today = day(sandbox.now() + 30 * 60) == day(sandbox.clock());
    let state = if is_today { "cancelled" } else { "registered" };
    assert_eq!(state_of(&sandbox, "cs_1"), state);
}

#[test]
fn prune_keeps_a_visit_that_was_made_shorter_until_the_end_of_its_prereg() {
    let sandbox = with_ada().booking(of_ada("cs_1").minutes(-60, 60));
    good_sync(&sandbox);
    set_end(&sandbox, "cs_1", -5);
    good_sync(&sandbox);
    assert_eq!(sandbox.run(&["prune"]).code, 0);
    set_end(&sandbox, "cs_1", 60);
    good_sync(&sandbox);
    assert_eq!(preregs(&sandbox), 1);
    let appt = single_json(&sandbox.run(&["--json", "lookup-appt", "cs_1"]));
    assert_eq!(appt["state"], "registered");
}

#[test]
fn what_is_covered_is_reported_to_whoever_is_watching_but_by_no_dry_run_and_ends_with_the_prereg() {
    let sandbox = one_person();
    good_sync(&sandbox);
    sandbox.add_booking(of_ada("cs_2").minutes(40, 80));
    let says = "booking cs_2 of G10000001 is covered by the pre-registration of booking cs_1";
    let dry_run = sandbox.run(&["-v", "sync", "--dry-run"]);
    assert!(!dry_run.stderr.contains(says), "{dry_run:#?}");
    assert_says(&sandbox.run(&["-v", "sync"]).stderr, &[says]);
    let appts = sandbox.run(&["--json", "lookup-user", "G10000001"]);
    let appts = &single_json(&appts)["appts"];
    assert_eq!(appts[1]["appt_id"], "cs_2");
    assert_eq!(appts[1]["ends_at"], appts[0]["ends_at"]);
}

#[test]
fn what_is_covered_is_expected_where_the_prereg_is_though_its_location_has_another_destination_now()
{
    let sandbox = one_person().booking(of_ada("cs_2").minutes(40, 80));
    good_sync(&sandbox);
    sandbox.set_config("PassagePoint.location_mapping.8827", "LibCal Science");
    sandbox.add_booking(of_ada("cs_3").at(10332).minutes(45, 75));
    good_sync(&sandbox);
    let science = sandbox.visit("21000001", "LibCal Science", 45, 75);
    assert!(sandbox.expected().contains(&science));
}

#[test]
fn what_is_no_longer_listed_and_serves_another_booking_still_covers_a_third() {
    let sandbox = with_ada()
        .booking(of_ada("cs_a").minutes(30, 120))
        .booking(of_ada("cs_b").minutes(40, 110));
    good_sync(&sandbox);
    sandbox.remove_rows("cs_a");
    sandbox.add_booking(of_ada("cs_c").minutes(50, 100));
    for _ in 0..2 {
        sandbox.sync();
        assert_eq!(sandbox.expected().len(), 1);
    }
    assert_eq!(state_of(&sandbox, "cs_c"), "registered");
    let gone = sandbox.run(&["lookup-appt", "cs_a"]).stdout;
    assert_says(
        &gone,
        &[
            "cancelled",
            "no longer lists it",
            "leave it in PassagePoint",
        ],
    );
}

#[test]
fn what_lies_within_a_visit_that_failed_before_waits_for_it_and_is_covered_by_it() {
    let sandbox = with_ada()
        .config("Network.tries", "1")
        .booking(of_ada("cs_long").minutes(30, 180));
    sandbox.fault(Fault::on(Service::Alma).answer(500, "text/plain", "oh no"));
    sync_during_outage(&sandbox);
    sandbox.clear_faults();
    sandbox.add_booking(of_ada("cs_short").minutes(40, 60));
    sync_after_outage(&sandbox);
    assert_eq!(
        sandbox.expected(),
        [sandbox.visit("21000001", "LibCal Main", 30, 180)]
    );
    assert_eq!(state_of(&sandbox, "cs_short"), "registered");
}
