//! Macros that print their source print the same text with and without the attribute.

#![expect(
    clippy::cast_lossless,
    clippy::dbg_macro,
    clippy::deref_addrof,
    clippy::nonminimal_bool,
    reason = "the tokens are chosen for how they are printed"
)]

use std::future::{Future, ready};
use std::process::Command;

use cancel_context::{Cancelled, Context, cancellable};
use tests::{complete, panic_text};

/// Defines the same function twice, `plain` and `annotated`, from the same tokens.
macro_rules! twice {
    ($name:ident: $output:ty, $($body:tt)*) => {
        mod $name {
            use super::*;

            pub(super) async fn plain() -> $output {
                $($body)*
            }

            #[cancellable]
            pub(super) async fn annotated() -> $output {
                $($body)*
            }
        }
    };
}

#[track_caller]
fn assert_same_panic<T, U>(
    plain: impl Future<Output = T>,
    annotated: impl Future<Output = U>,
    expected: &str,
) {
    let text = panic_text(|| complete(plain));
    assert_eq!(text, expected);
    assert_eq!(panic_text(|| complete(annotated)), text);
}

#[derive(Debug, PartialEq, PartialOrd)]
struct Shown(u8);

#[derive(PartialEq, PartialOrd)]
struct Opaque(u8);

twice!(plain_condition: Result<(), Cancelled>, assert!(ready(false).await); Ok(()));
twice!(negation: Result<(), Cancelled>, assert!(!ready(true).await); Ok(()));
twice!(comparison: Result<(), Cancelled>, assert!(ready(1).await + 1 == 3); Ok(()));
twice!(chain: Result<(), Cancelled>, assert!(ready(Some(1)).await.map(|n| n + 1).is_none()); Ok(()));
twice!(pattern: Result<(), Cancelled>, assert!(matches!(ready(1).await, 2 | 3)); Ok(()));
twice!(generics: Result<(), Cancelled>, assert!(ready::<Vec<u8>>(vec![1, 2]).await.is_empty()); Ok(()));
twice!(cast: Result<(), Cancelled>, assert!(ready(1_u8).await as u32 == 2 && true); Ok(()));
twice!(reference: Result<(), Cancelled>, assert!(*&ready(false).await); Ok(()));
twice!(braces: Result<(), Cancelled>, assert!({ ready(false).await }); Ok(()));
twice!(index: Result<(), Cancelled>, assert!(ready([false]).await[0]); Ok(()));
twice!(message: Result<(), Cancelled>, assert!(ready(false).await, "no {}", ready(1).await); Ok(()));
twice!(debug_assertion: Result<(), Cancelled>, debug_assert!(ready(false).await); Ok(()));
twice!(equality: Result<(), Cancelled>, assert_eq!(ready(1).await, 2); Ok(()));
twice!(inequality: Result<(), Cancelled>, assert_ne!(ready(1).await, 1, "same"); Ok(()));
twice!(todo: Result<(), Cancelled>, todo!("{}", ready(1).await););
twice!(unreached: Result<(), Cancelled>, unreachable!("{}", ready(1).await););

// guarantee A3
#[test]
fn assertions_panic_with_the_same_text() {
    macro_rules! assert_same {
        ($($name:ident: $expected:literal,)*) => {$(
            let ctx = Context::background();
            assert_same_panic($name::plain(), $name::annotated(&ctx), $expected);
        )*};
    }
    assert_same! {
        plain_condition: "assertion failed: ready(false).await",
        negation: "assertion failed: !ready(true).await",
        comparison: "assertion failed: ready(1).await + 1 == 3",
        chain: "assertion failed: ready(Some(1)).await.map(|n| n + 1).is_none()",
        pattern: "assertion failed: matches!(ready(1).await, 2 | 3)",
        generics: "assertion failed: ready::<Vec<u8>>(vec![1, 2]).await.is_empty()",
        cast: "assertion failed: ready(1_u8).await as u32 == 2 && true",
        reference: "assertion failed: *&ready(false).await",
        braces: "assertion failed: { ready(false).await }",
        index: "assertion failed: ready([false]).await[0]",
        message: "no 1",
        debug_assertion: "assertion failed: ready(false).await",
        equality: "assertion `left == right` failed\n  left: 1\n right: 2",
        inequality: "assertion `left != right` failed: same\n  left: 1\n right: 1",
        todo: "not yet implemented: 1",
        unreached: "internal error: entered unreachable code: 1",
    }
}

twice!(ensured: anyhow::Result<()>, anyhow::ensure!(ready(false).await); Ok(()));
twice!(ensured_not: anyhow::Result<()>, anyhow::ensure!(!ready(true).await); Ok(()));
twice!(ensured_equal: anyhow::Result<()>, anyhow::ensure!(ready(1).await == 2); Ok(()));
twice!(ensured_shown: anyhow::Result<()>, anyhow::ensure!(ready(Shown(1)).await > Shown(2)); Ok(()));
twice!(ensured_opaque: anyhow::Result<()>, anyhow::ensure!(ready(Opaque(1)).await >= Opaque(2)); Ok(()));
twice!(ensured_text: anyhow::Result<()>, anyhow::ensure!(ready("a").await != "a"); Ok(()));
twice!(ensured_both: anyhow::Result<()>, anyhow::ensure!(ready(1).await == ready(2).await); Ok(()));
twice!(ensured_call: anyhow::Result<()>, anyhow::ensure!(ready(Some(1)).await.is_none()); Ok(()));
twice!(ensured_and: anyhow::Result<()>, anyhow::ensure!(ready(true).await && ready(1).await < 1); Ok(()));
twice!(ensured_sum: anyhow::Result<()>, anyhow::ensure!(ready(1).await + 1 <= 1); Ok(()));
twice!(ensured_message: anyhow::Result<()>, anyhow::ensure!(ready(false).await, "no {}", ready(1).await); Ok(()));
twice!(bailed: anyhow::Result<()>, anyhow::bail!("gone {}", ready(1).await););

// guarantee A3
#[test]
fn ensure_fails_with_the_same_text() {
    macro_rules! assert_same {
        ($($name:ident)*) => {$(
            let plain = complete($name::plain()).unwrap_err().to_string();
            let annotated = complete($name::annotated(Context::background())).unwrap_err();
            assert_eq!(annotated.to_string(), plain);
        )*};
    }
    assert_same! {
        ensured ensured_not ensured_equal ensured_shown ensured_opaque ensured_text ensured_both ensured_call ensured_and ensured_sum ensured_message bailed
    }
}

twice!(debugged: Result<(u8, Vec<u8>), Cancelled>,
    let one = dbg!(ready(1_u8).await);
    let (two, more) = dbg!(one + 1, ready(vec![1_u8, 2]).await,);
    dbg!();
    let three = dbg!(ready(Shown(two)).await).0
        + dbg!(ready( 1_u8 ) . await);
    Ok((three, more))
);

twice!(printed: Result<(), Cancelled>,
    eprintln!("printed {} {x:?}", ready(1).await, x = ready("x").await);
    eprint!("and {}", ready(1).await);
    eprintln!();
    Ok(())
);

/// Runs this very test in a process of its own, and gives what it wrote to stderr.
fn standard_error(test: &str, variant: &str) -> String {
    let program = std::env::current_exe().expect("a test is a program");
    let output = Command::new(program)
        .args(["--exact", test, "--nocapture"])
        .env(VARIANT, variant)
        .output()
        .expect("a test can be run again");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stderr).expect("prints text")
}

const VARIANT: &str = "PRINTED_TEXTS_VARIANT";

// guarantee A3
#[test]
fn dbg_prints_the_same_places_and_texts() {
    match std::env::var(VARIANT).as_deref() {
        Ok("plain") => {
            complete(debugged::plain()).unwrap();
            complete(printed::plain()).unwrap();
        }
        Ok(_) => {
            complete(debugged::annotated(Context::background())).unwrap();
            complete(printed::annotated(Context::background())).unwrap();
        }
        Err(_) => {
            let test = "dbg_prints_the_same_places_and_texts";
            let plain = standard_error(test, "plain");
            assert!(plain.contains("ready(1_u8).await = 1"), "{plain}");
            assert_eq!(standard_error(test, "annotated"), plain);
        }
    }
}
