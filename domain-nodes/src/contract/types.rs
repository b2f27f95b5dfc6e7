//! Which type a property has: `logicalType` and `physicalType` to a type of
//! Meshgate. The rows below are the whole mapping, and the table in
//! `docs/contracts.md` is generated from them.

use meshgate_policies::DataType;
use meshgate_policies::data_type::TimeUnit;

/// What a row of the mapping gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Boolean,
    Int8,
    Int16,
    Int32,
    Int64,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
    Float32,
    Float64,
    /// Precision and scale from the physical type or from `logicalTypeOptions`.
    Decimal,
    Text,
    Binary,
    Date,
    Time,
    /// A zone if `logicalTypeOptions.timezone` is true.
    Timestamp(TimeUnit),
    /// Always with a zone.
    Instant,
}

/// One row: these physical types under that logical type give the target.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) logical: &'static str,
    /// Without arguments; the first one in the documentation. Empty: no physical type.
    pub(super) physical: &'static [&'static str],
    pub(super) target: Target,
}

const fn row(logical: &'static str, physical: &'static [&'static str], target: Target) -> Row {
    Row { logical, physical, target }
}

pub(super) const ROWS: &[Row] = &[
    row(
        "string",
        &[
            "",
            "string",
            "text",
            "varchar",
            "char",
            "character varying",
            "character",
            "nvarchar",
            "nchar",
            "varchar2",
            "bpchar",
            "clob",
            "utf8",
            "uuid",
            "json",
            "jsonb",
            "enum",
            "citext",
        ],
        Target::Text,
    ),
    row("string", &["binary", "varbinary", "bytea", "blob", "bytes"], Target::Binary),
    row("boolean", &["", "boolean", "bool"], Target::Boolean),
    row("integer", &["", "bigint", "int64", "long"], Target::Int64),
    row("integer", &["integer", "int", "int32", "int4"], Target::Int32),
    row("integer", &["smallint", "int16", "int2", "short"], Target::Int16),
    row("integer", &["tinyint", "byte"], Target::Int8),
    row("integer", &["uint64", "ubigint"], Target::UInt64),
    row("integer", &["uint32", "uinteger"], Target::UInt32),
    row("integer", &["uint16", "usmallint"], Target::UInt16),
    row("integer", &["uint8", "utinyint"], Target::UInt8),
    row("integer", &["decimal", "numeric", "number"], Target::Decimal),
    row("number", &["", "double", "double precision", "float64", "float8"], Target::Float64),
    row("number", &["float", "real", "float32", "float4"], Target::Float32),
    row("number", &["decimal", "numeric", "number"], Target::Decimal),
    row("number", &["bigint", "int64", "long"], Target::Int64),
    row("number", &["integer", "int", "int32", "int4"], Target::Int32),
    row("number", &["smallint", "int16", "int2", "short"], Target::Int16),
    row("date", &["", "date", "date32"], Target::Date),
    // Before 3.1 the standard had neither timestamps nor times.
    row(
        "date",
        &["timestamp", "timestamp_us", "timestamp without time zone", "timestamp_ntz", "datetime"],
        Target::Timestamp(TimeUnit::Microsecond),
    ),
    row("date", &["timestamp_s"], Target::Timestamp(TimeUnit::Second)),
    row("date", &["timestamp_ms"], Target::Timestamp(TimeUnit::Millisecond)),
    row("date", &["timestamp_ns"], Target::Timestamp(TimeUnit::Nanosecond)),
    row(
        "date",
        &["timestamptz", "timestamp with time zone", "timestamp_tz", "timestamp_ltz"],
        Target::Instant,
    ),
    row("date", &["time", "time without time zone"], Target::Time),
    row("time", &["", "time", "time without time zone", "time64"], Target::Time),
    row(
        "timestamp",
        &["", "timestamp", "timestamp_us", "timestamp without time zone", "timestamp_ntz", "datetime"],
        Target::Timestamp(TimeUnit::Microsecond),
    ),
    row("timestamp", &["timestamp_s"], Target::Timestamp(TimeUnit::Second)),
    row("timestamp", &["timestamp_ms"], Target::Timestamp(TimeUnit::Millisecond)),
    row("timestamp", &["timestamp_ns"], Target::Timestamp(TimeUnit::Nanosecond)),
    row(
        "timestamp",
        &["timestamptz", "timestamp with time zone", "timestamp_tz", "timestamp_ltz"],
        Target::Instant,
    ),
];

/// What a property says about its type, apart from nesting.
#[derive(Debug, Default)]
pub(super) struct Spelled {
    pub(super) logical: Option<String>,
    pub(super) physical: Option<String>,
    /// `logicalTypeOptions.format`.
    pub(super) format: Option<String>,
    pub(super) precision: Option<i64>,
    pub(super) scale: Option<i64>,
    pub(super) timezone: bool,
    pub(super) default_timezone: Option<String>,
}

/// Why there is no type, and what to write.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TypeProblem {
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

/// The type of a property that is neither object nor array.
pub(super) fn resolve(spelled: &Spelled) -> Result<DataType, TypeProblem> {
    let (base, arguments) = split(spelled.physical.as_deref().unwrap_or_default());
    if base == "int8" {
        return Err(problem(
            "`int8` is 8 bits in some systems and 8 bytes in others".to_owned(),
            "write `physicalType: tinyint` or `physicalType: bigint`",
        ));
    }
    let base = if base.is_empty() { from_format(spelled)? } else { base };
    let row = find(spelled.logical.as_deref(), &base)?;
    Ok(match row.target {
        Target::Boolean => DataType::Boolean,
        Target::Int8 => DataType::Int8,
        Target::Int16 => DataType::Int16,
        Target::Int32 => DataType::Int32,
        Target::Int64 => DataType::Int64,
        Target::UInt8 => DataType::UInt8,
        Target::UInt16 => DataType::UInt16,
        Target::UInt32 => DataType::UInt32,
        Target::UInt64 => DataType::UInt64,
        Target::Float32 => DataType::Float32,
        // `logicalTypeOptions: { precision: 12, scale: 2 }` alone says decimal.
        Target::Float64 if base.is_empty() && spelled.precision.is_some() => decimal(spelled, &arguments)?,
        Target::Float64 => DataType::Float64,
        Target::Decimal => decimal(spelled, &arguments)?,
        Target::Text => DataType::Text,
        Target::Binary => DataType::Binary,
        Target::Date => DataType::Date,
        Target::Time => DataType::Time,
        Target::Timestamp(unit) => {
            DataType::Timestamp { unit: unit_of(unit, &arguments)?, zone: zone(spelled, spelled.timezone)? }
        }
        Target::Instant => {
            let unit = unit_of(TimeUnit::Microsecond, &arguments)?;
            DataType::Timestamp { unit, zone: zone(spelled, true)? }
        }
    })
}

fn problem(message: String, hint: impl Into<String>) -> TypeProblem {
    TypeProblem { message, hint: Some(hint.into()) }
}

/// `decimal(12, 2)` to `decimal` and `["12", "2"]`; a tail after the
/// parenthesis (`timestamp(3) with time zone`) belongs to the name.
fn split(physical: &str) -> (String, Vec<String>) {
    let lower = physical.trim().to_lowercase();
    let Some((head, rest)) = lower.split_once('(') else {
        return (squeeze(&lower), Vec::new());
    };
    let (inside, tail) = rest.split_once(')').unwrap_or((rest, ""));
    let arguments = inside.split(',').map(|argument| argument.trim().to_owned()).collect();
    (squeeze(&format!("{head} {tail}")), arguments)
}

fn squeeze(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Without a physical type the standard's `format` of integers and numbers counts.
fn from_format(spelled: &Spelled) -> Result<String, TypeProblem> {
    let Some(format) = spelled.format.as_deref() else { return Ok(String::new()) };
    Ok(match (spelled.logical.as_deref(), format) {
        (Some("integer"), "i8") => "tinyint",
        (Some("integer"), "i16") => "smallint",
        (Some("integer"), "i32") => "integer",
        (Some("integer"), "i64") => "bigint",
        (Some("integer"), "u8") => "uint8",
        (Some("integer"), "u16") => "uint16",
        (Some("integer"), "u32") => "uint32",
        (Some("integer"), "u64") => "uint64",
        (Some("number"), "f32") => "float",
        (Some("number"), "f64") => "double",
        (Some("integer" | "number"), _) => {
            let message = format!("`format: {format}` is no width that is supported");
            return Err(problem(
                message,
                "write one of i8, i16, i32, i64, u8, u16, u32, u64 or, for number, f32, f64",
            ));
        }
        // Formats of texts and dates describe the content, not the type.
        _ => "",
    }
    .to_owned())
}

fn find(logical: Option<&str>, base: &str) -> Result<&'static Row, TypeProblem> {
    let Some(logical) = logical else {
        let by_physical = ROWS.iter().find(|row| !base.is_empty() && row.physical.contains(&base));
        return by_physical.ok_or_else(|| {
            problem(
                "the property has no type".to_owned(),
                format!("write `logicalType:`, one of {}", logical_types()),
            )
        });
    };
    if let Some(row) = ROWS.iter().find(|row| row.logical == logical && row.physical.contains(&base)) {
        return Ok(row);
    }
    let known: Vec<&str> = ROWS
        .iter()
        .filter(|row| row.logical == logical)
        .flat_map(|row| row.physical.iter().copied())
        .filter(|physical| !physical.is_empty())
        .collect();
    if known.is_empty() {
        let message = format!("`logicalType: {logical}` is not supported");
        return Err(problem(message, format!("write one of {}", logical_types())));
    }
    let message = format!("`physicalType: {base}` does not go with `logicalType: {logical}`");
    Err(problem(message, format!("write one of {}", known.join(", "))))
}

fn logical_types() -> String {
    let mut names: Vec<&str> = ROWS.iter().map(|row| row.logical).collect();
    names.dedup();
    names.extend(["object", "array"]);
    names.join(", ")
}

fn decimal(spelled: &Spelled, arguments: &[String]) -> Result<DataType, TypeProblem> {
    let hint = "write `physicalType: decimal(12,2)`: 1 to 38 digits, of them at most as many after the point";
    let refused = || problem("a decimal needs its precision and scale".to_owned(), hint);
    let (precision, scale) = match arguments {
        [] => {
            let precision = spelled.precision.ok_or_else(refused)?.to_string();
            (precision, spelled.scale.unwrap_or(0).to_string())
        }
        [precision] => (precision.clone(), "0".to_owned()),
        [precision, scale] => (precision.clone(), scale.clone()),
        _ => return Err(refused()),
    };
    match (precision.parse::<u8>(), scale.parse::<u8>()) {
        (Ok(precision @ 1..=38), Ok(scale)) if scale <= precision => {
            Ok(DataType::Decimal { precision, scale })
        }
        _ => Err(problem(format!("there is no decimal({precision},{scale})"), hint)),
    }
}

/// `timestamp(3)` is in milliseconds.
fn unit_of(unit: TimeUnit, arguments: &[String]) -> Result<TimeUnit, TypeProblem> {
    let digits: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match digits.as_slice() {
        [] => Ok(unit),
        ["0"] => Ok(TimeUnit::Second),
        ["3"] => Ok(TimeUnit::Millisecond),
        ["6"] => Ok(TimeUnit::Microsecond),
        ["9"] => Ok(TimeUnit::Nanosecond),
        _ => {
            let message = format!("there is no timestamp({})", digits.join(","));
            Err(problem(message, "write 0, 3, 6 or 9 digits of a second"))
        }
    }
}

fn zone(spelled: &Spelled, wanted: bool) -> Result<Option<String>, TypeProblem> {
    if !wanted {
        return Ok(None);
    }
    let zone = spelled.default_timezone.clone().unwrap_or_else(|| "UTC".to_owned());
    match zone.parse::<arrow::array::timezone::Tz>() {
        Ok(_) => Ok(Some(zone)),
        Err(_) => Err(problem(
            format!("`{zone}` is no time zone"),
            "write a name of the tz database in `logicalTypeOptions.defaultTimezone`, like `Europe/Berlin`",
        )),
    }
}
