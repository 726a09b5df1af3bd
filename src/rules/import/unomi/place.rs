//! Conditions on where a profile is.

use super::super::json::{Json, Object, get};
use super::super::reader::{Reader, all, any};
use crate::rules::ast::{Rule, Test};
use crate::rules::distance::{DistanceTest, Location};

/// Lengths in kilometres, as Elasticsearch names them.
const UNITS: [(&str, f64); 14] = [
    ("km", 1.0),
    ("kilometers", 1.0),
    ("mi", 1.609_344),
    ("miles", 1.609_344),
    ("yd", 0.000_914_4),
    ("yards", 0.000_914_4),
    ("ft", 0.000_304_8),
    ("feet", 0.000_304_8),
    ("nmi", 1.852),
    ("NM", 1.852),
    ("nauticalmiles", 1.852),
    ("cm", 0.000_01),
    ("m", 0.001),
    ("meters", 0.001),
];

/// A circle, or a rectangle along the meridians.
pub(super) fn of(r: &mut Reader<'_>, parameters: &Object) -> Option<Rule> {
    let known = [
        "type",
        "name",
        "circleLatitude",
        "circleLongitude",
        "distance",
        "rectLatitudeNE",
        "rectLongitudeNE",
        "rectLatitudeSW",
        "rectLongitudeSW",
    ];
    let keys = r.known_keys(parameters, &known, &[]);
    let kind = r.required_text(parameters, "type");
    let name = match get(parameters, "name") {
        None | Some(Json::Null) => Some("location"),
        Some(json) => r.at("name", |r| r.text(json)),
    };
    keys?;
    let (kind, name) = (kind?, name?);
    let [latitude, longitude] = located(r, name)?;
    r.note(
        "session-as-customer",
        "where the session was is read as where the customer is",
    );
    match kind {
        "circle" => {
            let north = number(r, parameters, "circleLatitude");
            let east = number(r, parameters, "circleLongitude");
            let json = r.required(parameters, "distance")?;
            let reach = r.at("distance", |r| length(r, json, None));
            let from = Location { latitude: north?, longitude: east? };
            circle(r, [latitude, longitude], from, reach?)
        }
        "rectangle" => {
            let ends = [
                "rectLatitudeSW",
                "rectLatitudeNE",
                "rectLongitudeSW",
                "rectLongitudeNE",
            ]
            .map(|key| number(r, parameters, key));
            let [south, north, west, east] = ends;
            let (south, north, west, east) = (south?, north?, west?, east?);
            rectangle(r, [latitude, longitude], [south, north], [west, east])
        }
        other => r.at("type", |r| {
            r.fault("bad-value", "the shape is not known", |i| {
                i.expected("`circle` or `rectangle`").found(format!("`{other}`"))
            })
        }),
    }
}

/// The operator `distance` of a property.
pub(super) fn within(
    r: &mut Reader<'_>,
    parameters: &Object,
    name: &str,
) -> Option<Rule> {
    let [latitude, longitude] = r.at("propertyName", |r| located(r, name))?;
    let unit = match get(parameters, "unit") {
        None | Some(Json::Null) => Some("m"),
        Some(json) => r.at("unit", |r| r.text(json)),
    };
    let json = r.required(parameters, "distance");
    let reach = json
        .zip(unit)
        .and_then(|(json, unit)| r.at("distance", |r| length(r, json, Some(unit))));
    let center = r.required_text(parameters, "center").and_then(|text| {
        let numbers: Vec<Option<f64>> =
            text.split(',').map(|part| part.trim().parse().ok()).collect();
        match numbers[..] {
            [Some(latitude), Some(longitude)] => Some(Location { latitude, longitude }),
            _ => r.at("center", |r| {
                r.fault("bad-value", "the place cannot be read", |i| {
                    i.expected("a latitude and a longitude, as `48.2, 16.4`")
                        .found(text.chars().take(40).collect::<String>())
                })
            }),
        }
    });
    circle(r, [latitude, longitude], center?, reach?)
}

/// The features that hold a place.
fn located(r: &mut Reader<'_>, name: &str) -> Option<[String; 2]> {
    match r.import.locations.get(name) {
        Some(features) => Some(features.clone()),
        None => {
            let message = format!("no features are stated that hold the place `{name}`");
            r.fault("unsupported-condition", message, |i| {
                i.expected("a location that was stated for the import")
            })
        }
    }
}

fn number(r: &mut Reader<'_>, parameters: &Object, key: &str) -> Option<f64> {
    let json = r.required(parameters, key)?;
    match json {
        Json::Number(x) => Some(*x),
        Json::Text(text) => match text.trim().parse::<f64>() {
            Ok(x) if x.is_finite() => Some(x),
            _ => r.at(key, |r| r.unexpected("a number", json)),
        },
        other => r.at(key, |r| r.unexpected("a number", other)),
    }
}

/// A length in kilometres. Without a unit it is in metres.
fn length(r: &mut Reader<'_>, json: &Json, unit: Option<&str>) -> Option<f64> {
    let (number, of_text) = match json {
        Json::Number(x) => (Some(*x), ""),
        Json::Text(text) => {
            let text = text.trim();
            let end = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
            (text[..end].trim().parse::<f64>().ok(), &text[end..])
        }
        other => return r.unexpected("a length, as `10km`", other),
    };
    let unit = match (unit, of_text) {
        (Some(unit), "") => unit,
        (None, "") => "m",
        (_, unit) => unit,
    };
    let factor = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| factor);
    match (number, factor) {
        (Some(x), Some(factor)) if (x * factor).is_finite() && x >= 0.0 => {
            Some(x * factor)
        }
        _ => r.fault("bad-value", "the length cannot be read", |i| {
            i.expected("a number with a unit, as `10km`").found(json.describe())
        }),
    }
}

fn circle(
    r: &mut Reader<'_>,
    [latitude, longitude]: [String; 2],
    from: Location,
    km: f64,
) -> Option<Rule> {
    let is = Test::Le(km.into());
    let when_missing = Some(false);
    let test = DistanceTest { latitude, longitude, from, is, when_missing };
    r.check(Rule::Distance(test))
}

fn rectangle(
    r: &mut Reader<'_>,
    [latitude, longitude]: [String; 2],
    [south, north]: [f64; 2],
    [west, east]: [f64; 2],
) -> Option<Rule> {
    let [latitude, longitude] = [latitude, longitude].map(|name| r.feature(&name));
    let (latitude, longitude) = (latitude?, longitude?);
    let range = |lo: f64, hi: f64| Test::Between { lo: lo.into(), hi: hi.into() };
    let north_south = r.test(&latitude, range(south, north), false);
    let east_west = if west <= east {
        r.test(&longitude, range(west, east), false)
    } else {
        // Across the meridian at which the count begins again.
        let sides = [Test::Ge(west.into()), Test::Le(east.into())];
        let sides = sides.map(|test| r.test(&longitude, test, false));
        sides.into_iter().collect::<Option<Vec<Rule>>>().map(any)
    };
    Some(all(vec![north_south?, east_west?]))
}
