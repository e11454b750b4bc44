//! The attribute of ours among those of an item, also where `cfg_attr` puts it.

use proc_macro2::TokenStream;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{AttrStyle, Attribute, Meta, Token};

use crate::diagnostics::Errors;
use crate::options::Options;

/// The annotated block around the current item.
#[derive(Clone, Default)]
pub(super) enum Around {
    #[default]
    Nothing,
    Block {
        name: String,
        is_implicit: bool,
    },
    Skipped,
}

/// What `#[cancellable(…)]` says, and which of the attributes it is.
pub(super) struct Own {
    pub(super) index: usize,
    pub(super) arguments: TokenStream,
    pub(super) is_implicit: bool,
    pub(super) is_skip: bool,
}

impl Own {
    /// The first one among `attributes`.
    pub(super) fn among(attributes: &[Attribute]) -> Option<Self> {
        let mut all = attributes.iter().enumerate();
        let (index, arguments) =
            all.find_map(|(index, attribute)| Some((index, arguments(&attribute.meta)?)))?;
        // What is wrong with them is said when they expand.
        let options = Options::parse(arguments.clone(), &mut Errors::default());
        Some(Self {
            index,
            is_implicit: options.is_implicit(),
            is_skip: options.skip.is_some(),
            arguments,
        })
    }
}

/// What stands between the parentheses, if the attribute is ours.
fn arguments(meta: &Meta) -> Option<TokenStream> {
    let name = &meta.path().segments.last()?.ident;
    match meta {
        Meta::List(ours) if name == "cancellable" => Some(ours.tokens.clone()),
        _ if name == "cancellable" => Some(TokenStream::new()),
        Meta::List(conditional) if name == "cfg_attr" => {
            let parser = Punctuated::<Meta, Token![,]>::parse_terminated;
            let metas = parser.parse2(conditional.tokens.clone()).ok()?;
            metas.iter().skip(1).find_map(arguments)
        }
        _ => None,
    }
}

/// Where an attribute of ours is to be put: it expands before those after it, and documentation stays
/// on top. `None` if all of them are documentation.
pub(super) fn first_place(attributes: &[Attribute]) -> Option<usize> {
    let mut outer = attributes
        .iter()
        .filter(|attribute| matches!(attribute.style, AttrStyle::Outer));
    let first = outer.find(|attribute| !attribute.path().is_ident("doc"))?;
    Some(first.pound_token.span().byte_range().start)
}
