//! A secret of the configuration: text that cannot be printed by accident.

use std::env::{self, VarError};
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
    /// Its line and key in the configuration.
    place: String,
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
    /// Reads a secret, or where it is to be found, as the configuration has it at that place.
    ///
    /// # Errors
    /// What is wrong, without the secret.
    pub(super) fn read(text: &str, place: String) -> Result<Self, String> {
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
            place,
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

    /// Its line and key in the configuration, as they are put after the file's name.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Puts what `env:NAME` or `file:/path` stands for in its place; a relative
    /// path starts at `folder`.
    ///
    /// # Errors
    /// What is wrong, without the secret: nothing there, empty, or holding a
    /// character that no request can carry.
    pub fn resolve(&mut self, folder: &Path) -> Result<(), String> {
        if let Some(name) = self.text.strip_prefix("env:") {
            let found = from_environment(name)?;
            found.trim().clone_into(&mut self.text);
            self.source = Source::Environment;
        } else if let Some(path) = self.text.strip_prefix("file:") {
            let path = folder.join(path);
            let found = from_file(&path)?;
            found.trim().clone_into(&mut self.text);
            self.source = Source::File(path);
        }
        if self.text.chars().any(char::is_control) {
            return Err(
                "contains a line break or another control character: write the secret alone, on one line"
                    .into(),
            );
        }
        Ok(())
    }
}

fn from_environment(name: &str) -> Result<String, String> {
    match env::var(name) {
        Ok(found) if found.trim().is_empty() => {
            Err(format!("the environment variable {name} is empty: set it"))
        }
        Ok(found) => Ok(found),
        Err(VarError::NotPresent) => Err(format!(
            "the environment variable {name} is not set: set it, in the crontab or the unit too"
        )),
        Err(VarError::NotUnicode(_)) => Err(format!(
            "the environment variable {name} is not UTF-8 text: set it again"
        )),
    }
}

fn from_file(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let found = read_limited(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => format!(
            "there is no file {shown}: create it with the secret in it, or correct the path"
        ),
        ErrorKind::PermissionDenied => format!(
            "{shown} cannot be read by this account: give it the file with chown, or run the command as the account that runs the sync"
        ),
        ErrorKind::InvalidData => format!("{shown} is not UTF-8 text: save it as UTF-8"),
        _ => format!("cannot read {shown}: {}", io_reason(&error)),
    })?;
    // Windows' editors put a mark before the first word.
    let found = found.trim_start_matches('\u{feff}');
    if found.trim().is_empty() {
        return Err(format!("{shown} is empty: write the secret into it"));
    }
    Ok(found.to_owned())
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
        let secret = Secret::read("hunter2", String::new()).unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(not shown)");
    }

    #[test]
    fn a_secret_with_a_line_break_is_refused() {
        let mut secret = Secret::read("two\nlines", String::new()).unwrap();
        let error = secret.resolve(Path::new("")).unwrap_err();
        assert!(error.contains("line break") && !error.contains("two"));
    }
}
