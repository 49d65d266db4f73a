//! One row of LibCal's list, read from its JSON.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use chrono::{DateTime, Datelike, FixedOffset, SubsecRound, Utc};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::config::IdPattern;
use crate::json;
use crate::model::{BookingId, InvalidId, LocationId, PrimaryId, is_invisible};

/// The most characters that a text of a row may have.
const MAX_CHARS: usize = 255;

/// The identity of a row: its `id`, or a hash of the whole row and its location where it has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RowId {
    /// An `id` as LibCal has them.
    Number(u64),
    /// The hash of another `id`, or of a row without one: either may be long.
    Hash(u64),
}

impl RowId {
    /// The identity of a row in the list of `location`, by its JSON and its fields, if it has any.
    fn of(raw: &str, fields: Option<&Map<String, Value>>, location: LocationId) -> Self {
        let id = fields.and_then(|fields| text(fields, "id"));
        if let Some(number) = id.as_ref().and_then(|id| id.parse().ok()) {
            return Self::Number(number);
        }
        let mut hasher = DefaultHasher::new();
        // Without an `id`, the same row in another list may be another visit.
        id.ok_or((location, raw)).hash(&mut hasher);
        Self::Hash(hasher.finish())
    }
}

/// The question of the booking form that asks for the primary ID.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    /// The field of a row that has the answer.
    pub(super) field: &'a str,
    /// What an ID looks like, if that is known.
    pub(super) pattern: Option<&'a IdPattern>,
}

/// A row that can be read: one seat or room of a booking, from a start to an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The booking it is part of (`bookId`).
    pub booking_id: BookingId,
    /// The location (`lid`).
    pub lid: LocationId,
    /// When it starts (`fromDate`).
    pub starts_at: DateTime<Utc>,
    /// When it ends (`toDate`); later than the start.
    pub ends_at: DateTime<Utc>,
    /// The library's UTC offset at the start, which decides what day it is on.
    pub offset: FixedOffset,
    /// The status, such as `Confirmed`.
    pub status: String,
    /// Whether LibCal says when it was cancelled.
    pub cancelled: bool,
    /// The first name as booked; may be blank.
    pub first_name: String,
    /// The last name as booked; may be blank.
    pub last_name: String,
    /// The e-mail address as booked; may be blank.
    pub email: String,
    /// The primary ID that the person typed, or why it is not one.
    pub primary_id: Result<PrimaryId, InvalidId>,
}

/// A row that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableRow {
    /// The booking, or `row N` or `a row of location N` where not even that can be read.
    pub booking_id: BookingId,
    /// The primary ID that the person typed, where that can be read.
    pub primary_id: Option<PrimaryId>,
    /// The location in whose list it is.
    pub lid: LocationId,
    /// What is missing or wrong: the name of a field and no more.
    pub what: String,
    /// The status, where that can be read.
    pub status: Option<String>,
    /// Whether LibCal says when it was cancelled.
    pub cancelled: bool,
}

/// Reads one row of the list of `location`, with its identity.
pub(super) fn parse_row(
    raw: &str,
    location: LocationId,
    question: Question<'_>,
) -> (RowId, Result<Row, UnreadableRow>) {
    let fields = serde_json::from_str(raw).ok();
    let fields = fields.or_else(|| readable_fields(raw));
    let id = RowId::of(raw, fields.as_ref(), location);
    let row = match &fields {
        Some(fields) => parse_fields(fields, location, question)
            .map_err(|what| unreadable_row(fields, location, question, what)),
        None => Err(UnreadableRow {
            booking_id: BookingId(format!("a row of location {location}")),
            primary_id: None,
            lid: location,
            what: "not a JSON object".into(),
            status: None,
            cancelled: false,
        }),
    };
    (id, row)
}

/// The fields of a row of which some cannot be read, such as a number beyond all bounds or half a
/// character; those are null.
fn readable_fields(raw: &str) -> Option<Map<String, Value>> {
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(raw).ok()?;
    let read = |value: &RawValue| serde_json::from_str(value.get()).unwrap_or_default();
    Some(
        fields
            .into_iter()
            .map(|(name, value)| (name, read(value)))
            .collect(),
    )
}

/// Reads the fields of a row.
///
/// # Errors
/// What is missing or wrong.
fn parse_fields(
    fields: &Map<String, Value>,
    location: LocationId,
    question: Question<'_>,
) -> Result<Row, &'static str> {
    let booking_id = text(fields, "bookId").ok_or("no bookId");
    // Both are stored and printed.
    if booking_id.as_deref().is_ok_and(is_long) {
        return Err("bookId is longer than 255 characters");
    }
    let status = text(fields, "status");
    if status.as_deref().is_some_and(is_long) {
        return Err("status is longer than 255 characters");
    }
    let starts_at = time(fields, "fromDate").ok_or("fromDate is not a time")?;
    let ends_at = time(fields, "toDate").ok_or("toDate is not a time")?;
    if ends_at <= starts_at {
        return Err("toDate is not after fromDate");
    }
    Ok(Row {
        booking_id: BookingId(booking_id?),
        lid: match text(fields, "lid") {
            None => location,
            Some(lid) => LocationId(lid.parse().map_err(|_| "lid is not a number")?),
        },
        starts_at: starts_at.to_utc(),
        ends_at: ends_at.to_utc(),
        offset: *starts_at.offset(),
        cancelled: is_cancelled(fields),
        first_name: visible_text(fields, "firstName"),
        last_name: visible_text(fields, "lastName"),
        email: visible_text(fields, "email"),
        primary_id: primary_id(fields, question),
        status: status.ok_or("no status")?,
    })
}

/// A row that cannot be read, with what can be read of it all the same.
fn unreadable_row(
    fields: &Map<String, Value>,
    location: LocationId,
    question: Question<'_>,
    what: &str,
) -> UnreadableRow {
    UnreadableRow {
        booking_id: subject(fields, location),
        primary_id: primary_id(fields, question).ok(),
        lid: location,
        what: what.into(),
        status: text(fields, "status").filter(|status| !is_long(status)),
        cancelled: is_cancelled(fields),
    }
}

fn is_cancelled(fields: &Map<String, Value>) -> bool {
    fields.get("cancelled").is_some_and(is_set)
}

/// A text without invisible characters; blank if it is missing, or longer than anybody's name or address.
fn visible_text(fields: &Map<String, Value>, name: &str) -> String {
    let text = text(fields, name).unwrap_or_default();
    let visible: String = text.chars().filter(|c| !is_invisible(*c)).collect();
    let visible = visible.trim();
    if is_long(visible) {
        return String::new();
    }
    visible.to_owned()
}

fn is_long(text: &str) -> bool {
    text.chars().count() > MAX_CHARS
}

/// The ID on the booking form: the part of the answer that matches the pattern, if there is a pattern.
fn primary_id(fields: &Map<String, Value>, question: Question<'_>) -> Result<PrimaryId, InvalidId> {
    let answer = text(fields, question.field).unwrap_or_default();
    let whole = PrimaryId::parse(&answer);
    match question.pattern {
        Some(pattern) if whole != Err(InvalidId::Blank) => {
            let found = pattern.find(&answer).ok_or(InvalidId::NoMatch)?;
            PrimaryId::parse(&found)
        }
        _ => whole,
    }
}

fn subject(fields: &Map<String, Value>, location: LocationId) -> BookingId {
    let short = |name| text(fields, name).filter(|text| !is_long(text));
    let subject = short("bookId")
        .or_else(|| short("id").map(|id| format!("row {id}")))
        .unwrap_or_else(|| format!("a row of location {location}"));
    BookingId(subject)
}

fn text(fields: &Map<String, Value>, name: &str) -> Option<String> {
    json::text(fields.get(name)?)
}

/// A field that is an ISO 8601 time with an offset, to the second.
fn time(fields: &Map<String, Value>, name: &str) -> Option<DateTime<FixedOffset>> {
    let text = text(fields, name)?;
    DateTime::parse_from_rfc3339(&text)
        .or_else(|_| DateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%z"))
        .map(|time| time.trunc_subsecs(0))
        .ok()
        // Far beyond these years, not every time can be converted to every other zone.
        .filter(|time| (1..=9999).contains(&time.year()))
}

/// Whether a value is more than one of the many ways to say that there is none.
fn is_set(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !matches!(text.trim(), "" | "0"),
        Value::Array(values) => !values.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const Q1: Question<'_> = Question {
        field: "q1",
        pattern: None,
    };

    fn good() -> Value {
        json!({
            "id": 7, "bookId": "cs_1", "lid": 8827, "status": "Confirmed",
            "fromDate": "2026-08-19T11:00:00-04:00", "toDate": "2026-08-19T12:00:00-04:00",
            "firstName": "Ada", "lastName": "Example", "email": "ada@example.edu", "q1": "G1"
        })
    }

    fn parse_with(field: &str, value: Value) -> Result<Row, String> {
        let mut row = good();
        row[field] = value;
        let row = parse_row(&row.to_string(), LocationId(1), Q1).1;
        row.map_err(|unreadable| unreadable.what)
    }

    #[test]
    fn times_are_read_with_their_own_offset() {
        let row = parse_row(&good().to_string(), LocationId(1), Q1).1.unwrap();
        let seconds = [row.starts_at, row.ends_at].map(|time| time.timestamp());
        assert_eq!(seconds, [1_787_151_600, 1_787_155_200]);
        assert_eq!(row.offset.local_minus_utc(), -4 * 3600);
        let winter = parse_with("toDate", json!("2026-11-19T11:00:00-0500")).unwrap();
        assert_eq!(winter.ends_at.timestamp(), 1_795_104_000);
    }

    #[test]
    fn an_answer_is_a_text_or_a_number() {
        for (value, typed) in [
            (json!(" g1 "), Ok("g1")),
            (json!(20_000_001), Ok("20000001")),
            (json!("  "), Err(InvalidId::Blank)),
            (json!(null), Err(InvalidId::Blank)),
            (json!(["G1"]), Err(InvalidId::Blank)),
            (json!(true), Err(InvalidId::Blank)),
            (json!(".."), Err(InvalidId::Invalid)),
        ] {
            let row = parse_with("q1", value).unwrap();
            assert_eq!(
                row.primary_id.as_ref().map(PrimaryId::typed),
                typed.as_ref().copied()
            );
        }
    }

    #[test]
    fn a_row_without_its_times_booking_or_status_names_what_is_missing() {
        for (field, value, what) in [
            ("bookId", json!(null), "no bookId"),
            ("fromDate", json!("today"), "fromDate is not a time"),
            ("toDate", json!(12), "toDate is not a time"),
            (
                "toDate",
                json!("2026-08-19T11:00:00-04:00"),
                "toDate is not after fromDate",
            ),
            ("status", json!({}), "no status"),
            ("lid", json!("Main"), "lid is not a number"),
            (
                "bookId",
                json!("x".repeat(256)),
                "bookId is longer than 255 characters",
            ),
            (
                "status",
                json!("x".repeat(256)),
                "status is longer than 255 characters",
            ),
            (
                "toDate",
                json!("+262142-12-31T23:59:59+0000"),
                "toDate is not a time",
            ),
        ] {
            assert_eq!(parse_with(field, value).unwrap_err(), what);
        }
    }

    #[test]
    fn an_unreadable_row_is_named_as_well_as_can_be() {
        let subject = |raw: &str| {
            parse_row(raw, LocationId(9), Q1)
                .1
                .unwrap_err()
                .booking_id
                .0
        };
        assert_eq!(subject(r#"{"bookId":"cs_1"}"#), "cs_1");
        assert_eq!(subject(r#"{"id":5}"#), "row 5");
        let long = "x".repeat(256);
        let named = format!(r#"{{"bookId":"{long}","id":5}}"#);
        assert_eq!(subject(&named), "row 5");
        let unnamed = format!(r#"{{"bookId":"{long}","id":"{long}"}}"#);
        assert_eq!(subject(&unnamed), "a row of location 9");
        assert_eq!(subject("[]"), "a row of location 9");
        assert_eq!(subject(&"[".repeat(100_000)), "a row of location 9");
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_reading_a_row_panic(raw in ".*", bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            for raw in [raw, String::from_utf8_lossy(&bytes).into_owned()] {
                let _ = parse_row(&raw, LocationId(1), Q1);
            }
        }

        #[test]
        fn no_value_in_a_field_makes_reading_a_row_panic(field in 0..11_usize, value in crate::json::any_value()) {
            let names = ["id", "bookId", "lid", "status", "fromDate", "toDate", "firstName", "lastName", "email", "q1", "cancelled"];
            let _ = parse_with(names[field], value);
        }
    }
}
