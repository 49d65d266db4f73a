//! The rows of all locations: several pages at once, of whichever lists, over no more connections
//! than the configuration allows.
//!
//! One location's failure does not stop the others, and what was read of a list that failed is used.
//!
//! **A list can change while it is read.** LibCal numbers pages by how many rows come before
//! them, so if a booking is denied, deleted or moved between two requests, a row can go from a
//! page that is still to be read to one that was read already, and is lost. Therefore a list of several
//! pages is read [again](Lists::read_again) before anything new that was read is acted upon: if each
//! page has the same rows as before, then all pages were so at one moment, after the first
//! reading and before the second, and no row is lost. If not, it is read a third time. The rows of all
//! readings count, each as it was read last; a list of which no two readings in a row agree
//! counts as not read to its end, so that nobody's visit is taken for cancelled. Where there is
//! nothing new, one reading does: whatever it lost it would otherwise be missed.

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use chrono::NaiveDate;

use crate::config::Location;
use crate::libcal::{Ids, LibCal, List, Listing, Page, Pages, Row, RowId, Unreadable};
use crate::messages::{io_reason, pluralize};

/// How often a list is read at the most until two readings agree.
const MOST_READINGS: usize = 3;

/// All that the lists brought.
#[derive(Debug, Default)]
pub struct Fetched {
    /// The rows that can be read.
    pub rows: Vec<Row>,
    /// The rows that cannot.
    pub unreadable: Vec<Unreadable>,
    /// The locations that were not read to the end, each with the cause.
    pub failures: Vec<(Location, String)>,
    ids: Ids,
    /// The lists of several pages that were read once.
    unconfirmed: Vec<(Location, Pages)>,
}

impl Fetched {
    /// Whether there are lists of several pages that were read only once.
    #[must_use]
    pub fn has_unconfirmed(&self) -> bool {
        !self.unconfirmed.is_empty()
    }

    /// Adds what a list brought.
    fn add(&mut self, listing: Listing) {
        self.rows.extend(listing.rows);
        self.unreadable.extend(listing.unreadable);
        self.ids.extend(listing.ids);
    }

    /// Adds what another reading of a list brought; of rows that are there already it is newer.
    fn renew(&mut self, listing: Listing) {
        let ids = listing.ids.rows.iter().chain(&listing.ids.unreadable);
        let newer: HashSet<_> = ids.copied().collect();
        drop_rows(&mut self.rows, &mut self.ids.rows, &newer);
        drop_rows(&mut self.unreadable, &mut self.ids.unreadable, &newer);
        self.add(listing);
    }
}

fn drop_rows<T>(rows: &mut Vec<T>, ids: &mut Vec<RowId>, dropped: &HashSet<RowId>) {
    let mut of_rows = ids.iter();
    rows.retain(|_| of_rows.next().is_none_or(|id| !dropped.contains(id)));
    ids.retain(|id| !dropped.contains(id));
}

/// Where the lists come from.
pub struct Lists<'a> {
    /// The service.
    pub libcal: &'a LibCal<'a>,
    /// The first day that is asked for; LibCal's today if there is none.
    pub date: Option<NaiveDate>,
    /// How many requests there may be at once.
    pub connections: usize,
}

impl Lists<'_> {
    /// Reads the lists of these locations.
    #[must_use]
    pub fn read(&self, locations: &[Location]) -> Fetched {
        let mut fetched = Fetched::default();
        let wanted: Vec<_> = locations.iter().map(|location| (location, 1)).collect();
        for (location, mut listing) in locations.iter().zip(self.read_each(&wanted)) {
            log::debug!(
                "{} ({}): {}, and {} unreadable",
                location.name,
                location.id,
                pluralize(listing.rows.len(), "row"),
                listing.unreadable.len()
            );
            let pages = std::mem::take(&mut listing.pages);
            if let Some(cause) = listing.failure.take() {
                fetched.failures.push((location.clone(), cause));
            } else if pages.are_several() {
                fetched.unconfirmed.push((location.clone(), pages));
            }
            fetched.add(listing);
        }
        fetched
    }

    /// Reads the lists of several pages again, until two readings in a row agree.
    pub fn read_again(&self, fetched: &mut Fetched) {
        let mut unconfirmed = std::mem::take(&mut fetched.unconfirmed);
        for _ in 1..MOST_READINGS {
            let lists = unconfirmed.iter();
            let wanted: Vec<_> = lists
                .map(|(place, pages)| (place, pages.number()))
                .collect();
            let listings = self.read_each(&wanted);
            let mut changed = Vec::new();
            for ((location, before), mut listing) in unconfirmed.into_iter().zip(listings) {
                let pages = std::mem::take(&mut listing.pages);
                if let Some(cause) = listing.failure.take() {
                    fetched.failures.push((location, cause));
                } else if pages != before {
                    log::debug!("{} ({}): the list has changed", location.name, location.id);
                    changed.push((location, pages));
                }
                fetched.renew(listing);
            }
            unconfirmed = changed;
        }
        let restless = unconfirmed.into_iter().map(|(location, _)| {
            let cause =
                format!("LibCal's list changed each time it was read ({MOST_READINGS} times)");
            (location, cause)
        });
        fetched.failures.extend(restless);
    }

    /// Reads these lists, each with the number of pages that it is likely to have.
    fn read_each(&self, wanted: &[(&Location, usize)]) -> Vec<Listing> {
        let work = Work {
            lists: Mutex::new(wanted.iter().map(|(_, pages)| List::new(*pages)).collect()),
            progress: Condvar::new(),
        };
        thread::scope(|scope| {
            let read = || self.read_pages(wanted, &work);
            // This thread is one of them.
            for _ in 1..self.connections {
                // Without a further thread it takes longer, that is all.
                if let Err(error) = thread::Builder::new().spawn_scoped(scope, read) {
                    log::debug!(
                        "reading the lists with fewer threads: {}",
                        io_reason(&error)
                    );
                    break;
                }
            }
            read();
        });
        let lists = work.lists.into_inner();
        let lists = lists.unwrap_or_else(PoisonError::into_inner);
        lists.into_iter().map(List::finish).collect()
    }

    /// Reads one page after the other, until there is none to read.
    fn read_pages(&self, wanted: &[(&Location, usize)], work: &Work) {
        while let Some(mut job) = work.next_job() {
            let (location, _) = wanted[job.list];
            job.page = self.libcal.read_page(location.id, self.date, job.number);
        }
    }
}

/// What the threads share that read lists.
struct Work {
    lists: Mutex<Vec<List>>,
    /// Told whenever a page has come, for then others can be asked for, or all is done.
    progress: Condvar,
}

impl Work {
    /// A page to be asked for, as soon as there is one; nothing once all lists are read. Lists take turns.
    fn next_job(&self) -> Option<Job<'_>> {
        let mut lists = self.lists();
        loop {
            let ready = lists.iter_mut().enumerate();
            let ready = ready.filter_map(|(n, list)| Some((list.ready()?, n, list)));
            if let Some((_, list, next)) = ready.min_by_key(|(asked, n, _)| (*asked, *n)) {
                return Some(Job {
                    work: self,
                    list,
                    number: next.ask(),
                    page: Err("LibCal's list could not be read: internal error".into()),
                });
            }
            if lists.iter().all(List::is_done) {
                return None;
            }
            let waited = self.progress.wait(lists);
            lists = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lists(&self) -> MutexGuard<'_, Vec<List>> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A page that is being read.
struct Job<'w> {
    work: &'w Work,
    list: usize,
    number: usize,
    page: Result<Page, String>,
}

/// However the reading of it ends, the others must not wait for it.
impl Drop for Job<'_> {
    fn drop(&mut self) {
        let page = std::mem::replace(&mut self.page, Err(String::new()));
        self.work.lists()[self.list].add(self.number, page);
        self.work.progress.notify_all();
    }
}
