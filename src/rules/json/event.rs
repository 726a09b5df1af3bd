//! Tests of events: what is made of them, when, and in which order.

use super::reader::{Kind, Reader};
use super::tree::Tree;
use crate::rules::event::{Aggregate, CalendarUnit, EventTest, Window};
use crate::rules::sequence::{SequenceStep, SequenceTest};

static AGGREGATES: [(&str, Kind<Aggregate>); 11] = [
    ("count", Kind::Bare(Aggregate::Count)),
    ("sum", Kind::With(|r, tree| r.text(tree).map(Aggregate::Sum))),
    ("average", Kind::With(|r, tree| r.text(tree).map(Aggregate::Average))),
    ("min", Kind::With(|r, tree| r.text(tree).map(Aggregate::Min))),
    ("max", Kind::With(|r, tree| r.text(tree).map(Aggregate::Max))),
    ("distinct", Kind::With(|r, tree| r.text(tree).map(Aggregate::Distinct))),
    ("first", Kind::With(|r, tree| r.text(tree).map(Aggregate::First))),
    ("last", Kind::With(|r, tree| r.text(tree).map(Aggregate::Last))),
    ("first_day", Kind::Bare(Aggregate::FirstDay)),
    ("last_day", Kind::Bare(Aggregate::LastDay)),
    ("active_days", Kind::Bare(Aggregate::ActiveDays)),
];

static WINDOWS: [(&str, Kind<Window>); 6] = [
    ("ever", Kind::Bare(Window::Ever)),
    ("last", Kind::With(|r, tree| r.span(tree).map(Window::Last))),
    ("ago", Kind::With(ago)),
    ("calendar", Kind::With(calendar)),
    ("calendar_ago", Kind::With(calendar_ago)),
    ("between", Kind::With(between)),
];

impl Reader {
    pub(super) fn event(&mut self, tree: &Tree) -> Option<EventTest> {
        let keys = &["name", "where", "agg", "window", "is", "when_missing"];
        let mut fields = self.fields(keys, tree)?;
        let name = fields.need("name", Reader::text);
        let filter = fields.may("where", Reader::boxed_rule);
        let agg = fields.need("agg", |r, tree| r.kind("an aggregate", &AGGREGATES, tree));
        let window = fields.or_default("window", Reader::window);
        let is = fields.need("is", Reader::test);
        let when_missing = fields.may("when_missing", Reader::flag);
        Some(EventTest {
            name: name?,
            filter: filter?,
            agg: agg?,
            window: window?,
            is: is?,
            when_missing: when_missing?,
        })
    }

    pub(super) fn window(&mut self, tree: &Tree) -> Option<Window> {
        self.kind("a window", &WINDOWS, tree)
    }

    pub(super) fn sequence(&mut self, tree: &Tree) -> Option<SequenceTest> {
        let mut fields = self.fields(&["steps", "same", "window"], tree)?;
        let steps = fields.need("steps", |r, tree| r.list(tree, step));
        let same = fields.may("same", Reader::text);
        let window = fields.or_default("window", Reader::window);
        Some(SequenceTest { steps: steps?, same: same?, window: window? })
    }
}

fn step(r: &mut Reader, tree: &Tree) -> Option<SequenceStep> {
    let mut fields = r.fields(&["name", "where", "not", "within"], tree)?;
    let name = fields.need("name", Reader::text);
    let filter = fields.may("where", Reader::boxed_rule);
    let not = fields.or_default("not", Reader::flag);
    let within = fields.may("within", Reader::span);
    Some(SequenceStep { name: name?, filter: filter?, not: not?, within: within? })
}

fn ago(r: &mut Reader, tree: &Tree) -> Option<Window> {
    let mut fields = r.fields(&["from", "to"], tree)?;
    let from = fields.need("from", Reader::span);
    let to = fields.need("to", Reader::span);
    Some(Window::Ago { from: from?, to: to? })
}

fn calendar(r: &mut Reader, tree: &Tree) -> Option<Window> {
    let mut fields = r.fields(&["n", "unit", "include_current"], tree)?;
    let n = fields.need("n", Reader::whole);
    let unit = fields.need("unit", unit);
    let include_current = fields.or_default("include_current", Reader::flag);
    Some(Window::Calendar { n: n?, unit: unit?, include_current: include_current? })
}

fn calendar_ago(r: &mut Reader, tree: &Tree) -> Option<Window> {
    let mut fields = r.fields(&["from", "to", "unit"], tree)?;
    let from = fields.need("from", Reader::whole);
    let to = fields.need("to", Reader::whole);
    let unit = fields.need("unit", unit);
    Some(Window::CalendarAgo { from: from?, to: to?, unit: unit? })
}

fn unit(r: &mut Reader, tree: &Tree) -> Option<CalendarUnit> {
    let units = CalendarUnit::ALL.map(|unit| (unit.name(), Kind::Bare(unit)));
    r.kind("a unit of the calendar", &units, tree)
}

fn between(r: &mut Reader, tree: &Tree) -> Option<Window> {
    let mut fields = r.fields(&["from", "to"], tree)?;
    let from = fields.need("from", Reader::text);
    let to = fields.need("to", Reader::text);
    Some(Window::Between { from: from?, to: to? })
}
