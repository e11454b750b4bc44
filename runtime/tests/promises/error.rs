//! `Cancelled`: its text, its parts, and what it turns into.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use cancel_context::{Cancelled, Cause, Context, FromCancelled, Kind, Origin};

use crate::support::panics;

/// The place of this file as the compiler was given it.
const FILE: &str = file!();

#[derive(Debug)]
struct Panicking;

impl fmt::Display for Panicking {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("a cause panics on purpose")
    }
}

impl Error for Panicking {}

fn cancelled_with(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Cancelled {
    let (context, canceller) = Context::background().with_cancel();
    canceller.cancel_with(cause);
    context.check().unwrap_err()
}

// guarantee B6
#[test]
fn it_has_the_traits_it_promises_and_is_one_pointer_wide() {
    fn promised<T: Error + Send + Sync + Clone + 'static>() {}
    promised::<Cancelled>();
    assert_eq!(size_of::<Cancelled>(), size_of::<usize>());
    assert_eq!(size_of::<Result<(), Cancelled>>(), size_of::<usize>());
}

// guarantee B6
#[test]
fn the_texts_of_the_kinds_are_those_of_go() {
    assert_eq!(Kind::Cancelled.to_string(), "context canceled");
    assert_eq!(
        Kind::DeadlineExceeded.to_string(),
        "context deadline exceeded"
    );
}

// guarantee B6, G1
#[test]
fn the_line_names_the_call_that_cancelled_and_the_place_that_was_left() {
    let (context, canceller) = Context::background().with_name("job").with_cancel();
    let call = line!() + 1;
    canceller.cancel();
    let left = line!() + 1;
    let cancelled = context.check().unwrap_err();
    assert_eq!(
        cancelled.to_string(),
        format!("context canceled: left {FILE}:{left}:29; cancelled at {FILE}:{call}:15; in job")
    );
    assert!(matches!(cancelled.origin(), Origin::Cancelled(place) if place.line() == call));
    assert!(!cancelled.is_timeout());
    assert_eq!(cancelled.kind(), Kind::Cancelled);
    assert_eq!((cancelled.path(), cancelled.site()), ("job", None));
}

// guarantee B6, G1
#[test]
fn the_line_names_where_a_deadline_was_set() {
    let gateway = Context::background()
        .with_name("gateway")
        .with_name("request 7");
    let set = line!() + 1;
    let context = gateway.with_timeout(Duration::ZERO).with_name("db");
    let left = line!() + 1;
    let cancelled = context.check().unwrap_err();
    assert_eq!(
        cancelled.to_string(),
        format!(
            "context deadline exceeded: left {FILE}:{left}:29; set at {FILE}:{set}:27; \
             in gateway/request 7/db"
        )
    );
    assert!(cancelled.is_timeout());
    let set = line!() + 1;
    let context = gateway.with_timeout_cause(Duration::ZERO, "budget");
    let text = context.check().unwrap_err().to_string();
    assert!(
        text.starts_with("context deadline exceeded (budget): left "),
        "{text}"
    );
    assert!(text.contains(&format!("set at {FILE}:{set}:27")), "{text}");
}

// guarantee B6, G1
#[test]
fn the_line_says_where_a_dropped_canceller_was_made() {
    let made = line!() + 1;
    let (context, canceller) = Context::background().with_cancel();
    drop(canceller);
    let left = line!() + 1;
    let text = context.check().unwrap_err().to_string();
    assert_eq!(
        text,
        format!("context canceled: left {FILE}:{left}:24; dropped, made at {FILE}:{made}:54")
    );
}

// guarantee B6, G1
#[test]
fn the_line_says_where_a_completed_future_was_attached() {
    let attached = line!() + 1;
    let context = Context::background().with_future(async { "closed" });
    let text = context.check().unwrap_err().to_string();
    let end = format!("; completed, attached at {FILE}:{attached}:41");
    assert!(
        text.starts_with("context canceled (closed): left ") && text.ends_with(&end),
        "{text}"
    );
}

// guarantee B6, G1
#[test]
fn without_a_place_that_was_left_the_line_names_the_other_end() {
    let (context, canceller) = Context::background().with_name("job").with_cancel();
    let call = line!() + 1;
    canceller.cancel_with("enough");
    let cancelled = futures::executor::block_on(context.cancelled());
    assert_eq!(
        cancelled.to_string(),
        format!("context canceled (enough): cancelled at {FILE}:{call}:15; in job")
    );
    assert_eq!(format!("{cancelled:?}"), format!("Cancelled({cancelled})"));
    assert_eq!(cancelled.clone().to_string(), cancelled.to_string());
}

// guarantee G1
#[cfg(feature = "macros")]
#[test]
fn the_line_names_the_await_that_was_left_and_its_expression() {
    use crate::support::tasks::HandTask;

    #[cancel_context::cancellable]
    async fn leaf() -> Result<(), Cancelled> {
        std::future::pending::<()>().await;
        Ok(())
    }

    #[cancel_context::cancellable]
    async fn caller() -> Result<(), Cancelled> {
        leaf(ctx).await
    }

    let (context, canceller) = Context::background().with_name("request 7").with_cancel();
    let mut task = HandTask::new(caller(&context));
    task.assert_pending();
    let call = line!() + 1;
    canceller.cancel_with("hung up");
    let cancelled = task.assert_ready().unwrap_err();
    let site = cancelled
        .site()
        .expect("an await of an annotated function was left");
    assert_eq!(site.expression(), "std::future::pending::<()>()");
    assert_eq!(site.file(), FILE);
    assert!(site.function().ends_with("leaf"), "{site:?}");
    assert_eq!(
        cancelled.to_string(),
        format!(
            "context canceled (hung up): left {FILE}:{}:{} `std::future::pending::<()>()`; \
             cancelled at {FILE}:{call}:15; in request 7",
            site.line(),
            site.column()
        )
    );
    let source = include_str!("error.rs");
    let line = source
        .lines()
        .nth(usize::try_from(site.line()).unwrap() - 1)
        .unwrap();
    let column = usize::try_from(site.column()).unwrap() - 1;
    assert!(line[column..].starts_with("await"), "{line}");
}

// guarantee B6
#[test]
fn the_text_is_one_line_whatever_a_cause_or_a_name_contains() {
    for text in ["two\nlines", "two\r\nlines", "two\rlines"] {
        let cancelled = cancelled_with(text).to_string();
        assert!(
            cancelled.contains("two") && cancelled.contains("lines"),
            "{cancelled:?}"
        );
        assert!(!cancelled.contains(['\n', '\r']), "{cancelled:?}");
    }
    let (context, canceller) = Context::background().with_name("two\nlines").with_cancel();
    canceller.cancel();
    let text = context.check().unwrap_err().to_string();
    assert!(!text.contains('\n'), "{text:?}");
}

// guarantee B6
#[test]
fn a_cause_whose_text_panics_does_not_hide_the_cancellation() {
    panics::watch();
    let cancelled = cancelled_with(Panicking);
    let text = cancelled.to_string();
    assert!(
        text.starts_with("context canceled (a cause whose text panics): left "),
        "{text}"
    );
    assert!(text.contains("; cancelled at "), "{text}");
    assert!(cancelled.cause().downcast_ref::<Panicking>().is_some());
}

// guarantee B6
#[test]
fn a_cause_is_the_source_and_can_be_downcast() {
    let cancelled = cancelled_with(io::Error::new(io::ErrorKind::BrokenPipe, "hung up"));
    let cause: Cause = cancelled.cause();
    let cause = cause.downcast_ref::<io::Error>().unwrap();
    assert_eq!(cause.kind(), io::ErrorKind::BrokenPipe);
    let source = cancelled.source().unwrap();
    assert_eq!(source.to_string(), "hung up");
    assert!(source.downcast_ref::<io::Error>().is_some());
}

// guarantee B6
#[test]
fn without_an_explicit_cause_there_is_no_source() {
    let context = Context::background().with_timeout(Duration::ZERO);
    let cancelled = context.check().unwrap_err();
    assert!(cancelled.source().is_none());
    assert_eq!(
        cancelled.cause().downcast_ref(),
        Some(&Kind::DeadlineExceeded)
    );
}

// guarantee A5
#[test]
fn as_an_io_error_it_is_timed_out_or_other_and_is_found_again() {
    let timed_out = Context::background()
        .with_timeout(Duration::ZERO)
        .check()
        .unwrap_err();
    let error = io::Error::from(timed_out.clone());
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert_eq!(error.to_string(), timed_out.to_string());
    let error = io::Error::from(cancelled_with("hung up"));
    assert_eq!(error.kind(), io::ErrorKind::Other);
    let found = error
        .get_ref()
        .unwrap()
        .downcast_ref::<Cancelled>()
        .unwrap();
    assert_eq!(found.cause().to_string(), "hung up");
    assert!(error.downcast::<Cancelled>().is_ok());
}

// guarantee A5
#[test]
fn as_a_string_it_is_its_line_and_as_nothing_it_is_nothing() {
    let cancelled = cancelled_with("hung up");
    assert_eq!(String::from(cancelled.clone()), cancelled.to_string());
    let nothing: Result<u8, ()> = FromCancelled::from_cancelled(cancelled.clone());
    assert_eq!(nothing, Err(()));
    let text: Result<u8, String> = FromCancelled::from_cancelled(cancelled.clone());
    assert_eq!(text, Err(cancelled.to_string()));
}

// guarantee A5
#[test]
fn as_a_boxed_error_it_can_be_downcast() {
    fn work(context: &Context) -> Result<(), Box<dyn Error + Send + Sync>> {
        context.check()?;
        Ok(())
    }
    let context = Context::background().with_timeout(Duration::ZERO);
    let error = work(&context).unwrap_err();
    assert!(error.downcast_ref::<Cancelled>().unwrap().is_timeout());
}

// guarantee B6; the symptom: "context canceled" without a reason, hours of debugging
#[test]
fn the_cause_survives_every_layer() {
    let (context, canceller) = Context::background().with_cancel();
    let mut layered = context;
    for depth in 0..20_u8 {
        layered = match depth % 5 {
            0 => layered.with_value(depth),
            1 => layered.with_timeout(Duration::from_secs(3600)),
            2 => Context::any([Context::background(), layered]),
            3 => Context::all([layered]),
            _ => layered.with_future(std::future::pending::<&str>()),
        };
    }
    canceller.cancel_with(io::Error::other("disk full"));
    drop(canceller);
    let error: Box<dyn Error + Send + Sync> = layered.check().unwrap_err().into();
    let error = io::Error::other(error);
    let cancelled = error
        .get_ref()
        .unwrap()
        .downcast_ref::<Cancelled>()
        .unwrap();
    assert_eq!(
        cancelled
            .cause()
            .downcast_ref::<io::Error>()
            .unwrap()
            .to_string(),
        "disk full"
    );
}
