//! The few clauses that decide, what would change the answer, and until when it stands.

use std::fmt;
use std::iter::Peekable;

use serde::{Deserialize, Serialize};

use super::ast::Rule;
use super::behaviour::unbound;
use super::book::RuleBook;
use crate::data::{Customer, Timestamp};
use crate::error::{Error, Result};
use crate::segmenter::{ClauseResult, SegmentIndex, Segmenter, Truth};

/// Why a customer is in a segment or not, as [`RuleBook::why`] tells it.
///
/// ```
/// use segmenta::data::{
///     EventLog, FeatureSpec, OwnedCustomer, Schema, StreamSpec, Timestamp,
/// };
/// use segmenta::rules::RuleBook;
/// use segmenta::segmenter::SegmentIndex;
///
/// let orders = StreamSpec::new("order", [FeatureSpec::number("amount")]);
/// let schema =
///     Schema::builder().feature(FeatureSpec::flag("member")).stream(orders.clone()).build()?;
/// let rule = "member or events(order).sum(amount) in last 30d >= 100";
/// let book = RuleBook::builder(&schema).segment("good", "Good", rule.parse()?).build()?;
///
/// let order: Timestamp = "2024-05-03T10:00:00Z".parse()?;
/// let log = EventLog::new(&orders, [(order, [120.0])])?;
/// let ann = OwnedCustomer::new(&schema, 1).set("member", false)?.set_events("order", log)?;
/// let book = book.at("2024-05-20T00:00:00Z".parse::<Timestamp>()?);
/// let why = book.why(&ann, SegmentIndex::new(0))?;
/// assert_eq!(why.because[0].path, "/any/1");
/// assert_eq!(
///     why.to_string(),
///     "yes, since\n\
///      - events(order).sum(amount) in last 30d >= 100: yes (120)\n\
///      not, if\n\
///      - events(order).sum(amount) in last 30d >= 100: were no\n\
///      no, from 2024-06-02T10:00:00.001Z on, if nothing happens\n",
/// );
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Why {
    /// The segment.
    pub segment: SegmentIndex,
    /// Whether the customer is in it.
    pub truth: Truth,
    /// The fewest tests that make it so, whatever all others say. Where it is not known, all
    /// tests that keep it open.
    pub because: Vec<ClauseResult>,
    /// The fewest tests that would have to be otherwise for a member to be one no more, or for
    /// others to become one; nothing where no answers would do. A test that a rule names
    /// twice counts twice.
    pub unless: Option<Vec<Otherwise>>,
    /// The first instant at which time alone changes it, and what it is then; nothing if it never
    /// does, or if a rule of the book comes across a value that cannot be used.
    pub until: Option<(Timestamp, Truth)>,
}

/// A test that would have to be otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Otherwise {
    /// The test, as it is.
    pub clause: ClauseResult,
    /// What its answer would have to be.
    pub needed: Truth,
}

impl RuleBook {
    /// Why a customer is in a segment or not: the tests that decide it, those that would have to
    /// be otherwise, and until when it stands if nothing happens. Tests whose values cannot be
    /// used are Unknown here, and say why. A segment that is referred to is one test, which is
    /// explained by asking for that segment.
    ///
    /// Until when is found by going from one change of any segment of the book to the next, as
    /// [`next_change`](RuleBook::next_change) does.
    ///
    /// # Errors
    /// When there is no such segment, or rules depend on time and none is stated.
    pub fn why(&self, customer: &dyn Customer, segment: SegmentIndex) -> Result<Why> {
        let set = self.compiled();
        let n = self.segments().len();
        let at = segment.get();
        if at >= n {
            return Err(Error::parameter("segment", format!("below {n}"), at));
        }
        let context = set.context();
        let mut trees = Vec::new();
        let asked = if at < set.rules.len() { at..at + 1 } else { 0..set.rules.len() };
        for i in asked {
            let mut clauses = Vec::new();
            let index = SegmentIndex::new(i as u32);
            set.rules[i].clauses(index, None, customer, &context, &mut clauses);
            trees
                .push(Tree::new(&set.rules[i].rule, &mut clauses.into_iter().peekable()));
        }
        let tree = match trees.pop() {
            Some(tree) if at < set.rules.len() => tree,
            // The rest is who is in no other.
            last => {
                trees.extend(last);
                let truths = trees.iter().map(|tree| tree.truth);
                let any = truths.fold(Truth::False, Truth::or);
                let any = Tree { truth: any, node: Node::Any(trees), clause: None };
                // That a rule is not known to hold is enough.
                any.negated_unless_true()
            }
        };
        let truth = tree.truth;
        let goal = if truth.is_true() { Goal::NotTrue } else { Goal::True };
        Ok(Why {
            segment,
            truth,
            because: tree.because().into_iter().cloned().collect(),
            unless: tree.needs(goal).map(|needs| {
                let otherwise = |(clause, needed): (&ClauseResult, Truth)| Otherwise {
                    clause: clause.clone(),
                    needed,
                };
                needs.into_iter().map(otherwise).collect()
            }),
            until: if set.depends_on_time() && set.bound.is_none() {
                return Err(unbound());
            } else {
                // What cannot be used has no future.
                self.until(customer, at).unwrap_or_default()
            },
        })
    }

    /// The first instant at which time alone changes whether a customer is in a segment.
    fn until(
        &self,
        customer: &dyn Customer,
        segment: usize,
    ) -> Result<Option<(Timestamp, Truth)>> {
        let set = self.compiled();
        let Some(mut timeline) = set.timeline(customer)? else { return Ok(None) };
        let truth = |truths: &[Truth]| {
            let rest = || Truth::from(!truths.contains(&Truth::True));
            truths.get(segment).copied().unwrap_or_else(rest)
        };
        let present = truth(timeline.truths());
        while let Some((at, _)) = timeline.advance()? {
            let then = truth(timeline.truths());
            if then != present {
                return Ok(Some((at, then)));
            }
        }
        Ok(None)
    }
}

/// A rule with what was found of its clauses.
struct Tree {
    truth: Truth,
    node: Node,
    /// Of a test.
    clause: Option<ClauseResult>,
}

enum Node {
    Fixed,
    Test,
    All(Vec<Tree>),
    Any(Vec<Tree>),
    AtLeast(usize, Vec<Tree>),
    Not(Box<Tree>),
    /// Holds unless the other is True: of what is not known, too.
    Unless(Box<Tree>),
}

type Needs<'t> = Vec<(&'t ClauseResult, Truth)>;

impl Tree {
    /// Clauses come in the order of the rule's parts, outer ones before inner ones.
    fn new(
        rule: &Rule,
        clauses: &mut Peekable<impl Iterator<Item = ClauseResult>>,
    ) -> Tree {
        let clause = clauses.next();
        let truth = clause.as_ref().map_or(Truth::Unknown, |clause| clause.truth);
        let mut each = |rules: &[Rule]| -> Vec<Tree> {
            rules.iter().map(|rule| Tree::new(rule, clauses)).collect()
        };
        let node = match rule {
            Rule::Everyone | Rule::Nobody => Node::Fixed,
            Rule::All(rules) => Node::All(each(rules)),
            Rule::Any(rules) => Node::Any(each(rules)),
            Rule::AtLeast { n, of } => Node::AtLeast(*n, each(of)),
            Rule::Not(rule) => Node::Not(Box::new(Tree::new(rule, clauses))),
            _ => {
                // What a test is made of, as the parts of a score, is told by the test.
                let depth = clause.as_ref().map_or(usize::MAX, |clause| clause.depth);
                while clauses.next_if(|below| below.depth > depth).is_some() {}
                Node::Test
            }
        };
        Tree { truth, node, clause }
    }

    fn negated_unless_true(self) -> Tree {
        let truth = Truth::from(!self.truth.is_true());
        Tree { truth, node: Node::Unless(Box::new(self)), clause: None }
    }

    /// The fewest tests that make the truth what it is; where it is open, all that are.
    fn because(&self) -> Vec<&ClauseResult> {
        match self.truth {
            Truth::True => self.keeps(Goal::True),
            Truth::False => self.keeps(Goal::False),
            Truth::Unknown => self.open(),
        }
    }

    /// The fewest tests that keep a goal which is reached, whatever others say.
    fn keeps(&self, goal: Goal) -> Vec<&ClauseResult> {
        let yes = goal.is_upwards();
        match &self.node {
            Node::Fixed => Vec::new(),
            Node::Test => self.clause.iter().collect(),
            Node::Not(tree) => tree.keeps(goal.of_negation()),
            Node::Unless(tree) => {
                tree.keeps(if yes { Goal::NotTrue } else { Goal::True })
            }
            Node::All(trees) => fewest(trees, goal, if yes { trees.len() } else { 1 }),
            Node::Any(trees) => fewest(trees, goal, if yes { 1 } else { trees.len() }),
            Node::AtLeast(n, trees) => {
                fewest(trees, goal, if yes { *n } else { trees.len() + 1 - n })
            }
        }
    }

    /// The tests that are open, of parts that are.
    fn open(&self) -> Vec<&ClauseResult> {
        match &self.node {
            _ if self.truth != Truth::Unknown => Vec::new(),
            Node::Fixed => Vec::new(),
            Node::Test => self.clause.iter().collect(),
            Node::Not(tree) | Node::Unless(tree) => tree.open(),
            Node::All(trees) | Node::Any(trees) | Node::AtLeast(_, trees) => {
                trees.iter().flat_map(Tree::open).collect()
            }
        }
    }

    /// The fewest tests that must be otherwise for this to reach a goal.
    fn needs(&self, goal: Goal) -> Option<Needs<'_>> {
        if goal.is_reached_by(self.truth) {
            return Some(Vec::new());
        }
        let yes = goal.is_upwards();
        match &self.node {
            Node::Fixed => None,
            Node::Test => {
                let needed = Truth::from(yes);
                Some(self.clause.iter().map(|clause| (clause, needed)).collect())
            }
            Node::Not(tree) => tree.needs(goal.of_negation()),
            Node::Unless(tree) => {
                tree.needs(if yes { Goal::NotTrue } else { Goal::True })
            }
            Node::All(trees) => cheapest(trees, goal, if yes { trees.len() } else { 1 }),
            Node::Any(trees) => cheapest(trees, goal, if yes { 1 } else { trees.len() }),
            Node::AtLeast(n, trees) => {
                cheapest(trees, goal, if yes { *n } else { trees.len() + 1 - n })
            }
        }
    }
}

/// What a truth should become.
#[derive(Clone, Copy)]
enum Goal {
    True,
    False,
    NotTrue,
    NotFalse,
}

impl Goal {
    fn is_reached_by(self, truth: Truth) -> bool {
        match self {
            Goal::True => truth == Truth::True,
            Goal::False => truth == Truth::False,
            Goal::NotTrue => truth != Truth::True,
            Goal::NotFalse => truth != Truth::False,
        }
    }

    fn is_upwards(self) -> bool {
        matches!(self, Goal::True | Goal::NotFalse)
    }

    fn of_negation(self) -> Goal {
        match self {
            Goal::True => Goal::False,
            Goal::False => Goal::True,
            Goal::NotTrue => Goal::NotFalse,
            Goal::NotFalse => Goal::NotTrue,
        }
    }
}

/// The tests that keep `n` parts which have reached a goal, those with the fewest.
fn fewest(trees: &[Tree], goal: Goal, n: usize) -> Vec<&ClauseResult> {
    let reached =
        trees.iter().enumerate().filter(|(_, tree)| goal.is_reached_by(tree.truth));
    let mut kept: Vec<_> = reached
        .map(|(at, tree)| (tree.keeps(goal), tree.truth == Truth::Unknown, at))
        .collect();
    // What is known says more than what is open.
    kept.sort_by_key(|(tests, is_open, _)| (tests.len(), *is_open));
    kept.truncate(n);
    // As the rule has them.
    kept.sort_unstable_by_key(|(.., at)| *at);
    kept.into_iter().flat_map(|(tests, ..)| tests).collect()
}

/// What `n` parts need to reach a goal, those that need the fewest.
fn cheapest(trees: &[Tree], goal: Goal, n: usize) -> Option<Needs<'_>> {
    let mut needs: Vec<_> = trees.iter().filter_map(|tree| tree.needs(goal)).collect();
    if needs.len() < n {
        return None;
    }
    needs.sort_by_key(Vec::len);
    needs.truncate(n);
    let mut needs = needs.concat();
    needs.sort_by(|a, b| place(&a.0.path).cmp(place(&b.0.path)));
    Some(needs)
}

/// Parts of a path, numbers as such.
fn place(path: &str) -> impl Iterator<Item = (usize, &str)> {
    path.split('/').map(|token| (token.parse().unwrap_or(0), token))
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.because.is_empty() {
            writeln!(f, "{}, whoever it is", self.truth)?;
        } else {
            writeln!(f, "{}, since", self.truth)?;
        }
        for clause in &self.because {
            write!(f, "- {}: {}", clause.text, clause.truth)?;
            match &clause.observed {
                Some(value) => writeln!(f, " ({value})")?,
                None => writeln!(f)?,
            }
        }
        if let Some(unless) = &self.unless {
            let is_member = self.truth.is_true();
            writeln!(f, "{}, if", if is_member { "not" } else { "yes" })?;
            for Otherwise { clause, needed } in unless {
                writeln!(f, "- {}: were {needed}", clause.text)?;
            }
        }
        match self.until {
            Some((at, then)) => writeln!(f, "{then}, from {at} on, if nothing happens"),
            None => Ok(()),
        }
    }
}
