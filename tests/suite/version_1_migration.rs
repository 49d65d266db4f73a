//! The migration of a cache of version 1.

use std::fs;

use crate::cache::version;
use crate::sandbox::{Booking, Sandbox, Service};
use crate::support::{
    assert_says, count_rows, good_sync, of_ada, one_person, query_texts, sql, state_of,
    sync_needing_attention, with_ada,
};

/// The tables of version 1.
const VERSION_1: &str = "
    PRAGMA journal_mode = WAL;
    CREATE TABLE users (primary_id TEXT PRIMARY KEY, barcode TEXT NOT NULL, visitor_id TEXT NOT NULL,
        checked_at INTEGER, seen_at INTEGER NOT NULL) STRICT;
    CREATE INDEX users_by_seen ON users (seen_at);
    CREATE TABLE appts (appt_id TEXT NOT NULL, primary_id TEXT, lid INTEGER, starts_at INTEGER, ends_at INTEGER,
        prereg_id TEXT, attempts INTEGER NOT NULL DEFAULT 0, asked_ends_at INTEGER, cancelled_at INTEGER,
        UNIQUE (appt_id, primary_id, lid, starts_at)) STRICT;
    CREATE INDEX appts_by_user ON appts (primary_id);
    CREATE INDEX appts_by_end ON appts (ends_at);
    CREATE TABLE refusals (subject TEXT NOT NULL, kind TEXT NOT NULL, primary_id TEXT, reason TEXT NOT NULL,
        refused_at INTEGER NOT NULL, reported_at INTEGER, PRIMARY KEY (subject, kind)) STRICT;
    CREATE INDEX refusals_by_user ON refusals (primary_id);
    CREATE INDEX refusals_by_time ON refusals (refused_at);
    CREATE TABLE last_pass (id INTEGER PRIMARY KEY CHECK (id = 1), started_at INTEGER NOT NULL, ended_at INTEGER,
        rows INTEGER, visits INTEGER, already_registered INTEGER, registered INTEGER, refused INTEGER,
        in_doubt INTEGER, failed INTEGER, ended INTEGER, seconds REAL) STRICT;
    INSERT INTO last_pass VALUES (1, clock() - 301, clock() - 300, 5, 4, 1, 0, 2, 1, 0, 0, 1.5);
    PRAGMA user_version = 1;
";
pub const NOT_IN_ALMA: &str =
    "not in Alma: correct the ID on the booking form in LibCal, or add the user to Alma";

/// Makes a cache as version 1 left it, with these rows.
pub fn version_1(sandbox: &Sandbox, rows: &str) {
    sql(sandbox, VERSION_1);
    sql(sandbox, rows);
    fs::write(sandbox.path("cache.db.lock"), "").expect("the lock's file, which held nothing");
}

/// A row of an appointment of version 1, at 8827 from and to so many minutes after the sandbox's now; `rest` are
/// its pre-registration, attempts, the end last asked for in such minutes, and when it was cancelled.
pub fn appt_1(sandbox: &Sandbox, book_id: &str, [from, to]: [i64; 2], rest: [&str; 4]) -> String {
    let now = sandbox.now();
    let [prereg, attempts, asked, cancelled] = rest;
    format!(
        "INSERT INTO appts VALUES ('{book_id}', 'G10000001', 8827, {now} + {from} * 60, {now} + {to} * 60,
             {prereg}, {attempts}, {now} + {asked} * 60, {cancelled});"
    )
}

/// The rows of a user of version 1 whom Alma refused a few minutes ago, of which a person was told an hour before.
pub fn refused_1(primary_id: &str, reason: &str) -> String {
    format!(
        "INSERT INTO refusals VALUES ('{primary_id}', 'user', '{primary_id}', '{reason}', clock() - 300, clock() - 3900);
         INSERT INTO refusals VALUES ('cs_of_{primary_id}', 'user''s booking', '{primary_id}', '{reason}', clock() - 300, NULL);"
    )
}

/// A day half-way through, with all that version 1 knew of it.
pub fn day_of_version_1() -> Sandbox {
    let sandbox = with_ada()
        .booking(of_ada("cs_registered"))
        .booking(of_ada("cs_cancelled").minutes(100, 160).cancelled())
        .booking(of_ada("cs_doubt").minutes(200, 260))
        .booking(of_ada("cs_given_up").minutes(300, 360))
        .booking(Booking::new("cs_of_G404").by("G404"));
    let visitor = sandbox.add_visitor("21000001");
    let rows = [
        format!("INSERT INTO users VALUES ('G10000001', '21000001', '{visitor}', clock() - 300, clock() - 300);"),
        appt_1(&sandbox, "cs_registered", [30, 90], ["'901'", "0", "NULL", "NULL"]),
        appt_1(&sandbox, "cs_cancelled", [100, 160], ["'902'", "0", "NULL", "clock() - 600"]),
        appt_1(&sandbox, "cs_doubt", [200, 260], ["NULL", "1", "260", "NULL"]),
        appt_1(&sandbox, "cs_given_up", [300, 360], ["NULL", "3", "360", "NULL"]),
        "INSERT INTO refusals VALUES ('cs_given_up', 'doubt', 'G10000001', 'in doubt after 3 attempts: look in PassagePoint', clock() - 300, clock() - 300);".to_owned(),
        refused_1("G404", NOT_IN_ALMA),
    ];
    version_1(&sandbox, &rows.concat());
    sandbox
}

/// The appointments that the day above had, as they are taken over.
fn taken_over(sandbox: &Sandbox) -> [String; 4] {
    let at = |minutes: i64| sandbox.now() + minutes * 60;
    let times = |from, to| format!("G10000001|8827|{}|{}", at(from), at(to));
    [
        format!("cs_cancelled|{}|cancelled||902|0|", times(100, 160)),
        format!(
            r#"cs_doubt|{}|in doubt|{{"outcome_unknown":null}}||1|{}"#,
            times(200, 260),
            at(260)
        ),
        format!(
            r#"cs_given_up|{}|in doubt|"given_up"||3|{}"#,
            times(300, 360),
            at(360)
        ),
        format!("cs_registered|{}|registered||901|0|", times(30, 90)),
    ]
}

const APPTS: &str = "SELECT appt_id || '|' || primary_id || '|' || lid || '|' || starts_at || '|' || ends_at || '|' ||
    state || '|' || ifnull(reason, '') || '|' || ifnull(prereg_id, '') || '|' || attempts || '|' ||
    ifnull(asked_ends_at, '') FROM appts ORDER BY appt_id";

#[test]
fn a_cache_of_version_1_is_migrated_in_place_by_whatever_opens_it_first() {
    for command in [
        "lookup-user G10000001",
        "lookup-appt cs_doubt",
        "status",
        "prune",
    ] {
        let sandbox = day_of_version_1();
        let args: Vec<_> = command.split(' ').collect();
        let run = sandbox.run(&args);
        // What is in doubt needs a person, which `status` says by how it ends.
        let code = i32::from(command == "status");
        assert_eq!((run.code, run.stderr.as_str()), (code, ""), "{run:#?}");
        assert_eq!(
            query_texts(&sandbox, APPTS),
            taken_over(&sandbox),
            "{command}"
        );
        let users =
            "SELECT concat_ws('|', primary_id, barcode, refusal) FROM users ORDER BY primary_id";
        let known = ["G10000001|21000001", r#"G404|"not_in_alma""#];
        assert_eq!(query_texts(&sandbox, users), known, "{command}");
        let pass =
            "SELECT concat_ws('|', number, ended_at > started_at, rows, seconds) FROM last_pass";
        assert_eq!(query_texts(&sandbox, pass), ["1|1|5|1.5"], "{command}");
        let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
        let ours = ["appts", "last_pass", "outages", "users"];
        assert_eq!(query_texts(&sandbox, tables), ours, "{command}");
        assert_eq!(version(&sandbox), "2", "{command}");
        assert_eq!(query_texts(&sandbox, "PRAGMA integrity_check"), ["ok"]);
    }
}

#[test]
fn the_look_ups_tell_what_version_1_knew() {
    let sandbox = day_of_version_1();
    let found = sandbox.run(&["lookup-user", "G10000001", "G404"]);
    assert_eq!((found.code, found.stderr.as_str()), (0, ""), "{found:#?}");
    let says = [
        "cs_registered of G10000001: registered\n",
        "pre-registration 901\n",
        "cs_cancelled of G10000001: cancelled\n",
        "(pre-registration 902)\n",
        "cs_doubt of G10000001: in doubt\n",
        "the last attempt was interrupted; the next pass tries again\n",
        "cs_given_up of G10000001: in doubt\n",
        "given up after 3 attempts: check in PassagePoint",
        "G404\n  refused: not in Alma",
        "last full pass: ",
    ];
    assert_says(&found.stdout, &says);
}

#[test]
fn after_version_1_nothing_is_registered_again_but_what_is_in_doubt_and_that_is_named() {
    let sandbox = day_of_version_1();
    let said = sync_needing_attention(&sandbox);
    let lines: Vec<_> = said.lines().collect();
    // Neither who was given up nor who was refused is told of again.
    assert_eq!(lines.len(), 1, "{said}");
    assert!(
        lines[0].starts_with("error: possibly registered twice: 1 visit"),
        "{said}"
    );
    assert!(lines[0].ends_with("(cs_doubt of G10000001)"), "{said}");
    let again = sandbox.visit("21000001", "LibCal Main", 200, 260);
    assert_eq!(sandbox.expected(), [again]);
    // Of who is in doubt, the visitor is looked for again.
    assert_eq!(
        sandbox.count(Service::Alma),
        1,
        "all else that it says is known"
    );
    assert_eq!(sandbox.count_of(Service::PassagePoint, "byUniqueId"), 1);
    assert_eq!(sandbox.count_of(Service::PassagePoint, "createVisitor"), 0);
    for (book_id, state) in [
        ("cs_registered", "registered"),
        ("cs_cancelled", "cancelled"),
        ("cs_doubt", "registered"),
        ("cs_given_up", "in doubt"),
        ("cs_of_G404", "refused"),
    ] {
        assert_eq!(state_of(&sandbox, book_id), state, "{book_id}");
    }
    // The one given up still waits for a person, which the exit status says.
    sandbox.forget_requests();
    let run = sandbox.sync();
    assert_eq!((run.code, run.stderr.as_str()), (1, ""), "{run:#?}");
    assert_eq!(sandbox.count(Service::PassagePoint), 0);
    let run = sandbox.run(&["prune", "--appt", "cs_given_up"]);
    assert_says(&run.stderr, &["in doubt", "registers again"]);
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 2);
}

#[test]
fn what_version_1_marked_as_cancelled_is_still_there_if_it_is_booked_back() {
    let sandbox = day_of_version_1();
    sandbox.remove_rows("cs_doubt");
    sandbox.remove_rows("cs_given_up");
    sandbox.edit_rows("cs_cancelled", |row| {
        row["status"] = "Confirmed".into();
        row["cancelled"] = serde_json::Value::Null;
    });
    good_sync(&sandbox);
    assert_eq!(state_of(&sandbox, "cs_cancelled"), "registered");
    assert_eq!(sandbox.expected(), [], "no other was asked for");
    assert_eq!(
        count_rows(&sandbox, "appts WHERE asked_ends_at IS NOT NULL"),
        2,
        "what LibCal does not list is in doubt as before"
    );
}

#[test]
fn what_version_1_had_of_the_python_program_still_stands_for_any_visit_of_its_booking() {
    let sandbox = one_person();
    version_1(
        &sandbox,
        "INSERT INTO appts (appt_id, prereg_id) VALUES ('cs_1', '138');",
    );
    good_sync(&sandbox);
    assert_eq!(sandbox.expected(), []);
    assert_eq!(sandbox.run(&["prune"]).code, 0);
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 1);
}
