//! Which tests a change of one value can touch.

use crate::rules::leaf::{Check, Leaf, NumberCheck};

/// The tests of one value, found by what the value was and is.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// The finite ends of ranges, ascending, and whose they are.
    ends: Vec<(f64, u32)>,
    ranges: Vec<RangeTest>,
    /// Tests that are no ranges: rules, and places among their tests.
    others: Vec<(u32, u32)>,
}

#[derive(Debug)]
struct RangeTest {
    rule: u32,
    leaf: u32,
    lo: f64,
    hi: f64,
}

impl Watch {
    pub(super) fn add(&mut self, rule: u32, leaf: u32, test: &Leaf) {
        let Check::Number(NumberCheck::Range(lo, hi)) = test.check else {
            self.others.push((rule, leaf));
            return;
        };
        let place = self.ranges.len() as u32;
        let ends = [lo, hi].into_iter().filter(|end| end.is_finite());
        self.ends.extend(ends.map(|end| (end, place)));
        self.ranges.push(RangeTest { rule, leaf, lo, hi });
    }

    /// To be called when all tests are there.
    pub(super) fn finish(&mut self) {
        self.ends.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        self.ends.dedup();
    }

    /// The rules of all ranges whose answers differ for two numbers; a rule may come more
    /// than once.
    #[inline]
    pub(super) fn crossed(&self, before: f64, after: f64, tell: impl FnMut(u32)) {
        let from = before.min(after);
        let first = self.ends.partition_point(|end| end.0 < from);
        self.crossed_from(first, before, after, tell);
    }

    /// [`crossed`](Watch::crossed) where the first end that is not below both is known.
    #[inline]
    pub(super) fn crossed_from(
        &self,
        first: usize,
        before: f64,
        after: f64,
        mut tell: impl FnMut(u32),
    ) {
        let to = before.max(after);
        for &(end, place) in &self.ends[first..] {
            if end > to {
                break;
            }
            let RangeTest { rule, lo, hi, .. } = self.ranges[place as usize];
            if (lo <= before && before <= hi) != (lo <= after && after <= hi) {
                tell(rule);
            }
        }
    }

    /// All ranges: rules, and places among their tests.
    pub(super) fn ranges(&self) -> impl Iterator<Item = (u32, u32)> {
        self.ranges.iter().map(|range| (range.rule, range.leaf))
    }

    /// All tests that are no ranges.
    pub(super) fn others(&self) -> &[(u32, u32)] {
        &self.others
    }
}

/// Of many values at once, whether a change of one can touch a test.
#[derive(Debug, Default)]
pub(super) struct Ends {
    ends: Vec<f64>,
    /// For each value, where its ends begin and end, and whether it has tests that are no
    /// ranges.
    heads: Vec<(u32, u32, bool)>,
}

impl Ends {
    pub(super) fn push(&mut self, watch: &Watch) {
        let first = self.ends.len() as u32;
        self.ends.extend(watch.ends.iter().map(|end| end.0));
        self.heads.push((first, self.ends.len() as u32, !watch.others.is_empty()));
    }

    /// The first end of a range that lies between two numbers, or is one of them: its place
    /// among the value's.
    #[inline]
    pub(super) fn between(&self, value: usize, a: f64, b: f64) -> Option<usize> {
        let (from, to) = if a < b { (a, b) } else { (b, a) };
        let (first, last, _) = self.heads[value];
        let ends = &self.ends[first as usize..last as usize];
        let next = if ends.len() <= FEW {
            ends.iter().take_while(|&&end| end < from).count()
        } else {
            ends.partition_point(|&end| end < from)
        };
        ends.get(next).is_some_and(|&end| end <= to).then_some(next)
    }

    #[inline]
    pub(super) fn has_others(&self, value: usize) -> bool {
        self.heads[value].2
    }
}

/// Up to so many ends are looked at one after another.
const FEW: usize = 8;
