//! What rules know while they are asked, besides the customer.

use std::cell::Cell;
use std::fmt;

use super::compile::Compiled;
use super::window::Bound;
use crate::data::{Customer, Date, Value};
use crate::error::{Error, Result};
use crate::segmenter::Truth;

/// For one customer: the answers of rules that others refer to are kept, so that each is
/// asked once however many refer to it.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) bound: Option<&'a Bound>,
    /// Where aggregates come from, if not from events.
    pub(super) kept: Option<&'a dyn Aggregates>,
    others: Option<Others<'a>>,
}

/// Aggregates of a customer's events that are known without them.
pub(super) trait Aggregates: fmt::Debug {
    /// The aggregate at a place among those of all rules.
    fn aggregate(&self, place: u32) -> Value<'_>;

    /// What else is computed, by its place among that of all rules.
    fn computed(&self, place: u32) -> Value<'_>;

    fn today(&self) -> Date;
}

/// The rules of a set, and what is known of them.
#[derive(Debug)]
struct Others<'a> {
    rules: &'a [Compiled],
    /// Two bits for each rule, for the first ones without allocation.
    few: [Cell<u64>; FEW],
    many: Vec<Cell<u64>>,
}

const FEW: usize = 8;
/// Rules of one word.
const RULES: usize = 32;

impl<'a> Context<'a> {
    /// For rules that refer to no others.
    pub(super) fn new(bound: Option<&'a Bound>) -> Context<'a> {
        Context { bound, kept: None, others: None }
    }

    /// With aggregates that are known.
    pub(super) fn with(self, kept: &'a dyn Aggregates) -> Context<'a> {
        Context { kept: Some(kept), ..self }
    }

    /// For rules that refer to each other by their positions.
    pub(super) fn among(bound: Option<&'a Bound>, rules: &'a [Compiled]) -> Context<'a> {
        let n_more = rules.len().div_ceil(RULES).saturating_sub(FEW);
        let many = vec![Cell::new(0); n_more];
        let others = Others { rules, few: [const { Cell::new(0) }; FEW], many };
        Context { bound, kept: None, others: Some(others) }
    }

    /// The truth of the rule at a position.
    pub(super) fn truth<C: Customer + ?Sized>(
        &self,
        rule: usize,
        customer: &C,
    ) -> Result<Truth> {
        let found = self.others.as_ref().and_then(|others| {
            let word = rule / RULES;
            let word = others.few.get(word).or_else(|| others.many.get(word - FEW))?;
            Some((others.rules.get(rule)?, word))
        });
        let Some((rule_at, word)) = found else {
            // A set's rules refer only to rules of the set.
            return Err(Error::undefined("the segment", "it is not in the set"));
        };
        let shift = rule % RULES * 2;
        let known = match word.get() >> shift & 3 {
            0 => None,
            1 => Some(Truth::False),
            2 => Some(Truth::Unknown),
            _ => Some(Truth::True),
        };
        if let Some(truth) = known {
            return Ok(truth);
        }
        let truth = rule_at.truth(customer, self)?;
        let bits = match truth {
            Truth::False => 1,
            Truth::Unknown => 2,
            Truth::True => 3,
        };
        word.set(word.get() | bits << shift);
        Ok(truth)
    }
}
