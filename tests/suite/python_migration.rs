//! The migration of the Python program's cache, which is all or nothing.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use chrono::DateTime;
use serde_json::json;

use crate::cache::{assert_cache_refused, version};
use crate::sandbox::{Booking, Sandbox, Service};
use crate::support::{
    assert_no_complaints, assert_says, cache_bytes, count_rows, create_python_cache, good_sync,
    of_ada, one_person, query_texts, single_json, sql, sync_after_outage, sync_during_outage,
    with_ada,
};
use crate::version_1_migration::day_of_version_1;

#[test]
fn a_python_cache_is_migrated_in_place() {
    let old = "INSERT INTO users VALUES (' g10000001', '21000001', '137');
               INSERT INTO appts VALUES ('cs_9', '138');";
    for command in ["sync", "lookup-user g10000001", "lookup-appt cs_9"] {
        let sandbox = one_person();
        create_python_cache(&sandbox, old);
        let args: Vec<_> = command.split(' ').collect();
        let run = sandbox.run(&args);
        // Only a pass can tell what LibCal lists.
        let warning = "warning: no full pass has ended yet: LibCal's bookings are not known here\n";
        let said = if command == "sync" { "" } else { warning };
        assert_eq!((run.code, run.stderr.as_str()), (0, said), "{command}");
        let users = "SELECT concat_ws(' ', primary_id, barcode) FROM users";
        let appts = "SELECT concat_ws(' ', appt_id, prereg_id, primary_id, lid, starts_at, ends_at, state, reason)
                     FROM appts WHERE appt_id = 'cs_9'";
        let appt = r#"cs_9 138 registered "taken_over""#;
        assert_eq!(
            query_texts(&sandbox, users),
            ["G10000001 21000001"],
            "{command}"
        );
        assert_eq!(query_texts(&sandbox, appts), [appt], "{command}");
        assert_eq!(version(&sandbox), "2", "{command}");
    }
}

#[test]
fn an_imported_user_keeps_their_visitor() {
    let sandbox = one_person();
    let visitor = sandbox.add_visitor("21000001");
    create_python_cache(
        &sandbox,
        &format!("INSERT INTO users VALUES ('g10000001', '21000001', '{visitor}');"),
    );
    good_sync(&sandbox);
    assert_eq!(
        sandbox.expected(),
        [sandbox.visit("21000001", "LibCal Main", 30, 90)]
    );
    // It is looked for, and found.
    assert_eq!(sandbox.count_of(Service::PassagePoint, "byUniqueId"), 1);
    assert_eq!(sandbox.count_of(Service::PassagePoint, "createVisitor"), 0);
}

#[test]
fn an_appointment_taken_over_stands_for_any_visit_of_its_booking_until_the_next_prune() {
    let sandbox = one_person()
        .booking(Booking::new("cs_1").by("G10000001").minutes(200, 260))
        .booking(Booking::new("cs_2").by("G10000001").minutes(300, 360));
    create_python_cache(&sandbox, "INSERT INTO appts VALUES ('cs_1', '138');");
    good_sync(&sandbox);
    good_sync(&sandbox);
    assert_eq!(
        sandbox.expected(),
        [sandbox.visit("21000001", "LibCal Main", 300, 360)]
    );
    let found = sandbox.run(&["--json", "lookup-appt", "cs_1"]).json();
    assert_eq!(found.len(), 3, "what was taken over, and two visits");
    for appt in found {
        assert_eq!(appt["state"], "registered", "{appt}");
        assert_eq!(appt["reason"], "registered by the Python program", "{appt}");
    }
    let pruned = sandbox.run(&["prune"]);
    assert_eq!(pruned.code, 0);
    assert_says(&pruned.stderr, &["registered by the Python program"]);
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 3);
}

#[test]
fn rows_that_lack_something_are_not_imported() {
    let sandbox = Sandbox::new();
    create_python_cache(
        &sandbox,
        "INSERT INTO users VALUES ('g1', '21', '137'), ('G1 ', '22', '138'), ('', '23', '139'), (NULL, '24', '140'),
             ('g2', NULL, '141'), ('g3', '', '142'), ('g4', '25', NULL), ('g5', '26', ''), ('g6', ' ', ' ');
         INSERT INTO appts VALUES ('cs_1', '1'), ('cs_2', NULL), ('cs_3', ''), ('', '2'), (NULL, '3'), ('cs_4', ' ');",
    );
    sandbox.run(&["lookup-user", "g1"]);
    assert_eq!(
        query_texts(&sandbox, "SELECT primary_id FROM users"),
        ["G1"]
    );
    assert_eq!(query_texts(&sandbox, "SELECT appt_id FROM appts"), ["cs_1"]);
}

#[test]
fn a_python_cache_with_several_rows_for_one_booking_is_migrated_too() {
    let sandbox = one_person();
    sql(
        &sandbox,
        "CREATE TABLE users (primary_id text, barcode text, visitor_id text);
         CREATE TABLE appts (appt_id text, prereg_id text);
         INSERT INTO users VALUES ('G10000001', '21000001', '7'), ('g10000001', '21000001', '7');
         INSERT INTO appts VALUES ('cs_1', '138'), ('cs_1', '139'), ('cs_2', '140');",
    );
    good_sync(&sandbox);
    assert_eq!(
        sandbox.expected(),
        [],
        "it stands for any visit of the booking"
    );
    let appts = "SELECT DISTINCT appt_id FROM appts ORDER BY appt_id";
    assert_eq!(query_texts(&sandbox, appts), ["cs_1", "cs_2"]);
}

#[test]
fn a_visit_taken_over_that_is_cancelled_says_that_passagepoint_may_expect_the_person() {
    let sandbox = one_person();
    create_python_cache(&sandbox, "INSERT INTO appts VALUES ('cs_1', '138');");
    good_sync(&sandbox);
    sandbox.edit_rows("cs_1", |row| row["status"] = "Cancelled by User".into());
    good_sync(&sandbox);
    let told = sandbox.run(&["lookup-user", "G10000001"]).stdout;
    let says = [
        "cs_1 of G10000001: cancelled",
        "registered by the Python program",
        "PassagePoint may still expect the person",
    ];
    crate::support::assert_says(&told, &says);
}

#[test]
fn a_python_cache_of_numbers_is_migrated_too() {
    let sandbox = Sandbox::new();
    sql(
        &sandbox,
        "CREATE TABLE users (primary_id INTEGER PRIMARY KEY, barcode INTEGER, visitor_id INTEGER);
         CREATE TABLE appts (appt_id INTEGER PRIMARY KEY, prereg_id INTEGER);
         INSERT INTO users VALUES (20000001, 21000001, 137505764541173);
         INSERT INTO appts VALUES (77, 137506834088713);",
    );
    let user = single_json(&sandbox.run(&["lookup-user", "20000001", "--json"]));
    assert_eq!(user["barcode"], "21000001");
    assert_eq!(user["visitor_id"], "137505764541173");
    let appt = single_json(&sandbox.run(&["lookup-appt", "77", "--json"]));
    assert_eq!(appt["prereg_id"], "137506834088713");
}

#[test]
fn a_dry_run_tells_what_a_pass_would_do_with_an_older_cache_and_leaves_it_as_it_was() {
    let sandbox = day_of_version_1();
    let before = cache_bytes(&sandbox);
    let run = sandbox.run(&["sync", "--dry-run"]);
    assert_eq!(run.code, 1, "{run:#?}");
    let register: Vec<_> = run
        .stdout
        .lines()
        .filter(|line| line.starts_with("register "))
        .collect();
    assert_eq!(register.len(), 1, "{run:#?}");
    assert_says(
        register[0],
        &["cs_doubt of G10000001", "possibly registered twice"],
    );
    assert_eq!(sandbox.expected(), []);
    assert!(before == cache_bytes(&sandbox), "the file is unchanged");
    assert_eq!(version(&sandbox), "1");
    assert_no_complaints(&sandbox);
}

#[test]
fn a_migration_that_fails_leaves_the_old_cache_as_it_was() {
    // An index of this name is in the way of ours, half-way through.
    let half_way = (
        "CREATE INDEX appts_by_visit ON users (barcode);",
        "DROP INDEX appts_by_visit;",
    );
    // And what refers to a row of version 1 at the very end, when the old tables go.
    let at_the_end = (
        "CREATE TABLE notes (pass INTEGER REFERENCES last_pass (id)); INSERT INTO notes VALUES (1);",
        "DROP TABLE notes;",
    );
    let pythons = || {
        let sandbox = one_person();
        create_python_cache(
            &sandbox,
            "INSERT INTO users VALUES ('g10000001', '21000001', '137'); INSERT INTO appts VALUES ('cs_1', '138');",
        );
        sandbox
    };
    for (sandbox, (obstacle, mend)) in [
        (pythons(), half_way),
        (day_of_version_1(), half_way),
        (day_of_version_1(), at_the_end),
    ] {
        sql(&sandbox, obstacle);
        let before = cache_bytes(&sandbox);
        for args in [
            &["sync"][..],
            &["sync", "--dry-run"],
            &["lookup-user", "g10000001"],
            &["status"],
            &["prune"],
        ] {
            let run = sandbox.run(args);
            assert_cache_refused(&sandbox, &run, &["cache.db"]);
            assert!(before == cache_bytes(&sandbox), "{args:?} changed the file");
        }
        sql(&sandbox, mend);
        assert_ne!(sandbox.sync().code, 75);
        assert_eq!(version(&sandbox), "2");
        let ada = "users WHERE primary_id = 'G10000001' AND barcode = '21000001'";
        assert_eq!(count_rows(&sandbox, ada), 1);
        assert_no_complaints(&sandbox);
    }
}

#[test]
fn a_python_programs_cache_that_everybody_could_read_is_migrated_as_a_private_one() {
    let sandbox = with_ada();
    create_python_cache(
        &sandbox,
        "INSERT INTO appts VALUES ('cs_1', '7'), (x'00ff', '8'), ('cs_3', x'ff');
         INSERT INTO users VALUES ('G10000001', '21000001', '9'), ('G2', x'00ff', '9');",
    );
    fs::set_permissions(sandbox.path("cache.db"), Permissions::from_mode(0o644)).unwrap();
    let run = sandbox.run(&["lookup-user", "G10000001"]);
    let warning = "warning: no full pass has ended yet: LibCal's bookings are not known here\n";
    assert_eq!((run.code, run.stderr.as_str()), (0, warning), "{run:#?}");
    let mode = fs::metadata(sandbox.path("cache.db"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(count_rows(&sandbox, "appts"), 1, "bytes are no booking id");
    assert_eq!(count_rows(&sandbox, "users"), 1, "nor a barcode");
    good_sync(&sandbox);
}

#[test]
fn status_tells_which_imported_bookings_are_still_to_come() {
    let sandbox = one_person()
        .booking(of_ada("cs_1").minutes(200, 260))
        .booking(of_ada("cs_2").minutes(-120, -60))
        .booking(of_ada("cs_3").cancelled());
    create_python_cache(
        &sandbox,
        "INSERT INTO appts VALUES ('cs_1', '138'), ('cs_2', '139'), ('cs_3', '140'), ('cs_old', '141');",
    );
    let head = "imported from the Python program: 4 bookings; ";
    let status = |code| {
        let run = sandbox.run(&["status"]);
        assert_eq!(run.code, code, "{run:#?}");
        let mut lines = run.stdout.lines();
        let line = lines.find_map(|line| line.strip_prefix(head));
        line.unwrap_or_else(|| panic!("no such line: {run:#?}"))
            .to_owned()
    };
    let to_come = || {
        let found = single_json(&sandbox.run(&["--json", "status"]));
        assert_eq!(found["imported"]["bookings"], 4);
        found["imported"]["to_come"].clone()
    };
    assert_eq!(
        status(1),
        "the first full pass finds out which of them are still to come"
    );
    assert_eq!(to_come(), json!([]));
    good_sync(&sandbox);
    let last = DateTime::from_timestamp(sandbox.now() + 260 * 60, 0).unwrap();
    let last = last.format("%a %-d %b %Y %H:%M UTC");
    assert_eq!(
        status(0),
        format!(
            "2 visits are still to come, the last until {last} (cs_1 of G10000001, cs_1 of G10000001): do not run `prune` before that"
        )
    );
    let visits = sandbox.run(&["--json", "lookup-appt", "cs_1"]).json();
    assert_eq!(to_come(), json!(visits[1..]));
    // What was taken over has no times, and is none of the visits that are counted.
    let counts = single_json(&sandbox.run(&["--json", "status"]))["states"].take();
    assert_eq!(
        (&counts["registered"], &counts["cancelled"]),
        (&json!(2), &json!(1))
    );
    sandbox.pass_time(240);
    let told = status(0);
    assert!(
        told.starts_with("1 visit is still to come, the last until "),
        "{told}"
    );
    sandbox.pass_time(30);
    assert_eq!(
        status(0),
        "none of them is still to come: the next `prune` forgets them"
    );
    sandbox.stop(Service::LibCal);
    sync_during_outage(&sandbox);
    assert_eq!(
        status(1),
        "LibCal's lists could not be read, so others may still be to come"
    );
    sandbox.start(Service::LibCal);
    sync_after_outage(&sandbox);
    assert_eq!(sandbox.run(&["prune"]).code, 0);
    let run = sandbox.run(&["status"]);
    assert!(!run.stdout.contains("imported from"), "{run:#?}");
    let none = json!({"bookings": 0, "to_come": []});
    assert_eq!(
        single_json(&sandbox.run(&["--json", "status"]))["imported"],
        none
    );
}
