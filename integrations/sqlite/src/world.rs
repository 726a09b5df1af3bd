//! One case: who there is, what is asked, and when.

use segmenta::data::{
    Calendar, Date, Moment, OwnedCustomer, OwnedValue, Schema, StreamSpec, Timestamp,
    Zone,
};
use segmenta::rules::{
    DateForm, Dialect, FlagForm, RuleBook, RuleSegmenter, RuleSet, TimeForm,
};
use segmenta::rules::{SqlLayout, SqlStream, SqlTags};
use segmenta::segmenter::Truth;

pub const DAY: i64 = 86_400_000;

/// An event of a customer, as it is given to the crate and to the database.
pub type Event = (Timestamp, Vec<OwnedValue>);

/// A customer and her events, stream by stream.
#[derive(Clone, Debug)]
pub struct Person {
    pub id: u64,
    pub values: Vec<OwnedValue>,
    pub events: Vec<Vec<Event>>,
}

#[derive(Clone, Debug)]
pub struct World {
    pub schema: Schema,
    pub set: RuleSet,
    pub people: Vec<Person>,
    pub now: Timestamp,
    pub zone: ZoneKind,
    pub form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ZoneKind {
    Fixed(i32),
    /// One hour ahead of UTC up to `now` less two days, then two.
    Moving,
}

/// How things lie in the database, beside the dialect.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    pub flags: FlagForm,
    pub dates: DateForm,
    pub times: TimeForm,
    /// Whether columns and tables have names of their own.
    pub is_renamed: bool,
    /// Whether tags may be missing.
    pub tags_known: bool,
    /// Whether whole numbers are kept as integers where the database lets them.
    pub integers: bool,
}

/// A calendar whose days are once an hour shorter.
#[derive(Debug)]
struct Moving {
    from: i64,
}

impl Moving {
    fn offset(&self, at: i64) -> i64 {
        if at < self.from { 3_600_000 } else { 7_200_000 }
    }
}

impl Calendar for Moving {
    fn date_of(&self, at: Timestamp) -> Date {
        let local = Timestamp::from_millis(at.as_millis() + self.offset(at.as_millis()));
        Zone::utc().date_of(local)
    }

    fn start_of(&self, day: Date) -> Timestamp {
        let start = i64::from(day.days_since_epoch()) * DAY - 7_200_000;
        let start = if start < self.from { start + 3_600_000 } else { start };
        Timestamp::from_millis(start)
    }
}

impl World {
    pub fn moment(&self) -> Moment {
        let zone = match self.zone {
            ZoneKind::Fixed(minutes) => Zone::fixed(minutes).expect("less than a day"),
            ZoneKind::Moving => {
                // In the middle of a local day, so that days begin as said above.
                let days = self.now.as_millis().div_euclid(DAY) - 2;
                Zone::new(Moving { from: days * DAY + DAY / 2 })
            }
        };
        Moment::new(self.now).zone(zone)
    }

    pub fn book(&self) -> RuleBook {
        let book = self.set.compile_book(&self.schema).expect("a valid book");
        book.at(self.moment())
    }

    /// The same segments, of which each customer has the first one.
    pub fn segmenter(&self) -> RuleSegmenter {
        let segmenter = self.set.compile(&self.schema).expect("valid segments");
        segmenter.at(self.moment())
    }

    pub fn customer(&self, person: &Person) -> OwnedCustomer {
        let mut customer =
            OwnedCustomer::with_values(&self.schema, person.id, person.values.clone())
                .expect("values of the schema");
        for (stream, events) in self.schema.streams().iter().zip(&person.events) {
            let log = segmenta::data::EventLog::new(stream, events.iter().cloned());
            customer = customer
                .set_events(stream.name(), log.expect("events of the stream"))
                .expect("a stream of the schema");
        }
        customer
    }

    /// What the crate says of each customer, in the order of segments.
    pub fn truths(&self) -> Vec<Vec<Truth>> {
        let book = self.book();
        let truth =
            |person| book.membership(&self.customer(person)).expect("usable values");
        self.people.iter().map(truth).collect()
    }

    pub fn layout(&self, dialect: Dialect) -> SqlLayout {
        let mut layout = SqlLayout::new(dialect, self.customers(), self.id())
            .flags(self.form.flags)
            .regexp(dialect == Dialect::Sqlite)
            .dates(self.form.dates)
            .times(self.times(dialect));
        for feature in self.schema.features() {
            if feature.kind() == segmenta::data::FeatureKind::Tags {
                let table = self.tags_table(feature.name());
                let tags = SqlTags::new(table, "customer", "tag");
                let known = format!("knows {}", feature.name());
                let tags = if self.form.tags_known { tags.known(known) } else { tags };
                layout = layout.tags(feature.name(), tags);
            } else if self.form.is_renamed {
                layout = layout.column(feature.name(), self.column(feature.name()));
            }
        }
        for stream in self.schema.streams() {
            let mut events =
                SqlStream::new(self.events_table(stream), "customer", "time")
                    .order("nth");
            for property in stream.properties() {
                if self.form.is_renamed {
                    events = events.column(property.name(), self.column(property.name()));
                }
            }
            layout = layout.stream(stream.name(), events);
        }
        layout
    }

    pub fn times(&self, dialect: Dialect) -> TimeForm {
        if dialect == Dialect::Sqlite { TimeForm::Millis } else { self.form.times }
    }

    pub fn customers(&self) -> &'static str {
        // Also a name that generated ones begin with.
        if self.form.is_renamed { "sg_level0" } else { "customers" }
    }

    pub fn id(&self) -> &'static str {
        if self.form.is_renamed { "the \"id\"" } else { "id" }
    }

    pub fn column(&self, name: &str) -> String {
        if self.form.is_renamed { format!("col {name}'\"") } else { name.to_owned() }
    }

    pub fn tags_table(&self, feature: &str) -> String {
        format!("tags of {feature}")
    }

    pub fn events_table(&self, stream: &StreamSpec) -> String {
        format!("events of {}", stream.name())
    }
}
