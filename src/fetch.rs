//! The rows of all locations, read at once.
//!
//! One location's failure does not stop the others, and what a list brought
//! before it failed is used.

use chrono::NaiveDate;

use crate::config::Location;
use crate::libcal::{LibCal, Row, Unreadable};
use crate::messages::pluralize;

/// All that the lists brought.
#[derive(Debug, Default)]
pub struct Fetched {
    /// The rows that can be read.
    pub rows: Vec<Row>,
    /// The rows that cannot.
    pub unreadable: Vec<Unreadable>,
    /// The locations that were not read to the end, each with the cause.
    pub failures: Vec<(Location, String)>,
}

/// Reads the lists of these locations, from `date` or from today.
#[must_use]
pub fn fetch(libcal: &LibCal<'_>, locations: &[Location], date: Option<NaiveDate>) -> Fetched {
    let mut fetched = Fetched::default();
    std::thread::scope(|scope| {
        let read = |location: &Location| {
            let id = location.id;
            scope.spawn(move || libcal.list(id, date))
        };
        let reads: Vec<_> = locations
            .iter()
            .map(|location| (location, read(location)))
            .collect();
        for (location, read) in reads {
            let listing = match read.join() {
                Ok(listing) => listing,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            log::debug!(
                "{} ({}): {}, and {} that cannot be read",
                location.name,
                location.id,
                pluralize(listing.rows.len(), "row"),
                listing.unreadable.len()
            );
            fetched.rows.extend(listing.rows);
            fetched.unreadable.extend(listing.unreadable);
            let failure = listing.failure.map(|cause| (location.clone(), cause));
            fetched.failures.extend(failure);
        }
    });
    fetched
}
