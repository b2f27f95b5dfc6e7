//! How many rows a table may have: for planning only, never an answer.

use std::io::Read as _;
use std::sync::Arc;

use super::files::FileSet;

/// Bytes that are looked at to guess how many rows a file of text has.
const SAMPLE_BYTES: u64 = 64 * 1024;

/// Rows by the number of lines in the first bytes of the largest file.
pub(super) async fn rows_of_text(files: &Arc<FileSet>) -> Option<u64> {
    let files = Arc::clone(files);
    let sampled = tokio::task::spawn_blocking(move || {
        let largest = files.files.iter().max_by_key(|file| file.size())?;
        let mut sample = Vec::new();
        files.open(largest).ok()?.take(SAMPLE_BYTES).read_to_end(&mut sample).ok()?;
        let lines = u64::try_from(sample.iter().filter(|byte| **byte == b'\n').count()).ok()?;
        let length = u64::try_from(sample.len()).ok()?.max(1);
        Some(files.bytes().saturating_mul(lines) / length)
    });
    sampled.await.ok()?
}
