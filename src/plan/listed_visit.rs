//! What LibCal's lists alone say about each visit: until when, for whom, and whether it is approved.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::libcal::{Row, UnreadableRow, status};
use crate::model::{InvalidId, Reason, VisitKey};

/// Whether a visit is approved. Of several rows, the greatest decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Approval {
    /// Every row is cancelled or denied.
    Cancelled,
    /// It is not approved, or not yet.
    NotApproved,
    /// It has an unknown status.
    UnknownStatus,
    /// It has an accepted status.
    Approved,
}

/// The rows of one visit, taken together.
pub(super) struct ListedVisit<'a> {
    pub(super) approval: Approval,
    /// The status of the row that decides.
    pub(super) status: Option<String>,
    /// The latest end of the rows that decide: a seat that was cancelled does not make the
    /// visit longer. `None` if no row can be read.
    pub(super) ends_at: Option<DateTime<Utc>>,
    /// What keeps it from being registered, whatever the services say.
    pub(super) problem: Option<Reason>,
    /// The rows that can be read, sorted by name and e-mail address.
    pub(super) rows: Vec<&'a Row>,
}

/// How rows are ranked: by approval, then end, then status.
type Rank<'r> = (Approval, Option<DateTime<Utc>>, Option<&'r str>);

impl ListedVisit<'_> {
    fn rank(&self) -> Rank<'_> {
        (self.approval, self.ends_at, self.status.as_deref())
    }

    /// Adds another row of the visit.
    fn add(&mut self, rank: Rank<'_>, problem: Option<Reason>) {
        if rank > self.rank() {
            (self.approval, self.ends_at) = (rank.0, rank.1);
            self.status = rank.2.map(str::to_owned);
        }
        // Any of them will do, as long as the order of the rows does not decide.
        self.problem = self.problem.take().max(problem);
    }
}

/// The visits that these rows make.
pub(super) fn listed_visits<'a>(
    rows: &'a [Row],
    unreadable: &[UnreadableRow],
    accepted: &[String],
) -> BTreeMap<VisitKey, ListedVisit<'a>> {
    let mut visits = BTreeMap::new();
    for row in rows {
        let approval = approval_of(Some(&row.status), row.cancelled, accepted);
        let problem = row.primary_id.as_ref().err().map(|invalid| match invalid {
            InvalidId::Blank => Reason::NoPrimaryId,
            InvalidId::Invalid => Reason::InvalidPrimaryId,
            InvalidId::NoMatch => Reason::NoIdInAnswer,
        });
        let visit = visits.entry(key_of(row)).or_insert_with(empty);
        visit.add((approval, Some(row.ends_at), Some(&row.status)), problem);
        visit.rows.push(row);
    }
    for row in unreadable {
        let key = VisitKey {
            booking_id: row.booking_id.clone(),
            primary_id: row.primary_id.clone(),
            lid: Some(row.lid),
            starts_at: None,
        };
        let approval = approval_of(row.status.as_deref(), row.cancelled, accepted);
        let problem = Reason::Unreadable(row.what.clone());
        let visit = visits.entry(key).or_insert_with(empty);
        visit.add((approval, None, row.status.as_deref()), Some(problem));
    }
    // The order in the list must not decide which name is used.
    let by_name = |row: &&Row| {
        (
            row.first_name.clone(),
            row.last_name.clone(),
            row.email.clone(),
        )
    };
    for visit in visits.values_mut() {
        visit.rows.sort_by_cached_key(by_name);
    }
    visits
}

/// The visit that a row belongs to.
fn key_of(row: &Row) -> VisitKey {
    VisitKey {
        booking_id: row.booking_id.clone(),
        primary_id: row.primary_id.as_ref().ok().cloned(),
        lid: Some(row.lid),
        starts_at: Some(row.starts_at),
    }
}

/// A visit without rows, which ranks lower than any row.
fn empty<'a>() -> ListedVisit<'a> {
    ListedVisit {
        approval: Approval::Cancelled,
        status: None,
        ends_at: None,
        problem: None,
        rows: Vec::new(),
    }
}

/// A row without a status counts as approved, because it may be.
fn approval_of(status: Option<&str>, cancelled: bool, accepted: &[String]) -> Approval {
    if cancelled || status.is_some_and(status::is_withdrawn) {
        return Approval::Cancelled;
    }
    match status {
        None => Approval::Approved,
        Some(status) if status::is_accepted(status, accepted) => Approval::Approved,
        Some(status) if status::is_known(status) => Approval::NotApproved,
        Some(_) => Approval::UnknownStatus,
    }
}
