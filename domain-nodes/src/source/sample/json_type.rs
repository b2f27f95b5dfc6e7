//! The type that all values of a JSON key have. What is written in quotes is a
//! text or a time, whatever it looks like: that is how the reader takes it.

use std::collections::BTreeMap;

use meshgate_policies::DataType;
use meshgate_policies::data_type::Field;
use meshgate_policies::names::is_name;
use serde_json::value::RawValue;

use super::text_type::TextType;

/// Deepest lists and objects in one another that a type is proposed for.
const DEPTH_MAX: usize = 16;

/// What the values so far are.
#[derive(Debug, Default)]
pub(super) enum JsonType {
    /// Nothing but NULL.
    #[default]
    Unknown,
    Boolean,
    Number(TextType),
    Text(TextType),
    List(Box<JsonType>),
    Object(BTreeMap<String, JsonType>),
    /// No type of a contract holds them, for this reason.
    Impossible(&'static str),
}

impl JsonType {
    /// Takes in one value as it is written.
    pub(super) fn look(&mut self, json: &str) {
        self.look_below(json, 0);
    }

    fn look_below(&mut self, json: &str, depth: usize) {
        if json == "null" {
            return;
        }
        if depth > DEPTH_MAX {
            *self = Self::Impossible("a value that is nested this deep");
        }
        if matches!(self, Self::Unknown) {
            *self = Self::of_kind(json);
        }
        if !self.take(json, depth) && !matches!(self, Self::Impossible(_)) {
            *self = Self::Impossible("a mixture of kinds of values");
        }
    }

    fn of_kind(json: &str) -> Self {
        match json.as_bytes().first() {
            Some(b't' | b'f') => Self::Boolean,
            Some(b'"') => Self::Text(TextType::default()),
            Some(b'[') => Self::List(Box::default()),
            Some(b'{') => Self::Object(BTreeMap::new()),
            _ => Self::Number(TextType::default()),
        }
    }

    /// Takes in a value of the same kind; `false` if it is of another one.
    fn take(&mut self, json: &str, depth: usize) -> bool {
        match (self, json.as_bytes().first()) {
            (Self::Boolean, Some(b't' | b'f')) => {}
            (Self::Number(digits), Some(b'-' | b'0'..=b'9')) => digits.look(json),
            (Self::Text(text_type), Some(b'"')) => {
                let Ok(text) = serde_json::from_str::<String>(json) else { return false };
                text_type.look(&text);
            }
            (Self::List(element), Some(b'[')) => {
                let Ok(elements) = serde_json::from_str::<Vec<&RawValue>>(json) else { return false };
                elements.iter().for_each(|value| element.look_below(value.get(), depth + 1));
            }
            (Self::Object(fields), Some(b'{')) => {
                let Ok(values) = serde_json::from_str::<BTreeMap<String, &RawValue>>(json) else {
                    return false;
                };
                for (name, value) in values {
                    fields.entry(name).or_default().look_below(value.get(), depth + 1);
                }
            }
            _ => return false,
        }
        true
    }

    /// The type of a contract, or what no type holds.
    pub(super) fn data_type(&self) -> Result<DataType, String> {
        Ok(match self {
            Self::Unknown => DataType::Text,
            Self::Boolean => DataType::Boolean,
            Self::Number(digits) => digits.data_type(),
            Self::Text(text_type) => match text_type.data_type() {
                time @ (DataType::Date | DataType::Time | DataType::Timestamp { .. }) => time,
                _ => DataType::Text,
            },
            Self::List(element) => DataType::List(Box::new(field("item", element)?)),
            Self::Object(fields) if fields.is_empty() => return Err("an object without fields".to_owned()),
            Self::Object(fields) => {
                // Fields cannot be renamed.
                if let Some(name) = fields.keys().find(|name| !is_name(name)) {
                    return Err(format!("an object with a field `{name}`"));
                }
                let fields = fields.iter().map(|(name, json_type)| field(name, json_type));
                DataType::Struct(fields.collect::<Result<_, _>>()?)
            }
            Self::Impossible(reason) => return Err((*reason).to_owned()),
        })
    }
}

fn field(name: &str, json_type: &JsonType) -> Result<Field, String> {
    Ok(Field { name: name.to_owned(), data_type: json_type.data_type()?, nullable: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> Result<String, String> {
        let mut json_type = JsonType::default();
        values.iter().for_each(|json| json_type.look(json));
        json_type.data_type().map(|data_type| data_type.to_string())
    }

    #[test]
    fn values_have_the_narrowest_type_that_the_reader_takes_them_for() {
        for (values, expected) in [
            (&["1", "-20", "null"][..], "int64"),
            (&["1", "2.50"], "decimal(18,2)"),
            (&["1e3"], "float64"),
            (&["true", "false"], "boolean"),
            (&["\"2026-01-31\""], "date"),
            (&["\"2026-01-31T10:00:00Z\""], "timestamp(us,UTC)"),
            (&["\"1\"", "\"2\""], "text"),
            (&["\"true\""], "text"),
            (&["\"1.50\""], "text"),
            (&["null"], "text"),
            (&[], "text"),
        ] {
            assert_eq!(of(values).as_deref(), Ok(expected), "{values:?}");
        }
        let nested = of(&["{\"a\":[1,2],\"b\":null}", "{\"b\":\"x\",\"c\":true}"]).unwrap();
        for part in ["a", "int64", "b", "text", "c", "boolean"] {
            assert!(nested.contains(part), "{nested}");
        }
    }

    #[test]
    fn what_no_type_holds_is_told() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        for (values, expected) in [
            (&["1", "\"1\""][..], "a mixture of kinds of values"),
            (&["true", "1"], "a mixture of kinds of values"),
            (&["[1, \"x\"]"], "a mixture of kinds of values"),
            (&["{}"], "an object without fields"),
            (&["{\"A-B\": 1}"], "an object with a field `A-B`"),
            (&[&deep], "a value that is nested this deep"),
        ] {
            assert_eq!(of(values).unwrap_err(), expected);
        }
    }
}
