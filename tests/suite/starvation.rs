//! Trouble stays where it is: one location, destination or person that fails keeps nobody else out for more than a pass.

use std::time::Duration;

use crate::sandbox::{Booking, Fault, Sandbox, Service, User};
use crate::support::{outage_sync, rows_of};

/// So many people with a booking each at this location, from so many minutes on; their IDs begin with this.
fn add_people(sandbox: &Sandbox, prefix: &str, number: usize, lid: i64, from: i64) {
    for n in 0..number {
        let id = format!("{prefix}{n:03}");
        sandbox.add_user(User::new(&id).barcode(&format!("BC{id}")));
        let booking = Booking::new(&format!("cs_{id}")).by(&id).at(lid);
        sandbox.add_booking(booking.minutes(from, from + 60));
    }
}

fn registered(sandbox: &Sandbox, lid: i64) -> i64 {
    rows_of(
        sandbox,
        &format!("appts WHERE state = 'registered' AND lid = {lid}"),
    )
}

/// What is asked of PassagePoint about the first destination.
fn on_main() -> Fault {
    Fault::on(Service::PassagePoint).when(|seen| seen.body.contains("LibCal Main"))
}

/// Twelve visits at either destination, those of the first one earlier.
fn two_destinations(concurrency: &str) -> Sandbox {
    let sandbox = Sandbox::new()
        .config("Network.concurrency", concurrency)
        .config("Network.timeout_seconds", "1")
        .config("Network.tries", "1");
    add_people(&sandbox, "M", 12, 8827, 30);
    add_people(&sandbox, "S", 12, 10332, 100);
    sandbox
}

#[test]
fn a_destination_that_answers_500_does_not_keep_the_visits_of_the_other_out() {
    for concurrency in ["1", "8"] {
        let sandbox = two_destinations(concurrency);
        sandbox.fault(on_main().answer(500, "text/plain", "oh no"));
        outage_sync(&sandbox);
        assert_eq!(registered(&sandbox, 10332), 12, "{concurrency}");
        let in_doubt = rows_of(&sandbox, "appts WHERE state = 'in doubt'");
        assert!((3..=10).contains(&in_doubt), "{in_doubt} in doubt");
    }
}

#[test]
fn a_destination_that_hangs_does_not_keep_the_visits_of_the_other_out_for_more_than_a_pass() {
    for concurrency in ["1", "8"] {
        let sandbox = two_destinations(concurrency);
        sandbox.fault(on_main().hang(Duration::from_secs(60)));
        outage_sync(&sandbox);
        outage_sync(&sandbox);
        assert_eq!(registered(&sandbox, 10332), 12, "{concurrency}");
    }
}

#[test]
fn a_destination_that_hangs_does_not_keep_known_users_out_of_the_other_for_more_than_a_pass() {
    for concurrency in ["1", "8"] {
        let sandbox = two_destinations(concurrency);
        crate::support::good_sync(&sandbox);
        // The same people book again, and none of them is made a visitor in between.
        sandbox.world().rows.clear();
        for (prefix, lid, from) in [("M", 8827, 200), ("S", 10332, 300)] {
            for n in 0..12 {
                let booking = Booking::new(&format!("cs_again{prefix}{n}")).at(lid);
                let booking = booking.by(&format!("{prefix}{n:03}"));
                sandbox.add_booking(booking.minutes(from, from + 60));
            }
        }
        sandbox.fault(on_main().hang(Duration::from_secs(60)));
        outage_sync(&sandbox);
        outage_sync(&sandbox);
        let again = "appts WHERE appt_id LIKE 'cs_againS%' AND state = 'registered'";
        assert_eq!(rows_of(&sandbox, again), 12, "{concurrency}");
    }
}

#[test]
fn ids_that_make_alma_answer_500_do_not_keep_the_others_out_for_more_than_a_pass() {
    for number in [10, 30] {
        let sandbox = Sandbox::new()
            .config("Network.concurrency", "1")
            .config("Network.tries", "1");
        add_people(&sandbox, "BAD", number, 8827, 30);
        add_people(&sandbox, "G", 30, 10332, 100);
        sandbox.fault(
            Fault::on(Service::Alma)
                .path("BAD")
                .answer(500, "text/plain", "oh no"),
        );
        outage_sync(&sandbox);
        if number < 12 {
            assert_eq!(registered(&sandbox, 10332), 30, "in the first pass");
        }
        outage_sync(&sandbox);
        outage_sync(&sandbox);
        assert_eq!(registered(&sandbox, 10332), 30, "{number}");
    }
}

#[test]
fn locations_that_answer_500_do_not_cut_the_list_of_a_good_one_short() {
    let sandbox = Sandbox::new().config("Network.tries", "1");
    for lid in 1..=3 {
        sandbox.world().locations.push(lid);
        sandbox.set_config(
            &format!("PassagePoint.location_mapping.{lid}"),
            "LibCal Main",
        );
    }
    let locations =
        [1, 2, 3, 10332].map(|id| format!("{{\"name\": \"Place {id}\", \"id\": {id}}}"));
    sandbox.set_config("LibCal.locations", &format!("[{}]", locations.join(",")));
    // Three pages, so that the others fail while it is read.
    add_people(&sandbox, "G", 250, 10332, 100);
    sandbox.fault(
        Fault::on(Service::LibCal)
            .when(|seen| seen.parameter("lid").is_some_and(|lid| lid.len() == 1))
            .answer(500, "text/plain", "oh no"),
    );
    outage_sync(&sandbox);
    assert_eq!(rows_of(&sandbox, "appts WHERE lid = 10332"), 250);
}
