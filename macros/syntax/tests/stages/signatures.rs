//! Where the context comes from, and how it gets into the body (guarantees A1 and A8).

use crate::support::{expanded, plain, text};
use quote::quote;

#[test]
fn a_context_is_injected_before_all_other_parameters() {
    let output = plain(quote!(
        async fn f(id: u64) -> Result<(), E> {
            g().await
        }
    ));
    assert!(output.contains(&text(quote!(
        async fn f(__ctx: impl ::cancel_context::AsContext, id: u64) -> Result<(), E>
    ))));
    assert!(output.contains(&text(quote!(
        let ctx: &::cancel_context::Context = ::cancel_context::AsContext::as_context(&__ctx);
    ))));
}

#[test]
fn a_context_is_injected_after_the_receiver() {
    let output = plain(quote!(
        async fn f(&mut self, id: u64);
    ));
    assert!(output.contains(&text(quote!(
        (&mut self, __ctx: impl ::cancel_context::AsContext, id: u64);
    ))));
}

#[test]
fn a_parameter_named_ctx_is_taken() {
    let output = plain(quote!(
        async fn f(id: u64, ctx: &Context) -> Result<(), E> {
            g().await
        }
    ));
    assert!(output.contains(&text(quote!(f(id: u64, ctx: &Context)))));
    assert!(output.contains(&text(
        quote!(let _ = ::cancel_context::private::context(ctx.__reborrow());)
    )));
    assert!(!output.contains("__ctx"));
}

#[test]
fn options_name_the_context() {
    let taken = expanded(
        quote!(ctx = cx),
        quote!(
            async fn f(cx: Cx) -> Result<(), E> {
                g().await
            }
        ),
    );
    assert!(
        taken.contains(&text(quote!(::cancel_context::private::has_ended(
            cx.__reborrow(),
            &__SITES[0]
        ))))
    );
    let injected = expanded(
        quote!(inject = cx, crate = crate::rt),
        quote!(
            async fn f(ctx: u8) -> Result<(), E> {
                g().await
            }
        ),
    );
    assert!(injected.contains(&text(quote!((__ctx: impl crate::rt::AsContext, ctx: u8)))));
    assert!(injected.contains(&text(quote!(let cx: &crate::rt::Context =))));
    assert!(
        injected.contains(&text(quote!(crate::rt::private::has_ended(
            cx.__reborrow(),
            &__SITES[0]
        ))))
    );
}

#[test]
fn a_boxed_future_method_takes_a_reference_so_that_its_trait_can_be_dyn() {
    let by_reference = text(quote!(__ctx: &::cancel_context::Context));
    let generic = text(quote!(__ctx: impl ::cancel_context::AsContext));
    for (item, expected) in [
        (
            quote!(
                fn f<'a>(&'a self) -> Pin<Box<dyn Future<Output = R> + Send + 'a>>;
            ),
            &by_reference,
        ),
        (
            quote!(
                fn f(self: Arc<Self>) -> ::core::pin::Pin<Box<dyn Future<Output = R>>>;
            ),
            &by_reference,
        ),
        (
            quote!(
                fn f(&self, x: &u8) -> BoxFuture<'_, R>;
            ),
            &by_reference,
        ),
        // A reference would make the elided lifetime ambiguous.
        (
            quote!(
                fn f(self, x: &u8) -> BoxFuture<'_, R>;
            ),
            &generic,
        ),
        (
            quote!(
                fn f(x: u8) -> BoxFuture<'static, R>;
            ),
            &generic,
        ),
        (
            quote!(
                fn f(&self) -> impl Future<Output = R>;
            ),
            &generic,
        ),
    ] {
        let output = plain(item);
        assert!(output.contains(expected.as_str()), "{output}");
    }
}

#[test]
fn a_sync_function_moves_an_owned_context_into_its_async_block() {
    for tail in [
        quote!(Box::pin(async move { g().await })),
        quote!(async { g().await }.boxed()),
        quote!(::std::boxed::Box::pin((async { g().await }))),
    ] {
        let output = plain(quote!(fn f() -> BoxFuture<'static, R> { let x = 1; #tail }));
        assert!(output.contains(&text(quote!(
            let ctx = ::cancel_context::Context::clone(::cancel_context::AsContext::as_context(&__ctx));
            let x = 1;
        ))), "{output}");
        assert!(output.contains(&text(quote!(
            let __ctx = ctx;
            let ctx: &::cancel_context::Context = ::cancel_context::AsContext::as_context(&__ctx);
        ))), "{output}");
        assert!(
            output.contains(&text(quote!(
                if let ::core::option::Option::Some(__output) = ::core::option::Option::None::<R> {
                    return __output;
                }
            ))),
            "{output}"
        );
    }
}

#[test]
fn main_and_tests_have_a_root_of_their_own() {
    let main = plain(quote!(
        async fn main() -> Result<(), E> {
            g().await
        }
    ));
    assert!(main.contains(&text(quote!(
        let __root = ::cancel_context::private::main_root();
        let ctx: &::cancel_context::Context = __root.context();
    ))));
    assert!(main.contains(&text(quote!(async fn main() -> Result<(), E>))));
    for attribute in [quote!(#[tokio::test]), quote!(#[rstest])] {
        let test = plain(quote!(#attribute async fn t(x: u8) -> Result<(), E> { g().await }));
        assert!(test.contains(&text(quote!(::cancel_context::private::test_root()))));
        assert!(test.contains(&text(quote!(async fn t(x: u8)))));
    }
}

#[test]
fn items_that_open_the_body_stay_in_front() {
    let output = plain(quote! {
        async fn f() -> Result<(), E> {
            use a::b;
            const C: u8 = 1;
            b(C).await
        }
    });
    assert!(output.contains(&text(quote!(
        use a::b;
        const C: u8 = 1;
        static __SITES
    ))));
}

#[test]
fn a_function_without_awaits_has_no_statics() {
    let output = plain(quote!(
        async fn f() -> u8 {
            1
        }
    ));
    assert!(
        !output.contains("__SITES") && !output.contains("__kept"),
        "{output}"
    );
}
