//! Models at rest: what an earlier release wrote is read for ever.

use std::fmt::Debug;

use segmenta::history::TimeUnit;
use segmenta::lifetime::{
    AnyPurchaseModel, BetaBinomial, BgBb, BgNbd, CovariateModel, GammaGamma, Geometric,
    MbgCnbd, MbgNbd, Nbd, ParetoNbd, PurchaseModelKind, SaveModel, ShiftedBetaGeometric,
};
use segmenta::ndarray::Array2;
use segmenta::segmenter::Saved;

use crate::properties::drawn;

/// As the first release wrote them.
fn written() -> Vec<Saved> {
    serde_json::from_str(include_str!("../golden/lifetime_models-1.json")).unwrap()
}

fn comes_back<M: SaveModel + PartialEq + Debug>(model: &M) -> Saved {
    let json = model.save().unwrap().to_json().unwrap();
    let saved = Saved::from_json(&json).unwrap();
    assert_eq!((saved.kind(), saved.version()), (M::KIND, 1));
    assert_eq!(*saved.schema(), model.features().unwrap());
    assert_eq!(M::load(&saved).unwrap(), *model);
    // Cut short at every byte, or altered in any digit.
    for end in 0..json.len() {
        assert!(Saved::from_json(&json[..end]).unwrap_err().is_format(), "{end}");
    }
    for (at, byte) in json.bytes().enumerate().filter(|(_, b)| b.is_ascii_digit()) {
        let mut altered = json.clone().into_bytes();
        altered[at] = if byte == b'7' { b'3' } else { b'7' };
        let altered = String::from_utf8(altered).unwrap();
        let loaded = Saved::from_json(&altered).and_then(|saved| M::load(&saved));
        match loaded {
            // A last digit that is the same number.
            Ok(same) => assert_eq!(same, *model, "{altered}"),
            Err(error) => assert!(error.is_format(), "{altered}"),
        }
    }
    // No segmenter.
    assert!(segmenta::registry().load(&saved).is_err());
    saved
}

#[test]
fn models_come_back_to_the_bit() {
    let week = TimeUnit::Week;
    let all: [AnyPurchaseModel; 5] = [
        BgNbd::new(0.243, 4.414, 0.793, 2.426, week).unwrap().into(),
        MbgNbd::new(1.0 / 3.0, 1e-30, 1e30, 0.1, TimeUnit::Day).unwrap().into(),
        Nbd::new(0.1 + 0.2, 4.0, TimeUnit::Month).unwrap().into(),
        ParetoNbd::new(0.5533, 10.578, 0.6061, 11.6562, week).unwrap().into(),
        MbgCnbd::new(3, 2.1, 4.414, 0.793, 2.426, week).unwrap().into(),
    ];
    let saved = all.map(|model| comes_back(&model));
    let written = written();
    assert_eq!(saved[0], written[0]);
    let spend = GammaGamma::new(6.24957, 3.74422, 15.44352).unwrap();
    assert_eq!(comes_back(&spend), written[1]);
    assert_eq!(comes_back(&BgBb::new(1.204, 0.75, 0.657, 2.783).unwrap()), written[2]);
    let contracts = ShiftedBetaGeometric::new(0.704, 1.182).unwrap();
    assert_eq!(comes_back(&contracts), written[3]);
    assert_eq!(comes_back(&BetaBinomial::new(0.487, 0.826).unwrap()), written[5]);
    assert_eq!(comes_back(&Geometric::new(0.124_7).unwrap()), written[6]);
    assert_eq!(saved[4], written[7]);
}

#[test]
fn attributes_come_back_with_their_effects() {
    let histories = drawn(PurchaseModelKind::Nbd, 200);
    let friend = Array2::from_shape_fn((200, 1), |(i, _)| (i % 2) as f64);
    let kind = PurchaseModelKind::Nbd;
    let fit = |name| CovariateModel::fit(kind, &histories, friend.view(), &[name]);
    let model = fit("friend").unwrap().into_model();
    comes_back(&model);
    let names = model.features().unwrap();
    assert_eq!(names.index_of("friend").map(|at| at.get()), Some(3));
    let clash = fit("age").unwrap().into_model();
    assert!(clash.save().unwrap_err().to_string().contains("age"));
    let old = CovariateModel::load(&written()[4]).unwrap();
    assert_eq!(old.names(), ["friend"]);
}

#[test]
fn another_kind_is_refused() {
    let saved = &written()[0];
    assert!(AnyPurchaseModel::load(saved).is_ok());
    for other in [GammaGamma::load(saved).err(), BgBb::load(saved).err()] {
        let refused = other.unwrap();
        assert!(refused.is_format() && refused.to_string().contains("purchase_model"));
    }
}
