//! The analysis of a book.

use std::fmt;
use std::sync::Arc;

use super::containment::Containment;
use super::contradictions::{Alone, alone, blamed};
use super::encode::Encoding;
use super::finding::{Finding, OpenQuestion, Relation};
use super::inquiry::{Answer, Inquiry, answer};
use super::limits::AnalysisLimits;
use super::model::Model;
use super::needless::{clauses, denied};
use super::priority::shadows;
use crate::error::{ErrorKind, Issue, Result, similar_names};
use crate::rules::batch::graph::Signal;
use crate::rules::book::RuleBook;
use crate::rules::compile::Compiled;
use crate::segmenter::SegmentId;

/// Formulas about clauses that are kept although they are not needed any more.
const MOST_SPARE: usize = 1 << 16;

/// What is so for all customers that a [`RuleBook`] can be asked about.
///
/// # What is proven
/// Each finding is: it holds for every customer whose values can be used, with any of them
/// missing, with any events, at any instant, however weeks begin, in any zone whose days
/// begin in their order, under Kleene's logic. What is not found may still be so, where it
/// follows from what the analysis does not know:
///
/// - Of `matches` it knows only the answers for names that rules list. An anniversary may
///   be at any time, and days relative to today are not compared with other dates.
/// - Of aggregates of one stream it knows which events of one are events of another, by
///   windows of one kind and by filters that imply each other. So it knows which counts,
///   least and greatest values, and first and last days bound each other; but no sums of
///   counts, and of sums and averages only what they are over no events.
/// - Of a distance, a draw and a sequence it knows no more than that they are a number not
///   below 0, one from 0 to 1, and yes or no: not what they are made of. A draw may be missing,
///   as it is for a live customer until [`LiveBook::identify`](super::super::LiveBook::identify):
///   two halves of a draw leave her for the rest segment.
///
/// Of features alone, without those, `matches`, anniversaries, and absolute dates beside relative
/// ones, it knows all: what is not found there and not undecided is not so.
///
/// # How
/// Rules become clauses, and a solver that learns from conflicts decides each question
/// (Marques-Silva & Sakallah 1999; Eén & Sörensson 2003). Clauses that contradict each other
/// become few by leaving out one after another (Liffiton & Sakallah 2008). Made-up customers
/// spare most questions (Mishchenko et al. 2005). The same book has the same findings always,
/// and no threads are used.
///
/// ```
/// use segmenta::data::{FeatureSpec, Schema, StreamSpec};
/// use segmenta::rules::{RuleBook, RuleSet};
///
/// let schema = Schema::builder()
///     .feature(FeatureSpec::category("country"))
///     .stream(StreamSpec::new("order", []))
///     .build()?;
/// let set = RuleSet::new()
///     .segment("recent", "Recent", "events(order).count in last 30d >= 2".parse()?)
///     .segment("active", "Active", "events(order) in last 90d".parse()?)
///     .segment("alpine", "Alpine", "country in ('AT', 'CH') and country starts with 'D'".parse()?);
/// let analysis = set.compile_book(&schema)?.analyse();
/// assert_eq!(
///     analysis.to_string(),
///     "nobody can be in `alpine`: /all/0 and /all/1 contradict each other\n\
///      `recent` is within `active`: every member of the first is a member of the second\n",
/// );
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Analysis {
    findings: Vec<Finding>,
    undecided: Vec<OpenQuestion>,
    ids: Arc<[SegmentId]>,
    model: Arc<Model>,
    /// Whether a customer is in each segment.
    holds: Vec<Signal>,
    limits: AnalysisLimits,
}

impl RuleBook {
    /// What can be said of the segments without any customer, within the default
    /// [`AnalysisLimits`].
    ///
    /// ```
    /// use segmenta::data::{FeatureSpec, Schema};
    /// use segmenta::rules::{Finding, RuleBook, field};
    ///
    /// let schema = Schema::new([FeatureSpec::number("orders")])?;
    /// let book = RuleBook::builder(&schema)
    ///     .segment("some", "Some", field("orders").ge(1))
    ///     .segment("known", "Known", field("orders").is_set())
    ///     .segment("fifty", "Fifty", field("orders").eq(50))
    ///     .build()?;
    /// let said: Vec<String> = book.analyse().findings().iter().map(Finding::to_string).collect();
    /// assert_eq!(said, [
    ///     "`some` is within `known`: every member of the first is a member of the second",
    ///     "`fifty` is within `some`: every member of the first is a member of the second",
    ///     "`fifty` is never the first that matches: `some` takes all its members",
    /// ]);
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    #[must_use]
    pub fn analyse(&self) -> Analysis {
        self.analyse_with(&AnalysisLimits::new())
    }

    /// [`analyse`](RuleBook::analyse) within other limits.
    #[must_use]
    pub fn analyse_with(&self, limits: &AnalysisLimits) -> Analysis {
        let set = self.compiled();
        let rules: Vec<&Compiled> = set.rules.iter().collect();
        let most = [limits.get_total() / 4, limits.most_facts()];
        let mut model = Model::new(&rules, &set.order, &set.windows, most);
        let mut holds: Vec<Signal> =
            model.rules.iter().map(|part| part.answers.holds).collect();
        if set.has_rest() {
            let taken = model.graph.any(holds.clone());
            holds.push(!taken);
        }
        let ids = set.segments.iter().map(|segment| segment.id.clone()).collect();
        let mut analysis = Analysis {
            findings: Vec::new(),
            undecided: Vec::new(),
            ids,
            model: Arc::new(model.clone()),
            holds,
            limits: *limits,
        };
        let mut inquiry = Inquiry::new(model, limits);
        let denied = denied(&rules, &set.order);
        analysis.look(&mut inquiry, &denied, set.has_rest());
        analysis
    }
}

impl Analysis {
    /// What is so: first segments of nobody and of everyone, then those that are equal or
    /// within others, then those that get nobody, then clauses; each in the order of the segments.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The questions to which the limits allowed no answer.
    #[must_use]
    pub fn undecided(&self) -> &[OpenQuestion] {
        &self.undecided
    }

    /// How two segments lie to each other: the first of [`Relation`]'s that is proven. The
    /// rest segment has those whom no rule takes. Takes up to three times
    /// [`AnalysisLimits::question`].
    ///
    /// # Errors
    /// [`ErrorKind::Definition`] when there is no such segment.
    pub fn relation(&self, a: &str, b: &str) -> Result<Relation> {
        let (a, b) = (self.find(a)?, self.find(b)?);
        let mut is_exact = true;
        let mut ask = |signals: [Signal; 2]| {
            let mut encoding = Encoding::new(&self.model, &signals);
            let outcome = encoding.ask(&signals, self.limits.get_question());
            let answer = answer(&encoding, &signals, outcome);
            is_exact &= encoding.is_exact && matches!(answer, Answer::Possible);
            answer.is_impossible()
        };
        let (first, second) = (ask([a, !b]), ask([b, !a]));
        Ok(match (first, second) {
            (true, true) => Relation::Equal,
            (true, false) => Relation::Within,
            (false, true) => Relation::Contains,
            (false, false) if ask([a, b]) => Relation::Disjoint,
            (false, false) if is_exact => Relation::Overlap,
            (false, false) => Relation::Undecided,
        })
    }

    fn find(&self, id: &str) -> Result<Signal> {
        let at = self.ids.iter().position(|known| known.as_str() == id);
        at.and_then(|at| self.holds.get(at).copied()).ok_or_else(|| {
            let ids = self.ids.iter().map(SegmentId::as_str);
            let issue = Issue::new(
                "unknown-segment",
                "",
                format!("no segment has the id `{id}`"),
            )
            .suggest(similar_names(id, ids).into_iter().next());
            ErrorKind::Definition { what: "the segment".into(), issues: vec![issue] }
                .into()
        })
    }

    fn look(&mut self, inquiry: &mut Inquiry, denied: &[bool], has_rest: bool) {
        let n_rules = denied.len();
        let ids = Arc::clone(&self.ids);
        let id = |rule: usize| ids[rule].clone();
        let known: Vec<Alone> = (0..n_rules).map(|rule| alone(inquiry, rule)).collect();
        for (rule, alone) in known.iter().enumerate() {
            let segment = id(rule);
            match alone.is_never {
                Some(true) => {
                    let clauses = blamed(inquiry, rule);
                    self.findings.push(Finding::Never { segment, clauses });
                }
                None => self.undecided.push(OpenQuestion::Never { segment }),
                Some(false) => {}
            }
        }
        for (rule, alone) in known.iter().enumerate() {
            let segment = id(rule);
            match alone.is_always {
                Some(true) => self.findings.push(Finding::Always { segment }),
                None => self.undecided.push(OpenQuestion::Always { segment }),
                Some(false) => {}
            }
        }
        let is_between =
            |alone: &Alone| alone.is_never != Some(true) && alone.is_always != Some(true);
        let between: Vec<usize> =
            (0..n_rules).filter(|&rule| is_between(&known[rule])).collect();
        let containment = Containment::new(inquiry, &between);
        let classes = containment.classes(&between);
        let mut firsts: Vec<usize> = (0..n_rules).collect();
        for (kind, class) in &classes {
            firsts[*kind] = class[0];
        }
        let first = |kind: usize| firsts[kind];
        for (_, class) in classes.iter().filter(|(_, class)| class.len() > 1) {
            let segments = class.iter().map(|&rule| id(rule)).collect();
            self.findings.push(Finding::Equal { segments });
        }
        for (kind, class) in &classes {
            let mut outer: Vec<usize> =
                containment.next_above(*kind).into_iter().map(first).collect();
            outer.sort_unstable();
            for of in outer {
                let (segment, of) = (id(class[0]), id(of));
                self.findings.push(Finding::Within { segment, of });
            }
        }
        for &(inner, outer) in &containment.open {
            let (segment, of) = (id(first(inner)), id(first(outer)));
            self.undecided.push(OpenQuestion::Within { segment, of });
        }
        if containment.n_more > 0 {
            let pairs = containment.n_more;
            self.undecided.push(OpenQuestion::MoreWithin { pairs });
        }
        let can_hold: Vec<bool> =
            known.iter().map(|alone| alone.is_never != Some(true)).collect();
        for left in shadows(inquiry, &containment, &can_hold, has_rest) {
            let segment = id(left.rule);
            let by = left.by.map(|by| by.into_iter().map(id).collect());
            match (by, left.rule < n_rules) {
                (Some(by), true) => {
                    self.findings.push(Finding::Shadowed { segment, by });
                }
                (Some(by), false) => {
                    self.findings.push(Finding::EmptyRest { segment, by });
                }
                (None, true) => self.undecided.push(OpenQuestion::Shadowed { segment }),
                (None, false) => self.undecided.push(OpenQuestion::EmptyRest { segment }),
            }
        }
        let graph = inquiry.model.graph.clone();
        for &rule in &between {
            if inquiry.size() > graph.nodes().len() + MOST_SPARE {
                inquiry.back_to(&graph);
            }
            for clause in clauses(inquiry, rule, denied[rule]) {
                let (segment, path) = (id(rule), clause.path);
                if clause.is_needless {
                    self.findings.push(Finding::Needless { segment, clause: path });
                } else {
                    self.undecided.push(OpenQuestion::Needless { segment, clause: path });
                }
            }
        }
    }
}

/// A line for each finding and each open question.
impl fmt::Display for Analysis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        for question in &self.undecided {
            writeln!(f, "{question}")?;
        }
        Ok(())
    }
}
