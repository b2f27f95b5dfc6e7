//! Bytes to rows of cells, after RFC 4180: cells between delimiters, quotes
//! around cells that hold delimiters, quotes or line breaks, a quote inside
//! doubled. Rows end with LF or CRLF. What the RFC does not allow is an error,
//! because a reader that guesses can move values into other columns.

use std::io::{self, Read};
use std::ops::Range;

use crate::source::rows::MAX_ROW_BYTES;

const BUFFER_BYTES: usize = 128 * 1024;
const BYTE_ORDER_MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// One row. Reused from row to row.
#[derive(Debug, Default)]
pub(super) struct Record {
    bytes: Vec<u8>,
    cells: Vec<Cell>,
}

#[derive(Debug)]
struct Cell {
    range: Range<usize>,
    quoted: bool,
}

/// Why the bytes are not CSV.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecordError {
    #[error("a quote stands inside an unquoted cell")]
    StrayQuote,
    #[error("text follows a closing quote")]
    AfterQuote,
    #[error("a quote is never closed")]
    OpenQuote,
    #[error("a carriage return stands alone")]
    StrayReturn,
    #[error("the row is too long")]
    TooLong,
    #[error("a cell is not UTF-8")]
    NotUtf8,
    #[error("the row has {found} cells instead of {expected}")]
    Width { found: usize, expected: usize },
    #[error("the file cannot be read")]
    Io(#[source] io::Error),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    CellStart,
    Unquoted,
    Quoted,
    /// Behind a quote inside a quoted cell: the end of the cell or half of a doubled one.
    QuoteInQuoted,
    /// Behind CR: only LF may follow.
    Return,
}

/// Reads rows one after the other.
#[derive(Debug)]
pub(super) struct RecordReader<R> {
    input: R,
    delimiter: u8,
    buffer: Vec<u8>,
    position: usize,
    filled: usize,
    at_start: bool,
    rows: u64,
    lines: u64,
    /// The line that the present row begins in.
    row_line: u64,
}

impl Record {
    pub(super) fn len(&self) -> usize {
        self.cells.len()
    }

    pub(super) fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Text of a cell and whether it was quoted; `None` if it is not UTF-8 or not there.
    pub(super) fn cell(&self, position: usize) -> Option<(&str, bool)> {
        let cell = self.cells.get(position)?;
        let text = std::str::from_utf8(self.bytes.get(cell.range.clone())?).ok()?;
        Some((text, cell.quoted))
    }

    pub(super) fn texts(&self) -> Option<Vec<String>> {
        (0..self.len()).map(|position| self.cell(position).map(|(text, _)| text.to_owned())).collect()
    }

    fn end_cell(&mut self, quoted: bool) {
        let start = self.cells.last().map_or(0, |cell| cell.range.end);
        self.cells.push(Cell { range: start..self.bytes.len(), quoted });
    }
}

impl<R: Read> RecordReader<R> {
    pub(super) fn new(input: R, delimiter: u8) -> Self {
        Self {
            input,
            delimiter,
            buffer: vec![0; BUFFER_BYTES],
            position: 0,
            filled: 0,
            at_start: true,
            rows: 0,
            lines: 0,
            row_line: 0,
        }
    }

    /// Rows that were begun, the header included.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Where the present row begins; more than its number where cells hold line breaks.
    pub(super) fn line(&self) -> u64 {
        self.row_line
    }

    /// The file behind the reader.
    pub(super) fn input(&self) -> &R {
        &self.input
    }

    /// Reads the next row; `false` at the end of the file.
    pub(super) fn read(&mut self, record: &mut Record) -> Result<bool, RecordError> {
        record.bytes.clear();
        record.cells.clear();
        if self.at_start {
            self.at_start = false;
            self.skip_byte_order_mark()?;
        }
        let mut state = State::CellStart;
        let mut quoted = false;
        let mut length = 0_usize;
        let mut is_first = true;
        loop {
            let Some(byte) = self.next_byte()? else {
                return self.end_of_file(state, is_first, quoted, record);
            };
            if is_first {
                is_first = false;
                self.rows += 1;
                self.row_line = self.lines + 1;
            }
            length += 1;
            if length > MAX_ROW_BYTES {
                return Err(RecordError::TooLong);
            }
            if byte == b'\n' {
                self.lines += 1;
            }
            state = match (state, byte) {
                (State::Return, b'\n')
                | (State::CellStart | State::Unquoted | State::QuoteInQuoted, b'\n') => {
                    record.end_cell(quoted);
                    return Ok(true);
                }
                (State::Return, _) => return Err(RecordError::StrayReturn),
                (State::Quoted, b'"') => State::QuoteInQuoted,
                (State::Quoted, byte) => {
                    record.bytes.push(byte);
                    State::Quoted
                }
                (State::QuoteInQuoted, b'"') => {
                    record.bytes.push(b'"');
                    State::Quoted
                }
                (State::CellStart, b'"') => {
                    quoted = true;
                    State::Quoted
                }
                (State::Unquoted, b'"') => return Err(RecordError::StrayQuote),
                (_, b'\r') => State::Return,
                (_, byte) if byte == self.delimiter => {
                    record.end_cell(quoted);
                    quoted = false;
                    State::CellStart
                }
                (State::QuoteInQuoted, _) => return Err(RecordError::AfterQuote),
                (State::CellStart | State::Unquoted, byte) => {
                    record.bytes.push(byte);
                    State::Unquoted
                }
            };
        }
    }

    fn end_of_file(
        &self,
        state: State,
        is_first: bool,
        quoted: bool,
        record: &mut Record,
    ) -> Result<bool, RecordError> {
        match state {
            State::CellStart if is_first => Ok(false),
            State::Quoted => Err(RecordError::OpenQuote),
            State::Return => Err(RecordError::StrayReturn),
            // The last row needs no line break.
            State::CellStart | State::Unquoted | State::QuoteInQuoted => {
                record.end_cell(quoted);
                Ok(true)
            }
        }
    }

    fn next_byte(&mut self) -> Result<Option<u8>, RecordError> {
        if self.position == self.filled {
            self.position = 0;
            self.filled = self.fill(0)?;
        }
        let byte = self.buffer.get(self.position).copied().filter(|_| self.position < self.filled);
        self.position += usize::from(byte.is_some());
        Ok(byte)
    }

    /// Reads into the buffer from `start` on.
    fn fill(&mut self, start: usize) -> Result<usize, RecordError> {
        loop {
            match self.input.read(self.buffer.get_mut(start..).unwrap_or_default()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other.map_err(RecordError::Io),
            }
        }
    }

    fn skip_byte_order_mark(&mut self) -> Result<(), RecordError> {
        while self.filled < BYTE_ORDER_MARK.len() {
            match self.fill(self.filled)? {
                0 => break,
                read => self.filled += read,
            }
        }
        let has_mark =
            self.buffer.get(..self.filled).is_some_and(|start| start.starts_with(&BYTE_ORDER_MARK));
        self.position = if has_mark { BYTE_ORDER_MARK.len() } else { 0 };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &[u8]) -> Result<Vec<Vec<String>>, RecordError> {
        let mut reader = RecordReader::new(text, b',');
        let mut record = Record::default();
        let mut rows = Vec::new();
        while reader.read(&mut record)? {
            rows.push(record.texts().ok_or(RecordError::NotUtf8)?);
        }
        Ok(rows)
    }

    #[test]
    fn rows_after_rfc_4180_are_read() {
        for (text, expected) in [
            ("", vec![]),
            ("a", vec![vec!["a"]]),
            ("a\n", vec![vec!["a"]]),
            ("a,b\r\nc,d\r\n", vec![vec!["a", "b"], vec!["c", "d"]]),
            ("a,b\nc,d", vec![vec!["a", "b"], vec!["c", "d"]]),
            (",\n", vec![vec!["", ""]]),
            ("\n", vec![vec![""]]),
            ("\"a,b\",c\n", vec![vec!["a,b", "c"]]),
            ("\"a\nb\",\"c\r\nd\"\n", vec![vec!["a\nb", "c\r\nd"]]),
            ("\"say \"\"hi\"\"\",\"\"\n", vec![vec!["say \"hi\"", ""]]),
            ("\u{feff}a,b\n", vec![vec!["a", "b"]]),
            (" a , b \n", vec![vec![" a ", " b "]]),
            ("ä,ö\n", vec![vec!["ä", "ö"]]),
        ] {
            assert_eq!(rows(text.as_bytes()).unwrap(), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_not_rfc_4180_is_refused() {
        for (text, expected) in [
            ("a\"b\n", "a quote stands inside an unquoted cell"),
            ("\"a\"b\n", "text follows a closing quote"),
            ("\"a\n", "a quote is never closed"),
            ("a\rb\n", "a carriage return stands alone"),
            ("a\r", "a carriage return stands alone"),
        ] {
            assert_eq!(rows(text.as_bytes()).unwrap_err().to_string(), expected, "{text:?}");
        }
        assert!(matches!(rows(b"\xff\n"), Err(RecordError::NotUtf8)));
    }

    #[test]
    fn quotes_are_told_from_texts() {
        let mut reader = RecordReader::new("\"\",,x\n".as_bytes(), b',');
        let mut record = Record::default();
        assert!(reader.read(&mut record).unwrap());
        assert_eq!(record.cell(0), Some(("", true)));
        assert_eq!(record.cell(1), Some(("", false)));
        assert_eq!(record.cell(2), Some(("x", false)));
        assert_eq!(record.cell(3), None);
    }

    #[test]
    fn a_forgotten_quote_does_not_swallow_the_file() {
        let text = format!("\"{}", "x".repeat(2 * MAX_ROW_BYTES));
        assert!(matches!(rows(text.as_bytes()), Err(RecordError::TooLong)));
        let longest = "x".repeat(MAX_ROW_BYTES - 1);
        assert_eq!(rows(format!("{longest}\n").as_bytes()).unwrap(), [[longest]]);
    }

    /// Gives its bytes in pieces of a few.
    struct Trickle<'a>(&'a [u8], usize);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.1.min(self.0.len()).min(buffer.len());
            let (now, later) = self.0.split_at(length);
            buffer[..length].copy_from_slice(now);
            self.0 = later;
            Ok(length)
        }
    }

    #[test]
    fn what_is_written_after_the_rules_comes_back() {
        let pieces = ["", "a", ",", "\"", "\n", "\r\n", "ä", " ", "\"\"", "x,y", "\u{feff}"];
        // Any sequence does, if it is always the same one.
        let mut number = 1_usize;
        let mut next = |bound: usize| {
            number = (number * 1_103_515_245 + 12_345) % 2_147_483_648;
            (number / 65_536) % bound
        };
        let mut written = "\u{feff}".to_owned();
        let mut expected: Vec<Vec<String>> = Vec::new();
        for _ in 0..500 {
            let row: Vec<String> = (0..=next(4))
                .map(|_| (0..next(4)).map(|_| pieces[next(pieces.len())]).collect::<String>())
                .collect();
            let cells: Vec<String> =
                row.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect();
            written.push_str(&cells.join(","));
            written.push_str(["\n", "\r\n"][next(2)]);
            expected.push(row);
        }
        for length in [1, 2, 7, 1_000_000] {
            let mut reader = RecordReader::new(Trickle(written.as_bytes(), length), b',');
            let mut record = Record::default();
            let mut found = Vec::new();
            while reader.read(&mut record).unwrap() {
                found.push(record.texts().unwrap());
            }
            assert_eq!(found, expected, "in pieces of {length}");
            assert_eq!(reader.rows(), 500);
        }
    }
}
