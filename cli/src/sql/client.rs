//! A Flight SQL client for one statement after the other.

use std::{fs, time::Duration};

use arrow_flight::{
    Action, FlightInfo, decode::FlightRecordBatchStream, error::FlightError,
    flight_service_client::FlightServiceClient, sql::client::FlightSqlServiceClient,
};
use futures::TryStreamExt;
use serde::Deserialize;
use tonic::{
    Code, Status,
    transport::{Certificate, ClientTlsConfig, Endpoint},
};

use super::{session::SessionChannel, target::Target};
use crate::failure::Failure;

/// Chooses the purpose of every call.
const PURPOSE_HEADER: &str = "meshgate-purpose";
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// Servers aim at 2 MiB a message; a single wide row can be more.
const MESSAGE_BYTES: usize = 64 << 20;

pub(crate) struct Client {
    flight: FlightSqlServiceClient<SessionChannel>,
    uri: String,
}

/// What the gateway says about a result besides its rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Notice {
    #[serde(default)]
    pub(crate) policies: PolicyCounts,
}

/// How many rules had a say. Counts of rules, never of hidden rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct PolicyCounts {
    #[serde(default)]
    pub(crate) row_rules: u64,
    #[serde(default)]
    pub(crate) masked_columns: u64,
}

/// Something that failed, with what the command line needs to know of it.
#[derive(Debug)]
pub(crate) struct QueryError {
    pub(crate) code: Option<Code>,
    pub(crate) message: String,
}

impl Client {
    pub(crate) async fn connect(target: &Target) -> Result<Self, Failure> {
        let ca = fs::read(&target.ca).map_err(|error| Failure::file("read", &target.ca, &error))?;
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ca));
        let wrong =
            || Failure::Usage(format!("`{}` is not a gateway; write grpc+tls://host:port", target.uri));
        let address = target.uri.strip_prefix("grpc+tls://").ok_or_else(wrong)?;
        let channel = Endpoint::from_shared(format!("https://{address}"))
            .and_then(|endpoint| endpoint.tls_config(tls))
            .map_err(|_| wrong())?
            .connect_timeout(CONNECT_TIME)
            .tcp_nodelay(true)
            .connect()
            .await
            .map_err(|error| {
                Failure::Refused(format!(
                    "the gateway {} cannot be reached: {}. Is it running, and is {} its certificate authority?",
                    target.uri,
                    innermost(&error),
                    target.ca.display()
                ))
            })?;
        let inner =
            FlightServiceClient::new(SessionChannel::new(channel)).max_decoding_message_size(MESSAGE_BYTES);
        let mut flight = FlightSqlServiceClient::new_from_inner(inner);
        flight.set_token(target.token.clone());
        if let Some(purpose) = &target.purpose {
            flight.set_header(PURPOSE_HEADER, purpose);
        }
        let mut client = Self { flight, uri: target.uri.clone() };
        client.open_session().await?;
        Ok(client)
    }

    /// The first answer brings the session, so that the first statement can be a `SET`.
    async fn open_session(&mut self) -> Result<(), QueryError> {
        let action = Action { r#type: "GetSessionOptions".to_owned(), ..Action::default() };
        let answer = self.flight.do_action(action).await?;
        answer.try_collect::<Vec<_>>().await?;
        Ok(())
    }

    /// What the gateway answers to an action.
    pub(crate) async fn act(&mut self, action: &str) -> Result<Vec<u8>, QueryError> {
        let action = Action { r#type: action.to_owned(), ..Action::default() };
        let bodies: Vec<_> = self.flight.do_action(action).await?.try_collect().await?;
        Ok(bodies.iter().flat_map(|result: &arrow_flight::Result| result.body.to_vec()).collect())
    }

    /// Plans a statement.
    pub(crate) async fn execute(&mut self, statement: &str) -> Result<FlightInfo, QueryError> {
        self.flight.execute(statement.to_owned(), None).await.map_err(QueryError::from)
    }

    /// Reads a planned result. Dropping the stream cancels the query.
    pub(crate) async fn read(
        &mut self,
        info: &FlightInfo,
    ) -> Result<Option<FlightRecordBatchStream>, QueryError> {
        match info.endpoint.as_slice() {
            [] => Ok(None),
            [endpoint] => {
                let ticket = endpoint.ticket.clone().unwrap_or_default();
                self.flight.do_get(ticket).await.map(Some).map_err(QueryError::from)
            }
            _ => Err(QueryError {
                code: None,
                message: format!("{} answered in several parts, which this client does not read", self.uri),
            }),
        }
    }
}

impl Notice {
    /// Reads the notice; a gateway that sends none has none.
    pub(crate) fn of(info: &FlightInfo) -> Self {
        serde_json::from_slice(&info.app_metadata).unwrap_or_default()
    }
}

impl From<FlightError> for QueryError {
    fn from(error: FlightError) -> Self {
        match error {
            FlightError::Tonic(status) => Self::from(*status),
            other => Self { code: None, message: format!("the answer could not be read: {other}") },
        }
    }
}

impl From<Status> for QueryError {
    fn from(status: Status) -> Self {
        let mut message = match status.message() {
            "" => format!("the gateway answered {:?}", status.code()),
            text => text.to_owned(),
        };
        let query = status.metadata().get("x-query-id").and_then(|value| value.to_str().ok());
        if let Some(query) = query.filter(|query| !message.contains(*query)) {
            message.push_str(&format!(" (query {query})"));
        }
        Self { code: Some(status.code()), message }
    }
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        match error.code {
            Some(Code::Unauthenticated | Code::PermissionDenied | Code::Unavailable) => {
                Self::Refused(error.message)
            }
            _ => Self::Found(error.message),
        }
    }
}

/// Transport errors say "transport error" and keep the reason inside.
pub(crate) fn innermost(error: &dyn std::error::Error) -> String {
    let mut current = error;
    while let Some(source) = current.source() {
        current = source;
    }
    current.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_read_and_its_absence_is_fine() {
        let mut info = FlightInfo::new();
        assert_eq!(Notice::of(&info), Notice::default());
        info.app_metadata =
            br#"{"query_id":"x","policies":{"row_rules":2,"masked_columns":1}}"#.to_vec().into();
        assert_eq!(Notice::of(&info).policies, PolicyCounts { row_rules: 2, masked_columns: 1 });
    }

    #[test]
    fn refusals_and_faults_have_their_own_exit_codes() {
        let failure = |status: Status| Failure::from(QueryError::from(status));
        assert!(matches!(failure(Status::unauthenticated("who?")), Failure::Refused(_)));
        assert!(matches!(failure(Status::unavailable("down")), Failure::Refused(_)));
        assert!(matches!(failure(Status::invalid_argument("no such table")), Failure::Found(_)));
    }

    #[test]
    fn the_query_id_is_told_once() {
        let mut status = Status::internal("broken");
        status.metadata_mut().insert("x-query-id", "0199".parse().unwrap());
        assert_eq!(QueryError::from(status).message, "broken (query 0199)");
        let mut status = Status::internal("broken, query 0199");
        status.metadata_mut().insert("x-query-id", "0199".parse().unwrap());
        assert_eq!(QueryError::from(status).message, "broken, query 0199");
    }
}
