//! The stand-ins that the demo keeps running: what it says to type works, and is answered as it says.

#[path = "../sandbox/demo/program.rs"]
mod program;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::sandbox::Run;
use crate::sandbox::clock::offset_of_suite;

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
        };
        let out = served.demo.stdout.take().expect("its output is piped");
        for line in BufReader::new(out).lines() {
            let line = line.expect("it speaks UTF-8");
            if line.starts_with("Ctrl-C") {
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
        if line.contains(" --config ") {
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
fn the_demo_takes_no_other_argument() {
    for args in [&["--bogus"][..], &["--serve", "--bogus"]] {
        let run = Run::of(demo(args));
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{run:#?}");
        assert_eq!(run.stderr.lines().count(), 1, "{run:#?}");
        assert!(run.stderr.starts_with("error: "), "{run:#?}");
    }
}
