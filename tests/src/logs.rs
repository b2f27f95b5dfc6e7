//! What the servers of this process log.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, fmt};

static CAPTURED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Shows logs for tests that fail (`RUST_LOG` says which), and keeps what servers log by themselves.
pub fn start() {
    let shown = fmt::layer().with_test_writer().with_filter(EnvFilter::from_default_env());
    let kept = fmt::layer().with_ansi(false).with_writer(|| Keeper).with_filter(LevelFilter::INFO);
    // Whoever was first has started the same.
    let _ = tracing_subscriber::registry().with(shown).with(kept).try_init();
}

/// Everything that was logged at the level of servers so far.
pub fn captured() -> String {
    let bytes = CAPTURED.lock().unwrap_or_else(PoisonError::into_inner);
    String::from_utf8_lossy(&bytes).into_owned()
}

struct Keeper;

impl Write for Keeper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        CAPTURED.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
