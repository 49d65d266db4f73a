//! `generate`: the man pages and the shells' completions, generated from the command line itself.
//!
//! Only people who install the program need it, so `--help` does not list it.

mod man;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Command, CommandFactory};
use clap_complete::Shell;

use super::Exit;
use crate::cli::{Cli, Generate};

const NAME: &str = env!("CARGO_PKG_NAME");
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

pub(super) fn run(args: &Generate) -> Result<Exit> {
    let folder = &args.folder;
    let files = write_files(folder).with_context(|| {
        format!(
            "cannot write man pages and completions to {}",
            folder.display()
        )
    })?;
    for file in files {
        log::info!("wrote {}", file.display());
    }
    Ok(Exit::Done)
}

fn write_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder)?;
    let mut command = visible_command();
    let mut files = Vec::new();
    for shell in SHELLS {
        let file = clap_complete::generate_to(shell, &mut command, NAME, folder)?;
        if shell == Shell::Bash {
            fix_bash_completion(&file)?;
        }
        files.push(file);
    }
    files.extend(man::write_pages(visible_command(), folder)?);
    Ok(files)
}

/// Of a program with a hyphen in its name, clap_complete 4.6 spells the commands in two
/// ways, and bash completes no option of any (github.com/clap-rs/clap/issues/6421).
fn fix_bash_completion(file: &Path) -> std::io::Result<()> {
    let completions = std::fs::read_to_string(file)?;
    let wrong = NAME.replace('-', "__subcmd__");
    let right = NAME.replace('-', "__");
    std::fs::write(file, completions.replace(&wrong, &right))
}

/// The command line without what `--help` does not list: the shells would offer it.
fn visible_command() -> Command {
    let all = Cli::command();
    let visible = all
        .get_subcommands()
        .filter(|command| !command.is_hide_set());
    Command::new(NAME)
        .version(env!("CARGO_PKG_VERSION"))
        .about(all.get_about().cloned().unwrap_or_default())
        .after_help(all.get_after_help().cloned().unwrap_or_default())
        .args(all.get_arguments())
        .subcommands(visible)
        .disable_help_subcommand(true)
}
