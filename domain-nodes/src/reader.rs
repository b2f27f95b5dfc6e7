//! Who reads a result: a gateway, which bounds and verifies what it hands on,
//! or a client itself. A client gets what it would have got from the gateway:
//! the schema that was promised to it, messages that it takes, and no more than
//! the gateway allows.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Schema, SchemaRef};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt};
use meshgate_engine::pieces::{MESSAGE_BYTES, keeps_types, size, split};
use meshgate_proto::v1::{DirectRead, DomainRequest};
use tokio::sync::OwnedSemaphorePermit;

use crate::config::NodeLimits;
use crate::node::Node;
use crate::request::{Refusal, decode_schema};
use crate::status::{Bound, QueryError, Told};
use crate::wire::Wire;

/// Who reads a result.
#[derive(Debug)]
pub(crate) enum Reader {
    Gateway,
    Client(Promise),
}

/// What a gateway promised to a client.
#[derive(Debug)]
pub(crate) struct Promise {
    /// None if it cannot be read.
    schema: Option<SchemaRef>,
    rows: u64,
    bytes: u64,
}

impl Promise {
    pub(crate) fn of(read: &DirectRead) -> Self {
        let schema = decode_schema(&read.schema).map(Arc::new);
        Self { schema, rows: read.result_rows, bytes: read.result_bytes }
    }
}

impl Reader {
    pub(crate) fn told(&self) -> Told {
        match self {
            Self::Gateway => Told::Gateway,
            Self::Client(_) => Told::Client,
        }
    }

    /// How the answer to `request` is written: clients get what every one of them reads.
    pub(crate) fn wire(&self, request: &Result<DomainRequest, Refusal>) -> Wire {
        match (self, request) {
            (Self::Gateway, Ok(request)) => Wire::asked(request.wire),
            _ => Wire::default(),
        }
    }

    /// Longest time that the result may wait; a gateway has a bound of its own.
    pub(crate) fn idle_time(&self, limits: &NodeLimits) -> Option<Duration> {
        match self {
            Self::Gateway => None,
            Self::Client(_) => Some(limits.direct_idle_time),
        }
    }

    /// Clients must not take the places of gateways, through which all others come.
    pub(crate) fn slot(&self, node: &Node) -> Result<OwnedSemaphorePermit, QueryError> {
        let (slots, bound) = match self {
            Self::Gateway => (&node.slots, "concurrent_queries"),
            Self::Client(_) => (&node.direct_slots, "direct_queries"),
        };
        Arc::clone(slots).try_acquire_owned().map_err(|_| QueryError::TooMany(bound))
    }

    /// Can a result of `schema` be given as it was promised?
    pub(crate) fn check(&self, schema: &Schema) -> Result<(), Refusal> {
        match self {
            Self::Gateway => Ok(()),
            Self::Client(Promise { schema: Some(promised), .. }) if keeps_types(schema, promised) => Ok(()),
            Self::Client(_) => Err(Refusal::Schema),
        }
    }

    /// The batches as the reader gets them, and their schema.
    pub(crate) fn shape(
        self,
        batches: impl Stream<Item = Result<RecordBatch, QueryError>> + Send + 'static,
        schema: &SchemaRef,
    ) -> (BoxStream<'static, Result<RecordBatch, QueryError>>, SchemaRef) {
        match self {
            Self::Client(Promise { schema: Some(promised), rows, bytes }) => {
                (bounded(batches, Arc::clone(&promised), rows, bytes).boxed(), promised)
            }
            Self::Gateway | Self::Client(_) => (batches.boxed(), Arc::clone(schema)),
        }
    }
}

/// Counted as the gateway counts, before anything of the batch that is too much.
fn bounded(
    batches: impl Stream<Item = Result<RecordBatch, QueryError>> + Send + 'static,
    schema: SchemaRef,
    rows_left: u64,
    bytes_left: u64,
) -> impl Stream<Item = Result<RecordBatch, QueryError>> + Send + 'static {
    let mut left = (rows_left, bytes_left);
    let pieces = batches.map(move |batch| {
        let batch = batch?;
        left.0 = left.0.checked_sub(batch.num_rows() as u64).ok_or(QueryError::Bound(Bound::Rows))?;
        left.1 = left.1.checked_sub(size(&batch) as u64).ok_or(QueryError::Bound(Bound::Bytes))?;
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), batch.columns().to_vec(), &rows)
            .map_err(|_| QueryError::Internal("a batch does not fit the promised schema"))?;
        Ok::<_, QueryError>(futures::stream::iter(split(batch, MESSAGE_BYTES)).map(Ok))
    });
    pieces.try_flatten()
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray};
    use arrow::datatypes::{DataType, Field};

    use super::*;

    fn batch(texts: &[&str]) -> RecordBatch {
        let ids = Int64Array::from_iter_values(0..i64::try_from(texts.len()).unwrap());
        let texts = StringArray::from(texts.to_vec());
        RecordBatch::try_from_iter([("id", Arc::new(ids) as _), ("text", Arc::new(texts) as _)]).unwrap()
    }

    fn promised() -> SchemaRef {
        let id = Field::new("ID", DataType::Int64, true).with_metadata([("k".into(), "v".into())].into());
        Arc::new(Schema::new(vec![id, Field::new("Text", DataType::Utf8, true)]))
    }

    async fn given(batches: Vec<RecordBatch>, rows: u64, bytes: u64) -> Result<Vec<RecordBatch>, QueryError> {
        let from = batches[0].schema();
        let reader = Reader::Client(Promise { schema: Some(promised()), rows, bytes });
        reader.check(&from).unwrap();
        let (batches, schema) = reader.shape(futures::stream::iter(batches.into_iter().map(Ok)), &from);
        assert_eq!(schema, promised());
        batches.try_collect().await
    }

    #[tokio::test]
    async fn a_client_gets_the_promised_schema_with_its_names_and_metadata() {
        let given = given(vec![batch(&["a", "b"])], 2, 1_000).await.unwrap();
        assert_eq!(given[0].schema(), promised());
        assert_eq!(given[0].columns(), batch(&["a", "b"]).columns());
    }

    #[tokio::test]
    async fn bounds_hold_at_the_bound() {
        let two = || vec![batch(&["a"]), batch(&["b"])];
        let bytes = 2 * size(&batch(&["a"])) as u64;
        assert_eq!(given(two(), 2, bytes).await.unwrap().len(), 2);
        assert!(matches!(given(two(), 1, bytes).await, Err(QueryError::Bound(Bound::Rows))));
        assert!(matches!(given(two(), 2, bytes - 1).await, Err(QueryError::Bound(Bound::Bytes))));
    }

    #[tokio::test]
    async fn rows_of_very_different_lengths_leave_in_messages_that_every_client_takes() {
        let (long, short) = ("x".repeat(1_500_000), "y");
        let texts: Vec<&str> = std::iter::repeat_n(long.as_str(), 4).chain([short; 60]).collect();
        let given = given(vec![batch(&texts)], 64, u64::MAX).await.unwrap();
        assert!(given.len() > 1 && given.iter().all(|piece| size(piece) <= MESSAGE_BYTES));
        assert_eq!(given.iter().map(RecordBatch::num_rows).sum::<usize>(), 64);
    }

    #[test]
    fn types_must_be_as_promised() {
        let schema = |data_type: DataType, nullable| Schema::new(vec![Field::new("a", data_type, nullable)]);
        let check = |from: &Schema, to: Option<Schema>| {
            Reader::Client(Promise { schema: to.map(Arc::new), rows: 1, bytes: 1 }).check(from)
        };
        let from = schema(DataType::Int64, false);
        assert_eq!(check(&from, Some(schema(DataType::Int64, false))), Ok(()));
        assert_eq!(check(&from, Some(schema(DataType::Int64, true))), Ok(()));

        let nullable = schema(DataType::Int64, true);
        assert_eq!(check(&nullable, Some(from.clone())), Err(Refusal::Schema));
        assert_eq!(check(&from, Some(schema(DataType::Int32, true))), Err(Refusal::Schema));
        assert_eq!(check(&from, Some(Schema::empty())), Err(Refusal::Schema));
        assert_eq!(check(&from, None), Err(Refusal::Schema));
        assert_eq!(Reader::Gateway.check(&from), Ok(()));
    }
}
