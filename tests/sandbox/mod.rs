//! The three services on loopback, with faults on demand, and the real program run against them.
//!
//! They are as strict as the real ones: a wrong request gets the error it would get there, and is remembered as a
//! complaint. What a pass ought to do is left to the tests.
#![allow(dead_code, reason = "the tests and the demo each use a part of it")]
#![allow(unused_imports, reason = "the names are for the tests and the demo")]

mod alma;
mod booking;
pub mod clock;
mod config;
mod fault;
mod folder;
mod http;
mod libcal;
mod passagepoint;
mod paused_run;
mod request_parser;
mod requests;
mod run;
mod shared;
mod tls;
mod user;
mod world;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rusqlite::functions::FunctionFlags;
use serde_json::Value;
use tempfile::TempDir;

pub use self::booking::{Booking, FORM_FIELD, Row};
pub use self::fault::Fault;
pub use self::http::{Answer, ReceivedRequest, Service};
pub use self::paused_run::PausedRun;
pub use self::run::{DEADLINE, Run};
pub use self::tls::CertificateAuthority;
pub use self::user::{Identifier, User};
pub use self::world::{
    Denial, Expected, FormSpelling, NotFoundShape, PreReg, Visitor, VisitorList, World,
};

use self::folder::temporary_folder;
use self::http::Server;
use self::shared::{Shared, lock};

/// A directory with a `config.yml`, the three services it points to, and the program to run there.
pub struct Sandbox {
    dir: TempDir,
    binary: Option<PathBuf>,
    now: i64,
    /// By how many seconds the program's clock is ahead of this machine's.
    clock_offset: AtomicI64,
    shared: Arc<Shared>,
    servers: Arc<Mutex<[Server; 3]>>,
    config: Mutex<Value>,
}

/// Setting up, in one expression.
impl Sandbox {
    /// No user, no booking; two zones, two locations, two destinations; a configuration that fits.
    pub fn new() -> Self {
        let clock_offset = clock::offset_of_suite();
        let now = chrono::Utc::now().timestamp() + clock_offset;
        let world = World::new(now);
        let shared = Arc::new(Shared::new(world));
        let servers = Service::ALL.map(|service| Server::open(service, &shared, None));
        let config = config::fitting(&shared.world(), &urls(&servers));
        let sandbox = Self {
            dir: temporary_folder(),
            binary: option_env!("CARGO_BIN_EXE_libcal-pp").map(PathBuf::from),
            now,
            clock_offset: clock_offset.into(),
            shared,
            servers: Arc::new(Mutex::new(servers)),
            config: Mutex::new(config),
        };
        sandbox.change_config(|_| ());
        sandbox
    }

    /// Runs this program, where cargo does not tell which one.
    pub fn with_binary(mut self, path: impl Into<PathBuf>) -> Self {
        self.binary = Some(path.into());
        self
    }

    /// With its services behind TLS, and a configuration that fits them. They use certificates of this authority, which
    /// the program does not trust until `SSL_CERT_FILE` names its file.
    pub fn behind_tls(self, authority: &CertificateAuthority) -> Self {
        let servers = Service::ALL.map(|service| {
            Server::open(service, &self.shared, Some(authority.server("localhost")))
        });
        let fitting = config::fitting(&self.world(), &urls(&servers));
        self.change_config(|config| *config = fitting);
        *lock(&self.servers) = servers;
        self
    }

    /// With this user in Alma.
    pub fn user(self, user: User) -> Self {
        self.add_user(user);
        self
    }

    /// With this row in LibCal's list.
    pub fn booking(self, booking: Booking) -> Self {
        self.add_booking(booking);
        self
    }

    /// With any JSON value in a location's list.
    pub fn raw_row(self, lid: i64, value: Value) -> Self {
        self.world().add_row(lid, value);
        self
    }

    /// With this in the configuration, as [`Sandbox::set_config`] puts it.
    pub fn config(self, key: &str, value: &str) -> Self {
        self.set_config(key, value);
        self
    }
}

/// Looking at the services, and changing them between passes.
impl Sandbox {
    /// The state of the services. They wait as long as the guard is held.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world()
    }

    /// The sandbox's present, in Unix seconds; it does not move.
    pub fn now(&self) -> i64 {
        self.now
    }

    /// Has so many minutes go by for the program's clock; a negative number sets it back.
    pub fn pass_time(&self, minutes: i64) {
        self.clock_offset.fetch_add(minutes * 60, Ordering::Relaxed);
    }

    /// What the program's clock says, in Unix seconds.
    pub fn clock(&self) -> i64 {
        chrono::Utc::now().timestamp() + self.clock_offset.load(Ordering::Relaxed)
    }

    /// Adds a user to Alma.
    pub fn add_user(&self, user: User) {
        self.world().users.push(user);
    }

    /// Changes the user of this primary ID, who must be there.
    pub fn edit_user(&self, primary_id: &str, edit: impl FnOnce(&mut User)) {
        let mut world = self.world();
        let mut users = world.users.iter_mut();
        let user = users.find(|user| user.primary_id == primary_id);
        edit(user.expect("a user of this primary ID"));
    }

    /// Adds a row to LibCal's list.
    pub fn add_booking(&self, booking: Booking) {
        self.world().add_booking(booking);
    }

    /// Changes every row of a booking, of which there must be one. A row given another `lid` moves to its list.
    pub fn edit_rows(&self, book_id: &str, mut edit: impl FnMut(&mut Value)) {
        let mut world = self.world();
        let mut found = false;
        for row in world.rows.iter_mut().filter(|row| row.is_of(book_id)) {
            row.edit(&mut edit);
            found = true;
        }
        assert!(found, "no row of the booking {book_id}");
    }

    /// Removes every row of a booking.
    pub fn remove_rows(&self, book_id: &str) {
        self.world().rows.retain(|row| !row.is_of(book_id));
    }

    /// Adds a visitor of this barcode to PassagePoint, as if from long ago. Returns its id.
    pub fn add_visitor(&self, barcode: &str) -> i64 {
        self.world().add_visitor(barcode)
    }

    /// The pre-registrations in PassagePoint, sorted; one that appears twice comes twice.
    pub fn expected(&self) -> Vec<Expected> {
        self.world().expected()
    }

    /// This barcode at this place, from and to in minutes after the sandbox's now.
    pub fn visit(&self, barcode: &str, destination: &str, from: i64, to: i64) -> Expected {
        let now = self.now();
        Expected::new(barcode, destination, now + from * 60, now + to * 60)
    }

    /// What was wrong with the requests so far.
    pub fn complaints(&self) -> Vec<String> {
        self.world().complaints.clone()
    }

    /// The credentials and every token issued, plain and percent-encoded: none of them may ever be seen.
    pub fn secrets(&self) -> Vec<String> {
        let mut secrets = self.world().secrets();
        let encode = |secret: &String| utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
        let encoded: Vec<String> = secrets.iter().map(encode).collect();
        secrets.extend(encoded);
        secrets.sort();
        secrets.dedup();
        secrets
    }
}

/// The configuration and the directory.
impl Sandbox {
    /// Sets a value in `config.yml` by its dotted key (`LibCal.days`); `value` is JSON, or else itself a string.
    pub fn set_config(&self, key: &str, value: &str) {
        self.change_config(|config| config::set(config, key, value));
    }

    /// Removes a value from `config.yml` by its dotted key.
    pub fn remove_config(&self, key: &str) {
        self.change_config(|config| config::remove(config, key));
    }

    /// Writes any text as `config.yml`, until the next change by key.
    pub fn write_config(&self, text: &str) {
        let path = self.path("config.yml");
        fs::write(&path, text).expect("config.yml can be written");
        // As whoever installs the program is told to have it.
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("it is ours");
    }

    fn change_config(&self, change: impl FnOnce(&mut Value)) {
        let mut config = lock(&self.config);
        change(&mut config);
        self.write_config(&config::to_yaml(&config));
    }

    /// A path in the sandbox's directory.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The program's cache, which is created if it is not there. `clock()` is what its statements may call the
    /// present, in Unix seconds.
    pub fn cache(&self) -> rusqlite::Connection {
        let cache =
            rusqlite::Connection::open(self.path("cache.db")).expect("cache.db can be opened");
        let now = self.clock();
        cache
            .create_scalar_function("clock", 0, FunctionFlags::SQLITE_UTF8, move |_| Ok(now))
            .expect("a name that is free");
        cache
    }
}

/// Running the program.
impl Sandbox {
    /// One pass.
    pub fn sync(&self) -> Run {
        self.run(&["sync"])
    }

    /// The program with these arguments after `--config`, run to its end.
    pub fn run(&self, args: &[&str]) -> Run {
        Run::of(self.command(args))
    }

    /// The same, begun only. Its output is kept for [`Run::finish`].
    pub fn spawn(&self, args: &[&str]) -> Child {
        let mut command = self.command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the program can be started")
    }

    /// The same, not yet begun: in the sandbox's directory, without input, with no environment but `PATH`, by UTC.
    pub fn command(&self, args: &[&str]) -> Command {
        let binary = self.binary.as_ref();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut command = Command::new(binary.expect("the program's path by `with_binary`"));
        command
            .arg("--config")
            .arg(self.path("config.yml"))
            .args(args)
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", path)
            .env("TZ", "UTC")
            .stdin(Stdio::null());
        let clock_offset = self.clock_offset.load(Ordering::Relaxed);
        if clock_offset != 0 {
            command.env("LIBCAL_PP_CLOCK_OFFSET", clock_offset.to_string());
        }
        command
    }
}

fn urls([libcal, alma, passagepoint]: &[Server; 3]) -> config::Urls {
    config::Urls {
        libcal: libcal.url(),
        alma: alma.url(),
        passagepoint: passagepoint.url(),
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Hung requests end now; the servers, dropped next, cut their connections.
        self.shared.end();
    }
}
