//! No starvation: a location, destination or person that fails keeps nobody else out for more than one pass.

use std::time::Duration;

use crate::sandbox::{Booking, Fault, ReceivedRequest, Sandbox, Service, User};
use crate::support::{
    age_by_an_hour, count_rows, good_sync, in_parallel, sandbox_with_people, sql,
    sync_after_outage, sync_during_outage,
};

/// So many people with a booking each at this location, from so many minutes on; their IDs begin with this.
pub fn add_people(sandbox: &Sandbox, prefix: &str, number: usize, lid: i64, from: i64) {
    for n in 0..number {
        let id = format!("{prefix}{n:03}");
        sandbox.add_user(User::new(&id).barcode(&format!("BC{id}")));
        let booking = Booking::new(&format!("cs_{id}")).by(&id).at(lid);
        sandbox.add_booking(booking.minutes(from, from + 60));
    }
}

pub fn registered(sandbox: &Sandbox, lid: i64) -> i64 {
    count_rows(
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
        sync_during_outage(&sandbox);
        assert_eq!(registered(&sandbox, 10332), 12, "{concurrency}");
        let in_doubt = count_rows(&sandbox, "appts WHERE state = 'in doubt'");
        assert!((3..=10).contains(&in_doubt), "{in_doubt} in doubt");
    }
}

#[test]
fn a_destination_that_hangs_does_not_keep_the_visits_of_the_other_out_for_more_than_a_pass() {
    in_parallel(2, &["1", "8"], |concurrency| {
        let sandbox = two_destinations(concurrency);
        sandbox.fault(on_main().hang(Duration::from_secs(60)));
        sync_during_outage(&sandbox);
        sync_during_outage(&sandbox);
        assert_eq!(registered(&sandbox, 10332), 12, "{concurrency}");
    });
}

#[test]
fn a_destination_that_hangs_does_not_keep_known_users_out_of_the_other_for_more_than_a_pass() {
    in_parallel(2, &["1", "8"], |concurrency| {
        let sandbox = two_destinations(concurrency);
        good_sync(&sandbox);
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
        sync_during_outage(&sandbox);
        sync_during_outage(&sandbox);
        let again = "appts WHERE appt_id LIKE 'cs_againS%' AND state = 'registered'";
        assert_eq!(count_rows(&sandbox, again), 12, "{concurrency}");
    });
}

#[test]
fn ids_that_make_alma_answer_500_do_not_keep_the_others_out_for_more_than_a_pass() {
    for number in [10, 30] {
        let sandbox = Sandbox::new()
            .config("Network.concurrency", "1")
            .config("Network.tries", "1");
        add_people(&sandbox, "BAD", number, 8827, 30);
        add_people(&sandbox, "G", 60, 10332, 100);
        sandbox.fault(
            Fault::on(Service::Alma)
                .path("BAD")
                .answer(500, "text/plain", "oh no"),
        );
        sync_during_outage(&sandbox);
        if number < 12 {
            assert_eq!(registered(&sandbox, 10332), 60, "in the first pass");
        }
        sync_during_outage(&sandbox);
        sync_during_outage(&sandbox);
        assert_eq!(registered(&sandbox, 10332), 60, "{number}");
    }
}

/// People at a good location, which comes last in the configuration, after so many others that have nobody.
fn last_of_many_places(others: i64, people: usize) -> Sandbox {
    let sandbox = Sandbox::new()
        .config("Network.timeout_seconds", "1")
        .config("Network.tries", "1");
    for lid in 1..=others {
        sandbox.world().locations.push(lid);
        sandbox.set_config(
            &format!("PassagePoint.location_mapping.{lid}"),
            "LibCal Main",
        );
    }
    let locations = (1..=others).chain([10332]);
    let locations = locations.map(|id| format!("{{\"name\": \"Place {id}\", \"id\": {id}}}"));
    let locations: Vec<_> = locations.collect();
    sandbox.set_config("LibCal.locations", &format!("[{}]", locations.join(",")));
    add_people(&sandbox, "G", people, 10332, 100);
    sandbox
}

/// What is asked of LibCal about the other locations.
fn on_others() -> Fault {
    let is_other = |seen: &ReceivedRequest| seen.parameter("lid").is_some_and(|lid| lid.len() < 5);
    Fault::on(Service::LibCal).when(is_other)
}

#[test]
fn locations_that_answer_500_do_not_cut_the_list_of_a_good_one_short() {
    // Three pages, so that the others fail while it is read.
    let sandbox = last_of_many_places(3, 250);
    sandbox.fault(on_others().answer(500, "text/plain", "oh no"));
    sync_during_outage(&sandbox);
    assert_eq!(count_rows(&sandbox, "appts WHERE lid = 10332"), 250);
}

#[test]
fn locations_that_hang_do_not_keep_a_good_one_out_for_more_than_a_pass() {
    in_parallel(2, &["1", "3"], |concurrency| {
        // Two pages, so that the others fail while it is read.
        let sandbox = last_of_many_places(4, 150).config("Network.concurrency", concurrency);
        sandbox.fault(on_others().hang(Duration::from_secs(60)));
        sync_during_outage(&sandbox);
        sync_during_outage(&sandbox);
        assert_eq!(registered(&sandbox, 10332), 150, "{concurrency}");
    });
}

/// How often it was failed in a row to do something about a booking.
fn failures(sandbox: &Sandbox, book_id: &str) -> i64 {
    let sql = format!("SELECT failures FROM appts WHERE appt_id = '{book_id}'");
    let failures = sandbox.cache().query_row(&sql, [], |row| row.get(0));
    failures.expect("the cache has that booking")
}

#[test]
fn the_passes_in_which_something_failed_about_a_visit_are_counted_until_it_is_registered() {
    for path in ["users/", "createVisitor", "createPreReg"] {
        let sandbox = Sandbox::new().config("Network.tries", "1");
        add_people(&sandbox, "BAD", 1, 8827, 30);
        add_people(&sandbox, "G", 1, 10332, 30);
        let of_bad = |seen: &ReceivedRequest| {
            seen.raw_target.contains("BAD000") || seen.body.contains("LibCal Main")
        };
        let fault = Fault::any().path(path).when(of_bad);
        sandbox.fault(fault.answer(500, "text/plain", "oh no"));
        for passes in 1..=3 {
            sync_during_outage(&sandbox);
            assert_eq!(failures(&sandbox, "cs_BAD000"), passes, "{path}");
            assert_eq!(failures(&sandbox, "cs_G000"), 0, "{path}");
        }
        sandbox.clear_faults();
        age_by_an_hour(&sandbox);
        sandbox.sync();
        assert_eq!(registered(&sandbox, 8827), 1, "{path}");
        assert_eq!(failures(&sandbox, "cs_BAD000"), 0, "{path}");
    }
}

#[test]
fn an_outage_that_left_nobody_asked_about_counts_for_nobody() {
    let sandbox = Sandbox::new().config("Network.tries", "1");
    add_people(&sandbox, "G", 3, 8827, 30);
    sandbox.stop(Service::PassagePoint);
    sync_during_outage(&sandbox);
    assert_eq!(count_rows(&sandbox, "appts WHERE failures > 0"), 0);
    sandbox.start(Service::PassagePoint);
    sync_after_outage(&sandbox);
}

#[test]
fn who_failed_in_fewer_passes_comes_first_and_then_the_soonest_start() {
    let sandbox = Sandbox::new().config("Network.concurrency", "1");
    // The IDs are in another order than the starts.
    let visits = [
        ("A", 50, 0),
        ("B", 10, 2),
        ("C", 40, 0),
        ("D", 20, 1),
        ("E", 30, 1),
    ];
    for (id, from, _) in visits {
        add_people(&sandbox, id, 1, 8827, from);
    }
    sandbox.stop(Service::PassagePoint);
    sync_during_outage(&sandbox);
    for (id, _, failures) in visits {
        sql(
            &sandbox,
            &format!("UPDATE appts SET failures = {failures} WHERE primary_id = '{id}000'"),
        );
    }
    sandbox.start(Service::PassagePoint);
    sync_after_outage(&sandbox);
    let made = sandbox.world().in_order();
    let order: Vec<_> = made.iter().map(|one| one.barcode.as_str()).collect();
    assert_eq!(order, ["BCC000", "BCA000", "BCD000", "BCE000", "BCB000"]);
}

#[test]
fn a_service_of_which_nothing_answers_is_asked_little_and_leaves_nothing_in_doubt() {
    for service in Service::ALL {
        let sandbox = two_destinations("4");
        sandbox.fault(Fault::on(service).hang(Duration::from_secs(60)));
        sync_during_outage(&sandbox);
        // Of Alma's two zones each is a service, and each of the four threads may be asking when
        // the third failure in a row comes.
        let asked = sandbox.count(service);
        assert!((1..=2 * (2 + 4)).contains(&asked), "{service:?}: {asked}");
        assert_eq!(count_rows(&sandbox, "appts WHERE state = 'in doubt'"), 0);
    }
}

#[test]
fn destinations_that_all_hang_leave_few_in_doubt_however_many_passes_there_are() {
    let sandbox = two_destinations("2");
    let prereg = Fault::on(Service::PassagePoint).path("createPreReg");
    sandbox.fault(prereg.hang(Duration::from_secs(60)));
    // The third failure leaves a destination alone, and the other thread may be asking then.
    let most = 2 * (2 + 2);
    for _ in 0..2 {
        sandbox.forget_requests();
        sync_during_outage(&sandbox);
        let asked = sandbox.count_of(Service::PassagePoint, "createPreReg");
        assert!((1..=most).contains(&asked), "{asked}");
    }
    let in_doubt = count_rows(&sandbox, "appts WHERE state = 'in doubt'");
    assert!((1..=8).contains(&in_doubt), "{in_doubt}");
}

#[test]
fn a_person_comes_by_the_soonest_of_their_visits() {
    let sandbox = Sandbox::new().config("Network.concurrency", "1");
    add_people(&sandbox, "A", 1, 8827, 50);
    add_people(&sandbox, "B", 1, 8827, 30);
    let soonest = Booking::new("cs_soonest").by("A000").at(10332);
    sandbox.add_booking(soonest.minutes(10, 20));
    good_sync(&sandbox);
    let made = sandbox.world().in_order();
    let order: Vec<_> = made.iter().map(|one| one.barcode.as_str()).collect();
    assert_eq!(order, ["BCA000", "BCA000", "BCB000"]);
}

#[test]
fn a_refusal_restarts_the_count_of_failures() {
    let sandbox = Sandbox::new().config("Network.tries", "1");
    add_people(&sandbox, "G", 1, 8827, 30);
    let on = |path| Fault::on(Service::PassagePoint).path(path);
    sandbox.fault(on("createVisitor").answer(500, "text/plain", "oh no"));
    for passes in 1..=2 {
        sync_during_outage(&sandbox);
        assert_eq!(failures(&sandbox, "cs_G000"), passes);
    }
    sandbox.clear_faults();
    sandbox.fault(on("createPreReg").answer(422, "text/plain", "no"));
    assert_eq!(sandbox.sync().code, 1);
    assert_eq!(failures(&sandbox, "cs_G000"), 0);
}

#[test]
fn a_kill_puts_neither_the_visit_nor_others_of_its_destination_behind() {
    let sandbox = Sandbox::new().config("Network.concurrency", "1");
    add_people(&sandbox, "A", 1, 8827, 30);
    add_people(&sandbox, "B", 1, 8827, 40);
    add_people(&sandbox, "C", 1, 10332, 50);
    let prereg = Fault::on(Service::PassagePoint).path("createPreReg");
    sandbox.pause(prereg, false).kill();
    let made = sandbox.world().in_order().len();
    assert_eq!(sandbox.sync().code, 1, "one is possibly registered twice");
    let order = sandbox.world().in_order().split_off(made);
    let order: Vec<_> = order.iter().map(|one| one.barcode.as_str()).collect();
    assert_eq!(order, ["BCA000", "BCB000", "BCC000"]);
}

#[test]
fn ids_that_make_alma_deny_access_keep_nobody_else_out() {
    let sandbox = sandbox_with_people(12).config("Network.concurrency", "1");
    let is_odd =
        |seen: &ReceivedRequest| (1..=7).any(|n| seen.path.ends_with(&format!("G1000000{n}")));
    let fault = Fault::on(Service::Alma).when(is_odd);
    sandbox.fault(fault.answer(403, "text/html", "<html>Forbidden</html>"));
    sync_during_outage(&sandbox);
    assert_eq!(sandbox.expected().len(), 5);
}

#[test]
fn a_visit_whose_destination_is_given_up_counts_no_failure() {
    let sandbox = Sandbox::new()
        .config("Network.concurrency", "1")
        .config("Network.tries", "1");
    add_people(&sandbox, "G", 3, 8827, 30);
    sandbox.add_user(User::new("Z1").barcode("BCZ1"));
    for n in 0..4 {
        let booking = Booking::new(&format!("cs_Z{n}")).by("Z1").at(8827);
        sandbox.add_booking(booking.minutes(200 + 100 * n, 260 + 100 * n));
    }
    sandbox.fault(on_main().answer(500, "text/plain", "oh no"));
    sync_during_outage(&sandbox);
    assert_eq!(failures(&sandbox, "cs_G002"), 1);
    for n in 0..4 {
        assert_eq!(failures(&sandbox, &format!("cs_Z{n}")), 0, "{n}");
    }
}

#[test]
fn a_person_of_whose_visits_each_fails_leaves_their_destination_open_to_others() {
    let sandbox = Sandbox::new()
        .config("Network.concurrency", "1")
        .config("Network.tries", "1");
    add_people(&sandbox, "Z", 1, 8827, 30);
    good_sync(&sandbox);
    let visitor = sandbox.world().visitors[0].id.to_string();
    for n in 0..4 {
        let booking = Booking::new(&format!("cs_again{n}")).by("Z000").at(8827);
        sandbox.add_booking(booking.minutes(100 + 100 * n, 160 + 100 * n));
    }
    add_people(&sandbox, "W", 1, 8827, 600);
    let of_them = Fault::on(Service::PassagePoint).when(move |seen| seen.body.contains(&visitor));
    sandbox.fault(of_them.answer(500, "text/plain", "oh no"));
    sync_during_outage(&sandbox);
    assert_eq!(registered(&sandbox, 8827), 2);
}

#[test]
fn a_known_visitors_visit_that_failed_puts_others_of_its_destination_behind() {
    let sandbox = Sandbox::new()
        .config("Network.concurrency", "1")
        .config("Network.tries", "1");
    add_people(&sandbox, "K", 4, 10332, 30);
    good_sync(&sandbox);
    let add_again = |n: i64, from: i64| {
        let booking = Booking::new(&format!("cs_again{n}")).by(&format!("K{n:03}"));
        sandbox.add_booking(booking.at(8827).minutes(from, from + 60));
    };
    add_again(0, 200);
    sandbox.fault(on_main().answer(401, "text/plain", "no"));
    sync_during_outage(&sandbox);
    assert_eq!(failures(&sandbox, "cs_again0"), 1);
    sandbox.clear_faults();
    (1..4).for_each(|n| add_again(n, 100));
    add_people(&sandbox, "W", 3, 10332, 200);
    sandbox.fault(on_main().cut_before());
    sync_during_outage(&sandbox);
    assert_eq!(registered(&sandbox, 10332), 7);
}
