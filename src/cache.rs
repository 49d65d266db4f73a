//! The one door to SQLite: what the program remembers, in one file.
//!
//! Each method is one transaction. What follows from the contents
//! is for [`crate::plan`] and [`crate::pass`] to say.

mod appts;
mod error;
mod inspect;
mod passes;
mod prune;
mod schema;
mod users;

pub use inspect::{Counts, Inspection};
pub use prune::{PruneCounts, PruneTarget};

use std::fs::{self, OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow, bail};
use chrono::{DateTime, Utc};
use rusqlite::types::{FromSqlError, Type};
use rusqlite::{Connection, OpenFlags, Row, backup, ffi};

use crate::files;
use crate::messages::io_reason;
use crate::model::{BookingId, CacheSnapshot, LastReport, PrimaryId, Reason};
use error::{error_message, sqlite_error};
use schema::Format;

/// How long to wait while another process keeps the cache locked; not so long in a debug build, which
/// is what the tests run.
const BUSY_TIMEOUT: Duration = Duration::from_secs(if cfg!(debug_assertions) { 4 } else { 20 });

/// How many prepared statements are cached: more than the program has.
const MAX_STATEMENTS: usize = 64;

/// The open cache.
pub struct Cache {
    connection: Connection,
    path: PathBuf,
}

impl Cache {
    /// Opens the cache, and creates it if it does not exist: readable by its owner only.
    ///
    /// # Errors
    /// Where it cannot be created, opened or written, is not a cache, or has a later version.
    pub fn open_or_create(path: &Path) -> Result<Self> {
        create_private(path)?;
        Self::open_existing(path)
    }

    /// Opens a cache that must exist already.
    ///
    /// # Errors
    /// As [`Cache::open_or_create`], and where it does not exist.
    pub fn open_existing(path: &Path) -> Result<Self> {
        let mut cache = Self::connect(path)?;
        // The program that created a file which becomes ours may have let everybody read it.
        let format = schema::detect_format(&cache.connection);
        let format = cache.map_error(format)?;
        if matches!(format, Format::Python | Format::Empty) {
            protect(path)?;
        }
        let prepared = schema::prepare(&mut cache.connection, format);
        cache.map_error(prepared)?;
        Ok(cache)
    }

    /// A copy of the cache in memory, for a run that may write nothing; an empty
    /// one if there is no cache.
    ///
    /// # Errors
    /// As [`Cache::open_existing`].
    pub fn open_copy(path: &Path) -> Result<Self> {
        let mut copy = Self {
            connection: Connection::open_in_memory()
                .context("cannot make a copy of the cache in memory")?,
            path: path.to_owned(),
        };
        if Self::check_path(path)? {
            // Nothing is written, but only a writable connection removes its two files when it closes.
            let source = Self::connect(path)?;
            let copied = backup::Backup::new(&source.connection, &mut copy.connection)
                .and_then(|backup| backup.run_to_completion(1000, Duration::from_millis(5), None));
            copy.map_error(copied)?;
        }
        let format = schema::detect_format(&copy.connection);
        let format = copy.map_error(format)?;
        let prepared = schema::prepare(&mut copy.connection, format);
        copy.map_error(prepared)?;
        Ok(copy)
    }

    /// Makes sure that `path` is a file or does not exist; says whether it exists.
    ///
    /// # Errors
    /// Where it is a folder, a device or the like, or where that cannot be found out.
    pub fn check_path(path: &Path) -> Result<bool> {
        let shown = path.display();
        let what = match path.metadata() {
            Ok(found) if found.is_dir() => "a folder",
            Ok(found) if !found.is_file() => "not a regular file",
            Ok(_) => return Ok(true),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => bail!(
                "no permission to open the cache {shown}: run the command as the account that runs the sync, or correct the permissions of its folder"
            ),
            Err(_) => return Ok(false),
        };
        bail!("the cache {shown} is {what}: name a file with Cache.path or --db")
    }

    fn connect(path: &Path) -> Result<Self> {
        // SQLite's own message for a missing file or a folder does not say which it is.
        if !Self::check_path(path)? {
            if path.is_symlink() {
                return Err(dangling_link(path));
            }
            bail!(
                "there is no cache {}: name it with --db, or run `libcal-pp sync` first",
                path.display()
            );
        }
        repair_permissions(path);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        // To SQLite, a name such as `:memory:` or `file:x?mode=memory` would not be a file.
        let opened = std::path::absolute(path).map_or_else(
            |_| Connection::open_with_flags(path, flags),
            |path| Connection::open_with_flags(path, flags),
        );
        let connection = opened.map_err(|error| anyhow!("{}", error_message(path, &error)))?;
        let cache = Self {
            connection,
            path: path.to_owned(),
        };
        cache
            .connection
            .set_prepared_statement_cache_capacity(MAX_STATEMENTS);
        let patient = cache.connection.busy_timeout(BUSY_TIMEOUT);
        cache.map_error(patient)?;
        // SQLite opens a file that it must not write read-only, and says so only when asked. The
        // files that it then creates beside it have the same mode, and would block every later pass.
        let writable = match cache.connection.is_readonly("main") {
            Ok(true) => Err(sqlite_error(ffi::SQLITE_READONLY)),
            found => found,
        };
        cache.map_error(writable)?;
        Ok(cache)
    }

    /// What the cache knows of these bookings and people, and of all visits that are not over.
    ///
    /// # Errors
    /// Where the cache cannot be read.
    pub fn snapshot<'k>(
        &self,
        bookings: impl IntoIterator<Item = &'k BookingId>,
        people: impl IntoIterator<Item = &'k PrimaryId>,
        now: DateTime<Utc>,
    ) -> Result<CacheSnapshot> {
        let mut known = CacheSnapshot::default();
        // In one transaction: several would each have to lock the file and check it for changes.
        let snapshot = self.connection.unchecked_transaction();
        let snapshot = self.map_error(snapshot)?;
        for appt in self.current_appts(now)? {
            let booking = appt.key.booking_id.clone();
            known.appts.entry(booking).or_default().push(appt);
        }
        for booking in bookings {
            let appts = self.appts_of_booking(booking)?;
            if !appts.is_empty() {
                known.appts.insert(booking.clone(), appts);
            }
        }
        for person in people {
            let user = self.user(person)?;
            known.users.extend(user.map(|user| (person.clone(), user)));
        }
        let read = snapshot.commit();
        self.map_error(read)?;
        Ok(known)
    }

    /// Runs one statement in a transaction of its own.
    fn execute(&self, sql: &str, params: impl rusqlite::Params) -> Result<()> {
        let done = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(params));
        self.map_error(done)?;
        Ok(())
    }

    /// Turns an SQLite error into a message for a person, with the name of the file.
    fn map_error<T>(&self, result: rusqlite::Result<T>) -> Result<T> {
        result.map_err(|error| anyhow!("{}", error_message(&self.path, &error)))
    }
}

/// A moment as the cache keeps it.
fn to_unix(time: Option<DateTime<Utc>>) -> Option<i64> {
    time.map(|time| time.timestamp())
}

/// The moment in that column, if there is one.
fn time_column(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<DateTime<Utc>>> {
    let Some(seconds) = row.get::<_, Option<i64>>(column)? else {
        return Ok(None);
    };
    match DateTime::from_timestamp(seconds, 0) {
        Some(time) => Ok(Some(time)),
        None => Err(rusqlite::Error::FromSqlConversionFailure(
            column,
            Type::Integer,
            Box::new(FromSqlError::OutOfRange(seconds)),
        )),
    }
}

/// The report whose code is in that column and its moment in the next, if there was one.
fn last_report(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<LastReport>> {
    let code: Option<String> = row.get(column)?;
    let last_report = code.zip(time_column(row, column + 1)?);
    Ok(last_report.map(|(code, at)| LastReport::from_code(&code, at)))
}

/// The code of a report made now, of the reason in a row's first column and after the report in the
/// next two.
fn next_report(row: &Row<'_>, now: DateTime<Utc>) -> rusqlite::Result<Option<String>> {
    let reason: Option<String> = row.get(0)?;
    let previous = last_report(row, 1)?;
    let report = |reason: String| LastReport::after(previous, Reason::from_code(&reason), now);
    Ok(reason.map(|reason| report(reason).to_code()))
}

/// The moment in that column, which must have one.
fn required_time_column(row: &Row<'_>, column: usize) -> rusqlite::Result<DateTime<Utc>> {
    time_column(row, column)?.ok_or_else(|| {
        let name = row
            .as_ref()
            .column_name(column)
            .unwrap_or_default()
            .to_owned();
        rusqlite::Error::InvalidColumnType(column, name, Type::Null)
    })
}

/// Creates the file, if it does not exist, so that nobody but its owner can read it;
/// SQLite gives its own files beside it the same mode.
fn create_private(path: &Path) -> Result<()> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match made {
        // The mode of a new file is subject to the umask; this one is not.
        Ok(file) => files::make_private(&file).with_context(|| cannot_protect(path)),
        // What exists already, perhaps a dangling link, is checked when it is opened.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(anyhow!(
            "cannot create the cache {}: {}",
            path.display(),
            io_reason(&error)
        )),
    }
}

/// Lets nobody but its owner read the file that becomes our cache: a file of this account, which may
/// be reached by a link. By its path, because opening and closing it here would drop SQLite's locks.
fn protect(path: &Path) -> Result<()> {
    let found = path.metadata().with_context(|| cannot_protect(path))?;
    if !files::is_ours(&found) {
        bail!(
            "the cache {} belongs to another account: run the command as that account, or change the file's owner with chown",
            path.display()
        );
    }
    fs::set_permissions(path, Permissions::from_mode(0o600)).with_context(|| cannot_protect(path))
}

fn cannot_protect(path: &Path) -> String {
    format!("cannot set the permissions of the cache {}", path.display())
}

/// Makes the files that SQLite keeps beside the cache writable again, if they are ours: if they were
/// created while the cache was read-only, they are read-only too. Where that fails, SQLite reports it.
fn repair_permissions(path: &Path) {
    for suffix in ["-wal", "-shm"] {
        let found =
            files::open_no_follow(&files::sibling(path, suffix), OpenOptions::new().read(true));
        if let Ok(file) = found
            && let Ok(metadata) = file.metadata()
            && files::is_ours(&metadata)
            && metadata.permissions().mode() & 0o200 == 0
        {
            let _ = files::make_private(&file);
        }
    }
}

fn dangling_link(path: &Path) -> Error {
    anyhow!(
        "the cache {} is a symbolic link to a file that does not exist: name the file with Cache.path or --db",
        path.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_not_a_time_is_an_error() {
        let connection = Connection::open_in_memory().unwrap();
        let read = |sql: &str| {
            connection.query_one(sql, [], |row| {
                Ok((time_column(row, 0), required_time_column(row, 0)))
            })
        };
        let moment = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        assert_eq!(
            read("SELECT 1790000000").unwrap(),
            (Ok(Some(moment)), Ok(moment))
        );
        let (time, required) = read("SELECT NULL").unwrap();
        assert_eq!(time, Ok(None));
        assert!(required.is_err());
        let (time, required) = read("SELECT 9223372036854775807").unwrap();
        assert!(time.is_err() && required.is_err());
    }
}
