//! What must hold in the random world, whatever happens in it. It goes by what LibCal listed, what PassagePoint was
//! asked for and what the program printed, and by nothing that the program keeps.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::rows::{Approval, Key, Listed, Person, serves};
use crate::day::covers;
use crate::sandbox::Expected;

pub type Check = Result<(), TestCaseError>;

/// A pass: what it found, when, and what it said.
pub struct Pass {
    pub visits: BTreeMap<Key, Listed>,
    pub began: i64,
    pub ended: i64,
    /// Whether LibCal and Alma surely answered.
    pub is_list_read: bool,
    pub is_alma_well: bool,
    pub said: String,
    /// The barcodes that were the present ones.
    pub present: BTreeSet<String>,
    /// How many pre-registrations there were before it.
    pub made_before: usize,
}

/// What the oracle remembers of the passes.
#[derive(Default)]
pub struct Ledger {
    /// The ends until which each visit was approved.
    had: BTreeMap<Key, BTreeSet<i64>>,
    /// The visits that LibCal lists, or listed last, as cancelled: what was made for them covers nothing, for somebody
    /// may have taken it out by hand.
    cancelled: BTreeSet<Key>,
    /// How many passes there were, in which one a visit was first listed as approved, and since which one it surely
    /// counts as cancelled.
    passes: u64,
    approved_in: BTreeMap<Key, u64>,
    cancelled_in: BTreeMap<Key, u64>,
    /// The pre-registrations that the program was made to forget, by their place in PassagePoint's list.
    forgotten: BTreeSet<usize>,
    /// Until when each barcode was the present one at a pass, and the number of the last such pass.
    good_until: BTreeMap<String, Vec<i64>>,
    good_in: BTreeMap<String, u64>,
    /// The pre-registration by which a visit stood when all was well, and the visit's end.
    stood: BTreeMap<Key, (String, i64)>,
    /// The pre-registrations that were taken out by hand, by their place, and the visits that had them; and those of
    /// the visits that LibCal has listed as something else than cancelled since.
    taken_out: BTreeMap<usize, BTreeSet<Key>>,
    reinstated: BTreeSet<Key>,
    /// When all was last well, in which pass, and whether Alma always was since.
    settled_at: i64,
    settled_in: u64,
    was_alma_ill: bool,
    /// The bookings of which the program said that it gave them up.
    given_up: BTreeSet<String>,
    has_given_up_more: bool,
}

impl Ledger {
    /// Notes what a pass may have found and what it said.
    pub fn note(&mut self, pass: &Pass) {
        self.passes += 1;
        for (key, listed) in &pass.visits {
            let is_surely_seen = pass.is_list_read && listed.ends_at > pass.ended;
            let mut taken_out = self.taken_out.values();
            if listed.approval != Approval::Cancelled
                && taken_out.any(|visits| visits.contains(key))
            {
                self.reinstated.insert(key.clone());
            }
            match listed.approval {
                Approval::Cancelled => {
                    self.cancelled.insert(key.clone());
                    if is_surely_seen {
                        let since = self.cancelled_in.entry(key.clone());
                        since.or_insert(self.passes);
                    }
                    continue;
                }
                Approval::Approved => {
                    let first = self.approved_in.entry(key.clone());
                    first.or_insert(self.passes);
                    let ends = self.had.entry(key.clone()).or_default();
                    ends.insert(listed.ends_at);
                }
                Approval::NotApproved | Approval::Unknown => {}
            }
            self.cancelled_in.remove(key);
            // What has ended is left as it is.
            if is_surely_seen {
                self.cancelled.remove(key);
            }
        }
        self.was_alma_ill |= !pass.is_alma_well;
        for barcode in &pass.present {
            let good_until = self.good_until.entry(barcode.clone()).or_default();
            good_until.push(pass.ended);
            self.good_in.insert(barcode.clone(), self.passes);
        }
        if pass
            .said
            .contains("was lost or replaced by an older copy: visits may be registered a second")
        {
            self.forgotten.extend(0..pass.made_before);
            self.stood.clear();
        }
        for line in pass.said.lines() {
            if line.contains("given up after") {
                self.given_up.extend(bookings_in(line));
                // A line names a few, and how many more there are.
                self.has_given_up_more |= line.contains(" more)");
            }
        }
    }

    /// The program was made to forget visits: `which` says whether one of these is among them.
    pub fn forget_visits(
        &mut self,
        made: &[Expected],
        people: &[Person],
        which: impl Fn(&Key) -> bool,
    ) {
        let theirs = self.made_for(made, people, &which);
        self.forgotten.extend(theirs);
        self.stood.retain(|key, _| !which(key));
    }

    /// The program was made to forget what had ended by then.
    pub fn forget_ended(&mut self, made: &[Expected], by: i64) {
        let ended: Vec<_> = (0..made.len()).filter(|n| made[*n].ends_at <= by).collect();
        self.forgotten.extend(ended);
    }

    /// Notes that somebody took a pre-registration out of PassagePoint, which these visits had.
    pub fn delete_preregs(&mut self, place: usize, visits: BTreeSet<Key>) {
        self.taken_out.insert(place, visits);
    }

    pub fn is_taken_out(&self, place: usize) -> bool {
        self.taken_out.contains_key(&place)
    }

    /// Whether the program may not know better than to rely on what was taken out by hand: a visit that had it was
    /// cancelled and booked back. Nothing tells it that somebody acted in between.
    pub fn is_booked_back(&self, place: usize) -> bool {
        let visits = self.taken_out.get(&place);
        visits.is_some_and(|visits| !visits.is_disjoint(&self.reinstated))
    }

    /// The last end until which a visit was approved, up to which PassagePoint may expect the person.
    pub fn last_end(&self, key: &Key) -> Option<i64> {
        self.had.get(key)?.last().copied()
    }

    /// Whether somebody may have been told that a booking was given up.
    pub fn may_be_given_up(&self, book: &str) -> bool {
        self.given_up.contains(book) || self.has_given_up_more
    }

    /// Whether another visit was cancelled before this one was ever approved, so that this one must not have taken over
    /// what was made for the other.
    pub fn was_cancelled_before(&self, other: &Key, key: &Key) -> bool {
        let cancelled = self.cancelled_in.get(other);
        cancelled.is_some_and(|cancelled| self.approved_in.get(key) > Some(cancelled))
    }

    /// Notes that all is well.
    pub fn settle(&mut self, now: i64) {
        self.settled_at = now;
        self.settled_in = self.passes;
        self.was_alma_ill = false;
    }

    /// Whether a visit may stand by a pre-registration under that barcode: it did when all was last well, or the
    /// barcode was the present one at some pass since.
    pub fn may_stand(&self, key: &Key, prereg: &str, barcode: &str, refresh_days: i64) -> bool {
        let stood = self.stood.get(key);
        let is_same = stood.is_some_and(|(id, _)| id == prereg);
        let from = self.settled_at - refresh_days * 86_400;
        let mut good_until = self.good_until.get(barcode).into_iter().flatten();
        // The clock may have been set back since.
        let was_good_since = self.good_in.get(barcode) > Some(&self.settled_in);
        is_same || self.was_alma_ill || was_good_since || good_until.any(|until| *until >= from)
    }

    /// Notes that a visit stands until that end.
    pub fn stand(&mut self, key: &Key, ends_at: i64, prereg: &str) {
        let stands = (prereg.to_owned(), ends_at);
        self.stood.insert(key.clone(), stands);
    }

    /// Whether a visit stood until that end when all was last well.
    pub fn stood(&self, key: &Key, ends_at: i64) -> bool {
        let stood = self.stood.get(key);
        stood.is_some_and(|(_, until)| *until >= ends_at)
    }

    /// Checks what these passes made in PassagePoint, which are those from `first` on: each for a visit that LibCal
    /// listed as approved and that was not over, under a barcode that was right, and none that an earlier one covered
    /// unless its booking was named as possibly registered twice.
    pub fn check_made(
        &self,
        passes: &[Pass],
        people: &[Person],
        made: &[Expected],
        first: usize,
        refresh_days: i64,
    ) -> Check {
        let mut named: Vec<_> = passes.iter().flat_map(named_as_doubled).collect();
        for (n, one) in made.iter().enumerate().skip(first) {
            let mut books = BTreeSet::new();
            for pass in passes {
                let visits = pass.visits.iter().filter(|(key, listed)| {
                    listed.approval == Approval::Approved
                        && listed.ends_at > pass.began
                        && (listed.ends_at, key.starts_at) == (one.ends_at, one.starts_at)
                        && serves(one, key, listed.ends_at)
                        && person_of(key, people).is_some_and(|it| it.ever_had(&one.barcode))
                });
                if self.is_good(&one.barcode, pass, refresh_days) {
                    books.extend(visits.map(|(key, _)| key.book.clone()));
                }
            }
            prop_assert!(!books.is_empty(), "nobody is to be expected so: {one:?}");
            let covering = (0..n).find(|m| self.is_standing(*m, made, people, one));
            let Some(covering) = covering else { continue };
            let is_named = |line: &&mut Warned| {
                line.visits > 0 && line.books.iter().any(|book| books.contains(book))
            };
            // A line that names fewer bookings can stand for fewer others.
            let lines = named.iter_mut().filter(is_named);
            let line = lines.min_by_key(|line| line.books.len());
            prop_assert!(
                line.is_some(),
                "{one:?} of {books:?} was covered by number {covering}, {:?}, and nobody was told",
                made[covering]
            );
            if let Some(line) = line {
                line.visits -= 1;
            }
        }
        Ok(())
    }

    /// Of what these passes named as possibly registered twice, the program knows from then on only what the retry made,
    /// and no more what the first attempt may have made, among the pre-registrations before `first`.
    pub fn forget_doubtful(
        &mut self,
        passes: &[Pass],
        people: &[Person],
        made: &[Expected],
        first: usize,
    ) {
        let named = passes.iter().flat_map(named_as_doubled);
        let books: BTreeSet<_> = named.flat_map(|line| line.books).collect();
        let theirs = self.made_for(&made[..first], people, &|key| books.contains(&key.book));
        self.forgotten.extend(theirs);
    }

    /// The places of the pre-registrations that may have been made for such visits.
    fn made_for(
        &self,
        made: &[Expected],
        people: &[Person],
        which: &impl Fn(&Key) -> bool,
    ) -> Vec<usize> {
        let visits = self.had.iter().filter(|(key, _)| which(key));
        let is_theirs = |one: &Expected| {
            let mut visits = visits.clone();
            visits.any(|(key, ends)| is_made_for(one, key, ends, people))
        };
        (0..made.len()).filter(|n| is_theirs(&made[*n])).collect()
    }

    /// Whether an earlier pre-registration covers this one and is known to stand.
    fn is_standing(&self, m: usize, made: &[Expected], people: &[Person], one: &Expected) -> bool {
        let is_present = |it: &Person| it.barcode() == Some(&one.barcode);
        let is_of = |key: &Key| {
            let ends = self.had.get(key);
            ends.is_some_and(|ends| is_made_for(&made[m], key, ends, people))
        };
        covers(&made[m], one)
            && !self.forgotten.contains(&m)
            && !self.is_taken_out(m)
            // An old card is good for nothing.
            && people.iter().any(is_present)
            && !self.cancelled.iter().any(is_of)
    }

    /// Whether a pass may have taken that barcode for the present one: it was so when the user was last checked.
    fn is_good(&self, barcode: &str, pass: &Pass, refresh_days: i64) -> bool {
        let good_until = self.good_until.get(barcode).map_or(&[][..], Vec::as_slice);
        let is_stored =
            |until: &i64| *until > pass.began - refresh_days * 86_400 && *until <= pass.ended;
        pass.present.contains(barcode) || !pass.is_alma_well || good_until.iter().any(is_stored)
    }
}

/// Whether a pre-registration may have been made for that visit, or taken over for it, when it had one of those ends.
fn is_made_for(one: &Expected, key: &Key, ends: &BTreeSet<i64>, people: &[Person]) -> bool {
    let is_theirs = person_of(key, people).is_some_and(|it| it.ever_had(&one.barcode));
    is_theirs && ends.first().is_some_and(|end| serves(one, key, *end))
}

pub fn person_of<'p>(key: &Key, people: &'p [Person]) -> Option<&'p Person> {
    let id = key.id.as_ref()?;
    people.iter().find(|person| person.is_known_by(id))
}

/// The bookings that a line names.
pub fn bookings_in(line: &str) -> Vec<String> {
    let names = line.match_indices("cs_");
    names.map(|(at, _)| line[at..at + 6].to_owned()).collect()
}

/// Bookings that a pass named in a line as possibly registered twice, and how many visits of theirs may be.
struct Warned {
    books: Vec<String>,
    visits: usize,
}

fn named_as_doubled(pass: &Pass) -> Vec<Warned> {
    let marker = "possibly registered twice: ";
    let lines = pass.said.lines();
    let told = lines.filter_map(|line| line.split_once(marker));
    told.map(|(_, told)| {
        // What it falls within is not what may be doubled.
        let named = told.split(" falls within ").next().unwrap_or_default();
        let number = told.split(' ').next().unwrap_or_default();
        Warned {
            books: bookings_in(named),
            visits: number.parse().unwrap_or(1),
        }
    })
    .collect()
}
