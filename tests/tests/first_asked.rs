//! The context of a request is made when somebody asks for it first, whoever and whenever that is: nobody can tell.

use std::convert::Infallible;
use std::future::{Future, pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context as Task, Poll, Waker};

use axum::body::Bytes;
use cancel_context::tower::{ContextBody, ContextLayer, RequestEnd};
use cancel_context::{Cancelled, Canceller, Context, cancellable, private};
use futures::FutureExt;
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Body, Frame, SizeHint};
use hyper::{Request, Response, StatusCode};
use tower::{Layer, Service, service_fn};

type Asked = Arc<Mutex<Vec<Context>>>;

/// Asks for the current context when it is polled, if it is to, and when it is dropped.
struct Asking {
    asked: Asked,
    when_polled: bool,
    gives: Option<Bytes>,
}

impl Asking {
    fn ask(&self) {
        self.asked.lock().unwrap().push(Context::current());
    }
}

impl Body for Asking {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.when_polled {
            self.ask();
        }
        Poll::Ready(self.gives.take().map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.gives.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.gives.as_ref().map_or(0, |data| data.len() as u64))
    }
}

impl Future for Asking {
    type Output = Result<Response<Full<Bytes>>, Infallible>;

    fn poll(self: Pin<&mut Self>, _: &mut Task<'_>) -> Poll<Self::Output> {
        if self.when_polled {
            self.ask();
        }
        match self.gives.clone() {
            Some(data) => Poll::Ready(Ok(Response::new(Full::new(data)))),
            None => Poll::Pending,
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.ask();
    }
}

fn server() -> (Context, Canceller) {
    Context::background().with_name("shop").with_cancel()
}

fn request() -> Request<()> {
    Request::get("/orders").body(()).unwrap()
}

/// Polls once.
fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    future.poll_unpin(&mut Task::from_waker(Waker::noop()))
}

// guarantee E2
#[tokio::test]
async fn all_who_ask_are_given_the_same_context() {
    for asks_first in 0..3 {
        let (server, _canceller) = server();
        let asked = Asked::default();
        let note = |asks: bool| asks.then(|| asked.lock().unwrap().push(Context::current()));
        let mut service = ContextLayer::new(&server).layer(service_fn(|_: Request<()>| {
            note(asks_first == 0);
            let body = Asking {
                asked: Arc::clone(&asked),
                when_polled: asks_first < 3,
                gives: Some("hello".into()),
            };
            async move {
                note(asks_first <= 1);
                Ok::<_, Infallible>(Response::new(body))
            }
        }));
        let answer = service.call(request()).await.unwrap();
        assert_eq!(answer.collect().await.unwrap().to_bytes(), "hello");
        let mut asked = asked.lock().unwrap();
        assert_eq!(asked.len(), 4 - asks_first);
        let context = asked[0].clone();
        assert!(asked.iter().all(|other| *other == context));
        assert_eq!(context.path(), "shop/GET /orders");
        assert_eq!(RequestEnd::of(&context), Some(RequestEnd::Answered));
        asked.clear();
        drop(context);
        assert_eq!(private::children(&server), 0);
    }
}

// guarantee E2; the symptom: a destructor that asked first was given a context that had not ended
#[tokio::test]
async fn a_destructor_that_asks_first_sees_why_its_request_has_ended() {
    let asked = Asked::default();
    let handler = || Asking {
        asked: Arc::clone(&asked),
        when_polled: false,
        gives: None,
    };
    let (server, _canceller) = server();
    let mut service = ContextLayer::new(&server).layer(service_fn(|_: Request<()>| handler()));
    let mut answer = service.call(request());
    assert!(poll(&mut answer).is_pending());
    drop(answer);
    let context = asked.lock().unwrap().remove(0);
    assert_eq!(context.path(), "shop/GET /orders");
    assert_eq!(RequestEnd::of(&context), Some(RequestEnd::Disconnected));
}

// guarantee E2
#[tokio::test]
async fn the_destructor_of_a_body_that_nobody_reads_sees_that_the_client_has_gone() {
    let asked = Asked::default();
    let (server, _canceller) = server();
    let mut service = ContextLayer::new(&server).layer(service_fn(|_: Request<()>| {
        let body = Asking {
            asked: Arc::clone(&asked),
            when_polled: false,
            gives: Some("hello".into()),
        };
        ready(Ok::<_, Infallible>(Response::new(body)))
    }));
    drop(service.call(request()).await.unwrap());
    let context = asked.lock().unwrap().remove(0);
    assert_eq!(RequestEnd::of(&context), Some(RequestEnd::Disconnected));
}

// guarantee E2
#[tokio::test]
async fn a_body_of_which_all_is_sent_has_not_failed_if_it_is_not_polled_to_its_end() {
    for status in [StatusCode::OK, StatusCode::NO_CONTENT] {
        let asked = Asked::default();
        let (server, _canceller) = server();
        let mut service = ContextLayer::new(&server).layer(service_fn(|_: Request<()>| {
            let is_sent = status == StatusCode::OK;
            let body = Asking {
                asked: Arc::clone(&asked),
                when_polled: true,
                gives: (!is_sent).then(|| "not sent".into()),
            };
            let mut answer = Response::new(body);
            *answer.status_mut() = status;
            ready(Ok::<_, Infallible>(answer))
        }));
        drop(service.call(request()).await.unwrap());
        let context = asked.lock().unwrap().remove(0);
        assert_eq!(RequestEnd::of(&context), Some(RequestEnd::Answered));
    }
}

#[cancellable]
async fn wait(ctx: Context) -> Result<Response<Full<Bytes>>, Cancelled> {
    pending().await
}

/// What a handler that never ends makes of the end of the server; and the answer to it.
async fn shut_down<F>(handler: impl Fn() -> F) -> Response<ContextBody<Full<Bytes>>>
where
    F: Future<Output = Result<Response<Full<Bytes>>, Infallible>> + Send + 'static,
{
    let (server, canceller) = server();
    let handler = |_: Request<()>| -> BoxFuture<'static, _> { Box::pin(handler()) };
    let mut answer = ContextLayer::new(&server)
        .layer(service_fn(handler))
        .call(request());
    assert!(poll(&mut answer).is_pending());
    let answer = tokio::spawn(answer);
    tokio::task::yield_now().await;
    canceller.cancel();
    answer.await.unwrap().unwrap()
}

// guarantees A1, E2
#[tokio::test]
async fn a_handler_that_asks_in_the_middle_of_a_poll_is_left_when_the_server_ends() {
    let left = Arc::new(Mutex::new(None));
    let answer = shut_down(|| {
        let left = Arc::clone(&left);
        async move {
            let cancelled = wait(Context::current()).await.unwrap_err();
            *left.lock().unwrap() = Some(cancelled);
            Ok(Response::new(Full::new("sorry".into())))
        }
    });
    let answer = answer.await;
    assert_eq!(answer.collect().await.unwrap().to_bytes(), "sorry");
    let cancelled = left.lock().unwrap().take().unwrap();
    assert_eq!(cancelled.path(), "shop/GET /orders");
}

// guarantee E2
#[tokio::test]
async fn a_handler_that_never_asks_ends_with_the_server() {
    let answer = shut_down(pending).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
}

// guarantee E2
#[tokio::test]
async fn a_body_that_never_asks_ends_with_the_server() {
    let (server, canceller) = server();
    let mut service = ContextLayer::new(&server).layer(service_fn(|_: Request<()>| {
        let silence = futures::stream::pending::<Result<Frame<Bytes>, Infallible>>();
        ready(Ok::<_, Infallible>(Response::new(StreamBody::new(silence))))
    }));
    let mut answer = service.call(request()).await.unwrap();
    assert!(poll(&mut answer.frame()).is_pending());
    let frame = tokio::spawn(async move { answer.frame().await });
    tokio::task::yield_now().await;
    canceller.cancel();
    let error = frame.await.unwrap().unwrap().unwrap_err();
    assert_eq!(
        Cancelled::find_in(&*error).unwrap().path(),
        "shop/GET /orders"
    );
}

// guarantee E2; the symptom: the layer panicked, since there was no answer
#[tokio::test]
async fn a_server_that_ends_while_a_request_is_polled_first_ends_that() {
    let (server, canceller) = server();
    let mut service = ContextLayer::new(&server).layer(service_fn(|_: Request<()>| {
        let canceller = canceller.clone();
        async move {
            canceller.cancel();
            pending::<Result<Response<Full<Bytes>>, Infallible>>().await
        }
    }));
    let answer = service.call(request()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
}

// guarantee E2; the symptom: it had been cancelled, nobody knew why
#[tokio::test]
async fn a_service_that_panics_as_it_is_called_has_failed() {
    let (server, _canceller) = server();
    let asked = Asked::default();
    let mut service = ContextLayer::new(&server).layer(service_fn(|_: Request<()>| {
        asked.lock().unwrap().push(Context::current());
        assert!(
            !server.is_cancelled() && asked.lock().unwrap().is_empty(),
            "it is to panic"
        );
        pending::<Result<Response<Full<Bytes>>, Infallible>>()
    }));
    let called = catch_unwind(AssertUnwindSafe(|| service.call(request())));
    assert!(called.is_err());
    let context = asked.lock().unwrap().remove(0);
    assert_eq!(RequestEnd::of(&context), Some(RequestEnd::Failed));
}
