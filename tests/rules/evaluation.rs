//! Rules: evaluation, assignments, explanations, saved models.

use segmenta::data::{
    Customer, Date, FeatureSpec, OwnedCustomer, OwnedValue, Schema, Table,
};
use segmenta::rules::{FieldTest, Rule, RuleBook, RuleSegmenter, RuleSet, field};
use segmenta::segmenter::{
    Persist, Reason, Relabel, Saved, Scratch, Segment, SegmentIndex, Truth,
};
use segmenta::{ErrorKind, Segmenter, SegmenterExt};

use super::*;

fn nobody_known() -> OwnedCustomer {
    OwnedCustomer::new(&schema(), 1_u64)
}

fn ann() -> OwnedCustomer {
    let tags = |names: &[&str]| names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>();
    nobody_known()
        .set("orders", 4.0)
        .and_then(|c| c.set("opted_out", false))
        .and_then(|c| c.set("country", "AT"))
        .and_then(|c| c.set("city", "Linz an der Donau"))
        .and_then(|c| c.set("tier", "silver"))
        .and_then(|c| c.set("last_order", Date::from_ymd(2024, 2, 29).unwrap()))
        .and_then(|c| c.set("interests", tags(&["garden", "books", "art"])))
        .and_then(|c| c.set("channels", tags(&["web", "phone"])))
        .unwrap()
}

fn truth(rule: &Rule, customer: &OwnedCustomer) -> Truth {
    let compiled = rule.compile(&schema()).unwrap_or_else(|e| panic!("{rule}: {e}"));
    let truth = compiled.truth(customer).unwrap();
    assert_eq!(compiled.holds(customer).unwrap(), truth.is_true(), "{rule}");
    truth
}

/// The rows of the tables in the documentation of rules, without their heads.
fn rows_of_the_documentation() -> Vec<Vec<String>> {
    let source = include_str!("../../src/rules/ast.rs");
    let (_, section) = source.split_once("/// # Truth").unwrap();
    let (section, _) = section.split_once("#[derive").unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("/// |"));
    rows.map(|row| row.trim_end_matches('|').split('|').map(str::trim))
        .map(|cells| cells.map(str::to_owned).collect())
        .collect()
}

#[test]
fn truth_is_as_the_documentation_says() {
    let schema = Schema::new(["a", "b", "c"].map(FeatureSpec::flag)).unwrap();
    let truth = |name: &str| match name {
        "True" => Truth::True,
        "False" => Truth::False,
        "Unknown" => Truth::Unknown,
        other => panic!("{other}"),
    };
    let ask = |rule: Rule, values: &[Truth]| {
        let ann = OwnedCustomer::new(&schema, 1);
        let ann =
            ["a", "b", "c"].iter().zip(values).fold(
                ann,
                |ann, (name, truth)| match truth {
                    Truth::Unknown => ann,
                    truth => ann.set(name, *truth == Truth::True).unwrap(),
                },
            );
        rule.compile(&schema).unwrap().truth(&ann).unwrap()
    };
    let part = |name: &str| field(name).eq(true);
    let two = || [part("a"), part("b")];
    let three = || [part("a"), part("b"), part("c")];
    let rows = rows_of_the_documentation();
    let (of_two, of_three): (Vec<_>, Vec<_>) =
        rows.iter().partition(|row| row.len() == 5);
    // A head, a line, and each combination.
    assert_eq!([of_two.len(), of_three.len()], [2 + 9, 2 + 10]);
    for row in &of_two[2..] {
        let cells: Vec<Truth> = row.iter().map(|cell| truth(cell)).collect();
        let (values, expected) = cells.split_at(2);
        let found = [
            ask(!part("a"), values),
            ask(Rule::all(two()), values),
            ask(Rule::any(two()), values),
        ];
        assert_eq!(found, expected, "{row:?}");
        assert_eq!(ask(Rule::at_least(2, two()), values), found[1]);
        assert_eq!(ask(Rule::at_least(1, two()), values), found[2]);
    }
    for row in &of_three[2..] {
        let n = |at: usize| row[at].parse::<usize>().unwrap();
        let expected: Vec<Truth> = row[3..].iter().map(|cell| truth(cell)).collect();
        let kinds = [Truth::True, Truth::False, Truth::Unknown];
        let values: Vec<Truth> =
            kinds.into_iter().enumerate().flat_map(|(i, t)| vec![t; n(i)]).collect();
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let values = order.map(|at| values[at]);
            let found = [
                ask(Rule::all(three()), &values),
                ask(Rule::at_least(2, three()), &values),
                ask(Rule::any(three()), &values),
            ];
            assert_eq!(found, expected[..], "{row:?}");
        }
    }
}

#[test]
fn each_test_answers_yes_no_and_unknown() {
    let day = |text: &str| text.parse::<Date>().unwrap();
    let yes = [
        field("orders").eq(4),
        field("orders").is_in([9, 4, 4, 1]),
        field("orders").lt(4.5),
        field("orders").le(4),
        field("orders").gt(3.9),
        field("orders").ge(4),
        field("orders").between(4, 4),
        field("opted_out").eq(false),
        field("opted_out").is_in([true, false]),
        field("country").eq("AT"),
        field("country").is_in(["DE", "AT"]),
        field("country").starts_with("A"),
        field("city").eq("Linz an der Donau"),
        field("city").is_in(["Graz", "Linz an der Donau"]),
        field("city").contains(" an "),
        field("city").starts_with("Linz"),
        field("city").ends_with("Donau"),
        field("tier").ge("bronze"),
        field("tier").gt("bronze"),
        field("tier").lt("gold"),
        field("tier").between("silver", "gold"),
        field("tier").is_in(["silver"]),
        field("last_order").eq("2024-02-29"),
        field("last_order").lt("2024-03-01"),
        field("last_order").gt(day("2024-02-28")),
        field("last_order").between("2024-02-01", "2024-02-29"),
        field("last_order").is_in(["2024-02-29", "1999-01-01"]),
        field("interests").has_any(["sport", "art"]),
        field("interests").has_all(["art", "books", "art"]),
        field("interests").size().eq(3),
        field("interests").size().is_in([1, 3]),
        field("channels").has_all(["web", "phone"]),
        field("channels").size().between(1, 2),
    ];
    let no = [
        field("orders").eq(5),
        field("orders").is_in([1, 2, 3, 5, 6, 7, 8, 9, 10, 11]),
        field("orders").lt(4),
        field("orders").le(3.999),
        field("orders").gt(4),
        field("orders").ge(4.001),
        field("orders").between(5, 9),
        field("opted_out").eq(true),
        field("country").eq("DE"),
        field("country").is_in(["CH"]),
        field("country").contains("E"),
        field("city").eq("linz an der donau"),
        field("city").contains("ANDER"),
        field("city").starts_with("Donau"),
        field("city").ends_with("Linz"),
        field("tier").gt("silver"),
        field("tier").lt("silver"),
        field("tier").between("bronze", "bronze"),
        field("last_order").gt("2024-02-29"),
        field("last_order").lt("2024-02-29"),
        field("interests").has_any(["Art"]),
        field("interests").has_all(["art", "sport"]),
        field("interests").size().gt(3),
        field("channels").has_any(["shop"]),
    ];
    for rule in &yes {
        assert_eq!(truth(rule, &ann()), Truth::True, "{rule}");
    }
    for rule in &no {
        assert_eq!(truth(rule, &ann()), Truth::False, "{rule}");
    }
    for rule in yes.iter().chain(&no) {
        assert_eq!(truth(rule, &nobody_known()), Truth::Unknown, "{rule}");
        let Rule::Field(test) = rule.clone() else { panic!("{rule}") };
        for holds in [true, false] {
            let test = FieldTest { when_missing: Some(holds), ..test.clone() };
            let rule = Rule::Field(test);
            assert_eq!(truth(&rule, &nobody_known()), Truth::from(holds), "{rule}");
        }
    }
    for spec in schema().features() {
        let set = field(spec.name()).is_set();
        let missing = field(spec.name()).is_missing();
        assert_eq!(truth(&set, &ann()), Truth::True);
        assert_eq!(truth(&set, &nobody_known()), Truth::False);
        assert_eq!(truth(&missing, &ann()), Truth::False);
        assert_eq!(truth(&missing, &nobody_known()), Truth::True);
    }
}

#[test]
fn comparisons_are_exact_at_the_ends_of_the_number_line() {
    let one = |x: f64| nobody_known().set("orders", x).unwrap();
    for x in [f64::MAX, f64::MIN, 0.0, -0.0, 5e-324, 1e300, 0.1 + 0.2] {
        for y in [f64::MAX, f64::MIN, 0.0, -0.0, 5e-324, 1e300, 0.3, -5e-324] {
            let is = |rule: Rule| truth(&rule, &one(x)) == Truth::True;
            assert_eq!(is(field("orders").lt(y)), x < y, "{x} < {y}");
            assert_eq!(is(field("orders").le(y)), x <= y, "{x} <= {y}");
            assert_eq!(is(field("orders").gt(y)), x > y, "{x} > {y}");
            assert_eq!(is(field("orders").ge(y)), x >= y, "{x} >= {y}");
            assert_eq!(is(field("orders").eq(y)), x == y, "{x} = {y}");
            assert_eq!(is(field("orders").is_in([y])), x == y, "{x} in ({y})");
            let far = (1..=20).map(|i| f64::from(i) * 1e10);
            let long = field("orders").is_in(far.chain([y]));
            assert_eq!(is(long), x == y, "{x} in a long list with {y}");
        }
    }
    let day = |date: Date| nobody_known().set("last_order", date).unwrap();
    let first = field("last_order").lt(Date::MIN);
    let last = field("last_order").gt(Date::MAX);
    assert_eq!(truth(&first, &day(Date::MIN)), Truth::False);
    assert_eq!(truth(&last, &day(Date::MAX)), Truth::False);
}

/// The three-valued constants, made of a flag that is set, not set or missing.
fn constants() -> [(Rule, Truth); 3] {
    [
        (field("opted_out").eq(false), Truth::True),
        (field("opted_out").eq(true), Truth::False),
        // Nobody knows the orders of this customer.
        (field("orders").ge(0), Truth::Unknown),
    ]
}

#[test]
fn connectives_follow_kleene() {
    let customer = nobody_known().set("opted_out", false).unwrap();
    for (a, ta) in constants() {
        assert_eq!(truth(&!a.clone(), &customer), ta.not());
        assert_eq!(truth(&!!a.clone(), &customer), ta);
        for (b, tb) in constants() {
            let both = a.clone() & b.clone();
            let either = a.clone() | b.clone();
            assert_eq!(truth(&both, &customer), ta.and(tb), "{both}");
            assert_eq!(truth(&either, &customer), ta.or(tb), "{either}");
            for (c, tc) in constants() {
                let truths = [ta, tb, tc];
                let count = |t| truths.iter().filter(|&&x| x == t).count();
                for n in 1..=3 {
                    let rule = Rule::at_least(n, [a.clone(), b.clone(), c.clone()]);
                    let expected = if count(Truth::True) >= n {
                        Truth::True
                    } else if 3 - count(Truth::False) < n {
                        Truth::False
                    } else {
                        Truth::Unknown
                    };
                    assert_eq!(truth(&rule, &customer), expected, "{rule}");
                    assert_eq!(truth(&!rule.clone(), &customer), expected.not());
                }
            }
        }
    }
    assert_eq!(truth(&Rule::Everyone, &customer), Truth::True);
    assert_eq!(truth(&Rule::Nobody, &customer), Truth::False);
    assert_eq!(truth(&!Rule::Everyone, &customer), Truth::False);
}

/// A customer whose values are all of the wrong kind or not usable.
fn liars() -> Vec<(&'static str, OwnedValue)> {
    let tags = |names: &[&str]| {
        OwnedValue::Tags(names.iter().map(|&name| name.to_owned()).collect())
    };
    vec![
        ("orders", f64::NAN.into()),
        ("orders", f64::INFINITY.into()),
        ("orders", f64::NEG_INFINITY.into()),
        ("orders", true.into()),
        ("orders", "4".into()),
        ("opted_out", 1.0.into()),
        ("country", 1.0.into()),
        ("country", "Atlantis".into()),
        ("country", "".into()),
        ("city", false.into()),
        ("tier", "platinum".into()),
        ("tier", 2.0.into()),
        ("last_order", "2024-01-01".into()),
        ("interests", "art".into()),
        ("channels", tags(&["web", "fax"])),
        ("channels", tags(&["fax"])),
    ]
}

#[test]
fn values_that_cannot_be_used_are_errors_that_name_the_feature() {
    for (name, value) in liars() {
        let spec_kind = schema().require(name).unwrap();
        let kind = schema().get(spec_kind).unwrap().kind();
        let customer = ann().set(name, value.clone()).unwrap();
        // Even the least demanding tests look at the value in full.
        for rule in [field(name).is_set(), field(name).is_missing()] {
            let rule = rule.compile(&schema()).unwrap();
            for error in
                [rule.holds(&customer).unwrap_err(), rule.truth(&customer).unwrap_err()]
            {
                assert!(error.is_data(), "{error}");
                let text = error.to_string();
                assert!(text.contains(&format!("`{name}`")), "{kind}: {text}");
            }
        }
        let size = field("interests").size().ge(0).compile(&schema()).unwrap();
        assert_eq!(size.holds(&customer).is_err(), name == "interests");
    }
    let error = |name: &str, value: OwnedValue| {
        let rule = field(name).is_set().compile(&schema()).unwrap();
        rule.holds(&ann().set(name, value).unwrap()).unwrap_err().into_kind()
    };
    let far = error("country", "ATT".into());
    assert!(matches!(far, ErrorKind::UnknownLevel { similar, .. } if similar == ["AT"]));
    let kind = error("tier", 2.0.into());
    assert!(matches!(
        kind,
        ErrorKind::WrongKind { expected: "ordinal category", found: "number", .. }
    ));
    let tag = error("channels", vec!["web".to_owned(), "fax".to_owned()].into());
    assert!(matches!(tag, ErrorKind::UnknownLevel { level, .. } if level == "fax"));
    assert!(matches!(error("orders", f64::NAN.into()), ErrorKind::NonFinite { .. }));
}

#[test]
fn only_values_that_are_looked_at_are_checked() {
    let nan = field("orders").ge(1);
    let customer = ann().set("orders", f64::NAN).unwrap();
    let out = field("opted_out").eq(true);
    let holds = |rule: Rule| rule.compile(&schema()).unwrap().holds(&customer).ok();
    assert_eq!(holds(out.clone() & nan.clone()), Some(false));
    assert_eq!(holds(nan.clone() & out.clone()), None);
    assert_eq!(holds(!out.clone() | nan.clone()), Some(true));
    let parts = || [!out.clone(), !out.clone(), nan.clone()];
    assert_eq!(holds(Rule::at_least(2, parts())), Some(true));
    assert_eq!(holds(Rule::at_least(3, parts())), None);
    assert_eq!(holds(!Rule::at_least(2, parts())), Some(false));
    assert_eq!(holds(!Rule::at_least(3, parts())), None);
    let parts = || [out.clone(), out.clone(), nan.clone()];
    assert_eq!(holds(Rule::at_least(2, parts())), Some(false));

    // An explanation goes as far as the assignment: it does not fail on its own.
    let segmenter = RuleSegmenter::builder(&schema())
        .segment("a", "A", out.clone() & nan.clone())
        .segment("b", "B", !out & field("country").eq("AT"))
        .segment("c", "C", nan)
        .build()
        .unwrap();
    let explanation = segmenter.explain(&customer).unwrap();
    assert_eq!(explanation.assignment, segmenter.assign(&customer).unwrap());
    let Reason::Rules { clauses } = &explanation.reason else { panic!() };
    let unusable = &clauses[2];
    assert_eq!(unusable.truth, Truth::Unknown);
    assert_eq!(unusable.observed, None);
    assert!(unusable.text.contains("NaN"), "{}", unusable.text);
    assert_eq!(clauses[0].truth, Truth::False);
    assert!(serde_json::to_string(&explanation).is_ok());
}

fn index(i: u32) -> SegmentIndex {
    SegmentIndex::new(i)
}

#[test]
fn the_first_match_wins_and_the_rest_takes_the_others() {
    let model = segmenter();
    let assign = |c: &OwnedCustomer| model.assign(c).unwrap();
    assert_eq!(assign(&ann()).segment(), Some(index(1)));
    assert_eq!(assign(&ann()).cost(), 0.0);
    assert_eq!(assign(&ann()).margin(), f64::INFINITY);
    assert_eq!(assign(&ann().set("tier", "gold").unwrap()).segment(), Some(index(0)));
    // An unknown opt-out leaves her out of the loyal, not out of the Austrians.
    let unknown = ann().set("opted_out", OwnedValue::Missing).unwrap();
    assert_eq!(assign(&unknown).segment(), Some(index(2)));
    assert_eq!(assign(&nobody_known()).segment(), Some(index(3)));
    assert_eq!(model.schema(), &schema());
    assert!(model.capabilities().accepts_missing);
    assert!(model.capabilities().inductive);
    assert!(!model.capabilities().may_leave_out);

    let strict = RuleSet { rest: None, ..definition() }.compile(&schema()).unwrap();
    assert_eq!(strict.assign(&nobody_known()).unwrap().segment(), None);
    assert!(strict.capabilities().may_leave_out);
    assert_eq!(strict.affinities(&nobody_known()).unwrap(), [0.0; 3]);
    assert_eq!(strict.segments().len(), 3);
    assert_eq!(model.affinities(&ann()).unwrap(), [0.0, 1.0, 0.0, 0.0]);
}

#[test]
fn explanations_tell_why_earlier_rules_failed() {
    let explanation = segmenter().explain(&ann()).unwrap();
    assert_eq!(explanation.segment.as_deref(), Some("Loyal customers"));
    let Reason::Rules { clauses } = &explanation.reason else { panic!() };
    let seen: Vec<(usize, &str, usize, &str, Truth)> = clauses
        .iter()
        .map(|c| (c.segment.get(), &*c.path, c.depth, &*c.text, c.truth))
        .collect();
    assert_eq!(
        seen,
        [
            (0, "", 0, "Gold tier: tier = 'gold'", Truth::False),
            (1, "", 0, "Loyal customers: all of", Truth::True),
            (1, "/all/0", 1, "orders >= 3", Truth::True),
            (1, "/all/1", 1, "not", Truth::True),
            (1, "/all/1/not", 2, "opted_out = true", Truth::False),
        ]
    );
    assert_eq!(clauses[0].observed, Some("silver".into()));
    assert_eq!(clauses[1].observed, None);

    let rest = segmenter().explain(&nobody_known()).unwrap();
    let Reason::Rules { clauses } = &rest.reason else { panic!() };
    assert_eq!(clauses.len(), 7);
    assert_eq!(clauses[6].text, "Everyone else: no other segment");
    assert_eq!(clauses[6].segment, index(3));
    assert_eq!(clauses[0].observed, Some(OwnedValue::Missing));
    assert!(rest.to_string().contains("unknown"), "{rest}");

    let strict = RuleSet { rest: None, ..definition() }.compile(&schema()).unwrap();
    let none = strict.explain(&nobody_known()).unwrap();
    assert!(none.to_string().starts_with("in no segment"), "{none}");

    // Each path leads to the clause in the JSON of its rule.
    let set = definition();
    for clause in clauses.iter().filter(|c| c.segment.get() < 3) {
        let rule = &set.segments[clause.segment.get()].rule;
        let json = serde_json::to_value(rule).unwrap();
        let part = json.pointer(&clause.path).unwrap().clone();
        let part: Rule = serde_json::from_value(part).unwrap();
        if !matches!(part, Rule::All(_) | Rule::Not(_)) {
            assert!(clause.text.ends_with(&part.to_string()), "{}", clause.text);
        }
    }
}

#[test]
fn a_book_gives_all_segments_that_match() {
    let book: RuleBook = definition().compile_book(&schema()).unwrap();
    let mut found = vec![index(9)];
    book.matches_with(&ann(), &mut found).unwrap();
    assert_eq!(found, [index(1), index(2)]);
    assert_eq!(book.affinities(&ann()).unwrap(), [0.0, 1.0, 1.0, 0.0]);
    assert_eq!(book.assign(&ann()).unwrap(), segmenter().assign(&ann()).unwrap());
    assert_eq!(
        book.membership(&ann()).unwrap(),
        [Truth::False, Truth::True, Truth::True, Truth::False]
    );
    book.matches_with(&nobody_known(), &mut found).unwrap();
    assert_eq!(found, [index(3)]);
    assert_eq!(
        book.membership(&nobody_known()).unwrap(),
        [Truth::Unknown, Truth::Unknown, Truth::Unknown, Truth::True]
    );
    let mut wrong = [0.0; 3];
    let error = book.affinities_with(&ann(), &mut Scratch::new(), &mut wrong);
    assert!(matches!(error.unwrap_err().kind(), ErrorKind::Length { .. }));
    let explanation = book.explain(&ann()).unwrap();
    let Reason::Rules { clauses } = &explanation.reason else { panic!() };
    let roots: Vec<Truth> =
        clauses.iter().filter(|c| c.depth == 0).map(|c| c.truth).collect();
    assert_eq!(roots, book.membership(&ann()).unwrap());
    assert_eq!(book.clone().into_segmenter(), segmenter());
    assert_eq!(segmenter().into_book(), book);
}

#[test]
fn a_book_counts_members_undecided_and_others() {
    let book = definition().compile_book(&schema()).unwrap();
    let gold = ann().set("tier", "gold").unwrap();
    let rows: Vec<OwnedCustomer> = (0..1500)
        .map(|i| match i % 3 {
            0 => ann(),
            1 => gold.clone(),
            _ => nobody_known(),
        })
        .collect();
    let table = Table::from_customers(&schema(), &rows).unwrap();
    let counts = book.count(&table).unwrap();
    let numbers: Vec<[u64; 3]> =
        counts.iter().map(|c| [c.members, c.undecided, c.non_members]).collect();
    assert_eq!(
        numbers,
        [[500, 500, 500], [1000, 500, 0], [1000, 500, 0], [500, 0, 1000]]
    );
    // The same through another schema, with the features in another order.
    let names: Vec<String> =
        schema().features().iter().rev().map(|f| f.name().to_owned()).collect();
    let reversed = schema().select(&names).unwrap();
    let turned = |c: &OwnedCustomer| {
        let values = c.values().iter().rev().cloned().collect();
        OwnedCustomer::with_values(&reversed, 1_u64, values).unwrap()
    };
    let rows: Vec<OwnedCustomer> = rows.iter().map(turned).collect();
    let table = Table::from_customers(&reversed, &rows).unwrap();
    assert_eq!(book.count(&table).unwrap(), counts);
    let assigned = book.assign_all(&table).unwrap();
    assert_eq!(assigned[1], book.assign(&gold).unwrap());

    let few = schema().select(&["orders"]).unwrap();
    let table = Table::from_customers(&few, [OwnedCustomer::new(&few, 1_u64)]).unwrap();
    assert!(book.count(&table).unwrap_err().is_schema());
    let empty = Table::from_customers(&schema(), [] as [OwnedCustomer; 0]).unwrap();
    assert_eq!(book.count(&empty).unwrap()[3].members, 0);
}

#[test]
fn a_bad_row_of_a_count_is_named() {
    // An open category in the table, a closed one in the rules.
    let open = Schema::new([FeatureSpec::category("country")]).unwrap();
    let closed =
        Schema::new([FeatureSpec::category("country").levels(["DE", "AT"])]).unwrap();
    let book = RuleBook::builder(&closed)
        .segment("a", "A", field("country").eq("AT"))
        .build()
        .unwrap();
    let rows: Vec<OwnedCustomer> = (0..3000)
        .map(|i| {
            let country = if i == 1700 || i == 2900 { "FR" } else { "AT" };
            OwnedCustomer::new(&open, 1_u64).set("country", country).unwrap()
        })
        .collect();
    let table = Table::from_customers(&open, &rows).unwrap();
    let error = book.count(&table).unwrap_err();
    assert!(error.to_string().contains("row 1700"), "{error}");
    let error = book.assign_all(&table).unwrap_err();
    assert!(error.to_string().contains("row 1700"), "{error}");
}

#[test]
fn saved_models_come_back_equal() {
    let mut model = segmenter();
    let mut segments = model.segments().to_vec();
    segments[1] = Segment::new("faithful", "The faithful").counted(7, 0.25);
    model.relabel(segments.clone()).unwrap();
    assert_eq!(model.segments(), segments);
    let saved = model.save().unwrap();
    assert_eq!((saved.kind(), saved.version()), ("segmenta.rules", 1));
    let saved = Saved::from_json(&saved.to_json().unwrap()).unwrap();
    let loaded = RuleSegmenter::load(&saved).unwrap();
    assert_eq!(loaded, model);
    assert_eq!(loaded.definition().segments[1].id.as_str(), "faithful");
    assert_eq!(loaded.explain(&ann()).unwrap(), model.explain(&ann()).unwrap());
    assert_eq!(loaded.segments()[1].size, Some(7));

    let book = definition().compile_book(&schema()).unwrap();
    let saved = book.save().unwrap();
    assert_eq!(saved.kind(), "segmenta.rule_book");
    assert_eq!(RuleBook::load(&saved).unwrap(), book);
    assert!(RuleSegmenter::load(&saved).unwrap_err().is_format());

    assert_eq!(segmenter().definition(), definition());
    let json = definition().to_json().unwrap();
    assert_eq!(RuleSet::from_json(&json).unwrap(), definition());
    let no_rest = RuleSet { rest: None, ..definition() };
    assert_eq!(no_rest.compile(&schema()).unwrap().definition(), no_rest);
    assert!(model.relabel(vec![Segment::new("a", "A")]).is_err());
}

#[test]
fn a_row_of_a_table_is_a_customer_like_any_other() {
    let model = segmenter();
    let rows = [ann(), nobody_known(), ann().set("tier", "gold").unwrap()];
    let table = Table::from_customers(&schema(), &rows).unwrap();
    let assigned = model.assign_all(&table).unwrap();
    for (row, assigned) in rows.iter().zip(assigned) {
        assert_eq!(model.assign(row).unwrap(), assigned);
    }
    let mut short = vec![assigned_nowhere(); 2];
    assert!(model.assign_table(&table, &mut short).is_err());
    // Seen through the host's own schema.
    let host = schema().select(&["tier", "country", "opted_out", "orders"]).unwrap();
    let set = RuleSet::new().segment("gold", "Gold", field("tier").eq("gold"));
    let small = Schema::new([FeatureSpec::ordinal("tier", ["bronze", "silver", "gold"])])
        .unwrap();
    let model = set.compile(&small).unwrap();
    let bound = model.bind(&host).unwrap();
    let customer = OwnedCustomer::new(&host, 1_u64).set("tier", "gold").unwrap();
    assert!(customer.value(host.require("tier").unwrap()) == "gold".into());
    assert_eq!(bound.assign(&customer).unwrap().segment(), Some(index(0)));
}

fn assigned_nowhere() -> segmenta::segmenter::Assignment {
    segmenta::segmenter::Assignment::none()
}
