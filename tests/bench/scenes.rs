//! What is measured: days of some size, on services that answer late or at once.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::sandbox::{Booking, CertificateAuthority, Run, Sandbox, User};
use crate::table::{Row, Table, median, milliseconds};

const LATENCY: Duration = Duration::from_millis(50);
/// Alma's rate limit, as the program has it by default.
const RATE_LIMIT: u32 = 25;
/// How many people a first pass finds.
const PEOPLE: u32 = 200;
const OLD_APPTS: usize = 1_000_000;

/// A sandbox with the program's own defaults, except for Alma's rate limit.
fn sandbox(rate_limit: u32) -> Sandbox {
    with_defaults(Sandbox::new(), rate_limit)
}

fn with_defaults(sandbox: Sandbox, rate_limit: u32) -> Sandbox {
    let sandbox = sandbox.config("Alma.requests_per_second", &rate_limit.to_string());
    sandbox.remove_config("Network");
    sandbox
}

/// Adds users with two bookings each, at different times, spread over these locations.
fn add_people(sandbox: &Sandbox, people: u32, locations: &[i64]) {
    for n in 0..people {
        let id = format!("G{n:08}");
        sandbox.add_user(User::new(&id).barcode(&format!("2{n:07}")));
        for (part, from) in [("a", 30), ("b", 120)] {
            let booking = Booking::new(&format!("cs_{n}{part}")).by(&id);
            let booking = booking.at(locations[n as usize % locations.len()]);
            sandbox.add_booking(booking.minutes(from, from + 60));
        }
    }
}

/// Runs a command to its end, which must be a good one, and takes the time.
fn timed(sandbox: &Sandbox, args: &[&str]) -> Duration {
    let started = Instant::now();
    let run = sandbox.run(args);
    let time = started.elapsed();
    assert_good(&run);
    time
}

fn assert_good(run: &Run) {
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (0, ""),
        "a pass must work to be measured"
    );
}

/// The first pass of a day, which Alma's rate limit bounds.
pub fn first_pass(table: &mut Table) {
    let passes: Vec<_> = (0..3)
        .map(|_| first_pass_of(&sandbox(RATE_LIMIT), None))
        .collect();
    let (times, memory): (Vec<_>, Vec<_>) = passes.into_iter().unzip();
    table.add(Row {
        what: "first pass, 400 bookings of 200 new users, 50 ms a request",
        limit: Some(limit_of_first_pass()),
        measured: milliseconds(median(times)),
        bar: Some(1.15),
        unit: "ms",
    });
    table.add(Row {
        what: "its peak memory",
        limit: None,
        measured: f64::from(memory.into_iter().max().unwrap_or_default()) / 1024.0,
        bar: Some(16.0),
        unit: "MiB",
    });
}

/// The same over TLS, where each pre-registration has a handshake of its own.
pub fn first_pass_tls(table: &mut Table) {
    let authority = CertificateAuthority::new();
    let times = (0..3).map(|_| {
        let sandbox = Sandbox::new().behind_tls(&authority);
        first_pass_of(&with_defaults(sandbox, RATE_LIMIT), Some(&authority)).0
    });
    table.add(Row {
        what: "the same over TLS",
        limit: Some(limit_of_first_pass()),
        measured: milliseconds(median(times.collect())),
        bar: Some(1.3),
        unit: "ms",
    });
}

fn limit_of_first_pass() -> f64 {
    // Token, lists, and of the last person: Alma, visitor, two visits.
    let latencies = 6.0 * milliseconds(LATENCY);
    f64::from(PEOPLE - RATE_LIMIT) / f64::from(RATE_LIMIT) * 1000.0 + latencies
}

/// A first pass, its time, and the most memory that it had, in KiB.
fn first_pass_of(sandbox: &Sandbox, authority: Option<&CertificateAuthority>) -> (Duration, u32) {
    add_people(sandbox, PEOPLE, &[8827, 10332]);
    sandbox.latency(LATENCY);
    let mut command = sandbox.command(&["sync"]);
    if let Some(authority) = authority {
        command.env("SSL_CERT_FILE", authority.file(sandbox));
    }
    let measured = watched(command);
    assert_eq!(sandbox.expected().len(), 2 * PEOPLE as usize);
    assert_eq!(sandbox.complaints(), [""; 0]);
    measured
}

/// Runs a command, which must end well; gives its time, and the most memory that it had, in KiB.
fn watched(mut command: Command) -> (Duration, u32) {
    let started = Instant::now();
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("the program can be started");
    let watched = watch_memory(child.id());
    assert_good(&Run::finish(child));
    let time = started.elapsed();
    (time, watched.join().expect("the watch ends"))
}

/// Watches a process until it ends; gives the most memory that it had, in KiB.
fn watch_memory(id: u32) -> std::thread::JoinHandle<u32> {
    std::thread::spawn(move || {
        let mut most = 0;
        let path = format!("/proc/{id}/status");
        // A process that has ended, but was not waited for yet, has no such line.
        while let Some(now) = fs::read_to_string(&path)
            .ok()
            .and_then(|status| high_water(&status))
        {
            most = now;
            std::thread::sleep(Duration::from_millis(2));
        }
        most
    })
}

fn high_water(status: &str) -> Option<u32> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// A pass that finds nothing new at ten locations, with an empty cache and with a full one.
pub fn nothing_new(table: &mut Table) {
    let sandbox = settled_day();
    let full = settled_day();
    add_old_appts(&full);
    let (mut with_none, mut with_many) = (Vec::new(), Vec::new());
    for _ in 0..15 {
        with_none.push(timed(&sandbox, &["sync"]));
        with_many.push(timed(&full, &["sync"]));
    }
    let with_none = milliseconds(median(with_none));
    table.add(Row {
        what: "nothing new, 10 locations, 50 ms a request",
        // Token, and the lists of ten locations over eight connections.
        limit: Some(3.0 * milliseconds(LATENCY)),
        measured: with_none,
        bar: Some(1.5),
        unit: "ms",
    });
    table.add(Row {
        what: "the same with 1,000,000 old visits, against none",
        limit: Some(with_none),
        measured: milliseconds(median(with_many)),
        bar: Some(1.1),
        unit: "ms",
    });
}

/// A pass that finds nothing new in one list of twenty pages.
pub fn long_list(table: &mut Table) {
    let sandbox = sandbox(10_000);
    let location = r#"[{"name": "Main Library", "id": 8827}]"#;
    sandbox.set_config("LibCal.locations", location);
    add_people(&sandbox, 1000, &[8827]);
    timed(&sandbox, &["sync"]);
    sandbox.latency(LATENCY);
    let passes: Vec<_> = (0..15)
        .map(|_| watched(sandbox.command(&["sync"])))
        .collect();
    let (times, memory): (Vec<_>, Vec<_>) = passes.into_iter().unzip();
    table.add(Row {
        what: "nothing new, 2,000 rows of one location, 50 ms a request",
        // Token, first page, all others at once.
        limit: Some(3.0 * milliseconds(LATENCY)),
        measured: milliseconds(median(times)),
        bar: Some(2.7),
        unit: "ms",
    });
    table.add(Row {
        what: "its peak memory",
        limit: None,
        measured: f64::from(memory.into_iter().max().unwrap_or_default()) / 1024.0,
        bar: Some(24.0),
        unit: "MiB",
    });
}

/// Ten locations with 400 bookings, all of them registered.
fn settled_day() -> Sandbox {
    let sandbox = sandbox(10_000);
    let ids: Vec<i64> = (1..=10).collect();
    let named: Vec<_> = ids
        .iter()
        .map(|id| format!("{{\"name\": \"Floor {id}\", \"id\": {id}}}"))
        .collect();
    sandbox.set_config("LibCal.locations", &format!("[{}]", named.join(",")));
    for id in &ids {
        sandbox.set_config(
            &format!("PassagePoint.location_mapping.{id}"),
            "LibCal Main",
        );
    }
    sandbox.world().locations.clone_from(&ids);
    add_people(&sandbox, 200, &ids);
    timed(&sandbox, &["sync"]);
    sandbox.latency(LATENCY);
    sandbox
}

/// Fills the cache with visits of long ago, of 50,000 users.
fn add_old_appts(sandbox: &Sandbox) {
    let fill = format!(
        "BEGIN;
         WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n + 1 < {OLD_APPTS})
         INSERT INTO appts (appt_id, primary_id, lid, starts_at, ends_at, status, state, prereg_id, changed_at)
         SELECT 'cs_old' || n, 'OLD' || (n % 50000), 1, 1600000000 + n, 1600003600 + n, 'Confirmed', 'registered',
             137506000000000 + n, 1600000000 + n FROM n;
         COMMIT;"
    );
    sandbox
        .cache()
        .execute_batch(&fill)
        .expect("the cache can be filled");
}

/// What bookings cost the program itself: first passes over services that answer at once.
pub fn many_bookings(table: &mut Table) {
    let first_pass = |people| {
        let sandbox = sandbox(10_000);
        add_people(&sandbox, people, &[8827, 10332]);
        let time = timed(&sandbox, &["sync"]);
        assert_eq!(sandbox.expected().len(), 2 * people as usize);
        time
    };
    let few = milliseconds(median((0..5).map(|_| first_pass(250)).collect()));
    let many = milliseconds(median((0..3).map(|_| first_pass(2500)).collect()));
    table.add(Row {
        what: "first pass, 500 bookings, answered at once",
        limit: None,
        measured: few,
        bar: None,
        unit: "ms",
    });
    table.add(Row {
        what: "first pass, 5,000 bookings, against 500",
        limit: Some(few),
        measured: many,
        bar: Some(10.0),
        unit: "ms",
    });
}

/// What the desk and the nightly prune wait for when the cache is large.
pub fn large_cache(table: &mut Table) {
    let sandbox = sandbox(RATE_LIMIT).user(User::new("G1").barcode("21000001"));
    sandbox.add_booking(Booking::new("cs_1").by("G1"));
    timed(&sandbox, &["sync"]);
    add_old_appts(&sandbox);
    let look_ups = (0..51).map(|_| timed(&sandbox, &["lookup-user", "G1"]));
    table.add(Row {
        what: "one look-up of 1,000,000 visits, the whole process",
        limit: None,
        measured: milliseconds(median(look_ups.collect())),
        bar: Some(10.0),
        unit: "ms",
    });
    table.add(Row {
        what: "prune of 1,000,000 visits",
        limit: None,
        measured: milliseconds(timed(&sandbox, &["prune"])),
        bar: None,
        unit: "ms",
    });
    let left = "SELECT count(*) FROM appts";
    let left: u32 = sandbox
        .cache()
        .query_row(left, [], |row| row.get(0))
        .expect("the cache is there");
    assert_eq!(left, 1, "what is not over stays");
}

/// The program's size on the disk.
pub fn binary(table: &mut Table) {
    let size = fs::metadata(env!("CARGO_BIN_EXE_libcal-pp"))
        .expect("the program is there")
        .len();
    table.add(Row {
        what: "the release binary",
        limit: None,
        measured: f64::from(u32::try_from(size).expect("it is small")) / f64::from(1 << 20),
        bar: Some(6.0),
        unit: "MiB",
    });
}
