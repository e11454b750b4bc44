//! Every kind of await that is not checked is shown, and is an error where the context is explicit.

use proc_macro2::TokenStream;

use super::support::kinds;

/// Shows `statement` in an implicit function, and runs the explicit attribute on it.
fn shown_and_refused(statement: &str) -> (Vec<(String, String)>, String) {
    let function = format!("async fn f() -> Result<(), E> {{ {statement}; Ok(()) }}");
    let shown = kinds(&format!("#[cancellable(implicit)]\n{function}"));
    let tokens: TokenStream = function.parse().expect("the function can be read");
    let output = cancel_context_syntax::cancellable(TokenStream::new(), tokens).to_string();
    (shown, output)
}

fn assert_kind(kind: &str, statement: &str) {
    let (shown, output) = shown_and_refused(statement);
    let is_shown = !shown.is_empty() && shown.iter().all(|(found, _)| found == kind);
    assert!(is_shown, "{statement}: {shown:?}");
    assert!(output.contains("compile_error"), "{statement}: {output}");
}

#[test]
fn awaits_that_cannot_be_read_are_opaque() {
    for statement in [
        "unknown!(a().await)",
        "unknown!(b => a().await; c)",
        "unknown! { async { a().await } }",
        "unknown!(|x| async move { x.await })",
        "unknown!(select! { x = b => a().await })",
        "let x = builtin # type_ascribe(a().await, u8)",
        "select!(b; a().await)",
        "join!(b; a().await)",
        "println!(b => a().await)",
        "async_stream::stream! { yield a().await; }",
    ] {
        assert_kind("opaque", statement);
    }
}

#[test]
fn awaits_handed_to_a_task_of_its_own_are_detached() {
    for statement in [
        "tokio::spawn(async { a().await })",
        "task::spawn(async move { select! { x = a() => x } })",
        "tokio::task::spawn_local(async { a().await })",
        "set.spawn(async { a().await })",
        "JoinSet::new().spawn(async { a().await })",
        "set.spawn_local(async { a().await })",
        "handle.spawn_on(async { a().await }, &handle)",
        "std::thread::spawn(move || runtime.block_in(async { a().await }))",
        "spawn_blocking(|| futures::executor::run(async { a().await }))",
        "tokio::spawn(tokio::time::timeout(d, async { println!(\"{}\", a().await) }))",
    ] {
        assert_kind("detached", statement);
    }
}

#[test]
fn awaits_of_spawns_that_inherit_the_context_are_checked() {
    let source = "
        #[cancellable(implicit, inherit_spawns)]
        async fn f() { tokio::spawn(async { a().await }); }
        ";
    assert_eq!(kinds(source), [("checked".to_owned(), "a()".to_owned())]);
}

#[test]
fn shields_are_shown() {
    let source = "
        #[cancellable]
        async fn f() -> Result<(), E> {
            #[shield]
            a().await;
            ctx.shield(b()).await;
            let x = #[shield] { c().await };
            Ok(())
        }
        ";
    let found = kinds(source);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(
        found.iter().all(|(kind, _)| kind == "shielded"),
        "{found:?}"
    );
}

#[test]
fn named_macros_are_no_longer_opaque() {
    let source = "
        #[cancellable(implicit, macros(unknown))]
        async fn f() { unknown!(a().await) }
        ";
    assert_eq!(kinds(source), [("checked".to_owned(), "a()".to_owned())]);
}
