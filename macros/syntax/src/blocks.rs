//! The attribute on an `impl`, a `trait` or an inline `mod`: annotates every async fn in it, and in the
//! blocks within.
//!
//! A function may have an attribute of its own, whose options come before those of the block;
//! `#[cancellable(skip)]` leaves it, or a block, as it is. A sync function is annotated if `#[async_trait]`
//! has made it from an async one; and in implicit mode, where its signature stays, if anything is
//! awaited in it, or spawned while `inherit_spawns` is on.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::spanned::Spanned;
use syn::{Attribute, ImplItem, Item, TraitItem};

use crate::attributes;
use crate::diagnostics::Errors;
use crate::expand::{Expansion, expand_function};
use crate::finding::Finding;
use crate::function::Function;
use crate::options::Options;
use crate::signature::Shape;
use crate::site::Site;
use crate::usage;
use crate::validate::is_ours;

/// A block that may have async functions in it.
pub(crate) fn parse(item: &TokenStream) -> Option<Item> {
    let item = syn::parse2(item.clone()).ok()?;
    matches!(item, Item::Impl(_) | Item::Trait(_) | Item::Mod(_)).then_some(item)
}

/// Expands the attribute on `item`; `errors` are those found so far.
pub(crate) fn expand(mut item: Item, options: &Options, mut errors: Errors) -> Expansion {
    let (kind, keyword) = match &item {
        Item::Impl(block) => ("impl", block.impl_token.span()),
        Item::Trait(block) => ("trait", block.trait_token.span()),
        Item::Mod(block) => ("mod", block.mod_token.span()),
        _ => ("item", Span::call_site()),
    };
    if matches!(&item, Item::Mod(block) if block.content.is_none()) {
        errors.push(
            keyword,
            "`#[cancellable]` sees no file of its own; put it into the file, on its functions and blocks",
        );
        return Expansion::failed(&errors, item);
    }
    let mut annotator = Annotator {
        errors,
        found: 0,
        sites: Vec::new(),
        findings: Vec::new(),
    };
    annotator.item(&mut item, options);
    if annotator.found == 0 {
        annotator.errors.push(
            keyword,
            format!("no `async fn` in this `{kind}`; remove `#[cancellable]`"),
        );
    }
    let errors = annotator.errors.to_tokens();
    Expansion {
        tokens: quote!(#errors #item),
        sites: annotator.sites,
        findings: annotator.findings,
    }
}

struct Annotator {
    errors: Errors,
    /// How many functions could be annotated, the skipped ones included.
    found: usize,
    sites: Vec<Site>,
    findings: Vec<Finding>,
}

impl Annotator {
    fn item(&mut self, item: &mut Item, options: &Options) {
        match item {
            Item::Fn(function) => {
                if let Some(tokens) = self.function(function.to_token_stream(), options) {
                    *item = Item::Verbatim(tokens);
                }
            }
            Item::Impl(block) => self.block(&mut block.attrs, options, |annotator, options| {
                for item in &mut block.items {
                    if let ImplItem::Fn(function) = item
                        && let Some(tokens) =
                            annotator.function(function.to_token_stream(), options)
                    {
                        *item = ImplItem::Verbatim(tokens);
                    }
                }
            }),
            Item::Trait(block) => self.block(&mut block.attrs, options, |annotator, options| {
                for item in &mut block.items {
                    if let TraitItem::Fn(function) = item
                        && let Some(tokens) =
                            annotator.function(function.to_token_stream(), options)
                    {
                        *item = TraitItem::Verbatim(tokens);
                    }
                }
            }),
            Item::Mod(block) => self.block(&mut block.attrs, options, |annotator, options| {
                for item in block.content.iter_mut().flat_map(|(_, items)| items) {
                    annotator.item(item, options);
                }
            }),
            _ => {}
        }
    }

    /// A block, with its own attribute's options before those around it.
    fn block(
        &mut self,
        attributes: &mut Vec<Attribute>,
        options: &Options,
        visit: impl FnOnce(&mut Self, &Options),
    ) {
        let options = self.own_options(attributes, options);
        if options.skip.is_none() {
            visit(self, &options);
        } else {
            self.found += 1;
        }
    }

    /// The options of the attribute among `attributes`, which is taken off, within `block`'s.
    fn own_options(&mut self, attributes: &mut Vec<Attribute>, block: &Options) -> Options {
        for conditional in attributes::take(attributes, is_conditional) {
            self.errors.push_spanned(
                conditional.path(),
                "a condition is not known within an annotated block; take `cancellable` off this item or off the block",
            );
        }
        let mut taken = attributes::take(attributes, is_ours).into_iter();
        let Some(attribute) = taken.next() else {
            return block.clone();
        };
        for doubled in taken {
            self.errors.push_spanned(
                doubled.path(),
                "`#[cancellable]` is already on this item; remove this one",
            );
        }
        let tokens = match &attribute.meta {
            syn::Meta::List(list) => list.tokens.clone(),
            _ => TokenStream::new(),
        };
        let options = Options::parse(tokens, &mut self.errors).within(block);
        options.check_conflicts(&mut self.errors);
        options
    }

    /// The function rewritten; `None` if it is to stay as it is.
    fn function(&mut self, tokens: TokenStream, block: &Options) -> Option<TokenStream> {
        let mut function: Function = syn::parse2(tokens).ok()?;
        let is_annotated = function.attributes.iter().any(is_ours);
        let options = self.own_options(&mut function.attributes, block);
        if options.skip.is_some() {
            self.found += 1;
            return Some(function.into_token_stream());
        }
        if !is_annotated && !is_async(&function, &options) {
            return None;
        }
        self.found += 1;
        let expansion = expand_function(function, &options, Errors::default());
        self.sites.extend(expansion.sites);
        self.findings.extend(expansion.findings);
        Some(expansion.tokens)
    }
}

/// `#[cfg_attr(…, cancellable)]`
fn is_conditional(attribute: &Attribute) -> bool {
    let tokens = attribute
        .meta
        .require_list()
        .map(|list| list.tokens.clone());
    attribute.path().is_ident("cfg_attr")
        && tokens.is_ok_and(|tokens| {
            usage::mentions(tokens, &Ident::new("cancellable", Span::call_site()))
        })
}

/// Whether a function without an attribute of its own is one of those that a block annotates.
fn is_async(function: &Function, options: &Options) -> bool {
    if function.signature.asyncness.is_some() {
        return true;
    }
    let mut lifetimes = function.signature.generics.lifetimes();
    if lifetimes.any(|lifetime| lifetime.lifetime.ident == "async_trait") {
        return Shape::of(function, options, &mut Errors::default()).is_some();
    }
    options.is_implicit() && function.has_work(options.inherit_spawns.is_some())
}
