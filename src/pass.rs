//! Carries a plan out: several people at once, the soonest start first.
//!
//! Two groups of worker threads share the work, so that neither service waits for the
//! other: one asks Alma about the people who are not known, the other creates visitors
//! and registers visits in PassagePoint. The plan says what is to be done; [`crate::command`]
//! prints what came of it.

mod covering;
mod person;
mod visit;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Scope, ScopedJoinHandle};

use anyhow::Result;

use crate::alma::{self, Alma};
use crate::cache::Cache;
use crate::config::Config;
use crate::messages::io_reason;
use crate::model::{Appt, Barcode, BookingId, Card, OngoingOutage, Outage, PrimaryId};
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
    /// The cache, for one thread at a time.
    pub cache: Mutex<&'a mut Cache>,
    /// The outcome so far.
    pub outcome: Mutex<PassOutcome>,
    /// The destinations that PassagePoint has, once they were needed; `None` if asking failed.
    pub destinations: OnceLock<Option<Vec<String>>>,
    /// A lock for each barcode, held while its visits are registered: several primary IDs can belong
    /// to one person.
    pub barcodes: Mutex<HashMap<Barcode, Arc<Mutex<()>>>>,
    /// Whether this is a dry run, which writes nothing to PassagePoint.
    pub is_dry_run: bool,
}

/// What came of a pass.
#[derive(Debug, Default)]
pub struct PassOutcome {
    /// The visits that were registered.
    pub registered: Vec<(Visit, Appt)>,
    /// The visits that another pre-registration covers, each with the booking that it was made for.
    pub covered: Vec<(Visit, BookingId)>,
    /// Whether a visit was registered though an attempt of unknown outcome may cover it.
    pub has_possible_duplicates: bool,
    /// What was refused or given up.
    pub refused: Vec<Refusal>,
    /// Visits that may or may not have been registered.
    pub in_doubt: Vec<Deferred>,
    /// Visits that wait.
    pub waiting: Vec<Deferred>,
    /// How many visits were left to the next pass for another reason.
    pub postponed: usize,
    /// Users who were registered with the barcode that is stored, by the outage that kept them from
    /// being checked.
    pub served_from_cache: BTreeMap<Outage, BTreeSet<PrimaryId>>,
    /// Outages that keep no visit waiting: of a visit that was given up, of rejected API keys, and
    /// of what was out during the last pass and still is.
    pub others: Vec<Outage>,
}

/// A visit and the outage that kept it from being registered.
#[derive(Debug)]
pub struct Deferred {
    /// The outage.
    pub outage: Outage,
    /// The visit as the plan left it.
    pub before: Appt,
    /// The visit as it now is.
    pub appt: Appt,
}

/// Where the barcode of a person comes from whose visits can be registered now.
enum BarcodeSource {
    /// From the cache, with their visitor.
    Cached(Card),
    /// From Alma: their visitor is still to be created or found.
    Alma(alma::User),
}

impl BarcodeSource {
    fn barcode(&self) -> &Barcode {
        match self {
            Self::Cached(card) => &card.barcode,
            Self::Alma(found) => &found.barcode,
        }
    }
}

/// A person on their way from the threads that ask Alma to those that register.
type ReadyPerson<'p> = (&'p Person, BarcodeSource);

impl<'a> Pass<'a> {
    /// Registers all these people for their visits, in this order.
    ///
    /// # Errors
    /// Where the cache cannot be written: the rest is left undone, because nothing may be
    /// registered that cannot be recorded.
    pub fn carry_out(&self, people: &[Person]) -> Result<()> {
        // Those who failed before wait until all others are done, because they may hang again.
        for people in people.chunk_by(|one, next| one.turn() == next.turn()) {
            if people[0].turn().failures == 0 {
                self.register_batch(people)?;
            } else {
                // Some may have had an earlier turn in this pass.
                self.register_batch(&self.updated(people)?)?;
            }
        }
        Ok(())
    }

    /// The same people, with the users as the cache has them now.
    fn updated(&self, people: &[Person]) -> Result<Vec<Person>> {
        let update = |person: &Person| {
            let user = self.cache().user(&person.primary_id)?;
            let person = person.clone();
            Ok(Person { user, ..person })
        };
        people.iter().map(update).collect()
    }

    /// Registers people for their visits, several at once.
    fn register_batch(&self, people: &[Person]) -> Result<()> {
        if people.is_empty() {
            return Ok(());
        }
        let (sender, receiver) = channel();
        let unknown = self.send_known(people, &sender);
        let max_workers = self.config.network.concurrency as usize;
        let queue = WorkQueue {
            next: AtomicUsize::new(0),
            is_stopped: AtomicBool::new(false),
            receiver: Mutex::new(receiver),
        };
        thread::scope(|scope| {
            // Log in ahead of the first registration, which reports the failure if there is one.
            let _ = spawn(scope, || {
                let _ = self.passagepoint.ensure_token();
                Ok(())
            });
            let number = unknown.len().min(max_workers);
            let (alma_workers, asked) = run_workers(scope, number, || {
                let sender = sender.clone();
                let (unknown, queue) = (&unknown, &queue);
                move || self.run_alma_worker(unknown, queue, &sender)
            });
            // When the last thread that asks Alma ends, the channel closes, which ends the others.
            drop(sender);
            let number = people.len().min(max_workers);
            let (passagepoint_workers, registered) =
                run_workers(scope, number, || || self.run_passagepoint_worker(&queue));
            let threads = alma_workers.into_iter().chain(passagepoint_workers);
            let results = threads.map(|thread| match thread.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            let results: Vec<_> = results.chain([asked, registered]).collect();
            results.into_iter().collect()
        })
    }

    /// Hands on the people whose visitors are known, and returns the others: only these have to wait
    /// for Alma's rate limit.
    fn send_known<'p>(
        &self,
        people: &'p [Person],
        sender: &Sender<ReadyPerson<'p>>,
    ) -> Vec<&'p Person> {
        let mut unknown = Vec::new();
        for person in people {
            match self.cached_visitor(person) {
                Some(visitor) => {
                    let _ = sender.send((person, visitor));
                }
                None => unknown.push(person),
            }
        }
        unknown
    }

    /// Asks Alma about one person after the other, and hands on those whose visits can be registered.
    fn run_alma_worker<'p>(
        &self,
        people: &[&'p Person],
        queue: &WorkQueue<'p>,
        sender: &Sender<ReadyPerson<'p>>,
    ) -> Result<()> {
        while let Some(person) = people.get(queue.next.fetch_add(1, Ordering::Relaxed)) {
            if queue.is_stopped.load(Ordering::Relaxed) {
                break;
            }
            if let Some(source) = queue.stop_on_error(self.look_up_barcode(person))? {
                // The receiver is gone only if all workers have stopped.
                let _ = sender.send((person, source));
            }
        }
        Ok(())
    }

    /// Registers the visits of one person after the other, as they come.
    fn run_passagepoint_worker(&self, queue: &WorkQueue<'_>) -> Result<()> {
        while let Some((person, source)) = queue.next_ready() {
            if queue.is_stopped.load(Ordering::Relaxed) {
                break;
            }
            let barcode = self.barcode_lock(source.barcode());
            let _one_at_a_time = barcode.lock().unwrap_or_else(PoisonError::into_inner);
            queue.stop_on_error(self.register_person(person, source))?;
        }
        Ok(())
    }

    fn barcode_lock(&self, barcode: &Barcode) -> Arc<Mutex<()>> {
        let mut barcodes = self.barcodes.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(barcodes.entry(barcode.clone()).or_default())
    }

    /// Records why visits wait, and returns the outcome of the pass. A service that was out during
    /// the last pass, and that this one did not need, is asked whether it is back.
    ///
    /// # Errors
    /// Where the cache cannot be written; the outcome is returned all the same.
    pub fn finish(self, known_outages: &[OngoingOutage]) -> (PassOutcome, Result<()>) {
        let still_out: Vec<_> = known_outages
            .iter()
            .filter_map(|lasting| self.probe_outage(lasting))
            .collect();
        let mut outcome = self
            .outcome
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        outcome.others.extend(self.alma.rejected_keys().cloned());
        outcome.others.extend(still_out);
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = outcome.waiting.iter();
        let saved = cache.replace_appts(waiting.map(|visit| (&visit.before, &visit.appt)));
        drop(cache);
        (outcome, saved.map(|_| ()))
    }

    /// Asks Alma or PassagePoint whether its outage goes on, unless this pass has met it.
    fn probe_outage(&self, lasting: &OngoingOutage) -> Option<Outage> {
        let service = lasting.outage.service.as_str();
        let outcome = self.outcome();
        let deferred = outcome.waiting.iter().chain(&outcome.in_doubt);
        let mut met = deferred
            .map(|deferred| &deferred.outage)
            .chain(outcome.served_from_cache.keys())
            .chain(&outcome.others);
        let is_met = met.any(|outage| outage.service == service);
        drop(outcome);
        if is_met || lasting.outage.is_of_libcal() {
            return None;
        }
        if service == "PassagePoint" {
            let failure = self.passagepoint.ensure_token().err()?;
            return Some(Outage::of(service, failure.cause));
        }
        // While Alma does not respond, nobody knows whether it would accept a key.
        let outages = self.alma.check();
        let is_out = outages.contains(&lasting.outage)
            || outages.iter().any(|outage| outage.service == "Alma");
        let same = outages.into_iter().find(|outage| outage.service == service);
        same.or_else(|| is_out.then(|| lasting.outage.clone()))
    }

    // A thread that panicked leaves both consistent: the cache because of its
    // transactions, the outcome because it is only added to.
    fn cache(&self) -> MutexGuard<'_, &'a mut Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn outcome(&self) -> MutexGuard<'_, PassOutcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Spawns so many threads that share the same work, or as many as the system allows. If there are
/// none, does the work in this one, and returns the result.
fn run_workers<'s, W: FnOnce() -> Result<()> + Send + 's>(
    scope: &'s Scope<'s, '_>,
    number: usize,
    work: impl Fn() -> W,
) -> (Vec<ScopedJoinHandle<'s, Result<()>>>, Result<()>) {
    let threads: Vec<_> = (0..number).map_while(|_| spawn(scope, work())).collect();
    let result = if threads.is_empty() { work()() } else { Ok(()) };
    (threads, result)
}

fn spawn<'s>(
    scope: &'s Scope<'s, '_>,
    work: impl FnOnce() -> Result<()> + Send + 's,
) -> Option<ScopedJoinHandle<'s, Result<()>>> {
    let started = thread::Builder::new().spawn_scoped(scope, work);
    let failed =
        |error: &std::io::Error| log::debug!("cannot start a thread: {}", io_reason(error));
    started.inspect_err(failed).ok()
}

/// What the two groups of worker threads share.
struct WorkQueue<'p> {
    /// The index of the person whom Alma is asked about next.
    next: AtomicUsize,
    /// Set when the cache failed for one of them: the others stop before their next person.
    is_stopped: AtomicBool,
    receiver: Mutex<Receiver<ReadyPerson<'p>>>,
}

impl<'p> WorkQueue<'p> {
    /// The next person from Alma; `None` after the last.
    fn next_ready(&self) -> Option<ReadyPerson<'p>> {
        let receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner);
        receiver.recv().ok()
    }

    fn stop_on_error<T>(&self, result: Result<T>) -> Result<T> {
        if result.is_err() {
            self.is_stopped.store(true, Ordering::Relaxed);
        }
        result
    }
}
