//! Models estimated again and again.

use segmenta::history::TimeUnit;
use segmenta::lifetime::{
    BgBb, Bootstrap, GammaGamma, LifetimeValue, OpportunityHistory, ParameterEstimate,
    PurchaseHistories, PurchaseHistory, PurchaseModel, PurchaseModelKind,
    ShiftedBetaGeometric, SpendHistory,
};

use crate::properties::drawn;

/// Draws that look random and are the same each time: above 0 and below 1.
struct Draw(u64);

impl Draw {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99_991);
        ((self.0 >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }

    /// Of a gamma distribution with a whole number as its shape.
    fn gamma(&mut self, shape: u32) -> f64 {
        (0..shape).map(|_| -self.unit().ln()).sum()
    }
}

/// Spends as Gamma-Gamma with p = 4, q = 3 and gamma = 12 says.
fn spenders(purchases: impl Iterator<Item = u64>) -> Vec<SpendHistory> {
    let mut draw = Draw(5);
    let spends = purchases.map(|x| {
        let scale = draw.gamma(3) / 12.0;
        match x {
            0 => SpendHistory::none(),
            _ => {
                SpendHistory::new(x, draw.gamma(4 * x as u32) / scale / x as f64).unwrap()
            }
        }
    });
    spends.collect()
}

/// The interval of a parameter is that of the curvature.
fn agrees<M: Sync>(
    bootstrap: &Bootstrap<M>,
    parameter: &ParameterEstimate,
    of: impl Fn(&M) -> f64 + Sync,
) {
    let (low, high) = bootstrap.interval(0.9, |model| Ok(of(model))).unwrap();
    let curvature = parameter.interval(0.9).unwrap();
    let ratio = (high - low) / (curvature.1 - curvature.0);
    assert!((0.75..1.35).contains(&ratio), "{} {ratio}", parameter.name);
    assert!(low < parameter.value && parameter.value < high);
}

#[test]
fn a_bootstrap_is_its_seed() {
    let histories = drawn(PurchaseModelKind::Nbd, 400);
    let fitted = PurchaseModelKind::Nbd.fit(&histories).unwrap();
    let draw = |n, seed| Bootstrap::new(fitted.model(), &histories, n, seed).unwrap();
    let (one, other) = (draw(200, 1), draw(200, 2));
    assert_eq!(one, draw(200, 1));
    assert_ne!(one.models(), other.models());
    // More replicates begin with the same ones, and no two are alike.
    assert_eq!(draw(40, 1).models(), &one.models()[..40]);
    for (i, model) in one.models().iter().enumerate() {
        assert!(!one.models()[..i].contains(model), "{i}");
    }
    // The interval of a parameter is that of the curvature.
    for (i, parameter) in fitted.report().parameters.iter().enumerate() {
        agrees(&one, parameter, |model| model.parameters()[i].1);
    }
    let (low, high) = one.interval(0.5, |model| Ok(model.parameters()[0].1)).unwrap();
    let (lower, higher) =
        one.interval(0.95, |model| Ok(model.parameters()[0].1)).unwrap();
    assert!(lower < low && low < high && high < higher);
    for bad in [0.0, 1.0, f64::NAN] {
        assert!(one.interval(bad, |_| Ok(1.0)).is_err());
    }
}

#[test]
fn spend_is_drawn_with_its_customers() {
    let spends = spenders((0..1200).map(|i| i % 5));
    let fitted = GammaGamma::fit(&spends).unwrap();
    let draw = |weights, seed| {
        Bootstrap::of_spend(fitted.model(), &spends, weights, 200, seed).unwrap()
    };
    let one = draw(None, 1);
    assert_eq!((one.n_failed(), one.models().len()), (0, 200));
    assert_eq!(one, draw(None, 1));
    assert_ne!(one, draw(None, 2));
    assert_eq!(one, draw(Some(&vec![1.0; 1200]), 1));
    let [p, q, gamma] = &fitted.report().parameters[..] else { panic!() };
    agrees(&one, p, GammaGamma::p);
    agrees(&one, q, GammaGamma::q);
    agrees(&one, gamma, GammaGamma::gamma);
    // Customers of no weight are not drawn.
    let first: Vec<f64> = (0..1200).map(|i| f64::from(u8::from(i < 600))).collect();
    let few = Bootstrap::of_spend(fitted.model(), &spends[..600], None, 20, 1).unwrap();
    let weighted = Bootstrap::of_spend(fitted.model(), &spends, Some(&first), 20, 1);
    assert_eq!(few, weighted.unwrap());
    for bad in [vec![0.0; 1200], vec![1.0; 3], vec![-1.0; 1200], vec![f64::NAN; 1200]] {
        let refused = Bootstrap::of_spend(fitted.model(), &spends, Some(&bad), 20, 1);
        assert!(refused.is_err());
    }
    assert!(Bootstrap::of_spend(fitted.model(), &spends, None, 0, 1).is_err());
    let nobody = [SpendHistory::none(); 9];
    assert!(Bootstrap::of_spend(fitted.model(), &nobody, None, 9, 1).is_err());
}

#[test]
fn opportunities_are_drawn_with_their_numbers() {
    let truth = BgBb::new(1.2, 0.75, 0.66, 2.8).unwrap();
    let mut cells = Vec::new();
    for x in 0..=6 {
        for last in x..=6 {
            if let Ok(history) = OpportunityHistory::new(x, last, 6) {
                // As many ways to place the other purchases before the last.
                let ways = (1..x)
                    .fold(1.0, |ways, i| ways * f64::from(last - i) / f64::from(x - i));
                let p = truth.log_likelihood(&history).exp();
                cells.push((history, (5000.0 * ways * p).round()));
            }
        }
    }
    let total: f64 = cells.iter().map(|cell| cell.1).sum();
    assert!((total - 5000.0).abs() < 20.0, "{total}");
    let fitted = BgBb::fit(&cells).unwrap();
    let draw = |n, seed| Bootstrap::of_opportunities(fitted.model(), &cells, n, seed);
    let one = draw(200, 1).unwrap();
    assert_eq!(one, draw(200, 1).unwrap());
    assert_ne!(one, draw(200, 2).unwrap());
    let of = [BgBb::alpha, BgBb::beta, BgBb::gamma, BgBb::delta];
    for (parameter, of) in fitted.report().parameters.iter().zip(of) {
        agrees(&one, parameter, of);
    }
    assert!(draw(0, 1).is_err());
    assert!(Bootstrap::of_opportunities(fitted.model(), &[], 9, 1).is_err());
}

#[test]
fn contracts_are_drawn_with_their_tenures() {
    let truth = ShiftedBetaGeometric::new(0.7, 1.2).unwrap();
    let cohort = |n: f64, seen: u32| {
        (0..=seen).map(|t| (n * truth.survival(t)).round()).collect::<Vec<f64>>()
    };
    let cohorts = [cohort(900.0, 7), cohort(700.0, 4), cohort(500.0, 1)];
    let fitted = ShiftedBetaGeometric::fit(&cohorts).unwrap();
    let draw = |n, seed| Bootstrap::of_cohorts(fitted.model(), &cohorts, n, seed);
    let one = draw(200, 1).unwrap();
    assert_eq!(one, draw(200, 1).unwrap());
    assert_ne!(one, draw(200, 2).unwrap());
    let of = [ShiftedBetaGeometric::alpha, ShiftedBetaGeometric::beta];
    for (parameter, of) in fitted.report().parameters.iter().zip(of) {
        agrees(&one, parameter, of);
    }
    assert!(draw(0, 1).is_err());
    assert!(Bootstrap::of_cohorts(fitted.model(), &[], 9, 1).is_err());
    // Who leaves is so rare that nobody does in some replicates.
    let rare = [vec![400.0, 399.0, 399.0]];
    let fitted = ShiftedBetaGeometric::fit(&rare).unwrap();
    let some = Bootstrap::of_cohorts(fitted.model(), &rare, 100, 1).unwrap();
    assert!((15..65).contains(&some.n_failed()), "{}", some.n_failed());
    assert_eq!(some.models().len() + some.n_failed(), 100);
}

#[test]
fn values_know_of_both_uncertainties() {
    let kind = PurchaseModelKind::MbgNbd;
    let histories = drawn(kind, 800);
    let rows = histories.as_slice();
    let spends = spenders(rows.iter().map(|row| row.frequency()));
    let purchases = kind.fit(&histories).unwrap().into_model();
    let spend = GammaGamma::fit(&spends).unwrap().into_model();
    let models = (&purchases, &spend);
    let draw =
        |seed| Bootstrap::of_values(models, &histories, &spends, 150, seed).unwrap();
    let both = draw(3);
    assert_eq!(both, draw(3));
    assert_ne!(both, draw(4));

    // Each part is what it is alone, but for the draws.
    let alone = Bootstrap::new(&purchases, &histories, 150, 3).unwrap();
    let width = |(low, high): (f64, f64)| high - low;
    let of_r = width(alone.interval(0.9, |m| Ok(m.parameters()[0].1)).unwrap());
    let of_r_too = width(both.interval(0.9, |m| Ok(m.0.parameters()[0].1)).unwrap());
    assert!((0.7..1.4).contains(&(of_r_too / of_r)));
    let alone = Bootstrap::of_spend(&spend, &spends, None, 150, 3).unwrap();
    let of_p = width(alone.interval(0.9, |m| Ok(m.p())).unwrap());
    let of_p_too = width(both.interval(0.9, |m| Ok(m.1.p())).unwrap());
    assert!((0.7..1.4).contains(&(of_p_too / of_p)));

    // A value has an interval of its own, to which both contribute.
    let value = LifetimeValue::new(52.0, TimeUnit::Week);
    let at = rows.iter().position(|row| row.frequency() == 1).unwrap();
    let worth = |purchases: &dyn PurchaseModel, spend: &GammaGamma| {
        let expected = spend.expected_customer_spend(&spends[at])?;
        value.customer_lifetime_value(purchases, &rows[at], expected)
    };
    let best = worth(&purchases, &spend).unwrap();
    let of_both = both.interval(0.9, |m| worth(&m.0, &m.1)).unwrap();
    let of_purchases = both.interval(0.9, |m| worth(&m.0, &spend)).unwrap();
    let of_spend = both.interval(0.9, |m| worth(&purchases, &m.1)).unwrap();
    for (low, high) in [of_both, of_purchases, of_spend] {
        assert!(low < best && best < high, "{low} {best} {high}");
    }
    assert!(of_both != of_purchases && of_both != of_spend);

    // Weights of 4 are as many customers, drawn more often.
    let heavier = histories.clone().with_weights(vec![4.0; 800]).unwrap();
    let heavier = Bootstrap::of_values(models, &heavier, &spends, 150, 3).unwrap();
    let narrow = width(heavier.interval(0.9, |m| Ok(m.1.p())).unwrap());
    assert!((0.35..0.65).contains(&(narrow / of_p_too)), "{}", narrow / of_p_too);

    assert!(Bootstrap::of_values(models, &histories, &spends[1..], 9, 1).is_err());
    assert!(Bootstrap::of_values(models, &histories, &spends, 0, 1).is_err());
    let days =
        PurchaseHistories::new(TimeUnit::Day, vec![PurchaseHistory::new_customer()]);
    assert!(Bootstrap::of_values(models, &days, &spends[..1], 9, 1).is_err());
    let nobody = PurchaseHistories::new(TimeUnit::Week, Vec::new());
    assert!(Bootstrap::of_values(models, &nobody, &[], 9, 1).is_err());
}
