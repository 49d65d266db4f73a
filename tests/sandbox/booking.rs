//! One row of LibCal's list, built for a test. Listing it is left to `libcal`.

use chrono::{DateTime, FixedOffset, Utc};
use serde_json::{Map, Value, json};

/// The form question that asks for the primary ID.
pub const FORM_FIELD: &str = "q12505";

/// The library's time zone: four hours behind UTC, all year, so that tests read the same at any date.
pub fn library_zone() -> FixedOffset {
    FixedOffset::west_opt(4 * 3600).expect("four hours are an offset")
}

/// A value in the list of a location.
pub struct Row {
    /// The location in whose list it stands.
    pub lid: i64,
    /// The row itself, as good or bad as the test made it.
    pub value: Value,
}

impl Row {
    /// Whether it belongs to this booking.
    pub fn is_of(&self, book_id: &str) -> bool {
        self.value.get("bookId").and_then(Value::as_str) == Some(book_id)
    }

    /// Changes the row. If it gets another `lid`, it moves to that location's list.
    pub fn edit(&mut self, edit: impl FnOnce(&mut Value)) {
        edit(&mut self.value);
        if let Some(lid) = self.value.get("lid").and_then(Value::as_i64) {
            self.lid = lid;
        }
    }
}

/// One row to be: Confirmed, at 8827, from 30 to 90 minutes after the sandbox's now, without the form's answer.
pub struct Booking {
    book_id: String,
    lid: i64,
    times: Times,
    /// Fields set (`Some`) or taken away (`None`), in the order they were asked for.
    changes: Vec<(String, Option<Value>)>,
}

enum Times {
    /// Minutes after the sandbox's now.
    Minutes(i64, i64),
    Unix(i64, i64),
}

impl Booking {
    /// A row of the booking of this `bookId`.
    pub fn new(book_id: &str) -> Self {
        Self {
            book_id: book_id.to_owned(),
            lid: 8827,
            times: Times::Minutes(30, 90),
            changes: Vec::new(),
        }
    }

    /// What the person typed as their ID.
    pub fn by(self, typed: &str) -> Self {
        self.answer(typed.into())
    }

    /// Any JSON as the form's answer.
    pub fn answer(self, answer: Value) -> Self {
        self.with(FORM_FIELD, answer)
    }

    /// The form's answer is not there.
    pub fn no_answer(self) -> Self {
        self.without(FORM_FIELD)
    }

    /// The location.
    pub fn at(mut self, lid: i64) -> Self {
        self.lid = lid;
        self
    }

    /// From and to, in minutes after the sandbox's now.
    pub fn minutes(mut self, from: i64, to: i64) -> Self {
        self.times = Times::Minutes(from, to);
        self
    }

    /// From and to, in Unix seconds.
    pub fn times(mut self, from: i64, to: i64) -> Self {
        self.times = Times::Unix(from, to);
        self
    }

    /// The status.
    pub fn status(self, status: &str) -> Self {
        self.with("status", status.into())
    }

    /// Cancelled by its user, just now.
    pub fn cancelled(self) -> Self {
        let at = Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
        self.status("Cancelled by User")
            .with("cancelled", at.into())
    }

    /// The seat.
    pub fn seat(self, id: i64) -> Self {
        self.with("seat_id", id.into())
    }

    /// The name and e-mail address.
    pub fn person(self, first: &str, last: &str, email: &str) -> Self {
        self.with("firstName", first.into())
            .with("lastName", last.into())
            .with("email", email.into())
    }

    /// Sets any field to anything.
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.changes.push((field.to_owned(), Some(value)));
        self
    }

    /// Takes a field away.
    pub fn without(mut self, field: &str) -> Self {
        self.changes.push((field.to_owned(), None));
        self
    }

    /// The row, with `id` as its number and its times in that zone.
    pub(super) fn into_row(self, now: i64, zone: FixedOffset, id: i64) -> Row {
        let local = |unix| local(unix, zone);
        let (from, to) = match self.times {
            Times::Minutes(from, to) => (now + from * 60, now + to * 60),
            Times::Unix(from, to) => (from, to),
        };
        let mut value = json!({
            "id": id,
            "bookId": self.book_id,
            "eid": id % 50_000 + 90_000,
            "cid": self.lid + 7,
            "lid": self.lid,
            "fromDate": local(from),
            "toDate": local(to),
            "created": local(now - 86_400),
            "firstName": "Pat",
            "lastName": "Example",
            "email": "pat@example.edu",
            "status": "Confirmed",
            "location_name": "Library",
            "category_name": "Study rooms",
            "item_name": "Room 1",
            "event": null,
        });
        if let Value::Object(fields) = &mut value {
            apply(fields, self.changes);
        }
        Row {
            lid: self.lid,
            value,
        }
    }
}

/// A time as LibCal writes it in that zone.
fn local(unix: i64, zone: FixedOffset) -> String {
    let time = DateTime::from_timestamp(unix, 0).expect("a time that chrono can hold");
    let format = "%Y-%m-%dT%H:%M:%S%:z";
    time.with_timezone(&zone).format(format).to_string()
}

/// Sets and takes away fields, in order.
pub(super) fn apply(
    fields: &mut Map<String, Value>,
    changes: impl IntoIterator<Item = (String, Option<Value>)>,
) {
    for (field, value) in changes {
        match value {
            Some(value) => fields.insert(field, value),
            None => fields.remove(&field),
        };
    }
}
