//! `sync --dry-run`: the plan is told, and none of it done.

use std::collections::BTreeMap;
use std::fs;

use serde_json::json;

use crate::sandbox::{Booking, Sandbox, Service};
use crate::support::{assert_right, good_sync, one_person, python_cache};

/// Every file of the sandbox's directory with its bytes.
fn files(sandbox: &Sandbox) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(sandbox.path("")).expect("the directory can be read");
    files
        .map(|file| {
            let path = file.expect("an entry").path();
            let name = path
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            (name, fs::read(path).expect("a file"))
        })
        .collect()
}

#[test]
fn a_dry_run_prints_the_plan_and_does_none_of_it() {
    let sandbox = one_person().booking(Booking::new("cs_2").by(" "));
    let before = files(&sandbox);
    let run = sandbox.run(&["sync", "--dry-run"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    for words in [
        ["register", "cs_1", "G10000001", "LibCal Main"],
        ["refused", "cs_2", "no primary ID", "form"],
    ] {
        let is_it = |line: &&str| words.iter().all(|word| line.contains(word));
        assert_eq!(
            run.stdout.lines().filter(is_it).count(),
            1,
            "{words:?}: {run:#?}"
        );
    }
    let lines = sandbox.run(&["sync", "--dry-run", "--json"]).json();
    let register = json!("register");
    let planned: Vec<_> = lines
        .iter()
        .filter(|line| line["action"] == register)
        .collect();
    assert_eq!(planned.len(), 1, "{lines:#?}");
    assert_eq!(planned[0]["appt_id"], "cs_1");
    assert!(before == files(&sandbox), "no file is made or changed");
    let unlike = |seen: &crate::sandbox::Seen| seen.service != Service::LibCal;
    assert_eq!(sandbox.requests().into_iter().filter(unlike).count(), 0);
    assert_right(&sandbox);
}

#[test]
fn a_dry_run_changes_no_cache() {
    type Make = fn(&Sandbox);
    let caches: [(&str, Make); 2] = [
        ("one of ours", |sandbox| good_sync(sandbox)),
        ("one of the Python program", |sandbox| {
            python_cache(sandbox, "INSERT INTO appts VALUES ('cs_1', '138');");
        }),
    ];
    for (what, make) in caches {
        let sandbox = one_person();
        make(&sandbox);
        sandbox.add_booking(Booking::new("cs_2").by("G10000001").minutes(100, 160));
        let before = files(&sandbox);
        let run = sandbox.run(&["sync", "--dry-run"]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{what}");
        assert!(
            run.stdout.contains("cs_2") && !run.stdout.contains("cs_1"),
            "{what}: {run:#?}"
        );
        let after = files(&sandbox);
        assert!(
            before["cache.db"] == after["cache.db"],
            "{what} is unchanged"
        );
        assert!(before.keys().eq(after.keys()), "{what}: {:?}", after.keys());
    }
}
