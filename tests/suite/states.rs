//! The states of a visit, and each way from one to another.

use serde_json::{Value, json};

use crate::sandbox::{Fault, Sandbox, Service};
use crate::support::{
    age_by_an_hour, assert_says, good_sync, of_ada, one_person, sync_after_outage,
    sync_during_outage, sync_needing_attention, with_ada,
};

/// The visits of a booking as a look-up for a program tells them: state, reason and LibCal's status.
pub fn visits(sandbox: &Sandbox, book_id: &str) -> Vec<[Value; 3]> {
    let run = sandbox.run(&["--json", "lookup-appt", book_id]);
    let told = |mut visit: Value| ["state", "reason", "status"].map(|field| visit[field].take());
    run.json().into_iter().map(told).collect()
}

/// The only visit of `cs_1` is in that state, for a reason that begins so.
pub fn assert_state(sandbox: &Sandbox, state: &str, reason: &str, status: &str) {
    let [visit] = visits(sandbox, "cs_1").try_into().expect("one visit");
    assert_eq!((&visit[0], &visit[2]), (&json!(state), &json!(status)));
    let told = visit[1].as_str().unwrap_or_default();
    assert!(told.starts_with(reason), "{visit:?}");
    assert_eq!(told.is_empty(), reason.is_empty(), "{visit:?}");
}

fn set_status(sandbox: &Sandbox, status: &str) {
    sandbox.edit_rows("cs_1", |row| row["status"] = status.into());
}

fn on_prereg() -> Fault {
    Fault::on(Service::PassagePoint).path("createPreReg")
}

#[test]
fn not_approved_then_registered() {
    let sandbox = with_ada().booking(of_ada("cs_1").status("Mediated Tentative"));
    good_sync(&sandbox);
    let reason = "its status in LibCal is \"Mediated Tentative\"";
    assert_state(&sandbox, "not approved", reason, "Mediated Tentative");
    set_status(&sandbox, "Mediated Approved");
    good_sync(&sandbox);
    assert_state(&sandbox, "registered", "", "Mediated Approved");
    assert_eq!(sandbox.expected().len(), 1);
}

#[test]
fn not_approved_then_cancelled() {
    let sandbox = with_ada().booking(of_ada("cs_1").status("Mediated Pending"));
    good_sync(&sandbox);
    set_status(&sandbox, "Cancelled by Admin");
    good_sync(&sandbox);
    assert_state(&sandbox, "cancelled", "", "Cancelled by Admin");
    assert_eq!(sandbox.expected(), []);
}

#[test]
fn not_approved_then_denied_which_libcal_does_not_list() {
    let sandbox = with_ada().booking(of_ada("cs_1").minutes(-10, 60).status("Mediated Pending"));
    good_sync(&sandbox);
    set_status(&sandbox, "Mediated Denied");
    good_sync(&sandbox);
    // Of the days whose lists are complete, that says enough; this one has begun.
    let reason = "LibCal no longer lists it: denied, deleted or moved to another day";
    assert_state(&sandbox, "cancelled", reason, "Mediated Pending");
    assert_eq!(sandbox.expected(), []);
}

#[test]
fn waiting_then_registered() {
    let sandbox = one_person();
    sandbox.stop(Service::Alma);
    sync_during_outage(&sandbox);
    let reason = "Alma is not responding: connection refused";
    assert_state(&sandbox, "waiting", reason, "Confirmed");
    sandbox.start(Service::Alma);
    sync_after_outage(&sandbox);
    assert_state(&sandbox, "registered", "", "Confirmed");
}

#[test]
fn waiting_then_refused() {
    let sandbox = Sandbox::new().booking(of_ada("cs_1"));
    sandbox.stop(Service::Alma);
    sync_during_outage(&sandbox);
    sandbox.start(Service::Alma);
    assert_says(&sync_needing_attention(&sandbox), &["not in Alma", "cs_1"]);
    assert_state(&sandbox, "refused", "not in Alma", "Confirmed");
}

#[test]
fn waiting_then_cancelled() {
    let sandbox = one_person();
    sandbox.stop(Service::PassagePoint);
    sync_during_outage(&sandbox);
    set_status(&sandbox, "Cancelled by User");
    sandbox.start(Service::PassagePoint);
    sync_after_outage(&sandbox);
    assert_state(&sandbox, "cancelled", "", "Cancelled by User");
    assert_eq!(sandbox.expected(), []);
}

#[test]
fn a_visit_whose_pass_was_killed_before_its_turn_waits() {
    let sandbox = one_person();
    let pass = sandbox.pause(Fault::on(Service::Alma), true);
    // What the plan found is in the cache before anybody is asked.
    assert_state(
        &sandbox,
        "waiting",
        "no pass has reached it yet",
        "Confirmed",
    );
    let told = sandbox.run(&["lookup-appt", "cs_1"]).stdout;
    assert_says(&told, &["; the next pass registers it\n"]);
    pass.kill();
    good_sync(&sandbox);
    assert_state(&sandbox, "registered", "", "Confirmed");
}

#[test]
fn refused_then_registered() {
    let sandbox = one_person();
    sandbox.fault(on_prereg().answer(422, "text/plain", "no"));
    sync_needing_attention(&sandbox);
    let reason = "PassagePoint refused the pre-registration (422)";
    assert_state(&sandbox, "refused", reason, "Confirmed");
    sandbox.clear_faults();
    good_sync(&sandbox);
    assert_state(&sandbox, "refused", reason, "Confirmed");
    age_by_an_hour(&sandbox);
    good_sync(&sandbox);
    assert_state(&sandbox, "registered", "", "Confirmed");
}

#[test]
fn refused_then_still_refused_while_alma_is_down() {
    let sandbox = Sandbox::new().booking(of_ada("cs_1"));
    sync_needing_attention(&sandbox);
    age_by_an_hour(&sandbox);
    sandbox.stop(Service::Alma);
    sync_during_outage(&sandbox);
    assert_state(&sandbox, "refused", "not in Alma", "Confirmed");
}

#[test]
fn refused_then_cancelled() {
    let sandbox = Sandbox::new().booking(of_ada("cs_1"));
    sync_needing_attention(&sandbox);
    set_status(&sandbox, "Cancelled by Admin");
    good_sync(&sandbox);
    assert_state(&sandbox, "cancelled", "", "Cancelled by Admin");
}

#[test]
fn one_visit_of_a_booking_that_is_refused_does_not_keep_the_other_from_being_registered() {
    let sandbox = one_person();
    sandbox.fault(on_prereg().answer(422, "text/plain", "no"));
    sync_needing_attention(&sandbox);
    sandbox.clear_faults();
    sandbox.add_booking(of_ada("cs_1").minutes(100, 160));
    good_sync(&sandbox);
    let states: Vec<_> = visits(&sandbox, "cs_1")
        .iter()
        .map(|visit| visit[0].clone())
        .collect();
    assert_eq!(states, ["refused", "registered"]);
}

#[test]
fn an_unknown_status_is_refused_by_name_until_it_is_configured() {
    let sandbox = with_ada()
        .booking(of_ada("cs_1").status("Blessed by the Dean"))
        .booking(
            of_ada("cs_2")
                .status("Blessed by the Dean")
                .minutes(100, 160),
        );
    let said = sync_needing_attention(&sandbox);
    let says = "2 bookings refused, status \"Blessed by the Dean\" is not known: add it to LibCal.statuses";
    assert_says(&said, &[says, "cs_1", "cs_2"]);
    assert_eq!(said.lines().count(), 1, "{said}");
    good_sync(&sandbox);
    let reason = "status \"Blessed by the Dean\" is not known";
    assert_state(&sandbox, "refused", reason, "Blessed by the Dean");
    sandbox.set_config("LibCal.statuses", r#"["Confirmed", "blessed by the dean"]"#);
    good_sync(&sandbox);
    assert_state(&sandbox, "registered", "", "Blessed by the Dean");
    assert_eq!(sandbox.expected().len(), 2);
}

#[test]
fn a_known_status_that_is_not_configured_is_not_approved() {
    let sandbox = one_person().config("LibCal.statuses", r#"["Mediated Approved"]"#);
    good_sync(&sandbox);
    let reason = "its status in LibCal is \"Confirmed\"";
    assert_state(&sandbox, "not approved", reason, "Confirmed");
}

#[test]
fn registered_then_cancelled_then_registered() {
    let sandbox = one_person();
    good_sync(&sandbox);
    set_status(&sandbox, "Cancelled by User");
    good_sync(&sandbox);
    assert_state(&sandbox, "cancelled", "", "Cancelled by User");
    let told = sandbox.run(&["lookup-appt", "cs_1"]).stdout;
    assert_says(&told, &["PassagePoint expects the person until"]);
    set_status(&sandbox, "Confirmed");
    good_sync(&sandbox);
    assert_state(&sandbox, "registered", "", "Confirmed");
    assert_eq!(
        sandbox.expected().len(),
        1,
        "the pre-registration was there"
    );
}

#[test]
fn registered_then_no_longer_approved_then_registered() {
    let sandbox = one_person();
    good_sync(&sandbox);
    set_status(&sandbox, "Mediated Tentative");
    good_sync(&sandbox);
    let reason = "its status in LibCal is \"Mediated Tentative\"";
    assert_state(&sandbox, "not approved", reason, "Mediated Tentative");
    let told = sandbox.run(&["lookup-appt", "cs_1"]).stdout;
    assert_says(&told, &["PassagePoint expects the person until"]);
    set_status(&sandbox, "Mediated Approved");
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 1);
}

#[test]
fn registered_then_lengthened_during_an_outage_waits_and_says_until_when_it_is_registered() {
    let sandbox = one_person();
    good_sync(&sandbox);
    let later = chrono::DateTime::from_timestamp(sandbox.now() + 150 * 60, 0).expect("a time");
    sandbox.edit_rows("cs_1", |row| row["toDate"] = later.to_rfc3339().into());
    sandbox.stop(Service::PassagePoint);
    sync_during_outage(&sandbox);
    assert_state(
        &sandbox,
        "waiting",
        "PassagePoint is not responding",
        "Confirmed",
    );
    let told = sandbox.run(&["lookup-appt", "cs_1"]).stdout;
    assert_says(&told, &["PassagePoint expects the person until"]);
    sandbox.start(Service::PassagePoint);
    sync_after_outage(&sandbox);
    assert_state(&sandbox, "registered", "", "Confirmed");
    assert_eq!(sandbox.expected().len(), 2);
}

#[test]
fn a_visit_that_became_longer_is_not_over_when_its_first_end_is() {
    let sandbox = one_person();
    good_sync(&sandbox);
    // Its first end is over, and PassagePoint will not have the second.
    crate::support::sql(
        &sandbox,
        "UPDATE appts SET registered_ends_at = clock() - 60, ends_at = clock() - 60",
    );
    sandbox.fault(on_prereg().answer(422, "text/plain", "no"));
    sync_needing_attention(&sandbox);
    let told = sandbox.run(&["lookup-appt", "cs_1"]).stdout;
    assert_says(&told, &["cs_1 of G10000001: refused\n"]);
    let status = sandbox.run(&["status"]);
    assert_eq!(status.code, 1, "{status:#?}");
    assert_says(&status.stdout, &["visits not over yet: 1 refused"]);
    assert_eq!(sandbox.run(&["prune"]).code, 0);
    assert_eq!(visits(&sandbox, "cs_1").len(), 1);
}

#[test]
fn a_visit_that_was_pruned_when_it_was_over_does_not_come_back() {
    let sandbox = with_ada().booking(of_ada("cs_1").minutes(-90, -30));
    good_sync(&sandbox);
    assert_eq!(sandbox.run(&["prune"]).code, 0);
    good_sync(&sandbox);
    assert_eq!(visits(&sandbox, "cs_1").len(), 0);
    // One that was booked and over between two passes was never known.
    crate::support::sql(&sandbox, "UPDATE last_pass SET ended_at = ended_at - 7200");
    good_sync(&sandbox);
    assert_state(
        &sandbox,
        "waiting",
        "it ended before a pass could register it",
        "Confirmed",
    );
}

#[test]
fn a_visit_held_up_by_alma_while_its_visitor_is_looked_for_waits() {
    let sandbox = one_person();
    good_sync(&sandbox);
    sandbox.world().visitors.clear();
    sandbox.world().preregs.clear();
    sandbox.add_booking(of_ada("cs_2").minutes(100, 160));
    sandbox.stop(Service::Alma);
    sync_during_outage(&sandbox);
    let [visit] = visits(&sandbox, "cs_2").try_into().expect("one visit");
    assert_eq!(visit[0], "waiting");
}

#[test]
fn in_doubt_then_given_up_then_pruned() {
    let sandbox = one_person();
    sandbox.fault(on_prereg().cut_after());
    for _ in 0..2 {
        sync_during_outage(&sandbox);
        assert_state(
            &sandbox,
            "in doubt",
            "PassagePoint is not responding",
            "Confirmed",
        );
    }
    sync_during_outage(&sandbox);
    assert_state(
        &sandbox,
        "in doubt",
        "given up after 3 attempts",
        "Confirmed",
    );
    sandbox.clear_faults();
    let run = sandbox.run(&["prune", "--appt", "cs_1"]);
    assert_says(&run.stderr, &["in doubt", "registers again"]);
    assert_eq!(visits(&sandbox, "cs_1"), Vec::<[Value; 3]>::new());
    sync_after_outage(&sandbox);
    assert_state(&sandbox, "registered", "", "Confirmed");
}

#[test]
fn in_doubt_then_cancelled_says_that_it_may_be_registered() {
    let sandbox = one_person();
    sandbox.fault(on_prereg().cut_after());
    sync_during_outage(&sandbox);
    sandbox.clear_faults();
    set_status(&sandbox, "Cancelled by User");
    sync_after_outage(&sandbox);
    assert_state(&sandbox, "cancelled", "", "Cancelled by User");
    let told = sandbox.run(&["lookup-appt", "cs_1"]).stdout;
    assert_says(&told, &["PassagePoint may still expect the person"]);
    // Booked back, it is what it was.
    set_status(&sandbox, "Confirmed");
    assert_says(
        &sync_needing_attention(&sandbox),
        &["possibly registered twice", "cs_1"],
    );
    assert_state(&sandbox, "registered", "", "Confirmed");
}

#[test]
fn a_visit_that_was_over_before_a_pass_came_to_it_says_so() {
    let sandbox = with_ada().booking(of_ada("cs_1").minutes(-90, -30));
    good_sync(&sandbox);
    let reason = "it ended before a pass could register it";
    assert_state(&sandbox, "waiting", reason, "Confirmed");
    let told = sandbox.run(&["lookup-appt", "cs_1"]).stdout;
    assert_says(&told, &["cs_1 of G10000001: waiting, over\n"]);
    assert!(!told.contains("the next pass"), "{told}");
}

#[test]
fn a_visit_that_is_over_stays_what_it_was() {
    let sandbox = one_person();
    good_sync(&sandbox);
    let ago = |minutes: i64| {
        let time = chrono::DateTime::from_timestamp(sandbox.now() - minutes * 60, 0);
        Value::from(time.expect("a time").to_rfc3339())
    };
    sandbox.remove_rows("cs_1");
    let over = of_ada("cs_1").status("Cancelled by User");
    sandbox.add_booking(over.with("toDate", ago(1)).with("fromDate", ago(60)));
    crate::support::sql(
        &sandbox,
        &format!(
            "UPDATE appts SET starts_at = {now} - 3600, ends_at = {now} - 60",
            now = sandbox.now()
        ),
    );
    good_sync(&sandbox);
    assert_state(&sandbox, "registered", "", "Confirmed");
}

#[test]
fn a_visit_that_has_ended_since_the_last_pass_stays_registered() {
    let sandbox = one_person();
    good_sync(&sandbox);
    sandbox.pass_time(24 * 60);
    good_sync(&sandbox);
    assert_state(&sandbox, "registered", "", "Confirmed");
}
