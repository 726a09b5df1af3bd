//! What models of purchases and of spend take: their fits, their predictions, a bootstrap.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use segmenta::history::TimeUnit;
use segmenta::lifetime::{
    AnyPurchaseModel, BgBb, BgNbd, Bootstrap, EstimationReport, GammaGamma,
    OpportunityHistory, PurchaseHistories, PurchaseHistory, PurchaseModel,
    PurchaseModelKind, ShiftedBetaGeometric, SpendHistory,
};

const FEW: usize = 2_500;
const MANY: usize = 100_000;
const KINDS: [(&str, PurchaseModelKind); 5] = [
    ("NBD", PurchaseModelKind::Nbd),
    ("BG/NBD", PurchaseModelKind::BgNbd),
    ("MBG/NBD", PurchaseModelKind::MbgNbd),
    ("Pareto/NBD", PurchaseModelKind::ParetoNbd),
    ("MBG/CNBD-3", PurchaseModelKind::MbgCnbd { k: 3 }),
];

/// Draws that look random and are the same each time.
struct Draw(u64);

impl Draw {
    /// Above 0 and below 1.
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((z ^ (z >> 31)) >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }

    fn exponential(&mut self) -> f64 {
        -self.unit().ln()
    }

    /// Marsaglia & Tsang (2000), with normals of Box & Muller (1958).
    fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let smaller = self.unit().powf(1.0 / shape);
            return self.gamma(shape + 1.0) * smaller;
        }
        let d = shape - 1.0 / 3.0;
        loop {
            let angle = std::f64::consts::TAU * self.unit();
            let normal = (2.0 * self.exponential()).sqrt() * angle.cos();
            let v = (1.0 + normal / (9.0 * d).sqrt()).powi(3);
            let bound = 0.5 * normal * normal + d - d * v + d * v.max(0.0).ln();
            if v > 0.0 && self.unit().ln() < bound {
                return d * v;
            }
        }
    }

    fn beta(&mut self, a: f64, b: f64) -> f64 {
        let (x, y) = (self.gamma(a), self.gamma(b));
        x / (x + y)
    }
}

/// Customers as BG/NBD of CDNOW says, seen for 27 to 39 weeks, no two alike.
fn buyers(n: usize) -> PurchaseHistories {
    let mut draw = Draw(1);
    let rows = (0..n).map(|_| {
        let (rate, leaving) = (draw.gamma(0.243) / 4.414, draw.beta(0.793, 2.426));
        let age = 27.0 + 12.0 * draw.unit();
        let (mut x, mut last) = (0, 0.0);
        loop {
            let next = last + draw.exponential() / rate;
            if next > age {
                break;
            }
            (x, last) = (x + 1, next);
            if draw.unit() < leaving {
                break;
            }
        }
        PurchaseHistory::new(x, last, age).expect("times in order")
    });
    PurchaseHistories::new(TimeUnit::Week, rows.collect())
}

/// Mean spends as Gamma-Gamma of CDNOW says, of one to five purchases.
fn spenders(n: usize) -> Vec<SpendHistory> {
    let mut draw = Draw(2);
    let rows = (0..n).map(|_| {
        let x = 1 + (draw.unit() * 5.0) as u64;
        let scale = draw.gamma(3.74) / 15.44;
        let mean = draw.gamma(6.25 * x as f64) / scale / x as f64;
        SpendHistory::new(x, mean).expect("a positive mean")
    });
    rows.collect()
}

/// Customers as BG/BB of donations says, with six opportunities each.
fn donors(n: usize) -> Vec<(OpportunityHistory, f64)> {
    let mut draw = Draw(3);
    let rows = (0..n).map(|_| {
        let (buys, leaves) = (draw.beta(1.204, 0.75), draw.beta(0.657, 2.783));
        let (mut x, mut last) = (0, 0);
        for i in 1..=6 {
            if draw.unit() < leaves {
                break;
            }
            if draw.unit() < buys {
                (x, last) = (x + 1, i);
            }
        }
        (OpportunityHistory::new(x, last, 6).expect("in order"), 1.0)
    });
    rows.collect()
}

/// Customers are what they are said to be: their models are found again.
fn check(found: &EstimationReport, drawn_from: &[f64]) {
    for (parameter, truth) in found.parameters.iter().zip(drawn_from) {
        let off = parameter.value / truth - 1.0;
        assert!(off.abs() < 0.2, "{found}");
    }
}

fn fits(c: &mut Criterion) {
    let found = BgNbd::fit(&buyers(MANY)).expect("repeat purchases");
    check(found.report(), &[0.243, 4.414, 0.793, 2.426]);
    let found = GammaGamma::fit(&spenders(MANY)).expect("purchases");
    check(found.report(), &[6.25, 3.74, 15.44]);
    let found = BgBb::fit(&donors(MANY)).expect("purchases");
    check(found.report(), &[1.204, 0.75, 0.657, 2.783]);
    for n in [FEW, MANY] {
        let (buyers, spenders, donors) = (buyers(n), spenders(n), donors(n));
        let mut group = c.benchmark_group(format!("fit to {n} customers"));
        group.sample_size(10).throughput(Throughput::Elements(n as u64));
        for (name, kind) in KINDS {
            group.bench_function(name, |b| {
                b.iter(|| kind.fit(black_box(&buyers)).expect("repeat purchases"));
            });
        }
        group.bench_function("Gamma-Gamma", |b| {
            b.iter(|| GammaGamma::fit(black_box(&spenders)).expect("purchases"));
        });
        group.bench_function("BG/BB", |b| {
            b.iter(|| BgBb::fit(black_box(&donors)).expect("purchases"));
        });
        group.finish();
    }
    // The "high end" of Fader & Hardie (2007); what it takes depends on the renewals alone.
    let cohort = [vec![1000.0, 869.0, 743.0, 653.0, 593.0, 551.0, 517.0, 491.0]];
    c.bench_function("fit of shifted-beta-geometric to a cohort", |b| {
        b.iter(|| ShiftedBetaGeometric::fit(black_box(&cohort)).expect("renewals"));
    });
}

fn predictions(c: &mut Criterion) {
    let (buyers, spenders, donors) = (buyers(MANY), spenders(MANY), donors(MANY));
    let mut group = c.benchmark_group(format!("expected of {MANY} customers"));
    group.sample_size(10).throughput(Throughput::Elements(MANY as u64));
    for (name, kind) in KINDS {
        let model = kind.fit(&buyers).expect("repeat purchases").into_model();
        group.bench_function(name, |b| {
            b.iter(|| {
                model.expected_purchases_all(black_box(&buyers), 39.0).expect("weeks")
            });
        });
    }
    let model = GammaGamma::new(6.25, 3.74, 15.44).expect("positive");
    group.bench_function("Gamma-Gamma", |b| {
        b.iter(|| {
            for history in &spenders {
                black_box(model.expected_customer_spend(history).expect("a mean"));
            }
        });
    });
    let model = BgBb::new(1.204, 0.75, 0.657, 2.783).expect("positive");
    group.bench_function("BG/BB, five opportunities", |b| {
        b.iter(|| {
            for (history, _) in &donors {
                black_box(model.expected_purchases(history, 5).expect("few"));
            }
        });
    });
    group.finish();
}

fn bootstrap(c: &mut Criterion) {
    let buyers = buyers(FEW);
    let model = BgNbd::fit(&buyers).expect("repeat purchases").into_model();
    let model = AnyPurchaseModel::from(model);
    let mut group = c.benchmark_group(format!("bootstrap of {FEW} customers"));
    group.sample_size(10);
    group.bench_function("BG/NBD, 100 replicates", |b| {
        b.iter(|| Bootstrap::new(&model, black_box(&buyers), 100, 7).expect("buyers"));
    });
    group.finish();
}

criterion_group!(benches, fits, predictions, bootstrap);
criterion_main!(benches);
