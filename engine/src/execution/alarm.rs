//! Deadlines. The clock has a thread of its own: threads that compute may be
//! too busy to notice the time.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

/// A thread that waits for deadlines.
#[derive(Debug)]
pub(crate) struct Clock {
    runtime: Option<Runtime>,
}

impl Clock {
    pub(crate) fn start() -> std::io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("engine-clock")
            .enable_time()
            .build()?;
        Ok(Self { runtime: Some(runtime) })
    }

    /// Aborts `work` at `deadline`, and then resolves.
    pub(crate) fn alarm(&self, deadline: Instant, work: AbortHandle) -> Option<Alarm> {
        let (sender, rings) = oneshot::channel();
        let waiting = self.runtime.as_ref()?.spawn(async move {
            tokio::time::sleep_until(deadline.into()).await;
            // The receiver learns of the deadline before it can notice the abortion.
            let _ = sender.send(());
            work.abort();
        });
        Some(Alarm { rings, waiting: waiting.abort_handle() })
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // The usual drop would block, which is forbidden on threads of another runtime.
            runtime.shutdown_background();
        }
    }
}

/// Resolves at a deadline. Dropping it lets the work go on.
#[derive(Debug)]
pub(crate) struct Alarm {
    rings: oneshot::Receiver<()>,
    waiting: AbortHandle,
}

impl Future for Alarm {
    type Output = ();

    /// A clock that has stopped rings, too: work without a deadline does not go on.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.rings).poll(context).map(|_| ())
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.waiting.abort();
    }
}
