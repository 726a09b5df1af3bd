//! The shape of a service: a saved model is loaded once, shared by threads, asked about
//! single customers, and replaced by a refit that keeps segment ids.
//!
//! ```text
//! cargo run --release --example embed
//! ```

// A program may print and start threads; the library never does.
#![allow(clippy::disallowed_methods, clippy::print_stdout)]

mod shop;

use std::sync::{Arc, RwLock};

use segmenta::cluster::kmeans::KMeans;
use segmenta::data::FeatureSet;
use segmenta::encode::Encoder;
use segmenta::segmenter::{Aligner, Change, Saved, Scratch, SegmentId};
use segmenta::{Error, Fit, Result, Segmenter, SegmenterExt};
use shop::Shopper;

/// What the requests see. Swapping the `Arc` is the whole of a deployment: requests that
/// are under way finish with the model that they began with.
struct Service {
    features: FeatureSet<Shopper>,
    model: RwLock<Arc<dyn Segmenter>>,
}

impl Service {
    /// Loads a model from what a file or a database row holds.
    fn load(json: &str) -> Result<Service> {
        let features = features()?;
        let model: Arc<dyn Segmenter> =
            Arc::from(segmenta::registry().load(&Saved::from_json(json)?)?);
        // Told at the start, not by the first customer: do we have what the model reads?
        model.bind(features.schema())?;
        Ok(Service { features, model: RwLock::new(model) })
    }

    /// The model of this moment.
    fn model(&self) -> Result<Arc<dyn Segmenter>> {
        let model = self.model.read().map_err(|e| Error::other(e.to_string()))?;
        Ok(Arc::clone(&model))
    }

    /// One request: nothing is allocated but the answer.
    fn segment_of(
        &self,
        shopper: &Shopper,
        scratch: &mut Scratch,
    ) -> Result<Option<SegmentId>> {
        let model = self.model()?;
        let assignment = model.assign_with(&self.features.view(shopper), scratch)?;
        Ok(model.segment_of(&assignment).map(|segment| segment.id.clone()))
    }

    fn replace(&self, json: &str) -> Result<()> {
        let next: Arc<dyn Segmenter> =
            Arc::from(segmenta::registry().load(&Saved::from_json(json)?)?);
        next.bind(self.features.schema())?;
        *self.model.write().map_err(|e| Error::other(e.to_string()))? = next;
        Ok(())
    }
}

fn main() -> Result<()> {
    // Somewhere else, some time ago: a model was fitted and saved.
    let shoppers = shop::shoppers(3000, 7);
    let table = features()?.table(&shoppers)?;
    let config =
        KMeans::new(4).seed(7).encoder(Encoder::new().log1p(["orders", "spend"]));
    let first = config.fit(&table)?.into_model();
    let json = segmenta::registry().save(&first)?.to_json()?;
    println!("a saved model takes {} bytes", json.len());

    // The service: one model, many threads, each with its own scratch.
    let service = Service::load(&json)?;
    let counts = std::thread::scope(|scope| {
        let count = |part: &[Shopper]| -> Result<usize> {
            let mut scratch = Scratch::new();
            let mut assigned = 0;
            for shopper in part {
                assigned +=
                    usize::from(service.segment_of(shopper, &mut scratch)?.is_some());
            }
            Ok(assigned)
        };
        let parts = shoppers.chunks(1000);
        let workers: Vec<_> =
            parts.map(|part| scope.spawn(move || count(part))).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().map_err(|_| Error::other("a worker panicked"))?)
            .collect::<Result<Vec<usize>>>()
    })?;
    println!("{counts:?} customers were assigned by three threads");

    // A month later: fitted again on new data, with the ids of the model in use.
    let later = shop::shoppers(3300, 8);
    let new_table = features()?.table(&later)?;
    let mut refit =
        KMeans::new(5).seed(7).encoder(Encoder::new().log1p(["orders", "spend"]));
    refit = refit.n_init(5);
    let mut refit = refit.fit(&new_table)?.into_model();
    let in_use = service.model()?;
    let alignment = Aligner::new().align(&*in_use, &mut refit, &new_table)?;
    for change in alignment.changes() {
        match change {
            Change::Kept { id, jaccard } => {
                println!("{id} goes on (Jaccard {jaccard:.2})")
            }
            Change::New { id, from } => println!("{id} is new, out of {from:.2?}"),
            Change::Retired { id, into } => println!("{id} is retired, into {into:.2?}"),
        }
    }
    let before = service.segment_of(&shoppers[0], &mut Scratch::new())?;
    service.replace(&segmenta::registry().save(&refit)?.to_json()?)?;
    let after = service.segment_of(&shoppers[0], &mut Scratch::new())?;
    println!("customer {}: {before:?} before, {after:?} after", shoppers[0].id);

    // A damaged file is refused, and the service goes on as it was.
    let damaged = json.replace("segment-1", "segment-9");
    println!(
        "damaged: {}",
        service.replace(&damaged).map_or_else(|e| e.to_string(), |()| "?".into())
    );
    assert_eq!(after, service.segment_of(&shoppers[0], &mut Scratch::new())?);
    Ok(())
}

/// How the service reads a customer. It is part of the program, not of the model.
fn features() -> Result<FeatureSet<Shopper>> {
    FeatureSet::<Shopper>::builder()
        .id(|s| s.id.into())
        .number("orders", |s: &Shopper| s.purchases.len())
        .number("spend", |s: &Shopper| {
            s.purchases
                .iter()
                .map(|p| p.amount_minor as f64 / 100.0)
                .sum::<f64>()
                .max(0.0)
        })
        .number("days_since_last", |s: &Shopper| {
            s.purchases.last().map(|p| p.day.days_until(shop::as_of()))
        })
        .build()
}
