//! A plan carried out: a person at a time, several at once, the soonest start first.
//!
//! What is to be done stands in the plan; what is printed about it is for
//! [`crate::command`] to say.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use chrono::Utc;

use crate::alma::{self, Alma};
use crate::cache::Cache;
use crate::config::Config;
use crate::http::{Failure, Fate};
use crate::known::{Reason, Subject, User};
use crate::passagepoint::{Answer, NewPrereg, NewVisitor, PassagePoint};
use crate::plan::{Person, Refused, Visit};
use crate::report::{Groups, add};

const DAY: i64 = 24 * 3600;

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

/// Whether a person has a visitor in PassagePoint.
enum Visitor {
    Is(VisitorId),
    Refused(Reason),
    Outage(String),
}

/// A visitor's id, and whether PassagePoint gave it in this pass or the cache has it from another.
struct VisitorId {
    id: String,
    is_fresh: bool,
}

impl<'a> Pass<'a> {
    /// Sees to all these people.
    ///
    /// # Errors
    /// Where the cache cannot be written: what is not done by then is left undone,
    /// for nothing may be asked of PassagePoint that cannot be remembered.
    pub fn carry_out(&self, people: &[Person]) -> Result<()> {
        let next = AtomicUsize::new(0);
        let work = || -> Result<()> {
            while let Some(person) = people.get(next.fetch_add(1, Ordering::Relaxed)) {
                if let Err(error) = self.see_to(person) {
                    // The others stop at their next person.
                    next.store(people.len(), Ordering::Relaxed);
                    return Err(error);
                }
            }
            Ok(())
        };
        let threads = people.len().min(self.config.network.concurrency as usize);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let results = threads.into_iter().map(|thread| match thread.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            results.collect::<Vec<_>>().into_iter().collect()
        })
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

    fn see_to(&self, person: &Person) -> Result<()> {
        let mut visitor = match self.visitor(person)? {
            Visitor::Is(visitor) => visitor,
            Visitor::Refused(reason) => {
                let bookings = person
                    .visits
                    .iter()
                    .map(|visit| visit.key.book_id.clone())
                    .collect();
                return self.refuse(
                    &Subject::User(person.primary_id.clone()),
                    person,
                    bookings,
                    &reason,
                );
            }
            Visitor::Outage(cause) => {
                let bookings = person.visits.iter().map(|visit| visit.key.book_id.clone());
                add(&mut self.done().failed, &cause, bookings);
                return Ok(());
            }
        };
        for visit in &person.visits {
            self.register(person, visit, &mut visitor)?;
        }
        Ok(())
    }

    /// The person's visitor: what is stored if that is recent, or else by way of Alma.
    fn visitor(&self, person: &Person) -> Result<Visitor> {
        let now = Utc::now().timestamp();
        let stored = |user: &User| {
            Visitor::Is(VisitorId {
                id: user.visitor_id.clone(),
                is_fresh: false,
            })
        };
        let good_for = i64::from(self.config.alma.refresh_days) * DAY;
        let user = person.user.as_ref();
        if let Some(user) =
            user.filter(|user| user.checked_at.is_some_and(|at| now - at < good_for))
        {
            log::debug!(
                "{} is known: visitor {}",
                person.primary_id,
                user.visitor_id
            );
            return Ok(stored(user));
        }
        log::debug!("asking Alma about {}", person.primary_id);
        let found = match self.alma.find(&person.primary_id) {
            Ok(alma::Answer::Found(found)) => found,
            Ok(alma::Answer::NotFound) => return Ok(Visitor::Refused(Reason::NotInAlma)),
            Ok(alma::Answer::NoActiveBarcode) => {
                return Ok(Visitor::Refused(Reason::NoActiveBarcode));
            }
            Err(cause) => {
                let Some(user) = user else {
                    return Ok(Visitor::Outage(cause));
                };
                add(
                    &mut self.done().served_from_cache,
                    &cause,
                    [person.primary_id.clone()],
                );
                return Ok(stored(user));
            }
        };
        match user.filter(|user| user.barcode == found.barcode) {
            Some(user) => {
                self.keep(person, &found.barcode, &user.visitor_id)?;
                Ok(stored(user))
            }
            None => self.make_visitor(person, &found),
        }
    }

    /// Has PassagePoint make the visitor, or finds the one that is there.
    fn make_visitor(&self, person: &Person, found: &alma::User) -> Result<Visitor> {
        let or = |mine: &'_ str, alma: &'_ str| {
            if mine.is_empty() {
                alma.to_owned()
            } else {
                mine.to_owned()
            }
        };
        let category = self.config.passagepoint.user_mapping.get(&found.group);
        let visitor = NewVisitor {
            category: category.map_or("Visitor", String::as_str),
            first_name: &or(&person.first_name, &found.first_name),
            last_name: &or(&person.last_name, &found.last_name),
            email: Some(person.email.as_str()).filter(|email| !email.is_empty()),
            primary_id: &person.primary_id,
            barcode: &found.barcode,
        };
        let answer = self
            .passagepoint
            .create_visitor(&visitor)
            .and_then(|made| match made {
                Some(answer) => Ok(Some(answer)),
                None => self.passagepoint.visitor_by_barcode(&found.barcode),
            });
        match answer {
            Ok(Some(Answer::Id(id))) => {
                log::debug!("{} is the visitor {id}", person.primary_id);
                self.keep(person, &found.barcode, &id)?;
                Ok(Visitor::Is(VisitorId { id, is_fresh: true }))
            }
            Ok(Some(Answer::Refused(status))) => {
                Ok(Visitor::Refused(Reason::VisitorRefused(status)))
            }
            Ok(None) => Ok(Visitor::Refused(Reason::VisitorNotFound)),
            Err(failure) => Ok(Visitor::Outage(failure.cause)),
        }
    }

    fn keep(&self, person: &Person, barcode: &str, visitor_id: &str) -> Result<()> {
        let now = Utc::now().timestamp();
        let user = User {
            primary_id: person.primary_id.clone(),
            barcode: barcode.to_owned(),
            visitor_id: visitor_id.to_owned(),
            checked_at: Some(now),
        };
        let mut cache = self.cache();
        cache.store_user(&user, now)?;
        cache.accept(&Subject::User(user.primary_id))
    }

    /// Registers one visit: the intent, the request, the outcome.
    fn register(&self, person: &Person, visit: &Visit, visitor: &mut VisitorId) -> Result<()> {
        let key = &visit.key;
        let Some(destination) = self.config.passagepoint.location_mapping.get(&key.lid) else {
            return self.refuse_visit(person, visit, &Reason::NoDestination(key.lid));
        };
        loop {
            if let Err(failure) = self.passagepoint.be_ready() {
                add(
                    &mut self.done().failed,
                    &failure.cause,
                    [key.book_id.clone()],
                );
                return Ok(());
            }
            self.cache().intend(key, visit.ends_at)?;
            let answer = self.passagepoint.create_prereg(&NewPrereg {
                visitor_id: &visitor.id,
                destination,
                starts_at: key.starts_at,
                ends_at: visit.ends_at,
            });
            match answer {
                Ok(Answer::Id(id)) => return self.registered(visit, destination, &id),
                Ok(Answer::Refused(status)) => {
                    self.cache().take_back(key, visit.appt.as_ref())?;
                    let reason = self.why_refused(status, destination);
                    // A visitor that the cache remembers may be gone from PassagePoint.
                    let may_be_gone =
                        matches!(reason, Reason::PreregRefused(_)) && !visitor.is_fresh;
                    if !may_be_gone || !self.find_visitor_anew(person, visitor)? {
                        return self.refuse_visit(person, visit, &reason);
                    }
                }
                Err(failure) => return self.not_registered(visit, failure),
            }
        }
    }

    fn registered(&self, visit: &Visit, destination: &str, prereg_id: &str) -> Result<()> {
        let key = &visit.key;
        let mut cache = self.cache();
        let kept = cache.registered(key, visit.ends_at, prereg_id);
        let mut done = self.done();
        if kept.is_err() {
            // The cache still has the intent: the next pass takes the visit for one in doubt.
            let cause = "PassagePoint has registered what the cache could not keep";
            add(&mut done.in_doubt, cause, [key.book_id.clone()]);
            return kept;
        }
        done.registered += 1;
        // Another visit of the booking may have been refused just now, and that stands.
        let subject = Subject::Booking(key.book_id.clone());
        if done
            .refused
            .iter()
            .all(|refused| refused.subject != subject)
        {
            cache.accept(&subject)?;
        }
        drop((cache, done));
        log::info!(
            "registered booking {} ({}): {destination}, {}",
            key.book_id,
            key.primary_id,
            crate::output::span(key.starts_at, visit.ends_at)
        );
        Ok(())
    }

    fn not_registered(&self, visit: &Visit, failure: Failure) -> Result<()> {
        let Failure { cause, fate } = failure;
        let book_id = visit.key.book_id.clone();
        match fate {
            Fate::NotProcessed => {
                self.cache().take_back(&visit.key, visit.appt.as_ref())?;
                add(&mut self.done().failed, &cause, [book_id]);
            }
            Fate::Trouble => {
                self.cache().not_counted(&visit.key)?;
                add(&mut self.done().in_doubt, &cause, [book_id]);
            }
            Fate::Unknown => add(&mut self.done().in_doubt, &cause, [book_id]),
        }
        Ok(())
    }

    /// Looks for the person's visitor as if they were new; tells whether it is another one.
    fn find_visitor_anew(&self, person: &Person, visitor: &mut VisitorId) -> Result<bool> {
        visitor.is_fresh = true;
        let Ok(alma::Answer::Found(found)) = self.alma.find(&person.primary_id) else {
            return Ok(false);
        };
        match self.make_visitor(person, &found)? {
            Visitor::Is(other) if other.id != visitor.id => {
                *visitor = other;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Whether a pre-registration was refused for its destination or for something else.
    fn why_refused(&self, status: u16, destination: &str) -> Reason {
        let mut destinations = self
            .destinations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_there = match destinations.get(destination) {
            Some(is_there) => *is_there,
            // Where the list cannot be had, the name is given the benefit of the doubt.
            None => self
                .passagepoint
                .has_destination(destination)
                .unwrap_or(true),
        };
        destinations.insert(destination.to_owned(), is_there);
        if is_there {
            return Reason::PreregRefused(status);
        }
        Reason::UnknownDestination(destination.to_owned())
    }

    fn refuse_visit(&self, person: &Person, visit: &Visit, reason: &Reason) -> Result<()> {
        let book_id = visit.key.book_id.clone();
        self.refuse(
            &Subject::Booking(book_id.clone()),
            person,
            vec![book_id],
            reason,
        )
    }

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
