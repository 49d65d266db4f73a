//! What a pass does concurrently. How long that takes is for `cargo bench`.

use std::sync::mpsc::channel;

use crate::sandbox::{Booking, DEADLINE, Fault, Sandbox, Service, User};
use crate::support::{add_people, good_sync, of_ada, one_person, sync_needing_attention, with_ada};

#[test]
fn passagepoint_is_logged_in_to_while_alma_is_asked() {
    let sandbox = one_person().config("Network.timeout_seconds", "60");
    let (logged_in, wait) = channel();
    let login = Fault::on(Service::PassagePoint).path("auth/login");
    sandbox.on_request(login, true, move || logged_in.send(()).expect("Alma waits"));
    // Alma answers when the login has come, and only then.
    sandbox.on_request(Fault::on(Service::Alma), true, move || {
        wait.recv_timeout(DEADLINE).expect("a login meanwhile");
    });
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 1);
    assert_eq!(sandbox.count_of(Service::PassagePoint, "auth/login"), 1);
}

#[test]
fn alma_is_asked_for_the_next_person_while_one_is_registered() {
    let sandbox = with_ada()
        .config("Network.concurrency", "1")
        .config("Network.timeout_seconds", "60")
        .user(User::new("G10000002").barcode("21000002"))
        .booking(of_ada("cs_1"))
        .booking(Booking::new("cs_2").by("G10000002").minutes(100, 160));
    let (asked, wait) = channel();
    let second = Fault::on(Service::Alma).path("G10000002");
    sandbox.on_request(second, true, move || {
        asked.send(()).expect("the first waits");
    });
    let prereg = Fault::on(Service::PassagePoint).path("createPreReg");
    sandbox.on_request(prereg, true, move || {
        wait.recv_timeout(DEADLINE)
            .expect("the second person meanwhile");
    });
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 2);
}

#[test]
fn all_lists_are_asked_for_at_once() {
    let sandbox = one_person().config("Network.timeout_seconds", "60");
    let (asked, wait) = channel();
    let list = |nth| Fault::on(Service::LibCal).path("bookings").nth(nth);
    sandbox.on_request(list(2), true, move || {
        asked.send(()).expect("the first waits");
    });
    sandbox.on_request(list(1), true, move || {
        wait.recv_timeout(DEADLINE)
            .expect("the second list meanwhile");
    });
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 1);
}

#[test]
fn known_users_do_not_wait_for_almas_rate_limit() {
    let sandbox = with_ada().booking(of_ada("cs_known").minutes(300, 360));
    good_sync(&sandbox);
    sandbox.set_config("Alma.requests_per_second", "2");
    sandbox.add_booking(of_ada("cs_again").minutes(400, 460));
    for n in 1..=3 {
        let id = format!("G2000000{n}");
        sandbox.add_user(User::new(&id).barcode(&format!("2200000{n}")));
        sandbox.add_booking(Booking::new(&format!("cs_{n}")).by(&id));
    }
    sandbox.forget_requests();
    good_sync(&sandbox);
    let requests = sandbox.requests();
    let known = sandbox.now() + 400 * 60;
    let place = |wanted: &dyn Fn(&crate::sandbox::ReceivedRequest) -> bool| {
        requests.iter().rposition(wanted)
    };
    let registered = place(&|seen| seen.body.contains(&known.to_string()));
    let last_asked = place(&|seen| seen.service == Service::Alma);
    assert!(
        registered.is_some() && registered < last_asked,
        "{registered:?} {last_asked:?}"
    );
}

#[test]
fn nobody_asks_alma_once_passagepoint_is_known_to_be_down() {
    let sandbox = Sandbox::new()
        .config("Network.tries", "1")
        .config("Network.concurrency", "1");
    add_people(&sandbox, 50);
    sandbox.stop(Service::PassagePoint);
    let first = sandbox.sync();
    assert_eq!((first.code, first.stderr.as_str()), (1, ""));
    let asked = sandbox.count(Service::Alma);
    assert!(asked < 50, "{asked}");
    sandbox.forget_requests();
    let said = sync_needing_attention(&sandbox);
    assert!(said.contains("50 visits wait"), "{said}");
    let asked = sandbox.count(Service::Alma);
    assert!(asked < 50, "the second pass: {asked}");
}
