//! The files that people copy: what stands in them works.

use std::path::Path;

use clap::Parser;
use libcal_pp::cli::Cli;
use libcal_pp::config::Config;
use libcal_pp::model::LocationId;

fn shipped(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[test]
fn the_example_configuration_is_accepted_and_holds_the_defaults() {
    let config = Config::load(&shipped("config.yml.example")).unwrap();
    assert_eq!(
        config.libcal.locations.len(),
        config.passagepoint.location_mapping.len()
    );
    assert_eq!(
        config.passagepoint.location_mapping[&LocationId(8827)],
        "LibCal Main"
    );

    // The same file with every optional line taken out says the same.
    let text = std::fs::read_to_string(shipped("config.yml.example")).unwrap();
    let optional = [
        "statuses:",
        "days:",
        "barcode_types:",
        "refuse:",
        "requests_per_second:",
        "refresh_days:",
        "login_endpt:",
        "create_visitor_endpt:",
        "uniqueId_endpt:",
        "create_prereg_endpt:",
        "get_destinations_endpt:",
        "path:",
        "timeout_seconds:",
        "tries:",
        "concurrency:",
    ];
    let is_optional = |line: &&str| {
        optional
            .iter()
            .any(|key| line.trim_start().starts_with(key))
    };
    let (left_out, kept): (Vec<_>, Vec<_>) = text.lines().partition(is_optional);
    assert_eq!(left_out.len(), optional.len());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yml");
    std::fs::write(&file, kept.join("\n")).unwrap();
    let mut short = Config::load(&file).unwrap();
    assert_eq!(short.cache.path, folder.path().join("cache.db"));
    short.cache.path.clone_from(&config.cache.path);
    assert_eq!(format!("{short:?}"), format!("{config:?}"));
}

#[test]
fn every_key_of_the_example_configuration_is_explained() {
    let text = std::fs::read_to_string(shipped("config.yml.example")).unwrap();
    let lines: Vec<_> = text.lines().collect();
    let is_key = |line: &str| {
        line.starts_with("  ") && line[2..].starts_with(|c: char| c.is_ascii_lowercase())
    };
    let keys = lines.windows(2).filter(|pair| is_key(pair[1]));
    let mut counted = 0;
    for pair in keys {
        assert!(
            pair[0].starts_with("  # "),
            "no explanation above {:?}",
            pair[1]
        );
        counted += 1;
    }
    assert_eq!(counted, 28);
}

#[test]
fn the_example_crontab_has_lines_that_cron_and_the_program_take() {
    let text = std::fs::read_to_string(shipped("crontab.example")).unwrap();
    let lines = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let (settings, jobs): (Vec<_>, Vec<_>) = lines.partition(|line| line.starts_with("MAILTO="));
    assert_eq!((settings.len(), jobs.len()), (1, 2));
    for job in jobs {
        let fields: Vec<_> = job.split_whitespace().collect();
        let (times, command) = fields.split_at(5);
        let is_time = |field: &&str| {
            field
                .chars()
                .all(|c| c.is_ascii_digit() || "*/,-".contains(c))
        };
        assert!(times.iter().all(is_time), "{job}");
        assert_eq!(command[0], "/usr/local/bin/libcal-pp");
        let cli = Cli::try_parse_from(command).unwrap();
        assert!(cli.config.is_absolute());
    }
}

#[test]
fn every_table_of_the_readme_has_all_its_cells() {
    let text = std::fs::read_to_string(shipped("README.md")).unwrap();
    let mut columns = None;
    let mut rows = 0;
    for line in text.lines() {
        if !line.starts_with('|') {
            columns = None;
            continue;
        }
        let cells = line.matches('|').count() - 1;
        assert_eq!(cells, *columns.get_or_insert(cells), "{line}");
        rows += 1;
    }
    assert!(rows > 0, "no tables were found");
}
