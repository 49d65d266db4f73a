//! The statuses of LibCal's rows: which are known, and what they mean.

/// What LibCal is known to give, beside `Cancelled` with whoever did it.
const KNOWN: [&str; 7] = [
    "Confirmed",
    "Mediated Approved",
    "Mediated Tentative",
    "Mediated Denied",
    "Mediated Pending",
    "Confirmed (Payment Pending)",
    "Booked in Outlook/Exchange",
];

/// Whether it is one of the configured ones; case and the space around it do not matter.
#[must_use]
pub fn is_accepted(status: &str, accepted: &[String]) -> bool {
    accepted
        .iter()
        .any(|one| one.trim().eq_ignore_ascii_case(status.trim()))
}

/// Whether it says that the row was cancelled or denied, and not just not approved yet.
#[must_use]
pub fn is_withdrawn(status: &str) -> bool {
    let status = status.trim().to_ascii_lowercase();
    status.starts_with("cancelled") || status == "mediated denied"
}

/// Whether LibCal is known to give it.
#[must_use]
pub fn is_known(status: &str) -> bool {
    is_withdrawn(status)
        || KNOWN
            .iter()
            .any(|known| known.eq_ignore_ascii_case(status.trim()))
}
