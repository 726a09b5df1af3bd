//! A text, cut into tokens.

use super::Faults;
use crate::data::Span;
use crate::error::{self, Issue};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// Letters, digits and `_`: a keyword or a name.
    Word(String),
    /// A name in double quotes.
    Name(String),
    /// A text in single quotes.
    Text(String),
    Number(f64),
    /// A length of time.
    Span(Span),
    /// `(`, `)`, `,`, `.` or a comparison.
    Symbol(&'static str),
    /// What cannot be read; the fault is noted.
    Bad,
    End,
}

/// A token and the bytes at which it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Placed {
    pub(super) token: Token,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Token {
    /// For a message.
    pub(super) fn describe(&self) -> String {
        match self {
            Token::Word(word) => format!("`{}`", short(word)),
            Token::Name(name) => format!("the name \"{}\"", short(name)),
            Token::Text(text) => format!("the text '{}'", short(text)),
            Token::Number(x) => format!("the number {x}"),
            Token::Span(span) => format!("the time {span}"),
            Token::Symbol(symbol) => format!("`{symbol}`"),
            Token::Bad => "what cannot be read".to_owned(),
            Token::End => "the end of the text".to_owned(),
        }
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Longer ones first.
const SYMBOLS: [&str; 10] = ["!=", "<=", ">=", "=", "<", ">", "(", ")", ",", "."];

/// What is written elsewhere, and here otherwise.
const FOREIGN: [(&str, &str); 8] = [
    ("===", "="),
    ("==", "="),
    ("<>", "!="),
    ("&&", "and"),
    ("||", "or"),
    ("&", "and"),
    ("|", "or"),
    ("!", "not"),
];

/// The tokens, the last of which is [`Token::End`].
pub(super) fn tokens(text: &str, faults: &mut Faults<'_>) -> Vec<Placed> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let start = at;
        let rest = &text[at..];
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let token = if is_of_word(first) && !first.is_numeric() {
            at += rest.find(|c| !is_of_word(c)).unwrap_or(rest.len());
            Token::Word(text[start..at].to_owned())
        } else if first == '\'' || first == '"' {
            let (content, len) = quoted(rest, first);
            at += len;
            match content {
                Some(content) if first == '"' => Token::Name(content),
                Some(content) => Token::Text(content),
                None => {
                    faults.add(start..at, |span| {
                        Issue::new("open-quote", "", "the quote is not closed")
                            .expected(format!("another {first}"))
                            .at(span)
                    });
                    Token::Bad
                }
            }
        } else if first.is_ascii_digit()
            || matches!(first, '-' | '+')
            || first == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit())
        {
            at += number_len(rest);
            number(&text[start..at], start, faults)
        } else if let Some(&(foreign, ours)) = FOREIGN
            .iter()
            .find(|(foreign, _)| rest.starts_with(foreign) && !rest.starts_with("!="))
        {
            at += foreign.len();
            faults.add(start..at, |span| {
                let message = format!("`{foreign}` is written otherwise here");
                Issue::new("bad-symbol", "", message)
                    .suggest(Some(ours.to_owned()))
                    .at(span)
            });
            Token::Bad
        } else if let Some(&symbol) = SYMBOLS.iter().find(|&&s| rest.starts_with(s)) {
            at += symbol.len();
            Token::Symbol(symbol)
        } else {
            at += first.len_utf8();
            faults.add(start..at, |span| {
                let message = format!("`{}` has no meaning here", first.escape_debug());
                Issue::new("bad-symbol", "", message).at(span)
            });
            Token::Bad
        };
        tokens.push(Placed { token, start, end: at });
    }
    tokens.push(Placed { token: Token::End, start: at, end: at });
    tokens
}

pub(super) fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// What stands in quotes, where two of them mean one, and how many bytes it takes with
/// them.
fn quoted(text: &str, quote: char) -> (Option<String>, usize) {
    let mut content = String::new();
    let mut rest = text[1..].char_indices().peekable();
    while let Some((i, c)) = rest.next() {
        if c != quote {
            content.push(c);
        } else if rest.next_if(|&(_, next)| next == quote).is_some() {
            content.push(quote);
        } else {
            return (Some(content), i + 2);
        }
    }
    (None, text.len())
}

/// A number goes on as long as what could belong to one.
fn number_len(text: &str) -> usize {
    let mut previous = ' ';
    for (i, c) in text.char_indices() {
        let sign = matches!(c, '-' | '+') && (i == 0 || matches!(previous, 'e' | 'E'));
        if !(is_of_word(c) || c == '.' || sign) {
            return i;
        }
        previous = c;
    }
    text.len()
}

fn number(text: &str, start: usize, faults: &mut Faults<'_>) -> Token {
    if let Ok(span) = text.parse() {
        return Token::Span(span);
    }
    // Rust reads "inf" and "nan" too, but such a word is none of ours.
    let fits = text.chars().all(|c| c.is_ascii_digit() || "+-.eE".contains(c));
    match text.parse::<f64>() {
        Ok(x) if fits && x.is_finite() => Token::Number(x),
        parsed => {
            let beyond = fits && parsed.is_ok();
            let code = if beyond { "not-finite" } else { "bad-number" };
            faults.add(start..start + text.len(), |span| {
                let message = if beyond {
                    "the number is beyond all that can be computed with"
                } else {
                    "the number cannot be read"
                };
                Issue::new(code, "", message)
                    .expected("a number such as 3, -0.5 or 1e6")
                    .found(format!("`{}`", short(text)))
                    .at(span)
            });
            Token::Bad
        }
    }
}

/// Lines and columns of a text.
#[derive(Clone, Debug)]
pub(super) struct Lines<'t>(pub(super) &'t str);

impl Lines<'_> {
    pub(super) fn span(&self, start: usize, end: usize) -> error::Span {
        let before = &self.0[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        error::Span {
            start,
            end,
            line: before.matches('\n').count() + 1,
            column: self.0[line_start..start].chars().count() + 1,
        }
    }
}
