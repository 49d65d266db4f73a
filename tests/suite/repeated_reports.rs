//! What was reported is not reported again: neither the order of LibCal's rows nor a list that fails in between makes
//! it news.

use serde_json::json;

use crate::sandbox::{Booking, Fault, Sandbox, Service, User};
use crate::support::{
    age_by_an_hour, assert_says, good_sync, of_ada, one_person, query_texts, sql, state_of,
    sync_after_outage, sync_during_outage, sync_needing_attention, with_ada,
};

fn on_prereg() -> Fault {
    Fault::on(Service::PassagePoint).path("createPreReg")
}

fn on_list(parameter: &'static str, value: &'static str) -> Fault {
    Fault::on(Service::LibCal)
        .when(move |seen| seen.parameter(parameter) == Some(value))
        .answer(500, "text/plain", "oh no")
}

/// All that the cache has of the visits.
fn visits(sandbox: &Sandbox) -> Vec<String> {
    let columns = "appt_id, ifnull(primary_id, ''), ifnull(lid, ''), ifnull(starts_at, ''), ifnull(ends_at, ''),
        ifnull(status, ''), state, ifnull(reason, ''), ifnull(prereg_id, ''), changed_at, ifnull(reported_at, '')";
    query_texts(
        sandbox,
        &format!("SELECT concat_ws('|', {columns}) FROM appts ORDER BY 1"),
    )
}

/// A hundred cancelled rows: what is listed after them is on the second page.
fn fill_a_page(sandbox: &Sandbox) {
    for n in 0..100 {
        sandbox.add_booking(Booking::new(&format!("cs_filler{n:03}")).cancelled());
    }
}

/// Every kind of trouble that a booking can be in, with two reasons for some of them.
fn with_trouble() -> Sandbox {
    let sandbox = with_ada()
        .user(User::new("G10000002").inactive_barcode("20999999"))
        .booking(of_ada("cs_good").seat(1))
        .booking(of_ada("cs_good").seat(2).minutes(30, 95))
        .booking(of_ada("cs_seats").minutes(200, 260).cancelled())
        .booking(of_ada("cs_seats").minutes(200, 250).seat(2));
    for typed in ["", "..", "G404", "G10000002"] {
        sandbox.add_booking(Booking::new("cs_people").by(typed).minutes(300, 360));
        sandbox.add_booking(Booking::new("cs_people").by(typed).minutes(400, 460));
    }
    for status in ["Blessed by the Dean", "Blessed by the Bishop"] {
        sandbox.add_booking(of_ada("cs_blessed").minutes(500, 560).status(status));
    }
    for field in ["fromDate", "toDate", "status"] {
        sandbox.add_booking(of_ada("cs_unreadable").without(field));
    }
    sandbox.add_booking(of_ada("cs_unreadable").at(10332).minutes(600, 660));
    sandbox
}

#[test]
fn reasons_of_one_booking_are_each_reported_once_and_do_not_take_turns() {
    let sandbox = with_trouble();
    let said = sync_needing_attention(&sandbox);
    assert_eq!(said.lines().count(), 5, "{said}");
    for part in [
        "the primary ID on the booking form is not valid: correct it in LibCal (cs_people)",
        "1 booking refused, status \"Blessed by the Dean\" is not known",
        "1 booking refused, unreadable row in LibCal's list (toDate is not a time): check the booking in LibCal (cs_unreadable of G10000001)",
        "1 user refused, not in Alma: correct the ID on the booking form in LibCal, or add the user to Alma (G404 with cs_people)",
        "1 user refused, no active barcode in Alma: give the user's card a barcode with the status ACTIVE (G10000002 with cs_people)",
    ] {
        assert_says(&said, &[part]);
    }
    for hour in 0..3 {
        let before = visits(&sandbox);
        good_sync(&sandbox);
        assert_eq!(visits(&sandbox), before, "{hour}");
        age_by_an_hour(&sandbox);
        good_sync(&sandbox);
    }
}

#[test]
fn the_order_of_the_rows_changes_nothing_between_two_passes() {
    let sandbox = with_trouble();
    sync_needing_attention(&sandbox);
    let before = visits(&sandbox);
    let expected = sandbox.expected();
    sandbox.forget_requests();
    for reversed in [true, false, true] {
        sandbox.world().reversed = reversed;
        good_sync(&sandbox);
        assert_eq!(visits(&sandbox), before, "{reversed}");
    }
    assert_eq!(sandbox.count(Service::Alma), 0);
    assert_eq!(sandbox.count(Service::PassagePoint), 0);
    assert_eq!(sandbox.expected(), expected);
}

#[test]
fn the_order_of_the_rows_changes_nothing_in_a_first_pass() {
    let first_pass = |reversed: bool| {
        let sandbox = with_trouble()
            .user(User::new("G10000003").barcode("21000003"))
            .booking(
                Booking::new("cs_names")
                    .by("G10000003")
                    .person("Ann", "", "a@x"),
            )
            .booking(
                Booking::new("cs_names")
                    .by("g10000003")
                    .person("", "Zoe", "z@x"),
            )
            .booking(
                Booking::new("cs_names")
                    .by("G10000003")
                    .person("Bob", "Yew", ""),
            );
        sandbox.world().reversed = reversed;
        let said = sync_needing_attention(&sandbox);
        let world = sandbox.world();
        let visitor = world
            .visitors
            .iter()
            .find(|one| one.unique_id == "21000003");
        let visitor = visitor.expect("a visitor").clone();
        drop(world);
        let states = query_texts(
            &sandbox,
            "SELECT concat_ws('|', appt_id, primary_id, lid, starts_at - (SELECT min(starts_at) FROM appts), state, reason)
             FROM appts ORDER BY 1",
        );
        let name = [visitor.first_name, visitor.last_name];
        (said, name, visitor.email, states)
    };
    assert_eq!(first_pass(false), first_pass(true));
}

#[test]
fn a_list_that_failed_in_between_makes_no_news_of_a_refusal() {
    let sandbox = with_trouble();
    sync_needing_attention(&sandbox);
    let before = visits(&sandbox);
    for lid in ["8827", "10332"] {
        sandbox.fault(on_list("lid", lid));
        let said = sync_during_outage(&sandbox);
        assert_eq!(said.lines().count(), 1, "{said}");
        assert_says(&said, &["not all bookings of "]);
        assert_eq!(visits(&sandbox), before, "{lid}");
        sandbox.clear_faults();
        sync_after_outage(&sandbox);
        assert_eq!(visits(&sandbox), before, "{lid}");
    }
}

#[test]
fn a_list_that_ended_early_says_nothing_against_a_visit_of_which_it_may_lack_rows() {
    let sandbox = with_ada()
        .user(User::new("G10000002").barcode("21000002"))
        .user(User::new("G10000003").inactive_barcode("20999999"))
        .booking(of_ada("cs_1").seat(1).status("Cancelled by User"))
        .booking(
            Booking::new("cs_2")
                .by("G10000002")
                .status("Mediated Tentative"),
        )
        .booking(
            Booking::new("cs_3")
                .by("G10000003")
                .status("Mediated Tentative"),
        )
        .booking(Booking::new("cs_4").by(" "));
    fill_a_page(&sandbox);
    sandbox.add_booking(of_ada("cs_1").seat(2));
    sandbox.add_booking(Booking::new("cs_2").by("G10000002"));
    sandbox.add_booking(Booking::new("cs_3").by("G10000003"));
    sandbox.add_booking(Booking::new("cs_4").by(".."));
    sync_needing_attention(&sandbox);
    let before = visits(&sandbox);
    sandbox.fault(on_list("page", "2"));
    let run = sandbox.run(&["-v", "sync"]);
    assert_eq!(run.code, 1, "{run:#?}");
    for word in ["cs_1", "cancelled", "refused"] {
        let mut lines = run
            .stderr
            .lines()
            .filter(|line| line.contains("error") || line.contains("warning"));
        assert!(lines.all(|line| !line.contains(word)), "{word}: {run:#?}");
    }
    assert!(!run.stderr.contains("was cancelled"), "{run:#?}");
    assert_eq!(visits(&sandbox), before);
    sandbox.clear_faults();
    sync_after_outage(&sandbox);
    assert_eq!(visits(&sandbox), before);
}

#[test]
fn what_a_list_that_ended_early_says_for_a_visit_counts() {
    let sandbox = with_ada().booking(of_ada("cs_1").status("Mediated Tentative"));
    fill_a_page(&sandbox);
    good_sync(&sandbox);
    sandbox.fault(on_list("page", "2"));
    sandbox.edit_rows("cs_1", |row| row["status"] = "Confirmed".into());
    sandbox.add_booking(of_ada("cs_2").minutes(100, 160));
    sandbox.world().rows.rotate_right(1);
    sync_during_outage(&sandbox);
    for book_id in ["cs_1", "cs_2"] {
        assert_eq!(state_of(&sandbox, book_id), "registered");
    }
    // And of another location's visits, whose list was read, all is known.
    sandbox.clear_faults();
    sandbox.add_booking(of_ada("cs_3").at(10332).minutes(200, 260));
    sync_after_outage(&sandbox);
    sandbox.fault(on_list("lid", "8827"));
    sandbox.edit_rows("cs_3", |row| row["status"] = "Cancelled by User".into());
    sync_during_outage(&sandbox);
    assert_eq!(state_of(&sandbox, "cs_3"), "cancelled");
}

#[test]
fn a_visit_refused_by_turns_for_its_own_and_for_its_users_sake_is_reported_of_each_once_in_a_day() {
    let sandbox = one_person();
    sandbox.fault(on_prereg().answer(422, "text/plain", "no"));
    let set_card = |is_active: bool| {
        sandbox.edit_user("G10000001", |user| {
            let new = User::new("G10000001");
            *user = if is_active {
                new.barcode("21000001")
            } else {
                new.inactive_barcode("21000001")
            };
        });
    };
    let refused = "PassagePoint refused the pre-registration (422)";
    assert_says(&sync_needing_attention(&sandbox), &[refused]);
    for is_first in [true, false] {
        age_by_an_hour(&sandbox);
        set_card(false);
        if is_first {
            assert_says(
                &sync_needing_attention(&sandbox),
                &["no active barcode in Alma"],
            );
        }
        good_sync(&sandbox);
        assert_eq!(state_of(&sandbox, "cs_1"), "refused");
        age_by_an_hour(&sandbox);
        set_card(true);
        good_sync(&sandbox);
        let told = sandbox.run(&["lookup-appt", "cs_1"]).stdout;
        assert_says(&told, &[refused]);
    }
    // A day later both are news.
    let later = "UPDATE users SET reported_at = reported_at - 86400;
                 UPDATE appts SET reported_at = reported_at - 86400;";
    sql(&sandbox, later);
    assert_says(&sync_needing_attention(&sandbox), &[refused]);
    age_by_an_hour(&sandbox);
    set_card(false);
    assert_says(
        &sync_needing_attention(&sandbox),
        &["no active barcode in Alma"],
    );
}

#[test]
fn a_new_reason_of_a_user_or_a_visit_that_was_reported_is_reported_at_once() {
    let sandbox = Sandbox::new().booking(of_ada("cs_1"));
    assert_says(&sync_needing_attention(&sandbox), &["not in Alma"]);
    sandbox.add_user(User::new("G10000001").inactive_barcode("21000001"));
    age_by_an_hour(&sandbox);
    assert_says(&sync_needing_attention(&sandbox), &["no active barcode"]);
    good_sync(&sandbox);

    let sandbox = one_person();
    for status in [422, 409] {
        sandbox.clear_faults();
        sandbox.fault(on_prereg().answer(status, "text/plain", "no"));
        let says = format!("refused the pre-registration ({status})");
        assert_says(&sync_needing_attention(&sandbox), &[&says]);
        good_sync(&sandbox);
        age_by_an_hour(&sandbox);
    }

    let sandbox = with_ada().booking(of_ada("cs_1").by(" "));
    assert_says(&sync_needing_attention(&sandbox), &["no primary ID"]);
    sandbox.edit_rows("cs_1", |row| row["q12505"] = json!(".."));
    assert_says(&sync_needing_attention(&sandbox), &["is not valid"]);
    good_sync(&sandbox);
}

#[test]
fn a_cancelled_booking_whose_prereg_serves_two_others_is_reported_once_though_a_list_fails() {
    let sandbox = one_person()
        .config("PassagePoint.location_mapping.10332", "LibCal Main")
        .booking(of_ada("cs_2").at(10332).minutes(40, 80))
        .booking(of_ada("cs_3").minutes(45, 75));
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 1);
    sandbox.edit_rows("cs_1", |row| row["status"] = "Cancelled by User".into());
    assert_says(
        &sync_needing_attention(&sandbox),
        &["also covers booking cs_", "(cs_1 of"],
    );
    let before = visits(&sandbox);
    sandbox.fault(on_list("lid", "10332"));
    let said = sync_during_outage(&sandbox);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert_eq!(visits(&sandbox), before);
    sandbox.clear_faults();
    sync_after_outage(&sandbox);
    assert_eq!(visits(&sandbox), before);
}

#[test]
fn a_booking_is_named_once_in_a_line_however_many_visits_it_has() {
    let sandbox = with_ada();
    for (from, lid) in [(100, 8827), (200, 10332)] {
        let booking = || of_ada("cs_1").minutes(from, from + 60).at(lid);
        sandbox.add_booking(booking());
        sandbox.add_booking(booking().seat(2));
    }
    let times = |line: &str| line.matches("cs_1").count();
    // An outage.
    sandbox.fault(on_prereg().cut_after());
    let said = sync_during_outage(&sandbox);
    let [line] = said.lines().collect::<Vec<_>>()[..] else {
        panic!("{said}");
    };
    assert_says(line, &["2 visits may or may not be registered"]);
    assert_eq!(times(line), 1, "{line}");
    // Two in doubt.
    sandbox.clear_faults();
    let said = sync_needing_attention(&sandbox);
    let line = said.lines().next().unwrap_or_default();
    assert_says(line, &["possibly registered twice: 2 visits", "(cs_1 of"]);
    assert_eq!(times(line), 1, "{line}");
    // A refusal.
    let sandbox = Sandbox::new();
    for from in [100, 200, 300] {
        sandbox.add_booking(Booking::new("cs_1").by("G404").minutes(from, from + 60));
        sandbox.add_booking(Booking::new("cs_1").by(" ").minutes(from, from + 60));
    }
    let said = sync_needing_attention(&sandbox);
    assert_eq!(said.lines().count(), 2, "{said}");
    assert!(said.lines().all(|line| times(line) == 1), "{said}");
    assert_says(&said, &["1 user refused", "1 booking refused"]);
    // And of several bookings of a refused user one is enough, the same every day.
    let sandbox = Sandbox::new();
    for book_id in ["cs_2", "cs_1", "cs_3"] {
        sandbox.add_booking(Booking::new(book_id).by("G404"));
    }
    assert_says(
        &sync_needing_attention(&sandbox),
        &["1 user refused", "(G404 with cs_1)"],
    );
}

#[test]
fn a_cancellation_is_reported_to_whoever_is_watching_once_and_only_where_it_is_one() {
    let says = "was cancelled or moved in LibCal; PassagePoint still expects the person";
    let looks = |sandbox: &Sandbox| sandbox.run(&["-v", "sync"]).stderr;
    let sandbox = one_person().booking(of_ada("cs_2").minutes(100, 160).cancelled());
    for _ in 0..2 {
        assert!(!looks(&sandbox).contains(says), "nothing was cancelled");
    }
    sandbox.edit_rows("cs_1", |row| row["status"] = "Mediated Tentative".into());
    assert!(!looks(&sandbox).contains(says), "it is not cancelled");
    sandbox.edit_rows("cs_1", |row| row["status"] = "Cancelled by User".into());
    assert_says(
        &looks(&sandbox),
        &[&format!("booking cs_1 of G10000001 {says} on ")],
    );
    assert!(!looks(&sandbox).contains(says), "it was told");
}

#[test]
fn a_cache_that_had_not_kept_what_was_reported_is_migrated_and_tells_nothing_again() {
    let sandbox = one_person()
        .booking(Booking::new("cs_404").by("G404"))
        .booking(
            of_ada("cs_odd")
                .minutes(100, 160)
                .status("Blessed by the Dean"),
        );
    assert_eq!(sync_needing_attention(&sandbox).lines().count(), 2);
    sql(
        &sandbox,
        "ALTER TABLE users DROP COLUMN reported; ALTER TABLE appts DROP COLUMN reported;",
    );
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 1);
    let reported = "SELECT reported FROM users WHERE reported IS NOT NULL UNION ALL
                    SELECT reported FROM appts WHERE reported IS NOT NULL";
    assert_eq!(query_texts(&sandbox, reported).len(), 2);
}
