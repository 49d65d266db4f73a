//! A cache that cannot be written: locked by another process, or read-only. No visit is registered whose intent could
//! not be recorded first.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::cache::assert_cache_refused;
use crate::sandbox::{Booking, Fault, Run, Sandbox, Service, User};
use crate::support::{
    NOBODY, assert_says, good_sync, is_root, of_ada, one_person, run_unprivileged, sql,
};

/// A registered visit and one that is to be registered, and the cache locked by another process.
fn locked() -> (Sandbox, Connection) {
    let sandbox = one_person();
    good_sync(&sandbox);
    sandbox.add_booking(of_ada("cs_2").minutes(100, 160));
    sandbox.forget_requests();
    let other = sandbox.cache();
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    (sandbox, other)
}

#[test]
fn a_pass_waits_for_another_process_that_has_the_cache_for_seconds() {
    let (sandbox, other) = locked();
    let pass = sandbox.spawn(&["sync"]);
    // However long it is held, short of the time-out, the end is the same.
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(sandbox.requests().len(), 0, "nobody is asked meanwhile");
    other.execute_batch("COMMIT").expect("the lock is given up");
    let run = Run::finish(pass);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_eq!(sandbox.expected().len(), 2);
}

#[test]
fn a_cache_that_stays_locked_is_named_and_nothing_is_registered() {
    let (sandbox, other) = locked();
    let started = Instant::now();
    let run = sandbox.sync();
    assert_cache_refused(&sandbox, &run, &["cache.db", "locked by another program"]);
    assert!(started.elapsed() > Duration::from_secs(3), "it was patient");
    // A look-up writes nothing, and needs no patience.
    assert_eq!(sandbox.run(&["lookup-appt", "cs_1"]).code, 0);
    other.execute_batch("COMMIT").expect("the lock is given up");
    good_sync(&sandbox);
}

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("its owner may");
}

#[test]
fn a_cache_that_is_read_only_is_named_and_nothing_is_registered() {
    for (folder, file) in [(0o555, 0o444), (0o777, 0o444), (0o555, 0o666)] {
        let sandbox = one_person();
        good_sync(&sandbox);
        sandbox.add_booking(of_ada("cs_2").minutes(100, 160));
        sandbox.forget_requests();
        let give_to = |owner| {
            for name in ["cache.db", "cache.db.lock"] {
                chown(sandbox.path(name), Some(owner), None).expect("root may");
            }
        };
        if is_root() {
            give_to(NOBODY);
        }
        allow(&sandbox.path("config.yml"), 0o644);
        allow(&sandbox.path("cache.db"), file);
        allow(&sandbox.path(""), 0o755);
        // The copy of the program is made before the folder is closed.
        run_unprivileged(&sandbox, &["--version"]);
        allow(&sandbox.path(""), folder);
        let run = run_unprivileged(&sandbox, &["sync"]);
        assert_cache_refused(&sandbox, &run, &["cache.db", "permission"]);
        let checked = run_unprivileged(&sandbox, &["check"]);
        allow(&sandbox.path(""), 0o755);
        assert_eq!(checked.code, 1, "{checked:#?}");
        assert!(
            checked.stdout.contains("FAIL  cache: the cache "),
            "{checked:#?}"
        );
        allow(&sandbox.path("cache.db"), 0o600);
        if is_root() {
            give_to(0);
        }
        good_sync(&sandbox);
    }
}

#[test]
fn a_cache_that_is_read_only_is_left_with_nothing_beside_it_that_cannot_be_written_later() {
    let sandbox = one_person();
    good_sync(&sandbox);
    if is_root() {
        for name in ["cache.db", "cache.db.lock"] {
            chown(sandbox.path(name), Some(NOBODY), None).expect("root may");
        }
    }
    allow(&sandbox.path("config.yml"), 0o644);
    allow(&sandbox.path(""), 0o777);
    allow(&sandbox.path("cache.db"), 0o444);
    for args in [
        &["sync"][..],
        &["status"],
        &["lookup-appt", "cs_1"],
        &["check"],
        &["prune"],
    ] {
        let run = run_unprivileged(&sandbox, args);
        assert_eq!(run.code, 1, "{run:#?}");
        let said = run.stdout + &run.stderr;
        assert_says(&said, &["cache.db", "is read-only"]);
        for name in ["cache.db-wal", "cache.db-shm"] {
            assert!(!sandbox.path(name).exists(), "{args:?} left {name}");
        }
    }
    allow(&sandbox.path("cache.db"), 0o600);
    let run = run_unprivileged(&sandbox, &["sync"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_eq!(run_unprivileged(&sandbox, &["check"]).code, 0);
}

#[test]
fn check_finds_what_keeps_a_pass_from_writing() {
    // The log of another account beside a cache of ours, which we can neither write nor mend.
    let sandbox = one_person();
    good_sync(&sandbox);
    if !is_root() {
        return;
    }
    for name in ["cache.db", "cache.db.lock"] {
        chown(sandbox.path(name), Some(NOBODY), None).expect("root may");
    }
    allow(&sandbox.path("config.yml"), 0o644);
    allow(&sandbox.path(""), 0o777);
    fs::write(sandbox.path("cache.db-wal"), "").expect("root may");
    allow(&sandbox.path("cache.db-wal"), 0o444);
    sandbox.forget_requests();
    let run = run_unprivileged(&sandbox, &["sync"]);
    assert_cache_refused(&sandbox, &run, &["cache.db-wal belongs to another account"]);
    let checked = run_unprivileged(&sandbox, &["check"]);
    assert_eq!(checked.code, 1, "{checked:#?}");
    assert!(
        checked.stdout.contains("FAIL  cache: the cache's file "),
        "{checked:#?}"
    );
}

#[test]
fn a_lock_or_a_folder_that_may_not_be_written_is_named() {
    for (lock, folder, says) in [
        (
            0o000,
            0o777,
            ["cannot lock", "cache.db.lock", "check the permissions"],
        ),
        (
            0o600,
            0o555,
            ["cannot create the cache", "cache.db", "ermission denied"],
        ),
    ] {
        let sandbox = one_person();
        fs::write(sandbox.path("cache.db.lock"), "").expect("a file");
        if is_root() {
            chown(sandbox.path("cache.db.lock"), Some(NOBODY), None).expect("root may");
        }
        allow(&sandbox.path("cache.db.lock"), lock);
        allow(&sandbox.path("config.yml"), 0o644);
        allow(&sandbox.path(""), 0o755);
        // The copy of the program is made before the folder is closed.
        run_unprivileged(&sandbox, &["--version"]);
        allow(&sandbox.path(""), folder);
        let run = run_unprivileged(&sandbox, &["sync"]);
        assert_cache_refused(&sandbox, &run, &says);
        if lock == 0 {
            let run = run_unprivileged(&sandbox, &["sync", "--dry-run"]);
            assert_cache_refused(&sandbox, &run, &says);
        }
        let checked = run_unprivileged(&sandbox, &["check"]);
        allow(&sandbox.path(""), 0o755);
        assert_eq!(checked.code, 1, "{checked:#?}");
        assert!(checked.stdout.contains("FAIL  cache: "), "{checked:#?}");
    }
}

const CROWD: usize = 40;

fn crowd() -> Sandbox {
    let sandbox = Sandbox::new().config("Network.concurrency", "2");
    for n in 0..CROWD {
        let id = format!("G2000{n:04}");
        sandbox.add_user(User::new(&id).barcode(&format!("2200{n:04}")));
        sandbox.add_booking(Booking::new(&format!("cs_{n}")).by(&id));
    }
    sandbox
}

/// A pass in which the cache fails the thread that has the first person, while the other one is slowed down enough
/// not to come to the last person before that. Gives how often the service was asked about the crowd.
fn asked_in_spite_of(
    sandbox: &Sandbox,
    change: &str,
    service: Service,
    path: &'static str,
) -> usize {
    let no = "BEGIN SELECT RAISE(ABORT, 'no room'); END";
    sql(
        sandbox,
        &format!("CREATE TRIGGER full BEFORE {change} {no};"),
    );
    let slow = Fault::on(service).path(path);
    sandbox.fault(slow.delay(Duration::from_millis(300)));
    sandbox.forget_requests();
    let run = sandbox.sync();
    assert_eq!(run.code, 1, "{run:#?}");
    assert_says(&run.stderr, &["cache.db", "no room"]);
    sandbox.count_of(service, path)
}

#[test]
fn a_cache_that_fails_one_who_asks_alma_ends_the_work_of_the_others() {
    let sandbox = crowd();
    // The first of all, whom Alma does not have.
    sandbox.add_booking(Booking::new("cs_404").by("G404").minutes(10, 60));
    // So that there are tables to refuse something.
    fs::write(sandbox.path("cache.db"), "").expect("an empty cache");
    assert_eq!(sandbox.run(&["prune"]).code, 0);
    let refused = "INSERT ON users WHEN NEW.refusal IS NOT NULL";
    let asked = asked_in_spite_of(&sandbox, refused, Service::Alma, "G2000");
    assert!(asked < CROWD, "{asked} were asked about");
}

#[test]
fn a_cache_that_fails_one_who_registers_ends_the_work_of_the_others() {
    let sandbox = crowd();
    good_sync(&sandbox);
    // All are known, so that nobody waits for Alma.
    for n in 0..CROWD {
        let booking = Booking::new(&format!("cs_later_{n}")).by(&format!("G2000{n:04}"));
        let first = i64::from(n > 0);
        sandbox.add_booking(booking.minutes(100 + first, 160));
    }
    let intent = "UPDATE ON appts WHEN NEW.appt_id = 'cs_later_0' AND NEW.state = 'in doubt'";
    let asked = asked_in_spite_of(&sandbox, intent, Service::PassagePoint, "createPreReg");
    assert!(asked < CROWD - 1, "{asked} were asked for");
}

#[test]
fn a_cache_whose_name_is_special_to_sqlite_is_still_a_file() {
    for name in [":memory:", "file:x.db?mode=memory", "file:y.db"] {
        let sandbox = one_person();
        for _ in 0..2 {
            let run = sandbox.run(&["--db", name, "sync"]);
            assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{name}: {run:#?}");
        }
        assert_eq!(sandbox.expected().len(), 1, "{name}");
        let header = fs::read(sandbox.path(name)).expect(name);
        assert!(header.starts_with(b"SQLite format 3"), "{name}");
    }
}

#[test]
fn a_link_to_a_cache_that_is_not_there_is_reported_as_such() {
    let sandbox = one_person();
    symlink(sandbox.path("gone.db"), sandbox.path("link.db")).unwrap();
    for command in ["sync", "prune"] {
        let run = sandbox.run(&["--db", "link.db", command]);
        assert_eq!(run.code, 1, "{run:#?}");
        assert_says(
            &run.stderr,
            &["link.db is a symbolic link to a file that does not exist"],
        );
    }
    let run = sandbox.run(&["--db", "link.db", "check"]);
    assert_eq!(run.code, 1, "{run:#?}");
    assert_says(
        &run.stdout,
        &["FAIL  cache: the cache link.db is a symbolic link"],
    );
    assert_eq!(sandbox.expected().len(), 0);
}
