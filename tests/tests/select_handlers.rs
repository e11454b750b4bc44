//! The handlers and patterns of `select!`: they mean what they mean without us.

use std::future::{pending, ready};

use cancel_context::{Cancelled, Context, cancellable};
use tests::{Polled, Trace, complete};
use tokio::sync::mpsc;

// guarantee A3
#[test]
fn handlers_break_continue_and_return() {
    #[cancellable]
    async fn selects(receiver: &mut mpsc::Receiver<u8>) -> Result<u8, Cancelled> {
        let mut sum = 0;
        let last = 'outer: loop {
            loop {
                tokio::select! {
                    Some(value) = receiver.recv() => match value {
                        0 => continue,
                        1 => break 'outer sum,
                        2 => return Ok(100),
                        3 => break,
                        other => sum += other,
                    },
                    else => return Ok(200),
                }
                sum += 10;
            }
            sum += 50;
        };
        Ok(last)
    }
    let run = |values: &[u8]| {
        let (sender, mut receiver) = mpsc::channel(8);
        for value in values {
            sender.try_send(*value).unwrap();
        }
        drop(sender);
        complete(selects(Context::background(), &mut receiver)).unwrap()
    };
    assert_eq!(run(&[0, 5, 0, 7, 1]), 32);
    assert_eq!(run(&[5, 2]), 100);
    assert_eq!(run(&[5, 3, 1]), 65);
    assert_eq!(run(&[5]), 200);
}

// guarantee A3
#[test]
fn handlers_use_the_question_mark() {
    #[cancellable]
    async fn parses(text: &str) -> Result<u8, Box<dyn std::error::Error>> {
        let number = tokio::select! {
            text = ready(text) => text.parse::<u8>()?,
            () = pending() => 0,
        };
        Ok(number)
    }
    assert_eq!(complete(parses(Context::background(), "7")).unwrap(), 7);
    complete(parses(Context::background(), "seven")).unwrap_err();
}

// guarantee A3
#[test]
fn an_await_in_a_handler_is_checked() {
    #[cancellable]
    async fn selects(trace: &Trace) -> Result<(), Cancelled> {
        tokio::select! {
            () = ready(()) => tests::pending(trace, "handler").await,
            else => {}
        }
        Ok(())
    }
    let trace = Trace::default();
    let (ctx, canceller) = Context::background().with_cancel();
    let mut call = Polled::new(selects(&ctx, &trace));
    call.waits();
    canceller.cancel();
    let left = call.completes().unwrap_err().site().unwrap();
    assert_eq!(left.expression(), "tests::pending(trace, \"handler\")");
    assert_eq!(trace.take(), "handler handler -handler");
}

// guarantee A3
#[test]
fn a_context_that_is_shadowed_in_a_handler_narrows_there() {
    #[cancellable]
    async fn selects(other: &Context) -> Result<&'static str, Cancelled> {
        tokio::select! {
            ctx = ready(other) => {
                pending::<()>().await;
                Ok(if ctx.is_cancelled() { "never" } else { "nor" })
            }
        }
    }
    let (other, canceller) = Context::background().with_name("other").with_cancel();
    canceller.cancel();
    let left = complete(selects(Context::background(), &other)).unwrap_err();
    assert_eq!(left.path(), "other");
}

#[derive(Debug, PartialEq)]
enum Message {
    Text { id: u8, body: String },
    Pair(u8, Option<u8>),
    End,
}

const SPECIAL: u8 = 9;

#[cancellable]
async fn describes(message: Message) -> Result<String, Cancelled> {
    let mut message = Some(message);
    let mut next = || ready(message.take().expect("is asked for once"));
    Ok(tokio::select! {
        message = next() => tokio::select! {
            Message::Text { id: id @ 1..=5, ref body } = ready(message) => format!("{id} {body}"),
            else => String::from("other"),
        },
        else => String::from("never"),
    })
}

// guarantee A3
#[test]
fn patterns_bind_by_name_range_and_reference() {
    let describe = |message| complete(describes(Context::background(), message)).unwrap();
    let text = |id| Message::Text {
        id,
        body: "hello".into(),
    };
    assert_eq!(describe(text(3)), "3 hello");
    assert_eq!(describe(text(6)), "other");
    assert_eq!(describe(Message::End), "other");
}

// guarantee A3
#[test]
fn patterns_match_constants_alternatives_and_rests() {
    #[cancellable]
    async fn classifies(message: Message) -> Result<&'static str, Cancelled> {
        let by_constant = |message: &Message| match message {
            Message::Pair(left, right) => Some((*left, *right)),
            _ => None,
        };
        let pair = by_constant(&message);
        Ok(tokio::select! {
            biased;
            Some((SPECIAL, ..)) = ready(pair) => "special",
            Some((1, None) | (2, Some(_))) = ready(pair) => "either",
            Some((mut left, right)) = ready(pair) => {
                left += right.unwrap_or(0);
                if left > 10 { "large" } else { "small" }
            }
            Message::End = ready(message) => "end",
            else => "text",
        })
    }
    let classify = |message| complete(classifies(Context::background(), message)).unwrap();
    assert_eq!(classify(Message::Pair(9, None)), "special");
    assert_eq!(classify(Message::Pair(1, None)), "either");
    assert_eq!(classify(Message::Pair(2, Some(1))), "either");
    assert_eq!(classify(Message::Pair(8, Some(8))), "large");
    assert_eq!(classify(Message::Pair(3, None)), "small");
    assert_eq!(classify(Message::End), "end");
}

// guarantee A3
#[test]
fn bindings_by_mutable_reference_and_at_patterns_work() {
    #[cancellable]
    async fn changes(values: &mut Vec<u8>) -> Result<usize, Cancelled> {
        let length = tokio::select! {
            Some(ref mut taken) = ready(Some(std::mem::take(values))) => {
                taken.push(1);
                *values = std::mem::take(taken);
                values.len()
            }
            all @ None = ready(None::<Vec<u8>>) => all.map_or(77, |_| 0),
        };
        Ok(length)
    }
    let mut values = vec![0];
    let length = complete(changes(Context::background(), &mut values)).unwrap();
    assert!(length == 77 || (length == 2 && values == [0, 1]));
}

// guarantee A7
#[test]
fn the_arms_are_dropped_before_the_handler_runs() {
    async fn plain(trace: &Trace) {
        tokio::select! {
            biased;
            () = tests::pending(trace, "loser") => {}
            _value = async { trace.drops("value") } => trace.note("handler"),
        }
    }
    #[cancellable]
    async fn annotated(trace: &Trace) -> Result<(), Cancelled> {
        tokio::select! {
            biased;
            () = tests::pending(trace, "loser") => {}
            _value = async { trace.drops("value") } => trace.note("handler"),
        }
        Ok(())
    }
    let trace = Trace::default();
    complete(plain(&trace));
    let expected = trace.take();
    complete(annotated(Context::background(), &trace)).unwrap();
    assert_eq!(trace.take(), expected);
    assert_eq!(expected, "loser -loser handler -value");
}

// guarantee A7
#[test]
fn the_value_of_a_wildcard_pattern_is_dropped_as_without_us() {
    async fn plain(trace: &Trace) {
        tokio::select! {
            _ = async { trace.drops("value") } => trace.note("handler"),
        }
    }
    #[cancellable]
    async fn annotated(trace: &Trace) -> Result<(), Cancelled> {
        tokio::select! {
            _ = async { trace.drops("value") } => trace.note("handler"),
        }
        Ok(())
    }
    let trace = Trace::default();
    complete(plain(&trace));
    let expected = trace.take();
    complete(annotated(Context::background(), &trace)).unwrap();
    assert_eq!(trace.take(), expected);
}

// guarantee A7
#[test]
fn a_handler_may_use_what_the_futures_borrowed() {
    #[cancellable]
    async fn selects(receiver: &mut mpsc::Receiver<u8>) -> Result<u8, Cancelled> {
        tokio::select! {
            Some(value) = receiver.recv() => {
                receiver.close();
                Ok(value)
            }
            () = pending() => {
                receiver.close();
                Ok(0)
            }
        }
    }
    let (sender, mut receiver) = mpsc::channel(1);
    sender.try_send(7).unwrap();
    assert_eq!(
        complete(selects(Context::background(), &mut receiver)).unwrap(),
        7
    );
    assert!(sender.is_closed());
}

// guarantee A3
#[test]
fn a_select_without_trailing_commas_and_with_blocks_parses() {
    #[cancellable]
    async fn selects() -> Result<u8, Cancelled> {
        Ok(tokio::select! {
            () = pending() => { 1 }
            value = ready(2) => if value == 2 { 3 } else { 4 },
            () = async { pending::<()>().await } => unreachable!()
        })
    }
    assert_eq!(complete(selects(Context::background())).unwrap(), 3);
}

// guarantee A3
#[test]
fn a_future_that_moves_the_context_is_allowed() {
    #[cancellable]
    async fn wait() -> Result<(), Cancelled> {
        pending::<()>().await;
        Ok(())
    }
    #[cancellable]
    async fn selects(ctx: Context) -> Result<(), Cancelled> {
        tokio::select! {
            result = wait(ctx) => result,
            () = pending() => Ok(()),
        }
    }
    let (ctx, canceller) = Context::background().with_cancel();
    let mut call = Polled::new(selects(ctx));
    call.waits();
    canceller.cancel();
    let left = call.completes().unwrap_err().site().unwrap();
    assert_eq!(left.expression(), "pending::<()>()");
}
