//! The built-in segmenters pass the kit that is offered to others.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]
#![cfg(feature = "testing")]

use segmenta::cluster::hierarchical::{
    AssignRule, Cut, Hierarchical, HierarchicalModel, Linkage,
};
use segmenta::cluster::kmeans::{KMeans, KMeansModel};
use segmenta::data::{Customer, FeatureSpec, OwnedCustomer, Schema, Table};
use segmenta::encode::{Encoder, Impute, UnknownLevel};
use segmenta::rfm::{Rfm, RfmModel, SegmentMap, TiePolicy};
use segmenta::rules::{RuleBook, RuleSegmenter, field};
use segmenta::segmenter::{
    Aligner, Assignment, Change, Crosstab, Fallback, Fit, FitBoxed, Relabel, Scratch,
    Segment, SegmentId, Segmenter, SegmenterExt, Tree,
};
use segmenta::testing::customers;

fn schema() -> Schema {
    Schema::new([
        FeatureSpec::number("recency").unit("days"),
        FeatureSpec::number("frequency"),
        FeatureSpec::number("monetary").unit("EUR"),
        FeatureSpec::flag("member"),
        FeatureSpec::category("country").levels(["AT", "CH", "DE"]),
        FeatureSpec::ordinal("tier", ["bronze", "silver", "gold"]),
        FeatureSpec::date("joined"),
        FeatureSpec::tags("likes").levels(["tea", "wine"]),
    ])
    .unwrap()
}

/// Customers whose numbers lie where models can scale them.
fn cases() -> Vec<OwnedCustomer> {
    customers(&schema(), 90, 3)
}

fn table() -> Table<'static> {
    Table::from_customers(&schema(), cases()).unwrap()
}

fn numbers() -> Table<'static> {
    let names = ["recency", "frequency", "monetary"];
    let schema = schema().select(&names).unwrap();
    Table::from_customers(&schema, customers(&schema, 90, 3)).unwrap()
}

fn logs() -> Encoder {
    Encoder::new().log1p(["recency", "frequency", "monetary"])
}

fn rules() -> RuleSegmenter {
    RuleSegmenter::builder(&schema())
        .segment("vip", "VIP", field("monetary").ge(1000.0) & field("tier").ge("silver"))
        .segment(
            "wine",
            "Wine",
            field("likes").has_any(["wine"]) | field("country").eq("AT"),
        )
        .build()
        .unwrap()
}

fn book() -> RuleBook {
    RuleBook::builder(&schema())
        .segment("vip", "VIP", field("monetary").ge(1000.0))
        .segment("member", "Members", field("member").eq(true))
        .build()
        .unwrap()
}

fn rfm() -> RfmModel {
    Rfm::new().fit(&table()).unwrap().into_model()
}

fn kmeans() -> KMeansModel {
    KMeans::new(3).n_init(2).encoder(logs()).fit(&table()).unwrap().into_model()
}

fn forgiving_kmeans() -> KMeansModel {
    let encoder = logs().impute(Impute::Median).unknown_level(UnknownLevel::Ignore);
    KMeans::new(4).n_init(2).encoder(encoder).fit(&table()).unwrap().into_model()
}

fn ward() -> HierarchicalModel {
    Hierarchical::new(Cut::Number(4)).encoder(logs()).fit(&table()).unwrap().into_model()
}

fn single() -> HierarchicalModel {
    Hierarchical::new(Cut::Number(3))
        .linkage(Linkage::Single)
        .assignment(AssignRule::NearestMember)
        .encoder(logs())
        .fit(&table())
        .unwrap()
        .into_model()
}

fn fallback() -> Fallback {
    Fallback::new(&schema())
        .then("rules", Box::new(rules()))
        .unwrap()
        .then("clusters", Box::new(kmeans()))
        .unwrap()
}

fn crosstab() -> Crosstab {
    Crosstab::new(&schema(), ("worth", Box::new(rfm())), ("kind", Box::new(ward())))
        .unwrap()
}

fn tree() -> Tree {
    Tree::new(&schema(), Box::new(rules()))
        .unwrap()
        .refine("vip", Box::new(kmeans()))
        .unwrap()
        .refine("wine", Box::new(fallback()))
        .unwrap()
}

mod segmenters {
    use super::*;

    segmenta::conformance!(rules_conform, segmenter: rules());
    segmenta::conformance!(book_conforms, segmenter: book());
    segmenta::conformance!(rfm_conforms, segmenter: rfm());
    segmenta::conformance!(kmeans_conforms, segmenter: kmeans());
    segmenta::conformance!(forgiving_kmeans_conforms, segmenter: forgiving_kmeans());
    segmenta::conformance!(ward_conforms, segmenter: ward());
    segmenta::conformance!(single_conforms, segmenter: single());
    segmenta::conformance!(fallback_conforms, segmenter: fallback());
    segmenta::conformance!(crosstab_conforms, segmenter: crosstab());
    segmenta::conformance!(tree_conforms, segmenter: tree());
}

mod models {
    use super::*;

    segmenta::conformance!(rules_persist, persist: rules());
    segmenta::conformance!(book_persists, persist: book());
    segmenta::conformance!(rfm_persists, persist: rfm());
    segmenta::conformance!(kmeans_persists, persist: kmeans());
    segmenta::conformance!(forgiving_kmeans_persists, persist: forgiving_kmeans());
    segmenta::conformance!(ward_persists, persist: ward());
    segmenta::conformance!(single_persists, persist: single());
    segmenta::conformance!(fallback_persists, persist: fallback());
    segmenta::conformance!(crosstab_persists, persist: crosstab());
    segmenta::conformance!(tree_persists, persist: tree());
}

mod fits {
    use super::*;

    segmenta::conformance!(rfm_fits, fit: Rfm::new(), table: numbers());
    segmenta::conformance!(
        rfm_mid_ranks_fit,
        fit: Rfm::rf().ties(TiePolicy::MidRank).n_tiles(5),
        table: numbers()
    );
    segmenta::conformance!(kmeans_fits, fit: KMeans::new(3).n_init(2).encoder(logs()), table: numbers());
    segmenta::conformance!(kmeans_fits_mixed, fit: KMeans::new(3).n_init(2).encoder(logs()), table: table());
    segmenta::conformance!(
        ward_fits,
        fit: Hierarchical::new(Cut::Number(3)).encoder(logs()),
        table: numbers()
    );
    segmenta::conformance!(
        average_fits,
        fit: Hierarchical::new(Cut::LargestGap).linkage(Linkage::Average).encoder(logs()),
        table: table()
    );
}

fn answers(segmenter: &dyn Segmenter) -> Vec<String> {
    let mut scratch = Scratch::new();
    let mut out = vec![Assignment::none(); table().len()];
    segmenter.assign_table(&table(), &mut out).unwrap();
    let mut seen = vec![format!("{out:?} {:?}", segmenter.capabilities())];
    seen.push(format!("{:?} {:?}", segmenter.schema(), segmenter.segments()));
    for case in cases() {
        let mut affinities = vec![0.0; segmenter.segments().len()];
        segmenter.affinities_with(&case, &mut scratch, &mut affinities).unwrap();
        seen.push(format!("{:?}", segmenter.assign_with(&case, &mut scratch)));
        seen.push(format!("{:?} {affinities:?}", segmenter.explain(&case)));
    }
    seen
}

#[test]
fn boxes_and_arcs_say_what_the_model_says() {
    let alone = answers(&forgiving_kmeans());
    let boxed: Box<dyn Segmenter> = Box::new(forgiving_kmeans());
    assert_eq!(answers(&boxed), alone);
    assert_eq!(answers(&std::sync::Arc::new(forgiving_kmeans())), alone);
    let nested: Box<dyn Segmenter> = Box::new(boxed);
    assert_eq!(answers(&nested), alone);
    assert!(nested.is::<KMeansModel>());
    assert_eq!(
        nested.downcast_ref::<KMeansModel>().unwrap().cluster_centers().nrows(),
        4
    );
    let saved = segmenta::registry().save(&nested).unwrap();
    assert_eq!(saved.kind(), "segmenta.kmeans");
}

#[test]
fn a_row_that_cannot_be_assigned_is_named() {
    // The first such row, also where it lies beyond the first block of rows.
    for bad in [0, 5, 1500] {
        let rows: Vec<OwnedCustomer> = customers(&schema(), 2000, 3)
            .into_iter()
            .enumerate()
            .map(|(row, case)| match row == bad || row == 1900 {
                true => {
                    case.set("monetary", segmenta::data::OwnedValue::Missing).unwrap()
                }
                false => case,
            })
            .collect();
        let table = Table::from_customers(&schema(), &rows).unwrap();
        for model in [&kmeans() as &dyn Segmenter, &rfm(), &ward(), &crosstab()] {
            let error = model.assign_all(&table).unwrap_err();
            let expected = format!("feature `monetary` is missing in row {bad}");
            assert_eq!(error.to_string(), expected);
        }
    }
}

#[test]
fn a_host_chooses_the_algorithm_from_its_configuration() {
    let choices: Vec<Box<dyn FitBoxed>> = vec![
        Box::new(Rfm::new()),
        Box::new(KMeans::new(3).encoder(logs())),
        Box::new(Hierarchical::new(Cut::Number(3)).encoder(logs())),
    ];
    for choice in &choices {
        choice.validate_boxed().unwrap();
        let fitted = choice.fit_boxed(&numbers(), &mut ()).unwrap();
        assert_eq!(fitted.labels().len(), 90);
        let assigned = fitted.model().assign_all(&numbers()).unwrap();
        assert_eq!(assigned.len(), 90);
    }
}

#[test]
fn compositions_ask_their_parts() {
    let (rules, kmeans, fallback) = (rules(), kmeans(), fallback());
    for case in cases() {
        let by_rule =
            rules.segment_of(&rules.assign(&case).unwrap()).map(|s| s.id.to_string());
        let by_mean =
            kmeans.segment_of(&kmeans.assign(&case).unwrap()).unwrap().id.to_string();
        let expected = match by_rule {
            Some(id) => format!("rules/{id}"),
            None => format!("clusters/{by_mean}"),
        };
        let got =
            fallback.segment_of(&fallback.assign(&case).unwrap()).unwrap().id.to_string();
        assert_eq!(got, expected);

        let crosstab = crosstab();
        let (rfm, ward) = (rfm(), ward());
        let a = rfm.segment_of(&rfm.assign(&case).unwrap()).unwrap().id.to_string();
        let b = ward.segment_of(&ward.assign(&case).unwrap()).unwrap().id.to_string();
        let both =
            crosstab.segment_of(&crosstab.assign(&case).unwrap()).unwrap().id.to_string();
        assert_eq!(both, format!("{a}/{b}"));
    }
    let ids: Vec<String> = tree().segments().iter().map(|s| s.id.to_string()).collect();
    assert_eq!(ids[0], "vip/segment-1");
    assert!(ids.contains(&"wine/rules/vip".to_owned()));
}

#[test]
fn a_root_segment_that_is_not_refined_stays_as_it_is() {
    let tree = Tree::new(&schema(), Box::new(kmeans())).unwrap();
    let tree = tree.refine("segment-2", Box::new(rfm())).unwrap();
    let (root, child) = (kmeans(), rfm());
    let mut leaves = 0;
    for case in cases() {
        let at_root = root.assign(&case).unwrap();
        let outer = root.segment_of(&at_root).unwrap().id.to_string();
        let assigned = tree.assign(&case).unwrap();
        let id = tree.segment_of(&assigned).unwrap().id.to_string();
        if outer == "segment-2" {
            let inner = child.segment_of(&child.assign(&case).unwrap()).unwrap();
            assert_eq!(id, format!("segment-2/{}", inner.id));
        } else {
            leaves += 1;
            assert_eq!(id, outer);
            assert_eq!(
                (assigned.cost(), assigned.margin()),
                (at_root.cost(), at_root.margin())
            );
            let affinity =
                tree.affinities(&case).unwrap()[assigned.segment().unwrap().get()];
            assert!(affinity > 0.0);
        }
    }
    assert!(leaves > 0);
}

#[test]
fn compositions_that_do_not_hold_together_are_refused() {
    let narrow = Schema::new([FeatureSpec::number("monetary").unit("EUR")]).unwrap();
    assert!(
        Fallback::new(&narrow).then("rules", Box::new(rules())).unwrap_err().is_schema()
    );
    assert!(Tree::new(&narrow, Box::new(rules())).unwrap_err().is_schema());
    let twice = fallback().then("rules", Box::new(rules()));
    assert!(twice.unwrap_err().is_schema());
    let unknown = tree().refine("nobody", Box::new(kmeans())).unwrap_err();
    assert!(unknown.to_string().contains("`nobody`"), "{unknown}");
    assert!(tree().refine("vip", Box::new(kmeans())).is_err(), "refined twice");
}

/// A model that only renumbers another's segments.
fn relabelled(ids: &[&str]) -> KMeansModel {
    let mut model = kmeans();
    let segments =
        ids.iter().map(|id| Segment::new(*id, format!("Name of {id}"))).collect();
    model.relabel(segments).unwrap();
    model
}

#[test]
fn ids_are_carried_to_a_refit() {
    let old = relabelled(&["gold", "silver", "lead"]);
    let mut same = kmeans();
    let alignment = Aligner::new().align(&old, &mut same, &table()).unwrap();
    assert!(alignment.is_one_to_one());
    let names =
        |m: &KMeansModel| m.segments().iter().map(|s| s.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&same), names(&old));
    assert_eq!(alignment.overlap().iter().flatten().sum::<f64>(), 90.0);

    // Another number of segments: some ids go on, others are new, none is given twice.
    let mut finer = forgiving_kmeans();
    let retired = SegmentId::new("segment-7");
    let alignment = Aligner::new().min_jaccard(0.3).reserve([retired]).align(
        &old,
        &mut finer,
        &table(),
    );
    let alignment = alignment.unwrap();
    let mut ids: Vec<String> =
        finer.segments().iter().map(|s| s.id.to_string()).collect();
    for change in alignment.changes() {
        match change {
            Change::Kept { id, jaccard } => {
                assert!(*jaccard >= 0.3 && old.index_of(id).is_some());
            }
            Change::New { id, .. } => {
                let number: u32 =
                    id.as_str().strip_prefix("segment-").unwrap().parse().unwrap();
                assert!(number > 7);
            }
            Change::Retired { id, .. } => assert!(finer.index_of(id).is_none()),
        }
    }
    assert_eq!(alignment.changes().len(), 4 + 3 - kept(alignment.changes()));
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4);
}

#[test]
fn a_retired_id_is_not_given_again() {
    let last = format!("segment-{}", u64::MAX);
    let old = relabelled(&["gold", "segment-1", "lead"]);
    let mut new = forgiving_kmeans();
    let reserved = [SegmentId::new(last.as_str()), "segment-2".into()];
    let aligner = Aligner::new().min_jaccard(1.0).reserve(reserved);
    aligner.align(&old, &mut new, &table()).unwrap();
    let ids: Vec<&str> = new.segments().iter().map(|s| s.id.as_str()).collect();
    assert!(!ids.contains(&last.as_str()) && !ids.contains(&"segment-2"), "{ids:?}");
}

fn kept(changes: &[Change]) -> usize {
    changes.iter().filter(|c| matches!(c, Change::Kept { .. })).count()
}

#[test]
fn alignments_and_relabelling_check_what_they_get() {
    let old = kmeans();
    let mut new = kmeans();
    for bad in [0.0, -1.0, 1.5, f64::NAN] {
        assert!(Aligner::new().min_jaccard(bad).align(&old, &mut new, &table()).is_err());
    }
    let none = table().select_rows(&[]).unwrap();
    assert!(Aligner::new().align(&old, &mut new, &none).is_err());
    assert!(new.relabel(Segment::numbered(2)).is_err());
    let twin = || Segment::new("a", "A");
    assert!(new.relabel(vec![twin(), twin(), Segment::new("b", "B")]).is_err());
    assert!(
        new.relabel(vec![twin(), Segment::new("", ""), Segment::new("b", "B")]).is_err()
    );
}

#[test]
fn a_map_of_the_hosts_own_is_kept_by_the_model() {
    let map = SegmentMap::rf_grid();
    let model = Rfm::rf().segments(map).fit(&numbers()).unwrap().into_model();
    let names: Vec<&str> = model.segments().iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names.len(), 10);
    let case = &cases()[0];
    assert!(case.id() == 0.into());
}
