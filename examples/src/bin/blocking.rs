//! What blocks a thread, or is no thread at all: a socket read, a database query and a child process, and how
//! each ends with its context.
//!
//! ```sh
//! cargo run -p examples --bin blocking
//! ```
//!
//! - A thread reads a socket whose peer has gone silent. The socket is bound to the context, and shut down when a
//!   user cancels that.
//! - A thread runs a query that would never end. SQLite's own interrupt is attached to the context, which has a
//!   deadline.
//! - A child process is asked to end at its deadline, says so and goes on; so it is killed half a second later.
//!
//! After each you see when it stopped, and the error that says why. All of it takes 2 seconds.

use std::error::Error;
use std::io::{self, BufRead, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::time::Duration;

use cancel_context::{Cancelled, Context};
use examples::Stopwatch;
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use tokio::io::AsyncBufReadExt;
use tokio::process::{ChildStdout, Command};
use tokio::time::sleep;

const PATIENCE: Duration = Duration::from_millis(500);

/// Counts without an end. All of it is one step of SQLite's machine: nothing returns to us before it is
/// interrupted.
const COUNT: &str = "
    WITH RECURSIVE number(n) AS (SELECT begin() UNION ALL SELECT n + 1 FROM number)
    SELECT max(n) FROM number
";

/// Goes on when it is asked to end.
const STUBBORN: &str = "
    trap 'echo \"asked to end, and goes on\"' TERM
    echo 'began to work'
    while true; do sleep 0.1 >/dev/null & wait; done
";

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    println!("-- a blocking read of a socket");
    socket().await?;
    println!("-- a blocking query of a database");
    database().await?;
    println!("-- a child process");
    child_process().await
}

async fn socket() -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let (ctx, canceller) = Context::background().with_cancel();
    let clock = Stopwatch::start();
    let reader = ctx.spawn_blocking(move |ctx| read_lines(ctx, clock, address));

    let (mut peer, _) = tokio::task::spawn_blocking(move || listener.accept()).await??;
    peer.write_all(b"hello\n")?;
    sleep(PATIENCE).await;
    canceller.cancel_with("the user hung up");
    say_why(clock, reader.await?.map_err(Box::from));
    Ok(())
}

/// Prints what comes, until the peer closes the connection or the context ends.
fn read_lines(ctx: &Context, clock: Stopwatch, address: SocketAddr) -> io::Result<()> {
    let left = ctx.remaining().unwrap_or(Duration::from_secs(30));
    let stream = TcpStream::connect_timeout(&address, left)?;
    for line in io::BufReader::new(ctx.interruptible(stream)?).lines() {
        clock.say(format_args!("read {:?}, and reads on", line?));
    }
    Ok(())
}

async fn database() -> Outcome {
    let clock = Stopwatch::start();
    let ctx = Context::background().with_timeout(PATIENCE);
    let query = ctx.spawn_blocking(move |ctx| count(ctx, clock));
    say_why(clock, query.await?);
    Ok(())
}

fn count(ctx: &Context, clock: Stopwatch) -> Outcome {
    let connection = Connection::open_in_memory()?;
    let at_begin = ctx.clone();
    // The query calls it as it begins to run. SQLite forgets an interrupt that comes before that; one that comes
    // after this check is not forgotten.
    connection.create_scalar_function("begin", 0, FunctionFlags::SQLITE_UTF8, move |_| {
        clock.say("the query counts");
        let checked = at_begin.check().map(|()| 0_i64);
        checked.map_err(|cancelled| rusqlite::Error::UserFunctionError(cancelled.into()))
    })?;
    let handle = connection.get_interrupt_handle();
    let _interrupt = ctx.interrupt_with(move || handle.interrupt());
    let counted = connection.query_row(COUNT, [], |row| row.get::<_, i64>(0));
    if let Err(error) = &counted {
        clock.say(format_args!("SQLite says: {error}"));
        ctx.check()?;
    }
    counted?;
    Ok(())
}

async fn child_process() -> Outcome {
    let mut command = Command::new("sh");
    command.args(["-c", STUBBORN]).stdout(Stdio::piped());
    let clock = Stopwatch::start();
    let ctx = Context::background().with_timeout(PATIENCE);
    let mut child = ctx.process(command).grace(PATIENCE).spawn()?;
    let output = child.stdout.take().expect("it is piped");
    tokio::spawn(repeat(clock, output));

    let status = child.wait().await?;
    clock.say(format_args!("the child has ended: {status}"));
    clock.say(format_args!("it was killed: {}", child.was_killed()));
    say_why(
        clock,
        child.asked_to_end().map_or(Ok(()), |why| Err(why.into())),
    );
    Ok(())
}

async fn repeat(clock: Stopwatch, output: ChildStdout) {
    let mut lines = tokio::io::BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        clock.say(format_args!("the child: {line}"));
    }
}

/// Prints the error, if it is that of the context.
fn say_why(clock: Stopwatch, outcome: Outcome) {
    let Err(error) = outcome else {
        return clock.say("it has ended by itself");
    };
    let inner = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref);
    let is_of_context = match inner {
        Some(inner) => inner.is::<Cancelled>(),
        None => error.is::<Cancelled>(),
    };
    clock.say(format_args!("error:   {error}"));
    clock.say(format_args!("of the context: {is_of_context}"));
}
