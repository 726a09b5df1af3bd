//! A live book: one customer as events arrive, beside asking the whole book anew.
//!
//! Each measured loop takes 1,000 events in the order of time, of 1,000 customers; divide by
//! 1,000 for one.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use segmenta::data::{
    EventLog, FeatureIndex, FeatureSpec, OwnedCustomer, OwnedValue, Schema, Span,
    StreamIndex, StreamSpec, Timestamp, Value,
};
use segmenta::rules::{
    Granularity, LiveBook, LiveConfig, LiveCustomer, LiveScratch, Rule, RuleBook,
    RuleSet, Window, events, field,
};
use segmenta_benches::numbers;

const DAY: i64 = 86_400_000;
const CUSTOMERS: usize = 1_000;
const MEASURED: usize = 1_000;
const CHANNELS: [&str; 5] = ["web", "shop", "phone", "app", "post"];

/// Numbers from 0 to 1, one after the other.
struct Draw(std::vec::IntoIter<f64>);

impl Draw {
    fn new(n: usize, seed: u64) -> Draw {
        Draw(numbers(n, seed).into_iter())
    }

    fn unit(&mut self) -> f64 {
        self.0.next().map_or(0.5, |x| (x + 1.0) / 2.0)
    }

    fn below(&mut self, n: usize) -> usize {
        ((self.unit() * n as f64) as usize).min(n - 1)
    }
}

fn schema() -> Schema {
    let order = StreamSpec::new(
        "order",
        [
            FeatureSpec::number("amount"),
            FeatureSpec::category("channel").levels(CHANNELS),
        ],
    );
    let visit = StreamSpec::new("visit", [FeatureSpec::number("pages")]);
    let features = (0..20).map(|i| FeatureSpec::number(format!("x{i}")));
    let builder = features.fold(Schema::builder(), |builder, spec| builder.feature(spec));
    builder.stream(order).stream(visit).build().expect("different names")
}

/// How many, how much, or none: two such tests of orders for each rule. And other rules, about
/// visits and attributes.
fn book(n_rules: usize, n_others: usize) -> RuleBook {
    let days = |n: u32| Span::days(n);
    let windows = [
        Window::Last(days(7)),
        Window::Last(days(30)),
        Window::Last(days(90)),
        Window::Last(days(365)),
        Window::Ago { from: days(60), to: days(30) },
        Window::Ever,
    ];
    let mut draw = Draw::new(20 * (n_rules + n_others), 7);
    let test = |draw: &mut Draw| {
        let mut chosen = events("order").within(windows[draw.below(6)].clone());
        if draw.unit() < 0.5 {
            chosen = chosen.filter(field("channel").eq(CHANNELS[draw.below(5)]));
        }
        let kind = draw.unit();
        if kind < 0.4 {
            chosen.count().ge(1.0 + draw.below(14) as f64)
        } else if kind < 0.8 {
            let cents = (4.0 + 6.0 * draw.unit()).exp() * 100.0;
            chosen.sum("amount").ge(cents.round() + 0.5)
        } else {
            chosen.count().eq(0)
        }
    };
    let mut set = RuleSet::new();
    for i in 0..n_rules {
        let (a, b) = (test(&mut draw), test(&mut draw));
        let rule = if draw.unit() < 0.5 { a & b } else { a | b };
        set = set.segment(format!("r{i}"), format!("Rule {i}"), rule);
    }
    for i in 0..n_others {
        let window = windows[draw.below(5)].clone();
        let visits = events("visit").within(window).count();
        let rule: Rule = visits.ge(1.0 + draw.below(14) as f64)
            & field(format!("x{}", draw.below(20))).ge(draw.unit());
        set = set.segment(format!("o{i}"), format!("Other {i}"), rule);
    }
    set.compile_book(&schema()).expect("valid rules")
}

/// Orders: whose, when, how much in cents, and through which channel.
type Order = (usize, i64, f64, usize);

/// So many orders in the order of time, over some days.
fn orders(n: usize, days: f64, seed: u64) -> Vec<Order> {
    let mut draw = Draw::new(4 * n, seed);
    let mut all: Vec<Order> = (0..n)
        .map(|_| {
            // Some buy often.
            let customer = draw.unit() * draw.unit();
            let customer = ((customer * CUSTOMERS as f64) as usize).min(CUSTOMERS - 1);
            let time = 18_000 * DAY + (draw.unit() * days * DAY as f64) as i64;
            let cents = ((2.0 + 3.0 * draw.unit()).exp() * 100.0).round();
            (customer, time, cents, draw.below(5))
        })
        .collect();
    all.sort_by_key(|order| order.1);
    all
}

fn values((_, _, cents, channel): &Order) -> [Value<'static>; 2] {
    [Value::Number(*cents), Value::Category(CHANNELS[*channel])]
}

/// Takes orders; gives how many memberships change.
fn take(
    live: &LiveBook,
    customers: &mut [LiveCustomer],
    orders: &[Order],
    scratch: &mut LiveScratch,
) -> usize {
    let order = StreamIndex::new(0);
    let each = orders.iter().map(|event| {
        let at = Timestamp::from_millis(event.1);
        let customer = &mut customers[event.0];
        live.event(customer, order, at, &values(event), scratch).expect("an order").len()
    });
    each.sum()
}

fn measure(
    c: &mut Criterion,
    group: &str,
    name: &str,
    live: &LiveBook,
    days: f64,
    n: usize,
) {
    let all = orders(n, days, 3);
    let (before, measured) = all.split_at(all.len() - MEASURED);
    let first = Timestamp::from_millis(18_000 * DAY);
    let mut customers = vec![live.customer(first); CUSTOMERS];
    let mut scratch = LiveScratch::new();
    take(live, &mut customers, before, &mut scratch);
    let bytes: usize = customers.iter().map(LiveCustomer::size).sum();
    let changes = take(live, &mut customers.clone(), measured, &mut scratch);
    println!(
        "{name}: {} bytes a customer, {:.2} memberships change with an event",
        bytes / CUSTOMERS,
        changes as f64 / MEASURED as f64
    );
    c.benchmark_group(group).bench_function(name, |b| {
        b.iter_batched_ref(
            || customers.clone(),
            |customers| take(live, customers, black_box(measured), &mut scratch),
            BatchSize::LargeInput,
        );
    });
}

fn by_steps(granularity: Granularity) -> LiveConfig {
    LiveConfig::new().granularity(granularity)
}

fn events_arrive(c: &mut Criterion) {
    let live = book(200, 0).live(&LiveConfig::new()).expect("a book");
    let group = "a live book of 200 rules, 1,000 events";
    for (name, days, per_customer) in [
        ("an order in 36 days", 730.0, 20),
        ("an order in 3 days", 60.0, 20),
        ("three orders a day", 30.0, 90),
        ("a hundred orders a day", 10.0, 1_000),
    ] {
        measure(c, group, name, &live, days, per_customer * CUSTOMERS);
    }
    let hours = by_steps(Granularity::Every(Span::hours(1)));
    let live = book(200, 0).live(&hours).expect("a book");
    measure(c, group, "an order in 3 days, by hours", &live, 60.0, 20 * CUSTOMERS);
    let exact = by_steps(Granularity::Every(Span::from_millis(1)));
    let live = book(200, 0).live(&exact).expect("a book");
    measure(c, group, "an order in 3 days, by milliseconds", &live, 60.0, 20 * CUSTOMERS);
}

fn rules_are_added(c: &mut Criterion) {
    for n_rules in [100, 1_000, 10_000] {
        let live = book(100, n_rules - 100).live(&LiveConfig::new()).expect("a book");
        let name = format!("{n_rules} rules, 100 of them about orders");
        measure(c, "1,000 events", &name, &live, 60.0, 20 * CUSTOMERS);
    }
}

/// What it costs to ask all rules after each event.
fn asked_anew(c: &mut Criterion) {
    let book = book(200, 0);
    let all = orders(20 * CUSTOMERS, 60.0, 3);
    let schema = schema();
    let spec = &schema.streams()[0];
    let customers: Vec<OwnedCustomer> = (0..CUSTOMERS)
        .map(|i| {
            let own = all.iter().filter(|order| order.0 == i);
            let events = own.map(|order| {
                let values = values(order).map(Value::to_owned);
                (Timestamp::from_millis(order.1), values)
            });
            let log = EventLog::new(spec, events).expect("orders");
            let customer = OwnedCustomer::new(&schema, i as u64);
            let customer = customer.set("x0", OwnedValue::Missing).expect("a feature");
            customer.set_events("order", log).expect("a stream")
        })
        .collect();
    let book = book.at(Timestamp::from_millis(18_060 * DAY));
    c.benchmark_group("a book of 200 rules asked whole").bench_function(
        "1,000 customers, one after the other",
        |b| {
            b.iter(|| {
                for customer in &customers {
                    black_box(book.membership(black_box(customer)).expect("orders"));
                }
            });
        },
    );
}

fn attributes_change(c: &mut Criterion) {
    let live = book(100, 9_900).live(&LiveConfig::new()).expect("a book");
    let mut scratch = LiveScratch::new();
    let mut ann = live.customer(Timestamp::from_millis(0));
    let mut draw = Draw::new(1_000, 5);
    let values: Vec<f64> = (0..1_000).map(|_| draw.unit()).collect();
    c.bench_function("1,000 attributes, 10,000 rules", |b| {
        b.iter(|| {
            for (i, &x) in values.iter().enumerate() {
                let feature = FeatureIndex::new((i % 20) as u32);
                let changes = live.set(&mut ann, feature, Value::Number(x), &mut scratch);
                black_box(changes.expect("a number"));
            }
        });
    });
}

criterion_group!(benches, events_arrive, rules_are_added, asked_anew, attributes_change);
criterion_main!(benches);
