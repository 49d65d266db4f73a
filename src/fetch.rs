//! Fetches the rows of all locations: several pages at once, of whichever lists, over no more
//! connections than the configuration allows.
//!
//! One location's failure does not stop the others, and what was read of a list that failed is used.
//!
//! **A list can change while it is read.** LibCal numbers pages by how many rows come before
//! them, so if a booking is denied, deleted or moved between two requests, a row can move from a
//! page that is still to be read to one that was read already, and is lost. Therefore a list of several
//! pages is read [again](ListFetcher::confirm) before the pass acts on anything new: if each
//! page has the same rows as before, all pages were like that at one moment, after the first
//! reading and before the second, and no row is lost. If not, it is read a third time. The rows of all
//! readings count, each as it was read last; a list of which no two consecutive readings agree
//! counts as not read to its end, so that nobody's visit is taken for cancelled. Where there is
//! nothing new, one reading is enough: a lost row of a known visit would be something new.

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use chrono::NaiveDate;

use crate::config::Location;
use crate::http::MAX_UNREACHABLE;
use crate::libcal::{
    LibCal, Listing, Page, PageFingerprints, PagedList, Row, RowId, RowIds, UnreadableRow,
};
use crate::messages::{io_reason, pluralize};

/// The most readings of a list until two agree.
const MAX_READINGS: usize = 3;

/// All rows of the lists.
#[derive(Debug, Default)]
pub struct Fetched {
    /// The rows that can be read.
    pub rows: Vec<Row>,
    /// The rows that cannot be read.
    pub unreadable: Vec<UnreadableRow>,
    /// The locations that were not read to the end, each with the cause.
    pub failures: Vec<(Location, String)>,
    ids: RowIds,
    /// The lists of several pages that were read only once.
    unconfirmed: Vec<(Location, PageFingerprints)>,
}

impl Fetched {
    /// Whether there are lists of several pages that were read only once.
    #[must_use]
    pub fn has_unconfirmed(&self) -> bool {
        !self.unconfirmed.is_empty()
    }

    /// Adds the rows of a list.
    fn add(&mut self, listing: Listing) {
        self.rows.extend(listing.rows);
        self.unreadable.extend(listing.unreadable);
        self.ids.extend(listing.ids);
    }

    /// Adds the rows of another reading of a list, in place of the same rows of an earlier one.
    fn replace(&mut self, listing: Listing) {
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

/// Reads lists from LibCal.
pub struct ListFetcher<'a> {
    /// The service.
    pub libcal: &'a LibCal<'a>,
    /// The first day to request; by default, LibCal's today.
    pub date: Option<NaiveDate>,
    /// The most requests at once.
    pub connections: usize,
    /// The number of the pass. Each pass begins with different lists: those that hang may open the
    /// circuit breaker before the others were requested, but then the next pass begins with the others.
    pub pass: u64,
}

impl ListFetcher<'_> {
    /// Reads the lists of these locations.
    #[must_use]
    pub fn fetch(&self, locations: &[Location]) -> Fetched {
        let mut fetched = Fetched::default();
        let wanted: Vec<_> = locations.iter().map(|location| (location, 1)).collect();
        for (location, mut listing) in locations.iter().zip(self.fetch_each(&wanted)) {
            log::debug!(
                "{location}: {}, {} unreadable",
                pluralize(listing.rows.len(), "row"),
                listing.unreadable.len()
            );
            let pages = std::mem::take(&mut listing.pages);
            if let Some(cause) = listing.failure.take() {
                fetched.failures.push((location.clone(), cause));
            } else if pages.can_lose_rows() {
                fetched.unconfirmed.push((location.clone(), pages));
            }
            fetched.add(listing);
        }
        fetched
    }

    /// Reads the lists of several pages again, until two readings in a row agree.
    pub fn confirm(&self, fetched: &mut Fetched) {
        let mut unconfirmed = std::mem::take(&mut fetched.unconfirmed);
        for _ in 1..MAX_READINGS {
            let lists = unconfirmed.iter();
            let wanted: Vec<_> = lists
                .map(|(location, pages)| (location, pages.count()))
                .collect();
            let listings = self.fetch_each(&wanted);
            let mut changed = Vec::new();
            for ((location, before), mut listing) in unconfirmed.into_iter().zip(listings) {
                let pages = std::mem::take(&mut listing.pages);
                if let Some(cause) = listing.failure.take() {
                    fetched.failures.push((location, cause));
                } else if pages != before {
                    log::debug!("{location}: the list has changed");
                    changed.push((location, pages));
                }
                fetched.replace(listing);
            }
            unconfirmed = changed;
        }
        let unstable = unconfirmed.into_iter().map(|(location, _)| {
            let cause =
                format!("LibCal's list changed each time it was read ({MAX_READINGS} times)");
            (location, cause)
        });
        fetched.failures.extend(unstable);
    }

    /// The index of the list to begin with, of so many: just past those that the last pass would have
    /// requested had all of them hung.
    fn first_list(&self, lists: usize) -> usize {
        let requested = self.connections.max(MAX_UNREACHABLE as usize);
        let pass = usize::try_from(self.pass).unwrap_or_default();
        pass.wrapping_mul(requested) % lists.max(1)
    }

    /// Reads these lists, each with the number of pages that it is expected to have.
    fn fetch_each(&self, wanted: &[(&Location, usize)]) -> Vec<Listing> {
        let queue = PageQueue {
            first: self.first_list(wanted.len()),
            lists: Mutex::new(
                wanted
                    .iter()
                    .map(|(_, pages)| PagedList::new(*pages))
                    .collect(),
            ),
            progress: Condvar::new(),
        };
        thread::scope(|scope| {
            let read = || self.fetch_pages(wanted, &queue);
            // This thread is one of the workers.
            for _ in 1..self.connections {
                // With fewer threads it only takes longer.
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
        let lists = queue.lists.into_inner();
        let lists = lists.unwrap_or_else(PoisonError::into_inner);
        lists.into_iter().map(PagedList::finish).collect()
    }

    /// Reads one page after the other, until none is left.
    fn fetch_pages(&self, wanted: &[(&Location, usize)], queue: &PageQueue) {
        while let Some(mut job) = queue.next_job() {
            let (location, _) = wanted[job.list];
            job.page = self.libcal.read_page(location.id, self.date, job.number);
        }
    }
}

/// The pages still to be read, shared by the threads that read them.
struct PageQueue {
    /// The position of the list to begin with; the others follow in their order.
    first: usize,
    lists: Mutex<Vec<PagedList>>,
    /// Notified whenever a page has arrived: then others can be requested, or all is done.
    progress: Condvar,
}

impl PageQueue {
    /// The next page to request, as soon as there is one; `None` once all lists are read. Lists that
    /// were begun are read to their end before others are, which may hang.
    fn next_job(&self) -> Option<PageJob<'_>> {
        let mut lists = self.lists();
        loop {
            let number = lists.len();
            let ready = lists.iter_mut().enumerate();
            let ready = ready.filter_map(|(n, list)| Some((list.requested_if_ready()?, n, list)));
            let rank = |asked: usize, n: usize| {
                let offset = (n + number - self.first) % number;
                (asked == 0, asked, offset)
            };
            if let Some((_, list, next)) = ready.min_by_key(|(asked, n, _)| rank(*asked, *n)) {
                return Some(PageJob {
                    queue: self,
                    list,
                    number: next.request_next(),
                    page: Err("LibCal's list could not be read: internal error".into()),
                });
            }
            if lists.iter().all(PagedList::is_done) {
                return None;
            }
            let waited = self.progress.wait(lists);
            lists = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lists(&self) -> MutexGuard<'_, Vec<PagedList>> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A page that is being read.
struct PageJob<'w> {
    queue: &'w PageQueue,
    list: usize,
    number: usize,
    page: Result<Page, String>,
}

/// However the reading of the page ends, the other threads must not wait for it forever.
impl Drop for PageJob<'_> {
    fn drop(&mut self) {
        let page = std::mem::replace(&mut self.page, Err(String::new()));
        self.queue.lists()[self.list].add(self.number, page);
        self.queue.progress.notify_all();
    }
}
