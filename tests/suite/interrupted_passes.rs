//! Passes that are interrupted: outages, kills, lost outcomes.

use std::time::Duration;

use crate::sandbox::{Booking, DEADLINE, Fault, Run, Sandbox, Service, User};
use crate::support::{
    add_people, assert_no_complaints, assert_says, count_rows, good_sync, in_parallel, of_ada,
    one_person, sandbox_with_people, single_json, state_of, sync_during_outage,
    sync_needing_attention, with_ada,
};

fn on_prereg() -> Fault {
    Fault::on(Service::PassagePoint).path("createPreReg")
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
    let said = sync_during_outage(&sandbox);
    assert!(
        said.contains("Science Library (10332)") && !said.contains("Main Library"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
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
    let prereg = Fault::on(Service::PassagePoint).path("createPreReg");
    sandbox.on_request(prereg, true, move || {
        let cache = rusqlite::Connection::open(path).unwrap();
        let sql =
            "SELECT appt_id, state, prereg_id, attempts, asked_ends_at - starts_at FROM appts";
        let row = cache.query_row(sql, [], |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, Option<String>>(2)?,
                row.get::<_, i64>(3)?,
                row.get::<_, Option<i64>>(4)?,
            ))
        });
        sender.send(row).unwrap();
    });
    good_sync(&sandbox);
    let intent = (
        "cs_1".to_owned(),
        "in doubt".to_owned(),
        None,
        1,
        Some(3600),
    );
    assert_eq!(receiver.try_recv().unwrap(), Ok(intent));
}

#[test]
fn a_visit_whose_pass_was_killed_three_times_is_given_up_and_reported_by_the_next() {
    let sandbox = with_ada().booking(of_ada("cs_1"));
    sandbox.fault(on_prereg().cut_before());
    for _ in 0..3 {
        sandbox.pause(on_prereg(), true).kill();
    }
    sandbox.clear_faults();
    sandbox.forget_requests();
    let said = sync_needing_attention(&sandbox);
    assert_says(&said, &["1 booking given up after 3 attempts", "cs_1"]);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert_eq!(sandbox.count(Service::PassagePoint), 0);
}

#[test]
fn a_pass_killed_after_passagepoint_acted_says_so_when_it_tries_again() {
    let sandbox = with_ada().booking(of_ada("cs_1"));
    sandbox.pause(on_prereg(), false).kill();
    assert_eq!(state_of(&sandbox, "cs_1"), "in doubt");
    let said = sync_needing_attention(&sandbox);
    assert!(
        said.contains("possibly registered twice") && said.contains("cs_1"),
        "{said}"
    );
    assert_eq!(state_of(&sandbox, "cs_1"), "registered");
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
    let unknown = "1 visit may or may not be registered";
    for _ in 0..2 {
        let said = sync_during_outage(&sandbox);
        assert_says(&said, &[unknown, "the next pass tries again", "cs_1"]);
    }
    let said = sync_needing_attention(&sandbox);
    assert_says(&said, &["1 booking given up after 3 attempts", "cs_1"]);
    assert!(!said.contains("tried again at the next"), "{said}");
    // It still waits, which the exit status says; the mail was sent.
    let run = sandbox.sync();
    assert_eq!(run.code, 1, "{run:#?}");
    let is_over = |line: &str| line.contains("is responding again after");
    assert!(run.stderr.lines().all(is_over), "{run:#?}");
    let run = sandbox.sync();
    assert_eq!((run.code, run.stderr.as_str()), (1, ""));
    assert_eq!(sandbox.expected().len(), 3);
    assert_eq!(state_of(&sandbox, "cs_1"), "in doubt");

    sandbox.clear_faults();
    let run = sandbox.run(&["prune", "--appt", "cs_1"]);
    assert_eq!(run.code, 0, "{run:#?}");
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 4);
    assert_no_complaints(&sandbox);
}

#[test]
fn a_pass_that_leaves_a_visit_in_doubt_is_silent_and_the_next_names_it_before_it_tries_again() {
    let sandbox = with_ada().booking(of_ada("cs_1"));
    let prereg = Fault::on(Service::PassagePoint).path("createPreReg");
    sandbox.fault(prereg.cut_after());
    let first = sandbox.sync();
    assert_eq!((first.code, first.stderr.as_str()), (1, ""), "{first:#?}");
    assert_eq!(state_of(&sandbox, "cs_1"), "in doubt");
    // Two passes in a row have met it now, so that the outage is told too.
    let said = sync_needing_attention(&sandbox);
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(
        lines[0].starts_with("error: possibly registered twice: 1 visit"),
        "{said}"
    );
    assert_says(lines[0], &["(cs_1 of G10000001)"]);
    let unknown = "1 visit may or may not be registered";
    assert_says(lines[1], &[unknown, "(booking cs_1)"]);
    assert_no_complaints(&sandbox);
}

#[test]
fn the_attempt_by_which_a_visit_is_given_up_does_not_tell_that_passagepoint_is_responding_again() {
    let sandbox = with_ada().booking(of_ada("cs_1"));
    let prereg = Fault::on(Service::PassagePoint).path("createPreReg");
    sandbox.fault(prereg.cut_before());
    for _ in 0..2 {
        sync_during_outage(&sandbox);
    }
    // This one met it as well.
    let said = sync_during_outage(&sandbox);
    assert_says(&said, &["given up after 3 attempts"]);
    assert!(!said.contains("is responding again"), "{said}");
    sandbox.clear_faults();
    let run = sandbox.sync();
    let is_over = "warning: PassagePoint is responding again after less than 1 min\n";
    assert_eq!((run.code, run.stderr.as_str()), (1, is_over), "{run:#?}");
}

/// Runs a pass, and forgets `cs_1` while that request of it waits. Gives both runs, the pass last.
fn forget_at(sandbox: &Sandbox, request: Fault) -> [Run; 2] {
    let pass = sandbox.pause_run(sandbox.command(&["--json", "sync"]), request, true);
    let prune = sandbox.run(&["prune", "--appt", "cs_1"]);
    [prune, pass.resume()]
}

#[test]
fn a_visit_that_is_forgotten_before_its_turn_in_a_pass_waits_for_the_next_one() {
    let sandbox = one_person();
    let [prune, pass] = forget_at(&sandbox, Fault::on(Service::Alma));
    assert_eq!((prune.code, prune.stderr.as_str()), (0, ""), "{prune:#?}");
    assert_eq!((pass.code, pass.stderr.as_str()), (0, ""), "{pass:#?}");
    let summary = single_json(&pass);
    assert_eq!([&summary["registered"], &summary["failed"]], [0, 1]);
    assert_eq!(sandbox.expected(), []);
    assert_eq!(
        count_rows(&sandbox, "appts"),
        0,
        "what is forgotten stays so"
    );
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 1);
}

#[test]
fn a_visit_that_is_forgotten_while_it_is_being_registered_is_kept_as_registered() {
    let sandbox = one_person();
    let prereg = Fault::on(Service::PassagePoint).path("createPreReg");
    let [prune, pass] = forget_at(&sandbox, prereg);
    assert_says(
        &prune.stderr,
        &["forgetting 1 visit registered or in doubt"],
    );
    assert_eq!((pass.code, pass.stderr.as_str()), (0, ""), "{pass:#?}");
    assert_eq!(state_of(&sandbox, "cs_1"), "registered");
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 1);
}

#[test]
fn a_service_that_keeps_failing_is_left_alone() {
    let sandbox = Sandbox::new()
        .config("Network.tries", "1")
        .config("Network.concurrency", "1");
    add_people(&sandbox, 50);
    sandbox.fault(
        Fault::on(Service::PassagePoint)
            .path("createVisitor")
            .answer(500, "text/html", "<p>"),
    );
    let said = sync_during_outage(&sandbox);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        said.contains("500") && said.contains("50 visits wait"),
        "{said}"
    );
    // So many people can hardly all be at fault themselves.
    assert_eq!(sandbox.count_of(Service::PassagePoint, "createVisitor"), 12);
}

#[test]
fn several_people_are_registered_at_once() {
    let sandbox = sandbox_with_people(8)
        .config("Network.concurrency", "8")
        .config("Network.timeout_seconds", "60");
    let alma = |nth| Fault::on(Service::Alma).nth(nth);
    let (asked, wait) = std::sync::mpsc::channel();
    sandbox.on_request(alma(8), true, move || {
        asked.send(()).expect("the first waits");
    });
    // The first is answered when Alma has been asked about the last, and only then.
    sandbox.on_request(alma(1), true, move || {
        wait.recv_timeout(DEADLINE).expect("all eight at once");
    });
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 8);
}

#[test]
fn a_service_that_says_when_to_come_again_is_not_asked_earlier() {
    let requests = [
        (Service::LibCal, "space/bookings"),
        (Service::Alma, "users"),
        (Service::PassagePoint, "createPreReg"),
    ];
    in_parallel(3, &requests, |(service, path)| {
        let sandbox = with_ada().booking(of_ada("cs_1"));
        let busy = Fault::on(*service).path(path).times(1);
        sandbox.fault(busy.answer(429, "", "").header("Retry-After", "1"));
        good_sync(&sandbox);
        let asked: Vec<_> = sandbox
            .requests()
            .into_iter()
            .filter(|seen| seen.path.contains(path))
            .collect();
        let first = &asked[0];
        let again = asked
            .iter()
            .skip(1)
            .find(|seen| seen.raw_target == first.raw_target);
        let waited = again.expect("asked again").at - first.at;
        assert!(waited >= Duration::from_secs(1), "{service:?}: {waited:?}");
        assert_eq!(sandbox.expected().len(), 1);
    });
}

#[test]
fn a_visit_that_was_given_up_is_named_at_each_pass_to_whoever_is_watching() {
    let sandbox = one_person()
        .config("Network.timeout_seconds", "1")
        .user(User::new("G10000002").barcode("21000002"));
    let prereg = Fault::on(Service::PassagePoint).path("createPreReg");
    sandbox.fault(prereg.hang(Duration::from_secs(60)).times(3));
    for _ in 0..3 {
        assert_eq!(sandbox.sync().code, 1);
    }
    sandbox.add_booking(Booking::new("cs_2").by("G10000002"));
    let mut pass = sandbox.command(&["sync"]);
    pass.env("RUST_LOG", "info");
    let run = crate::sandbox::Run::of(pass);
    assert_eq!(run.code, 1, "{run:#?}");
    let says = [
        "still needs attention: 1 booking given up after 3 attempts: ",
        "prune --appt",
        "(cs_1 of G10000001)",
    ];
    assert_says(&run.stderr, &says);
    assert_says(&run.stderr, &["registered booking cs_2 of G10000002"]);
    // Who does not look was told once.
    let run = sandbox.sync();
    assert_eq!((run.code, run.stderr.as_str()), (1, ""), "{run:#?}");
}
