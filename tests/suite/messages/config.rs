//! Mistakes in the configuration: each names the file, the line and the key, and shows no value.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

use super::{Case, Part};
use crate::config::{file, with_line};
use crate::sandbox::{Run, Sandbox};
use crate::support::{one_person, run_unprivileged};

pub static PART: Part = Part {
    sources: &["config"],
    cases: CASES,
    as_root: &[],
    unseen: &[
        ("Mediated Approved", "it is a default, which `check` tells"),
        (
            "any value",
            "it is for the YAML package, whose words are not printed",
        ),
        ("to end here", "as above"),
        ("it is here", "as above"),
    ],
};

const CASES: &[Case] = &[
    // The file as a whole.
    (&["no configuration file", "config.yml", "--config"], || {
        let sandbox = one_person();
        fs::remove_file(sandbox.path("config.yml")).expect("it is there");
        sandbox.sync()
    }),
    (
        &[
            "cannot read the configuration file",
            "config.yml: Is a directory",
        ],
        || {
            let sandbox = one_person();
            fs::remove_file(sandbox.path("config.yml")).expect("it is there");
            fs::create_dir(sandbox.path("config.yml")).expect("a folder");
            sandbox.sync()
        },
    ),
    (
        &["config.yml: Permission denied", "--config", "chown"],
        || {
            let sandbox = one_person();
            for (name, mode) in [("config.yml", 0o000), ("", 0o777)] {
                let mode = fs::Permissions::from_mode(mode);
                fs::set_permissions(sandbox.path(name), mode).expect("its owner may");
            }
            run_unprivileged(&sandbox, &["sync"])
        },
    ),
    (&["config.yml", "not UTF-8 text"], || {
        let sandbox = one_person();
        fs::write(sandbox.path("config.yml"), [0xff, 0xfe]).expect("a file");
        sandbox.sync()
    }),
    (&["config.yml: is empty"], || whole("")),
    (
        &[
            "config.yml",
            "must have the sections LibCal, Alma and PassagePoint, but is a list",
        ],
        || whole("- x"),
    ),
    (&["config.yml: has too many references (`*`)"], || {
        let list = |name: char, of: &str| format!("{name}: &{name} [{}]\n", [of; 9].join(", "));
        let lists = [
            ('a', "x"),
            ('b', "*a"),
            ('c', "*b"),
            ('d', "*c"),
            ('e', "*d"),
            ('f', "*e"),
        ];
        whole(&lists.map(|(name, of)| list(name, of)).concat())
    }),
    // What is no YAML.
    (&["line 3", "a tab in the indentation"], || {
        line("client_id:", "\tclient_id: 1")
    }),
    (&["line 3", "begins with % must be in quotes"], || {
        line("client_id:", "client_id: %x")
    }),
    (&["special meaning within double quotes"], || {
        line("days:", r#"days: "\d""#)
    }),
    (&["line 3", "no colon and space"], || {
        line("client_id:", "client_id 4242")
    }),
    (&["line 3", "the quote `'` is not closed"], || {
        line("client_id:", "client_id: 'x")
    }),
    (&["the bracket `[` is not closed"], || {
        line("statuses:", "statuses: [x, y")
    }),
    (&["line 3", "with a colon in it must be in quotes"], || {
        line("client_id:", "client_id: x: y")
    }),
    (
        &["line 3", "unexpected text after the closing quote"],
        || line("client_id:", "client_id: 'it's'"),
    ),
    (
        &["check the indentation here and above: all keys of a section"],
        || line("statuses:", "statuses: [x,\n    y]\n   z: 1"),
    ),
    (
        &["LibCal.days: check the indentation: all keys of a section"],
        || line("days:", " days: 0"),
    ),
    (
        &["Alma.apikeys: check the indentation: all hyphens of a list"],
        || line("apikeys:", "apikeys:\n    - x\n   - y"),
    ),
    (
        &["line 3: a no-break space (U+00A0) in the indentation"],
        || line("client_id:", "\u{a0}client_id: x"),
    ),
    (
        &["line 3: an unusual space (U+3000) in the indentation"],
        || line("client_id:", "\u{3000}client_id: x"),
    ),
    (&["line 3: an invisible character (U+200B)"], || {
        line("client_id:", "\u{200b}client_id: x")
    }),
    (&["line 3", "contains a control character"], || {
        line("client_id:", "client_id: x\u{7}")
    }),
    (&["starts a second document"], || {
        line("Cache:", "---\nCache:")
    }),
    // Keys.
    (&["line 2", "LibCal: missing key `client_id`"], || {
        line("client_id:", "# none")
    }),
    (
        &["unknown key `client-id`: did you mean `client_id`?"],
        || line("client_id:", "client-id: 1"),
    ),
    (&["unknown key `colour`"], || line("days:", "colour: 1")),
    (&["unknown key (not shown"], || {
        line("days:", "a key that nobody can have meant: 1")
    }),
    (&["`apikeys` belongs to Alma"], || {
        line("days:", "apikeys: [x]")
    }),
    (
        &["the section `Cache` must start in the first column"],
        || line("Cache:", "  Cache:"),
    ),
    (&["`days` appears twice, first in line"], || {
        line("days:", "days: 0\n  days: 1")
    }),
    (
        &["LibCal: is empty: its keys must be indented below it"],
        || whole("LibCal:\nAlma:\nPassagePoint:\n"),
    ),
    // Values.
    (&["LibCal.client_id: is empty"], || {
        line("client_id:", "client_id:")
    }),
    (&["LibCal.client_id: is empty"], || {
        line("client_id:", "client_id: ''")
    }),
    (&["LibCal.primary_id_field: is empty"], || {
        line("primary_id_field:", "primary_id_field: ' '")
    }),
    (&["Cache.path: is empty"], || line("path:", "path: ''")),
    (&["`~` is not expanded"], || {
        line("path:", "path: ~/cache.db")
    }),
    (
        &["LibCal.client_id: must be text, not true or false"],
        || line("client_id:", "client_id: true"),
    ),
    (
        &["LibCal.client_id: must be text, not a decimal number"],
        || line("client_id:", "client_id: 1.5"),
    ),
    (&["primary_id_field: must be text, not a list"], || {
        line("primary_id_field:", "primary_id_field: [x]")
    }),
    (&["primary_id_field: must be text, not a section"], || {
        line("primary_id_field:", "primary_id_field: {x: y}")
    }),
    (
        &["LibCal.days: must be a whole number from 0 to 365, not a tag (`!`)"],
        || line("days:", "days: !x 1"),
    ),
    (&["LibCal.client_id: a value that begins with &"], || {
        line("client_id:", "client_id: &x y")
    }),
    (&["client_id: begins with “", "straight quotes"], || {
        line("client_id:", "client_id: “x”")
    }),
    (&["client_id: goes on in the next line"], || {
        line("client_id:", "client_id: x\n    y")
    }),
    (
        &["client_id: has ` #` in it", "put the value in quotes"],
        || line("client_id:", "client_id: x #y"),
    ),
    (
        &["LibCal.days: must be a whole number from 0 to 365"],
        || line("days:", "days: 366"),
    ),
    (
        &["LibCal.locations[0].id: must be a location ID, not text"],
        || line("id:", "id: main"),
    ),
    (&["Alma.apikeys: must be a list: write a space"], || {
        line("apikeys:", "apikeys: -l8xx")
    }),
    (&["LibCal.locations: must be a list, not a number"], || {
        line("locations:", "locations: 1\n  statuses:")
    }),
    (&["LibCal.statuses: is an empty list"], || {
        line("statuses:", "statuses: []")
    }),
    (
        &["Network: must be a section of indented lines `key: value`, not a number"],
        || line("Network:", "Network: 1\nEmails:"),
    ),
    (&["user_mapping: must be a section, not a number"], || {
        line("user_mapping:", "user_mapping: 1")
    }),
    (
        &["Alma.refuse[0]: must be inactive, expired or blocked"],
        || line("refresh_days:", "refuse: [suspended]"),
    ),
    (&["location 8827 appears twice"], || {
        line("id: 10332", "id: 8827")
    }),
    (&["location 8827 appears twice"], || {
        line("10332:", "8827: x")
    }),
    (&["every key must be a location ID"], || {
        line("10332:", "main: x")
    }),
    (
        &["the destination of location 10332 (Science & Technology Library) is empty"],
        || line("10332:", "10332: ''"),
    ),
    (
        &["no destination for location 10332 (Science & Technology Library)"],
        || line("10332:", "# none"),
    ),
    (&["this user group appears twice"], || {
        line("user_mapping:", "user_mapping: {a: b, a: c}")
    }),
    (
        &["LibCal.primary_id_pattern: is not a valid regular expression"],
        || line("days:", "primary_id_pattern: '('"),
    ),
    (
        &["LibCal.primary_id_pattern: also matches empty text"],
        || line("days:", "primary_id_pattern: 'x*'"),
    ),
    // Addresses and paths.
    (
        &["Alma.users_endpt: is not an address like", "it has no host"],
        || line("users_endpt:", "users_endpt: 'https:'"),
    ),
    (&["it has no host"], || {
        line("users_endpt:", "users_endpt: /users")
    }),
    (&["it is not a URL"], || {
        line("users_endpt:", "users_endpt: 'https://a b'")
    }),
    (&["it must not contain a user name"], || {
        line("users_endpt:", "users_endpt: https://u@a.example")
    }),
    (&["it must not contain a query"], || {
        line("users_endpt:", "users_endpt: https://a.example/?x=1")
    }),
    (&["http:// would send secrets unencrypted"], || {
        line("users_endpt:", "users_endpt: http://a.example")
    }),
    (&["it does not begin with https://"], || {
        line("users_endpt:", "users_endpt: ftp://a.example")
    }),
    (&["PassagePoint.login_endpt: is not a path like"], || {
        line("login_endpt:", "login_endpt: /")
    }),
    // Secrets that are elsewhere.
    (
        &["LibCal.client_id: the environment variable THERE is not set"],
        || environment(None),
    ),
    (
        &["LibCal.client_id: the environment variable THERE is empty"],
        || environment(Some(b" ")),
    ),
    (
        &["LibCal.client_id: the environment variable THERE is not UTF-8 text"],
        || environment(Some(&[0xff])),
    ),
    (&["LibCal.client_id: there is no file /not/there"], || {
        line("client_id:", "client_id: file:/not/there")
    }),
    (&["LibCal.client_id: cannot read /: Is a directory"], || {
        line("client_id:", "client_id: file:/")
    }),
    (
        &[
            "LibCal.client_id:",
            "secret cannot be read by this account",
            "chown",
        ],
        || {
            let sandbox = with_secret_file(b"4242");
            for (name, mode) in [("config.yml", 0o644), ("", 0o777), ("secret", 0o000)] {
                let mode = fs::Permissions::from_mode(mode);
                fs::set_permissions(sandbox.path(name), mode).expect("its owner may");
            }
            run_unprivileged(&sandbox, &["sync"])
        },
    ),
    (&["LibCal.client_id:", "secret is not UTF-8 text"], || {
        with_secret_file(&[0xff]).sync()
    }),
    (&["LibCal.client_id:", "secret is empty"], || {
        with_secret_file(b" \n").sync()
    }),
    (&["LibCal.client_id: contains a line break"], || {
        with_secret_file(b"x\ny").sync()
    }),
];

/// A pass with this configuration.
fn whole(text: &str) -> Run {
    let sandbox = one_person();
    sandbox.write_config(text);
    sandbox.sync()
}

/// A pass with this line in place of the first that begins with the key.
fn line(key: &str, new: &str) -> Run {
    let sandbox = one_person();
    sandbox.write_config(&with_line(&file(&sandbox), key, new).0);
    sandbox.sync()
}

/// A sandbox with a secret in a file of its own.
fn with_secret_file(content: &[u8]) -> Sandbox {
    let sandbox = one_person().config("LibCal.client_id", "file:secret");
    fs::write(sandbox.path("secret"), content).expect("a file");
    sandbox
}

/// A pass with a secret in the environment, or not there.
fn environment(value: Option<&[u8]>) -> Run {
    let sandbox = one_person().config("LibCal.client_id", "env:THERE");
    let mut command = sandbox.command(&["sync"]);
    if let Some(value) = value {
        command.env("THERE", OsStr::from_bytes(value));
    }
    Run::of(command)
}
