//! What customers are, beside what they did.

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::choice::{AnyPurchaseModel, PurchaseModelKind};
use super::curvature::Curvature;
use super::distinct::Distinct;
use super::estimate::{EstimationOptions, Kind};
use super::histories::PurchaseHistories;
use super::maximise::best_of;
use super::model::PurchaseModel;
use super::report::{Estimated, EstimationReport, Identifiability};
use crate::error::{Error, ErrorKind, Result};
use crate::history::TimeUnit;
use crate::parallel::map_blocks;
use crate::segmenter::{Note, Observer};

/// A model of purchases whose customers differ by known, lasting attributes, such as the channel
/// that brought them (Fader & Hardie 2007, *Incorporating Time-Invariant Covariates into the
/// Pareto/NBD and BG/NBD Models*).
///
/// An attribute `z` multiplies the mean rate of purchases by `e^(γz)` (`alpha` by `e^(−γz)`),
/// and what leads to leaving alike: the rate of it under Pareto/NBD (`beta` by `e^(−γz)`), the
/// parameters `a` and `b` under BG/NBD and MBG/NBD, each with an effect of its own.
/// [`model_of`](CovariateModel::model_of) is the model of a customer with given attributes, which
/// answers all questions.
///
/// ```
/// use segmenta::history::TimeUnit;
/// use segmenta::lifetime::{
///     CovariateModel, PurchaseHistories, PurchaseHistory, PurchaseModel, PurchaseModelKind,
/// };
/// use segmenta::ndarray::Array2;
///
/// // Every second customer came by a friend, and buys twice as often.
/// let mut rows = Vec::new();
/// for i in 0..200_u64 {
///     let x = (i / 2 % 5) * (1 + i % 2);
///     rows.push(PurchaseHistory::new(x, if x == 0 { 0.0 } else { 29.0 }, 30.0)?);
/// }
/// let histories = PurchaseHistories::new(TimeUnit::Week, rows);
/// let friend = Array2::from_shape_fn((200, 1), |(i, _)| (i % 2) as f64);
/// let fitted =
///     CovariateModel::fit(PurchaseModelKind::Nbd, &histories, friend.view(), &["friend"])?;
/// let effect = fitted.report().parameter("alpha:friend").unwrap();
/// assert!((effect.value - 2_f64.ln()).abs() < 0.05);
/// let by_friend = fitted.model().model_of(&[1.0])?;
/// let new = by_friend.expected_purchases_new_customer(30.0)?;
/// assert!(new > 1.9 * fitted.model().model_of(&[0.0])?.expected_purchases_new_customer(30.0)?);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Shape", into = "Shape")]
pub struct CovariateModel {
    base: AnyPurchaseModel,
    names: Vec<String>,
    /// For each parameter that attributes change, an effect of each attribute.
    effects: Vec<Vec<f64>>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shape {
    base: AnyPurchaseModel,
    names: Vec<String>,
    effects: Vec<Vec<f64>>,
}

impl From<CovariateModel> for Shape {
    fn from(model: CovariateModel) -> Shape {
        let CovariateModel { base, names, effects } = model;
        Shape { base, names, effects }
    }
}

impl TryFrom<Shape> for CovariateModel {
    type Error = Error;

    fn try_from(shape: Shape) -> Result<CovariateModel> {
        let Shape { base, names, effects } = shape;
        let needed = changed(base.kind()).len();
        if effects.len() != needed {
            return Err(Error::length("the list of effects", needed, effects.len()));
        }
        for effects in &effects {
            if effects.len() != names.len() {
                let what = "the effects on a parameter";
                return Err(Error::length(what, names.len(), effects.len()));
            }
            if let Some(bad) = effects.iter().find(|x| !x.is_finite()) {
                return Err(Error::parameter("effect", "finite", bad));
            }
        }
        Ok(CovariateModel { base, names, effects })
    }
}

/// A parameter that attributes change: its place, its name, and the sign of the effect on its
/// logarithm.
type Changed = (usize, &'static str, f64);

fn changed(kind: PurchaseModelKind) -> &'static [Changed] {
    match kind {
        PurchaseModelKind::Nbd => &[(1, "alpha", -1.0)],
        PurchaseModelKind::BgNbd
        | PurchaseModelKind::MbgNbd
        | PurchaseModelKind::MbgCnbd { .. } => {
            &[(1, "alpha", -1.0), (2, "a", 1.0), (3, "b", 1.0)]
        }
        PurchaseModelKind::ParetoNbd => &[(1, "alpha", -1.0), (3, "beta", -1.0)],
    }
}

/// Effects beyond this are no number that a rate could be multiplied by.
const FAR: f64 = 100.0;

/// Attributes beyond this have squares, or sums of these, that are no numbers.
const LARGEST: f64 = 1e100;

impl CovariateModel {
    /// Maximum likelihood. `attributes` has a row for each customer and a column for each name;
    /// those of about the size of 1, such as flags and standardised numbers, are found best.
    ///
    /// # Errors
    /// When there is no customer, no repeat purchase or no time; when the attributes are not
    /// as many as the customers or the names, or one is not finite or beyond ±1e100; when a name
    /// is used twice.
    pub fn fit(
        kind: PurchaseModelKind,
        histories: &PurchaseHistories,
        attributes: ArrayView2<'_, f64>,
        names: &[&str],
    ) -> Result<Estimated<CovariateModel>> {
        let options = EstimationOptions::new();
        CovariateModel::fit_with(kind, histories, attributes, names, options, &mut ())
    }

    /// Maximum likelihood, watched.
    ///
    /// # Errors
    /// As [`fit`](CovariateModel::fit), and when an option is out of its range or the observer
    /// stops the work.
    pub fn fit_with(
        kind: PurchaseModelKind,
        histories: &PurchaseHistories,
        attributes: ArrayView2<'_, f64>,
        names: &[&str],
        options: EstimationOptions,
        observer: &mut dyn Observer,
    ) -> Result<Estimated<CovariateModel>> {
        check(histories, attributes, names)?;
        let base = kind.fit_with(histories, options, observer)?;
        let (base, without) = base.into_parts();
        let changed = changed(kind);
        let rows = Rows { kind: kind.shape(), changed, histories, attributes };
        let start: Vec<f64> = base
            .parameters()
            .iter()
            .map(|(_, p)| p.ln())
            .chain(std::iter::repeat_n(0.0, changed.len() * names.len()))
            .collect();
        let likelihood = |at: &[f64]| rows.log_likelihood(at);
        let max_iter = options.get_max_iter()?;
        let found =
            best_of(&likelihood, &[start], max_iter, observer)?.ok_or_else(|| {
                Error::undefined(
                    "the log-likelihood",
                    "it is not finite without any effects",
                )
            })?;

        let plain: Vec<&str> = base.parameters().iter().map(|(name, _)| *name).collect();
        let n_plain = plain.len();
        let mut all: Vec<String> = plain.iter().map(|name| (*name).to_owned()).collect();
        for (_, parameter, _) in changed {
            all.extend(names.iter().map(|name| format!("{parameter}:{name}")));
        }
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let mut report = EstimationReport::of_mixed_maximum(
            &without.model,
            &all,
            n_plain,
            &found,
            without.n_customers,
            histories.len(),
        );
        let gain = 2.0 * (report.log_likelihood - without.log_likelihood);
        report.notes.push(Note::new(
            "without-attributes",
            format!(
                "likelihood ratio {gain:.3} with {} effects against none",
                changed.len() * names.len()
            ),
        ));
        // What is not identified without attributes is hardly so with them.
        if matches!(without.identifiability, Identifiability::DropoutNotIdentified { .. })
        {
            report.identifiability = without.identifiability.clone();
        }
        if !found.converged {
            report.notes.push(Note::new(
                "not-converged",
                format!("no maximum was reached within {max_iter} iterations"),
            ));
        }
        let base = kind.model(&found.parameters[..n_plain], histories.unit())?;
        let effects = found.parameters[n_plain..]
            .chunks(names.len())
            .map(<[f64]>::to_vec)
            .collect();
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Ok(Estimated::new(CovariateModel { base, names, effects }, report))
    }

    /// The model of a customer whose attributes are all 0.
    #[must_use]
    pub fn base(&self) -> &AnyPurchaseModel {
        &self.base
    }

    /// The names of the attributes.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The effects on a parameter, in the order of the names: `alpha`, and `beta`, or `a` and
    /// `b`.
    #[must_use]
    pub fn effects_on(&self, parameter: &str) -> Option<&[f64]> {
        let at = changed(self.base.kind()).iter().position(|c| c.1 == parameter)?;
        self.effects.get(at).map(Vec::as_slice)
    }

    /// The model of a customer with these attributes, in the order of the names.
    ///
    /// # Errors
    /// When they are not as many as the names or not finite, or their effects leave no
    /// parameter that could be computed with: a logarithm may change by 100, and the attribute
    /// that changes it most is named.
    pub fn model_of(&self, attributes: &[f64]) -> Result<AnyPurchaseModel> {
        if attributes.len() != self.names.len() {
            let needed = self.names.len();
            return Err(Error::length("the attributes", needed, attributes.len()));
        }
        if let Some(i) = attributes.iter().position(|z| !z.is_finite()) {
            return Err(ErrorKind::NonFinite {
                feature: self.names[i].clone(),
                found: attributes[i],
                row: None,
            }
            .into());
        }
        let kind = self.base.kind();
        let mut at: Vec<f64> =
            self.base.parameters().iter().map(|(_, p)| p.ln()).collect();
        for ((place, parameter, sign), effects) in changed(kind).iter().zip(&self.effects)
        {
            let each = effects.iter().zip(attributes).map(|(e, z)| e * z);
            let effect: f64 = each.clone().sum();
            if effect.is_nan() || effect.abs() > FAR {
                let most =
                    each.map(f64::abs).enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
                let most = most.map_or(0, |(i, _)| i);
                return Err(Error::parameter(
                    format!("attribute `{}`", self.names[most]),
                    format!(
                        "a number that changes ln {parameter} by at most 100 with the others"
                    ),
                    format!("{:?}, by {effect:.3e}", attributes[most]),
                ));
            }
            at[*place] += sign * effect;
        }
        kind.model(&at, self.unit())
    }

    /// The unit of all times.
    #[must_use]
    pub fn unit(&self) -> TimeUnit {
        self.base.unit()
    }
}

fn check(
    histories: &PurchaseHistories,
    attributes: ArrayView2<'_, f64>,
    names: &[&str],
) -> Result<()> {
    if attributes.nrows() != histories.len() {
        return Err(Error::length("the attributes", histories.len(), attributes.nrows()));
    }
    if names.is_empty() || attributes.ncols() != names.len() {
        let needed = names.len().max(1);
        return Err(Error::length(
            "the columns of attributes",
            needed,
            attributes.ncols(),
        ));
    }
    for (i, name) in names.iter().enumerate() {
        if names[..i].contains(name) {
            let name = (*name).to_owned();
            return Err(ErrorKind::DuplicateName { what: "attribute", name }.into());
        }
    }
    for ((row, column), z) in attributes.indexed_iter() {
        if !z.is_finite() {
            return Err(ErrorKind::NonFinite {
                feature: names[column].to_owned(),
                found: *z,
                row: Some(row),
            }
            .into());
        }
        if z.abs() > LARGEST {
            return Err(ErrorKind::Value {
                expected: format!(
                    "a number of attribute `{}` within ±1e100",
                    names[column]
                )
                .into(),
                found: format!("{z:?}"),
                row: Some(row),
            }
            .into());
        }
    }
    Ok(())
}

/// Customers with their attributes.
struct Rows<'a> {
    kind: Kind,
    changed: &'a [Changed],
    histories: &'a PurchaseHistories,
    attributes: ArrayView2<'a, f64>,
}

impl Rows<'_> {
    /// By the logarithms of the parameters of the base, then by the effects: the chain rule
    /// over each customer's own parameters, which are linear in these.
    fn log_likelihood(&self, at: &[f64]) -> Curvature {
        let k = self.attributes.ncols();
        let n = at.len();
        let n_plain = n - self.changed.len() * k;
        let parts = map_blocks(self.histories.len(), 512, |rows| {
            let mut sum = Curvature {
                value: 0.0,
                gradient: vec![0.0; n],
                hessian: vec![0.0; n * n],
            };
            let mut own = vec![0.0; n_plain];
            // The places that depend on a parameter of the customer, with the slope.
            let mut depends: Vec<Vec<(usize, f64)>> =
                (0..n_plain).map(|i| vec![(i, 1.0)]).collect();
            for row in rows {
                let weight = self.histories.weights().map_or(1.0, |w| w[row]);
                if weight == 0.0 {
                    continue;
                }
                own.copy_from_slice(&at[..n_plain]);
                for (c, (place, _, sign)) in self.changed.iter().enumerate() {
                    let from = n_plain + c * k;
                    depends[*place].truncate(1);
                    for (j, z) in self.attributes.row(row).iter().enumerate() {
                        own[*place] += sign * z * at[from + j];
                        depends[*place].push((from + j, sign * z));
                    }
                }
                let one = Distinct::of_one(&self.histories.as_slice()[row]);
                let jet = self.kind.at(&one, &own);
                sum.value += weight * jet.value;
                for (i, of_i) in depends.iter().enumerate() {
                    for &(u, du) in of_i {
                        sum.gradient[u] += weight * du * jet.gradient[i];
                        for (j, of_j) in depends.iter().enumerate() {
                            let bend = weight * du * jet.hessian[i * n_plain + j];
                            for &(v, dv) in of_j {
                                sum.hessian[u * n + v] += bend * dv;
                            }
                        }
                    }
                }
            }
            sum
        });
        let mut sum =
            Curvature { value: 0.0, gradient: vec![0.0; n], hessian: vec![0.0; n * n] };
        for part in parts {
            sum.value += part.value;
            sum.gradient.iter_mut().zip(&part.gradient).for_each(|(a, b)| *a += b);
            sum.hessian.iter_mut().zip(&part.hessian).for_each(|(a, b)| *a += b);
        }
        sum
    }
}
