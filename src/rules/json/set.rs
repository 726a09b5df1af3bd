//! Sets of segments.

use super::format::FORMAT;
use super::reader::Reader;
use super::tree::{Number, Tree};
use crate::rules::score::ScoreRule;
use crate::rules::set::{RestSegment, RuleSet, SegmentRule, SegmentStay};

impl Reader {
    pub(super) fn set(&mut self, tree: &Tree) -> Option<RuleSet> {
        // What is of another format has other keys, which are no faults.
        if let Tree::Object(entries) = tree
            && let Some((key, Tree::Number(found))) =
                entries.iter().find(|(key, _)| key == "format")
            && *found != Number::Unsigned(FORMAT)
        {
            return self.at(key, |r| {
                r.issue("unknown-format", "the format is not known here", |issue| {
                    issue.expected(FORMAT.to_string()).found(found.to_string())
                });
                None
            });
        }
        let mut fields = self.fields(&["format", "scores", "segments", "rest"], tree)?;
        let format = fields.or_default("format", Reader::whole::<u64>);
        let scores = fields.or_default("scores", |r, tree| r.list(tree, score));
        let segments = fields.need("segments", |r, tree| r.list(tree, segment));
        let rest = fields.may("rest", |r, tree| {
            let mut fields = r.fields(&["id", "name"], tree)?;
            let id = fields.need("id", Reader::segment_id);
            let name = fields.need("name", Reader::text);
            Some(RestSegment { id: id?, name: name? })
        });
        format?;
        Some(RuleSet { scores: scores?, segments: segments?, rest: rest? })
    }
}

fn score(r: &mut Reader, tree: &Tree) -> Option<ScoreRule> {
    let mut fields = r.fields(&["id", "points"], tree)?;
    let id = fields.need("id", Reader::text);
    let points = fields.need("points", Reader::points);
    Some(ScoreRule { id: id?, points: points? })
}

fn segment(r: &mut Reader, tree: &Tree) -> Option<SegmentRule> {
    let mut fields = r.fields(&["id", "name", "version", "rule", "stay"], tree)?;
    let id = fields.need("id", Reader::segment_id);
    let name = fields.need("name", Reader::text);
    let version = fields.may("version", Reader::whole);
    let rule = fields.need("rule", Reader::rule);
    let stay = fields.may("stay", |r, tree| {
        let mut fields = r.fields(&["leave", "minimum_stay"], tree)?;
        let leave = fields.may("leave", Reader::rule);
        let minimum_stay = fields.may("minimum_stay", Reader::span);
        Some(SegmentStay { leave: leave?, minimum_stay: minimum_stay? })
    });
    Some(SegmentRule {
        id: id?,
        name: name?,
        version: version?,
        rule: rule?,
        stay: stay?,
    })
}
