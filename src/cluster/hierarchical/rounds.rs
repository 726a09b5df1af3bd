//! Rounds of reciprocal nearest neighbours, for reducible linkages and many rows.
//!
//! Two clusters that are each other's nearest merge sooner or later, whatever happens to
//! the others (Bruynooghe 1977), so all such pairs merge at once. A round reads the
//! distances of the last one, in order, and writes those of the clusters that are left,
//! finding the next pairs on the way: one pass over memory, shared by the threads. A chain
//! of nearest neighbours reads a row and a column at each step.
//!
//! The rule, to the last bit:
//!
//! 1. Slots are numbered from the last row to the first. A union takes the slot of its
//!    first part, and slots that are left empty are closed up after each round.
//! 2. Pairs are in the strict order of [`nearest`](super::nearest).
//! 3. The unions of a round are made in falling order of their slots.
//! 4. When there are fewer pairs than one in [`WORTHWHILE`] clusters, the clusters that
//!    are left follow the [`chain`]. Its time is bounded by the square of their number;
//!    that of rounds with a merge each would be its cube.
//!
//! Distances of single rows are computed when they are needed and not kept: the first
//! triangle that is written is that of the clusters after the first round.

use super::chain::{InMatrix, chain};
use super::condensed::Condensed;
use super::linkage::{Linkage, Triangle};
use super::packed::{Passes, Target, row_start};
use super::step::{Step, Watch};
use crate::error::Result;
use crate::panels::Panels;
use crate::simd::{Arithmetic, Kernel, run};

/// Of so many clusters at least one must begin a pair for a round to be worth its pass.
const WORTHWHILE: usize = 32;

/// Where the distances come from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'x> {
    /// Euclidean distances of rows, row-major, of `p` columns.
    Rows { x: &'x [f64], p: usize },
    /// The condensed matrix.
    Distances(&'x [f64]),
}

/// All merges of `sizes.len()` rows by a reducible linkage.
pub(super) fn rounds(
    linkage: Linkage,
    source: Source<'_>,
    sizes: Vec<f64>,
    watch: &mut Watch<'_>,
) -> Result<Vec<Step>> {
    // a closure each, so that the compiler sees one formula in each loop
    let clusters = Clusters::new(linkage, sizes);
    match linkage {
        Linkage::Complete => {
            clusters.merge_all(|d, n| Linkage::Complete.update(d, n), source, watch)
        }
        Linkage::Average => {
            clusters.merge_all(|d, n| Linkage::Average.update(d, n), source, watch)
        }
        Linkage::Weighted => {
            clusters.merge_all(|d, n| Linkage::Weighted.update(d, n), source, watch)
        }
        Linkage::Ward => {
            clusters.merge_all(|d, n| Linkage::Ward.update(d, n), source, watch)
        }
        _ => clusters.merge_all(|d, n| linkage.update(d, n), source, watch),
    }
}

/// The formula of a linkage.
trait Update: Fn(Triangle, [f64; 3]) -> f64 + Copy + Sync {}
impl<F: Fn(Triangle, [f64; 3]) -> f64 + Copy + Sync> Update for F {}

/// Slots that are each other's nearest, the lower one first, and their distance.
type Pair = (usize, usize, f64);

/// The clusters that are left, by slot.
struct Clusters {
    linkage: Linkage,
    sizes: Vec<f64>,
    /// A row of each.
    rows: Vec<usize>,
    steps: Vec<Step>,
}

impl Clusters {
    /// Each row a cluster.
    fn new(linkage: Linkage, mut sizes: Vec<f64>) -> Clusters {
        let rows: Vec<usize> = (0..sizes.len()).rev().collect();
        sizes.reverse();
        let steps = Vec::with_capacity(rows.len().saturating_sub(1));
        Clusters { linkage, sizes, rows, steps }
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    fn merge_all(
        mut self,
        update: impl Update,
        source: Source<'_>,
        watch: &mut Watch<'_>,
    ) -> Result<Vec<Step>> {
        let mut passes = Passes::default();
        let (mut triangle, mut pairs) = match source {
            Source::Distances(condensed) => self.copy(condensed, &mut passes),
            Source::Rows { x, p } => {
                let pairs = self.pairs_of_rows(x, p, &mut passes);
                if !self.is_worthwhile(&pairs) {
                    let distances = Condensed::euclidean(x, self.len(), p);
                    return self.follow_chain(distances, watch);
                }
                self.first_round(update, x, p, &pairs, &mut passes, watch)?
            }
        };
        while self.len() > 1 && self.is_worthwhile(&pairs) {
            let round = self.round(&pairs, watch)?;
            let target = Target::Old(&mut triangle);
            let fill =
                |old: &[f64], a: usize, out: &mut [f64], rows: &mut [Vec<f64>; 3]| {
                    round.rewrite(update, old, a, out, &mut rows[0]);
                };
            pairs = passes.pass(self.len(), target, fill).reciprocal();
            triangle.truncate(row_start(self.len()));
        }
        // backwards the triangle is the condensed form, by rows from the first
        triangle.reverse();
        let distances = Condensed::new(self.len(), triangle);
        self.follow_chain(distances, watch)
    }

    fn is_worthwhile(&self, pairs: &[Pair]) -> bool {
        pairs.len() * WORTHWHILE >= self.len()
    }

    /// The triangle of condensed distances, and its pairs.
    fn copy(&self, condensed: &[f64], passes: &mut Passes) -> (Vec<f64>, Vec<Pair>) {
        let mut triangle = vec![0.0; condensed.len()];
        let target = Target::New(&mut triangle);
        let nearest = passes.pass(self.len(), target, |_, a, out, _| {
            let end = condensed.len() - row_start(a);
            let row = condensed[end - a..end].iter().rev();
            out.iter_mut().zip(row).for_each(|(place, &distance)| *place = distance);
        });
        let pairs = nearest.reciprocal();
        (triangle, pairs)
    }

    fn pairs_of_rows(&self, x: &[f64], p: usize, passes: &mut Passes) -> Vec<Pair> {
        let row = |slot: usize| &x[self.rows[slot] * p..][..p];
        let panels = Panels::new(self.len(), p, row);
        let nearest = passes.pass(self.len(), Target::Nothing, |_, a, out, _| {
            panels.distances(row(a), 0, out);
        });
        nearest.reciprocal()
    }

    /// Merges pairs of single rows; gives the triangle after that, and its pairs.
    fn first_round(
        &mut self,
        update: impl Update,
        x: &[f64],
        p: usize,
        pairs: &[Pair],
        passes: &mut Passes,
        watch: &mut Watch<'_>,
    ) -> Result<(Vec<f64>, Vec<Pair>)> {
        let old_rows = self.rows.clone();
        let row = |slot: u32| &x[old_rows[slot as usize] * p..][..p];
        let round = self.round(pairs, watch)?;
        let firsts = Panels::new(round.first.len(), p, |a| row(round.first[a]));
        let seconds =
            Panels::new(round.unions.len(), p, |at| row(round.unions[at].second));
        let size = |slot: &u32| round.sizes[*slot as usize];
        let sizes: Vec<f64> = round.first.iter().map(size).collect();
        let seconds_sizes: Vec<f64> =
            round.unions.iter().map(|union| union.sizes[1]).collect();

        let mut triangle = vec![0.0; row_start(self.len())];
        let target = Target::New(&mut triangle);
        let nearest =
            passes.pass(self.len(), target, |_, a, out, [of_i, of_j, joined]| {
                let (before, union) = round.unions_up_to(a);
                let joined = &mut joined[..before.len()];
                let i = row(round.first[a]);
                if let Some(union) = union {
                    let j = row(union.second);
                    let sides = [
                        (&firsts, &sizes, out as &mut [f64]),
                        (&seconds, &seconds_sizes, joined as &mut [f64]),
                    ];
                    for (panels, sizes, out) in sides {
                        let (i_row, j_row) =
                            (&mut of_i[..out.len()], &mut of_j[..out.len()]);
                        panels.distances(i, 0, i_row);
                        panels.distances(j, 0, j_row);
                        run(Join { update, union, i: i_row, j: j_row, sizes, out });
                    }
                } else {
                    firsts.distances(i, 0, out);
                    seconds.distances(i, 0, joined);
                }
                for (earlier, &jk) in before.iter().zip(&*joined) {
                    earlier.join(update, out, jk, self.sizes[a]);
                }
            });
        let pairs = nearest.reciprocal();
        Ok((triangle, pairs))
    }

    /// Merges pairs, in falling order, and closes the slots up.
    fn round(&mut self, pairs: &[Pair], watch: &mut Watch<'_>) -> Result<Round> {
        let mut stays = vec![true; self.len()];
        for &(i, j, height) in pairs.iter().rev() {
            self.steps.push(Step { a: self.rows[i], b: self.rows[j], height });
            watch.step()?;
            stays[j] = false;
        }
        let first: Vec<u32> =
            (0..self.len()).filter(|&slot| stays[slot]).map(|slot| slot as u32).collect();
        let union = |&(i, j, height): &Pair| Union {
            slot: first.partition_point(|&slot| (slot as usize) < i),
            second: j as u32,
            height,
            sizes: [self.sizes[i], self.sizes[j]],
        };
        let unions: Vec<Union> = pairs.iter().map(union).collect();
        let of = |slot: &u32| *slot as usize;
        self.rows = first.iter().map(|slot| self.rows[of(slot)]).collect();
        let mut sizes: Vec<f64> = first.iter().map(|slot| self.sizes[of(slot)]).collect();
        for union in &unions {
            sizes[union.slot] = union.sizes[0] + union.sizes[1];
        }
        let sizes = std::mem::replace(&mut self.sizes, sizes);
        Ok(Round { first, unions, sizes })
    }

    /// Merges what is left; slot `s` of `distances` is the one that was last but `s`.
    fn follow_chain(
        mut self,
        distances: Condensed,
        watch: &mut Watch<'_>,
    ) -> Result<Vec<Step>> {
        self.rows.reverse();
        self.sizes.reverse();
        let n = self.len();
        let mut clusters = InMatrix::new(self.linkage, distances, self.sizes);
        for mut step in chain(n, &mut clusters, watch)? {
            (step.a, step.b) = (self.rows[step.a], self.rows[step.b]);
            self.steps.push(step);
        }
        Ok(self.steps)
    }
}

/// A union that is made in a round.
#[derive(Clone, Copy)]
struct Union {
    /// Its slot after the round.
    slot: usize,
    /// The slot of its second part before the round.
    second: u32,
    height: f64,
    /// The sizes of its parts.
    sizes: [f64; 2],
}

impl Union {
    /// The union's distance from a cluster of size `n_k`.
    #[inline(always)]
    fn distance(&self, update: impl Update, ik: f64, jk: f64, n_k: f64) -> f64 {
        let [n_i, n_j] = self.sizes;
        update(Triangle { ik, jk, ij: self.height }, [n_i, n_j, n_k])
    }

    /// Puts the distance into the place in which that of the first part stands.
    #[inline(always)]
    fn join(&self, update: impl Update, row: &mut [f64], jk: f64, n_k: f64) {
        let place = &mut row[self.slot];
        *place = self.distance(update, *place, jk, n_k);
    }
}

/// The unions of a round, and how the distances after it follow from those before.
struct Round {
    /// For each slot after the round that of the (first part of the) cluster before.
    first: Vec<u32>,
    /// By slot.
    unions: Vec<Union>,
    /// Before the round.
    sizes: Vec<f64>,
}

impl Round {
    /// The unions in slots before `a`, and the one in slot `a`, if it is one.
    fn unions_up_to(&self, a: usize) -> (&[Union], Option<&Union>) {
        let at = self.unions.partition_point(|union| union.slot < a);
        let (before, rest) = self.unions.split_at(at);
        (before, rest.first().filter(|union| union.slot == a))
    }

    /// Row `a` after the round from the triangle before it.
    fn rewrite(
        &self,
        update: impl Update,
        old: &[f64],
        a: usize,
        out: &mut [f64],
        joined: &mut [f64],
    ) {
        let i = self.first[a] as usize;
        let (before, union) = self.unions_up_to(a);
        let row = |slot: usize| &old[row_start(slot)..row_start(slot + 1)];
        let Some(union) = union else {
            self.take(row(i), out);
            let distance = |slot: usize| old[place(i, slot)];
            return self.join_columns(update, before, distance, self.sizes[i], out);
        };
        let j = union.second as usize;
        let joined = &mut joined[..i];
        let sides = (row(i), row(j));
        let (sizes, out_of) = (&self.sizes[..], &mut *joined);
        run(Join { update, union, i: sides.0, j: sides.1, sizes, out: out_of });
        self.take(joined, out);
        let distance = |slot: usize| match joined.get(slot) {
            Some(&distance) => distance,
            None => {
                let (ik, jk) = (old[place(i, slot)], old[place(j, slot)]);
                union.distance(update, ik, jk, self.sizes[slot])
            }
        };
        let size = union.sizes[0] + union.sizes[1];
        self.join_columns(update, before, distance, size, out);
    }

    /// The distances from the first parts.
    fn take(&self, row: &[f64], out: &mut [f64]) {
        for (place, &slot) in out.iter_mut().zip(&self.first) {
            *place = row[slot as usize];
        }
    }

    /// Joins those of the second parts.
    #[inline(always)]
    fn join_columns(
        &self,
        update: impl Update,
        unions: &[Union],
        distance: impl Fn(usize) -> f64,
        size: f64,
        out: &mut [f64],
    ) {
        for union in unions {
            union.join(update, out, distance(union.second as usize), size);
        }
    }
}

/// Where the distance of two slots stands.
#[inline(always)]
fn place(a: usize, b: usize) -> usize {
    row_start(a.max(b)) + a.min(b)
}

/// Joins the distances of the two parts of a union from other clusters.
struct Join<'a, U> {
    update: U,
    union: &'a Union,
    i: &'a [f64],
    j: &'a [f64],
    /// Those of the other clusters.
    sizes: &'a [f64],
    /// As long as the shortest of the three.
    out: &'a mut [f64],
}

impl<U: Update> Kernel for Join<'_, U> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Join { update, union, i, j, sizes, out } = self;
        let union = *union;
        for (((place, &ik), &jk), &n_k) in out.iter_mut().zip(i).zip(j).zip(sizes) {
            *place = union.distance(update, ik, jk, n_k);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::hierarchical::agglomerate::in_order;
    use crate::cluster::hierarchical::dendrogram::Dendrogram;
    use crate::random::Random;

    const REDUCIBLE: [Linkage; 4] =
        [Linkage::Complete, Linkage::Average, Linkage::Weighted, Linkage::Ward];

    fn quiet<T>(work: impl FnOnce(&mut Watch<'_>) -> Result<T>, n: usize) -> T {
        let mut nobody = ();
        work(&mut Watch::start(n - 1, &mut nobody).unwrap()).unwrap()
    }

    /// The rule of the module, word by word, on a square matrix.
    fn slow(linkage: Linkage, x: &[f64], p: usize, sizes: &[f64]) -> Vec<Step> {
        let n = sizes.len();
        let condensed = Condensed::euclidean(x, n, p);
        let mut rows: Vec<usize> = (0..n).rev().collect();
        let mut sizes: Vec<f64> = sizes.iter().rev().copied().collect();
        let mut d: Vec<Vec<f64>> = (0..n)
            .map(|a| {
                let of =
                    |b: usize| if a == b { 0.0 } else { condensed.get(rows[a], rows[b]) };
                (0..n).map(of).collect()
            })
            .collect();
        let mut steps = Vec::new();
        loop {
            let m = rows.len();
            let nearest = |a: usize| {
                let others = (0..m).filter(|&b| b != a);
                others.min_by(|&b, &c| {
                    d[a][b].total_cmp(&d[a][c]).then((a ^ b).cmp(&(a ^ c)))
                })
            };
            let neighbours: Vec<Option<usize>> = (0..m).map(nearest).collect();
            let pairs: Vec<(usize, usize)> = (0..m)
                .filter_map(|a| {
                    let b = neighbours[a]?;
                    (a < b && neighbours[b] == Some(a)).then_some((a, b))
                })
                .collect();
            if m == 1 || pairs.len() * WORTHWHILE < m {
                let reversed = |a: usize| m - 1 - a;
                let values = (0..m)
                    .flat_map(|a| (a + 1..m).map(move |b| (reversed(a), reversed(b))))
                    .map(|(a, b)| d[a][b]);
                let distances = Condensed::new(m, values.collect());
                sizes.reverse();
                let mut left = InMatrix::new(linkage, distances, sizes);
                let rest = quiet(|watch| chain(m, &mut left, watch), m.max(2));
                steps.extend(rest.into_iter().map(|step| Step {
                    a: rows[reversed(step.a)],
                    b: rows[reversed(step.b)],
                    height: step.height,
                }));
                return steps;
            }
            let mut gone = Vec::new();
            for &(i, j) in pairs.iter().rev() {
                steps.push(Step { a: rows[i], b: rows[j], height: d[i][j] });
                for k in (0..m).filter(|k| ![i, j].contains(k) && !gone.contains(k)) {
                    let sides = Triangle { ik: d[i][k], jk: d[j][k], ij: d[i][j] };
                    d[i][k] = linkage.update(sides, [sizes[i], sizes[j], sizes[k]]);
                    d[k][i] = d[i][k];
                }
                sizes[i] += sizes[j];
                gone.push(j);
            }
            let left: Vec<usize> = (0..m).filter(|slot| !gone.contains(slot)).collect();
            rows = left.iter().map(|&slot| rows[slot]).collect();
            sizes = left.iter().map(|&slot| sizes[slot]).collect();
            d = left.iter().map(|&a| left.iter().map(|&b| d[a][b]).collect()).collect();
        }
    }

    fn same(found: &[Step], expected: &[Step], name: &str) {
        let bits = |steps: &[Step]| -> Vec<(usize, usize, u64)> {
            steps.iter().map(|step| (step.a, step.b, step.height.to_bits())).collect()
        };
        assert_eq!(bits(found), bits(expected), "{name}");
    }

    fn data(kind: usize, n: usize, p: usize, random: &mut Random) -> Vec<f64> {
        let value = |at: usize, random: &mut Random| match kind {
            0 => random.unit() * 10.0,
            // many ties, and rows that are equal
            1 => (random.unit() * 4.0).floor(),
            2 => 0.1,
            // few pairs at a time: each row is nearer to the one before than to the next
            3 => 1.05_f64.powi((at / p) as i32),
            // a centre that is nearest to all, in more directions than rows
            _ if at % p == at / p => 1.0 + (at / p) as f64 / n as f64,
            _ => 0.0,
        };
        (0..n * p).map(|at| value(at, random)).collect()
    }

    #[test]
    fn merges_are_those_of_the_rule_to_the_bit() {
        let mut random = Random::new(11, 0);
        for kind in 0..5 {
            for n in [1, 2, 3, 8, 50, 131, 220] {
                let p = if kind == 4 { n } else { 1 + n % 3 };
                let x = data(kind, n, p, &mut random);
                let weights: Vec<f64> =
                    (0..n).map(|_| 0.5 + random.below(4) as f64).collect();
                for linkage in REDUCIBLE {
                    let name = format!("{kind} {n} {linkage}");
                    for sizes in [vec![1.0; n], weights.clone()] {
                        let expected = slow(linkage, &x, p, &sizes);
                        let source = Source::Rows { x: &x, p };
                        let run = |watch: &mut Watch<'_>| {
                            rounds(linkage, source, sizes.clone(), watch)
                        };
                        same(&quiet(run, n), &expected, &name);
                        let condensed = Condensed::euclidean(&x, n, p).into_values();
                        let source = Source::Distances(&condensed);
                        let run = |watch: &mut Watch<'_>| {
                            rounds(linkage, source, sizes.clone(), watch)
                        };
                        same(&quiet(run, n), &expected, &name);
                    }
                }
            }
        }
    }

    /// More rows than one task, and than all tasks that are open at a time.
    #[test]
    fn without_ties_the_tree_is_that_of_the_chain() {
        let mut random = Random::new(12, 0);
        let (n, p) = (2300, 3);
        let x = data(0, n, p, &mut random);
        for linkage in REDUCIBLE {
            let source = Source::Rows { x: &x, p };
            let run =
                |watch: &mut Watch<'_>| rounds(linkage, source, vec![1.0; n], watch);
            let distances = Condensed::euclidean(&x, n, p);
            let mut clusters = InMatrix::new(linkage, distances, vec![1.0; n]);
            let chained = quiet(|watch| chain(n, &mut clusters, watch), n);
            let found = Dendrogram::from_steps(n, in_order(n, quiet(run, n)), true);
            let expected = Dendrogram::from_steps(n, in_order(n, chained), true);
            for (a, b) in found.merges().iter().zip(expected.merges()) {
                // cuts between merges are the same when the merges are
                assert_eq!((a.left, a.right, a.size), (b.left, b.right, b.size));
                assert!((a.height - b.height).abs() <= 1e-12 * b.height, "{linkage}");
            }
        }
    }
}
