//! What breaks cancellation in practice, where its path shows it (guarantee A9).

use quote::ToTokens;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{
    Attribute, Block, Expr, ExprCall, ExprClosure, ExprMethodCall, ExprPath, ExprWhile, Ident,
    Item, Local, Macro, Pat, Path, StmtMacro, Token, UnOp,
};

use crate::attributes::on_expression;
use crate::diagnostics::Errors;
use crate::finding::{Finding, Lint};
use crate::options::Options;
use crate::select;
use crate::spawns::{self, HandOver};
use crate::tokens::awaits;
use crate::validate::is_ours;

/// Checks a body, before it is rewritten.
///
/// Stops at nested items (functions of their own) and plain closures (they may run anywhere, a
/// blocking thread included). Macros are looked into where their tokens are expressions or the
/// arms of `select!`.
pub(crate) fn check(body: &Block, options: &Options, errors: &mut Errors) -> Vec<Finding> {
    let mut checker = Checker {
        options,
        errors,
        findings: Vec::new(),
        allowed: Vec::new(),
        outside: 0,
    };
    checker.visit_block(body);
    checker.findings
}

struct Checker<'a> {
    options: &'a Options,
    errors: &'a mut Errors,
    findings: Vec<Finding>,
    /// By attributes of the statements and expressions around.
    allowed: Vec<Lint>,
    /// Calls of `outside` around.
    outside: usize,
}

impl Checker<'_> {
    fn report(&mut self, lint: Lint, tokens: impl ToTokens, message: impl std::fmt::Display) {
        if !self.allowed.contains(&lint) && !self.options.allows(lint) {
            self.findings
                .push(Finding::new(lint.name(), tokens, message));
        }
    }

    /// How the context is written here.
    fn context(&self) -> &'static str {
        if self.options.is_implicit() {
            "Context::current()"
        } else {
            "ctx"
        }
    }

    /// Awaits in a task of its own; where the context is implicit, their sites say so.
    fn detached(&mut self, call: &Expr) {
        let context = self.options.context_name();
        let is_spawn = spawns::hand_over(call, &context) == Some(HandOver::Spawn);
        if !self.options.is_implicit() && is_spawn && spawns::has_nested_await(call, &context) {
            let name = match call {
                Expr::Call(call) => call.func.to_token_stream(),
                Expr::MethodCall(call) => call.method.to_token_stream(),
                _ => return,
            };
            self.report(
                Lint::Detached,
                name,
                "the awaits of this task are in no scope; write `ctx.run(…)` around its future, or \
                 `#[cancellable(allow(detached))]`",
            );
        }
    }

    /// Visits with what the attributes allow.
    fn with_attributes(&mut self, attributes: &[Attribute], visit: impl FnOnce(&mut Self)) {
        let before = self.allowed.len();
        for attribute in attributes.iter().filter(|attribute| is_ours(attribute)) {
            let allowed = allowed(attribute, self.errors);
            self.allowed.extend(allowed);
        }
        visit(self);
        self.allowed.truncate(before);
    }

    fn path(&mut self, path: &Path) {
        let names: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        let [.., parent, name] = names.as_slice() else {
            return;
        };
        match (parent.as_str(), name.as_str()) {
            ("Context", "background" | "todo") => self.report(
                Lint::RootContext,
                path,
                format!(
                    "`Context::{name}` is never cancelled; pass `{}` on, or derive from it",
                    self.context()
                ),
            ),
            ("thread", "sleep") => self.report(
                Lint::ThreadSleep,
                path,
                format!(
                    "`thread::sleep` cannot be cancelled; write `{}.sleep(…).await`",
                    self.context()
                ),
            ),
            ("process", "exit" | "abort") => self.report(
                Lint::ProcessExit,
                path,
                format!("`process::{name}` runs no `Drop` of any task; return an error instead"),
            ),
            _ => {}
        }
    }

    fn block_on(&mut self, name: &Ident) {
        if name == "block_on" && self.outside == 0 {
            self.report(
                Lint::BlockOn,
                name,
                "`block_on` would run in the scope of the poll around it; await instead, or write \
                 `cancel_context::outside(…)` around it",
            );
        }
    }
}

impl<'ast> Visit<'ast> for Checker<'_> {
    fn visit_expr(&mut self, expression: &'ast Expr) {
        self.with_attributes(on_expression(expression), |checker| {
            checker.detached(expression);
            visit::visit_expr(checker, expression);
        });
    }

    fn visit_local(&mut self, local: &'ast Local) {
        self.with_attributes(&local.attrs, |checker| {
            if let Some(wild) = dropped_canceller(local) {
                checker.report(
                    Lint::DroppedCanceller,
                    wild,
                    "`_` drops the canceller, which cancels at once; bind it, as in \
                     `let (ctx, canceller) = …`",
                );
            }
            visit::visit_local(checker, local);
        });
    }

    fn visit_stmt_macro(&mut self, statement: &'ast StmtMacro) {
        self.with_attributes(&statement.attrs, |checker| {
            checker.visit_macro(&statement.mac);
        });
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        let list = Punctuated::<Expr, Token![,]>::parse_terminated;
        if let Ok(arguments) = list.parse2(call.tokens.clone()) {
            for argument in &arguments {
                Checker::visit_expr(self, argument);
            }
        } else {
            for expression in select::expressions(call) {
                Checker::visit_expr(self, &expression);
            }
        }
    }

    fn visit_expr_path(&mut self, path: &'ast ExprPath) {
        self.path(&path.path);
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        let mut is_outside = false;
        if let Expr::Path(path) = call.func.as_ref()
            && let Some(last) = path.path.segments.last()
        {
            is_outside = last.ident == "outside";
            self.block_on(&last.ident);
        }
        self.outside += usize::from(is_outside);
        visit::visit_expr_call(self, call);
        self.outside -= usize::from(is_outside);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        self.block_on(&call.method);
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_while(&mut self, repeated: &'ast ExprWhile) {
        if is_until_cancelled(&repeated.cond) && !yields(&repeated.body) {
            self.report(
                Lint::Spin,
                &repeated.cond,
                format!(
                    "this loop awaits nothing, so it blocks its thread until the context ends; await \
                     in it, or call `{}.check()?`",
                    self.context()
                ),
            );
        }
        visit::visit_expr_while(self, repeated);
    }

    fn visit_expr_closure(&mut self, closure: &'ast ExprClosure) {
        if closure.asyncness.is_some() {
            visit::visit_expr_closure(self, closure);
        }
    }

    fn visit_item(&mut self, _: &'ast Item) {}
}

/// Whether an attribute of ours on a statement says `allow(detached)`.
pub(crate) fn allows_detached(attribute: &Attribute) -> bool {
    allowed(attribute, &mut Errors::default()).contains(&Lint::Detached)
}

/// The lints of `#[cancellable(allow(…))]` on a statement.
fn allowed(attribute: &Attribute, errors: &mut Errors) -> Vec<Lint> {
    let list = attribute.meta.require_list().ok();
    let nested = list.and_then(|list| list.parse_args::<syn::MetaList>().ok());
    let names = nested
        .filter(|nested| nested.path.is_ident("allow"))
        .and_then(|nested| {
            let parser = Punctuated::<Ident, Token![,]>::parse_terminated;
            nested.parse_args_with(parser).ok()
        });
    if let Some(names) = names {
        return Lint::from_names(&Vec::from_iter(names), errors);
    }
    errors.push_spanned(
        attribute.path(),
        "only lints can be allowed on a statement; write `#[cancellable(allow(…))]`",
    );
    Vec::new()
}

/// The `_` of `let (ctx, _) = ctx.with_cancel();`
fn dropped_canceller(local: &Local) -> Option<&Pat> {
    let mut pattern = &local.pat;
    if let Pat::Type(typed) = pattern {
        pattern = &typed.pat;
    }
    let Pat::Tuple(tuple) = pattern else {
        return None;
    };
    let Expr::MethodCall(call) = local.init.as_ref()?.expr.as_ref() else {
        return None;
    };
    let second = tuple.elems.iter().nth(1)?;
    (call.method == "with_cancel" && matches!(second, Pat::Wild(_))).then_some(second)
}

/// `!ctx.is_cancelled()`
fn is_until_cancelled(condition: &Expr) -> bool {
    matches!(condition, Expr::Unary(negation)
        if matches!(negation.op, UnOp::Not(_))
            && matches!(negation.expr.as_ref(), Expr::MethodCall(call) if call.method == "is_cancelled"))
}

/// Whether a loop awaits or checks.
fn yields(body: &Block) -> bool {
    let mut search = YieldSearch { found: false };
    search.visit_block(body);
    search.found
}

struct YieldSearch {
    found: bool,
}

impl<'ast> Visit<'ast> for YieldSearch {
    fn visit_expr_await(&mut self, _: &'ast syn::ExprAwait) {
        self.found = true;
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        self.found |= call.method == "check";
        visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.found |= awaits(call);
    }

    fn visit_expr_closure(&mut self, _: &'ast ExprClosure) {}

    fn visit_expr_async(&mut self, _: &'ast syn::ExprAsync) {}

    fn visit_item(&mut self, _: &'ast Item) {}
}

#[cfg(test)]
mod tests {
    use quote::quote;
    use syn::parse_quote;

    use super::*;

    fn messages(body: &Block) -> Vec<String> {
        let mut errors = Errors::default();
        let findings = check(body, &Options::default(), &mut errors);
        let found = findings.into_iter().map(|finding| finding.message);
        errors.messages().into_iter().chain(found).collect()
    }

    #[test]
    fn each_misuse_is_reported_once() {
        let found = messages(&parse_quote!({
            f(cancel_context::Context::background());
            std::thread::sleep(d);
            process::exit(1);
            runtime.block_on(f);
            while !ctx.is_cancelled() {
                work();
            }
            let (ctx, _) = ctx.with_cancel();
            println!("{}", futures::executor::block_on(f));
        }));
        for (found, expected) in found.iter().zip([
            "`Context::background` is never cancelled",
            "`thread::sleep` cannot be cancelled",
            "`process::exit` runs no `Drop`",
            "`block_on` would run",
            "this loop awaits nothing",
            "`_` drops the canceller",
            "`block_on` would run",
        ]) {
            assert!(found.starts_with(expected), "{found}");
        }
        assert_eq!(found.len(), 7, "{found:?}");
    }

    #[test]
    fn what_is_not_misuse_is_not_reported() {
        let found = messages(&parse_quote!({
            spawn_blocking(|| std::thread::sleep(d));
            cancel_context::outside(runtime.block_on(f));
            while !ctx.is_cancelled() {
                tokio::select! { x = a => x }
            }
            while !ctx.is_cancelled() {
                ctx.check()?;
            }
            let (ctx, canceller) = ctx.with_cancel();
            fn nested() {
                std::process::exit(1)
            }
        }));
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn statements_allow_by_name() {
        let found = messages(&parse_quote!({
            #[cancellable(allow(thread_sleep))]
            std::thread::sleep(d);
            #[cancellable(allow(root_context, spin))]
            let ctx = Context::todo();
            #[cancellable(allow(everything))]
            let x = 1;
            #[cancellable(implicit)]
            let y = 1;
            std::thread::sleep(d);
        }));
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].starts_with("unknown lint `everything`; expected one of `root_context`"));
        assert!(found[1].starts_with("only lints can be allowed on a statement"));
        assert!(found[2].starts_with("`thread::sleep`"));
    }

    #[test]
    fn the_function_allows_by_name() {
        let mut errors = Errors::default();
        let options = Options::parse(quote!(allow(process_exit)), &mut errors);
        let body = parse_quote!({ std::process::abort() });
        assert!(check(&body, &options, &mut errors).is_empty());
        assert!(errors.is_empty());
    }
}
