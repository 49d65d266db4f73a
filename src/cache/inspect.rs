//! Inspects a cache for `check`, without changing anything.

use std::fs::{self, OpenOptions};
use std::path::Path;

use anyhow::{Result, anyhow, bail};
use rusqlite::{Connection, ffi};

use super::passes::{last_pass, outages};
use super::schema::{Format, detect_format};
use super::{Cache, appts, sqlite_error, users};
use crate::messages::io_reason;
use crate::model::LastPass;

/// What an inspection found.
#[derive(Debug, Clone, PartialEq)]
pub enum Inspection {
    /// There is no file yet, and one can be created.
    Missing,
    /// The Python program's cache or one of version 1, which the next sync migrates.
    Older(Counts),
    /// A cache of this program.
    Current(Counts, Option<LastPass>),
}

/// How much is in a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Users.
    pub users: usize,
    /// Appointments.
    pub appts: usize,
}

impl Cache {
    /// Inspects the cache at `path`, and finds out whether it could be written.
    ///
    /// # Errors
    /// Where it cannot be read, created or written, is not a cache, or has a later version.
    pub fn inspect(path: &Path) -> Result<Inspection> {
        if !Self::check_path(path)? && !path.is_symlink() {
            return check_creatable(path).map(|()| Inspection::Missing);
        }
        let cache = Self::connect(path)?;
        let inspection = inspect(&cache.connection);
        cache.map_error(inspection)
    }
}

fn inspect(connection: &Connection) -> rusqlite::Result<Inspection> {
    let format = detect_format(connection)?;
    // Finds out whether a transaction could begin, and changes nothing.
    connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK")?;
    let sound: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if sound != "ok" {
        return Err(sqlite_error(ffi::SQLITE_CORRUPT));
    }
    let count = |sql| connection.query_row(sql, [], |row| row.get::<_, u32>(0));
    let counts = || -> rusqlite::Result<Counts> {
        Ok(Counts {
            users: count("SELECT count(*) FROM users")? as usize,
            appts: count("SELECT count(*) FROM appts")? as usize,
        })
    };
    Ok(match format {
        Format::Empty => Inspection::Missing,
        Format::Python | Format::Version1 | Format::WithoutReports => Inspection::Older(counts()?),
        Format::Current => Inspection::Current(read_all(connection)?, last_pass(connection)?),
    })
}

/// Reads every row as a pass does, so that none has a value which would stop one; returns how many.
fn read_all(connection: &Connection) -> rusqlite::Result<Counts> {
    outages(connection)?;
    Ok(Counts {
        users: users::count_readable(connection)?,
        appts: appts::count_readable(connection)?,
    })
}

/// Makes sure that a file could be created there, by creating another one beside it.
fn check_creatable(path: &Path) -> Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    if !folder.is_dir() {
        bail!(
            "its folder {} does not exist: create it, or name another file with Cache.path or --db",
            folder.display()
        );
    }
    let probe = folder.join(format!(".libcal-pp-check-{}", std::process::id()));
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&probe)
        .and_then(|_| fs::remove_file(&probe))
        .map_err(|error| {
            anyhow!(
                "cannot create a file in {} ({}): check the permissions of that folder",
                folder.display(),
                io_reason(&error)
            )
        })
}
