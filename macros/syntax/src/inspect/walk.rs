//! The visitor that reads a file.
//!
//! Each function is a frame of its own, and so is each other item that something is awaited in. In
//! the tokens of macros there is nothing to put an attribute on, so what is found there belongs to
//! the code around, except for functions that are annotated already.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{
    Expr, ExprAwait, File, ImplItem, ImplItemFn, Item, ItemFn, ItemImpl, ItemMod, ItemTrait, Macro,
    Path, TraitItem, TraitItemFn,
};

use super::attribute::{Around, Own};
use super::function::{Frame, Parts, annotated, item_name, macro_name, type_name};
use super::{
    Annotation, Await, AwaitKind, InspectedFinding, InspectedFunction, Inspection, LeftOut, Place,
    Todo,
};
use crate::expand::{Expansion, expand};
use crate::finding::Finding;
use crate::site::Site;
use crate::text;

pub(super) fn inspect(file: &File) -> Inspection {
    let mut walker = Walker::default();
    walker
        .frames
        .push(Frame::other("file".to_owned(), Span::call_site()));
    walker.visit_file(file);
    let rest = walker.frames.pop().and_then(Frame::finish);
    walker.found.functions.extend(rest);
    walker.finish()
}

#[derive(Default)]
pub(super) struct Walker {
    found: Inspection,
    /// What the attribute makes of the awaits it sees, by their first byte.
    treated: HashMap<usize, Site>,
    /// The first bytes of the awaits that are listed.
    listed: HashSet<usize>,
    /// The bytes of each function, and its name.
    bodies: Vec<(Range<usize>, String)>,
    misuse: Vec<Finding>,
    /// Modules, types and functions around.
    path: Vec<String>,
    /// The innermost function or item last.
    frames: Vec<Frame>,
    pub(super) around: Around,
    /// How many macros there are around.
    pub(super) macros: usize,
    /// Functions in the tokens of macros that are annotated there.
    reached: Vec<Place>,
}

impl Walker {
    fn name(&self, last: &str) -> String {
        let mut names = self.path.clone();
        names.push(last.to_owned());
        names.join("::")
    }

    /// Everything, in source order.
    fn finish(mut self) -> Inspection {
        self.found.findings = self
            .misuse
            .iter()
            .map(|found| self.finding(found))
            .collect();
        self.found.functions.sort_by_key(|function| function.place);
        self.found.findings.sort_by_key(|finding| finding.place);
        self.found.todos.sort_by_key(|todo| todo.place);
        self.found.todos.dedup();
        self.found.left_out.sort_by_key(|left_out| left_out.place);
        let reached = self.reached;
        self.found
            .left_out
            .retain(|left_out| !reached.contains(&left_out.place));
        self.found.left_out.dedup_by_key(|left_out| left_out.place);
        self.found
    }

    fn finding(&self, finding: &Finding) -> InspectedFinding {
        let at = finding.span.byte_range().start;
        let around = self.bodies.iter().filter(|(body, _)| body.contains(&at));
        let innermost = around.min_by_key(|(body, _)| body.len());
        InspectedFinding {
            place: Place::of(finding.span),
            function: innermost.map(|(_, name)| name.clone()).unwrap_or_default(),
            name: finding.name,
            message: finding.message.clone(),
        }
    }

    /// Within what is called `name`.
    fn within(&mut self, name: String, visit: impl FnOnce(&mut Self)) {
        self.path.push(name);
        visit(self);
        self.path.pop();
    }

    /// Runs the attribute, and keeps what it says of each await.
    fn expand(&mut self, arguments: &TokenStream, item: &TokenStream) {
        let Expansion {
            sites, findings, ..
        } = expand(arguments.clone(), item);
        for site in sites {
            self.treated.insert(site.span.byte_range().start, site);
        }
        self.misuse.extend(findings);
    }

    /// An `impl`, `trait` or `mod`, whose attribute holds for what is in it.
    fn block(
        &mut self,
        name: String,
        keyword: &str,
        own: Option<(Own, TokenStream)>,
        visit: impl FnOnce(&mut Self),
    ) {
        let outer = self.around.clone();
        if let Some((own, tokens)) = own {
            let mut is_implicit = own.is_implicit;
            if let Around::Block {
                is_implicit: outer, ..
            } = outer
            {
                is_implicit |= outer;
            } else if !own.is_skip {
                self.expand(&own.arguments, &tokens);
            }
            self.around = if own.is_skip {
                Around::Skipped
            } else {
                let name = format!("{keyword} {name}");
                Around::Block { name, is_implicit }
            };
        }
        self.within(name, visit);
        self.around = outer;
    }

    /// How a function is annotated; runs the attribute if it is its own.
    fn annotation(&mut self, function: &Parts<'_>) -> Annotation {
        let own = Own::among(function.attributes);
        match (own, &self.around) {
            (Some(own), _) if own.is_skip => Annotation::Skipped,
            (Some(own), Around::Block { is_implicit, .. }) => Annotation::Annotated {
                is_implicit: own.is_implicit || *is_implicit,
                block: None,
            },
            (Some(own), _) if function.is_below_rstest(own.index) => {
                self.misuse.push(function.moved_attribute(own.index));
                Annotation::None
            }
            (Some(own), _) => {
                self.expand(&own.arguments, &function.tokens_without(own.index));
                Annotation::Annotated {
                    is_implicit: own.is_implicit,
                    block: None,
                }
            }
            (None, Around::Skipped) if function.signature.asyncness.is_some() => {
                Annotation::Skipped
            }
            (None, Around::Block { name, is_implicit })
                if function.signature.asyncness.is_some() || self.is_treated(function) =>
            {
                Annotation::Annotated {
                    is_implicit: *is_implicit,
                    block: Some(name.clone()),
                }
            }
            (None, _) => Annotation::None,
        }
    }

    /// Whether the attribute of the block around has rewritten a sync function.
    fn is_treated(&self, function: &Parts<'_>) -> bool {
        let body = super::range(function.body);
        self.treated.keys().any(|start| body.contains(start))
    }

    fn function(&mut self, function: &Parts<'_>) {
        let ident = &function.signature.ident;
        let annotation = self.annotation(function);
        let name = self.name(&ident.to_string());
        if self.macros > 0 {
            if annotation == Annotation::None {
                // Its awaits belong to the code around, which lists it by its tokens.
                self.visit_block(function.body);
                return;
            }
            self.reached.push(Place::of(ident.span()));
        }
        let is_bare = annotation == Annotation::None && function.signature.asyncness.is_some();
        let refusal = function.refusal();
        if let (true, Some(reason)) = (is_bare, refusal) {
            self.left_out(ident, reason.to_owned());
        }
        self.bodies
            .push((super::range(function.body), name.clone()));
        let frame = Frame::function(name, function, annotation, refusal.is_none());
        let around = std::mem::take(&mut self.around);
        let macros = std::mem::take(&mut self.macros);
        self.framed(frame, ident.to_string(), |walker| {
            walker.visit_signature(function.signature);
            walker.visit_block(function.body);
        });
        self.around = around;
        self.macros = macros;
    }

    /// In a frame of its own.
    fn framed(&mut self, frame: Frame, name: String, visit: impl FnOnce(&mut Self)) {
        self.frames.push(frame);
        self.within(name, visit);
        let listed: Option<InspectedFunction> = self.frames.pop().and_then(Frame::finish);
        self.found.functions.extend(listed);
    }

    /// Another item, which is listed only if something is awaited in it, and which the attribute of a
    /// block does not look into.
    fn other(&mut self, (name, span): (String, Span), visit: impl FnOnce(&mut Self)) {
        let around = std::mem::take(&mut self.around);
        if self.macros > 0 {
            visit(self);
        } else {
            let frame = Frame::other(self.name(&name), span);
            self.framed(frame, name, visit);
        }
        self.around = around;
    }

    pub(super) fn left_out(&mut self, at: &Ident, reason: String) {
        let function = self.name(&at.to_string());
        self.found.left_out.push(LeftOut {
            place: Place::of(at.span()),
            function,
            reason,
        });
    }

    pub(super) fn todo(&mut self, at: Span) {
        let function = self.frames.last().map(|frame| frame.name().to_owned());
        self.found.todos.push(Todo {
            place: Place::of(at),
            function: function.unwrap_or_default(),
        });
    }

    /// Lists an await, unless it is listed already.
    pub(super) fn record(
        &mut self,
        span: Span,
        is_macro: bool,
        expression: impl FnOnce() -> String,
    ) {
        let at = span.byte_range().start;
        let Some(frame) = self.frames.last_mut() else {
            return;
        };
        if !self.listed.insert(at) {
            return;
        }
        let treated = self.treated.get(&at);
        let is_allowed = treated.is_some_and(|site| site.is_allowed);
        let (kind, expression) = match treated {
            Some(site) => (site.kind.into(), site.expression.clone()),
            // A macro that awaits in the tokens of one that is not read.
            None if frame.is_annotated() && self.macros > 0 => (AwaitKind::Opaque, expression()),
            None => (AwaitKind::NotAnnotated, expression()),
        };
        frame.awaits.insert(
            at,
            Await {
                place: Place::of(span),
                kind,
                is_allowed,
                expression,
                is_macro,
            },
        );
    }
}

impl<'ast> Visit<'ast> for Walker {
    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        self.function(&Parts::free(function));
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        self.function(&Parts::method(function));
    }

    fn visit_trait_item_fn(&mut self, function: &'ast TraitItemFn) {
        if let Some(function) = Parts::provided(function) {
            self.function(&function);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        let own = annotated(item, &item.attrs, |item| &mut item.attrs);
        let own = own.filter(|_| item.content.is_some());
        self.block(item.ident.to_string(), "mod", own, |walker| {
            visit::visit_item_mod(walker, item);
        });
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        let own = annotated(item, &item.attrs, |item| &mut item.attrs);
        self.block(type_name(&item.self_ty), "impl", own, |walker| {
            visit::visit_item_impl(walker, item);
        });
    }

    fn visit_item_trait(&mut self, item: &'ast ItemTrait) {
        let own = annotated(item, &item.attrs, |item| &mut item.attrs);
        self.block(item.ident.to_string(), "trait", own, |walker| {
            visit::visit_item_trait(walker, item);
        });
    }

    fn visit_item(&mut self, item: &'ast Item) {
        match item {
            Item::Fn(_) | Item::Mod(_) | Item::Impl(_) | Item::Trait(_) => {
                visit::visit_item(self, item);
            }
            Item::Verbatim(tokens) => self.other(item_name(item), |walker| {
                walker.uninterpreted(tokens);
            }),
            _ => self.other(item_name(item), |walker| visit::visit_item(walker, item)),
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        match item {
            ImplItem::Const(constant) => {
                let name = (constant.ident.to_string(), constant.ident.span());
                self.other(name, |walker| visit::visit_impl_item(walker, item));
            }
            ImplItem::Macro(call) => self.other(macro_name(&call.mac.path), |walker| {
                walker.visit_macro(&call.mac);
            }),
            ImplItem::Verbatim(tokens) => self.uninterpreted(tokens),
            _ => visit::visit_impl_item(self, item),
        }
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        match item {
            TraitItem::Macro(call) => self.other(macro_name(&call.mac.path), |walker| {
                walker.visit_macro(&call.mac);
            }),
            TraitItem::Verbatim(tokens) => self.uninterpreted(tokens),
            _ => visit::visit_trait_item(self, item),
        }
    }

    fn visit_expr(&mut self, expression: &'ast Expr) {
        if let Expr::Verbatim(tokens) = expression {
            self.uninterpreted(tokens);
        }
        visit::visit_expr(self, expression);
    }

    fn visit_expr_await(&mut self, awaited: &'ast ExprAwait) {
        self.record(awaited.await_token.span, false, || {
            text::site(awaited.base.to_token_stream())
        });
        visit::visit_expr_await(self, awaited);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.macro_call(call);
    }

    fn visit_path(&mut self, path: &'ast Path) {
        let mut names = path.segments.iter().rev().map(|segment| &segment.ident);
        if names.next().is_some_and(|name| name == "todo")
            && let Some(context) = names.next().filter(|name| *name == "Context")
        {
            self.todo(context.span());
        }
        visit::visit_path(self, path);
    }
}
