//! The text that `assert!` prints of its condition, which rustc prints from the syntax tree: every
//! expression is a box, four columns further in.
//!
//! Blocks, closures and control flow in a condition are kept on one line.

use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::{Expr, Token};

use crate::layout::{self, Piece};
use crate::{source_text, text};

/// How much further in a box starts its lines.
const INDENT: usize = 4;

/// What `assert!` prints of `condition`.
pub(crate) fn condition(condition: &Expr) -> String {
    let mut printed = Condition::default();
    printed.expression(condition);
    layout::print(&printed.pieces)
}

/// What is printed of an expression.
#[derive(Default)]
struct Condition {
    pieces: Vec<Piece>,
}

impl Condition {
    fn text(&mut self, text: impl Into<String>) {
        self.pieces.push(Piece::Text(text.into()));
    }

    fn tokens(&mut self, tokens: impl ToTokens) {
        self.text(text::expression(tokens.to_token_stream()));
    }

    fn expression(&mut self, expression: &Expr) {
        self.pieces.push(Piece::Begin(INDENT));
        match expression {
            Expr::Binary(binary) => {
                self.expression(&binary.left);
                self.pieces.push(Piece::Break);
                self.text(binary.op.to_token_stream().to_string());
                self.pieces.push(Piece::Break);
                self.expression(&binary.right);
            }
            Expr::Cast(cast) => {
                self.expression(&cast.expr);
                self.pieces.push(Piece::Break);
                self.text("as");
                self.pieces.push(Piece::Break);
                self.text(text::ty(cast.ty.to_token_stream()));
            }
            Expr::Call(call) => {
                self.expression(&call.func);
                self.list("(", &call.args, ")");
            }
            Expr::MethodCall(call) => {
                self.expression(&call.receiver);
                let (method, turbofish) = (&call.method, &call.turbofish);
                self.tokens(quote::quote!(.#method #turbofish));
                self.list("(", &call.args, ")");
            }
            Expr::Array(array) => self.list("[", &array.elems, "]"),
            Expr::Tuple(tuple) if tuple.elems.len() > 1 => self.list("(", &tuple.elems, ")"),
            Expr::Macro(call) => {
                self.tokens(&call.mac.path);
                let group = call.mac.to_token_stream().into_iter().last();
                let arguments = group.into_iter().collect();
                self.text(format!("!{}", source_text::one_line(arguments)));
            }
            other => self.wrapping(other),
        }
        self.pieces.push(Piece::End);
    }

    /// Expressions that put something before or after another one.
    fn wrapping(&mut self, expression: &Expr) {
        let (before, inner, after) = match expression {
            Expr::Paren(paren) => ("(".into(), &paren.expr, ")".into()),
            Expr::Unary(unary) => (text_of(unary.op), &unary.expr, String::new()),
            Expr::Reference(reference) => {
                let before = if reference.mutability.is_some() {
                    "&mut "
                } else {
                    "&"
                };
                (before.into(), &reference.expr, String::new())
            }
            Expr::Await(awaited) => (String::new(), &awaited.base, ".await".into()),
            Expr::Try(tried) => (String::new(), &tried.expr, "?".into()),
            Expr::Field(field) => {
                let member = text_of(&field.member);
                (String::new(), &field.base, format!(".{member}"))
            }
            other => return self.tokens(other),
        };
        self.text(before);
        self.expression(inner);
        self.text(after);
    }

    fn list(&mut self, open: &str, elements: &Punctuated<Expr, Token![,]>, close: &str) {
        self.text(open);
        self.pieces.push(Piece::Begin(0));
        for (index, element) in elements.iter().enumerate() {
            if index > 0 {
                self.text(",");
                self.pieces.push(Piece::Break);
            }
            self.expression(element);
        }
        self.pieces.push(Piece::End);
        self.text(close);
    }
}

fn text_of(tokens: impl ToTokens) -> String {
    text::expression(tokens.to_token_stream())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As rustc 1.95 prints them.
    #[test]
    fn long_conditions_are_broken_as_rustc_breaks_them() {
        for printed in [
            "t(false, \"a\", 1 + 2).await",
            "x.me().me().me().me().me().me().me().me().me().me().me().me().me().me().me().me().go(1,\n    2)",
            "t(false, \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\", 1111111) &&\n    t(false, \"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\", 2222)",
            "x.me().go(1111111111, 1111111111) ||\n    t(false, \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\n        1)",
        ] {
            let parsed: Expr = syn::parse_str(printed).expect("test source must parse");
            assert_eq!(condition(&parsed), printed);
        }
    }
}
