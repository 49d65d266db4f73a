//! A secret of the configuration: a text that cannot print itself.

use std::fmt;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::address::HOME_NOT_EXPANDED;
use crate::messages::io_reason;

/// A password, a key or a name to log in with.
///
/// Until [`Secret::resolve`] it may still be `env:NAME` or `file:/path`.
/// `Debug` shows no part of it, and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    text: String,
    source: Source,
}

/// Where a secret was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// In the configuration itself.
    Configuration,
    /// In the environment.
    Environment,
    /// In that file.
    File(PathBuf),
}

impl Secret {
    /// Reads a secret, or the place where it is, as the configuration has it.
    ///
    /// # Errors
    /// What is wrong, without the secret.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("is empty".into());
        }
        if text.starts_with("file:~") {
            return Err(HOME_NOT_EXPANDED.into());
        }
        Ok(Self {
            text: text.to_owned(),
            source: Source::Configuration,
        })
    }

    /// The secret itself, for the request that needs it and for nothing else.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        &self.text
    }

    /// Where it was found, once it is resolved.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Puts what `env:NAME` or `file:/path` stands for in its place; a relative
    /// path starts at `folder`.
    ///
    /// # Errors
    /// What is wrong, without the secret: nothing there, empty, or holding a
    /// character that no request can carry.
    pub fn resolve(&mut self, folder: &Path) -> Result<(), String> {
        if let Some(name) = self.text.strip_prefix("env:") {
            let found = std::env::var(name).map_err(|_| {
                format!("the environment variable {name} is not set, or is not text")
            })?;
            found.trim().clone_into(&mut self.text);
            self.source = Source::Environment;
        } else if let Some(path) = self.text.strip_prefix("file:") {
            let path = folder.join(path);
            let found = read_limited(&path).map_err(|error| match error.kind() {
                ErrorKind::InvalidData => format!("{} is not UTF-8 text", path.display()),
                _ => format!("cannot read {}: {}", path.display(), io_reason(&error)),
            })?;
            // Windows' editors put a mark before the first word.
            let found = found.trim_start_matches('\u{feff}');
            found.trim().clone_into(&mut self.text);
            self.source = Source::File(path);
        }
        if self.text.is_empty() {
            return Err("is empty".into());
        }
        if self.text.chars().any(char::is_control) {
            return Err("contains a line break or another control character".into());
        }
        Ok(())
    }
}

/// Reads no more than a secret can have, whatever the file is.
fn read_limited(path: &Path) -> std::io::Result<String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print_itself() {
        let secret = Secret::read("hunter2").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(not shown)");
    }

    #[test]
    fn a_secret_with_a_line_break_is_refused() {
        let mut secret = Secret::read("two\nlines").unwrap();
        let error = secret.resolve(Path::new("")).unwrap_err();
        assert!(error.contains("line break") && !error.contains("two"));
    }
}
