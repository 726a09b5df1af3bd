//! What a whole book takes: sequences over a table, and the analysis of many rules.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use segmenta::data::{
    Column, FeatureSpec, Schema, StreamSpec, Table, Timestamp, Validity,
};
use segmenta::rules::{Rule, RuleBook, RuleSet, field};
use segmenta_benches as setup;

const CUSTOMERS: usize = 100_000;
const EACH: usize = 20;
const DAY: i64 = 86_400_000;
const PRODUCTS: usize = 50;

/// Views, carts and orders of a quarter of a year, and the rules about their order.
fn shop(rules: &[&str]) -> (RuleBook, Table<'static>) {
    let products: Vec<String> = (0..PRODUCTS).map(|i| format!("product {i}")).collect();
    let product = || FeatureSpec::category("product").levels(products.iter().cloned());
    let streams = ["view", "cart", "order"];
    let schema = streams
        .iter()
        .fold(Schema::builder(), |schema, name| {
            schema.stream(StreamSpec::new(*name, [product()]))
        })
        .build()
        .expect("distinct names");
    // Half of the events are views, the rest is shared.
    let mut builder = Table::builder(&schema, CUSTOMERS);
    for (i, (name, each)) in
        streams.iter().zip([EACH / 2, EACH / 4, EACH / 4]).enumerate()
    {
        let seed = i as u64;
        let n = CUSTOMERS * each;
        let mut times: Vec<i64> = setup::numbers(n, 11 + seed)
            .iter()
            .map(|x| ((x + 1.0) * 45.0 * DAY as f64) as i64)
            .collect();
        times.chunks_exact_mut(each).for_each(<[i64]>::sort_unstable);
        let times: Vec<Timestamp> =
            times.into_iter().map(Timestamp::from_millis).collect();
        let codes: Vec<u32> = setup::numbers(n, 21 + seed)
            .iter()
            .map(|x| ((x + 1.0) * 25.0) as u32 % PRODUCTS as u32)
            .collect();
        let offsets: Vec<usize> = (0..=CUSTOMERS).map(|row| row * each).collect();
        let column =
            Column::Category(codes.into(), products.clone().into(), Validity::All);
        builder = builder.stream(name, offsets, times, vec![column]);
    }
    let set = rules.iter().enumerate().fold(RuleSet::new(), |set, (i, rule)| {
        let rule: Rule = rule.parse().expect("a sound text");
        set.segment(format!("s{i}"), format!("Segment {i}"), rule)
    });
    let book = set.compile_book(&schema).expect("sound rules");
    (book, builder.build().expect("sorted events"))
}

fn sequences(c: &mut Criterion) {
    let mut group = c.benchmark_group("2,000,000 events");
    group.sample_size(10).throughput(Throughput::Elements((CUSTOMERS * EACH) as u64));
    for (name, rules) in [
        ("a count", &["events(order).count in last 30d >= 3"][..]),
        ("a sequence of two", &["sequence(cart then order within 2d)"]),
        ("a sequence of two, denied", &["sequence(cart then not order within 2d)"]),
        (
            "a sequence of three with same product",
            &[
                "sequence(view then cart within 2d then order within 2d) with same product",
            ],
        ),
        (
            "five sequences in several windows",
            &[
                "sequence(view then cart within 2d) in last 30d",
                "sequence(view then cart within 7d) in last 60d",
                "sequence(cart then order within 2d) in last 30d",
                "sequence(cart then not order within 1d) in last 7d",
                "sequence(view then not order within 7d) with same product in last 14d",
            ],
        ),
    ] {
        let (book, table) = shop(rules);
        let book = book.at(Timestamp::from_millis(90 * DAY));
        group.bench_function(name, |b| {
            b.iter(|| book.count(&table).expect("sound events"));
        });
    }
    group.finish();
}

/// A thousand rules of four tests each.
fn thousand() -> RuleBook {
    let names: Vec<String> = (0..20).map(|i| format!("x{i}")).collect();
    let levels: Vec<String> = (0..10).map(|i| format!("level {i}")).collect();
    let specs = names.iter().map(FeatureSpec::number);
    let country = FeatureSpec::category("country").levels(levels.iter().cloned());
    let schema = Schema::new(specs.chain([country])).expect("distinct names");
    let draws = setup::numbers(8 * 1000, 31);
    let set = draws.chunks_exact(8).enumerate().fold(RuleSet::new(), |set, (i, x)| {
        let at = |j: usize, n: usize| ((x[j] + 1.0) / 2.0 * n as f64) as usize % n;
        let test = |j: usize| {
            let test = field(names[at(j, 20)].clone());
            let bound = (x[j] * 1000.0).round() / 100.0;
            if at(j + 1, 2) == 0 { test.lt(bound) } else { test.ge(bound) }
        };
        let listed = field("country")
            .is_in([0, 1, 2].map(|k| levels[(at(6, 10) + k) % 10].clone()));
        let rule = (test(0) & test(2)) | (test(4) & listed);
        set.segment(format!("s{i}"), format!("Segment {i}"), rule)
    });
    set.compile_book(&schema).expect("sound rules")
}

fn analysis(c: &mut Criterion) {
    let book = thousand();
    let mut group = c.benchmark_group("1,000 rules");
    group.sample_size(10);
    group.bench_function("analysed", |b| b.iter(|| book.analyse()));
    group.finish();
}

criterion_group!(benches, sequences, analysis);
criterion_main!(benches);
