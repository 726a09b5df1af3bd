//! How far a customer is from a place.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ast::{Test, finite};
use super::field::Field;
use crate::data::{Customer, FeatureIndex, FeatureSpec, Value};
use crate::error::{Error, ErrorKind, Result};

/// A test of the distance in kilometres between a customer and a place.
///
/// Where the customer is, two features say, in degrees: the latitude, north of the equator,
/// from -90 to 90, and the longitude, east of Greenwich, from -360 to 360. If one is missing,
/// the distance is. It is the length of the great circle on a sphere of
/// [`EARTH_RADIUS`] by the haversine formula (Sinnott 1984), which differs from that on the
/// ellipsoid by at most 0.6 %.
///
/// ```
/// use segmenta::data::{FeatureSpec, OwnedCustomer, Schema};
/// use segmenta::rules::{Rule, distance};
///
/// let json = r#"{"distance": {
///     "latitude": "lat", "longitude": "lon",
///     "from": {"latitude": 48.2082, "longitude": 16.3738}, "is": {"le": 60}
/// }}"#;
/// let near_vienna: Rule = serde_json::from_str(json).unwrap();
/// assert_eq!(near_vienna, distance("lat", "lon", 48.2082, 16.3738).le(60));
/// assert_eq!(
///     near_vienna.to_string(),
///     "distance(lat, lon) from (48.2082, 16.3738) <= 60",
/// );
///
/// let schema = Schema::new([FeatureSpec::number("lat"), FeatureSpec::number("lon")])?;
/// let bratislava =
///     OwnedCustomer::new(&schema, 1).set("lat", 48.1486)?.set("lon", 17.1077)?;
/// assert!(near_vienna.compile(&schema)?.holds(&bratislava)?);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DistanceTest {
    /// The feature that holds the latitude.
    pub latitude: String,
    /// The feature that holds the longitude.
    pub longitude: String,
    /// The place.
    pub from: Location,
    /// What the number of kilometres must satisfy.
    pub is: Test,
    /// The answer for a customer of whom the place is not known; absent for Unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when_missing: Option<bool>,
}

/// A place on Earth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Location {
    /// Degrees north of the equator: from -90 to 90.
    #[serde(serialize_with = "finite")]
    pub latitude: f64,
    /// Degrees east of Greenwich: from -360 to 360.
    #[serde(serialize_with = "finite")]
    pub longitude: f64,
}

/// The mean radius of the Earth in kilometres (IUGG; Moritz 2000).
pub const EARTH_RADIUS: f64 = 6371.0088;

pub(super) const LATITUDES: f64 = 90.0;
pub(super) const LONGITUDES: f64 = 360.0;

impl Location {
    /// The distance to another place in kilometres, over the surface.
    ///
    /// ```
    /// use segmenta::rules::Location;
    ///
    /// let vienna = Location { latitude: 48.2082, longitude: 16.3738 };
    /// let sydney = Location { latitude: -33.8688, longitude: 151.2093 };
    /// assert_eq!(vienna.distance(sydney).round(), 15_976.0);
    /// ```
    #[must_use]
    pub fn distance(self, other: Location) -> f64 {
        let half = |from: f64, to: f64| ((to - from).to_radians() / 2.0).sin();
        let (north, east) =
            (half(self.latitude, other.latitude), half(self.longitude, other.longitude));
        let [a, b] = [self, other].map(|place| place.latitude.to_radians().cos());
        // Rounding may bring it beyond 1, at the other end of the world.
        let haversine = (north * north + a * b * east * east).min(1.0);
        2.0 * EARTH_RADIUS * haversine.sqrt().asin()
    }

    pub(super) fn is_on_earth(self) -> bool {
        self.latitude.abs() <= LATITUDES && self.longitude.abs() <= LONGITUDES
    }
}

/// As it stands in the written form of a rule.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {})", self.latitude, self.longitude)
    }
}

/// A distance, resolved against the schema.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Distance {
    pub(super) latitude: Coordinate,
    pub(super) longitude: Coordinate,
    pub(super) from: Location,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Coordinate {
    pub(super) feature: FeatureIndex,
    pub(super) spec: FeatureSpec,
    /// The largest number of degrees.
    pub(super) most: f64,
}

impl Coordinate {
    /// The degrees, if they are there.
    ///
    /// # Errors
    /// When the value is no number of degrees.
    pub(super) fn read(&self, value: Value<'_>) -> Result<Option<f64>> {
        match value {
            Value::Missing => Ok(None),
            Value::Number(x) if x.abs() <= self.most => Ok(Some(x)),
            Value::Number(x) if x.is_finite() => Err(self.beyond(x)),
            Value::Number(x) => Err(self.spec.non_finite(x, None)),
            value => Err(self.spec.wrong_kind(value.kind_name(), None)),
        }
    }

    #[cold]
    fn beyond(&self, x: f64) -> Error {
        let (name, most) = (self.spec.name(), self.most);
        ErrorKind::Value {
            expected: format!("a number of degrees from -{most} to {most} in `{name}`")
                .into(),
            found: x.to_string(),
            row: None,
        }
        .into()
    }
}

impl Distance {
    /// The kilometres to a customer.
    ///
    /// # Errors
    /// When a coordinate cannot be used.
    pub(super) fn value<C: Customer + ?Sized>(
        &self,
        customer: &C,
    ) -> Result<Option<f64>> {
        let read =
            |coordinate: &Coordinate| coordinate.read(customer.value(coordinate.feature));
        let (latitude, longitude) = (read(&self.latitude)?, read(&self.longitude)?);
        Ok(latitude.zip(longitude).map(|at| self.kilometres(at)))
    }

    pub(super) fn kilometres(&self, (latitude, longitude): (f64, f64)) -> f64 {
        self.from.distance(Location { latitude, longitude })
    }
}

/// Starts a test of the distance in kilometres between a customer and a place, see
/// [`DistanceTest`].
pub fn distance(
    latitude: impl Into<String>,
    longitude: impl Into<String>,
    from_latitude: f64,
    from_longitude: f64,
) -> Field {
    let from = Location { latitude: from_latitude, longitude: from_longitude };
    Field::of_distance(latitude.into(), longitude.into(), from)
}
