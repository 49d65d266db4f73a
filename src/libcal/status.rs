//! The statuses of LibCal's rows: which ones are known, and what they mean.

/// The statuses that LibCal is known to use, besides those of withdrawn rows.
const KNOWN: [&str; 6] = [
    "Confirmed",
    "Mediated Approved",
    "Mediated Tentative",
    "Mediated Pending",
    "Confirmed (Payment Pending)",
    "Booked in Outlook/Exchange",
];

/// Whether two statuses are the same; case and surrounding space do not matter.
#[must_use]
pub fn is_same(one: &str, other: &str) -> bool {
    one.trim().eq_ignore_ascii_case(other.trim())
}

/// Whether a status is one of the configured ones.
#[must_use]
pub fn is_accepted(status: &str, accepted: &[String]) -> bool {
    accepted.iter().any(|one| is_same(one, status))
}

/// Whether a status says that the row was cancelled or denied, and not merely not approved yet.
#[must_use]
pub fn is_withdrawn(status: &str) -> bool {
    let status = status.trim().to_ascii_lowercase();
    status.starts_with("cancelled") || status == "mediated denied"
}

/// Whether LibCal is known to use a status.
#[must_use]
pub fn is_known(status: &str) -> bool {
    is_withdrawn(status) || KNOWN.iter().any(|known| is_same(known, status))
}
