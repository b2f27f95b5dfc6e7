//! What an Arrow IPC file says about itself: its columns, and for the file
//! format where its blocks lie.

use std::ops::Range;
use std::sync::Arc;

use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::convert::fb_to_schema;
use arrow::ipc::reader::read_footer_length;
use arrow::ipc::{Block, MetadataVersion, Schema as SchemaMessage, root_as_footer};

use super::block::{
    Framed, IpcError, MARKER, MAX_BODY_BYTES, MAX_METADATA_BYTES, PREFIX_BYTES, broken, guarded, too_long,
};
use crate::source::columns;
use crate::source::error::{Drift, SourceError};
use crate::source::files::{FileSet, PinnedFile};
use crate::source::ranges::RangeReader;

/// At the beginning of the file format; a stream begins with a message.
const MAGIC: [u8; 6] = *b"ARROW1";
/// Length of the footer and the magic once more.
const TRAILER_BYTES: usize = 10;

/// The columns of a file and where its rows are.
#[derive(Debug)]
pub(in crate::source) struct Header {
    pub(super) schema: SchemaRef,
    pub(super) version: MetadataVersion,
    pub(super) body: Body,
}

#[derive(Debug)]
pub(super) enum Body {
    /// A file knows its blocks.
    Blocks { dictionaries: Vec<BlockAt>, batches: Vec<BlockAt> },
    /// A stream begins behind its schema, here.
    Stream { start: u64 },
}

/// A block within the file.
#[derive(Debug, Clone)]
pub(super) struct BlockAt {
    pub(super) range: Range<u64>,
    pub(super) metadata: usize,
}

impl Header {
    /// Names of the columns of the file.
    pub(in crate::source) fn columns(&self) -> impl Iterator<Item = &str> {
        self.schema.fields().iter().map(|field| field.name().as_str())
    }

    pub(in crate::source) fn position(&self, name: &str) -> Option<usize> {
        self.schema.index_of(name).ok()
    }

    pub(in crate::source) fn drift(&self, name: &str, expected: &DataType) -> Option<Drift> {
        columns::drift(name, expected, &self.schema)
    }
}

/// Reads the header of a file. Blocks.
pub(in crate::source) fn read_header(
    files: &Arc<FileSet>,
    file: &Arc<PinnedFile>,
) -> Result<Header, SourceError> {
    read(&mut RangeReader::new(files, file), file.size()).map_err(|error| error.reported(files, file))
}

fn read(reader: &mut RangeReader, size: u64) -> Result<Header, IpcError> {
    let prefix = reader.read_blocking(0..size.min(PREFIX_BYTES as u64))?;
    if prefix.starts_with(&MAGIC) { read_footer(reader, size) } else { read_schema(reader, &prefix, size) }
}

fn read_footer(reader: &mut RangeReader, size: u64) -> Result<Header, IpcError> {
    let trailer_start = size.saturating_sub(TRAILER_BYTES as u64);
    let trailer = reader.read_blocking(trailer_start..size)?;
    let trailer = trailer.first_chunk::<TRAILER_BYTES>().ok_or_else(|| broken("the file has no footer"))?;
    let length = read_footer_length(*trailer)?;
    let start = u64::try_from(length).ok().and_then(|length| trailer_start.checked_sub(length));
    let start = start.filter(|_| length <= MAX_METADATA_BYTES);
    let start = start.ok_or_else(|| broken("the footer is longer than it can be"))?;
    let footer = reader.read_blocking(start..trailer_start)?;
    Ok(parse_footer(&footer, size)?)
}

fn parse_footer(footer: &[u8], size: u64) -> Result<Header, ArrowError> {
    let footer = root_as_footer(footer).map_err(|error| broken(&error.to_string()))?;
    let schema = footer.schema().ok_or_else(|| broken("the footer has no schema"))?;
    let batches = footer.recordBatches().ok_or_else(|| broken("the footer lists no blocks"))?;
    let dictionaries = footer.dictionaries().into_iter().flatten();
    let at = |block: &Block| block_at(block, size);
    Ok(Header {
        schema: convert(schema)?,
        version: footer.version(),
        body: Body::Blocks {
            dictionaries: dictionaries.map(at).collect::<Result<_, _>>()?,
            batches: batches.iter().map(at).collect::<Result<_, _>>()?,
        },
    })
}

/// Where a block lies, if that is within the file and not too long.
fn block_at(block: &Block, size: u64) -> Result<BlockAt, ArrowError> {
    let outside = || broken("a block lies outside the file");
    let start = u64::try_from(block.offset()).map_err(|_| outside())?;
    let metadata = usize::try_from(block.metaDataLength()).map_err(|_| outside())?;
    let body = u64::try_from(block.bodyLength()).map_err(|_| outside())?;
    if metadata > MAX_METADATA_BYTES || body > MAX_BODY_BYTES as u64 {
        return Err(too_long());
    }
    let end = start.checked_add(metadata as u64).and_then(|end| end.checked_add(body));
    let end = end.filter(|end| *end <= size).ok_or_else(outside)?;
    Ok(BlockAt { range: start..end, metadata })
}

fn read_schema(reader: &mut RangeReader, prefix: &[u8], size: u64) -> Result<Header, IpcError> {
    let length = metadata_length(prefix)?.ok_or_else(|| broken("the stream ends before its schema"))?;
    let metadata = (PREFIX_BYTES + length) as u64;
    if metadata > size {
        return Err(broken("the stream ends within its schema").into());
    }
    let bytes = reader.read_blocking(0..metadata)?;
    Ok(parse_schema(bytes.into(), metadata)?)
}

fn parse_schema(bytes: Buffer, metadata: u64) -> Result<Header, ArrowError> {
    let framed = Framed::new(bytes.clone(), bytes.len())?;
    let message = framed.message()?;
    let schema = message.header_as_schema().filter(|_| message.bodyLength() == 0);
    let schema = schema.ok_or_else(|| broken("the stream does not begin with a schema"))?;
    Ok(Header {
        schema: convert(schema)?,
        version: message.version(),
        body: Body::Stream { start: metadata },
    })
}

/// The length behind the marker of a message; `None` at the end of a stream.
pub(super) fn metadata_length(prefix: &[u8]) -> Result<Option<usize>, ArrowError> {
    let prefix = prefix.first_chunk::<PREFIX_BYTES>().ok_or_else(|| broken("a message is cut off"))?;
    let [a, b, c, d, length @ ..] = *prefix;
    if [a, b, c, d] != MARKER {
        return Err(broken("this is not Arrow IPC, or from before its version 0.15"));
    }
    match usize::try_from(i32::from_le_bytes(length)) {
        Ok(0) => Ok(None),
        Ok(length) if length <= MAX_METADATA_BYTES => Ok(Some(length)),
        _ => Err(broken("a message is longer than it can be")),
    }
}

fn convert(schema: SchemaMessage<'_>) -> Result<SchemaRef, ArrowError> {
    if !schema.endianness().equals_to_target_endianness() {
        return Err(broken("the file was written with the other order of bytes"));
    }
    guarded(|| Ok(Arc::new(fb_to_schema(schema))))
}
