//! Makes PassagePoint expect the people who booked seats and rooms in LibCal.

pub mod config;
