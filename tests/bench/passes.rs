//! How long the program takes, beside what the services force it to take: `cargo bench`.
//!
//! The real program runs against the sandbox, whose answers come as late as is said. Each scene gives figures, and
//! the table at the end puts them beside their limits. Nothing here fails for being slow; that is for the reader.

#[path = "../sandbox/mod.rs"]
mod sandbox;
mod scenes;
mod table;

use crate::table::Table;

fn main() {
    // `cargo test --benches` runs this too, and is no time to measure anything.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let mut table = Table::default();
    scenes::first_pass(&mut table);
    scenes::nothing_new(&mut table);
    scenes::many_bookings(&mut table);
    scenes::large_cache(&mut table);
    scenes::binary(&mut table);
    table.print();
}
