//! Random scores.

use proptest::prelude::*;
use proptest::sample::select;
use segmenta::rules::{
    PointsFor, PointsModel, PointsPart, Rule, ScoreTest, Test, Window,
};

pub fn id(at: usize) -> String {
    format!("p'{at}")
}

/// Points whose sums are never rounded.
fn points() -> impl Strategy<Value = f64> {
    select(vec![1.0, 2.5, -3.0, 10.0, 0.0, -0.125, 700.5])
}

fn cap() -> impl Strategy<Value = Option<f64>> {
    prop::option::weighted(0.3, select(vec![0.0, 2.0, 7.5]))
}

/// A stream's name, filters of its events, and windows.
pub type Stream = (String, BoxedStrategy<Option<Rule>>, BoxedStrategy<Window>);

/// Parts of rules, and of events of these streams.
pub fn points_of(
    rule: BoxedStrategy<Rule>,
    streams: Vec<Stream>,
) -> BoxedStrategy<PointsModel> {
    let mut given: Vec<BoxedStrategy<PointsFor>> =
        vec![rule.prop_map(PointsFor::Rule).boxed()];
    given.extend(streams.into_iter().map(|(name, filter, window)| {
        (filter, window)
            .prop_map(move |(filter, window)| PointsFor::Events {
                name: name.clone(),
                filter: filter.map(Box::new),
                window,
            })
            .boxed()
    }));
    let part = (points(), prop::strategy::Union::new(given), cap()).prop_map(
        |(points, given_for, cap)| PointsPart {
            name: "part".into(),
            points,
            given_for,
            cap,
            half_life: None,
            every: None,
        },
    );
    (prop::collection::vec(part, 1..5), cap())
        .prop_map(|(parts, cap)| PointsModel { parts, cap })
        .boxed()
}

/// A test of one of two scores.
pub fn test() -> BoxedStrategy<Rule> {
    (points(), 0..5_usize, 0..2_usize)
        .prop_map(|(x, kind, of)| {
            let is = match kind {
                0 => Test::Lt(x.into()),
                1 => Test::Ge(x.into()),
                2 => Test::Between { lo: x.into(), hi: (x + 3.0).into() },
                3 => Test::Eq(x.into()),
                _ => Test::In(vec![x.into(), 1.into(), 2.5.into()]),
            };
            Rule::Score(ScoreTest { id: id(of), is })
        })
        .boxed()
}

/// Changes the rules and filters of a score.
pub fn each_rule(model: &mut PointsModel, change: &dyn Fn(PointsFor) -> PointsFor) {
    for part in &mut model.parts {
        part.given_for = change(part.given_for.clone());
    }
}
