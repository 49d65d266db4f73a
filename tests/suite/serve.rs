//! The stand-ins that the demo keeps running: what it says to type works.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::sandbox::Run;

/// The demo with `--serve`, ended when dropped.
struct Served {
    demo: Child,
    config: PathBuf,
    /// The commands that it says to try, without the program.
    commands: Vec<String>,
}

impl Served {
    fn begin() -> Self {
        // The suite is TARGET/PROFILE/deps/suite, the demo TARGET/PROFILE/examples/demo.
        let suite = std::env::current_exe().expect("the suite's own path");
        let profile = suite.ancestors().nth(2).expect("the folder of the profile");
        let mut demo = Command::new(profile.join("examples/demo"))
            .arg("--serve")
            .stdout(Stdio::piped())
            .spawn()
            .expect("cargo builds the demo with the tests");
        let out = demo.stdout.take().expect("its output is piped");
        let mut config = None;
        let mut commands = Vec::new();
        for line in BufReader::new(out).lines() {
            let line = line.expect("it speaks UTF-8");
            if let Some((_, path)) = line.split_once("export LIBCAL_PP_CONFIG=") {
                config = Some(PathBuf::from(path));
            } else if let Some((_, rest)) = line.split_once("/libcal-pp ") {
                let command = rest.split('#').next().unwrap_or_default();
                commands.push(command.trim().to_owned());
            }
            if line.contains("prune") {
                break;
            }
        }
        let config = config.expect("it says where the configuration is");
        Self {
            demo,
            config,
            commands,
        }
    }

    fn run(&self, args: &str) -> Run {
        let mut program = Command::new(env!("CARGO_BIN_EXE_libcal-pp"));
        program
            .args(args.split(' '))
            .env("LIBCAL_PP_CONFIG", &self.config);
        Run::of(program)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.demo.kill().expect("the demo can be ended");
        self.demo.wait().expect("the demo can be waited for");
        let folder = self.config.parent().unwrap_or(Path::new("/not/there"));
        std::fs::remove_dir_all(folder).expect("the demo's folder can be removed");
    }
}

#[test]
fn what_the_served_demo_says_to_type_works() {
    let served = Served::begin();
    assert_eq!(served.commands.len(), 8, "{:?}", served.commands);
    for command in &served.commands {
        let run = served.run(command);
        // A pass tells of who lost the card and who is not in Alma; the list and the plan do not need anybody.
        let status = i32::from(command == "sync");
        assert_eq!(run.code, status, "{command}: {run:#?}");
    }
    let registered = served.run("--json lookup-appt cs_Twice");
    assert_eq!(registered.json().len(), 2, "{registered:#?}");
}
