//! `sync --dry-run`: prints what a pass would do, and does none of it.

use std::collections::BTreeMap;
use std::fs;

use chrono::DateTime;
use serde_json::json;

use crate::sandbox::{Booking, Fault, Sandbox, Service};
use crate::support::{
    assert_no_complaints, assert_says, create_python_cache, good_sync, one_person,
    sync_needing_attention,
};

/// Every file of the sandbox's directory with its bytes.
pub fn files(sandbox: &Sandbox) -> BTreeMap<String, Vec<u8>> {
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

/// Runs a dry run, which must write nothing, and gives what it printed.
fn dry_run(sandbox: &Sandbox, code: i32) -> String {
    let before = files(sandbox);
    let run = sandbox.run(&["sync", "--dry-run"]);
    assert_eq!(run.code, code, "{run:#?}");
    assert!(before == files(sandbox), "no file is made or changed");
    let wrote = ["createVisitor", "createPreReg"];
    let wrote = wrote.map(|path| sandbox.count_of(Service::PassagePoint, path));
    assert_eq!(wrote, [0, 0], "nothing is written to PassagePoint");
    assert_no_complaints(sandbox);
    run.stdout
}

/// What the sandbox's clock says, in UTC.
fn span(sandbox: &Sandbox, from: i64, to: i64) -> String {
    let at = |minutes: i64| DateTime::from_timestamp(sandbox.now() + minutes * 60, 0);
    let [from, to] = [from, to].map(|minutes| at(minutes).expect("a time"));
    let day = "%a %-d %b %Y %H:%M";
    if from.date_naive() == to.date_naive() {
        return format!("{}-{} UTC", from.format(day), to.format("%H:%M"));
    }
    format!("{} UTC - {} UTC", from.format(day), to.format(day))
}

#[test]
fn a_dry_run_prints_what_a_pass_would_do_and_does_none_of_it() {
    let sandbox = one_person()
        .booking(Booking::new("cs_2").by(" "))
        .booking(Booking::new("cs_3").by("G404"));
    let printed = dry_run(&sandbox, 1);
    let register = format!(
        "register cs_1 of G10000001: LibCal Main, {}",
        span(&sandbox, 30, 90)
    );
    let expected = [
        &register,
        "1 booking refused, no primary ID on the booking form: ask the person for it and add it in LibCal (cs_2)",
        "1 user refused, not in Alma: correct the ID on the booking form in LibCal, or add the user to Alma (G404 with cs_3)",
    ];
    assert_eq!(printed.lines().collect::<Vec<_>>(), expected);
    // It does not count as reported, nor as asked.
    let said = sync_needing_attention(&sandbox);
    assert_eq!(said.lines().count(), 2, "{said}");
    assert_eq!(sandbox.expected().len(), 1);
    sandbox.forget_requests();
    assert_eq!(
        dry_run(&sandbox, 0).lines().count(),
        2,
        "the refusals stand"
    );
}

#[test]
fn a_dry_run_for_a_program_has_an_object_for_each_action_and_then_the_summary() {
    let sandbox = one_person().booking(Booking::new("cs_3").by("G404"));
    let run = sandbox.run(&["sync", "--dry-run", "--json"]);
    assert_eq!(run.code, 1, "{run:#?}");
    let mut lines = run.json();
    let at = |minutes: i64| {
        let time = DateTime::from_timestamp(sandbox.now() + minutes * 60, 0);
        time.expect("a time").to_rfc3339()
    };
    let mut summary = lines.pop().expect("a summary");
    summary["seconds"].take();
    let reason =
        "not in Alma: correct the ID on the booking form in LibCal, or add the user to Alma";
    let expected = [
        json!({
            "action": "register", "appt_id": "cs_1", "primary_id": "G10000001", "lid": "8827",
            "starts_at": at(30), "ends_at": at(90),
        }),
        json!({
            "action": "refuse", "appt_id": "cs_3", "primary_id": "G404", "lid": "8827",
            "starts_at": at(30), "ends_at": at(90), "reason": reason,
        }),
    ];
    assert_eq!(lines, expected);
    let expected = json!({
        "rows": 2, "visits": 2, "already_registered": 0, "registered": 1, "refused": 1,
        "in_doubt": 0, "failed": 0, "ended": 0, "seconds": null,
    });
    assert_eq!(summary, expected);
}

#[test]
fn a_dry_run_of_a_visit_that_became_longer_was_cancelled_or_is_back_says_so() {
    let sandbox = one_person().booking(Booking::new("cs_2").by("G10000001").minutes(100, 160));
    good_sync(&sandbox);
    let end = DateTime::from_timestamp(sandbox.now() + 95 * 60, 0).expect("a time");
    sandbox.edit_rows("cs_1", |row| row["toDate"] = end.to_rfc3339().into());
    sandbox.edit_rows("cs_2", |row| row["status"] = "Cancelled by User".into());
    sandbox.world().preregs.clear();
    sandbox.forget_requests();
    let register = format!(
        "register cs_1 of G10000001: LibCal Main, {} (again: now longer)\n",
        span(&sandbox, 30, 95)
    );
    let times = span(&sandbox, 100, 160);
    let expected = format!("{register}mark cancelled cs_2 of G10000001, {times}\n");
    assert_eq!(dry_run(&sandbox, 0), expected);
    good_sync(&sandbox);
    sandbox.forget_requests();
    sandbox.edit_rows("cs_2", |row| row["status"] = "Confirmed".into());
    let expected = format!("mark registered cs_2 of G10000001, {times}\n");
    assert_eq!(dry_run(&sandbox, 0), expected);
}

#[test]
fn a_dry_run_of_a_visit_in_doubt_names_it_as_possibly_registered_twice() {
    let sandbox = one_person();
    let prereg = Fault::on(Service::PassagePoint).path("createPreReg");
    sandbox.fault(prereg.cut_after());
    assert_eq!(sandbox.sync().code, 1);
    sandbox.clear_faults();
    sandbox.forget_requests();
    let expected = format!(
        "register cs_1 of G10000001: LibCal Main, {} (again: in doubt, possibly registered twice)\n",
        span(&sandbox, 30, 90)
    );
    assert_eq!(dry_run(&sandbox, 1), expected);
    assert_eq!(sandbox.expected().len(), 1);
}

#[test]
fn a_dry_run_meets_the_outages_that_a_pass_would_meet() {
    for service in Service::ALL {
        let sandbox = one_person();
        sandbox.stop(service);
        let run = sandbox.run(&["sync", "--dry-run"]);
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{run:#?}");
        assert_eq!(run.stderr.lines().count(), 1, "{run:#?}");
        let says = format!("error: {service:?} is not responding: connection refused");
        assert_says(&run.stderr, &[&says]);
        assert!(!sandbox.path("cache.db").exists());
    }
}

#[test]
fn a_dry_run_changes_no_cache() {
    type Make = fn(&Sandbox);
    let caches: [(&str, Make); 2] = [
        ("one of ours", |sandbox| good_sync(sandbox)),
        ("one of the Python program", |sandbox| {
            create_python_cache(sandbox, "INSERT INTO appts VALUES ('cs_1', '138');");
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

#[test]
fn a_dry_run_whose_lock_cannot_be_looked_at_says_so() {
    let sandbox = Sandbox::new();
    // The lock's name is too long for a file, the cache's is not.
    let name = format!("{}.db", "c".repeat(249));
    let run = sandbox.run(&["--db", &name, "sync", "--dry-run"]);
    assert_eq!(run.code, 1, "{run:#?}");
    assert!(run.stderr.contains("cannot lock"), "{run:#?}");
}
