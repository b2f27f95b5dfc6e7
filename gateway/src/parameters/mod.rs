//! Values for the parameters of a statement: bound by a client, sealed into its
//! handle, and put in place of `$n` by the planner as typed literals. They are
//! never part of a SQL text.

mod convert;
mod fault;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::{
    array::ArrayRef,
    datatypes::{DataType, Field, Schema, SchemaRef},
    error::ArrowError,
    ipc::{
        MetadataVersion,
        reader::StreamReader,
        writer::{IpcWriteOptions, StreamWriter},
    },
    record_batch::RecordBatch,
    util::display::{ArrayFormatter, FormatOptions},
};
use datafusion::common::ScalarValue;

pub(crate) use fault::ParameterFault;

/// Most bytes of all values, as many as of a statement: what is bound could be written into it.
const BYTES_MAX: usize = 64 << 10;
/// Characters of a value that an audit record holds.
const SHOWN_CHARACTERS: usize = 200;

/// One value for each parameter, in their order.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ParameterValues(Vec<ArrayRef>);

impl ParameterValues {
    /// The row that a client bound, with the types that were promised for it.
    pub(crate) fn bind(row: &RecordBatch, types: &Schema) -> Result<Self, ParameterFault> {
        if row.num_rows() != 1 {
            return Err(ParameterFault::Rows);
        }
        let values = Self(row.columns().to_vec()).converted(types)?;
        if values.bytes() > BYTES_MAX {
            Err(ParameterFault::TooLong { limit: BYTES_MAX })
        } else {
            Ok(values)
        }
    }

    /// Of all values.
    pub(crate) fn bytes(&self) -> usize {
        let bytes = |value: &ArrayRef| value.to_data().get_slice_memory_size().unwrap_or(usize::MAX);
        self.0.iter().map(bytes).fold(0, usize::saturating_add)
    }

    /// As literals of these types.
    pub(crate) fn literals(&self, types: &Schema) -> Result<Vec<ScalarValue>, ParameterFault> {
        let values = self.converted(types)?.0;
        values
            .iter()
            .zip(1..)
            .map(|(value, number)| {
                ScalarValue::try_from_array(value, 0).map_err(|_| ParameterFault::Unreadable { number })
            })
            .collect()
    }

    fn converted(&self, types: &Schema) -> Result<Self, ParameterFault> {
        let expected = types.fields().len();
        if self.0.len() != expected {
            return Err(ParameterFault::Count { expected, given: self.0.len() });
        }
        let fields = types.fields().iter().zip(1..);
        let values = self.0.iter().zip(fields);
        values
            .map(|(value, (field, number))| convert::value(value, field.data_type(), number))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The values as bytes, to be sealed. None take no bytes.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, ArrowError> {
        if self.0.is_empty() {
            return Ok(Vec::new());
        }
        let data_types = self.0.iter().map(|value| value.data_type().clone());
        let row = RecordBatch::try_new(schema(data_types), self.0.clone())?;
        // Without the wide gaps between buffers that readers of large batches like.
        let options = IpcWriteOptions::try_new(8, false, MetadataVersion::V5)?;
        let mut writer = StreamWriter::try_new_with_options(Vec::new(), &row.schema(), options)?;
        writer.write(&row)?;
        writer.into_inner()
    }

    /// What [`Self::encode`] made: nothing else may be given, for bytes of others can do harm.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, ArrowError> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let row = StreamReader::try_new(bytes, None)?.next();
        let row = row.unwrap_or_else(|| Err(ArrowError::IpcError("there is no row".to_owned())))?;
        Ok(Self(row.columns().to_vec()))
    }

    /// As text, each cut at a length.
    pub(crate) fn shown(&self) -> Vec<String> {
        let options = FormatOptions::new().with_null("NULL");
        let shown = |value: &ArrayRef| {
            let text = ArrayFormatter::try_new(value, &options).map(|value| value.value(0).to_string());
            text.unwrap_or_default().chars().take(SHOWN_CHARACTERS).collect()
        };
        self.0.iter().map(shown).collect()
    }
}

/// Parameters of these types, named by their numbers. Any of them can be NULL.
pub(crate) fn schema(types: impl IntoIterator<Item = DataType>) -> SchemaRef {
    let numbered = types.into_iter().zip(1..);
    let fields =
        numbered.map(|(data_type, number): (_, usize)| Field::new(number.to_string(), data_type, true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}
