//! Where the rows of a table lie when it is looked at offline.

use std::sync::Arc;

use crate::contract::ProductTable;
use crate::source::{
    Access, CsvOptions, Format, Location, Source, SourceColumn, SourceDefinition, SourceError,
};

/// Rows for one table: those that its contract names, or others in their place.
#[derive(Debug, Clone)]
pub struct TableData {
    pub(super) location: Location,
    pub(super) format: Format,
    /// Do files call the columns as the contract's readers do? Else as the contract says that its files do.
    pub(super) plain_names: bool,
    pub(super) access: Arc<Access>,
}

impl TableData {
    /// The data that the contract names.
    pub(super) fn of_contract(table: &ProductTable, access: &Arc<Access>) -> Self {
        let SourceDefinition { location, format, .. } = table.source.clone();
        Self { location, format, plain_names: false, access: Arc::clone(access) }
    }

    /// A file with a header of the columns' own names.
    pub(super) fn csv(file: std::path::PathBuf, access: &Arc<Access>) -> Self {
        Self::file(file, Format::Csv(CsvOptions::default()), access)
    }

    /// A file with an object a line.
    pub(super) fn json_lines(file: std::path::PathBuf, access: &Arc<Access>) -> Self {
        Self::file(file, Format::JsonLines, access)
    }

    fn file(file: std::path::PathBuf, format: Format, access: &Arc<Access>) -> Self {
        Self { location: Location::Disk(file), format, plain_names: true, access: Arc::clone(access) }
    }

    /// `table` with its data here.
    pub(super) fn under(&self, table: &ProductTable) -> ProductTable {
        let plain = |name: &String| SourceColumn { name: name.clone(), partition: false };
        let columns = match self.plain_names {
            true => table.table.columns.iter().map(|column| plain(&column.name)).collect(),
            false => table.source.columns.clone(),
        };
        let source =
            SourceDefinition { location: self.location.clone(), format: self.format.clone(), columns };
        ProductTable { source, ..table.clone() }
    }

    /// The source of `table` over this data.
    pub(super) fn source(&self, table: &ProductTable) -> Result<Source, SourceError> {
        Source::new(&self.under(table), &self.access)
    }
}
