//! Alma's responses, in all the shapes they come in.

use chrono::NaiveDate;
use serde_json::Value;

use crate::config::{self, Refuse};
use crate::http::Response;
use crate::json::text;
use crate::model::{Barcode, Reason};

/// An Alma user, as far as PassagePoint needs to know them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The active barcode of the type that is preferred.
    pub barcode: Barcode,
    /// The user group's description; empty if there is none.
    pub group: String,
    /// The first name; may be blank.
    pub first_name: String,
    /// The last name; may be blank.
    pub last_name: String,
}

/// What kind of error Alma reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ErrorKind {
    /// No such user in this institution zone.
    NotFound,
    /// The key is not accepted.
    KeyRejected,
    /// Access is denied, but not in Alma's words: perhaps a firewall before it rejects the ID.
    AccessDenied,
    /// The day's requests are used up.
    DailyThreshold,
    /// Any other error, the threshold for one second among them.
    Other,
}

/// The kind of error of a response, or `None` if it is not an error.
pub(super) fn error_kind(response: &Response) -> Option<ErrorKind> {
    let codes = error_codes(response);
    if codes.is_empty() && response.is_success() {
        return None;
    }
    let has = |wanted: &[&str]| codes.iter().any(|code| wanted.contains(&code.as_str()));
    // 401861: no such user; 401890: none with an identifier of that type.
    if has(&["401861", "401890"]) {
        return Some(ErrorKind::NotFound);
    }
    if has(&["DAILY_THRESHOLD"]) {
        return Some(ErrorKind::DailyThreshold);
    }
    if has(&["UNAUTHORIZED", "FORBIDDEN"]) {
        return Some(ErrorKind::KeyRejected);
    }
    Some(match response.status {
        401 => ErrorKind::KeyRejected,
        403 if has(&["INVALID_REQUEST"]) => ErrorKind::KeyRejected,
        403 => ErrorKind::AccessDenied,
        _ => ErrorKind::Other,
    })
}

/// All error codes of a response, be it JSON, XML or text.
fn error_codes(response: &Response) -> Vec<String> {
    if let Some(body) = response.json() {
        let root = body.get("web_service_result").unwrap_or(&body);
        let errors = &root["errorList"]["error"];
        return match errors {
            Value::Array(list) => list.iter().filter_map(error_code).collect(),
            one => error_code(one).into_iter().collect(),
        };
    }
    if response.is_success() {
        return Vec::new();
    }
    let text = response.text();
    if text.contains("errorCode>") {
        let after_tag = text.split("errorCode>").skip(1);
        return after_tag
            .map(|rest| rest.split('<').next().unwrap_or_default().trim().to_owned())
            .collect();
    }
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

fn error_code(error: &Value) -> Option<String> {
    text(&error["errorCode"])
}

/// What a response says of a user.
pub(super) enum ParsedUser {
    /// It is not a user.
    NotAUser,
    /// None of the user's barcodes is active.
    NoActiveBarcode,
    /// The user is one of those to be refused.
    Refused(Reason),
    /// The user.
    Found(User),
}

/// Reads a user, as of today.
pub(super) fn parse_user(
    response: &Response,
    config: &config::Alma,
    today: NaiveDate,
) -> ParsedUser {
    let body = response.json().unwrap_or_default();
    if body.get("primary_id").is_none() && body.get("user_identifier").is_none() {
        return ParsedUser::NotAUser;
    }
    let refusals = [
        (Refuse::Inactive, inactive_reason(&body)),
        (Refuse::Expired, expired_reason(&body, today)),
        (Refuse::Blocked, blocked_reason(&body)),
    ];
    let refused = refusals
        .into_iter()
        .find_map(|(kind, reason)| reason.filter(|_| config.refuse.contains(&kind)));
    if let Some(reason) = refused {
        return ParsedUser::Refused(reason);
    }
    let mut types = config.barcode_types.iter();
    let Some(barcode) = types.find_map(|kind| find_barcode(&body, kind)) else {
        return ParsedUser::NoActiveBarcode;
    };
    ParsedUser::Found(User {
        barcode,
        group: text(&body["user_group"]["desc"]).unwrap_or_default(),
        first_name: text(&body["first_name"]).unwrap_or_default(),
        last_name: text(&body["last_name"]).unwrap_or_default(),
    })
}

fn inactive_reason(body: &Value) -> Option<Reason> {
    let status = text(&body["status"]["value"])?;
    (!status.eq_ignore_ascii_case("ACTIVE")).then_some(Reason::UserInactive)
}

/// The expiry date is a day with a `Z` after it; the user is valid until its end.
fn expired_reason(body: &Value, today: NaiveDate) -> Option<Reason> {
    let date = text(&body["expiry_date"])?;
    let day = NaiveDate::parse_from_str(date.get(..10)?, "%Y-%m-%d").ok()?;
    (day < today).then_some(Reason::UserExpired(day))
}

fn blocked_reason(body: &Value) -> Option<Reason> {
    let mut blocks = body["user_block"].as_array()?.iter();
    let is_active = |block: &Value| {
        text(&block["block_status"]).is_some_and(|status| status.eq_ignore_ascii_case("ACTIVE"))
    };
    blocks.any(is_active).then_some(Reason::UserBlocked)
}

/// The first barcode of that type that is not one of a lost card.
fn find_barcode(body: &Value, kind: &str) -> Option<Barcode> {
    if kind.eq_ignore_ascii_case("PRIMARY_ID") {
        return text(&body["primary_id"]).map(Barcode);
    }
    let identifiers = body["user_identifier"].as_array()?;
    identifiers.iter().find_map(|identifier| {
        let is_kind = text(&identifier["id_type"]["value"])
            .is_some_and(|value| value.eq_ignore_ascii_case(kind.trim()));
        let is_active =
            text(&identifier["status"]).is_none_or(|status| status.eq_ignore_ascii_case("ACTIVE"));
        text(&identifier["value"])
            .filter(|_| is_kind && is_active)
            .map(Barcode)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_valid_until_the_end_of_the_day_on_which_they_expire() {
        let body = serde_json::json!({"expiry_date": "2026-11-24Z"});
        let day = NaiveDate::from_ymd_opt(2026, 11, 24).unwrap();
        assert_eq!(expired_reason(&body, day), None);
        let reason = Some(Reason::UserExpired(day));
        assert_eq!(expired_reason(&body, day.succ_opt().unwrap()), reason);
    }

    proptest::proptest! {
        #[test]
        fn no_answer_makes_reading_a_user_panic(
            status in 100..600_u16,
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300),
            value in crate::json::any_value(),
            field in 0..9_usize,
        ) {
            let names = [
                "user_identifier", "user_group", "errorList", "web_service_result", "first_name",
                "status", "expiry_date", "user_block", "primary_id",
            ];
            let example = config::Config::load("config.yml.example".as_ref());
            let mut config = example.unwrap().alma;
            config.barcode_types.insert(0, "PRIMARY_ID".into());
            config.refuse = vec![Refuse::Inactive, Refuse::Expired, Refuse::Blocked];
            let mut user = serde_json::json!({"primary_id": "G1"});
            user[names[field]] = value;
            for body in [bytes, user.to_string().into_bytes()] {
                let response = Response::of(status, body);
                error_kind(&response);
                parse_user(&response, &config, NaiveDate::MAX);
            }
        }
    }
}
