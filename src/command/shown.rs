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

/// Appointments for a person: a line each, in columns, with times by this machine's clock.
pub(super) fn to_lines(appts: &[Appt]) -> Vec<String> {
    let rows: Vec<_> = appts.iter().map(cells).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let line = |row: &[String; COLUMNS]| {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let width = width(column).unwrap_or_default();
            format!("{cell:width$}")
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

const COLUMNS: usize = 6;

fn cells(appt: &Appt) -> [String; COLUMNS] {
    let prereg = appt.prereg_id.as_deref();
    let prereg = prereg.map_or(String::new(), |id| format!("pre-registration {id}"));
    let (person, place, time) = match &appt.slot {
        Some(slot) => (
            slot.primary_id.clone(),
            format!("location {}", slot.lid),
            span(slot.starts_at, slot.ends_at),
        ),
        None => (
            "anybody".into(),
            "anywhere".into(),
            "at any time (taken over from the Python program)".into(),
        ),
    };
    let state = appt.state().to_string();
    [appt.appt_id.clone(), person, place, time, state, prereg]
}
