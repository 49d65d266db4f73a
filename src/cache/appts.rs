//! Appointments in the cache: saved as a whole, found by booking, by user and by visitor.

use anyhow::Result;
use chrono::{DateTime, Utc};
use rusqlite::types::ToSql;
use rusqlite::{Connection, OptionalExtension, Params, Row, TransactionBehavior, params_from_iter};

use super::{Cache, last_report, next_report, required_time_column, time_column, to_unix};
use crate::model::{
    Appt, BookingId, LastReport, LocationId, PreregId, PrimaryId, Reason, State, VisitKey,
    VisitorId,
};

const COLUMNS: &str = "appt_id, primary_id, lid, starts_at, ends_at, status, state, reason,
     visitor_id, destination, prereg_id, attempts, asked_ends_at, changed_at, reported, reported_at,
     registered_ends_at, failures";
/// Finds one visit, in the form that its index has.
const WHERE_VISIT: &str = "appt_id = ?1 AND ifnull(primary_id, '') = ifnull(?2, '')
     AND ifnull(lid, '') = ifnull(?3, '') AND ifnull(starts_at, '') = ifnull(?4, '')";
/// The index of the appointments by visit, as a conflict names it.
pub(super) const VISIT_COLUMNS: &str =
    "appt_id, ifnull(primary_id, ''), ifnull(lid, ''), ifnull(starts_at, '')";
/// The later of an appointment's end and the end last requested.
pub(super) const LATEST_END: &str = "max(ends_at, ifnull(asked_ends_at, ends_at))";

impl Cache {
    /// The appointments of a booking, by start.
    ///
    /// # Errors
    /// Where the cache cannot be read.
    pub fn appts_of_booking(&self, booking: &BookingId) -> Result<Vec<Appt>> {
        self.appts(
            "appt_id = ?1 ORDER BY starts_at, primary_id, lid",
            [&booking.0],
        )
    }

    /// The appointments of a user, by start.
    ///
    /// # Errors
    /// Where the cache cannot be read.
    pub fn appts_of_user(&self, primary_id: &PrimaryId) -> Result<Vec<Appt>> {
        self.appts(
            "primary_id = ?1 ORDER BY starts_at, appt_id, lid",
            [primary_id.as_str()],
        )
    }

    /// The appointments that are not over, by start; one without times is not over.
    ///
    /// # Errors
    /// Where the cache cannot be read.
    pub fn current_appts(&self, now: DateTime<Utc>) -> Result<Vec<Appt>> {
        self.appts(
            &format!("{LATEST_END} > ?1 OR {LATEST_END} IS NULL ORDER BY starts_at, appt_id"),
            [now.timestamp()],
        )
    }

    /// The appointments for which a visitor was to be registered, by start.
    ///
    /// # Errors
    /// Where the cache cannot be read.
    pub fn appts_of_visitor(&self, visitor: &VisitorId) -> Result<Vec<Appt>> {
        self.appts(
            "visitor_id = ?1 ORDER BY starts_at, appt_id, lid",
            [&visitor.0],
        )
    }

    fn appts(&self, which: &str, params: impl Params) -> Result<Vec<Appt>> {
        let sql = format!("SELECT {COLUMNS} FROM appts WHERE {which}");
        let found = self
            .connection
            .prepare_cached(&sql)
            .and_then(|mut statement| statement.query_map(params, appt_of)?.collect());
        self.map_error(found)
    }

    /// Saves appointments and deletes others, in one transaction.
    ///
    /// # Errors
    /// Where the cache cannot be written.
    pub fn save_appts<'a>(
        &mut self,
        appts: impl IntoIterator<Item = &'a Appt>,
        forgotten: &[VisitKey],
    ) -> Result<()> {
        let mut appts = appts.into_iter().peekable();
        if appts.peek().is_none() && forgotten.is_empty() {
            return Ok(());
        }
        let saved = self.connection.transaction().and_then(|transaction| {
            let sql = format!("DELETE FROM appts WHERE {WHERE_VISIT}");
            for key in forgotten {
                transaction
                    .prepare_cached(&sql)?
                    .execute(params_from_iter(key_of(key)))?;
            }
            for appt in appts {
                save(&transaction, appt)?;
            }
            transaction.commit()
        });
        self.map_error(saved)
    }

    /// Replaces an appointment, say by one with an intent, if the cache still has the old one. When
    /// this returns, the new one is on the disk.
    ///
    /// # Errors
    /// Where the cache cannot be written: then the visit must not be registered.
    pub fn replace_appt(&mut self, before: &Appt, after: &Appt) -> Result<bool> {
        self.replace_appts(std::iter::once((before, after)))
    }

    /// The same for several, in one transaction; says whether the cache still had all the old ones.
    ///
    /// # Errors
    /// Where the cache cannot be written.
    pub fn replace_appts<'a>(
        &mut self,
        visits: impl Iterator<Item = (&'a Appt, &'a Appt)>,
    ) -> Result<bool> {
        let mut changed = visits.filter(|(before, after)| before != after).peekable();
        if changed.peek().is_none() {
            return Ok(true);
        }
        // Nobody may write between the comparison and the change.
        let immediate = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(immediate);
        let replaced = transaction.and_then(|transaction| {
            let mut are_same = true;
            for (before, after) in changed {
                if find(&transaction, &before.key)?.as_ref() == Some(before) {
                    save(&transaction, after)?;
                } else {
                    are_same = false;
                }
            }
            transaction.commit().map(|()| are_same)
        });
        self.map_error(replaced)
    }
}

/// How many appointments there are, if each of them can be read.
pub(super) fn count_readable(connection: &Connection) -> rusqlite::Result<usize> {
    let mut statement = connection.prepare(&format!("SELECT {COLUMNS} FROM appts"))?;
    let mut appts = statement.query_map([], appt_of)?;
    appts.try_fold(0, |number, appt| appt.map(|_| number + 1))
}

fn find(connection: &Connection, key: &VisitKey) -> rusqlite::Result<Option<Appt>> {
    let sql = format!("SELECT {COLUMNS} FROM appts WHERE {WHERE_VISIT}");
    let mut statement = connection.prepare_cached(&sql)?;
    statement
        .query_row(params_from_iter(key_of(key)), appt_of)
        .optional()
}

/// Saves an appointment, as a part of a transaction. The cache need not have it any more:
/// somebody may have pruned it in the meantime.
pub(super) fn save(connection: &Connection, appt: &Appt) -> rusqlite::Result<()> {
    let sql = format!(
        "INSERT INTO appts ({COLUMNS})
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
         ON CONFLICT ({VISIT_COLUMNS}) DO UPDATE SET
             ends_at = ?5, status = ?6, state = ?7, reason = ?8, visitor_id = ?9, destination = ?10,
             prereg_id = ?11, attempts = ?12, asked_ends_at = ?13, changed_at = ?14, reported = ?15,
             reported_at = ?16, registered_ends_at = ?17, failures = ?18"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    statement.execute(params_from_iter(values_of(appt)))?;
    Ok(())
}

/// All values of an appointment, in the order of the columns.
fn values_of(appt: &Appt) -> Vec<Box<dyn ToSql>> {
    let mut values = key_of(&appt.key);
    values.extend([
        Box::new(to_unix(appt.ends_at)) as Box<dyn ToSql>,
        Box::new(appt.status.clone()),
        Box::new(appt.state.as_str()),
        Box::new(appt.reason.as_ref().map(Reason::to_code)),
        Box::new(appt.visitor_id.as_ref().map(|id| id.0.clone())),
        Box::new(appt.destination.clone()),
        Box::new(appt.prereg_id.as_ref().map(|id| id.0.clone())),
        Box::new(appt.attempts),
        Box::new(to_unix(appt.asked_ends_at)),
        Box::new(appt.changed_at.timestamp()),
        Box::new(appt.last_report.as_ref().map(LastReport::to_code)),
        Box::new(to_unix(
            appt.last_report.as_ref().map(|last_report| last_report.at),
        )),
        Box::new(to_unix(appt.registered_ends_at)),
        Box::new(appt.failures),
    ]);
    values
}

/// Records that the reasons of these visits were reported, as a part of a transaction.
pub(super) fn mark_reported(
    connection: &Connection,
    visits: &[VisitKey],
    now: DateTime<Utc>,
) -> rusqlite::Result<()> {
    let find = format!("SELECT reason, reported, reported_at FROM appts WHERE {WHERE_VISIT}");
    let update = format!("UPDATE appts SET reported = ?5, reported_at = ?6 WHERE {WHERE_VISIT}");
    for key in visits {
        let mut params = key_of(key);
        let report = connection.query_row(&find, params_from_iter(&params), |row| {
            next_report(row, now)
        });
        params.push(Box::new(report.optional()?.flatten()));
        params.push(Box::new(now.timestamp()));
        connection.execute(&update, params_from_iter(params))?;
    }
    Ok(())
}

/// The key of a visit, in the order of the columns.
fn key_of(key: &VisitKey) -> Vec<Box<dyn ToSql>> {
    vec![
        Box::new(key.booking_id.0.clone()),
        Box::new(key.primary_id.as_ref().map(|id| id.as_str().to_owned())),
        Box::new(key.lid.map(|lid| lid.0)),
        Box::new(to_unix(key.starts_at)),
    ]
}

fn appt_of(row: &Row<'_>) -> rusqlite::Result<Appt> {
    let state: String = row.get(6)?;
    let state = State::ALL.into_iter().find(|one| one.as_str() == state);
    let reason: Option<String> = row.get(7)?;
    Ok(Appt {
        key: VisitKey {
            booking_id: BookingId(row.get(0)?),
            primary_id: row.get::<_, Option<String>>(1)?.map(PrimaryId::from_cache),
            lid: row.get::<_, Option<i64>>(2)?.map(LocationId),
            starts_at: time_column(row, 3)?,
        },
        ends_at: time_column(row, 4)?,
        status: row.get(5)?,
        // A state of a later version is unknown here.
        state: state.unwrap_or(State::InDoubt),
        reason: reason.as_deref().map(Reason::from_code),
        visitor_id: row.get::<_, Option<String>>(8)?.map(VisitorId),
        destination: row.get(9)?,
        prereg_id: row.get::<_, Option<String>>(10)?.map(PreregId),
        attempts: row.get(11)?,
        asked_ends_at: time_column(row, 12)?,
        changed_at: required_time_column(row, 13)?,
        last_report: last_report(row, 14)?,
        registered_ends_at: time_column(row, 16)?,
        failures: row.get(17)?,
    })
}
