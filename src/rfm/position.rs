//! Scores by position in the order of values and ids.

use super::quantile::{AxisData, TiePolicy};
use super::ties::{Distinct, Spread};
use crate::score::Direction;

/// The places at which the second bucket starts, the third and so on; `len` or more where
/// a bucket is empty and no other follows.
pub(super) fn starts(policy: &TiePolicy, len: u64, n: u64) -> impl Iterator<Item = u64> {
    let ntile = *policy == TiePolicy::Ntile;
    (1..n).map(move |bucket| {
        if ntile {
            // The first `len mod n` buckets have one row more.
            bucket * (len / n) + bucket.min(len % n)
        } else {
            // The first place with `place * n > (len - 1) * bucket`.
            let passed = u128::from(len - 1) * u128::from(bucket) / u128::from(n);
            passed as u64 + 1
        }
    })
}

/// The score of each row. Only rows whose value stands on a boundary between two scores
/// are ordered by their ids: the others have the score of their value.
pub(super) fn by_position(
    data: &AxisData<'_>,
    spread: &Spread,
    policy: &TiePolicy,
) -> Vec<u32> {
    let lower = data.direction == Direction::LowerIsBetter;
    let worst_first = lower && *policy == TiePolicy::Ntile;
    let reversed = lower && !worst_first;
    let score = |bucket: u32| if reversed { data.n_tiles - bucket } else { bucket + 1 };
    let key = |x: f64| if worst_first { 0.0 - x } else { x + 0.0 };

    let negated;
    let values: &[Distinct] = if worst_first {
        negated = spread.negated();
        &negated
    } else {
        spread.distinct()
    };
    let len = data.values.len() as u64;
    let starts: Vec<u64> = starts(policy, len, data.n_tiles.into()).collect();
    // The values on boundaries, with the buckets before them and the rows seen so far.
    struct Boundary {
        value: f64,
        below: u64,
        buckets_before: u32,
        rows: Vec<usize>,
    }
    let mut boundaries: Vec<Boundary> = Vec::new();
    for (bucket, &start) in starts.iter().enumerate().filter(|&(_, &s)| s < len) {
        let at = values.partition_point(|v| v.up_to as u64 <= start);
        let v = &values[at.min(values.len() - 1)];
        if boundaries.last().is_none_or(|last| last.value != v.value) {
            boundaries.push(Boundary {
                value: v.value,
                below: v.below as u64,
                buckets_before: bucket as u32,
                rows: Vec::new(),
            });
        }
    }
    let n_reached = starts.iter().filter(|&&start| start < len).count() as u32;
    let mut scores = vec![0_u32; data.values.len()];
    for (row, (place, &x)) in scores.iter_mut().zip(data.values).enumerate() {
        let x = key(x);
        let at = boundaries.partition_point(|boundary| boundary.value < x);
        match boundaries.get_mut(at) {
            Some(boundary) if boundary.value == x => boundary.rows.push(row),
            Some(boundary) => *place = score(boundary.buckets_before),
            None => *place = score(n_reached),
        }
    }
    for boundary in &mut boundaries {
        if let Some(order) = data.id_order {
            boundary.rows.sort_unstable_by_key(|&row| order[row]);
        }
        for (place, &row) in (boundary.below..).zip(&boundary.rows) {
            let bucket = starts.partition_point(|&start| start <= place);
            scores[row] = score(bucket as u32);
        }
    }
    scores
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rfm::quantile::fit_axis;

    /// By sorting all rows.
    fn oracle(data: &AxisData<'_>, policy: &TiePolicy) -> Vec<u32> {
        let lower = data.direction == Direction::LowerIsBetter;
        let worst_first = lower && *policy == TiePolicy::Ntile;
        let id = |row: usize| data.id_order.map_or(row as u32, |order| order[row]);
        let key = |row: usize| {
            let x = data.values[row];
            if worst_first { 0.0 - x } else { x + 0.0 }
        };
        let mut rows: Vec<usize> = (0..data.values.len()).collect();
        rows.sort_unstable_by(|&a, &b| {
            key(a).total_cmp(&key(b)).then_with(|| id(a).cmp(&id(b)))
        });

        let (n, len) = (data.n_tiles as usize, rows.len());
        let (size, extra) = (len / n, len % n);
        let mut scores = vec![0_u32; len];
        for (place, &row) in rows.iter().enumerate() {
            let bucket = if *policy == TiePolicy::Ntile {
                let in_larger = extra * (size + 1);
                if place < in_larger {
                    place / (size + 1)
                } else {
                    extra + (place - in_larger) / size
                }
            } else if place == 0 {
                0
            } else {
                // The number of k with `place * n > (len - 1) * k`.
                (place * n).div_ceil(len - 1) - 1
            };
            let bucket = bucket as u32;
            let reversed = lower && !worst_first;
            scores[row] = if reversed { data.n_tiles - bucket } else { bucket + 1 };
        }
        scores
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn scores_are_those_of_the_sorted_rows(
            rows in prop::collection::vec((-5..6_i32, any::<u32>()), 1..90),
            scale in prop_oneof![Just(1.0), Just(0.3), Just(-0.0)],
            n_tiles in 2..14_u32,
            lower: bool,
            with_ids: bool,
        ) {
            let values: Vec<f64> = rows.iter().map(|r| f64::from(r.0) * scale).collect();
            let mut by_id: Vec<usize> = (0..rows.len()).collect();
            by_id.sort_by_key(|&row| rows[row].1);
            let mut order = vec![0_u32; rows.len()];
            for (place, row) in by_id.into_iter().enumerate() {
                order[row] = place as u32;
            }
            let direction =
                if lower { Direction::LowerIsBetter } else { Direction::HigherIsBetter };
            let data = AxisData {
                values: &values,
                weights: None,
                id_order: with_ids.then_some(order.as_slice()),
                direction,
                n_tiles,
            };
            for policy in [TiePolicy::Ntile, TiePolicy::RankFirst] {
                let fitted = fit_axis(&data, &policy).unwrap();
                prop_assert_eq!(fitted.scores, oracle(&data, &policy));
            }
        }
    }
}
