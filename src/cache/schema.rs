//! The tables, and the migration of a cache of version 1 or of the Python program.

use rusqlite::config::DbConfig;
use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior, ffi};

use super::appts::{LATEST_END, VISIT_COLUMNS};
use crate::clock::now;
use crate::model::PrimaryId;

/// The version of the tables below, as `PRAGMA user_version` has it.
const VERSION: i64 = 2;

/// All times are Unix seconds. An appointment that was imported from the Python
/// program has neither person, location nor times.
const TABLES: &str = "
    CREATE TABLE users (
        primary_id  TEXT PRIMARY KEY,
        barcode     TEXT,
        visitor_id  TEXT,
        refusal     TEXT,              -- a reason in JSON; then there is no barcode
        checked_at  INTEGER,           -- when Alma was last asked
        reported    TEXT,              -- the refusal that was last reported, or an array of that and earlier ones
        reported_at INTEGER,           -- when that was
        seen_at     INTEGER NOT NULL,  -- when a booking last named the user, to the day
        CHECK (refusal IS NOT NULL OR (barcode IS NOT NULL AND visitor_id IS NOT NULL))
    ) STRICT;
    CREATE INDEX users_by_seen ON users (seen_at);

    CREATE TABLE appts (
        appt_id       TEXT NOT NULL,  -- LibCal's bookId
        primary_id    TEXT,           -- null if the form has no valid one
        lid           INTEGER,
        starts_at     INTEGER,        -- null if the row cannot be read
        ends_at       INTEGER,        -- as LibCal lists it, or as registered if that is later
        status        TEXT,           -- LibCal's word
        state         TEXT NOT NULL,
        reason        TEXT,           -- a code with its detail, in JSON
        visitor_id    TEXT,           -- what PassagePoint was last asked for
        destination   TEXT,
        prereg_id     TEXT,           -- null until PassagePoint has given one
        attempts      INTEGER NOT NULL DEFAULT 0,
        asked_ends_at INTEGER,        -- set while an attempt's outcome is not known
        changed_at    INTEGER NOT NULL,
        reported      TEXT,           -- the reason that was last reported, or an array of that and earlier ones
        reported_at   INTEGER,        -- when that was
        registered_ends_at INTEGER,   -- the end of the pre-registration
        failures      INTEGER NOT NULL DEFAULT 0  -- passes in which something about it failed
    ) STRICT;
    CREATE INDEX appts_by_user ON appts (primary_id);
    CREATE INDEX appts_by_visitor ON appts (visitor_id);

    CREATE TABLE outages (
        service     TEXT PRIMARY KEY,
        cause       TEXT NOT NULL,
        since       INTEGER NOT NULL,
        reported_at INTEGER
    ) STRICT;

    CREATE TABLE last_pass (
        id                 INTEGER PRIMARY KEY CHECK (id = 1),
        number             INTEGER NOT NULL,
        started_at         INTEGER,   -- of the last pass over today
        ended_at           INTEGER,   -- what follows is of the full pass that ended then
        rows               INTEGER,
        visits             INTEGER,
        already_registered INTEGER,
        registered         INTEGER,
        refused            INTEGER,
        in_doubt           INTEGER,
        failed             INTEGER,
        ended              INTEGER,
        seconds            REAL
    ) STRICT;
";

/// The tables of version 1, by which it is detected.
const VERSION_1: &str = "
    CREATE TABLE users (primary_id, barcode, visitor_id, checked_at, seen_at);
    CREATE TABLE appts (appt_id, primary_id, lid, starts_at, ends_at, prereg_id, attempts,
        asked_ends_at, cancelled_at);
    CREATE TABLE refusals (subject, kind, primary_id, reason, refused_at, reported_at);
    CREATE TABLE last_pass (id, started_at, ended_at, rows, visits, already_registered, registered,
        refused, in_doubt, failed, ended, seconds);
";

/// The tables of the Python program, which has these two and no other.
const PYTHON: &str = "
    CREATE TABLE users (primary_id, barcode, visitor_id);
    CREATE TABLE appts (appt_id, prereg_id);
";

/// Migrates the tables of version 1, which were renamed. A user's refusal is kept with the
/// user; the other refusals are found again by the next pass.
const MIGRATE_VERSION_1: &str = "
    INSERT OR IGNORE INTO users (primary_id, barcode, visitor_id, refusal, checked_at, reported_at, seen_at)
        SELECT normalized(u.primary_id), barcode, visitor_id, NULL, checked_at, NULL, seen_at
        FROM old_users u
        WHERE NOT EXISTS (SELECT 1 FROM old_refusals r WHERE r.kind = 'user' AND r.subject = u.primary_id);
    INSERT OR IGNORE INTO users (primary_id, refusal, checked_at, reported_at, seen_at)
        SELECT normalized(subject), CASE
                WHEN reason LIKE 'not in Alma%' THEN '\"not_in_alma\"'
                WHEN reason LIKE 'no active barcode%' THEN '\"no_active_barcode\"'
                WHEN reason LIKE 'PassagePoint has the barcode%' THEN '\"visitor_not_found\"'
                WHEN reason LIKE 'PassagePoint refused to make the visitor (___)%' THEN
                    json_object('visitor_refused', CAST(substr(reason, 43, 3) AS INTEGER))
                ELSE reason END,
            refused_at, reported_at, refused_at
        FROM old_refusals WHERE kind = 'user';
    INSERT OR REPLACE INTO appts (appt_id, primary_id, lid, starts_at, ends_at, state, reason, visitor_id,
            prereg_id, attempts, asked_ends_at, changed_at, reported_at, registered_ends_at)
        SELECT appt_id, normalized(primary_id), lid, starts_at, ends_at,
            CASE WHEN cancelled_at IS NOT NULL THEN 'cancelled'
                 WHEN asked_ends_at IS NOT NULL THEN 'in doubt' ELSE 'registered' END,
            CASE WHEN cancelled_at IS NOT NULL THEN NULL
                 WHEN lid IS NULL THEN '\"taken_over\"'
                 WHEN asked_ends_at IS NULL THEN NULL
                 WHEN attempts >= 3 THEN '\"given_up\"' ELSE '{\"outcome_unknown\":null}' END,
            (SELECT visitor_id FROM old_users u WHERE u.primary_id = old_appts.primary_id),
            prereg_id, attempts, asked_ends_at, ifnull(cancelled_at, present()),
            (SELECT reported_at FROM old_refusals WHERE kind = 'doubt' AND subject = appt_id),
            CASE WHEN prereg_id IS NOT NULL THEN ends_at END
        FROM old_appts ORDER BY asked_ends_at;
    INSERT INTO last_pass
        SELECT id, 1, started_at, ended_at, rows, visits, already_registered, registered, refused,
            in_doubt, failed, ended, seconds
        FROM old_last_pass;
    UPDATE users SET reported = refusal WHERE reported_at IS NOT NULL;
    UPDATE appts SET reported = reason WHERE reported_at IS NOT NULL;
    DROP TABLE old_users;
    DROP TABLE old_appts;
    DROP TABLE old_refusals;
    DROP TABLE old_last_pass;
";

/// Migrates the Python program's tables, which were renamed: IDs are normalized, and rows whose id
/// is missing or a blob are left out. (`trim` makes a text of a number.)
const MIGRATE_PYTHON: &str = "
    INSERT OR REPLACE INTO users (primary_id, barcode, visitor_id, seen_at)
        SELECT normalized(trim(primary_id)), trim(barcode), trim(visitor_id), present()
        FROM old_users
        WHERE 'blob' NOT IN (typeof(primary_id), typeof(barcode), typeof(visitor_id)) AND
            normalized(trim(primary_id)) <> '' AND trim(barcode) <> '' AND trim(visitor_id) <> '';
    INSERT OR IGNORE INTO appts (appt_id, prereg_id, state, reason, changed_at)
        SELECT trim(appt_id), trim(prereg_id), 'registered', '\"taken_over\"', present()
        FROM old_appts
        WHERE 'blob' NOT IN (typeof(appt_id), typeof(prereg_id)) AND trim(appt_id) <> '' AND trim(prereg_id) <> '';
    DROP TABLE old_users;
    DROP TABLE old_appts;
";

/// Adds the last report to tables that lack it.
const ADD_LAST_REPORTS: &str = "
    ALTER TABLE users ADD COLUMN reported TEXT;
    ALTER TABLE appts ADD COLUMN reported TEXT;
    UPDATE users SET reported = refusal WHERE reported_at IS NOT NULL;
    UPDATE appts SET reported = reason WHERE reported_at IS NOT NULL;
";

/// Sets up the connection, creates the tables if there are none and migrates older ones.
/// All or nothing: it is one transaction.
pub(super) fn prepare(connection: &mut Connection, format: Format) -> rusqlite::Result<()> {
    connection.pragma_update(None, "secure_delete", true)?;
    // Every commit reaches the disk: an intent must be there before its request is sent.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Otherwise SQLite would prepare a statement again for each value that is bound to it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    if format != Format::Current {
        migrate(connection)?;
    }
    if journal_mode(connection)? == "delete" {
        connection.pragma_update(None, "journal_mode", "WAL")?;
    }
    Ok(())
}

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// The tables above.
    Current,
    /// The tables above without the last report, as they were at first.
    WithoutReports,
    /// The tables of version 1.
    Version1,
    /// The tables of the Python program.
    Python,
    /// Nothing yet.
    Empty,
}

/// Detects the format of a file by its version, its tables and their columns.
pub(super) fn detect_format(connection: &Connection) -> rusqlite::Result<Format> {
    // In one transaction: another process may migrate the file in the meantime.
    let snapshot = connection.unchecked_transaction()?;
    detect_format_in(&snapshot)
}

fn detect_format_in(connection: &Transaction<'_>) -> rusqlite::Result<Format> {
    let (format, tables) = match version(connection)? {
        VERSION => (Format::Current, TABLES),
        1 => (Format::Version1, VERSION_1),
        0 if table_names(connection)?.is_empty() => return Ok(Format::Empty),
        0 => (Format::Python, PYTHON),
        later => {
            return Err(unusable(&format!(
                "it was written by a later version of libcal-pp (cache version {later}, this program supports {VERSION}): update the program"
            )));
        }
    };
    let expected = Connection::open_in_memory()?;
    expected.execute_batch(tables)?;
    let names = table_names(&expected)?;
    let has_all_but = |missing: &str| -> rusqlite::Result<bool> {
        for table in &names {
            let mut wanted = columns(&expected, table)?;
            wanted.retain(|name| name != missing);
            if columns(connection, table)? != wanted {
                return Ok(false);
            }
        }
        Ok(true)
    };
    let has_others = format == Format::Python && table_names(connection)? != names;
    if !has_others && has_all_but("")? {
        return Ok(format);
    }
    if format == Format::Current && has_all_but("reported")? {
        return Ok(Format::WithoutReports);
    }
    Err(unusable(
        "it is another program's SQLite file: name another file with Cache.path or --db",
    ))
}

fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.create_scalar_function("normalized", 1, FunctionFlags::SQLITE_UTF8, |context| {
        let typed = context.get::<Option<String>>(0)?;
        Ok(typed.map(|typed| match PrimaryId::parse(&typed) {
            Ok(id) => id.as_str().to_owned(),
            Err(_) => typed,
        }))
    })?;
    connection.create_scalar_function("present", 0, FunctionFlags::SQLITE_UTF8, |_| {
        Ok(now().timestamp())
    })?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    match detect_format_in(&transaction)? {
        // Another process was faster.
        Format::Current => return Ok(()),
        Format::Empty => create_tables(&transaction)?,
        Format::Python => {
            transaction.execute_batch(
                "ALTER TABLE users RENAME TO old_users; ALTER TABLE appts RENAME TO old_appts;",
            )?;
            create_tables(&transaction)?;
            transaction.execute_batch(MIGRATE_PYTHON)?;
        }
        Format::WithoutReports => transaction.execute_batch(ADD_LAST_REPORTS)?,
        Format::Version1 => {
            transaction.execute_batch(
                "DROP INDEX users_by_seen; DROP INDEX appts_by_user; DROP INDEX appts_by_end;
                 ALTER TABLE users RENAME TO old_users; ALTER TABLE appts RENAME TO old_appts;
                 ALTER TABLE refusals RENAME TO old_refusals; ALTER TABLE last_pass RENAME TO old_last_pass;",
            )?;
            create_tables(&transaction)?;
            transaction.execute_batch(MIGRATE_VERSION_1)?;
        }
    }
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

fn create_tables(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(TABLES)?;
    connection.execute_batch(&format!(
        "CREATE UNIQUE INDEX appts_by_visit ON appts ({VISIT_COLUMNS});
         CREATE INDEX appts_by_end ON appts ({LATEST_END});"
    ))
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn journal_mode(connection: &Connection) -> rusqlite::Result<String> {
    connection.pragma_query_value(None, "journal_mode", |row| row.get(0))
}

fn table_names(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
    connection
        .prepare(sql)?
        .query_map([], |row| row.get(0))?
        .collect()
}

/// The names of a table's columns, sorted; none if there is no such table.
fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare("SELECT name FROM pragma_table_info(?1) ORDER BY name")?
        .query_map([table], |row| row.get(0))?
        .collect()
}

fn unusable(why: &str) -> rusqlite::Error {
    let code = ffi::Error {
        code: ErrorCode::Unknown,
        extended_code: ffi::SQLITE_ERROR,
    };
    rusqlite::Error::SqliteFailure(code, Some(why.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_commit_reaches_the_disk_and_what_is_deleted_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = Connection::open(folder.path().join("cache.db")).unwrap();
        connection
            .execute_batch("PRAGMA synchronous = OFF; PRAGMA secure_delete = OFF")
            .unwrap();
        prepare(&mut connection, Format::Empty).unwrap();
        let value = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        // FULL: NORMAL would not sync the write-ahead log at a commit.
        assert_eq!(value("synchronous"), Ok(2));
        assert_eq!(value("secure_delete"), Ok(1));
        assert_eq!(journal_mode(&connection).as_deref(), Ok("wal"));
    }

    #[test]
    fn a_format_is_detected_by_its_tables() {
        let kind_of = |statements: &str| {
            let connection = Connection::open_in_memory().unwrap();
            connection.execute_batch(statements).unwrap();
            detect_format(&connection).ok()
        };
        let with_version =
            |tables, version| kind_of(&format!("{tables} PRAGMA user_version = {version};"));
        assert_eq!(kind_of(""), Some(Format::Empty));
        assert_eq!(kind_of(PYTHON), Some(Format::Python));
        assert_eq!(with_version(VERSION_1, 1), Some(Format::Version1));
        assert_eq!(with_version(TABLES, 2), Some(Format::Current));
        for (tables, version) in [
            (PYTHON, 1),
            (PYTHON, 2),
            (VERSION_1, 2),
            (VERSION_1, 0),
            (TABLES, 1),
            (TABLES, 0),
            (TABLES, 3),
            ("", 1),
            ("", 2),
        ] {
            assert_eq!(with_version(tables, version), None, "{version}: {tables}");
        }
    }
}
