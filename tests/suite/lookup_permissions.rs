//! The permissions that the look-ups and `status` need: a readable cache, and nothing else.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use crate::sandbox::{Run, Sandbox};
use crate::support::{assert_says, good_sync, is_root, one_person, run_unprivileged, single_json};

/// One person and their booking, registered.
fn registered() -> Sandbox {
    let sandbox = one_person();
    good_sync(&sandbox);
    sandbox
}

fn found(sandbox: &Sandbox, args: &[&str]) -> Run {
    let run = sandbox.run(args);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
    run
}

#[test]
fn look_ups_need_no_configuration_beside_the_cache() {
    let sandbox = registered();
    fs::remove_file(sandbox.path("config.yml")).unwrap();
    for args in [&["lookup-user", "G10000001"][..], &["lookup-appt", "cs_1"]] {
        let run = found(&sandbox, &[&["--db", "cache.db"], args].concat());
        // Without its configuration, a location has no name.
        assert_says(&run.stdout, &[args[1], "location 8827, "]);
    }
    let status = found(&sandbox, &["--db", "cache.db", "status"]);
    assert_says(&status.stdout, &["1 registered"]);
}

#[test]
fn look_ups_need_no_secret_of_the_configuration() {
    let sandbox = registered()
        .config("LibCal.client_secret", "env:NOT_SET")
        .config("PassagePoint.password", "file:/not/there");
    let user = found(&sandbox, &["--json", "lookup-user", "G10000001"]);
    assert_eq!(single_json(&user)["barcode"], "21000001");
    let appt = found(&sandbox, &["lookup-appt", "cs_1"]);
    assert_says(&appt.stdout, &["Main Library (8827), "]);
    found(&sandbox, &["status"]);
}

#[test]
fn look_ups_without_a_cache_say_so_and_make_none() {
    let sandbox = Sandbox::new();
    for args in [
        &["lookup-user", "G1"][..],
        &["lookup-appt", "cs_1"],
        &["status"],
        &["--db", "none.db", "lookup-user", "G1"],
    ] {
        let run = sandbox.run(args);
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{run:#?}");
        let name = if args[0] == "--db" {
            "none.db"
        } else {
            "cache.db"
        };
        assert_says(&run.stderr, &["no cache", name]);
    }
    let files = fs::read_dir(sandbox.path("")).unwrap();
    let names: BTreeSet<_> = files.map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names, BTreeSet::from(["config.yml".into()]));
}

#[test]
fn a_cache_that_may_not_be_read_is_reported_as_unreadable_and_not_as_missing() {
    let sandbox = registered();
    fs::create_dir(sandbox.path("private")).unwrap();
    fs::rename(sandbox.path("cache.db"), sandbox.path("private/cache.db")).unwrap();
    let allow = |name: &str, mode| {
        fs::set_permissions(sandbox.path(name), Permissions::from_mode(mode)).unwrap();
    };
    allow("", 0o755);
    allow("private", 0o700);
    // As to everybody but the account that runs the sync.
    let not_to_be_opened = if is_root() {
        "belongs to another account"
    } else {
        "no permission to open the cache"
    };
    for (folder, file, what) in [
        (0o000, 0o600, "no permission to open the cache"),
        (0o755, 0o000, not_to_be_opened),
    ] {
        allow("private/cache.db", file);
        allow("private", folder);
        for args in [&["lookup-user", "G10000001"][..], &["status"]] {
            let args = [&["--db", "private/cache.db"], args].concat();
            let run = run_unprivileged(&sandbox, &args);
            assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{run:#?}");
            assert_eq!(run.stderr.lines().count(), 1, "{run:#?}");
            let says = ["private/cache.db", what, "the account that runs the sync"];
            assert_says(&run.stderr, &says);
        }
        allow("private", 0o755);
    }
}

#[test]
fn a_damaged_cache_of_another_account_is_called_damaged() {
    let sandbox = registered();
    let mut bytes = fs::read(sandbox.path("cache.db")).unwrap();
    bytes[4096..].fill(0xa5);
    fs::write(sandbox.path("cache.db"), &bytes).unwrap();
    for (name, mode) in [("", 0o777), ("cache.db", 0o666)] {
        fs::set_permissions(sandbox.path(name), Permissions::from_mode(mode)).unwrap();
    }
    for args in [&["lookup-user", "G10000001"][..], &["status"]] {
        let run = run_unprivileged(&sandbox, &[&["--db", "cache.db"], args].concat());
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{run:#?}");
        assert_says(&run.stderr, &["the cache cache.db is damaged"]);
    }
}
