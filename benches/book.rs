//! What a whole book takes: sequences over a table, and the analysis of many rules.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use segmenta::Segmenter;
use segmenta::data::{
    Column, FeatureSpec, Flags, Schema, SchemaBuilder, Span, StreamSpec, Table,
    Timestamp, Validity,
};
use segmenta::privacy::MinimumAudience;
use segmenta::rules::{PointsModel, Rule, RuleBook, RuleSet, events, field, score};
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

/// Rules of four tests each of attributes, and their schema.
fn of_attributes(n: usize) -> (RuleSet, SchemaBuilder) {
    let names: Vec<String> = (0..20).map(|i| format!("x{i}")).collect();
    let levels: Vec<String> = (0..10).map(|i| format!("level {i}")).collect();
    let specs = names.iter().map(FeatureSpec::number);
    let country = FeatureSpec::category("country").levels(levels.iter().cloned());
    let schema =
        specs.chain([country]).fold(Schema::builder(), |b, spec| b.feature(spec));
    let draws = setup::numbers(8 * n, 31);
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
    (set, schema)
}

/// A thousand of them.
fn thousand() -> RuleBook {
    let (set, schema) = of_attributes(1000);
    set.compile_book(&schema.build().expect("distinct names")).expect("sound rules")
}

fn analysis(c: &mut Criterion) {
    let book = thousand();
    let mut group = c.benchmark_group("1,000 rules");
    group.sample_size(10);
    group.bench_function("analysed", |b| b.iter(|| book.analyse()));
    group.finish();
}

/// Rules of counts and sums in several windows.
fn of_events(n: usize, set: RuleSet) -> RuleSet {
    let draws = setup::numbers(3 * n, 41);
    draws.chunks_exact(3).enumerate().fold(set, |set, (i, x)| {
        let at = |j: usize, n: usize| ((x[j] + 1.0) / 2.0 * n as f64) as usize % n;
        let window =
            ["in last 7d", "in last 30d", "in last 90d", "ever", "from 60d to 30d ago"]
                [at(0, 5)];
        let test = match i % 4 {
            0 => format!("events(order).count {window} = 0"),
            1 => format!("events(order).count {window} >= {}", 1 + at(1, 20)),
            2 => format!("events(order).sum(amount) {window} >= {}", 10 * at(1, 100)),
            _ => format!("events(order where web).count {window} >= {}", 1 + at(1, 10)),
        };
        let rule: Rule = test.parse().expect("a sound text");
        set.segment(format!("e{i}"), format!("Events {i}"), rule)
    })
}

/// A million customers with 21 attributes and 20 events each.
fn million(schema: &Schema) -> Table<'static> {
    let n = 1_000_000;
    let builder = (0..20).fold(Table::builder(schema, n), |builder, i| {
        builder.numbers(&format!("x{i}"), setup::numbers(n, 50 + i))
    });
    let levels: Vec<String> = (0..10).map(|i| format!("level {i}")).collect();
    let codes: Vec<u32> =
        setup::numbers(n, 80).iter().map(|x| ((x + 1.0) * 5.0) as u32 % 10).collect();
    let country = Column::Category(codes.into(), levels.into(), Validity::All);
    let mut times: Vec<i64> = setup::numbers(n * EACH, 81)
        .iter()
        .map(|x| ((x + 1.0) * 182.0 * DAY as f64) as i64)
        .collect();
    times.chunks_exact_mut(EACH).for_each(<[i64]>::sort_unstable);
    let times: Vec<Timestamp> = times.into_iter().map(Timestamp::from_millis).collect();
    let draws = setup::numbers(n * EACH, 82);
    let amounts: Vec<f64> =
        draws.iter().map(|x| ((x + 1.0) * 10_000.0).round() / 100.0).collect();
    let web: Vec<bool> = draws.iter().map(|x| *x > 0.2).collect();
    let columns = vec![
        Column::Number(amounts.into(), Validity::All),
        Column::Flag(Flags::Bools(web.into()), Validity::All),
    ];
    let offsets: Vec<usize> = (0..=n).map(|row| row * EACH).collect();
    builder
        .column("country", country)
        .stream("order", offsets, times, columns)
        .build()
        .expect("sorted events")
}

/// What a marketer asks: attributes, events, and a score of both.
fn verdicts(c: &mut Criterion) {
    let order = StreamSpec::new(
        "order",
        [FeatureSpec::number("amount"), FeatureSpec::flag("web")],
    );
    let (_, schema) = of_attributes(1);
    let schema = schema.stream(order).build().expect("distinct names");
    let table = million(&schema);
    let now = Timestamp::from_millis(364 * DAY);
    let mut group = c.benchmark_group("1,000,000 customers, 20,000,000 events");
    group.sample_size(10);
    let points = (0..8).fold(PointsModel::new(), |model, i| {
        model.when(format!("x{i}"), 5.0, field(format!("x{i}")).ge(0.5))
    });
    let points = points
        .per_event("orders", 2.0, events("order").last(Span::days(90)))
        .part_cap(20.0);
    let decaying = PointsModel::new()
        .per_event("orders", 2.0, events("order").last(Span::days(90)))
        .half_life(Span::days(30))
        .in_steps(Span::days(1));
    let scored = |points: PointsModel| {
        RuleSet::new().score("points", points).segment(
            "keen",
            "Keen",
            score("points").ge(30),
        )
    };
    for (name, set) in [
        ("1,000 rules of attributes", of_attributes(1000).0),
        ("200 rules of events", of_events(200, RuleSet::new())),
        ("800 of attributes and 200 of events", of_events(200, of_attributes(800).0)),
        ("a score of eight attributes and a count", scored(points)),
        ("a score that decays", scored(decaying)),
    ] {
        let n = set.segments.len() * table.len();
        let book = set.compile_book(&schema).expect("sound rules").at(now);
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(name, |b| {
            b.iter(|| book.count(&table).expect("sound values"));
        });
    }
    group.finish();
}

/// Half a million pairs of segments of a million customers, and what may be told of them.
fn overlap(c: &mut Criterion) {
    let book = thousand();
    let mut builder = Table::builder(book.schema(), 10 * CUSTOMERS);
    for (i, spec) in book.schema().features().iter().enumerate() {
        let draws = setup::numbers(10 * CUSTOMERS, 41 + i as u64);
        builder = match spec.get_levels() {
            [] => {
                let numbers: Vec<f64> = draws.iter().map(|x| x * 10.0).collect();
                builder.numbers(spec.name(), numbers)
            }
            levels => {
                let codes: Vec<u32> =
                    draws.iter().map(|x| ((x + 1.0) * 5.0) as u32 % 10).collect();
                builder.categories(spec.name(), codes, levels)
            }
        };
    }
    let table = builder.build().expect("sound columns");
    let memberships = book.memberships(&table).expect("sound values");
    let audience = MinimumAudience::new(100).expect("a least number");
    let mut group = c.benchmark_group("1,000 segments of 1,000,000 customers");
    group.sample_size(10);
    group.bench_function("overlap of all pairs", |b| b.iter(|| memberships.overlap()));
    group.bench_function("counts that may be told", |b| {
        b.iter(|| audience.publish(&memberships));
    });
    group.finish();
}

criterion_group!(benches, sequences, verdicts, analysis, overlap);
criterion_main!(benches);
