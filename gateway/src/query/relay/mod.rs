//! The relay: a result that one domain answers whole goes to the client as the
//! node encoded it.
//!
//! The client's schema is ours, not the node's: the node's is only compared
//! with the promised one. Each batch is looked at without being decoded
//! (`verify`). What may not go on as it is, because it is too long for a client
//! or because only its cells could tell whether it keeps a promise, is decoded
//! like every other answer. Whatever cannot be relayed at all is not asked
//! here: see [`Relay::of`].

mod direct;
mod verify;

use std::{collections::HashMap, sync::Arc};

use arrow::{
    datatypes::Schema,
    ipc::{Endianness, root_as_message},
    record_batch::RecordBatch,
};
use arrow_flight::{FlightData, utils::flight_data_to_arrow_batch};
use datafusion::physical_plan::{ExecutionPlan, coop::CooperativeExec};
use futures::{Stream, TryStreamExt, stream};
use meshgate_engine::pieces;

use super::{
    DomainQuery, DomainQueryExec, QueryContext,
    attempt::{self, Attempt, Batches},
};
use crate::{edge, status::GatewayError};

pub(crate) use direct::{DirectAnswer, DirectPromise};

/// A part of a result on its way to the client.
#[derive(Debug)]
pub(crate) enum Portion {
    /// Rows in the types of the plan.
    Rows(RecordBatch),
    /// A node's message, as the client gets it.
    Message(RelayedBatch),
}

/// A batch that stays encoded.
#[derive(Debug)]
pub(crate) struct RelayedBatch {
    pub message: FlightData,
    pub rows: usize,
    /// What [`edge::size`] says of the batch once it is decoded.
    pub bytes: usize,
}

/// A result that can be relayed.
#[derive(Debug)]
pub(crate) struct Relay {
    query: Arc<DomainQuery>,
    context: Arc<QueryContext>,
}

impl Relay {
    /// Of a plan that is one domain query and nothing else, whose types are those in which the result
    /// leaves, in `schema`. `None` also if the domain's answers are to be decoded.
    pub(crate) fn of(
        plan: &Arc<dyn ExecutionPlan>,
        schema: &Schema,
        context: &Arc<QueryContext>,
    ) -> Option<Self> {
        let query = only_query(plan)?;
        let domain = context.snapshot.domain(&query.domain)?;
        let may_be_relayed = domain.connection.as_ref()?.may_be_relayed();
        (may_be_relayed && keeps_types(&query.schema, schema))
            .then(|| Self { query: Arc::clone(query), context: Arc::clone(context) })
    }

    /// Asks the domain. Dropping the stream ends the work of its node.
    pub(crate) fn portions(self) -> impl Stream<Item = Result<Portion, GatewayError>> + Send {
        stream::once(async move { Answer::open(self.query, self.context).await })
            .map_ok(|answer| {
                stream::try_unfold(answer, |mut answer| async move {
                    Ok(answer.next().await?.map(|portion| (portion, answer)))
                })
            })
            .try_flatten()
    }
}

/// The domain query that `plan` is. What lets others run in between does nothing else.
fn only_query(plan: &Arc<dyn ExecutionPlan>) -> Option<&Arc<DomainQuery>> {
    if let Some(query) = plan.downcast_ref::<DomainQueryExec>() {
        return Some(query.query());
    }
    let cooperative = plan.downcast_ref::<CooperativeExec>()?;
    cooperative.input().downcast_ref::<DomainQueryExec>().map(DomainQueryExec::query)
}

/// Do columns of `from` leave in `to` as they are, and are their messages understood?
fn keeps_types(from: &Schema, to: &Schema) -> bool {
    pieces::keeps_types(from, to) && from.fields().iter().all(|field| verify::is_known(field.data_type()))
}

struct Answer {
    attempt: Attempt,
}

impl Answer {
    /// An answer whose schema is as promised.
    async fn open(query: Arc<DomainQuery>, context: Arc<QueryContext>) -> Result<Self, GatewayError> {
        let mut attempt = Attempt::open(query, context, Batches::PassedOn).await?;
        let first = attempt.next().await?;
        let schema = first.as_ref().and_then(little_endian_schema);
        attempt::check_schema(attempt.query(), schema.as_ref(), Batches::PassedOn)?;
        Ok(Self { attempt })
    }

    async fn next(&mut self) -> Result<Option<Portion>, GatewayError> {
        let Some(message) = self.attempt.next().await? else { return Ok(None) };
        self.portion(message).map(Some)
    }

    fn portion(&self, message: FlightData) -> Result<Portion, GatewayError> {
        let query = self.attempt.query();
        let verified =
            verify::batch(&message, &query.schema).map_err(|fault| attempt::unusable(query, fault))?;
        let length = message.data_header.len().saturating_add(message.data_body.len());
        if !verified.is_certain || length > edge::MESSAGE_BYTES {
            let batch = flight_data_to_arrow_batch(&message, Arc::clone(&query.schema), &HashMap::new());
            // The text of an error can hold what was in the message.
            return batch.map(Portion::Rows).map_err(|_| attempt::unusable(query, "it cannot be decoded"));
        }
        // Neither metadata nor a descriptor of the node's goes on.
        let FlightData { data_header, data_body, .. } = message;
        let message = FlightData { data_header, data_body, ..FlightData::default() };
        Ok(Portion::Message(RelayedBatch { message, rows: verified.rows, bytes: verified.bytes }))
    }
}

/// The schema of a first message, if it is one and says that its numbers are as ours.
fn little_endian_schema(message: &FlightData) -> Option<Schema> {
    let header = root_as_message(&message.data_header).ok()?;
    let is_little = header.header_as_schema()?.endianness() == Endianness::Little;
    is_little.then(|| Schema::try_from(message).ok()).flatten()
}

#[cfg(test)]
mod tests;
