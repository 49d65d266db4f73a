//! The state of the three services: what a request is answered from, and what it changes.
//! Tests may look at and change all of it between requests.

use chrono::FixedOffset;
use serde_json::Value;

use super::booking::{Booking, Row, library_zone};
use super::http::{Answer, ReceivedRequest, Service};
use super::user::User;

/// Everything the services know, and how they behave. Every setting's default is what is known of the real service.
pub struct World {
    /// The sandbox's present, in Unix seconds; it does not move by itself.
    pub now: i64,
    /// What was wrong with the requests so far.
    pub complaints: Vec<String>,
    /// How LibCal and PassagePoint reject wrong credentials and expired tokens.
    pub denial: Denial,
    tokens: Vec<Token>,

    /// LibCal's client id.
    pub client_id: String,
    /// LibCal's client secret.
    pub client_secret: String,
    /// The time zone in which LibCal begins its days and tells times.
    pub zone: FixedOffset,
    /// The location ids that LibCal knows.
    pub locations: Vec<i64>,
    /// Every location's rows, in the order of the list.
    pub rows: Vec<Row>,
    /// The largest `limit` that LibCal takes: 500, or 100 on older systems.
    pub limit_cap: usize,
    /// The most rows that LibCal puts on a page, whatever `limit` it takes.
    pub page_cap: usize,
    /// Which parameters bring the form's answers.
    pub form_spelling: FormSpelling,
    /// Whether rows are listed whatever the day asked for, so that tests near midnight stay right.
    pub every_day: bool,
    /// Whether every page is the first one.
    pub ignores_page: bool,
    /// Whether the list has the last row first.
    pub reversed: bool,

    /// Alma's keys; the n-th sees zone n.
    pub alma_keys: Vec<String>,
    /// How many calls Alma leaves for the day to each of its keys, which it tells with each answer. For a key that has
    /// no number here it tells nothing.
    pub alma_calls_left: Vec<u32>,
    /// Alma's users.
    pub users: Vec<User>,
    /// How Alma says that there is no such user.
    pub not_found_shape: NotFoundShape,

    /// PassagePoint's user name.
    pub username: String,
    /// PassagePoint's password.
    pub password: String,
    /// The names of the destinations that PassagePoint has.
    pub destinations: Vec<String>,
    /// The categories of visitors that PassagePoint has.
    pub categories: Vec<String>,
    /// The visitors, in the order they were created.
    pub visitors: Vec<Visitor>,
    /// The pre-registrations, in the order they were created.
    pub preregs: Vec<PreReg>,
    /// The status that says that a visitor exists already.
    pub already_exists_status: u16,
    /// How PassagePoint wraps the visitors it found.
    pub visitor_list: VisitorList,

    next_id: i64,
}

/// How credentials are rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// With status 400 or 401.
    ByStatus,
    /// With status 200 and an `error` in the body.
    ErrorIn200,
}

/// Which parameters bring the form's answers. Sending only one of the two is complained about in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormSpelling {
    /// `formAnswers`
    Old,
    /// `form_answers`
    New,
    /// The two together.
    Both,
}

/// How Alma says that there is no such user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotFoundShape {
    /// Status 400, the documented JSON.
    Json400,
    /// The same with status 404.
    Json404,
    /// `error` is one object instead of an array.
    ErrorObject,
    /// The whole under `web_service_result`.
    Wrapped,
    /// XML.
    Xml400,
    /// Code 401890, for an identifier of a type.
    TypedIdentifier,
}

/// How PassagePoint wraps the visitors it found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VisitorList {
    /// `{"data":[...]}`
    UnderData,
    /// `[...]`
    Bare,
}

/// Someone whom PassagePoint knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visitor {
    /// A number of 15 digits.
    pub id: i64,
    /// The barcode.
    pub unique_id: String,
    /// `Student`, `Staff`, `Visitor`, ...
    pub category: String,
    /// The first name.
    pub first_name: String,
    /// The last name.
    pub last_name: String,
    /// The e-mail address, if one was given.
    pub email: Option<String>,
    /// The primary ID.
    pub mobile_phone_no: String,
}

/// Someone expected somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreReg {
    /// A number of 15 digits.
    pub id: i64,
    /// Who.
    pub visitor_id: i64,
    /// Where: the name of a destination.
    pub destination: String,
    /// From when, in Unix seconds.
    pub starts_at: i64,
    /// Until when, in Unix seconds.
    pub ends_at: i64,
}

/// A pre-registration as people would tell it. Sorted by barcode, then place, then time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Expected {
    /// The visitor's barcode.
    pub barcode: String,
    /// The destination's name.
    pub destination: String,
    /// From when, in Unix seconds.
    pub starts_at: i64,
    /// Until when, in Unix seconds.
    pub ends_at: i64,
}

impl Expected {
    /// This barcode at this place from start to end.
    pub fn new(barcode: &str, destination: &str, starts_at: i64, ends_at: i64) -> Self {
        Self {
            barcode: barcode.to_owned(),
            destination: destination.to_owned(),
            starts_at,
            ends_at,
        }
    }
}

struct Token {
    service: Service,
    value: String,
    live: bool,
}

/// What a token is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// It opens the door.
    Live,
    /// It was issued, and is no longer taken.
    Dead,
    /// It was never issued.
    Unknown,
}

impl World {
    pub(super) fn new(now: i64) -> Self {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self {
            now,
            complaints: Vec::new(),
            denial: Denial::ByStatus,
            tokens: Vec::new(),
            client_id: "4242".to_owned(),
            // The signs in the secrets show whether they are encoded rightly.
            client_secret: "LibCalSecretW9Kd+Zq/4T==".to_owned(),
            zone: library_zone(),
            locations: vec![8827, 10332],
            rows: Vec::new(),
            limit_cap: 500,
            page_cap: usize::MAX,
            form_spelling: FormSpelling::Both,
            every_day: true,
            ignores_page: false,
            reversed: false,
            alma_keys: owned(&["AlmaKeyZone0Jm3Rv8", "AlmaKeyZone1Tc5Np2"]),
            alma_calls_left: vec![50_000, 50_000],
            users: Vec::new(),
            not_found_shape: NotFoundShape::Json400,
            username: "door-clerk".to_owned(),
            password: "PassagePointPasswordB6&\"x\\%Hs".to_owned(),
            destinations: owned(&["LibCal Main", "LibCal Science"]),
            categories: owned(&["Student", "Staff", "Faculty", "Alumni", "Visitor"]),
            visitors: Vec::new(),
            preregs: Vec::new(),
            already_exists_status: 400,
            visitor_list: VisitorList::UnderData,
            next_id: 137_505_764_541_173,
        }
    }

    /// Adds a row to LibCal's list; its location becomes known.
    pub fn add_booking(&mut self, booking: Booking) {
        let id = self.next_small_id();
        let row = booking.into_row(self.now, self.zone, id);
        self.add_row(row.lid, row.value);
    }

    /// Adds any JSON value to a location's list; the location becomes known.
    pub fn add_row(&mut self, lid: i64, value: Value) {
        if !self.locations.contains(&lid) {
            self.locations.push(lid);
        }
        self.rows.push(Row { lid, value });
    }

    /// Adds a visitor of this barcode to PassagePoint, as if from long ago. Returns its id.
    pub fn add_visitor(&mut self, barcode: &str) -> i64 {
        let id = self.next_id();
        self.visitors.push(Visitor {
            id,
            unique_id: barcode.to_owned(),
            category: "Visitor".to_owned(),
            first_name: "Old".to_owned(),
            last_name: "Acquaintance".to_owned(),
            email: None,
            mobile_phone_no: "unknown".to_owned(),
        });
        id
    }

    /// The pre-registrations, sorted; one that appears twice comes twice.
    pub fn expected(&self) -> Vec<Expected> {
        let mut all: Vec<_> = self.preregs.iter().map(|it| self.told(it)).collect();
        all.sort();
        all
    }

    /// The pre-registrations in the order in which they were made.
    pub fn in_order(&self) -> Vec<Expected> {
        self.preregs.iter().map(|it| self.told(it)).collect()
    }

    fn told(&self, prereg: &PreReg) -> Expected {
        let visitor = self.visitors.iter().find(|it| it.id == prereg.visitor_id);
        let barcode = match visitor {
            Some(visitor) => visitor.unique_id.clone(),
            None => format!("visitor {}", prereg.visitor_id),
        };
        Expected::new(
            &barcode,
            &prereg.destination,
            prereg.starts_at,
            prereg.ends_at,
        )
    }

    /// Makes every token issued so far worthless.
    pub fn expire_tokens(&mut self) {
        for token in &mut self.tokens {
            token.live = false;
        }
    }

    /// The credentials that must never be seen, and every token issued.
    pub fn secrets(&self) -> Vec<String> {
        let mut secrets = vec![self.client_secret.clone(), self.password.clone()];
        secrets.extend(self.alma_keys.iter().cloned());
        secrets.extend(self.tokens.iter().map(|token| token.value.clone()));
        secrets
    }

    pub(super) fn issue_token(&mut self, service: Service) -> String {
        let value = format!("{service:?}Token{}", self.next_id());
        self.tokens.push(Token {
            service,
            value: value.clone(),
            live: true,
        });
        value
    }

    pub(super) fn token_state(&self, service: Service, value: &str) -> TokenState {
        let mut issued = self.tokens.iter();
        match issued.find(|token| token.service == service && token.value == value) {
            Some(token) if token.live => TokenState::Live,
            Some(_) => TokenState::Dead,
            None => TokenState::Unknown,
        }
    }

    /// A new id of 15 digits.
    pub(super) fn next_id(&mut self) -> i64 {
        self.next_id += 17;
        self.next_id
    }

    fn next_small_id(&mut self) -> i64 {
        self.next_id() % 100_000_000
    }

    /// Remembers what was wrong with a request.
    pub(super) fn complain(&mut self, seen: &ReceivedRequest, why: &str) {
        let ReceivedRequest {
            service,
            method,
            path,
            ..
        } = seen;
        let complaint = format!("{service:?}: {method} {path}: {why}");
        self.complaints.push(complaint);
    }

    /// Remembers what was wrong with a request, and passes on the answer to it.
    pub(super) fn object(&mut self, seen: &ReceivedRequest, why: &str, answer: Answer) -> Answer {
        self.complain(seen, why);
        answer
    }

    pub(super) fn no_such_path(&mut self, seen: &ReceivedRequest) -> Answer {
        self.object(seen, "no such path", Answer::text(404, "Not Found"))
    }

    pub(super) fn wrong_method(&mut self, seen: &ReceivedRequest) -> Answer {
        let answer = Answer::text(405, "Method Not Allowed");
        self.object(seen, "wrong method", answer)
    }
}
