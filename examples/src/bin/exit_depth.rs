//! `exit_task` five calls deep, and what `process::exit` loses there.
//!
//! ```sh
//! cargo run -p examples --bin exit_depth
//! ```
//!
//! A request goes through five functions (parse, validate, authorise, load, fail), each of which holds
//! something that its destructor gives back. The last one finds that the request cannot go on, and has no
//! error that the others would pass on. First it ends its task, as Go's `Goexit` does: you see each
//! level give back what it holds, innermost first, and who waits for the task told how it ended, while
//! another task of the process goes on. Then this program runs itself as a child process in which the
//! same function calls `process::exit`: nothing is given back, and the other task is gone as well.

use std::{env, io, process};

use cancel_context::task::exit_task;
use cancel_context::{Cancelled, Context, cancellable};
use examples::Stopwatch;
use tokio::process::Command;
use tokio::sync::oneshot;

/// The argument of the child process.
const EXIT_PROCESS: &str = "exit-process";
const CODE: i32 = 3;

/// How the innermost function leaves.
#[derive(Clone, Copy)]
enum Leave {
    Task,
    Process,
}

/// What a level holds; given back when the level ends, however it ends.
struct Held {
    level: &'static str,
    thing: &'static str,
    clock: Stopwatch,
}

impl Held {
    fn take(level: &'static str, thing: &'static str, clock: Stopwatch) -> Self {
        clock.say(format_args!("{level}: took {thing}"));
        Self {
            level,
            thing,
            clock,
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Self {
            level,
            thing,
            clock,
        } = self;
        clock.say(format_args!("{level}: gave {thing} back"));
    }
}

#[cancellable]
async fn parse(clock: Stopwatch, leave: Leave) -> Result<String, Cancelled> {
    let _held = Held::take("parse", "its buffer", clock);
    Ok(validate(clock, leave).await)
}

#[cancellable(implicit)]
async fn validate(clock: Stopwatch, leave: Leave) -> String {
    let _held = Held::take("validate", "its schema", clock);
    authorise(clock, leave).await
}

/// Knows nothing of contexts, as functions of other crates do not.
async fn authorise(clock: Stopwatch, leave: Leave) -> String {
    let _held = Held::take("authorise", "its session", clock);
    load(clock, leave).await
}

#[cancellable(implicit)]
async fn load(clock: Stopwatch, leave: Leave) -> String {
    let _held = Held::take("load", "its connection", clock);
    fail(clock, leave).await
}

async fn fail(clock: Stopwatch, leave: Leave) -> String {
    let _held = Held::take("fail", "its lock", clock);
    match leave {
        Leave::Task => match exit_task().await {},
        Leave::Process => process::exit(CODE),
    }
}

/// A request and another task of the same process; says how the request ended.
async fn serve(clock: Stopwatch, leave: Leave) {
    let ctx = Context::background().with_name("request 7");
    let (question, asked) = oneshot::channel();
    let other = ctx.spawn(async move {
        if asked.await.is_ok() {
            clock.say("another task: goes on");
        }
    });

    match ctx.spawn(parse(ctx.clone(), clock, leave)).await {
        Ok(_) => clock.say("the request: has an answer"),
        Err(error) => clock.say(format_args!("the request: {error}")),
    }
    question.send(()).expect("the other task waits for it");
    other.await.expect("it goes on to its end");
}

/// Runs this program as a child that exits in the middle, and says what was lost.
async fn serve_in_a_child(clock: Stopwatch) -> io::Result<()> {
    let mut child = Command::new(env::current_exe()?);
    let output = child.arg(EXIT_PROCESS).output().await?;
    let printed = String::from_utf8_lossy(&output.stdout);
    // Without the times, which are those of the child.
    let lines = printed.lines().filter_map(|line| line.split_once("] "));
    let (mut taken, mut given_back, mut others) = (0, 0, 0);
    for (_, line) in lines {
        clock.say(format_args!("child: {line}"));
        taken += usize::from(line.contains(": took "));
        given_back += usize::from(line.contains(": gave "));
        others += usize::from(line.starts_with("another task: "));
    }
    clock.say(format_args!("the child: {}", output.status));
    clock.say(format_args!(
        "given back: {given_back} of {taken}; other tasks that went on: {others} of 1"
    ));
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let clock = Stopwatch::start();
    if env::args().nth(1).as_deref() == Some(EXIT_PROCESS) {
        serve(clock, Leave::Process).await;
        return Ok(());
    }

    println!("-- the task exits");
    serve(clock, Leave::Task).await;
    println!("-- the process exits");
    serve_in_a_child(clock).await
}
