//! Reads the canonical text of a type back. Strict: exactly what `Display`
//! writes, nothing more, nested at most 16 levels deep.

use std::str::FromStr;

use crate::data_type::{DataType, Field, TimeUnit};

const MAX_DEPTH: usize = 16;
const MAX_BYTES: usize = 64 * 1024;

/// A text that is not the canonical text of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a type")]
pub struct NotAType;

impl FromStr for DataType {
    type Err = NotAType;

    fn from_str(text: &str) -> Result<Self, NotAType> {
        if text.len() > MAX_BYTES {
            return Err(NotAType);
        }
        let mut reader = TypeReader { rest: text };
        let data_type = reader.data_type(0)?;
        // Canonical means that there is one text per type: no `+1`, no leading zeros.
        if !reader.rest.is_empty() || data_type.to_string() != text {
            return Err(NotAType);
        }
        Ok(data_type)
    }
}

struct TypeReader<'a> {
    rest: &'a str,
}

impl<'a> TypeReader<'a> {
    fn data_type(&mut self, depth: usize) -> Result<DataType, NotAType> {
        if depth > MAX_DEPTH {
            return Err(NotAType);
        }
        Ok(match self.word() {
            "boolean" => DataType::Boolean,
            "int8" => DataType::Int8,
            "int16" => DataType::Int16,
            "int32" => DataType::Int32,
            "int64" => DataType::Int64,
            "uint8" => DataType::UInt8,
            "uint16" => DataType::UInt16,
            "uint32" => DataType::UInt32,
            "uint64" => DataType::UInt64,
            "float32" => DataType::Float32,
            "float64" => DataType::Float64,
            "text" => DataType::Text,
            "binary" => DataType::Binary,
            "date" => DataType::Date,
            "time" => DataType::Time,
            "decimal" => self.decimal()?,
            "timestamp" => self.timestamp()?,
            "list" => self.list(depth)?,
            "struct" => self.fields(depth)?,
            _ => return Err(NotAType),
        })
    }

    fn decimal(&mut self) -> Result<DataType, NotAType> {
        self.expect('(')?;
        let precision: u8 = self.until(',')?.parse().map_err(|_| NotAType)?;
        let scale: u8 = self.until(')')?.parse().map_err(|_| NotAType)?;
        if precision == 0 || precision > 38 || scale > precision {
            return Err(NotAType);
        }
        Ok(DataType::Decimal { precision, scale })
    }

    fn timestamp(&mut self) -> Result<DataType, NotAType> {
        self.expect('(')?;
        let inside = self.until(')')?;
        let (unit, zone) = match inside.split_once(',') {
            Some((_, "")) => return Err(NotAType),
            Some((unit, zone)) => (unit, Some(zone.to_owned())),
            None => (inside, None),
        };
        let unit = match unit {
            "s" => TimeUnit::Second,
            "ms" => TimeUnit::Millisecond,
            "us" => TimeUnit::Microsecond,
            "ns" => TimeUnit::Nanosecond,
            _ => return Err(NotAType),
        };
        Ok(DataType::Timestamp { unit, zone })
    }

    fn list(&mut self, depth: usize) -> Result<DataType, NotAType> {
        self.expect('<')?;
        let element = self.field("item".to_owned(), depth)?;
        self.expect('>')?;
        Ok(DataType::List(Box::new(element)))
    }

    fn fields(&mut self, depth: usize) -> Result<DataType, NotAType> {
        self.expect('<')?;
        let mut fields = Vec::new();
        while !self.accept('>') {
            if !fields.is_empty() {
                self.expect(',')?;
            }
            let name = self.name()?;
            self.expect(':')?;
            fields.push(self.field(name, depth)?);
        }
        Ok(DataType::Struct(fields))
    }

    fn field(&mut self, name: String, depth: usize) -> Result<Field, NotAType> {
        let data_type = self.data_type(depth + 1)?;
        let nullable = !self.accept('!');
        Ok(Field { name, data_type, nullable })
    }

    fn name(&mut self) -> Result<String, NotAType> {
        if !self.accept('"') {
            return Ok(self.word().to_owned());
        }
        let mut name = self.until('"')?.to_owned();
        while self.accept('"') {
            name.push('"');
            name.push_str(self.until('"')?);
        }
        Ok(name)
    }

    fn word(&mut self) -> &'a str {
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn until(&mut self, end: char) -> Result<&'a str, NotAType> {
        let (inside, rest) = self.rest.split_once(end).ok_or(NotAType)?;
        self.rest = rest;
        Ok(inside)
    }

    fn accept(&mut self, expected: char) -> bool {
        match self.rest.strip_prefix(expected) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, expected: char) -> Result<(), NotAType> {
        if self.accept(expected) { Ok(()) } else { Err(NotAType) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, data_type: DataType, nullable: bool) -> Field {
        Field { name: name.into(), data_type, nullable }
    }

    #[test]
    fn every_type_comes_back() {
        let zoned = DataType::Timestamp { unit: TimeUnit::Microsecond, zone: Some("Europe/Berlin".into()) };
        let nested = DataType::Struct(vec![
            field("a", DataType::Decimal { precision: 12, scale: 2 }, false),
            field("odd \"name\":int8>,", zoned.clone(), true),
            field("", DataType::List(Box::new(field("item", DataType::Struct(vec![]), false))), true),
        ]);
        let plain = ["boolean", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"];
        let other =
            ["float32", "float64", "text", "binary", "date", "time", "decimal(38,0)", "decimal(38,38)"];
        let clocks = ["timestamp(s)", "timestamp(ms)", "timestamp(us)", "timestamp(ns)", "timestamp(s,UTC)"];
        for text in plain.iter().chain(&other).chain(&clocks) {
            assert_eq!(text.parse::<DataType>().unwrap().to_string(), *text);
        }
        for data_type in [zoned, nested] {
            assert_eq!(data_type.to_string().parse(), Ok(data_type));
        }
    }

    #[test]
    fn nothing_else_is_a_type() {
        let deep = format!("{}text{}", "list<".repeat(18), ">".repeat(18));
        let wrong = [
            "",
            "Text",
            "text ",
            "decimal(39,0)",
            "decimal(5,6)",
            "decimal(0,0)",
            "decimal(+5,2)",
            "decimal(05,2)",
            "timestamp(us,)",
            "timestamp(m)",
            "list<text",
            "struct<a:text,>",
            "struct<a text>",
            "struct<\"a\":text>",
            &deep,
        ];
        for text in wrong {
            assert_eq!(text.parse::<DataType>(), Err(NotAType), "{text}");
        }
        let allowed = format!("{}text{}", "list<".repeat(16), ">".repeat(16));
        assert!(allowed.parse::<DataType>().is_ok());
        // `struct<..:text>` around a name.
        let named = |bytes: usize| format!("struct<{}:text>", "n".repeat(bytes - "struct<:text>".len()));
        assert!(named(65_536).parse::<DataType>().is_ok());
        for bytes in [65_537, 65_538] {
            assert_eq!(named(bytes).parse::<DataType>(), Err(NotAType), "{bytes}");
        }
    }
}
