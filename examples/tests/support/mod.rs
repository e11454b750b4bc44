//! Runs a program to its end, for at most a minute.

use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::{Child, Command};

/// Where a program hangs, its test fails.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Starts a program whose output is read, and which does not outlive its test.
pub(crate) fn start(program: &str, arguments: &[&str]) -> Child {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the program was built with this test")
}

/// Runs a program to its end.
pub(crate) async fn finished(program: Child) -> Output {
    tokio::time::timeout(LIMIT, program.wait_with_output())
        .await
        .expect("the program ends by itself")
        .expect("its output can be read")
}

/// What a program that succeeds prints.
pub(crate) async fn output_of(program: &str, arguments: &[&str]) -> String {
    let output = finished(start(program, arguments)).await;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    assert_eq!(errors, "");
    String::from_utf8(output.stdout).expect("the output is UTF-8")
}
