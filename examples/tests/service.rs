//! `service` stops without losing anything, names what does not end, and exits as it should. It is told to by signals.

#![cfg(unix)]

mod support;

use support::output_of;

const SERVICE: &str = env!("CARGO_BIN_EXE_service");
const SOURCE: &str = include_str!("../src/bin/service/serve.rs");

/// The number before or after `name` in what the load counts: `sent 8000, accepted 4000`.
fn count(line: &str, name: &str) -> usize {
    let numbers = line.split(", ").filter_map(|part| part.rsplit_once(' '));
    let (_, number) = numbers
        .map(|(name, number)| {
            (
                name.rsplit_once(": ").map_or(name, |(_, name)| name),
                number,
            )
        })
        .find(|(found, _)| *found == name)
        .unwrap_or_else(|| panic!("no {name} in {line}"));
    number.parse().expect("a number")
}

/// The lines of each scene.
fn scenes(output: &str) -> Vec<Vec<&str>> {
    let scenes = output.split("-- ").skip(1);
    scenes.map(|scene| scene.lines().collect()).collect()
}

fn line_with<'a>(scene: &[&'a str], text: &str) -> &'a str {
    let found = scene.iter().find(|line| line.contains(text));
    found.unwrap_or_else(|| panic!("no {text:?} in {scene:#?}"))
}

// guarantee D7
#[tokio::test]
async fn nothing_is_lost_what_is_stuck_is_named_and_a_second_signal_exits() {
    let output = output_of(SERVICE, &[]).await;
    let scenes = scenes(&output);
    let [clean, stuck, twice] = &scenes[..] else {
        panic!("{output}");
    };

    line_with(clean, "the service has ended: exit status: 0");
    let load = line_with(clean, "load: ");
    let (accepted, answered) = (count(load, "accepted"), count(load, "answered"));
    assert!(accepted >= 4_000 && accepted == answered, "{load}");
    assert_eq!(count(load, "goodbyes"), 200, "{load}");
    assert_eq!(count(load, "lost"), 0, "{load}");

    line_with(stuck, "the service has ended: exit status: 1");
    let hangs = SOURCE
        .lines()
        .position(|line| line.contains("write_to_a_log_that_is_gone().await"));
    let place = format!(
        " in examples/src/bin/service/serve.rs:{}:",
        hangs.unwrap() + 1
    );
    let named = line_with(stuck, "/request stuck, spawned at");
    assert!(named.contains(&place), "{named}");
    assert!(named.contains("`write_to_a_log_that_is_gone()`"), "{named}");
    let load = line_with(stuck, "load: ");
    assert!(count(load, "answered") >= 3_999, "{load}");

    line_with(twice, "the service has ended: exit status: 130");
}
