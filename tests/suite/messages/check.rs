//! What `check` says of each thing.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};

use serde_json::json;

use super::{Case, Part};
use crate::sandbox::{Booking, Fault, Run, Sandbox, Service};
use crate::support::{NOBODY, create_python_cache, of_ada, one_person, run_unprivileged, with_ada};

pub static PART: Part = Part {
    sources: &["command/check"],
    cases: CASES,
    as_root: AS_ROOT,
    unseen: &[],
};

const CASES: &[Case] = &[
    (
        &[
            "config.yml is valid",
            "cache.db has 1 user and 1 visit",
            "requests left today",
        ],
        || {
            let sandbox = one_person();
            sandbox.sync();
            sandbox.run(&["check"])
        },
    ),
    (&["cache.db does not exist yet"], || {
        one_person().run(&["check"])
    }),
    (
        &[
            "cache.db",
            "written by the Python program or an older version: the next command that opens it converts it",
        ],
        || {
            let sandbox = one_person();
            create_python_cache(&sandbox, "");
            sandbox.run(&["check"])
        },
    ),
    (&["LCPP is ignored: cron does its job"], || {
        one_person()
            .config("LCPP", r#"{"minutes": 5}"#)
            .run(&["check"])
    }),
    (
        &["LCPP and Emails are ignored: cron does their jobs"],
        || {
            one_person()
                .config("LCPP", r#"{"minutes": 5}"#)
                .config("Emails", r#"{"to": "desk@example.edu"}"#)
                .run(&["check"])
        },
    ),
    (&["(HTTPS_PROXY) is not used", "NO_PROXY"], || {
        through_proxy(&one_person())
    }),
    (&["(HTTPS_PROXY) is used for Alma"], || {
        through_proxy(&one_person().config("Alma.users_endpt", "https://alma.invalid/users"))
    }),
    (
        &[
            "LibCal: accepted the credentials",
            "PassagePoint: accepted the login",
        ],
        || one_person().run(&["check"]),
    ),
    (
        &[
            "Main Library (8827): not checked: ",
            "LibCal.credentials_endpt",
        ],
        || checked(Service::LibCal, "token", "{}"),
    ),
    (
        &[
            "\"LibCal Main\" of location 8827: not checked: ",
            "PassagePoint.pp_api_root",
        ],
        || checked(Service::PassagePoint, "login", "{}"),
    ),
    (
        &["\"LibCal Main\" of location 8827: not found: PassagePoint has no destinations"],
        || checked(Service::PassagePoint, "getDestinations", "[]"),
    ),
    (
        &["\"LibCal Moon\" of location 8827: not found: correct PassagePoint.location_mapping"],
        || {
            one_person()
                .config("PassagePoint.location_mapping.8827", "LibCal Moon")
                .run(&["check"])
        },
    ),
    (
        &["LibCal.statuses: LibCal is not known to use Blessed"],
        || {
            one_person()
                .config("LibCal.statuses", r#"["Confirmed", "Blessed"]"#)
                .run(&["check"])
        },
    ),
    (
        &["1 row today and in the next 3 days (1 Confirmed), 1 with an answer to q12505"],
        || one_person().config("LibCal.days", "3").run(&["check"]),
    ),
    (
        &["Main Library (8827): no rows today, so q12505 could not be checked"],
        || Sandbox::new().run(&["check"]),
    ),
    (
        &[
            "Main Library (8827): 1 row today (1 unreadable)",
            "check the bookings in LibCal",
        ],
        || Sandbox::new().raw_row(8827, json!("oh no")).run(&["check"]),
    ),
    (
        &["0 with an answer to q12505: check LibCal.primary_id_field"],
        || {
            Sandbox::new()
                .booking(Booking::new("cs_1").no_answer())
                .run(&["check"])
        },
    ),
    (
        &["none with an accepted status: check LibCal.statuses"],
        || {
            with_ada()
                .booking(of_ada("cs_1").status("Mediated Tentative"))
                .run(&["check"])
        },
    ),
    (
        &["config.yml: holds a secret and is open to other accounts: run `chmod 600"],
        || {
            let sandbox = one_person();
            allow(&sandbox, "config.yml", 0o644);
            sandbox.run(&["check"])
        },
    ),
    (
        &["config.yml: can be changed by other accounts: run `chmod go-w"],
        || {
            let sandbox = one_person()
                .config("LibCal.client_secret", "file:a")
                .config("PassagePoint.password", "file:a")
                .config("Alma.apikeys", r#"["file:a"]"#);
            fs::write(sandbox.path("a"), "x").expect("a file");
            allow(&sandbox, "a", 0o600);
            allow(&sandbox, "config.yml", 0o664);
            sandbox.run(&["check"])
        },
    ),
];

const AS_ROOT: &[Case] = &[(
    &[
        "cache.db",
        "is open to other accounts: give it to this account with chown",
    ],
    || {
        let sandbox = one_person();
        sandbox.sync();
        allow(&sandbox, "config.yml", 0o644);
        allow(&sandbox, "", 0o777);
        allow(&sandbox, "cache.db", 0o666);
        chown(sandbox.path("cache.db.lock"), Some(NOBODY), None).expect("root may");
        run_unprivileged(&sandbox, &["check"])
    },
)];

/// What `check` says while a service answers such requests with this.
fn checked(service: Service, path: &str, body: &str) -> Run {
    let sandbox = one_person();
    sandbox.fault(
        Fault::on(service)
            .path(path)
            .answer(200, "application/json", body),
    );
    sandbox.run(&["check"])
}

fn through_proxy(sandbox: &Sandbox) -> Run {
    let mut command = sandbox.command(&["check"]);
    command.env("HTTPS_PROXY", "http://proxy.invalid:3128");
    Run::of(command)
}

fn allow(sandbox: &Sandbox, name: &str, mode: u32) {
    let mode = Permissions::from_mode(mode);
    fs::set_permissions(sandbox.path(name), mode).expect("its owner may");
}
