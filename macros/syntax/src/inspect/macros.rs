//! What is found in the tokens of macros: parsed, if they can be, for what is awaited; as they are, so
//! that nothing is missed.

use proc_macro2::{Span, TokenStream};
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::visit::Visit;
use syn::{Block, Expr, Item, Macro, Token};

use super::function::path_name;
use super::raw::Found;
use super::walk::Walker;
use crate::join;
use crate::select;
use crate::text;
use crate::tokens;

impl Walker {
    pub(super) fn macro_call(&mut self, call: &Macro) {
        let name = path_name(&call.path);
        let is_definition = name == "macro_rules";
        let last = call.path.segments.last();
        let is_quoted = last.is_some_and(|last| tokens::quotes(&last.ident));
        if !is_quoted {
            // The attribute of a block does not look into macros.
            let around = std::mem::take(&mut self.around);
            self.macros += 1;
            self.awaiting_macro(call);
            self.parsed_tokens(call);
            self.macros -= 1;
            self.around = around;
        }
        let mut found = Found::in_tokens(call.tokens.clone());
        if is_quoted {
            // Only what it will be when it is code.
            found.awaits.clear();
            if !is_definition {
                found.todos.clear();
            }
        }
        self.found(found, &format!("the tokens of `{name}!`"));
    }

    /// Tokens that syn does not interpret.
    pub(super) fn uninterpreted(&mut self, tokens: &TokenStream) {
        let found = Found::in_tokens(tokens.clone());
        self.found(found, "syntax that cannot be read");
    }

    fn found(&mut self, found: Found, place: &str) {
        for function in &found.functions {
            self.left_out(function, format!("it is in {place}"));
        }
        for todo in found.todos {
            self.todo(todo);
        }
        for (span, expression) in found.awaits {
            self.record(span, false, || expression);
        }
    }

    /// A macro that is an await itself.
    fn awaiting_macro(&mut self, call: &Macro) {
        let is_select = || tokens::is_select(call) && select::is_select(call);
        let is_join = || tokens::is_join(call) && join::is_join(call);
        if is_select() || is_join() {
            let span: Span = syn::spanned::Spanned::span(&call.path);
            self.record(span, true, || text::macro_call(call));
        }
    }

    fn parsed_tokens(&mut self, call: &Macro) {
        let tokens = || call.tokens.clone();
        let arms = select::expressions(call);
        let list = Punctuated::<Expr, Token![,]>::parse_terminated;
        if !arms.is_empty() {
            for expression in &arms {
                Self::visit_expr(self, expression);
            }
        } else if let Ok(expressions) = list.parse2(tokens()) {
            for expression in &expressions {
                Self::visit_expr(self, expression);
            }
        } else if let Ok(Items(items)) = syn::parse2(tokens()) {
            for item in &items {
                Self::visit_item(self, item);
            }
        } else if let Ok(statements) = Block::parse_within.parse2(tokens()) {
            for statement in &statements {
                Self::visit_stmt(self, statement);
            }
        }
    }
}

/// Items, as macros take that configure them.
struct Items(Vec<Item>);

impl Parse for Items {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut items = Vec::new();
        while !input.is_empty() {
            items.push(input.parse()?);
        }
        Ok(Self(items))
    }
}
