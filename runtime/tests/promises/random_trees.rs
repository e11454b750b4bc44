//! Random trees against a model that works everything out at once.

use std::time::Duration;

use cancel_context::{Canceller, Context};
use tokio::time::advance;

use crate::support::random::Random;
use crate::support::tasks::HandTask;

const ROUNDS: usize = 300;
const STEPS: usize = 60;
const TICK_MICROS: u32 = 10_000;
const TICK: Duration = Duration::from_micros(TICK_MICROS as u64);

/// When something happened, and the order of what happened at one time.
type Moment = (u32, usize);

enum Role {
    /// Ends with its one source.
    Plain,
    Alone,
    Any,
    All,
}

/// A context and what the model knows of it.
struct Modelled {
    context: Context,
    role: Role,
    sources: Vec<usize>,
    deadline: Option<u32>,
    end: Option<(Moment, String)>,
}

#[derive(Default)]
struct World {
    now: u32,
    events: usize,
    nodes: Vec<Modelled>,
    cancellers: Vec<(usize, Canceller)>,
}

impl World {
    fn add(&mut self, context: Context, role: Role, sources: Vec<usize>, deadline: Option<u32>) {
        self.nodes.push(Modelled {
            context,
            role,
            sources,
            deadline,
            end: None,
        });
        let number = self.nodes.len() - 1;
        self.nodes[number].end = self.inherited(number);
    }

    /// The end that a node takes over from its sources.
    fn inherited(&self, number: usize) -> Option<(Moment, String)> {
        let node = &self.nodes[number];
        let ends = node
            .sources
            .iter()
            .map(|source| self.nodes[*source].end.clone());
        match node.role {
            Role::Alone => None,
            Role::Plain => ends.flatten().next(),
            Role::Any => ends.flatten().min(),
            Role::All => ends.collect::<Option<Vec<_>>>()?.into_iter().max(),
        }
    }

    fn spread(&mut self) {
        for number in 0..self.nodes.len() {
            if self.nodes[number].end.is_none() {
                self.nodes[number].end = self.inherited(number);
            }
        }
    }

    fn end(&mut self, number: usize, text: String) {
        self.events += 1;
        if self.nodes[number].end.is_none() {
            self.nodes[number].end = Some(((self.now, self.events), text));
            self.spread();
        }
    }

    async fn tick(&mut self) {
        advance(TICK).await;
        self.now += 1;
        // The earlier deadline first.
        for number in (0..self.nodes.len()).rev() {
            if self.nodes[number].deadline == Some(self.now) {
                self.end(number, format!("deadline of {number}"));
            }
        }
    }

    fn derive(&mut self, random: &mut Random) {
        let source = random.below(self.nodes.len());
        let number = self.nodes.len();
        let context = self.nodes[source].context.clone();
        match random.below(8) {
            0 => self.add(context.with_value(number), Role::Plain, vec![source], None),
            1 => self.add(context.without_cancel(), Role::Alone, vec![], None),
            2 | 3 => {
                let ticks = u32::try_from(random.below(12) + 1).unwrap();
                // Each at an instant of its own, shortly before the tick.
                let early = u32::try_from(number).unwrap();
                let wait = Duration::from_micros(u64::from(TICK_MICROS * ticks - early));
                let text = format!("deadline of {number}");
                let timed = context.with_timeout_cause(wait, text);
                self.add(timed, Role::Plain, vec![source], Some(self.now + ticks));
            }
            4 | 5 => {
                let (context, canceller) = context.with_cancel();
                self.cancellers.push((number, canceller));
                self.add(context, Role::Plain, vec![source], None);
            }
            kind => self.merge(random, kind == 6),
        }
    }

    fn merge(&mut self, random: &mut Random, is_any: bool) {
        let count = random.below(3) + 1;
        let sources: Vec<_> = (0..count).map(|_| random.below(self.nodes.len())).collect();
        let contexts = sources
            .iter()
            .map(|source| self.nodes[*source].context.clone());
        if !is_any {
            let all = Context::all(contexts);
            return self.add(all, Role::All, sources, None);
        }
        let any = Context::any(contexts);
        let first_ended = sources
            .iter()
            .find_map(|source| self.nodes[*source].end.clone());
        self.add(any, Role::Any, sources, None);
        if first_ended.is_some() {
            let last = self.nodes.len() - 1;
            self.nodes[last].end = first_ended;
        }
    }

    fn cancel(&mut self, random: &mut Random) {
        if self.cancellers.is_empty() {
            return;
        }
        let (number, canceller) = self
            .cancellers
            .swap_remove(random.below(self.cancellers.len()));
        let text = format!("cancel of {number}");
        canceller.cancel_with(text.clone());
        self.end(number, text);
    }

    #[track_caller]
    fn assert_agrees(&self, number: usize) {
        let node = &self.nodes[number];
        let seen = node.context.cause().map(|cause| cause.to_string());
        let expected = node.end.as_ref().map(|(_, text)| text.clone());
        assert_eq!(
            seen, expected,
            "{number}: {:?} at {}",
            node.context, self.now
        );
        assert_eq!(node.context.is_cancelled(), expected.is_some());
    }
}

// guarantee B5, B2, B4
#[tokio::test(start_paused = true)]
async fn random_trees_end_as_the_model_says_whoever_looks_or_waits() {
    let mut random = Random::seeded();
    for _ in 0..ROUNDS {
        let mut world = World::default();
        world.add(Context::background(), Role::Alone, vec![], None);
        let mut waiting = Vec::new();
        for _ in 0..STEPS {
            match random.below(8) {
                0..4 => world.derive(&mut random),
                4 => world.cancel(&mut random),
                5 => world.tick().await,
                6 => world.assert_agrees(random.below(world.nodes.len())),
                _ => {
                    let number = random.below(world.nodes.len());
                    let future = world.nodes[number].context.clone().cancelled_owned();
                    let mut task = HandTask::new(future);
                    let was_ready = task.poll().is_ready();
                    assert_eq!(was_ready, world.nodes[number].end.is_some());
                    waiting.push((number, task, was_ready));
                }
            }
        }
        // The timer has its tick, and the tasks that it wakes run.
        advance(Duration::from_millis(2)).await;
        tokio::task::yield_now().await;
        for (number, task, was_ready) in &waiting {
            let is_due = world.nodes[*number].end.is_some() && !was_ready;
            assert_eq!(
                task.wakes(),
                usize::from(is_due),
                "{:?}",
                world.nodes[*number].context
            );
        }
        for number in (0..world.nodes.len()).rev() {
            world.assert_agrees(number);
        }
        drop(waiting);
        for node in &world.nodes {
            assert_eq!(cancel_context::private::waiting(&node.context), 0);
            assert_eq!(cancel_context::private::children(&node.context), 0);
        }
        world
            .cancellers
            .drain(..)
            .for_each(|(_, canceller)| canceller.detach());
    }
}
