//! LibCal, API 1.1: its requests, and how the rows of its list are read.
//!
//! Which rows make a visit is for [`crate::plan`] to say.

mod page;
mod pagination;
mod row;
pub mod status;

pub use page::{Page, PageFingerprints};
pub use pagination::{PagedList, RowIds};
pub use row::{Row, RowId, UnreadableRow};

use row::Question;

use std::fmt;

use chrono::NaiveDate;
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::config;
use crate::http::{Client, Failure, Request, Response, status_text};
use crate::json;
use crate::model::LocationId;
use crate::token_cache::TokenCache;

/// The page size to request: the largest that older systems return.
const PAGE_SIZE: usize = 100;
/// The largest page, in MiB; a hundred bookings have about a tenth of one.
const MAX_PAGE_MIB: u32 = 8;
/// The most rows of one page, whatever was asked for.
const MAX_PAGE_ROWS: usize = 10_000;

// The keys of the configuration that are the addresses.
const TOKEN_KEY: &str = "LibCal.credentials_endpt";
const BOOKINGS_KEY: &str = "LibCal.bookings_endpt";

/// LibCal as one run talks to it.
pub struct LibCal<'a> {
    client: Client,
    config: &'a config::LibCal,
    tokens: TokenCache,
}

/// The list of one location, as far as it was read.
#[derive(Debug, Default)]
pub struct Listing {
    /// The rows that can be read, each once.
    pub rows: Vec<Row>,
    /// The rows that cannot.
    pub unreadable: Vec<UnreadableRow>,
    /// The identity of each row of either, in their order.
    pub ids: RowIds,
    /// Why the list was not read to the end, if it was not; what was read is above.
    pub failure: Option<String>,
    /// Its pages, if it was read to the end.
    pub pages: PageFingerprints,
}

/// The rows of a page, not yet read.
struct RawRows<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for RawRows<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Rows;
        impl<'de> Visitor<'de> for Rows {
            type Value = Vec<&'de RawValue>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of rows")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Self::Value, A::Error> {
                let mut rows = Vec::new();
                while let Some(row) = all.next_element()? {
                    // A page of nothing but the shortest rows could have millions.
                    if rows.len() == MAX_PAGE_ROWS {
                        return Err(de::Error::custom("too many rows"));
                    }
                    rows.push(row);
                }
                Ok(rows)
            }
        }
        deserializer.deserialize_seq(Rows).map(Self)
    }
}

impl<'a> LibCal<'a> {
    /// LibCal behind that client.
    #[must_use]
    pub fn new(client: Client, config: &'a config::LibCal) -> Self {
        Self {
            client,
            config,
            tokens: TokenCache::default(),
        }
    }

    /// Gets a token, unless there is one.
    ///
    /// # Errors
    /// [`Failure`] where LibCal does not issue one.
    pub fn ensure_token(&self) -> Result<(), Failure> {
        self.tokens.ensure_token(None, &|| self.login()).map(|_| ())
    }

    /// Reads all bookings of one location, page by page.
    ///
    /// `date` is the first day; by default, today in the library's own time zone.
    #[must_use]
    pub fn list(&self, location: LocationId, date: Option<NaiveDate>) -> Listing {
        let mut list = PagedList::new(1);
        while list.requested_if_ready().is_some() {
            let number = list.request_next();
            list.add(number, self.read_page(location, date, number));
        }
        list.finish()
    }

    /// Reads one page of the bookings of one location: `GET {bookings_endpt}`.
    ///
    /// # Errors
    /// Why it could not be fetched or read.
    pub fn read_page(
        &self,
        location: LocationId,
        date: Option<NaiveDate>,
        number: usize,
    ) -> Result<Page, String> {
        let response = self.fetch_page(location, date, number);
        let response = response.map_err(|failure| failure.cause)?;
        let body = json::cleaned(&response.body);
        let rows = serde_json::from_str::<RawRows<'_>>(&body);
        let rows = rows.map_err(|error| describe_bad_page(&error))?;
        let question = Question {
            field: &self.config.primary_id_field,
            pattern: self.config.primary_id_pattern.as_ref(),
        };
        let rows = rows.0.iter();
        let rows = rows.map(|raw| row::parse_row(raw.get(), location, question));
        Ok(Page {
            rows: rows.collect(),
            bytes: response.body.len(),
        })
    }

    fn fetch_page(
        &self,
        location: LocationId,
        date: Option<NaiveDate>,
        page: usize,
    ) -> Result<Response, Failure> {
        let ask = |token: &str| {
            let request = self.page_request(location, date, page);
            let bearer = format!("Bearer {token}");
            self.client.send(&request.header("Authorization", bearer))
        };
        let response = self
            .tokens
            .with_token(|| self.login(), is_token_expired, ask)?;
        if response.status == 401 {
            // Perhaps we have no access to this location alone.
            return Err(Failure::not_processed(format!(
                "LibCal rejected a new token (401 Unauthorized): check that {TOKEN_KEY} and {BOOKINGS_KEY} belong to the same system"
            )));
        }
        if response.is_success() && is_list(&response) {
            return Ok(response);
        }
        Err(Failure::not_processed(format!(
            "LibCal did not return the bookings ({}): {}",
            describe_response(&response),
            what_to_check(&response)
        )))
    }

    fn page_request(
        &self,
        location: LocationId,
        date: Option<NaiveDate>,
        page: usize,
    ) -> Request<'static> {
        let (lid, limit, page) = (
            location.to_string(),
            PAGE_SIZE.to_string(),
            page.to_string(),
        );
        let days = self.config.days.to_string();
        let date = date.map(|date| date.to_string());
        let mut query = vec![
            ("lid", lid.as_str()),
            ("limit", &limit),
            ("page", &page),
            ("days", &days),
            // The old spelling and the new one: it is not known which systems accept which.
            ("formAnswers", "1"),
            ("form_answers", "1"),
        ];
        if let Some(date) = &date {
            query.push(("date", date));
        }
        Request::get(self.config.bookings_endpt.as_str().to_owned(), BOOKINGS_KEY)
            .query(&query)
            .max_body_mib(MAX_PAGE_MIB)
            .about(lid)
    }

    /// Gets a token: `POST {credentials_endpt}`.
    fn login(&self) -> Result<String, Failure> {
        let request = Request::post(self.config.credentials_endpt.as_str().to_owned(), TOKEN_KEY)
            .form(&[
                ("client_id", self.config.client_id.expose_secret()),
                ("client_secret", self.config.client_secret.expose_secret()),
                ("grant_type", "client_credentials"),
            ]);
        let response = self.client.send(&request)?;
        // Bad credentials are a 400, and a 200 on older systems.
        let is_wrong_address = matches!(response.status, 404 | 405);
        if !is_wrong_address
            && (error_field(&response).is_some() || matches!(response.status, 400 | 401 | 403))
        {
            return Err(Failure::not_processed(format!(
                "LibCal rejected the credentials ({}): check LibCal.client_id and LibCal.client_secret",
                describe_response(&response)
            )));
        }
        let token = response
            .json()
            .and_then(|body| body["access_token"].as_str().map(str::to_owned));
        match token {
            Some(token) if response.is_success() && !token.is_empty() => Ok(token),
            _ => Err(Failure::not_processed(format!(
                "LibCal did not issue a token ({}): check {TOKEN_KEY}",
                describe_response(&response)
            ))),
        }
    }
}

/// What is wrong with a page that begins as a list does.
fn describe_bad_page(error: &serde_json::Error) -> String {
    let what = if error.is_data() {
        // As JSON it is good.
        format!("LibCal sent more than {MAX_PAGE_ROWS} rows on one page")
    } else {
        "LibCal sent an unexpected response (not a list of bookings)".to_owned()
    };
    format!("{what}: check {BOOKINGS_KEY}")
}

/// Whether a body begins as a list does; HTML and the like do not come from the API.
fn is_list(response: &Response) -> bool {
    response.body.trim_ascii_start().starts_with(b"[")
}

/// What is most likely wrong where LibCal gives no list.
fn what_to_check(response: &Response) -> String {
    match response.status {
        400 => "check the IDs in LibCal.locations".into(),
        403 => {
            "check that the API client LibCal.client_id may read space bookings (scope sp_r)".into()
        }
        // LibCal answers a bad id like that, with an error of its own.
        200..=299 if error_field(response).is_some() => "check the IDs in LibCal.locations".into(),
        _ => format!("check {BOOKINGS_KEY}"),
    }
}

fn is_token_expired(response: &Response) -> bool {
    response.status == 401 || error_field(response).is_some()
}

/// The `error` of a body, if it has one.
fn error_field(response: &Response) -> Option<Value> {
    // A list has none, and is too long to be read for that.
    if !response.body.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    let mut body = response.json()?;
    body.get_mut("error")
        .map(Value::take)
        .filter(|error| !error.is_null())
}

/// The status, with the error's code if it is nothing but a code: a text might hold a patron's data.
fn describe_response(response: &Response) -> String {
    let status = status_text(response.status);
    let code = error_field(response).and_then(|error| error.as_str().map(str::to_owned));
    match code {
        Some(code) if is_code(&code) => format!("{status} with the error {code}"),
        Some(_) => format!("{status} with an error"),
        None if response.is_success() => format!("{status} with unexpected content"),
        None => status,
    }
}

fn is_code(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}
