//! The numbers of pictures: the grid of recency and frequency, and treemaps.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use segmenta::ErrorKind;
use segmenta::data::{Column, FeatureSpec, Schema, Table, Validity};
use segmenta::rfm::{
    CellRange, Grid, Rectangle, RfGrid, SegmentMap, Treemap, TreemapArea, squarify,
};
use segmenta::score::RfmScore;
use segmenta::segmenter::{Segment, SegmentIndex};

fn config() -> ProptestConfig {
    ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() }
}

fn table(money: &[f64], weights: Option<&[f64]>) -> Table<'static> {
    let schema =
        Schema::new([FeatureSpec::number("spend"), FeatureSpec::flag("member")]).unwrap();
    let builder = Table::builder(&schema, money.len())
        .numbers("spend", money.to_vec())
        .flags("member", vec![true; money.len()]);
    match weights {
        Some(weights) => builder.sample_weight(weights.to_vec()),
        None => builder,
    }
    .build()
    .unwrap()
}

// ---- the grid

/// Three segments by money within each cell, and a fourth that recency decides.
fn by_money() -> SegmentMap {
    SegmentMap::from_rules(
        Grid::new(2, 2, Some(3)),
        [
            ("High", CellRange::all().r(2..=2).m(3..=3)),
            ("Low", CellRange::all().r(2..=2).m(1..=2)),
            ("Gone", CellRange::all().r(1..=1)),
        ],
    )
    .unwrap()
}

#[test]
fn cells_count_customers_money_and_names() {
    let scores = [(2, 2, 3), (2, 2, 1), (2, 2, 3), (1, 1, 2), (2, 1, 2), (2, 1, 1)]
        .map(|(r, f, m)| RfmScore::new(r, f, m));
    let money = [100.0, 10.0, 70.0, 5.0, 20.0, 7.0];
    let weights = [1.0, 1.0, 2.0, 4.0, 0.0, 2.0];
    let map = by_money();
    let grid =
        RfGrid::of(&map, &scores, &table(&money, Some(&weights)), Some("spend")).unwrap();
    assert_eq!((grid.r_scores, grid.f_scores), (2, 2));
    let places: Vec<(u32, u32)> = grid.cells.iter().map(|c| (c.r, c.f)).collect();
    assert_eq!(places, [(1, 1), (1, 2), (2, 1), (2, 2)]);

    let best = grid.cell(2, 2).unwrap();
    assert_eq!((best.n, best.share, best.mean_money), (3, 0.4, Some(62.5)));
    let parts: Vec<(&str, usize, u64, u32)> = best
        .segments
        .iter()
        .map(|s| (s.name.as_str(), s.segment.get(), s.n, s.n_scores))
        .collect();
    assert_eq!(parts, [("High", 0, 2, 1), ("Low", 1, 1, 2)]);
    assert_eq!(best.name(), "High");

    // The row of weight 0 does not count.
    let second = grid.cell(2, 1).unwrap();
    assert_eq!((second.n, second.share, second.mean_money), (1, 0.2, Some(7.0)));
    // In a cell of nobody the name is that of most of its scores.
    let nobody = RfGrid::of(&map, &scores[3..4], &table(&[1.0], None), None).unwrap();
    assert_eq!(nobody.cell(2, 2).unwrap().name(), "Low");
    let empty = grid.cell(1, 2).unwrap();
    assert_eq!((empty.n, empty.share, empty.mean_money), (0, 0.0, None));
    assert_eq!(empty.name(), "Gone");
    assert_eq!(nobody.cell(1, 1).unwrap().mean_money, None);
    for (r, f) in [(0, 1), (1, 0), (3, 1), (1, 3), (u32::MAX, u32::MAX)] {
        assert_eq!(grid.cell(r, f), None);
    }
    let saved = serde_json::to_string(&grid).unwrap();
    assert_eq!(serde_json::from_str::<RfGrid>(&saved).unwrap(), grid);
}

#[test]
fn of_equally_many_the_first_of_the_map_names_the_cell() {
    let scores = [RfmScore::new(2, 1, 1), RfmScore::new(2, 1, 3)];
    let grid = RfGrid::of(&by_money(), &scores, &table(&[1.0, 1.0], None), None).unwrap();
    // Of one customer each, `Low` has more scores.
    assert_eq!(grid.cell(2, 1).unwrap().name(), "Low");
    let map = SegmentMap::from_rules(
        Grid::new(2, 2, Some(2)),
        [("A", CellRange::all().m(2..=2)), ("B", CellRange::all().m(1..=1))],
    );
    let grid = RfGrid::of(&map.unwrap(), &[], &table(&[], None), None).unwrap();
    assert!(grid.cells.iter().all(|cell| cell.name() == "A" && cell.share == 0.0));
}

#[test]
fn grids_that_cannot_be_counted_are_errors() {
    let map = by_money();
    let score = RfmScore::new(1, 1, 1);
    let two = table(&[1.0, 2.0], None);
    let of = |scores: &[RfmScore], money| RfGrid::of(&map, scores, &two, money);
    assert!(matches!(of(&[score], None).unwrap_err().kind(), ErrorKind::Length { .. }));
    for bad in [
        RfmScore::rf(1, 1),
        RfmScore::new(3, 1, 1),
        RfmScore::new(1, 0, 1),
        RfmScore::new(1, 1, 4),
    ] {
        let error = of(&[score, bad], None).unwrap_err().to_string();
        assert!(error.ends_with("is not a cell of the map's grid in row 1"), "{error}");
    }
    assert!(of(&[score; 2], Some("money")).unwrap_err().is_schema());
    let flag = of(&[score; 2], Some("member")).unwrap_err();
    assert!(matches!(flag.kind(), ErrorKind::WrongKind { .. }));
    let huge = table(&[f64::MAX, f64::MAX], None);
    assert!(RfGrid::of(&map, &[score; 2], &huge, Some("spend")).unwrap_err().is_data());
    let heavy = table(&[1.0, 1.0], Some(&[f64::MAX, f64::MAX]));
    assert!(RfGrid::of(&map, &[score; 2], &heavy, None).unwrap_err().is_data());

    let schema = Schema::new([FeatureSpec::number("spend")]).unwrap();
    let validity = Validity::Mask(vec![true, false].into());
    let holes = Table::builder(&schema, 2)
        .column("spend", Column::Number(vec![1.0, 0.0].into(), validity))
        .build()
        .unwrap();
    let error = RfGrid::of(&map, &[score; 2], &holes, Some("spend")).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Missing { row: Some(1), .. }));
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn cells_add_up_to_the_table(
        rows in prop::collection::vec((1..=2_u32, 1..=2_u32, 1..=3_u32, 0..50_u32, 0..3_u32), 1..40),
    ) {
        let scores: Vec<RfmScore> = rows.iter().map(|r| RfmScore::new(r.0, r.1, r.2)).collect();
        let money: Vec<f64> = rows.iter().map(|r| r.3.into()).collect();
        let weights: Vec<f64> = rows.iter().map(|r| r.4.into()).collect();
        prop_assume!(weights.iter().sum::<f64>() > 0.0);
        let map = by_money();
        let grid =
            RfGrid::of(&map, &scores, &table(&money, Some(&weights)), Some("spend")).unwrap();
        for cell in &grid.cells {
            let here: Vec<usize> = (0..rows.len())
                .filter(|&i| scores[i].r == cell.r && scores[i].f == cell.f && weights[i] > 0.0)
                .collect();
            prop_assert_eq!(cell.n, here.len() as u64);
            let weight: f64 = here.iter().map(|&i| weights[i]).sum();
            let sum: f64 = here.iter().map(|&i| weights[i] * money[i]).sum();
            prop_assert_eq!(cell.mean_money, (weight > 0.0).then(|| sum / weight));
            prop_assert_eq!(cell.share, weight / weights.iter().sum::<f64>());
            prop_assert_eq!(cell.segments.iter().map(|s| s.n).sum::<u64>(), cell.n);
            prop_assert_eq!(cell.segments.iter().map(|s| s.n_scores).sum::<u32>(), 3);
            for part in &cell.segments {
                let named = |i: &&usize| map.segment(&scores[**i]) == Some(part.segment);
                prop_assert_eq!(part.n, here.iter().filter(named).count() as u64);
            }
        }
    }
}

// ---- treemaps

/// The algorithm as the paper states it, on areas: recursive, and looking at a whole row
/// each time.
fn squarified(areas: &[f64], row: &[f64], page: Rectangle) -> Vec<Rectangle> {
    let w = page.width.min(page.height);
    let worst = |row: &[f64]| {
        let s: f64 = row.iter().sum();
        let of = |r: &f64| (w * w * r / (s * s)).max(s * s / (w * w * r));
        row.iter().map(of).fold(0.0, f64::max)
    };
    if let Some((&next, others)) = areas.split_first() {
        let longer: Vec<f64> = row.iter().copied().chain([next]).collect();
        // Equal ratios may differ by rounding.
        if row.is_empty() || worst(row) >= worst(&longer) * (1.0 - 1e-13) {
            return squarified(others, &longer, page);
        }
    }
    let s: f64 = row.iter().sum();
    let (mut found, mut offset) = (Vec::new(), 0.0);
    let rest = if page.width >= page.height {
        let width = s / page.height;
        for r in row {
            let (y, height) = (page.y + offset, r / width);
            found.push(Rectangle { y, width, height, ..page });
            offset += height;
        }
        Rectangle { x: page.x + width, width: page.width - width, ..page }
    } else {
        let height = s / page.width;
        for r in row {
            let (x, width) = (page.x + offset, r / height);
            found.push(Rectangle { x, width, height, ..page });
            offset += width;
        }
        Rectangle { y: page.y + height, height: page.height - height, ..page }
    };
    if !areas.is_empty() {
        found.extend(squarified(areas, &[], rest));
    }
    found
}

fn near(a: &Rectangle, b: &Rectangle, tolerance: f64) -> bool {
    [(a.x, b.x), (a.y, b.y), (a.width, b.width), (a.height, b.height)]
        .iter()
        .all(|(a, b)| (a - b).abs() <= tolerance)
}

fn page(width: f64, height: f64) -> Rectangle {
    Rectangle { x: 0.0, y: 0.0, width, height }
}

/// Section 3.2 of the paper lays these out step by step.
#[test]
fn the_example_of_the_paper() {
    let sizes = [6.0, 6.0, 4.0, 3.0, 2.0, 2.0, 1.0];
    let found = squarify(&sizes, page(6.0, 4.0)).unwrap();
    let third = 7.0 / 3.0;
    let expected = [
        (0.0, 0.0, 3.0, 2.0),
        (0.0, 2.0, 3.0, 2.0),
        (3.0, 0.0, 12.0 / 7.0, third),
        (3.0 + 12.0 / 7.0, 0.0, 9.0 / 7.0, third),
        (3.0, third, 1.2, 5.0 / 3.0),
        (4.2, third, 1.2, 5.0 / 3.0),
        (5.4, third, 0.6, 5.0 / 3.0),
    ];
    for (found, (x, y, width, height)) in found.iter().zip(expected) {
        let found = found.unwrap();
        assert!(near(&found, &Rectangle { x, y, width, height }, 1e-14), "{found:?}");
    }
    // In any order, and with sizes of another unit.
    let turned: Vec<f64> = sizes.iter().rev().map(|s| s * 1e9).collect();
    let other = squarify(&turned, page(6.0, 4.0)).unwrap();
    assert!(near(&other[0].unwrap(), &found[6].unwrap(), 1e-12));
    assert!(
        near(&other[5].unwrap(), &found[1].unwrap(), 1e-12)
            || near(&other[5].unwrap(), &found[0].unwrap(), 1e-12)
    );
}

/// Where a longer row is as good as the row was, the paper makes it longer.
#[test]
fn a_tie_makes_the_row_longer() {
    let halves = squarify(&[1.0, 1.0], Rectangle::UNIT).unwrap();
    let half = Rectangle { height: 0.5, ..Rectangle::UNIT };
    assert_eq!(halves, [Some(half), Some(Rectangle { y: 0.5, ..half })]);
}

/// That rectangles lie within a page, share no area and have theirs by size.
fn check(sizes: &[f64], page: Rectangle, found: &[Option<Rectangle>]) {
    let total: f64 = sizes.iter().sum();
    let (side, eps) = (page.width.max(page.height), 1e-9);
    let placed: Vec<Rectangle> = found.iter().flatten().copied().collect();
    for (size, rectangle) in sizes.iter().zip(found) {
        assert_eq!(*size == 0.0, rectangle.is_none());
        let Some(r) = rectangle else { continue };
        let area = size / total * page.area();
        assert!((r.area() - area).abs() <= 1e-9 * area + 1e-15 * page.area(), "{r:?}");
        assert!(r.width >= 0.0 && r.height >= 0.0);
        assert!(r.x >= page.x && r.x + r.width <= page.x + page.width + eps * side);
        assert!(r.y >= page.y && r.y + r.height <= page.y + page.height + eps * side);
    }
    for (i, a) in placed.iter().enumerate() {
        for b in &placed[..i] {
            let wide = (a.x + a.width).min(b.x + b.width) - a.x.max(b.x);
            let high = (a.y + a.height).min(b.y + b.height) - a.y.max(b.y);
            assert!(wide <= eps * side || high <= eps * side, "{a:?} {b:?}");
        }
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn treemaps_are_those_of_the_paper(
        sizes in prop::collection::vec(0..1000_u32, 1..30), width in 0.1..10.0_f64, height in 0.1..10.0_f64,
    ) {
        let sizes: Vec<f64> = sizes.into_iter().map(f64::from).collect();
        prop_assume!(sizes.iter().any(|&s| s > 0.0));
        let page = page(width, height);
        let found = squarify(&sizes, page).unwrap();
        check(&sizes, page, &found);

        let scale = page.area() / sizes.iter().sum::<f64>();
        let mut order: Vec<usize> = (0..sizes.len()).filter(|&i| sizes[i] > 0.0).collect();
        order.sort_by(|&a, &b| sizes[b].total_cmp(&sizes[a]));
        let areas: Vec<f64> = order.iter().map(|&i| sizes[i] * scale).collect();
        let expected = squarified(&areas, &[], page);
        // Ties of the criterion, which rounding decides, are rare at these sizes.
        let same = order
            .iter()
            .zip(&expected)
            .all(|(&i, rectangle)| near(&found[i].unwrap(), rectangle, 1e-8));
        prop_assert!(same, "{:?}\n{:?}", found, expected);
    }

    #[test]
    fn sizes_of_any_magnitude_are_laid_out(
        powers in prop::collection::vec(-300..300_i32, 1..40),
    ) {
        let sizes: Vec<f64> = powers.into_iter().map(|p| 10_f64.powi(p)).collect();
        let found = squarify(&sizes, Rectangle::UNIT).unwrap();
        check(&sizes, Rectangle::UNIT, &found);
    }
}

#[test]
fn one_hundred_thousand_tiles_are_laid_out_at_once() {
    let sizes: Vec<f64> = (1..=100_000).map(|i| 1.0 / f64::from(i)).collect();
    let found = squarify(&sizes, Rectangle::UNIT).unwrap();
    let area: f64 = found.iter().flatten().map(Rectangle::area).sum();
    assert!((area - 1.0).abs() < 1e-9);
    let square = found.iter().flatten().filter(|r| r.aspect_ratio() < 2.0).count();
    assert!(square > 99_000, "{square}");
}

#[test]
fn sizes_that_are_none_are_errors() {
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        let error = squarify(&[1.0, bad], Rectangle::UNIT).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("is not a size: finite and not negative in row 1")
        );
    }
    let huge = squarify(&[f64::MAX; 2], Rectangle::UNIT).unwrap_err();
    assert!(huge.is_parameter());
    for none in [&[][..], &[0.0, 0.0]] {
        let error = squarify(none, Rectangle::UNIT).unwrap_err();
        assert_eq!(error.to_string(), "the treemap is undefined: all sizes are 0");
    }
    for (width, height) in [
        (0.0, 1.0),
        (1.0, -1.0),
        (f64::NAN, 1.0),
        (f64::INFINITY, 1.0),
        (1e-200, 1e-200),
        (1e200, 1e200),
        (1e300, 1e-300),
    ] {
        let error = squarify(&[1.0], page(width, height)).unwrap_err();
        assert!(error.is_parameter(), "{width} {height}");
    }
    let nowhere = Rectangle { x: f64::NAN, ..Rectangle::UNIT };
    assert!(squarify(&[1.0], nowhere).is_err());
    assert_eq!(
        squarify(&[0.0, 3.0], Rectangle::UNIT).unwrap(),
        [None, Some(Rectangle::UNIT)]
    );
}

fn labels(of: &[Option<u32>]) -> Vec<Option<SegmentIndex>> {
    of.iter().map(|label| label.map(SegmentIndex::new)).collect()
}

#[test]
fn tiles_stand_for_customers_or_money() {
    let money = [60.0, 20.0, 10.0, 10.0, 5.0, 99.0];
    let weights = [1.0, 2.0, 1.0, 1.0, 5.0, 0.0];
    let table = table(&money, Some(&weights));
    let labels = labels(&[Some(0), Some(1), Some(1), Some(1), None, None]);
    let segments = Segment::numbered(3);
    let people = Treemap::of(&table, &segments, &labels, TreemapArea::Customers).unwrap();
    let told: Vec<(&str, u64, f64, f64)> =
        people.tiles.iter().map(|t| (t.name.as_str(), t.n, t.size, t.share)).collect();
    assert_eq!(
        told,
        [
            ("Segment 1", 1, 1.0, 0.1),
            ("Segment 2", 3, 4.0, 0.4),
            ("Segment 3", 0, 0.0, 0.0),
            ("in no segment", 1, 5.0, 0.5),
        ]
    );
    assert_eq!(people.tiles[2].rectangle, None);
    assert_eq!(people.tiles[3].segment, None);
    let sum = Treemap::of(&table, &segments, &labels, TreemapArea::Sum("spend")).unwrap();
    let sizes: Vec<f64> = sum.tiles.iter().map(|t| t.size).collect();
    assert_eq!(sizes, [60.0, 60.0, 0.0, 25.0]);
    let rectangles: Vec<Option<Rectangle>> =
        sum.tiles.iter().map(|t| t.rectangle).collect();
    assert_eq!(rectangles, squarify(&sizes, Rectangle::UNIT).unwrap());
    let wide = page(16.0, 9.0);
    let drawn =
        Treemap::within(&table, &segments, &labels, TreemapArea::Sum("spend"), wide)
            .unwrap();
    let rectangles: Vec<Option<Rectangle>> =
        drawn.tiles.iter().map(|t| t.rectangle).collect();
    assert_eq!(rectangles, squarify(&sizes, wide).unwrap());
    // Nobody is left over, and so there is no tile for them.
    let all = vec![Some(SegmentIndex::new(0)); 6];
    let one = Treemap::of(&table, &segments, &all, TreemapArea::Customers).unwrap();
    assert_eq!(one.tiles.len(), 3);
    let saved = serde_json::to_string(&people).unwrap();
    assert_eq!(serde_json::from_str::<Treemap>(&saved).unwrap(), people);
}

#[test]
fn treemaps_that_cannot_be_drawn_are_errors() {
    let two = table(&[-5.0, 3.0], None);
    let segments = Segment::numbered(2);
    let of = |labels: &[Option<SegmentIndex>], area| {
        Treemap::of(&two, &segments, labels, area)
    };
    let apart = labels(&[Some(0), Some(1)]);
    let negative = of(&apart, TreemapArea::Sum("spend")).unwrap_err();
    assert_eq!(
        negative.to_string(),
        "the treemap is undefined: the sum of `Segment 1` is -5"
    );
    let people = TreemapArea::Customers;
    assert!(matches!(
        of(&apart[..1], people).unwrap_err().kind(),
        ErrorKind::Length { .. }
    ));
    for bad in [2, 3, u32::MAX] {
        let error = of(&labels(&[Some(0), Some(bad)]), people).unwrap_err();
        assert!(error.to_string().ends_with("below 2 in row 1"), "{error}");
    }
    assert!(of(&apart, TreemapArea::Sum("money")).unwrap_err().is_schema());
    assert!(of(&apart, TreemapArea::Sum("member")).unwrap_err().is_data());
    let nobody = Treemap::of(&table(&[], None), &segments, &[], people).unwrap_err();
    assert!(nobody.is_data());
    let huge = table(&[f64::MAX, f64::MAX], None);
    let both = labels(&[Some(0), Some(0)]);
    assert!(Treemap::of(&huge, &segments, &both, TreemapArea::Sum("spend")).is_err());
}
