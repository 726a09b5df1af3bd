//! Columns in Arrow's shapes, borrowed where the host has them, owned where not.

use std::borrow::Cow;

use super::value::Tags;
use super::{CustomerId, Date, Value};

/// A column of `f64`, with a stride, so that a column of a row-major matrix can be lent.
#[derive(Clone, Debug)]
pub struct Numbers<'a> {
    data: Cow<'a, [f64]>,
    offset: usize,
    stride: usize,
    len: usize,
}

impl<'a> Numbers<'a> {
    /// Every `stride`-th number of `data`, `len` of them, from `offset` on. `None` when
    /// `data` is too short or `stride` is 0.
    #[must_use]
    pub fn strided(
        data: &'a [f64],
        offset: usize,
        stride: usize,
        len: usize,
    ) -> Option<Numbers<'a>> {
        let fits = len == 0
            || (stride > 0
                && (len - 1)
                    .checked_mul(stride)
                    .and_then(|last| last.checked_add(offset))
                    .is_some_and(|last| last < data.len()));
        fits.then_some(Numbers { data: Cow::Borrowed(data), offset, stride, len })
    }

    /// How many numbers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The number of a row.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<f64> {
        if row < self.len {
            self.data.get(self.offset + row * self.stride).copied()
        } else {
            None
        }
    }

    /// The numbers as one slice, if they are neighbours in memory.
    #[must_use]
    pub fn as_slice(&self) -> Option<&[f64]> {
        if self.len == 0 {
            return Some(&[]);
        }
        if self.stride == 1 {
            self.data.get(self.offset..self.offset + self.len)
        } else {
            None
        }
    }

    /// The numbers in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = f64> + '_ {
        // In range: `strided` checked the last position.
        (0..self.len).map(|row| self.data[self.offset + row * self.stride])
    }

    pub(super) fn layout(&self) -> (&[f64], usize, usize) {
        (&self.data, self.offset, self.stride)
    }
}

impl<'a> From<&'a [f64]> for Numbers<'a> {
    fn from(data: &'a [f64]) -> Self {
        Numbers { len: data.len(), data: Cow::Borrowed(data), offset: 0, stride: 1 }
    }
}

impl<'a> From<&'a Vec<f64>> for Numbers<'a> {
    fn from(data: &'a Vec<f64>) -> Self {
        data.as_slice().into()
    }
}

impl From<Vec<f64>> for Numbers<'_> {
    fn from(data: Vec<f64>) -> Self {
        Numbers { len: data.len(), data: Cow::Owned(data), offset: 0, stride: 1 }
    }
}

/// A column of flags: one `bool` each, or Arrow's bits (least significant first).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Flags<'a> {
    /// One `bool` a row.
    Bools(Cow<'a, [bool]>),
    /// One bit a row, least significant first, as Arrow lays them out.
    Bits(&'a [u8]),
}

impl Flags<'_> {
    /// The flag of a row.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<bool> {
        match self {
            Flags::Bools(bools) => bools.get(row).copied(),
            Flags::Bits(bytes) => {
                bytes.get(row / 8).map(|byte| byte >> (row % 8) & 1 == 1)
            }
        }
    }

    pub(super) fn holds(&self, n_rows: usize) -> bool {
        match self {
            Flags::Bools(bools) => bools.len() == n_rows,
            Flags::Bits(bytes) => bytes.len() >= n_rows.div_ceil(8),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Flags::Bools(bools) => bools.len(),
            Flags::Bits(bytes) => bytes.len() * 8,
        }
    }
}

impl<'a> From<&'a [bool]> for Flags<'a> {
    fn from(bools: &'a [bool]) -> Self {
        Flags::Bools(Cow::Borrowed(bools))
    }
}

impl From<Vec<bool>> for Flags<'_> {
    fn from(bools: Vec<bool>) -> Self {
        Flags::Bools(Cow::Owned(bools))
    }
}

/// Which rows of a column hold a value.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Validity<'a> {
    /// All of them.
    #[default]
    All,
    /// Those with `true`.
    Mask(Cow<'a, [bool]>),
    /// Those with a set bit, least significant first: Arrow's validity bitmap.
    Bits(&'a [u8]),
    /// Those that are not NaN. Only for columns of numbers, whose buffer uses that
    /// convention; without it a NaN is an error.
    NotNan,
}

impl Validity<'_> {
    /// True when the row holds a value.
    #[must_use]
    pub fn is_valid(&self, row: usize) -> bool {
        match self {
            Validity::All | Validity::NotNan => true,
            Validity::Mask(mask) => mask.get(row).copied().unwrap_or(false),
            Validity::Bits(bytes) => {
                bytes.get(row / 8).is_some_and(|byte| byte >> (row % 8) & 1 == 1)
            }
        }
    }

    /// True when every row holds a value, without looking at the rows.
    #[must_use]
    pub fn is_all(&self) -> bool {
        matches!(self, Validity::All)
    }

    pub(super) fn holds(&self, n_rows: usize) -> bool {
        match self {
            Validity::All | Validity::NotNan => true,
            Validity::Mask(mask) => mask.len() == n_rows,
            Validity::Bits(bytes) => bytes.len() >= n_rows.div_ceil(8),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Validity::All | Validity::NotNan => 0,
            Validity::Mask(mask) => mask.len(),
            Validity::Bits(bytes) => bytes.len() * 8,
        }
    }
}

/// The names that the codes of a column stand for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Levels<'a> {
    /// Names lent as `&str`.
    Strs(&'a [&'a str]),
    /// Names lent or owned as `String`.
    Strings(Cow<'a, [String]>),
}

impl Levels<'_> {
    /// How many names there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Levels::Strs(names) => names.len(),
            Levels::Strings(names) => names.len(),
        }
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name of a code.
    #[must_use]
    pub fn get(&self, code: usize) -> Option<&str> {
        match self {
            Levels::Strs(names) => names.get(code).copied(),
            Levels::Strings(names) => names.get(code).map(String::as_str),
        }
    }

    /// The names in order of their codes.
    pub fn iter(&self) -> impl Iterator<Item = &str> + '_ {
        (0..self.len()).filter_map(|code| self.get(code))
    }
}

impl<'a> From<&'a [&'a str]> for Levels<'a> {
    fn from(names: &'a [&'a str]) -> Self {
        Levels::Strs(names)
    }
}

impl<'a> From<&'a [String]> for Levels<'a> {
    fn from(names: &'a [String]) -> Self {
        Levels::Strings(Cow::Borrowed(names))
    }
}

impl From<Vec<String>> for Levels<'_> {
    fn from(names: Vec<String>) -> Self {
        Levels::Strings(Cow::Owned(names))
    }
}

/// A column of tags: Arrow's list of dictionary codes.
#[derive(Clone, Debug)]
pub struct TagColumn<'a> {
    offsets: Cow<'a, [u32]>,
    codes: Cow<'a, [u32]>,
    levels: Levels<'a>,
}

impl<'a> TagColumn<'a> {
    /// Row `i` has the codes from `offsets[i]` up to `offsets[i + 1]`.
    pub fn new(
        offsets: impl Into<Cow<'a, [u32]>>,
        codes: impl Into<Cow<'a, [u32]>>,
        levels: impl Into<Levels<'a>>,
    ) -> TagColumn<'a> {
        TagColumn { offsets: offsets.into(), codes: codes.into(), levels: levels.into() }
    }

    /// The names that the codes stand for.
    #[must_use]
    pub fn levels(&self) -> &Levels<'a> {
        &self.levels
    }

    /// The codes of a row; none for a row beyond the column.
    #[must_use]
    pub fn codes_of(&self, row: usize) -> &[u32] {
        let bounds = self.offsets.get(row..).and_then(|rest| rest.first_chunk());
        bounds
            .and_then(|&[from, to]| self.codes.get(from as usize..to as usize))
            .unwrap_or(&[])
    }

    pub(super) fn offsets(&self) -> &[u32] {
        &self.offsets
    }

    pub(super) fn codes(&self) -> &[u32] {
        &self.codes
    }
}

/// The identities of the rows of a table.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Ids<'a> {
    /// Each row's number, from 0.
    #[default]
    Rows,
    /// Numbers.
    Numbers(Cow<'a, [u64]>),
    /// Texts.
    Texts(Levels<'a>),
}

impl Ids<'_> {
    /// The identity of a row.
    #[must_use]
    pub fn get(&self, row: usize) -> CustomerId<'_> {
        let named = match self {
            Ids::Rows => None,
            Ids::Numbers(ids) => ids.get(row).map(|&id| CustomerId::Number(id)),
            Ids::Texts(ids) => ids.get(row).map(CustomerId::Text),
        };
        named.unwrap_or(CustomerId::Number(row as u64))
    }

    pub(super) fn len(&self) -> Option<usize> {
        match self {
            Ids::Rows => None,
            Ids::Numbers(ids) => Some(ids.len()),
            Ids::Texts(ids) => Some(ids.len()),
        }
    }
}

/// One feature of all rows, after the checks of the table.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Column<'a> {
    /// Of a number.
    Number(Numbers<'a>, Validity<'a>),
    /// Of a flag.
    Flag(Flags<'a>, Validity<'a>),
    /// Of a category or ordinal: codes into the column's own list of levels.
    Category(Cow<'a, [u32]>, Levels<'a>, Validity<'a>),
    /// Of a date: days since 1970-01-01.
    Date(Cow<'a, [i32]>, Validity<'a>),
    /// Of tags.
    Tags(TagColumn<'a>, Validity<'a>),
}

impl Column<'_> {
    /// Which rows hold a value.
    #[must_use]
    pub fn validity(&self) -> &Validity<'_> {
        match self {
            Column::Number(_, v)
            | Column::Flag(_, v)
            | Column::Category(_, _, v)
            | Column::Date(_, v)
            | Column::Tags(_, v) => v,
        }
    }

    /// How many rows it holds; where flags are bits, how many it may hold.
    pub(super) fn len(&self) -> usize {
        match self {
            Column::Number(numbers, _) => numbers.len(),
            Column::Flag(flags, _) => flags.len(),
            Column::Category(codes, ..) => codes.len(),
            Column::Date(days, _) => days.len(),
            Column::Tags(tags, _) => tags.offsets().len().saturating_sub(1),
        }
    }

    /// The value of a row; missing for a row beyond the column.
    #[must_use]
    pub fn value(&self, row: usize) -> Value<'_> {
        if !self.validity().is_valid(row) {
            return Value::Missing;
        }
        match self {
            Column::Number(numbers, Validity::NotNan) => {
                numbers.get(row).filter(|x| !x.is_nan()).into()
            }
            Column::Number(numbers, _) => numbers.get(row).into(),
            Column::Flag(flags, _) => flags.get(row).into(),
            Column::Category(codes, levels, _) => {
                codes.get(row).and_then(|&code| levels.get(code as usize)).into()
            }
            Column::Date(days, _) => {
                days.get(row).and_then(|&d| Date::from_days(d).ok()).into()
            }
            Column::Tags(column, _) => match u32::try_from(row) {
                Ok(row) => Value::Tags(Tags::of_column(column, row)),
                Err(_) => Value::Missing,
            },
        }
    }

    pub(super) fn kind_name(&self) -> &'static str {
        match self {
            Column::Number(..) => "number",
            Column::Flag(..) => "flag",
            Column::Category(..) => "category",
            Column::Date(..) => "date",
            Column::Tags(..) => "tags",
        }
    }
}
