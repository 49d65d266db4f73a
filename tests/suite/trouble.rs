//! Passes that do not go well: outages, kills, outcomes that are lost.

use std::time::Duration;

use crate::sandbox::{Booking, Fault, Sandbox, Service, User};
use crate::support::{
    assert_right, assert_says, good_sync, needy_sync, of_ada, one_json, with_ada,
};

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
    let prereg = Fault::on(Service::PassagePoint).path("createPreReg");
    sandbox.on_request(prereg, true, move || {
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
    assert_eq!(receiver.recv().unwrap(), Ok(("cs_1".to_owned(), None, 1)));
}

/// Runs a pass and kills it when it has asked for a pre-registration.
fn kill_at_prereg(sandbox: &Sandbox) {
    sandbox.forget_requests();
    let mut child = sandbox.spawn(&["sync"]);
    while sandbox.count_of(Service::PassagePoint, "createPreReg") == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_visit_whose_pass_was_killed_three_times_is_given_up_and_reported_by_the_next() {
    let sandbox = with_ada().booking(of_ada("cs_1"));
    let prereg = Fault::on(Service::PassagePoint).path("createPreReg");
    sandbox.fault(prereg.hang(Duration::from_secs(60)));
    for _ in 0..3 {
        kill_at_prereg(&sandbox);
    }
    sandbox.clear_faults();
    sandbox.forget_requests();
    let said = needy_sync(&sandbox);
    assert_says(&said, &["in doubt after 3 attempts", "cs_1"]);
    assert_eq!(sandbox.count(Service::PassagePoint), 0);
}

#[test]
fn a_pass_killed_after_passagepoint_acted_says_so_when_it_tries_again() {
    let sandbox = with_ada().booking(of_ada("cs_1"));
    sandbox.fault(
        Fault::on(Service::PassagePoint)
            .path("createPreReg")
            .hang_after(Duration::from_secs(60)),
    );
    kill_at_prereg(&sandbox);
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
    for _ in 0..2 {
        let said = needy_sync(&sandbox);
        assert_says(&said, &["tried again at the next pass", "cs_1"]);
    }
    let said = needy_sync(&sandbox);
    assert_says(&said, &["in doubt after 3 attempts", "cs_1"]);
    assert!(!said.contains("tried again at the next"), "{said}");
    // It still waits, which the exit status says; the mail was sent.
    let run = sandbox.sync();
    assert_eq!((run.code, run.stderr.as_str()), (1, ""));
    assert_eq!(sandbox.expected().len(), 3);

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

#[test]
fn a_service_that_says_when_to_come_again_is_not_asked_earlier() {
    for (service, path) in [
        (Service::LibCal, "space/bookings"),
        (Service::Alma, "users"),
        (Service::PassagePoint, "createPreReg"),
    ] {
        let sandbox = with_ada().booking(of_ada("cs_1"));
        let busy = Fault::on(service).path(path).times(1);
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
    }
}
