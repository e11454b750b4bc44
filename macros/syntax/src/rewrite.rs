//! The one visitor that rewrites awaits.
//!
//! It stops at nested items (functions of their own) and at `const` blocks (nothing can be awaited
//! there). In nested `async` blocks and closures, which may be polled anywhere, it goes on in another
//! mode: their awaits find the context they are polled in, and are unwound by drop, since a `return`
//! would leave only the block.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, Block, Expr, ExprClosure, ExprMacro, Item, Local, Stmt, Type};

use crate::attributes;
use crate::diagnostics::Errors;
use crate::emit::{Emitter, Guarded, Mode, mixed};
use crate::finding::Lint;
use crate::function::tail_async_block_of;
use crate::lints;
use crate::options::Options;
use crate::shield;
use crate::signature::{ends, is_nameable};
use crate::site::{Site, SiteKind};
use crate::spawns;
use crate::text;
use crate::tokens::await_spans;
use crate::usage;
use crate::validate::is_ours;

/// Rewrites one body.
pub(crate) struct Rewriter<'a> {
    pub(crate) emitter: Emitter<'a>,
    pub(crate) options: &'a Options,
    pub(crate) errors: &'a mut Errors,
    /// All awaits found.
    pub(crate) sites: Vec<Site>,
    /// Those of them that are guarded: the elements of the emitted static.
    pub(crate) guarded: Vec<(Span, String)>,
    /// Whether one of them is in the function's own body, and uses its locals.
    pub(crate) uses_locals: bool,
    /// How many awaits leave the current body.
    leaving: usize,
    /// How many shields are around the current expression.
    pub(crate) shields: usize,
    /// Whether this is handed to a task of its own, which is in no scope.
    pub(crate) is_detached: bool,
    /// Whether that is allowed here.
    allows_detached: bool,
}

impl<'a> Rewriter<'a> {
    pub(crate) fn new(emitter: Emitter<'a>, options: &'a Options, errors: &'a mut Errors) -> Self {
        Self {
            emitter,
            options,
            errors,
            sites: Vec::new(),
            guarded: Vec::new(),
            uses_locals: false,
            leaving: 0,
            shields: 0,
            is_detached: false,
            allows_detached: options.allows(Lint::Detached),
        }
    }

    /// Takes our attributes off, and visits what they are on with what they allow.
    fn with_attributes(&mut self, attributes: &[Attribute], visit: impl FnOnce(&mut Self)) {
        let allows = attributes.iter().any(lints::allows_detached);
        let outer = self.allows_detached;
        self.allows_detached |= allows;
        visit(self);
        self.allows_detached = outer;
    }

    /// Rewrites the block whose awaits belong to the function, within `body`; all else in `body` is
    /// code that awaits nothing itself.
    pub(crate) fn function(&mut self, body: &mut Block, is_async: bool) {
        if is_async {
            let unit = syn::parse_quote!(());
            let output = self.emitter.output.clone().unwrap_or(unit);
            self.block(body, Some(&output));
            return;
        }
        let own = self.emitter.mode;
        self.nested(|rewriter| {
            let Some((tail, before)) = body.stmts.split_last_mut() else {
                return;
            };
            for statement in before {
                rewriter.visit_stmt_mut(statement);
            }
            match tail {
                Stmt::Expr(tail, None) => match tail_async_block_of(tail) {
                    Some(block) => {
                        rewriter.emitter.mode = own;
                        let output = rewriter.emitter.output.clone();
                        rewriter.block(&mut block.block, output.as_ref());
                    }
                    None => rewriter.visit_expr_mut(tail),
                },
                other => rewriter.visit_stmt_mut(other),
            }
        });
    }

    /// A block that can be left, of type `output`, if that is known.
    fn block(&mut self, block: &mut Block, output: Option<&Type>) {
        let outer = std::mem::take(&mut self.leaving);
        self.visit_block_mut(block);
        if std::mem::replace(&mut self.leaving, outer) > 0 {
            let statements = std::mem::take(&mut block.stmts);
            // Braces of ours: the user's would be a lint where nothing but an expression is in them.
            let span = mixed(block.brace_token.span.join());
            let body = quote_spanned!(span=> { #(#statements)* });
            // On stable Rust, a variable of type `!` cannot be declared.
            let is_variable =
                |output: &&Type| is_nameable(output) && !matches!(output, Type::Never(_));
            let output = output.filter(is_variable);
            let left = Expr::Verbatim(self.emitter.left(&body, output));
            block.stmts.push(Stmt::Expr(left, None));
        }
    }

    /// In a nested `async` block or closure.
    fn nested(&mut self, visit: impl FnOnce(&mut Self)) {
        let name = self.emitter.context_name().clone();
        let outer = self.emitter.switch(Mode::Unwinding, name);
        let shields = std::mem::take(&mut self.shields);
        visit(self);
        self.shields = shields;
        self.emitter.restore(outer);
    }

    /// A closure, which can be left if it is `async`.
    fn closure(&mut self, closure: &mut ExprClosure) {
        let outer = std::mem::take(&mut self.leaving);
        visit_mut::visit_expr_closure_mut(self, closure);
        let leaving = std::mem::replace(&mut self.leaving, outer);
        if leaving > 0 && closure.asyncness.is_some() {
            let left = self.emitter.left(&closure.body, None);
            *closure.body = Expr::Verbatim(quote!({ #left }));
        }
    }

    /// In the arguments of a call that spawns or opens a scope.
    pub(crate) fn handed_over(&mut self, is_detached: bool, visit: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.is_detached, is_detached);
        visit(self);
        self.is_detached = outer;
    }

    /// Records a guarded site and gives its index in the static.
    pub(crate) fn guard_site(&mut self, span: Span, expression: String) -> usize {
        let is_nested = self.emitter.mode == Mode::Unwinding;
        let kind = if self.shields > 0 {
            SiteKind::Shielded
        } else if self.is_detached && is_nested {
            SiteKind::Detached
        } else {
            SiteKind::Checked
        };
        self.uses_locals |= matches!(self.emitter.mode, Mode::Explicit | Mode::Returning);
        self.leaving += usize::from(self.emitter.leaves_body());
        self.record(kind, span, expression.clone());
        self.guarded.push((span, expression));
        self.guarded.len() - 1
    }

    pub(crate) fn record(&mut self, kind: SiteKind, span: Span, expression: String) {
        self.sites.push(Site {
            kind,
            is_allowed: kind == SiteKind::Detached && self.allows_detached,
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
        if shield::is_call(&awaited.base, self.emitter.context_name()) {
            self.record(SiteKind::Shielded, at, text);
            self.visit_expr_mut(&mut awaited.base);
            return;
        }
        // Looked at before the awaits in the operand are rewritten: they mention the context, too.
        let owned = !self.emitter.is_reference
            && usage::may_move(&awaited.base, self.emitter.context_name());
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
    pub(crate) fn checkpoint(&self) -> (usize, usize, usize) {
        (self.sites.len(), self.guarded.len(), self.leaving)
    }

    pub(crate) fn restore(&mut self, (sites, guarded, leaving): (usize, usize, usize)) {
        self.sites.truncate(sites);
        self.guarded.truncate(guarded);
        self.leaving = leaving;
    }

    /// Input: `select! { … }` or `println!("{}", x.await);` as a statement.
    fn statement_macro(&mut self, statement: &mut Stmt) {
        let Stmt::Macro(call) = statement else {
            return;
        };
        let ours = attributes::take(&mut call.attrs, is_ours);
        self.with_attributes(&ours, |rewriter| rewriter.unshielded_macro(statement));
    }

    fn unshielded_macro(&mut self, statement: &mut Stmt) {
        let Stmt::Macro(call) = statement else {
            return;
        };
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
}

impl VisitMut for Rewriter<'_> {
    fn visit_expr_mut(&mut self, expression: &mut Expr) {
        if let Some(attributes) = attributes::of_expression(expression) {
            let ours = attributes::take(attributes, is_ours);
            if !ours.is_empty() {
                self.with_attributes(&ours, |rewriter| rewriter.visit_expr_mut(expression));
                return;
            }
            if let Some(shield) = self.take_shield(attributes) {
                self.shielded(&shield, expression);
                return;
            }
        }
        match expression {
            Expr::Await(_) => self.await_expression(expression),
            Expr::Async(block) => self.nested(|rewriter| rewriter.block(&mut block.block, None)),
            Expr::Closure(closure) => self.nested(|rewriter| rewriter.closure(closure)),
            Expr::Const(_) => {}
            Expr::Call(_) | Expr::MethodCall(_) => self.call(expression),
            Expr::Verbatim(tokens) => self.unread(tokens),
            Expr::Macro(call) => {
                if let Some(replacement) = self.macro_call(&mut call.mac) {
                    *expression = replacement;
                }
            }
            _ => visit_mut::visit_expr_mut(self, expression),
        }
    }

    fn visit_local_mut(&mut self, local: &mut Local) {
        let ours = attributes::take(&mut local.attrs, is_ours);
        if !ours.is_empty() {
            self.with_attributes(&ours, |rewriter| rewriter.visit_local_mut(local));
            return;
        }
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

impl Rewriter<'_> {
    /// Tokens that syn does not interpret.
    fn unread(&mut self, tokens: &TokenStream) {
        let awaits = await_spans(tokens.clone());
        for at in &awaits {
            self.record(SiteKind::Opaque, *at, text::site(tokens.clone()));
        }
        if !awaits.is_empty() {
            self.refuse(
                tokens,
                "an `.await` in syntax that cannot be read; await before it",
            );
        }
    }

    /// An await that cannot be checked: an error where the context is explicit; what is implicit is
    /// left as it was, and shown by the audit.
    pub(crate) fn refuse(&mut self, tokens: impl ToTokens, message: impl std::fmt::Display) {
        if !self.options.is_implicit() {
            self.errors.push_spanned(tokens, message);
        }
    }

    /// A call, which may hand its arguments to a task of its own.
    fn call(&mut self, expression: &mut Expr) {
        let context = self.emitter.context_name().clone();
        let Some(hand_over) = spawns::hand_over(expression, &context) else {
            visit_mut::visit_expr_mut(self, expression);
            return;
        };
        let inherits = self.options.inherit_spawns.is_some() && spawns::can_inherit(expression);
        let is_detached = hand_over == spawns::HandOver::Spawn && !inherits;
        match expression {
            Expr::Call(call) => {
                self.visit_expr_mut(&mut call.func);
                self.handed_over(is_detached, |rewriter| {
                    call.args
                        .iter_mut()
                        .for_each(|argument| rewriter.visit_expr_mut(argument));
                });
            }
            Expr::MethodCall(call) => {
                self.visit_expr_mut(&mut call.receiver);
                self.handed_over(is_detached, |rewriter| {
                    call.args
                        .iter_mut()
                        .for_each(|argument| rewriter.visit_expr_mut(argument));
                });
            }
            _ => {}
        }
        if inherits {
            *expression = self.emitter.inheriting(expression);
        }
    }
}

/// The first and the last token of an expression that is an await.
fn await_ends(expression: &Expr) -> Option<(Span, Span)> {
    match expression {
        Expr::Await(awaited) => Some((ends(&awaited.base).0, awaited.await_token.span)),
        _ => None,
    }
}
