//! Warns of files with secrets or patrons' data that other accounts can open or change, with the
//! command that protects them.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::files;

/// The warning about a file that other accounts can open.
pub(super) fn warning(file: &Path) -> Option<String> {
    let chown = chown_if_any(file, 0o077)?;
    let shown = file.display();
    Some(format!(
        "is open to other accounts: {chown}run `chmod 600 {shown}`"
    ))
}

/// The warning about a configuration without a secret that other accounts can change: they could have
/// it send the secrets elsewhere.
fn change_warning(file: &Path) -> Option<String> {
    let chown = chown_if_any(file, 0o022)?;
    let shown = file.display();
    Some(format!(
        "can be changed by other accounts: {chown}run `chmod go-w {shown}`"
    ))
}

/// What to do first about a file that gives other accounts any of these rights.
fn chown_if_any(file: &Path, rights: u32) -> Option<&'static str> {
    let found = file.metadata().ok().filter(Metadata::is_file)?;
    let is_open = found.permissions().mode() & rights != 0;
    if !is_open || is_credential(file) {
        return None;
    }
    // Where somebody else is the owner, another mode alone would keep this account out.
    if files::is_ours(&found) || files::is_root() {
        return Some("");
    }
    Some("give it to this account with chown, then ")
}

/// The same for each of the files with secrets, which says what they hold, and for the configuration.
pub(super) fn warnings(config: &Path, secrets: &BTreeSet<&Path>) -> Vec<(String, String)> {
    let named = |file: &Path, warning| (file.display().to_string(), warning);
    let of_secrets = secrets.iter().filter_map(|file| {
        Some(named(
            file,
            format!("holds a secret and {}", warning(file)?),
        ))
    });
    let config = Some(config).filter(|config| !secrets.contains(config));
    let of_config = config.and_then(|config| Some(named(config, change_warning(config)?)));
    of_secrets.chain(of_config).collect()
}

/// Whether systemd hands the file over (`LoadCredential=`): it protects that by an access control
/// list, which looks like a right of the group.
fn is_credential(file: &Path) -> bool {
    std::env::var_os("CREDENTIALS_DIRECTORY").is_some_and(|folder| file.starts_with(folder))
}
