//! A run of the program: how it ended and what it said.

use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// How long a test waits for anything: no test waits for ever, and none fails for being slow.
pub const DEADLINE: Duration = Duration::from_secs(180);

/// A run that has ended.
#[derive(Clone, Debug)]
pub struct Run {
    /// The exit status; -1 if a signal ended it.
    pub code: i32,
    /// All of its standard output.
    pub stdout: String,
    /// All of its standard error.
    pub stderr: String,
}

impl Run {
    /// Runs a command to its end.
    pub fn of(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self::finish(command.spawn().expect("the program can be started"))
    }

    /// Waits for the end of a run begun with `Sandbox::spawn`; one that hangs is killed in the end.
    pub fn finish(child: Child) -> Self {
        let id = child.id().to_string();
        let (ended, wait) = mpsc::channel::<()>();
        let watchdog = thread::spawn(move || {
            if wait.recv_timeout(DEADLINE) == Err(mpsc::RecvTimeoutError::Timeout) {
                let killed = Command::new("kill").args(["-9", &id]).status();
                killed.expect("a run that hangs can be killed");
            }
        });
        let output = child.wait_with_output();
        drop(ended);
        watchdog.join().expect("the watchdog ends");
        output.expect("the program can be waited for").into()
    }

    /// Each line of standard output as JSON.
    pub fn json(&self) -> Vec<Value> {
        let lines = self.stdout.lines();
        lines
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| {
                    panic!("not JSON ({error}): {line:?} in {self:#?}");
                })
            })
            .collect()
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}
