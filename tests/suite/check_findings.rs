//! `check`: what it warns of, what it cannot verify, and the configuration key behind each failure.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use crate::check::line;
use crate::sandbox::{Fault, Run, Sandbox, Service};
use crate::support::{
    NOBODY, assert_says, good_sync, is_root, of_ada, one_person, run_unprivileged,
};

fn set_mode(sandbox: &Sandbox, file: &str, mode: u32) {
    fs::set_permissions(sandbox.path(file), Permissions::from_mode(mode)).unwrap();
}

/// The lines that begin with this word, without it.
fn lines<'r>(run: &'r Run, word: &str) -> Vec<&'r str> {
    let lines = run.stdout.lines();
    lines
        .filter_map(|line| line.strip_prefix(&format!("{word:4}  ")))
        .collect()
}

/// With its client secret, one API key and its password in files that only their owner can read.
fn with_secret_files() -> Sandbox {
    let sandbox = one_person()
        .config("LibCal.client_secret", "file:libcal-secret")
        .config("PassagePoint.password", "file:password");
    let secrets = {
        let world = sandbox.world();
        [
            ("libcal-secret", world.client_secret.clone()),
            ("alma-key", world.alma_keys[0].clone()),
            ("password", world.password.clone()),
        ]
    };
    let other_key = sandbox.world().alma_keys[1].clone();
    let keys = format!(r#"["file:alma-key", "{other_key}"]"#);
    sandbox.set_config("Alma.apikeys", &keys);
    for (file, secret) in secrets {
        fs::write(sandbox.path(file), secret).unwrap();
        set_mode(&sandbox, file, 0o600);
    }
    sandbox
}

#[test]
fn each_secret_file_that_others_can_read_is_warned_of_with_what_to_type() {
    let sandbox = with_secret_files();
    assert_eq!(lines(&sandbox.run(&["check"]), "warn"), [""; 0]);
    let files = ["config.yml", "libcal-secret", "alma-key", "password"];
    for (mode, is_warned) in [(0o644, true), (0o640, true), (0o602, true), (0o400, false)] {
        for file in files {
            set_mode(&sandbox, file, mode);
            let run = sandbox.run(&["check"]);
            assert_eq!(run.code, 0, "a warning is not a failure: {run:#?}");
            let path = sandbox.path(file);
            let warning = format!(
                "{}: holds a secret and is open to other accounts: run `chmod 600 {}`",
                path.display(),
                path.display()
            );
            let expected = if is_warned { vec![warning] } else { vec![] };
            assert_eq!(lines(&run, "warn"), expected, "{mode:o} {file}");
            set_mode(&sandbox, file, 0o600);
        }
    }
}

#[test]
fn a_configuration_without_a_secret_in_it_may_be_read_by_everybody_but_not_changed() {
    let sandbox = with_secret_files().config("Alma.apikeys", r#"["file:alma-key", "env:KEY_2"]"#);
    let file = sandbox.path("config.yml").display().to_string();
    let warning = format!("{file}: can be changed by other accounts: run `chmod go-w {file}`");
    for (mode, warnings) in [
        (0o644, vec![]),
        (0o664, vec![warning.as_str()]),
        (0o602, vec![&warning]),
    ] {
        set_mode(&sandbox, "config.yml", mode);
        let mut command = sandbox.command(&["check"]);
        command.env("KEY_2", &sandbox.world().alma_keys[1]);
        let run = Run::of(command);
        assert_eq!(run.code, 0, "{run:#?}");
        assert_eq!(lines(&run, "warn"), warnings, "{mode:o}");
    }
}

#[test]
fn a_secret_file_of_another_account_is_to_be_given_to_this_one() {
    if !is_root() {
        return;
    }
    let sandbox = with_secret_files();
    fs::set_permissions(sandbox.path(""), Permissions::from_mode(0o755)).unwrap();
    for file in ["config.yml", "alma-key", "libcal-secret"] {
        std::os::unix::fs::chown(sandbox.path(file), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    set_mode(&sandbox, "password", 0o644);
    let run = run_unprivileged(&sandbox, &["check"]);
    let path = sandbox.path("password").display().to_string();
    let says = format!(
        "{path}: holds a secret and is open to other accounts: give it to this account with chown, then run `chmod 600 {path}`"
    );
    assert_eq!(lines(&run, "warn"), [says], "{run:#?}");
}

#[test]
fn what_systemd_hands_over_is_not_warned_of() {
    let sandbox = with_secret_files();
    let folder = sandbox.path("credentials");
    fs::create_dir(&folder).unwrap();
    fs::copy(sandbox.path("password"), folder.join("password")).unwrap();
    // systemd lets an account read it by an access control list, which looks like a right of the group.
    set_mode(&sandbox, "credentials/password", 0o440);
    let secret = format!("file:{}/password", folder.display());
    sandbox.set_config("PassagePoint.password", &secret);
    let mut command = sandbox.command(&["check"]);
    command.env("CREDENTIALS_DIRECTORY", &folder);
    assert_eq!(lines(&Run::of(command), "warn"), [""; 0]);
    assert_eq!(lines(&sandbox.run(&["check"]), "warn").len(), 1);
}

#[test]
fn a_cache_that_others_can_read_is_warned_of() {
    let sandbox = one_person();
    good_sync(&sandbox);
    for (mode, is_warned) in [(0o644, true), (0o640, true), (0o600, false)] {
        set_mode(&sandbox, "cache.db", mode);
        let run = sandbox.run(&["check"]);
        assert_eq!(run.code, 0, "a warning is not a failure: {run:#?}");
        let warnings = lines(&run, "warn");
        assert_eq!(warnings.len(), usize::from(is_warned), "{run:#?}");
        if is_warned {
            assert!(warnings[0].starts_with("cache: "), "{run:#?}");
            let path = sandbox.path("cache.db").display().to_string();
            let says = [format!("is open to other accounts: run `chmod 600 {path}`")];
            assert_says(warnings[0], &[&says[0]]);
        }
    }
}

#[test]
fn a_warning_is_ok_for_a_program_and_its_detail_says_that_it_is_one() {
    let sandbox = with_secret_files();
    set_mode(&sandbox, "password", 0o644);
    let run = sandbox.run(&["--json", "check"]);
    assert_eq!(run.code, 0, "{run:#?}");
    let objects = run.json();
    let path = sandbox.path("password").display().to_string();
    let object = objects
        .iter()
        .find(|object| object["what"] == path.as_str());
    let object = object.expect("a line about the file");
    assert_eq!(object["ok"], true);
    let detail = object["detail"].as_str().unwrap();
    assert!(detail.starts_with("warning: holds a secret"), "{detail}");
}

#[test]
fn categories_that_cannot_be_verified_are_named_in_one_line() {
    let sandbox = one_person().config(
        "PassagePoint.user_mapping",
        r#"{"gw und": "Student", "gw grad": "Student", "gw staff": "Staff"}"#,
    );
    let run = sandbox.run(&["check"]);
    let told = line(&run, "PassagePoint.user_mapping: ");
    let says = [
        "Staff, Student, Visitor",
        "PassagePoint has no way to verify them",
    ];
    assert_says(told, &says);
    assert_eq!(run.code, 0, "{run:#?}");
}

#[test]
fn the_calls_that_alma_leaves_for_the_day_are_reported_for_each_key() {
    let sandbox = one_person();
    sandbox.world().alma_calls_left = vec![1235, 1];
    let run = sandbox.run(&["check"]);
    let says = ["accepted, 1234 requests left today"];
    assert_says(line(&run, "Alma, API key 1: "), &says);
    let says = ["accepted, 0 requests left today"];
    assert_says(line(&run, "Alma, API key 2: "), &says);
    // Where Alma does not say so, or says something else, nothing is said.
    sandbox.world().alma_calls_left.clear();
    let run = sandbox.run(&["check"]);
    assert!(line(&run, "Alma, API key 1: ").ends_with(": accepted"));
    let alma = Fault::on(Service::Alma);
    sandbox.fault(alma.header("X-Exl-Api-Remaining", "plenty"));
    let run = sandbox.run(&["check"]);
    assert!(line(&run, "Alma, API key 1: ").ends_with(": accepted"));
}

#[test]
fn under_q_only_failures_are_printed() {
    let sandbox = with_secret_files();
    set_mode(&sandbox, "password", 0o644);
    for args in [&["check", "-q"][..], &["-q", "--json", "check"]] {
        let run = sandbox.run(args);
        assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{run:#?}");
    }
    sandbox.stop(Service::PassagePoint);
    let all = sandbox.run(&["check"]);
    let run = sandbox.run(&["check", "-q"]);
    assert_eq!((run.code, run.stderr.as_str()), (1, ""), "{run:#?}");
    assert!(run.stdout.lines().all(|line| line.starts_with("FAIL  ")));
    assert_eq!(lines(&run, "FAIL"), lines(&all, "FAIL"));
    let objects = sandbox.run(&["-q", "--json", "check"]).json();
    assert_eq!(objects.len(), run.stdout.lines().count());
    assert!(objects.iter().all(|object| object["ok"] == false));
}

/// What is set up wrongly, each in a sandbox of its own.
fn failures() -> Vec<Sandbox> {
    let with_fault = |fault: Fault| {
        let sandbox = one_person();
        sandbox.fault(fault);
        sandbox
    };
    let answers = [
        (200, "null"),
        (200, "<p>"),
        (200, r#"{"error": "x"}"#),
        (302, ""),
        (400, "{}"),
        (401, ""),
        (403, ""),
        (404, ""),
        (405, ""),
        (429, ""),
        (500, ""),
        (503, ""),
    ];
    let paths = [
        (Service::LibCal, "token"),
        (Service::LibCal, "bookings"),
        (Service::Alma, ""),
        (Service::PassagePoint, "login"),
        (Service::PassagePoint, "getDestinations"),
    ];
    let mut failures = Vec::new();
    for (service, path) in paths {
        for (status, body) in answers {
            let fault = Fault::on(service).path(path);
            failures.push(with_fault(fault.answer(status, "text/html", body)));
        }
        failures.push(with_fault(Fault::on(service).path(path).cut_before()));
    }
    let daily = r#"{"errorList": {"error": [{"errorCode": "DAILY_THRESHOLD"}]}}"#;
    let alma = Fault::on(Service::Alma);
    failures.push(with_fault(alma.answer(429, "application/json", daily)));
    for service in Service::ALL {
        let sandbox = one_person();
        sandbox.stop(service);
        failures.push(sandbox);
    }
    for (key, value) in [
        ("LibCal.client_id", "wrong"),
        ("LibCal.credentials_endpt", "https://nowhere.invalid/x"),
        ("LibCal.primary_id_field", "q99"),
        ("LibCal.statuses", r#"["Mediated Approved", "Blessed"]"#),
        ("PassagePoint.password", "wrong"),
        ("PassagePoint.pp_api_root", "https://nowhere.invalid"),
        ("PassagePoint.location_mapping.10332", "Attic"),
        ("Cache.path", "not/there/cache.db"),
        ("Cache.path", "/dev/null"),
    ] {
        failures.push(one_person().config(key, value));
    }
    let sandbox = one_person();
    sandbox.world().destinations.clear();
    sandbox.remove_rows("cs_1");
    sandbox.add_booking(of_ada("cs_1").with("fromDate", "soon".into()));
    failures.push(sandbox);
    let sandbox = one_person();
    fs::write(sandbox.path("cache.db"), "not a cache, and long enough").unwrap();
    failures.push(sandbox);
    let sandbox = one_person();
    fs::write(sandbox.path("elsewhere"), "").unwrap();
    std::os::unix::fs::symlink("elsewhere", sandbox.path("cache.db.lock")).unwrap();
    failures.push(sandbox);
    failures
}

#[test]
fn each_failure_names_the_configuration_key_behind_it() {
    let sections = ["LibCal.", "Alma.", "PassagePoint.", "Cache."];
    let mut failed = 0;
    for sandbox in failures() {
        let run = sandbox.run(&["check"]);
        assert_eq!(run.code, 1, "{run:#?}");
        for line in lines(&run, "FAIL") {
            failed += 1;
            let (_, detail) = line.split_once(": ").unwrap();
            let is_key = |word: &str| {
                let named = sections.iter().any(|section| word.starts_with(section));
                named && word.split('.').nth(1).is_some_and(|key| !key.is_empty())
            };
            let mut words = detail.split([' ', '(', ')', ',', ';', ':']);
            assert!(words.any(is_key), "{line}");
        }
    }
    assert!(failed > 100, "{failed}");
}

#[test]
fn a_cache_named_on_the_command_line_fails_by_that_option() {
    let sandbox = one_person();
    fs::write(sandbox.path("other.db"), "not a cache, and long enough").unwrap();
    let run = sandbox.run(&["--db", "other.db", "check", "-q"]);
    assert_eq!(lines(&run, "FAIL").len(), 1, "{run:#?}");
    assert_says(&run.stdout, &["--db"]);
}
