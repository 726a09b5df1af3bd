//! What a worker is told to run, and what it answers.

use std::collections::BTreeMap;

use segmenta::cluster::hierarchical::Linkage;
use segmenta::cluster::kmeans::KMeansResult;
use segmenta::lifetime::{
    AnyPurchaseModel, EstimationReport, PurchaseModel, PurchaseModelKind,
};
use segmenta::ndarray::Array2;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::arrays::{Numbers, Spec};
use crate::events::Log;
use crate::lifetime::{self, Histories, Spend};
use crate::measure::{Measured, measure};
use crate::rfm::Transactions;
use crate::rules::Columns;
use crate::{Result, kernels, peers, rfm};

/// A call and its data.
#[derive(Debug, Deserialize)]
pub struct Task {
    pub arrays: BTreeMap<String, Spec>,
    #[serde(flatten)]
    pub call: Call,
}

/// A call with its parameters.
#[derive(Debug, Deserialize)]
#[serde(tag = "call", rename_all = "snake_case")]
pub enum Call {
    Kmeans { max_iter: usize },
    KmeansDefault { k: usize, n_init: usize, seed: u64 },
    Assign,
    Linkage { method: Linkage },
    Silhouette,
    Rfm,
    Rules,
    Events,
    FitPurchases { kind: PurchaseModelKind },
    FitSpend,
    Expected { model: AnyPurchaseModel, horizon: f64 },
    Ledger { end: i32 },
}

/// What a call returned, for comparison.
#[derive(Debug, Default)]
pub struct Answer {
    pub scalars: Map<String, Value>,
    pub arrays: Vec<(&'static str, Numbers)>,
}

impl Answer {
    fn scalar(mut self, name: &str, value: Value) -> Answer {
        self.scalars.insert(name.to_owned(), value);
        self
    }

    fn array(mut self, name: &'static str, numbers: Numbers) -> Answer {
        self.arrays.push((name, numbers));
        self
    }
}

/// A call whose data is in memory, ready to be timed again and again.
pub type Prepared = Box<dyn Fn() -> Result<(Measured, Answer)>>;

impl Task {
    fn spec(&self, name: &str) -> Result<&Spec> {
        self.arrays.get(name).ok_or_else(|| format!("no array `{name}`").into())
    }

    fn matrix(&self, name: &str) -> Result<Array2<f64>> {
        let spec = self.spec(name)?;
        spec.matrix(spec.f64s()?)
    }

    /// The call of segmenta.
    pub fn segmenta(&self) -> Result<Prepared> {
        match self.call {
            Call::Kmeans { max_iter } if self.spec("x")?.dtype == "f4" => {
                let spec = self.spec("x")?;
                let narrow: Vec<kernels::Narrow> = spec.f32s()?;
                let x = spec.matrix(narrow)?;
                let init = self.matrix("init")?;
                Ok(Box::new(move || {
                    let (result, measured) =
                        measure(|| kernels::kmeans_narrow(x.view(), &init, max_iter));
                    let answer = clusters(result?);
                    Ok((measured, answer.scalar("storage", json!(kernels::NARROW))))
                }))
            }
            Call::Kmeans { max_iter } => {
                let (x, init) = (self.matrix("x")?, self.matrix("init")?);
                Ok(Box::new(move || {
                    let (result, measured) =
                        measure(|| kernels::kmeans(x.view(), &init, max_iter));
                    Ok((measured, clusters(result?)))
                }))
            }
            Call::KmeansDefault { k, n_init, seed } => {
                let x = self.matrix("x")?;
                Ok(Box::new(move || {
                    let (result, measured) =
                        measure(|| kernels::kmeans_default(x.view(), k, n_init, seed));
                    Ok((measured, clusters(result?)))
                }))
            }
            Call::Assign => {
                let x = self.matrix("x")?;
                let model = kernels::kmeans_model(self.matrix("centers")?)?;
                Ok(Box::new(move || {
                    let (labels, measured) =
                        measure(|| kernels::assign(&model, x.view()));
                    let labels = labels?.iter().map(|label| label.get() as i32).collect();
                    Ok((
                        measured,
                        Answer::default().array("labels", Numbers::I32(labels)),
                    ))
                }))
            }
            Call::Linkage { method } => {
                let x = self.matrix("x")?;
                Ok(Box::new(move || {
                    let (tree, measured) = measure(|| kernels::linkage(x.view(), method));
                    let heights = Numbers::F64(tree?.heights());
                    Ok((measured, Answer::default().array("heights", heights)))
                }))
            }
            Call::Silhouette => {
                let (x, labels) = (self.matrix("x")?, self.spec("labels")?.i32s()?);
                Ok(Box::new(move || {
                    let (score, measured) =
                        measure(|| kernels::silhouette(x.view(), &labels));
                    Ok((measured, Answer::default().scalar("score", json!(score?))))
                }))
            }
            Call::Rfm => {
                let transactions = self.transactions()?;
                Ok(Box::new(move || {
                    let (table, measured) = measure(|| rfm::rfm(&transactions));
                    Ok((measured, customers(table?)))
                }))
            }
            Call::Events => {
                let segments = self.log()?.prepare()?;
                Ok(Box::new(move || {
                    let (counts, measured) = measure(|| segments.count());
                    let counts = Numbers::I64(counts?);
                    Ok((measured, Answer::default().array("counts", counts)))
                }))
            }
            Call::FitPurchases { kind } => {
                let histories = self.histories()?;
                Ok(Box::new(move || {
                    let (report, measured) = measure(|| histories.fit(kind));
                    Ok((measured, estimates(&report?)))
                }))
            }
            Call::FitSpend => {
                let spend = Spend {
                    frequency: self.spec("frequency")?.u64s()?,
                    mean: self.spec("mean")?.f64s()?,
                };
                Ok(Box::new(move || {
                    let (report, measured) = measure(|| spend.fit());
                    Ok((measured, estimates(&report?)))
                }))
            }
            Call::Expected { model, horizon } => {
                // The form in which a host keeps them, as numpy's arrays are lifetimes'.
                let histories = self.histories()?.read()?;
                Ok(Box::new(move || {
                    let (expected, measured) =
                        measure(|| model.expected_purchases_all(&histories, horizon));
                    let expected = Numbers::F64(expected?);
                    Ok((measured, Answer::default().array("expected", expected)))
                }))
            }
            Call::Ledger { end } => {
                let transactions = self.transactions()?;
                Ok(Box::new(move || {
                    let (read, measured) = measure(|| lifetime::read(&transactions, end));
                    let read = read?;
                    let Histories { frequency, last, age } = read.histories();
                    let frequency = frequency.into_iter().map(|x| x as i64).collect();
                    let answer = Answer::default()
                        .array("customer", Numbers::I64(read.customers()))
                        .array("frequency", Numbers::I64(frequency))
                        .array("last", Numbers::F64(last))
                        .array("age", Numbers::F64(age))
                        .array("spend", Numbers::F64(read.spend()));
                    Ok((measured, answer))
                }))
            }
            Call::Rules => {
                let columns = Columns {
                    n_rows: *self.spec("numbers")?.shape.last().ok_or("no rows")?,
                    numbers: self.spec("numbers")?.f64s()?,
                    codes: self.spec("codes")?.i32s()?,
                    columns: self.spec("columns")?.i32s()?,
                    thresholds: self.spec("thresholds")?.f64s()?,
                    reach: self.spec("reach")?.i32s()?,
                    joins: self.spec("joins")?.i32s()?,
                    category: self.spec("category")?.i32s()?,
                    levels: self.spec("levels")?.i32s()?,
                };
                let segments = columns.prepare()?;
                Ok(Box::new(move || {
                    let (counts, measured) = measure(|| segments.count());
                    let counts = Numbers::I64(counts?);
                    Ok((measured, Answer::default().array("counts", counts)))
                }))
            }
        }
    }

    fn transactions(&self) -> Result<Transactions> {
        Ok(Transactions {
            customer: self.spec("customer")?.u64s()?,
            day: self.spec("day")?.i32s()?,
            cents: self.spec("cents")?.i64s()?,
        })
    }

    fn histories(&self) -> Result<Histories> {
        Ok(Histories {
            frequency: self.spec("frequency")?.u64s()?,
            last: self.spec("last")?.f64s()?,
            age: self.spec("age")?.f64s()?,
        })
    }

    /// The events of a task, and the rules over them.
    fn log(&self) -> Result<Log> {
        Ok(Log {
            offsets: self.spec("offsets")?.i64s()?,
            time: self.spec("time")?.i64s()?,
            amount: self.spec("amount")?.f64s()?,
            channel: self.spec("channel")?.i32s()?,
            now: self.spec("now")?.i64s()?,
            aggregate: self.spec("aggregate")?.i32s()?,
            window: self.spec("window")?.i32s()?,
            windows: self.spec("windows")?.i32s()?,
            through: self.spec("through")?.i32s()?,
            bound: self.spec("bound")?.f64s()?,
            joins: self.spec("joins")?.i32s()?,
        })
    }

    /// The call as SQL for DuckDB.
    pub fn sql(&self) -> Result<String> {
        match self.call {
            Call::Events => Ok(self.log()?.prepare()?.sql()?),
            _ => Err("only `events` are written as SQL".into()),
        }
    }

    /// The call of linfa.
    pub fn linfa(&self) -> Result<Prepared> {
        let Call::Kmeans { max_iter } = self.call else {
            return Err("linfa runs `kmeans`".into());
        };
        let x = peers::linfa_matrix(&self.matrix("x")?)?;
        let init = peers::linfa_matrix(&self.matrix("init")?)?;
        Ok(Box::new(move || {
            let (centers, measured) =
                measure(|| peers::linfa_kmeans(&x, &init, max_iter));
            let (labels, inertia) = peers::linfa_labels(&x, &centers?)?;
            let answer = Answer::default().scalar("inertia", json!(inertia));
            Ok((measured, answer.array("labels", Numbers::I32(labels))))
        }))
    }

    /// The call of kodama.
    pub fn kodama(&self) -> Result<Prepared> {
        let Call::Linkage { method } = self.call else {
            return Err("kodama runs `linkage`".into());
        };
        let method = method.name().parse()?;
        let x = self.matrix("x")?;
        Ok(Box::new(move || {
            let (heights, measured) = measure(|| peers::kodama_heights(x.view(), method));
            Ok((measured, Answer::default().array("heights", Numbers::F64(heights))))
        }))
    }
}

fn clusters(result: KMeansResult) -> Answer {
    let labels = result.labels.into_iter().map(|label| label as i32).collect();
    Answer::default()
        .scalar("inertia", json!(result.inertia))
        .scalar("n_iter", json!(result.n_iter))
        .array("labels", Numbers::I32(labels))
}

/// The parameters in the order of the papers.
fn estimates(report: &EstimationReport) -> Answer {
    let values = report.parameters.iter().map(|parameter| parameter.value).collect();
    Answer::default()
        .scalar("log_likelihood", json!(report.log_likelihood))
        .scalar("converged", json!(report.converged))
        .scalar("n_iter", json!(report.n_iter))
        .array("parameters", Numbers::F64(values))
}

fn customers(table: rfm::Customers) -> Answer {
    let mut answer = Answer::default()
        .array("last_day", Numbers::I32(table.last_day))
        .array("frequency", Numbers::I64(table.frequency))
        .array("cents", Numbers::I64(table.cents));
    for (name, scores) in
        ["r_counts", "f_counts", "m_counts"].into_iter().zip(table.scores)
    {
        let count = |q: u32| scores.iter().filter(|&&score| score == q).count() as i64;
        answer = answer.array(name, Numbers::I64((1..=5).map(count).collect()));
    }
    answer
}
