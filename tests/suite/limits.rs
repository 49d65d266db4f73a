//! Limits on what is read, kept or started: rows, bytes, long texts, concurrent requests, threads.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::chown;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::sandbox::{Booking, Fault, Run, Sandbox, Service, User};
use crate::support::{
    assert_no_complaints, assert_refusal, assert_says, cache_bytes, contains_text, copy_program,
    good_sync, is_root, of_ada, peak_status, sandbox_with_people, sync_during_outage, with_ada,
};

/// One location, with a booking of Ada's that is listed first.
pub fn one_place() -> Sandbox {
    with_ada()
        .config(
            "LibCal.locations",
            r#"[{"name": "Main Library", "id": 8827}]"#,
        )
        .config("Network.timeout_seconds", "60")
        .booking(of_ada("cs_1"))
}

/// From now on every page of the list has a hundred rows that no other page has, all of one booking; Ada's first.
pub fn never_end(sandbox: &Sandbox, padding: usize) {
    let ada = sandbox.world().rows[0].value.clone();
    let filler = Booking::new("cs_filler").status("Mediated Tentative");
    let scratch = Sandbox::new().booking(filler);
    let mut filler = scratch.world().rows[0].value.clone();
    filler["lastName"] = "x".repeat(padding).into();
    let pages = AtomicUsize::new(0);
    let page = move |_| {
        let first = 1_000_000 + 100 * pages.fetch_add(1, Ordering::Relaxed);
        let row = |n: usize| {
            let mut row = filler.clone();
            row["id"] = (first + n).into();
            row
        };
        let mut rows = vec![ada.clone()];
        rows.extend((1..100).map(row));
        Value::from(rows).to_string()
    };
    sandbox.fault(Fault::on(Service::LibCal).path("bookings").rewrite(page));
}

#[test]
fn a_list_of_large_pages_that_never_ends_is_given_up_in_little_memory() {
    let sandbox = one_place();
    never_end(&sandbox, 60_000);
    let mut pass = sandbox.spawn(&["-v", "sync"]);
    let memory = peak_status(&mut pass, "VmHWM");
    let run = Run::finish(pass);
    assert_eq!(run.code, 1, "{run:#?}");
    let bound = "Main Library (8827): LibCal's list did not end within 64 MiB";
    assert!(run.stderr.contains("64 MiB"), "{bound} in {run:#?}");
    assert!((1..96 * 1024).contains(&memory), "{memory} KiB");
    let asked = sandbox.count_of(Service::LibCal, "bookings");
    assert!(asked <= 14, "{asked} pages of 6 MB");
    assert_eq!(sandbox.expected().len(), 1, "what came before is used");
}

#[test]
fn a_list_of_small_pages_that_never_ends_is_given_up() {
    let sandbox = one_place();
    never_end(&sandbox, 1);
    let said = sync_during_outage(&sandbox);
    assert_says(
        &said,
        &["Main Library (8827)", "LibCal's list did not end within"],
    );
    assert_eq!(said.lines().count(), 1, "{said}");
    let asked = sandbox.count_of(Service::LibCal, "bookings");
    assert!((500..=1100).contains(&asked), "{asked} pages");
    assert_eq!(sandbox.expected().len(), 1, "what came before is used");
}

#[test]
fn a_page_of_millions_of_rows_is_not_read() {
    let sandbox = one_place();
    let numbers: Vec<_> = (0..500_000).map(|n| n.to_string()).collect();
    let page = format!("[{}]", numbers.join(","));
    let list = Fault::on(Service::LibCal).path("bookings");
    sandbox.fault(list.answer(200, "application/json", page));
    let said = sync_during_outage(&sandbox);
    assert_says(
        &said,
        &["LibCal sent more than 10000 rows on one page: check LibCal.bookings_endpt"],
    );
}

#[test]
fn a_booking_id_or_status_that_is_too_long_is_refused_and_kept_and_printed_nowhere() {
    let long = "x".repeat(3_000_000);
    for (field, what) in [("bookId", "bookId"), ("status", "status")] {
        // However busy the machine is, the list comes in time.
        let sandbox = with_ada().config("Network.timeout_seconds", "60");
        let sandbox = sandbox.booking(of_ada("cs_1")).booking(
            of_ada("cs_2")
                .minutes(200, 260)
                .with("id", 77.into())
                .with(field, long.clone().into()),
        );
        let subject = if field == "bookId" { "row 77" } else { "cs_2" };
        assert_refusal(
            &sandbox,
            &[&format!("({what} is longer than 255 characters"), subject],
        );
        for args in [&["-v", "sync"][..], &["status"], &["lookup-appt", subject]] {
            let run = sandbox.run(args);
            assert!(run.stdout.len() + run.stderr.len() < 4000, "{args:?}");
        }
        assert!(
            !contains_text(&cache_bytes(&sandbox), &long[..1000]),
            "{field}"
        );
        assert_eq!(sandbox.expected().len(), 1, "{field}");
    }
}

#[test]
fn ids_of_255_characters_are_good() {
    let sandbox = with_ada().booking(of_ada(&"x".repeat(255)));
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 1);
}

#[test]
fn a_name_that_is_nobodys_is_taken_from_alma() {
    let user = User::new("G10000001")
        .barcode("21000001")
        .name("Ada", "Lovelace");
    let booking = of_ada("cs_1").person(&"x".repeat(256), "Byron", &"y".repeat(256));
    let sandbox = Sandbox::new().user(user).booking(booking);
    good_sync(&sandbox);
    let visitor = sandbox.world().visitors[0].clone();
    assert_eq!(
        (visitor.first_name.as_str(), visitor.last_name.as_str()),
        ("Ada", "Byron")
    );
    assert_eq!(visitor.email, None);
}

/// So many locations, each with an empty list but the last.
fn many_places(number: i64) -> Sandbox {
    let ids: Vec<i64> = (1..=number).collect();
    let places: Vec<_> = ids
        .iter()
        .map(|id| json!({"name": format!("Floor {id}"), "id": id}))
        .collect();
    let sandbox = with_ada().config("LibCal.locations", &Value::from(places).to_string());
    let mapping: serde_json::Map<_, _> = ids
        .iter()
        .map(|id| (id.to_string(), "LibCal Main".into()))
        .collect();
    sandbox.set_config(
        "PassagePoint.location_mapping",
        &Value::from(mapping).to_string(),
    );
    sandbox.world().locations = ids;
    sandbox
}

#[test]
fn lists_are_read_over_no_more_connections_and_threads_than_configured() {
    for concurrency in [1, 3, 8] {
        let sandbox = many_places(600).config("Network.concurrency", &concurrency.to_string());
        let mut pass = sandbox.spawn(&["sync"]);
        let threads = peak_status(&mut pass, "Threads");
        let run = Run::finish(pass);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""));
        assert!((1..=concurrency).contains(&threads), "{threads} threads");
        let mut requests = sandbox.requests();
        requests.retain(|seen| seen.path.ends_with("space/bookings"));
        assert_eq!(requests.len(), 600);
        let connections: BTreeSet<_> = requests.iter().map(|seen| seen.port).collect();
        assert!(connections.len() as u64 <= concurrency, "{connections:?}");
        assert_no_complaints(&sandbox);
    }
}

/// A pass by a user of its own, who may run so many threads and no more; the addresses have names to be looked up.
fn sync_with_threads(sandbox: &Sandbox, threads: usize) -> Run {
    let program = copy_program(sandbox);
    let pass = sandbox.command(&["sync"]);
    let mut limited = Command::new("setpriv");
    if is_root() {
        // The limit does not bind root, and counts all that a user runs.
        let user = 2_000_000 + std::process::id();
        for file in ["", "config.yml", "libcal-pp"] {
            chown(sandbox.path(file), Some(user), Some(user)).expect("root may");
        }
        limited.args([format!("--reuid={user}"), format!("--regid={user}")]);
        limited.arg("--clear-groups");
    }
    limited
        .args(["--", "prlimit", &format!("--nproc={threads}"), "--"])
        .arg(program)
        .args(pass.get_args())
        .current_dir(sandbox.path(""));
    Run::of(limited)
}

#[test]
fn a_pass_goes_on_with_the_threads_that_can_be_started() {
    for threads in [1, 2, 3, 5, 12] {
        let sandbox = sandbox_with_people(9)
            .booking(Booking::new("cs_again").by("G10000001").minutes(200, 260));
        for n in 0..120 {
            let filler = Booking::new(&format!("cs_no_{n}")).status("Mediated Tentative");
            sandbox.add_booking(filler);
        }
        let config = fs::read_to_string(sandbox.path("config.yml")).expect("it is there");
        sandbox.write_config(&config.replace("127.0.0.1", "localhost"));
        let run = sync_with_threads(&sandbox, threads);
        assert_eq!(
            (run.code, run.stderr.as_str()),
            (0, ""),
            "{threads} threads"
        );
        assert_eq!(sandbox.expected().len(), 10, "{threads} threads");
        assert_no_complaints(&sandbox);
    }
}

#[test]
fn a_pass_in_too_little_memory_does_not_panic() {
    for mib in [20, 22, 24, 26, 28, 30, 34, 40, 60] {
        let sandbox = sandbox_with_people(9);
        let pass = sandbox.command(&["sync"]);
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", "ulimit -v \"$0\"; exec \"$@\""])
            .arg((mib * 1024).to_string())
            .arg(pass.get_program())
            .args(pass.get_args())
            .current_dir(sandbox.path(""))
            .env_clear();
        let run = Run::of(shell);
        // The standard library does, where a new thread finds no memory for its own needs.
        let mut panics = run
            .stderr
            .lines()
            .filter(|line| line.contains("panicked at "));
        let is_of_std = |line: &str| line.contains("/library/std/");
        assert!(panics.all(is_of_std), "{mib} MiB: {run:#?}");
        assert_no_complaints(&sandbox);
    }
}
