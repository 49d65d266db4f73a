//! A plan carried out: several people at once, the soonest start first.
//!
//! Two crews of threads work hand in hand, so that neither service waits for the
//! other: one asks Alma about the people who are not known, the other makes visitors
//! and registers visits in PassagePoint. What is to be done stands in the plan; what
//! is printed about it is for [`crate::command`] to say.

mod person;
mod visit;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Result;

use crate::alma::{self, Alma};
use crate::cache::Cache;
use crate::config::Config;
use crate::model::{Appt, LastingOutage, Outage, PrimaryId, VisitorId};
use crate::passagepoint::PassagePoint;
use crate::plan::{Person, Refusal, Visit};

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
    /// Whether nothing is to be written to PassagePoint.
    pub is_dry_run: bool,
}

/// What came of a pass.
#[derive(Debug, Default)]
pub struct Done {
    /// The visits that were registered.
    pub registered: Vec<(Visit, Appt)>,
    /// What was refused or given up.
    pub refused: Vec<Refusal>,
    /// Visits of which it is not known whether they were registered.
    pub in_doubt: Vec<HeldUp>,
    /// Visits that wait.
    pub waiting: Vec<HeldUp>,
    /// How many visits were changed by another process, and so left to the next pass.
    pub overtaken: usize,
    /// Users who were registered by what is stored of them, by the outage that kept them from being checked.
    pub served_from_cache: BTreeMap<Outage, Vec<PrimaryId>>,
    /// Outages that keep no visit waiting: of a visit that was given up, of API keys that were
    /// of no use, and of what was out at the pass before and still is.
    pub others: Vec<Outage>,
}

/// A visit and the outage that kept it from being registered.
#[derive(Debug)]
pub struct HeldUp {
    /// The outage.
    pub outage: Outage,
    /// The visit as the plan left it.
    pub before: Appt,
    /// The visit as it now is.
    pub appt: Appt,
}

/// What is known of a person whose visits can be registered now.
enum Checked {
    /// The visitor that the cache has of them.
    Visitor(VisitorId),
    /// What Alma says of them: their visitor is still to be created or found.
    InAlma(alma::User),
}

/// A person on their way from the one crew to the other.
type Ready<'p> = (&'p Person, Checked);

impl<'a> Pass<'a> {
    /// Registers all these people for their visits.
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
                // They need not wait for Alma's rate limit.
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
            scope.spawn(|| self.passagepoint.ensure_token());
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
            crews.stop_on_error(self.register_person(person, checked))?;
        }
        Ok(())
    }

    /// Keeps why visits wait, and gives what came of the pass. What was out at the pass before
    /// is asked whether it still is, if nobody had to ask it.
    ///
    /// # Errors
    /// Where the cache cannot be written; what came of the pass is given all the same.
    pub fn finish(self, remembered: &[LastingOutage]) -> (Done, Result<()>) {
        let still_out: Vec<_> = remembered
            .iter()
            .filter_map(|lasting| self.is_still_out(&lasting.outage.service))
            .collect();
        let mut done = self
            .done
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        done.others.extend(self.alma.rejected_keys().cloned());
        done.others.extend(still_out);
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = done.waiting.iter();
        let saved = cache.save_waiting(waiting.map(|visit| (&visit.before, &visit.appt)));
        drop(cache);
        (done, saved)
    }

    /// Asks Alma or PassagePoint whether it is there, unless this pass has met its outage.
    fn is_still_out(&self, service: &str) -> Option<Outage> {
        let done = self.done();
        let held_up = done.waiting.iter().chain(&done.in_doubt);
        let mut met = held_up
            .map(|held_up| &held_up.outage)
            .chain(done.served_from_cache.keys())
            .chain(&done.others);
        let is_met = met.any(|outage| outage.service == service);
        drop(done);
        match service.strip_prefix("Alma") {
            _ if is_met => None,
            Some(_) => self
                .alma
                .check()
                .into_iter()
                .find(|outage| outage.service == service),
            None if service == "PassagePoint" => {
                let failure = self.passagepoint.ensure_token().err()?;
                Some(Outage::of(service, failure.cause))
            }
            None => None,
        }
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
