//! Answers of both sides, in the form in which they are compared.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow_flight::decode::FlightRecordBatchStream;
use futures::TryStreamExt;
use futures::stream::iter;
use meshgate_tests::client::Client;
use meshgate_tests::render::Rendered;
use prost::Message;
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

    /// The answer of the mesh, and all bytes that the caller was sent.
    pub(crate) async fn of_mesh(client: &mut Client, sql: &str) -> (Self, Vec<u8>) {
        let mut bytes = Vec::new();
        let answer = Self::read(client, sql, &mut bytes).await.unwrap_or_else(|status| {
            bytes.extend_from_slice(status.message().as_bytes());
            bytes.extend_from_slice(status.details());
            Self::of_status(&status)
        });
        (answer, bytes)
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

    async fn read(client: &mut Client, sql: &str, bytes: &mut Vec<u8>) -> Result<Self, Status> {
        let mut info = client.plan(sql).await?;
        // The statement is the caller's own.
        info.flight_descriptor = None;
        bytes.extend(info.encode_to_vec());
        let ticket = info.endpoint[0].ticket.clone().unwrap();
        let schema = info.try_decode_schema().unwrap();
        let messages = client.messages(ticket).await?;
        for message in &messages {
            bytes.extend_from_slice(&message.data_header);
            bytes.extend_from_slice(&message.data_body);
        }
        let decoded = FlightRecordBatchStream::new_from_flight_data(iter(messages.into_iter().map(Ok)));
        let batches: Vec<RecordBatch> = decoded.try_collect().await.unwrap();
        Ok(Self::rows(&schema, &batches))
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
            // A mistake of the engine's own: some of its functions do not know some types.
            (Self::Broken(_), Self::Broken(text)) => text.starts_with("Internal"),
            // `t1.area` with a column `t1` in reach is a field of a text: the engine says so while it
            // plans, in the class of failures, and looks at that before it looks for the tables.
            (Self::Failed(text), Self::Refused(_)) | (Self::Refused(_), Self::Failed(text)) => {
                text.contains("Cannot access field")
            }
            _ => false,
        }
    }

    /// Is `part` any `count` of these rows, or all if there are fewer?
    pub(crate) fn holds(&self, part: &Self, count: usize) -> bool {
        match (self, part) {
            (Self::Rows { types, result }, Self::Rows { types: part_types, result: part }) => {
                let mut rows = result.rows.clone();
                let is_there = |row| rows.iter().position(|own| own == row).map(|at| rows.swap_remove(at));
                types == part_types
                    && result.columns == part.columns
                    && part.rows.len() == count.min(result.rows.len())
                    && part.rows.iter().map(is_there).all(|found| found.is_some())
            }
            // What fails on some row need not fail before there are enough.
            (Self::Failed(_), Self::Rows { result, .. }) => result.rows.len() <= count,
            _ => self.equals(part, false),
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
