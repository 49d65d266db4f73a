//! `prune`: by which time it goes, what it must not delete, and what it says if something of that is left.

use crate::prune::{DAY, counts, ended, is_known, prune, two_registered};
use crate::sandbox::{Booking, Fault, Sandbox, Service, User};
use crate::support::{
    assert_says, cache_bytes, contains_text, create_python_cache, good_sync, of_ada, one_person,
    sandbox_in_doubt, sql, sync_needing_attention, with_ada,
};

/// Makes the last full pass one that ended so many days ago.
fn last_pass(sandbox: &Sandbox, days: i64) {
    sql(
        sandbox,
        &format!("UPDATE last_pass SET ended_at = clock() - {days} * {DAY}"),
    );
}

#[test]
fn a_clock_that_runs_ahead_of_the_last_pass_deletes_nothing_that_was_listed_then() {
    let sandbox = two_registered();
    sandbox.add_booking(of_ada("cs_404").by("G404"));
    sync_needing_attention(&sandbox);
    ended(&sandbox, "cs_1", 5);
    ended(&sandbox, "cs_404", 5);
    sql(
        &sandbox,
        &format!(
            "UPDATE users SET checked_at = clock() - 9 * {DAY} / 2, seen_at = clock() - 9 * {DAY} / 2"
        ),
    );
    for (days, args, left) in [
        (6, &["--users-unseen-for", "1"][..], [3, 3]),
        (4, &["--keep-days", "2"], [3, 3]),
        (4, &["--users-unseen-for", "2"], [1, 3]),
        // A refusal is kept for a day.
        (3, &[], [1, 2]),
        (3, &["--users-unseen-for", "1"], [1, 0]),
    ] {
        last_pass(&sandbox, days);
        prune(&sandbox, args);
        assert_eq!(counts(&sandbox), left, "{days} days ago, {args:?}");
    }
}

#[test]
fn a_last_pass_in_the_future_deletes_nothing_that_is_not_over() {
    let sandbox = two_registered();
    last_pass(&sandbox, -10);
    ended(&sandbox, "cs_1", 0);
    prune(&sandbox, &["--users-unseen-for", "1"]);
    assert!(!is_known(&sandbox, "lookup-appt", "cs_1"));
    assert_eq!(counts(&sandbox), [1, 2]);
}

#[test]
fn where_no_pass_ever_began_the_clock_counts() {
    let sandbox = two_registered();
    ended(&sandbox, "cs_1", 0);
    sql(&sandbox, "DELETE FROM last_pass");
    prune(&sandbox, &[]);
    assert_eq!(counts(&sandbox), [1, 2]);
}

#[test]
fn where_no_pass_was_ever_full_the_start_of_the_one_that_was_killed_counts() {
    let sandbox = one_person();
    let prereg = Fault::on(Service::PassagePoint).path("createPreReg");
    sandbox.pause(prereg, false).kill();
    sandbox.pass_time(400 * 24 * 60);
    prune(&sandbox, &[]);
    sandbox.pass_time(-400 * 24 * 60);
    let run = sandbox.sync();
    assert_says(&run.stderr, &["possibly registered twice", "cs_1"]);
}

#[test]
fn a_warning_of_what_is_not_over_goes_by_the_last_pass_too() {
    let sandbox = two_registered();
    ended(&sandbox, "cs_1", 5);
    last_pass(&sandbox, 6);
    let said = prune(&sandbox, &["--appt", "cs_1"]).stderr;
    assert_says(&said, &["1 visit registered or in doubt and not over"]);
}

#[test]
fn a_visit_that_has_begun_and_not_ended_is_kept() {
    let sandbox = with_ada().booking(of_ada("cs_1").minutes(-30, 30));
    good_sync(&sandbox);
    prune(&sandbox, &[]);
    assert_eq!(counts(&sandbox), [1, 1]);
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 1);
}

#[test]
fn a_user_whom_a_booking_names_again_is_not_one_unseen_for_long() {
    let sandbox = two_registered();
    let long_ago = format!("UPDATE users SET seen_at = seen_at - 40 * {DAY}");
    sql(&sandbox, &long_ago);
    sandbox.remove_rows("cs_2");
    good_sync(&sandbox);
    prune(&sandbox, &["--users-unseen-for", "30"]);
    assert_eq!(counts(&sandbox)[1], 1);
    // The visit that was listed no more had one of these; the other has not.
    let sees = |id: &str| sandbox.run(&["--json", "lookup-user", id]).stdout;
    assert_says(&sees("G10000001"), &["21000001"]);
    assert!(!sees("G10000002").contains("21000002"));
}

#[test]
fn a_user_seen_by_a_clock_that_ran_ahead_is_seen_again() {
    let sandbox = one_person();
    good_sync(&sandbox);
    sql(
        &sandbox,
        &format!("UPDATE users SET seen_at = seen_at + 400 * {DAY}"),
    );
    good_sync(&sandbox);
    sql(
        &sandbox,
        &format!("UPDATE users SET seen_at = seen_at - 2 * {DAY}"),
    );
    prune(&sandbox, &["--users-unseen-for", "1"]);
    assert_eq!(counts(&sandbox)[1], 0);
}

#[test]
fn what_is_forgotten_of_a_booking_is_not_the_user_of_that_id_nor_the_other_way() {
    let sandbox = Sandbox::new()
        .user(User::new("G10000001").barcode("21000001"))
        .booking(Booking::new("G404").by("G404"))
        .booking(Booking::new("G10000002").by("G10000001"));
    sync_needing_attention(&sandbox);
    assert_eq!(counts(&sandbox), [2, 2]);
    prune(&sandbox, &["--appt", "G404"]);
    assert_eq!(counts(&sandbox), [1, 2]);
    let user = sandbox.run(&["lookup-user", "G404"]);
    assert_says(&user.stdout, &["not in Alma"]);
    let run = sandbox.run(&["prune", "--user", "G10000002"]);
    assert_eq!(run.code, 1, "{run:#?}");
    assert_eq!(counts(&sandbox), [1, 2]);
    assert!(is_known(&sandbox, "lookup-appt", "G10000002"));
}

#[test]
fn forgetting_what_the_python_program_registered_is_said_and_how_much() {
    let rows = "INSERT INTO appts VALUES ('cs_1', '138'), ('cs_2', '139');";
    for (args, says) in [
        (
            &[][..],
            "warning: forgetting 2 visits registered by the Python program, which kept no times: the next sync registers again whatever LibCal still lists\n",
        ),
        (
            &["--dry-run"],
            "warning: forgetting 2 visits registered by the Python program, which kept no times: the next sync registers again whatever LibCal still lists\n",
        ),
        (
            &["--appt", "cs_1"],
            "warning: forgetting 1 visit registered or in doubt and not over yet: the next sync registers again whatever LibCal still lists\n",
        ),
    ] {
        let sandbox = Sandbox::new();
        create_python_cache(&sandbox, rows);
        assert_eq!(prune(&sandbox, args).stderr, says, "{args:?}");
    }
}

#[test]
fn what_a_reader_keeps_in_the_log_is_reported_and_goes_with_the_next_prune() {
    let sandbox = two_registered();
    ended(&sandbox, "cs_1", 0);
    let reader = sandbox.cache();
    let read = "BEGIN; SELECT count(*) FROM users;";
    reader.execute_batch(read).expect("a read transaction");
    let run = sandbox.run(&["prune", "--user", "G10000001"]);
    assert_eq!(run.code, 1, "{run:#?}");
    assert_eq!(run.stderr.lines().count(), 1, "{run:#?}");
    let says = [
        "error: ",
        "can still be read in ",
        "cache.db-wal",
        "run `libcal-pp prune` again",
    ];
    assert_says(&run.stderr, &says);
    assert_eq!(counts(&sandbox), [1, 1]);
    assert!(
        contains_text(&cache_bytes(&sandbox), "G10000001"),
        "so that it is true"
    );

    // What only counts leaves nothing behind.
    let dry = prune(&sandbox, &["--dry-run", "--user", "G10000002"]);
    assert_says(&dry.stdout, &["would delete"]);

    reader.execute_batch("COMMIT").expect("its end");
    prune(&sandbox, &[]);
    let left = cache_bytes(&sandbox);
    assert!(!contains_text(&left, "G10000001") && contains_text(&left, "G10000002"));
}

#[test]
fn json_tells_what_was_deleted_though_a_reader_keeps_it_in_the_log() {
    let sandbox = two_registered();
    ended(&sandbox, "cs_1", 0);
    let reader = sandbox.cache();
    let read = "BEGIN; SELECT count(*) FROM users;";
    reader.execute_batch(read).expect("a read transaction");
    let run = sandbox.run(&["prune", "--json"]);
    assert_eq!(run.code, 1, "{run:#?}");
    assert_eq!(run.stdout, "{\"appts\":1,\"users\":0}\n");
}

#[test]
fn forgetting_a_visit_in_doubt_warns_that_it_may_come_to_be_there_twice() {
    for args in [
        ["prune", "--user", "G10000001"],
        ["prune", "--appt", "cs_1"],
    ] {
        let sandbox = sandbox_in_doubt();
        let run = sandbox.run(&args);
        assert_eq!(run.code, 0, "{run:#?}");
        assert_says(
            &run.stderr,
            &["forgetting 1 visit", "in doubt", "registers again"],
        );
    }
}
