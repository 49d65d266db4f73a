//! A cache that cannot be written: locked by another process, or read-only. No pre-registration is made that could
//! not be recorded beforehand.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::cache::assert_cache_refused;
use crate::sandbox::{Run, Sandbox};
use crate::support::{NOBODY, as_somebody, good_sync, is_root, of_ada, one_person};

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
    // However long it is held, short of the program's patience, the end is the same.
    std::thread::sleep(Duration::from_secs(2));
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
    assert!(
        started.elapsed() > Duration::from_secs(10),
        "it was patient"
    );
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
        if is_root() {
            chown(sandbox.path("cache.db.lock"), Some(NOBODY), None).expect("root may");
        }
        allow(&sandbox.path("config.yml"), 0o644);
        allow(&sandbox.path("cache.db"), file);
        allow(&sandbox.path(""), 0o755);
        // The copy of the program is made before the folder is closed.
        as_somebody(&sandbox, &["--version"]);
        allow(&sandbox.path(""), folder);
        let run = as_somebody(&sandbox, &["sync"]);
        assert_cache_refused(&sandbox, &run, &["cache.db", "right"]);
        let checked = as_somebody(&sandbox, &["check"]);
        allow(&sandbox.path(""), 0o755);
        assert_eq!(checked.code, 1, "{checked:#?}");
        assert!(
            checked.stdout.contains("FAIL  cache: the cache "),
            "{checked:#?}"
        );
        allow(&sandbox.path("cache.db"), 0o600);
        good_sync(&sandbox);
    }
}
