//! Planning is work of one processor that cannot be interrupted, and it
//! recurses: it runs on threads of its own with a large stack, few at a time,
//! and its caller waits for it no longer than the deadline.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    runtime::Handle,
    sync::{Semaphore, oneshot},
};

use crate::status::{GatewayError, Limit};

/// Reserved, not used: the kernel gives a page when it is touched.
const STACK_BYTES: usize = 64 << 20;
/// A statement that takes longer to plan than this is refused.
const LONGEST: Duration = Duration::from_secs(30);

/// Runs plannings, as many at a time as there are processors.
#[derive(Debug)]
pub(super) struct PlanningThreads {
    slots: Arc<Semaphore>,
}

impl PlanningThreads {
    pub(super) fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { slots: Arc::new(Semaphore::new(processors)) }
    }

    /// The result of `work`. A late one is thrown away; its thread keeps its
    /// slot until it ends, so that slow plannings cannot pile up.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        deadline: Instant,
        work: impl Future<Output = Result<T, GatewayError>> + Send + 'static,
    ) -> Result<T, GatewayError> {
        let deadline = deadline.min(Instant::now() + LONGEST);
        tokio::time::timeout_at(deadline.into(), self.start(work))
            .await
            .unwrap_or(Err(GatewayError::Limit(Limit::QueryTime)))
    }

    async fn start<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, GatewayError>> + Send + 'static,
    ) -> Result<T, GatewayError> {
        let internal = |text: String| GatewayError::Internal(format!("planning: {text}"));
        let slot =
            Arc::clone(&self.slots).acquire_owned().await.map_err(|error| internal(error.to_string()))?;
        let (sender, receiver) = oneshot::channel();
        let runtime = Handle::current();
        std::thread::Builder::new()
            .name("planner".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || {
                let result = runtime.block_on(work);
                // Who waited may have given up.
                drop(sender.send(result));
                drop(slot);
            })
            .map_err(|error| internal(error.to_string()))?;
        receiver.await.map_err(|_| internal("the thread ended without a result".to_owned()))?
    }
}
