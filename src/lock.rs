//! One sync at a time: a kernel lock on a file beside the cache.
//!
//! The kernel releases the lock when the process ends, however it ends. The file itself
//! stays, and keeps the number of the last pass, so that a lost cache is noticed.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, anyhow, bail};

use crate::files;
use crate::messages::io_reason;

/// The lock, held as long as this lives.
pub struct Lock {
    file: File,
    path: PathBuf,
    last_pass: Option<u64>,
}

/// The result of trying to acquire the lock.
pub enum Acquired {
    /// The lock is ours.
    Locked(Lock),
    /// Another sync, which began so long ago, has it.
    Busy(Duration),
}

impl Lock {
    /// The number of the last pass, as the file has it.
    #[must_use]
    pub fn last_pass(&self) -> Option<u64> {
        self.last_pass
    }

    /// Records the number of the pass that begins.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn record(&mut self, pass: u64) -> Result<()> {
        // Always the same width, so that an older number is overwritten completely.
        self.file
            .rewind()
            .and_then(|()| self.file.write_all(format!("{pass:020}\n").as_bytes()))
            .with_context(|| format!("cannot write {}", self.path.display()))
    }
}

/// Acquires the lock of the cache at `cache`.
///
/// # Errors
/// Where the lock's file cannot be created or locked.
pub fn acquire(cache: &Path) -> Result<Acquired> {
    let path = lock_path(cache);
    let folder = path.parent().unwrap_or(Path::new(""));
    if !folder.as_os_str().is_empty() && !folder.is_dir() {
        bail!(
            "the cache's folder {} does not exist: create it, or name another file with Cache.path or --db",
            folder.display()
        );
    }
    let file = open(&path, OpenOptions::new().create(true).mode(0o600))?;
    let acquired = lock_file(file, path)?;
    if let Acquired::Locked(lock) = &acquired {
        // The mode of a new file is subject to the umask; this one is not.
        files::make_private(&lock.file)
            // From now on the lock is held.
            .and_then(|()| lock.file.set_modified(SystemTime::now()))
            .map_err(|error| cannot_lock(&lock.path, &error))?;
    }
    Ok(acquired)
}

/// The same for a run that writes nothing, not even the lock's file: `None` if it does not exist.
/// Such a run should release the lock at once, so that it is in nobody's way.
///
/// # Errors
/// Where the lock's file exists and cannot be locked.
pub fn acquire_existing(cache: &Path) -> Result<Option<Acquired>> {
    match open_existing_lock(cache)? {
        Some((file, path)) => lock_file(file, path).map(Some),
        None => Ok(None),
    }
}

/// Checks that the lock's file could be used, without acquiring the lock.
///
/// # Errors
/// Where the lock's file exists and cannot be used.
pub fn check(cache: &Path) -> Result<()> {
    open_existing_lock(cache).map(|_| ())
}

fn open_existing_lock(cache: &Path) -> Result<Option<(File, PathBuf)>> {
    let path = lock_path(cache);
    match path.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        _ => open(&path, &mut OpenOptions::new()).map(|file| Some((file, path))),
    }
}

/// Opens the lock's file, which must be a regular file of this account, with no other name: we write to
/// it and change its mode, and somebody who can create a link in that folder could make us do that to
/// any file.
fn open(path: &Path, options: &mut OpenOptions) -> Result<File> {
    let options = options.read(true).write(true).truncate(false);
    let shown = path.display();
    let file = match files::open_no_follow(path, options) {
        Ok(file) => file,
        Err(_) if path.is_symlink() => {
            bail!(
                "the lock file {shown} is a symbolic link: remove it, the next sync creates the file"
            )
        }
        Err(_) if path.exists() && !path.is_file() => {
            bail!(
                "the lock file {shown} is not a regular file: remove it, the next sync creates the file"
            )
        }
        Err(_) if files::is_of_another_account(path) => return Err(not_ours(path)),
        Err(error) => return Err(cannot_lock(path, &error)),
    };
    let found = file.metadata().map_err(|error| cannot_lock(path, &error))?;
    if found.nlink() > 1 {
        bail!("the lock file {shown} is a hard link: remove it, the next sync creates the file");
    }
    if !files::is_ours(&found) {
        return Err(not_ours(path));
    }
    Ok(file)
}

/// Locks the file and reads the number in it.
fn lock_file(file: File, path: PathBuf) -> Result<Acquired> {
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(Acquired::Busy(lock_age(&file))),
        Err(TryLockError::Error(error)) => return Err(cannot_lock(&path, &error)),
    }
    let mut content = Vec::new();
    let read = (&file).take(64).read_to_end(&mut content);
    read.map_err(|error| cannot_lock(&path, &error))?;
    // After a power failure there may be anything in it: that is no number, and keeps no pass from running.
    let last_pass = String::from_utf8_lossy(&content).trim().parse().ok();
    Ok(Acquired::Locked(Lock {
        file,
        path,
        last_pass,
    }))
}

/// How long ago the pass that last wrote the file began.
fn lock_age(file: &File) -> Duration {
    let written = file.metadata().and_then(|file| file.modified());
    let age = written.map(|at| SystemTime::now().duration_since(at).unwrap_or_default());
    age.unwrap_or_default()
}

fn not_ours(path: &Path) -> anyhow::Error {
    anyhow!(
        "the lock file {} belongs to another account: run the command as the account that runs the sync, or make that its owner with chown",
        path.display()
    )
}

fn cannot_lock(path: &Path, error: &std::io::Error) -> anyhow::Error {
    anyhow!(
        "cannot lock {} ({}): check the permissions of the file and its folder",
        path.display(),
        io_reason(error)
    )
}

/// `cache.db.lock` for `cache.db`, and for every link to it.
fn lock_path(cache: &Path) -> PathBuf {
    files::sibling(cache, ".lock")
}
