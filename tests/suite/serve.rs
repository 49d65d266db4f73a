//! The stand-ins that the demo keeps running: what it says to type works, and is answered as it says.

#[path = "../sandbox/demo/program.rs"]
mod program;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::sandbox::Run;

/// The demo with these arguments. Cargo builds examples only if all tests are run: asked for a few by name, it would
/// leave an old demo there, or none.
fn demo(args: &[&str]) -> Command {
    let demo = program::build("--example", "demo").expect("the demo can be built");
    let mut command = Command::new(demo);
    command.args(args);
    command
}

/// The demo with `--serve`, ended when dropped.
struct Served {
    demo: Child,
    /// Once it has said where that is.
    config: Option<PathBuf>,
    /// The commands that it says to try, without the program and the configuration.
    commands: Vec<String>,
    /// What it says is worth looking up, and why.
    worth: Vec<(String, String)>,
}

impl Served {
    fn begin() -> Self {
        let mut command = demo(&["--serve"]);
        let demo = command.stdout(Stdio::piped()).spawn();
        // Whatever goes wrong from here on, the demo is ended.
        let mut served = Self {
            demo: demo.expect("the demo can be started"),
            config: None,
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
        if let Some((_, rest)) = line.split_once("/libcal-pp --config ") {
            let (config, command) = rest.split_once(' ').expect("a command");
            let config = PathBuf::from(config);
            assert_eq!(self.config.get_or_insert(config.clone()), &config);
            self.commands.push(command.to_owned());
        } else {
            let (id, why) = line.split_once(' ').expect("an id, and why");
            self.worth.push((id.to_owned(), why.trim().to_owned()));
        }
    }

    fn run(&self, args: &str) -> Run {
        let config = self.config.as_ref();
        let mut program = Command::new(env!("CARGO_BIN_EXE_libcal-pp"));
        program
            .arg("--config")
            .arg(config.expect("it says where the configuration is"))
            .args(args.split(' '));
        Run::of(program)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.demo.kill().expect("the demo can be ended");
        self.demo.wait().expect("the demo can be waited for");
        if let Some(folder) = self.config.as_ref().and_then(|config| config.parent()) {
            std::fs::remove_dir_all(folder).expect("the demo's folder can be removed");
        }
    }
}

#[test]
fn what_the_served_demo_says_to_type_works() {
    let served = Served::begin();
    assert_eq!(served.commands.len(), 6, "{:?}", served.commands);
    for command in &served.commands {
        let run = served.run(command);
        // A pass tells of who lost the card and who is not in Alma; the list and the plan do not need anybody.
        let status = i32::from(command == "sync");
        assert_eq!(run.code, status, "{command}: {run:#?}");
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
        let is_unknown = said.contains("nothing is known");
        assert_eq!(is_unknown, why.ends_with(": not known"), "{id}: {said}");
        let is_refused = said.contains("refused");
        assert_eq!(is_refused, why.contains(": refused"), "{id}: {said}");
        if why.ends_with(": two visits") {
            assert_eq!(said.matches("  registered  ").count(), 2, "{id}: {said}");
        }
        if why.ends_with(": one visit") {
            assert_eq!(said.matches("  registered  ").count(), 1, "{id}: {said}");
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
