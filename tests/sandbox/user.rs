//! A user of Alma, built for a test. Finding and telling one is left to `alma`.

use serde_json::{Value, json};

use super::booking::apply;

/// Someone whom Alma knows: in zone 0, of group `gw und`, without a barcode until one is given.
#[derive(Clone, Debug)]
pub struct User {
    /// The primary ID.
    pub primary_id: String,
    /// The institution zone: a place in the list of Alma's keys.
    pub zone: usize,
    /// Barcodes and whatever else finds the user.
    pub identifiers: Vec<Identifier>,
    /// The user group's `desc`.
    pub group: String,
    /// The first name.
    pub first_name: String,
    /// The last name.
    pub last_name: String,
    /// Fields of the reply set (`Some`) or taken away (`None`), in the order they were asked for.
    pub changes: Vec<(String, Option<Value>)>,
}

/// One of a user's identifiers.
#[derive(Clone, Debug)]
pub struct Identifier {
    /// The barcode, net id, ...
    pub value: String,
    /// `BARCODE`, `01`, ...
    pub id_type: String,
    /// `ACTIVE`, `INACTIVE`, or not there.
    pub status: Option<String>,
}

impl User {
    /// A user of this primary ID.
    pub fn new(primary_id: &str) -> Self {
        Self {
            primary_id: primary_id.to_owned(),
            zone: 0,
            identifiers: Vec::new(),
            group: "gw und".to_owned(),
            first_name: "Pat".to_owned(),
            last_name: "Example".to_owned(),
            changes: Vec::new(),
        }
    }

    /// Adds an active barcode.
    pub fn barcode(self, value: &str) -> Self {
        self.identifier(value, "BARCODE", Some("ACTIVE"))
    }

    /// Adds the barcode of a lost card.
    pub fn inactive_barcode(self, value: &str) -> Self {
        self.identifier(value, "BARCODE", Some("INACTIVE"))
    }

    /// Adds any identifier.
    pub fn identifier(mut self, value: &str, id_type: &str, status: Option<&str>) -> Self {
        self.identifiers.push(Identifier {
            value: value.to_owned(),
            id_type: id_type.to_owned(),
            status: status.map(str::to_owned),
        });
        self
    }

    /// Sets the user group's `desc`.
    pub fn group(mut self, desc: &str) -> Self {
        desc.clone_into(&mut self.group);
        self
    }

    /// Sets the first and last name.
    pub fn name(mut self, first: &str, last: &str) -> Self {
        first.clone_into(&mut self.first_name);
        last.clone_into(&mut self.last_name);
        self
    }

    /// Sets the institution zone.
    pub fn zone(mut self, zone: usize) -> Self {
        self.zone = zone;
        self
    }

    /// Sets any field of the reply to anything.
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.changes.push((field.to_owned(), Some(value)));
        self
    }

    /// Takes a field of the reply away.
    pub fn without(mut self, field: &str) -> Self {
        self.changes.push((field.to_owned(), None));
        self
    }

    /// Whether Alma finds the user by this: primary IDs in any case, identifiers exactly.
    pub(super) fn answers_to(&self, id: &str) -> bool {
        // Most IDs are ASCII, and a benchmark asks for thousands among thousands.
        self.primary_id.eq_ignore_ascii_case(id)
            || (!id.is_ascii() && self.primary_id.to_lowercase() == id.to_lowercase())
            || self.identifiers.iter().any(|it| it.value == id)
    }

    /// The user as Alma tells it.
    pub(super) fn to_json(&self) -> Value {
        let identifiers: Vec<Value> = self.identifiers.iter().map(Identifier::to_json).collect();
        let mut user = json!({
            "record_type": {"value": "PUBLIC", "desc": "Public"},
            "primary_id": self.primary_id,
            "first_name": self.first_name,
            "middle_name": "",
            "last_name": self.last_name,
            "full_name": format!("{} {}", self.first_name, self.last_name),
            "user_group": {"value": "7", "desc": self.group},
            "preferred_language": {"value": "en", "desc": "English"},
            "account_type": {"value": "EXTERNAL", "desc": "External"},
            "status": {"value": "ACTIVE", "desc": "Active"},
            "contact_info": {
                "address": [],
                "email": [{
                    "email_address": "pat@example.edu",
                    "email_type": [{"value": "school", "desc": "School"}],
                    "preferred": true,
                }],
                "phone": [],
            },
            "user_identifier": identifiers,
            "user_role": [],
            "user_block": [],
        });
        if let Value::Object(fields) = &mut user {
            apply(fields, self.changes.iter().cloned());
        }
        user
    }
}

impl Identifier {
    fn to_json(&self) -> Value {
        let mut identifier = json!({
            "value": self.value,
            "id_type": {"value": self.id_type, "desc": self.id_type.to_lowercase()},
            "note": null,
            "segment_type": "External",
        });
        if let Some(status) = &self.status {
            identifier["status"] = status.as_str().into();
        }
        identifier
    }
}
