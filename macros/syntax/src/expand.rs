//! Runs the stages, assembles the output, falls back on error.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Block, FnArg, Stmt, Type};

use crate::attributes;
use crate::blocks;
use crate::diagnostics::{Errors, NOT_ASYNC_ITEM};
use crate::emit::{Emitter, Mode, mixed};
use crate::finding::Finding;
use crate::function::{Function, tail_async_block};
use crate::instrument;
use crate::lints;
use crate::options::{Options, runtime_path};
use crate::rewrite::Rewriter;
use crate::signature::{Form, Shape, Source, ends, is_nameable, is_test};
use crate::site::Site;
use crate::usage;
use crate::validate;

/// What one run gives.
pub(crate) struct Expansion {
    pub(crate) tokens: TokenStream,
    pub(crate) sites: Vec<Site>,
    /// What breaks cancellation, where the context is implicit; an error where it is not.
    pub(crate) findings: Vec<Finding>,
}

impl Expansion {
    /// The item as it is, after errors.
    pub(crate) fn failed(errors: &Errors, item: impl ToTokens) -> Self {
        let errors = errors.to_tokens();
        Self {
            tokens: quote!(#errors #item),
            sites: Vec::new(),
            findings: Vec::new(),
        }
    }
}

/// Expands `#[cancellable(args)] item`; errors are part of the tokens.
pub(crate) fn expand(args: TokenStream, item: &TokenStream) -> Expansion {
    let mut errors = Errors::default();
    if args.is_empty() && list_is_written() {
        errors.push(
            Span::call_site(),
            "empty option list; write `#[cancellable]`",
        );
    }
    let options = Options::parse(args, &mut errors);
    options.check_conflicts(&mut errors);
    if let Some(skip) = &options.skip {
        errors.push(
            skip.span(),
            "`skip` leaves a function of an annotated block as it is; remove this attribute",
        );
        return Expansion::failed(&errors, item);
    }
    match syn::parse2::<Function>(item.clone()) {
        Ok(function) => expand_function(function, &options, errors),
        Err(error) => {
            if let Some(block) = blocks::parse(item) {
                return blocks::expand(block, &options, errors);
            }
            errors.add(unparsable(item, error));
            Expansion::failed(&errors, item)
        }
    }
}

/// Expands one function; `errors` are those found so far.
pub(crate) fn expand_function(
    mut function: Function,
    options: &Options,
    mut errors: Errors,
) -> Expansion {
    let shape = Shape::of(&function, options, &mut errors);
    validate::signature(&mut function, shape.as_ref(), options, &mut errors);
    let written = function.clone();
    let (mut sites, mut findings) = (Vec::new(), Vec::new());
    if let Some(shape) = &shape {
        if let Some(body) = &function.body {
            findings = lints::check(body, options, &mut errors);
        }
        if !options.is_implicit() {
            findings
                .drain(..)
                .for_each(|finding| finding.report(&mut errors));
        }
        sites = annotate(&mut function, shape, options, &mut errors);
    }
    let tokens = if errors.is_empty() {
        function.into_token_stream()
    } else {
        let item = as_written(written, shape.as_ref(), options);
        let errors = errors.to_tokens();
        quote!(#errors #item)
    };
    Expansion {
        tokens,
        sites,
        findings,
    }
}

/// Whether the attribute is `#[cancellable()]`; its arguments alone do not tell.
fn list_is_written() -> bool {
    let Some(mut text) = Span::call_site().source_text() else {
        return false;
    };
    text.retain(|character| !character.is_whitespace());
    text.ends_with("()]") || text.ends_with("()")
}

/// Something that is no function gets our message, a function that does not parse syn's.
fn unparsable(item: &TokenStream, error: syn::Error) -> syn::Error {
    let is_other_item = syn::parse2::<syn::Item>(item.clone())
        .is_ok_and(|item| !matches!(item, syn::Item::Fn(_) | syn::Item::Verbatim(_)));
    if is_other_item {
        syn::Error::new(Span::call_site(), NOT_ASYNC_ITEM)
    } else {
        error
    }
}

/// The item without our attributes in its body; with the context, if it is known, so that neither
/// callers nor the body have errors of their own.
fn as_written(mut function: Function, shape: Option<&Shape>, options: &Options) -> TokenStream {
    if let Some(body) = &mut function.body {
        attributes::strip(body);
    }
    if let Some(shape) = shape {
        let prelude = prelude(shape, options);
        inject(&mut function, shape, options);
        if let Some(body) = own_block(&mut function, &shape.form) {
            insert(body, prelude.in_block);
        }
        if let Some(body) = &mut function.body {
            insert(body, prelude.in_function);
        }
    }
    function.into_token_stream()
}

/// Rewrites the function in place.
fn annotate(
    function: &mut Function,
    shape: &Shape,
    options: &Options,
    errors: &mut Errors,
) -> Vec<Site> {
    let output = shape.output(&function.signature);
    let mode = mode(shape, options, output.as_ref());
    let emitter = Emitter::new(options, mode, shape.source.name(), output.clone());
    let name = function.signature.ident.clone();
    let is_async = matches!(shape.form, Form::Async);
    let mut rewriter = Rewriter::new(emitter, options, errors);
    let Some(body) = &mut function.body else {
        inject(function, shape, options);
        return Vec::new();
    };
    let name_of_context = shape.source.name();
    rewriter.emitter.is_reference =
        shape.source.is_reference() && !usage::may_bind(body, name_of_context);
    rewriter.function(body, is_async);
    let Rewriter {
        emitter,
        sites,
        guarded,
        uses_locals,
        ..
    } = rewriter;

    let prelude = prelude(shape, options);
    let mut in_function = TokenStream::new();
    if !guarded.is_empty() {
        in_function.extend(emitter.statics(&name, &guarded));
    }
    in_function.extend(prelude.in_function);
    let mut in_block = prelude.in_block;
    if let (Form::Future(_), Mode::Explicit, Some(output)) = (&shape.form, mode, &output) {
        in_block.extend(never_taken_return(output));
    }
    if uses_locals {
        in_block.extend(emitter.locals());
    }
    if is_async {
        in_function.extend(in_block);
    } else if let Some(block) = own_block(function, &shape.form) {
        insert(block, in_block);
    }
    if let Some(body) = &mut function.body {
        insert(body, in_function);
    }
    if cfg!(feature = "testing") && is_async && options.is_implicit() && is_test(function) {
        in_test_scope(function, output.as_ref(), options);
    }
    if uses_locals && mode == Mode::Explicit {
        validate::output(function, shape, options, errors);
    }
    inject(function, shape, options);
    sites
}

/// Puts the body of a test into a scope that can be cancelled at a random await, where the test says
/// that it passes by what it returns.
///
/// Output: `::cancel_context::testing::scope("module::test", async move { … }).await`
fn in_test_scope(function: &mut Function, output: Option<&Type>, options: &Options) {
    let span = Span::mixed_site();
    let runtime = runtime_path(options, span);
    let name = function.signature.ident.to_string();
    let Some(body) = &mut function.body else {
        return;
    };
    let typed = output.map(never_taken_return);
    let statements = std::mem::take(&mut body.stmts);
    body.stmts = vec![Stmt::Expr(
        syn::Expr::Verbatim(quote_spanned! {span=>
            #runtime::testing::scope(
                ::core::concat!(::core::module_path!(), "::", #name),
                async move { #typed #(#statements)* },
            )
            .await
        }),
        None,
    )];
}

/// How the awaits of the function's own body find their context and leave.
fn mode(shape: &Shape, options: &Options, output: Option<&Type>) -> Mode {
    let can_return = output.is_some_and(|ty| is_nameable(ty) && !validate::cannot_return(ty));
    match shape.source {
        Source::Current { .. } if matches!(shape.form, Form::Plain) => Mode::Unwinding,
        Source::Current { .. } if can_return || options.on_cancel.is_some() => Mode::Returning,
        Source::Current { .. } => Mode::Unwinding,
        _ => Mode::Explicit,
    }
}

/// The block whose awaits belong to the function.
fn own_block<'f>(function: &'f mut Function, form: &Form) -> Option<&'f mut Block> {
    let body = function.body.as_mut()?;
    match form {
        Form::Async => Some(body),
        Form::Future(_) => tail_async_block(body).map(|block| &mut block.block),
        Form::Plain => None,
    }
}

/// Statements that make the context known.
struct Prelude {
    /// At the start of the function.
    in_function: TokenStream,
    /// At the start of the `async` block that a sync function returns.
    in_block: TokenStream,
}

/// Output, injected into an `async fn`:
/// ```text
/// let ctx: &::cancel_context::Context = ::cancel_context::AsContext::as_context(&__ctx);
/// let _ = ::cancel_context::private::context(&ctx);
/// ```
///
/// A sync function clones it, since its future may outlive the argument, and its `async` block
/// takes whatever `ctx` is by then:
/// ```text
/// let ctx = ::core::clone::Clone::clone(::cancel_context::AsContext::as_context(&__ctx));
/// Box::pin(async move {
///     let __ctx = ctx;
///     let ctx: &::cancel_context::Context = ::cancel_context::AsContext::as_context(&__ctx);
/// ```
fn prelude(shape: &Shape, options: &Options) -> Prelude {
    let span = Span::mixed_site();
    let runtime = runtime_path(options, span);
    let name = shape.source.name();
    let borrow = quote_spanned! {span=>
        let #name: &#runtime::Context = #runtime::AsContext::as_context(&__ctx);
    };
    let used = quote_spanned! {span=>
        {
            use #runtime::private::Reborrow as _;
            let _ = #runtime::private::context(#name.__reborrow());
        }
    };
    let mut in_block = TokenStream::new();
    let in_function = match (&shape.source, &shape.form) {
        (Source::Taken { name, ty }, _) => {
            let (first, last) = ends(ty);
            let (first, last) = (mixed(first), mixed(last));
            let runtime = runtime_path(options, first);
            let context = quote_spanned!(last=> context);
            quote_spanned! {first=>
                {
                    use #runtime::private::Reborrow as _;
                    let _ = #runtime::private::#context(#name.__reborrow());
                }
            }
        }
        (Source::Injected { .. }, Form::Async) => quote!(#borrow #used),
        (Source::Injected { .. }, Form::Future(_)) => {
            in_block = quote_spanned!(span=> let __ctx = #name; #borrow #used);
            quote_spanned! {span=>
                let #name = #runtime::Context::clone(#runtime::AsContext::as_context(&__ctx));
            }
        }
        (Source::Injected { .. }, Form::Plain) | (Source::Current { .. }, _) => TokenStream::new(),
        (Source::Main { .. }, _) => root(&runtime, name, "main_root", &used),
        (Source::Test { .. }, _) => root(&runtime, name, "test_root", &used),
    };
    Prelude {
        in_function,
        in_block,
    }
}

/// Output: `let __root = ::cancel_context::private::main_root(); let ctx: &Context = __root.context();`
fn root(runtime: &TokenStream, name: &Ident, kind: &str, used: &TokenStream) -> TokenStream {
    let span = Span::mixed_site();
    let kind = Ident::new(kind, span);
    quote_spanned! {span=>
        let __root = #runtime::private::#kind();
        let #name: &#runtime::Context = __root.context();
        #used
    }
}

/// Adds the parameter, after the receiver.
fn inject(function: &mut Function, shape: &Shape, options: &Options) {
    let Source::Injected { by_reference, .. } = &shape.source else {
        return;
    };
    let span = Span::mixed_site();
    let runtime = runtime_path(options, span);
    let parameter: FnArg = if *by_reference {
        syn::parse_quote_spanned!(span=> __ctx: &#runtime::Context)
    } else {
        syn::parse_quote_spanned!(span=> __ctx: impl #runtime::AsContext)
    };
    instrument::skip_injected(&mut function.attributes);
    let inputs = &mut function.signature.inputs;
    let after_receiver = usize::from(matches!(inputs.first(), Some(FnArg::Receiver(_))));
    inputs.insert(after_receiver, parameter);
}

/// Output: `if let ::core::option::Option::Some(__output) = ::core::option::Option::None::<T> { return __output; }`
///
/// Tells rustc the type of the `async` block first, so that mismatches point at the user's tail
/// expression.
fn never_taken_return(output: &Type) -> TokenStream {
    if !is_nameable(output) {
        return TokenStream::new();
    }
    let span = Span::mixed_site();
    quote_spanned! {span=>
        if let ::core::option::Option::Some(__output) = ::core::option::Option::None::<#output> {
            return __output;
        }
    }
}

/// Inserts statements after the items that a body opens with: items after statements are a lint.
fn insert(block: &mut Block, statements: TokenStream) {
    if statements.is_empty() {
        return;
    }
    let position = block
        .stmts
        .iter()
        .position(|statement| !matches!(statement, Stmt::Item(_)))
        .unwrap_or(block.stmts.len());
    block
        .stmts
        .insert(position, Stmt::Expr(syn::Expr::Verbatim(statements), None));
}
