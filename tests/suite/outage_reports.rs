//! When an outage is reported: by the second pass in a row that meets it, then once in 24 hours, and when it is over.

use crate::sandbox::{Booking, Fault, ReceivedRequest, Run, Sandbox, Service, User};
use crate::support::{
    age_by_an_hour, assert_says, count_rows, day, good_sync, of_ada, one_person, query_texts,
    single_json, sql, sync_after_outage, warnings, with_ada,
};
use crate::terminal::on_terminal;

/// A pass that meets an outage, run where nobody looks.
fn meets(sandbox: &Sandbox) -> String {
    let run = sandbox.sync();
    assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{run:#?}");
    run.stderr
}

#[test]
fn by_the_second_pass_in_a_row_then_once_in_24_hours_and_when_it_is_over() {
    let sandbox = one_person();
    sandbox.stop(Service::Alma);
    let told = "error: Alma is not responding: connection refused; 1 visit waits for the next pass (booking cs_1)\n";
    assert_eq!(meets(&sandbox), "");
    assert_eq!(meets(&sandbox), told);
    assert_eq!(meets(&sandbox), "");
    sql(
        &sandbox,
        "UPDATE outages SET reported_at = reported_at - 23 * 3600",
    );
    assert_eq!(meets(&sandbox), "");
    sql(
        &sandbox,
        "UPDATE outages SET reported_at = reported_at - 2 * 3600",
    );
    assert_eq!(meets(&sandbox), told);
    sql(&sandbox, "UPDATE outages SET since = since - 130 * 60");
    sandbox.start(Service::Alma);
    let run = sandbox.sync();
    let over = "warning: Alma is responding again after 2 h 10 min\n";
    assert_eq!((run.code, run.stderr.as_str()), (0, over));
    good_sync(&sandbox);
    assert_eq!(count_rows(&sandbox, "outages"), 0);
}

#[test]
fn an_outage_of_one_pass_needs_no_attention() {
    for service in Service::ALL {
        let sandbox = one_person();
        sandbox.stop(service);
        assert_eq!(meets(&sandbox), "", "{service:?}");
        sandbox.start(service);
        good_sync(&sandbox);
        sandbox.stop(service);
        sandbox.add_booking(Booking::new("cs_2").by("G10000002").minutes(100, 160));
        sandbox.add_user(User::new("G10000002").barcode("21000002"));
        assert_eq!(meets(&sandbox), "", "{service:?}: not in a row");
    }
}

#[test]
fn on_a_terminal_and_with_v_it_is_always_reported() {
    let sandbox = one_person();
    sandbox.stop(Service::PassagePoint);
    for _ in 0..2 {
        let run = on_terminal(&sandbox, &["sync"], &[]);
        assert_eq!(run.code, 1, "{run:#?}");
        assert_says(
            &run.stdout,
            &["PassagePoint is not responding: connection refused"],
        );
        let run = sandbox.run(&["-v", "sync"]);
        assert_says(
            &run.stderr,
            &["error: PassagePoint is not responding: connection refused"],
        );
    }
    // Who has seen it is not told by mail again.
    assert_eq!(meets(&sandbox), "");
}

#[test]
fn a_report_that_could_not_be_written_is_made_by_the_next_pass() {
    let sandbox = one_person();
    sandbox.stop(Service::Alma);
    assert_eq!(meets(&sandbox), "");
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let status = sandbox.command(&["sync"]).stderr(full).status().unwrap();
    assert_eq!(status.code(), Some(1));
    assert_says(&meets(&sandbox), &["Alma is not responding"]);
    assert_eq!(meets(&sandbox), "");
}

#[test]
fn one_location_is_an_outage_of_its_own() {
    let sandbox = one_person();
    let location = |lid: &'static str| {
        Fault::on(Service::LibCal)
            .when(move |seen| seen.parameter("lid") == Some(lid))
            .answer(500, "text/plain", "oh no")
    };
    sandbox.fault(location("10332"));
    assert_eq!(meets(&sandbox), "");
    assert_says(
        &meets(&sandbox),
        &["not all bookings of Science Library (10332) could be read;"],
    );
    // Another one fails now: that is news, but not at once.
    sandbox.clear_faults();
    sandbox.fault(location("8827"));
    let said = meets(&sandbox);
    assert_eq!(
        said,
        "warning: LibCal, Science Library (10332) is responding again after less than 1 min\n"
    );
    assert_says(
        &meets(&sandbox),
        &["not all bookings of Main Library (8827) could be read;"],
    );
    // And then the whole service, which is more than was told, and at last only a part of it.
    sandbox.stop(Service::LibCal);
    let said = meets(&sandbox);
    assert_says(
        &said,
        &["Main Library (8827), Science Library (10332) could"],
    );
    assert!(!said.contains("again after"), "{said}");
    sandbox.start(Service::LibCal);
    assert_eq!(meets(&sandbox), "");
    sandbox.clear_faults();
    sync_after_outage(&sandbox);
}

#[test]
fn a_pass_of_another_day_neither_begins_nor_ends_an_outage_of_libcal() {
    let location = |seen: &ReceivedRequest| seen.parameter("lid") == Some("8827");
    let today = move |seen: &ReceivedRequest| location(seen) && seen.parameter("date").is_none();
    let another_day = ["sync", "--date", &day(1)];
    let sandbox = one_person();
    sandbox.fault(Fault::on(Service::LibCal).when(today).answer(500, "", ""));
    meets(&sandbox);
    meets(&sandbox);
    let run = sandbox.run(&another_day);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
    assert_eq!(
        sandbox.run(&["status"]).code,
        1,
        "today's list is still out"
    );
    assert_eq!(meets(&sandbox), "", "and that was reported");
    // All of LibCal is out for that pass alone, as it tells whoever looks on.
    sandbox.stop(Service::LibCal);
    let run = sandbox.run(&["-v", "sync", "--date", &day(1)]);
    assert_eq!(run.code, 1, "{run:#?}");
    assert_says(&warnings(&run), &["LibCal is not responding"]);
    let services = query_texts(&sandbox, "SELECT service FROM outages");
    assert_eq!(services, ["LibCal, Main Library (8827)"]);
    sandbox.start(Service::LibCal);
    sandbox.clear_faults();
    sync_after_outage(&sandbox);
    // Nor does one begin with it.
    sandbox.fault(
        Fault::on(Service::LibCal)
            .when(location)
            .answer(500, "", ""),
    );
    assert_eq!(sandbox.run(&another_day).code, 1);
    assert_eq!(count_rows(&sandbox, "outages"), 0);
    assert_eq!(meets(&sandbox), "", "the first of today");
}

#[test]
fn a_rejected_key_is_an_outage_of_its_own_and_reported_though_nobody_waits_for_it() {
    let sandbox = one_person();
    sandbox.world().alma_keys[0] = "another".to_owned();
    sandbox.edit_user("G10000001", |user| user.zone = 1);
    assert_eq!(meets(&sandbox), "");
    // Nobody needs Alma any more, and the key is still rejected.
    let said = meets(&sandbox);
    assert_says(
        &said,
        &["error: Alma rejected API key 1 (403 Forbidden): check Alma.apikeys\n"],
    );
    assert_eq!(said.lines().count(), 1, "{said}");
    sandbox.world().alma_keys[0] = "AlmaKeyZone0Jm3Rv8".to_owned();
    let run = sandbox.sync();
    assert_eq!(run.code, 0, "{run:#?}");
    assert_says(
        &run.stderr,
        &["Alma accepts API key 1 again after less than 1 min"],
    );
}

#[test]
fn a_rejected_key_is_not_said_to_be_accepted_while_alma_is_not_responding() {
    let sandbox = one_person();
    sandbox.world().alma_keys[0] = "another".to_owned();
    sandbox.edit_user("G10000001", |user| user.zone = 1);
    meets(&sandbox);
    meets(&sandbox);
    sandbox.stop(Service::Alma);
    assert_eq!(meets(&sandbox), "", "nobody needs Alma");
    sandbox.add_user(User::new("G10000002").barcode("21000002").zone(1));
    sandbox.add_booking(Booking::new("cs_2").by("G10000002"));
    assert_eq!(meets(&sandbox), "");
    assert_says(&meets(&sandbox), &["Alma is not responding"]);
    sandbox.start(Service::Alma);
    let said = meets(&sandbox);
    assert_eq!(
        said,
        "warning: Alma is responding again after less than 1 min\n"
    );
    assert_eq!(sandbox.expected().len(), 2);
}

#[test]
fn what_may_be_registered_twice_is_not_reported_while_nothing_can_be_tried() {
    let sandbox = one_person();
    let prereg = Fault::on(Service::PassagePoint).path("createPreReg");
    sandbox.fault(prereg.cut_after().times(1));
    assert_eq!(meets(&sandbox), "");
    sandbox.stop(Service::PassagePoint);
    for _ in 0..3 {
        assert!(!meets(&sandbox).contains("possibly registered twice"));
    }
    sandbox.start(Service::PassagePoint);
    assert_says(&meets(&sandbox), &["possibly registered twice: 1 visit"]);
}

#[test]
fn what_was_out_is_asked_whether_it_still_is_if_nobody_waits_for_it() {
    for service in [Service::Alma, Service::PassagePoint] {
        let sandbox = with_ada().booking(of_ada("cs_1"));
        sandbox.stop(service);
        meets(&sandbox);
        meets(&sandbox);
        // The only one who waited has cancelled.
        sandbox.edit_rows("cs_1", |row| row["status"] = "Cancelled by User".into());
        assert_eq!(meets(&sandbox), "", "{service:?} is still out");
        assert_eq!(sandbox.run(&["status"]).code, 1, "{service:?}");
        sandbox.start(service);
        sync_after_outage(&sandbox);
        assert_eq!(sandbox.run(&["status"]).code, 0, "{service:?}");
        sandbox.forget_requests();
        good_sync(&sandbox);
        assert_eq!(sandbox.count(service), 0, "and then it is left in peace");
    }
}

#[test]
fn what_may_be_registered_twice_is_reported_at_once() {
    let sandbox = one_person();
    let prereg = Fault::on(Service::PassagePoint).path("createPreReg");
    sandbox.fault(prereg.cut_after().times(1));
    assert_eq!(meets(&sandbox), "");
    let run: Run = sandbox.sync();
    assert_eq!(run.code, 1);
    assert_says(
        &run.stderr,
        &[
            "error: possibly registered twice: 1 visit",
            "cs_1 of G10000001",
        ],
    );
}

#[test]
fn what_an_outage_puts_off_counts_as_what_it_was() {
    let sandbox = with_ada().booking(of_ada("cs_refused"));
    let prereg = || Fault::on(Service::PassagePoint).path("createPreReg");
    sandbox.fault(prereg().times(1).answer(422, "text/plain", "no"));
    assert_says(&meets(&sandbox), &["422"]);
    sandbox.add_booking(of_ada("cs_doubt").minutes(100, 160));
    sandbox.fault(prereg().times(1).cut_after());
    meets(&sandbox);
    age_by_an_hour(&sandbox);
    sandbox.add_booking(of_ada("cs_new").minutes(200, 260));
    sandbox.stop(Service::PassagePoint);
    let summary = single_json(&sandbox.run(&["--json", "sync"]));
    let counts = ["visits", "refused", "in_doubt", "failed", "registered"];
    let counts = counts.map(|count| summary[count].as_u64());
    assert_eq!(counts, [3, 1, 1, 1, 0].map(Some), "{summary}");
}

#[test]
fn a_visit_that_ended_while_its_list_could_not_be_read_is_kept_and_one_that_was_pruned_is_not() {
    for is_whole in [false, true] {
        let sandbox = one_person().booking(of_ada("cs_over").at(10332).minutes(-60, -30));
        good_sync(&sandbox);
        assert_eq!(sandbox.run(&["prune"]).code, 0);
        let list = Fault::on(Service::LibCal).path("bookings");
        let of_place =
            move |seen: &ReceivedRequest| is_whole || seen.parameter("lid") == Some("10332");
        sandbox.fault(list.when(of_place).answer(500, "text/plain", "oh no"));
        meets(&sandbox);
        sandbox.add_booking(of_ada("cs_2").at(10332).minutes(2, 4));
        for _ in 0..2 {
            sandbox.pass_time(5);
            meets(&sandbox);
        }
        sandbox.clear_faults();
        sync_after_outage(&sandbox);
        let found = sandbox.run(&["lookup-appt", "cs_2"]);
        let says = [
            "cs_2 of G10000001: waiting, over",
            "it ended before a pass could register it",
        ];
        assert_says(&found.stdout, &says);
        assert_eq!(count_rows(&sandbox, "appts WHERE appt_id = 'cs_over'"), 0);
    }
}

#[test]
fn an_outage_that_a_pass_of_another_day_meets_is_printed_each_time() {
    let sandbox = one_person();
    good_sync(&sandbox);
    let fault = Fault::on(Service::LibCal).when(|seen| seen.parameter("date").is_some());
    sandbox.fault(fault.answer(500, "text/plain", "oh no"));
    for _ in 0..2 {
        let run = sandbox.run(&["sync", "--date", &day(1)]);
        assert_eq!(run.code, 1, "{run:#?}");
        assert!(run.stderr.contains("500"), "{run:#?}");
    }
}
