//! Users in the cache, and the reports of refusals.

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{Cache, appts, last_report, next_report, time_column, to_unix};
use crate::model::{
    Appt, Barcode, Card, Eligibility, LastReport, PrimaryId, Reason, User, VisitKey, VisitorId,
};

const SELECT_USERS: &str =
    "SELECT primary_id, barcode, visitor_id, refusal, checked_at, reported, reported_at FROM users";
/// `seen_at` is kept to the day, so that a pass with nothing new writes nothing about users.
const SEEN_PRECISION: TimeDelta = TimeDelta::days(1);

impl Cache {
    /// The user of that primary ID.
    ///
    /// # Errors
    /// Where the cache cannot be read.
    pub fn user(&self, primary_id: &PrimaryId) -> Result<Option<User>> {
        let sql = format!("{SELECT_USERS} WHERE primary_id = ?1");
        let found = self
            .connection
            .prepare_cached(&sql)
            .and_then(|mut statement| {
                statement
                    .query_row([primary_id.as_str()], user_of)
                    .optional()
            });
        self.map_error(found)
    }

    /// Saves a user, in place of what was known of them.
    ///
    /// # Errors
    /// Where the cache cannot be written.
    pub fn save_user(&mut self, user: &User, now: DateTime<Utc>) -> Result<()> {
        let saved = save(&self.connection, user, now);
        self.map_error(saved)
    }

    /// Saves a user's refusal together with their refused visits, in one transaction.
    ///
    /// # Errors
    /// Where the cache cannot be written.
    pub fn save_refusal(&mut self, user: &User, visits: &[Appt], now: DateTime<Utc>) -> Result<()> {
        let saved = self.connection.transaction().and_then(|transaction| {
            save(&transaction, user, now)?;
            for appt in visits {
                appts::save(&transaction, appt)?;
            }
            transaction.commit()
        });
        self.map_error(saved)
    }

    /// Records that bookings name these people.
    ///
    /// # Errors
    /// Where the cache cannot be written.
    pub fn mark_seen<'k>(
        &mut self,
        people: impl IntoIterator<Item = &'k PrimaryId>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let (now, cut) = (now.timestamp(), (now - SEEN_PRECISION).timestamp());
        let marked = self.connection.transaction().and_then(|transaction| {
            let sql = "UPDATE users SET seen_at = ?2
                       WHERE primary_id = ?1 AND seen_at NOT BETWEEN ?3 AND ?2";
            let mut statement = transaction.prepare_cached(sql)?;
            for person in people {
                statement.execute(params![person.as_str(), now, cut])?;
            }
            drop(statement);
            transaction.commit()
        });
        self.map_error(marked)
    }

    /// Records that the refusals of these users and visits were reported.
    ///
    /// # Errors
    /// Where the cache cannot be written.
    pub fn mark_reported(
        &mut self,
        users: &[PrimaryId],
        visits: &[VisitKey],
        now: DateTime<Utc>,
    ) -> Result<()> {
        let marked = self.connection.transaction().and_then(|transaction| {
            for user in users {
                let user = user.as_str();
                let sql = "SELECT refusal, reported, reported_at FROM users WHERE primary_id = ?1";
                let report = transaction.query_row(sql, [user], |row| next_report(row, now));
                let report = report.optional()?.flatten();
                let sql = "UPDATE users SET reported = ?2, reported_at = ?3 WHERE primary_id = ?1";
                transaction.execute(sql, params![user, report, now.timestamp()])?;
            }
            appts::mark_reported(&transaction, visits, now)?;
            transaction.commit()
        });
        self.map_error(marked)
    }
}

/// How many users there are, if each of them can be read.
pub(super) fn count_readable(connection: &Connection) -> rusqlite::Result<usize> {
    let mut statement = connection.prepare(SELECT_USERS)?;
    let mut users = statement.query_map([], user_of)?;
    users.try_fold(0, |number, user| user.map(|_| number + 1))
}

fn save(connection: &Connection, user: &User, now: DateTime<Utc>) -> rusqlite::Result<()> {
    let sql = "INSERT INTO users (primary_id, barcode, visitor_id, refusal, checked_at, reported, reported_at, seen_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
               ON CONFLICT (primary_id) DO UPDATE SET
                   barcode = ?2, visitor_id = ?3, refusal = ?4, checked_at = ?5, reported = ?6,
                   reported_at = ?7, seen_at = ?8";
    let card = user.card();
    connection.prepare_cached(sql)?.execute(params![
        user.primary_id.as_str(),
        card.map(|card| &card.barcode.0),
        card.map(|card| &card.visitor_id.0),
        user.refusal().map(Reason::to_code),
        to_unix(user.checked_at),
        user.last_report.as_ref().map(LastReport::to_code),
        to_unix(user.last_report.as_ref().map(|last_report| last_report.at)),
        now.timestamp()
    ])?;
    Ok(())
}

fn user_of(row: &Row<'_>) -> rusqlite::Result<User> {
    let refusal: Option<String> = row.get(3)?;
    Ok(User {
        primary_id: PrimaryId::from_cache(row.get(0)?),
        eligibility: match refusal {
            Some(code) => Eligibility::Refused(Reason::from_code(&code)),
            None => Eligibility::Card(Card {
                barcode: Barcode(row.get(1)?),
                visitor_id: VisitorId(row.get(2)?),
            }),
        },
        checked_at: time_column(row, 4)?,
        last_report: last_report(row, 5)?,
    })
}
