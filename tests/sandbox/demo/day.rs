//! The day's people and bookings, how they change, and who should then be expected at the doors.

use chrono::{DateTime, FixedOffset, TimeDelta};
use serde_json::Value;

use crate::sandbox::{Booking, Expected, Sandbox, User};

/// Someone of the day.
pub struct Person {
    /// The primary ID.
    pub id: &'static str,
    barcode: &'static str,
    first_name: &'static str,
    last_name: &'static str,
}

const fn person(
    id: &'static str,
    barcode: &'static str,
    first_name: &'static str,
    last_name: &'static str,
) -> Person {
    Person {
        id,
        barcode,
        first_name,
        last_name,
    }
}

/// Books three seats at once.
pub const ADA: Person = person("G10000001", "21000001", "Ada", "Example");
/// Books a room for two times; is in Alma's second institution zone.
pub const BEN: Person = person("H20000002", "32000002", "Ben", "Sample");
/// Books a seat every week, and types the primary ID their own way.
pub const CLEO: Person = person("G10000003", "21000003", "Cleo", "Example");
/// Cancels before the first pass.
pub const DAN: Person = person("G10000004", "21000004", "Dan", "Sample");
/// Has lost the card, and gets another one.
pub const EVE: Person = person("G10000005", "21000055", "Eve", "Example");
/// Is not in Alma.
pub const FIN: Person = person("G10000006", "", "Fin", "Sample");
/// Was here before the first pass.
pub const GIL: Person = person("G10000007", "21000007", "Gil", "Example");
/// Waits for the booking to be approved.
pub const HAL: Person = person("G10000008", "21000008", "Hal", "Sample");

/// Locations: LibCal's id and PassagePoint's destination.
type Place = (i64, &'static str);
const MAIN: Place = (8827, "LibCal Main");
const SCIENCE: Place = (10332, "LibCal Science");

const HOUR: i64 = 3600;
const WEEK: i64 = 7 * 24;

/// A library day, told in hours from the beginning of the present one. What is not over yet ends in two hours
/// at the earliest, so that it is not over either when the demo ends.
pub struct Day<'a> {
    sandbox: &'a Sandbox,
    /// The beginning of the present hour, in Unix seconds.
    hour: i64,
}

impl<'a> Day<'a> {
    /// The day as the first pass finds it.
    pub fn begin(sandbox: &'a Sandbox) -> Self {
        // One person at a time, so that the lines come in the same order every time.
        sandbox.set_config("Network.concurrency", "1");
        sandbox.set_config("LibCal.days", "7");
        {
            let mut world = sandbox.world();
            world.zone = zone_at_noon(world.now);
            world.every_day = false;
        }
        for person in [ADA, CLEO, DAN, GIL, HAL] {
            sandbox.add_user(user(&person).barcode(person.barcode));
        }
        let ben = user(&BEN).zone(1).group("gw staff");
        sandbox.add_user(ben.barcode(BEN.barcode));
        sandbox.add_user(user(&EVE).inactive_barcode("21000005"));
        let hour = sandbox.now() / HOUR * HOUR;
        let day = Self { sandbox, hour };
        day.bookings()
            .into_iter()
            .for_each(|booking| sandbox.add_booking(booking));
        day
    }

    fn bookings(&self) -> [Booking; 13] {
        let seat = |id| self.booking("cs_Seats", &ADA, MAIN, 1, 3).seat(id);
        let weekly = |week| {
            let booking = self.booking("cs_Weekly", &CLEO, MAIN, week + 2, week + 4);
            booking.by(" g10000003 ")
        };
        let hal = self.booking("cs_Approve", &HAL, MAIN, 3, 6);
        [
            seat(11),
            seat(12),
            seat(13),
            self.booking("cs_Twice", &BEN, SCIENCE, 1, 3),
            self.booking("cs_Twice", &BEN, SCIENCE, 5, 7),
            weekly(0),
            weekly(WEEK),
            self.booking("cs_Dropped", &DAN, MAIN, 1, 4).cancelled(),
            self.booking("cs_NoCard", &EVE, SCIENCE, 0, 4),
            self.booking("cs_Stranger", &FIN, MAIN, 1, 3),
            self.booking("cs_Blank", &FIN, MAIN, 1, 3).by("  "),
            self.booking("cs_Over", &GIL, MAIN, -2, -1),
            hal.status("Mediated Tentative"),
        ]
    }

    /// Who is expected after the first pass, sorted as [`Sandbox::expected`] has it.
    pub fn first(&self) -> Vec<Expected> {
        sorted(vec![
            self.visit(&ADA, MAIN, 1, 3),
            self.visit(&BEN, SCIENCE, 1, 3),
            self.visit(&BEN, SCIENCE, 5, 7),
            self.visit(&CLEO, MAIN, 2, 4),
            self.visit(&CLEO, MAIN, WEEK + 2, WEEK + 4),
        ])
    }

    /// A visit gets longer, one of two is cancelled, a booking is approved, and somebody gets a card.
    pub fn change(&self) {
        self.lengthen("cs_Seats");
        let second = self.hour + 5 * HOUR;
        self.sandbox.edit_rows("cs_Twice", |row| {
            if time(row, "fromDate").timestamp() == second {
                row["status"] = "Cancelled by User".into();
            }
        });
        self.sandbox.edit_rows("cs_Approve", |row| {
            row["status"] = "Mediated Approved".into();
        });
        self.sandbox.edit_user(EVE.id, |eve| {
            *eve = eve.clone().barcode(EVE.barcode);
        });
    }

    /// Who is expected after the pass that follows: everybody from before, and three more.
    pub fn changed(&self) -> Vec<Expected> {
        let mut expected = self.first();
        expected.extend([
            self.visit(&ADA, MAIN, 1, 4),
            self.visit(&EVE, SCIENCE, 0, 4),
            self.visit(&HAL, MAIN, 3, 6),
        ]);
        sorted(expected)
    }

    /// Two more changes, which no pass carries out.
    pub fn change_again(&self) {
        self.lengthen("cs_Approve");
        let booking = self.booking("cs_New", &ADA, SCIENCE, 5, 6);
        self.sandbox.add_booking(booking);
    }

    fn lengthen(&self, book_id: &str) {
        self.sandbox.edit_rows(book_id, |row| {
            let later = time(row, "toDate") + TimeDelta::hours(1);
            row["toDate"] = later.to_rfc3339().into();
        });
    }

    fn booking(&self, book_id: &str, who: &Person, place: Place, from: i64, to: i64) -> Booking {
        let email = format!("{}@example.edu", who.first_name.to_lowercase());
        Booking::new(book_id)
            .by(who.id)
            .person(who.first_name, who.last_name, &email)
            .at(place.0)
            .times(self.hour + from * HOUR, self.hour + to * HOUR)
    }

    fn visit(&self, who: &Person, place: Place, from: i64, to: i64) -> Expected {
        Expected::new(
            who.barcode,
            place.1,
            self.hour + from * HOUR,
            self.hour + to * HOUR,
        )
    }
}

/// A time zone in which it is about noon, so that all that is for today is on one day, whenever the demo is run.
fn zone_at_noon(now: i64) -> FixedOffset {
    let hour_of_day = now.rem_euclid(24 * HOUR) / HOUR;
    let seconds = (12 - hour_of_day) * HOUR;
    let seconds = i32::try_from(seconds).expect("half a day at most");
    FixedOffset::east_opt(seconds).expect("half a day is an offset")
}

fn user(who: &Person) -> User {
    User::new(who.id).name(who.first_name, who.last_name)
}

fn time(row: &Value, field: &str) -> DateTime<FixedOffset> {
    let text = row[field].as_str().unwrap_or_default();
    DateTime::parse_from_rfc3339(text).expect("the demo's rows have times")
}

fn sorted(mut expected: Vec<Expected>) -> Vec<Expected> {
    expected.sort();
    expected
}
