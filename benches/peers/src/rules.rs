//! A book of random rules over a table: all that this harness calls of it.

use segmenta::Result;
use segmenta::data::{FeatureSpec, Schema, Table};
use segmenta::rules::{Rule, RuleBook, RuleSet, field};

/// Columns of customers, and rules as arrays: a row of each for each rule.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    pub n_rows: usize,
    /// One column after another.
    pub numbers: Vec<f64>,
    /// Levels from 0 to 9, one column after another.
    pub codes: Vec<i32>,
    /// Three columns of numbers for each rule, …
    pub columns: Vec<i32>,
    /// … what they are compared with, …
    pub thresholds: Vec<f64>,
    /// … and whether they must reach it or stay below.
    pub reach: Vec<i32>,
    /// Whether each of the next three parts is joined by `and`, else by `or`.
    pub joins: Vec<i32>,
    /// A column of codes for each rule, …
    pub category: Vec<i32>,
    /// … and three of its levels.
    pub levels: Vec<i32>,
}

/// What is asked, and of whom.
#[derive(Debug)]
pub struct Segments {
    book: RuleBook,
    table: Table<'static>,
}

impl Columns {
    pub fn prepare(self) -> Result<Segments> {
        let levels: Vec<String> = (0..10).map(|level| format!("level {level}")).collect();
        let numbers = self.numbers.chunks_exact(self.n_rows);
        let codes = self.codes.chunks_exact(self.n_rows);
        let number = |i: usize| format!("x{i}");
        let category = |i: usize| format!("c{i}");
        let specs = (0..numbers.len()).map(|i| FeatureSpec::number(number(i)));
        let category_of =
            |i| FeatureSpec::category(category(i)).levels(levels.iter().cloned());
        let schema = Schema::new(specs.chain((0..codes.len()).map(category_of)))?;

        let mut builder = Table::builder(&schema, self.n_rows);
        for (i, column) in numbers.enumerate() {
            builder = builder.numbers(&number(i), column.to_vec());
        }
        for (i, column) in codes.enumerate() {
            let column: Vec<u32> = column.iter().map(|&code| code as u32).collect();
            builder = builder.categories(&category(i), column, levels.clone());
        }

        let set = (0..self.category.len()).fold(RuleSet::new(), |set, r| {
            let part = |j: usize| {
                let test = field(number(self.columns[3 * r + j] as usize));
                let threshold = self.thresholds[3 * r + j];
                match self.reach[3 * r + j] {
                    0 => test.lt(threshold),
                    _ => test.ge(threshold),
                }
            };
            let listed = self.levels[3 * r..][..3].iter();
            let listed = listed.map(|&level| levels[level as usize].clone());
            let last = field(category(self.category[r] as usize)).is_in(listed);
            let rule = [part(1), part(2), last].into_iter().enumerate().fold(
                part(0),
                |rule, (j, part)| match self.joins[3 * r + j] {
                    0 => rule | part,
                    _ => rule & part,
                },
            );
            set.segment(format!("s{r}"), format!("Segment {r}"), Rule::All(vec![rule]))
        });
        Ok(Segments { book: set.compile_book(&schema)?, table: builder.build()? })
    }
}

impl Segments {
    /// Members of each segment.
    pub fn count(&self) -> Result<Vec<i64>> {
        let counts = self.book.count(&self.table)?;
        Ok(counts.iter().map(|count| count.members as i64).collect())
    }
}
