//! A gateway without a server: statements of one domain, planned and answered as
//! for clients, in the process of whoever asks.
//!
//! For the owner's tools. Nobody is authenticated: the caller says who asks.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use arrow::{datatypes::SchemaRef, record_batch::RecordBatch};
use futures::{StreamExt, TryStreamExt};
use meshgate_engine::{Engine, statement::StatementLimits};
use meshgate_policies::{Mesh, Principal};
use meshgate_proto::v1::Descriptor;

use crate::{
    catalog::PrincipalCatalog,
    config::PermitKeyConfig,
    edge,
    flight::execution_error,
    identity::Clock,
    mesh::{Described, DomainNode, Snapshot},
    parameters::ParameterValues,
    planner::{Parameters, Planned, Planner},
    query::{PermitIssuer, PermitIssuerError, QueryContext},
    status::GatewayError,
};

/// Longest time of a statement.
const QUERY_TIME: Duration = Duration::from_secs(300);
/// Most rows that are taken of a result.
const ROWS_MAX: usize = 100_000;

/// The name under which permits are issued.
pub const GATEWAY: &str = "offline";

/// Plans and runs statements of one domain at one instant.
#[derive(Debug)]
pub struct OfflineGateway {
    engine: Arc<Engine>,
    planner: Planner,
    permits: Arc<PermitIssuer>,
    snapshot: Arc<Snapshot>,
    instant: i64,
}

/// Why there is no gateway over a domain.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    #[error(transparent)]
    Permits(#[from] PermitIssuerError),
    #[error("the domain cannot be described: {0}")]
    Description(String),
}

/// What a statement gave.
#[derive(Debug)]
pub struct Answer {
    pub schema: SchemaRef,
    pub batches: Vec<RecordBatch>,
    /// The domain's tables that the statement named and that exist for whoever asked.
    pub tables: Vec<String>,
}

/// What a client is told instead of an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Refused {
    pub kind: RefusalKind,
    pub text: String,
}

/// What a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// Hidden, or not there.
    NoSuchTable,
    /// Hidden, or not there.
    NoSuchColumn,
    Other,
}

impl OfflineGateway {
    /// A gateway of the one domain that `node` describes, under `mesh`. `instant` is that of
    /// every statement, in microseconds since the epoch.
    pub fn new(
        engine: Arc<Engine>,
        permit_key: &PermitKeyConfig,
        instant: i64,
        mesh: Mesh,
        descriptor: Descriptor,
        node: Arc<dyn DomainNode>,
    ) -> Result<Self, OfflineError> {
        let name = descriptor.domain.clone();
        let described = Described::read(&name, descriptor);
        let described = described.map_err(|error| OfflineError::Description(error.to_string()))?;
        let clock = Clock::new(move || instant);
        Ok(Self {
            planner: Planner::new(Arc::clone(&engine), StatementLimits::default()),
            engine,
            permits: Arc::new(PermitIssuer::new(GATEWAY, permit_key, clock)?),
            snapshot: Arc::new(Snapshot::of_one(mesh, described, node, &name)),
            instant,
        })
    }

    /// The answer to a statement of `principal`.
    pub async fn query(&self, principal: &Principal, sql: &str) -> Result<Answer, Refused> {
        let (principal, snapshot) = (Arc::new(principal.clone()), Arc::clone(&self.snapshot));
        let context = Arc::new(QueryContext::new(
            uuid::Uuid::now_v7().to_string(),
            Arc::clone(&principal),
            Arc::clone(&snapshot),
            Arc::clone(&self.permits),
            Instant::now() + QUERY_TIME,
            QUERY_TIME,
        ));
        let catalog = Arc::new(PrincipalCatalog::new(snapshot, principal, self.instant));
        let answer = self.answer(sql, &catalog, context).await.map_err(|error| refused(&error))?;
        Ok(Answer { tables: catalog.named().iter().map(|table| table.name.clone()).collect(), ..answer })
    }

    async fn answer(
        &self,
        sql: &str,
        catalog: &Arc<PrincipalCatalog>,
        context: Arc<QueryContext>,
    ) -> Result<Answer, GatewayError> {
        let planned = self.planner.plan(
            sql.to_owned(),
            Parameters::Given(ParameterValues::default()),
            Arc::clone(catalog),
            Arc::clone(&context),
        );
        let Planned { schema, plan, task, .. } = planned.await?;
        let schema = edge::schema(&schema);
        let failed = |error| execution_error(&context, &error);
        let mut rows = self.engine.execute(plan, task, context.deadline()).map_err(failed)?.boxed();
        let (mut batches, mut count) = (Vec::new(), 0);
        while let Some(batch) = rows.try_next().await.map_err(failed)? {
            count += batch.num_rows();
            if count > ROWS_MAX {
                let text = format!("the result has more than {ROWS_MAX} rows");
                return Err(GatewayError::Statement(text));
            }
            let converted = edge::convert(&batch, &schema);
            batches.push(converted.map_err(|error| GatewayError::Internal(error.to_string()))?);
        }
        Ok(Answer { schema, batches, tables: Vec::new() })
    }
}

fn refused(error: &GatewayError) -> Refused {
    let kind = match error {
        GatewayError::UnknownTable(_) => RefusalKind::NoSuchTable,
        GatewayError::UnknownColumn(_) => RefusalKind::NoSuchColumn,
        _ => RefusalKind::Other,
    };
    Refused { kind, text: error.to_string() }
}
