//! What is computed of a customer and tested like a feature, but for aggregates of events.

use super::behaviour::unbound;
use super::bucket::Bucket;
use super::compile::Compiled;
use super::distance::Distance;
use super::ordered::Ordered;
use super::window::Bound;
use crate::data::{Customer, FeatureSpec, Ids, Schema, Table, Value};
use crate::error::{Error, Result};

/// Something that is computed of a customer, resolved against the schema.
#[derive(Clone, Debug)]
pub(super) struct Computed {
    pub(super) what: What,
    /// It, as if it were a feature.
    pub(super) spec: FeatureSpec,
    /// Place among the different ones of all rules.
    pub(super) place: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    /// A flag.
    Ordered(Ordered),
    /// A number of kilometres.
    Distance(Distance),
    /// A number from 0 to 1.
    Bucket(Bucket),
}

/// What it is called may have -0 for 0.
impl PartialEq for Computed {
    fn eq(&self, other: &Computed) -> bool {
        self.what == other.what && self.place == other.place
    }
}

impl Computed {
    /// It, of a customer.
    ///
    /// # Errors
    /// When a value that is looked at cannot be used, or no instant is bound where one is
    /// needed.
    pub(super) fn value<C: Customer + ?Sized>(
        &self,
        schema: &Schema,
        customer: &C,
        bound: Option<&Bound>,
    ) -> Result<Value<'static>> {
        Ok(match &self.what {
            What::Ordered(ordered) => {
                let bound = bound.ok_or_else(unbound)?;
                Value::Flag(ordered.holds(schema, customer, bound)?)
            }
            What::Distance(distance) => distance.value(customer)?.into(),
            What::Bucket(bucket) => Value::Number(bucket.draw(customer.id())),
        })
    }
}

/// The different ones of rules, by their places.
pub(super) fn computed<'r>(
    rules: impl IntoIterator<Item = &'r [Computed]>,
) -> impl Iterator<Item = &'r Computed> {
    // Places are given in the order in which rules are checked.
    let mut next = 0;
    rules.into_iter().flatten().filter(move |computed| {
        let is_new = computed.place == next;
        next += u32::from(is_new);
        is_new
    })
}

/// Checks that the rows of a table are told apart by more than their numbers, where rules draw
/// them by their ids.
pub(super) fn check_ids<'r>(
    table: &Table<'_>,
    mut rules: impl Iterator<Item = &'r Compiled>,
) -> Result<()> {
    if matches!(table.ids(), Ids::Rows) && rules.any(Compiled::draws) {
        let expected = "stated in the table, since the rules draw customers by them";
        return Err(Error::parameter("ids", expected, "absent"));
    }
    Ok(())
}
