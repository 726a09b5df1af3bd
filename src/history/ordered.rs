//! Items brought near their place in an order, so that the rest is sorted in the cache
//! and by all threads.

use crate::error::{Error, Result};
use crate::parallel::map_blocks;

/// Items of a range, about, and ranges, at most.
const ITEMS_OF_RANGE: usize = 1 << 12;
const MOST_RANGES: usize = 1 << 12;
/// Ranges that are worked on with one buffer.
const RANGES_OF_TASK: usize = 16;

/// Ranges of `2^shift` keys, from the least key on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ranges {
    min: u64,
    shift: u32,
    len: usize,
}

impl Ranges {
    /// For `n` items with keys from `min` to `max`.
    pub(super) fn new(n: usize, min: u64, max: u64) -> Ranges {
        let wanted = (n / ITEMS_OF_RANGE).clamp(1, MOST_RANGES).ilog2();
        let bits = u64::BITS - (max - min).leading_zeros();
        let shift = bits.saturating_sub(wanted).min(u64::BITS - 1);
        Ranges { min, shift, len: ((max - min) >> shift) as usize + 1 }
    }

    fn range(&self, key: u64) -> usize {
        ((key - self.min) >> self.shift) as usize
    }

    /// The least key of a range.
    pub(super) fn start(&self, range: usize) -> u64 {
        self.min + ((range as u64) << self.shift)
    }

    /// Bits that tell apart the keys of a range.
    pub(super) fn bits(&self) -> u32 {
        self.shift
    }

    /// A key, counted from the least one of its range.
    pub(super) fn place(&self, key: u64) -> u64 {
        (key - self.min) & ((1 << self.shift) - 1)
    }
}

/// Items in ascending ranges of their keys, in any order within a range.
pub(super) struct Ordered<T> {
    blocks: Vec<Block<T>>,
    n_ranges: usize,
}

/// Some items, ordered by ranges: all that is held of them, for each block is written by one
/// thread, and what belongs to a range is brought together when it is worked on.
struct Block<T> {
    items: Vec<T>,
    ends: Vec<u32>,
}

impl<T: Copy + Default + Send + Sync> Ordered<T> {
    /// Items of blocks, of fewer than 2^32 each, that have keys within the ranges.
    pub(super) fn new<'b, B: Sync, I: Iterator<Item = (u64, T)>>(
        ranges: Ranges,
        blocks: &'b [B],
        items: impl Fn(&'b B) -> I + Sync,
    ) -> Ordered<T> {
        let blocks = map_blocks(blocks.len(), 1, |at| {
            // One count ahead, so that counts become starts, and starts ends, in place.
            let mut ends = vec![0_u32; ranges.len + 1];
            for block in &blocks[at.clone()] {
                items(block).for_each(|(key, _)| ends[ranges.range(key) + 1] += 1);
            }
            for range in 1..=ranges.len {
                ends[range] += ends[range - 1];
            }
            let mut ordered = vec![T::default(); ends[ranges.len] as usize];
            for block in &blocks[at] {
                items(block).for_each(|(key, item)| {
                    let next = &mut ends[ranges.range(key)];
                    ordered[*next as usize] = item;
                    *next += 1;
                });
            }
            Block { items: ordered, ends }
        });
        Ordered { blocks, n_ranges: ranges.len }
    }

    /// What `work` makes of the items of each range, in order; it is told the number of the
    /// range. The error of the first failing range wins.
    pub(super) fn map_ranges<R: Send>(
        &self,
        work: impl Fn(usize, &mut [T]) -> Result<R> + Sync,
    ) -> Result<Vec<R>> {
        let made = map_blocks(self.n_ranges, RANGES_OF_TASK, |ranges| {
            let mut items = Vec::new();
            let mut made = Vec::with_capacity(ranges.len());
            for range in ranges {
                items.clear();
                for block in &self.blocks {
                    let start = if range == 0 { 0 } else { block.ends[range - 1] };
                    let run = start as usize..block.ends[range] as usize;
                    items.extend_from_slice(&block.items[run]);
                }
                made.push(work(range, &mut items)?);
            }
            Ok::<_, Error>(made)
        });
        let mut all = Vec::with_capacity(self.n_ranges);
        for made in made {
            all.extend(made?);
        }
        Ok(all)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_ascend_and_hold_all_items() {
        let noise = |i: u64| i.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let scattered: Vec<u64> = (0..50_000).map(noise).collect();
        let near: Vec<u64> = scattered.iter().map(|x| 900 + x % 77).collect();
        let outlier = [near.clone(), vec![u64::MAX, 0]].concat();
        for items in [scattered, near, outlier, vec![7], vec![u64::MAX]] {
            for block in [1 << 10, 1 << 20] {
                let min = items.iter().copied().min().unwrap();
                let max = items.iter().copied().max().unwrap();
                let ranges = Ranges::new(items.len(), min, max);
                let blocks: Vec<&[u64]> = items.chunks(block).collect();
                let ordered = Ordered::new(ranges, &blocks, |block| {
                    block.iter().map(|&item| (item, (ranges.place(item), item)))
                })
                .map_ranges(|range, items| {
                    sort_range(items, |item| item.0);
                    for &(place, item) in items.iter() {
                        assert_eq!(ranges.start(range) + place, item);
                        assert!(place < 1 << ranges.bits());
                    }
                    Ok(items.iter().map(|item| item.1).collect::<Vec<_>>())
                });
                let mut sorted = items.clone();
                sorted.sort_unstable();
                assert_eq!(ordered.unwrap().concat(), sorted);
            }
        }
    }

    #[test]
    fn the_first_failing_range_is_told() {
        let items: Vec<u64> = (0..100_000).rev().collect();
        let ranges = Ranges::new(items.len(), 0, 99_999);
        let blocks: Vec<&[u64]> = items.chunks(1000).collect();
        let ordered =
            Ordered::new(ranges, &blocks, |block| block.iter().map(|&item| (item, item)));
        let failing = ordered.map_ranges(|range, _| match range {
            0 | 1 => Ok(()),
            _ => Err(crate::error::Error::undefined(range.to_string(), "not the first")),
        });
        assert!(failing.unwrap_err().to_string().contains('2'));
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
