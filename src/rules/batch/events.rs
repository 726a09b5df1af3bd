//! Aggregates of events, block by block, as codes that rules are asked about.
//!
//! The events of a customer are ordered by time, so that a window is a range of them, found
//! once for all aggregates. Counts and sums of a range are differences of two running
//! totals, which are integers, so that nothing is lost: all windows of a filter take one
//! pass over the events.

use std::borrow::Cow;
use std::ops::{ControlFlow, Range};

use super::fixed::Fixed;
use super::lower::Lowered;
use super::plan::{Aggregate, Filters, Plan, StreamPlan, borrowed, columns_of};
use super::program::{Memory, Plane, ROWS, Run};
use crate::data::{
    Column, Events, FeatureKind, Flags, Stream, Timestamp, Validity, Value,
};
use crate::rules::behaviour::Summary;
use crate::simd::{Arithmetic, Kernel};

/// Customers that are looked at together: few enough that what is computed of their events
/// stays in the second-level cache.
pub(super) const CUSTOMERS: usize = 256;

/// Up to so many events are looked at one by one to find a window.
const FEW: usize = 32;

/// One number for each customer.
pub(super) type OfEach<T> = [T; CUSTOMERS];

/// Memory for the aggregates of some customers.
#[derive(Debug)]
pub(super) struct Scratch {
    /// For each derived column, the pages into which it is coded.
    pub(super) pages: Vec<Vec<usize>>,
    /// For each stream, the memory of its filters.
    filtered: Vec<Filtered>,
    /// For each instant, how many of the events lie before it.
    positions: Vec<OfEach<u32>>,
    /// The same of the events that pass a filter.
    ranks: Vec<OfEach<u32>>,
    /// The events that pass a filter and lie before each word of its plane.
    passed: Vec<u32>,
    one_limb: Added<i64>,
    two_limbs: Added<[i64; 2]>,
    values: Values,
    computed: super::computed::Scratch,
}

#[derive(Debug)]
struct Filtered {
    memory: Memory,
    /// For each filter, a bit for each event.
    planes: Vec<Vec<u64>>,
}

/// Numbers that are added up, as one limb or two.
#[derive(Debug)]
struct Added<T> {
    /// Of each event.
    all: Vec<T>,
    /// The totals of the first 0, 1, 2, … events that pass a filter.
    totals: Vec<T>,
    /// The totals before each instant.
    before: Vec<OfEach<T>>,
}

/// Values of one aggregate, of whatever kind.
#[derive(Debug)]
struct Values {
    numbers: OfEach<f64>,
    codes: OfEach<u32>,
    days: OfEach<i32>,
    flags: OfEach<bool>,
    valid: OfEach<bool>,
}

impl Scratch {
    pub(super) fn new(plan: &Plan<'_>, lowered: &Lowered, n_stored: usize) -> Scratch {
        let pages = super::computed::pages(lowered, n_stored, plan.columns.len());
        let filtered = |stream: &StreamPlan<'_>| {
            let Filters { lowered, program, n } = &stream.filters;
            Filtered {
                memory: Memory::new(program, lowered),
                planes: vec![Vec::new(); *n],
            }
        };
        let n_instants = plan.streams.iter().map(|stream| stream.instants.len()).max();
        let n_instants = n_instants.unwrap_or(0);
        let instants_of = |is_such: &dyn Fn(&Fixed) -> bool| {
            let has = |s: &&StreamPlan<'_>| s.added.iter().any(|a| is_such(&a.fixed));
            let most = plan.streams.iter().filter(has).map(|s| s.instants.len()).max();
            most.unwrap_or(0)
        };
        Scratch {
            pages,
            filtered: plan.streams.iter().map(filtered).collect(),
            positions: vec![[0; CUSTOMERS]; n_instants],
            ranks: vec![[0; CUSTOMERS]; n_instants],
            passed: Vec::new(),
            one_limb: Added::new(instants_of(&|fixed| !fixed.has_two)),
            two_limbs: Added::new(instants_of(&|fixed| fixed.has_two)),
            values: Values {
                numbers: [0.0; CUSTOMERS],
                codes: [0; CUSTOMERS],
                days: [0; CUSTOMERS],
                flags: [false; CUSTOMERS],
                valid: [false; CUSTOMERS],
            },
            computed: plan.computed.scratch(),
        }
    }
}

/// Computes all aggregates of up to [`ROWS`] customers, and codes them.
pub(super) struct Fill<'a> {
    pub(super) plan: &'a Plan<'a>,
    pub(super) lowered: &'a Lowered,
    pub(super) rows: Range<usize>,
    pub(super) scratch: &'a mut Scratch,
    pub(super) memory: &'a mut Memory,
}

impl Kernel for Fill<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Fill { plan, lowered, rows, scratch, memory } = self;
        for (stream, at) in plan.streams.iter().zip(0..) {
            for start in rows.clone().step_by(CUSTOMERS) {
                let some = start..(start + CUSTOMERS).min(rows.end);
                let offset = start - rows.start;
                aggregates::<A>(
                    stream,
                    &plan.amounts,
                    at,
                    some,
                    scratch,
                    &mut Codes { lowered, memory, offset },
                );
            }
        }
        for start in rows.clone().step_by(CUSTOMERS) {
            let some = start..(start + CUSTOMERS).min(rows.end);
            let offset = start - rows.start;
            let Scratch { pages, computed, .. } = &mut *scratch;
            let mut codes = Codes { lowered, memory, offset };
            plan.computed.fill::<A>(pages, some, computed, &mut codes);
        }
        // Scores come later.
        for &page in scratch.pages[..plan.n_filled].iter().flatten() {
            memory.is_coded[page] = true;
        }
    }
}

/// Where the codes of some customers of a block go.
pub(super) struct Codes<'a> {
    lowered: &'a Lowered,
    memory: &'a mut Memory,
    /// Of the first of these customers in the block.
    offset: usize,
}

impl Codes<'_> {
    #[inline(always)]
    pub(super) fn write(&mut self, pages: &[usize], column: &Column<'_>, n: usize) {
        for &page in pages {
            let codes = &mut self.memory.codes[page][self.offset..][..n];
            self.lowered.pages[page].code(column, 0..n, codes);
        }
    }

    #[inline(always)]
    pub(super) fn write_numbers(&mut self, pages: &[usize], numbers: &[f64]) {
        let column = Column::Number(numbers.into(), Validity::All);
        self.write(pages, &column, numbers.len());
    }

    /// Keeps the numbers themselves of the aggregate at this place, if they count.
    fn keep(&mut self, amounts: &[usize], place: usize, column: &Column<'_>) {
        let Ok(at) = amounts.binary_search(&place) else { return };
        if let Column::Number(numbers, _) = column
            && let Some(numbers) = numbers.as_slice()
        {
            self.memory.kept[at][self.offset..][..numbers.len()].copy_from_slice(numbers);
        }
    }
}

/// The events of some customers.
struct Block<'b> {
    /// Of the customers, and one more: where their events begin, in the stream.
    offsets: &'b [usize],
    positions: &'b [OfEach<u32>],
}

impl Block<'_> {
    fn n_customers(&self) -> usize {
        self.offsets.len() - 1
    }

    /// The events, by their places in the stream.
    fn events(&self) -> Range<usize> {
        self.offsets[0]..self.offsets[self.offsets.len() - 1]
    }
}

#[inline(always)]
fn aggregates<A: Arithmetic>(
    plan: &StreamPlan<'_>,
    amounts: &[usize],
    at: usize,
    rows: Range<usize>,
    scratch: &mut Scratch,
    codes: &mut Codes<'_>,
) {
    let Scratch {
        pages,
        filtered,
        positions,
        ranks,
        passed,
        one_limb,
        two_limbs,
        values,
        computed: _,
    } = scratch;
    let Filtered { memory, planes } = &mut filtered[at];
    let offsets = &plan.stream.offsets[rows.start..=rows.end];
    find_windows(plan, offsets, positions);
    let block = Block { offsets, positions };
    let n = block.n_customers();
    filter::<A>(plan.stream, &plan.filters, block.events(), memory, planes);
    for group in &plan.groups {
        let plane = group.filter.map(|filter| &planes[filter][..]);
        if !group.counts.is_empty() {
            let before = match plane {
                None => block.positions,
                Some(plane) => {
                    rank(plane, &block, plan.instants.len(), passed, ranks);
                    &ranks[..]
                }
            };
            for aggregate in &group.counts {
                let (from, to) = (&before[aggregate.from], &before[aggregate.to]);
                for ((number, from), to) in values.numbers.iter_mut().zip(from).zip(to) {
                    *number = f64::from(to.wrapping_sub(*from) as i32);
                }
                let numbers = &values.numbers[..n];
                codes.write_numbers(&pages[aggregate.place], numbers);
                let column = Column::Number(numbers.into(), Validity::All);
                codes.keep(amounts, aggregate.place, &column);
            }
        }
        for aggregate in &group.others {
            let column = other(plan, aggregate, &block, plane, values);
            if let Some(column) = column {
                codes.write(&pages[aggregate.place], &column, n);
                codes.keep(amounts, aggregate.place, &column);
            }
        }
    }
    for (at, added) in plan.added.iter().enumerate() {
        let column = &plan.stream.columns[added.property.get()];
        let fixed = added.fixed;
        let sums = plan.groups.iter().filter_map(|group| {
            let plane = group.filter.map(|filter| &planes[filter][..]);
            Some((plane, &group.sums.get(at)?[..]))
        });
        let sums = sums.filter(|(_, sums)| !sums.is_empty());
        let numbers = &mut values.numbers;
        if fixed.has_two {
            two_limbs.cut(column, block.events(), |x| fixed.limbs(x));
            for (plane, sums) in sums {
                two_limbs.add_up(plane, &block, plan.instants.len());
                for sum in sums {
                    two_limbs.between(sum, numbers, |[low, high]| {
                        fixed.number_of_two(low, high)
                    });
                    codes.write_numbers(&pages[sum.place], &numbers[..n]);
                }
            }
        } else {
            one_limb.cut(column, block.events(), |x| fixed.limb(x));
            for (plane, sums) in sums {
                one_limb.add_up(plane, &block, plan.instants.len());
                for sum in sums {
                    one_limb.between(sum, numbers, |limb| fixed.number(limb));
                    codes.write_numbers(&pages[sum.place], &numbers[..n]);
                }
            }
        }
    }
}

/// For each instant and customer, how many events lie before, those of customers before
/// this one included.
#[inline(always)]
fn find_windows(plan: &StreamPlan<'_>, offsets: &[usize], positions: &mut [OfEach<u32>]) {
    let first = offsets[0];
    for (customer, pair) in offsets.windows(2).enumerate() {
        let times = &plan.stream.times[pair[0]..pair[1]];
        for (place, &instant) in positions.iter_mut().zip(&plan.instants) {
            place[customer] = (pair[0] - first + before(times, instant)) as u32;
        }
    }
}

/// How many of a customer's events lie before an instant.
#[inline(always)]
pub(super) fn before(times: &[Timestamp], instant: i64) -> usize {
    if times.len() <= FEW {
        let mut n = 0;
        for time in times {
            n += u64::from(time.as_millis() < instant);
        }
        n as usize
    } else {
        times.partition_point(|time| time.as_millis() < instant)
    }
}

/// A bit for each event and filter.
#[inline(always)]
pub(super) fn filter<A: Arithmetic>(
    stream: &Stream<'_>,
    filters: &Filters,
    events: Range<usize>,
    memory: &mut Memory,
    planes: &mut [Vec<u64>],
) {
    if planes.is_empty() {
        return;
    }
    for plane in planes.iter_mut() {
        plane.clear();
    }
    for start in events.clone().step_by(ROWS) {
        memory.is_coded.fill(false);
        let rows = start..(start + ROWS).min(events.end);
        let n_words = rows.len().div_ceil(64);
        let run = Run {
            program: &filters.program,
            lowered: &filters.lowered,
            columns: columns_of(stream),
            rows,
            memory,
            tell: |filter: usize, plane: &Plane, flip: u64| {
                planes[filter].extend(plane[..n_words].iter().map(|word| word ^ flip));
                ControlFlow::Continue(())
            },
        };
        run.run::<A>();
    }
}

/// For each instant and customer, how many events before it pass.
#[inline(always)]
fn rank(
    plane: &[u64],
    block: &Block<'_>,
    n_instants: usize,
    passed: &mut Vec<u32>,
    ranks: &mut [OfEach<u32>],
) {
    passed.clear();
    let mut n = 0;
    for word in plane {
        passed.push(n);
        n += word.count_ones();
    }
    for (ranks, positions) in ranks.iter_mut().zip(&block.positions[..n_instants]) {
        for (rank, &at) in ranks.iter_mut().zip(&positions[..block.n_customers()]) {
            let (word, bit) = (at as usize / 64, at % 64);
            // The end of the last word lies in none.
            *rank = match (plane.get(word), passed.get(word)) {
                (Some(word), Some(passed)) => {
                    passed + (word & ((1 << bit) - 1)).count_ones()
                }
                _ => n,
            };
        }
    }
}

/// One limb or two, which wrap around.
trait Limbs: Copy + Default {
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    fn and(self, mask: i64) -> Self;
}

impl Limbs for i64 {
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }

    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        self.wrapping_sub(other)
    }

    #[inline(always)]
    fn and(self, mask: i64) -> Self {
        self & mask
    }
}

impl Limbs for [i64; 2] {
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        [self[0].wrapping_add(other[0]), self[1].wrapping_add(other[1])]
    }

    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        [self[0].wrapping_sub(other[0]), self[1].wrapping_sub(other[1])]
    }

    #[inline(always)]
    fn and(self, mask: i64) -> Self {
        [self[0] & mask, self[1] & mask]
    }
}

impl<T: Limbs> Added<T> {
    fn new(n_instants: usize) -> Added<T> {
        Added {
            all: Vec::new(),
            totals: Vec::new(),
            before: vec![[T::default(); CUSTOMERS]; n_instants],
        }
    }

    /// Keeps each event's number, 0 where it is missing.
    #[inline(always)]
    fn cut(&mut self, column: &Column<'_>, events: Range<usize>, cut: impl Fn(f64) -> T) {
        let Column::Number(numbers, validity) = column else { return };
        self.all.resize(events.len(), T::default());
        match (numbers.as_slice(), validity) {
            (Some(numbers), Validity::All) => {
                for (place, &x) in self.all.iter_mut().zip(&numbers[events]) {
                    *place = cut(x);
                }
            }
            _ => {
                for (place, event) in self.all.iter_mut().zip(events) {
                    let number = numbers.get(event);
                    let number = number.filter(|_| validity.is_valid(event));
                    *place = cut(number.unwrap_or_default());
                }
            }
        }
    }

    /// Adds up the events that pass, up to each instant and customer.
    #[inline(always)]
    fn add_up(&mut self, plane: Option<&[u64]>, block: &Block<'_>, n_instants: usize) {
        let Added { all, totals, before } = self;
        totals.resize(all.len() + 1, T::default());
        let mut total = T::default();
        match plane {
            None => {
                for (place, &number) in totals[1..].iter_mut().zip(&*all) {
                    total = total.plus(number);
                    *place = total;
                }
            }
            Some(plane) => {
                let chunks = totals[1..].chunks_mut(64).zip(all.chunks(64));
                for ((places, numbers), &word) in chunks.zip(plane) {
                    let mut word = word;
                    for (place, &number) in places.iter_mut().zip(numbers) {
                        let mask = 0_i64.wrapping_sub((word & 1) as i64);
                        total = total.plus(number.and(mask));
                        *place = total;
                        word >>= 1;
                    }
                }
            }
        }
        for (before, positions) in before.iter_mut().zip(&block.positions[..n_instants]) {
            let positions = &positions[..block.n_customers()];
            for (before, &at) in before.iter_mut().zip(positions) {
                *before = totals[at as usize];
            }
        }
    }

    /// The sums between two instants.
    #[inline(always)]
    fn between(
        &self,
        aggregate: &Aggregate,
        numbers: &mut OfEach<f64>,
        number: impl Fn(T) -> f64,
    ) {
        let (from, to) = (&self.before[aggregate.from], &self.before[aggregate.to]);
        for ((place, from), to) in numbers.iter_mut().zip(from).zip(to) {
            *place = number(to.minus(*from));
        }
    }
}

/// An aggregate that is computed customer by customer.
fn other<'v>(
    plan: &'v StreamPlan<'_>,
    aggregate: &Aggregate,
    block: &Block<'_>,
    plane: Option<&[u64]>,
    values: &'v mut Values,
) -> Option<Column<'v>> {
    let n = block.n_customers();
    let first = block.offsets[0];
    let behaviour = &aggregate.behaviour;
    let Values { numbers, codes, days, flags, valid } = values;
    let column = behaviour.property.as_ref();
    let column = column.and_then(|p| plan.stream.columns.get(p.feature.get()));
    let events = Events::checked(&plan.stream.times, &plan.stream.columns, 0);
    for customer in 0..n {
        // By the places in the stream.
        let at = |instant: usize| first + block.positions[instant][customer] as usize;
        let window = at(aggregate.from)..at(aggregate.to);
        let passes = |at: usize| {
            plane.is_none_or(|plane| {
                plane[(at - first) / 64] >> ((at - first) % 64) & 1 == 1
            })
        };
        let mut rows = window.filter(|&at| passes(at));
        // Names are not looked up.
        let event = match (behaviour.summary, column) {
            (Summary::First, Some(Column::Category(..))) => Some(rows.next()),
            (Summary::Last, Some(Column::Category(..))) => Some(rows.next_back()),
            _ => None,
        };
        if let (Some(event), Some(Column::Category(names, _, validity))) = (event, column)
        {
            let event = event.filter(|&event| validity.is_valid(event));
            codes[customer] = event.map_or(0, |event| names[event]);
            valid[customer] = event.is_some();
            continue;
        }
        // A table's values were checked.
        let value = behaviour.aggregate(&events, rows, &plan.moment);
        let value = value.unwrap_or(Value::Missing);
        valid[customer] = !value.is_missing();
        numbers[customer] = if let Value::Number(x) = value { x } else { 0.0 };
        flags[customer] = value == Value::Flag(true);
        days[customer] =
            if let Value::Date(date) = value { date.days_since_epoch() } else { 0 };
    }
    let validity = if behaviour.summary.may_be_missing() {
        Validity::Mask(Cow::Borrowed(&valid[..n]))
    } else {
        Validity::All
    };
    Some(match (behaviour.spec.kind(), column) {
        (FeatureKind::Number, _) => Column::Number((&numbers[..n]).into(), validity),
        (FeatureKind::Date, _) => Column::Date(Cow::Borrowed(&days[..n]), validity),
        (FeatureKind::Flag, _) => {
            Column::Flag(Flags::Bools(Cow::Borrowed(&flags[..n])), validity)
        }
        (_, Some(Column::Category(_, levels, _))) => {
            Column::Category(Cow::Borrowed(&codes[..n]), borrowed(levels), validity)
        }
        // A plan has no other kinds.
        _ => return None,
    })
}
