//! A book of segments, as a shop would keep it: written as text and as JSON, looked over
//! before it is used, previewed on all customers at once, asked about one of them as her
//! events arrive, and explained.
//!
//! ```text
//! cargo run --release --example segment_book
//! ```

// A program may print; the library never does.
#![allow(clippy::print_stdout)]

use segmenta::data::{
    Date, EventLog, FeatureSpec, Moment, OwnedCustomer, OwnedValue, Schema, Span,
    StreamSpec, Table, Timestamp, Value, Zone,
};
use segmenta::rules::{
    Dialect, LiveConfig, LiveScratch, PointsModel, Rule, RuleBook, RuleSet, SqlLayout,
    SqlStream, events, field,
};
use segmenta::{Error, Result, Segmenter};

/// Id, name, and the rule as a marketer writes it.
const SEGMENTS: [(&str, &str, &str); 15] = [
    ("top", "The best tenth", "events(order).sum(amount) in last 365d in top 10 percent"),
    (
        "lapsed",
        "Lapsed, of high value",
        "events(order).sum(amount) in last 730d >= 300 and not events(order) in last 120d",
    ),
    (
        "one-order",
        "One order, then silence",
        "events(order).count = 1 and not events(order) in last 60d and not events(view) in last 30d",
    ),
    ("cart", "Left a basket", "sequence(cart then not order within 24h) in last 7d"),
    (
        "looked",
        "Looked at something and did not buy it",
        "sequence(view where seconds >= 30 then not order) with same product in last 14d",
    ),
    (
        "quick",
        "Saw it, wanted it, bought it",
        "sequence(view then cart within 1h then order within 2h) with same product in last 60d",
    ),
    ("birthday", "Birthday within a week", "birthday has anniversary in next 7d"),
    ("near", "Near the store", "distance(lat, lon) from (48.2082, 16.3738) <= 25"),
    (
        "reachable",
        "May be written to",
        "consent(newsletter in ('granted') given on newsletter_day in last 730d)",
    ),
    ("hold-out", "Left out, to compare with", "bucket('winter') < 0.1"),
    ("new", "New", "joined in last 30d"),
    (
        "bargains",
        "Buys what is reduced",
        "events(order where reduced).count in last 365d >= 2 \
         and events(order where not reduced).count in last 365d = 0",
    ),
    ("keen", "Keen these days", "score 'engagement' >= 25"),
    (
        "vip",
        "Two marks of a regular",
        "at least 2 of (segment 'top', events(order).active_days in last 365d >= 5, \
         events(view).count in last 90d >= 12, tier >= 'gold')",
    ),
    (
        "winter-mail",
        "The winter campaign",
        "segment 'reachable' and not segment 'hold-out' \
         and (segment 'lapsed' or segment 'birthday' or segment 'cart')",
    ),
];

fn main() -> Result<()> {
    let schema = schema()?;
    let now: Timestamp = "2024-11-28T09:00:00Z".parse()?;
    let moment = Moment::new(now).zone(Zone::fixed(60)?);

    // 1. Both written forms say the same, and so does Rust.
    let mut set = written()?;
    let monthly = events("order").in_each_of(3, Span::days(30), 1);
    let back = events("order").resumed(Span::days(365), Span::days(60), Span::days(14));
    set = set.segment("monthly", "Every month", monthly).segment("back", "Is back", back);
    let json = set.to_json()?;
    assert_eq!(RuleSet::from_json(&json)?, set);
    println!(
        "{} segments, {} bytes of JSON. One of them:",
        set.segments.len(),
        json.len()
    );
    println!("{}\n{}\n", set.segments[3].rule, to_json(&set.segments[3].rule)?);
    let text = "events(ordr).count >= 1 and tier = 'golden'";
    if let Err(error) = text.parse::<Rule>()?.compile(&schema) {
        println!("Mistakes are told at once: {error}\n");
    }

    // 2. Shares of all customers become thresholds; then the rules stand on their own.
    let customers = customers(&schema, now, 5000)?;
    let table = Table::from_customers(&schema, &customers)?;
    let set = set.pin(&table, moment.clone())?;
    println!("The best tenth, pinned: {}\n", set.segments[0].rule);
    let book = set.compile_book(&schema)?;

    // 3. What the book says without any customer. Someone adds a segment that is of no use.
    let idle = "segment 'lapsed' and events(order) in last 30d".parse()?;
    let careless = set.clone().segment("idle", "Idle", idle).compile_book(&schema)?;
    print!("{}", careless.analyse());
    println!();

    // 4. A preview from some of the customers, with what the shares probably are, beside the
    //    counts of all.
    let today = book.at(moment.clone());
    println!(
        "{:<39} {:>21} {:>8} {:>10} {:>7}",
        "segment", "preview of 1,000", "members", "undecided", "others"
    );
    let previews = today.preview(&table, 1000, 1)?;
    for ((segment, count), preview) in
        today.segments().iter().zip(today.count(&table)?).zip(previews)
    {
        let [members, undecided, others] =
            [count.members, count.undecided, count.non_members];
        let [share, low, high] =
            [preview.members.share, preview.members.low, preview.members.high]
                .map(|share| 100.0 * share);
        let name = &segment.name;
        print!("{name:<39} {share:>5.1} % ({low:>4.1}-{high:>4.1} %)");
        println!(" {members:>8} {undecided:>10} {others:>7}");
    }

    // 5. Why someone is where she is, what would change it, and until when it stands.
    let at = today.segments().iter().position(|s| s.id.as_str() == "winter-mail");
    let mail = segmenta::segmenter::SegmentIndex::new(at.unwrap_or_default() as u32);
    if let Some(row) = today.memberships(&table)?.members(mail).next() {
        println!("\nCustomer {row}, {}:", today.segments()[mail.get()].name);
        print!("{}", today.why(&customers[row], mail)?);
    }

    // 6. One of the rules for customers who lie in a database.
    let layout = SqlLayout::new(Dialect::Sqlite, "customers", "id")
        .stream("order", SqlStream::new("orders", "customer", "at"));
    println!("\n{} in SQL:", set.segments[1].name);
    println!("{}", set.segments[1].rule.compile(&schema)?.at(moment).to_sql(&layout)?);

    // 7. The same book for one customer as her events arrive.
    live(&book, &schema, now)
}

/// The segments as they are written, and the score that one of them tests.
fn written() -> Result<RuleSet> {
    let looks = events("view").filter(field("seconds").ge(30));
    let engagement = PointsModel::new()
        .when("silver or gold", 5.0, field("tier").ge("silver"))
        .per_event("looks", 2.0, looks)
        .half_life(Span::days(30))
        .in_steps(Span::days(1))
        .part_cap(20.0)
        .per_event("orders", 10.0, events("order"))
        .half_life(Span::days(90))
        .in_steps(Span::days(1));
    let set = RuleSet::new().score("engagement", engagement);
    SEGMENTS
        .iter()
        .try_fold(set, |set, (id, name, text)| Ok(set.segment(*id, *name, text.parse()?)))
}

fn schema() -> Result<Schema> {
    let product = || FeatureSpec::category("product");
    Schema::builder()
        .feature(FeatureSpec::date("birthday"))
        .feature(FeatureSpec::date("joined"))
        .feature(FeatureSpec::number("lat"))
        .feature(FeatureSpec::number("lon"))
        .feature(FeatureSpec::ordinal("tier", ["bronze", "silver", "gold"]))
        .feature(
            FeatureSpec::category("newsletter").levels(["granted", "denied", "revoked"]),
        )
        .feature(FeatureSpec::date("newsletter_day"))
        .stream(StreamSpec::new("view", [product(), FeatureSpec::number("seconds")]))
        .stream(StreamSpec::new("cart", [product()]))
        .stream(StreamSpec::new(
            "order",
            [product(), FeatureSpec::number("amount"), FeatureSpec::flag("reduced")],
        ))
        .build()
}

fn to_json(rule: &Rule) -> Result<String> {
    serde_json::to_string(rule).map_err(Error::other)
}

/// Numbers that look random: SplitMix64 (Steele, Lea & Flood 2014).
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

const MINUTE: u64 = 60_000;
const DAY: u64 = 24 * 60 * MINUTE;

/// Customers that the program makes up: most look more than they buy.
fn customers(schema: &Schema, now: Timestamp, n: u64) -> Result<Vec<OwnedCustomer>> {
    let mut draw = Draw(7);
    let today = (now.as_millis() / DAY as i64) as i32;
    let ago = |millis: u64| Timestamp::from_millis(now.as_millis() - millis as i64);
    let mut customers = Vec::new();
    for id in 0..n {
        let day = |days: u64| Date::from_days(today - days as i32);
        let mut ann = OwnedCustomer::new(schema, id)
            .set("birthday", day(18 * 365 + draw.below(50 * 365))?)?
            .set("joined", day(draw.below(900))?)?
            .set("tier", ["bronze", "silver", "gold"][draw.below(3) as usize])?;
        if !draw.one_in(5) {
            let [north, east] =
                [draw.below(300), draw.below(700)].map(|x| x as f64 / 100.0);
            ann = ann.set("lat", 46.5 + north)?.set("lon", 10.0 + east)?;
        }
        if !draw.one_in(4) {
            let said =
                ["granted", "granted", "denied", "revoked"][draw.below(4) as usize];
            ann = ann
                .set("newsletter", said)?
                .set("newsletter_day", day(draw.below(900))?)?;
        }
        let (mut views, mut carts, mut orders) = (Vec::new(), Vec::new(), Vec::new());
        let eagerness = 1 + draw.below(6);
        for _ in 0..draw.below(6 * eagerness) {
            let at = draw.below(700 * DAY) / eagerness + 5 * 60 * MINUTE;
            let product = format!("p{}", draw.below(40));
            let seconds = OwnedValue::Number(draw.below(120) as f64);
            views.push((ago(at), vec![product.as_str().into(), seconds]));
            if draw.one_in(3) {
                let cart = at - 20 * MINUTE;
                carts.push((ago(cart), vec![OwnedValue::from(product.as_str())]));
                if !draw.one_in(3) {
                    let amount = OwnedValue::Number(5.0 + draw.below(200) as f64);
                    let values =
                        vec![product.as_str().into(), amount, draw.one_in(3).into()];
                    orders.push((ago(cart - draw.below(90) * MINUTE), values));
                }
            }
        }
        for (stream, log) in schema.streams().iter().zip([views, carts, orders]) {
            ann = ann.set_events(stream.name(), EventLog::new(stream, log)?)?;
        }
        customers.push(ann);
    }
    Ok(customers)
}

/// One afternoon of a customer, and what follows if she does nothing more.
fn live(book: &RuleBook, schema: &Schema, now: Timestamp) -> Result<()> {
    let live =
        book.live(&LiveConfig::new().zone(Zone::fixed(60)?).granularity(
            segmenta::rules::Granularity::Every(Span::from_millis(MINUTE)),
        ))?;
    let mut scratch = LiveScratch::new();
    let later = |minutes: u64| {
        Timestamp::from_millis(now.as_millis() + (minutes * MINUTE) as i64)
    };
    let [view, cart, order] =
        ["view", "cart", "order"].map(|name| schema.require_stream(name));
    let product = Value::Category("p7");
    let mut ann = live.customer(now);
    println!("\nA customer of whom nothing is known yet, live:");
    let show = |what: &str, changes: &[segmenta::rules::LiveChange]| {
        println!("  {what}");
        for change in changes {
            let segment = &book.segments()[change.segment.get()];
            println!(
                "    {}: {} -> {} ({:?})",
                segment.name, change.from, change.to, change.cause
            );
        }
    };
    show("is customer 4711", live.identify(&mut ann, 4711, &mut scratch)?);
    let said = Value::Category("granted");
    let newsletter = schema.require("newsletter")?;
    show("agrees to be written to", live.set(&mut ann, newsletter, said, &mut scratch)?);
    let day = Value::Date(Date::from_ymd(2024, 11, 28)?);
    let given = schema.require("newsletter_day")?;
    show("today", live.set(&mut ann, given, day, &mut scratch)?);
    let looked = [product, Value::Number(45.0)];
    show("looks at p7", live.event(&mut ann, view?, later(3), &looked, &mut scratch)?);
    show(
        "puts it in her basket",
        live.event(&mut ann, cart?, later(9), &[product], &mut scratch)?,
    );
    // Whoever waits until something is due misses nothing.
    while let Some(due) = live.due(&ann)? {
        if due > later(3 * 24 * 60) {
            break;
        }
        let changes = live.advance(&mut ann, due, &mut scratch)?;
        if !changes.is_empty() {
            show(&format!("nothing happens until {due}"), changes);
        }
    }
    let bought = [product, Value::Number(120.0), Value::Flag(false)];
    let at = later(3 * 24 * 60);
    show("orders it after all", live.event(&mut ann, order?, at, &bought, &mut scratch)?);
    println!("  {} bytes are kept of her", ann.size());
    Ok(())
}

#[cfg(test)]
mod tests {
    use segmenta::rules::{Share, field, segment};

    use super::*;

    /// What the book says of all customers is what it says of each.
    #[test]
    fn previews_and_single_answers_agree() {
        let schema = schema().unwrap();
        let now: Timestamp = "2024-11-28T09:00:00Z".parse().unwrap();
        let customers = customers(&schema, now, 400).unwrap();
        let table = Table::from_customers(&schema, &customers).unwrap();
        let set = written().unwrap();
        let book = set.pin(&table, now).unwrap().compile_book(&schema).unwrap().at(now);
        let memberships = book.memberships(&table).unwrap();
        for (row, customer) in customers.iter().enumerate() {
            for (i, truth) in book.membership(customer).unwrap().into_iter().enumerate() {
                let index = segmenta::segmenter::SegmentIndex::new(i as u32);
                assert_eq!(memberships.truth(row, index), truth);
            }
        }
        // Every segment is of some use.
        for count in book.count(&table).unwrap() {
            assert!(count.members > 0 && count.non_members > 0, "{count:?}");
        }
    }

    /// The rules in Rust are those in text.
    #[test]
    fn rust_and_text_say_the_same() {
        let spend = events("order").last(Span::days(365)).sum("amount");
        assert_eq!(
            SEGMENTS[0].2.parse::<Rule>().unwrap(),
            spend.in_top(Share::Percent(10.0))
        );
        let mail = segment("reachable")
            & !segment("hold-out")
            & (segment("lapsed") | segment("birthday") | segment("cart"));
        assert_eq!(SEGMENTS[14].2.parse::<Rule>().unwrap(), mail);
        let new = field("joined").in_last(Span::days(30));
        assert_eq!(SEGMENTS[10].2.parse::<Rule>().unwrap(), new);
    }
}
