//! Answers of both sides, in the form in which they are compared.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use meshgate_tests::client::Client;
use meshgate_tests::render::Rendered;
use tonic::{Code, Status};

pub(crate) enum Answer {
    /// Names and types of the columns, and the rows as text.
    Rows { types: Vec<String>, result: Rendered },
    /// The query cannot be planned: something in it does not exist or does not fit.
    Refused(String),
    /// An expression failed on a value.
    Failed(String),
    /// Anything else: never right.
    Broken(String),
}

impl Answer {
    pub(crate) fn rows(schema: &Schema, batches: &[RecordBatch]) -> Self {
        let columns = schema.fields().iter().map(|field| field.name().clone()).collect();
        let types = schema.fields().iter().map(|field| plain(&field.data_type().to_string())).collect();
        Self::Rows { types, result: Rendered::of(columns, batches) }
    }

    pub(crate) async fn of_mesh(client: &mut Client, sql: &str) -> Self {
        let info = match client.plan(sql).await {
            Ok(info) => info,
            Err(status) => return Self::of_status(&status),
        };
        let schema = info.clone().try_decode_schema().unwrap();
        match client.batches(&info).await {
            Ok(batches) => Self::rows(&schema, &batches),
            Err(status) => Self::of_status(&status),
        }
    }

    /// An error of the mesh.
    pub(crate) fn of_status(status: &Status) -> Self {
        let text = format!("{:?}: {}", status.code(), status.message());
        match status.code() {
            Code::NotFound => Self::Refused(text),
            Code::InvalidArgument if EXPRESSION.iter().any(|part| text.contains(part)) => Self::Failed(text),
            Code::InvalidArgument => Self::Refused(text),
            _ => Self::Broken(text),
        }
    }

    /// The same answer? Rows in any order, unless the order is part of it.
    pub(crate) fn equals(&self, other: &Self, is_ordered: bool) -> bool {
        match (self, other) {
            (Self::Rows { types, result }, Self::Rows { types: other_types, result: other }) => {
                let same = if is_ordered {
                    result == other
                } else {
                    result.clone().sorted() == other.clone().sorted()
                };
                types == other_types && same
            }
            (Self::Refused(_), Self::Refused(_)) | (Self::Failed(_), Self::Failed(_)) => true,
            // `t1.area` with a column `t1` in reach is a field of a text: the engine says so while it
            // plans, in the class of failures, and looks at that before it looks for the tables.
            (Self::Failed(text), Self::Refused(_)) | (Self::Refused(_), Self::Failed(text)) => {
                text.contains("Cannot access field")
            }
            _ => false,
        }
    }

    /// For the counters.
    pub(crate) fn class(&self) -> &'static str {
        match self {
            Self::Rows { result, .. } if result.rows.is_empty() => "answer: no rows",
            Self::Rows { .. } => "answer: rows",
            Self::Refused(_) => "answer: refused",
            Self::Failed(_) => "answer: failed",
            Self::Broken(_) => "answer: broken",
        }
    }

    /// Short enough to read.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Rows { types, result } => {
                let mut rows = result.clone().sorted().rows;
                let count = rows.len();
                rows.truncate(80);
                let rows: Vec<String> = rows.iter().map(|row| format!("    {row:?}\n")).collect();
                format!("{count} rows of {:?} {types:?}\n{}", result.columns, rows.concat())
            }
            Self::Refused(text) => format!("refused: {text}\n"),
            Self::Failed(text) => format!("failed: {text}\n"),
            Self::Broken(text) => format!("broken: {text}\n"),
        }
    }
}

/// Types that leave the gateway as other ones: views, and numbers without a sign.
const EDGE: [(&str, &str); 5] =
    [("Utf8View", "Utf8"), ("UInt64", "Int64"), ("UInt32", "Int64"), ("UInt16", "Int32"), ("UInt8", "Int16")];

fn plain(data_type: &str) -> String {
    EDGE.iter().fold(data_type.to_owned(), |text, (inner, outer)| text.replace(inner, outer))
}

/// How the gateway tells of an expression that failed: its sentences, see its `status`.
const EXPRESSION: [&str; 6] = [
    "division by zero",
    "gave more than one row",
    "a number is too large",
    "a value cannot be",
    "an expression failed",
    " failed on a value",
];
