//! Scores of points.

use super::reader::{Kind, Reader};
use super::tree::Tree;
use crate::rules::points::{PointsFor, PointsModel, PointsPart};

static GIVEN_FOR: [(&str, Kind<PointsFor>); 2] = [
    ("rule", Kind::With(|r, tree| r.rule(tree).map(PointsFor::Rule))),
    ("events", Kind::With(events)),
];

impl Reader {
    pub(super) fn points(&mut self, tree: &Tree) -> Option<PointsModel> {
        let mut fields = self.fields(&["parts", "cap"], tree)?;
        let parts = fields.need("parts", |r, tree| r.list(tree, part));
        let cap = fields.may("cap", Reader::number);
        Some(PointsModel { parts: parts?, cap: cap? })
    }
}

fn part(r: &mut Reader, tree: &Tree) -> Option<PointsPart> {
    let keys = &["name", "points", "for", "cap", "half_life", "every"];
    let mut fields = r.fields(keys, tree)?;
    let name = fields.need("name", Reader::text);
    let points = fields.need("points", Reader::number);
    let given_for =
        fields.need("for", |r, tree| r.kind("what points are for", &GIVEN_FOR, tree));
    let cap = fields.may("cap", Reader::number);
    let half_life = fields.may("half_life", Reader::span);
    let every = fields.may("every", Reader::span);
    Some(PointsPart {
        name: name?,
        points: points?,
        given_for: given_for?,
        cap: cap?,
        half_life: half_life?,
        every: every?,
    })
}

fn events(r: &mut Reader, tree: &Tree) -> Option<PointsFor> {
    let mut fields = r.fields(&["name", "where", "window"], tree)?;
    let name = fields.need("name", Reader::text);
    let filter = fields.may("where", Reader::boxed_rule);
    let window = fields.or_default("window", Reader::window);
    Some(PointsFor::Events { name: name?, filter: filter?, window: window? })
}
