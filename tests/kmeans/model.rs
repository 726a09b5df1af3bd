//! Fitted models: assignment, explanation, memberships.

use segmenta::cluster::kmeans::{KMeans, KMeansModel};
use segmenta::data::{Column, OwnedCustomer, OwnedValue, Table, Validity};
use segmenta::encode::{Encoder, FittedEncoder, Impute};
use segmenta::ndarray::{Array2, array};
use segmenta::segmenter::{Scratch, Segment, SegmentIndex};
use segmenta::{Fit, FitBoxed, Segmenter, SegmenterExt};

use super::*;

#[test]
fn mixed_features_are_fitted_explained_and_decoded() {
    let table = shoppers();
    let fitted = KMeans::new(3).seed(1).fit(&table).unwrap();
    check_model(&fitted, &table);
    let model = fitted.model();
    assert_eq!(fitted.report().seed, Some(1));
    for row in table.rows() {
        check_explanation(model, &row);
    }
    let why = model.explain(&table.row(2)).unwrap();
    let features: Vec<&str> =
        why.contributions.iter().map(|c| c.feature.as_str()).collect();
    assert_eq!(features, ["spend", "country", "member", "tier"]);
    assert_eq!(why.contributions[1].value, OwnedValue::from("CH"));
    let typical: Vec<_> =
        why.contributions.iter().map(|c| c.typical.clone().unwrap()).collect();
    assert_eq!(
        typical[1..],
        [OwnedValue::from("CH"), OwnedValue::from(true), OwnedValue::from("gold")]
    );
    let OwnedValue::Number(spend) = typical[0] else { panic!() };
    assert!((spend - 900.0).abs() < 5.0, "{spend}");
    assert!(why.segment.is_some() && why.runner_up_name.is_some());
    assert!(why.to_string().contains("spend"));
}

#[test]
fn customers_that_cannot_be_encoded_are_refused_by_name() {
    let table = shoppers();
    let model = KMeans::new(3).fit(&table).unwrap().into_model();
    let ann = OwnedCustomer::new(table.schema(), 1)
        .set("spend", 20.0)
        .and_then(|c| c.set("country", "AT"))
        .and_then(|c| c.set("member", false))
        .and_then(|c| c.set("tier", "gold"))
        .unwrap();
    assert!(model.assign(&ann).is_ok());
    let broken = [
        ("spend", OwnedValue::Missing),
        ("spend", OwnedValue::Number(f64::NAN)),
        ("spend", OwnedValue::Number(f64::INFINITY)),
        ("spend", OwnedValue::Number(1e300)),
        ("spend", OwnedValue::Flag(true)),
        ("country", OwnedValue::from("Austria")),
        ("tier", OwnedValue::Missing),
    ];
    for (name, value) in broken {
        let customer = ann.clone().set(name, value).unwrap();
        let error = model.assign(&customer).unwrap_err();
        assert!(error.is_data() && error.to_string().contains(name), "{error}");
        assert!(model.explain(&customer).is_err());
        assert!(model.affinities(&customer).is_err());
    }
    assert!(!model.capabilities().accepts_missing);
    let mut short = [0.0; 2];
    assert!(model.affinities_with(&ann, &mut Scratch::new(), &mut short).is_err());
}

#[test]
fn imputed_values_are_accepted() {
    let schema = number_schema(1);
    let mask: Vec<bool> = vec![true, true, false, true, true];
    let numbers = vec![0.0, 1.0, f64::NAN, 10.0, 11.0];
    let table = Table::builder(&schema, 5)
        .column("x0", Column::Number(numbers.into(), Validity::Mask(mask.into())))
        .build()
        .unwrap();
    assert!(KMeans::new(2).fit(&table).is_err());
    let kmeans = KMeans::new(2).encoder(Encoder::new().impute(Impute::Median));
    let fitted = kmeans.fit(&table).unwrap();
    check_model(&fitted, &table);
    assert!(fitted.model().capabilities().accepts_missing);
    assert!(fitted.model().assign(&OwnedCustomer::new(&schema, 1)).is_ok());
}

#[test]
fn encoded_rows_are_checked() {
    let encoder = FittedEncoder::identity(&number_schema(2)).unwrap();
    let model =
        KMeansModel::from_centers(encoder, array![[0.0, 0.0], [4.0, 0.0]]).unwrap();
    let assigned = model.assign_row(&[1.0, 2.0]).unwrap();
    assert_eq!((assigned.cost(), assigned.margin()), (5.0, 8.0));
    let error = model.assign_row(&[1.0]).unwrap_err();
    assert_eq!(error.to_string(), "the encoded row has length 1, but 2 is needed");
    for (x, found) in [
        ([1.0, f64::NAN], "feature `x1` must be a finite number, but is NaN"),
        ([f64::INFINITY, 1.0], "feature `x0` must be a finite number, but is inf"),
    ] {
        assert_eq!(model.assign_row(&x).unwrap_err().to_string(), found);
    }
    let error = model.assign_row(&[0.0, 1e200]).unwrap_err().to_string();
    assert!(error.starts_with("`1e200` is not a `x1` so near"), "{error}");
    assert!(model.assign_row(&[1e150, -1e150]).is_ok());
}

#[test]
fn memberships_at_and_between_centres() {
    let schema = number_schema(1);
    let at = |x: f64| OwnedCustomer::new(&schema, 1).set("x0", x).unwrap();
    let encoder = FittedEncoder::identity(&schema).unwrap();
    let model =
        KMeansModel::from_centers(encoder.clone(), array![[0.0], [3.0], [0.0]]).unwrap();
    assert_eq!(model.affinities(&at(0.0)).unwrap(), [0.5, 0.0, 0.5]);
    assert_eq!(model.affinities(&at(3.0)).unwrap(), [0.0, 1.0, 0.0]);
    // Squared distances 1, 4, 1: 1 / (1 + 1/4 + 1) and a quarter of it.
    let degrees = model.affinities(&at(1.0)).unwrap();
    assert!(close(degrees[0], 4.0 / 9.0, 1e-15) && close(degrees[1], 1.0 / 9.0, 1e-15));
    assert_eq!(model.assign(&at(1.0)).unwrap().segment(), Some(SegmentIndex::new(0)));
    assert_eq!(model.assign(&at(1.0)).unwrap().margin(), 0.0);
    let why = model.explain(&at(1.0)).unwrap();
    assert_eq!(why.runner_up, Some(SegmentIndex::new(2)));
    let alone = KMeansModel::from_centers(encoder, array![[1.0]]).unwrap();
    assert_eq!(alone.affinities(&at(5.0)).unwrap(), [1.0]);
    check_explanation(&alone, &at(5.0));
}

#[test]
fn models_from_centers_are_checked() {
    let encoder = || FittedEncoder::identity(&number_schema(2)).unwrap();
    let refused = |centers: Array2<f64>| {
        assert!(
            KMeansModel::from_centers(encoder(), centers).unwrap_err().is_parameter()
        );
    };
    refused(Array2::zeros((0, 2)));
    refused(array![[1.0, f64::NAN]]);
    assert!(KMeansModel::from_centers(encoder(), array![[1.0]]).is_err());
    let empty = FittedEncoder::identity(&number_schema(0)).unwrap();
    assert!(KMeansModel::from_centers(empty, Array2::zeros((2, 0))).is_err());
    let model = KMeansModel::from_centers(encoder(), array![[1.0, 2.0]]).unwrap();
    assert_eq!(model.inertia(), None);
    assert_eq!(model.cluster_centers(), array![[1.0, 2.0]]);
    assert_eq!(model.segments(), Segment::numbered(1));
}

#[test]
fn the_boxed_twin_gives_the_same_model() {
    let table = shoppers();
    let plain = KMeans::new(3).fit(&table).unwrap();
    let boxed: Box<dyn FitBoxed> = Box::new(KMeans::new(3));
    let boxed = boxed.fit_boxed(&table, &mut ()).unwrap();
    assert_eq!(plain.labels(), boxed.labels());
    assert!(boxed.model().as_ref().is::<KMeansModel>());
    assert_eq!(
        plain.model().assign_all(&table).unwrap(),
        boxed.model().assign_all(&table).unwrap()
    );
}
