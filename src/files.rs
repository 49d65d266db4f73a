//! Opens files safely that somebody else could have put there, checks whose they are, and names
//! those beside them.
//!
//! What is in them is for [`crate::lock`] and [`crate::cache`] to say.

use std::ffi::OsString;
use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::process::geteuid;

/// Opens a regular file, or creates one if `options` say so. A link is not followed, and a pipe or a
/// device does not block.
///
/// # Errors
/// Where it cannot be opened, or is not a regular file.
pub fn open_no_follow(path: &Path, options: &mut OpenOptions) -> Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = options
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(Error::new(ErrorKind::InvalidInput, "not a regular file"))
}

/// The path of a file beside that one, whose name has a suffix more; links are resolved.
#[must_use]
pub fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Whether a file belongs to the account that runs this.
#[must_use]
pub fn is_ours(file: &Metadata) -> bool {
    file.uid() == geteuid().as_raw()
}

/// Whether there is a file that belongs to another account, as one that root made by mistake does.
#[must_use]
pub fn is_of_another_account(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| !is_ours(&found))
}

/// Whether this runs as root, to whom the owner and mode of a file make no difference.
#[must_use]
pub fn is_root() -> bool {
    geteuid().is_root()
}

/// Lets a file's owner read and write it, and nobody else do anything.
///
/// # Errors
/// Where it is somebody else's.
pub fn make_private(file: &File) -> Result<()> {
    file.set_permissions(Permissions::from_mode(0o600))
}
