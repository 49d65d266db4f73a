//! A day with every kind of visit: what a dry run says of it is what the pass then does.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta};
use serde_json::Value;

use crate::dry_run::files;
use crate::sandbox::{Booking, Expected, Fault, Sandbox, Service, User};
use crate::support::{query_texts, sql, sync_needing_attention};

/// The ID of the only person with a booking of this name.
fn id_of(book_id: &str) -> String {
    book_id.replace("cs_", "g-").to_uppercase()
}

/// Bookings of one person each, an hour after the other.
fn book(sandbox: &Sandbox, book_ids: &[&str], mut from: i64) {
    for book_id in book_ids {
        let id = id_of(book_id);
        sandbox.add_user(User::new(&id).barcode(&format!("BC{id}")));
        sandbox.add_booking(Booking::new(book_id).by(&id).minutes(from, from + 50));
        from += 60;
    }
}

/// What PassagePoint does with the pre-registration of a booking.
fn on_prereg_of(sandbox: &Sandbox, book_id: &str) -> Fault {
    let world = sandbox.world();
    let start = world.rows.iter().find(|row| row.is_of(book_id));
    let start = start.map(|row| row.value["fromDate"].as_str().expect("a text").to_owned());
    let start = DateTime::parse_from_rfc3339(&start.expect("a row")).expect("RFC 3339");
    let start = start.timestamp().to_string();
    drop(world);
    let prereg = Fault::on(Service::PassagePoint).path("createPreReg");
    prereg.when(move |seen| seen.body.contains(&start))
}

fn set_end(sandbox: &Sandbox, book_id: &str, minutes: i64) {
    sandbox.edit_rows(book_id, |row| {
        let end = DateTime::parse_from_rfc3339(row["toDate"].as_str().expect("a text"));
        let end = end.expect("RFC 3339") + TimeDelta::minutes(minutes);
        row["toDate"] = end.to_rfc3339().into();
    });
}

/// A day with every kind of visit: as an earlier pass left them, changed since then, and new.
fn set_up_every_kind_of_visit() -> Sandbox {
    let sandbox = Sandbox::new();
    let before = [
        "cs_moved",
        "cs_same",
        "cs_longer",
        "cs_shorter",
        "cs_mediated",
        "cs_withdrawn",
        "cs_cancelled",
        "cs_back",
        "cs_tentative",
        "cs_doubt",
        "cs_given_up",
        "cs_gone_doubt",
        "cs_422",
    ];
    book(&sandbox, &before, 200);
    // It has begun, so that the list of any day has to have it.
    book(&sandbox, &["cs_gone"], -10);
    let outer = Booking::new("cs_outer").by("G-SAME").minutes(1200, 1260);
    sandbox.add_booking(outer);
    let inner = Booking::new("cs_inner").by("G-SAME").minutes(1210, 1240);
    sandbox.add_booking(inner);
    for book_id in ["cs_doubt", "cs_given_up", "cs_gone_doubt"] {
        sandbox.fault(on_prereg_of(&sandbox, book_id).answer_after(200, "text/plain", "?"));
    }
    sandbox.edit_rows("cs_withdrawn", |row| {
        row["status"] = "Mediated Tentative".into();
    });
    sandbox.fault(on_prereg_of(&sandbox, "cs_422").answer(422, "text/plain", "no"));
    sync_needing_attention(&sandbox);
    sandbox.clear_faults();
    sql(
        &sandbox,
        "UPDATE appts SET attempts = 3 WHERE appt_id = 'cs_given_up'",
    );
    let set_status = |book_id: &str, status: &str| {
        sandbox.edit_rows(book_id, |row| row["status"] = status.into());
    };
    set_status("cs_back", "Cancelled by User");
    // What is in doubt is to stay so.
    let quietly = sandbox.command(&["sync"]).env("RUST_LOG", "off").status();
    assert_eq!(quietly.expect("it runs").code(), Some(1));
    set_status("cs_back", "Confirmed");
    set_status("cs_cancelled", "Cancelled by Admin");
    set_status("cs_outer", "Cancelled by User");
    set_status("cs_gone_doubt", "Cancelled by User");
    set_status("cs_tentative", "Mediated Tentative");
    // Of these there is nothing to say: one is registered as before, and one never was.
    set_status("cs_mediated", "Mediated Approved");
    set_status("cs_withdrawn", "Cancelled by User");
    set_end(&sandbox, "cs_longer", 30);
    set_end(&sandbox, "cs_shorter", -30);
    sandbox.remove_rows("cs_gone");
    sandbox.remove_rows("cs_moved");
    let moved = Booking::new("cs_moved").by("G-MOVED").at(10332);
    sandbox.add_booking(moved.minutes(200, 250));
    book(&sandbox, &["cs_new", "cs_blessed", "cs_pending"], 1300);
    set_status("cs_blessed", "Blessed by the Dean");
    set_status("cs_pending", "Mediated Pending");
    let within = Booking::new("cs_within").by("g-new ").minutes(1310, 1340);
    for booking in [
        within,
        Booking::new("cs_within_old").by("G-SAME").minutes(270, 300),
        Booking::new("cs_404").by("G404").minutes(30, 90),
        Booking::new("cs_blank").by(" ").minutes(30, 90),
        Booking::new("cs_unreadable").at(10332).without("toDate"),
        Booking::new("cs_over").by("G-NEW").minutes(-90, -30),
        Booking::new("cs_never")
            .by("G-NEW")
            .minutes(30, 90)
            .cancelled(),
    ] {
        sandbox.add_booking(booking);
    }
    sandbox
}

/// What of each visit in the cache a dry run may tell: its booking, place, start and ID; then the rest.
fn appts(sandbox: &Sandbox) -> BTreeMap<String, Value> {
    let rows = query_texts(
        sandbox,
        "SELECT json_object('key', concat_ws(' ', appt_id, ifnull(lid, ''), ifnull(starts_at, ''), ifnull(primary_id, '')),
            'state', state, 'reason', reason, 'prereg_id', prereg_id, 'until', registered_ends_at,
            'may be', prereg_id IS NOT NULL OR asked_ends_at IS NOT NULL,
            'given up', reason = '\"given_up\"', 'serves', reason LIKE '%serves_another%')
         FROM appts",
    );
    rows.iter()
        .map(|row| {
            let mut row: Value = serde_json::from_str(row).expect("JSON");
            (row["key"].take().as_str().expect("a text").to_owned(), row)
        })
        .collect()
}

/// What a dry run says of each visit, by action.
fn actions(lines: &[Value]) -> BTreeMap<&str, BTreeSet<String>> {
    let mut actions: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for line in lines {
        let text = |field: &str| line[field].as_str().unwrap_or_default();
        let start = DateTime::parse_from_rfc3339(text("starts_at"));
        let start = start.map_or(String::new(), |start| start.timestamp().to_string());
        let [book_id, lid, id] = ["appt_id", "lid", "primary_id"].map(text);
        let is_new = actions
            .entry(text("action"))
            .or_default()
            .insert(format!("{book_id} {lid} {start} {id}"));
        assert!(is_new, "once is enough: {line}");
    }
    actions
}

/// What became of each visit in the cache, by the action that a dry run has for it.
fn happened(
    before: &BTreeMap<String, Value>,
    after: &BTreeMap<String, Value>,
    registered: &BTreeSet<String>,
) -> BTreeMap<&'static str, BTreeSet<String>> {
    let mut done: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (key, now) in after {
        let was = before.get(key).unwrap_or(&Value::Null);
        let is_new = |field: &str| was[field] != now[field];
        let state = now["state"].as_str().expect("a text");
        let is_shared = after
            .iter()
            .any(|(other, appt)| other != key && appt["prereg_id"] == now["prereg_id"]);
        let action = match state {
            "registered" if is_new("prereg_id") && is_shared && !registered.contains(key) => {
                "take over"
            }
            "registered" if is_new("prereg_id") || is_new("until") => "register",
            "registered" if is_new("state") => "mark registered",
            "refused" => "refuse",
            "in doubt" if now["given up"] == 1 => "refuse",
            "cancelled" | "not approved" if is_new("state") && now["may be"] == 1 => {
                let mark = if state == "cancelled" {
                    "mark cancelled"
                } else {
                    "mark not approved"
                };
                done.entry(mark).or_default().insert(key.clone());
                if now["serves"] != 1 {
                    continue;
                }
                "refuse"
            }
            _ => continue,
        };
        done.entry(action).or_default().insert(key.clone());
    }
    done
}

#[test]
fn what_a_dry_run_says_of_every_kind_of_visit_is_what_the_pass_then_does() {
    let sandbox = set_up_every_kind_of_visit();
    sandbox.forget_requests();
    let files_before = files(&sandbox);
    let dry = sandbox.run(&["--json", "sync", "--dry-run"]);
    assert_eq!(dry.code, 1, "{dry:#?}");
    assert!(
        files_before == files(&sandbox),
        "no file is made or changed"
    );
    for path in ["createVisitor", "createPreReg"] {
        assert_eq!(sandbox.count_of(Service::PassagePoint, path), 0, "{path}");
    }
    let mut lines = dry.json();
    let mut dry_summary = lines.pop().expect("a summary");
    let said = actions(&lines);

    let (before, made_before) = (appts(&sandbox), sandbox.world().in_order().len());
    let run = sandbox.run(&["--json", "sync"]);
    assert_eq!(run.code, 1, "{run:#?}");
    let mut summary = run.json().remove(0);
    for summary in [&mut summary, &mut dry_summary] {
        summary["seconds"].take();
    }
    assert_eq!(dry_summary, summary);

    // Who is expected now, and was not before.
    let made: Vec<Expected> = sandbox.world().in_order().split_off(made_before);
    let registered = lines.iter().filter(|line| line["action"] == "register");
    let told = registered.map(|line| {
        let text = |field: &str| line[field].as_str().expect("a text");
        let time = |field: &str| DateTime::parse_from_rfc3339(text(field)).expect("RFC 3339");
        let place = match text("lid") {
            "8827" => "LibCal Main",
            _ => "LibCal Science",
        };
        let (start, end) = (time("starts_at").timestamp(), time("ends_at").timestamp());
        Expected::new(&format!("BC{}", text("primary_id")), place, start, end)
    });
    assert_eq!(
        told.collect::<BTreeSet<_>>(),
        made.iter().cloned().collect()
    );
    assert_eq!(said["register"].len(), made.len());

    let done = happened(&before, &appts(&sandbox), &said["register"]);
    assert_eq!(said, done);
    let kinds: Vec<_> = said
        .iter()
        .map(|(kind, visits)| (*kind, visits.len()))
        .collect();
    let expected = [
        ("mark cancelled", 5),
        ("mark not approved", 1),
        ("mark registered", 1),
        ("refuse", 7),
        ("register", 4),
        ("take over", 2),
    ];
    assert_eq!(kinds, expected, "every kind is there");
    // And why.
    for line in lines.iter().filter(|line| line["action"] == "refuse") {
        let book_id = line["appt_id"].as_str().expect("a text");
        let found = sandbox.run(&["--json", "lookup-appt", book_id]).json();
        let mut reasons = found.iter().map(|visit| &visit["reason"]);
        assert!(reasons.any(|reason| *reason == line["reason"]), "{line}");
    }
}
