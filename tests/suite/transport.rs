//! Connections that fail, and what that says about the request: certainly not processed, or unknown.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::sandbox::{Fault, Sandbox, Service};
use crate::support::{
    assert_outage, assert_says, count_rows, good_sync, in_parallel, of_ada, one_person,
    sandbox_with_people, single_json, state_of, sync_after_outage, sync_during_outage, warnings,
};

const IN_DOUBT: &str = "appts WHERE asked_ends_at IS NOT NULL";
const MINUTE: Duration = Duration::from_secs(60);

/// One person, who is known, and from the request for a pre-registration on no connection is taken.
fn refused_at_prereg(change: impl Fn(&Sandbox)) -> Sandbox {
    let sandbox = one_person();
    good_sync(&sandbox);
    change(&sandbox);
    // Before it come LibCal's token, two lists, and the login.
    sandbox.refuse_from(5);
    sandbox
}

#[test]
fn a_connection_refused_to_the_request_for_a_visit_leaves_nothing_in_doubt() {
    let sandbox = refused_at_prereg(|sandbox| {
        sandbox.add_booking(of_ada("cs_2").minutes(100, 160));
    });
    let run = sandbox.run(&["-v", "--json", "sync"]);
    assert_eq!(run.code, 1, "{run:#?}");
    let says = [
        "connection refused; 1 visit waits for the next pass",
        "cs_2",
    ];
    assert_says(&warnings(&run), &says);
    let counted = single_json(&run);
    assert_eq!([&counted["in_doubt"], &counted["failed"]], [0, 1]);
    assert_eq!(state_of(&sandbox, "cs_2"), "waiting");
    assert_eq!(count_rows(&sandbox, IN_DOUBT), 0);
    sandbox.clear_faults();
    sync_after_outage(&sandbox);
    assert_eq!(sandbox.expected().len(), 2, "each once");
}

#[test]
fn a_connection_refused_while_a_visit_is_lengthened_leaves_it_registered_until_its_old_end() {
    let sandbox = refused_at_prereg(|sandbox| {
        let end = of_ada("cs_1").minutes(30, 150);
        sandbox.remove_rows("cs_1");
        sandbox.add_booking(end);
    });
    let before = sandbox.expected();
    let said = sync_during_outage(&sandbox);
    assert_says(&said, &["connection refused; 1 visit waits", "cs_1"]);
    assert_eq!(count_rows(&sandbox, IN_DOUBT), 0);
    let kept = "appts WHERE prereg_id IS NOT NULL AND attempts = 0";
    assert_eq!(count_rows(&sandbox, kept), 1, "the old one still stands");
    sandbox.clear_faults();
    sync_after_outage(&sandbox);
    let longer = sandbox.visit("21000001", "LibCal Main", 30, 150);
    let mut expected = before;
    expected.push(longer);
    assert_eq!(sandbox.expected(), expected, "lengthened once");
    good_sync(&sandbox);
    assert_eq!(sandbox.expected(), expected);
}

#[test]
fn half_an_answer_and_then_silence_is_no_answer_within_the_time() {
    let requests = [
        (Service::LibCal, "token", false),
        (Service::LibCal, "bookings", false),
        (Service::Alma, "users", false),
        (Service::PassagePoint, "login", false),
        (Service::PassagePoint, "createVisitor", false),
        (Service::PassagePoint, "createPreReg", true),
    ];
    in_parallel(6, &requests, |(service, path, is_known)| {
        let sandbox = one_person()
            .config("Network.timeout_seconds", "1")
            .config("Network.tries", "1");
        let fault = Fault::on(*service).path(path);
        sandbox.fault(fault.half_answer_and_hang(MINUTE));
        let says = format!("{service:?} is not responding: no response within 1 s");
        assert_outage(&sandbox, &[&says]);
        assert_eq!(
            count_rows(&sandbox, IN_DOUBT),
            i64::from(*is_known),
            "{path}"
        );
    });
}

#[test]
fn a_login_that_failed_is_not_tried_again_for_each_person() {
    type BreakIt = fn(Fault) -> Fault;
    let fault_kinds: [(BreakIt, usize); 4] = [
        (|fault| fault.answer(500, "text/plain", "oh no"), 1),
        (Fault::cut_before, 1),
        (|fault| fault.answer(401, "text/plain", "no"), 1),
        (|fault| fault.answer(200, "text/plain", "no token"), 1),
    ];
    for concurrency in ["1", "8"] {
        for (break_it, logins) in fault_kinds {
            let sandbox = sandbox_with_people(9)
                .config("Network.tries", "1")
                .config("Network.concurrency", concurrency);
            sandbox.fault(break_it(Fault::on(Service::PassagePoint).path("login")));
            assert_outage(&sandbox, &["9 visits wait"]);
            assert_eq!(
                sandbox.count(Service::PassagePoint),
                logins,
                "{concurrency}"
            );
        }
    }
}

#[test]
fn a_fresh_token_that_was_rejected_is_given_up_for_everybody() {
    for path in ["createVisitor", "createPreReg"] {
        let sandbox = sandbox_with_people(9).config("Network.concurrency", "1");
        let fault = Fault::on(Service::PassagePoint).path(path);
        sandbox.fault(fault.answer(401, "application/json", r#"{"error":"no"}"#));
        assert_outage(&sandbox, &["rejected a new token", "9 visits wait"]);
        // Three people, and a fresh token for each: one of them might have been the only one.
        let logins = sandbox.count_of(Service::PassagePoint, "login");
        assert_eq!(logins, 4, "{path}");
        assert_eq!(sandbox.count_of(Service::PassagePoint, path), 6, "{path}");
    }
}

#[test]
fn an_answer_that_is_larger_than_is_read_is_reported_with_how_much_that_is() {
    for (service, path, mib) in [
        (Service::LibCal, "token", 1),
        (Service::LibCal, "bookings", 8),
        (Service::Alma, "users", 1),
        (Service::PassagePoint, "createVisitor", 1),
    ] {
        let sandbox = one_person().config("Network.tries", "1");
        let fault = Fault::on(service).path(path);
        let body = " ".repeat((mib << 20) + 1);
        sandbox.fault(fault.answer(200, "application/json", body));
        let why = format!("sent an unexpected response (larger than {mib} MiB)");
        assert_outage(&sandbox, &[&format!("{service:?} {why}")]);
    }
}

/// A pass that cannot reach PassagePoint, which is at that address, for a known user: it waits, for this reason.
fn assert_not_reached(address: &str, why: &str) {
    let sandbox = one_person();
    good_sync(&sandbox);
    sandbox.add_booking(of_ada("cs_2").minutes(100, 160));
    sandbox.set_config("Network.tries", "1");
    sandbox.set_config("Network.timeout_seconds", "1");
    sandbox.set_config("PassagePoint.pp_api_root", address);
    assert_outage(&sandbox, &[&format!("PassagePoint {why}")]);
    assert_eq!(state_of(&sandbox, "cs_2"), "waiting");
}

#[test]
fn a_host_to_which_no_connection_can_be_made_is_reported_as_such() {
    // Takes one connection into its queue, and leaves all others without an answer.
    let full = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    full.bind(&any_port.into()).expect("a free port");
    full.listen(0).expect("a queue");
    let address = full.local_addr().ok().and_then(|own| own.as_socket());
    let address = address.expect("its address");
    let _first = TcpStream::connect(address).expect("the queue takes one");
    assert_not_reached(
        &format!("http://{address}"),
        "is not responding: no connection within 1 s",
    );

    // Nobody has the address to which one speaks to all.
    let unreachable = "is not responding: host unreachable";
    assert_not_reached("https://255.255.255.255", unreachable);
}

#[test]
fn what_is_safe_to_repeat_is_retried_when_the_connection_is_cut() {
    let broken: [fn(Fault) -> Fault; 3] = [Fault::cut_before, Fault::cut_after, Fault::half_answer];
    for path in ["auth/login", "createVisitor", "byUniqueId"] {
        for break_off in broken {
            let sandbox = one_person();
            if path == "byUniqueId" {
                sandbox.add_visitor("21000001");
            }
            sandbox.fault(break_off(
                Fault::on(Service::PassagePoint).path(path).times(1),
            ));
            good_sync(&sandbox);
            assert_eq!(
                sandbox.requests_to(Service::PassagePoint, path).len(),
                2,
                "{path}"
            );
            assert_eq!(sandbox.expected().len(), 1, "{path}");
            assert_eq!(sandbox.world().visitors.len(), 1, "{path}");
        }
    }
}
