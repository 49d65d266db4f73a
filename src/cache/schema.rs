//! The tables, and how a cache of the Python program becomes one of ours.

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, ToSql, TransactionBehavior, ffi};

/// The version of the tables below, as `PRAGMA user_version` has it.
const VERSION: i64 = 1;

/// All times are Unix seconds. An appointment that was taken over from the Python
/// program has neither person, place nor times.
const TABLES: &str = "
    CREATE TABLE users (
        primary_id TEXT PRIMARY KEY,
        barcode    TEXT NOT NULL,
        visitor_id TEXT NOT NULL,
        checked_at INTEGER,          -- when Alma was last asked
        seen_at    INTEGER NOT NULL  -- when a booking last named the user, to the day
    ) STRICT;
    CREATE INDEX users_by_seen ON users (seen_at);

    CREATE TABLE appts (
        appt_id       TEXT NOT NULL,  -- LibCal's bookId
        primary_id    TEXT,
        lid           INTEGER,
        starts_at     INTEGER,
        ends_at       INTEGER,
        prereg_id     TEXT,           -- null until PassagePoint has given one
        attempts      INTEGER NOT NULL DEFAULT 0,
        asked_ends_at INTEGER,        -- set while an attempt's outcome is not known
        cancelled_at  INTEGER,
        UNIQUE (appt_id, primary_id, lid, starts_at)
    ) STRICT;
    CREATE INDEX appts_by_user ON appts (primary_id);
    CREATE INDEX appts_by_end ON appts (ends_at);

    CREATE TABLE refusals (
        subject     TEXT NOT NULL,    -- a primary ID or a booking id
        kind        TEXT NOT NULL,    -- user, user's booking, booking, form or doubt
        primary_id  TEXT,
        reason      TEXT NOT NULL,
        refused_at  INTEGER NOT NULL,
        reported_at INTEGER,
        PRIMARY KEY (subject, kind)
    ) STRICT;
    CREATE INDEX refusals_by_user ON refusals (primary_id);
    CREATE INDEX refusals_by_time ON refusals (refused_at);

    CREATE TABLE last_pass (
        id                 INTEGER PRIMARY KEY CHECK (id = 1),
        started_at         INTEGER NOT NULL,
        ended_at           INTEGER,   -- what follows is of the pass that ended then
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

/// The Python program's tables, out of the way of ours and back in under our rules:
/// IDs in the form they are known by, nothing that has no id or bytes for one. (`trim` makes a text of a number.)
const TAKE_OVER: &str = "
    INSERT OR REPLACE INTO users (primary_id, barcode, visitor_id, seen_at)
        SELECT known_form(trim(primary_id)), trim(barcode), trim(visitor_id), unixepoch()
        FROM python_users
        WHERE 'blob' NOT IN (typeof(primary_id), typeof(barcode), typeof(visitor_id)) AND
              known_form(trim(primary_id)) <> '' AND trim(barcode) <> '' AND trim(visitor_id) <> '';
    INSERT INTO appts (appt_id, prereg_id)
        SELECT trim(appt_id), trim(prereg_id)
        FROM python_appts
        WHERE 'blob' NOT IN (typeof(appt_id), typeof(prereg_id)) AND trim(appt_id) <> '' AND trim(prereg_id) <> '';
    DROP TABLE python_users;
    DROP TABLE python_appts;
";

/// Sets up the connection, makes the tables if there are none and takes over the
/// Python program's. All or nothing: it is one transaction.
pub(super) fn prepare(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // Every commit reaches the disk: an intent must be there before its request leaves.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Or SQLite would prepare a statement anew for each value that is bound to it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    if version(connection)? != VERSION {
        make_tables(connection)?;
    }
    if journal_mode(connection)? == "delete" {
        connection.pragma_update(None, "journal_mode", "WAL")?;
    }
    Ok(())
}

/// What a file holds.
pub(super) enum Kind {
    /// The tables above.
    Ours,
    /// The Python program's.
    Pythons,
    /// Nothing yet.
    Nothing,
}

/// Finds out what the file holds.
pub(super) fn kind(connection: &Connection) -> rusqlite::Result<Kind> {
    match version(connection)? {
        VERSION => return Ok(Kind::Ours),
        0 => {}
        later => {
            return Err(refuse(&format!(
                "it was made by a later version of libcal-pp (its version is {later}, this program knows {VERSION}): update the program"
            )));
        }
    }
    let tables = table_names(connection)?;
    if tables.is_empty() {
        Ok(Kind::Nothing)
    } else if is_pythons(connection, &tables)? {
        Ok(Kind::Pythons)
    } else {
        Err(refuse(
            "it is some other program's SQLite file: name another with Cache.path or --db",
        ))
    }
}

fn make_tables(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.create_scalar_function(
        "known_form",
        1,
        rusqlite::functions::FunctionFlags::SQLITE_UTF8,
        |context| {
            Ok(context
                .get::<Option<String>>(0)?
                .map(|id| crate::known::primary_id(&id)))
        },
    )?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    match kind(&transaction)? {
        // Another process was faster.
        Kind::Ours => return Ok(()),
        Kind::Nothing => transaction.execute_batch(TABLES)?,
        Kind::Pythons => {
            transaction.execute_batch(
                "ALTER TABLE users RENAME TO python_users; ALTER TABLE appts RENAME TO python_appts;",
            )?;
            transaction.execute_batch(TABLES)?;
            transaction.execute_batch(TAKE_OVER)?;
        }
    }
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
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

/// Whether these are the two tables of the Python program.
fn is_pythons(connection: &Connection, tables: &[String]) -> rusqlite::Result<bool> {
    if tables != ["appts", "users"] {
        return Ok(false);
    }
    let has = |table: &str, columns: &[&str]| -> rusqlite::Result<bool> {
        let sql = "SELECT count(*) FROM pragma_table_info(?1) WHERE name = ?2";
        for column in columns {
            let params: [&dyn ToSql; 2] = [&table, column];
            if connection.query_row(sql, params, |row| row.get::<_, i64>(0))? == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    };
    Ok(has("users", &["primary_id", "barcode", "visitor_id"])?
        && has("appts", &["appt_id", "prereg_id"])?)
}

fn refuse(why: &str) -> rusqlite::Error {
    let code = ffi::Error {
        code: ErrorCode::Unknown,
        extended_code: ffi::SQLITE_ERROR,
    };
    rusqlite::Error::SqliteFailure(code, Some(why.to_owned()))
}
