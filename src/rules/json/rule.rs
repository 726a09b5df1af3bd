//! Rules, and what they test.

use super::reader::{Kind, Reader};
use super::tree::Tree;
use crate::rules::ast::{FieldTest, LeapDay, Literal, Rule, SegmentRef, Test};
use crate::rules::bucket::BucketTest;
use crate::rules::consent::{ConsentAge, ConsentTest};
use crate::rules::distance::{DistanceTest, Location};
use crate::rules::pin::Share;
use crate::rules::score::ScoreTest;
use crate::segmenter::SegmentId;

/// A kind of rule is a line here, and what reads that which stands below its key.
static RULES: [(&str, Kind<Rule>); 14] = [
    ("everyone", Kind::Bare(Rule::Everyone)),
    ("nobody", Kind::Bare(Rule::Nobody)),
    ("all", Kind::With(|r, tree| r.list(tree, Reader::rule).map(Rule::All))),
    ("any", Kind::With(|r, tree| r.list(tree, Reader::rule).map(Rule::Any))),
    ("at_least", Kind::With(at_least)),
    ("not", Kind::With(|r, tree| r.boxed_rule(tree).map(Rule::Not))),
    ("field", Kind::With(|r, tree| field(r, tree).map(Rule::Field))),
    ("event", Kind::With(|r, tree| r.event(tree).map(Rule::Event))),
    ("sequence", Kind::With(|r, tree| r.sequence(tree).map(Rule::Sequence))),
    ("distance", Kind::With(|r, tree| distance(r, tree).map(Rule::Distance))),
    ("bucket", Kind::With(|r, tree| bucket(r, tree).map(Rule::Bucket))),
    ("score", Kind::With(|r, tree| score(r, tree).map(Rule::Score))),
    ("consent", Kind::With(|r, tree| consent(r, tree).map(Rule::Consent))),
    ("segment", Kind::With(|r, tree| segment(r, tree).map(Rule::Segment))),
];

static TESTS: [(&str, Kind<Test>); 21] = [
    ("eq", Kind::With(|r, tree| literal(r, tree).map(Test::Eq))),
    ("in", Kind::With(|r, tree| r.list(tree, literal).map(Test::In))),
    ("lt", Kind::With(|r, tree| literal(r, tree).map(Test::Lt))),
    ("le", Kind::With(|r, tree| literal(r, tree).map(Test::Le))),
    ("gt", Kind::With(|r, tree| literal(r, tree).map(Test::Gt))),
    ("ge", Kind::With(|r, tree| literal(r, tree).map(Test::Ge))),
    ("between", Kind::With(between)),
    ("contains", Kind::With(|r, tree| r.text(tree).map(Test::Contains))),
    ("starts_with", Kind::With(|r, tree| r.text(tree).map(Test::StartsWith))),
    ("ends_with", Kind::With(|r, tree| r.text(tree).map(Test::EndsWith))),
    ("matches", Kind::With(|r, tree| r.text(tree).map(Test::Matches))),
    ("has_any", Kind::With(|r, tree| r.texts(tree).map(Test::HasAny))),
    ("has_all", Kind::With(|r, tree| r.texts(tree).map(Test::HasAll))),
    ("size", Kind::With(|r, tree| r.test(tree).map(|is| Test::Size(Box::new(is))))),
    ("in_last", Kind::With(|r, tree| r.span(tree).map(Test::InLast))),
    ("in_next", Kind::With(|r, tree| r.span(tree).map(Test::InNext))),
    ("anniversary", Kind::With(anniversary)),
    ("in_top", Kind::With(|r, tree| share(r, tree).map(Test::InTop))),
    ("in_bottom", Kind::With(|r, tree| share(r, tree).map(Test::InBottom))),
    ("set", Kind::Bare(Test::Set)),
    ("missing", Kind::Bare(Test::Missing)),
];

static SHARES: [(&str, Kind<Share>); 2] = [
    ("count", Kind::With(|r, tree| r.whole(tree).map(Share::Count))),
    ("percent", Kind::With(|r, tree| r.number(tree).map(Share::Percent))),
];

impl Reader {
    pub(super) fn rule(&mut self, tree: &Tree) -> Option<Rule> {
        self.kind("a rule", &RULES, tree)
    }

    pub(super) fn boxed_rule(&mut self, tree: &Tree) -> Option<Box<Rule>> {
        self.rule(tree).map(Box::new)
    }

    pub(super) fn test(&mut self, tree: &Tree) -> Option<Test> {
        self.kind("a test", &TESTS, tree)
    }

    pub(super) fn segment_id(&mut self, tree: &Tree) -> Option<SegmentId> {
        self.text(tree).map(SegmentId::new)
    }
}

fn at_least(r: &mut Reader, tree: &Tree) -> Option<Rule> {
    let mut fields = r.fields(&["n", "of"], tree)?;
    let n = fields.need("n", Reader::whole);
    let of = fields.need("of", |r, tree| r.list(tree, Reader::rule));
    Some(Rule::AtLeast { n: n?, of: of? })
}

fn field(r: &mut Reader, tree: &Tree) -> Option<FieldTest> {
    let mut fields = r.fields(&["name", "is", "when_missing"], tree)?;
    let name = fields.need("name", Reader::text);
    let is = fields.need("is", Reader::test);
    let when_missing = fields.may("when_missing", Reader::flag);
    Some(FieldTest { name: name?, is: is?, when_missing: when_missing? })
}

fn distance(r: &mut Reader, tree: &Tree) -> Option<DistanceTest> {
    let keys = &["latitude", "longitude", "from", "is", "when_missing"];
    let mut fields = r.fields(keys, tree)?;
    let latitude = fields.need("latitude", Reader::text);
    let longitude = fields.need("longitude", Reader::text);
    let from = fields.need("from", location);
    let is = fields.need("is", Reader::test);
    let when_missing = fields.may("when_missing", Reader::flag);
    Some(DistanceTest {
        latitude: latitude?,
        longitude: longitude?,
        from: from?,
        is: is?,
        when_missing: when_missing?,
    })
}

fn location(r: &mut Reader, tree: &Tree) -> Option<Location> {
    let mut fields = r.fields(&["latitude", "longitude"], tree)?;
    let latitude = fields.need("latitude", Reader::number);
    let longitude = fields.need("longitude", Reader::number);
    Some(Location { latitude: latitude?, longitude: longitude? })
}

fn bucket(r: &mut Reader, tree: &Tree) -> Option<BucketTest> {
    let mut fields = r.fields(&["salt", "is"], tree)?;
    let salt = fields.need("salt", Reader::text);
    let is = fields.need("is", Reader::test);
    Some(BucketTest { salt: salt?, is: is? })
}

fn score(r: &mut Reader, tree: &Tree) -> Option<ScoreTest> {
    let mut fields = r.fields(&["id", "is"], tree)?;
    let id = fields.need("id", Reader::text);
    let is = fields.need("is", Reader::test);
    Some(ScoreTest { id: id?, is: is? })
}

fn consent(r: &mut Reader, tree: &Tree) -> Option<ConsentTest> {
    let mut fields = r.fields(&["purpose", "is", "given"], tree)?;
    let purpose = fields.need("purpose", Reader::text);
    let is = fields.may("is", Reader::texts);
    let given = fields.may("given", |r, tree| {
        let mut fields = r.fields(&["on", "in_last"], tree)?;
        let on = fields.need("on", Reader::text);
        let in_last = fields.need("in_last", Reader::span);
        Some(ConsentAge { on: on?, in_last: in_last? })
    });
    Some(ConsentTest { purpose: purpose?, is: is?, given: given? })
}

fn segment(r: &mut Reader, tree: &Tree) -> Option<SegmentRef> {
    let mut fields = r.fields(&["id", "version"], tree)?;
    let id = fields.need("id", Reader::segment_id);
    let version = fields.may("version", Reader::whole);
    Some(SegmentRef { id: id?, version: version? })
}

fn literal(r: &mut Reader, tree: &Tree) -> Option<Literal> {
    match tree {
        Tree::Number(x) => Some(Literal::Number(x.value())),
        Tree::Flag(x) => Some(Literal::Flag(*x)),
        Tree::Text(x) => Some(Literal::Text(x.clone())),
        tree => r.wrong(tree, "a number, true, false or a text"),
    }
}

fn between(r: &mut Reader, tree: &Tree) -> Option<Test> {
    let mut fields = r.fields(&["lo", "hi"], tree)?;
    let lo = fields.need("lo", literal);
    let hi = fields.need("hi", literal);
    Some(Test::Between { lo: lo?, hi: hi? })
}

fn anniversary(r: &mut Reader, tree: &Tree) -> Option<Test> {
    let mut fields = r.fields(&["within", "leap_day"], tree)?;
    let within = fields.need("within", Reader::span);
    let leap_day = fields.or_default("leap_day", |r, tree| {
        let days = LeapDay::ALL.map(|day| (day.name(), Kind::Bare(day)));
        r.kind("a leap day", &days, tree)
    });
    Some(Test::Anniversary { within: within?, leap_day: leap_day? })
}

fn share(r: &mut Reader, tree: &Tree) -> Option<Share> {
    r.kind("a share", &SHARES, tree)
}
