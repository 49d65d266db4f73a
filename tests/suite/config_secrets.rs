//! The configuration file: a secret that YAML would read as another text than is written there is refused.

use std::fs;

use crate::config::{file, with_line};
use crate::config_errors::all_refused;
use crate::config_hints::assert_told;
use crate::support::{assert_says, one_person};

#[test]
fn a_secret_that_goes_on_in_the_next_line_is_refused_and_nothing_of_it_is_shown() {
    let next_line =
        "goes on in the next line: check the indentation there, or put the value in quotes\n";
    for (key, new, name) in [
        (
            "apikeys:",
            "apikeys:\n    - file:main\n      - SECRET",
            "Alma.apikeys[0]",
        ),
        (
            "apikeys:",
            "apikeys:\n    - SECRET1\n      - SECRET2",
            "Alma.apikeys[0]",
        ),
        (
            "apikeys:",
            "apikeys: [SECRET0, SECRET1\n    SECRET2]",
            "Alma.apikeys[1]",
        ),
        (
            "password:",
            "password: SECRET\n    def",
            "PassagePoint.password",
        ),
        ("client_id:", "client_id: 123\n    456", "LibCal.client_id"),
    ] {
        let further = usize::from(new.starts_with("apikeys:\n"));
        assert_told(&[(key, new, further, &format!("{name}: {next_line}"))]);
    }
    // Below its key, alone on its line, it is whole.
    let sandbox = one_person();
    let password = sandbox.world().password.clone();
    let below = format!("password:\n    {password}");
    sandbox.write_config(&with_line(&file(&sandbox), "password:", &below).0);
    assert_eq!(sandbox.sync().code, 0);
}

#[test]
fn a_secret_with_what_looks_like_a_comment_in_it_is_refused() {
    let comment = |name: &str| {
        format!(
            "{name}: has ` #` in it, where a comment begins: put the value in quotes, or write a space after the #\n"
        )
    };
    assert_told(&[
        (
            "client_secret:",
            "client_secret: SECRET #def",
            0,
            &comment("LibCal.client_secret"),
        ),
        (
            "client_id:",
            "client_id: 123 #def",
            0,
            &comment("LibCal.client_id"),
        ),
        (
            "apikeys:",
            "apikeys:\n    - SECRET\t#def",
            1,
            &comment("Alma.apikeys[0]"),
        ),
    ]);
    for comment in ["# mine", "#", "  #\tmine", "# mine #too"] {
        let sandbox = one_person();
        let new = format!("client_id: 4242 {comment}");
        sandbox.write_config(&with_line(&file(&sandbox), "client_id:", &new).0);
        assert_eq!(sandbox.sync().code, 0, "{comment}");
    }
}

#[test]
fn a_secret_in_curly_quotes_is_refused() {
    for (open, close) in [('“', '”'), ('‘', '’'), ('«', '»'), ('”', '”'), ('„', '“')]
    {
        assert_told(&[(
            "password:",
            &format!("password: {open}SECRET{close}"),
            0,
            &format!(
                "PassagePoint.password: begins with {open}: put the value in straight quotes (' or \")\n"
            ),
        )]);
    }
    let sandbox = one_person();
    sandbox.world().password = "“x”".to_owned();
    let straight = with_line(&file(&sandbox), "password:", "password: '“x”'").0;
    sandbox.write_config(&straight);
    assert_eq!(sandbox.sync().code, 0);
}

#[test]
fn a_secret_that_begins_with_a_bracket_must_be_in_quotes() {
    for mark in ['{', '['] {
        let close = if mark == '{' { '}' } else { ']' };
        let quotes = format!("a value that begins with {mark} must be in quotes\n");
        for value in [
            format!("{mark}SECRET"),
            format!("{mark}SECRET{close}"),
            format!("{mark}SECRET{close}x"),
        ] {
            assert_told(&[
                (
                    "client_secret:",
                    &format!("client_secret: {value}"),
                    0,
                    &format!("LibCal.client_secret: {quotes}"),
                ),
                (
                    "password:",
                    &format!("password: {value} # mine"),
                    0,
                    &format!("PassagePoint.password: {quotes}"),
                ),
            ]);
        }
        // A list of keys may be in brackets; a key may not.
        assert_told(&[(
            "apikeys:",
            &format!("apikeys:\n    - SECRET\n    - {mark}SECRET"),
            2,
            &format!("Alma.apikeys: {quotes}"),
        )]);
    }
}

#[test]
fn the_text_behind_the_name_of_a_secrets_file_is_not_shown() {
    let sandbox = one_person();
    fs::write(sandbox.path("main"), "x").unwrap();
    let text = with_line(
        &file(&sandbox),
        "apikeys:",
        "apikeys:\n    - file:main\n    - file:law\n      - hunter2\n      - hunter3",
    );
    let told = all_refused(&sandbox, &text.0);
    assert_says(&told, &["Alma.apikeys[1]: goes on in the next line"]);
    assert!(
        !told.contains("hunter") && !told.contains("there is no file"),
        "{told}"
    );
}
