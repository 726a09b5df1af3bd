//! Any of the models of purchases, and the choice between them.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::bg_nbd::BgNbd;
use super::estimate::{EstimationOptions, Kind};
use super::histories::PurchaseHistories;
use super::history::PurchaseHistory;
use super::mbg_cnbd::MbgCnbd;
use super::mbg_nbd::MbgNbd;
use super::model::Conjugate;
use super::nbd::Nbd;
use super::pareto_nbd::ParetoNbd;
use super::process::Process;
use super::report::{Estimated, EstimationReport, Identifiability};
use crate::error::{Error, Result};
use crate::history::TimeUnit;
use crate::segmenter::Observer;

/// The kinds of models of purchases in continuous time.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PurchaseModelKind {
    /// [`Nbd`]: nobody leaves.
    Nbd,
    /// [`BgNbd`]: after a repeat purchase.
    BgNbd,
    /// [`MbgNbd`]: after any purchase.
    MbgNbd,
    /// [`ParetoNbd`]: at any time.
    ParetoNbd,
    /// [`MbgCnbd`]: after any purchase, and purchases are regular.
    MbgCnbd {
        /// Steps of a purchase.
        k: u32,
    },
}

impl PurchaseModelKind {
    /// All in which purchases come at random: the likelihoods of the others, which read nothing
    /// of the times between purchases, are not to be compared with theirs.
    pub const ALL: [PurchaseModelKind; 4] = [
        PurchaseModelKind::Nbd,
        PurchaseModelKind::BgNbd,
        PurchaseModelKind::MbgNbd,
        PurchaseModelKind::ParetoNbd,
    ];

    pub(super) fn shape(self) -> Kind {
        match self {
            PurchaseModelKind::Nbd => Kind::Nbd,
            PurchaseModelKind::BgNbd => Kind::Bg,
            PurchaseModelKind::MbgNbd => Kind::Mbg,
            PurchaseModelKind::ParetoNbd => Kind::Pareto,
            PurchaseModelKind::MbgCnbd { k } => Kind::Cnbd(k),
        }
    }

    /// The model with these logarithms as its parameters.
    pub(super) fn model(self, at: &[f64], unit: TimeUnit) -> Result<AnyPurchaseModel> {
        let p: Vec<f64> = at.iter().map(|x| x.exp()).collect();
        Ok(match self {
            PurchaseModelKind::Nbd => Nbd::new(p[0], p[1], unit)?.into(),
            PurchaseModelKind::BgNbd => BgNbd::new(p[0], p[1], p[2], p[3], unit)?.into(),
            PurchaseModelKind::MbgNbd => {
                MbgNbd::new(p[0], p[1], p[2], p[3], unit)?.into()
            }
            PurchaseModelKind::ParetoNbd => {
                ParetoNbd::new(p[0], p[1], p[2], p[3], unit)?.into()
            }
            PurchaseModelKind::MbgCnbd { k } => {
                MbgCnbd::new(k, p[0], p[1], p[2], p[3], unit)?.into()
            }
        })
    }

    /// Maximum likelihood.
    ///
    /// # Errors
    /// When there is no customer, no repeat purchase or no time.
    pub fn fit(
        self,
        histories: &PurchaseHistories,
    ) -> Result<Estimated<AnyPurchaseModel>> {
        self.fit_with(histories, EstimationOptions::new(), &mut ())
    }

    /// Maximum likelihood, watched.
    ///
    /// # Errors
    /// As [`fit`](PurchaseModelKind::fit), and when an option is out of its range or the
    /// observer stops the work.
    pub fn fit_with(
        self,
        histories: &PurchaseHistories,
        options: EstimationOptions,
        observer: &mut dyn Observer,
    ) -> Result<Estimated<AnyPurchaseModel>> {
        use AnyPurchaseModel as Any;
        Ok(match self {
            PurchaseModelKind::Nbd => {
                Nbd::fit_with(histories, options, observer)?.map(Any::Nbd)
            }
            PurchaseModelKind::BgNbd => {
                BgNbd::fit_with(histories, options, observer)?.map(Any::BgNbd)
            }
            PurchaseModelKind::MbgNbd => {
                MbgNbd::fit_with(histories, options, observer)?.map(Any::MbgNbd)
            }
            PurchaseModelKind::ParetoNbd => {
                ParetoNbd::fit_with(histories, options, observer)?.map(Any::ParetoNbd)
            }
            PurchaseModelKind::MbgCnbd { k } => {
                MbgCnbd::fit_with(k, histories, options, observer)?.map(Any::MbgCnbd)
            }
        })
    }
}

/// A model of purchases of whatever kind: a host keeps one without saying which. It is saved
/// as its parameters, a unit and the kind.
///
/// ```
/// use segmenta::history::TimeUnit;
/// use segmenta::lifetime::{AnyPurchaseModel, BgNbd, PurchaseModel};
///
/// let model: AnyPurchaseModel = BgNbd::new(0.243, 4.414, 0.793, 2.426, TimeUnit::Week)?.into();
/// let json = serde_json::to_string(&model).map_err(segmenta::Error::other)?;
/// assert!(json.starts_with(r#"{"model":"bg_nbd","r":0.243"#));
/// let again: AnyPurchaseModel = serde_json::from_str(&json).map_err(segmenta::Error::other)?;
/// assert_eq!(again, model);
/// assert_eq!(model.name(), "BG/NBD");
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "model", rename_all = "snake_case")]
#[non_exhaustive]
pub enum AnyPurchaseModel {
    /// Nobody leaves.
    Nbd(Nbd),
    /// Customers leave after a repeat purchase.
    BgNbd(BgNbd),
    /// Customers leave after any purchase.
    MbgNbd(MbgNbd),
    /// Customers leave at any time.
    ParetoNbd(ParetoNbd),
    /// Customers buy regularly and leave after any purchase.
    MbgCnbd(MbgCnbd),
}

impl From<Nbd> for AnyPurchaseModel {
    fn from(model: Nbd) -> AnyPurchaseModel {
        AnyPurchaseModel::Nbd(model)
    }
}

impl From<BgNbd> for AnyPurchaseModel {
    fn from(model: BgNbd) -> AnyPurchaseModel {
        AnyPurchaseModel::BgNbd(model)
    }
}

impl From<MbgNbd> for AnyPurchaseModel {
    fn from(model: MbgNbd) -> AnyPurchaseModel {
        AnyPurchaseModel::MbgNbd(model)
    }
}

impl From<ParetoNbd> for AnyPurchaseModel {
    fn from(model: ParetoNbd) -> AnyPurchaseModel {
        AnyPurchaseModel::ParetoNbd(model)
    }
}

impl From<MbgCnbd> for AnyPurchaseModel {
    fn from(model: MbgCnbd) -> AnyPurchaseModel {
        AnyPurchaseModel::MbgCnbd(model)
    }
}

impl AnyPurchaseModel {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> PurchaseModelKind {
        match self {
            AnyPurchaseModel::Nbd(_) => PurchaseModelKind::Nbd,
            AnyPurchaseModel::BgNbd(_) => PurchaseModelKind::BgNbd,
            AnyPurchaseModel::MbgNbd(_) => PurchaseModelKind::MbgNbd,
            AnyPurchaseModel::ParetoNbd(_) => PurchaseModelKind::ParetoNbd,
            AnyPurchaseModel::MbgCnbd(model) => {
                PurchaseModelKind::MbgCnbd { k: model.k() }
            }
        }
    }
}

macro_rules! each {
    ($self:ident, $model:ident => $what:expr) => {
        match $self {
            AnyPurchaseModel::Nbd($model) => $what,
            AnyPurchaseModel::BgNbd($model) => $what,
            AnyPurchaseModel::MbgNbd($model) => $what,
            AnyPurchaseModel::ParetoNbd($model) => $what,
            AnyPurchaseModel::MbgCnbd($model) => $what,
        }
    };
}

impl Conjugate for AnyPurchaseModel {
    fn model_name(&self) -> &'static str {
        each!(self, model => model.model_name())
    }

    fn time_unit(&self) -> TimeUnit {
        each!(self, model => model.time_unit())
    }

    fn named_parameters(&self) -> Vec<(&'static str, f64)> {
        each!(self, model => model.named_parameters())
    }

    fn alive_and_ln(&self, history: &PurchaseHistory) -> (f64, f64) {
        each!(self, model => model.alive_and_ln(history))
    }

    fn alive(&self, history: &PurchaseHistory) -> f64 {
        each!(self, model => model.alive(history))
    }

    fn process(&self, history: &PurchaseHistory) -> Process {
        each!(self, model => model.process(history))
    }

    fn expected_of_many(&self, histories: &[PurchaseHistory], t: f64, to: &mut [f64]) {
        each!(self, model => model.expected_of_many(histories, t, to));
    }
}

/// Models that were estimated from the same histories, best first.
///
/// ```
/// use segmenta::history::TimeUnit;
/// use segmenta::lifetime::{ModelComparison, PurchaseHistories, PurchaseHistory};
///
/// let seen = [(0, 0.0, 30.0, 60.0), (1, 6.0, 30.0, 20.0), (3, 25.0, 30.0, 9.0), (6, 27.0, 30.0, 4.0)];
/// let rows = seen.map(|(x, last, age, _)| PurchaseHistory::new(x, last, age));
/// let rows = rows.into_iter().collect::<segmenta::Result<Vec<_>>>()?;
/// let histories = PurchaseHistories::new(TimeUnit::Week, rows)
///     .with_weights(seen.map(|row| row.3).to_vec())?;
/// let comparison = ModelComparison::of(&histories)?;
/// println!("{comparison}");
/// let (model, report) = comparison.into_best().into_parts();
/// assert!(report.converged);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelComparison {
    #[serde(deserialize_with = "at_least_one")]
    models: Vec<Estimated<AnyPurchaseModel>>,
}

fn at_least_one<'de, D: serde::Deserializer<'de>>(
    from: D,
) -> std::result::Result<Vec<Estimated<AnyPurchaseModel>>, D::Error> {
    let mut models = Vec::deserialize(from)?;
    if models.is_empty() {
        return Err(serde::de::Error::custom("a comparison of no models"));
    }
    models.sort_by(better);
    Ok(models)
}

/// A model whose leaving the data do not tell comes after those of which they do, and after the
/// one in which nobody leaves.
fn better(a: &Estimated<AnyPurchaseModel>, b: &Estimated<AnyPurchaseModel>) -> Ordering {
    let rank = |report: &EstimationReport| {
        let unknown = matches!(
            report.identifiability,
            Identifiability::DropoutNotIdentified { .. }
        );
        (unknown, !report.converged)
    };
    rank(a.report())
        .cmp(&rank(b.report()))
        .then(a.report().bic().total_cmp(&b.report().bic()))
}

impl ModelComparison {
    /// [All](PurchaseModelKind::ALL) in which purchases come at random.
    ///
    /// # Errors
    /// When there is no customer, no repeat purchase or no time.
    pub fn of(histories: &PurchaseHistories) -> Result<ModelComparison> {
        ModelComparison::of_kinds(
            histories,
            &PurchaseModelKind::ALL,
            EstimationOptions::new(),
            &mut (),
        )
    }

    /// Some kinds, watched.
    ///
    /// # Errors
    /// As [`of`](ModelComparison::of); when there is no kind, or one of several steps a
    /// purchase; when an option is out of its range, or the observer stops the work.
    pub fn of_kinds(
        histories: &PurchaseHistories,
        kinds: &[PurchaseModelKind],
        options: EstimationOptions,
        observer: &mut dyn Observer,
    ) -> Result<ModelComparison> {
        if kinds.is_empty() {
            return Err(Error::parameter("kinds", "at least one", 0));
        }
        for kind in kinds {
            if let PurchaseModelKind::MbgCnbd { k: 2.. } = kind {
                let expected = "those whose likelihoods can be compared: with several steps a \
                                purchase that of the times between purchases belongs to it, see \
                                MbgCnbd::fit_regular";
                return Err(Error::parameter("kinds", expected, format!("{kind:?}")));
            }
        }
        let fit = |kind: &PurchaseModelKind| kind.fit_with(histories, options, observer);
        let mut models = kinds.iter().map(fit).collect::<Result<Vec<_>>>()?;
        models.sort_by(better);
        Ok(ModelComparison { models })
    }

    /// All models, best first: by Schwarz's criterion (BIC), those last whose leaving the
    /// data do not tell, or whose iterations ran out.
    #[must_use]
    pub fn models(&self) -> &[Estimated<AnyPurchaseModel>] {
        &self.models
    }

    /// The best model.
    #[must_use]
    pub fn best(&self) -> &Estimated<AnyPurchaseModel> {
        // There is at least one.
        &self.models[0]
    }

    /// The best model alone.
    #[must_use]
    pub fn into_best(mut self) -> Estimated<AnyPurchaseModel> {
        self.models.swap_remove(0)
    }

    /// Akaike's weights, in the order of the models: how much each is to be believed,
    /// summing to 1 (Burnham & Anderson 2002, §2.9).
    #[must_use]
    pub fn akaike_weights(&self) -> Vec<f64> {
        let aic: Vec<f64> = self.models.iter().map(|m| m.report().aic()).collect();
        let least = aic.iter().copied().fold(f64::INFINITY, f64::min);
        let each: Vec<f64> = aic.iter().map(|a| (0.5 * (least - a)).exp()).collect();
        let sum: f64 = each.iter().sum();
        each.iter().map(|w| w / sum).collect()
    }
}

impl fmt::Display for ModelComparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<12}{:>16}{:>14}{:>14}  verdict",
            "model", "log-likelihood", "AIC", "BIC"
        )?;
        for model in &self.models {
            let report = model.report();
            write!(
                f,
                "\n{:<12}{:>16.3}{:>14.2}{:>14.2}  {}",
                report.model,
                report.log_likelihood,
                report.aic(),
                report.bic(),
                report.identifiability
            )?;
        }
        Ok(())
    }
}
