//! What is measured, in which unit, and what it may cost.

use crate::measure::{Pace, Samples, Who};

#[derive(Clone, Copy)]
pub(crate) enum Unit {
    Nanoseconds,
    Bytes,
}

impl Unit {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nanoseconds => "ns",
            Self::Bytes => "bytes",
        }
    }
}

/// The most that ours may cost.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Target {
    /// Times that of another contestant.
    Of(Who, f64),
    /// In the workload's unit.
    Absolute(f64),
    /// Anything: the figures explain those of another workload.
    None,
}

impl Target {
    pub(crate) fn is_met(self, samples: &Samples) -> bool {
        match self {
            Self::Of(other, limit) => (samples.ratio(Who::Ours, other)).is_some_and(|r| r <= limit),
            Self::Absolute(limit) => samples.median(Who::Ours).is_some_and(|ours| ours <= limit),
            Self::None => true,
        }
    }

    pub(crate) fn text(self, unit: Unit) -> String {
        match self {
            Self::Of(other, limit) => format!("≤ {limit:.2}× {}", other.title()),
            Self::Absolute(limit) => format!("≤ {limit} {}", unit.name()),
            Self::None => "-".to_owned(),
        }
    }
}

pub(crate) struct Workload {
    /// What it is called in the JSON, and on the command line.
    pub(crate) key: &'static str,
    pub(crate) unit: Unit,
    pub(crate) target: Target,
    pub(crate) measure: fn(Pace) -> Outcome,
}

impl Workload {
    /// One that takes time.
    pub(crate) const fn new(
        key: &'static str,
        target: Target,
        measure: fn(Pace) -> Outcome,
    ) -> Self {
        Self {
            key,
            unit: Unit::Nanoseconds,
            target,
            measure,
        }
    }

    /// One that takes memory.
    pub(crate) const fn of_memory(
        key: &'static str,
        target: Target,
        measure: fn(Pace) -> Outcome,
    ) -> Self {
        Self {
            unit: Unit::Bytes,
            ..Self::new(key, target, measure)
        }
    }
}

/// What came out.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) samples: Samples,
    /// Why the target is missed whatever the samples say.
    pub(crate) fault: Option<String>,
    /// What is printed below the table.
    pub(crate) appendix: Option<String>,
}

impl From<Samples> for Outcome {
    fn from(samples: Samples) -> Self {
        Self {
            samples,
            ..Self::default()
        }
    }
}
