//! A client that takes a whole result and keeps none of it.

use arrow_flight::FlightData;
use arrow_flight::error::FlightError;
use futures::{Stream, TryStreamExt};
use meshgate_tests::client::Client;
use tonic::Status;

/// Rows of a statement's result, which must come.
pub(crate) async fn rows_of(client: &mut Client, sql: &str) -> usize {
    count(client, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// Rows of a statement's result, or why there is none.
pub(crate) async fn count(client: &mut Client, sql: &str) -> Result<usize, FlightError> {
    let info = client.plan(sql).await?;
    client.stream(&info).await?.try_fold(0, async |rows, batch| Ok(rows + batch.num_rows())).await
}

/// Bytes of the bodies of a result's messages, which nobody decodes.
pub(crate) async fn bytes_of(messages: impl Stream<Item = Result<FlightData, Status>>) -> u64 {
    let add = async |bytes, message: FlightData| Ok(bytes + message.data_body.len() as u64);
    messages.try_fold(0, add).await.expect("all messages")
}
