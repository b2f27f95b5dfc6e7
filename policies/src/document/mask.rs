//! Masks as they are written.

use std::fmt;

use super::{Keys, Sql, Vocabulary};
use crate::{
    PseudonymSpace,
    data_type::DataType,
    expression::DateUnit,
    yaml::{Node, Reader, UnknownKeys, Value, nearest_hint},
};

/// A mask as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MaskSpec {
    Redact,
    Nullify,
    Last(u16),
    First(u16),
    /// `year`, `month`, `day`.
    Cut(DateUnit),
    /// `***@` and the domain of an e-mail address.
    EmailDomain,
    /// The lower end of the value's bucket of this width.
    Bucket(u64),
    /// Rounded to so many decimal places, before the point if negative.
    Round(i8),
    Constant(Constant),
    /// A keyed hash in a space of mesh.yaml.
    Pseudonym(PseudonymSpace),
    Sql(Sql),
    /// One of the owner's own.
    Own(String),
    PerType(Vec<(TypeGroup, MaskSpec)>),
}

/// The argument of `constant`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Constant {
    Text(String),
    /// A number or a truth value.
    Bare(String),
}

/// Groups of types that a mask can be given for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TypeGroup {
    Text,
    Integer,
    Number,
    Date,
    Timestamp,
    Boolean,
    Binary,
    Nested,
    Other,
}

const GROUPS: [(&str, TypeGroup); 9] = [
    ("text", TypeGroup::Text),
    ("integer", TypeGroup::Integer),
    ("number", TypeGroup::Number),
    ("date", TypeGroup::Date),
    ("timestamp", TypeGroup::Timestamp),
    ("boolean", TypeGroup::Boolean),
    ("binary", TypeGroup::Binary),
    ("nested", TypeGroup::Nested),
    ("other", TypeGroup::Other),
];

const FORMS: [&str; 12] = [
    "redact",
    "nullify",
    "last",
    "first",
    "year",
    "month",
    "day",
    "email_domain",
    "bucket",
    "round",
    "constant",
    "pseudonym",
];

/// Widest bucket, and most places that are rounded.
const WIDEST_BUCKET: u64 = 1_000_000_000_000_000_000;
const MOST_PLACES: i8 = 18;

impl TypeGroup {
    /// The group of a type; `Other` for those that have none.
    pub(crate) fn of(data_type: &DataType) -> Self {
        match data_type {
            DataType::Text => Self::Text,
            DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32
            | DataType::UInt64 => Self::Integer,
            DataType::Float32 | DataType::Float64 | DataType::Decimal { .. } => Self::Number,
            DataType::Date => Self::Date,
            DataType::Timestamp { .. } => Self::Timestamp,
            DataType::Boolean => Self::Boolean,
            DataType::Binary => Self::Binary,
            DataType::List(_) | DataType::Struct(_) => Self::Nested,
            DataType::Time => Self::Other,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        GROUPS.iter().find(|(_, group)| *group == self).map_or("other", |(name, _)| name)
    }
}

impl MaskSpec {
    /// Reads a mask. The words are the mesh's spaces and the owner's own masks.
    pub(crate) fn read(reader: &mut Reader<'_, '_>, node: &Node, words: &Vocabulary) -> Option<Self> {
        match &node.value {
            _ if node.is_null() => {
                let hint = "write `nullify` for SQL's NULL".to_owned();
                reader.error(node.line, "the mask has no value", Some(hint));
                None
            }
            Value::Scalar { text, quoted } => {
                if !quoted && node.cut_by_comment && text.contains('(') && !text.ends_with(')') {
                    let hint = "quote the mask".to_owned();
                    reader.error(node.line, "a `#` cuts the mask off", Some(hint));
                    return None;
                }
                match Self::parse(text, words) {
                    Ok(mask) => Some(mask),
                    Err((message, hint)) => {
                        reader.error(node.line, message, hint);
                        None
                    }
                }
            }
            Value::Mapping(entries) if entries.iter().any(|entry| entry.key == "sql") => {
                Self::read_sql(reader, node)
            }
            Value::Mapping(_) => Self::read_per_type(reader, node, words),
            Value::Sequence(_) => {
                reader.error(node.line, "a mask is a name or a mapping, not a list", None);
                None
            }
        }
    }

    /// The mask for columns of a type: itself, or the entry of a mask per type.
    pub(crate) fn for_type(&self, data_type: &DataType) -> &Self {
        let Self::PerType(masks) = self else { return self };
        let group = TypeGroup::of(data_type);
        let find = |wanted: TypeGroup| masks.iter().find(|(group, _)| *group == wanted);
        find(group).or_else(|| find(TypeGroup::Other)).map_or(self, |(_, mask)| mask)
    }

    fn read_sql(reader: &mut Reader<'_, '_>, node: &Node) -> Option<Self> {
        let file = reader.file();
        let mut inner = Reader::new(file, node, reader.problems());
        let sql = inner.sql("sql");
        inner.finish(UnknownKeys::Error);
        sql.map(Self::Sql)
    }

    fn read_per_type(reader: &mut Reader<'_, '_>, node: &Node, words: &Vocabulary) -> Option<Self> {
        let mut masks = Vec::new();
        for entry in node.as_mapping().unwrap_or_default() {
            let Some((_, group)) = GROUPS.iter().find(|(name, _)| *name == entry.key) else {
                let hint = nearest_hint(&entry.key, GROUPS.iter().map(|(name, _)| *name).chain(["sql"]));
                reader.error(entry.key_line, format!("`{}` is not a group of types", entry.key), hint);
                continue;
            };
            if matches!(entry.value.value, Value::Mapping(_)) && entry.value.get("sql").is_none() {
                reader.error(entry.key_line, "a mask per type cannot hold another one", None);
                continue;
            }
            masks.push((*group, Self::read(reader, &entry.value, words)?));
        }
        Some(Self::PerType(masks))
    }

    fn parse(text: &str, words: &Vocabulary) -> Result<Self, (String, Option<String>)> {
        let text = text.trim();
        let (name, argument) = match text.split_once('(') {
            None => (text, None),
            Some((name, rest)) => {
                let argument = rest.strip_suffix(')').ok_or_else(|| {
                    (format!("the mask `{text}` has no closing parenthesis"), Some("quote it".to_owned()))
                })?;
                (name.trim(), Some(argument.trim()))
            }
        };
        match (name, argument) {
            ("redact", None) => Ok(Self::Redact),
            ("nullify", None) => Ok(Self::Nullify),
            ("year", None) => Ok(Self::Cut(DateUnit::Year)),
            ("month", None) => Ok(Self::Cut(DateUnit::Month)),
            ("day", None) => Ok(Self::Cut(DateUnit::Day)),
            ("last", Some(count)) => count_of(name, count).map(Self::Last),
            ("first", Some(count)) => count_of(name, count).map(Self::First),
            ("email_domain", None) => Ok(Self::EmailDomain),
            ("bucket", Some(width)) => bucket(width),
            ("round", Some(places)) => round(places),
            ("constant", Some(value)) => constant(value).map(Self::Constant),
            ("pseudonym", Some(space)) => pseudonym(space, words),
            (name, None) if words.own_masks.iter().any(|known| known == name) => {
                Ok(Self::Own(name.to_owned()))
            }
            (name, _) if FORMS.contains(&name) => Err((
                format!("`{text}` is not how the mask `{name}` is written"),
                Some(
                    "write redact, nullify, year, month, day, email_domain, last(4), first(2), bucket(10), round(-3), pseudonym(space) or constant('x')".to_owned(),
                ),
            )),
            (name, None) => {
                let known = FORMS.iter().copied().chain(words.own_masks.iter().map(String::as_str));
                Err((format!("there is no mask `{name}`"), nearest_hint(name, known)))
            }
            (name, Some(_)) => Err((
                format!("there is no mask `{name}(..)`"),
                Some(format!("for an SQL expression write {{ sql: \"{text}\" }}")),
            )),
        }
    }

    /// Names that own masks cannot take.
    pub(crate) fn is_reserved(name: &str) -> bool {
        FORMS.contains(&name)
    }
}

/// As a policy writes it, on one line.
impl fmt::Display for MaskSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redact => f.write_str("redact"),
            Self::Nullify => f.write_str("nullify"),
            Self::Last(count) => write!(f, "last({count})"),
            Self::First(count) => write!(f, "first({count})"),
            Self::Cut(unit) => f.write_str(unit.name()),
            Self::EmailDomain => f.write_str("email_domain"),
            Self::Bucket(width) => write!(f, "bucket({width})"),
            Self::Round(places) => write!(f, "round({places})"),
            Self::Constant(Constant::Text(text)) => write!(f, "constant('{}')", text.replace('\'', "''")),
            Self::Constant(Constant::Bare(word)) => write!(f, "constant({word})"),
            Self::Pseudonym(space) => write!(f, "pseudonym({})", space.name),
            Self::Sql(sql) => f.write_str(&sql.text),
            Self::Own(name) => f.write_str(name),
            Self::PerType(masks) => {
                let masks: Vec<String> =
                    masks.iter().map(|(group, mask)| format!("{}: {mask}", group.name())).collect();
                write!(f, "{{ {} }}", masks.join(", "))
            }
        }
    }
}

fn count_of(name: &str, count: &str) -> Result<u16, (String, Option<String>)> {
    count.parse().ok().filter(|count| (1..=1000).contains(count)).ok_or_else(|| {
        (format!("`{name}({count})` needs a number from 1 to 1000"), Some(format!("write {name}(4)")))
    })
}

fn bucket(width: &str) -> Result<MaskSpec, (String, Option<String>)> {
    let parsed = width.parse().ok().filter(|width| (1..=WIDEST_BUCKET).contains(width));
    parsed.map(MaskSpec::Bucket).ok_or_else(|| {
        let message = format!("`bucket({width})` needs a whole number from 1 to {WIDEST_BUCKET}");
        (message, Some("write bucket(10)".to_owned()))
    })
}

fn round(places: &str) -> Result<MaskSpec, (String, Option<String>)> {
    let parsed = places.parse().ok().filter(|places| (-MOST_PLACES..=MOST_PLACES).contains(places));
    parsed.map(MaskSpec::Round).ok_or_else(|| {
        let message = format!("`round({places})` needs a whole number from -{MOST_PLACES} to {MOST_PLACES}");
        (message, Some("write round(-3) for thousands".to_owned()))
    })
}

fn pseudonym(space: &str, words: &Vocabulary) -> Result<MaskSpec, (String, Option<String>)> {
    let known = words.pseudonyms.iter().find(|known| known.name == space);
    known.cloned().map(MaskSpec::Pseudonym).ok_or_else(|| {
        let names = words.pseudonyms.iter().map(|known| known.name.as_str());
        (format!("mesh.yaml declares no pseudonyms `{space}`"), nearest_hint(space, names))
    })
}

fn constant(value: &str) -> Result<Constant, (String, Option<String>)> {
    let wrong = || {
        let hint = "write constant('x'), constant(0) or constant(true)".to_owned();
        (format!("`{value}` is not a constant"), Some(hint))
    };
    match value.strip_prefix('\'') {
        Some(rest) => {
            let inside = rest.strip_suffix('\'').ok_or_else(wrong)?;
            if inside.replace("''", "").contains('\'') {
                return Err(wrong());
            }
            Ok(Constant::Text(inside.replace("''", "'")))
        }
        None if value.is_empty() => Err(wrong()),
        None => Ok(Constant::Bare(value.to_owned())),
    }
}
