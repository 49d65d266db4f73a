//! The configuration file: what is rejected, and how a mistake is reported.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use crate::config::{file, with_line};
use crate::sandbox::{Run, Sandbox};
use crate::support::{assert_says, one_person, run_unprivileged};

/// Runs a pass that must be refused because of one mistake in its configuration. Returns the line that says so.
pub fn refused(sandbox: &Sandbox, file: &str) -> String {
    sandbox.write_config(file);
    refused_run(sandbox, &sandbox.sync())
}

pub fn refused_run(sandbox: &Sandbox, run: &Run) -> String {
    let told = mistakes_told(sandbox, run);
    assert_eq!(told.lines().count(), 1, "{run:#?}");
    told
}

/// The lines of a pass that must be refused because of its configuration, one for each mistake.
pub fn mistakes_told(sandbox: &Sandbox, run: &Run) -> String {
    assert_eq!((run.code, run.stdout.as_str()), (78, ""), "{run:#?}");
    assert!(!run.stderr.is_empty(), "{run:#?}");
    for line in run.stderr.lines() {
        assert!(line.starts_with("error: "), "{run:#?}");
        assert!(line.contains("config.yml"), "{run:#?}");
    }
    for secret in sandbox.secrets() {
        assert!(!run.stderr.contains(&secret), "{secret} in {run:#?}");
    }
    assert_eq!(sandbox.arrived(), 0, "nothing may be sent: {run:#?}");
    run.stderr.clone()
}

/// What is told of all the mistakes in a file, a line each.
pub fn all_refused(sandbox: &Sandbox, file: &str) -> String {
    sandbox.write_config(file);
    mistakes_told(sandbox, &sandbox.sync())
}

/// Each of these lines, in place of the one of the same key, is an error that names this and the line.
fn assert_lines_refused(cases: &[(&str, &str)]) {
    let sandbox = one_person();
    let good = file(&sandbox);
    for (new, named) in cases {
        let key = new.split_inclusive(':').next().unwrap_or_default();
        let (wrong, line) = with_line(&good, key, new);
        let told = refused(&sandbox, &wrong);
        let place = format!(", line {line}: {named}");
        assert!(told.contains(&place), "{place} for `{new}`: {told}");
    }
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    let sandbox = one_person();
    let good = file(&sandbox);
    for (key, new, section) in [
        ("days:", "day: 0", "LibCal: "),
        ("id:", "idd: 8827", "LibCal.locations[0]: "),
        ("refresh_days:", "refresh: 7", "Alma: "),
        ("login_endpt:", "login: /x", "PassagePoint: "),
        ("path:", "file: cache.db", "Cache: "),
        ("tries:", "retries: 3", "Network: "),
        ("Network:", "Netwerk:", ""),
    ] {
        let (wrong, line) = with_line(&good, key, new);
        let told = refused(&sandbox, &wrong);
        let unknown = new.split(':').next().unwrap_or_default();
        let place = format!(", line {line}: {section}unknown key `{unknown}`");
        assert!(told.contains(&place), "{told}");
    }
}

#[test]
fn a_missing_key_is_named() {
    let sandbox = one_person();
    let good = file(&sandbox);
    for (section, keys) in [
        (
            "LibCal",
            "client_id client_secret credentials_endpt bookings_endpt primary_id_field",
        ),
        ("Alma", "apikeys users_endpt"),
        ("PassagePoint", "username password pp_api_root"),
    ] {
        for key in keys.split(' ') {
            let (wrong, _) = with_line(&good, &format!("{key}:"), "# gone");
            let told = refused(&sandbox, &wrong);
            let named = format!("{section}: missing key `{key}`");
            assert!(told.contains(&named), "{told}");
        }
    }
    for (gone, named) in [
        ("LibCal", "config.yml: missing key `LibCal`"),
        ("Alma", "config.yml: missing key `Alma`"),
        ("PassagePoint", "config.yml: missing key `PassagePoint`"),
        ("LibCal.locations", "LibCal: missing key `locations`"),
        (
            "PassagePoint.location_mapping",
            "PassagePoint: missing key `location_mapping`",
        ),
    ] {
        let sandbox = Sandbox::new();
        sandbox.remove_config(gone);
        let told = refused_run(&sandbox, &sandbox.sync());
        assert!(told.contains(named), "{told}");
    }
}

#[test]
fn what_is_empty_is_named_with_its_line() {
    assert_lines_refused(&[
        ("statuses: []", "LibCal.statuses: "),
        ("statuses:", "LibCal.statuses: "),
        ("apikeys: []", "Alma.apikeys: "),
        ("apikeys:", "Alma.apikeys: "),
        ("apikeys: ['']", "Alma.apikeys[0]: "),
        ("barcode_types: []", "Alma.barcode_types: "),
        ("client_id:", "LibCal.client_id: "),
        ("client_secret: ' '", "LibCal.client_secret: "),
        ("primary_id_field: ''", "LibCal.primary_id_field: "),
        ("name: ' '", "LibCal.locations[0].name: "),
        ("pp_api_root:", "PassagePoint.pp_api_root: "),
    ]);
    let sandbox = one_person().config("Cache.path", "\"\"");
    let told = refused_run(&sandbox, &sandbox.sync());
    assert!(told.contains("Cache.path: is empty"), "{told}");
    let sandbox = one_person().config("LibCal.locations", "[]");
    let told = refused_run(&sandbox, &sandbox.sync());
    assert!(told.contains("LibCal.locations: "), "{told}");
}

#[test]
fn a_bad_address_is_named_with_its_line() {
    for bad in [
        "http://library.example.edu/x",
        "http://127.0.0.1.example.edu/x",
        "https://",
        "https:///path",
        "https://clerk:pass-word@library.example.edu/x",
        "https://library.example.edu/x?key=pass-word",
        "ftp://library.example.edu/x",
        "library.example.edu",
        "5",
    ] {
        assert_lines_refused(&[
            (
                &format!("credentials_endpt: {bad}"),
                "LibCal.credentials_endpt: ",
            ),
            (&format!("bookings_endpt: {bad}"), "LibCal.bookings_endpt: "),
            (&format!("users_endpt: {bad}"), "Alma.users_endpt: "),
            (&format!("pp_api_root: {bad}"), "PassagePoint.pp_api_root: "),
        ]);
    }
    assert_lines_refused(&[
        ("login_endpt: https://x/y", "PassagePoint.login_endpt: "),
        (
            "bookings_endpt: https://",
            "LibCal.bookings_endpt: is not an address like https://library.example.edu/path: it has no host",
        ),
    ]);
}

#[test]
fn a_value_of_the_wrong_type_is_named_with_its_line() {
    assert_lines_refused(&[
        ("days: soon", "LibCal.days: "),
        ("days: 1.5", "LibCal.days: "),
        (
            "tries: '3'",
            "Network.tries: must be a whole number from 1 to 10, not text",
        ),
        ("statuses: Confirmed", "LibCal.statuses: "),
        ("client_id: true", "LibCal.client_id: "),
        ("id: Main", "LibCal.locations[0].id: "),
        (
            "password: [x]",
            "PassagePoint.password: a value that begins with [ must be in quotes",
        ),
        ("user_mapping: [x]", "PassagePoint.user_mapping: "),
        (
            "8827: [x]",
            "PassagePoint.location_mapping: must be text, not a list",
        ),
        ("path: {x: y}", "Cache.path: "),
    ]);
}

#[test]
fn a_number_out_of_range_is_named_with_its_line() {
    assert_lines_refused(&[
        ("days: 366", "LibCal.days: "),
        (
            "days: -1",
            "LibCal.days: must be a whole number from 0 to 365",
        ),
        ("requests_per_second: 0", "Alma.requests_per_second: "),
        ("refresh_days: 4000", "Alma.refresh_days: "),
        ("timeout_seconds: 0", "Network.timeout_seconds: "),
        ("tries: 99999999999", "Network.tries: "),
        (
            "concurrency: 0",
            "Network.concurrency: must be a whole number from 1 to 64",
        ),
    ]);
}

#[test]
fn every_location_is_there_once_and_has_a_destination() {
    let sandbox = one_person();
    let good = file(&sandbox);
    for (key, new, named) in [
        ("10332:", "# gone", "10332 (Science & Technology Library)"),
        (
            "10332:",
            "'8827': LibCal Science",
            "location 8827 appears twice",
        ),
        ("8827:", "8827: ''", "8827 (Main Library)"),
    ] {
        let told = all_refused(&sandbox, &with_line(&good, key, new).0);
        assert!(told.contains("PassagePoint.location_mapping"), "{told}");
        assert!(told.contains(named), "{told}");
    }
    let told = refused(&sandbox, &with_line(&good, "id: 10332", "id: 8827").0);
    assert!(
        told.contains("LibCal.locations") && told.contains("8827"),
        "{told}"
    );
}

#[test]
fn a_file_that_is_not_a_configuration_is_named() {
    let sandbox = one_person();
    for (text, line) in [
        ("", ""),
        ("# nothing yet\n", ""),
        ("just words\n", ""),
        (
            "- LibCal\n- Alma\n",
            "must have the sections LibCal, Alma and PassagePoint, but is a list",
        ),
        ("LibCal:\n  client_id: [4242\nAlma: 1\n", "line "),
        ("LibCal:\n\tclient_id: 4242\n", "line 2"),
        ("LibCal: {client_id: 1}\n---\nAlma: {}\n", ""),
        ("\u{0}\u{1}", ""),
    ] {
        let told = refused(&sandbox, text);
        assert!(told.contains(line), "{text:?}: {told}");
    }
    fs::write(sandbox.path("config.yml"), b"LibCal: \xff\xfe").unwrap();
    refused_run(&sandbox, &sandbox.sync());
    fs::remove_file(sandbox.path("config.yml")).unwrap();
    let told = refused_run(&sandbox, &sandbox.sync());
    assert!(told.contains("--config"), "{told}");
    fs::create_dir(sandbox.path("config.yml")).unwrap();
    refused_run(&sandbox, &sandbox.sync());
}

#[test]
fn a_secret_is_never_repeated_wherever_it_was_put_by_mistake() {
    let sandbox = one_person();
    let good = file(&sandbox);
    for (key, wrongs) in [
        (
            "client_secret",
            "{SECRET: x} | [SECRET] | *SECRET | !SECRET x | &SECRET | %SECRET",
        ),
        (
            "client_secret",
            "SECRET: x | 'SECRET | \"SECRET\\nSECRET\" | - SECRET | 'a' SECRET",
        ),
        (
            "apikeys",
            "{SECRET: x} | [{SECRET: x}] | [[SECRET]] | [SECRET",
        ),
        (
            "users_endpt",
            "SECRET | {SECRET: x} | https://a:SECRET@example.edu",
        ),
        ("barcode_types", "SECRET | [{SECRET: x}]"),
        ("refresh_days", "SECRET | [SECRET]"),
        ("id", "SECRET | {SECRET: x}"),
        ("login_endpt", "'?SECRET' | [SECRET]"),
        ("8827", "[SECRET] | {SECRET: x}"),
        ("user_mapping", "SECRET | {gw und: [SECRET]}"),
        ("path", "[SECRET]"),
    ] {
        for wrong in wrongs.split(" | ") {
            let new = format!("{key}: {wrong}");
            let told = refused(&sandbox, &with_line(&good, key, &new).0);
            assert!(!told.contains("SECRET"), "`{new}`: {told}");
        }
    }
    for (key, new) in [
        ("client_secret", "client_secret:SECRET"),
        ("client_secret", "SECRET"),
        ("name", "SECRET"),
        ("8827", "SECRET: x"),
        ("days", "SECRET!: x"),
        ("days", "l7SECRET0123456789abcdef0123456789: x"),
    ] {
        let told = refused(&sandbox, &with_line(&good, key, new).0);
        assert!(!told.contains("SECRET"), "`{new}`: {told}");
    }
    // A quote that is never closed makes a key of all that follows.
    for (key, quote) in [
        ("LibCal", "{\""),
        ("LibCal", "? \""),
        ("PassagePoint", "\""),
        ("user_mapping", "user_mapping: {\""),
    ] {
        let file = with_line(&good, &format!("{key}:"), quote).0 + "\nX: [\"SECRET\": [1]]}\n";
        for file in [file.clone(), file.replace("Network:", "SECRET: \"")] {
            let told = refused(&sandbox, &file);
            assert!(
                !told.contains("SECRET") && told.len() < 400,
                "{quote}: {told}"
            );
        }
    }
    for section in ["LibCal", "Alma", "PassagePoint", "Cache", "Network"] {
        for wrong in ["SECRET", "[SECRET]"] {
            let file = format!("{section}: {wrong}\n");
            let told = all_refused(&sandbox, &file);
            assert!(!told.contains("SECRET"), "{file}: {told}");
            assert!(told.contains(&format!("line 1: {section}: ")), "{told}");
        }
    }
    assert!(!refused(&sandbox, "SECRET\n").contains("SECRET"));
}

#[test]
fn a_secret_that_is_not_where_the_file_says_is_named() {
    for (key, value, named) in [
        ("LibCal.client_secret", "env:NOT_SET", "NOT_SET"),
        ("LibCal.client_id", "file:two-lines", "line break"),
        ("Alma.apikeys", "env:NOT_SET", "NOT_SET"),
        ("PassagePoint.username", "env:BLANK", "empty"),
        ("PassagePoint.password", "file:/not/there", "/not/there"),
    ] {
        let sandbox = one_person().config(key, value);
        fs::write(sandbox.path("two-lines"), "hidden\nhidden\n").unwrap();
        let mut command = sandbox.command(&["sync"]);
        command.env("BLANK", " \n");
        let told = refused_run(&sandbox, &Run::of(command));
        assert!(told.contains(key) && told.contains(named), "{told}");
        assert!(!told.contains("hidden"), "{told}");
    }
}

#[test]
fn a_secret_from_a_file_without_an_end_is_refused() {
    let sandbox = one_person().config("LibCal.client_secret", "file:/dev/zero");
    let run = sandbox.sync();
    assert_eq!(run.code, 78, "{run:#?}");
    assert_says(&run.stderr, &["LibCal.client_secret", "control character"]);
}

#[test]
fn a_configuration_that_this_account_may_not_read_says_what_to_do() {
    let sandbox = one_person();
    fs::set_permissions(sandbox.path(""), Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(sandbox.path("config.yml"), Permissions::from_mode(0o000)).unwrap();
    let told = mistakes_told(&sandbox, &run_unprivileged(&sandbox, &["sync"]));
    let says = [
        "cannot read the configuration file ",
        "config.yml: Permission denied: run the command as the account that runs the sync, name another file with --config, or give this account the file with chown",
    ];
    assert_says(&told, &says);
}
