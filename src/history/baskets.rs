//! Lines of purchases with what was bought, and where.

use serde::{Deserialize, Serialize};

use super::behaviour::table;
use super::chunks::Row;
use super::customers::map_customers;
use super::ledger::{Ledger, OrderId};
use super::names::Names;
use super::options::LedgerOptions;
use super::retraction::Kept;
use crate::data::{Basis, CustomerId, Date, FeatureSpec, Schema, Table};
use crate::error::Result;

/// One line of a purchase.
///
/// ```
/// use segmenta::data::Date;
/// use segmenta::history::Line;
///
/// let day = Date::from_ymd(2024, 5, 3)?;
/// let line = Line::new("ann", day, 4_50).order(17).category("tea").channel("web");
/// # let _ = line;
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    customer: CustomerId<'a>,
    day: Date,
    amount_minor: i64,
    order: Option<OrderId<'a>>,
    /// In the order of [`KINDS`].
    names: [Option<&'a str>; 3],
}

/// What the names of a line are.
const KINDS: [&str; 3] = ["products", "channels", "categories"];
const CATEGORY: usize = 2;

impl<'a> Line<'a> {
    /// A line with an amount in minor units; a negative one is a refund.
    #[must_use]
    pub fn new(
        customer: impl Into<CustomerId<'a>>,
        day: Date,
        amount_minor: i64,
    ) -> Line<'a> {
        let customer = customer.into();
        Line { customer, day, amount_minor, order: None, names: [None; 3] }
    }

    /// The order that it belongs to.
    #[must_use]
    pub fn order(mut self, order: impl Into<OrderId<'a>>) -> Line<'a> {
        self.order = Some(order.into());
        self
    }

    /// What was bought.
    #[must_use]
    pub fn product(mut self, product: &'a str) -> Line<'a> {
        self.names[0] = Some(product);
        self
    }

    /// Where it was bought.
    #[must_use]
    pub fn channel(mut self, channel: &'a str) -> Line<'a> {
        self.names[1] = Some(channel);
        self
    }

    /// Of which kind it is.
    #[must_use]
    pub fn category(mut self, category: &'a str) -> Line<'a> {
        self.names[CATEGORY] = Some(category);
        self
    }
}

/// Collects lines of purchases, as a [`Ledger`] does transactions, and what they say of
/// products, channels and categories: all names are optional.
///
/// It is a ledger with 12 bytes more a line; [`ledger`](BasketLedger::ledger) gives the
/// summary and everything else that asks for no names. Lines come in any order, can be taken
/// back, and parts merge exactly.
///
/// ```
/// use segmenta::data::Date;
/// use segmenta::history::{BasketLedger, Baskets, LedgerOptions, Line, Occasion};
///
/// let day = |day| Date::from_ymd(2024, 5, day);
/// let options = LedgerOptions::new().occasion(Occasion::Orders).currency("EUR");
/// let mut lines = BasketLedger::new(options)?;
/// let tea = Line::new("ann", day(3)?, 6_00).category("tea").product("Assam");
/// lines.add(tea.order(1))?;
/// lines.add(Line::new("ann", day(3)?, 2_00).category("cups").order(1))?;
/// lines.add(tea.order(2))?;
///
/// let table = lines.baskets(day(31)?, &Baskets::new().mix(["tea"]))?;
/// let value = |name: &str| {
///     let feature = table.schema().index_of(name).unwrap();
///     table.row(0).value(feature).to_string()
/// };
/// assert_eq!((value("products"), value("categories")), ("1".into(), "2".into()));
/// assert_eq!(value("lines_per_purchase"), "1.5");
/// assert_eq!(value("share_tea"), (12.0 / 14.0).to_string());
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct BasketLedger {
    ledger: Ledger,
    /// One for each row that the ledger keeps: 0, or the code of a name + 1.
    codes: Vec<Codes>,
    /// The same of the rows that take others back.
    retracted: Vec<Codes>,
    names: [Names; 3],
}

type Codes = [u32; 3];

impl BasketLedger {
    /// A ledger without lines.
    ///
    /// # Errors
    /// When the options are not valid.
    pub fn new(options: LedgerOptions) -> Result<BasketLedger> {
        Ok(BasketLedger {
            ledger: Ledger::new(options)?,
            codes: Vec::new(),
            retracted: Vec::new(),
            names: Default::default(),
        })
    }

    /// The lines without their names.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Adds a line.
    ///
    /// # Errors
    /// As [`Ledger::add_order`], or [`Ledger::add`] where the line has no order; when there
    /// are more than 2^32 − 1 different names of a kind. The ledger is then unchanged.
    pub fn add(&mut self, line: Line<'_>) -> Result<()> {
        let codes = self.codes_of(&line)?;
        let Line { customer, day, amount_minor, order, .. } = line;
        let before = self.ledger.kept_rows();
        match order {
            Some(order) => self.ledger.add_order(customer, day, amount_minor, order)?,
            None => self.ledger.add(customer, day, amount_minor)?,
        }
        if self.ledger.kept_rows() > before {
            self.codes.push(codes);
        }
        Ok(())
    }

    /// Takes back one line that was added, here or to a ledger that is merged: as
    /// [`Ledger::retract`], with all of its names. Whether there was one is seen by
    /// [`baskets`](BasketLedger::baskets) and by the summary.
    ///
    /// # Errors
    /// As [`add`](BasketLedger::add), without a row.
    pub fn retract(&mut self, line: Line<'_>) -> Result<()> {
        let codes = self.codes_of(&line)?;
        let Line { customer, day, amount_minor, order, .. } = line;
        let before = self.ledger.kept_rows();
        match order {
            Some(order) => {
                self.ledger.retract_order(customer, day, amount_minor, order)?;
            }
            None => self.ledger.retract(customer, day, amount_minor)?,
        }
        if self.ledger.kept_rows() > before {
            self.retracted.push(codes);
        }
        Ok(())
    }

    /// The codes of the names of a line: 0 for none.
    fn codes_of(&mut self, line: &Line<'_>) -> Result<Codes> {
        let mut codes = [0; 3];
        for ((code, names), name) in codes.iter_mut().zip(&mut self.names).zip(line.names)
        {
            if let Some(name) = name {
                *code = names.code(name)? as u32 + 1;
            }
        }
        Ok(codes)
    }

    /// Adds all lines of another ledger.
    ///
    /// # Errors
    /// As [`Ledger::merge`]; when there are too many different names. This ledger is then
    /// unchanged.
    pub fn merge(&mut self, other: BasketLedger) -> Result<()> {
        let (mut codes, mut retracted) = (other.codes, other.retracted);
        for (kind, theirs) in other.names.iter().enumerate() {
            let names = &mut self.names[kind];
            let here = (0..theirs.len() as u64).map(|code| names.code(theirs.get(code)));
            let here = here.collect::<Result<Vec<u64>>>()?;
            for codes in codes.iter_mut().chain(&mut retracted) {
                if codes[kind] > 0 {
                    codes[kind] = here[codes[kind] as usize - 1] as u32 + 1;
                }
            }
        }
        self.ledger.merge(other.ledger)?;
        self.codes.extend(codes);
        self.retracted.extend(retracted);
        Ok(())
    }

    /// Features of what customers buy, as of the end of a day, one row for each customer of
    /// that day's summary.
    ///
    /// # Errors
    /// As [`Ledger::summary`]; when a line was taken back that was not added with its names;
    /// when the choice of features is not valid.
    pub fn baskets(&self, as_of: Date, features: &Baskets) -> Result<Table<'static>> {
        let schema = features.schema(self.ledger.options())?;
        let summary = self.ledger.summary(as_of)?;
        let codes_of_mix: Vec<Option<u32>> = features
            .mix
            .iter()
            .map(|name| self.names[CATEGORY].find(name).map(|code| code + 1))
            .collect();
        let with_names = |(row, codes): (Row<()>, &Codes)| {
            let Row { customer, day, amount, .. } = row;
            Row { customer, order: *codes, day, amount }
        };
        let bought = |row: &Row<Codes>| row.amount >= 0;
        let rows = self.ledger.rows().zip(&self.codes).map(with_names);
        let gone = self.ledger.retracted_rows().zip(&self.retracted).map(with_names);
        let kept = Kept {
            rows: rows.filter(bought).collect(),
            retracted: gone.filter(bought).collect(),
        };
        let keys = self.ledger.customer_keys();
        let lines = map_customers(&*kept.left(keys)?, as_of, keys, |rows| {
            Ok(Some(Bought::of(rows, &codes_of_mix)))
        })?;
        // Both have the customers with a purchase, in the order of their ids.
        let customers =
            lines.into_iter().zip(summary.iter()).map(|((key, bought), c)| {
                let spend = c.mean_spend().unwrap_or(f64::NAN);
                (key, bought.values(c.frequency(), spend))
            });
        let customers: Vec<(u64, Vec<f64>)> = customers.collect();
        let values = customers.iter().map(|(key, values)| (*key, values.as_slice()));
        table(&schema, values, keys)
    }
}

/// What the lines of one customer's purchases come to. Refunds are not among them.
struct Bought {
    lines: u64,
    /// Different names of each kind, where there is any.
    different: [Option<u64>; 3],
    top_share: Option<f64>,
    entropy: Option<f64>,
    mix: Vec<Option<f64>>,
}

impl Bought {
    fn of(rows: &[Row<Codes>], mix: &[Option<u32>]) -> Bought {
        let different = [0, 1, 2].map(|kind| {
            let mut codes: Vec<u32> =
                rows.iter().map(|row| row.order[kind]).filter(|&code| code > 0).collect();
            codes.sort_unstable();
            codes.dedup();
            (!codes.is_empty()).then_some(codes.len() as u64)
        });
        let mut money: Vec<(u32, i128)> = rows
            .iter()
            .filter(|row| row.order[CATEGORY] > 0 && row.amount > 0)
            .map(|row| (row.order[CATEGORY], row.amount.into()))
            .collect();
        money.sort_unstable();
        money.dedup_by(|next, sum| {
            let same = next.0 == sum.0;
            if same {
                sum.1 += next.1;
            }
            same
        });
        let total: i128 = money.iter().map(|(_, sum)| sum).sum();
        let share = |sum: i128| (total > 0).then(|| sum as f64 / total as f64);
        let mix = mix.iter().map(|code| {
            let at = |code| money.binary_search_by_key(&code, |&(other, _)| other);
            share(code.and_then(|code| at(code).ok()).map_or(0, |at| money[at].1))
        });
        let mix = mix.collect();
        // By size: codes depend on the order of the lines, sums of shares on theirs.
        money.sort_unstable_by_key(|&(_, sum)| std::cmp::Reverse(sum));
        let shares = money.iter().map_while(|&(_, sum)| share(sum));
        let entropy = shares.fold(0.0, |sum, p| sum - p * p.ln());
        Bought {
            lines: rows.len() as u64,
            different,
            top_share: money.first().and_then(|&(_, sum)| share(sum)),
            entropy: (total > 0).then_some(entropy),
            mix,
        }
    }

    /// In the order of the schema.
    fn values(self, purchases: u64, mean_spend: f64) -> Vec<f64> {
        let missing = |value: Option<f64>| value.unwrap_or(f64::NAN);
        let mut values = vec![self.lines as f64 / purchases as f64, mean_spend];
        values.extend(self.different.map(|n| missing(n.map(|n| n as f64))));
        values.extend([missing(self.top_share), missing(self.entropy)]);
        values.extend(self.mix.into_iter().map(missing));
        values
    }
}

/// Which features [`BasketLedger::baskets`] makes. All are of purchases on any day up to
/// that of the features; lines that are refunds change only `money_per_purchase`.
///
/// | feature | unit | what |
/// |---|---|---|
/// | `lines_per_purchase` | lines | lines by occasions |
/// | `money_per_purchase` | currency | [`mean_spend`](super::CustomerSummary::mean_spend) |
/// | `products`, `channels`, `categories` | | how many different ones |
/// | `top_category_share` | | the largest share of a category in the money |
/// | `category_entropy` | nats | `−Σ p·ln p` over these shares `p` (Shannon 1948): 0 of one category, `ln n` of `n` equal ones |
/// | `share_{name}` | | the share of a category that was asked for |
///
/// Shares are of the money of lines that name a category. Where no line names one, or none
/// of these has an amount, they are missing, as are the numbers of different names where
/// no line has one. A category that the customer did not buy has the share 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baskets {
    mix: Vec<String>,
}

impl Baskets {
    /// No shares of named categories.
    #[must_use]
    pub fn new() -> Baskets {
        Baskets::default()
    }

    /// The categories whose shares are features.
    #[must_use]
    pub fn mix<S: Into<String>>(
        mut self,
        categories: impl IntoIterator<Item = S>,
    ) -> Baskets {
        self.mix = categories.into_iter().map(Into::into).collect();
        self
    }

    /// The features, for a ledger with these options.
    ///
    /// # Errors
    /// When the options are not valid, or a category is named twice: so is its feature.
    pub fn schema(&self, options: &LedgerOptions) -> Result<Schema> {
        options.validate()?;
        let number = |name: &str| FeatureSpec::number(name).basis(Basis::Behavioural);
        let mut features = vec![
            number("lines_per_purchase").unit("lines"),
            options.money("money_per_purchase"),
        ];
        features.extend(KINDS.map(number));
        features.push(number("top_category_share"));
        features.push(number("category_entropy").unit("nats"));
        for name in &self.mix {
            features.push(number(&format!("share_{name}")));
        }
        Schema::new(features)
    }
}
