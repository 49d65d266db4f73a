//! `prune`: what is deleted, what is kept, and that what is deleted is gone.

use crate::sandbox::{Booking, Fault, Run, Sandbox, Service, User};
use crate::support::{
    assert_says, cache_bytes, contains_text, count_rows, create_python_cache, good_sync, of_ada,
    one_person, single_json, sql, state_of, sync_after_outage, sync_during_outage,
    sync_needing_attention, with_ada,
};

pub const DAY: i64 = 24 * 3600;

/// Two people with a booking each, registered.
pub fn two_registered() -> Sandbox {
    let sandbox = Sandbox::new()
        .user(User::new("G10000001").barcode("21000001"))
        .user(User::new("G10000002").barcode("21000002"))
        .booking(Booking::new("cs_1").by("G10000001"))
        .booking(Booking::new("cs_2").by("G10000002"));
    good_sync(&sandbox);
    sandbox
}

/// Makes an appointment one that ended so many days ago.
pub fn ended(sandbox: &Sandbox, book_id: &str, days: i64) {
    let shift = days * DAY + 2 * 3600;
    sql(
        sandbox,
        &format!(
            "UPDATE appts SET starts_at = starts_at - {shift}, ends_at = ends_at - {shift} WHERE appt_id = '{book_id}'"
        ),
    );
}

/// Runs `prune`, which must not need a person.
pub fn prune(sandbox: &Sandbox, args: &[&str]) -> Run {
    let run = sandbox.run(&[&["prune"], args].concat());
    assert_eq!(run.code, 0, "{run:#?}");
    run
}

/// How many appointments and users there are.
pub fn counts(sandbox: &Sandbox) -> [i64; 2] {
    ["appts", "users"].map(|table| count_rows(sandbox, table))
}

fn on_prereg() -> Fault {
    Fault::on(Service::PassagePoint).path("createPreReg")
}

pub fn is_known(sandbox: &Sandbox, command: &str, id: &str) -> bool {
    sandbox.run(&[command, id]).code == 0
}

#[test]
fn appointments_that_ended_go_and_the_others_stay() {
    let sandbox = two_registered();
    ended(&sandbox, "cs_1", 0);
    let run = prune(&sandbox, &[]);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
    assert!(!is_known(&sandbox, "lookup-appt", "cs_1"));
    assert!(is_known(&sandbox, "lookup-appt", "cs_2"));
    assert_eq!(counts(&sandbox), [1, 2]);
}

#[test]
fn keep_days_keeps_appointments_for_so_long_after_their_end() {
    for (days_ago, keep_days, is_kept) in [
        (3, "2", false),
        (3, "4", true),
        (0, "0", false),
        (0, "1", true),
    ] {
        let sandbox = two_registered();
        ended(&sandbox, "cs_1", days_ago);
        prune(&sandbox, &["--keep-days", keep_days]);
        assert_eq!(
            is_known(&sandbox, "lookup-appt", "cs_1"),
            is_kept,
            "{days_ago} {keep_days}"
        );
        assert!(is_known(&sandbox, "lookup-appt", "cs_2"));
    }
}

#[test]
fn a_user_is_forgotten_with_all_their_visits() {
    let sandbox = two_registered();
    sandbox.add_booking(of_ada("cs_3").minutes(100, 160));
    sandbox.add_booking(of_ada("cs_4").minutes(200, 260).cancelled());
    sandbox.fault(on_prereg().answer(422, "text/plain", "no"));
    sync_needing_attention(&sandbox);
    assert_eq!(state_of(&sandbox, "cs_3"), "refused");
    assert_eq!(counts(&sandbox), [4, 2]);
    // Only that of the first may come to be there a second time.
    let run = prune(&sandbox, &["--user", " g10000001"]);
    assert!(
        run.stderr
            .contains("1 visit registered or in doubt and not over"),
        "{run:#?}"
    );
    assert_eq!(counts(&sandbox), [1, 1]);
    assert!(!is_known(&sandbox, "lookup-user", "G10000001"));
    assert!(is_known(&sandbox, "lookup-user", "G10000002"));
}

#[test]
fn a_booking_that_is_forgotten_is_a_new_one_to_the_next_sync() {
    let sandbox = two_registered();
    let run = prune(&sandbox, &["--appt", "cs_1"]);
    assert!(
        run.stderr
            .contains("1 visit registered or in doubt and not over"),
        "{run:#?}"
    );
    assert_eq!(counts(&sandbox), [1, 2]);
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 3);
}

#[test]
fn forgetting_what_is_over_or_cancelled_needs_no_warning() {
    let sandbox = two_registered();
    sandbox.edit_rows("cs_2", |row| row["status"] = "Cancelled by User".into());
    good_sync(&sandbox);
    ended(&sandbox, "cs_1", 1);
    for args in [["--appt", "cs_1"], ["--user", "G10000002"]] {
        assert_eq!(prune(&sandbox, &args).stderr, "", "{args:?}");
    }
}

#[test]
fn a_visit_given_up_in_doubt_is_tried_afresh_once_it_is_forgotten() {
    let sandbox = one_person();
    sandbox.fault(on_prereg().cut_before());
    for _ in 0..3 {
        sync_during_outage(&sandbox);
    }
    sandbox.clear_faults();
    sandbox.forget_requests();
    assert_eq!(sandbox.sync().code, 1);
    let asked = sandbox.count_of(Service::PassagePoint, "createPreReg");
    assert_eq!(asked, 0, "it was given up");
    let said = prune(&sandbox, &["--appt", "cs_1"]).stderr;
    assert!(said.contains("in doubt"), "it may be registered: {said}");
    sync_after_outage(&sandbox);
    assert_eq!(
        sandbox.expected(),
        [sandbox.visit("21000001", "LibCal Main", 30, 90)]
    );
}

#[test]
fn users_whom_no_booking_named_for_long_go_when_asked() {
    let sandbox = two_registered();
    sql(
        &sandbox,
        &format!("UPDATE users SET seen_at = seen_at - 31 * {DAY} WHERE primary_id = 'G10000001'"),
    );
    prune(&sandbox, &[]);
    prune(&sandbox, &["--users-unseen-for", "32"]);
    assert_eq!(counts(&sandbox)[1], 2);
    let pruned = single_json(&prune(&sandbox, &["--users-unseen-for", "30", "--json"]));
    assert_eq!(pruned, serde_json::json!({"appts": 0, "users": 1}));
    assert!(is_known(&sandbox, "lookup-user", "G10000002"));
    assert_eq!(counts(&sandbox)[1], 1);
}

#[test]
fn a_refused_user_and_a_row_that_cannot_be_read_are_remembered_for_a_day() {
    let sandbox = with_ada()
        .booking(Booking::new("cs_1").by("G404"))
        .booking(of_ada("cs_2").with("toDate", "soon".into()));
    sync_needing_attention(&sandbox);
    for (hours_ago, left, gone) in [(0, [2, 1], 0), (23, [2, 1], 0), (25, [1, 0], 1)] {
        sql(
            &sandbox,
            &format!(
                "UPDATE users SET checked_at = clock() - {hours_ago} * 3600;
                 UPDATE appts SET changed_at = clock() - {hours_ago} * 3600"
            ),
        );
        let pruned = single_json(&prune(&sandbox, &["--json"]));
        assert_eq!(pruned, serde_json::json!({"appts": gone, "users": gone}));
        assert_eq!(counts(&sandbox), left, "after {hours_ago} hours");
    }
    // The visit is not over: whoever asks still hears why it is not registered.
    let told = sandbox.run(&["lookup-appt", "cs_1"]).stdout;
    assert_says(&told, &["cs_1 of G404: refused", "not in Alma"]);
    assert!(!is_known(&sandbox, "lookup-appt", "cs_2"));
}

#[test]
fn a_visit_that_waits_or_is_refused_goes_when_it_is_over() {
    let sandbox = one_person().booking(Booking::new("cs_2").by("G404"));
    sandbox.stop(Service::PassagePoint);
    sync_needing_attention(&sandbox);
    let states = ["cs_1", "cs_2"].map(|book_id| state_of(&sandbox, book_id));
    assert_eq!(states, ["waiting", "refused"]);
    prune(&sandbox, &[]);
    assert_eq!(counts(&sandbox)[0], 2);
    for book_id in ["cs_1", "cs_2"] {
        ended(&sandbox, book_id, 0);
        prune(&sandbox, &[]);
        assert!(!is_known(&sandbox, "lookup-appt", book_id), "{book_id}");
    }
}

#[test]
fn a_visit_that_may_be_registered_for_longer_is_kept_until_that_end() {
    let sandbox = one_person();
    good_sync(&sandbox);
    let later = chrono::DateTime::from_timestamp(sandbox.now() + 150 * 60, 0).expect("a time");
    sandbox.edit_rows("cs_1", |row| row["toDate"] = later.to_rfc3339().into());
    sandbox.fault(on_prereg().cut_before());
    sync_during_outage(&sandbox);
    // As it is when the first end is over, and the one last asked for is not.
    sql(
        &sandbox,
        "UPDATE appts SET starts_at = starts_at - 14400, ends_at = ends_at - 14400",
    );
    prune(&sandbox, &[]);
    assert_eq!(state_of(&sandbox, "cs_1"), "in doubt");
    let asked = "UPDATE appts SET asked_ends_at = clock() - 600";
    sql(&sandbox, asked);
    prune(&sandbox, &[]);
    assert!(!is_known(&sandbox, "lookup-appt", "cs_1"));
}

#[test]
fn a_user_whose_refusal_is_forgotten_is_asked_about_afresh() {
    let sandbox = Sandbox::new().booking(of_ada("cs_1"));
    sync_needing_attention(&sandbox);
    sandbox.add_user(User::new("G10000001").barcode("21000001"));
    good_sync(&sandbox);
    assert_eq!(state_of(&sandbox, "cs_1"), "refused", "for an hour");
    assert_eq!(prune(&sandbox, &["--user", "G10000001"]).stderr, "");
    assert_eq!(counts(&sandbox), [0, 0]);
    good_sync(&sandbox);
    assert_eq!(state_of(&sandbox, "cs_1"), "registered");
}

#[test]
fn appointments_of_the_python_program_go_at_the_first_prune() {
    for args in [&[][..], &["--keep-days", "365"]] {
        let sandbox = Sandbox::new();
        create_python_cache(
            &sandbox,
            "INSERT INTO users VALUES ('g10000001', '21000001', '137'); INSERT INTO appts VALUES ('cs_1', '138');",
        );
        prune(&sandbox, args);
        assert_eq!(counts(&sandbox), [0, 1], "{args:?}");
    }
}

#[test]
fn a_dry_run_deletes_nothing_and_prints_how_much_it_would() {
    let sandbox = two_registered();
    ended(&sandbox, "cs_1", 0);
    let before = cache_bytes(&sandbox);
    for (args, printed) in [
        (&["--dry-run"][..], "would delete 1 visit and 0 users\n"),
        (
            &["--dry-run", "--user", "g10000001"],
            "would delete 1 visit and 1 user\n",
        ),
        (
            &["--dry-run", "--appt", "cs_1", "--json"],
            "{\"appts\":1,\"users\":0}\n",
        ),
    ] {
        let run = prune(&sandbox, args);
        assert_eq!((run.stdout.as_str(), run.stderr.as_str()), (printed, ""));
    }
    assert_eq!(counts(&sandbox), [2, 2]);
    assert!(before == cache_bytes(&sandbox), "the file is unchanged");
}

#[test]
fn json_tells_how_much_was_deleted() {
    let sandbox = two_registered();
    ended(&sandbox, "cs_1", 0);
    let pruned = single_json(&prune(&sandbox, &["--json"]));
    assert_eq!(pruned, serde_json::json!({"appts": 1, "users": 0}));
}

#[test]
fn forgetting_one_and_deleting_what_is_past_exclude_each_other() {
    let sandbox = two_registered();
    for args in [
        ["--user", "G1", "--keep-days", "1"],
        ["--appt", "cs_1", "--keep-days", "1"],
        ["--user", "G1", "--users-unseen-for", "1"],
        ["--keep-days", "-1", "--user", "G1"],
        ["--users-unseen-for", "0", "--keep-days", "1"],
    ] {
        let run = sandbox.run(&[&["prune"][..], &args].concat());
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{args:?}");
    }
    assert_eq!(counts(&sandbox), [2, 2]);
}

#[test]
fn what_was_deleted_is_gone_from_the_bytes_of_the_cache() {
    for args in [&["--user", "G10000001"][..], &["--users-unseen-for", "1"]] {
        let sandbox = two_registered();
        ended(&sandbox, "cs_1", 2);
        sql(
            &sandbox,
            &format!(
                "UPDATE users SET seen_at = seen_at - 9 * {DAY} WHERE primary_id = 'G10000001'"
            ),
        );
        // Held open, the write-ahead log is not deleted when the program ends.
        let reader = sandbox.cache();
        let count: i64 = reader
            .query_one("SELECT count(*) FROM users", [], |row| row.get(0))
            .unwrap();
        assert_eq!(count, 2);
        assert!(
            contains_text(&cache_bytes(&sandbox), "G10000001")
                && contains_text(&cache_bytes(&sandbox), "cs_1")
        );
        prune(&sandbox, args);
        let bytes = cache_bytes(&sandbox);
        for gone in ["G10000001", "21000001", "cs_1"] {
            assert!(!contains_text(&bytes, gone), "{gone} after {args:?}");
        }
        assert!(contains_text(&bytes, "G10000002") && contains_text(&bytes, "cs_2"));
    }
}

#[test]
fn prune_needs_no_configuration_beside_the_cache() {
    let sandbox = two_registered();
    ended(&sandbox, "cs_1", 0);
    std::fs::remove_file(sandbox.path("config.yml")).unwrap();
    let run = prune(&sandbox, &["--db", "cache.db"]);
    assert_eq!(run.stderr, "");
    assert_eq!(counts(&sandbox), [1, 2]);
}

#[test]
fn prune_without_a_cache_says_so_and_makes_none() {
    let sandbox = Sandbox::new();
    let run = sandbox.run(&["prune"]);
    assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{run:#?}");
    assert!(run.stderr.contains("no cache"), "{run:#?}");
    assert!(!sandbox.path("cache.db").exists());
}

#[test]
fn what_is_deleted_is_gone_from_the_write_ahead_log_too_while_another_program_has_the_cache_open() {
    let sandbox = two_registered();
    let other = sandbox.cache();
    let count = || other.query_row("SELECT count(*) FROM users", [], |row| row.get::<_, i64>(0));
    assert_eq!(count(), Ok(2));
    prune(&sandbox, &["--user", "G10000001"]);
    let left = cache_bytes(&sandbox);
    assert!(!contains_text(&left, "G10000001") && contains_text(&left, "G10000002"));
    assert_eq!(count(), Ok(1));
}
