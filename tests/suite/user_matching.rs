//! Matching an ID to the right person: which barcode counts, who is refused, and which visitor in PassagePoint it is.

use serde_json::{Value, json};

use crate::sandbox::{Fault, Sandbox, Service, User};
use crate::support::{
    assert_refusal, assert_says, good_sync, of_ada, one_person, single_json, sql,
    sync_during_outage, sync_needing_attention,
};

/// The barcode of somebody who has barcodes of two types, with these types configured.
fn barcode_by(types: &str) -> String {
    let sandbox = Sandbox::new()
        .user(
            User::new("g10000001")
                .identifier("20000001", "01", Some("ACTIVE"))
                .inactive_barcode("20999999")
                .identifier("21000001", "BARCODE", Some("ACTIVE")),
        )
        .booking(of_ada("cs_1"))
        .config("Alma.barcode_types", types);
    good_sync(&sandbox);
    sandbox.expected().remove(0).barcode
}

#[test]
fn barcode_types_are_in_order_of_preference_and_one_stands_for_the_primary_id() {
    for (types, barcode) in [
        (r#"["BARCODE", "01"]"#, "21000001"),
        (r#"["01", "BARCODE"]"#, "20000001"),
        (r#"["OTHER", "01"]"#, "20000001"),
        (r#"["PRIMARY_ID", "BARCODE"]"#, "g10000001"),
        (r#"["OTHER", "primary_id"]"#, "g10000001"),
    ] {
        assert_eq!(barcode_by(types), barcode, "{types}");
    }
}

/// A user of whom Alma says this, and whom the configuration would have refused for that.
fn refused_for(kinds: &str, field: &str, value: Value) -> Sandbox {
    let user = User::new("G10000001").barcode("21000001");
    Sandbox::new()
        .user(user.with(field, value))
        .booking(of_ada("cs_1"))
        .config("Alma.refuse", kinds)
}

fn block(status: &str) -> Value {
    let description = json!({"value": "SECRET", "desc": "Wilhelmina owes a book"});
    json!([{"block_status": status, "block_description": description}])
}

#[test]
fn users_whom_the_configuration_would_have_refused_are_and_the_reason_names_which() {
    let day = |days: i64| {
        let day = chrono::Utc::now().date_naive() + chrono::TimeDelta::days(days);
        (
            json!(format!("{day}Z")),
            format!("expired in Alma on {}", day.format("%-d %b %Y")),
        )
    };
    let (yesterday, expired) = day(-2);
    for (kind, field, value, says) in [
        (
            "inactive",
            "status",
            json!({"value": "INACTIVE"}),
            "inactive in Alma",
        ),
        ("expired", "expiry_date", yesterday, expired.as_str()),
        ("blocked", "user_block", block("ACTIVE"), "blocked in Alma"),
    ] {
        let only = format!("[\"{kind}\"]");
        let sandbox = refused_for(&only, field, value.clone());
        let said = sync_needing_attention(&sandbox);
        assert_says(&said, &["1 user refused, ", says, "G10000001 with cs_1"]);
        assert!(
            !said.contains("Wilhelmina") && !said.contains("SECRET"),
            "{said}"
        );
        let user = single_json(&sandbox.run(&["--json", "lookup-user", "G10000001"]));
        let refusal = user["refusal"].as_str().expect("a text");
        assert!(refusal.starts_with(says), "{refusal}");
        // By default nobody is, nor for another reason.
        for kinds in ["[]", r#"["inactive", "expired", "blocked"]"#] {
            let is_refused = kinds.contains(kind);
            let sandbox = refused_for(kinds, field, value.clone());
            assert_eq!(sandbox.sync().code, i32::from(is_refused), "{kind} {kinds}");
        }
    }
}

#[test]
fn users_who_are_in_order_are_not_refused_whatever_is_configured() {
    let all = r#"["inactive", "expired", "blocked"]"#;
    let tomorrow = chrono::Utc::now().date_naive() + chrono::TimeDelta::days(2);
    for (field, value) in [
        ("status", json!({"value": "ACTIVE"})),
        ("status", json!(null)),
        ("expiry_date", json!(format!("{tomorrow}Z"))),
        ("expiry_date", json!("never")),
        ("user_block", block("INACTIVE")),
        ("user_block", json!(null)),
    ] {
        good_sync(&refused_for(all, field, value));
    }
}

#[test]
fn an_unknown_kind_of_user_to_refuse_is_an_error_of_the_configuration() {
    let sandbox = one_person().config("Alma.refuse", r#"["suspended"]"#);
    let run = sandbox.sync();
    assert_eq!(run.code, 78, "{run:#?}");
    assert_says(&run.stderr, &["Alma.refuse"]);
}

fn found(records: &Value) -> Fault {
    let by_id = Fault::on(Service::PassagePoint).path("byUniqueId");
    by_id.answer(
        200,
        "application/json",
        json!({"data": records}).to_string(),
    )
}

#[test]
fn of_several_visitors_it_is_the_one_with_the_barcode_or_else_the_only_one_or_nobody() {
    let other = 137_000_000_000_001_i64;
    for (records, is_found) in [
        (
            |id: i64, other: i64| json!([{"id": other, "uniqueId": "2"}, {"id": id, "uniqueId": "21000001"}]),
            true,
        ),
        (
            |id, other| json!([{"id": other}, {"id": id, "uniqueId": "21000001"}]),
            true,
        ),
        (|id, _| json!([{"id": id, "uniqueId": 21_000_001}]), true),
        (|id, _| json!([{"id": id}]), true),
        (|id, other| json!([{"id": id}, {"id": other}]), false),
        (
            |_, other| json!([{"id": other, "uniqueId": "210000011"}]),
            false,
        ),
        (|_, _| json!([]), false),
    ] as [(fn(i64, i64) -> Value, bool); 7]
    {
        let sandbox = one_person();
        let id = sandbox.add_visitor("21000001");
        sandbox.fault(found(&records(id, other)));
        if is_found {
            good_sync(&sandbox);
            assert_eq!(sandbox.world().preregs[0].visitor_id, id);
        } else {
            let says = [
                "PassagePoint has the barcode but does not return exactly one visitor",
                "search for the barcode",
            ];
            assert_refusal(&sandbox, &says);
            assert_eq!(sandbox.expected(), []);
        }
    }
}

/// Ada's visitor under another id in PassagePoint, as after a restore; if there is one at all.
fn restore(sandbox: &Sandbox, is_there: bool) {
    let mut world = sandbox.world();
    world.visitors.clear();
    world.preregs.clear();
    if is_there {
        world.add_visitor("21000001");
    }
}

#[test]
fn after_refresh_days_the_visitor_is_looked_for_in_passagepoint_again() {
    for is_there in [true, false] {
        let sandbox = one_person();
        good_sync(&sandbox);
        restore(&sandbox, is_there);
        sql(&sandbox, "UPDATE users SET checked_at = checked_at - 90000");
        sandbox.add_booking(of_ada("cs_2").minutes(100, 160));
        good_sync(&sandbox);
        let expected = sandbox.visit("21000001", "LibCal Main", 100, 160);
        assert_eq!(sandbox.expected(), [expected], "{is_there}");
        let world = sandbox.world();
        assert_eq!(world.preregs[0].visitor_id, world.visitors[0].id);
    }
}

#[test]
fn a_user_is_looked_up_again_after_a_day_by_default() {
    let sandbox = one_person();
    good_sync(&sandbox);
    for (hours, asked) in [(23, 0), (2, 1)] {
        sql(
            &sandbox,
            &format!("UPDATE users SET checked_at = checked_at - {hours} * 3600"),
        );
        sandbox.forget_requests();
        sandbox.add_booking(of_ada(&format!("cs_{hours}")).minutes(100 * hours, 100 * hours + 10));
        good_sync(&sandbox);
        assert_eq!(
            sandbox.count(Service::Alma),
            asked,
            "after {hours} hours more"
        );
    }
}

#[test]
fn a_visitor_whose_visits_are_answered_5xx_is_looked_for_again_by_the_next_pass() {
    for is_there in [true, false] {
        let sandbox = one_person();
        good_sync(&sandbox);
        let gone = sandbox.world().visitors[0].id.to_string();
        restore(&sandbox, is_there);
        for (book_id, from) in [("cs_2", 100), ("cs_3", 200)] {
            sandbox.add_booking(of_ada(book_id).minutes(from, from + 60));
        }
        // As PassagePoint may answer for a visitor that it no longer has, however often it is asked.
        let prereg = Fault::on(Service::PassagePoint).path("createPreReg");
        let about_the_old = prereg.when(move |seen| seen.body.contains(&gone));
        sandbox.fault(about_the_old.answer(500, "text/plain", "no such visitor"));
        sync_during_outage(&sandbox);
        let said = sync_needing_attention(&sandbox);
        assert_says(&said, &["possibly registered twice", "cs_2"]);
        let expected =
            [100, 200].map(|from| sandbox.visit("21000001", "LibCal Main", from, from + 60));
        assert_eq!(sandbox.expected(), expected, "{is_there}");
        good_sync(&sandbox);
    }
}

#[test]
fn an_outage_met_while_the_visitor_is_looked_for_is_no_refusal() {
    let sandbox = one_person();
    good_sync(&sandbox);
    sql(&sandbox, "UPDATE users SET checked_at = checked_at - 90000");
    sandbox.add_booking(of_ada("cs_2").minutes(100, 160));
    let by_id = Fault::on(Service::PassagePoint).path("byUniqueId");
    sandbox.fault(by_id.answer(503, "text/plain", ""));
    crate::support::assert_outage(&sandbox, &["PassagePoint", "503", "cs_2"]);
    assert_eq!(crate::support::state_of(&sandbox, "cs_2"), "waiting");
}

#[test]
fn one_name_is_enough() {
    for (first, last, told) in [
        ("Ada", "\u{200b}", ["Ada", "Ada"]),
        ("Ada", "", ["Ada", "Ada"]),
        ("", "Example", ["Example", "Example"]),
        (" ", "Example", ["Example", "Example"]),
    ] {
        let sandbox = Sandbox::new()
            .user(User::new("G10000001").barcode("21000001").name("", ""))
            .booking(of_ada("cs_1").person(first, last, ""));
        good_sync(&sandbox);
        let world = sandbox.world();
        let visitor = &world.visitors[0];
        assert_eq!([visitor.first_name.as_str(), &visitor.last_name], told);
    }
    // Alma's comes first.
    let sandbox = Sandbox::new()
        .user(
            User::new("G10000001")
                .barcode("21000001")
                .name("", "Sample"),
        )
        .booking(of_ada("cs_1").person("Ada", "", ""));
    good_sync(&sandbox);
    assert_eq!(sandbox.world().visitors[0].last_name, "Sample");
}

#[test]
fn a_known_visitor_is_looked_for_again_only_if_it_may_be_gone_and_asked_for_again_only_if_it_was() {
    let sandbox = one_person();
    good_sync(&sandbox);
    let asked = || {
        let preregs = sandbox.count_of(Service::PassagePoint, "createPreReg");
        (sandbox.count(Service::Alma), preregs)
    };
    // The visitor is there, and it is the visit that PassagePoint will not have.
    sandbox.add_booking(of_ada("cs_2").minutes(100, 160));
    let prereg = Fault::on(Service::PassagePoint).path("createPreReg");
    sandbox.fault(prereg.answer(422, "text/plain", "no"));
    sandbox.forget_requests();
    assert_says(&sync_needing_attention(&sandbox), &["(422)", "cs_2"]);
    assert_eq!(asked(), (1, 1));
    sandbox.clear_faults();
    // It is the destination that is not there.
    sandbox.add_booking(of_ada("cs_3").minutes(200, 260));
    sandbox.set_config("PassagePoint.location_mapping.8827", "LibCal Attic");
    sandbox.forget_requests();
    assert_says(&sync_needing_attention(&sandbox), &["LibCal Attic", "cs_3"]);
    assert_eq!(asked(), (0, 1));
}
