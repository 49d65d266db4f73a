//! A corrupt cache, and a backup that replaces it.

use std::fs;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use crate::cache::assert_cache_refused;
use crate::sandbox::{Fault, Sandbox, Service};
use crate::support::{
    assert_no_complaints, assert_says, good_sync, of_ada, one_person, sync_needing_attention,
};

/// What a person is told to do.
const MEND: [&str; 4] = ["is damaged", "remove", "cache.db-wal", "cache.db-shm"];

/// All commands that read the cache, but `check`.
const READERS: [&[&str]; 7] = [
    &["sync"],
    &["sync", "--dry-run"],
    &["lookup-user", "G10000001"],
    &["lookup-appt", "cs_1"],
    &["status"],
    &["prune"],
    &["prune", "--appt", "cs_1"],
];

/// A visit that is registered and one to come, in a cache that has pages enough to be cut.
fn sandbox_with_large_cache() -> Sandbox {
    let sandbox = one_person();
    good_sync(&sandbox);
    let many = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 500)
        INSERT INTO appts (appt_id, primary_id, lid, starts_at, ends_at, state, changed_at)
        SELECT 'cs_old' || n, 'G10000001', 8827, n, 4102444800, 'registered', n FROM n";
    crate::support::sql(&sandbox, many);
    sandbox.add_booking(of_ada("cs_2").minutes(100, 160));
    sandbox.forget_requests();
    sandbox
}

fn check_line(sandbox: &Sandbox) -> String {
    let checked = sandbox.run(&["check"]);
    assert_eq!(checked.code, 1, "{checked:#?}");
    let line = checked.stdout.lines().find(|line| line.contains("cache: "));
    line.expect("a line about the cache").to_owned()
}

#[test]
fn a_damaged_cache_is_named_by_whatever_reads_it_and_nobody_is_registered() {
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 2] = [
        ("all but its first page is overwritten", |bytes| {
            bytes[4096..].fill(0xa5);
        }),
        ("it was cut", |bytes| bytes.truncate(3 * 4096)),
    ];
    for (what, damage) in damages {
        let sandbox = sandbox_with_large_cache();
        let mut bytes = fs::read(sandbox.path("cache.db")).unwrap();
        assert!(bytes.len() > 10 * 4096);
        damage(&mut bytes);
        fs::write(sandbox.path("cache.db"), &bytes).unwrap();
        for args in READERS {
            let run = sandbox.run(args);
            assert_cache_refused(&sandbox, &run, &MEND);
        }
        let line = check_line(&sandbox);
        assert!(line.starts_with("FAIL"), "{what}: {line}");
        assert_says(&line, &MEND);
        let left = fs::read(sandbox.path("cache.db")).unwrap();
        assert!(left == bytes, "{what}: nothing was written to it");
        assert_eq!(sandbox.expected().len(), 1, "{what}");
    }
}

#[test]
fn check_finds_damage_that_no_look_up_comes_upon() {
    let sandbox = sandbox_with_large_cache();
    let mut bytes = fs::read(sandbox.path("cache.db")).unwrap();
    let last = bytes.len() - 4096;
    bytes[last..].fill(0xa5);
    fs::write(sandbox.path("cache.db"), &bytes).unwrap();
    let line = check_line(&sandbox);
    assert!(line.starts_with("FAIL"), "{line}");
    assert_says(&line, &MEND);
}

#[test]
fn check_finds_a_value_that_every_pass_would_stumble_on() {
    for statement in [
        "UPDATE appts SET attempts = -1 WHERE appt_id = 'cs_1'",
        "UPDATE users SET checked_at = 9223372036854775807",
        "INSERT INTO outages VALUES ('Alma', 'no', 9223372036854775807, NULL)",
        "UPDATE last_pass SET rows = -1",
    ] {
        let sandbox = one_person();
        good_sync(&sandbox);
        crate::support::sql(&sandbox, statement);
        let line = check_line(&sandbox);
        assert!(line.starts_with("FAIL"), "{statement}: {line}");
        assert_says(&line, &["a value in it that libcal-pp never writes"]);
    }
}

#[test]
fn a_damaged_header_is_reported_and_nobody_is_registered() {
    let sandbox = sandbox_with_large_cache();
    let mut bytes = fs::read(sandbox.path("cache.db")).unwrap();
    bytes[..4096].fill(0xa5);
    fs::write(sandbox.path("cache.db"), &bytes).unwrap();
    for args in READERS {
        let run = sandbox.run(args);
        let says = ["cache.db is not a cache, nor any other SQLite file"];
        assert_cache_refused(&sandbox, &run, &says);
    }
}

#[test]
fn a_backup_put_in_the_place_of_a_killed_runs_cache_is_good_once_the_log_is_removed() {
    let sandbox = sandbox_with_large_cache();
    fs::copy(sandbox.path("cache.db"), sandbox.path("backup.db")).unwrap();
    // A pass that is killed leaves what it wrote in the write-ahead log.
    sandbox.set_config("Network.timeout_seconds", "600");
    let prereg = || Fault::on(Service::PassagePoint).path("createPreReg");
    sandbox.fault(prereg().hang(Duration::from_secs(600)));
    let (arrived, wait) = mpsc::channel();
    sandbox.on_request(prereg(), true, move || {
        arrived.send(()).expect("the test waits");
    });
    let mut command = sandbox.command(&["sync"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut pass = command.spawn().unwrap();
    let patience = Duration::from_secs(30);
    wait.recv_timeout(patience).expect("a request in time");
    pass.kill().unwrap();
    pass.wait().unwrap();
    sandbox.clear_faults();
    assert!(fs::metadata(sandbox.path("cache.db-wal")).unwrap().len() > 0);

    // As README says.
    for name in ["cache.db-wal", "cache.db-shm"] {
        fs::remove_file(sandbox.path(name)).unwrap();
    }
    fs::copy(sandbox.path("backup.db"), sandbox.path("cache.db")).unwrap();
    let said = sync_needing_attention(&sandbox);
    assert_says(&said, &["was lost or replaced by an older copy"]);
    assert_eq!(sandbox.expected().len(), 2, "the second visit, once");
    good_sync(&sandbox);
    assert_eq!(sandbox.run(&["check"]).code, 0);
    assert_no_complaints(&sandbox);
}
