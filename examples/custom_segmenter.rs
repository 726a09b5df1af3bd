//! A segmenter of another crate's own: a loyalty programme that gives points, with the
//! conformance kit as its tests, and saved beside the built-in models.
//!
//! ```text
//! cargo run --example custom_segmenter --features testing
//! cargo test --example custom_segmenter --features testing
//! ```

// A program may print; the library never does.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use segmenta::data::{Customer, FeatureSpec, OwnedCustomer, OwnedValue, Schema, Value};
use segmenta::segmenter::{
    Assignment, Capabilities, Contribution, Explanation, Persist, Reason, Registry,
    Scratch, Segment, SegmentIndex,
};
use segmenta::{Error, ErrorKind, Result, Segmenter, SegmenterExt};
use serde::{Deserialize, Serialize};

/// Points for each feature, and the least points of each tier.
#[derive(Debug)]
struct Loyalty {
    schema: Schema,
    points: Vec<f64>,
    tiers: Vec<Tier>,
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Tier {
    id: String,
    from: f64,
}

impl Loyalty {
    /// `points` for one unit of each feature; tiers from the lowest on. The lowest takes
    /// everybody.
    fn new(points: &[(&str, f64)], tiers: &[(&str, f64)]) -> Result<Loyalty> {
        let schema =
            Schema::new(points.iter().map(|(name, _)| FeatureSpec::number(*name)))?;
        let tiers =
            tiers.iter().map(|&(id, from)| Tier { id: id.to_owned(), from }).collect();
        Loyalty::checked(schema, points.iter().map(|p| p.1).collect(), tiers)
    }

    /// The one way to make a `Loyalty`, for new ones and for saved ones.
    fn checked(schema: Schema, points: Vec<f64>, tiers: Vec<Tier>) -> Result<Loyalty> {
        if points.len() != schema.len() || points.iter().any(|p| !p.is_finite()) {
            return Err(Error::parameter("points", "a finite number a feature", "not"));
        }
        let rising = tiers.windows(2).all(|pair| pair[0].from < pair[1].from);
        if tiers.is_empty() || !rising || tiers.iter().any(|t| !t.from.is_finite()) {
            return Err(Error::parameter("tiers", "rising from the lowest on", "not"));
        }
        let segments =
            tiers.iter().map(|t| Segment::new(t.id.as_str(), t.id.clone())).collect();
        Ok(Loyalty { schema, points, tiers, segments })
    }

    /// The points of a customer, feature by feature: what both `assign_with` and `explain`
    /// use, so that they cannot disagree.
    fn points_of(
        &self,
        customer: &dyn Customer,
        mut visit: impl FnMut(&FeatureSpec, f64, f64),
    ) -> Result<f64> {
        let mut sum = 0.0;
        let features = self.schema.features().iter().zip(self.schema.indices());
        for ((spec, index), points) in features.zip(&self.points) {
            let feature = || spec.name().to_owned();
            let x = match customer.value(index) {
                Value::Number(x) if (x * points).is_finite() => x,
                Value::Number(found) => {
                    return Err(ErrorKind::NonFinite {
                        feature: feature(),
                        found,
                        row: None,
                    }
                    .into());
                }
                Value::Missing => 0.0,
                other => {
                    return Err(ErrorKind::WrongKind {
                        feature: feature(),
                        expected: spec.kind().name(),
                        found: other.kind_name(),
                        row: None,
                    }
                    .into());
                }
            };
            visit(spec, x, x * points);
            sum += x * points;
        }
        Ok(sum)
    }

    /// The highest tier whose least points are reached; the margin is the distance to the
    /// nearest border.
    fn tier(&self, points: f64) -> Assignment {
        let reached =
            self.tiers.iter().rposition(|tier| points >= tier.from).unwrap_or(0);
        let borders = self.tiers[1..].iter().map(|tier| (points - tier.from).abs());
        let margin = borders.fold(f64::INFINITY, f64::min);
        Assignment::new(SegmentIndex::new(reached as u32), 0.0, margin)
    }
}

impl Segmenter for Loyalty {
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
        Ok(self.tier(self.points_of(customer, |_, _, _| {})?))
    }

    fn explain(&self, customer: &dyn Customer) -> Result<Explanation> {
        let mut contributions = Vec::new();
        let points = self.points_of(customer, |spec, x, points| {
            contributions.push(Contribution {
                feature: format!("{} ({points} points)", spec.name()),
                value: OwnedValue::Number(x),
                typical: None,
                cost: 0.0,
                margin: 0.0,
            });
        })?;
        let mut explanation = Explanation::new(self.tier(points), Reason::Opaque);
        explanation.contributions = contributions;
        Ok(explanation.named(&self.segments))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new().accepts_missing(true)
    }
}

/// The shape on disk. A change of it would raise the version.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LoyaltyRepr {
    points: Vec<f64>,
    tiers: Vec<Tier>,
}

impl Persist for Loyalty {
    const KIND: &'static str = "acme.loyalty";
    const VERSION: u32 = 1;
    type Repr = LoyaltyRepr;

    fn to_repr(&self, _: &Registry) -> Result<LoyaltyRepr> {
        Ok(LoyaltyRepr { points: self.points.clone(), tiers: self.tiers.clone() })
    }

    fn from_repr(repr: LoyaltyRepr, schema: Schema, _: &Registry) -> Result<Loyalty> {
        Loyalty::checked(schema, repr.points, repr.tiers)
            .map_err(|e| Error::corrupt(Self::KIND, e.to_string()))
    }
}

fn programme() -> Result<Loyalty> {
    Loyalty::new(
        &[("orders", 10.0), ("spend", 0.1), ("returns", -25.0)],
        &[("bronze", 0.0), ("silver", 100.0), ("gold", 500.0)],
    )
}

fn main() -> Result<()> {
    let loyalty = programme()?;
    let ann = OwnedCustomer::new(loyalty.schema(), "ann")
        .set("orders", 12.0)?
        .set("spend", 890.0)?
        .set("returns", 1.0)?;
    print!("{}", loyalty.explain(&ann)?);

    // It is saved and loaded beside the built-in kinds.
    let mut registry = segmenta::registry();
    registry.register::<Loyalty>()?;
    let saved = registry.save(&loyalty)?;
    let loaded: Box<dyn Segmenter> = registry.load(&saved)?;
    assert_eq!(loaded.assign(&ann)?, loyalty.assign(&ann)?);
    println!("saved as {} with digest {}", saved.kind(), saved.digest());
    Ok(())
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::{Loyalty, programme};

    fn loyalty() -> Loyalty {
        programme().unwrap()
    }

    segmenta::conformance!(loyalty_conforms, segmenter: loyalty());
    segmenta::conformance!(loyalty_persists, persist: loyalty());
}
