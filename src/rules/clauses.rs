//! Lays a rule's evaluation open, clause by clause.

use super::ast::Rule;
use super::compile::Compiled;
use super::context::Context;
use crate::data::Customer;
use crate::segmenter::{ClauseResult, SegmentIndex, Truth};

impl Compiled {
    /// Appends the truth of every clause, whether or not the answer needs it, outer
    /// clauses before inner ones. The outermost is introduced by `title`, if there is one.
    ///
    /// This does not fail: a value that cannot be used makes its clause Unknown, and its
    /// text says why. Where [`holds`](Compiled::holds) has an answer, such a clause
    /// did not matter for it, and so the outermost truth agrees with that answer.
    pub(super) fn clauses(
        &self,
        segment: SegmentIndex,
        title: Option<&str>,
        customer: &dyn Customer,
        context: &Context<'_>,
        out: &mut Vec<ClauseResult>,
    ) -> Truth {
        let first = out.len();
        let mut walk = Walk {
            rule: self,
            segment,
            customer,
            context,
            leaf: 0,
            segment_at: 0,
            path: String::new(),
            out,
        };
        let truth = walk.clause(&self.rule, 0);
        if let (Some(title), Some(outermost)) = (title, out.get_mut(first)) {
            outermost.text = format!("{title}: {}", outermost.text);
        }
        truth
    }
}

struct Walk<'a> {
    rule: &'a Compiled,
    segment: SegmentIndex,
    customer: &'a dyn Customer,
    context: &'a Context<'a>,
    /// Number of the next leaf.
    leaf: usize,
    /// Number of the next segment that is referred to.
    segment_at: usize,
    /// JSON pointer to the current clause.
    path: String,
    out: &'a mut Vec<ClauseResult>,
}

impl Walk<'_> {
    fn clause(&mut self, rule: &Rule, depth: usize) -> Truth {
        let at = self.out.len();
        self.out.push(ClauseResult {
            segment: self.segment,
            path: self.path.clone(),
            depth,
            text: rule.head(),
            reads: rule.names_read(),
            observed: None,
            truth: Truth::Unknown,
        });
        let truth = match rule {
            Rule::Everyone => Truth::True,
            Rule::Nobody => Truth::False,
            Rule::All(rules) => {
                let truths = self.clauses("all", rules, depth);
                truths.into_iter().fold(Truth::True, Truth::and)
            }
            Rule::Any(rules) => {
                let truths = self.clauses("any", rules, depth);
                truths.into_iter().fold(Truth::False, Truth::or)
            }
            Rule::AtLeast { n, of } => {
                let truths = self.clauses("at_least/of", of, depth);
                let count = |truth| truths.iter().filter(|&&t| t == truth).count();
                if count(Truth::True) >= *n {
                    Truth::True
                } else if count(Truth::True) + count(Truth::Unknown) < *n {
                    Truth::False
                } else {
                    Truth::Unknown
                }
            }
            Rule::Not(rule) => self.below("not", |w| w.clause(rule, depth + 1)).not(),
            Rule::Field(_)
            | Rule::Event(_)
            | Rule::Sequence(_)
            | Rule::Distance(_)
            | Rule::Bucket(_)
            | Rule::Score(_)
            | Rule::Consent(_) => {
                let first = self.test(at);
                if let Rule::Score(test) = rule {
                    let below = self.out.len();
                    self.below("score", |w| w.parts(&test.id, depth + 1));
                    // Who sees the score learns of all that it is made of.
                    let reads = self.out[below..].iter().flat_map(|part| &part.reads);
                    let mut reads: Vec<String> = reads.cloned().collect();
                    reads.sort_unstable();
                    reads.dedup();
                    self.out[at].reads = reads;
                }
                (1..rule.n_tests())
                    .fold(first, |truth, _| truth.and(self.more(at, truth)))
            }
            Rule::Segment(_) => self.other(at),
        };
        self.out[at].truth = truth;
        truth
    }

    /// A clause for each part of a score, with its points.
    fn parts(&mut self, id: &str, depth: usize) {
        let Some(score) = self.rule.scores.iter().find(|score| score.id == id) else {
            return;
        };
        for (i, part) in score.parts.iter().enumerate() {
            let times = self.rule.times(part, self.customer, self.context);
            let named = &score.model.parts[i];
            let (text, truth) = match &times {
                Ok(times) => (named.to_string(), Truth::from(*times > 0.0)),
                Err(fault) => (format!("{named} ({fault})"), Truth::Unknown),
            };
            self.out.push(ClauseResult {
                segment: self.segment,
                path: format!("{}/parts/{i}", self.path),
                depth,
                text,
                reads: named.names_read(),
                observed: times.ok().map(|times| part.points(times).into()),
                truth,
            });
        }
    }

    fn clauses(&mut self, token: &str, rules: &[Rule], depth: usize) -> Vec<Truth> {
        let clause = |(i, rule)| {
            self.below(&format!("{token}/{i}"), |w| w.clause(rule, depth + 1))
        };
        rules.iter().enumerate().map(clause).collect()
    }

    fn below<T>(&mut self, token: &str, work: impl FnOnce(&mut Self) -> T) -> T {
        let len = self.path.len();
        self.path.push('/');
        self.path.push_str(token);
        let result = work(self);
        self.path.truncate(len);
        result
    }

    /// The next leaf's truth; what was observed goes to clause `at`.
    fn test(&mut self, at: usize) -> Truth {
        let leaf = &self.rule.leaves[self.leaf];
        self.leaf += 1;
        match self.rule.test(leaf, self.customer, self.context) {
            Ok((truth, value)) => {
                self.out[at].observed = Some(value.to_owned());
                truth
            }
            Err(fault) => {
                self.out[at].text.push_str(&format!(" ({fault})"));
                Truth::Unknown
            }
        }
    }

    /// The next leaf's truth, of a clause that has shown what was observed: that stays, unless
    /// it is this leaf that fails.
    fn more(&mut self, at: usize, before: Truth) -> Truth {
        let observed = self.out[at].observed.take();
        let truth = self.test(at);
        if truth.is_true() || !before.is_true() {
            self.out[at].observed = observed;
        }
        truth
    }

    /// The truth of the next segment that is referred to.
    fn other(&mut self, at: usize) -> Truth {
        let rule = self.rule.segments.get(self.segment_at).copied().unwrap_or(u32::MAX);
        self.segment_at += 1;
        self.context.truth(rule as usize, self.customer).unwrap_or_else(|fault| {
            self.out[at].text.push_str(&format!(" ({fault})"));
            Truth::Unknown
        })
    }
}
