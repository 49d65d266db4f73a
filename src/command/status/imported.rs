//! The bookings that were imported from the Python program, and which of them are still to come:
//! until they are over, `prune` would have them registered a second time.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::super::view::{self, ApptJson};
use crate::messages::{abbreviate, pluralize, visit_name};
use crate::model::{Appt, Reason, State};
use crate::output::format_time;

/// The bookings that the Python program registered.
pub(super) struct Imported {
    /// How many `prune` has not forgotten yet.
    pub(super) bookings: usize,
    /// Their visits that LibCal lists and that are not over, by start.
    pub(super) to_come: Vec<Appt>,
}

/// Whether the imported bookings were compared with LibCal's lists.
pub(super) enum Comparison {
    /// Not by any pass yet.
    None,
    /// Not with all lists: some could not be read.
    Partial,
    /// With all lists.
    Full,
}

/// The imported bookings for a program.
#[derive(Serialize)]
pub(super) struct ImportedJson<'a> {
    bookings: usize,
    to_come: Vec<ApptJson<'a>>,
}

impl Imported {
    /// Takes the bookings, which have no times and are none of the visits, out of the appointments
    /// that are not over.
    pub(super) fn split_off(appts: &mut Vec<Appt>) -> Self {
        let all = appts.len();
        appts.retain(|appt| !appt.is_imported());
        let bookings = all - appts.len();
        let is_to_come =
            |appt: &&Appt| appt.state == State::Registered && appt.reason == Some(Reason::Imported);
        let to_come = appts.iter().filter(|_| bookings > 0).filter(is_to_come);
        Self {
            bookings,
            to_come: to_come.cloned().collect(),
        }
    }

    pub(super) fn to_json(&self) -> ImportedJson<'_> {
        ImportedJson {
            bookings: self.bookings,
            to_come: self.to_come.iter().map(view::to_json).collect(),
        }
    }

    /// The line for a person, if there is anything to tell.
    pub(super) fn to_line(&self, comparison: &Comparison) -> Option<String> {
        if self.bookings == 0 {
            return None;
        }
        let detail = match (comparison, self.last_end()) {
            (Comparison::None, _) => {
                "the first full pass finds out which of them are still to come".to_owned()
            }
            (_, Some(last)) => self.describe_to_come(last),
            (Comparison::Partial, None) => {
                "LibCal's lists could not be read, so others may still be to come".to_owned()
            }
            (Comparison::Full, None) => {
                "none of them is still to come: the next `prune` forgets them".to_owned()
            }
        };
        let bookings = pluralize(self.bookings, "booking");
        Some(format!(
            "imported from the Python program: {bookings}; {detail}"
        ))
    }

    fn last_end(&self) -> Option<DateTime<Utc>> {
        self.to_come.iter().filter_map(|appt| appt.ends_at).max()
    }

    fn describe_to_come(&self, last: DateTime<Utc>) -> String {
        let visits = match self.to_come.len() {
            1 => "1 visit is".to_owned(),
            number => format!("{number} visits are"),
        };
        let ids: Vec<_> = self
            .to_come
            .iter()
            .map(|appt| visit_name(&appt.key))
            .collect();
        format!(
            "{visits} still to come, the last until {} ({}): do not run `prune` before that",
            format_time(last),
            abbreviate(&ids)
        )
    }
}
