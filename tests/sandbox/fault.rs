//! Faults: which requests go wrong, and how. Carrying one out is left to `shared`.

use std::sync::Arc;
use std::time::Duration;

use super::http::{Answer, ReceivedRequest, Service};

/// Something that goes wrong with some requests: first which ones, then an action.
///
/// Of several faults that fit a request the one given first takes it; the others count it all the same.
pub struct Fault {
    service: Option<Service>,
    path: Option<String>,
    when: Option<Condition>,
    nth: Option<usize>,
    times: Option<usize>,
    action: Action,
    headers: Vec<(String, String)>,
    /// How many requests fitted since it was given to the sandbox.
    fitted: usize,
}

type Condition = Box<dyn Fn(&ReceivedRequest) -> bool + Send>;

/// What is done with a request.
#[derive(Clone)]
pub(super) enum Action {
    Pass,
    Refuse,
    CutBefore,
    CutAfter,
    Half,
    HalfAndHang(Duration),
    Hang(Duration),
    HangAfter(Duration),
    Answer(Answer),
    AnswerAfter(Answer),
    Delay(Duration),
    Rewrite(Arc<dyn Fn(String) -> String + Send + Sync>),
}

impl Fault {
    /// Every request to this service.
    pub fn on(service: Service) -> Self {
        let mut fault = Self::any();
        fault.service = Some(service);
        fault
    }

    /// Every request to any service.
    pub fn any() -> Self {
        Self {
            service: None,
            path: None,
            when: None,
            nth: None,
            times: None,
            action: Action::Pass,
            headers: Vec::new(),
            fitted: 0,
        }
    }

    /// Only the n-th request from now, whichever service it goes to; the first is 1.
    pub fn at(n: usize) -> Self {
        Self::any().nth(n)
    }

    /// Only requests whose path contains this.
    pub fn path(mut self, part: &str) -> Self {
        self.path = Some(part.to_owned());
        self
    }

    /// Only requests of which this holds. It must not use the sandbox, which is locked meanwhile.
    pub fn when(mut self, holds: impl Fn(&ReceivedRequest) -> bool + Send + 'static) -> Self {
        self.when = Some(Box::new(holds));
        self
    }

    /// Only the n-th fitting request from now (the first is 1), or as many from there as [`Fault::times`] says.
    pub fn nth(mut self, n: usize) -> Self {
        self.nth = Some(n);
        self
    }

    /// So many fitting requests; then all is well again.
    pub fn times(mut self, times: usize) -> Self {
        self.times = Some(times);
        self
    }

    /// Connections are closed as soon as they are made, and open ones at their next request. `times` counts both.
    ///
    /// With a path, `nth` or `when` it is the same as [`Fault::cut_before`], since a connection has none of these.
    pub fn refuse(self) -> Self {
        self.action(Action::Refuse)
    }

    /// The request is read, nothing is done, and the connection is closed.
    pub fn cut_before(self) -> Self {
        self.action(Action::CutBefore)
    }

    /// What was asked is done, and the connection is closed without an answer.
    pub fn cut_after(self) -> Self {
        self.action(Action::CutAfter)
    }

    /// What was asked is done, the head and half of the body are sent, and the connection is closed.
    pub fn half_answer(self) -> Self {
        self.action(Action::Half)
    }

    /// What was asked is done, the head and half of the body are sent, and after so long the connection is closed.
    pub fn half_answer_and_hang(self, duration: Duration) -> Self {
        self.action(Action::HalfAndHang(duration))
    }

    /// Nothing is done, and after so long the connection is closed.
    pub fn hang(self, duration: Duration) -> Self {
        self.action(Action::Hang(duration))
    }

    /// What was asked is done at once, and answered after so long.
    pub fn hang_after(self, duration: Duration) -> Self {
        self.action(Action::HangAfter(duration))
    }

    /// Nothing is done, and this is the answer.
    pub fn answer(self, status: u16, content_type: &str, body: impl Into<Arc<str>>) -> Self {
        self.action(Action::Answer(Answer::new(status, content_type, body)))
    }

    /// What was asked is done, but this is the answer.
    pub fn answer_after(self, status: u16, content_type: &str, body: impl Into<Arc<str>>) -> Self {
        self.action(Action::AnswerAfter(Answer::new(status, content_type, body)))
    }

    /// After so long what was asked is done and answered.
    pub fn delay(self, duration: Duration) -> Self {
        self.action(Action::Delay(duration))
    }

    /// What was asked is done, and the body of the answer is passed through this.
    pub fn rewrite(self, spoil: impl Fn(String) -> String + Send + Sync + 'static) -> Self {
        self.action(Action::Rewrite(Arc::new(spoil)))
    }

    /// Adds a header to the answer, be it the usual one or this fault's.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn action(mut self, action: Action) -> Self {
        self.action = action;
        self
    }

    fn fits(&self, seen: &ReceivedRequest) -> bool {
        self.service.is_none_or(|service| service == seen.service)
            && self
                .path
                .as_ref()
                .is_none_or(|part| seen.path.contains(part))
            && self.when.as_ref().is_none_or(|holds| holds(seen))
    }

    /// Counts the request if it fits; whether it is one to go wrong.
    pub(super) fn takes(&mut self, seen: &ReceivedRequest) -> bool {
        self.fits(seen) && self.count()
    }

    /// Counts one more that fits; whether it is one to go wrong.
    fn count(&mut self) -> bool {
        self.fitted += 1;
        let first = self.nth.unwrap_or(1);
        let times = match (self.times, self.nth) {
            (Some(times), _) => times,
            (None, Some(_)) => 1,
            (None, None) => usize::MAX,
        };
        self.fitted >= first && self.fitted - first < times
    }

    fn refuses_connections_of(&self, service: Service) -> bool {
        matches!(self.action, Action::Refuse)
            && self.service.is_none_or(|of| of == service)
            && self.path.is_none()
            && self.when.is_none()
            && self.nth.is_none()
    }
}

/// The effect of the faults on a request: an action, and headers to add to the response.
pub(super) struct FaultEffect {
    pub(super) action: Action,
    pub(super) headers: Vec<(String, String)>,
}

/// The faults in force.
#[derive(Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The effect on this request.
    pub(super) fn effect_on(&mut self, seen: &ReceivedRequest) -> FaultEffect {
        let mut effect = None;
        for fault in &mut self.0 {
            if fault.takes(seen) && effect.is_none() {
                effect = Some(FaultEffect {
                    action: fault.action.clone(),
                    headers: fault.headers.clone(),
                });
            }
        }
        effect.unwrap_or(FaultEffect {
            action: Action::Pass,
            headers: Vec::new(),
        })
    }

    /// Whether a connection just made is to be closed at once.
    pub(super) fn refuse(&mut self, service: Service) -> bool {
        self.0
            .iter_mut()
            .find(|fault| fault.refuses_connections_of(service))
            .is_some_and(Fault::count)
    }
}
