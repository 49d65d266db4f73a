//! Makes PassagePoint expect the people who booked seats and rooms in LibCal.

pub mod alma;
pub mod cache;
pub mod config;
pub mod http;
pub mod json;
pub mod known;
pub mod libcal;
pub mod pace;
pub mod passagepoint;
pub mod plan;
pub mod report;
pub mod token;
