//! Appointments in the cache: intents, outcomes, cancellations.

use anyhow::Result;
use rusqlite::{Params, Row, params};

use super::{Cache, refusals};
use crate::config::LocationId;
use crate::known::{Appt, Slot, Subject, VisitKey};

const COLUMNS: &str = "SELECT appt_id, primary_id, lid, starts_at, ends_at, prereg_id, asked_ends_at, attempts, cancelled_at FROM appts";
const THIS_VISIT: &str = "WHERE appt_id = ?1 AND primary_id = ?2 AND lid = ?3 AND starts_at = ?4";

impl Cache {
    /// The appointments of a booking, by start.
    ///
    /// # Errors
    /// Where the cache cannot be read.
    pub fn appts_of_booking(&self, book_id: &str) -> Result<Vec<Appt>> {
        self.appts(
            "WHERE appt_id = ?1 ORDER BY starts_at, primary_id",
            [book_id],
        )
    }

    /// The appointments of a user, by start.
    ///
    /// # Errors
    /// Where the cache cannot be read.
    pub fn appts_of_user(&self, primary_id: &str) -> Result<Vec<Appt>> {
        self.appts(
            "WHERE primary_id = ?1 ORDER BY starts_at, appt_id",
            [primary_id],
        )
    }

    fn appts(&self, which: &str, params: impl Params) -> Result<Vec<Appt>> {
        let found = self
            .connection
            .prepare_cached(&format!("{COLUMNS} {which}"))
            .and_then(|mut statement| statement.query_map(params, appt_of)?.collect());
        self.told(found)
    }

    /// Writes the intent to register a visit until `ends_at`, and counts the attempt.
    /// When this returns it is on the disk.
    ///
    /// # Errors
    /// Where the cache cannot be written: then the visit must not be registered.
    pub fn intend(&mut self, key: &VisitKey, ends_at: i64) -> Result<()> {
        self.execute(
            "INSERT INTO appts (appt_id, primary_id, lid, starts_at, ends_at, attempts, asked_ends_at)
             VALUES (?1, ?2, ?3, ?4, ?5, 1, ?5)
             ON CONFLICT (appt_id, primary_id, lid, starts_at) DO UPDATE SET
                 attempts = attempts + 1, asked_ends_at = ?5, cancelled_at = NULL",
            params![key.book_id, key.primary_id, key.lid.0, key.starts_at, ends_at],
        )
    }

    /// Writes that the visit is registered until `ends_at`. This does not rely on the
    /// intent: somebody may have pruned it in the meantime. With `is_mended`, that the
    /// booking was refused before is forgotten with it.
    ///
    /// # Errors
    /// Where the cache cannot be written.
    pub fn registered(
        &mut self,
        key: &VisitKey,
        ends_at: i64,
        prereg_id: &str,
        is_mended: bool,
    ) -> Result<()> {
        let kept = self.connection.transaction().and_then(|transaction| {
            let sql = "INSERT INTO appts (appt_id, primary_id, lid, starts_at, ends_at, prereg_id)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                       ON CONFLICT (appt_id, primary_id, lid, starts_at) DO UPDATE SET
                           ends_at = ?5, prereg_id = ?6, attempts = 0, asked_ends_at = NULL,
                           cancelled_at = NULL";
            transaction.prepare_cached(sql)?.execute(params![
                key.book_id,
                key.primary_id,
                key.lid.0,
                key.starts_at,
                ends_at,
                prereg_id
            ])?;
            if is_mended {
                let subject = Subject::Booking(key.book_id.clone());
                refusals::accept(&transaction, &subject)?;
            }
            transaction.commit()
        });
        self.told(kept)
    }

    /// Takes an intent back: the service surely did not act on it. `before` is the
    /// appointment as it was before the intent.
    ///
    /// # Errors
    /// Where the cache cannot be written.
    pub fn take_back(&mut self, key: &VisitKey, before: Option<&Appt>) -> Result<()> {
        let visit = params![key.book_id, key.primary_id, key.lid.0, key.starts_at];
        let Some(before) = before else {
            return self.execute(&format!("DELETE FROM appts {THIS_VISIT}"), visit);
        };
        self.execute(
            &format!("UPDATE appts SET attempts = ?5, asked_ends_at = ?6 {THIS_VISIT}"),
            params![
                key.book_id,
                key.primary_id,
                key.lid.0,
                key.starts_at,
                before.attempts,
                before.asked_ends_at
            ],
        )
    }

    /// Keeps an intent without counting its attempt: the service was in trouble.
    ///
    /// # Errors
    /// Where the cache cannot be written.
    pub fn not_counted(&mut self, key: &VisitKey) -> Result<()> {
        self.execute(
            &format!("UPDATE appts SET attempts = max(attempts - 1, 0) {THIS_VISIT}"),
            params![key.book_id, key.primary_id, key.lid.0, key.starts_at],
        )
    }

    /// Marks appointments as cancelled in LibCal, at `cancelled_at`, or as standing again.
    ///
    /// # Errors
    /// Where the cache cannot be written.
    pub fn mark(&mut self, visits: &[VisitKey], cancelled_at: Option<i64>) -> Result<()> {
        let marked = self.connection.transaction().and_then(|transaction| {
            let sql = format!("UPDATE appts SET cancelled_at = ?5 {THIS_VISIT}");
            let mut statement = transaction.prepare_cached(&sql)?;
            for key in visits {
                statement.execute(params![
                    key.book_id,
                    key.primary_id,
                    key.lid.0,
                    key.starts_at,
                    cancelled_at
                ])?;
            }
            drop(statement);
            transaction.commit()
        });
        self.told(marked)
    }
}

fn appt_of(row: &Row<'_>) -> rusqlite::Result<Appt> {
    let (primary_id, lid, starts_at, ends_at) =
        (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
    let slot = match (primary_id, lid, starts_at, ends_at) {
        (Some(primary_id), Some(lid), Some(starts_at), Some(ends_at)) => Some(Slot {
            primary_id,
            lid: LocationId(lid),
            starts_at,
            ends_at,
        }),
        _ => None,
    };
    Ok(Appt {
        appt_id: row.get(0)?,
        slot,
        prereg_id: row.get(5)?,
        asked_ends_at: row.get(6)?,
        attempts: row.get(7)?,
        cancelled_at: row.get(8)?,
    })
}
