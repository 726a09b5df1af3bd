//! From tokens to a rule, and to the place of each of its parts.

use std::ops::Range;

use super::Faults;
use super::events::{Subject, What};
use super::habits::{HABITS, When};
use super::lexer::{Placed, Token, tokens};
use super::write::quoted;
use crate::error::{Issue, similar_names};
use crate::rules::ast::{Literal, Rule, SegmentRef, Test};
use crate::segmenter::SegmentId;

/// Parentheses and negations inside each other; more than a rule may have that can be
/// compiled.
const MAX_NESTING: usize = 100;

/// Words that are no names unless they stand in double quotes.
const KEYWORDS: [&str; 27] = [
    "all", "and", "any", "at", "between", "contains", "ends", "everyone", "false", "has",
    "in", "is", "least", "matches", "missing", "no", "nobody", "not", "of", "or", "set",
    "size", "starts", "true", "when", "with", "yes",
];

/// Where a part of a rule stands, and where the parts of it, by tokens of their JSON
/// pointer.
#[derive(Clone, Debug, PartialEq, Default)]
pub(super) struct Places {
    pub(super) bytes: Range<usize>,
    below: Vec<Named>,
}

impl Places {
    pub(super) fn new(bytes: Range<usize>, below: Vec<Named>) -> Places {
        Places { bytes, below }
    }

    pub(super) fn leaf(bytes: Range<usize>) -> Places {
        Places::new(bytes, Vec::new())
    }

    /// The place of what a JSON pointer points to, or of what it stands in.
    pub(super) fn find(&self, pointer: &str) -> Range<usize> {
        let mut place = self;
        for token in pointer.split('/').skip(1) {
            match place.below.iter().find(|(name, _)| name == token) {
                Some((_, below)) => place = below,
                None => break,
            }
        }
        place.bytes.clone()
    }
}

/// A rule with its places.
pub(super) type Part = (Rule, Places);

/// A place, and the token of a JSON pointer that leads to it.
pub(super) type Named = (String, Places);

/// What is asked of a value, whether the answer is denied, and the places of what it is
/// compared with.
struct Predicate {
    test: Test,
    negated: bool,
    places: Vec<Named>,
}

/// What was wrong is noted; the rule is of use only without faults.
pub(super) fn parse(text: &str, most: usize, faults: &mut Faults<'_>) -> Part {
    let tokens = tokens(text, faults);
    let mut parser =
        Parser { tokens, at: 0, nesting: 0, lists: 0, most, written: 0, faults };
    let part = parser.any();
    // What is left over can have faults of its own.
    while parser.peek() != &Token::End {
        parser.unexpected("`and`, `or` or the end of the text", None);
        if !parser.is_name() {
            parser.at += 1;
        }
        if parser.peek() != &Token::End {
            parser.any();
        }
    }
    part
}

pub(super) struct Parser<'a, 't> {
    tokens: Vec<Placed>,
    pub(super) at: usize,
    nesting: usize,
    /// Lists of rules that are open.
    lists: usize,
    /// How many bytes the text may have, written out.
    most: usize,
    /// How many bytes it has more than as it stands, written out.
    written: usize,
    faults: &'a mut Faults<'t>,
}

impl Parser<'_, '_> {
    fn placed(&self) -> &Placed {
        // The last token is the end, and is never passed.
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    pub(super) fn peek(&self) -> &Token {
        &self.placed().token
    }

    /// Where the token before ends.
    fn end(&self) -> usize {
        self.at.checked_sub(1).map_or(0, |at| self.tokens[at].end)
    }

    /// Whether a token is this keyword. Keywords are the same in upper and lower case.
    pub(super) fn is_word(&self, ahead: usize, keyword: &str) -> bool {
        self.tokens.get(self.at + ahead).is_some_and(
            |placed| matches!(&placed.token, Token::Word(word) if word.eq_ignore_ascii_case(keyword)),
        )
    }

    /// Takes these keywords, if all of them come next.
    pub(super) fn take(&mut self, keywords: &[&str]) -> bool {
        let all =
            keywords.iter().enumerate().all(|(i, keyword)| self.is_word(i, keyword));
        if all {
            self.at += keywords.len();
        }
        all
    }

    pub(super) fn is_symbol(&self, ahead: usize, symbol: &str) -> bool {
        let token = self.tokens.get(self.at + ahead).map(|placed| &placed.token);
        matches!(token, Some(Token::Symbol(found)) if *found == symbol)
    }

    fn is_text(&self, ahead: usize) -> bool {
        let token = self.tokens.get(self.at + ahead).map(|placed| &placed.token);
        matches!(token, Some(Token::Text(_)))
    }

    fn is_name(&self) -> bool {
        match self.peek() {
            Token::Word(word) => !is_keyword(word),
            token => matches!(token, Token::Name(_)),
        }
    }

    pub(super) fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), Token::Symbol(found) if *found == symbol);
        self.at += usize::from(found);
        found
    }

    /// Notes that the next token is another one than expected.
    pub(super) fn unexpected(&mut self, expected: &str, suggestion: Option<String>) {
        let Placed { token, start, end } = self.placed().clone();
        // That it cannot be read was already said.
        if token != Token::Bad {
            self.faults.add(start..end, |span| {
                Issue::new("unexpected", "", "something else is expected here")
                    .expected(expected)
                    .found(token.describe())
                    .suggest(suggestion)
                    .at(span)
            });
        }
    }

    pub(super) fn expect_symbol(&mut self, symbol: &str) -> bool {
        let found = self.take_symbol(symbol);
        if !found {
            self.unexpected(&format!("`{symbol}`"), None);
        }
        found
    }

    /// What stands for the part that began at this token and had a fault. Goes on to its
    /// end: to the next joint outside its parentheses.
    fn fault(&mut self, first: usize) -> Part {
        let is =
            |token: &Token, symbol| matches!(token, Token::Symbol(s) if *s == symbol);
        let mut open = 0_usize;
        for Placed { token, .. } in &self.tokens[first..self.at] {
            if is(token, "(") {
                open += 1;
            } else if is(token, ")") {
                open = open.saturating_sub(1);
            }
        }
        loop {
            let token = self.peek();
            let joint = self.is_word(0, "and") || self.is_word(0, "or");
            let close = is(token, ")");
            let comma = is(token, ",") && self.lists > 0;
            if *token == Token::End || open == 0 && (joint || close || comma) {
                break;
            } else if is(token, "(") {
                open += 1;
            } else if close {
                open -= 1;
            }
            self.at += 1;
        }
        (Rule::Nobody, Places::leaf(self.since(first)))
    }

    /// The bytes from this token to the one before the next.
    pub(super) fn since(&self, first: usize) -> Range<usize> {
        let start = self.tokens[first].start;
        start..self.end().max(start)
    }

    pub(super) fn any(&mut self) -> Part {
        self.joined("or", "any", Rule::Any, Parser::all)
    }

    fn all(&mut self) -> Part {
        self.joined("and", "all", Rule::All, Parser::unary)
    }

    fn joined(
        &mut self,
        joint: &str,
        key: &str,
        node: fn(Vec<Rule>) -> Rule,
        part: fn(&mut Self) -> Part,
    ) -> Part {
        let first = self.at;
        let one = part(self);
        let mut parts = vec![one];
        while self.take(&[joint]) || self.mistyped(joint) {
            parts.push(part(self));
        }
        match parts.pop() {
            Some(one) if parts.is_empty() => one,
            last => {
                parts.extend(last);
                self.list(first, key, parts, node)
            }
        }
    }

    /// Passes what is nearly this joint and can be nothing else, and notes that it is wrong, so
    /// that what comes after it is read as if it were right.
    fn mistyped(&mut self, joint: &str) -> bool {
        let is_near = self.near_joint().is_some_and(|near| near == joint);
        if is_near {
            self.unexpected(&format!("`{joint}`"), Some(joint.to_owned()));
            self.at += 1;
        }
        is_near
    }

    /// The joint that the next word nearly is, if it is none, nor another word that may come
    /// after a rule.
    fn near_joint(&self) -> Option<String> {
        match self.peek() {
            Token::Word(word)
                if self.is_name()
                    && !self.is_word(0, "then")
                    && !self.is_word(0, "within") =>
            {
                similar_names(word, ["and", "or"]).into_iter().next()
            }
            _ => None,
        }
    }

    fn list(
        &self,
        first: usize,
        key: &str,
        parts: Vec<Part>,
        node: fn(Vec<Rule>) -> Rule,
    ) -> Part {
        let bytes = self.since(first);
        let (rules, places) = numbered(parts);
        let below = vec![(key.to_owned(), Places::new(bytes.clone(), places))];
        (node(rules), Places::new(bytes, below))
    }

    fn unary(&mut self) -> Part {
        let first = self.at;
        self.nesting += 1;
        let part = if self.nesting > MAX_NESTING {
            let Placed { start, end, .. } = *self.placed();
            self.faults.add(start..end, |span| {
                Issue::new("too-deep", "", "the rule is nested too deeply")
                    .expected(format!("at most {MAX_NESTING} levels"))
                    .at(span)
            });
            // The rest would only repeat it.
            self.faults.close();
            self.at = self.tokens.len() - 1;
            (Rule::Nobody, Places::leaf(start..start))
        } else if self.take(&["not"]) {
            let (rule, places) = self.unary();
            let bytes = self.since(first);
            let below = vec![("not".to_owned(), places)];
            (Rule::Not(Box::new(rule)), Places::new(bytes, below))
        } else {
            self.primary()
        };
        self.nesting -= 1;
        part
    }

    fn primary(&mut self) -> Part {
        let first = self.at;
        if self.take_symbol("(") {
            let part = self.any();
            self.expect_symbol(")");
            part
        } else if self.take(&["everyone"]) {
            (Rule::Everyone, Places::leaf(self.since(first)))
        } else if self.take(&["nobody"]) {
            (Rule::Nobody, Places::leaf(self.since(first)))
        } else if self.is_word(0, "segment") && self.is_text(1) {
            self.segment(first)
        } else if self.take(&["at", "least"]) {
            self.at_least(first)
        } else if self.take(&["all", "of"]) {
            let parts = self.rules();
            self.list(first, "all", parts, Rule::All)
        } else if self.take(&["any", "of"]) {
            let parts = self.rules();
            self.list(first, "any", parts, Rule::Any)
        } else if self.is_call("sequence") {
            self.sequence(first).unwrap_or_else(|| self.fault(first))
        } else if self.is_call("consent") {
            self.consent(first).unwrap_or_else(|| self.fault(first))
        } else {
            self.test(first)
        }
    }

    /// The place of a rule that began at this token, and of its content under this key.
    pub(super) fn whole(&self, first: usize, key: &str, below: Vec<Named>) -> Places {
        let bytes = self.since(first);
        let below = vec![(key.to_owned(), Places::new(bytes.clone(), below))];
        Places::new(bytes, below)
    }

    /// Rules in parentheses.
    fn rules(&mut self) -> Vec<Part> {
        self.lists += 1;
        let rules = self.listed(|parser| Some(parser.any()));
        self.lists -= 1;
        rules.unwrap_or_default()
    }

    /// A list in parentheses; nothing after a fault.
    pub(super) fn listed<T>(
        &mut self,
        mut entry: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        if !self.expect_symbol("(") {
            return None;
        }
        let mut entries = Vec::new();
        if self.take_symbol(")") {
            return Some(entries);
        }
        loop {
            entries.push(entry(self)?);
            if !self.take_symbol(",") {
                return self.expect_symbol(")").then_some(entries);
            }
        }
    }

    /// A reference to another segment.
    fn segment(&mut self, first: usize) -> Part {
        self.at += 1;
        let Some((id, place)) = self.text() else { return self.fault(first) };
        let id = SegmentId::new(id);
        let mut below = vec![("id".to_owned(), place)];
        let mut version = None;
        if self.take(&["version"]) {
            match *self.peek() {
                Token::Number(x)
                    if x >= 0.0 && x.fract() == 0.0 && x <= f64::from(u32::MAX) =>
                {
                    version = Some(x as u32);
                }
                _ => {
                    self.unexpected("a whole number", None);
                    return self.fault(first);
                }
            }
            below.push(("version".to_owned(), self.taken()));
        }
        let places = self.whole(first, "segment", below);
        (Rule::Segment(SegmentRef { id, version }), places)
    }

    fn at_least(&mut self, first: usize) -> Part {
        let n = match *self.peek() {
            Token::Number(x) if x >= 0.0 && x.fract() == 0.0 && x < 9e15 => x as usize,
            _ => {
                self.unexpected("a whole number", None);
                return self.fault(first);
            }
        };
        let n_place = self.taken();
        if !self.take(&["of"]) {
            self.unexpected("`of`", None);
            return self.fault(first);
        }
        let parts = self.rules();
        self.some(first, n, n_place, parts)
    }

    fn test(&mut self, first: usize) -> Part {
        let mut sizes = 0;
        while self.take(&["size", "of"]) {
            sizes += 1;
        }
        let written = self.written;
        let subject = if self.is_call("events") {
            self.events()
        } else if self.is_call("distance") {
            self.distance()
        } else if self.is_call("bucket") {
            self.bucket()
        } else if self.is_word(0, "score") && self.is_text(1) {
            self.score()
        } else {
            self.feature()
        };
        let Some(Subject { what, mut below }) = subject else {
            return self.fault(first);
        };
        if self.is_habit(&what) {
            let part = self.habit(first, what, &below);
            // It is at most three rules.
            let is_short = part.is_some() && self.write_out(first, written, 3);
            return part.filter(|_| is_short).unwrap_or_else(|| self.fault(first));
        }
        let test_at = self.at;
        let negated = self.take(&["not"]);
        let alone = match &what {
            What::Feature(_) => Some(Test::Eq(Literal::Flag(true))),
            What::Events { agg: None, .. } => Some(Test::Ge(Literal::Number(1.0))),
            What::Events { .. }
            | What::Distance { .. }
            | What::Bucket { .. }
            | What::Score { .. } => None,
        };
        let Some(Predicate { mut test, negated, places }) =
            self.predicate(negated, alone)
        else {
            return self.fault(first);
        };
        let test_bytes = self.since(test_at.min(self.at - 1));
        let mut places =
            (test.operator().to_owned(), Places::new(test_bytes.clone(), places));
        for _ in 0..sizes {
            test = Test::Size(Box::new(test));
            places = ("size".to_owned(), Places::new(self.since(first), vec![places]));
        }
        let mut when_missing = None;
        let missing_at = self.at;
        if self.take(&["when", "missing"]) {
            if self.take(&["yes"]) {
                when_missing = Some(true);
            } else if self.take(&["no"]) {
                when_missing = Some(false);
            } else {
                self.unexpected("`yes` or `no`", None);
                return self.fault(first);
            }
        }
        if when_missing.is_some()
            && matches!(what, What::Bucket { .. } | What::Score { .. })
        {
            let Range { start, end } = self.since(missing_at);
            self.no_effect(start..end);
            return self.fault(first);
        }
        // It is said of the condition as it is written.
        let when_missing = when_missing.map(|holds| holds != negated);
        below.push(("is".to_owned(), Places::new(test_bytes, vec![places])));
        if when_missing.is_some() {
            let place = Places::leaf(self.since(missing_at));
            below.push(("when_missing".to_owned(), place));
        }
        let bytes = self.since(first);
        let (least, n) = match &what {
            What::Events { when: when @ When::Periods { least, .. }, .. } => {
                (least.clone(), Some(when.n_windows()))
            }
            _ => (None, None),
        };
        if let Some(n) = n
            && !self.write_out(first, written, n)
        {
            return self.fault(first);
        }
        let (key, rules) = what.tests(test, when_missing);
        let below = vec![(key.to_owned(), Places::new(bytes.clone(), below))];
        let places = Places::new(bytes.clone(), below);
        let mut parts: Vec<Part> = rules
            .into_iter()
            .map(|rule| {
                let places = places.clone();
                if negated {
                    let below = vec![("not".to_owned(), places)];
                    (Rule::Not(Box::new(rule)), Places::new(bytes.clone(), below))
                } else {
                    (rule, places)
                }
            })
            .collect();
        match (n, least) {
            (Some(_), None) => self.list(first, "all", parts, Rule::All),
            (Some(_), Some((n, n_place))) => self.some(first, n, n_place, parts),
            // There is one window.
            (None, _) => parts.pop().unwrap_or_else(|| self.fault(first)),
        }
    }

    /// Notes that what began at this token is written out so many times, and what stands in
    /// it makes the text longer, too. False after a fault.
    fn write_out(&mut self, first: usize, before: usize, times: usize) -> bool {
        let bytes = self.since(first);
        let inside = self.written.saturating_sub(before);
        let all = bytes.len().saturating_add(inside).saturating_mul(times);
        self.written = before.saturating_add(all);
        let is_short = self.written <= self.most;
        if !is_short {
            self.written = before;
            let most = self.most;
            self.faults.add(bytes, |span| {
                let message = "the habit is too long when it is written out";
                Issue::new("text-too-long", "", message)
                    .expected(format!("at most {most} bytes"))
                    .found(all.to_string())
                    .at(span)
            });
        }
        is_short
    }

    /// At least so many of these rules.
    fn some(&self, first: usize, n: usize, n_place: Places, parts: Vec<Part>) -> Part {
        let bytes = self.since(first);
        let (of, places) = numbered(parts);
        let of_places = Places::new(bytes.clone(), places);
        let below = vec![("n".to_owned(), n_place), ("of".to_owned(), of_places)];
        let below = vec![("at_least".to_owned(), Places::new(bytes.clone(), below))];
        (Rule::AtLeast { n, of }, Places::new(bytes, below))
    }

    /// The name of a feature; nothing after a fault.
    fn feature(&mut self) -> Option<Subject> {
        let (name, place) = self.name("a condition")?;
        let below = vec![("name".to_owned(), place)];
        Some(Subject { what: What::Feature(name), below })
    }

    /// A name; nothing after a fault.
    pub(super) fn name(&mut self, expected: &str) -> Option<(String, Places)> {
        let name = match self.peek() {
            Token::Word(word) if !is_keyword(word) => word.clone(),
            Token::Name(name) => name.clone(),
            Token::Word(word) => {
                let quoted = (!matches!(word.as_str(), "and" | "or"))
                    .then(|| format!("\"{word}\""));
                self.unexpected(expected, quoted);
                return None;
            }
            _ => {
                self.unexpected(expected, None);
                return None;
            }
        };
        Some((name, self.taken()))
    }

    /// What follows a name, which may stand `alone`; nothing after a fault.
    fn predicate(&mut self, negated: bool, alone: Option<Test>) -> Option<Predicate> {
        let said = |test, places| Some(Predicate { test, negated, places });
        let comparison: Option<fn(Literal) -> Test> = match self.peek() {
            Token::Symbol("=" | "!=") => Some(Test::Eq),
            Token::Symbol("<") => Some(Test::Lt),
            Token::Symbol("<=") => Some(Test::Le),
            Token::Symbol(">") => Some(Test::Gt),
            Token::Symbol(">=") => Some(Test::Ge),
            _ => None,
        };
        if let Some(test) = comparison {
            let negated = matches!(self.peek(), Token::Symbol("!=")) != negated;
            self.at += 1;
            let test = test(self.literal()?.0);
            return Some(Predicate { test, negated, places: Vec::new() });
        }
        if self.take(&["in", "last"]) {
            said(Test::InLast(self.span()?), Vec::new())
        } else if self.take(&["in", "next"]) {
            said(Test::InNext(self.span()?), Vec::new())
        } else if self.take(&["in", "top"]) {
            said(Test::InTop(self.share()?), Vec::new())
        } else if self.take(&["in", "bottom"]) {
            said(Test::InBottom(self.share()?), Vec::new())
        } else if self.take(&["has", "anniversary", "in", "next"]) {
            said(self.anniversary()?, Vec::new())
        } else if self.take(&["in"]) {
            let (list, places) = numbered(self.listed(Parser::literal)?);
            said(Test::In(list), places)
        } else if self.take(&["between"]) {
            let (lo, lo_place) = self.literal()?;
            if !self.take(&["and"]) {
                self.unexpected("`and`", None);
                return None;
            }
            let (hi, hi_place) = self.literal()?;
            let places = vec![("lo".to_owned(), lo_place), ("hi".to_owned(), hi_place)];
            said(Test::Between { lo, hi }, places)
        } else if self.take(&["contains"]) {
            said(Test::Contains(self.text()?.0), Vec::new())
        } else if self.take(&["starts", "with"]) {
            said(Test::StartsWith(self.text()?.0), Vec::new())
        } else if self.take(&["ends", "with"]) {
            said(Test::EndsWith(self.text()?.0), Vec::new())
        } else if self.take(&["matches"]) {
            said(Test::Matches(self.text()?.0), Vec::new())
        } else if self.take(&["has", "any", "of"]) {
            let (list, places) = numbered(self.listed(Parser::text)?);
            said(Test::HasAny(list), places)
        } else if self.take(&["has", "all", "of"]) {
            let (list, places) = numbered(self.listed(Parser::text)?);
            said(Test::HasAll(list), places)
        } else if self.take(&["is"]) {
            let negated = self.take(&["not"]) != negated;
            let test = if self.take(&["set"]) {
                Test::Set
            } else if self.take(&["missing"]) {
                Test::Missing
            } else {
                self.unexpected("`set` or `missing`", None);
                return None;
            };
            Some(Predicate { test, negated, places: Vec::new() })
        } else if let Some(test) = &alone
            && !negated
            && (self.is_end_of_test() || self.is_mistyped_end())
        {
            said(test.clone(), Vec::new())
        } else {
            let mut words = vec![
                "in", "is", "between", "contains", "starts", "ends", "matches", "has",
            ];
            if matches!(&alone, Some(Test::Ge(_))) {
                words.extend(HABITS);
            }
            let suggestion = match self.peek() {
                Token::Word(word) => {
                    similar_names(word, words).into_iter().find(|near| near != word)
                }
                _ => None,
            };
            let expected = "a comparison, `in`, `between`, `contains`, `starts with`, \
                            `ends with`, `matches`, `has any of`, `has all of`, \
                            `has anniversary in next` or `is`";
            self.unexpected(expected, suggestion);
            None
        }
    }

    /// Whether nearly a joint comes next, and then no value but a name or a rule.
    fn is_mistyped_end(&self) -> bool {
        let next = self.tokens.get(self.at + 1).map(|placed| &placed.token);
        let is_rule = match next {
            Some(Token::Word(word)) => {
                !is_keyword(word)
                    || ["not", "all", "any", "at", "everyone", "nobody", "size"]
                        .iter()
                        .any(|start| self.is_word(1, start))
            }
            next => matches!(next, Some(Token::Name(_))),
        };
        is_rule && self.near_joint().is_some()
    }

    fn is_end_of_test(&self) -> bool {
        match self.peek() {
            Token::End | Token::Symbol(")" | ",") => true,
            Token::Word(_) => {
                let words = ["and", "or", "when", "then", "within"];
                words.iter().any(|word| self.is_word(0, word))
            }
            _ => false,
        }
    }

    fn literal(&mut self) -> Option<(Literal, Places)> {
        let literal = match self.peek() {
            Token::Number(x) => Literal::Number(*x),
            Token::Text(text) => Literal::Text(text.clone()),
            _ if self.is_word(0, "true") => Literal::Flag(true),
            _ if self.is_word(0, "false") => Literal::Flag(false),
            _ => {
                self.no_value("a number, a text in single quotes, `true` or `false`");
                return None;
            }
        };
        Some((literal, self.taken()))
    }

    pub(super) fn text(&mut self) -> Option<(String, Places)> {
        let Token::Text(text) = self.peek() else {
            self.no_value("a text in single quotes");
            return None;
        };
        Some((text.clone(), self.taken()))
    }

    fn no_value(&mut self, expected: &str) {
        let text = match self.peek() {
            Token::Word(text) | Token::Name(text) if self.is_name() => Some(quoted(text)),
            _ => None,
        };
        self.unexpected(expected, text);
    }

    /// Notes an answer for what is never missing.
    fn no_effect(&mut self, bytes: Range<usize>) {
        self.faults.add(bytes, |span| {
            Issue::new(
                "no-effect",
                "",
                "what is never missing has no answer for missing values",
            )
            .expected("nothing here")
            .at(span)
        });
    }

    /// Takes the next token.
    pub(super) fn taken(&mut self) -> Places {
        let Placed { start, end, .. } = *self.placed();
        self.at += 1;
        Places::leaf(start..end)
    }
}

pub(super) fn is_keyword(word: &str) -> bool {
    KEYWORDS.iter().any(|keyword| keyword.eq_ignore_ascii_case(word))
}

/// Entries, and their places by number.
pub(super) fn numbered<T>(entries: Vec<(T, Places)>) -> (Vec<T>, Vec<Named>) {
    let (entries, places): (Vec<T>, Vec<Places>) = entries.into_iter().unzip();
    let places = places.into_iter().enumerate();
    (entries, places.map(|(i, place)| (i.to_string(), place)).collect())
}
