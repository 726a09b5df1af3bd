//! `ndarray` views in and out of a table, without a copy where the layout allows.

use std::borrow::Cow;

use ndarray::{Array2, ArrayView1, ArrayView2, ShapeBuilder};

use super::{Column, FeatureIndex, FeatureKind, FeatureSpec, Numbers, Schema, Table};
use crate::error::{Error, Result};

impl<'a> Table<'a> {
    /// A table of numbers: shape `(n_rows, n_features)`, one number feature a column.
    ///
    /// Row-major and column-major arrays, and any view whose strides are positive inside
    /// one slice, are borrowed; others (a reversed axis, a broadcast) are copied.
    ///
    /// ```
    /// use segmenta::data::{FeatureSpec, Schema, Table};
    /// use segmenta::ndarray::array;
    ///
    /// let x = array![[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]];
    /// let schema = Schema::new(["a", "b"].map(FeatureSpec::number))?;
    /// let table = Table::from_array(&schema, x.view())?;
    /// assert_eq!(table.to_array()?, x);
    /// assert_eq!(table.number_view("b")?.sum(), 60.0);
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the number of columns differs from the schema's, a feature is not a number,
    /// or an element is NaN or infinite.
    pub fn from_array(schema: &Schema, array: ArrayView2<'a, f64>) -> Result<Table<'a>> {
        let (n_rows, n_columns) = array.dim();
        if n_columns != schema.len() {
            return Err(Error::length("the second axis", schema.len(), n_columns));
        }
        let mut builder = Table::builder(schema, n_rows);
        for (j, spec) in schema.features().iter().enumerate() {
            builder = builder.numbers(spec.name(), borrow_column(array, j));
        }
        builder.build()
    }

    /// The number features of all rows, shape `(n_rows, n_number_features)`, in the
    /// schema's order; features of other kinds are left out.
    ///
    /// # Errors
    /// When a number is missing.
    pub fn to_array(&self) -> Result<Array2<f64>> {
        let columns: Vec<(&FeatureSpec, FeatureIndex)> = self
            .schema()
            .features()
            .iter()
            .zip(self.schema().indices())
            .filter(|(spec, _)| spec.kind() == FeatureKind::Number)
            .collect();
        let mut array = Array2::zeros((self.len(), columns.len()));
        for (j, (spec, index)) in columns.into_iter().enumerate() {
            if let Some(Column::Number(numbers, validity)) = self.column(index) {
                for (row, x) in numbers.iter().enumerate() {
                    if !validity.is_valid(row) {
                        return Err(spec.missing(Some(row)));
                    }
                    array[(row, j)] = x;
                }
            }
        }
        Ok(array)
    }

    /// A number feature as a view of the column's own memory.
    ///
    /// # Errors
    /// When there is no such feature, it is not a number, or some of it is missing.
    pub fn number_view(&self, name: &str) -> Result<ArrayView1<'_, f64>> {
        let index = self.schema().require(name)?;
        let spec = &self.schema().features()[index.get()];
        let Some(Column::Number(numbers, validity)) = self.column(index) else {
            return Err(spec.wrong_kind("another kind", None));
        };
        if let Some(row) = (0..self.len()).find(|&row| !validity.is_valid(row)) {
            return Err(spec.missing(Some(row)));
        }
        let (data, offset, stride) = numbers.layout();
        let tail = data.get(offset..).unwrap_or(&[]);
        ArrayView1::from_shape(self.len().strides(stride), tail).map_err(Error::other)
    }
}

/// Column `j` of a matrix: lent when its strides are positive inside one slice.
fn borrow_column(array: ArrayView2<'_, f64>, j: usize) -> Numbers<'_> {
    let n_rows = array.nrows();
    let strides = [array.strides()[0], array.strides()[1]];
    let lent = || {
        let row_stride = usize::try_from(strides[0]).ok()?;
        let column_stride = usize::try_from(strides[1]).ok()?;
        Numbers::strided(memory(array)?, j * column_stride, row_stride, n_rows)
    };
    lent().unwrap_or_else(|| array.column(j).to_vec().into())
}

/// The elements of a matrix in memory order, if they fill one slice.
fn memory(array: ArrayView2<'_, f64>) -> Option<&[f64]> {
    array.to_slice_memory_order()
}

/// The elements of a matrix row by row: lent from a row-major one, copied from others.
pub(crate) fn row_major<'m, T: Copy>(matrix: &'m ArrayView2<'_, T>) -> Cow<'m, [T]> {
    match matrix.as_slice() {
        Some(slice) => Cow::Borrowed(slice),
        None => Cow::Owned(matrix.iter().copied().collect()),
    }
}
