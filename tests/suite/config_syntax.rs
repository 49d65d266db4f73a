//! The configuration file: what YAML cannot read, or reads as something else, is told with its mend.

use crate::config_hints::assert_told;

#[test]
fn what_is_no_yaml_is_told_with_its_line_and_its_mend() {
    let quotes = |mark: char| format!("a value that begins with {mark} must be in quotes");
    for mark in ['%', '@', '`', '*', '|', '>', ']', '}', ','] {
        assert_told(&[
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
    let backslash = r"`\` has a special meaning within double quotes: use single quotes";
    assert_told(&[
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
        ("days:", "primary_id_pattern: \"G\\d{8}\"", 0, backslash),
        (
            "client_secret:",
            "client_secret: SECRET\u{7}",
            0,
            "contains a control character: retype the line",
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
        format!(
            "LibCal.client_secret: begins with {mark}, which has a special meaning in YAML: put it in quotes"
        )
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
            "Alma.apikeys[1]: begins with &",
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
