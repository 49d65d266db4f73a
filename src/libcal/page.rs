//! One page of a list, and what tells whether two readings of a list found the same rows on the
//! same pages.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::row::{Row, RowId, UnreadableRow};

/// A page as it was received.
#[derive(Debug)]
pub struct Page {
    /// Its rows, in their order.
    pub(super) rows: Vec<RowEntry>,
    /// How long it was, in bytes.
    pub(super) bytes: usize,
}

pub(super) type RowEntry = (RowId, Result<Row, UnreadableRow>);

/// The number of a page's rows and a hash of their identities: whether two readings of the page
/// found the same rows, in whatever order.
pub(super) type Fingerprint = (usize, u64);

/// The fingerprints of the pages of a list that was read to its end, to compare with another reading.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct PageFingerprints(pub(super) Vec<Fingerprint>);

impl PageFingerprints {
    /// How many pages there are, including the one that showed the end.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether a row can be lost by moving from one page to another: not if there is only one page,
    /// or the same one again and again.
    #[must_use]
    pub fn can_lose_rows(&self) -> bool {
        self.0.first() != self.0.get(1) && self.count() > 1
    }
}

impl Page {
    pub(super) fn fingerprint(&self) -> Fingerprint {
        let hash = |id: &RowId| {
            let mut hasher = DefaultHasher::new();
            id.hash(&mut hasher);
            hasher.finish()
        };
        let hashes = self.rows.iter().map(|(id, _)| hash(id));
        (self.rows.len(), hashes.fold(0, u64::wrapping_add))
    }
}
