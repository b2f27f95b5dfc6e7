//! Partition values that stand in paths: `region=DE/part-0.parquet`.

use std::collections::BTreeMap;

use datafusion::scalar::ScalarValue;
use meshgate_policies::Table;

use super::cell::parse_scalar;
use super::definition::SourceDefinition;
use super::error::SourceError;
use super::files::{FileSet, PinnedFile};

/// What Hive and Spark write for NULL.
const NULL_NAME: &str = "__HIVE_DEFAULT_PARTITION__";

/// The columns whose values stand in the paths.
#[derive(Debug)]
pub(super) struct Partitions {
    /// Positions in the contract.
    pub(super) columns: Vec<usize>,
    /// One list per file, one value per column.
    pub(super) values: Vec<Vec<ScalarValue>>,
}

/// Reads the partition values of all files. A column that the contract calls
/// partitioned but that no path holds is looked for in the files themselves: a
/// single file is a fine copy of a partitioned table for development.
pub(super) fn read(
    table: &Table,
    definition: &SourceDefinition,
    files: &FileSet,
) -> Result<Partitions, SourceError> {
    let in_paths: Vec<BTreeMap<String, Vec<String>>> = files.files.iter().map(|file| pairs(file)).collect();
    let columns: Vec<usize> = definition
        .columns
        .iter()
        .enumerate()
        .filter(|(_, column)| {
            column.partition && in_paths.iter().any(|pairs| pairs.contains_key(&column.name))
        })
        .map(|(position, _)| position)
        .collect();
    let mut values = Vec::with_capacity(in_paths.len());
    for (pairs, file) in in_paths.iter().zip(&files.files) {
        let of_file: Result<Vec<ScalarValue>, SourceError> =
            columns.iter().map(|column| value(table, definition, pairs, *column, file)).collect();
        values.push(of_file?);
    }
    Ok(Partitions { columns, values })
}

fn value(
    table: &Table,
    definition: &SourceDefinition,
    pairs: &BTreeMap<String, Vec<String>>,
    position: usize,
    file: &PinnedFile,
) -> Result<ScalarValue, SourceError> {
    let found =
        definition.columns.get(position).zip(table.columns.get(position)).and_then(|(source, column)| {
            // Twice in one path: which of them counts?
            let [text] = pairs.get(&source.name)?.as_slice() else { return None };
            let text = (text != NULL_NAME).then_some(text.as_str());
            parse_scalar(&column.data_type, text)
        });
    found.ok_or_else(|| {
        let column = table.columns.get(position).map(|column| column.name.clone()).unwrap_or_default();
        tracing::error!(table = table.name, column, path = %file, "a path holds no partition value");
        SourceError::Partition { table: table.name.clone(), column }
    })
}

/// All `name=value` folders of a path.
fn pairs(file: &PinnedFile) -> BTreeMap<String, Vec<String>> {
    let mut pairs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let folders = file.below_root().parent().map(|folder| folder.components()).into_iter().flatten();
    for component in folders {
        if let Some((name, value)) = component.as_os_str().to_str().and_then(|text| text.split_once('=')) {
            pairs.entry(decode(name)).or_default().push(decode(value));
        }
    }
    pairs
}

/// Writers put `%3A` for characters that paths do not like. What is no valid
/// escape stays as it is.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let escaped = match (first, tail) {
            (b'%', [high, low, after @ ..]) => {
                hex(*high).zip(hex(*low)).map(|(high, low)| (high * 16 + low, after))
            }
            _ => None,
        };
        let (byte, after) = escaped.unwrap_or((*first, tail));
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn escapes_in_paths_are_undone() {
        for (text, expected) in
            [("a%3Ab", "a:b"), ("%C3%A4", "ä"), ("100%", "100%"), ("%zz", "%zz"), ("%FF", "%FF"), ("", "")]
        {
            assert_eq!(decode(text), expected);
        }
    }
}
