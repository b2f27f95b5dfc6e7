//! What the buffers of a compressed batch say of their length. A decoder believes it and allocates as much, so whoever
//! decodes what others wrote looks here first. The decoder of LZ4 in arrow-ipc 59 goes on beyond it: this is a bound for
//! ZSTD only.

use arrow::ipc::RecordBatch;

/// In front of every compressed buffer.
const LENGTH_BYTES: usize = 8;
/// In the place of a length: what follows is as it was.
const NOT_COMPRESSED: i64 = -1;

/// Bytes of all buffers of `batch`, once they are decompressed. None if one of them is not in `body`, or has no length.
///
/// Source: `BodyCompression` in the Arrow format's Message.fbs.
pub fn decompressed_bytes(batch: RecordBatch<'_>, body: &[u8]) -> Option<usize> {
    let is_compressed = batch.compression().is_some();
    batch.buffers().into_iter().flatten().try_fold(0_usize, |total, buffer| {
        let start = usize::try_from(buffer.offset()).ok()?;
        let end = start.checked_add(usize::try_from(buffer.length()).ok()?)?;
        let bytes = body.get(start..end)?;
        let length = if is_compressed && !bytes.is_empty() { length(bytes)? } else { bytes.len() };
        total.checked_add(length)
    })
}

fn length(buffer: &[u8]) -> Option<usize> {
    match i64::from_le_bytes(*buffer.first_chunk::<LENGTH_BYTES>()?) {
        NOT_COMPRESSED => Some(buffer.len()),
        length => usize::try_from(length).ok(),
    }
}
