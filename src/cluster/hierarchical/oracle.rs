//! The obvious algorithms, on the same rules: what the trees of boxes must give to the bit.

use proptest::prelude::*;

use super::distinct::Distinct;
use super::prim::{Squared, prim};
use super::spanning::{Edge, spanning_tree, spanning_tree_of};
use super::step::{Step, Watch};
use super::ward::{near_zero, ward_factor, ward_with};
use crate::distance::squared_euclidean;

type Bits = Vec<(usize, usize, u64)>;

fn bits(steps: &[Step]) -> Bits {
    steps.iter().map(|step| (step.a, step.b, step.height.to_bits())).collect()
}

/// A cluster, its neighbour and their distance.
#[derive(Clone)]
struct Cluster {
    centroid: Vec<f64>,
    size: f64,
    height: f64,
    near: Option<(f64, usize, usize)>,
}

/// Rounds of reciprocal neighbours, which are sought among all clusters.
fn ward_by_search(x: &[f64], p: usize, sizes: &[f64]) -> Vec<Step> {
    let x = near_zero(x, p);
    let Distinct { rows, repeats } = Distinct::new(&x, p);
    let mut sizes = sizes.to_vec();
    let mut steps = Vec::new();
    for (a, b) in repeats {
        let (a, b) = (a as usize, b as usize);
        sizes[a] += sizes[b];
        steps.push(Step { a, b, height: 0.0 });
    }
    let mut clusters: Vec<Option<Cluster>> = vec![None; sizes.len()];
    for row in rows.iter().map(|&row| row as usize) {
        let centroid = x[row * p..(row + 1) * p].to_vec();
        let (size, height) = (sizes[row], 0.0);
        clusters[row] = Some(Cluster { centroid, size, height, near: None });
    }
    let mut n_live = rows.len();
    while n_live > 1 {
        // what each seeks is compared as (distance, lower row, other row)
        let live: Vec<(usize, Cluster)> = clusters
            .iter()
            .enumerate()
            .filter_map(|(slot, cluster)| Some((slot, cluster.clone()?)))
            .collect();
        let mut found = Vec::new();
        for (slot, cluster) in live.iter().filter(|(_, cluster)| cluster.near.is_none()) {
            let pairs =
                live.iter().filter(|(other, _)| other != slot).map(|(other, b)| {
                    let squared = squared_euclidean(&cluster.centroid, &b.centroid);
                    let distance = ward_factor(cluster.size, b.size) * squared;
                    (distance, *slot.min(other), *slot.max(other))
                });
            let nearest = pairs.min_by(|a, b| a.partial_cmp(b).unwrap()).unwrap();
            found.push((*slot, nearest));
        }
        for &(slot, pair) in &found {
            clusters[slot].as_mut().unwrap().near = Some(pair);
        }
        for &(slot, pair) in &found {
            let other = clusters[pair.1 + pair.2 - slot].as_mut().unwrap();
            if other.near.is_none_or(|near| pair < near) {
                other.near = Some(pair);
            }
        }
        for a in 0..clusters.len() {
            let Some(pair) = clusters[a].as_ref().and_then(|cluster| cluster.near) else {
                continue;
            };
            let b = pair.2;
            if pair.1 != a || clusters[b].as_ref().unwrap().near != Some(pair) {
                continue;
            }
            let (low, high) = (clusters[a].take().unwrap(), clusters[b].take().unwrap());
            let height = pair.0.max(low.height).max(high.height);
            let (from, into) =
                if low.size > high.size { (high, low) } else { (low, high) };
            let size = from.size + into.size;
            let share = from.size / size;
            let union = from.centroid.iter().zip(&into.centroid);
            let centroid = union.map(|(x, y)| y + share * (x - y)).collect();
            clusters[a] = Some(Cluster { centroid, size, height, near: None });
            for cluster in clusters.iter_mut().flatten() {
                let is_gone = |(_, x, y)| x == a || x == b || y == a || y == b;
                if cluster.near.is_some_and(is_gone) {
                    cluster.near = None;
                }
            }
            steps.push(Step { a, b, height });
            n_live -= 1;
        }
    }
    steps
}

/// Kruskal's algorithm on all pairs: equal rows first, then by distance, then by rows.
fn kruskal(x: &[f64], p: usize) -> Vec<Step> {
    let row = |at: usize| &x[at * p..(at + 1) * p];
    let n = x.len() / p;
    let mut edges: Vec<(bool, f64, usize, usize)> = (0..n)
        .flat_map(|b| (0..b).map(move |a| (a, b)))
        .map(|(a, b)| (row(a) != row(b), squared_euclidean(row(a), row(b)), a, b))
        .collect();
    edges.sort_by(|a, b| a.partial_cmp(b).unwrap());
    let mut component: Vec<usize> = (0..n).collect();
    let mut steps = Vec::new();
    for (_, height, a, b) in edges {
        let (from, into) = (component[b], component[a]);
        if from != into {
            component.iter_mut().filter(|c| **c == from).for_each(|c| *c = into);
            steps.push(Step { a, b, height });
        }
    }
    steps
}

/// Rows of all kinds: scattered, in groups, on a grid, of very different sizes.
fn points() -> impl Strategy<Value = (Vec<f64>, usize)> {
    (1..200_usize, 1..9_usize, 0..8_u8, any::<u64>()).prop_map(|(n, p, kind, seed)| {
        let mut state = seed | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let x = (0..n * p).map(|at| match kind {
            0 => next() - 0.5,
            1 => (next() * 4.0).floor() * 10.0 + next(),
            2 => (next() * 9.0).floor(),
            3 => (next() * 3.0).floor() * 0.1 - 0.1,
            5 => next() + 1e8,
            6 => next() * 1e-200,
            4 => 1.25_f64.powf((next() * 200.0).floor()),
            _ => (at / p) as f64,
        });
        (x.collect(), p)
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn ward_is_that_of_a_search_among_all((x, p) in points(), weights in 0..4_u8) {
        let sizes: Vec<f64> = (0..x.len() / p)
            .map(|row| match weights {
                0 | 1 => 1.0,
                2 => (row * row % 7 + 1) as f64 * 0.3,
                _ => 10_f64.powi((row * 5 % 13) as i32 * 20 - 160),
            })
            .collect();
        let mut nobody = ();
        let mut watch = Watch::start(sizes.len() - 1, &mut nobody).unwrap();
        let expected = bits(&ward_by_search(&x, p, &sizes));
        // by boxes, by estimates, as it comes
        for unseen in [0, usize::MAX, 8] {
            let found = ward_with(&x, p, &sizes, unseen, &mut watch).unwrap();
            prop_assert_eq!(bits(&found), &expected[..]);
        }
    }

    #[test]
    fn spanning_trees_are_those_of_all_edges((x, p) in points()) {
        let n = x.len() / p;
        let expected = bits(&kruskal(&x, p));
        let mut nobody = ();
        let mut watch = Watch::start(n - 1, &mut nobody).unwrap();
        let found = spanning_tree(&x, p, &mut watch).unwrap();
        prop_assert_eq!(bits(&found), &expected[..]);

        // equal rows and all
        let rows: Vec<u32> = (0..n as u32).collect();
        let mut edges = prim(&rows, Squared::new(&x, p), &mut watch).unwrap();
        edges.sort_by(|a, b| if a.precedes(b) { std::cmp::Ordering::Less } else { std::cmp::Ordering::Greater });
        let expected: Vec<Edge> = expected
            .iter()
            .map(|&(a, b, height)| Edge::new(a as u32, b as u32, f64::from_bits(height)))
            .collect();
        prop_assert_eq!(&edges, &expected);

        let row = |at: usize| &x[at * p..(at + 1) * p];
        let condensed: Vec<f64> = (0..n)
            .flat_map(|a| (a + 1..n).map(move |b| (a, b)))
            .map(|(a, b)| squared_euclidean(row(a), row(b)))
            .collect();
        let given = spanning_tree_of(&condensed, n, &mut watch).unwrap();
        prop_assert_eq!(bits(&given), bits(&found));
    }
}
