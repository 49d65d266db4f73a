//! PassagePoint (STOPware), API v2: visitors and pre-registrations.
//!
//! The API is known only from the Python program, which runs against it. When to send
//! what is for [`crate::pass`] to say.

mod response;

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::config::{self, Endpoint};
use crate::http::{Client, Failure, Request, Response, RetryPolicy, status_text};
use crate::model::{Barcode, PreregId, PrimaryId, VisitorId};
use crate::token_cache::TokenCache;

use response::{
    ALREADY_EXISTS, classify, classify_login, classify_visitor, collect_texts, has_error,
    read_created, read_visitor,
};

// The keys of the configuration that make up each address.
const LOGIN_KEYS: &str = "PassagePoint.pp_api_root and PassagePoint.login_endpt";
const CREATE_VISITOR_KEYS: &str = "PassagePoint.pp_api_root and PassagePoint.create_visitor_endpt";
const UNIQUE_ID_KEYS: &str = "PassagePoint.pp_api_root and PassagePoint.uniqueId_endpt";
const CREATE_PREREG_KEYS: &str = "PassagePoint.pp_api_root and PassagePoint.create_prereg_endpt";
const GET_DESTINATIONS_KEYS: &str =
    "PassagePoint.pp_api_root and PassagePoint.get_destinations_endpt";

/// The category of a visitor whose user group has none of its own.
pub const DEFAULT_CATEGORY: &str = "Visitor";

/// PassagePoint as one run talks to it.
pub struct PassagePoint<'a> {
    client: Client,
    config: &'a config::PassagePoint,
    tokens: TokenCache,
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
    /// PassagePoint refused, with this status: a 4xx, or a success whose body has an error and no id.
    Refused(u16),
}

impl<'a> PassagePoint<'a> {
    /// PassagePoint behind that client.
    #[must_use]
    pub fn new(client: Client, config: &'a config::PassagePoint) -> Self {
        Self {
            client,
            config,
            tokens: TokenCache::default(),
        }
    }

    /// Creates a visitor: `POST {root}{create_visitor_endpt}`, all of it in the query.
    ///
    /// Returns `None` if a visitor with that barcode exists already.
    ///
    /// # Errors
    /// [`Failure`] on an outage; a retry is safe, because the barcode is unique there.
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
        let response = self.send_with_token(|| {
            Request::post(
                self.address(&self.config.create_visitor_endpt),
                CREATE_VISITOR_KEYS,
            )
            .query(&query)
            .header("Content-Type", "application/json")
            .about(&visitor.barcode.0)
            .classify(classify_visitor)
        })?;
        if response.text().contains(ALREADY_EXISTS) {
            return Ok(None);
        }
        read_created(&response, CREATE_VISITOR_KEYS, VisitorId).map(Some)
    }

    /// Finds a visitor by barcode: `GET {root}{uniqueId_endpt}`. Of several records it is the
    /// one with that barcode; where none says which it has, the only one. Returns
    /// `None` if there is none.
    ///
    /// # Errors
    /// [`Failure`] on an outage.
    pub fn visitor_by_barcode(
        &self,
        barcode: &Barcode,
    ) -> Result<Option<Answer<VisitorId>>, Failure> {
        let response = self.send_with_token(|| {
            Request::get(self.address(&self.config.unique_id_endpt), UNIQUE_ID_KEYS)
                .query(&[("uniqueId", &barcode.0)])
                .about(&barcode.0)
                .classify(classify)
        })?;
        read_visitor(&response, barcode, UNIQUE_ID_KEYS)
    }

    /// Creates a pre-registration: `POST {root}{create_prereg_endpt}`. Each call that
    /// succeeds creates another one, and none can be found, changed or deleted.
    ///
    /// # Errors
    /// [`Failure`], whose `delivery` tells whether the visit may be registered all the same.
    pub fn create_prereg(&self, prereg: &NewPrereg<'_>) -> Result<Answer<PreregId>, Failure> {
        let body = json!({
            "startTime": prereg.starts_at.timestamp().to_string(),
            "endTime": prereg.ends_at.timestamp().to_string(),
            "visitorId": prereg.visitor_id.0,
            "destination": prereg.destination,
        });
        let response = self.send_with_token(|| {
            Request::post(
                self.address(&self.config.create_prereg_endpt),
                CREATE_PREREG_KEYS,
            )
            .json(&body)
            .retry_policy(RetryPolicy::OnlyIfNotProcessed)
            .about(prereg.destination)
            .classify(classify)
        })?;
        read_created(&response, CREATE_PREREG_KEYS, PreregId)
    }

    /// The names of the destinations that are set up: `GET {root}{get_destinations_endpt}`.
    /// The shape of the response is not known; every text in it counts as a name.
    ///
    /// # Errors
    /// [`Failure`] on an outage, or if the response is not JSON.
    pub fn destinations(&self) -> Result<Vec<String>, Failure> {
        let response = self.send_with_token(|| {
            Request::get(
                self.address(&self.config.get_destinations_endpt),
                GET_DESTINATIONS_KEYS,
            )
            .classify(classify)
        })?;
        let body = response.json().unwrap_or_default();
        if !response.is_success() || body.is_null() || has_error(&body) {
            return Err(response::unexpected_response(
                &response,
                GET_DESTINATIONS_KEYS,
            ));
        }
        let mut names = Vec::new();
        collect_texts(&body, &mut names);
        Ok(names)
    }

    /// Makes sure that there is a token, so that no intent is recorded for a request that cannot
    /// be sent.
    ///
    /// # Errors
    /// [`Failure`] if the login fails, or if the service has failed too often in this run.
    pub fn ensure_token(&self) -> Result<(), Failure> {
        self.client.check_breaker("")?;
        self.tokens.ensure_token(None, &|| self.login())?;
        Ok(())
    }

    /// Whether visits at that destination may be asked for in this run.
    ///
    /// # Errors
    /// [`Failure`] if it has failed too often, or the address, or the whole service.
    pub fn check_destination(&self, destination: &str) -> Result<(), Failure> {
        self.client.check_breaker(destination)?;
        self.client.check_breaker(CREATE_PREREG_KEYS)
    }

    /// Why nothing more can be asked in this run, if that is already known.
    #[must_use]
    pub fn unavailable_cause(&self) -> Option<String> {
        let open = self.client.check_breaker("").err();
        open.map(|failure| failure.cause)
            .or_else(|| self.tokens.failure())
    }

    fn address(&self, endpoint: &Endpoint) -> String {
        format!("{}{}", self.config.pp_api_root.as_str(), endpoint.as_str())
    }

    /// Sends a request with the token; a fresh one if the first has expired.
    fn send_with_token<'r>(&self, request: impl Fn() -> Request<'r>) -> Result<Response, Failure> {
        let response = self.tokens.with_token(
            || self.login(),
            |response| response.status == 401,
            |token| self.client.send(&request().header("token", token)),
        )?;
        if response.status == 401 {
            let cause = "PassagePoint rejected a new token (401 Unauthorized): check the permissions of PassagePoint.username";
            // It may reject the token for this person or destination alone.
            self.client.record_rejection(&request(), cause);
            return Err(Failure::not_processed(cause));
        }
        Ok(response)
    }

    /// Gets a token: `POST {root}{login_endpt}`.
    fn login(&self) -> Result<String, Failure> {
        let request = Request::post(self.address(&self.config.login_endpt), LOGIN_KEYS)
            .classify(classify_login)
            .json(&json!({
                "username": self.config.username.expose_secret(),
                "password": self.config.password.expose_secret(),
            }));
        let response = self.client.send(&request)?;
        let body = response.json().unwrap_or_default();
        let has_error = has_error(&body);
        if has_error || matches!(response.status, 400 | 401 | 403) {
            return Err(Failure::not_processed(format!(
                "PassagePoint rejected the login ({}): check PassagePoint.username and PassagePoint.password",
                response::status_with_error(response.status, has_error)
            )));
        }
        match body["token"].as_str() {
            Some(token) if response.is_success() && !token.is_empty() => Ok(token.to_owned()),
            _ => Err(Failure::not_processed(format!(
                "PassagePoint did not issue a token ({}): check {LOGIN_KEYS}",
                status_text(response.status)
            ))),
        }
    }
}
