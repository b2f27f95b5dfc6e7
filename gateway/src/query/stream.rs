//! One attempt at a domain query: permit, request, and the answer checked
//! against what was asked.
//!
//! The answer comes from another server: its schema must be the promised one,
//! and only a stream that ends with a proper status is complete.

use std::{sync::Arc, time::Instant};

use arrow::{
    datatypes::{Schema, SchemaRef},
    record_batch::{RecordBatch, RecordBatchOptions},
};
use arrow_flight::{Ticket, decode::FlightRecordBatchStream, error::FlightError};
use datafusion::common::DataFusionError;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use meshgate_proto::v1;
use prost::Message;

use super::{DomainQuery, QueryContext};
use crate::{message, status::GatewayError};

/// The rows of `query`. Dropping the stream ends the work of the node.
pub(super) fn answer(
    query: Arc<DomainQuery>,
    context: Arc<QueryContext>,
) -> impl Stream<Item = Result<RecordBatch, DataFusionError>> + Send {
    let on_error = Arc::clone(&context);
    stream::once(async move { Answer::open(query, context).await })
        .map_ok(Answer::into_batches)
        .try_flatten()
        .map_err(move |error| {
            on_error.fail(&error);
            DataFusionError::External(Box::new(error))
        })
}

struct Answer {
    query: Arc<DomainQuery>,
    context: Arc<QueryContext>,
    messages: FlightRecordBatchStream,
}

impl Answer {
    async fn open(query: Arc<DomainQuery>, context: Arc<QueryContext>) -> Result<Self, GatewayError> {
        let unavailable = || GatewayError::DomainUnavailable {
            domain: query.domain.clone(),
            detail: "no node of the domain is connected".to_owned(),
        };
        let domain = context.snapshot.domain(&query.domain).ok_or_else(unavailable)?;
        let connection = domain.connection.as_ref().ok_or_else(unavailable)?;
        let permit = context.permits.issue(&query, domain, &context)?;
        let request = v1::DomainRequest { permit: Some(permit), query: query.bytes.to_vec() };
        let mut request = tonic::Request::new(Ticket { ticket: request.encode_to_vec().into() });
        // The node gets what is left of the query's time.
        request.set_timeout(context.deadline.saturating_duration_since(Instant::now()));
        let messages = tokio::time::timeout(context.idle_time, connection.answer(request))
            .await
            .map_err(|_| silent(&query))?
            .map_err(|status| GatewayError::from_domain(&query.domain, &status))?;
        let checked =
            |data| message::check(&data, message::RESULT).map(|()| data).map_err(FlightError::protocol);
        let messages =
            messages.map_err(FlightError::from).and_then(move |data| std::future::ready(checked(data)));
        let messages = FlightRecordBatchStream::new_from_flight_data(messages);
        Ok(Self { query, context, messages })
    }

    fn into_batches(self) -> impl Stream<Item = Result<RecordBatch, GatewayError>> + Send {
        stream::try_unfold(
            self,
            |mut answer| async move { Ok(answer.next().await?.map(|batch| (batch, answer))) },
        )
    }

    async fn next(&mut self) -> Result<Option<RecordBatch>, GatewayError> {
        let next = tokio::time::timeout(self.context.idle_time, self.messages.next())
            .await
            .map_err(|_| silent(&self.query))?
            .transpose()
            .map_err(|error| self.failed(error))?;
        self.check_schema()?;
        let Some(batch) = next else {
            return Ok(None);
        };
        // The promised schema has no metadata: what a node puts there is not handed on.
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let columns = batch.columns().to_vec();
        RecordBatch::try_new_with_options(Arc::clone(&self.query.schema), columns, &rows)
            .map(Some)
            .map_err(|_| self.other_schema())
    }

    /// An answer without any schema is not an answer, even if it has no rows.
    fn check_schema(&self) -> Result<(), GatewayError> {
        match self.messages.schema() {
            Some(schema) if is_promised(schema, &self.query.schema) => Ok(()),
            _ => Err(self.other_schema()),
        }
    }

    fn other_schema(&self) -> GatewayError {
        self.unavailable("the node answered with another schema than it was asked for".to_owned())
    }

    fn failed(&self, error: FlightError) -> GatewayError {
        match error {
            FlightError::Tonic(status) => GatewayError::from_domain(&self.query.domain, &status),
            // The text can hold what was in the message: only its kind is kept.
            FlightError::Arrow(_) | FlightError::DecodeError(_) | FlightError::ProtocolError(_) => {
                self.unavailable("the node's answer cannot be decoded".to_owned())
            }
            FlightError::NotYetImplemented(_) | FlightError::ExternalError(_) => {
                self.unavailable("the node's answer cannot be read".to_owned())
            }
        }
    }

    fn unavailable(&self, detail: String) -> GatewayError {
        GatewayError::DomainUnavailable { domain: self.query.domain.clone(), detail }
    }
}

fn silent(query: &DomainQuery) -> GatewayError {
    let detail = "a node stayed silent for longer than is allowed".to_owned();
    GatewayError::DomainUnavailable { domain: query.domain.clone(), detail }
}

/// The same names, types and nullability, in the same order.
fn is_promised(answered: &SchemaRef, promised: &Schema) -> bool {
    answered.fields().len() == promised.fields().len()
        && answered.fields().iter().zip(promised.fields()).all(|(answered, promised)| {
            answered.name() == promised.name()
                && answered.data_type() == promised.data_type()
                && answered.is_nullable() == promised.is_nullable()
        })
}
