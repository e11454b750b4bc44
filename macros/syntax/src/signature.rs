//! Finds the context and the return type of a function.
//!
//! Only describes; what is wrong with it is said by `validate`, except where nothing can be
//! described at all.

use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{
    FnArg, GenericArgument, Pat, PathArguments, ReceiverKind, ReturnType, Signature, Type,
    TypeParamBound,
};

use crate::diagnostics::{Errors, NOT_ASYNC, list};
use crate::function::Function;
use crate::options::Options;

/// What a function gives its caller to await.
#[derive(Clone)]
pub(crate) enum Form {
    /// `async fn`.
    Async,
    /// `fn … -> impl Future<…>` or a boxed future, ending in an `async` block.
    Future(Box<FutureType>),
    /// Any other `fn`, with awaits in nested `async` blocks only: what `#[tokio::main]` makes.
    Plain,
}

/// A return type that is a future.
#[derive(Clone)]
pub(crate) struct FutureType {
    /// Its type says all that it captures: it is boxed, or has a `use<…>`. A type parameter of ours
    /// could not be added.
    pub(crate) is_closed: bool,
    /// A lifetime is left out in it, so that a further reference among the parameters may matter.
    pub(crate) elides: bool,
    /// `Output`, if it is written there.
    pub(crate) output: Option<Type>,
}

/// Where the context comes from.
#[derive(Clone)]
pub(crate) enum Source {
    /// A parameter of the user's.
    Taken { name: Ident, ty: Box<Type> },
    /// A parameter of ours; `by_reference` where the trait may have to be usable as `dyn`.
    Injected { name: Ident, by_reference: bool },
    /// No parameter and no variable: the current one. A variable of this name is taken for a context,
    /// too, where `name.shield(…)` is called.
    Current { name: Ident },
    /// A root of `main`, which signals cancel.
    Main { name: Ident },
    /// A root of a test, which ends with it.
    Test { name: Ident },
}

impl Source {
    /// Whether the context that the function begins with is a reference, as can be seen.
    pub(crate) fn is_reference(&self) -> bool {
        match self {
            Self::Taken { ty, .. } => {
                matches!(&**ty, Type::Reference(reference) if reference.mutability.is_none())
            }
            Self::Injected { .. } | Self::Main { .. } | Self::Test { .. } => true,
            Self::Current { .. } => false,
        }
    }

    /// The identifier that awaits find the context by.
    pub(crate) fn name(&self) -> &Ident {
        match self {
            Self::Taken { name, .. }
            | Self::Injected { name, .. }
            | Self::Current { name }
            | Self::Main { name }
            | Self::Test { name } => name,
        }
    }
}

/// All that the later stages need to know of a signature.
#[derive(Clone)]
pub(crate) struct Shape {
    pub(crate) form: Form,
    pub(crate) source: Source,
}

impl Shape {
    /// Describes `function`; `None`, with errors, if it cannot be annotated.
    pub(crate) fn of(function: &Function, options: &Options, errors: &mut Errors) -> Option<Self> {
        let signature = &function.signature;
        let form = form(signature)
            .filter(|form| !options.is_implicit() || function.ends_as(form))
            .or_else(|| {
                let inherits = options.inherit_spawns.is_some();
                (options.is_implicit() && function.has_work(inherits)).then_some(Form::Plain)
            });
        let Some(form) = form else {
            report_formless(function, errors);
            return None;
        };
        let source = source(function, &form, options, errors)?;
        Some(Self { form, source })
    }

    /// The type that a cancelled call returns; `None` for `()` that is left out, or unknown.
    pub(crate) fn output(&self, signature: &Signature) -> Option<Type> {
        match (&self.form, &signature.output) {
            (Form::Async, ReturnType::Type(_, ty)) => Some(ty.as_ref().clone()),
            (Form::Async, ReturnType::Default) | (Form::Plain, _) => None,
            (Form::Future(future), _) => future.output.clone(),
        }
    }
}

/// The names of the parameters that are plain identifiers.
pub(crate) fn parameter_names(signature: &Signature) -> Vec<&Ident> {
    parameters(signature).map(|(name, _)| name).collect()
}

/// Whether an attribute makes the function a test.
pub(crate) fn is_test(function: &Function) -> bool {
    has_attribute(function, "test") || has_attribute(function, "rstest")
}

fn has_attribute(function: &Function, name: &str) -> bool {
    function.attributes.iter().any(|attribute| {
        let last = attribute.path().segments.last();
        last.is_some_and(|last| last.ident == name)
    })
}

/// Whether this is the program's `main`.
pub(crate) fn is_main(signature: &Signature) -> bool {
    signature.ident == "main" && signature.inputs.is_empty()
}

fn parameters(signature: &Signature) -> impl Iterator<Item = (&Ident, &Type)> {
    signature.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(parameter) => match parameter.pat.as_ref() {
            Pat::Ident(pattern) if pattern.by_ref.is_none() && pattern.subpat.is_none() => {
                Some((&pattern.ident, parameter.ty.as_ref()))
            }
            _ => None,
        },
        FnArg::Receiver(_) => None,
    })
}

fn form(signature: &Signature) -> Option<Form> {
    if signature.constness.is_some() || signature.abi.is_some() {
        return None;
    }
    if signature.asyncness.is_some() {
        return Some(Form::Async);
    }
    if let ReturnType::Type(_, ty) = &signature.output
        && let Some(future) = future_type(ty)
    {
        return Some(Form::Future(Box::new(future)));
    }
    None
}

/// What is wrong with a function that has no form.
fn report_formless(function: &Function, errors: &mut Errors) {
    let signature = &function.signature;
    if let Some(constness) = &signature.constness {
        errors.push_spanned(constness, NOT_ASYNC);
    } else if let Some(abi) = &signature.abi {
        errors.push_spanned(abi, NOT_ASYNC);
    } else if is_test(function) {
        errors.push(signature.fn_token.span(), made_sync("test"));
    } else if is_main(signature) {
        errors.push(signature.fn_token.span(), made_sync("main"));
    } else {
        errors.push(signature.fn_token.span(), NOT_ASYNC);
    }
}

/// `#[tokio::main]` and `#[tokio::test]` leave a sync function to the attributes below them.
fn made_sync(role: &str) -> String {
    format!(
        "`#[cancellable]` needs an `async fn`; put it above `#[tokio::{role}]`, which makes it sync"
    )
}

fn source(
    function: &Function,
    form: &Form,
    options: &Options,
    errors: &mut Errors,
) -> Option<Source> {
    let signature = &function.signature;
    if options.is_implicit() {
        let name = options.context_name();
        return Some(Source::Current { name });
    }
    let wanted = match &options.context {
        Some(context) => context.value.to_string(),
        None => String::from("ctx"),
    };
    let taken = parameters(signature).find(|(name, _)| **name == wanted);
    // With both options, which is reported elsewhere, the parameter it is.
    let is_asked_for = options.context.is_some() || options.inject.is_none();
    if let (Some((name, ty)), true) = (taken, is_asked_for) {
        let (name, ty) = (name.clone(), Box::new(ty.clone()));
        return Some(Source::Taken { name, ty });
    }
    if let Some(context) = &options.context {
        let names = parameter_names(signature);
        let known = if names.is_empty() {
            String::from("no parameters with a plain name")
        } else {
            list(names)
        };
        errors.push(
            context.value.span(),
            format!("no parameter named `{wanted}`; this function has {known}"),
        );
        return None;
    }
    let name = options.context_name();
    if is_test(function) {
        return Some(Source::Test { name });
    }
    if is_main(signature) {
        return Some(Source::Main { name });
    }
    Some(Source::Injected {
        name,
        by_reference: is_recursion(function) || by_reference(signature, form),
    })
}

/// `#[async_recursion]` boxes the future, without saying that a type parameter of ours outlives it.
fn is_recursion(function: &Function) -> bool {
    has_attribute(function, "async_recursion")
}

/// A generic parameter would make a trait with a boxed future method unusable as `dyn`, and cannot be
/// captured where `use<…>` does not name it; a reference would make a return type ambiguous that
/// elides its lifetime from another parameter.
fn by_reference(signature: &Signature, form: &Form) -> bool {
    let Form::Future(future) = form else {
        return false;
    };
    let receiver = signature.receiver();
    let decides_elision = receiver.is_some_and(|receiver| match &receiver.kind {
        ReceiverKind::Reference(..) => true,
        ReceiverKind::Typed(_, ty) => mentions(ty, |found| found.references > 0),
        _ => false,
    });
    let is_opaque =
        matches!(&signature.output, ReturnType::Type(_, ty) if matches!(**ty, Type::ImplTrait(_)));
    future.is_closed && (receiver.is_some() || is_opaque) && (decides_elision || !future.elides)
}

/// The future that `ty` is, seen through `Pin<Box<…>>` and the aliases of the futures crate.
fn future_type(ty: &Type) -> Option<FutureType> {
    match ty {
        Type::Paren(inner) => future_type(&inner.elem),
        Type::Group(inner) => future_type(&inner.elem),
        Type::ImplTrait(opaque) => bounds_output(&opaque.bounds, ty, has_use(&opaque.bounds)),
        Type::TraitObject(object) => bounds_output(&object.bounds, ty, true),
        Type::Path(path) => {
            let last = path.path.segments.last()?;
            let argument = last_type_argument(&last.arguments);
            match last.ident.to_string().as_str() {
                "Pin" | "Box" => {
                    let inner = future_type(argument?)?;
                    Some(FutureType {
                        is_closed: true,
                        ..inner
                    })
                }
                "BoxFuture" | "LocalBoxFuture" => Some(FutureType {
                    is_closed: true,
                    elides: !has_lifetime(&last.arguments) || elides(ty),
                    output: argument.cloned(),
                }),
                _ => None,
            }
        }
        _ => None,
    }
}

fn bounds_output<'a>(
    bounds: impl IntoIterator<Item = &'a TypeParamBound>,
    whole: &Type,
    is_closed: bool,
) -> Option<FutureType> {
    bounds.into_iter().find_map(|bound| {
        let TypeParamBound::Trait(bound) = bound else {
            return None;
        };
        let last = bound.path.segments.last()?;
        (last.ident == "Future").then(|| FutureType {
            is_closed,
            elides: elides(whole),
            output: output_argument(&last.arguments),
        })
    })
}

fn has_use<'a>(bounds: impl IntoIterator<Item = &'a TypeParamBound>) -> bool {
    bounds
        .into_iter()
        .any(|bound| matches!(bound, TypeParamBound::PreciseCapture(_)))
}

fn output_argument(arguments: &PathArguments) -> Option<Type> {
    let PathArguments::AngleBracketed(arguments) = arguments else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::AssocType(assigned) if assigned.ident == "Output" => {
            Some(assigned.ty.clone())
        }
        _ => None,
    })
}

fn last_type_argument(arguments: &PathArguments) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = arguments else {
        return None;
    };
    arguments
        .args
        .iter()
        .rev()
        .find_map(|argument| match argument {
            GenericArgument::Type(ty) => Some(ty),
            _ => None,
        })
}

fn has_lifetime(arguments: &PathArguments) -> bool {
    matches!(arguments, PathArguments::AngleBracketed(arguments)
        if arguments.args.iter().any(|argument| matches!(argument, GenericArgument::Lifetime(_))))
}

fn elides(ty: &Type) -> bool {
    mentions(ty, |found| found.elided)
}

/// Whether the type can be written again in the body.
pub(crate) fn is_nameable(ty: &Type) -> bool {
    !mentions(ty, |found| found.opaque)
}

fn mentions(ty: &Type, test: fn(&Mentions) -> bool) -> bool {
    let mut found = Mentions::default();
    found.visit_type(ty);
    test(&found)
}

/// What occurs anywhere in a type.
#[derive(Default)]
struct Mentions {
    references: usize,
    elided: bool,
    opaque: bool,
}

impl<'ast> Visit<'ast> for Mentions {
    fn visit_type_reference(&mut self, reference: &'ast syn::TypeReference) {
        self.references += 1;
        self.elided |= reference.lifetime.is_none();
        visit::visit_type_reference(self, reference);
    }

    fn visit_lifetime(&mut self, lifetime: &'ast syn::Lifetime) {
        self.elided |= lifetime.ident == "_";
    }

    fn visit_type_impl_trait(&mut self, opaque: &'ast syn::TypeImplTrait) {
        self.opaque = true;
        visit::visit_type_impl_trait(self, opaque);
    }
}

/// The first and the last token of `tokens`: a path emitted between them is underlined like them.
pub(crate) fn ends(tokens: &impl ToTokens) -> (Span, Span) {
    let tokens: TokenStream = tokens.to_token_stream();
    let first = tokens.span();
    let last = tokens
        .into_iter()
        .last()
        .map_or(first, |token| match token {
            proc_macro2::TokenTree::Group(group) => group.span_close(),
            other => other.span(),
        });
    (first, last)
}
