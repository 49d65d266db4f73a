//! The configuration file: what YAML cannot read, or reads as something else, is reported with what to do.

use crate::config::{file, with_line};
use crate::config_errors::refused;
use crate::config_hints::assert_told;
use crate::support::one_person;

/// The same as [`assert_told`] where the mend is told with the name of the key that the line has, or the list above it.
fn assert_told_with_key(cases: &[(&str, &str, usize, &str)]) {
    for (key, new, further, mend) in cases {
        let name = match *key {
            "client_id:" => "LibCal.client_id",
            "client_secret:" => "LibCal.client_secret",
            "statuses:" => "LibCal.statuses",
            "days:" => "LibCal.days",
            "apikeys:" => "Alma.apikeys",
            "Alma:" => "Alma",
            "8827:" => "PassagePoint.location_mapping",
            "user_mapping:" => "PassagePoint.user_mapping",
            "concurrency:" => "Network.concurrency",
            other => panic!("{other} has no name here"),
        };
        assert_told(&[(key, new, *further, &format!("{name}: {mend}\n"))]);
    }
}

#[test]
fn what_is_not_yaml_is_reported_with_its_line_and_its_mend() {
    let quotes = |mark: char| format!("a value that begins with {mark} must be in quotes");
    for mark in ['%', '@', '`', '*', '|', '>', ']', '}', ','] {
        assert_told_with_key(&[
            (
                "client_secret:",
                &format!("client_secret: {mark}SECRET"),
                0,
                &quotes(mark),
            ),
            (
                "apikeys:",
                &format!("apikeys:\n    - {mark}SECRET"),
                1,
                &quotes(mark),
            ),
        ]);
    }
    let no_colon = "no colon and space between the key and its value: write `key: value`";
    assert_told_with_key(&[
        (
            "client_secret:",
            "\tclient_secret: SECRET",
            0,
            "a tab in the indentation: use spaces",
        ),
        (
            "apikeys:",
            "apikeys:\n\t- SECRET",
            1,
            "a tab in the indentation: use spaces",
        ),
        ("apikeys:", "apikeys: [%SECRET]", 0, &quotes('%')),
        ("client_secret:", "client_secret: - SECRET", 0, &quotes('-')),
        ("client_id:", "client_id 4242", 0, no_colon),
        ("client_id:", "client_id 4242\n  # below it", 0, no_colon),
        ("days:", "days 0", 0, no_colon),
        ("client_secret:", "client_secret:SECRET", 0, no_colon),
        ("Alma:", "Alma", 0, no_colon),
        ("8827:", "8827 SECRET", 0, no_colon),
        ("concurrency:", "concurrency 4", 0, no_colon),
    ]);
}

#[test]
fn a_quote_or_bracket_that_is_not_closed_is_reported_in_the_line_that_opens_it() {
    let backslash = r"`\` has a special meaning within double quotes: use single quotes";
    assert_told_with_key(&[
        (
            "client_secret:",
            "client_secret: SECRET: x",
            0,
            "a value with a colon in it must be in quotes",
        ),
        (
            "client_secret:",
            "client_secret: 'SECRET",
            0,
            "the quote `'` is not closed in this line",
        ),
        (
            "client_secret:",
            "client_secret: \"SECRET",
            0,
            "the quote `\"` is not closed in this line",
        ),
        (
            "client_secret:",
            "client_secret: 'it's SECRET'",
            0,
            "unexpected text after the closing quote: check the quotes",
        ),
        (
            "statuses:",
            "statuses: [SECRET, x",
            0,
            "the bracket `[` is not closed, or a comma is missing",
        ),
        (
            "user_mapping:",
            "user_mapping: {SECRET: x",
            0,
            "the bracket `{` is not closed, or a comma is missing",
        ),
        (
            "client_secret:",
            "client_secret: SECRET\u{7}",
            0,
            "contains a control character: retype the line",
        ),
    ]);
    assert_told(&[
        (
            "days:",
            "primary_id_pattern: \"G\\d{8}\"",
            0,
            &format!("LibCal.primary_id_pattern: {backslash}"),
        ),
        // A list of several lines that is closed has nothing to do with it.
        (
            "statuses:",
            "statuses: [x,\n    y]\n   SECRET: 1",
            2,
            "check the indentation here and above: all keys of a section must start in the same column",
        ),
        (
            "Cache:",
            "---\nCache:",
            0,
            "`---` starts a second document: keep only one",
        ),
    ]);
}

#[test]
fn a_secret_that_yaml_would_change_must_be_in_quotes() {
    let told = |mark: char| {
        format!("LibCal.client_secret: a value that begins with {mark} must be in quotes")
    };
    for (value, mark) in [
        ("&SECRET", '&'),
        ("&x SECRET", '&'),
        ("!SECRET", '!'),
        ("!x SECRET", '!'),
        ("#SECRET", '#'),
    ] {
        assert_told(&[(
            "client_secret:",
            &format!("client_secret: {value}"),
            0,
            &told(mark),
        )]);
    }
    assert_told(&[
        (
            "apikeys:",
            "apikeys: [SECRET, &x SECRET]",
            0,
            "Alma.apikeys[1]: a value that begins with & must be in quotes",
        ),
        (
            "client_secret:",
            "client_secret: # none yet",
            0,
            "LibCal.client_secret: is empty",
        ),
        (
            "password:",
            "password: 1.50",
            0,
            "PassagePoint.password: must be text, not a decimal number: put it in quotes",
        ),
        (
            "password:",
            "password: true",
            0,
            "PassagePoint.password: must be text, not true or false: put it in quotes",
        ),
    ]);
}

#[test]
fn a_list_without_a_space_after_its_hyphens_is_not_taken_for_one_api_key() {
    let says =
        "Alma.apikeys: must be a list: write a space after each hyphen, or put a key in quotes";
    assert_told(&[
        ("apikeys:", "apikeys: -SECRET", 0, says),
        ("apikeys:", "apikeys:\n    -SECRET1\n    -SECRET2", 0, says),
    ]);
    let sandbox = one_person();
    let (text, _) = with_line(&file(&sandbox), "apikeys:", "apikeys: '-SECRET'");
    sandbox.write_config(&text);
    let run = sandbox.run(&["status"]);
    assert!(run.stderr.contains("there is no cache"), "{run:#?}");
}

#[test]
fn a_key_indented_wrongly_is_reported_in_its_own_line_though_yaml_stumbles_later() {
    let columns = "check the indentation: all keys of a section must start in the same column";
    // In the first column it is a section of its own, and YAML stumbles at the next key.
    let sandbox = one_person();
    let good = file(&sandbox);
    for (key, indented, says) in [
        (
            "client_secret:",
            "",
            "`client_secret` belongs to LibCal: check its indentation",
        ),
        (
            "Alma:",
            " ",
            "the section `Alma` must start in the first column: check its indentation",
        ),
        (
            "PassagePoint:",
            "  ",
            "Alma: the section `PassagePoint` must start in the first column: check its indentation",
        ),
        (
            "client_secret:",
            "   ",
            &format!("LibCal.client_secret: {columns}"),
        ),
        (
            "client_secret:",
            " ",
            &format!("LibCal.client_secret: {columns}"),
        ),
        (
            "user_mapping:",
            "   ",
            &format!("PassagePoint.user_mapping: {columns}"),
        ),
        (
            "users_endpt:",
            "    ",
            &format!("Alma.users_endpt: {columns}"),
        ),
    ] {
        let (text, line) = with_line(&good, key, key);
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        let value = good.lines().nth(line - 1).unwrap().trim();
        lines[line - 1] = format!("{indented}{value}");
        let told = refused(&sandbox, &lines.join("\n"));
        let place = format!("config.yml, line {line}: {says}");
        assert!(told.contains(&place), "{place}: {told}");
    }
}
