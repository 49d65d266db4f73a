//! The one door to SQLite: what the program remembers, in one file.
//!
//! Each method is one transaction. What it means that something is remembered
//! is for [`crate::plan`] and [`crate::pass`] to say.

mod appts;
mod prune;
mod refusals;
mod schema;
mod survey;
mod users;

pub use prune::{Pruned, What};
pub use survey::{Counts, LastPass, Survey};

use std::fs::{self, OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow, bail};
use rusqlite::{Connection, ErrorCode, OpenFlags, backup};

use crate::known::Known;
use crate::report::Summary;
use schema::Kind;

/// How long another process may keep the cache locked.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many statements are kept prepared: more than the program has.
const STATEMENTS: usize = 64;

/// The open cache.
pub struct Cache {
    connection: Connection,
    path: PathBuf,
}

impl Cache {
    /// Opens the cache, making it if it is not there: readable by its owner only.
    ///
    /// # Errors
    /// Where it cannot be made, opened or written, is no cache, or is one of a later version.
    pub fn open_or_create(path: &Path) -> Result<Self> {
        create_private(path)?;
        Self::open_existing(path)
    }

    /// Opens a cache that must be there already.
    ///
    /// # Errors
    /// As [`Cache::open_or_create`], and where there is none.
    pub fn open_existing(path: &Path) -> Result<Self> {
        let mut cache = Self::connect(path)?;
        // What comes to be ours was perhaps made by a program that let everybody read it.
        if let Ok(Kind::Pythons | Kind::Nothing) = schema::kind(&cache.connection) {
            fs::set_permissions(path, Permissions::from_mode(0o600))
                .with_context(|| format!("cannot protect the cache {}", path.display()))?;
        }
        let prepared = schema::prepare(&mut cache.connection);
        cache.told(prepared)?;
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
        if path.exists() {
            // Nothing is written, but only a connection that could takes its two files away when it ends.
            let source = Self::connect(path)?;
            let copied = backup::Backup::new(&source.connection, &mut copy.connection)
                .and_then(|backup| backup.run_to_completion(1000, Duration::from_millis(5), None));
            copy.told(copied)?;
        }
        let prepared = schema::prepare(&mut copy.connection);
        copy.told(prepared)?;
        Ok(copy)
    }

    /// Makes sure that there is a file at `path`, or nothing.
    ///
    /// # Errors
    /// Where there is a folder, a device or the like.
    pub fn check_path(path: &Path) -> Result<()> {
        let what = match path.metadata() {
            Ok(found) if found.is_dir() => "a folder",
            Ok(found) if !found.is_file() => "no file that can be kept",
            _ => return Ok(()),
        };
        bail!(
            "the cache {} is {what}: name a file with Cache.path or --db",
            path.display()
        )
    }

    fn connect(path: &Path) -> Result<Self> {
        // SQLite's own words for a missing file or a folder do not say which it is.
        Self::check_path(path)?;
        if !path.exists() {
            if path.is_symlink() {
                return Err(dangling(path));
            }
            bail!(
                "there is no cache {}: name it with --db, or run `libcal-pp sync` first",
                path.display()
            );
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        // A name such as `:memory:` or `file:x?mode=memory` would be no file to SQLite.
        let opened = std::path::absolute(path).map_or_else(
            |_| Connection::open_with_flags(path, flags),
            |path| Connection::open_with_flags(path, flags),
        );
        let connection = opened.map_err(|error| anyhow!("{}", explain(path, &error)))?;
        let cache = Self {
            connection,
            path: path.to_owned(),
        };
        cache
            .connection
            .set_prepared_statement_cache_capacity(STATEMENTS);
        let patient = cache.connection.busy_timeout(PATIENCE);
        cache.told(patient)?;
        Ok(cache)
    }

    /// What is known of these bookings and people.
    ///
    /// # Errors
    /// Where the cache cannot be read.
    pub fn known<'k>(
        &self,
        bookings: impl IntoIterator<Item = &'k String>,
        people: impl IntoIterator<Item = &'k String>,
    ) -> Result<Known> {
        let mut known = Known::default();
        // In one transaction: each of its own would have to lock and look whether anything changed.
        let snapshot = self.connection.unchecked_transaction();
        let snapshot = self.told(snapshot)?;
        for booking in bookings {
            let appts = self.appts_of_booking(booking)?;
            if !appts.is_empty() {
                known.appts.insert(booking.clone(), appts);
            }
            known.refusals.extend(self.refusals_of(booking)?);
        }
        for person in people {
            known
                .users
                .extend(self.user(person)?.map(|user| (person.clone(), user)));
            known.refusals.extend(self.refusals_of(person)?);
        }
        let read = snapshot.commit();
        self.told(read)?;
        Ok(known)
    }

    /// Notes that a pass begins. This is also the proof that the cache can be
    /// written, before any service is asked to do something.
    ///
    /// # Errors
    /// Where the cache cannot be written.
    pub fn begin_pass(&mut self, now: i64) -> Result<()> {
        self.execute(
            "INSERT INTO last_pass (id, started_at) VALUES (1, ?1)
             ON CONFLICT (id) DO UPDATE SET started_at = ?1",
            [now],
        )
    }

    /// Notes how a full pass ended.
    ///
    /// # Errors
    /// Where the cache cannot be written.
    pub fn end_pass(&mut self, summary: &Summary, now: i64) -> Result<()> {
        self.execute(
            "UPDATE last_pass SET ended_at = ?1, rows = ?2, visits = ?3, already_registered = ?4,
                 registered = ?5, refused = ?6, in_doubt = ?7, failed = ?8, ended = ?9, seconds = ?10
             WHERE id = 1",
            rusqlite::params![
                now,
                count(summary.rows),
                count(summary.visits),
                count(summary.already_registered),
                count(summary.registered),
                count(summary.refused),
                count(summary.in_doubt),
                count(summary.failed),
                count(summary.ended),
                summary.seconds,
            ],
        )
    }

    /// Runs one statement in a transaction of its own.
    fn execute(&self, sql: &str, params: impl rusqlite::Params) -> Result<()> {
        let done = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(params));
        self.told(done)?;
        Ok(())
    }

    /// Gives an SQLite error the name of the file and the words of a person.
    fn told<T>(&self, result: rusqlite::Result<T>) -> Result<T> {
        result.map_err(|error| anyhow!("{}", explain(&self.path, &error)))
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Makes the file, if it is not there, so that nobody but its owner can read it;
/// SQLite gives its own files beside it the same access.
fn create_private(path: &Path) -> Result<()> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match made {
        // The mode of a new file is subject to the umask; this one is not.
        Ok(file) => file
            .set_permissions(Permissions::from_mode(0o600))
            .with_context(|| format!("cannot protect the cache {}", path.display())),
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.exists() => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(
            "cannot make the cache {}: its folder is not there: make it, or name another with Cache.path or --db",
            path.display()
        ),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(dangling(path)),
        Err(error) => Err(anyhow!("cannot make the cache {}: {error}", path.display())),
    }
}

fn dangling(path: &Path) -> Error {
    anyhow!(
        "the cache {} is a link to a file that is not there: name that file with Cache.path or --db",
        path.display()
    )
}

fn explain(path: &Path, error: &rusqlite::Error) -> String {
    let path = path.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => {
            format!(
                "{path} is not a cache, nor any SQLite file: move it away, or name another with Cache.path or --db"
            )
        }
        Some(ErrorCode::ReadOnly) => format!(
            "the cache {path} cannot be written: give its owner the right to, and to its folder"
        ),
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            format!("the cache {path} cannot be opened: check the rights to it and to its folder")
        }
        Some(ErrorCode::DiskFull) => {
            format!("the cache {path} cannot be written: the disk is full")
        }
        Some(ErrorCode::SystemIoFailure) => format!(
            "the cache {path} cannot be read or written: look whether the disk is full or failing"
        ),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => format!(
            "the cache {path} was locked by another program for {} s: end that program, or try again",
            PATIENCE.as_secs()
        ),
        Some(ErrorCode::DatabaseCorrupt) => {
            format!("the cache {path} is damaged: put a backup in its place, or move it away")
        }
        _ => format!("the cache {path} cannot be used: {error}"),
    }
}
