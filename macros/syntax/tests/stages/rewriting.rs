//! What takes the place of an await (guarantees A3, A4, A5 and A10).

use crate::support::{body_sites, expanded, plain, text};
use cancel_context_syntax::SiteKind;
use quote::quote;

fn body(tokens: &proc_macro2::TokenStream) -> String {
    plain(quote!(async fn f() -> Result<(), E> { #tokens }))
}

#[test]
fn an_await_is_one_match_on_a_guarded_future() {
    let output = body(&quote!(pool.get().await));
    let expected = text(quote! {
        match ::cancel_context::private::guard(
            {
                use ::cancel_context::private::Reborrow as _;
                if ::cancel_context::private::has_ended(ctx.__reborrow(), &__SITES[0]) {
                    return __leave(::cancel_context::private::ended(
                        ctx.__reborrow(),
                        &__SITES[0]
                    ))
                }
                ::cancel_context::private::context(ctx.__reborrow())
            },
            ::core::future::IntoFuture::into_future(pool.get()),
            __kept,
            || &__SITES[0]
        ).await {
            __output => match __output {
                #[allow(unreachable_code)]
                ::core::result::Result::Ok((__value, __back)) => {
                    __kept = __back;
                    (__value,).0
                }
                ::core::result::Result::Err(__cancelled) => return __leave(
                    ::cancel_context::private::left(__cancelled, &__SITES[0])
                ),
            },
        }
    });
    assert!(output.contains(&expected), "{output}");
}

#[test]
fn the_prelude_has_one_static_per_site() {
    let output = plain(quote!(
        async fn user() -> Result<(), E> {
            a(b().await).await
        }
    ));
    assert!(
        output.contains(&text(quote! {
            static __SITES: [::cancel_context::private::Site; 2] = [
                ::cancel_context::private::Site::new(
                    "b()",
                    ::core::concat!(::core::module_path!(), "::", "user"),
                ),
                ::cancel_context::private::Site::new(
                    "a(b().await)",
                    ::core::concat!(::core::module_path!(), "::", "user"),
                )
            ];
        })),
        "{output}"
    );
    assert!(
        output.contains(&text(quote! {
            let __leave = ::cancel_context::FromCancelled::from_cancelled;
            let mut __kept = ::cancel_context::private::Kept::new();
        })),
        "{output}"
    );
}

#[test]
fn an_await_that_starts_a_statement_is_parenthesised() {
    let output = body(&quote!(a().await?; let Ok(x) = b().await else { return c() };));
    syn::parse_str::<syn::ItemFn>(&output).expect("the output parses");
}

#[test]
fn the_context_is_owned_where_the_operand_may_move_it() {
    for borrowed in [
        quote!(f(&ctx)),
        quote!(f(ctx.clone())),
        quote!(f(ctx.name)),
        quote!(f(|| ctx.check())),
        quote!(f(other::ctx)),
        quote!(async { ctx.check() }),
    ] {
        let output = body(&quote!({ let ctx = derived(ctx); #borrowed.await }));
        assert!(!output.contains("private :: hold"), "{borrowed}");
    }
    for moved in [
        quote!(f(ctx)),
        quote!(f(&mut ctx)),
        quote!(async move { ctx.check() }),
        quote!(f(move || ctx.check())),
        quote!(f(vec![ctx])),
        quote!(f(Request { ctx })),
    ] {
        let output = body(&quote!({ let ctx = derived(ctx); #moved.await }));
        assert!(output.contains("private :: hold"), "{moved}");
    }
}

#[test]
fn a_context_that_is_a_reference_is_copied_unless_the_name_may_be_bound_anew() {
    for copied in [
        quote!(f(ctx).await),
        quote!(async move { ctx.check() }.await),
    ] {
        let output = body(&copied);
        assert!(!output.contains("private :: hold"), "{copied}");
    }
    for bound in [
        quote!(if let Some(ctx) = other {
            f(ctx).await
        }),
        quote!({
            bind!(ctx);
            f(ctx).await
        }),
        quote!(f(|ctx: Context| ctx, ctx).await),
    ] {
        let output = body(&bound);
        assert!(output.contains("private :: hold"), "{bound}");
    }
}

#[test]
fn on_cancel_sees_what_happened() {
    let output = expanded(
        quote!(on_cancel = Reply::from(cancelled)),
        quote!(
            async fn f() -> Reply {
                g().await
            }
        ),
    );
    assert!(
        output.contains(&text(quote! {
            ::core::result::Result::Err(__cancelled) => {
                let cancelled = ::cancel_context::private::left(__cancelled, &__SITES[0]);
                let _ = &cancelled;
                #[allow(unreachable_code, clippy::diverging_sub_expression)]
                return Reply::from(cancelled);
            }
        })),
        "{output}"
    );
    let worker = expanded(
        quote!(on_cancel = ()),
        quote!(
            async fn f() {
                g().await
            }
        ),
    );
    assert!(
        worker.contains(&text(quote! {
            let _ = &cancelled;
            #[allow(unreachable_code, clippy::diverging_sub_expression)]
            return;
        })),
        "{worker}"
    );
}

#[test]
fn nested_functions_are_left_alone() {
    let output = body(&quote!(
        async fn inner() {
            a().await
        }
    ));
    assert!(output.contains(&text(quote!(a().await))), "{output}");
}

#[test]
fn nested_blocks_and_closures_find_the_context_they_are_polled_in() {
    let nested = quote! {
        let block = async { b().await };
        let closure = async |x| c(x).await;
        let plain = |x| async move { tokio::join!(d(x)) };
    };
    let output = body(&nested);
    for rewritten in [
        quote!(match ::cancel_context::private::around(
            if ::cancel_context::private::is_over(&__SITES[0]) {
                break '__left (::cancel_context::private::Over::here()).at(&__SITES[0])
            },
            ::core::future::IntoFuture::into_future(b()),
            || &__SITES[0]
        )
        .await),
        quote!(return match ::cancel_context::private::around(
            if ::cancel_context::private::is_over(&__SITES[1]) {
                break '__left (::cancel_context::private::Over::here()).at(&__SITES[1])
            },
            ::core::future::IntoFuture::into_future(c(x)),
            || &__SITES[1]
        )
        .await),
        quote!(let __context = if ::cancel_context::private::is_over(&__SITES[2]) {
            break '__left (::cancel_context::private::Over::here()).at(&__SITES[2])
        };),
    ] {
        assert!(output.contains(&text(rewritten)), "{output}");
    }
    // Each is left on its own.
    assert_eq!(output.matches("unwind").count(), 3, "{output}");
    // Nothing in the function's own body is guarded.
    assert!(!output.contains("__kept") && !output.contains("__leave"));
    let kinds: Vec<_> = body_sites(nested)
        .into_iter()
        .map(|site| site.kind)
        .collect();
    assert_eq!(kinds, [SiteKind::Checked; 3]);
}

#[test]
fn a_shield_derives_a_context_and_marks_its_awaits() {
    let output = body(&quote!(#[shield] save(&ctx).await?;));
    assert!(
        output.contains(&text(
            quote!(match &::cancel_context::private::shield_context(&ctx))
        )),
        "{output}"
    );
    assert!(
        output.contains("private :: shielded (:: cancel_context :: private :: guard ({"),
        "{output}"
    );
    let timed = body(&quote!(#[shield(timeout = limit)] let x = save().await;));
    assert!(
        timed.contains(&text(quote!(shield_context_timeout(&ctx, limit)))),
        "{timed}"
    );
    assert!(!timed.contains("# [shield"), "{timed}");
}

#[test]
fn the_shield_method_is_not_checked() {
    let tokens = quote!(ctx.shield(|ctx| save(ctx)).await);
    assert!(body(&tokens).contains(&text(tokens.clone())));
    let sites = body_sites(tokens);
    assert_eq!(sites.len(), 1);
    assert_eq!(sites[0].kind, SiteKind::Shielded);
    assert_eq!(sites[0].expression, "ctx.shield(|ctx| save(ctx))");
}

#[test]
fn sites_are_listed_in_the_order_of_evaluation() {
    let sites = body_sites(quote! {
        a().await;
        println!("{}", b().await);
        tokio::join!(c(d().await));
        #[shield]
        e().await;
    });
    let found: Vec<_> = sites
        .iter()
        .map(|site| (site.kind, site.expression.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (SiteKind::Checked, "a()"),
            (SiteKind::Checked, "b()"),
            (SiteKind::Checked, "d()"),
            (SiteKind::Checked, "tokio::join!(…)"),
            (SiteKind::Shielded, "e()"),
        ]
    );
}
