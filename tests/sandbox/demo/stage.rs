//! Where the demo is shown: sentences, commands with what they said, and the state of PassagePoint. What is not as
//! it should be is remembered, and told at the end.

use std::env;
use std::fmt::Display;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};
use chrono::{Local, TimeZone};

use crate::sandbox::{Expected, Sandbox};

/// Prints a paragraph.
///
/// # Errors
/// If it cannot be written, as with everything here: `| head` must not end in a panic.
pub fn say(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "\n{text}")
}

/// The sandbox, the program, and what was not as it should be so far.
pub struct Stage<'a> {
    sandbox: &'a Sandbox,
    program: PathBuf,
    commands: usize,
    /// Lines to print at the end.
    mistakes: Vec<String>,
}

impl<'a> Stage<'a> {
    /// A stage on which nothing has happened.
    pub fn new(sandbox: &'a Sandbox, program: PathBuf) -> Self {
        Self {
            sandbox,
            program,
            commands: 0,
            mistakes: Vec::new(),
        }
    }

    /// Runs the program with these arguments, prints all it says and its exit status, which should be this one.
    ///
    /// # Errors
    /// If it cannot be run.
    pub fn run(&mut self, args: &str, status: i32) -> Result<()> {
        say(&format!("    $ libcal-pp {args}"))?;
        let (said, code) = self.result_of(args)?;
        let code = code.map_or("none (ended by a signal)".into(), |code| code.to_string());
        indented(said.lines())?;
        indented([format!("[exit status {code}]")])?;
        self.commands += 1;
        if code != status.to_string() {
            let mistake = format!("`libcal-pp {args}`: exit status {code} instead of {status}");
            self.mistakes.push(mistake);
        }
        Ok(())
    }

    /// What the program said, both outputs in the order in which they came, and its exit status.
    fn result_of(&self, args: &str) -> Result<(String, Option<i32>)> {
        let (mut said, output) = io::pipe()?;
        let mut command = Command::new(&self.program);
        command
            .args(args.split(' '))
            .current_dir(self.sandbox.path(""))
            .env_clear()
            .env("RUST_LOG", "info")
            // The program and the table below tell times by the same clock.
            .envs(env::vars_os().filter(|(name, _)| name == "TZ"))
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        let mut child = command.spawn().context("cannot run libcal-pp")?;
        // It has the pipe's other end too, and reading ends when nobody has.
        drop(command);
        let mut text = String::new();
        said.read_to_string(&mut text)?;
        Ok((text, child.wait()?.code()))
    }

    /// Prints who is expected in PassagePoint, which should be these.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn show_passagepoint(&mut self, should_be: &[Expected]) -> Result<()> {
        say("PassagePoint expects:\n")?;
        indented(table(self.sandbox, &self.sandbox.expected()))?;
        self.check_passagepoint(should_be);
        Ok(())
    }

    /// Makes sure that PassagePoint expects these, and prints nothing.
    pub fn check_passagepoint(&mut self, should_be: &[Expected]) {
        let expected = self.sandbox.expected();
        if expected == should_be {
            return;
        }
        let (should, does) = (
            table(self.sandbox, should_be),
            table(self.sandbox, &expected),
        );
        self.mistakes.push("PassagePoint should expect:".into());
        self.mistakes.extend(should);
        self.mistakes.push("and expects:".into());
        self.mistakes.extend(does);
    }

    /// Tells whether all was as it should be.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn end(mut self) -> Result<ExitCode> {
        let complaints = self.sandbox.complaints();
        self.mistakes.extend(complaints);
        if self.mistakes.is_empty() {
            say(&format!(
                "Everything is as expected: {} exit statuses, the pre-registrations in PassagePoint, every request.",
                self.commands
            ))?;
            return Ok(ExitCode::SUCCESS);
        }
        say("Not as expected:\n")?;
        indented(&self.mistakes)?;
        Ok(ExitCode::FAILURE)
    }
}

/// Who is expected, as a table.
pub fn table(sandbox: &Sandbox, expected: &[Expected]) -> Vec<String> {
    let head = ["visitor", "barcode", "destination", "day", "from", "to"];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(expected.iter().map(|one| cells(sandbox, one)));
    aligned(&rows)
}

fn cells(sandbox: &Sandbox, expected: &Expected) -> [String; 6] {
    let world = sandbox.world();
    let mut visitors = world.visitors.iter();
    let visitor = visitors.find(|visitor| visitor.unique_id == expected.barcode);
    let name = visitor.map(|it| format!("{} {}", it.first_name, it.last_name));
    [
        name.unwrap_or_default(),
        expected.barcode.clone(),
        expected.destination.clone(),
        local(expected.starts_at, "%a %-d %b"),
        local(expected.starts_at, "%H:%M"),
        local(expected.ends_at, "%H:%M"),
    ]
}

fn indented(lines: impl IntoIterator<Item = impl Display>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    lines
        .into_iter()
        .try_for_each(|line| writeln!(out, "    {line}"))
}

fn local(unix: i64, format: &str) -> String {
    let time = Local.timestamp_opt(unix, 0).single();
    time.map_or_else(|| unix.to_string(), |time| time.format(format).to_string())
}

/// The rows as lines, each column as wide as its widest cell.
fn aligned<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or_default());
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}
