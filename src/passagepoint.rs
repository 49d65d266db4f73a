//! PassagePoint (STOPware), API v2: visitors and pre-registrations.
//!
//! All of it is known from the one client that runs against it. When to ask
//! for what is for [`crate::pass`] to say.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::config::{self, Endpoint};
use crate::http::{Client, Failure, Fate, Repeat, Reply, Request, Verdict, named, usual_verdict};
use crate::model::{Barcode, PreregId, PrimaryId, VisitorId};
use crate::token::Session;

/// How PassagePoint says that a visitor with this barcode is there already; seen under several statuses.
const ALREADY_THERE: &str = "ALREADY_EXIST_UNIQUE_ID";

/// PassagePoint as one run talks to it.
pub struct PassagePoint<'a> {
    client: Client,
    config: &'a config::PassagePoint,
    session: Session,
}

/// A person as PassagePoint is to know them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVisitor<'a> {
    /// One of the categories set up there, such as `Student`.
    pub category: &'a str,
    /// The first name.
    pub first_name: &'a str,
    /// The last name.
    pub last_name: &'a str,
    /// The e-mail address, if there is one.
    pub email: Option<&'a str>,
    /// The primary ID, which stands there as the mobile phone number.
    pub primary_id: &'a PrimaryId,
    /// The barcode, by which the visitor is known at the doors.
    pub barcode: &'a Barcode,
}

/// A visit as PassagePoint is to expect it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPrereg<'a> {
    /// The visitor's id there.
    pub visitor_id: &'a VisitorId,
    /// The name of the place.
    pub destination: &'a str,
    /// The start.
    pub starts_at: DateTime<Utc>,
    /// The end.
    pub ends_at: DateTime<Utc>,
}

/// How PassagePoint answered a request about one person or visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<Id> {
    /// The id of the visitor or pre-registration.
    Id(Id),
    /// It will not, with this 4xx status.
    Refused(u16),
}

impl<'a> PassagePoint<'a> {
    /// PassagePoint behind that client.
    #[must_use]
    pub fn new(client: Client, config: &'a config::PassagePoint) -> Self {
        Self {
            client,
            config,
            session: Session::default(),
        }
    }

    /// Makes a visitor: `POST {root}{create_visitor_endpt}`, all of it in the query.
    ///
    /// Nothing comes back if a visitor with that barcode is there already.
    ///
    /// # Errors
    /// [`Failure`] on an outage; asking again is safe, for the barcode is unique there.
    pub fn create_visitor(
        &self,
        visitor: &NewVisitor<'_>,
    ) -> Result<Option<Answer<VisitorId>>, Failure> {
        let mut query = vec![
            ("category", visitor.category),
            ("firstName", visitor.first_name),
            ("lastName", visitor.last_name),
            ("mobilePhoneNo", visitor.primary_id.as_str()),
            ("uniqueId", &visitor.barcode.0),
        ];
        if let Some(email) = visitor.email {
            query.push(("email", email));
        }
        let reply = self.ask(|| {
            Request::post(self.address(&self.config.create_visitor_endpt))
                .query(&query)
                .header("Content-Type", "application/json")
                .about(&visitor.barcode.0)
                .verdict(visitor_verdict)
        })?;
        if reply.text().contains(ALREADY_THERE) {
            return Ok(None);
        }
        read_id(&reply, VisitorId).map(Some)
    }

    /// Finds a visitor by barcode: `GET {root}{uniqueId_endpt}`. Of several records it is the
    /// one with that barcode; where none says which it has, the only one. Nothing comes back
    /// if there is none.
    ///
    /// # Errors
    /// [`Failure`] on an outage.
    pub fn visitor_by_barcode(
        &self,
        barcode: &Barcode,
    ) -> Result<Option<Answer<VisitorId>>, Failure> {
        let reply = self.ask(|| {
            Request::get(self.address(&self.config.unique_id_endpt))
                .query(&[("uniqueId", &barcode.0)])
                .about(&barcode.0)
                .verdict(verdict)
        })?;
        if !reply.is_success() {
            return Ok(Some(Answer::Refused(reply.status)));
        }
        let body = reply.json().unwrap_or_default();
        let Some(records) = list_of(&body) else {
            return Err(not_understood(&reply));
        };
        let Some(record) = record_of(records, barcode) else {
            return Ok(None);
        };
        let id = id_text(&record["id"]).ok_or_else(|| not_understood(&reply))?;
        Ok(Some(Answer::Id(VisitorId(id))))
    }

    /// Makes a pre-registration: `POST {root}{create_prereg_endpt}`. Each one that
    /// succeeds is another one there, and none can be found, changed or taken back.
    ///
    /// # Errors
    /// [`Failure`], whose fate tells whether the visit may be registered all the same.
    pub fn create_prereg(&self, prereg: &NewPrereg<'_>) -> Result<Answer<PreregId>, Failure> {
        let body = json!({
            "startTime": prereg.starts_at.timestamp().to_string(),
            "endTime": prereg.ends_at.timestamp().to_string(),
            "visitorId": prereg.visitor_id.0,
            "destination": prereg.destination,
        });
        let reply = self.ask(|| {
            Request::post(self.address(&self.config.create_prereg_endpt))
                .json(&body)
                .repeat(Repeat::OnlyIfNotProcessed)
                .about(prereg.destination)
                .verdict(verdict)
        })?;
        read_id(&reply, PreregId)
    }

    /// The names of the destinations that are set up: `GET {root}{get_destinations_endpt}`.
    /// The reply's shape is not known; every text in it counts as a name.
    ///
    /// # Errors
    /// [`Failure`] on an outage, or if the reply is not JSON.
    pub fn destinations(&self) -> Result<Vec<String>, Failure> {
        let reply = self.ask(|| {
            Request::get(self.address(&self.config.get_destinations_endpt)).verdict(verdict)
        })?;
        let body = reply.json().unwrap_or_default();
        if !reply.is_success() || body.is_null() || has_error(&body) {
            return Err(not_understood(&reply));
        }
        let mut names = Vec::new();
        add_texts(&body, &mut names);
        Ok(names)
    }

    /// Makes sure that there is a token to ask with, so that a visit is not noted as
    /// asked for when it cannot be.
    ///
    /// # Errors
    /// [`Failure`] if the login fails, or if the service is left alone in this run.
    pub fn ensure_token(&self) -> Result<(), Failure> {
        self.client.check_breakers("")?;
        self.session.token(None, &|| self.login())?;
        Ok(())
    }

    /// Whether visits at that destination may be asked for in this run.
    ///
    /// # Errors
    /// [`Failure`] if it has failed too often, or the whole service.
    pub fn check_destination(&self, destination: &str) -> Result<(), Failure> {
        self.client.check_breakers(destination)
    }

    /// Why nothing more can be asked in this run, if that is so already.
    #[must_use]
    pub fn is_down(&self) -> Option<String> {
        let left_alone = self.client.check_breakers("").err();
        left_alone
            .map(|failure| failure.cause)
            .or_else(|| self.session.failed())
    }

    fn address(&self, endpoint: &Endpoint) -> String {
        format!("{}{}", self.config.pp_api_root.as_str(), endpoint.as_str())
    }

    /// Sends a request with the token; a fresh one if the first has run out.
    fn ask<'r>(&self, request: impl Fn() -> Request<'r>) -> Result<Reply, Failure> {
        let reply = self.session.ask(
            || self.login(),
            |reply| reply.status == 401,
            |token| self.client.send(&request().header("token", token)),
        )?;
        if reply.status == 401 {
            let cause = "PassagePoint turned a fresh token away (401): check the rights of PassagePoint.username";
            self.session.fail(cause);
            return Err(Failure::not_processed(cause));
        }
        Ok(reply)
    }

    /// Gets a token: `POST {root}{login_endpt}`.
    fn login(&self) -> Result<String, Failure> {
        let request = Request::post(self.address(&self.config.login_endpt)).json(&json!({
            "username": self.config.username.expose_secret(),
            "password": self.config.password.expose_secret(),
        }));
        let reply = self.client.send(&request)?;
        let body = reply.json().unwrap_or_default();
        let has_error = has_error(&body);
        if has_error || matches!(reply.status, 400 | 401 | 403) {
            return Err(Failure::not_processed(format!(
                "PassagePoint did not let us log in: it answered {}; check PassagePoint.username and PassagePoint.password",
                with_error(reply.status, has_error)
            )));
        }
        match body["token"].as_str() {
            Some(token) if reply.is_success() && !token.is_empty() => Ok(token.to_owned()),
            _ => Err(Failure::not_processed(format!(
                "PassagePoint did not let us log in: it answered {} without a token; check PassagePoint.pp_api_root and PassagePoint.login_endpt",
                named(reply.status)
            ))),
        }
    }
}

/// That a visitor is there already is an answer under any status.
fn visitor_verdict(reply: &Reply) -> Verdict {
    if reply.text().contains(ALREADY_THERE) {
        return Verdict::Answer;
    }
    verdict(reply)
}

/// 403 turns us away, and not only this person or visit.
fn verdict(reply: &Reply) -> Verdict {
    match reply.status {
        403 => Verdict::TurnedAway,
        _ => usual_verdict(reply),
    }
}

/// Reads the id of what was made or found.
fn read_id<Id>(reply: &Reply, of_text: fn(String) -> Id) -> Result<Answer<Id>, Failure> {
    if !reply.is_success() {
        return Ok(Answer::Refused(reply.status));
    }
    let body = reply.json().unwrap_or_default();
    let id = list_of(&body).and_then(|list| list.iter().find_map(|one| id_text(&one["id"])));
    id.map(|id| Answer::Id(of_text(id)))
        .ok_or_else(|| not_understood(reply))
}

/// The record of a visitor with that barcode, or the only one if none says which it has.
fn record_of<'v>(records: &'v [Value], barcode: &Barcode) -> Option<&'v Value> {
    let unique_id = |record: &Value| crate::json::text(&record["uniqueId"]);
    if records.iter().any(|record| unique_id(record).is_some()) {
        let mut records = records.iter();
        return records.find(|record| unique_id(record).as_ref() == Some(&barcode.0));
    }
    match records {
        [only] => Some(only),
        _ => None,
    }
}

/// Whether a body tells of an error, whatever the status.
fn has_error(body: &Value) -> bool {
    body.get("error").is_some_and(|error| !error.is_null())
}

/// The list of a reply: under `data`, or the reply itself.
fn list_of(body: &Value) -> Option<&Vec<Value>> {
    body.get("data").unwrap_or(body).as_array()
}

/// An id, which is a whole number, or a text in case that changes.
fn id_text(id: &Value) -> Option<String> {
    match id {
        Value::Number(number) if number.is_u64() => Some(number.to_string()),
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        _ => None,
    }
}

/// Adds every text that is somewhere in the value.
fn add_texts(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text.clone()),
        Value::Array(list) => list.iter().for_each(|one| add_texts(one, texts)),
        Value::Object(fields) => fields.values().for_each(|one| add_texts(one, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn with_error(status: u16, has_error: bool) -> String {
    let error = if has_error { " with an error" } else { "" };
    format!("{}{error}", named(status))
}

/// A success that brings no id: whatever was asked for may have been done.
fn not_understood(reply: &Reply) -> Failure {
    Failure {
        fate: Fate::Unknown,
        ..Failure::not_processed(format!(
            "PassagePoint sent an answer that cannot be read ({})",
            named(reply.status)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn no_answer_makes_reading_an_id_panic(
            status in 100..600_u16,
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300),
            value in crate::json::any_value(),
        ) {
            for body in [bytes, value.to_string().into_bytes(), json!({"data": value}).to_string().into_bytes()] {
                let reply = Reply::of(status, body);
                let _ = read_id(&reply, VisitorId);
                visitor_verdict(&reply);
                if let Some(body) = reply.json() {
                    list_of(&body);
                    add_texts(&body, &mut Vec::new());
                }
            }
        }
    }
}
