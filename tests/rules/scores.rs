//! Scores of a set, compared with bounds.

use segmenta::data::{
    EventLog, FeatureSpec, Ids, OwnedCustomer, Schema, Span, StreamSpec, Table,
    Timestamp, Value,
};
use segmenta::rules::{
    Dialect, Granularity, Hysteresis, Limits, LiveConfig, LiveScratch, PointsModel, Rule,
    RuleBook, RuleSet, SegmentStay, Share, SqlLayout, SqlStream, Stays, StickyBook,
    Window, bucket, events, field, score, segment,
};
use segmenta::segmenter::{Persist, Reason, Saved, SegmentIndex, Truth};
use segmenta::{ErrorKind, Result, Segmenter};

const DAY: i64 = 86_400_000;

fn day(n: i64) -> Timestamp {
    Timestamp::from_millis(n * DAY)
}

fn schema() -> Schema {
    Schema::builder()
        .feature(FeatureSpec::flag("member"))
        .feature(FeatureSpec::number("age"))
        .stream(StreamSpec::new("visit", [FeatureSpec::number("seconds")]))
        .build()
        .unwrap()
}

/// Without events.
fn plain() -> Schema {
    Schema::new([FeatureSpec::flag("member"), FeatureSpec::number("age")]).unwrap()
}

fn engagement() -> PointsModel {
    PointsModel::new()
        .when("member", 10.0, field("member").eq(true))
        .when("young", -3.5, field("age").lt(30))
        .per_event(
            "long visits",
            4.0,
            events("visit").filter(field("seconds").ge(30)).last(Span::days(30)),
        )
        .part_cap(20.0)
        .cap(25.0)
}

fn set() -> RuleSet {
    RuleSet::new()
        .score("engagement", engagement())
        .segment("warm", "Warm", score("engagement").ge(14))
        .segment("hot", "Hot", "score 'engagement' >= 18 and age >= 40".parse().unwrap())
        .segment("cold", "Cold", !segment("warm") & score("engagement").le(0))
        .rest("rest", "The rest")
}

/// With visits on these days.
fn customer(member: bool, age: f64, visits: &[i64]) -> OwnedCustomer {
    let schema = schema();
    let log =
        EventLog::new(&schema.streams()[0], visits.iter().map(|&at| (day(at), [60.0])));
    OwnedCustomer::new(&schema, 1)
        .set("member", member)
        .unwrap()
        .set("age", age)
        .unwrap()
        .set_events("visit", log.unwrap())
        .unwrap()
}

fn codes(result: Result<impl Sized>) -> Vec<(String, String)> {
    let error = result.err().unwrap();
    let ErrorKind::Definition { issues, .. } = error.kind() else { panic!("{error}") };
    issues.iter().map(|i| (i.code.clone(), i.path.clone())).collect()
}

fn told(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|&(a, b)| (a.to_owned(), b.to_owned())).collect()
}

#[test]
fn scores_are_written_and_read() {
    let json = set().to_json().unwrap();
    assert_eq!(RuleSet::from_json(&json).unwrap(), set());
    let only: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        only["segments"][0]["rule"].to_string(),
        r#"{"score":{"id":"engagement","is":{"ge":14}}}"#
    );
    assert_eq!(only["scores"][0]["points"]["cap"], 25.0);
    // Sets without scores are written as ever.
    let plain = RuleSet::new().segment("a", "A", Rule::Everyone).to_json().unwrap();
    assert!(!plain.contains("scores"), "{plain}");
    let book = set().compile_book(&schema()).unwrap();
    let saved = serde_json::to_string(&book.save().unwrap()).unwrap();
    let saved: Saved = serde_json::from_str(&saved).unwrap();
    assert_eq!(RuleBook::load(&saved).unwrap(), book);
    assert_eq!(book.definition(), set());
    // A feature may be called so, and an id may hold quotes.
    for text in ["score >= 3", "score 'it''s' in (1, 2)", "not score 'a' between 1 and 2"]
    {
        let rule: Rule = text.parse().unwrap();
        assert_eq!(rule.to_string().parse::<Rule>().unwrap(), rule);
    }
    assert_eq!("score >= 3".parse::<Rule>().unwrap(), field("score").ge(3));
    assert!("score 'a' >= 3 when missing yes".parse::<Rule>().is_err());
    assert!("score 'a'".parse::<Rule>().is_err());
}

#[test]
fn a_score_is_explained_part_by_part() {
    let book = set().compile_book(&schema()).unwrap().at(day(107));
    let ann = customer(true, 25.0, &[70, 93, 100, 101]);
    assert_eq!(
        book.membership(&ann).unwrap(),
        [Truth::True, Truth::False, Truth::False, Truth::False]
    );
    let Reason::Rules { clauses } = book.explain(&ann).unwrap().reason else { panic!() };
    let first: Vec<String> = clauses[..4]
        .iter()
        .map(|c| format!("{} {} {:?} {}", c.path, c.text, c.observed, c.truth))
        .collect();
    assert_eq!(
        first,
        [
            " Warm: score 'engagement' >= 14 Some(Number(18.5)) yes",
            "/score/parts/0 member: +10 if member = true Some(Number(10.0)) yes",
            "/score/parts/1 young: -3.5 if age < 30 Some(Number(-3.5)) yes",
            "/score/parts/2 long visits: +4 times events(visit where seconds >= 30).count \
             in last 30d, at most 20 Some(Number(12.0)) yes",
        ]
    );
    let why = book.why(&ann, SegmentIndex::new(0)).unwrap();
    assert_eq!(
        why.to_string(),
        "yes, since\n- score 'engagement' >= 14: yes (18.5)\nnot, if\n\
         - score 'engagement' >= 14: were no\n\
         no, from 1970-05-11T00:00:00.001Z on, if nothing happens\n"
    );
    // The same points as the model by itself.
    let points =
        engagement().compile(&schema()).unwrap().at(day(107)).score(&ann).unwrap();
    assert_eq!(points.points, 18.5);
}

#[test]
fn what_cannot_be_used_is_told_and_explained() {
    let nobody =
        OwnedCustomer::with_values(&schema(), 1, vec![true.into(), f64::NAN.into()])
            .unwrap();
    let book = set().compile_book(&schema()).unwrap().at(day(107));
    let error = book.membership(&nobody).unwrap_err().to_string();
    assert!(error.contains("`age`"), "{error}");
    let Reason::Rules { clauses } = set()
        .compile(&schema())
        .unwrap()
        .at(day(1))
        .explain(&customer(true, 1.0, &[]))
        .unwrap()
        .reason
    else {
        panic!()
    };
    assert_eq!(clauses[0].truth, Truth::False);
}

#[test]
fn faults_of_scores_are_told_once_and_in_their_place() {
    let broken = PointsModel::new()
        .when("a", f64::NAN, field("membre").eq(true))
        .half_life(Span::days(1))
        .per_event("b", 1.0, events("vist").filter(field("x").ge(1)))
        .per_event("c", 1.0, events("visit").filter(field("secs").ge(1)))
        .when("d", 1.0, segment("warm"))
        .when("e", 1.0, score("other").ge(1))
        .cap(-1.0);
    let set = RuleSet::new()
        .score("broken", broken)
        .score("", engagement())
        .score("broken", engagement())
        .score("none", PointsModel::new())
        .segment("one", "One", score("broken").ge(3))
        .segment("two", "Two", score("brokn").ge(3) & score("none").ge("x"))
        .segment("three", "Three", score("none").is_set());
    let found = codes(set.compile(&schema()));
    let expected = told(&[
        ("bad-cap", "/scores/0/points/cap"),
        ("not-finite", "/scores/0/points/parts/0/points"),
        ("no-effect", "/scores/0/points/parts/0/half_life"),
        ("unknown-feature", "/scores/0/points/parts/0/for/rule/field/name"),
        ("unknown-stream", "/scores/0/points/parts/1/for/events/name"),
        ("unknown-property", "/scores/0/points/parts/2/for/events/where/field/name"),
        ("no-segments-here", "/scores/0/points/parts/3/for/rule/segment"),
        ("no-scores-here", "/scores/0/points/parts/4/for/rule/score"),
        ("empty-id", "/scores/1/id"),
        ("duplicate-id", "/scores/2/id"),
        ("bad-count", "/scores/3/points/parts"),
        ("unknown-score", "/segments/1/rule/all/0/score/id"),
        ("wrong-literal", "/segments/1/rule/all/1/score/is/ge"),
        ("no-effect", "/segments/2/rule/score/is"),
    ]);
    assert_eq!(found, expected);
    let error = set.compile(&schema()).unwrap_err().to_string();
    assert!(
        error.contains("no score has the id `brokn`; did you mean `broken`?"),
        "{error}"
    );
    // Alone, and in filters, no scores are known.
    assert_eq!(
        codes(score("engagement").ge(1).compile(&schema())),
        told(&[("no-scores-here", "/score")])
    );
    let within = events("visit").filter(score("engagement").ge(1)).count().ge(1);
    let within =
        RuleSet::new().score("engagement", engagement()).segment("a", "A", within);
    assert_eq!(
        codes(within.compile(&schema())),
        told(&[("no-computed-here", "/segments/0/rule/event/where/score")])
    );
    // Shares stand for thresholds of a table.
    let share = RuleSet::new().score("engagement", engagement()).segment(
        "a",
        "A",
        score("engagement").in_top(Share::Percent(10.0)),
    );
    assert_eq!(
        codes(share.compile(&schema())),
        told(&[("not-pinned", "/segments/0/rule/score/is/in_top")])
    );
}

#[test]
fn the_size_of_scores_is_limited() {
    let model = |n: usize| {
        (0..n).fold(PointsModel::new(), |m, i| m.when(i.to_string(), 1.0, Rule::Everyone))
    };
    let limits = Limits::new().nodes(20);
    let set = |n: usize, rule: Rule| {
        RuleSet::new()
            .score("a", model(n))
            .score("b", model(n))
            .segment("s", "S", rule)
            .compile_with(&schema(), &limits)
    };
    let both = score("a").ge(1) & score("b").ge(1) & score("a").lt(9);
    assert!(set(10, both.clone()).is_ok());
    assert_eq!(
        codes(set(11, both)),
        told(&[("too-large", "/segments/0/rule/all/1/score")])
    );
    // Of parts as of their tests.
    let many = |n: usize| {
        let tests = Rule::any((0..n).map(|i| field("age").ge(i as f64)));
        let model =
            PointsModel::new().when("many", 1.0, tests.clone()).when("again", 1.0, tests);
        RuleSet::new()
            .score("a", model)
            .segment("s", "S", score("a").ge(1))
            .compile_with(&schema(), &limits)
    };
    assert!(many(9).is_ok());
    assert_eq!(codes(many(10)), told(&[("too-large", "/segments/0/rule/score")]));
    let deep = (0..30).fold(field("age").ge(1), |rule, _| !rule);
    let deep = RuleSet::new().score("a", PointsModel::new().when("d", 1.0, deep));
    let deep = deep.segment("s", "S", Rule::Everyone);
    assert_eq!(
        codes(deep.compile_with(&schema(), &limits)),
        told(&[("too-large", "/scores/0/points/parts/0/for/rule")])
    );
}

#[test]
fn digests_know_what_a_score_says() {
    let digest = |model: PointsModel, rule: Rule| {
        RuleSet::new().score("x", model).segment("a", "A", rule).digests()[0]
    };
    let one = digest(engagement(), score("x").ge(1));
    // Neither names nor order matter, nor how a rule is written.
    let mut other = engagement();
    other.parts.rotate_left(1);
    other.parts[0].name = "another".into();
    let segmenta::rules::PointsFor::Rule(rule) = &mut other.parts[0].given_for else {
        panic!()
    };
    *rule = !!rule.clone();
    let renamed = RuleSet::new().score("y", other).segment("a", "A", score("y").ge(1));
    assert_eq!(renamed.digests()[0], one);
    assert_ne!(digest(engagement().cap(26.0), score("x").ge(1)), one);
    assert_ne!(digest(engagement(), score("x").ge(2)), one);
    let mut fewer = engagement();
    fewer.parts.pop();
    assert_ne!(digest(fewer.clone(), score("x").ge(1)), one);
    // An edited score shows in all that refer to it.
    let set = |model: PointsModel| {
        RuleSet::new().score("x", model).segment("a", "A", score("x").ge(1)).segment(
            "b",
            "B",
            !segment("a"),
        )
    };
    assert_ne!(set(engagement()).digests()[1], set(fewer).digests()[1]);
    // As it is for ever.
    assert_eq!(one.to_string(), "f089b30baa5f970c");
}

#[test]
fn shares_in_scores_are_pinned() {
    let top = PointsModel::new().when("old", 5.0, field("age").in_top(Share::Count(2)));
    let set = RuleSet::new().score("x", top).segment("a", "A", score("x").ge(5));
    let schema = plain();
    let ages = vec![20.0, 30.0, 40.0, 50.0];
    let table = Table::builder(&schema, 4)
        .numbers("age", ages)
        .flags("member", vec![true; 4])
        .build();
    let table = table.unwrap_or_else(|e| panic!("{e}"));
    let set = set.segment("b", "B", score("x").in_top(Share::Percent(25.0)));
    let pinned = set.pin(&table, day(1)).unwrap();
    // Two have as many points as the best.
    assert_eq!(pinned.segments[1].rule, score("x").ge(5));
    assert!(
        set.pin(&table.select_rows(&[]).unwrap(), day(1)).unwrap().segments[1].rule
            == Rule::Nobody
    );
    let unknown = set.clone().segment("c", "C", score("z").in_top(Share::Count(1)));
    let unknown = unknown.pin(&table, day(1)).unwrap();
    assert_eq!(unknown.segments[2].rule, score("z").in_top(Share::Count(1)));
    let book = pinned.compile_book(&schema).unwrap();
    assert_eq!(book.count(&table).unwrap()[0].members, 2);
}

#[test]
fn the_analysis_knows_that_scores_are_numbers() {
    let set = RuleSet::new()
        .score("x", engagement())
        .score("y", engagement())
        .segment("a", "A", score("x").ge(5))
        .segment("b", "B", score("x").ge(9))
        .segment("c", "C", score("x").ge(9) & score("x").lt(5))
        .segment("d", "D", score("y").ge(5) | score("y").lt(5))
        .segment("e", "E", score("y").ge(9));
    let analysis = set.compile_book(&schema()).unwrap().analyse();
    let text = analysis.to_string();
    assert_eq!(
        text,
        "nobody can be in `c`: /all/0 and /all/1 contradict each other\n\
         everyone is in `d`\n\
         `b` is within `a`: every member of the first is a member of the second\n\
         `b` is never the first that matches: `a` takes all its members\n\
         `e` is never the first that matches: `d` takes all its members\n"
    );
}

#[test]
fn scores_are_sql_where_their_sums_are_exact() {
    let layout = SqlLayout::new(Dialect::Postgres, "customers", "id")
        .stream("visit", SqlStream::new("visits", "customer", "at"));
    let sql = |model: PointsModel| {
        let set = RuleSet::new().score("x", model).segment(
            "a",
            "A",
            score("x").ge(1) & field("age").ge(3),
        );
        let book = set.compile_book(&schema()).unwrap().at(day(40));
        book.to_sql(&layout)
    };
    let visits = || events("visit").last(Span::days(30));
    let member = PointsModel::new().when("m", 2.5, field("member").eq(true));
    let model = member.clone().per_event("v", 4.0, visits()).part_cap(20.0);
    let sql_of_a = sql(model.clone()).unwrap().expression(SegmentIndex::new(0)).unwrap();
    assert!(
        sql_of_a.starts_with(
            "(CASE WHEN \"c\".\"member\" THEN '2.5e0'::float8 ELSE '0e0'::float8 END + \
             CASE WHEN ('4e0'::float8 * (SELECT COUNT(1)"
        ),
        "{sql_of_a}"
    );
    let decaying = model.half_life(Span::days(1)).in_steps(Span::days(1));
    for model in [decaying, member.when("n", 0.1, Rule::Everyone)] {
        let found = codes(sql(model).map(|_| ()));
        assert_eq!(found, told(&[("no-sql", "/segments/0/rule/all/0/score")]));
    }
}

#[test]
fn segments_with_hysteresis_may_test_scores() {
    let set = RuleSet::new()
        .score("x", PointsModel::new().when("m", 4.0, field("member").eq(true)))
        .segment("a", "A", score("x").ge(4));
    let schema = plain();
    let book = set.compile_book(&schema).unwrap();
    let leave = Hysteresis::new("a").leave(score("x").lt(4) & field("age").ge(60));
    let sticky = StickyBook::new(&book, [leave]).unwrap();
    let table = |member: bool, age: f64| {
        Table::builder(&schema, 1)
            .flags("member", vec![member])
            .numbers("age", vec![age])
            .ids(Ids::Numbers(vec![7].into()))
            .build()
            .unwrap()
    };
    let mut stays = Stays::new();
    let mut is_in = Vec::new();
    for (at, (member, age)) in
        [(false, 1.0), (true, 1.0), (false, 1.0), (false, 70.0)].iter().enumerate()
    {
        stays = sticky.update(&stays, &table(*member, *age), day(at as i64)).unwrap();
        is_in.push(stays.since("a", 7).is_some());
    }
    assert_eq!(is_in, [false, true, true, false]);
}

#[test]
fn draws_in_scores_need_ids() {
    let set = RuleSet::new()
        .score("x", PointsModel::new().when("drawn", 1.0, bucket("s").lt(0.5)))
        .segment("a", "A", score("x").ge(1));
    let schema = Schema::new([]).unwrap();
    let book = set.compile_book(&schema).unwrap();
    let rows = Table::builder(&schema, 300).build().unwrap();
    assert!(book.count(&rows).is_err());
    let ids = Ids::Numbers((0..300).collect::<Vec<u64>>().into());
    let table = Table::builder(&schema, 300).ids(ids).build().unwrap();
    let drawn = bucket("s").lt(0.5);
    let alone = RuleBook::builder(&schema).segment("a", "A", drawn).build().unwrap();
    assert_eq!(book.count(&table).unwrap(), alone.count(&table).unwrap());
}

/// Points that become less in steps of half a day, over several windows.
fn decaying() -> RuleSet {
    let half =
        |model: PointsModel| model.half_life(Span::days(1)).in_steps(Span::hours(12));
    let windows = [
        events("visit"),
        events("visit").last(Span::days(3)),
        events("visit").within(Window::Between {
            from: "1970-01-05".into(),
            to: "1970-01-09T06:00Z".into(),
        }),
    ];
    let mut set = RuleSet::new();
    for (i, events) in windows.into_iter().enumerate() {
        let long = events.filter(field("seconds").ge(30));
        let model = half(PointsModel::new().per_event("long", 8.0, long));
        set = set
            .score(format!("{i}"), model.when("member", 1.0, field("member").eq(true)));
        for bound in [2.5, 4.0, 6.0, 8.5] {
            let id = format!("{i} {bound}");
            set = set.segment(id.clone(), id, score(format!("{i}")).ge(bound));
        }
    }
    // Keeps what does not pass the filter of the others.
    set.segment("any", "Any", events("visit").last(Span::days(2)).count().ge(1))
        .rest("rest", "The rest")
}

#[test]
fn points_that_become_less_change_at_their_instants() {
    let schema = schema();
    let visits =
        [(3 * DAY + 5, 60.0), (7 * DAY, 60.0), (7 * DAY + 1, 10.0), (8 * DAY, 30.0)];
    let log = visits.map(|(at, seconds)| (Timestamp::from_millis(at), [seconds]));
    let log = EventLog::new(&schema.streams()[0], log).unwrap();
    let ann = OwnedCustomer::new(&schema, 1).set("member", false).unwrap();
    let ann = ann.set_events("visit", log).unwrap();
    let book = decaying().compile_book(&schema).unwrap();
    // The points, by themselves.
    let points = |model: usize, now: i64| {
        let model = decaying().scores[model].points.compile(&schema).unwrap();
        model.at(Timestamp::from_millis(now)).score(&ann).unwrap().points
    };
    assert_eq!(points(0, 7 * DAY + 1), 8.0 + 8.0 * (-3.5_f64).exp2());
    // From one change to the next, and the clock in between.
    let mut now = 2 * DAY;
    let mut n_changes = 0;
    loop {
        let at =
            |now: i64| book.at(Timestamp::from_millis(now)).membership(&ann).unwrap();
        let present = at(now);
        for (i, truths) in present.chunks(4).take(3).enumerate() {
            let score = points(i, now);
            let expected = [2.5, 4.0, 6.0, 8.5].map(|bound| Truth::from(score >= bound));
            assert_eq!(truths, expected, "{i} {now} {score}");
        }
        let next = book.at(Timestamp::from_millis(now)).next_change(&ann).unwrap();
        let until = next.as_ref().map_or(90 * DAY, |next| next.at.as_millis());
        for tick in (now..until).step_by(1_800_000) {
            assert_eq!(at(tick), present, "{now} {tick} {until}");
        }
        assert_eq!(at(until - 1), present);
        let Some(next) = next else { break };
        assert_ne!(at(until), present);
        assert!(!next.changes.is_empty());
        now = until;
        n_changes += 1;
    }
    assert!(n_changes > 12, "{n_changes}");
}

/// 3 and the least bit more: added up one by one, the bit is lost half a day too early.
#[test]
fn what_is_left_of_points_counts_to_the_last_bit() {
    let points = PointsModel::new()
        .per_event("visits", 1e-7, events("visit"))
        .half_life(Span::days(1))
        .in_steps(Span::hours(12))
        .when("young", 1.0, field("age").lt(30))
        .when("member", 2.0, field("member").eq(true));
    let set = RuleSet::new().score("points", points).segment(
        "more",
        "More",
        score("points").gt(3),
    );
    let (book, ann) =
        (set.compile_book(&schema()).unwrap(), customer(true, 20.0, &[100]));
    let half = 1e-7 * (-28.5_f64).exp2();
    assert_eq!((half + 1.0) + 2.0, 3.0);
    assert!(half + 3.0 > 3.0 && 1e-7 * (-29.0_f64).exp2() + 3.0 == 3.0);
    let at = |now: i64| book.at(Timestamp::from_millis(now)).membership(&ann).unwrap();
    assert_eq!(at(129 * DAY - 1), [Truth::True]);
    assert_eq!(at(129 * DAY), [Truth::False]);
    let next = book.at(day(128)).next_change(&ann).unwrap();
    assert_eq!(next.map(|next| next.at), Some(day(129)));
}

#[test]
fn points_become_less_as_events_arrive_and_time_passes() {
    let schema = schema();
    let visit = schema.require_stream("visit").unwrap();
    let book = decaying().compile_book(&schema).unwrap();
    for granularity in [Granularity::Every(Span::hours(1)), Granularity::Day] {
        let live = book.live(&LiveConfig::new().granularity(granularity)).unwrap();
        let mut scratch = LiveScratch::new();
        let mut ann = live.customer(day(1));
        let mut log: Vec<(Timestamp, [f64; 1])> = Vec::new();
        let mut truths = live.membership(&ann, &mut scratch).unwrap();
        let apply = |changes: &[segmenta::rules::LiveChange], truths: &mut Vec<Truth>| {
            for change in changes {
                assert_eq!(truths[change.segment.get()], change.from);
                truths[change.segment.get()] = change.to;
            }
        };
        // Two in one step, the first of which does not pass the filter.
        let visits =
            [(30, 9.0), (30, 60.0), (31, 60.0), (100, 60.0), (110, 60.0), (104, 60.0)];
        let mut visits = visits.into_iter().peekable();
        for hour in 24..600 {
            let now = Timestamp::from_millis(hour * 3_600_000);
            let due = live.due(&ann).unwrap();
            if due.is_some_and(|due| due <= now) {
                apply(live.advance(&mut ann, now, &mut scratch).unwrap(), &mut truths);
            }
            while let Some((at, seconds)) = visits.next_if(|(at, _)| *at <= hour) {
                let time = Timestamp::from_millis(at * 3_600_000);
                let values = [Value::Number(seconds)];
                let changes = live.event(&mut ann, visit, time, &values, &mut scratch);
                apply(changes.unwrap(), &mut truths);
                log.push((live.step_of(time), [seconds]));
                log.sort_by_key(|(time, _)| *time);
            }
            let mut then = ann.clone();
            live.advance(&mut then, now, &mut scratch).unwrap();
            let moment = live.moment(&then).unwrap();
            let events = EventLog::new(&schema.streams()[0], log.clone()).unwrap();
            let whole =
                OwnedCustomer::new(&schema, 1).set_events("visit", events).unwrap();
            assert_eq!(truths, book.at(moment).membership(&whole).unwrap(), "{hour}");
            if hour % 50 == 0 {
                // Edited points are other rules, of which the same is kept.
                let saved = live.save(&ann).unwrap();
                assert_eq!(live.load(&saved).unwrap(), ann);
                let mut edited = decaying();
                edited.scores[0].points.parts[0].points = 80.0;
                let edited = edited.compile_book(&schema).unwrap();
                let config = LiveConfig::new().granularity(granularity);
                let other = edited.live(&config).unwrap();
                let loaded = other.load(&saved).unwrap();
                let mut after = truths.clone();
                after[..4].copy_from_slice(
                    &edited.at(live.moment(&ann).unwrap()).membership(&whole).unwrap()
                        [..4],
                );
                let mut loaded = loaded;
                let mut found = other.membership(&loaded, &mut scratch).unwrap();
                assert_eq!(found[..4], after[..4], "{hour}");
                let much_later = day(700);
                let changes =
                    other.advance(&mut loaded, much_later, &mut scratch).unwrap();
                apply(changes, &mut found);
                assert_eq!(found, other.membership(&loaded, &mut scratch).unwrap());
            }
        }
        assert!(truths[..13].iter().all(|t| *t == Truth::False));
        // What is left changes nothing more, and ends.
        let mut n = 0;
        while let Some(due) = live.due(&ann).unwrap() {
            assert!(live.advance(&mut ann, due, &mut scratch).unwrap().is_empty());
            n += 1;
        }
        assert!((10..500).contains(&n), "{n}");
    }
}

#[test]
fn decay_in_scores_has_steps_within_limits() {
    let schema = schema();
    let with = |model: PointsModel| {
        RuleSet::new()
            .score("x", model)
            .segment("a", "A", score("x").ge(1))
            .compile(&schema)
    };
    let visits = || PointsModel::new().per_event("v", 1.0, events("visit"));
    let days = |half_life: u32, every: Span| {
        visits().half_life(Span::days(half_life)).in_steps(every)
    };
    assert!(with(days(1, Span::days(1))).is_ok());
    assert!(with(days(1, Span::days(9))).is_ok());
    let part = "/scores/0/points/parts/0";
    let at = |code: &str, below: &str| vec![(code.to_owned(), format!("{part}/{below}"))];
    assert_eq!(codes(with(visits().half_life(Span::days(3)))), at("no-steps", "every"));
    assert_eq!(codes(with(visits().in_steps(Span::days(3)))), at("no-effect", "every"));
    assert_eq!(codes(with(days(256, Span::hours(23)))), at("too-many-steps", "every"));
    assert!(with(days(256, Span::days(1))).is_ok());
    let long = codes(with(days(4000, Span::days(30))));
    assert_eq!(long, at("window-too-long", "half_life"));
    let none = codes(with(days(0, Span::days(30))));
    assert!(none.contains(&at("empty-window", "half_life")[0]), "{none:?}");
    // A model by itself may change all the time.
    assert!(visits().half_life(Span::days(3)).compile(&schema).is_ok());
}

/// What a score is made of is kept once, however many rules test it.
#[test]
fn scores_of_a_set_are_bounded_and_shared() {
    let model = |n: usize| {
        (0..n).fold(PointsModel::new(), |m, i| {
            m.when(i.to_string(), 1.0, field("age").ge(i as f64))
        })
    };
    let set = |n_rules: usize, n_parts: usize| {
        (0..n_rules).fold(RuleSet::new().score("s", model(n_parts)), |set, i| {
            set.segment(i.to_string(), "", score("s").ge(i as f64))
        })
    };
    // Parts and tests: two for each part.
    let limits = Limits::new().score_tests(60);
    assert!(set(3, 10).compile_with(&schema(), &limits).is_ok());
    assert_eq!(
        codes(set(4, 10).compile_with(&schema(), &limits)),
        told(&[("too-many-score-tests", "/segments/3/rule/score")])
    );
    assert!(Limits::new().score_tests(0).validate().is_err());
    // Rules after the first, which test it among other things, mean the same.
    let visits = events("visit").filter(field("seconds").ge(30)).last(Span::days(3));
    let points = PointsModel::new()
        .per_event("v", 2.0, visits.clone())
        .when(
            "m",
            1.0,
            Rule::at_least(
                2,
                [
                    field("member").eq(true),
                    field("age").ge(2),
                    visits.clone().count().ge(2),
                ],
            ),
        )
        .when("drawn", 0.5, bucket("x").lt(2));
    let test = |x: f64| score("p").ge(x);
    let set = RuleSet::new()
        .score("p", points)
        .segment("a", "A", test(3.5))
        // What it looks at besides is of another kind, and of no events.
        .segment(
            "b",
            "B",
            "not sequence(visit then visit) and events(visit where seconds >= 90).count = 0 \
             and score 'p' >= 3.5"
                .parse()
                .unwrap(),
        )
        .segment("c", "C", Rule::at_least(1, [test(3.5), field("age").lt(0)]));
    let book = set.compile_book(&schema()).unwrap();
    for (ann, is_in) in
        [(customer(true, 3.0, &[5]), true), (customer(true, 1.0, &[5]), false)]
    {
        let at = book.at(day(6));
        assert_eq!(at.membership(&ann).unwrap(), [Truth::from(is_in); 3]);
        let table = Table::from_customers(&schema(), [ann]).unwrap();
        assert!(at.count(&table).unwrap().iter().all(|c| c.members == u64::from(is_in)));
    }
    let many = (0..11).fold(RuleSet::new(), |set, i| set.score(i.to_string(), model(1)));
    let many = many.segment("a", "A", Rule::Everyone);
    assert_eq!(
        codes(many.compile_with(&schema(), &Limits::new().list_len(10))),
        told(&[("list-too-long", "/scores")])
    );
}

/// The deepest score that can be compiled can be written and read.
#[test]
fn the_deepest_scores_are_read_back() {
    let limits = Limits::new().depth(Limits::MAX_DEPTH);
    let deep = |n: usize| {
        (1..n).fold(field("age").between(1, 2), |rule, _| Rule::at_least(1, [rule]))
    };
    let most = Limits::MAX_DEPTH - 2;
    let set =
        |n: usize| {
            RuleSet::new()
                .score("s", PointsModel::new().when("deep", 1.0, deep(n)))
                .segment("a", "A", score("s").ge(1))
        };
    assert_eq!(
        codes(set(most + 1).compile_with(&schema(), &limits)),
        told(&[("too-deep", "/scores/0/points/parts/0/for/rule")])
    );
    let book = set(most).compile_book_with(&schema(), &limits).unwrap();
    assert_eq!(RuleSet::from_json(&set(most).to_json().unwrap()).unwrap(), set(most));
    let saved =
        serde_json::to_string(&segmenta::registry().save(&book).unwrap()).unwrap();
    let saved: Saved = serde_json::from_str(&saved).unwrap();
    assert_eq!(RuleBook::load(&saved).unwrap(), book);
}

#[test]
fn scores_in_use_are_not_taken_out() {
    let mut set = set().stay(SegmentStay::new().leave(score("engagement").lt(3)));
    let users: Vec<&str> =
        set.score_dependants("engagement").into_iter().map(|id| id.as_str()).collect();
    assert_eq!(users, ["warm", "hot", "cold"]);
    let error = set.remove_score("engagement").unwrap_err().to_string();
    assert!(error.contains("warm, hot, cold"), "{error}");
    assert_eq!(codes(set.remove_score("engagment")), told(&[("unknown-score", "")]));
    let mut free =
        RuleSet::new().score("x", engagement()).segment("a", "A", Rule::Everyone);
    assert_eq!(free.remove_score("x").unwrap().points, engagement());
    assert!(free.scores.is_empty());
}
