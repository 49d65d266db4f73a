//! The configuration file: mistakes that people make by hand, each reported with what to do.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use crate::config::{file, with_line};
use crate::config_errors::{all_refused, mistakes_told, refused};
use crate::sandbox::Run;
use crate::support::{assert_says, good_sync, is_root, one_person, run_unprivileged};

/// Each of these texts, in place of the line of the key, is one mistake, told in the line that is
/// so much further down, with this mend and without the value.
pub fn assert_told(cases: &[(&str, &str, usize, &str)]) {
    let sandbox = one_person();
    let good = file(&sandbox);
    for (key, new, further, mend) in cases {
        let (wrong, line) = with_line(&good, key, new);
        let told = refused(&sandbox, &wrong);
        let place = format!("config.yml, line {}: {mend}", line + further);
        assert!(told.contains(&place), "{place} for `{new}`: {told}");
        assert!(!told.contains("SECRET"), "`{new}`: {told}");
    }
}

#[test]
fn all_mistakes_are_reported_at_once_in_the_order_of_the_file() {
    let sandbox = one_person();
    let mut text = file(&sandbox);
    let mut expected = Vec::new();
    for (key, new, told) in [
        (
            "client_id:",
            "# client_id",
            "LibCal: missing key `client_id`",
        ),
        (
            "id: 8827",
            "id: Main",
            "LibCal.locations[0].id: must be a location ID, not text",
        ),
        (
            "id: 10332",
            "idd: 10332",
            "LibCal.locations[1]: unknown key `idd`: did you mean `id`?",
        ),
        (
            "days:",
            "days: 366",
            "LibCal.days: must be a whole number from 0 to 365",
        ),
        ("apikeys:", "apikeys: []", "Alma.apikeys: is an empty list"),
        (
            "barcode_types:",
            "barcode_types: [[x], ok, {}]",
            "Alma.barcode_types[0]: must be text, not a list",
        ),
        (
            "password:",
            "password: ''",
            "PassagePoint.password: is empty",
        ),
        (
            "tries:",
            "tries: many",
            "Network.tries: must be a whole number from 1 to 10, not text",
        ),
    ] {
        let (wrong, line) = with_line(&text, key, new);
        text = wrong;
        // A missing key is told in the line of its section.
        let line = if new.starts_with('#') { 2 } else { line };
        let file = sandbox.path("config.yml");
        let mut tell = |what: &str| {
            expected.push(format!("error: {}, line {line}: {what}", file.display()));
        };
        tell(told);
        if key == "barcode_types:" {
            tell("Alma.barcode_types[2]: must be text, not a section");
        }
    }
    let told = all_refused(&sandbox, &text);
    assert_eq!(told.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn all_secrets_that_are_not_there_are_reported_at_once_with_line_key_and_mend() {
    let sandbox = one_person();
    let mut text = file(&sandbox);
    let mut expected = Vec::new();
    for (key, new, told) in [
        (
            "client_secret:",
            "client_secret: env:NOT_SET_1",
            "LibCal.client_secret: the environment variable NOT_SET_1 is not set: set it, in the crontab or the unit too",
        ),
        (
            "apikeys:",
            "apikeys: [env:NOT_SET_2, file:not-there]",
            "Alma.apikeys[0]: the environment variable NOT_SET_2 is not set: set it, in the crontab or the unit too",
        ),
        (
            "apikeys:",
            "apikeys: [env:NOT_SET_2, file:not-there]",
            "Alma.apikeys[1]: there is no file FOLDER/not-there: create it with the secret in it, or correct the path",
        ),
        (
            "username:",
            "username: file:blank",
            "PassagePoint.username: FOLDER/blank is empty: write the secret into it",
        ),
        (
            "password:",
            "password: file:folder",
            "PassagePoint.password: cannot read FOLDER/folder: ",
        ),
    ] {
        let (wrong, line) = with_line(&text, key, new);
        text = wrong;
        let folder = sandbox.path("");
        let folder = folder.display().to_string();
        let told = told.replace("FOLDER", folder.trim_end_matches('/'));
        expected.push(format!("config.yml, line {line}: {told}"));
    }
    fs::write(sandbox.path("blank"), " \n").unwrap();
    fs::create_dir(sandbox.path("folder")).unwrap();
    sandbox.write_config(&text);
    let told = mistakes_told(&sandbox, &sandbox.sync());
    assert_eq!(told.lines().count(), expected.len(), "{told}");
    for (line, expected) in told.lines().zip(expected) {
        assert!(line.contains(&expected), "{expected}: {told}");
    }
}

#[test]
fn a_secret_that_this_account_may_not_read_says_so() {
    if !is_root() {
        return;
    }
    let sandbox = one_person().config("PassagePoint.password", "file:password");
    for (name, mode) in [("", 0o755), ("config.yml", 0o644)] {
        fs::set_permissions(sandbox.path(name), Permissions::from_mode(mode)).unwrap();
    }
    fs::write(sandbox.path("password"), "hidden").unwrap();
    fs::set_permissions(sandbox.path("password"), Permissions::from_mode(0o600)).unwrap();
    let told = mistakes_told(&sandbox, &run_unprivileged(&sandbox, &["sync"]));
    let says = [
        ": PassagePoint.password: ",
        "/password cannot be read by this account: give it the file with chown, or run the command as the account that runs the sync",
    ];
    assert_says(&told, &says);
}

#[test]
fn a_misspelled_key_is_reported_with_the_one_that_was_meant() {
    assert_told(&[
        (
            "statuses:",
            "statusses: [x]",
            0,
            "LibCal: unknown key `statusses`: did you mean `statuses`?",
        ),
        (
            "client_secret:",
            "client-secret: SECRET",
            0,
            "LibCal: unknown key `client-secret`: did you mean `client_secret`?",
        ),
        (
            "users_endpt:",
            "user_endpt: SECRET",
            0,
            "Alma: unknown key `user_endpt`: did you mean `users_endpt`?",
        ),
        (
            "uniqueId_endpt:",
            "uniqueid_endpt: /x",
            0,
            "PassagePoint: unknown key `uniqueid_endpt`: did you mean `uniqueId_endpt`?",
        ),
        (
            "PassagePoint:",
            "Passagepoint:",
            0,
            "unknown key `Passagepoint`: did you mean `PassagePoint`?",
        ),
        ("Network:", "Colour:", 0, "unknown key `Colour`\n"),
        // A suggestion that is there already would be none.
        (
            "tries:",
            "tries: 1\n  triess: 2",
            1,
            "Network: unknown key `triess`\n",
        ),
    ]);
    // What was meant at one place may be missing at another too.
    let sandbox = one_person();
    let text = with_line(&file(&sandbox), "id: 8827", "idd: 8827").0;
    let told = all_refused(&sandbox, &with_line(&text, "id: 10332", "# gone").0);
    let says = [
        "LibCal.locations[0]: unknown key `idd`: did you mean `id`?",
        "LibCal.locations[1]: missing key `id`",
    ];
    assert_says(&told, &says);
    assert_eq!(told.lines().count(), says.len(), "{told}");
}

#[test]
fn a_key_with_a_wrong_indentation_is_reported_with_its_section() {
    assert_told(&[
        (
            "days:",
            "apikeys: [SECRET]",
            0,
            "LibCal: `apikeys` belongs to Alma: check its indentation",
        ),
        (
            "days:",
            "username: SECRET",
            0,
            "LibCal: `username` belongs to PassagePoint: check its indentation",
        ),
        (
            "Alma:",
            "  Alma:",
            0,
            "LibCal: the section `Alma` must start in the first column: check its indentation",
        ),
        (
            "user_mapping:",
            "  user_mapping: {SECRET: x}",
            0,
            "PassagePoint.location_mapping: `user_mapping` belongs to PassagePoint: check its indentation",
        ),
        (
            "days:",
            " days: 0",
            0,
            "LibCal.days: check the indentation: all keys of a section must start in the same column",
        ),
    ]);
    // A section whose keys are not indented at all.
    let sandbox = one_person();
    let text = file(&sandbox).replace("\n  timeout", "\ntimeout");
    let text = text
        .replace("\n  tries", "\ntries")
        .replace("\n  concur", "\nconcur");
    let told = all_refused(&sandbox, &text);
    for key in ["timeout_seconds", "tries", "concurrency"] {
        assert_says(
            &told,
            &[&format!(
                "`{key}` belongs to Network: check its indentation"
            )],
        );
    }
    let (head, cut) = text.split_once("Alma:\n").expect("a section Alma");
    let (keys, rest) = cut
        .split_once("PassagePoint:\n")
        .expect("a section PassagePoint");
    let keys = keys.replace("\n  ", "\n");
    let text = format!("{head}Alma:\n{}PassagePoint:\n{rest}", keys.trim_start());
    let text = text.split_once("Network:").expect("a section Network").0;
    let told = refused(&sandbox, text);
    assert_says(
        &told,
        &["Alma: is empty: its keys must be indented below it"],
    );
}

#[test]
fn what_is_there_twice_is_reported_with_both_lines() {
    let sandbox = one_person();
    let good = file(&sandbox);
    for (key, new, further, what) in [
        (
            "days:",
            "days: 0\n  days: 1",
            1,
            "LibCal: `days` appears twice, first in line ",
        ),
        (
            "client_secret:",
            "client_secret: SECRET\n  client_secret: SECRET",
            1,
            "LibCal: `client_secret` appears twice, first in line ",
        ),
        (
            "Cache:",
            "Cache:\n  path: x\nCache:",
            2,
            "`Cache` appears twice, first in line ",
        ),
    ] {
        let (wrong, line) = with_line(&good, key, new);
        let told = refused(&sandbox, &wrong);
        let expected = format!("line {}: {what}{line}: remove one\n", line + further);
        assert_says(&told, &[&expected]);
    }
    assert_told(&[
        (
            "id: 10332",
            "id: '8827'",
            0,
            "LibCal.locations[1].id: location 8827 appears twice: remove one",
        ),
        (
            "user_mapping:",
            "user_mapping: {SECRET: a, SECRET: b}",
            0,
            "PassagePoint.user_mapping: this user group appears twice: remove one",
        ),
    ]);
}

#[test]
fn a_path_below_the_home_folder_must_be_written_out() {
    let mend = "`~` is not expanded: write the full path";
    assert_told(&[
        (
            "path:",
            "path: ~/cache.db",
            0,
            &format!("Cache.path: {mend}"),
        ),
        (
            "client_secret:",
            "client_secret: file:~/SECRET",
            0,
            &format!("LibCal.client_secret: {mend}"),
        ),
        (
            "apikeys:",
            "apikeys: ['file:~desk/SECRET']",
            0,
            &format!("Alma.apikeys[0]: {mend}"),
        ),
    ]);
}

#[test]
fn a_secret_file_written_on_windows_is_read() {
    let sandbox = one_person().config("PassagePoint.password", "file:password");
    let password = sandbox.world().password.clone();
    fs::write(sandbox.path("password"), format!("\u{feff}{password}\r\n")).unwrap();
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 1);
    // As PowerShell writes it.
    let utf_16: Vec<u8> = "\u{feff}hidden\r\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let sandbox = one_person().config("PassagePoint.password", "file:password");
    fs::write(sandbox.path("password"), utf_16).unwrap();
    let told = mistakes_told(&sandbox, &sandbox.sync());
    assert_says(
        &told,
        &["PassagePoint.password: ", "password is not UTF-8 text"],
    );
}

#[test]
fn check_has_a_line_and_an_object_for_each_mistake() {
    let sandbox = one_person();
    let (wrong, days) = with_line(&file(&sandbox), "days:", "days: soon");
    let (wrong, tries) = with_line(&wrong, "tries:", "tries: 0");
    sandbox.write_config(&wrong);
    let run = sandbox.run(&["check"]);
    assert_eq!((run.code, run.stderr.as_str()), (1, ""), "{run:#?}");
    let expected = [
        format!("line {days}: LibCal.days: must be a whole number"),
        format!("line {tries}: Network.tries: must be a whole number"),
    ];
    assert_eq!(run.stdout.lines().count(), 2, "{run:#?}");
    for (line, expected) in run.stdout.lines().zip(&expected) {
        assert!(line.starts_with("FAIL  configuration: "), "{line}");
        assert_says(line, &[expected]);
    }
    let run: Run = sandbox.run(&["--json", "check"]);
    let objects: Vec<serde_json::Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is an object"))
        .collect();
    assert_eq!((run.code, objects.len()), (1, 2), "{run:#?}");
    for (object, expected) in objects.iter().zip(&expected) {
        assert_eq!(
            (&object["what"], &object["ok"]),
            (&"configuration".into(), &false.into())
        );
        assert_says(object["detail"].as_str().unwrap_or_default(), &[expected]);
    }
}
