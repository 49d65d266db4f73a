//! The configuration file: all that is accepted.

use std::fs;

use crate::sandbox::{Booking, Run, Sandbox, Service, User};
use crate::support::{assert_no_complaints, good_sync, one_person, sync_needing_attention};

/// The client secret, the password and Alma's keys.
pub fn credentials(sandbox: &Sandbox) -> (String, String, Vec<String>) {
    let world = sandbox.world();
    (
        world.client_secret.clone(),
        world.password.clone(),
        world.alma_keys.clone(),
    )
}

/// A file as people write it, a key a line, that fits the sandbox.
pub fn file(sandbox: &Sandbox) -> String {
    let [libcal, alma, passagepoint] = Service::ALL.map(|service| sandbox.url(service));
    let (client_secret, password, keys) = credentials(sandbox);
    format!(
        r#"# Doors of the library
LibCal:
  client_id: '4242'
  client_secret: {client_secret:?}
  locations:
    - name: 'Main Library'
      id: 8827
    - name: 'Science & Technology Library'
      id: 10332
  credentials_endpt: '{libcal}/1.1/oauth/token'
  bookings_endpt: '{libcal}/1.1/space/bookings'
  primary_id_field: q12505
  statuses: [Mediated Approved, Confirmed]
  days: 0
Alma:
  apikeys: {keys:?}
  users_endpt: '{alma}/almaws/v1/users'
  barcode_types: [BARCODE, "01"]
  requests_per_second: 1000
  refresh_days: 7
PassagePoint:
  username: door-clerk
  password: {password:?}
  pp_api_root: '{passagepoint}'
  login_endpt: '/pp/api/v2/auth/login'
  uniqueId_endpt: '/pp/api/v2/person/byUniqueId'
  create_visitor_endpt: '/pp/api/v2/person/createVisitor'
  create_prereg_endpt: '/pp/api/v2/visit/createPreReg'
  get_destinations_endpt: 'pp/api/v2/visit/getDestinations'
  location_mapping:
    8827: 'LibCal Main'
    10332: 'LibCal Science'
  user_mapping: {{'gw und': Student}}
Cache:
  path: cache.db
Network:
  timeout_seconds: 2
  tries: 2
  concurrency: 4
"#
    )
}

/// The file with another line in place of the first that begins with `key`, and the number of that line.
pub fn with_line(file: &str, key: &str, new: &str) -> (String, usize) {
    let mut lines: Vec<String> = file.lines().map(str::to_owned).collect();
    let bare = |line: &String| line.trim_start_matches([' ', '-']).to_owned();
    let at = lines.iter().position(|line| bare(line).starts_with(key));
    let at = at.unwrap_or_else(|| panic!("no line {key}"));
    let indent = lines[at].len() - bare(&lines[at]).len();
    lines[at].replace_range(indent.., new);
    (lines.join("\n") + "\n", at + 1)
}

#[test]
fn numbers_and_texts_are_taken_either_way() {
    let sandbox = one_person();
    let good = file(&sandbox);
    let key = sandbox.world().alma_keys[0].clone();
    let variants = [
        ("days:", "days: 0".to_owned()),
        ("client_id:", "client_id: '4242'".to_owned()),
        ("client_id:", "client_id: 4242".to_owned()),
        ("id: 8827", "id: '8827'".to_owned()),
        ("8827:", "'8827': LibCal Main".to_owned()),
        ("apikeys:", format!("apikeys: {key}")),
        ("barcode_types:", "barcode_types: [BARCODE, 01]".to_owned()),
        ("user_mapping:", "user_mapping:".to_owned()),
        (
            "path:",
            "path: 'cache.db'\nLCPP: {interval: 5}\nEmails: {to: [staff@example.edu]}".to_owned(),
        ),
        ("path:", "# path: cache.db".to_owned()),
    ];
    for (n, (at, new)) in variants.iter().enumerate() {
        let person = format!("G2000000{n}");
        sandbox.add_user(User::new(&person).barcode(&format!("2200000{n}")));
        sandbox.add_booking(Booking::new(&format!("cs_2{n}")).by(&person));
        sandbox.write_config(&with_line(&good, at, new).0);
        good_sync(&sandbox);
        assert_eq!(sandbox.expected().len(), 2 + n, "`{new}`");
    }
}

#[test]
fn sections_with_nothing_under_them_have_their_defaults() {
    let sandbox = one_person();
    for empty in [
        "Cache:\nNetwork:\n",
        "Cache: {}\nNetwork: {}\n",
        "Cache:\n  # path: x\nNetwork: ~\n",
    ] {
        let text = file(&sandbox);
        let (without, _) = text.split_once("Cache:").expect("a section Cache");
        sandbox.write_config(&format!("{without}{empty}"));
        good_sync(&sandbox);
    }
    assert!(sandbox.path("cache.db").is_file());
}

#[test]
fn the_file_of_the_python_program_works_as_it_is() {
    let sandbox = one_person();
    let ours = [
        "statuses:",
        "days:",
        "barcode_types:",
        "requests_per",
        "refresh_days:",
    ];
    let is_ours = |line: &&str| ours.iter().any(|key| line.trim_start().starts_with(key));
    let text = file(&sandbox);
    let (text, _) = text.split_once("Cache:").expect("a section Cache");
    let mut lines: Vec<_> = text.lines().filter(|line| !is_ours(line)).collect();
    lines.extend(["LCPP:", "  interval: 5"]);
    lines.extend([
        "Emails:",
        "  smtp_server: smtp.example.edu",
        "  to: [staff@example.edu]",
    ]);
    sandbox.write_config(&lines.join("\n"));
    good_sync(&sandbox);
    assert_eq!(sandbox.world().visitors[0].category, "Student");
    // Only when a pre-registration is refused are the destinations asked for.
    sandbox
        .world()
        .destinations
        .retain(|name| name != "LibCal Main");
    sandbox.add_booking(Booking::new("cs_2").by("G10000001").minutes(100, 160));
    assert!(sync_needing_attention(&sandbox).contains("no destination \"LibCal Main\""));
    assert_eq!(
        sandbox.count_of(Service::PassagePoint, "getDestinations"),
        1
    );
}

#[test]
fn secrets_may_stand_in_the_environment_and_in_files() {
    let sandbox = one_person();
    let (client_secret, password, keys) = credentials(&sandbox);
    fs::write(sandbox.path("password"), format!("{password}\n")).unwrap();
    fs::write(sandbox.path("key"), format!("{}\r\n", keys[0])).unwrap();
    let keys_elsewhere = format!(r#"["file:{}", "env:KEY_2"]"#, sandbox.path("key").display());
    let sandbox = sandbox
        .config("LibCal.client_id", "env:CLIENT_ID")
        .config("LibCal.client_secret", "env:CLIENT_SECRET")
        .config("Alma.apikeys", &keys_elsewhere)
        .config("PassagePoint.username", "env:USER_NAME")
        .config("PassagePoint.password", "file:password");
    let mut command = sandbox.command(&["sync"]);
    command
        .env("CLIENT_ID", "4242")
        .env("USER_NAME", "door-clerk");
    command
        .env("CLIENT_SECRET", client_secret + "\n")
        .env("KEY_2", &keys[1]);
    command.current_dir("/");
    let run = Run::of(command);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_no_complaints(&sandbox);
    assert_eq!(sandbox.expected().len(), 1);
}

#[test]
fn a_configuration_written_on_windows_is_read() {
    let sandbox = one_person();
    let good = fs::read_to_string(sandbox.path("config.yml")).unwrap();
    sandbox.write_config(&format!("\u{feff}{}", good.replace('\n', "\r\n")));
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 1);
}
