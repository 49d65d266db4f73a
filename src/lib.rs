//! Makes PassagePoint expect the people who booked seats and rooms in LibCal.

pub mod alma;
pub mod config;
pub mod http;
pub mod json;
pub mod libcal;
pub mod pace;
pub mod passagepoint;
pub mod token;
