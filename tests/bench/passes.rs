//! How long the program takes, beside what the services force it to take: `cargo bench`, or `cargo bench -- SCENE`.
//!
//! The real program runs against the sandbox, whose answers come as late as is said. Each scene gives figures, and
//! the table at the end puts them beside their limits. Nothing here fails for being slow; that is for the reader.

#[path = "../sandbox/mod.rs"]
mod sandbox;
mod scenes;
mod table;

use crate::table::Table;

type Scene = fn(&mut Table);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` runs this too, and is no time to measure anything.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let scenes: [(&str, Scene); 7] = [
        ("first_pass", scenes::first_pass),
        ("first_pass_tls", scenes::first_pass_tls),
        ("nothing_new", scenes::nothing_new),
        ("long_list", scenes::long_list),
        ("many_bookings", scenes::many_bookings),
        ("large_cache", scenes::large_cache),
        ("binary", scenes::binary),
    ];
    let names: Vec<_> = arguments
        .iter()
        .filter(|name| !name.starts_with('-'))
        .collect();
    let mut table = Table::default();
    for (name, measure) in scenes {
        if names.is_empty() || names.iter().any(|wanted| *wanted == name) {
            measure(&mut table);
        }
    }
    table.print();
}
