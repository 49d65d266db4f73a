//! What was left in doubt is tried again without keeping others out, without a warning that is not due, and after a
//! failure with everything looked up afresh.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::in_doubt::on_prereg;
use crate::sandbox::{Booking, Fault, Run, Sandbox, Service, User};
use crate::starvation::{add_people, registered};
use crate::support::{
    age_by_an_hour, assert_says, count_rows, good_sync, of_ada, one_person, sandbox_in_doubt, sql,
    state_of, sync_after_outage, sync_during_outage, sync_needing_attention, with_ada,
};

const MINUTE: Duration = Duration::from_secs(60);
const TWICE: &str = "possibly registered twice";

/// Three people at the first destination, each with a visit in doubt as after a kill, and six at the other one who are
/// new.
fn killed_and_new() -> Sandbox {
    let sandbox = Sandbox::new()
        .config("Network.concurrency", "1")
        .config("Network.timeout_seconds", "1")
        .config("Network.tries", "1");
    add_people(&sandbox, "D", 3, 8827, 30);
    sandbox.fault(on_prereg().cut_before());
    sync_during_outage(&sandbox);
    sandbox.clear_faults();
    sql(&sandbox, "UPDATE appts SET failures = 0");
    add_people(&sandbox, "W", 6, 10332, 100);
    sandbox
}

#[test]
fn visits_in_doubt_that_fail_again_keep_nobody_else_out_for_more_than_a_pass() {
    type BreakIt = fn(Fault) -> Fault;
    let cases: [(&str, BreakIt); 3] = [
        ("byUniqueId", |fault| fault.hang(MINUTE)),
        ("createPreReg", |fault| fault.hang(MINUTE)),
        ("createPreReg", |fault| {
            fault.answer(401, "text/plain", "no")
        }),
    ];
    for (path, break_it) in cases {
        let sandbox = killed_and_new();
        let is_theirs = Fault::on(Service::PassagePoint)
            .path(path)
            .when(|seen| seen.raw_target.contains("BCD") || seen.body.contains("LibCal Main"));
        sandbox.fault(break_it(is_theirs));
        sync_during_outage(&sandbox);
        sync_during_outage(&sandbox);
        assert_eq!(registered(&sandbox, 10332), 6, "{path}");
    }
}

#[test]
fn who_failed_once_is_not_kept_out_by_visits_in_doubt_that_fail_in_each_pass() {
    let sandbox = killed_and_new();
    let hangs = Fault::on(Service::PassagePoint).path("byUniqueId");
    sandbox.fault(hangs.hang(MINUTE));
    sync_during_outage(&sandbox);
    // Now the others have failed too, once.
    sql(
        &sandbox,
        "UPDATE appts SET failures = 2 WHERE lid = 8827; UPDATE appts SET failures = 1 WHERE lid = 10332",
    );
    sql(
        &sandbox,
        "UPDATE appts SET state = 'waiting', prereg_id = NULL, registered_ends_at = NULL WHERE lid = 10332",
    );
    sandbox.world().preregs.clear();
    sync_during_outage(&sandbox);
    assert_eq!(registered(&sandbox, 10332), 6);
}

#[test]
fn a_token_that_is_rejected_for_one_destination_alone_keeps_nobody_out_of_the_other() {
    let sandbox = Sandbox::new().config("Network.concurrency", "1");
    for n in 0..6 {
        add_people(&sandbox, &format!("M{n}"), 1, 8827, 30 + 10 * n);
        add_people(&sandbox, &format!("S{n}"), 1, 10332, 35 + 10 * n);
    }
    let on_main = on_prereg().when(|seen| seen.body.contains("LibCal Main"));
    sandbox.fault(on_main.answer(401, "text/plain", "no"));
    sync_during_outage(&sandbox);
    assert_eq!(registered(&sandbox, 10332), 6);
    assert_eq!(count_rows(&sandbox, "appts WHERE state = 'waiting'"), 6);
}

#[test]
fn that_a_visit_may_be_registered_twice_is_reported_again_only_after_an_attempt_that_may_have_acted()
 {
    let sandbox = sandbox_in_doubt();
    let nothing_there = on_prereg().answer(404, "text/html", "<p>");
    sandbox.fault(nothing_there);
    assert!(sync_needing_attention(&sandbox).contains(TWICE));
    for _ in 0..2 {
        let run = sandbox.sync();
        assert_eq!(run.code, 1, "{run:#?}");
        assert!(!run.stderr.contains(TWICE), "{run:#?}");
    }
    sandbox.clear_faults();
    sandbox.fault(on_prereg().cut_after());
    sandbox.sync();
    assert!(sync_needing_attention(&sandbox).contains(TWICE));
    assert_eq!(state_of(&sandbox, "cs_1"), "in doubt");
}

#[test]
fn only_answers_of_passagepoint_about_the_visit_make_it_one_that_is_tried_hourly() {
    let sandbox = one_person().config("Network.tries", "1");
    let oh_no = |fault: Fault| fault.answer(500, "text/plain", "oh no");
    sandbox.fault(oh_no(Fault::on(Service::Alma)));
    for _ in 0..3 {
        sync_during_outage(&sandbox);
    }
    sandbox.clear_faults();
    sandbox.fault(oh_no(on_prereg()));
    sync_during_outage(&sandbox);
    sandbox.clear_faults();
    let run = sandbox.sync();
    assert_eq!(state_of(&sandbox, "cs_1"), "registered", "{run:#?}");
}

#[test]
fn a_lost_connection_between_5xx_answers_starts_their_count_anew() {
    let sandbox = one_person().config("Network.tries", "1");
    let fails = |fault: fn(Fault) -> Fault| {
        sandbox.clear_faults();
        sandbox.fault(fault(on_prereg()));
        sandbox.sync();
    };
    let oh_no = |fault: Fault| fault.answer(500, "text/plain", "oh no");
    for fault in [oh_no, oh_no, Fault::cut_before, oh_no, oh_no] {
        fails(fault);
    }
    sandbox.clear_faults();
    sandbox.sync();
    assert_eq!(state_of(&sandbox, "cs_1"), "registered");
}

#[test]
fn what_lies_within_a_visit_that_first_failed_in_alma_and_then_in_doubt_waits_for_it_too() {
    let sandbox = with_ada()
        .config("Network.tries", "1")
        .booking(of_ada("cs_a").minutes(30, 120))
        .booking(of_ada("cs_b").minutes(40, 60));
    let alma = Fault::on(Service::Alma);
    sandbox.fault(alma.answer(500, "text/plain", "oh no"));
    sync_during_outage(&sandbox);
    sandbox.clear_faults();
    sandbox.fault(on_prereg().cut_after().times(1));
    sync_during_outage(&sandbox);
    assert_eq!(sandbox.expected().len(), 1, "the lost one");
    assert_eq!(state_of(&sandbox, "cs_b"), "waiting");
    sync_needing_attention(&sandbox);
    assert_eq!(sandbox.expected().len(), 2);
    assert_eq!(state_of(&sandbox, "cs_b"), "registered");
}

#[test]
fn a_visitor_for_whom_a_request_failed_is_looked_up_again_whatever_the_failure() {
    for status in [404, 403, 500, 400] {
        let sandbox = one_person().config("Network.tries", "1");
        assert_eq!(sandbox.sync().code, 0);
        // As after a restore of PassagePoint: the same person, with another id.
        let old = sandbox.world().visitors[0].id;
        sandbox.world().visitors[0].id = old + 1_000_000;
        sandbox.add_booking(of_ada("cs_2").minutes(100, 160));
        let is_old =
            move |seen: &crate::sandbox::ReceivedRequest| seen.body.contains(&old.to_string());
        let gone = on_prereg().when(is_old);
        sandbox.fault(gone.answer(status, "text/plain", "no such visitor"));
        sandbox.sync();
        sandbox.sync();
        assert_eq!(state_of(&sandbox, "cs_2"), "registered", "{status}");
    }
}

#[test]
fn a_wrong_address_of_known_visitors_does_not_keep_new_ones_out() {
    let sandbox = Sandbox::new().config("Network.concurrency", "1");
    add_people(&sandbox, "K", 3, 8827, 30);
    assert_eq!(sandbox.sync().code, 0);
    sandbox.pass_time(2 * 24 * 60);
    let from = 2 * 24 * 60 + 30;
    for n in 0..3 {
        let booking = Booking::new(&format!("cs_again{n}")).by(&format!("K{n:03}"));
        sandbox.add_booking(booking.minutes(from, from + 60));
    }
    add_people(&sandbox, "N", 4, 8827, from + 10);
    let by_unique_id = Fault::on(Service::PassagePoint).path("byUniqueId");
    sandbox.fault(by_unique_id.answer(404, "text/html", "<p>"));
    sync_during_outage(&sandbox);
    let new = "appts WHERE state = 'registered' AND primary_id LIKE 'N%'";
    assert_eq!(count_rows(&sandbox, new), 4);
    sandbox.clear_faults();
    sync_after_outage(&sandbox);
}

#[test]
fn whose_visit_in_doubt_fails_in_each_pass_gets_in_elsewhere_and_keeps_nobody_out_there() {
    let sandbox = killed_and_new();
    sql(&sandbox, "UPDATE appts SET failures = 5");
    for n in 0..3 {
        let booking = Booking::new(&format!("cs_also{n}")).by(&format!("D{n:03}"));
        sandbox.add_booking(booking.at(10332).minutes(10, 20));
    }
    let on_main = on_prereg().when(|seen| seen.body.contains("LibCal Main"));
    sandbox.fault(on_main.hang(MINUTE));
    sync_during_outage(&sandbox);
    assert_eq!(registered(&sandbox, 10332), 9);
}

/// A visit in doubt that is named by a pass which then sends nothing about it.
fn named_and_not_tried() -> Sandbox {
    let sandbox = sandbox_in_doubt();
    let is_no_login = Fault::on(Service::PassagePoint).when(|seen| !seen.path.contains("login"));
    sandbox.fault(is_no_login.answer(503, "text/plain", "oh no"));
    assert!(sync_needing_attention(&sandbox).contains(TWICE));
    sandbox.clear_faults();
    sandbox
}

#[test]
fn the_pass_that_registers_a_visit_in_doubt_names_it_though_an_earlier_one_did() {
    let later = named_and_not_tried();
    let refused = sandbox_in_doubt();
    refused.fault(on_prereg().answer(422, "application/json", "{}"));
    assert!(sync_needing_attention(&refused).contains(TWICE));
    refused.clear_faults();
    refused.pass_time(61);
    refused.edit_rows("cs_1", |row| row["toDate"] = "2099-01-01T00:00:00Z".into());
    for sandbox in [later, refused] {
        let said = sync_needing_attention(&sandbox);
        assert_says(&said, &[TWICE, "cs_1 of G10000001"]);
        assert_eq!(sandbox.expected().len(), 2, "{said}");
    }
}

#[test]
fn a_visit_in_doubt_that_was_named_is_not_tried_while_nobody_can_be_told() {
    let sandbox = named_and_not_tried();
    let mut pass = sandbox.command(&["sync"]);
    pass.env("RUST_LOG", "off");
    assert_eq!(Run::of(pass).code, 1);
    assert_eq!(state_of(&sandbox, "cs_1"), "in doubt");
    assert_eq!(sandbox.expected().len(), 1);
}

/// A user who is due to be looked up again, with a visit in doubt and a new one elsewhere, so that they have two turns.
fn two_turns() -> Sandbox {
    let sandbox = one_person().config("Network.tries", "1");
    sandbox.fault(on_prereg().cut_before());
    sandbox.sync();
    sandbox.clear_faults();
    sandbox.add_booking(of_ada("cs_2").at(10332).minutes(100, 160));
    sql(
        &sandbox,
        "UPDATE users SET checked_at = checked_at - 2 * 86400",
    );
    sandbox
}

/// From the n-th request on, Alma does not answer.
fn fail_alma_from(sandbox: &Sandbox, n: usize) {
    let seen = AtomicUsize::new(1);
    let fault = Fault::on(Service::Alma).when(move |_| seen.fetch_add(1, Ordering::Relaxed) >= n);
    sandbox.fault(fault.answer(500, "text/plain", "oh no"));
}

#[test]
fn what_a_pass_has_learned_of_a_user_counts_at_their_second_turn() {
    let refused = two_turns();
    refused.edit_user("G10000001", |user| {
        *user = User::new("G10000001").inactive_barcode("21000001");
    });
    // Both institution zones are asked the first time.
    fail_alma_from(&refused, 3);
    refused.sync();
    assert_eq!(refused.expected(), []);

    let new_card = two_turns();
    new_card.edit_user("G10000001", |user| {
        *user = User::new("G10000001").barcode("29999999");
    });
    fail_alma_from(&new_card, 2);
    new_card.sync();
    let made = new_card.expected();
    assert_eq!(made.len(), 2);
    assert!(made.iter().all(|one| one.barcode == "29999999"), "{made:?}");
}

#[test]
fn a_known_user_with_two_turns_who_could_not_be_checked_is_counted_once() {
    let sandbox = two_turns();
    fail_alma_from(&sandbox, 1);
    let said = sync_during_outage(&sandbox);
    assert_says(&said, &["1 known user could not be checked"]);
}

/// What is asked about the visitors of those whose visits are in doubt.
fn on_visitors_in_doubt() -> Fault {
    let by_unique_id = Fault::on(Service::PassagePoint).path("byUniqueId");
    by_unique_id.when(|seen| seen.raw_target.contains("BCD"))
}

#[test]
fn visits_in_doubt_about_which_nothing_failed_are_tried_by_their_start_as_others_are() {
    let sandbox = killed_and_new();
    add_people(&sandbox, "E", 3, 10332, 10);
    sandbox.fault(on_visitors_in_doubt().cut_before());
    sync_during_outage(&sandbox);
    let earlier = "appts WHERE state = 'registered' AND primary_id LIKE 'E%'";
    assert_eq!(count_rows(&sandbox, earlier), 3);
}

#[test]
fn who_is_known_is_not_kept_out_by_visits_in_doubt_of_others_that_fail_in_each_pass() {
    let sandbox = Sandbox::new()
        .config("Network.concurrency", "1")
        .config("Network.tries", "1");
    add_people(&sandbox, "K", 3, 10332, 30);
    assert_eq!(sandbox.sync().code, 0);
    add_people(&sandbox, "D", 3, 8827, 30);
    sandbox.fault(on_prereg().cut_before());
    sync_during_outage(&sandbox);
    sandbox.clear_faults();
    sql(&sandbox, "UPDATE appts SET failures = 2 WHERE lid = 8827");
    for n in 0..3 {
        let booking = Booking::new(&format!("cs_also{n}")).by(&format!("K{n:03}"));
        sandbox.add_booking(booking.minutes(100, 160));
    }
    sandbox.fault(on_visitors_in_doubt().cut_before());
    sync_during_outage(&sandbox);
    assert_eq!(registered(&sandbox, 8827), 3);
}

#[test]
fn a_refusal_that_was_reported_is_not_news_after_an_attempt_that_ended_in_doubt() {
    let sandbox = one_person().config("Network.tries", "1");
    let refusal = || on_prereg().answer(422, "text/plain", "no");
    sandbox.fault(refusal());
    let refused = "PassagePoint refused the pre-registration (422)";
    assert_says(&sync_needing_attention(&sandbox), &[refused]);
    age_by_an_hour(&sandbox);
    sandbox.clear_faults();
    sandbox.fault(on_prereg().answer(500, "text/plain", "oh no").times(1));
    sandbox.fault(refusal());
    sandbox.sync();
    assert_eq!(state_of(&sandbox, "cs_1"), "in doubt");
    let run = sandbox.sync();
    assert!(!run.stderr.contains(refused), "{run:#?}");
    assert_eq!(state_of(&sandbox, "cs_1"), "refused");
}

#[test]
fn a_visit_that_failed_puts_only_those_behind_that_lie_within_it() {
    let sandbox = Sandbox::new().config("Network.concurrency", "1");
    add_people(&sandbox, "K", 1, 10332, 30);
    add_people(&sandbox, "M", 1, 10332, 30);
    good_sync(&sandbox);
    let add = |book_id: &str, id: &str, from: i64| {
        let booking = Booking::new(book_id).by(id).at(8827);
        sandbox.add_booking(booking.minutes(from, from + 20));
    };
    add("cs_often", "K000", 130);
    add("cs_twice", "M000", 200);
    sandbox.fault(
        on_prereg()
            .when(|seen| seen.body.contains("LibCal Main"))
            .answer(401, "text/plain", "no"),
    );
    sync_during_outage(&sandbox);
    for (book_id, failures) in [("cs_often", 3), ("cs_twice", 2)] {
        let failed = format!("UPDATE appts SET failures = {failures} WHERE appt_id = '{book_id}'");
        sql(&sandbox, &failed);
    }
    sandbox.clear_faults();
    add("cs_before", "K000", 100);
    add("cs_after", "K000", 160);
    let made = sandbox.world().in_order().len();
    sync_after_outage(&sandbox);
    let order = sandbox.world().in_order().split_off(made);
    let order: Vec<_> = order.iter().map(|one| one.barcode.as_str()).collect();
    assert_eq!(order, ["BCK000", "BCK000", "BCM000", "BCK000"]);
}
