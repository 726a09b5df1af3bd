//! Items brought near their place in an order, so that the rest is sorted in the cache
//! and by all threads.

use crate::error::{Error, Result};
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

/// Copies items into ranges of keys, from the least key to the largest, by the upper bits
/// in which keys differ.
pub(super) fn by_range<T: Copy>(
    items: impl Iterator<Item = T> + Clone,
    key: impl Fn(&T) -> u64,
) -> Ordered<T> {
    let (mut min, mut max, mut len) = (u64::MAX, 0, 0);
    for item in items.clone() {
        min = min.min(key(&item));
        max = max.max(key(&item));
        len += 1;
    }
    let Some(first) = items.clone().next() else {
        return Ordered { items: Vec::new(), ends: Vec::new() };
    };
    let wanted = (len / ITEMS_OF_RANGE).clamp(1, MOST_RANGES).ilog2();
    let bits = u64::BITS - (max - min).leading_zeros();
    let shift = bits.saturating_sub(wanted).min(u64::BITS - 1);
    let n_ranges = ((max - min) >> shift) as usize + 1;
    let range = |item: &T| ((key(item) - min) >> shift) as usize;

    // One count ahead, so that counts become starts, and starts ends, in place.
    let mut ends = vec![0; n_ranges + 1];
    items.clone().for_each(|item| ends[range(&item) + 1] += 1);
    for range in 1..=n_ranges {
        ends[range] += ends[range - 1];
    }
    let mut ordered = vec![first; len];
    for item in items {
        let next = &mut ends[range(&item)];
        ordered[*next] = item;
        *next += 1;
    }
    ends.truncate(n_ranges);
    Ordered { items: ordered, ends }
}

/// What `work` makes of each range, in order. The error of the first failing range wins.
pub(super) fn map_ranges<T: Send, R: Send>(
    ordered: &mut Ordered<T>,
    work: impl Fn(&mut [T]) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let mut rest = ordered.items.as_mut_slice();
    let mut ranges: Vec<(&mut [T], Option<R>)> = Vec::with_capacity(ordered.ends.len());
    let mut from = 0;
    for &end in &ordered.ends {
        let (range, after) = rest.split_at_mut(end - from);
        ranges.push((range, None));
        (rest, from) = (after, end);
    }
    for_each_block(&mut ranges, 1, |_, ranges| {
        ranges.iter_mut().try_for_each(|(range, made)| {
            *made = Some(work(range)?);
            Ok::<(), Error>(())
        })
    })?;
    Ok(ranges.into_iter().filter_map(|(_, made)| made).collect())
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
            let mut ordered = by_range(items.iter().copied(), |&x| x);
            assert_eq!(ordered.ends.last().copied().unwrap_or(0), items.len());
            let lengths = map_ranges(&mut ordered, |range| {
                range.sort_unstable();
                Ok(range.len())
            });
            assert_eq!(lengths.unwrap().iter().sum::<usize>(), items.len());
            let mut sorted = items;
            sorted.sort_unstable();
            assert_eq!(ordered.items, sorted);
        }
    }
}
