//! Cancels as statuses of gRPC, and statuses as cancels.

use std::time::Duration;

use cancel_context::{Cancelled, Context, Kind, Origin};
use tonic::{Code, Status};

// guarantee E4
#[test]
fn a_cancel_is_a_status_and_the_same_cancel_again() {
    let (ctx, canceller) = Context::background().with_cancel();
    canceller.cancel_with("the user hung up");
    let late = Context::background().with_timeout(Duration::ZERO);
    for (ctx, code, message) in [
        (ctx, Code::Cancelled, "context canceled"),
        (late, Code::DeadlineExceeded, "context deadline exceeded"),
    ] {
        let own = ctx.check().unwrap_err();
        let status = Status::from(own.clone());
        // The cause is not for everyone.
        assert_eq!((status.code(), status.message()), (code, message));
        let again = Cancelled::try_from(status).unwrap();
        assert_eq!(again.to_string(), own.to_string());
    }
}

// guarantee E4
#[test]
fn a_status_of_a_peer_is_a_cancel_by_the_peer() {
    let cancelled = Cancelled::try_from(Status::cancelled("shop closed")).unwrap();
    assert_eq!(cancelled.kind(), Kind::Cancelled);
    assert_eq!(
        cancelled.to_string(),
        "context canceled (shop closed): said by the peer"
    );
    assert!(matches!(cancelled.origin(), Origin::Peer));
    let cancelled = Cancelled::try_from(Status::deadline_exceeded("")).unwrap();
    assert_eq!(
        cancelled.to_string(),
        "context deadline exceeded: said by the peer"
    );
    let other = Cancelled::try_from(Status::not_found("no such order")).unwrap_err();
    assert_eq!(other.code(), Code::NotFound);
}
