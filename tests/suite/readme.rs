//! What the README says of the program is so: its tables, its commands and its systemd units.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use clap::{CommandFactory, Parser};
use libcal_pp::cli::Cli;
use libcal_pp::command::Exit;
use libcal_pp::config::Config;
use libcal_pp::model::State;

use crate::sandbox::Run;

/// A file of those that people read or copy.
pub fn text_of(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The rows below a table's head, each as its cells.
fn table(head: &str) -> Vec<Vec<String>> {
    let text = text_of("README.md");
    let mut lines = text.lines().skip_while(|line| *line != head);
    assert_eq!(lines.next(), Some(head), "there is no such table");
    let rows = lines.skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells = row.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().to_owned()).collect()
    })
    .collect()
}

/// The code blocks of one language.
pub fn blocks(language: &str) -> Vec<String> {
    let text = text_of("README.md");
    let fence = format!("```{language}\n");
    let after = text.split(fence.as_str()).skip(1);
    let blocks: Vec<_> = after
        .map(|rest| rest.split("```").next().unwrap_or_default().to_owned())
        .collect();
    assert!(!blocks.is_empty(), "there is no block of {language}");
    blocks
}

#[test]
fn the_table_of_exit_statuses_is_that_of_the_help_and_of_the_code() {
    let rows = table("| status | meaning |");
    let statuses: Vec<_> = rows.iter().map(|row| row[0].as_str()).collect();
    let codes = [
        Exit::Done as i32,
        Exit::AttentionNeeded as i32,
        2,
        Exit::Busy as i32,
        Exit::Config as i32,
    ];
    assert_eq!(statuses, codes.map(|code| code.to_string()));

    let help = Cli::command().render_long_help().to_string();
    let (_, list) = help.split_once("Exit status:\n").unwrap();
    let listed: Vec<_> = list.lines().take_while(|line| !line.is_empty()).collect();
    assert_eq!(listed.len(), rows.len(), "{list}");
    for (line, row) in listed.iter().zip(&rows) {
        let (status, meaning) = line.trim().split_once(' ').unwrap();
        assert_eq!(status, row[0]);
        assert!(
            row[1].starts_with(meaning.trim()),
            "{line:?} is not {row:?}"
        );
    }
}

#[test]
fn the_table_of_states_is_that_of_the_code() {
    let rows = table("| state | meaning | what you do |");
    let states: Vec<_> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(states, State::ALL.map(State::as_str));
}

/// The keys of the configuration's table, each with its default; empty where there is none.
fn keys() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for row in table("| key | what it is | default |") {
        let mut section = "";
        for name in row[0].split(", ").map(|key| key.trim_matches('`')) {
            let key = match name.split_once('.') {
                Some((of, _)) => {
                    section = of;
                    name.to_owned()
                }
                None => format!("{section}.{name}"),
            };
            found.push((key, row[2].clone()));
        }
    }
    found
}

/// The example configuration without these keys and what stands below them.
fn example_without(left_out: &[&str]) -> String {
    let text = text_of("config.yml.example");
    let mut section = String::new();
    let mut is_out = false;
    let mut kept = Vec::new();
    for line in text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
    {
        let name = line.trim().split(':').next().unwrap_or_default();
        let depth = line.len() - line.trim_start().len();
        if depth == 0 && !name.is_empty() {
            name.clone_into(&mut section);
        }
        if depth <= 2 {
            is_out = left_out.contains(&format!("{section}.{name}").as_str());
        }
        if !is_out {
            kept.push(line);
        }
    }
    kept.join("\n")
}

fn load(text: &str) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yml");
    fs::write(&file, text).unwrap();
    Config::load(&file).map_err(|wrong| wrong.to_string())
}

#[test]
fn a_key_has_no_default_in_the_table_if_and_only_if_it_cannot_be_left_out() {
    for (key, default) in keys() {
        let loaded = load(&example_without(&[&key]));
        assert_eq!(loaded.is_err(), default.is_empty(), "{key}: {loaded:?}");
        let (_, name) = key.split_once('.').unwrap();
        if let Err(told) = loaded {
            assert!(told.contains(name), "{key}: {told}");
        }
    }
}

#[test]
fn the_defaults_in_the_table_are_those_of_the_code() {
    let keys = keys();
    let optional: Vec<_> = keys
        .iter()
        .filter(|(_, default)| !default.is_empty())
        .collect();
    let names: Vec<_> = optional.iter().map(|(key, _)| key.as_str()).collect();
    let config = load(&example_without(&names)).unwrap();
    let listed = |list: &[String]| format!("`{}`", list.join("`, `"));
    let (libcal, alma, network) = (&config.libcal, &config.alma, &config.network);
    let passagepoint = &config.passagepoint;
    assert!(libcal.primary_id_pattern.is_none() && alma.refuse.is_empty());
    assert!(passagepoint.user_mapping.is_empty());
    let file = config.cache.path.file_name().unwrap().display().to_string();
    let defaults = [
        (
            "LibCal.primary_id_pattern",
            "the whole answer is the ID".to_owned(),
        ),
        ("LibCal.statuses", listed(&libcal.statuses)),
        ("LibCal.days", libcal.days.to_string()),
        ("Alma.barcode_types", listed(&alma.barcode_types)),
        ("Alma.refuse", "none".to_owned()),
        (
            "Alma.requests_per_second",
            alma.requests_per_second.to_string(),
        ),
        ("Alma.refresh_days", alma.refresh_days.to_string()),
        ("PassagePoint.user_mapping", "`Visitor` for all".to_owned()),
        ("Cache.path", format!("`{file}` beside the configuration")),
        (
            "Network.timeout_seconds",
            network.timeout_seconds.to_string(),
        ),
        ("Network.tries", network.tries.to_string()),
        ("Network.concurrency", network.concurrency.to_string()),
    ];
    let is_path = |key: &str| key.starts_with("PassagePoint.") && key.ends_with("_endpt");
    let shown: Vec<_> = optional
        .iter()
        .filter(|(key, _)| !is_path(key))
        .map(|(key, default)| (key.as_str(), default.clone()))
        .collect();
    assert_eq!(shown, defaults);
    for (key, default) in optional.iter().filter(|(key, _)| is_path(key)) {
        assert_eq!(default, "those of API v2", "{key}");
    }
    assert!(format!("{passagepoint:?}").matches("/pp/api/v2/").count() == 5);
}

/// The lines of the README's crontabs, and of the example, that run the program.
fn jobs(crontab: &str) -> Vec<&str> {
    let lines = crontab.lines();
    lines.filter(|line| line.contains(PROGRAM)).collect()
}

/// Where the README has it installed.
const PROGRAM: &str = "/usr/local/bin/libcal-pp";

/// Reads a command line as the program does.
fn assert_taken(command: &str) {
    let words = command.split_whitespace();
    let words = words.take_while(|word| !["&&", ">"].contains(word));
    if let Err(error) = Cli::try_parse_from(words) {
        panic!("{command}: {error}");
    }
}

#[test]
fn the_crontab_of_the_readme_is_the_example() {
    let all = blocks("crontab").concat();
    let shown = jobs(&all);
    let example = text_of("crontab.example");
    assert_eq!(shown[..2], jobs(&example)[..]);
    for job in shown {
        assert_taken(&job[job.find(PROGRAM).unwrap()..]);
    }
}

/// The systemd units: the path that the first line of each names, and the whole of it.
fn units() -> Vec<(String, String)> {
    let named = blocks("ini").into_iter().map(|unit| {
        let first = unit.lines().next().unwrap_or_default();
        let path = first.strip_prefix("# /etc/systemd/system/");
        (path.expect("the file's name").to_owned(), unit)
    });
    named.collect()
}

#[test]
fn the_systemd_units_run_what_the_program_takes() {
    let mut commands = 0;
    for (_, unit) in units() {
        for line in unit.lines().filter(|line| line.contains(PROGRAM)) {
            assert_taken(line.strip_prefix("ExecStart=").expect("only there"));
            commands += 1;
        }
        if let Some(status) = unit
            .lines()
            .find_map(|line| line.strip_prefix("SuccessExitStatus="))
        {
            assert_eq!(status, (Exit::Busy as i32).to_string());
        }
    }
    assert_eq!(commands, 2, "sync and prune");
}

/// What systemd finds wrong with these units; nothing where it cannot look.
fn verified(units: &[(String, String)]) -> Option<Run> {
    let folder = tempfile::tempdir().unwrap();
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no", "--recursive-errors=yes"]);
    for (path, unit) in units {
        let file = folder.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        // It looks whether the program is there, so that it has to be one that is.
        fs::write(&file, unit.replace(PROGRAM, "/bin/true")).unwrap();
        // A drop-in is read with the units that it is for.
        if !path.contains('/') {
            verify.arg(folder.path().join(path.replace("@.", "@libcal-pp-sync.")));
        }
    }
    let output = verify.output().ok()?;
    Some(output.into())
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    // Not every machine has a systemd, or one that is new enough, or may ask it: this unit is good.
    let trial = "[Unit]\nOnSuccess=basic.target\n[Service]\nType=oneshot\nExecStart=/bin/sh\n";
    let trial = verified(&[("trial.service".to_owned(), trial.to_owned())]);
    if !trial.is_some_and(|run| run.code == 0 && run.stderr.is_empty()) {
        return;
    }
    let run = verified(&units()).unwrap();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
}

#[test]
fn each_shell_block_of_the_readme_can_be_pasted() {
    for block in blocks("sh") {
        let mut bash = Command::new("bash");
        bash.args(["-n", "-c", &block]);
        let run = Run::of(bash);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{block}");
    }
}

#[test]
fn each_link_within_the_readme_leads_to_a_heading() {
    let text = text_of("README.md");
    let headings: BTreeSet<_> = text
        .lines()
        .filter(|line| line.starts_with("##"))
        .map(|line| {
            let kept = line.trim_start_matches('#').trim().to_lowercase();
            let kept: String = kept
                .chars()
                .filter(|c| c.is_alphanumeric() || " -".contains(*c))
                .collect();
            kept.replace(' ', "-")
        })
        .collect();
    let links = text.split("](#").skip(1);
    let links: Vec<_> = links.filter_map(|rest| rest.split(')').next()).collect();
    assert!(!links.is_empty());
    for link in links {
        assert!(headings.contains(link), "{link} is none of {headings:?}");
    }
}
