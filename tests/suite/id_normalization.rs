//! IDs as people type them.

use crate::sandbox::{Booking, Sandbox, Service, User};
use crate::support::{
    assert_refusal, assert_says, good_sync, of_ada, one_person, sync_needing_attention, with_ada,
};

fn asked_alma(sandbox: &Sandbox) -> Vec<String> {
    let requests = sandbox.requests();
    let asked = requests.iter().filter(|seen| seen.service == Service::Alma);
    let id = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    asked.map(|seen| id(&seen.path)).collect()
}

#[test]
fn invisible_characters_in_an_id_are_dropped() {
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
        &sync_needing_attention(&sandbox),
        &["no primary ID on the booking form"],
    );
}

#[test]
fn invisible_characters_are_escaped_in_output() {
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
    sync_needing_attention(&sandbox);
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

#[test]
fn each_spelling_of_an_id_is_tried() {
    for spellings in [["Ada", "ada"], ["ada", "Ada"]] {
        let sandbox = Sandbox::new()
            .user(
                User::new("G10000001")
                    .barcode("21000001")
                    .identifier("Ada", "NETID", None),
            )
            .booking(Booking::new("cs_1").by(spellings[0]))
            .booking(Booking::new("cs_2").by(spellings[1]).minutes(100, 160));
        good_sync(&sandbox);
        assert_eq!(sandbox.expected().len(), 2, "{spellings:?}");
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
        assert_refusal(&sandbox, &says);
        assert_eq!(sandbox.count(Service::Alma), 0, "{typed}");
        // Corrected, it is registered at the next pass.
        sandbox.edit_rows("cs_1", |row| row["q12505"] = "G10000001".into());
        good_sync(&sandbox);
        assert_eq!(sandbox.expected().len(), 1, "{typed}");
    }
    let sandbox = with_pattern().booking(Booking::new("cs_1").by(" "));
    assert_says(
        &sync_needing_attention(&sandbox),
        &["no primary ID on the booking form"],
    );
}

#[test]
fn a_pattern_that_cannot_be_read_is_an_error_of_the_configuration() {
    for pattern in ["G(", "*", "", "x*", r"\b|G\d{8}"] {
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
