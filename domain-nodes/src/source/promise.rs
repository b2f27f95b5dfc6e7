//! What was read under the contract's exact types: types that files may have
//! instead are converted, and nested fields that the contract requires are
//! checked. (Required columns are checked above the raw table, where all of
//! them are nullable.)

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, StructArray};
use arrow::buffer::NullBuffer;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef};
use arrow::error::ArrowError;

use super::columns::accepts;
use super::error::SourceError;
use super::files::FileSet;

/// The values of a column under the contract's type; a promise that they break is an error.
pub(super) fn kept(files: &FileSet, field: &Field, array: &ArrayRef) -> Result<ArrayRef, SourceError> {
    let kept =
        keep(array, field.data_type()).map_err(|cause| SourceError::unreadable(&files.table, cause))?;
    kept.ok_or_else(|| {
        let (table, column) = (&files.table, field.name());
        tracing::error!(table, column, "a nested field that the contract requires is NULL");
        SourceError::BrokenPromise { table: table.clone(), column: column.clone() }
    })
}

/// The same values under the contract's type, or `None` if a required field
/// is NULL where its parent is not.
fn keep(array: &ArrayRef, expected: &DataType) -> Result<Option<ArrayRef>, ArrowError> {
    if array.data_type() == expected {
        return Ok(Some(Arc::clone(array)));
    }
    match expected {
        DataType::List(element) => keep_list(array, element),
        DataType::Struct(_) => keep_struct(array, expected),
        _ if accepts(expected, array.data_type()) => {
            let exact = CastOptions { safe: false, ..CastOptions::default() };
            cast_with_options(array, expected, &exact).map(Some)
        }
        _ => Err(ArrowError::SchemaError(format!("read {}, expected {expected}", array.data_type()))),
    }
}

fn keep_list(array: &ArrayRef, element: &FieldRef) -> Result<Option<ArrayRef>, ArrowError> {
    let Some(list) = array.as_list_opt::<i32>() else {
        return Err(ArrowError::SchemaError(format!("read {}, expected a list", array.data_type())));
    };
    let Some(values) = keep(list.values(), element.data_type())? else { return Ok(None) };
    if !element.is_nullable() && list.values().logical_null_count() > 0 {
        return Ok(None);
    }
    let kept =
        ListArray::try_new(Arc::clone(element), list.offsets().clone(), values, list.nulls().cloned())?;
    Ok(Some(Arc::new(kept)))
}

fn keep_struct(array: &ArrayRef, expected: &DataType) -> Result<Option<ArrayRef>, ArrowError> {
    let (Some(found), DataType::Struct(fields)) = (array.as_struct_opt(), expected) else {
        return Err(ArrowError::SchemaError(format!("read {}, expected {expected}", array.data_type())));
    };
    let mut children = Vec::with_capacity(fields.len());
    for field in fields {
        let child = found
            .column_by_name(field.name())
            .ok_or_else(|| ArrowError::SchemaError(format!("the field `{}` was not read", field.name())))?;
        if !field.is_nullable() && is_null_under(child, found.nulls()) {
            return Ok(None);
        }
        let Some(child) = keep(child, field.data_type())? else { return Ok(None) };
        children.push(child);
    }
    let kept =
        StructArray::try_new_with_length(fields.clone(), children, found.nulls().cloned(), found.len())?;
    Ok(Some(Arc::new(kept)))
}

/// Is there a NULL where the parent is not NULL?
fn is_null_under(child: &ArrayRef, parent: Option<&NullBuffer>) -> bool {
    let Some(nulls) = child.logical_nulls() else { return false };
    match parent {
        None => nulls.null_count() > 0,
        Some(parent) => !parent.contains(&nulls),
    }
}
