//! Rows added up by customer without sorting them.
//!
//! Rows are cut into blocks, and each block is ordered by ranges of keys: it becomes a run
//! of records for every range. Then every range is added up on its own, in a table that
//! fits the cache. Where ids are dense, the key is the id, counted from the least one, and
//! the table has a place for each. Where they are not, the key is the id times an odd
//! number, which spreads ids evenly and can be undone, and tables are searched. Either is
//! exact for rows in any order, and what comes out is in the order of the ids.

use super::batch::{Batch, Facts, Kept, too_large};
use super::ordered::{Ordered, Ranges as KeyRanges};
use super::places::Places;
use super::tallies::{Counts, Tallies, Tally};
use crate::error::{Error, Result};
use crate::parallel::{for_each_block, map_blocks};
use crate::simd::{self, Arithmetic, Kernel};

/// Rows of a block: its records and its converted amounts fit the cache of one core.
const BLOCK: usize = 1 << 15;
/// Blocks whose records are held at a time. They are overwritten by those of the next
/// round, for memory that is touched for the first time costs more than all of the rest.
const ROUND: usize = 64;
/// Blocks that are read one after the other, with one buffer.
const BLOCKS_OF_TASK: usize = 4;
/// Ids of a dense range, at least: a table of them is 96 KiB.
const NARROWEST: u32 = 12;
/// Ranges, at most, and rows in each that are worth one more range.
const MOST_RANGES: usize = 1024;
const ROWS_OF_RANGE: usize = 1 << 12;
/// 2^64 divided by the golden ratio, and its inverse modulo 2^64.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
const GATHER: u64 = 0xF1DE_83E1_9937_733D;

/// Ranges of `2^shift` keys.
#[derive(Clone, Copy)]
pub(super) struct Ranges {
    base: u64,
    factor: u64,
    shift: u32,
    len: usize,
}

impl Ranges {
    /// One table for all ids from `min` to `max`.
    fn dense(min: u64, max: u64) -> Ranges {
        let bits = u64::BITS - (max - min).leading_zeros();
        let shift = bits.saturating_sub(MOST_RANGES.ilog2()).max(NARROWEST);
        let len = ((max - min) >> shift) as usize + 1;
        Ranges { base: min, factor: 1, shift, len }
    }

    /// A table for each range of scattered ids.
    fn sparse(n_rows: usize) -> Ranges {
        let wanted = (n_rows / ROWS_OF_RANGE).clamp(2, MOST_RANGES).next_power_of_two();
        Ranges { base: 0, factor: SPREAD, shift: u64::BITS - wanted.ilog2(), len: wanted }
    }

    #[inline]
    fn key(&self, id: u64) -> u64 {
        (id - self.base).wrapping_mul(self.factor)
    }

    /// The id at a place of a range, of scattered ids.
    fn id(&self, range: usize, at: u64) -> u64 {
        ((range as u64) << self.shift | at).wrapping_mul(GATHER)
    }

    #[inline]
    fn range(&self, key: u64) -> usize {
        (key >> self.shift) as usize
    }

    /// The place of a key within its range.
    #[inline]
    fn at(&self, key: u64) -> u64 {
        key & ((1 << self.shift) - 1)
    }
}

/// A row in a run.
trait Record: Copy + Default {
    fn pack(at: u64, day: i32, amount: i64, frame: &Frame) -> Self;
    /// Place within the range, day, amount.
    fn unpack(self, frame: &Frame) -> (u64, i32, i64);
}

/// What days and amounts of a block are counted from.
#[derive(Clone, Copy, Default)]
struct Frame {
    day: i32,
    amount: i64,
}

/// 16 bits of place, 16 of day, 32 of amount.
#[derive(Clone, Copy, Default)]
struct Small(u64);

impl Small {
    fn fits(ranges: &Ranges, facts: &Facts) -> bool {
        ranges.shift <= 16
            && facts.max_day.wrapping_sub(facts.min_day) as u32 <= u16::MAX.into()
            && facts.max_amount.wrapping_sub(facts.min_amount) as u64 <= u32::MAX.into()
    }
}

impl Record for Small {
    #[inline]
    fn pack(at: u64, day: i32, amount: i64, frame: &Frame) -> Small {
        let day = day.wrapping_sub(frame.day) as u64;
        let amount = amount.wrapping_sub(frame.amount) as u64;
        Small(at | day << 16 | amount << 32)
    }

    #[inline]
    fn unpack(self, frame: &Frame) -> (u64, i32, i64) {
        let day = frame.day.wrapping_add((self.0 >> 16 & 0xFFFF) as i32);
        let amount = frame.amount.wrapping_add((self.0 >> 32) as i64);
        (self.0 & 0xFFFF, day, amount)
    }
}

/// Any row.
#[derive(Clone, Copy, Default)]
struct Large {
    at: u64,
    amount: i64,
    day: i32,
}

impl Record for Large {
    #[inline]
    fn pack(at: u64, day: i32, amount: i64, _: &Frame) -> Large {
        Large { at, amount, day }
    }

    #[inline]
    fn unpack(self, _: &Frame) -> (u64, i32, i64) {
        (self.at, self.day, self.amount)
    }
}

/// A block in the order of the ranges.
#[derive(Default)]
struct Block {
    /// One of the two holds the rows, the other is empty.
    small: Vec<Small>,
    large: Vec<Large>,
    /// Where the run of each range starts, and the last one ends.
    starts: Vec<u32>,
    frame: Frame,
    facts: Facts,
}

impl Block {
    fn fill<K: Copy + Into<u64>>(
        &mut self,
        batch: &Batch<'_, K>,
        rows: std::ops::Range<usize>,
        ranges: &Ranges,
        buffer: &mut Vec<i64>,
    ) -> Result<()> {
        let Block { small, large, starts, frame, facts } = self;
        batch.with_rows(rows, buffer, |kept| {
            *facts = kept.facts;
            *frame = Frame { day: kept.facts.min_day, amount: kept.facts.min_amount };
            if Small::fits(ranges, facts) {
                large.clear();
                scatter(kept, ranges, frame, starts, small);
            } else {
                small.clear();
                scatter(kept, ranges, frame, starts, large);
            }
        })
    }

    #[inline]
    fn for_each(&self, range: usize, work: impl FnMut(u64, i32, i64)) {
        let run = self.starts[range] as usize..self.starts[range + 1] as usize;
        if self.large.is_empty() {
            for_each(&self.small[run], &self.frame, work);
        } else {
            for_each(&self.large[run], &self.frame, work);
        }
    }
}

#[inline]
fn for_each<R: Record>(
    records: &[R],
    frame: &Frame,
    mut work: impl FnMut(u64, i32, i64),
) {
    for record in records {
        let (at, day, amount) = record.unpack(frame);
        work(at, day, amount);
    }
}

/// The records of a block, ordered by range.
fn scatter<K: Copy + Into<u64>, R: Record>(
    kept: &Kept<'_, K>,
    ranges: &Ranges,
    frame: &Frame,
    starts: &mut Vec<u32>,
    records: &mut Vec<R>,
) {
    // One count ahead, so that counts become starts, and starts ends, in place.
    starts.clear();
    starts.resize(ranges.len + 2, 0);
    for &id in kept.customers {
        starts[ranges.range(ranges.key(id.into())) + 2] += 1;
    }
    for range in 2..starts.len() {
        starts[range] += starts[range - 1];
    }
    // What the last round left is overwritten.
    records.resize(kept.customers.len(), R::default());
    let rows = kept.customers.iter().zip(kept.days).zip(kept.amounts);
    for ((&id, &day), &amount) in rows {
        let key = ranges.key(id.into());
        let next = &mut starts[ranges.range(key) + 1];
        records[*next as usize] = R::pack(ranges.at(key), day, amount, frame);
        *next += 1;
    }
}

/// Adds up all rows. `gross` is what earlier rows came to without signs: when all
/// together fit into 64 bits, so does every sum of some of them.
pub(super) fn group<K>(batch: &Batch<'_, K>, gross: u128) -> Result<(Tallies, Facts)>
where
    K: Copy + Into<u64> + Sync,
{
    batch.check_lengths()?;
    let n = batch.customers.len();
    if n == 0 {
        return Ok((Tallies::default(), Facts::default()));
    }
    let extremes =
        map_blocks(n, BLOCK, |rows| simd::run(Extremes(&batch.customers[rows])));
    let (min, max) =
        extremes.into_iter().fold((u64::MAX, 0), |a, b| (a.0.min(b.0), a.1.max(b.1)));
    // A table with a place for each id is no larger than a record for each row.
    if max - min <= n as u64 + (1 << NARROWEST) {
        let ranges = Ranges::dense(min, max);
        let mut table = vec![Tally::NONE; (max - min) as usize + 1];
        let facts = in_rounds(batch, gross, &ranges, |blocks| {
            for_each_block(&mut table, 1 << ranges.shift, |from, table| {
                let range = from >> ranges.shift;
                // Read once in a row, the table comes to the cache much sooner than line
                // by line in the order of the records.
                let touched = table.iter().step_by(2).fold(0, |sum, tally| sum ^ tally.1);
                std::hint::black_box(touched);
                for block in blocks {
                    block.for_each(range, |at, day, amount| {
                        if let Some(tally) = table.get_mut(at as usize) {
                            tally.add(day, amount);
                        }
                    });
                }
                Ok(())
            })
        })?;
        Ok((Tallies::of_places(min, table), facts))
    } else {
        let ranges = Ranges::sparse(n);
        let mut tables: Vec<Places> = Vec::new();
        tables.resize_with(ranges.len, || Places::new(ranges.shift));
        let facts = in_rounds(batch, gross, &ranges, |blocks| {
            for_each_block(&mut tables, 1, |range, tables| {
                for table in tables {
                    table.touch();
                    for block in blocks {
                        block.for_each(range, |at, day, amount| {
                            table.tally(at).add(day, amount);
                        });
                    }
                }
                Ok(())
            })
        })?;
        let customers = tables.into_iter().enumerate().flat_map(|(range, table)| {
            table.into_iter().map(move |(at, tally)| (ranges.id(range, at), tally))
        });
        Ok((in_order(&customers.collect::<Vec<_>>())?, facts))
    }
}

/// Customers in the order of their ids.
fn in_order(customers: &[(u64, Tally)]) -> Result<Tallies> {
    let ids = || customers.iter().map(|(id, _)| *id);
    let (Some(min), Some(max)) = (ids().min(), ids().max()) else {
        return Ok(Tallies::default());
    };
    let ranges = KeyRanges::new(customers.len(), min, max);
    let blocks: Vec<&[(u64, Tally)]> = customers.chunks(BLOCK).collect();
    let ordered = Ordered::new(ranges, &blocks, |block| {
        block.iter().map(|customer| (customer.0, *customer))
    });
    let parts = ordered.map_ranges(|_, customers| {
        customers.sort_unstable_by_key(|&(id, _)| id);
        Ok(customers.to_vec())
    })?;
    let (ids, tallies) = parts.into_iter().flatten().unzip();
    Ok(Tallies { ids, tallies })
}

/// Orders some blocks at a time and has them added up.
fn in_rounds<K>(
    batch: &Batch<'_, K>,
    gross: u128,
    ranges: &Ranges,
    mut add_up: impl FnMut(&[Block]) -> Result<()>,
) -> Result<Facts>
where
    K: Copy + Into<u64> + Sync,
{
    let n = batch.customers.len();
    let mut blocks: Vec<Block> = Vec::new();
    blocks.resize_with(n.div_ceil(BLOCK).min(ROUND), Block::default);
    let mut all = Facts::default();
    for start in (0..n).step_by(ROUND * BLOCK) {
        let n_blocks = (n - start).div_ceil(BLOCK).min(ROUND);
        let blocks = &mut blocks[..n_blocks];
        for_each_block(blocks, BLOCKS_OF_TASK, |at, blocks| {
            // Converted amounts of one block after the other.
            let mut buffer = Vec::new();
            for (at, block) in (at..).zip(blocks) {
                let from = start + at * BLOCK;
                block.fill(batch, from..(from + BLOCK).min(n), ranges, &mut buffer)?;
            }
            Ok::<(), Error>(())
        })?;
        all = blocks.iter().fold(all, |all, block| all.join(&block.facts));
        if gross.saturating_add(all.gross) > i64::MAX as u128 {
            return Err(too_large());
        }
        add_up(blocks)?;
    }
    Ok(all)
}

/// The least and the largest id.
struct Extremes<'a, K>(&'a [K]);

impl<K: Copy + Into<u64>> Kernel for Extremes<'_, K> {
    type Output = (u64, u64);

    #[inline(always)]
    fn run<A: Arithmetic>(self) -> (u64, u64) {
        let (mut min, mut max) = (u64::MAX, 0);
        for &id in self.0 {
            let id: u64 = id.into();
            min = if id < min { id } else { min };
            max = if id > max { id } else { max };
        }
        (min, max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreading_ids_can_be_undone() {
        assert_eq!(SPREAD.wrapping_mul(GATHER), 1);
        let ranges = Ranges::sparse(1 << 20);
        for id in [0, 1, 2, 1 << 40, u64::MAX - 1, u64::MAX] {
            let key = ranges.key(id);
            assert_eq!(ranges.id(ranges.range(key), ranges.at(key)), id);
        }
    }
}
