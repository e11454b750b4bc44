//! One request, three tasks; the user cancels, and all three stop.
//!
//! ```sh
//! cargo run -p examples --bin request
//! ```
//!
//! A request fans out to an identity lookup (it waits), a database (it fetches page after page) and a
//! token check (it burns CPU on a thread for blocking work). After 400 ms the user cancels. You see
//! each of the three stop at its own place, all with the user's words as the cause. The request's
//! user and trace travel in the context; tasks read them through typed accessors.

use std::error::Error;
use std::time::Duration;

use cancel_context::{Cancelled, Context, cancellable};
use examples::Stopwatch;
use tokio::time::sleep;

/// The values of a request. Their types are private, so nobody else can set or shadow them: what Go
/// does with unexported keys.
mod values {
    use cancel_context::Context;

    struct User(&'static str);
    struct Trace(u32);

    pub(crate) fn attach(ctx: &Context, user: &'static str, trace: u32) -> Context {
        ctx.with_value(User(user)).with_value(Trace(trace))
    }

    pub(crate) fn user(ctx: &Context) -> &str {
        ctx.value().map_or("nobody", |User(name)| name)
    }

    pub(crate) fn trace(ctx: &Context) -> u32 {
        ctx.value().map_or(0, |Trace(number)| *number)
    }
}

#[cancellable]
async fn identity(clock: Stopwatch) -> Result<(), Cancelled> {
    clock.say(format_args!("identity: asking for {}", values::user(ctx)));
    sleep(Duration::from_secs(10)).await;
    Ok(())
}

#[cancellable]
async fn database(clock: Stopwatch) -> Result<(), Cancelled> {
    for page in 1..100 {
        clock.say(format_args!(
            "database: page {page} of {}, trace {}",
            values::user(ctx),
            values::trace(ctx),
        ));
        sleep(Duration::from_millis(150)).await;
    }
    Ok(())
}

/// Blocking code has no await; it looks at the context between two rounds.
fn token(ctx: &Context, clock: Stopwatch) -> Result<(), Cancelled> {
    clock.say(format_args!("token: checking {}'s", values::user(ctx)));
    let mut digest = 1_u64;
    for round in 0..u64::from(u32::MAX) {
        if round % 1024 == 0 {
            ctx.check()?;
        }
        digest = digest.rotate_left(5).wrapping_mul(0x0100_0000_01b3) ^ round;
    }
    clock.say(format_args!("token: digest {digest:x}"));
    Ok(())
}

/// An annotated `main` gets a `ctx` that Ctrl-C cancels, and the request with it.
#[cancellable]
#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let clock = Stopwatch::start();
    let (request, user) = values::attach(ctx, "alice", 42)
        .with_name("request 1")
        .with_cancel();

    let identity = tokio::spawn(identity(request.with_name("identity"), clock));
    let database = tokio::spawn(database(request.with_name("database"), clock));
    let token = request
        .with_name("token")
        .spawn_blocking(move |ctx| token(ctx, clock));

    sleep(Duration::from_millis(400)).await;
    clock.say("the user cancels");
    user.cancel_with("the user pressed stop");

    report(clock, "identity", identity.await?);
    report(clock, "database", database.await?);
    report(clock, "token", token.await?);
    Ok(())
}

fn report(clock: Stopwatch, task: &str, outcome: Result<(), Cancelled>) {
    match outcome {
        Ok(()) => clock.say(format_args!("{task}: finished")),
        Err(cancelled) => clock.say(format_args!("{task}: stopped: {cancelled}")),
    }
}
