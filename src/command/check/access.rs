//! Warns of files with secrets or patrons' data that other accounts can open, with the command that protects them.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::files;

/// The warning about a file that other accounts can open.
pub(super) fn warning(file: &Path) -> Option<String> {
    let found = file.metadata().ok().filter(Metadata::is_file)?;
    let is_open = found.permissions().mode() & 0o077 != 0;
    if !is_open || is_credential(file) {
        return None;
    }
    let shown = file.display();
    // Where somebody else is the owner, mode 600 alone would keep this account out.
    let chown = if files::is_ours(&found) || files::is_root() {
        ""
    } else {
        "give it to this account with chown, then "
    };
    Some(format!(
        "is open to other accounts: {chown}run `chmod 600 {shown}`"
    ))
}

/// The same for each of the files with secrets, which says what they hold.
pub(super) fn warnings(files: &BTreeSet<&Path>) -> Vec<(String, String)> {
    let warned = files.iter().filter_map(|file| {
        let warning = warning(file)?;
        Some((
            file.display().to_string(),
            format!("holds a secret and {warning}"),
        ))
    });
    warned.collect()
}

/// Whether systemd hands the file over (`LoadCredential=`): it protects that by an access control
/// list, which looks like a right of the group.
fn is_credential(file: &Path) -> bool {
    std::env::var_os("CREDENTIALS_DIRECTORY").is_some_and(|folder| file.starts_with(folder))
}
