//! A server that knows of no shutdown, ended by its scope; and as a server like any other.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use cancel_context::private::{children, waiting};
use cancel_context::{Cancelled, Context};
use futures::future::join_all;
use tests::client::Client;
use tests::parts::{Failures, Kind, Parts};
use tests::server::{Config, Server, Store, purge};
use tests::variants::detached;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::yield_now;

/// How many connections of each sort are open.
const EACH: usize = 25;

fn multi_thread() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build();
    runtime.expect("the runtime starts")
}

fn current_thread() -> Runtime {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("the runtime starts")
}

fn config(limit: usize) -> Config {
    Config {
        limit,
        parts: Parts::default(),
        failures: Failures::default(),
    }
}

/// A client that is being served.
async fn served(address: SocketAddr) -> io::Result<Client> {
    let mut client = Client::connect(address).await?;
    assert_eq!(client.ask("PING").await?, "PONG");
    Ok(client)
}

/// Opens connections in every state: idle, in the middle of a request, subscribed, and behind the limit.
async fn crowd(address: SocketAddr, parts: &Parts) -> io::Result<Vec<Client>> {
    let mut clients = Vec::new();
    for _ in 0..EACH {
        clients.push(served(address).await?);
        let mut halfway = served(address).await?;
        halfway.send("SET key val").await?;
        clients.push(halfway);
        let mut subscriber = served(address).await?;
        let reply = subscriber.ask("SUBSCRIBE news").await?;
        assert_eq!(reply, "SUBSCRIBED news");
        clients.push(subscriber);
    }
    for _ in 0..EACH {
        let mut queued = Client::connect(address).await?;
        queued.send("PING\n").await?;
        clients.push(queued);
    }
    parts.until_alive(Kind::PartialRequest, EACH).await;
    parts.until_alive(Kind::Subscription, EACH).await;
    parts.until_alive(Kind::Queued, EACH).await;
    parts.until_alive(Kind::Connection, 4 * EACH).await;
    Ok(clients)
}

async fn until_closed(client: &mut Client) {
    let rest = client.until_closed().await.expect("is closed or reset");
    assert_eq!(rest, b"", "a client got what it did not ask for");
}

/// Waits until all tasks of this runtime but `count` have ended.
async fn until_tasks(count: usize) {
    while Handle::current().metrics().num_alive_tasks() > count {
        yield_now().await;
    }
}

async fn a_crowd_ends_with_the_scope() -> io::Result<()> {
    let config = config(3 * EACH);
    let (parts, failures) = (config.parts.clone(), config.failures.clone());
    let (ctx, canceller) = Context::background().with_cancel();
    let handles = ctx.handle_count();
    let tasks = Handle::current().metrics().num_alive_tasks();
    let server = Server::bind(config).await?;
    let address = server.address()?;
    let scope = ctx.clone();
    let task = tokio::spawn(async move { scope.run(server.run()).await });
    let mut clients = crowd(address, &parts).await?;
    // Each task waits with one waker, the accept loop and the purge too.
    while waiting(&ctx) < 4 * EACH + 2 {
        yield_now().await;
    }
    assert_eq!(waiting(&ctx), 4 * EACH + 2);

    let ending = Instant::now();
    canceller.cancel();
    join_all(clients.iter_mut().map(until_closed)).await;
    let end = task.await.expect("the server does not panic");
    until_tasks(tasks).await;
    let took = ending.elapsed();
    println!("{} connections ended after {took:?}", clients.len());
    assert!(took <= Duration::from_millis(50), "took {took:?}");

    // The function can leave with an error, and did so before its scope.
    let error = end.expect("`run` left first").unwrap_err();
    assert!(was_cancelled(&error));
    assert_eq!(parts.made(Kind::Connection), 4 * EACH);
    parts.assert_dropped_once();
    // Those that were served left with an error as well; those that waited had none to leave with.
    let failed = failures.take();
    assert_eq!(failed.len(), 3 * EACH);
    assert!(failed.iter().all(|error| was_cancelled(error.as_ref())));
    drop((error, failed));
    assert_eq!((waiting(&ctx), children(&ctx)), (0, 0));
    assert_eq!(ctx.handle_count(), handles);
    Client::connect(address).await.expect_err("nobody listens");
    Ok(())
}

/// Whether it is, or carries, the end of the scope.
fn was_cancelled(error: &(dyn Error + 'static)) -> bool {
    let inner = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref);
    error.is::<Cancelled>() || inner.is_some_and(<dyn Error + Send + Sync>::is::<Cancelled>)
}

// guarantee A2, A3, A6, B8
#[test]
fn a_hundred_connections_end_with_the_scope_on_many_threads() -> io::Result<()> {
    multi_thread().block_on(a_crowd_ends_with_the_scope())
}

// guarantee A2, A3, A6, B8
#[test]
fn a_hundred_connections_end_with_the_scope_on_one_thread() -> io::Result<()> {
    current_thread().block_on(a_crowd_ends_with_the_scope())
}

// guarantee A3: without `inherit_spawns` a spawned task is in no scope
#[tokio::test]
async fn connections_outlive_the_scope_unless_spawns_inherit_it() -> io::Result<()> {
    let config = config(2);
    let parts = config.parts.clone();
    let server = detached::Server::bind(detached::Config {
        limit: config.limit,
        parts: config.parts,
        failures: config.failures,
    });
    let server = server.await?;
    let address = server.address()?;
    let (ctx, canceller) = Context::background().with_cancel();
    let task = tokio::spawn(async move { ctx.run(server.run()).await });
    let mut client = served(address).await?;
    canceller.cancel();
    let end = task.await.expect("the server does not panic");
    end.expect("`run` left first").unwrap_err();
    parts.until_alive(Kind::Listener, 0).await;
    assert_eq!(client.ask("SET key value").await?, "OK");
    assert_eq!(client.ask("GET key").await?, "VALUE value");
    parts.until_alive(Kind::Connection, 1).await;
    parts.until_alive(Kind::Purge, 1).await;
    drop(client);
    parts.until_alive(Kind::Connection, 0).await;
    Ok(())
}

/// Starts a server that nobody cancels.
async fn start(limit: usize) -> io::Result<(SocketAddr, Parts)> {
    let config = config(limit);
    let parts = config.parts.clone();
    let server = Server::bind(config).await?;
    let address = server.address()?;
    tokio::spawn(server.run());
    Ok((address, parts))
}

// guarantee A2, A7
#[tokio::test]
async fn without_a_scope_it_is_a_server_like_any_other() -> io::Result<()> {
    let (address, _) = start(2).await?;
    let mut client = served(address).await?;
    assert_eq!(client.ask("GET key").await?, "NONE");
    assert_eq!(client.ask("SET key value").await?, "OK");
    let mut other = served(address).await?;
    assert_eq!(other.ask("GET key").await?, "VALUE value");
    assert_eq!(client.ask("GET").await?, "ERROR GET: no key");
    assert_eq!(client.ask("HELLO").await?, "ERROR unknown request");
    client.send("PING\nGET key\nPI").await?;
    assert_eq!(client.receive().await?, "PONG");
    assert_eq!(client.receive().await?, "VALUE value");
    assert_eq!(client.ask("NG").await?, "PONG");
    Ok(())
}

// guarantee A2, A7
#[tokio::test]
async fn what_is_published_reaches_those_who_have_subscribed() -> io::Result<()> {
    let (address, parts) = start(3).await?;
    let mut publisher = served(address).await?;
    let mut subscribers = [served(address).await?, served(address).await?];
    for subscriber in &mut subscribers {
        let reply = subscriber.ask("SUBSCRIBE news").await?;
        assert_eq!(reply, "SUBSCRIBED news");
    }
    assert_eq!(publisher.ask("PUBLISH news hello").await?, "RECEIVERS 2");
    assert_eq!(publisher.ask("PUBLISH other hello").await?, "RECEIVERS 0");
    for subscriber in &mut subscribers {
        assert_eq!(subscriber.receive().await?, "MESSAGE hello");
    }
    assert_eq!(subscribers[0].ask("UNSUBSCRIBE").await?, "OK");
    assert_eq!(subscribers[0].ask("PING").await?, "PONG");
    parts.until_alive(Kind::Subscription, 1).await;
    assert_eq!(publisher.ask("PUBLISH news bye").await?, "RECEIVERS 1");
    assert_eq!(subscribers[1].receive().await?, "MESSAGE bye");
    Ok(())
}

// guarantee A2, A7
#[tokio::test]
async fn a_connection_behind_the_limit_is_served_when_another_ends() -> io::Result<()> {
    let (address, parts) = start(1).await?;
    let first = served(address).await?;
    let mut second = Client::connect(address).await?;
    parts.until_alive(Kind::Queued, 1).await;
    drop(first);
    assert_eq!(second.ask("PING").await?, "PONG");
    Ok(())
}

// guarantee A2, A7
#[tokio::test(start_paused = true)]
async fn a_key_is_gone_when_it_expires() {
    let store = Store::default();
    let parts = Parts::default();
    let task = tokio::spawn(purge(store.clone(), parts.part(Kind::Purge)));
    let second = Duration::from_secs(1);
    store.set("long", "1", Some(3 * second));
    store.set("short", "2", Some(second));
    store.set("renewed", "3", Some(second));
    store.set("renewed", "3", None);
    yield_now().await;
    tokio::time::advance(second / 2).await;
    yield_now().await;
    assert_eq!(store.get("short").as_deref(), Some("2"));
    tokio::time::advance(second).await;
    yield_now().await;
    assert_eq!(store.get("short"), None);
    assert_eq!(store.get("long").as_deref(), Some("1"));
    tokio::time::advance(2 * second).await;
    yield_now().await;
    assert_eq!(store.get("long"), None);
    assert_eq!(store.get("renewed").as_deref(), Some("3"));
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    parts.assert_dropped_once();
}

// guarantee A2, A7
#[tokio::test]
async fn an_expiry_is_part_of_the_request() -> io::Result<()> {
    let (address, _) = start(1).await?;
    let mut client = served(address).await?;
    tokio::time::pause();
    assert_eq!(client.ask("SET key value 1000").await?, "OK");
    tokio::time::advance(Duration::from_secs(2)).await;
    yield_now().await;
    assert_eq!(client.ask("GET key").await?, "NONE");
    Ok(())
}
