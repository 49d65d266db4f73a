//! How an appointment is shown, by either look-up.

use serde::Serialize;

use crate::known::Appt;
use crate::output::{rfc3339, span};

/// An appointment for a program: ids are texts, times RFC 3339.
#[derive(Serialize)]
pub(super) struct ApptJson<'a> {
    appt_id: &'a str,
    primary_id: Option<&'a str>,
    lid: Option<String>,
    starts_at: Option<String>,
    ends_at: Option<String>,
    prereg_id: Option<&'a str>,
    state: String,
}

/// An appointment for a program.
pub(super) fn to_json(appt: &Appt) -> ApptJson<'_> {
    let slot = appt.slot.as_ref();
    ApptJson {
        appt_id: &appt.appt_id,
        primary_id: slot.map(|slot| slot.primary_id.as_str()),
        lid: slot.map(|slot| slot.lid.to_string()),
        starts_at: slot.map(|slot| rfc3339(slot.starts_at)),
        ends_at: slot.map(|slot| rfc3339(slot.ends_at)),
        prereg_id: appt.prereg_id.as_deref(),
        state: appt.state().to_string(),
    }
}

/// An appointment for a person, in one line.
pub(super) fn to_line(appt: &Appt) -> String {
    let prereg = appt
        .prereg_id
        .as_deref()
        .map_or(String::new(), |id| format!("  pre-registration {id}"));
    let Some(slot) = &appt.slot else {
        return format!(
            "{}  taken over from the Python program, for any visit of the booking  {}{prereg}",
            appt.appt_id,
            appt.state()
        );
    };
    format!(
        "{}  {}  location {}  {}  {}{prereg}",
        appt.appt_id,
        slot.primary_id,
        slot.lid,
        span(slot.starts_at, slot.ends_at),
        appt.state()
    )
}
