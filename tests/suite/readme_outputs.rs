//! What the README shows of the program's output is what the program prints, of the demo's day.

#[path = "../sandbox/demo/day.rs"]
#[allow(dead_code, reason = "the demo needs more of it")]
mod day;

use std::fs;

use chrono::{DateTime, Timelike};
use regex_lite::Regex;

use crate::readme::{blocks, text_of};
use crate::sandbox::{Run, Sandbox};
use crate::support::assert_says;
use day::{Day, EVE};

/// The commands that the README shows, each with what it prints.
fn shown() -> Vec<(String, String)> {
    let all = blocks("console").concat();
    let commands = all.split("$ libcal-pp ").skip(1);
    commands
        .map(|shown| {
            let (command, output) = shown.split_once('\n').expect("a line of its own");
            (command.to_owned(), output.to_owned())
        })
        .collect()
}

/// A text without what differs from day to day: numbers and times, where lines end, and whether the booking that
/// was over before the first pass is still listed.
fn normalized(text: &str) -> String {
    let day = Regex::new(r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d+ [A-Z][a-z]{2} ").unwrap();
    let number = Regex::new(r"\b\d[\dT.:+-]*").unwrap();
    let zone = Regex::new(r"UTC[+-]\d\d:\d\d").unwrap();
    let text = zone.replace_all(text, "UTC");
    let text = number
        .replace_all(&day.replace_all(&text, "DAY "), "N")
        .into_owned();
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").replace(", N ended", "")
}

/// Runs a command as the README shows it. The program's clock says that it is afternoon, so that no visit of the
/// day goes on past midnight.
fn run(sandbox: &Sandbox, args: &str) -> Run {
    let args: Vec<_> = args.split(' ').collect();
    let mut command = sandbox.command(&args);
    let now = DateTime::from_timestamp(sandbox.now(), 0).expect("a moment");
    let hour = now.hour().cast_signed();
    command.env("TZ", format!("EST{}", hour - 14));
    Run::of(command)
}

/// What each of the shown commands prints now.
fn outputs(sandbox: &Sandbox, shown: &[(String, String)]) -> Vec<String> {
    let folder = format!("{}/", sandbox.path("").display()).replace("//", "/");
    let print = |(command, _): &(String, String)| {
        let run = run(sandbox, command);
        normalized(&format!("{}{}", run.stdout, run.stderr).replace(&folder, ""))
    };
    shown.iter().map(print).collect()
}

#[test]
fn the_outputs_in_the_readme_are_those_of_the_demos_day() {
    let mut shown = shown();
    // The one with mistakes in the configuration has a test of its own.
    shown.retain(|(command, _)| command != "sync");
    assert_eq!(shown.len(), 10);
    let sandbox = Sandbox::new();
    let day = Day::begin(&sandbox);
    let fresh = outputs(&sandbox, &shown);
    let mail = run(&sandbox, "sync").stderr;
    assert_eq!(run(&sandbox, "sync").code, 0);
    let first = outputs(&sandbox, &shown);
    day.change();
    run(&sandbox, &format!("prune --user {}", EVE.id));
    assert_eq!(run(&sandbox, "sync").code, 0);
    let changed = outputs(&sandbox, &shown);

    for (n, (command, output)) in shown.iter().enumerate() {
        let printed = [&fresh[n], &first[n], &changed[n]];
        let output = normalized(output);
        assert!(
            printed.contains(&&output),
            "{command}:\n{output}\n{printed:#?}"
        );
    }
    let mailed = blocks("text")
        .into_iter()
        .find(|block| block.starts_with("warning: "));
    assert_eq!(mailed, Some(mail));
}

#[test]
fn the_mistakes_in_the_readme_are_reported_for_the_example_with_those_mistakes() {
    let text = text_of("config.yml.example").replace("client_secret:", "client-secret:");
    let sandbox = Sandbox::new();
    fs::write(
        sandbox.path("config.yml"),
        text.replace("days: 0", "days: 400"),
    )
    .unwrap();
    let run = sandbox.run(&["sync"]);
    assert_eq!(run.code, 78);
    let shown = shown().into_iter().find(|(command, _)| command == "sync");
    let lines: Vec<_> = shown
        .iter()
        .flat_map(|(_, output)| output.lines())
        .collect();
    assert_eq!(run.stderr.lines().count(), lines.len());
    for line in lines {
        assert_says(&run.stderr, &[line.strip_prefix("error: ").unwrap()]);
    }
}
