//! Whether an operand may move the context out of its variable.

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{
    Block, Expr, ExprAsync, ExprClosure, ExprField, ExprMethodCall, ExprReference, Macro, PatIdent,
};

use crate::validate::is_identifier;

/// `&ctx`, `ctx.method(…)` and `ctx.field` only borrow it; everything else may move it.
pub(crate) fn may_move(operand: &Expr, context: &Ident) -> bool {
    let mut search = Search {
        context,
        found: false,
    };
    search.visit_expr(operand);
    search.found
}

/// Whether `name` occurs anywhere in `tokens`.
pub(crate) fn mentions(tokens: TokenStream, name: &Ident) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Group(group) => mentions(group.stream(), name),
        TokenTree::Ident(ident) => ident == *name,
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

/// Whether `name` may be bound once more in `body`.
pub(crate) fn may_bind(body: &Block, name: &Ident) -> bool {
    let mut search = Bindings { name, found: false };
    search.visit_block(body);
    search.found
}

struct Bindings<'a> {
    name: &'a Ident,
    found: bool,
}

impl<'ast> Visit<'ast> for Bindings<'_> {
    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        self.found |= pattern.ident == *self.name;
        visit::visit_pat_ident(self, pattern);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.found |= mentions(call.tokens.clone(), self.name);
    }
}

struct Search<'a> {
    context: &'a Ident,
    found: bool,
}

impl<'ast> Visit<'ast> for Search<'_> {
    fn visit_expr_path(&mut self, path: &'ast syn::ExprPath) {
        self.found |= path.qself.is_none() && path.path.is_ident(self.context);
    }

    fn visit_expr_reference(&mut self, reference: &'ast ExprReference) {
        if reference.mutability.is_some() || !is_identifier(&reference.expr, self.context) {
            visit::visit_expr_reference(self, reference);
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if is_identifier(&call.receiver, self.context) {
            call.args
                .iter()
                .for_each(|argument| self.visit_expr(argument));
        } else {
            visit::visit_expr_method_call(self, call);
        }
    }

    fn visit_expr_field(&mut self, field: &'ast ExprField) {
        if !is_identifier(&field.base, self.context) {
            visit::visit_expr_field(self, field);
        }
    }

    fn visit_expr_closure(&mut self, closure: &'ast ExprClosure) {
        if closure.capture.is_some() {
            self.found |= mentions(quote::ToTokens::to_token_stream(closure), self.context);
        } else {
            visit::visit_expr_closure(self, closure);
        }
    }

    fn visit_expr_async(&mut self, block: &'ast ExprAsync) {
        if block.capture.is_some() {
            self.found |= mentions(quote::ToTokens::to_token_stream(block), self.context);
        } else {
            visit::visit_expr_async(self, block);
        }
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.found |= mentions(call.tokens.clone(), self.context);
    }
}
