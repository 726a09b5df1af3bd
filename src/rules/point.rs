//! Asks a compiled rule about one customer.

use super::behaviour::unbound;
use super::compile::{Compiled, CompiledRule};
use super::context::Context;
use super::jumps::{Label, Question, ShortName, Step, YES};
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
        self.run(self.program.holds, customer, context)
    }

    pub(super) fn truth<C: Customer + ?Sized>(
        &self,
        customer: &C,
        context: &Context<'_>,
    ) -> Result<Truth> {
        if self.run(self.program.holds, customer, context)? {
            Ok(Truth::True)
        } else if self.run(self.program.fails, customer, context)? {
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
        let mut rest = self.program.steps.get(entry as usize..).unwrap_or_default();
        let mut end = entry;
        macro_rules! step {
            () => {
                self.step(&mut rest, &mut end, customer, context)?
            };
        }
        // Of a known type eight copies of it: the processor guesses better where the branches
        // of one step are not those of the next. Behind a table of functions it is no use.
        let is_known = size_of::<&C>() == size_of::<usize>();
        while !(step!()
            || is_known
                && (step!()
                    || step!()
                    || step!()
                    || step!()
                    || step!()
                    || step!()
                    || step!()))
        {}
        Ok(end == YES)
    }

    /// Takes a step, and says whether there was none left.
    #[inline(always)]
    fn step<C: Customer + ?Sized>(
        &self,
        rest: &mut &[Step],
        end: &mut Label,
        customer: &C,
        context: &Context<'_>,
    ) -> Result<bool> {
        let Some((step, behind)) = rest.split_first() else { return Ok(true) };
        *rest = behind;
        // The commonest questions stay here, which is small that way.
        let goes_on = match step.question {
            Question::Range { feature, lo, hi, inside, missing } => {
                match customer.value(feature) {
                    Value::Number(x) => {
                        // Both are compared: one guess of the processor, not two.
                        let lies = (lo <= x) & (x <= hi);
                        // The ends are finite, so that what lies between them is.
                        if lies & inside {
                            return Ok(false);
                        }
                        if !lies && !x.is_finite() {
                            return Err(self.fault(feature, Value::Number(x)));
                        }
                        lies == inside
                    }
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
            Question::Names { feature, from, to, others, missing } => {
                match customer.value(feature) {
                    Value::Category(name) => {
                        let names = self.program.names.get(from as usize..to as usize);
                        let found = ShortName::find(names.unwrap_or_default(), name);
                        match found.map(|name| name.goes_on).or(others) {
                            Some(goes_on) => goes_on,
                            None => {
                                let name = Value::Category(name);
                                return Err(self.fault(feature, name));
                            }
                        }
                    }
                    Value::Missing => missing,
                    value => return Err(self.fault(feature, value)),
                }
            }
            _ => self.goes_on(&step.question, customer, context)?,
        };
        if !goes_on {
            // Both ends lie beyond the last step. That one always jumps.
            *end = step.jump;
            *rest = behind.get(step.jump as usize..).unwrap_or_default();
        }
        Ok(false)
    }

    /// Whether a question that is not laid open goes on.
    #[inline(never)]
    fn goes_on<C: Customer + ?Sized>(
        &self,
        question: &Question,
        customer: &C,
        context: &Context<'_>,
    ) -> Result<bool> {
        match *question {
            Question::Leaf { leaf, truth, on } => {
                let leaf = &self.leaves[leaf as usize];
                Ok((self.leaf(leaf, customer, context)? == truth) == on)
            }
            Question::AtLeast { n, from, to, on } => {
                Ok(self.at_least(n, from, to, customer, context)? == on)
            }
            Question::Segment { rule, truth, on } => {
                Ok((context.truth(rule as usize, customer)? == truth) == on)
            }
            Question::Jump
            | Question::Range { .. }
            | Question::Flag { .. }
            | Question::Names { .. } => Ok(false),
        }
    }

    /// The truth of a leaf that is not laid open.
    #[inline]
    fn leaf<C: Customer + ?Sized>(
        &self,
        leaf: &Leaf,
        customer: &C,
        context: &Context<'_>,
    ) -> Result<Truth> {
        let Source::Feature(feature) = leaf.source else {
            return Ok(self.test(leaf, customer, context)?.0);
        };
        if leaf.asks_today() {
            return Ok(self.test(leaf, customer, context)?.0);
        }
        let value = customer.value(feature);
        // The commonest of them first: a name in a list.
        if let (Value::Category(name), Some(names)) = (value, leaf.names()) {
            return Ok(names.position(name).is_some().into());
        }
        leaf.test(&value, Date::MIN).ok_or_else(|| self.fault(feature, value))
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
