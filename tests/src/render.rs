//! Results as text: one form for all comparisons.

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, TimeUnit};
use arrow::util::display::array_value_to_string;
use meshgate_oracle::value;

/// A result: column names, and cells as text (NULL is `None`).
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Option<String>>>,
}

impl Rendered {
    /// Of a result whose schema has these columns.
    pub fn of(columns: Vec<String>, batches: &[RecordBatch]) -> Self {
        let rows = batches.iter().flat_map(rows).collect();
        Self { columns, rows }
    }

    /// With the rows in the order of their text: for results without ORDER BY.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.rows.sort();
        self
    }

    /// The one column of a result with one column.
    pub fn column(&self) -> Vec<String> {
        assert_eq!(self.columns.len(), 1, "{:?}", self.columns);
        self.rows.iter().map(|row| row[0].clone().unwrap_or_else(|| "NULL".to_owned())).collect()
    }
}

fn rows(batch: &RecordBatch) -> Vec<Vec<Option<String>>> {
    (0..batch.num_rows())
        .map(|row| batch.columns().iter().map(|column| cell(column.as_ref(), row)).collect())
        .collect()
}

fn cell(array: &dyn Array, row: usize) -> Option<String> {
    let is_a_contracts = match array.data_type() {
        DataType::Null => return None,
        DataType::Boolean | DataType::Float64 | DataType::Date32 | DataType::Decimal128(..) => true,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Timestamp(TimeUnit::Microsecond, _) => true,
        other => other.is_integer(),
    };
    if is_a_contracts {
        value(array, row).render()
    } else {
        // Of expressions only, or nested: as the engine shows it.
        array.is_valid(row).then(|| array_value_to_string(array, row).expect("a cell"))
    }
}
