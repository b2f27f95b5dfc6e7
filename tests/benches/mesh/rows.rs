//! A client that takes a whole result and keeps none of it.

use arrow_flight::error::FlightError;
use futures::TryStreamExt;
use meshgate_tests::client::Client;

/// Rows of a statement's result, which must come.
pub(crate) async fn rows_of(client: &mut Client, sql: &str) -> usize {
    count(client, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// Rows of a statement's result, or why there is none.
pub(crate) async fn count(client: &mut Client, sql: &str) -> Result<usize, FlightError> {
    let info = client.plan(sql).await?;
    client.stream(&info).await?.try_fold(0, async |rows, batch| Ok(rows + batch.num_rows())).await
}
