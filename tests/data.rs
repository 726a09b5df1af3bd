//! Values, dates, schemas, feature sets and tables: what they accept and what they refuse.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

use proptest::prelude::*;
use segmenta::data::{
    Basis, Column, Customer, CustomerId, Date, EventLog, Events, Feature, FeatureIndex,
    FeatureKind, FeatureSet, FeatureSpec, Flags, Ids, Numbers, OwnedCustomer, OwnedValue,
    Schema, Sensitivity, StreamIndex, StreamSpec, Table, TagColumn, Tags, Timestamp,
    Validity, Value,
};
use segmenta::ndarray::{Array2, ArrayView2, Axis, ShapeBuilder, Slice, array};
use segmenta::{Error, ErrorKind, Result};

fn schema(specs: impl IntoIterator<Item = FeatureSpec>) -> Schema {
    Schema::new(specs).unwrap()
}

fn message<T: std::fmt::Debug>(result: Result<T>) -> String {
    result.unwrap_err().to_string()
}

struct Shopper {
    id: u64,
    name: String,
    orders: u32,
    spend: Option<f64>,
    member: Option<bool>,
    tier: &'static str,
    joined: Option<Date>,
    likes: Vec<String>,
}

fn shopper(id: u64) -> Shopper {
    Shopper {
        id,
        name: format!("s{id}"),
        orders: id as u32,
        spend: (id != 2).then_some(10.5),
        member: Some(true),
        tier: "gold",
        joined: Date::from_days(id as i32).ok(),
        likes: vec!["wine".to_owned()],
    }
}

/// A feature from another crate.
struct NameLength(FeatureSpec);

impl Feature<Shopper> for NameLength {
    fn spec(&self) -> &FeatureSpec {
        &self.0
    }

    fn value<'c>(&self, record: &'c Shopper) -> Value<'c> {
        Value::Number(record.name.len() as f64)
    }
}

fn features() -> FeatureSet<Shopper> {
    FeatureSet::<Shopper>::builder()
        .id(|s| CustomerId::from(&s.name))
        .number(FeatureSpec::number("orders").basis(Basis::Behavioural), |s: &Shopper| {
            s.orders
        })
        .number("spend", |s: &Shopper| s.spend)
        .flag("member", |s: &Shopper| s.member)
        .category(FeatureSpec::ordinal("tier", ["silver", "gold"]), |s| Some(s.tier))
        .date("joined", |s: &Shopper| s.joined)
        .tags("likes", |s| &s.likes)
        .push(NameLength(FeatureSpec::number("name_length")))
        .build()
        .unwrap()
}

#[test]
fn a_record_is_seen_through_its_features() {
    let features = features();
    let shopper = shopper(2);
    let view = features.view(&shopper);
    let value =
        |name: &str| view.value(features.schema().require(name).unwrap()).to_owned();
    assert_eq!(view.id(), CustomerId::Text("s2"));
    assert_eq!(value("orders"), OwnedValue::Number(2.0));
    assert_eq!(value("spend"), OwnedValue::Missing);
    assert_eq!(value("member"), OwnedValue::Flag(true));
    assert_eq!(value("tier"), OwnedValue::Category("gold".into()));
    assert_eq!(value("joined"), OwnedValue::Date(Date::from_days(2).unwrap()));
    assert_eq!(value("likes"), OwnedValue::Tags(vec!["wine".into()]));
    assert_eq!(value("name_length"), OwnedValue::Number(2.0));
    assert_eq!(view.value(FeatureIndex::new(99)), Value::Missing);
    assert_eq!(features.schema().features()[0].get_basis(), Some(Basis::Behavioural));
}

#[test]
fn a_table_of_records_has_the_values_of_the_records() {
    let features = features();
    let shoppers: Vec<Shopper> = (1..=3).map(shopper).collect();
    let table = features.table(&shoppers).unwrap();
    assert_eq!(table.len(), 3);
    for (row, shopper) in table.rows().zip(&shoppers) {
        let view = features.view(shopper);
        assert_eq!(row.id(), view.id());
        for index in features.schema().indices() {
            assert_eq!(row.value(index), view.value(index));
        }
    }
}

#[test]
fn a_feature_set_that_does_not_hold_together_is_refused() {
    let build =
        |builder: segmenta::data::FeatureSetBuilder<Shopper>| message(builder.build());
    let start = || FeatureSet::<Shopper>::builder().id(|s| s.id.into());
    assert!(build(FeatureSet::builder()).contains("`id`"));
    let twice = start().number("x", |_: &Shopper| 1.0).number("x", |_: &Shopper| 2.0);
    assert_eq!(build(twice), "the feature name `x` is used twice");
    let wrong = start().number(FeatureSpec::flag("x"), |_: &Shopper| 1.0);
    assert_eq!(build(wrong), "feature `x` expects number, but got flag");
    assert!(build(start().number("", |_: &Shopper| 1.0)).contains("feature name"));

    let liar = start().number("x", |s: &Shopper| if s.id == 2 { f64::NAN } else { 1.0 });
    let records: Vec<Shopper> = (1..=3).map(shopper).collect();
    let error = liar.build().unwrap().table(&records).unwrap_err();
    assert_eq!(
        error.to_string(),
        "feature `x` must be a finite number, but is NaN in row 1"
    );
    assert!(error.is_data());
}

#[test]
fn schemas_that_do_not_hold_together_are_refused() {
    let refused = |specs: Vec<FeatureSpec>| message(Schema::new(specs));
    assert!(
        refused(vec![FeatureSpec::number("a"), FeatureSpec::flag("a")]).contains("`a`")
    );
    assert!(refused(vec![FeatureSpec::number("a").levels(["x"])]).contains("`a`"));
    assert!(refused(vec![FeatureSpec::category("a").levels(["x", "x"])]).contains("`x`"));
    assert!(refused(vec![FeatureSpec::ordinal("a", [""; 0])]).contains("`a`"));
    assert!(refused(vec![FeatureSpec::number("")]).contains("feature name"));
    let twice = StreamSpec::new("order", []);
    let streams = Schema::builder().stream(twice.clone()).stream(twice);
    assert!(message(streams.build()).contains("`order`"));
    let twin =
        StreamSpec::new("order", [FeatureSpec::number("a"), FeatureSpec::number("a")]);
    assert!(message(Schema::builder().stream(twin).build()).contains("`a`"));
}

#[test]
fn a_schema_goes_through_json_and_altered_ones_are_refused() {
    let schema = Schema::builder()
        .feature(FeatureSpec::number("spend").unit("EUR").basis(Basis::Value))
        .feature(FeatureSpec::category("faith").sensitivity(Sensitivity::Special))
        .feature(FeatureSpec::ordinal("tier", ["low", "high"]))
        .stream(StreamSpec::new("order", [FeatureSpec::number("amount")]))
        .build()
        .unwrap();
    let json = serde_json::to_string(&schema).unwrap();
    assert_eq!(serde_json::from_str::<Schema>(&json).unwrap(), schema);
    for (old, new) in [
        ("\"spend\"", "\"tier\""),
        ("\"number\"", "\"nombre\""),
        ("\"high\"", "\"low\""),
        ("\"unit\"", "\"units\""),
    ] {
        let altered = json.replacen(old, new, 1);
        assert_ne!(altered, json);
        assert!(serde_json::from_str::<Schema>(&altered).is_err(), "{altered}");
    }
}

#[test]
fn schemas_are_compared_by_meaning() {
    let ours =
        schema([FeatureSpec::number("spend").unit("EUR"), FeatureSpec::category("c")]);
    let host = schema([
        FeatureSpec::category("c").levels(["x"]),
        FeatureSpec::number("spend").unit("EUR").basis(Basis::Value),
    ]);
    let map = ours.locate_in(&host).unwrap();
    assert_eq!(map.features(), [FeatureIndex::new(1), FeatureIndex::new(0)]);
    let dollars =
        schema([FeatureSpec::number("spend").unit("USD"), FeatureSpec::category("c")]);
    let error = ours.locate_in(&dollars).unwrap_err();
    assert!(error.is_schema());
    assert_eq!(
        error.to_string(),
        "feature `spend` is number in EUR here, but number in USD in the other schema"
    );
    let lacking = schema([FeatureSpec::number("spent").unit("EUR")]);
    assert_eq!(
        message(ours.locate_in(&lacking)),
        "no feature is named `spend`; did you mean `spent`?"
    );
}

fn numbers(name: &str) -> Schema {
    schema([FeatureSpec::number(name)])
}

#[test]
fn tables_check_numbers_lengths_and_names() {
    let schema = numbers("x");
    let build =
        |values: Vec<f64>| Table::builder(&schema, 3).numbers("x", values).build();
    assert!(build(vec![1.0, 2.0, 3.0]).is_ok());
    assert_eq!(message(build(vec![1.0])), "column `x` has length 1, but 3 is needed");
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = build(vec![1.0, 2.0, bad]).unwrap_err();
        let named = matches!(error.kind(), ErrorKind::NonFinite { row: Some(2), .. });
        assert!(named, "{error}");
    }
    let unknown = Table::builder(&schema, 1).numbers("y", vec![1.0]).build();
    assert!(message(unknown).contains("`y`"));
    assert!(message(Table::builder(&schema, 1).build()).contains("`x`"));
    let flags = Table::builder(&schema, 1).flags("x", vec![true]).build();
    assert_eq!(message(flags), "feature `x` expects number, but got flag");
}

#[test]
fn nan_is_missing_only_where_the_host_says_so() {
    let schema = numbers("x");
    let column = Column::Number(vec![1.0, f64::NAN].into(), Validity::NotNan);
    let table = Table::builder(&schema, 2).column("x", column).build().unwrap();
    let x = schema.require("x").unwrap();
    assert_eq!(table.row(0).value(x), Value::Number(1.0));
    assert_eq!(table.row(1).value(x), Value::Missing);
    let column = Column::Number(vec![1.0, f64::INFINITY].into(), Validity::NotNan);
    assert!(Table::builder(&schema, 2).column("x", column).build().is_err());
    // What lies under an invalid row is never looked at.
    let mask = Validity::Mask(vec![true, false].into());
    let column = Column::Number(vec![1.0, f64::NAN].into(), mask);
    let table = Table::builder(&schema, 2).column("x", column).build().unwrap();
    assert_eq!(table.row(1).value(x), Value::Missing);
}

#[test]
fn arrow_bitmaps_are_read_from_the_least_significant_bit() {
    let schema = schema([FeatureSpec::flag("f")]);
    let bits = [0b0000_0101, 0b0000_0001];
    let valid = [0b1111_1110, 0b0000_0001];
    let column = Column::Flag(Flags::Bits(&bits), Validity::Bits(&valid));
    let table = Table::builder(&schema, 9).column("f", column.clone()).build().unwrap();
    let f = schema.require("f").unwrap();
    let values: Vec<Value<'_>> = (0..9).map(|row| table.row(row).value(f)).collect();
    assert_eq!(values[0], Value::Missing);
    assert_eq!(values[1], Value::Flag(false));
    assert_eq!(values[2], Value::Flag(true));
    assert_eq!(values[8], Value::Flag(true));
    let long = Table::builder(&schema, 17).column("f", column).build();
    assert!(message(long).contains("column `f`"));
}

#[test]
fn categories_are_checked_against_their_levels() {
    let schema = schema([FeatureSpec::category("c").levels(["red", "green"])]);
    let build = |codes: Vec<u32>, levels: &'static [&'static str]| {
        Table::builder(&schema, codes.len()).categories("c", codes, levels).build()
    };
    let table = build(vec![1, 0], &["green", "red"]).unwrap();
    let c = schema.require("c").unwrap();
    assert_eq!(table.row(0).value(c), Value::Category("red"));
    assert!(build(vec![0], &["green", "blue"]).is_ok(), "a level that is not used");
    assert_eq!(
        message(build(vec![0, 1], &["green", "greem"])),
        "feature `c` has no level `greem` in row 1; did you mean `green`?"
    );
    assert!(message(build(vec![0, 7], &["green"])).contains("row 1"));
}

#[test]
fn dates_and_tags_are_checked() {
    let schema = schema([FeatureSpec::date("d"), FeatureSpec::tags("t")]);
    let build = |days: Vec<i32>, offsets: Vec<u32>, codes: Vec<u32>| {
        let tags = TagColumn::new(offsets, codes, &["a", "b"][..]);
        Table::builder(&schema, 2).dates("d", days).tags("t", tags).build()
    };
    let table = build(vec![0, 1], vec![0, 2, 2], vec![1, 0]).unwrap();
    let t = schema.require("t").unwrap();
    let Value::Tags(tags) = table.row(0).value(t) else { panic!("not tags") };
    assert_eq!(tags.iter().collect::<Vec<_>>(), ["b", "a"]);
    assert!(tags.contains("a") && !tags.contains("c"));
    assert_eq!(table.row(1).value(t), Value::Tags(Tags::from(&[][..] as &[&str])));
    assert!(message(build(vec![0, i32::MAX], vec![0, 0, 0], vec![])).contains("row 1"));
    assert!(build(vec![0, 0], vec![0, 2, 1], vec![0, 0]).is_err(), "offsets go back");
    assert!(build(vec![0, 0], vec![0, 2, 9], vec![0, 0]).is_err(), "offsets beyond");
    assert!(build(vec![0, 0], vec![0, 2], vec![0, 0]).is_err(), "too few offsets");
    assert!(build(vec![0, 0], vec![0, 1, 1], vec![5]).is_err(), "code beyond");
}

#[test]
fn weights_and_ids_are_checked() {
    let schema = numbers("x");
    let start = || Table::builder(&schema, 2).numbers("x", vec![1.0, 2.0]);
    for bad in [vec![1.0], vec![1.0, -1.0], vec![1.0, f64::NAN], vec![f64::INFINITY, 1.0]]
    {
        assert!(start().sample_weight(bad.clone()).build().is_err(), "{bad:?}");
    }
    let table = start().sample_weight(vec![0.0, 2.5]).build().unwrap();
    assert_eq!(table.sample_weight(), Some(&[0.0, 2.5][..]));
    assert!(start().ids(Ids::Numbers(vec![1].into())).build().is_err());
    let named = start().ids(Ids::Texts(["a", "b"][..].into())).build().unwrap();
    assert_eq!(named.row(1).id(), CustomerId::Text("b"));
    let part = table.select_rows(&[1, 1]).unwrap();
    assert_eq!(part.sample_weight(), Some(&[2.5, 2.5][..]));
    assert_eq!(part.row(0).id(), CustomerId::Number(1));
    assert!(table.select_rows(&[2]).is_err());
}

#[test]
fn streams_are_ordered_events_of_their_customers() {
    let spec = StreamSpec::new(
        "order",
        [FeatureSpec::number("amount"), FeatureSpec::category("channel")],
    );
    let schema =
        Schema::builder().feature(FeatureSpec::number("x")).stream(spec).build().unwrap();
    let at = |t: i64| Timestamp::from_millis(t);
    let build = |offsets: Vec<usize>, times: Vec<Timestamp>| {
        let amounts: Vec<f64> = (0..times.len()).map(|i| i as f64).collect();
        let channels = vec![0; times.len()];
        Table::builder(&schema, 2)
            .numbers("x", vec![1.0, 2.0])
            .stream(
                "order",
                offsets,
                times,
                vec![
                    Column::Number(amounts.into(), Validity::All),
                    Column::Category(
                        channels.into(),
                        (&["web"][..]).into(),
                        Validity::All,
                    ),
                ],
            )
            .build()
    };
    let table = build(vec![0, 1, 3], vec![at(5), at(1), at(2)]).unwrap();
    let events_of = table.row(1);
    let events = events_of.events(StreamIndex::new(0));
    assert_eq!(events.times(), [at(1), at(2)]);
    assert_eq!(events.property(1, FeatureIndex::new(0)), Value::Number(2.0));
    assert_eq!(events.property(1, FeatureIndex::new(1)), Value::Category("web"));
    assert_eq!(events.property(2, FeatureIndex::new(0)), Value::Missing);
    assert!(table.row(0).events(StreamIndex::new(3)).is_empty());
    assert!(build(vec![0, 0, 2], vec![at(2), at(1)]).is_err(), "times go back");
    assert!(build(vec![0, 3, 2], vec![at(1), at(2)]).is_err(), "offsets go back");
    assert!(build(vec![0, 2], vec![at(1), at(2)]).is_err(), "too few offsets");
    // What lies before the first customer or after the last has no row.
    for (offsets, bad) in [(vec![1, 2, 2], 0), (vec![0, 0, 1], 1), (vec![0, 1, 2], 1)] {
        let row = offsets[1] == 1 && bad == 1;
        let mut amounts = vec![1.0; 2];
        amounts[bad] = f64::NAN;
        let table = Table::builder(&schema, 2).numbers("x", vec![1.0, 2.0]).stream(
            "order",
            offsets,
            vec![at(1), at(2)],
            vec![
                Column::Number(amounts.into(), Validity::All),
                Column::Category(vec![0, 0].into(), (&["web"][..]).into(), Validity::All),
            ],
        );
        let place = if row { " in row 1" } else { "" };
        let expected =
            format!("feature `order.amount` must be a finite number, but is NaN{place}");
        assert_eq!(message(table.build()), expected);
    }
    // Events that were forgotten must not look as if there were none.
    let none = Table::builder(&schema, 1).numbers("x", vec![1.0]).build();
    assert_eq!(message(none), "parameter `stream `order`` must be given, but is absent");
}

#[test]
fn records_that_carry_their_events_are_customers_with_streams() {
    struct Buyer {
        id: u64,
        orders: EventLog,
    }
    let orders = StreamSpec::new(
        "order",
        [FeatureSpec::number("amount"), FeatureSpec::category("channel").levels(["web"])],
    );
    let at = Timestamp::from_millis;
    let log = |events: Vec<(Timestamp, Vec<OwnedValue>)>| EventLog::new(&orders, events);
    let two = vec![
        (at(5), vec![2.0.into(), OwnedValue::Missing]),
        (at(3), vec![1.0.into(), "web".into()]),
    ];
    let features = FeatureSet::<Buyer>::builder()
        .id(|b| b.id.into())
        .stream(StreamSpec::new("visit", []), |_| Events::none())
        .stream(orders.clone(), |b| b.orders.as_events())
        .build()
        .unwrap();
    let buyers = [
        Buyer { id: 1, orders: log(two).unwrap() },
        Buyer { id: 2, orders: EventLog::default() },
    ];
    let stream = features.schema().require_stream("order").unwrap();
    let table = features.table(&buyers).unwrap();
    for (buyer, row) in buyers.iter().zip(table.rows()) {
        let view = features.view(buyer);
        let (events, copied) = (view.events(stream), row.events(stream));
        assert_eq!(events.times(), copied.times());
        for i in 0..events.len() {
            for property in [0, 1].map(FeatureIndex::new) {
                assert_eq!(events.property(i, property), copied.property(i, property));
            }
        }
    }
    let ann = features.view(&buyers[0]);
    assert_eq!(ann.events(stream).times(), [at(3), at(5)]);
    assert_eq!(
        ann.events(stream).property(0, FeatureIndex::new(1)),
        Value::Category("web")
    );
    assert!(ann.events(StreamIndex::new(0)).is_empty());
    assert!(ann.events(StreamIndex::new(9)).is_empty());
    // What cannot be an event of the stream is told with its number.
    let wrong = vec![
        (at(3), vec![1.0.into(), "web".into()]),
        (at(1), vec![1.0.into(), "fax".into()]),
    ];
    let error = message(log(wrong));
    assert_eq!(error, "feature `order.channel` has no level `fax` in row 1");
    assert!(message(log(vec![(at(1), vec![1.0.into()])])).contains("event 0 of `order`"));
}

#[test]
fn arrays_of_any_layout_go_in_and_come_out() {
    let schema = schema(["a", "b"].map(FeatureSpec::number));
    let rows = array![[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]];
    let mut columns = Array2::zeros((3, 2).f());
    columns.assign(&rows);
    let wide = array![[1.0, 0.0, 10.0], [2.0, 0.0, 20.0], [3.0, 0.0, 30.0]];
    let mut upside_down = rows.clone();
    upside_down.invert_axis(Axis(0));
    let stacked = array![[3.0, 30.0], [2.0, 20.0], [1.0, 10.0]];
    let views: [ArrayView2<'_, f64>; 4] = [
        rows.view(),
        columns.view(),
        wide.slice_axis(Axis(1), Slice::new(0, None, 2)),
        stacked.slice_axis(Axis(0), Slice::new(0, None, -1)),
    ];
    for view in views {
        let table = Table::from_array(&schema, view).unwrap();
        assert_eq!(table.to_array().unwrap(), rows);
        assert_eq!(table.number_view("b").unwrap(), array![10.0, 20.0, 30.0]);
    }
    let back = Table::from_array(&schema, upside_down.view()).unwrap();
    assert_eq!(back.number_view("a").unwrap(), array![3.0, 2.0, 1.0]);

    // Lent, not copied.
    let table = Table::from_array(&schema, rows.view()).unwrap();
    let view = table.number_view("a").unwrap();
    assert_eq!(view.as_ptr(), rows.as_ptr());
    assert_eq!(view.strides(), [2]);

    assert!(Table::from_array(&numbers("a"), rows.view()).is_err());
    assert!(Table::from_array(&schema, array![[1.0, f64::NAN]].view()).is_err());
    let empty = Array2::zeros((0, 2));
    assert_eq!(
        Table::from_array(&schema, empty.view()).unwrap().to_array().unwrap(),
        empty
    );
}

#[test]
fn strided_numbers_stay_inside_their_slice() {
    let data = [1.0, 2.0, 3.0, 4.0, 5.0];
    assert!(Numbers::strided(&data, 0, 2, 3).is_some());
    assert!(Numbers::strided(&data, 1, 2, 3).is_none());
    assert!(Numbers::strided(&data, 0, 0, 2).is_none());
    assert!(Numbers::strided(&data, usize::MAX, 2, 3).is_none());
    assert!(Numbers::strided(&data, 0, usize::MAX, 3).is_none());
    assert!(Numbers::strided(&data, 9, 1, 0).is_some_and(|n| n.is_empty()));
}

#[test]
fn customers_that_lie_are_found_out() {
    let schema =
        schema([FeatureSpec::number("x"), FeatureSpec::category("c").levels(["a"])]);
    let good =
        OwnedCustomer::new(&schema, 1).set("x", 1.0).unwrap().set("c", "a").unwrap();
    let wrong_kind = good.clone().set("x", true).unwrap();
    let wrong_level = good.clone().set("c", "A").unwrap();
    let table = |rows: &[&OwnedCustomer]| Table::from_customers(&schema, rows);
    assert!(table(&[&good]).is_ok());
    assert_eq!(
        message(table(&[&good, &wrong_kind])),
        "feature `x` expects number, but got flag in row 1"
    );
    assert_eq!(
        message(table(&[&wrong_level])),
        "feature `c` has no level `A` in row 0; did you mean `a`?"
    );
    let named = OwnedCustomer::new(&schema, "ann").set("x", 1.0).unwrap();
    let mixed = table(&[&good, &named]).unwrap();
    assert_eq!(mixed.row(0).id(), CustomerId::Text("1"));
    assert_eq!(mixed.row(1).id(), CustomerId::Text("ann"));
    assert!(good.clone().set("y", 1.0).is_err());
    assert!(OwnedCustomer::with_values(&schema, 1, vec![]).is_err());
}

#[test]
fn errors_say_whose_fault_it_is() {
    assert!(Error::parameter("k", "at least 1", 0).is_parameter());
    assert!(Error::undefined("x", "y").is_data());
    assert!(Error::corrupt("x", "y").is_format());
    let other = Error::other(std::io::Error::other("disk"));
    assert!(!other.is_data() && !other.is_format() && !other.is_schema());
    assert_eq!(other.to_string(), "disk");
    let error: Error = ErrorKind::Missing { feature: "x".into(), row: None }.into();
    assert_eq!(error.at_row(4).at_row(9).to_string(), "feature `x` is missing in row 4");
}

#[test]
fn kinds_print_as_words() {
    assert_eq!(FeatureKind::Ordinal.to_string(), "ordinal category");
    assert_eq!(Value::Flag(true).to_string(), "yes");
    assert_eq!(format!("{:.1}", Value::Number(1.25)), "1.2");
    let tags = ["a", "b"];
    assert_eq!(Value::Tags(Tags::from(&tags[..])).to_string(), "{a, b}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn a_date_goes_through_its_text(days in -4_371_587..=2_932_896_i32) {
        let date = Date::from_days(days).unwrap();
        prop_assert_eq!(date.to_string().parse::<Date>().unwrap(), date);
        let json = serde_json::to_string(&date).unwrap();
        prop_assert_eq!(serde_json::from_str::<Date>(&json).unwrap(), date);
    }

    #[test]
    fn no_text_makes_a_date_panic(text in "\\PC{0,12}") {
        let _ = text.parse::<Date>();
    }
}

#[cfg(feature = "chrono")]
#[test]
fn dates_convert_from_and_to_chrono() {
    for date in [Date::MIN, Date::from_ymd(2024, 2, 29).unwrap(), Date::MAX] {
        let theirs = chrono::NaiveDate::from(date);
        assert_eq!(theirs.to_string().trim_start_matches('+'), date.to_string());
        assert_eq!(Date::try_from(theirs).unwrap(), date);
    }
    assert!(Date::try_from(chrono::NaiveDate::MAX).is_err());
}

#[cfg(feature = "time")]
#[test]
fn dates_convert_from_and_to_time() {
    for date in [Date::MIN, Date::from_ymd(2024, 2, 29).unwrap(), Date::MAX] {
        let theirs = time::Date::try_from(date).unwrap();
        assert_eq!(theirs.to_julian_day() - 2_440_588, date.days_since_epoch());
        assert_eq!(Date::try_from(theirs).unwrap(), date);
    }
}

#[cfg(feature = "jiff")]
#[test]
fn dates_convert_from_and_to_jiff() {
    for date in [Date::MIN, Date::from_ymd(2024, 2, 29).unwrap(), Date::MAX] {
        let theirs = jiff::civil::Date::try_from(date).unwrap();
        assert_eq!(Date::try_from(theirs).unwrap(), date);
        assert_eq!(i32::from(theirs.year()), date.to_ymd().0);
    }
}

#[test]
fn a_stream_with_the_name_of_a_feature_is_not_dropped() {
    let schema = Schema::builder()
        .feature(FeatureSpec::number("orders"))
        .stream(StreamSpec::new("order", [FeatureSpec::number("amount")]))
        .build()
        .unwrap();
    for name in ["orders", "ordr"] {
        let table = Table::builder(&schema, 1).numbers("orders", vec![1.0]).stream(
            name,
            vec![0, 0],
            vec![],
            vec![],
        );
        let expected = format!("no stream is named `{name}`; did you mean `order`?");
        assert_eq!(message(table.build()), expected);
    }
}

#[test]
fn rows_and_numbers_of_rows_at_the_end_of_the_range_do_not_overflow() {
    let schema = Schema::builder().stream(StreamSpec::new("order", [])).build().unwrap();
    let stated = Table::builder(&schema, usize::MAX).stream(
        "order",
        vec![0],
        vec![],
        Vec::<Column<'_>>::new(),
    );
    assert!(stated.build().is_err());
    let stated =
        Table::builder(&schema, 1).stream("order", vec![0, 0], vec![], Vec::new());
    let table = stated.build().unwrap();
    assert!(table.row(usize::MAX).events(StreamIndex::new(0)).is_empty());
    let tags = TagColumn::new(vec![0, 1], vec![0], vec!["tea".to_owned()]);
    assert_eq!(tags.codes_of(0), [0]);
    assert!(tags.codes_of(1).is_empty() && tags.codes_of(usize::MAX).is_empty());
}

#[test]
fn a_closed_set_of_many_levels_is_checked_without_comparing_all_pairs() {
    // So many that comparing all pairs would be felt.
    let levels: Vec<String> = (0..150_000).map(|i| format!("article {i:06}")).collect();
    let schema = schema([FeatureSpec::category("article").levels(levels.clone())]);
    let others: Vec<String> = levels.iter().rev().cloned().collect();
    let build = |levels: Vec<String>| {
        let codes: Vec<u32> = (0..150_000).collect();
        Table::builder(&schema, 150_000).categories("article", codes, levels).build()
    };
    assert_eq!(build(others.clone()).unwrap().len(), 150_000);
    let mut wrong = others;
    wrong[7] = "another".to_owned();
    assert_eq!(
        message(build(wrong)),
        "feature `article` has no level `another` in row 7"
    );
}
