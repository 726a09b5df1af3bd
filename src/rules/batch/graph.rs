//! Boolean formulas over the rows of a table, each part of which stands here once.
//!
//! A rule has three answers, and its two questions, "is it True" and "is it False", two
//! each. So Kleene's logic of the rules becomes plain logic of these questions, in which
//! negation costs nothing (And-inverter graphs: Kuehlmann et al. 2002).

use std::collections::BTreeMap;
use std::ops::Not;

use crate::simd::ByteSet;

/// A part of the graph, or its negation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::rules) struct Signal(u32);

impl Signal {
    pub(in crate::rules) const FALSE: Signal = Signal(0);
    pub(in crate::rules) const TRUE: Signal = Signal(1);

    pub(in crate::rules) fn node(self) -> usize {
        (self.0 / 2) as usize
    }

    pub(in crate::rules) fn is_negated(self) -> bool {
        self.0 % 2 == 1
    }

    fn of(node: usize, negated: bool) -> Signal {
        Signal(node as u32 * 2 + u32::from(negated))
    }
}

impl Not for Signal {
    type Output = Signal;

    fn not(self) -> Signal {
        Signal(self.0 ^ 1)
    }
}

/// Whether something is True, and whether it is False.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::rules) struct Answers {
    pub(in crate::rules) holds: Signal,
    pub(in crate::rules) fails: Signal,
}

impl Answers {
    pub(in crate::rules) const TRUE: Answers =
        Answers { holds: Signal::TRUE, fails: Signal::FALSE };
    pub(in crate::rules) const FALSE: Answers =
        Answers { holds: Signal::FALSE, fails: Signal::TRUE };

    pub(in crate::rules) fn not(self) -> Answers {
        Answers { holds: self.fails, fails: self.holds }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::rules) enum Node {
    False,
    /// Rows whose code in a page is at least this.
    AtLeast {
        page: u32,
        code: u8,
    },
    /// Rows whose code in a page is one of these.
    Among {
        page: u32,
        codes: ByteSet,
    },
    /// Rows whose value is there and passes a test that has no codes.
    Test {
        test: u32,
    },
    /// Rows whose value is there, in a column that has no codes.
    Present {
        column: u32,
    },
    And(Signal, Signal),
    Xor(Signal, Signal),
}

/// Nodes after those that they are made of. No two are equal.
#[derive(Clone, Debug)]
pub(in crate::rules) struct Graph {
    nodes: Vec<Node>,
    places: BTreeMap<Node, usize>,
}

impl Graph {
    pub(in crate::rules) fn new() -> Graph {
        let mut graph = Graph { nodes: Vec::new(), places: BTreeMap::new() };
        graph.leaf(Node::False);
        graph
    }

    pub(in crate::rules) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub(in crate::rules) fn leaf(&mut self, node: Node) -> Signal {
        let place = *self.places.entry(node).or_insert_with(|| {
            self.nodes.push(node);
            self.nodes.len() - 1
        });
        Signal::of(place, false)
    }

    pub(in crate::rules) fn and(&mut self, a: Signal, b: Signal) -> Signal {
        let (a, b) = (a.min(b), a.max(b));
        match (a, b) {
            (Signal::FALSE, _) => Signal::FALSE,
            (Signal::TRUE, b) => b,
            (a, b) if a == b => a,
            (a, b) if a == !b => Signal::FALSE,
            (a, b) => self.leaf(Node::And(a, b)),
        }
    }

    pub(in crate::rules) fn or(&mut self, a: Signal, b: Signal) -> Signal {
        !self.and(!a, !b)
    }

    fn xor(&mut self, a: Signal, b: Signal) -> Signal {
        let negated = a.is_negated() != b.is_negated();
        let (a, b) = (Signal::of(a.node(), false), Signal::of(b.node(), false));
        let (a, b) = (a.min(b), a.max(b));
        let odd = match (a, b) {
            (Signal::FALSE, b) => b,
            (a, b) if a == b => Signal::FALSE,
            (a, b) => self.leaf(Node::Xor(a, b)),
        };
        if negated { !odd } else { odd }
    }

    /// All of them, in whatever order they come.
    pub(in crate::rules) fn all(&mut self, mut signals: Vec<Signal>) -> Signal {
        signals.sort_unstable();
        signals.into_iter().fold(Signal::TRUE, |all, signal| self.and(all, signal))
    }

    /// One of them at least.
    pub(in crate::rules) fn any(&mut self, signals: Vec<Signal>) -> Signal {
        !self.all(signals.into_iter().map(|signal| !signal).collect())
    }

    /// At least `n` of them: a counter with a plane for each binary digit.
    pub(in crate::rules) fn at_least(
        &mut self,
        n: usize,
        signals: Vec<Signal>,
    ) -> Signal {
        if n == 0 {
            return Signal::TRUE;
        } else if n > signals.len() {
            return Signal::FALSE;
        } else if n == 1 {
            return self.any(signals);
        } else if n == signals.len() {
            return self.all(signals);
        }
        let mut digits: Vec<Signal> = Vec::new();
        for (seen, mut carry) in signals.into_iter().enumerate() {
            for digit in &mut digits {
                let sum = self.xor(*digit, carry);
                carry = self.and(*digit, carry);
                *digit = sum;
            }
            // A digit more only where the count can have it.
            if (seen + 1).is_power_of_two() {
                digits.push(carry);
            }
        }
        // From the lowest digit on: is what is counted at least `n` so far?
        digits.iter().enumerate().fold(Signal::TRUE, |enough, (i, &digit)| {
            if n >> i & 1 == 1 { self.and(digit, enough) } else { self.or(digit, enough) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value of a signal, where bit `i` of `leaves` is that of leaf `i`.
    fn value(graph: &Graph, signal: Signal, leaves: u32) -> bool {
        let plain = match graph.nodes()[signal.node()] {
            Node::Test { test } => leaves >> test & 1 == 1,
            Node::And(a, b) => value(graph, a, leaves) && value(graph, b, leaves),
            Node::Xor(a, b) => value(graph, a, leaves) != value(graph, b, leaves),
            _ => false,
        };
        plain != signal.is_negated()
    }

    #[test]
    fn counting_is_right_for_all_numbers_and_constants() {
        let mut graph = Graph::new();
        let leaves: Vec<Signal> =
            (0..5).map(|test| graph.leaf(Node::Test { test })).collect();
        let mut lists: Vec<Vec<Signal>> = (0..=5).map(|n| leaves[..n].to_vec()).collect();
        lists.push(vec![leaves[0], !leaves[0], leaves[1], Signal::TRUE]);
        lists.push(vec![Signal::FALSE, leaves[2], leaves[2], !leaves[3]]);
        for list in lists {
            for n in 0..=list.len() + 1 {
                let signal = graph.at_least(n, list.clone());
                for bits in 0..32 {
                    let count = list.iter().filter(|&&s| value(&graph, s, bits)).count();
                    assert_eq!(value(&graph, signal, bits), count >= n, "{n} {list:?}");
                }
            }
        }
    }

    #[test]
    fn long_lists_are_counted_in_few_digits() {
        for m in [2, 3, 31, 64, 65, 70, 130, 1000] {
            let mut graph = Graph::new();
            let leaves: Vec<Signal> =
                (0..m).map(|test| graph.leaf(Node::Test { test })).collect();
            let targets: Vec<usize> =
                [1, 2, 3, 34, m / 2, m - 1, m].into_iter().map(|n| n as usize).collect();
            for n in targets {
                let signal = graph.at_least(n, leaves.clone());
                for ones in [0, 1, n.saturating_sub(1), n, n + 1, m as usize] {
                    // The first ones, by the values of all nodes in their order.
                    let mut values: Vec<bool> = Vec::new();
                    let of =
                        |values: &[bool], s: Signal| values[s.node()] != s.is_negated();
                    for node in graph.nodes() {
                        values.push(match *node {
                            Node::Test { test } => (test as usize) < ones,
                            Node::And(a, b) => of(&values, a) && of(&values, b),
                            Node::Xor(a, b) => of(&values, a) != of(&values, b),
                            _ => false,
                        });
                    }
                    let count = ones.min(m as usize);
                    assert_eq!(of(&values, signal), count >= n, "{ones} of {m}, {n}");
                }
            }
            assert!(graph.nodes().len() < 160 * m as usize, "{m}");
        }
    }

    #[test]
    fn equal_parts_stand_once() {
        let mut graph = Graph::new();
        let [a, b] = [0, 1].map(|test| graph.leaf(Node::Test { test }));
        let both = graph.and(a, b);
        assert_eq!(graph.and(b, a), both);
        let neither = graph.or(!b, !a);
        assert_eq!(neither, !both);
        assert_eq!(graph.and(a, !a), Signal::FALSE);
        assert_eq!(graph.or(a, !a), Signal::TRUE);
        assert_eq!(graph.and(a, Signal::TRUE), a);
        assert_eq!(graph.xor(a, !a), Signal::TRUE);
        assert_eq!(graph.nodes().len(), 4);
    }
}
