//! Customers at rest.

use serde::{Deserialize, Serialize};

use super::code::MISSING;
use super::customer::{LiveCustomer, Rest, Set, StreamState};
use super::frame::Frames;
use super::plan::{Part, StreamPlan};
use super::trail::Trail;
use super::turn::LiveScratch;
use super::values::Rows;
use super::{Inner, LiveBook};
use crate::data::{OwnedValue, Timestamp};
use crate::error::{Error, Result};
use crate::fnv::Fnv;
use crate::rules::leaf::is_usable;

/// What is kept of a customer, ready to be written in any format that serde knows.
/// [`LiveBook::load`] reads it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedCustomer {
    version: u32,
    /// What is kept: the fingerprint of its description.
    layout: u64,
    /// That of the rules.
    rules: u64,
    tick: i64,
    due: i64,
    n_true: u32,
    attributes: Vec<OwnedValue>,
    streams: Vec<StreamState>,
    #[serde(default)]
    trails: Vec<Trail>,
    /// The checksum of all of this.
    check: u64,
}

const VERSION: u32 = 1;

impl LiveBook {
    /// The customer, ready to be written.
    ///
    /// ```
    /// use segmenta::data::{Schema, StreamSpec, Timestamp};
    /// use segmenta::rules::{LiveConfig, LiveScratch, RuleBook, SavedCustomer};
    ///
    /// let schema = Schema::builder().stream(StreamSpec::new("visit", [])).build()?;
    /// let book = RuleBook::builder(&schema)
    ///     .segment("often", "Often here", "events(visit).count in last 7d >= 2".parse()?)
    ///     .build()?;
    /// let live = book.live(&LiveConfig::new())?;
    /// let (visit, now) = (schema.require_stream("visit")?, Timestamp::from_millis(0));
    /// let mut scratch = LiveScratch::new();
    /// let mut ann = live.customer(now);
    /// live.event(&mut ann, visit, now, &[], &mut scratch)?;
    ///
    /// let json = serde_json::to_string(&live.save(&ann)?).unwrap();
    /// let saved: SavedCustomer = serde_json::from_str(&json).unwrap();
    /// assert_eq!(live.load(&saved)?, ann);
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the customer is of another book.
    pub fn save(&self, customer: &LiveCustomer) -> Result<SavedCustomer> {
        self.check(customer)?;
        let LiveCustomer { book: _, tick, due, n_true, attributes, streams, trails } =
            customer.clone();
        let mut saved = SavedCustomer {
            version: VERSION,
            layout: self.0.layout,
            rules: customer.book,
            tick,
            due,
            n_true,
            attributes: attributes.into(),
            streams: streams.into(),
            trails: trails.into(),
            check: 0,
        };
        saved.check = saved.checksum();
        Ok(saved)
    }

    /// A customer that was saved, by this book or by one that keeps the same: whose rules ask
    /// for the same aggregates of the same events and for the same features, whatever they
    /// compare them with and however they are joined.
    ///
    /// # Errors
    /// When the customer belongs to another book, or was altered.
    pub fn load(&self, saved: &SavedCustomer) -> Result<LiveCustomer> {
        let fault =
            |reason: &'static str| Error::corrupt("segmenta.live_customer", reason);
        if saved.version != VERSION {
            return Err(fault("it is of a version that is not known here"));
        }
        if saved.layout != self.0.layout {
            return Err(fault("it belongs to a book that keeps other things"));
        }
        if saved.check != saved.checksum() {
            return Err(fault("it was altered: its checksum is another"));
        }
        if !self.0.is_valid(saved) {
            return Err(fault("it was altered: it holds what no customer can hold"));
        }
        let mut customer = LiveCustomer {
            book: self.0.rules,
            tick: saved.tick,
            due: saved.due,
            n_true: saved.n_true,
            attributes: saved.attributes.clone().into(),
            streams: saved.streams.clone().into(),
            trails: saved.trails.clone().into(),
        };
        // What can be computed is not believed.
        self.0.locate(&mut customer, &mut Vec::new());
        self.0.retrace(&mut customer, |_| true, &mut Vec::new());
        if saved.rules != self.0.rules {
            self.adopt(&mut customer)?;
        }
        Ok(customer)
    }

    /// Takes over a customer from a book with other rules.
    fn adopt(&self, customer: &mut LiveCustomer) -> Result<()> {
        let Inner { plan, clock, .. } = &*self.0;
        let mut frames = Frames::default();
        let mut rows = Rows::default();
        frames.go_to(plan, clock, customer.tick);
        for (plan, state) in plan.streams.iter().zip(&mut customer.streams) {
            rows.at(plan, &state.ring, &frames.now);
            state.due = clock.due(plan, &state.ring, &rows, &frames.now);
        }
        // The tests by the distance from today are looked at with the next step.
        customer.due = customer.tick + 1;
        customer.n_true = self.count_true(customer, &mut LiveScratch::new())?;
        Ok(())
    }
}

impl Inner {
    fn is_valid(&self, saved: &SavedCustomer) -> bool {
        let grid = &self.clock.grid;
        let first = grid.tick(Timestamp::MIN.as_millis());
        let last = grid.tick(Timestamp::MAX.as_millis());
        let attributes = self.plan.features.iter().zip(&saved.attributes);
        let mut usable = attributes.map(|((feature, _), value)| {
            let spec = self.set.schema.get(*feature);
            let levels = self.levels.get(feature.get()).and_then(Option::as_deref);
            spec.is_some_and(|spec| is_usable(spec.kind(), levels, &value.as_value()))
        });
        let n_features = self.plan.features.len();
        let slots = &self.plan.slots;
        let computed = saved.attributes.iter().skip(n_features).enumerate();
        let mut trails = slots.trails().iter().zip(&saved.trails);
        let mut streams = self.plan.streams.iter().zip(&saved.streams);
        (first..=last).contains(&saved.tick)
            && (saved.rules != self.rules
                || saved.n_true as usize <= self.set.rules.len())
            && saved.attributes.len() == n_features + slots.all.len()
            && computed.into_iter().all(|(at, value)| slots.has(at, value))
            && saved.trails.len() == slots.trails().len()
            && trails.all(|(plan, trail)| trail.is_valid(plan, &(first..saved.tick + 1)))
            && saved.streams.len() == self.plan.streams.len()
            && usable.all(|usable| usable)
            && streams.all(|(plan, state)| state.is_valid(plan, first..saved.tick + 1))
    }
}

impl StreamState {
    fn is_valid(&self, plan: &StreamPlan, ticks: std::ops::Range<i64>) -> bool {
        let blank = StreamState::new(plan);
        let texts = self.texts();
        let cells = |part: &Part, ring: &super::ring::Ring| {
            (1..).zip(&part.columns).all(|(number, column)| {
                let has_all = || {
                    (0..ring.n_rows())
                        .all(|row| column.content.has(ring.get(number, row), texts))
                };
                column.content.is_plain() || has_all()
            })
        };
        let sets = |part: &Part, sets: &[Set], range: &std::ops::Range<i64>| {
            let keyed = part.sets.iter().zip(sets);
            part.sets.len() == sets.len()
                && keyed.into_iter().all(|(keyed, set)| {
                    set.0.is_sorted_by(|a, b| a < b)
                        && set.0.iter().all(|(at, code)| {
                            range.contains(at)
                                && *code > MISSING
                                && keyed.kind().has(*code, texts)
                        })
                })
        };
        let n_stretches = plan.stretches.len();
        self.ring.is_valid(&plan.moving.sums(), None)
            && self.ring.ascends_within(&ticks)
            && cells(&plan.moving, &self.ring)
            && match (&self.rest, &blank.rest) {
                (None, None) => true,
                (Some(rest), Some(_)) => {
                    let Rest { fixed, moving_sets, fixed_sets, texts } = &**rest;
                    texts.is_valid()
                        && fixed.is_valid(&plan.fixed.sums(), Some(n_stretches))
                        && cells(&plan.fixed, fixed)
                        && sets(&plan.moving, moving_sets, &ticks)
                        && sets(&plan.fixed, fixed_sets, &(0..n_stretches as i64))
                }
                _ => false,
            }
    }
}

impl SavedCustomer {
    /// The checksum that was saved with it.
    pub(in crate::rules) fn check(&self) -> u64 {
        self.check
    }

    fn checksum(&self) -> u64 {
        let mut hash = Fnv::new();
        let SavedCustomer { version, layout, rules, tick, due, n_true, .. } = self;
        let SavedCustomer { attributes, streams, trails, .. } = self;
        for part in [(*version).into(), *layout, *rules, *tick as u64, *due as u64] {
            hash.feed(&part.to_le_bytes());
        }
        hash.feed(&n_true.to_le_bytes());
        // As they are written, which is told for ever.
        for attribute in attributes {
            hash.feed(&serde_json::to_vec(attribute).unwrap_or_default());
        }
        for stream in streams {
            stream.ring.feed(&mut |bytes| hash.feed(bytes));
            hash.feed(&stream.due.to_le_bytes());
            if let Some(rest) = &stream.rest {
                let Rest { fixed, moving_sets, fixed_sets, texts } = &**rest;
                fixed.feed(&mut |bytes| hash.feed(bytes));
                for set in moving_sets.iter().chain(fixed_sets) {
                    hash.feed(&(set.0.len() as u64).to_le_bytes());
                    for (at, code) in &set.0 {
                        hash.feed(&at.to_le_bytes());
                        hash.feed(&code.to_le_bytes());
                    }
                }
                for name in texts.iter() {
                    hash.feed(&(name.len() as u64).to_le_bytes());
                    hash.feed(name.as_bytes());
                }
            }
        }
        for trail in trails {
            trail.feed(&mut |bytes| hash.feed(bytes));
        }
        hash.finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::*;
    use crate::data::{
        FeatureIndex, FeatureSpec, Schema, StreamIndex, StreamSpec, Value,
    };
    use crate::rules::{LiveConfig, RuleBook};

    /// The numbers, texts and nulls of a document.
    fn ends<'j>(json: &'j mut Json, out: &mut Vec<&'j mut Json>) {
        match json {
            Json::Array(parts) => parts.iter_mut().for_each(|part| ends(part, out)),
            Json::Object(parts) => parts.values_mut().for_each(|part| ends(part, out)),
            end => out.push(end),
        }
    }

    #[test]
    fn forged_customers_are_refused_or_do_no_harm() {
        let order = StreamSpec::new(
            "order",
            [FeatureSpec::number("amount"), FeatureSpec::category("product")],
        );
        let schema =
            Schema::builder().feature(FeatureSpec::number("age")).stream(order).build();
        let schema = schema.unwrap();
        let book = [
            "events(order).sum(amount) in last 30d > 5 and age > 3",
            "events(order).distinct(product) in last 60d > 2",
            "events(order).first(product) in last 60d = 'ink'",
            "events(order).max(amount) in last 90d > 2",
            "events(order).last(product) = 'pen'",
            "events(order).sum(amount) > 20",
            "events(order).first_day in last 900d in last 100d",
            "events(order).active_days > 4",
            "sequence(order then order within 20d) with same product in last 90d",
            "sequence(order then not order within 3d)",
            "distance(age, age) from (1, 2) < 3000",
            "bucket('x') < 0.5",
        ];
        let book =
            book.iter().enumerate().fold(RuleBook::builder(&schema), |b, (i, rule)| {
                b.segment(format!("s{i}"), "S", rule.parse().unwrap())
            });
        let live = book.rest("rest", "Rest").build().unwrap();
        let live = live.live(&LiveConfig::new()).unwrap();
        let mut scratch = LiveScratch::new();
        let day = |n: i64| Timestamp::from_millis(n * 86_400_000);
        let mut ann = live.customer(day(1));
        let buy = |ann: &mut LiveCustomer, at: i64, scratch: &mut LiveScratch| {
            let amount = if at == 7 { 1e300 } else { 0.3 + at as f64 };
            let product = ["ink", "pen", "cap"][at as usize % 3];
            let values = [Value::Number(amount), Value::Category(product)];
            live.event(ann, StreamIndex::new(0), day(at), &values, scratch).unwrap();
        };
        for at in [1, 5, 5, 9, 20, 3] {
            buy(&mut ann, at, &mut scratch);
        }
        live.set(&mut ann, FeatureIndex::new(0), Value::Number(9.0), &mut scratch)
            .unwrap();
        live.identify(&mut ann, 7, &mut scratch).unwrap();
        let json = serde_json::to_value(live.save(&ann).unwrap()).unwrap();
        let n = {
            let mut json = json.clone();
            let mut all = Vec::new();
            ends(&mut json, &mut all);
            all.len()
        };
        let (mut n_loaded, mut n_refused) = (0, 0);
        for at in 0..n {
            for change in [1, -1, 127, 254, -3000, i64::MAX, i64::MIN, u32::MAX.into()] {
                let mut json = json.clone();
                let mut all = Vec::new();
                ends(&mut json, &mut all);
                match &mut all[at] {
                    Json::Number(x) => match x.as_i64() {
                        Some(x) => *all[at] = x.wrapping_add(change).into(),
                        None => *all[at] = (change as f64).into(),
                    },
                    end => **end = change.into(),
                }
                let Ok(mut saved) = serde_json::from_value::<SavedCustomer>(json) else {
                    n_refused += 1;
                    continue;
                };
                saved.check = saved.checksum();
                let Ok(mut bob) = live.load(&saved) else {
                    n_refused += 1;
                    continue;
                };
                n_loaded += 1;
                live.membership(&bob, &mut scratch).unwrap();
                live.explain(&bob, &mut scratch).unwrap();
                live.merge(&mut bob, &ann, &mut scratch).unwrap();
                let now = live.moment(&bob).unwrap().now().as_millis() / 86_400_000;
                if now < 2_000_000 {
                    for at in [7, now, now + 5, now + 90] {
                        buy(&mut bob, at.max(0), &mut scratch);
                    }
                }
                live.advance(&mut bob, Timestamp::MAX, &mut scratch).unwrap();
                live.membership(&bob, &mut scratch).unwrap();
            }
        }
        assert!(n_loaded > 100 && n_refused > 500, "{n_loaded} {n_refused}");
    }
}
