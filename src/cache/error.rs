//! SQLite's errors in plain words: which file, what is wrong with it, and what to do.

use std::path::Path;

use rusqlite::{ErrorCode, ffi};

use super::BUSY_TIMEOUT;
use crate::files;

/// The error that SQLite gives with that code.
pub(super) fn sqlite_error(code: i32) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
}

/// One line about an error that was met with the cache at that path.
pub(super) fn error_message(path: &Path, error: &rusqlite::Error) -> String {
    let code = error.sqlite_error_code();
    if let Some(message) = code.and_then(|code| owner_message(path, code)) {
        return message;
    }
    let path = path.display();
    match code {
        Some(ErrorCode::NotADatabase) => {
            format!(
                "{path} is not a cache, nor any other SQLite file: move it away, or name another file with Cache.path or --db"
            )
        }
        Some(ErrorCode::ReadOnly) => format!(
            "the cache {path} is read-only: give its owner write permission for the file and its folder"
        ),
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            format!(
                "no permission to open the cache {path}: run the command as the account that runs the sync, or correct the permissions of the file and its folder"
            )
        }
        Some(ErrorCode::DiskFull) => {
            format!("the cache {path} cannot be written: the disk is full")
        }
        Some(ErrorCode::SystemIoFailure) => format!(
            "the cache {path} cannot be read or written: check whether the disk is full or failing"
        ),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => format!(
            "the cache {path} was locked by another program for {} s: end that program, or try again",
            BUSY_TIMEOUT.as_secs()
        ),
        Some(ErrorCode::DatabaseCorrupt) => {
            format!(
                "the cache {path} is damaged: remove {path}-wal and {path}-shm if they exist, then restore a backup, or move it away"
            )
        }
        None if is_bad_value(error) => format!(
            "the cache {path} has a value in it that libcal-pp never writes: restore a backup, or move it away"
        ),
        _ => format!("the cache {path} cannot be used: {error}"),
    }
}

/// One line about a file of another account, the cache or what SQLite keeps beside it, if that is why
/// there was an error with this code.
fn owner_message(path: &Path, code: ErrorCode) -> Option<String> {
    let is_about_permissions = matches!(
        code,
        ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly
    );
    if !is_about_permissions || files::is_root() {
        return None;
    }
    let beside = ["-wal", "-shm"].map(|suffix| files::sibling(path, suffix));
    let mut files = [path.to_owned()].into_iter().chain(beside);
    let file = files.find(|file| files::is_of_another_account(file))?;
    Some(format!(
        "the cache's file {} belongs to another account: run the command as the account that runs the sync, or make that its owner with chown",
        file.display()
    ))
}

/// Whether what was read is of another kind or size than what is written.
fn is_bad_value(error: &rusqlite::Error) -> bool {
    matches!(
        error,
        rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_of_sqlite_is_one_line_that_names_the_file_and_what_to_do() {
        for (code, says) in [
            (ffi::SQLITE_NOTADB, "move it away, or name another"),
            (
                ffi::SQLITE_READONLY,
                "is read-only: give its owner write permission",
            ),
            (
                ffi::SQLITE_CANTOPEN,
                "run the command as the account that runs the sync",
            ),
            (
                ffi::SQLITE_PERM,
                "run the command as the account that runs the sync",
            ),
            (ffi::SQLITE_FULL, "the disk is full"),
            (
                ffi::SQLITE_IOERR,
                "check whether the disk is full or failing",
            ),
            (
                ffi::SQLITE_BUSY,
                "was locked by another program for 4 s: end that program",
            ),
            (
                ffi::SQLITE_LOCKED,
                "was locked by another program for 4 s: end that program",
            ),
            (
                ffi::SQLITE_CORRUPT,
                "is damaged: remove var/cache.db-wal and var/cache.db-shm",
            ),
            (ffi::SQLITE_CONSTRAINT, "cannot be used: Error code 19"),
        ] {
            let message = error_message(Path::new("var/cache.db"), &sqlite_error(code));
            assert!(
                message.contains("var/cache.db") && message.contains(says),
                "{message}"
            );
            assert_eq!(message.lines().count(), 1, "{message}");
        }
    }

    #[test]
    fn only_an_error_about_a_value_blames_one() {
        let message = |error: &rusqlite::Error| error_message(Path::new("cache.db"), error);
        let value = rusqlite::Error::IntegralValueOutOfRange(0, -1);
        assert!(message(&value).contains("has a value in it"));
        let other = message(&rusqlite::Error::InvalidQuery);
        assert!(other.contains("cannot be used"), "{other}");
    }
}
