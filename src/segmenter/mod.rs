//! The contract of a segmentation, and what can be done with any of them.
//!
//! [`Segmenter`] is what a segmentation can do, [`SegmenterExt`] what its callers want;
//! [`Fit`] learns one from a table. [`Assignment`] is the answer for one customer,
//! [`Explanation`] the reasons for it. [`Fallback`], [`Crosstab`] and [`Tree`] compose
//! segmenters, an [`Aligner`] carries segment ids from a model to its refit, and
//! [`Saved`] stores a model.

mod align;
mod assignment;
mod bound;
mod compose;
mod explain;
mod fit;
mod matching;
mod persist;
mod segment;

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::data::{Customer, Remapped, Schema, SchemaMap, Table};
use crate::error::{Error, Result};

pub(crate) use self::align::replace_segments;
pub use self::align::{Aligner, Alignment, Change, Relabel};
pub use self::assignment::Assignment;
pub use self::bound::Bound;
pub use self::compose::{Crosstab, Fallback, MemberRepr, Tree, TreeRepr};
pub use self::explain::{
    AxisScore, ClauseResult, Contribution, Explanation, Part, Reason, Truth,
};
pub use self::fit::{
    Fit, FitBoxed, FitReport, Fitted, Note, Observer, Progress, report_progress,
};
pub(crate) use self::persist::unsupported;
pub use self::persist::{Persist, Registry, Saved};
pub(crate) use self::segment::check_segments;
pub use self::segment::{Segment, SegmentId, SegmentIndex};

/// A ready-to-use segmentation: pure, thread-safe, object-safe.
///
/// Callers get more convenient methods from [`SegmenterExt`]. Authors of segmenters check
/// theirs with one call of `segmenta::conformance!` (feature `testing`), which makes a
/// named test for each clause.
///
/// # Contract
/// 1. [`assign_with`](Segmenter::assign_with) is a pure function of `self` and of the
///    values of the features, and of the events, in [`schema`](Segmenter::schema); and of the
///    customer's id where she is drawn by lot. It reads no clock, no environment, no randomness,
///    and does not depend on what the scratch held before.
/// 2. The assigned index is below `segments().len()`; ids of segments are unique.
/// 3. [`assign_table`](Segmenter::assign_table) equals `assign_with` row by row, to the
///    bit.
/// 4. `explain(c)?.assignment == assign_with(c)?`, and contributions sum to cost and
///    margin.
/// 5. No customer makes it panic: missing values, NaN, infinities, values of the wrong
///    kind and unknown categories give an answer or an error that names the feature.
/// 6. [`affinities_with`](Segmenter::affinities_with) gives values between 0 and 1, and
///    the assigned segment has the largest; without an assigned segment all are below 1.
pub trait Segmenter: Any + fmt::Debug + Send + Sync {
    /// The features that are read, in the order of their indices.
    fn schema(&self) -> &Schema;

    /// The segments, in canonical order. `segments()[i].id` is the durable key.
    fn segments(&self) -> &[Segment];

    /// The segment of one customer. Allocates nothing once the scratch has grown.
    ///
    /// The customer is seen through [`schema`](Segmenter::schema): feature `i` of the
    /// customer is feature `i` there. [`SegmenterExt::bind`] adapts a host's own schema.
    ///
    /// # Errors
    /// When a value cannot be used; the error names the feature.
    fn assign_with(
        &self,
        customer: &dyn Customer,
        scratch: &mut Scratch,
    ) -> Result<Assignment>;

    /// Why the customer is assigned as she is.
    ///
    /// # Errors
    /// As [`assign_with`](Segmenter::assign_with).
    fn explain(&self, customer: &dyn Customer) -> Result<Explanation>;

    /// The segments of all rows of a table, whose schema holds at least the features of
    /// [`schema`](Segmenter::schema), in any order. Wrappers must forward this.
    ///
    /// # Errors
    /// As [`assign_with`](Segmenter::assign_with), with the row; or when the table lacks
    /// a feature, or `out` has another length than the table.
    fn assign_table(&self, table: &Table<'_>, out: &mut [Assignment]) -> Result<()> {
        assign_rows(self.schema(), table, out, &|customer, scratch| {
            self.assign_with(customer, scratch)
        })
    }

    /// How much the customer belongs to each segment, from 0 to 1, into `out`, which has
    /// one place for each segment. By default 1 for the assigned segment and 0 for
    /// others. Wrappers must forward this.
    ///
    /// # Errors
    /// As [`assign_with`](Segmenter::assign_with), or when `out` has the wrong length.
    fn affinities_with(
        &self,
        customer: &dyn Customer,
        scratch: &mut Scratch,
        out: &mut [f64],
    ) -> Result<()> {
        check_affinities_len(self.segments().len(), out)?;
        let assignment = self.assign_with(customer, scratch)?;
        out.fill(0.0);
        if let Some(place) = assignment.segment().and_then(|s| out.get_mut(s.get())) {
            *place = 1.0;
        }
        Ok(())
    }

    /// What this segmenter can and cannot do. Wrappers must forward this.
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }
}

/// What a segmenter can and cannot do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// True when `assign` on a training row gives that row's label (the scikit-learn
    /// glossary's *inductive*); false when labels and assignments may differ
    /// (*transductive*), as for hierarchical clusterings.
    pub inductive: bool,
    /// True when a customer gets an answer whatever is missing; false when that may be an
    /// error.
    pub accepts_missing: bool,
    /// True when a customer may be in no segment.
    pub may_leave_out: bool,
}

impl Capabilities {
    /// Inductive, refuses missing values, assigns everybody.
    #[must_use]
    pub const fn new() -> Capabilities {
        Capabilities { inductive: true, accepts_missing: false, may_leave_out: false }
    }

    /// States whether `assign` on a training row gives its label.
    #[must_use]
    pub const fn inductive(mut self, inductive: bool) -> Capabilities {
        self.inductive = inductive;
        self
    }

    /// States whether customers get an answer whatever is missing.
    #[must_use]
    pub const fn accepts_missing(mut self, accepts: bool) -> Capabilities {
        self.accepts_missing = accepts;
        self
    }

    /// States whether a customer may be in no segment.
    #[must_use]
    pub const fn may_leave_out(mut self, may: bool) -> Capabilities {
        self.may_leave_out = may;
        self
    }
}

impl Default for Capabilities {
    fn default() -> Capabilities {
        Capabilities::new()
    }
}

/// Reusable working memory, owned by the caller: one for each thread, for any segmenters.
///
/// ```
/// use segmenta::segmenter::Scratch;
///
/// let mut scratch = Scratch::new();
/// scratch.floats(3).fill(1.0);
/// assert_eq!(scratch.floats(2).len(), 2);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    floats: Vec<f64>,
}

impl Scratch {
    /// Empty; it grows with its first use.
    #[must_use]
    pub const fn new() -> Scratch {
        Scratch { floats: Vec::new() }
    }

    /// `n` numbers of unspecified content.
    pub fn floats(&mut self, n: usize) -> &mut [f64] {
        if self.floats.len() < n {
            self.floats.resize(n, 0.0);
        }
        &mut self.floats[..n]
    }
}

macro_rules! forward {
    ($pointer:ident) => {
        impl<S: Segmenter + ?Sized> Segmenter for $pointer<S> {
            fn schema(&self) -> &Schema {
                (**self).schema()
            }

            fn segments(&self) -> &[Segment] {
                (**self).segments()
            }

            fn assign_with(
                &self,
                customer: &dyn Customer,
                scratch: &mut Scratch,
            ) -> Result<Assignment> {
                (**self).assign_with(customer, scratch)
            }

            fn explain(&self, customer: &dyn Customer) -> Result<Explanation> {
                (**self).explain(customer)
            }

            fn assign_table(
                &self,
                table: &Table<'_>,
                out: &mut [Assignment],
            ) -> Result<()> {
                (**self).assign_table(table, out)
            }

            fn affinities_with(
                &self,
                customer: &dyn Customer,
                scratch: &mut Scratch,
                out: &mut [f64],
            ) -> Result<()> {
                (**self).affinities_with(customer, scratch, out)
            }

            fn capabilities(&self) -> Capabilities {
                (**self).capabilities()
            }
        }
    };
}
forward!(Box);
forward!(Arc);

impl dyn Segmenter {
    /// True when the segmenter behind the pointer, or inside nested boxes, is an `M`.
    #[must_use]
    pub fn is<M: Segmenter>(&self) -> bool {
        (self.innermost() as &dyn Any).is::<M>()
    }

    /// The segmenter behind the pointer, if it is an `M`.
    #[must_use]
    pub fn downcast_ref<M: Segmenter>(&self) -> Option<&M> {
        (self.innermost() as &dyn Any).downcast_ref()
    }
}

/// Conveniences for callers of any [`Segmenter`]; there is nothing to implement.
pub trait SegmenterExt: Segmenter {
    /// The segment of one customer. Allocates a small scratch; in a loop, use
    /// [`Segmenter::assign_with`].
    ///
    /// # Errors
    /// When a value cannot be used; the error names the feature.
    fn assign<C: Customer + ?Sized>(&self, customer: &C) -> Result<Assignment> {
        self.assign_with(&customer, &mut Scratch::new())
    }

    /// The segments of all rows of a table.
    ///
    /// # Errors
    /// When a value cannot be used or the table lacks a feature; the error names the
    /// feature and the row.
    fn assign_all(&self, table: &Table<'_>) -> Result<Vec<Assignment>> {
        let mut out = vec![Assignment::none(); table.len()];
        self.assign_table(table, &mut out)?;
        Ok(out)
    }

    /// How much the customer belongs to each segment, from 0 to 1.
    ///
    /// # Errors
    /// When a value cannot be used; the error names the feature.
    fn affinities<C: Customer + ?Sized>(&self, customer: &C) -> Result<Vec<f64>> {
        let mut out = vec![0.0; self.segments().len()];
        self.affinities_with(&customer, &mut Scratch::new(), &mut out)?;
        Ok(out)
    }

    /// The segmenter for customers that are seen through the host's schema: compares the
    /// two once, and translates feature indices from then on.
    ///
    /// # Errors
    /// When the host's schema lacks a feature or describes it differently.
    fn bind<'s>(&'s self, host: &Schema) -> Result<Bound<'s, Self>> {
        Bound::new(self, host)
    }

    /// The segment of an assignment of this segmenter.
    fn segment_of(&self, assignment: &Assignment) -> Option<&Segment> {
        self.segments().get(assignment.segment()?.get())
    }

    /// Position of the segment with this id.
    fn index_of(&self, id: &SegmentId) -> Option<SegmentIndex> {
        let at = self.segments().iter().position(|s| s.id == *id)?;
        Some(SegmentIndex::new(at as u32))
    }
}

impl<S: Segmenter + ?Sized> SegmenterExt for S {}

/// How one customer is assigned; what [`assign_rows`] calls for each row.
pub(crate) type AssignOne<'f> =
    &'f (dyn Fn(&dyn Customer, &mut Scratch) -> Result<Assignment> + Sync);

/// Assigns row by row, in parallel over fixed blocks where the feature `rayon` is on. The
/// error of the first row wins, whatever the number of threads.
pub(crate) fn assign_rows(
    schema: &Schema,
    table: &Table<'_>,
    out: &mut [Assignment],
    assign: AssignOne<'_>,
) -> Result<()> {
    if out.len() != table.len() {
        return Err(Error::length("the output", table.len(), out.len()));
    }
    let map: Option<SchemaMap> = if table.schema() == schema {
        None
    } else {
        Some(schema.locate_in(table.schema())?)
    };
    crate::parallel::for_each_block(out, 1024, |start, block| {
        let mut scratch = Scratch::new();
        for (i, place) in block.iter_mut().enumerate() {
            let row = table.row(start + i);
            let assigned = match &map {
                None => assign(&row, &mut scratch),
                Some(map) => assign(&Remapped::new(&row, map), &mut scratch),
            };
            *place = assigned.map_err(|e| e.at_row(start + i))?;
        }
        Ok(())
    })
}

pub(crate) fn check_affinities_len(n_segments: usize, out: &[f64]) -> Result<()> {
    if out.len() == n_segments {
        Ok(())
    } else {
        Err(Error::length("the output", n_segments, out.len()))
    }
}
