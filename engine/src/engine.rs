//! One engine per process: threads, memory, spill space, and the sessions of
//! its queries.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use datafusion::catalog::CatalogProviderList;
use datafusion::common::error::{DataFusionError, Result};
use datafusion::execution::disk_manager::{DiskManager, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, MemoryPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{SessionState, TaskContext};
use datafusion::optimizer::OptimizerRule;
use datafusion::optimizer::optimizer::Optimizer;
use datafusion::physical_plan::ExecutionPlan;
use tokio::runtime::{Builder, Runtime};
use tokio::task::AbortHandle;

use crate::execution::{Alarm, Clock, QueryStream};
use crate::failure::Interruption;
use crate::limits::EngineLimits;
use crate::memory::QueryPool;
use crate::session::{self, QuerySettings};

/// Planning recurses over plans and expressions, and unoptimised builds need much stack for it.
const STACK_BYTES: usize = 16 * 1024 * 1024;

/// A rule of an optimizer.
pub type OptimizerRuleRef = Arc<dyn OptimizerRule + Send + Sync>;

/// Why an engine cannot start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error("a limit of the engine is zero")]
    ZeroLimit,
    #[error("the engine's threads cannot be started")]
    Threads(#[source] std::io::Error),
    #[error("the directory for spilled data cannot be used")]
    SpillDirectory(#[source] Box<DataFusionError>),
}

/// DataFusion with bounds. Both servers have one.
#[derive(Debug)]
pub struct Engine {
    limits: EngineLimits,
    memory: Arc<dyn MemoryPool>,
    environment: RuntimeEnv,
    optimizer_rules: Vec<OptimizerRuleRef>,
    runtime: Option<Runtime>,
    clock: Clock,
}

impl Engine {
    /// Starts the threads, and makes the directory for spilled data.
    pub fn new(limits: EngineLimits) -> std::result::Result<Arc<Self>, EngineError> {
        Self::with_optimizer(limits, Optimizer::new().rules)
    }

    /// The same with rules of one's own for logical plans, in their order.
    pub fn with_optimizer(
        limits: EngineLimits,
        optimizer_rules: Vec<OptimizerRuleRef>,
    ) -> std::result::Result<Arc<Self>, EngineError> {
        if [limits.memory, limits.query_memory, limits.threads, limits.batch_size, limits.target_partitions]
            .contains(&0)
        {
            return Err(EngineError::ZeroLimit);
        }
        let memory: Arc<dyn MemoryPool> = Arc::new(FairSpillPool::new(limits.memory));
        let disk = DiskManager::builder()
            .with_mode(DiskManagerMode::Directories(vec![limits.spill_directory.clone()]))
            .with_max_temp_directory_size(limits.spill_bytes);
        let environment = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::clone(&memory))
            .with_disk_manager_builder(disk)
            .build()
            .map_err(|error| EngineError::SpillDirectory(Box::new(error)))?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(limits.threads)
            .thread_name("engine")
            .thread_stack_size(STACK_BYTES)
            .enable_all()
            .build()
            .map_err(EngineError::Threads)?;
        let clock = Clock::start().map_err(EngineError::Threads)?;
        Ok(Arc::new(Self { limits, memory, environment, optimizer_rules, runtime: Some(runtime), clock }))
    }

    /// The bounds that the engine was started with.
    pub fn limits(&self) -> &EngineLimits {
        &self.limits
    }

    /// A session for one query, over `catalogs` and nothing else.
    pub fn session(
        &self,
        settings: QuerySettings,
        catalogs: Arc<dyn CatalogProviderList>,
    ) -> Result<SessionState> {
        self.small_session(settings, catalogs, self.limits.query_memory)
    }

    /// The same for work that may take no more than this much memory.
    pub fn small_session(
        &self,
        settings: QuerySettings,
        catalogs: Arc<dyn CatalogProviderList>,
        memory: usize,
    ) -> Result<SessionState> {
        let memory = memory.min(self.limits.query_memory);
        let memory = Arc::new(QueryPool::new(memory, Arc::clone(&self.memory)));
        let environment =
            RuntimeEnvBuilder::from_runtime_env(&self.environment).with_memory_pool(memory).build_arc()?;
        session::build(settings, catalogs, environment, &self.limits, self.optimizer_rules.clone())
    }

    /// The latest deadline that a query which starts now can have.
    pub fn latest_deadline(&self) -> Instant {
        Instant::now() + self.limits.query_time
    }

    /// Runs a plan of a session of this engine on the engine's threads, until
    /// `deadline` or the latest one, whichever is first.
    pub fn execute(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        context: Arc<TaskContext>,
        deadline: Instant,
    ) -> Result<QueryStream> {
        let runtime = self.runtime.as_ref().ok_or(Interruption::Cancelled)?;
        let alarm = |work: AbortHandle| self.alarm(deadline, work);
        Ok(QueryStream::start(plan, context, runtime.handle(), alarm))
    }

    /// Runs other work of a query, such as planning, on the engine's threads.
    /// Dropping the future ends the work at its next `await`.
    pub async fn run<T, F>(&self, work: F, deadline: Instant) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let runtime = self.runtime.as_ref().ok_or(Interruption::Cancelled)?;
        let work = runtime.spawn(work);
        let guard = AbortOnDrop(work.abort_handle());
        let alarm = self.alarm(deadline, work.abort_handle()).ok_or(Interruption::Cancelled)?;
        let outcome = tokio::select! {
            biased;
            () = alarm => return Err(Interruption::Deadline.into()),
            outcome = work => outcome,
        };
        drop(guard);
        match outcome {
            Ok(result) => result,
            Err(error) if error.is_panic() => Err(Interruption::Panic.into()),
            Err(_) => Err(Interruption::Cancelled.into()),
        }
    }

    /// Tasks that still run or wait on the engine's threads.
    #[cfg(test)]
    pub(crate) fn tasks_alive(&self) -> usize {
        self.runtime.as_ref().map_or(0, |runtime| runtime.metrics().num_alive_tasks())
    }

    fn alarm(&self, deadline: Instant, work: AbortHandle) -> Option<Alarm> {
        self.clock.alarm(deadline.min(self.latest_deadline()), work)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // The usual drop would block, which is forbidden on threads of another runtime.
            runtime.shutdown_background();
        }
    }
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
