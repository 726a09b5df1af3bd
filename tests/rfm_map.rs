//! Segment maps against their published tables.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use proptest::prelude::*;
use segmenta::ErrorKind;
use segmenta::rfm::{CellRange, Grid, SegmentMap};
use segmenta::score::RfmScore;
use serde_json::{Value, json};

fn golden_maps() -> Value {
    serde_json::from_str(include_str!("golden/segment_maps.json")).unwrap()
}

fn digits(code: u32) -> RfmScore {
    RfmScore::new(code / 100, code / 10 % 10, code % 10)
}

#[test]
fn the_eleven_segments_are_the_published_table() {
    let map = SegmentMap::eleven_segments();
    let golden = golden_maps();
    let mut seen = 0;
    for (name, codes) in golden["eleven_segments"].as_object().unwrap() {
        for code in codes.as_array().unwrap() {
            let code: u32 = code.as_str().unwrap().parse().unwrap();
            assert_eq!(map.name(&digits(code)), Some(name.as_str()), "{code}");
            seen += 1;
        }
        let cells = &golden["audit"]["eleven_segments"]["first_match"][name];
        assert_eq!(map.audit().cells_of(name), cells.as_u64().map(|n| n as usize));
    }
    assert_eq!(seen, 125);
    let names: Vec<&str> = map.segments().iter().map(|s| s.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "Champions",
            "Loyal",
            "Potential Loyalist",
            "New Customers",
            "Promising",
            "Need Attention",
            "About To Sleep",
            "At Risk",
            "Cannot Lose Them",
            "Hibernating",
            "Lost",
        ]
    );
    assert_eq!(map.segments()[8].id.as_str(), "cannot-lose-them");
    let audit = map.audit();
    assert!(audit.is_clean());
    // Steps to a better recency, frequency or monetary score that lead down the list.
    let steps = |moved: fn(&RfmScore, &RfmScore) -> bool| {
        audit.setbacks.iter().filter(|s| moved(&s.from, &s.to)).count()
    };
    assert_eq!(steps(|a, b| a.r < b.r), 5);
    assert_eq!(steps(|a, b| a.f < b.f), 16);
    assert_eq!(steps(|a, b| a.m < b.m), 19);
}

/// The regular expressions in circulation, such as `[1-2][3-4]`.
fn matches(pattern: &str, score: &RfmScore) -> bool {
    let mut rest = pattern;
    let mut axis = || {
        let (from, to);
        if let Some(range) = rest.strip_prefix('[') {
            (from, to) =
                (range[..1].parse::<u32>().unwrap(), range[2..3].parse().unwrap());
            rest = &range[4..];
        } else {
            from = rest[..1].parse().unwrap();
            to = from;
            rest = &rest[1..];
        }
        from..=to
    };
    axis().contains(&score.r) && axis().contains(&score.f)
}

#[test]
fn the_ten_segments_are_the_published_grid() {
    let map = SegmentMap::rf_grid();
    let names = BTreeMap::from([
        ("champions", "Champions"),
        ("loyal_customers", "Loyal"),
        ("potential_loyalists", "Potential Loyalist"),
        ("new_customers", "New"),
        ("promising", "Promising"),
        ("need_attention", "Need Attention"),
        ("about_to_sleep", "About To Sleep"),
        ("at_risk", "At Risk"),
        ("cant_lose", "Can't Lose"),
        ("hibernating", "Hibernating"),
    ]);
    let golden = golden_maps();
    let patterns = golden["rf_grid"].as_object().unwrap();
    assert_eq!(patterns.len(), 10);
    for cell in map.grid().cells() {
        let mut found =
            patterns.iter().filter(|(_, p)| matches(p.as_str().unwrap(), &cell));
        let (name, _) = found.next().unwrap();
        assert_eq!(map.name(&cell), Some(names[name.as_str()]), "{cell:?}");
        assert!(found.next().is_none());
    }
    assert!(map.audit().is_clean());
    assert_eq!(map.segments()[8].id.as_str(), "cant-lose");
    assert_eq!(map.name(&RfmScore::new(5, 5, 5)), None);
    assert_eq!(map.name(&RfmScore::rf(6, 5)), None);
    assert_eq!(map.name(&RfmScore::rf(0, 5)), None);
}

/// The names of R's rfm in the order in which its rules are tried.
const R_RFM_0_3: [&str; 10] = [
    "Champions",
    "Potential Loyalist",
    "Loyal Customers",
    "Promising",
    "New Customers",
    "Can't Lose Them",
    "At Risk",
    "Need Attention",
    "About To Sleep",
    "Lost",
];
const R_RFM_0_2: [&str; 10] = [
    "Champions",
    "Loyal Customers",
    "Potential Loyalist",
    "New Customers",
    "Promising",
    "Need Attention",
    "About To Sleep",
    "At Risk",
    "Can't Lose Them",
    "Lost",
];

fn r_rfm(version: &str, names: &[&str]) -> segmenta::rfm::SegmentMapBuilder {
    let golden = golden_maps();
    let rules = golden[version].as_object().unwrap();
    assert_eq!(rules.len(), names.len());
    names.iter().fold(SegmentMap::builder(Grid::rfm(5)), |map, &name| {
        let range = |axis: usize| {
            let end = |i: usize| rules[name][axis][i].as_u64().unwrap() as u32;
            end(0)..=end(1)
        };
        map.range(name, CellRange::all().r(range(0)).f(range(1)).m(range(2)))
    })
}

#[test]
fn faults_of_maps_in_circulation_are_found() {
    let golden = golden_maps();
    for (version, names) in [("r_rfm_0.3.0", &R_RFM_0_3), ("r_rfm_0.2.x", &R_RFM_0_2)] {
        let expected = &golden["audit"][version];
        let map = r_rfm(version, names);
        let audit = map.audit();
        let gaps: Vec<Vec<u32>> = audit.gaps.iter().map(|c| c.axes().collect()).collect();
        assert_eq!(json!(gaps), expected["gaps"], "{version}");
        assert_eq!(json!(audit.overlaps.len()), expected["n_overlaps"], "{version}");
        let mut unreachable = audit.unreachable.clone();
        unreachable.sort();
        let mut published: Vec<String> =
            serde_json::from_value(expected["unreachable"].clone()).unwrap();
        published.sort();
        assert_eq!(unreachable, published, "{version}");
        for name in names {
            let size = audit.cells_of(name).unwrap();
            let published =
                expected["first_match"].get(name).map_or(json!(0), Value::clone);
            assert_eq!(json!(size), published, "{version} {name}");
        }
        let ErrorKind::Definition { issues, .. } =
            map.clone().build().unwrap_err().into_kind()
        else {
            panic!("a map with gaps was built")
        };
        let count = |code: &str| issues.iter().filter(|i| i.code == code).count();
        assert_eq!(count("gap"), audit.gaps.len());
        assert_eq!(count("overlap"), audit.overlaps.len());
        assert_eq!(count("unreachable"), audit.unreachable.len());

        let decided = map.first_match().otherwise("Others").build();
        // A name that nobody can have stays a fault.
        assert_eq!(decided.is_ok(), audit.unreachable.is_empty(), "{version}");
        if let Ok(map) = decided {
            assert_eq!(map.name(&RfmScore::new(4, 4, 4)), Some("Potential Loyalist"));
            assert_eq!(
                json!(map.audit().cells_of("Others")),
                expected["first_match"]["Others"]
            );
        }
    }

    let published = golden["pymc_marketing_1.3.0"].as_object().unwrap();
    let quartiles =
        published.iter().fold(SegmentMap::builder(Grid::rfm(4)), |map, (name, codes)| {
            let codes = codes
                .as_array()
                .unwrap()
                .iter()
                .map(|c| c.as_str().unwrap().parse().unwrap());
            map.codes(name.as_str(), codes.collect::<Vec<u32>>())
        });
    let audit = quartiles.audit();
    assert_eq!((audit.gaps.len(), audit.overlaps.len()), (18, 0));
    assert!(quartiles.clone().build().is_err());
    assert_eq!(
        quartiles.otherwise("Other").build().unwrap().audit().cells_of("Other"),
        Some(18)
    );
}

#[test]
fn every_fault_of_a_definition_is_told() {
    let map = SegmentMap::builder(Grid::rf(2))
        .codes("A", [11, 11, 13, 222])
        .codes("B", [12, 11])
        .codes("a", [21])
        .codes("!", [])
        .range("R", CellRange::all().r(2..=3).m(1..=1));
    let ErrorKind::Definition { issues, .. } = map.build().unwrap_err().into_kind()
    else {
        panic!("not a definition error")
    };
    let found: Vec<String> = issues.iter().map(|i| format!("{}: {i}", i.code)).collect();
    assert_eq!(
        found,
        [
            "repeated-code: code 11 of `A` is repeated",
            "outside-grid: code 13 of `A` is not of this grid",
            "outside-grid: code 222 of `A` is not of this grid",
            "outside-grid: range r 2 to 3 of `R` is not of this grid",
            "outside-grid: range m 1 to 1 of `R` is not of this grid",
            "overlap: cell 11 belongs to `A` and `B`",
            "overlap: cell 21 belongs to `a` and `R`",
            "unreachable: no cell can ever be `!`",
            "name: `A` and `a` both have the id `a`",
            "name: the name `!` has no letter",
        ]
    );
    let total = SegmentMap::builder(Grid::rf(2)).range("All", CellRange::all());
    assert!(total.clone().build().is_ok());
    let error = total.otherwise("Other").build().unwrap_err();
    assert!(error.to_string().contains("no cell is left for `Other`"), "{error}");
    for grid in [Grid::rf(1), Grid::rf(0), Grid::rfm(101), Grid::new(5, 5, Some(1001))] {
        let map = SegmentMap::builder(grid).range("All", CellRange::all());
        assert!(map.build().unwrap_err().is_parameter(), "{grid:?}");
        assert_eq!(map.audit().n_cells, 0);
    }
    #[allow(clippy::reversed_empty_ranges)]
    let backwards = CellRange::all().r(2..=1);
    let map = SegmentMap::from_rules(
        Grid::rf(2),
        [("All", CellRange::all()), ("No", backwards)],
    );
    assert!(map.unwrap_err().to_string().contains("no cell can ever be `No`"));
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 128,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// A map is built exactly when every cell has one name and every name a cell.
    #[test]
    fn a_map_exists_when_it_is_total_and_disjoint(
        given in prop::collection::vec((0..3_usize, 1..=3_u32, 1..=2_u32), 0..9),
    ) {
        let grid = Grid::new(3, 2, None);
        let mut names = [const { Vec::new() }; 3];
        for &(name, r, f) in &given {
            if !names[name].contains(&(10 * r + f)) {
                names[name].push(10 * r + f);
            }
        }
        let labelled = ["A", "B", "C"].into_iter().zip(names.iter().cloned());
        let map = SegmentMap::from_codes(grid, labelled);
        let all: Vec<u32> = names.iter().flatten().copied().collect();
        let mut unique = all.clone();
        unique.sort_unstable();
        unique.dedup();
        let sound = unique.len() == 6 && all.len() == 6 && names.iter().all(|n| !n.is_empty());
        prop_assert_eq!(map.is_ok(), sound);
        if let Ok(map) = map {
            for (name, codes) in ["A", "B", "C"].into_iter().zip(&names) {
                for code in codes {
                    prop_assert_eq!(map.name(&RfmScore::rf(code / 10, code % 10)), Some(name));
                }
            }
        }
    }
}

#[test]
fn grids_number_their_cells() {
    let grid = Grid::new(3, 4, Some(2));
    let cells: Vec<RfmScore> = grid.cells().collect();
    assert_eq!(cells.len(), 24);
    assert_eq!((cells[0], cells[23]), (RfmScore::new(1, 1, 1), RfmScore::new(3, 4, 2)));
    for (position, cell) in cells.iter().enumerate() {
        assert_eq!(grid.position(cell), Some(position));
    }
    assert_eq!(grid.cell(24), None);
    assert_eq!(grid.position(&RfmScore::rf(1, 1)), None);
    assert_eq!(Grid::new(u32::MAX, u32::MAX, Some(u32::MAX)).n_cells(), u64::MAX);
}

#[test]
fn an_altered_map_is_refused() {
    let good = serde_json::to_value(SegmentMap::rf_grid()).unwrap();
    let with = |change: fn(&mut Value)| {
        let mut broken = good.clone();
        change(&mut broken);
        serde_json::from_value::<SegmentMap>(broken)
    };
    assert_eq!(with(|_| {}).unwrap(), SegmentMap::rf_grid());
    assert!(with(|m| m["cells"][0] = 10.into()).is_err());
    assert!(with(|m| m["cells"] = json!([])).is_err());
    assert!(with(|m| m["grid"]["r"] = 4.into()).is_err());
    assert!(with(|m| m["grid"] = json!({"r": 4294967295_u32, "f": 5})).is_err());
    assert!(with(|m| m["segments"][0]["id"] = "loyal".into()).is_err());
    // 51 is the only cell of `New`.
    assert!(with(|m| m["cells"][20] = 0.into()).is_err());
}
