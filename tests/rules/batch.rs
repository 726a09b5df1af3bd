//! Whole tables against their rows, one by one.

use proptest::prelude::*;
use segmenta::data::{
    Column, FeatureSpec, Numbers, Remapped, Schema, Table, TagColumn, Validity,
};
use segmenta::error::ErrorKind;
use segmenta::rules::{Rule, RuleBook, RuleSet, field};
use segmenta::segmenter::{Assignment, SegmentIndex, Truth};
use segmenta::{Segmenter, SegmenterExt};

use super::properties::{Case, case};

/// Sizes around words, blocks and tasks.
const SIZES: [usize; 12] =
    [0, 1, 63, 255, 256, 257, 1024, 4095, 4096, 4097, 32_768, 33_000];

/// Compares everything that a book and its segmenter say of a table with what they say of
/// its rows.
pub(crate) fn check(book: &RuleBook, table: &Table<'_>) {
    let n = book.segments().len();
    let segmenter = book.clone().into_segmenter();
    let memberships = book.memberships(table).unwrap();
    let counts = book.count(table).unwrap();
    assert_eq!((memberships.n_rows(), memberships.n_segments()), (table.len(), n));
    let mut assigned = vec![Assignment::none(); table.len()];
    segmenter.assign_table(table, &mut assigned).unwrap();
    let mut again = vec![Assignment::certain(SegmentIndex::new(7)); table.len()];
    book.assign_table(table, &mut again).unwrap();
    assert_eq!(assigned, again);
    let map = book.schema().locate_in(table.schema()).unwrap();
    let (mut members, mut undecided) = (vec![Vec::new(); n], vec![Vec::new(); n]);
    for row in table.rows() {
        let i = row.index();
        let row = Remapped::new(&row, &map);
        let truths = book.membership(&row).unwrap();
        for (s, &truth) in truths.iter().enumerate() {
            assert_eq!(memberships.truth(i, SegmentIndex::new(s as u32)), truth);
            match truth {
                Truth::True => members[s].push(i),
                Truth::Unknown => undecided[s].push(i),
                Truth::False => {}
            }
        }
        assert_eq!(assigned[i], segmenter.assign(&row).unwrap());
    }
    for s in 0..n {
        let segment = SegmentIndex::new(s as u32);
        assert_eq!(memberships.members(segment).collect::<Vec<_>>(), members[s]);
        assert_eq!(memberships.undecided(segment).collect::<Vec<_>>(), undecided[s]);
        let (yes, open) = (members[s].len() as u64, undecided[s].len() as u64);
        assert_eq!(counts[s], memberships.count(segment));
        assert_eq!((counts[s].members, counts[s].undecided), (yes, open));
        assert_eq!(counts[s].non_members, table.len() as u64 - yes - open);
    }
    // What lies beyond is no member of anything.
    let beyond = SegmentIndex::new(n as u32);
    assert_eq!(memberships.truth(0, beyond), Truth::False);
    assert_eq!(memberships.members(beyond).count(), 0);
    if n > 0 {
        let past = memberships.truth(table.len(), SegmentIndex::new(0));
        assert_eq!(past, Truth::False);
    }
}

/// A sequence without a visible order.
pub(crate) fn mixed(i: usize) -> usize {
    (i.wrapping_mul(2_654_435_761) >> 7) ^ i
}

/// The customers again and again, in mixed order.
fn table_of(case: &Case, n_rows: usize) -> Table<'static> {
    let table = Table::from_customers(&case.schema, &case.customers).unwrap();
    let rows: Vec<usize> = (0..n_rows).map(|i| mixed(i) % table.len()).collect();
    table.select_rows(&rows).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(150)
    })]

    #[test]
    fn tables_are_answered_as_their_rows_are(case in case(false), size in 0..9_usize) {
        let (_, book) = case.models();
        check(&book, &table_of(&case, SIZES[size]));
    }
}

/// A column of each kind.
fn schema() -> Schema {
    Schema::new([
        FeatureSpec::number("spend"),
        FeatureSpec::number("visits"),
        FeatureSpec::flag("member"),
        FeatureSpec::category("city"),
        FeatureSpec::ordinal("tier", ["bronze", "silver", "gold"]),
        FeatureSpec::date("joined"),
        FeatureSpec::tags("interests"),
    ])
    .unwrap()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// More thresholds than a byte has, and more classes of cities.
fn large_book() -> RuleBook {
    let mut set = RuleSet::new();
    let mut add = |name: String, rule: Rule| {
        let id = format!("{name} {}", set.segments.len());
        set = std::mem::take(&mut set).segment(id, name, rule);
    };
    for i in 0..300_u32 {
        let spend = field("spend").ge(f64::from(i) * 0.8 + 0.1);
        let visits = field("visits").between(i % 40, i % 40 + i / 40);
        let cities: Vec<String> =
            (0..5).map(|j| format!("city {}", mixed(i as usize * 5 + j) % 710)).collect();
        let city = field("city").is_in(cities);
        add("city".into(), !city.clone());
        add("spend".into(), if i % 2 == 0 { spend & city } else { !spend | !visits });
    }
    let some: Vec<f64> = (0..40).map(|i| f64::from(i) * 3.25).collect();
    add("list".into(), field("spend").is_in(some.clone()) & !field("visits").is_in(some));
    // One test, and two answers for those who are missing.
    add("all or missing".into(), field("visits").when_missing(true).is_in(0..40));
    add("all".into(), field("visits").is_in(0..40));
    add("short list".into(), field("spend").is_in([1.25, 7.5, 100.0, -0.0]));
    add("member".into(), field("member").when_missing(true).eq(false));
    add("not a member".into(), !field("member").eq(true));
    add("gold".into(), field("tier").ge("silver") & field("tier").is_set());
    add("old".into(), field("joined").lt("1989-07-01") | field("joined").is_missing());
    add("tea".into(), field("interests").has_any(["tea", "opera"]));
    add(
        "two".into(),
        !field("interests").size().ge(2) | field("interests").has_all(["tea"]),
    );
    add(
        "in a village".into(),
        field("city").contains("9") & field("city").ends_with("1"),
    );
    let some = (0..70).map(|i| format!("tag {i}")).chain(["tea".to_owned()]);
    add("many tags".into(), !field("interests").has_all(some.clone()));
    add("any of many".into(), field("interests").has_any(some));
    add("two tags".into(), field("interests").has_all(["music", "tea"]));
    add("some tags".into(), field("interests").is_set());
    add("nobody".into(), field("spend").lt(-1.0) | Rule::Nobody);
    add("far".into(), field("spend").le(f64::MAX) & field("visits").ge(f64::MIN));
    for n in 1..=7 {
        let of = vec![
            field("spend").ge(100.0),
            field("visits").when_missing(false).lt(12.0),
            field("member").eq(true),
            field("city").starts_with("city 1"),
            field("tier").eq("gold"),
            field("joined").gt("1990-01-01"),
            field("interests").has_any(["tea", "books"]),
        ];
        add(format!("{n} of 7"), Rule::AtLeast { n, of });
    }
    set.rest("rest", "The rest").compile_book(&schema()).unwrap()
}

#[test]
fn columns_of_all_layouts_are_answered_as_their_rows_are() {
    let book = large_book();
    for n_rows in [300, 4500] {
        let matrix: Vec<f64> = (0..3 * n_rows).map(|i| (mixed(i) % 50) as f64).collect();
        let bits: Vec<u8> = (0..n_rows.div_ceil(8)).map(|i| mixed(i) as u8).collect();
        let mask = |k: usize| {
            Validity::Mask((0..n_rows).map(|i| !mixed(i).is_multiple_of(k)).collect())
        };
        let numbers =
            |k: usize, seed: usize| (0..n_rows).map(move |i| mixed(i + seed) % k);
        let visits = Numbers::strided(&matrix, 1, 3, n_rows).unwrap();
        let members: Vec<bool> = numbers(2, 9).map(|x| x == 1).collect();
        // Where no value is, any code may stand.
        let city = |i| {
            if !mixed(i).is_multiple_of(7) { (mixed(i + 1) % 700) as u32 } else { 9999 }
        };
        let cities: Vec<String> = (0..700).map(|i| format!("city {i}")).collect();
        let offsets: Vec<u32> =
            (0..=n_rows as u32).map(|i| i * 2 - u32::from(i % 3 == 1)).collect();
        let tags: Vec<u32> = (0..2 * n_rows).map(|i| (mixed(i + 5) % 4) as u32).collect();
        let interests =
            TagColumn::new(offsets, tags, names(&["tea", "books", "music", "tools"]));
        let spend: Vec<f64> = numbers(997, 0).map(|x| x as f64 / 4.0).collect();
        let tiers: Vec<u32> = numbers(3, 2).map(|x| x as u32).collect();
        let table = Table::builder(&schema(), n_rows)
            .numbers("spend", spend)
            .column("visits", Column::Number(visits, Validity::Bits(&bits)))
            .column("member", Column::Flag(members.into(), mask(5)))
            .column(
                "city",
                Column::Category((0..n_rows).map(city).collect(), cities.into(), mask(7)),
            )
            .categories("tier", tiers, names(&["silver", "gold", "bronze"]))
            .column(
                "joined",
                Column::Date(numbers(20_000, 3).map(|x| x as i32).collect(), mask(11)),
            )
            .column("interests", Column::Tags(interests, mask(13)))
            .build()
            .unwrap();
        check(&book, &table);
        let memberships = book.memberships(&table).unwrap();
        let counts: Vec<usize> = (0..book.segments().len() as u32)
            .map(|s| memberships.members(SegmentIndex::new(s)).count())
            .collect();
        // The segments say something: most have members, and not all rows.
        let telling = counts.iter().filter(|&&n| n > 0 && n < n_rows).count();
        assert!(telling > counts.len() * 2 / 3, "{counts:?}");
    }
}

#[test]
fn all_sizes_of_a_table_and_of_a_book_are_right() {
    let schema = Schema::new([FeatureSpec::number("x")]).unwrap();
    for n_rows in SIZES {
        let numbers: Vec<f64> = (0..n_rows).map(|i| (mixed(i) % 100) as f64).collect();
        let table =
            Table::builder(&schema, n_rows).numbers("x", numbers).build().unwrap();
        let book = RuleBook::builder(&schema)
            .segment("high", "High", field("x").ge(70))
            .segment("low", "Low", field("x").lt(30))
            .segment("all", "All", Rule::Everyone);
        check(&book.clone().build().unwrap(), &table);
        check(&book.rest("rest", "Rest").build().unwrap(), &table);
    }
}

#[test]
fn a_table_of_another_order_with_more_features_will_do() {
    let schema = Schema::new([FeatureSpec::number("x"), FeatureSpec::flag("y")]).unwrap();
    let host = Schema::new([
        FeatureSpec::flag("y"),
        FeatureSpec::category("other"),
        FeatureSpec::number("x"),
    ])
    .unwrap();
    let n_rows = 500;
    let table = Table::builder(&host, n_rows)
        .flags("y", (0..n_rows).map(|i| mixed(i).is_multiple_of(3)).collect::<Vec<_>>())
        .categories("other", vec![0; n_rows], names(&["a"]))
        .numbers("x", (0..n_rows).map(|i| i as f64).collect::<Vec<_>>())
        .build()
        .unwrap();
    let book = RuleBook::builder(&schema)
        .segment("s", "S", field("x").ge(250) & field("y").eq(true))
        .build()
        .unwrap();
    check(&book, &table);
    let narrow = Schema::new([FeatureSpec::number("x")]).unwrap();
    let table = Table::builder(&narrow, 1).numbers("x", vec![1.0]).build().unwrap();
    for error in [book.count(&table).unwrap_err(), book.memberships(&table).unwrap_err()]
    {
        assert!(error.to_string().contains('y'), "{error}");
    }
    let error = book.assign_table(&table, &mut []).unwrap_err();
    assert!(error.to_string().contains("output"), "{error}");
}

/// The table knows names that the book does not: an error where a row has one and a rule
/// looks at it, and only there.
#[test]
fn an_unknown_level_is_an_error_of_the_row_that_has_it() {
    let country = FeatureSpec::category("country");
    let levels = country.clone().levels(["DE", "AT"]);
    let schema = Schema::new([FeatureSpec::number("x"), levels]).unwrap();
    let host = Schema::new([FeatureSpec::number("x"), country]).unwrap();
    let book = RuleBook::builder(&schema)
        .segment("s", "S", field("x").ge(1) & field("country").eq("DE"))
        .build()
        .unwrap();
    let n_rows = 400;
    let table = |row: usize, x: f64| {
        let mut codes = vec![0; n_rows];
        codes[row] = 2;
        let mut numbers = vec![3.0; n_rows];
        numbers[row] = x;
        Table::builder(&host, n_rows)
            .numbers("x", numbers)
            .categories("country", codes, names(&["DE", "AT", "FR"]))
            .build()
            .unwrap()
    };
    // The rule is False before it comes to the country.
    check(&book, &table(300, 0.0));
    let table = table(300, 1.0);
    let mut out = vec![Assignment::none(); n_rows];
    for error in [
        book.count(&table).unwrap_err(),
        book.memberships(&table).unwrap_err(),
        book.assign_table(&table, &mut out).unwrap_err(),
    ] {
        assert!(
            matches!(error.kind(), ErrorKind::UnknownLevel { feature, row: Some(300), .. }
                if feature == "country"),
            "{error}"
        );
    }
}

#[test]
fn an_unknown_tag_is_an_error_of_the_row_that_has_it() {
    let schema =
        Schema::new([FeatureSpec::tags("channels").levels(["web", "shop"])]).unwrap();
    let host = Schema::new([FeatureSpec::tags("channels")]).unwrap();
    let book = RuleBook::builder(&schema)
        .segment("web", "Web", field("channels").has_any(["web"]))
        .build()
        .unwrap();
    let n_rows = 400;
    let table = |code| {
        let mut codes = vec![0; n_rows];
        codes[300] = code;
        let offsets: Vec<u32> = (0..=n_rows as u32).collect();
        let channels = TagColumn::new(offsets, codes, names(&["web", "shop", "phone"]));
        Table::builder(&host, n_rows).tags("channels", channels).build().unwrap()
    };
    check(&book, &table(1));
    let error = book.count(&table(2)).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::UnknownLevel { feature, row: Some(300), .. }
            if feature == "channels"),
        "{error}"
    );
}

/// Names without end: more classes than pages are worth, and a dictionary of which few
/// names occur.
#[test]
fn columns_of_very_many_levels_are_answered_as_their_rows_are() {
    let schema = Schema::new([FeatureSpec::category("mail")]).unwrap();
    let mut book = RuleBook::builder(&schema);
    for i in 0..30 {
        let part = format!("{:02}", i * 3);
        let rule = match i % 3 {
            0 => field("mail").contains(part),
            1 => field("mail").when_missing(true).ends_with(part),
            _ => !field("mail").matches(format!("{part}.*@")),
        };
        book = book.segment(format!("{i}"), format!("{i}"), rule);
    }
    let book = book.build().unwrap();
    let levels: Vec<String> =
        (0..2500).map(|i| format!("{}@x{}", mixed(i), i * 7)).collect();
    for n_rows in [300, 6000, 11_000] {
        let codes: Vec<u32> = (0..n_rows).map(|i| (mixed(i) % 2500) as u32).collect();
        let valid: Vec<bool> = (0..n_rows).map(|i| !mixed(i).is_multiple_of(9)).collect();
        let mail = Column::Category(
            codes.into(),
            levels.clone().into(),
            Validity::Mask(valid.into()),
        );
        let table = Table::builder(&schema, n_rows).column("mail", mail).build().unwrap();
        check(&book, &table);
    }
}

#[test]
fn many_parts_are_counted() {
    let features: Vec<FeatureSpec> =
        (0..70).map(|i| FeatureSpec::flag(format!("f{i}"))).collect();
    let schema = Schema::new(features).unwrap();
    let mut book = RuleBook::builder(&schema);
    for n in [1, 2, 3, 8, 31, 33, 64, 69, 70] {
        let of = (0..70).map(|i| field(format!("f{i}")).eq(true));
        book = book.segment(format!("{n}"), format!("{n}"), Rule::at_least(n, of));
    }
    let n_rows = 400;
    let mut table = Table::builder(&schema, n_rows);
    for i in 0..70 {
        let flags: Vec<bool> = (0..n_rows).map(|r| mixed(r * 70 + i) % 400 < r).collect();
        let valid = (0..n_rows).map(|r| !mixed(r + i).is_multiple_of(40)).collect();
        let column = Column::Flag(flags.into(), Validity::Mask(valid));
        table = table.column(&format!("f{i}"), column);
    }
    check(&book.build().unwrap(), &table.build().unwrap());
}

#[test]
fn anything_may_stand_where_no_value_is() {
    let schema = Schema::new([FeatureSpec::number("x")]).unwrap();
    for n_thresholds in [3, 20, 200, 300] {
        let mut book = RuleBook::builder(&schema);
        for i in 0..n_thresholds {
            let rule = field("x").ge(10_f64.powi(i - 150));
            book = book.segment(format!("{i}"), format!("{i}"), rule);
        }
        let odd = [f64::INFINITY, f64::NAN, f64::NEG_INFINITY, 1e9];
        let numbers: Vec<f64> = (0..300).map(|i| odd[i % 4]).collect();
        let valid: Vec<bool> = (0..300).map(|i| i % 4 == 3).collect();
        let column = Column::Number(numbers.into(), Validity::Mask(valid.into()));
        let table = Table::builder(&schema, 300).column("x", column).build().unwrap();
        check(&book.build().unwrap(), &table);
    }
}
