//! The functions whose awaits are measured: one source, without the attribute and with it. What corresponds
//! to them in the peers is in `by_hand.rs`.

use cancel_context::{Cancelled, Context, cancellable};
use tokio::sync::mpsc;

use crate::hand::{self, Opaque, Slot};
use crate::turns::Seat;

/// Functions of which each awaits the next one, `$wrap` around it; the first is the innermost.
///
/// The parameters and arguments that carry the context come from `functions`, as does the attribute,
/// which `$is_annotated` turns on.
macro_rules! levels {
    (
        $is_annotated:meta $mode:meta [$($parameter:tt)*] [$($argument:tt)*] $wrap:path;
        $inner:ident $outer:ident $($rest:ident)*
    ) => {
        #[cfg_attr($is_annotated, $mode)]
        pub(crate) async fn $outer($($parameter)* slot: &Slot) -> Result<u64, Cancelled> {
            Ok($wrap($inner($($argument)* slot)).await? + 1)
        }

        levels! {
            $is_annotated $mode [$($parameter)*] [$($argument)*] $wrap;
            $outer $($rest)*
        }
    };
    (
        $is_annotated:meta $mode:meta [$($parameter:tt)*] [$($argument:tt)*] $wrap:path;
        $outermost:ident
    ) => {};
}

/// The functions, once.
macro_rules! functions {
    ($module:ident, $is_annotated:meta, $mode:meta, [$($parameter:tt)*], [$($argument:tt)*]) => {
        #[allow(dead_code, reason = "not every form is measured in every way")]
        pub(crate) mod $module {
            #[allow(unused_imports, reason = "the bare ones have no context")]
            use super::{
                Cancelled, Context, Opaque, Seat, Slot, cancellable, hand, identity, mpsc,
            };

            /// Awaits what is ready.
            #[cfg_attr($is_annotated, $mode)]
            pub(crate) async fn ready($($parameter)* times: usize) -> Result<u64, Cancelled> {
                let mut sum = 0;
                for number in 0..times {
                    sum += hand::ready(number as u64).await;
                }
                Ok(sum)
            }

            /// Awaits what is pending once.
            #[cfg_attr($is_annotated, $mode)]
            pub(crate) async fn woken(
                $($parameter)*
                slot: &Slot,
                times: usize,
            ) -> Result<u64, Cancelled> {
                let mut sum = 0;
                for _ in 0..times {
                    sum += slot.woken().await;
                }
                Ok(sum)
            }

            /// Wakes the other of two tasks, and waits until that wakes this one.
            #[cfg_attr($is_annotated, $mode)]
            pub(crate) async fn alternate(
                $($parameter)*
                seat: &Seat,
                times: usize,
            ) -> Result<u64, Cancelled> {
                let mut sum = 0;
                for _ in 0..times {
                    seat.wake_other();
                    sum += seat.woken().await;
                }
                // The other one waits for the last time.
                seat.wake_other();
                Ok(sum)
            }

            /// One side of a channel each way.
            #[cfg_attr($is_annotated, $mode)]
            pub(crate) async fn call(
                $($parameter)*
                requests: mpsc::Sender<u64>,
                mut replies: mpsc::Receiver<u64>,
                times: usize,
            ) -> Result<u64, Cancelled> {
                let mut sum = 0;
                for number in 0..times {
                    let sent = requests.send(number as u64).await;
                    sent.expect("the other task listens");
                    sum += replies.recv().await.expect("the other task replies");
                }
                Ok(sum)
            }

            /// The other side of it.
            #[cfg_attr($is_annotated, $mode)]
            pub(crate) async fn reply(
                $($parameter)*
                mut requests: mpsc::Receiver<u64>,
                replies: mpsc::Sender<u64>,
            ) -> Result<(), Cancelled> {
                while let Some(request) = requests.recv().await {
                    let sent = replies.send(request + 1).await;
                    sent.expect("the other task listens");
                }
                Ok(())
            }

            #[cfg_attr($is_annotated, $mode)]
            pub(crate) async fn level1($($parameter)* slot: &Slot) -> Result<u64, Cancelled> {
                Ok(slot.woken().await + 1)
            }

            levels! {
                $is_annotated $mode [$($parameter)*] [$($argument)*] identity;
                level1 level2 level3 level4 level5 level6 level7 level8 level9 level10
            }

            levels! {
                $is_annotated $mode [$($parameter)*] [$($argument)*] Opaque::new;
                level1 opaque2 opaque3 opaque4 opaque5 opaque6 opaque7 opaque8 opaque9 opaque10
            }
        }
    };
}

functions!(bare, any(), cancellable, [], []);
functions!(explicit, all(), cancellable, [ctx: &Context,], [ctx,]);
functions!(generic, all(), cancellable(inject = ctx), [], [ctx,]);
functions!(implicit, all(), cancellable(implicit), [], []);

pub(crate) fn identity<F>(future: F) -> F {
    future
}
