//! The end that the random world must reach once all is well again: who is expected, and what the desk is told.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::Value;

use super::faults::Faults;
use super::oracle::{Check, bookings_in, person_of};
use super::rows::{Approval, Key, serves};
use super::step::TYPED;
use super::world::World;
use crate::sandbox::Service;

/// A visit as a look-up shows it.
#[derive(Debug, Clone, PartialEq)]
struct DeskAnswer {
    state: String,
    reason: String,
    prereg: Option<String>,
    ends_at: i64,
}

type Desk = BTreeMap<Key, DeskAnswer>;

impl World {
    /// All is well, and refusals are an hour old: two passes later every approved visit stands, the look-ups say what
    /// is the matter with the others, and a third pass finds nothing to do.
    pub fn settle(&mut self) -> Check {
        self.sandbox.pass_time(70);
        // What was refused under a clock that ran ahead is no hour old when the right one has just come so far.
        let since = self.sandbox.clock() - self.ahead_until;
        if (0..=3600).contains(&since) {
            self.sandbox.pass_time(70);
        }
        let calm = Faults::default();
        self.sync(&calm)?;
        self.forget_given_up()?;
        self.sync(&calm)?;
        self.check_quiet()?;
        let desk = self.look_up_bookings()?;
        self.check_visits(&desk)?;
        self.check_users(&desk)?;
        self.check_status(&desk)?;
        self.ledger.settle(self.sandbox.clock());
        self.delete_preregs()
    }

    /// Somebody takes out of PassagePoint what was cancelled, as far as the program does not say to leave it there.
    pub fn delete_preregs(&mut self) -> Check {
        if !self.sandbox.path("cache.db").exists() {
            return Ok(());
        }
        let desk = self.look_up_bookings()?;
        self.made();
        for shown in desk.values() {
            let is_cancelled = shown.state == "cancelled" && shown.reason.is_empty();
            let place = shown.prereg.as_deref().and_then(|id| self.position_of(id));
            let Some(place) = place.filter(|_| is_cancelled) else {
                continue;
            };
            let same = desk
                .iter()
                .filter(|(_, other)| other.prereg == shown.prereg);
            let visits = same.map(|(key, _)| key.clone()).collect();
            self.ledger.delete_preregs(place, visits);
            let mut world = self.sandbox.world();
            world
                .preregs
                .retain(|prereg| Some(prereg.id.to_string()) != shown.prereg);
        }
        Ok(())
    }

    /// What the program gave up it has said, and a person lets it try again.
    fn forget_given_up(&mut self) -> Check {
        let doubtful: BTreeSet<_> = self
            .look_up_bookings()?
            .into_iter()
            .filter(|(_, shown)| shown.state == "in doubt" && shown.reason.contains("given up"))
            .map(|(key, _)| key.book)
            .collect();
        for book in &doubtful {
            let is_said = self.ledger.may_be_given_up(book);
            prop_assert!(is_said, "{book} was given up and nobody was told");
            self.forget_booking(book)?;
        }
        Ok(())
    }

    /// A pass that finds nothing to do: silent, it asks LibCal alone and changes nothing.
    fn check_quiet(&mut self) -> Check {
        let kept = self.cached_state();
        self.sandbox.forget_requests();
        let run = self.sync(&Faults::default())?;
        let is_silent = (run.code, run.stderr.as_str(), run.stdout.as_str()) == (0, "", "");
        prop_assert!(is_silent, "the third pass has something to say");
        let mut asked = self.sandbox.requests();
        asked.retain(|seen| seen.service != Service::LibCal);
        prop_assert!(asked.is_empty(), "the third pass asks {asked:?}");
        let (before, after) = (
            kept.unwrap_or_default(),
            self.cached_state().unwrap_or_default(),
        );
        let old: BTreeSet<_> = before.lines().collect();
        let new: BTreeSet<_> = after.lines().collect();
        let changes: Vec<_> = old.symmetric_difference(&new).collect();
        prop_assert!(before == after, "the third pass writes: {changes:#?}");
        Ok(())
    }

    /// What `lookup-appt` shows of every booking.
    fn look_up_bookings(&mut self) -> Result<Desk, TestCaseError> {
        let books: BTreeSet<_> = self.rows.iter().map(|row| row.book.clone()).collect();
        if books.is_empty() {
            return Ok(Desk::new());
        }
        let mut args = vec!["--json", "lookup-appt"];
        args.extend(books.iter().map(String::as_str));
        let run = self.run(&args)?;
        let missing = bookings_in(&run.stderr).len();
        prop_assert_eq!(run.code, i32::from(missing > 0));
        Ok(run.json().iter().map(desk_answer).collect())
    }

    fn check_visits(&mut self, desk: &Desk) -> Check {
        let to_come = self.to_come();
        let listed: BTreeSet<_> = to_come.iter().map(|(key, ..)| key).collect();
        for (key, approval, ends_at) in &to_come {
            let found = desk.get(key);
            let Some(found) = found else {
                return Err(TestCaseError::fail(format!("{key:?} is not known")));
            };
            let what = format!("{key:?} until {ends_at}, {approval:?}: {found:?}");
            let is =
                |state: &str, reason: &str| found.state == state && found.reason.contains(reason);
            match approval {
                Approval::Cancelled => {
                    prop_assert!(is("cancelled", ""), "{what}");
                    let serves_another = desk.values().any(|other| {
                        other.state == "registered"
                            && other.ends_at > self.sandbox.clock()
                            && other.prereg == found.prereg
                    });
                    let is_told = found.reason.contains("leave it in PassagePoint");
                    prop_assert!(is_told || !serves_another, "{what} serves another");
                }
                Approval::NotApproved => {
                    prop_assert!(is("not approved", "\"Mediated Tentative\""), "{what}");
                }
                Approval::Unknown => prop_assert!(is("refused", "is not known"), "{what}"),
                Approval::Approved => self.check_approved(key, *ends_at, found, desk)?,
            }
        }
        let now = self.sandbox.clock();
        let gone = desk.iter().filter(|(key, _)| !listed.contains(key));
        for (key, found) in gone.filter(|(_, found)| found.ends_at > now) {
            let is_cancelled = found.state == "cancelled";
            let was_shortened = self.rows.iter().any(|row| {
                !row.is_hidden && row.book == key.book && row.starts_at == key.starts_at
            });
            prop_assert!(is_cancelled || was_shortened, "{key:?}: {found:?}");
        }
        Ok(())
    }

    /// Expected at the door, or refused for what is true.
    fn check_approved(
        &mut self,
        key: &Key,
        ends_at: i64,
        found: &DeskAnswer,
        desk: &Desk,
    ) -> Check {
        let what = format!("{key:?} until {ends_at}: {found:?}");
        let person = person_of(key, &self.people);
        let refusal = match person {
            None => Some("no primary ID on the booking form"),
            Some(person) => person.refusal(),
        };
        let stood = self.ledger.stood(key, ends_at);
        if let Some(refusal) = refusal.filter(|_| found.state != "registered") {
            prop_assert!(!stood, "it stood before: {what}");
            let is_refused = found.state == "refused" && found.reason.contains(refusal);
            prop_assert!(is_refused, "{refusal}: {what}");
            return Ok(());
        }
        prop_assert_eq!(&found.state, "registered", "{}", what);
        let id = found.prereg.as_deref().unwrap_or_default();
        let (Some(place), Some(expected)) = (self.position_of(id), self.made_as(id)) else {
            return Err(TestCaseError::fail(format!(
                "no such pre-registration: {what}"
            )));
        };
        let is_theirs = person.is_some_and(|person| person.ever_had(&expected.barcode));
        prop_assert!(
            is_theirs && serves(expected, key, ends_at),
            "{what} is not served by {expected:?}"
        );
        let mut same = desk
            .iter()
            .filter(|(_, other)| other.prereg == found.prereg);
        let cancelled = same.find(|(other, _)| self.ledger.was_cancelled_before(other, key));
        prop_assert!(
            cancelled.is_none(),
            "{what} relies on what {cancelled:?} had"
        );
        if self.ledger.is_taken_out(place) {
            let is_booked_back = self.ledger.is_booked_back(place);
            prop_assert!(is_booked_back, "{what} relies on what was taken out");
            return Ok(());
        }
        let may_stand = self
            .ledger
            .may_stand(key, id, &expected.barcode, self.refresh_days);
        prop_assert!(may_stand, "{what} stands under the old card {expected:?}");
        self.ledger.stand(key, ends_at, id);
        Ok(())
    }

    /// `lookup-user` shows the same visits, and a barcode of the person's or the refusal of their visits.
    fn check_users(&mut self, desk: &Desk) -> Check {
        let ids: BTreeSet<_> = TYPED
            .iter()
            .map(|typed| typed.trim().to_uppercase())
            .filter(|id| !id.is_empty())
            .collect();
        let mut args = vec!["--json", "lookup-user"];
        args.extend(ids.iter().map(String::as_str));
        let run = self.run(&args)?;
        let found = run.json();
        prop_assert_eq!(run.code, i32::from(found.len() < ids.len()));
        let is_found = |id: &String| found.iter().any(|user| user["primary_id"] == **id);
        for id in ids.iter().filter(|id| !is_found(id)) {
            let is_known = desk.keys().any(|key| key.id.as_ref() == Some(id));
            prop_assert!(!is_known, "{id} is not found");
        }
        found
            .iter()
            .try_for_each(|user| self.check_user(user, desk))
    }

    fn check_user(&self, user: &Value, desk: &Desk) -> Check {
        let id = user["primary_id"].as_str().expect("an ID");
        let appts = user["appts"].as_array().expect("a list");
        let theirs: Desk = appts.iter().map(desk_answer).collect();
        let mut same = desk.clone();
        same.retain(|key, _| key.id.as_deref() == Some(id));
        prop_assert_eq!(&theirs, &same);
        let refusal = user["refusal"].as_str();
        let now = self.sandbox.clock();
        for shown in theirs.values().filter(|shown| shown.ends_at > now) {
            let is_users = shown.reason.contains(" in Alma");
            let is_told = refusal == Some(&shown.reason);
            prop_assert!(!is_users || is_told, "{id}: {shown:?}, {refusal:?}");
        }
        let person = self.people.iter().find(|person| person.is_known_by(id));
        if let (Some(barcode), Some(person)) = (user["barcode"].as_str(), person) {
            prop_assert!(person.ever_had(barcode), "{id} has not {barcode}");
        }
        Ok(())
    }

    /// `status` counts the same states, knows of no outage, and its exit status says whether anybody is refused.
    fn check_status(&mut self, desk: &Desk) -> Check {
        let now = self.sandbox.clock();
        let mut states: BTreeMap<&str, u64> = BTreeMap::new();
        let mut may_be_more: BTreeMap<&str, u64> = BTreeMap::new();
        for (key, shown) in desk {
            if shown.ends_at > now {
                *states.entry(&shown.state).or_default() += 1;
            } else if self.ledger.last_end(key) > Some(now) {
                // It was made shorter, and PassagePoint may expect the person until the end that it had.
                *may_be_more.entry(&shown.state).or_default() += 1;
            }
        }
        let run = self.run(&["--json", "status"])?;
        let told = run.json().remove(0);
        prop_assert_eq!(told["outages"].as_array().map(Vec::len), Some(0));
        for state in [
            "registered",
            "in doubt",
            "waiting",
            "refused",
            "not approved",
            "cancelled",
        ] {
            let number = states.get(state).copied().unwrap_or_default();
            let most = number + may_be_more.get(state).copied().unwrap_or_default();
            let told = told["states"][state].as_u64().expect("a number");
            prop_assert!((number..=most).contains(&told), "{told} {state}: {desk:?}");
        }
        let number = |state: &str| told["states"][state].as_u64();
        let in_trouble = number("refused") > Some(0) || number("in doubt") > Some(0);
        prop_assert_eq!(run.code, i32::from(in_trouble));
        Ok(())
    }
}

/// A visit as a program reads it from a look-up.
fn desk_answer(appt: &Value) -> (Key, DeskAnswer) {
    let text = |name: &str| appt[name].as_str().map(str::to_owned);
    let time = |name: &str| {
        let time = chrono::DateTime::parse_from_rfc3339(appt[name].as_str()?);
        Some(time.expect("a time").timestamp())
    };
    let key = Key {
        book: text("appt_id").expect("a booking"),
        id: text("primary_id"),
        lid: text("lid").expect("a place").parse().expect("a number"),
        starts_at: time("starts_at").expect("a start"),
    };
    let shown = DeskAnswer {
        state: text("state").expect("a state"),
        reason: text("reason").unwrap_or_default(),
        prereg: text("prereg_id"),
        ends_at: time("ends_at").expect("an end"),
    };
    (key, shown)
}
