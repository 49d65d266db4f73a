//! A plan carried out: several people at once, the soonest start first.
//!
//! Two crews of threads work hand in hand, so that neither service waits for the
//! other: one asks Alma about the people who are not known, the other makes visitors
//! and registers visits in PassagePoint. What is to be done stands in the plan; what
//! is printed about it is for [`crate::command`] to say.

mod person;
mod visit;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use chrono::Utc;

use crate::alma::{self, Alma};
use crate::cache::Cache;
use crate::config::Config;
use crate::known::{Reason, Subject};
use crate::passagepoint::PassagePoint;
use crate::plan::{Person, Refused};
use crate::report::Groups;

/// All that a pass works with.
pub struct Pass<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// Where barcodes come from.
    pub alma: Alma<'a>,
    /// Where people are registered.
    pub passagepoint: PassagePoint<'a>,
    /// What is remembered; one thread at a time.
    pub cache: Mutex<&'a mut Cache>,
    /// What came of it so far.
    pub done: Mutex<Done>,
    /// Whether PassagePoint has a destination, once somebody had to ask.
    pub destinations: Mutex<HashMap<String, bool>>,
}

/// What came of a pass.
#[derive(Debug, Default)]
pub struct Done {
    /// How many visits were registered.
    pub registered: usize,
    /// What was refused.
    pub refused: Vec<Refused>,
    /// Bookings of which it is not known whether they were registered, by cause.
    pub in_doubt: Groups,
    /// Bookings that wait, by the cause of the outage.
    pub failed: Groups,
    /// Users who were let in by what is stored of them, by the cause of Alma's outage.
    pub served_from_cache: Groups,
    /// Why keys of Alma's were of no use, where no other line says so.
    pub idle_keys: Vec<String>,
}

/// What is known of a person whose visits can be registered now.
enum Checked {
    /// The visitor that the cache has of them.
    Visitor(String),
    /// What Alma says of them: their visitor is still to be made or found.
    InAlma(alma::User),
}

/// A person on their way from the one crew to the other.
type Ready<'p> = (&'p Person, Checked);

impl<'a> Pass<'a> {
    /// Sees to all these people.
    ///
    /// # Errors
    /// Where the cache cannot be written: what is not done by then is left undone,
    /// for nothing may be asked of PassagePoint that cannot be remembered.
    pub fn carry_out(&self, people: &[Person]) -> Result<()> {
        if people.is_empty() {
            return Ok(());
        }
        let (send, receive) = channel();
        let mut unknown = Vec::new();
        for person in people {
            match self.recent_visitor(person) {
                // They need not wait for Alma's pace.
                Some(visitor) => {
                    let _ = send.send((person, visitor));
                }
                None => unknown.push(person),
            }
        }
        let crew = self.config.network.concurrency as usize;
        let crews = Crews {
            next: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            receive: Mutex::new(receive),
        };
        std::thread::scope(|scope| {
            // Needed by whoever comes first from Alma. If it fails, they are told.
            scope.spawn(|| self.passagepoint.be_ready());
            let mut threads = Vec::new();
            for _ in 0..unknown.len().min(crew) {
                let send = send.clone();
                let (unknown, crews) = (&unknown, &crews);
                threads.push(scope.spawn(move || self.ask_alma(unknown, crews, &send)));
            }
            // The last asker who goes closes the channel, and so sends the registrars home.
            drop(send);
            for _ in 0..people.len().min(crew) {
                threads.push(scope.spawn(|| self.register_visits(&crews)));
            }
            let results = threads.into_iter().map(|thread| match thread.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            results.collect::<Vec<_>>().into_iter().collect()
        })
    }

    /// Asks Alma about one person after the other, and hands on whose visits can be registered.
    fn ask_alma<'p>(
        &self,
        people: &[&'p Person],
        crews: &Crews<'p>,
        send: &Sender<Ready<'p>>,
    ) -> Result<()> {
        while let Some(person) = people.get(crews.next.fetch_add(1, Ordering::Relaxed)) {
            if crews.stopped.load(Ordering::Relaxed) {
                break;
            }
            if let Some(checked) = crews.stop_on_error(self.check(person))? {
                // Nobody takes them on only if all have stopped.
                let _ = send.send((person, checked));
            }
        }
        Ok(())
    }

    /// Registers the visits of one person after the other, as they come.
    fn register_visits(&self, crews: &Crews<'_>) -> Result<()> {
        while let Some((person, checked)) = crews.next_ready() {
            if crews.stopped.load(Ordering::Relaxed) {
                break;
            }
            crews.stop_on_error(self.see_to(person, checked))?;
        }
        Ok(())
    }

    /// What is left to say once everybody is seen to.
    #[must_use]
    pub fn finish(self) -> Done {
        let mut done = self
            .done
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let is_told = |cause: &&String| {
            done.failed.contains_key(*cause) || done.served_from_cache.contains_key(*cause)
        };
        done.idle_keys = self
            .alma
            .given_up()
            .filter(|cause| !is_told(cause))
            .cloned()
            .collect();
        done
    }

    /// Remembers a refusal, in the cache and for the report.
    fn refuse(
        &self,
        subject: &Subject,
        person: &Person,
        bookings: Vec<String>,
        reason: &Reason,
    ) -> Result<()> {
        let reason = reason.to_string();
        let now = Utc::now().timestamp();
        // First here, so that no other visit of the booking takes the refusal back.
        self.done().refused.push(Refused {
            subject: subject.clone(),
            primary_id: Some(person.primary_id.clone()),
            reason: reason.clone(),
            bookings,
        });
        self.cache()
            .refuse(subject, Some(&person.primary_id), &reason, now)
    }

    // A thread that panicked leaves both as good as they were: the cache by its
    // transactions, the numbers because they are only added to.
    fn cache(&self) -> MutexGuard<'_, &'a mut Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn done(&self) -> MutexGuard<'_, Done> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the two crews have in common.
struct Crews<'p> {
    /// Whom Alma is asked about next.
    next: AtomicUsize,
    /// Set when the cache failed one of them: the others stop at their next person.
    stopped: AtomicBool,
    receive: Mutex<Receiver<Ready<'p>>>,
}

impl<'p> Crews<'p> {
    /// The next person from Alma; nothing when all of them have come.
    fn next_ready(&self) -> Option<Ready<'p>> {
        let receive = self.receive.lock().unwrap_or_else(PoisonError::into_inner);
        receive.recv().ok()
    }

    fn stop_on_error<T>(&self, result: Result<T>) -> Result<T> {
        if result.is_err() {
            self.stopped.store(true, Ordering::Relaxed);
        }
        result
    }
}
