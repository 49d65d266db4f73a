//! A run that is paused at one of its requests, so that a test can look around, change something, and then resume
//! or kill it.

use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Sender};

use super::run::DEADLINE;
use super::{Fault, Run, Sandbox};

/// A run of the program that waits for the answer to one of its requests. It is killed when this is dropped.
pub struct PausedRun {
    run: Option<Child>,
    /// As long as this is there, the request waits.
    request: Option<Sender<()>>,
}

impl Sandbox {
    /// Starts a pass and pauses it at the first request that a fault of this kind would match: as soon as it has arrived,
    /// or else when it has been processed.
    pub fn pause(&self, request: Fault, before: bool) -> PausedRun {
        self.pause_run(self.command(&["sync"]), request, before)
    }

    /// The same with any command. The program's own time-out must be longer than the test takes.
    pub fn pause_run(&self, mut command: Command, request: Fault, before: bool) -> PausedRun {
        let (arrived, wait) = mpsc::channel();
        let (sender, go_on) = mpsc::channel::<()>();
        self.on_request(request, before, move || {
            arrived.send(()).expect("the test waits");
            // It ends when the sender is dropped.
            let _ = go_on.recv_timeout(DEADLINE);
        });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let paused_run = PausedRun {
            run: Some(command.spawn().expect("the program can be started")),
            request: Some(sender),
        };
        wait.recv_timeout(DEADLINE).expect("a request in time");
        paused_run
    }
}

impl PausedRun {
    /// Lets the request be answered, and waits for the end.
    pub fn resume(mut self) -> Run {
        self.request.take();
        Run::finish(self.run.take().expect("it has not ended"))
    }

    /// Kills the run, with the request still unanswered.
    pub fn kill(self) {
        drop(self);
    }
}

impl Drop for PausedRun {
    fn drop(&mut self) {
        let Some(mut run) = self.run.take() else {
            return;
        };
        run.kill().expect("the run can be killed");
        let run = Run::finish(run);
        // Not within another panic, which would end the whole suite.
        if !std::thread::panicking() {
            assert_eq!(run.code, -1, "killed, and not ended by itself: {run:#?}");
        }
    }
}
