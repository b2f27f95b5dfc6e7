//! Reading files now, because a person says that they are complete: by a
//! signal, or by a call of an administrator.

use tokio::sync::{mpsc, oneshot};

/// Requests that wait.
const WAITING: usize = 8;

/// Has files read.
#[derive(Debug, Clone)]
pub struct Reload(Vec<mpsc::Sender<oneshot::Sender<bool>>>);

/// What reads the files is told here.
#[derive(Debug)]
pub struct ReloadRequests(mpsc::Receiver<oneshot::Sender<bool>>);

/// A way to have files read, and where whoever reads them is told.
pub fn reload_channel() -> (Reload, ReloadRequests) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Reload(vec![sender]), ReloadRequests(receiver))
}

impl Reload {
    /// Has the files of all of these read.
    #[must_use]
    pub fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        Self(parts.into_iter().flat_map(|part| part.0).collect())
    }

    /// Waits until the files were read. True if all of them can be used.
    pub async fn now(&self) -> bool {
        let mut good = true;
        for part in &self.0 {
            let (done, answer) = oneshot::channel();
            good &= part.send(done).await.is_ok() && answer.await.unwrap_or(false);
        }
        good
    }
}

impl ReloadRequests {
    /// The next request: to be answered with whether the files can be used.
    pub async fn next(&mut self) -> oneshot::Sender<bool> {
        match self.0.recv().await {
            Some(request) => request,
            // Nobody is left who could ask.
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_asks_learns_whether_all_files_are_good() {
        let ((one, mut first), (other, mut second)) = (reload_channel(), reload_channel());
        let both = Reload::all([one, other]);
        let asked = tokio::spawn(async move { (both.now().await, both.now().await, both) });
        first.next().await.send(true).unwrap();
        second.next().await.send(true).unwrap();
        first.next().await.send(true).unwrap();
        second.next().await.send(false).unwrap();
        let (good, bad, both) = asked.await.unwrap();
        assert_eq!((good, bad), (true, false));
        drop(second);
        let asked = tokio::spawn(async move { both.now().await });
        first.next().await.send(true).unwrap();
        assert!(!asked.await.unwrap(), "nobody reads files any more");
    }
}
