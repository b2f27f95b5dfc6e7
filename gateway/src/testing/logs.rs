//! What one test logs in its own thread: tasks of a `tokio::test` run there.

use std::{
    io::Write,
    sync::{Arc, Mutex},
    time::Duration,
};

use tracing::{Level, subscriber::DefaultGuard};

/// Everything at the level of warnings and above, while it is there.
pub(crate) struct Logs {
    text: Arc<Mutex<Vec<u8>>>,
    _guard: DefaultGuard,
}

impl Logs {
    pub(crate) fn start() -> Self {
        let text = Arc::<Mutex<Vec<u8>>>::default();
        let kept = Arc::clone(&text);
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(Level::WARN)
            .with_writer(move || Keeper(Arc::clone(&kept)))
            .finish();
        Self { text, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// How many lines hold `text`.
    pub(crate) fn count(&self, text: &str) -> usize {
        let bytes = self.text.lock().unwrap();
        String::from_utf8_lossy(&bytes).lines().filter(|line| line.contains(text)).count()
    }

    pub(crate) async fn until(&self, text: &str) {
        let logged = async {
            while self.count(text) == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), logged).await.expect(text);
    }
}

struct Keeper(Arc<Mutex<Vec<u8>>>);

impl Write for Keeper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
