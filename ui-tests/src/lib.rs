//! Compile-time behaviour of the attribute; the cases are in `fail/` and `pass/`.
