//! Pagination: puts one list together from its pages, and says which page to request next and where
//! the list ends.
//!
//! Pages are requested ahead of need, but never more than twice as many as are known to be needed:
//! the full ones, and one after them. They are requested in batches, the next when all of the last
//! have arrived, so that the end is seen before more is requested. The second page is requested
//! alone, because where it repeats the first there are no others. Pages may arrive in any order;
//! rows keep the order of the pages, and a row that appears twice counts once, as it was read last.
//! Nothing is sent here: that is for [`crate::fetch`].
//!
//! A page with fewer rows than requested is the last, and so is one without a new row, because some
//! systems ignore `page` and always send the first one. If the first page has exactly as many rows
//! as some systems send at most, whatever is requested, it may or may not be the last, so the next
//! one is requested too.

use std::collections::{BTreeMap, HashMap};

use super::page::{Fingerprint, Page, PageFingerprints, RowEntry};
use super::row::RowId;
use super::{Listing, PAGE_SIZE};

/// The page sizes of systems that ignore `limit`: the default, and other round numbers.
const SERVER_PAGE_SIZES: [usize; 3] = [20, 25, 50];
/// No location has this many pages; a list that goes on is taken for endless.
const MAX_PAGES: usize = 1000;
/// No location has this many rows either.
const MAX_ROWS: usize = 100_000;
/// The most that is read of one list, in MiB: about ten times what so many rows are likely to take.
const MAX_MIB: usize = 64;
/// The most pages in a batch: as many as there are connections by default.
const MAX_BATCH: usize = 8;
/// How many bytes of one list may be in flight at once, if its pages are like those before.
const MAX_IN_FLIGHT: usize = 8 << 20;

/// How a list ends.
#[derive(Debug)]
enum End {
    /// With this page.
    Page(usize),
    Failure(String),
}

/// A list that is being read.
#[derive(Debug)]
pub struct PagedList {
    rows: Vec<RowEntry>,
    positions: HashMap<RowId, usize>,
    /// Of the pages up to the end, or to the first that failed.
    fingerprints: Vec<Fingerprint>,
    /// The last page of the current batch.
    batch_end: usize,
    requested: usize,
    received: usize,
    /// Pages that arrived before an earlier one.
    out_of_order: BTreeMap<usize, Result<Page, String>>,
    /// How many pages have been processed, in their order.
    processed: usize,
    has_failed: bool,
    end: Option<End>,
    /// Why a page after the end could not be read.
    failure_after_end: Option<String>,
    /// How many rows each page has but the last.
    page_rows: usize,
    rows_read: usize,
    bytes_read: usize,
    largest_page: usize,
}

impl PagedList {
    /// A list that is expected to have so many pages.
    #[must_use]
    pub fn new(expected: usize) -> Self {
        Self {
            rows: Vec::new(),
            positions: HashMap::new(),
            fingerprints: Vec::new(),
            batch_end: expected.clamp(1, MAX_PAGES),
            requested: 0,
            received: 0,
            out_of_order: BTreeMap::new(),
            processed: 0,
            has_failed: false,
            end: None,
            failure_after_end: None,
            page_rows: PAGE_SIZE,
            rows_read: 0,
            bytes_read: 0,
            largest_page: 0,
        }
    }

    /// How many pages have been requested, if another one may be requested now.
    #[must_use]
    pub fn requested_if_ready(&self) -> Option<usize> {
        let in_flight = self.requested - self.received;
        let room = MAX_IN_FLIGHT / self.largest_page.max(1);
        let is_ready = self.end.is_none()
            && !self.has_failed
            && self.requested < self.batch_end
            && (in_flight == 0 || in_flight < room);
        is_ready.then_some(self.requested)
    }

    /// The number of the next page, which counts as requested from now on.
    pub fn request_next(&mut self) -> usize {
        self.requested += 1;
        self.requested
    }

    /// Whether all requested pages have arrived, and no more are to be requested.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.requested == self.received && self.requested_if_ready().is_none()
    }

    /// Adds a page that was requested, or why it could not be read.
    pub fn add(&mut self, number: usize, page: Result<Page, String>) {
        self.received += 1;
        self.has_failed |= page.is_err();
        self.out_of_order.insert(number, page);
        while let Some(page) = self.out_of_order.remove(&(self.processed + 1)) {
            self.processed += 1;
            match page {
                Ok(page) => self.process(page),
                // After the end any response will do; unless that was not the end.
                Err(cause) if self.end.is_some() => self.failure_after_end = Some(cause),
                Err(cause) => self.end = Some(End::Failure(cause)),
            }
        }
        if self.requested == self.received && self.requested == self.batch_end {
            let ahead = match self.processed {
                0 | 1 => 2,
                full => 2 * (full + 1),
            };
            self.batch_end = ahead.min(self.batch_end + MAX_BATCH).min(MAX_PAGES);
        }
    }

    /// Adds the rows of the next page in order. Those of pages after one that failed are good too.
    fn process(&mut self, page: Page) {
        let rows = page.rows.len();
        self.rows_read += rows;
        self.bytes_read += page.bytes;
        self.largest_page = self.largest_page.max(page.bytes);
        if self.processed == 1 && SERVER_PAGE_SIZES.contains(&rows) {
            self.page_rows = rows;
        }
        let fingerprint = page.fingerprint();
        let new = self.add_rows(page.rows);
        if let Some(End::Failure(_)) = self.end {
            return;
        }
        self.fingerprints.push(fingerprint);
        if new == 0 && self.end.is_some() {
            return;
        }
        // What looked like the end was not, if there is more after it.
        self.end = self.failure_after_end.take().map(End::Failure);
        if self.end.is_some() {
            return;
        }
        if rows < self.page_rows || new == 0 {
            self.end = Some(End::Page(self.processed));
        } else if let Some(limit) = self.limit_reached() {
            let cause = format!(
                "LibCal's list did not end within {limit}: check LibCal.bookings_endpt and LibCal.days"
            );
            self.end = Some(End::Failure(cause));
        }
    }

    /// Adds rows, replacing those that are there already; returns how many are new.
    fn add_rows(&mut self, rows: Vec<RowEntry>) -> usize {
        let before = self.rows.len();
        for (id, row) in rows {
            if let Some(position) = self.positions.get(&id) {
                self.rows[*position].1 = row;
            } else {
                self.positions.insert(id, self.rows.len());
                self.rows.push((id, row));
            }
        }
        self.rows.len() - before
    }

    fn limit_reached(&self) -> Option<String> {
        if self.processed >= MAX_PAGES {
            return Some(format!("{MAX_PAGES} pages"));
        }
        if self.rows_read >= MAX_ROWS {
            return Some(format!("{MAX_ROWS} rows"));
        }
        (self.bytes_read >= MAX_MIB << 20).then(|| format!("{MAX_MIB} MiB"))
    }

    /// What was read, once it [is done](PagedList::is_done).
    #[must_use]
    pub fn finish(mut self) -> Listing {
        let mut listing = Listing::default();
        for (id, row) in self.rows {
            match row {
                Ok(row) => {
                    listing.rows.push(row);
                    listing.ids.rows.push(id);
                }
                Err(unreadable) => {
                    listing.unreadable.push(unreadable);
                    listing.ids.unreadable.push(id);
                }
            }
        }
        match self.end {
            Some(End::Page(last)) => {
                self.fingerprints.truncate(last);
                listing.pages = PageFingerprints(self.fingerprints);
            }
            Some(End::Failure(cause)) => listing.failure = Some(cause),
            None => listing.failure = Some("LibCal's list was not read".into()),
        }
        listing
    }
}

/// The identities of the rows of lists, in the order of the rows.
#[derive(Debug, Default)]
pub struct RowIds {
    /// Of the rows that can be read.
    pub rows: Vec<RowId>,
    /// Of the rows that cannot.
    pub unreadable: Vec<RowId>,
}

impl RowIds {
    /// Adds those of further rows.
    pub fn extend(&mut self, others: Self) {
        self.rows.extend(others.rows);
        self.unreadable.extend(others.unreadable);
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::{Question, parse_row};
    use super::*;
    use crate::model::LocationId;

    fn row(text: &str) -> RowEntry {
        let question = Question {
            field: "q1",
            pattern: None,
        };
        parse_row(text, LocationId(1), question)
    }

    /// A page with rows of these ids.
    fn page(ids: std::ops::Range<usize>) -> Page {
        Page {
            rows: ids.map(|id| row(&format!(r#"{{"id":{id}}}"#))).collect(),
            bytes: 1000,
        }
    }

    fn request_all(list: &mut PagedList) -> Vec<usize> {
        std::iter::from_fn(|| list.requested_if_ready().map(|_| list.request_next())).collect()
    }

    fn ids(list: PagedList) -> Vec<RowId> {
        list.finish().ids.unreadable
    }

    #[test]
    fn pages_are_requested_in_batches_of_twice_as_many_as_are_known_to_be_needed() {
        let mut list = PagedList::new(1);
        for batch in [1..=1, 2..=2, 3..=6, 7..=14] {
            let requested = request_all(&mut list);
            assert_eq!(requested, batch.collect::<Vec<_>>());
            for number in requested {
                list.add(number, Ok(page(100 * number..100 * number + 100)));
            }
        }
        let requested = request_all(&mut list);
        assert_eq!(requested, (15..=22).collect::<Vec<_>>());
        for number in requested {
            list.add(number, Ok(page(0..0)));
            assert_eq!(list.requested_if_ready(), None, "the end is seen");
        }
        assert!(list.is_done());
        assert_eq!(list.finish().pages.count(), 15);
    }

    #[test]
    fn rows_stand_in_the_order_of_the_pages_in_whatever_order_these_come() {
        let mut list = PagedList::new(3);
        assert_eq!(request_all(&mut list), [1, 2, 3]);
        list.add(3, Ok(page(200..210)));
        list.add(1, Ok(page(0..100)));
        assert!(!list.is_done());
        list.add(2, Ok(page(100..200)));
        assert!(list.is_done());
        let expected: Vec<_> = (0..210).map(RowId::Number).collect();
        assert_eq!(ids(list), expected);
    }

    #[test]
    fn a_page_that_fails_ends_the_list_unless_the_list_ends_before_it() {
        // The rows of the second and the fourth page, when the third does not come.
        for (second, fourth, failure) in [
            (100..200, 300..310, Some("no")),
            (100..160, 0..0, None),
            (100..160, 300..310, Some("no")),
        ] {
            let mut list = PagedList::new(4);
            request_all(&mut list);
            let rows = 100 + second.len() + fourth.len();
            list.add(1, Ok(page(0..100)));
            list.add(3, Err("no".into()));
            list.add(2, Ok(page(second)));
            list.add(4, Ok(page(fourth)));
            assert!(list.is_done());
            let listing = list.finish();
            assert_eq!(listing.unreadable.len(), rows, "what was read is used");
            assert_eq!(listing.failure.as_deref(), failure);
        }
    }

    #[test]
    fn after_a_page_that_failed_no_other_is_asked_for() {
        let mut list = PagedList::new(4);
        request_all(&mut list);
        list.add(4, Err("no".into()));
        list.add(1, Ok(page(0..100)));
        list.add(2, Ok(page(100..200)));
        assert!(request_all(&mut list).is_empty());

        // Nor of those that the batch has left, though pages before the failed one are missing.
        let mut list = PagedList::new(6);
        for number in 1..=4 {
            assert_eq!(list.request_next(), number);
        }
        list.add(4, Err("no".into()));
        assert_eq!(list.requested_if_ready(), None);
    }

    #[test]
    fn a_row_that_comes_again_counts_as_it_was_read_last() {
        let mut list = PagedList::new(2);
        request_all(&mut list);
        list.add(1, Ok(page(0..100)));
        let mut second = page(100..110);
        second.rows.push(row(r#"{"id":7,"bookId":"cs_7"}"#));
        list.add(2, Ok(second));
        let unreadable = list.finish().unreadable;
        assert_eq!(unreadable.len(), 110);
        assert_eq!(unreadable[7].booking_id.0, "cs_7");
    }

    #[test]
    fn a_short_page_with_more_after_it_is_not_the_last() {
        let mut list = PagedList::new(3);
        request_all(&mut list);
        list.add(1, Ok(page(0..100)));
        list.add(2, Ok(page(100..160)));
        list.add(3, Ok(page(160..260)));
        assert!(!request_all(&mut list).is_empty());
    }

    #[test]
    fn large_pages_are_asked_for_one_by_one() {
        let mut list = PagedList::new(1);
        for number in 1..=8 {
            assert_eq!(request_all(&mut list), [number]);
            let mut large = page(100 * number..100 * number + 100);
            large.bytes = 6 << 20;
            list.add(number, Ok(large));
        }
    }

    #[test]
    fn a_list_of_more_rows_than_any_location_has_is_given_up() {
        let mut list = PagedList::new(2);
        request_all(&mut list);
        list.add(1, Ok(page(0..MAX_ROWS / 2)));
        list.add(2, Ok(page(MAX_ROWS / 2..MAX_ROWS)));
        assert!(list.is_done());
        let failure = list.finish().failure.unwrap_or_default();
        assert!(failure.contains("within 100000 rows"), "{failure}");
    }
}
