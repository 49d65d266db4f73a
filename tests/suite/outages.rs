//! A thousand bookings and a service that is down: the pass ends soon, reports it once, and refuses nobody.

use std::time::Duration;

use crate::sandbox::{Booking, Fault, Run, Sandbox, Service};
use crate::support::{add_people, assert_says, count_refusals, count_rows, in_parallel, warnings};

const PEOPLE: usize = 1000;
/// Time-out and tries of these tests.
const TIMEOUT: &str = "1";
const TRIES: &str = "2";
/// How many requests may go wrong in a pass: as many as eight threads and a dozen errors take, each tried twice, and
/// in each of two zones. A pass in which so few wait for a time-out takes a small multiple of that.
const FEW: usize = 2 * 2 * (8 + 12);

const PREREG: (Service, &str) = (Service::PassagePoint, "createPreReg");

type BreakIt = fn(Fault) -> Fault;

const FAULT_KINDS: [(&str, BreakIt); 3] = [
    ("hanging", |fault| fault.hang(Duration::from_secs(60))),
    ("refusing connections", Fault::refuse),
    ("answering 500", |fault| {
        fault.answer(500, "text/html", "<p>")
    }),
];

fn with_a_thousand_bookings() -> Sandbox {
    let sandbox = Sandbox::new()
        .config("Network.timeout_seconds", TIMEOUT)
        .config("Network.tries", TRIES)
        .config("Network.concurrency", "8");
    add_people(&sandbox, PEOPLE);
    sandbox
}

/// A pass that must need a person, and end soon: it makes few of those requests that go wrong.
fn ends_soon(sandbox: &Sandbox, broken: (Service, &str), args: &[&str], way: &str) -> Run {
    sandbox.forget_requests();
    let run = sandbox.run(args);
    let asked = sandbox.count_of(broken.0, broken.1);
    assert!(asked <= FEW, "{way}: {asked} requests");
    assert_eq!(run.code, 1, "{way}");
    assert_eq!(count_refusals(sandbox), 0, "{way}");
    run
}

/// The same as somebody sees it who looks on: its warnings and errors.
fn tells_soon(sandbox: &Sandbox, broken: (Service, &str), way: &str) -> String {
    warnings(&ends_soon(sandbox, broken, &["-v", "sync"], way))
}

/// How many visits were asked for without an outcome.
fn in_doubt(sandbox: &Sandbox) -> i64 {
    count_rows(sandbox, "appts WHERE asked_ends_at IS NOT NULL")
}

/// How many visits are in that state, as look-ups and `status` tell it.
fn in_state(sandbox: &Sandbox, state: &str) -> i64 {
    count_rows(sandbox, &format!("appts WHERE state = '{state}'"))
}

#[test]
fn passagepoint_down_is_one_line_of_the_second_pass_with_how_many_wait() {
    in_parallel(3, &FAULT_KINDS, |(way, break_it)| {
        let sandbox = with_a_thousand_bookings();
        sandbox.fault(break_it(Fault::on(Service::PassagePoint)));
        let first = ends_soon(&sandbox, (Service::PassagePoint, ""), &["sync"], way);
        assert_eq!(first.stderr, "", "{way}");
        let said = ends_soon(&sandbox, (Service::PassagePoint, ""), &["sync"], way).stderr;
        assert_eq!(said.lines().count(), 1, "{way}: {said}");
        assert_says(&said, &["PassagePoint", "1000 visits wait"]);
        assert_eq!(in_doubt(&sandbox), 0, "{way}");
        assert_eq!(in_state(&sandbox, "waiting"), 1000, "{way}");
    });
}

#[test]
fn passagepoint_that_stops_answering_preregs_leaves_a_few_in_doubt_and_the_rest_waiting() {
    in_parallel(3, &FAULT_KINDS, |(way, break_it)| {
        let sandbox = with_a_thousand_bookings();
        let fault = Fault::on(Service::PassagePoint).path("createPreReg");
        sandbox.fault(break_it(fault));
        let said = tells_soon(&sandbox, PREREG, way);
        assert!(said.lines().count() <= 2, "{way}: {said}");
        let in_doubt = in_doubt(&sandbox);
        assert!(in_doubt <= 10, "{way}: {in_doubt} in doubt");
        assert_eq!(in_state(&sandbox, "in doubt"), in_doubt, "{way}");
        assert_eq!(in_state(&sandbox, "waiting"), 1000 - in_doubt, "{way}");
        let waiting = format!("{} visits wait", 1000 - in_doubt);
        assert_says(&said, &[&waiting]);
    });
}

#[test]
fn visitors_that_are_made_do_not_hide_that_no_prereg_is_answered() {
    let sandbox = with_a_thousand_bookings().config("Network.concurrency", "1");
    sandbox.fault(
        Fault::on(Service::PassagePoint)
            .path("createPreReg")
            .refuse(),
    );
    let said = tells_soon(&sandbox, PREREG, "refusing");
    assert_eq!(in_doubt(&sandbox), 3, "{said}");
    assert_says(&said, &["997 visits wait"]);
}

#[test]
fn libcal_down_is_one_line_with_the_locations() {
    in_parallel(3, &FAULT_KINDS, |(way, break_it)| {
        let sandbox = with_a_thousand_bookings();
        sandbox.fault(break_it(Fault::on(Service::LibCal)));
        let said = tells_soon(&sandbox, (Service::LibCal, ""), way);
        assert_eq!(said.lines().count(), 1, "{way}: {said}");
        assert_says(&said, &["LibCal", "Main Library", "Science Library"]);
    });
}

#[test]
fn alma_down_is_one_line_and_known_users_still_get_in() {
    in_parallel(3, &FAULT_KINDS, |(way, break_it)| {
        let sandbox = with_a_thousand_bookings();
        let rest = sandbox.world().rows.split_off(2);
        assert_eq!(sandbox.sync().code, 0, "two people become known");
        sandbox.world().rows.extend(rest);
        sandbox.add_booking(Booking::new("cs_known").by("G10000001").minutes(100, 160));
        sandbox.fault(break_it(Fault::on(Service::Alma)));
        let said = tells_soon(&sandbox, (Service::Alma, ""), way);
        assert_eq!(said.lines().count(), 1, "{way}: {said}");
        assert_says(&said, &["Alma", "998 visits wait"]);
        assert_eq!(in_state(&sandbox, "waiting"), 998, "{way}");
        let known = sandbox.visit("21000001", "LibCal Main", 100, 160);
        assert!(sandbox.expected().contains(&known), "{way}");
    });
}

#[test]
fn waits_that_a_service_asks_for_do_not_add_up_to_a_long_pass() {
    let sandbox = Sandbox::new()
        .config("Network.timeout_seconds", TIMEOUT)
        .config("Network.tries", TRIES)
        .config("Network.concurrency", "1");
    add_people(&sandbox, 12);
    let busy = Fault::on(Service::Alma).answer(503, "text/plain", "");
    sandbox.fault(busy.header("Retry-After", "1"));
    let said = tells_soon(&sandbox, (Service::Alma, ""), "asking to wait");
    assert_says(&said, &["503 Service Unavailable", "12 visits wait"]);
    // Each of the two zones was waited for twice; after that, nobody was asked about again.
    assert_eq!(sandbox.count(Service::Alma), 2 * (12 + 2));
    assert_eq!(in_state(&sandbox, "waiting"), 12);
}

#[test]
fn an_unknown_host_name_is_reported_as_such() {
    let sandbox = Sandbox::new().config("Network.timeout_seconds", "2");
    let address = "https://no-such-host.invalid/1.1/oauth/token";
    sandbox.set_config("LibCal.credentials_endpt", address);
    let run = sandbox.run(&["-v", "sync"]);
    assert_eq!(run.code, 1, "{run:#?}");
    let told = warnings(&run);
    // A machine without any name server finds out later than the program wants to wait.
    let not_known = told.contains("host name not found");
    assert!(
        not_known || told.contains("no connection within 2 s"),
        "{told}"
    );
}
