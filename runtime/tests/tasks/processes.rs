//! Child processes that end with a context. They are real ones; what they are told is seen in their status, and in
//! what they print.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cancel_context::shutdown::Shutdown;
use cancel_context::task::ChildProcess;
use cancel_context::{Cancelled, Context, Kind, cancellable};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::ChildStdout;

const SHORT: Duration = Duration::from_millis(100);

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(600);

const TERM: Option<i32> = Some(15);
const KILL: Option<i32> = Some(9);

/// Says that it is ready, and goes on when it is asked to end.
const STUBBORN: &str =
    "trap 'echo asked' TERM; echo ready; while :; do sleep 0.05 >/dev/null & wait; done";

/// Says that it is ready, and exits with 7 when it is asked to end.
const TIDY: &str = "trap 'exit 7' TERM; echo ready; while :; do sleep 0.05 >/dev/null & wait; done";

fn sleeper() -> Command {
    let mut command = Command::new("sleep");
    command.arg("600");
    command
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]).stdout(Stdio::piped());
    command
}

/// What a child of [`shell`] prints, once that is ready.
async fn ready(child: &mut ChildProcess) -> Lines<BufReader<ChildStdout>> {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next_line().await.unwrap().unwrap(), "ready");
    lines
}

fn pid(child: &ChildProcess) -> Pid {
    Pid::from_raw(child.id().unwrap().cast_signed()).unwrap()
}

/// Whether there is such a process; a zombie is one.
fn exists(pid: Pid) -> bool {
    test_kill_process(pid).is_ok()
}

/// Waits until there is no such process; a zombie would stay. Time is the system's, which does what is waited for.
async fn gone(pid: Pid) {
    let began = Instant::now();
    while exists(pid) {
        assert!(began.elapsed() < LONG / 20, "{pid:?} is still there");
        tokio::task::yield_now().await;
    }
}

// guarantee D5
#[tokio::test]
async fn a_child_is_asked_to_end_when_the_context_ends_and_leaves_no_zombie() {
    let (ctx, canceller) = Context::background().with_cancel();
    let mut child = ctx.process(sleeper()).grace(LONG).spawn().unwrap();
    let pid = pid(&child);
    assert!(exists(pid));
    canceller.cancel_with("enough");
    let status = child.wait().await.unwrap();
    assert_eq!(status.signal(), TERM);
    assert!(!exists(pid));
    assert_eq!(child.id(), None);
    assert!(!child.was_killed());
    assert_eq!(child.asked_to_end().unwrap().cause().to_string(), "enough");
    // Kept.
    assert_eq!(child.wait().await.unwrap(), status);
}

// guarantee D5
#[tokio::test]
async fn a_child_that_goes_on_when_asked_is_killed_after_the_grace() {
    let (ctx, canceller) = Context::background().with_cancel();
    let mut child = ctx.process(shell(STUBBORN)).grace(SHORT).spawn().unwrap();
    let (pid, mut lines) = (pid(&child), ready(&mut child).await);
    let began = Instant::now();
    canceller.cancel();
    assert_eq!(lines.next_line().await.unwrap().unwrap(), "asked");
    assert_eq!(child.wait().await.unwrap().signal(), KILL);
    assert!(began.elapsed() >= SHORT);
    assert!(!exists(pid));
    assert!(child.was_killed() && child.asked_to_end().is_some());
}

// guarantee D5
#[tokio::test]
async fn a_child_that_cleans_up_within_its_grace_gives_its_own_code() {
    let (ctx, canceller) = Context::background().with_cancel();
    let mut child = ctx.process(shell(TIDY)).grace(LONG).spawn().unwrap();
    let _lines = ready(&mut child).await;
    canceller.cancel();
    assert_eq!(child.wait().await.unwrap().code(), Some(7));
    assert!(child.asked_to_end().is_some() && !child.was_killed());
}

// guarantee D5
#[tokio::test]
async fn a_child_without_grace_is_killed_at_once_without_being_asked() {
    let (ctx, canceller) = Context::background().with_cancel();
    let process = ctx.process(shell(TIDY)).grace(Duration::ZERO);
    let mut child = process.spawn().unwrap();
    let _lines = ready(&mut child).await;
    canceller.cancel();
    assert_eq!(child.wait().await.unwrap().signal(), KILL);
    assert!(child.was_killed());
}

// guarantee D5
#[tokio::test]
async fn a_child_that_ends_by_itself_was_not_asked_also_if_the_context_ends_later() {
    let (ctx, canceller) = Context::background().with_cancel();
    let mut command = shell("exit 3");
    command.stdout(Stdio::null());
    let mut child = ctx.process(command).spawn().unwrap();
    assert_eq!(child.wait().await.unwrap().code(), Some(3));
    canceller.cancel();
    assert!(child.asked_to_end().is_none() && !child.was_killed());
    assert_eq!(child.wait().await.unwrap().code(), Some(3));
}

// guarantees D5, A5
#[tokio::test]
async fn an_ended_context_never_starts_a_child() {
    let ctx = Context::background().with_timeout(Duration::ZERO);
    // Would be another error if it was tried.
    let error = ctx.process(Command::new("/no such program")).spawn();
    let error = error.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    let cancelled = error.downcast::<Cancelled>().unwrap();
    assert_eq!(cancelled.kind(), Kind::DeadlineExceeded);
    let text = cancelled.to_string();
    assert!(
        text.contains("left runtime/tests/tasks/processes.rs:"),
        "{text}"
    );

    let root = Context::background();
    let error = root.process(Command::new("/no such program")).spawn();
    assert_eq!(error.unwrap_err().kind(), io::ErrorKind::NotFound);
}

// guarantee D5
#[tokio::test]
async fn dropping_the_handle_ends_the_child_in_the_same_way_in_the_background() {
    let root = Context::background();
    let child = root.process(sleeper()).spawn().unwrap();
    let asked = pid(&child);
    drop(child);
    gone(asked).await;

    let mut child = root.process(shell(STUBBORN)).grace(SHORT).spawn().unwrap();
    let (killed, mut lines) = (pid(&child), ready(&mut child).await);
    drop(child);
    assert_eq!(lines.next_line().await.unwrap().unwrap(), "asked");
    gone(killed).await;
}

// guarantee D5
#[tokio::test]
async fn dropping_the_future_that_waits_changes_nothing_and_it_can_be_waited_for_again() {
    let (ctx, canceller) = Context::background().with_cancel();
    let mut child = ctx.process(sleeper()).spawn().unwrap();
    let waited = ctx.timeout(Duration::from_millis(1), child.wait()).await;
    assert!(waited.is_err());
    assert!(exists(pid(&child)));
    canceller.cancel();
    assert_eq!(child.wait().await.unwrap().signal(), TERM);
}

// guarantees D5, A10
#[tokio::test]
async fn an_annotated_function_leaves_at_once_and_the_child_is_killed_all_the_same() {
    #[cancellable]
    async fn works(child: &mut ChildProcess) -> Result<(), Cancelled> {
        child.wait().await.expect("it is not ended here");
        Ok(())
    }

    #[cancellable]
    async fn sees_the_end(child: &mut ChildProcess) -> Result<Option<i32>, Cancelled> {
        let status = ctx.shield(|_| child.wait()).await;
        Ok(status.unwrap().signal())
    }

    // The deadline begins to run when the child has set its trap.
    let (ctx, mover) = Context::background().with_movable_deadline(Instant::now() + LONG);
    let mut child = ctx.process(shell(STUBBORN)).grace(SHORT).spawn().unwrap();
    let (pid, _lines) = (pid(&child), ready(&mut child).await);
    assert!(mover.move_to(Instant::now() + SHORT));
    assert!(works(&ctx, &mut child).await.unwrap_err().is_timeout());
    drop(child);
    gone(pid).await;

    let (ctx, mover) = Context::background().with_movable_deadline(Instant::now() + LONG);
    let mut child = ctx.process(sleeper()).spawn().unwrap();
    assert!(mover.move_to(Instant::now() + SHORT));
    assert_eq!(sees_the_end(&ctx, &mut child).await.unwrap(), TERM);
}

// guarantee D5
#[tokio::test]
async fn the_streams_of_a_child_can_be_used_and_waiting_closes_its_input() {
    let mut command = Command::new("cat");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = Context::background().process(command).spawn().unwrap();
    child
        .stdin
        .as_mut()
        .unwrap()
        .write_all(b"meow")
        .await
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    assert!(child.stderr.is_none());
    // It ends when it has read all of its input.
    assert!(child.wait().await.unwrap().success());
    let mut text = String::new();
    stdout.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "meow");
}

// guarantees D5, C3
#[tokio::test(start_paused = true)]
async fn the_grace_goes_by_the_paused_clock_of_the_runtime() {
    let (ctx, canceller) = Context::background().with_cancel();
    let mut child = ctx.process(shell(STUBBORN)).grace(LONG).spawn().unwrap();
    let _lines = ready(&mut child).await;
    canceller.cancel();
    let began = Instant::now();
    assert_eq!(child.wait().await.unwrap().signal(), KILL);
    assert!(began.elapsed() < LONG / 2);
}

// guarantees D5, C3
#[test]
fn the_grace_needs_no_time_driver() {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_io().build().unwrap();
    let signal = runtime.block_on(async {
        let (ctx, canceller) = Context::background().with_cancel();
        let mut child = ctx.process(shell(STUBBORN)).grace(SHORT).spawn().unwrap();
        let _lines = ready(&mut child).await;
        canceller.cancel();
        child.wait().await.unwrap().signal()
    });
    assert_eq!(signal, KILL);
}

// guarantee D5
#[tokio::test]
async fn a_child_is_killed_and_reaped_when_its_runtime_is_gone() {
    let other = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let mut child = {
        let _guard = other.enter();
        Context::background()
            .process(sleeper())
            .grace(LONG)
            .spawn()
            .unwrap()
    };
    let pid = pid(&child);
    other.shutdown_background();
    gone(pid).await;
    assert!(child.wait().await.is_err());
    // The symptom: it went on to give the number, which may be another process's.
    assert_eq!(child.id(), None);
}

// guarantees D5, D7
#[tokio::test]
async fn a_shutdown_waits_for_children_that_were_asked_to_end() {
    let shutdown = Shutdown::new()
        .signals(false)
        .stop_for(Duration::ZERO)
        .cancel_for(LONG);
    let ending = shutdown.run(|ctx| async move {
        let mut child = ctx.process(shell(STUBBORN)).grace(SHORT).spawn().unwrap();
        let _lines = ready(&mut child).await;
        pid(&child)
    });
    let ending = ending.await.unwrap();
    assert!(ending.report.is_empty());
    assert!(!exists(ending.value.unwrap()));
}

// guarantees D5, B8
#[tokio::test]
async fn a_child_that_has_ended_leaves_nothing_on_its_context() {
    let (ctx, _canceller) = Context::background().with_cancel();
    let handles = ctx.handle_count();
    let mut command = shell("exit");
    command.stdout(Stdio::null());
    let mut child = ctx.process(command).spawn().unwrap();
    child.wait().await.unwrap();
    drop(child);
    // Its supervisor has given the status; it has yet to go.
    while ctx.handle_count() != handles {
        tokio::task::yield_now().await;
    }
}

// guarantees D5, B11
#[test]
fn a_blocking_wait_for_a_child_of_std_ends_by_an_interrupt_that_signals_it() {
    let (ctx, canceller) = Context::background().with_cancel();
    let mut child = sleeper().spawn().unwrap();
    let pid = Pid::from_child(&child);
    let guard = ctx.interrupt_with(move || kill_process(pid, Signal::TERM).unwrap());
    let operator = std::thread::spawn(move || canceller.cancel());
    assert_eq!(child.wait().unwrap().signal(), TERM);
    // The number may be another process's from now on: dropping the guard, no signal goes there.
    drop(guard);
    operator.join().unwrap();
    assert!(!exists(pid));
}
