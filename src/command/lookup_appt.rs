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
        // A refusal that only repeats what the state says, or of a user with such an ID, is no news.
        let refusals = refusals
            .iter()
            .filter(|(subject, _)| !matches!(subject, Subject::User(_)));
        for (_, refusal) in refusals {
            tell_refusal(book_id, refusal);
        }
        if appts.is_empty() {
            log::error!(
                "nothing is known of the booking {book_id}: it is not registered; whether the person was refused, `libcal-pp lookup-user` tells"
            );
            exit = Exit::NeedsPerson;
        }
        if cli.json {
            print_json(appts.iter().map(shown::to_json))?;
        } else {
            print(shown::to_lines(&appts))?;
        }
    }
    Ok(exit)
}

fn tell_refusal(book_id: &str, refusal: &Refusal) {
    log::warn!(
        "booking {book_id} was refused on {}: {}",
        moment(refusal.refused_at),
        refusal.reason
    );
}
