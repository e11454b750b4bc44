//! Awaits in the tokens of macros.
//!
//! 1. A macro without an await in its tokens is never touched, except those that await themselves.
//! 2. Macros are known by the last segment of their path.
//! 3. What is not known is refused if it hides an await, unless it only quotes tokens.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned;
use syn::visit_mut::VisitMut;
use syn::{Block, Expr, Ident, Macro, Pat, Token};

use crate::rewrite::Rewriter;
use crate::select;
use crate::site::SiteKind;
use crate::text;

/// How the tokens of a macro are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Grammar {
    /// Expressions, each with a name, sigil or `target:` before it, separated by `,` or `;`.
    Arguments,
    /// `assert!`, which prints its condition if it has no message.
    Assert,
    /// `dbg!`, which prints its arguments.
    Debug,
    /// anyhow's `ensure!`, which prints its condition and its operands if it has no message.
    Ensure,
    /// An expression, a pattern and its guard, then a message.
    Matches,
    /// `let` statements or expressions.
    Pin,
    Join,
    Select,
    /// Tokens are data: nothing is awaited.
    Quote,
    Unknown,
}

/// What became of a macro call.
pub(crate) enum Outcome {
    /// Its tokens are rewritten.
    InPlace,
    /// An expression takes its place.
    Replaced(Box<Expr>),
    /// Its tokens do not parse.
    Unread,
}

fn grammar(name: &str) -> Grammar {
    match name {
        "format" | "print" | "println" | "eprint" | "eprintln" | "write" | "writeln" | "panic"
        | "todo" | "unimplemented" | "unreachable" | "assert_eq" | "assert_ne"
        | "debug_assert_eq" | "debug_assert_ne" | "vec" | "format_args" | "ready" | "pin_mut"
        | "trace" | "debug" | "info" | "warn" | "error" | "event" | "span" | "trace_span"
        | "debug_span" | "info_span" | "warn_span" | "error_span" | "log" | "anyhow" | "bail" => {
            Grammar::Arguments
        }
        "assert" | "debug_assert" => Grammar::Assert,
        "dbg" => Grammar::Debug,
        "ensure" => Grammar::Ensure,
        "matches" | "assert_matches" | "debug_assert_matches" => Grammar::Matches,
        "pin" => Grammar::Pin,
        "join" | "try_join" => Grammar::Join,
        "select" | "select_biased" => Grammar::Select,
        "quote"
        | "quote_spanned"
        | "parse_quote"
        | "parse_quote_spanned"
        | "stringify"
        | "concat"
        | "macro_rules" => Grammar::Quote,
        _ => Grammar::Unknown,
    }
}

/// Whether a macro of this name takes tokens that are data.
pub(crate) fn quotes(name: &Ident) -> bool {
    grammar(&name.to_string()) == Grammar::Quote
}

/// Whether a macro is called `select!`, and what it takes may be arms.
pub(crate) fn is_select(call: &Macro) -> bool {
    is(call, Grammar::Select)
}

/// Whether a macro is called `join!`, and what it takes may be futures.
pub(crate) fn is_join(call: &Macro) -> bool {
    is(call, Grammar::Join)
}

fn is(call: &Macro, expected: Grammar) -> bool {
    let last = call.path.segments.last();
    last.is_some_and(|last| grammar(&last.ident.to_string()) == expected)
}

impl Rewriter<'_> {
    /// Rewrites the awaits in a macro call; `Some` if an expression takes its place.
    pub(crate) fn macro_call(&mut self, call: &mut Macro) -> Option<Expr> {
        let name = &call.path.segments.last()?.ident;
        let named = self.options.names_macro(name);
        let grammar = if named {
            Grammar::Arguments
        } else {
            grammar(&name.to_string())
        };
        // What is not read as theirs is another macro of that name; refused if it hides an await.
        if matches!(grammar, Grammar::Join | Grammar::Select) {
            if let Some(expression) = self.awaiting_macro(call, grammar) {
                return Some(expression);
            }
            if !select::parses(call) {
                self.unread_awaiting_macro(call);
            }
        }
        if grammar == Grammar::Quote || !has_await(call.tokens.clone()) {
            return None;
        }
        let before = self.checkpoint();
        let rewritten = match grammar {
            Grammar::Arguments => self.in_place(call, Self::arguments),
            Grammar::Matches => self.in_place(call, Self::matches),
            Grammar::Pin => self.in_place(call, Self::pin),
            Grammar::Assert => self.in_place(call, Self::assert),
            Grammar::Debug => self.debug(call),
            Grammar::Ensure => self.ensure(call),
            Grammar::Join | Grammar::Select | Grammar::Quote | Grammar::Unknown => Outcome::Unread,
        };
        match rewritten {
            Outcome::InPlace => None,
            Outcome::Replaced(expression) => Some(*expression),
            Outcome::Unread => {
                self.restore(before);
                self.hidden(call);
                None
            }
        }
    }

    /// `join!` and `select!`; `None` if the tokens are not theirs.
    fn awaiting_macro(&mut self, call: &mut Macro, grammar: Grammar) -> Option<Expr> {
        let before = self.checkpoint();
        let expression = if grammar == Grammar::Join {
            self.join(call)
        } else {
            self.select(call)
        };
        if expression.is_none() {
            self.restore(before);
        }
        expression
    }

    /// A macro by the name of one that awaits, whose tokens are not those of one: recorded in any case,
    /// and refused if its path says that it is one.
    fn unread_awaiting_macro(&mut self, call: &Macro) {
        let path = &call.path;
        self.record(SiteKind::Opaque, path.span(), text::macro_call(call));
        let of_known_crate = path.segments.len() > 1
            && ["tokio", "futures", "futures_util"]
                .iter()
                .any(|name| path.segments[0].ident == name);
        if of_known_crate && !has_await(call.tokens.clone()) {
            let name = text::expression(path.to_token_stream());
            self.refuse(
                path,
                format!("the arms of `{name}!` cannot be read; write each as `pattern = future => handler`"),
            );
        }
    }

    /// An await that cannot be checked is recorded, and refused where the context is explicit.
    fn hidden(&mut self, call: &Macro) {
        let name = text::expression(call.path.to_token_stream());
        for at in await_spans(call.tokens.clone()) {
            self.record(SiteKind::Opaque, at, text::macro_call(call));
        }
        let last = call.path.segments.last();
        let short = last.map(|last| last.ident.to_string()).unwrap_or_default();
        self.refuse(
            &call.path,
            format!(
                "`{name}!` hides an `.await` that cannot be checked; await before it, or write \
                 `macros({short})`"
            ),
        );
    }

    /// Replaces the tokens of the call by what `parser` makes of them.
    fn in_place(
        &mut self,
        call: &mut Macro,
        parser: fn(&mut Self, ParseStream<'_>) -> syn::Result<TokenStream>,
    ) -> Outcome {
        let parse = |input: ParseStream<'_>| parser(self, input);
        match parse.parse2(call.tokens.clone()) {
            Ok(tokens) => {
                call.tokens = tokens;
                Outcome::InPlace
            }
            Err(_) => Outcome::Unread,
        }
    }

    fn expression(&mut self, input: ParseStream<'_>) -> syn::Result<TokenStream> {
        let mut expression: Expr = input.parse()?;
        self.visit_expr_mut(&mut expression);
        Ok(expression.into_token_stream())
    }

    /// Input: `"{} {y}", a.await, y = b.await` or `target: "t", count = %n.await; "text"`
    pub(crate) fn arguments(&mut self, input: ParseStream<'_>) -> syn::Result<TokenStream> {
        let mut output = TokenStream::new();
        while !input.is_empty() {
            argument_prefix(input, &mut output)?;
            let fields = input.peek(syn::token::Brace) && input.fork().parse::<Expr>().is_err();
            if fields {
                let content;
                let brace = syn::braced!(content in input);
                let inner = self.arguments(&content)?;
                brace.surround(&mut output, |tokens| tokens.extend(inner));
            } else {
                output.extend(self.expression(input)?);
            }
            if input.peek(Token![;]) {
                input.parse::<Token![;]>()?.to_tokens(&mut output);
            } else if !input.is_empty() {
                input.parse::<Token![,]>()?.to_tokens(&mut output);
            }
        }
        Ok(output)
    }

    /// Input: `x.await, Some(n) if n > 0`
    fn matches(&mut self, input: ParseStream<'_>) -> syn::Result<TokenStream> {
        let value = self.expression(input)?;
        let comma: Token![,] = input.parse()?;
        let pattern = Pat::parse_multi_with_leading_vert(input)?;
        let mut output = quote!(#value #comma #pattern);
        if input.peek(Token![if]) {
            input.parse::<Token![if]>()?.to_tokens(&mut output);
            output.extend(self.expression(input)?);
        }
        if !input.is_empty() {
            input.parse::<Token![,]>()?.to_tokens(&mut output);
            output.extend(self.arguments(input)?);
        }
        Ok(output)
    }

    /// Input: `let x = f().await;` or `f().await`
    fn pin(&mut self, input: ParseStream<'_>) -> syn::Result<TokenStream> {
        if !input.peek(Token![let]) {
            return self.arguments(input);
        }
        let mut statements = input.call(Block::parse_within)?;
        for statement in &mut statements {
            self.visit_stmt_mut(statement);
        }
        Ok(quote!(#(#statements)*))
    }
}

/// What stands before the expression of an argument: `name =`, `a.b =`, `"key" =`, `target:`,
/// `key:%`, `%`, `?`.
fn argument_prefix(input: ParseStream<'_>, output: &mut TokenStream) -> syn::Result<()> {
    let fork = input.fork();
    if let Some(length) = name_length(&fork) {
        for _ in 0..length {
            input.parse::<TokenTree>()?.to_tokens(output);
        }
    }
    if input.peek(Token![%]) || input.peek(Token![?]) {
        input.parse::<TokenTree>()?.to_tokens(output);
    }
    Ok(())
}

/// How many tokens the name of an argument takes, with the `=` or `:` after it.
fn name_length(input: ParseStream<'_>) -> Option<usize> {
    let mut length = 1;
    if input.peek(syn::LitStr) {
        input.parse::<syn::LitStr>().ok()?;
    } else {
        input.call(Ident::parse_any).ok()?;
        while input.peek(Token![.]) {
            input.parse::<Token![.]>().ok()?;
            input.call(Ident::parse_any).ok()?;
            length += 2;
        }
    }
    if input.peek(Token![:]) && !input.peek(Token![::]) {
        input.parse::<Token![:]>().ok()?;
        length += 1;
        let kind = input.fork();
        let sigil = kind.parse::<TokenTree>().is_ok() && is_assignment(&kind);
        // `key:% = value`; otherwise `target: value`.
        return Some(if sigil { length + 2 } else { length });
    }
    is_assignment(input).then_some(length + 1)
}

fn is_assignment(input: ParseStream<'_>) -> bool {
    input.peek(Token![=]) && !input.peek(Token![==]) && !input.peek(Token![=>])
}

/// Whether a macro call awaits, by itself or in its tokens.
pub(crate) fn awaits(call: &Macro) -> bool {
    let last = call.path.segments.last();
    let grammar = last.map(|last| grammar(&last.ident.to_string()));
    matches!(grammar, Some(Grammar::Join | Grammar::Select)) || has_await(call.tokens.clone())
}

/// Whether anything is awaited in `tokens`.
pub(crate) fn has_await(tokens: TokenStream) -> bool {
    !await_spans(tokens).is_empty()
}

/// Each `.await` in `tokens`, and each macro that awaits by itself.
pub(crate) fn await_spans(tokens: TokenStream) -> Vec<Span> {
    let mut spans = Vec::new();
    // What was read so far of `.await`, and of `select! {`.
    let mut after_dot = false;
    let (mut name, mut called): (Option<Span>, Option<Span>) = (None, None);
    for token in tokens {
        let mut is_dot = false;
        let awaiting = name.take();
        let opened = called.take();
        match token {
            TokenTree::Ident(ident) if after_dot && ident == "await" => spans.push(ident.span()),
            TokenTree::Ident(ident) => {
                let grammar = grammar(&ident.to_string());
                name = matches!(grammar, Grammar::Join | Grammar::Select).then(|| ident.span());
            }
            TokenTree::Punct(punct) => {
                is_dot = punct.as_char() == '.';
                called = awaiting.filter(|_| punct.as_char() == '!');
            }
            TokenTree::Group(group) => {
                spans.extend(opened);
                spans.extend(await_spans(group.stream()));
            }
            TokenTree::Literal(_) => {}
        }
        after_dot = is_dot;
    }
    spans
}
