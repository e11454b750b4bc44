//! Functions, however they are written, and the other items that something can be awaited in.

use std::collections::BTreeMap;

use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{
    Attribute, Block, ImplItemFn, Item, ItemFn, Path, Signature, TraitItemFn, Type, Visibility,
};

use super::attribute::Own;
use super::{Annotation, Await, InspectedFunction, Place, attribute};
use crate::finding::Finding;
use crate::text;

/// A function with a body.
pub(super) struct Parts<'ast> {
    pub(super) attributes: &'ast [Attribute],
    pub(super) signature: &'ast Signature,
    pub(super) body: &'ast Block,
    /// The first token after the attributes.
    start: Span,
    item: Written<'ast>,
}

enum Written<'ast> {
    Free(&'ast ItemFn),
    Method(&'ast ImplItemFn),
    Provided(&'ast TraitItemFn),
}

impl<'ast> Parts<'ast> {
    pub(super) fn free(function: &'ast ItemFn) -> Self {
        Self {
            attributes: &function.attrs,
            signature: &function.sig,
            body: &function.block,
            start: start(
                Some(&function.vis),
                &function.modifiers.defaultness,
                &function.sig,
            ),
            item: Written::Free(function),
        }
    }

    pub(super) fn method(function: &'ast ImplItemFn) -> Self {
        Self {
            attributes: &function.attrs,
            signature: &function.sig,
            body: &function.block,
            start: start(
                Some(&function.vis),
                &function.modifiers.defaultness,
                &function.sig,
            ),
            item: Written::Method(function),
        }
    }

    /// `None` for a declaration.
    pub(super) fn provided(function: &'ast TraitItemFn) -> Option<Self> {
        Some(Self {
            attributes: &function.attrs,
            signature: &function.sig,
            body: function.default.as_ref()?,
            start: start(None, &function.modifiers.defaultness, &function.sig),
            item: Written::Provided(function),
        })
    }

    /// Where an attribute is to be put.
    pub(super) fn insert_at(&self) -> usize {
        attribute::first_place(self.attributes).unwrap_or_else(|| self.start.byte_range().start)
    }

    /// The tokens that the attribute gets, which is taken out.
    pub(super) fn tokens_without(&self, index: usize) -> TokenStream {
        match self.item {
            Written::Free(function) => without(function, index, |item| &mut item.attrs),
            Written::Method(function) => without(function, index, |item| &mut item.attrs),
            Written::Provided(function) => without(function, index, |item| &mut item.attrs),
        }
    }

    /// Whether `#[rstest]` is above the attribute, which it then moves to the cases it makes: the body is
    /// a function of its own, and the attribute does not see it.
    pub(super) fn is_below_rstest(&self, index: usize) -> bool {
        let mut above = self.attributes.iter().take(index);
        above.any(|attribute| {
            let last = attribute.path().segments.last();
            last.is_some_and(|last| last.ident == "rstest")
        })
    }

    /// What is to be said of that.
    pub(super) fn moved_attribute(&self, index: usize) -> Finding {
        Finding::new(
            "below_rstest",
            &self.attributes[index],
            "`#[rstest]` moves the attributes below it away from the body; put `#[cancellable]` above it",
        )
    }

    /// Why the attribute does not go on it.
    pub(super) fn refusal(&self) -> Option<&'static str> {
        if self.signature.constness.is_some() {
            return Some("the attribute does not go on a `const fn`");
        }
        let is_extern = self.signature.abi.is_some();
        is_extern.then_some("the attribute does not go on an `extern fn`")
    }
}

/// The attribute on a block, and the tokens that it gets.
pub(super) fn annotated<T: Clone + ToTokens>(
    block: &T,
    attributes: &[Attribute],
    of: fn(&mut T) -> &mut Vec<Attribute>,
) -> Option<(Own, TokenStream)> {
    let own = Own::among(attributes)?;
    let tokens = without(block, own.index, of);
    Some((own, tokens))
}

/// The item without one of its attributes.
fn without<T: Clone + ToTokens>(
    item: &T,
    index: usize,
    attributes: fn(&mut T) -> &mut Vec<Attribute>,
) -> TokenStream {
    let mut item = item.clone();
    attributes(&mut item).remove(index);
    item.into_token_stream()
}

fn start(
    visibility: Option<&Visibility>,
    defaultness: &impl ToTokens,
    signature: &Signature,
) -> Span {
    let defaultness = defaultness.to_token_stream();
    match visibility {
        Some(visibility) if !matches!(visibility, Visibility::Inherited) => visibility.span(),
        _ if !defaultness.is_empty() => defaultness.span(),
        _ => signature.span(),
    }
}

/// What awaits are found in, while it is read.
pub(super) struct Frame {
    name: String,
    place: Place,
    is_async: bool,
    /// In the order of bytes.
    pub(super) awaits: BTreeMap<usize, Await>,
    annotation: Annotation,
    insert_at: Option<usize>,
    /// Whether it is listed even if nothing is awaited in it.
    is_listed: bool,
}

impl Frame {
    pub(super) fn function(
        name: String,
        function: &Parts<'_>,
        annotation: Annotation,
        is_insertable: bool,
    ) -> Self {
        let is_async = function.signature.asyncness.is_some();
        let is_bare = is_async && annotation == Annotation::None;
        Self {
            name,
            place: Place::of(function.signature.ident.span()),
            is_async,
            awaits: BTreeMap::new(),
            insert_at: (is_bare && is_insertable).then(|| function.insert_at()),
            is_listed: is_async || annotation != Annotation::None,
            annotation,
        }
    }

    /// An item that is no function.
    pub(super) fn other(name: String, span: Span) -> Self {
        Self {
            name,
            place: Place::of(span),
            is_async: false,
            awaits: BTreeMap::new(),
            annotation: Annotation::None,
            insert_at: None,
            is_listed: false,
        }
    }

    pub(super) fn is_annotated(&self) -> bool {
        matches!(self.annotation, Annotation::Annotated { .. })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What is listed of it, if anything.
    pub(super) fn finish(self) -> Option<InspectedFunction> {
        let is_listed = self.is_listed || !self.awaits.is_empty();
        is_listed.then(|| InspectedFunction {
            name: self.name,
            place: self.place,
            is_async: self.is_async,
            annotation: self.annotation,
            awaits: self.awaits.into_values().collect(),
            insert_at: self.insert_at,
        })
    }
}

/// What an item that is no function, module, impl or trait is called.
pub(super) fn item_name(item: &Item) -> (String, Span) {
    let named = |ident: &Ident| (ident.to_string(), ident.span());
    match item {
        Item::Const(item) => named(&item.ident),
        Item::Static(item) => named(&item.ident),
        Item::Struct(item) => named(&item.ident),
        Item::Enum(item) => named(&item.ident),
        Item::Union(item) => named(&item.ident),
        Item::Type(item) => named(&item.ident),
        Item::Macro(item) => match &item.ident {
            Some(defined) => (format!("{defined}!"), defined.span()),
            None => macro_name(&item.mac.path),
        },
        other => ("item".to_owned(), other.span()),
    }
}

pub(super) fn macro_name(path: &Path) -> (String, Span) {
    let name = text::expression(path.to_token_stream());
    (format!("{name}!"), path.span())
}

/// What a type is called in the path of its methods.
pub(super) fn type_name(ty: &Type) -> String {
    match ty {
        Type::Path(path) if path.qself.is_none() => path_name(&path.path),
        other => format!("<{}>", text::ty(other.to_token_stream())),
    }
}

/// The last name of a path, without its arguments.
pub(super) fn path_name(path: &Path) -> String {
    let last = path.segments.last();
    last.map(|last| last.ident.to_string()).unwrap_or_default()
}
