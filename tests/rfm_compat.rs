//! Segment maps of other software against their published rules and the faults that an
//! enumeration of every cell finds.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use segmenta::Fit;
use segmenta::data::{FeatureSpec, Schema, Table};
use segmenta::rfm::{Axis, CellRange, Grid, LegacyMap, MapAudit, Rfm, SegmentMap};
use segmenta::score::RfmScore;
use serde_json::{Value, json};

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/segment_maps.json")).unwrap()
}

fn key(map: LegacyMap) -> &'static str {
    match map {
        LegacyMap::RRfm03 => "r_rfm_0.3.0",
        LegacyMap::RRfm02 => "r_rfm_0.2.x",
        LegacyMap::PymcMarketing13 => "pymc_marketing_1.3.0",
        LegacyMap::Putler => "putler",
        _ => panic!("a map without a golden table"),
    }
}

/// Whether a published rule, in the shape it has in the table, matches a cell.
fn matches(rule: &Value, cell: &RfmScore) -> bool {
    let m = cell.m.unwrap();
    let number = |v: &Value| v.as_f64().unwrap();
    match rule.as_array().unwrap().as_slice() {
        [r @ Value::Array(_), f, money] => {
            [(r, cell.r), (f, cell.f), (money, m)].iter().all(|(range, score)| {
                (number(&range[0])..=number(&range[1])).contains(&f64::from(*score))
            })
        }
        [r_from, r_to, from, to] if rule[0].is_number() => {
            let mean = f64::from(cell.f + m) / 2.0;
            (number(r_from)..=number(r_to)).contains(&f64::from(cell.r))
                && (number(from)..=number(to)).contains(&mean)
        }
        codes => codes.contains(&json!(format!("{}{}{m}", cell.r, cell.f))),
    }
}

fn sorted<T: Ord>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.into_iter().collect();
    items.sort();
    items
}

#[test]
fn every_cell_is_named_by_the_first_rule_that_matches() {
    let golden = golden();
    for legacy in LegacyMap::ALL {
        let rules = golden[key(legacy)].as_object().unwrap();
        let audit = legacy.audit();
        // The order of the rules is that of the audit; the table has it by heart only.
        let order: Vec<&str> =
            audit.sizes.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(sorted(order.clone()), sorted(rules.keys().map(String::as_str)));
        let map = legacy.segment_map("Nameless").unwrap();
        let n = if legacy == LegacyMap::PymcMarketing13 { 4 } else { 5 };
        assert_eq!(map.grid(), Grid::rfm(n));
        let (mut gaps, mut overlaps) = (Vec::new(), Vec::new());
        for cell in Grid::rfm(n).cells() {
            let takers: Vec<&str> = order
                .iter()
                .copied()
                .filter(|name| matches(&rules[*name], &cell))
                .collect();
            let expected = takers.first().copied().unwrap_or("Nameless");
            assert_eq!(map.name(&cell), Some(expected), "{legacy} {cell:?}");
            match takers.len() {
                0 => gaps.push(cell),
                1 => {}
                _ => {
                    overlaps.push((cell, takers.iter().map(|t| t.to_string()).collect()))
                }
            }
        }
        assert_eq!(audit.gaps, gaps, "{legacy}");
        let found: Vec<(RfmScore, Vec<String>)> =
            audit.overlaps.iter().map(|o| (o.cell, o.segments.clone())).collect();
        assert_eq!(found, overlaps, "{legacy}");
        assert!(!audit.is_clean());
    }
}

#[test]
fn the_faults_are_the_published_ones() {
    let golden = golden();
    for legacy in [LegacyMap::RRfm03, LegacyMap::RRfm02, LegacyMap::PymcMarketing13] {
        let expected = &golden["audit"][key(legacy)];
        let audit = legacy.audit();
        assert_eq!(json!(audit.n_cells), expected["cells"], "{legacy}");
        let gaps: Vec<Vec<u32>> = audit.gaps.iter().map(|c| c.axes().collect()).collect();
        assert_eq!(json!(gaps), expected["gaps"], "{legacy}");
        assert_eq!(json!(audit.overlaps.len()), expected["n_overlaps"], "{legacy}");
        let none = json!([]);
        let unreachable = expected.get("unreachable").unwrap_or(&none);
        assert_eq!(json!(audit.unreachable), *unreachable, "{legacy}");
        let map = legacy.segment_map("Others").unwrap();
        check_sizes(&map.audit().sizes, &expected["first_match"]);
    }
    let five = LegacyMap::RRfm03.audit().overlaps;
    assert_eq!(five.iter().map(|o| o.segments.len()).max(), Some(5));
    let most: Vec<u32> = five
        .iter()
        .filter(|o| o.segments.len() == 5)
        .filter_map(|o| o.cell.code())
        .collect();
    assert!(most.contains(&234), "{most:?}");
}

fn check_sizes(sizes: &[(String, usize)], expected: &Value) {
    let sizes: BTreeMap<&str, usize> =
        sizes.iter().map(|(name, n)| (name.as_str(), *n)).collect();
    assert_eq!(json!(sizes), *expected);
}

/// Putler's table is one of recency and the mean of the others, of which there are 45 pairs.
#[test]
fn putler_is_told_by_recency_and_the_mean() {
    let golden = golden();
    let expected = &golden["audit"]["putler"];
    let pair = |cell: &RfmScore| (cell.r, (2.0 * cell.fm_mean().unwrap()) as u32);
    let audit = LegacyMap::Putler.audit();
    assert_eq!(json!(audit.gaps), expected["gaps"]);
    assert_eq!(
        sorted(audit.unreachable.clone()),
        sorted(
            expected["unreachable"]
                .as_array()
                .unwrap()
                .iter()
                .map(|n| n.as_str().unwrap().to_owned())
        )
    );
    let overlaps: BTreeSet<_> = audit.overlaps.iter().map(|o| pair(&o.cell)).collect();
    assert_eq!(json!(overlaps.len()), expected["n_overlaps"]);
    let map = LegacyMap::Putler.segment_map("Others").unwrap();
    let mut names = BTreeMap::new();
    for cell in map.grid().cells() {
        let name = map.name(&cell).unwrap();
        // A pair has one name, whatever cells it is made of.
        assert_eq!(*names.entry(pair(&cell)).or_insert(name), name);
    }
    assert_eq!(json!(names.len()), expected["cells"]);
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    names.values().for_each(|name| *sizes.entry(name).or_default() += 1);
    assert_eq!(json!(sizes), expected["first_match"]);
}

#[test]
fn an_audit_can_be_printed() {
    let text = LegacyMap::PymcMarketing13.audit().to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[..8],
        [
            "64 cells: 18 without a segment, 0 with several; 0 segments without a cell",
            "  Premium Customer: 8",
            "  Repeat Customer: 7",
            "  Top Spender: 13",
            "  At Risk Customer: 11",
            "  Inactive Customer: 7",
            "  gap: 121",
            "  gap: 131",
        ]
    );
    let text = LegacyMap::RRfm03.audit().to_string();
    assert!(text.contains(
        "  overlap: 234 is Loyal Customers, Can't Lose Them, At Risk, Need Attention, About To Sleep\n"
    ));
    assert_eq!(LegacyMap::Putler.to_string(), "Putler");
    let sources: Vec<&str> = LegacyMap::ALL.iter().map(|map| map.source()).collect();
    assert_eq!(sources, ["R rfm 0.3.0", "R rfm 0.2", "pymc-marketing 1.3.0", "Putler"]);
}

#[test]
fn gaps_get_the_name_that_is_stated() {
    let map = LegacyMap::RRfm02.segment_map("Others").unwrap();
    let names: Vec<&str> = map.segments().iter().map(|s| s.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "Champions",
            "Loyal Customers",
            "Potential Loyalist",
            "Need Attention",
            "About To Sleep",
            "At Risk",
            "Lost",
            "Others",
        ]
    );
    // A known name takes the gaps in; where there are none, no name is added.
    let lost = LegacyMap::RRfm02.segment_map("Lost").unwrap();
    assert_eq!(lost.audit().cells_of("Lost"), Some(3 + 36));
    assert_eq!(lost.segments().len(), 7);
    let putler = LegacyMap::Putler.segment_map("Others").unwrap();
    assert_eq!((putler.segments().len(), putler.audit().cells_of("Others")), (7, None));
    // One that can never occur comes to life.
    let new = LegacyMap::RRfm02.segment_map("Promising").unwrap();
    assert_eq!(new.audit().cells_of("Promising"), Some(36));
    for bad in ["", "!", "lost"] {
        let error = LegacyMap::RRfm02.segment_map(bad).unwrap_err();
        assert!(error.is_parameter(), "{bad}");
    }
    let saved = serde_json::to_value(&map).unwrap();
    assert_eq!(serde_json::from_value::<SegmentMap>(saved).unwrap(), map);
    assert_eq!(serde_json::to_value(LegacyMap::RRfm02).unwrap(), json!("r_rfm_0_2"));
}

#[test]
fn a_model_takes_a_legacy_map() {
    let specs = ["recency", "frequency", "monetary"].map(FeatureSpec::number);
    let values: Vec<f64> = (0..60).map(f64::from).collect();
    let table = Table::builder(&Schema::new(specs).unwrap(), 60)
        .numbers("recency", values.clone())
        .numbers("frequency", values.clone())
        .numbers("monetary", values)
        .build()
        .unwrap();
    for legacy in LegacyMap::ALL {
        let map = legacy.segment_map("Others").unwrap();
        let n = map.grid().axes().next().unwrap();
        let rfm = Rfm::new().n_tiles(n).segments(map.clone());
        let scores = rfm.score_table(&table).unwrap();
        let fitted = rfm.fit(&table).unwrap();
        for (label, score) in fitted.labels().iter().zip(scores.scores()) {
            assert_eq!(*label, map.segment(score));
        }
    }
    let quartiles = LegacyMap::PymcMarketing13.segment_map("Other").unwrap();
    assert!(Rfm::new().segments(quartiles).validate().unwrap_err().is_parameter());
}

// ---- what the definitions rest on

#[test]
fn sums_of_frequency_and_monetary_claim_cells() {
    let map = SegmentMap::from_rules(
        Grid::new(2, 3, Some(4)),
        [
            ("Low", CellRange::all().fm_sum(2..=4)),
            ("High", CellRange::all().fm_sum(5..=7)),
        ],
    )
    .unwrap();
    for cell in map.grid().cells() {
        let name = if cell.f + cell.m.unwrap() <= 4 { "Low" } else { "High" };
        assert_eq!(map.name(&cell), Some(name));
    }
    let faults = |grid, range| {
        let map = SegmentMap::builder(grid).range("A", range).otherwise("B");
        map.build().unwrap_err().to_string()
    };
    for (grid, sums) in [
        (Grid::rf(5), 2..=4),
        (Grid::rfm(5), 1..=4),
        (Grid::rfm(5), 9..=11),
        (Grid::rfm(5), 0..=u32::MAX),
    ] {
        let expected = format!(
            "range f + m {} to {} of `A` is not of this grid",
            sums.start(),
            sums.end()
        );
        let text = faults(grid, CellRange::all().fm_sum(sums));
        assert!(text.contains(&expected), "{text}");
    }
    // What was saved before there were sums is read, and written as it was.
    let range = CellRange::all().r(1..=2);
    let saved = serde_json::to_value(&range).unwrap();
    assert!(saved.get("fm_sum").is_none());
    assert_eq!(serde_json::from_value::<CellRange>(saved).unwrap(), range);
}

#[test]
fn names_without_a_cell_are_dropped_on_request_only() {
    let map = SegmentMap::builder(Grid::rf(2))
        .range("Never", CellRange::all().r(1..=1).f(1..=1))
        .range("All", CellRange::all())
        .range("Last", CellRange::all().r(2..=2));
    let map = map.first_match();
    assert!(
        map.clone()
            .build()
            .unwrap_err()
            .to_string()
            .contains("no cell can ever be `Last`")
    );
    let built = map.clone().drop_unreachable().build().unwrap();
    let names: Vec<&str> = built.segments().iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["Never", "All"]);
    assert_eq!(built.name(&RfmScore::rf(2, 2)), Some("All"));
    assert_eq!(map.drop_unreachable().audit().unreachable, ["Last"]);
    // It forgives nothing else: gaps stay gaps, and codes of no cell stay errors.
    let gaps = SegmentMap::builder(Grid::rf(2)).codes("A", [11]).drop_unreachable();
    assert!(
        gaps.clone().build().unwrap_err().to_string().contains("cell 12 has no segment")
    );
    let outside = gaps.codes("B", [33]).otherwise("C").build().unwrap_err();
    assert!(outside.to_string().contains("code 33 of `B` is not of this grid"));
    let none = SegmentMap::builder(Grid::rf(2)).drop_unreachable().build();
    assert!(none.is_err());
}

#[test]
fn setbacks_are_told_by_axis() {
    let map = SegmentMap::eleven_segments();
    let audit = map.audit();
    let found = [Axis::Recency, Axis::Frequency, Axis::Monetary]
        .map(|axis| (audit.setbacks_on(axis), map.grid().n_steps(axis)));
    assert_eq!(found, [(5, 100), (16, 100), (19, 100)]);
    let ten = SegmentMap::rf_grid();
    assert_eq!(ten.grid().n_steps(Axis::Recency), 20);
    assert_eq!(
        (ten.grid().n_steps(Axis::Monetary), ten.audit().setbacks_on(Axis::Monetary)),
        (0, 0)
    );
    let uneven = Grid::new(2, 3, Some(4));
    assert_eq!(
        [Axis::Recency, Axis::Frequency, Axis::Monetary].map(|axis| uneven.n_steps(axis)),
        [12, 16, 18]
    );
    assert_eq!(Grid::rf(0).n_steps(Axis::Recency), 0);
    let saved = serde_json::to_value(&audit).unwrap();
    assert_eq!(serde_json::from_value::<MapAudit>(saved).unwrap(), audit);
}
