//! How to read features from the host's own record type.

use std::fmt;

use super::schema::{FeatureKind, SchemaBuilder};
use super::{
    Customer, CustomerId, Date, Events, FeatureIndex, FeatureSpec, Schema, StreamIndex,
    StreamSpec, Table, Tags, Value,
};
use crate::error::{Error, ErrorKind, Result};

/// How to read one characteristic from the host's own record type `C`.
///
/// # Contract
/// 1. [`value`](Feature::value) gives a value of the kind that [`spec`](Feature::spec)
///    states, or [`Value::Missing`].
/// 2. It is a pure function of the record.
///
/// ```
/// use segmenta::data::{Feature, FeatureSet, FeatureSpec, Value};
///
/// struct Order { amount: f64 }
/// struct Shopper { id: u64, orders: Vec<Order> }
///
/// /// A feature that another crate could publish.
/// struct MeanBasket(FeatureSpec);
///
/// impl Feature<Shopper> for MeanBasket {
///     fn spec(&self) -> &FeatureSpec {
///         &self.0
///     }
///     fn value<'c>(&self, shopper: &'c Shopper) -> Value<'c> {
///         let n = shopper.orders.len() as f64;
///         let sum: f64 = shopper.orders.iter().map(|order| order.amount).sum();
///         if n > 0.0 { Value::Number(sum / n) } else { Value::Missing }
///     }
/// }
///
/// let features = FeatureSet::<Shopper>::builder()
///     .id(|shopper| shopper.id.into())
///     .number("orders", |shopper: &Shopper| shopper.orders.len())
///     .push(MeanBasket(FeatureSpec::number("mean_basket").unit("EUR")))
///     .build()?;
/// assert_eq!(features.schema().len(), 2);
/// # Ok::<(), segmenta::Error>(())
/// ```
pub trait Feature<C: ?Sized>: Send + Sync {
    /// Name, kind and meaning.
    fn spec(&self) -> &FeatureSpec;

    /// The value for a record.
    fn value<'c>(&self, record: &'c C) -> Value<'c>;
}

/// What a closure of [`FeatureSetBuilder::number`] may return: a number or `Option` of
/// one. Integers beyond 2^53 are rounded to the nearest `f64`.
pub trait IntoNumber {
    /// The number, or `None` for missing.
    fn into_number(self) -> Option<f64>;
}

macro_rules! into_number {
    ($($t:ty)*) => {$(
        impl IntoNumber for $t {
            fn into_number(self) -> Option<f64> {
                Some(self as f64)
            }
        }
    )*};
}
into_number!(f64 f32 u8 u16 u32 u64 usize i8 i16 i32 i64 isize);

impl<T: IntoNumber> IntoNumber for Option<T> {
    fn into_number(self) -> Option<f64> {
        self.and_then(IntoNumber::into_number)
    }
}

/// A feature's name, or its whole [`FeatureSpec`], where a builder knows the kind.
#[derive(Clone, Debug)]
pub struct FeatureName(Result<FeatureSpec, String>);

impl FeatureName {
    fn of_kind(self, kind: FeatureKind) -> FeatureSpec {
        self.0.unwrap_or_else(|name| FeatureSpec::new(name, kind))
    }
}

impl From<&str> for FeatureName {
    fn from(name: &str) -> Self {
        FeatureName(Err(name.to_owned()))
    }
}

impl From<String> for FeatureName {
    fn from(name: String) -> Self {
        FeatureName(Err(name))
    }
}

impl From<FeatureSpec> for FeatureName {
    fn from(spec: FeatureSpec) -> Self {
        FeatureName(Ok(spec))
    }
}

/// A feature made of a description and a closure.
struct Reader<F> {
    spec: FeatureSpec,
    read: F,
}

impl<C: ?Sized, F> Feature<C> for Reader<F>
where
    F: for<'c> Fn(&'c C) -> Value<'c> + Send + Sync,
{
    fn spec(&self) -> &FeatureSpec {
        &self.spec
    }

    fn value<'c>(&self, record: &'c C) -> Value<'c> {
        (self.read)(record)
    }
}

type ReadEvents<C> = Box<dyn for<'c> Fn(&'c C) -> Events<'c> + Send + Sync>;

type ReadId<C> = Box<dyn for<'c> Fn(&'c C) -> CustomerId<'c> + Send + Sync>;

/// The features of a host's record type `C`: gives the schema, and views records as
/// customers.
///
/// ```
/// use segmenta::data::{Basis, Customer, FeatureSet, FeatureSpec, Value};
///
/// struct Shopper { id: u64, orders: u32, spend: Option<f64>, country: String }
///
/// let features = FeatureSet::<Shopper>::builder()
///     .id(|s| s.id.into())
///     .number("orders", |s: &Shopper| s.orders)
///     .number(FeatureSpec::number("spend").unit("EUR").basis(Basis::Value), |s: &Shopper| s.spend)
///     .category("country", |s| Some(&s.country))
///     .build()?;
///
/// let ann = Shopper { id: 1, orders: 3, spend: None, country: "AT".into() };
/// let customer = features.view(&ann);
/// let country = features.schema().require("country")?;
/// assert_eq!(customer.value(country), Value::Category("AT"));
///
/// let table = features.table(&[ann])?;
/// assert_eq!(table.len(), 1);
/// # Ok::<(), segmenta::Error>(())
/// ```
pub struct FeatureSet<C: ?Sized> {
    schema: Schema,
    features: Vec<Box<dyn Feature<C>>>,
    /// For each stream of the schema.
    streams: Vec<ReadEvents<C>>,
    id: ReadId<C>,
}

impl<C: ?Sized> FeatureSet<C> {
    /// Starts with no features.
    #[must_use]
    pub fn builder() -> FeatureSetBuilder<C> {
        FeatureSetBuilder {
            features: Vec::new(),
            streams: Vec::new(),
            id: None,
            wrong: None,
        }
    }

    /// The schema of the features, in the order they were added.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// A record as a customer. Copies nothing.
    #[must_use]
    pub fn view<'c>(&'c self, record: &'c C) -> View<'c, C> {
        View { set: self, record }
    }
}

impl<C> FeatureSet<C> {
    /// A table of many records, with the values copied and checked.
    ///
    /// # Errors
    /// When a value is not finite, of another kind, or not among the levels; the error
    /// names the feature and the row.
    pub fn table(&self, records: &[C]) -> Result<Table<'static>> {
        Table::from_customers(
            &self.schema,
            records.iter().map(|record| self.view(record)),
        )
    }
}

impl<C: ?Sized> fmt::Debug for FeatureSet<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FeatureSet").field("schema", &self.schema).finish_non_exhaustive()
    }
}

/// A record of the host, seen as a [`Customer`] through a [`FeatureSet`].
pub struct View<'c, C: ?Sized> {
    set: &'c FeatureSet<C>,
    record: &'c C,
}

impl<C: ?Sized> Customer for View<'_, C> {
    fn id(&self) -> CustomerId<'_> {
        (self.set.id)(self.record)
    }

    fn value(&self, feature: FeatureIndex) -> Value<'_> {
        self.set
            .features
            .get(feature.get())
            .map_or(Value::Missing, |f| f.value(self.record))
    }

    fn events(&self, stream: StreamIndex) -> Events<'_> {
        let read = self.set.streams.get(stream.get());
        read.map_or(Events::none(), |read| read(self.record))
    }
}

impl<C: ?Sized> fmt::Debug for View<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("id", &self.id()).finish_non_exhaustive()
    }
}

/// Collects the features of a [`FeatureSet`].
pub struct FeatureSetBuilder<C: ?Sized> {
    features: Vec<Box<dyn Feature<C>>>,
    streams: Vec<(StreamSpec, ReadEvents<C>)>,
    id: Option<ReadId<C>>,
    /// The first specification given for a method of another kind.
    wrong: Option<Error>,
}

impl<C: ?Sized> FeatureSetBuilder<C> {
    /// How to tell who a record is. Needed.
    #[must_use]
    pub fn id<F>(mut self, read: F) -> Self
    where
        F: for<'c> Fn(&'c C) -> CustomerId<'c> + Send + Sync + 'static,
    {
        self.id = Some(Box::new(read));
        self
    }

    /// A number; `None` is missing.
    #[must_use]
    pub fn number<F, V>(self, name: impl Into<FeatureName>, read: F) -> Self
    where
        F: Fn(&C) -> V + Send + Sync + 'static,
        V: IntoNumber,
    {
        let spec = name.into().of_kind(FeatureKind::Number);
        self.reader(spec, &[FeatureKind::Number], move |record: &C| {
            read(record).into_number().into()
        })
    }

    /// A flag; `None` is missing.
    #[must_use]
    pub fn flag<F, V>(self, name: impl Into<FeatureName>, read: F) -> Self
    where
        F: Fn(&C) -> V + Send + Sync + 'static,
        V: Into<Option<bool>>,
    {
        let spec = name.into().of_kind(FeatureKind::Flag);
        self.reader(spec, &[FeatureKind::Flag], move |record: &C| {
            read(record).into().into()
        })
    }

    /// A category or, with the specification of one, an ordinal; `None` is missing.
    #[must_use]
    pub fn category<F>(self, name: impl Into<FeatureName>, read: F) -> Self
    where
        F: for<'c> Fn(&'c C) -> Option<&'c str> + Send + Sync + 'static,
    {
        let spec = name.into().of_kind(FeatureKind::Category);
        let kinds = [FeatureKind::Category, FeatureKind::Ordinal];
        self.reader(spec, &kinds, move |record: &C| read(record).into())
    }

    /// A date; `None` is missing.
    #[must_use]
    pub fn date<F, V>(self, name: impl Into<FeatureName>, read: F) -> Self
    where
        F: Fn(&C) -> V + Send + Sync + 'static,
        V: Into<Option<Date>>,
    {
        let spec = name.into().of_kind(FeatureKind::Date);
        self.reader(spec, &[FeatureKind::Date], move |record: &C| {
            read(record).into().into()
        })
    }

    /// Tags, from a list of `String`; an empty list is known to be empty, not missing.
    #[must_use]
    pub fn tags<F>(self, name: impl Into<FeatureName>, read: F) -> Self
    where
        F: for<'c> Fn(&'c C) -> &'c [String] + Send + Sync + 'static,
    {
        let spec = name.into().of_kind(FeatureKind::Tags);
        self.reader(spec, &[FeatureKind::Tags], move |record: &C| {
            Value::Tags(Tags::from(read(record)))
        })
    }

    /// The events of a stream, oldest first, as a record lends them; an
    /// [`EventLog`](super::EventLog) in it does.
    #[must_use]
    pub fn stream<F>(mut self, spec: StreamSpec, read: F) -> Self
    where
        F: for<'c> Fn(&'c C) -> Events<'c> + Send + Sync + 'static,
    {
        self.streams.push((spec, Box::new(read)));
        self
    }

    /// A feature of the host's or another crate's own.
    #[must_use]
    pub fn push(mut self, feature: impl Feature<C> + 'static) -> Self {
        self.features.push(Box::new(feature));
        self
    }

    /// The finished set.
    ///
    /// # Errors
    /// When no [`id`](FeatureSetBuilder::id) was given, a name is empty or used twice, or
    /// a specification is of another kind than the method it was given to.
    pub fn build(self) -> Result<FeatureSet<C>> {
        if let Some(error) = self.wrong {
            return Err(error);
        }
        let id = self.id.ok_or_else(|| Error::parameter("id", "given", "absent"))?;
        let builder = self
            .features
            .iter()
            .fold(SchemaBuilder::default(), |b, f| b.feature(f.spec().clone()));
        let (specs, streams): (Vec<_>, Vec<_>) = self.streams.into_iter().unzip();
        let schema = specs.into_iter().fold(builder, SchemaBuilder::stream).build()?;
        Ok(FeatureSet { schema, features: self.features, streams, id })
    }

    fn reader<F>(mut self, spec: FeatureSpec, kinds: &[FeatureKind], read: F) -> Self
    where
        F: for<'c> Fn(&'c C) -> Value<'c> + Send + Sync + 'static,
    {
        if !kinds.contains(&spec.kind()) && self.wrong.is_none() {
            self.wrong = Some(
                ErrorKind::WrongKind {
                    feature: spec.name().to_owned(),
                    expected: kinds[0].name(),
                    found: spec.kind().name(),
                    row: None,
                }
                .into(),
            );
        }
        self.features.push(Box::new(Reader { spec, read }));
        self
    }
}

impl<C: ?Sized> fmt::Debug for FeatureSetBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.features.iter().map(|f| f.spec().name()).collect();
        f.debug_struct("FeatureSetBuilder")
            .field("features", &names)
            .finish_non_exhaustive()
    }
}
