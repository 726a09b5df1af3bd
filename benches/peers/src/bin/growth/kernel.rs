//! What is measured: a call for a shape of data.

use segmenta::cluster::hierarchical::Linkage;
use segmenta::ndarray::{Array2, s};
use segmenta_peers::rfm::{Transactions, rfm};
use segmenta_peers::{Result, kernels};

use crate::series::Axis;

/// Rows, columns and clusters.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub n: usize,
    pub d: usize,
    pub k: usize,
}

/// A call whose data is ready. It gives the number that its seconds are divided by.
pub type Call = Box<dyn Fn() -> Result<f64>>;

/// A kernel by its name in the tables.
#[derive(Debug)]
pub struct Kernel {
    pub name: &'static str,
    /// Rows, where columns or clusters grow.
    pub rows: usize,
    pub columns: bool,
    pub clusters: bool,
    pub prepare: fn(Shape) -> Result<Call>,
}

impl Kernel {
    /// Whether there is a series along this axis.
    pub fn grows_with(&self, axis: Axis) -> bool {
        match axis {
            Axis::Rows => true,
            Axis::Columns => self.columns,
            Axis::Clusters => self.clusters,
        }
    }
}

/// All kernels. Those that go over all pairs have fewer rows where others grow.
pub const KERNELS: [Kernel; 10] = [
    clustered("k-means, an iteration", 100_000, kmeans_iteration),
    clustered("k-means, default fit", 100_000, kmeans_default),
    clustered("assignment", 100_000, assignment),
    tree("ward", |shape| linkage(shape, Linkage::Ward)),
    tree("single", |shape| linkage(shape, Linkage::Single)),
    tree("average", |shape| linkage(shape, Linkage::Average)),
    tree("complete", |shape| linkage(shape, Linkage::Complete)),
    clustered("silhouette", 10_000, silhouette),
    clustered("silhouette, simplified", 100_000, simplified),
    Kernel { name: "rfm", rows: 0, columns: false, clusters: false, prepare: purchases },
];

const fn clustered(
    name: &'static str,
    rows: usize,
    prepare: fn(Shape) -> Result<Call>,
) -> Kernel {
    Kernel { name, rows, columns: true, clusters: true, prepare }
}

const fn tree(name: &'static str, prepare: fn(Shape) -> Result<Call>) -> Kernel {
    Kernel { name, rows: 5_000, columns: true, clusters: false, prepare }
}

/// Iterations that one is the mean of.
const ITERATIONS: usize = 10;

fn kmeans_iteration(shape: Shape) -> Result<Call> {
    // Without clouds it does not converge in so few iterations.
    let mut random = Random(1);
    let x = Array2::from_shape_simple_fn((shape.n, shape.d), || random.uniform());
    let init = x.slice(s![..shape.k, ..]).to_owned();
    Ok(Box::new(move || Ok(kernels::kmeans(x.view(), &init, ITERATIONS)?.n_iter as f64)))
}

fn kmeans_default(shape: Shape) -> Result<Call> {
    let (x, _) = clouds(shape);
    Ok(Box::new(move || {
        kernels::kmeans_default(x.view(), shape.k, 10, 0)?;
        Ok(1.0)
    }))
}

fn assignment(shape: Shape) -> Result<Call> {
    let (x, _) = clouds(shape);
    let model = kernels::kmeans_model(x.slice(s![..shape.k, ..]).to_owned())?;
    Ok(Box::new(move || {
        kernels::assign(&model, x.view())?;
        Ok(1.0)
    }))
}

fn linkage(shape: Shape, linkage: Linkage) -> Result<Call> {
    let (x, _) = clouds(Shape { k: 1, ..shape });
    Ok(Box::new(move || {
        kernels::linkage(x.view(), linkage)?;
        Ok(1.0)
    }))
}

fn silhouette(shape: Shape) -> Result<Call> {
    let (x, labels) = clouds(shape);
    Ok(Box::new(move || {
        kernels::silhouette(x.view(), &labels)?;
        Ok(1.0)
    }))
}

fn simplified(shape: Shape) -> Result<Call> {
    let (x, labels) = clouds(shape);
    Ok(Box::new(move || {
        kernels::simplified_silhouette(x.view(), &labels)?;
        Ok(1.0)
    }))
}

fn purchases(shape: Shape) -> Result<Call> {
    let mut random = Random(1);
    let mut rows = Transactions::default();
    for _ in 0..shape.n {
        // Ten purchases a customer.
        rows.customer.push((random.uniform() * shape.n as f64 / 10.0) as u64);
        rows.day.push(18_000 + (random.uniform() * 730.0) as i32);
        rows.cents.push((100.0 * (3.0 + random.normal()).exp()) as i64);
    }
    Ok(Box::new(move || {
        rfm(&rows)?;
        Ok(1.0)
    }))
}

/// k normal clouds, and which each row is of.
fn clouds(Shape { n, d, k }: Shape) -> (Array2<f64>, Vec<i32>) {
    let mut random = Random(1);
    let centers = Array2::from_shape_simple_fn((k, d), || 4.0 * random.normal());
    let labels: Vec<usize> =
        (0..n).map(|_| (random.uniform() * k as f64) as usize).collect();
    let x =
        Array2::from_shape_fn((n, d), |(i, j)| centers[[labels[i], j]] + random.normal());
    (x, labels.into_iter().map(|label| label as i32).collect())
}

/// SplitMix64 (Steele, Lea & Flood 2014).
struct Random(u64);

impl Random {
    /// From 0 up to 1.
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Of mean 0 and variance 1 (Box & Muller 1958).
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}
