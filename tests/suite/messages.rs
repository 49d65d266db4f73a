//! Every message that the program can print is one line, names what it is about, and has no word of Rust.
//!
//! Each module below has the messages of a part of the sources: a list of runs with what they must name. A part is only
//! passed if its runs print every message that stands in its source files, but for those of a short list, which says of
//! each why no run prints it.

mod bookings;
mod cache;
mod check;
mod commands;
mod config;
mod network;
mod rows;
mod services;
mod sources;

use std::collections::BTreeSet;

use crate::sandbox::{Run, Sandbox};
use crate::support::{in_parallel, is_root};

/// What a run must name, and the run.
type Case = (&'static [&'static str], fn() -> Run);

/// A pass that tells all.
fn pass(sandbox: &Sandbox) -> Run {
    sandbox.run(&["-v", "sync"])
}

/// The messages of some source files.
struct Part {
    /// The modules within `src`, with those below them; what is nearest to a module has it.
    sources: &'static [&'static str],
    cases: &'static [Case],
    /// Those in which a file belongs to another account, which takes root.
    as_root: &'static [Case],
    /// The messages, or their beginnings, that none of the cases prints, and why.
    unseen: &'static [(&'static str, &'static str)],
}

static PARTS: [&Part; 8] = [
    &bookings::PART,
    &cache::PART,
    &check::PART,
    &commands::PART,
    &config::PART,
    &network::PART,
    &rows::PART,
    &services::PART,
];

/// What comes from the language or its packages and means nothing to those who read.
const WORDS_OF_RUST: [&str; 24] = [
    "::",
    "Error {",
    "Os {",
    "Some(",
    "None",
    "Ok(",
    "Err(",
    "panicked",
    "unwrap",
    "expect(",
    "backtrace",
    "rustls",
    "ureq",
    "serde",
    "anyhow",
    "rusqlite",
    "clap",
    "called `",
    "io error",
    "os error",
    "invalid type",
    "UnknownIssuer",
    "InvalidCertificate",
    "src/",
];

/// What a message begins with, if that is no lower-case word and no number.
const NAMES: [&str; 6] = [
    "LibCal",
    "Alma",
    "PassagePoint",
    "Main Library",
    "HTTPS_PROXY",
    "/",
];

/// Runs all cases of a part, looks at each line, and compares the messages seen with the sources.
fn assert_part(part: &Part) {
    let as_root = if is_root() { part.as_root } else { &[] };
    let cases = [part.cases, as_root].concat();
    let runs = in_parallel(4, &cases, |(_, run)| run());
    let mut not_named = Vec::new();
    for ((says, _), run) in cases.iter().zip(&runs) {
        assert_lines(run);
        let all = format!("{}{}", run.stdout, run.stderr);
        let missing = says.iter().filter(|name| !all.contains(**name));
        not_named.extend(missing.map(|name| format!("{name:?} in {run:#?}")));
    }
    assert!(not_named.is_empty(), "{}", not_named.join("\n"));
    // What a look-up breaks into lines that fit a terminal is one message.
    let unbroken = |run: &Run| run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut printed: Vec<_> = runs.iter().map(unbroken).collect();
    let lines = runs.iter().flat_map(|run| run.stderr.lines());
    printed.extend(lines.map(str::to_owned));
    let is_printed = |message: &String| {
        let parts = sources::fixed_parts(message);
        printed.iter().any(|line| has_in_order(line, &parts))
    };
    let files = sources::files();
    let own = files
        .iter()
        .filter(|file| owner(file).is_some_and(|owner| std::ptr::eq(owner, part)));
    let messages: BTreeSet<_> = own.flat_map(|file| sources::messages(file)).collect();
    assert!(!messages.is_empty(), "{:?} has no messages", part.sources);
    let (seen, unseen): (BTreeSet<_>, BTreeSet<_>) = messages.into_iter().partition(is_printed);
    let reason_for = |message: &str| {
        part.unseen
            .iter()
            .find(|(text, _)| message.starts_with(text))
    };
    let missing: Vec<_> = unseen
        .iter()
        .filter(|one| reason_for(one).is_none())
        .collect();
    let is_complete = as_root.len() == part.as_root.len();
    assert!(
        missing.is_empty() || !is_complete,
        "no run prints {missing:#?}"
    );
    for (text, why) in part.unseen {
        assert!(!why.is_empty(), "{text}");
        let is_one = |message: &String| message.starts_with(text);
        assert!(unseen.iter().any(is_one), "no longer needed: {text:?}");
        assert!(!seen.iter().any(is_one), "a run prints {text:?}");
    }
}

/// Each line of standard error is a message of its own; nothing that is printed has a word of Rust.
fn assert_lines(run: &Run) {
    for line in run.stdout.lines().chain(run.stderr.lines()) {
        for word in WORDS_OF_RUST {
            assert!(!line.contains(word), "{word:?}: {line}");
        }
    }
    // What clap says of wrong usage has lines of its own.
    if run.code == 2 {
        return assert!(run.stderr.starts_with("error: "), "{run:#?}");
    }
    for line in run.stderr.lines() {
        // Under -v each line begins with the time, and a step of the pass has no word before it.
        let (text, is_verbose) = match line.split_at_checked(20) {
            Some((time, text)) if is_time(time) => (text, true),
            _ => (line, false),
        };
        let told = ["error: ", "warning: "];
        let told = told.iter().find_map(|word| text.strip_prefix(word));
        assert!(is_verbose || told.is_some(), "not one line: {run:#?}");
        assert!(
            !text.ends_with(['.', ' ', ':']) && !text.contains("  "),
            "{text:?}"
        );
        let Some(told) = told else { continue };
        let begins_well = told.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            || NAMES.iter().any(|name| told.starts_with(name));
        assert!(begins_well, "{told:?}");
    }
}

fn is_time(text: &str) -> bool {
    chrono::NaiveDateTime::parse_from_str(text, "%F %T ").is_ok()
}

fn has_in_order(line: &str, parts: &[String]) -> bool {
    let rest = parts.iter().try_fold(line, |rest, part| {
        let (_, rest) = rest.split_once(part.as_str())?;
        Some(rest)
    });
    rest.is_some()
}

#[test]
fn each_message_about_a_connection_is_one_line_that_names_the_service() {
    assert_part(&network::PART);
}

#[test]
fn each_message_about_a_service_is_one_line_that_names_it() {
    assert_part(&services::PART);
}

#[test]
fn each_message_about_rows_and_refusals_is_one_line_that_names_them() {
    assert_part(&rows::PART);
}

#[test]
fn each_message_about_bookings_is_one_line_that_names_them() {
    assert_part(&bookings::PART);
}

#[test]
fn each_line_of_check_names_what_it_is_about() {
    assert_part(&check::PART);
}

#[test]
fn each_message_of_status_prune_and_the_look_ups_is_one_line_that_names_what_it_is_about() {
    assert_part(&commands::PART);
}

#[test]
fn each_message_about_the_configuration_is_one_line_that_names_its_place() {
    assert_part(&config::PART);
}

#[test]
fn each_message_about_the_cache_and_its_lock_is_one_line_that_names_the_file() {
    assert_part(&cache::PART);
}

/// It writes the man pages, which `generated` looks at.
const MAN_PAGES: &str = "command/generate/man.rs";

/// The part that has the messages of a source file.
fn owner(file: &str) -> Option<&'static Part> {
    let module = file.trim_end_matches(".rs");
    let nearness = |source: &str| {
        let below = module.strip_prefix(source)?;
        (below.is_empty() || below.starts_with('/')).then_some(source.len())
    };
    let of = |part: &Part| {
        part.sources
            .iter()
            .filter_map(|source| nearness(source))
            .max()
    };
    let parts = PARTS.iter().copied().filter(|part| of(part).is_some());
    parts
        .max_by_key(|part| of(part))
        .filter(|_| file != MAN_PAGES)
}

#[test]
fn every_source_file_with_a_message_belongs_to_a_part() {
    for file in sources::files() {
        let messages = sources::messages(&file);
        let is_known = owner(&file).is_some() || file == MAN_PAGES;
        assert!(is_known || messages.is_empty(), "{file}: {messages:#?}");
    }
}
