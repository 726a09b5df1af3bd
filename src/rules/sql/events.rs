//! Aggregates of events.

use std::ops::Range;

use super::dialect::quoted;
use super::expression::Sql;
use super::layout::{SqlStream, TimeForm};
use super::write::{Operand, Place, Scope, Writer};
use crate::data::StreamIndex;
use crate::rules::behaviour::{Behaviour, Summary};

/// An aggregate that a statement computes for each customer.
#[derive(Clone, Debug)]
pub(super) struct Column<'a> {
    pub(super) stream: StreamIndex,
    pub(super) layout: &'a SqlStream,
    /// In milliseconds.
    pub(super) window: Range<i64>,
    pub(super) made: Made,
    /// What stands for no events, where that is not NULL.
    pub(super) none: Option<&'static str>,
}

/// How an aggregate is made.
#[derive(Clone, Debug)]
pub(super) enum Made {
    /// By an expression over all events of a customer.
    Grouped(String),
    /// As the value of the first or last of the events that pass.
    Picked { value: String, passes: Sql, is_last: bool },
}

impl<'a> Writer<'a> {
    /// What a test of an aggregate reads; none after a fault.
    pub(super) fn aggregate(&mut self, behaviour: &'a Behaviour) -> Option<Operand> {
        let operand = match behaviour.summary {
            Summary::FirstDay | Summary::LastDay => Operand::Instant,
            _ => Operand::Value,
        };
        let name = format!("\"c\".\"a{}\"", behaviour.place);
        if self.place == Place::Statement
            && self.aggregates.contains_key(&behaviour.place)
        {
            return Some(operand(name));
        }
        let stream = self.schema.streams().get(behaviour.stream.get())?;
        let layout = self.stream(stream.name())?;
        let window = self.bound?.window(behaviour.window);
        let time = format!("\"e\".{}", quoted(&layout.time));
        let mut tests = self.window(&time, &window)?;
        let scope = Scope::Events { layout, row: "\"e\"".to_owned() };
        if let Some(filter) = &behaviour.filter {
            let at = self.faults.enter("where");
            tests.push(self.within(filter, scope.clone()));
            self.faults.leave(at);
        }
        let passes = Sql::all(tests);
        let value = behaviour
            .property
            .as_ref()
            .map(|property| self.column(&scope, property.feature, &property.spec));
        let made = match (behaviour.summary, value) {
            (Summary::First | Summary::Last, Some(value)) => {
                if layout.order.is_none() {
                    let message =
                        "the layout does not say which of events at one instant is first";
                    let expected = "a column stated with `order`";
                    let found = format!("none for `{}`", stream.name());
                    self.faults.add("sql-order", message, expected, found);
                    return None;
                }
                let is_last = behaviour.summary == Summary::Last;
                Made::Picked { value, passes, is_last }
            }
            (summary, value) => {
                let value = value.unwrap_or_else(|| "1".to_owned());
                if self.place == Place::Row {
                    let what = self.summary(summary, &value, &time, &window)?;
                    let what = self.subquery(&what, layout, &passes, "");
                    let is_sum = summary == Summary::Sum;
                    let what = if is_sum { format!("COALESCE({what}, 0)") } else { what };
                    return Some(operand(what));
                }
                let [value, time] = [&value, &time]
                    .map(|of| format!("CASE WHEN {} THEN {of} END", passes.as_str()));
                Made::Grouped(self.summary(summary, &value, &time, &window)?)
            }
        };
        if self.place == Place::Row {
            let Made::Picked { value, passes, is_last } = &made else { return None };
            let way = if *is_last { " DESC" } else { "" };
            let order = quoted(layout.order.as_deref().unwrap_or(&layout.time));
            let row = self.layout.dialect.first_row();
            let order = format!("{order}{}", self.layout.dialect.any_by_bytes());
            let end = format!(" ORDER BY {time}{way}, \"e\".{order}{way} {row}");
            return Some(operand(self.subquery(value, layout, passes, &end)));
        }
        let none = (!behaviour.summary.may_be_missing()).then_some("0");
        let stream = behaviour.stream;
        let column = Column { stream, layout, window, made, none };
        self.aggregates.insert(behaviour.place, column);
        Some(operand(name))
    }

    /// Where the events of a stream lie; none after a fault.
    pub(super) fn stream(&mut self, name: &str) -> Option<&'a SqlStream> {
        let layout = self.layout.stream_of(name);
        if layout.is_none() {
            let message = "the layout does not say where the events lie";
            let found = format!("`{name}`");
            self.faults.add("sql-stream", message, "a table stated with `stream`", found);
        }
        layout
    }

    /// That an event lies in a window.
    pub(super) fn window(&mut self, time: &str, window: &Range<i64>) -> Option<Vec<Sql>> {
        let mut tests = Vec::new();
        let is_written = self.layout.times == TimeForm::Millis
            || super::dialect::timestamp(window.start).is_some();
        // All times lie after what no timestamp says.
        if window.start > i64::MIN && is_written {
            let start = self.time(window.start)?;
            tests.push(Sql::test(format!("{time} >= {start}")));
        }
        let end = self.time(window.end)?;
        tests.push(Sql::test(format!("{time} < {end}")));
        Some(tests)
    }

    fn subquery(
        &self,
        what: &str,
        layout: &SqlStream,
        passes: &Sql,
        end: &str,
    ) -> String {
        format!(
            "(SELECT {what} FROM {} AS \"e\" WHERE \"e\".{} = \"c\".{}{} AND ({}){end})",
            layout.table.quoted(),
            quoted(&layout.customer),
            quoted(&self.layout.id),
            self.layout.dialect.any_by_bytes(),
            passes.as_str(),
        )
    }

    /// What is made of a value of each event, or of its time.
    fn summary(
        &mut self,
        summary: Summary,
        value: &str,
        time: &str,
        window: &Range<i64>,
    ) -> Option<String> {
        let dialect = self.layout.dialect;
        Some(match summary {
            Summary::Sum => dialect.sum(value),
            Summary::Average => dialect.average(value),
            Summary::Min => format!("MIN({value})"),
            Summary::Max => format!("MAX({value})"),
            Summary::Distinct => format!("COUNT(DISTINCT {value})"),
            Summary::FirstDay => format!("MIN({time})"),
            Summary::LastDay => format!("MAX({time})"),
            Summary::ActiveDays => {
                format!("COUNT(DISTINCT {})", self.day_key(time, window)?)
            }
            Summary::Count | Summary::First | Summary::Last | Summary::Decayed(_) => {
                format!("COUNT({value})")
            }
        })
    }
}

/// The least window that holds all of these.
pub(super) fn hull<'w>(windows: impl Iterator<Item = &'w Range<i64>>) -> Range<i64> {
    let all = windows.filter(|window| window.start < window.end).cloned();
    let hull = all.reduce(|a, b| a.start.min(b.start)..a.end.max(b.end));
    hull.unwrap_or(0..0)
}
