//! A segmenter seen through a host's schema.

use super::{Assignment, Explanation, Scratch, Segmenter};
use crate::data::{Customer, Remapped, Schema, SchemaMap};
use crate::error::Result;

/// A borrowed segmenter for customers that are seen through the host's schema, made by
/// [`SegmenterExt::bind`](super::SegmenterExt::bind).
///
/// ```
/// use segmenta::SegmenterExt;
/// use segmenta::data::{FeatureSpec, OwnedCustomer, Schema};
/// use segmenta::rules::{RuleSegmenter, field};
///
/// let orders = FeatureSpec::number("orders");
/// let model = RuleSegmenter::builder(&Schema::new([orders.clone()])?)
///     .segment("vip", "VIP", field("orders").ge(20.0))
///     .build()?;
/// let host = Schema::new([FeatureSpec::flag("member"), orders])?;
/// let bound = model.bind(&host)?;
/// let ann = OwnedCustomer::new(&host, 1).set("orders", 21.0)?;
/// assert!(bound.assign(&ann)?.segment().is_some());
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Debug)]
pub struct Bound<'s, S: ?Sized> {
    segmenter: &'s S,
    /// For each feature of the segmenter, its index in the host's schema.
    map: SchemaMap,
}

impl<'s, S: Segmenter + ?Sized> Bound<'s, S> {
    pub(super) fn new(segmenter: &'s S, host: &Schema) -> Result<Bound<'s, S>> {
        Ok(Bound { segmenter, map: segmenter.schema().locate_in(host)? })
    }

    /// The segmenter inside.
    #[must_use]
    pub fn segmenter(&self) -> &'s S {
        self.segmenter
    }

    /// The segment of one customer.
    ///
    /// # Errors
    /// When a value cannot be used; the error names the feature.
    pub fn assign<C: Customer + ?Sized>(&self, customer: &C) -> Result<Assignment> {
        self.assign_with(&customer, &mut Scratch::new())
    }

    /// The segment of one customer, without allocating.
    ///
    /// # Errors
    /// When a value cannot be used; the error names the feature.
    pub fn assign_with(
        &self,
        customer: &dyn Customer,
        scratch: &mut Scratch,
    ) -> Result<Assignment> {
        self.segmenter.assign_with(&Remapped::new(customer, &self.map), scratch)
    }

    /// Why the customer is assigned as she is.
    ///
    /// # Errors
    /// When a value cannot be used; the error names the feature.
    pub fn explain(&self, customer: &dyn Customer) -> Result<Explanation> {
        self.segmenter.explain(&Remapped::new(customer, &self.map))
    }

    /// How much the customer belongs to each segment, from 0 to 1.
    ///
    /// # Errors
    /// When a value cannot be used, or `out` has the wrong length.
    pub fn affinities_with(
        &self,
        customer: &dyn Customer,
        scratch: &mut Scratch,
        out: &mut [f64],
    ) -> Result<()> {
        self.segmenter.affinities_with(&Remapped::new(customer, &self.map), scratch, out)
    }
}
