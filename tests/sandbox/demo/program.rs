//! What the demo runs, and what the tests run of the demo: built by cargo, found beside whoever asks.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Builds a target (`--bin` or `--example`, and its name) as we were built, and says where it is.
///
/// # Errors
/// If it cannot be built, or is not where cargo puts it.
pub fn build(kind: &str, name: &str) -> Result<PathBuf> {
    // We are TARGET/PROFILE/examples/demo or TARGET/PROFILE/deps/suite.
    let our_own = env::current_exe().context("cannot find the path of this program")?;
    let profile_dir = our_own.ancestors().nth(2);
    let target_dir = profile_dir.and_then(|dir| dir.parent());
    let (Some(profile_dir), Some(target_dir)) = (profile_dir, target_dir) else {
        bail!("{} is not in a target folder", our_own.display());
    };
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--quiet", kind, name])
        .args([
            "--manifest-path",
            concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
        ])
        // Named, for it may have been given as an option.
        .arg("--target-dir")
        .arg(target_dir);
    // Build scripts would see that `cargo run` describes the package there, and everything would be built anew.
    for (name, _) in env::vars_os() {
        let of_package = ["CARGO_PKG_", "CARGO_MANIFEST_"];
        if of_package
            .iter()
            .any(|prefix| name.to_string_lossy().starts_with(prefix))
        {
            cargo.env_remove(name);
        }
    }
    if profile_dir.ends_with("release") {
        cargo.arg("--release");
    }
    let status = cargo
        .status()
        .with_context(|| format!("cannot run {}", cargo.get_program().display()))?;
    let folder = if kind == "--example" { "examples" } else { "" };
    let file = format!("{name}{}", env::consts::EXE_SUFFIX);
    let program = profile_dir.join(folder).join(file);
    if !status.success() || !program.is_file() {
        bail!("cargo did not build {}", program.display());
    }
    Ok(program)
}
