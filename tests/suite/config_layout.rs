//! The configuration file: a colon that is missing and a wrong indentation are reported in their own line, wherever
//! YAML notices them.

use crate::config_errors::all_refused;
use crate::readme::text_of;
use crate::sandbox::Sandbox;

const NO_COLON: &str = "no colon and space between the key and its value: write `key: value`";
const COLUMNS: &str = "check the indentation: all keys of a section must start in the same column";
const HYPHENS: &str = "check the indentation: all hyphens of a list must be in the same column";
const FIRST_COLUMN: &str =
    "the section `LibCal` must start in the first column: check its indentation";

/// The example with `new` in place of `old` is refused with one line, about the line that has `culprit`.
fn assert_told(old: &str, new: &str, culprit: &str, says: &str) {
    let example = text_of("config.yml.example");
    let text = example.replacen(old, new, 1);
    assert_ne!(text, example, "{old}");
    let at = text.lines().position(|line| line.contains(culprit));
    let line = at.unwrap_or_else(|| panic!("no {culprit}")) + 1;
    let told = all_refused(&Sandbox::new(), &text);
    let place = format!("config.yml, line {line}: {says}\n");
    assert!(told.ends_with(&place), "{place} for `{new}`: {told}");
    assert_eq!(told.lines().count(), 1, "{told}");
}

#[test]
fn a_missing_colon_is_reported_in_the_line_that_lacks_it() {
    let told = |old, new, culprit, name: &str| {
        assert_told(old, new, culprit, &format!("{name}: {NO_COLON}"));
    };
    told("\nLibCal:\n", "\nLibCal\n", "LibCal", "LibCal");
    told(
        "gw und: Student",
        "gw und Student",
        "gw und",
        "PassagePoint.user_mapping",
    );
    told(
        "gw staff: Staff",
        "gw staff Staff",
        "gw staff",
        "PassagePoint.user_mapping",
    );
    told(
        "gw staff: Staff",
        "gw staff:Staff",
        "gw staff",
        "PassagePoint.user_mapping",
    );
    told(
        "10332: LibCal",
        "10332 LibCal",
        "10332 LibCal",
        "PassagePoint.location_mapping",
    );
    told("  apikeys:\n", "  apikeys\n", "apikeys", "Alma.apikeys");
    told(
        "  locations:\n",
        "  locations\n",
        "  locations",
        "LibCal.locations",
    );
    told("  path: /var", "  path /var", "path /var", "Cache");
    told(
        "    gw und: Student\n    gw staff: Staff",
        "    gw und Student",
        "gw und",
        "PassagePoint.user_mapping",
    );
}

#[test]
fn an_indented_first_section_is_reported_as_such() {
    assert_told("\nLibCal:\n", "\n LibCal:\n", " LibCal:", FIRST_COLUMN);
    assert_told("\nLibCal:\n", "\n---\n LibCal:\n", " LibCal:", FIRST_COLUMN);
}

#[test]
fn hyphens_of_a_list_in_different_columns_are_reported() {
    for (old, name) in [
        ("    - {name: Science", "LibCal.locations"),
        ("    - file:alma-law", "Alma.apikeys"),
    ] {
        let less = &old[1..];
        assert_told(old, less, less, &format!("{name}: {HYPHENS}"));
    }
    let more = "     - {name: Science";
    assert_told(
        &more[1..],
        more,
        more,
        &format!("LibCal.locations: {HYPHENS}"),
    );
    let first = "     - {name: Main Library, id: 8827}\n    - {name: Science";
    let says = format!("LibCal.locations: {HYPHENS}");
    assert_told(
        "    - {name: Main Library, id: 8827}\n    - {name: Science",
        first,
        "    - {name: Science",
        &says,
    );
}

#[test]
fn the_one_key_of_a_section_in_another_column_is_reported_even_if_it_is_the_first() {
    for (section, key) in [
        ("LibCal", "client_id:"),
        ("LibCal", "client_secret:"),
        ("LibCal", "bookings_endpt:"),
        ("LibCal", "days:"),
        ("PassagePoint", "username:"),
        ("PassagePoint", "location_mapping:"),
        ("Network", "timeout_seconds:"),
    ] {
        let name = key.trim_end_matches(':');
        for indentation in [" ", "   "] {
            let new = format!("\n{indentation}{key}");
            let says = format!("{section}.{name}: {COLUMNS}");
            assert_told(&format!("\n  {key}"), &new, &new[1..], &says);
        }
    }
}

#[test]
fn a_first_line_of_a_mapping_in_another_column_has_the_reader_look_above() {
    for (indentation, name) in [("     ", "PassagePoint.user_mapping: "), ("  ", "")] {
        let says = format!(
            "{name}check the indentation here and above: all keys of a section must start in the same column"
        );
        let new = format!("\n{indentation}gw und: Student");
        assert_told("\n    gw und: Student", &new, "    gw staff", &says);
    }
}

#[test]
fn a_mapping_whose_last_line_is_indented_too_little_is_reported_as_such() {
    let says = "PassagePoint: unknown key (not shown: it may be indented wrongly, or have a value on the wrong side of its colon, or follow an unclosed quote or bracket)";
    assert_told(
        "    gw staff: Staff",
        "  gw staff: Staff",
        "  gw staff",
        says,
    );
}

#[test]
fn an_unusual_space_in_the_indentation_is_named() {
    for (space, name) in [
        ('\u{a0}', "a no-break space (U+00A0)"),
        ('\u{202f}', "an unusual space (U+202F)"),
        ('\u{3000}', "an unusual space (U+3000)"),
        ('\u{200b}', "an invisible character (U+200B)"),
        ('\u{ad}', "an invisible character (U+00AD)"),
    ] {
        let says = format!("{name} in the indentation: use spaces");
        for (old, new) in [
            ("  client_id:", format!("{space}{space}client_id:")),
            ("  client_secret:", format!(" {space}client_secret:")),
            ("  path:", format!("{space} path:")),
            ("Alma:", format!("{space}Alma:")),
            ("    gw staff:", format!("  {space} gw staff:")),
            ("\nCache:", format!("\n {space}\nCache:")),
        ] {
            assert_told(
                old,
                &new,
                new.trim_matches('\n').split('\n').next().unwrap(),
                &says,
            );
        }
    }
}
