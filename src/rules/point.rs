//! Asks a compiled rule about one customer.

use super::behaviour::unbound;
use super::compile::{Compiled, CompiledRule, Label, Question, YES};
use super::context::Context;
use super::leaf::{Leaf, Source, fault};
use crate::data::{Customer, Date, FeatureIndex, Value};
use crate::error::{Error, Result};
use crate::segmenter::Truth;

impl CompiledRule {
    /// Whether the customer is a member: whether the rule is True. Allocates nothing,
    /// but for `distinct`. For a customer of known type the reads are inlined; `&dyn Customer` works as well.
    ///
    /// # Errors
    /// When a value that is looked at is of another kind than its feature, is NaN or
    /// infinite, or is not among the feature's levels; the error names the feature.
    pub fn holds<C: Customer + ?Sized>(&self, customer: &C) -> Result<bool> {
        self.rule.holds(customer, &Context::new(self.bound.as_deref()))
    }

    /// The truth of the rule for the customer. Allocates nothing. For those who are no
    /// members it asks twice, and may look at values at which
    /// [`holds`](CompiledRule::holds) need not look.
    ///
    /// # Errors
    /// As [`holds`](CompiledRule::holds).
    pub fn truth<C: Customer + ?Sized>(&self, customer: &C) -> Result<Truth> {
        self.rule.truth(customer, &Context::new(self.bound.as_deref()))
    }
}

impl Compiled {
    #[inline]
    pub(super) fn holds<C: Customer + ?Sized>(
        &self,
        customer: &C,
        context: &Context<'_>,
    ) -> Result<bool> {
        self.run(self.holds, customer, context)
    }

    pub(super) fn truth<C: Customer + ?Sized>(
        &self,
        customer: &C,
        context: &Context<'_>,
    ) -> Result<Truth> {
        if self.run(self.holds, customer, context)? {
            Ok(Truth::True)
        } else if self.run(self.fails, customer, context)? {
            Ok(Truth::False)
        } else {
            Ok(Truth::Unknown)
        }
    }

    /// Follows the program from `entry`. Recursion is as deep as `at_least` in the rule.
    #[inline]
    pub(super) fn run<C: Customer + ?Sized>(
        &self,
        entry: Label,
        customer: &C,
        context: &Context<'_>,
    ) -> Result<bool> {
        let mut at = entry;
        // Both ends lie beyond the last step. Going on is a loop of its own, so that the
        // processor can guess it and need not wait for each answer.
        'jumps: while let Some(steps) = self.program.steps.get(at as usize..) {
            for step in steps {
                // The commonest questions stay in this loop, which is small that way.
                let yes = match step.question {
                    Question::Range { feature, lo, hi, truth, missing } => {
                        match customer.value(feature) {
                            // The ends are finite, so that what lies between them is. Both
                            // are compared: one guess of the processor instead of two.
                            Value::Number(x) if (lo <= x) & (x <= hi) => truth,
                            Value::Number(x) if x.is_finite() => !truth,
                            Value::Missing => missing,
                            value => return Err(self.fault(feature, value)),
                        }
                    }
                    Question::Flag { feature, yes, no, missing } => {
                        match customer.value(feature) {
                            Value::Flag(true) => yes,
                            Value::Flag(false) => no,
                            Value::Missing => missing,
                            value => return Err(self.fault(feature, value)),
                        }
                    }
                    _ => self.answer(&step.question, customer, context)?,
                };
                if yes == step.jump_if {
                    at = step.target;
                    continue 'jumps;
                }
            }
            // The last step jumps.
            break;
        }
        Ok(at == YES)
    }

    /// The answer to a question that is not laid open.
    #[inline(never)]
    fn answer<C: Customer + ?Sized>(
        &self,
        question: &Question,
        customer: &C,
        context: &Context<'_>,
    ) -> Result<bool> {
        match *question {
            Question::Leaf { leaf, truth } => {
                let leaf = &self.leaves[leaf as usize];
                let Source::Feature(feature) = leaf.source else {
                    return Ok(self.test(leaf, customer, context)?.0 == truth);
                };
                if leaf.asks_today() {
                    return Ok(self.test(leaf, customer, context)?.0 == truth);
                }
                let value = customer.value(feature);
                // The commonest of them first: a name in a list.
                if let (Value::Category(name), Some(names)) = (value, leaf.names()) {
                    return Ok(names.position(name).is_some() == truth.is_true());
                }
                match leaf.test(&value, Date::MIN) {
                    Some(found) => Ok(found == truth),
                    None => Err(self.fault(feature, value)),
                }
            }
            Question::AtLeast { n, from, to } => {
                self.at_least(n, from, to, customer, context)
            }
            Question::Segment { rule, truth } => {
                Ok(context.truth(rule as usize, customer)? == truth)
            }
            Question::Jump | Question::Range { .. } | Question::Flag { .. } => Ok(true),
        }
    }

    fn at_least<C: Customer + ?Sized>(
        &self,
        n: u32,
        from: u32,
        to: u32,
        customer: &C,
        context: &Context<'_>,
    ) -> Result<bool> {
        let mut needed = n;
        for i in from..to {
            if needed > to - i {
                return Ok(false);
            }
            if self.run(self.program.entries[i as usize], customer, context)? {
                needed -= 1;
                if needed == 0 {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// The truth of a leaf, and the value that it tests.
    pub(super) fn test<'c, C: Customer + ?Sized>(
        &self,
        leaf: &Leaf,
        customer: &'c C,
        context: &Context<'c>,
    ) -> Result<(Truth, Value<'c>)> {
        let value = self.value(leaf, customer, context)?;
        let today = match (context.kept, context.bound) {
            (Some(kept), _) => kept.today(),
            (_, Some(bound)) => bound.today,
            _ if leaf.asks_today() => return Err(unbound()),
            _ => Date::MIN,
        };
        let truth = leaf.test(&value, today);
        let truth = truth.ok_or_else(|| self.fault_of(leaf, value))?;
        Ok((truth, value))
    }

    /// The value that a leaf tests.
    pub(super) fn value<'c, C: Customer + ?Sized>(
        &self,
        leaf: &Leaf,
        customer: &'c C,
        context: &Context<'c>,
    ) -> Result<Value<'c>> {
        match leaf.source {
            Source::Feature(feature) => Ok(customer.value(feature)),
            Source::Events(at) => {
                let behaviour = &self.behaviours[at as usize];
                if let Some(kept) = context.kept {
                    return Ok(kept.aggregate(behaviour.place));
                }
                // A behaviour's stream is one of the schema's.
                match self.schema.streams().get(behaviour.stream.get()) {
                    Some(stream) => behaviour.value(stream, customer, context.bound),
                    None => Ok(Value::Missing),
                }
            }
            Source::Computed(at) => {
                let computed = &self.computed[at as usize];
                match context.kept {
                    Some(kept) => Ok(kept.computed(computed.place)),
                    None => computed.value(&self.schema, customer, context.bound),
                }
            }
            Source::Score(at) => {
                let score = &self.scores[at as usize];
                self.score(score, customer, context).map(Value::Number)
            }
        }
    }

    /// Why a leaf cannot use a value.
    #[cold]
    pub(super) fn fault_of(&self, leaf: &Leaf, value: Value<'_>) -> Error {
        match leaf.source {
            Source::Feature(feature) => self.fault(feature, value),
            Source::Events(at) => fault(&self.behaviours[at as usize].spec, value),
            Source::Computed(at) => fault(&self.computed[at as usize].spec, value),
            Source::Score(at) => fault(&self.scores[at as usize].spec, value),
        }
    }

    #[cold]
    pub(super) fn fault(&self, feature: FeatureIndex, value: Value<'_>) -> Error {
        // A leaf's feature is one of the schema's.
        self.schema.get(feature).map_or_else(
            || Error::undefined("the test", "its feature is not in the schema"),
            |spec| fault(spec, value),
        )
    }
}
