#!/usr/bin/env bash
# The tests of the runtime, and those across the crates, under AddressSanitizer, which includes
# LeakSanitizer: what nothing points to any more when a suite ends, fails it.
set -euo pipefail
cd "$(dirname "$0")/.."

# The flag is not stable; the compiler takes it all the same. The standard library is used as it is. Naming
# the target keeps the flag away from build scripts and from macros, which run inside of the compiler.
target=x86_64-unknown-linux-gnu
export RUSTC_BOOTSTRAP=1
export RUSTFLAGS='-Zsanitizer=address'
# Some suites do things a million times. This saves more time in running them than compiling takes.
export CARGO_PROFILE_DEV_OPT_LEVEL=1
export ASAN_OPTIONS='detect_leaks=1'
export LSAN_OPTIONS="suppressions=$PWD/.ci/leaks-on-purpose.txt:print_suppressions=0"
# The model compares far more than it allocates: a fifth of its cases will do.
export PROPTEST_CASES="${PROPTEST_CASES:-200}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# Runs the suites of a package, and fails if one of them ran no test. Examples in the documentation are left
# out: rustdoc takes flags of its own, and they do nothing that the suites do not.
sanitized() {
    cargo test --locked --no-fail-fast --target "$target" --target-dir target/sanitizer --tests "$@" 2>&1 |
        tee "$log"
    awk -f .ci/no-empty-suite.awk "$log"
}

sanitized -p cancel-context --features axum,groups,process,reqwest,streams,tokens,tonic,tower,tracing
sanitized -p tests
