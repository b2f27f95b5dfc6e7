//! The rows of one Arrow IPC file or stream.

use std::io::{self, Read as _};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::ipc::MessageHeader;
use arrow::ipc::reader::FileDecoder;

use super::block::{Framed, IpcError, MAX_BODY_BYTES, PREFIX_BYTES, broken, too_long};
use super::header::{BlockAt, Body, Header, metadata_length};
use crate::source::error::SourceError;
use crate::source::files::{FileSet, PinnedFile};
use crate::source::input::{Input, explained};
use crate::source::ranges::RangeReader;
use crate::source::rows::{FileReader, Rows};

/// Reads the columns at some positions of a file.
pub(in crate::source) struct ArrowReader {
    files: Arc<FileSet>,
    file: Arc<PinnedFile>,
    decoder: FileDecoder,
    blocks: Blocks,
    /// Rows that were decoded and not yet given.
    waiting: Option<RecordBatch>,
}

/// Where the next block is.
enum Blocks {
    File { ranges: RangeReader, batches: std::vec::IntoIter<BlockAt> },
    Stream { input: Input, left: u64 },
}

impl ArrowReader {
    pub(in crate::source) fn new(
        files: &Arc<FileSet>,
        file: &Arc<PinnedFile>,
        header: &Header,
        positions: Vec<usize>,
    ) -> Result<Self, SourceError> {
        let mut decoder = FileDecoder::new(Arc::clone(&header.schema), header.version);
        decoder = decoder.with_projection(positions);
        let blocks = begin(files, file, &header.body, &mut decoder);
        let blocks = blocks.map_err(|error| error.reported(files, file))?;
        Ok(Self { files: Arc::clone(files), file: Arc::clone(file), decoder, blocks, waiting: None })
    }

    /// The rows of the next block; `None` at the end of the file.
    fn next_batch(&mut self) -> Result<Option<RecordBatch>, IpcError> {
        let (input, left) = match &mut self.blocks {
            Blocks::File { ranges, batches } => {
                let Some(block) = batches.next() else { return Ok(None) };
                return Ok(Some(framed(ranges, &block)?.decode_rows(&self.decoder)?));
            }
            Blocks::Stream { input, left } => (input, left),
        };
        while let Some(message) = next_message(&self.files.table, input, left)? {
            if !message.is(MessageHeader::DictionaryBatch)? {
                return Ok(Some(message.decode_rows(&self.decoder)?));
            }
            message.decode_dictionary(&mut self.decoder)?;
        }
        Ok(None)
    }
}

/// Dictionaries of a file lie apart from its rows; a stream has them among them.
fn begin(
    files: &Arc<FileSet>,
    file: &Arc<PinnedFile>,
    body: &Body,
    decoder: &mut FileDecoder,
) -> Result<Blocks, IpcError> {
    match body {
        Body::Blocks { dictionaries, batches } => {
            let mut ranges = RangeReader::new(files, file);
            for dictionary in dictionaries {
                framed(&mut ranges, dictionary)?.decode_dictionary(decoder)?;
            }
            Ok(Blocks::File { ranges, batches: batches.clone().into_iter() })
        }
        Body::Stream { start } => {
            let mut input = files.open(file)?;
            let left = file.size().saturating_sub(*start);
            io::copy(&mut (&mut input).take(*start), &mut io::sink())
                .map_err(|cause| explained(&files.table, cause))?;
            Ok(Blocks::Stream { input, left })
        }
    }
}

fn framed(ranges: &mut RangeReader, block: &BlockAt) -> Result<Framed, IpcError> {
    Ok(Framed::new(Buffer::from(ranges.read_blocking(block.range.clone())?), block.metadata)?)
}

/// The next message of a stream; `None` behind the last one. A stream that
/// just stops was cut off: whoever wrote it did not finish it.
fn next_message(table: &str, input: &mut Input, left: &mut u64) -> Result<Option<Framed>, IpcError> {
    let mut bytes = Vec::new();
    let mut take = |bytes: &mut Vec<u8>, length: usize| -> Result<(), IpcError> {
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        *left = left.checked_sub(length).ok_or_else(|| {
            broken("the stream has no end: it was cut off, or whoever wrote it did not finish it")
        })?;
        let read = input.take(length).read_to_end(bytes).map_err(|cause| explained(table, cause))?;
        match u64::try_from(read) {
            Ok(read) if read == length => Ok(()),
            _ => Err(SourceError::changed(table).into()),
        }
    };
    take(&mut bytes, PREFIX_BYTES)?;
    let Some(length) = metadata_length(&bytes)? else {
        return match *left {
            0 => Ok(None),
            _ => Err(broken("something follows the end of the stream").into()),
        };
    };
    take(&mut bytes, length)?;
    let metadata = bytes.len();
    let described = Framed::new(Buffer::from(bytes.as_slice()), metadata)?;
    let body = usize::try_from(described.message()?.bodyLength()).ok();
    let body = body.filter(|body| *body <= MAX_BODY_BYTES).ok_or_else(too_long)?;
    take(&mut bytes, body)?;
    Ok(Some(Framed::new(Buffer::from_vec(bytes), metadata)?))
}

impl FileReader for ArrowReader {
    fn read(&mut self, rows: usize) -> Result<Option<Rows>, SourceError> {
        let batch = loop {
            if let Some(batch) = self.waiting.take().filter(|batch| batch.num_rows() > 0) {
                break batch;
            }
            let next = self.next_batch().map_err(|error| error.reported(&self.files, &self.file))?;
            let Some(batch) = next else { return Ok(None) };
            self.waiting = Some(batch);
        };
        let count = batch.num_rows().min(rows);
        if count < batch.num_rows() {
            self.waiting = Some(batch.slice(count, batch.num_rows() - count));
        }
        Ok(Some(Rows { count, arrays: batch.slice(0, count).columns().to_vec() }))
    }

    fn check(&self) -> Result<(), SourceError> {
        match &self.blocks {
            // Every range was followed by a look at the file.
            Blocks::File { .. } => Ok(()),
            Blocks::Stream { input, .. } => self.files.check_read(&self.file, input),
        }
    }
}
