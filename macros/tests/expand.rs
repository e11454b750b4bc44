//! What the attribute emits, readable: one file per syntactic shape.
//!
//! `MACROTEST=overwrite cargo test -p cancel-context-macros --features expand-tests` refreshes the
//! files; they are read before they are committed.

/// One run each: within one, the names of the modules count the files.
#[test]
fn expansions_are_as_recorded() {
    for shape in [
        "assert",
        "async_trait",
        "block",
        "boxed",
        "implicit",
        "injected",
        "join",
        "nested",
        "on_cancel",
        "select",
        "select_biased",
        "shield",
        "shield_implicit",
        "spawn",
        "taken",
        "unwinding",
    ] {
        macrotest::expand(format!("tests/expand/{shape}.rs"));
    }
}
