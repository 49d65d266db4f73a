//! Visits in doubt are not retried if the warning that they may be registered twice cannot be delivered; whatever else
//! cannot be printed keeps nothing from being done.

use std::fs::File;
use std::process::{Command, Stdio};

use crate::sandbox::{Booking, Run, Sandbox, Service};
use crate::support::{
    assert_says, count_rows, good_sync, of_ada, one_person, sandbox_in_doubt, single_json,
    state_of, sync_needing_attention,
};

/// A visit in doubt, and a new one beside it.
fn in_doubt_and_new() -> Sandbox {
    let sandbox = sandbox_in_doubt();
    sandbox.add_booking(of_ada("cs_2").minutes(100, 160));
    sandbox.forget_requests();
    sandbox
}

/// The visit in doubt stays so, the other one is registered, and the pass says by its status that it needs a person.
fn assert_put_off(sandbox: &Sandbox, code: Option<i32>, how: &str) {
    assert_eq!(code, Some(1), "{how}");
    assert_eq!(state_of(sandbox, "cs_1"), "in doubt", "{how}");
    assert_eq!(state_of(sandbox, "cs_2"), "registered", "{how}");
    let preregs = sandbox.count_of(Service::PassagePoint, "createPreReg");
    assert_eq!(preregs, 1, "{how}");
}

#[test]
fn a_visit_in_doubt_is_not_tried_with_a_closed_or_full_standard_error_or_with_errors_switched_off()
{
    for how in ["2>&-", "2>/dev/full", "2>/dev/null"] {
        let sandbox = in_doubt_and_new();
        let pass = sandbox.command(&["sync"]);
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("exec \"$0\" \"$@\" {how}")]);
        shell.arg(pass.get_program()).args(pass.get_args());
        let status = shell
            .current_dir(sandbox.path(""))
            .status()
            .expect("sh can be run");
        assert_put_off(&sandbox, status.code(), how);
        // Where somebody can be told, it is tried.
        assert_says(
            &sync_needing_attention(&sandbox),
            &["possibly registered twice", "cs_1"],
        );
        good_sync(&sandbox);
    }
    for filter in [
        "off",
        "libcal_pp=error,libcal_pp::command=off",
        "warn/nothing like this",
    ] {
        let sandbox = in_doubt_and_new();
        let mut pass = sandbox.command(&["sync"]);
        pass.env("RUST_LOG", filter).stderr(Stdio::piped());
        let output = pass.output().expect("the program can be started");
        assert_put_off(&sandbox, output.status.code(), filter);
        assert!(output.stderr.is_empty(), "{filter}");
    }
}

#[test]
fn it_counts_as_in_doubt() {
    let sandbox = in_doubt_and_new();
    for (registered, already) in [(1, 0), (0, 1)] {
        let full = File::options()
            .write(true)
            .open("/dev/full")
            .expect("Linux has it");
        let mut pass = sandbox.command(&["--json", "sync"]);
        let output = pass
            .stderr(full)
            .output()
            .expect("the program can be started");
        let summary = single_json(&output.into());
        let counts = ["visits", "in_doubt", "registered", "already_registered"];
        let counts = counts.map(|count| summary[count].as_u64());
        assert_eq!(counts, [2, 1, registered, already].map(Some), "{summary}");
    }
}

#[test]
fn an_outage_goes_on_while_what_it_left_in_doubt_is_not_tried() {
    let sandbox = sandbox_in_doubt();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let status = sandbox.command(&["sync"]).stderr(full).status().unwrap();
    assert_eq!(status.code(), Some(1));
    assert_eq!(state_of(&sandbox, "cs_1"), "in doubt");
    let lasting = "outages WHERE service = 'PassagePoint'";
    assert_eq!(count_rows(&sandbox, lasting), 1);
}

#[test]
fn under_q_too_it_is_said_that_a_visit_is_possibly_registered_twice() {
    let sandbox = sandbox_in_doubt();
    let run = sandbox.run(&["-q", "sync"]);
    assert_eq!(run.code, 1, "{run:#?}");
    assert_says(
        &run.stderr,
        &["possibly registered twice", "cs_1 of G10000001"],
    );
}

#[test]
fn a_refusal_that_could_not_be_reported_for_a_full_disk_is_reported_by_the_next_pass() {
    let sandbox = Sandbox::new().booking(Booking::new("cs_1").by("G404"));
    let full = File::options().write(true).open("/dev/full").unwrap();
    let status = sandbox.command(&["sync"]).stderr(full).status().unwrap();
    assert_eq!(status.code(), Some(1));
    assert_says(&sync_needing_attention(&sandbox), &["not in Alma", "cs_1"]);
    good_sync(&sandbox);
}

#[test]
fn a_pass_whose_numbers_cannot_be_printed_has_ended_all_the_same() {
    let sandbox = one_person();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut pass = sandbox.command(&["--json", "sync"]);
    let run: Run = pass.stdout(full).output().unwrap().into();
    assert_eq!(run.code, 1, "{run:#?}");
    assert_says(&run.stderr, &["error: cannot write to standard output"]);
    let status = single_json(&sandbox.run(&["--json", "status"]));
    assert_eq!(status["last_pass"]["registered"], 1, "{status}");
}
