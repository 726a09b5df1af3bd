//! Profiles of a segmenter, of a made-up shop, and of a published survey.

#[path = "../../examples/shop/mod.rs"]
mod shop;

use std::fs;

use segmenta::data::{Customer, FeatureIndex, FeatureSet, Sensitivity, Value};
use segmenta::segmenter::{Assignment, Explanation, Reason, Scratch, Segmenter};

use self::shop::Shopper;
use super::*;

/// Puts even numbers into segment 0 and odd ones into none.
#[derive(Debug)]
struct Even(Schema, Vec<Segment>);

impl Segmenter for Even {
    fn schema(&self) -> &Schema {
        &self.0
    }

    fn segments(&self) -> &[Segment] {
        &self.1
    }

    fn assign_with(
        &self,
        customer: &dyn Customer,
        _: &mut Scratch,
    ) -> segmenta::Result<Assignment> {
        match customer.value(FeatureIndex::new(0)) {
            Value::Number(x) if x % 2.0 == 0.0 => Ok(Assignment::certain(at(0))),
            _ => Ok(Assignment::none()),
        }
    }

    fn explain(&self, customer: &dyn Customer) -> segmenta::Result<Explanation> {
        Ok(Explanation::new(
            self.assign_with(customer, &mut Scratch::new())?,
            Reason::Opaque,
        ))
    }
}

#[test]
fn a_segmenter_is_profiled_by_all_features_of_the_table() {
    let own = Schema::new([FeatureSpec::number("x")]).unwrap();
    let even = Even(own, vec![Segment::new("even", "Even")]);
    let schema = Schema::new([FeatureSpec::flag("f"), FeatureSpec::number("x")]).unwrap();
    let table = Table::builder(&schema, 4)
        .flags("f", vec![true, false, true, true])
        .numbers("x", vec![2.0, 3.0, 5.0, 8.0])
        .build()
        .unwrap();
    let boxed: Box<dyn Segmenter> = Box::new(even);
    let profiles = Profiles::of_segmenter(&*boxed, &table).unwrap();
    let expected =
        Profiles::of(&table, boxed.segments(), &labels(&[0, -1, -1, 0])).unwrap();
    assert_eq!(profiles, expected);
    assert_eq!(profiles.segments()[0].flag("f").unwrap().share, Some(1.0));
    let assignments = [Assignment::none(); 3];
    let error = Profiles::of_assignments(&table, boxed.segments(), &assignments);
    assert!(error.unwrap_err().is_data());
}

/// A table of the made-up shop, large enough for several blocks of each kind.
fn shop_table(n: usize) -> (Table<'static>, Vec<Option<SegmentIndex>>) {
    let shoppers = shop::shoppers(n, 7);
    let spent = |s: &Shopper| {
        s.purchases.iter().map(|p| p.amount_minor).sum::<i64>() as f64 / 100.0
    };
    let features = FeatureSet::<Shopper>::builder()
        .id(|s| s.id.into())
        .number("frequency", |s: &Shopper| s.purchases.len())
        .number("monetary", spent)
        .number(
            FeatureSpec::number("age").sensitivity(Sensitivity::Personal),
            |s: &Shopper| s.age,
        )
        .date("first_order", |s| Some(s.first_order))
        .category("channel", |s| Some(&s.channel))
        .flag("opted_in", |s| Some(s.opted_in))
        .build()
        .unwrap();
    let labels = shoppers.iter().map(|s| Some(at(s.group as u32))).collect();
    (features.table(&shoppers).unwrap(), labels)
}

fn groups() -> Vec<Segment> {
    shop::GROUPS.iter().map(|&name| Segment::new(name, name)).collect()
}

#[test]
fn the_shop_holds_what_it_promises() {
    let shoppers = shop::shoppers(4000, 1);
    assert_eq!(shoppers, shop::shoppers(4000, 1));
    assert_ne!(shoppers, shop::shoppers(4000, 2));
    let purchases = || shoppers.iter().flat_map(|s| &s.purchases);
    assert!(purchases().any(|p| p.amount_minor < 0));
    assert!(purchases().any(|p| p.amount_minor == 0));
    assert!(shoppers.iter().any(|s| s.age.is_none()));
    let as_of = shop::as_of();
    for (i, shopper) in shoppers.iter().enumerate() {
        assert_eq!(shopper.id, i as u64 + 1);
        let days: Vec<Date> = shopper.purchases.iter().map(|p| p.day).collect();
        assert!(days.is_sorted() && days[0] == shopper.first_order);
        assert!(days.iter().all(|day| (1..=730).contains(&day.days_until(as_of))));
        assert!(shopper.purchases.iter().any(|p| p.amount_minor > 0));
    }
    for group in 0..shop::GROUPS.len() {
        let n = shoppers.iter().filter(|s| s.group == group).count();
        assert!(n > 400, "{n} of {}", shop::GROUPS[group]);
    }
}

#[test]
fn the_planted_groups_are_described() {
    let (table, labels) = shop_table(2000);
    let profiles = Profiles::of(&table, &groups(), &labels).unwrap();
    let names = profiles.suggested_names();
    assert!(names[0].starts_with("high frequency, high monetary"), "{names:?}");
    assert!(names[3].starts_with("late first order"), "{names:?}");
    assert!(profiles.tests().iter().all(|t| t.p_holm < 1e-6));
    check_text(&profiles.to_string());
}

#[cfg(feature = "rayon")]
#[test]
fn threads_do_not_change_a_bit() {
    let (table, labels) = shop_table(70_000);
    let profile = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let profiles = pool.install(|| Profiles::of(&table, &groups(), &labels).unwrap());
        serde_json::to_string(&profiles).unwrap()
    };
    let one = profile(1);
    for threads in [2, 7] {
        assert_eq!(profile(threads), one);
    }
}

#[allow(clippy::disallowed_methods, reason = "tests may read files")]
fn read(path: &str) -> String {
    let folder = std::env::var("SEGMENTA_DATA").expect("SEGMENTA_DATA");
    fs::read_to_string(format!("{folder}/{path}")).expect(path)
}

/// McDonald's survey with the four segments of Dolnicar, Grün & Leisch (2018, "Market
/// Segmentation Analysis", appendix): flexclust 1.5.0 and R 4.2.2, `chisq.test(table(k4,
/// Gender))`, `aov(Age ~ k4)`, `barplot(shade = TRUE)`.
#[test]
#[ignore = "needs SEGMENTA_DATA"]
fn real_mcdonalds_segments_are_described_as_published() {
    let data = read("mcdonalds/mcdonalds.csv");
    let of = read("../golden/segmentation/mcd_k4_labels.csv");
    let mut lines = data.lines().map(|l| l.split(',').collect::<Vec<_>>());
    let names = lines.next().unwrap();
    let rows: Vec<Vec<&str>> = lines.collect();
    let labels: Vec<Option<SegmentIndex>> = of
        .lines()
        .skip(1)
        .map(|l| l.rsplit(',').next().unwrap().parse::<u32>().unwrap())
        .map(|label| Some(at(label - 1)))
        .collect();
    let (age, gender) = (12, 14);
    assert_eq!((names[age], names[gender]), ("Age", "Gender"));
    let mut specs: Vec<FeatureSpec> =
        names[..11].iter().map(|&name| FeatureSpec::flag(name)).collect();
    specs.push(FeatureSpec::number("Age"));
    specs.push(FeatureSpec::category("Gender"));
    let schema = Schema::new(specs).unwrap();
    let mut builder = Table::builder(&schema, rows.len());
    for (j, name) in names[..11].iter().enumerate() {
        let flags: Vec<bool> = rows.iter().map(|row| row[j] == "Yes").collect();
        builder = builder.flags(name, flags);
    }
    let ages: Vec<f64> = rows.iter().map(|row| row[age].parse().unwrap()).collect();
    let codes: Vec<u32> = rows.iter().map(|r| u32::from(r[gender] == "Male")).collect();
    let genders = ["Female", "Male"].map(str::to_owned).to_vec();
    let table = builder
        .numbers("Age", ages)
        .categories("Gender", codes, genders)
        .build()
        .unwrap();
    let profiles = Profiles::of(&table, &Segment::numbered(4), &labels).unwrap();

    let sizes: Vec<u64> = profiles.segments().iter().map(|s| s.size).collect();
    assert_eq!(sizes, [470, 257, 324, 402]);
    let marked = |segment: u32| -> Vec<&str> {
        let markers = profiles.distinguishing(at(segment), 99).unwrap();
        let marks = |name: &&str| markers.iter().any(|m| m.marks && m.feature == *name);
        names[..11].iter().copied().filter(marks).collect()
    };
    assert_eq!(marked(0), ["greasy", "cheap", "expensive", "healthy"]);
    let second = ["yummy", "cheap", "tasty", "expensive", "healthy", "disgusting"];
    assert_eq!(marked(1), second);
    assert_eq!(marked(2), ["yummy", "cheap", "tasty", "expensive", "disgusting"]);
    let fourth =
        ["yummy", "greasy", "cheap", "tasty", "expensive", "healthy", "disgusting"];
    assert_eq!(marked(3), fourth);
    for (segment, name, index) in [
        (1, "yummy", 2.8),
        (1, "expensive", 237.0),
        (1, "disgusting", 273.9),
        (3, "greasy", 16.1),
        (3, "healthy", 225.1),
    ] {
        let found = profiles.segments()[segment].flag(name).unwrap().index.unwrap();
        assert!((found - index).abs() < 0.05, "{name}: {found}");
    }
    let test = |name: &str| profiles.tests().iter().find(|t| t.feature == name).unwrap();
    let gender = test("Gender");
    assert!((gender.statistic - 29.845).abs() < 5e-4);
    assert_eq!(gender.df, 3.0);
    assert!((gender.p_value / 1.488e-6 - 1.0).abs() < 5e-4);
    assert!((gender.effect_size - 0.143318360643).abs() < 1e-11);
    let age = test("Age");
    assert!((age.statistic - 22.245).abs() < 1e-3);
    assert_eq!((age.df, age.df_residual), (3.0, Some(1449.0)));
    assert!((age.p_value / 4.396e-14 - 1.0).abs() < 1e-3);
    let share = |segment: usize| {
        profiles.segments()[segment].level("Gender", "Female").unwrap().share.unwrap()
    };
    for (segment, female) in
        [0.5851064, 0.4319066, 0.4783951, 0.6144279].iter().enumerate()
    {
        assert!((share(segment) - female).abs() < 1e-7);
    }
}
