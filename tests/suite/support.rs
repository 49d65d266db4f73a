//! Set-up and assertions that several tests share.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::sandbox::clock::offset_of_suite;
use crate::sandbox::{Booking, Fault, Run, Sandbox, Service, User};

/// Does the same with each of these, so many at once, because most of the time goes by waiting. The results come in
/// the order of what they are of.
pub fn in_parallel<T: Sync, R: Send>(
    threads: usize,
    all: &[T],
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let work = || {
        let positions = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
        let own = positions.map_while(|at| Some((at, work(all.get(at)?))));
        own.collect::<Vec<_>>()
    };
    let mut results: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let joined = threads.into_iter().map(thread::ScopedJoinHandle::join);
        joined
            .flat_map(|results| results.expect("no panic"))
            .collect()
    });
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Runs a pass that must succeed with nothing to report, and without a wrong request to any service.
pub fn good_sync(sandbox: &Sandbox) {
    let run = sandbox.sync();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_no_complaints(sandbox);
}

/// Runs a pass that must need attention, and returns what it reported.
pub fn sync_needing_attention(sandbox: &Sandbox) -> String {
    let run = sandbox.sync();
    assert_eq!(run.code, 1, "{run:#?}");
    assert_ne!(run.stderr, "", "somebody must be told");
    assert_no_complaints(sandbox);
    run.stderr
}

/// Runs a pass that must meet an outage, with `-v` so that it is reported at once, and returns its warnings and errors.
pub fn sync_during_outage(sandbox: &Sandbox) -> String {
    let run = sandbox.run(&["-v", "sync"]);
    assert_eq!(run.code, 1, "{run:#?}");
    assert_no_complaints(sandbox);
    warnings(&run)
}

/// Runs a pass after an outage that was reported: it reports only that the outage is over.
pub fn sync_after_outage(sandbox: &Sandbox) {
    let run = sandbox.sync();
    assert_eq!(run.code, 0, "{run:#?}");
    let is_over = |line: &str| line.contains(" again after ");
    assert!(run.stderr.lines().all(is_over), "{run:#?}");
    assert_no_complaints(sandbox);
}

/// The warnings and errors of a run with `-v`, without the time that each begins with.
pub fn warnings(run: &Run) -> String {
    let lines = run.stderr.lines().filter_map(|line| line.get(20..));
    let told = lines.filter(|line| line.starts_with("error: ") || line.starts_with("warning: "));
    told.flat_map(|line| [line, "\n"]).collect()
}

/// So many days from today, as `--date` takes it.
pub fn day(days: i64) -> String {
    let now = chrono::Utc::now() + chrono::TimeDelta::seconds(offset_of_suite());
    (now.date_naive() + chrono::TimeDelta::days(days)).to_string()
}

/// Asserts that no service received a wrong request.
pub fn assert_no_complaints(sandbox: &Sandbox) {
    assert_eq!(sandbox.complaints(), [""; 0]);
}

/// The one JSON object that a run printed.
pub fn single_json(run: &Run) -> serde_json::Value {
    let mut lines = run.json();
    assert_eq!(lines.len(), 1, "{run:#?}");
    lines.remove(0)
}

/// Runs a statement on the sandbox's cache.
pub fn sql(sandbox: &Sandbox, statement: &str) {
    sandbox
        .cache()
        .execute_batch(statement)
        .expect("the statement is right");
}

/// A sandbox with one user, who can be let in.
pub fn with_ada() -> Sandbox {
    Sandbox::new().user(User::new("G10000001").barcode("21000001"))
}

/// A booking by that user.
pub fn of_ada(book_id: &str) -> Booking {
    Booking::new(book_id).by("G10000001")
}

/// A sandbox with that user and a booking of theirs.
pub fn one_person() -> Sandbox {
    with_ada().booking(of_ada("cs_1"))
}

/// A sandbox with so many people.
pub fn sandbox_with_people(number: usize) -> Sandbox {
    let sandbox = Sandbox::new();
    add_people(&sandbox, number);
    sandbox
}

/// Adds so many users, `G10000001` with the barcode 21000001 and so on, each with one booking, `cs_1` and so on.
pub fn add_people(sandbox: &Sandbox, number: usize) {
    for n in 1..=number {
        let id = format!("G1{n:07}");
        sandbox.add_user(User::new(&id).barcode(&format!("21{n:06}")));
        sandbox.add_booking(Booking::new(&format!("cs_{n}")).by(&id));
    }
}

/// Runs a pass that meets an outage: it reports all of this and no secret, and refuses nobody.
pub fn assert_outage(sandbox: &Sandbox, says: &[&str]) {
    let said = sync_during_outage(sandbox);
    assert_says(&said, says);
    for secret in sandbox.secrets() {
        assert!(!said.contains(&secret), "{secret:?} is in {said:?}");
    }
    assert_eq!(count_refusals(sandbox), 0, "an outage refuses nobody");
}

/// How many users and visits are refused.
pub fn count_refusals(sandbox: &Sandbox) -> i64 {
    count_rows(sandbox, "users WHERE refusal IS NOT NULL")
        + count_rows(sandbox, "appts WHERE state = 'refused'")
}

/// Runs a pass that refuses something: it reports all of this. The next pass reports nothing and asks only LibCal.
pub fn assert_refusal(sandbox: &Sandbox, says: &[&str]) {
    let said = sync_needing_attention(sandbox);
    assert_says(&said, says);
    assert_eq!(said.lines().count(), 1, "{said:?}");
    sandbox.forget_requests();
    good_sync(sandbox);
    let asked = sandbox.count(Service::Alma) + sandbox.count(Service::PassagePoint);
    assert_eq!(asked, 0, "a refusal is remembered: {said:?}");
}

/// Asserts that all of this was reported.
pub fn assert_says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in {said:?}");
    }
}

/// How many rows a table of the cache has.
pub fn count_rows(sandbox: &Sandbox, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    let cache = sandbox.cache();
    let number = cache.query_row(&sql, [], |row| row.get(0));
    number.expect("the cache has that table")
}

/// Creates a cache like the Python program's, with these rows.
pub fn create_python_cache(sandbox: &Sandbox, rows: &str) {
    let tables = "CREATE TABLE users (primary_id text PRIMARY KEY, barcode text, visitor_id text);
                  CREATE TABLE appts (appt_id text PRIMARY KEY, prereg_id text);";
    sql(sandbox, tables);
    sql(sandbox, rows);
}

/// The bytes of the cache and of all that SQLite keeps beside it.
pub fn cache_bytes(sandbox: &Sandbox) -> Vec<u8> {
    let files = ["cache.db", "cache.db-wal", "cache.db-shm", "cache.db.lock"];
    let read = |name| fs::read(sandbox.path(name)).unwrap_or_default();
    files.into_iter().flat_map(read).collect()
}

pub fn contains_text(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}

/// The texts that a query finds.
pub fn query_texts(sandbox: &Sandbox, query: &str) -> Vec<String> {
    let cache = sandbox.cache();
    let mut statement = cache.prepare(query).expect("the query is right");
    let found = statement.query_map([], |row| row.get(0));
    let found = found.expect("the query runs");
    found.collect::<Result<_, _>>().expect("only texts")
}

/// Makes every refusal and every visit in doubt an hour older.
pub fn age_by_an_hour(sandbox: &Sandbox) {
    sql(
        sandbox,
        "UPDATE users SET checked_at = checked_at - 3700 WHERE refusal IS NOT NULL;
         UPDATE appts SET changed_at = changed_at - 3700 WHERE state IN ('refused', 'in doubt');",
    );
}

/// The state of the only visit of a booking, as a look-up tells it.
pub fn state_of(sandbox: &Sandbox, book_id: &str) -> String {
    let appt = single_json(&sandbox.run(&["--json", "lookup-appt", book_id]));
    appt["state"].as_str().expect("a text").to_owned()
}

/// The id of a user that owns nothing.
pub const NOBODY: u32 = 65534;

pub fn is_root() -> bool {
    fs::metadata("/proc/self").expect("this process").uid() == 0
}

/// Runs the program as somebody who is not root: to root, nothing is read-only.
pub fn run_unprivileged(sandbox: &Sandbox, args: &[&str]) -> Run {
    let command = sandbox.command(args);
    if !is_root() {
        return Run::of(command);
    }
    let program = copy_program(sandbox);
    let mut other = Command::new("setpriv");
    other.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
    other.arg(program).args(command.get_args());
    other.current_dir(sandbox.path(""));
    other.envs(
        command
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    Run::of(other)
}

/// A copy of the program in the sandbox, if it is not there yet: the folders above the program need not be open to
/// everybody.
pub fn copy_program(sandbox: &Sandbox) -> PathBuf {
    let program = sandbox.path("libcal-pp");
    if !program.exists() {
        // Made by another process: what another thread starts meanwhile would inherit the open file, and a program
        // that somebody may still write to cannot be run.
        let mut copy = Command::new("cp");
        copy.arg(sandbox.command(&[]).get_program()).arg(&program);
        assert!(copy.status().expect("cp can be run").success());
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&program, mode).expect("its owner may");
    }
    program
}

/// The most that a line of a process's `/proc/PID/status` said, looked at until the process ends: `VmHWM`, the most
/// memory in KiB, or `Threads`.
pub fn peak_status(pass: &mut Child, line: &str) -> u64 {
    let mut peak = 0;
    while pass
        .try_wait()
        .expect("the pass can be waited for")
        .is_none()
    {
        let status = fs::read_to_string(format!("/proc/{}/status", pass.id())).unwrap_or_default();
        let value = status.lines().find_map(|one| one.strip_prefix(line));
        let number =
            value.and_then(|value| value.trim_start_matches(':').split_whitespace().next());
        let number = number.and_then(|number| number.parse().ok());
        peak = peak.max(number.unwrap_or_default());
        thread::sleep(Duration::from_millis(2));
    }
    peak
}

/// A sandbox with a visit in doubt.
pub fn sandbox_in_doubt() -> Sandbox {
    let sandbox = one_person();
    let prereg = Fault::on(Service::PassagePoint).path("createPreReg");
    sandbox.fault(prereg.cut_after().times(1));
    let run = sandbox.sync();
    assert_eq!((run.code, run.stderr.as_str()), (1, ""), "{run:#?}");
    assert_eq!(state_of(&sandbox, "cs_1"), "in doubt");
    sandbox
}
