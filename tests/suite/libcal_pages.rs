//! LibCal's lists of more than one page, and what goes wrong between the pages.

use crate::sandbox::{Booking, Fault, Sandbox, Seen, Service, User};
use crate::support::{assert_right, good_sync, one_json, outage, recovered_sync};

/// One location, one user, nobody's booking yet.
fn one_place() -> Sandbox {
    Sandbox::new()
        .config(
            "LibCal.locations",
            r#"[{"name": "Main Library", "id": 8827}]"#,
        )
        .user(User::new("G10000001").barcode("21000001"))
}

/// Rows that fill a list and make no visit.
fn add_filler(sandbox: &Sandbox, number: usize) {
    for n in 0..number {
        sandbox.add_booking(Booking::new(&format!("cs_no_{n}")).status("Mediated Tentative"));
    }
}

fn of_pat(book_id: &str) -> Booking {
    Booking::new(book_id).by("G10000001")
}

/// The pages that were asked for, in order.
fn pages(sandbox: &Sandbox) -> Vec<String> {
    let requests = sandbox.requests().into_iter();
    let page = |seen: Seen| seen.parameter("page").map(str::to_owned);
    requests.filter_map(page).collect()
}

/// Runs a pass in which all is well, and returns how many rows it read.
fn rows_read(sandbox: &Sandbox) -> u64 {
    let run = sandbox.run(&["--json", "sync"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_right(sandbox);
    one_json(&run)["rows"].as_u64().expect("a number of rows")
}

#[test]
fn a_page_shorter_than_a_hundred_rows_is_the_last() {
    let lists = [
        (1, 1),
        (99, 1),
        (100, 2),
        (101, 2),
        (199, 2),
        (200, 3),
        (250, 3),
    ];
    for (rows, last_page) in lists {
        let sandbox = one_place();
        add_filler(&sandbox, rows - 1);
        sandbox.add_booking(of_pat("cs_last"));
        assert_eq!(rows_read(&sandbox), rows as u64);
        let asked: Vec<_> = (1..=last_page).map(|page| page.to_string()).collect();
        assert_eq!(pages(&sandbox), asked, "{rows} rows");
        assert_eq!(sandbox.expected().len(), 1, "the last of {rows} rows");
    }
}

#[test]
fn an_empty_list_is_a_quiet_day() {
    let sandbox = one_place();
    assert_eq!(rows_read(&sandbox), 0);
    assert_eq!(pages(&sandbox), ["1"]);
}

#[test]
fn an_older_system_that_gives_no_more_than_a_hundred_rows_is_read_to_the_end() {
    let sandbox = one_place();
    sandbox.world().limit_cap = 100;
    add_filler(&sandbox, 120);
    sandbox.add_booking(of_pat("cs_last"));
    assert_eq!(rows_read(&sandbox), 121);
    assert_eq!(sandbox.expected().len(), 1);
}

#[test]
fn a_page_that_repeats_ends_the_list() {
    let sandbox = one_place();
    sandbox.world().ignores_page = true;
    add_filler(&sandbox, 99);
    sandbox.add_booking(of_pat("cs_1"));
    assert_eq!(rows_read(&sandbox), 100);
    assert_eq!(pages(&sandbox), ["1", "2"]);
    assert_eq!(sandbox.expected().len(), 1);
}

#[test]
fn rows_that_come_on_two_pages_count_once() {
    let sandbox = one_place();
    add_filler(&sandbox, 90);
    for n in 0..10 {
        sandbox.add_booking(of_pat("cs_1").seat(n));
    }
    // Ten rows were put in front of the list between the two pages.
    let repeated: Vec<_> = {
        let world = sandbox.world();
        world.rows[90..]
            .iter()
            .map(|row| row.value.clone())
            .collect()
    };
    for row in repeated {
        sandbox.world().add_row(8827, row);
    }
    sandbox.add_booking(of_pat("cs_2").minutes(100, 160));
    assert_eq!(rows_read(&sandbox), 101);
    assert_eq!(pages(&sandbox), ["1", "2"]);
    let expected = [
        sandbox.visit("21000001", "LibCal Main", 30, 90),
        sandbox.visit("21000001", "LibCal Main", 100, 160),
    ];
    assert_eq!(sandbox.expected(), expected);
}

#[test]
fn a_full_page_of_which_one_row_is_new_does_not_end_the_list() {
    let sandbox = one_place();
    add_filler(&sandbox, 100);
    let repeated = sandbox.world().rows[0].value.clone();
    for _ in 0..99 {
        sandbox.world().add_row(8827, repeated.clone());
    }
    add_filler(&sandbox, 1);
    sandbox.add_booking(of_pat("cs_last"));
    assert_eq!(rows_read(&sandbox), 102);
    assert_eq!(pages(&sandbox), ["1", "2", "3"]);
    assert_eq!(sandbox.expected().len(), 1);
}

#[test]
fn the_order_of_the_list_does_not_matter() {
    let sandbox = one_place();
    sandbox.add_booking(of_pat("cs_1").seat(1));
    sandbox.add_booking(of_pat("cs_2").minutes(200, 260));
    add_filler(&sandbox, 120);
    sandbox.add_booking(of_pat("cs_1").seat(2).minutes(30, 120));
    sandbox.world().reversed = true;
    assert_eq!(rows_read(&sandbox), 123);
    let expected = [
        sandbox.visit("21000001", "LibCal Main", 30, 120),
        sandbox.visit("21000001", "LibCal Main", 200, 260),
    ];
    assert_eq!(sandbox.expected(), expected);

    sandbox.world().reversed = false;
    good_sync(&sandbox);
    assert_eq!(sandbox.expected(), expected);
}

#[test]
fn a_page_that_fails_keeps_what_the_pages_before_it_brought() {
    let answers = [
        (500, "text/html", "<h1>Oh no</h1>"),
        (400, "text/plain", "no such page"),
        (200, "application/json", "null"),
        (401, "text/plain", "Unauthorized"),
    ];
    for (status, content_type, body) in answers {
        let sandbox = one_place().config("Network.tries", "1");
        sandbox.add_booking(of_pat("cs_1"));
        add_filler(&sandbox, 120);
        sandbox.add_booking(of_pat("cs_2").minutes(100, 160));
        let second_page = |seen: &Seen| seen.parameter("page") == Some("2");
        sandbox.fault(Fault::on(Service::LibCal).when(second_page).answer(
            status,
            content_type,
            body,
        ));
        outage(&sandbox, &["LibCal", "Main Library (8827)"]);
        let first = sandbox.visit("21000001", "LibCal Main", 30, 90);
        assert_eq!(sandbox.expected(), [first], "{status} {body}");

        sandbox.clear_faults();
        recovered_sync(&sandbox);
        assert_eq!(sandbox.expected().len(), 2, "{status} {body}");
    }
}
