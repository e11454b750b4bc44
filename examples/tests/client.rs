//! `client`: a cancelled POST is aborted on the wire.

mod support;

use support::output_of;

/// What comes after `text` in the line of `scene` that has it.
fn after<'s>(scene: &'s str, text: &str) -> &'s str {
    let mut found = scene.lines().filter_map(|line| line.split_once(text));
    let (_, rest) = found
        .next()
        .unwrap_or_else(|| panic!("no {text:?} in {scene}"));
    rest
}

// guarantees E3, E4, G1
#[tokio::test]
async fn a_request_is_aborted_on_the_wire() {
    let output = output_of(env!("CARGO_BIN_EXE_client"), &[]).await;
    let scenes: Vec<&str> = output.split("-- ").skip(1).collect();
    let [answer, at_work, in_answer, timeout, before] = &scenes[..] else {
        panic!("{output}");
    };
    assert_eq!(after(answer, "client: "), "thank you, good-bye!");

    let why = "context canceled (the user changed her mind): ";
    for (scene, left) in [
        (at_work, "left examples/src/bin/client.rs:"),
        (in_answer, ""),
    ] {
        assert_eq!(after(scene, "server: a request; "), "it has no limit");
        let error = after(scene, "client: ").strip_prefix(why).expect(why);
        assert!(error.starts_with(left), "{error}");
        let rest = scene
            .split_once("user: changes her mind")
            .expect("she does")
            .1;
        after(rest, "server: the connection is ");
    }

    after(timeout, "server: a request; x-request-timeout: ");
    let why = "context deadline exceeded (the shop is too slow): left ";
    assert!(after(timeout, "client: ").starts_with(why), "{timeout}");
    after(timeout, "server: the connection is ");

    let why = "context canceled (the user was too late): left ";
    assert!(after(before, "client: ").starts_with(why), "{before}");
    after(before, "server: has seen nobody");
}
