//! What the random world is made of: rows of LibCal's list, and people in Alma; and what visits those rows are by the
//! words of the README, not by the program's code.

use std::collections::BTreeMap;

use super::step::{LIDS, STATUSES, TYPED};
use crate::sandbox::{Booking, Expected, User};

/// A row of LibCal's list; times are Unix seconds.
#[derive(Debug, Clone)]
pub struct Row {
    pub book: String,
    pub typed: usize,
    pub lid: i64,
    pub starts_at: i64,
    pub ends_at: i64,
    pub status: usize,
    /// Whether LibCal does not list it, as it does not list what was denied.
    pub is_hidden: bool,
}

impl Row {
    pub fn booking(&self) -> Booking {
        Booking::new(&self.book)
            .by(TYPED[self.typed])
            .at(self.lid)
            .times(self.starts_at, self.ends_at)
            .status(STATUSES[self.status])
            .person("Wilhelmina", "Featherstone", "wilma@example.edu")
    }

    fn approval(&self) -> Approval {
        match STATUSES[self.status] {
            "Confirmed" | "Mediated Approved" => Approval::Approved,
            "Mediated Tentative" => Approval::NotApproved,
            "Cancelled by User" => Approval::Cancelled,
            _ => Approval::Unknown,
        }
    }
}

/// What LibCal says of a visit; of several rows, the greatest decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Approval {
    Cancelled,
    NotApproved,
    Unknown,
    Approved,
}

/// What makes rows one visit; no ID if the form's answer is blank.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub book: String,
    pub id: Option<String>,
    pub lid: i64,
    pub starts_at: i64,
}

/// A visit as LibCal lists it; its end is the latest of the rows that decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    pub approval: Approval,
    pub ends_at: i64,
}

/// The visits that these rows are.
pub fn visits(rows: &[Row]) -> BTreeMap<Key, Listed> {
    let mut visits = BTreeMap::new();
    for row in rows.iter().filter(|row| !row.is_hidden) {
        let key = Key {
            book: row.book.clone(),
            id: normalized(TYPED[row.typed]),
            lid: row.lid,
            starts_at: row.starts_at,
        };
        let listed = Listed {
            approval: row.approval(),
            ends_at: row.ends_at,
        };
        let visit = visits.entry(key).or_insert(listed);
        *visit = listed.max(*visit);
    }
    visits
}

fn normalized(typed: &str) -> Option<String> {
    let typed = typed.trim().to_uppercase();
    (!typed.is_empty()).then_some(typed)
}

/// The destination of a location.
pub fn destination(lid: i64) -> &'static str {
    if lid == LIDS[0] {
        "LibCal Main"
    } else {
        "LibCal Science"
    }
}

/// Somebody, who may be in Alma and may have a card.
#[derive(Debug, Clone)]
pub struct Person {
    pub primary_id: &'static str,
    net_id: Option<&'static str>,
    pub is_in_alma: bool,
    has_card: bool,
    /// Every barcode that they ever had, the present one last.
    cards: Vec<String>,
}

impl Person {
    /// The four people: two who can be let in, one who is not in Alma yet, and one without a card.
    pub fn all() -> Vec<Self> {
        let person = |primary_id, net_id, is_in_alma, has_card| Self {
            primary_id,
            net_id,
            is_in_alma,
            has_card,
            cards: vec![format!("2{}000", &primary_id[1..])],
        };
        vec![
            person("G10000001", Some("ada"), true, true),
            person("G10000002", None, true, true),
            person("G10000003", None, false, true),
            person("G10000004", Some("dan"), true, false),
        ]
    }

    pub fn is_known_by(&self, id: &str) -> bool {
        let mut ids = [Some(self.primary_id), self.net_id].into_iter().flatten();
        ids.any(|mine| mine.eq_ignore_ascii_case(id))
    }

    /// The barcode that lets them in at present.
    pub fn barcode(&self) -> Option<&str> {
        let is_good = self.is_in_alma && self.has_card;
        self.cards.last().filter(|_| is_good).map(String::as_str)
    }

    pub fn ever_had(&self, barcode: &str) -> bool {
        self.cards.iter().any(|card| card == barcode)
    }

    /// Why they are refused, as the program begins to say it.
    pub fn refusal(&self) -> Option<&'static str> {
        match (self.is_in_alma, self.has_card) {
            (false, _) => Some("not in Alma"),
            (true, false) => Some("no active barcode"),
            (true, true) => None,
        }
    }

    pub fn replace_card(&mut self) {
        let next = format!("2{}{:03}", &self.primary_id[1..], self.cards.len());
        self.cards.push(next);
        self.has_card = true;
    }

    pub fn lose_card(&mut self) {
        self.has_card = false;
    }

    /// Their record in Alma.
    pub fn user(&self) -> User {
        let zone = usize::from(self.primary_id.ends_with('2'));
        let mut user = User::new(self.primary_id).zone(zone);
        if let Some(net_id) = self.net_id {
            user = user.identifier(net_id, "NETID", None);
        }
        for (n, card) in self.cards.iter().enumerate() {
            let is_present = self.has_card && n + 1 == self.cards.len();
            user = if is_present {
                user.barcode(card)
            } else {
                user.inactive_barcode(card)
            };
        }
        user
    }
}

/// Whether a pre-registration lets somebody with that barcode in for all of a visit.
pub fn serves(expected: &Expected, key: &Key, ends_at: i64) -> bool {
    expected.destination == destination(key.lid)
        && expected.starts_at <= key.starts_at
        && expected.ends_at >= ends_at
}
