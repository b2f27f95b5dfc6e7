//! One attempt at a domain query: permit, request, and the messages of the answer.
//!
//! The answer comes from another server: its schema must be the promised one,
//! and only a stream that ends with a proper status is complete.

use std::{fmt, sync::Arc, time::Instant};

use arrow::datatypes::{DataType, Schema};
use arrow_flight::{FlightData, Ticket};
use futures::StreamExt;
use meshgate_engine::narrow::narrow_type;
use meshgate_proto::v1::{self, wire::Compression};
use prost::Message;

use super::{DomainQuery, QueryContext};
use crate::{
    mesh::NodeMessages,
    message::{self, MessageBounds},
    status::{GatewayError, Limit},
};

/// What becomes of the batches of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Batches {
    Decoded,
    PassedOn,
}

/// A domain query that was sent. Dropping it ends the work of the node.
pub(super) struct Attempt {
    query: Arc<DomainQuery>,
    context: Arc<QueryContext>,
    messages: NodeMessages,
    bounds: MessageBounds,
}

impl Attempt {
    /// Sends `query` under a permit of its own. Its batches are decoded here, or passed on as they are.
    pub(super) async fn open(
        query: Arc<DomainQuery>,
        context: Arc<QueryContext>,
        batches: Batches,
    ) -> Result<Self, GatewayError> {
        let unavailable = || unavailable(&query, "no node of the domain is connected");
        let domain = context.snapshot.domain(&query.domain).ok_or_else(unavailable)?;
        let connection = domain.connection.as_ref().ok_or_else(unavailable)?;
        let permit = context.permits.issue(&query, domain, &context)?;
        let (wire, bounds) = match batches {
            Batches::PassedOn => (None, message::RESULT),
            Batches::Decoded => {
                let compression = connection.compression();
                let bounds = match compression {
                    Compression::Unspecified => message::RESULT,
                    Compression::Zstd => message::COMPRESSED_RESULT,
                };
                (Some(v1::Wire { compression: compression.into(), narrow_decimals: true }), bounds)
            }
        };
        let request = v1::DomainRequest { permit: Some(permit), query: query.bytes.to_vec(), wire };
        let mut request = tonic::Request::new(Ticket { ticket: request.encode_to_vec().into() });
        // The node gets what is left of the query's time.
        request.set_timeout(context.deadline().saturating_duration_since(Instant::now()));
        let messages = within_time(&query, &context, connection.answer(request))
            .await?
            .map_err(|status| GatewayError::from_domain(&query.domain, &status))?;
        Ok(Self { query, context, messages, bounds })
    }

    /// What was asked.
    pub(super) fn query(&self) -> &Arc<DomainQuery> {
        &self.query
    }

    /// The next message, looked at as far as is needed before it may be decoded.
    pub(super) async fn next(&mut self) -> Result<Option<FlightData>, GatewayError> {
        let next = within_time(&self.query, &self.context, self.messages.next()).await?;
        let next =
            next.transpose().map_err(|status| GatewayError::from_domain(&self.query.domain, &status))?;
        let Some(message) = next else { return Ok(None) };
        message::check(&message, self.bounds).map_err(|reason| unusable(&self.query, reason))?;
        Ok(Some(message))
    }
}

/// What a node does next, unless it takes longer than it may stay silent, or than the query has left.
async fn within_time<T>(
    query: &DomainQuery,
    context: &QueryContext,
    next: impl Future<Output = T>,
) -> Result<T, GatewayError> {
    let left = context.deadline().saturating_duration_since(Instant::now());
    // A timeout that is over would still give what is there already.
    if left.is_zero() {
        return Err(GatewayError::Limit(Limit::QueryTime));
    }
    tokio::time::timeout(context.idle_time.min(left), next).await.map_err(|_| {
        if left <= context.idle_time {
            GatewayError::Limit(Limit::QueryTime)
        } else {
            unavailable(query, "a node stayed silent for longer than is allowed")
        }
    })
}

/// The domain did not give what it was asked for; `detail` is for the log.
fn unavailable(query: &DomainQuery, detail: impl Into<String>) -> GatewayError {
    GatewayError::DomainUnavailable { domain: query.domain.clone(), detail: detail.into() }
}

/// What came cannot be used. `reason` holds nothing of it.
pub(super) fn unusable(query: &DomainQuery, reason: impl fmt::Display) -> GatewayError {
    unavailable(query, format!("the node's answer cannot be used: {reason}"))
}

/// An answer without any schema is not an answer, even if it has no rows. What is decoded may be in its narrow form.
pub(super) fn check_schema(
    query: &DomainQuery,
    answered: Option<&Schema>,
    batches: Batches,
) -> Result<(), GatewayError> {
    let is_type = |answered: &DataType, promised: &DataType| {
        answered == promised
            || batches == Batches::Decoded && narrow_type(promised).as_ref() == Some(answered)
    };
    match answered {
        Some(schema) if is_promised(schema, &query.schema, is_type) => Ok(()),
        _ => Err(other_schema(query)),
    }
}

/// The answer to `query` is not of the promised schema.
pub(super) fn other_schema(query: &DomainQuery) -> GatewayError {
    unavailable(query, "the node answered with another schema than it was asked for")
}

/// The same names, types and nullability, in the same order.
fn is_promised(answered: &Schema, promised: &Schema, is_type: impl Fn(&DataType, &DataType) -> bool) -> bool {
    answered.fields().len() == promised.fields().len()
        && answered.fields().iter().zip(promised.fields()).all(|(answered, promised)| {
            answered.name() == promised.name()
                && is_type(answered.data_type(), promised.data_type())
                && answered.is_nullable() == promised.is_nullable()
        })
}
