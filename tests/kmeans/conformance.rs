//! The conformance kit on k-means.

use segmenta::Fit;
use segmenta::cluster::kmeans::{Init, KMeans, KMeansModel};
use segmenta::data::{OwnedCustomer, Table};
use segmenta::encode::Encoder;

use super::*;

fn numbers() -> Table<'static> {
    let x = blobs(60, 3, 4, 6);
    let mut builder = Table::builder(&number_schema(3), 60);
    for (j, column) in x.columns().into_iter().enumerate() {
        builder = builder.numbers(&format!("x{j}"), column.to_vec());
    }
    builder.build().unwrap()
}

fn model_of_numbers() -> KMeansModel {
    KMeans::new(4).fit(&numbers()).unwrap().into_model()
}

fn model_of_shoppers() -> KMeansModel {
    KMeans::new(3).fit(&shoppers()).unwrap().into_model()
}

fn the_shoppers() -> Vec<OwnedCustomer> {
    let table = shoppers();
    let schema = table.schema();
    let values =
        |i: usize| schema.indices().map(|f| table.row(i).value(f).to_owned()).collect();
    (0..table.len())
        .map(|i| OwnedCustomer::with_values(schema, i as u64, values(i)).unwrap())
        .collect()
}

segmenta::conformance!(fit_numbers, fit: KMeans::new(4), table: numbers());
segmenta::conformance!(fit_random, fit: by_random(), table: numbers());
segmenta::conformance!(fit_mixed, fit: KMeans::new(3), table: shoppers());
segmenta::conformance!(of_numbers, segmenter: model_of_numbers());
segmenta::conformance!(of_mixed, segmenter: model_of_shoppers(), cases: the_shoppers());
segmenta::conformance!(saved_numbers, persist: model_of_numbers());
segmenta::conformance!(
    saved_mixed, persist: model_of_shoppers(), cases: the_shoppers()
);

fn by_random() -> KMeans {
    KMeans::new(6).init(Init::Random).encoder(Encoder::unscaled())
}
