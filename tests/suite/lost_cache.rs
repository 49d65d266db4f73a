//! A cache that was lost, or an older one in its place; and a lock that is held for too long.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use crate::sandbox::{Fault, Sandbox};
use crate::support::{assert_says, good_sync, of_ada, one_person, sync_needing_attention};

const LOST: &str =
    "cache.db was lost or replaced by an older copy: visits may be registered a second time";

fn remove_cache(sandbox: &Sandbox) {
    for name in ["cache.db", "cache.db-wal", "cache.db-shm"] {
        let _ = fs::remove_file(sandbox.path(name));
    }
}

#[test]
fn a_lost_cache_is_reported_once_and_the_pass_goes_on() {
    let sandbox = one_person();
    good_sync(&sandbox);
    remove_cache(&sandbox);
    let said = sync_needing_attention(&sandbox);
    assert_says(&said, &[LOST]);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert_eq!(
        sandbox.expected().len(),
        2,
        "registered a second time, as was said"
    );
    good_sync(&sandbox);
}

#[test]
fn an_older_cache_that_was_put_back_is_reported() {
    let sandbox = one_person();
    good_sync(&sandbox);
    fs::copy(sandbox.path("cache.db"), sandbox.path("backup.db")).unwrap();
    sandbox.add_booking(of_ada("cs_2").minutes(100, 160));
    good_sync(&sandbox);
    remove_cache(&sandbox);
    fs::copy(sandbox.path("backup.db"), sandbox.path("cache.db")).unwrap();
    assert_says(&sync_needing_attention(&sandbox), &[LOST]);
    good_sync(&sandbox);
}

#[test]
fn an_empty_file_in_place_of_the_cache_is_a_lost_cache() {
    let sandbox = one_person();
    good_sync(&sandbox);
    remove_cache(&sandbox);
    File::create(sandbox.path("cache.db")).unwrap();
    assert_says(&sync_needing_attention(&sandbox), &[LOST]);
}

#[test]
fn a_dry_run_tells_of_a_lost_cache_too_and_changes_nothing() {
    let sandbox = one_person();
    good_sync(&sandbox);
    remove_cache(&sandbox);
    let lock = fs::read(sandbox.path("cache.db.lock")).unwrap();
    let run = sandbox.run(&["sync", "--dry-run"]);
    assert_eq!(run.code, 1, "{run:#?}");
    assert_says(&run.stderr, &[LOST]);
    assert!(!sandbox.path("cache.db").exists());
    assert_eq!(fs::read(sandbox.path("cache.db.lock")).unwrap(), lock);
    assert_says(&sync_needing_attention(&sandbox), &[LOST]);
}

#[test]
fn the_first_pass_of_all_and_one_beside_an_empty_lock_have_lost_nothing() {
    let sandbox = one_person();
    // As version 1 left it, or a pass that ended before it began.
    File::create(sandbox.path("cache.db.lock")).unwrap();
    good_sync(&sandbox);
    let number = fs::read_to_string(sandbox.path("cache.db.lock")).unwrap();
    assert_eq!(number.trim().parse(), Ok(1));
    good_sync(&sandbox);
    let number = fs::read_to_string(sandbox.path("cache.db.lock")).unwrap();
    assert_eq!(number.trim().parse(), Ok(2));
}

#[test]
fn a_lock_file_with_anything_in_it_keeps_no_pass_from_running() {
    let sandbox = one_person();
    good_sync(&sandbox);
    for content in [&[0xff; 100][..], &[0; 4096], b"-5", b"99999999999999999999"] {
        fs::write(sandbox.path("cache.db.lock"), content).unwrap();
        good_sync(&sandbox);
        good_sync(&sandbox);
    }
    assert_eq!(sandbox.expected().len(), 1);
}

#[test]
fn a_sync_that_has_been_running_for_over_an_hour_is_reported_by_the_next() {
    let sandbox = one_person().config("Network.timeout_seconds", "600");
    let first = sandbox.pause(Fault::at(1), true);
    let begun_ago = |minutes: u64| {
        let lock = File::options()
            .write(true)
            .open(sandbox.path("cache.db.lock"))
            .unwrap();
        let at = SystemTime::now() - Duration::from_secs(minutes * 60);
        lock.set_modified(at).unwrap();
        sandbox.sync()
    };
    let soon = begun_ago(59);
    assert_eq!((soon.code, soon.stderr.as_str()), (75, ""));
    let late = begun_ago(130);
    assert_eq!(late.code, 75, "{late:#?}");
    assert_says(
        &late.stderr,
        &["error: another sync has been running for 2 h 10 min"],
    );
    assert_eq!(late.stderr.lines().count(), 1, "{late:#?}");
    first.kill();
}
