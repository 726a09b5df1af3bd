//! Profiles of segments.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod edges;
mod figures;
mod properties;
mod report;
mod use_cases;

use segmenta::data::{Column, Date, FeatureSpec, Schema, Table, TagColumn, Validity};
use segmenta::profile::{NumberSummary, Profile, Profiles};
use segmenta::segmenter::{Segment, SegmentIndex};

fn at(i: u32) -> SegmentIndex {
    SegmentIndex::new(i)
}

fn labels(of: &[i32]) -> Vec<Option<SegmentIndex>> {
    of.iter().map(|&i| u32::try_from(i).ok().map(at)).collect()
}

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

#[track_caller]
fn close(found: Option<f64>, expected: f64) {
    let found = found.expect("a figure");
    let scale = expected.abs().max(1e-300);
    assert!((found - expected).abs() <= 1e-12 * scale, "{found} is not {expected}");
}

/// One number feature `x` of all rows.
fn number_table(x: &[f64]) -> Table<'_> {
    let schema = Schema::new([FeatureSpec::number("x")]).unwrap();
    Table::builder(&schema, x.len()).numbers("x", x).build().unwrap()
}

fn x_of(profile: &Profile) -> &NumberSummary {
    profile.number("x").unwrap()
}

fn figures(of: &NumberSummary) -> [Option<f64>; 7] {
    [of.mean, of.std_dev, of.min, of.lower_quartile, of.median, of.upper_quartile, of.max]
}

fn level_names(profile: &Profile, feature: &str) -> Vec<String> {
    let levels = profile.feature(feature).unwrap().summary.levels();
    levels.iter().map(|l| l.level.clone()).collect()
}

#[track_caller]
fn check_text(text: &str) {
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{} wide: {line}", line.chars().count());
        assert!(!line.contains("NaN") && !line.contains("inf "), "{line}");
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
}

/// Six rows with every kind of feature, small enough to compute by hand.
fn small() -> Table<'static> {
    let schema = Schema::new([
        FeatureSpec::number("orders"),
        FeatureSpec::flag("member"),
        FeatureSpec::category("country"),
        FeatureSpec::ordinal("tier", ["bronze", "silver", "gold"]),
        FeatureSpec::date("since"),
        FeatureSpec::tags("interests"),
    ])
    .unwrap();
    let mask = Validity::Mask(vec![true, true, true, true, false, true].into());
    let names = |names: &[&str]| -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    };
    let start = day("2024-01-01").days_since_epoch();
    // The column's levels stand in another order than in the profile, and one of them,
    // ZZ, never occurs. Row 0 has the tag `art` twice; row 2 has no tags.
    let tags = TagColumn::new(
        vec![0, 3, 4, 4, 5, 7, 8],
        vec![1, 0, 1, 0, 0, 1, 0, 1],
        names(&["sport", "art"]),
    );
    Table::builder(&schema, 6)
        .column(
            "orders",
            Column::Number(vec![8.0, 12.0, 1.0, 3.0, 0.0, 6.0].into(), mask.clone()),
        )
        .flags("member", vec![true, true, false, true, false, false])
        .column(
            "country",
            Column::Category(
                vec![2, 0, 2, 2, 0, 1].into(),
                names(&["DE", "CH", "AT", "ZZ"]).into(),
                mask,
            ),
        )
        .categories("tier", vec![1, 1, 0, 1, 0, 0], names(&["bronze", "silver"]))
        .dates("since", [0, 10, 20, 30, 40, 60].map(|d| start + d).to_vec())
        .tags("interests", tags)
        .build()
        .unwrap()
}

/// Segments: rows 0-1, rows 2-4, none; row 5 is in no segment.
fn small_profiles() -> Profiles {
    let segments =
        [Segment::new("a", "A"), Segment::new("b", "B"), Segment::new("c", "C")];
    Profiles::of(&small(), &segments, &labels(&[0, 0, 1, 1, 1, -1])).unwrap()
}
