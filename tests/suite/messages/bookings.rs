//! What is said of the visits that a pass is about: what it did, will do or leaves, and what a person must look at.

use std::fs;
use std::time::{Duration, SystemTime};

use super::{Case, Part, pass};
use crate::day::set_up_small_day;
use crate::sandbox::{Fault, Run, Sandbox, Service};
use crate::support::{of_ada, one_person, sandbox_in_doubt, with_ada};

pub static PART: Part = Part {
    sources: &["command/sync", "messages", "model", "pass", "plan"],
    cases: CASES,
    as_root: &[],
    unseen: &[
        (
            "booking {} was registered but could not be saved",
            "`full_disk` tries it, with many passes",
        ),
        (
            "cannot start a thread",
            "the system would have to be out of threads",
        ),
        (" (os error {code})", "it is what is taken away"),
        (
            "waits until the warning that it may",
            "where it is said, nobody can be told anything",
        ),
    ],
};

const CASES: &[Case] = &[
    (
        &[
            "user G10000001 is known",
            "planned: 1 user",
            "registered booking cs_2 of G10000001: LibCal Main",
        ],
        || {
            let sandbox = one_person();
            sandbox.sync();
            sandbox.add_booking(of_ada("cs_2").minutes(100, 160));
            pass(&sandbox)
        },
    ),
    (
        &[
            "looking up user G10000001 in Alma",
            "user G10000001 is visitor",
        ],
        || pass(&one_person()),
    ),
    (
        &["booking cs_2 of G10000001 is covered by the pre-registration of booking cs_1"],
        || pass(&covered()),
    ),
    (
        &["booking cs_1 of G10000001 was cancelled or moved in LibCal"],
        || {
            let sandbox = one_person();
            sandbox.sync();
            set_status(&sandbox, "Cancelled by User");
            pass(&sandbox)
        },
    ),
    (
        &["booking cs_1 of G10000001 was changed or pruned by another process"],
        || {
            let sandbox = one_person();
            let alma = Fault::on(Service::Alma);
            let paused_run = sandbox.pause_run(sandbox.command(&["-v", "sync"]), alma, true);
            sandbox.run(&["prune", "--appt", "cs_1"]);
            paused_run.resume()
        },
    ),
    // Doubts.
    (
        &["possibly registered twice: 1 visit", "cs_1 of G10000001"],
        || sandbox_in_doubt().sync(),
    ),
    (
        &["possibly registered twice: booking cs_1 of G10000001, registered after an attempt"],
        || {
            let sandbox = sandbox_in_doubt();
            sandbox.fault(on_prereg().answer(404, "text/html", "<p>"));
            sandbox.sync();
            sandbox.clear_faults();
            sandbox.sync()
        },
    ),
    (
        &["booking cs_2 of G10000001 waits until it is clear whether booking cs_1 is registered"],
        || {
            let sandbox = one_person().booking(of_ada("cs_2").minutes(40, 80));
            sandbox.fault(on_prereg().cut_before().times(1));
            pass(&sandbox)
        },
    ),
    (
        &["possibly registered twice: booking cs_2 of G10000001 falls within booking cs_1"],
        || {
            let sandbox = with_ada().booking(of_ada("cs_1").minutes(-20, 60));
            sandbox.fault(on_prereg().cut_before().times(1));
            sandbox.sync();
            let over = chrono::DateTime::from_timestamp(sandbox.now() - 60, 0).expect("a time");
            sandbox.edit_rows("cs_1", |row| row["toDate"] = over.to_rfc3339().into());
            sandbox.add_booking(of_ada("cs_2").minutes(5, 50));
            sandbox.sync()
        },
    ),
    (&["giving up on booking cs_1"], given_up),
    (
        &[
            "still needs attention: 1 booking given up",
            "cs_1 of G10000001",
        ],
        || {
            let sandbox = given_up_sandbox();
            pass(&sandbox);
            pass(&sandbox)
        },
    ),
    // The cache and the lock.
    (&["cache.db was lost or replaced by an older copy"], || {
        let sandbox = one_person();
        sandbox.sync();
        fs::remove_file(sandbox.path("cache.db")).expect("it is there");
        sandbox.sync()
    }),
    (&["another sync is running"], || while_another_runs(pass)),
    (&["another sync has been running for 2 h 0 min"], || {
        while_another_runs(|sandbox| {
            let lock = fs::File::options()
                .write(true)
                .open(sandbox.path("cache.db.lock"));
            let before = SystemTime::now() - Duration::from_secs(7_210);
            lock.and_then(|lock| lock.set_modified(before))
                .expect("its owner may");
            sandbox.sync()
        })
    }),
    // Dry runs.
    (
        &[
            "register cs_1 of G10000001: LibCal Main",
            "dry run, nothing was changed",
        ],
        || dry_run(&one_person()),
    ),
    (
        &["take over cs_2 of G10000001: the pre-registration of booking cs_1 covers it"],
        || dry_run(&covered()),
    ),
    (&["{\"action\":\"take over\""], || {
        covered().run(&["--json", "sync", "--dry-run"])
    }),
    (&["register cs_1", "(again: now longer)"], || {
        let sandbox = one_person();
        sandbox.sync();
        let later = chrono::DateTime::from_timestamp(sandbox.now() + 7_200, 0).expect("a time");
        sandbox.edit_rows("cs_1", |row| row["toDate"] = later.to_rfc3339().into());
        dry_run(&sandbox)
    }),
    (
        &[
            "register cs_1",
            "(again: in doubt, possibly registered twice)",
        ],
        || dry_run(&sandbox_in_doubt()),
    ),
    (&["mark cancelled cs_1 of G10000001"], || {
        marked("Cancelled by User")
    }),
    (&["mark not approved cs_1 of G10000001"], || {
        marked("Mediated Tentative")
    }),
    (&["mark registered cs_1 of G10000001"], || {
        let sandbox = one_person();
        sandbox.sync();
        set_status(&sandbox, "Mediated Tentative");
        sandbox.sync();
        set_status(&sandbox, "Confirmed");
        dry_run(&sandbox)
    }),
    // Numbers of a pass, and times.
    (&["rows", "visits", "already registered", "ended"], || {
        pass(&set_up_small_day())
    }),
    (&["1 refused", "1 in doubt"], || {
        let sandbox = one_person().booking(crate::sandbox::Booking::new("cs_404").by("G404"));
        sandbox.fault(on_prereg().cut_after());
        pass(&sandbox)
    }),
    (&["not approved"], || marked("Mediated Pending")),
    (&["cs_1, cs_10, cs_11, cs_12, cs_2 and 7 more"], || {
        let sandbox = crate::support::sandbox_with_people(12).config("Network.tries", "1");
        sandbox.stop(Service::Alma);
        pass(&sandbox)
    }),
    (&["again after 1 h 0 min"], || over_after(60)),
    (&["again after 2 d 1 h"], || over_after(2 * 24 * 60 + 60)),
    (&["in the future (check this machine's clock)"], || {
        let sandbox = one_person();
        sandbox.sync();
        sandbox.pass_time(-120);
        sandbox.run(&["lookup-appt", "cs_1"])
    }),
];

fn dry_run(sandbox: &Sandbox) -> Run {
    sandbox.run(&["-v", "sync", "--dry-run"])
}

fn on_prereg() -> Fault {
    Fault::on(Service::PassagePoint).path("createPreReg")
}

fn set_status(sandbox: &Sandbox, status: &str) {
    sandbox.edit_rows("cs_1", |row| row["status"] = status.into());
}

/// A registered visit, and a new one within it.
fn covered() -> Sandbox {
    let sandbox = one_person();
    sandbox.sync();
    sandbox.add_booking(of_ada("cs_2").minutes(40, 80));
    sandbox
}

/// A dry run over a registered visit that then has this status.
fn marked(status: &str) -> Run {
    let sandbox = one_person();
    sandbox.sync();
    set_status(&sandbox, status);
    dry_run(&sandbox)
}

/// Two passes in, of three that do not learn whether a visit is registered.
fn given_up_sandbox() -> Sandbox {
    let sandbox = one_person();
    sandbox.fault(on_prereg().cut_after());
    sandbox.sync();
    sandbox.sync();
    sandbox
}

fn given_up() -> Run {
    pass(&given_up_sandbox())
}

/// What happens while a pass waits for Alma.
fn while_another_runs(what: impl FnOnce(&Sandbox) -> Run) -> Run {
    let sandbox = one_person();
    let _held = sandbox.pause(Fault::on(Service::Alma), true);
    what(&sandbox)
}

/// The pass after an outage that took so many minutes.
fn over_after(minutes: i64) -> Run {
    let sandbox = with_ada().booking(of_ada("cs_1").minutes(30, 30 + 7 * 24 * 60));
    sandbox.set_config("Network.tries", "1");
    sandbox.stop(Service::Alma);
    pass(&sandbox);
    sandbox.start(Service::Alma);
    sandbox.pass_time(minutes);
    sandbox.sync()
}
