//! Until there is an outcome, a visit keeps its state if that says more than that it waits.

use chrono::DateTime;

use crate::sandbox::{Fault, Sandbox, Service};
use crate::states::assert_state;
use crate::support::{
    assert_says, good_sync, of_ada, one_person, sandbox_in_doubt, sync_after_outage,
    sync_during_outage, sync_needing_attention, with_ada,
};

/// The only visit of `cs_1` is in that state, for a reason that begins so.
fn is(sandbox: &Sandbox, state: &str, reason: &str) {
    assert_state(sandbox, state, reason, "Confirmed");
}

fn set_status(sandbox: &Sandbox, status: &str) {
    sandbox.edit_rows("cs_1", |row| row["status"] = status.into());
}

fn set_end(sandbox: &Sandbox, minutes: i64) {
    let end = DateTime::from_timestamp(sandbox.now() + minutes * 60, 0).expect("a time");
    sandbox.edit_rows("cs_1", |row| row["toDate"] = end.to_rfc3339().into());
}

#[test]
fn a_visit_that_waits_for_an_outage_keeps_it_as_its_reason_while_no_pass_comes_to_it() {
    let sandbox = one_person();
    sandbox.stop(Service::Alma);
    sync_during_outage(&sandbox);
    sandbox.start(Service::Alma);
    let pass = sandbox.pause(Fault::on(Service::Alma), true);
    is(&sandbox, "waiting", "Alma is not responding");
    pass.kill();
    sync_after_outage(&sandbox);
    is(&sandbox, "registered", "");
}

#[test]
fn a_visit_that_was_refused_for_its_row_waits_once_that_is_mended() {
    let sandbox = one_person();
    set_status(&sandbox, "Blessed by the Dean");
    assert_says(&sync_needing_attention(&sandbox), &["is not known", "cs_1"]);
    set_status(&sandbox, "Confirmed");
    sandbox.stop(Service::PassagePoint);
    sync_during_outage(&sandbox);
    is(&sandbox, "waiting", "PassagePoint is not responding");
    sandbox.start(Service::PassagePoint);
    sync_after_outage(&sandbox);
    is(&sandbox, "registered", "");
}

#[test]
fn a_visit_in_doubt_stays_so_with_its_cause_while_it_is_not_tried_again_though_it_was_cancelled() {
    let sandbox = sandbox_in_doubt();
    sandbox.stop(Service::PassagePoint);
    sync_during_outage(&sandbox);
    is(&sandbox, "in doubt", "PassagePoint is not responding");
    set_status(&sandbox, "Cancelled by User");
    sync_during_outage(&sandbox);
    set_status(&sandbox, "Confirmed");
    sync_during_outage(&sandbox);
    is(&sandbox, "in doubt", "the last attempt was interrupted");
}

#[test]
fn a_visit_that_was_over_too_soon_waits_once_libcal_made_it_longer() {
    let sandbox = with_ada().booking(of_ada("cs_1").minutes(-90, -30));
    good_sync(&sandbox);
    is(
        &sandbox,
        "waiting",
        "it ended before a pass could register it",
    );
    set_end(&sandbox, 60);
    let pass = sandbox.pause(Fault::on(Service::Alma), true);
    is(&sandbox, "waiting", "no pass has reached it yet");
    pass.kill();
}

#[test]
fn a_refused_visit_that_libcal_made_so_short_that_it_is_over_needs_no_attention() {
    let sandbox = Sandbox::new().booking(of_ada("cs_1").minutes(-20, 60));
    assert_says(&sync_needing_attention(&sandbox), &["not in Alma", "cs_1"]);
    assert_eq!(sandbox.run(&["status"]).code, 1);
    set_end(&sandbox, -1);
    good_sync(&sandbox);
    let told = sandbox.run(&["lookup-appt", "cs_1"]).stdout;
    assert_says(&told, &["cs_1 of G10000001: refused, over\n"]);
    assert_eq!(sandbox.run(&["status"]).code, 0);
}
