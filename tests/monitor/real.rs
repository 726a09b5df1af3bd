//! Published figures, from public research data that are not part of this repository.
//!
//! `SEGMENTA_DATA` names the folder with `cdnow/CDNOW_master.txt` (brucehardie.com) and
//! `online_retail/invoices.csv.gz` (UCI, one row an invoice).

#![allow(clippy::disallowed_methods, clippy::expect_used)]

use std::io::Read;
use std::path::PathBuf;

use segmenta::data::Date;
use segmenta::history::Occasion;
use segmenta::monitor::{
    CohortOptions, KaplanMeier, LogRankWeights, Period, Retention, log_rank_test,
    pairwise_log_rank_tests, times_to_nth_purchase,
};

use super::close;
use super::cohort::{Purchase, collect};

fn read(path: &str) -> Vec<u8> {
    let folder = std::env::var("SEGMENTA_DATA").expect("SEGMENTA_DATA names the folder");
    let path = PathBuf::from(folder).join(path);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// `12.3` as 1230.
fn cents(text: &str) -> i64 {
    (text.parse::<f64>().unwrap() * 100.0).round() as i64
}

fn cdnow() -> Vec<Purchase> {
    let text = String::from_utf8(read("cdnow/CDNOW_master.txt")).unwrap();
    let lines = text.lines().skip(1).filter(|line| !line.trim().is_empty());
    let purchase = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [id, day, _, dollars] = fields[..] else { panic!("{line}") };
        let day = format!("{}-{}-{}", &day[..4], &day[4..6], &day[6..]);
        let day: Date = day.parse().unwrap();
        (id.parse().unwrap(), day.days_since_epoch(), cents(dollars))
    };
    lines.map(purchase).collect()
}

#[test]
#[ignore = "needs SEGMENTA_DATA"]
fn real_cdnow_months_since_the_first_purchase() {
    let table = collect(&CohortOptions::new(Period::Month), &cdnow());
    let table = table.table("1998-06-30".parse().unwrap()).unwrap();
    // Made with pandas from the same file; three months of first purchases, then nobody new.
    let expected: [&[u64]; 3] = [
        &[
            7846, 1157, 964, 810, 679, 736, 720, 582, 559, 594, 673, 634, 528, 511, 664,
            472, 497, 498,
        ],
        &[
            8476, 1312, 980, 783, 847, 786, 626, 619, 666, 721, 661, 545, 568, 718, 545,
            548, 551,
        ],
        &[
            7248, 1032, 752, 756, 674, 564, 561, 579, 634, 569, 464, 472, 678, 420, 443,
            457,
        ],
    ];
    assert_eq!(table.cohorts().len(), 18);
    for (cohort, expected) in table.cohorts().iter().zip(expected) {
        let active: Vec<u64> = cohort.cells().iter().map(|cell| cell.active).collect();
        assert_eq!(active, expected);
        assert!(cohort.cells().iter().all(|cell| cell.complete));
    }
    assert!(table.cohorts()[3..].iter().all(|cohort| cohort.customers() == 0));
    let cells = table.cohorts().iter().flat_map(|cohort| cohort.cells());
    assert_eq!(cells.clone().map(|cell| cell.money_minor).sum::<i64>(), 250_031_563);
    // Distinct days of a customer with a purchase.
    assert_eq!(cells.map(|cell| cell.purchases).sum::<u64>(), 67_591);
    let curve = table.retention_curve(Retention::Classic, false);
    assert_eq!((curve[1].customers, curve[1].retained), (23_570, 1157 + 1312 + 1032));
    assert_eq!((curve[17].customers, curve[17].retained), (7_846, 498));
}

#[test]
#[ignore = "needs SEGMENTA_DATA"]
fn real_cdnow_time_to_the_second_purchase() {
    let rows = cdnow();
    let customers: Vec<u64> = rows.iter().map(|r| r.0).collect();
    let days: Vec<i32> = rows.iter().map(|r| r.1).collect();
    let until = "1998-06-30".parse().unwrap();
    let times =
        times_to_nth_purchase(&customers, &days, 2, Occasion::Days, until).unwrap();
    assert_eq!(times.customers.len(), 23_570);

    // Groups by what was spent on the first day: its thirds, cut at 15.36 and 31.9767 dollars.
    let mut sorted = rows.clone();
    sorted.sort_unstable();
    let spent = sorted.chunk_by(|a, b| a.0 == b.0).map(|rows| -> i64 {
        rows.iter().filter(|row| row.1 == rows[0].1).map(|row| row.2).sum()
    });
    let group = |cents: i64| match cents {
        i64::MIN..=1536 => "low",
        1537..=3197 => "mid",
        _ => "high",
    };
    let groups: Vec<&str> = spent.map(group).collect();

    // The figures are those of lifelines 0.30.3, with S and its interval of 95 %.
    let expected = [
        (
            "high",
            7857,
            4333,
            [
                (7.0, [0.9255441008018335, 0.9195175371670736, 0.9311364548177383]),
                (30.0, [0.7887234313351159, 0.779530016496144, 0.797584940483386]),
                (90.0, [0.6513936617029408, 0.6407435361792527, 0.6618166429823062]),
                (180.0, [0.5602647320860383, 0.5492123539448353, 0.5711610485113916]),
                (365.0, [0.4775359551991853, 0.46644747675957876, 0.48853430672534076]),
                (500.0, [0.4484866883873381, 0.43742379431276757, 0.4594825834538671]),
            ],
        ),
        (
            "low",
            8471,
            3669,
            [
                (7.0, [0.9528981230079088, 0.9481695912435552, 0.9572050568548259]),
                (30.0, [0.8532640774406792, 0.845550415789593, 0.8606249447334965]),
                (90.0, [0.7529217329713132, 0.7435948485579957, 0.7619658810287675]),
                (180.0, [0.6806752449533697, 0.6706313388347049, 0.6904875497479274]),
                (365.0, [0.597214024318262, 0.5866843771022354, 0.6075720241331323]),
                (500.0, [0.5676110146077903, 0.5569543915126697, 0.5781166054649195]),
            ],
        ),
        (
            "mid",
            7242,
            3514,
            [
                (7.0, [0.9447666390499857, 0.9392551532024161, 0.9497915125520103]),
                (30.0, [0.8326429163214589, 0.8238452917689789, 0.8410446242697222]),
                (90.0, [0.7162386081193048, 0.7057049957696152, 0.7264717855369285]),
                (180.0, [0.6317315658657836, 0.6205082538807337, 0.6427249584283217]),
                (365.0, [0.5452913559790119, 0.5337458349163978, 0.556680395362608]),
                (500.0, [0.5149226394080806, 0.5033179746596599, 0.5263963198612789]),
            ],
        ),
    ];
    for (group, n, events, at_days) in expected {
        let of = |at: &usize| groups[*at] == group;
        let rows: Vec<usize> = (0..groups.len()).filter(of).collect();
        let durations: Vec<f64> = rows.iter().map(|&at| times.durations[at]).collect();
        let observed: Vec<bool> = rows.iter().map(|&at| times.observed[at]).collect();
        let curve = KaplanMeier::fit(&durations, &observed).unwrap();
        assert_eq!((curve.customers(), curve.events()), (n, events), "{group}");
        for (day, [survival, low, high]) in at_days {
            close("S", curve.survival_at(day).unwrap(), survival, 1e-11);
            let [lower, upper] = curve.interval_at(day).unwrap();
            close("lower end", lower, low, 1e-11);
            close("upper end", upper, high, 1e-11);
        }
    }
    let curve = times.survival().unwrap();
    assert_eq!((curve.customers(), curve.events()), (23_570, 4333 + 3669 + 3514));

    let weights = LogRankWeights::LogRank;
    let test =
        log_rank_test(&times.durations, &times.observed, &groups, weights).unwrap();
    close("χ²", test.statistic, 265.8930401308265, 1e-10);
    close("p", test.p_value, 1.8283525733195987e-58, 1e-8);
    assert_eq!(test.df, 2);
    let pairs =
        pairwise_log_rank_tests(&times.durations, &times.observed, &groups, weights);
    let expected = [
        (["high", "low"], 261.818087087261, 6.890040593441576e-59),
        (["high", "mid"], 80.42037489307941, 3.0265830048400306e-19),
        (["low", "mid"], 45.52662294363743, 1.5057815051187868e-11),
    ];
    for ((at, pair), (groups, chi2, p)) in pairs.unwrap().iter().enumerate().zip(expected)
    {
        let test = pair.test.as_ref().unwrap();
        assert_eq!(pair.groups, groups);
        close("χ²", test.statistic, chi2, 1e-10);
        close("p", test.p_value, p, 1e-8);
        // They happen to come in the order of their p-values.
        close("Holm", pair.p_holm.unwrap(), (3 - at) as f64 * p, 1e-8);
    }
}

#[test]
#[ignore = "needs SEGMENTA_DATA"]
fn real_online_retail_months_since_the_first_purchase() {
    let bytes = read("online_retail/invoices.csv.gz");
    let mut text = String::new();
    flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
    let invoices: Vec<Purchase> = text
        .lines()
        .skip(1)
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            let day: Date = fields[1][..10].parse().unwrap();
            (fields[0].parse().unwrap(), day.days_since_epoch(), cents(fields[2]))
        })
        .collect();
    assert_eq!(invoices.len(), 22_190);
    let options = CohortOptions::new(Period::Month).occasion(Occasion::Rows);
    let until = "2011-12-09".parse().unwrap();
    let table = collect(&options, &invoices).table(until).unwrap();
    // The matrix of many notebooks (first row and column), checked by a plain count in
    // Python; cancellations are no purchases.
    let december = &table.cohorts()[0];
    let active: Vec<u64> = december.cells().iter().map(|cell| cell.active).collect();
    assert_eq!(active, [885, 324, 286, 340, 321, 352, 321, 309, 313, 350, 331, 445, 235]);
    let sizes: Vec<u64> = table.cohorts().iter().map(|c| c.customers()).collect();
    assert_eq!(sizes, [885, 417, 380, 452, 300, 284, 242, 188, 169, 299, 358, 324, 41]);
    let since: Vec<u64> = december.cells().iter().map(|cell| cell.active_since).collect();
    assert_eq!(since, [885, 766, 753, 741, 724, 713, 696, 672, 652, 621, 583, 510, 235]);
    let full: Vec<u64> = december.cells().iter().map(|c| c.active_throughout).collect();
    assert_eq!(full, [885, 324, 170, 129, 99, 88, 76, 71, 67, 65, 55, 54, 44]);
    // The last month has 9 of its 31 days.
    assert!(table.cohorts().iter().all(|c| !c.cells().last().unwrap().complete));
    assert!(december.cells()[..12].iter().all(|cell| cell.complete));
    let cells = table.cohorts().iter().flat_map(|cohort| cohort.cells());
    assert_eq!(cells.map(|cell| cell.money_minor).sum::<i64>(), 831_653_059);
    let report = table.report();
    assert_eq!(report.customers_without_purchase, 33);
    assert_eq!(report.refunds_before_first_purchase, 116);

    // Where a cancellation counts as a visit, the better known matrix of 948 comes out.
    let visits: Vec<Purchase> =
        invoices.iter().map(|&(c, day, v)| (c, day, v.abs())).collect();
    let table = collect(&options, &visits).table(until).unwrap();
    let active: Vec<u64> =
        table.cohorts()[0].cells().iter().map(|cell| cell.active).collect();
    assert_eq!(active, [948, 362, 317, 367, 341, 376, 360, 336, 336, 374, 354, 474, 260]);
}
