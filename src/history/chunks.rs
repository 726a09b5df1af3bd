//! Rows in the order in which they came, in little memory.

use super::batch;

/// One transaction; `O` is the order, or nothing where occasions are days. The order of
/// the fields is that in which rows are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row<O> {
    pub(super) customer: u64,
    pub(super) order: O,
    pub(super) day: i32,
    pub(super) amount: i64,
}

/// What tells apart the rows of a customer beside their days.
pub(super) trait Order: Copy + Ord + Default + Send + Sync {}
impl<O: Copy + Ord + Default + Send + Sync> Order for O {}

/// A row of small numbers, in half of the memory: to touch memory for the first time costs
/// more than all that is done to a row.
#[derive(Clone, Copy, Debug)]
struct Small<O> {
    customer: u32,
    order: O,
    day: i32,
    amount: i32,
}

impl<O: Copy> Small<O> {
    fn of(row: Row<O>) -> Option<Small<O>> {
        let Row { customer, order, day, amount } = row;
        let customer = u32::try_from(customer).ok()?;
        Some(Small { customer, order, day, amount: i32::try_from(amount).ok()? })
    }

    fn row(&self) -> Row<O> {
        let Small { customer, order, day, amount } = *self;
        Row { customer: customer.into(), order, day, amount: amount.into() }
    }
}

/// Rows of a chunk, at most: what memory is taken at a time, and what one thread works on.
pub(super) const ROWS: usize = 1 << 16;

/// Some rows: small ones, and from the first that is not small all as they are.
#[derive(Clone, Debug)]
pub(super) struct Chunk<O> {
    small: Vec<Small<O>>,
    large: Vec<Row<O>>,
}

impl Chunk<()> {
    /// Rows of columns.
    pub(super) fn of_columns<K: Copy + Into<u64>>(
        kept: &batch::Kept<'_, K>,
    ) -> Chunk<()> {
        let batch::Kept { customers, days, amounts, .. } = *kept;
        let mut all_small = true;
        let rows = customers.iter().zip(days).zip(amounts);
        let rows = rows.map(|((&customer, &day), &amount)| {
            let (id, order) = (customer.into(), ());
            let small = Small { customer: id as u32, order, day, amount: amount as i32 };
            all_small &= small.customer as u64 == id && i64::from(small.amount) == amount;
            small
        });
        let small = rows.collect();
        if all_small {
            return Chunk { small, large: Vec::new() };
        }
        let rows = customers.iter().zip(days).zip(amounts);
        let large = rows.map(|((&customer, &day), &amount)| Row {
            customer: customer.into(),
            order: (),
            day,
            amount,
        });
        Chunk { small: Vec::new(), large: large.collect() }
    }
}

impl<O: Copy> Chunk<O> {
    fn len(&self) -> usize {
        self.small.len() + self.large.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Row<O>> + '_ {
        self.small.iter().map(Small::row).chain(self.large.iter().copied())
    }
}

/// Rows in the order in which they came.
#[derive(Clone, Debug)]
pub(super) struct Chunks<O> {
    chunks: Vec<Chunk<O>>,
    len: usize,
    /// How many rows the last chunk still takes.
    room: usize,
}

/// No rows.
impl<O> Default for Chunks<O> {
    fn default() -> Chunks<O> {
        Chunks { chunks: Vec::new(), len: 0, room: 0 }
    }
}

impl<O: Copy> Chunks<O> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    pub(super) fn push(&mut self, row: Row<O>) {
        if self.room == 0 {
            self.open();
        }
        let Some(chunk) = self.chunks.last_mut() else { return };
        (self.len, self.room) = (self.len + 1, self.room - 1);
        match Small::of(row) {
            Some(small) if chunk.large.is_empty() => chunk.small.push(small),
            _ => chunk.large.push(row),
        }
    }

    /// A ledger of few rows takes little; one of many knows that there will be more.
    #[cold]
    fn open(&mut self) {
        let rows = if self.is_empty() { 0 } else { ROWS };
        let small = self.chunks.last().is_none_or(|chunk| chunk.large.is_empty());
        let [small, large] = if small { [rows, 0] } else { [0, rows] };
        self.chunks.push(Chunk {
            small: Vec::with_capacity(small),
            large: Vec::with_capacity(large),
        });
        self.room = ROWS;
    }

    /// Adds rows that are ready: as they are, where they are many.
    pub(super) fn append(&mut self, chunk: Chunk<O>) {
        let n = chunk.len();
        if n < ROWS / 2 {
            self.extend(chunk.iter());
        } else {
            self.chunks.push(chunk);
            (self.len, self.room) = (self.len + n, 0);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Row<O>> + '_ {
        self.chunks.iter().flat_map(Chunk::iter)
    }

    pub(super) fn chunks(&self) -> &[Chunk<O>] {
        &self.chunks
    }
}

impl<O: Copy> Extend<Row<O>> for Chunks<O> {
    fn extend<I: IntoIterator<Item = Row<O>>>(&mut self, rows: I) {
        rows.into_iter().for_each(|row| self.push(row));
    }
}

impl<O: Copy> FromIterator<Row<O>> for Chunks<O> {
    fn from_iter<I: IntoIterator<Item = Row<O>>>(rows: I) -> Chunks<O> {
        let mut chunks = Chunks::default();
        chunks.extend(rows);
        chunks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_in_their_order_whatever_their_size() {
        let large = [u64::MAX, 1 << 32, 0, 0, 7];
        let amounts = [0, i64::MIN, 1 << 31, -(1 << 31) - 1, i64::MAX];
        for every in [1, 3, 1000, ROWS, usize::MAX] {
            for n in [0, 1, 5, ROWS - 1, ROWS, ROWS + 1, 2 * ROWS + 9] {
                let row = |at: usize| {
                    let customer =
                        if at % every == every - 1 { large[at % 5] } else { 9 };
                    let amount =
                        if at % every == every - 1 { amounts[at % 5] } else { -5 };
                    Row { customer, order: at, day: i32::MIN + at as i32, amount }
                };
                let rows: Chunks<usize> = (0..n).map(row).collect();
                assert_eq!(rows.len(), n);
                assert_eq!(rows.is_empty(), n == 0);
                assert!(
                    rows.iter().eq((0..n).map(row)),
                    "{n} rows, each {every}th large"
                );
                let of_chunks = rows.chunks().iter().map(|chunk| chunk.iter().count());
                assert_eq!(of_chunks.sum::<usize>(), n);
            }
        }
    }

    #[test]
    fn a_small_row_takes_half_of_the_memory() {
        assert_eq!((size_of::<Small<()>>(), size_of::<Row<()>>()), (12, 24));
    }
}
