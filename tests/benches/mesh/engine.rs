//! A domain's table in this process: as its source gives it, and as the node secures it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use datafusion::catalog::{MemoryCatalogProviderList, TableProvider};
use datafusion::common::TableReference;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::physical_plan::execute_stream;
use futures::StreamExt;
use meshgate_domain_node::contract::ProductTable;
use meshgate_domain_node::secured::SecuredTable;
use meshgate_domain_node::source::{Access, Source};
use meshgate_engine::{Engine, EngineLimits, QuerySettings};
use meshgate_policies::{Decision, DomainPolicy, Principal, Statement};
use meshgate_tests::documents::load;

const INSTANT: i64 = 1_795_390_200_000_000;

/// A domain whose contracts and policies lie in a folder.
pub(crate) struct Domain {
    engine: Arc<Engine>,
    policy: DomainPolicy,
    tables: Vec<ProductTable>,
    access: Access,
}

impl Domain {
    /// `root`: the mesh's folder. `data`: where its files lie.
    pub(crate) fn read(root: &Path, domain: &str, data: &Path) -> Self {
        let (policy, tables) = load(root, domain).unwrap_or_else(|problem| panic!("{problem}"));
        let access = Access::new(vec![data.to_owned()], BTreeMap::new());
        let engine = Engine::new(EngineLimits::default()).expect("an engine");
        Self { engine, policy, tables, access }
    }

    /// Reads all rows of a table to their end, as its source gives them, or as a caller with `role` sees them.
    pub(crate) async fn read_all(&self, table: &str, role: Option<&str>) -> usize {
        let settings = QuerySettings { query_id: String::new(), instant: INSTANT, zone: "UTC".to_owned() };
        let session =
            self.engine.session(settings, Arc::new(MemoryCatalogProviderList::new())).expect("a session");
        let product = self.tables.iter().find(|own| own.table.name == table).expect("the table");
        let source = Source::new(product, &self.access).expect("a source");
        let decision = role.map(|role| self.decide(table, role));
        let described = Arc::clone(&product.table);
        let work = async move {
            let raw = source.open(&session).await.map_err(datafusion::error::DataFusionError::from)?.provider;
            let provider: Arc<dyn TableProvider> = match decision {
                None => raw,
                Some(Decision::Visible(decision)) => {
                    Arc::new(SecuredTable::new(&decision, described, raw).expect("a secured table"))
                }
                Some(absent @ Decision::Absent { .. }) => panic!("{absent:?}"),
            };
            let scan =
                LogicalPlanBuilder::scan(TableReference::bare("t"), provider_as_source(provider), None)?;
            let plan = session.create_physical_plan(&scan.build()?).await?;
            let mut stream = execute_stream(plan, session.task_ctx())?;
            let mut rows = 0;
            while let Some(batch) = stream.next().await {
                rows += batch?.num_rows();
            }
            Ok(rows)
        };
        self.engine
            .run(work, self.engine.latest_deadline())
            .await
            .unwrap_or_else(|error| panic!("{table}: {error}"))
    }

    fn decide(&self, table: &str, role: &str) -> Decision {
        let principal = Principal {
            issuer: "bench".into(),
            subject: "bench".into(),
            roles: [role.to_owned()].into(),
            ..Principal::default()
        };
        self.policy.decide(table, &principal, &Statement { instant: INSTANT, zone: chrono_tz::UTC })
    }
}
