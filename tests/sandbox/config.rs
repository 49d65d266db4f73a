//! The sandbox's `config.yml`: kept as a value, changed by dotted keys, written as YAML.

use serde_json::{Map, Value, json};

use super::libcal::{BOOKINGS_PATH, TOKEN_PATH};
use super::world::World;
use super::{alma, booking::FORM_FIELD};

/// The roots of the three services' addresses.
pub(super) struct Urls {
    pub(super) libcal: String,
    pub(super) alma: String,
    pub(super) passagepoint: String,
}

/// A configuration that fits the world.
pub(super) fn fitting(world: &World, urls: &Urls) -> Value {
    json!({
        "LibCal": {
            "client_id": world.client_id,
            "client_secret": world.client_secret,
            "credentials_endpt": format!("{}{TOKEN_PATH}", urls.libcal),
            "bookings_endpt": format!("{}{BOOKINGS_PATH}", urls.libcal),
            "primary_id_field": FORM_FIELD,
            "locations": [
                {"name": "Main Library", "id": 8827},
                {"name": "Science Library", "id": 10332},
            ],
        },
        "Alma": {
            "apikeys": world.alma_keys,
            "users_endpt": format!("{}{}", urls.alma, alma::USERS_PATH),
            "requests_per_second": 1000,
        },
        "PassagePoint": {
            "username": world.username,
            "password": world.password,
            "pp_api_root": urls.passagepoint,
            "location_mapping": {"8827": "LibCal Main", "10332": "LibCal Science"},
            "user_mapping": {"gw und": "Student", "gw staff": "Staff"},
        },
        "Network": {"timeout_seconds": 2, "tries": 2, "concurrency": 4},
    })
}

/// Sets the value at a dotted key, making the maps on the way; `text` is JSON, or else itself a string.
pub(super) fn set(config: &mut Value, key: &str, text: &str) {
    let value = serde_json::from_str(text).unwrap_or_else(|_| text.into());
    let mut place = config;
    for part in key.split('.') {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        place = &mut place[part];
    }
    *place = value;
}

/// Removes what stands at a dotted key, if anything does.
pub(super) fn remove(config: &mut Value, key: &str) {
    let (parent, name) = match key.rsplit_once('.') {
        Some((parent, name)) => (format!("/{}", parent.replace('.', "/")), name),
        None => (String::new(), key),
    };
    if let Some(Value::Object(members)) = config.pointer_mut(&parent) {
        members.remove(name);
    }
}

/// The file's text: a line for each section.
pub(super) fn to_yaml(config: &Value) -> String {
    let Value::Object(sections) = config else {
        return flow(config);
    };
    let lines: Vec<String> = sections
        .iter()
        .map(|(name, section)| format!("{name}: {}", flow(section)))
        .collect();
    lines.join("\n") + "\n"
}

/// YAML's one-line style, which is JSON but for the keys: `{8827: x}` has a number as its key, as people write it.
fn flow(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|(key, value)| format!("{}: {}", flow_key(key), flow(value)))
                .collect();
            format!("{{{}}}", members.join(", "))
        }
        Value::Array(elements) => {
            let elements: Vec<String> = elements.iter().map(flow).collect();
            format!("[{}]", elements.join(", "))
        }
        scalar => scalar.to_string(),
    }
}

fn flow_key(key: &str) -> String {
    let is_number = key
        .parse::<u64>()
        .is_ok_and(|number| number.to_string() == key);
    let plain = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ' ';
    let is_name = !key.is_empty() && key.trim() == key && key.chars().all(plain);
    if is_number || is_name {
        return key.to_owned();
    }
    Value::from(key).to_string()
}
