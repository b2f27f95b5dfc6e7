//! What a caller can ask of a gateway, and all that it is told.

use arrow_flight::sql::{
    ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, Any, CommandGetCatalogs,
    CommandGetDbSchemas, CommandGetPrimaryKeys, CommandGetTableTypes, CommandGetTables,
    CommandPreparedStatementQuery, ProstMessageExt,
};
use arrow_flight::{Action, Criteria, FlightDescriptor, FlightInfo};
use futures::TryStreamExt;
use meshgate_tests::client::{Client, statement};
use prost::Message;
use tonic::Status;

use super::observe::{self, Told};

#[derive(Debug, Clone)]
pub(crate) enum Request {
    /// GetFlightInfo, then DoGet.
    Statement {
        sql: String,
        /// Several results are right: a limit without an order.
        is_open: bool,
    },
    /// CreatePreparedStatement, then GetFlightInfo and DoGet with its handle.
    Prepared(String),
    /// GetSchema.
    Schema(String),
    Catalogs,
    Schemas,
    Tables {
        include_schema: bool,
        pattern: Option<String>,
    },
    TableTypes,
    PrimaryKeys {
        domain: String,
        table: String,
    },
    /// ListFlights.
    Flights,
    /// A descriptor of a path, then DoGet.
    Path(Vec<String>),
}

impl Request {
    /// Is it a statement that names a table?
    pub(crate) fn reads(&self, table: &str) -> bool {
        matches!(self, Self::Statement { sql, .. } if sql.contains(table))
    }

    /// For the counters.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Statement { .. } => "statement",
            Self::Prepared(_) => "prepared statement",
            Self::Schema(_) => "GetSchema",
            Self::Catalogs => "catalogs",
            Self::Schemas => "schemas",
            Self::Tables { .. } => "tables",
            Self::TableTypes => "table types",
            Self::PrimaryKeys { .. } => "primary keys",
            Self::Flights => "ListFlights",
            Self::Path(_) => "path",
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Self::Statement { is_open: true, .. })
    }

    /// Everything that the caller is told, in order. What differs from run to run is left out.
    pub(crate) async fn ask(&self, client: &mut Client) -> Told {
        let mut told = Told::default();
        if let Err(status) = self.tell(client, &mut told).await {
            told.status(&status);
        }
        told
    }

    async fn tell(&self, client: &mut Client, told: &mut Told) -> Result<(), Status> {
        match self {
            Self::Statement { sql, .. } => info_and_rows(client, statement(sql), told).await,
            Self::Path(path) => info_and_rows(client, FlightDescriptor::new_path(path.clone()), told).await,
            Self::Schema(sql) => {
                let schema = client.flight().get_schema(statement(sql)).await?.into_inner();
                told.bytes("schema", &schema.schema);
                Ok(())
            }
            Self::Prepared(sql) => prepared(client, sql, told).await,
            Self::Flights => {
                let flights = client.flight().list_flights(Criteria::default()).await?.into_inner();
                for info in flights.try_collect::<Vec<FlightInfo>>().await? {
                    told.info(&info);
                }
                Ok(())
            }
            Self::Catalogs => metadata(client, &CommandGetCatalogs {}, told).await,
            Self::TableTypes => metadata(client, &CommandGetTableTypes {}, told).await,
            Self::Schemas => {
                let command = CommandGetDbSchemas { catalog: None, db_schema_filter_pattern: None };
                metadata(client, &command, told).await
            }
            Self::Tables { include_schema, pattern } => {
                let command = CommandGetTables {
                    catalog: None,
                    db_schema_filter_pattern: None,
                    table_name_filter_pattern: pattern.clone(),
                    table_types: Vec::new(),
                    include_schema: *include_schema,
                };
                metadata(client, &command, told).await
            }
            Self::PrimaryKeys { domain, table } => {
                let command = CommandGetPrimaryKeys {
                    catalog: None,
                    db_schema: Some(domain.clone()),
                    table: table.clone(),
                };
                metadata(client, &command, told).await
            }
        }
    }
}

async fn metadata(
    client: &mut Client,
    command: &impl ProstMessageExt,
    told: &mut Told,
) -> Result<(), Status> {
    info_and_rows(client, FlightDescriptor::new_cmd(command.as_any().encode_to_vec()), told).await
}

async fn prepared(client: &mut Client, sql: &str, told: &mut Told) -> Result<(), Status> {
    let request = ActionCreatePreparedStatementRequest { query: sql.to_owned(), transaction_id: None };
    let action = Action {
        r#type: "CreatePreparedStatement".to_owned(),
        body: request.as_any().encode_to_vec().into(),
    };
    let results = client.flight().do_action(action).await?.into_inner();
    for result in results.try_collect::<Vec<_>>().await? {
        let any = Any::decode(result.body).expect("a packed message");
        let made: ActionCreatePreparedStatementResult = any.unpack().expect("a message").expect("the result");
        told.number("length of the handle", made.prepared_statement_handle.len());
        told.bytes("schema", &made.dataset_schema);
        told.bytes("parameters", &made.parameter_schema);
        let command =
            CommandPreparedStatementQuery { prepared_statement_handle: made.prepared_statement_handle };
        info_and_rows(client, FlightDescriptor::new_cmd(command.as_any().encode_to_vec()), told).await?;
    }
    Ok(())
}

async fn info_and_rows(
    client: &mut Client,
    descriptor: FlightDescriptor,
    told: &mut Told,
) -> Result<(), Status> {
    let info = client.flight().get_flight_info(descriptor).await?.into_inner();
    told.info(&info);
    for endpoint in info.endpoint {
        let mut stream = client.flight().do_get(endpoint.ticket.expect("a ticket")).await?.into_inner();
        while let Some(message) = stream.try_next().await? {
            told.message(&message);
        }
    }
    observe::end(told);
    Ok(())
}
