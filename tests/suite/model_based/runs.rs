//! Running the program in the random world: each run is looked at, and what passes made is led before the oracle.

use std::fmt::Write;
use std::fs;
use std::io::Read;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use proptest::prelude::*;

use super::faults::Faults;
use super::oracle::{Check, Pass};
use super::rows::{Person, visits};
use super::world::World;
use crate::day::assert_tells_no_secret;
use crate::sandbox::{DEADLINE, Fault, Run, Service};

impl World {
    /// A command that is not a pass; its status is 0 or 1.
    pub fn run(&mut self, args: &[&str]) -> Result<Run, TestCaseError> {
        let run = self.sandbox.run(args);
        self.look_at(args, &run)?;
        prop_assert!(run.code <= 1, "status {}", run.code);
        Ok(run)
    }

    /// What no run may do, however it ends.
    fn look_at(&mut self, args: &[&str], run: &Run) -> Check {
        let Run { code, stderr, .. } = run;
        let clock = self.sandbox.clock() - self.sandbox.now();
        let minutes = clock.div_euclid(60);
        write!(self.log, "{minutes} min: {args:?} -> {code}\n{stderr}").expect("a text");
        assert_tells_no_secret(&self.sandbox, run);
        let complaints = self.sandbox.complaints();
        prop_assert!(complaints.is_empty(), "{complaints:?}");
        Ok(())
    }

    /// Begins the account of a pass.
    fn pass(&mut self) -> Pass {
        let now = self.sandbox.clock();
        let present = self.people.iter().filter_map(Person::barcode);
        let present = present.map(str::to_owned).collect();
        Pass {
            visits: visits(&self.rows),
            began: now,
            ended: now,
            is_list_read: false,
            is_alma_well: true,
            said: String::new(),
            present,
            made_before: self.made().len(),
        }
    }

    /// One pass in that trouble.
    pub fn sync(&mut self, faults: &Faults) -> Result<Run, TestCaseError> {
        self.update_libcal();
        faults.begin(&self.sandbox);
        let pass = self.pass();
        let run = self.run(&["sync"])?;
        self.sandbox.clear_faults();
        let pass = Pass {
            is_list_read: !faults.is_at(Service::LibCal),
            is_alma_well: !faults.is_at(Service::Alma),
            ..pass
        };
        self.end(pass, &run);
        self.check_made()?;
        Ok(run)
    }

    fn end(&mut self, pass: Pass, run: &Run) {
        let pass = Pass {
            ended: self.sandbox.clock(),
            said: run.stderr.clone(),
            ..pass
        };
        if run.code >= 0 {
            self.last_pass = pass.ended;
        }
        self.ledger.note(&pass);
        self.unchecked.push(pass);
    }

    fn check_made(&mut self) -> Check {
        let made = self.made();
        let passes = std::mem::take(&mut self.unchecked);
        self.ledger.check_made(
            &passes,
            &self.people,
            &made,
            self.checked,
            self.refresh_days,
        )?;
        self.ledger
            .forget_doubtful(&passes, &self.people, &made, self.checked);
        self.checked = made.len();
        Ok(())
    }

    /// A pass that is killed as its n-th request arrives or, if the service has acted, is about to be answered.
    pub fn kill(&mut self, at: usize, is_prereg: bool, acted: bool) -> Check {
        let request = || {
            let service = is_prereg.then_some(Service::PassagePoint);
            let fault = service.map_or_else(Fault::any, Fault::on);
            let part = if is_prereg { "createPreReg" } else { "" };
            fault.path(part).nth(at)
        };
        self.update_libcal();
        if !acted {
            self.sandbox.fault(request().cut_before());
        }
        let child: Arc<Mutex<Option<Child>>> = Arc::default();
        let mut slot = child.lock().expect("nobody panics with it");
        let victim = Arc::clone(&child);
        self.sandbox.on_request(request(), false, move || {
            let mut victim = victim.lock().expect("nobody panics with it");
            // It may be past its end, if the request came late.
            victim.as_mut().map(Child::kill);
        });
        let pass = self.pass();
        let mut command = self.sandbox.command(&["sync"]);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut running = command.spawn().expect("the program can be started");
        let mut stderr = running.stderr.take().expect("it is piped");
        *slot = Some(running);
        drop(slot);
        let (send, receive) = mpsc::channel();
        thread::spawn(move || {
            let mut said = String::new();
            stderr.read_to_string(&mut said).expect("it is a text");
            // Nobody waits for it any more once the test has failed.
            let _ = send.send(said);
        });
        let said = receive.recv_timeout(DEADLINE).expect("it ends in time");
        let mut ended = child.lock().expect("nobody panics with it");
        let mut ended = ended.take().expect("it was put there");
        let code = ended.wait().expect("it has ended").code().unwrap_or(-1);
        self.sandbox.forget_callbacks();
        self.sandbox.clear_faults();
        let run = Run {
            code,
            stdout: String::new(),
            stderr: said,
        };
        self.look_at(&["sync", "killed"], &run)?;
        prop_assert!(run.code <= 1, "status {}", run.code);
        self.end(pass, &run);
        Ok(())
    }

    pub fn two_syncs(&mut self) -> Check {
        self.update_libcal();
        let both = [self.pass(), self.pass()];
        let runs = [(); 2].map(|()| self.sandbox.spawn(&["sync"]));
        for (pass, child) in both.into_iter().zip(runs) {
            let run = Run::finish(child);
            self.look_at(&["sync", "one of two"], &run)?;
            prop_assert!([0, 1, 75].contains(&run.code), "status {}", run.code);
            self.end(pass, &run);
        }
        self.check_made()
    }

    pub fn dry_run(&mut self, faults: &Faults) -> Check {
        self.update_libcal();
        let before = (self.cached_state(), self.made());
        faults.begin(&self.sandbox);
        self.run(&["sync", "--dry-run"])?;
        self.sandbox.clear_faults();
        prop_assert!(
            before == (self.cached_state(), self.made()),
            "a dry run did something"
        );
        Ok(())
    }

    pub fn prune(&mut self, args: &[&str]) -> Check {
        if !self.sandbox.path("cache.db").exists() {
            return Ok(());
        }
        let run = self.run(&[&["prune"], args].concat())?;
        let is_unknown = run.stderr.contains("error: nothing is known of ");
        prop_assert_eq!(run.code, i32::from(is_unknown));
        let made = self.made();
        let (ledger, people) = (&mut self.ledger, &self.people);
        match args {
            ["--user", id] => {
                let id = id.trim().to_uppercase();
                ledger.forget_visits(&made, people, |key| key.id.as_ref() == Some(&id));
            }
            ["--appt", book] => ledger.forget_visits(&made, people, |key| key.book == *book),
            _ => {}
        }
        Ok(())
    }

    /// Frees a booking that was given up, as the program asks a person to.
    pub fn forget_booking(&mut self, book: &str) -> Check {
        self.prune(&["--appt", book])
    }

    pub fn copy_cache(&self, from: &str, to: &str) {
        // What a killed run left beside it belongs to it.
        for beside in ["", "-wal"] {
            let from = self.sandbox.path(format!("{from}{beside}"));
            let to = self.sandbox.path(format!("{to}{beside}"));
            if from.exists() {
                fs::copy(from, to).expect("it can be copied");
            } else {
                let _ = fs::remove_file(to);
            }
        }
    }

    pub fn lose_cache(&mut self) {
        // Nobody knows what the next one has of it.
        self.last_pass = i64::MAX;
        for name in ["cache.db", "cache.db-wal", "cache.db-shm"] {
            let _ = fs::remove_file(self.sandbox.path(name));
        }
    }

    /// All that the program keeps, but for the last pass.
    pub fn cached_state(&self) -> Option<String> {
        if !self.sandbox.path("cache.db").exists() {
            return None;
        }
        let cache = self.sandbox.cache();
        let mut kept = String::new();
        for table in ["users", "appts", "outages"] {
            let query = cache.prepare(&format!("SELECT * FROM {table} ORDER BY rowid"));
            // A pass that was killed may not have made it yet.
            let Ok(mut query) = query else { continue };
            let columns = query.column_count();
            let mut rows = query.query([]).expect("the table can be read");
            while let Some(row) = rows.next().expect("the table can be read") {
                for column in 0..columns {
                    let value: rusqlite::types::Value = row.get(column).expect("any value");
                    write!(kept, "{value:?} ").expect("a text");
                }
                kept.push('\n');
            }
        }
        Some(kept)
    }
}
