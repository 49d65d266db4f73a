//! What several tests ask of a run.

use crate::sandbox::{Booking, Run, Sandbox, User};

/// Runs a pass that must find nothing for a person to do, and in which no service was asked anything wrong.
pub fn good_sync(sandbox: &Sandbox) {
    let run = sandbox.sync();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_right(sandbox);
}

/// Runs a pass that must need a person, and returns what it said to them.
pub fn needy_sync(sandbox: &Sandbox) -> String {
    let run = sandbox.sync();
    assert_eq!(run.code, 1, "{run:#?}");
    assert_ne!(run.stderr, "", "somebody must be told");
    assert_right(sandbox);
    run.stderr
}

/// No service was asked anything wrong.
pub fn assert_right(sandbox: &Sandbox) {
    assert_eq!(sandbox.complaints(), [""; 0]);
}

/// The one JSON object that a run printed.
pub fn one_json(run: &Run) -> serde_json::Value {
    let mut lines = run.json();
    assert_eq!(lines.len(), 1, "{run:#?}");
    lines.remove(0)
}

/// Runs a statement on the sandbox's cache.
pub fn sql(sandbox: &Sandbox, statement: &str) {
    sandbox
        .cache()
        .execute_batch(statement)
        .expect("the statement is right");
}

/// A sandbox with one user, who can be let in.
pub fn with_ada() -> Sandbox {
    Sandbox::new().user(User::new("G10000001").barcode("21000001"))
}

/// A booking by that user.
pub fn of_ada(book_id: &str) -> Booking {
    Booking::new(book_id).by("G10000001")
}
