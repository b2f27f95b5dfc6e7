//! JSON lines: one object a line, read strictly. A value is of its type or the
//! query ends; a key that a row leaves out is NULL, as most writers mean it.

mod column;
mod line;
mod reader;

use std::collections::BTreeSet;
use std::error::Error;
use std::io::Read;

use super::error::{Drift, SourceError};
use super::files::{FileSet, PinnedFile};
use line::{LineReader, Object};

pub(super) use column::can_hold;
pub(super) use reader::JsonReader;

/// How far the beginning of a file is looked at.
const HEAD_BYTES: usize = 64 * 1024;

/// The keys of the first rows of a file.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) keys: BTreeSet<String>,
    has_rows: bool,
}

/// How a column differs from the contract, as far as the beginnings of the
/// files tell. A key that not one row has is missing: if it was called
/// otherwise now, every value would silently be NULL.
pub(super) fn drift<'h>(heads: impl Iterator<Item = &'h Head>, name: &str) -> Option<Drift> {
    let mut any_rows = false;
    for head in heads {
        if head.keys.contains(name) {
            return None;
        }
        any_rows |= head.has_rows;
    }
    any_rows.then_some(Drift::InNoRow)
}

/// Gives `look` every key and its value, as it is written, of the first rows; says how many rows. Blocks.
pub(super) fn each_row(
    input: impl Read,
    rows_max: usize,
    look: &mut dyn FnMut(&str, &str),
) -> Result<usize, Box<dyn Error + Send + Sync>> {
    let mut lines = LineReader::new(input);
    let mut rows = 0;
    while rows < rows_max && lines.advance()? {
        let row = Object::parse(lines.text()?).map_err(|error| format!("line {}: {error}", lines.at().1))?;
        for key in row.keys() {
            if let Some(value) = row.get(key) {
                look(key, value);
            }
        }
        rows += 1;
    }
    Ok(rows)
}

/// Reads the first rows of a file. Blocks.
pub(super) fn read_head(files: &FileSet, file: &PinnedFile) -> Result<Head, SourceError> {
    let mut lines = LineReader::new(files.open(file)?);
    let mut head = Head { keys: BTreeSet::new(), has_rows: false };
    let mut bytes = 0;
    while bytes < HEAD_BYTES {
        let bad_row = |error, at| line::bad_row(files, file, at, error);
        if !lines.advance().map_err(|error| bad_row(error, lines.at()))? {
            break;
        }
        let text = lines.text().map_err(|error| bad_row(error, lines.at()))?;
        let row = Object::parse(text).map_err(|error| bad_row(error, lines.at()))?;
        head.has_rows = true;
        bytes += text.len();
        for key in row.keys() {
            if !head.keys.contains(key) {
                head.keys.insert(key.to_owned());
            }
        }
    }
    Ok(head)
}
