//! Texts of which a few characters stay: `last(n)` and `first(n)` in one pass.
//! A text that has no more than those is hidden whole.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, GenericByteArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Utf8Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

const STAR: u8 = b'*';

/// Which characters of a text stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Keep {
    Last(u16),
    First(u16),
}

pub(super) fn function(keep: Keep) -> Arc<ScalarUDF> {
    let name = match keep {
        Keep::Last(count) => format!("last_{count}"),
        Keep::First(count) => format!("first_{count}"),
    };
    Arc::new(ScalarUDF::new_from_impl(KeepText { keep, name }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct KeepText {
    keep: Keep,
    name: String,
}

impl ScalarUDFImpl for KeepText {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        static ONE_TEXT: LazyLock<Signature> =
            LazyLock::new(|| Signature::exact(vec![DataType::Utf8], Volatility::Immutable));
        &ONE_TEXT
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        match arrays.as_slice() {
            [array] => Ok(ColumnarValue::Array(masked(array, self.keep)?)),
            _ => exec_err!("{} takes one text", self.name),
        }
    }
}

/// One byte is written for each character that goes, so this never needs more bytes than the texts have.
fn masked(array: &ArrayRef, keep: Keep) -> Result<ArrayRef> {
    let Some(texts) = array.as_string_opt::<i32>() else {
        return exec_err!("{} is no type of texts", array.data_type());
    };
    let mut bytes = Vec::with_capacity(texts.value_data().len());
    let lengths = (0..texts.len()).map(|place| {
        let before = bytes.len();
        if texts.is_valid(place) {
            mask(texts.value(place), keep, &mut bytes);
        }
        bytes.len() - before
    });
    let offsets = OffsetBuffer::from_lengths(lengths);
    let nulls = texts.nulls().cloned();
    Ok(Arc::new(GenericByteArray::<Utf8Type>::try_new(offsets, bytes.into(), nulls)?))
}

fn mask(text: &str, keep: Keep, into: &mut Vec<u8>) {
    let characters = if text.is_ascii() { text.len() } else { text.chars().count() };
    let (Keep::Last(count) | Keep::First(count)) = keep;
    let kept = if characters > usize::from(count) { usize::from(count) } else { 0 };
    let stars = characters - kept;
    match keep {
        Keep::Last(_) => {
            into.resize(into.len() + stars, STAR);
            let shown = text.get(start_of(text, stars)..).unwrap_or_default();
            into.extend_from_slice(shown.as_bytes());
        }
        Keep::First(_) => {
            let shown = text.get(..start_of(text, kept)).unwrap_or_default();
            into.extend_from_slice(shown.as_bytes());
            into.resize(into.len() + stars, STAR);
        }
    }
}

/// Where a character begins, in bytes.
fn start_of(text: &str, character: usize) -> usize {
    if text.is_ascii() {
        character
    } else {
        text.char_indices().nth(character).map_or(text.len(), |(at, _)| at)
    }
}
