//! All rows in the order of their customers.
//!
//! Rows are brought near their place, so that those of a few customers are sorted at a time,
//! in the cache. On the way they take 64 bits each where they can: a customer counted from
//! the first of her range, a day from the first of all, an amount from the least. Numbers
//! packed so have the order of their rows.

use super::chunks::{Chunks, Order, Row};
use super::ordered::{Ordered, Ranges, sort_range};
use crate::data::Date;
use crate::error::Result;
use crate::parallel::map_blocks;

/// What `work` makes of the rows up to a day, which it gets sorted, all rows of some
/// customers at a time, in the order of their keys; and how many rows are later.
pub(super) fn map_sorted<O, R>(
    rows: &Chunks<O>,
    until: Date,
    work: impl Fn(&[Row<O>]) -> Result<R> + Sync,
) -> Result<(Vec<R>, u64)>
where
    O: Order,
    R: Send,
{
    let last_day = until.days_since_epoch();
    let chunks = rows.chunks();
    let kept = |row: &Row<O>| row.day <= last_day;
    let facts = map_blocks(chunks.len(), 1, |at| {
        let rows = chunks[at].iter().flat_map(|chunk| chunk.iter()).filter(kept);
        rows.fold(Facts::NONE, |facts, row| facts.with(&row))
    });
    let facts = facts.into_iter().fold(Facts::NONE, Facts::join);
    let later = (rows.len() - facts.n) as u64;
    if facts.n == 0 {
        return Ok((Vec::new(), later));
    }
    let ranges = Ranges::new(facts.n, facts.customer.0, facts.customer.1);
    let made = match Packing::new::<O>(&ranges, &facts) {
        Some(packing) => Ordered::new(ranges, chunks, |chunk| {
            let rows = chunk.iter().filter(kept);
            rows.map(|row| (row.customer, packing.pack(ranges.place(row.customer), &row)))
        })
        .map_ranges(|range, packed| {
            sort_range(packed, |&packed| packing.place(packed));
            let start = ranges.start(range);
            let rows = packed.iter().map(|&packed| packing.unpack(start, packed));
            work(&rows.collect::<Vec<_>>())
        }),
        None => Ordered::new(ranges, chunks, |chunk| {
            chunk.iter().filter(kept).map(|row| (row.customer, row))
        })
        .map_ranges(|_, rows| {
            sort_range(rows, |row| row.customer);
            work(rows)
        }),
    };
    Ok((made?, later))
}

/// The extremes of some rows.
#[derive(Clone, Copy)]
struct Facts {
    n: usize,
    customer: (u64, u64),
    day: (i32, i32),
    amount: (i64, i64),
}

impl Facts {
    const NONE: Facts = Facts {
        n: 0,
        customer: (u64::MAX, 0),
        day: (i32::MAX, i32::MIN),
        amount: (i64::MAX, i64::MIN),
    };

    fn with<O>(self, row: &Row<O>) -> Facts {
        Facts {
            n: self.n + 1,
            customer: (
                self.customer.0.min(row.customer),
                self.customer.1.max(row.customer),
            ),
            day: (self.day.0.min(row.day), self.day.1.max(row.day)),
            amount: (self.amount.0.min(row.amount), self.amount.1.max(row.amount)),
        }
    }

    fn join(self, other: Facts) -> Facts {
        let (a, b) = (self, other);
        Facts {
            n: a.n + b.n,
            customer: (a.customer.0.min(b.customer.0), a.customer.1.max(b.customer.1)),
            day: (a.day.0.min(b.day.0), a.day.1.max(b.day.1)),
            amount: (a.amount.0.min(b.amount.0), a.amount.1.max(b.amount.1)),
        }
    }
}

/// How rows without an order are packed.
#[derive(Clone, Copy)]
struct Packing {
    day: i32,
    day_bits: u32,
    amount: i64,
    amount_bits: u32,
}

impl Packing {
    /// `None` where rows take more than 63 bits.
    fn new<O>(ranges: &Ranges, facts: &Facts) -> Option<Packing> {
        let bits = |span: u64| u64::BITS - span.leading_zeros();
        let day_bits = bits(facts.day.1.wrapping_sub(facts.day.0) as u32 as u64);
        let amount_bits = bits(facts.amount.1.wrapping_sub(facts.amount.0) as u64);
        let fits = ranges.bits() + day_bits + amount_bits < u64::BITS;
        (size_of::<O>() == 0 && fits).then_some(Packing {
            day: facts.day.0,
            day_bits,
            amount: facts.amount.0,
            amount_bits,
        })
    }

    fn pack<O>(&self, place: u64, row: &Row<O>) -> u64 {
        let day = row.day.wrapping_sub(self.day) as u32;
        let amount = row.amount.wrapping_sub(self.amount) as u64;
        (place << self.day_bits | u64::from(day)) << self.amount_bits | amount
    }

    fn place(&self, packed: u64) -> u64 {
        packed >> (self.day_bits + self.amount_bits)
    }

    fn unpack<O: Default>(&self, start: u64, packed: u64) -> Row<O> {
        let low = |number: u64, bits: u32| number & ((1 << bits) - 1);
        let day = low(packed >> self.amount_bits, self.day_bits) as i32;
        let amount = low(packed, self.amount_bits) as i64;
        Row {
            customer: start + self.place(packed),
            order: O::default(),
            day: self.day.wrapping_add(day),
            amount: self.amount.wrapping_add(amount),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows in no order, of numbers below some.
    fn noise<O>(
        n: u64,
        [customers, days, amounts]: [u64; 3],
        order: impl Fn(u64) -> O,
    ) -> Vec<Row<O>> {
        let noise = |i: u64| {
            let x = (i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            (x ^ x >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 3
        };
        let row = |i: u64| Row {
            customer: u64::MAX - noise(5 * i) % customers,
            order: order(noise(5 * i + 1) % 4),
            day: (noise(5 * i + 2) % days) as i32 - 40,
            amount: (noise(5 * i + 3) % amounts) as i64 - (amounts / 2) as i64,
        };
        (0..n).map(row).collect()
    }

    fn check<O>(rows: &[Row<O>], days: &[i32])
    where
        O: Order + std::fmt::Debug,
    {
        let chunks: Chunks<O> = rows.iter().copied().collect();
        for &day in days {
            let until = Date::from_days(day).unwrap();
            let (parts, later) =
                map_sorted(&chunks, until, |rows| Ok(rows.to_vec())).unwrap();
            let mut sorted = rows.to_vec();
            sorted.retain(|row| row.day <= day);
            assert_eq!(later as usize, rows.len() - sorted.len());
            sorted.sort_unstable();
            assert_eq!(parts.concat(), sorted);
            let ends = parts.iter().filter(|part| !part.is_empty());
            let customers: Vec<_> = ends
                .map(|part| (part[0].customer, part[part.len() - 1].customer))
                .collect();
            assert!(customers.windows(2).all(|pair| pair[0].1 < pair[1].0), "split");
        }
    }

    #[test]
    fn rows_are_sorted_whether_or_not_they_can_be_packed() {
        // Of 70,000 rows a range has 1/16 of the customers.
        let edge = 63 - 7;
        let of_sizes = [
            [1, 1, 1],
            [300, 90, 10_000],
            [1 << 20, 4000, 1 << 30],
            [1 << 60, 90, 1 << 40],
            [2, 120, 1 << edge],
            [2, 120, 1 << (edge + 1)],
            [2, 120, 1 << 60],
        ];
        for numbers in of_sizes {
            for n in [0, 1, 2, 40, 5_000, 140_000] {
                check(&noise(n, numbers, |_| ()), &[49, 1_000_000]);
            }
            check(&noise(9_000, numbers, |order| order), &[0, 49]);
        }
    }

    #[test]
    fn extreme_rows_are_sorted() {
        let days = [Date::MIN, Date::MAX].map(|day| day.days_since_epoch());
        for customers in [[0, 1], [0, u64::MAX]] {
            for amounts in [[0, 5], [i64::MIN, i64::MAX]] {
                let mut rows = Vec::new();
                for i in 0..200 {
                    rows.push(Row {
                        customer: customers[i / 3 % 2],
                        order: (),
                        day: days[i % 2],
                        amount: amounts[i / 5 % 2],
                    });
                }
                check(&rows, &days);
            }
        }
    }
}
