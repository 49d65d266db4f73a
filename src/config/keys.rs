//! The keys of the configuration, and the likely meaning of a misspelled one.

/// The sections and their keys; the first are the sections themselves.
pub(super) const KEYS: [(&str, &[&str]); 7] = [
    (
        "",
        &[
            "LibCal",
            "Alma",
            "PassagePoint",
            "Cache",
            "Network",
            "LCPP",
            "Emails",
        ],
    ),
    (
        "LibCal",
        &[
            "client_id",
            "client_secret",
            "credentials_endpt",
            "bookings_endpt",
            "primary_id_field",
            "primary_id_pattern",
            "locations",
            "statuses",
            "days",
        ],
    ),
    ("LibCal.locations", &["name", "id"]),
    (
        "Alma",
        &[
            "apikeys",
            "users_endpt",
            "barcode_types",
            "refuse",
            "requests_per_second",
            "refresh_days",
        ],
    ),
    (
        "PassagePoint",
        &[
            "username",
            "password",
            "pp_api_root",
            "login_endpt",
            "create_visitor_endpt",
            "uniqueId_endpt",
            "create_prereg_endpt",
            "get_destinations_endpt",
            "location_mapping",
            "user_mapping",
        ],
    ),
    ("Cache", &["path"]),
    ("Network", &["timeout_seconds", "tries", "concurrency"]),
];

/// Whether a text names a key of the configuration, such as `LibCal.days`.
#[must_use]
pub fn names_key(text: &str) -> bool {
    let names = |section: &str, key: &str| text.contains(&format!("{section}.{key}"));
    let mut sections = KEYS.iter().filter(|(section, _)| !section.is_empty());
    sections.any(|(section, keys)| keys.iter().any(|key| names(section, key)))
}

/// The section that a key belongs to, and the key.
pub(super) fn section_of(key: &str) -> Option<(&'static str, &'static str)> {
    KEYS.iter().find_map(|(section, keys)| {
        let known = keys.iter().find(|known| **known == key)?;
        Some((*section, *known))
    })
}

/// The key that is most similar to an unknown key, if one is similar enough.
pub(super) fn most_similar(
    key: &str,
    keys: impl Iterator<Item = &'static str>,
) -> Option<&'static str> {
    let key = key.to_lowercase().replace('-', "_");
    let likeness = |known: &str| strsim::jaro_winkler(&key, &known.to_lowercase());
    keys.map(|known| (likeness(known), known))
        .filter(|(likeness, _)| *likeness > 0.85)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, known)| known)
}

/// Longer than our own keys, and shorter than Alma's API keys.
const LONGEST_KEY: usize = 30;

/// Whether a key is safe to print. After a quote that was never closed the rest of the file is a
/// key, with all the secrets in it.
pub(super) fn is_safe_to_print(key: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    key.len() <= LONGEST_KEY && key.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelled_key_is_recognized_by_its_similarity() {
        for (typed, meant) in [
            ("statusses", Some("statuses")),
            ("Days", Some("days")),
            ("client-id", Some("client_id")),
            ("clientid", Some("client_id")),
            ("locaton", Some("locations")),
            ("colour", None),
            ("x", None),
        ] {
            let keys = KEYS[1].1.iter().copied();
            assert_eq!(most_similar(typed, keys), meant, "{typed}");
        }
    }

    #[test]
    fn the_readme_has_each_key_in_its_table() {
        let text = include_str!("../../README.md");
        let (_, table) = text.split_once("| key | what it is | default |\n").unwrap();
        let rows = table.lines().skip(1).take_while(|row| row.starts_with('|'));
        let cells = rows.filter_map(|row| row.split('|').nth(1));
        let mut section = "";
        let mut explained = Vec::new();
        for name in cells.flat_map(|cell| cell.split(',')) {
            let name = name.trim().trim_matches('`');
            let (of, key) = name.split_once('.').unwrap_or((section, name));
            section = of;
            explained.push((section, key));
        }
        // The sections themselves have no row, and the keys of a location stand in that of the list.
        let own = KEYS
            .iter()
            .filter(|(name, _)| !["", "LibCal.locations"].contains(name));
        let known: Vec<_> = own
            .flat_map(|(section, keys)| keys.iter().map(|key| (*section, *key)))
            .collect();
        assert_eq!(explained, known);
    }
}
