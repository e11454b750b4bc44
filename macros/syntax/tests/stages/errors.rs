//! Bad input: every error in one run, and the item as it was written (guarantee A9).

use crate::support::{messages, plain, text};
use quote::quote;

#[test]
fn functions_that_cannot_be_awaited_are_refused() {
    for item in [
        quote!(
            fn f() -> u8 {
                1
            }
        ),
        quote!(
            const fn f() {}
        ),
        quote!(
            extern "C" fn f() {}
        ),
    ] {
        let found = messages(quote!(), item.clone());
        assert_eq!(
            found,
            ["`#[cancellable]` needs an `async fn`, or one that returns a future"],
            "{item}"
        );
        assert!(plain(item.clone()).ends_with(&text(item)));
    }
}

#[test]
fn what_is_no_function_and_no_block_is_refused() {
    let item = quote!(
        struct S;
    );
    assert_eq!(
        messages(quote!(implicit), item.clone()),
        [
            "`#[cancellable]` needs an `async fn`, one that returns a future, or an `impl`, `trait` or `mod` block"
        ]
    );
    assert!(plain(item.clone()).ends_with(&text(item)));
}

#[test]
fn what_does_not_parse_is_emitted_as_it_is() {
    let item = quote!(async fn f() -> u8 { let = 1; });
    let output = plain(item.clone());
    assert_eq!(output.matches("compile_error !").count(), 1, "{output}");
    assert!(output.ends_with(&text(item)), "{output}");
}

#[test]
fn signatures_are_checked() {
    for (args, item, expected) in [
        (
            quote!(ctx = cx),
            quote!(
                async fn f(db: u8, id: u8) {}
            ),
            "no parameter named `cx`; this function has `db`, `id`",
        ),
        (
            quote!(ctx = cx),
            quote!(
                async fn f(&self, (a, b): T) {}
            ),
            "no parameter named `cx`; this function has no parameters with a plain name",
        ),
        (
            quote!(inject = id),
            quote!(
                async fn f(id: u8) {}
            ),
            "a parameter is already named `id`; write `ctx = id` to take it",
        ),
        (
            quote!(),
            quote!(
                async fn f(a: &Context, b: std::task::Context<'_>) {}
            ),
            "two candidates for the context: `a`, `b`; write `ctx = a`",
        ),
        (
            quote!(),
            quote!(
                #[cancellable]
                async fn f() {}
            ),
            "`#[cancellable]` is already on this function; remove this one",
        ),
        (
            quote!(),
            quote!(
                fn f() -> impl Future<Output = R> {
                    ready(1)
                }
            ),
            "this function does not end in an `async` block; end it so, as in `Box::pin(async move { … })`",
        ),
        (
            quote!(),
            quote!(
                fn main() {}
            ),
            "`#[cancellable]` needs an `async fn`; put it above `#[tokio::main]`, which makes it sync",
        ),
        (
            quote!(),
            quote!(
                #[test]
                fn t() {}
            ),
            "`#[cancellable]` needs an `async fn`; put it above `#[tokio::test]`, which makes it sync",
        ),
    ] {
        assert_eq!(messages(args, item.clone()), [expected], "{item}");
    }
}

#[test]
fn return_types_that_cannot_be_left_with_are_refused() {
    for (output, name) in [
        (quote!(), "()"),
        (quote!(-> ()), "()"),
        (quote!(-> !), "!"),
        (quote!(-> usize), "usize"),
        (quote!(-> (A, B)), "(A, B)"),
        (quote!(-> &str), "&str"),
        (quote!(-> [u8; 4]), "[u8; 4]"),
        (
            quote!(-> impl Iterator<Item = u8>),
            "impl Iterator<Item = u8>",
        ),
        (quote!(-> Option<Vec<u8>>), "Option<Vec<u8>>"),
    ] {
        let example = if name == "()" { "()" } else { "expr" };
        assert_eq!(
            messages(quote!(), quote!(async fn f() #output { g().await })),
            [format!(
                "a cancelled call cannot return `{name}`; return a `Result` whose error is \
                 `From<Cancelled>`, or write `on_cancel = {example}`"
            )]
        );
    }
    for output in [
        quote!(-> Result<(), E>),
        quote!(-> Reply),
        quote!(-> String),
        quote!(-> &Reply),
    ] {
        assert!(messages(quote!(), quote!(async fn f() #output { g().await })).is_empty());
    }
    assert!(
        messages(
            quote!(),
            quote!(
                async fn f() -> usize {
                    1
                }
            )
        )
        .is_empty()
    );
    assert!(
        messages(
            quote!(on_cancel = 0),
            quote!(
                async fn f() -> usize {
                    g().await
                }
            )
        )
        .is_empty()
    );
}

#[test]
fn all_errors_of_a_function_are_reported_in_one_run() {
    let found = messages(
        quote!(wrong),
        quote!(
            async fn f() -> u8 {
                my!(a.await);
                std::thread::sleep(d);
                #[shield(wrong)]
                #[shield]
                b.await
            }
        ),
    );
    assert_eq!(found.len(), 6, "{found:#?}");
}

#[test]
fn the_item_of_an_error_has_its_context_but_none_of_our_attributes() {
    let output = plain(quote!(
        async fn f() -> u8 {
            #[shield]
            a(&ctx).await;
            #[cancellable(allow(spin))]
            let x = 1;
            b(x).await
        }
    ));
    assert!(output.contains(&text(
        quote!(async fn f(__ctx: impl ::cancel_context::AsContext) -> u8)
    )));
    assert!(
        output.contains(&text(quote! {
            a(&ctx).await;
            let x = 1;
            b(x).await
        })),
        "{output}"
    );
}
