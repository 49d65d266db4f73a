//! A location's number, and what is kept for each location.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::model::LocationId;

impl<'de> Deserialize<'de> for LocationId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneLocation)
    }
}

struct OneLocation;

impl Visitor<'_> for OneLocation {
    type Value = LocationId;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a location's number")
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<LocationId, E> {
        Ok(LocationId(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<LocationId, E> {
        i64::try_from(value)
            .map(LocationId)
            .map_err(|_| E::custom("is too large for a location's number"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<LocationId, E> {
        value
            .trim()
            .parse()
            .map(LocationId)
            .map_err(|_| E::custom("is not a location's number"))
    }
}

/// Reads the destination of each location; none may stand there twice.
pub(super) fn mapping<'de, D>(deserializer: D) -> Result<BTreeMap<LocationId, String>, D::Error>
where
    D: Deserializer<'de>,
{
    deserializer.deserialize_map(Mapping)
}

struct Mapping;

impl<'de> Visitor<'de> for Mapping {
    type Value = BTreeMap<LocationId, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut mapping = BTreeMap::new();
        while let Some((id, destination)) = entries.next_entry::<LocationId, String>()? {
            if mapping.insert(id, destination).is_some() {
                return Err(A::Error::custom(format!(
                    "location {id} stands there twice"
                )));
            }
        }
        Ok(mapping)
    }
}
