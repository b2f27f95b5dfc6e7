//! The records of a file of the corpus: statements, and queries with what they give.

use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(super) struct Record {
    pub(super) line: usize,
    pub(super) sql: String,
    /// Of a query: its rows as lines, and whether they have no order.
    pub(super) rows: Option<(Vec<String>, bool)>,
}

/// All records up to `halt`. Those that expect an error, or are for other databases, are left out.
pub(super) fn read(file: &Path) -> Vec<Record> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let lines: Vec<&str> = text.lines().collect();
    let (mut records, mut at, mut is_skipped) = (Vec::new(), 0, false);
    while at < lines.len() {
        let line = at + 1;
        let words: Vec<&str> = lines[at].split_whitespace().collect();
        at += 1;
        match words.as_slice() {
            ["halt", ..] => break,
            ["include", path, ..] => {
                records
                    .extend(included(&file.parent().unwrap().join(path)).iter().flat_map(|file| read(file)));
            }
            ["onlyif", database, ..] => is_skipped = !database.eq_ignore_ascii_case("datafusion"),
            ["skipif", database, ..] => is_skipped = database.eq_ignore_ascii_case("datafusion"),
            ["statement", outcome, ..] => {
                let sql = block(&lines, &mut at, false);
                if lines.get(at).is_some_and(|line| *line == "----") {
                    at += 1;
                    block(&lines, &mut at, false);
                }
                if *outcome != "error" && !is_skipped {
                    records.push(Record { line, sql, rows: None });
                }
                is_skipped = false;
            }
            ["query", what, more @ ..] => {
                let sql = block(&lines, &mut at, false);
                let mut rows = Vec::new();
                if lines.get(at).is_some_and(|line| *line == "----") {
                    at += 1;
                    rows =
                        block(&lines, &mut at, true).lines().map(|row| row.trim_end().to_owned()).collect();
                }
                if *what != "error" && !is_skipped {
                    let has_no_order = more.first() == Some(&"rowsort");
                    records.push(Record { line, sql, rows: Some((rows, has_no_order)) });
                }
                is_skipped = false;
            }
            _ => {}
        }
    }
    records
}

/// One file, or all that a `*` in its name stands for.
fn included(path: &Path) -> Vec<PathBuf> {
    let name = path.file_name().unwrap().to_str().unwrap();
    let Some((first, last)) = name.split_once('*') else { return vec![path.to_owned()] };
    let files = std::fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let is_meant = |file: &PathBuf| {
        file.file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.starts_with(first) && name.ends_with(last))
    };
    let mut files: Vec<PathBuf> = files.filter(is_meant).collect();
    files.sort();
    files
}

/// The lines up to an empty one, or to the one before the rows.
fn block(lines: &[&str], at: &mut usize, is_rows: bool) -> String {
    let start = *at;
    while lines.get(*at).is_some_and(|line| !line.trim().is_empty() && (is_rows || *line != "----")) {
        *at += 1;
    }
    lines[start..*at].join("\n")
}
