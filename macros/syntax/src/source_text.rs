//! The text that `stringify!` gives for tokens: `dbg!` and `ensure!` print it.
//!
//! rustc prints no space where the source has none, and a space where it has one unless the tokens
//! never have one between them. Each pair of delimiters is a box of the layout.

use proc_macro2::{Delimiter, Group, Spacing, Span, TokenStream, TokenTree};

use crate::layout::{self, Piece};

/// What `stringify!` gives for `tokens`.
pub(crate) fn stringify(tokens: TokenStream) -> String {
    let mut pieces = Vec::new();
    print(tokens, &mut pieces);
    layout::print(&pieces)
}

/// The same, never broken.
pub(crate) fn one_line(tokens: TokenStream) -> String {
    let mut pieces = Vec::new();
    print(tokens, &mut pieces);
    let texts = pieces.into_iter().map(|piece| match piece {
        Piece::Text(text) => text,
        Piece::Break => " ".into(),
        Piece::Begin(_) | Piece::End => String::new(),
    });
    texts.collect()
}

fn print(tokens: TokenStream, pieces: &mut Vec<Piece>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match &token {
            TokenTree::Group(group) => print_group(group, pieces),
            other => pieces.push(Piece::Text(other.to_string())),
        }
        if let Some(next) = tokens.peek()
            && is_spaced(&token, next)
        {
            pieces.push(Piece::Break);
        }
    }
}

fn print_group(group: &Group, pieces: &mut Vec<Piece>) {
    let (open, close) = match group.delimiter() {
        Delimiter::Parenthesis => ("(", ")"),
        Delimiter::Bracket => ("[", "]"),
        Delimiter::Brace => ("{", "}"),
        Delimiter::None => ("", ""),
    };
    let spaced = group.delimiter() == Delimiter::Brace && !group.stream().is_empty();
    pieces.push(Piece::Text(open.into()));
    pieces.push(Piece::Begin(0));
    if spaced {
        pieces.push(Piece::Break);
    }
    print(group.stream(), pieces);
    if spaced {
        pieces.push(Piece::Break);
    }
    pieces.push(Piece::End);
    pieces.push(Piece::Text(close.into()));
}

fn is_spaced(token: &TokenTree, next: &TokenTree) -> bool {
    if let TokenTree::Punct(punct) = token
        && (punct.spacing() == Spacing::Joint || punct.as_char() == '\'')
    {
        return false;
    }
    !touches(last_span(token), first_span(next)) && may_be_spaced(token, next)
}

/// Whether there is nothing between two tokens in the source.
fn touches(span: Span, next: Span) -> bool {
    span.end() == next.start() && span.end() != span.start()
}

fn last_span(token: &TokenTree) -> Span {
    match token {
        TokenTree::Group(group) => group.span_close(),
        other => other.span(),
    }
}

fn first_span(token: &TokenTree) -> Span {
    match token {
        TokenTree::Group(group) => group.span_open(),
        other => other.span(),
    }
}

/// rustc's rules for tokens that do not touch.
fn may_be_spaced(token: &TokenTree, next: &TokenTree) -> bool {
    let is_punct = |token: &TokenTree| matches!(token, TokenTree::Punct(_));
    match (token, next) {
        (TokenTree::Punct(dot), next) if dot.as_char() == '.' && !is_punct(next) => false,
        (token, TokenTree::Punct(punct))
            if matches!(punct.as_char(), ',' | ';' | '.') && !is_punct(token) =>
        {
            false
        }
        (TokenTree::Ident(ident), TokenTree::Group(group)) => {
            group.delimiter() != Delimiter::Parenthesis || is_reserved(&ident.to_string())
        }
        (TokenTree::Punct(pound), TokenTree::Group(_)) => pound.as_char() != '#',
        _ => true,
    }
}

/// Keywords that keep their space before parentheses.
fn is_reserved(word: &str) -> bool {
    !matches!(word, "fn" | "Self" | "pub") && syn::parse_str::<syn::Ident>(word).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spacing_of_the_source_is_kept() {
        for (source, printed) in [
            ("x . go( 1,2 )", "x.go(1,2)"),
            ("1+1 == [3][ 0 ]", "1+1 == [3][0]"),
            ("!(1 ==1)", "!(1 ==1)"),
            ("a ( b )", "a(b)"),
            ("if (a) {b} else { }", "if (a) { b } else {}"),
            (
                "let 'a' = x :: y :: < T > ()",
                "let 'a' = x :: y :: < T > ()",
            ),
            ("f(&'a x, |v|*v==3)", "f(&'a x, |v|*v==3)"),
        ] {
            let tokens: TokenStream = source.parse().expect("test source must lex");
            assert_eq!(stringify(tokens), printed);
        }
    }

    #[test]
    fn lines_are_broken_where_the_next_word_does_not_fit() {
        let source = format!("first({}) && second(1, {})", "a".repeat(60), "b".repeat(10));
        let tokens: TokenStream = source.parse().expect("test source must lex");
        assert_eq!(stringify(tokens), source.replace("&& ", "&&\n"));
    }
}
