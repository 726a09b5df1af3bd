//! Models that a released version saved can be read for ever: each file of
//! `tests/formats` holds an envelope, customers, and the answers of the model that was
//! saved.
//!
//! A new version of a kind gets a new file, written once by
//! `cargo test --test formats -- --ignored write_the_formats`; files are never rewritten.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]
#![allow(clippy::disallowed_methods, reason = "a test may read its own files")]

use std::path::PathBuf;

use segmenta::cluster::hierarchical::{Cut, Hierarchical};
use segmenta::cluster::kmeans::KMeans;
use segmenta::data::{FeatureSpec, OwnedCustomer, OwnedValue, Schema, Table};
use segmenta::encode::{Encoder, Impute, UnknownLevel};
use segmenta::history::TimeUnit;
use segmenta::lifetime::{LifetimeTiers, LifetimeValue, PurchaseModelKind};
use segmenta::rfm::Rfm;
use segmenta::rules::{RuleBook, RuleSegmenter, field};
use segmenta::segmenter::{Crosstab, Fallback, Saved, Tree};
use segmenta::{Fit, Segmenter, SegmenterExt};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Format {
    saved: Saved,
    customers: Vec<Vec<OwnedValue>>,
    /// Segment id, cost and margin (`None`: infinite) of each customer.
    answers: Vec<(Option<String>, f64, Option<f64>)>,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/formats")
}

fn ask(
    model: &dyn Segmenter,
    values: &[OwnedValue],
) -> (Option<String>, f64, Option<f64>) {
    let customer =
        OwnedCustomer::with_values(model.schema(), 1, values.to_vec()).unwrap();
    let assignment = model.assign(&customer).unwrap();
    let id = model.segment_of(&assignment).map(|s| s.id.to_string());
    let margin = Some(assignment.margin()).filter(|m| m.is_finite());
    (id, assignment.cost(), margin)
}

#[test]
fn what_was_saved_is_read_and_answers_alike() {
    let mut kinds = Vec::new();
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let format: Format = serde_json::from_str(&text).unwrap();
        let model = segmenta::registry()
            .load(&format.saved)
            .unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        assert!(!format.answers.is_empty());
        for (values, expected) in format.customers.iter().zip(&format.answers) {
            let got = ask(&*model, values);
            assert_eq!(got.0, expected.0, "{}: {values:?}", file.display());
            // Logarithms may differ in the last bit between targets.
            let close = |a: f64, b: f64| (a - b).abs() <= 1e-12 * (1.0 + b.abs());
            assert!(close(got.1, expected.1), "{}: {got:?} {expected:?}", file.display());
            match (got.2, expected.2) {
                (Some(a), Some(b)) => assert!(close(a, b), "{}", file.display()),
                (a, b) => assert_eq!(a, b, "{}", file.display()),
            }
        }
        kinds.push(format.saved.kind().to_owned());
    }
    kinds.sort();
    kinds.dedup();
    let mut built_in: Vec<&str> = segmenta::registry().kinds().collect();
    built_in.sort_unstable();
    assert_eq!(kinds, built_in, "every kind has a file of every version");
}

fn schema() -> Schema {
    Schema::new([
        FeatureSpec::number("recency").unit("days"),
        FeatureSpec::number("frequency"),
        FeatureSpec::number("monetary").unit("EUR"),
        FeatureSpec::category("country").levels(["AT", "DE"]),
        FeatureSpec::flag("member"),
        FeatureSpec::ordinal("tier", ["low", "high"]),
        FeatureSpec::tags("likes"),
        FeatureSpec::number("repeat_purchases"),
        FeatureSpec::number("age_at_last_purchase").unit("weeks"),
        FeatureSpec::number("age").unit("weeks"),
        FeatureSpec::number("mean_repeat_spend").unit("EUR"),
    ])
    .unwrap()
}

fn customers() -> Vec<Vec<OwnedValue>> {
    (0..24_u32)
        .map(|i| {
            let likes = ["tea", "wine", "jam"]
                .into_iter()
                .filter(|like| (i as usize).is_multiple_of(like.len()));
            vec![
                f64::from(i * 37 % 90).into(),
                f64::from(1 + i * 5 % 11).into(),
                (f64::from(i * i % 53) * 7.5 + 0.1).into(),
                if i % 3 == 0 { "AT" } else { "DE" }.into(),
                (i % 4 == 0).into(),
                if i % 5 == 0 { "high" } else { "low" }.into(),
                likes.map(str::to_owned).collect::<Vec<_>>().into(),
                f64::from(i % 5).into(),
                (f64::from(i % 5) * (3.0 + f64::from(i % 7))).into(),
                (44.0 + f64::from(i % 3)).into(),
                f64::from(10 + i * 7 % 23).into(),
            ]
        })
        .collect()
}

fn models() -> Vec<Box<dyn Segmenter>> {
    let schema = schema();
    let rows = customers();
    let rows = rows.into_iter().zip(0_u64..);
    let rows: Vec<OwnedCustomer> =
        rows.map(|(v, id)| OwnedCustomer::with_values(&schema, id, v).unwrap()).collect();
    let table = Table::from_customers(&schema, &rows).unwrap();
    let rules = || {
        let vip = field("monetary").ge(200)
            & field("tier").ge("low")
            & field("likes").has_any(["tea"]);
        RuleSegmenter::builder(&schema).segment("vip", "VIP", vip).build().unwrap()
    };
    let book = RuleBook::builder(&schema)
        .segment(
            "home",
            "Home",
            field("country").is_in(["AT"]) | !field("member").eq(true),
        )
        .segment("often", "Often", field("frequency").between(5, 9))
        .rest("rest", "Rest");
    let encoder = Encoder::new()
        .log1p(["monetary"])
        .impute(Impute::Median)
        .unknown_level(UnknownLevel::Ignore)
        .weight("country", 0.5);
    let kmeans = || {
        KMeans::new(3).seed(4).encoder(encoder.clone()).fit(&table).unwrap().into_model()
    };
    let rfm = || Rfm::new().fit(&table).unwrap().into_model();
    let ward = || {
        Hierarchical::new(Cut::Number(3))
            .encoder(encoder.clone())
            .fit(&table)
            .unwrap()
            .into_model()
    };
    let fallback = || {
        Fallback::new(&schema)
            .then("rules", Box::new(rules()))
            .unwrap()
            .then("clusters", Box::new(kmeans()))
            .unwrap()
    };
    let crosstab =
        Crosstab::new(&schema, ("worth", Box::new(rfm())), ("kind", Box::new(ward())))
            .unwrap();
    let tree = Tree::new(&schema, Box::new(kmeans())).unwrap();
    let tree = tree.refine("segment-2", Box::new(fallback())).unwrap();
    let year = LifetimeValue::new(12.0, TimeUnit::Month).annual_discount_rate(0.1);
    let tiers = LifetimeTiers::by_value(year).model(PurchaseModelKind::BgNbd);
    vec![
        Box::new(rules()),
        Box::new(book.build().unwrap()),
        Box::new(rfm()),
        Box::new(tiers.fit(&table).unwrap().into_model()),
        Box::new(kmeans()),
        Box::new(ward()),
        Box::new(fallback()),
        Box::new(crosstab),
        Box::new(tree),
    ]
}

#[test]
#[ignore = "writes the files of new versions"]
fn write_the_formats() {
    for model in models() {
        let saved = segmenta::registry().save(&*model).unwrap();
        let kind = saved.kind().trim_start_matches("segmenta.").to_owned();
        let file = folder().join(format!("{kind}-{}.json", saved.version()));
        if file.exists() {
            continue;
        }
        let mapped = model.schema().locate_in(&schema()).unwrap();
        let pick = |row: Vec<OwnedValue>| {
            mapped.features().iter().map(|i| row[i.get()].clone()).collect()
        };
        let customers: Vec<Vec<OwnedValue>> = customers().into_iter().map(pick).collect();
        let answers = customers.iter().map(|values| ask(&*model, values)).collect();
        let format = Format { saved, customers, answers };
        std::fs::write(file, serde_json::to_string(&format).unwrap()).unwrap();
    }
}
