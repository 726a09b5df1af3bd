//! What rules look at.

use super::ast::{Rule, SegmentRef};
use super::consent::{ConsentAge, ConsentTest};
use super::event::EventTest;
use super::sequence::SequenceTest;
use crate::segmenter::SegmentId;

/// Something that a rule looks at.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Read<'r> {
    Feature(&'r str),
    /// A feature of a test of what a customer has agreed to.
    OfConsent(&'r str),
    Stream(&'r str),
    /// Of the events of a stream.
    Property(&'r str, &'r str),
    Segment(&'r SegmentId),
    Score(&'r str),
}

impl Rule {
    /// The names of the features, streams (`order`) and their properties (`order.amount`) at which
    /// a test looks, each once; none where it is made of other rules.
    pub(super) fn names_read(&self) -> Vec<String> {
        if self.n_tests() > 0 { self.all_names_read() } else { Vec::new() }
    }

    /// Those at which any part looks. What segments and scores look at, to which it refers, is
    /// not among them.
    pub(super) fn all_names_read(&self) -> Vec<String> {
        let mut names = Vec::new();
        Walk::new(0, &|_, _| false).tell(self, &mut |told| {
            let name = match told.read {
                Read::Feature(name) | Read::OfConsent(name) | Read::Stream(name) => {
                    name.to_owned()
                }
                Read::Property(stream, name) => format!("{stream}.{name}"),
                Read::Segment(_) | Read::Score(_) => return,
            };
            if !names.contains(&name) {
                names.push(name);
            }
        });
        names
    }
}

/// Where something stands in a rule.
#[derive(Clone, Copy)]
enum Token {
    Name(&'static str),
    At(usize),
}

/// A rule that is walked through, whatever its depth.
pub(crate) struct Walk<'r, 'a> {
    /// What is known of the consents that a part of a rule asks.
    asks: &'a dyn Fn(&Rule, usize) -> bool,
    n_consents: usize,
    /// Each place with the one around it.
    places: Vec<(usize, Token)>,
    open: Vec<Open<'r>>,
}

struct Open<'r> {
    rule: &'r Rule,
    place: usize,
    /// The stream of whose events it is a filter.
    stream: Option<&'r str>,
    /// The consents without which this part, or one around it, does not hold.
    consents: Vec<usize>,
}

/// A [`Read`], where it stands, and the consents without which it makes no difference.
pub(crate) struct Told<'r, 'w> {
    pub(crate) read: Read<'r>,
    pub(crate) consents: &'w [usize],
    places: &'w [(usize, Token)],
    place: usize,
    names: &'w [Token],
}

impl Told<'_, '_> {
    /// The JSON pointer inside the rule.
    pub(crate) fn path(&self) -> String {
        let mut tokens: Vec<Token> = self.names.iter().rev().copied().collect();
        let mut place = self.place;
        while let Some(&(around, token)) = place.checked_sub(1).map(|i| &self.places[i]) {
            tokens.push(token);
            place = around;
        }
        let mut path = String::new();
        for token in tokens.iter().rev() {
            path.push('/');
            match token {
                Token::Name(name) => path.push_str(name),
                Token::At(at) => path.push_str(&at.to_string()),
            }
        }
        path
    }
}

impl<'r, 'a> Walk<'r, 'a> {
    /// A walk that knows of so many consents which of them a part of a rule asks of all for whom
    /// it holds.
    pub(crate) fn new(
        n_consents: usize,
        asks: &'a dyn Fn(&Rule, usize) -> bool,
    ) -> Walk<'r, 'a> {
        Walk { asks, n_consents, places: Vec::new(), open: Vec::new() }
    }

    /// Tells all that a rule looks at, in its order.
    pub(crate) fn tell(self, rule: &'r Rule, tell: &mut dyn FnMut(Told<'r, '_>)) {
        self.tell_within(None, rule, tell);
    }

    /// The same of a rule or, of a stream, of a filter of its events.
    pub(crate) fn tell_within(
        mut self,
        stream: Option<&'r str>,
        rule: &'r Rule,
        tell: &mut dyn FnMut(Told<'r, '_>),
    ) {
        let outermost = Open { rule, place: 0, stream, consents: Vec::new() };
        self.open.push(outermost);
        while let Some(mut at) = self.open.pop() {
            for consent in 0..self.n_consents {
                if !at.consents.contains(&consent) && (self.asks)(at.rule, consent) {
                    at.consents.push(consent);
                }
            }
            self.step(&at, tell);
        }
    }

    fn step(&mut self, at: &Open<'r>, tell: &mut dyn FnMut(Told<'r, '_>)) {
        use Token::{At, Name};
        let Walk { places, .. } = &*self;
        let mut read = |read: Read<'r>, names: &[Token]| {
            let (consents, place) = (&at.consents[..], at.place);
            tell(Told { read, consents, places, place, names });
        };
        // Parts, with their names, and the stream whose events they filter.
        let mut parts: Vec<(&'r Rule, Vec<Token>, Option<&'r str>)> = Vec::new();
        match at.rule {
            Rule::All(rules) => parts.extend(list(rules, &[Name("all")], at.stream)),
            Rule::Any(rules) => parts.extend(list(rules, &[Name("any")], at.stream)),
            Rule::AtLeast { of, .. } => {
                parts.extend(list(of, &[Name("at_least"), Name("of")], at.stream));
            }
            Rule::Not(rule) => parts.push((rule, vec![Name("not")], at.stream)),
            Rule::Field(test) => {
                let name = &test.name[..];
                let what = match at.stream {
                    None => Read::Feature(name),
                    Some(stream) => Read::Property(stream, name),
                };
                read(what, &[Name("field"), Name("name")]);
            }
            Rule::Event(EventTest { name, filter, agg, .. }) => {
                read(Read::Stream(name), &[Name("event"), Name("name")]);
                if let Some(property) = agg.property() {
                    let what = Read::Property(name, property);
                    read(what, &[Name("event"), Name("agg")]);
                }
                if let Some(filter) = filter {
                    let names = vec![Name("event"), Name("where")];
                    parts.push((filter, names, Some(name)));
                }
            }
            Rule::Sequence(SequenceTest { steps, same, .. }) => {
                for (i, step) in steps.iter().enumerate() {
                    let names = [Name("sequence"), Name("steps"), At(i)];
                    let [a, b, c] = names;
                    read(Read::Stream(&step.name), &[a, b, c, Name("name")]);
                    if let Some(same) = same {
                        let what = Read::Property(&step.name, same);
                        read(what, &[Name("sequence"), Name("same")]);
                    }
                    if let Some(filter) = &step.filter {
                        let names = vec![a, b, c, Name("where")];
                        parts.push((filter, names, Some(&step.name)));
                    }
                }
            }
            Rule::Distance(test) => {
                for (feature, name) in
                    [(&test.latitude, "latitude"), (&test.longitude, "longitude")]
                {
                    read(Read::Feature(feature), &[Name("distance"), Name(name)]);
                }
            }
            Rule::Consent(ConsentTest { purpose, given, .. }) => {
                read(Read::OfConsent(purpose), &[Name("consent"), Name("purpose")]);
                if let Some(ConsentAge { on, .. }) = given {
                    let names = [Name("consent"), Name("given"), Name("on")];
                    read(Read::OfConsent(on), &names);
                }
            }
            Rule::Segment(SegmentRef { id, .. }) => {
                read(Read::Segment(id), &[Name("segment"), Name("id")]);
            }
            Rule::Score(test) => {
                read(Read::Score(&test.id), &[Name("score"), Name("id")]);
            }
            // Draws look at the id only.
            Rule::Everyone | Rule::Nobody | Rule::Bucket(_) => {}
        }
        for (rule, names, stream) in parts.into_iter().rev() {
            let mut place = at.place;
            for token in names {
                self.places.push((place, token));
                place = self.places.len();
            }
            self.open.push(Open { rule, place, stream, consents: at.consents.clone() });
        }
    }
}

fn list<'r>(
    rules: &'r [Rule],
    names: &[Token],
    stream: Option<&'r str>,
) -> impl Iterator<Item = (&'r Rule, Vec<Token>, Option<&'r str>)> {
    rules.iter().enumerate().map(move |(i, rule)| {
        let names = names.iter().copied().chain([Token::At(i)]);
        (rule, names.collect(), stream)
    })
}
