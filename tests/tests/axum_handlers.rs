//! Handlers of axum: annotated, with the context of their request.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::get;
use cancel_context::tower::{ContextLayer, RequestEnd, TIMEOUT, TimeoutLayer};
use cancel_context::{Cancelled, Context, cancellable};
use futures::channel::oneshot;
use http_body_util::BodyExt;
use tower::ServiceExt;

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(600);

#[cancellable]
async fn explicit(ctx: Context) -> Result<String, Cancelled> {
    tokio::task::yield_now().await;
    Ok(ctx.path())
}

#[cancellable(implicit)]
async fn implicit() -> String {
    tokio::task::yield_now().await;
    Context::current().path()
}

#[cancellable]
async fn explicit_and_slow(ctx: Context) -> Result<String, Cancelled> {
    std::future::pending::<()>().await;
    Ok(ctx.path())
}

#[cancellable(implicit)]
async fn implicit_and_slow() -> String {
    std::future::pending::<()>().await;
    String::from("never")
}

async fn not_annotated() {
    std::future::pending::<()>().await;
}

fn router(server: &Context) -> Router {
    let short = TimeoutLayer::new(Duration::from_millis(20));
    Router::new()
        .route("/explicit/{id}", get(explicit))
        .route("/implicit/{id}", get(implicit))
        .route("/explicit-slow", get(explicit_and_slow).layer(short))
        .route("/implicit-slow", get(implicit_and_slow).layer(short))
        .route("/not-annotated", get(not_annotated).layer(short))
        .layer(ContextLayer::new(server).timeout(LONG))
}

async fn answer(router: Router, path: &str) -> (StatusCode, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = router.oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

// guarantee E2
#[tokio::test]
async fn handlers_of_both_modes_have_the_context_of_their_request() {
    for path in ["/explicit/7", "/implicit/7"] {
        let (status, body) = answer(router(&Context::background()), path).await;
        assert_eq!((status, body), (StatusCode::OK, format!("GET {path}")));
    }
}

// guarantee E2
#[tokio::test]
async fn a_handler_that_takes_too_long_answers_504_without_content() {
    for path in ["/explicit-slow", "/implicit-slow", "/not-annotated"] {
        let answer = answer(router(&Context::background()), path).await;
        assert_eq!(
            answer,
            (StatusCode::GATEWAY_TIMEOUT, String::new()),
            "{path}"
        );
    }
}

// guarantee E2
#[tokio::test]
async fn without_a_layer_the_context_is_the_current_one() {
    let router = Router::new().route("/explicit", get(explicit));
    let ctx = Context::background().with_name("alone");
    let answer = ctx.run(answer(router, "/explicit")).await.unwrap();
    assert_eq!(answer, (StatusCode::OK, String::from("alone")));
}

// guarantees E2, E4
#[tokio::test]
async fn a_handler_may_answer_for_itself_why_there_is_no_answer() {
    let (sender, ended) = oneshot::channel();
    let sender = std::sync::Arc::new(std::sync::Mutex::new(Some(sender)));
    let handler = move |ctx: Context| async move {
        let late = explicit_and_slow(ctx.clone()).await.unwrap_err();
        let sender = sender.lock().unwrap().take().unwrap();
        sender.send(RequestEnd::of(&ctx)).unwrap();
        (StatusCode::IM_A_TEAPOT, late.to_string())
    };
    let router = Router::new().route("/", get(handler));
    let router = router.layer(ContextLayer::new(&Context::background()));
    let request = Request::get("/").header(TIMEOUT, "20m");
    let response = router.oneshot(request.body(Body::empty()).unwrap());
    let response = response.await.unwrap();
    assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
    let text = response.collect().await.unwrap().to_bytes();
    let text = String::from_utf8(text.to_vec()).unwrap();
    assert!(
        text.starts_with("context deadline exceeded (caller's timeout of 20 ms): left "),
        "{text}"
    );
    assert!(matches!(
        ended.await.unwrap(),
        Some(RequestEnd::TimedOut { .. })
    ));
}
