//! Which reasons were last reported to a person, and when.

use chrono::{DateTime, Utc};

use super::{REPORT_INTERVAL, Reason, has_elapsed};

/// The last report of a reason to a person, with those before it: reasons that alternate are not
/// reported each time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastReport {
    /// The reason.
    pub reason: Reason,
    /// When it was last reported.
    pub at: DateTime<Utc>,
    /// Other reasons that were reported before it, and are not to be reported again yet.
    earlier: Vec<(Reason, DateTime<Utc>)>,
}

impl LastReport {
    /// The report of a reason now, after those before it.
    #[must_use]
    pub fn after(previous: Option<Self>, reason: Reason, now: DateTime<Utc>) -> Self {
        let mut earlier = Vec::new();
        if let Some(previous) = previous {
            earlier = previous.earlier;
            earlier.push((previous.reason, previous.at));
        }
        earlier.retain(|(one, at)| *one != reason && !has_elapsed(*at, now, REPORT_INTERVAL));
        Self {
            reason,
            at: now,
            earlier,
        }
    }

    /// When that reason was last reported, if it was.
    #[must_use]
    pub fn reported_at(report: Option<&Self>, reason: Option<&Reason>) -> Option<DateTime<Utc>> {
        let (report, reason) = report.zip(reason)?;
        let earlier = report.earlier.iter().map(|(reason, at)| (reason, *at));
        let mut all = earlier.chain([(&report.reason, report.at)]);
        all.find(|(one, _)| *one == reason).map(|(_, at)| at)
    }

    /// Forgets the reports that the outcome of an attempt is unknown.
    #[must_use]
    pub fn without_unknown_outcomes(self) -> Option<Self> {
        let mut all = self.earlier;
        all.push((self.reason, self.at));
        all.retain(|(reason, _)| !reason.is_doubt());
        let (reason, at) = all.pop()?;
        Some(Self {
            reason,
            at,
            earlier: all,
        })
    }

    /// The form that the cache keeps beside the time: the reason's code, or a JSON array of that and
    /// of the earlier ones, each with its Unix time.
    #[must_use]
    pub fn to_code(&self) -> String {
        if self.earlier.is_empty() {
            return self.reason.to_code();
        }
        let earlier = self.earlier.iter();
        let earlier: Vec<_> = earlier
            .map(|(reason, at)| (reason, at.timestamp()))
            .collect();
        serde_json::to_string(&(&self.reason, earlier)).unwrap_or_default()
    }

    /// Reads the form that the cache keeps.
    #[must_use]
    pub fn from_code(code: &str, at: DateTime<Utc>) -> Self {
        let all: Result<(Reason, Vec<(Reason, i64)>), _> = serde_json::from_str(code);
        let (reason, earlier) = all.unwrap_or_else(|_| (Reason::from_code(code), Vec::new()));
        let earlier = earlier
            .into_iter()
            .filter_map(|(reason, seconds)| Some((reason, DateTime::from_timestamp(seconds, 0)?)));
        Self {
            reason,
            at,
            earlier: earlier.collect(),
        }
    }
}
