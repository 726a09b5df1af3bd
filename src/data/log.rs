//! The events of one customer in one stream, owned.

use super::collect::Collected;
use super::{
    Column, Events, FeatureIndex, FeatureSpec, OwnedValue, StreamSpec, Timestamp,
};
use crate::error::{Error, Result};

/// The events of one customer in one stream, owned and ordered by time: for records that
/// carry their events, for tests and single look-ups. Many customers keep theirs in a
/// [`Table`](super::Table).
///
/// ```
/// use segmenta::data::{EventLog, FeatureSpec, StreamSpec, Timestamp};
///
/// let orders = StreamSpec::new("order", [FeatureSpec::number("amount")]);
/// let (monday, friday) = (Timestamp::from_millis(0), Timestamp::from_millis(345_600_000));
/// let log = EventLog::new(&orders, [(friday, [20.0]), (monday, [19.5])])?;
/// assert_eq!(log.as_events().times(), [monday, friday]);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct EventLog {
    times: Vec<Timestamp>,
    columns: Vec<Column<'static>>,
}

impl EventLog {
    /// Events in any order, each with one value for each property of the stream. Those at
    /// one instant keep the order in which they come.
    ///
    /// # Errors
    /// When an event has more or fewer values than the stream has properties, or a value
    /// is of another kind, not finite, or not among the levels. The error names the
    /// property, and the event by its number among those given.
    pub fn new<V>(
        spec: &StreamSpec,
        events: impl IntoIterator<Item = (Timestamp, V)>,
    ) -> Result<EventLog>
    where
        V: IntoIterator,
        V::Item: Into<OwnedValue>,
    {
        let mut rows = Vec::new();
        for (i, (time, values)) in events.into_iter().enumerate() {
            let values: Vec<OwnedValue> = values.into_iter().map(Into::into).collect();
            if values.len() != spec.properties().len() {
                let what =
                    format!("the list of values of event {i} of `{}`", spec.name());
                return Err(Error::length(what, spec.properties().len(), values.len()));
            }
            rows.push((time, i, values));
        }
        rows.sort_by_key(|(time, ..)| *time);
        let mut columns = Vec::with_capacity(spec.properties().len());
        for (j, property) in spec.properties().iter().enumerate() {
            columns.push(column(spec, property, &rows, j)?);
        }
        Ok(EventLog { times: rows.into_iter().map(|(time, ..)| time).collect(), columns })
    }

    /// The events, borrowed.
    #[must_use]
    pub fn as_events(&self) -> Events<'_> {
        Events::checked(&self.times, &self.columns, 0)
    }
}

type Row = (Timestamp, usize, Vec<OwnedValue>);

fn column(
    stream: &StreamSpec,
    property: &FeatureSpec,
    rows: &[Row],
    at: usize,
) -> Result<Column<'static>> {
    let mut collected = Collected::new(property);
    for (_, number, values) in rows {
        let pushed = collected.push(property, values[at].as_value());
        pushed.map_err(|e| e.of_stream(stream.name()).at_row(*number))?;
    }
    Ok(collected.finish())
}

/// Logs are equal when their events have equal times and values.
impl PartialEq for EventLog {
    fn eq(&self, other: &EventLog) -> bool {
        let (a, b) = (self.as_events(), other.as_events());
        let same = |i: usize| {
            (0..self.columns.len() as u32)
                .map(FeatureIndex::new)
                .all(|p| a.property(i, p) == b.property(i, p))
        };
        self.times == other.times
            && self.columns.len() == other.columns.len()
            && (0..self.times.len()).all(same)
    }
}
