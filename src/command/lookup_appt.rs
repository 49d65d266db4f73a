//! `lookup-appt`: what the cache knows of bookings.

use anyhow::Result;

use super::Exit;
use super::view::{self, Lookup};
use crate::cli::{Cli, LookupAppt};
use crate::model::BookingId;
use crate::output::print_json;

pub(super) fn run(cli: &Cli, args: &LookupAppt) -> Result<Exit> {
    let lookup = Lookup::open(cli)?;
    let mut exit = Exit::Done;
    let mut lines = Vec::new();
    for booking_id in &args.book_ids {
        let appts = lookup
            .cache
            .appts_of_booking(&BookingId(booking_id.clone()))?;
        if appts.is_empty() {
            lookup.not_found(&format!("the booking {booking_id}"));
            exit = Exit::AttentionNeeded;
        }
        if cli.json {
            print_json(appts.iter().map(view::to_json))?;
            continue;
        }
        for appt in &appts {
            lines.extend(view::to_lines(appt, &lookup.location_names, lookup.now));
            lines.push(String::new());
        }
    }
    lookup.print(lines)?;
    Ok(exit)
}
