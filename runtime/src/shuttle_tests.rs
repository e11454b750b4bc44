//! Large random trees: several tasks derive from, wait for, cancel and drop the contexts of one tree, in random
//! orders that shuttle makes up.
//!
//! What each context has to be is worked out from the contract alone (see [`tree`]). The seed is printed; with
//! `SHUTTLE_RANDOM_SEED` set to the one that shuttle reports of a failure, that order is the first.
//!
//! As in `loom_tests`, time passes when a task says so. All reads see the last write here: the memory model is
//! loom's part.

mod task;
mod tree;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, Runner, thread};

use crate::models::Driver;
use task::Task;
use tree::Tree;

const TASKS: usize = 4;
const STEPS: usize = 25;
const ORDERS: usize = 4000;

fn run(scheduler: impl Scheduler + 'static) {
    let mut config = Config::new();
    config.stack_size = 1 << 18;
    config.silence_warnings = true;
    Runner::new(scheduler, config).run(model);
}

fn seed() -> u64 {
    let seed = RandomState::new().hash_one(());
    println!("seed {seed}");
    seed
}

#[test]
fn trees_keep_their_promises_in_orders_of_which_all_are_as_likely() {
    run(RandomScheduler::new_from_seed(seed(), ORDERS));
}

#[test]
fn trees_keep_their_promises_in_orders_with_few_preemptions() {
    run(PctScheduler::new_from_seed(seed(), 5, ORDERS));
}

fn model() {
    let mut driver = Driver::new();
    let tree = Arc::new(Tree::new());
    let threads: Vec<_> = (0..TASKS)
        .map(|_| {
            let mut task = Task::new(&tree);
            thread::spawn(move || {
                for _ in 0..STEPS {
                    task.step();
                }
                task
            })
        })
        .collect();
    for _ in 0..STEPS {
        driver.go_on();
        thread::yield_now();
    }
    let tasks = threads.into_iter().map(|thread| thread.join());
    let mut tasks: Vec<Task> = tasks.collect::<Result<_, _>>().expect("no task panics");
    driver.go_on();
    for task in &mut tasks {
        task.assert_told();
    }
    tasks.iter_mut().for_each(Task::cancel_all);
    for task in &mut tasks {
        task.assert_told();
    }
    tasks.into_iter().for_each(Task::leave);
    tree.assert_left();
    driver.assert_nothing_is_set();
}
