//! The options of the attribute: grammar and values. Each value keeps the span of its key.
//!
//! A broken option is reported and skipped up to the next comma, so that one run reports them all.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Expr, Ident, Path, Token};

use crate::diagnostics::{Errors, list};
use crate::finding::Lint;

/// What `#[cancellable(…)]` accepts, in the order of the documentation.
const ACCEPTED: [&str; 9] = [
    "ctx",
    "inject",
    "implicit",
    "inherit_spawns",
    "on_cancel",
    "crate",
    "macros",
    "allow",
    "skip",
];

/// A value and the key it was given by.
#[derive(Clone)]
pub(crate) struct Keyed<T> {
    pub(crate) key: Ident,
    pub(crate) value: T,
}

/// The options of one attribute.
#[derive(Clone, Default)]
pub(crate) struct Options {
    /// `ctx = name`: the parameter that is the context.
    pub(crate) context: Option<Keyed<Ident>>,
    /// `inject = name`: the name of the injected context.
    pub(crate) inject: Option<Keyed<Ident>>,
    /// `implicit`: the context is the current one.
    pub(crate) implicit: Option<Ident>,
    /// `inherit_spawns`: what is spawned here carries the current context.
    pub(crate) inherit_spawns: Option<Ident>,
    /// `on_cancel = expr`: what a cancelled call returns.
    pub(crate) on_cancel: Option<Keyed<Expr>>,
    /// `crate = path`: where the runtime is.
    pub(crate) runtime: Option<Keyed<Path>>,
    /// `macros(a, b)`: further macros whose tokens are expressions.
    pub(crate) macros: Option<Keyed<Vec<Ident>>>,
    /// `allow(a, b)`: what A9 refuses, but this function may do.
    pub(crate) allow: Option<Keyed<Vec<Lint>>>,
    /// `skip`: leaves a function of an annotated block as it is.
    pub(crate) skip: Option<Ident>,
}

impl Options {
    /// Parses the tokens between the parentheses of the attribute.
    pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut options = Self::default();
        let parser = |input: ParseStream<'_>| {
            options.parse_all(input, errors);
            Ok(())
        };
        // The closure itself never fails and consumes all tokens.
        if let Err(error) = parser.parse2(tokens) {
            errors.add(error);
        }
        options
    }

    /// Whether the context is the current one.
    pub(crate) fn is_implicit(&self) -> bool {
        self.implicit.is_some()
    }

    /// The variable that has the context; `ctx` unless an option says otherwise.
    pub(crate) fn context_name(&self) -> Ident {
        let named = self.context.as_ref().or(self.inject.as_ref());
        named.map_or_else(
            || Ident::new("ctx", Span::call_site()),
            |name| name.value.clone(),
        )
    }

    /// These options, and those of the block around where these do not say anything.
    pub(crate) fn within(self, block: &Self) -> Self {
        let block = block.clone();
        Self {
            context: self.context.or(block.context),
            inject: self.inject.or(block.inject),
            implicit: self.implicit.or(block.implicit),
            inherit_spawns: self.inherit_spawns.or(block.inherit_spawns),
            on_cancel: self.on_cancel.or(block.on_cancel),
            runtime: self.runtime.or(block.runtime),
            macros: self.macros.or(block.macros),
            allow: self.allow.or(block.allow),
            skip: self.skip,
        }
    }

    /// Reports options that exclude each other.
    pub(crate) fn check_conflicts(&self, errors: &mut Errors) {
        let context = self.context.as_ref().map(|context| &context.key);
        let inject = self.inject.as_ref().map(|inject| &inject.key);
        if let (Some(_), Some(inject)) = (context, inject) {
            errors.push(
                inject.span(),
                "`inject` conflicts with `ctx`; write one of them",
            );
        }
        for key in [context, inject].into_iter().flatten() {
            if self.is_implicit() {
                errors.push(
                    key.span(),
                    format!("`{key}` conflicts with `implicit`, which takes no parameter; write one of them"),
                );
            }
        }
        if let (None, Some(inherit)) = (&self.implicit, &self.inherit_spawns) {
            errors.push(
                inherit.span(),
                "`inherit_spawns` needs `implicit`; write `ctx.spawn(…)` where the context is explicit",
            );
        }
    }

    /// Whether calls of the macro `name` are to be parsed as expressions.
    pub(crate) fn names_macro(&self, name: &Ident) -> bool {
        self.macros
            .as_ref()
            .is_some_and(|macros| macros.value.iter().any(|listed| listed == name))
    }

    pub(crate) fn allows(&self, lint: Lint) -> bool {
        self.allow
            .as_ref()
            .is_some_and(|allow| allow.value.contains(&lint))
    }

    fn parse_all(&mut self, input: ParseStream<'_>, errors: &mut Errors) {
        while !input.is_empty() {
            if let Err(error) = self.parse_one(input, errors) {
                errors.add(error);
                skip_to_comma(input);
            }
            if input.is_empty() {
                break;
            }
            if input
                .parse::<Option<Token![,]>>()
                .is_ok_and(|comma| comma.is_none())
            {
                errors.push(input.span(), "missing comma; separate options by `,`");
                if !input.peek(Ident::peek_any) {
                    skip_to_comma(input);
                }
            }
        }
    }

    fn parse_one(&mut self, input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<()> {
        let key = input.call(Ident::parse_any).map_err(|error| {
            syn::Error::new(
                error.span(),
                format!("expected an option, one of {}", list(ACCEPTED)),
            )
        })?;
        match key.to_string().as_str() {
            "ctx" => assign(&mut self.context, key, input, errors, "a parameter's name"),
            "inject" => assign(&mut self.inject, key, input, errors, "a name"),
            "implicit" => flag(&mut self.implicit, key, input, errors),
            "inherit_spawns" => flag(&mut self.inherit_spawns, key, input, errors),
            "skip" => flag(&mut self.skip, key, input, errors),
            "on_cancel" => assign(&mut self.on_cancel, key, input, errors, "an expression"),
            "crate" => {
                expect_equals(&key, input, "a path")?;
                let value = parse_value(&key, input, "a path", Path::parse_mod_style)?;
                store(&mut self.runtime, key, value, errors);
                Ok(())
            }
            "macros" => {
                let names = parse_names(&key, input)?;
                store(&mut self.macros, key, names, errors);
                Ok(())
            }
            "allow" => {
                let names = parse_names(&key, input)?;
                let lints = Lint::from_names(&names, errors);
                store(&mut self.allow, key, lints, errors);
                Ok(())
            }
            unknown => Err(syn::Error::new(
                key.span(),
                format!(
                    "unknown option `{unknown}`; expected one of {}",
                    list(ACCEPTED)
                ),
            )),
        }
    }
}

/// Parses `= value` and stores it under `key`.
fn assign<T: Parse>(
    slot: &mut Option<Keyed<T>>,
    key: Ident,
    input: ParseStream<'_>,
    errors: &mut Errors,
    expected: &str,
) -> syn::Result<()> {
    expect_equals(&key, input, expected)?;
    let value = parse_value(&key, input, expected, T::parse)?;
    store(slot, key, value, errors);
    Ok(())
}

/// Stores a key that takes no value.
fn flag(
    slot: &mut Option<Ident>,
    key: Ident,
    input: ParseStream<'_>,
    errors: &mut Errors,
) -> syn::Result<()> {
    if input.peek(Token![=]) || input.peek(syn::token::Paren) {
        return Err(syn::Error::new(
            input.span(),
            format!("option `{key}` takes no value; write `{key}`"),
        ));
    }
    if slot.is_some() {
        errors.push(key.span(), format!("duplicate option `{key}`"));
    }
    *slot = Some(key);
    Ok(())
}

fn store<T>(slot: &mut Option<Keyed<T>>, key: Ident, value: T, errors: &mut Errors) {
    if slot.is_some() {
        errors.push(key.span(), format!("duplicate option `{key}`"));
    } else {
        *slot = Some(Keyed { key, value });
    }
}

fn expect_equals(key: &Ident, input: ParseStream<'_>, expected: &str) -> syn::Result<()> {
    match input.parse::<Token![=]>() {
        Ok(_) => Ok(()),
        Err(_) => Err(syn::Error::new(
            key.span(),
            format!("option `{key}` has no value; write `{key} = …` with {expected}"),
        )),
    }
}

fn parse_value<T>(
    key: &Ident,
    input: ParseStream<'_>,
    expected: &str,
    parser: fn(ParseStream<'_>) -> syn::Result<T>,
) -> syn::Result<T> {
    let at = if input.is_empty() {
        key.span()
    } else {
        input.span()
    };
    parser(input).map_err(|_| {
        syn::Error::new(
            at,
            format!("the value of `{key}` does not parse; expected {expected}"),
        )
    })
}

/// Parses `(a, b)`.
fn parse_names(key: &Ident, input: ParseStream<'_>) -> syn::Result<Vec<Ident>> {
    if !input.peek(syn::token::Paren) {
        return Err(syn::Error::new(
            key.span(),
            format!("option `{key}` needs a list; write `{key}(…)`"),
        ));
    }
    let content;
    syn::parenthesized!(content in input);
    let Ok(names) = Punctuated::<Ident, Token![,]>::parse_terminated(&content) else {
        // All of it is one mistake.
        content.parse::<TokenStream>()?;
        let message = format!("the value of `{key}` does not parse; expected names");
        return Err(syn::Error::new(key.span(), message));
    };
    if names.is_empty() {
        return Err(syn::Error::new(
            key.span(),
            format!("empty list of `{key}`; name something or leave it out"),
        ));
    }
    Ok(names.into_iter().collect())
}

fn skip_to_comma(input: ParseStream<'_>) {
    while !input.is_empty() && !input.peek(Token![,]) {
        // Any token tree can be skipped; the input is not empty.
        if input.parse::<proc_macro2::TokenTree>().is_err() {
            return;
        }
    }
}

/// The path of the runtime crate, each token shown at `span`.
pub(crate) fn runtime_path(options: &Options, span: Span) -> TokenStream {
    match &options.runtime {
        None => quote_spanned!(span=> ::cancel_context),
        Some(runtime) => {
            let mut path = runtime.value.clone();
            for segment in &mut path.segments {
                segment
                    .ident
                    .set_span(segment.ident.span().located_at(span));
            }
            quote::ToTokens::into_token_stream(path)
        }
    }
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    fn messages(tokens: TokenStream) -> String {
        let mut errors = Errors::default();
        Options::parse(tokens, &mut errors).check_conflicts(&mut errors);
        errors.to_tokens().to_string()
    }

    #[test]
    fn accepted_options_give_their_values() {
        let mut errors = Errors::default();
        let options = Options::parse(
            quote!(
                inject = cx,
                on_cancel = a::<B, C>(cancelled),
                crate = crate::rt,
                macros(m, n),
                allow(spin),
            ),
            &mut errors,
        );
        assert!(errors.is_empty(), "{}", errors.to_tokens());
        assert_eq!(options.inject.expect("given").value, "cx");
        assert_eq!(options.macros.expect("given").value.len(), 2);
        assert_eq!(options.allow.expect("given").value, [Lint::Spin]);
        assert!(options.context.is_none());
    }

    #[test]
    fn all_errors_are_reported_in_one_run() {
        let text = messages(quote!(
            timout = 3,
            ctx = a,
            ctx = b,
            inject = c,
            allow(nothing),
            macros()
        ));
        for expected in [
            "unknown option `timout`; expected one of `ctx`, `inject`, `implicit`, `inherit_spawns`, `on_cancel`, `crate`, `macros`, `allow`, `skip`",
            "duplicate option `ctx`",
            "`inject` conflicts with `ctx`; write one of them",
            "unknown lint `nothing`",
            "empty list of `macros`",
        ] {
            assert!(text.contains(expected), "{expected} missing in {text}");
        }
    }

    #[test]
    fn options_without_a_comma_between_them_are_an_error() {
        let text = messages(quote!(ctx = a on_cancel = ()));
        assert!(
            text.contains("missing comma; separate options by `,`"),
            "{text}"
        );
    }

    #[test]
    fn values_that_do_not_parse_name_what_is_expected() {
        assert!(
            messages(quote!(ctx = 3))
                .contains("the value of `ctx` does not parse; expected a parameter's name")
        );
        assert!(messages(quote!(ctx)).contains("option `ctx` has no value; write `ctx = …`"));
        assert!(messages(quote!(on_cancel = )).contains("expected an expression"));
        assert!(messages(quote!(allow)).contains("option `allow` needs a list; write `allow(…)`"));
    }
}
