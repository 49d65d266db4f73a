//! How long cached facts stand, and that a clock that once ran a year ahead silences and blocks nothing.

use chrono::DateTime;

use crate::sandbox::{Booking, Fault, Sandbox, Service, User};
use crate::support::{
    assert_says, count_rows, good_sync, of_ada, one_person, single_json, sql, state_of,
    sync_during_outage, sync_needing_attention, with_ada,
};

/// A year, in minutes: what a clock that runs ahead writes lies so far in the future.
const AHEAD: i64 = -365 * 24 * 60;

/// Sets a time of the cache to so many minutes ago, wherever there is one.
fn set(sandbox: &Sandbox, table: &str, time: &str, minutes_ago: i64) {
    let set = format!("UPDATE {table} SET {time} = clock() - {minutes_ago} * 60 WHERE {time} > 0");
    sql(sandbox, &set);
}

fn on_prereg() -> Fault {
    Fault::on(Service::PassagePoint).path("createPreReg")
}

#[test]
fn a_users_refusal_stands_for_an_hour() {
    for (minutes, state) in [
        (4, "refused"),
        (59, "refused"),
        (60, "registered"),
        (AHEAD, "registered"),
    ] {
        let sandbox = Sandbox::new().booking(of_ada("cs_1"));
        assert_says(&sync_needing_attention(&sandbox), &["not in Alma"]);
        sandbox.add_user(User::new("G10000001").barcode("21000001"));
        set(&sandbox, "users", "checked_at", minutes);
        good_sync(&sandbox);
        assert_eq!(state_of(&sandbox, "cs_1"), state, "{minutes} min ago");
    }
}

#[test]
fn a_visits_refusal_stands_for_an_hour() {
    for (minutes, state) in [
        (4, "refused"),
        (59, "refused"),
        (60, "registered"),
        (AHEAD, "registered"),
    ] {
        let sandbox = one_person();
        sandbox.fault(on_prereg().times(1).answer(422, "text/plain", "no"));
        assert_says(&sync_needing_attention(&sandbox), &["422"]);
        set(&sandbox, "appts", "changed_at", minutes);
        good_sync(&sandbox);
        assert_eq!(state_of(&sandbox, "cs_1"), state, "{minutes} min ago");
    }
}

#[test]
fn what_passagepoint_answered_with_a_5xx_three_times_is_tried_again_after_an_hour() {
    for (minutes, state) in [
        (4, "in doubt"),
        (59, "in doubt"),
        (60, "registered"),
        (AHEAD, "registered"),
    ] {
        let sandbox = one_person();
        sandbox.fault(on_prereg().answer(500, "text/plain", "oh no"));
        for _ in 0..3 {
            sync_during_outage(&sandbox);
        }
        sandbox.clear_faults();
        set(&sandbox, "appts", "changed_at", minutes);
        assert_eq!(sandbox.sync().code, 1, "it is in doubt");
        assert_eq!(state_of(&sandbox, "cs_1"), state, "{minutes} min ago");
    }
}

#[test]
fn a_refusal_of_a_user_or_a_visit_is_reported_once_in_24_hours() {
    let day = 24 * 60;
    for (minutes, is_told) in [(60, false), (day - 1, false), (day, true), (AHEAD, true)] {
        // A user's, one by a form without an ID, and one by PassagePoint.
        let sandbox = with_ada()
            .booking(Booking::new("cs_404").by("G404"))
            .booking(Booking::new("cs_blank").by(" "))
            .booking(of_ada("cs_422"));
        sandbox.fault(on_prereg().answer(422, "text/plain", "no"));
        assert_eq!(sync_needing_attention(&sandbox).lines().count(), 3);
        good_sync(&sandbox);
        for table in ["users", "appts"] {
            set(&sandbox, table, "reported_at", minutes);
        }
        if is_told {
            let said = sync_needing_attention(&sandbox);
            assert_eq!(said.lines().count(), 3, "{minutes} min ago: {said}");
        }
        good_sync(&sandbox);
    }
}

#[test]
fn a_known_user_is_looked_up_again_after_refresh_days() {
    let day = 24 * 60;
    for (days, minutes, is_asked) in [
        (3, day + 1, 0),
        (3, 3 * day - 1, 0),
        (3, 3 * day, 1),
        (1, day, 1),
        (1, AHEAD, 1),
        (0, 0, 1),
    ] {
        let sandbox = one_person().config("Alma.refresh_days", &days.to_string());
        good_sync(&sandbox);
        sandbox.forget_requests();
        sandbox.add_booking(of_ada("cs_2").minutes(100, 160));
        set(&sandbox, "users", "checked_at", minutes);
        good_sync(&sandbox);
        let case = format!("{days} days, {minutes} min ago");
        assert_eq!(sandbox.count(Service::Alma), is_asked, "{case}");
        assert_eq!(sandbox.expected().len(), 2, "{case}");
    }
}

#[test]
fn an_outage_reported_by_a_clock_that_ran_ahead_is_reported_and_began_just_now() {
    let sandbox = one_person();
    sandbox.stop(Service::Alma);
    for said in [false, true, false] {
        assert_eq!(!sandbox.sync().stderr.is_empty(), said);
    }
    for time in ["reported_at", "since"] {
        set(&sandbox, "outages", time, AHEAD);
    }
    assert_says(&sandbox.sync().stderr, &["Alma is not responding"]);
    let status = single_json(&sandbox.run(&["--json", "status"]));
    let since = status["outages"][0]["since"].as_str().expect("a time");
    let since = DateTime::parse_from_rfc3339(since).expect("RFC 3339");
    assert!(since.timestamp() < sandbox.now() + 3600, "{since}");
    assert_eq!(sandbox.sync().stderr, "", "and then it is silent for a day");
}

#[test]
fn a_visit_that_ended_is_noted_though_the_last_pass_was_in_the_future() {
    let sandbox = one_person();
    good_sync(&sandbox);
    set(&sandbox, "last_pass", "ended_at", AHEAD);
    sandbox.add_booking(of_ada("cs_2").minutes(-20, -1));
    good_sync(&sandbox);
    assert_eq!(state_of(&sandbox, "cs_2"), "waiting");
}

#[test]
fn a_visit_that_is_over_by_the_programs_clock_is_not_registered() {
    let sandbox = one_person();
    sandbox.pass_time(90);
    good_sync(&sandbox);
    assert_eq!(sandbox.expected(), []);
    assert_eq!(state_of(&sandbox, "cs_1"), "waiting");
}

#[test]
fn a_look_up_warns_of_a_last_pass_that_is_an_hour_old_or_in_the_future() {
    let sandbox = one_person();
    good_sync(&sandbox);
    for (minutes, warns) in [(59, false), (60, true), (AHEAD, true)] {
        set(&sandbox, "last_pass", "ended_at", minutes);
        for args in [["lookup-user", "G10000001"], ["lookup-appt", "cs_1"]] {
            let run = sandbox.run(&args);
            let is_warned = run.stderr.contains("are not known here");
            assert_eq!((run.code, is_warned), (0, warns), "{minutes}: {run:#?}");
        }
    }
}

#[test]
fn a_pass_that_saw_every_visit_as_over_leaves_them_to_the_next_one() {
    // What a pass notes of visits that have ended by a clock that runs ahead.
    let sandbox = one_person();
    sandbox.stop(Service::PassagePoint);
    sync_during_outage(&sandbox);
    sql(
        &sandbox,
        "UPDATE appts SET reason = '\"too_late\"', changed_at = changed_at + 31536000;
         UPDATE last_pass SET ended_at = ended_at + 31536000;",
    );
    sandbox.start(Service::PassagePoint);
    assert_eq!(sandbox.sync().code, 0);
    assert_eq!(state_of(&sandbox, "cs_1"), "registered");
}

#[test]
fn a_visit_says_since_when_it_is_in_its_state_however_many_passes_go_by() {
    let sandbox = with_ada()
        .booking(of_ada("cs_1"))
        .booking(of_ada("cs_2").status("Mediated Tentative"))
        .booking(of_ada("cs_3").cancelled())
        .booking(Booking::new("cs_4").by(" "));
    sandbox.stop(Service::PassagePoint);
    sync_during_outage(&sandbox);
    set(&sandbox, "appts", "changed_at", 300);
    sync_during_outage(&sandbox);
    assert_eq!(count_rows(&sandbox, FIVE_HOURS_AGO), 4);
    // What is new begins now.
    sandbox.start(Service::PassagePoint);
    sandbox.edit_rows("cs_2", |row| row["status"] = "Mediated Pending".into());
    assert_eq!(sandbox.sync().code, 0);
    assert_eq!(count_rows(&sandbox, FIVE_HOURS_AGO), 2);
}

const FIVE_HOURS_AGO: &str = "appts WHERE changed_at < clock() - 4 * 3600";
