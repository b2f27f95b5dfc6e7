//! What the servers of this process log.

use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tracing_subscriber::filter::{EnvFilter, LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, fmt};

use crate::eventually_async;

static CAPTURED: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static CELLS: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Shows logs for tests that fail (`RUST_LOG` says which), and keeps what servers log by themselves.
pub fn start() {
    let shown = fmt::layer().with_test_writer().with_filter(EnvFilter::from_default_env());
    let kept = fmt::layer().with_ansi(false).with_writer(|| Keeper(&CAPTURED)).with_filter(LevelFilter::INFO);
    let cells = Targets::new().with_target("meshgate_cells", LevelFilter::TRACE);
    let cells = fmt::layer().with_ansi(false).with_writer(|| Keeper(&CELLS)).with_filter(cells);
    // Whoever was first has started the same.
    let _ = tracing_subscriber::registry().with(shown).with(kept).with(cells).try_init();
}

/// Everything that was logged at the level of servers so far.
pub fn captured() -> String {
    text(&CAPTURED)
}

/// What `meshgate_cells=trace` in `RUST_LOG` adds to it.
pub fn captured_cells() -> String {
    text(&CELLS)
}

fn text(kept: &Mutex<Vec<u8>>) -> String {
    String::from_utf8_lossy(&kept.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
}

/// Waits for a line that holds all of these.
pub async fn until(parts: &[&str]) {
    eventually_async(&format!("a line with {parts:?}"), Duration::from_secs(15), async || {
        let holds_all = |line: &str| parts.iter().all(|part| line.contains(part));
        captured().lines().any(holds_all).then_some(())
    })
    .await;
}

struct Keeper(&'static Mutex<Vec<u8>>);

impl Write for Keeper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
