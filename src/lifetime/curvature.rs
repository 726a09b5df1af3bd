//! A function with its slopes and curvatures.

/// The value of a function of some parameters, its gradient and its Hessian.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Curvature {
    pub(super) value: f64,
    pub(super) gradient: Vec<f64>,
    /// All rows one after the other.
    pub(super) hessian: Vec<f64>,
}

impl Curvature {
    pub(super) fn n(&self) -> usize {
        self.gradient.len()
    }

    pub(super) fn is_finite(&self) -> bool {
        self.value.is_finite()
            && self.gradient.iter().chain(&self.hessian).all(|x| x.is_finite())
    }
}

impl<const N: usize> From<Jet<N>> for Curvature {
    fn from(jet: Jet<N>) -> Curvature {
        Curvature {
            value: jet.value,
            gradient: jet.gradient.to_vec(),
            hessian: jet.hessian.as_flattened().to_vec(),
        }
    }
}

/// The same of a fixed number of parameters, for sums over rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Jet<const N: usize> {
    pub(super) value: f64,
    pub(super) gradient: [f64; N],
    pub(super) hessian: [[f64; N]; N],
}

impl<const N: usize> Jet<N> {
    pub(super) const ZERO: Jet<N> =
        Jet { value: 0.0, gradient: [0.0; N], hessian: [[0.0; N]; N] };

    /// Fills the lower half of the Hessian, which was left empty.
    pub(super) fn mirror(mut self) -> Jet<N> {
        let upper = self.hessian;
        for (i, row) in self.hessian.iter_mut().enumerate() {
            for (j, entry) in row.iter_mut().enumerate().take(i) {
                *entry = upper[j][i];
            }
        }
        self
    }

    /// `ln Σ eᵗ` of terms `t` with their derivatives.
    pub(super) fn ln_sum(terms: &[Jet<N>]) -> Jet<N> {
        let largest = terms.iter().fold(f64::NEG_INFINITY, |m, t| m.max(t.value));
        let mut total = 0.0;
        let mut sum = Jet::ZERO;
        for term in terms {
            let share = (term.value - largest).exp();
            total += share;
            sum.add(share, term);
            for i in 0..N {
                for j in 0..N {
                    sum.hessian[i][j] += share * term.gradient[i] * term.gradient[j];
                }
            }
        }
        sum.value = largest + total.ln();
        sum.gradient = sum.gradient.map(|g| g / total);
        let gradient = sum.gradient;
        for (i, row) in sum.hessian.iter_mut().enumerate() {
            for (j, entry) in row.iter_mut().enumerate() {
                *entry = *entry / total - gradient[i] * gradient[j];
            }
        }
        sum
    }

    pub(super) fn add(&mut self, weight: f64, other: &Jet<N>) {
        self.value += weight * other.value;
        for i in 0..N {
            self.gradient[i] += weight * other.gradient[i];
            for j in 0..N {
                self.hessian[i][j] += weight * other.hessian[i][j];
            }
        }
    }
}

/// Solves `A x = b` for a symmetric positive definite `A` by Cholesky's factors, and says
/// by how much the pivots differ; `None` where `A` is not positive definite.
pub(super) fn solve(a: &[f64], b: &[f64]) -> Option<Vec<f64>> {
    let n = b.len();
    let factor = cholesky(a, n)?;
    let mut x = b.to_vec();
    for i in 0..n {
        for j in 0..i {
            x[i] -= factor[i * n + j] * x[j];
        }
        x[i] /= factor[i * n + i];
    }
    for i in (0..n).rev() {
        for j in i + 1..n {
            x[i] -= factor[j * n + i] * x[j];
        }
        x[i] /= factor[i * n + i];
    }
    Some(x)
}

/// The lower factor of a symmetric positive definite matrix.
fn cholesky(a: &[f64], n: usize) -> Option<Vec<f64>> {
    let mut l = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let dot: f64 = (0..j).map(|k| l[i * n + k] * l[j * n + k]).sum();
            let rest = a[i * n + j] - dot;
            if i == j {
                // What is left of a pivot after cancellation is noise.
                if rest.is_nan() || rest <= 1e-14 * a[i * n + i].abs() {
                    return None;
                }
                l[i * n + i] = rest.sqrt();
            } else {
                l[i * n + j] = rest / l[j * n + j];
            }
        }
    }
    Some(l)
}

/// The inverse of a symmetric positive definite matrix.
pub(super) fn invert(a: &[f64], n: usize) -> Option<Vec<f64>> {
    let mut inverse = vec![0.0; n * n];
    for j in 0..n {
        let mut unit = vec![0.0; n];
        unit[j] = 1.0;
        for (i, x) in solve(a, &unit)?.into_iter().enumerate() {
            inverse[i * n + j] = x;
        }
    }
    Some(inverse)
}

/// The eigenvalues of a symmetric matrix, smallest first (Jacobi's rotations; Golub & Van
/// Loan 2013, §8.5).
pub(super) fn eigenvalues(a: &[f64], n: usize) -> Vec<f64> {
    let mut a = a.to_vec();
    for _ in 0..64 {
        let off: f64 = (0..n)
            .flat_map(|i| (0..i).map(move |j| (i, j)))
            .map(|(i, j)| a[i * n + j].abs())
            .sum();
        let size: f64 = (0..n).map(|i| a[i * n + i].abs()).sum();
        if off <= 1e-16 * size {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                rotate(&mut a, n, p, q);
            }
        }
    }
    let mut values: Vec<f64> = (0..n).map(|i| a[i * n + i]).collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

fn rotate(a: &mut [f64], n: usize, p: usize, q: usize) {
    let apq = a[p * n + q];
    if apq == 0.0 {
        return;
    }
    let tau = (a[q * n + q] - a[p * n + p]) / (2.0 * apq);
    let t = tau.signum() / (tau.abs() + (1.0 + tau * tau).sqrt());
    let c = 1.0 / (1.0 + t * t).sqrt();
    let s = t * c;
    for k in 0..n {
        let (akp, akq) = (a[k * n + p], a[k * n + q]);
        a[k * n + p] = c * akp - s * akq;
        a[k * n + q] = s * akp + c * akq;
    }
    for k in 0..n {
        let (apk, aqk) = (a[p * n + k], a[q * n + k]);
        a[p * n + k] = c * apk - s * aqk;
        a[q * n + k] = s * apk + c * aqk;
    }
}

/// The slopes and curvatures are those of the values, by central differences.
#[cfg(test)]
pub(super) fn check_derivatives(of: impl Fn(&[f64]) -> Curvature, at: &[f64]) {
    const STEP: f64 = 1e-4;
    let here = of(at);
    let n = here.n();
    let close = |found: f64, expected: f64, scale: f64, what: &str| {
        let off = (found - expected).abs();
        assert!(off <= 2e-7 * (1.0 + scale), "{what} at {at:?}: {found}, not {expected}");
    };
    let scale = here.hessian.iter().fold(here.value.abs(), |m, x| m.max(x.abs()));
    for i in 0..n {
        let moved = |by: f64| {
            let mut to = at.to_vec();
            to[i] += by;
            of(&to)
        };
        let [far_less, less, more, far_more] =
            [-2.0, -1.0, 1.0, 2.0].map(|k| moved(k * STEP));
        let slope = |f: fn(&Curvature, usize) -> f64, j: usize| {
            (8.0 * (f(&more, j) - f(&less, j)) - f(&far_more, j) + f(&far_less, j))
                / (12.0 * STEP)
        };
        close(here.gradient[i], slope(|c, _| c.value, 0), scale, "slope");
        for j in 0..n {
            let expected = slope(|c, j| c.gradient[j], j);
            close(here.hessian[i * n + j], expected, scale, "curvature");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solutions_solve() {
        let a = [4.0, 2.0, 0.5, 2.0, 5.0, 1.0, 0.5, 1.0, 3.0];
        let x = solve(&a, &[1.0, 2.0, 3.0]).unwrap_or_default();
        for i in 0..3 {
            let b: f64 = (0..3).map(|j| a[i * 3 + j] * x[j]).sum();
            assert!((b - (i + 1) as f64).abs() < 1e-14);
        }
        assert_eq!(solve(&[1.0, 2.0, 2.0, 1.0], &[1.0, 1.0]), None);
        let inverse = invert(&a, 3).unwrap_or_default();
        let one: f64 = (0..3).map(|k| a[k] * inverse[k * 3]).sum();
        assert!((one - 1.0).abs() < 1e-14);
    }

    #[test]
    fn eigenvalues_are_those_of_known_matrices() {
        let values = eigenvalues(&[2.0, 1.0, 1.0, 2.0], 2);
        assert!((values[0] - 1.0).abs() < 1e-15 && (values[1] - 3.0).abs() < 1e-15);
        // The second difference matrix: 2 − 2 cos(kπ/4).
        let values = eigenvalues(&[2.0, -1.0, 0.0, -1.0, 2.0, -1.0, 0.0, -1.0, 2.0], 3);
        for (value, expected) in
            values.iter().zip([2.0 - 2f64.sqrt(), 2.0, 2.0 + 2f64.sqrt()])
        {
            assert!((value - expected).abs() < 1e-14);
        }
    }
}
