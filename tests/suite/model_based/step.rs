//! What can happen in the random world, and how often: the steps, drawn by proptest so that a failure comes with the
//! fewest that show it. What a step does is for `world`.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::faults::{Faults, any_faults};

/// What people type as their ID. The first and the second are the same ID, and so the person's whose net id is the third.
pub const TYPED: [&str; 8] = [
    "G10000001",
    " g10000001 ",
    "ada",
    "G10000002",
    "G10000003",
    "G10000004",
    "dan",
    "",
];

/// LibCal's statuses, the approved ones first.
pub const STATUSES: [&str; 5] = [
    "Confirmed",
    "Mediated Approved",
    "Mediated Tentative",
    "Cancelled by User",
    "Blessed by the Dean",
];

/// The locations, each with a destination of its own.
pub const LIDS: [i64; 2] = [8827, 10332];

/// A world: how it is configured, and what happens in it.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub concurrency: u32,
    pub tries: u32,
    pub refresh_days: i64,
    pub steps: Vec<Step>,
}

/// One thing that happens. Numbers stand for rows, people and times, as many as there are.
#[derive(Debug, Clone)]
pub enum Step {
    /// People book.
    Book(Vec<Booked>),
    /// Rows of LibCal's list change, each the so-manieth of the latest.
    Change(Vec<(usize, Change)>),
    /// Somebody's record in Alma changes.
    Person(usize, InAlma),
    /// So many passes, with that trouble, perhaps an hour between them, perhaps under a clock that is so many minutes
    /// ahead.
    Sync {
        passes: usize,
        faults: Faults,
        is_hourly: bool,
        ahead: i64,
    },
    /// A pass that is killed at its so-manieth request, or pre-registration, which the service has acted on or not.
    Kill {
        at: usize,
        is_prereg: bool,
        acted: bool,
    },
    /// Two passes at once.
    TwoSyncs,
    /// A pass that must do nothing.
    DryRun(Faults),
    /// What is past is deleted, perhaps under a clock that is so many minutes ahead.
    Prune(i64),
    /// A user is forgotten.
    PruneUser(usize),
    /// A booking is forgotten.
    PruneAppt(usize),
    /// So many minutes go by.
    Time(i64),
    /// The cache is copied.
    Backup,
    /// The copy is put back.
    Restore,
    /// The cache is lost.
    Lose,
    /// What was cancelled is taken out of PassagePoint by hand, unless the program says that it serves another booking.
    TakeOut,
    /// All is well again, an hour goes by, and two passes later everything must be right.
    Settle,
}

/// A new booking; times are in tens of minutes from the present.
#[derive(Debug, Clone)]
pub struct Booked {
    pub typed: usize,
    pub lid: usize,
    pub from: i64,
    pub length: i64,
    pub status: usize,
    /// A second row: another seat that ends so much later, or another time that begins so much later.
    pub second: Option<(bool, i64)>,
}

/// A change of a row.
#[derive(Debug, Clone)]
pub enum Change {
    Status(usize),
    Lengthen(i64),
    Shorten(i64),
    Start(i64),
    Place,
    Id(usize),
    Hide,
    Show,
}

/// A change of somebody's record in Alma.
#[derive(Debug, Clone)]
pub enum InAlma {
    Added,
    Removed,
    NewCard,
    LostCard,
}

/// Any world with about so many steps.
pub fn any_scenario(steps: usize) -> impl Strategy<Value = Scenario> {
    let settings = (select(vec![1, 1, 4]), select(vec![1, 1, 2]), 0..2_i64);
    let bookings = vec(any_booking(), 1..7).prop_map(Step::Book);
    let steps = vec(any_step(), steps / 2..steps);
    (settings, bookings, steps).prop_map(|(settings, bookings, steps)| {
        let (concurrency, tries, refresh_days) = settings;
        let steps = std::iter::once(bookings).chain(steps);
        Scenario {
            concurrency,
            tries,
            refresh_days,
            steps: steps.chain([Step::Settle]).collect(),
        }
    })
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        24 => vec(any_booking(), 1..5).prop_map(Step::Book),
        24 => vec((0..8_usize, any_change()), 1..4).prop_map(Step::Change),
        12 => (0..4_usize, any_in_alma()).prop_map(|(person, change)| Step::Person(person, change)),
        22 => any_sync(),
        3 => (1..16_usize, any::<bool>()).prop_map(|(at, acted)| {
            Step::Kill { at, is_prereg: false, acted }
        }),
        4 => (1..4_usize, any::<bool>()).prop_map(|(at, acted)| {
            Step::Kill { at, is_prereg: true, acted }
        }),
        2 => Just(Step::TwoSyncs),
        2 => any_faults().prop_map(Step::DryRun),
        2 => select(vec![0, 0, 40 * 1440]).prop_map(Step::Prune),
        1 => (0..TYPED.len() - 1).prop_map(Step::PruneUser),
        1 => (0..8_usize).prop_map(Step::PruneAppt),
        3 => prop_oneof![4 => 1..12_i64, 1 => Just(150)].prop_map(|tens| Step::Time(tens * 10)),
        1 => select(vec![Step::Backup, Step::Restore, Step::Lose]),
        3 => Just(Step::TakeOut),
        6 => Just(Step::Settle),
    ]
}

fn any_sync() -> impl Strategy<Value = Step> {
    let minutes_ahead = select(vec![120, 360, 360, 400 * 1440, -120, -1440]);
    (
        prop_oneof![2 => Just(1_usize), 1 => 2..5_usize],
        prop_oneof![1 => Just(Faults::default()), 2 => any_faults()],
        any::<bool>(),
        prop_oneof![6 => Just(0), 1 => minutes_ahead],
    )
        .prop_map(|(passes, faults, is_hourly, ahead)| Step::Sync {
            passes,
            faults,
            is_hourly,
            ahead,
        })
}

/// Few times, so that one booking often lies within another.
fn any_booking() -> impl Strategy<Value = Booked> {
    let second = prop_oneof![4 => Just(None), 1 => (any::<bool>(), -2..4_i64).prop_map(Some)];
    let typed = select(vec![0, 0, 0, 1, 2, 2, 2, 3, 3, 3, 4, 4, 5, 6, 7]);
    let status = select(vec![0, 0, 0, 0, 1, 1, 1, 2, 3, 4]);
    let (from, length) = (select(vec![-2, 0, 3, 6]), select(vec![24, 36, 48]));
    (typed, select(vec![0, 0, 1]), from, length, status, second).prop_map(
        |(typed, lid, from, length, status, second)| Booked {
            typed,
            lid,
            from,
            length,
            status,
            second,
        },
    )
}

fn any_change() -> impl Strategy<Value = Change> {
    prop_oneof![
        7 => select(vec![0, 0, 1, 2, 3, 3, 3, 3, 4]).prop_map(Change::Status),
        3 => (1..6_i64).prop_map(Change::Lengthen),
        2 => (1..6_i64).prop_map(Change::Shorten),
        2 => (-4..5_i64).prop_map(Change::Start),
        1 => Just(Change::Place),
        2 => (0..TYPED.len()).prop_map(Change::Id),
        1 => Just(Change::Hide),
        2 => Just(Change::Show),
    ]
}

fn any_in_alma() -> impl Strategy<Value = InAlma> {
    select(vec![
        InAlma::Added,
        InAlma::Added,
        InAlma::Removed,
        InAlma::NewCard,
        InAlma::NewCard,
        InAlma::NewCard,
        InAlma::LostCard,
    ])
}
