//! One customer at a time, beside the bare computation in the same run.
//!
//! Each measured loop goes over 256 customers; divide by 256 for one. Today's processors learn
//! by heart how so few answer, and then guess no branch wrong. So the rule, and its closure,
//! are also asked about customers in orders that they learn in part, or not at all, as a
//! service is.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use segmenta::data::Customer;
use segmenta::segmenter::Scratch;
use segmenta::{Segmenter, score::RfmScore};
use segmenta_benches as setup;
use segmenta_benches::{D, K, Point, Purchases, Shopper};

fn points() -> Vec<[f64; D]> {
    let numbers = setup::numbers(256 * D, 9);
    numbers.as_chunks::<D>().0.to_vec()
}

fn kmeans(c: &mut Criterion) {
    let model = setup::kmeans();
    let numbers = setup::numbers(K * D, 1);
    let (chunks, _) = numbers.as_chunks::<D>();
    let centers: &[[f64; D]; K] = chunks.try_into().expect("K centres");
    let points = points();
    for x in &points {
        let (index, cost, margin) = setup::nearest_by_hand(centers, x);
        let assigned = model.assign_row(x).expect("a finite row");
        // The model may order its segments otherwise; costs are the same.
        assert_eq!((assigned.cost(), assigned.margin()), (cost, margin), "{index}");
    }
    let mut group = c.benchmark_group("k-means, k = 10, d = 16");
    group.bench_function("by hand", |b| {
        b.iter(|| {
            for x in &points {
                black_box(setup::nearest_by_hand(black_box(centers), black_box(x)));
            }
        });
    });
    group.bench_function("assign_row", |b| {
        b.iter(|| {
            for x in &points {
                black_box(model.assign_row(black_box(x)).expect("a finite row"));
            }
        });
    });
    let customers: Vec<Point> = points.iter().map(|x| Point(*x)).collect();
    let mut scratch = Scratch::new();
    group.bench_function("assign_with", |b| {
        b.iter(|| {
            for customer in &customers {
                black_box(
                    model.assign_with(black_box(customer), &mut scratch).expect("finite"),
                );
            }
        });
    });
    let boxed: Box<dyn Segmenter> = Box::new(model.clone());
    group.bench_function("assign_with through a box", |b| {
        b.iter(|| {
            for customer in &customers {
                let customer: &dyn Customer = black_box(customer);
                black_box(boxed.assign_with(customer, &mut scratch).expect("finite"));
            }
        });
    });
    group.finish();
}

fn rfm(c: &mut Criterion) {
    let model = setup::rfm();
    let rows = setup::purchases(256);
    let axes = [
        segmenta::rfm::Axis::Recency,
        segmenta::rfm::Axis::Frequency,
        segmenta::rfm::Axis::Monetary,
    ];
    let cuts: Vec<Vec<f64>> = axes
        .iter()
        .map(|&axis| model.tiles(axis)[0].cut_points().iter().map(|c| c.value).collect())
        .collect();
    let mut group = c.benchmark_group("RFM");
    group.bench_function("three binary searches", |b| {
        b.iter(|| {
            for row in &rows {
                let [r, f, m] = *black_box(row);
                black_box((
                    cuts[0].partition_point(|&cut| cut <= r),
                    cuts[1].partition_point(|&cut| cut <= f),
                    cuts[2].partition_point(|&cut| cut <= m),
                ));
            }
        });
    });
    group.bench_function("score", |b| {
        b.iter(|| {
            for row in &rows {
                let [r, f, m] = *black_box(row);
                let score: RfmScore = model.score(r, f, m).expect("finite");
                black_box(score);
            }
        });
    });
    let customers: Vec<Purchases> = rows.iter().map(|&row| Purchases(row)).collect();
    let mut scratch = Scratch::new();
    group.bench_function("assign_with", |b| {
        b.iter(|| {
            for customer in &customers {
                black_box(
                    model.assign_with(black_box(customer), &mut scratch).expect("finite"),
                );
            }
        });
    });
    let boxed: Box<dyn Segmenter> = Box::new(setup::rfm());
    group.bench_function("assign_with through a box", |b| {
        b.iter(|| {
            for customer in &customers {
                let customer: &dyn Customer = black_box(customer);
                black_box(boxed.assign_with(customer, &mut scratch).expect("finite"));
            }
        });
    });
    group.finish();
}

fn rules(c: &mut Criterion) {
    let rule = setup::compiled();
    let shoppers = setup::shoppers();
    for shopper in &shoppers {
        assert_eq!(
            rule.holds(shopper).expect("sound"),
            setup::ten_leaves_by_hand(shopper)
        );
    }
    let learned: Vec<&Shopper> = shoppers.iter().collect();
    ask(c, "a rule of ten leaves, customers in an order that is learned", &learned);
    for (n, name) in ORDERS {
        let draws = setup::numbers(n, 5);
        let at_random =
            |x: &f64| &shoppers[((x + 1.0) * 128.0) as usize % shoppers.len()];
        let drawn: Vec<&Shopper> = draws.iter().map(at_random).collect();
        ask(c, &format!("a rule of ten leaves, {name}"), &drawn);
    }
}

/// So many customers follow each other in no order. Some processors learn how thousands of
/// them answer, if they are asked nothing else; none learns a million.
const ORDERS: [(usize, &str); 2] = [
    (1 << 14, "16,384 customers in no order"),
    (1 << 20, "a million customers in no order"),
];

fn ask(c: &mut Criterion, name: &str, shoppers: &[&Shopper]) {
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(shoppers.len() as u64));
    group.bench_function("closure, inlined", |b| {
        b.iter(|| {
            for shopper in shoppers {
                black_box(setup::ten_leaves_by_hand(black_box(shopper)));
            }
        });
    });
    // A condition that is chosen at run time, as a rule is, stands behind a pointer.
    let closure: Box<dyn Fn(&Shopper) -> bool> =
        black_box(Box::new(setup::ten_leaves_by_hand));
    group.bench_function("closure, boxed", |b| {
        b.iter(|| {
            for shopper in shoppers {
                black_box(closure(black_box(shopper)));
            }
        });
    });
    let rule = setup::compiled();
    group.bench_function("holds", |b| {
        b.iter(|| {
            for &shopper in shoppers {
                black_box(rule.holds(black_box(shopper)).expect("sound"));
            }
        });
    });
    let typed = setup::rules();
    let mut scratch = Scratch::new();
    group.bench_function("assign_with", |b| {
        b.iter(|| {
            for &shopper in shoppers {
                black_box(
                    typed.assign_with(black_box(shopper), &mut scratch).expect("sound"),
                );
            }
        });
    });
    let boxed: Box<dyn Segmenter> = Box::new(setup::rules());
    group.bench_function("assign_with through a box", |b| {
        b.iter(|| {
            for &shopper in shoppers {
                let shopper: &dyn Customer = black_box(shopper);
                black_box(boxed.assign_with(shopper, &mut scratch).expect("sound"));
            }
        });
    });
    group.finish();
}

criterion_group!(benches, kmeans, rfm, rules);
criterion_main!(benches);
