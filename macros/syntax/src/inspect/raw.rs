//! What is found in tokens that are not parsed: the arguments of macros.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};

use crate::text;

/// What is found in tokens, in their order.
#[derive(Default)]
pub(super) struct Found {
    /// Each `.await`, and the text before it.
    pub(super) awaits: Vec<(Span, String)>,
    /// The names of the `async fn`s.
    pub(super) functions: Vec<Ident>,
    /// Each `Context::todo`.
    pub(super) todos: Vec<Span>,
}

impl Found {
    pub(super) fn in_tokens(tokens: TokenStream) -> Self {
        let mut found = Self::default();
        found.search(tokens);
        found
    }

    fn search(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut index = 0;
        while index < tokens.len() {
            let before = &tokens[..index];
            match &tokens[index] {
                TokenTree::Ident(ident) if ident == "await" && ends_in(before, &["."]) => {
                    let operand = operand(&before[..before.len() - 1]);
                    self.awaits.push((ident.span(), text::site(operand)));
                }
                TokenTree::Ident(ident) if ident == "fn" && is_async(before) => {
                    if let Some(TokenTree::Ident(name)) = tokens.get(index + 1) {
                        self.functions.push(name.clone());
                    } else {
                        // The name is a parameter of the macro.
                        self.functions.push(ident.clone());
                    }
                }
                TokenTree::Ident(ident)
                    if ident == "todo" && ends_in(before, &["Context", ":", ":"]) =>
                {
                    self.todos.push(before[before.len() - 3].span());
                }
                TokenTree::Group(group) if !is_quoted(before) => self.search(group.stream()),
                TokenTree::Group(group) => {
                    // Only what it will be when it is code.
                    let quoted = Self::in_tokens(group.stream());
                    self.functions.extend(quoted.functions);
                }
                _ => {}
            }
            index += 1;
        }
    }
}

fn ends_in(tokens: &[TokenTree], expected: &[&str]) -> bool {
    tokens.len() >= expected.len()
        && tokens[tokens.len() - expected.len()..]
            .iter()
            .zip(expected)
            .all(|(token, expected)| is(token, expected))
}

fn is(token: &TokenTree, expected: &str) -> bool {
    match token {
        TokenTree::Ident(ident) => ident == expected,
        TokenTree::Punct(punct) => expected.len() == 1 && expected.starts_with(punct.as_char()),
        TokenTree::Group(_) | TokenTree::Literal(_) => false,
    }
}

/// Whether `fn` after these tokens is an `async fn`.
fn is_async(before: &[TokenTree]) -> bool {
    let mut before = before;
    if let [rest @ .., keyword, TokenTree::Literal(_)] = before
        && is(keyword, "extern")
    {
        before = rest;
    }
    if ends_in(before, &["unsafe"]) {
        before = &before[..before.len() - 1];
    }
    ends_in(before, &["async"])
}

/// Whether these tokens are `quote!` and its kin.
fn is_quoted(before: &[TokenTree]) -> bool {
    matches!(before, [.., TokenTree::Ident(name), bang]
        if is(bang, "!") && crate::tokens::quotes(name))
}

/// The end of `tokens` that looks like an operand: names, calls and what joins them.
fn operand(tokens: &[TokenTree]) -> TokenStream {
    let mut start = tokens.len();
    let mut is_complete = false;
    while let Some(token) = start.checked_sub(1).map(|index| &tokens[index]) {
        let joins = match token {
            TokenTree::Punct(punct) => {
                is_complete = false;
                matches!(punct.as_char(), '.' | ':' | '?' | '!' | '$')
            }
            TokenTree::Group(_) => !std::mem::replace(&mut is_complete, false),
            TokenTree::Ident(_) | TokenTree::Literal(_) => {
                !std::mem::replace(&mut is_complete, true)
            }
        };
        let is_word =
            matches!(token, TokenTree::Ident(ident) if text::is_keyword(&ident.to_string()));
        if !joins || is_word {
            break;
        }
        start -= 1;
    }
    tokens[start..].iter().cloned().collect()
}
