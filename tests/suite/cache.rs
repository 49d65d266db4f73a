//! The cache: its file, its contents, the migration of the Python program's, and concurrent use.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use rusqlite::Connection;

use crate::sandbox::{Booking, Fault, Run, Sandbox, Service, User};
use crate::support::{
    assert_no_complaints, cache_bytes, contains_text, good_sync, one_person, query_texts, sql,
    sync_needing_attention,
};

/// A run that must end for the sake of the cache: in one line that says all this, and PassagePoint not asked.
pub fn assert_cache_refused(sandbox: &Sandbox, run: &Run, named: &[&str]) {
    assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{run:#?}");
    assert_eq!(run.stderr.lines().count(), 1, "{run:#?}");
    for word in named {
        assert!(run.stderr.contains(word), "{word}: {run:#?}");
    }
    assert_eq!(sandbox.count(Service::PassagePoint), 0);
}

pub fn version(sandbox: &Sandbox) -> String {
    query_texts(
        sandbox,
        "SELECT user_version || '' FROM pragma_user_version",
    )
    .remove(0)
}

#[test]
fn the_cache_has_a_version_and_a_write_ahead_log() {
    let sandbox = one_person();
    good_sync(&sandbox);
    assert_eq!(version(&sandbox), "2");
    assert_eq!(query_texts(&sandbox, "PRAGMA journal_mode"), ["wal"]);
    assert_eq!(query_texts(&sandbox, "PRAGMA integrity_check"), ["ok"]);
}

#[test]
fn its_files_are_for_their_owner_only_whatever_the_umask() {
    for umask in ["000", "022", "077"] {
        let sandbox = one_person().config("Network.timeout_seconds", "600");
        let pass = sandbox.command(&["sync"]);
        let mut shell = Command::new("sh");
        let script = format!("umask {umask}; exec \"$0\" \"$@\"");
        shell.args(["-c", &script]).arg(pass.get_program());
        shell.args(pass.get_args()).current_dir(sandbox.path(""));
        let _pass = sandbox.pause_run(shell, Fault::at(1), true);
        for name in ["cache.db", "cache.db-wal", "cache.db-shm", "cache.db.lock"] {
            let mode = fs::metadata(sandbox.path(name))
                .expect(name)
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600, "{name} under umask {umask}");
        }
    }
}

#[test]
fn a_pass_leaves_users_and_a_state_of_every_visit() {
    let sandbox = one_person().booking(Booking::new("cs_2").by("g999").minutes(40, 80));
    sync_needing_attention(&sandbox);
    let (now, visitor, prereg) = {
        let world = sandbox.world();
        (world.now, world.visitors[0].id, world.preregs[0].id)
    };
    let (from, to) = (now + 30 * 60, now + 90 * 60);
    let users = "SELECT concat_ws(' ', primary_id, barcode, visitor_id, refusal) FROM users ORDER BY primary_id";
    assert_eq!(
        query_texts(&sandbox, users),
        [
            format!("G10000001 21000001 {visitor}"),
            r#"G999 "not_in_alma""#.to_owned()
        ]
    );
    let appts =
        "SELECT concat_ws('|', appt_id, primary_id, lid, starts_at, ends_at, status, state, reason,
         visitor_id, destination, prereg_id, attempts, asked_ends_at) FROM appts ORDER BY appt_id";
    let (late, end) = (now + 40 * 60, now + 80 * 60);
    assert_eq!(
        query_texts(&sandbox, appts),
        [
            format!(
                "cs_1|G10000001|8827|{from}|{to}|Confirmed|registered|{visitor}|LibCal Main|{prereg}|0"
            ),
            format!(r#"cs_2|G999|8827|{late}|{end}|Confirmed|refused|"not_in_alma"|0"#),
        ]
    );
    for time in [
        "min(checked_at) FROM users",
        "min(seen_at) FROM users",
        "reported_at FROM users WHERE refusal IS NOT NULL",
        "min(changed_at) FROM appts",
        "started_at FROM last_pass",
        "ended_at FROM last_pass",
    ] {
        let cache = sandbox.cache();
        let at: i64 = cache
            .query_one(&format!("SELECT {time}"), [], |row| row.get(0))
            .expect(time);
        assert!((now..now + 60).contains(&at), "{time}: {at}");
    }
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    assert_eq!(
        query_texts(&sandbox, tables),
        ["appts", "last_pass", "outages", "users"]
    );
}

#[test]
fn a_pass_with_nothing_new_writes_nothing_but_the_last_pass() {
    let sandbox = one_person()
        .booking(Booking::new("cs_2").by("g999"))
        .booking(Booking::new("cs_3").by(" "))
        .booking(Booking::new("cs_4").by("G10000001").cancelled())
        .booking(
            Booking::new("cs_5")
                .by("G10000001")
                .status("Mediated Tentative"),
        )
        .booking(
            Booking::new("cs_6")
                .by("G10000001")
                .with("toDate", "soon".into()),
        )
        .booking(Booking::new("cs_7").by("G10000001").minutes(-90, -30))
        .booking(Booking::new("cs_8").by("G10000001").status("Blessed"));
    sync_needing_attention(&sandbox);
    for table in ["users", "appts", "outages"] {
        for change in ["INSERT", "UPDATE", "DELETE"] {
            let no = format!("BEGIN SELECT RAISE(ABORT, '{change} of {table}'); END");
            sql(
                &sandbox,
                &format!("CREATE TRIGGER {change}_{table} BEFORE {change} ON {table} {no};"),
            );
        }
    }
    good_sync(&sandbox);
    assert_eq!(
        query_texts(&sandbox, "SELECT number || '' FROM last_pass"),
        ["2"]
    );
}

#[test]
fn no_name_or_address_of_a_patron_is_ever_in_the_files() {
    let names = ["Wilhelmina", "Featherstone", "wilma@example.edu"];
    let [first, last, email] = names;
    let sandbox = Sandbox::new()
        .user(
            User::new("G10000001")
                .barcode("21000001")
                .name("Aloysia", "Quackenbush"),
        )
        .booking(
            Booking::new("cs_1")
                .by("G10000001")
                .person(first, last, email),
        )
        .booking(
            Booking::new("cs_2")
                .by("G999")
                .minutes(20, 60)
                .person(first, last, email),
        )
        .config("Network.concurrency", "1");
    let prereg = || Fault::on(Service::PassagePoint).path("createPreReg");
    sandbox.fault(prereg().cut_before());
    sandbox.pause(prereg(), true).kill();
    assert_eq!(sandbox.count_of(Service::PassagePoint, "createPreReg"), 1);
    // Killed in its midst, a pass leaves the write-ahead log behind.
    let when_killed = cache_bytes(&sandbox);
    sandbox.clear_faults();
    sandbox.sync();
    assert_eq!(sandbox.expected().len(), 1);
    for bytes in [when_killed, cache_bytes(&sandbox)] {
        assert!(contains_text(&bytes, "G10000001"));
        for name in names
            .iter()
            .chain(&["Aloysia", "Quackenbush", "pat@example.edu"])
        {
            assert!(!contains_text(&bytes, name), "{name}");
        }
    }
}

#[test]
fn the_cache_stands_beside_the_configuration_wherever_the_program_is_run() {
    for (configured, file) in [(None, "cache.db"), (Some("var/doors.db"), "var/doors.db")] {
        let elsewhere = tempfile::tempdir().unwrap();
        let sandbox = one_person();
        fs::create_dir(sandbox.path("var")).unwrap();
        if let Some(path) = configured {
            sandbox.set_config("Cache.path", path);
        }
        let mut command = sandbox.command(&["sync"]);
        command.current_dir(elsewhere.path());
        assert_eq!(Run::of(command).code, 0);
        assert!(sandbox.path(file).is_file());
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    }
}

#[test]
fn db_overrides_the_configured_cache_and_starts_where_the_program_is_run() {
    let elsewhere = tempfile::tempdir().unwrap();
    let sandbox = one_person();
    let mut command = sandbox.command(&["--db", "mine.db", "sync"]);
    command.current_dir(elsewhere.path());
    assert_eq!(Run::of(command).code, 0);
    assert!(elsewhere.path().join("mine.db").is_file());
    assert!(!sandbox.path("cache.db").exists() && !sandbox.path("mine.db").exists());
}

#[test]
fn a_cache_of_a_later_version_is_left_alone() {
    let sandbox = one_person();
    good_sync(&sandbox);
    sql(
        &sandbox,
        "PRAGMA user_version = 3; PRAGMA journal_mode = DELETE;",
    );
    let before = cache_bytes(&sandbox);
    sandbox.forget_requests();
    for args in [
        &["sync"][..],
        &["sync", "--dry-run"],
        &["lookup-user", "G10000001"],
        &["lookup-appt", "cs_1"],
        &["status"],
        &["prune"],
    ] {
        let run = sandbox.run(args);
        assert_cache_refused(&sandbox, &run, &["cache.db", "later version", "update"]);
        assert!(before == cache_bytes(&sandbox), "{args:?} changed the file");
    }
}

#[test]
fn a_file_that_is_not_a_cache_is_named_and_left_alone() {
    type Make = fn(&PathBuf);
    let make: [(&str, Make); 4] = [
        ("other.db", |path| {
            let other = Connection::open(path).unwrap();
            other
                .execute_batch("CREATE TABLE users (name); CREATE TABLE loans (item);")
                .unwrap();
        }),
        ("garbage.db", |path| {
            fs::write(path, "not a database, but long enough to be one").unwrap();
        }),
        ("folder.db", |path| fs::create_dir(path).unwrap()),
        ("missing/cache.db", |_| ()),
    ];
    for (name, make) in make {
        let sandbox = one_person().config("Cache.path", name);
        let path = sandbox.path(name);
        make(&path);
        let before = fs::read(&path).ok();
        for args in [&["sync"][..], &["lookup-user", "G1"], &["prune"]] {
            let run = sandbox.run(args);
            assert_cache_refused(&sandbox, &run, &[name.split('/').next().unwrap_or(name)]);
        }
        assert_eq!(fs::read(&path).ok(), before, "{name}");
        if !path.is_file() {
            assert!(!sandbox.path(format!("{name}.lock")).exists(), "{name}");
        }
    }
}

#[test]
fn what_is_not_a_regular_file_is_named_and_left_alone() {
    let sandbox = one_person();
    let pipe = sandbox.path("pipe.db");
    let mut mkfifo = Command::new("mkfifo");
    mkfifo.args(["-m", "644"]).arg(&pipe);
    assert!(mkfifo.status().expect("mkfifo can be run").success());
    let run = sandbox.run(&["--db", "pipe.db", "sync"]);
    assert_cache_refused(&sandbox, &run, &["pipe.db is not a regular file"]);
    let mode = fs::metadata(&pipe).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    assert!(!sandbox.path("pipe.db.lock").exists());
}

#[test]
fn a_cache_that_cannot_be_written_keeps_passagepoint_from_being_asked() {
    for (table, path) in [
        ("last_pass", ""),
        ("users", "createPreReg"),
        ("appts", "createPreReg"),
    ] {
        let sandbox = one_person();
        sandbox.remove_rows("cs_1");
        good_sync(&sandbox);
        sandbox.add_booking(Booking::new("cs_1").by("G10000001"));
        let full = "BEGIN SELECT RAISE(ABORT, 'no room'); END";
        sql(
            &sandbox,
            &format!("DELETE FROM last_pass; CREATE TRIGGER full BEFORE INSERT ON {table} {full};"),
        );
        let run = sandbox.sync();
        assert_eq!(run.code, 1, "{run:#?}");
        assert!(run.stderr.contains("cache.db"), "{run:#?}");
        assert_eq!(sandbox.count_of(Service::PassagePoint, path), 0, "{table}");
    }
}

#[test]
fn a_second_sync_does_nothing_while_the_first_runs() {
    let sandbox = one_person().config("Network.timeout_seconds", "600");
    let first = sandbox.pause(Fault::at(1), true);
    let arrived = sandbox.arrived();
    let second = sandbox.sync();
    assert_eq!(
        (second.code, second.stdout.as_str(), second.stderr.as_str()),
        (75, "", "")
    );
    let dry = sandbox.run(&["sync", "--dry-run"]);
    assert_eq!((dry.code, dry.stdout.as_str()), (75, ""), "{dry:#?}");
    let told = sandbox.run(&["-v", "sync"]);
    assert_eq!((told.code, told.stdout.as_str()), (75, ""));
    assert!(told.stderr.contains("another sync is running"), "{told:#?}");
    std::os::unix::fs::symlink(sandbox.path("cache.db"), sandbox.path("link.db")).unwrap();
    let by_link = sandbox.run(&["--db", "link.db", "sync"]);
    assert_eq!(
        by_link.code, 75,
        "another name of the same cache: {by_link:#?}"
    );
    assert_eq!(sandbox.arrived(), arrived, "the second sends nothing");
    first.kill();
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 1);
}

#[test]
fn the_look_ups_the_status_and_prune_work_while_a_pass_runs() {
    let sandbox = one_person().config("Network.timeout_seconds", "600");
    good_sync(&sandbox);
    let _pass = sandbox.pause(Fault::at(1), true);
    for args in [
        &["lookup-user", "G10000001"][..],
        &["lookup-appt", "cs_1"],
        &["status"],
        &["prune"],
    ] {
        let run = sandbox.run(args);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{args:?}");
    }
    assert_no_complaints(&sandbox);
}
