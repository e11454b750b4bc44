//! What a process does, as lines of JSON with the time: the parent puts those of all processes in order.

use std::fmt::Display;
use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use cancel_context::Context;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Event {
    /// In microseconds since 1970: the clock that all processes share.
    pub(crate) at: u64,
    pub(crate) text: String,
}

impl Event {
    pub(crate) fn now(text: impl Display) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let at = since.map_or(0, |since| since.as_micros());
        Self {
            at: u64::try_from(at).unwrap_or(u64::MAX),
            text: text.to_string(),
        }
    }
}

pub(crate) fn say(text: impl Display) {
    let line = serde_json::to_string(&Event::now(text)).expect("a number and a text");
    // Nobody listens when the parent is gone.
    writeln!(io::stdout(), "{line}").ok();
}

/// Says that a request has begun, and how it ends.
pub(crate) fn follow(ctx: Context) {
    let time = match ctx.remaining() {
        Some(time) => format!("{} ms left", time.as_millis()),
        None => String::from("no limit"),
    };
    say(format_args!("begins: {}, {time}", ctx.path()));
    tokio::spawn(async move {
        let cancelled = ctx.cancelled().await;
        say(format_args!("ends: {}", cancelled.cause()));
    });
}
