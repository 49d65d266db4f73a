//! Where the tests' files are: in memory if possible, because the program waits for the disk at each commit.

use std::path::Path;

use rustix::fs::{StatVfsMountFlags, statvfs};
use tempfile::TempDir;

/// Linux keeps this folder in memory.
const IN_MEMORY: &str = "/dev/shm";
/// What the tests that run at the same time need at the most.
const ENOUGH: u64 = 1 << 30;

/// An empty folder that goes with its owner: where `TMPDIR` says, or else in memory. The benchmarks, which are built
/// without `cfg(test)`, measure a disk.
pub fn temporary_folder() -> TempDir {
    let folder = if cfg!(test) && std::env::var_os("TMPDIR").is_none() && is_usable(IN_MEMORY) {
        tempfile::tempdir_in(IN_MEMORY)
    } else {
        tempfile::tempdir()
    };
    folder.expect("a temporary directory")
}

/// Whether there is room for the tests, which run programs there too.
fn is_usable(folder: &str) -> bool {
    let Ok(system) = statvfs(Path::new(folder)) else {
        return false;
    };
    let has_room = system.f_bavail * system.f_frsize >= ENOUGH;
    let is_executable = !system.f_flag.contains(StatVfsMountFlags::NOEXEC);
    has_room && is_executable && tempfile::tempdir_in(folder).is_ok()
}
