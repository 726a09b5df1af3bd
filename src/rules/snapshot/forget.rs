//! Customers who are to be forgotten.

use super::difference::{Causes, Difference, Matched};
use super::plane::Truths;
use super::{Snapshot, Stays};
use crate::data::CustomerId;

impl Snapshot {
    /// Erases all that is kept of a customer, and says whether something was. Counts
    /// and comparisons are afterwards as if she had never been there; so she
    /// has arrived when a later snapshot knows her.
    ///
    /// ```
    /// use segmenta::data::{FeatureSpec, Ids, Schema, Table};
    /// use segmenta::rules::{RuleBook, field};
    ///
    /// let schema = Schema::new([FeatureSpec::number("orders")])?;
    /// let book = RuleBook::builder(&schema)
    ///     .segment("loyal", "Loyal", field("orders").ge(3))
    ///     .build()?;
    /// let ids = Ids::Numbers(vec![7, 8, 9].into());
    /// let table = Table::builder(&schema, 3).numbers("orders", vec![5.0, 6.0, 1.0]).ids(ids);
    /// let mut snapshot = book.snapshot(&table.build()?)?;
    /// assert!(snapshot.forget(8));
    /// assert!(!snapshot.forget(8));
    /// assert_eq!((snapshot.len(), snapshot.segment("loyal").unwrap().count().members), (2, 1));
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    pub fn forget<'i>(&mut self, customer: impl Into<CustomerId<'i>>) -> bool {
        let Some(place) = self.ids.remove(customer.into()) else { return false };
        for taken in &mut self.segments {
            taken.members.remove(place);
            taken.undecided.remove(place);
        }
        true
    }
}

impl Difference {
    /// Erases all that is kept of a customer, and says whether something was.
    pub fn forget<'i>(&mut self, customer: impl Into<CustomerId<'i>>) -> bool {
        let Some(place) = self.ids.remove(customer.into()) else { return false };
        if let Some(places) = &mut self.places {
            places.retain(|&other| other != place);
            places
                .iter_mut()
                .filter(|other| **other > place)
                .for_each(|other| *other -= 1);
        }
        self.present.iter_mut().for_each(|plane| plane.remove(place));
        for Matched { before, after, causes, .. } in &mut self.segments {
            for Truths { members, undecided } in [before, after] {
                members.remove(place);
                undecided.remove(place);
            }
            if let Some(Causes { time, definition }) = causes {
                time.remove(place);
                definition.remove(place);
            }
        }
        true
    }
}

impl Stays {
    /// Erases all that is kept of a customer, and says whether something was. If an update
    /// knows her again, she enters anew.
    pub fn forget<'i>(&mut self, customer: impl Into<CustomerId<'i>>) -> bool {
        let customer = customer.into();
        let mut was_kept = false;
        for stay in &mut self.segments {
            if let Some(place) = stay.ids.remove(customer) {
                stay.since.remove(place);
                was_kept = true;
            }
        }
        was_kept
    }
}
