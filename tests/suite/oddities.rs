//! Odd names, files and moments, as they come up where a program is used for years.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;

use crate::sandbox::{Booking, Fault, Sandbox, Service, User};
use crate::support::{
    assert_says, good_sync, needy_sync, of_ada, one_person, python_cache, rows_of, state_of,
    with_ada,
};

/// A visit of which nobody knows whether it is registered.
fn in_doubt() -> Sandbox {
    let sandbox = one_person();
    let prereg = Fault::on(Service::PassagePoint).path("createPreReg");
    sandbox.fault(prereg.cut_after().times(1));
    let run = sandbox.sync();
    assert_eq!((run.code, run.stderr.as_str()), (1, ""), "{run:#?}");
    assert_eq!(state_of(&sandbox, "cs_1"), "in doubt");
    sandbox
}

#[test]
fn forgetting_a_visit_in_doubt_warns_that_it_may_come_to_be_there_twice() {
    for args in [
        ["prune", "--user", "G10000001"],
        ["prune", "--appt", "cs_1"],
    ] {
        let sandbox = in_doubt();
        let run = sandbox.run(&args);
        assert_eq!(run.code, 0, "{run:#?}");
        assert_says(
            &run.stderr,
            &["forgetting 1 visit", "in doubt", "a second time"],
        );
    }
}

#[test]
fn under_q_too_it_is_said_that_a_visit_is_possibly_registered_twice() {
    let sandbox = in_doubt();
    let run = sandbox.run(&["-q", "sync"]);
    assert_eq!(run.code, 1, "{run:#?}");
    assert_says(
        &run.stderr,
        &["possibly registered twice", "cs_1 of G10000001"],
    );
}

#[test]
fn a_refusal_that_could_not_be_told_for_a_full_disk_is_told_by_the_next_pass() {
    let sandbox = Sandbox::new().booking(Booking::new("cs_1").by("G404"));
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let status = sandbox.command(&["sync"]).stderr(full).status().unwrap();
    assert_eq!(status.code(), Some(1));
    assert_says(&needy_sync(&sandbox), &["not in Alma", "cs_1"]);
    good_sync(&sandbox);
}

#[test]
fn a_cache_whose_name_means_something_to_sqlite_is_a_file_all_the_same() {
    for name in [":memory:", "file:x.db?mode=memory", "file:y.db"] {
        let sandbox = one_person();
        for _ in 0..2 {
            let run = sandbox.run(&["--db", name, "sync"]);
            assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{name}: {run:#?}");
        }
        assert_eq!(sandbox.expected().len(), 1, "{name}");
        let header = fs::read(sandbox.path(name)).expect(name);
        assert!(header.starts_with(b"SQLite format 3"), "{name}");
    }
}

#[test]
fn a_link_to_a_cache_that_is_not_there_is_told_as_such() {
    let sandbox = one_person();
    symlink(sandbox.path("gone.db"), sandbox.path("link.db")).unwrap();
    for command in ["sync", "prune"] {
        let run = sandbox.run(&["--db", "link.db", command]);
        assert_eq!(run.code, 1, "{run:#?}");
        assert_says(
            &run.stderr,
            &["link.db is a link to a file that is not there"],
        );
    }
    let run = sandbox.run(&["--db", "link.db", "check"]);
    assert_eq!(run.code, 1, "{run:#?}");
    assert_says(&run.stdout, &["FAIL  cache: the cache link.db is a link"]);
    assert_eq!(sandbox.expected().len(), 0);
}

#[test]
fn a_look_up_names_the_booking_that_was_refused() {
    let sandbox = with_ada().booking(of_ada("cs_1"));
    let prereg = Fault::on(Service::PassagePoint).path("createPreReg");
    sandbox.fault(prereg.answer(422, "text/plain", "no"));
    needy_sync(&sandbox);
    for args in [["lookup-user", "G10000001"], ["lookup-appt", "cs_1"]] {
        let run = sandbox.run(&args);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
        let says = [
            "cs_1 of G10000001: refused\n",
            "  PassagePoint refused the pre-registration (422): ",
        ];
        assert_says(&run.stdout, &says);
    }
}

#[test]
fn a_python_programs_cache_that_everybody_could_read_is_taken_over_as_a_private_one() {
    let sandbox = with_ada();
    python_cache(
        &sandbox,
        "INSERT INTO appts VALUES ('cs_1', '7'), (x'00ff', '8'), ('cs_3', x'ff');
         INSERT INTO users VALUES ('G10000001', '21000001', '9'), ('G2', x'00ff', '9');",
    );
    fs::set_permissions(sandbox.path("cache.db"), Permissions::from_mode(0o644)).unwrap();
    let run = sandbox.run(&["lookup-user", "G10000001"]);
    let warning = "warning: no full pass was made yet: what LibCal lists is not known here\n";
    assert_eq!((run.code, run.stderr.as_str()), (0, warning), "{run:#?}");
    let mode = fs::metadata(sandbox.path("cache.db"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(rows_of(&sandbox, "appts"), 1, "bytes are no booking id");
    assert_eq!(rows_of(&sandbox, "users"), 1, "nor a barcode");
    good_sync(&sandbox);
}

#[test]
fn a_configuration_written_on_windows_is_read() {
    let sandbox = one_person();
    let good = fs::read_to_string(sandbox.path("config.yml")).unwrap();
    sandbox.write_config(&format!("\u{feff}{}", good.replace('\n', "\r\n")));
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 1);
}

#[test]
fn a_secret_from_a_file_without_an_end_is_refused() {
    let sandbox = one_person().config("LibCal.client_secret", "file:/dev/zero");
    let run = sandbox.sync();
    assert_eq!(run.code, 78, "{run:#?}");
    assert_says(&run.stderr, &["LibCal.client_secret", "control character"]);
}

#[test]
fn a_visit_that_was_given_up_is_named_at_each_pass_to_whoever_looks() {
    let sandbox = one_person().user(User::new("G10000002").barcode("21000002"));
    let prereg = Fault::on(Service::PassagePoint).path("createPreReg");
    sandbox.fault(prereg.hang(Duration::from_secs(60)).times(3));
    for _ in 0..3 {
        assert_eq!(sandbox.sync().code, 1);
    }
    sandbox.add_booking(Booking::new("cs_2").by("G10000002"));
    let mut pass = sandbox.command(&["sync"]);
    pass.env("RUST_LOG", "info");
    let run = crate::sandbox::Run::of(pass);
    assert_eq!(run.code, 1, "{run:#?}");
    let says = [
        "still waiting for a person: 1 booking given up after 3 attempts: ",
        "prune --appt",
        "(cs_1 with G10000001)",
    ];
    assert_says(&run.stderr, &says);
    assert_says(&run.stderr, &["registered booking cs_2 of G10000002"]);
    // Who does not look was told once.
    let run = sandbox.sync();
    assert_eq!((run.code, run.stderr.as_str()), (1, ""), "{run:#?}");
}
