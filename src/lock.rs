//! One sync at a time: a kernel lock on a file beside the cache.
//!
//! The kernel gives the lock up when the process ends, however it ends. The file
//! itself stays; it holds nothing.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The lock, held as long as this lives.
pub struct Lock {
    _file: File,
}

/// Takes the lock of the cache at `cache`; nothing if another sync has it.
///
/// # Errors
/// Where the lock's file cannot be made or locked.
pub fn take(cache: &Path) -> Result<Option<Lock>> {
    let path = path_for(cache);
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        && !folder.is_dir()
    {
        bail!(
            "the cache's folder {} is not there: make it, or name another with Cache.path or --db",
            folder.display()
        );
    }
    let cannot = || {
        format!(
            "cannot lock {}: check the rights to it and to its folder",
            path.display()
        )
    };
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .with_context(cannot)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error).with_context(cannot),
    }
    // The mode of a new file is subject to the umask; this one is not.
    file.set_permissions(Permissions::from_mode(0o600))
        .with_context(cannot)?;
    Ok(Some(Lock { _file: file }))
}

/// `cache.db.lock` for `cache.db`, and for every link to that.
fn path_for(cache: &Path) -> PathBuf {
    let cache = cache.canonicalize().unwrap_or_else(|_| cache.to_owned());
    let mut name = OsString::from(cache);
    name.push(".lock");
    name.into()
}
