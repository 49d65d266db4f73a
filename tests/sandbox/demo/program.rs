//! The program that the demo runs: built by cargo, found beside the demo itself.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Builds the program as the demo was built, and says where it is.
///
/// # Errors
/// If it cannot be built, or is not where cargo puts it.
pub fn build() -> Result<PathBuf> {
    // The demo is TARGET/PROFILE/examples/demo.
    let demo = env::current_exe().context("cannot tell where the demo itself is")?;
    let profile_dir = demo.ancestors().nth(2);
    let target_dir = profile_dir.and_then(|dir| dir.parent());
    let (Some(profile_dir), Some(target_dir)) = (profile_dir, target_dir) else {
        bail!("{} is not in a target folder", demo.display());
    };
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--quiet", "--bin", "libcal-pp"])
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
    let program = profile_dir.join(format!("libcal-pp{}", env::consts::EXE_SUFFIX));
    if !status.success() || !program.is_file() {
        bail!("cargo did not build {}", program.display());
    }
    Ok(program)
}
