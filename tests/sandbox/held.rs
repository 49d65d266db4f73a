//! A run that is held at one of its requests, so that a test can look around, change something, and then let it go on
//! or kill it.

use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Sender};

use super::run::DEADLINE;
use super::{Fault, Run, Sandbox};

/// A run of the program that waits for the answer to one of its requests. It is killed when this is dropped.
pub struct Held {
    run: Option<Child>,
    /// As long as this is there, the request waits.
    request: Option<Sender<()>>,
}

impl Sandbox {
    /// Begins a pass and holds it at the first request that a fault of this kind would take: as soon as it has arrived,
    /// or else when it has been acted upon.
    pub fn hold(&self, request: Fault, before: bool) -> Held {
        self.hold_run(self.command(&["sync"]), request, before)
    }

    /// The same with any command. The program's own time-out must be longer than the test takes.
    pub fn hold_run(&self, mut command: Command, request: Fault, before: bool) -> Held {
        let (arrived, wait) = mpsc::channel();
        let (sender, go_on) = mpsc::channel::<()>();
        self.on_request(request, before, move || {
            arrived.send(()).expect("the test waits");
            // It ends when the sender is dropped.
            let _ = go_on.recv_timeout(DEADLINE);
        });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let held = Held {
            run: Some(command.spawn().expect("the program can be started")),
            request: Some(sender),
        };
        wait.recv_timeout(DEADLINE).expect("a request in time");
        held
    }
}

impl Held {
    /// Has the request answered, and waits for the end.
    pub fn go_on(mut self) -> Run {
        self.request.take();
        Run::finish(self.run.take().expect("it has not ended"))
    }

    /// Kills the run, with the request still unanswered.
    pub fn kill(self) {
        drop(self);
    }
}

impl Drop for Held {
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
