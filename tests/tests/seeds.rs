//! The feature `testing`: a seed cancels implicit tests at random awaits.
//!
//! The test itself runs in processes of its own, since the seed is in their environment.

use std::collections::BTreeSet;
use std::process::Command;

use cancel_context::cancellable;

const NAME: &str = "a_hundred_awaits";

#[cancellable(implicit)]
#[tokio::test]
async fn a_hundred_awaits() -> Result<(), String> {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// What the test says of itself under this seed.
fn run(seed: &str) -> String {
    let program = std::env::current_exe().expect("it is known");
    let output = Command::new(program)
        .args(["--exact", NAME, "--nocapture"])
        .env("CANCEL_CONTEXT_SEED", seed)
        .output()
        .expect("it runs");
    assert!(output.status.success(), "seed {seed}: {output:?}");
    String::from_utf8(output.stderr).expect("is text")
}

#[test]
fn a_seed_decides_where_the_test_is_cancelled_and_is_printed() {
    let mut awaits = BTreeSet::new();
    for seed in 1..=30 {
        let text = run(&seed.to_string());
        let start = format!("cancel-context: seed {seed}: seeds::{NAME} ");
        let said = text.lines().find_map(|line| line.strip_prefix(&start));
        let said = said.unwrap_or_else(|| panic!("seed {seed}: {text}"));
        if let Some(rest) = said.strip_prefix("was cancelled at await ") {
            let (number, site) = rest.split_once(", ").expect("names the site");
            awaits.insert(number.parse::<u32>().expect("is a number"));
            assert!(site.contains("seeds.rs:"), "{site}");
            assert!(site.ends_with("`tokio::task::yield_now()`"), "{site}");
        } else {
            assert_eq!(said, "ran to its end, 100 awaits were checked at 1 sites");
        }
        assert_eq!(run(&seed.to_string()), text, "it can be replayed");
    }
    assert!(awaits.len() > 5, "{awaits:?}");
}

#[test]
fn seed_zero_counts_only() {
    let text = run("0");
    assert!(
        text.contains("100 awaits were checked at 1 sites"),
        "{text}"
    );
}
