//! Why a booking, a user or a visit is refused.

use serde_json::{Value, json};

use super::services;
use super::{Case, Part, pass};
use crate::sandbox::{Booking, Fault, Run, Sandbox, Service, User};
use crate::support::{create_python_cache, of_ada, one_person, with_ada};

pub static PART: Part = Part {
    sources: &["libcal/row", "libcal/status", "model/reason"],
    cases: CASES,
    as_root: &[],
    unseen: &[(
        "mediated denied",
        "it is compared with, and a row that has it is cancelled, of which the status is not told",
    )],
};

const CASES: &[Case] = &[
    // Rows that cannot be read.
    (
        &[
            "1 booking refused, unreadable row",
            "not a JSON object",
            "a row of location 8827",
        ],
        || pass(&Sandbox::new().raw_row(8827, json!("oh no"))),
    ),
    (&["no bookId", "row 42"], || row("bookId", &Value::Null)),
    (&["bookId is longer than 255 characters"], || {
        row("bookId", &json!("x".repeat(300)))
    }),
    (&["status is longer than 255 characters", "cs_1"], || {
        row("status", &json!("x".repeat(300)))
    }),
    (&["no status", "cs_1"], || row("status", &Value::Null)),
    (&["fromDate is not a time", "cs_1"], || {
        row("fromDate", &json!("noon"))
    }),
    (&["toDate is not a time", "cs_1"], || {
        row("toDate", &json!("noon"))
    }),
    (&["toDate is not after fromDate", "cs_1"], || {
        pass(&with_ada().booking(of_ada("cs_1").minutes(60, 60)))
    }),
    (&["lid is not a number", "cs_1"], || {
        row("lid", &json!("main"))
    }),
    // Statuses.
    (
        &[
            "status \"Mediated Maybe\" is not known",
            "LibCal.statuses",
            "cs_1 of G10000001",
        ],
        || pass(&with_ada().booking(of_ada("cs_1").status("Mediated Maybe"))),
    ),
    (
        &["its status in LibCal is \"Mediated Tentative\"", "cs_1"],
        || not_approved("Mediated Tentative"),
    ),
    (&["\"Mediated Pending\"", "cs_1"], || {
        not_approved("Mediated Pending")
    }),
    (&["\"Confirmed (Payment Pending)\"", "cs_1"], || {
        not_approved("Confirmed (Payment Pending)")
    }),
    (&["\"Booked in Outlook/Exchange\"", "cs_1"], || {
        not_approved("Booked in Outlook/Exchange")
    }),
    (&["Mediated Approved"], || one_person().run(&["check"])),
    // The ID on the form, and the location.
    (&["no primary ID on the booking form", "cs_1"], || {
        pass(&Sandbox::new().booking(Booking::new("cs_1").by(" ")))
    }),
    (
        &["the primary ID on the booking form is not valid", "cs_1"],
        || pass(&Sandbox::new().booking(Booking::new("cs_1").by(&"9".repeat(300)))),
    ),
    (
        &[
            "nothing on the booking form looks like a primary ID",
            "LibCal.primary_id_pattern",
            "cs_1",
        ],
        || {
            let sandbox = Sandbox::new().booking(Booking::new("cs_1").by("me"));
            pass(&sandbox.config("LibCal.primary_id_pattern", r"G\d{8}"))
        },
    ),
    (
        &[
            "the booking is for location 4711",
            "PassagePoint.location_mapping",
            "cs_1 of G10000001",
        ],
        || row("lid", &json!(4711)),
    ),
    // Alma.
    (&["1 user refused, not in Alma", "G404 with cs_1"], || {
        pass(&Sandbox::new().booking(Booking::new("cs_1").by("G404")))
    }),
    (
        &["no active barcode in Alma", "G10000001 with cs_1"],
        || {
            let user = User::new("G10000001").inactive_barcode("21000001");
            pass(&Sandbox::new().user(user).booking(of_ada("cs_1")))
        },
    ),
    (&["inactive in Alma", "G10000001 with cs_1"], || {
        user("status", json!({"value": "INACTIVE"}))
    }),
    (
        &["expired in Alma on 2 Jan 2020", "G10000001 with cs_1"],
        || user("expiry_date", json!("2020-01-02Z")),
    ),
    (&["blocked in Alma", "G10000001 with cs_1"], || {
        user("user_block", json!([{"block_status": "ACTIVE"}]))
    }),
    // PassagePoint.
    (
        &[
            "PassagePoint refused to create the visitor (422)",
            "G10000001 with cs_1",
        ],
        || answered("createVisitor", 422, r#"{"error": "no"}"#),
    ),
    (
        &[
            "PassagePoint refused to create the visitor (200 with an error)",
            "G10000001",
        ],
        || answered("createVisitor", 200, r#"{"error": "no"}"#),
    ),
    (
        &["does not return exactly one visitor for it", "G10000001"],
        || {
            let sandbox = one_person();
            sandbox.add_visitor("21000001");
            let found = Fault::on(Service::PassagePoint).path("byUniqueId");
            sandbox.fault(found.answer(200, "application/json", r#"{"data": []}"#));
            pass(&sandbox)
        },
    ),
    (
        &[
            "PassagePoint refused the pre-registration (422)",
            "cs_1 of G10000001",
        ],
        || answered("createPreReg", 422, r#"{"error": "no"}"#),
    ),
    (
        &[
            "PassagePoint has no destination \"LibCal Moon\"",
            "PassagePoint.location_mapping",
            "cs_1",
        ],
        || pass(&one_person().config("PassagePoint.location_mapping.8827", "LibCal Moon")),
    ),
    // Why a visit is in another state; look-ups of one visit tell it in whole.
    (&["given up after 3 attempts", "cs_1 of G10000001"], || {
        let sandbox = one_person();
        sandbox.fault(
            Fault::on(Service::PassagePoint)
                .path("createPreReg")
                .cut_after(),
        );
        pass(&sandbox);
        pass(&sandbox);
        pass(&sandbox)
    }),
    (
        &[
            "cancelled, its pre-registration also covers booking cs_2",
            "cs_1 of G10000001",
        ],
        || {
            let sandbox = covering_another();
            cancel(&sandbox);
            pass(&sandbox)
        },
    ),
    (
        &[
            "LibCal no longer lists it; its pre-registration also covers booking cs_2",
            "cs_1 of G10000001",
        ],
        || {
            let sandbox = covering_another();
            sandbox.remove_rows("cs_1");
            pass(&sandbox)
        },
    ),
    (&["no pass has reached it yet", "cs_1"], || {
        let sandbox = one_person();
        sandbox.pause(Fault::on(Service::Alma), true).kill();
        sandbox.run(&["--json", "lookup-appt", "cs_1"])
    }),
    (&["the last attempt was interrupted", "cs_1"], || {
        let sandbox = one_person();
        sandbox
            .pause(Fault::on(Service::PassagePoint).path("createPreReg"), true)
            .kill();
        sandbox.run(&["--json", "lookup-appt", "cs_1"])
    }),
    (
        &["it ended before a pass could register it", "cs_1"],
        || {
            let sandbox = with_ada().booking(of_ada("cs_1").minutes(-60, -30));
            sandbox.sync();
            sandbox.run(&["--json", "lookup-appt", "cs_1"])
        },
    ),
    (
        &["moved in LibCal to another person, place or time", "cs_1"],
        || {
            let sandbox = one_person();
            sandbox.sync();
            sandbox.edit_rows("cs_1", |row| row["lid"] = 10332.into());
            sandbox.sync();
            sandbox.run(&["--json", "lookup-appt", "cs_1"])
        },
    ),
    (&["LibCal no longer lists it", "cs_1"], || {
        let sandbox = with_ada().booking(of_ada("cs_1").minutes(-20, 20));
        sandbox.sync();
        sandbox.remove_rows("cs_1");
        sandbox.sync();
        sandbox.run(&["--json", "lookup-appt", "cs_1"])
    }),
    (&["registered by the Python program", "cs_1"], || {
        let sandbox = Sandbox::new();
        create_python_cache(&sandbox, "INSERT INTO appts VALUES ('cs_1', '138');");
        sandbox.run(&["--json", "lookup-appt", "cs_1"])
    }),
];

/// A booking whose pre-registration covers another one.
fn covering_another() -> Sandbox {
    let sandbox = one_person();
    sandbox.sync();
    sandbox.add_booking(of_ada("cs_2").minutes(40, 80));
    sandbox.sync();
    sandbox
}

/// A pass over a booking whose row has this value in that field.
fn row(field: &str, value: &Value) -> Run {
    pass(
        &with_ada().booking(
            of_ada("cs_1")
                .with("id", 42.into())
                .with(field, value.clone()),
        ),
    )
}

/// What the desk is told of a booking with this status.
fn not_approved(status: &str) -> Run {
    let sandbox = with_ada().booking(of_ada("cs_1").status(status));
    sandbox.sync();
    sandbox.run(&["status"])
}

/// A pass over a booking of a user who has this value in that field, where all that can be refused is.
fn user(field: &str, value: Value) -> Run {
    let user = User::new("G10000001")
        .barcode("21000001")
        .with(field, value);
    let sandbox = Sandbox::new().user(user).booking(of_ada("cs_1"));
    pass(&sandbox.config("Alma.refuse", r#"["inactive", "expired", "blocked"]"#))
}

/// A pass in which PassagePoint answers all such requests in one way.
fn answered(path: &str, status: u16, body: &str) -> Run {
    services::answered(Service::PassagePoint, path, status, body)
}

fn cancel(sandbox: &Sandbox) {
    sandbox.edit_rows("cs_1", |row| row["status"] = "Cancelled by User".into());
}
