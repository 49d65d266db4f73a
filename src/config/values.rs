//! The kinds of value that the configuration holds, each checked as it is read,
//! so that the error comes with its key and line.

use std::fmt;
use std::marker::PhantomData;
use std::net::IpAddr;

use serde::de::{Error, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use ureq::http::Uri;

/// The address of a service: `https:`, or `http:` on this machine only. It has
/// no user name, query or fragment, and no slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Checked(Self::read))
    }
}

impl Address {
    fn read(text: &str) -> Result<Self, String> {
        let text = text.trim().trim_end_matches('/').to_owned();
        if text == "https:" || text == "http:" {
            return Err(no_address("it has no host"));
        }
        let uri: Uri = text
            .parse()
            .map_err(|_| no_address("it cannot be read as one"))?;
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| no_address("it has no host"))?;
        if uri
            .authority()
            .is_some_and(|authority| authority.as_str().contains('@'))
        {
            return Err(no_address("a user name does not belong in it"));
        }
        if text.contains(['?', '#']) {
            return Err(no_address(
                "a query (`?`) or fragment (`#`) does not belong in it",
            ));
        }
        match uri.scheme_str() {
            Some("https") => Ok(Self(text)),
            Some("http") if is_loopback(host) => Ok(Self(text)),
            Some("http") => Err(
                "http: would send secrets in the clear, and is accepted on this machine only: use https:"
                    .into(),
            ),
            _ => Err(no_address("it does not begin with https:")),
        }
    }
}

fn no_address(why: &str) -> String {
    format!("is not an address like https://library.example.edu/path: {why}")
}

/// Whether a host, as it stands in an address, is this machine by its name or number.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

/// The path of one endpoint below a server's root; always begins with a slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(String);

impl Endpoint {
    /// A path that is known to be right.
    pub(super) fn new(path: &str) -> Self {
        Self(path.to_owned())
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Checked(Self::read))
    }
}

impl Endpoint {
    fn read(text: &str) -> Result<Self, String> {
        // The Python program's own example leaves the first slash out of one of them.
        let path = format!("/{}", text.trim().trim_start_matches('/'));
        let plain = path.len() > 1 && !path.contains("://") && !path.contains(['?', '#']);
        if !plain || path.parse::<Uri>().is_err() {
            return Err("is not a path like /pp/api/v2/auth/login".into());
        }
        Ok(Self(path))
    }
}

/// Reads a text that must not be blank.
pub(super) fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    deserializer.deserialize_str(Checked(|text| match text.trim() {
        "" => Err("is empty".into()),
        text => Ok(text.to_owned()),
    }))
}

/// Text with a rule. What breaks it is told while YAML's reader is still at the
/// text, and so the error gets the key and the line.
pub(super) struct Checked<T>(pub(super) fn(&str) -> Result<T, String>);

impl<T> Visitor<'_> for Checked<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        self.0(text).map_err(E::custom)
    }
}

/// Reads a list that must not be empty.
pub(super) fn at_least_one<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_seq(AtLeastOne::default())
}

/// A list that must not be empty.
pub(super) struct AtLeastOne<T>(PhantomData<T>);

impl<T> Default for AtLeastOne<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for AtLeastOne<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element()? {
            list.push(element);
        }
        if list.is_empty() {
            return Err(A::Error::custom("is an empty list"));
        }
        Ok(list)
    }
}

/// Reads a list of texts that must not be empty; a number in it is a text too
/// (Alma's barcode type `01` need not be quoted).
pub(super) fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "text or a whole number")]
    enum Text {
        Text(String),
        Number(i64),
    }
    let list: Vec<Text> = at_least_one(deserializer)?;
    let text = |one| match one {
        Text::Text(text) => text,
        Text::Number(number) => number.to_string(),
    };
    Ok(list.into_iter().map(text).collect())
}

/// Reads a section that may be left empty, as when each of its lines is commented out.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads a whole number from `LEAST` to `MOST`.
pub(super) fn within<'de, D, const LEAST: u32, const MOST: u32>(
    deserializer: D,
) -> Result<u32, D::Error>
where
    D: Deserializer<'de>,
{
    deserializer.deserialize_u32(Within {
        least: LEAST,
        most: MOST,
    })
}

struct Within {
    least: u32,
    most: u32,
}

impl Visitor<'_> for Within {
    type Value = u32;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number from {} to {}", self.least, self.most)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<u32, E> {
        u32::try_from(value)
            .ok()
            .filter(|number| (self.least..=self.most).contains(number))
            .ok_or_else(|| E::invalid_value(Unexpected::Unsigned(value), &self))
    }
}

/// The YAML reader's message in a library person's words, and without the value
/// or the odd key that it complains of: that may be a secret in the wrong place.
pub(super) fn plain_words(message: &str) -> String {
    let shown = hide_value(&hide_group(&hide_odd_key(message)));
    shown
        .replace("unknown field", "unknown key")
        .replace("missing field", "missing key")
        .replace("duplicate field", "key stands twice:")
        .replace("invalid type: unit value", "is empty")
        .replace("invalid value: integer, expected", "out of range: expected")
        .replace(
            "invalid type: integer, expected a whole",
            "out of range: expected a whole",
        )
        .replace("invalid type: floating", "invalid type: decimal number")
        .replace("invalid type: sequence", "invalid type: list")
        .replace("invalid type: map", "invalid type: section")
        .replace("invalid type: ", "wrong kind of value: ")
        .replace("expected a sequence", "expected a list")
        .replace("expected a map", "expected a section of keys")
        .replace("expected a string", "expected text")
        .replace("expected u32", "expected a whole number")
        .replace(
            "expected struct Config",
            "expected the sections LibCal, Alma and PassagePoint",
        )
        .replace("expected struct Location", "expected {name: ..., id: ...}")
        .replace("expected struct ", "expected a section of keys for ")
}

/// Hides an unknown key that does not look like one. Behind a quote that was never
/// closed the rest of the file is a key, with all the secrets in it.
fn hide_odd_key(message: &str) -> String {
    const MARK: &str = "unknown field `";
    let Some(start) = message.find(MARK).map(|at| at + MARK.len()) else {
        return message.to_owned();
    };
    let end = message.rfind("`, expected").filter(|end| *end >= start);
    let (end, rest) = end.map_or((message.len(), ""), |end| (end, &message[end..]));
    let key = &message[start..end];
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if key.len() <= LONGEST_KEY && key.chars().all(is_plain) {
        return message.to_owned();
    }
    format!(
        "{}(not shown: is a quote or bracket left open before it?){rest}",
        &message[..start]
    )
}

/// Longer than our own keys, and shorter than Alma's.
const LONGEST_KEY: usize = 30;

/// Hides whose category is wrong: a user group is any text, as an odd key is.
fn hide_group(message: &str) -> String {
    const SECTION: &str = "PassagePoint.user_mapping";
    let end = message.rfind(": invalid ").unwrap_or_default();
    match message.strip_prefix(SECTION) {
        Some(group) if group.starts_with('.') && end > SECTION.len() => {
            format!("{SECTION}{}", &message[end..])
        }
        _ => message.to_owned(),
    }
}

/// Cuts `string "abc"` down to `string` in an `invalid type` or `invalid value` message.
fn hide_value(message: &str) -> String {
    let Some(start) = ["invalid type: ", "invalid value: "]
        .iter()
        .find_map(|mark| message.find(mark).map(|at| at + mark.len()))
    else {
        return message.to_owned();
    };
    let Some(end) = message.rfind(", expected ").filter(|end| *end > start) else {
        return message[..start].to_owned();
    };
    // "unit value" is the one kind whose name has two words and no value behind it.
    let kind = match &message[start..end] {
        "unit value" => "unit value",
        shown => shown.split([' ', '`']).next().unwrap_or_default(),
    };
    format!("{}{kind}{}", &message[..start], &message[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Result<Address, String> {
        Address::read(text)
    }

    #[test]
    fn http_is_for_this_machine_only() {
        for ok in [
            "http://127.0.0.1:81/x",
            "http://localhost/x",
            "http://[::1]:8/x",
            "https://a.example/x",
        ] {
            assert!(address(ok).is_ok(), "{ok}");
        }
        for bad in [
            "http://a.example/x",
            "http://localhost@a.example/x",
            "http://127.0.0.1.a.example/x",
            "http://localhost.a.example",
        ] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_is_whole_and_nothing_more() {
        for bad in [
            "",
            "library",
            "/path",
            "https://",
            "ftp://a.example",
            "https://u:p@a.example",
            "https://a.example/?x=1",
            "https://a.example/#x",
        ] {
            let error = address(bad).unwrap_err();
            assert!(!error.contains("u:p"), "{error}");
        }
        assert_eq!(
            address("https://a.example/x/").unwrap().as_str(),
            "https://a.example/x"
        );
    }

    #[test]
    fn an_endpoint_may_lack_its_first_slash() {
        let endpoint = Endpoint::read("pp/api/v2/visit/getDestinations").unwrap();
        assert_eq!(endpoint.as_str(), "/pp/api/v2/visit/getDestinations");
        assert!(Endpoint::read("https://a.example/pp").is_err());
        assert!(Endpoint::read("/").is_err());
    }

    #[test]
    fn a_value_in_the_wrong_place_is_not_repeated() {
        let shown = plain_words(
            r#"Alma: invalid type: string "s3cret, expected x", expected struct Alma at line 3 column 9"#,
        );
        assert_eq!(
            shown,
            "Alma: wrong kind of value: string, expected a section of keys for Alma at line 3 column 9"
        );
        let shown =
            plain_words("LibCal.client_id: invalid type: floating point `1.5`, expected text");
        assert_eq!(
            shown,
            "LibCal.client_id: wrong kind of value: decimal number, expected text"
        );
    }
}
