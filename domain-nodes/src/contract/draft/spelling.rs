//! Types as contracts spell them, and texts as YAML does.

use std::fmt::Write as _;

use meshgate_policies::DataType;
use meshgate_policies::data_type::TimeUnit;

/// The lines that say a property's type, each behind `indent` spaces.
pub(super) fn type_lines(data_type: &DataType, indent: usize) -> String {
    let pad = " ".repeat(indent);
    let (logical, physical) = spelled(data_type);
    let mut lines = format!("{pad}logicalType: {logical}\n");
    if let Some(physical) = physical {
        let _ = writeln!(lines, "{pad}physicalType: {}", scalar(&physical));
    }
    match data_type {
        DataType::Timestamp { unit, zone: Some(zone) } if *unit != TimeUnit::Microsecond || zone != "UTC" => {
            let _ = writeln!(
                lines,
                "{pad}logicalTypeOptions: {{ timezone: true, defaultTimezone: {} }}",
                scalar(zone)
            );
        }
        DataType::List(element) => {
            let _ = writeln!(lines, "{pad}items:");
            lines += &type_lines(&element.data_type, indent + 2);
        }
        DataType::Struct(fields) => {
            let _ = writeln!(lines, "{pad}properties:");
            for field in fields {
                let _ = writeln!(lines, "{pad}  - name: {}", scalar(&field.name));
                lines += &type_lines(&field.data_type, indent + 4);
            }
        }
        _ => {}
    }
    lines
}

/// `logicalType`, and `physicalType` where the logical one alone means another type.
fn spelled(data_type: &DataType) -> (&'static str, Option<String>) {
    let (logical, physical) = match data_type {
        DataType::Boolean => ("boolean", ""),
        DataType::Int8 => ("integer", "tinyint"),
        DataType::Int16 => ("integer", "smallint"),
        DataType::Int32 => ("integer", "int"),
        DataType::Int64 => ("integer", ""),
        DataType::UInt8 => ("integer", "uint8"),
        DataType::UInt16 => ("integer", "uint16"),
        DataType::UInt32 => ("integer", "uint32"),
        DataType::UInt64 => ("integer", "uint64"),
        DataType::Float32 => ("number", "float"),
        DataType::Float64 => ("number", ""),
        DataType::Decimal { precision, scale } => {
            return ("number", Some(format!("decimal({precision},{scale})")));
        }
        DataType::Text => ("string", ""),
        DataType::Binary => ("string", "binary"),
        DataType::Date => ("date", ""),
        DataType::Time => ("time", ""),
        DataType::Timestamp { unit, zone } => ("timestamp", timestamp(*unit, zone.as_deref())),
        DataType::List(_) => ("array", ""),
        DataType::Struct(_) => ("object", ""),
    };
    (logical, (!physical.is_empty()).then(|| physical.to_owned()))
}

fn timestamp(unit: TimeUnit, zone: Option<&str>) -> &'static str {
    match (unit, zone) {
        (TimeUnit::Microsecond, Some("UTC")) => "timestamptz",
        (TimeUnit::Microsecond, _) => "",
        (TimeUnit::Second, _) => "timestamp_s",
        (TimeUnit::Millisecond, _) => "timestamp_ms",
        (TimeUnit::Nanosecond, _) => "timestamp_ns",
    }
}

/// A text as a YAML value: plain if it can be nothing else.
pub(super) fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | '.' | '-');
    let word = text.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '.'));
    let reserved = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let is_plain = word
        && text.chars().all(plain)
        && text.chars().any(|c| c.is_ascii_alphabetic())
        && !reserved.contains(&text.to_ascii_lowercase().as_str());
    if is_plain {
        return text.to_owned();
    }
    // Only double quotes can hold line breaks and other controls.
    if text.chars().any(char::is_control) {
        let escaped = text.chars().map(|c| match c {
            '"' | '\\' => format!("\\{c}"),
            c if c.is_control() => format!("\\u{:04x}", u32::from(c)),
            c => c.to_string(),
        });
        return format!("\"{}\"", escaped.collect::<String>());
    }
    format!("'{}'", text.replace('\'', "''"))
}
