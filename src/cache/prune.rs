//! What is deleted from the cache, and that it is gone from the file.

use anyhow::Result;
use rusqlite::{Connection, ToSql, Transaction};

use super::Cache;

/// What to delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Everything about a person.
    Person(String),
    /// Everything about a booking.
    Booking(String),
    /// What ended before this time, in Unix seconds.
    EndedBefore(i64),
    /// Refusals that were last given before this time, in Unix seconds.
    RefusedBefore(i64),
    /// Users whom no booking named since this time, in Unix seconds.
    UnseenSince(i64),
}

/// How many rows of each table were deleted, or would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Pruned {
    /// Appointments.
    pub appts: usize,
    /// Users.
    pub users: usize,
    /// Refusals.
    pub refusals: usize,
}

impl Cache {
    /// Deletes what is asked for in one transaction; with `dry_run` only counts it.
    ///
    /// # Errors
    /// Where the cache cannot be written.
    pub fn prune(&mut self, what: &[What], dry_run: bool) -> Result<Pruned> {
        let pruned = self.connection.transaction().and_then(|transaction| {
            let mut pruned = Pruned::default();
            for one in what {
                prune_one(&transaction, one, &mut pruned)?;
            }
            // Rolled back, nothing is deleted, and the counts are true all the same.
            if dry_run {
                transaction.rollback()?;
            } else {
                transaction.commit()?;
            }
            Ok(pruned)
        });
        let pruned = self.told(pruned)?;
        if !dry_run {
            let emptied = empty_wal(&self.connection);
            self.told(emptied)?;
        }
        Ok(pruned)
    }

    /// How many visits that are or may be registered this would have the next sync take
    /// for new ones though they are not over, as far as the cache can tell.
    ///
    /// # Errors
    /// Where the cache cannot be read.
    pub fn still_expected(&self, what: &What, now: i64) -> Result<usize> {
        let (which, id) = match what {
            What::Person(id) => (
                "primary_id = ?1 AND ifnull(ends_at, ?2 + 1) > ?2",
                id.as_str(),
            ),
            What::Booking(id) => ("appt_id = ?1 AND ifnull(ends_at, ?2 + 1) > ?2", id.as_str()),
            What::EndedBefore(_) => ("?1 = '' AND ?2 IS NOT NULL AND ends_at IS NULL", ""),
            What::RefusedBefore(_) | What::UnseenSince(_) => return Ok(0),
        };
        let sql = format!(
            "SELECT count(*) FROM appts
             WHERE (prereg_id IS NOT NULL OR asked_ends_at IS NOT NULL) AND cancelled_at IS NULL AND {which}"
        );
        let params: [&dyn ToSql; 2] = [&id, &now];
        let counted = self
            .connection
            .query_row(&sql, params, |row| row.get::<_, i64>(0));
        Ok(usize::try_from(self.told(counted)?).unwrap_or(0))
    }
}

fn prune_one(
    transaction: &Transaction<'_>,
    what: &What,
    pruned: &mut Pruned,
) -> rusqlite::Result<()> {
    match what {
        What::Person(id) => {
            drop_repeats(transaction, "primary_id = ?1", id)?;
            pruned.appts += transaction.execute("DELETE FROM appts WHERE primary_id = ?1", [id])?;
            pruned.users += transaction.execute("DELETE FROM users WHERE primary_id = ?1", [id])?;
            pruned.refusals +=
                transaction.execute("DELETE FROM refusals WHERE primary_id = ?1", [id])?;
        }
        What::Booking(id) => {
            pruned.appts += transaction.execute("DELETE FROM appts WHERE appt_id = ?1", [id])?;
            pruned.refusals += transaction.execute(
                "DELETE FROM refusals WHERE subject = ?1 AND kind <> 'user'",
                [id],
            )?;
        }
        What::EndedBefore(time) => {
            // Appointments taken over from the Python program have no end, and go at the first prune.
            pruned.appts += transaction.execute("DELETE FROM appts WHERE ends_at < ?1", [time])?;
            pruned.appts += transaction.execute("DELETE FROM appts WHERE ends_at IS NULL", [])?;
        }
        What::RefusedBefore(time) => {
            drop_repeats(transaction, "refused_at < ?1", time)?;
            pruned.refusals +=
                transaction.execute("DELETE FROM refusals WHERE refused_at < ?1", [time])?;
        }
        What::UnseenSince(time) => {
            pruned.users += transaction.execute("DELETE FROM users WHERE seen_at < ?1", [time])?;
        }
    }
    Ok(())
}

/// Deletes what only repeats a user's refusal for one of their bookings; that is not counted.
fn drop_repeats(
    transaction: &Transaction<'_>,
    which: &str,
    param: &dyn ToSql,
) -> rusqlite::Result<()> {
    let sql = format!("DELETE FROM refusals WHERE kind = 'user''s booking' AND {which}");
    transaction.execute(&sql, [param])?;
    Ok(())
}

/// Moves all that is in the write-ahead log to the cache itself and empties the log,
/// so that nothing deleted can be read from either.
fn empty_wal(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}
