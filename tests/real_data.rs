//! Published figures, from public research data that are not part of this repository.
//!
//! `SEGMENTA_DATA` names the folder with `cdnow/CDNOW_master.txt` (brucehardie.com) and
//! `online_retail/online_retail.csv.gz` (UCI). Run with
//! `SEGMENTA_DATA=… cargo test --test real_data -- --ignored`.

#![allow(clippy::disallowed_methods)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Read;
use std::path::PathBuf;

use segmenta::data::{Customer, Date, Table};
use segmenta::history::{Ledger, LedgerOptions, Occasion, Summary, ZeroValue};
use segmenta::rfm::{
    Axis, LegacyMap, RfGrid, Rfm, RfmScores, TiePolicy, Treemap, TreemapArea,
};
use segmenta::segmenter::Persist;
use segmenta::{Fit, Segmenter, SegmenterExt};

fn read(path: &str) -> Vec<u8> {
    let folder = std::env::var("SEGMENTA_DATA").expect("SEGMENTA_DATA names the folder");
    let path = PathBuf::from(folder).join(path);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// `12.34` with `digits` decimals as an integer.
fn minor(text: &str, digits: usize) -> i64 {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    assert!(rest.len() <= digits, "{text}");
    let padded = format!("{whole}{rest:0<digits$}");
    padded.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

type Purchase = (u64, Date, i64);

fn cdnow() -> Vec<Purchase> {
    let text = String::from_utf8(read("cdnow/CDNOW_master.txt")).unwrap();
    let purchase = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [id, day, _, dollars] = fields[..] else { panic!("{line}") };
        let day = format!("{}-{}-{}", &day[..4], &day[4..6], &day[6..]);
        (id.parse().unwrap(), day.parse().unwrap(), minor(dollars, 2))
    };
    text.lines().skip(1).filter(|l| !l.trim().is_empty()).map(purchase).collect()
}

fn cdnow_summary(purchases: impl IntoIterator<Item = Purchase>) -> Summary {
    let mut ledger = Ledger::new(LedgerOptions::new().currency("USD")).unwrap();
    for (id, day, cents) in purchases {
        ledger.add(id, day, cents).unwrap();
    }
    ledger.summary("1998-06-30".parse().unwrap()).unwrap()
}

/// A fixed permutation of `n` places: multiplication by a number without common divisor.
fn shuffled<T: Clone>(items: &[T]) -> Vec<T> {
    let n = items.len();
    assert_ne!(n % 7919, 0);
    (0..n).map(|i| items[(i * 7919 + 13) % n].clone()).collect()
}

fn histogram(scores: &RfmScores, axis: Axis) -> Vec<u64> {
    scores.ties(axis).unwrap().histogram.clone()
}

#[test]
#[ignore = "needs SEGMENTA_DATA"]
fn real_cdnow_frequency_scores() {
    let purchases = cdnow();
    assert_eq!(purchases.len(), 69_659);
    let summary = cdnow_summary(purchases.iter().copied());
    assert_eq!(summary.len(), 23_570);
    let report = summary.report();
    assert_eq!((report.rows, report.zero_rows, report.refunds), (69_659, 80, 0));
    assert_eq!(report.duplicate_rows, Some(255));
    let total: i64 = summary.iter().map(|c| c.monetary_minor()).sum();
    assert_eq!(total, 250_031_563);

    let table = summary.table().unwrap();
    let scores = Rfm::new().score_table(&table).unwrap();
    // Distinct purchase days, days with purchases of 0 dollars included. Rows instead of
    // days would give 11,908, 4,079, 3,658 and 3,925.
    assert_eq!(histogram(&scores, Axis::Frequency), [12_054, 0, 4_040, 3_641, 3_835]);
    let ties = scores.ties(Axis::Frequency).unwrap();
    assert_eq!(ties.largest_tie_value, 1.0);
    assert_eq!(ties.largest_tie_share, 12_054.0 / 23_570.0);
    assert_eq!(ties.empty_scores, [2]);

    // The order of the transactions, and that of the customers, leaves no trace.
    assert_eq!(cdnow_summary(shuffled(&purchases)), summary);
    let rows = shuffled(&(0..table.len()).collect::<Vec<_>>());
    let other = table.select_rows(&rows).unwrap();
    let reordered = Rfm::new().score_table(&other).unwrap();
    for (place, &row) in rows.iter().enumerate() {
        assert_eq!(reordered.scores()[place], scores.scores()[row]);
    }
}

/// How many customers have each score of an axis.
fn tied(table: &Table<'_>, axis: Axis, policy: TiePolicy) -> Vec<u64> {
    histogram(&Rfm::new().ties(policy).score_table(table).unwrap(), axis)
}

/// The cut points of an axis in type 7 of Hyndman & Fan.
fn edges(table: &Table<'_>, axis: Axis) -> Vec<f64> {
    let scores = Rfm::new().ties(TiePolicy::Quantile7).score_table(table).unwrap();
    scores.tiles(axis)[0].cut_points().iter().map(|cut| cut.value).collect()
}

/// What pandas, SQL and R's rfm make of the ties, where they are not asked to fail.
#[test]
#[ignore = "needs SEGMENTA_DATA"]
fn real_cdnow_ties_by_every_policy() {
    let table = cdnow_summary(cdnow()).table().unwrap();
    let frequency = |policy| tied(&table, Axis::Frequency, policy);
    assert_eq!(frequency(TiePolicy::MidRank), [0, 12_054, 4_040, 2_205, 5_271]);
    assert_eq!(frequency(TiePolicy::Ntile), [4_714; 5]);
    assert_eq!(frequency(TiePolicy::RankFirst), [4_714; 5]);
    // Cut points of type 7 are whole numbers here, on which R's rfm agrees. pandas drops the
    // cut points that coincide, so that its labels move: 16,094, 3,641 and 3,835.
    assert_eq!(frequency(TiePolicy::Quantile7), [12_054, 0, 4_040, 3_641, 3_835]);
    assert_eq!(edges(&table, Axis::Frequency), [1.0, 1.0, 2.0, 4.0]);
    let quantile = |axis| tied(&table, axis, TiePolicy::Quantile7);
    assert_eq!(quantile(Axis::Recency), [4_539, 4_748, 4_844, 4_720, 4_719]);
    assert_eq!(quantile(Axis::Monetary), [4_817, 4_615, 4_710, 4_715, 4_713]);

    // Those who bought once get three scores from the policies that split ties.
    let ntile = Rfm::new().ties(TiePolicy::Ntile).score_table(&table).unwrap();
    let purchases = table.column(table.schema().require("frequency").unwrap());
    let Some(segmenta::data::Column::Number(purchases, _)) = purchases else {
        panic!("frequency is no number")
    };
    let mut once = [0; 5];
    for (score, n) in ntile.scores().iter().zip(purchases.iter()) {
        if n == 1.0 {
            once[score.f as usize - 1] += 1;
        }
    }
    assert_eq!(once, [4_714, 4_714, 2_626, 0, 0]);
}

#[test]
#[ignore = "needs SEGMENTA_DATA"]
fn real_online_retail_ties_by_every_policy() {
    let table = online_retail(Occasion::Orders).table().unwrap();
    let frequency = |policy| tied(&table, Axis::Frequency, policy);
    assert_eq!(frequency(TiePolicy::SameScore), [1_493, 835, 508, 802, 700]);
    assert_eq!(frequency(TiePolicy::MidRank), [1_493, 0, 1_343, 630, 872]);
    assert_eq!(frequency(TiePolicy::RankFirst), [868, 867, 868, 867, 868]);
    assert_eq!(frequency(TiePolicy::Ntile), [868, 868, 868, 867, 867]);
    assert_eq!(edges(&table, Axis::Frequency), [1.0, 2.0, 3.0, 6.0]);
    let near = |found: Vec<f64>, expected: [f64; 4]| {
        found.iter().zip(expected).all(|(x, y)| (x - y).abs() < 1e-9)
    };
    // pandas counts whole days since the time of day of the last invoice, one less.
    let recency = edges(&table, Axis::Recency);
    assert!(near(recency.clone(), [14.8, 34.0, 73.0, 181.0]), "{recency:?}");
    let money = edges(&table, Axis::Monetary);
    assert!(near(money.clone(), [250.194, 490.096, 942.276, 2_058.426]), "{money:?}");
}

/// Names of other software on a real base: nobody is lost, and what had no name has one.
#[test]
#[ignore = "needs SEGMENTA_DATA"]
fn real_cdnow_names_of_other_software() {
    let table = cdnow_summary(cdnow()).table().unwrap();
    for legacy in LegacyMap::ALL {
        let map = legacy.segment_map("Others").unwrap();
        let n = map.grid().axes().next().unwrap();
        let rfm = Rfm::new().n_tiles(n).segments(map.clone());
        let scores = rfm.score_table(&table).unwrap();
        let fitted = rfm.fit(&table).unwrap();
        let gaps = legacy.audit().gaps;
        let nameless =
            scores.scores().iter().filter(|score| gaps.contains(score)).count();
        let others = fitted.model().segments().iter().find(|s| s.name == "Others");
        assert_eq!(others.and_then(|s| s.size).unwrap_or(0), nameless as u64, "{legacy}");

        let grid = RfGrid::of(&map, scores.scores(), &table, Some("monetary")).unwrap();
        let (n, share): (Vec<u64>, Vec<f64>) =
            grid.cells.iter().map(|cell| (cell.n, cell.share)).unzip();
        assert_eq!(n.iter().sum::<u64>(), 23_570);
        assert!((share.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let spent: f64 =
            grid.cells.iter().filter_map(|c| Some(c.n as f64 * c.mean_money?)).sum();
        assert!((spent - 2_500_315.63).abs() < 1e-4, "{spent}");
        let tiles = Treemap::of(
            &table,
            fitted.model().segments(),
            fitted.labels(),
            TreemapArea::Sum("monetary"),
        );
        let tiles = tiles.unwrap().tiles;
        let (size, area): (Vec<f64>, Vec<f64>) = tiles
            .iter()
            .filter_map(|tile| Some((tile.size, tile.rectangle?.area())))
            .unzip();
        assert!((size.iter().sum::<f64>() - 2_500_315.63).abs() < 1e-4);
        assert!((area.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }
}

#[test]
#[ignore = "needs SEGMENTA_DATA"]
fn real_cdnow_in_parts() {
    let purchases = cdnow();
    let whole = cdnow_summary(purchases.iter().copied());
    let mut merged = Ledger::new(LedgerOptions::new().currency("USD")).unwrap();
    for part in purchases.chunks(9_973).rev() {
        let mut ledger = Ledger::new(LedgerOptions::new().currency("USD")).unwrap();
        for &(id, day, cents) in part {
            ledger.add(id, day, cents).unwrap();
        }
        merged.merge(ledger).unwrap();
    }
    assert_eq!(merged.summary(whole.as_of()).unwrap(), whole);
}

/// Non-empty cells and the size of the largest.
/// Cells with customers, those of the largest, and the deviation of all cells' sizes.
fn cells(scores: &RfmScores) -> (usize, usize, f64) {
    let mut sizes = [0_usize; 125];
    for score in scores.scores() {
        sizes[score.cell(5).unwrap()] += 1;
    }
    let mean = sizes.iter().sum::<usize>() as f64 / 125.0;
    let squares: f64 = sizes.iter().map(|&n| (n as f64 - mean).powi(2)).sum();
    let used = sizes.iter().filter(|&&n| n > 0).count();
    (used, sizes.into_iter().max().unwrap(), (squares / 124.0).sqrt())
}

#[test]
#[ignore = "needs SEGMENTA_DATA"]
fn real_cdnow_model_saved_and_loaded() {
    let table = cdnow_summary(cdnow()).table().unwrap();
    for nested in [false, true] {
        let rfm = Rfm::new().nested(nested);
        let (model, labels, report) = rfm.fit(&table).unwrap().into_parts();
        // Half of the customers bought once: nobody has the frequency score 2, unless
        // frequency is scored within recency.
        let notes: Vec<&str> = report.notes.iter().map(|n| n.code.as_str()).collect();
        assert_eq!(notes.contains(&"empty-scores"), !nested);
        let sizes: u64 = model.segments().iter().filter_map(|s| s.size).sum();
        assert_eq!(sizes, 23_570);
        let loaded = segmenta::rfm::RfmModel::load(&model.save().unwrap()).unwrap();
        assert_eq!(loaded, model);
        let assigned = loaded.assign_all(&table).unwrap();
        for (row, (label, assigned)) in labels.iter().zip(&assigned).enumerate() {
            assert_eq!(*label, assigned.segment(), "row {row}");
        }
    }
}

#[test]
#[ignore = "needs SEGMENTA_DATA"]
fn real_cdnow_nested_cells_are_more_even() {
    let table = cdnow_summary(cdnow()).table().unwrap();
    let independent = cells(&Rfm::new().score_table(&table).unwrap());
    let nested = cells(&Rfm::new().nested(true).score_table(&table).unwrap());
    for (found, expected) in [
        (independent, (71, 2_340, 400.175_352_693_323_4)),
        (nested, (80, 913, 251.725_445_674_449_1)),
    ] {
        assert_eq!((found.0, found.1), (expected.0, expected.1));
        assert!((found.2 - expected.2).abs() < 1e-9, "{found:?}");
    }
}

fn split_csv(line: &str) -> Vec<String> {
    let (mut fields, mut quoted) = (vec![String::new()], false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => fields.last_mut().unwrap().push(c),
        }
    }
    fields
}

/// Lines with a customer that are no cancellations; without those of value 0, which the
/// ledger drops, 4,338 customers.
fn online_retail(occasion: Occasion) -> Summary {
    let packed = read("online_retail/online_retail.csv.gz");
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
    let options = LedgerOptions::new()
        .occasion(occasion)
        .zero_value(ZeroValue::Drop)
        .minor_digits(3)
        .currency("GBP");
    let mut ledger = Ledger::new(options).unwrap();
    for line in text.lines().skip(1) {
        let fields = split_csv(line);
        let [invoice, _, _, quantity, time, price, customer, _] = &fields[..] else {
            panic!("{line}")
        };
        if customer.is_empty() || invoice.starts_with('C') {
            continue;
        }
        let amount = minor(price, 3) * quantity.parse::<i64>().unwrap();
        let customer: u64 = customer.parse().unwrap();
        ledger.add_order(customer, time[..10].parse().unwrap(), amount, invoice).unwrap();
    }
    let summary = ledger.summary("2011-12-11".parse().unwrap()).unwrap();
    assert_eq!(summary.len(), 4_338);
    assert_eq!(summary.report().zero_rows_dropped, 40);
    summary
}

/// What a purchase is changes how many there are twentyfold.
#[test]
#[ignore = "needs SEGMENTA_DATA"]
fn real_online_retail_lines_invoices_and_days() {
    for (occasion, mean) in [
        (Occasion::Rows, 91.720_608_575_380_35),
        (Occasion::Orders, 4.272_014_753_342_554),
        (Occasion::Days, 3.864_223_144_306_132),
    ] {
        let summary = online_retail(occasion);
        let purchases: u64 = summary.iter().map(|c| c.frequency()).sum();
        let found = purchases as f64 / summary.len() as f64;
        assert!((found - mean).abs() < 1e-12 * mean, "{occasion:?}: {found}");
    }
}

#[test]
#[ignore = "needs SEGMENTA_DATA"]
fn real_online_retail_ten_names() {
    let table = online_retail(Occasion::Orders).table().unwrap();
    let rfm = Rfm::rf()
        .axis_ties(Axis::Recency, TiePolicy::Quantile7)
        .axis_ties(Axis::Frequency, TiePolicy::RankFirst);
    let (model, labels, _) = rfm.fit(&table).unwrap().into_parts();
    let expected = [
        ("Champions", 633),
        ("Loyal", 819),
        ("Potential Loyalist", 484),
        ("New", 42),
        ("Promising", 94),
        ("Need Attention", 187),
        ("About To Sleep", 352),
        ("At Risk", 593),
        ("Can't Lose", 63),
        ("Hibernating", 1_071),
    ];
    for (segment, (name, size)) in model.segments().iter().zip(expected) {
        assert_eq!((segment.name.as_str(), segment.size), (name, Some(size)));
    }
    assert_eq!(labels.len(), 4_338);
    assert!(!model.capabilities().inductive);

    // Ties are told apart by the customers' ids, not by the order of the rows.
    let rows = shuffled(&(0..table.len()).collect::<Vec<_>>());
    let other = rfm.fit(&table.select_rows(&rows).unwrap()).unwrap();
    assert_eq!(other.model(), &model);
    for (place, &row) in rows.iter().enumerate() {
        assert_eq!(other.labels()[place], labels[row], "{}", table.row(row).id());
    }
}
