//! One customer as events arrive, against the naive interpreter of all her events.

use proptest::prelude::*;
use segmenta::Segmenter;
use segmenta::data::{OwnedValue, Span, StreamIndex, Timestamp, Value, Zone};
use segmenta::rules::{
    Cause, Granularity, LiveBook, LiveChange, LiveConfig, LiveCustomer, LiveScratch,
    SavedCustomer,
};
use segmenta::segmenter::Truth;

use super::behaviour::{Case, DAY, NOW, Person, WEEK, case, oracle};

/// Something that a host tells.
#[derive(Clone, Debug)]
enum News {
    Event(usize, i64, Vec<OwnedValue>),
    Attribute(usize, OwnedValue),
    Id(u64),
    Now(i64),
    /// Write and read.
    Rest,
}

/// What has been told of a customer.
struct Told {
    case: Case,
    person: Person,
    granularity: Granularity,
    now: i64,
}

impl Told {
    fn new(case: &Case, granularity: Granularity, now: i64) -> Told {
        let values = vec![OwnedValue::Missing; case.features.len()];
        let streams = vec![Vec::new(); case.streams.len()];
        let case = case.clone();
        let mut told = Told {
            case,
            person: Person { id: None, values, streams },
            granularity,
            now: 0,
        };
        told.now = told.step(now);
        told
    }

    /// The start of the step of an instant.
    fn step(&self, time: i64) -> i64 {
        let offset = i64::from(self.case.offset) * 60_000;
        match self.granularity {
            Granularity::Day => (time + offset).div_euclid(DAY) * DAY - offset,
            Granularity::Every(span) => {
                let step = span.as_millis() as i64;
                time.div_euclid(step) * step
            }
        }
    }

    fn pass(&mut self, news: &News) {
        if let News::Event(_, now, _) | News::Now(now) = news {
            self.now = self.now.max(self.step(*now));
        }
    }

    fn add(&mut self, news: &News) {
        match news {
            News::Event(stream, time, values) => {
                let step = self.step(*time);
                self.person.streams[*stream].push((step, values.clone()));
            }
            News::Attribute(feature, value) => {
                self.person.values[*feature] = value.clone()
            }
            News::Id(id) => self.person.id = Some(*id),
            News::Now(_) | News::Rest => {}
        }
    }

    fn at(&self, now: i64) -> Case {
        Case { now, ..self.case.clone() }
    }

    /// Of each rule, and of the rest.
    fn truths_at(&self, now: i64) -> Vec<Truth> {
        let mut truths = oracle::truths(&self.at(now), &self.person);
        truths.push(Truth::from(!truths.contains(&Truth::True)));
        truths
    }

    fn truths(&self) -> Vec<Truth> {
        self.truths_at(self.now + 1)
    }
}

fn live(case: &Case, granularity: Granularity) -> LiveBook {
    let book = case.set().rest("rest", "The rest").compile_book(&case.schema()).unwrap();
    let config = LiveConfig::new()
        .granularity(granularity)
        .zone(Zone::fixed(case.offset).unwrap())
        .week_start(WEEK[case.week_start]);
    book.live(&config).unwrap()
}

fn granularity() -> impl Strategy<Value = Granularity> {
    prop_oneof![
        Just(Granularity::Day),
        Just(Granularity::Every(Span::from_millis(1))),
        Just(Granularity::Every(Span::hours(1))),
        Just(Granularity::Every(Span::hours(35))),
    ]
}

/// All that is known of a person, in an order that is nearly that of time.
fn news(person: &Person, shuffle: &[u64]) -> Vec<News> {
    let mut shuffle = shuffle.iter().copied().cycle();
    let mut draw = move || shuffle.next().unwrap();
    let mut all = Vec::new();
    for (s, events) in person.streams.iter().enumerate() {
        for (time, values) in events {
            let late =
                if draw().is_multiple_of(3) { (draw() % 60) as i64 * DAY } else { 0 };
            all.push((time + late, News::Event(s, *time, values.clone())));
        }
    }
    for (f, value) in person.values.iter().enumerate() {
        let at = NOW - (draw() % 100) as i64 * DAY;
        all.push((at, News::Attribute(f, value.clone())));
        if draw().is_multiple_of(2) {
            let at = NOW - (draw() % 100) as i64 * DAY;
            all.push((at, News::Attribute(f, OwnedValue::Missing)));
        }
    }
    if let Some(id) = person.id {
        all.push((NOW - (draw() % 100) as i64 * DAY, News::Id(id)));
    }
    for _ in 0..draw() % 6 {
        let now =
            NOW - 60 * DAY + (draw() % 120) as i64 * DAY + (draw() % 999_999) as i64;
        all.push((now, News::Now(now)));
        all.push((now, News::Rest));
    }
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, news)| news).collect()
}

fn tell(
    live: &LiveBook,
    customer: &mut LiveCustomer,
    news: &News,
    scratch: &mut LiveScratch,
) -> Vec<LiveChange> {
    let changes = match news {
        News::Event(stream, time, values) => {
            let values: Vec<Value<'_>> =
                values.iter().map(OwnedValue::as_value).collect();
            let (stream, time) =
                (StreamIndex::new(*stream as u32), Timestamp::from_millis(*time));
            live.event(customer, stream, time, &values, scratch)
        }
        News::Attribute(feature, value) => {
            let feature = segmenta::data::FeatureIndex::new(*feature as u32);
            live.set(customer, feature, value.as_value(), scratch)
        }
        News::Id(id) => live.identify(customer, *id, scratch),
        News::Now(now) => live.advance(customer, Timestamp::from_millis(*now), scratch),
        News::Rest => {
            let json = serde_json::to_string(&live.save(customer).unwrap()).unwrap();
            let saved: SavedCustomer = serde_json::from_str(&json).unwrap();
            let loaded = live.load(&saved).unwrap();
            assert_eq!(&loaded, customer);
            *customer = loaded;
            Ok(&[][..])
        }
    };
    changes.unwrap().to_vec()
}

/// Each change is one, and leads on from what was known.
fn apply(changes: &[LiveChange], truths: &mut [Truth]) {
    for LiveChange { segment, from, to, .. } in changes {
        assert_eq!(truths[segment.get()], *from);
        assert!(from != to);
        truths[segment.get()] = *to;
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(120)
    })]

    #[test]
    fn news_change_what_the_naive_interpreter_says(
        case in case(),
        granularity in granularity(),
        shuffle in prop::collection::vec(any::<u64>(), 40),
    ) {
        let live = live(&case, granularity);
        let mut scratch = LiveScratch::new();
        for person in &case.people {
            let first = NOW - 100 * DAY;
            let mut told = Told::new(&case, granularity, first);
            let mut customer = live.customer(Timestamp::from_millis(first));
            let mut truths = told.truths();
            prop_assert_eq!(&live.membership(&customer, &mut scratch).unwrap(), &truths);
            for news in news(person, &shuffle) {
                let due = live.due(&customer).unwrap().map_or(i64::MAX, Timestamp::as_millis);
                let changes = tell(&live, &mut customer, &news, &mut scratch);
                told.pass(&news);
                let by_time = changes.iter().take_while(|c| c.cause == Cause::Time).count();
                prop_assert!(by_time == 0 || told.now >= due);
                apply(&changes[..by_time], &mut truths);
                prop_assert_eq!(&truths, &told.truths(), "{:?}", &news);
                told.add(&news);
                prop_assert!(changes[by_time..].iter().all(|c| c.cause == Cause::Data));
                apply(&changes[by_time..], &mut truths);
                prop_assert_eq!(&truths, &told.truths(), "{:?}", &news);
            }
            prop_assert_eq!(&live.membership(&customer, &mut scratch).unwrap(), &truths);
            let moment = live.moment(&customer).unwrap();
            prop_assert_eq!(moment.now().as_millis(), told.now + 1);
            // The book says the same of events at the starts of their steps.
            let people = vec![told.person.clone()];
            let steps = Case { people, ..told.at(told.now + 1) };
            let book = steps.set().rest("rest", "The rest");
            let book = book.compile_book(&steps.schema()).unwrap().at(moment);
            let steps = steps.customers().remove(0);
            prop_assert_eq!(&book.membership(&steps).unwrap(), &truths);
            let explained = live.explain(&customer, &mut scratch).unwrap();
            prop_assert_eq!(explained, book.explain(&steps).unwrap());
        }
    }

    #[test]
    fn nothing_changes_before_it_is_due(
        case in case(),
        granularity in granularity(),
        shuffle in prop::collection::vec(any::<u64>(), 40),
    ) {
        let live = live(&case, granularity);
        let mut scratch = LiveScratch::new();
        let person = &case.people[0];
        let mut told = Told::new(&case, granularity, case.now);
        let mut customer = live.customer(Timestamp::from_millis(case.now));
        for news in news(person, &shuffle) {
            if !matches!(news, News::Now(_)) {
                tell(&live, &mut customer, &news, &mut scratch);
                told.pass(&news);
                told.add(&news);
            }
        }
        // Day by day, and hour by hour.
        let mut truths = told.truths();
        for hours in (1..200).chain((9..600).map(|day| day * 24)) {
            let now = case.now + hours * 3_600_000;
            let due = live.due(&customer).unwrap().map_or(i64::MAX, Timestamp::as_millis);
            told.pass(&News::Now(now));
            let next = told.truths();
            prop_assert!(next == truths || told.now >= due, "{} {}", due, told.now);
            if told.now >= due {
                tell(&live, &mut customer, &News::Now(now), &mut scratch);
                prop_assert_eq!(&live.membership(&customer, &mut scratch).unwrap(), &next);
            }
            truths = next;
        }
    }

    #[test]
    fn parts_are_merged_into_what_one_would_be(
        case in case(),
        granularity in granularity(),
        shuffle in prop::collection::vec(any::<u64>(), 40),
    ) {
        let live = live(&case, granularity);
        let mut scratch = LiveScratch::new();
        let person = &case.people[0];
        let first = Timestamp::from_millis(NOW - 100 * DAY);
        let mut told = Told::new(&case, granularity, first.as_millis());
        let mut parts = [live.customer(first), live.customer(first)];
        let all = news(person, &shuffle);
        let (one, two): (Vec<_>, Vec<_>) =
            all.into_iter().enumerate().partition(|(i, _)| shuffle[i % 40].is_multiple_of(2));
        for (part, news) in [one, two].into_iter().enumerate() {
            for (_, news) in news {
                if matches!(news, News::Attribute(..) | News::Id(_)) && part == 1 {
                    continue;
                }
                tell(&live, &mut parts[part], &news, &mut scratch);
                told.pass(&news);
                told.add(&news);
            }
        }
        let [mut one, two] = parts;
        let mut truths = live.membership(&one, &mut scratch).unwrap();
        apply(live.merge(&mut one, &two, &mut scratch).unwrap(), &mut truths);
        prop_assert_eq!(&truths, &told.truths());
        prop_assert_eq!(&live.membership(&one, &mut scratch).unwrap(), &truths);
        let saved = live.save(&one).unwrap();
        prop_assert_eq!(&live.load(&saved).unwrap(), &one);
        // And goes on as one.
        for days in [0, 1, 2, 8, 31, 100, 400] {
            let now = News::Now(told.now + days * DAY);
            apply(&tell(&live, &mut one, &now, &mut scratch), &mut truths);
            told.pass(&now);
            prop_assert_eq!(&truths, &told.truths(), "{}", days);
        }
    }
}
