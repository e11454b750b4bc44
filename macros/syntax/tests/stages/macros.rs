//! Awaits in the tokens of macros (guarantee A3).

use crate::support::{expanded, messages, plain, text};
use quote::quote;

fn body(tokens: &proc_macro2::TokenStream) -> String {
    plain(quote!(async fn f() -> Result<(), E> { #tokens }))
}

/// Whether all `awaits` in the macro call were rewritten, and the call is still there.
fn rewrites(call: &proc_macro2::TokenStream, awaits: usize) -> bool {
    let output = body(&quote!(#call;));
    output.matches("private :: guard").count() == awaits && !output.contains("compile_error")
}

#[test]
fn arguments_of_known_macros_are_rewritten() {
    for (call, awaits) in [
        (quote!(println!("{} {y}", a.await, y = b.await)), 2),
        (quote!(assert_eq!(a.await, 1, "text {}", b.await)), 2),
        (quote!(vec![a.await; 3]), 1),
        (quote!(matches!(a.await, Some(n) if n == b.await)), 2),
        (quote!(tokio::pin! { let x = f(a.await); }), 1),
        (
            quote!(tracing::info!(target: "t", n = %a.await, b.c = ?b.await, "text")),
            2,
        ),
        (quote!(debug!({ n = a.await }, "text")), 1),
        (quote!(log::info!(key:% = a.await; "text {}", b.await)), 2),
        (quote!(info_span!("name", "key" = a.await)), 1),
        (quote!(anyhow::bail!("text {}", a.await)), 1),
        (quote!(std::format!("{}", f(a.await).await)), 2),
    ] {
        assert!(rewrites(&call, awaits), "{call}");
    }
}

#[test]
fn macros_without_awaits_and_quoted_tokens_are_not_touched() {
    for call in [
        quote!(my::html! { <p> }),
        quote!(quote!(a.await)),
        quote!(stringify!(a.await)),
        quote!(spawn_all!(async { a.await }, async move { b.await })),
    ] {
        let output = body(&quote!(#call;));
        assert!(output.contains(&text(call)), "{output}");
    }
}

#[test]
fn a_hidden_await_is_refused_unless_the_macro_is_named() {
    let item = quote!(
        async fn f() -> Result<(), E> {
            my::html!(a.await);
            Ok(())
        }
    );
    assert_eq!(
        messages(quote!(), item.clone()),
        [
            "`my::html!` hides an `.await` that cannot be checked; await before it, or write `macros(html)`"
        ]
    );
    let named = expanded(quote!(macros(html)), item);
    assert!(named.contains("private :: guard") && !named.contains("compile_error"));
    let odd = messages(
        quote!(),
        quote!(
            async fn f() -> Result<(), E> {
                println!("{}" a.await);
            }
        ),
    );
    assert_eq!(odd.len(), 1, "{odd:?}");
}

#[test]
fn an_await_in_unknown_syntax_is_refused() {
    let found = messages(
        quote!(),
        quote!(
            async fn f() -> Result<(), E> {
                become g(a.await)
            }
        ),
    );
    assert_eq!(
        found,
        ["an `.await` in syntax that cannot be read; await before it"]
    );
}

#[test]
fn macros_that_print_their_source_get_its_text() {
    let assert = body(&quote!(assert!(a(1, 2).await);));
    assert!(
        assert.contains(r#""{}" , "assertion failed: a(1, 2).await")"#),
        "{assert}"
    );
    let message = body(&quote!(assert!(a.await, "text");));
    assert!(!message.contains("assertion failed"), "{message}");
    let debug = body(&quote!(let x = dbg!(a.await, b);));
    assert!(debug.contains(&text(quote!(dbg!(b)))), "{debug}");
    assert!(debug.contains("[{}:{}:{}] {} = {:#?}"), "{debug}");
    let ensure = body(&quote!(ensure!(a.await);));
    assert!(
        ensure.contains(r#""Condition failed: `a.await`""#),
        "{ensure}"
    );
    let comparison = body(&quote!(ensure!(a.await < b);));
    assert!(
        comparison.contains(r#""Condition failed: `a.await < b`""#),
        "{comparison}"
    );
}

#[test]
fn a_join_is_one_await_with_its_operands_hoisted() {
    let output = body(&quote!(let (x, y) = tokio::join!(biased; a(), b);));
    assert!(
        output.contains(&text(quote! {
            let __future0 = a();
            let __future1 = b;
            let __output = ::cancel_context::private::guard(
                __context,
                async move { tokio::join!(biased; __future0, __future1) },
                __kept,
                || &__SITES[0]
            ).await;
        })),
        "{output}"
    );
}

#[test]
fn a_select_decides_first_and_runs_the_handler_in_the_function() {
    let output = body(&quote! {
        tokio::select! {
            biased;
            Some(mut x) = a(), if on => return f(x),
            (ref y, LIMIT) = pinned => { g(y).await }
            else => break,
        }
    });
    assert!(
        output.contains(&text(quote! {
            enum __Arm<T0, T1> { _0(T0), _1(T1), Else, }
        })),
        "{output}"
    );
    assert!(
        output.contains(&text(quote! {
            let __condition0 = on;
            let __future0 = a();
        })),
        "{output}"
    );
    assert!(output.contains(&text(quote! {
        async { tokio::select! {
            biased;
            __output @ Some(_) = ::core::convert::identity(__future0), if __condition0 => __Arm::_0(__output),
            __output @ (_, LIMIT) = pinned => __Arm::_1(__output),
            else => __Arm::Else,
        } }
    })), "{output}");
    assert!(
        output.contains(&text(quote!(__Arm::_0(Some(mut x)) => return f(x),))),
        "{output}"
    );
    assert!(
        output.contains(&text(quote!(__Arm::Else => break,))),
        "{output}"
    );
    assert_eq!(output.matches("private :: guard").count(), 2, "{output}");
}

#[test]
fn patterns_keep_what_does_not_bind() {
    let output = body(&quote! {
        select! {
            User { id, name: Some(n), .. } = a => 1,
            x @ 1..=3 = b => 2,
            None | Some(0) = c => 3,
            _ = d => 4,
            complete => 5,
            default => 6,
        }
    });
    for pattern in [
        quote!(__output @ User { id: _, name: Some(_), .. } = a),
        quote!(__output @ 1..=3 = b),
        quote!(__output @ (None | Some(0)) = c),
        quote!(__output = d),
        quote!(complete => __Arm::Complete),
        quote!(default => __Arm::Default),
    ] {
        assert!(output.contains(&text(pattern)), "{output}");
    }
}

#[test]
fn other_macros_of_those_names_are_left_alone() {
    let call = quote!(crossbeam::select! { recv(a) -> message => f(message), default => g() });
    assert!(body(&quote!(#call)).contains(&text(call)));
}
