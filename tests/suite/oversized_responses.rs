//! Responses that are too large, or nested too deep: bounded memory, short lines, and the good ones still count.

use std::sync::Arc;

use crate::sandbox::{Fault, Run, Sandbox, Service};
use crate::support::{add_people, assert_says, good_sync, in_parallel, peak_status, warnings};

/// What the program may hold in memory at the most, in KiB. Eight replies come at once, and one of a mebibyte of
/// nothing but empty lists takes twenty times that once it is read.
const MEMORY: u64 = 256 * 1024;
const PEOPLE: usize = 16;

/// Many people at once, so that many bad replies are held at once.
fn many_people() -> Sandbox {
    // However busy the machine is, a large reply comes in time.
    let sandbox = Sandbox::new()
        .config("Network.concurrency", "8")
        .config("Network.timeout_seconds", "60");
    add_people(&sandbox, PEOPLE);
    sandbox
}

/// A pass in which a service's replies to such requests are this, over and over; then one in which all is well.
fn assert_endures(service: Service, part: &str, reply: &Arc<str>) {
    let sandbox = many_people();
    sandbox.fault(
        Fault::on(service)
            .path(part)
            .answer(200, "application/json", Arc::clone(reply)),
    );
    let mut pass = sandbox.spawn(&["-v", "sync"]);
    let peak = peak_status(&mut pass, "VmHWM");
    let run = Run::finish(pass);
    let case = format!(
        "{service:?} {part}, {} bytes: {peak} KiB, {run:#?}",
        reply.len()
    );
    assert!((1..MEMORY).contains(&peak), "{case}");
    assert_eq!(run.code, 1, "{case}");
    let told = warnings(&run);
    assert_says(&told, &[&format!("{service:?}")]);
    assert!(told.lines().count() <= 2 && told.len() < 1000, "{case}");
    assert!(run.stderr.lines().all(|line| line.len() < 500), "{case}");

    sandbox.clear_faults();
    let run = sandbox.sync();
    assert!(
        run.code == 0 || run.stderr.contains("possibly registered twice"),
        "{run:#?}"
    );
    // A list of which no row can be read is no outage.
    let was_outage = told.contains("error: ");
    let is_over = format!("{service:?} is responding again");
    assert_eq!(run.stderr.contains(&is_over), was_outage, "{case}{run:#?}");
    assert!(run.stderr.lines().count() <= 2, "{run:#?}");
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), PEOPLE, "{case}");
}

const ALL: [(Service, &str); 7] = [
    (Service::LibCal, "oauth/token"),
    (Service::LibCal, "space/bookings"),
    (Service::Alma, "users"),
    (Service::PassagePoint, "auth/login"),
    (Service::PassagePoint, "createVisitor"),
    (Service::PassagePoint, "createPreReg"),
    (Service::PassagePoint, ""),
];

#[test]
fn a_response_of_50_mb_is_not_held_in_memory() {
    let huge: Arc<str> = format!("[{}[]]", "[],".repeat(50 * 1024 * 1024 / 3)).into();
    in_parallel(2, &ALL, |(service, part)| {
        assert_endures(*service, part, &huge);
    });
}

#[test]
fn a_response_nested_100_000_deep_is_a_failure_like_any_other() {
    let deep: Arc<str> = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)).into();
    let deep_fields: Arc<str> =
        format!("{}1{}", r#"{"data":"#.repeat(100_000), "}".repeat(100_000)).into();
    in_parallel(4, &ALL, |(service, part)| {
        for reply in [&deep, &deep_fields] {
            assert_endures(*service, part, reply);
        }
    });
}

#[test]
fn a_response_as_large_as_is_read_at_all_is_held_in_little_memory() {
    let most: Arc<str> = format!("[{}[]]", "[],".repeat(1024 * 1024 / 3 - 2)).into();
    in_parallel(4, &ALL, |(service, part)| {
        assert_endures(*service, part, &most);
    });
}
