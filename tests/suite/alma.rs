//! Alma: the requests for a user, and what is used of the response.

use std::time::Duration;

use serde_json::{Value, json};

use crate::sandbox::{Booking, ReceivedRequest, Sandbox, Service, User};
use crate::support::{
    assert_no_complaints, assert_refusal, count_rows, good_sync, one_person, sandbox_with_people,
    single_json, state_of, sync_needing_attention,
};

fn asked(sandbox: &Sandbox) -> Vec<ReceivedRequest> {
    let mut requests = sandbox.requests();
    requests.retain(|seen| seen.service == Service::Alma);
    requests
}

/// The keys that Alma was asked with, in order, by their place in the configuration.
fn keys(sandbox: &Sandbox) -> Vec<usize> {
    let keys = sandbox.world().alma_keys.clone();
    let place = |seen: ReceivedRequest| {
        let header = seen.header("authorization").unwrap_or_default();
        let key = header.strip_prefix("apikey ").expect("an API key");
        keys.iter().position(|it| it == key).expect("a known key")
    };
    asked(sandbox).into_iter().map(place).collect()
}

/// A booking by that user, who is in Alma.
fn booked_by(user: User) -> Sandbox {
    let id = user.primary_id.clone();
    Sandbox::new()
        .user(user)
        .booking(Booking::new("cs_1").by(&id))
}

/// The barcode under which the only visitor was made.
fn barcode(sandbox: &Sandbox) -> String {
    good_sync(sandbox);
    let world = sandbox.world();
    assert_eq!(world.visitors.len(), 1);
    world.visitors[0].unique_id.clone()
}

#[test]
fn an_id_is_one_percent_encoded_segment_of_the_path() {
    let ids = [
        ("G10000001", "G10000001"),
        ("A B 1", "A%20B%201"),
        ("A+B", "A%2BB"),
        ("A?B=C", "A%3FB%3DC"),
        ("A/B", "A%2FB"),
        ("A#B&C", "A%23B%26C"),
        ("50%", "50%25"),
        ("%2E%2E", "%252E%252E"),
        ("\u{c9}LODIE", "%C3%89LODIE"),
        ("\u{e9}lodie", "%C3%A9lodie"),
        ("..A", "..A"),
        ("PAT@EXAMPLE.EDU", "PAT%40EXAMPLE.EDU"),
    ];
    for (id, segment) in ids {
        let sandbox = booked_by(User::new(id).barcode("21000001"));
        good_sync(&sandbox);
        let requests = asked(&sandbox);
        assert_eq!(requests.len(), 1, "{id}");
        assert_eq!(
            requests[0].raw_target,
            format!("/almaws/v1/users/{segment}")
        );
        assert_eq!(sandbox.expected().len(), 1, "{id}");
    }
}

#[test]
fn an_id_that_could_lead_elsewhere_never_reaches_alma() {
    let ids = [
        ".",
        "..",
        " .. ",
        "../bibs",
        "A/../B",
        "A/.",
        r"..\bibs",
        "G1\nHost: example.edu",
        "G1\r\nX: y",
        "G1\0",
        "G\t1",
        "\u{7f}G1",
        "G1\u{85}2",
    ];
    for id in ids {
        let sandbox = one_person().booking(Booking::new("cs_bad").by(id));
        let said = sync_needing_attention(&sandbox);
        assert!(
            said.contains("the primary ID on the booking form is not valid")
                && said.contains("cs_bad"),
            "{id:?}: {said:?}"
        );
        assert_eq!(said.lines().count(), 1, "{said:?}");
        assert_eq!(asked(&sandbox).len(), 1, "{id:?}: for the other booking");
        assert_eq!(sandbox.expected().len(), 1, "{id:?}");
        assert_eq!(state_of(&sandbox, "cs_bad"), "refused", "{id:?}");
        good_sync(&sandbox);
    }
}

#[test]
fn an_id_longer_than_any_is_refused() {
    let id = "G".repeat(10_000);
    let sandbox = one_person().booking(Booking::new("cs_bad").by(&id));
    let said = sync_needing_attention(&sandbox);
    assert!(said.contains("cs_bad") && said.len() < 1000, "{said}");
    assert_eq!(asked(&sandbox).len(), 1, "for the other booking");
}

#[test]
fn alma_is_asked_with_a_key_and_for_json() {
    let sandbox = one_person();
    good_sync(&sandbox);
    let requests = asked(&sandbox);
    assert_eq!(requests.len(), 1);
    let key = sandbox.world().alma_keys[0].clone();
    assert_eq!(requests[0].method, "GET");
    assert_eq!(
        requests[0].header("authorization"),
        Some(&*format!("apikey {key}"))
    );
    assert_eq!(requests[0].header("accept"), Some("application/json"));
    assert!(!requests[0].raw_target.contains(&key));
}

#[test]
fn the_next_zone_is_asked_only_if_the_first_does_not_have_the_user() {
    let in_zone = |zone| booked_by(User::new("G10000001").barcode("21000001").zone(zone));
    let first = in_zone(0);
    good_sync(&first);
    assert_eq!(keys(&first), [0]);
    let second = in_zone(1);
    good_sync(&second);
    assert_eq!(keys(&second), [0, 1]);
    assert_eq!(second.expected().len(), 1);
    let nowhere = Sandbox::new().booking(Booking::new("cs_1").by("G10000001"));
    assert!(sync_needing_attention(&nowhere).contains("not in Alma"));
    assert_eq!(keys(&nowhere), [0, 1]);
}

#[test]
fn a_single_key_is_enough() {
    let sandbox = one_person();
    let key = sandbox.world().alma_keys[0].clone();
    sandbox.set_config("Alma.apikeys", &json!([key]).to_string());
    good_sync(&sandbox);
    sandbox.add_booking(Booking::new("cs_2").by("G404"));
    sandbox.forget_requests();
    assert_refusal(&sandbox, &["not in Alma", "G404"]);
}

#[test]
fn the_first_barcode_that_is_not_of_a_lost_card_is_used() {
    let active = Some("ACTIVE");
    let lost = Some("INACTIVE");
    // Identifiers by value, type and status, and which of them is the barcode.
    let cases = [
        (vec![("1", "BARCODE", active)], "1"),
        (vec![("1", "BARCODE", None)], "1"),
        (vec![("1", "01", active)], "1"),
        (vec![("1", "BARCODE", lost), ("2", "BARCODE", active)], "2"),
        (
            vec![
                ("1", "BARCODE", lost),
                ("2", "BARCODE", lost),
                ("3", "BARCODE", None),
                ("4", "BARCODE", active),
            ],
            "3",
        ),
        (
            vec![("1", "BARCODE", active), ("2", "BARCODE", active)],
            "1",
        ),
        (
            vec![("pat7", "UNIV_ID", active), ("2", "BARCODE", active)],
            "2",
        ),
        (vec![("1", "02", active), ("2", "01", None)], "2"),
    ];
    for (identifiers, wanted) in cases {
        let user =
            identifiers
                .iter()
                .fold(User::new("G10000001"), |user, (value, kind, status)| {
                    user.identifier(&format!("2100000{value}"), kind, *status)
                });
        let sandbox = booked_by(user);
        assert_eq!(barcode(&sandbox), format!("2100000{wanted}"));
    }
}

#[test]
fn other_identifier_types_hold_a_barcode_if_the_configuration_says_so() {
    let user = User::new("G10000001")
        .barcode("21000001")
        .identifier("21000002", "02", None);
    let sandbox = booked_by(user).config("Alma.barcode_types", r#"["02"]"#);
    assert_eq!(barcode(&sandbox), "21000002");
}

#[test]
fn a_user_without_an_active_barcode_is_refused() {
    let user = || User::new("G10000001");
    let cases = [
        user(),
        user().inactive_barcode("21000001"),
        user().identifier("pat7", "UNIV_ID", Some("ACTIVE")),
        user().barcode("  "),
        user().without("user_identifier"),
        user().with("user_identifier", json!(null)),
        user().with("user_identifier", json!([null, 7, {}])),
    ];
    for user in cases {
        let sandbox = booked_by(user);
        assert_refusal(&sandbox, &["no active barcode", "G10000001", "cs_1"]);
        assert_eq!(sandbox.expected(), []);
        let known = single_json(&sandbox.run(&["--json", "lookup-user", "G10000001"]));
        assert_eq!(known["barcode"], json!(null));
        let why = known["refusal"].as_str().expect("a reason");
        assert!(why.starts_with("no active barcode in Alma"), "{why}");
    }
}

#[test]
fn of_two_zones_that_refuse_a_user_the_first_one_says_why() {
    let user = || User::new("G10000001");
    let inactive = user().barcode("21000001").zone(1);
    let inactive = inactive.with("status", json!({"value": "INACTIVE"}));
    let sandbox = booked_by(user())
        .user(inactive)
        .config("Alma.refuse", r#"["inactive"]"#);
    assert_refusal(&sandbox, &["no active barcode", "G10000001", "cs_1"]);
}

#[test]
fn a_user_is_known_by_the_id_that_was_asked_for() {
    let user = User::new("P-77").barcode("21000001");
    let user = user.identifier("PAT7", "UNIV_ID", Some("ACTIVE"));
    let sandbox = Sandbox::new()
        .user(user)
        .booking(Booking::new("cs_1").by("pat7"))
        .booking(Booking::new("cs_2").by("21000001").minutes(100, 160));
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 2);
    assert_eq!(sandbox.world().visitors.len(), 1, "it is one person");
    for id in ["PAT7", "21000001"] {
        let known = single_json(&sandbox.run(&["--json", "lookup-user", id]));
        assert_eq!(
            (&known["primary_id"], &known["barcode"]),
            (&json!(id), &json!("21000001"))
        );
    }
    assert_eq!(sandbox.run(&["lookup-user", "P-77"]).code, 1);

    sandbox.forget_requests();
    good_sync(&sandbox);
    assert_eq!(asked(&sandbox).len(), 0, "both are known now");
}

#[test]
fn the_user_groups_desc_gives_the_category() {
    let group = |desc: &str| json!({"value": "gw und", "desc": desc});
    let cases = [
        (Some(group("gw und")), "Student"),
        (Some(group("gw staff")), "Staff"),
        (Some(group("gw alumni")), "Visitor"),
        (Some(group("")), "Visitor"),
        (Some(json!({"value": "gw und"})), "Visitor"),
        (Some(json!(null)), "Visitor"),
        (None, "Visitor"),
    ];
    for (group, category) in cases {
        let user = User::new("G10000001").barcode("21000001");
        let user = match group.clone() {
            Some(group) => user.with("user_group", group),
            None => user.without("user_group"),
        };
        let sandbox = booked_by(user);
        good_sync(&sandbox);
        assert_eq!(sandbox.world().visitors[0].category, category, "{group:?}");
    }
}

#[test]
fn a_name_left_blank_in_libcal_is_taken_from_alma() {
    let cases: [(Value, Value, [&str; 2]); 5] = [
        (json!("Zo\u{eb}"), json!("Booker"), ["Zo\u{eb}", "Booker"]),
        (json!(""), json!("Booker"), ["Almina", "Booker"]),
        (json!("Zo\u{eb}"), json!("  "), ["Zo\u{eb}", "Record"]),
        (json!(null), json!(null), ["Almina", "Record"]),
        (json!([]), json!({}), ["Almina", "Record"]),
    ];
    for (first, last, names) in cases {
        let user = User::new("G10000001").barcode("21000001");
        let row = Booking::new("cs_1").by("G10000001");
        let sandbox = Sandbox::new()
            .user(user.name("Almina", "Record"))
            .booking(row.with("firstName", first).with("lastName", last));
        good_sync(&sandbox);
        let world = sandbox.world();
        let visitor = &world.visitors[0];
        assert_eq!([&*visitor.first_name, &*visitor.last_name], names);
    }
}

#[test]
fn no_second_sees_more_requests_than_the_configuration_allows() {
    let sandbox = sandbox_with_people(8)
        .config("Alma.requests_per_second", "5")
        .config("Network.concurrency", "8");
    good_sync(&sandbox);
    let arrivals: Vec<_> = asked(&sandbox).iter().map(|seen| seen.at).collect();
    assert_eq!(arrivals.len(), 8);
    // A tenth of a second is for the way from there to here on a busy machine.
    let second = Duration::from_millis(900);
    for window in arrivals.windows(6) {
        assert!(window[5] - window[0] >= second, "{arrivals:?}");
    }
    assert_eq!(sandbox.expected().len(), 8);
}

#[test]
fn each_zone_has_its_own_rate_limit() {
    let sandbox = Sandbox::new().config("Alma.requests_per_second", "4");
    for n in 1..=5 {
        let id = format!("G1000000{n}");
        sandbox.add_user(User::new(&id).barcode(&format!("2100000{n}")).zone(1));
        sandbox.add_booking(Booking::new(&format!("cs_{n}")).by(&id));
    }
    good_sync(&sandbox);
    // The fifth has to wait for the first zone, and the second zone is asked about the others meanwhile.
    let mut asked = keys(&sandbox);
    asked[..8].sort_unstable();
    assert_eq!(asked[..9], [0, 0, 0, 0, 1, 1, 1, 1, 0]);
}

#[test]
fn what_alma_said_is_kept() {
    let sandbox = one_person();
    good_sync(&sandbox);
    assert_eq!(count_rows(&sandbox, "users"), 1);
    sandbox.add_booking(Booking::new("cs_2").by("g10000001").minutes(100, 160));
    sandbox.forget_requests();
    good_sync(&sandbox);
    assert_eq!(asked(&sandbox).len(), 0);
    assert_eq!(sandbox.expected().len(), 2);
    assert_no_complaints(&sandbox);
}
