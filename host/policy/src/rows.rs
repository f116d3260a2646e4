//! Facts in the hands of a script: records with getters, and lists that are searched in Rust.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};

use jiff::SignedDuration;
use rhai::{Dynamic, Engine, ImmutableString, Map};

use crate::evaluation::{Evaluation, Fault, fault};
use crate::facts::ReadyFacts;
use crate::index::{Index, Run};
use crate::strict;
use crate::value::{heap_bytes, type_word};
use crate::vocabulary::{Cell, Fact, Field};

/// One fact.
pub(crate) struct Record<F: Fact> {
    asked: Arc<Evaluation>,
    index: u32,
    fact: PhantomData<F>,
}

/// Some facts of a list, in its order.
pub(crate) struct Rows<F: Fact> {
    asked: Arc<Evaluation>,
    picked: Picked,
    fact: PhantomData<F>,
}

#[derive(Clone)]
enum Picked {
    All(u32),
    Some(Arc<[u32]>),
    /// The rows of one text, which lie together in the index of the name of this number.
    Run(usize, Run),
}

impl<F: Fact> Clone for Record<F> {
    fn clone(&self) -> Self {
        Self { asked: Arc::clone(&self.asked), index: self.index, fact: PhantomData }
    }
}

impl<F: Fact> Clone for Rows<F> {
    fn clone(&self) -> Self {
        Self { asked: Arc::clone(&self.asked), picked: self.picked.clone(), fact: PhantomData }
    }
}

impl Picked {
    fn len(&self, ready: &ReadyFacts) -> usize {
        match self {
            Self::All(count) => *count as usize,
            Self::Some(rows) => rows.len(),
            Self::Run(name, run) => run_of(ready, *name, run).len(),
        }
    }

    fn get(&self, ready: &ReadyFacts, at: usize) -> Option<u32> {
        match self {
            Self::All(count) => u32::try_from(at).ok().filter(|at| at < count),
            Self::Some(rows) => rows.get(at).copied(),
            Self::Run(name, run) => run_of(ready, *name, run).get(at).copied(),
        }
    }

    fn iter<'r>(&'r self, ready: &'r ReadyFacts) -> impl Iterator<Item = u32> + 'r {
        let (all, listed) = match self {
            Self::All(count) => (0..*count, [].as_slice()),
            Self::Some(rows) => (0..0, &**rows),
            Self::Run(name, run) => (0..0, run_of(ready, *name, run)),
        };
        all.chain(listed.iter().copied())
    }
}

/// The rows of a run; the index was there when the run was found in it.
fn run_of<'f>(ready: &'f ReadyFacts, name: usize, run: &Run) -> &'f [u32] {
    ready.index(name).and_then(OnceLock::get).and_then(Option::as_ref).map_or(&[], |index| index.rows(run))
}

impl<F: Fact> Record<F> {
    pub(crate) fn new(asked: Arc<Evaluation>, index: u32) -> Self {
        Self { asked, index, fact: PhantomData }
    }

    pub(crate) fn asked(&self) -> &Arc<Evaluation> {
        &self.asked
    }

    /// The value of a field, as a script gets it.
    fn get(&self, field: &Field<F::Item>) -> Result<Dynamic, Fault> {
        let value = dynamic(self.read(field)?)?;
        self.asked.copy(heap_bytes(&value))?;
        Ok(value)
    }

    fn read(&self, field: &Field<F::Item>) -> Result<Cell<'_>, Fault> {
        let facts = self.asked.ready.facts();
        match F::item(facts, self.index as usize).map(|item| (field.get)(item, facts)) {
            Some(Cell::Fault(reason)) => Err(fault(reason)),
            Some(cell) => Ok(cell),
            None => Err(fault(format!("there is no such {}", F::NAME))),
        }
    }
}

/// Bytes of the texts of one cell that are handed over: more is no value that a rule compares, and
/// facts may hold a text of any size.
const MOST_CELL_BYTES: usize = 32 << 10;

/// The value that a script gets for a cell.
fn dynamic(cell: Cell<'_>) -> Result<Dynamic, Fault> {
    let bytes = match &cell {
        Cell::Text(text) => text.len(),
        Cell::Texts(texts) => texts.iter().map(String::len).sum(),
        _ => 0,
    };
    if bytes > MOST_CELL_BYTES {
        return Err(fault(format!("holds {bytes} bytes of text, more than {MOST_CELL_BYTES}")));
    }
    Ok(match cell {
        Cell::Missing => Dynamic::UNIT,
        Cell::Text(text) => ImmutableString::from(text.as_ref()).into(),
        Cell::Integer(number) => {
            i64::try_from(number).map_err(|_| fault(format!("{number} is too large a number")))?.into()
        }
        Cell::Truth(truth) => truth.into(),
        Cell::Moment(moment) => Dynamic::from(moment),
        Cell::Length(length) => Dynamic::from(length),
        Cell::Texts(texts) => texts
            .iter()
            .map(|text| Dynamic::from(ImmutableString::from(text.as_str())))
            .collect::<Vec<_>>()
            .into(),
        Cell::Fault(reason) => return Err(fault(reason)),
    })
}

/// How `where` compares.
#[derive(Clone, Copy)]
enum Test {
    Order(strict::Comparison),
    /// The field is one of a list of values.
    In,
    /// The field is a list that has the value.
    Has,
    /// Whether the field has a value at all.
    Known,
}

/// Why a word is none by which `where` compares, if so.
pub(crate) fn comparison_problem(word: &str) -> Option<String> {
    Test::of(word).err()
}

impl Test {
    /// The test of a word, or why it is none.
    fn of(word: &str) -> Result<Self, String> {
        Ok(match word {
            "in" => Self::In,
            "has" => Self::Has,
            "known" => Self::Known,
            other => Self::Order(strict::Comparison::of(other).ok_or_else(|| {
                format!("`{other}` is not a comparison: use `==`, `!=`, `<`, `<=`, `>`, `>=`, `in`, `has` or `known`")
            })?),
        })
    }

    fn holds(self, cell: Cell<'_>, wanted: &Dynamic) -> Result<bool, Fault> {
        match (self, cell) {
            (_, Cell::Fault(reason)) => Err(fault(reason)),
            (Self::Known, cell) => match wanted.as_bool() {
                Ok(known) => Ok(known != matches!(cell, Cell::Missing)),
                Err(_) => Err(fault(format!("`known` takes true or false, not {}", type_word(wanted)))),
            },
            (Self::Order(comparison), Cell::Text(text)) => match wanted.as_immutable_string_ref() {
                Ok(wanted) => Ok(comparison.holds(text.as_ref().cmp(wanted.as_str()))),
                Err(_) => Err(fault(format!("compares a text with {}", type_word(wanted)))),
            },
            (Self::Order(comparison), cell) => match ordering(&cell, wanted) {
                Some(order) => Ok(comparison.holds(order)),
                None => strict::compare(comparison, &dynamic(cell)?, wanted),
            },
            (Self::In, cell) => {
                let list = wanted
                    .as_array_ref()
                    .map_err(|_| fault(format!("`in` takes a list, not {}", type_word(wanted))))?;
                strict::contains(&list, &dynamic(cell)?)
            }
            (Self::Has, Cell::Texts(texts)) => match wanted.as_immutable_string_ref() {
                Ok(wanted) => Ok(texts.iter().any(|text| text == wanted.as_str())),
                Err(_) => Err(fault(format!("`has` takes a text, not {}", type_word(wanted)))),
            },
            (Self::Has, _) => Err(fault("`has` is for fields that are lists")),
        }
    }
}

/// The order of a cell and a value of its type, for the types that most rows are searched by: most
/// of a search is this.
fn ordering(cell: &Cell<'_>, wanted: &Dynamic) -> Option<Ordering> {
    match cell {
        Cell::Integer(number) => Some(i64::try_from(*number).ok()?.cmp(&wanted.as_int().ok()?)),
        Cell::Truth(truth) => Some(truth.cmp(&wanted.as_bool().ok()?)),
        Cell::Length(length) => Some(length.cmp(&*wanted.read_lock::<SignedDuration>()?)),
        _ => None,
    }
}

impl<F: Fact> Rows<F> {
    /// All facts of the list; a fault where they were not gathered.
    pub(crate) fn all(asked: &Arc<Evaluation>) -> Result<Self, Fault> {
        let count = F::count(asked.ready.facts()).ok_or_else(|| {
            fault(format!("the facts hold nothing about any {}: they were not gathered", F::NAME))
        })?;
        let count = u32::try_from(count).map_err(|_| fault(format!("there are too many of {}", F::NAME)))?;
        Ok(Self { asked: Arc::clone(asked), picked: Picked::All(count), fact: PhantomData })
    }

    fn with(&self, rows: Arc<[u32]>) -> Self {
        Self { asked: Arc::clone(&self.asked), picked: Picked::Some(rows), fact: PhantomData }
    }

    pub(crate) fn asked(&self) -> &Arc<Evaluation> {
        &self.asked
    }

    pub(crate) fn items(&self) -> impl Iterator<Item = (u32, &F::Item)> + '_ {
        let facts = self.asked.ready.facts();
        self.picked.iter(&self.asked.ready).filter_map(move |row| Some((row, F::item(facts, row as usize)?)))
    }

    pub(crate) fn keep(&self, rows: impl FromIterator<u32> + Into<Arc<[u32]>>) -> Self {
        self.with(rows.into())
    }

    /// Counts the rows before all of them are looked at.
    pub(crate) fn look(&self) -> Result<(), Fault> {
        self.look_times(1)
    }

    /// Likewise, where each is looked at so many times.
    pub(crate) fn look_times(&self, times: usize) -> Result<(), Fault> {
        self.asked.look_at(self.picked.len(&self.asked.ready).saturating_mul(times))
    }

    /// Whether these are all facts of the list.
    pub(crate) fn is_all(&self) -> bool {
        matches!(self.picked, Picked::All(_))
    }

    fn count(&self) -> i64 {
        i64::try_from(self.picked.len(&self.asked.ready)).unwrap_or(i64::MAX)
    }

    fn first(&self) -> Result<Record<F>, Fault> {
        self.picked
            .get(&self.asked.ready, 0)
            .map(|row| Record::new(Arc::clone(&self.asked), row))
            .ok_or_else(|| fault(format!("there is no first {}: ask `count` before", F::NAME)))
    }

    fn take(&self, count: i64) -> Result<Self, Fault> {
        let count = usize::try_from(count).map_err(|_| fault(format!("`take` cannot take {count}")))?;
        Ok(self.keep(self.picked.iter(&self.asked.ready).take(count).collect::<Vec<_>>()))
    }

    fn search(
        &self,
        (name, field): (usize, &'static Field<F::Item>),
        test: Test,
        wanted: &Dynamic,
    ) -> Result<Self, Fault> {
        if let (Test::Order(strict::Comparison::Equal), Picked::All(count), Ok(text)) =
            (test, &self.picked, wanted.as_immutable_string_ref())
            && *count > INDEXED_FROM
            && let Some(index) = self.index(name, field)?
        {
            let run = index.run(&text, |row| self.text(field, row));
            return Ok(Self {
                asked: Arc::clone(&self.asked),
                picked: Picked::Run(name, run),
                fact: PhantomData,
            });
        }
        let facts = self.asked.ready.facts();
        let listed = wanted.as_array_ref().ok().filter(|_| matches!(test, Test::In));
        // A list of texts is looked up, any other is gone through for each row.
        let texts: Option<BTreeSet<String>> = listed.as_ref().and_then(|list| {
            let text = |item: &Dynamic| item.as_immutable_string_ref().ok().map(|text| text.to_string());
            list.iter().map(text).collect()
        });
        self.look_times(listed.as_ref().filter(|_| texts.is_none()).map_or(1, |list| list.len().max(1)))?;
        let mut found = Vec::new();
        for row in self.picked.iter(&self.asked.ready) {
            let item =
                F::item(facts, row as usize).ok_or_else(|| fault(format!("there is no such {}", F::NAME)))?;
            let holds = match ((field.get)(item, facts), &texts) {
                (Cell::Text(text), Some(texts)) => texts.contains(text.as_ref()),
                (cell, _) => test.holds(cell, wanted)?,
            };
            if holds {
                found.push(row);
            }
        }
        Ok(self.with(found.into()))
    }

    fn text(&self, field: &'static Field<F::Item>, row: u32) -> Option<Cow<'_, str>> {
        let facts = self.asked.ready.facts();
        match (field.get)(F::item(facts, row as usize)?, facts) {
            Cell::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Where the rows of each text of a field lie, or `None` where some row has none: those are
    /// compared one by one, so that they fault.
    fn index(&self, name: usize, field: &'static Field<F::Item>) -> Result<Option<&Index>, Fault> {
        let ready = &self.asked.ready;
        let Some(slot) = ready.index(name) else { return Ok(None) };
        if slot.get().is_none() {
            self.look()?;
        }
        Ok(slot.get_or_init(|| Index::of(self.picked.len(ready), |row| self.text(field, row))).as_ref())
    }

    /// The one whose age comes first by `better`.
    fn by_age(
        &self,
        field: &'static Field<F::Item>,
        superlative: &str,
        better: fn(SignedDuration, SignedDuration) -> bool,
    ) -> Result<Record<F>, Fault> {
        self.look()?;
        let mut best: Option<(u32, SignedDuration)> = None;
        let facts = self.asked.ready.facts();
        for (row, item) in self.items() {
            match (field.get)(item, facts) {
                Cell::Length(age) if best.is_none_or(|(_, so_far)| better(age, so_far)) => {
                    best = Some((row, age))
                }
                Cell::Length(_) => {}
                Cell::Fault(reason) => return Err(fault(reason)),
                _ => return Err(fault(format!("the age of some {} is missing", F::NAME))),
            }
        }
        best.map(|(row, _)| Record::new(Arc::clone(&self.asked), row))
            .ok_or_else(|| fault(format!("there is no {superlative} {}: ask `count` before", F::NAME)))
    }

    /// The integers of a field.
    fn integers(&self, field: &'static Field<F::Item>) -> Result<Vec<i64>, Fault> {
        self.look()?;
        let facts = self.asked.ready.facts();
        self.items()
            .map(|(_, item)| match (field.get)(item, facts) {
                Cell::Integer(number) => {
                    i64::try_from(number).map_err(|_| fault(format!("{number} is too large a number")))
                }
                Cell::Fault(reason) => Err(fault(reason)),
                _ => Err(fault(format!("`{}` of some {} is no integer", field.name, F::NAME))),
            })
            .collect()
    }

    /// The rows of each text or integer of a field.
    fn group(&self, field: &'static Field<F::Item>) -> Result<Dynamic, Fault> {
        self.look()?;
        let facts = self.asked.ready.facts();
        let mut texts: BTreeMap<Cow<'_, str>, Vec<u32>> = BTreeMap::new();
        let mut numbers: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
        for (row, item) in self.items() {
            match (field.get)(item, facts) {
                Cell::Text(text) => texts.entry(text).or_default().push(row),
                Cell::Integer(number) => numbers.entry(number).or_default().push(row),
                Cell::Fault(reason) => return Err(fault(reason)),
                _ => {
                    return Err(fault(format!(
                        "`group` is for texts and integers, and `{}` of some {} is none",
                        field.name,
                        F::NAME
                    )));
                }
            }
            if texts.len() + numbers.len() > MOST_GROUPS {
                return Err(fault(format!(
                    "`{}` has more than {MOST_GROUPS} values: narrow it by `where`",
                    field.name
                )));
            }
        }
        self.hand_over(texts.keys().map(|text| text.len()))?;
        let texts =
            texts.into_iter().map(|(text, rows)| (Dynamic::from(ImmutableString::from(text.as_ref())), rows));
        let numbers = numbers
            .into_iter()
            .map(|(number, rows)| (Dynamic::from_int(i64::try_from(number).unwrap_or(i64::MAX)), rows));
        let groups = texts.chain(numbers).map(|(value, rows)| {
            let rows = self.with(rows.into());
            Dynamic::from_map(Map::from([
                ("value".into(), value),
                ("count".into(), Dynamic::from_int(rows.count())),
                ("rows".into(), Dynamic::from(rows)),
            ]))
        });
        Ok(groups.collect::<Vec<_>>().into())
    }

    fn values(&self, field: &'static Field<F::Item>) -> Result<Dynamic, Fault> {
        let facts = self.asked.ready.facts();
        self.look()?;
        let mut seen: BTreeSet<Cow<'_, str>> = BTreeSet::new();
        for (_, item) in self.items() {
            let Cell::Text(text) = (field.get)(item, facts) else {
                return Err(fault(format!(
                    "`values` is for texts, and `{}` of some {} is none",
                    field.name,
                    F::NAME
                )));
            };
            seen.insert(text);
            if seen.len() > MOST_LISTED {
                return Err(fault(format!(
                    "`{}` has more than {MOST_LISTED} values: narrow it by `where`",
                    field.name
                )));
            }
        }
        self.hand_over(seen.iter().map(|text| text.len()))?;
        Ok(seen
            .into_iter()
            .map(|text| Dynamic::from(ImmutableString::from(text.as_ref())))
            .collect::<Vec<_>>()
            .into())
    }

    /// Counts texts of these lengths before a script gets them.
    fn hand_over(&self, lengths: impl Iterator<Item = usize>) -> Result<(), Fault> {
        let bytes: usize = lengths.sum();
        if bytes > MOST_CELL_BYTES {
            return Err(fault(format!(
                "a list of {bytes} bytes of text is more than {MOST_CELL_BYTES}: narrow it by `where`"
            )));
        }
        self.asked.copy(bytes as u64)
    }
}

/// From how many rows on an index pays.
const INDEXED_FROM: u32 = 64;

/// Groups that `group` hands over, whose maps all count towards the sandbox's limit.
const MOST_GROUPS: usize = 60;

/// Values that `values` hands over, well below the sandbox's limit for lists.
const MOST_LISTED: usize = 200;

impl<F: Fact> IntoIterator for Rows<F> {
    type Item = Record<F>;
    type IntoIter = Box<dyn Iterator<Item = Record<F>>>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new((0..self.picked.len(&self.asked.ready)).filter_map(move |at| {
            let row = self.picked.get(&self.asked.ready, at)?;
            Some(Record::new(Arc::clone(&self.asked), row))
        }))
    }
}

/// The field of this name; a fault that names the ones there are.
fn field<F: Fact>(name: &str) -> Result<(usize, &'static Field<F::Item>), Fault> {
    F::FIELDS.iter().enumerate().find(|(_, field)| field.name == name).ok_or_else(|| {
        let names: Vec<_> = F::FIELDS.iter().map(|field| format!("`{}`", field.name)).collect();
        fault(format!("a {} has no `{name}`; it has {}", F::NAME, names.join(", ")))
    })
}

/// Gives the engine the getters of a type of fact, and notes under which name each read counts.
pub(crate) fn register<F: Fact>(engine: &mut Engine, path: &str, names: &mut Vec<String>) {
    let base = names.len();
    // The list itself is a name too: that it is empty is a fact.
    names.push(path.to_owned());
    names.extend(F::FIELDS.iter().map(|field| format!("{path}.{}", field.name)));

    engine.register_type_with_name::<Record<F>>(F::NAME);
    for (at, field) in F::FIELDS.iter().enumerate() {
        engine.register_get(field.name, move |record: &mut Record<F>| -> Result<Dynamic, Fault> {
            record.asked.reads.note(base);
            record.asked.reads.note(base + 1 + at);
            record.get(field)
        });
    }

    engine.register_type_with_name::<Rows<F>>(&format!("list of {}", F::NAME));
    engine.register_get("count", move |rows: &mut Rows<F>| {
        rows.asked.reads.note(base);
        rows.count()
    });
    engine.register_get("first", move |rows: &mut Rows<F>| {
        rows.asked.reads.note(base);
        rows.first()
    });
    let test = move |rows: &mut Rows<F>, name: ImmutableString, word: ImmutableString, wanted: Dynamic| {
        let (at, field) = field::<F>(&name)?;
        rows.asked.reads.note(base);
        rows.asked.reads.note(base + 1 + at);
        rows.search((base + 1 + at, field), Test::of(&word).map_err(fault)?, &wanted)
    };
    engine.register_fn("where", test);
    engine.register_fn("take", move |rows: &mut Rows<F>, count: i64| {
        rows.asked.reads.note(base);
        rows.take(count)
    });
    let read = move |rows: &Rows<F>, name: &str| -> Result<&'static Field<F::Item>, Fault> {
        let (at, field) = field::<F>(name)?;
        rows.asked.reads.note(base);
        rows.asked.reads.note(base + 1 + at);
        Ok(field)
    };
    engine
        .register_fn("newest", move |rows: &mut Rows<F>| {
            rows.by_age(read(rows, "age")?, "newest", |age, so_far| age < so_far)
        })
        .register_fn("oldest", move |rows: &mut Rows<F>| {
            rows.by_age(read(rows, "age")?, "oldest", |age, so_far| age > so_far)
        })
        .register_fn("values", move |rows: &mut Rows<F>, name: ImmutableString| {
            rows.values(read(rows, &name)?)
        })
        .register_fn("group", move |rows: &mut Rows<F>, name: ImmutableString| rows.group(read(rows, &name)?))
        .register_fn("sum", move |rows: &mut Rows<F>, name: ImmutableString| {
            let numbers = rows.integers(read(rows, &name)?)?;
            let sum = numbers.iter().try_fold(0_i64, |sum, number| sum.checked_add(*number));
            sum.ok_or_else(|| fault(format!("the sum of `{name}` is too large a number")))
        });
    let of_some = |numbers: Vec<i64>, name: &str, pick: fn(&[i64]) -> Option<i64>| -> Result<i64, Fault> {
        pick(&numbers)
            .ok_or_else(|| fault(format!("there is no `{name}` in an empty list: ask `count` before")))
    };
    engine
        .register_fn("least", move |rows: &mut Rows<F>, name: ImmutableString| {
            of_some(rows.integers(read(rows, &name)?)?, &name, |numbers| numbers.iter().min().copied())
        })
        .register_fn("most", move |rows: &mut Rows<F>, name: ImmutableString| {
            of_some(rows.integers(read(rows, &name)?)?, &name, |numbers| numbers.iter().max().copied())
        })
        .register_fn("median", move |rows: &mut Rows<F>, name: ImmutableString| {
            let mut numbers = rows.integers(read(rows, &name)?)?;
            numbers.sort_unstable();
            of_some(numbers, &name, |numbers| numbers.get(numbers.len().saturating_sub(1) / 2).copied())
        });
    engine.register_iterator::<Rows<F>>();
}

#[cfg(test)]
mod tests;
