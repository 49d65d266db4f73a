//! Users in the cache.

use anyhow::Result;
use rusqlite::{OptionalExtension, Row, params};

use super::{Cache, refusals};
use crate::known::{Subject, User};

/// `seen_at` is kept to the day, so that a pass with nothing new writes nothing about users.
const SEEN_TO: i64 = 24 * 3600;

impl Cache {
    /// The user of that primary ID.
    ///
    /// # Errors
    /// Where the cache cannot be read.
    pub fn user(&self, primary_id: &str) -> Result<Option<User>> {
        let sql =
            "SELECT primary_id, barcode, visitor_id, checked_at FROM users WHERE primary_id = ?1";
        let found = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_row([primary_id], user_of).optional());
        self.told(found)
    }

    /// Keeps a user, in place of what was known of them, and forgets that they were refused.
    ///
    /// # Errors
    /// Where the cache cannot be written.
    pub fn store_user(&mut self, user: &User, now: i64) -> Result<()> {
        let stored = self.connection.transaction().and_then(|transaction| {
            let sql = "INSERT INTO users (primary_id, barcode, visitor_id, checked_at, seen_at)
                       VALUES (?1, ?2, ?3, ?4, ?5)
                       ON CONFLICT (primary_id) DO UPDATE SET
                           barcode = ?2, visitor_id = ?3, checked_at = ?4, seen_at = ?5";
            transaction.prepare_cached(sql)?.execute(params![
                user.primary_id,
                user.barcode,
                user.visitor_id,
                user.checked_at,
                now
            ])?;
            let subject = Subject::User(user.primary_id.clone());
            refusals::accept(&transaction, &subject)?;
            transaction.commit()
        });
        self.told(stored)
    }

    /// Notes that bookings name these people.
    ///
    /// # Errors
    /// Where the cache cannot be written.
    pub fn note_seen<'k>(
        &mut self,
        people: impl IntoIterator<Item = &'k String>,
        now: i64,
    ) -> Result<()> {
        let noted = self.connection.transaction().and_then(|transaction| {
            let sql = "UPDATE users SET seen_at = ?2 WHERE primary_id = ?1 AND seen_at < ?3";
            let mut statement = transaction.prepare_cached(sql)?;
            for person in people {
                statement.execute(params![person, now, now - SEEN_TO])?;
            }
            drop(statement);
            transaction.commit()
        });
        self.told(noted)
    }
}

fn user_of(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        primary_id: row.get(0)?,
        barcode: row.get(1)?,
        visitor_id: row.get(2)?,
        checked_at: row.get(3)?,
    })
}
