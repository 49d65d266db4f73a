//! A plan carried out: several people at once, the soonest start first.
//!
//! Two groups of worker threads share the work, so that neither service waits for the
//! other: one asks Alma about the people who are not known, the other creates visitors
//! and registers visits in PassagePoint. What is to be done stands in the plan; what
//! is printed about it is for [`crate::command`] to say.

mod person;
mod visit;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Scope, ScopedJoinHandle};

use anyhow::Result;

use crate::alma::{self, Alma};
use crate::cache::Cache;
use crate::config::Config;
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
    /// What is remembered; one thread at a time.
    pub cache: Mutex<&'a mut Cache>,
    /// What came of it so far.
    pub done: Mutex<Done>,
    /// The destinations that PassagePoint has, once somebody had to ask; nothing if that failed.
    pub destinations: OnceLock<Option<Vec<String>>>,
    /// Held while visits of that barcode are registered: several primary IDs can be one person's.
    pub barcodes: Mutex<HashMap<Barcode, Arc<Mutex<()>>>>,
    /// Whether nothing is to be written to PassagePoint.
    pub is_dry_run: bool,
}

/// What came of a pass.
#[derive(Debug, Default)]
pub struct Done {
    /// The visits that were registered.
    pub registered: Vec<(Visit, Appt)>,
    /// The visits that another pre-registration covers, each with the booking that it was made for.
    pub covered: Vec<(Visit, BookingId)>,
    /// Whether a visit was registered though an attempt of unknown outcome may cover it.
    pub possibly_doubled: bool,
    /// What was refused or given up.
    pub refused: Vec<Refusal>,
    /// Visits of which it is not known whether they were registered.
    pub in_doubt: Vec<Deferred>,
    /// Visits that wait.
    pub waiting: Vec<Deferred>,
    /// How many visits were left to the next pass for another reason.
    pub put_off: usize,
    /// Users who were registered by what is stored of them, by the outage that kept them from being checked.
    pub served_from_cache: BTreeMap<Outage, Vec<PrimaryId>>,
    /// Outages that keep no visit waiting: of a visit that was given up, of API keys that were
    /// of no use, and of what was out at the pass before and still is.
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

/// What is known of a person whose visits can be registered now.
enum Checked {
    /// What the cache has of them.
    Stored(Card),
    /// What Alma says of them: their visitor is still to be created or found.
    InAlma(alma::User),
}

impl Checked {
    fn barcode(&self) -> &Barcode {
        match self {
            Self::Stored(card) => &card.barcode,
            Self::InAlma(found) => &found.barcode,
        }
    }
}

/// A person on their way from those who ask Alma to those who register.
type Ready<'p> = (&'p Person, Checked);

impl<'a> Pass<'a> {
    /// Registers all these people for their visits, in their order.
    ///
    /// # Errors
    /// Where the cache cannot be written: what is not done by then is left undone,
    /// for nothing may be asked of PassagePoint that cannot be remembered.
    pub fn carry_out(&self, people: &[Person]) -> Result<()> {
        // Who failed before waits until all others are done, for they may hang again.
        let mut turns = people.chunk_by(|one, next| one.turn() == next.turn());
        turns.try_for_each(|people| self.register(people))
    }

    /// Registers people for their visits, several at once.
    fn register(&self, people: &[Person]) -> Result<()> {
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
        let most = self.config.network.concurrency as usize;
        let workers = Workers {
            next: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            receive: Mutex::new(receive),
        };
        thread::scope(|scope| {
            // Needed by whoever comes first from Alma. If it fails, they are told.
            let _ = start(scope, || {
                let _ = self.passagepoint.ensure_token();
                Ok(())
            });
            let askers = start_some(scope, unknown.len().min(most), || {
                let send = send.clone();
                let (unknown, workers) = (&unknown, &workers);
                move || self.ask_alma(unknown, workers, &send)
            });
            let asked = if askers.is_empty() {
                self.ask_alma(&unknown, &workers, &send)
            } else {
                Ok(())
            };
            // When the last thread that asks Alma ends, the channel closes, which ends the others.
            drop(send);
            let registrars = start_some(scope, people.len().min(most), || {
                || self.register_visits(&workers)
            });
            let registered = if registrars.is_empty() {
                self.register_visits(&workers)
            } else {
                Ok(())
            };
            let threads = askers.into_iter().chain(registrars);
            let results = threads.map(|thread| match thread.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            let results: Vec<_> = results.chain([asked, registered]).collect();
            results.into_iter().collect()
        })
    }

    /// Asks Alma about one person after the other, and hands on whose visits can be registered.
    fn ask_alma<'p>(
        &self,
        people: &[&'p Person],
        workers: &Workers<'p>,
        send: &Sender<Ready<'p>>,
    ) -> Result<()> {
        while let Some(person) = people.get(workers.next.fetch_add(1, Ordering::Relaxed)) {
            if workers.stopped.load(Ordering::Relaxed) {
                break;
            }
            if let Some(checked) = workers.stop_on_error(self.check(person))? {
                // Nobody takes them on only if all have stopped.
                let _ = send.send((person, checked));
            }
        }
        Ok(())
    }

    /// Registers the visits of one person after the other, as they come.
    fn register_visits(&self, workers: &Workers<'_>) -> Result<()> {
        while let Some((person, checked)) = workers.next_ready() {
            if workers.stopped.load(Ordering::Relaxed) {
                break;
            }
            let barcode = self.lock_of(checked.barcode());
            let _one_at_a_time = barcode.lock().unwrap_or_else(PoisonError::into_inner);
            workers.stop_on_error(self.register_person(person, checked))?;
        }
        Ok(())
    }

    fn lock_of(&self, barcode: &Barcode) -> Arc<Mutex<()>> {
        let mut barcodes = self.barcodes.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(barcodes.entry(barcode.clone()).or_default())
    }

    /// Keeps why visits wait, and gives what came of the pass. What was out at the pass before
    /// is asked whether it still is, if nobody had to ask it.
    ///
    /// # Errors
    /// Where the cache cannot be written; what came of the pass is given all the same.
    pub fn finish(self, remembered: &[OngoingOutage]) -> (Done, Result<()>) {
        let still_out: Vec<_> = remembered
            .iter()
            .filter_map(|lasting| self.is_still_out(lasting))
            .collect();
        let mut done = self
            .done
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        done.others.extend(self.alma.rejected_keys().cloned());
        done.others.extend(still_out);
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = done.waiting.iter();
        let saved = cache.replace_appts(waiting.map(|visit| (&visit.before, &visit.appt)));
        drop(cache);
        (done, saved.map(|_| ()))
    }

    /// Asks Alma or PassagePoint whether it is there, unless this pass has met its outage.
    fn is_still_out(&self, lasting: &OngoingOutage) -> Option<Outage> {
        let service = lasting.outage.service.as_str();
        let done = self.done();
        let deferred = done.waiting.iter().chain(&done.in_doubt);
        let mut met = deferred
            .map(|deferred| &deferred.outage)
            .chain(done.served_from_cache.keys())
            .chain(&done.others);
        let is_met = met.any(|outage| outage.service == service);
        drop(done);
        if is_met || service.starts_with("LibCal") {
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

    // A thread that panicked leaves both as good as they were: the cache by its
    // transactions, the numbers because they are only added to.
    fn cache(&self) -> MutexGuard<'_, &'a mut Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn done(&self) -> MutexGuard<'_, Done> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts so many threads for the same work, or as many as the system allows: the work is shared
/// among those that there are, and where there is none this thread is to do it.
fn start_some<'s, W: FnOnce() -> Result<()> + Send + 's>(
    scope: &'s Scope<'s, '_>,
    number: usize,
    work: impl Fn() -> W,
) -> Vec<ScopedJoinHandle<'s, Result<()>>> {
    let started = (0..number).map_while(|_| start(scope, work()));
    started.collect()
}

fn start<'s>(
    scope: &'s Scope<'s, '_>,
    work: impl FnOnce() -> Result<()> + Send + 's,
) -> Option<ScopedJoinHandle<'s, Result<()>>> {
    let started = thread::Builder::new().spawn_scoped(scope, work);
    let failed = |error: &std::io::Error| log::debug!("a thread cannot be started: {error}");
    started.inspect_err(failed).ok()
}

/// What the two groups of threads have in common.
struct Workers<'p> {
    /// Whom Alma is asked about next.
    next: AtomicUsize,
    /// Set when the cache failed one of them: the others stop at their next person.
    stopped: AtomicBool,
    receive: Mutex<Receiver<Ready<'p>>>,
}

impl<'p> Workers<'p> {
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
