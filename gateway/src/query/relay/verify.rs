//! Looks at a node's batch without decoding it, so that nobody who reads it
//! can be led out of its buffers.
//!
//! The header says how long each column is, how many NULLs it has, and where
//! its buffers lie in the body. All of that must fit the schema and each other;
//! offsets, and the characters of texts, are the only contents that are looked
//! at. It is as strict as the decoder, whose checks these are, and stricter
//! where the decoder puts right what clients might not.

use std::ops::Range;

use arrow::{
    datatypes::{DataType, Field, Schema},
    ipc::{Buffer, FieldNode, MetadataVersion, root_as_message},
};
use arrow_flight::FlightData;

/// What the format asks for at least.
const ALIGNMENT: usize = 8;

/// What is known of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verified {
    pub(super) rows: usize,
    /// Of the cells, as they lie in memory.
    pub(super) bytes: usize,
    /// False if a NULL stands where none may be, unless it is inside a value that is NULL itself.
    pub(super) is_certain: bool,
}

/// Why a message is not what it should be. Tells nothing of its contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("a message is no batch")]
    NoBatch,
    #[error("a message is of another version of the format")]
    Version,
    #[error("a message carries metadata")]
    Metadata,
    #[error("a batch is compressed")]
    Compressed,
    #[error("a message's body is not as long as it says")]
    BodyLength,
    #[error("a batch has another number of columns than its schema")]
    Columns,
    #[error("a batch has another number of buffers than its schema")]
    Buffers,
    #[error("a column is not as long as its batch")]
    Length,
    #[error("a column has another number of NULLs than it says")]
    NullCount,
    #[error("a column without NULLs has one")]
    Null,
    #[error("a buffer does not lie in its body")]
    Outside,
    #[error("a buffer is not aligned")]
    Alignment,
    #[error("a buffer is too short")]
    Short,
    #[error("a buffer ends within an offset")]
    Part,
    #[error("an offset points to nothing")]
    Offset,
    #[error("a text is not UTF-8")]
    Text,
}

/// Is the layout of columns of this type known here? Views, dictionaries, unions and runs are not.
pub(super) fn is_known(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(element) | DataType::LargeList(element) | DataType::Map(element, _) => {
            is_known(element.data_type())
        }
        DataType::FixedSizeList(element, _) => is_known(element.data_type()),
        DataType::Struct(fields) => fields.iter().all(|field| is_known(field.data_type())),
        DataType::Null
        | DataType::Boolean
        | DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::FixedSizeBinary(_) => true,
        other => other.primitive_width().is_some(),
    }
}

/// Looks at `message`, which must be a batch of columns of `schema`.
pub(super) fn batch(message: &FlightData, schema: &Schema) -> Result<Verified, Fault> {
    let header = root_as_message(&message.data_header).map_err(|_| Fault::NoBatch)?;
    let batch = header.header_as_record_batch().ok_or(Fault::NoBatch)?;
    if header.version() != MetadataVersion::V5 {
        return Err(Fault::Version);
    }
    if header.custom_metadata().is_some() {
        return Err(Fault::Metadata);
    }
    if usize::try_from(header.bodyLength()) != Ok(message.data_body.len()) {
        return Err(Fault::BodyLength);
    }
    if batch.compression().is_some() {
        return Err(Fault::Compressed);
    }
    // Only views have such.
    if batch.variadicBufferCounts().is_some_and(|counts| !counts.is_empty()) {
        return Err(Fault::Buffers);
    }
    let rows = usize::try_from(batch.length()).map_err(|_| Fault::Length)?;
    let mut body = Body {
        nodes: batch.nodes().into_iter().flatten(),
        buffers: batch.buffers().into_iter().flatten(),
        bytes: &message.data_body,
        size: 0,
        is_certain: true,
    };
    for field in schema.fields() {
        if body.column(field, Place::Top)? != rows {
            return Err(Fault::Length);
        }
    }
    if body.nodes.next().is_some() {
        return Err(Fault::Columns);
    }
    if body.buffers.next().is_some() {
        return Err(Fault::Buffers);
    }
    Ok(Verified { rows, bytes: body.size, is_certain: body.is_certain })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A column of the batch.
    Top,
    /// In a column, where a NULL may stand below another one.
    Inside,
}

/// How wide an offset is.
#[derive(Debug, Clone, Copy)]
enum Offsets {
    Of32Bits,
    Of64Bits,
}

/// What is not looked at yet.
struct Body<'a, N, B> {
    nodes: N,
    buffers: B,
    bytes: &'a [u8],
    /// Bytes of the cells that were looked at.
    size: usize,
    is_certain: bool,
}

impl<'a, N, B> Body<'a, N, B>
where
    N: Iterator<Item = &'a FieldNode>,
    B: Iterator<Item = &'a Buffer>,
{
    /// Looks at the next column, which is of `field`; gives its length.
    fn column(&mut self, field: &Field, place: Place) -> Result<usize, Fault> {
        let node = self.nodes.next().ok_or(Fault::Columns)?;
        let length = usize::try_from(node.length()).map_err(|_| Fault::Length)?;
        let nulls = usize::try_from(node.null_count()).map_err(|_| Fault::NullCount)?;
        if matches!(field.data_type(), DataType::Null) {
            return if nulls == length { Ok(length) } else { Err(Fault::NullCount) };
        }
        self.validity(length, nulls)?;
        if nulls > 0 && !field.is_nullable() {
            match place {
                Place::Top => return Err(Fault::Null),
                Place::Inside => self.is_certain = false,
            }
        }
        self.values(field.data_type(), length)?;
        Ok(length)
    }

    /// The bits that tell which cells are NULL. Without NULLs there may be none.
    fn validity(&mut self, length: usize, nulls: usize) -> Result<(), Fault> {
        if nulls > length {
            return Err(Fault::NullCount);
        }
        let bits = self.buffer()?;
        if bits.is_empty() && nulls == 0 {
            return Ok(());
        }
        let bits = bits.get(..length.div_ceil(8)).ok_or(Fault::Short)?;
        if zeros(bits, length) != nulls {
            return Err(Fault::NullCount);
        }
        if nulls > 0 {
            self.size = self.size.saturating_add(bits.len());
        }
        Ok(())
    }

    fn values(&mut self, data_type: &DataType, length: usize) -> Result<(), Fault> {
        match data_type {
            DataType::Boolean => self.fixed(length.div_ceil(8)),
            DataType::Utf8 => self.texts(length, Offsets::Of32Bits),
            DataType::LargeUtf8 => self.texts(length, Offsets::Of64Bits),
            DataType::Binary => self.strings(length, Offsets::Of32Bits).map(drop),
            DataType::LargeBinary => self.strings(length, Offsets::Of64Bits).map(drop),
            DataType::List(element) | DataType::Map(element, _) => {
                self.lists(element, length, Offsets::Of32Bits)
            }
            DataType::LargeList(element) => self.lists(element, length, Offsets::Of64Bits),
            DataType::FixedSizeList(element, size) => {
                let needed = fixed_width(Some(*size), length)?;
                if self.column(element, Place::Inside)? < needed { Err(Fault::Length) } else { Ok(()) }
            }
            DataType::Struct(fields) => {
                fields.iter().try_for_each(|field| match self.column(field, Place::Inside)? == length {
                    true => Ok(()),
                    false => Err(Fault::Length),
                })
            }
            DataType::FixedSizeBinary(width) => self.fixed(fixed_width(Some(*width), length)?),
            other => self.fixed(fixed_width(other.primitive_width(), length)?),
        }
    }

    /// Values of a fixed width, `bytes` of them.
    fn fixed(&mut self, bytes: usize) -> Result<(), Fault> {
        if self.buffer()?.len() < bytes {
            return Err(Fault::Short);
        }
        self.size = self.size.saturating_add(bytes);
        Ok(())
    }

    fn lists(&mut self, element: &Field, length: usize, offsets: Offsets) -> Result<(), Fault> {
        let used = offsets.range(self.offsets(length, offsets)?)?;
        if self.column(element, Place::Inside)? < used.end { Err(Fault::Offset) } else { Ok(()) }
    }

    /// Offsets, and the bytes that they cut; gives both.
    fn strings(&mut self, length: usize, offsets: Offsets) -> Result<(&'a [u8], &'a [u8]), Fault> {
        let ends = self.offsets(length, offsets)?;
        let used = offsets.range(ends)?;
        let (values, size) = (self.buffer()?.get(..used.end).ok_or(Fault::Offset)?, used.len());
        self.size = self.size.saturating_add(size);
        Ok((ends, values))
    }

    fn texts(&mut self, length: usize, offsets: Offsets) -> Result<(), Fault> {
        let (ends, values) = self.strings(length, offsets)?;
        if values.is_ascii() {
            return Ok(());
        }
        let values = str::from_utf8(values).map_err(|_| Fault::Text)?;
        let is_whole = |end| usize::try_from(end).is_ok_and(|end| values.is_char_boundary(end));
        if offsets.all(ends, is_whole) { Ok(()) } else { Err(Fault::Text) }
    }

    /// One more than there are values; of no values, there may be none.
    fn offsets(&mut self, length: usize, offsets: Offsets) -> Result<&'a [u8], Fault> {
        let needed = fixed_width(Some(offsets.width()), length.saturating_add(1))?;
        let buffer = self.buffer()?;
        self.size = self.size.saturating_add(needed);
        if length == 0 && buffer.is_empty() {
            return Ok(buffer);
        }
        // Arrow's own reader panics at the rest.
        if !buffer.len().is_multiple_of(offsets.width()) {
            return Err(Fault::Part);
        }
        buffer.get(..needed).ok_or(Fault::Short)
    }

    fn buffer(&mut self) -> Result<&'a [u8], Fault> {
        let buffer = self.buffers.next().ok_or(Fault::Buffers)?;
        let begin = usize::try_from(buffer.offset()).map_err(|_| Fault::Outside)?;
        let length = usize::try_from(buffer.length()).map_err(|_| Fault::Outside)?;
        let end = begin.checked_add(length).ok_or(Fault::Outside)?;
        if !begin.is_multiple_of(ALIGNMENT) {
            return Err(Fault::Alignment);
        }
        self.bytes.get(begin..end).ok_or(Fault::Outside)
    }
}

/// Bytes, or elements, of `length` values of this width.
fn fixed_width<W: TryInto<usize>>(width: Option<W>, length: usize) -> Result<usize, Fault> {
    let width = width.and_then(|width| width.try_into().ok()).ok_or(Fault::Short)?;
    length.checked_mul(width).ok_or(Fault::Short)
}

/// How many of the first `length` bits are not set; `bits` are as many bytes as that needs.
fn zeros(bits: &[u8], length: usize) -> usize {
    let ones: usize = bits.iter().map(|byte| byte.count_ones() as usize).sum();
    let spare = bits.len().saturating_mul(8).saturating_sub(length);
    let last = bits.last().copied().unwrap_or_default();
    let spare_ones = (u32::from(last) >> 8_usize.saturating_sub(spare)).count_ones() as usize;
    length.saturating_sub(ones.saturating_sub(spare_ones))
}

impl Offsets {
    const fn width(self) -> usize {
        match self {
            Self::Of32Bits => size_of::<i32>(),
            Self::Of64Bits => size_of::<i64>(),
        }
    }

    /// What these offsets point into: none may be below the one before it.
    fn range(self, offsets: &[u8]) -> Result<Range<usize>, Fault> {
        let (mut first, mut last) = (None, 0);
        let rise = |offset| {
            first.get_or_insert(offset);
            let rises = offset >= last;
            last = offset;
            rises
        };
        if !self.all(offsets, rise) {
            return Err(Fault::Offset);
        }
        let known = |offset: i64| usize::try_from(offset).map_err(|_| Fault::Offset);
        Ok(known(first.unwrap_or_default())?..known(last)?)
    }

    /// Does this hold for all?
    fn all(self, offsets: &[u8], mut holds: impl FnMut(i64) -> bool) -> bool {
        match self {
            Self::Of32Bits => {
                offsets.as_chunks().0.iter().all(|offset| holds(i64::from(i32::from_le_bytes(*offset))))
            }
            Self::Of64Bits => offsets.as_chunks().0.iter().all(|offset| holds(i64::from_le_bytes(*offset))),
        }
    }
}

#[cfg(test)]
mod tests;
