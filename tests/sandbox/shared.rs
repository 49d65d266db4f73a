//! What the three listeners share: the world, the faults, the record of requests, and the signal that it is over.
//! A request passes through here: recorded, led through the faults, answered by its service.

use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::fault::{Action, Fault, FaultEffect, Faults};
use super::http::{Answer, ReceivedRequest, Reply, Service};
use super::world::World;
use super::{alma, libcal, passagepoint};

/// Locks, also after a test has panicked while it held the lock: that test's failure should stay the only one.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The state behind the listeners.
pub struct Shared {
    world: Mutex<World>,
    intake: Mutex<Intake>,
    over: Mutex<bool>,
    ended: Condvar,
}

/// What is consulted when a request arrives. It has one lock, so that all count requests in the same order.
#[derive(Default)]
struct Intake {
    seen: Vec<ReceivedRequest>,
    arrived: usize,
    faults: Faults,
    callbacks: Vec<Callback>,
    latency: Duration,
}

struct Callback {
    /// Which request it waits for.
    request: Fault,
    /// That request's number, once it has arrived.
    number: Option<usize>,
    before: bool,
    call: Box<dyn FnOnce() + Send>,
}

impl Shared {
    pub(super) fn new(world: World) -> Self {
        Self {
            world: Mutex::new(world),
            intake: Mutex::default(),
            over: Mutex::new(false),
            ended: Condvar::new(),
        }
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    pub(super) fn requests(&self) -> Vec<ReceivedRequest> {
        lock(&self.intake).seen.clone()
    }

    pub(super) fn forget_requests(&self) {
        lock(&self.intake).seen.clear();
    }

    pub(super) fn arrived(&self) -> usize {
        lock(&self.intake).arrived
    }

    pub(super) fn add_fault(&self, fault: Fault) {
        lock(&self.intake).faults.add(fault);
    }

    pub(super) fn clear_faults(&self) {
        lock(&self.intake).faults.clear();
    }

    pub(super) fn set_latency(&self, latency: Duration) {
        lock(&self.intake).latency = latency;
    }

    /// Calls back at that request, before or after it is acted upon.
    pub(super) fn call_back(&self, request: Fault, before: bool, call: Box<dyn FnOnce() + Send>) {
        lock(&self.intake).callbacks.push(Callback {
            request,
            number: None,
            before,
            call,
        });
    }

    /// Calls nobody back any more.
    pub(super) fn forget_callbacks(&self) {
        lock(&self.intake).callbacks.clear();
    }

    /// Ends every wait, now and from now on.
    pub(super) fn end(&self) {
        *lock(&self.over) = true;
        self.ended.notify_all();
    }

    /// Whether a connection just made to this service is to be closed at once.
    pub(super) fn refuses(&self, service: Service) -> bool {
        lock(&self.intake).faults.refuse(service)
    }

    /// Remembers what was wrong with something that could not be read as a request.
    pub(super) fn complain(&self, service: Service, why: &str) {
        let complaint = format!("{service:?}: {why}");
        self.world().complaints.push(complaint);
    }

    /// Does with a request what the faults say, or else what its service does.
    pub(super) fn handle(&self, seen: &ReceivedRequest) -> Reply {
        let (number, effect, latency) = self.arrive(seen);
        self.call(number, true);
        if let Action::Delay(duration) = effect.action {
            self.wait(duration);
        }
        let answer = match &effect.action {
            Action::Refuse | Action::CutBefore | Action::Hang(_) => None,
            Action::Answer(answer) => Some(answer.clone()),
            Action::AnswerAfter(answer) => {
                self.act(seen);
                Some(answer.clone())
            }
            _ => Some(self.act(seen)),
        };
        self.call(number, false);
        if let Action::Hang(duration) | Action::HangAfter(duration) = effect.action {
            self.wait(duration);
        }
        let Some(mut answer) = answer else {
            return Reply::Cut;
        };
        self.wait(latency);
        answer.headers.extend(effect.headers);
        match effect.action {
            Action::CutAfter => Reply::Cut,
            Action::Half => Reply::Half(answer, Duration::ZERO),
            Action::HalfAndHang(duration) => Reply::Half(answer, duration),
            Action::Rewrite(spoil) => {
                answer.body = spoil(answer.body.to_string()).into();
                Reply::Whole(answer)
            }
            _ => Reply::Whole(answer),
        }
    }

    /// Records a request. Returns which one it is since the sandbox began, and what it meets.
    fn arrive(&self, seen: &ReceivedRequest) -> (usize, FaultEffect, Duration) {
        let mut intake = lock(&self.intake);
        intake.arrived += 1;
        let effect = intake.faults.effect_on(seen);
        let number = intake.arrived;
        for callback in &mut intake.callbacks {
            if callback.number.is_none() && callback.request.takes(seen) {
                callback.number = Some(number);
            }
        }
        intake.seen.push(seen.clone());
        (number, effect, intake.latency)
    }

    fn act(&self, seen: &ReceivedRequest) -> Answer {
        let mut world = self.world();
        complain_of_http(&mut world, seen);
        match seen.service {
            Service::LibCal => libcal::answer(&mut world, seen),
            Service::Alma => alma::answer(&mut world, seen),
            Service::PassagePoint => passagepoint::answer(&mut world, seen),
        }
    }

    /// Calls who wanted to be called at this request, without any lock held.
    fn call(&self, number: usize, before: bool) {
        let mut intake = lock(&self.intake);
        let (due, rest) = mem::take(&mut intake.callbacks)
            .into_iter()
            .partition::<Vec<_>, _>(|entry| entry.number == Some(number) && entry.before == before);
        intake.callbacks = rest;
        drop(intake);
        for entry in due {
            (entry.call)();
        }
    }

    /// Waits so long, or until the sandbox ends.
    pub(super) fn wait(&self, duration: Duration) {
        if duration.is_zero() {
            return;
        }
        let over = lock(&self.over);
        // Which of the two ended the wait makes no difference.
        drop(self.ended.wait_timeout_while(over, duration, |over| !*over));
    }
}

/// What no service takes.
fn complain_of_http(world: &mut World, seen: &ReceivedRequest) {
    if seen.header("host").is_none() {
        world.complain(seen, "no Host header");
    }
    if seen.method == "GET" && !seen.body.is_empty() {
        world.complain(seen, "a GET with a body");
    }
    let target = &seen.raw_target;
    if !target.chars().all(|c| c.is_ascii_graphic()) {
        world.complain(
            seen,
            "a target with characters that must be percent-encoded",
        );
    }
    let escapes_are_hex = target.split('%').skip(1).all(|rest| {
        let digits = rest.bytes().take(2).filter(u8::is_ascii_hexdigit);
        digits.count() == 2
    });
    if !escapes_are_hex {
        world.complain(seen, "a target with a % that is no escape");
    }
}
