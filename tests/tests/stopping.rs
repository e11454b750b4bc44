//! How a process ends whose tasks do not, and what signals do meanwhile: this test binary, started again as the
//! child.

#![cfg(unix)]

use std::io::{BufRead, BufReader, Lines, Read};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::time::Duration;

use cancel_context::shutdown::{Phase, Shutdown};
use cancel_context::{Cancelled, Context, cancellable};
use tokio::runtime::Builder;

const CHILD: &str = "CANCEL_CONTEXT_STOPPING_CHILD";

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(600);

/// One that gets to its report at once.
fn at_once() -> Shutdown {
    Shutdown::new()
        .stop_for(Duration::ZERO)
        .cancel_for(Duration::ZERO)
        .abort_for(Duration::from_millis(50))
}

/// Runs `main` to its end, on one thread or two, and exits as the report says.
fn run<F: Future<Output = ()>>(
    threads: usize,
    shutdown: Shutdown,
    main: impl FnOnce(Context) -> F,
) {
    let mut builder = match threads {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    let runtime = builder.enable_all().build();
    let runtime = runtime.expect("the system has threads");
    let ending = runtime.block_on(shutdown.run(main));
    let code = ending.expect("the process can listen").exit_code();
    println!("\nreturned");
    std::process::exit(i32::from(code != std::process::ExitCode::SUCCESS));
}

/// Prints `phase` when it has come.
async fn tell(ctx: Context, phase: Phase) {
    let mut phases = ctx.phase();
    phases
        .wait_for(|now| *now >= phase)
        .await
        .expect("it comes to that");
    println!("\n{phase}");
}

#[cancellable]
async fn spins() -> Result<(), Cancelled> {
    tokio::task::yield_now().await;
    println!("\nspinning");
    loop {
        std::hint::spin_loop();
    }
}

async fn spin(ctx: Context) {
    let busy = ctx.with_name("busy");
    drop(busy.spawn({
        let busy = busy.clone();
        async move { spins(&busy).await }
    }));
    std::future::pending::<()>().await;
}

struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    errors: Option<ChildStderr>,
}

impl Program {
    /// Starts `test` again, as the child.
    fn start(test: &str) -> Self {
        let this = std::env::current_exe().expect("a test binary has a path");
        let mut child = Command::new(this)
            .args([test, "--exact", "--nocapture"])
            .env(CHILD, "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the child starts");
        let output = child.stdout.take().expect("it is piped");
        let errors = child.stderr.take().expect("it is piped");
        let lines = BufReader::new(output).lines();
        Self {
            child,
            lines,
            errors: Some(errors),
        }
    }

    fn send(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status();
        assert!(sent.expect("`kill` runs").success());
    }

    #[track_caller]
    fn wait_for(&mut self, line: &str) {
        let mut lines = self
            .lines
            .by_ref()
            .map(|line| line.expect("the output is text"));
        assert!(
            lines.any(|found| found == line),
            "the child ended without `{line}`"
        );
    }

    /// How it has ended, and what it has reported.
    fn ended(mut self) -> (Option<i32>, String) {
        let mut errors = String::new();
        if let Some(printed) = &mut self.errors {
            printed.read_to_string(&mut errors).expect("it is text");
        }
        (
            self.child.wait().expect("it can be waited for").code(),
            errors,
        )
    }
}

fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

fn a_task_that_never_yields(test: &str, threads: usize) {
    if is_child() {
        return run(threads, at_once(), spin);
    }
    let mut program = Program::start(test);
    program.wait_for("spinning");
    program.send("-TERM");
    let (code, report) = program.ended();
    assert_eq!(code, Some(1), "{report}");
    let line = report
        .lines()
        .find(|line| line.contains(" in busy, spawned at tests/tests/stopping.rs:"));
    let line = line.unwrap_or_else(|| panic!("{report}"));
    assert!(line.contains(": runs for "), "{line}");
    assert!(
        line.contains(" since it left tests/tests/stopping.rs:"),
        "{line}"
    );
    assert!(
        line.ends_with(" `tokio::task::yield_now()`; is left"),
        "{line}"
    );
}

// guarantee D7, and bad input
#[test]
fn a_task_that_never_yields_is_named_and_the_process_ends() {
    a_task_that_never_yields("a_task_that_never_yields_is_named_and_the_process_ends", 2);
}

// guarantee D7, and bad input; the symptom: nothing was left to look at the signal
#[test]
fn so_it_is_on_a_runtime_with_one_thread() {
    a_task_that_never_yields("so_it_is_on_a_runtime_with_one_thread", 1);
}

// guarantee D7, D5
#[test]
fn blocking_work_that_ignores_the_cancel_is_named_and_the_process_ends() {
    if is_child() {
        return run(2, at_once(), |ctx| async move {
            let of_thread = ctx.with_name("disk");
            let task = of_thread.spawn_blocking(|_| {
                println!("\nblocking");
                loop {
                    std::thread::park();
                }
            });
            task.await.expect("it never ends");
        });
    }
    let mut program =
        Program::start("blocking_work_that_ignores_the_cancel_is_named_and_the_process_ends");
    program.wait_for("blocking");
    program.send("-INT");
    let (code, report) = program.ended();
    assert_eq!(code, Some(1), "{report}");
    let line = report
        .lines()
        .find(|line| line.starts_with("blocking task "));
    let line = line.unwrap_or_else(|| panic!("{report}"));
    assert!(
        line.contains(" in disk, ") && line.ends_with("; is left"),
        "{line}"
    );
}

/// A process that is in `phase` for as long as the test takes.
fn stays_in(phase: Phase) {
    let time = |of: Phase| if of == phase { LONG } else { Duration::ZERO };
    let shutdown = Shutdown::new()
        .stop_for(time(Phase::Stopping))
        .cancel_for(time(Phase::Cancelled))
        .abort_for(time(Phase::Aborted));
    run(2, shutdown, |ctx| async move {
        tokio::spawn(tell(ctx.clone(), phase));
        println!("\nrunning");
        let of_thread = ctx.spawn_blocking(|_| {
            loop {
                std::thread::park();
            }
        });
        ctx.shield(|_| of_thread).await.expect("it never ends");
    });
}

fn a_second_signal_during(phase: Phase, test: &str) {
    if is_child() {
        return stays_in(phase);
    }
    let mut program = Program::start(test);
    program.wait_for("running");
    program.send("-INT");
    program.wait_for(&phase.to_string());
    program.send("-TERM");
    let (code, report) = program.ended();
    assert_eq!(
        (code, report.contains("is left")),
        (Some(143), false),
        "{report}"
    );
}

// guarantee D7
#[test]
fn a_second_signal_while_it_stops_exits_at_once() {
    a_second_signal_during(
        Phase::Stopping,
        "a_second_signal_while_it_stops_exits_at_once",
    );
}

// guarantee D7
#[test]
fn a_second_signal_while_it_cancels_exits_at_once() {
    a_second_signal_during(
        Phase::Cancelled,
        "a_second_signal_while_it_cancels_exits_at_once",
    );
}

// guarantee D7, and bad input
#[test]
fn a_second_signal_while_it_aborts_exits_at_once() {
    a_second_signal_during(
        Phase::Aborted,
        "a_second_signal_while_it_aborts_exits_at_once",
    );
}

// guarantee D7
#[test]
fn a_second_signal_can_be_turned_off() {
    if is_child() {
        return run(
            2,
            Shutdown::new().second_signal(false).stop_for(LONG),
            |ctx| async move {
                println!("\nrunning");
                tell(ctx.clone(), Phase::Stopping).await;
                // The second one has arrived when the system's own listener has seen it.
                let mut interrupt =
                    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt());
                println!("\nlistening");
                interrupt.as_mut().expect("it can listen").recv().await;
            },
        );
    }
    let mut program = Program::start("a_second_signal_can_be_turned_off");
    program.wait_for("running");
    program.send("-TERM");
    program.wait_for("listening");
    program.send("-INT");
    program.wait_for("returned");
    assert_eq!(program.ended().0, Some(0));
}

// guarantee D7; the symptom: tokio had heard the signal, and nobody listened
#[test]
fn a_signal_exits_when_all_is_over_and_the_runtime_still_waits() {
    if is_child() {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("the system has threads");
        let main = |ctx: Context| async move {
            // Nobody knows of it.
            tokio::task::spawn_blocking(|| {
                loop {
                    std::thread::park();
                }
            });
            println!("\nrunning");
            ctx.stopping().cancelled().await;
        };
        let ending = runtime.block_on(at_once().run(main));
        println!("\nreturned");
        assert!(ending.expect("the process can listen").report.is_empty());
        // This waits for the thread.
        return drop(runtime);
    }
    let mut program = Program::start("a_signal_exits_when_all_is_over_and_the_runtime_still_waits");
    program.wait_for("running");
    program.send("-TERM");
    program.wait_for("returned");
    program.send("-INT");
    assert_eq!(program.ended().0, Some(130));
}

// guarantee D7; the symptom: the callback ran on the thread that hears the signals
#[test]
fn a_callback_that_blocks_keeps_no_second_signal_away() {
    if is_child() {
        return run(2, at_once(), |ctx| async move {
            let _blocks = ctx.stopping().interrupt_with(|| {
                println!("\nblocking");
                loop {
                    std::thread::park();
                }
            });
            println!("\nrunning");
            std::future::pending::<()>().await;
        });
    }
    let mut program = Program::start("a_callback_that_blocks_keeps_no_second_signal_away");
    program.wait_for("running");
    program.send("-INT");
    program.wait_for("blocking");
    program.send("-TERM");
    assert_eq!(program.ended().0, Some(143));
}

// guarantee D7; the symptom: the panic about the broken pipe was all that came of it
#[test]
fn a_report_that_nobody_reads_is_no_reason_to_stay() {
    let test = "a_report_that_nobody_reads_is_no_reason_to_stay";
    if is_child() {
        return run(2, at_once(), spin);
    }
    let mut program = Program::start(test);
    program.wait_for("spinning");
    program.errors = None;
    program.send("-TERM");
    assert_eq!(program.ended().0, Some(1));
}

// guarantee D7
#[test]
fn a_report_that_cannot_be_written_is_no_reason_to_stay() {
    let test = "a_report_that_cannot_be_written_is_no_reason_to_stay";
    if is_child() {
        return run(2, at_once(), |ctx| async move {
            let task = ctx.spawn_blocking(|_| {
                let _held = std::io::stderr().lock();
                println!("\nblocking");
                loop {
                    std::thread::park();
                }
            });
            task.await.expect("it never ends");
        });
    }
    let mut program = Program::start(test);
    program.wait_for("blocking");
    program.send("-TERM");
    assert_eq!(program.ended().0, Some(1));
}

// guarantees D7, G5
#[test]
fn what_the_destructor_of_an_aborted_task_spawns_is_aborted_and_named() {
    let test = "what_the_destructor_of_an_aborted_task_spawns_is_aborted_and_named";
    if is_child() {
        return run(2, at_once(), |ctx| async move {
            let flush = Flush(ctx.with_name("flush").without_cancel());
            let task = ctx.spawn(ctx.shield(|_| async move {
                let _flush = flush;
                println!("\nrunning");
                std::future::pending::<()>().await;
            }));
            task.await.expect("it never ends");
        });
    }
    let mut program = Program::start(test);
    program.wait_for("running");
    program.send("-TERM");
    let (code, report) = program.ended();
    assert_eq!(code, Some(1), "{report}");
    let line = report.lines().find(|line| line.contains(" in flush, "));
    assert!(
        line.is_some_and(|line| line.ends_with("; is left")),
        "{report}"
    );
}

/// Writes what is left when it is dropped.
struct Flush(Context);

impl Drop for Flush {
    fn drop(&mut self) {
        drop(self.0.spawn(std::future::pending::<()>()));
    }
}
