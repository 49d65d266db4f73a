//! The random world as it is at a time: it lets a step happen and has the oracle look at what the program did.

use super::oracle::{Check, Ledger, Pass};
use super::rows::{Approval, Key, Person, Row, visits};
use super::step::{Booked, Change, InAlma, LIDS, Scenario, Step, TYPED};
use crate::sandbox::{Expected, Sandbox};

/// The clock stands in the middle of these, so that no visit ends while it is looked at.
const TEN_MINUTES: i64 = 600;

pub struct World {
    pub sandbox: Sandbox,
    pub rows: Vec<Row>,
    pub people: Vec<Person>,
    pub ledger: Ledger,
    pub refresh_days: i64,
    /// Passes that were killed: what they had asked for may still arrive.
    pub unchecked: Vec<Pass>,
    /// Every pre-registration that there ever was, and its id.
    made: Vec<(String, Expected)>,
    /// How many of them were checked.
    pub checked: usize,
    bookings: usize,
    /// Up to when a clock that ran ahead came.
    pub ahead_until: i64,
    /// When the last pass ended that was not killed.
    pub last_pass: i64,
    /// What was run so far, and what it said.
    pub log: String,
}

impl World {
    pub fn new(scenario: &Scenario) -> Self {
        let sandbox = Sandbox::new()
            .config("LibCal.days", "3")
            .config("Alma.refresh_days", &scenario.refresh_days.to_string())
            .config("Network.timeout_seconds", "1")
            .config("Network.tries", &scenario.tries.to_string())
            .config("Network.concurrency", &scenario.concurrency.to_string());
        sandbox.pass_time(5);
        let world = Self {
            sandbox,
            rows: Vec::new(),
            people: Person::all(),
            ledger: Ledger::default(),
            refresh_days: scenario.refresh_days,
            unchecked: Vec::new(),
            made: Vec::new(),
            checked: 0,
            bookings: 0,
            ahead_until: 0,
            last_pass: 0,
            log: String::new(),
        };
        world.update_alma();
        world
    }

    pub fn apply(&mut self, step: &Step) -> Check {
        match step {
            Step::Book(all) => {
                for booked in all {
                    self.book(booked);
                }
            }
            Step::Change(all) => {
                for (nth, change) in all {
                    self.change(*nth, change);
                }
            }
            Step::Person(nth, change) => self.change_person(*nth, change),
            Step::Sync {
                passes,
                faults,
                is_hourly,
                ahead,
            } => {
                self.sandbox.pass_time(*ahead);
                for n in 0..*passes {
                    if n > 0 && *is_hourly {
                        self.sandbox.pass_time(60);
                    }
                    self.sync(faults)?;
                }
                self.ahead_until = self.ahead_until.max(self.sandbox.clock());
                self.sandbox.pass_time(-ahead);
            }
            Step::Kill {
                at,
                is_prereg,
                acted,
            } => self.kill(*at, *is_prereg, *acted)?,
            Step::TwoSyncs => self.two_syncs()?,
            Step::DryRun(faults) => self.dry_run(faults)?,
            Step::Prune(ahead) => {
                self.sandbox.pass_time(*ahead);
                // A clock that runs ahead has nothing deleted that a pass has not found to be over.
                let by = self.sandbox.clock().min(self.last_pass);
                self.prune(&[])?;
                self.sandbox.pass_time(-ahead);
                let made = self.made();
                self.ledger.forget_ended(&made, by);
            }
            Step::PruneUser(typed) => self.prune(&["--user", TYPED[*typed]])?,
            Step::PruneAppt(nth) => {
                if let Some(at) = self.nth_row(*nth) {
                    let book = self.rows[at].book.clone();
                    self.prune(&["--appt", &book])?;
                }
            }
            Step::Time(minutes) => self.sandbox.pass_time(*minutes),
            Step::Backup => self.copy_cache("cache.db", "copy.db"),
            Step::Restore => {
                if self.sandbox.path("copy.db").exists() {
                    self.lose_cache();
                    self.copy_cache("copy.db", "cache.db");
                }
            }
            Step::Lose => self.lose_cache(),
            Step::TakeOut => self.delete_preregs()?,
            Step::Settle => self.settle()?,
        }
        Ok(())
    }

    fn book(&mut self, booked: &Booked) {
        self.bookings += 1;
        let sandbox = &self.sandbox;
        let tens = (sandbox.clock() - sandbox.now()).div_euclid(TEN_MINUTES) + booked.from;
        let starts_at = sandbox.now() + tens * TEN_MINUTES;
        let row = Row {
            book: format!("cs_{:03}", self.bookings),
            typed: booked.typed,
            lid: LIDS[booked.lid],
            starts_at,
            ends_at: starts_at + booked.length * TEN_MINUTES,
            status: booked.status,
            is_hidden: false,
        };
        if let Some((is_seat, tens)) = booked.second {
            let mut second = row.clone();
            let later = tens * TEN_MINUTES;
            second.ends_at = (row.ends_at + later).max(row.starts_at + TEN_MINUTES);
            if !is_seat {
                second.starts_at = second.ends_at - TEN_MINUTES;
            }
            second.status = if is_seat { 0 } else { booked.status };
            self.rows.push(second);
        }
        self.rows.push(row);
    }

    /// One of the latest rows.
    fn nth_row(&self, nth: usize) -> Option<usize> {
        let count = self.rows.len();
        (count > 0).then(|| count - 1 - nth % count.min(8))
    }

    fn change(&mut self, nth: usize, change: &Change) {
        let Some(at) = self.nth_row(nth) else { return };
        let row = &mut self.rows[at];
        let length = row.ends_at - row.starts_at;
        match change {
            Change::Status(status) => row.status = *status,
            Change::Lengthen(tens) => row.ends_at += tens * TEN_MINUTES,
            Change::Shorten(tens) => {
                row.ends_at = row.starts_at + (length - tens * TEN_MINUTES).max(TEN_MINUTES);
            }
            Change::Start(tens) => {
                row.starts_at += tens * TEN_MINUTES;
                row.ends_at = row.starts_at + length;
            }
            Change::Place => row.lid = LIDS[usize::from(row.lid == LIDS[0])],
            Change::Id(typed) => row.typed = *typed,
            Change::Hide => row.is_hidden = true,
            Change::Show => row.is_hidden = false,
        }
    }

    fn change_person(&mut self, nth: usize, change: &InAlma) {
        let person = &mut self.people[nth];
        match change {
            InAlma::Added => person.is_in_alma = true,
            InAlma::Removed => person.is_in_alma = false,
            InAlma::NewCard => person.replace_card(),
            InAlma::LostCard => person.lose_card(),
        }
        self.update_alma();
    }

    fn update_alma(&self) {
        let people = self.people.iter().filter(|person| person.is_in_alma);
        self.sandbox.world().users = people.map(Person::user).collect();
    }

    /// Every pre-registration that there ever was.
    pub fn made(&mut self) -> Vec<Expected> {
        let world = self.sandbox.world();
        for (prereg, expected) in world.preregs.iter().zip(world.in_order()) {
            let id = prereg.id.to_string();
            if self.made.iter().all(|(known, _)| *known != id) {
                self.made.push((id, expected));
            }
        }
        self.made.iter().map(|(_, one)| one.clone()).collect()
    }

    /// The pre-registration of that id.
    pub fn made_as(&self, id: &str) -> Option<&Expected> {
        let mut made = self.made.iter();
        made.find(|(known, _)| known == id).map(|(_, one)| one)
    }

    /// The place of a pre-registration in all that were made.
    pub fn position_of(&self, id: &str) -> Option<usize> {
        self.made.iter().position(|(known, _)| known == id)
    }

    pub fn update_libcal(&self) {
        self.sandbox.world().rows.clear();
        for row in self.rows.iter().filter(|row| !row.is_hidden) {
            self.sandbox.add_booking(row.booking());
        }
    }

    /// The visits that LibCal lists and that are not over.
    pub fn to_come(&self) -> Vec<(Key, Approval, i64)> {
        let now = self.sandbox.clock();
        let listed = visits(&self.rows).into_iter();
        let listed = listed.map(|(key, listed)| (key, listed.approval, listed.ends_at));
        listed.filter(|(_, _, ends_at)| *ends_at > now).collect()
    }
}
