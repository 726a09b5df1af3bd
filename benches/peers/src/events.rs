//! A book of random rules over events: all that this harness calls of it.

use segmenta::Result;
use segmenta::data::{
    Column, FeatureSpec, Moment, Schema, Span, StreamSpec, Table, Timestamp, Validity,
};
use segmenta::rules::{
    Dialect, Rule, RuleBook, RuleSet, SqlLayout, SqlStream, Window, events, field,
};

/// Events of customers, and rules as arrays: two tests for each.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// Where the events of each customer begin, and where the last end.
    pub offsets: Vec<i64>,
    pub time: Vec<i64>,
    pub amount: Vec<f64>,
    pub channel: Vec<i32>,
    pub now: Vec<i64>,
    /// How many there are, their sum, or whether there is none.
    pub aggregate: Vec<i32>,
    pub window: Vec<i32>,
    /// The ages in days between which events count; -1 for ever.
    pub windows: Vec<i32>,
    /// The channel through which they come; -1 for all.
    pub through: Vec<i32>,
    pub bound: Vec<f64>,
    /// Whether the tests are joined by `and`, else by `or`.
    pub joins: Vec<i32>,
}

/// What is asked, and of whom.
#[derive(Debug)]
pub struct Segments {
    book: RuleBook,
    now: Moment,
    table: Table<'static>,
}

impl Log {
    pub fn prepare(self) -> Result<Segments> {
        let channels: Vec<String> = (0..5).map(|i| format!("channel {i}")).collect();
        let properties = [
            FeatureSpec::number("amount"),
            FeatureSpec::category("channel").levels(channels.iter().cloned()),
        ];
        let schema =
            Schema::builder().stream(StreamSpec::new("order", properties)).build()?;
        let set = (0..self.joins.len()).fold(RuleSet::new(), |set, r| {
            let (a, b) = (self.test(2 * r, &channels), self.test(2 * r + 1, &channels));
            let rule = if self.joins[r] == 1 { a & b } else { a | b };
            set.segment(format!("s{r}"), format!("Segment {r}"), rule)
        });
        let book = set.compile_book(&schema)?;
        let offsets: Vec<usize> = self.offsets.iter().map(|&at| at as usize).collect();
        let times: Vec<Timestamp> =
            self.time.iter().map(|&time| Timestamp::from_millis(time)).collect();
        let codes: Vec<u32> = self.channel.iter().map(|&code| code as u32).collect();
        let columns = vec![
            Column::Number(self.amount.into(), Validity::All),
            Column::Category(codes.into(), channels.into(), Validity::All),
        ];
        let table = Table::builder(&schema, offsets.len() - 1)
            .stream("order", offsets, times, columns)
            .build()?;
        Ok(Segments { book, now: Timestamp::from_millis(self.now[0]).into(), table })
    }

    fn test(&self, i: usize, channels: &[String]) -> Rule {
        let ages = &self.windows[2 * self.window[i] as usize..][..2];
        let days = |age: i32| Span::days(age as u32);
        let window = match *ages {
            [-1, _] => Window::Ever,
            [from, 0] => Window::Last(days(from)),
            [from, to] => Window::Ago { from: days(from), to: days(to) },
            _ => unreachable!("two ages"),
        };
        let mut chosen = events("order").within(window);
        if let Ok(channel) = usize::try_from(self.through[i]) {
            chosen = chosen.filter(field("channel").eq(channels[channel].as_str()));
        }
        match self.aggregate[i] {
            0 => chosen.count().ge(self.bound[i]),
            1 => chosen.sum("amount").ge(self.bound[i]),
            _ => chosen.count().eq(0),
        }
    }
}

impl Segments {
    /// Members of each segment.
    pub fn count(&self) -> Result<Vec<i64>> {
        let counts = self.book.at(self.now.clone()).count(&self.table)?;
        Ok(counts.iter().map(|count| count.members as i64).collect())
    }

    /// The same for DuckDB, as a statement that gives a row for each segment.
    pub fn sql(&self) -> Result<String> {
        let layout = SqlLayout::new(Dialect::DuckDb, "customers", "customer")
            .stream("order", SqlStream::new("events", "customer", "time"));
        Ok(self.book.at(self.now.clone()).to_sql(&layout)?.counts())
    }
}
