//! A secret of the configuration: a text that cannot print itself.

use std::fmt;
use std::io::Read;
use std::path::Path;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::values::AtLeastOne;

/// A password, a key or a name to log in with.
///
/// Until [`Secret::resolve`] it may still be `env:NAME` or `file:/path`.
/// `Debug` shows no part of it, and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret itself, for the request that needs it and for nothing else.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        &self.0
    }

    /// Puts what `env:NAME` or `file:/path` stands for in its place; a relative
    /// path starts at `folder`.
    ///
    /// # Errors
    /// What is wrong, without the secret: nothing there, empty, or holding a
    /// character that no request can carry.
    pub fn resolve(&mut self, folder: &Path) -> Result<(), String> {
        if let Some(name) = self.0.strip_prefix("env:") {
            let found = std::env::var(name)
                .map_err(|_| format!("the environment variable {name} is not set, or not text"))?;
            found.trim().clone_into(&mut self.0);
        } else if let Some(path) = self.0.strip_prefix("file:") {
            let path = folder.join(path);
            let found = read_a_little(&path)
                .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            found.trim().clone_into(&mut self.0);
        }
        if self.0.is_empty() {
            return Err("is empty".into());
        }
        if self.0.chars().any(char::is_control) {
            return Err("holds a line break or another control character".into());
        }
        Ok(())
    }
}

/// Reads no more than a secret can have, whatever the file is.
fn read_a_little(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?
        .take(64 << 10)
        .read_to_string(&mut text)?;
    Ok(text)
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(not shown)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneSecret)
    }
}

struct OneSecret;

impl Visitor<'_> for OneSecret {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text (in quotes, if YAML takes it for something else)")
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Secret, E> {
        if value.trim().is_empty() {
            return Err(E::custom("is empty"));
        }
        Ok(Secret(value.trim().to_owned()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Secret, E> {
        Ok(Secret(value.to_string()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Secret, E> {
        Ok(Secret(value.to_string()))
    }
}

/// Reads a list of secrets; a single one may stand without a list around it.
pub(super) fn one_or_more<'de, D>(deserializer: D) -> Result<Vec<Secret>, D::Error>
where
    D: Deserializer<'de>,
{
    deserializer.deserialize_any(OneOrMore)
}

struct OneOrMore;

impl<'de> Visitor<'de> for OneOrMore {
    type Value = Vec<Secret>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of keys")
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Vec<Secret>, E> {
        OneSecret.visit_str(value).map(|secret| vec![secret])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Vec<Secret>, A::Error> {
        AtLeastOne::default().visit_seq(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print_itself() {
        let secret = Secret("hunter2".into());
        assert_eq!(format!("{secret:?}"), "Secret(not shown)");
    }

    #[test]
    fn a_secret_with_a_line_break_is_refused() {
        let mut secret = Secret("two\nlines".into());
        let error = secret.resolve(Path::new("")).unwrap_err();
        assert!(error.contains("line break") && !error.contains("two"));
    }
}
