//! Compositions and alignments of segmenters that break their contract, and very deep ones.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

use segmenta::cluster::kmeans::KMeans;
use segmenta::data::{Customer, FeatureSpec, OwnedCustomer, Schema, Table};
use segmenta::rules::{Rule, RuleSegmenter};
use segmenta::segmenter::{
    Aligner, Assignment, Crosstab, Explanation, Fallback, Fit, Saved, Scratch, Segment,
    SegmentIndex, Segmenter, SegmenterExt, Tree,
};
use segmenta::{Result, registry};

fn schema() -> Schema {
    Schema::new([FeatureSpec::number("orders")]).unwrap()
}

/// Assigns everybody to segment `at`, also where it has no such segment.
#[derive(Debug)]
struct Stuck {
    schema: Schema,
    segments: Vec<Segment>,
    at: u32,
}

impl Segmenter for Stuck {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn segments(&self) -> &[Segment] {
        &self.segments
    }

    fn assign_with(&self, _: &dyn Customer, _: &mut Scratch) -> Result<Assignment> {
        Ok(Assignment::certain(SegmentIndex::new(self.at)))
    }

    fn explain(&self, customer: &dyn Customer) -> Result<Explanation> {
        self.assign_with(customer, &mut Scratch::new()).map(Explanation::opaque)
    }
}

fn stuck(at: u32) -> Box<dyn Segmenter> {
    Box::new(Stuck { schema: schema(), segments: Segment::numbered(2), at })
}

#[test]
fn a_part_that_assigns_a_segment_it_does_not_have_is_an_error() {
    let ann = OwnedCustomer::new(&schema(), 1).set("orders", 3.0).unwrap();
    for at in [2, 3, u32::MAX] {
        let wholes: [Box<dyn Segmenter>; 5] = [
            Box::new(
                Fallback::new(&schema())
                    .then("a", stuck(at))
                    .unwrap()
                    .then("b", stuck(0))
                    .unwrap(),
            ),
            Box::new(
                Crosstab::new(&schema(), ("a", stuck(at)), ("b", stuck(0))).unwrap(),
            ),
            Box::new(
                Crosstab::new(&schema(), ("a", stuck(0)), ("b", stuck(at))).unwrap(),
            ),
            Box::new(Tree::new(&schema(), stuck(at)).unwrap()),
            Box::new(
                Tree::new(&schema(), stuck(0))
                    .unwrap()
                    .refine("segment-1", stuck(at))
                    .unwrap(),
            ),
        ];
        for whole in wholes {
            let error = whole.assign(&ann).unwrap_err().to_string();
            let expected = format!("`{at}` is not the index of a segment: below 2");
            assert_eq!(error, expected, "{whole:?}");
            assert_eq!(whole.explain(&ann).unwrap_err().to_string(), expected);
        }
    }
}

#[test]
fn a_model_that_assigns_a_segment_it_does_not_have_cannot_be_aligned() {
    let table =
        Table::builder(&schema(), 3).numbers("orders", vec![1.0, 2.0, 9.0]).build();
    let table = table.unwrap();
    for at in [2, 3, u32::MAX] {
        let mut new = KMeans::new(2).fit(&table).unwrap().into_model();
        let error = Aligner::new().align(&*stuck(at), &mut new, &table).unwrap_err();
        let expected = format!("`{at}` is not the index of a segment: below 2 in row 0");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn what_is_saved_can_be_read_back_however_deep_it_is() {
    let rule = RuleSegmenter::builder(&schema()).segment("a", "A", Rule::Everyone);
    let mut whole: Box<dyn Segmenter> = Box::new(rule.build().unwrap());
    let (mut n_saved, mut n_refused) = (0, 0);
    for _ in 0..60 {
        match registry().save(&*whole) {
            Ok(saved) => {
                let read = Saved::from_json(&saved.to_json().unwrap()).unwrap();
                assert_eq!(registry().load(&read).unwrap().segments(), whole.segments());
                n_saved += 1;
            }
            Err(error) => {
                assert!(error.is_parameter(), "{error}");
                n_refused += 1;
            }
        }
        whole = Box::new(Fallback::new(&schema()).then("x", whole).unwrap());
    }
    assert!(n_saved >= 40 && n_refused >= 10, "{n_saved} {n_refused}");
}
