//! The table of figures: each beside its limit, the ratio of the two, and the most that the ratio may be.

use std::fs;
use std::time::Duration;

/// A figure and what it is compared with.
pub struct Row {
    /// What was measured.
    pub what: &'static str,
    /// What cannot be gone below, or what it is compared with; nothing if the figure stands alone.
    pub limit: Option<f64>,
    /// The figure, in the limit's unit.
    pub measured: f64,
    /// The most it may be: times the limit, or in its own unit if there is none.
    pub bar: Option<f64>,
    /// The unit.
    pub unit: &'static str,
}

/// All figures of a run.
#[derive(Default)]
pub struct Table(Vec<Row>);

impl Table {
    /// Adds a figure, and says so, for the next one takes its time.
    pub fn add(&mut self, row: Row) {
        eprintln!("{}: {}", row.what, shown(row.measured, row.unit));
        self.0.push(row);
    }

    /// Prints it as the README has it.
    pub fn print(&self) {
        println!("{}\n", machine());
        println!("| | limit | measured | ratio | at most |");
        println!("|---|---:|---:|---:|---:|");
        for row in &self.0 {
            let limit = row.limit.map(|limit| shown(limit, row.unit));
            let ratio = row
                .limit
                .map(|limit| format!("{:.2}", row.measured / limit));
            let bar = row.bar.map(|bar| match row.limit {
                Some(_) => format!("{bar} x"),
                None => shown(bar, row.unit),
            });
            println!(
                "| {} | {} | {} | {} | {} |",
                row.what,
                limit.unwrap_or_default(),
                shown(row.measured, row.unit),
                ratio.unwrap_or_default(),
                bar.unwrap_or_default()
            );
        }
    }
}

fn shown(figure: f64, unit: &str) -> String {
    let digits = if figure < 100.0 && figure.fract() != 0.0 {
        2
    } else {
        0
    };
    format!("{figure:.digits$} {unit}")
}

/// A time in milliseconds.
pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// The middle of several times.
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// The machine's size.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = memory.lines().find_map(|line| {
        line.strip_prefix("MemTotal:")?
            .trim()
            .strip_suffix(" kB")?
            .parse::<u64>()
            .ok()
    });
    let gib = memory.unwrap_or_default() >> 20;
    format!(
        "Measured on a machine with {cores} cores and {gib} GiB of memory, the stand-ins of the services on it too."
    )
}
