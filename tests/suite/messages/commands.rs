//! What `status`, the look-ups, `prune` and `generate` say, and what is said of wrong usage.

use std::process::Command;

use serde_json::json;

use super::{Case, Part};
use crate::sandbox::{Fault, Run, Sandbox, Service, User};
use crate::support::{create_python_cache, day, of_ada, one_person, sandbox_in_doubt, sql};

pub static PART: Part = Part {
    sources: &["cli", "command", "output"],
    cases: CASES,
    as_root: &[],
    unseen: &[],
};

const CASES: &[Case] = &[
    // Look-ups.
    (
        &[
            "nothing is known of the user G404",
            "when the last pass ended",
        ],
        || synced().run(&["lookup-user", "G404"]),
    ),
    (&["nothing is known of the booking cs_404"], || {
        synced().run(&["lookup-appt", "cs_404"])
    }),
    (&["is not a primary ID"], || {
        synced().run(&["lookup-user", &"9".repeat(300)])
    }),
    (
        &["no full pass has ended yet: LibCal's bookings are not known here"],
        || without_pass().run(&["lookup-user", "G10000001"]),
    ),
    (
        &[
            "the last full pass ended",
            "2 h 0 min ago: bookings made or changed since then",
        ],
        || {
            let sandbox = synced();
            sandbox.pass_time(120);
            sandbox.run(&["lookup-user", "G10000001"])
        },
    ),
    (
        &[
            "the last pass could not read all of LibCal's lists",
            "500 Internal Server Error",
        ],
        || science_is_out().run(&["lookup-user", "G10000001"]),
    ),
    (
        &["no booking with this ID is known", "barcode  21000001"],
        || {
            let sandbox = synced();
            sql(&sandbox, "DELETE FROM appts");
            sandbox.run(&["lookup-user", "G10000001"])
        },
    ),
    (&["checked  never by this program"], || {
        let sandbox = one_person();
        create_python_cache(
            &sandbox,
            "INSERT INTO users VALUES ('G10000001', '21000001', '138')",
        );
        sandbox.run(&["lookup-user", "G10000001"])
    }),
    (&["G404: refused", "refused as of"], || {
        let sandbox = one_person();
        sandbox.edit_rows("cs_1", |row| row["q12505"] = "G404".into());
        sandbox.sync();
        sandbox.run(&["lookup-user", "G404"])
    }),
    (&["cs_1", "any person, place or time"], || {
        imported(&["cs_1"]).run(&["lookup-appt", "cs_1"])
    }),
    (
        &[
            "a row of location 8827",
            "Main Library (8827), time unreadable",
        ],
        || {
            let sandbox = Sandbox::new().raw_row(8827, json!("oh no"));
            sandbox.sync();
            sandbox.run(&["status"])
        },
    ),
    (&["in doubt", "tried again once an hour"], || {
        let sandbox = one_person();
        let prereg = Fault::on(Service::PassagePoint).path("createPreReg");
        sandbox.fault(prereg.answer(500, "text/plain", "oh no"));
        for _ in 0..3 {
            sandbox.sync();
        }
        sandbox.run(&["status"])
    }),
    (
        &[
            "cs_1 of G10000001: cancelled",
            "PassagePoint may still expect the person",
        ],
        || {
            let sandbox = sandbox_in_doubt();
            cancel(&sandbox);
            sandbox.run(&["lookup-appt", "cs_1"])
        },
    ),
    (
        &[
            "cs_1 of G10000001: cancelled",
            "PassagePoint expects the person until",
        ],
        || {
            let sandbox = synced();
            cancel(&sandbox);
            sandbox.run(&["lookup-appt", "cs_1"])
        },
    ),
    // status
    (
        &[
            "no full pass has ended yet: run `libcal-pp sync`",
            "no full pass has ended yet",
        ],
        || without_pass().run(&["status"]),
    ),
    (
        &["the last full pass ended 1 h 0 min ago: check that cron or systemd runs"],
        || {
            let sandbox = synced();
            sandbox.pass_time(60);
            sandbox.run(&["status", "--max-age", "30"])
        },
    ),
    (
        &[
            "a pass started",
            "has not ended",
            "cs_1 of G10000001: waiting",
            "the next pass registers it",
        ],
        || {
            let sandbox = one_person();
            sandbox.pause(Fault::on(Service::Alma), true).kill();
            sandbox.run(&["status"])
        },
    ),
    (
        &[
            "outage: Alma since",
            "cs_1 of G10000001: waiting",
            "connection refused; the next pass tries again",
        ],
        || {
            let sandbox = one_person().config("Network.tries", "1");
            sandbox.stop(Service::Alma);
            sandbox.sync();
            sandbox.run(&["status"])
        },
    ),
    (&["visits not over yet: 1 registered"], || {
        synced().run(&["status"])
    }),
    (
        &["imported from the Python program: 1 booking; the first full pass finds out"],
        || imported(&["cs_1"]).run(&["status"]),
    ),
    (
        &["1 booking; none of them is still to come", "`prune`"],
        || {
            let sandbox = imported(&["cs_1"]);
            sandbox.remove_rows("cs_1");
            sandbox.sync();
            sandbox.run(&["status"])
        },
    ),
    (&["1 visit is still to come", "cs_1"], || {
        let sandbox = imported(&["cs_1"]);
        sandbox.sync();
        sandbox.run(&["status"])
    }),
    (
        &[
            "2 visits are still to come",
            "do not run `prune` before that",
        ],
        || {
            let sandbox = imported(&["cs_1", "cs_2"]);
            sandbox.sync();
            sandbox.run(&["status"])
        },
    ),
    (
        &["LibCal's lists could not be read, so others may still be to come"],
        || {
            let sandbox = imported(&["cs_1"]);
            sandbox.remove_rows("cs_1");
            sandbox.sync();
            sandbox.stop(Service::LibCal);
            sandbox.sync();
            sandbox.run(&["status"])
        },
    ),
    // prune and generate
    (&["nothing is known of the user G404"], || {
        synced().run(&["prune", "--user", "G404"])
    }),
    (&["nothing is known of the booking cs_404"], || {
        synced().run(&["prune", "--appt", "cs_404"])
    }),
    (&["forgetting 1 visit registered or in doubt"], || {
        synced().run(&["prune", "--appt", "cs_1"])
    }),
    (
        &["forgetting 1 visit registered by the Python program"],
        || imported(&["cs_1"]).run(&["prune"]),
    ),
    (&["would delete 1 visit and 1 user"], || {
        synced().run(&["prune", "--user", "G10000001", "--dry-run"])
    }),
    (
        &["cannot write man pages and completions to config.yml"],
        || one_person().run(&["generate", "config.yml"]),
    ),
    (&["cannot write to standard output"], || {
        let sandbox = synced();
        let status = sandbox.command(&["status"]);
        let mut shell = Command::new("sh");
        shell.args(["-c", "exec \"$0\" \"$@\" > /dev/full"]);
        shell.arg(status.get_program()).args(status.get_args());
        shell.current_dir(sandbox.path(""));
        Run::of(shell)
    }),
    // Wrong usage and help.
    (&["--date", "it is not a date such as 2026-12-01"], || {
        one_person().run(&["sync", "--date", "tomorrow"])
    }),
    (&["--date", "it is in the past"], || {
        one_person().run(&["sync", "--date", &day(-9)])
    }),
    (&["--date", "the year must have four digits"], || {
        one_person().run(&["sync", "--date", "12026-12-01"])
    }),
    (
        &[
            "--max-age",
            "it must be a whole number of minutes, 1 or more",
        ],
        || one_person().run(&["status", "--max-age", "0"]),
    ),
    (&["PRIMARY_ID", "it is blank"], || {
        one_person().run(&["lookup-user", " "])
    }),
    (&["Exit status:", "the configuration is wrong"], || {
        help("--help")
    }),
    (&["sync", "--dry-run"], || help("sync")),
    (&["lookup-user G10000001"], || help("lookup-user")),
    (&["lookup-appt cs_AbC123"], || help("lookup-appt")),
    (&["status --max-age 15 -q"], || help("status")),
    (&["prune --user G10000001"], || help("prune")),
    (&["check"], || help("check")),
];

/// One person with a registered visit.
fn synced() -> Sandbox {
    let sandbox = one_person();
    sandbox.sync();
    sandbox
}

/// A cache that only passes over other days know.
fn without_pass() -> Sandbox {
    let sandbox = one_person();
    sandbox.run(&["sync", "--date", &day(1)]);
    sandbox
}

/// The Python program's cache with these bookings, which LibCal lists.
fn imported(bookings: &[&str]) -> Sandbox {
    let sandbox = Sandbox::new().user(User::new("G10000001").barcode("21000001"));
    create_python_cache(&sandbox, "");
    for booking in bookings {
        sandbox.add_booking(of_ada(booking));
        sql(
            &sandbox,
            &format!("INSERT INTO appts VALUES ('{booking}', '138')"),
        );
    }
    sandbox
}

/// A pass that could not read one of two locations.
fn science_is_out() -> Sandbox {
    let sandbox = one_person().config("Network.tries", "1");
    let list = Fault::on(Service::LibCal).when(|seen| seen.parameter("lid") == Some("10332"));
    sandbox.fault(list.answer(500, "", ""));
    sandbox.sync();
    sandbox
}

/// Cancels the booking in LibCal, which the next pass sees.
fn cancel(sandbox: &Sandbox) {
    sandbox.edit_rows("cs_1", |row| row["status"] = "Cancelled by User".into());
    sandbox.sync();
}

fn help(command: &str) -> Run {
    let args = [command, "--help"];
    one_person().run(&args[usize::from(command == "--help")..])
}
