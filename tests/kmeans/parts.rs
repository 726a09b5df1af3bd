//! Moments, coresets and steps of rows that come in parts.

use proptest::prelude::*;
use segmenta::cluster::kmeans::{
    Coreset, CoresetPlan, KMeans, KMeansStep, Moments, hash_id,
};
use segmenta::ndarray::{Array2, ArrayView2, array, s};
use segmenta::{ErrorKind, Result};

use super::*;

/// Rows with weights and ids.
struct Data {
    x: Array2<f64>,
    w: Option<Vec<f64>>,
    ids: Vec<u64>,
}

fn data(n: usize, p: usize, seed: u64, weighted: bool) -> Data {
    let w = noise(n, seed + 3).into_iter().map(|w| (w + 0.8).max(0.0)).collect();
    let ids = (0..n as u64).map(|i| hash_id(&i.to_string())).collect();
    Data { x: blobs(n, p, 4, seed), w: weighted.then_some(w), ids }
}

impl Data {
    /// Calls with the rows between each two of these places.
    fn parts(
        &self,
        cuts: &[usize],
        mut each: impl FnMut(&[u64], ArrayView2<'_, f64>, Option<&[f64]>),
    ) {
        let mut cuts: Vec<usize> =
            cuts.iter().map(|c| c % (self.ids.len() + 1)).collect();
        cuts.extend([0, self.ids.len()]);
        cuts.sort_unstable();
        for cut in cuts.windows(2) {
            let rows = cut[0]..cut[1];
            each(
                &self.ids[rows.clone()],
                self.x.slice(s![rows.clone(), ..]),
                self.w.as_ref().map(|w| &w[rows]),
            );
        }
    }

    fn shuffled(&self, seed: u64) -> Data {
        let keys = noise(self.ids.len(), seed + 99);
        let mut order: Vec<usize> = (0..self.ids.len()).collect();
        order.sort_by(|&a, &b| keys[a].total_cmp(&keys[b]));
        Data {
            x: self.x.select(Axis(0), &order),
            w: self.w.as_ref().map(|w| order.iter().map(|&i| w[i]).collect()),
            ids: order.iter().map(|&i| self.ids[i]).collect(),
        }
    }

    fn moments(&self) -> Moments {
        let mut moments = Moments::new(self.x.ncols()).unwrap();
        moments.add(self.x.view(), self.w.as_deref()).unwrap();
        moments
    }

    fn coreset(&self, plan: &CoresetPlan) -> Coreset {
        let mut coreset = plan.coreset();
        coreset.add(&self.ids, self.x.view(), self.w.as_deref()).unwrap();
        coreset
    }

    fn step(&self, moments: &Moments, centers: &Array2<f64>) -> KMeansStep {
        let mut step = KMeansStep::new(moments, centers.view()).unwrap();
        step.add(self.x.view(), self.w.as_deref()).unwrap();
        step
    }

    fn weight(&self, i: usize) -> f64 {
        self.w.as_ref().map_or(1.0, |w| w[i])
    }
}

fn moved<T: serde::Serialize + serde::de::DeserializeOwned>(state: &T) -> T {
    serde_json::from_str(&serde_json::to_string(state).unwrap()).unwrap()
}

fn json<T: serde::Serialize>(state: &T) -> String {
    serde_json::to_string(state).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn any_split_and_order_gives_the_same_bits(
        n in 4_usize..300, p in 1_usize..7, seed in 0_u64..1 << 40,
        cuts in prop::collection::vec(any::<usize>(), 0..6),
        weighted in any::<bool>(), backwards in any::<bool>(), send in any::<bool>(),
    ) {
        let whole = data(n, p, seed, weighted);
        let mixed = whole.shuffled(seed);
        let centers = head(&whole.x, 4);
        let moments = whole.moments();
        let plan = CoresetPlan::new(&moments, 20, seed).unwrap();
        let (mut all_moments, mut samples, mut steps) = (Vec::new(), Vec::new(), Vec::new());
        mixed.parts(&cuts, |ids, x, w| {
            let mut part = Moments::new(p).unwrap();
            part.add(x, w).unwrap();
            all_moments.push(if send { moved(&part) } else { part });
            let mut part = plan.coreset();
            part.add(ids, x, w).unwrap();
            samples.push(if send { moved(&part) } else { part });
            let mut part = KMeansStep::new(&moments, centers.view()).unwrap();
            part.add(x, w).unwrap();
            steps.push(if send { moved(&part) } else { part });
        });
        if backwards {
            all_moments.reverse();
            samples.reverse();
            steps.reverse();
        }
        let (mut all, mut sample, mut step) =
            (all_moments.remove(0), samples.remove(0), steps.remove(0));
        all_moments.iter().for_each(|part| all.merge(part).unwrap());
        samples.iter().for_each(|part| sample.merge(part).unwrap());
        steps.iter().for_each(|part| step.merge(part).unwrap());
        prop_assert_eq!(json(&all), json(&moments));
        prop_assert_eq!(&all, &moments);
        prop_assert_eq!(json(&sample), json(&whole.coreset(&plan)));
        let at_once = whole.step(&moments, &centers);
        prop_assert_eq!(json(&step), json(&at_once));
        prop_assert_eq!(&step, &at_once);
        prop_assert_eq!(step.finish().unwrap(), at_once.finish().unwrap());
    }

    #[test]
    fn moments_are_those_of_the_rows(
        n in 1_usize..200, p in 1_usize..5, seed in 0_u64..1 << 40,
        weighted in any::<bool>(), offset in -1e9..1e9_f64,
    ) {
        let mut rows = data(n, p, seed, weighted);
        rows.x += offset;
        let weight: f64 = (0..n).map(|i| rows.weight(i)).sum();
        prop_assume!(weight > 0.0);
        let moments = rows.moments();
        prop_assert_eq!((moments.n_rows(), moments.n_columns()), (n as u64, p));
        prop_assert!(close(moments.weight(), weight, 1e-12));
        let (mean, variances) = (moments.mean().unwrap(), moments.variances().unwrap());
        for j in 0..p {
            let near = |i: usize| rows.x[(i, j)] - offset;
            let m = (0..n).map(|i| rows.weight(i) * near(i)).sum::<f64>() / weight;
            let square = |i: usize| rows.weight(i) * (near(i) - m) * (near(i) - m);
            let variance = (0..n).map(square).sum::<f64>() / weight;
            prop_assert!((mean[j] - offset - m).abs() < 1e-6);
            prop_assert!(close(variances[j], variance, 1e-9), "{} {variance}", variances[j]);
        }
    }

    /// Steps of parts end where a fit of the whole does, to the bit.
    #[test]
    fn steps_are_the_iterations_of_a_fit(
        n in 4_usize..120, p in 1_usize..6, k in 1_usize..9, seed in 0_u64..1 << 40,
        cut in any::<usize>(), weighted in any::<bool>(), far in any::<bool>(),
    ) {
        let rows = data(n, p, seed, weighted);
        let mut centers = head(&rows.x, k.min(n));
        if far {
            // Centres that lose their rows at once, and are relocated.
            centers.row_mut(0).fill(300.0);
        }
        let kmeans = from(centers.clone()).tol(0.0);
        let fitted = match kmeans.fit_matrix(rows.x.view(), rows.w.as_deref(), &mut ()) {
            Ok(fitted) => fitted,
            Err(_) => return Ok(()),
        };
        let moments = rows.moments();
        for _ in 0..1000 {
            let mut step = KMeansStep::new(&moments, centers.view()).unwrap();
            let mut labels = Vec::new();
            rows.parts(&[cut], |_, x, w| {
                let mut part = KMeansStep::new(&moments, centers.view()).unwrap();
                labels.extend(part.add(x, w).unwrap());
                step.merge(&part).unwrap();
            });
            let result = step.finish().unwrap();
            if result.shift == 0.0 {
                let labels: Vec<usize> = labels.iter().map(|&l| l as usize).collect();
                prop_assert_eq!(&labels, &fitted.labels);
                prop_assert!(close(result.inertia, fitted.inertia, 1e-12));
                // A fit ends when no label changes, which is one step before.
                prop_assert_eq!(&result.centers, &fitted.centers);
                return Ok(());
            }
            centers = result.centers;
        }
        prop_assert!(false, "no convergence");
    }
}

#[test]
fn a_saved_state_goes_on() {
    let whole = data(90, 3, 5, true);
    let centers = head(&whole.x, 3);
    let moments = whole.moments();
    let plan = CoresetPlan::new(&moments, 30, 1).unwrap();
    let mut coreset = plan.coreset();
    let mut step = KMeansStep::new(&moments, centers.view()).unwrap();
    let mut again = Moments::new(3).unwrap();
    whole.parts(&[30, 60], |ids, x, w| {
        coreset.add(ids, x, w).unwrap();
        coreset = moved(&coreset);
        step.add(x, w).unwrap();
        step = moved(&step);
        again.add(x, w).unwrap();
        again = moved(&again);
    });
    assert!(coreset == whole.coreset(&moved(&plan)));
    assert!(step == whole.step(&moments, &centers));
    assert_eq!(again, moments);
}

/// The mean of the cost over many seeds is the cost on all rows.
#[test]
fn costs_on_a_coreset_are_unbiased() {
    let rows = data(2000, 3, 8, true);
    let moments = rows.moments();
    let centers = array![[0.0, 0.0, 0.0], [3.0, -2.0, 5.0]];
    let centers: Vec<Vec<f64>> = centers.rows().into_iter().map(|r| r.to_vec()).collect();
    let cost = |x: &[f64]| nearest(x, &centers).1;
    let exact: f64 =
        (0..2000).map(|i| rows.weight(i) * cost(&rows.x.row(i).to_vec())).sum();
    let estimates: Vec<f64> = (0..200)
        .map(|seed| {
            let coreset = rows.coreset(&CoresetPlan::new(&moments, 100, seed).unwrap());
            let points = coreset.points();
            let rows = points.rows().into_iter().zip(coreset.weights());
            rows.map(|(row, w)| w * cost(&row.to_vec())).sum()
        })
        .collect();
    let mean = estimates.iter().sum::<f64>() / 200.0;
    let variance = estimates.iter().map(|e| (e - mean) * (e - mean)).sum::<f64>() / 199.0;
    let error = (variance / 200.0).sqrt();
    assert!((mean - exact).abs() < 4.0 * error, "{mean} {exact} {error}");
    assert!(error < 0.02 * exact);
}

#[test]
fn the_size_is_as_wanted_and_weights_sum_to_all_rows() {
    let rows = data(20_000, 4, 9, false);
    let moments = rows.moments();
    let coreset = rows.coreset(&CoresetPlan::new(&moments, 1000, 3).unwrap());
    // The standard deviation of the size is at most 32.
    assert!((872..=1128).contains(&coreset.len()), "{}", coreset.len());
    let weight: f64 = coreset.weights().iter().sum();
    assert!((weight - 20_000.0).abs() < 4000.0, "{weight}");
    assert_eq!((coreset.n_seen(), coreset.is_empty()), (20_000, false));
    assert_eq!(coreset.points().dim(), (coreset.len(), 4));
    // All rows are taken where as many are wanted as there are.
    let all = rows.coreset(&CoresetPlan::new(&moments, 60_000, 3).unwrap());
    assert_eq!(all.len(), 20_000);
    assert!(all.weights().iter().all(|&w| w == 1.0));
}

#[test]
fn a_fit_of_a_coreset_is_nearly_as_good_as_one_of_all_rows() {
    let rows = data(20_000, 4, 10, false);
    let moments = rows.moments();
    let coreset = rows.coreset(&CoresetPlan::new(&moments, 1000, 3).unwrap());
    for k in [2, 4, 7] {
        let kmeans = KMeans::new(k).n_init(3);
        let full = fit(&kmeans, rows.x.view(), None).inertia;
        let fitted = coreset.fit(&kmeans, &mut ()).unwrap();
        assert_eq!(fitted.labels.len(), coreset.len());
        let on_all = rows.step(&moments, &fitted.centers).finish().unwrap();
        assert!(on_all.inertia < 1.03 * full, "{k}: {} {full}", on_all.inertia);
        assert!((fitted.inertia / on_all.inertia - 1.0).abs() < 0.25, "{k}");
        assert_eq!(on_all.weights.iter().sum::<f64>(), 20_000.0);
    }
}

#[test]
fn rows_that_are_all_equal() {
    let x = Array2::from_elem((50, 2), 0.1);
    let mut moments = Moments::new(2).unwrap();
    moments.add(x.view(), None).unwrap();
    assert_eq!(moments.mean().unwrap(), [0.1, 0.1]);
    assert_eq!(moments.variances().unwrap(), [0.0, 0.0]);
    let plan = CoresetPlan::new(&moments, 10, 0).unwrap();
    assert!((plan.probability(&[0.1, 0.1], 1.0) - 0.2).abs() < 1e-15);
    let mut coreset = plan.coreset();
    coreset.add(&(0..50).collect::<Vec<_>>(), x.view(), None).unwrap();
    assert!(!coreset.is_empty());
    assert_eq!(coreset.fit(&KMeans::new(1), &mut ()).unwrap().inertia, 0.0);
    let error = coreset.fit(&KMeans::new(2), &mut ()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TooFewRows { .. }), "{error}");
}

fn text<T: std::fmt::Debug>(result: Result<T>) -> String {
    let error = result.unwrap_err();
    assert!(error.is_data() || error.is_parameter(), "{error}");
    error.to_string()
}

#[test]
fn hostile_parts_are_refused_and_change_nothing() {
    let x = array![[0.0, 1.0], [2.0, 3.0], [4.0, 6.0]];
    let mut moments = Moments::new(2).unwrap();
    assert!(text(Moments::new(0)).contains("n_columns"));
    assert!(text(moments.mean()).contains("positive weight"));
    assert!(text(CoresetPlan::new(&moments, 5, 0)).contains("positive weight"));
    assert!(text(KMeansStep::new(&moments, x.view())).contains("no rows"));
    moments.add(x.view(), None).unwrap();
    assert!(text(CoresetPlan::new(&moments, 0, 0)).contains("size"));
    let plan = CoresetPlan::new(&moments, 50, 0).unwrap();
    let mut coreset = plan.coreset();
    let mut step = KMeansStep::new(&moments, head(&x, 2).view()).unwrap();
    let before = (moments.clone(), coreset.clone(), step.clone());
    let ids = [1, 2, 3];
    let mut all = |x: &Array2<f64>, w: Option<&[f64]>| {
        [
            text(moments.add(x.view(), w)),
            text(coreset.add(&ids[..x.nrows()], x.view(), w)),
            text(step.add(x.view(), w)),
        ]
    };
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let x = array![[0.0, 1.0], [2.0, bad]];
        for message in all(&x, None) {
            assert!(message.contains("finite number (column 1) in row 1"), "{message}");
        }
    }
    for w in [&[1.0, 1.0][..], &[1.0, -1.0, 1.0], &[1.0, f64::NAN, 1.0]] {
        for message in all(&x, Some(w)) {
            assert!(message.contains("weight"), "{message}");
        }
    }
    for message in all(&array![[1.0]], None) {
        assert!(message.contains("second axis"), "{message}");
    }
    assert!(text(moments.add(array![[1e200, 0.0]].view(), None)).contains("largest"));
    assert!(text(moments.add(x.view(), Some(&[1e200; 3]))).contains("largest"));
    assert!(text(coreset.add(&[1], x.view(), None)).contains("ids"));
    assert!(text(coreset.add(&[1, 2, 1], x.view(), None)).contains("no other row"));
    assert!(text(step.add(array![[0.0, 99.0]].view(), None)).contains("column 1"));
    assert!(text(step.add(x.view(), Some(&[0.5; 3]))).contains("weights"));
    let more = Array2::zeros((4, 2));
    assert!(text(step.add(more.view(), None)).contains("rows of the step"));
    assert!(text(coreset.add(&[1, 2, 3, 4], more.view(), None)).contains("rows that"));
    assert_eq!((moments.clone(), coreset.clone(), step.clone()), before);

    // Empty parts are fine.
    let none = Array2::zeros((0, 2));
    moments.add(none.view(), None).unwrap();
    coreset.add(&[], none.view(), None).unwrap();
    assert!(step.add(none.view(), None).unwrap().is_empty());
    assert_eq!((moments.clone(), coreset.clone(), step.clone()), before);

    // Nothing ends before all rows were there, or with some twice.
    assert!(text(step.finish()).contains("rows of the step"));
    assert!(text(coreset.fit(&KMeans::new(1), &mut ())).contains("rows that"));
    step.add(x.view(), None).unwrap();
    coreset.add(&ids, x.view(), None).unwrap();
    assert!(text(step.merge(&step.clone())).contains("rows of the step"));
    assert!(text(coreset.merge(&coreset.clone())).contains("rows that"));

    // States that do not belong together.
    let other = CoresetPlan::new(&moments, 50, 1).unwrap();
    assert!(text(coreset.merge(&other.coreset())).contains("plan"));
    let other = KMeansStep::new(&moments, x.slice(s![1.., ..])).unwrap();
    assert!(text(step.merge(&other)).contains("centers"));
    let mut wider = moments.clone();
    wider.add(array![[9.0, 9.0]].view(), None).unwrap();
    let other = KMeansStep::new(&wider, head(&x, 2).view()).unwrap();
    assert!(text(step.merge(&other)).contains("moments"));
    assert!(text(moments.merge(&Moments::new(3).unwrap())).contains("second axis"));
    for bad in [array![[0.0]], Array2::zeros((0, 2)), array![[0.0, f64::NAN]]] {
        assert!(text(KMeansStep::new(&moments, bad.view())).contains("centers"));
    }
    let far = array![[0.0, 1e300]];
    assert!(text(KMeansStep::new(&moments, far.view())).contains("distances"));
}

#[test]
fn rows_without_weight_do_not_count() {
    let x = array![[0.0], [2.0], [50.0]];
    let mut moments = Moments::new(1).unwrap();
    moments.add(x.view(), Some(&[1.0, 1.0, 0.0])).unwrap();
    assert_eq!((moments.mean().unwrap()[0], moments.variances().unwrap()[0]), (1.0, 1.0));
    let plan = CoresetPlan::new(&moments, 9, 0).unwrap();
    let mut coreset = plan.coreset();
    coreset.add(&[1, 2, 3], x.view(), Some(&[1.0, 1.0, 0.0])).unwrap();
    assert_eq!(coreset.ids(), [1, 2]);
    let mut step = KMeansStep::new(&moments, array![[40.0], [1.5]].view()).unwrap();
    step.add(x.view(), Some(&[1.0, 1.0, 0.0])).unwrap();
    let result = step.finish().unwrap();
    assert_eq!(result.centers, array![[0.0], [2.0]]);
    assert_eq!((result.n_relocated, result.inertia), (1, 2.5));
    let mut weightless = Moments::new(1).unwrap();
    weightless.add(x.view(), Some(&[0.0; 3])).unwrap();
    assert!(text(weightless.mean()).contains("positive weight"));
    let mut step = KMeansStep::new(&weightless, array![[1.0]].view()).unwrap();
    step.add(x.view(), Some(&[0.0; 3])).unwrap();
    assert!(text(step.finish()).contains("positive weight"));
}

#[test]
fn hostile_states_are_refused() {
    use serde_json::json;
    let whole = data(40, 2, 5, true);
    let moments = whole.moments();
    let coreset = whole.coreset(&CoresetPlan::new(&moments, 10, 1).unwrap());
    let step = whole.step(&moments, &head(&whole.x, 3));
    let refuse = |good: serde_json::Value,
                  cases: &[(&str, serde_json::Value)],
                  load: &dyn Fn(serde_json::Value) -> bool| {
        assert!(load(good.clone()));
        for (at, value) in cases {
            let mut bad = good.clone();
            *bad.pointer_mut(at).unwrap() = value.clone();
            assert!(!load(bad), "{at} {value}");
        }
        let mut more = good.clone();
        more["more"] = json!(1);
        assert!(!load(more));
    };
    refuse(
        serde_json::to_value(&moments).unwrap(),
        &[
            ("/version", json!(2)),
            ("/extent/low", json!([0.0])),
            ("/extent/low/0", json!(1e6)),
            ("/extent/high/0", json!(1e200)),
            ("/extent/heaviest", json!(-1.0)),
            ("/extent/n_rows", json!(0)),
            ("/totals/columns", json!([])),
            ("/totals/weight/start", json!(68)),
        ],
        &|v| serde_json::from_value::<Moments>(v).is_ok(),
    );
    let shorter = coreset.ids()[1..].to_vec();
    let mut swapped = coreset.ids().to_vec();
    swapped.reverse();
    refuse(
        serde_json::to_value(&coreset).unwrap(),
        &[
            ("/plan/version", json!(2)),
            ("/plan/size", json!(0)),
            ("/plan/mean", json!([])),
            ("/plan/mean", json!([0.0])),
            ("/plan/factors/0", json!(-1.0)),
            ("/n_seen", json!(1)),
            ("/n_seen", json!(41)),
            ("/ids", json!(shorter)),
            ("/ids", json!(swapped)),
            ("/points/0", json!(null)),
            ("/weights/0", json!(0.0)),
        ],
        &|v| serde_json::from_value::<Coreset>(v).is_ok(),
    );
    refuse(
        serde_json::to_value(&step).unwrap(),
        &[
            ("/version", json!(0)),
            ("/extent/n_rows", json!(u64::MAX)),
            ("/extent/n_rows", json!(3)),
            ("/extent/low", json!([])),
            ("/centers", json!([])),
            ("/centers/0", json!([1.0])),
            ("/centers/0/0", json!(1e300)),
            ("/sums", json!([])),
            ("/sums/0", json!([[1, 2]])),
            ("/sizes/0", json!(-1)),
            ("/counts/0", json!(99)),
            ("/sizes", json!([1])),
            ("/farthest/0/label", json!(3)),
            ("/farthest/0/row", json!([1.0])),
        ],
        &|v| serde_json::from_value::<KMeansStep>(v).is_ok(),
    );
    // Sums may lie, but not break anything.
    let mut lie = serde_json::to_value(&step).unwrap();
    lie["sums"][0][0] = json!([i64::MAX, i64::MIN]);
    let lie: KMeansStep = serde_json::from_value(lie).unwrap();
    let _ = lie.finish();
}

#[test]
fn ids_that_are_texts_have_stated_numbers() {
    // The test vectors of the authors' `test_fnv.c`.
    assert_eq!(hash_id(""), 0xcbf2_9ce4_8422_2325);
    assert_eq!(hash_id("a"), 0xaf63_dc4c_8601_ec8c);
    assert_eq!(hash_id("foobar"), 0x8594_4171_f739_67e8);
}

#[cfg(feature = "rayon")]
#[test]
fn any_number_of_threads_gives_the_same_state() {
    use segmenta::cluster::kmeans::Init;

    let rows = data(9000, 5, 3, true);
    let states = |n_threads: usize| {
        let pool =
            rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| {
            let moments = rows.moments();
            let coreset = rows.coreset(&CoresetPlan::new(&moments, 300, 4).unwrap());
            let step = rows.step(&moments, &head(&rows.x, 7));
            let fitted = coreset.fit(&KMeans::new(5).init(Init::KMeansParallel), &mut ());
            [
                json(&moments),
                json(&coreset),
                json(&step),
                format!("{:?}", fitted.unwrap()),
            ]
        })
    };
    let one = states(1);
    assert!(one == states(2) && one == states(7));
}
