//! One sync at a time: a kernel lock on a file beside the cache.
//!
//! The kernel gives the lock up when the process ends, however it ends. The file itself
//! stays, and keeps the number of the last pass, by which a lost cache is noticed.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};

/// The lock, held as long as this lives.
pub struct Lock {
    file: File,
    path: PathBuf,
    last_pass: Option<u64>,
}

/// What came of trying to take the lock.
pub enum Acquired {
    /// It is ours.
    Ours(Lock),
    /// Another sync has it, and began so long ago.
    Busy(Duration),
}

impl Lock {
    /// The number of the last pass, as the file has it.
    #[must_use]
    pub fn last_pass(&self) -> Option<u64> {
        self.last_pass
    }

    /// Keeps the number of the pass that begins.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn record(&mut self, pass: u64) -> Result<()> {
        // Of one width, so that an older number is always overwritten whole.
        self.file
            .rewind()
            .and_then(|()| self.file.write_all(format!("{pass:020}\n").as_bytes()))
            .with_context(|| format!("cannot write {}", self.path.display()))
    }
}

/// Takes the lock of the cache at `cache`.
///
/// # Errors
/// Where the lock's file cannot be made or locked.
pub fn take(cache: &Path) -> Result<Acquired> {
    let path = path_for(cache);
    let folder = path.parent().unwrap_or(Path::new(""));
    if !folder.as_os_str().is_empty() && !folder.is_dir() {
        bail!(
            "the cache's folder {} is not there: make it, or name another with Cache.path or --db",
            folder.display()
        );
    }
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .with_context(|| cannot_lock(&path))?;
    let taken = take_file(file, path)?;
    if let Acquired::Ours(lock) = &taken {
        // The mode of a new file is subject to the umask; this one is not.
        lock.file
            .set_permissions(Permissions::from_mode(0o600))
            // From now on the lock is held.
            .and_then(|()| lock.file.set_modified(SystemTime::now()))
            .with_context(|| cannot_lock(&lock.path))?;
    }
    Ok(taken)
}

/// The same for a run that writes nothing, not even the lock's file: nothing if there is none.
/// Such a run should give the lock up at once, to stand in nobody's way.
///
/// # Errors
/// Where the lock's file is there and cannot be locked.
pub fn take_if_there(cache: &Path) -> Result<Option<Acquired>> {
    let path = path_for(cache);
    match File::open(&path) {
        Ok(file) => take_file(file, path).map(Some),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| cannot_lock(&path)),
    }
}

/// Locks the file and reads the number in it.
fn take_file(file: File, path: PathBuf) -> Result<Acquired> {
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(Acquired::Busy(age_of(&file))),
        Err(TryLockError::Error(error)) => return Err(error).with_context(|| cannot_lock(&path)),
    }
    let mut text = String::new();
    let read = (&file).take(64).read_to_string(&mut text);
    read.with_context(|| cannot_lock(&path))?;
    let last_pass = text.trim().parse().ok();
    Ok(Acquired::Ours(Lock {
        file,
        path,
        last_pass,
    }))
}

/// How long ago the pass began that wrote the file last.
fn age_of(file: &File) -> Duration {
    let written = file.metadata().and_then(|file| file.modified());
    let age = written.map(|at| SystemTime::now().duration_since(at).unwrap_or_default());
    age.unwrap_or_default()
}

fn cannot_lock(path: &Path) -> String {
    format!(
        "cannot lock {}: check the rights to it and to its folder",
        path.display()
    )
}

/// `cache.db.lock` for `cache.db`, and for every link to that.
fn path_for(cache: &Path) -> PathBuf {
    let cache = cache.canonicalize().unwrap_or_else(|_| cache.to_owned());
    let mut name = OsString::from(cache);
    name.push(".lock");
    name.into()
}
