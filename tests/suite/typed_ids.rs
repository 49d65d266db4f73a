//! IDs as people type them, and the right person behind each.

use serde_json::{Value, json};

use crate::sandbox::{Booking, Fault, Sandbox, Service, User};
use crate::support::{
    assert_says, good_sync, needy_sync, of_ada, one_json, one_person, outage_sync, refusal, sql,
    with_ada,
};

fn asked_alma(sandbox: &Sandbox) -> Vec<String> {
    let requests = sandbox.requests();
    let asked = requests.iter().filter(|seen| seen.service == Service::Alma);
    let id = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    asked.map(|seen| id(&seen.path)).collect()
}

#[test]
fn what_cannot_be_seen_in_an_id_is_dropped() {
    for typed in [
        "\u{feff}G10000001",
        "G1000\u{200b}0001",
        "\u{202a}G10000001\u{202c}",
        "G1000\u{ad}0001\u{2060}",
    ] {
        let sandbox = with_ada().booking(Booking::new("cs_1").by(typed));
        good_sync(&sandbox);
        assert_eq!(asked_alma(&sandbox), ["G10000001"], "{typed:?}");
        assert_eq!(sandbox.expected().len(), 1);
        let found = sandbox.run(&["lookup-user", typed]);
        assert_eq!(found.code, 0, "{typed:?}: {found:#?}");
    }
    let sandbox = Sandbox::new().booking(Booking::new("cs_1").by(" \u{200b}\u{feff}"));
    assert_says(
        &needy_sync(&sandbox),
        &["no primary ID on the booking form"],
    );
}

#[test]
fn what_cannot_be_seen_is_written_out_where_it_is_printed() {
    let sandbox = with_ada().booking(of_ada("cs_\u{200b}1"));
    good_sync(&sandbox);
    let run = sandbox.run(&["lookup-user", "G10000001"]);
    assert_says(&run.stdout, &["cs_\\u200b1 of G10000001: registered"]);
}

#[test]
fn alma_is_asked_for_the_id_as_it_was_typed_and_then_for_the_normalized_one() {
    let sandbox = Sandbox::new()
        .user(
            User::new("G10000001")
                .barcode("21000001")
                .identifier("aDa1", "NETID", None),
        )
        .booking(Booking::new("cs_1").by("aDa1"));
    good_sync(&sandbox);
    assert_eq!(asked_alma(&sandbox), ["aDa1"], "case matters for some");
    let sandbox = Sandbox::new()
        .user(
            User::new("G10000001")
                .barcode("21000001")
                .identifier("ADA1", "NETID", None),
        )
        .booking(Booking::new("cs_1").by("ada1"));
    good_sync(&sandbox);
    // Each of the two institution zones is asked.
    assert_eq!(asked_alma(&sandbox), ["ada1", "ada1", "ADA1"]);
    let sandbox = Sandbox::new().booking(Booking::new("cs_1").by("G404"));
    needy_sync(&sandbox);
    assert_eq!(
        asked_alma(&sandbox),
        ["G404", "G404"],
        "as typed is normalized"
    );
}

#[test]
fn an_id_typed_in_two_ways_is_asked_for_once_whatever_the_order_of_the_rows() {
    for reversed in [false, true] {
        let sandbox = Sandbox::new()
            .user(
                User::new("G10000001")
                    .barcode("21000001")
                    .identifier("ada1", "NETID", None),
            )
            .booking(Booking::new("cs_1").by("ADA1"))
            .booking(Booking::new("cs_2").by("ada1").minutes(100, 160));
        sandbox.world().reversed = reversed;
        good_sync(&sandbox);
        assert_eq!(asked_alma(&sandbox), ["ada1"]);
        assert_eq!(sandbox.expected().len(), 2);
    }
}

/// A sandbox that knows what an ID looks like.
fn with_pattern() -> Sandbox {
    with_ada().config("LibCal.primary_id_pattern", r"G\d{8}")
}

#[test]
fn an_id_is_found_within_what_was_typed() {
    for typed in [
        "G10000001",
        "g10000001",
        "GWID: g1000 0001",
        "\"G1000-0001\"",
        "my id is g10000001.",
        "G.1000.0001",
        "G1000\u{200b} 0001",
    ] {
        let sandbox = with_pattern().booking(Booking::new("cs_1").by(typed));
        good_sync(&sandbox);
        assert_eq!(sandbox.expected().len(), 1, "{typed}");
        for asked in ["G10000001", typed] {
            let found = sandbox.run(&["lookup-user", asked]);
            assert_says(&found.stdout, &["cs_1 of G10000001: registered"]);
        }
    }
}

#[test]
fn what_has_nothing_like_an_id_is_refused_without_asking_alma() {
    for typed in ["ada@example.edu", "G1000001", "G100000012", "10000001"] {
        let sandbox = with_pattern().booking(Booking::new("cs_1").by(typed));
        let says = [
            "nothing on the booking form looks like a primary ID",
            "LibCal.primary_id_pattern",
            "cs_1",
        ];
        refusal(&sandbox, &says);
        assert_eq!(sandbox.count(Service::Alma), 0, "{typed}");
        // Corrected, it is registered at the next pass.
        sandbox.edit_rows("cs_1", |row| row["q12505"] = "G10000001".into());
        good_sync(&sandbox);
        assert_eq!(sandbox.expected().len(), 1, "{typed}");
    }
    let sandbox = with_pattern().booking(Booking::new("cs_1").by(" "));
    assert_says(
        &needy_sync(&sandbox),
        &["no primary ID on the booking form"],
    );
}

#[test]
fn a_pattern_that_cannot_be_read_is_an_error_of_the_configuration() {
    for pattern in ["G(", "*", "", "x*"] {
        let sandbox = one_person();
        let yaml = std::fs::read_to_string(sandbox.path("config.yml")).expect("it is there");
        let line = format!("LibCal: {{primary_id_pattern: '{pattern}', ");
        sandbox.write_config(&yaml.replacen("LibCal: {", &line, 1));
        let run = sandbox.sync();
        assert_eq!(run.code, 78, "{pattern}: {run:#?}");
        assert_eq!(run.stderr.lines().count(), 1, "{run:#?}");
        assert_says(&run.stderr, &["LibCal.primary_id_pattern"]);
        assert_eq!(sandbox.arrived(), 0);
    }
}

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
        let said = needy_sync(&sandbox);
        assert_says(&said, &["1 user refused, ", says, "G10000001 with cs_1"]);
        assert!(
            !said.contains("Wilhelmina") && !said.contains("SECRET"),
            "{said}"
        );
        let user = one_json(&sandbox.run(&["--json", "lookup-user", "G10000001"]));
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
                "PassagePoint has the barcode but does not find just one visitor",
                "look for the barcode",
            ];
            refusal(&sandbox, &says);
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
fn a_user_is_known_for_a_day_by_default() {
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
fn after_a_visit_that_failed_the_visitor_is_looked_for_again_at_once() {
    let sandbox = one_person();
    good_sync(&sandbox);
    restore(&sandbox, true);
    sandbox.add_booking(of_ada("cs_2").minutes(100, 160));
    // As PassagePoint may answer for a visitor that it no longer has.
    let prereg = Fault::on(Service::PassagePoint).path("createPreReg");
    sandbox.fault(prereg.times(1).answer(500, "text/plain", "no such visitor"));
    outage_sync(&sandbox);
    let said = needy_sync(&sandbox);
    assert_says(&said, &["possibly registered twice", "cs_2"]);
    let expected = sandbox.visit("21000001", "LibCal Main", 100, 160);
    assert_eq!(sandbox.expected(), [expected]);
}

#[test]
fn an_outage_met_while_the_visitor_is_looked_for_is_no_refusal() {
    let sandbox = one_person();
    good_sync(&sandbox);
    sql(&sandbox, "UPDATE users SET checked_at = checked_at - 90000");
    sandbox.add_booking(of_ada("cs_2").minutes(100, 160));
    let by_id = Fault::on(Service::PassagePoint).path("byUniqueId");
    sandbox.fault(by_id.answer(503, "text/plain", ""));
    crate::support::outage(&sandbox, &["PassagePoint", "503", "cs_2"]);
    assert_eq!(crate::support::state_of(&sandbox, "cs_2"), "waiting");
}

#[test]
fn one_name_is_enough() {
    for (first, last, told) in [
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
