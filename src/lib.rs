//! Makes PassagePoint expect the people who booked seats and rooms in LibCal.

pub mod config;
pub mod http;
pub mod json;
pub mod pace;
pub mod token;
