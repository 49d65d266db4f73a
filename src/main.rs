//! The program: reads the command line and runs.

fn main() {}
