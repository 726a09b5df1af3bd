//! Fitted tiers of customers.

use serde::{Deserialize, Serialize};

use super::choice::AnyPurchaseModel;
use super::gamma_gamma::GammaGamma;
use super::histories::PurchaseHistories;
use super::history::PurchaseHistory;
use super::model::{PurchaseModel, check_time, for_all};
use super::spend::SpendHistory;
use super::value::LifetimeValue;
use crate::data::{Customer, FeatureIndex, FeatureKind, FeatureSpec, Schema, Value};
use crate::error::{Error, ErrorKind, Result};
use crate::history::TimeUnit;
use crate::score::number_of;
use crate::segmenter::{
    Assignment, AxisScore, Explanation, Persist, Reason, Registry, Relabel, Scratch,
    Segment, SegmentIndex, Segmenter, check_segments, replace_segments,
};

/// By what customers are cut into tiers. Horizons are in units of the table's time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Measure {
    /// Lifetime value, in the money of the spend.
    Value(LifetimeValue),
    /// Purchases to be expected.
    ExpectedPurchases {
        /// Up to when.
        horizon: f64,
    },
    /// The probability of no purchase.
    ProbabilityOfNoPurchase {
        /// Up to when.
        horizon: f64,
    },
}

/// The columns that all measures read; the last one is that of spend.
const COLUMNS: [&str; 4] =
    ["repeat_purchases", "age_at_last_purchase", "age", "mean_repeat_spend"];

impl Measure {
    pub(super) fn validate(&self) -> Result<()> {
        match self {
            Measure::Value(value) => value.validate(),
            Measure::ExpectedPurchases { horizon }
            | Measure::ProbabilityOfNoPurchase { horizon } => {
                check_time("horizon", *horizon).map(|_| ())
            }
        }
    }

    pub(super) fn columns(&self) -> &'static [&'static str] {
        match self {
            Measure::Value(_) => &COLUMNS,
            _ => &COLUMNS[..3],
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Measure::Value(_) => "customer_lifetime_value",
            Measure::ExpectedPurchases { .. } => "expected_purchases",
            Measure::ProbabilityOfNoPurchase { .. } => "probability_of_no_purchase",
        }
    }
}

/// How a customer's numbers become histories: where the columns of a schema are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'s> {
    host: &'s Schema,
    at: [FeatureIndex; 4],
    n: usize,
}

impl<'s> Reader<'s> {
    /// The columns of a measure: numbers, with ages in this unit where they name one.
    pub(super) fn new(
        host: &'s Schema,
        measure: &Measure,
        unit: TimeUnit,
    ) -> Result<Reader<'s>> {
        let names = measure.columns();
        let mut at = [FeatureIndex::new(0); 4];
        for (i, name) in names.iter().enumerate() {
            at[i] = host.require(name)?;
            let spec = &host.features()[at[i].get()];
            if spec.kind() != FeatureKind::Number {
                let what = format!("kind of feature `{name}`");
                return Err(Error::parameter(what, "number", spec.kind()));
            }
            let plural = unit.to_string();
            let is_time = (1..3).contains(&i);
            if let Some(named) =
                spec.get_unit().filter(|named| is_time && *named != plural)
            {
                let what = format!("unit of feature `{name}`");
                return Err(Error::parameter(what, plural, named));
            }
        }
        Ok(Reader { host, at, n: names.len() })
    }

    /// The columns of a model's own schema.
    fn of_model(host: &'s Schema) -> Reader<'s> {
        Reader { host, at: [0, 1, 2, 3].map(FeatureIndex::new), n: host.len().min(4) }
    }

    pub(super) fn specs(&self) -> impl Iterator<Item = &FeatureSpec> {
        self.at[..self.n].iter().map(|at| &self.host.features()[at.get()])
    }

    fn number(&self, customer: &dyn Customer, i: usize) -> Result<f64> {
        let at = self.at[i].get();
        number_of(customer, at, &self.host.features()[at])
    }

    /// The histories of a customer.
    pub(super) fn read(
        &self,
        customer: &dyn Customer,
    ) -> Result<(PurchaseHistory, SpendHistory)> {
        let x = self.number(customer, 0)?;
        let last = self.number(customer, 1)?;
        let age = self.number(customer, 2)?;
        if !(x >= 0.0 && x.fract() == 0.0 && x <= (1_u64 << 53) as f64) {
            return Err(ErrorKind::Value {
                expected: format!("a whole number of `{}`", COLUMNS[0]).into(),
                found: x.to_string(),
                row: None,
            }
            .into());
        }
        let history = PurchaseHistory::new(x as u64, last, age)?;
        if self.n < 4 || customer.value(self.at[3]) == Value::Missing {
            return Ok((history, SpendHistory::none()));
        }
        let mean = self.number(customer, 3)?;
        let spend = if history.frequency() > 0 && mean > 0.0 {
            SpendHistory::new(history.frequency(), mean)?
        } else {
            SpendHistory::none()
        };
        Ok((history, spend))
    }
}

/// Tiers of customers by what they will be worth, with fixed cut points; made by
/// [`LifetimeTiers`](super::LifetimeTiers).
///
/// It reads `repeat_purchases`, `age_at_last_purchase`, `age` and, for values,
/// `mean_repeat_spend`; of a customer whose mean spend is missing or not positive what is
/// expected of anybody is expected.
#[derive(Clone, Debug, PartialEq)]
pub struct LifetimeTierModel {
    schema: Schema,
    measure: Measure,
    unit: TimeUnit,
    purchases: AnyPurchaseModel,
    spend: Option<GammaGamma>,
    /// Descending: a tier's least value.
    cuts: Vec<f64>,
    segments: Vec<Segment>,
}

impl LifetimeTierModel {
    /// Without cut points yet.
    pub(super) fn unfinished(
        schema: Schema,
        measure: Measure,
        unit: TimeUnit,
        purchases: AnyPurchaseModel,
        spend: Option<GammaGamma>,
    ) -> Result<LifetimeTierModel> {
        measure.validate()?;
        let names = measure.columns();
        if schema.len() != names.len() {
            return Err(Error::length("the schema", names.len(), schema.len()));
        }
        if purchases.unit() != unit {
            return Err(Error::parameter(
                "unit of the model",
                unit.to_string(),
                purchases.unit(),
            ));
        }
        Reader::new(&schema, &measure, unit)?;
        if schema.features().iter().zip(names).any(|(spec, name)| spec.name() != *name) {
            return Err(Error::parameter("schema", names.join(", "), "another order"));
        }
        if matches!(measure, Measure::Value(_)) != spend.is_some() {
            return Err(Error::parameter(
                "spend model",
                "there for values, and for nothing else",
                if spend.is_some() { "there" } else { "not there" },
            ));
        }
        // A mean that does not exist is told now, and not by the first new customer.
        if let Some(spend) = &spend {
            spend.expected_customer_spend(&SpendHistory::none())?;
        }
        let (cuts, segments) = (Vec::new(), Vec::new());
        Ok(LifetimeTierModel { schema, measure, unit, purchases, spend, cuts, segments })
    }

    /// With cut points, descending, and a segment more than there are of these.
    pub(super) fn finished(
        mut self,
        cuts: Vec<f64>,
        segments: Vec<Segment>,
    ) -> Result<LifetimeTierModel> {
        if cuts.is_empty() || cuts.iter().any(|c| !c.is_finite()) {
            return Err(Error::parameter("cut points", "finite, at least one", "not so"));
        }
        if cuts.windows(2).any(|w| w[0] < w[1]) {
            return Err(Error::parameter("cut points", "descending", "not so"));
        }
        if segments.len() != cuts.len() + 1 {
            let needed = cuts.len() + 1;
            return Err(Error::length("the list of segments", needed, segments.len()));
        }
        check_segments(&segments)?;
        self.cuts = cuts;
        self.segments = segments;
        Ok(self)
    }

    /// By what customers are cut.
    #[must_use]
    pub fn measure(&self) -> &Measure {
        &self.measure
    }

    /// The model of purchases.
    #[must_use]
    pub fn purchases(&self) -> &AnyPurchaseModel {
        &self.purchases
    }

    /// The model of spend, where the measure is value.
    #[must_use]
    pub fn spend(&self) -> Option<&GammaGamma> {
        self.spend.as_ref()
    }

    /// The least value of each tier but the last, highest first.
    #[must_use]
    pub fn cut_points(&self) -> &[f64] {
        &self.cuts
    }

    /// The same with other cut points, descending, as many as there were: such as those that
    /// the business has agreed on.
    ///
    /// # Errors
    /// When they are not finite, not descending, or not as many.
    pub fn with_cut_points(self, cuts: Vec<f64>) -> Result<LifetimeTierModel> {
        let segments =
            self.segments.iter().map(|s| Segment::new(s.id.as_str(), s.name.clone()));
        let segments = segments.collect();
        self.finished(cuts, segments)
    }

    /// What a customer is measured by: a value, expected purchases or a probability.
    ///
    /// # Errors
    /// When a feature is missing or not a number, or the numbers are no history.
    pub fn measure_of(&self, customer: &dyn Customer) -> Result<f64> {
        let (history, spend) = Reader::of_model(&self.schema).read(customer)?;
        self.measured(&history, &spend)
    }

    fn measured(&self, history: &PurchaseHistory, spend: &SpendHistory) -> Result<f64> {
        match (&self.measure, &self.spend) {
            (Measure::Value(value), Some(model)) => {
                let spend = model.expected_customer_spend(spend)?;
                value.customer_lifetime_value(&self.purchases, history, spend)
            }
            (Measure::ProbabilityOfNoPurchase { horizon }, _) => {
                self.purchases.probability_of_n_purchases(history, 0, *horizon)
            }
            (Measure::ExpectedPurchases { horizon }, _) => {
                self.purchases.expected_purchases(history, *horizon)
            }
            (Measure::Value(_), None) => {
                Err(Error::undefined("the value", "there is no model of spend"))
            }
        }
    }

    pub(super) fn measure_all(
        &self,
        histories: &PurchaseHistories,
        spends: &[SpendHistory],
    ) -> Result<Vec<f64>> {
        match (&self.measure, &self.spend) {
            (Measure::Value(value), Some(model)) => {
                value.customer_lifetime_values(&self.purchases, histories, model, spends)
            }
            _ => for_all(histories, |h| self.measured(h, &SpendHistory::none())),
        }
    }

    fn tier_of(&self, value: f64) -> SegmentIndex {
        let tier = self.cuts.iter().take_while(|cut| value < **cut).count();
        SegmentIndex::new(tier as u32)
    }
}

impl Segmenter for LifetimeTierModel {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn segments(&self) -> &[Segment] {
        &self.segments
    }

    fn assign_with(
        &self,
        customer: &dyn Customer,
        _: &mut Scratch,
    ) -> Result<Assignment> {
        Ok(Assignment::certain(self.tier_of(self.measure_of(customer)?)))
    }

    fn explain(&self, customer: &dyn Customer) -> Result<Explanation> {
        let value = self.measure_of(customer)?;
        let tier = self.tier_of(value);
        let n = self.segments.len();
        let axis = AxisScore {
            axis: self.measure.name().to_owned(),
            value,
            score: (n - tier.get()) as u32,
            best: n as u32,
            from: self.cuts.get(tier.get()).copied(),
            to: tier.get().checked_sub(1).map(|i| self.cuts[i]),
            cut_points: self.cuts.iter().rev().copied().collect(),
        };
        let reason = Reason::Scores { axes: vec![axis] };
        Ok(Explanation::new(Assignment::certain(tier), reason).named(&self.segments))
    }
}

impl Relabel for LifetimeTierModel {
    fn relabel(&mut self, segments: Vec<Segment>) -> Result<()> {
        replace_segments(&mut self.segments, segments)
    }
}

/// The shape of a [`LifetimeTierModel`] on disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LifetimeTierRepr {
    measure: Measure,
    unit: TimeUnit,
    purchases: AnyPurchaseModel,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spend: Option<GammaGamma>,
    cut_points: Vec<f64>,
    segments: Vec<Segment>,
}

impl Persist for LifetimeTierModel {
    const KIND: &'static str = "segmenta.lifetime_tiers";
    const VERSION: u32 = 1;
    type Repr = LifetimeTierRepr;

    fn to_repr(&self, _: &Registry) -> Result<LifetimeTierRepr> {
        Ok(LifetimeTierRepr {
            measure: self.measure,
            unit: self.unit,
            purchases: self.purchases,
            spend: self.spend,
            cut_points: self.cuts.clone(),
            segments: self.segments.clone(),
        })
    }

    fn from_repr(
        repr: LifetimeTierRepr,
        schema: Schema,
        _: &Registry,
    ) -> Result<LifetimeTierModel> {
        let LifetimeTierRepr { measure, unit, purchases, spend, cut_points, segments } =
            repr;
        LifetimeTierModel::unfinished(schema, measure, unit, purchases, spend)?
            .finished(cut_points, segments)
    }
}
