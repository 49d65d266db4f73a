//! PassagePoint's responses, in all the shapes they come in.

use serde_json::Value;

use super::Answer;
use crate::http::{Delivery, Disposition, Failure, Response, classify_by_status, status_text};
use crate::model::{Barcode, VisitorId};

/// How PassagePoint says that a visitor with this barcode exists already; seen with several statuses.
pub(super) const ALREADY_EXISTS: &str = "ALREADY_EXIST_UNIQUE_ID";

/// That a visitor exists already is an answer, whatever the status.
pub(super) fn classify_visitor(response: &Response) -> Disposition {
    if response.text().contains(ALREADY_EXISTS) {
        return Disposition::Answer;
    }
    classify(response)
}

/// 403 rejects us, and not only this person or visit.
pub(super) fn classify(response: &Response) -> Disposition {
    match response.status {
        403 => Disposition::Rejected("the permissions of PassagePoint.username"),
        _ => classify_login(response),
    }
}

/// 404 and 405 come from a server that has nothing at that address.
pub(super) fn classify_login(response: &Response) -> Disposition {
    match response.status {
        404 | 405 => Disposition::WrongAddress,
        _ => classify_by_status(response),
    }
}

/// Reads the id of what was created. A success with an error in its place created nothing.
pub(super) fn read_created<Id>(
    response: &Response,
    keys: &str,
    of_text: fn(String) -> Id,
) -> Result<Answer<Id>, Failure> {
    if !response.is_success() {
        return Ok(Answer::Refused(response.status));
    }
    let body = response.json().unwrap_or_default();
    let id = records_of(&body).and_then(|list| list.iter().find_map(|one| id_text(&one["id"])));
    match id {
        Some(id) => Ok(Answer::Id(of_text(id))),
        None if has_error(&body) => Ok(Answer::Refused(response.status)),
        None => Err(unexpected_response(response, keys)),
    }
}

/// Reads the id of the visitor who has that barcode; `None` if nobody has.
pub(super) fn read_visitor(
    response: &Response,
    barcode: &Barcode,
    keys: &str,
) -> Result<Option<Answer<VisitorId>>, Failure> {
    if !response.is_success() {
        return Ok(Some(Answer::Refused(response.status)));
    }
    let body = response.json().unwrap_or_default();
    let records = records_of(&body);
    let record = records.and_then(|records| find_record(records, barcode));
    let id = record.and_then(|record| id_text(&record["id"]));
    match (records, record, id) {
        (_, _, Some(id)) => Ok(Some(Answer::Id(VisitorId(id)))),
        _ if has_error(&body) => Ok(Some(Answer::Refused(response.status))),
        (Some(_), None, _) => Ok(None),
        _ => Err(unexpected_response(response, keys)),
    }
}

/// The record of a visitor with that barcode, or the only one if none says which it has.
fn find_record<'v>(records: &'v [Value], barcode: &Barcode) -> Option<&'v Value> {
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

/// Whether a body has an error, whatever the status.
pub(super) fn has_error(body: &Value) -> bool {
    body.get("error").is_some_and(|error| !error.is_null())
}

/// The list of a response: under `data`, or the response itself.
fn records_of(body: &Value) -> Option<&Vec<Value>> {
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
pub(super) fn collect_texts(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text.clone()),
        Value::Array(list) => list.iter().for_each(|one| collect_texts(one, texts)),
        Value::Object(fields) => fields.values().for_each(|one| collect_texts(one, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

pub(super) fn status_with_error(status: u16, has_error: bool) -> String {
    let error = if has_error { " with an error" } else { "" };
    format!("{}{error}", status_text(status))
}

/// A success without an id: the request may have been carried out, or the server at that address
/// is not PassagePoint.
pub(super) fn unexpected_response(response: &Response, keys: &str) -> Failure {
    Failure {
        delivery: Delivery::Unknown,
        ..Failure::not_processed(format!(
            "PassagePoint sent an unexpected response ({}): check {keys}",
            status_text(response.status)
        ))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    proptest::proptest! {
        #[test]
        fn no_answer_makes_reading_an_id_panic(
            status in 100..600_u16,
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300),
            value in crate::json::any_value(),
        ) {
            for body in [bytes, value.to_string().into_bytes(), json!({"data": value}).to_string().into_bytes()] {
                let response = Response::of(status, body);
                let _ = read_created(&response, "keys", VisitorId);
                let _ = read_visitor(&response, &Barcode("1".into()), "keys");
                classify_visitor(&response);
                if let Some(body) = response.json() {
                    records_of(&body);
                    collect_texts(&body, &mut Vec::new());
                }
            }
        }
    }
}
