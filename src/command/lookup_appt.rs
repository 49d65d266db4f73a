//! `lookup-appt`: what the cache knows of bookings.

use anyhow::Result;

use super::view::{self, Places};
use super::{Exit, cache_path, not_found};
use crate::cache::Cache;
use crate::cli::{Cli, LookupAppt};
use crate::model::{self, BookingId};
use crate::output::{print, print_json};

pub(super) fn run(cli: &Cli, args: &LookupAppt) -> Result<Exit> {
    let cache = Cache::open_existing(&cache_path(cli)?)?;
    let now = model::now();
    let last_pass = view::last_pass(&cache, now)?;
    let places = Places::of(cli);
    let mut exit = Exit::Done;
    let mut lines = Vec::new();
    for booking_id in &args.book_ids {
        let appts = cache.appts_of_booking(&BookingId(booking_id.clone()))?;
        if appts.is_empty() {
            exit = not_found(
                &format!("the booking {booking_id}"),
                "id",
                last_pass.as_deref(),
            );
        }
        if cli.json {
            print_json(appts.iter().map(view::to_json))?;
            continue;
        }
        for appt in &appts {
            lines.extend(view::to_lines(appt, &places, now));
            lines.push(String::new());
        }
    }
    lines.extend(view::ending(&lines, last_pass));
    print(lines)?;
    Ok(exit)
}
