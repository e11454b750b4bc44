//! Runs the contestants of a workload in turns.
//!
//! In each round every contestant has a turn; the next round begins with the next one, so that none always
//! follows the same one. A turn gives one sample: the time of its measured section (without setup and
//! teardown) divided by how often the work was done in it.
//!
//! Turns are short, a fraction of what a system lets a thread run at a time, and there are hundreds of
//! them: whatever else the machine does interrupts a few, and the median is that of the others.
//!
//! What is reported of a contestant is the median of its samples. Two contestants are compared by the
//! median of the ratios of their samples *of the same round*, since they had the same clock rate and
//! neighbours; it differs a little from the ratio of the medians.

use std::time::{Duration, Instant};

/// Who does the work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Who {
    Bare,
    Ours,
    TokioUtil,
    Select,
    Timeout,
    StopToken,
}

impl Who {
    pub(crate) const PEERS: [Self; 4] = [
        Self::TokioUtil,
        Self::Select,
        Self::Timeout,
        Self::StopToken,
    ];

    /// What it is called in the table.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Ours => "ours",
            Self::TokioUtil => "tokio-util",
            Self::Select => "select!",
            Self::Timeout => "timeout",
            Self::StopToken => "stop-token",
        }
    }

    /// What it is called in the JSON.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::TokioUtil => "tokio_util",
            Self::Select => "select",
            Self::StopToken => "stop_token",
            Self::Bare | Self::Ours | Self::Timeout => self.title(),
        }
    }
}

/// How long everything is measured.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Pace {
    Full,
    Quick,
    /// The turns of short work are counted by a profiler.
    #[allow(dead_code, reason = "the profiler is that of the bench `instructions`")]
    Counted,
}

impl Pace {
    /// One of two, the first of which is for a quick run.
    pub(crate) fn choose<T>(self, quick: T, full: T) -> T {
        if self == Self::Full { full } else { quick }
    }
}

/// The samples of each contestant, round by round.
#[derive(Default)]
pub(crate) struct Samples(Vec<(Who, Vec<f64>)>);

impl Samples {
    /// Of what is the same each time, such as a size.
    pub(crate) fn constant<const N: usize>(values: [(Who, usize); N]) -> Self {
        let samples = values.map(|(who, value)| (who, vec![in_float(value)]));
        Self(samples.into())
    }

    pub(crate) fn add(&mut self, who: Who, value: f64) {
        match self.0.iter_mut().find(|(other, _)| *other == who) {
            Some((_, samples)) => samples.push(value),
            None => self.0.push((who, vec![value])),
        }
    }

    fn of(&self, who: Who) -> Option<&[f64]> {
        let mut all = self.0.iter();
        all.find_map(|(other, samples)| (*other == who).then_some(samples.as_slice()))
    }

    pub(crate) fn median(&self, who: Who) -> Option<f64> {
        median(self.of(who)?.to_vec())
    }

    /// How many times that of `other` it is.
    pub(crate) fn ratio(&self, who: Who, other: Who) -> Option<f64> {
        let rounds = self.of(who)?.iter().zip(self.of(other)?);
        median(rounds.map(|(one, other)| one / other).collect())
    }

    /// The peer that does it at the least cost.
    pub(crate) fn best_peer(&self) -> Option<Who> {
        let peers = Who::PEERS.into_iter();
        let medians = peers.filter_map(|who| Some((who, self.median(who)?)));
        let best = medians.min_by(|(_, one), (_, other)| one.total_cmp(other));
        best.map(|(who, _)| who)
    }
}

pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(values[middle - 1], upper))
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(crate) fn in_float(number: usize) -> f64 {
    number as f64
}

/// How long `work` takes.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    std::hint::black_box(work());
    start.elapsed()
}

/// Does the work so many times, and tells how long the measured section of that took.
type Turn<'a> = Box<dyn FnMut(usize) -> Duration + 'a>;

/// How often the work is done in the two turns that are counted: what they have in common is none of it.
pub(crate) const COUNTED: [usize; 2] = [100, 1100];

/// What a profiler is told to count.
#[allow(dead_code, reason = "as for `Pace::Counted`")]
pub(crate) const COUNTED_TURN: &str = concat!(module_path!(), "::counted_turn");

#[inline(never)]
fn counted_turn(turn: &mut Turn<'_>, times: usize) -> Duration {
    // It is not left by a jump to the turn, either.
    std::hint::black_box(turn(times))
}

/// A workload's contestants.
pub(crate) struct Race<'a> {
    rounds: usize,
    /// How long a turn is to be; none if each does the work `times` times.
    turn: Option<Duration>,
    times: usize,
    is_counted: bool,
    contestants: Vec<(Who, Turn<'a>)>,
}

impl<'a> Race<'a> {
    /// Of short work, which each does as often as it takes.
    pub(crate) fn new(pace: Pace) -> Self {
        Self {
            is_counted: pace == Pace::Counted,
            ..Self::of_turns(Duration::from_micros(200), pace.choose(201, 1001))
        }
    }

    /// Of short work that takes a while to get going, such as that of several threads.
    pub(crate) fn of_long_turns(pace: Pace) -> Self {
        Self::of_turns(Duration::from_millis(2), pace.choose(31, 151))
    }

    fn of_turns(turn: Duration, rounds: usize) -> Self {
        Self {
            rounds,
            turn: Some(turn),
            times: 1,
            is_counted: false,
            contestants: Vec::new(),
        }
    }

    /// Of work that each does `times` times in a turn.
    pub(crate) fn of_size(times: usize, rounds: usize) -> Self {
        Self {
            rounds,
            turn: None,
            times,
            is_counted: false,
            contestants: Vec::new(),
        }
    }

    pub(crate) fn enter(&mut self, who: Who, turn: impl FnMut(usize) -> Duration + 'a) {
        self.contestants.push((who, Box::new(turn)));
    }

    pub(crate) fn run(mut self) -> Samples {
        if self.is_counted {
            return self.count();
        }
        let count = self.contestants.len();
        let times: Vec<_> = (0..count).map(|index| self.warm_up(index)).collect();
        let mut samples = Samples::default();
        for round in 0..self.rounds {
            for position in 0..count {
                let index = (round + position) % count;
                let (who, turn) = &mut self.contestants[index];
                let taken = turn(times[index]);
                samples.add(*who, in_nanoseconds(taken) / in_float(times[index]));
            }
        }
        samples
    }

    /// Has a profiler count the turns of bare, then those of ours.
    fn count(mut self) -> Samples {
        let mut samples = Samples::default();
        for counted in [Who::Bare, Who::Ours] {
            let mut all = self.contestants.iter_mut();
            let Some((who, turn)) = all.find(|(who, _)| *who == counted) else {
                continue;
            };
            // What only the first turn does, is done by one that is not counted.
            turn(COUNTED[0]);
            for times in COUNTED {
                let taken = counted_turn(turn, times);
                samples.add(*who, in_nanoseconds(taken) / in_float(times));
            }
        }
        samples
    }

    /// How often to do the work in a turn, found out by doing it more and more often.
    fn warm_up(&mut self, index: usize) -> usize {
        let (_, turn) = &mut self.contestants[index];
        let Some(goal) = self.turn else {
            turn(self.times);
            return self.times;
        };
        let mut times = self.times;
        loop {
            // The shorter of two, of which one may have been interrupted.
            let taken = turn(times).min(turn(times));
            if taken * 2 >= goal {
                return times;
            }
            times *= 2;
        }
    }
}

pub(crate) fn in_nanoseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}
