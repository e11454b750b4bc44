//! `gateway` plays its scenes, on real sockets and a real database, and serves whoever asks.

mod support;

use std::net::SocketAddr;

use serde_json::{Map, Value};
use support::{LIMIT, finished, output_of, start};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::ChildStdout;
use tokio::sync::Mutex;
use tokio::time::timeout;

const GATEWAY: &str = env!("CARGO_BIN_EXE_gateway");
const SOURCES: &str = "examples/src/bin/gateway/";

/// The times that the gateway promises are for a machine that does not run a second one.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

struct Expected {
    scene: &'static str,
    ended_by: &'static str,
    /// The beginning of the error, and what ended the context.
    error: Option<(&'static str, &'static str)>,
}

const SCENES: [Expected; 5] = [
    Expected {
        scene: "0",
        ended_by: "completion",
        error: None,
    },
    Expected {
        scene: "a",
        ended_by: "completion",
        error: None,
    },
    Expected {
        scene: "b",
        ended_by: "client disconnected",
        error: Some((
            "context canceled (client disconnected): left ",
            "; cancelled at examples/src/bin/gateway/server.rs:",
        )),
    },
    Expected {
        scene: "c",
        ended_by: "route timeout of 50 ms",
        error: Some((
            "context deadline exceeded (route timeout of 50 ms): left ",
            "; set at examples/src/bin/gateway/server.rs:",
        )),
    },
    Expected {
        scene: "d",
        ended_by: "SIGINT",
        error: Some(("context canceled (SIGINT): left ", "; signal SIGINT; ")),
    },
];

// guarantees A4, A5, B4, B6, B8, B11, C2, D2, G1
#[tokio::test]
async fn every_scene_stops_in_time_and_leaves_nothing() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let output = output_of(GATEWAY, &["--json"]).await;
    let scenes: Vec<Map<String, Value>> = output
        .lines()
        .map(|line| serde_json::from_str(line).expect("one JSON object per line"))
        .collect();
    assert_eq!(scenes.len(), SCENES.len());
    for (scene, expected) in scenes.iter().zip(&SCENES) {
        let keys: Vec<&str> = scene.keys().map(String::as_str).collect();
        let mut all = [
            "scene",
            "branches",
            "ended_by",
            "stop_ms",
            "error",
            "left_over",
        ];
        all.sort_unstable();
        assert_eq!(keys, all);
        assert_eq!(scene["scene"], expected.scene);
        assert_eq!(scene["ended_by"], expected.ended_by);
        assert_eq!(scene["left_over"], Value::Array(Vec::new()));
        match expected.error {
            None => assert_completed(scene),
            Some(ends) => assert_cancelled(scene, ends),
        }
    }
}

fn assert_completed(scene: &Map<String, Value>) {
    assert_eq!(scene["stop_ms"], Value::Null);
    assert_eq!(scene["error"], Value::Null);
    for (_, ran, outcome) in branches(scene) {
        assert_eq!(outcome, "completed");
        if scene["scene"] == "0" {
            assert!(ran >= 3000.0, "the control ran for {ran} ms only");
        }
    }
}

fn assert_cancelled(scene: &Map<String, Value>, (begin, origin): (&str, &str)) {
    let stop = scene["stop_ms"].as_f64().expect("a number");
    assert!((0.0..=100.0).contains(&stop), "stopped after {stop} ms");
    let outcomes = [
        "cancelled",
        "cancelled by SQLite's interrupt",
        "cancelled by its own check",
    ];
    for ((name, ran, outcome), expected) in branches(scene).into_iter().zip(outcomes) {
        assert_eq!(outcome, expected, "{name}");
        assert!(ran < 3000.0, "{name} ran for {ran} ms");
    }

    let error = scene["error"].as_str().expect("a text");
    let rest = error
        .strip_prefix(begin)
        .unwrap_or_else(|| panic!("{error}"));
    let (place, rest) = rest.split_once(" `").expect("the awaited expression");
    assert_place(place);
    let (expression, rest) = rest.split_once('`').expect("the end of the expression");
    assert_eq!(expression, "client.http.get(uri)");
    assert!(rest.starts_with(origin), "{rest}");
    let (_, path) = rest.split_once("; in ").expect("the path");
    let paths = ["", "/quick"].map(|route| format!("gateway/GET {route}/orders/7/identity"));
    assert!(paths.iter().any(|expected| expected == path), "{rest}");
}

/// `examples/src/bin/gateway/….rs:line:column`
fn assert_place(place: &str) {
    let (file, numbers) = place.split_once(".rs:").expect("a file of Rust");
    assert!(file.starts_with(SOURCES), "{place}");
    let numbers: Vec<u32> = numbers
        .split(':')
        .map(|part| part.parse().expect("a number"))
        .collect();
    assert_eq!(numbers.len(), 2, "{place}");
}

/// Name, milliseconds and outcome of the three branches.
fn branches(scene: &Map<String, Value>) -> Vec<(&str, f64, &str)> {
    let branches = scene["branches"].as_array().expect("an array");
    let branches: Vec<_> = branches
        .iter()
        .map(|branch| {
            let milliseconds = |key: &str| branch[key].as_f64().expect("a number");
            (
                branch["name"].as_str().expect("a name"),
                milliseconds("ended_ms") - milliseconds("started_ms"),
                branch["outcome"].as_str().expect("an outcome"),
            )
        })
        .collect();
    let names: Vec<&str> = branches.iter().map(|(name, _, _)| *name).collect();
    assert_eq!(names, ["identity", "order", "token"]);
    branches
}

// guarantee G1
#[tokio::test]
async fn a_person_sees_a_timeline_of_each_scene() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let output = output_of(GATEWAY, &[]).await;
    let scenes: Vec<&str> = output
        .split("\n\n")
        .filter(|scene| !scene.is_empty())
        .collect();
    assert_eq!(scenes.len(), SCENES.len());
    for (scene, expected) in scenes.iter().zip(&SCENES) {
        assert!(
            scene.starts_with(&format!("{}  ", expected.scene)),
            "{scene}"
        );
        assert!(scene.matches('█').count() >= 3, "{scene}");
        // What a cancelled branch did not run of what it was asked for.
        assert_eq!(scene.contains('·'), expected.error.is_some(), "{scene}");
        assert!(
            scene.contains(&format!("\n   ended by  {}\n", expected.ended_by)),
            "{scene}"
        );
        assert!(scene.contains("\n   left over nothing"), "{scene}");
        let (begin, _) = expected.error.unwrap_or(("none\n", ""));
        assert!(
            scene.contains(&format!("\n   error     {begin}")),
            "{scene}"
        );
    }
}

// guarantees B6, G1
#[cfg(unix)]
#[tokio::test]
async fn served_requests_are_answered_and_drawn() {
    use rustix::process::{Pid, Signal, kill_process};

    let _alone = ONE_AT_A_TIME.lock().await;
    let mut gateway = start(GATEWAY, &["--serve"]);
    let mut output = BufReader::new(gateway.stdout.take().expect("a pipe"));
    let address = timeout(LIMIT, address(&mut output))
        .await
        .expect("the gateway comes up");
    for (path, status, body) in [
        ("/orders/7", 200, "\"identity\":\"alice\""),
        ("/orders/777", 404, "there is no order 777"),
        ("/quick/orders/7?token=9000", 504, "content-length: 0\r\n"),
        (
            "/orders/7?order=soon",
            400,
            "order: invalid digit found in string",
        ),
    ] {
        let answer = timeout(LIMIT, answer(address, path))
            .await
            .expect("the gateway answers");
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
        assert!(answer.contains(body), "{answer}");
    }

    let id = gateway
        .id()
        .and_then(|id| Pid::from_raw(id.try_into().ok()?));
    kill_process(id.expect("it runs"), Signal::INT).expect("it can be signalled");
    let mut drawn = String::new();
    timeout(LIMIT, output.read_to_string(&mut drawn))
        .await
        .expect("the gateway ends")
        .expect("UTF-8");
    assert!(finished(gateway).await.status.success());
    for (path, ended_by) in [
        ("/orders/7", "completion"),
        ("/orders/777", "there is no order 777"),
        ("/quick/orders/7", "route timeout of 50 ms"),
    ] {
        let title = format!("\ngateway/GET {path}\n");
        let (_, drawing) = drawn.split_once(&title).expect("a drawing per request");
        let (_, rest) = drawing.split_once("   ended by  ").expect("what ended it");
        assert_eq!(rest.lines().next(), Some(ended_by), "{drawing}");
    }
}

/// What the first line of `--serve` says.
async fn address(output: &mut BufReader<ChildStdout>) -> SocketAddr {
    let mut greeting = String::new();
    output.read_line(&mut greeting).await.expect("a line");
    let address = greeting
        .strip_prefix("the gateway listens on ")
        .and_then(|rest| rest.split_once(';'))
        .and_then(|(address, _)| address.parse().ok());
    address.unwrap_or_else(|| panic!("no address in {greeting:?}"))
}

/// What a server answers to one request.
async fn answer(server: SocketAddr, path: &str) -> String {
    let mut socket = TcpStream::connect(server).await.expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    socket
        .write_all(request.as_bytes())
        .await
        .expect("it reads the request");
    let mut answer = String::new();
    socket
        .read_to_string(&mut answer)
        .await
        .expect("it sends an answer");
    answer
}

#[tokio::test]
async fn serving_has_no_json() {
    let output = finished(start(GATEWAY, &["--serve", "--json"])).await;
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        errors.contains("'--serve' cannot be used with '--json'"),
        "{errors}"
    );
}
