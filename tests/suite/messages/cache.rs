//! What is wrong with the cache or its lock: each message names the file.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use super::{Case, Part};
use crate::full_disk::sync_within;
use crate::sandbox::{Run, Sandbox};
use crate::support::{NOBODY, good_sync, is_root, one_person, run_unprivileged, sql};

pub static PART: Part = Part {
    sources: &["cache", "files", "lock"],
    cases: CASES,
    as_root: AS_ROOT,
    unseen: &[
        (
            "cannot make a copy of the cache in memory",
            "it takes a system without memory",
        ),
        (
            "cannot create the cache",
            "the lock is made first, and what keeps the cache from being made keeps the lock too",
        ),
        (
            "cannot set the permissions of the cache",
            "it is this account's own file, so that it may",
        ),
        (
            "the cache {path} cannot be written: the disk is full",
            "it takes a disk of its own",
        ),
        (
            "no permission to open the cache {path}",
            "a cache of another account fails at its lock already",
        ),
        ("cannot write {}", "the lock was written to just before"),
    ],
};

const CASES: &[Case] = &[
    (&["there is no cache cache.db", "--db"], || {
        one_person().run(&["--db", "cache.db", "status"])
    }),
    (&["the cache", "cache.db is a folder"], || {
        let sandbox = one_person();
        fs::create_dir(sandbox.path("cache.db")).expect("a folder");
        sandbox.sync()
    }),
    (&["the cache", "cache.db is not a regular file"], || {
        let sandbox = one_person();
        let mut pipe = Command::new("mkfifo");
        let made = pipe.arg(sandbox.path("cache.db")).status();
        assert!(made.expect("mkfifo can be run").success());
        sandbox.sync()
    }),
    (
        &["cache.db is a symbolic link to a file that does not exist"],
        || {
            let sandbox = one_person();
            symlink("/not/there", sandbox.path("cache.db")).expect("a link");
            sandbox.run(&["status"])
        },
    ),
    (
        &["cache.db", "is not a cache, nor any other SQLite file"],
        || {
            let sandbox = one_person();
            fs::write(sandbox.path("cache.db"), "dear diary, ".repeat(100)).expect("a file");
            sandbox.sync()
        },
    ),
    (
        &[
            "the cache",
            "cache.db is damaged",
            "cache.db-wal",
            "restore a backup",
        ],
        || {
            let sandbox = known();
            let mut bytes = fs::read(sandbox.path("cache.db")).expect("a file");
            bytes[4096..].fill(0x5a);
            fs::write(sandbox.path("cache.db"), bytes).expect("a file");
            sandbox.run(&["check"])
        },
    ),
    (&["cache.db", "another program's SQLite file"], || {
        let sandbox = one_person();
        sql(&sandbox, "CREATE TABLE diary (entry)");
        sandbox.sync()
    }),
    (
        &["cache.db", "a later version of libcal-pp (cache version 9"],
        || {
            let sandbox = known();
            sql(&sandbox, "PRAGMA user_version = 9");
            sandbox.sync()
        },
    ),
    (
        &["cache.db has a value in it that libcal-pp never writes"],
        || {
            let sandbox = known();
            sql(&sandbox, "UPDATE appts SET starts_at = 9223372036854775807");
            sandbox.run(&["lookup-appt", "cs_1"])
        },
    ),
    (&["the cache", "cache.db cannot be used"], || {
        let sandbox = known();
        let no_room = "BEGIN SELECT RAISE(ABORT, 'no room'); END";
        sql(
            &sandbox,
            &format!("CREATE TRIGGER full BEFORE UPDATE ON last_pass {no_room};"),
        );
        sandbox.sync()
    }),
    (
        &["cache.db", "check whether the disk is full or failing"],
        || sync_within(&known(), 0),
    ),
    (&["cache.db is read-only"], || {
        let sandbox = of_somebody();
        as_owner(&sandbox, "cache.db", 0o444);
        run_unprivileged(&sandbox, &["sync"])
    }),
    (
        &["no permission to open the cache", "closed/cache.db"],
        || {
            let sandbox = of_somebody().config("Cache.path", "closed/cache.db");
            allow(&sandbox.path("config.yml"), 0o644);
            fs::create_dir(sandbox.path("closed")).expect("a folder");
            allow(&sandbox.path("closed"), 0o000);
            run_unprivileged(&sandbox, &["sync"])
        },
    ),
    (&["not/there does not exist", "Cache.path or --db"], || {
        one_person().run(&["--db", "not/there/cache.db", "sync"])
    }),
    (&["not/there does not exist", "Cache.path or --db"], || {
        one_person().run(&["--db", "not/there/cache.db", "check"])
    }),
    (&["cannot create a file in", "Permission denied"], || {
        let sandbox = one_person().config("Cache.path", "closed/cache.db");
        allow(&sandbox.path("config.yml"), 0o644);
        allow(&sandbox.path(""), 0o777);
        fs::create_dir(sandbox.path("closed")).expect("a folder");
        allow(&sandbox.path("closed"), 0o555);
        run_unprivileged(&sandbox, &["check"])
    }),
    (
        &["the cache", "cache.db was locked by another program"],
        || used_by_another(&known(), "BEGIN IMMEDIATE", &["sync"]),
    ),
    (
        &["what was deleted can still be read in", "cache.db-wal"],
        || {
            let read = "BEGIN; SELECT count(*) FROM users";
            used_by_another(&known(), read, &["prune", "--user", "G10000001"])
        },
    ),
    // The lock.
    (&["cache.db.lock is a symbolic link"], || {
        let sandbox = one_person();
        symlink("/not/there", sandbox.path("cache.db.lock")).expect("a link");
        sandbox.sync()
    }),
    (&["cache.db.lock is a hard link"], || {
        let sandbox = one_person();
        let (config, lock) = (sandbox.path("config.yml"), sandbox.path("cache.db.lock"));
        fs::hard_link(config, lock).expect("a link");
        sandbox.sync()
    }),
    (&["cache.db.lock is not a regular file"], || {
        let sandbox = one_person();
        fs::create_dir(sandbox.path("cache.db.lock")).expect("a folder");
        sandbox.sync()
    }),
    (
        &["cannot lock", "cache.db.lock", "Permission denied"],
        || {
            let sandbox = of_somebody();
            as_owner(&sandbox, "cache.db.lock", 0o000);
            run_unprivileged(&sandbox, &["sync"])
        },
    ),
];

const AS_ROOT: &[Case] = &[
    (&["cache.db belongs to another account", "chown"], || {
        let sandbox = of_somebody();
        sql(&sandbox, "PRAGMA user_version = 0");
        sql(&sandbox, "DROP TABLE users; DROP TABLE appts; DROP TABLE outages; DROP TABLE last_pass;
                       CREATE TABLE users (primary_id, barcode, visitor_id); CREATE TABLE appts (appt_id, prereg_id);");
        allow(&sandbox.path("cache.db"), 0o666);
        run_unprivileged(&sandbox, &["sync"])
    }),
    (
        &["cache.db.lock belongs to another account", "chown"],
        || {
            let sandbox = known();
            allow(&sandbox.path("config.yml"), 0o644);
            allow(&sandbox.path(""), 0o777);
            allow(&sandbox.path("cache.db"), 0o666);
            allow(&sandbox.path("cache.db.lock"), 0o666);
            run_unprivileged(&sandbox, &["sync"])
        },
    ),
    (
        &[
            "the cache's file",
            "cache.db belongs to another account",
            "chown",
        ],
        || {
            let sandbox = known();
            allow(&sandbox.path("config.yml"), 0o644);
            allow(&sandbox.path(""), 0o777);
            run_unprivileged(&sandbox, &["status"])
        },
    ),
];

/// A cache with one visit.
fn known() -> Sandbox {
    let sandbox = one_person();
    good_sync(&sandbox);
    sandbox
}

/// The same, with a lock of the account that is not root.
fn of_somebody() -> Sandbox {
    let sandbox = known();
    allow(&sandbox.path("config.yml"), 0o644);
    allow(&sandbox.path(""), 0o777);
    as_owner(&sandbox, "cache.db.lock", 0o600);
    sandbox
}

/// A run while another program has begun that transaction.
fn used_by_another(sandbox: &Sandbox, transaction: &str, args: &[&str]) -> Run {
    let other = sandbox.cache();
    other.execute_batch(transaction).expect("it is free");
    sandbox.run(args)
}

/// Gives a file to the account that is not root, with these rights.
fn as_owner(sandbox: &Sandbox, name: &str, mode: u32) {
    allow(&sandbox.path(name), mode);
    if is_root() {
        chown(sandbox.path(name), Some(NOBODY), None).expect("root may");
    }
}

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("its owner may");
}
