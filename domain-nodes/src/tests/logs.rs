//! What the nodes of this process log.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt;

static CAPTURED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Keeps what is logged from here on.
pub(crate) fn start() {
    // Whoever was first has started the same.
    let _ = fmt().with_ansi(false).with_writer(|| Keeper).with_max_level(LevelFilter::INFO).try_init();
}

/// Lines so far that hold all of these texts.
pub(crate) fn lines_with(texts: &[&str]) -> Vec<String> {
    let bytes = CAPTURED.lock().unwrap_or_else(PoisonError::into_inner);
    let captured = String::from_utf8_lossy(&bytes);
    let lines = captured.lines().filter(|line| texts.iter().all(|text| line.contains(text)));
    lines.map(str::to_owned).collect()
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
