//! The stand-ins that the demo keeps running: what it says to type works, and is answered as it says.

#[path = "../sandbox/demo/program.rs"]
mod program;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use chrono::{DateTime, Days, TimeDelta};
use tempfile::TempDir;

use crate::sandbox::clock::offset_of_suite;
use crate::sandbox::{DEADLINE, Run};

/// The demo with these arguments. Cargo builds examples only if all tests are run: asked for a few by name, it would
/// leave an old demo there, or none.
fn demo(args: &[&str]) -> Command {
    let demo = program::build("--example", "demo").expect("the demo can be built");
    let mut command = Command::new(demo);
    command.args(args);
    command
}

/// The clock of the suite, by which the demo makes its day.
fn clock() -> [(&'static str, String); 1] {
    [("LIBCAL_PP_CLOCK_OFFSET", offset_of_suite().to_string())]
}

/// The demo with `--serve`, ended when dropped.
struct Served {
    demo: Child,
    /// Where the demo keeps its files: made here, so that removing it removes nothing of anybody else's.
    folder: TempDir,
    /// The commands that it says to try, each as a shell takes it.
    commands: Vec<String>,
    /// What it says is worth looking up, and why.
    worth: Vec<(String, String)>,
    /// What it says to type to change the day.
    changes: Vec<String>,
}

impl Served {
    fn begin() -> Self {
        // As on a machine whose user has a space in the name of the home folder.
        let folder = tempfile::Builder::new().prefix("My demo's ").tempdir();
        let folder = folder.expect("a temporary directory");
        let mut command = demo(&["--serve"]);
        command.env("TMPDIR", folder.path());
        let demo = command.stdout(Stdio::piped()).spawn();
        // Whatever goes wrong from here on, the demo is ended.
        let mut served = Self {
            demo: demo.expect("the demo can be started"),
            folder,
            commands: Vec::new(),
            worth: Vec::new(),
            changes: Vec::new(),
        };
        let out = served.demo.stdout.take().expect("its output is piped");
        for line in BufReader::new(out).lines() {
            let line = line.expect("it speaks UTF-8");
            if line.starts_with("Press Ctrl-C") {
                return served;
            }
            served.note(&line);
        }
        panic!("the demo ended: {:?}", served.demo.wait());
    }

    fn note(&mut self, line: &str) {
        let Some(line) = line.strip_prefix("    ") else {
            return;
        };
        if line.starts_with("curl ") {
            self.changes.push(line.to_owned());
        } else if line.contains(" --config ") {
            self.commands.push(line.to_owned());
        } else {
            let (id, why) = line.split_once(' ').expect("an id, and why");
            self.worth.push((id.to_owned(), why.trim().to_owned()));
        }
    }

    fn config(&self) -> PathBuf {
        let entries = fs::read_dir(self.folder.path()).expect("the folder is there");
        let mut folders = entries.map(|entry| entry.expect("it can be read").path());
        let folder = folders.next().expect("the demo has made its own in it");
        assert_eq!(folders.next(), None, "the demo makes one folder");
        folder.join("config.yml")
    }

    /// Does what one of the lines with this in it says, as `curl` would. Returns the status and the text.
    fn change(&self, part: &str) -> (String, String) {
        let mut lines = self.changes.iter();
        let line = lines.find(|line| line.contains(part)).expect("such a line");
        let words: Vec<_> = line.split(' ').collect();
        let at = words.iter().position(|word| word.starts_with("http://"));
        let method = if words[1] == "-X" { words[2] } else { "GET" };
        request(method, words[at.expect("an address")])
    }

    fn run(&self, args: &str) -> Run {
        let mut program = Command::new(env!("CARGO_BIN_EXE_libcal-pp"));
        program
            .arg("--config")
            .arg(self.config())
            .args(args.split(' '))
            .envs(clock());
        Run::of(program)
    }
}

/// Asks an address of the demo.
fn request(method: &str, url: &str) -> (String, String) {
    let rest = url.strip_prefix("http://").expect("an address");
    let (host, path) = rest.split_once('/').expect("a path");
    let mut stream = TcpStream::connect(host).expect("the demo listens");
    stream
        .set_read_timeout(Some(DEADLINE))
        .expect("a time limit");
    write!(stream, "{method} /{path} HTTP/1.1\r\nHost: {host}\r\n\r\n").expect("it can be sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("it is answered");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.lines().next().expect("a status");
    (status.replace("HTTP/1.1 ", ""), body.to_owned())
}

impl Drop for Served {
    fn drop(&mut self) {
        self.demo.kill().expect("the demo can be ended");
        self.demo.wait().expect("the demo can be waited for");
    }
}

#[test]
fn what_the_served_demo_says_to_type_works() {
    let served = Served::begin();
    assert_eq!(served.commands.len(), 7, "{:?}", served.commands);
    for line in &served.commands {
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).envs(clock());
        let run = Run::of(shell);
        // A pass, a dry run and the status tell of who lost the card and who is not in Alma.
        let tells = [" sync", " sync --dry-run", " status"];
        let status = i32::from(tells.iter().any(|end| line.ends_with(end)));
        assert_eq!(run.code, status, "{line}: {run:#?}");
    }
    let registered = served.run("--json lookup-appt cs_Twice").json();
    assert_eq!(registered.len(), 2, "{registered:#?}");
    for visit in registered {
        assert_eq!(visit["state"], "registered", "{visit:#}");
    }
}

#[test]
fn what_the_served_demo_says_of_people_and_bookings_is_so() {
    let served = Served::begin();
    served.run("sync");
    assert_eq!(served.worth.len(), 12, "{:?}", served.worth);
    for (id, why) in &served.worth {
        let is_booking = id.starts_with("cs_");
        let look_up = if is_booking { "appt" } else { "user" };
        let run = served.run(&format!("lookup-{look_up} {id}"));
        let said = format!("{}{}", run.stdout, run.stderr);
        assert_eq!(run.code, 0, "{id}: {said}");
        for state in ["refused", "cancelled", "not approved", "over"] {
            let is_said =
                said.contains(&format!(": {state}\n")) || said.contains(&format!(", {state}\n"));
            assert_eq!(is_said, why.contains(&format!(": {state}")), "{id}: {said}");
        }
        let registered = said.matches(": registered\n").count();
        if why.ends_with(": two visits") {
            assert_eq!(registered, 2, "{id}: {said}");
        }
        if why.ends_with(": one visit") {
            assert_eq!(registered, 1, "{id}: {said}");
        }
    }
}

#[test]
fn the_served_day_can_be_changed_by_hand() {
    let served = Served::begin();
    let done = |part: &str| {
        let (status, text) = served.change(part);
        assert_eq!(status, "200 OK", "{part}: {text}");
        text
    };
    let states = |booking: &str| -> Vec<String> {
        let visits = served.run(&format!("--json lookup-appt {booking}")).json();
        visits
            .iter()
            .map(|visit| visit["state"].as_str().expect("a text").to_owned())
            .collect()
    };
    assert_eq!(served.changes.len(), 8, "{:#?}", served.changes);
    served.run("sync");
    assert!(done("/expected").contains("Ada Example"));
    assert_eq!(
        done("/cancel/"),
        "cs_Seats is Cancelled by User in LibCal\n"
    );
    done("/deny/");
    served.run("sync");
    assert_eq!(states("cs_Seats"), ["cancelled"]);
    assert_eq!(states("cs_Weekly"), ["cancelled", "cancelled"]);
    // The response is lost, and the next pass tries again.
    done("/lose-response");
    done("/approve/");
    served.run("sync");
    assert_eq!(states("cs_Approve"), ["in doubt"]);
    served.run("sync");
    assert_eq!(states("cs_Approve"), ["registered"]);
    assert_eq!(done("/expected").matches("21000008").count(), 2);
    done("/card/");
    let mut lines = served.changes.iter();
    let line = lines.find(|line| line.contains("/card/"));
    let prune = line.and_then(|line| line.split('`').nth(1));
    served.run(prune.expect("what else to type"));
    served.run("sync");
    assert_eq!(states("cs_NoCard"), ["registered"]);
    let user = served.run("--json lookup-user G10000005").json().remove(0);
    assert_eq!(user["barcode"], "21000056");
    done("/down/");
    let run = served.run("-v sync");
    assert_eq!(run.code, 1, "{run:#?}");
    assert!(run.stderr.contains("LibCal is not responding"), "{run:#?}");
    done("/up/");
    let run = served.run("check -q");
    assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{run:#?}");
}

#[test]
fn a_change_that_cannot_be_made_is_reported() {
    let served = Served::begin();
    let url = served.changes[0]
        .split(' ')
        .find_map(|word| word.strip_suffix("/cancel/cs_Seats"));
    let url = url.expect("the address of the first");
    for (method, path, says) in [
        ("POST", "cancel/cs_None", "LibCal has no booking cs_None\n"),
        ("POST", "card/G99/1", "Alma has no user G99\n"),
        (
            "POST",
            "down/printer",
            "the services are libcal, alma and passagepoint\n",
        ),
        (
            "GET",
            "cancel/cs_Seats",
            "there is no such thing here, but:\ncurl -X POST http://",
        ),
        ("POST", "", "there is no such thing here, but:\n"),
    ] {
        let (status, text) = request(method, &format!("{url}/{path}"));
        assert_eq!(status, "404 Not Found", "{path}: {text}");
        assert!(text.starts_with(says), "{path}: {text}");
    }
}

#[test]
fn the_served_demo_lists_the_days_that_are_asked_for() {
    let served = Served::begin();
    let of_main = |run: &Run| {
        let mut lines = run.stdout.lines();
        let line = lines.find(|line| line.contains("Main Library"));
        line.unwrap_or_else(|| panic!("{run:#?}")).to_owned()
    };
    let week = of_main(&served.run("check"));
    assert!(
        week.contains(": 10 rows today and in the next 7 days ("),
        "{week}"
    );
    served.run("sync");
    let weekly = served.run("--json lookup-appt cs_Weekly").json();
    assert_eq!(weekly.len(), 2, "{weekly:#?}");
    let start = weekly[0]["starts_at"].as_str().expect("a text");
    let start = DateTime::parse_from_rfc3339(start).expect("RFC 3339");
    // Two hours before it, when the demo began, it was the same day for LibCal as by UTC.
    let today = (start.to_utc() - TimeDelta::hours(2)).date_naive();
    let config = fs::read_to_string(served.config()).expect("it is there");
    fs::write(served.config(), config.replace("days: 7", "days: 0")).expect("it can be written");
    let day = of_main(&served.run("check"));
    assert!(day.contains(": 9 rows today ("), "{day}");
    for (date, rows) in [(today + Days::new(1), 0), (today + Days::new(7), 1)] {
        let run = served.run(&format!("-v sync --dry-run --date {date}"));
        let says = format!(
            "{rows} row{}",
            if rows == 1 {
                ", 1 visit"
            } else {
                "s, 0 visits"
            }
        );
        assert!(run.stderr.contains(&says), "{date}: {run:#?}");
    }
}

#[test]
fn the_demo_takes_no_other_argument() {
    for args in [&["--bogus"][..], &["--serve", "--bogus"]] {
        let run = Run::of(demo(args));
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{run:#?}");
        assert_eq!(run.stderr.lines().count(), 1, "{run:#?}");
        assert!(run.stderr.starts_with("error: "), "{run:#?}");
    }
}
