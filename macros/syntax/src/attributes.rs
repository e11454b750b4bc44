//! The attributes of ours inside a body, `#[shield]` and `#[cancellable(allow(…))]`: rustc must
//! never see them, whatever else goes wrong.

use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, Expr, Local, Stmt, StmtMacro};

use crate::validate::is_ours;

/// Borrows the attributes of an expression as the expression itself is borrowed.
macro_rules! attributes {
    ($expression:ident) => {
        attributes!($expression:
            Array(ExprArray) Assign(ExprAssign) Async(ExprAsync) Await(ExprAwait)
            Binary(ExprBinary) Block(ExprBlock) Break(ExprBreak) Call(ExprCall) Cast(ExprCast)
            Closure(ExprClosure) Const(ExprConst) Continue(ExprContinue) Field(ExprField)
            ForLoop(ExprForLoop) Group(ExprGroup) If(ExprIf) Index(ExprIndex) Infer(ExprInfer)
            Let(ExprLet) Lit(ExprLit) Loop(ExprLoop) Macro(ExprMacro) Match(ExprMatch)
            MethodCall(ExprMethodCall) Paren(ExprParen) Path(ExprPath) Range(ExprRange)
            RawAddr(ExprRawAddr) Reference(ExprReference) Repeat(ExprRepeat) Return(ExprReturn)
            Struct(ExprStruct) Try(ExprTry) TryBlock(ExprTryBlock) Tuple(ExprTuple)
            Unary(ExprUnary) Unsafe(ExprUnsafe) While(ExprWhile) Yield(ExprYield))
    };
    ($expression:ident: $($variant:ident($node:ident))*) => {
        match $expression {
            $(Expr::$variant(syn::$node { attrs, .. }) => Some(attrs),)*
            _ => None,
        }
    };
}

/// The attributes of an expression; `None` for tokens that syn does not interpret.
pub(crate) fn of_expression(expression: &mut Expr) -> Option<&mut Vec<Attribute>> {
    attributes!(expression)
}

/// Like [`of_expression`], to look at.
pub(crate) fn on_expression(expression: &Expr) -> &[Attribute] {
    attributes!(expression).map_or(&[], Vec::as_slice)
}

/// The attributes of an expression statement: syn, as rustc, gives them to its leftmost operand.
pub(crate) fn of_statement(expression: &mut Expr) -> Option<&mut Vec<Attribute>> {
    let mut target = expression;
    loop {
        target = match target {
            Expr::Assign(assign) => &mut assign.left,
            Expr::Binary(binary) => &mut binary.left,
            Expr::Cast(cast) => &mut cast.expr,
            other => return of_expression(other),
        };
    }
}

/// `#[shield…]`, by any path.
pub(crate) fn is_shield(attribute: &Attribute) -> bool {
    let last = attribute.path().segments.last();
    last.is_some_and(|last| last.ident == "shield")
}

/// Takes the attributes out that `test` picks.
pub(crate) fn take(
    attributes: &mut Vec<Attribute>,
    test: fn(&Attribute) -> bool,
) -> Vec<Attribute> {
    let (taken, kept) = std::mem::take(attributes).into_iter().partition(test);
    *attributes = kept;
    taken
}

/// Removes all attributes of ours from a body that is emitted as it was written.
///
/// Does not go into nested items, which may be annotated themselves.
pub(crate) fn strip(block: &mut syn::Block) {
    Stripper.visit_block_mut(block);
}

struct Stripper;

impl Stripper {
    fn clean(attributes: &mut Vec<Attribute>) {
        attributes.retain(|attribute| !is_shield(attribute) && !is_ours(attribute));
    }
}

impl VisitMut for Stripper {
    fn visit_expr_mut(&mut self, expression: &mut Expr) {
        if let Some(attributes) = of_expression(expression) {
            Self::clean(attributes);
        }
        visit_mut::visit_expr_mut(self, expression);
    }

    fn visit_local_mut(&mut self, local: &mut Local) {
        Self::clean(&mut local.attrs);
        visit_mut::visit_local_mut(self, local);
    }

    fn visit_stmt_macro_mut(&mut self, statement: &mut StmtMacro) {
        Self::clean(&mut statement.attrs);
    }

    fn visit_stmt_mut(&mut self, statement: &mut Stmt) {
        if !matches!(statement, Stmt::Item(_)) {
            visit_mut::visit_stmt_mut(self, statement);
        }
    }
}
