//! Masks of a column, as a whole or of the fields inside it.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::cells::{glob, selects as selects_column};
use crate::documents::Column;
use crate::value::Value;

/// What one rule, or several, put on a column: nothing, a mask of the whole, or masks of some fields by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Masks {
    pub(crate) whole: Option<Json>,
    pub(crate) fields: BTreeMap<String, Json>,
}

impl Masks {
    pub(crate) fn is_raw(&self) -> bool {
        *self == Self::default()
    }

    /// Each mask changed, with the name of its field.
    pub(crate) fn map(self, change: impl Fn(Json, Option<&str>) -> Json) -> Self {
        let fields = self.fields.into_iter().map(|(name, mask)| {
            let mask = change(mask, Some(&name));
            (name, mask)
        });
        Self { whole: self.whole.map(|mask| change(mask, None)), fields: fields.collect() }
    }

    /// Both. Two different masks never combine, but those of different fields stand side by side.
    pub(crate) fn and(mut self, other: Self) -> Self {
        if other.is_raw() || self == other {
            return self;
        }
        if self.is_raw() {
            return other;
        }
        if self.whole.is_some() || other.whole.is_some() {
            return Self { whole: Some(Json::from("redact")), fields: BTreeMap::new() };
        }
        for (name, mask) in other.fields {
            let both = match self.fields.get(&name) {
                Some(own) if *own != mask => Json::from("redact"),
                _ => mask,
            };
            self.fields.insert(name, both);
        }
        self
    }
}

pub(crate) fn named<'a>(column: &'a Column, field: &str) -> &'a Column {
    column.fields.iter().find(|own| own.name == field).expect("a field of the column")
}

/// Does it select this field of `column`? By a name or glob with a dot, or by the field's marks.
pub(crate) fn selects(columns: &Json, column: &Column, field: &Column) -> bool {
    match columns {
        Json::Array(patterns) => patterns.iter().any(|pattern| names(pattern.as_str(), column, field)),
        by => selects_column(by, field),
    }
}

fn names(pattern: Option<&str>, column: &Column, field: &Column) -> bool {
    let pattern = pattern.expect("a name");
    pattern.contains('.') && glob(pattern, &format!("{}.{}", column.name, field.name))
}

/// The masks that a grant puts on a column that it lists.
pub(crate) fn of_grant(grant: &Json, column: &Column) -> Masks {
    let written = grant["masks"].as_object();
    // A name goes before a glob.
    let find = |name: &str, fits: &dyn Fn(&str) -> bool| {
        let by_glob = || written?.iter().find(|(pattern, _)| fits(pattern)).map(|(_, mask)| mask);
        written?.get(name).or_else(by_glob).cloned()
    };
    let whole = find(&column.name, &|pattern| glob(pattern, &column.name));
    let mut fields = BTreeMap::new();
    for field in &column.fields {
        let own =
            find(&format!("{}.{}", column.name, field.name), &|pattern| names(Some(pattern), column, field));
        // By marks a grant may list a column, and not each of its fields.
        let is_left_out = grant["columns"].is_object() && !selects_column(&grant["columns"], field);
        if let Some(mask) = if is_left_out { Some(Json::from("nullify")) } else { own } {
            if is_left_out && whole.is_some() {
                return Masks { whole: Some(mask), fields: BTreeMap::new() };
            }
            fields.insert(field.name.clone(), mask);
        }
    }
    Masks { whole, fields }
}

/// The masks that a restriction puts on a column.
pub(crate) fn of_restriction(rule: &Json, column: &Column) -> Masks {
    if selects_column(&rule["columns"], column) {
        return Masks { whole: Some(rule["mask"].clone()), fields: BTreeMap::new() };
    }
    let selected = column.fields.iter().filter(|field| selects(&rule["columns"], column, field));
    let fields = selected.map(|field| (field.name.clone(), rule["mask"].clone())).collect();
    Masks { whole: None, fields }
}

/// `raw` with its fields masked: in a struct, or in each struct of a list. One that is NULL stays NULL.
pub(crate) fn masked(
    raw: &Value,
    column: &Column,
    masks: &BTreeMap<String, Json>,
    mask: &dyn Fn(&Json, &Column, &Value) -> Value,
) -> Value {
    match raw {
        Value::Struct(fields) => {
            let shown = |(name, raw): &(String, Value)| {
                let shown =
                    masks.get(name).map_or_else(|| raw.clone(), |by| mask(by, named(column, name), raw));
                (name.clone(), shown)
            };
            Value::Struct(fields.iter().map(shown).collect())
        }
        Value::List(items) if !masks.is_empty() => {
            Value::List(items.iter().map(|item| masked(item, column, masks, mask)).collect())
        }
        other => other.clone(),
    }
}
