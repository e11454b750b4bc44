//! `chain`: who hangs up at the first process stops the query of the third, which says why.

#![cfg(unix)]

mod support;

use support::output_of;

/// How many milliseconds a process had left when its request began.
fn time_left(scene: &str, process: &str) -> u32 {
    let begins = |line: &&str| line.contains(&format!("{process:<6}  begins: "));
    let begins = scene.lines().find(begins).expect("it has begun");
    let (_, left) = begins.rsplit_once(", ").expect("the time that is left");
    let left = left.strip_suffix(" ms left").expect("in milliseconds");
    left.parse().expect("a number")
}

// guarantees E2, E3, E4, G1
#[tokio::test]
async fn a_cancel_and_a_deadline_cross_three_processes() {
    let output = output_of(env!("CARGO_BIN_EXE_chain"), &[]).await;
    let scenes: Vec<&str> = output.split("-- ").skip(1).collect();
    let [answer, hang_up, timeout] = &scenes[..] else {
        panic!("{output}");
    };

    assert!(answer.contains("is told: HTTP/1.1 200 OK"), "{answer}");
    assert_eq!(
        answer.matches("ends: request answered").count(),
        3,
        "{answer}"
    );

    let cause = "caller cancelled: client disconnected, in shop/GET /reports/7";
    assert!(
        hang_up.contains("shop    ends: client disconnected\n"),
        "{hang_up}"
    );
    for line in [
        format!("orders  ends: {cause}\n"),
        format!("ledger  ends: {cause}\n"),
        format!("ledger  the query stops: context canceled ({cause}): "),
    ] {
        assert!(hang_up.contains(&line), "{hang_up}");
    }
    assert!(
        hang_up.contains("; in ledger/POST /chain.Ledger/Total\n"),
        "{hang_up}"
    );

    assert!(
        timeout.contains("is told: HTTP/1.1 504 Gateway Timeout"),
        "{timeout}"
    );
    assert!(
        timeout.contains("shop    ends: caller's timeout of 300 ms\n"),
        "{timeout}"
    );
    let query = "ledger  the query stops: context ";
    assert!(timeout.contains(query), "{timeout}");
    for process in ["shop", "orders", "ledger"] {
        assert!(time_left(timeout, process) <= 300, "{timeout}");
    }

    for scene in [hang_up, timeout] {
        let (_, took) = scene
            .split_once("to the last stop: ")
            .expect("how long it took");
        let (took, _) = took.split_once(" ms").expect("in milliseconds");
        assert!(took.parse::<f64>().unwrap() <= 100.0, "{scene}");
    }
}
