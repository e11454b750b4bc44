//! Every check of meaning; all of them run before anything is emitted.

use syn::{Attribute, Expr, FnArg, Pat, Type};

use crate::diagnostics::{Errors, list};
use crate::function::{Function, tail_async_block};
use crate::options::Options;
use crate::signature::{Form, Shape, Source, parameter_names};
use crate::text;

/// Checks of the signature that need no body.
pub(crate) fn signature(
    function: &mut Function,
    shape: Option<&Shape>,
    options: &Options,
    errors: &mut Errors,
) {
    doubled_attribute(function, errors);
    if let Some(inject) = &options.inject
        && parameter_names(&function.signature).contains(&&inject.value)
    {
        errors.push(
            inject.value.span(),
            format!(
                "a parameter is already named `{name}`; write `ctx = {name}` to take it",
                name = inject.value
            ),
        );
    }
    let Some(shape) = shape else { return };
    if options.inject.is_none() && matches!(shape.source, Source::Injected { .. }) {
        candidates(function, errors);
    }
    if let (Form::Future(_), Some(body)) = (&shape.form, &mut function.body)
        && tail_async_block(body).is_none()
    {
        errors.push(
            function.signature.ident.span(),
            "this function does not end in an `async` block; end it so, as in `Box::pin(async move { … })`",
        );
    }
}

/// A return type that certainly has no value for a cancelled call.
pub(crate) fn output(function: &Function, shape: &Shape, options: &Options, errors: &mut Errors) {
    if options.on_cancel.is_some() {
        return;
    }
    let Some(output) = shape.output(&function.signature) else {
        if matches!(shape.form, Form::Async) {
            errors.push(function.signature.ident.span(), cannot_leave("()", "()"));
        }
        return;
    };
    if !cannot_return(&output) {
        return;
    }
    let name = text::ty(quote::ToTokens::to_token_stream(&output));
    let example = if name == "()" { "()" } else { "expr" };
    errors.push_spanned(&output, cannot_leave(&name, example));
}

fn cannot_leave(name: &str, example: &str) -> String {
    format!(
        "a cancelled call cannot return `{name}`; return a `Result` whose error is \
         `From<Cancelled>`, or write `on_cancel = {example}`"
    )
}

/// Types that no one can implement `FromCancelled` for. References are left to the trait, since
/// one to a type of the user's can.
pub(crate) fn cannot_return(ty: &Type) -> bool {
    match ty {
        Type::Paren(inner) => cannot_return(&inner.elem),
        Type::Group(inner) => cannot_return(&inner.elem),
        Type::Never(_)
        | Type::Tuple(_)
        | Type::Array(_)
        | Type::Slice(_)
        | Type::ImplTrait(_)
        | Type::Ptr(_)
        | Type::FnPtr(_) => true,
        Type::Reference(reference) => cannot_return(&reference.elem),
        Type::Path(path) if path.qself.is_none() => is_std_value(&path.path),
        _ => false,
    }
}

fn is_std_value(path: &syn::Path) -> bool {
    let names: Vec<String> = path
        .segments
        .iter()
        .map(|segment| segment.ident.to_string())
        .collect();
    match names.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["Option"] | ["std" | "core", "option", "Option"] => true,
        [name] => matches!(
            name,
            "bool"
                | "char"
                | "str"
                | "u8"
                | "u16"
                | "u32"
                | "u64"
                | "u128"
                | "usize"
                | "i8"
                | "i16"
                | "i32"
                | "i64"
                | "i128"
                | "isize"
                | "f32"
                | "f64"
        ),
        _ => false,
    }
}

fn doubled_attribute(function: &mut Function, errors: &mut Errors) {
    function.attributes.retain(|attribute| {
        let doubled = is_ours(attribute);
        if doubled {
            errors.push_spanned(
                attribute.path(),
                "`#[cancellable]` is already on this function; remove this one",
            );
        }
        !doubled
    });
}

/// `#[cancellable…]`, by any path.
pub(crate) fn is_ours(attribute: &Attribute) -> bool {
    let last = attribute.path().segments.last();
    last.is_some_and(|last| last.ident == "cancellable")
}

/// Two parameters that look like contexts: guessing would check the wrong one.
fn candidates(function: &Function, errors: &mut Errors) {
    let mut names = Vec::new();
    for input in &function.signature.inputs {
        if let FnArg::Typed(parameter) = input
            && let Pat::Ident(pattern) = parameter.pat.as_ref()
            && is_named_context(&parameter.ty)
        {
            names.push(&pattern.ident);
        }
    }
    if let [first, second, ..] = names[..] {
        let all = list(&names);
        errors.push(
            second.span(),
            format!("two candidates for the context: {all}; write `ctx = {first}`"),
        );
    }
}

fn is_named_context(ty: &Type) -> bool {
    match ty {
        Type::Reference(reference) => is_named_context(&reference.elem),
        Type::Paren(inner) => is_named_context(&inner.elem),
        Type::Group(inner) => is_named_context(&inner.elem),
        Type::Path(path) => {
            let last = path.path.segments.last();
            last.is_some_and(|last| last.ident == "Context")
        }
        _ => false,
    }
}

/// Whether `expression` is the plain identifier `name`.
pub(crate) fn is_identifier(expression: &Expr, name: &syn::Ident) -> bool {
    match expression {
        Expr::Paren(inner) => is_identifier(&inner.expr, name),
        Expr::Group(inner) => is_identifier(&inner.expr, name),
        Expr::Path(path) => path.qself.is_none() && path.path.is_ident(name),
        _ => false,
    }
}
