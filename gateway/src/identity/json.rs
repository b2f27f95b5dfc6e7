//! JSON objects from strangers: bounded in depth, and with each name once.
//!
//! Of two entries of the same name other parsers take the first or the last;
//! a token that two parsers read differently is refused.

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::{Map, Value};

/// Deepest nesting of arrays and objects.
const DEPTH_MAX: usize = 16;

/// The object in `bytes`, if it is one and nothing in it is ambiguous.
pub(super) fn object(bytes: &[u8]) -> Option<Map<String, Value>> {
    if !depth_is_bounded(bytes) {
        return None;
    }
    serde_json::from_slice::<UniqueNames>(bytes).ok().map(|object| object.0)
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

/// An object without two top-level entries of the same name.
struct UniqueNames(Map<String, Value>);

impl<'de> Deserialize<'de> for UniqueNames {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = UniqueNames;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<UniqueNames, A::Error> {
                let mut object = Map::new();
                while let Some((name, value)) = entries.next_entry::<String, Value>()? {
                    if object.insert(name, value).is_some() {
                        return Err(A::Error::custom("a name is there twice"));
                    }
                }
                Ok(UniqueNames(object))
            }
        }
        deserializer.deserialize_map(Names)
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
        assert!(object(b"[]").is_none());
        assert!(object(br#"{"a":1} {}"#).is_none());
        assert!(object(b"").is_none());
        let nested = |depth| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth)).into_bytes();
        assert!(object(&nested(15)).is_some());
        assert!(object(&nested(16)).is_none());
        assert!(object(&nested(200)).is_none());
    }
}
