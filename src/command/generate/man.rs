//! The man pages: one for the program and one for each command.
//!
//! What `--help` says comes from the command line itself, its paragraphs below the options as
//! sections of their own. The environment and the files of the program are described here.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, italic, roman};

use crate::clock::local_now;

/// The variables that the program and its packages read.
const ENVIRONMENT: [(&str, &str); 7] = [
    (
        "LIBCAL_PP_CONFIG",
        "The configuration file, where --config does not name one.",
    ),
    (
        "RUST_LOG",
        "What is printed to standard error, in place of -v and -q: error, warn, info, debug or off.",
    ),
    (
        "HTTPS_PROXY, ALL_PROXY, HTTP_PROXY",
        "The HTTP proxy for all services, such as http://proxy.example.edu:3128; the first that is set counts, also in lower case.",
    ),
    (
        "NO_PROXY",
        "Hosts that are asked without the proxy, separated by commas; a name stands for all hosts below it too.",
    ),
    (
        "SSL_CERT_FILE, SSL_CERT_DIR",
        "The certificate authorities to trust, a file or folders of PEM files, in place of the operating system's.",
    ),
    (
        "NO_COLOR",
        "If it is set and not empty, nothing is printed in colour.",
    ),
    (
        "TZ",
        "The time zone in which times are shown, such as America/New_York, in place of this machine's.",
    ),
];

/// The files that the program reads and creates, by their default names.
const FILES: [(&str, &str); 5] = [
    (
        "config.yml",
        "The configuration, in the working directory unless --config or LIBCAL_PP_CONFIG names another file.",
    ),
    (
        "cache.db",
        "The cache: what is known of users and bookings, in SQLite. It is beside the configuration unless Cache.path or --db names another file.",
    ),
    (
        "cache.db-wal",
        "The latest changes to the cache, while the program runs or after it was killed. A backup without it may lack them.",
    ),
    (
        "cache.db-shm",
        "Beside cache.db-wal, the shared memory of the processes that use the cache.",
    ),
    (
        "cache.db.lock",
        "The lock that only one sync holds at a time. It stays, and has the number of the last pass, by which a lost cache is noticed.",
    ),
];

/// Writes the pages to a folder, and returns their files.
pub(super) fn write_pages(mut program: Command, folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    // Gives each command the options of all commands, and the name of its page.
    program.build();
    let paragraphs = paragraphs(&program);
    let exit_status: Vec<_> = paragraphs
        .iter()
        .filter(|paragraph| paragraph.starts_with("Exit status:"))
        .cloned()
        .collect();
    let name = program.get_name().to_owned();
    let mut files = Vec::new();
    for command in program.get_subcommands() {
        let man = man_of(command.clone());
        let mut page = head(&man, command)?;
        add_paragraphs(&mut page, &self::paragraphs(command))?;
        add_paragraphs(&mut page, &exit_status)?;
        add_see_also(&mut page, &[&name])?;
        files.push(write(folder, &man, &page)?);
    }
    let commands: Vec<_> = program
        .get_subcommands()
        .map(|command| format!("{name}-{}", command.get_name()))
        .collect();
    let man = man_of(program.clone());
    let mut page = head(&man, &program)?;
    man.render_subcommands_section(&mut page)?;
    add_paragraphs(&mut page, &paragraphs)?;
    add_list(&mut page, "ENVIRONMENT", &ENVIRONMENT)?;
    add_list(&mut page, "FILES", &FILES)?;
    add_see_also(&mut page, &commands)?;
    man.render_version_section(&mut page)?;
    files.push(write(folder, &man, &page)?);
    Ok(files)
}

/// The page of a command, dated today: without a date the reader would take the version for one.
fn man_of(command: Command) -> Man {
    Man::new(command)
        .date(local_now().date_naive().to_string())
        .source(concat!("libcal-pp ", env!("CARGO_PKG_VERSION")))
        .manual("libcal-pp manual")
}

/// What each page begins with.
fn head(man: &Man, command: &Command) -> std::io::Result<Vec<u8>> {
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    add_synopsis(&mut page, command)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    Ok(page)
}

/// How the command is typed. The package leaves out the values of options, and what may be repeated.
fn add_synopsis(page: &mut Vec<u8>, command: &Command) -> std::io::Result<()> {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let mut words = vec![bold(name)];
    let options = command.get_arguments().filter(|arg| !arg.is_positional());
    for option in options {
        words.push(roman(" ["));
        if let Some(short) = option.get_short() {
            words.extend([bold(format!("-{short}")), roman("|")]);
        }
        words.push(bold(format!("--{}", option.get_long().unwrap_or_default())));
        words.extend(value_of(option).map(|value| italic(format!(" {value}"))));
        words.push(roman("]"));
    }
    for operand in command.get_positionals() {
        words.push(italic(format!(
            " {}",
            value_of(operand).unwrap_or_default()
        )));
        if matches!(operand.get_action(), ArgAction::Append) {
            words.push(roman("..."));
        }
    }
    if command.has_subcommands() {
        words.push(italic(" COMMAND"));
    }
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    roff.text(words);
    roff.to_writer(page)
}

/// The name of the value that an option or operand takes.
fn value_of(arg: &Arg) -> Option<String> {
    let names = arg
        .get_value_names()
        .filter(|_| arg.get_action().takes_values());
    Some(names?.join(" "))
}

fn write(folder: &Path, man: &Man, page: &[u8]) -> std::io::Result<PathBuf> {
    let file = folder.join(man.get_filename());
    fs::write(&file, page)?;
    Ok(file)
}

/// The paragraphs below a command's options, each with a title in its first line.
fn paragraphs(command: &Command) -> Vec<String> {
    let text = command.get_after_help().map(ToString::to_string);
    let text = text.unwrap_or_default();
    text.split("\n\n").map(str::to_owned).collect()
}

/// A section for each paragraph, its lines as they are.
fn add_paragraphs(page: &mut Vec<u8>, paragraphs: &[String]) -> std::io::Result<()> {
    let mut roff = Roff::new();
    for paragraph in paragraphs {
        let Some((title, lines)) = paragraph.split_once(":\n") else {
            continue;
        };
        roff.control("SH", [title.to_uppercase().as_str()]);
        roff.control("nf", []);
        for line in lines.lines() {
            roff.text([roman(line.trim())]);
        }
        roff.control("fi", []);
    }
    roff.to_writer(page)
}

/// A section of names, each with what it is.
fn add_list(page: &mut Vec<u8>, title: &str, list: &[(&str, &str)]) -> std::io::Result<()> {
    let mut roff = Roff::new();
    roff.control("SH", [title]);
    for (name, meaning) in list {
        roff.control("TP", []);
        roff.text([italic(*name)]);
        roff.text([roman(*meaning)]);
    }
    roff.to_writer(page)
}

fn add_see_also(page: &mut Vec<u8>, pages: &[impl AsRef<str>]) -> std::io::Result<()> {
    let mut roff = Roff::new();
    roff.control("SH", ["SEE ALSO"]);
    let mut words = Vec::new();
    for name in pages {
        if !words.is_empty() {
            words.push(roman(", "));
        }
        words.extend([bold(name.as_ref()), roman("(1)")]);
    }
    roff.text(words);
    roff.to_writer(page)
}
