//! `lookup-appt`: what the cache knows of bookings.

use anyhow::Result;

use super::{Exit, cache_path, shown};
use crate::cache::Cache;
use crate::cli::{Cli, LookupAppt};
use crate::known::{Refusal, Subject};
use crate::output::{moment, print, print_json};

pub(super) fn run(cli: &Cli, args: &LookupAppt) -> Result<Exit> {
    let cache = Cache::open_existing(&cache_path(cli)?)?;
    let mut exit = Exit::Done;
    for book_id in &args.book_ids {
        let appts = cache.appts_of_booking(book_id)?;
        let refusals = cache.refusals_of(book_id)?;
        // A user may have such an ID.
        let refusals: Vec<_> = refusals
            .iter()
            .filter(|(subject, _)| !matches!(subject, Subject::User(_)))
            .map(told)
            .collect();
        if appts.is_empty() {
            exit = Exit::NeedsPerson;
            if refusals.is_empty() {
                log::error!(
                    "nothing is known of the booking {book_id}: it was not in LibCal's lists, or not approved"
                );
            } else {
                log::error!(
                    "booking {book_id} is not registered: {}",
                    refusals.join("; ")
                );
            }
        } else if !refusals.is_empty() {
            log::warn!("booking {book_id}: {}", refusals.join("; "));
        }
        if cli.json {
            print_json(appts.iter().map(shown::to_json))?;
        } else {
            print(shown::to_lines(&appts))?;
        }
    }
    Ok(exit)
}

fn told((_, refusal): &(Subject, Refusal)) -> String {
    format!(
        "refused on {}, {}",
        moment(refusal.refused_at),
        refusal.reason
    )
}
