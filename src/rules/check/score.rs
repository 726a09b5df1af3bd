//! Scores, checked against the schema.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Checker, Node, Parts};
use crate::data::{FeatureSpec, Span};
use crate::error::{Issue, similar_names};
use crate::rules::ast::Test;
use crate::rules::behaviour::Behaviour;
use crate::rules::check::Key;
use crate::rules::computed::Computed;
use crate::rules::decay::{Decay, MOST_STEPS};
use crate::rules::leaf::{Check, Leaf, Source};
use crate::rules::points::{PointsFor, PointsModel, PointsPart, check_cap, counted};
use crate::rules::score::{GivenFor, Score, ScorePart, ScoreRule, ScoreTest};
use crate::rules::text::score_name;
use crate::segmenter::Truth;

/// The scores of a set, by their ids.
pub(super) type Known = BTreeMap<String, KnownScore>;

#[derive(Clone, Debug)]
pub(super) struct KnownScore {
    place: u32,
    model: Arc<PointsModel>,
    /// How many parts and tests it has.
    size: usize,
    /// What all rules share that test it, once one does.
    resolved: Option<Arc<Resolved>>,
}

/// A score that was checked, whose parts refer to what is here.
#[derive(Debug)]
pub(super) struct Resolved {
    parts: Vec<ScorePart>,
    leaves: Vec<Leaf>,
    nodes: Vec<Node>,
    behaviours: Vec<Behaviour>,
    computed: Vec<Computed>,
}

impl Resolved {
    /// Its parts, with all to which they refer after what a rule has already.
    fn within(&self, parts: &mut Parts) -> Box<[ScorePart]> {
        let [leaves, nodes] = [parts.inner.len() as u32, parts.inner_nodes.len() as u32];
        let behaviours = parts.behaviours.len() as u32;
        let computed = parts.computed.len() as u32;
        parts.behaviours.extend_from_slice(&self.behaviours);
        parts.computed.extend_from_slice(&self.computed);
        parts.inner.extend(self.leaves.iter().map(|leaf| {
            let source = match leaf.source {
                Source::Events(at) => Source::Events(at + behaviours),
                Source::Computed(at) => Source::Computed(at + computed),
                // Scores do not test scores.
                source @ (Source::Feature(_) | Source::Score(_)) => source,
            };
            Leaf { source, ..leaf.clone() }
        }));
        let shifted = self.nodes.iter().map(|node| node.clone().shifted(leaves));
        parts.inner_nodes.extend(shifted);
        let moved = self.parts.iter().map(|part| {
            let given_for = match part.given_for {
                GivenFor::Rule { entry, first_leaf, n_leaves } => GivenFor::Rule {
                    entry: entry + nodes,
                    first_leaf: first_leaf + leaves,
                    n_leaves,
                },
                GivenFor::Times { leaf } => GivenFor::Times { leaf: leaf + leaves },
            };
            ScorePart { given_for, ..part.clone() }
        });
        moved.collect()
    }
}

impl Checker {
    /// States the scores of a set, which rules may test. Their own faults are told here.
    pub(in crate::rules) fn score_by(&mut self, scores: &[ScoreRule]) {
        // What no rule asks about is not kept: places are given as rules are checked.
        let windows = std::mem::take(&mut self.windows);
        let aggregates = std::mem::take(&mut self.aggregates);
        let computed = std::mem::take(&mut self.computed);
        let mut known = Known::new();
        if !scores.is_empty() && !self.at("scores", |c| c.list_len(scores.len())) {
            self.scores = Some(known);
            return;
        }
        for (i, ScoreRule { id, points }) in scores.iter().enumerate() {
            self.at(format!("scores/{i}"), |c| {
                if id.is_empty() {
                    c.at("id", |c| {
                        c.issue("empty-id", "the score has no id", |i| {
                            i.expected("a text that is not empty")
                        });
                    });
                } else if known.contains_key(id) {
                    c.at("id", |c| {
                        let message = format!("the score id `{id}` is used twice");
                        c.issue("duplicate-id", message, |i| {
                            i.expected("an id of its own").found(format!("`{id}`"))
                        });
                    });
                }
                let mut parts = Parts::default();
                let n_faults = c.issues.len() + c.n_more;
                c.at("points", |c| c.points(points, &mut parts));
                let is_faulty = c.issues.len() + c.n_more > n_faults;
                known.entry(id.clone()).or_insert_with(|| KnownScore {
                    place: i as u32,
                    // What has a fault may be too deep to be cloned, and resolves to nothing.
                    model: Arc::new(match is_faulty {
                        true => PointsModel::new(),
                        false => points.clone(),
                    }),
                    size: points.parts.len() + parts.inner.len(),
                    resolved: None,
                });
            });
        }
        (self.windows, self.aggregates, self.computed) = (windows, aggregates, computed);
        self.scores = Some(known);
    }

    /// The parts of a score; of use only without a fault.
    fn points(&mut self, model: &PointsModel, parts: &mut Parts) -> Vec<ScorePart> {
        let most = self.limits.get_list_len();
        if !(1..=most).contains(&model.parts.len()) {
            self.at("parts", |c| {
                c.issue("bad-count", "the number of parts is wrong", |i| {
                    i.expected(format!("from 1 to {most}"))
                        .found(model.parts.len().to_string())
                });
            });
            return Vec::new();
        }
        let mut issues = Vec::new();
        check_cap(model.cap, &self.path, &mut issues);
        issues.into_iter().for_each(|issue| self.told(issue));
        let of_part =
            |(i, part)| self.at(format!("parts/{i}"), |c| c.points_part(part, parts));
        model.parts.iter().enumerate().filter_map(of_part).collect()
    }

    fn points_part(&mut self, part: &PointsPart, parts: &mut Parts) -> Option<ScorePart> {
        let PointsPart { points, cap, .. } = *part;
        let mut issues = Vec::new();
        part.check(&self.path, &mut issues);
        issues.into_iter().for_each(|issue| self.told(issue));
        // Tests of parts are numbered by themselves, after those of the rule.
        let outer =
            std::mem::replace(&mut parts.leaves, std::mem::take(&mut parts.inner));
        let is_of_events = matches!(part.given_for, PointsFor::Events { .. });
        let decay = if is_of_events { self.decay(part) } else { Some(None) };
        let given_for = self.at("for", |c| c.given_for(part, decay.flatten(), parts));
        parts.inner = std::mem::replace(&mut parts.leaves, outer);
        Some(ScorePart { points, cap, given_for: given_for? })
    }

    /// How events count for less: in steps, so that there is a first instant at which a score
    /// is another. `None` after a fault.
    fn decay(&mut self, part: &PointsPart) -> Option<Option<Decay>> {
        let Some(half_life) = part.half_life else { return Some(None) };
        let half = self.at("half_life", |c| c.span(half_life));
        let Some(every) = part.every else {
            self.at("every", |c| {
                let message = "the points change all the time, which no rule can tell";
                c.issue("no-steps", message, |i| i.expected("steps, such as 1d"));
            });
            return None;
        };
        let step = self.at("every", |c| {
            let most = half_life.as_millis() / MOST_STEPS;
            if every.as_millis() < most {
                c.issue("too-many-steps", "the steps are too short", |i| {
                    i.expected(format!(
                        "at least {}, for {MOST_STEPS} of them to a half-life",
                        Span::from_millis(most)
                    ))
                    .found(every.to_string())
                });
                return None;
            }
            c.span(every)
        });
        (half.is_some() && step.is_some()).then(|| part.decay())
    }

    fn given_for(
        &mut self,
        part: &PointsPart,
        decay: Option<Decay>,
        parts: &mut Parts,
    ) -> Option<GivenFor> {
        let limits = self.limits;
        self.limits = limits.of_parts();
        let given_for = match &part.given_for {
            PointsFor::Rule(rule) => self.at("rule", |c| {
                let first_leaf = parts.leaves.len() as u32;
                c.is_in_score = true;
                let node = c.rule(rule, parts);
                c.is_in_score = false;
                let n_leaves = parts.leaves.len() as u32 - first_leaf;
                parts.inner_nodes.push(node?);
                // Where its program starts is not known yet.
                let entry = (parts.inner_nodes.len() - 1) as u32;
                Some(GivenFor::Rule { entry, first_leaf, n_leaves })
            }),
            PointsFor::Events { name, filter, window } => self.at("events", |c| {
                if let Some(rule) = filter
                    && let Some(issue) =
                        c.limits.check_size(rule, &format!("{}/where", c.path))
                {
                    c.told(issue);
                    return None;
                }
                let test = counted(name, filter.as_deref(), window);
                let leaf = c.event_of(&test, decay, parts)?;
                parts.leaves.push(Leaf { check: Check::Amount, ..leaf });
                Some(GivenFor::Times { leaf: (parts.leaves.len() - 1) as u32 })
            }),
        };
        self.limits = limits;
        given_for
    }

    /// Notes a fault that was found elsewhere.
    fn told(&mut self, issue: Issue) {
        let path = std::mem::replace(&mut self.path, issue.path.clone());
        self.issue(&issue.code.clone(), issue.message.clone(), |_| issue);
        self.path = path;
    }

    pub(super) fn score(&mut self, test: &ScoreTest, parts: &mut Parts) -> Option<Leaf> {
        let ScoreTest { id, is } = test;
        if matches!(is, Test::Set | Test::Missing) {
            self.at("is", |c| {
                let message = "a score is never missing";
                c.issue("no-effect", message, |i| i.expected("a comparison"));
            });
            return None;
        }
        let spec = FeatureSpec::number(score_name(id));
        let key = Key { stream: None, feature: crate::data::FeatureIndex::new(0) };
        let what = format!("`{}`", spec.name());
        let check = self.at("is", |c| c.test(key, &spec, &what, is));
        let KnownScore { place, model, size, resolved } = self.known_score(id)?;
        let at = match parts.scores.iter().position(|score| score.place == place) {
            Some(at) => at,
            None => {
                parts.n_score_nodes += size;
                if parts.n_score_nodes > self.limits.get_nodes() {
                    let most = self.limits.get_nodes();
                    let message = "the scores of the rule are too large";
                    self.issue("too-large", message, |i| {
                        i.expected(format!("at most {most} parts and tests in all"))
                            .found("more")
                    });
                    return None;
                }
                self.n_score_tests = self.n_score_tests.saturating_add(size);
                let most = self.limits.get_score_tests();
                if self.n_score_tests > most {
                    let message = "the scores of all rules are too large";
                    self.issue("too-many-score-tests", message, |i| {
                        i.expected(format!("at most {most} parts and tests in all"))
                            .found("more")
                    });
                    return None;
                }
                let resolved = match resolved {
                    Some(resolved) => resolved,
                    None => self.resolved(id, &model)?,
                };
                let score_parts = resolved.within(parts);
                let id = id.clone();
                parts.scores.push(Score { id, model, parts: score_parts, spec, place });
                parts.scores.len() - 1
            }
        };
        let (source, missing) = (Source::Score(at as u32), Truth::Unknown);
        Some(Leaf { source, missing, check: check? })
    }

    /// A score of the set; `None` after a fault.
    fn known_score(&mut self, id: &str) -> Option<KnownScore> {
        let known = if self.is_in_score { None } else { self.scores.take() };
        let Some(known) = known else {
            self.issue("no-scores-here", "no scores are known here", |i| {
                i.expected("a test of values").found(format!("score `{id}`"))
            });
            return None;
        };
        let found = known.get(id).cloned();
        if found.is_none() {
            self.at("id", |c| {
                c.issue("unknown-score", format!("no score has the id `{id}`"), |i| {
                    let near = similar_names(id, known.keys().map(String::as_str));
                    i.found(format!("`{id}`")).suggest(near.into_iter().next())
                });
            });
        }
        self.scores = Some(known);
        found
    }

    /// A score whose parts were checked before: their faults are not told again. Others that
    /// test it get the same.
    fn resolved(&mut self, id: &str, model: &PointsModel) -> Option<Arc<Resolved>> {
        let (n_issues, n_more) = (self.issues.len(), self.n_more);
        let mut own = Parts::default();
        let parts = self.points(model, &mut own);
        let is_whole = self.issues.len() == n_issues && self.n_more == n_more;
        self.issues.truncate(n_issues);
        self.n_more = n_more;
        is_whole.then_some(())?;
        let Parts { inner, inner_nodes, behaviours, computed, .. } = own;
        let (leaves, nodes) = (inner, inner_nodes);
        let resolved = Arc::new(Resolved { parts, leaves, nodes, behaviours, computed });
        let known = self.scores.as_mut().and_then(|scores| scores.get_mut(id));
        if let Some(known) = known {
            known.resolved = Some(Arc::clone(&resolved));
        }
        Some(resolved)
    }
}

#[cfg(test)]
mod tests {
    use crate::data::{FeatureSpec, Schema};
    use crate::rules::leaf::{Check, TextCheck};
    use crate::rules::{PointsModel, RuleSet, field, score};

    /// A regular expression is kept once, however many rules test a score with it.
    #[test]
    fn rules_share_what_a_score_is_made_of() {
        let schema = Schema::new([FeatureSpec::category("c")]).unwrap();
        let points = PointsModel::new().when("a", 1.0, field("c").matches("a+b"));
        let set = (0..3).fold(RuleSet::new().score("s", points), |set, i| {
            set.segment(i.to_string(), "", score("s").ge(i as f64))
        });
        let book = set.compile_book(&schema).unwrap();
        let patterns = book.compiled().rules.iter().map(|rule| {
            let Check::Text(TextCheck::Matches(pattern)) = &rule.leaves[1].check else {
                panic!("{:?}", rule.leaves)
            };
            pattern.as_str().as_ptr()
        });
        let mut patterns: Vec<_> = patterns.collect();
        patterns.dedup();
        assert_eq!(patterns.len(), 1);
    }
}
