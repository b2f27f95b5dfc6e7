//! Cells, with the comparison and the text that tests use.

use std::cmp::Ordering;
use std::collections::BTreeMap;

/// One raw row by column name.
pub type Row = BTreeMap<String, Value>;

/// One cell. `Null` is SQL's NULL; as a predicate's outcome it is "unknown".
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Boolean(bool),
    Integer(i128),
    /// `value * 10^-scale`.
    Decimal {
        value: i128,
        scale: u32,
    },
    Float(f64),
    Text(String),
    /// Days since the epoch.
    Date(i32),
    /// Microseconds since the epoch.
    Timestamp(i64),
    /// Microseconds since midnight.
    Time(i64),
    Binary(Vec<u8>),
    List(Vec<Self>),
    /// Fields in the order of their type.
    Struct(Vec<(String, Self)>),
}

impl Value {
    pub fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    pub fn is_true(&self) -> bool {
        matches!(self, Self::Boolean(true))
    }

    /// SQL comparison; `None` if either side is NULL.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        use Value::*;
        Some(match (self, other) {
            (Null, _) | (_, Null) => return None,
            (Boolean(a), Boolean(b)) => a.cmp(b),
            (Integer(a), Integer(b)) => a.cmp(b),
            (Text(a), Text(b)) => a.as_bytes().cmp(b.as_bytes()),
            (Date(a), Date(b)) => a.cmp(b),
            (Timestamp(a), Timestamp(b)) => a.cmp(b),
            (Float(a), Float(b)) => a.total_cmp(b),
            (Time(a), Time(b)) => a.cmp(b),
            (Binary(a), Binary(b)) => a.cmp(b),
            (Date(a), Text(b)) => a.cmp(&parse_date(b)),
            (Text(a), Date(b)) => parse_date(a).cmp(b),
            (Decimal { .. } | Integer(_), Decimal { .. } | Integer(_)) => {
                let scale = self.scale().max(other.scale());
                self.scaled(scale).cmp(&other.scaled(scale))
            }
            (Float(a), Integer(b)) => a.total_cmp(&(*b as f64)),
            (Float(a), Decimal { value, scale }) => {
                a.total_cmp(&(*value as f64 / 10_f64.powi(i32::try_from(*scale).unwrap())))
            }
            (a, b) => panic!("the oracle cannot compare {a:?} with {b:?}"),
        })
    }

    fn scale(&self) -> u32 {
        if let Self::Decimal { scale, .. } = self { *scale } else { 0 }
    }

    fn scaled(&self, to: u32) -> i128 {
        match self {
            Self::Decimal { value, scale } => value * 10_i128.pow(to - scale),
            Self::Integer(value) => value * 10_i128.pow(to),
            other => panic!("{other:?} is no exact number"),
        }
    }

    /// The cell as tests print it: NULL as `None`, decimals with all their digits, dates in ISO form.
    pub fn render(&self) -> Option<String> {
        Some(match self {
            Self::Null => return None,
            Self::Boolean(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Float(value) => format!("{value:?}"),
            Self::Text(value) => value.clone(),
            Self::Date(days) => date_text(*days),
            Self::Timestamp(micros) | Self::Time(micros) => micros.to_string(),
            Self::Binary(bytes) => bytes.escape_ascii().to_string(),
            Self::List(items) => format!("{:?}", items.iter().map(Self::render).collect::<Vec<_>>()),
            Self::Struct(fields) => {
                let shown = |(name, value): &(String, Self)| (name.clone(), value.render());
                format!("{:?}", fields.iter().map(shown).collect::<Vec<_>>())
            }
            Self::Decimal { value, scale: 0 } => value.to_string(),
            Self::Decimal { value, scale } => {
                let divisor = 10_i128.pow(*scale);
                let sign = if *value < 0 { "-" } else { "" };
                let (whole, rest) = (value.abs() / divisor, value.abs() % divisor);
                format!("{sign}{whole}.{rest:0width$}", width = *scale as usize)
            }
        })
    }
}

fn epoch() -> chrono::NaiveDate {
    chrono::NaiveDate::from_ymd_opt(1970, 1, 1).unwrap()
}

/// Days since the epoch of an ISO date.
pub fn parse_date(text: &str) -> i32 {
    let date = text.parse::<chrono::NaiveDate>().unwrap_or_else(|_| panic!("`{text}` is no date"));
    i32::try_from((date - epoch()).num_days()).unwrap()
}

/// The calendar day of days since the epoch.
pub fn calendar(days: i32) -> chrono::NaiveDate {
    epoch() + chrono::Duration::days(days.into())
}

fn date_text(days: i32) -> String {
    calendar(days).to_string()
}
