//! Alma's answers, in all the shapes they come in.

use serde_json::Value;

use crate::http::Reply;
use crate::json::text;
use crate::model::Barcode;

/// An Alma user, as far as PassagePoint needs to know them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The first barcode that is active.
    pub barcode: Barcode,
    /// The user group's description; empty if there is none.
    pub group: String,
    /// The first name; may be blank.
    pub first_name: String,
    /// The last name; may be blank.
    pub last_name: String,
}

/// What an error's code means to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// No such user in this institution zone.
    NotFound,
    /// The key is not accepted.
    KeyRejected,
    /// The day's requests are used up.
    DailyThreshold,
    /// Any other error, the threshold for one second among them.
    Other,
}

/// The meaning of an answer that is an error, or nothing if it is none.
pub(super) fn code_of(reply: &Reply) -> Option<Code> {
    let codes = error_codes(reply);
    if codes.is_empty() && reply.is_success() {
        return None;
    }
    let has = |wanted: &[&str]| codes.iter().any(|code| wanted.contains(&code.as_str()));
    // 401861: no such user; 401890: none with an identifier of that type.
    if has(&["401861", "401890"]) {
        return Some(Code::NotFound);
    }
    if has(&["DAILY_THRESHOLD"]) {
        return Some(Code::DailyThreshold);
    }
    if has(&["UNAUTHORIZED", "FORBIDDEN"]) || matches!(reply.status, 401 | 403) {
        return Some(Code::KeyRejected);
    }
    Some(Code::Other)
}

/// All error codes of an answer, be it JSON, XML or text.
fn error_codes(reply: &Reply) -> Vec<String> {
    if let Some(body) = reply.json() {
        let root = body.get("web_service_result").unwrap_or(&body);
        let errors = &root["errorList"]["error"];
        return match errors {
            Value::Array(list) => list.iter().filter_map(error_code).collect(),
            one => error_code(one).into_iter().collect(),
        };
    }
    if reply.is_success() {
        return Vec::new();
    }
    let text = reply.text();
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

/// Reads a user: nothing if the answer is no user, `Some(None)` if none of the
/// user's barcodes is active.
#[allow(
    clippy::option_option,
    reason = "both absences are answers, and this stays in one module"
)]
pub(super) fn user_of(reply: &Reply, barcode_types: &[String]) -> Option<Option<User>> {
    let body = reply.json()?;
    let fields = body.as_object()?;
    if !fields.contains_key("primary_id") && !fields.contains_key("user_identifier") {
        return None;
    }
    let identifiers = body["user_identifier"].as_array();
    let barcode = identifiers.and_then(|list| {
        list.iter()
            .find_map(|one| active_barcode(one, barcode_types))
    });
    Some(barcode.map(|barcode| User {
        barcode,
        group: text(&body["user_group"]["desc"]).unwrap_or_default(),
        first_name: text(&body["first_name"]).unwrap_or_default(),
        last_name: text(&body["last_name"]).unwrap_or_default(),
    }))
}

/// The value of an identifier, if it is a barcode and not one of a lost card.
fn active_barcode(identifier: &Value, barcode_types: &[String]) -> Option<Barcode> {
    let kind = text(&identifier["id_type"]["value"])?;
    if !barcode_types
        .iter()
        .any(|wanted| wanted.eq_ignore_ascii_case(&kind))
    {
        return None;
    }
    let status = text(&identifier["status"]);
    if status.is_some_and(|status| !status.eq_ignore_ascii_case("ACTIVE")) {
        return None;
    }
    text(&identifier["value"]).map(Barcode)
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn no_answer_makes_reading_a_user_panic(
            status in 100..600_u16,
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300),
            value in crate::json::any_value(),
            field in 0..5_usize,
        ) {
            let names = ["user_identifier", "user_group", "errorList", "web_service_result", "first_name"];
            let mut user = serde_json::json!({"primary_id": "G1"});
            user[names[field]] = value;
            for body in [bytes, user.to_string().into_bytes()] {
                let reply = Reply::of(status, body);
                code_of(&reply);
                user_of(&reply, &["BARCODE".to_owned()]);
            }
        }
    }
}
