//! `--help`, the man pages and the completions: in step with the command line, whatever that comes to be.

use std::fs;
use std::process::Command;

use clap::CommandFactory;
use libcal_pp::cli::Cli;
use tempfile::TempDir;

use crate::readme::text_of;
use crate::sandbox::Run;

fn program(args: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_libcal-pp"));
    command.args(args).env_clear();
    Run::of(command)
}

/// A folder, made by the program, with all that it generates.
fn generated() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("not/there/yet");
    let run = program(&["generate", made.to_str().unwrap()]);
    assert_eq!(
        (run.code, run.stdout.as_str(), run.stderr.as_str()),
        (0, "", "")
    );
    for file in fs::read_dir(made).unwrap() {
        let file = file.unwrap();
        fs::rename(file.path(), folder.path().join(file.file_name())).unwrap();
    }
    folder
}

/// Each command that `--help` lists, with its long options, those of all commands among them.
fn commands() -> Vec<(String, Vec<String>)> {
    let mut all = Cli::command();
    all.build();
    let shown = all
        .get_subcommands()
        .filter(|command| !command.is_hide_set() && command.get_name() != "help");
    let options = |command: &clap::Command| {
        let options = command.get_arguments().filter_map(clap::Arg::get_long);
        options.map(|long| format!("--{long}")).collect()
    };
    shown
        .map(|command| (command.get_name().to_owned(), options(command)))
        .collect()
}

/// The options that need a value, of all commands that `--help` lists.
fn options_that_take_a_value() -> Vec<clap::Arg> {
    let mut all = Cli::command();
    all.build();
    let shown = all
        .get_subcommands()
        .filter(|command| !command.is_hide_set() && command.get_name() != "help");
    shown
        .flat_map(clap::Command::get_arguments)
        .filter(|option| option.get_long().is_some() && option.get_action().takes_values())
        .cloned()
        .collect()
}

/// Whether the text names this word itself, not only a longer one with it inside.
fn names(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part)
    })
}

/// A man page as text, without what sets it in bold or italics.
fn page(folder: &TempDir, name: &str) -> String {
    let page = fs::read_to_string(folder.path().join(format!("{name}.1"))).unwrap();
    let fonts = ["\\fB", "\\fI", "\\fR"].iter();
    fonts.fold(page.replace("\\-", "-"), |page, font| {
        page.replace(font, "")
    })
}

/// The text of a page's section.
fn section<'p>(page: &'p str, name: &str) -> &'p str {
    let (_, rest) = page
        .split_once(&format!("\n.SH {name}"))
        .unwrap_or_else(|| panic!("no section {name} in {page}"));
    rest.split("\n.SH ").next().unwrap()
}

#[test]
fn the_man_page_has_the_exit_statuses_the_environment_and_the_files() {
    let folder = generated();
    let page = page(&folder, "libcal-pp");
    let statuses = section(&page, "\"EXIT STATUS\"");
    let help = program(&["--help"]).stdout;
    for status in ["0", "1", "2", "75", "78"] {
        let line = help
            .lines()
            .find(|line| line.starts_with(&format!("  {status} ")));
        let (_, meaning) = line.unwrap().trim().split_once(' ').unwrap();
        assert!(statuses.contains(meaning.trim()), "{meaning} in {statuses}");
        assert!(names(statuses, status), "{status} in {statuses}");
    }
    let environment = section(&page, "ENVIRONMENT");
    for variable in [
        "LIBCAL_PP_CONFIG",
        "RUST_LOG",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "HTTP_PROXY",
        "NO_PROXY",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "NO_COLOR",
        "TZ",
    ] {
        assert!(names(environment, variable), "{variable} in {environment}");
    }
    let files = section(&page, "FILES");
    for file in [
        "config.yml",
        "cache.db",
        "cache.db-wal",
        "cache.db-shm",
        "cache.db.lock",
    ] {
        assert!(files.lines().any(|line| line == file), "{file} in {files}");
    }
    for (command, _) in commands() {
        let page = self::page(&folder, &format!("libcal-pp-{command}"));
        let title = page.lines().find(|line| line.starts_with(".TH "));
        let title: Vec<_> = title.unwrap().splitn(5, ' ').collect();
        // A date that is missing would have the reader take the version for one.
        assert!(
            chrono::NaiveDate::parse_from_str(title[3], "%Y-%m-%d").is_ok(),
            "{title:?}"
        );
        assert_eq!(
            title[4].split('"').nth(1),
            Some(concat!("libcal-pp ", env!("CARGO_PKG_VERSION")))
        );
        assert!(names(section(&page, "\"SEE ALSO\""), "libcal-pp"), "{page}");
        assert!(!page.contains("EXTRA"), "{page}");
    }
}

#[test]
fn options_of_all_commands_are_under_a_heading_of_their_own() {
    let all = ["--config", "--db", "--json", "--verbose", "--quiet"];
    let mut pages = vec![program(&["--help"]).stdout];
    for (command, _) in commands() {
        pages.push(program(&[&command, "--help"]).stdout);
        pages.push(program(&[&command, "-h"]).stdout);
    }
    for help in pages {
        let (before, rest) = help.split_once("\nGlobal options:\n").expect(&help);
        let is_over = |line: &&str| line.starts_with("Example");
        let under: String = rest.lines().take_while(|line| !is_over(line)).collect();
        for option in all {
            assert!(!names(before, option), "{option} in {help}");
            assert!(names(&under, option), "{option} in {help}");
        }
        assert!(names(before, "--help"), "{help}");
        assert_eq!(under.matches(" --").count(), all.len(), "{help}");
    }
    let folder = generated();
    let options = page(&folder, "libcal-pp-sync");
    assert!(names(section(&options, "\"GLOBAL OPTIONS\""), "--config"));
}

#[test]
fn each_command_has_a_man_page_with_all_its_options_and_an_example() {
    let folder = generated();
    let page = |name: &str| page(&folder, name);
    let commands = commands();
    assert!(commands.len() >= 5);
    for (command, options) in &commands {
        assert!(page("libcal-pp").contains(&format!("libcal-pp-{command}")));
        let page = page(&format!("libcal-pp-{command}"));
        assert!(section(&page, "EXAMPLE").contains(command), "{page}");
        for option in options {
            assert!(names(&page, option), "{option} in {page}");
        }
        assert!(!page.contains("generate"), "{page}");
    }
    assert!(!page("libcal-pp").contains("generate"));
    let pages = fs::read_dir(folder.path()).unwrap();
    let pages = pages.filter(|file| {
        file.as_ref()
            .unwrap()
            .path()
            .extension()
            .is_some_and(|of| of == "1")
    });
    assert_eq!(
        pages.count(),
        commands.len() + 1,
        "and none for what is hidden"
    );
}

#[test]
fn each_shell_completes_all_commands_and_options_but_not_what_is_hidden() {
    let folder = generated();
    for file in ["libcal-pp.bash", "_libcal-pp", "libcal-pp.fish"] {
        let completions = fs::read_to_string(folder.path().join(file)).unwrap();
        assert!(!completions.contains("generate"), "{file}");
        for (command, options) in commands() {
            assert!(names(&completions, &command), "{command} in {file}");
            for option in options {
                // Fish has options without their hyphens, after `-l`.
                let fish = option.replacen("--", "-l ", 1);
                let is_named = names(&completions, &option) || names(&completions, &fish);
                assert!(is_named, "{option} in {file}");
            }
        }
    }
}

#[test]
fn the_files_written_are_reported_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let run = program(&["-v", "generate", folder.path().to_str().unwrap()]);
    assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{run:#?}");
    // Each line begins with the time, as all do under -v.
    let mut told: Vec<_> = run
        .stderr
        .lines()
        .filter_map(|line| line.split_once(" wrote ").map(|(_, file)| file.to_owned()))
        .collect();
    told.sort();
    let files = fs::read_dir(folder.path()).unwrap();
    let mut written: Vec<_> = files
        .map(|file| file.unwrap().path().display().to_string())
        .collect();
    written.sort();
    assert_eq!(told, written);
}

#[test]
fn bash_completes_what_was_begun() {
    let folder = generated();
    let mut parse = Command::new("bash");
    parse.arg("-n").arg(folder.path().join("libcal-pp.bash"));
    let run = Run::of(parse);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let complete = |words: &str| {
        let script = format!(
            "source \"$0/libcal-pp.bash\"; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _libcal__pp libcal-pp \"${{COMP_WORDS[-1]}}\" \"${{COMP_WORDS[-2]}}\"; echo \"${{COMPREPLY[*]}}\""
        );
        let mut bash = Command::new("bash");
        bash.args(["--norc", "-c", &script]).arg(folder.path());
        let run = Run::of(bash);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{words}");
        run.stdout.trim().to_owned()
    };
    assert_eq!(complete("libcal-pp look"), "lookup-user lookup-appt");
    assert_eq!(complete("libcal-pp prune --users"), "--users-unseen-for");
    assert_eq!(complete("libcal-pp gen"), "");
}

#[test]
fn the_synopsis_of_a_man_page_has_the_values_of_options_and_says_what_may_be_repeated() {
    let folder = generated();
    let synopsis = |command: &str| {
        let page = page(&folder, &format!("libcal-pp{command}"));
        let lines = section(&page, "SYNOPSIS").lines();
        lines
            .filter(|line| line.starts_with("libcal"))
            .collect::<String>()
    };
    for (command, says) in [
        (
            "",
            "[--config FILE] [--db FILE] [--json] [-v|--verbose] [-q|--quiet] [-h|--help] [-V|--version] COMMAND",
        ),
        ("-sync", "libcal-pp sync [--dry-run] [--date YYYY-MM-DD] "),
        ("-lookup-user", " PRIMARY_ID..."),
        ("-lookup-appt", " BOOK_ID..."),
        ("-status", "[--max-age MINUTES]"),
        ("-prune", "[--user PRIMARY_ID] [--appt BOOK_ID]"),
    ] {
        let synopsis = synopsis(command);
        assert!(synopsis.contains(says), "{says} in {synopsis}");
    }
}

#[test]
fn whatever_makes_status_exit_with_1_is_in_its_help_its_man_page_and_the_readme() {
    let help = program(&["status", "--help"]).stdout;
    let folder = generated();
    let page = page(&folder, "libcal-pp-status");
    let readme = text_of("README.md");
    let row = readme.lines().find(|line| line.starts_with("| 1 | "));
    for text in [&help, section(&page, "DESCRIPTION"), row.unwrap()] {
        for says in ["outage", "not over", "refused or in doubt", "--max-age"] {
            assert!(text.contains(says), "{says} in {text}");
        }
    }
}

#[test]
fn the_help_of_each_command_has_a_purpose_its_defaults_and_an_example() {
    for (command, options) in commands() {
        let run = program(&[&command, "--help"]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""));
        let example = run
            .stdout
            .lines()
            .find(|line| line.starts_with("  libcal-pp "));
        assert!(
            example.is_some_and(|line| line.contains(&command)),
            "{run:#?}"
        );
        let purpose = run.stdout.lines().next().unwrap_or_default();
        assert!(purpose.split(' ').count() > 5, "{run:#?}");
        for option in options.iter().filter(|option| *option != "--help") {
            assert!(run.stdout.contains(option.as_str()), "{option}: {run:#?}");
        }
    }
    for option in options_that_take_a_value() {
        let help = option.get_help().unwrap().to_string();
        // What `prune` is told to forget has no default: without it nothing is forgotten.
        let has_none = ["user", "appt"].contains(&option.get_id().as_str());
        let names_it = !option.get_default_values().is_empty() || help.contains("[default: ");
        assert_ne!(names_it, has_none, "{option}: {help}");
    }
    for (args, defaults) in [
        (
            &["sync", "--help"][..],
            &["[default: config.yml]", "[default: today"][..],
        ),
        (&["prune", "--help"], &["[default: 0]", "[default: none]"]),
    ] {
        let help = program(args).stdout;
        assert!(
            defaults.iter().all(|default| help.contains(default)),
            "{help}"
        );
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let run = program(&["generate", "/dev/null/pages"]);
    assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{run:#?}");
    assert_eq!(run.stderr.lines().count(), 1, "{run:#?}");
    assert!(run.stderr.contains("/dev/null/pages"), "{run:#?}");
}
