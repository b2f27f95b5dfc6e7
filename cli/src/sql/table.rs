//! Aligned columns for a terminal, block by block: widths come from the first
//! rows, so that a large result appears at once and is never held in memory.

use std::io::Write;

use arrow::{
    array::RecordBatch,
    datatypes::{DataType, SchemaRef},
};

use super::output;
use crate::failure::Failure;

/// Rows that are looked at to choose the widths.
const BLOCK_ROWS: usize = 500;
/// Wider cells push the rest of their line to the right.
const MAX_WIDTH: usize = 60;

pub(crate) struct TableWriter<W> {
    target: W,
    names: Vec<String>,
    align_right: Vec<bool>,
    /// Known once the header is written.
    widths: Option<Vec<usize>>,
    waiting: Vec<Vec<String>>,
}

impl<W: Write> TableWriter<W> {
    pub(crate) fn new(target: W, schema: &SchemaRef) -> Self {
        Self {
            target,
            names: schema.fields().iter().map(|field| printable(field.name())).collect(),
            align_right: schema.fields().iter().map(|field| is_number(field.data_type())).collect(),
            widths: None,
            waiting: Vec::new(),
        }
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        let cells = output::rows(batch)?;
        let texts = cells.into_iter().map(|row| row.iter().map(|cell| cell_text(cell.as_deref())).collect());
        self.waiting.extend(texts);
        if self.waiting.len() >= BLOCK_ROWS { self.write_block() } else { Ok(()) }
    }

    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        self.write_block()?;
        self.target.flush().map_err(|error| Failure::output(&error))
    }

    fn write_block(&mut self) -> Result<(), Failure> {
        let block = std::mem::take(&mut self.waiting);
        let is_first = self.widths.is_none();
        let widths = self.widths.take().unwrap_or_else(|| widths(&self.names, &block));
        if is_first {
            let header = self.line(&self.names, &widths);
            let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
            self.write_line(&header)?;
            self.write_line(&rule.join("-+-"))?;
        }
        for row in &block {
            let line = self.line(row, &widths);
            self.write_line(&line)?;
        }
        self.widths = Some(widths);
        Ok(())
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let padded = cells.iter().zip(widths).zip(&self.align_right).map(|((cell, width), align_right)| {
            if *align_right { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        padded.collect::<Vec<_>>().join(" | ")
    }

    fn write_line(&mut self, line: &str) -> Result<(), Failure> {
        writeln!(self.target, "{}", line.trim_end()).map_err(|error| Failure::output(&error))
    }
}

fn widths(names: &[String], block: &[Vec<String>]) -> Vec<usize> {
    let width = |text: &String| text.chars().count().min(MAX_WIDTH);
    let mut widths: Vec<usize> = names.iter().map(width).collect();
    for row in block {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = (*widest).max(width(cell));
        }
    }
    widths
}

fn cell_text(cell: Option<&str>) -> String {
    cell.map_or_else(|| "NULL".to_owned(), printable)
}

/// Data must not drive the terminal: control characters are shown, not sent.
fn printable(text: &str) -> String {
    text.chars()
        .map(|character| {
            if character.is_control() {
                character.escape_default().to_string()
            } else {
                character.to_string()
            }
        })
        .collect()
}

fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric()
}

#[cfg(test)]
mod tests {
    use super::super::output::{
        Format,
        tests::{printed, sample},
    };
    use super::*;

    #[test]
    fn columns_are_aligned() {
        assert_eq!(
            printed(Format::Table, &[sample()]),
            "order_id | note  |  total | day\n\
             ---------+-------+--------+-----------\n\
             \x20   1001 | a,\"b\" | 120.00 | 2024-10-04\n\
             \x20   1002 |       |   NULL | NULL\n"
        );
    }

    #[test]
    fn an_empty_result_has_a_header() {
        assert_eq!(
            printed(Format::Table, &[]),
            "order_id | note | total | day\n---------+------+-------+----\n"
        );
    }

    #[test]
    fn a_long_result_has_one_header() {
        let batches = vec![sample(); 2 * BLOCK_ROWS];
        let text = printed(Format::Table, &batches);
        assert_eq!(text.lines().count(), 2 + 4 * BLOCK_ROWS);
        assert_eq!(text.matches("order_id").count(), 1);
    }

    #[test]
    fn control_characters_are_shown() {
        assert_eq!(printable("a\u{1b}[31m\n\u{9b}é"), "a\\u{1b}[31m\\n\\u{9b}é");
    }
}
