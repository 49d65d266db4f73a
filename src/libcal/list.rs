//! One list put together from its pages: which to ask for next, and where the list ends.
//!
//! Pages are asked for ahead of need, but never more than twice as many as are needed for all that
//! is known: those that came full, and one after them. They are asked for in waves, each when all of
//! the one before has come, so that the end is seen before more is asked for. The second is asked for alone, for where
//! it is the first once more there are no others. Pages may come in any order; rows stand in the
//! order of the pages, and one that comes again counts once, as it was read last. Nothing is sent
//! here: that is for [`crate::fetch`].
//!
//! A page with fewer rows than were asked for is the last, and so is one without a row that is
//! new, for some systems ignore `page` and send the first one for ever. Of a first page that has
//! exactly as many rows as a system may send at the most, whatever is asked for, nobody knows
//! whether it is the last, so the next one is asked for too.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::row::{Row, RowId, Unreadable};
use super::{Listing, PAGE};

/// What a system may send at the most if it heeds no `limit`: the default, and other round numbers.
const OWN_LIMITS: [usize; 3] = [20, 25, 50];
/// No location has this many pages; a list that goes on is not believed.
const MOST_PAGES: usize = 1000;
/// Nor this many rows.
const MOST_ROWS: usize = 100_000;
/// The most of one list that is read, in MiB: some ten times what all those rows are likely to take.
const MOST_MIB: usize = 64;
/// How many pages are in a wave at the most: as many as there are connections by default.
const WAVE: usize = 8;
/// How much of one list may be under way at once, in bytes, if its pages are like those before.
const UNDER_WAY: usize = 8 << 20;

/// A page as it came.
#[derive(Debug)]
pub struct Page {
    /// Its rows, in their order.
    pub(super) rows: Vec<Entry>,
    /// How long it was, in bytes.
    pub(super) bytes: usize,
}

pub(super) type Entry = (RowId, Result<Row, Unreadable>);

/// What tells whether two readings of a page found the same rows, in whatever order.
type Print = (usize, u64);

/// How a list ends.
#[derive(Debug)]
enum End {
    /// With this page.
    Page(usize),
    Failure(String),
}

/// A list that is being read.
#[derive(Debug)]
pub struct List {
    rows: Vec<Entry>,
    places: HashMap<RowId, usize>,
    /// Of the pages up to the end or the first that failed.
    prints: Vec<Print>,
    /// The last page of the wave that is asked for.
    wave: usize,
    asked: usize,
    arrived: usize,
    /// Pages that came before their turn.
    early: BTreeMap<usize, Result<Page, String>>,
    /// How many pages have had their turn.
    taken: usize,
    has_failed: bool,
    end: Option<End>,
    /// Why a page after the end did not come.
    failure_beyond: Option<String>,
    /// How many rows a page has that is not the last.
    page_rows: usize,
    rows_read: usize,
    bytes_read: usize,
    largest_page: usize,
}

impl List {
    /// A list that is likely to have so many pages.
    #[must_use]
    pub fn new(expected: usize) -> Self {
        Self {
            rows: Vec::new(),
            places: HashMap::new(),
            prints: Vec::new(),
            wave: expected.clamp(1, MOST_PAGES),
            asked: 0,
            arrived: 0,
            early: BTreeMap::new(),
            taken: 0,
            has_failed: false,
            end: None,
            failure_beyond: None,
            page_rows: PAGE,
            rows_read: 0,
            bytes_read: 0,
            largest_page: 0,
        }
    }

    /// How many pages were asked for, if another one may be now.
    #[must_use]
    pub fn ready(&self) -> Option<usize> {
        let under_way = self.asked - self.arrived;
        let room = UNDER_WAY / self.largest_page.max(1);
        let is_ready = self.end.is_none()
            && !self.has_failed
            && self.asked < self.wave
            && (under_way == 0 || under_way < room);
        is_ready.then_some(self.asked)
    }

    /// The number of the page to ask for next.
    pub fn ask(&mut self) -> usize {
        self.asked += 1;
        self.asked
    }

    /// Whether all that was asked for has come, and nothing more is to be asked for.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.asked == self.arrived && self.ready().is_none()
    }

    /// Takes a page that was asked for, or why it did not come.
    pub fn add(&mut self, number: usize, page: Result<Page, String>) {
        self.arrived += 1;
        self.has_failed |= page.is_err();
        self.early.insert(number, page);
        while let Some(page) = self.early.remove(&(self.taken + 1)) {
            self.taken += 1;
            match page {
                Ok(page) => self.take(page),
                // Beyond the end, a system may answer what it likes; unless that was not the end.
                Err(cause) if self.end.is_some() => self.failure_beyond = Some(cause),
                Err(cause) => self.end = Some(End::Failure(cause)),
            }
        }
        if self.asked == self.arrived && self.asked == self.wave {
            let ahead = match self.taken {
                0 | 1 => 2 * self.taken,
                full => 2 * (full + 1),
            };
            self.wave = ahead.min(self.wave + WAVE).min(MOST_PAGES);
        }
    }

    /// Adds the rows of the page whose turn it is. Those of pages after one that failed are good too.
    fn take(&mut self, page: Page) {
        let rows = page.rows.len();
        self.rows_read += rows;
        self.bytes_read += page.bytes;
        self.largest_page = self.largest_page.max(page.bytes);
        if self.taken == 1 && OWN_LIMITS.contains(&rows) {
            self.page_rows = rows;
        }
        let print = print_of(&page);
        let new = self.add_rows(page.rows);
        if let Some(End::Failure(_)) = self.end {
            return;
        }
        self.prints.push(print);
        if new == 0 && self.end.is_some() {
            return;
        }
        // What seemed to be the end was not, if there is more after it.
        self.end = self.failure_beyond.take().map(End::Failure);
        if self.end.is_some() {
            return;
        }
        if rows < self.page_rows || new == 0 {
            self.end = Some(End::Page(self.taken));
        } else if let Some(bound) = self.bound_reached() {
            let cause = format!(
                "LibCal's list did not end within {bound}: check LibCal.bookings_endpt and LibCal.days"
            );
            self.end = Some(End::Failure(cause));
        }
    }

    /// Adds rows, or what is newer of those that are there; gives how many are new.
    fn add_rows(&mut self, rows: Vec<Entry>) -> usize {
        let before = self.rows.len();
        for (id, row) in rows {
            if let Some(place) = self.places.get(&id) {
                self.rows[*place].1 = row;
            } else {
                self.places.insert(id, self.rows.len());
                self.rows.push((id, row));
            }
        }
        self.rows.len() - before
    }

    fn bound_reached(&self) -> Option<String> {
        if self.taken >= MOST_PAGES {
            return Some(format!("{MOST_PAGES} pages"));
        }
        if self.rows_read >= MOST_ROWS {
            return Some(format!("{MOST_ROWS} rows"));
        }
        (self.bytes_read >= MOST_MIB << 20).then(|| format!("{MOST_MIB} MiB"))
    }

    /// What was read, when it [is done](List::is_done).
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
                self.prints.truncate(last);
                listing.pages = Pages(self.prints);
            }
            Some(End::Failure(cause)) => listing.failure = Some(cause),
            None => listing.failure = Some("LibCal's list was not read".into()),
        }
        listing
    }
}

/// What tells the rows of lists from each other: one for each row, in their order.
#[derive(Debug, Default)]
pub struct Ids {
    /// Of the rows that can be read.
    pub rows: Vec<RowId>,
    /// Of the rows that cannot.
    pub unreadable: Vec<RowId>,
}

impl Ids {
    /// Adds those of further rows.
    pub fn extend(&mut self, others: Self) {
        self.rows.extend(others.rows);
        self.unreadable.extend(others.unreadable);
    }
}

/// The pages of a list that was read to its end, to compare with those of another reading.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Pages(Vec<Print>);

impl Pages {
    /// How many there are, the one that showed the end among them.
    #[must_use]
    pub fn number(&self) -> usize {
        self.0.len()
    }

    /// Whether rows can have moved from one to another: not if there is one page only, or the same one for ever.
    #[must_use]
    pub fn are_several(&self) -> bool {
        self.0.first() != self.0.get(1) && self.number() > 1
    }
}

fn print_of(page: &Page) -> Print {
    let hash = |id: &RowId| {
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        hasher.finish()
    };
    let hashes = page.rows.iter().map(|(id, _)| hash(id));
    (page.rows.len(), hashes.fold(0, u64::wrapping_add))
}

#[cfg(test)]
mod tests {
    use super::super::row::{Question, read};
    use super::*;
    use crate::model::LocationId;

    fn row(text: &str) -> Entry {
        let question = Question {
            field: "q1",
            pattern: None,
        };
        read(text, LocationId(1), question)
    }

    /// A page with rows of these ids.
    fn page(ids: std::ops::Range<usize>) -> Page {
        Page {
            rows: ids.map(|id| row(&format!(r#"{{"id":{id}}}"#))).collect(),
            bytes: 1000,
        }
    }

    fn ask_all(list: &mut List) -> Vec<usize> {
        std::iter::from_fn(|| list.ready().map(|_| list.ask())).collect()
    }

    fn ids(list: List) -> Vec<RowId> {
        list.finish().ids.unreadable
    }

    #[test]
    fn pages_are_asked_for_in_waves_of_twice_as_many_as_are_known_to_be_needed() {
        let mut list = List::new(1);
        for wave in [1..=1, 2..=2, 3..=6, 7..=14] {
            let asked = ask_all(&mut list);
            assert_eq!(asked, wave.collect::<Vec<_>>());
            for number in asked {
                list.add(number, Ok(page(100 * number..100 * number + 100)));
            }
        }
        let asked = ask_all(&mut list);
        assert_eq!(asked, (15..=22).collect::<Vec<_>>());
        for number in asked {
            list.add(number, Ok(page(0..0)));
            assert_eq!(list.ready(), None, "the end is seen");
        }
        assert!(list.is_done());
        assert_eq!(list.finish().pages.number(), 15);
    }

    #[test]
    fn rows_stand_in_the_order_of_the_pages_in_whatever_order_these_come() {
        let mut list = List::new(3);
        assert_eq!(ask_all(&mut list), [1, 2, 3]);
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
            let mut list = List::new(4);
            ask_all(&mut list);
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
        let mut list = List::new(4);
        ask_all(&mut list);
        list.add(4, Err("no".into()));
        list.add(1, Ok(page(0..100)));
        list.add(2, Ok(page(100..200)));
        assert!(ask_all(&mut list).is_empty());
    }

    #[test]
    fn a_row_that_comes_again_counts_as_it_was_read_last() {
        let mut list = List::new(2);
        ask_all(&mut list);
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
        let mut list = List::new(3);
        ask_all(&mut list);
        list.add(1, Ok(page(0..100)));
        list.add(2, Ok(page(100..160)));
        list.add(3, Ok(page(160..260)));
        assert!(!ask_all(&mut list).is_empty());
    }

    #[test]
    fn large_pages_are_asked_for_one_by_one() {
        let mut list = List::new(1);
        for number in 1..=8 {
            assert_eq!(ask_all(&mut list), [number]);
            let mut large = page(100 * number..100 * number + 100);
            large.bytes = 6 << 20;
            list.add(number, Ok(large));
        }
    }
}
