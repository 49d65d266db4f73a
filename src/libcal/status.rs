//! The statuses of LibCal's rows: which are known, and what they mean.

/// What LibCal is known to give, beside those of what is withdrawn.
const KNOWN: [&str; 6] = [
    "Confirmed",
    "Mediated Approved",
    "Mediated Tentative",
    "Mediated Pending",
    "Confirmed (Payment Pending)",
    "Booked in Outlook/Exchange",
];

/// Whether two are the same; case and the space around them do not matter.
#[must_use]
pub fn is_same(one: &str, other: &str) -> bool {
    one.trim().eq_ignore_ascii_case(other.trim())
}

/// Whether it is one of the configured ones.
#[must_use]
pub fn is_accepted(status: &str, accepted: &[String]) -> bool {
    accepted.iter().any(|one| is_same(one, status))
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
    is_withdrawn(status) || KNOWN.iter().any(|known| is_same(known, status))
}
