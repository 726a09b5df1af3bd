//! Why memberships changed.

use super::difference::{Causes, Difference};
use super::{Snapshot, Truths};
use crate::data::Table;
use crate::error::{Error, ErrorKind, Result};
use crate::rules::behaviour::unbound;
use crate::rules::book::RuleBook;

impl RuleBook {
    /// What is other than in an earlier snapshot, and why.
    ///
    /// The rules of the snapshot are asked again, about the present table, in steps, each of
    /// which lets in one more thing that can have changed a membership:
    ///
    /// | step | rules | instant | events | cause |
    /// |---|---|---|---|---|
    /// | 0 | of the snapshot | of the snapshot | as the snapshot found them | |
    /// | 1 | of the snapshot | of the snapshot | up to that of the snapshot | [`Data`](crate::rules::Cause::Data): attributes, late events, what was taken back |
    /// | 2 | of the snapshot | present | up to that of the snapshot | [`Time`](crate::rules::Cause::Time): windows moved, days passed |
    /// | 3 | of the snapshot | present | all | [`Data`](crate::rules::Cause::Data): new events |
    /// | 4 | present | present | all | [`Definition`](crate::rules::Cause::Definition) |
    ///
    /// The cause of a change is the last step that changed the membership: since then it is
    /// what it is now. So the customer who bought again and whose old orders left the window
    /// is told by what made the difference in the end. Of customers who are in one table only
    /// it is [`Arrival`](crate::rules::Cause::Arrival) or [`Departure`](crate::rules::Cause::Departure).
    ///
    /// In step 2 events that did not happen before the instant of the snapshot are left out,
    /// and time goes by as if nothing had happened since: a
    /// [sequence](crate::rules::SequenceTest) whose last step is denied comes to hold when
    /// the time stated there is over, although the window's events end before.
    ///
    /// Zone and start of the week are those of the present book in all steps; if others
    /// applied to the snapshot, what that changed is told as `Data`. It takes the time of
    /// four times [`memberships`](RuleBook::memberships), and, while it runs, six bits more for
    /// each customer and segment than the difference.
    ///
    /// ```
    /// use segmenta::data::{EventLog, OwnedCustomer, Schema, StreamSpec, Table, Timestamp};
    /// use segmenta::rules::{Cause, RuleBook};
    ///
    /// let orders = StreamSpec::new("order", []);
    /// let schema = Schema::builder().stream(orders.clone()).build()?;
    /// let book = RuleBook::builder(&schema)
    ///     .segment("active", "Active", "events(order) in last 30d".parse()?)
    ///     .build()?;
    /// let day = |day: i64| Timestamp::from_millis(day * 86_400_000);
    /// let table = |days: [&[i64]; 2]| {
    ///     let customer = |(id, days): (u64, &[i64])| {
    ///         let log = EventLog::new(&orders, days.iter().map(|&d| (day(d), [0.0; 0])))?;
    ///         OwnedCustomer::new(&schema, id).set_events("order", log)
    ///     };
    ///     let customers: Result<Vec<_>, _> = (1..).zip(days).map(customer).collect();
    ///     Table::from_customers(&schema, customers?)
    /// };
    /// let before = book.at(day(100)).snapshot(&table([&[90], &[20]])?)?;
    ///
    /// let book = book.at(day(125));
    /// let difference = book.explain_difference(&before, &table([&[90], &[20, 110]])?)?;
    /// let active = difference.segment("active").unwrap();
    /// let causes: Vec<_> = active.changes().map(|change| change.cause).collect();
    /// assert_eq!(causes, [Some(Cause::Time), Some(Cause::Data)]);
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`snapshot`](RuleBook::snapshot) and [`Snapshot::difference`]; when the rules of
    /// the snapshot cannot be used with the table's schema any more; when the instant of the
    /// snapshot lies after the present one, or none is bound and its rules need one.
    pub fn explain_difference(
        &self,
        earlier: &Snapshot,
        table: &Table<'_>,
    ) -> Result<Difference> {
        let (later, places) = self.snapshot_at(table)?;
        let mut difference = earlier.difference(&later)?;
        let steps = self.steps(earlier, table)?;
        // All truths of the earlier segments, after the first three steps.
        let mut truths = Vec::with_capacity(steps.len());
        for step in steps {
            let step = step.truths(table, &places)?;
            let step = step.iter().map(|truths| truths.moved(&difference.places));
            truths.push(step.collect::<Vec<Truths>>());
        }
        for matched in &mut difference.segments {
            let (before, after) = (&matched.before, &matched.after);
            let changed = before.differing(after);
            let mut steps = truths.iter().map(|step| {
                step.get(matched.earlier).map(|truths| truths.differing(after))
            });
            // Whose membership was not yet what it is now, after each of the steps.
            let mut differing = || steps.next().flatten().unwrap_or_default();
            let (first, second, third) = (differing(), differing(), differing());
            matched.causes = Some(Causes {
                time: changed.and(&first).and_not(&second).and_not(&third),
                definition: changed.and(&third),
            });
        }
        Ok(difference)
    }

    /// The rules of a snapshot, as they are asked in the first three steps.
    fn steps(&self, earlier: &Snapshot, table: &Table<'_>) -> Result<[RuleBook; 3]> {
        let (definition, limits) = (&earlier.definition, &earlier.limits);
        let old = definition.compile_book_with(table.schema(), limits);
        let old = old.map_err(|e| match e.into_kind() {
            ErrorKind::Definition { issues, .. } => {
                let what = "the rules of the snapshot".into();
                ErrorKind::Definition { what, issues }.into()
            }
            kind => Error::from(kind),
        })?;
        let now = self.compiled().bound.as_ref().map(|bound| &bound.moment);
        let Some(now) = now else {
            return match old.depends_on_time() {
                true => Err(unbound()),
                false => Ok([old.clone(), old.clone(), old]),
            };
        };
        // Only rules that do not depend on time can have been asked at no instant.
        let then = earlier.instant.unwrap_or(now.now());
        if then > now.now() {
            let expected = format!("at or after {then}, the instant of the snapshot");
            return Err(Error::parameter("now", expected, now.now()));
        }
        let hidden = old.compiled().at_seeing_before(now.clone(), then);
        Ok([old.at(now.at(then)), RuleBook::new(hidden), old.at(now.clone())])
    }
}
