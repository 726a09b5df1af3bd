//! The order in which a graph is computed, and the computation of one block of rows.

use std::ops::{ControlFlow, Range};

use super::graph::{Graph, Node, Signal};
use super::lower::{Columns, Lowered};
use super::rows::present;
use crate::simd::{Arithmetic, ByteSet, Bytes, Kernel, N_BYTES};

/// Rows of a block: few enough that their codes and planes stay in the second-level cache.
pub(super) const ROWS: usize = 4096;

/// A bit for each row of a block.
pub(super) type Plane = [u64; ROWS / 64];

/// Where a plane stands. The first place is that of "no row".
type Slot = u32;

/// A plane to be read, and what it is xored with: all bits or none.
#[derive(Clone, Copy, Debug)]
struct Input {
    slot: Slot,
    flip: u64,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    AtLeast {
        page: u32,
        code: u8,
        out: Slot,
    },
    Among {
        page: u32,
        codes: ByteSet,
        out: Slot,
    },
    Test {
        test: u32,
        out: Slot,
    },
    Present {
        column: u32,
        out: Slot,
    },
    And {
        a: Input,
        b: Input,
        out: Slot,
    },
    Xor {
        a: Input,
        b: Input,
        out: Slot,
    },
    /// A result is ready.
    Tell {
        result: u32,
        from: Input,
    },
}

#[derive(Clone, Debug)]
pub(super) struct Program {
    steps: Vec<Step>,
    n_slots: usize,
}

impl Program {
    /// Computes the signals one after the other, each with what it still needs.
    pub(super) fn new(graph: &Graph, results: &[Signal]) -> Program {
        let order = order(graph, results);
        // How often each node will be read.
        let mut readers = vec![0_usize; graph.nodes().len()];
        for item in &order {
            for node in item.reads(graph) {
                readers[node] += 1;
            }
        }
        let mut slots = vec![0; graph.nodes().len()];
        let mut free: Vec<Slot> = Vec::new();
        let mut n_slots = 1;
        let mut steps = Vec::with_capacity(order.len());
        for item in order {
            let input = |slots: &[Slot], signal: Signal| Input {
                slot: slots[signal.node()],
                flip: if signal.is_negated() { u64::MAX } else { 0 },
            };
            let step = match item {
                Item::Tell(result, signal) => {
                    Step::Tell { result: result as u32, from: input(&slots, signal) }
                }
                Item::Node(node) => {
                    // Before its inputs are given back: it is written while they are read.
                    let out = free.pop().unwrap_or_else(|| {
                        n_slots += 1;
                        n_slots - 1
                    });
                    slots[node] = out;
                    match graph.nodes()[node] {
                        Node::False => continue,
                        Node::AtLeast { page, code } => Step::AtLeast { page, code, out },
                        Node::Among { page, codes } => Step::Among { page, codes, out },
                        Node::Test { test } => Step::Test { test, out },
                        Node::Present { column } => Step::Present { column, out },
                        Node::And(a, b) => {
                            let (a, b) = (input(&slots, a), input(&slots, b));
                            Step::And { a, b, out }
                        }
                        Node::Xor(a, b) => {
                            let (a, b) = (input(&slots, a), input(&slots, b));
                            Step::Xor { a, b, out }
                        }
                    }
                }
            };
            steps.push(step);
            for node in item.reads(graph) {
                readers[node] -= 1;
                if readers[node] == 0 && node != 0 {
                    free.push(slots[node]);
                }
            }
        }
        Program { steps, n_slots: n_slots as usize }
    }
}

/// What is done next.
#[derive(Clone, Copy)]
enum Item {
    Node(usize),
    Tell(usize, Signal),
}

impl Item {
    /// The nodes that are read.
    fn reads(self, graph: &Graph) -> impl Iterator<Item = usize> + use<> {
        let nodes = match self {
            Item::Node(node) => match graph.nodes()[node] {
                Node::And(a, b) | Node::Xor(a, b) => [Some(a.node()), Some(b.node())],
                _ => [None; 2],
            },
            Item::Tell(_, signal) => [Some(signal.node()), None],
        };
        nodes.into_iter().flatten()
    }
}

fn order(graph: &Graph, results: &[Signal]) -> Vec<Item> {
    let mut done = vec![false; graph.nodes().len()];
    // "No row" is always there.
    done[0] = true;
    let mut order = Vec::new();
    let (mut open, mut needed) = (Vec::new(), Vec::new());
    for (result, signal) in results.iter().enumerate() {
        open.push(signal.node());
        while let Some(node) = open.pop() {
            if !std::mem::replace(&mut done[node], true) {
                needed.push(node);
                open.extend(Item::Node(node).reads(graph));
            }
        }
        // Nodes come after those that they are made of.
        needed.sort_unstable();
        order.extend(needed.drain(..).map(Item::Node));
        order.push(Item::Tell(result, *signal));
    }
    order
}

/// Memory of a computation.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    pub(super) codes: Vec<[u8; ROWS]>,
    /// Whether the codes of a page are those of the current block.
    pub(super) is_coded: Vec<bool>,
    planes: Vec<Plane>,
    /// Numbers that are kept beside their codes: for each of some aggregates.
    pub(super) kept: Vec<Vec<f64>>,
}

impl Memory {
    pub(super) fn new(program: &Program, lowered: &Lowered) -> Memory {
        Memory {
            codes: vec![[0; ROWS]; lowered.pages.len()],
            is_coded: vec![false; lowered.pages.len()],
            planes: vec![[0; ROWS / 64]; program.n_slots],
            kept: Vec::new(),
        }
    }

    /// Makes room for another program, too, and for the numbers of so many aggregates.
    pub(super) fn also_for(&mut self, program: &Program, n_kept: usize) {
        let n_slots = program.n_slots.max(self.planes.len());
        self.planes.resize(n_slots, [0; ROWS / 64]);
        self.kept = vec![vec![0.0; ROWS]; n_kept];
    }
}

/// Computes all results for up to [`ROWS`] rows, and tells each: its number, its plane, and
/// what that is to be xored with. Pages that are not coded yet are coded when they are
/// needed. Bits beyond the rows mean nothing. Whoever is told may break off the block.
pub(super) struct Run<'a, F> {
    pub(super) program: &'a Program,
    pub(super) lowered: &'a Lowered,
    pub(super) columns: Columns<'a>,
    pub(super) rows: Range<usize>,
    pub(super) memory: &'a mut Memory,
    pub(super) tell: F,
}

impl<F: FnMut(usize, &Plane, u64) -> ControlFlow<()>> Kernel for Run<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Run { program, lowered, columns, rows, memory, mut tell } = self;
        let Memory { codes, is_coded, planes, .. } = memory;
        for step in &program.steps {
            if let Step::AtLeast { page, .. } | Step::Among { page, .. } = *step {
                let page = page as usize;
                if !std::mem::replace(&mut is_coded[page], true) {
                    let codes = &mut codes[page][..rows.len()];
                    let page = &lowered.pages[page];
                    if let Some(column) = columns.get(page.column) {
                        page.code(column, rows.clone(), codes);
                    }
                }
            }
            match *step {
                Step::AtLeast { page, code, out } => {
                    let (chunks, _) = codes[page as usize].as_chunks::<N_BYTES>();
                    let (pairs, _) = chunks.as_chunks::<2>();
                    for (word, [low, high]) in planes[out as usize].iter_mut().zip(pairs)
                    {
                        let low = A::Bytes::at_least(low, code);
                        let high = A::Bytes::at_least(high, code);
                        *word = u64::from(low) | u64::from(high) << N_BYTES;
                    }
                }
                Step::Among { page, codes: ref set, out } => {
                    let (chunks, _) = codes[page as usize].as_chunks::<N_BYTES>();
                    let (pairs, _) = chunks.as_chunks::<2>();
                    for (word, [low, high]) in planes[out as usize].iter_mut().zip(pairs)
                    {
                        let low = A::Bytes::among(low, set);
                        let high = A::Bytes::among(high, set);
                        *word = u64::from(low) | u64::from(high) << N_BYTES;
                    }
                }
                Step::Test { test, out } => {
                    let test = &lowered.tests[test as usize];
                    if let Some(column) = columns.get(test.column) {
                        test.ask(column, rows.clone(), &mut planes[out as usize]);
                    }
                }
                Step::Present { column, out } => {
                    if let Some(column) = columns.get(column as usize) {
                        present(column, rows.clone(), &mut planes[out as usize]);
                    }
                }
                Step::And { a, b, out } => {
                    combine(planes, a, b, out, |x, y| x & y);
                }
                Step::Xor { a, b, out } => {
                    combine(planes, a, b, out, |x, y| x ^ y);
                }
                Step::Tell { result, from } => {
                    let plane = &planes[from.slot as usize];
                    if tell(result as usize, plane, from.flip).is_break() {
                        return;
                    }
                }
            }
        }
    }
}

/// The operation is one on plain integers, which the loop inlines.
#[inline(always)]
fn combine(
    planes: &mut [Plane],
    a: Input,
    b: Input,
    out: Slot,
    operation: impl Fn(u64, u64) -> u64,
) {
    let slots = [a.slot as usize, b.slot as usize, out as usize];
    // A node's inputs differ, and its place is not theirs.
    if let Ok([x, y, out]) = planes.get_disjoint_mut(slots) {
        for ((out, x), y) in out.iter_mut().zip(x).zip(y) {
            *out = operation(*x ^ a.flip, *y ^ b.flip);
        }
    }
}
