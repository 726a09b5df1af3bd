//! Models and customers that the benchmarks share.

use segmenta::cluster::kmeans::KMeansModel;
use segmenta::data::{Customer, CustomerId, FeatureIndex, FeatureSpec, Schema, Value};
use segmenta::encode::FittedEncoder;
use segmenta::ndarray::Array2;
use segmenta::rfm::{Rfm, RfmModel};
use segmenta::rules::{CompiledRule, Rule, RuleSegmenter, field};
use segmenta::{Fit, data::Table};

/// Clusters and columns of the k-means benchmark.
pub const K: usize = 10;
/// Columns of the k-means benchmark.
pub const D: usize = 16;

/// Numbers that look random and are the same each time, from −1 to 1.
pub fn numbers(n: usize, seed: u64) -> Vec<f64> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as f64 / u64::MAX as f64 * 2.0 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

/// A customer of 16 numbers, as a host would implement it.
pub struct Point(pub [f64; D]);

impl Customer for Point {
    fn id(&self) -> CustomerId<'_> {
        CustomerId::Number(0)
    }

    #[inline]
    fn value(&self, feature: FeatureIndex) -> Value<'_> {
        self.0.get(feature.get()).copied().into()
    }
}

/// Ten centres in sixteen columns.
pub fn centers() -> Array2<f64> {
    Array2::from_shape_vec((K, D), numbers(K * D, 1)).expect("K times D numbers")
}

/// A model of those centres.
pub fn kmeans() -> KMeansModel {
    let names: Vec<String> = (0..D).map(|j| format!("f{j}")).collect();
    let schema =
        Schema::new(names.iter().map(FeatureSpec::number)).expect("distinct names");
    let encoder = FittedEncoder::identity(&schema).expect("numbers");
    KMeansModel::from_centers(encoder, centers()).expect("finite centres")
}

/// The same distances and the same two least of them, written by hand: what `assign_row`
/// is measured against.
pub fn nearest_by_hand(centers: &[[f64; D]; K], x: &[f64; D]) -> (usize, f64, f64) {
    let (mut index, mut best, mut next) = (0, f64::INFINITY, f64::INFINITY);
    for (i, center) in centers.iter().enumerate() {
        let mut distance = 0.0;
        for j in 0..D {
            let difference = x[j] - center[j];
            distance += difference * difference;
        }
        if distance < best {
            next = best;
            best = distance;
            index = i;
        } else if distance < next {
            next = distance;
        }
    }
    (index, best, next - best)
}

/// Recency, frequency and monetary value of made-up customers.
pub fn purchases(n: usize) -> Vec<[f64; 3]> {
    let random = numbers(3 * n, 2);
    random
        .chunks_exact(3)
        .map(|r| {
            [
                ((r[0] + 1.0) * 180.0).round(),
                (1.0 + (r[1] + 1.0) * 20.0).round(),
                (r[2] * 3.0 + 4.0).exp(),
            ]
        })
        .collect()
}

/// A customer of three numbers.
pub struct Purchases(pub [f64; 3]);

impl Customer for Purchases {
    fn id(&self) -> CustomerId<'_> {
        CustomerId::Number(0)
    }

    #[inline]
    fn value(&self, feature: FeatureIndex) -> Value<'_> {
        self.0.get(feature.get()).copied().into()
    }
}

/// RFM quintiles of 10,000 customers.
pub fn rfm() -> RfmModel {
    let rows = purchases(10_000);
    let names = ["recency", "frequency", "monetary"];
    let schema = Schema::new(names.map(FeatureSpec::number)).expect("distinct names");
    let mut builder = Table::builder(&schema, rows.len());
    for (j, name) in names.into_iter().enumerate() {
        builder = builder.numbers(name, rows.iter().map(|r| r[j]).collect::<Vec<_>>());
    }
    let table = builder.build().expect("finite numbers");
    Rfm::new().fit(&table).expect("10,000 rows").into_model()
}

/// A customer with features of several kinds.
pub struct Shopper {
    pub orders: f64,
    pub spend: f64,
    pub recency: f64,
    pub age: Option<f64>,
    pub country: &'static str,
    pub opted_out: bool,
    pub visits: f64,
}

impl Customer for Shopper {
    fn id(&self) -> CustomerId<'_> {
        CustomerId::Number(0)
    }

    #[inline]
    fn value(&self, feature: FeatureIndex) -> Value<'_> {
        match feature.get() {
            0 => Value::Number(self.orders),
            1 => Value::Number(self.spend),
            2 => Value::Number(self.recency),
            3 => self.age.into(),
            4 => Value::Category(self.country),
            5 => Value::Flag(self.opted_out),
            6 => Value::Number(self.visits),
            _ => Value::Missing,
        }
    }
}

/// Shoppers that take different ways through the rule.
pub fn shoppers() -> Vec<Shopper> {
    let countries = ["DE", "AT", "CH", "FR", "US"];
    let random = numbers(6 * 256, 3);
    random
        .chunks_exact(6)
        .enumerate()
        .map(|(i, r)| Shopper {
            orders: ((r[0] + 1.0) * 6.0).floor(),
            spend: (r[1] + 1.0) * 500.0,
            recency: (r[2] + 1.0) * 100.0,
            age: (i % 9 != 0).then_some(40.0 + r[3] * 20.0),
            country: countries[i % 5],
            opted_out: r[4] > 0.8,
            visits: (r[5] + 1.0) * 20.0,
        })
        .collect()
}

/// Ten leaves over seven features.
pub fn ten_leaves() -> Rule {
    Rule::any([
        Rule::all([
            field("orders").ge(3),
            field("spend").gt(250),
            field("recency").le(90),
            field("country").is_in(["DE", "AT", "CH"]),
            !field("opted_out").eq(true),
        ]),
        Rule::all([
            field("visits").between(5, 30),
            field("age").ge(25),
            field("age").lt(60),
            field("spend").ge(100),
            field("country").eq("FR"),
        ]),
    ])
}

/// The same condition as a closure over the host's own type would be. A missing age
/// makes a test unknown, which is not true; under these `all`s that is `false`.
#[inline]
pub fn ten_leaves_by_hand(s: &Shopper) -> bool {
    (s.orders >= 3.0
        && s.spend > 250.0
        && s.recency <= 90.0
        && matches!(s.country, "DE" | "AT" | "CH")
        && !s.opted_out)
        || ((5.0..=30.0).contains(&s.visits)
            && s.age.is_some_and(|age| age >= 25.0)
            && s.age.is_some_and(|age| age < 60.0)
            && s.spend >= 100.0
            && s.country == "FR")
}

/// The schema of [`Shopper`].
pub fn shopper_schema() -> Schema {
    Schema::new([
        FeatureSpec::number("orders"),
        FeatureSpec::number("spend"),
        FeatureSpec::number("recency"),
        FeatureSpec::number("age"),
        FeatureSpec::category("country"),
        FeatureSpec::flag("opted_out"),
        FeatureSpec::number("visits"),
    ])
    .expect("distinct names")
}

/// The rule, compiled.
pub fn compiled() -> CompiledRule {
    ten_leaves().compile(&shopper_schema()).expect("a sound rule")
}

/// The rule as a segmenter of two segments.
pub fn rules() -> RuleSegmenter {
    RuleSegmenter::builder(&shopper_schema())
        .segment("target", "Target", ten_leaves())
        .rest("rest", "Rest")
        .build()
        .expect("a sound rule")
}
