//! Values at some places of the order, and how many are tied, without sorting all.
//!
//! Whole numbers of a small range are counted. Other values are cut into buckets by the
//! upper bits of what their order goes by, and only buckets that matter are sorted.

use crate::parallel::{gather_blocks, map_blocks};

/// Rows of a block.
const BLOCK: usize = 1 << 15;
/// Whole numbers that are counted one by one, at most.
const MOST_COUNTS: usize = 1 << 16;
/// Values of a bucket, about, and buckets, at most.
const VALUES_OF_BUCKET: usize = 1 << 10;
const MOST_BUCKETS: usize = 1 << 12;

/// A value with its rows: the places from `below` up to `up_to` of the ascending order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tie {
    pub(super) value: f64,
    pub(super) below: u64,
    pub(super) up_to: u64,
}

/// What is known of an axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Selection {
    /// The values at the places that were asked for, ascending, and perhaps others.
    pub(super) ties: Vec<Tie>,
    pub(super) n_rows: u64,
    /// The other fields are about all values, and only set where `all` was asked for.
    pub(super) n_distinct: usize,
    /// Rows whose value another row has too.
    pub(super) n_tied: u64,
    /// The value of most rows, the lowest of several.
    pub(super) largest: Option<Tie>,
}

impl Selection {
    /// Takes the next value, ascending. `places` are those not reached yet.
    fn push(&mut self, value: f64, n_rows: u64, places: &mut &[u64]) {
        let tie = Tie { value, below: self.n_rows, up_to: self.n_rows + n_rows };
        self.n_rows = tie.up_to;
        self.n_distinct += 1;
        if n_rows > 1 {
            self.n_tied += n_rows;
        }
        if self.largest.is_none_or(|largest| n_rows > largest.up_to - largest.below) {
            self.largest = Some(tie);
        }
        let passed = places.partition_point(|&place| place < tie.up_to);
        if passed > 0 {
            self.ties.push(tie);
            *places = &places[passed..];
        }
    }

    /// What follows in the order.
    fn append(&mut self, mut next: Selection) {
        let below = self.n_rows;
        let shift =
            |tie: Tie| Tie { below: tie.below + below, up_to: tie.up_to + below, ..tie };
        self.ties.extend(next.ties.drain(..).map(shift));
        self.n_rows += next.n_rows;
        self.n_distinct += next.n_distinct;
        self.n_tied += next.n_tied;
        let size = |tie: &Option<Tie>| tie.map_or(0, |tie| tie.up_to - tie.below);
        if size(&next.largest) > size(&self.largest) {
            self.largest = next.largest.map(shift);
        }
    }
}

/// The values at some places of the ascending order, counted from 0; places ascend.
/// Values are finite. With `all` every value is looked at.
pub(super) fn select(values: &[f64], places: &[u64], all: bool) -> Selection {
    let extent = gather_blocks(
        values.len(),
        BLOCK,
        || Extent::NONE,
        |extent, rows| extent.look(&values[rows]),
        Extent::join,
    );
    match extent.counts() {
        Some(n) => by_counting(values, places, extent.min, n),
        None => by_buckets(values, places, all, &extent),
    }
}

/// Where values lie, and whether all are whole numbers.
#[derive(Clone, Copy)]
struct Extent {
    min: f64,
    max: f64,
    whole: bool,
}

impl Extent {
    const NONE: Extent =
        Extent { min: f64::INFINITY, max: f64::NEG_INFINITY, whole: true };

    fn look(&mut self, values: &[f64]) {
        let (mut min, mut max, mut whole) = (self.min, self.max, true);
        for &x in values {
            min = if x < min { x } else { min };
            max = if x > max { x } else { max };
            whole &= f64::from(x as i32) == x;
        }
        *self = Extent { min, max, whole: self.whole && whole };
    }

    fn join(self, other: Extent) -> Extent {
        Extent {
            min: self.min.min(other.min),
            max: self.max.max(other.max),
            whole: self.whole && other.whole,
        }
    }

    /// How many whole numbers there are from `min` to `max`, where they can be counted.
    fn counts(&self) -> Option<usize> {
        let few = self.max - self.min < MOST_COUNTS as f64;
        (self.whole && few).then(|| (self.max - self.min) as usize + 1)
    }
}

fn by_counting(values: &[f64], places: &[u64], min: f64, n: usize) -> Selection {
    let counts = gather_blocks(
        values.len(),
        BLOCK,
        || vec![0_u64; n],
        |counts, rows| values[rows].iter().for_each(|&x| counts[(x - min) as usize] += 1),
        |mut a, b| {
            a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
            a
        },
    );
    let (mut selection, mut places) = (Selection::default(), places);
    for (at, &count) in counts.iter().enumerate().filter(|&(_, &count)| count > 0) {
        selection.push(min + at as f64, count, &mut places);
    }
    selection
}

/// Buckets of values in ascending order.
struct Buckets {
    base: u64,
    shift: u32,
    len: usize,
}

impl Buckets {
    fn of(extent: &Extent, n_rows: usize) -> Buckets {
        let (base, last) = (key(extent.min), key(extent.max));
        let wanted = (n_rows / VALUES_OF_BUCKET).clamp(1, MOST_BUCKETS).ilog2();
        let bits = u64::BITS - (last - base).leading_zeros();
        let shift = bits.saturating_sub(wanted).min(u64::BITS - 1);
        Buckets { base, shift, len: ((last - base) >> shift) as usize + 1 }
    }

    #[inline]
    fn of_value(&self, x: f64) -> usize {
        ((key(x) - self.base) >> self.shift) as usize
    }
}

/// A number whose order is that of the value. -0 has that of 0.
#[inline]
fn key(x: f64) -> u64 {
    let bits = (x + 0.0).to_bits();
    let sign = (bits as i64 >> 63) as u64;
    bits ^ (sign | 1 << 63)
}

fn value(key: u64) -> f64 {
    let sign = (!key as i64 >> 63) as u64;
    f64::from_bits(key ^ (sign | 1 << 63))
}

fn by_buckets(values: &[f64], places: &[u64], all: bool, extent: &Extent) -> Selection {
    if values.is_empty() {
        return Selection::default();
    }
    let buckets = Buckets::of(extent, values.len());
    let counts = gather_blocks(
        values.len(),
        BLOCK,
        || vec![0_u64; buckets.len],
        |counts, rows| {
            values[rows].iter().for_each(|&x| counts[buckets.of_value(x)] += 1);
        },
        |mut a, b| {
            a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
            a
        },
    );
    // Where each bucket starts in the order, and which places lie in it.
    let mut parts: Vec<(u64, &[u64])> = Vec::with_capacity(buckets.len);
    let (mut start, mut rest) = (0, places);
    for count in &counts {
        let (inside, after) =
            rest.split_at(rest.partition_point(|&place| place < start + count));
        parts.push((start, inside));
        (start, rest) = (start + count, after);
    }
    let wanted: Vec<bool> =
        parts.iter().map(|(_, inside)| all || !inside.is_empty()).collect();
    // The keys of each block, ordered by bucket.
    let blocks = map_blocks(values.len(), BLOCK, |rows| {
        let values = &values[rows];
        let mut starts = vec![0_u32; buckets.len + 2];
        for &x in values {
            let bucket = buckets.of_value(x);
            starts[bucket + 2] += u32::from(wanted[bucket]);
        }
        for bucket in 2..starts.len() {
            starts[bucket] += starts[bucket - 1];
        }
        let mut keys = vec![0_u64; starts[buckets.len + 1] as usize];
        for &x in values {
            let bucket = buckets.of_value(x);
            if wanted[bucket] {
                let next = &mut starts[bucket + 1];
                keys[*next as usize] = key(x);
                *next += 1;
            }
        }
        (keys, starts)
    });
    let found = map_blocks(buckets.len, 16, |range| {
        let mut found = Selection::default();
        let mut keys: Vec<u64> = Vec::new();
        for bucket in range {
            let (start, inside) = parts[bucket];
            if !wanted[bucket] {
                found.n_rows += counts[bucket];
                continue;
            }
            keys.clear();
            for (block, starts) in &blocks {
                let run = starts[bucket] as usize..starts[bucket + 1] as usize;
                keys.extend_from_slice(&block[run]);
            }
            keys.sort_unstable();
            let local: Vec<u64> = inside.iter().map(|place| place - start).collect();
            let (mut part, mut local) = (Selection::default(), local.as_slice());
            for tie in keys.chunk_by(|a, b| a == b) {
                part.push(value(tie[0]), tie.len() as u64, &mut local);
            }
            found.append(part);
        }
        found
    });
    let mut selection = Selection::default();
    found.into_iter().for_each(|part| selection.append(part));
    selection
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// By sorting everything.
    fn oracle(values: &[f64], places: &[u64]) -> Selection {
        let mut sorted: Vec<f64> = values.iter().map(|x| x + 0.0).collect();
        sorted.sort_by(f64::total_cmp);
        let (mut selection, mut places) = (Selection::default(), places);
        for tie in sorted.chunk_by(|a, b| a == b) {
            selection.push(tie[0], tie.len() as u64, &mut places);
        }
        selection
    }

    fn check(values: &[f64], places: &[u64]) {
        let asked = |selection: &Selection| -> Vec<Tie> {
            let of = |&place: &u64| {
                let inside = |tie: &&Tie| tie.below <= place && place < tie.up_to;
                *selection.ties.iter().find(inside).unwrap()
            };
            places.iter().map(of).collect()
        };
        let expected = oracle(values, places);
        let all = select(values, places, true);
        assert_eq!(all, expected);
        let bits =
            |ties: &[Tie]| ties.iter().map(|t| t.value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&all.ties), bits(&expected.ties));
        let some = select(values, places, false);
        assert_eq!(asked(&some), asked(&expected));
        assert_eq!(some.n_rows, expected.n_rows);
    }

    fn number() -> impl Strategy<Value = f64> {
        prop_oneof![
            (-40..40_i32).prop_map(f64::from),
            (-40..40_i32).prop_map(|x| f64::from(x) / 8.0),
            -1e3..1e3_f64,
            Just(-0.0),
            prop_oneof![Just(f64::MAX), Just(f64::MIN), Just(5e-324), Just(-5e-324)],
            any::<f64>().prop_filter("finite", |x| x.is_finite()),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn selected_values_are_those_of_the_sorted_list(
            values in prop::collection::vec(number(), 1..200),
            copies in 1..40_usize,
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..9),
        ) {
            let values = values.repeat(copies);
            let mut places: Vec<u64> =
                cuts.iter().map(|cut| cut.index(values.len()) as u64).collect();
            places.sort_unstable();
            check(&values, &places);
        }
    }

    #[test]
    fn many_values_are_selected_alike() {
        let noise = |i: u64| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 11) as f64;
        let n = 3 * BLOCK as u64 + 17;
        let places = [0, n / 5, 2 * n / 5, n / 2, n - 1];
        for spread in [
            |x: f64| x,
            |x: f64| (x / 1e15).exp(),
            |x: f64| (x / 1e13).floor() - 300.0,
            |x: f64| (x / 1e12).floor() / 4.0,
            |x: f64| if x > 1e15 { x } else { 7.25 },
            |_| 0.5,
        ] {
            check(&(0..n).map(|i| spread(noise(i))).collect::<Vec<f64>>(), &places);
        }
        assert_eq!(select(&[], &[], true), Selection::default());
    }
}
