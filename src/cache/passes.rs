//! Passes and outages in the cache: what lasts from one pass to the next.

use anyhow::Result;
use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{Cache, required_time_column, time_column, to_unix};
use crate::model::{LastPass, OngoingOutage, Outage, Summary};

impl Cache {
    /// The last pass, if there was one.
    ///
    /// # Errors
    /// Where the cache cannot be read.
    pub fn last_pass(&self) -> Result<Option<LastPass>> {
        let found = last_pass(&self.connection);
        self.map_error(found)
    }

    /// Records that the pass of that number begins, and when if it is a pass of today. This also
    /// proves that the cache can be written, before any service is asked to do something.
    ///
    /// # Errors
    /// Where the cache cannot be written.
    pub fn begin_pass(&mut self, number: u64, started_at: Option<DateTime<Utc>>) -> Result<()> {
        self.execute(
            "INSERT INTO last_pass (id, number, started_at) VALUES (1, ?1, ?2)
             ON CONFLICT (id) DO UPDATE SET number = ?1, started_at = coalesce(?2, started_at)",
            params![
                i64::try_from(number).unwrap_or(i64::MAX),
                to_unix(started_at)
            ],
        )
    }

    /// Records how a full pass ended.
    ///
    /// # Errors
    /// Where the cache cannot be written.
    pub fn end_pass(&mut self, summary: &Summary, now: DateTime<Utc>) -> Result<()> {
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        self.execute(
            "UPDATE last_pass SET ended_at = ?1, rows = ?2, visits = ?3, already_registered = ?4,
                 registered = ?5, refused = ?6, in_doubt = ?7, failed = ?8, ended = ?9, seconds = ?10
             WHERE id = 1",
            params![
                now.timestamp(),
                count(summary.rows),
                count(summary.visits),
                count(summary.already_registered),
                count(summary.registered),
                count(summary.refused),
                count(summary.in_doubt),
                count(summary.failed),
                count(summary.ended),
                summary.seconds,
            ],
        )
    }

    /// The outages that go on, by service.
    ///
    /// # Errors
    /// Where the cache cannot be read.
    pub fn outages(&self) -> Result<Vec<OngoingOutage>> {
        let found = outages(&self.connection);
        self.map_error(found)
    }

    /// Saves outages that go on, and deletes those that are over, in one transaction.
    ///
    /// # Errors
    /// Where the cache cannot be written.
    pub fn save_outages(
        &mut self,
        lasting: &[OngoingOutage],
        over: &[OngoingOutage],
    ) -> Result<()> {
        if lasting.is_empty() && over.is_empty() {
            return Ok(());
        }
        let saved = self.connection.transaction().and_then(|transaction| {
            for OngoingOutage { outage, .. } in over {
                transaction.execute("DELETE FROM outages WHERE service = ?1", [&outage.service])?;
            }
            for OngoingOutage {
                outage,
                since,
                reported_at,
            } in lasting
            {
                transaction.execute(
                    "INSERT OR REPLACE INTO outages (service, cause, since, reported_at) VALUES (?1, ?2, ?3, ?4)",
                    params![outage.service, outage.cause, since.timestamp(), to_unix(*reported_at)],
                )?;
            }
            transaction.commit()
        });
        self.map_error(saved)
    }
}

/// The last pass, if there was one.
pub(super) fn last_pass(connection: &Connection) -> rusqlite::Result<Option<LastPass>> {
    let sql = "SELECT number, started_at, ended_at, rows, visits, already_registered, registered,
                      refused, in_doubt, failed, ended, seconds FROM last_pass";
    let read = |row: &Row<'_>| {
        let ended_at = time_column(row, 2)?;
        let ended = ended_at.map(|at| summary_of(row).map(|summary| (at, summary)));
        Ok(LastPass {
            number: u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0),
            started_at: time_column(row, 1)?,
            ended: ended.transpose()?,
        })
    };
    connection.query_row(sql, [], read).optional()
}

/// The outages that go on, by service.
pub(super) fn outages(connection: &Connection) -> rusqlite::Result<Vec<OngoingOutage>> {
    let sql = "SELECT service, cause, since, reported_at FROM outages ORDER BY service";
    let mut statement = connection.prepare_cached(sql)?;
    statement.query_map([], outage_of)?.collect()
}

fn summary_of(row: &Row<'_>) -> rusqlite::Result<Summary> {
    let count = |column| row.get::<_, u32>(column).map(|number| number as usize);
    Ok(Summary {
        rows: count(3)?,
        visits: count(4)?,
        already_registered: count(5)?,
        registered: count(6)?,
        refused: count(7)?,
        in_doubt: count(8)?,
        failed: count(9)?,
        ended: count(10)?,
        seconds: row.get(11)?,
    })
}

fn outage_of(row: &Row<'_>) -> rusqlite::Result<OngoingOutage> {
    Ok(OngoingOutage {
        outage: Outage {
            service: row.get(0)?,
            cause: row.get(1)?,
        },
        since: required_time_column(row, 2)?,
        reported_at: time_column(row, 3)?,
    })
}
