//! How the batches of an answer are written: as they are, or as the gateway asked for that decodes them.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::CompressionType;
use arrow::ipc::writer::IpcWriteOptions;
use arrow_flight::FlightData;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use datafusion::error::DataFusionError;
use futures::{Stream, StreamExt, TryStreamExt};
use meshgate_engine::narrow::{narrow_batch, narrow_schema};
use meshgate_proto::v1;
use meshgate_proto::v1::wire::Compression;

use crate::status::QueryError;

/// Messages of this size stay in the processor's caches while they are copied.
const MESSAGE_BYTES: usize = 512 << 10;

/// What was asked for. By default everything stays as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Wire {
    codec: Option<CompressionType>,
    narrows: bool,
}

impl Wire {
    /// What is not known here is not done.
    pub(crate) fn asked(asked: Option<v1::Wire>) -> Self {
        let Some(asked) = asked else { return Self::default() };
        let codec = (asked.compression() == Compression::Zstd).then_some(CompressionType::ZSTD);
        Self { codec, narrows: asked.narrow_decimals }
    }

    pub(crate) fn encode<S>(
        self,
        batches: S,
        schema: SchemaRef,
    ) -> impl Stream<Item = Result<FlightData, FlightError>> + Send
    where
        S: Stream<Item = Result<RecordBatch, FlightError>> + Send + 'static,
    {
        let plain = IpcWriteOptions::default();
        // Refused for versions of the format before the present one only.
        let options = plain.clone().try_with_compression(self.codec).unwrap_or(plain);
        let encoder =
            FlightDataEncoderBuilder::new().with_options(options).with_max_flight_data_size(MESSAGE_BYTES);
        if !self.narrows {
            return encoder.with_schema(schema).build(batches).left_stream();
        }
        let schema = Arc::new(narrow_schema(&schema));
        let narrow = Arc::clone(&schema);
        let batches = batches.and_then(move |batch| {
            let narrow = narrow_batch(&batch, &narrow);
            std::future::ready(narrow.map_err(|error| {
                let error = QueryError::engine(DataFusionError::ArrowError(Box::new(error), None));
                FlightError::ExternalError(Box::new(error))
            }))
        });
        encoder.with_schema(schema).build(batches).right_stream()
    }
}
