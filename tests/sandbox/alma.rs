//! Alma's stand-in: one user, found by primary ID or any other identifier in the zone of the key.

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::http::{Answer, ReceivedRequest};
use super::world::{NotFoundShape, World};

/// The path that users stand under.
pub const USERS_PATH: &str = "/almaws/v1/users";

/// What Alma answers.
pub fn answer(world: &mut World, seen: &ReceivedRequest) -> Answer {
    let segment = seen.path.strip_prefix(USERS_PATH);
    let Some(segment) = segment.and_then(|rest| rest.strip_prefix('/')) else {
        return world.no_such_path(seen);
    };
    if segment.is_empty() || segment.contains('/') {
        let answer = Answer::text(404, "Not Found");
        return world.object(seen, "the id is not one path segment", answer);
    }
    if seen.method != "GET" {
        return world.wrong_method(seen);
    }
    if let Err(why) = check(seen, segment) {
        let error = error("GENERAL_ERROR", "The request is not valid.");
        return world.object(seen, why, Answer::json(400, &failure(&json!([error]))));
    }
    let zone = match zone(world, seen) {
        Ok(zone) => zone,
        Err(answer) => return answer,
    };
    let id = percent_decode_str(segment).decode_utf8_lossy();
    let mut users = world.users.iter();
    let mut answer = match users.find(|user| user.zone == zone && user.answers_to(&id)) {
        Some(user) => Answer::json(200, &user.to_json()),
        None => not_found(world.not_found_shape, &id),
    };
    if let Some(left) = world.alma_calls_left.get_mut(zone) {
        *left = left.saturating_sub(1);
        let header = ("X-Exl-Api-Remaining".to_owned(), left.to_string());
        answer.headers.push(header);
    }
    answer
}

fn check(seen: &ReceivedRequest, segment: &str) -> Result<(), &'static str> {
    if segment.contains(['+', ' ']) {
        return Err("a raw + or space in the id");
    }
    if percent_decode_str(segment).decode_utf8().is_err() {
        return Err("the id is not UTF-8");
    }
    if !seen.query.is_empty() {
        return Err("a query, where none is known");
    }
    if seen.header("accept") != Some("application/json") {
        return Err("Accept is not application/json, so the answer would be XML");
    }
    Ok(())
}

/// The zone that the request's key sees.
fn zone(world: &mut World, seen: &ReceivedRequest) -> Result<usize, Answer> {
    let message = "API-key not defined or not configured to allow this API.";
    let error = error("UNAUTHORIZED", message);
    let answer = Answer::json(403, &failure(&json!([error])));
    let authorization = seen.header("authorization").unwrap_or_default();
    let Some(key) = authorization.strip_prefix("apikey ") else {
        let why = "the Authorization header is not `apikey KEY`";
        return Err(world.object(seen, why, answer));
    };
    let mut keys = world.alma_keys.iter();
    keys.position(|known| known == key).ok_or(answer)
}

fn not_found(shape: NotFoundShape, id: &str) -> Answer {
    let (code, kind) = match shape {
        NotFoundShape::TypedIdentifier => ("401890", " of type 01"),
        _ => ("401861", ""),
    };
    let message = format!("User with identifier {id}{kind} was not found.");
    let error = error(code, &message);
    match shape {
        NotFoundShape::Json400 | NotFoundShape::TypedIdentifier => {
            Answer::json(400, &failure(&json!([error])))
        }
        NotFoundShape::Json404 => Answer::json(404, &failure(&json!([error]))),
        NotFoundShape::ErrorObject => Answer::json(400, &failure(&error)),
        NotFoundShape::Wrapped => {
            let wrapped = json!({"web_service_result": failure(&json!([error]))});
            Answer::json(400, &wrapped)
        }
        NotFoundShape::Xml400 => Answer::new(400, "application/xml;charset=UTF-8", xml(&message)),
    }
}

fn error(code: &str, message: &str) -> Value {
    json!({
        "errorCode": code,
        "errorMessage": message,
        "trackingId": "E01-0101010101-SANDBOX-AWAE1234567",
    })
}

/// The documented shape around one error object or an array of them.
fn failure(error: &Value) -> Value {
    json!({"errorsExist": true, "errorList": {"error": error}, "result": null})
}

fn xml(message: &str) -> String {
    let message = message.replace('&', "&amp;").replace('<', "&lt;");
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\
         <web_service_result xmlns=\"http://com/exlibris/urm/general/xmlbeans\">\
         <errorsExist>true</errorsExist><errorList><error><errorCode>401861</errorCode>\
         <errorMessage>{message}</errorMessage></error></errorList></web_service_result>"
    )
}
