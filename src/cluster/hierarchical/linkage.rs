//! How far apart two clusters are: the seven classic linkages.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How the distance from a cluster `k` to the union of clusters `i` and `j` follows from
/// the distances before the merge (Lance & Williams 1967; the formulas as in Müllner
/// 2011, figure 2).
///
/// `d` is a distance, `n` the weight of a cluster: the number of its rows, or the sum of
/// their weights. Rows are compared by Euclidean distance. Heights are those of SciPy's
/// `scipy.cluster.hierarchy.linkage`.
///
/// ```
/// use segmenta::cluster::hierarchical::Linkage;
///
/// assert_eq!(Linkage::default(), Linkage::Ward);
/// assert!(Linkage::Average.is_monotone());
/// assert!(!Linkage::Centroid.is_monotone());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Linkage {
    /// Nearest members: `d(ij,k) = min(d(i,k), d(j,k))`. Weights play no part.
    Single,
    /// Farthest members: `d(ij,k) = max(d(i,k), d(j,k))`. Weights play no part.
    Complete,
    /// Mean over all pairs of members (UPGMA, Sokal & Michener 1958):
    /// `d(ij,k) = (n_i d(i,k) + n_j d(j,k)) / (n_i + n_j)`.
    Average,
    /// Mean over the two parts, whatever their sizes (WPGMA, Sokal & Michener 1958):
    /// `d(ij,k) = (d(i,k) + d(j,k)) / 2`. Weights play no part, for this linkage forgets
    /// sizes by definition.
    Weighted,
    /// Distance of the centroids (UPGMC): `d(ij,k)² = (n_i d(i,k)² + n_j d(j,k)²) /
    /// (n_i + n_j) − n_i n_j d(i,j)² / (n_i + n_j)²`. Heights may decrease.
    Centroid,
    /// Distance of midpoints, where a union's midpoint is halfway between those of its
    /// parts (WPGMC, Gower 1967): `d(ij,k)² = d(i,k)²/2 + d(j,k)²/2 − d(i,j)²/4`. Heights
    /// may decrease. Weights play no part.
    Median,
    /// Growth of the sum of squares (Ward 1963): `d(ij,k)² = ((n_i + n_k) d(i,k)² +
    /// (n_j + n_k) d(j,k)² − n_k d(i,j)²) / (n_i + n_j + n_k)`, so that
    /// `d(A,B)² = 2 n_A n_B / (n_A + n_B) · ‖c_A − c_B‖²`. A height is the square root of
    /// twice the growth: `ward.D2` of R (Murtagh & Legendre 2014).
    #[default]
    Ward,
}

impl Linkage {
    /// All linkages.
    pub const ALL: [Linkage; 7] = [
        Linkage::Single,
        Linkage::Complete,
        Linkage::Average,
        Linkage::Weighted,
        Linkage::Centroid,
        Linkage::Median,
        Linkage::Ward,
    ];

    /// The name that SciPy uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Linkage::Single => "single",
            Linkage::Complete => "complete",
            Linkage::Average => "average",
            Linkage::Weighted => "weighted",
            Linkage::Centroid => "centroid",
            Linkage::Median => "median",
            Linkage::Ward => "ward",
        }
    }

    /// True when no merge is lower than an earlier one: all linkages but
    /// [`Centroid`](Linkage::Centroid) and [`Median`](Linkage::Median). Such linkages are
    /// *reducible* (Bruynooghe 1977): a union is no nearer to a third cluster than the
    /// nearer of its parts.
    #[must_use]
    pub const fn is_monotone(self) -> bool {
        !matches!(self, Linkage::Centroid | Linkage::Median)
    }

    /// True when the weights of rows change the heights: for
    /// [`Average`](Linkage::Average), [`Centroid`](Linkage::Centroid) and
    /// [`Ward`](Linkage::Ward). For the others a row of weight 2 is a row anyway: its
    /// copy would be merged at height 0 and change nothing above.
    #[must_use]
    pub const fn counts_weights(self) -> bool {
        matches!(self, Linkage::Average | Linkage::Centroid | Linkage::Ward)
    }

    /// True when the formula squares distances.
    pub(super) const fn squares(self) -> bool {
        matches!(self, Linkage::Centroid | Linkage::Median | Linkage::Ward)
    }

    /// The formula, on distances that are not squared.
    ///
    /// The order of operations is SciPy's, since rounding decides between distances that
    /// would tie. The result is never negative when `ij` is the least of the three.
    #[inline(always)]
    pub(super) fn update(self, d: Triangle, n: [f64; 3]) -> f64 {
        let Triangle { ik, jk, ij } = d;
        let [n_i, n_j, n_k] = n;
        match self {
            Linkage::Single => ik.min(jk),
            Linkage::Complete => ik.max(jk),
            Linkage::Average => (n_i * ik + n_j * jk) / (n_i + n_j),
            Linkage::Weighted => (ik + jk) / 2.0,
            Linkage::Centroid => {
                let unit = power_of_two(n_i + n_j);
                let (n_i, n_j) = (n_i / unit, n_j / unit);
                let n = n_i + n_j;
                let apart = n_i * n_j * ij * ij / n;
                ((n_i * ik * ik + n_j * jk * jk - apart) / n).sqrt()
            }
            Linkage::Median => ((ik * ik + jk * jk) / 2.0 - ij * ij / 4.0).sqrt(),
            Linkage::Ward => {
                let unit = power_of_two(n_i + n_j + n_k);
                let (n_i, n_j, n_k) = (n_i / unit, n_j / unit, n_k / unit);
                let share = 1.0 / (n_i + n_j + n_k);
                let from_i = (n_k + n_i) * share * ik * ik;
                let from_j = (n_k + n_j) * share * jk * jk;
                (from_i + from_j - n_k * share * ij * ij).sqrt()
            }
        }
    }
}

/// The greatest power of two up to a size. Sizes divided by it keep their digits, and
/// neither their products nor the inverse of their sum leave the range of numbers, however
/// small the weights.
#[inline(always)]
fn power_of_two(size: f64) -> f64 {
    let exponent_only = f64::INFINITY.to_bits();
    f64::from_bits(size.to_bits() & exponent_only).max(f64::MIN_POSITIVE)
}

impl fmt::Display for Linkage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The three distances between clusters `i` and `j`, which merge, and a third `k`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Triangle {
    pub(super) ik: f64,
    pub(super) jk: f64,
    pub(super) ij: f64,
}
