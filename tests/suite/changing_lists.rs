//! Lists that change while they are read: a row that moves to a page that was read already is not lost, and no visit is
//! taken for cancelled.

use std::sync::Arc;

use crate::libcal_pages::{add_filler, at_page, of_pat, one_place, page};
use crate::sandbox::{Sandbox, World};
use crate::support::{assert_says, good_sync, state_of, sync_after_outage, sync_during_outage};

/// A list of three pages, Pat's booking first on the third.
pub fn three_pages() -> Arc<Sandbox> {
    let sandbox = one_place();
    add_filler(&sandbox, 200);
    sandbox.add_booking(of_pat("cs_moves"));
    add_filler(&sandbox, 40);
    Arc::new(sandbox)
}

#[test]
fn a_row_that_moves_to_a_page_that_was_read_is_not_lost() {
    type Change = fn(&mut World);
    let changes: [(&str, Change); 4] = [
        ("a booking before it is deleted", |world| {
            world.rows.remove(50);
        }),
        ("it is moved itself", |world| {
            let row = world.rows.remove(200);
            world.rows.insert(10, row);
        }),
        ("another takes its place", |world| {
            let row = world.rows.remove(50);
            world.rows.push(row);
        }),
        ("many before it are deleted", |world| {
            world.rows.drain(..120);
        }),
    ];
    for (what, change) in changes {
        for at in ["2", "3", "4"] {
            let sandbox = three_pages();
            at_page(&sandbox, at, 1, change);
            good_sync(&sandbox);
            assert_eq!(sandbox.expected().len(), 1, "{what} at page {at}");
            good_sync(&sandbox);
            assert_eq!(sandbox.expected().len(), 1, "{what} at page {at}");
        }
    }
}

#[test]
fn a_known_visit_whose_row_moves_is_not_taken_for_cancelled() {
    let sandbox = three_pages();
    good_sync(&sandbox);
    at_page(&sandbox, "3", 1, |world| {
        world.rows.remove(50);
    });
    good_sync(&sandbox);
    assert_eq!(state_of(&sandbox, "cs_moves"), "registered");
}

#[test]
fn what_a_row_says_when_it_is_read_last_counts() {
    let sandbox = three_pages();
    // One request after the other, so that this is after the first reading of its row and before the second.
    sandbox.set_config("Network.concurrency", "1");
    at_page(&sandbox, "1", 2, |world| {
        let mut rows = world.rows.iter_mut();
        let row = rows.find(|row| row.is_of("cs_moves"));
        row.expect("it is there")
            .edit(|row| row["status"] = "Cancelled by User".into());
    });
    good_sync(&sandbox);
    assert_eq!(sandbox.expected(), []);
    assert_eq!(state_of(&sandbox, "cs_moves"), "cancelled");
}

#[test]
fn a_row_that_can_be_read_only_at_the_second_reading_is_reported_to_nobody() {
    let sandbox = three_pages();
    sandbox.set_config("Network.concurrency", "1");
    sandbox.edit_rows("cs_moves", |row| row["toDate"] = "soon".into());
    sandbox.add_booking(of_pat("cs_new").minutes(100, 160));
    let end = chrono::DateTime::from_timestamp(sandbox.now() + 5400, 0).expect("a time");
    at_page(&sandbox, "1", 2, move |world| {
        let mut rows = world.rows.iter_mut();
        let row = rows.find(|row| row.is_of("cs_moves"));
        row.expect("it is there")
            .edit(|row| row["toDate"] = end.to_rfc3339().into());
    });
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 2);
}

#[test]
fn a_second_reading_that_fails_fails_the_location_and_what_was_read_is_used() {
    let sandbox = three_pages();
    sandbox.add_booking(of_pat("cs_known").minutes(100, 160));
    good_sync(&sandbox);
    sandbox.remove_rows("cs_known");
    sandbox.add_booking(of_pat("cs_new").minutes(200, 260));
    sandbox.set_config("Network.tries", "1");
    sandbox.fault(page("3").nth(2).answer(500, "text/plain", "oh no"));
    assert_says(&sync_during_outage(&sandbox), &["Main Library (8827)"]);
    assert_eq!(state_of(&sandbox, "cs_new"), "registered");
    assert_eq!(state_of(&sandbox, "cs_known"), "registered", "not gone");
}

#[test]
fn a_list_that_changes_whenever_it_is_read_counts_as_not_read_and_its_rows_are_used() {
    let sandbox = three_pages();
    sandbox.set_config(
        "LibCal.locations",
        r#"[{"name": "Science Library", "id": 10332}, {"name": "Main Library", "id": 8827}]"#,
    );
    for (book_id, from) in [("cs_1", 100), ("cs_2", 300), ("cs_3", 500)] {
        sandbox.add_booking(of_pat(book_id).at(10332).minutes(from, from + 100));
    }
    for nth in 1..=3 {
        at_page(&sandbox, "2", nth, |world| {
            world.rows.remove(0);
        });
    }
    let said = sync_during_outage(&sandbox);
    assert_says(
        &said,
        &[
            "Main Library (8827)",
            "LibCal's list changed each time it was read (3 times)",
        ],
    );
    assert_eq!(sandbox.expected().len(), 1 + 3);
    sync_after_outage(&sandbox);
}
