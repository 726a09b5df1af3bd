//! The first centres by k-means||.

use super::init::{draw, plus_plus, totals};
use super::label::Labels;
use super::lloyd::{Limits, lloyd};
use super::prepared::{Order, Prepared};
use super::rows::{Rows, Storage};
use super::trial::Closest;
use crate::error::Result;
use crate::parallel::{gather_chunks, map_blocks};
use crate::random::{Draws, Random};

/// Rounds of drawing: the paper finds that five do.
const ROUNDS: u64 = 5;

/// Candidates of a round for each cluster, on average.
const OVERSAMPLING: f64 = 2.0;

/// Iterations of Lloyd's algorithm on the candidates.
const REFINEMENTS: usize = 10;

/// Rows of a block of a pass.
const BLOCK: usize = 2048;

/// Centres by k-means|| (Bahmani et al. 2012). The rows have at least as many different
/// ones of positive weight as there are clusters.
pub(super) fn scalable<T: Storage>(
    data: &Prepared<'_, T>,
    n_clusters: usize,
    random: &mut Random,
) -> Result<Vec<f64>> {
    let rows = data.rows;
    let seed = random.bits();
    let first =
        draw(rows, &totals(rows, |i| rows.weight(i)), |i| rows.weight(i), random)?;
    let mut drawn = vec![first];
    let mut candidates = Candidates::new(rows.len(), rows.n_columns());
    for round in 0.. {
        candidates.add(data, &drawn);
        if round >= ROUNDS && candidates.distinct(n_clusters)? == n_clusters {
            break;
        }
        let closest = &candidates.closest;
        let mass = |i: usize| rows.weight(i) * closest[i];
        let totals = totals(rows, mass);
        let potential: f64 = totals.iter().sum();
        drawn = drawn_rows(rows, &candidates, n_clusters, (seed, round), potential);
        if drawn.is_empty() {
            // All rows are candidates already, or luck was bad.
            if candidates.distinct(n_clusters)? == n_clusters {
                break;
            }
            drawn.push(draw(rows, &totals, mass, random)?);
        }
    }
    candidates.centers(data, n_clusters, random)
}

/// The rows that a round draws, each by its own random number.
fn drawn_rows<T: Storage>(
    rows: Rows<'_, T>,
    candidates: &Candidates,
    n_clusters: usize,
    (seed, round): (u64, u64),
    potential: f64,
) -> Vec<usize> {
    let draws = Draws::new(seed, round);
    let wanted = OVERSAMPLING * n_clusters as f64;
    let is_drawn = |&i: &usize| {
        let mass = rows.weight(i) * candidates.closest[i];
        draws.unit(i as u64) * potential < wanted * mass
    };
    let blocks = map_blocks(rows.len(), BLOCK, |block| {
        block.filter(is_drawn).collect::<Vec<usize>>()
    });
    blocks.concat()
}

/// Rows that may become centres.
struct Candidates {
    n_columns: usize,
    /// Row-major.
    points: Vec<f64>,
    /// The squared distance of each row to its nearest candidate, the candidate's number.
    closest: Vec<f64>,
    owners: Vec<u32>,
}

impl Candidates {
    fn new(n_rows: usize, n_columns: usize) -> Candidates {
        Candidates {
            n_columns,
            points: Vec::new(),
            closest: vec![f64::INFINITY; n_rows],
            owners: vec![0; n_rows],
        }
    }

    /// Adds rows, and sees which rows they are nearest to.
    fn add<T: Storage>(&mut self, data: &Prepared<'_, T>, drawn: &[usize]) {
        let before = (self.points.len() / self.n_columns) as u32;
        let of = |&i: &usize| data.rows.row(i).iter().map(|&x| x.into());
        let points: Vec<f64> = drawn.iter().flat_map(of).collect();
        let labels = data.labels(&points);
        let costs = data.costs(&points, &labels);
        gather_chunks(
            (&mut self.closest, &mut self.owners),
            BLOCK,
            || (),
            |(), start, closest, owners| {
                for (at, (closest, owner)) in closest.iter_mut().zip(owners).enumerate() {
                    let cost = costs[start + at];
                    if cost < *closest {
                        *closest = cost;
                        *owner = before + labels[start + at];
                    }
                }
            },
            |(), ()| (),
        );
        self.points.extend(points);
    }

    /// How many different candidates there are, counted up to `enough`.
    fn distinct(&self, enough: usize) -> Result<usize> {
        let shape = (self.points.len() / self.n_columns, self.n_columns);
        Ok(Rows::new(&self.points, shape, None)?.count_distinct(enough))
    }

    /// The centres of the candidates, each weighted by the rows nearest to it.
    fn centers<T: Storage>(
        &self,
        data: &Prepared<'_, T>,
        n_clusters: usize,
        random: &mut Random,
    ) -> Result<Vec<f64>> {
        let shape = (self.points.len() / self.n_columns, self.n_columns);
        let mut weights = vec![0.0; shape.0];
        for (i, &owner) in self.owners.iter().enumerate() {
            weights[owner as usize] += data.rows.weight(i);
        }
        let candidates = Rows::new(&self.points, shape, Some(&weights))?;
        let random = std::slice::from_mut(random);
        let mut closest = Closest::default();
        let first = plus_plus(candidates, n_clusters, random, &mut closest)?.concat();
        let (candidates, _) = Prepared::new(candidates, &[], Order::Given)?;
        let limits = Limits { max_iter: REFINEMENTS, tolerance: 0.0, bounds: false };
        let mut labels = Labels::new(shape.0);
        let run =
            lloyd(&candidates, first.clone(), limits, &mut labels, &mut |_, _| Ok(()))?;
        let centers = run.centers;
        let found = Rows::new(&centers, (n_clusters, shape.1), None)?;
        let distinct = found.count_distinct(n_clusters) == n_clusters;
        Ok(if distinct { centers } else { first })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn centers(data: &[f64], weights: Option<&[f64]>, k: usize, stream: u64) -> Vec<f64> {
        let rows = Rows::new(data, (data.len(), 1), weights).unwrap();
        let (data, _) = Prepared::new(rows, &[], Order::Given).unwrap();
        let mut random = Random::new(9, stream);
        let mut centers = scalable(&data, k, &mut random).unwrap();
        centers.sort_by(f64::total_cmp);
        centers
    }

    /// Five rounds reach far numbers only: each outweighs all nearer ones.
    #[test]
    fn more_rounds_follow_until_there_are_enough_candidates() {
        let data: Vec<f64> = (0..40).map(|i| 100_f64.powi(i - 20)).collect();
        for stream in 0..20 {
            assert_eq!(centers(&data, None, 40, stream), data);
        }
    }

    #[test]
    fn all_different_rows_become_centres_when_as_many_are_wanted() {
        let data: Vec<f64> = (0..300).map(|i| f64::from(i % 30)).collect();
        let weights: Vec<f64> = (0..300).map(|i| f64::from(i % 30 != 7)).collect();
        let wanted: Vec<f64> = (0..30).filter(|i| *i != 7).map(f64::from).collect();
        for stream in 0..20 {
            assert_eq!(centers(&data, Some(&weights), 29, stream), wanted);
        }
    }

    #[test]
    fn a_round_draws_about_twice_as_many_rows_as_clusters() {
        let data: Vec<f64> = (0..20_000).map(|i| f64::from(i % 997) / 7.0).collect();
        let rows = Rows::new(&data, (20_000, 1), None).unwrap();
        let (data, _) = Prepared::new(rows, &[], Order::Given).unwrap();
        let mut candidates = Candidates::new(20_000, 1);
        candidates.add(&data, &[0]);
        let mass = |i: usize| candidates.closest[i];
        let potential: f64 = (0..20_000).map(mass).sum();
        let drawn: usize = (0..50)
            .map(|round| drawn_rows(rows, &candidates, 25, (3, round), potential).len())
            .sum();
        // 50 rounds of 50; four standard deviations are 200.
        assert!((2300..=2700).contains(&drawn), "{drawn}");
    }
}
