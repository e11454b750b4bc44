//! Blocking sockets that end with a context.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use cancel_context::task::Interruptible;
use cancel_context::{Cancelled, Context};

const SHORT: Duration = Duration::from_millis(30);

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(600);

/// Both ends of a connection.
fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (stream, listener.accept().unwrap().0)
}

#[track_caller]
fn cancelled(error: io::Error) -> Cancelled {
    let text = format!("{error:?}");
    error.downcast().unwrap_or_else(|_| panic!("{text}"))
}

/// Reads a byte, which comes, and then one that does not; says so in between.
fn reads_twice(mut stream: Interruptible<TcpStream>, between: &mpsc::Sender<()>) -> io::Error {
    stream.read_exact(&mut [0]).unwrap();
    between.send(()).unwrap();
    let error = stream.read(&mut [0]).unwrap_err();
    let again = stream.read(&mut [0]).unwrap_err();
    assert_eq!(again.to_string(), error.to_string());
    error
}

// guarantee D5
#[test]
fn a_blocked_read_ends_when_the_context_is_cancelled_and_says_why() {
    let (stream, mut peer) = connection();
    let (ctx, canceller) = Context::background().with_cancel();
    let (between, is_between) = mpsc::channel();
    let stream = ctx.interruptible(stream).unwrap();
    let reader = thread::spawn(move || reads_twice(stream, &between));
    peer.write_all(&[1]).unwrap();
    is_between.recv().unwrap();
    canceller.cancel_with("the user hung up");

    let error = reader.join().unwrap();
    assert_eq!(error.kind(), ErrorKind::Other);
    let text = error.to_string();
    assert!(text.contains("(the user hung up): left "), "{text}");
    assert!(text.contains("tests/tasks/blocking_io.rs:"), "{text}");
    assert_eq!(cancelled(error).cause().to_string(), "the user hung up");
    // It was shut down: the peer sees the end.
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
}

// guarantee D5
#[test]
fn a_blocked_read_ends_at_the_deadline_and_not_before() {
    let (stream, _peer) = connection();
    let began = Instant::now();
    let ctx = Context::background().with_timeout(SHORT);
    let mut stream = ctx.interruptible(stream).unwrap();
    let error = stream.read(&mut [0]).unwrap_err();
    assert!(began.elapsed() >= SHORT);
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(cancelled(error).is_timeout());
}

// guarantee D5
#[test]
fn a_blocked_write_ends_when_the_context_does() {
    let (stream, _peer) = connection();
    let (ctx, canceller) = Context::background().with_cancel();
    let mut stream = ctx.interruptible(stream).unwrap();
    let (wrote, has_written) = mpsc::channel();
    let writer = thread::spawn(move || {
        loop {
            match stream.write(&[0; 1 << 14]) {
                Ok(count) => wrote.send(count).unwrap(),
                Err(error) => return error,
            }
        }
    });
    // Nobody reads: it fills what is between the two, and then blocks.
    assert!(has_written.recv().unwrap() > 0);
    canceller.cancel_with("enough");
    let end = cancelled(writer.join().unwrap());
    assert_eq!(end.cause().to_string(), "enough");

    let (stream, _peer) = connection();
    let ctx = Context::background().with_timeout(SHORT);
    let mut stream = ctx.interruptible(stream).unwrap();
    let error = stream.write_all(&vec![0; 1 << 26]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

// guarantee D5
#[test]
fn an_ended_context_lets_nothing_be_read_or_written() {
    let (stream, mut peer) = connection();
    peer.write_all(&[1, 2]).unwrap();
    let (ctx, canceller) = Context::background().with_cancel();
    let mut stream = ctx.interruptible(stream).unwrap();
    stream.read_exact(&mut [0]).unwrap();
    canceller.cancel_with("enough");
    // The second byte has come.
    for error in [stream.read(&mut [0]), stream.write(&[0])] {
        let end = cancelled(error.unwrap_err());
        assert_eq!(end.cause().to_string(), "enough");
    }
    let mut late = ctx.interruptible(connection().0).unwrap();
    cancelled(late.read(&mut [0]).unwrap_err());
}

// guarantee D5
#[test]
fn the_end_of_the_stream_is_the_peers_as_long_as_the_context_has_not_ended() {
    let (stream, mut peer) = connection();
    peer.write_all(b"all of it").unwrap();
    drop(peer);
    let mut text = String::new();
    let ctx = Context::background().with_timeout(LONG);
    let mut stream = ctx.interruptible(stream).unwrap();
    assert_eq!(stream.read_to_string(&mut text).unwrap(), 9);
    assert_eq!(text, "all of it");
}

// guarantee D5
#[test]
fn a_timeout_of_the_sockets_own_gives_its_own_error_if_it_is_the_shorter_one() {
    for timeout in [None, Some(LONG)] {
        let (stream, _peer) = connection();
        stream.set_read_timeout(Some(SHORT)).unwrap();
        let ctx = Context::background().with_timeout(timeout.unwrap_or(Duration::MAX));
        let mut stream = ctx.interruptible(stream).unwrap();
        let error = stream.read(&mut [0]).unwrap_err();
        assert!(error.get_ref().is_none(), "{error:?}");
        assert!(!ctx.is_cancelled());
    }
    let (stream, _peer) = connection();
    stream.set_nonblocking(true).unwrap();
    let ctx = Context::background().with_timeout(LONG);
    let error = ctx.interruptible(stream).unwrap().read(&mut [0]);
    assert_eq!(error.unwrap_err().kind(), ErrorKind::WouldBlock);
}

// guarantees D5, C1
#[test]
fn a_blocked_read_ends_at_the_deadline_as_it_was_moved_meanwhile() {
    let began = Instant::now();
    // The first one has to be moved before it passes.
    for (first, moved) in [(SHORT * 60, SHORT * 62), (LONG, SHORT * 64)] {
        let (stream, mut peer) = connection();
        let (ctx, mover) = Context::background().with_movable_deadline(began + first);
        let stream = ctx.interruptible(stream).unwrap();
        let (between, is_between) = mpsc::channel();
        let reader = thread::spawn(move || reads_twice(stream, &between));
        peer.write_all(&[1]).unwrap();
        is_between.recv().unwrap();
        assert!(mover.move_to(began + moved));
        assert!(cancelled(reader.join().unwrap()).is_timeout());
        assert!(began.elapsed() >= moved);
    }
    assert!(began.elapsed() < LONG);
}

// guarantees D5, C3
#[tokio::test(start_paused = true)]
async fn a_read_does_not_end_before_a_deadline_on_a_paused_clock() {
    let (stream, mut peer) = connection();
    let ctx = Context::background().with_timeout(SHORT);
    let reads = ctx.spawn_blocking(move |ctx| {
        let mut stream = ctx.interruptible(stream).unwrap();
        // Three times as long as the deadline is ahead, by the system's clock.
        let writer = thread::spawn(move || {
            peer.set_read_timeout(Some(SHORT * 3)).unwrap();
            peer.read(&mut [0]).unwrap_err();
            peer.write_all(&[1]).unwrap();
            peer
        });
        stream.read_exact(&mut [0]).unwrap();
        writer.join().unwrap();
    });
    reads.await.unwrap();
    assert!(!ctx.is_cancelled());
}

// guarantees D5, B8
#[test]
fn a_socket_that_was_taken_back_is_as_it_was_and_nothing_is_left_on_the_context() {
    let (stream, mut peer) = connection();
    stream.set_read_timeout(Some(LONG)).unwrap();
    let (ctx, canceller) = Context::background().with_timeout(LONG / 2).with_cancel();
    let handles = ctx.handle_count();
    let mut stream = ctx.interruptible(stream).unwrap();
    peer.write_all(&[1, 2]).unwrap();
    stream.write_all(&[3]).unwrap();
    stream.read_exact(&mut [0]).unwrap();
    assert!(stream.get_ref().read_timeout().unwrap() < Some(LONG));

    let mut stream = stream.into_inner();
    assert_eq!(stream.read_timeout().unwrap(), Some(LONG));
    assert_eq!(stream.write_timeout().unwrap(), None);
    assert_eq!(ctx.handle_count(), handles);
    canceller.cancel();
    let mut byte = [0];
    stream.read_exact(&mut byte).unwrap();
    assert_eq!(byte, [2]);
}

// guarantee D5
#[test]
fn dropping_the_adaptor_closes_the_socket_and_takes_it_off_the_context() {
    let (stream, mut peer) = connection();
    let (ctx, canceller) = Context::background().with_cancel();
    let handles = ctx.handle_count();
    drop(ctx.interruptible(stream).unwrap());
    assert_eq!(ctx.handle_count(), handles);
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
    canceller.cancel();
}

// guarantee D5; the symptom: a clone of a socket kept the time that a deadline had left when it was last read
#[test]
fn dropping_the_adaptor_gives_clones_of_the_socket_its_timeouts_back() {
    let (stream, mut peer) = connection();
    stream.set_write_timeout(Some(LONG)).unwrap();
    let clone = stream.try_clone().unwrap();
    let ctx = Context::background().with_timeout(LONG / 2);
    let mut stream = ctx.interruptible(stream).unwrap();
    peer.write_all(&[1]).unwrap();
    stream.read_exact(&mut [0]).unwrap();
    stream.write_all(&[2]).unwrap();
    assert!(clone.read_timeout().unwrap().is_some());
    assert!(clone.write_timeout().unwrap() < Some(LONG));

    drop(stream);
    assert_eq!(clone.read_timeout().unwrap(), None);
    assert_eq!(clone.write_timeout().unwrap(), Some(LONG));
}

// guarantee D5
#[test]
fn two_threads_read_and_write_one_socket() {
    let (stream, mut peer) = connection();
    let (ctx, canceller) = Context::background().with_cancel();
    let stream = ctx.interruptible(stream).unwrap();
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut bytes = Vec::new();
            let error = (&stream).read_to_end(&mut bytes).unwrap_err();
            (bytes, cancelled(error))
        });
        (&stream).write_all(b"ask").unwrap();
        let mut asked = [0; 3];
        peer.read_exact(&mut asked).unwrap();
        assert_eq!(&asked, b"ask");
        canceller.cancel_with("enough");
        let (bytes, end) = reader.join().unwrap();
        assert!(bytes.is_empty());
        assert_eq!(end.cause().to_string(), "enough");
    });
    peer.shutdown(Shutdown::Both).ok();
}

// guarantee D5
#[cfg(unix)]
#[test]
fn sockets_of_the_local_machine_end_with_a_context_as_well() {
    let (stream, _peer) = std::os::unix::net::UnixStream::pair().unwrap();
    let ctx = Context::background().with_timeout(SHORT);
    let error = ctx.interruptible(stream).unwrap().read(&mut [0]);
    assert!(cancelled(error.unwrap_err()).is_timeout());
}
