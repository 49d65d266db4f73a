//! Links, pipes and other accounts' files in place of the lock or the cache: only our own regular files are touched.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use rusqlite::Connection;

use crate::cache::assert_cache_refused;
use crate::sandbox::Sandbox;
use crate::support::{
    NOBODY, count_rows, create_python_cache, good_sync, is_root, one_person, run_unprivileged, sql,
};

const SYNCS: [&[&str]; 2] = [&["sync"], &["sync", "--dry-run"]];

fn mode(path: &Path) -> u32 {
    let found = fs::symlink_metadata(path).expect("it is there");
    found.permissions().mode() & 0o7777
}

fn make_pipe(path: &Path) {
    let mut mkfifo = Command::new("mkfifo");
    mkfifo.args(["-m", "644"]).arg(path);
    assert!(mkfifo.status().expect("mkfifo can be run").success());
}

/// A file that is none of the program's business, readable by everybody.
fn other_file(sandbox: &Sandbox, text: &str) -> std::path::PathBuf {
    let path = sandbox.path("other");
    fs::write(&path, text).expect("a file can be made");
    fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("its owner may");
    path
}

/// `sync` and its dry run end in one line that names the lock and what to do, and ask nobody; so says `check`.
fn assert_lock_refused(sandbox: &Sandbox, says: &str) {
    for args in SYNCS {
        let run = sandbox.run(args);
        assert_cache_refused(sandbox, &run, &["cache.db.lock", says]);
        assert_eq!(sandbox.requests().len(), 0, "{args:?}");
    }
    let checked = sandbox.run(&["check"]);
    assert_eq!(checked.code, 1, "{checked:#?}");
    let line = checked.stdout.lines().find(|line| line.contains("cache: "));
    let line = line.expect("a line about the cache");
    assert!(
        line.starts_with("FAIL") && line.contains("cache.db.lock") && line.contains(says),
        "{line}"
    );
    sandbox.forget_requests();
}

#[test]
fn a_link_in_place_of_the_lock_is_named_and_what_it_points_to_is_not_touched() {
    for is_first_pass in [true, false] {
        let sandbox = one_person();
        if !is_first_pass {
            good_sync(&sandbox);
            fs::remove_file(sandbox.path("cache.db.lock")).unwrap();
            sandbox.forget_requests();
        }
        let other = other_file(&sandbox, "dear diary");
        symlink(&other, sandbox.path("cache.db.lock")).unwrap();
        assert_lock_refused(&sandbox, "is a symbolic link: remove it");
        assert_eq!(fs::read_to_string(&other).unwrap(), "dear diary");
        assert_eq!(mode(&other), 0o644);
        assert_eq!(sandbox.path("cache.db").exists(), !is_first_pass);
        fs::remove_file(sandbox.path("cache.db.lock")).unwrap();
        good_sync(&sandbox);
    }
}

#[test]
fn a_hard_link_in_place_of_the_lock_is_named_and_the_file_is_not_touched() {
    let sandbox = one_person();
    let other = other_file(&sandbox, "dear diary");
    fs::hard_link(&other, sandbox.path("cache.db.lock")).unwrap();
    assert_lock_refused(&sandbox, "is a hard link: remove it");
    assert_eq!(fs::read_to_string(&other).unwrap(), "dear diary");
    assert_eq!(mode(&other), 0o644);
    fs::remove_file(sandbox.path("cache.db.lock")).unwrap();
    good_sync(&sandbox);
}

#[test]
fn a_link_to_nowhere_in_place_of_the_lock_makes_no_file_there() {
    let sandbox = one_person();
    symlink(sandbox.path("nowhere"), sandbox.path("cache.db.lock")).unwrap();
    assert_lock_refused(&sandbox, "is a symbolic link: remove it");
    assert!(!sandbox.path("nowhere").exists());
}

#[test]
fn what_is_not_a_regular_file_in_place_of_the_lock_is_named_and_left_alone() {
    let makes: [fn(&Path); 2] = [make_pipe, |path| fs::create_dir(path).unwrap()];
    for make in makes {
        let sandbox = one_person();
        let lock = sandbox.path("cache.db.lock");
        make(&lock);
        let before = mode(&lock);
        assert_lock_refused(&sandbox, "is not a regular file: remove it");
        assert_eq!(mode(&lock), before);
    }
}

#[test]
fn a_lock_of_another_account_is_named_and_left_alone() {
    let sandbox = one_person();
    good_sync(&sandbox);
    if !is_root() {
        return;
    }
    let lock = sandbox.path("cache.db.lock");
    fs::set_permissions(&lock, Permissions::from_mode(0o644)).unwrap();
    chown(&lock, Some(NOBODY), None).unwrap();
    let before = fs::read(&lock).unwrap();
    sandbox.forget_requests();
    assert_lock_refused(&sandbox, "belongs to another account");
    assert_eq!((fs::read(&lock).unwrap(), mode(&lock)), (before, 0o644));
}

#[test]
fn files_that_root_made_in_the_place_of_this_accounts_are_said_to_be_anothers() {
    if !is_root() {
        return;
    }
    let sandbox = one_person();
    good_sync(&sandbox);
    fs::set_permissions(sandbox.path(""), Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(sandbox.path("config.yml"), Permissions::from_mode(0o644)).unwrap();
    for (command, file, readable) in [
        ("sync", "cache.db.lock", 0o600),
        ("sync", "cache.db.lock", 0o644),
        ("status", "cache.db", 0o600),
        ("status", "cache.db", 0o644),
    ] {
        let permissions = Permissions::from_mode(readable);
        fs::set_permissions(sandbox.path(file), permissions).unwrap();
        sandbox.forget_requests();
        let run = run_unprivileged(&sandbox, &[command]);
        let says = [
            file,
            " belongs to another account: run the command as the account that runs the sync, or make that its owner with chown",
        ];
        assert_cache_refused(&sandbox, &run, &says);
    }
}

#[test]
fn a_lock_that_others_could_read_is_for_its_owner_only_after_a_pass() {
    let sandbox = one_person();
    let lock = sandbox.path("cache.db.lock");
    fs::write(&lock, "").unwrap();
    fs::set_permissions(&lock, Permissions::from_mode(0o644)).unwrap();
    good_sync(&sandbox);
    assert_eq!(mode(&lock), 0o600);
}

#[test]
fn a_cache_may_be_a_link_to_a_file_of_the_same_account() {
    let sandbox = one_person();
    create_python_cache(
        &sandbox,
        "INSERT INTO users VALUES ('g10000009', '21000009', '7');",
    );
    let file = sandbox.path("cache.db");
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    symlink(&file, sandbox.path("link.db")).unwrap();
    sandbox.set_config("Cache.path", "link.db");
    good_sync(&sandbox);
    assert_eq!(mode(&file), 0o600, "as it is ours from now on");
    assert_eq!(count_rows(&sandbox, "users"), 2);
    let link = fs::symlink_metadata(sandbox.path("link.db")).unwrap();
    assert!(link.is_symlink(), "and the link is still one");
}

#[test]
fn what_belongs_to_another_account_does_not_become_our_cache() {
    type Make = fn(&Sandbox);
    let makes: [Make; 2] = [
        |sandbox| create_python_cache(sandbox, "INSERT INTO appts VALUES ('cs_9', '138');"),
        |sandbox| fs::write(sandbox.path("cache.db"), "").unwrap(),
    ];
    for make in makes {
        let sandbox = one_person();
        make(&sandbox);
        let file = sandbox.path("cache.db");
        fs::rename(&file, sandbox.path("theirs.db")).unwrap();
        let file = sandbox.path("theirs.db");
        symlink(&file, sandbox.path("cache.db")).unwrap();
        // To whoever is not root, this account's file is another account's.
        let owner = if is_root() { Some(NOBODY) } else { None };
        chown(&file, owner, None).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        let before = fs::read(&file).unwrap();
        for args in [&["sync"][..], &["status"], &["prune"]] {
            if !is_root() {
                continue;
            }
            let run = sandbox.run(args);
            assert_cache_refused(&sandbox, &run, &["cache.db", "belongs to another account"]);
            assert!(fs::read(&file).unwrap() == before, "{args:?}");
            assert_eq!(mode(&file), 0o644, "{args:?}");
        }
    }
}

#[test]
fn links_in_place_of_what_sqlite_keeps_beside_the_cache_are_not_followed() {
    for name in ["cache.db-wal", "cache.db-shm"] {
        let sandbox = one_person();
        good_sync(&sandbox);
        let other = other_file(&sandbox, "dear diary");
        fs::set_permissions(&other, Permissions::from_mode(0o444)).unwrap();
        symlink(&other, sandbox.path(name)).unwrap();
        sandbox.forget_requests();
        let run = sandbox.sync();
        assert_cache_refused(&sandbox, &run, &["cache.db"]);
        assert_eq!(fs::read_to_string(&other).unwrap(), "dear diary", "{name}");
        assert_eq!(mode(&other), 0o444, "{name}");
        fs::remove_file(sandbox.path(name)).unwrap();
        good_sync(&sandbox);
    }
}

/// A database of another program at the place of the cache.
fn foreign(statements: &str) -> Sandbox {
    let sandbox = one_person();
    sql(&sandbox, statements);
    fs::set_permissions(sandbox.path("cache.db"), Permissions::from_mode(0o644)).unwrap();
    sandbox
}

#[test]
fn a_database_of_another_program_is_refused_and_left_as_it_was_whatever_its_tables_are_called() {
    for statements in [
        "CREATE TABLE users (id INTEGER, name TEXT); CREATE TABLE appts (id INTEGER, at TEXT);",
        "CREATE TABLE users (primary_id, barcode, visitor_id, salary); CREATE TABLE appts (appt_id, prereg_id);",
        "CREATE TABLE users (primary_id, barcode, visitor_id); CREATE TABLE appts (appt_id, prereg_id, doctor);",
        "CREATE TABLE users (primary_id, barcode, visitor_id); CREATE TABLE appts (appt_id);",
        "CREATE TABLE users (primary_id, barcode); CREATE TABLE appts (appt_id, prereg_id);",
        "CREATE TABLE users (primary_id, barcode, visitor_id);",
        "CREATE TABLE users (primary_id, barcode, visitor_id); CREATE TABLE appts (appt_id, prereg_id); CREATE TABLE staff (id);",
        "CREATE TABLE loans (item); PRAGMA user_version = 1;",
        "CREATE TABLE loans (item); PRAGMA user_version = 2;",
        "CREATE TABLE users (primary_id, barcode, visitor_id); CREATE TABLE appts (appt_id, prereg_id); PRAGMA user_version = 1;",
        "CREATE TABLE users (primary_id, barcode, visitor_id); CREATE TABLE appts (appt_id, prereg_id); PRAGMA user_version = 2;",
    ] {
        let sandbox = foreign(statements);
        let file = sandbox.path("cache.db");
        let before = fs::read(&file).unwrap();
        for args in [
            &["sync"][..],
            &["sync", "--dry-run"],
            &["lookup-user", "G10000001"],
            &["lookup-appt", "cs_1"],
            &["status"],
            &["prune"],
            &["prune", "--user", "G10000001"],
        ] {
            let run = sandbox.run(args);
            let says = ["cache.db", "another program's SQLite file", "--db"];
            assert_cache_refused(&sandbox, &run, &says);
            assert!(fs::read(&file).unwrap() == before, "{args:?}: {statements}");
            assert_eq!(mode(&file), 0o644, "{args:?}: {statements}");
        }
        let checked = sandbox.run(&["check"]);
        assert!(
            checked.stdout.contains("FAIL  cache: the cache "),
            "{checked:#?}"
        );
        assert!(fs::read(&file).unwrap() == before, "check: {statements}");
    }
}

#[test]
fn a_cache_of_ours_with_a_column_more_is_not_used() {
    let sandbox = one_person();
    good_sync(&sandbox);
    sql(&sandbox, "ALTER TABLE appts ADD COLUMN doctor TEXT");
    let run = sandbox.run(&["lookup-appt", "cs_1"]);
    assert_cache_refused_after_a_pass(&run);
    sql(&sandbox, "ALTER TABLE appts DROP COLUMN doctor");
    good_sync(&sandbox);
}

fn assert_cache_refused_after_a_pass(run: &crate::sandbox::Run) {
    assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{run:#?}");
    assert!(run.stderr.contains("another program's"), "{run:#?}");
}

#[test]
fn what_an_older_read_only_cache_left_beside_it_is_made_writable_again() {
    // SQLite gives the two files the mode that the cache has, and cannot remove them if it may not write.
    for leftover in ["cache.db-wal", "cache.db-shm"] {
        let sandbox = one_person();
        good_sync(&sandbox);
        let (file, leftover) = (sandbox.path("cache.db"), sandbox.path(leftover));
        let reader = Connection::open(&file).unwrap();
        let _: i64 = reader
            .query_one("SELECT count(*) FROM users", [], |row| row.get(0))
            .unwrap();
        let left = fs::read(&leftover).unwrap();
        drop(reader);
        fs::write(&leftover, left).unwrap();
        fs::set_permissions(&leftover, Permissions::from_mode(0o444)).unwrap();
        if is_root() {
            for name in ["cache.db", "cache.db.lock"] {
                chown(sandbox.path(name), Some(NOBODY), None).unwrap();
            }
            chown(&leftover, Some(NOBODY), None).unwrap();
            fs::set_permissions(sandbox.path("config.yml"), Permissions::from_mode(0o644)).unwrap();
            fs::set_permissions(sandbox.path(""), Permissions::from_mode(0o777)).unwrap();
        }
        let run = run_unprivileged(&sandbox, &["sync"]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{leftover:?}");
        assert!(!leftover.exists(), "{leftover:?}");
    }
}
