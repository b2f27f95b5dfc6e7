//! Results end when what was decided for them is not decided any more. Both
//! servers wait with this, each with its own question.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// Completes once the newest state has not held for `within`. Asks at every
/// change, and every `within` without one: grants end by their dates, too.
/// Never completes for want of a change when nobody publishes states any more.
pub async fn lost<S>(
    mut states: watch::Receiver<Arc<S>>,
    within: Duration,
    holds: impl Fn(&S) -> bool + Send,
) {
    loop {
        if !holds(&newest(&mut states)) {
            tokio::time::sleep(within).await;
            if !holds(&newest(&mut states)) {
                return;
            }
        }
        tokio::select! {
            // Whoever publishes is gone only when the server is.
            changed = states.changed() => if changed.is_err() { return std::future::pending().await },
            // The last look is as long ago as it may be.
            () = tokio::time::sleep(within) => if !holds(&newest(&mut states)) { return },
        }
    }
}

fn newest<S>(states: &mut watch::Receiver<Arc<S>>) -> Arc<S> {
    Arc::clone(&states.borrow_and_update())
}
