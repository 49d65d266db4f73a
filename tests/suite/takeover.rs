//! The Python program's cache, and how it becomes one of ours.

use crate::cache::{assert_cache_refused, version};
use crate::sandbox::{Booking, Sandbox, Service};
use crate::support::{bytes, good_sync, one_json, one_person, python_cache, sql, texts};

#[test]
fn a_python_cache_is_taken_over_in_place() {
    let old = "INSERT INTO users VALUES (' g10000001', '21000001', '137');
               INSERT INTO appts VALUES ('cs_9', '138');";
    for command in ["sync", "lookup-user g10000001", "lookup-appt cs_9"] {
        let sandbox = one_person();
        python_cache(&sandbox, old);
        let args: Vec<_> = command.split(' ').collect();
        let run = sandbox.run(&args);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{command}");
        let users = "SELECT concat_ws(' ', primary_id, barcode) FROM users";
        let appts = "SELECT concat_ws(' ', appt_id, prereg_id, primary_id, starts_at) FROM appts WHERE appt_id = 'cs_9'";
        assert_eq!(texts(&sandbox, users), ["G10000001 21000001"], "{command}");
        assert_eq!(texts(&sandbox, appts), ["cs_9 138"], "{command}");
        assert_eq!(version(&sandbox), "1", "{command}");
    }
}

#[test]
fn a_user_taken_over_keeps_their_visitor() {
    let sandbox = one_person();
    let visitor = sandbox.add_visitor("21000001");
    python_cache(
        &sandbox,
        &format!("INSERT INTO users VALUES ('g10000001', '21000001', '{visitor}');"),
    );
    good_sync(&sandbox);
    assert_eq!(
        sandbox.expected(),
        [sandbox.visit("21000001", "LibCal Main", 30, 90)]
    );
    assert_eq!(sandbox.count_of(Service::PassagePoint, "person"), 0);
}

#[test]
fn an_appointment_taken_over_stands_for_any_visit_of_its_booking_until_the_next_prune() {
    let sandbox = one_person()
        .booking(Booking::new("cs_1").by("G10000001").minutes(200, 260))
        .booking(Booking::new("cs_2").by("G10000001").minutes(300, 360));
    python_cache(&sandbox, "INSERT INTO appts VALUES ('cs_1', '138');");
    good_sync(&sandbox);
    good_sync(&sandbox);
    assert_eq!(
        sandbox.expected(),
        [sandbox.visit("21000001", "LibCal Main", 300, 360)]
    );
    assert_eq!(sandbox.run(&["prune"]).code, 0);
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 3);
}

#[test]
fn rows_that_lack_something_are_not_taken_over() {
    let sandbox = Sandbox::new();
    python_cache(
        &sandbox,
        "INSERT INTO users VALUES ('g1', '21', '137'), ('G1 ', '22', '138'), ('', '23', '139'), (NULL, '24', '140'),
             ('g2', NULL, '141'), ('g3', '', '142'), ('g4', '25', NULL), ('g5', '26', ''), ('g6', ' ', ' ');
         INSERT INTO appts VALUES ('cs_1', '1'), ('cs_2', NULL), ('cs_3', ''), ('', '2'), (NULL, '3'), ('cs_4', ' ');",
    );
    sandbox.run(&["lookup-user", "g1"]);
    assert_eq!(texts(&sandbox, "SELECT primary_id FROM users"), ["G1"]);
    assert_eq!(texts(&sandbox, "SELECT appt_id FROM appts"), ["cs_1"]);
}

#[test]
fn a_python_cache_of_numbers_is_taken_over_too() {
    let sandbox = Sandbox::new();
    sql(
        &sandbox,
        "CREATE TABLE users (primary_id INTEGER PRIMARY KEY, barcode INTEGER, visitor_id INTEGER);
         CREATE TABLE appts (appt_id INTEGER PRIMARY KEY, prereg_id INTEGER);
         INSERT INTO users VALUES (20000001, 21000001, 137505764541173);
         INSERT INTO appts VALUES (77, 137506834088713);",
    );
    let user = one_json(&sandbox.run(&["lookup-user", "20000001", "--json"]));
    assert_eq!(user["barcode"], "21000001");
    assert_eq!(user["visitor_id"], "137505764541173");
    let appt = one_json(&sandbox.run(&["lookup-appt", "77", "--json"]));
    assert_eq!(appt["prereg_id"], "137506834088713");
}

#[test]
fn a_take_over_that_breaks_leaves_the_old_cache_as_it_was() {
    let sandbox = one_person();
    python_cache(
        &sandbox,
        "INSERT INTO users VALUES ('g10000001', '21000001', '137'); INSERT INTO appts VALUES ('cs_1', '138');",
    );
    // An index of this name is in the way of ours, half-way through.
    sql(
        &sandbox,
        "CREATE INDEX refusals_by_time ON users (barcode);",
    );
    let before = bytes(&sandbox);
    for args in [&["sync"][..], &["lookup-user", "g10000001"], &["prune"]] {
        let run = sandbox.run(args);
        assert_cache_refused(&sandbox, &run, &["cache.db"]);
        assert!(before == bytes(&sandbox), "{args:?} changed the file");
    }
    sql(&sandbox, "DROP INDEX refusals_by_time;");
    good_sync(&sandbox);
    assert_eq!(
        texts(&sandbox, "SELECT primary_id FROM users"),
        ["G10000001"]
    );
}
