//! Few rows of whole numbers in few bytes.

mod sums;

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use self::sums::{FARTHEST, fits};
pub(super) use self::sums::{Total, units};
use crate::exact::ExactSum;

/// A table of whole numbers whose rows ascend by tick. Each column is as wide as its largest
/// number needs, so that counts of a day take a byte each.
///
/// Column 0 holds the ticks, counted from `base`. A column of sums holds numbers as integers
/// of one unit, a power of two that all of them share; where that takes too many digits, the
/// sums are kept apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ring {
    base: i64,
    n_rows: u32,
    capacity: u32,
    /// With that of the ticks.
    n_columns: u16,
    /// For each column its [`Head`]; then the cells, column by column.
    bytes: Box<[u8]>,
    /// Sums with too many digits, by column.
    exact: Option<Box<Apart>>,
}

/// Sums of columns, for each row. Few rings have any, so that they must not make it larger.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct Apart {
    columns: BTreeMap<u32, Vec<ExactSum>>,
}

/// What is known of a column.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Head {
    /// Bytes of a cell: 0 while all are 0, else 1, 2, 4, 8 or 16.
    width: u8,
    /// Whether cells are sums, which have a sign.
    is_sum: bool,
    /// The unit of sums is 2 to this power.
    exponent: i16,
    /// Bytes of the cells before it in a row.
    before: u32,
}

/// What a cell needs of its column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Need {
    pub(super) column: usize,
    pub(super) width: u8,
    /// Of the unit of sums.
    pub(super) exponent: i16,
}

impl Need {
    /// To hold a number without a sign.
    pub(super) fn of(column: usize, x: u64) -> Need {
        Need { column, width: width_of(x), exponent: 0 }
    }
}

/// Bytes of a [`Head`].
const HEAD: usize = 8;
/// Rows that are added at once.
const ROOM: u32 = 4;

/// The least width of an unsigned number.
#[inline]
fn width_of(x: u64) -> u8 {
    match x {
        0 => 0,
        1..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xffff_ffff => 4,
        _ => 8,
    }
}

impl Ring {
    /// Without rows, but with these columns besides that of the ticks: whether they hold sums.
    pub(super) fn new(is_sum: &[bool]) -> Ring {
        let n_columns = is_sum.len() + 1;
        let mut ring = Ring {
            base: 0,
            n_rows: 0,
            capacity: 0,
            n_columns: n_columns as u16,
            bytes: vec![0; HEAD * n_columns].into(),
            exact: None,
        };
        for (column, &is_sum) in (1..).zip(is_sum) {
            ring.set_head(column, Head { is_sum, ..ring.head(column) });
        }
        ring
    }

    /// With so many rows of one tick, all zero.
    pub(super) fn with_rows(is_sum: &[bool], n_rows: u32) -> Ring {
        Ring { n_rows, capacity: n_rows, ..Ring::new(is_sum) }
    }

    fn n_columns(&self) -> usize {
        self.n_columns.into()
    }

    #[inline]
    pub(super) fn n_rows(&self) -> usize {
        self.n_rows as usize
    }

    /// Bytes outside of the structure itself.
    pub(super) fn heap_size(&self) -> usize {
        let exact = self.exact.iter().flat_map(|exact| exact.columns.values());
        self.bytes.len() + exact.map(|sums| size_of_val(&sums[..])).sum::<usize>()
    }

    /// Feeds a checksum.
    pub(super) fn feed(&self, take: &mut dyn FnMut(&[u8])) {
        let Ring { base, n_rows, capacity, n_columns, bytes, exact } = self;
        take(&base.to_le_bytes());
        take(&n_rows.to_le_bytes());
        take(&capacity.to_le_bytes());
        take(&n_columns.to_le_bytes());
        take(bytes);
        for (column, sums) in exact.iter().flat_map(|exact| exact.columns.iter()) {
            take(&column.to_le_bytes());
            sums.iter().for_each(|sum| sum.feed(take));
        }
    }

    #[inline]
    fn head(&self, column: usize) -> Head {
        let at = HEAD * column;
        let Some(&[width, is_sum, a, b, before @ ..]) =
            self.bytes[at..].first_chunk::<HEAD>()
        else {
            // Rings have all their heads.
            return Head { width: 0, is_sum: false, exponent: 0, before: 0 };
        };
        let exponent = i16::from_le_bytes([a, b]);
        let before = u32::from_le_bytes(before);
        Head { width, is_sum: is_sum > 0, exponent, before }
    }

    fn set_head(&mut self, column: usize, head: Head) {
        let at = HEAD * column;
        let [low, high] = head.exponent.to_le_bytes();
        let [a, b, c, d] = head.before.to_le_bytes();
        let bytes = [head.width, head.is_sum.into(), low, high, a, b, c, d];
        self.bytes[at..at + HEAD].copy_from_slice(&bytes);
    }

    /// Where the cells of a column begin.
    #[inline]
    fn start(&self, column: usize) -> usize {
        let width = self.head(column).before as usize;
        HEAD * self.n_columns() + width * self.capacity as usize
    }

    /// The cells of some rows of a column, and their width.
    #[inline]
    fn cells(&self, column: usize, rows: Range<usize>) -> (&[u8], usize) {
        let width = usize::from(self.head(column).width);
        let start = self.start(column);
        (&self.bytes[start + rows.start * width..start + rows.end * width], width)
    }

    /// Calls `tell` with each of some cells, taken as numbers without a sign.
    #[inline]
    fn for_each_plain(
        &self,
        column: usize,
        rows: Range<usize>,
        mut tell: impl FnMut(u64),
    ) {
        let n = rows.len();
        let (cells, width) = self.cells(column, rows);
        match width {
            0 => (0..n).for_each(|_| tell(0)),
            1 => cells.iter().for_each(|&x| tell(x.into())),
            2 => each(cells, |x| tell(u16::from_le_bytes(x).into())),
            4 => each(cells, |x| tell(u32::from_le_bytes(x).into())),
            _ => each(cells, |x| tell(u64::from_le_bytes(x))),
        }
    }

    /// A cell, taken as a number without a sign.
    #[inline]
    pub(super) fn get(&self, column: usize, row: usize) -> u64 {
        let mut cell = 0;
        self.for_each_plain(column, row..row + 1, |x| cell = x);
        cell
    }

    /// Sets a cell that is taken as a number without a sign.
    pub(super) fn set(&mut self, column: usize, row: usize, x: u64) {
        let width = width_of(x);
        if width > self.head(column).width {
            self.widen(column, width);
        }
        let width = usize::from(self.head(column).width);
        let at = self.start(column) + row * width;
        self.bytes[at..at + width].copy_from_slice(&x.to_le_bytes()[..width]);
    }

    /// Adds to a cell that is taken as a number without a sign.
    #[inline]
    pub(super) fn increase(&mut self, column: usize, row: usize, more: u64) {
        let x = self.get(column, row).saturating_add(more);
        self.set(column, row, x);
    }

    /// The sum of some cells, taken as numbers without a sign.
    #[inline]
    pub(super) fn count(&self, column: usize, rows: Range<usize>) -> u64 {
        let mut sum = 0_u64;
        self.for_each_plain(column, rows, |x| sum = sum.saturating_add(x));
        sum
    }

    /// The first or last of some rows whose cell is not 0.
    pub(super) fn find(
        &self,
        column: usize,
        mut rows: Range<usize>,
        last: bool,
    ) -> Option<usize> {
        if last {
            rows.rfind(|&row| self.get(column, row) > 0)
        } else {
            rows.find(|&row| self.get(column, row) > 0)
        }
    }

    /// Of the cells of some rows that are not 0 the first than which none is better; else 0.
    pub(super) fn best(
        &self,
        column: usize,
        rows: Range<usize>,
        is_better: impl Fn(u64, u64) -> bool,
    ) -> u64 {
        let mut best = 0;
        self.for_each_plain(column, rows, |x| {
            if x > 0 && (best == 0 || is_better(x, best)) {
                best = x;
            }
        });
        best
    }

    /// The tick of a row.
    #[inline]
    pub(super) fn tick(&self, row: usize) -> i64 {
        self.base.saturating_add_unsigned(self.get(0, row))
    }

    /// How many rows lie before a tick.
    #[inline]
    pub(super) fn before(&self, tick: i64) -> usize {
        let Ok(id) = u64::try_from(tick.saturating_sub(self.base)) else { return 0 };
        let (cells, width) = self.cells(0, 0..self.n_rows());
        match width {
            0 => {
                if id > 0 {
                    self.n_rows()
                } else {
                    0
                }
            }
            1 => cells.partition_point(|&x| u64::from(x) < id),
            2 => point(cells, |x| u64::from(u16::from_le_bytes(x)) < id),
            4 => point(cells, |x| u64::from(u32::from_le_bytes(x)) < id),
            _ => point(cells, |x| u64::from_le_bytes(x) < id),
        }
    }

    /// The row of a tick, and whether it is new: it is added if there is none, and rows before
    /// `keep` are removed then.
    pub(super) fn row_of(&mut self, tick: i64, keep: i64) -> (usize, bool) {
        let at = self.before(tick);
        if at < self.n_rows() && self.tick(at) == tick {
            return (at, false);
        }
        let gone = self.before(keep.min(tick));
        self.remove_first(gone);
        let at = at - gone;
        if self.n_rows == 0 {
            self.base = tick;
        } else if tick < self.base {
            let shift = self.base.abs_diff(tick);
            for row in 0..self.n_rows() {
                let id = self.get(0, row) + shift;
                self.set(0, row, id);
            }
            self.base = tick;
        }
        self.insert(at);
        self.set(0, at, self.base.abs_diff(tick));
        (at, true)
    }

    /// Inserts a row of zeros.
    fn insert(&mut self, at: usize) {
        if self.n_rows == self.capacity {
            let more = ROOM.max(self.capacity / 8);
            self.reshape(self.capacity + more, |_, head| head);
        }
        let n = self.n_rows();
        for column in 0..self.n_columns() {
            let width = usize::from(self.head(column).width);
            let start = self.start(column);
            self.bytes.copy_within(
                start + at * width..start + n * width,
                start + (at + 1) * width,
            );
            self.bytes[start + at * width..start + (at + 1) * width].fill(0);
        }
        for sums in self.exact.iter_mut().flat_map(|exact| exact.columns.values_mut()) {
            sums.insert(at, ExactSum::new());
        }
        self.n_rows += 1;
    }

    /// Removes the first rows.
    fn remove_first(&mut self, gone: usize) {
        if gone == 0 {
            return;
        }
        let n = self.n_rows();
        for column in 0..self.n_columns() {
            let width = usize::from(self.head(column).width);
            let start = self.start(column);
            self.bytes.copy_within(start + gone * width..start + n * width, start);
            self.bytes[start + (n - gone) * width..start + n * width].fill(0);
        }
        for sums in self.exact.iter_mut().flat_map(|exact| exact.columns.values_mut()) {
            sums.drain(..gone);
        }
        self.n_rows -= gone as u32;
        if self.n_rows == 0 {
            // As it was at first: the next events may be others.
            let is_sum: Vec<bool> =
                (1..self.n_columns()).map(|c| self.head(c).is_sum).collect();
            *self = Ring::new(&is_sum);
        } else {
            let first = self.get(0, 0);
            for row in 0..self.n_rows() {
                let id = self.get(0, row) - first;
                self.set(0, row, id);
            }
            self.base = self.base.saturating_add_unsigned(first);
        }
    }

    /// Makes columns as wide as their cells will need to be, all at once.
    pub(super) fn make_room(&mut self, needs: &[Need]) {
        let mut heads: Vec<Head> = (0..self.n_columns()).map(|c| self.head(c)).collect();
        let mut is_wider = false;
        for &Need { column, width, exponent } in needs {
            let head = &mut heads[column];
            if width > head.width {
                *head = Head { width, exponent, ..*head };
                is_wider = true;
            }
        }
        if is_wider {
            self.reshape(self.capacity, |column, _| heads[column]);
        }
    }

    /// Makes columns as wide as those of another ring, where they have the same unit.
    pub(super) fn make_room_like(&mut self, other: &Ring) {
        let need = |column| {
            let [own, like] = [self.head(column), other.head(column)];
            let is_alike = own.width == 0 || own.exponent == like.exponent;
            let is_apart = self.exact_sums(column).is_some();
            let Head { width, exponent, .. } = like;
            (is_alike && !is_apart).then_some(Need { column, width, exponent })
        };
        // The ticks have a base of their own.
        let needs: Vec<Need> = (1..self.n_columns()).filter_map(need).collect();
        self.make_room(&needs);
    }

    #[cold]
    fn widen(&mut self, column: usize, width: u8) {
        self.reshape(self.capacity, |c, head| {
            if c == column { Head { width, ..head } } else { head }
        });
    }

    /// Gives the columns other widths, where they are narrower before or all zero after.
    #[cold]
    fn reshape(&mut self, capacity: u32, head: impl Fn(usize, Head) -> Head) {
        let n_columns = self.n_columns();
        let heads: Vec<Head> = (0..n_columns).map(|c| head(c, self.head(c))).collect();
        let width: usize = heads.iter().map(|head| usize::from(head.width)).sum();
        let bytes = vec![0; HEAD * n_columns + width * capacity as usize].into();
        let exact = self.exact.take();
        let old = std::mem::replace(self, Ring { bytes, capacity, exact, ..*self });
        let mut before = 0;
        for (column, head) in heads.into_iter().enumerate() {
            self.set_head(column, Head { before, ..head });
            before += u32::from(head.width);
            let (cells, narrow) = old.cells(column, 0..old.n_rows());
            let wide = usize::from(head.width);
            if narrow == 0 || wide == 0 {
                continue;
            }
            let start = self.start(column);
            let to = &mut self.bytes[start..];
            for (to, from) in to.chunks_exact_mut(wide).zip(cells.chunks_exact(narrow)) {
                to[..narrow].copy_from_slice(from);
                if head.is_sum && from[narrow - 1] > 0x7f {
                    to[narrow..].fill(0xff);
                }
            }
        }
    }

    /// Whether this is a ring of these columns; `is_sum` says which of them hold sums, that of
    /// the ticks left out. With a stated number of rows it has room for no others.
    pub(super) fn is_valid(&self, is_sum: &[bool], n_rows: Option<usize>) -> bool {
        let n_columns = is_sum.len() + 1;
        if self.n_columns() != n_columns || self.bytes.len() < HEAD * n_columns {
            return false;
        }
        let is_apart = |column: usize| self.exact_sums(column).is_some();
        let mut before = 0;
        for c in 0..n_columns {
            let head = self.head(c);
            let is_sum = c > 0 && is_sum[c - 1];
            let flag = self.bytes[HEAD * c + 1];
            if !matches!(head.width, 0 | 1 | 2 | 4 | 8 | 16)
                || head.before != before
                || flag != u8::from(is_sum)
                || !is_sum && (head.width == 16 || head.exponent != 0)
                || i32::from(head.exponent).abs() > FARTHEST
                || is_apart(c) && head.width > 0
            {
                return false;
            }
            before += u32::from(head.width);
        }
        let n_cells = (before as usize).checked_mul(self.capacity as usize);
        let n_bytes = n_cells.and_then(|n| n.checked_add(HEAD * n_columns));
        let has_room = match n_rows {
            Some(n) => [self.n_rows, self.capacity].iter().all(|&own| own as usize == n),
            None => self.capacity as usize <= self.bytes.len() + 64,
        };
        if self.n_rows > self.capacity || !has_room || n_bytes != Some(self.bytes.len()) {
            return false;
        }
        let mut apart = self.exact.iter().flat_map(|exact| exact.columns.iter());
        let fit = |c: usize| (0..self.n_rows()).all(|row| fits(self.signed(c, row)));
        (0..n_columns).all(|c| self.head(c).width < 16 || fit(c))
            && apart.all(|(&c, sums)| {
                let is_sum = (c as usize).checked_sub(1).and_then(|c| is_sum.get(c));
                is_sum == Some(&true) && sums.len() == self.n_rows()
            })
    }

    /// Whether the ticks ascend and lie in a range.
    pub(super) fn ascends_within(&self, ticks: &Range<i64>) -> bool {
        let rows = 0..self.n_rows();
        let far = |row| self.get(0, row) > ticks.start.abs_diff(ticks.end);
        !rows.clone().any(far)
            && rows.clone().all(|row| ticks.contains(&self.tick(row)))
            && rows.skip(1).all(|row| self.tick(row - 1) < self.tick(row))
    }
}

/// Calls `tell` with each cell.
#[inline]
fn each<const WIDTH: usize>(cells: &[u8], mut tell: impl FnMut([u8; WIDTH])) {
    for &cell in cells.as_chunks().0 {
        tell(cell);
    }
}

#[inline]
fn point<const WIDTH: usize>(
    cells: &[u8],
    is_before: impl Fn([u8; WIDTH]) -> bool,
) -> usize {
    cells.as_chunks().0.partition_point(|&cell| is_before(cell))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// The same with nothing narrow about it.
    #[derive(Default)]
    struct Plain(BTreeMap<i64, (u64, ExactSum, u64)>);

    fn check(ring: &Ring, plain: &Plain) {
        assert!(ring.is_valid(&[false, true, false], None));
        assert!(ring.ascends_within(&(i64::MIN..i64::MAX)));
        let ticks: Vec<i64> = (0..ring.n_rows()).map(|row| ring.tick(row)).collect();
        assert_eq!(ticks, plain.0.keys().copied().collect::<Vec<_>>());
        let n = ticks.len();
        for (from, to) in [(0, n), (n / 3, n), (n / 3, n - n / 4), (n, n)] {
            let rows = || plain.0.values().skip(from).take(to - from);
            assert_eq!(ring.count(1, from..to), rows().map(|row| row.0).sum::<u64>());
            let mut sum = ExactSum::new();
            rows().for_each(|row| sum.merge(&row.1));
            let value = sum.value().clamp(f64::MIN, f64::MAX);
            assert_eq!(ring.total(2, from..to).value().to_bits(), value.to_bits());
        }
        for (row, (&tick, plain)) in plain.0.iter().enumerate() {
            assert_eq!(ring.get(3, row), plain.2);
            assert_eq!([tick, tick + 1].map(|tick| ring.before(tick)), [row, row + 1]);
        }
        let found = |last| ring.find(3, 0..n, last);
        let set: Vec<usize> = (0..n).filter(|&row| ring.get(3, row) > 0).collect();
        assert_eq!(
            [found(false), found(true)],
            [set.first(), set.last()].map(|x| x.copied())
        );
    }

    #[test]
    fn narrow_columns_hold_what_wide_ones_would() {
        for seed in 0..60 {
            let mut random = Random::new(seed, 0);
            let mut ring = Ring::new(&[false, true, false]);
            let mut plain = Plain::default();
            let reach = 10_u64.pow(1 + (seed % 7) as u32);
            let mut keep = i64::MIN;
            for step in 0..200 {
                let tick =
                    (random.bits() % reach) as i64 - 5 + step / 8 * (reach as i64 / 20);
                keep = keep.max(tick - reach as i64);
                if tick < keep {
                    continue;
                }
                let is_new = !plain.0.contains_key(&tick);
                let (row, _) = ring.row_of(tick, keep);
                if is_new {
                    plain.0.retain(|&tick, _| tick >= keep);
                }
                let same = plain.0.entry(tick).or_insert((0, ExactSum::new(), 0));
                let x = match seed % 5 {
                    0 => (random.bits() % 100) as f64,
                    1 => (random.bits() % 100_000) as f64 / 100.0,
                    2 => random.unit() - 0.5,
                    3 => f64::from_bits(random.bits() >> 2) * 1e200,
                    _ => -((random.bits() % 1000) as f64) * 1e15,
                };
                let count = ring.get(1, row) + random.bits() % 3;
                ring.set(1, row, count);
                same.0 = count;
                ring.add(2, row, x);
                same.1.add(x);
                if step % 5 == 0 {
                    same.2 = random.bits() >> (random.bits() % 64);
                    ring.set(3, row, same.2);
                }
                if step % 10 == 0 {
                    check(&ring, &plain);
                }
            }
            check(&ring, &plain);
            let apart = ring.exact.is_some();
            assert_eq!(apart, seed % 5 == 3, "{seed}");
            let json = serde_json::to_string(&ring).unwrap();
            assert_eq!(serde_json::from_str::<Ring>(&json).unwrap(), ring);
        }
    }

    #[test]
    fn thirty_days_take_few_bytes() {
        let mut ring = Ring::new(&[false, true]);
        for day in 20_000..20_365 {
            let (row, _) = ring.row_of(day, day - 29);
            for order in 0..3 {
                let count = ring.get(1, row) + 1;
                ring.set(1, row, count);
                ring.add(2, row, (day * 7 + order * 1999) as f64);
            }
        }
        assert_eq!(ring.n_rows(), 30);
        assert!(ring.heap_size() <= 12 + 36 * 6, "{}", ring.heap_size());
    }

    #[test]
    fn altered_rings_are_found_out() {
        let mut ring = Ring::new(&[true]);
        (0..20).for_each(|tick| {
            let (row, _) = ring.row_of(tick * 3, 0);
            ring.add(1, row, 0.1);
        });
        let ticks = -1000..1000;
        let is_fine =
            |ring: &Ring| ring.is_valid(&[true], None) && ring.ascends_within(&ticks);
        assert!(
            is_fine(&ring) && !ring.is_valid(&[false], None) && !ring.is_valid(&[], None)
        );
        let altered: [fn(&mut Ring); 10] = [
            |ring| ring.n_rows = 1000,
            |ring| ring.capacity += 1,
            |ring| ring.bytes = ring.bytes[..ring.bytes.len() - 1].into(),
            |ring| ring.bytes = [].into(),
            |ring| ring.bytes[0] = 3,
            |ring| ring.bytes[0] = 0,
            |ring| ring.bytes[HEAD + 3] = 0x70,
            |ring| ring.bytes[2 * HEAD + 5] = 0,
            |ring| ring.base = i64::MAX,
            |ring| {
                *ring =
                    Ring { capacity: u32::MAX, n_rows: u32::MAX, ..Ring::new(&[true]) }
            },
        ];
        for (i, alter) in altered.iter().enumerate() {
            let mut ring = ring.clone();
            alter(&mut ring);
            assert!(!is_fine(&ring), "{i}");
        }
    }
}
