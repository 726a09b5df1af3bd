//! Customers to test with.

use crate::data::{Date, FeatureKind, FeatureSpec, OwnedCustomer, OwnedValue, Schema};
use crate::random::Random;

/// `n` customers with values that the schema allows: small and large numbers with ties,
/// all levels (for open categories `a` to `e`), days around 2020. Nothing is missing.
#[must_use]
pub fn customers(schema: &Schema, n: usize, seed: u64) -> Vec<OwnedCustomer> {
    let mut random = Random::new(seed, 0x7e57);
    (0..n as u64)
        .map(|id| {
            let values =
                schema.features().iter().map(|f| valid(f, &mut random)).collect();
            customer(schema, id, values)
        })
        .collect()
}

/// Customers that break every rule: each feature in turn, and then all of them, is
/// missing, NaN, infinite, enormous, of another kind, or of an unknown level. With each
/// comes the name of the feature that is bad, if it is a single one.
#[must_use]
pub fn hostile_customers(schema: &Schema) -> Vec<(OwnedCustomer, Option<String>)> {
    let mut random = Random::new(7, 0xbad);
    let mut cases = Vec::new();
    for value in hostile_values() {
        for (i, spec) in schema.features().iter().enumerate() {
            let mut values: Vec<OwnedValue> =
                schema.features().iter().map(|f| valid(f, &mut random)).collect();
            values[i] = value.clone();
            let name = Some(spec.name().to_owned());
            cases.push((customer(schema, cases.len() as u64, values), name));
        }
        let values = vec![value; schema.len()];
        cases.push((customer(schema, cases.len() as u64, values), None));
    }
    cases
}

fn customer(schema: &Schema, id: u64, values: Vec<OwnedValue>) -> OwnedCustomer {
    OwnedCustomer::with_values(schema, id, values)
        .unwrap_or_else(|_| OwnedCustomer::new(schema, id))
}

fn hostile_values() -> Vec<OwnedValue> {
    vec![
        OwnedValue::Missing,
        OwnedValue::Number(f64::NAN),
        OwnedValue::Number(f64::INFINITY),
        OwnedValue::Number(f64::NEG_INFINITY),
        OwnedValue::Number(f64::MAX),
        OwnedValue::Number(-1e300),
        OwnedValue::Number(f64::MIN_POSITIVE),
        OwnedValue::Number(-0.0),
        OwnedValue::Flag(true),
        OwnedValue::Category(String::new()),
        OwnedValue::Category("a level that nobody has heard of".to_owned()),
        OwnedValue::Category("\u{202e}\0🦀".repeat(1000)),
        OwnedValue::Date(Date::MIN),
        OwnedValue::Date(Date::MAX),
        OwnedValue::Tags(Vec::new()),
        OwnedValue::Tags(vec!["a".to_owned(); 3]),
    ]
}

fn valid(spec: &FeatureSpec, random: &mut Random) -> OwnedValue {
    let level = |random: &mut Random| {
        let levels = spec.get_levels();
        if levels.is_empty() {
            ["a", "b", "c", "d", "e"][random.below(5)].to_owned()
        } else {
            levels[random.below(levels.len())].clone()
        }
    };
    match spec.kind() {
        FeatureKind::Number => OwnedValue::Number(match random.below(4) {
            0 => random.below(4) as f64,
            1 => random.below(100) as f64,
            2 => random.unit() * 10.0,
            _ => (random.unit() * 12.0).exp(),
        }),
        FeatureKind::Flag => OwnedValue::Flag(random.below(2) == 1),
        FeatureKind::Category | FeatureKind::Ordinal => {
            OwnedValue::Category(level(random))
        }
        FeatureKind::Date => Date::from_days(17_000 + random.below(2_000) as i32)
            .map_or(OwnedValue::Missing, OwnedValue::Date),
        FeatureKind::Tags => {
            let mut tags: Vec<String> =
                (0..random.below(4)).map(|_| level(random)).collect();
            tags.sort();
            tags.dedup();
            OwnedValue::Tags(tags)
        }
    }
}
