//! Visits in doubt: what makes them so, how the next pass tries them again, and when they are given up.

use crate::sandbox::{Booking, Fault, Sandbox, Service, User};
use crate::support::{
    assert_outage, assert_says, count_rows, good_sync, one_person, state_of, sync_needing_attention,
};

/// The appointments of which nobody knows whether they are registered.
pub const IN_DOUBT: &str = "appts WHERE asked_ends_at IS NOT NULL";

/// Requests for a pre-registration.
pub fn on_prereg() -> Fault {
    Fault::on(Service::PassagePoint).path("createPreReg")
}

/// How often the only visit of `cs_1`, which is an intent, was tried in vain.
pub fn attempts(sandbox: &Sandbox) -> i64 {
    let sql = "SELECT attempts FROM appts
               WHERE appt_id = 'cs_1' AND prereg_id IS NULL AND asked_ends_at IS NOT NULL";
    let cache = sandbox.cache();
    let attempts = cache.query_row(sql, [], |row| row.get(0));
    attempts.expect("an intent")
}

/// A pass that is not known to have registered `cs_1` asked for it once; the next, all being well again, says
/// so beforehand and registers it.
fn assert_in_doubt_until_the_next_pass(sandbox: &Sandbox, case: &str) {
    assert_eq!(
        sandbox
            .requests_to(Service::PassagePoint, "createPreReg")
            .len(),
        1,
        "{case}"
    );
    assert_eq!(state_of(sandbox, "cs_1"), "in doubt", "{case}");
    let before = sandbox.expected().len();
    sandbox.clear_faults();
    let said = sync_needing_attention(sandbox);
    let doubled = "error: possibly registered twice: 1 visit";
    assert_says(&said, &[doubled, "(cs_1 of G10000001)\n"]);
    assert_eq!(sandbox.expected().len(), before + 1, "{case}");
    assert_eq!(state_of(sandbox, "cs_1"), "registered", "{case}");
    assert_eq!(count_rows(sandbox, IN_DOUBT), 0, "{case}");
    good_sync(sandbox);
}

const UNREADABLE: [(&str, &str); 11] = [
    ("text/html", "<h1>Hello</h1>"),
    ("application/json", ""),
    ("application/json", "null"),
    ("application/json", "{}"),
    ("application/json", r#"{"data":[]}"#),
    ("application/json", r#"{"data":[{}]}"#),
    ("application/json", r#"{"data":[{"id":null}]}"#),
    ("application/json", r#"{"data":[{"id":1.5}]}"#),
    ("application/json", r#"{"data":[{"id":-7}]}"#),
    ("application/json", r#"{"data":[],"error":null}"#),
    ("application/json", r#"{"data":[{"id":1375"#),
];

#[test]
fn a_success_that_cannot_be_read_leaves_the_visit_in_doubt() {
    for (content_type, body) in UNREADABLE {
        let sandbox = one_person();
        sandbox.fault(on_prereg().answer_after(200, content_type, body));
        assert_outage(
            &sandbox,
            &["PassagePoint", "may or may not be registered", "cs_1"],
        );
        assert_eq!(attempts(&sandbox), 1, "{body}");
        assert_in_doubt_until_the_next_pass(&sandbox, body);
    }
}

#[test]
fn after_three_answers_that_cannot_be_read_a_visit_is_given_up_and_reported() {
    for (content_type, body) in &UNREADABLE[..5] {
        let sandbox = one_person();
        sandbox.add_user(User::new("G10000002").barcode("21000002"));
        sandbox.fault(on_prereg().answer(200, content_type, *body));
        for counted in 1..=2 {
            assert_outage(&sandbox, &["PassagePoint", "cs_1"]);
            assert_eq!(attempts(&sandbox), counted, "{body}");
        }
        let said = sync_needing_attention(&sandbox);
        let given_up = "warning: 1 booking given up after 3 attempts: ";
        let says = [given_up, "prune --appt", "(cs_1 of G10000001)\n"];
        assert_says(&said, &says);
        assert_says(&said, &["possibly registered twice", "(cs_1 of G10000001)"]);
        sandbox.clear_faults();
        sandbox.forget_requests();
        sandbox.add_booking(Booking::new("cs_2").by("G10000002"));
        let run = sandbox.sync();
        assert_eq!(run.code, 1, "{run:#?}");
        let is_over = |line: &str| line.contains("is responding again after");
        assert!(run.stderr.lines().all(is_over), "told already: {run:#?}");
        assert_eq!(state_of(&sandbox, "cs_1"), "in doubt", "{body}");
        // Only the other booking was asked for.
        assert_eq!(
            sandbox
                .requests_to(Service::PassagePoint, "createPreReg")
                .len(),
            1,
            "{body}"
        );
        let other = sandbox.visit("21000002", "LibCal Main", 30, 90);
        assert_eq!(sandbox.expected(), [other], "{body}");
    }
}

#[test]
fn a_connection_that_is_cut_leaves_the_visit_in_doubt() {
    type BreakOff = fn(Fault) -> Fault;
    let broken: [(BreakOff, usize); 3] = [
        (Fault::cut_before, 0),
        (Fault::cut_after, 1),
        (Fault::half_answer, 1),
    ];
    for (break_off, made) in broken {
        let sandbox = one_person().config("Network.tries", "3");
        sandbox.fault(break_off(on_prereg()));
        assert_outage(&sandbox, &["PassagePoint is not responding", "cs_1"]);
        assert_eq!(sandbox.expected().len(), made);
        assert_eq!(attempts(&sandbox), 1);
        assert_in_doubt_until_the_next_pass(&sandbox, &format!("{made} made"));
    }
}

#[test]
fn an_answer_that_does_not_come_leaves_the_visit_in_doubt() {
    let sandbox = one_person().config("Network.timeout_seconds", "1");
    let minute = std::time::Duration::from_secs(60);
    sandbox.fault(on_prereg().hang_after(minute));
    assert_outage(&sandbox, &["PassagePoint is not responding", "1 s", "cs_1"]);
    assert_eq!(sandbox.expected().len(), 1);
    assert_in_doubt_until_the_next_pass(&sandbox, "hangs");
}
