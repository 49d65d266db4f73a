//! The desk: somebody cannot get in, and one look-up says why.

use std::time::Duration;

use crate::sandbox::{Booking, Fault, Run, Sandbox, Service, User};
use crate::support::{
    assert_says, good_sync, of_ada, one_person, sql, sync_needing_attention, with_ada,
};

/// What one look-up of a user says, both outputs.
fn asked(sandbox: &Sandbox, args: &[&str], code: i32) -> String {
    let run = sandbox.run(args);
    assert_eq!(run.code, code, "{run:#?}");
    run.stdout + &run.stderr
}

fn of_user(sandbox: &Sandbox, primary_id: &str) -> String {
    asked(sandbox, &["lookup-user", primary_id], 0)
}

#[test]
fn the_booking_is_not_approved_yet() {
    let sandbox = with_ada().booking(of_ada("cs_1").status("Mediated Tentative"));
    good_sync(&sandbox);
    let told = of_user(&sandbox, "g10000001");
    let says = [
        "cs_1 of G10000001: not approved",
        "its status in LibCal is \"Mediated Tentative\"",
    ];
    assert_says(&told, &says);
}

#[test]
fn alma_is_not_responding() {
    let sandbox = one_person();
    sandbox.stop(Service::Alma);
    assert_eq!(sandbox.sync().code, 1);
    let told = of_user(&sandbox, "G10000001");
    let says = [
        "cs_1 of G10000001: waiting",
        "Alma",
        "connection refused",
        "the next pass tries again",
    ];
    assert_says(&told, &says);
}

#[test]
fn the_booking_was_cancelled() {
    let sandbox = with_ada().booking(of_ada("cs_1").cancelled());
    good_sync(&sandbox);
    assert_says(
        &of_user(&sandbox, "G10000001"),
        &["cs_1 of G10000001: cancelled"],
    );
}

#[test]
fn the_booking_is_over() {
    let sandbox = one_person();
    good_sync(&sandbox);
    sql(
        &sandbox,
        "UPDATE appts SET starts_at = starts_at - 7200, ends_at = ends_at - 7200",
    );
    let told = of_user(&sandbox, "G10000001");
    assert_says(&told, &["cs_1 of G10000001: registered, over"]);
}

#[test]
fn the_id_is_not_in_alma() {
    let sandbox = Sandbox::new().booking(of_ada("cs_1"));
    sync_needing_attention(&sandbox);
    let says = ["cs_1 of G10000001: refused", "not in Alma: correct the ID"];
    assert_says(&of_user(&sandbox, "G10000001"), &says);
}

#[test]
fn the_card_was_lost() {
    let sandbox = Sandbox::new()
        .user(User::new("G10000001").inactive_barcode("20999999"))
        .booking(of_ada("cs_1"));
    sync_needing_attention(&sandbox);
    let says = ["cs_1 of G10000001: refused", "no active barcode in Alma"];
    assert_says(&of_user(&sandbox, "G10000001"), &says);
}

#[test]
fn the_form_has_no_id() {
    let sandbox = Sandbox::new().booking(Booking::new("cs_1").no_answer());
    sync_needing_attention(&sandbox);
    let told = asked(&sandbox, &["lookup-appt", "cs_1"], 0);
    assert_says(
        &told,
        &["cs_1: refused", "no primary ID on the booking form"],
    );
}

#[test]
fn passagepoint_refuses_the_visit() {
    let sandbox = one_person();
    let prereg = Fault::on(Service::PassagePoint).path("createPreReg");
    sandbox.fault(prereg.answer(409, "text/plain", "no"));
    sync_needing_attention(&sandbox);
    let says = [
        "cs_1 of G10000001: refused",
        "PassagePoint refused the pre-registration (409)",
    ];
    assert_says(&of_user(&sandbox, "G10000001"), &says);
}

#[test]
fn the_booking_was_moved_to_another_time() {
    let sandbox = one_person();
    good_sync(&sandbox);
    sandbox.remove_rows("cs_1");
    sandbox.add_booking(of_ada("cs_1").minutes(31, 91));
    good_sync(&sandbox);
    let told = of_user(&sandbox, "G10000001");
    let says = [
        "cs_1 of G10000001: cancelled",
        "moved in LibCal to another person, place or time",
    ];
    assert_says(&told, &says);
    assert_says(&told, &["cs_1 of G10000001: registered"]);
}

#[test]
fn nobody_knows_whether_it_is_registered() {
    let sandbox = one_person();
    let prereg = Fault::on(Service::PassagePoint).path("createPreReg");
    sandbox.fault(prereg.hang_after(Duration::from_secs(60)));
    assert_eq!(sandbox.sync().code, 1);
    let says = [
        "cs_1 of G10000001: in doubt",
        "PassagePoint",
        "no response within 2 s",
    ];
    assert_says(&of_user(&sandbox, "G10000001"), &says);
}

#[test]
fn the_status_is_unknown() {
    let sandbox = with_ada().booking(of_ada("cs_1").status("Blessed"));
    sync_needing_attention(&sandbox);
    let says = [
        "cs_1 of G10000001: refused",
        "status \"Blessed\" is not known",
    ];
    assert_says(&of_user(&sandbox, "G10000001"), &says);
}

#[test]
fn nothing_was_booked_with_this_id() {
    let sandbox = one_person();
    good_sync(&sandbox);
    for (args, says) in [
        (
            ["lookup-user", "G1"],
            "nothing is known of the user G1: no booking with this ID was listed up to ",
        ),
        (
            ["lookup-appt", "cs_9"],
            "nothing is known of the booking cs_9: no booking with this ID was listed up to ",
        ),
    ] {
        let told = asked(&sandbox, &args, 1);
        assert_says(&told, &[says, ", when the last pass ended\n"]);
        assert_eq!(told.lines().count(), 1, "{told}");
    }
}

#[test]
fn the_passes_have_stopped() {
    let sandbox = one_person();
    good_sync(&sandbox);
    let hours = |hours: i64| {
        let sql_text = format!("UPDATE last_pass SET ended_at = clock() - {hours} * 3600 - 60");
        sql(&sandbox, &sql_text);
        sandbox.run(&["lookup-user", "G10000001"])
    };
    let run = hours(2);
    assert_eq!(run.code, 0, "{run:#?}");
    assert_says(
        &run.stderr,
        &["warning: the last full pass ended ", ", 2 h 1 min ago: "],
    );
    assert_eq!(hours(0).stderr, "");
    // Of a clock that ran ahead, nothing can be said either.
    assert_says(&hours(-24).stderr, &["warning: the last full pass ended "]);
}

#[test]
fn the_location_could_not_be_read() {
    let sandbox = with_ada().booking(of_ada("cs_1").at(10332));
    sandbox.fault(
        Fault::on(Service::LibCal)
            .when(|seen| seen.parameter("lid") == Some("10332"))
            .answer(500, "text/plain", "oh no"),
    );
    assert_eq!(sandbox.sync().code, 1);
    let told = asked(&sandbox, &["lookup-user", "G10000001"], 1);
    let says = [
        "warning: the last pass could not read all of LibCal's lists",
        "500",
    ];
    assert_says(&told, &says);
    sandbox.clear_faults();
    good_sync(&sandbox);
    assert_eq!(sandbox.run(&["lookup-user", "G10000001"]).stderr, "");
}

#[test]
fn no_line_is_longer_than_a_terminal_and_no_word_is_broken() {
    let sandbox = Sandbox::new().booking(of_ada("cs_1")).booking(
        Booking::new("cs_2")
            .by("G10000001")
            .status("Blessed by the Dean"),
    );
    sync_needing_attention(&sandbox);
    let run: Run = sandbox.run(&["lookup-user", "G10000001"]);
    for line in run.stdout.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let whole = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    let says = [
        "not in Alma: correct the ID on the booking form in LibCal, or add the user to Alma",
        "is not known: add it to LibCal.statuses if it means approved",
    ];
    assert_says(&whole, &says);
}
