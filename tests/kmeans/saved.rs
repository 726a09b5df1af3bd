//! Saved models and configurations, renamed segments.

use segmenta::cluster::kmeans::{Init, KMeans, KMeansModel};
use segmenta::encode::Encoder;
use segmenta::ndarray::array;
use segmenta::segmenter::{Persist, Registry, Relabel, Saved, Segment};
use segmenta::{ErrorKind, Fit, Segmenter, SegmenterExt};

use super::*;

#[test]
fn segments_can_be_renamed() {
    let mut model = KMeans::new(3).fit(&shoppers()).unwrap().into_model();
    let names = ["a", "b", "c"].map(|id| Segment::new(id, id.to_uppercase()));
    model.relabel(names.to_vec()).unwrap();
    assert_eq!(model.segments(), names);
    assert!(model.relabel(names[..2].to_vec()).is_err());
    assert!(model.relabel(vec![names[0].clone(); 3]).is_err());
    assert_eq!(model.segments(), names);
}

#[test]
fn configurations_can_be_saved() {
    let all = [
        KMeans::new(3).n_init(4).max_iter(9).tol(0.5).seed(u64::MAX),
        KMeans::new(2).init(Init::Random).encoder(Encoder::unscaled()),
        KMeans::new(2).init(Init::KMeansParallel),
        from(array![[0.1, 0.2], [1.0 / 3.0, -1.0]]),
    ];
    for kmeans in all {
        let json = serde_json::to_string(&kmeans).unwrap();
        assert_eq!(serde_json::from_str::<KMeans>(&json).unwrap(), kmeans);
    }
    let short: KMeans = serde_json::from_str(r#"{"n_clusters":5}"#).unwrap();
    assert_eq!(short, KMeans::new(5));
    for bad in [
        r#"{"n_clusters":5,"n_int":3}"#,
        r#"{"n_clusters":2,"init":{"centers":[[1.0],[1.0,2.0]]}}"#,
        "{}",
    ] {
        assert!(serde_json::from_str::<KMeans>(bad).is_err());
    }
}

#[test]
fn saved_models_come_back_to_the_bit() {
    let table = shoppers();
    let mut model = KMeans::new(3).fit(&table).unwrap().into_model();
    let mut renamed = model.segments().to_vec();
    renamed[1].name = "Regulars".into();
    model.relabel(renamed).unwrap();
    let json = model.save().unwrap().to_json().unwrap();
    let saved = Saved::from_json(&json).unwrap();
    assert_eq!((saved.kind(), saved.version()), ("segmenta.kmeans", 1));
    let loaded = KMeansModel::load(&saved).unwrap();
    assert_eq!(loaded.segments(), model.segments());
    assert_eq!(loaded.inertia(), model.inertia());
    assert_eq!(loaded.cluster_centers(), model.cluster_centers());
    assert_eq!(loaded.assign_all(&table).unwrap(), model.assign_all(&table).unwrap());
    assert_eq!(loaded.save().unwrap().digest(), saved.digest());
}

#[test]
fn hostile_models_are_refused() {
    use serde_json::json;
    let table = shoppers();
    let model = KMeans::new(3).fit(&table).unwrap().into_model();
    let registry = Registry::empty();
    let good = serde_json::to_value(model.to_repr(&registry).unwrap()).unwrap();
    let load = |document: serde_json::Value| {
        let repr = serde_json::from_value(document).map_err(|e| e.to_string())?;
        match KMeansModel::from_repr(repr, table.schema().clone(), &registry) {
            Ok(model) => Ok(model),
            Err(e) => {
                assert!(e.is_format(), "{e}");
                assert!(matches!(e.kind(), ErrorKind::Corrupt { .. }), "{e}");
                Err(e.to_string())
            }
        }
    };
    assert!(load(good.clone()).is_ok());
    let cases = [
        ("/centers", json!([])),
        ("/centers/1", json!([1.0])),
        ("/centers/1", json!([])),
        ("/centers/0/0", json!(null)),
        ("/centers/0/0", json!("x")),
        ("/centers", json!([good["centers"][0]])),
        ("/segments", json!([])),
        ("/segments/1/id", json!("segment-1")),
        ("/segments/1/id", json!("")),
        ("/segments/1/share", json!(1.5)),
        ("/segments/1/size", json!(-1)),
        ("/inertia", json!(-1.0)),
        ("/inertia", json!("much")),
        ("/encoder", json!({})),
        ("/encoder/features", json!([])),
    ];
    for (at, value) in cases {
        let mut document = good.clone();
        *document.pointer_mut(at).unwrap() = value;
        assert!(load(document).is_err(), "{at}");
    }
    let mut extra = good.clone();
    extra["more"] = json!(1);
    assert!(load(extra).is_err());
    let json = model.save().unwrap().to_json().unwrap();
    let mut envelope: serde_json::Value = serde_json::from_str(&json).unwrap();
    envelope["model"]["centers"][0][0] = json!(0.125);
    assert!(Saved::from_json(&envelope.to_string()).unwrap_err().is_format());
    assert!(Saved::from_json(&json[..json.len() / 2]).unwrap_err().is_format());
}
