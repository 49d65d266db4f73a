//! What is said of LibCal, Alma and PassagePoint when they fail, and what that kept from being done.

use super::{Case, Part, pass};
use crate::changing_lists::three_pages;
use crate::libcal_pages::at_page;
use crate::sandbox::{Booking, Fault, Run, Sandbox, Service, User};
use crate::support::{of_ada, one_person};

pub static PART: Part = Part {
    sources: &["alma", "fetch", "libcal", "passagepoint", "report"],
    cases: CASES,
    as_root: &[],
    unseen: &[
        (
            "LibCal's list did not end within",
            "it takes long; `bounds` tries it",
        ),
        (
            "reading the lists with fewer threads",
            "the system would have to be out of threads",
        ),
        (
            "LibCal's list could not be read: internal error",
            "it takes a panic of this program",
        ),
        (
            "LibCal's list was not read",
            "it takes an error of this program",
        ),
        (
            "an array of rows",
            "it is for the JSON package, which words it into its error, and that is not printed",
        ),
        ("too many rows", "as above"),
    ],
};

const CASES: &[Case] = &[
    // LibCal.
    (
        &[
            "LibCal rejected the credentials (400 Bad Request with the error invalid_client)",
            "LibCal.client_id",
        ],
        || {
            answered(
                Service::LibCal,
                "token",
                400,
                r#"{"error": "invalid_client"}"#,
            )
        },
    ),
    (
        &[
            "LibCal did not issue a token (200 OK with unexpected content)",
            "LibCal.credentials_endpt",
        ],
        || answered(Service::LibCal, "token", 200, "{}"),
    ),
    (
        &[
            "LibCal rejected a new token (401 Unauthorized)",
            "LibCal.bookings_endpt",
        ],
        || answered(Service::LibCal, "bookings", 401, ""),
    ),
    (
        &[
            "LibCal did not return the bookings (403 Forbidden)",
            "LibCal.client_id",
            "sp_r",
        ],
        || answered(Service::LibCal, "bookings", 403, ""),
    ),
    (
        &[
            "(400 Bad Request with an error)",
            "the IDs in LibCal.locations",
        ],
        || {
            answered(
                Service::LibCal,
                "bookings",
                400,
                r#"{"error": "No such place."}"#,
            )
        },
    ),
    (&["(404 Not Found)", "LibCal.bookings_endpt"], || {
        answered(Service::LibCal, "bookings", 404, "")
    }),
    (
        &[
            "LibCal sent an unexpected response (not a list of bookings)",
            "check LibCal.bookings_endpt",
        ],
        || answered(Service::LibCal, "bookings", 200, "[1,"),
    ),
    (
        &[
            "LibCal sent more than 10000 rows on one page",
            "check LibCal.bookings_endpt",
        ],
        || {
            let page = format!("[{}0]", "0,".repeat(10_000));
            answered(Service::LibCal, "bookings", 200, &page)
        },
    ),
    (
        &[
            "Main Library (8827)",
            "LibCal's list changed each time it was read (3 times)",
        ],
        || {
            let sandbox = three_pages();
            for nth in 1..=3 {
                at_page(&sandbox, "2", nth, |world| {
                    world.rows.remove(0);
                });
            }
            pass(&sandbox)
        },
    ),
    // Alma.
    (
        &[
            "Alma's daily request limit for API key 1 is used up",
            "cs_1",
        ],
        || answered(Service::Alma, "", 429, &alma_error("DAILY_THRESHOLD")),
    ),
    (
        &["Alma rejected API key 1 (403 Forbidden)", "Alma.apikeys"],
        || answered(Service::Alma, "", 403, &alma_error("FORBIDDEN")),
    ),
    (
        &[
            "Alma sent an unexpected response (not a user record)",
            "Alma.users_endpt",
        ],
        || answered(Service::Alma, "", 200, "{}"),
    ),
    (
        &["Alma could not look up the user (400 Bad Request)", "cs_1"],
        || answered(Service::Alma, "", 400, ""),
    ),
    (
        &[
            "Alma could not look up the user (404 Not Found)",
            "Alma.users_endpt",
        ],
        || answered(Service::Alma, "", 404, ""),
    ),
    // PassagePoint.
    (
        &[
            "PassagePoint rejected the login (401 Unauthorized with an error)",
            "PassagePoint.password",
        ],
        || answered(Service::PassagePoint, "login", 401, r#"{"error": "no"}"#),
    ),
    (
        &[
            "PassagePoint did not issue a token (200 OK)",
            "PassagePoint.login_endpt",
        ],
        || answered(Service::PassagePoint, "login", 200, "{}"),
    ),
    (
        &[
            "PassagePoint rejected a new token (401 Unauthorized)",
            "PassagePoint.username",
        ],
        || answered(Service::PassagePoint, "createVisitor", 401, ""),
    ),
    (
        &[
            "(405 Method Not Allowed)",
            "PassagePoint.create_visitor_endpt",
        ],
        || answered(Service::PassagePoint, "createVisitor", 405, ""),
    ),
    (
        &["(404 Not Found)", "PassagePoint.create_prereg_endpt"],
        || answered(Service::PassagePoint, "createPreReg", 404, ""),
    ),
    (&["(404 Not Found)", "PassagePoint.uniqueId_endpt"], || {
        let sandbox = alone();
        sandbox.add_visitor("21000001");
        sandbox.fault(
            Fault::on(Service::PassagePoint)
                .path("byUniqueId")
                .answer(404, "", ""),
        );
        pass(&sandbox)
    }),
    (
        &["(404 Not Found)", "PassagePoint.get_destinations_endpt"],
        || {
            let sandbox = alone();
            sandbox.fault(
                Fault::on(Service::PassagePoint)
                    .path("getDestinations")
                    .answer(404, "", ""),
            );
            sandbox.run(&["check"])
        },
    ),
    (
        &[
            "PassagePoint sent an unexpected response (200 OK)",
            "1 visit may or may not be registered",
            "cs_1",
        ],
        || answered(Service::PassagePoint, "createPreReg", 200, "{}"),
    ),
    (
        &["1 visit may or may not be registered; tried again once an hour (booking cs_1)"],
        || {
            let sandbox = one_person();
            let prereg = Fault::on(Service::PassagePoint).path("createPreReg");
            sandbox.fault(prereg.answer(500, "text/plain", "oh no"));
            for _ in 0..3 {
                sandbox.sync();
            }
            pass(&sandbox)
        },
    ),
    // What an outage leads to, and its end.
    (&["1 visit waits for the next pass (booking cs_1)"], || {
        answered(Service::Alma, "", 500, "")
    }),
    (
        &["1 known user could not be checked; the stored barcode was used (G10000001)"],
        || {
            let sandbox = alone().config("Alma.refresh_days", "0");
            sandbox.sync();
            sandbox.add_booking(of_ada("cs_2").minutes(100, 160));
            sandbox.stop(Service::Alma);
            pass(&sandbox)
        },
    ),
    (
        &[
            "2 known users could not be checked; the stored barcodes were used (G10000001, G10000002)",
        ],
        || {
            let sandbox = alone().config("Alma.refresh_days", "0");
            sandbox.add_user(User::new("G10000002").barcode("21000002"));
            sandbox.add_booking(Booking::new("cs_2").by("G10000002"));
            sandbox.sync();
            sandbox.add_booking(of_ada("cs_3").minutes(100, 160));
            sandbox.add_booking(Booking::new("cs_4").by("G10000002").minutes(100, 160));
            sandbox.stop(Service::Alma);
            pass(&sandbox)
        },
    ),
    (&["Alma is responding again after less than 1 min"], || {
        let sandbox = alone();
        sandbox.stop(Service::Alma);
        pass(&sandbox);
        sandbox.start(Service::Alma);
        sandbox.sync()
    }),
    (
        &["Alma accepts API key 1 again after less than 1 min"],
        || {
            let sandbox = alone();
            sandbox.fault(Fault::on(Service::Alma).times(1).answer(
                403,
                "application/json",
                alma_error("FORBIDDEN"),
            ));
            pass(&sandbox);
            sandbox.sync()
        },
    ),
];

/// A person with a booking; nothing is tried twice.
pub fn alone() -> Sandbox {
    one_person().config("Network.tries", "1")
}

/// A pass that meets that fault.
pub fn met(fault: Fault) -> Run {
    let sandbox = alone();
    sandbox.fault(fault);
    pass(&sandbox)
}

/// A pass in which a service answers all such requests in one way.
pub fn answered(service: Service, path: &str, status: u16, body: &str) -> Run {
    met(Fault::on(service)
        .path(path)
        .answer(status, "application/json", body))
}

fn alma_error(code: &str) -> String {
    let error = serde_json::json!({"errorCode": code, "errorMessage": "no"});
    serde_json::json!({"errorsExist": true, "errorList": {"error": [error]}}).to_string()
}
