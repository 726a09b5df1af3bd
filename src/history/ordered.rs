//! Items brought near their place in an order, so that the rest is sorted in the cache
//! and by all threads.

use crate::error::Result;
use crate::parallel::for_each_block;

/// Items of a range, about, and ranges, at most.
const ITEMS_OF_RANGE: usize = 1 << 12;
const MOST_RANGES: usize = 1 << 12;

/// Items in ascending ranges of their keys, in any order within a range.
pub(super) struct Ordered<T> {
    pub(super) items: Vec<T>,
    /// Where each range ends.
    ends: Vec<usize>,
}

/// Copies items into ranges of keys, from the least key `min` to the largest `max`, by the
/// upper bits in which keys differ.
pub(super) fn by_range<T: Copy>(
    items: &[T],
    min: u64,
    max: u64,
    key: impl Fn(&T) -> u64,
) -> Ordered<T> {
    let Some(&first) = items.first() else {
        return Ordered { items: Vec::new(), ends: Vec::new() };
    };
    let wanted = (items.len() / ITEMS_OF_RANGE).clamp(1, MOST_RANGES).ilog2();
    let bits = u64::BITS - (max - min).leading_zeros();
    let shift = bits.saturating_sub(wanted).min(u64::BITS - 1);
    let n_ranges = ((max - min) >> shift) as usize + 1;
    let range = |item: &T| ((key(item) - min) >> shift) as usize;

    // One count ahead, so that counts become starts, and starts ends, in place.
    let mut ends = vec![0; n_ranges + 1];
    items.iter().for_each(|item| ends[range(item) + 1] += 1);
    for range in 1..=n_ranges {
        ends[range] += ends[range - 1];
    }
    let mut ordered = vec![first; items.len()];
    for item in items {
        let next = &mut ends[range(item)];
        ordered[*next] = *item;
        *next += 1;
    }
    ends.truncate(n_ranges);
    Ordered { items: ordered, ends }
}

/// Does something to each range.
pub(super) fn for_each_range<T: Send>(
    ordered: &mut Ordered<T>,
    work: impl Fn(&mut [T]) -> Result<()> + Sync,
) -> Result<()> {
    let mut rest = ordered.items.as_mut_slice();
    let mut ranges: Vec<&mut [T]> = Vec::with_capacity(ordered.ends.len());
    let mut from = 0;
    for &end in &ordered.ends {
        let (range, after) = rest.split_at_mut(end - from);
        ranges.push(range);
        (rest, from) = (after, end);
    }
    for_each_block(&mut ranges, 1, |_, ranges| {
        ranges.iter_mut().try_for_each(|range| work(range))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_ascend_and_hold_all_items() {
        let noise = |i: u64| i.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let scattered: Vec<u64> = (0..50_000).map(noise).collect();
        let near: Vec<u64> = scattered.iter().map(|x| 900 + x % 77).collect();
        let outlier = [near.clone(), vec![u64::MAX, 0]].concat();
        for items in [scattered, near, outlier, vec![7], vec![]] {
            let (min, max) = (items.iter().min(), items.iter().max());
            let (min, max) = (min.copied().unwrap_or(0), max.copied().unwrap_or(0));
            let mut ordered = by_range(&items, min, max, |&x| x);
            assert_eq!(ordered.ends.last().copied().unwrap_or(0), items.len());
            for_each_range(&mut ordered, |range| {
                range.sort_unstable();
                Ok(())
            })
            .unwrap();
            let mut sorted = items;
            sorted.sort_unstable();
            assert_eq!(ordered.items, sorted);
        }
    }
}
