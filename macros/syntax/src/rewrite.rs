//! The one visitor that rewrites awaits.
//!
//! It stops at nested items (functions of their own), at closures and `async` blocks (a `return`
//! in them leaves only them, and they may run anywhere), and at `const` blocks (nothing can be
//! awaited there). The awaits in nested `async` blocks and closures are recorded as sites.

use proc_macro2::Span;
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::visit_mut::{self, VisitMut};
use syn::{Expr, ExprAwait, ExprMacro, Ident, Item, Local, Stmt, Type};

use crate::attributes;
use crate::diagnostics::Errors;
use crate::emit::{Emitter, Guarded};
use crate::options::Options;
use crate::signature::ends;
use crate::site::{Site, SiteKind};
use crate::text;
use crate::tokens::has_await;
use crate::usage;
use crate::validate::{is_identifier, is_ours};

/// Rewrites one body.
pub(crate) struct Rewriter<'a> {
    pub(crate) emitter: Emitter<'a>,
    pub(crate) options: &'a Options,
    pub(crate) errors: &'a mut Errors,
    /// All awaits found.
    pub(crate) sites: Vec<Site>,
    /// Those of them that are guarded: the elements of the emitted static.
    pub(crate) guarded: Vec<(Span, String)>,
    /// How many shields are around the current expression.
    pub(crate) shields: usize,
}

impl<'a> Rewriter<'a> {
    pub(crate) fn new(emitter: Emitter<'a>, options: &'a Options, errors: &'a mut Errors) -> Self {
        Self {
            emitter,
            options,
            errors,
            sites: Vec::new(),
            guarded: Vec::new(),
            shields: 0,
        }
    }

    /// Records a guarded site and gives its index in the static.
    pub(crate) fn guard_site(&mut self, span: Span, expression: String) -> usize {
        let kind = if self.shields > 0 {
            SiteKind::Shielded
        } else {
            SiteKind::Checked
        };
        self.record(kind, span, expression.clone());
        self.guarded.push((span, expression));
        self.guarded.len() - 1
    }

    pub(crate) fn record(&mut self, kind: SiteKind, span: Span, expression: String) {
        self.sites.push(Site {
            kind,
            span,
            expression,
        });
    }

    /// Input: `pool.acquire().await`
    ///
    /// Output: see [`Emitter::guarded`]; `ctx.shield(…).await` stays as it is.
    fn await_expression(&mut self, expression: &mut Expr) {
        let Expr::Await(awaited) = expression else {
            return;
        };
        let at = awaited.await_token.span;
        let text = text::site(awaited.base.to_token_stream());
        if is_shield_call(&awaited.base, self.emitter.context_name()) {
            self.record(SiteKind::Shielded, at, text);
            self.visit_expr_mut(&mut awaited.base);
            return;
        }
        // Looked at before the awaits in the operand are rewritten: they mention the context, too.
        let owned = usage::may_move(&awaited.base, self.emitter.context_name());
        let operand = ends(&awaited.base);
        self.visit_expr_mut(&mut awaited.base);
        let guarded = Guarded {
            at,
            ends: (operand.0, at),
            site: self.guard_site(at, text),
            owned,
            shielded: self.shields > 0,
        };
        let Expr::Await(awaited) = std::mem::replace(expression, Expr::PLACEHOLDER) else {
            return;
        };
        *expression = self.emitter.guarded(&guarded, awaited);
    }

    /// What to go back to if a macro turns out not to be what it looks like.
    pub(crate) fn checkpoint(&self) -> (usize, usize) {
        (self.sites.len(), self.guarded.len())
    }

    pub(crate) fn restore(&mut self, (sites, guarded): (usize, usize)) {
        self.sites.truncate(sites);
        self.guarded.truncate(guarded);
    }

    /// Input: `select! { … }` or `println!("{}", x.await);` as a statement.
    fn statement_macro(&mut self, statement: &mut Stmt) {
        let Stmt::Macro(call) = statement else {
            return;
        };
        attributes::take(&mut call.attrs, is_ours);
        let shield = self.take_shield(&mut call.attrs);
        let semicolon = call.semi_token;
        if let Some(shield) = shield {
            let mut expression = Expr::Macro(ExprMacro {
                attrs: std::mem::take(&mut call.attrs),
                mac: call.mac.clone(),
            });
            self.shielded(&shield, &mut expression);
            *statement = Stmt::Expr(expression, semicolon);
        } else if let Some(replacement) = self.macro_call(&mut call.mac) {
            *statement = Stmt::Expr(replacement, semicolon);
        }
    }

    fn record_nested(&mut self, expression: &Expr) {
        let mut nested = NestedAwaits { sites: Vec::new() };
        nested.visit_expr(expression);
        self.sites.append(&mut nested.sites);
    }
}

impl VisitMut for Rewriter<'_> {
    fn visit_expr_mut(&mut self, expression: &mut Expr) {
        if let Some(attributes) = attributes::of_expression(expression) {
            attributes::take(attributes, is_ours);
            if let Some(shield) = self.take_shield(attributes) {
                self.shielded(&shield, expression);
                return;
            }
        }
        match expression {
            Expr::Await(_) => self.await_expression(expression),
            Expr::Async(_) | Expr::Closure(_) => self.record_nested(expression),
            Expr::Const(_) => {}
            Expr::Verbatim(tokens) if has_await(tokens.clone()) => {
                let text = text::site(tokens.clone());
                self.record(SiteKind::Opaque, tokens.span(), text);
                self.errors.push_spanned(
                    tokens,
                    "an `.await` in syntax that cannot be read; await before it",
                );
            }
            Expr::Macro(call) => {
                if let Some(replacement) = self.macro_call(&mut call.mac) {
                    *expression = replacement;
                }
            }
            _ => visit_mut::visit_expr_mut(self, expression),
        }
    }

    fn visit_local_mut(&mut self, local: &mut Local) {
        attributes::take(&mut local.attrs, is_ours);
        let shield = self.take_shield(&mut local.attrs);
        match (shield, &mut local.init) {
            (Some(shield), Some(init)) => {
                self.shielded(&shield, &mut init.expr);
                if let Some((_, diverge)) = &mut init.diverge {
                    self.visit_expr_mut(diverge);
                }
            }
            (None, Some(init)) => {
                let awaited = await_ends(&init.expr);
                visit_mut::visit_local_init_mut(self, init);
                if let Some(ends) = awaited {
                    *init.expr = Emitter::bound(&init.expr, ends);
                }
            }
            _ => {}
        }
    }

    fn visit_stmt_mut(&mut self, statement: &mut Stmt) {
        match statement {
            Stmt::Expr(expression, semicolon) => {
                let shield = attributes::of_statement(expression)
                    .and_then(|attributes| self.take_shield(attributes));
                let discarded = semicolon.and_then(|_| await_ends(expression));
                match shield {
                    Some(shield) => self.shielded(&shield, expression),
                    None => self.visit_expr_mut(expression),
                }
                if let Some(ends) = discarded {
                    *expression = Emitter::discarded(expression, ends);
                }
            }
            Stmt::Macro(_) => self.statement_macro(statement),
            _ => visit_mut::visit_stmt_mut(self, statement),
        }
    }

    fn visit_item_mut(&mut self, _: &mut Item) {}

    fn visit_type_mut(&mut self, _: &mut Type) {}
}

/// The first and the last token of an expression that is an await.
fn await_ends(expression: &Expr) -> Option<(Span, Span)> {
    match expression {
        Expr::Await(awaited) => Some((ends(&awaited.base).0, awaited.await_token.span)),
        _ => None,
    }
}

/// `ctx.shield(…)`, or a call on its result that sets it up further.
fn is_shield_call(operand: &Expr, context: &Ident) -> bool {
    match operand {
        Expr::MethodCall(call) if is_identifier(&call.receiver, context) => call.method == "shield",
        Expr::MethodCall(call) => is_shield_call(&call.receiver, context),
        _ => false,
    }
}

/// Collects awaits that are not rewritten, since they are in a nested `async` block or closure.
struct NestedAwaits {
    sites: Vec<Site>,
}

impl<'ast> Visit<'ast> for NestedAwaits {
    fn visit_expr_await(&mut self, awaited: &'ast ExprAwait) {
        self.sites.push(Site {
            kind: SiteKind::Nested,
            span: awaited.await_token.span,
            expression: text::site(awaited.base.to_token_stream()),
        });
        visit::visit_expr_await(self, awaited);
    }

    fn visit_item(&mut self, _: &'ast Item) {}
}
