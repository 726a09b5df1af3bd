//! Quadratic forms of small covariances.

/// uᵀ V⁻¹ u for a symmetric matrix V, given row by row: |L⁻¹ u|² with V = L Lᵀ (Cholesky).
/// `None` when V is not positive definite but for rounding.
pub(super) fn quadratic_form(u: &[f64], mut v: Vec<f64>) -> Option<f64> {
    let k = u.len();
    // Rows and columns in units of their deviations, so that weights have no scale.
    let deviations: Vec<f64> = (0..k).map(|g| v[g * k + g].sqrt()).collect();
    for (at, cell) in v.iter_mut().enumerate() {
        *cell = *cell / deviations[at / k] / deviations[at % k];
    }
    let mut z: Vec<f64> = u.iter().zip(&deviations).map(|(u, d)| u / d).collect();
    let mut sum = 0.0;
    for j in 0..k {
        let pivot = v[j * k + j];
        // What is left of a variance of 1.
        if pivot.is_nan() || pivot <= k as f64 * f64::EPSILON {
            return None;
        }
        let root = pivot.sqrt();
        z[j] /= root;
        sum += z[j] * z[j];
        for i in j + 1..k {
            let l = v[i * k + j] / root;
            z[i] -= l * z[j];
            // Of the columns right of j, which take the part of L that was found.
            for h in j + 1..=i {
                v[i * k + h] -= l * v[h * k + j] / root;
            }
        }
    }
    Some(sum).filter(|sum| sum.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_matrices_whose_inverse_is_known() {
        // [[4, 2], [2, 3]]⁻¹ = [[3, -2], [-2, 4]] / 8.
        let form = quadratic_form(&[1.0, 2.0], vec![4.0, 2.0, 2.0, 3.0]).unwrap();
        assert!((form - (3.0 - 8.0 + 16.0) / 8.0).abs() < 1e-15);
        // min(i, j) has the inverse with 2 on the diagonal (1 at its end), -1 beside it:
        // the form is u₁² plus the squares of the differences.
        let v: Vec<f64> = (0..25).map(|at| (at / 5).min(at % 5) as f64 + 1.0).collect();
        let form = quadratic_form(&[3.0, 1.0, 4.0, 1.0, 5.0], v).unwrap();
        assert!((form - (9.0 + 4.0 + 9.0 + 9.0 + 16.0)).abs() < 1e-12, "{form}");
        for singular in [vec![1.0, 1.0, 1.0, 1.0], vec![0.0; 4], vec![f64::NAN; 4]] {
            assert_eq!(quadratic_form(&[1.0, 1.0], singular), None);
        }
    }
}
