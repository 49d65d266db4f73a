//! Reads each section of the file into its type: the required keys, the rule for the value of
//! each key, and the defaults.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::address::{Address, Endpoint, HOME_NOT_EXPANDED};
use super::mistake::Mistake;
use super::reader::{ConfigFile, Section, Value};
use super::yaml::Node;
use super::{
    Alma, Cache, Config, IdPattern, LibCal, Location, Network, PassagePoint, Refuse, Secret,
};
use crate::model::LocationId;

/// Reads the whole file.
pub(super) fn read(text: &str, root: &Node) -> Result<Config, Vec<Mistake>> {
    let file = ConfigFile::new(text);
    let whole = file.value(root);
    let config = match root {
        Node::Map(_) => whole.section().and_then(|root| config(&root)),
        Node::Null => whole.reject("is empty: start from config.yml.example"),
        other => whole.reject(format!(
            "must have the sections LibCal, Alma and PassagePoint, but is {}",
            other.kind()
        )),
    };
    let mistakes = file.into_mistakes();
    config.filter(|_| mistakes.is_empty()).ok_or(mistakes)
}

fn config(root: &Section) -> Option<Config> {
    let libcal = root.required("LibCal", Value::section);
    let libcal = libcal.and_then(|section| libcal_section(&section));
    let alma = root.required("Alma", Value::section);
    let alma = alma.and_then(|section| alma_section(&section));
    let locations = libcal.as_ref().map(|libcal| &libcal.locations[..]);
    let passagepoint = root.required("PassagePoint", Value::section);
    let passagepoint = passagepoint
        .and_then(|section| passagepoint_section(&section, locations.unwrap_or_default()));
    let is_used = |key: &&'static str| root.get(key).is_some_and(|value| !value.is_empty());
    Some(Config {
        cache: cache_section(&root.optional_section("Cache")),
        network: network_section(&root.optional_section("Network")),
        unused_sections: ["LCPP", "Emails"].into_iter().filter(is_used).collect(),
        libcal: libcal?,
        alma: alma?,
        passagepoint: passagepoint?,
    })
}

fn libcal_section(section: &Section) -> Option<LibCal> {
    let client_id = section.required("client_id", secret);
    let client_secret = section.required("client_secret", secret);
    let credentials_endpt = section.required("credentials_endpt", address);
    let bookings_endpt = section.required("bookings_endpt", address);
    let primary_id_field = section.required("primary_id_field", name);
    let locations = section.required("locations", locations);
    let statuses = vec!["Mediated Approved".into(), "Confirmed".into()];
    let pattern = |value: &Value| value.checked(IdPattern::read).map(Some);
    Some(LibCal {
        primary_id_pattern: section.optional("primary_id_pattern", None, |value| {
            value.unless_empty(pattern)
        }),
        statuses: section.optional("statuses", statuses, |value| {
            value.non_empty_list(Value::text)
        }),
        days: section.optional("days", 0, |value| value.number(0..=365)),
        client_id: client_id?,
        client_secret: client_secret?,
        credentials_endpt: credentials_endpt?,
        bookings_endpt: bookings_endpt?,
        primary_id_field: primary_id_field?,
        locations: locations?,
    })
}

fn alma_section(section: &Section) -> Option<Alma> {
    let apikeys = section.required("apikeys", |value| value.one_or_non_empty_list(secret));
    let users_endpt = section.required("users_endpt", address);
    let barcode_types = vec!["BARCODE".into(), "01".into()];
    let refused = |value: &Value| value.unless_empty(|value| value.list(refuse));
    Some(Alma {
        barcode_types: section.optional("barcode_types", barcode_types, |value| {
            value.non_empty_list(Value::text)
        }),
        refuse: section.optional("refuse", Vec::new(), refused),
        requests_per_second: section
            .optional("requests_per_second", 25, |value| value.number(1..=10_000)),
        refresh_days: section.optional("refresh_days", 1, |value| value.number(0..=3650)),
        apikeys: apikeys?,
        users_endpt: users_endpt?,
    })
}

fn passagepoint_section(section: &Section, locations: &[Location]) -> Option<PassagePoint> {
    let username = section.required("username", secret);
    let password = section.required("password", secret);
    let pp_api_root = section.required("pp_api_root", address);
    let location_mapping = section.required("location_mapping", |value| {
        location_mapping(value, locations)
    });
    let endpoint = |key, default| {
        section.optional(key, Endpoint::new(default), |value| {
            value.checked(Endpoint::read)
        })
    };
    Some(PassagePoint {
        login_endpt: endpoint("login_endpt", "/pp/api/v2/auth/login"),
        create_visitor_endpt: endpoint("create_visitor_endpt", "/pp/api/v2/person/createVisitor"),
        unique_id_endpt: endpoint("uniqueId_endpt", "/pp/api/v2/person/byUniqueId"),
        create_prereg_endpt: endpoint("create_prereg_endpt", "/pp/api/v2/visit/createPreReg"),
        get_destinations_endpt: endpoint(
            "get_destinations_endpt",
            "/pp/api/v2/visit/getDestinations",
        ),
        user_mapping: section.optional("user_mapping", BTreeMap::new(), |value| {
            value.unless_empty(user_mapping)
        }),
        username: username?,
        password: password?,
        pp_api_root: pp_api_root?,
        location_mapping: location_mapping?,
    })
}

fn cache_section(section: &Section) -> Cache {
    Cache {
        path: section.optional("path", "cache.db".into(), path),
    }
}

fn network_section(section: &Section) -> Network {
    Network {
        timeout_seconds: section.optional("timeout_seconds", 30, |value| value.number(1..=600)),
        tries: section.optional("tries", 3, |value| value.number(1..=10)),
        concurrency: section.optional("concurrency", 8, |value| value.number(1..=64)),
    }
}

fn secret(value: &Value) -> Option<Secret> {
    value.plain_text(|text| Secret::read(text, value.place()))
}

fn address(value: &Value) -> Option<Address> {
    value.checked(Address::read)
}

fn name(value: &Value) -> Option<String> {
    value.checked(|text| match text.trim() {
        "" => Err("is empty".into()),
        text => Ok(text.to_owned()),
    })
}

fn path(value: &Value) -> Option<PathBuf> {
    value.checked(|text| match text {
        "" => Err("is empty".into()),
        home if home.starts_with('~') => Err(HOME_NOT_EXPANDED.into()),
        path => Ok(path.into()),
    })
}

fn refuse(value: &Value) -> Option<Refuse> {
    value.checked(|text| match text {
        "inactive" => Ok(Refuse::Inactive),
        "expired" => Ok(Refuse::Expired),
        "blocked" => Ok(Refuse::Blocked),
        _ => Err("must be inactive, expired or blocked".into()),
    })
}

fn locations(value: &Value) -> Option<Vec<Location>> {
    let seen = RefCell::new(BTreeSet::new());
    value.non_empty_list(|element| {
        let section = element.section()?;
        let name = section.required("name", name);
        let id = section.required("id", |value| {
            let id = value.location()?;
            if !seen.borrow_mut().insert(id) {
                return value.reject(format!("location {id} appears twice: remove one"));
            }
            Some(LocationId(id))
        });
        Some(Location {
            name: name?,
            id: id?,
        })
    })
}

/// The destination of each location; each of the `locations` must have one.
fn location_mapping(value: &Value, locations: &[Location]) -> Option<BTreeMap<LocationId, String>> {
    let mut mapping = BTreeMap::new();
    let mut complete = true;
    for (key, destination) in value.entries()? {
        let id = key.location_key();
        let Some((id, name)) = id.and_then(|id| Some((id, destination.unless_empty(Value::text)?)))
        else {
            complete = false;
            continue;
        };
        if mapping.insert(LocationId(id), name).is_some() {
            key.reject::<()>(format!("location {id} appears twice: remove one"));
        }
    }
    for Location { name, id } in locations.iter().filter(|_| complete) {
        let what = match mapping.get(id) {
            Some(destination) if destination.trim().is_empty() => {
                format!("the destination of location {id} ({name}) is empty")
            }
            Some(_) => continue,
            None => format!(
                "no destination for location {id} ({name}): add a line `{id}: name of its destination`"
            ),
        };
        value.reject::<()>(what);
    }
    Some(mapping)
}

fn user_mapping(value: &Value) -> Option<BTreeMap<String, String>> {
    let mut mapping = BTreeMap::new();
    for (key, category) in value.entries()? {
        let (Some(group), Some(category)) = (key.key(), category.unless_empty(Value::text)) else {
            continue;
        };
        if mapping.insert(group, category).is_some() {
            key.reject::<()>("this user group appears twice: remove one");
        }
    }
    Some(mapping)
}
