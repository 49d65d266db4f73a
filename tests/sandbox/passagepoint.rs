//! PassagePoint's stand-in: login, visitors, pre-registrations, destinations.

use serde_json::{Map, Value, json};

use super::http::{Answer, ReceivedRequest, Service};
use super::world::{Denial, PreReg, TokenState, Visitor, VisitorList, World};

const LOGIN: &str = "/pp/api/v2/auth/login";
const CREATE_VISITOR: &str = "/pp/api/v2/person/createVisitor";
const BY_UNIQUE_ID: &str = "/pp/api/v2/person/byUniqueId";
const CREATE_PREREG: &str = "/pp/api/v2/visit/createPreReg";
const GET_DESTINATIONS: &str = "/pp/api/v2/visit/getDestinations";

/// What PassagePoint answers.
pub fn answer(world: &mut World, seen: &ReceivedRequest) -> Answer {
    let act = match (seen.path.as_str(), seen.method.as_str()) {
        (LOGIN, "POST") => return login(world, seen).unwrap_or_else(|answer| answer),
        (CREATE_VISITOR, "POST") => create_visitor,
        (BY_UNIQUE_ID, "GET") => by_unique_id,
        (CREATE_PREREG, "POST") => create_prereg,
        (GET_DESTINATIONS, "GET") => get_destinations,
        (LOGIN | CREATE_VISITOR | BY_UNIQUE_ID | CREATE_PREREG | GET_DESTINATIONS, _) => {
            return world.wrong_method(seen);
        }
        _ => return world.no_such_path(seen),
    };
    check_token(world, seen)
        .and_then(|()| act(world, seen))
        .unwrap_or_else(|answer| answer)
}

/// The answer to a request that is granted, or to one that is rejected.
type Outcome = Result<Answer, Answer>;

fn login(world: &mut World, seen: &ReceivedRequest) -> Outcome {
    let fields = json_strings(world, seen, &["password", "username"])?;
    if fields["username"] != world.username || fields["password"] != world.password {
        return Err(denied(world, "Invalid username or password"));
    }
    let token = world.issue_token(Service::PassagePoint);
    Ok(Answer::json(200, &json!({"token": token})))
}

fn denied(world: &World, error: &str) -> Answer {
    let status = match world.denial {
        Denial::ByStatus => 401,
        Denial::ErrorIn200 => 200,
    };
    failed(status, error)
}

fn failed(status: u16, error: &str) -> Answer {
    Answer::json(status, &json!({"error": error}))
}

fn wrong(world: &mut World, seen: &ReceivedRequest, why: &str) -> Answer {
    world.object(seen, why, failed(400, why))
}

fn check_token(world: &mut World, seen: &ReceivedRequest) -> Result<(), Answer> {
    let token = seen.header("token").unwrap_or_default();
    match world.token_state(Service::PassagePoint, token) {
        TokenState::Live => Ok(()),
        TokenState::Dead => Err(denied(world, "Token expired")),
        TokenState::Unknown => {
            let answer = denied(world, "Invalid token");
            Err(world.object(seen, "no token that was ever issued", answer))
        }
    }
}

/// The body's members, which are to be these and no other, all strings.
fn json_strings(
    world: &mut World,
    seen: &ReceivedRequest,
    names: &[&str],
) -> Result<Map<String, Value>, Answer> {
    if !seen.is_of_type("application/json") {
        return Err(wrong(world, seen, "Content-Type is not application/json"));
    }
    if !seen.query.is_empty() {
        return Err(wrong(world, seen, "a query, where none is known"));
    }
    let Ok(members) = serde_json::from_str::<Map<String, Value>>(&seen.body) else {
        return Err(wrong(world, seen, "the body is not a JSON object"));
    };
    let fits = members.len() == names.len()
        && names
            .iter()
            .all(|&name| members.get(name).is_some_and(Value::is_string));
    if !fits {
        let why = format!("the body is not exactly {names:?}, all strings");
        return Err(wrong(world, seen, &why));
    }
    Ok(members)
}

fn create_visitor(world: &mut World, seen: &ReceivedRequest) -> Outcome {
    let visitor = read_visitor(world, seen).map_err(|why| wrong(world, seen, &why))?;
    let mut known = world.visitors.iter();
    if known.any(|it| it.unique_id == visitor.unique_id) {
        let error = json!({"error": {
            "code": "ALREADY_EXIST_UNIQUE_ID",
            "message": "A person with this unique id exists already",
        }});
        return Err(Answer::json(world.already_exists_status, &error));
    }
    let id = world.next_id();
    world.visitors.push(Visitor { id, ..visitor });
    Ok(Answer::json(200, &json!({"data": [{"id": id}]})))
}

/// The visitor a request describes, still without an id.
fn read_visitor(world: &World, seen: &ReceivedRequest) -> Result<Visitor, String> {
    if !seen.body.is_empty() {
        return Err("a body, where all belongs into the query".to_owned());
    }
    if !seen.is_of_type("application/json") {
        return Err("Content-Type is not application/json".to_owned());
    }
    let needed = [
        "category",
        "firstName",
        "lastName",
        "mobilePhoneNo",
        "uniqueId",
    ];
    for (at, (name, value)) in seen.query.iter().enumerate() {
        if !needed.contains(&name.as_str()) && name != "email" {
            return Err(format!("the unknown parameter {name}"));
        }
        if value.trim().is_empty() {
            return Err(format!("{name} is blank"));
        }
        if seen.query[..at].iter().any(|(before, _)| before == name) {
            return Err(format!("{name} appears twice"));
        }
    }
    let given = |name: &str| match seen.parameter(name) {
        Some(value) => Ok(value.to_owned()),
        None => Err(format!("{name} is missing")),
    };
    let category = given("category")?;
    if !world.categories.contains(&category) {
        return Err(format!("the unknown category {category}"));
    }
    Ok(Visitor {
        id: 0,
        unique_id: given("uniqueId")?,
        category,
        first_name: given("firstName")?,
        last_name: given("lastName")?,
        email: seen.parameter("email").map(str::to_owned),
        mobile_phone_no: given("mobilePhoneNo")?,
    })
}

fn by_unique_id(world: &mut World, seen: &ReceivedRequest) -> Outcome {
    let barcode = match seen.query.as_slice() {
        [(name, value)] if name == "uniqueId" && !value.trim().is_empty() => value,
        _ => return Err(wrong(world, seen, "the query is not one uniqueId")),
    };
    let visitors: Vec<Value> = world
        .visitors
        .iter()
        .filter(|visitor| visitor.unique_id == *barcode)
        .map(|visitor| json!({"id": visitor.id, "uniqueId": visitor.unique_id}))
        .collect();
    let reply = match world.visitor_list {
        VisitorList::UnderData => json!({"data": visitors}),
        VisitorList::Bare => json!(visitors),
    };
    Ok(Answer::json(200, &reply))
}

fn create_prereg(world: &mut World, seen: &ReceivedRequest) -> Outcome {
    let names = ["startTime", "endTime", "visitorId", "destination"];
    let members = json_strings(world, seen, &names)?;
    let text = |name: &str| members[name].as_str().unwrap_or_default();
    let (Some(starts_at), Some(ends_at)) = (time(text("startTime")), time(text("endTime"))) else {
        let why = "a time that is not Unix seconds of ten digits";
        return Err(wrong(world, seen, why));
    };
    if ends_at <= starts_at {
        return Err(wrong(world, seen, "the end is not after the start"));
    }
    let Ok(visitor_id) = text("visitorId").parse::<i64>() else {
        return Err(wrong(world, seen, "visitorId is not a number"));
    };
    // A visitor or destination may have gone since: that is an error, but no mistake in the request.
    if !world.visitors.iter().any(|it| it.id == visitor_id) {
        return Err(failed(400, "VISITOR_NOT_FOUND"));
    }
    let destination = text("destination").to_owned();
    if !world.destinations.contains(&destination) {
        return Err(failed(400, "DESTINATION_NOT_FOUND"));
    }
    let id = world.next_id();
    world.preregs.push(PreReg {
        id,
        visitor_id,
        destination,
        starts_at,
        ends_at,
    });
    Ok(Answer::json(200, &json!({"data": [{"id": id}]})))
}

fn time(text: &str) -> Option<i64> {
    let digits = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

fn get_destinations(world: &mut World, seen: &ReceivedRequest) -> Outcome {
    if !seen.query.is_empty() {
        return Err(wrong(world, seen, "a query, where none is known"));
    }
    let named = |(at, name): (usize, &String)| json!({"id": at + 1, "name": name});
    let destinations: Vec<Value> = world.destinations.iter().enumerate().map(named).collect();
    Ok(Answer::json(200, &json!({"data": destinations})))
}
