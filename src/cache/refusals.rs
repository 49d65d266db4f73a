//! Refusals in the cache.

use anyhow::Result;
use rusqlite::{Connection, Row, params};

use super::Cache;
use crate::known::{Refusal, Subject};

impl Cache {
    /// The refusals of a primary ID or a booking.
    ///
    /// # Errors
    /// Where the cache cannot be read.
    pub fn refusals_of(&self, subject: &str) -> Result<Vec<(Subject, Refusal)>> {
        self.refusals("WHERE subject = ?1 ORDER BY refused_at DESC", subject)
    }

    /// The refusals of a person and of their bookings, the latest first.
    ///
    /// # Errors
    /// Where the cache cannot be read.
    pub fn refusals_of_person(&self, primary_id: &str) -> Result<Vec<(Subject, Refusal)>> {
        self.refusals(
            "WHERE primary_id = ?1 ORDER BY refused_at DESC, subject",
            primary_id,
        )
    }

    fn refusals(&self, which: &str, param: &str) -> Result<Vec<(Subject, Refusal)>> {
        let sql =
            format!("SELECT subject, kind, reason, refused_at, reported_at FROM refusals {which}");
        let found = self
            .connection
            .prepare_cached(&sql)
            .and_then(|mut statement| statement.query_map([param], refusal_of)?.collect());
        self.told(found)
    }

    /// Remembers a refusal. A new reason is news, even if the old one was reported.
    ///
    /// # Errors
    /// Where the cache cannot be written.
    pub fn refuse(
        &mut self,
        subject: &Subject,
        primary_id: Option<&str>,
        reason: &str,
        now: i64,
    ) -> Result<()> {
        self.execute(
            "INSERT INTO refusals (subject, kind, primary_id, reason, refused_at) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (subject, kind) DO UPDATE SET
                 primary_id = ?3, reason = ?4, refused_at = ?5,
                 reported_at = CASE WHEN reason = ?4 THEN reported_at END",
            params![subject.id(), kind_of(subject), primary_id, reason, now],
        )
    }

    /// Forgets a refusal: what was refused is now done.
    ///
    /// # Errors
    /// Where the cache cannot be written.
    pub fn accept(&mut self, subject: &Subject) -> Result<()> {
        let accepted = accept(&self.connection, subject);
        self.told(accepted)
    }

    /// Notes that a person was told of these refusals.
    ///
    /// # Errors
    /// Where the cache cannot be written.
    pub fn reported(&mut self, subjects: &[Subject], now: i64) -> Result<()> {
        let noted = self.connection.transaction().and_then(|transaction| {
            let sql = "UPDATE refusals SET reported_at = ?3 WHERE subject = ?1 AND kind = ?2";
            let mut statement = transaction.prepare_cached(sql)?;
            for subject in subjects {
                statement.execute(params![subject.id(), kind_of(subject), now])?;
            }
            drop(statement);
            transaction.commit()
        });
        self.told(noted)
    }
}

/// Forgets a refusal, as a part of a transaction.
pub(super) fn accept(connection: &Connection, subject: &Subject) -> rusqlite::Result<()> {
    let sql = match subject {
        Subject::User(_) => {
            "DELETE FROM refusals WHERE primary_id = ?1 AND kind IN (?2, 'user''s booking')"
        }
        _ => "DELETE FROM refusals WHERE subject = ?1 AND kind = ?2",
    };
    let mut statement = connection.prepare_cached(sql)?;
    statement.execute(params![subject.id(), kind_of(subject)])?;
    Ok(())
}

fn kind_of(subject: &Subject) -> &'static str {
    match subject {
        Subject::User(_) => "user",
        Subject::UsersBooking(_) => "user's booking",
        Subject::Booking(_) => "booking",
        Subject::Form(_) => "form",
        Subject::Doubt(_) => "doubt",
    }
}

fn refusal_of(row: &Row<'_>) -> rusqlite::Result<(Subject, Refusal)> {
    let (id, kind): (String, String) = (row.get(0)?, row.get(1)?);
    let subject = match kind.as_str() {
        "user" => Subject::User(id),
        "user's booking" => Subject::UsersBooking(id),
        "booking" => Subject::Booking(id),
        "form" => Subject::Form(id),
        _ => Subject::Doubt(id),
    };
    let refusal = Refusal {
        reason: row.get(2)?,
        refused_at: row.get(3)?,
        reported_at: row.get(4)?,
    };
    Ok((subject, refusal))
}
