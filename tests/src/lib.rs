//! Behaviour across the crates; the tests are in `tests/`.
