//! The main job from end to end, on data that the program makes itself: a shop's purchase
//! history with planted groups is segmented in four ways, profiled, explained, and
//! compared with the truth.
//!
//! ```text
//! cargo run --release --example quickstart
//! ```

// A program may print; the library never does.
#![allow(clippy::print_stdout)]

mod shop;

use segmenta::cluster::hierarchical::{Cut, Hierarchical};
use segmenta::cluster::kmeans::KMeans;
use segmenta::data::{Basis, FeatureSet, FeatureSpec, Sensitivity, Table};
use segmenta::encode::Encoder;
use segmenta::history::{Ledger, LedgerOptions, Occasion};
use segmenta::metrics::{Criterion, adjusted_rand_score, choose_n_clusters};
use segmenta::ndarray::ArrayView2;
use segmenta::profile::Profiles;
use segmenta::rfm::{Rfm, SegmentMap};
use segmenta::rules::{RuleSegmenter, field};
use segmenta::{Error, Fit, Result, Segmenter, SegmenterExt};
use shop::{GROUPS, Shopper};

/// A shopper with what the purchase history says.
struct Described {
    shopper: Shopper,
    recency: i32,
    frequency: u64,
    monetary: f64,
}

/// The features by which k-means and Ward compare customers: behaviour only.
const BEHAVIOUR: [&str; 3] = ["recency", "frequency", "monetary"];

fn main() -> Result<()> {
    let customers = describe(shop::shoppers(4000, 42))?;
    let features = features()?;
    let table = features.table(&customers)?;
    println!("{} customers, planted in {} groups\n", table.len(), GROUPS.len());

    // 1. Rules: what a person wrote. No fit: they compile against the schema.
    let rules = RuleSegmenter::builder(features.schema())
        .segment("new", "New", field("recency").le(60) & field("frequency").le(3))
        .segment("lapsed", "Lapsed", field("recency").gt(240) & field("frequency").le(1))
        .segment(
            "champions",
            "Champions",
            field("frequency").ge(20) & field("monetary").ge(1500),
        )
        .segment(
            "big",
            "Big spenders",
            field("monetary").ge(500) & field("frequency").le(8),
        )
        .rest("regular", "Regulars")
        .build()?;

    // 2. RFM quintiles, named by the grid of recency and frequency.
    let rfm = Rfm::rf().segments(SegmentMap::rf_grid()).fit(&table)?;

    // 3. k-means on scaled logarithms. Scores help to choose the number of segments, but
    // seldom settle it: here they like 3 best and hardly less 5, which tells more apart.
    let encoder = Encoder::new().features(BEHAVIOUR).log1p(BEHAVIOUR);
    let matrix = encoder.fit(&table)?;
    let rows = matrix.encode_table(&table)?;
    let x = ArrayView2::from_shape((table.len(), matrix.n_columns()), &rows)
        .map_err(Error::other)?;
    let kmeans_of = |k: usize| KMeans::new(k).n_init(5).seed(1).encoder(encoder.clone());
    let criteria = [Criterion::SimplifiedSilhouette, Criterion::DaviesBouldin];
    let choice = choose_n_clusters(x, 2..=8, &criteria, |k| {
        Ok(kmeans_of(k).fit_matrix(x, None, &mut ())?.labels)
    })?;
    println!("How many segments?\n{choice}");
    let k = 5;
    let kmeans = kmeans_of(k).fit(&table)?;

    // 4. Ward's hierarchical clustering on the same columns.
    let ward = Hierarchical::new(Cut::Number(k)).encoder(encoder).fit(&table)?;

    let truth: Vec<usize> = customers.iter().map(|c| c.shopper.group).collect();
    let models: [(&str, &dyn Segmenter); 4] = [
        ("rules", &rules),
        ("RFM grid", rfm.model()),
        ("k-means", kmeans.model()),
        ("Ward", ward.model()),
    ];
    for (name, model) in models {
        show(name, model, &table, &truth)?;
    }

    println!("Who are the k-means segments?\n");
    let profiles = Profiles::of_segmenter(kmeans.model(), &table)?;
    println!("{profiles}");
    for (segment, name) in
        kmeans.model().segments().iter().zip(profiles.suggested_names())
    {
        println!("{}: {name}", segment.name);
    }

    let someone = &customers[7];
    let view = features.view(someone);
    println!("\nWhy is customer {} where she is?", someone.shopper.id);
    for (name, model) in models {
        print!("\n{name}: {}", model.explain(&view)?);
    }
    println!("\n(planted: {})", GROUPS[someone.shopper.group]);
    Ok(())
}

/// Adds recency, frequency and monetary value out of the purchases.
fn describe(shoppers: Vec<Shopper>) -> Result<Vec<Described>> {
    let mut ledger = Ledger::new(LedgerOptions::new().occasion(Occasion::Orders))?;
    for shopper in &shoppers {
        for purchase in &shopper.purchases {
            ledger.add_order(
                shopper.id,
                purchase.day,
                purchase.amount_minor,
                purchase.order,
            )?;
        }
    }
    let summary = ledger.summary(shop::as_of())?;
    let describe = |shopper: Shopper| {
        let known = summary.find(shopper.id)?;
        Some(Described {
            recency: known.days_since_last_purchase(),
            frequency: known.frequency(),
            monetary: known.monetary_minor() as f64 / 100.0,
            shopper,
        })
    };
    Ok(shoppers.into_iter().filter_map(describe).collect())
}

/// How to read a customer, said once.
fn features() -> Result<FeatureSet<Described>> {
    FeatureSet::<Described>::builder()
        .id(|c| c.shopper.id.into())
        .number(
            FeatureSpec::number("recency").unit("days").basis(Basis::Behavioural),
            |c: &Described| c.recency,
        )
        .number(
            FeatureSpec::number("frequency").basis(Basis::Behavioural),
            |c: &Described| c.frequency,
        )
        .number(
            FeatureSpec::number("monetary").unit("EUR").basis(Basis::Value),
            |c: &Described| c.monetary,
        )
        .category(FeatureSpec::category("channel").basis(Basis::Technographic), |c| {
            Some(&c.shopper.channel)
        })
        .category(FeatureSpec::category("country").basis(Basis::Geographic), |c| {
            Some(&c.shopper.country)
        })
        .flag("opted_in", |c: &Described| c.shopper.opted_in)
        .number(
            FeatureSpec::number("age")
                .unit("years")
                .basis(Basis::Demographic)
                .sensitivity(Sensitivity::Personal),
            |c: &Described| c.shopper.age,
        )
        .build()
}

/// Sizes, and how well the planted groups were found.
fn show(
    name: &str,
    model: &dyn Segmenter,
    table: &Table<'_>,
    truth: &[usize],
) -> Result<()> {
    let assigned = model.assign_all(table)?;
    let labels: Vec<_> = assigned.iter().map(|a| a.segment()).collect();
    let agreement = adjusted_rand_score(truth, &labels)?;
    println!("{name}: adjusted Rand index to the planted groups {agreement:.3}");
    for (i, segment) in model.segments().iter().enumerate() {
        let size = labels.iter().flatten().filter(|label| label.get() == i).count();
        println!("  {:<24}{size:>6}", segment.name);
    }
    println!();
    Ok(())
}
