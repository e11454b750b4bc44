//! The annotated function, parsed: with a body, or a declaration in a trait.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Block, Expr, ExprAsync, Signature, Stmt, Token, Visibility};

use crate::signature::Form;
use crate::spawns;
use crate::tokens::has_await;

/// A free function, method, or trait method.
#[derive(Clone)]
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    visibility: Visibility,
    defaultness: Option<Token![default]>,
    pub(crate) signature: Signature,
    /// None for a declaration in a trait.
    pub(crate) body: Option<Block>,
    /// Ends a declaration.
    semicolon: Option<Token![;]>,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let defaultness = input.parse()?;
        let signature = input.parse()?;
        let mut body = None;
        let semicolon: Option<Token![;]> = input.parse()?;
        if semicolon.is_none() {
            let content;
            let brace_token = syn::braced!(content in input);
            attributes.extend(content.call(Attribute::parse_inner)?);
            let stmts = content.call(Block::parse_within)?;
            body = Some(Block { brace_token, stmts });
        }
        Ok(Self {
            attributes,
            visibility,
            defaultness,
            signature,
            body,
            semicolon,
        })
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let (inner, outer): (Vec<_>, Vec<_>) = self
            .attributes
            .iter()
            .partition(|attribute| matches!(attribute.style, syn::AttrStyle::Inner(_)));
        for attribute in outer {
            attribute.to_tokens(tokens);
        }
        self.visibility.to_tokens(tokens);
        self.defaultness.to_tokens(tokens);
        self.signature.to_tokens(tokens);
        self.semicolon.to_tokens(tokens);
        if let Some(body) = &self.body {
            body.brace_token.surround(tokens, |tokens| {
                for attribute in inner {
                    attribute.to_tokens(tokens);
                }
                for statement in &body.stmts {
                    statement.to_tokens(tokens);
                }
            });
        }
    }
}

impl Function {
    /// Whether a function that returns a future ends in an `async` block; true for all others, and for
    /// declarations.
    pub(crate) fn ends_as(&self, form: &Form) -> bool {
        match (form, self.body.clone()) {
            (Form::Future(_), Some(mut body)) => tail_async_block(&mut body).is_some(),
            _ => true,
        }
    }

    /// Whether anything is awaited in the body, by nested `async` blocks; or, if `spawns` counts, spawned.
    pub(crate) fn has_work(&self, spawns: bool) -> bool {
        self.body.as_ref().is_some_and(|body| {
            has_await(body.to_token_stream()) || (spawns && spawns::has_inheriting(body))
        })
    }
}

/// The `async` block that a function returning a future ends in: bare, inside `Box::pin(…)`, or
/// followed by `.boxed()`.
pub(crate) fn tail_async_block(body: &mut Block) -> Option<&mut ExprAsync> {
    match body.stmts.last_mut() {
        Some(Stmt::Expr(tail, None)) => tail_async_block_of(tail),
        _ => None,
    }
}

/// The same, of the expression that a function ends in.
pub(crate) fn tail_async_block_of(mut tail: &mut Expr) -> Option<&mut ExprAsync> {
    loop {
        tail = match tail {
            Expr::Async(block) => return Some(block),
            Expr::Paren(paren) => &mut paren.expr,
            Expr::Group(group) => &mut group.expr,
            Expr::Call(call) if call.args.len() == 1 && ends_in_pin(&call.func) => {
                call.args.first_mut()?
            }
            Expr::MethodCall(call) if call.args.is_empty() && is_boxing(&call.method) => {
                &mut call.receiver
            }
            _ => return None,
        };
    }
}

fn ends_in_pin(function: &Expr) -> bool {
    matches!(function, Expr::Path(path)
        if path.path.segments.last().is_some_and(|last| last.ident == "pin"))
}

fn is_boxing(method: &syn::Ident) -> bool {
    method == "boxed" || method == "boxed_local"
}
