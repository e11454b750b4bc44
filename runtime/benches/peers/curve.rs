//! What a node costs in trees of different sizes, wide and deep.
//!
//! Each has three phases: deriving and linking all nodes, cancelling the root, and dropping all. The figure
//! of a phase is the time per node. *Ours* is that of the point, beyond a thousand nodes, which has grown
//! most against the same phase of the same shape at a thousand nodes; *bare* is that of the latter.

use std::fmt;
use std::time::{Duration, Instant};

use cancel_context::{Canceller, Context};

use crate::hand;
use crate::measure::{Pace, Samples, Who, in_float, in_nanoseconds, median, timed};
use crate::report::{number, table};
use crate::setting::root;
use crate::workload::{Outcome, Target, Workload};

/// What all others are compared with.
const REFERENCE: usize = 1000;

/// No tree is built that is likely to take longer, as the larger ones do of a shape whose figures grow.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn workloads() -> Vec<Workload> {
    vec![Workload::new("curve", Target::Of(Who::Bare, 4.0), curve)]
}

#[derive(Clone, Copy)]
enum Shape {
    /// A root and its children, each of them waited for.
    Wide,
    /// A chain, of which the last is waited for.
    Deep,
    /// A chain, of which each is waited for, from the root on: calls that narrow their context, and wait.
    DeepWaiting,
}

const PHASES: [&str; 3] = ["derive", "cancel", "drop"];

/// The time of each phase.
type Times<T> = [T; PHASES.len()];

impl Shape {
    /// Builds and takes down one tree.
    fn run(self, nodes: usize) -> Times<Duration> {
        match self {
            Self::Wide => wide(nodes),
            Self::Deep => deep(nodes, false),
            Self::DeepWaiting => deep(nodes, true),
        }
    }

    /// The time of each phase per node, in nanoseconds; the medians of as many trees as there is time for,
    /// of which small ones are taken together.
    fn measure(self, nodes: usize, pace: Pace) -> Times<f64> {
        let trees = (2000 / nodes).max(1);
        let limit = pace.choose(Duration::from_millis(400), Duration::from_secs(3));
        let start = Instant::now();
        let mut samples = vec![self.sample(nodes, trees)];
        while samples.len() < 101 && start.elapsed() < limit {
            samples.push(self.sample(nodes, trees));
        }
        std::array::from_fn(|phase| {
            let of_phase = samples.iter().map(|sample| sample[phase]).collect();
            median(of_phase).unwrap_or_default()
        })
    }

    fn sample(self, nodes: usize, trees: usize) -> Times<f64> {
        let mut sums = [Duration::ZERO; PHASES.len()];
        for _ in 0..trees {
            for (sum, time) in sums.iter_mut().zip(self.run(nodes)) {
                *sum += time;
            }
        }
        sums.map(|sum| in_nanoseconds(sum) / in_float(trees * nodes))
    }
}

fn wide(nodes: usize) -> Times<Duration> {
    let (root, canceller) = root();
    let mut children = Vec::with_capacity(nodes);
    let mut waiters = Vec::with_capacity(nodes);
    let derive = timed(|| {
        for _ in 0..nodes {
            let (context, canceller) = root.with_cancel();
            waiters.push(hand::wait(context.clone().cancelled_owned()));
            children.push((context, canceller));
        }
    });
    let cancel = timed(|| canceller.cancel());
    let drop = timed(|| drop((waiters, children)));
    [derive, cancel, drop]
}

fn deep(nodes: usize, are_all_waiting: bool) -> Times<Duration> {
    let (root, canceller) = root();
    let mut chain: Vec<(Context, Canceller)> = Vec::with_capacity(nodes);
    let mut waiters = Vec::with_capacity(nodes);
    let derive = timed(|| {
        for index in 1..=nodes {
            let parent = chain.last().map_or(&root, |(context, _)| context);
            let (context, canceller) = parent.with_cancel();
            if are_all_waiting || index == nodes {
                waiters.push(hand::wait(context.clone().cancelled_owned()));
            }
            chain.push((context, canceller));
        }
    });
    let cancel = timed(|| canceller.cancel());
    let drop = timed(|| drop((waiters, chain)));
    [derive, cancel, drop]
}

/// The figures of a shape, by size.
struct Series {
    title: &'static str,
    points: Vec<(usize, Times<f64>)>,
}

impl Series {
    fn measure(title: &'static str, shape: Shape, pace: Pace) -> Self {
        let largest = pace.choose(100_000, 1_000_000);
        let mut series = Self {
            title,
            points: Vec::new(),
        };
        let sizes = std::iter::successors(Some(10), |size| Some(size * 10));
        for size in sizes.take_while(|size| *size <= largest) {
            if series.expected(size) > in_nanoseconds(PATIENCE) {
                break;
            }
            series.points.push((size, shape.measure(size, pace)));
        }
        series
    }

    /// How many nanoseconds a tree of `size` nodes will take if its figures grow as they last did.
    fn expected(&self, size: usize) -> f64 {
        let figure = |(_, times): &(usize, Times<f64>)| times.iter().sum::<f64>();
        let [.., before, last] = self.points.as_slice() else {
            return 0.0;
        };
        in_float(size) * figure(last) * (figure(last) / figure(before)).max(1.0)
    }

    /// What has become of each phase beyond the reference.
    fn growths(&self) -> impl Iterator<Item = Growth> {
        let reference = self.points.iter().find(|(size, _)| *size == REFERENCE);
        let beyond = self.points.iter().filter(|(size, _)| *size > REFERENCE);
        beyond.flat_map(move |(_, times)| {
            let of_reference = reference.into_iter().flat_map(|(_, times)| times);
            of_reference.zip(times).map(|(from, to)| Growth {
                from: *from,
                to: *to,
            })
        })
    }
}

/// From the figure at the reference to that of a larger tree.
#[derive(Clone, Copy)]
struct Growth {
    from: f64,
    to: f64,
}

impl Growth {
    fn factor(self) -> f64 {
        self.to / self.from
    }
}

impl fmt::Display for Series {
    /// A row for each phase.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut header = vec![format!("{}, ns per node", self.title)];
        header.extend(self.points.iter().map(|(size, _)| size.to_string()));
        let mut table = table(header);
        for (phase, name) in PHASES.iter().enumerate() {
            let mut cells = vec![(*name).to_owned()];
            cells.extend(self.points.iter().map(|(_, times)| number(times[phase])));
            table.add_row(cells);
        }
        table.fmt(f)
    }
}

fn curve(pace: Pace) -> Outcome {
    let all = [
        Series::measure("wide", Shape::Wide, pace),
        Series::measure("deep", Shape::Deep, pace),
        Series::measure("deep, all waiting", Shape::DeepWaiting, pace),
    ];
    let growths = all.iter().flat_map(Series::growths);
    let worst = growths.max_by(|one, other| one.factor().total_cmp(&other.factor()));
    let mut samples = Samples::default();
    if let Some(worst) = worst {
        samples.add(Who::Bare, worst.from);
        samples.add(Who::Ours, worst.to);
    }
    Outcome {
        samples,
        appendix: Some(all.map(|series| series.to_string()).join("\n\n")),
        fault: None,
    }
}
