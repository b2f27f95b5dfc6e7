//! The roads from a statement to its rows, and every byte that comes back.

use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::{FlightData, FlightDescriptor, FlightInfo};
use futures::TryStreamExt;
use meshgate_tests::client::{Client, execution, statement, ticket};
use meshgate_tests::fixture::MARKER;
use prost::Message;
use tonic::Status;

use super::views::Who;
use crate::proofs::answer::Answer;

/// How a statement is sent, and its result fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Road {
    /// GetFlightInfo of a statement, then DoGet.
    Statement,
    /// Prepared, executed, then DoGet.
    Prepared,
    /// The text itself is the command; the ticket is used later, on another connection with another token.
    Ticket,
}

impl Road {
    pub(super) const ALL: [Self; 3] = [Self::Statement, Self::Prepared, Self::Ticket];

    async fn plan(self, client: &mut Client, sql: &str) -> Result<FlightInfo, Status> {
        match self {
            Self::Statement => client.plan(sql).await,
            Self::Prepared => {
                let handle = client.prepare(sql).await?;
                client.info(execution(handle)).await
            }
            Self::Ticket => client.info(FlightDescriptor::new_cmd(sql.as_bytes().to_vec())).await,
        }
    }
}

/// What came back.
pub(super) struct Reply {
    pub(super) answer: Answer,
    /// Of all messages, and of the error if there was one.
    pub(super) bytes: Vec<u8>,
}

/// Asks `sql` on a `road`, with two connections of one caller.
pub(super) async fn reply(road: Road, (mut first, mut second): (Client, Client), sql: &str) -> Reply {
    let info = match road.plan(&mut first, sql).await {
        Ok(info) => info,
        Err(status) => return Reply::refused(Vec::new(), &status),
    };
    // Sizes would tell of hidden rows.
    assert_eq!((info.total_records, info.total_bytes), (-1, -1), "{sql}");
    let mut bytes = info.encode_to_vec();
    let fetching = if road == Road::Ticket { &mut second } else { &mut first };
    let (messages, ended) = messages(fetching, &info).await;
    messages.iter().for_each(|message| bytes.extend(message.encode_to_vec()));
    if let Err(status) = ended {
        return Reply::refused(bytes, &status);
    }
    let promised = info.try_decode_schema().unwrap();
    let messages = futures::stream::iter(messages.into_iter().map(Ok));
    let mut batches = FlightRecordBatchStream::new_from_flight_data(messages);
    let batches: Vec<_> = (&mut batches).try_collect().await.unwrap();
    assert!(batches.iter().all(|batch| *batch.schema() == promised), "{sql}: not the promised schema");
    if road == Road::Statement {
        let told = first.flight().get_schema(statement(sql)).await.unwrap().into_inner();
        let told: arrow::datatypes::Schema = (&told).try_into().unwrap();
        assert_eq!(told, promised, "{sql}: GetSchema and GetFlightInfo differ");
    }
    Reply { answer: Answer::rows(&promised, &batches), bytes }
}

/// What came until the stream ended, and how it ended.
async fn messages(client: &mut Client, info: &FlightInfo) -> (Vec<FlightData>, Result<(), Status>) {
    let mut messages = Vec::new();
    let mut stream = match client.flight().do_get(ticket(info)).await {
        Ok(response) => response.into_inner(),
        Err(status) => return (messages, Err(status)),
    };
    loop {
        match stream.try_next().await {
            Ok(Some(message)) => messages.push(message),
            Ok(None) => return (messages, Ok(())),
            Err(status) => return (messages, Err(status)),
        }
    }
}

impl Reply {
    fn refused(mut bytes: Vec<u8>, status: &Status) -> Self {
        bytes.extend(format!("{status:?}").into_bytes());
        bytes.extend(status.details());
        Self { answer: Answer::of_status(status), bytes }
    }

    /// No byte is of a hidden cell. (What a statement says itself may come back.)
    pub(super) fn assert_clean(&self, who: Who, sql: &str, what: &str) {
        if who != Who::Auditor && !holds_marker(sql.as_bytes()) {
            assert!(!holds_marker(&self.bytes), "{what}: {}", String::from_utf8_lossy(&self.bytes));
        }
    }
}

/// Is the marker there, in whichever case?
pub(super) fn holds_marker(bytes: &[u8]) -> bool {
    bytes.windows(MARKER.len()).any(|window| window.eq_ignore_ascii_case(MARKER.as_bytes()))
}
