//! The other world: differs from the first in what one caller may not see, and in nothing else.
//!
//! Nothing is known here of rules. A change of the data is kept if the oracle says that the
//! caller sees the same as before.

use meshgate_oracle::{Caller, Row, Value};

use super::random::Random;
use super::sight::Oracle;
use super::tables::{Field, Kind, Table};
use super::world::World;

/// Changes that were kept: what they were.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Changes {
    pub(crate) cells: usize,
    pub(crate) masked_cells: usize,
    pub(crate) rows_gone: usize,
    pub(crate) rows_more: usize,
}

/// A world that looks the same to a caller. `callers`: as each domain knows it.
pub(crate) fn twin(
    world: &World,
    oracle: &Oracle,
    callers: &[Caller],
    random: &mut Random,
) -> (World, Changes) {
    let mut twin = world.clone();
    if let Some(damage) = &mut twin.damage {
        damage.row = random.below(1000);
        damage.text = random.below(1000);
    }
    let mut changes = Changes::default();
    for at in 0..twin.tables.len() {
        let mut table = twin.tables[at].clone();
        let mut kept = Changes::default();
        for file in 0..table.files.len() {
            let see = |rows: &[Row]| oracle.seen(callers, &world.tables[at], rows);
            let rows = std::mem::take(&mut table.files[file]);
            table.files[file] = rows_of(&table, rows, random, &see, &mut kept);
        }
        let before = oracle.seen(callers, &world.tables[at], &world.tables[at].rows());
        let after = oracle.seen(callers, &world.tables[at], &table.rows());
        assert_eq!(before, after, "a table is what its rows are, one by one");
        twin.tables[at] = table;
        changes.cells += kept.cells;
        changes.masked_cells += kept.masked_cells;
        changes.rows_gone += kept.rows_gone;
        changes.rows_more += kept.rows_more;
    }
    (twin, changes)
}

fn rows_of(
    table: &Table,
    rows: Vec<Vec<Value>>,
    random: &mut Random,
    see: &dyn Fn(&[Row]) -> String,
    kept: &mut Changes,
) -> Vec<Vec<Value>> {
    let nothing = see(&[]);
    let mut result = Vec::new();
    for row in rows {
        let seen = see(&[table.row(&row)]);
        let is_hidden = seen == nothing;
        if is_hidden && random.chance(15) {
            kept.rows_gone += 1;
            continue;
        }
        let mut changed = row;
        for (at, field) in table.fields.iter().enumerate() {
            let new = other(random, field, &changed[at]);
            let old = std::mem::replace(&mut changed[at], new);
            if format!("{old:?}") != format!("{:?}", changed[at]) && see(&[table.row(&changed)]) == seen {
                kept.cells += 1;
                kept.masked_cells += usize::from(!is_hidden);
            } else {
                changed[at] = old;
            }
        }
        result.push(changed);
        if random.chance(15) {
            let new: Vec<Value> = table.fields.iter().map(|field| field.cell(random)).collect();
            if see(&[table.row(&new)]) == nothing {
                kept.rows_more += 1;
                result.insert(random.below(result.len() + 1), new);
            }
        }
    }
    result
}

/// Another cell: any, or one that a mask may show in the same way.
fn other(random: &mut Random, field: &Field, old: &Value) -> Value {
    if field.required && random.chance(5) {
        // A promise that is broken where nobody sees it.
        return Value::Null;
    }
    match (old, field.kind) {
        (Value::Text(text), Kind::Text) if random.chance(60) => Value::Text(disguised(random, text)),
        (Value::Date(days), _) if random.chance(60) => Value::Date(days + within(random, 20)),
        (Value::Timestamp(micros), _) if random.chance(60) => {
            Value::Timestamp(micros + i64::from(within(random, 20)) * 3_600_000_000)
        }
        // One field of a struct, as where only that one is masked.
        (Value::Struct(fields), Kind::Rare(rare)) if random.chance(70) => {
            let mut fields = fields.clone();
            let at = random.below(fields.len());
            if let Value::Struct(others) = rare.value(random) {
                fields[at] = others[at].clone();
            }
            Value::Struct(fields)
        }
        _ => field.cell(random),
    }
}

fn within(random: &mut Random, span: i64) -> i32 {
    i32::try_from(random.between(-span, span)).unwrap()
}

/// As long, with the same first or last characters.
fn disguised(random: &mut Random, text: &str) -> String {
    let (first, last) = random.pick(&[(0, 2), (0, 1), (1, 0), (2, 0), (1, 2)]);
    let length = text.chars().count();
    let letter = random.pick(&['q', 'w', '7', 'é']);
    let shown = |at: usize| at < first || at + last >= length;
    text.chars().enumerate().map(|(at, old)| if shown(at) { old } else { letter }).collect()
}
