//! Bytes to lines, and lines to objects whose values are still texts: a number
//! keeps every digit that it was written with.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufRead as _, BufReader, Read};

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::source::error::SourceError;
use crate::source::files::{FileSet, PinnedFile};
use crate::source::input::explained;
use crate::source::rows::{MAX_ROW_BYTES, malformed};

const BUFFER_BYTES: usize = 128 * 1024;

/// Why a line is no row.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    #[error("the line is too long")]
    TooLong,
    #[error("the line is not UTF-8")]
    NotUtf8,
    /// The parser's text could quote a key of the row, so it is left out.
    #[error("the line is not one JSON object with different keys (at character {0})")]
    NotAnObject(usize),
    #[error("the file cannot be read")]
    Io(#[source] io::Error),
}

/// Lines with something in them, one after the other.
#[derive(Debug)]
pub(super) struct LineReader<R> {
    input: BufReader<R>,
    line: Vec<u8>,
    rows: u64,
    lines: u64,
}

impl<R: Read> LineReader<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input: BufReader::with_capacity(BUFFER_BYTES, input), line: Vec::new(), rows: 0, lines: 0 }
    }

    /// Row and line that were begun last, from 1.
    pub(super) fn at(&self) -> (u64, u64) {
        (self.rows, self.lines)
    }

    /// The file behind the reader.
    pub(super) fn input(&self) -> &R {
        self.input.get_ref()
    }

    /// Goes to the next line that is not blank; `false` at the end of the file.
    pub(super) fn advance(&mut self) -> Result<bool, LineError> {
        loop {
            self.line.clear();
            // One byte more than a line may have, besides its end.
            let bound = u64::try_from(MAX_ROW_BYTES).unwrap_or(u64::MAX).saturating_add(2);
            let read = self.input.by_ref().take(bound).read_until(b'\n', &mut self.line);
            if read.map_err(LineError::Io)? == 0 {
                return Ok(false);
            }
            self.lines += 1;
            if !self.line.iter().all(u8::is_ascii_whitespace) {
                self.rows += 1;
                return Ok(true);
            }
        }
    }

    /// The line without its end.
    pub(super) fn text(&self) -> Result<&str, LineError> {
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        if line.len() > MAX_ROW_BYTES {
            return Err(LineError::TooLong);
        }
        std::str::from_utf8(line).map_err(|_| LineError::NotUtf8)
    }
}

/// What a bad row means for the query.
pub(super) fn bad_row(files: &FileSet, file: &PinnedFile, at: (u64, u64), error: LineError) -> SourceError {
    match error {
        LineError::Io(cause) => explained(&files.table, cause),
        LineError::TooLong => {
            malformed(files, file, at, &error);
            SourceError::RowTooLong { table: files.table.clone(), row: at.0, limit: MAX_ROW_BYTES }
        }
        _ => malformed(files, file, at, &error),
    }
}

/// An object with different keys, whose values are not looked into yet.
#[derive(Debug)]
pub(super) struct Object<'a>(BTreeMap<Cow<'a, str>, &'a RawValue>);

impl<'a> Object<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, LineError> {
        serde_json::from_str(text).map_err(|error| LineError::NotAnObject(error.column()))
    }

    pub(super) fn get(&self, key: &str) -> Option<&'a str> {
        self.0.get(key).map(|value| value.get())
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(AsRef::as_ref)
    }
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Pairs)
    }
}

struct Pairs;

impl<'de> Visitor<'de> for Pairs {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = BTreeMap::new();
        while let Some(Key(key)) = map.next_key()? {
            // Twice in one object: which of them counts?
            if pairs.insert(key, map.next_value()?).is_some() {
                return Err(A::Error::custom("a key is there twice"));
            }
        }
        Ok(Object(pairs))
    }
}

/// A key, borrowed where it has no escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Cow<'de, str>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(text))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(text.to_owned()))
            }
        }
        deserializer.deserialize_str(Text).map(Key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_one_by_one_and_blank_ones_are_none() {
        let mut lines = LineReader::new("{}\n\n  \r\n{\"a\":1}\r\n{\"b\":2}".as_bytes());
        for (text, at) in [("{}", (1, 1)), ("{\"a\":1}\r", (2, 4)), ("{\"b\":2}", (3, 5))] {
            assert!(lines.advance().unwrap());
            assert_eq!((lines.text().unwrap(), lines.at()), (text, at));
        }
        assert!(!lines.advance().unwrap());
    }

    #[test]
    fn a_line_up_to_the_bound_is_read_and_a_longer_one_is_not() {
        let longest = format!("{}\n{{}}", "x".repeat(MAX_ROW_BYTES));
        let mut lines = LineReader::new(longest.as_bytes());
        assert!(lines.advance().unwrap());
        assert_eq!(lines.text().unwrap().len(), MAX_ROW_BYTES);
        assert!(lines.advance().unwrap());
        assert_eq!(lines.text().unwrap(), "{}");
        let longer = "x".repeat(10 * MAX_ROW_BYTES);
        let mut lines = LineReader::new(longer.as_bytes());
        assert!(lines.advance().unwrap() && matches!(lines.text(), Err(LineError::TooLong)));
        let mut lines = LineReader::new(&b"\xff\n"[..]);
        assert!(lines.advance().unwrap() && matches!(lines.text(), Err(LineError::NotUtf8)));
    }

    #[test]
    fn an_object_keeps_its_values_as_they_were_written() {
        let object = Object::parse(r#" {"a": 12.10, "\u0062":"x", "c": {"d": [1, 2]}} "#).unwrap();
        assert_eq!(object.get("a"), Some("12.10"));
        assert_eq!(object.get("b"), Some("\"x\""));
        assert_eq!(object.get("c"), Some(r#"{"d": [1, 2]}"#));
        assert_eq!(object.get("d"), None);
    }

    #[test]
    fn what_is_not_one_object_with_different_keys_is_refused() {
        for text in
            ["", "1", "[]", "null", "{", r#"{"a":1,"a":2}"#, r#"{"a":1,"\u0061":2}"#, "{} {}", "{'a':1}"]
        {
            assert!(matches!(Object::parse(text), Err(LineError::NotAnObject(_))), "{text}");
        }
    }

    #[test]
    fn deep_nesting_is_no_danger() {
        let text = format!("{{\"a\":{}{}}}", "[".repeat(400_000), "]".repeat(400_000));
        assert_eq!(Object::parse(&text).unwrap().get("a").map(str::len), Some(800_000));
    }
}
