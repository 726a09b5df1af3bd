//! Items brought near their place in an order, so that the rest is sorted in the cache
//! and by all threads.

use crate::error::{Error, Result};
use crate::parallel::{filled, for_each_block, gather_blocks, map_blocks};

/// Items of a range, about, and ranges, at most.
const ITEMS_OF_RANGE: usize = 1 << 12;
const MOST_RANGES: usize = 1 << 12;

/// Items in ascending ranges of their keys, in any order within a range.
pub(super) struct Ordered<T> {
    pub(super) items: Vec<T>,
    /// Where each range ends.
    ends: Vec<usize>,
}

/// Items of a block whose keys are looked at.
const BLOCK: usize = 1 << 16;

/// Copies the items that are kept into ranges of keys, from the least key to the largest, by
/// the upper bits in which keys differ.
pub(super) fn by_range<T: Copy + Send + Sync>(
    items: &[T],
    keep: impl Fn(&T) -> bool + Sync,
    key: impl Fn(&T) -> u64 + Sync,
) -> Ordered<T> {
    let extremes = map_blocks(items.len(), BLOCK, |block| {
        let kept = items[block].iter().filter(|item| keep(item));
        kept.fold((u64::MAX, 0, 0), |(min, max, n), item| {
            (key(item).min(min), key(item).max(max), n + 1)
        })
    });
    let (min, max, len) = extremes
        .into_iter()
        .fold((u64::MAX, 0, 0_usize), |a, b| (a.0.min(b.0), a.1.max(b.1), a.2 + b.2));
    let Some(&first) = items.iter().find(|item| keep(item)) else {
        return Ordered { items: Vec::new(), ends: Vec::new() };
    };
    let wanted = (len / ITEMS_OF_RANGE).clamp(1, MOST_RANGES).ilog2();
    let bits = u64::BITS - (max - min).leading_zeros();
    let shift = bits.saturating_sub(wanted).min(u64::BITS - 1);
    let n_ranges = ((max - min) >> shift) as usize + 1;
    let range = |item: &T| ((key(item) - min) >> shift) as usize;

    // One count ahead, so that counts become starts, and starts ends, in place.
    let mut ends = gather_blocks(
        items.len(),
        BLOCK,
        || vec![0; n_ranges + 1],
        |counts: &mut Vec<usize>, block| {
            let kept = items[block].iter().filter(|item| keep(item));
            kept.for_each(|item| counts[range(item) + 1] += 1);
        },
        |mut counts, more| {
            counts.iter_mut().zip(more).for_each(|(count, more)| *count += more);
            counts
        },
    );
    for range in 1..=n_ranges {
        ends[range] += ends[range - 1];
    }
    let mut ordered = filled(first, len);
    for item in items.iter().filter(|item| keep(item)) {
        let next = &mut ends[range(item)];
        ordered[*next] = *item;
        *next += 1;
    }
    ends.truncate(n_ranges);
    Ordered { items: ordered, ends }
}

/// Sorts the items of a range; `key` is what they are compared by first. Where keys are
/// dense, items are brought to their key's place, and only those of one key are compared.
pub(super) fn sort_range<T: Copy + Ord>(items: &mut [T], key: impl Fn(&T) -> u64) {
    let (min, max) = items
        .iter()
        .fold((u64::MAX, 0), |(min, max), item| (key(item).min(min), key(item).max(max)));
    if items.len() < 32 || max - min > items.len() as u64 {
        items.sort_unstable();
        return;
    }
    let place = |item: &T| (key(item) - min) as usize;
    let mut ends = vec![0_usize; (max - min) as usize + 2];
    items.iter().for_each(|item| ends[place(item) + 1] += 1);
    for at in 1..ends.len() {
        ends[at] += ends[at - 1];
    }
    let unsorted = items.to_vec();
    for item in unsorted {
        let next = &mut ends[place(&item)];
        items[*next] = item;
        *next += 1;
    }
    let mut start = 0;
    for &end in &ends {
        if end > start + 1 {
            items[start..end].sort_unstable();
        }
        start = end;
    }
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
            let mut ordered = by_range(&items, |_| true, |&x| x);
            assert_eq!(ordered.ends.last().copied().unwrap_or(0), items.len());
            let odd = by_range(&items, |x| x % 2 == 1, |&x| x);
            assert_eq!(odd.items.len(), items.iter().filter(|x| *x % 2 == 1).count());
            let lengths = map_ranges(&mut ordered, |range| {
                sort_range(range, |&x| x);
                Ok(range.len())
            });
            assert_eq!(lengths.unwrap().iter().sum::<usize>(), items.len());
            let mut sorted = items;
            sorted.sort_unstable();
            assert_eq!(ordered.items, sorted);
        }
    }

    #[test]
    fn a_range_is_sorted_by_all_of_its_items() {
        let noise = |i: u64| i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
        for n in [0, 1, 31, 32, 500, 5000] {
            for keys in [1, 2, 40, 4000, u64::MAX] {
                let row = |i| (noise(i) % keys, noise(i + 7) % 3, noise(i + 9) % 5);
                let mut rows: Vec<(u64, u64, u64)> = (0..n).map(row).collect();
                let mut sorted = rows.clone();
                sorted.sort_unstable();
                sort_range(&mut rows, |row| row.0);
                assert_eq!(rows, sorted, "{n} {keys}");
            }
        }
    }
}
