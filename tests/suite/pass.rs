//! Whole passes: who is expected at the door when they end.

use crate::sandbox::{Booking, Sandbox, Service, User};

/// Runs a pass that must go well, and in which nobody was asked anything wrong.
fn good_sync(sandbox: &Sandbox) {
    let run = sandbox.sync();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_eq!(sandbox.complaints(), [""; 0]);
}

#[test]
fn a_person_with_a_booking_is_expected_at_the_door() {
    let sandbox = Sandbox::new()
        .user(User::new("G10000001").barcode("21000001"))
        .booking(Booking::new("cs_1").by("G10000001"));
    good_sync(&sandbox);
    assert_eq!(
        sandbox.expected(),
        [sandbox.visit("21000001", "LibCal Main", 30, 90)]
    );
}

#[test]
fn a_second_pass_over_an_unchanged_day_asks_libcal_and_nobody_else() {
    let sandbox = Sandbox::new()
        .user(User::new("G10000001").barcode("21000001"))
        .booking(Booking::new("cs_1").by("G10000001"));
    good_sync(&sandbox);
    sandbox.forget_requests();
    good_sync(&sandbox);
    assert_eq!(sandbox.count_of(Service::LibCal, "token"), 1);
    assert_eq!(
        sandbox.count(Service::LibCal),
        3,
        "a list request for each of two locations"
    );
    assert_eq!(
        sandbox.count(Service::Alma) + sandbox.count(Service::PassagePoint),
        0
    );
    assert_eq!(sandbox.expected().len(), 1);
}
