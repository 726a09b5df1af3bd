//! Quadrature of smooth functions of time.

/// Nodes and weights of Gauss and Legendre on `[−1, 1]`, the positive half of sixteen
/// (Abramowitz & Stegun 1964, table 25.4).
const NODES: [(f64, f64); 8] = [
    (0.095_012_509_837_637_44, 0.189_450_610_455_068_5),
    (0.281_603_550_779_258_9, 0.182_603_415_044_923_6),
    (0.458_016_777_657_227_4, 0.169_156_519_395_002_54),
    (0.617_876_244_402_643_7, 0.149_595_988_816_576_73),
    (0.755_404_408_355_003, 0.124_628_971_255_533_87),
    (0.865_631_202_387_831_8, 0.095_158_511_682_492_78),
    (0.944_575_023_073_232_6, 0.062_253_523_938_647_89),
    (0.989_400_934_991_649_9, 0.027_152_459_411_754_095),
];

pub(super) const N_NODES: usize = 2 * NODES.len();

/// The nodes one after the other, and their weights.
pub(super) const ORDINATES: [f64; N_NODES] = ALL.0;
pub(super) const WEIGHTS: [f64; N_NODES] = ALL.1;

const ALL: ([f64; N_NODES], [f64; N_NODES]) = {
    let mut all = ([0.0; N_NODES], [0.0; N_NODES]);
    let mut i = 0;
    while i < NODES.len() {
        let (node, weight) = NODES[i];
        (all.0[i], all.0[N_NODES - 1 - i]) = (-node, node);
        (all.1[i], all.1[N_NODES - 1 - i]) = (weight, weight);
        i += 1;
    }
    all
};

/// Calls `at(v, weight)` for the nodes of equal panels of `[from, to]`.
pub(super) fn panels(from: f64, to: f64, n_panels: usize, mut at: impl FnMut(f64, f64)) {
    let half = 0.5 * (to - from) / n_panels as f64;
    for i in 0..n_panels {
        let middle = from + half * (2 * i + 1) as f64;
        for (node, weight) in NODES {
            at(middle - half * node, half * weight);
            at(middle + half * node, half * weight);
        }
    }
}

/// `∫₀^∞ e^(−δt) f(t) dt` for an `f` that is smooth in `v = ln(1 + t/scale)` and falls like
/// `e^(−rate v)`.
pub(super) fn over_log_time(
    scale: f64,
    delta: f64,
    rate: f64,
    f: impl Fn(f64) -> f64,
) -> f64 {
    // e^(−δt) is below 1e-18 from t = 42/δ on, and f from v = 42/(rate − 1) on.
    let mut end = (42.0 / (delta * scale)).ln_1p();
    if rate > 2.0 {
        end = end.min(42.0 / (rate - 1.0));
    }
    let n_panels = (end * (rate / 8.0).max(1.4)).ceil().clamp(6.0, 2000.0) as usize;
    let mut sum = 0.0;
    panels(0.0, end, n_panels, |v, weight| {
        let t = scale * v.exp_m1();
        sum += weight * (scale + t) * (-delta * t).exp() * f(t);
    });
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_of_high_degree_are_exact() {
        for degree in 0..32 {
            let mut sum = 0.0;
            panels(-1.0, 1.0, 1, |v, weight| sum += weight * v.powi(degree));
            let exact = if degree % 2 == 0 { 2.0 / f64::from(degree + 1) } else { 0.0 };
            assert!((sum - exact).abs() < 1e-15, "{degree}: {sum} {exact}");
        }
    }

    #[test]
    fn exponentials_integrate() {
        for (scale, delta) in [(1.0, 1.0), (1e-3, 2.0), (30.0, 0.001), (0.5, 1e-9)] {
            let one = over_log_time(scale, delta, 0.0, |_| delta);
            assert!((one - 1.0).abs() < 1e-13, "{scale} {delta}: {one}");
            let mean = over_log_time(scale, delta, 0.0, |t| delta * delta * t);
            assert!((mean - 1.0).abs() < 1e-13, "{scale} {delta}: {mean}");
        }
    }
}
