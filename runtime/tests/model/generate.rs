//! What is drawn at random: the next step, out of those that are possible.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;

use crate::transition::{ALL, Derivation, Hook, Id, Key, Merge, Time, Transition, Wait};
use crate::tree::Role;
use crate::world::{Handle, Watching, World};

const MILLI: Time = 1_000_000;
const HOUR: Time = 3600 * 1000 * MILLI;

pub(crate) fn world(has_clock: bool) -> BoxedStrategy<World> {
    select(vec![
        Watching::WhenAsked,
        Watching::RootsFirst,
        Watching::LeavesFirst,
    ])
    .prop_map(move |watching| World::new(has_clock, watching))
    .boxed()
}

type Steps = Vec<(u32, BoxedStrategy<Transition>)>;

pub(crate) fn transition(world: &World) -> BoxedStrategy<Transition> {
    let mut steps = Steps::new();
    let held = world.tree.nodes.iter().filter(|(_, node)| node.is_held);
    let held: Vec<_> = held.map(|(id, _)| *id).collect();
    add_derivations(&mut steps, world, &held);
    add_ends(&mut steps, world);
    add_looks(&mut steps, world, &held);
    add_waiters(&mut steps, world, &held);
    if world.has_clock {
        steps.push((5, advance(world)));
    }
    Union::new_weighted(steps).boxed()
}

/// Adds a step about one of `ids`, if there are any.
fn add(steps: &mut Steps, weight: u32, ids: &[Id], step: impl Fn(Id) -> Transition + 'static) {
    if !ids.is_empty() {
        steps.push((weight, select(ids.to_vec()).prop_map(step).boxed()));
    }
}

fn add_derivations(steps: &mut Steps, world: &World, held: &[Id]) {
    let id = world.free_id();
    let deadlines = world.tree.deadlines();
    let deadlines: Vec<_> = held.iter().map(|held| (*held, deadlines[held])).collect();
    let (now, has_clock) = (world.tree.now, world.has_clock);
    let derive = select(deadlines).prop_flat_map(move |(from, deadline)| {
        let times = times(id, now, has_clock, deadline);
        derivation(times, has_clock).prop_map(move |how| Transition::Derive { id, from, how })
    });
    steps.push((14, derive.boxed()));
    let sources = prop::collection::vec(select(held.to_vec()), 0..=3);
    let kind = select(vec![Merge::Any, Merge::All]);
    let merge =
        (sources, kind).prop_map(move |(sources, kind)| Transition::Merge { id, sources, kind });
    steps.push((7, merge.boxed()));
}

/// Past and future instants; many are at one instant, with each other or with the deadline above.
fn times(id: Id, now: Time, has_clock: bool, above: Option<Time>) -> BoxedStrategy<Time> {
    let above = Just(above.unwrap_or(now));
    if !has_clock {
        let far = (1..4_i64).prop_map(|hours| HOUR * hours);
        return prop_oneof![4 => far, 1 => Just(now - HOUR / 60), 1 => above].boxed();
    }
    let own = Time::try_from(id).expect("it is small");
    let future = (1..15_i64).prop_map(move |millis| now + millis * MILLI);
    prop_oneof![
        4 => future.clone(),
        4 => future.prop_map(move |at| at - own),
        2 => above,
        1 => select(vec![now, now - 3 * MILLI, now - 1]),
    ]
    .boxed()
}

fn derivation(times: BoxedStrategy<Time>, has_clock: bool) -> BoxedStrategy<Derivation> {
    let some_millis = if has_clock { 15_u64 } else { 1 };
    let timeout = prop_oneof![
        6 => (0..some_millis).prop_map(|millis| Some(Duration::from_millis(millis))),
        1 => Just(None),
    ];
    let timeout = (timeout, any::<bool>())
        .prop_map(|(after, has_cause)| Derivation::Timeout { after, has_cause });
    let deadline = (times.clone(), any::<bool>())
        .prop_map(|(at, has_cause)| Derivation::Deadline { at, has_cause });
    let others = [
        Derivation::Value(Key::First),
        Derivation::Value(Key::Second),
        Derivation::Name,
        Derivation::WithoutCancel,
        Derivation::Future { is_ready: true },
        Derivation::Future { is_ready: false },
        Derivation::Future { is_ready: false },
    ];
    prop_oneof![
        8 => Just(Derivation::Cancel),
        6 => deadline,
        3 => timeout,
        4 => times.prop_map(|at| Derivation::Movable { at }),
        7 => select(others.to_vec()),
    ]
    .boxed()
}

/// The contexts of which something can be done by those who hold what came with them.
fn of_role(world: &World, is_meant: impl Fn(&Role) -> bool) -> Vec<Id> {
    let nodes = world.tree.nodes.iter();
    let meant = nodes.filter(|(_, node)| is_meant(&node.role));
    meant.map(|(id, _)| *id).collect()
}

fn add_ends(steps: &mut Steps, world: &World) {
    let cancellable = of_role(world, |role| {
        matches!(role, Role::Cancel { holders: 1.., .. })
    });
    let cause = format!("cancel {}", world.free_id());
    let cancel = move |of| Transition::Cancel {
        of,
        cause: Some(cause.clone()),
    };
    add(steps, 4, &cancellable, cancel);
    let plain = |of| Transition::Cancel { of, cause: None };
    add(steps, 1, &cancellable, plain);
    let clone = |of| Transition::CloneCanceller { of };
    add(steps, 2, &cancellable, clone);
    let drop = |of| Transition::DropCanceller { of };
    add(steps, 3, &cancellable, drop);
    add(steps, 2, &cancellable, |of| Transition::Detach { of });

    let open = of_role(world, |role| matches!(role, Role::Future { is_open: true }));
    add(steps, 2, &open, |of| Transition::Complete { of });

    let movable = of_role(world, |role| {
        matches!(
            role,
            Role::Deadline {
                has_mover: true,
                ..
            }
        )
    });
    if !movable.is_empty() {
        let times = times(world.free_id(), world.tree.now, world.has_clock, None);
        let moves = (select(movable.clone()), times);
        let moves = moves.prop_map(|(of, to)| Transition::Move { of, to });
        steps.push((4, moves.boxed()));
    }
    add(steps, 1, &movable, |of| Transition::DropMover { of });
}

fn add_looks(steps: &mut Steps, world: &World, held: &[Id]) {
    let looks = (select(held.to_vec()), select(ALL.as_slice()));
    let looks = looks.prop_map(|(at, what)| Transition::Look { at, what });
    steps.push((8, looks.boxed()));
    let is_not_the_root = |id: &&Id| !world.tree.node(**id).sources.is_empty();
    let dropped: Vec<_> = held.iter().filter(is_not_the_root).copied().collect();
    add(steps, 4, &dropped, |of| Transition::DropContext { of });
}

fn add_waiters(steps: &mut Steps, world: &World, held: &[Id]) {
    let id = world.free_id();
    let wait = |wait| move |at| Transition::Wait { id, at, wait };
    add(steps, 4, held, wait(Wait::Cancelled));
    add(steps, 2, held, wait(Wait::Scope));
    let waiters: Vec<_> = world.waiters.keys().copied().collect();
    let places = world.waiters.clone();
    let poll = move |waiter| Transition::PollAgain {
        waiter,
        at: places[&waiter],
    };
    add(steps, 2, &waiters, poll);
    let drop = |waiter| Transition::DropWaiter { waiter };
    add(steps, 2, &waiters, drop);

    let register = |hook| move |at| Transition::Register { id, at, hook };
    add(steps, 3, held, register(Hook::AfterCancel));
    add(steps, 2, held, register(Hook::Interrupt));
    let handles = |hook: Option<Hook>| -> Vec<_> {
        let callbacks = world
            .callbacks
            .iter()
            .filter(|(_, it)| it.handle == Handle::Held);
        let meant = callbacks.filter(|(_, it)| hook.is_none_or(|hook| it.hook == hook));
        meant.map(|(id, _)| *id).collect()
    };
    let stop = |callback| Transition::Stop { callback };
    add(steps, 2, &handles(None), stop);
    if world.has_clock {
        let forget = |callback| Transition::Forget { callback };
        add(steps, 1, &handles(Some(Hook::AfterCancel)), forget);
    }
}

/// Not at all, to the next deadline, shortly before it, or a few ticks.
fn advance(world: &World) -> BoxedStrategy<Transition> {
    let next = world.tree.next_deadline();
    let left = next.map_or(MILLI, |next| next - world.tree.now);
    let by = prop_oneof![
        1 => Just(0),
        2 => Just(left),
        1 => Just(left - 1),
        1 => Just(left + MILLI),
        4 => (1..8_i64).prop_map(|millis| millis * MILLI),
        1 => Just(30 * MILLI),
    ];
    by.prop_map(|by| Transition::Advance { by }).boxed()
}
