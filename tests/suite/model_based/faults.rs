//! What the services do wrong in the random world.

use std::cell::Cell;
use std::hash::{DefaultHasher, Hash, Hasher};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::chaos::FAULT_KINDS;
use crate::sandbox::{Fault, Sandbox, Service};

/// So many in a hundred requests of these kinds go wrong.
#[derive(Debug, Clone, Default)]
pub struct Faults(Vec<FaultSpec>);

#[derive(Debug, Clone)]
struct FaultSpec {
    /// A service and a part of its paths; nothing for all of them.
    at: Option<(Service, &'static str)>,
    percent: u64,
    way: usize,
    salt: u64,
}

const PLACES: [Option<(Service, &str)>; 7] = [
    None,
    Some((Service::LibCal, "")),
    Some((Service::Alma, "")),
    Some((Service::PassagePoint, "")),
    Some((Service::PassagePoint, "createVisitor")),
    Some((Service::PassagePoint, "byUniqueId")),
    PREREG,
];

const PREREG: Option<(Service, &str)> = Some((Service::PassagePoint, "createPreReg"));

/// The way that takes a second each time.
const HANG: usize = 3;

/// The ways in which PassagePoint acts and nobody is told.
const SILENT: [usize; 3] = [1, 2, 5];

pub fn any_faults() -> impl Strategy<Value = Faults> {
    let quick: Vec<_> = (0..FAULT_KINDS.len()).filter(|way| *way != HANG).collect();
    let way = prop_oneof![40 => select(quick), 1 => Just(HANG)];
    let at = prop_oneof![2 => select(PLACES.to_vec()), 1 => Just(PREREG)];
    let bad = prop_oneof![
        2 => any_fault(at, way),
        1 => any_fault(Just(PREREG), select(SILENT.to_vec())),
    ];
    vec(bad, 0..3).prop_map(Faults)
}

fn any_fault(
    at: impl Strategy<Value = Option<(Service, &'static str)>>,
    way: impl Strategy<Value = usize>,
) -> impl Strategy<Value = FaultSpec> {
    let percent = select(vec![20, 50, 100]);
    (at, percent, way, any::<u64>()).prop_map(|(at, percent, way, salt)| FaultSpec {
        at,
        percent,
        way,
        salt,
    })
}

impl Faults {
    /// Whether that service may not answer.
    pub fn is_at(&self, service: Service) -> bool {
        let may_be = |bad: &FaultSpec| bad.at.is_none_or(|(one, _)| one == service);
        self.0.iter().any(may_be)
    }

    /// Begins the trouble; the same requests in the same order meet the same.
    pub fn begin(&self, sandbox: &Sandbox) {
        for bad in &self.0 {
            let fault = bad
                .at
                .map_or_else(Fault::any, |(service, part)| Fault::on(service).path(part));
            let (salt, percent) = (bad.salt, bad.percent);
            let number = Cell::new(0_u64);
            let fault = fault.when(move |_| {
                number.set(number.get() + 1);
                let mut hasher = DefaultHasher::new();
                (salt, number.get()).hash(&mut hasher);
                hasher.finish() % 100 < percent
            });
            sandbox.fault(FAULT_KINDS[bad.way](fault));
        }
    }
}
