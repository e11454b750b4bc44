//! Source text of an expression, from its tokens, spaced as rustc prints expressions.
//!
//! Works on tokens, not on the syntax tree, since the text must show what the user wrote. Whether
//! `<` opens generic arguments or compares is decided by what is before it; a wrong guess costs a
//! space, never a token.

use proc_macro2::{Delimiter, Group, Spacing, TokenStream, TokenTree};

/// Sites are shown in one-line errors: longer expressions are cut.
const SITE_LENGTH: usize = 60;

/// The text of an expression.
pub(crate) fn expression(tokens: TokenStream) -> String {
    print(tokens, false)
}

/// The text of a type.
pub(crate) fn ty(tokens: TokenStream) -> String {
    print(tokens, true)
}

/// The text of an await site: at most 60 characters, the last one an ellipsis if it was cut.
pub(crate) fn site(tokens: TokenStream) -> String {
    let text = expression(tokens);
    if text.chars().count() <= SITE_LENGTH {
        return text;
    }
    let kept: String = text.chars().take(SITE_LENGTH - 1).collect();
    format!("{}…", kept.trim_end())
}

/// The text of a macro that awaits: its arguments are left out.
pub(crate) fn macro_call(call: &syn::Macro) -> String {
    let path = expression(quote::ToTokens::to_token_stream(&call.path));
    match call.delimiter {
        syn::MacroDelimiter::Paren(_) => format!("{path}!(…)"),
        syn::MacroDelimiter::Brace(_) => format!("{path}!{{…}}"),
        syn::MacroDelimiter::Bracket(_) => format!("{path}![…]"),
    }
}

fn print(tokens: TokenStream, is_type: bool) -> String {
    let mut printer = Printer {
        text: String::new(),
        is_type,
    };
    printer.stream(tokens);
    printer.text
}

/// What was printed last, as far as the space after it depends on it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    /// Nothing yet, an opening delimiter, or an operator that takes an operand next.
    Start,
    /// An operator that sticks to what follows: a prefix `&`, `.`, `::`, `'`.
    Prefix,
    /// A name, literal or closing delimiter: an operand is complete.
    Operand,
    /// `if`, `match`, `move`: a word that an operand or another word follows.
    Keyword,
    /// `::`, after which `<` opens generic arguments.
    PathSeparator,
    /// The `!` of a macro call.
    Bang,
    /// `,`, `;`, `=>`, a binary operator: space, then an operand.
    Separator,
    /// The last `|` of a closure's parameters.
    ClosureBar,
}

struct Printer {
    text: String,
    is_type: bool,
}

/// State of one nesting level.
struct Level {
    last: Last,
    /// Open generic argument lists.
    angles: usize,
    /// Between the bars of a closure's parameters.
    in_closure_bars: bool,
}

impl Printer {
    fn stream(&mut self, tokens: TokenStream) {
        let mut level = Level {
            last: Last::Start,
            angles: 0,
            in_closure_bars: false,
        };
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Group(group) => self.group(&group, &mut level),
                TokenTree::Ident(ident) => self.word(&ident.to_string(), &mut level),
                TokenTree::Literal(literal) => self.literal(&literal.to_string(), &mut level),
                TokenTree::Punct(first) => {
                    let mut operator = String::from(first.as_char());
                    let mut spacing = first.spacing();
                    while spacing == Spacing::Joint {
                        let Some(TokenTree::Punct(next)) = tokens.peek() else {
                            break;
                        };
                        if !continues(&operator, next.as_char()) {
                            break;
                        }
                        operator.push(next.as_char());
                        spacing = next.spacing();
                        tokens.next();
                    }
                    let next_is_group = matches!(tokens.peek(), Some(TokenTree::Group(_)));
                    self.operator(&operator, next_is_group, &mut level);
                }
            }
        }
    }

    fn group(&mut self, group: &Group, level: &mut Level) {
        let (open, close) = match group.delimiter() {
            Delimiter::Parenthesis => ("(", ")"),
            Delimiter::Bracket => ("[", "]"),
            Delimiter::Brace if group.stream().is_empty() => ("{", "}"),
            Delimiter::Brace => ("{ ", " }"),
            Delimiter::None => ("", ""),
        };
        let spaced = match level.last {
            Last::Start | Last::Prefix | Last::PathSeparator => false,
            Last::Operand | Last::Bang => group.delimiter() == Delimiter::Brace,
            Last::Keyword | Last::Separator | Last::ClosureBar => true,
        };
        if spaced {
            self.text.push(' ');
        }
        self.text.push_str(open);
        self.stream(group.stream());
        self.text.push_str(close);
        level.last = Last::Operand;
    }

    fn word(&mut self, word: &str, level: &mut Level) {
        let after_dot = self.text.ends_with('.');
        if !matches!(level.last, Last::Start | Last::Prefix | Last::PathSeparator) {
            self.text.push(' ');
        }
        self.text.push_str(word);
        level.last = if !after_dot && is_keyword(word) {
            Last::Keyword
        } else {
            Last::Operand
        };
    }

    fn literal(&mut self, literal: &str, level: &mut Level) {
        self.word(literal, level);
        level.last = Last::Operand;
    }

    fn operator(&mut self, operator: &str, next_is_group: bool, level: &mut Level) {
        let prefix_position = !matches!(level.last, Last::Operand);
        match operator {
            "." | "?" | ":" | "," | ";" | ".." | "..=" | "..." => self.postfix(operator, level),
            "::" => {
                if matches!(
                    level.last,
                    Last::Keyword | Last::Separator | Last::ClosureBar
                ) {
                    self.text.push(' ');
                }
                self.text.push_str("::");
                level.last = Last::PathSeparator;
            }
            "'" | "#" | "$" => self.prefix(operator, level),
            "!" if !prefix_position && next_is_group => {
                self.text.push('!');
                level.last = Last::Bang;
            }
            "|" if level.in_closure_bars => {
                self.text.push('|');
                level.in_closure_bars = false;
                level.last = Last::ClosureBar;
            }
            "|" if prefix_position => {
                self.prefix("|", level);
                level.in_closure_bars = true;
            }
            "||" if prefix_position => {
                self.prefix("||", level);
                level.last = Last::ClosureBar;
            }
            "<" if self.opens_angle(level) => {
                if level.last != Last::Operand {
                    self.space(level);
                }
                self.text.push('<');
                level.angles += 1;
                level.last = Last::Start;
            }
            ">" if level.angles > 0 => self.close_angles(1, level),
            ">>" if level.angles > 0 => self.close_angles(2, level),
            "&" | "&&" | "*" | "-" | "!" if prefix_position => self.prefix(operator, level),
            _ => {
                self.text.push(' ');
                self.text.push_str(operator);
                level.last = Last::Separator;
            }
        }
    }

    /// Operators without a space before them.
    fn postfix(&mut self, operator: &str, level: &mut Level) {
        if operator.starts_with("..") {
            self.space(level);
        }
        self.text.push_str(operator);
        level.last = match operator {
            "?" => Last::Operand,
            ":" | "," | ";" => Last::Separator,
            _ => Last::Prefix,
        };
    }

    fn prefix(&mut self, operator: &str, level: &mut Level) {
        self.space(level);
        self.text.push_str(operator);
        level.last = Last::Prefix;
    }

    fn close_angles(&mut self, count: usize, level: &mut Level) {
        for _ in 0..count {
            self.text.push('>');
        }
        level.angles = level.angles.saturating_sub(count);
        level.last = Last::Operand;
    }

    /// The space between the last token and one that starts an operand.
    fn space(&mut self, level: &Level) {
        if matches!(
            level.last,
            Last::Keyword | Last::Separator | Last::ClosureBar
        ) {
            self.text.push(' ');
        }
    }

    /// Generic arguments follow `::`, begin an operand (`<T as Trait>::f`), or are nested in others.
    fn opens_angle(&self, level: &Level) -> bool {
        self.is_type || level.angles > 0 || level.last != Last::Operand
    }
}

/// Whether `next` makes one operator with what is there: `=` and `=` do, `=` and `&` do not.
fn continues(operator: &str, next: char) -> bool {
    let mut longer = String::from(operator);
    longer.push(next);
    matches!(
        longer.as_str(),
        "::" | "=="
            | "!="
            | "<="
            | ">="
            | "&&"
            | "||"
            | "=>"
            | "->"
            | ".."
            | "..="
            | "..."
            | "+="
            | "-="
            | "*="
            | "/="
            | "%="
            | "^="
            | "&="
            | "|="
            | "<<"
            | ">>"
            | "<<="
            | ">>="
    )
}

pub(crate) fn is_keyword(word: &str) -> bool {
    matches!(
        word,
        "as" | "async"
            | "break"
            | "const"
            | "dyn"
            | "else"
            | "for"
            | "if"
            | "impl"
            | "in"
            | "let"
            | "loop"
            | "match"
            | "move"
            | "mut"
            | "ref"
            | "return"
            | "unsafe"
            | "while"
            | "yield"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(source: &str) -> TokenStream {
        source.parse().expect("test source must lex")
    }

    #[test]
    fn expressions_keep_the_spacing_that_rustc_prints() {
        for source in [
            "pool.acquire()",
            "a::b(c, d)?.e(&mut f, !g, x + 1)",
            "<T as Trait>::call(&self.x)",
            "x.collect::<Vec<_>>()",
            "a < b && c > d",
            "if a { b } else { c }",
            "move |a, b| a * *b",
            "f(|| 1, [1, 2], (a,))",
            "-1 - -x",
            "vec![1; 3].len() != 0",
            "&a[1..]",
            "User { id: 7, ..other }",
            "format!(\"{}\", x)",
            "async move { x }",
            "x as u64 >> 3",
            "&'a x",
            "match x { Some(1 | 2) => y, _ => {} }",
            "crate::a::B::<u8>::new(1).run()",
            "a.0.1",
            "::std::future::ready(1)",
        ] {
            assert_eq!(expression(parsed(source)), source);
        }
    }

    #[test]
    fn types_open_angles_after_names() {
        for source in [
            "Option<Vec<u8>>",
            "&'a str",
            "(A, B)",
            "[u8; 4]",
            "impl Iterator<Item = u8> + 'a",
        ] {
            assert_eq!(ty(parsed(source)), source);
        }
    }

    #[test]
    fn sites_are_cut_at_sixty_characters() {
        let long = site(parsed(
            "connection.query(\"select a, b, c from somewhere where the_text_is = 'long'\")",
        ));
        assert_eq!(long.chars().count(), 60);
        assert!(long.ends_with('…'), "{long}");
        assert_eq!(site(parsed("short . call ( )")), "short.call()");
    }
}
