//! Deletes from the cache, so that nothing of it is left in the file.

use std::time::Duration;

use anyhow::{Result, bail};
use chrono::{DateTime, Utc};
use rusqlite::{Params, Row, Transaction, params};

use super::Cache;
use super::appts::LATEST_END;
use crate::files;
use crate::model::{BookingId, PrimaryId};

/// How long to wait for readers of the write-ahead log; our own commands read for milliseconds. Not so
/// long in a debug build, which is what the tests run.
const WAL_TIMEOUT: Duration = Duration::from_secs(if cfg!(debug_assertions) { 1 } else { 5 });

/// What to delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PruneTarget {
    /// Everything about a person.
    Person(PrimaryId),
    /// Everything about a booking.
    Booking(BookingId),
    /// Appointments that ended before this time, and imported ones, which have no end.
    EndedBefore(DateTime<Utc>),
    /// Users who were refused and rows that could not be read, if that was before this time.
    RefusedBefore(DateTime<Utc>),
    /// Users whom no booking has named since this time.
    UnseenSince(DateTime<Utc>),
}

/// How many rows of each table were deleted, or would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct PruneCounts {
    /// Appointments.
    pub appts: usize,
    /// Users.
    pub users: usize,
}

impl Cache {
    /// Deletes what is asked for in one transaction; with `dry_run` only counts it.
    ///
    /// # Errors
    /// Where the cache cannot be written.
    pub fn prune(&mut self, what: &[PruneTarget], dry_run: bool) -> Result<PruneCounts> {
        let pruned = self.connection.transaction().and_then(|transaction| {
            let mut pruned = PruneCounts::default();
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
        self.map_error(pruned)
    }

    /// Moves the contents of the write-ahead log to the cache itself and truncates the log, so that
    /// deleted data can be read from neither. Waits a little for other readers of the cache.
    ///
    /// # Errors
    /// Where somebody reads the cache all that time, and where it cannot be written.
    pub fn truncate_wal(&self) -> Result<()> {
        let emptied = self.connection.busy_timeout(WAL_TIMEOUT).and_then(|()| {
            let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
            let is_busy = |row: &Row<'_>| row.get::<_, bool>(0);
            self.connection.query_row(checkpoint, [], is_busy)
        });
        if self.map_error(emptied)? {
            bail!(
                "what was deleted can still be read in {}, as another command or program is using the cache: run `libcal-pp prune` again when none is",
                files::sibling(&self.path, "-wal").display()
            );
        }
        Ok(())
    }

    /// How many visits would be registered a second time by the next sync if this were deleted: those
    /// that are or may be registered and are not over, as far as the cache can tell.
    ///
    /// # Errors
    /// Where the cache cannot be read.
    pub fn count_reregistered(&self, what: &PruneTarget, now: DateTime<Utc>) -> Result<usize> {
        let now = now.timestamp();
        let to_come = format!("ifnull({LATEST_END}, ?2 + 1) > ?2");
        match what {
            PruneTarget::Person(id) => {
                let which = format!("primary_id = ?1 AND {to_come}");
                self.count_expected(&which, params![id.as_str(), now])
            }
            PruneTarget::Booking(id) => {
                let which = format!("appt_id = ?1 AND {to_come}");
                self.count_expected(&which, params![id.0, now])
            }
            PruneTarget::EndedBefore(_) => {
                self.count_expected(&format!("{LATEST_END} IS NULL AND lid IS NULL"), [])
            }
            PruneTarget::RefusedBefore(_) | PruneTarget::UnseenSince(_) => Ok(0),
        }
    }

    fn count_expected(&self, which: &str, params: impl Params) -> Result<usize> {
        let sql = format!(
            "SELECT count(*) FROM appts
             WHERE (prereg_id IS NOT NULL OR asked_ends_at IS NOT NULL) AND state <> 'cancelled' AND {which}"
        );
        let counted = self
            .connection
            .query_row(&sql, params, |row| row.get::<_, u32>(0));
        Ok(self.map_error(counted)? as usize)
    }
}

fn prune_one(
    transaction: &Transaction<'_>,
    what: &PruneTarget,
    pruned: &mut PruneCounts,
) -> rusqlite::Result<()> {
    match what {
        PruneTarget::Person(id) => {
            let id = [id.as_str()];
            pruned.appts += transaction.execute("DELETE FROM appts WHERE primary_id = ?1", id)?;
            pruned.users += transaction.execute("DELETE FROM users WHERE primary_id = ?1", id)?;
        }
        PruneTarget::Booking(id) => {
            pruned.appts += transaction.execute("DELETE FROM appts WHERE appt_id = ?1", [&id.0])?;
        }
        PruneTarget::EndedBefore(time) => {
            let ended = format!("DELETE FROM appts WHERE {LATEST_END} < ?1");
            pruned.appts += transaction.execute(&ended, [time.timestamp()])?;
            let endless = format!("DELETE FROM appts WHERE {LATEST_END} IS NULL AND lid IS NULL");
            pruned.appts += transaction.execute(&endless, [])?;
        }
        PruneTarget::RefusedBefore(time) => {
            let time = [time.timestamp()];
            let unreadable =
                "DELETE FROM appts WHERE starts_at IS NULL AND lid IS NOT NULL AND changed_at < ?1";
            pruned.appts += transaction.execute(unreadable, time)?;
            let refused = "DELETE FROM users WHERE refusal IS NOT NULL AND checked_at < ?1";
            pruned.users += transaction.execute(refused, time)?;
        }
        PruneTarget::UnseenSince(time) => {
            let unseen = "DELETE FROM users WHERE seen_at < ?1";
            pruned.users += transaction.execute(unseen, [time.timestamp()])?;
        }
    }
    Ok(())
}
