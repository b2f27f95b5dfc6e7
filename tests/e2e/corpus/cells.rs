//! Results as the corpus writes them.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// A line for each row; a text with line breaks in the last column goes on in lines of its own.
pub(super) fn lines(batches: &[RecordBatch], has_no_order: bool) -> Vec<String> {
    let mut lines: Vec<String> = batches.iter().flat_map(rows).collect();
    if has_no_order {
        lines.sort();
    }
    lines
}

fn rows(batch: &RecordBatch) -> Vec<String> {
    (0..batch.num_rows())
        .map(|row| {
            let cells: Vec<String> =
                batch.columns().iter().map(|column| cell(column.as_ref(), row)).collect();
            cells.join(" ").trim_end().to_owned()
        })
        .collect()
}

fn cell(array: &dyn Array, row: usize) -> String {
    let shown = || {
        let options = FormatOptions::default().with_null("NULL");
        ArrayFormatter::try_new(array, &options).unwrap().value(row).to_string()
    };
    if array.is_null(row) {
        return "NULL".to_owned();
    }
    match array.data_type() {
        DataType::Float32 => {
            let value = array.as_primitive::<Float32Type>().value(row);
            float(value.is_nan(), f64::from(value), value.to_string())
        }
        DataType::Float64 => {
            let value = array.as_primitive::<Float64Type>().value(row);
            float(value.is_nan(), value, value.to_string())
        }
        DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => short(&shown()),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => match shown() {
            text if text.is_empty() => "(empty)".to_owned(),
            text => text.trim_end_matches('\n').replace('\0', "\\0"),
        },
        _ => shown(),
    }
}

/// Digits after the point that are compared.
const DIGITS: usize = 12;

fn float(is_nan: bool, value: f64, text: String) -> String {
    if is_nan {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let digits = text.split_once('.').map_or(0, |(_, digits)| digits.len());
    short(&if digits > DIGITS { format!("{value:.DIGITS$}") } else { text })
}

/// Without zeros that say nothing.
fn short(number: &str) -> String {
    let short =
        if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number };
    if short == "-0" { "0".to_owned() } else { short.to_owned() }
}
