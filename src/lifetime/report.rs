//! How an estimation went, and what may be believed of it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::curvature::{eigenvalues, invert};
use super::maximise::Maximum;
use crate::inference::chi_squared_tail;
use crate::segmenter::Note;

/// A fitted model with a report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimated<M> {
    model: M,
    report: EstimationReport,
}

impl<M> Estimated<M> {
    /// Puts the two together.
    pub fn new(model: M, report: EstimationReport) -> Estimated<M> {
        Estimated { model, report }
    }

    /// The model.
    pub fn model(&self) -> &M {
        &self.model
    }

    /// How the estimation went.
    pub fn report(&self) -> &EstimationReport {
        &self.report
    }

    /// The model alone.
    pub fn into_model(self) -> M {
        self.model
    }

    /// Model and report.
    pub fn into_parts(self) -> (M, EstimationReport) {
        (self.model, self.report)
    }

    /// The same with another model.
    pub fn map<N>(self, change: impl FnOnce(M) -> N) -> Estimated<N> {
        Estimated { model: change(self.model), report: self.report }
    }
}

/// How a maximum-likelihood estimation went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EstimationReport {
    /// The model's name.
    pub model: String,
    /// The parameters in the order of the papers.
    pub parameters: Vec<ParameterEstimate>,
    /// The log-likelihood at the maximum, without what depends on the data only.
    pub log_likelihood: f64,
    /// Customers, by their weights.
    pub n_customers: f64,
    /// Rows of the likelihood: histories that differ, where a sample shows that equal ones are
    /// common; else all of positive weight. With attributes, all histories.
    pub n_distinct: usize,
    /// Iterations of Newton's method on all of the data, from the best start.
    pub n_iter: usize,
    /// False when the iterations ran out, or no step gained although the slope is not 0. True
    /// also on a ridge without end, along which sixteen steps gained nothing that matters; the
    /// parameters are then one point of it, and have no or very wide standard errors.
    pub converged: bool,
    /// The largest slope of the log-likelihood by the logarithm of a parameter, for each
    /// customer.
    pub gradient_norm: f64,
    /// The largest curvature of the log-likelihood over the smallest, in the logarithms of
    /// the parameters; `None` where the surface does not bend downwards in all directions.
    pub hessian_condition: Option<f64>,
    /// The covariance of the estimates, a row for each parameter: the inverse of minus the
    /// Hessian in the parameters themselves. `None` where there is none.
    pub covariance: Option<Vec<Vec<f64>>>,
    /// Whether the data say enough.
    pub identifiability: Identifiability,
    /// What happened along the way and should be known.
    pub notes: Vec<Note>,
}

/// One parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParameterEstimate {
    /// Its name in the papers.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// The root of its variance; `None` where there is no covariance.
    pub standard_error: Option<f64>,
}

impl ParameterEstimate {
    /// An interval that holds the parameter with this confidence, computed for its
    /// logarithm (which keeps it positive) from the standard error; that of an effect of an
    /// attribute, which may be negative, lies evenly about it.
    #[must_use]
    pub fn interval(&self, confidence: f64) -> Option<(f64, f64)> {
        use statrs::distribution::{ContinuousCDF, Normal};
        if !(confidence > 0.0 && confidence < 1.0) {
            return None;
        }
        let z = Normal::standard().inverse_cdf(0.5 + 0.5 * confidence);
        let error = self.standard_error?;
        if self.name.contains(':') {
            return Some((self.value - z * error, self.value + z * error));
        }
        let spread = (z * error / self.value).exp();
        Some((self.value / spread, self.value * spread))
    }
}

/// Whether the data determine the parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Identifiability {
    /// All parameters are determined.
    Identified,
    /// The data do not tell that anybody ever leaves: the model without leaving, NBD (with as
    /// many steps a purchase, where purchases take steps), explains them as well. Use that one, or wait for more data.
    DropoutNotIdentified {
        /// The log-likelihood of NBD on the same data.
        nbd_log_likelihood: f64,
        /// Twice what the model gains on it.
        likelihood_ratio: f64,
        /// The probability of gaining as much by chance, of chi-squared with as many degrees
        /// of freedom as there are more parameters. Since NBD lies on the model's border the
        /// true one is smaller.
        p_value: f64,
    },
    /// The data do not tell that customers differ, or leave, as the model says: a simpler model
    /// that it contains explains them as well. Of BG/BB it is the
    /// [`BetaBinomial`](super::BetaBinomial), in which nobody leaves, of sBG the
    /// [`Geometric`](super::Geometric), in which all leave at the same rate.
    NullSuffices {
        /// The simpler model.
        null: String,
        /// Its log-likelihood on the same data.
        null_log_likelihood: f64,
        /// Twice what the model gains on it.
        likelihood_ratio: f64,
        /// The probability of gaining as much by chance, of chi-squared with as many degrees
        /// of freedom as there are more parameters. Since the simpler model lies on the
        /// border the true one is smaller.
        p_value: f64,
    },
    /// Some parameters are not known to within a factor of `e` (a standard error of their
    /// logarithm above 1), or not at all: only combinations of them are. Predictions may be
    /// good all the same.
    Weak {
        /// Their names.
        parameters: Vec<String>,
    },
}

impl fmt::Display for Identifiability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Identifiability::Identified => write!(f, "all parameters are identified"),
            Identifiability::DropoutNotIdentified {
                likelihood_ratio, p_value, ..
            } => write!(
                f,
                "leaving is not identified: NBD, in which nobody leaves, explains the data as \
                 well (likelihood ratio {likelihood_ratio:.3}, p = {p_value:.3})"
            ),
            Identifiability::NullSuffices { null, likelihood_ratio, p_value, .. } => {
                write!(
                    f,
                    "the {null} model explains the data as well (likelihood ratio \
                     {likelihood_ratio:.3}, p = {p_value:.3})"
                )
            }
            Identifiability::Weak { parameters } => {
                write!(f, "not known to within a factor of e: {}", parameters.join(", "))
            }
        }
    }
}

impl EstimationReport {
    /// A parameter by its name.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&ParameterEstimate> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }

    /// Akaike's criterion `2k − 2 ln L` (1974); lower is better.
    #[must_use]
    pub fn aic(&self) -> f64 {
        2.0 * self.parameters.len() as f64 - 2.0 * self.log_likelihood
    }

    /// Schwarz's criterion `k ln n − 2 ln L` (1978), `n` being the customers; lower is
    /// better.
    #[must_use]
    pub fn bic(&self) -> f64 {
        self.parameters.len() as f64 * self.n_customers.ln() - 2.0 * self.log_likelihood
    }

    /// Says so where the model gains nothing on a simpler one, of so many parameters less, that
    /// chance would not give.
    pub(super) fn compare_with_null(&mut self, null: &str, value: f64, fewer: u32) {
        let likelihood_ratio = (2.0 * (self.log_likelihood - value)).max(0.0);
        let p_value =
            chi_squared_tail(likelihood_ratio, fewer.into()).unwrap_or(f64::NAN);
        if p_value.is_nan() || p_value >= 0.05 {
            self.identifiability = Identifiability::NullSuffices {
                null: null.to_owned(),
                null_log_likelihood: value,
                likelihood_ratio,
                p_value,
            };
        }
    }

    /// What a search over logarithms found.
    pub(super) fn of_maximum(
        model: &str,
        names: &[&str],
        maximum: &Maximum,
        n_customers: f64,
        n_distinct: usize,
    ) -> EstimationReport {
        let all = names.len();
        EstimationReport::of_mixed_maximum(
            model,
            names,
            all,
            maximum,
            n_customers,
            n_distinct,
        )
    }

    /// The same where only the first `n_logarithms` are logarithms, and the others effects.
    pub(super) fn of_mixed_maximum(
        model: &str,
        names: &[&str],
        n_logarithms: usize,
        maximum: &Maximum,
        n_customers: f64,
        n_distinct: usize,
    ) -> EstimationReport {
        let n = names.len();
        let is_logarithm = |i: usize| i < n_logarithms;
        let value = |i: usize| match maximum.parameters[i] {
            x if is_logarithm(i) => x.exp(),
            x => x,
        };
        let values: Vec<f64> = (0..n).map(value).collect();
        // How much a parameter changes with what was searched for.
        let slopes: Vec<f64> =
            (0..n).map(|i| if is_logarithm(i) { values[i] } else { 1.0 }).collect();
        let minus: Vec<f64> = maximum.at.hessian.iter().map(|h| -h).collect();
        let eigenvalues = eigenvalues(&minus, n);
        let (low, high) = (eigenvalues[0], eigenvalues[n - 1]);
        let of_logarithms = if low > 0.0 { invert(&minus, n) } else { None };
        let standard_error =
            |i: usize| of_logarithms.as_ref().map(|c| c[i * n + i].sqrt() * slopes[i]);
        let parameters: Vec<ParameterEstimate> = (0..n)
            .map(|i| ParameterEstimate {
                name: names[i].to_owned(),
                value: values[i],
                standard_error: standard_error(i).filter(|s| s.is_finite()),
            })
            .collect();
        // At a maximum, d ln p = dp / p turns one covariance into the other.
        let covariance = of_logarithms.as_ref().map(|c| {
            (0..n)
                .map(|i| (0..n).map(|j| c[i * n + j] * slopes[i] * slopes[j]).collect())
                .collect()
        });
        let weak: Vec<String> = parameters
            .iter()
            .zip(&slopes)
            .filter(|(p, slope)| p.standard_error.is_none_or(|s| s > **slope))
            .map(|(p, _)| p.name.clone())
            .collect();
        let slope = maximum.at.gradient.iter().fold(0.0_f64, |m, g| m.max(g.abs()));
        EstimationReport {
            model: model.to_owned(),
            parameters,
            log_likelihood: maximum.at.value,
            n_customers,
            n_distinct,
            n_iter: maximum.n_iter,
            converged: maximum.converged,
            gradient_norm: slope / n_customers,
            hessian_condition: (low > 0.0).then_some(high / low),
            covariance,
            identifiability: if weak.is_empty() {
                Identifiability::Identified
            } else {
                Identifiability::Weak { parameters: weak }
            },
            notes: Vec::new(),
        }
    }
}

impl fmt::Display for EstimationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: log-likelihood {:.4}, {} customers, {} different histories, {}",
            self.model,
            self.log_likelihood,
            self.n_customers,
            self.n_distinct,
            if self.converged { "converged" } else { "not converged" }
        )?;
        for parameter in &self.parameters {
            write!(f, "\n  {:<6} {:.6}", parameter.name, parameter.value)?;
            if let Some(error) = parameter.standard_error {
                write!(f, " ± {error:.6}")?;
            }
        }
        write!(f, "\n  {}", self.identifiability)?;
        for note in &self.notes {
            write!(f, "\n  {note}")?;
        }
        Ok(())
    }
}
