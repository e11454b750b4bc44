//! The cases that have to compile, in the edition of the package that includes them.

#![cfg(test)]

#[path = "../pass/allowed.rs"]
mod allowed;
#[path = "../pass/awaiting_macros.rs"]
mod awaiting_macros;
#[path = "../pass/contexts_in_scope.rs"]
mod contexts_in_scope;
#[path = "../pass/generated.rs"]
mod generated;
#[path = "../pass/generics.rs"]
mod generics;
#[path = "../pass/implicit.rs"]
mod implicit;
#[path = "../pass/lifetimes.rs"]
mod lifetimes;
#[path = "../pass/narrowed.rs"]
mod narrowed;
#[path = "../pass/receivers.rs"]
mod receivers;
#[path = "../pass/roots.rs"]
mod roots;
#[path = "../pass/shadowed_names.rs"]
mod shadowed_names;
#[path = "../pass/traits.rs"]
mod traits;
#[path = "../pass/unsafe_and_recursive.rs"]
mod unsafe_and_recursive;

// guarantee A7
#[test]
fn every_case_compiles_and_runs() {
    allowed::main();
    awaiting_macros::main();
    contexts_in_scope::main();
    generated::main();
    generics::main();
    implicit::main();
    lifetimes::main();
    narrowed::main();
    receivers::main();
    roots::main().unwrap();
    shadowed_names::main();
    traits::main();
    unsafe_and_recursive::main();
}
