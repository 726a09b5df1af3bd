//! Segments that are not left at once, as events arrive.

use proptest::prelude::*;
use segmenta::data::{
    EventLog, FeatureIndex, FeatureSpec, OwnedCustomer, Schema, Span, StreamIndex,
    StreamSpec, Table, Timestamp, Value,
};
use segmenta::rules::{
    Cause, Granularity, Hysteresis, LiveConfig, LiveStickyBook, Rule, RuleBook,
    SavedStickyCustomer, Stays, StickyBook, StickyCustomer, StickyScratch, events, field,
};
use segmenta::segmenter::SegmentIndex;

const STREAMS: [&str; 2] = ["order", "visit"];

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn ms(millis: u64) -> Span {
    Span::from_millis(millis)
}

fn schema() -> Schema {
    Schema::builder()
        .feature(FeatureSpec::number("a"))
        .feature(FeatureSpec::number("b"))
        .stream(StreamSpec::new("order", []))
        .stream(StreamSpec::new("visit", []))
        .build()
        .unwrap()
}

fn sticky_of(least: u64, leave: f64) -> StickyBook {
    let orders = |span: u64| events("order").last(ms(span));
    let no_visit = |span: u64| !events("visit").last(ms(span)).count().ge(1);
    let book = RuleBook::builder(&schema())
        .segment("by", "Left by a rule", orders(10).count().ge(2))
        .segment("plain", "As in the book", field("a").ge(3) | orders(3).count().ge(1))
        .segment("least", "Stays for a while", orders(4).count().ge(1))
        .segment("both", "Both", field("a").ge(3) & orders(8).count().ge(1))
        .segment("sure", "Left when it is False", field("a").ge(3) & field("b").ge(2))
        .segment("window", "Time alone", events("visit").last(ms(7)).count().ge(1))
        .rest("rest", "The rest")
        .build()
        .unwrap();
    StickyBook::new(
        &book,
        [
            Hysteresis::new("by").leave(no_visit(6)),
            Hysteresis::new("least").minimum_stay(ms(least)),
            Hysteresis::new("both")
                .leave(field("b").lt(leave) | no_visit(5))
                .minimum_stay(ms(6)),
            Hysteresis::new("sure"),
        ],
    )
    .unwrap()
}

fn sticky() -> StickyBook {
    sticky_of(9, 1.0)
}

#[derive(Clone, Debug)]
enum News {
    /// An event of a stream, so long after the customer's clock, or before it.
    Event(usize, i64),
    Pass(i64),
    Set(u32, Option<f64>),
}

fn news() -> impl Strategy<Value = News> {
    let value = prop::option::weighted(0.8, (0..5).prop_map(f64::from));
    prop_oneof![
        (0..2_usize, -6..12_i64).prop_map(|(stream, ahead)| News::Event(stream, ahead)),
        (0..2_usize, 0..3_i64).prop_map(|(stream, ahead)| News::Event(stream, ahead)),
        (-3..25_i64).prop_map(News::Pass),
        (0..2_u32, value).prop_map(|(feature, value)| News::Set(feature, value)),
    ]
}

/// What the customer is known to be and to have done.
#[derive(Clone, Debug, Default)]
struct Known {
    values: [Option<f64>; 2],
    events: [Vec<i64>; 2],
}

impl Known {
    fn table(&self) -> Table<'static> {
        let schema = schema();
        let mut ann = OwnedCustomer::new(&schema, 7);
        for (name, value) in ["a", "b"].into_iter().zip(self.values) {
            if let Some(value) = value {
                ann = ann.set(name, value).unwrap();
            }
        }
        for (i, name) in STREAMS.into_iter().enumerate() {
            let mut times = self.events[i].clone();
            times.sort_unstable();
            let spec = &schema.streams()[i];
            let rows = times.into_iter().map(|time| (at(time), [0.0; 0]));
            ann = ann.set_events(name, EventLog::new(spec, rows).unwrap()).unwrap();
        }
        Table::from_customers(&schema, [ann]).unwrap()
    }
}

/// The slow way: the whole book over a table at each step of time.
struct Stepper {
    book: StickyBook,
    live: LiveStickyBook,
    step: i64,
    known: Known,
    stays: Stays,
    clock: i64,
    /// Segment, whether she is in it, and when.
    told: Vec<(u32, bool, i64)>,
}

impl Stepper {
    fn update(&mut self) {
        let blank = self.live.book().customer(at(self.clock));
        let moment = self.live.book().moment(&blank).unwrap();
        let later = self.book.update(&self.stays, &self.known.table(), moment).unwrap();
        for change in self.stays.changes(&later) {
            let segments = self.live.segments();
            let place = segments.iter().position(|s| s.id == *change.segment).unwrap();
            self.told.push((place as u32, change.is_member, self.clock));
        }
        self.stays = later;
    }

    fn pass(&mut self, until: i64) {
        while self.clock + self.step <= until {
            self.clock += self.step;
            self.update();
        }
    }

    fn membership(&self) -> Vec<bool> {
        let is_in = |id: &str| self.stays.since(id, 7).is_some();
        self.live.segments().iter().map(|segment| is_in(segment.id.as_str())).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(100)
    })]

    #[test]
    fn who_is_in_is_as_if_asked_at_each_step(
        step in prop::sample::select(vec![1_i64, 3]),
        history in prop::collection::vec((news(), prop::bool::weighted(0.1)), 1..30),
    ) {
        let book = sticky();
        let every = Granularity::Every(ms(step as u64));
        let live = book.live(&LiveConfig::new().granularity(every)).unwrap();
        let mut scratch = StickyScratch::new();
        let start = 30;
        let mut ann = live.customer(at(start)).unwrap();
        let mut slow = Stepper {
            book,
            live: live.clone(),
            step,
            known: Known::default(),
            stays: Stays::new(),
            clock: start,
            told: Vec::new(),
        };
        slow.update();
        slow.told.clear();
        for (news, is_saved) in history {
            let due = live.due(&ann).unwrap();
            let clock = slow.clock;
            let changes = match news {
                News::Event(stream, ahead) => {
                    let time = clock + ahead;
                    slow.pass(time);
                    slow.known.events[stream].push(time.div_euclid(step) * step);
                    slow.update();
                    let stream = StreamIndex::new(stream as u32);
                    live.event(&mut ann, stream, at(time), &[], &mut scratch).unwrap()
                }
                News::Pass(time) => {
                    slow.pass(clock + time);
                    live.advance(&mut ann, at(clock + time), &mut scratch).unwrap()
                }
                News::Set(feature, value) => {
                    slow.known.values[feature as usize] = value;
                    slow.update();
                    let feature = FeatureIndex::new(feature);
                    live.set(&mut ann, feature, value.into(), &mut scratch).unwrap()
                }
            };
            let by_time = changes.iter().filter(|change| change.cause == Cause::Time);
            for change in by_time {
                prop_assert!(due.is_some_and(|due| due <= change.at), "{:?}", due);
            }
            let mut told: Vec<_> = changes
                .iter()
                .map(|c| (c.segment.get() as u32, c.is_member, c.at.as_millis()))
                .collect();
            prop_assert!(told.is_sorted_by_key(|change| change.2));
            // What changes at once is told in no order that matters.
            told.sort_by_key(|change| change.0);
            slow.told.sort_by_key(|change| change.0);
            prop_assert_eq!(&told, &slow.told);
            slow.told.clear();
            prop_assert_eq!(live.membership(&ann, &mut scratch).unwrap(), slow.membership());
            for (i, segment) in live.segments().iter().enumerate() {
                let id = segment.id.as_str();
                if ["by", "least", "both", "sure"].contains(&id) {
                    let since = live.since(&ann, SegmentIndex::new(i as u32)).unwrap();
                    let found = slow.stays.since(id, 7);
                    // The table is asked a millisecond after the start of a step.
                    let expected = found.map(|since| at(since.as_millis() - 1));
                    prop_assert_eq!(since, expected, "{}", id);
                }
            }
            if is_saved {
                let json = serde_json::to_string(&live.save(&ann).unwrap()).unwrap();
                let saved: SavedStickyCustomer = serde_json::from_str(&json).unwrap();
                prop_assert_eq!(&live.load(&saved).unwrap(), &ann);
            }
        }
    }
}

fn order(live: &LiveStickyBook, ann: &mut StickyCustomer, time: i64) -> Vec<bool> {
    let mut scratch = StickyScratch::new();
    live.event(ann, StreamIndex::new(0), at(time), &[], &mut scratch).unwrap();
    live.membership(ann, &mut scratch).unwrap()
}

fn by_millis() -> LiveConfig {
    LiveConfig::new().granularity(Granularity::Every(ms(1)))
}

#[test]
fn customers_of_another_book_are_refused() {
    let live = sticky().live(&by_millis()).unwrap();
    let mut scratch = StickyScratch::new();
    let mut ann = live.customer(at(0)).unwrap();
    let plain = StickyBook::new(
        &RuleBook::builder(&schema()).segment("x", "X", Rule::Everyone).build().unwrap(),
        [],
    );
    for other in [
        sticky_of(8, 1.0).live(&by_millis()).unwrap(),
        sticky_of(9, 2.0).live(&by_millis()).unwrap(),
        plain.unwrap().live(&by_millis()).unwrap(),
    ] {
        let error = other.advance(&mut ann, at(1), &mut scratch).unwrap_err();
        assert!(error.to_string().contains("another book"), "{error}");
        assert!(other.membership(&ann, &mut scratch).is_err());
        assert!(other.due(&ann).is_err() && other.save(&ann).is_err());
    }
}

#[test]
fn what_cannot_be_taken_in_changes_nothing() {
    let live = sticky().live(&by_millis()).unwrap();
    let mut scratch = StickyScratch::new();
    let mut ann = live.customer(at(0)).unwrap();
    order(&live, &mut ann, 1);
    let before = ann.clone();
    let order = StreamIndex::new(0);
    let values = [Value::Number(1.0)];
    assert!(live.event(&mut ann, order, at(99), &values, &mut scratch).is_err());
    let never = at(i64::MAX);
    assert!(live.event(&mut ann, order, never, &[], &mut scratch).is_err());
    assert!(live.advance(&mut ann, never, &mut scratch).is_err());
    let a = FeatureIndex::new(0);
    assert!(live.set(&mut ann, a, Value::Number(f64::NAN), &mut scratch).is_err());
    assert_eq!(ann, before);
}

#[test]
fn stays_outlast_an_edit_of_the_book() {
    let live = sticky().live(&by_millis()).unwrap();
    let mut ann = live.customer(at(0)).unwrap();
    order(&live, &mut ann, 1);
    let mut scratch = StickyScratch::new();
    live.advance(&mut ann, at(6), &mut scratch).unwrap();
    // She stays in `least` until 10; before that, an order leaves the window of `both`.
    assert_eq!(live.due(&ann).unwrap(), Some(at(9)));
    live.advance(&mut ann, at(9), &mut scratch).unwrap();
    assert_eq!(live.due(&ann).unwrap(), Some(at(10)));
    let saved = live.save(&ann).unwrap();
    let shorter = sticky_of(5, 1.0).live(&by_millis()).unwrap();
    let bob = shorter.load(&saved).unwrap();
    let least = SegmentIndex::new(2);
    assert_eq!(live.since(&ann, least).unwrap(), Some(at(1)));
    assert_eq!(shorter.since(&bob, least).unwrap(), None);
    let longer = sticky_of(50, 1.0).live(&by_millis()).unwrap();
    let mut bob = longer.load(&saved).unwrap();
    assert_eq!(longer.since(&bob, least).unwrap(), Some(at(1)));
    longer.advance(&mut bob, at(20), &mut scratch).unwrap();
    assert_eq!(longer.due(&bob).unwrap(), Some(at(51)));
}

#[test]
fn a_stay_beyond_the_calendar_never_ends() {
    let book = sticky_of(u64::MAX, 1.0).live(&by_millis()).unwrap();
    let mut ann = book.customer(at(0)).unwrap();
    order(&book, &mut ann, 1);
    let mut scratch = StickyScratch::new();
    book.advance(&mut ann, Timestamp::MAX, &mut scratch).unwrap();
    assert_eq!(book.since(&ann, SegmentIndex::new(2)).unwrap(), Some(at(1)));
    assert_eq!(book.due(&ann).unwrap(), None);
}

#[test]
fn what_was_altered_at_rest_is_an_error() {
    let live = sticky().live(&by_millis()).unwrap();
    let mut ann = live.customer(at(0)).unwrap();
    order(&live, &mut ann, 1);
    let json = serde_json::to_value(live.save(&ann).unwrap()).unwrap();
    let load = |json| {
        let saved = serde_json::from_value::<SavedStickyCustomer>(json);
        saved.is_ok_and(|saved| live.load(&saved).is_ok())
    };
    assert!(load(json.clone()));
    let altered = |path: &str, value: serde_json::Value| {
        let mut json = json.clone();
        let place = json.pointer_mut(path).unwrap();
        assert_ne!(*place, value);
        *place = value;
        json
    };
    for (path, value) in [
        ("/since/0/1", 0.into()),
        ("/since/0/1", 5.into()),
        ("/since/0/0", "both".into()),
        ("/since", serde_json::json!([])),
        ("/check", 1.into()),
        ("/customer/tick", 7.into()),
    ] {
        assert!(!load(altered(path, value.clone())), "{path} {value}");
    }
    // Stays of one customer are not those of another.
    let bob = serde_json::to_value(live.save(&live.customer(at(1)).unwrap()).unwrap());
    assert!(!load(altered("/customer", bob.unwrap()["customer"].clone())));
}
