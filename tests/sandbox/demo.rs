//! A small library day, shown.

fn main() {}
