//! LibCal's stand-in: a token for a client's credentials, and the list of a location's bookings.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Days, FixedOffset, NaiveDate, NaiveTime, Utc};
use serde_json::{Value, json};

use super::booking::Row;
use super::http::{Answer, ReceivedRequest, Service, decode_form};
use super::world::{Denial, FormSpelling, TokenState, World};

/// The path that issues tokens.
pub const TOKEN_PATH: &str = "/1.1/oauth/token";
/// The path that lists bookings.
pub const BOOKINGS_PATH: &str = "/1.1/space/bookings";

/// What LibCal answers.
pub fn answer(world: &mut World, seen: &ReceivedRequest) -> Answer {
    match (seen.path.as_str(), seen.method.as_str()) {
        (TOKEN_PATH, "POST") => token(world, seen),
        (BOOKINGS_PATH, "GET") => bookings(world, seen),
        (TOKEN_PATH | BOOKINGS_PATH, _) => world.wrong_method(seen),
        _ => world.no_such_path(seen),
    }
}

fn token(world: &mut World, seen: &ReceivedRequest) -> Answer {
    let fields = match token_fields(seen) {
        Ok(fields) => fields,
        Err(why) => {
            let answer = denied(world, 400, "invalid_request");
            return world.object(seen, &why, answer);
        }
    };
    let given = |name| fields.get(name).map(String::as_str);
    if given("grant_type") != Some("client_credentials") {
        let answer = denied(world, 400, "unsupported_grant_type");
        return world.object(seen, "grant_type is not client_credentials", answer);
    }
    if given("client_id") != Some(&world.client_id)
        || given("client_secret") != Some(&world.client_secret)
    {
        return denied(world, 400, "invalid_client");
    }
    let token = world.issue_token(Service::LibCal);
    let reply = json!({
        "access_token": token,
        "expires_in": 3600,
        "token_type": "Bearer",
        "scope": "sp_r",
    });
    Answer::json(200, &reply)
}

/// The fields of a token request, which are to be these three and no other.
fn token_fields(seen: &ReceivedRequest) -> Result<BTreeMap<String, String>, String> {
    if !seen.query.is_empty() {
        return Err("credentials belong into the body, not into the address".to_owned());
    }
    let fields = if seen.is_of_type("application/x-www-form-urlencoded") {
        decode_form(&seen.body).into_iter().collect()
    } else if seen.is_of_type("application/json") {
        serde_json::from_str(&seen.body).map_err(|error| format!("the body: {error}"))?
    } else {
        return Err("the body is neither a form nor JSON".to_owned());
    };
    check_names(&fields, &["client_id", "client_secret", "grant_type"])?;
    Ok(fields)
}

fn check_names(fields: &BTreeMap<String, String>, wanted: &[&str]) -> Result<(), String> {
    if fields.keys().map(String::as_str).eq(wanted.iter().copied()) {
        return Ok(());
    }
    let names: Vec<_> = fields.keys().collect();
    Err(format!("the fields {names:?} instead of {wanted:?}"))
}

fn denied(world: &World, status: u16, error: &str) -> Answer {
    let status = match world.denial {
        Denial::ByStatus => status,
        Denial::ErrorIn200 => 200,
    };
    let description = "The request was denied";
    Answer::json(
        status,
        &json!({"error": error, "error_description": description}),
    )
}

fn bookings(world: &mut World, seen: &ReceivedRequest) -> Answer {
    let bearer = seen.header("authorization").unwrap_or_default();
    let token = bearer.strip_prefix("Bearer ").unwrap_or_default();
    match world.token_state(Service::LibCal, token) {
        TokenState::Live => {}
        TokenState::Dead => return denied(world, 401, "expired_token"),
        TokenState::Unknown => {
            let answer = denied(world, 401, "invalid_token");
            return world.object(seen, "no bearer token that was ever issued", answer);
        }
    }
    let question = match Question::read(seen, world) {
        Ok(question) => question,
        Err(why) => return world.object(seen, &why, Answer::text(400, why.as_str())),
    };
    if !(question.old_spelling && question.new_spelling) {
        world.complain(seen, "formAnswers=1 and form_answers=1 are not both sent");
    }
    // An older system's smaller limit is no mistake of who asks.
    if question.limit > world.limit_cap {
        return Answer::text(400, format!("limit must be at most {}", world.limit_cap));
    }
    let rows = question.listed(world);
    Answer::json(200, &Value::Array(rows))
}

/// What a request for bookings asks.
struct Question {
    lid: i64,
    limit: usize,
    page: usize,
    first_day: NaiveDate,
    days: u64,
    old_spelling: bool,
    new_spelling: bool,
}

impl Question {
    fn read(seen: &ReceivedRequest, world: &World) -> Result<Self, String> {
        let now = DateTime::from_timestamp(world.now, 0).unwrap_or_default();
        let mut question = Self {
            lid: 0,
            limit: 20,
            page: 1,
            first_day: now.with_timezone(&world.zone).date_naive(),
            days: 0,
            old_spelling: false,
            new_spelling: false,
        };
        let mut names = HashSet::new();
        for (name, value) in &seen.query {
            if !names.insert(name) {
                return Err(format!("{name} appears twice"));
            }
            question
                .take(name, value)
                .ok_or_else(|| format!("cannot take {name}={value}"))?;
        }
        if !world.locations.contains(&question.lid) {
            return Err("lid is not there, or not a known location".to_owned());
        }
        Ok(question)
    }

    fn take(&mut self, name: &str, value: &str) -> Option<()> {
        match name {
            "lid" => self.lid = value.parse().ok()?,
            "limit" => self.limit = value.parse().ok().filter(|it| (1..=500).contains(it))?,
            "page" => self.page = value.parse().ok().filter(|&it| it >= 1)?,
            "date" => self.first_day = date(value)?,
            "days" => self.days = value.parse().ok().filter(|&it| it <= 365)?,
            "formAnswers" => self.old_spelling = flag(value)?,
            "form_answers" => self.new_spelling = flag(value)?,
            _ => return None,
        }
        Some(())
    }

    /// The rows of the page asked for.
    fn listed(&self, world: &World) -> Vec<Value> {
        let mut rows: Vec<&Row> = world
            .rows
            .iter()
            .filter(|row| row.lid == self.lid && row.value["status"] != "Mediated Denied")
            .filter(|row| world.every_day || self.touches(&row.value, world.zone))
            .collect();
        if world.reversed {
            rows.reverse();
        }
        let limit = self.limit.min(world.page_cap);
        let page = if world.ignores_page { 1 } else { self.page };
        let with_answers = match world.form_spelling {
            FormSpelling::Old => self.old_spelling,
            FormSpelling::New => self.new_spelling,
            FormSpelling::Both => self.old_spelling && self.new_spelling,
        };
        rows.into_iter()
            .skip((page - 1).saturating_mul(limit))
            .take(limit)
            .map(|row| told(&row.value, with_answers))
            .collect()
    }

    /// Whether a row has to do with the days asked for; one without readable times always has.
    fn touches(&self, row: &Value, zone: FixedOffset) -> bool {
        let time = |field: &str| DateTime::parse_from_rfc3339(row[field].as_str()?).ok();
        let (Some(from), Some(to)) = (time("fromDate"), time("toDate")) else {
            return true;
        };
        let start = midnight(self.first_day, zone);
        let end = midnight(self.first_day + Days::new(self.days + 1), zone);
        from < end && to > start
    }
}

/// `YYYY-MM-DD` and nothing else: chrono alone would take `2026-8-1`.
fn date(value: &str) -> Option<NaiveDate> {
    let date = NaiveDate::parse_from_str(value, "%Y-%m-%d").ok()?;
    (value.len() == 10 && date.to_string() == value).then_some(date)
}

fn flag(value: &str) -> Option<bool> {
    match value {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    }
}

/// When a day begins in that time zone.
fn midnight(day: NaiveDate, zone: FixedOffset) -> DateTime<Utc> {
    let local = day.and_time(NaiveTime::MIN).and_local_timezone(zone);
    local.single().expect("a fixed offset has no gaps").to_utc()
}

/// A row, without the form's answers unless they were asked for.
fn told(row: &Value, with_answers: bool) -> Value {
    let mut row = row.clone();
    if !with_answers && let Value::Object(fields) = &mut row {
        fields.retain(|name, _| !is_form_field(name));
    }
    row
}

fn is_form_field(name: &str) -> bool {
    name.strip_prefix('q')
        .is_some_and(|number| number.parse::<u32>().is_ok())
}
