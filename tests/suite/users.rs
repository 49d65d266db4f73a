//! Users: known ones, refused ones, and those who are no longer refused.

use serde_json::json;

use crate::sandbox::{Booking, Fault, Sandbox, Service, User};
use crate::support::{
    age_by_an_hour, assert_says, count_refusals, good_sync, of_ada, single_json, sql, state_of,
    sync_after_outage, sync_during_outage, sync_needing_attention, with_ada,
};
use crate::version_1_migration::{NOT_IN_ALMA, appt_1, refused_1, version_1};

#[test]
fn a_refusal_is_reported_once_in_a_day_and_asked_again_after_an_hour() {
    let sandbox = Sandbox::new().booking(Booking::new("cs_1").by("G404"));
    let said = sync_needing_attention(&sandbox);
    assert!(
        said.contains("not in Alma") && said.contains("G404") && said.contains("cs_1"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1);

    sandbox.forget_requests();
    good_sync(&sandbox);
    assert_eq!(sandbox.count(Service::Alma), 0);

    age_by_an_hour(&sandbox);
    good_sync(&sandbox);
    assert_eq!(
        sandbox.count(Service::Alma),
        2,
        "one for each institution zone"
    );

    sql(
        &sandbox,
        "UPDATE users SET reported_at = reported_at - 90000",
    );
    assert!(sync_needing_attention(&sandbox).contains("G404"));
    good_sync(&sandbox);
}

#[test]
fn a_user_who_was_refused_is_let_in_once_the_cause_is_mended() {
    let sandbox = Sandbox::new()
        .user(User::new("G10000001").inactive_barcode("20999999"))
        .booking(of_ada("cs_1"));
    assert!(sync_needing_attention(&sandbox).contains("no active barcode"));
    sandbox.edit_user("G10000001", |user| {
        *user = User::new("G10000001").barcode("21000001");
    });
    age_by_an_hour(&sandbox);
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 1);
    let user = single_json(&sandbox.run(&["--json", "lookup-user", "G10000001"]));
    assert_eq!(
        (&user["refusal"], &user["barcode"]),
        (&json!(null), &json!("21000001"))
    );
    assert_eq!(count_refusals(&sandbox), 0);
}

#[test]
fn a_blank_id_is_let_in_as_soon_as_it_is_filled_in() {
    let sandbox = with_ada().booking(Booking::new("cs_1").by("  "));
    assert!(sync_needing_attention(&sandbox).contains("no primary ID on the booking form"));
    good_sync(&sandbox);
    sandbox.edit_rows("cs_1", |row| row["q12505"] = json!("G10000001"));
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 1);
}

#[test]
fn refusals_with_one_reason_are_one_line() {
    let sandbox = Sandbox::new();
    for n in 1..=7 {
        sandbox.add_booking(Booking::new(&format!("cs_{n}")).by(&format!("G40{n}")));
    }
    let said = sync_needing_attention(&sandbox);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        said.contains("7 users refused") && said.contains("and 2 more"),
        "{said}"
    );
}

#[test]
fn a_new_barcode_gets_a_new_visitor_once_what_is_known_is_old() {
    let sandbox = with_ada().booking(of_ada("cs_1"));
    good_sync(&sandbox);
    sandbox.edit_user("G10000001", |user| {
        *user = User::new("G10000001")
            .inactive_barcode("21000001")
            .barcode("21999999");
    });
    sandbox.add_booking(of_ada("cs_2").minutes(100, 160));
    good_sync(&sandbox);
    assert_eq!(
        sandbox.expected()[1].barcode,
        "21000001",
        "what is known is good for a week"
    );

    sql(
        &sandbox,
        "UPDATE users SET checked_at = checked_at - 8 * 86400",
    );
    sandbox.add_booking(of_ada("cs_3").minutes(200, 260));
    good_sync(&sandbox);
    let third = sandbox.visit("21999999", "LibCal Main", 200, 260);
    assert!(
        sandbox.expected().contains(&third),
        "{:?}",
        sandbox.expected()
    );
}

#[test]
fn a_user_whose_barcode_did_not_change_keeps_the_visitor() {
    let sandbox = with_ada().booking(of_ada("cs_1"));
    good_sync(&sandbox);
    sql(
        &sandbox,
        "UPDATE users SET checked_at = checked_at - 8 * 86400",
    );
    sandbox.forget_requests();
    sandbox.add_booking(of_ada("cs_2").minutes(100, 160));
    good_sync(&sandbox);
    assert_eq!(sandbox.count(Service::Alma), 1);
    assert_eq!(sandbox.count_of(Service::PassagePoint, "createVisitor"), 0);
    sandbox.forget_requests();
    sandbox.add_booking(of_ada("cs_3").minutes(200, 260));
    good_sync(&sandbox);
    assert_eq!(sandbox.count(Service::Alma), 0, "the check was noted");
}

#[test]
fn known_users_get_in_while_alma_is_down() {
    let sandbox = with_ada().booking(of_ada("cs_1"));
    good_sync(&sandbox);
    sql(
        &sandbox,
        "UPDATE users SET checked_at = checked_at - 8 * 86400",
    );
    sandbox.stop(Service::Alma);
    sandbox.add_booking(of_ada("cs_2").minutes(100, 160));
    sandbox.add_booking(Booking::new("cs_new").by("G10000002"));
    let said = sync_during_outage(&sandbox);
    let unchecked = "1 known user could not be checked; the stored barcode was used (G10000001)";
    let waits = "1 visit waits for the next pass (booking cs_new)";
    assert_says(&said, &["Alma is not responding", unchecked, waits]);
    assert_eq!(sandbox.expected().len(), 2);

    // An outage refuses nobody.
    assert_eq!(count_refusals(&sandbox), 0);
    assert_eq!(state_of(&sandbox, "cs_new"), "waiting");
    sandbox.start(Service::Alma);
    sandbox.add_user(User::new("G10000002").barcode("21000002"));
    sync_after_outage(&sandbox);
    assert_eq!(sandbox.expected().len(), 3);
}

#[test]
fn a_known_user_whom_alma_refused_since_does_not_get_in_while_alma_is_down() {
    let sandbox = with_ada().booking(of_ada("cs_1"));
    good_sync(&sandbox);
    sandbox.edit_user("G10000001", |user| {
        *user = User::new("G10000001").inactive_barcode("21000001");
    });
    sql(
        &sandbox,
        "UPDATE users SET checked_at = checked_at - 8 * 86400",
    );
    sandbox.add_booking(of_ada("cs_2").minutes(100, 160));
    assert!(sync_needing_attention(&sandbox).contains("no active barcode"));
    age_by_an_hour(&sandbox);
    sandbox.stop(Service::Alma);
    assert_says(
        &sync_during_outage(&sandbox),
        &["Alma is not responding", "cs_2"],
    );
    assert_eq!(sandbox.expected().len(), 1);
    // It says nothing about them: they are refused as before.
    assert_eq!(state_of(&sandbox, "cs_2"), "refused");
    let user = single_json(&sandbox.run(&["--json", "lookup-user", "G10000001"]));
    assert_eq!(user["barcode"], json!(null));
    let refusal = user["refusal"].as_str().unwrap_or_default();
    assert!(refusal.starts_with("no active barcode"), "{user}");
}

#[test]
fn a_form_that_was_mended_is_no_longer_reported() {
    let sandbox = with_ada().booking(of_ada("cs_1").by(" "));
    assert!(sync_needing_attention(&sandbox).contains("no primary ID"));
    sandbox.edit_rows("cs_1", |row| row["q12505"] = "g10000001".into());
    good_sync(&sandbox);
    let run = sandbox.run(&["lookup-appt", "cs_1"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert!(!run.stdout.contains("no primary ID"), "{run:#?}");
    assert_eq!(state_of(&sandbox, "cs_1"), "registered");
}

#[test]
fn whom_version_1_refused_is_asked_about_after_an_hour_and_not_reported_again() {
    let sandbox = with_ada()
        .user(User::new("G10000002").inactive_barcode("21000002"))
        .booking(Booking::new("cs_of_G404").by("G404"))
        .booking(Booking::new("cs_of_G10000002").by("G10000002"));
    // They had a barcode once, which does not let them in.
    let no_barcode =
        "no active barcode in Alma: give the user''s card a barcode with the status ACTIVE";
    let known =
        "INSERT INTO users VALUES ('G10000002', '21000002', '7', clock() - 300, clock() - 300);";
    let rows = [
        known,
        &refused_1("G404", NOT_IN_ALMA),
        &refused_1("G10000002", no_barcode),
    ];
    version_1(&sandbox, &rows.concat());
    good_sync(&sandbox);
    assert_eq!(sandbox.count(Service::Alma), 0);
    let user = single_json(&sandbox.run(&["--json", "lookup-user", "G10000002"]));
    assert_eq!(user["barcode"], json!(null));
    age_by_an_hour(&sandbox);
    good_sync(&sandbox);
    assert_eq!(sandbox.count(Service::Alma), 4, "in both zones about each");
    for book_id in ["cs_of_G404", "cs_of_G10000002"] {
        assert_eq!(state_of(&sandbox, book_id), "refused", "{book_id}");
    }
    sql(
        &sandbox,
        "UPDATE users SET reported_at = reported_at - 86400",
    );
    let said = sync_needing_attention(&sandbox);
    assert_eq!(said.lines().count(), 2, "{said}");
}

#[test]
fn an_id_that_version_1_took_with_what_nobody_sees_in_it_is_the_one_without_that() {
    let typed = "G1000\u{200b}0001";
    let sandbox = with_ada().booking(Booking::new("cs_1").by(typed));
    let appt = appt_1(&sandbox, "cs_1", [30, 90], ["'901'", "0", "NULL", "NULL"]);
    version_1(&sandbox, &appt.replace("G10000001", typed));
    good_sync(&sandbox);
    assert_eq!(sandbox.expected(), [], "it is registered");
    let appt = single_json(&sandbox.run(&["--json", "lookup-appt", "cs_1"]));
    assert_eq!(
        [&appt["primary_id"], &appt["prereg_id"]],
        ["G10000001", "901"]
    );
}

/// How many lines each of some passes prints, an hour apart, after this was changed.
fn lines_of_hourly_passes<T: Copy>(
    sandbox: &Sandbox,
    changes: &[T],
    change: impl Fn(T),
) -> Vec<usize> {
    let pass = |one: &T| {
        change(*one);
        sandbox.pass_time(61);
        sandbox.sync().stderr.lines().count()
    };
    changes.iter().map(pass).collect()
}

#[test]
fn reasons_that_alternate_are_each_reported_once_in_24_hours() {
    let of_visit = with_ada().booking(of_ada("cs_1").minutes(30, 900));
    let lines = lines_of_hourly_passes(&of_visit, &[400, 422, 400, 422, 409, 400], |status| {
        of_visit.clear_faults();
        let prereg = Fault::on(Service::PassagePoint).path("createPreReg");
        of_visit.fault(prereg.answer(status, "text/plain", "no"));
    });
    assert_eq!(lines, [1, 1, 0, 0, 1, 0]);

    let of_user = Sandbox::new().booking(of_ada("cs_1").minutes(30, 900));
    let lines = lines_of_hourly_passes(&of_user, &[true, false, true, false], |is_in_alma| {
        let user = User::new("G10000001").inactive_barcode("20999999");
        of_user.world().users = if is_in_alma { vec![user] } else { Vec::new() };
    });
    assert_eq!(lines, [1, 1, 0, 0]);

    of_user.pass_time(23 * 60);
    of_user.edit_rows("cs_1", |row| row["toDate"] = "2099-01-01T00:00:00Z".into());
    assert_eq!(of_user.sync().stderr.lines().count(), 1, "a day later");
}
