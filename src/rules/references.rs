//! Segments that refer to each other.

use super::ast::{Rule, SegmentRef};
use super::check::Checker;
use super::compile::Compiled;
use super::score::ScoreRule;
use super::set::{CompiledSet, RuleSet, SegmentRule};
use crate::error::{ErrorKind, Issue, Result, similar_names};
use crate::segmenter::SegmentId;

/// Segments through which a reference may lead.
pub(super) const MAX_DEPTH: usize = 64;

/// Segments of a circle that are shown.
const MAX_SHOWN: usize = 10;

/// The rules of a set in an order in which each comes after those to which it refers: to
/// `links[i]` in the case of rule `i`, which stands at `path(i)`. What cannot be ordered is told
/// to the checker. The first rules are those of the segments, and only they are referred to.
pub(super) fn order<'p>(
    checker: &mut Checker,
    set: &RuleSet,
    links: &[&[u32]],
    path: impl Fn(usize) -> &'p str,
) -> Vec<u32> {
    /// What is known of a rule.
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        /// On the way to the rule that is looked at.
        Open,
        /// With the number of segments through which it leads.
        Done(usize),
    }
    let once = |links: &&[u32]| -> Vec<u32> {
        let mut once = links.to_vec();
        once.sort_unstable();
        once.dedup();
        once
    };
    let links: Vec<Vec<u32>> = links.iter().map(once).collect();
    let mut states = vec![State::New; links.len()];
    let mut order = Vec::with_capacity(links.len());
    for start in 0..links.len() {
        // The way from `start`, with the next link of each rule on it.
        let mut way = vec![(start, 0)];
        if states[start] != State::New {
            continue;
        }
        states[start] = State::Open;
        while let Some(&mut (at, ref mut next)) = way.last_mut() {
            let Some(&to) = links[at].get(*next) else {
                let depths = links[at].iter().map(|&to| match states[to as usize] {
                    State::Done(depth) => depth,
                    _ => 0,
                });
                let depth = depths.max().map_or(0, |depth| depth + 1);
                if depth == MAX_DEPTH + 1 {
                    checker.at(path(at), |c| {
                        let message = "the segment refers to others through too many";
                        c.issue("references-too-deep", message, |i| {
                            i.expected(format!("at most {MAX_DEPTH}")).found("more")
                        });
                    });
                }
                states[at] = State::Done(depth);
                order.push(at as u32);
                way.pop();
                continue;
            };
            *next += 1;
            let to = to as usize;
            match states[to] {
                State::New => {
                    states[to] = State::Open;
                    way.push((to, 0));
                }
                State::Open => {
                    checker.at(path(at), |c| {
                        let message = "the segment refers to itself";
                        c.issue("segments-in-a-circle", message, |i| {
                            let from = way.iter().position(|&(rule, _)| rule == to);
                            let circle = &way[from.unwrap_or(0)..];
                            i.expected("no way back").found(circle_of(set, circle, to))
                        });
                    });
                }
                State::Done(_) => {}
            }
        }
    }
    order
}

/// The way from a segment back to itself, cut short where it is long.
fn circle_of(set: &RuleSet, circle: &[(usize, usize)], back: usize) -> String {
    let id = |rule: usize| set.segments[rule].id.as_str();
    let mut ids: Vec<&str> =
        circle.iter().take(MAX_SHOWN).map(|&(rule, _)| id(rule)).collect();
    if circle.len() > MAX_SHOWN {
        ids.push("…");
    }
    ids.push(id(back));
    ids.join(" -> ")
}

impl RuleSet {
    /// The segments whose rules refer to this one themselves, in their order: also those by
    /// which they are left.
    #[must_use]
    pub fn dependants(&self, id: &str) -> Vec<&SegmentId> {
        let refers = |segment: &&SegmentRule| {
            let mut found = false;
            for rule in [&segment.rule].into_iter().chain(segment.leave()) {
                visit(rule, &mut |other| found |= other.as_str() == id);
            }
            found
        };
        self.segments.iter().filter(refers).map(|segment| &segment.id).collect()
    }

    /// Takes a segment out of the set.
    ///
    /// # Errors
    /// [`ErrorKind::Definition`] with one issue: `unknown-segment` when there is none of
    /// this id, `segment-in-use` when others refer to it, which are listed.
    pub fn remove(&mut self, id: &str) -> Result<SegmentRule> {
        let at = self.segments.iter().position(|segment| segment.id.as_str() == id);
        let users = self.dependants(id);
        let issue = match at {
            None => {
                let ids = self.segments.iter().map(|segment| segment.id.as_str());
                Issue::new("unknown-segment", "", format!("no segment has the id `{id}`"))
                    .suggest(similar_names(id, ids).into_iter().next())
            }
            Some(at) if users.iter().any(|user| user.as_str() != id) => {
                let names: Vec<&str> = users.iter().map(|id| id.as_str()).collect();
                let path = format!("/segments/{at}");
                Issue::new("segment-in-use", path, "other segments refer to it")
                    .expected("no segment that refers to it")
                    .found(names.join(", "))
            }
            Some(at) => return Ok(self.segments.remove(at)),
        };
        Err(ErrorKind::Definition { what: "the rules".into(), issues: vec![issue] }
            .into())
    }
}

impl RuleSet {
    /// The segments whose rules test this score themselves, in their order: also those by
    /// which they are left.
    #[must_use]
    pub fn score_dependants(&self, id: &str) -> Vec<&SegmentId> {
        let tests = |segment: &&SegmentRule| {
            let mut open: Vec<&Rule> =
                [&segment.rule].into_iter().chain(segment.leave()).collect();
            while let Some(rule) = open.pop() {
                if matches!(rule, Rule::Score(test) if test.id == id) {
                    return true;
                }
                open.extend(rule.inside());
            }
            false
        };
        self.segments.iter().filter(tests).map(|segment| &segment.id).collect()
    }

    /// Takes a score out of the set.
    ///
    /// # Errors
    /// [`ErrorKind::Definition`] with one issue: `unknown-score` when there is none of this
    /// id, `score-in-use` when segments test it, which are listed.
    pub fn remove_score(&mut self, id: &str) -> Result<ScoreRule> {
        let at = self.scores.iter().position(|score| score.id == id);
        let users = self.score_dependants(id);
        let issue = match at {
            None => {
                let ids = self.scores.iter().map(|score| score.id.as_str());
                Issue::new("unknown-score", "", format!("no score has the id `{id}`"))
                    .suggest(similar_names(id, ids).into_iter().next())
            }
            Some(at) if !users.is_empty() => {
                let names: Vec<&str> = users.iter().map(|id| id.as_str()).collect();
                Issue::new("score-in-use", format!("/scores/{at}"), "segments test it")
                    .expected("no segment that tests it")
                    .found(names.join(", "))
            }
            Some(at) => return Ok(self.scores.remove(at)),
        };
        Err(ErrorKind::Definition { what: "the rules".into(), issues: vec![issue] }
            .into())
    }
}

/// Tells the ids to which a rule refers, in its order. The rule may be of any depth.
pub(super) fn visit(rule: &Rule, tell: &mut impl FnMut(&SegmentId)) {
    let mut open = vec![rule];
    while let Some(rule) = open.pop() {
        match rule {
            Rule::All(rules) | Rule::Any(rules) | Rule::AtLeast { of: rules, .. } => {
                open.extend(rules.iter().rev());
            }
            Rule::Not(rule) => open.push(rule),
            Rule::Segment(SegmentRef { id, .. }) => tell(id),
            _ => {}
        }
    }
}

impl CompiledSet {
    /// Lets rules name the segments to which they refer by their present ids.
    pub(super) fn rename_references(&mut self) {
        if self.rules.iter().any(|rule| !rule.segments.is_empty()) {
            let rename =
                |rule: &Compiled| Compiled { rule: self.renamed(rule), ..rule.clone() };
            self.rules = self.rules.iter().map(rename).collect();
        }
    }

    /// The definition of a rule, where segments have their present ids.
    pub(super) fn renamed(&self, rule: &Compiled) -> Rule {
        let ids = rule.segments.iter().map(|&i| &self.segments[i as usize].id);
        let mut definition = rule.rule.clone();
        rename(&mut definition, &mut ids.into_iter());
        definition
    }
}

/// Gives references these ids, in their order. As deep as the rule.
fn rename<'i>(rule: &mut Rule, ids: &mut impl Iterator<Item = &'i SegmentId>) {
    match rule {
        Rule::All(rules) | Rule::Any(rules) | Rule::AtLeast { of: rules, .. } => {
            rules.iter_mut().for_each(|rule| rename(rule, ids));
        }
        Rule::Not(rule) => rename(rule, ids),
        Rule::Segment(reference) => {
            if let Some(id) = ids.next() {
                reference.id = id.clone();
            }
        }
        // Tests refer to no other segments.
        _ => {}
    }
}
