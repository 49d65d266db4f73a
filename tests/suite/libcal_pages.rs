//! LibCal's lists of more than one page, and what goes wrong between the pages.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::sandbox::{Booking, Fault, ReceivedRequest, Sandbox, Service, User, World};
use crate::support::{
    assert_no_complaints, assert_outage, good_sync, single_json, sync_after_outage,
};

/// One location, one user, nobody's booking yet.
pub fn one_place() -> Sandbox {
    Sandbox::new()
        .config(
            "LibCal.locations",
            r#"[{"name": "Main Library", "id": 8827}]"#,
        )
        .user(User::new("G10000001").barcode("21000001"))
}

/// Rows that fill a list and make no visit.
pub fn add_filler(sandbox: &Sandbox, number: usize) {
    for n in 0..number {
        sandbox.add_booking(Booking::new(&format!("cs_no_{n}")).status("Mediated Tentative"));
    }
}

pub fn of_pat(book_id: &str) -> Booking {
    Booking::new(book_id).by("G10000001")
}

/// The pages that were asked for, sorted.
fn pages(sandbox: &Sandbox) -> Vec<u32> {
    let requests = sandbox.requests().into_iter();
    let page = |seen: ReceivedRequest| seen.parameter("page")?.parse().ok();
    let mut pages: Vec<_> = requests.filter_map(page).collect();
    pages.sort_unstable();
    pages
}

/// The pages that are asked for when there is nothing new, sorted: each once.
fn pages_of_a_quiet_pass(sandbox: &Sandbox) -> Vec<u32> {
    sandbox.forget_requests();
    good_sync(sandbox);
    let pages = pages(sandbox);
    assert!(pages.is_sorted_by(|a, b| a < b), "{pages:?}");
    pages
}

pub fn page(number: &'static str) -> Fault {
    Fault::on(Service::LibCal).when(move |seen| seen.parameter("page") == Some(number))
}

/// Changes the world when the n-th request for that page comes, before it is answered.
pub fn at_page(
    sandbox: &Arc<Sandbox>,
    number: &'static str,
    nth: usize,
    change: impl FnOnce(&mut World) + Send + 'static,
) {
    let world = Arc::clone(sandbox);
    sandbox.on_request(page(number).nth(nth), true, move || {
        change(&mut world.world());
    });
}

/// Runs a pass in which all is well, and returns how many rows it read.
fn rows_read(sandbox: &Sandbox) -> u64 {
    let run = sandbox.run(&["--json", "sync"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_no_complaints(sandbox);
    single_json(&run)["rows"]
        .as_u64()
        .expect("a number of rows")
}

#[test]
fn a_page_shorter_than_a_hundred_rows_is_the_last() {
    // How many pages it takes to see the end, and how many may be asked for at the most.
    let lists = [
        (1, 1, 1),
        (99, 1, 1),
        (100, 2, 2),
        (101, 2, 2),
        (199, 2, 2),
        (200, 3, 6),
        (250, 3, 6),
    ];
    for (rows, needed, most) in lists {
        let sandbox = one_place();
        add_filler(&sandbox, rows - 1);
        sandbox.add_booking(of_pat("cs_last"));
        assert_eq!(rows_read(&sandbox), rows as u64);
        assert_eq!(sandbox.expected().len(), 1, "the last of {rows} rows");
        let asked = pages_of_a_quiet_pass(&sandbox);
        let in_order: Vec<_> = (1..).take(asked.len()).collect();
        assert_eq!(asked, in_order, "{rows} rows: each once");
        let number = asked.len();
        assert!((needed..=most).contains(&number), "{rows} rows: {asked:?}");
    }
}

#[test]
fn a_long_list_is_read_to_its_end_with_no_more_than_twice_as_many_requests_as_it_has_pages() {
    for rows in [350, 700, 1350, 2000] {
        // Of full pages alone, an empty one shows the end.
        let pages = rows / 100 + 1;
        let sandbox = one_place();
        add_filler(&sandbox, rows - 1);
        sandbox.add_booking(of_pat("cs_last"));
        assert_eq!(rows_read(&sandbox), rows as u64);
        assert_eq!(sandbox.expected().len(), 1, "the last of {rows} rows");
        let asked = pages_of_a_quiet_pass(&sandbox).len();
        assert!(asked <= 2 * pages, "{asked} requests for {rows} rows");
    }
}

#[test]
fn pages_of_one_list_are_asked_for_at_once() {
    let sandbox = one_place().config("Network.timeout_seconds", "60");
    add_filler(&sandbox, 350);
    let (asked, wait) = channel();
    let (tell, told) = channel();
    sandbox.on_request(page("4").nth(1), true, move || {
        asked.send(()).expect("the test goes on");
    });
    // The third page is answered when the fourth is asked for.
    sandbox.on_request(page("3").nth(1), true, move || {
        let meanwhile = wait.recv_timeout(Duration::from_secs(10));
        tell.send(meanwhile).expect("the test goes on");
    });
    good_sync(&sandbox);
    assert_eq!(told.try_recv(), Ok(Ok(())));
}

#[test]
fn a_system_that_gives_shorter_pages_than_asked_for_is_read_to_the_end() {
    for (cap, rows) in [
        (20, 250),
        (25, 26),
        (50, 50),
        (50, 51),
        (50, 480),
        (100, 250),
    ] {
        let sandbox = one_place();
        sandbox.world().page_cap = cap;
        add_filler(&sandbox, rows - 1);
        sandbox.add_booking(of_pat("cs_last"));
        assert_eq!(rows_read(&sandbox), rows as u64, "{cap}");
        assert_eq!(
            sandbox.expected().len(),
            1,
            "the last of {rows} rows, {cap} a page"
        );
        let asked = pages_of_a_quiet_pass(&sandbox).len();
        let pages = rows.div_ceil(cap).max(rows / cap + 1);
        assert!(asked <= 2 * pages, "{asked} requests for {pages} pages");
    }
}

#[test]
fn a_list_of_one_page_is_read_once_whatever_is_new_in_it() {
    let sandbox = one_place().booking(of_pat("cs_1"));
    good_sync(&sandbox);
    assert_eq!(pages(&sandbox), [1]);
}

#[test]
fn an_empty_list_is_a_quiet_day() {
    let sandbox = one_place();
    assert_eq!(rows_read(&sandbox), 0);
    assert_eq!(pages(&sandbox), [1]);
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
    assert_eq!(pages(&sandbox), [1, 2]);
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
        let second_page = |seen: &ReceivedRequest| seen.parameter("page") == Some("2");
        sandbox.fault(Fault::on(Service::LibCal).when(second_page).answer(
            status,
            content_type,
            body,
        ));
        assert_outage(&sandbox, &["LibCal", "Main Library (8827)"]);
        let first = sandbox.visit("21000001", "LibCal Main", 30, 90);
        assert_eq!(sandbox.expected(), [first], "{status} {body}");

        sandbox.clear_faults();
        sync_after_outage(&sandbox);
        assert_eq!(sandbox.expected().len(), 2, "{status} {body}");
    }
}
