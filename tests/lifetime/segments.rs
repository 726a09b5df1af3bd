//! What segments are worth.

use segmenta::history::TimeUnit;
use segmenta::lifetime::{
    AnyPurchaseModel, BgNbd, Bootstrap, ChurnBySegment, ChurnScorer, GammaGamma,
    LifetimeValue, PurchaseHistories, PurchaseHistory, PurchaseModel, SegmentValues,
    SpendHistory,
};

fn base() -> (PurchaseHistories, Vec<SpendHistory>, Vec<&'static str>) {
    let mut rows = Vec::new();
    let mut spends = Vec::new();
    let mut segments = Vec::new();
    for i in 0..300_u32 {
        let x = u64::from(i % 7);
        let last = if x == 0 { 0.0 } else { f64::from(3 + (i * 11) % 30) };
        rows.push(PurchaseHistory::new(x, last, 36.0).unwrap());
        spends.push(match x {
            0 => SpendHistory::none(),
            _ => SpendHistory::new(x, f64::from(5 + (i * 37) % 61)).unwrap(),
        });
        segments.push(match x {
            0 => "none",
            1 | 2 => "few",
            _ => "many",
        });
    }
    let weights = (0..300).map(|i| f64::from(i % 3)).collect();
    let histories = PurchaseHistories::new(TimeUnit::Week, rows);
    (histories.with_weights(weights).unwrap(), spends, segments)
}

fn models() -> (AnyPurchaseModel, GammaGamma) {
    let purchases = BgNbd::new(0.8, 6.0, 0.8, 2.4, TimeUnit::Week).unwrap();
    (purchases.into(), GammaGamma::new(6.25, 3.74, 15.44).unwrap())
}

#[test]
fn segments_are_sums_of_their_customers() {
    let (histories, spends, segments) = base();
    let (purchases, spend) = models();
    let year = LifetimeValue::new(12.0, TimeUnit::Month).annual_discount_rate(0.1);
    let of = |segments: &[&'static str]| {
        SegmentValues::of(&year, &purchases, &histories, &spend, &spends, segments)
    };
    let values = of(&segments).unwrap();
    let labels: Vec<_> = values.segments().iter().map(|row| row.segment).collect();
    assert_eq!(labels, ["few", "many", "none"]);
    let all = year.customer_lifetime_values(&purchases, &histories, &spend, &spends);
    let all = all.unwrap();
    let weeks = 12.0 * TimeUnit::Month.days() / TimeUnit::Week.days();
    let total: f64 = values.segments().iter().map(|row| row.value).sum();
    for row in values.segments() {
        let mut slow = [0.0; 4];
        for (i, history) in histories.as_slice().iter().enumerate() {
            if segments[i] == row.segment {
                let weight = f64::from(i as u32 % 3);
                slow[0] += weight;
                slow[1] += weight * purchases.probability_alive(history);
                slow[2] += weight * purchases.expected_purchases(history, weeks).unwrap();
                slow[3] += weight * all[i];
            }
        }
        let found =
            [row.customers, row.expected_alive, row.expected_purchases, row.value];
        for (found, slow) in found.iter().zip(slow) {
            assert!((found - slow).abs() <= 1e-12 * slow, "{row:?} {slow}");
        }
        assert!((row.share_of_value - row.value / total).abs() < 1e-15);
        assert!((row.mean_value().unwrap() - slow[3] / slow[0]).abs() < 1e-9);
        assert_eq!(row.interval, None);
        assert_eq!(values.get(&row.segment), Some(row));
    }
    assert_eq!(values.get(&"others"), None);
    // The order of the rows is not the order of the labels.
    assert!(of(&segments[1..]).is_err());
    // Nobody is a segment of no worth; customers without weight have no mean.
    let nobody = PurchaseHistories::new(TimeUnit::Week, Vec::new());
    let none: &[&str] = &[];
    let empty = SegmentValues::of(&year, &purchases, &nobody, &spend, &[], none).unwrap();
    assert!(empty.segments().is_empty());
    let weightless = histories.clone().with_weights(vec![0.0; 300]).unwrap();
    let weightless =
        SegmentValues::of(&year, &purchases, &weightless, &spend, &spends, &segments);
    let weightless = weightless.unwrap();
    let few = weightless.get(&"few").unwrap();
    assert_eq!((few.mean_value(), few.share_of_value), (None, 0.0));
    assert_eq!(weightless.contradictions(&["few", "many"]).unwrap(), []);
    // Each value is a number, but not all together.
    let huge = year.margin(1e306);
    let refused =
        SegmentValues::of(&huge, &purchases, &histories, &spend, &spends, &segments);
    assert!(refused.unwrap_err().to_string().contains("too large"));
    let short = SegmentValues::of(&year, &purchases, &histories, &spend, &[], &segments);
    assert!(short.is_err());
}

#[test]
fn names_are_contradicted_by_values() {
    let (histories, spends, segments) = base();
    let (purchases, spend) = models();
    let year = LifetimeValue::new(12.0, TimeUnit::Month);
    let values =
        SegmentValues::of(&year, &purchases, &histories, &spend, &spends, &segments);
    let values = values.unwrap();
    let mean = |segment| values.get(&segment).unwrap().mean_value().unwrap();
    let mut order = ["few", "many", "none"];
    order.sort_by(|a, b| mean(b).total_cmp(&mean(a)));
    assert_eq!(values.contradictions(&order).unwrap(), []);
    let [best, middle, worst] = order;
    let upside_down = [worst, "nobody", middle, best];
    assert_eq!(
        values.contradictions(&upside_down).unwrap(),
        [(worst, middle), (middle, best)]
    );
    assert!(values.contradictions(&[best, worst, best]).is_err());
    assert_eq!(values.contradictions(&[]).unwrap(), []);
}

#[test]
fn values_have_the_intervals_of_their_replicates() {
    let (histories, spends, segments) = base();
    let (purchases, spend) = models();
    let year = LifetimeValue::new(12.0, TimeUnit::Month);
    let models = (&purchases, &spend);
    let bootstrap = Bootstrap::of_values(models, &histories, &spends, 40, 3).unwrap();
    let with = |confidence| {
        SegmentValues::with_intervals(
            &year, models, &histories, &spends, &segments, &bootstrap, confidence,
        )
    };
    let values = with(0.8).unwrap();
    for row in values.segments() {
        let slow = bootstrap.interval(0.8, |(purchases, spend)| {
            let all =
                year.customer_lifetime_values(purchases, &histories, spend, &spends)?;
            let own = all.iter().enumerate().filter(|(i, _)| segments[*i] == row.segment);
            Ok(own.map(|(i, value)| f64::from(i as u32 % 3) * value).sum())
        });
        let (low, high) = slow.unwrap();
        let found = row.interval.unwrap();
        assert!((found.0 - low).abs() < 1e-9 && (found.1 - high).abs() < 1e-9);
        assert!(low < high);
    }
    for bad in [0.0, 1.0, f64::NAN] {
        assert!(with(bad).is_err());
    }
}

/// Segments are found by their order, so that another is no saved form of them.
#[test]
fn segments_out_of_order_are_refused() {
    let (histories, spends, segments) = base();
    let (purchases, spend) = models();
    let segments: Vec<String> = segments.into_iter().map(str::to_owned).collect();
    let year = LifetimeValue::new(12.0, TimeUnit::Month);
    let values =
        SegmentValues::of(&year, &purchases, &histories, &spend, &spends, &segments)
            .unwrap();
    let actual: Vec<u64> = (0..300).map(|i| i % 3).collect();
    let scorer = ChurnScorer::new(purchases, &histories, 26.0).unwrap();
    let churn = scorer.evaluate_by_segment(&histories, &actual, &segments, 5).unwrap();
    let [mut values_json, mut churn_json] =
        [serde_json::to_value(&values).unwrap(), serde_json::to_value(&churn).unwrap()];
    let read = |json: &serde_json::Value| {
        serde_json::from_value::<SegmentValues<String>>(json.clone())
    };
    let read_churn = |json: &serde_json::Value| {
        serde_json::from_value::<ChurnBySegment<String>>(json.clone())
    };
    assert_eq!(read(&values_json).unwrap(), values);
    assert_eq!(read_churn(&churn_json).unwrap(), churn);
    for json in [&mut values_json, &mut churn_json] {
        json["segments"].as_array_mut().unwrap().reverse();
    }
    assert!(read(&values_json).unwrap_err().to_string().contains("ascend"));
    assert!(read_churn(&churn_json).unwrap_err().to_string().contains("ascend"));
}
