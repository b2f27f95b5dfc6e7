//! JSON objects from strangers: bounded in depth, and with each name once.
//!
//! Of two entries of the same name other parsers take the first or the last;
//! a token that two parsers read differently is refused.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

/// Deepest nesting of arrays and objects.
const DEPTH_MAX: usize = 16;

/// The object in `bytes`, if it is one and nothing in it is ambiguous.
pub(super) fn object(bytes: &[u8]) -> Option<Map<String, Value>> {
    if !depth_is_bounded(bytes) {
        return None;
    }
    match serde_json::from_slice::<Unambiguous>(bytes) {
        Ok(Unambiguous(Value::Object(object))) => Some(object),
        _ => None,
    }
}

/// Counts brackets outside strings, before anything is parsed.
fn depth_is_bounded(bytes: &[u8]) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            return false;
        }
    }
    true
}

/// A value in which no object has two entries of the same name.
struct Unambiguous(Value);

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor).map(Self)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Unambiguous(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Unambiguous(value))) = entries.next_entry::<String, Unambiguous>()? {
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a name is there twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_nesting_is_bounded() {
        assert!(object(br#"{"a":1,"b":{"a":[1,2]}}"#).is_some());
        assert!(object(br#"{"a":"]]]]]]]]]]]]]]]]]]]]]]\"{{{{{{{{{{{{{{{{{{{{{{{"}"#).is_some());
        assert!(object(br#"{"a":1,"a":2}"#).is_none());
        assert!(object(br#"{"a":1,"\u0061":2}"#).is_none());
        assert!(object(br#"{"a":{"b":1,"b":2}}"#).is_none());
        assert!(object(br#"{"a":[{"b":1,"b":2}]}"#).is_none());
        let mixed = br#"{"a":null,"b":[true,-1,18446744073709551615,1.5,"x"],"c":{"a":{}}}"#;
        assert_eq!(object(mixed), serde_json::from_slice(mixed).ok());
        assert!(object(b"[]").is_none());
        assert!(object(br#"{"a":1} {}"#).is_none());
        assert!(object(b"").is_none());
        let nested = |depth| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth)).into_bytes();
        assert!(object(&nested(15)).is_some());
        assert!(object(&nested(16)).is_none());
        assert!(object(&nested(200)).is_none());
    }
}
