//! The functions of `annotated.rs` as they are written with the peers, which each have an await of their
//! own; and what the peers need for that.

use std::sync::LazyLock;
use std::time::Duration;

use stop_token::StopSource;
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes.
pub(crate) const LONG: Duration = Duration::from_secs(3600);

/// A peer was cancelled.
#[derive(Debug)]
pub(crate) struct Stopped;

/// What the peers are cancelled by, but never are.
pub(crate) struct Sources {
    pub(crate) token: CancellationToken,
    pub(crate) limit: Duration,
    pub(crate) source: StopSource,
}

impl Sources {
    /// For tasks, which cannot borrow any.
    pub(crate) fn of_tasks() -> &'static Self {
        static SOURCES: LazyLock<Sources> = LazyLock::new(Sources::default);
        &SOURCES
    }
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            token: CancellationToken::new(),
            limit: LONG,
            source: StopSource::new(),
        }
    }
}

/// As `levels` of `annotated.rs`; `$wait` is an await with `$context`.
macro_rules! levels {
    ($context:ident: $Type:ty, $wait:ident, $wrap:path; $inner:ident $outer:ident $($rest:ident)*) => {
        pub(crate) async fn $outer($context: &$Type, slot: &Slot) -> Result<u64, Stopped> {
            Ok($wait!($context, $wrap($inner($context, slot)))? + 1)
        }

        levels! { $context: $Type, $wait, $wrap; $outer $($rest)* }
    };
    ($context:ident: $Type:ty, $wait:ident, $wrap:path; $outermost:ident) => {};
}

/// The functions, once.
macro_rules! functions {
    ($module:ident, $context:ident: $Type:ty, $wait:ident) => {
        pub(crate) mod $module {
            #[allow(unused_imports, reason = "by the traits of one of them")]
            use stop_token::future::FutureExt as _;
            use tokio::sync::mpsc;

            use super::Stopped;
            use crate::annotated::identity;
            use crate::hand::{self, Opaque, Slot};
            use crate::turns::Seat;

            pub(crate) async fn ready($context: &$Type, times: usize) -> Result<u64, Stopped> {
                let mut sum = 0;
                for number in 0..times {
                    sum += $wait!($context, hand::ready(number as u64));
                }
                Ok(sum)
            }

            pub(crate) async fn woken(
                $context: &$Type,
                slot: &Slot,
                times: usize,
            ) -> Result<u64, Stopped> {
                let mut sum = 0;
                for _ in 0..times {
                    sum += $wait!($context, slot.woken());
                }
                Ok(sum)
            }

            pub(crate) async fn alternate(
                $context: &$Type,
                seat: &Seat,
                times: usize,
            ) -> Result<u64, Stopped> {
                let mut sum = 0;
                for _ in 0..times {
                    seat.wake_other();
                    sum += $wait!($context, seat.woken());
                }
                seat.wake_other();
                Ok(sum)
            }

            pub(crate) async fn call(
                $context: &$Type,
                requests: mpsc::Sender<u64>,
                mut replies: mpsc::Receiver<u64>,
                times: usize,
            ) -> Result<u64, Stopped> {
                let mut sum = 0;
                for number in 0..times {
                    let sent = $wait!($context, requests.send(number as u64));
                    sent.expect("the other task listens");
                    let reply = $wait!($context, replies.recv());
                    sum += reply.expect("the other task replies");
                }
                Ok(sum)
            }

            pub(crate) async fn reply(
                $context: &$Type,
                mut requests: mpsc::Receiver<u64>,
                replies: mpsc::Sender<u64>,
            ) -> Result<(), Stopped> {
                while let Some(request) = $wait!($context, requests.recv()) {
                    let sent = $wait!($context, replies.send(request + 1));
                    sent.expect("the other task listens");
                }
                Ok(())
            }

            pub(crate) async fn level1($context: &$Type, slot: &Slot) -> Result<u64, Stopped> {
                Ok($wait!($context, slot.woken()) + 1)
            }

            levels! {
                $context: $Type, $wait, identity;
                level1 level2 level3 level4 level5 level6 level7 level8 level9 level10
            }

            levels! {
                $context: $Type, $wait, Opaque::new;
                level1 opaque2 opaque3 opaque4 opaque5 opaque6 opaque7 opaque8 opaque9 opaque10
            }
        }
    };
}

macro_rules! wait_with_token {
    ($token:ident, $future:expr) => {
        $token.run_until_cancelled($future).await.ok_or(Stopped)?
    };
}

macro_rules! wait_with_select {
    ($token:ident, $future:expr) => {
        tokio::select! {
            biased;
            () = $token.cancelled() => return Err(Stopped),
            output = $future => output,
        }
    };
}

macro_rules! wait_with_timeout {
    ($limit:ident, $future:expr) => {
        tokio::time::timeout(*$limit, $future)
            .await
            .map_err(|_| Stopped)?
    };
}

macro_rules! wait_with_stop_token {
    ($source:ident, $future:expr) => {
        $future
            .timeout_at($source.token())
            .await
            .map_err(|_| Stopped)?
    };
}

functions!(with_token, token: tokio_util::sync::CancellationToken, wait_with_token);
functions!(with_select, token: tokio_util::sync::CancellationToken, wait_with_select);
functions!(with_timeout, limit: std::time::Duration, wait_with_timeout);
functions!(with_stop_token, source: stop_token::StopSource, wait_with_stop_token);

/// Enters the peers into a race; `$work` is a peer's turn, with its functions and what cancels them.
macro_rules! enter_peers {
    ($race:ident, $sources:ident, |$functions:ident, $context:ident, $times:ident| $work:expr) => {
        $crate::by_hand::enter_peers! {
            @each $race, $sources, |$functions, $context, $times| $work;
            TokioUtil with_token token,
            Select with_select token,
            Timeout with_timeout limit,
            StopToken with_stop_token source,
        }
    };
    (
        @each $race:ident, $sources:ident, |$functions:ident, $context:ident, $times:ident| $work:expr;
        $who:ident $module:ident $field:ident, $($rest:tt)*
    ) => {
        {
            use $crate::by_hand::$module as $functions;
            let $context = &$sources.$field;
            $race.enter($crate::measure::Who::$who, move |$times| $work);
        }
        $crate::by_hand::enter_peers! {
            @each $race, $sources, |$functions, $context, $times| $work; $($rest)*
        }
    };
    (
        @each $race:ident, $sources:ident, |$functions:ident, $context:ident, $times:ident| $work:expr;
    ) => {};
}

pub(crate) use enter_peers;
