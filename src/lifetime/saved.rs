//! Models at rest.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Document;

use super::beta_binomial::BetaBinomial;
use super::bg_bb::BgBb;
use super::choice::AnyPurchaseModel;
use super::columns::{history_features, spend_feature};
use super::covariates::CovariateModel;
use super::gamma_gamma::GammaGamma;
use super::geometric::Geometric;
use super::model::PurchaseModel;
use super::shifted_beta_geometric::ShiftedBetaGeometric;
use crate::data::{Basis, FeatureSpec, Schema};
use crate::error::{Error, Result};
use crate::segmenter::{Saved, unsupported};

/// A model that is no segmenter, saved in the same envelope as these: with its kind, a version
/// of its shape, the features that it reads, and a digest that tells accidental alterations.
///
/// Its bare numbers go through serde, too, and are checked then; the envelope is for what is
/// kept from release to release.
///
/// ```
/// use segmenta::history::TimeUnit;
/// use segmenta::lifetime::{AnyPurchaseModel, BgNbd, GammaGamma, SaveModel};
/// use segmenta::segmenter::Saved;
///
/// let model: AnyPurchaseModel = BgNbd::new(0.243, 4.414, 0.793, 2.426, TimeUnit::Week)?.into();
/// let json = model.save()?.to_json()?;
///
/// let saved = Saved::from_json(&json)?;
/// assert_eq!((saved.kind(), saved.version()), ("segmenta.purchase_model", 1));
/// assert_eq!(AnyPurchaseModel::load(&saved)?, model);
/// assert!(GammaGamma::load(&saved).unwrap_err().is_format());
/// assert!(Saved::from_json(&json.replace("0.243", "0.244")).unwrap_err().is_format());
/// # Ok::<(), segmenta::Error>(())
/// ```
pub trait SaveModel: Serialize + DeserializeOwned {
    /// What kind of model this is, for the envelope.
    const KIND: &'static str;

    /// The current version of the shape, from 1.
    const VERSION: u32;

    /// The features that the model reads of a customer.
    ///
    /// # Errors
    /// When names of attributes are no names of features, or two are equal.
    fn features(&self) -> Result<Schema>;

    /// Turns a document of an older version into one of the current version.
    ///
    /// # Errors
    /// When the version is not known, or the document does not have its shape.
    fn upgrade(version: u32, document: Document) -> Result<Document> {
        if version == Self::VERSION {
            Ok(document)
        } else {
            Err(unsupported(Self::KIND, version, Self::VERSION))
        }
    }

    /// The model in its envelope.
    ///
    /// # Errors
    /// As [`features`](SaveModel::features).
    fn save(&self) -> Result<Saved> {
        Saved::around(self, Self::KIND, Self::VERSION, self.features()?)
    }

    /// The model out of its envelope.
    ///
    /// # Errors
    /// When the envelope holds another kind of model, an unknown version, or data that were
    /// altered or contradict themselves.
    fn load(saved: &Saved) -> Result<Self> {
        let document = saved.checked(Self::KIND, Self::VERSION)?.clone();
        let document = Self::upgrade(saved.version(), document)?;
        let model = Self::deserialize(document)
            .map_err(|e| Error::corrupt(Self::KIND, e.to_string()))?;
        if model.features()? != *saved.schema() {
            let reason = "its features are not those that the model reads";
            return Err(Error::corrupt(Self::KIND, reason));
        }
        Ok(model)
    }
}

impl SaveModel for AnyPurchaseModel {
    const KIND: &'static str = "segmenta.purchase_model";
    const VERSION: u32 = 1;

    fn features(&self) -> Result<Schema> {
        Schema::new(history_features(self.unit()))
    }
}

impl SaveModel for CovariateModel {
    const KIND: &'static str = "segmenta.covariate_model";
    const VERSION: u32 = 1;

    fn features(&self) -> Result<Schema> {
        let attributes = self.names().iter().map(FeatureSpec::number);
        Schema::new(history_features(self.base().unit()).into_iter().chain(attributes))
    }
}

impl SaveModel for GammaGamma {
    const KIND: &'static str = "segmenta.gamma_gamma";
    const VERSION: u32 = 1;

    fn features(&self) -> Result<Schema> {
        let purchases = FeatureSpec::number("repeat_purchases").basis(Basis::Behavioural);
        Schema::new([purchases.unit("purchases"), spend_feature()])
    }
}

impl SaveModel for BgBb {
    const KIND: &'static str = "segmenta.bg_bb";
    const VERSION: u32 = 1;

    fn features(&self) -> Result<Schema> {
        opportunities()
    }
}

impl SaveModel for BetaBinomial {
    const KIND: &'static str = "segmenta.beta_binomial";
    const VERSION: u32 = 1;

    fn features(&self) -> Result<Schema> {
        opportunities()
    }
}

impl SaveModel for ShiftedBetaGeometric {
    const KIND: &'static str = "segmenta.shifted_beta_geometric";
    const VERSION: u32 = 1;

    fn features(&self) -> Result<Schema> {
        tenure()
    }
}

impl SaveModel for Geometric {
    const KIND: &'static str = "segmenta.geometric";
    const VERSION: u32 = 1;

    fn features(&self) -> Result<Schema> {
        tenure()
    }
}

/// What is read of an [`OpportunityHistory`](super::OpportunityHistory).
fn opportunities() -> Result<Schema> {
    let names = ["frequency", "last", "opportunities"];
    let number = |name| FeatureSpec::number(name).basis(Basis::Behavioural);
    Schema::new(names.map(number).map(|spec| spec.unit("opportunities")))
}

/// What is read of a customer with a contract.
fn tenure() -> Result<Schema> {
    let tenure = FeatureSpec::number("tenure").basis(Basis::Behavioural);
    Schema::new([tenure.unit("renewals")])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::history::TimeUnit;
    use crate::lifetime::BgNbd;

    /// A digest is no protection against forgery: the model's own checks are.
    #[test]
    fn forgeries_are_refused() -> Result<()> {
        let bg_nbd = BgNbd::new(0.243, 4.414, 0.793, 2.426, TimeUnit::Week)?;
        let model = AnyPurchaseModel::from(bg_nbd);
        let document = serde_json::to_value(model).map_err(Error::other)?;
        let around = |document: &serde_json::Value, version, schema| {
            let kind = AnyPurchaseModel::KIND;
            AnyPurchaseModel::load(&Saved::around(document, kind, version, schema)?)
        };
        assert_eq!(around(&document, 1, model.features()?)?, model);
        for (field, value) in [
            ("r", serde_json::json!(-0.243)),
            ("r", serde_json::json!("0.243")),
            ("s", serde_json::json!(1.0)),
            ("unit", serde_json::json!("fortnight")),
            // Not the unit of the features.
            ("unit", serde_json::json!("day")),
            ("model", serde_json::json!("gamma_gamma")),
        ] {
            let mut forged = document.clone();
            forged[field] = value;
            let refused = around(&forged, 1, model.features()?);
            assert!(refused.is_err_and(|e| e.is_format()), "{field}");
        }
        for version in [0, 2] {
            let refused = around(&document, version, model.features()?).map(|_| ());
            let kind = refused.as_ref().map_err(Error::kind);
            assert!(
                matches!(kind, Err(ErrorKind::UnsupportedVersion { .. })),
                "{kind:?}"
            );
        }
        Ok(())
    }
}
