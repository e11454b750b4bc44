//! Calls that hand work to a task of its own, which is in no scope; and those that open a scope.
//!
//! They are known by the last name of their path: `spawn`, `spawn_local`, `spawn_blocking` …, of any
//! function or method. What is no future is left alone.

use syn::visit::{self, Visit};
use syn::{Block, Expr, ExprAsync, ExprAwait, ExprClosure, Ident, Item, Macro};

use crate::tokens::await_spans;
use crate::validate::is_identifier;

/// What a call does with the futures among its arguments.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum HandOver {
    /// Runs them in a task of its own.
    Spawn,
    /// Runs them in a scope.
    Scope,
}

/// What `call` does with its arguments, where its name shows it; `context` is a variable that has one.
pub(crate) fn hand_over(call: &Expr, context: &Ident) -> Option<HandOver> {
    match call {
        Expr::Call(call) => {
            (is_spawn(last_name(&call.func)?) && !call.args.is_empty()).then_some(HandOver::Spawn)
        }
        Expr::MethodCall(call) if call.args.is_empty() => None,
        Expr::MethodCall(call) => {
            let opens = call.method == "run" || call.method == "timeout" || is_spawn(&call.method);
            if opens && is_context(&call.receiver, context) {
                return Some(HandOver::Scope);
            }
            is_spawn(&call.method).then_some(HandOver::Spawn)
        }
        _ => None,
    }
}

/// Whether a spawned task can carry the current context: its first argument may be a future, and the
/// rest can be evaluated after it.
pub(crate) fn can_inherit(call: &Expr) -> bool {
    let (name, args) = match call {
        Expr::Call(call) => {
            let Some(name) = last_name(&call.func) else {
                return false;
            };
            if has_arguments(&call.func) {
                return false;
            }
            (name, &call.args)
        }
        Expr::MethodCall(call) if call.turbofish.is_none() => (&call.method, &call.args),
        _ => return false,
    };
    let is_known = ["spawn", "spawn_local", "spawn_on", "spawn_local_on"]
        .iter()
        .any(|known| name == known);
    let mut args = args.iter();
    let is_future = args
        .next()
        .is_some_and(|first| !matches!(first, Expr::Closure(_)));
    is_known && is_future && args.all(|rest| !leaves(rest))
}

/// Whether a call that spawns has awaits in `async` blocks and closures among its arguments, other than
/// in a scope opened there.
pub(crate) fn has_nested_await(call: &Expr, context: &Ident) -> bool {
    let args = match call {
        Expr::Call(call) => &call.args,
        Expr::MethodCall(call) => &call.args,
        _ => return false,
    };
    let mut search = Search {
        context: Some(context),
        ..Search::default()
    };
    args.iter().for_each(|argument| search.visit_expr(argument));
    search.nested
}

/// Whether a body has a spawn whose task can carry the current context.
pub(crate) fn has_inheriting(body: &Block) -> bool {
    struct Spawns(bool);
    impl<'ast> Visit<'ast> for Spawns {
        fn visit_expr(&mut self, expression: &'ast Expr) {
            self.0 |= can_inherit(expression);
            visit::visit_expr(self, expression);
        }

        fn visit_item(&mut self, _: &'ast Item) {}
    }
    let mut spawns = Spawns(false);
    spawns.visit_block(body);
    spawns.0
}

/// `ctx`, `Context::current()`, or what is cloned or derived from one.
pub(crate) fn is_context(expression: &Expr, context: &Ident) -> bool {
    if is_identifier(expression, context) {
        return true;
    }
    if let Expr::MethodCall(call) = expression {
        let derives = call.method == "clone" || call.method.to_string().starts_with("with");
        return derives && is_context(&call.receiver, context);
    }
    matches!(expression, Expr::Call(call)
        if call.args.is_empty() && last_name(&call.func).is_some_and(|name| name == "current")
            && parent_name(&call.func).is_some_and(|name| name == "Context"))
}

fn is_spawn(name: &Ident) -> bool {
    name.to_string().starts_with("spawn")
}

fn last_name(function: &Expr) -> Option<&Ident> {
    match function {
        Expr::Path(path) => path.path.segments.last().map(|last| &last.ident),
        _ => None,
    }
}

fn parent_name(function: &Expr) -> Option<&Ident> {
    match function {
        Expr::Path(path) => path
            .path
            .segments
            .iter()
            .nth_back(1)
            .map(|parent| &parent.ident),
        _ => None,
    }
}

fn has_arguments(function: &Expr) -> bool {
    matches!(function, Expr::Path(path)
        if path.path.segments.iter().any(|segment| !segment.arguments.is_none()))
}

/// Whether evaluating it may leave the function or await, so that it cannot be moved into a closure.
fn leaves(expression: &Expr) -> bool {
    let mut search = Search::default();
    search.visit_expr(expression);
    search.leaves
}

/// Whether the receiver of a method call is a place, which is evaluated at no cost and in any order.
pub(crate) fn is_place(receiver: &Expr) -> bool {
    match receiver {
        Expr::Path(_) => true,
        Expr::Field(field) => is_place(&field.base),
        Expr::Paren(inner) => is_place(&inner.expr),
        Expr::Group(inner) => is_place(&inner.expr),
        _ => false,
    }
}

#[derive(Default)]
struct Search<'a> {
    /// Scopes of this context are passed over.
    context: Option<&'a Ident>,
    depth: usize,
    nested: bool,
    leaves: bool,
}

impl Search<'_> {
    fn nested(&mut self, visit: impl FnOnce(&mut Self)) {
        self.depth += 1;
        visit(self);
        self.depth -= 1;
    }

    fn exit(&mut self) {
        self.leaves |= self.depth == 0;
    }
}

impl<'ast> Visit<'ast> for Search<'_> {
    fn visit_expr(&mut self, expression: &'ast Expr) {
        let opens = |context| hand_over(expression, context) == Some(HandOver::Scope);
        if !self.context.is_some_and(opens) {
            visit::visit_expr(self, expression);
        }
    }

    fn visit_expr_await(&mut self, awaited: &'ast ExprAwait) {
        self.exit();
        self.nested |= self.depth > 0;
        visit::visit_expr_await(self, awaited);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        // Whatever it does, it does in place.
        self.exit();
        self.nested |= self.depth > 0 && crate::tokens::awaits(call);
        self.nested |= !await_spans(call.tokens.clone()).is_empty();
    }

    fn visit_expr_try(&mut self, tried: &'ast syn::ExprTry) {
        self.exit();
        visit::visit_expr_try(self, tried);
    }

    fn visit_expr_return(&mut self, _: &'ast syn::ExprReturn) {
        self.exit();
    }

    fn visit_expr_break(&mut self, _: &'ast syn::ExprBreak) {
        self.exit();
    }

    fn visit_expr_continue(&mut self, _: &'ast syn::ExprContinue) {
        self.exit();
    }

    fn visit_expr_async(&mut self, block: &'ast ExprAsync) {
        self.nested(|search| visit::visit_expr_async(search, block));
    }

    fn visit_expr_closure(&mut self, closure: &'ast ExprClosure) {
        self.nested(|search| visit::visit_expr_closure(search, closure));
    }

    fn visit_item(&mut self, _: &'ast Item) {}
}
