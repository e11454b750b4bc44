//! Signals to a process of its own: this test binary, started again as the child.

#![cfg(unix)]

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

use cancel_context::signal;

const CHILD: &str = "CANCEL_CONTEXT_SIGNAL_CHILD";

/// Tells of the first signal, and then never ends by itself.
#[tokio::main(flavor = "current_thread")]
async fn wait_for_signals() {
    let ctx = signal::context().expect("the process can listen");
    println!("\nlistening");
    let cancelled = ctx.cancelled().await;
    println!("\n{cancelled}");
    std::future::pending::<()>().await;
}

fn start(test: &str) -> (Child, Lines<BufReader<ChildStdout>>) {
    let this = std::env::current_exe().expect("a test binary has a path");
    let mut child = Command::new(this)
        .args([test, "--exact", "--nocapture"])
        .env(CHILD, "1")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the child starts");
    let output = child.stdout.take().expect("it is piped");
    (child, BufReader::new(output).lines())
}

fn send(signal: &str, child: &Child) {
    let sent = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
    assert!(sent.expect("`kill` runs").success());
}

fn wait_for(line: &str, lines: &mut Lines<BufReader<ChildStdout>>) {
    assert!(
        lines.any(|found| found.expect("the output is text") == line),
        "the child ended without `{line}`"
    );
}

/// The first signal cancels and does not end the process; the second one does.
fn the_second_ends_it(test: &str, signal: &str, name: &str, code: i32) {
    if std::env::var_os(CHILD).is_some() {
        return wait_for_signals();
    }
    let (mut child, mut lines) = start(test);
    wait_for("listening", &mut lines);
    send(signal, &child);
    wait_for(
        &format!("context canceled ({name}): signal {name}"),
        &mut lines,
    );
    assert!(child.try_wait().expect("it can be asked").is_none());
    send(signal, &child);
    assert_eq!(child.wait().expect("it ends").code(), Some(code));
}

// guarantee B6
#[test]
fn the_second_interrupt_ends_the_process_at_once() {
    the_second_ends_it(
        "the_second_interrupt_ends_the_process_at_once",
        "-INT",
        "SIGINT",
        130,
    );
}

// guarantee B6
#[test]
fn the_second_termination_ends_the_process_at_once() {
    the_second_ends_it(
        "the_second_termination_ends_the_process_at_once",
        "-TERM",
        "SIGTERM",
        143,
    );
}
